"""Data elements as they lie in an encoded data set (PS3.5 section 7): walked lazily, picked by tag, encoded one at a time.

Nothing here knows what a tag means; values are bytes. Nesting is followed by a loop with a stack and a limit, so no data
set, whatever it announces, costs more than time in proportion to its length. Everything wrong is a `DataError`.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from mmap import mmap
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from dimse.data.uids import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from dimse.errors import DataError

Buffer = bytes | bytearray | memoryview | mmap
"""What an encoded data set may lie in."""

MAX_DEPTH = 64
"""Sequences of undefined length inside each other. Real ones nest about ten deep (structured reports)."""
MAX_INFLATED = 268_435_456
"""Bytes that a deflated data set may become unless the caller says otherwise."""
MAX_INFLATED_HEAD = 16_777_216
"""Bytes of a deflated data set that `pick` holds: what stands before Pixel Data is a few KiB, a large report a few MiB."""
MAX_RATIO = 1000
"""Times that a deflated data set may grow. Deflate reaches 1032 on nothing but one repeated byte; real images stay below 100."""
RATIO_SLACK = 65_536
"""Bytes that may come out before the ratio is looked at: short streams of few elements reach any ratio."""
MAX_TRAILER = 9
"""Bytes behind the end of a deflate stream: one that makes the length even, and gzip's eight, which some writers leave there."""

UNDEFINED_LENGTH = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
ITEM = 0xFFFEE000
ITEM_DELIMITATION = 0xFFFEE00D
SEQUENCE_DELIMITATION = 0xFFFEE0DD


class Element(NamedTuple):
    """One data element.

    tag        0xggggeeee
    vr         two letters; "" in Implicit VR, which does not tell it
    value      a view of the value field; for an undefined length, of all items without the closing delimiter
    offset     of the tag, in bytes from the start of the buffer (of the inflated data set, if it is deflated)
    undefined  whether the length is undefined: the value is items, or fragments of encapsulated Pixel Data
    """

    tag: int
    vr: str
    value: memoryview
    offset: int
    undefined: bool


def elements(data: Buffer, transfer_syntax: str = ExplicitVRLittleEndian, *, start: int = 0) -> Iterator[Element]:
    """The elements of a data set one after the other, those in sequences left inside their value.

    The values are views of `data`, so a `mmap` cannot be closed while one is held. A deflated data set is inflated first,
    up to `MAX_INFLATED` bytes. Raises `DataError` at the first element that is not one (PS3.5 7.1, 7.5).
    """
    if UID(transfer_syntax).is_deflated:
        data, start = inflate(memoryview(data)[start:]), 0
    layout = _layout(transfer_syntax)
    view = memoryview(data)
    at, end = start, len(view)
    while at < end:
        head = _head(view, at, layout)
        if head.tag >> 16 == _ITEM_GROUP:
            raise _stray(head.tag, at)
        stop, after = _extent(view, at, head, layout)
        yield Element(head.tag, head.vr, view[head.start : stop], at, head.length == UNDEFINED_LENGTH)
        at = after


def items(element: Element, transfer_syntax: str = ExplicitVRLittleEndian) -> Iterator[memoryview]:
    """The items of a sequence, or the fragments of encapsulated Pixel Data, without their headers and delimiters (PS3.5 7.5, A.4).

    `transfer_syntax` is that of the data set around it; walk an item with `elements(item, syntax_inside(...))`.
    Raises `DataError`, whose offset counts from the start of the element's value.
    """
    layout = _layout(syntax_inside(element, transfer_syntax))
    view = element.value
    at, end = 0, len(view)
    while at < end:
        head = _head(view, at, layout)
        if head.tag != ITEM:
            raise DataError(f"{_words(head.tag)} stands where an item must begin", at, "PS3.5 7.5.1")
        stop, after = _extent(view, at, head, layout)
        yield view[head.start : stop]
        at = after


