"""C-FIND, C-MOVE and C-GET through the handlers of a node: levels, keys, answers, sources. No network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dimse.archive import Archive
from dimse.archive.attributes import ATTRIBUTES, BY_TAG, Attribute, Level
from dimse.archive.identifier import Identifier
from dimse.archive.index import FIRST_PAGE
from dimse.archive.matching import clean, matches
from dimse.archive.plan import Field
from dimse.archive.values import Value
from dimse.archive.writer import Writer
from dimse.data.datasets import DataSet, encode_tree, query
from dimse.data.sources import FileSource
from dimse.data.status import PENDING, PENDING_WARNING
from dimse.data.uids import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    PatientRootFind,
    PatientRootMove,
    PatientStudyOnlyFind,
    StudyRootFind,
    StudyRootGet,
    StudyRootMove,
    Verification,
)
from dimse.errors import Refused, UsageError
from dimse.services.handlers import Services
from tests.archive.samples import PIXELS, find, find_with_status, matches_of, move, request, sample, store


@pytest.fixture
def filled(services: Services) -> Services:
    """Two patients: Ann with a CT study of 3 and an MR study of 1 in 2 series, Bob with one CT."""
    ann = {
        "PatientID": "A1",
        "PatientName": "Nobody^Ann",
        "PatientBirthDate": "19700101",
        "StudyInstanceUID": "1.1",
        "StudyDate": "20200101",
    }
    for number in (1, 2, 3):
        store(services, sample(f"1.1.1.{number}", **ann, SeriesInstanceUID="1.1.1", InstanceNumber=str(number), Rows=b"\0\2"))
    store(services, sample("1.1.2.1", **ann, SeriesInstanceUID="1.1.2", Modality="SR"))
    ann |= {"StudyInstanceUID": "1.2", "StudyDate": "20210101", "StudyDescription": "Head"}
    store(services, sample("1.2.1.1", **ann, SeriesInstanceUID="1.2.1", Modality="MR"))
    bob = {"PatientID": "B1", "PatientName": "Nobody^Bob", "StudyInstanceUID": "2.1", "SeriesInstanceUID": "2.1.1"}
    store(services, sample("2.1.1.1", **bob))
    return services


def test_patient_level(filled: Services) -> None:
    keys = {"NumberOfPatientRelatedStudies": "", "NumberOfPatientRelatedSeries": "", "NumberOfPatientRelatedInstances": ""}
    ann, bob = find(filled, "PATIENT", PatientRootFind, PatientName="*", PatientID="", PatientBirthDate="", **keys)
    assert (ann["PatientName"], ann["PatientID"], ann["PatientBirthDate"]) == ("Nobody^Ann", "A1", "19700101")
    assert [ann[key] for key in keys] == [2, 3, 5]
    assert [bob[key] for key in keys] == [1, 1, 1]
    assert (ann["QueryRetrieveLevel"], ann["RetrieveAETitle"]) == ("PATIENT", "ARCHIVE")
    assert "SpecificCharacterSet" not in ann


def test_study_level(filled: Services) -> None:
    keys = {"ModalitiesInStudy": "", "SOPClassesInStudy": "", "NumberOfStudyRelatedSeries": "", "NumberOfStudyRelatedInstances": ""}
    (study,) = find(filled, "STUDY", StudyInstanceUID="1.1", StudyDate="", PatientName="", NumberOfPatientRelatedStudies="", **keys)
    assert sorted(study["ModalitiesInStudy"]) == ["CT", "SR"]
    assert study["SOPClassesInStudy"] == CTImageStorage
    assert (study["NumberOfStudyRelatedSeries"], study["NumberOfStudyRelatedInstances"]) == (2, 4)
    assert (study["NumberOfPatientRelatedStudies"], study["PatientName"]) == (2, "Nobody^Ann")


@pytest.mark.parametrize(
    ("keys", "uids"),
    [
        ({}, ["1.1", "1.2", "2.1"]),
        ({"PatientName": "nobody^a*"}, ["1.1", "1.2"]),
        ({"PatientID": "B1"}, ["2.1"]),
        ({"StudyDate": "20200601-"}, ["1.2"]),
        ({"StudyDate": "-20200601"}, ["1.1"]),
        ({"StudyDescription": "H?ad"}, ["1.2"]),
        ({"StudyDescription": ""}, ["1.1", "1.2", "2.1"]),
        ({"ModalitiesInStudy": "CT"}, ["1.1", "2.1"]),
        ({"ModalitiesInStudy": "SR\\MR"}, ["1.1", "1.2"]),
        ({"SOPClassesInStudy": MRImageStorage}, []),
        ({"SOPClassesInStudy": CTImageStorage, "PatientBirthDate": "1970.01.01"}, ["1.1", "1.2"]),
        ({"StudyInstanceUID": ["1.1", "2.1", "9.9"]}, ["1.1", "2.1"]),
        ({"PatientName": "' OR 1=1 --"}, []),
        ({"PatientID": "%"}, []),
    ],
)
def test_study_keys(filled: Services, keys: dict[str, str], uids: list[str]) -> None:
    keys = {"StudyInstanceUID": ""} | keys
    assert [match["StudyInstanceUID"] for match in find(filled, "STUDY", **keys)] == uids


def test_series_and_image_level(filled: Services) -> None:
    series = find(filled, "SERIES", StudyInstanceUID="1.1", SeriesInstanceUID="", Modality="", NumberOfSeriesRelatedInstances="")
    assert [(s["SeriesInstanceUID"], s["Modality"], s["NumberOfSeriesRelatedInstances"]) for s in series] == [
        ("1.1.1", "CT", 3),
        ("1.1.2", "SR", 1),
    ]
    keys = {
        "StudyInstanceUID": "1.1",
        "SeriesInstanceUID": "1.1.1",
        "SOPInstanceUID": "",
        "PatientID": "",
        "Rows": "",
        "InstanceAvailability": "",
    }
    images = find(filled, "IMAGE", **keys, InstanceNumber="02")
    assert [(i["SOPInstanceUID"], i["InstanceNumber"], i["PatientID"], i["Rows"]) for i in images] == [("1.1.1.2", 2, "A1", 512)]
    assert images[0]["InstanceAvailability"] == "ONLINE"


def test_image_level_of_the_patient_root(filled: Services) -> None:
    keys = {"PatientID": "A1", "StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1", "SOPInstanceUID": "1.1.1.3\\1.1.1.1"}
    images = find(filled, "IMAGE", PatientRootFind, **keys)
    assert [image["SOPInstanceUID"] for image in images] == ["1.1.1.1", "1.1.1.3"]
    assert find(filled, "IMAGE", PatientRootFind, **(keys | {"PatientID": "B1"})) == []


def test_what_is_of_a_level_below_or_no_text_is_left_out_with_a_warning(filled: Services) -> None:
    """C.4.1.1.4: one or more optional keys were not supported."""
    ((status, match),) = find_with_status(filled, "STUDY", StudyInstanceUID="2.1", PatientMotherBirthName="", Rows="", PixelData="")
    assert int(status) == PENDING_WARNING
    assert (match["PatientMotherBirthName"], match["StudyInstanceUID"]) == ("", "2.1")
    assert not {"Rows", "PixelData"} & set(match.dataset.dir())
    assert {int(status) for status, _ in find_with_status(filled, "STUDY", PatientID="")} == {PENDING}
    assert {int(status) for status, _ in find_with_status(filled, "STUDY", NumberOfSeriesRelatedInstances="")} == {PENDING_WARNING}
    ((status, _), *_) = find_with_status(filled, "PATIENT", PatientRootFind, StudyDate="20200101")
    assert int(status) == PENDING_WARNING


@pytest.mark.parametrize(
    ("model", "level", "keys", "status"),
    [
        (StudyRootFind, None, {}, 0xA900),
        (StudyRootFind, "PATIENT", {}, 0xA900),
        (StudyRootFind, "study", {}, 0xA900),
        (PatientStudyOnlyFind, "SERIES", {}, 0xA900),
        (PatientRootFind, "STUDY", {}, 0xA900),
        (PatientRootFind, "STUDY", {"PatientID": "A*"}, 0xA900),
        (StudyRootFind, "SERIES", {}, 0xA900),
        (StudyRootFind, "SERIES", {"StudyInstanceUID": "1.1\\1.2"}, 0xA900),
        (StudyRootFind, "IMAGE", {"StudyInstanceUID": "1.1"}, 0xA900),
        (StudyRootFind, "STUDY", {"StudyDate": "last week"}, 0xA900),
        (Verification, "STUDY", {}, 0x0122),
    ],
)
def test_refused_identifiers(filled: Services, model: UID, level: str | None, keys: dict[str, str], status: int) -> None:
    with pytest.raises(Refused) as refused:
        filled.find(request(model, query(level, **keys)))  # type: ignore[misc]  # a callable of this fixture
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("keyword", "values", "status"),
    [
        ("PatientName", [f"A{n}*" for n in range(100)], None),
        ("PatientName", [f"A{n}*" for n in range(101)], 0xA900),
        ("StudyDate", ["20010101"] * 101, 0xA900),
        ("StudyInstanceUID", [f"1.2.{n}" for n in range(40_000)], None),
        ("StudyInstanceUID", ["1"] * 100_001, 0xA900),
    ],
)
def test_values_of_a_key_have_a_limit(filled: Services, keyword: str, values: list[str], status: int | None) -> None:
    """SQLite nests terms to a limited depth; a list of UIDs is one term."""
    if status is None:
        assert find(filled, "STUDY", **{keyword: values}) == []
    else:
        with pytest.raises(Refused, match="has more than") as caught:
            find(filled, "STUDY", **{keyword: values})
        assert caught.value.status == status


def test_more_modalities_than_a_value_holds(services: Services) -> None:
    """Those that fit are told: one odd study is not to keep an asker from all others."""
    for number in range(70):
        odd = f"{number:04}" * 256
        assert store(services, sample(f"1.2.{number}", b"", StudyInstanceUID="1.3", SeriesInstanceUID=f"1.4.{number}", Modality=odd)) == 0
    asked = query("STUDY", StudyInstanceUID="1.3", ModalitiesInStudy="").encoded_as(ExplicitVRLittleEndian)
    ((_, answer),) = matches_of(services, request(StudyRootFind, asked))
    assert [len(modality) for modality in answer["ModalitiesInStudy"]] == [1024] * 63


def test_an_identifier_of_too_many_elements(filled: Services) -> None:
    assert filled.find is not None
    long = DataSet(b"\x09\0\x10\0\0\0\0\0" * 500_000)
    with pytest.raises(Refused, match="more than 1000 elements") as caught:
        filled.find(request(StudyRootFind, long))
    assert caught.value.status == 0xC000


def test_an_identifier_that_cannot_be_read(filled: Services) -> None:
    for identifier in (None, DataSet(b"\x08\0\x52\0CS\xff\xff", ExplicitVRLittleEndian)):
        with pytest.raises(Refused) as refused:
            filled.find(request(StudyRootFind, identifier))  # type: ignore[misc]
        assert refused.value.status == 0xC000


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_answers_are_encoded_in_the_transfer_syntax_of_the_request(filled: Services, syntax: UID) -> None:
    keys = {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1", "SOPInstanceUID": "1.1.1.1"}
    identifier = DataSet.from_pydicom(query("IMAGE", **keys, InstanceNumber="").dataset, syntax)
    ((_, match),) = matches_of(filled, request(StudyRootFind, identifier))
    assert (match.transfer_syntax, match["InstanceNumber"], match["SOPInstanceUID"]) == (syntax, 1, "1.1.1.1")


@pytest.mark.parametrize(
    ("stored_set", "stored", "asked_set", "asked", "answered_set"),
    [
        ("ISO_IR 100", "Müller^Änne".encode("latin-1"), "ISO_IR 192", "MÜLLER*".encode(), "ISO_IR 192"),
        ("ISO_IR 192", "Müller^Änne".encode(), "ISO_IR 100", "müller^änne".encode("latin-1"), "ISO_IR 100"),
        ("", "Müller^Änne".encode("latin-1"), "", b"m*", "ISO_IR 192"),
        ("", "Müller^Änne".encode(), "ISO_IR 101", b"m*", "ISO_IR 101"),
        ("ISO_IR 192", "山田^太郎".encode(), "ISO_IR 100", b"*", "ISO_IR 192"),
        ("GB18030", "王^小东".encode("gb18030"), "GB18030", "王*".encode("gb18030"), "GB18030"),
        ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "ISO_IR 192", "山田*".encode(), "ISO_IR 192"),
        ("ISO_IR 192", "Yamada^Tarou=山田^太郎".encode(), "\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B*", "\\ISO 2022 IR 87"),
        ("GB18030", "王^小东".encode("gb18030"), "\\ISO 2022 IR 58", b"\x1b$)A\xcd\xf5*", "\\ISO 2022 IR 58"),
        ("ISO_IR 999", "Müller^Änne".encode("latin-1"), "ISO_IR 999", b"m*", "ISO_IR 192"),
        ("ISO_IR 192", b"M\xfcller^Anne", "ISO_IR 192", b"m*", "ISO_IR 192"),
    ],
)
def test_character_sets_on_both_sides(
    services: Services, stored_set: str, stored: bytes, asked_set: str, asked: bytes, answered_set: str
) -> None:
    what = {"SpecificCharacterSet": stored_set} if stored_set else {}
    assert store(services, sample("1.2.3", PatientName=stored, **what)) == 0
    tree = {0x00080052: ("CS", b"STUDY"), 0x00100010: ("PN", asked)}
    tree |= {0x00080005: ("CS", asked_set.encode())} if asked_set else {}
    identifier = DataSet(encode_tree(tree, ExplicitVRLittleEndian), ExplicitVRLittleEndian)  # type: ignore[arg-type]
    ((_, match),) = matches_of(services, request(StudyRootFind, identifier))
    told = match["SpecificCharacterSet"]
    assert (told if isinstance(told, str) else "\\".join(told)) == answered_set
    assert "ller" in str(match["PatientName"]) or str(match["PatientName"])[-1] in "郎东"


def test_the_answer_names_the_node_that_was_called_or_the_one_it_is_told_to_be(archive: Archive) -> None:
    store(archive.services(), sample("1.2.3"))
    assert [match["RetrieveAETitle"] for match in find(archive.services(), "STUDY", RetrieveAETitle="")] == ["ARCHIVE"]
    assert [match["RetrieveAETitle"] for match in find(archive.services(aet="NODE"), "STUDY")] == ["NODE"]


def test_more_matches_than_a_page_come_in_order_and_a_stopped_find_holds_nothing(archive: Archive, services: Services) -> None:
    uids = [f"1.2.{number}" for number in range(3 * FIRST_PAGE + 5)]
    for uid in uids:
        store(services, sample(uid, b"", StudyInstanceUID=uid))
    assert [match["StudyInstanceUID"] for match in find(services, "STUDY", StudyInstanceUID="")] == uids
    matches = iter(services.find(request(StudyRootFind, query("STUDY", StudyInstanceUID=""))))  # type: ignore[misc]
    first = next(matches)
    assert store(services, sample("1.3")) == 0  # the find that is not read on does not stand in the way
    assert isinstance(first, list)
    assert len(first) == FIRST_PAGE
    assert isinstance(matches, Iterator)
    assert sum(map(len, matches)) == len(uids) + 1 - FIRST_PAGE  # and sees what came while it waited


def test_long_answers_leave_in_smaller_numbers(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many together as there is room for; one that is longer than that alone."""
    for number in range(8):
        comments = "x" * (1000 if number == 3 else 100)
        assert store(services, sample(f"1.{number}", b"", PatientID=f"P{number}", PatientComments=comments)) == 0
    monkeypatch.setattr("dimse.archive.query.BYTES_AT_ONCE", 500)
    asked = query("PATIENT", PatientID="", PatientComments="")
    assert services.find is not None
    found = list(services.find(request(PatientRootFind, asked)))
    assert [[str(match[1]["PatientID"]) for match in each] for each in found] == [  # type: ignore[index,union-attr]
        ["P0", "P1", "P2"],
        ["P3"],
        ["P4", "P5", "P6"],
        ["P7"],
    ]


