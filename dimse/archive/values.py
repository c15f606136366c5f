"""Values of elements as text, and back again: what is stored in one transfer syntax and character set, answered in another.

A value is Unicode text for all VRs that a person can read, numbers and tags included, with a backslash between several of them;
bytes, little endian, for those that nobody can (OB, OW, UN and their like); and items for a sequence.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from dimse.archive.matching import clean
from dimse.archive.texts import decode
from dimse.data.datasets import vr_of
from dimse.data.elements import Element, elements, encode_element, items, syntax_inside
from dimse.data.headers import ITEM, MAX_DEPTH, layout_of
from dimse.data.uids import UID
from dimse.errors import DataError

Value: TypeAlias = "str | bytes | list[Tree]"
Tree: TypeAlias = "dict[int, tuple[str, Value]]"
"""A data set: VR and value by tag."""

MAX_SHORT: Final = 0xFFFE
"""Bytes of a value that any explicit VR can say the length of (PS3.5 7.1.2); of a list that is longer, the values in front."""
SPECIFIC_CHARACTER_SET: Final = 0x0008_0005

_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_WORDS: Final = {"OW": "H", "OF": "I", "OL": "I", "OD": "Q", "OV": "Q"}
_LONG: Final = frozenset({"OB", "OW", "OF", "OL", "OD", "OV", "UN", "SQ", "UC", "UR", "UT"})
_CHOICES: Final = (frozenset({"US", "SS", "OW"}), frozenset({"OB", "OW"}))
NO_TEXT: Final = frozenset({*_NUMBERS, "AT", "SQ"})
"""VRs whose values are encoded as something else than their text."""
OPAQUE: Final = frozenset({"OB", "OW", "OF", "OL", "OD", "OV", "UN", ""})
"""VRs whose values are bytes to us, and no keys; "" is one that nothing tells."""


def vr_of_element(element: Element, creator: str = "") -> str:
    """The VR of an element: the dictionary's, else for a private one what it says itself or pydicom knows of its creator."""
    if element.tag >> 16 & 1 and not 0x10 <= element.tag & 0xFFFF <= 0xFF:
        return element.vr if element.vr not in ("", "UN") else _private_vr(element.tag, creator) or element.vr
    known = vr_of(element.tag)
    return element.vr if known is None or _is_choice(element.vr, known) else known


def is_told_by(vr: str, other: str) -> bool:
    """Whether the values of one VR can be answered in another: texts in all of them, numbers only in their own, or its alternative."""
    return vr == other or _is_choice(vr, other) or not {vr, other} & NO_TEXT


def text_of(vr: str, raw: bytes, character_set: str, *, little_endian: bool) -> str:
    """The text of a value without padding; "" for one that is opaque."""
    if vr in OPAQUE:
        return ""
    order = "<" if little_endian else ">"
    if code := _NUMBERS.get(vr):
        count = len(raw) // struct.calcsize(code)
        return "\\".join(map(str, struct.unpack_from(f"{order}{count}{code}", raw)))
    if vr == "AT":
        halves = struct.unpack_from(f"{order}{len(raw) // 4 * 2}H", raw)
        return "\\".join(f"{group:04X}{number:04X}" for group, number in zip(halves[::2], halves[1::2], strict=True))
    return clean(vr, decode(raw, character_set))


def value_of(element: Element, vr: str, syntax: str, character_set: str, depth: int = 0) -> Value:
    """The value of a stored element. Raises `DataError` where it makes no sense."""
    little_endian = UID(syntax).is_little_endian
    if vr == "SQ":
        if depth > MAX_DEPTH:
            raise DataError(f"more than {MAX_DEPTH} sequences inside each other", clause="PS3.5 7.5")
        inside = syntax_inside(element, syntax)
        return [_tree(elements(item, inside), inside, character_set, depth + 1) for item in items(element, syntax)]
    raw = bytes(element.value)
    if vr in OPAQUE:
        return raw if little_endian else _swapped(vr, raw)
    return text_of(vr, raw, character_set, little_endian=little_endian)


