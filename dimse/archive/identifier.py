"""Identifiers as they are understood: the level, the keys, and which rules of the hierarchy they keep (PS3.4 C.4.1.1.3, C.4.2.1.4).

Without relational queries the hierarchical rules hold (C.4.1.2.2.1, C.4.2.2.1): the level is one of the model's, and each
level above it is given by one value of its unique key.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from dimse.archive.attributes import BY_TAG, SPECIFIC_CHARACTER_SET, TIMEZONE, UNIQUE_KEYS, Attribute, Level
from dimse.archive.matching import Key, read_key
from dimse.archive.moments import is_zone
from dimse.archive.options import Options
from dimse.archive.values import text_of, vr_of_element
from dimse.data.datasets import DataSet
from dimse.data.elements import Element, elements, items, syntax_inside
from dimse.data.status import CANNOT_UNDERSTAND, DATASET_MISMATCH, SOP_CLASS_NOT_SUPPORTED
from dimse.data.uids import (
    UID,
    ExplicitVRLittleEndian,
    PatientRootFind,
    PatientRootGet,
    PatientRootMove,
    PatientStudyOnlyFind,
    PatientStudyOnlyGet,
    PatientStudyOnlyMove,
    StudyRootFind,
    StudyRootGet,
    StudyRootMove,
)
from dimse.errors import DataError, Refused
from pdu.values import dataclass

MODELS: Final = {
    **dict.fromkeys((PatientRootFind, PatientRootMove, PatientRootGet), (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE)),
    **dict.fromkeys((StudyRootFind, StudyRootMove, StudyRootGet), (Level.STUDY, Level.SERIES, Level.IMAGE)),
    **dict.fromkeys((PatientStudyOnlyFind, PatientStudyOnlyMove, PatientStudyOnlyGet), (Level.PATIENT, Level.STUDY)),
}
"""The levels of each information model, from the top (PS3.4 C.6.1 to C.6.3)."""

QUERY_RETRIEVE_LEVEL: Final = 0x0008_0052
MAX_KEYS: Final = 1000
"""Attributes of an identifier, those in items included; clients send some dozens."""
MAX_DEPTH: Final = 8
"""Sequences inside each other in an identifier; the worklist's has three."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One element of an identifier: a key to match, and an attribute to return.

    The VR is the dictionary's, or for a private element what the identifier says; "" where nothing tells it. `creator` is the
    private creator of a private element. `inner` are the keys in the item of a sequence; None if it has none, which asks for
    all of the sequence (C.2.2.2.6).
    """

    tag: int
    vr: str
    text: str = ""
    creator: str = ""
    inner: tuple[Wanted, ...] | None = None

    @property
    def is_private(self) -> bool:
        return bool(self.tag >> 16 & 1)

    @property
    def is_creator(self) -> bool:
        """Whether it names who has a block of private elements (PS3.5 7.8.1)."""
        return self.is_private and 0x10 <= self.tag & 0xFFFF <= 0xFF


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier as it was understood. `zone` is the asker's offset from UTC, if times are to be told in it."""

    levels: tuple[Level, ...]
    level: Level
    transfer_syntax: UID
    character_set: str
    wanted: tuple[Wanted, ...]
    options: Options
    zone: str

    @classmethod
    def read(cls, model: UID, data_set: DataSet | None, agreed: bytes = b"") -> Identifier:
        """Reads the identifier of a request of an information model, with the options `agreed` on.

        Raises `Refused` for one that is none.
        """
        if model not in MODELS:
            raise Refused(SOP_CLASS_NOT_SUPPORTED, "not an information model of this archive")
        if data_set is None:
            raise Refused(CANNOT_UNDERSTAND, "the request has no identifier")
        reader = _Reader(data_set.transfer_syntax)
        try:
            wanted = reader.data_set(islice(data_set.elements(), MAX_KEYS + 1))
        except DataError as error:
            raise Refused(CANNOT_UNDERSTAND, f"the identifier cannot be read: {error.what}") from error
        texts = {each.tag: each.text for each in wanted}
        level, options = _level(texts.get(QUERY_RETRIEVE_LEVEL, ""), MODELS[model]), Options.of(model, agreed)
        keys = tuple(each for each in wanted if each.tag not in (QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET))
        zone = texts.get(TIMEZONE, "") if options.timezone else ""
        if zone and not is_zone(zone):
            raise Refused(DATASET_MISMATCH, "Timezone Offset From UTC is no offset", (TIMEZONE,))
        return cls(MODELS[model], level, data_set.transfer_syntax, reader.character_set, keys, options, zone)

    def text(self, tag: int) -> str:
        """The text of a key; "" when there is none."""
        return next((wanted.text for wanted in self.wanted if wanted.tag == tag), "")

    def read_key(self, wanted: Wanted, vr: str, *, several: bool) -> Key:
        """The key that an element is. Refuses one whose value is no key of its VR."""
        try:
            return read_key(vr, wanted.text, self.options, several=several, zone=self.zone)
        except ValueError as error:
            attribute = BY_TAG.get(wanted.tag)
            name = attribute.keyword if attribute else f"({wanted.tag >> 16:04X},{wanted.tag & 0xFFFF:04X})"
            raise Refused(DATASET_MISMATCH, f"{name} {error}", (wanted.tag,)) from None

    def unique_keys(self) -> Iterator[tuple[Level, Attribute, Key]]:
        """The unique keys from the top of the model down to the level. Refuses an identifier that breaks the hierarchy.

        A relational one breaks none: there the levels above need no key, or may have any.
        """
        for level in self.levels:
            if level > self.level:
                return
            attribute = UNIQUE_KEYS[level]
            key = self.read_key(Wanted(attribute.tag, attribute.vr, self.text(attribute.tag)), attribute.vr, several=False)
            if level < self.level and not self.options.relational and len(key.texts or ()) != 1:
                what = f"one {attribute.keyword} is needed at level {self.level.name}"
                raise Refused(DATASET_MISMATCH, what, (attribute.tag,))
            yield level, attribute, key