FIELD_VRS = ("UI", "LO", "PN", "IS", "US", "FD", "AT", "UT", "UN", "SQ", "")
FIELDS = [Field(0x0010_0000 | number, vr, slot=number) for number, vr in enumerate(FIELD_VRS)]
ASCII = st.text(st.characters(max_codepoint=0x7F), max_size=5)
VALUES = st.tuples(
    *[ASCII] * 4, st.sampled_from(["", "512", "-1", "40000\\1"]), st.sampled_from(["", "1.5\\-2"]), st.just("00100020"), *[ASCII] * 4
)  # fmt: skip


@given(values=VALUES, other=st.none() | st.integers() | st.binary(max_size=3) | st.just([]) | st.just("Ä") | st.just("1\\" * 33_000))
@settings(deadline=None)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_an_answer_in_ascii_is_what_it_would_be_otherwise(syntax: UID, values: tuple[str, ...], other: Value | int | None) -> None:
    """The usual answers are made another way; anything that is no short ASCII text is left to the one that takes everything."""
    identifier = Identifier.read(StudyRootFind, query("STUDY").encoded_as(syntax))
    writer = Writer(identifier, [*FIELDS, Field(0x0020_0010, "SH", constant="ABC")])
    plain = writer._in_ascii([*values])
    assert plain == writer._in_any([*values])
    assert writer.answer([*values]) == DataSet(plain, ExplicitVRLittleEndian if syntax.is_deflated else syntax).encoded_as(syntax)
    assert writer._in_ascii([*values[:1], other, *values[2:]]) is None
    assert Writer(identifier, [Field(0x0020_0010, "SH", constant="Ä")])._in_ascii([]) is None


