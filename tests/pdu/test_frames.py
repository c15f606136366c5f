"""`frames` and `stream`: what they make is read back as it was, and how they treat their source and memory."""

from __future__ import annotations

import os
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdu import DEFAULT_SEND_PDU, PDV, Fragment, FrameBuffer, PDataTF, Reader, ReleaseRQ, decode, encode, frames, pdv_capacity, stream
from pdu.frames import BUFFER_SIZE, MAX_HOLES
from tests.pdu.reading import joined, read

max_pdus = st.one_of(st.just(0), st.integers(8, 300), st.integers(8, 0xFFFFFFFF))


class Source:
    """A data set in memory as a source of `stream`, which never fills more than `most` bytes at a time."""

    def __init__(self, data: bytes, most: int = 1 << 40) -> None:
        self.left = data
        self.most = most
        self.holes: list[int] = []

    def readv(self, holes: list[memoryview]) -> int:
        self.holes.append(len(holes))
        done = 0
        for hole in holes:
            size = min(len(hole), len(self.left), self.most - done)
            hole[:size] = self.left[:size]
            self.left = self.left[size:]
            done += size
        return done


def collect(buffers: Iterable[memoryview]) -> bytes:
    """All that was sent; b"".join() would ask for the next buffer before it has copied the one before."""
    return b"".join(map(bytes, buffers))


def content(size: int) -> bytes:
    """Bytes whose order shows."""
    return bytes((index * 7 + (index >> 8)) & 0xFF for index in range(size))


@pytest.mark.parametrize(
    ("max_pdu", "capacity"),
    [(8, 2), (9, 2), (10, 4), (16384, 16378), (16385, 16378), (131072, 131066), (131073, 131066), (0xFFFFFFFF, 131066), (0, 131066)],
)
def test_capacity_is_even_and_bounded(max_pdu: int, capacity: int) -> None:
    assert pdv_capacity(max_pdu) == capacity


