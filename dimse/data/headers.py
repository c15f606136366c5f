"""The headers of data elements and items: where a value begins and ends, and how far a sequence reaches (PS3.5 7.1, 7.5).

Nesting is followed by a loop with a stack and a limit. `dimse.data.elements` is made of this.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from mmap import mmap
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from dimse.data.uids import ExplicitVRBigEndian, ImplicitVRLittleEndian
from dimse.errors import DataError, OddData
from pdu.values import dataclass

Buffer = bytes | bytearray | memoryview | mmap
"""What an encoded data set may lie in."""

MAX_DEPTH = 64
"""Sequences of undefined length inside each other. Real ones nest about ten deep (structured reports)."""
MAX_NESTED = 1_000_000
"""Elements and items in sequences that `scan` and `pick` pass, within half a second: some times what a large multi-frame image has."""

UNDEFINED_LENGTH = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
ITEM = 0xFFFEE000
ITEM_DELIMITATION = 0xFFFEE00D
SEQUENCE_DELIMITATION = 0xFFFEE0DD


@dataclass(frozen=True, slots=True)
class Layout:
    """How element headers are written in a transfer syntax (PS3.5 7.1.2, 7.1.3)."""

    explicit: bool
    plain: Struct  # group, element, 32 bit length: implicit VR, and items and delimiters in every syntax
    short: Struct  # group, element, VR, 16 bit length
    long: Struct  # the 32 bit length behind two reserved bytes


class Head(NamedTuple):
    """The header of an element or item."""

    tag: int
    vr: str
    length: int
    start: int  # of the value


def layout_of(transfer_syntax: str) -> Layout:
    """The layout of a transfer syntax; of a deflated one, when it is inflated."""
    if transfer_syntax == ImplicitVRLittleEndian:
        return _IMPLICIT
    return _BIG if transfer_syntax == ExplicitVRBigEndian else LITTLE


def head_at(data: Buffer, at: int, layout: Layout) -> Head:
    """The header at this offset."""
    try:
        group, element, length = layout.plain.unpack_from(data, at)
        tag = group << 16 | element
        if not layout.explicit or group == ITEM_GROUP:
            return Head(tag, "", length, at + 8)
        _, _, vr, length = layout.short.unpack_from(data, at)
        if vr in SHORT:
            return Head(tag, vr.decode("ascii"), length, at + 8)
        if not _is_vr(vr):
            raise OddData(f"{words_of(tag)} has no VR but {vr!r}", at, "PS3.5 7.1.2", "the transfer syntax may be another than was said")
        (length,) = layout.long.unpack_from(data, at + 8)
    except struct_error:
        raise cut_off(data, at) from None
    return Head(tag, vr.decode("ascii"), length, at + 12)


def extent(data: Buffer, at: int, head: Head, layout: Layout, steps: Iterator[object]) -> tuple[int, int]:
    """Where the value of the element or item at this offset ends, and where the next one begins.

    `steps` are the headers that may still be passed on the way, in this one and all others that it is given to.
    """
    if head.length != UNDEFINED_LENGTH:
        stop = head.start + head.length
        if stop > len(data):
            raise too_long(data, at, head)
        return stop, stop
    if head.tag == ITEM:
        return _skip(data, head.start, layout, ITEM_DELIMITATION, steps)
    return _skip(data, head.start, _inside(at, head, layout), SEQUENCE_DELIMITATION, steps)


def _skip(data: Buffer, at: int, layout: Layout, closing: int, steps: Iterator[object]) -> tuple[int, int]:
    """Where the content of undefined length that begins here ends, and where what follows its delimiter begins.

    `closing` is the delimiter: of a sequence, which holds items, or of an item, which holds elements.
    """
    size = len(data)
    # What surrounds the innermost one that is open.
    around: list[tuple[Layout, int]] = []
    for _ in steps:
        if closing == SEQUENCE_DELIMITATION:
            at = _pass_items(data, at, layout, steps)
        head = head_at(data, at, layout)
        if head.tag == closing:
            if head.length:
                raise OddData(f"the delimiter {words_of(head.tag)} has the length {head.length}, not 0", at, "PS3.5 7.5.2")
            if not around:
                return at, head.start
            layout, closing = around.pop()
            at = head.start
            continue
        in_sequence = closing == SEQUENCE_DELIMITATION
        if in_sequence != (head.tag == ITEM) or head.tag in _DELIMITERS:
            raise _out_of_place(at, head, in_sequence)
        if head.length != UNDEFINED_LENGTH:
            if head.start + head.length > size:
                raise too_long(data, at, head)
            at = head.start + head.length
            continue
        if len(around) >= 2 * MAX_DEPTH:
            raise DataError(f"more than {MAX_DEPTH} sequences inside each other", at, "PS3.5 7.5", "this is the limit of this reader")
        around.append((layout, closing))
        if in_sequence:
            closing = ITEM_DELIMITATION
        else:
            layout, closing = _inside(at, head, layout), SEQUENCE_DELIMITATION
        at = head.start
    raise OddData(f"more than {MAX_NESTED} elements and items in sequences", at, "PS3.5 7.5", "this is the limit of this reader")


def _pass_items(data: Buffer, at: int, layout: Layout, steps: Iterator[object]) -> int:
    """Where something stands in a sequence that is no item of defined length. A quick way: there may be thousands of fragments."""
    unpack, size = layout.plain.unpack_from, len(data) - 8
    for _ in steps:
        if at > size:
            break
        group, element, length = unpack(data, at)
        if group != ITEM_GROUP or element != 0xE000 or length > size - at:  # so is an undefined one
            break
        at += 8 + length
    return at


def _inside(at: int, head: Head, layout: Layout) -> Layout:
    """The layout of the items of an element of undefined length."""
    if layout.explicit and head.vr not in _MAY_BE_UNDEFINED:
        raise OddData(f"{words_of(head.tag)} of VR {head.vr} has an undefined length", at, "PS3.5 7.1.2")
    return _IMPLICIT if head.vr == "UN" else layout


def cut_off(data: Buffer, at: int) -> DataError:
    """What is left is too little for a header."""
    return DataError(f"an element header is cut off: {len(data) - at} bytes are left", at, "PS3.5 7.1")


def leftover(data: Buffer, at: int, end: int) -> DataError:
    """What too few bytes for a header are: zeros, which no element begins with, are padding that should not be there."""
    if end == len(data) and not any(data[at:]):
        return OddData(f"{end - at} bytes of padding follow the last element", at, "PS3.5 7.1")
    return cut_off(data, at)


def too_long(data: Buffer, at: int, head: Head) -> DataError:
    """The value would reach beyond the end of the data."""
    left = len(data) - head.start
    return DataError(f"{words_of(head.tag)} announces {head.length} bytes and {left} are left", at, "PS3.5 7.1.1")


def stray(tag: int, at: int) -> DataError:
    """An item or a delimiter where an element must begin."""
    return OddData(f"{words_of(tag)} stands outside of a sequence", at, "PS3.5 7.5")


def _out_of_place(at: int, head: Head, in_sequence: bool) -> DataError:
    place = "in a sequence, where an item must begin" if in_sequence else "in an item, where an element must begin"
    return OddData(f"{words_of(head.tag)} stands {place}", at, "PS3.5 7.5")


def words_of(tag: int) -> str:
    """A tag as it is written."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _is_vr(vr: bytes) -> bool:
    """Whether this may be a VR, known or still to come: the new ones are two capital letters with a 32 bit length (PS3.5 6.2)."""
    return vr.isalpha() and vr.isupper()


ENDLESS = repeat(None)
"""Steps without a limit, for whoever walks on demand."""
ITEM_GROUP = 0xFFFE
_DELIMITERS = (ITEM_DELIMITATION, SEQUENCE_DELIMITATION)

# PS3.5 Table 7.1-2: the VRs with a 16 bit length. All others, known or not, have a 32 bit one.
SHORT_NAMES = frozenset(
    ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US")
)
SHORT = frozenset(vr.encode("ascii") for vr in SHORT_NAMES)
_MAY_BE_UNDEFINED = frozenset(("SQ", "UN", "OB", "OW"))
PADDED_WITH_NUL = frozenset(("UI", "OB", "UN"))

_IMPLICIT = Layout(False, Struct("<HHL"), Struct("<HH2sH"), Struct("<L"))
LITTLE = Layout(True, Struct("<HHL"), Struct("<HH2sH"), Struct("<L"))
_BIG = Layout(True, Struct(">HHL"), Struct(">HH2sH"), Struct(">L"))