def test_patients_without_an_id_are_one_for_each_study(services: Services) -> None:
    for uid in ("1.1", "1.2"):
        store(services, sample(uid, PatientID="", PatientName=f"Unknown^{uid}"))
    assert [match["PatientName"] for match in find(services, "PATIENT", PatientRootFind, PatientName="")] == ["Unknown^1.1", "Unknown^1.2"]


def test_a_study_tells_what_came_with_it_of_its_patient(services: Services) -> None:
    for uid, name in (("1.1", "Maiden^Ann"), ("1.2", "Married^Ann")):
        store(services, sample(uid, PatientID="A1", PatientName=name))
    assert [match["PatientName"] for match in find(services, "STUDY", PatientName="married*")] == ["Married^Ann"]
    assert [match["PatientName"] for match in find(services, "PATIENT", PatientRootFind, PatientName="")] == ["Maiden^Ann"]


@pytest.mark.parametrize(
    ("model", "level", "keys", "uids"),
    [
        (PatientRootMove, "PATIENT", {"PatientID": "A1"}, ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.2.1", "1.2.1.1"]),
        (PatientRootMove, "STUDY", {"PatientID": "A1", "StudyInstanceUID": "1.2"}, ["1.2.1.1"]),
        (PatientRootMove, "STUDY", {"PatientID": "B1", "StudyInstanceUID": "1.2"}, []),
        (StudyRootMove, "STUDY", {"StudyInstanceUID": ["1.2", "2.1"]}, ["1.2.1.1", "2.1.1.1"]),
        (StudyRootMove, "SERIES", {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.2"}, ["1.1.2.1"]),
        (
            StudyRootGet,
            "IMAGE",
            {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1", "SOPInstanceUID": "1.1.1.2\\1.1.1.3"},
            ["1.1.1.2", "1.1.1.3"],
        ),
        (StudyRootMove, "STUDY", {"StudyInstanceUID": "9.9"}, []),
    ],
)
def test_retrieve(filled: Services, model: UID, level: str, keys: dict[str, str], uids: list[str]) -> None:
    assert move(filled, level, model, **keys) == uids


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("STUDY", {}),
        ("STUDY", {"StudyInstanceUID": "*"}),
        ("SERIES", {"StudyInstanceUID": "1.1"}),
        ("SERIES", {"SeriesInstanceUID": "1.1.1"}),
        ("PATIENT", {}),
    ],
)
def test_refused_retrieves(filled: Services, level: str, keys: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        move(filled, level, **keys)
    assert refused.value.status == 0xA900


def test_the_sources_of_a_retrieve_are_what_their_files_say(archive: Archive, services: Services) -> None:
    what = sample("1.2.3", PIXELS * 7)
    store(services, what)
    (source,) = services.move(request(StudyRootMove, query("STUDY", StudyInstanceUID="1.2.3.1")))  # type: ignore[misc]
    file = FileSource(archive.path_of("1.2.3"))
    for name in ("path", "sop_class_uid", "sop_instance_uid", "transfer_syntax", "offset", "size"):
        assert str(getattr(source, name)) == str(getattr(file, name)), name
    hole = bytearray(source.size)
    with source.open() as reading:
        assert reading.readv([memoryview(hole)]) == len(what.encoded)
    assert hole == what.encoded


def test_only_configured_peers_are_destinations(services: Services) -> None:
    assert services.where is not None
    some = request(StudyRootMove, query("STUDY", StudyInstanceUID="1.1"))
    assert services.where(some, "DEST ").port == 104
    with pytest.raises(Refused) as refused:
        services.where(some, "127.0.0.1:105")
    assert refused.value.status == 0xA801


def test_a_closed_archive_says_so(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    services = archive.services()
    archive.close()
    with pytest.raises(UsageError, match="closed"):
        find(services, "STUDY")
    with pytest.raises(UsageError, match="closed"):
        store(services, sample("1.2.3"))
    archive.close()


# Random data sets and random keys, through the whole of storing, indexing and finding, against the plain reading.

ASKED = tuple(
    a for a in ATTRIBUTES if a.level <= Level.SERIES and not a.keyword.endswith("UID") and a.keyword not in ("StudyID", "PatientID")
)
WORDS = st.text(alphabet="aAbBäÄß^=*?[]-_%'. ", max_size=6)
MOMENTS = st.sampled_from(
    ["", "20200229", "20200301", "2020.02.29", "10", "1030", "103000.5", "20200229-", "-10", "10-1030", "20200101-20201231"]
)
NUMBERS = st.sampled_from(["", "7", "007", "+7", "-7", "7.0", "70", "x"])


def texts_of(attribute: Attribute) -> st.SearchStrategy[str]:
    if attribute.vr in ("DA", "TM"):
        return MOMENTS
    return NUMBERS if attribute.vr in ("IS", "DS") else WORDS


CASES = st.sampled_from(ASKED).flatmap(
    lambda attribute: st.tuples(
        st.just(attribute), st.lists(texts_of(attribute), min_size=1, max_size=6), st.lists(texts_of(attribute), min_size=1, max_size=4)
    )
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Archive(tmp_path_factory.mktemp("shared"), durability="relaxed") as archive:
        yield archive.services()


@given(case=CASES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_found_is_what_the_plain_reading_matches(shared: Services, case: tuple[Attribute, list[str], list[str]]) -> None:
    attribute, stored, keys = case
    root = UID(f"2.25.{uuid4().int}")
    for number, text in enumerate(stored):
        uid = f"{root}.{number}"
        values: dict[str, str | bytes] = {
            "SpecificCharacterSet": "ISO_IR 192",
            "PatientID": uid,
            "StudyID": str(root)[-16:],
            attribute.keyword: text.encode(),
        }
        values |= {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.9"}
        store(shared, sample(uid, b"", **values))
    level = "SERIES" if attribute.level is Level.SERIES else "STUDY"
    for key in keys:
        expected = [text for text in stored if _matches(attribute, clean(attribute.vr, text), key)]
        found = _found(shared, attribute, level, root, key, len(stored))
        assert sorted(found) == sorted(clean(attribute.vr, text) for text in expected)  # a range of days comes in order of the days


def _matches(attribute: Attribute, stored: str, key: str) -> bool:
    try:
        return matches(attribute.vr, attribute.several, stored, key)
    except ValueError:
        return False


def _found(services: Services, attribute: Attribute, level: str, root: UID, key: str, count: int) -> list[str]:
    """The texts found at the level, for the studies of this root."""
    assert BY_TAG[attribute.tag] is attribute
    found = []
    for study in [f"{root}.{number}" for number in range(count)] if level == "SERIES" else [""]:
        tree = {0x00080005: b"ISO_IR 192", 0x00080052: level.encode(), 0x00200010: str(root)[-16:].encode(), 0x0020000D: study.encode()}
        tree[attribute.tag] = key.encode()
        encoded = encode_tree({tag: ("LO", value) for tag, value in tree.items()}, ExplicitVRLittleEndian)
        try:
            matched = matches_of(services, request(StudyRootFind, DataSet(encoded, ExplicitVRLittleEndian)))
            found += [_text_of(match, attribute) for _, match in matched]
        except Refused:
            return []
    return found


def _text_of(match: DataSet, attribute: Attribute) -> str:
    return next(bytes(e.value).decode() for e in match.elements() if e.tag == attribute.tag).rstrip(" ")