def syntax_inside(element: Element, transfer_syntax: str) -> str:
    """The transfer syntax that the items of this element are encoded in.

    A sequence whose VR was not known to somebody on the way is UN, and inside it is Implicit VR Little Endian, also in a
    big endian data set (PS3.5 6.2.2 Note 4). A deflated data set is Explicit VR Little Endian once it is inflated.
    """
    if element.vr == "UN":
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if UID(transfer_syntax).is_deflated else transfer_syntax


def pick(
    data: Buffer,
    transfer_syntax: str,
    tags: Collection[int],
    *,
    start: int = 0,
    whole: bool = False,
    limit: int = MAX_INFLATED,
) -> dict[int, bytes]:
    """The values of these tags of the top level, without those that are absent; the first one where a tag stands twice.

    Reading ends behind the highest of the tags, or with `whole` at the end of the data set: then one that is cut off is a
    `DataError`, wherever it is cut. Values are copies, with their padding.

    A deflated data set is inflated as far as the highest tag (`MAX_INFLATED_HEAD`); with `whole` the rest of the stream is
    inflated and forgotten, piece by piece, up to `limit` bytes.
    """
    last = max(tags, default=-1)
    if UID(transfer_syntax).is_deflated:
        return _pick_deflated(_inflating(memoryview(data)[start:], limit), frozenset(tags), last, whole)
    return _pick(data, start, _layout(transfer_syntax), frozenset(tags), _NO_TAG if whole else last)[0]


def inflate(data: Buffer, limit: int = MAX_INFLATED) -> bytes:
    """What a deflated data set is when inflated (PS3.5 A.5).

    Raises `DataError` for a stream that is none or does not end, for more than `limit` bytes, and for a growth beyond
    `MAX_RATIO`; then no more than that has been held.
    """
    return b"".join(_inflating(memoryview(data), limit))


