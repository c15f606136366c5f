"""Random data sets and random queries: what the archive answers is what the plain reference matcher says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dimse.archive import Archive
from dimse.association.negotiation import AcceptedContext
from dimse.data.commands import CommandField, CommandSet
from dimse.data.datasets import DataSet
from dimse.data.uids import CTImageStorage, ExplicitVRLittleEndian, StudyRootFind
from dimse.errors import Refused
from dimse.services.handlers import Request, Services
from tests.archive.samples import PEER, Sample, store
from tests.archive.semantics import reference
from tests.archive.semantics.reference import LEVELS, Entity, NoKeyError
from tests.archive.semantics.row import RELATIONAL
from tests.archive.semantics.stored import KEYS_BY_LEVEL
from tests.archive.semantics.writing import encode

UTF_8: Final = "ISO_IR 192"


@dataclass(frozen=True)
class Kind:
    """An attribute that is stored and asked for: its level, whether it may have several values, whether the index keeps it."""

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
    "ReasonForStudy": Kind("LO", "STUDY"),  # of these three the index keeps nothing
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

_DATES: Final = ["20191231", "20200101", "20200229", "2020.02.29", "20210301"]
_TIMES: Final = ["00", "0030", "003000", "10:30:00", "103000.5", "1030", "235959.999999", "23"]
_DATETIMES: Final = [
    "2020",
    "202002",
    "20200229",
    "2020022910",
    "20200229103000",
    "20200229103000.5+0100",
    "20200229093000.5",
    "20200301003000-0500",
]
_NUMBERS: Final = {"IS": ["7", "007", "+7", "-7", "70", "0", "-0", "x"], "DS": ["7", "7.0", "0.70e1", "-7", "70", "0", "x", " 7 "]}
_MOMENTS: Final = {"DA": _DATES, "TM": _TIMES, "DT": _DATETIMES}
_TEXT: Final = st.text("abAB%_[]'- ", max_size=4)
_NAME: Final = st.lists(st.text("abABäÄ^ '", max_size=4), min_size=1, max_size=3).map("=".join)


def stored(vr: str) -> st.SearchStrategy[str]:
    """One value as it may be stored, also none."""
    if vr in _MOMENTS:
        return st.sampled_from(["", *_MOMENTS[vr], "soon"])
    if vr in _NUMBERS:
        return st.sampled_from(["", *_NUMBERS[vr]])
    return _NAME if vr == "PN" else _TEXT


def asked(vr: str) -> st.SearchStrategy[str]:
    """One value of a key."""
    if vr in _MOMENTS:
        one = st.sampled_from(_MOMENTS[vr])
        ends = st.sampled_from(["", *_MOMENTS[vr]])
        return st.one_of(one, st.tuples(ends, ends).map("-".join), st.sampled_from(["", "*", "soon", " - "]))
    if vr in _NUMBERS:
        return st.sampled_from(["", "*", "7*", *_NUMBERS[vr]])
    if vr == "PN":
        return st.one_of(_NAME, st.lists(st.text("aBä^*? ", max_size=4), min_size=1, max_size=3).map("=".join).filter(_says_something))
    return st.one_of(_TEXT, st.text("aB%[]'*?- ", max_size=4))


def _says_something(name: str) -> bool:
    """Not what C.2.2.2.4 warns of: `*=*` may be universal, or not."""
    return "=" not in name or bool(name.strip("*=^ "))


def several(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=3).map("\\".join)


def values_of(level: str) -> st.SearchStrategy[dict[str, str]]:
    kinds = {keyword: kind for keyword, kind in ATTRIBUTES.items() if kind.level == level}
    return st.fixed_dictionaries(
        {},
        optional={keyword: several(stored(kind.vr)) if kind.several else stored(kind.vr) for keyword, kind in kinds.items()},
    )


def trees(depth: int = 0) -> st.SearchStrategy[list[Entity]]:
    below = trees(depth + 1) if depth < 2 else st.just([])
    return st.lists(st.builds(Entity, st.just(""), values_of(LEVELS[depth]), below), min_size=1, max_size=2)


def queries() -> st.SearchStrategy[tuple[str, dict[str, str]]]:
    def of(level: str) -> st.SearchStrategy[tuple[str, dict[str, str]]]:
        keywords = [keyword for keyword, kind in ATTRIBUTES.items() if LEVELS.index(kind.level) <= LEVELS.index(level)]
        chosen = st.lists(st.sampled_from(keywords), min_size=1, max_size=3, unique=True)
        keys = chosen.flatmap(lambda names: st.fixed_dictionaries({name: key_of(ATTRIBUTES[name]) for name in names}))
        return st.tuples(st.just(level), keys)

    return st.sampled_from(LEVELS).flatmap(of)


def key_of(kind: Kind) -> st.SearchStrategy[str]:
    return asked(kind.vr) if kind.vr == "LT" else st.one_of(asked(kind.vr), several(asked(kind.vr)))


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Archive(tmp_path_factory.mktemp("random"), durability="relaxed") as archive:
        yield archive.services()


_examples = count(1)


@given(studies=trees(), asked=st.lists(queries(), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example([Entity("", {"PatientName": "a^b=ä"}, [Entity("", {}, [Entity("", {})])])], [("STUDY", {"PatientName": "A*=Ä"})])
def test_the_archive_answers_as_the_reference(services: Services, studies: list[Entity], asked: list[tuple[str, dict[str, str]]]) -> None:
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
    assert services.find is not None
    try:
        answers = [match[1] for match in services.find(request) if isinstance(match, tuple)]
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