class _Reader:
    """Reads the elements of an identifier, and of the items in it."""

    def __init__(self, transfer_syntax: UID) -> None:
        self._syntax = transfer_syntax
        self._count = 0
        self.character_set = ""

    def data_set(self, walked: Iterator[Element]) -> tuple[Wanted, ...]:
        """The top level."""
        return self._elements(walked, ExplicitVRLittleEndian if self._syntax.is_deflated else self._syntax, 0)

    def _elements(self, walked: Iterator[Element], syntax: str, depth: int) -> tuple[Wanted, ...]:
        found: dict[int, Wanted] = {}
        creators: dict[int, str] = {}
        for element in walked:
            self._count += 1
            if self._count > MAX_KEYS:
                raise Refused(CANNOT_UNDERSTAND, f"the identifier has more than {MAX_KEYS} elements")
            wanted = self._element(element, syntax, creators.get(element.tag >> 8, ""), depth)
            if element.tag == SPECIFIC_CHARACTER_SET and not depth:
                self.character_set = wanted.text
            if wanted.is_creator:
                creators[element.tag >> 16 << 8 | element.tag & 0xFF] = wanted.text
            if element.tag & 0xFFFF and not (depth and element.tag == SPECIFIC_CHARACTER_SET):  # no group length
                found[element.tag] = wanted
        return tuple(found[tag] for tag in sorted(found))

    def _element(self, element: Element, syntax: str, creator: str, depth: int) -> Wanted:
        vr = vr_of_element(element, creator)
        if vr == "SQ":
            return Wanted(element.tag, vr, "", creator, self._items(element, syntax, depth + 1))
        if element.vr == "SQ" and element.value:
            raise Refused(DATASET_MISMATCH, f"an attribute of VR {vr} is no sequence", (element.tag,))
        text = text_of(vr, bytes(element.value), self.character_set, little_endian=UID(syntax).is_little_endian)
        return Wanted(element.tag, vr, text, creator)

    def _items(self, element: Element, syntax: str, depth: int) -> tuple[Wanted, ...] | None:
        if depth > MAX_DEPTH:
            raise Refused(CANNOT_UNDERSTAND, f"the identifier has more than {MAX_DEPTH} sequences inside each other")
        inside = syntax_inside(element, syntax)
        found = list(islice(items(element, syntax), 2))
        if len(found) > 1:
            raise Refused(DATASET_MISMATCH, "a sequence has more than the one item that a key may have", (element.tag,))
        return (self._elements(elements(found[0], inside), inside, depth) or None) if found else None


def _level(name: str, levels: tuple[Level, ...]) -> Level:
    for level in levels:
        if level.name == name:
            return level
    what = "no Query/Retrieve Level" if not name else "the Query/Retrieve Level is none of this model"
    raise Refused(DATASET_MISMATCH, what, (QUERY_RETRIEVE_LEVEL,))
