"""`Reader`: any chunking gives the same, faults come behind everything before them, and what it may cost."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdu import (
    PDU,
    PDV,
    Abort,
    AbortReason,
    AssociateRQ,
    Fragment,
    PDataTF,
    PDUError,
    Reader,
    ReleaseRQ,
    decode,
    encode,
)
from tests.pdu import strategies
from tests.pdu.reading import as_read, byte_by_byte, joined, read, read_or_fault
from tests.vectors import MALFORMED, ODD, VECTORS, Malformed, Vector, raw_associate, raw_pdu, raw_pdv

RELEASE = encode(ReleaseRQ())
DATA = raw_pdu(4, raw_pdv(1, 0, bytes(range(100))))


@pytest.mark.parametrize("vector", VECTORS + ODD, ids=lambda vector: vector.name)
def test_vector_is_read_whole_byte_by_byte_and_with_bytes_behind_it(vector: Vector) -> None:
    value, behind = as_read([vector.value]), as_read([vector.value, ReleaseRQ()])
    assert joined(read([vector.data])) == value
    assert joined(read(byte_by_byte(vector.data))) == value
    assert joined(read([vector.data + RELEASE])) == behind
    assert joined(read(byte_by_byte(vector.data + RELEASE))) == behind
    assert joined(read([vector.data[:7], vector.data[7:] + RELEASE + b"\7"])) == behind


@pytest.mark.parametrize("vector", MALFORMED, ids=lambda vector: vector.name)
def test_malformed_is_refused_as_decode_does(vector: Malformed) -> None:
    for chunks in ([DATA + vector.data], [DATA, *byte_by_byte(vector.data)]):
        events, fault = read_or_fault(chunks)
        assert joined(events)[0] == (1, False, False, bytes(range(100)))
        assert fault is not None
        assert (fault.reason, fault.offset) == (vector.reason, vector.offset)


@given(st.lists(strategies.pdus, max_size=4), st.data())
def test_any_chunking_gives_what_was_sent(pdus: list[PDU], data: st.DataObject) -> None:
    chunks = data.draw(strategies.chunked(b"".join(map(encode, pdus))))
    reader = Reader()
    assert joined(read(chunks, reader)) == as_read(pdus)
    assert not reader.mid_pdu


@given(st.lists(strategies.data_pdus, max_size=4), st.data())
def test_fragments_of_any_chunking_are_the_pdvs(pdus: list[PDataTF], data: st.DataObject) -> None:
    """Without joining across PDVs: at least one fragment a PDV, and the last flag only where a PDV ends."""
    chunks = data.draw(strategies.chunked(b"".join(map(encode, pdus))))
    fragments = iter(read(chunks))
    for pdv in (pdv for pdu in pdus for pdv in pdu.pdvs):
        assert _next_pdv(fragments, len(pdv.data)) == pdv
    assert next(fragments, None) is None


@given(st.data())
def test_mutated_bytes_give_the_same_in_any_chunking(data: st.DataObject) -> None:
    """And nothing but a PDUError."""
    stream = data.draw(strategies.mutated(b"".join(map(encode, data.draw(st.lists(strategies.pdus, min_size=1, max_size=3))))))
    whole, fault = read_or_fault([stream])
    cut, cut_fault = read_or_fault(data.draw(strategies.chunked(stream)))
    assert joined(whole) == joined(cut)
    assert str(fault) == str(cut_fault)


@given(st.data())
def test_reader_and_decode_agree_on_a_pdu(data: st.DataObject) -> None:
    """On its value, or on the fault, words included."""
    whole = encode(data.draw(strategies.pdus))
    pdu = raw_pdu(whole[0], data.draw(strategies.mutated(whole))[6:])
    events, fault = read_or_fault(data.draw(strategies.chunked(pdu)))
    if fault is None:
        assert joined(events) == as_read([decode(pdu)])
    else:
        with pytest.raises(PDUError) as caught:
            decode(pdu)
        assert str(caught.value) == str(fault)


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_bytes_are_read_or_refused(chunks: list[bytes]) -> None:
    read_or_fault(chunks)


@given(st.integers(1, 700), st.integers(1, 40))
def test_fragments_are_views_of_the_chunk(size: int, step: int) -> None:
    data = raw_pdu(4, raw_pdv(1, 2, bytes(index % 251 for index in range(size))))
    chunks = [data[at : at + step] for at in range(0, len(data), step)]
    reader = Reader()
    for chunk in chunks:
        for event in reader.feed(chunk):
            assert isinstance(event, Fragment)
            assert event.data.obj is chunk


def test_a_partial_fragment_comes_out_at_once() -> None:
    reader = Reader()
    assert list(reader.feed(DATA[:12])) == []
    assert [bytes(f.data) for f in reader.feed(DATA[12:15]) if isinstance(f, Fragment)] == [b"\0\1\2"]
    assert [bytes(f.data) for f in reader.feed(DATA[15:16]) if isinstance(f, Fragment)] == [b"\3"]


def test_mid_pdu_tells_whether_the_stream_may_end_here() -> None:
    reader, seen = Reader(), []
    for chunk in byte_by_byte(RELEASE + raw_pdu(4, raw_pdv(1, 3, b"ab"), raw_pdv(1, 2, b""))):
        list(reader.feed(chunk))
        seen.append(reader.mid_pdu)
    assert seen == [True] * 9 + [False] + [True] * 19 + [False]


def test_begun_tells_the_unfinished_pdus_apart() -> None:
    reader, seen = Reader(), []
    for chunk in (*byte_by_byte(RELEASE + RELEASE), DATA + DATA[:50], DATA[50:] + RELEASE):
        list(reader.feed(chunk))
        seen.append(reader.begun if reader.mid_pdu else None)
    assert seen == [1] * 9 + [None] + [2] * 9 + [None, 3, None]


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        (raw_pdu(4, length=131_073), "PS3.8 9.3.5"),
        (raw_pdu(4, length=0xFFFFFFFF), "PS3.8 9.3.5"),
        (raw_pdu(1, length=262_145), "PS3.8 9.3.2"),
        (raw_pdu(2, length=262_145), "PS3.8 9.3.3"),
    ],
)
def test_what_is_too_long_is_refused_from_its_header(data: bytes, clause: str) -> None:
    for chunks in ([data], byte_by_byte(data), [data + bytes(100)]):
        events, fault = read_or_fault(chunks)
        assert not events
        assert fault is not None
        assert (fault.reason, fault.offset, fault.clause) == (AbortReason.INVALID_PARAMETER_VALUE, 2, clause)


def test_an_unknown_type_is_refused_from_its_first_byte() -> None:
    with pytest.raises(PDUError, match="47H is no PDU type"):
        list(Reader().feed(b"G"))


def test_limits_are_inclusive_and_0_is_none() -> None:
    associate, data = raw_associate(1), raw_pdu(4, raw_pdv(1, 0, bytes(94)))
    assert len(read([associate + data], Reader(100, 68))) == 2
    assert read_or_fault([data], Reader(99))[1] is not None
    assert read_or_fault([associate + raw_associate(1, b"\x7f\0\0\0")], Reader(max_associate=68))[1] is not None
    assert len(read([associate + data], Reader(0, 0))) == 2


def test_limits_may_be_changed_between_pdus_also_inside_a_chunk() -> None:
    reader = Reader(max_pdu=100)
    events = reader.feed(raw_associate(1) + raw_pdu(4, raw_pdv(1, 0, bytes(95))) + raw_pdu(4, raw_pdv(1, 0, bytes(96))))
    assert isinstance(next(events), AssociateRQ)
    reader.max_pdu = 101
    assert isinstance(next(events), Fragment)
    with pytest.raises(PDUError, match="the limit here is 101"):
        next(events)


def test_a_reader_that_failed_says_so_again() -> None:
    reader = Reader()
    events, fault = read_or_fault([RELEASE + b"\xff\0"], reader)
    assert events == [ReleaseRQ()]
    for chunk in (b"", RELEASE):
        with pytest.raises(PDUError) as caught:
            list(reader.feed(chunk))
        assert str(caught.value) == str(fault)


@pytest.mark.parametrize(
    ("header", "most"),
    [(raw_pdu(1, length=0xFFFFFFFF), 700_000), (raw_pdu(4, raw_pdv(1, 0, b"", length=0xFFFFFFFB), length=0xFFFFFFFF), 10_000)],
    ids=["request", "data"],
)
def test_what_is_announced_is_not_allocated(header: bytes, most: int) -> None:
    """Headers of FFFFFFFFH bytes with the limits off, and 256 KiB of what they announce."""
    reader, chunk = Reader(0, 0), bytes(65536)
    assert _peak(lambda: read([header, chunk, chunk, chunk, chunk], reader)) < most
    assert reader.mid_pdu


def test_data_is_not_kept() -> None:
    """A P-DATA-TF of 64 MiB costs no memory, though the chunks cut every one of its PDVs."""
    pdv, reader = raw_pdv(1, 0, bytes(65530)), Reader(0)
    list(reader.feed(raw_pdu(4, length=1024 * len(pdv)) + pdv[:100]))
    assert _peak(lambda: [sum(1 for _ in reader.feed(pdv[100:] + pdv[:100])) for _ in range(1000)]) < 3 * len(pdv)


@pytest.mark.parametrize("pdu_length", [16384, 16378, 16390])
@pytest.mark.parametrize("chunk_size", [131072, 262144])
def test_hot_path_takes_few_calls(pdu_length: int, chunk_size: int) -> None:
    """With borders of chunks inside PDUs, and in the second case each of them inside a header."""
    one = raw_pdu(4, raw_pdv(1, 0, bytes(pdu_length - 6)))
    stream = one * (8 * chunk_size // len(one) + 1)
    chunks = [stream[:10], *(stream[at : at + chunk_size] for at in range(10, len(stream), chunk_size))]
    reader = Reader()
    calls = _calls(lambda: [sum(1 for _ in reader.feed(chunk)) for chunk in chunks])
    count = len(stream) // len(one)
    assert calls["call"] <= 3 * count
    assert calls["call"] + calls["c_call"] <= 8 * count


def test_one_whole_pdv_costs_three_calls() -> None:
    """One that resumes the generator, and two of C."""
    reader = Reader()
    calls = _calls(lambda: list(reader.feed(DATA * 100)))
    assert calls["call"] <= 110
    assert calls["c_call"] <= 210


def test_several_pdvs_in_one_pdu_are_still_cheap() -> None:
    reader, data = Reader(), raw_pdu(4, *[raw_pdv(1, 0, bytes(50))] * 100)
    calls = _calls(lambda: list(reader.feed(data)))
    assert calls["call"] <= 8 * 100


def test_a_pdv_of_one_chunk_and_a_release_behind_the_acceptance() -> None:
    """Bytes behind the A-ASSOCIATE-AC in the same read belong to the association."""
    data = b"".join(map(encode, (decode(raw_associate(2)), PDataTF((PDV(1, True, True, b"ab"),)), ReleaseRQ(), Abort(0, 0))))
    assert [type(event).__name__ for event in read([data])] == ["AssociateAC", "Fragment", "ReleaseRQ", "Abort"]


def _next_pdv(fragments: Iterator[PDU | Fragment], size: int) -> PDV:
    """Collect fragments up to a PDV of that size."""
    data, flags = b"", []
    while True:
        fragment = next(fragments)
        assert isinstance(fragment, Fragment)
        data += bytes(fragment.data)
        flags.append(fragment.is_last)
        if len(data) == size:
            assert not any(flags[:-1])
            return PDV(fragment.context_id, fragment.is_command, fragment.is_last, data)


def _peak(work: Callable[[], object]) -> int:
    """The most bytes that were allocated at any time of the work."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _calls(work: Callable[[], object]) -> dict[str, int]:
    """How often Python and C functions were called, inside `pdu` (resuming a generator is a call)."""
    counts = {"call": 0, "c_call": 0}

    def count(frame: FrameType, event: str, _: object) -> None:
        if event in counts and frame.f_globals["__name__"].startswith("pdu."):
            counts[event] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counts
