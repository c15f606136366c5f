"""`UpperLayer`: bytes in any chunking come to the same, what is sent is as the peer takes it, and both fit together."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pdu
from dimse.association import Context, UpperLayer, answer, propose
from dimse.association.events import (
    AbortIndication,
    AssociateConfirmation,
    AssociateIndication,
    AssociateRejection,
    Event,
    ReleaseConfirmation,
    ReleaseIndication,
    TraceRecord,
)
from dimse.association.layer import READ_SIZE, READ_SIZE_BEFORE
from dimse.association.table import State
from dimse.errors import UsageError
from tests.association import scenes
from tests.association.pair import Pair
from tests.association.scenes import (
    ABORT,
    AC,
    DATA,
    RELEASE_RP,
    RELEASE_RQ,
    RJ,
    RQ,
    SEVERAL,
    STREAM,
    UNKNOWN,
    bring,
    feed,
    is_silent,
    kinds,
    parts,
    sent,
)
from tests.association.test_negotiation import anything
from tests.pdu.reading import joined
from tests.pdu.strategies import chunked
from tests.vectors import APPLICATION, CT, IMPLICIT, LITTLE_USER, VERIFICATION, raw_associate, raw_context, raw_item, raw_pdu, raw_pdv

# Chunks


def test_f_13_a_conversation_whole_and_byte_by_byte() -> None:
    whole, cut = bring(5, is_requestor=True), bring(5, is_requestor=True)
    events = feed(whole, [STREAM])
    assert feed(cut, [STREAM[at : at + 1] for at in range(len(STREAM))]) == events
    assert whole.state == cut.state == State.STA8
    assert isinstance(events[0], AssociateConfirmation)
    assert events[1:] == [
        (1, True, True, b"abcd"),
        (1, True, True, b"echo"),
        (1, True, True, b"store"),
        (1, False, True, b"data"),
        (1, True, True, b""),
        (1, True, True, bytes(100)),  # D-10: control FF, the bits of no meaning are not looked at
        ReleaseIndication(),
    ]


@settings(deadline=None)
@given(st.data())
def test_f_13_a_conversation_in_any_chunks(data: st.DataObject) -> None:
    """As the association's requestor."""
    tail = data.draw(st.sampled_from([b"", ABORT, UNKNOWN, AC, raw_pdu(4, raw_pdv(7, 3, b"abcd")), ABORT + RQ, RJ + DATA]))
    whole, cut = bring(5, is_requestor=True), bring(5, is_requestor=True)
    assert feed(whole, [STREAM + tail]) == feed(cut, data.draw(chunked(STREAM + tail)))
    assert (whole.state, whole.closed, sent(whole)) == (cut.state, cut.closed, sent(cut))


@settings(deadline=None)
@given(st.data())
def test_f_13_an_acceptors_conversation_in_any_chunks(data: st.DataObject) -> None:
    """As the association's acceptor, who answers the request, asks for the release and meets a collision."""
    layer = bring(2, is_requestor=False)
    assert feed(layer, data.draw(chunked(RQ))) == [AssociateIndication(scenes.REQUEST)]
    scenes.accept(layer)
    assert feed(layer, data.draw(chunked(DATA))) == [(1, True, True, b"abcd")]
    layer.release()
    expected = [(1, True, True, b"abcd"), ReleaseIndication(), ReleaseConfirmation()]
    assert feed(layer, data.draw(chunked(DATA + RELEASE_RQ + RELEASE_RP))) == expected
    layer.respond_release()
    assert sent(layer) == AC + RELEASE_RQ + RELEASE_RP
    assert layer.receive_eof() == []
    assert layer.closed


@settings(deadline=None)
@given(st.sampled_from(range(2, 14)), st.booleans(), st.lists(st.binary(max_size=30), max_size=5))
def test_any_bytes_in_any_state_end_in_a_state_of_the_table(state: int, is_requestor: bool, chunks: list[bytes]) -> None:
    if is_requestor not in scenes.roles_in(state) or state == State.STA4:
        return
    layer = bring(state, is_requestor=is_requestor)
    for chunk in chunks:
        layer.receive(chunk)
    layer.receive_eof()
    assert layer.closed
    assert layer.state == State.STA1


