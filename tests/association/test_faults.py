"""What a peer does wrong, in each state: the answer that the table has for it, once, and silence from then on."""

from __future__ import annotations

import pytest

import pdu
from dimse.association import Limits, UpperLayer
from dimse.association.events import (
    AbortIndication,
    AssociateIndication,
    AssociateRejection,
    ConnectionClosed,
    ReleaseIndication,
)
from dimse.association.table import State
from dimse.errors import UsageError
from tests.association import scenes
from tests.association.scenes import (
    ABORT,
    AC,
    DATA,
    RELEASE_RP,
    RELEASE_RQ,
    RJ,
    RQ,
    UNKNOWN,
    bring,
    byte_by_byte,
    is_silent,
    kinds,
    outline,
    raw_abort,
    sent,
)
from tests.vectors import APPLICATION, LITTLE_USER, raw_associate, raw_pdu, raw_pdv

# Faults

BROKEN = {
    "F-01 request of 67 bytes": (raw_pdu(1, bytes(67)), 6),
    "F-01 empty request": (raw_pdu(1), 6),
    "F-04 type 00": (raw_pdu(0, bytes(4)), 1),
    "F-04 type 09": (raw_pdu(9, bytes(4)), 1),
    "F-04 type FF": (raw_pdu(0xFF, bytes(4)), 1),
    "T-05 HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1),
    "F-06 acceptance of 68 zeros and more": (raw_pdu(2, b"\0\1", bytes(66), b"\x21\0"), 6),
    "F-08 data without PDV": (raw_pdu(4), 6),
    "F-09 data one byte too long": (raw_pdu(4, raw_pdv(1, 0, bytes(131_067))), 6),
    "F-11 release of 0 bytes": (raw_pdu(5), 6),
    "F-11 release of 5 bytes": (raw_pdu(5, bytes(5)), 6),
    "F-11 release of FFFFFFFF bytes": (raw_pdu(5, length=0xFFFFFFFF), 6),
    "F-12 abort of 0 bytes": (raw_pdu(7), 6),
    "F-16 bytes behind the items": (raw_associate(1, APPLICATION, LITTLE_USER, b"\x21\0\0"), 6),
    "U-04 rejection of 0 bytes": (raw_pdu(3), 6),
    "T-04 request of FFFFFFFF bytes": (raw_pdu(1, length=0xFFFFFFFF), 6),
}
for _length in (0, 1, 0x80000000, 0xFFFFFFFF, 9999):
    BROKEN[f"F-07 PDV of {_length:X}H bytes"] = (raw_pdu(4, raw_pdv(1, 3, bytes(84), length=_length)), 6)


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("state", [2, 3, *range(5, 14)])
def test_broken_bytes(name: str, state: int) -> None:
    """In each state: the A-ABORT that it deserves, and from then on nothing is read or kept any more."""
    broken, reason = BROKEN[name]
    for is_requestor in scenes.roles_in(state):
        for cut in (False, True):
            layer = bring(state, is_requestor=is_requestor)
            events = byte_by_byte(layer, broken) if cut else layer.receive(broken)
            assert sent(layer) == (raw_abort(0, 0) if state == State.STA2 else raw_abort(2, reason))
            ends = [event for event in events if not isinstance(event, pdu.Fragment)]
            assert kinds(ends) == ([] if state == State.STA13 else [AbortIndication])
            for event in ends:
                assert isinstance(event, AbortIndication)
                assert "PS3.8 9.3" in event.cause
            _check_deaf(layer)


@pytest.mark.parametrize("context_id", [7, 3, 0, 255], ids=["never proposed", "refused", "0", "255"])
@pytest.mark.parametrize("state", [6, 7])
def test_d_09_data_on_a_context_that_was_not_accepted(state: int, context_id: int) -> None:
    wrong = raw_pdu(4, raw_pdv(1, 1, b"ab"), raw_pdv(context_id, 3, b"cdef"), raw_pdv(1, 3, b"gh")) + DATA
    for is_requestor in scenes.roles_in(state):
        whole, cut = bring(state, is_requestor=is_requestor), bring(state, is_requestor=is_requestor)
        events, by_bytes = whole.receive(wrong), byte_by_byte(cut, wrong)
        assert outline(events) == outline(by_bytes) == [(1, True, False, b"ab"), AbortIndication]
        for layer, last in ((whole, events[-1]), (cut, by_bytes[-1])):
            assert f"presentation context {context_id}, which was not accepted" in str(last)
            assert sent(layer) == raw_abort(2, 6)
            _check_deaf(layer)


def test_f_02_a_request_that_ends_early() -> None:
    layer = bring(2, is_requestor=False)
    assert is_silent(layer, RQ[:100])
    assert layer.receive_eof() == []
    assert layer.data_to_send() == []
    assert layer.closed