@pytest.mark.parametrize("max_pdu", [-1, 1, 6, 7])
def test_a_length_without_room_is_refused(max_pdu: int) -> None:
    for call in (lambda: pdv_capacity(max_pdu), lambda: frames(1, True, b"", max_pdu), lambda: stream(1, max_pdu, 9, len)):
        with pytest.raises(ValueError, match="no room"):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: frames(256, True, b"", 0),
        lambda: frames(-1, True, b"abc", 8),
        lambda: next(stream(256, 0, 0, len)),
        lambda: stream(1, 0, -1, len),
    ],
)
def test_other_mistakes_of_our_caller(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    assert type(caught.value) is ValueError


@given(st.integers(0, 255), st.booleans(), st.binary(max_size=400), max_pdus)
def test_frames_are_read_back(context_id: int, is_command: bool, data: bytes, max_pdu: int) -> None:
    framed = frames(context_id, is_command, data, max_pdu)
    assert frames(context_id, is_command, memoryview(data), max_pdu) == framed
    assert joined(read([framed], Reader(max_pdu))) == [(context_id, is_command, True, data)]


def test_frames_are_the_pdus_of_the_standard() -> None:
    expected = [PDV(5, True, False, b"abcd"), PDV(5, True, False, b"efgh"), PDV(5, True, True, b"ij")]
    assert frames(5, True, b"abcdefghij", 10) == b"".join(encode(PDataTF((pdv,))) for pdv in expected)
    assert decode(frames(5, False, b"", 10)) == PDataTF((PDV(5, False, True, b""),))


@given(st.integers(0, 900), max_pdus, st.integers(1, 1000), st.sampled_from([b"", encode(ReleaseRQ())]), st.integers(0, 255))
def test_stream_is_what_frames_would_be(length: int, max_pdu: int, most: int, head: bytes, context_id: int) -> None:
    """For any length and maximum, and however little the source gives at a time."""
    data, source = content(length), Source(content(length), most)
    sent = collect(stream(context_id, max_pdu, length, source.readv, head))
    assert sent == head + frames(context_id, False, data, max_pdu)
    assert source.left == b""


@pytest.mark.parametrize("max_pdu", [0, 16384, 65536, 131072, 4095])
@pytest.mark.parametrize("extra", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("slots", [1, 2, 15, 16, 17, 40])
def test_stream_around_whole_pdus_and_buffers(max_pdu: int, extra: int, slots: int) -> None:
    length = min(slots * pdv_capacity(max_pdu), 1_000_000) + extra
    data = content(1000) * (length // 1000 + 1)
    buffers = [bytes(buffer) for buffer in stream(3, max_pdu, length, Source(data, 100_003).readv, b"HEAD")]
    assert b"".join(buffers) == b"HEAD" + frames(3, False, data[:length], max_pdu)
    assert all(len(buffer) <= BUFFER_SIZE + 4 for buffer in buffers)
    for buffer in buffers:
        reader = Reader(0)
        assert all(isinstance(event, Fragment) for event in reader.feed(buffer.removeprefix(b"HEAD")))
        assert not reader.mid_pdu


def test_tiny_maximum_keeps_the_number_of_holes_small() -> None:
    """A-13: two bytes of data a PDU."""
    source = Source(content(10_001))
    sent = collect(stream(1, 8, 10_001, source.readv))
    assert joined(read([sent], Reader(8))) == [(1, False, True, content(10_001))]
    assert max(source.holes) == MAX_HOLES


def test_a_file_is_read_with_readv() -> None:
    data = content(1000) * 700
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        sent = collect(stream(1, 16384, len(data), lambda holes: os.readv(file.fileno(), holes)))
    assert sent == frames(1, False, data, 16384)


@pytest.mark.parametrize("have", [0, 1, 16378, 300_000, 499_999])
def test_a_source_that_ends_early_is_an_error(have: int) -> None:
    sent, source = bytearray(), Source(content(1000) * (have // 1000) + bytes(have % 1000))
    buffers = stream(1, 16384, 500_000, source.readv)
    with pytest.raises(EOFError, match="before the length"):
        sent.extend(piece for buffer in buffers for piece in buffer)
    assert not any(event.is_last for event in read([bytes(sent)], Reader(0)) if isinstance(event, Fragment))


def test_no_data_ask_nothing_of_the_source() -> None:
    source = Source(b"")
    (only,) = stream(1, 16384, 0, source.readv, b"HEAD")
    assert bytes(only) == b"HEAD" + frames(1, False, b"", 16384)
    assert source.holes == []


def test_a_source_is_read_in_one_call_a_buffer_and_only_when_asked() -> None:
    source = Source(bytes(1_000_000))
    buffers = stream(1, 16384, 1_000_000, source.readv)
    assert source.holes == []
    next(buffers)
    assert source.holes == [16]
    assert len(list(buffers)) + 1 == len(source.holes)


def test_buffers_are_the_same_memory() -> None:
    buffers = stream(1, 0, 1_000_000, Source(bytes(1_000_000)).readv, b"HEAD")
    assert len({id(buffer.obj) for buffer in buffers}) == 1


@pytest.mark.parametrize(
    ("max_pdu", "length", "most"),
    [(0, 0, 3_000), (0, 100, 3_000), (0, 50_000, 55_000), (0xFFFFFFFF, 1 << 40, 300_000), (8, 1 << 40, 250 * MAX_HOLES)],
)
def test_memory_is_no_more_than_the_message_needs(max_pdu: int, length: int, most: int) -> None:
    """A-14 among them: no buffer of 4 GiB."""
    tracemalloc.start()
    try:
        FrameBuffer(1, pdv_capacity(max_pdu), length)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def test_default_is_what_is_sent_without_a_limit() -> None:
    assert pdv_capacity(0) + 6 == DEFAULT_SEND_PDU
