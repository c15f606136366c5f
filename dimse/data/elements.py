"""Data elements as they lie in an encoded data set (PS3.5 section 7): walked lazily, picked by tag, encoded one at a time.

Nothing here knows what a tag means; values are bytes. Nesting is followed by a loop with a stack and a limit, so no data
set, whatever it announces, costs more than time in proportion to its length. Everything wrong is a `DataError`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from struct import error as struct_error
from typing import NamedTuple

from dimse.data.deflate import MAX_INFLATED, inflate, inflating
from dimse.data.headers import (
    ENDLESS,
    ITEM,
    ITEM_GROUP,
    LITTLE,
    MAX_NESTED,
    PADDED_WITH_NUL,
    SHORT,
    SHORT_NAMES,
    UNDEFINED_LENGTH,
    Buffer,
    Layout,
    extent,
    head_at,
    layout_of,
    leftover,
    stray,
    too_long,
    words_of,
)  # fmt: skip
from dimse.data.uids import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from dimse.errors import DataError, OddData

MAX_INFLATED_HEAD = 16_777_216
"""Bytes of a deflated data set that `pick` holds: what stands before Pixel Data is a few KiB, a large report a few MiB."""
MAX_ELEMENTS = 100_000
"""Elements of the top level that `scan` passes: the standard has about 5,000 attributes, and a header a hundred of them."""
MAX_VALUE = 40_960
"""Bytes of a value that `scan` copies: those of 10,240 characters, which the longest text that is looked for (LT) has (PS3.5 6.2)."""
MAX_SCANNED = 67_108_864
"""Bytes of a deflated data set that `scan` inflates, a quarter of a second's work; what comes behind them is taken as it is."""
HELD = 4_194_304
"""Bytes of a deflated data set that `scan` and `pick` hold to read them to the end; of a longer one only the stream's end is looked for."""


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
    layout = layout_of(transfer_syntax)
    view = memoryview(data)
    at, end = start, len(view)
    while at < end:
        head = head_at(view, at, layout)
        if head.tag >> 16 == ITEM_GROUP:
            raise stray(head.tag, at)
        stop, after = extent(view, at, head, layout, ENDLESS)
        yield Element(head.tag, head.vr, view[head.start : stop], at, head.length == UNDEFINED_LENGTH)
        at = after


