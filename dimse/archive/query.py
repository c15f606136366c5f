"""C-FIND, C-MOVE and C-GET identifiers: what they ask for, as searches of the index, and the answers as identifiers again.

The hierarchical rules hold (PS3.4 C.4.1.2.1, C.4.2.2.1): the level is one of the model's, and each level above it is given by
one value of its unique key. Attributes of the level itself and of those above may be matched and returned. Those that the index
does not keep are returned without a value, and the matches are then pending with FF01H.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from dimse.archive.attributes import BY_TAG, SPECIFIC_CHARACTER_SET, UNIQUE_KEYS, Attribute, Level
from dimse.archive.index import Row, Search, Value
from dimse.archive.matching import Condition, Equal, Key, condition, read_key
from dimse.archive.schema import INDEXED_DATES
from dimse.archive.texts import decode, encoding_for
from dimse.data.datasets import DataSet
from dimse.data.elements import encode_element
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

MODELS: Final = {
    **dict.fromkeys((PatientRootFind, PatientRootMove, PatientRootGet), (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE)),
    **dict.fromkeys((StudyRootFind, StudyRootMove, StudyRootGet), (Level.STUDY, Level.SERIES, Level.IMAGE)),
    **dict.fromkeys((PatientStudyOnlyFind, PatientStudyOnlyMove, PatientStudyOnlyGet), (Level.PATIENT, Level.STUDY)),
}
"""The levels of each information model, from the top (PS3.4 C.6.1 to C.6.3)."""

QUERY_RETRIEVE_LEVEL: Final = 0x0008_0052
RETRIEVE_AE_TITLE: Final = 0x0008_0054
INSTANCE_AVAILABILITY: Final = 0x0008_0056

MAX_LIST: Final = 0xFFFE
"""Bytes of a value that an explicit VR can say the length of (PS3.5 7.1.2); of the values that a study has in a longer list, the first."""
MAX_KEYS: Final = 1000
"""Attributes of an identifier; clients send some dozens."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One element of an identifier: a key to match, and an attribute to return. The VR is "" where the encoding does not tell it."""

    tag: int
    vr: str
    text: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier as it was understood."""

    levels: tuple[Level, ...]
    level: Level
    transfer_syntax: UID
    character_set: str
    wanted: tuple[Wanted, ...]

    @classmethod
    def read(cls, model: UID, data_set: DataSet | None) -> Identifier:
        """Reads the identifier of a request of an information model. Raises `Refused` for one that is none."""
        if model not in MODELS:
            raise Refused(SOP_CLASS_NOT_SUPPORTED, "not an information model of this archive")
        if data_set is None:
            raise Refused(CANNOT_UNDERSTAND, "the request has no identifier")
        raw = _elements_of(data_set)
        character_set = decode(raw.pop(SPECIFIC_CHARACTER_SET, ("", b""))[1]).strip(" \0")
        level = _level(raw.pop(QUERY_RETRIEVE_LEVEL, ("", b""))[1], MODELS[model])
        wanted = tuple(Wanted(tag, vr, _text(tag, value, character_set)) for tag, (vr, value) in sorted(raw.items()))
        return cls(MODELS[model], level, data_set.transfer_syntax, character_set, wanted)

    def key(self, attribute: Attribute) -> Key:
        """The key of an attribute; universal when there is none."""
        return next((_read(attribute, wanted.text) for wanted in self.wanted if wanted.tag == attribute.tag), ())

    def unique_keys(self) -> Iterator[tuple[Level, Attribute, Key]]:
        """The unique keys from the top of the model down to the level. Refuses an identifier that breaks the hierarchy."""
        for level in self.levels:
            if level > self.level:
                return
            attribute = UNIQUE_KEYS[level]
            key = self.key(attribute)
            if level < self.level and not (len(key) == 1 and isinstance(key[0], Equal)):
                what = f"one {attribute.keyword} is needed at level {self.level.name}"
                raise Refused(DATASET_MISMATCH, what, (attribute.tag,))
            yield level, attribute, key


@dataclass(frozen=True, slots=True)
class Find:
    """A C-FIND request, ready to be searched for and answered."""

    search: Search
    complete: bool
    """Whether every key asked for is supported: matches are then FF00H, else FF01H (PS3.4 C.4.1.1.4)."""
    _identifier: Identifier
    _fields: tuple[_Field, ...]

    @classmethod
    def read(cls, identifier: Identifier, aet: str) -> Find:
        """Plans the search. Raises `Refused` for an identifier that breaks the hierarchy, or has a key that is none."""
        for _ in identifier.unique_keys():
            pass
        plan = _Plan(identifier.level)
        plan.constant(QUERY_RETRIEVE_LEVEL, "CS", identifier.level.name)
        plan.constant(RETRIEVE_AE_TITLE, "AE", aet)
        for wanted in identifier.wanted:
            plan.want(wanted)
        search = Search(identifier.level, plan.columns, plan.conditions, frozenset(plan.tables))
        return cls(search, plan.complete, identifier, tuple(sorted(plan.fields, key=lambda each: each.tag)))

    def answer(self, row: Row) -> DataSet:
        """The identifier that answers for one row of the search."""
        syntax = self._identifier.transfer_syntax
        values = [each.constant if each.column is None else row[each.column] for each in self._fields]
        term, codec = encoding_for("".join([value for value in values if isinstance(value, str)]), self._identifier.character_set)
        pieces = [encode_element(SPECIFIC_CHARACTER_SET, "CS", term.encode(), syntax)] if term else []
        for each, value in zip(self._fields, values, strict=True):
            pieces.append(encode_element(each.tag, each.vr, each.encode(value, codec, syntax), syntax))
        if syntax.is_deflated:
            return DataSet(b"".join(pieces), ExplicitVRLittleEndian).encoded_as(syntax)
        return DataSet(b"".join(pieces), syntax)


def retrieve(identifier: Identifier) -> Search:
    """The search for the instances that a C-MOVE or C-GET asks for. Raises `Refused` (PS3.4 C.4.2.2.1)."""
    conditions = []
    for level, attribute, key in identifier.unique_keys():
        if not key or not all(isinstance(test, Equal) for test in key):
            what = f"{attribute.keyword} must say what to retrieve at level {level.name}"
            raise Refused(DATASET_MISMATCH, what, (attribute.tag,))
        conditions.append(condition(key, f"{_table(attribute, Level.IMAGE).table}.{attribute.keyword}"))
    columns = [f"instance.{name}" for name in ("SOPClassUID", "SOPInstanceUID", "transfer_syntax", "offset", "size", "digest")]
    return Search(Level.IMAGE, columns, conditions, frozenset({Level.STUDY}))


@dataclass(frozen=True, slots=True)
class _Field:
    """One element of an answer: a column of the row, or a constant."""

    tag: int
    vr: str
    column: int | None = None
    constant: str = ""

    def encode(self, value: Value, codec: str, syntax: UID) -> bytes:
        if value is None or value == "":
            return b""
        if self.vr == "US":
            return int(value).to_bytes(2, "little" if syntax.is_little_endian else "big")
        encoded = value if isinstance(value, bytes) else str(value).encode(codec)
        return encoded if len(encoded) <= MAX_LIST else encoded[: MAX_LIST + 1].rpartition(b"\\")[0]


@dataclass(frozen=True, slots=True)
class _Computed:
    """An attribute that is worked out when it is asked for (PS3.4 C.3.4). One without a `condition` is returned and never matched."""

    vr: str
    level: Level
    column: str
    condition: Callable[[Key], Condition] | None = None


@dataclass(slots=True)
class _Plan:
    """What a C-FIND comes to, element by element."""

    level: Level
    columns: list[str] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    tables: set[Level] = field(default_factory=set)
    fields: list[_Field] = field(default_factory=list)
    complete: bool = True

    def want(self, wanted: Wanted) -> None:
        attribute, computed = BY_TAG.get(wanted.tag), _COMPUTED.get(wanted.tag)
        if attribute is not None and attribute.level <= self.level:
            self._attribute(attribute, wanted.text)
        elif computed is not None and computed.level <= self.level:
            self._computed(wanted, computed)
        elif wanted.tag == INSTANCE_AVAILABILITY:
            self.constant(wanted.tag, "CS", "ONLINE")
        elif wanted.tag != RETRIEVE_AE_TITLE:  # which every answer has
            self.complete = False
            self.constant(wanted.tag, wanted.vr or "UN", "")

    def constant(self, tag: int, vr: str, text: str) -> None:
        self.fields.append(_Field(tag, vr, constant=text))

    def _attribute(self, attribute: Attribute, text: str) -> None:
        table = _table(attribute, self.level)
        self.tables.add(table)
        self._column(attribute.tag, attribute.vr, f"{table.table}.{attribute.keyword}")
        key = _read(attribute, text)
        if key:
            self.conditions.append(_condition(attribute, table, key))

    def _computed(self, wanted: Wanted, computed: _Computed) -> None:
        patient = "patient.id" if self.level is Level.PATIENT else "study.patient"
        self.tables.add(computed.level if computed.level is not Level.PATIENT or self.level is Level.PATIENT else Level.STUDY)
        self._column(wanted.tag, computed.vr, computed.column.replace("{patient}", patient))
        key = read_key(computed.vr, wanted.text) if computed.condition else ()
        if key and computed.condition:
            self.conditions.append(computed.condition(key))

    def _column(self, tag: int, vr: str, expression: str) -> None:
        self.fields.append(_Field(tag, vr, len(self.columns)))
        self.columns.append(expression)


def _count(what: str, tables: str) -> str:
    return f"(SELECT COUNT(*) FROM {tables} WHERE {what})"


def _each(column: str, tables: str) -> str:
    """The different values in a study; neither a CS nor a UI holds the comma that group_concat puts between them."""
    return f"(SELECT replace(group_concat(DISTINCT {column}), ',', '\\') FROM {tables} WHERE s.study = study.id)"


def _modality(key: Key) -> Condition:
    inner = condition(key, "s.Modality")
    return Condition(f"EXISTS (SELECT 1 FROM series s WHERE s.study = study.id AND {inner.sql})", inner.values)


def _sop_class(key: Key) -> Condition:
    inner = condition(key, "i.SOPClassUID")
    return Condition(f"EXISTS (SELECT 1 FROM {_OF_STUDY} WHERE s.study = study.id AND {inner.sql})", inner.values)


_OF_PATIENT: Final = "study t JOIN series s ON s.study = t.id"
_OF_STUDY: Final = "series s JOIN instance i ON i.series = s.id"
_COMPUTED: Final = {
    0x0008_0061: _Computed("CS", Level.STUDY, _each("s.Modality", "series s"), _modality),
    0x0008_0062: _Computed("UI", Level.STUDY, _each("i.SOPClassUID", _OF_STUDY), _sop_class),
    0x0020_1200: _Computed("IS", Level.PATIENT, _count("t.patient = {patient}", "study t")),
    0x0020_1202: _Computed("IS", Level.PATIENT, _count("t.patient = {patient}", _OF_PATIENT)),
    0x0020_1204: _Computed("IS", Level.PATIENT, _count("t.patient = {patient}", f"{_OF_PATIENT} JOIN instance i ON i.series = s.id")),
    0x0020_1206: _Computed("IS", Level.STUDY, _count("s.study = study.id", "series s")),
    0x0020_1208: _Computed("IS", Level.STUDY, _count("s.study = study.id", _OF_STUDY)),
    0x0020_1209: _Computed("IS", Level.SERIES, _count("i.series = series.id", "instance i")),
}


def _condition(attribute: Attribute, table: Level, key: Key) -> Condition:
    """The condition on a row of `table`. Where many rows may match by an index, as a list of their ids, which comes in the right order."""
    name = table.table
    if attribute.has_words:
        inner = condition(key, "word")
        sql = f"{name}.id IN (SELECT owner FROM {name}_word WHERE tag = {attribute.tag} AND {inner.sql})"
        return Condition(sql, inner.values)
    column = f"{attribute.keyword}{'_key' if attribute.has_key else ''}"
    if attribute.keyword in INDEXED_DATES:
        inner = condition(key, column)
        return Condition(f"{name}.id IN (SELECT id FROM {name} WHERE {inner.sql})", inner.values)
    return condition(key, f"{name}.{column}")


def _table(attribute: Attribute, level: Level) -> Level:
    """The table to look in, for a search at this level: a study has what belongs to its patient."""
    return Level.STUDY if attribute.level is Level.PATIENT and level is not Level.PATIENT else attribute.level


def _read(attribute: Attribute, text: str) -> Key:
    try:
        return read_key(attribute.vr, text)
    except ValueError as error:
        raise Refused(DATASET_MISMATCH, f"{attribute.keyword} {error}", (attribute.tag,)) from None


def _elements_of(data_set: DataSet) -> dict[int, tuple[str, bytes]]:
    """The elements by tag, without group lengths."""
    try:
        walked = list(islice(data_set.elements(), MAX_KEYS + 1))
    except DataError as error:
        raise Refused(CANNOT_UNDERSTAND, f"the identifier cannot be read: {error.what}") from error
    if len(walked) > MAX_KEYS:
        raise Refused(CANNOT_UNDERSTAND, f"the identifier has more than {MAX_KEYS} elements")
    return {element.tag: (element.vr, bytes(element.value)) for element in walked if element.tag & 0xFFFF}


def _level(raw: bytes, levels: tuple[Level, ...]) -> Level:
    name = decode(raw).strip(" \0")
    for level in levels:
        if level.name == name:
            return level
    what = "no Query/Retrieve Level" if not name else "the Query/Retrieve Level is none of this model"
    raise Refused(DATASET_MISMATCH, what, (QUERY_RETRIEVE_LEVEL,))


def _text(tag: int, value: bytes, character_set: str) -> str:
    attribute = BY_TAG.get(tag)
    if attribute is None and tag not in _COMPUTED:
        return ""  # of whatever VR; it is not matched
    if attribute is not None and attribute.vr == "US":
        return str(int.from_bytes(value[:2], "little")) if value else ""
    return decode(value, character_set)