@settings(deadline=None)
@given(st.booleans(), st.lists(st.sampled_from([RQ, AC, RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT, UNKNOWN, SEVERAL]), max_size=6))
def test_any_pdus_in_one_read_are_taken(is_requestor: bool, pdus: list[bytes]) -> None:
    """Also those that come behind the end: behind an A-ABORT, a rejection, the end of a release."""
    for state in [state for state in range(2, 14) if state != State.STA4 and is_requestor in scenes.roles_in(state)]:
        whole, cut = bring(state, is_requestor=is_requestor), bring(state, is_requestor=is_requestor)
        assert feed(whole, [b"".join(pdus)]) == feed(cut, pdus)
        assert (whole.state, whole.closed, sent(whole)) == (cut.state, cut.closed, sent(cut))


def test_bytes_behind_the_acceptance_belong_to_the_association() -> None:
    layer = bring(5, is_requestor=True)
    events = layer.receive(AC + SEVERAL[:40])
    assert kinds(events)[:2] == [AssociateConfirmation, pdu.Fragment]
    assert layer.state == State.STA6


def test_bytes_behind_the_end_are_nothing() -> None:
    for end, kind in [(ABORT, AbortIndication), (RJ, AssociateRejection)]:
        layer = bring(5, is_requestor=True)
        assert kinds(layer.receive(end + DATA + RQ + UNKNOWN)) == [kind]
        assert layer.closed
        assert is_silent(layer, DATA)
        assert layer.receive_eof() == layer.timeout(1e9) == []
        assert layer.deadline(0) is None


def test_fragments_are_views_of_the_chunk() -> None:
    layer = bring(6, is_requestor=True)
    big = raw_pdu(4, raw_pdv(1, 0, bytes(1000)))
    chunks = [big[:5], big[5:500], big[500:] + SEVERAL + big[:13], big[13:]]
    for chunk in chunks:
        for event in layer.receive(chunk):
            assert isinstance(event, pdu.Fragment)
            assert event.data.obj is chunk
    layer.release()
    (last,) = layer.receive(big)
    assert isinstance(last, pdu.Fragment)
    assert last.data.obj is big


def test_a_partial_fragment_comes_out_at_once() -> None:
    layer = bring(6, is_requestor=False)
    assert layer.receive(DATA[:12]) == []
    assert parts(layer.receive(DATA[12:14])) == [(1, True, False, b"ab")]
    assert parts(layer.receive(DATA[14:])) == [(1, True, True, b"cd")]


@pytest.mark.parametrize("size", [16384, 16378])
def test_hot_path_takes_few_calls(size: int) -> None:
    """Calls of Python and of C functions for each P-DATA-TF of 16 KiB, all floors included; borders of chunks cut PDUs."""
    layer, count = bring(6, is_requestor=False), 640
    stream = raw_pdu(4, raw_pdv(1, 0, bytes(size - 6))) * count
    chunks = [stream[at : at + READ_SIZE] for at in range(0, len(stream), READ_SIZE)]
    events: list[Event] = []

    def receive() -> None:
        for chunk in chunks:
            events.extend(layer.receive(chunk))

    calls = _calls(receive)
    assert sum(len(event.data) for event in events if isinstance(event, pdu.Fragment)) == count * (size - 6)
    assert calls <= 10 * count


def _calls(work: Callable[[], object]) -> int:
    """How many functions were called, of Python and of C (resuming a generator is a call)."""
    counts = {"call": 0, "c_call": 0}

    def count(frame: FrameType, event: str, _: object) -> None:
        if event in counts:
            counts[event] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return sum(counts.values())


# Sending


