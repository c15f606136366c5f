"""However a stream is cut into chunks, `pdu.Reader` tells the same PDUs, data and fault, raises only PDUError, and keeps no data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pdu
from fuzz import seeds
from fuzz.choices import Choices
from fuzz.target import Features, Target, require

MAX_PDU, MAX_ASSOCIATE = 4096, 2048
"""Limits that inputs can reach."""
SHORT = 400
"""Streams that are read byte by byte too; that takes 2 microseconds a byte."""
PDV_HEADER, PDU_HEADER = 6, 6

Part = pdu.PDU | tuple[int, bool, bool, bytes]
"""A PDU, or the data of one PDV or more up to one that is last: context, command?, last?, data."""


@dataclass(frozen=True)
class Told:
    """What came out of a stream, in a form that does not depend on the chunks."""

    parts: list[Part]
    fault: tuple[str, int, int] | None
    mid_pdu: bool


def check(data: bytes) -> Features:
    """The first byte is the size of the chunks that the stream comes in the second time."""
    choices = Choices(data)
    size, stream = 2 + choices.number(), choices.rest()
    whole = read([stream])
    assert whole == read(_cut(stream, size)), f"chunks of {size} bytes tell something else"
    if len(stream) <= SHORT:
        assert whole == read(_cut(stream, 1)), "single bytes tell something else"
    yield whole.fault and whole.fault[2]
    yield from (type(part).__name__ for part in whole.parts)
    yield len(whole.parts).bit_length()


def read(chunks: Iterable[bytes]) -> Told:
    """What a `Reader` tells of these chunks."""
    reader = pdu.Reader(MAX_PDU, MAX_ASSOCIATE)
    parts: list[Part] = []
    fault = None
    try:
        for chunk in chunks:
            for told in reader.feed(chunk):
                _add(parts, told)
            _check_frugal(reader)
    except pdu.PDUError as error:
        require(error.offset >= 0, "an offset in front of the PDU")
        _check_dead(reader, error)
        fault = error.what, error.offset, int(error.reason)
    return Told(parts, fault, reader.mid_pdu and fault is None)


def _add(parts: list[Part], told: pdu.PDU | pdu.Fragment) -> None:
    if not isinstance(told, pdu.Fragment):
        parts.append(told)
        return
    last = parts[-1] if parts else None
    if isinstance(last, tuple) and last[:3] == (told.context_id, told.is_command, False):
        parts[-1] = (*told[:3], last[3] + told.data)
    else:
        parts.append((*told[:3], bytes(told.data)))


def _check_frugal(reader: pdu.Reader) -> None:
    """What is kept between chunks is a header, or an association PDU as far as it came."""
    assert len(reader._header) < max(PDU_HEADER, PDV_HEADER)
    assert len(reader._body) < PDU_HEADER + MAX_ASSOCIATE


def _check_dead(reader: pdu.Reader, error: pdu.PDUError) -> None:
    """It raises the same error for whatever comes then."""
    try:
        for _ in reader.feed(b"\5\0\0\0\0\4\0\0\0\0"):
            raise AssertionError("something came out behind a fault")
    except pdu.PDUError as again:
        require(str(again) == str(error), "the fault is another one now")
    else:
        raise AssertionError("the fault was forgotten")


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _seeds() -> Iterator[bytes]:
    pdus = seeds.pdus()
    yield from (b"\x05" + data for data in pdus)
    yield from (b"\x40" + b"".join(pdus[at : at + 3]) for at in range(0, len(pdus), 3))
    yield from seeds.findings("reader")


TARGET = Target(check, _seeds, ("pdu.reader", "pdu.pdus", "pdu.items", "pdu.fields", "pdu.errors"))
