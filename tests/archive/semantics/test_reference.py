"""Random data sets and random queries: what the archive answers is what the plain reference matcher says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dimse.archive import Archive
from dimse.association.negotiation import AcceptedContext
from dimse.data.commands import CommandField, CommandSet
from dimse.data.datasets import DataSet
from dimse.data.uids import CTImageStorage, ExplicitVRLittleEndian, StudyRootFind
from dimse.errors import Refused
from dimse.services.handlers import Request, Services
from tests.archive.samples import PEER, Sample, matches_of, store
from tests.archive.semantics import reference
from tests.archive.semantics.reference import LEVELS, Entity, NoKeyError
from tests.archive.semantics.row import RELATIONAL
from tests.archive.semantics.stored import KEYS_BY_LEVEL
from tests.archive.semantics.writing import encode

UTF_8: Final = "ISO_IR 192"
Query: TypeAlias = tuple[str, dict[str, str]]
"""A level, and the keys by keyword."""


@dataclass(frozen=True)
class Kind:
    """An attribute that is stored and asked for: its VR, its level, and whether it may have several values."""

    vr: str
    level: str
    several: bool = False


ATTRIBUTES: Final = {
    "PatientName": Kind("PN", "STUDY"),
    "PatientSex": Kind("CS", "STUDY"),
    "PatientComments": Kind("LT", "STUDY"),
    "OtherPatientIDs": Kind("LO", "STUDY", several=True),
    "PatientWeight": Kind("DS", "STUDY"),
    "StudyDescription": Kind("LO", "STUDY"),
    "AccessionNumber": Kind("SH", "STUDY"),
    "StudyDate": Kind("DA", "STUDY"),
    "StudyTime": Kind("TM", "STUDY"),
    "NameOfPhysiciansReadingStudy": Kind("PN", "STUDY", several=True),
    "ReasonForStudy": Kind("LO", "STUDY"),  # this, KVP and ImageType are not in the index
    "SeriesNumber": Kind("IS", "SERIES"),
    "Modality": Kind("CS", "SERIES"),
    "SeriesDate": Kind("DA", "SERIES"),
    "OperatorsName": Kind("PN", "SERIES", several=True),
    "InstanceNumber": Kind("IS", "IMAGE"),
    "AcquisitionDateTime": Kind("DT", "IMAGE"),
    "ContentTime": Kind("TM", "IMAGE"),
    "KVP": Kind("DS", "IMAGE"),
    "ImageType": Kind("CS", "IMAGE", several=True),
}

_STORED: Final = {
    "DA": ["20191231", "20200101", "20200229", "2020.02.29", "20210301", "soon"],
    "TM": ["00", "0030", "003000", "10:30:00", "103000.5", "1030", "235959.999999", "23", "soon"],
    "DT": ["2020", "202002", "20200229", "20200229103000", "20200229103000.5+0100", "20200229093000.5", "20200301003000-0500", "soon"],
    "IS": ["7", "007", "+7", "-7", "70", "0", "-0", "x", " 7 "],
    "DS": ["7", "7.0", "0.70e1", "-7", "70", "0", "-0", "x", " 7 "],
    "PN": ["a^b", "A^B", "ä^b", "Ä^B", "a^b^^", "a^b=ä^ö", "=ä^ö", "a^b=ä^ö=x^y", "a=b", "ab", " a^b =x", "a^c", "a'b%_["],
    "": ["a", "ab", "aB", "a b", "a  b", "a_b", "a%b", "axb", "[ab]", "'a'", " a ", "abab", "-", "b"],
}
"""Values that differ in what matters to their VR; those of texts stand under ""."""
_ASKED: Final = {
    "DA": ["20200101-", "-20200101", "20200101-20200229", "20200229-20200101", "20200301-20211231", "-", "2020"],
    "TM": ["00-01", "-0030", "1030-", "0030-10", "10", "10-1030", "103000.5-103000.6", "003000-0030"],
    "DT": ["2020-", "-202002", "20200229093000-", "20200229-202003", "20200229103000+0100", "202003", "20200229053000-0500-20200229"],
    "IS": ["7*", "?", "00070", "7.0"],
    "DS": ["7*", "?", "7e0", "0.0"],
    "PN": ["a*", "A^?", "*ö", "=ä*", "a*=ä*", "==x^y", "x^y", "a^b=", "a^c=ä^ö", "?^b", "*", "^", "*^*", "a*=x*", "b", "==x*", "[*"],
    "": ["a*", "*b", "?b", "a?b", "[ab]*", "[*", "A*", "*", "a%*", "a**b", "?", "??", "*a*", "a *", "*  *", "_*"],
}
"""Values of keys that are no values to be stored."""
_LETTERS: Final = {"PN": "abBäÄ^= '", "": "abB%_[]'- ", "IS": "7x", "DS": "7x"}


def _pool(vr: str) -> str:
    return vr if vr in _STORED else ""


def _random(vr: str, more: str = "") -> st.SearchStrategy[str]:
    """Any text, where the VR is one of texts or numbers; what is no date is one text as another."""
    return st.text(_LETTERS.get(_pool(vr), "x") + more, max_size=4)


def stored(vr: str) -> st.SearchStrategy[str]:
    """One value as it may be stored, also none."""
    return st.one_of(st.sampled_from(_STORED[_pool(vr)]), st.just(""), _random(vr))


def asked(vr: str) -> st.SearchStrategy[str]:
    """One value of a key."""
    more = "" if vr in ("DA", "TM", "DT") else "*?"
    known = st.sampled_from(_STORED[_pool(vr)]), st.sampled_from(_ASKED[_pool(vr)])
    return st.one_of(*known, *known, st.sampled_from(["", "*"]), _random(vr, more).filter(_is_clear))


def _is_clear(name: str) -> bool:
    """Not what C.2.2.2.4 warns of: `*=*` may be universal, or not."""
    return "=" not in name or bool(name.strip("*=^ "))


def several(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=3).map("\\".join)


def value_of(kind: Kind) -> st.SearchStrategy[str]:
    return several(stored(kind.vr)) if kind.several else stored(kind.vr)


def key_of(kind: Kind) -> st.SearchStrategy[str]:
    one = asked(kind.vr)
    return one if kind.vr == "LT" else st.one_of(one, several(one))


def values_and_keys(keyword: str) -> st.SearchStrategy[tuple[list[str], list[str]]]:
    """What six entities have of an attribute, and ten keys."""
    kind = ATTRIBUTES[keyword]
    return st.tuples(st.lists(value_of(kind), min_size=6, max_size=6), st.lists(key_of(kind), min_size=10, max_size=10))


def tree(level: str, values: Sequence[dict[str, str]]) -> list[Entity]:
    """Entities of a level with these values, three below each of the level above, with an instance below each."""
    if level == "STUDY":
        return [Entity("", own, [Entity("", {}, [Entity("", {})])]) for own in values]
    if level == "SERIES":
        return [Entity("", {}, [Entity("", own, [Entity("", {})]) for own in values[at : at + 3]]) for at in range(0, len(values), 3)]
    return [Entity("", {}, [Entity("", {}, [Entity("", own) for own in values[at : at + 3]]) for at in range(0, len(values), 3)])]


@st.composite
def mixed(draw: st.DrawFn) -> tuple[list[Entity], list[Query]]:
    """Two attributes of each level in two studies, with queries for two or three of them."""
    of = {level: [keyword for keyword, kind in ATTRIBUTES.items() if kind.level == level] for level in LEVELS}
    chosen = {level: draw(st.lists(st.sampled_from(of[level]), min_size=2, max_size=2, unique=True)) for level in LEVELS}
    values = {level: st.fixed_dictionaries({keyword: value_of(ATTRIBUTES[keyword]) for keyword in chosen[level]}) for level in LEVELS}
    images = st.lists(st.builds(Entity, st.just(""), values["IMAGE"]), min_size=2, max_size=2)
    series = st.lists(st.builds(Entity, st.just(""), values["SERIES"], images), min_size=2, max_size=2)
    studies = draw(st.lists(st.builds(Entity, st.just(""), values["STUDY"], series), min_size=2, max_size=2))
    asked: list[Query] = []
    for depth, level in enumerate(LEVELS):
        keywords = [keyword for above in LEVELS[: depth + 1] for keyword in chosen[above]]
        for _ in range(3):
            names = draw(st.lists(st.sampled_from(keywords), min_size=2, max_size=3, unique=True)) if depth else keywords
            asked.append((level, {name: draw(key_of(ATTRIBUTES[name])) for name in names}))
    return studies, asked


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Archive(tmp_path_factory.mktemp("random"), durability="relaxed") as archive:
        yield archive.services()


_examples = count(1)


LESS: Final = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.parametrize("keyword", ATTRIBUTES)
@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=LESS)
def test_an_attribute(services: Services, keyword: str, data: st.DataObject) -> None:
    values, keys = data.draw(values_and_keys(keyword))
    level = ATTRIBUTES[keyword].level
    compare(services, tree(level, [{keyword: value} for value in values]), [(level, {keyword: key}) for key in keys])


@given(case=mixed())
@settings(max_examples=40, deadline=None, suppress_health_check=LESS)
def test_attributes_of_all_levels(services: Services, case: tuple[list[Entity], list[Query]]) -> None:
    compare(services, *case)


def compare(services: Services, studies: list[Entity], asked: list[Query]) -> None:
    root = next(_examples)
    keep(services, studies, root)
    for level, keys in asked:
        try:
            expected = reference.find(studies, level, {name: (ATTRIBUTES[name].vr, key) for name, key in keys.items()})
        except NoKeyError:
            expected = ["A900"]
        assert found(services, root, level, keys) == expected, (level, keys)


def keep(services: Services, studies: list[Entity], root: int) -> None:
    """Stores the instances of an example; its Study ID tells them from all others."""
    for s, study in enumerate(studies, 1):
        study.uid = f"1.2.{root}.{s}"
        for e, series in enumerate(study.children, 1):
            series.uid = f"{study.uid}.{e}"
            for i, image in enumerate(series.children, 1):
                image.uid = f"{series.uid}.{i}"
                unique = {"StudyInstanceUID": study.uid, "SeriesInstanceUID": series.uid, "SOPInstanceUID": image.uid}
                more = {"SOPClassUID": CTImageStorage, "PatientID": study.uid, "StudyID": str(root)}
                encoded = encode({**unique, **more, **_raw(study.values | series.values | image.values)}, UTF_8)  # type: ignore[operator]
                assert store(services, Sample(encoded, image.uid)) == 0


def found(services: Services, root: int, level: str, keys: Mapping[str, str]) -> list[str]:
    """The UIDs that the archive finds in an example, by a relational query, sorted; the status when it refuses the keys."""
    unique = KEYS_BY_LEVEL[level]
    encoded = encode({"QueryRetrieveLevel": level, unique: "", "StudyID": str(root), **_raw(keys)}, UTF_8)
    identifier = DataSet(encoded, ExplicitVRLittleEndian)
    command = CommandSet(CommandField.C_FIND_RQ, message_id=1, priority=0, command_data_set_type=0, affected_sop_class_uid=StudyRootFind)
    request = Request(PEER, command, AcceptedContext(1, StudyRootFind, ExplicitVRLittleEndian), identifier, RELATIONAL)
    try:
        answers = [match for _, match in matches_of(services, request)]
    except Refused as refused:
        return [f"{refused.status:04X}"]
    return sorted(str(answer[unique]) for answer in answers)


def _raw(values: Mapping[str, str]) -> dict[str, bytes]:
    """The values as bytes, since some are no values of their VR."""
    return {keyword: value.encode() for keyword, value in values.items()}


@pytest.mark.parametrize(
    ("vr", "value", "key", "matched"),
    [
        ("LO", "abc", "a?c", True),
        ("LO", "abc", "A*", False),
        ("LO", "", "a*", False),
        ("LO", "", "", True),
        ("LT", "a\\b", "a", False),
        ("PN", "Doe^John^^=x", "doe^john", True),
        ("PN", "Doe^John", "=doe^john", True),
        ("PN", "a=b", "a=c", False),
        ("DA", "20200229", "20200101-", True),
        ("DA", "20200229", "20200301-", False),
        ("DA", "soon", "-20200301", False),
        ("TM", "103000.5", "1030", True),
        ("TM", "11", "10-1030", False),
        ("DT", "20200229103000+0100", "20200229093000", True),
        ("DT", "20200229103000-0100", "20200229093000", False),
        ("DS", "7.0", "70e-1", True),
        ("IS", "007", "7", True),
        ("IS", "7.0", "7", False),
        ("UI", "1.2", "1.*", False),
    ],
)
def test_the_reference(vr: str, value: str, key: str, matched: bool) -> None:
    assert reference.matches(vr, value, key) is matched


def test_the_reference_knows_what_is_no_key() -> None:
    for key in ("soon", "-", "20200101-soon", "2020"):
        with pytest.raises(NoKeyError):
            reference.matches("DA", "20200101", key)
