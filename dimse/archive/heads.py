"""What the index does not keep: attributes of stored data sets, read from the heads of their files when a query asks for them.

Of a patient, study or series the first instance is read, from which the index has its values as well. The answer is the same
as if the attribute were in the index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import SEEK_END
from pathlib import Path
from typing import Final

from dimse.archive.attributes import SPECIFIC_CHARACTER_SET
from dimse.archive.identifier import Identifier, Wanted
from dimse.archive.matching import UNIVERSAL, Key
from dimse.archive.texts import decode
from dimse.archive.values import OPAQUE, Tree, Value, is_told_by, value_of, vr_of_element
from dimse.data.deflate import inflating
from dimse.data.elements import Element, elements
from dimse.data.uids import UID, ExplicitVRLittleEndian
from dimse.errors import DataError, OddData
from pdu.values import dataclass

FIRST_READ: Final = 32_768
"""Bytes of a data set that are read at first: what stands before Pixel Data is nearly always less."""
LONGEST_HEAD: Final = 8_388_608
"""Bytes of a data set that are looked through; large reports have a few MiB. What begins behind them cannot be asked for."""

_FIRST_BLOCK, _LAST_BLOCK = 0x10, 0xFF


@dataclass(frozen=True, slots=True)
class Asked:
    """One attribute of an identifier that is read from a head, and the key that it must match."""

    wanted: Wanted
    several: bool
    key: Key
    inner: tuple[Asked, ...] | None = None
    """Of a sequence: what is asked of its items; None for all of it."""
    complete: bool = True
    """Whether all that is asked of the items can be answered."""

    @classmethod
    def read(cls, wanted: Wanted, identifier: Identifier) -> Asked | None:
        """What an element of an identifier asks for; None if it cannot be answered. Raises `Refused` for a key that is none."""
        if wanted.vr == "SQ":
            parts = [cls.read(each, identifier) for each in wanted.inner or () if not each.is_creator]
            inner = tuple(part for part in parts if part is not None)
            complete = len(inner) == len(parts) and all(part.complete for part in inner)
            return cls(wanted, False, UNIVERSAL, inner if parts else None, complete)
        if wanted.vr in OPAQUE or (wanted.is_private and not wanted.creator):
            return None
        several = _has_several(wanted)
        return cls(wanted, several, identifier.read_key(wanted, wanted.vr, several=several))

    @property
    def is_universal(self) -> bool:
        """Whether anything matches; of a sequence also one without items."""
        return not self.key and all(each.is_universal for each in self.inner or ())

    def matched(self, value: Value | None) -> Value | None:
        """What to answer for a stored value, "" or no items where there is none; None if it does not match (C.2.2.2.6)."""
        if self.wanted.vr != "SQ":
            text = value if isinstance(value, str) else ""
            return text if self.key.accepts(self.wanted.vr, self.several, text) else None
        items = value if isinstance(value, list) else []
        if self.inner is None:
            return items
        found = [part for item in items if (part := _part(item, self.inner)) is not None]
        return found if found or self.is_universal else None


@dataclass(frozen=True, slots=True)
class Head:
    """The elements of a stored data set, as far as they were looked through."""

    found: dict[int, Element]
    syntax: UID
    character_set: str

    @classmethod
    def read(cls, path: Path, syntax: UID, offset: int, size: int, last: int) -> Head:
        """The elements up to the tag `last`. Raises `OSError`, or `DataError` if the file is not what it was."""
        with path.open("rb", buffering=0) as file:
            length = file.seek(0, SEEK_END)
            if length != offset + size:
                raise DataError(f"the file has {length} bytes and had {offset + size}")
            file.seek(offset)
            if syntax.is_deflated:
                return cls._walked(_inflated(file.read(LONGEST_HEAD)), ExplicitVRLittleEndian, last, whole=True)
            data = file.read(FIRST_READ)
            while True:
                whole = len(data) >= min(size, LONGEST_HEAD)
                try:
                    return cls._walked(data, syntax, last, whole=whole)
                except DataError:
                    if whole or not (more := file.read(3 * len(data))):
                        raise
                    data += more

    @classmethod
    def _walked(cls, data: bytes, syntax: UID, last: int, *, whole: bool) -> Head:
        found: dict[int, Element] = {}
        try:
            for element in elements(data, syntax):
                if element.tag > last:
                    break
                found.setdefault(element.tag, element)
        except OddData:  # what was found by then counts, as in the header scan
            if not whole:
                raise
        raw = found[SPECIFIC_CHARACTER_SET].value if SPECIFIC_CHARACTER_SET in found else b""
        return cls(found, syntax, decode(bytes(raw)).strip(" \0"))

    def value(self, wanted: Wanted) -> Value | None:
        """The value of an attribute, "" or no items if it has none; None where it makes no sense."""
        element = self.found.get(self._tag_of(wanted))
        if element is None:
            return [] if wanted.vr == "SQ" else ""
        vr = vr_of_element(element, wanted.creator)
        if vr in OPAQUE or not element.vr:  # the identifier may know better
            vr = wanted.vr
        try:
            value = value_of(element, vr, self.syntax, self.character_set)
        except DataError:
            return None
        return value if is_told_by(vr, wanted.vr) else None

    def _tag_of(self, wanted: Wanted) -> int:
        """The tag of an attribute; the blocks of a private creator may be others here than in the identifier (PS3.5 7.8.1)."""
        if not wanted.creator:
            return wanted.tag
        creators = {tag: decode(bytes(element.value)).strip(" \0") for tag, element in self.found.items() if _is_creator(tag)}
        return _of_creator(wanted, creators)


def last_tag(asked: Iterable[Asked]) -> int:
    """How far a head must be looked through for these; to the end of a group that has private elements, whose blocks may differ."""
    return max((each.wanted.tag | (0xFFFF if each.wanted.creator else 0) for each in asked), default=0)


def _part(item: Tree, inner: tuple[Asked, ...]) -> Tree | None:
    """Of an item what is asked for; None if it does not match."""
    part: Tree = {}
    for each in inner:
        tag, wanted = each.wanted.tag, each.wanted
        if wanted.creator:
            part[tag & 0xFFFF_0000 | tag >> 8 & 0xFF] = ("LO", wanted.creator)
            tag = _of_creator(wanted, {tag: value for tag, (_, value) in item.items() if _is_creator(tag)})
        vr, value = item.get(tag, (wanted.vr, None))
        matched = each.matched(value)
        if matched is None:
            return None
        part[wanted.tag] = (vr, matched)
    return part


def _is_creator(tag: int) -> bool:
    return bool(tag >> 16 & 1) and _FIRST_BLOCK <= tag & 0xFFFF <= _LAST_BLOCK


def _of_creator(wanted: Wanted, creators: Mapping[int, Value]) -> int:
    """The tag of a private element where these are the private creators by tag; -1 where its own is none of them."""
    for tag, creator in creators.items():
        if creator == wanted.creator and tag >> 16 == wanted.tag >> 16:
            return tag & 0xFFFF_0000 | (tag & 0xFF) << 8 | wanted.tag & 0xFF
    return -1


def _has_several(wanted: Wanted) -> bool:
    """Whether the attribute may have more than one value; one that no dictionary has may."""
    from pydicom.datadict import dictionary_VM

    try:
        return dictionary_VM(wanted.tag) != "1"
    except KeyError:
        return True


def _inflated(deflated: bytes) -> bytes:
    """What the beginning of a deflated data set inflates to, as far as it is looked through."""
    head = bytearray()
    try:
        for piece in inflating(memoryview(deflated), LONGEST_HEAD):
            head += piece
    except DataError:
        if not head:
            raise
    return bytes(head)