@pytest.mark.parametrize("state", [6, 8])
@pytest.mark.parametrize("max_pdu", [8, 9, 100, 16384, 0, 0xFFFFFFFF])
@pytest.mark.parametrize("sizes", [(0, None), (1, None), (68, None), (68, 0), (67, 1), (68, 300_001)])
def test_message_is_cut_to_what_the_peer_takes(max_pdu: int, sizes: tuple[int, int | None], state: int) -> None:
    """A-11, A-13, A-14: no PDU is longer, every fragment but the last one of a part is even, and it reads as the same again."""
    if max_pdu < 10 and sizes[1] == 300_001:
        sizes = (sizes[0], 3001)
    layer = _established(max_pdu, is_requestor=state == 6)
    if state == 8:
        layer.receive(RELEASE_RQ)
    command, data = bytes(range(sizes[0])), None if sizes[1] is None else bytes(n % 253 for n in range(sizes[1]))
    readv = None if data is None else scenes.source_of(data, most=5000)
    buffers = [bytes(buffer) for buffer in layer.send_message(1, command, None if data is None else len(data), readv)]
    for buffer in buffers:
        assert all(len(one) - 6 <= (max_pdu or 0xFFFFFFFF) for one in _p_data(buffer))
        assert b"".join(_p_data(buffer)) == buffer
    fragments = [fragment for fragment in pdu.Reader(max_pdu).feed(b"".join(buffers)) if isinstance(fragment, pdu.Fragment)]
    assert all(len(fragment.data) % 2 == 0 for fragment in fragments if not fragment.is_last)
    expected: list[object] = [(1, True, True, command)]
    assert joined(fragments) == (expected if data is None else [*expected, (1, False, True, data)])
    if data is not None and len(data) < 1000 and max_pdu > 100:
        assert len(buffers) == 1  # a small message leaves in one piece


@pytest.mark.parametrize("max_pdu", [8, 50, 0])
@pytest.mark.parametrize("sizes", [(), (4,), (0, 67, 68, 4000, 1)])
def test_several_messages_leave_in_one_piece_as_they_would_one_by_one(max_pdu: int, sizes: tuple[int, ...]) -> None:
    layer, other = _established(max_pdu), _established(max_pdu)
    data = [bytes(n % 253 for n in range(size)) for size in sizes]
    (buffer,) = layer.send_messages(1, b"command!", data)
    framed = [layer.framed(1, b"command!", len(one), scenes.source_of(one)) for one in data]
    assert b"".join([bytes(piece) for one in framed for piece in layer.send_framed(1, one)]) == buffer
    each = [bytes(piece) for one in data for piece in other.send_message(1, b"command!", len(one), scenes.source_of(one))]
    assert buffer == b"".join(each)


@pytest.mark.parametrize("max_pdu", [8, 50, 0])
def test_messages_that_are_held_are_as_they_would_be_otherwise(max_pdu: int) -> None:
    """Also where the peer takes so little at a time that there are more buffers than one."""
    layer, other = _established(max_pdu), _established(max_pdu)
    sent = b""
    for size in (0, 67, 16_384):
        data = bytes(n % 253 for n in range(size))
        layer.hold_message(1, b"command!", size, scenes.source_of(data))
        sent += b"".join([bytes(piece) for piece in other.send_message(1, b"command!", size, scenes.source_of(data))])
    assert b"".join(layer.data_to_send()) == sent


def _established(max_pdu: int, *, is_requestor: bool = True) -> UpperLayer:
    """An association with a peer that takes P-DATA-TF PDUs of that length."""
    user = raw_item(0x50, raw_item(0x51, max_pdu.to_bytes(4, "big")))
    if is_requestor:
        layer = bring(5, is_requestor=True)
        layer.receive(raw_associate(2, APPLICATION, scenes.raw_result(1, 0, IMPLICIT), user))
    else:
        layer = bring(2, is_requestor=False)
        layer.receive(raw_associate(1, APPLICATION, raw_context(1, VERIFICATION, IMPLICIT), user))
        layer.accept(scenes.as_acceptance(raw_associate(2, APPLICATION, scenes.raw_result(1, 0, IMPLICIT), LITTLE_USER)))
        layer.data_to_send()
    assert layer.max_pdu == max_pdu
    return layer


def _p_data(buffer: bytes) -> list[bytes]:
    """The PDUs in a buffer."""
    at, found = 0, []
    while at < len(buffer):
        size = 6 + int.from_bytes(buffer[at + 2 : at + 6], "big")
        assert buffer[at] == 4
        found.append(buffer[at : at + size])
        at += size
    return found