def encode_element(tag: int, vr: str, value: bytes, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """One element of defined length, its value padded to an even length (PS3.5 7.1, 6.2).

    Numbers in `value` must have the byte order of the transfer syntax already. For a deflated one this is what is to be deflated.
    Raises `ValueError` for a value longer than the length field can say.
    """
    layout = _layout(ExplicitVRLittleEndian if UID(transfer_syntax).is_deflated else transfer_syntax)
    if len(value) & 1:
        value += b"\0" if vr in _PADDED_WITH_NUL else b" "
    longest = 0xFFFF if layout.explicit and vr in _SHORT_NAMES else 0xFFFFFFFE
    if len(value) > longest:
        raise ValueError(f"{_words(tag)} of VR {vr} cannot have {len(value)} bytes, only {longest} (PS3.5 7.1.2)")
    if not layout.explicit:
        return layout.plain.pack(tag >> 16, tag & 0xFFFF, len(value)) + value
    letters = vr.encode("ascii")
    if vr in _SHORT_NAMES:
        return layout.short.pack(tag >> 16, tag & 0xFFFF, letters, len(value)) + value
    return layout.short.pack(tag >> 16, tag & 0xFFFF, letters, 0) + layout.long.pack(len(value)) + value


@dataclass(frozen=True, slots=True)
class _Layout:
    """How element headers are written in a transfer syntax (PS3.5 7.1.2, 7.1.3)."""

    explicit: bool
    plain: Struct  # group, element, 32 bit length: implicit VR, and items and delimiters in every syntax
    short: Struct  # group, element, VR, 16 bit length
    long: Struct  # the 32 bit length behind two reserved bytes


class _Head(NamedTuple):
    tag: int
    vr: str
    length: int
    start: int  # of the value


def _layout(transfer_syntax: str) -> _Layout:
    if transfer_syntax == ImplicitVRLittleEndian:
        return _IMPLICIT
    return _BIG if transfer_syntax == ExplicitVRBigEndian else _LITTLE


def _head(data: Buffer, at: int, layout: _Layout) -> _Head:
    """The header at this offset."""
    try:
        group, element, length = layout.plain.unpack_from(data, at)
        tag = group << 16 | element
        if not layout.explicit or group == _ITEM_GROUP:
            return _Head(tag, "", length, at + 8)
        _, _, vr, length = layout.short.unpack_from(data, at)
        if vr in _SHORT:
            return _Head(tag, vr.decode("ascii"), length, at + 8)
        (length,) = layout.long.unpack_from(data, at + 8)
    except struct_error:
        raise _cut_off(data, at) from None
    if not _is_vr(vr):
        raise DataError(f"{_words(tag)} has no VR but {vr!r}", at, "PS3.5 7.1.2", "the transfer syntax may be another than was said")
    return _Head(tag, vr.decode("ascii"), length, at + 12)


def _extent(data: Buffer, at: int, head: _Head, layout: _Layout) -> tuple[int, int]:
    """Where the value of the element or item at this offset ends, and where the next one begins."""
    if head.length != UNDEFINED_LENGTH:
        stop = head.start + head.length
        if stop > len(data):
            raise _too_long(data, at, head)
        return stop, stop
    if head.tag == ITEM:
        return _skip(data, head.start, layout, ITEM_DELIMITATION)
    return _skip(data, head.start, _inside(at, head, layout), SEQUENCE_DELIMITATION)


def _skip(data: Buffer, at: int, layout: _Layout, closing: int) -> tuple[int, int]:
    """Where the content of undefined length that begins here ends, and where what follows its delimiter begins.

    `closing` is the delimiter: of a sequence, which holds items, or of an item, which holds elements.
    """
    size = len(data)
    # What surrounds the innermost one that is open.
    around: list[tuple[_Layout, int]] = []
    while True:
        head = _head(data, at, layout)
        if head.tag == closing:
            if head.length:
                raise DataError(f"the delimiter {_words(head.tag)} has the length {head.length}, not 0", at, "PS3.5 7.5.2")
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
                raise _too_long(data, at, head)
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


def _inside(at: int, head: _Head, layout: _Layout) -> _Layout:
    """The layout of the items of an element of undefined length."""
    if layout.explicit and head.vr not in _MAY_BE_UNDEFINED:
        raise DataError(f"{_words(head.tag)} of VR {head.vr} has an undefined length", at, "PS3.5 7.1.2")
    return _IMPLICIT if head.vr == "UN" else layout


def _pick(data: Buffer, at: int, layout: _Layout, wanted: frozenset[int], last: int) -> tuple[dict[int, bytes], bool]:
    """The loop of `pick`, as `elements` but with no object per element; and whether it met a tag behind the last."""
    found: dict[int, bytes] = {}
    explicit, short, size = layout.explicit, _SHORT, len(data)
    unpack = layout.short.unpack_from if explicit else layout.plain.unpack_from
    begin = after = at
    try:
        while after < size:
            begin = after
            if explicit:
                group, element, vr, length = unpack(data, begin)
                simple = vr in short
            else:
                group, element, length = unpack(data, begin)
                simple = length != UNDEFINED_LENGTH
            tag = group << 16 | element
            if tag > last:
                return found, True
            if group == _ITEM_GROUP:
                raise _stray(tag, begin)
            if simple:
                at = begin + 8
                stop = after = at + length
            else:
                head = _head(data, begin, layout)
                at = head.start
                stop, after = _extent(data, begin, head, layout)
            if tag in wanted and tag not in found:
                found[tag] = bytes(data[at:stop])
    except struct_error:
        raise _cut_off(data, begin) from None
    if after > size:
        raise _too_long(data, begin, _head(data, begin, layout))
    return found, False


def _pick_deflated(pieces: Iterator[bytes], wanted: frozenset[int], last: int, whole: bool) -> dict[int, bytes]:
    """`_pick` of the beginning of the inflated data set, tried again whenever it has doubled until it reaches the last tag."""
    head, enough = bytearray(), 0
    found: dict[int, bytes] = {}
    behind = False
    for piece in pieces:
        head += piece
        if len(head) >= enough:
            found, behind = _try_pick(head, wanted, last)
            enough = 2 * len(head)
        if behind:
            break
        if len(head) > MAX_INFLATED_HEAD:
            raise DataError(f"{_words(last)} is not within the first {MAX_INFLATED_HEAD} inflated bytes", None, "PS3.5 A.5")
    if not behind:
        found, _ = _pick(head, 0, _LITTLE, wanted, _NO_TAG if whole else last)
    elif whole:
        for _ in pieces:
            pass
    return found


def _try_pick(head: bytearray, wanted: frozenset[int], last: int) -> tuple[dict[int, bytes], bool]:
    """`_pick` of what may be cut off anywhere: an error is none before the rest is there."""
    try:
        return _pick(head, 0, _LITTLE, wanted, last)
    except DataError:
        return {}, False


def _inflating(data: memoryview, limit: int) -> Iterator[bytes]:
    """The pieces of what a raw deflate stream (RFC 1951) inflates to, while size and ratio are allowed."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    size = fed = 0
    try:
        while fed < len(data) and not stream.eof:
            rest = bytes(data[fed : fed + _FEED])
            fed += len(rest)
            more = True
            while more and not stream.eof:
                piece = stream.decompress(rest, _PIECE)
                rest = stream.unconsumed_tail
                more = len(rest) > 0 or len(piece) == _PIECE
                size += len(piece)
                _refuse_bomb(size, fed - len(rest), limit)
                yield piece
    except zlib.error as problem:
        raise DataError(f"this is no deflated data set: {problem}", fed, "PS3.5 A.5") from None
    if not stream.eof:
        raise DataError(f"a deflated data set ends in the middle of its stream of {len(data)} bytes", fed, "PS3.5 A.5")
    surplus = len(data) - fed + len(stream.unused_data)
    if surplus > MAX_TRAILER:
        raise DataError(f"{surplus} bytes follow the end of a deflated data set", len(data) - surplus, "PS3.5 A.5")


def _refuse_bomb(size: int, consumed: int, limit: int) -> None:
    if size > limit:
        raise DataError(f"a deflated data set inflates to more than {limit} bytes", consumed, "PS3.5 A.5", "the caller may allow more")
    if size > MAX_RATIO * consumed + RATIO_SLACK:
        raise DataError(f"a deflated data set grows more than {MAX_RATIO} times", consumed, "PS3.5 A.5", "send it in another syntax")


def _cut_off(data: Buffer, at: int) -> DataError:
    return DataError(f"an element header is cut off: {len(data) - at} bytes are left", at, "PS3.5 7.1")


def _too_long(data: Buffer, at: int, head: _Head) -> DataError:
    left = len(data) - head.start
    return DataError(f"{_words(head.tag)} announces {head.length} bytes and {left} are left", at, "PS3.5 7.1.1")


def _stray(tag: int, at: int) -> DataError:
    return DataError(f"{_words(tag)} stands outside of a sequence", at, "PS3.5 7.5")


def _out_of_place(at: int, head: _Head, in_sequence: bool) -> DataError:
    place = "in a sequence, where an item must begin" if in_sequence else "in an item, where an element must begin"
    return DataError(f"{_words(head.tag)} stands {place}", at, "PS3.5 7.5")


def _words(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _is_vr(vr: bytes) -> bool:
    """Whether this may be a VR, known or still to come: the new ones are two capital letters with a 32 bit length (PS3.5 6.2)."""
    return vr.isalpha() and vr.isupper()


_ITEM_GROUP = 0xFFFE
_DELIMITERS = (ITEM_DELIMITATION, SEQUENCE_DELIMITATION)
_NO_TAG = 0x100000000
_FEED, _PIECE = 8192, 262_144
"""Bytes that are given to, and taken from, the inflater at once."""

# PS3.5 Table 7.1-2: the VRs with a 16 bit length. All others, known or not, have a 32 bit one.
_SHORT_NAMES = frozenset(
    ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US")
)
_SHORT = frozenset(vr.encode("ascii") for vr in _SHORT_NAMES)
_MAY_BE_UNDEFINED = frozenset(("SQ", "UN", "OB", "OW"))
_PADDED_WITH_NUL = frozenset(("UI", "OB", "UN"))

_IMPLICIT = _Layout(False, Struct("<HHL"), Struct("<HH2sH"), Struct("<L"))
_LITTLE = _Layout(True, Struct("<HHL"), Struct("<HH2sH"), Struct("<L"))
_BIG = _Layout(True, Struct(">HHL"), Struct(">HH2sH"), Struct(">L"))
