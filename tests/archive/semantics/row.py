"""A row of the table, how it is asked, and how its answers are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydicom.dataset import Dataset

from dimse.data.datasets import DataSet
from dimse.data.uids import UID, ExplicitVRLittleEndian, PatientRootFind, PatientStudyOnlyFind, StudyRootFind
from tests.archive.semantics.stored import KEYS_BY_LEVEL, Collection
from tests.archive.semantics.writing import Value, Values, encode

STUDY_ROOT, PATIENT_ROOT, PATIENT_STUDY_ONLY = MODELS = StudyRootFind, PatientRootFind, PatientStudyOnlyFind

RELATIONAL: Final = b"\1"
COMBINED: Final = b"\0\1"
FUZZY: Final = b"\0\0\1"
ZONED: Final = b"\0\0\0\1"
EMPTY: Final = b"\0\0\0\0\0\1"
MULTIPLE: Final = b"\0\0\0\0\0\0\1"
"""What may be negotiated, one byte each (PS3.4 C.5.1.1)."""

PENDING, PENDING_WARNING, REFUSED = 0xFF00, 0xFF01, 0xA900
Answers: TypeAlias = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Row:
    """One question and what the standard says of it.

    `finds` are the places (see `stored`) of the studies, series or instances that answer, or the Patient IDs; with the values that their
    answers hold where the row is about those, None for an attribute that is left out. `choice` says what was decided where the standard
    leaves it open or where the decision is not its. The unique key of the level is asked for unless the keys name it.
    """

    id: str
    clause: str
    of: Collection
    level: str
    keys: Values
    finds: str | Answers = ""
    status: int = PENDING
    model: UID = STUDY_ROOT
    options: bytes = b""
    character_set: str = ""
    choice: str = ""

    @property
    def unique_key(self) -> str:
        return KEYS_BY_LEVEL.get(self.level.strip(" \0"), "StudyInstanceUID")

    @property
    def expected(self) -> dict[str, Mapping[str, object]]:
        """What is expected of each answer, by its unique key."""
        found: Answers = {place: {} for place in self.finds.split()} if isinstance(self.finds, str) else self.finds
        return {self.of.uid(place): values for place, values in found.items()}

    def identifier(self) -> DataSet:
        """The identifier of the request; `{2.1}` in a key is the UID at that place."""
        level: Values = {"QueryRetrieveLevel": self.level} if self.level else {}
        keys = {keyword: self._filled(value) for keyword, value in self.keys.items()}
        return DataSet(encode({self.unique_key: "", **level, **keys}, self.character_set), ExplicitVRLittleEndian)

    def _filled(self, value: Value) -> Value:
        if not isinstance(value, str) or "{" not in value:
            return value
        places = [self.of.uid(piece[1:-1]) if piece.startswith("{") else piece for piece in value.split("\\")]
        return "\\".join(places)


def values_of(answer: DataSet, keywords: Iterable[str]) -> dict[str, object]:
    """The values of an answer as texts, of a sequence as lists of such; None for what it does not hold."""
    return _values(answer.dataset, keywords)


def expected_answer(row: Row) -> str:
    """The expectation in words, as `answered` tells of answers."""
    if row.status < PENDING:
        return f"{row.status:04X}"
    return " ".join(sorted(row.of.place(unique) for unique in row.expected)) or "nothing"


def answered(row: Row, answers: Iterable[DataSet]) -> str:
    """Answers in words: the places or Patient IDs that answered, each with what is not as the row expects it."""
    uniques = [(str(answer.get(row.unique_key, "")), answer) for answer in answers]
    told = [row.of.place(unique) + _wrong(row.expected.get(unique, {}), answer) for unique, answer in uniques if row.of.owns(unique)]
    return " ".join(sorted(told)) or "nothing"


def _wrong(expected: Mapping[str, object], answer: DataSet) -> str:
    got = values_of(answer, expected)
    wrong = [keyword for keyword, value in expected.items() if not same(got[keyword], value)]
    return f" ({', '.join(f'{keyword} {_in_words(got[keyword])}' for keyword in wrong)})" if wrong else ""


def _in_words(value: object) -> str:
    if value is None:
        return "left out"
    return "otherwise" if isinstance(value, list) else repr(value) if value else "empty"


def same(got: object, expected: object) -> bool:
    """Whether a value is the expected one; several values may come in any order."""
    if isinstance(got, str) and isinstance(expected, str):
        return sorted(got.split("\\")) == sorted(expected.split("\\"))
    return got == expected


def _values(found: Dataset, keywords: Iterable[str]) -> dict[str, object]:
    return {keyword: _value(found, keyword) for keyword in keywords}


def _value(found: Dataset, keyword: str) -> object:
    key: int | str = int(keyword[:8], 16) if ":" in keyword else keyword
    if key not in found:
        return None
    value = found[key].value
    if found[key].VR == "SQ":
        return [_values(item, [each.keyword for each in item]) for item in value]
    several = value if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else [value]
    return "\\".join("" if one is None else str(one) for one in several)
