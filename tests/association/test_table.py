"""Table 9-10, all 247 cells: each state is really reached, each event really caused, and all that follows is compared."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Mapping

import pytest

import pdu
from dimse.association.events import (
    AbortIndication,
    AssociateConfirmation,
    AssociateIndication,
    AssociateRefusal,
    AssociateRejection,
    ConnectionClosed,
    Event,
    ReleaseConfirmation,
    ReleaseIndication,
    TimedOut,
    TraceRecord,
)
from dimse.association.layer import UpperLayer
from dimse.association.table import ACTIONS, GRID, Evt, State, diagram, picture
from dimse.errors import UsageError
from tests.association import reference, scenes
from tests.association.reference import CELLS, EVENTS, STATES, Effect

BEFORE, NOW = 1000.0, 1010.0
"""When the state was reached and when the event comes. Nothing but `ARTIM` is set, and it is longer than that."""
ARTIM = 30.0

CASES = [
    pytest.param(event, state, is_requestor, id=f"Evt{event}-Sta{state}-{'requestor' if is_requestor else 'acceptor'}")
    for event in EVENTS
    for state in STATES
    for is_requestor in scenes.roles_in(state)
]

_Cause = tuple[list[Event], bytes]
"""What an event leads to: what is indicated, and what is to be sent."""


def _received(data: bytes) -> Callable[[UpperLayer], _Cause]:
    return lambda layer: (layer.receive(data), scenes.sent(layer))


def _called(call: Callable[[UpperLayer], object]) -> Callable[[UpperLayer], _Cause]:
    def cause(layer: UpperLayer) -> _Cause:
        call(layer)
        return [], scenes.sent(layer)

    return cause


def _connected(is_requestor: bool, event: Evt) -> Callable[[UpperLayer], _Cause]:
    """One call is two events, by the side that makes it. What a side cannot cause must at least be refused by the machine."""

    def call(layer: UpperLayer) -> None:
        if layer.is_requestor is is_requestor:
            layer.connected()
        else:
            layer._step(event)

    return _called(call)


def _send_data(layer: UpperLayer) -> _Cause:
    buffers = layer.send_message(1, b"abcd")
    return [], scenes.sent(layer) + b"".join(map(bytes, buffers))


CAUSES: Mapping[int, Callable[[UpperLayer], _Cause]] = {
    1: _called(lambda layer: layer._step(Evt.A_ASSOCIATE_REQUEST)),  # what UpperLayer.requestor does, at its beginning only
    2: _connected(True, Evt.TRANSPORT_CONFIRMATION),
    3: _received(scenes.AC),
    4: _received(scenes.RJ),
    5: _connected(False, Evt.TRANSPORT_INDICATION),
    6: _received(scenes.RQ),
    7: _called(scenes.accept),
    8: _called(scenes.reject),
    9: _send_data,
    10: _received(scenes.DATA),
    11: _called(UpperLayer.release),
    12: _received(scenes.RELEASE_RQ),
    13: _received(scenes.RELEASE_RP),
    14: _called(UpperLayer.respond_release),
    15: _called(UpperLayer.abort),
    16: _received(scenes.ABORT),
    17: lambda layer: (layer.receive_eof(), scenes.sent(layer)),
    18: lambda layer: (layer.timeout(BEFORE + ARTIM), scenes.sent(layer)),
    19: _received(scenes.UNKNOWN),
}

SENT = {
    "": b"",
    "A-ASSOCIATE-RQ": scenes.RQ,
    "A-ASSOCIATE-AC": scenes.AC,
    "A-ASSOCIATE-RJ": scenes.RJ,
    "P-DATA-TF": scenes.DATA,
    "A-RELEASE-RQ": scenes.RELEASE_RQ,
    "A-RELEASE-RP": scenes.RELEASE_RP,
    "A-ABORT by user": scenes.raw_abort(0, 0),
}
ISSUED: Mapping[str, type[Event]] = {
    "A-ASSOCIATE indication": AssociateIndication,
    "A-ASSOCIATE confirmation (accept)": AssociateConfirmation,
    "A-ASSOCIATE confirmation (reject)": AssociateRejection,
    "P-DATA indication": pdu.Fragment,
    "A-RELEASE indication": ReleaseIndication,
    "A-RELEASE confirmation": ReleaseConfirmation,
    "A-ABORT indication": AbortIndication,
    "A-P-ABORT indication": AbortIndication,
    "A-P-ABORT indication: transport closed": ConnectionClosed,
}


def _bring(state: int, is_requestor: bool, trace: list[TraceRecord] | None) -> UpperLayer:
    """A layer in the state since `BEFORE`; what it took to get there is not in the trace."""
    tell = None if trace is None else trace.append
    layer = scenes.bring(state, is_requestor=is_requestor, timeouts=scenes.untimed(artim=ARTIM), trace=tell)
    assert layer.deadline(BEFORE) == (BEFORE + ARTIM if state in (2, 13) else None)
    if trace is not None:
        trace.clear()
    return layer


@pytest.mark.parametrize("is_traced", [False, True], ids=["", "traced"])
@pytest.mark.parametrize(("event", "state", "is_requestor"), CASES)
def test_cell(event: int, state: int, is_requestor: bool, is_traced: bool) -> None:
    trace: list[TraceRecord] | None = [] if is_traced else None
    layer = _bring(state, is_requestor, trace)
    action = CELLS.get((event, state))
    if action is None:
        _check_empty(layer, event, trace)
    else:
        _check_effect(layer, event, reference.ACTIONS[action], trace)


def test_refusal_by_the_provider_is_the_other_half_of_ae_6() -> None:
    trace: list[TraceRecord] = []
    layer = _bring(2, False, trace)
    rejection = pdu.AssociateRJ(1, 2, 2)
    assert layer.receive(scenes.BAD_RQ) == [AssociateRefusal(rejection)]
    assert scenes.sent(layer) == rejection.encode()
    _check_after(layer, reference.REFUSED)
    assert [(record.direction, record.what) for record in trace] == [("in", scenes.as_request(scenes.BAD_RQ)), ("out", rejection)]


def test_every_cell_is_tested() -> None:
    assert {(event, state) for event, state, _ in (case.values for case in CASES)} == {(e, s) for e in EVENTS for s in STATES}
    assert len(EVENTS) * len(STATES) == 247
    only = {state for state in STATES if state != 1 and len(scenes.roles_in(state)) == 1}
    assert only == reference.REQUESTOR_ONLY | reference.ACCEPTOR_ONLY


def test_grid_is_the_reference() -> None:
    assert {(int(event), int(state)): action for (event, state), action in GRID.items()} == CELLS
    assert set(ACTIONS) == set(reference.ACTIONS) == set(CELLS.values())


@pytest.mark.parametrize("name", reference.ACTIONS)
def test_row_of_an_action_is_the_reference(name: str) -> None:
    """Also in what the machine does not need to be told, but whoever reads the picture: that ARTIM starts with Sta13."""
    action, effect = ACTIONS[name], reference.ACTIONS[name]
    other = 13 if name == "AE-6" else effect.leads_to[1]
    assert (action.next_state, action.otherwise or action.next_state) == (effect.leads_to[0], other)
    assert (action.artim.value if action.artim else "", action.close) == (effect.artim, effect.ends)
    assert (action.send is None, action.indicate is None) == (not effect.sends, not effect.issues)


def test_requestor_begins_with_evt1() -> None:
    layer = UpperLayer.requestor(scenes.REQUEST)
    assert layer.state == State.STA4
    assert layer.data_to_send() == []


def test_picture_has_every_cell() -> None:
    rows = {words[0]: words[1:] for line in picture().splitlines() if (words := line.split())}
    for event in EVENTS:
        assert rows[f"Evt{event}"] == [CELLS.get((event, state), ".") for state in STATES]


def test_picture_says_what_states_events_and_actions_are() -> None:
    text = picture()
    for described in (*State, *Evt):
        assert described.words in text
    lines = text.splitlines()
    for name, effect in reference.ACTIONS.items():
        line = next(line for line in lines if line.startswith(f"{name} "))
        assert all(f"Sta{state}" in line for state in effect.leads_to)


def test_diagram_shows_each_change_of_state_without_accident() -> None:
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    for (_, state), action in CELLS.items():
        for target in {*reference.ACTIONS[action].leads_to} - {state}:
            found = [line for line in lines if line.strip().startswith(f"Sta{state} --> Sta{target}:") and f"({action})" in line]
            assert bool(found) is not action.startswith("AA")


@pytest.mark.parametrize(("arguments", "text"), [([], picture), (["diagram"], diagram)], ids=["picture", "diagram"])
def test_module_prints(
    arguments: list[str], text: Callable[[], str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["association", *arguments])
    runpy.run_module("dimse.association", run_name="__main__")
    assert capsys.readouterr().out == text() + "\n"


def _check_effect(layer: UpperLayer, event: int, effect: Effect, trace: list[TraceRecord] | None) -> None:
    """The cell has an action: what is sent, indicated, timed, closed, and where it leads."""
    state = layer.state
    events, sent = CAUSES[event](layer)
    if effect.sends == "A-ABORT by provider":
        assert sent == scenes.raw_abort(2, reference.ABORT_REASONS.get(event, 2))
    else:
        assert sent == SENT[effect.sends]
    expected = [ISSUED[effect.issues]] if effect.issues else _told_besides(event, state)
    assert [type(indicated) for indicated in events] == expected
    for indicated in events:
        if isinstance(indicated, AbortIndication):
            _check_abort(indicated, event, sent)
    _check_after(layer, effect)
    if trace is not None:
        assert trace
        assert {(record.before, record.after) for record in trace} == {(state, layer.state)}


def _told_besides(event: int, state: State) -> list[type[Event]]:
    """Where the standard has no user to tell, in Sta2, whoever serves is told why the connection ends."""
    if state == State.STA2 and event in reference.FROM_PEER and CELLS[event, state] == "AA-1":
        return [AbortIndication]
    return [TimedOut] if state == State.STA2 and event in reference.BY_TIME else []


def _check_abort(indicated: AbortIndication, event: int, sent: bytes) -> None:
    """Source and reason are those of the A-ABORT that was received, or else of that which is sent."""
    received = scenes.ABORT if event == Evt.ABORT else sent
    assert indicated.by_peer is (event == Evt.ABORT)
    assert (indicated.source, indicated.reason) == tuple(received[-2:])
    assert bool(indicated.cause) is not indicated.by_peer


def _check_after(layer: UpperLayer, effect: Effect) -> None:
    """The next state, the transport and the timer: started anew, stopped, or going on where it ran."""
    assert layer.state == effect.leads_to[0 if layer.is_requestor else 1]
    assert layer.closed is effect.ends
    due = layer.deadline(NOW)
    if effect.artim == "start":
        assert due == NOW + ARTIM
    elif effect.artim == "stop":
        assert due is None
    else:
        assert due == (BEFORE + ARTIM if layer.state == State.STA13 else None)


def _check_empty(layer: UpperLayer, event: int, trace: list[TraceRecord] | None) -> None:
    """The cell is empty: the event cannot occur, or whoever calls is told so, and nothing changes."""
    state, due = layer.state, layer.deadline(BEFORE)
    if event in (Evt.A_ABORT_REQUEST, Evt.ARTIM_EXPIRED):  # there is nothing to abort, no timer runs
        assert CAUSES[event](layer) == ([], b"")
    else:
        with pytest.raises(UsageError, match=rf"Evt{event}\b.*PS3.8 Table 9-10|PS3.8 Table 9-10, Evt{event}\b"):
            CAUSES[event](layer)
    assert layer.state == state
    assert not layer.closed
    assert scenes.sent(layer) == b""
    assert layer.deadline(NOW) == due
    assert not trace
