"""Every wait by its name: when it runs, what restarts it and what does not, and what happens when it is over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimse.association.config import Timeouts
from dimse.association.events import Event, TimedOut
from dimse.association.layer import UpperLayer
from dimse.association.table import State
from tests.association import scenes
from tests.association.scenes import ABORT, AC, DATA, RELEASE_RQ, RQ, UNKNOWN, bring, raw_abort, sent, untimed
from tests.vectors import raw_pdu, raw_pdv

START = 5000.0
"""The clock has no particular origin."""
SECONDS = 30.0
WAITS = ("artim", "associate", "release", "idle", "response", "pdu")

RUNNING = [
    ("artim", 2),
    ("artim", 13),
    ("associate", 5),
    *(("release", state) for state in (7, 9, 10, 11, 12)),
    ("idle", 6),
    ("response", 6),
    ("pdu", 6),
]
CASES = [
    pytest.param(wait, state, is_requestor, id=f"{wait}-Sta{state}-{'requestor' if is_requestor else 'acceptor'}")
    for wait, state in RUNNING
    for is_requestor in scenes.roles_in(state)
]


def others(wait: str, seconds: float) -> dict[str, float]:
    """The waits that do not run beside this one, at so many seconds. Silence counts inside a PDU too."""
    return {other: seconds for other in WAITS if other not in ((wait, "idle") if wait == "pdu" else (wait,))}


def waiting(wait: str, state: int, is_requestor: bool, timeouts: Timeouts) -> UpperLayer:
    """A layer in which that wait is under way."""
    layer = bring(state, is_requestor=is_requestor, timeouts=timeouts)
    layer.expecting = wait == "response"
    if wait == "pdu":
        layer.receive(DATA[:1])
    return layer


@pytest.mark.parametrize(("wait", "state", "is_requestor"), CASES)
def test_wait_runs_and_ends(wait: str, state: int, is_requestor: bool) -> None:
    """ARTIM closes the transport (Evt18, T-01), every other wait ends in an A-ABORT (Evt15); asking again changes nothing."""
    layer = waiting(wait, state, is_requestor, untimed(**others(wait, 1.0), **{wait: SECONDS}))
    due = START + SECONDS
    for now in (START, START + 1, due - 0.001):
        assert layer.deadline(now) == due
        assert layer.timeout(now) == []
    assert layer.state == state
    expected: list[Event] = [] if state == State.STA13 else [TimedOut(wait, SECONDS)]
    assert layer.timeout(due + 7) == expected
    if wait == "artim":
        assert sent(layer) == b""
        assert layer.closed
    else:
        assert sent(layer) == raw_abort(0, 0)
        assert layer.state == State.STA13
        assert layer.deadline(due + 7) == due + 8  # ARTIM, for the peer to close


@pytest.mark.parametrize(("wait", "state", "is_requestor"), CASES)
def test_none_waits_for_ever(wait: str, state: int, is_requestor: bool) -> None:
    layer = waiting(wait, state, is_requestor, untimed(**others(wait, 1.0)))
    assert layer.deadline(START) is None
    assert layer.timeout(START + 1e9) == []
    assert layer.state == state


@pytest.mark.parametrize("state", [1, 3, 4, 8])
def test_our_own_users_are_not_timed_here(state: int) -> None:
    for is_requestor in scenes.roles_in(state):
        layer = bring(state, is_requestor=is_requestor)
        assert layer.deadline(START) is None
        assert layer.timeout(START + 1e9) == []
        assert layer.state == state


def test_a_layer_that_was_never_asked_for_its_deadline_starts_its_wait_then() -> None:
    layer = bring(6, is_requestor=True, timeouts=untimed(idle=SECONDS))
    assert layer.timeout(START) == []
    assert layer.deadline(START + 1) == START + SECONDS


# What restarts a wait and what does not


@pytest.mark.parametrize(
    ("wait", "state", "data"), [("artim", 2, RQ), ("associate", 5, AC), ("pdu", 6, raw_pdu(4, raw_pdv(1, 2, bytes(200))))]
)
@settings(deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 40), st.floats(0, 5)), max_size=30))
def test_t_03_u_01_no_part_of_a_pdu_restarts_a_wait(wait: str, state: int, data: bytes, steps: list[tuple[int, float]]) -> None:
    """However many bytes come and when, the wait is counted from its start."""
    layer = bring(state, is_requestor=state == State.STA5, timeouts=untimed(**{wait: SECONDS}))
    now, at = START, 0
    if wait == "pdu":
        layer.receive(data[:1])
        at = 1
    assert layer.deadline(now) == START + SECONDS
    for size, seconds in steps:
        size = min(size, len(data) - 1 - at)
        layer.receive(data[at : at + size])
        at, now = at + size, min(now + seconds, START + SECONDS - 1)
        assert layer.deadline(now) == START + SECONDS
    assert layer.timeout(START + SECONDS) == [TimedOut(wait, SECONDS)]


def test_t_03_one_byte_every_300_ms() -> None:
    layer, now = bring(2, is_requestor=False), START
    layer.deadline(now)
    ends: list[Event] = []
    for at in range(len(RQ)):
        layer.receive(RQ[at : at + 1])
        now += 0.3
        ends += layer.timeout(now)
        if layer.closed:
            break
    assert ends == [TimedOut("artim", 30.0)]
    assert START + 30 <= now < START + 30.4
    assert sent(layer) == b""


def test_t_14_a_pdu_that_stalls() -> None:
    layer = bring(6, is_requestor=False)
    assert layer.deadline(START) == START + 60
    layer.receive(raw_pdu(4, raw_pdv(1, 0, bytes(78)), length=84)[:26])
    assert layer.deadline(START + 10) == START + 40
    assert layer.timeout(START + 40) == [TimedOut("pdu", 30.0)]
    assert sent(layer) == raw_abort(0, 0)


@pytest.mark.parametrize("wait", ["idle", "response"])
def test_silence_is_silence_inside_a_pdu_too(wait: str) -> None:
    """Every byte restarts it there, and the PDU has its own wait besides."""
    layer = waiting(wait, 6, False, untimed(pdu=SECONDS, **{wait: 10.0}))
    for now in (0, 8, 16):
        layer.receive(DATA[now : now + 1])
        assert layer.deadline(START + now) == START + now + 10
    layer.receive(DATA[17:18])
    assert layer.deadline(START + 24) == START + SECONDS
    assert layer.timeout(START + SECONDS) == [TimedOut("pdu", SECONDS)]


def test_t_13_silence() -> None:
    layer = bring(6, is_requestor=False)
    layer.deadline(START)
    assert layer.timeout(START + 60) == [TimedOut("idle", 60.0)]
    assert sent(layer) == raw_abort(0, 0)
    assert layer.timeout(START + 60) == []
    assert layer.timeout(START + 90) == []
    assert layer.closed


def test_every_new_pdu_restarts_the_wait_for_a_pdu() -> None:
    """Wherever the chunks cut it: also when its first bytes come with the last ones of the one before."""
    long = raw_pdu(4, raw_pdv(1, 0, bytes(100)))
    layer = bring(6, is_requestor=False, timeouts=untimed(pdu=SECONDS))
    now, due = START, None
    for chunk in (long[:50], long[50:] + long[:3], long[3:] + long[:20], long[20:] + long + long[:13], long[13:] + RELEASE_RQ[:6]):
        layer.receive(chunk)
        now += 20
        assert layer.deadline(now) == now + SECONDS != due
        due = layer.deadline(now)
    now += 20
    layer.receive(RELEASE_RQ[6:9])
    assert layer.deadline(now) == due


def test_between_pdus_the_wait_for_a_pdu_does_not_run() -> None:
    layer = bring(6, is_requestor=False, timeouts=untimed(pdu=SECONDS))
    assert layer.deadline(START) is None
    layer.receive(DATA[:7])
    assert layer.deadline(START) == START + SECONDS
    layer.receive(DATA[7:])
    assert layer.deadline(START + 1) is None


@pytest.mark.parametrize("wait", ["idle", "response"])
def test_what_the_peer_sends_restarts_the_wait_for_it(wait: str) -> None:
    layer = waiting(wait, 6, True, untimed(**{wait: SECONDS}))
    assert layer.deadline(START) == START + SECONDS
    assert layer.deadline(START + 10) == START + SECONDS
    layer.receive(DATA)
    assert layer.deadline(START + 10) == START + 10 + SECONDS


def test_what_we_send_does_not_restart_the_wait_for_the_peer() -> None:
    layer = waiting("idle", 6, True, untimed(idle=SECONDS))
    layer.deadline(START)
    layer.send_message(1, b"ab")
    assert layer.deadline(START + 10) == START + SECONDS


def test_to_expect_something_is_another_wait() -> None:
    layer = bring(6, is_requestor=True, timeouts=untimed(idle=100, response=10))
    assert layer.deadline(START) == START + 100
    layer.expecting = True
    assert layer.deadline(START + 50) == START + 60
    layer.expecting = False
    assert layer.deadline(START + 55) == START + 155


def test_a_message_that_trickles_in_is_over_at_last() -> None:
    """Silence is restarted by every byte, a PDU by the next one; the message by nothing but the next message."""
    layer = bring(6, is_requestor=False, timeouts=untimed(response=5, pdu=5, message=SECONDS))
    layer.expecting, layer.message = True, 1
    assert layer.deadline(START) == START + 5
    for now in range(4, int(SECONDS), 4):
        layer.receive(DATA)
        assert layer.deadline(START + now) == START + min(now + 5, SECONDS)
    layer.message = 2
    assert layer.deadline(START + 29) == START + 33  # silence, since the last byte at 28
    layer.message = 0
    assert layer.timeout(START + 33) == [TimedOut("response", 5)]


def test_nothing_restarts_the_wait_for_the_release() -> None:
    """Neither data nor a collision."""
    for is_requestor in (True, False):
        layer = bring(7, is_requestor=is_requestor, timeouts=untimed(release=SECONDS, idle=1, response=1, pdu=1))
        assert layer.deadline(START) == START + SECONDS
        for chunk in (DATA, DATA[:8], DATA[8:], RELEASE_RQ):
            layer.receive(chunk)
            assert layer.deadline(START + 10) == START + SECONDS
        if is_requestor:
            layer.respond_release()
        assert layer.state == (State.STA11 if is_requestor else State.STA10)
        assert layer.deadline(START + 20) == START + SECONDS


@pytest.mark.parametrize("chunk", [RQ, DATA, AC, RELEASE_RQ, UNKNOWN, RQ[:20]])
def test_nothing_that_comes_restarts_artim_in_sta13(chunk: bytes) -> None:
    layer = bring(13, is_requestor=False, timeouts=untimed(artim=SECONDS))
    assert layer.deadline(START) == START + SECONDS
    layer.receive(chunk)
    assert layer.deadline(START + 10) == START + SECONDS


def test_artim_starts_anew_with_our_abort() -> None:
    """In Sta2 it runs already (AA-1: "start, or restart if running")."""
    layer = bring(2, is_requestor=False, timeouts=untimed(artim=SECONDS))
    assert layer.deadline(START) == START + SECONDS
    layer.receive(DATA)
    assert layer.deadline(START + 10) == START + 10 + SECONDS


def test_the_end_ends_every_wait() -> None:
    layer = bring(6, is_requestor=True)
    assert layer.deadline(START) is not None
    layer.receive(ABORT)
    assert layer.deadline(START) is None
