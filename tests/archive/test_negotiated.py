"""The options of queries and retrieves that are negotiated (PS3.4 C.5.1.1): with each of them, and without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from dimse.archive.options import Options, granted
from dimse.data.datasets import DataSet, query
from dimse.data.status import PENDING, PENDING_WARNING
from dimse.data.uids import (
    UID,
    CTImageStorage,
    PatientRootFind,
    PatientRootMove,
    PatientStudyOnlyFind,
    StudyRootFind,
    StudyRootGet,
    StudyRootMove,
)
from dimse.errors import Refused
from dimse.services.handlers import Services
from tests.archive.samples import matches_of, request, sample, store

RELATIONAL, COMBINED, ZONED = b"\1", b"\0\1", b"\0\0\0\1"
BOTH = b"\0\1\0\1"


def ask(services: Services, level: str, agreed: bytes, model: UID = StudyRootFind, /, **keys: str) -> list[tuple[int, DataSet]]:
    found = matches_of(services, replace(request(model, query(level, **keys)), extended=agreed))
    return [(int(status), match) for status, match in found]


def told(services: Services, level: str, agreed: bytes, of: str, /, **keys: str) -> list[str]:
    return [match[of] for _, match in ask(services, level, agreed, PatientRootFind, **{of: "", **keys})]


def move(services: Services, level: str, agreed: bytes, model: UID = StudyRootMove, /, **keys: str) -> list[str]:
    assert services.move is not None
    return [str(source.sop_instance_uid) for source in services.move(replace(request(model, query(level, **keys)), extended=agreed))]


@pytest.mark.parametrize(
    ("sop_class", "proposed", "answer"),
    [
        (StudyRootFind, b"\1", b"\1"),
        (PatientRootFind, b"\1\1\1\1", b"\1\1\1\1"),
        (PatientStudyOnlyFind, b"\1\1\1\1\1\1\1\1", b"\1\1\1\1\0\1\1"),
        (StudyRootFind, b"\0\1\0\1", b"\0\1\0\1"),
        (StudyRootFind, b"\2\xff", b"\0\0"),
        (StudyRootMove, b"\1\1", b"\1\0"),
        (StudyRootGet, b"\1", b"\1"),
        (StudyRootFind, b"", None),
        (CTImageStorage, b"\1", None),
    ],
)
def test_what_is_granted(services: Services, sop_class: UID, proposed: bytes, answer: bytes | None) -> None:
    assert granted(sop_class, proposed) == answer
    assert services.extended is not None
    assert services.extended(sop_class, proposed) == answer


def test_only_what_was_granted_is_agreed_on() -> None:
    assert Options.of(StudyRootFind, b"") == Options() == Options.of(CTImageStorage, b"\1")
    assert Options.of(StudyRootFind, b"\1\0\1") == Options(relational=True, fuzzy=True)
    assert Options.of(StudyRootFind, b"\0\0\0\0\1\1\1\1") == Options(empty=True, multiple=True)
    assert Options.of(StudyRootMove, b"\1\1") == Options(relational=True)


# Relational queries and retrieves


@pytest.fixture
def filled(services: Services) -> Services:
    """Two patients: A1 with a study of a CT and an SR series and one of MR, B1 with one of CT."""
    for place, patient, modality in (
        ("1.1.1", "A1", "CT"),
        ("1.1.2", "A1", "CT"),
        ("1.2.1", "A1", "SR"),
        ("2.1.1", "A1", "MR"),
        ("3.1.1", "B1", "CT"),
    ):
        study, series, number = place.split(".")
        values = {"PatientID": patient, "Modality": modality, "InstanceNumber": number, "StudyDate": f"202{study}0101", "Rows": "\1\2"}
        values |= {"OperatorsName": "Stone^Mary" if patient == "A1" else "Wood^Jim", "AccessionNumber": f"N{study}"}
        store(services, sample(f"1.9.{place}", b"", StudyInstanceUID=f"1.9.{study}", SeriesInstanceUID=f"1.9.{study}.{series}", **values))
    return services


@pytest.mark.parametrize(
    ("level", "keys", "found"),
    [
        ("IMAGE", {"PatientID": "A1"}, ["1.9.1.1.1", "1.9.1.1.2", "1.9.1.2.1", "1.9.2.1.1"]),
        ("IMAGE", {"Modality": "CT", "InstanceNumber": "2"}, ["1.9.1.1.2"]),
        ("IMAGE", {"StudyDate": "20220101-"}, ["1.9.2.1.1", "1.9.3.1.1"]),
        ("IMAGE", {"PatientID": "A*", "SeriesInstanceUID": "1.9.1.2\\1.9.2.1"}, ["1.9.1.2.1", "1.9.2.1.1"]),
        ("SERIES", {"Modality": "CT"}, ["1.9.1.1", "1.9.3.1"]),
        ("SERIES", {"SOPInstanceUID": "1.9.2.1.1"}, ["1.9.2.1"]),
        ("STUDY", {"Modality": "SR"}, ["1.9.1"]),
        ("STUDY", {"Modality": "SR", "InstanceNumber": "2"}, []),
        ("STUDY", {"Modality": "CT", "InstanceNumber": "2"}, ["1.9.1"]),
        ("STUDY", {"OperatorsName": "wood*", "PatientID": ""}, ["1.9.3"]),
        ("STUDY", {"SOPInstanceUID": "1.9.1.2.1"}, ["1.9.1"]),
        ("PATIENT", {"Modality": "MR"}, ["A1"]),
        ("PATIENT", {"AccessionNumber": "N3"}, ["B1"]),
        ("PATIENT", {"StudyDate": "20210101-20220101"}, ["A1"]),
        ("PATIENT", {"SOPInstanceUID": "1.9.3.1.1", "Modality": "CT"}, ["B1"]),
        ("PATIENT", {"InstanceNumber": ""}, ["A1", "B1"]),
    ],
)
def test_relational_queries(filled: Services, level: str, keys: dict[str, str], found: list[str]) -> None:
    """Keys of any level; those of a level below are matched, and left out of the answer."""
    unique = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
    answers = ask(filled, level, RELATIONAL, PatientRootFind, **{unique: "", **keys})
    assert [match[unique] for _, match in answers] == found
    below = level == "PATIENT" or (level == "STUDY" and "PatientID" not in keys) or "SOPInstanceUID" in keys
    assert {status for status, _ in answers} <= {PENDING_WARNING if below or "OperatorsName" in keys else PENDING}


def test_without_them_the_hierarchy_holds(filled: Services) -> None:
    for level, keys in (("IMAGE", {"PatientID": "A1"}), ("SERIES", {"Modality": "CT"}), ("STUDY", {})):
        with pytest.raises(Refused) as refused:
            ask(filled, level, COMBINED, PatientRootFind, **keys)
        assert refused.value.status == 0xA900
    assert told(filled, "PATIENT", b"", "PatientID", Modality="MR") == ["A1", "B1"]


@pytest.mark.parametrize(
    ("level", "keys", "found"),
    [
        ("IMAGE", {"SOPInstanceUID": "1.9.1.2.1\\1.9.3.1.1"}, ["1.9.1.2.1", "1.9.3.1.1"]),
        ("IMAGE", {"SOPInstanceUID": "1.9.1.2.1\\1.9.3.1.1", "PatientID": "A1"}, ["1.9.1.2.1"]),
        ("SERIES", {"SeriesInstanceUID": "1.9.1.1"}, ["1.9.1.1.1", "1.9.1.1.2"]),
        ("SERIES", {"SeriesInstanceUID": "1.9.1.1", "StudyInstanceUID": "1.9.1\\1.9.2"}, ["1.9.1.1.1", "1.9.1.1.2"]),
    ],
)
def test_relational_retrieves(filled: Services, level: str, keys: dict[str, str], found: list[str]) -> None:
    assert move(filled, level, RELATIONAL, PatientRootMove, **keys) == found
    with pytest.raises(Refused):
        move(filled, level, b"", PatientRootMove, **keys)


@pytest.mark.parametrize(
    ("level", "keys"), [("IMAGE", {"StudyInstanceUID": "1.9.1"}), ("SERIES", {"SeriesInstanceUID": "1", "PatientID": "A*"})]
)
def test_a_relational_retrieve_says_what_to_retrieve(filled: Services, level: str, keys: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        move(filled, level, RELATIONAL, PatientRootMove, **keys)
    assert refused.value.status == 0xA900


# Dates and times: as one, and in the asker's zone


def timed(services: Services, *moments: Mapping[str, str]) -> None:
    for number, moment in enumerate(moments):
        store(services, sample(f"1.9.{number}", b"", StudyInstanceUID=str(number), PatientID=str(number), **moment))


NIGHTS = (
    {"StudyDate": "20200101", "StudyTime": "2200"},
    {"StudyDate": "20200102", "StudyTime": "0100"},
    {"StudyDate": "20200102", "StudyTime": "2300"},
    {"StudyDate": "20200102"},
    {"StudyTime": "2330"},
)


@pytest.mark.parametrize(
    ("date", "time", "together", "apart"),
    [
        ("20200101-20200102", "2100-0200", ["0", "1", "3"], []),
        ("20200102-", "0100-", ["1", "2"], ["1", "2"]),
        ("20200102-", "0001-", ["1", "2"], ["1", "2"]),
        ("-20200102", "-0100", ["0", "1", "3"], ["1"]),
        ("20200102", "0000-2359", ["1", "2"], ["1", "2"]),
        ("20200101-20200102", "2200-", ["0", "2"], ["0", "2"]),
        ("20200101-20200102", "", ["0", "1", "2", "3"], ["0", "1", "2", "3"]),
    ],
)
def test_dates_and_times_as_one(services: Services, date: str, time: str, together: list[str], apart: list[str]) -> None:
    timed(services, *NIGHTS)
    keys = {"StudyDate": date, "StudyTime": time}
    assert sorted(told(services, "STUDY", b"\1\1", "StudyInstanceUID", **keys)) == together
    assert sorted(told(services, "STUDY", RELATIONAL, "StudyInstanceUID", **keys)) == apart
    assert sorted(told(services, "PATIENT", b"\1\1", "PatientID", **keys)) == sorted(told(services, "PATIENT", b"\1", "PatientID", **keys))


def test_a_pair_that_the_index_does_not_keep(services: Services) -> None:
    timed(services, *({key.replace("Study", "Admitting"): value for key, value in each.items()} for each in NIGHTS))
    keys = {"AdmittingDate": "20200101-20200102", "AdmittingTime": "2100-0200"}
    assert told(services, "STUDY", b"\1\1", "StudyInstanceUID", **keys) == ["0", "1", "3"]
    assert told(services, "STUDY", RELATIONAL, "StudyInstanceUID", **keys) == []
    keys = {"AdmittingDate": "20200102", "TimezoneOffsetFromUTC": "+0000"}
    assert told(services, "STUDY", b"\1\0\0\1", "StudyInstanceUID", **keys) == ["1", "2", "3"]


EVENING = {"StudyDate": "20191231", "StudyTime": "233000.25", "TimezoneOffsetFromUTC": "-0500"}


@pytest.mark.parametrize(
    ("zone", "date", "time"),
    [
        ("+0000", "20200101", "043000.25"),
        ("-0500", "20191231", "233000.25"),
        ("+0530", "20200101", "100000.25"),
        ("-0930", "20191231", "190000.25"),
    ],
)
def test_times_are_told_in_the_zone_that_the_asker_names(services: Services, zone: str, date: str, time: str) -> None:
    timed(services, EVENING)
    keys = {"StudyInstanceUID": "0", "StudyDate": "", "StudyTime": "", "TimezoneOffsetFromUTC": zone}
    ((status, match),) = ask(services, "STUDY", ZONED, **keys)
    assert (status, match["StudyDate"], match["StudyTime"], match["TimezoneOffsetFromUTC"]) == (PENDING, date, time, zone)
    for key in ({"StudyDate": date}, {"StudyTime": time[:4]}, {"StudyDate": f"{date}-{date}", "StudyTime": f"{time[:4]}-{time[:4]}"}):
        for agreed in (ZONED, BOTH):
            assert len(ask(services, "STUDY", agreed, **{**keys, **key})) == 1
            assert len(ask(services, "STUDY", agreed, TimezoneOffsetFromUTC=zone, **key)) == 1  # though nothing else is asked for
    for key in ({"StudyDate": "20200102"}, {"StudyTime": "0000"}, {"StudyDate": "20200103-", "StudyTime": "0000-"}):
        for agreed in (ZONED, BOTH):
            assert ask(services, "STUDY", agreed, **{**keys, **key}) == []


def test_what_was_not_agreed_on_is_not_done(services: Services) -> None:
    timed(services, EVENING)
    ((_, match),) = ask(services, "STUDY", b"", StudyDate="20191231", StudyTime="2330", TimezoneOffsetFromUTC="+0000")
    assert (match["StudyDate"], match["TimezoneOffsetFromUTC"]) == ("20191231", "-0500")
    ((_, match),) = ask(services, "STUDY", ZONED, StudyDate="20191231", TimezoneOffsetFromUTC="")
    assert match["TimezoneOffsetFromUTC"] == "-0500"


@pytest.mark.parametrize(
    "moment",
    [
        {"StudyDate": "20191231", "TimezoneOffsetFromUTC": "-0500"},
        {"StudyDate": "20191231", "StudyTime": "2330"},
        {"StudyDate": "20191231", "StudyTime": "2330", "TimezoneOffsetFromUTC": "EST"},
        {"StudyDate": "20191231", "StudyTime": "later", "TimezoneOffsetFromUTC": "-0500"},
        {"StudyDate": "20191231", "StudyTime": "2530", "TimezoneOffsetFromUTC": "-0500"},
    ],
)
def test_a_time_whose_zone_or_hour_nothing_tells_stands_as_it_is(services: Services, moment: dict[str, str]) -> None:
    timed(services, moment)
    assert len(ask(services, "STUDY", ZONED, StudyDate="20191231", StudyTime="", TimezoneOffsetFromUTC="+0000")) == 1
    assert ask(services, "STUDY", ZONED, StudyDate="20200101", StudyTime="", TimezoneOffsetFromUTC="+0000") == []


@pytest.mark.parametrize("keyword", ["AcquisitionDateTime", "FrameAcquisitionDateTime"])  # one of the index, one of the file
def test_date_times(services: Services, keyword: str) -> None:
    place = {"StudyInstanceUID": "0", "SeriesInstanceUID": "1.9.0.2"}
    store(services, sample("1.9.0", b"", **place, TimezoneOffsetFromUTC="+0100", **{keyword: "20200101120000"}))
    asked = {**place, "SOPInstanceUID": "", keyword: "20200101110000", "TimezoneOffsetFromUTC": "+0000"}
    ((_, match),) = ask(services, "IMAGE", ZONED, **asked)
    assert match[keyword] == "20200101120000+0100"
    assert ask(services, "IMAGE", ZONED, **{**asked, keyword: "20200101120000"}) == []
    assert ask(services, "IMAGE", b"", **{**asked, keyword: "20200101110000"}) == []
    assert len(ask(services, "IMAGE", b"", **{**asked, keyword: "20200101120000"})) == 1
    ((_, match),) = ask(services, "IMAGE", b"", **{**asked, keyword: "20200101060000-0500"})
    assert match[keyword] == "20200101120000"


def test_a_zone_that_is_none(services: Services) -> None:
    with pytest.raises(Refused, match="Timezone Offset") as refused:
        ask(services, "STUDY", ZONED, TimezoneOffsetFromUTC="CET")
    assert refused.value.status == 0xA900


def test_empty_dates_in_a_zone(services: Services) -> None:
    timed(services, EVENING, {"StudyTime": "10"})
    agreed = b"\0\0\0\1\0\1"
    assert [
        match["StudyInstanceUID"]
        for _, match in ask(services, "STUDY", agreed, StudyInstanceUID="", StudyDate='""', TimezoneOffsetFromUTC="+0000")
    ] == ["1"]


# Empty and multiple values, of what is computed and of words in the index


def test_modalities_of_a_study(filled: Services) -> None:
    each, none = b"\0\0\0\0\0\0\1", b"\0\0\0\0\0\1"
    store(filled, sample("1.9.4.1.1", b"", StudyInstanceUID="1.9.4", SeriesInstanceUID="1.9.4.1", Modality=""))
    assert [match["StudyInstanceUID"] for _, match in ask(filled, "STUDY", each, StudyInstanceUID="", ModalitiesInStudy="SR\\CT")] == [
        "1.9.1"
    ]
    assert len(ask(filled, "STUDY", b"", StudyInstanceUID="", ModalitiesInStudy="SR\\CT")) == 2
    assert [match["StudyInstanceUID"] for _, match in ask(filled, "STUDY", none, StudyInstanceUID="", ModalitiesInStudy='""')] == ["1.9.4"]
    assert [
        match["StudyInstanceUID"] for _, match in ask(filled, "STUDY", none, StudyInstanceUID="", NameOfPhysiciansReadingStudy='""')
    ] == [
        "1.9.1",
        "1.9.2",
        "1.9.3",
        "1.9.4",
    ]


@pytest.mark.parametrize(
    ("level", "keys", "found"),
    [
        ("STUDY", {"NumberOfStudyRelatedInstances": "3"}, ["1.9.1"]),
        ("STUDY", {"NumberOfStudyRelatedSeries": "01"}, ["1.9.2", "1.9.3"]),
        ("STUDY", {"NumberOfPatientRelatedStudies": "1"}, ["1.9.3"]),
        ("STUDY", {"InstanceAvailability": "OFFLINE", "RetrieveAETitle": "OTHER"}, ["1.9.1", "1.9.2", "1.9.3"]),
    ],
)
def test_counts_are_keys_and_what_tells_where_to_retrieve_is_none(
    filled: Services, level: str, keys: dict[str, str], found: list[str]
) -> None:
    assert [match["StudyInstanceUID"] for _, match in ask(filled, level, b"", StudyInstanceUID="", **keys)] == found


def test_the_transfer_syntax_of_an_instance(filled: Services) -> None:
    place = {"StudyInstanceUID": "1.9.2", "SeriesInstanceUID": "1.9.2.1", "SOPInstanceUID": ""}
    ((_, match),) = ask(filled, "IMAGE", b"", **place, AvailableTransferSyntaxUID="1.2.840.10008.1.2\\1.2.840.10008.1.2.1")
    assert match["AvailableTransferSyntaxUID"] == "1.2.840.10008.1.2.1"
    assert ask(filled, "IMAGE", b"", **place, AvailableTransferSyntaxUID="1.2.840.10008.1.2") == []