@pytest.mark.parametrize("first", [AC, RJ, DATA, RELEASE_RQ, RELEASE_RP])
def test_f_03_anything_but_a_request_comes_first(first: bytes) -> None:
    layer = bring(2, is_requestor=False)
    layer.receive(first)
    assert sent(layer) == raw_abort(0, 0)
    assert layer.state == State.STA13


@pytest.mark.parametrize("second", [RQ, AC, RJ, RELEASE_RP])
def test_f_05_f_06_an_association_pdu_instead_of_data(second: bytes) -> None:
    layer = bring(6, is_requestor=False)
    assert kinds(layer.receive(DATA + second)) == [pdu.Fragment, AbortIndication]
    assert sent(layer) == raw_abort(2, 2)


@pytest.mark.parametrize(("source", "reason"), [(0, 0), (1, 9), (2, 1), (255, 255)])
def test_f_12_abort_with_any_codes(source: int, reason: int) -> None:
    layer = bring(6, is_requestor=True)
    assert layer.receive(raw_abort(source, reason)) == [AbortIndication(source, reason, by_peer=True)]
    assert layer.closed


def test_f_14_data_that_do_not_wait_for_the_answer() -> None:
    """Behind the request in the same read: an A-ABORT, and the acceptance that comes too late is refused to our user."""
    layer = bring(2, is_requestor=False)
    events = layer.receive(RQ + DATA + RELEASE_RQ)
    assert kinds(events) == [AssociateIndication, AbortIndication]
    assert sent(layer) == raw_abort(2, 2)
    with pytest.raises(UsageError, match="Sta13"):
        scenes.accept(layer)
    assert layer.agreement is None


def test_f_15_what_follows_a_rejection() -> None:
    layer = bring(13, is_requestor=False, timeouts=scenes.untimed(artim=30))
    assert layer.deadline(100) == 130
    assert layer.receive(RQ) == []
    assert sent(layer) == raw_abort(2, 2)
    assert is_silent(layer, DATA)
    assert layer.receive(UNKNOWN + RQ) == []
    assert sent(layer) == raw_abort(2, 1)
    for _ in range(1000):
        assert is_silent(layer, UNKNOWN + RQ)
    assert layer.deadline(129) == 130
    assert layer.timeout(130) == []
    assert layer.closed


def test_data_in_sta13_are_ignored_on_whatever_context() -> None:
    layer = bring(13, is_requestor=True)
    assert is_silent(layer, raw_pdu(4, raw_pdv(99, 3, b"ab")) * 100)


@pytest.mark.parametrize("rest", [b"", DATA[:20]], ids=["between PDUs", "in a PDU"])
def test_r_02_the_connection_breaks(rest: bytes) -> None:
    layer = bring(6, is_requestor=False)
    layer.receive(DATA + rest[:14])
    assert layer.receive_eof() == [ConnectionClosed()]
    assert layer.closed


def test_r_03_data_behind_the_release_request() -> None:
    layer = bring(6, is_requestor=False)
    assert kinds(layer.receive(RELEASE_RQ + DATA)) == [ReleaseIndication, AbortIndication]
    assert sent(layer) == raw_abort(2, 2)
    patient = bring(8, is_requestor=False)
    patient.respond_release()
    assert patient.receive(DATA) == []
    assert sent(patient) == RELEASE_RP


def test_u_04_a_rejection_with_any_codes() -> None:
    layer = bring(5, is_requestor=True)
    assert layer.receive(raw_pdu(3, bytes((0, 0, 9, 99)))) == [AssociateRejection(pdu.AssociateRJ(0, 9, 99))]
    assert layer.closed


def test_the_limit_of_an_association_pdu_is_this_sides() -> None:
    layer = bring(2, is_requestor=False, limits=Limits(max_associate_pdu=1000))
    layer.receive(raw_pdu(1, length=1001))
    assert sent(layer) == raw_abort(0, 0)


def test_the_limit_of_data_is_what_this_side_announced() -> None:
    """Not what its `Limits` say: the peer may send as much as the A-ASSOCIATE-AC allowed."""
    layer = bring(3, is_requestor=False, limits=Limits(max_pdu=50))
    layer.accept(pdu.AssociateAC("PACS", "ME", (*scenes.ACCEPTANCE.items[:-1], pdu.UserInformation((pdu.MaximumLength(100),)))))
    sent(layer)
    assert kinds(layer.receive(raw_pdu(4, raw_pdv(1, 3, bytes(94))) + raw_pdu(4, raw_pdv(1, 3, bytes(95))))) == [
        pdu.Fragment,
        AbortIndication,
    ]
    assert sent(layer) == raw_abort(2, 6)


def _check_deaf(layer: UpperLayer) -> None:
    """Whatever comes now, nothing comes of it, and nothing grows."""
    assert layer.state == State.STA13
    for chunk in (RQ, DATA, UNKNOWN, ABORT, bytes(100_000), b"\1\0\0\1\0\0"):
        assert is_silent(layer, chunk)
    assert not layer._reader._body
    assert len(layer._reader._header) < 12
    assert layer.receive_eof() == []
    assert layer.closed