@pytest.mark.parametrize("state", [1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13])
def test_no_message_is_sent_where_there_is_no_data_transfer(state: int) -> None:
    for is_requestor in scenes.roles_in(state):
        layer = bring(state, is_requestor=is_requestor)
        assert not layer.established
        with pytest.raises(UsageError, match="Evt9"):
            layer.send_message(1, b"ab")
        with pytest.raises(UsageError, match="Evt9"):
            layer.send_messages(1, b"ab", [b"cd"])
        with pytest.raises(UsageError, match="Evt9"):
            layer.send_framed(1, [b"abcd"])
        assert layer.data_to_send() == []


def test_a_data_set_needs_its_length_and_a_way_to_read_it() -> None:
    layer = bring(6, is_requestor=True)
    for length, readv in ((4, None), (None, scenes.source_of(b"abcd"))):
        with pytest.raises(UsageError, match="both its length and a way to read it"):
            layer.send_message(1, b"ab", length, readv)
    assert layer.state == State.STA6


def test_no_message_is_sent_on_a_context_that_was_not_accepted() -> None:
    trace: list[TraceRecord] = []
    layer = bring(6, is_requestor=True, trace=trace.append)
    trace.clear()
    for context_id in (3, 5):
        with pytest.raises(UsageError, match=f"presentation context {context_id} was not accepted"):
            layer.send_message(context_id, b"ab")
        with pytest.raises(UsageError, match=f"presentation context {context_id} was not accepted"):
            layer.send_messages(context_id, b"ab", [b"cd"])
        with pytest.raises(UsageError, match=f"presentation context {context_id} was not accepted"):
            layer.send_framed(context_id, [b"abcd"])
    assert not trace
    assert layer.state == State.STA6


@pytest.mark.parametrize(
    "end", [UpperLayer.abort, UpperLayer.release, lambda layer: layer.receive(ABORT)], ids=["abort", "release", "peer"]
)
def test_association_ends_between_two_buffers(end: Callable[[UpperLayer], object]) -> None:
    layer = bring(6, is_requestor=True)
    buffers = layer.send_message(1, b"command", 1_000_000, scenes.source_of(bytes(1_000_000)))
    assert next(buffers)
    end(layer)
    with pytest.raises(UsageError, match="the association ended while a message was being sent"):
        next(buffers)


def test_release_request_between_two_buffers_does_not_stop_a_message() -> None:
    layer = bring(6, is_requestor=True)
    buffers = layer.send_message(1, b"command", 1_000_000, scenes.source_of(bytes(1_000_000)))
    first = bytes(next(buffers))
    layer.receive(RELEASE_RQ)
    assert len(first) + sum(map(len, buffers)) > 1_000_000


def test_data_that_end_early() -> None:
    layer = bring(6, is_requestor=True)
    buffers = layer.send_message(1, b"command", 100, scenes.source_of(bytes(99)))
    with pytest.raises(EOFError):
        list(buffers)


def test_what_there_is_to_send_is_given_once() -> None:
    layer = bring(4, is_requestor=True)
    layer.connected()
    assert layer.data_to_send() == [RQ]
    assert layer.data_to_send() == []


def test_before_there_is_an_association() -> None:
    layer = bring(3, is_requestor=False)
    with pytest.raises(UsageError, match="no association yet"):
        _ = layer.max_pdu
    assert layer.read_size == READ_SIZE_BEFORE
    scenes.accept(layer)
    assert layer.read_size == READ_SIZE


def test_what_cannot_be_encoded_leaves_the_state_as_it_was() -> None:
    layer = bring(3, is_requestor=False)
    with pytest.raises(ValueError, match="Called-AE-title"):
        layer.accept(pdu.AssociateAC("SEVENTEEN-LETTERS", "ME", scenes.ACCEPTANCE.items))
    assert layer.state == State.STA3
    assert layer.agreement is None
    scenes.accept(layer)
    assert sent(layer) == AC


def test_an_answer_that_does_not_fit_is_not_sent() -> None:
    layer = bring(3, is_requestor=False)
    with pytest.raises(pdu.PDUError, match="never proposed"):
        layer.accept(pdu.AssociateAC("PACS", "ME", (pdu.PresentationContextAC(9, 0, IMPLICIT),)))
    assert layer.state == State.STA3
    assert layer.data_to_send() == []