def texts_in(value: Value) -> Iterator[str]:
    """All texts of a value, to choose a character set by."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            for _, inner in item.values():
                yield from texts_in(inner)


def encode(tag: int, vr: str, value: Value, codec: Callable[[str], bytes], syntax: UID) -> bytes:
    """An element of an answer; texts become bytes by `codec`."""
    if isinstance(value, list):
        raw = b"".join(_item([encode(*part, codec, syntax) for part in _parts(item)], syntax) for item in value)
        return encode_element(tag, vr, raw, syntax)
    if isinstance(value, bytes):
        return encode_element(tag, vr or "UN", value if syntax.is_little_endian else _swapped(vr, value), syntax)
    if vr in ("US", "SS"):
        vr = _that_holds(value, vr)
    raw = _encoded(vr, value, codec, syntax)
    while len(raw) > MAX_SHORT and vr not in _LONG:
        value = _shortened(value, len(raw))
        raw = _encoded(vr, value, codec, syntax)
    return encode_element(tag, vr, raw, syntax)


def _tree(walked: Iterator[Element], syntax: str, character_set: str, depth: int) -> Tree:
    """The elements of an item; one may have a character set of its own (PS3.3 C.12.1.1.2)."""
    found: Tree = {}
    creators: dict[int, str] = {}
    for element in walked:
        vr = vr_of_element(element, creators.get(element.tag >> 8, "")) or "UN"
        if not element.tag & 0xFFFF:
            continue
        value = value_of(element, vr, syntax, character_set, depth)
        if element.tag == SPECIFIC_CHARACTER_SET and isinstance(value, str):
            character_set = value
            continue  # the answer is in one character set
        if vr == "LO" and element.tag >> 16 & 1 and element.tag & 0xFFFF <= 0xFF and isinstance(value, str):
            creators[element.tag >> 16 << 8 | element.tag & 0xFF] = value
        found.setdefault(element.tag, (vr, value))
    return found


def _parts(item: Tree) -> Iterator[tuple[int, str, Value]]:
    for tag in sorted(item):
        yield tag, *item[tag]


def _item(parts: list[bytes], syntax: UID) -> bytes:
    raw = b"".join(parts)
    return layout_of(syntax).plain.pack(ITEM >> 16, ITEM & 0xFFFF, len(raw)) + raw


def _encoded(vr: str, text: str, codec: Callable[[str], bytes], syntax: UID) -> bytes:
    if not text or not (code := "HH" if vr == "AT" else _NUMBERS.get(vr)):
        return codec(text)
    order = "<" if syntax.is_little_endian else ">"
    values = text.split("\\")
    if vr == "AT":
        return b"".join(struct.pack(order + code, int(value[:4], 16), int(value[4:], 16)) for value in values)
    number = float if vr in ("FL", "FD") else int
    return b"".join(struct.pack(order + code, number(value)) for value in values)


def _that_holds(text: str, vr: str) -> str:
    """Which of US and SS, between which the dictionary leaves the choice, holds these numbers."""
    numbers = [int(number) for number in text.split("\\") if number]
    return "SS" if any(number < 0 for number in numbers) else "US" if any(number > 0x7FFF for number in numbers) else vr


def _shortened(text: str, size: int) -> str:
    """As many values in front as surely fit, of a text that takes `size` bytes."""
    kept = text[: len(text) * MAX_SHORT // (size + 1)]
    return kept.rpartition("\\")[0]


def _swapped(vr: str, raw: bytes) -> bytes:
    """Words in the other byte order; what is no whole number of them stays as it is."""
    code = _WORDS.get(vr)
    if code is None or len(raw) % struct.calcsize(code):
        return raw
    words = array(code, raw)
    words.byteswap()
    return words.tobytes()


def _is_choice(vr: str, known: str) -> bool:
    """Whether a VR may stand for the one of the dictionary, which leaves a choice between some (PS3.5 A.1, PS3.6 6)."""
    return any(vr in choices and known in choices for choices in _CHOICES)


def _private_vr(tag: int, creator: str) -> str:
    from pydicom.datadict import private_dictionary_VR

    try:
        return private_dictionary_VR(tag, creator)
    except KeyError:
        return ""