def items(element: Element, transfer_syntax: str = ExplicitVRLittleEndian) -> Iterator[memoryview]:
    """The items of a sequence, or the fragments of encapsulated Pixel Data, without their headers and delimiters (PS3.5 7.5, A.4).

    `transfer_syntax` is that of the data set around it; walk an item with `elements(item, syntax_inside(...))`.
    Raises `DataError`, whose offset counts from the start of the element's value.
    """
    layout = layout_of(syntax_inside(element, transfer_syntax))
    view = element.value
    at, end = 0, len(view)
    while at < end:
        head = head_at(view, at, layout)
        if head.tag != ITEM:
            raise DataError(f"{words_of(head.tag)} stands where an item must begin", at, "PS3.5 7.5.1")
        stop, after = extent(view, at, head, layout, ENDLESS)
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

    A deflated data set is inflated as far as the highest tag (`MAX_INFLATED_HEAD`), up to `limit` bytes. With `whole` the rest
    of one longer than `HELD` is inflated and forgotten, piece by piece: its stream must end, its last elements are not looked at.
    """
    last = max(tags, default=-1)
    found: dict[int, bytes] = {}
    if UID(transfer_syntax).is_deflated:
        pieces = inflating(memoryview(data)[start:], limit)
        if whole:
            _pick_whole_deflated(pieces, frozenset(tags), found)
        else:
            _pick_deflated(pieces, frozenset(tags), last, False, found)
    else:
        _pick(data, start, layout_of(transfer_syntax), frozenset(tags), _NO_TAG if whole else last, found)
    return found


def scan(data: Buffer, transfer_syntax: str, tags: Collection[int], *, start: int = 0, size: int | None = None) -> dict[int, bytes]:
    """What `pick` finds, of a data set from a stranger, which is read to its end: one that is cut off anywhere is a `DataError`.

    So is one beyond `MAX_ELEMENTS`, `MAX_DEPTH` or the growth that `inflate` allows. Where a data set is odd reading ends, and
    what was found by then counts; so it does behind `MAX_NESTED` and `MAX_SCANNED`. Values are copied up to `MAX_VALUE` bytes.

    `data` may hold only the beginning of a data set of `size` bytes. A `DataError` may then mean that it is too little of it.
    """
    found: dict[int, bytes] = {}
    end = len(data) if size is None else start + size
    try:
        if UID(transfer_syntax).is_deflated:
            with memoryview(data) as view, view[start:end] as stream:  # released at once: a mmap cannot be closed before
                _pick_whole_deflated(inflating(stream, MAX_SCANNED), frozenset(tags), found, MAX_ELEMENTS, MAX_VALUE)
        else:
            _pick(data, start, layout_of(transfer_syntax), frozenset(tags), _NO_TAG, found, end, MAX_ELEMENTS, MAX_VALUE)
    except OddData:
        if end > len(data):
            raise
    return found


def check_size(data: Buffer, transfer_syntax: str, *, most: int, deepest: int) -> None:
    """Raises `DataError` for more than `most` elements, those in sequences included, or more than `deepest` sequences inside each other.

    In Implicit VR what begins with an item is a sequence. Nothing is said of what cannot be read.
    """
    count = 0
    walks = [elements(data, transfer_syntax)]
    while walks:
        try:
            element = next(walks[-1], None)
        except DataError:
            element = None
        if element is None:
            walks.pop()
            continue
        count += 1
        if count > most:
            raise DataError(f"there are more than {most} elements", clause="PS3.5 7.1")
        if element.vr == "SQ" or bytes(element.value[:4]) in _ITEMS:
            if len(walks) > deepest:
                raise DataError(f"there are more than {deepest} sequences inside each other", clause="PS3.5 7.5")
            walks.append(_in_items(element, transfer_syntax))


def _in_items(element: Element, transfer_syntax: str) -> Iterator[Element]:
    """The elements in all items of a sequence."""
    inside = syntax_inside(element, transfer_syntax)
    for item in items(element, transfer_syntax):
        yield from elements(item, inside)


def encode_element(tag: int, vr: str, value: bytes, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """One element of defined length, its value padded to an even length (PS3.5 7.1, 6.2).

    Numbers in `value` must have the byte order of the transfer syntax already. For a deflated one this is what is to be deflated.
    Raises `ValueError` for a value longer than the length field can say.
    """
    layout = layout_of(ExplicitVRLittleEndian if UID(transfer_syntax).is_deflated else transfer_syntax)
    if len(value) & 1:
        value += b"\0" if vr in PADDED_WITH_NUL else b" "
    longest = 0xFFFF if layout.explicit and vr in SHORT_NAMES else 0xFFFFFFFE
    if len(value) > longest:
        raise ValueError(f"{words_of(tag)} of VR {vr} cannot have {len(value)} bytes, only {longest} (PS3.5 7.1.2)")
    if not layout.explicit:
        return layout.plain.pack(tag >> 16, tag & 0xFFFF, len(value)) + value
    letters = vr.encode("ascii")
    if vr in SHORT_NAMES:
        return layout.short.pack(tag >> 16, tag & 0xFFFF, letters, len(value)) + value
    return layout.short.pack(tag >> 16, tag & 0xFFFF, letters, 0) + layout.long.pack(len(value)) + value


def _pick(
    data: Buffer,
    at: int,
    layout: Layout,
    wanted: frozenset[int],
    last: int,
    found: dict[int, bytes],
    end: int | None = None,
    most: int = 1 << 60,
    longest: int = 1 << 60,
) -> bool:
    """The loop of `pick` and `scan`, as `elements` but with no object per element; whether it met a tag behind the last.

    `found` takes the values. `end` is where the data set ends, though `data` may end before.
    """
    explicit, short, held = layout.explicit, SHORT, len(data)
    unpack = layout.short.unpack_from if explicit else layout.plain.unpack_from
    end = held if end is None else end
    steps = iter(range(MAX_NESTED))
    begin = after = at
    try:
        for _ in range(most + 1):
            if after >= end:
                break
            begin = after
            if explicit:
                group, element, vr, length = unpack(data, begin)
                simple = vr in short
            else:
                group, element, length = unpack(data, begin)
                simple = length != UNDEFINED_LENGTH
            tag = group << 16 | element
            if tag > last:
                return True
            if group == ITEM_GROUP:
                raise stray(tag, begin)
            if simple:
                at = begin + 8
                stop = after = at + length
            else:
                head = head_at(data, begin, layout)
                at = head.start
                if head.length == UNDEFINED_LENGTH:
                    stop, after = extent(data, begin, head, layout, steps)
                else:
                    stop = after = at + head.length
            if tag in wanted and tag not in found:
                if stop > held:
                    raise too_long(data, begin, head_at(data, begin, layout))
                found[tag] = bytes(data[at : min(stop, at + longest)])
        else:
            raise DataError(f"more than {most} elements", begin, "PS3.5 7.1", "this is the limit of this reader")
    except struct_error:
        raise leftover(data, begin, end) from None
    if after > end:
        raise too_long(data, begin, head_at(data, begin, layout))
    return False


def _pick_deflated(pieces: Iterator[bytes], wanted: frozenset[int], last: int, whole: bool, found: dict[int, bytes]) -> None:
    """`_pick` of the beginning of the inflated data set, tried again whenever it has doubled until it reaches the last tag."""
    head, enough = bytearray(), 0
    behind = False
    for piece in pieces:
        head += piece
        if len(head) >= enough:
            behind = _try_pick(head, wanted, last, found)
            enough = 2 * len(head)
        if behind:
            break
        if len(head) > MAX_INFLATED_HEAD:
            raise DataError(f"{words_of(last)} is not within the first {MAX_INFLATED_HEAD} inflated bytes", None, "PS3.5 A.5")
    if not behind:
        _pick(head, 0, LITTLE, wanted, _NO_TAG if whole else last, found)
    elif whole:
        for _ in pieces:
            pass


def _try_pick(head: bytearray, wanted: frozenset[int], last: int, found: dict[int, bytes]) -> bool:
    """`_pick` of what may be cut off anywhere: an error is none before the rest is there."""
    try:
        return _pick(head, 0, LITTLE, wanted, last, found)
    except DataError:
        return False


def _pick_whole_deflated(
    pieces: Iterator[bytes], wanted: frozenset[int], found: dict[int, bytes], most: int = 1 << 60, longest: int = 1 << 60
) -> None:
    """`_pick` of all of a deflated data set that is short when inflated, and of the head and the stream's end of a longer one."""
    head = bytearray()
    for piece in pieces:
        head += piece
        if len(head) > HELD:
            _pick_deflated(chain([bytes(head)], pieces), wanted, max(wanted, default=-1), True, found)
            return
    _pick(head, 0, LITTLE, wanted, _NO_TAG, found, None, most, longest)


_NO_TAG = 0x100000000
_ITEMS = (LITTLE.plain.pack(ITEM >> 16, ITEM & 0xFFFF, 0)[:4], ITEM.to_bytes(4, "big"))