# Two layers back to back


@settings(deadline=None)
@given(
    st.sampled_from([8, 10, 1000, 0]),
    st.sampled_from([8, 9, 500, 131072]),
    st.integers(1, 5000),
    st.lists(st.tuples(st.booleans(), st.binary(max_size=80), st.none() | st.integers(0, 600)), max_size=5),
)
def test_two_layers_understand_each_other(theirs: int, ours: int, chunk: int, messages: list[tuple[bool, bytes, int | None]]) -> None:
    pair = Pair(propose("PACS", "ME", [VERIFICATION, Context(CT, scu=True, scp=True)], max_pdu=ours), chunk=chunk)
    pair.associate(lambda rq: answer(rq, anything, max_pdu=theirs))
    assert pair.requestor.agreement == pair.acceptor.agreement
    assert (pair.requestor.max_pdu, pair.acceptor.max_pdu) == (theirs, ours)
    for from_requestor, command, size in messages:
        data = None if size is None else bytes(n % 251 for n in range(size))
        expected: list[object] = [(3, True, True, command)]
        assert parts(pair.message(3, command, data, from_requestor)) == (expected if data is None else [*expected, (3, False, True, data)])
    pair.requestor.release()
    pair.shuttle()
    pair.acceptor.respond_release()
    pair.shuttle()
    assert pair.events == [ReleaseIndication(), ReleaseConfirmation()]
    assert pair.requestor.closed
    assert pair.acceptor.receive_eof() == []
    assert pair.acceptor.closed


def test_release_collision() -> None:
    pair = Pair(scenes.REQUEST)
    pair.associate(lambda rq: scenes.ACCEPTANCE)
    pair.requestor.release()
    pair.acceptor.release()
    pair.shuttle()
    assert pair.events == [ReleaseIndication(), ReleaseIndication()]
    assert (pair.requestor.state, pair.acceptor.state) == (State.STA9, State.STA10)
    pair.requestor.respond_release()
    pair.shuttle()
    assert pair.events[2:] == [ReleaseConfirmation()]
    assert (pair.requestor.state, pair.acceptor.state) == (State.STA11, State.STA12)
    pair.acceptor.respond_release()
    pair.shuttle()
    assert pair.events[3:] == [ReleaseConfirmation()]
    assert (pair.requestor.state, pair.acceptor.state) == (State.STA1, State.STA13)
    assert pair.requestor.closed
    pair.acceptor.receive_eof()
    assert pair.acceptor.closed


def test_rejection_ends_both_sides() -> None:
    pair = Pair(scenes.REQUEST)
    pair.acceptor.receive(RQ)
    pair.requestor.data_to_send()
    pair.acceptor.reject(scenes.REJECTION)
    pair.shuttle()
    assert pair.events == [AssociateRejection(scenes.REJECTION)]
    assert pair.requestor.closed
    assert pair.acceptor.receive_eof() == []
    assert pair.acceptor.closed


def test_data_may_come_while_the_release_is_asked_for() -> None:
    pair = Pair(scenes.REQUEST)
    pair.associate(lambda rq: scenes.ACCEPTANCE)
    pair.requestor.release()
    assert parts(pair.message(1, b"late", b"data", from_requestor=False)) == [(1, True, True, b"late"), (1, False, True, b"data")]
    pair.shuttle()
    assert parts(pair.message(1, b"later", None, from_requestor=False)) == [(1, True, True, b"later")]
    pair.acceptor.respond_release()
    pair.shuttle()
    assert pair.requestor.closed


@pytest.mark.parametrize("chunk", [AC, AC[:3], AC[:8], AC + DATA[:5], UNKNOWN])
def test_bytes_before_the_transport_are_refused_and_not_taken(chunk: bytes) -> None:
    layer = bring(4, is_requestor=True)
    with pytest.raises(UsageError, match=r"Sta4 .*PS3\.8 Table 9-10"):
        layer.receive(chunk)
    layer.connected()
    assert [type(event) for event in layer.receive(AC)] == [AssociateConfirmation]
