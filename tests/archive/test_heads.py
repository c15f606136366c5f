"""Keys and attributes that the index does not keep: read from the files, and the answer is the same as if it did."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dimse.archive import Archive, plan
from dimse.archive.attributes import ATTRIBUTES, BY_TAG, Attribute, Level
from dimse.archive.heads import FIRST_READ, LONGEST_HEAD, Head
from dimse.archive.query import HEADS_AT_ONCE
from dimse.archive.times import partner_of
from dimse.data.datasets import DataSet, Tree, encode_tree, query
from dimse.data.elements import encode_element
from dimse.data.status import PENDING, PENDING_WARNING
from dimse.data.uids import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    StudyRootFind,
)
from dimse.errors import DataError, Refused
from dimse.services.handlers import Services
from tests.archive.samples import Sample, find, find_with_status, matches_of, request, sample, store

OWNER = "NOBODY 1.0"


def study(uid: str, tree: Tree, syntax: UID = ExplicitVRLittleEndian) -> Sample:
    """An instance of a study and a series of its own, with these elements besides."""
    every: Tree = {
        0x0008_0016: ("UI", CTImageStorage.encode()),
        0x0008_0018: ("UI", uid.encode()),
        0x0008_0005: ("CS", b"ISO_IR 192"),
        0x0010_0020: ("LO", b"P1"),
        0x0020_000D: ("UI", f"{uid}.1".encode()),
        0x0020_000E: ("UI", f"{uid}.2".encode()),
        **tree,
    }
    encoded = encode_tree(every, syntax if not syntax.is_deflated else ExplicitVRLittleEndian)
    if syntax.is_deflated:
        encoded = DataSet(encoded, ExplicitVRLittleEndian).encoded_as(syntax).encoded
    return Sample(encoded, uid, transfer_syntax=syntax)


def ask(services: Services, tree: Tree, level: bytes = b"STUDY", syntax: UID = ExplicitVRLittleEndian) -> list[DataSet]:
    tree = {0x0008_0005: ("CS", b"ISO_IR 192"), 0x0008_0052: ("CS", level), 0x0020_000D: ("UI", b""), **tree}
    return [match for _, match in matches_of(services, request(StudyRootFind, DataSet(encode_tree(tree, syntax), syntax)))]


def uids(found: list[DataSet]) -> list[str]:
    return [match["StudyInstanceUID"] for match in found]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_values_of_all_kinds_are_keys_and_come_back(services: Services, syntax: UID) -> None:
    first: Tree = {
        0x0010_1060: ("PN", "Müller".encode()),
        0x0018_0050: ("DS", b"1.50"),
        0x0018_1310: ("US", b"\1\0\2\0\3\0\4\0"),
        0x0028_0009: ("AT", b"\x18\0\x63\x10"),
        0x0018_9073: ("FD", b"\0\0\0\0\0\0\xf8\x3f"),
        0x0028_0120: ("SS", b"\xff\xff"),
        0x0008_0008: ("CS", b"ORIGINAL\\PRIMARY\\AXIAL"),
    }
    assert store(services, study("1.1", first, syntax)) == store(services, study("1.2", {}, syntax)) == 0
    (match,) = ask(services, {0x0010_1060: ("PN", b"m*"), **{tag: (vr, b"") for tag, (vr, _) in first.items() if tag != 0x0010_1060}})
    assert match["PatientMotherBirthName"] == "Müller"
    assert (match["SliceThickness"], list(match["AcquisitionMatrix"])) == (1.5, [1, 2, 3, 4])
    assert (match["FrameIncrementPointer"], match["AcquisitionDuration"]) == (0x0018_1063, 1.5)
    assert match["ImageType"] == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert match["PixelPaddingValue"] == -1
    for tag, (vr, value) in first.items():
        assert uids(ask(services, {tag: (vr, value)})) == ["1.1.1"]
    assert uids(ask(services, {0x0018_1310: ("US", b"\3\0")})) == ["1.1.1"]
    assert uids(ask(services, {0x0008_0008: ("CS", b"PRIM*")})) == ["1.1.1"]
    assert uids(ask(services, {0x0008_0008: ("CS", b"DERIVED")})) == []
    assert uids(ask(services, {0x0018_0050: ("DS", b"")})) == ["1.1.1", "1.2.1"]


def test_a_big_endian_instance_and_a_big_endian_asker(services: Services) -> None:
    items: list[Tree] = [{0x0018_1310: ("US", b"\5\0"), 0x0028_1201: ("OW", b"\1\0\2\0")}]
    plain = study("1.1", {0x0018_1310: ("US", b"\1\0\2\0"), 0x0008_1115: ("SQ", items)})
    ds = DataSet(plain.encoded, ExplicitVRLittleEndian).dataset
    encoded = DataSet.from_pydicom(ds, ExplicitVRBigEndian).encoded
    assert store(services, Sample(encoded, "1.1", transfer_syntax=ExplicitVRBigEndian)) == 0
    asked = query("STUDY", StudyInstanceUID="", AcquisitionMatrix="", ReferencedSeriesSequence="").encoded_as(ExplicitVRBigEndian)
    ((_, match),) = matches_of(services, request(StudyRootFind, asked))
    assert match.transfer_syntax == ExplicitVRBigEndian
    assert list(match["AcquisitionMatrix"]) == [1, 2]
    (item,) = match["ReferencedSeriesSequence"]
    assert (item.AcquisitionMatrix, item.RedPaletteColorLookupTableData) == (5, b"\0\1\0\2")
    ((_, match),) = find_with_status(services, "STUDY", StudyInstanceUID="", ReferencedSeriesSequence="")
    assert match["ReferencedSeriesSequence"][0].RedPaletteColorLookupTableData == b"\1\0\2\0"


@pytest.mark.parametrize(("stored", "asked", "told"), [("US", "SS", 60_000), ("SS", "US", -5), ("US", "SS", 5)])
def test_a_vr_that_is_a_choice(services: Services, stored: str, asked: str, told: int) -> None:
    store(services, study("1.1", {0x0028_0120: (stored, (told & 0xFFFF).to_bytes(2, "little"))}))
    (match,) = ask(services, {0x0028_0120: (asked, b"")})
    assert match["PixelPaddingValue"] == told


def step(identifier: bytes, code: bytes, **more: bytes) -> Tree:
    inner: Tree = {0x0008_0100: ("SH", code), 0x0008_0102: ("SH", b"99X"), 0x0008_0104: ("LO", "Schädel".encode())}
    return {0x0040_0009: ("SH", identifier), 0x0040_0008: ("SQ", [inner])}


def test_an_item_matches_if_all_its_keys_do(services: Services) -> None:
    """C.2.2.2.6"""
    store(services, study("1.1", {0x0040_0275: ("SQ", [step(b"A", b"1"), step(b"B", b"2")])}))
    store(services, study("1.2", {0x0040_0275: ("SQ", [step(b"A", b"2")])}))
    store(services, study("1.3", {0x0040_0275: ("SQ", [])}))
    store(services, study("1.4", {}))
    both: Tree = {0x0040_0009: ("SH", b"A"), 0x0040_0008: ("SQ", [{0x0008_0100: ("SH", b"2"), 0x0008_0104: ("LO", b"")}])}
    (match,) = ask(services, {0x0040_0275: ("SQ", [both])})
    assert match["StudyInstanceUID"] == "1.2.1"
    (item,) = match["RequestAttributesSequence"]
    assert [element.keyword for element in item] == ["ScheduledProtocolCodeSequence", "ScheduledProcedureStepID"]
    assert [(element.keyword, element.value) for element in item.ScheduledProtocolCodeSequence[0]] == [
        ("CodeValue", "2"),
        ("CodeMeaning", "Schädel"),
    ]
    one: Tree = {0x0040_0009: ("SH", b"B"), 0x0040_1001: ("SH", b"")}
    (match,) = ask(services, {0x0040_0275: ("SQ", [one])})
    assert [(item.ScheduledProcedureStepID, item.RequestedProcedureID) for item in match["RequestAttributesSequence"]] == [("B", "")]


@pytest.mark.parametrize("items", [[], [{}], [{0x0040_0009: ("SH", b"")}]])
def test_a_sequence_without_values_in_its_keys_is_universal(services: Services, items: list[Tree]) -> None:
    store(services, study("1.1", {0x0040_0275: ("SQ", [step(b"A", b"1"), step(b"B", b"2")])}))
    store(services, study("1.2", {}))
    whole, none = ask(services, {0x0040_0275: ("SQ", items)})
    assert [item.ScheduledProcedureStepID for item in whole["RequestAttributesSequence"]] == ["A", "B"]
    assert ("ScheduledProtocolCodeSequence" in whole["RequestAttributesSequence"][0]) is (items in ([], [{}]))
    assert len(none["RequestAttributesSequence"]) == 0


def test_private_elements_are_found_by_their_creator(services: Services) -> None:
    """PS3.5 7.8.1: whose block it is, and not its number, tells what an element means."""
    store(services, study("1.1", {0x0009_0010: ("LO", b"OTHER"), 0x0009_0011: ("LO", OWNER.encode()), 0x0009_1101: ("SH", b"x")}))
    store(services, study("1.2", {0x0009_0010: ("LO", b"OTHER"), 0x0009_1001: ("SH", b"x")}))
    (match,) = ask(services, {0x0009_0010: ("LO", OWNER.encode()), 0x0009_1001: ("SH", b"x")})
    assert (match["StudyInstanceUID"], match[0x0009_0010], match[0x0009_1001]) == ("1.1.1", OWNER, "x")
    first, second = ask(services, {0x0009_0010: ("LO", OWNER.encode()), 0x0009_1001: ("SH", b"")})
    assert (first[0x0009_1001], second[0x0009_1001]) == ("x", "")


def test_private_elements_in_items(services: Services) -> None:
    inner: Tree = {0x0009_0012: ("LO", OWNER.encode()), 0x0009_1201: ("SH", b"x"), 0x0008_0100: ("SH", b"1")}
    store(services, study("1.1", {0x0040_0275: ("SQ", [inner])}))
    key: Tree = {0x0009_0010: ("LO", OWNER.encode()), 0x0009_1001: ("SH", b"x")}
    (match,) = ask(services, {0x0040_0275: ("SQ", [key])})
    (item,) = match["RequestAttributesSequence"]
    assert [(element.tag, element.value) for element in item] == [(0x0009_0010, OWNER), (0x0009_1001, "x")]
    assert ask(services, {0x0040_0275: ("SQ", [{0x0009_0010: ("LO", b"OTHER"), 0x0009_1001: ("SH", b"x")}])}) == []


def test_private_elements_whose_vr_nothing_tells_are_left_out(services: Services) -> None:
    store(services, study("1.1", {0x0009_0010: ("LO", OWNER.encode()), 0x0009_1001: ("SH", b"x")}))
    (match,) = ask(services, {0x0009_0010: ("LO", OWNER.encode()), 0x0009_1001: ("SH", b"y")}, syntax=ImplicitVRLittleEndian)
    assert 0x0009_1001 not in match
    known: Tree = {0x0009_0010: ("LO", b"GEMS_IDEN_01"), 0x0009_1001: ("LO", b"CT01")}
    store(services, study("1.2", known))
    (match,) = ask(services, known, syntax=ImplicitVRLittleEndian)
    assert match["StudyInstanceUID"] == "1.2.1"


@pytest.mark.parametrize("keys", [{"PixelData": ""}, {"RequestAttributesSequence": [{"EncryptedContent": ""}]}])
def test_bytes_are_no_keys(services: Services, keys: dict[str, str]) -> None:
    store(services, sample("1.1"))
    ((status, _),) = find_with_status(services, "STUDY", StudyInstanceUID="", **keys)
    assert int(status) == PENDING_WARNING


def test_each_level_answers_with_its_first_instance(services: Services) -> None:
    for series in (1, 2):
        for number in (1, 2):
            uid = f"1.{series}.{number}"
            values = {"StudyInstanceUID": "1", "SeriesInstanceUID": f"1.{series}", "SliceThickness": f"{series}.{number}"}
            store(services, sample(uid, **values))
    keys = {"StudyInstanceUID": "1", "SliceThickness": ""}
    assert [match["SliceThickness"] for match in find(services, "STUDY", **keys)] == [1.1]
    assert [match["SliceThickness"] for match in find(services, "SERIES", **keys, SeriesInstanceUID="")] == [1.1, 2.1]
    assert [match["SliceThickness"] for match in find(services, "IMAGE", **keys, SeriesInstanceUID="1.2")] == [2.1, 2.2]


def test_a_file_that_is_gone_or_short_has_only_what_the_index_has(archive: Archive, services: Services) -> None:
    for uid in ("1.1", "1.2", "1.3"):
        store(services, sample(uid, StudyDescription="Head", PatientMotherBirthName="Roe", ContentDate="20200101"))
    archive.path_of("1.1").unlink()
    os.truncate(archive.path_of("1.2"), 500)
    keys = {"StudyInstanceUID": "", "StudyDescription": "Head"}
    found = find_with_status(services, "STUDY", **keys, PatientMotherBirthName="", RequestAttributesSequence="")
    assert [int(status) for status, _ in found] == [PENDING_WARNING, PENDING_WARNING, PENDING]
    assert ["PatientMotherBirthName" in match for _, match in found] == [False, False, True]
    assert {match["StudyDescription"] for _, match in found} == {"Head"}
    assert uids(find(services, "STUDY", **keys, PatientMotherBirthName="Roe")) == ["1.3.1"]
    assert uids(find(services, "STUDY", **keys, FrameAcquisitionDateTime="-2030")) == []


def test_a_value_that_makes_no_sense_is_left_out(services: Services) -> None:
    broken = encode_element(0x0040_0275, "SQ", b"\0" * 12)
    store(services, Sample(study("1.1", {}).encoded + broken, "1.1"))
    ((status, match),) = find_with_status(services, "STUDY", StudyInstanceUID="", RequestAttributesSequence="")
    assert int(status) == PENDING_WARNING
    assert "RequestAttributesSequence" not in match


def test_an_item_has_a_character_set_of_its_own_and_the_answer_one(services: Services) -> None:
    """PS3.3 C.12.1.1.2; group lengths are neither keys nor answers."""
    inner: Tree = {0x0008_0000: ("UL", b"\4\0\0\0"), 0x0008_0005: ("CS", b"ISO_IR 100"), 0x0008_0104: ("LO", "Schädel".encode("latin-1"))}
    store(services, study("1.1", {0x0040_0275: ("SQ", [{0x0040_0008: ("SQ", [inner])}])}))
    key: Tree = {0x0008_0000: ("UL", b"\4\0\0\0"), 0x0008_0005: ("CS", b"ISO_IR 192"), 0x0008_0104: ("LO", "Schä*".encode())}
    for keys in ([key], []):
        (match,) = ask(services, {0x0008_0000: ("UL", b"\4\0\0\0"), 0x0040_0275: ("SQ", [{0x0040_0008: ("SQ", keys)}])})
        (item,) = match["RequestAttributesSequence"][0].ScheduledProtocolCodeSequence
        assert [(element.keyword, element.value) for element in item] == [("CodeMeaning", "Schädel")]
        assert match["SpecificCharacterSet"] == "ISO_IR 192"


def test_a_sequence_that_is_too_deep_is_left_out(services: Services) -> None:
    tree: Tree = {0x0008_0100: ("SH", b"1")}
    for _ in range(70):
        tree = {0x0040_0275: ("SQ", [tree])}
    store(services, study("1.1", tree))
    (match,) = ask(services, {0x0040_0275: ("SQ", [])})
    assert "RequestAttributesSequence" not in match


def test_private_elements_of_a_whole_sequence(services: Services) -> None:
    inner: Tree = {0x0009_0010: ("LO", b"GEMS_IDEN_01"), 0x0009_1001: ("LO", b"CT01"), 0x0009_1102: ("OB", b"ab")}
    for uid, syntax in (("1.1", ExplicitVRLittleEndian), ("1.2", ImplicitVRLittleEndian)):
        store(services, study(uid, {0x0040_0275: ("SQ", [inner])}, syntax))
    first, second = (match["RequestAttributesSequence"][0] for match in ask(services, {0x0040_0275: ("SQ", [])}))
    assert [(element.VR, element.value) for element in first] == [("LO", "GEMS_IDEN_01"), ("LO", "CT01"), ("OB", b"ab")]
    assert [(element.VR, element.value) for element in second] == [("LO", "GEMS_IDEN_01"), ("LO", "CT01"), ("UN", b"ab")]


class Shrinking:
    """A file that loses what is behind its first bytes while it is read."""

    def open(self, mode: str, buffering: int) -> BytesIO:
        file = BytesIO(study("1.1", {0x0009_0010: ("LO", b"X"), 0x0009_1001: ("OB", bytes(FIRST_READ))}).encoded[:FIRST_READ])
        file.seek = lambda offset, whence=0: 2 * FIRST_READ if whence else 0  # type: ignore[method-assign]
        return file


def test_a_file_that_shrinks_while_it_is_read() -> None:
    with pytest.raises(DataError):
        Head.read(Shrinking(), ExplicitVRLittleEndian, 0, 2 * FIRST_READ, 0x0040_0275)  # type: ignore[arg-type]


def test_a_deflated_head_is_looked_through_as_far_as_it_goes(archive: Archive, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    tree: Tree = {0x0010_1060: ("PN", b"Roe"), 0x0040_A160: ("UT", b"".join(sha256(b"%d" % n).digest() for n in range(1000)))}
    store(services, study("1.1", tree, DeflatedExplicitVRLittleEndian))
    monkeypatch.setattr("dimse.archive.heads.LONGEST_HEAD", 4096)
    assert uids(ask(services, {0x0010_1060: ("PN", b"Roe")})) == ["1.1.1"]
    path = archive.path_of("1.1")
    content = path.read_bytes()
    at = content.index(b"1.2.840.10008.1.2.1.99") + 100
    path.write_bytes(content[:at] + b"\xff" * (len(content) - at))
    assert uids(ask(services, {0x0010_1060: ("PN", b"Roe")})) == []


@pytest.mark.parametrize(("stored", "asked"), [("LO", "US"), ("US", "LO"), ("SQ", "LO"), ("LO", "SQ"), ("AT", "FD")])
def test_a_private_element_of_another_vr_than_the_asker_says(services: Services, stored: str, asked: str) -> None:
    items: list[Tree] = []
    value = items if stored == "SQ" else b"abcd"
    store(services, study("1.1", {0x0009_0010: ("LO", OWNER.encode()), 0x0009_1001: (stored, value)}))
    (match,) = ask(services, {0x0009_0010: ("LO", OWNER.encode()), 0x0009_1001: (asked, b"")})
    assert 0x0009_1001 not in match


VRS = st.sampled_from(["LO", "PN", "DA", "TM", "DT", "IS", "DS", "US", "SS", "FD", "AT", "UN", "OB", "SQ", "UT", "LT"])
TAGS = st.sampled_from(
    (0x0008_0008, 0x0008_0023, 0x0008_1115, 0x0009_0010, 0x0009_1001, 0x0010_1060, 0x0018_1310, 0x0028_0120, 0x0040_0275, 0x0040_A132)
)
ELEMENTS = st.lists(st.tuples(TAGS, VRS, st.binary(max_size=12).map(lambda raw: raw + bytes(len(raw) % 2))), max_size=5)


@given(stored=ELEMENTS, asked=ELEMENTS, options=st.binary(max_size=7), cut=st.integers(0, 40))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_stored_or_asked_breaks_a_search(
    shared: Services, stored: list[tuple[int, str, bytes]], asked: list[tuple[int, str, bytes]], options: bytes, cut: int
) -> None:
    root = f"2.25.{uuid4().int}"
    plain = study(root, {})
    more = b"".join(encode_element(tag, vr, raw) for tag, vr, raw in stored)
    at = plain.encoded.index(b"\x10\0\x20\0LO")
    store_anyway(shared, Sample(plain.encoded[:at] + more[: len(more) - cut % (len(more) + 1)] + plain.encoded[at:], root))
    store_anyway(shared, Sample(plain.encoded + more, root))
    tree = {0x0008_0052: ("CS", b"STUDY"), 0x0020_000D: ("UI", f"{root}.1".encode()), **{tag: (vr, raw) for tag, vr, raw in asked}}
    identifier = DataSet(encode_tree(dict(tree), ExplicitVRLittleEndian), ExplicitVRLittleEndian)
    with suppress(Refused):
        for _, match in matches_of(shared, replace(request(StudyRootFind, identifier), extended=options)):
            assert list(match.elements())


def store_anyway(services: Services, what: Sample) -> None:
    with suppress(Refused):
        store(services, what)


def test_a_head_longer_than_the_first_read_and_one_beyond_the_limit(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    padding: Tree = {0x0008_0081: ("ST", b"x" * 1024), 0x0009_0010: ("LO", b"X"), 0x0009_1001: ("OB", bytes(3 * FIRST_READ))}
    store(services, study("1.1", {**padding, 0x0010_1060: ("PN", b"Roe")}))
    assert uids(ask(services, {0x0010_1060: ("PN", b"Roe")})) == ["1.1.1"]
    assert LONGEST_HEAD > 3 * FIRST_READ
    monkeypatch.setattr("dimse.archive.heads.LONGEST_HEAD", FIRST_READ)
    assert uids(ask(services, {0x0010_1060: ("PN", b"Roe")})) == []
    (match,) = ask(services, {0x0010_1060: ("PN", b"")})
    assert "PatientMotherBirthName" not in match


def test_a_search_in_vain_lets_the_peer_be_listened_to(services: Services) -> None:
    for number in range(2 * HEADS_AT_ONCE + 1):
        store(services, sample(f"1.{number}", b""))
    assert services.find is not None
    assert list(services.find(request(StudyRootFind, query("STUDY", PatientMotherBirthName="Roe")))) == [[], []]


@pytest.mark.parametrize(
    ("tree", "status", "why"),
    [
        ({0x0040_0275: ("SQ", [{0x0040_0009: ("SH", b"A")}, {0x0040_0009: ("SH", b"B")}])}, 0xA900, "more than the one item"),
        ({0x0010_0010: ("SQ", [{}])}, 0xA900, "is no sequence"),
        ({0x0018_9074: ("DT", b"yesterday")}, 0xA900, "neither a DT value"),
        ({0x0040_0275: ("SQ", [{0x0040_0002: ("DA", b"x")}])}, 0xA900, "neither a DA value"),
    ],
)
def test_refused_keys(services: Services, tree: Tree, status: int, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        ask(services, tree)
    assert refused.value.status == status


def test_sequences_in_an_identifier_have_a_limited_depth(services: Services) -> None:
    tree: Tree = {0x0008_0100: ("SH", b"")}
    for _ in range(8):
        tree = {0x0040_0275: ("SQ", [tree])}
    assert ask(services, tree) == []
    with pytest.raises(Refused, match="8 sequences inside each other"):
        ask(services, {0x0040_0275: ("SQ", [tree])})
    with pytest.raises(Refused, match="more than 1000 elements"):
        ask(services, {0x0040_0275: ("SQ", [{0x0009_0000 + number: ("LO", b"") for number in range(0x1000, 0x1400)}])})


# The same attribute, once from the index and once from the file.

KEPT = tuple(a for a in ATTRIBUTES if not a.keyword.endswith("UID") and a.keyword not in ("PatientID", "StudyID"))
TEXTS = st.text(alphabet="aAbBäß^=*?\\-. ", max_size=6)
MOMENTS = st.sampled_from(
    ["", "20200229", "2020.02.29", "10", "103000.5", "20200229-", "-10", "20200101-20201231", "2020", "20200229103000+0100"]
)
NUMBERS = st.sampled_from(["", "7", "007", "-7", "7.0", "x"])


def texts_of(attribute: Attribute) -> st.SearchStrategy[str]:
    if attribute.vr == "US":
        return st.sampled_from(["\1\0", "\2\0", ""])
    if attribute.vr in ("DA", "TM", "DT"):
        return MOMENTS
    return NUMBERS if attribute.vr in ("IS", "DS") else TEXTS


CASES = st.sampled_from(KEPT).flatmap(
    lambda a: st.tuples(st.just(a), st.lists(texts_of(a), min_size=1, max_size=5), st.lists(texts_of(a), min_size=1, max_size=3))
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Archive(tmp_path_factory.mktemp("shared"), durability="relaxed") as archive:
        yield archive.services()


@given(case=CASES, options=st.tuples(*[st.sampled_from([0, 1])] * 4, st.just(0), *[st.sampled_from([0, 1])] * 2).map(bytes))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_answer_is_the_same_as_from_the_index(shared: Services, case: tuple[Attribute, list[str], list[str]], options: bytes) -> None:
    attribute, stored, keys = case
    root = f"2.25.{uuid4().int}"
    for number, text in enumerate(stored):
        own = {"PatientID": f"{root}.{number}", "StudyID": root[-16:], "SpecificCharacterSet": "ISO_IR 192"}
        own |= {"StudyInstanceUID": f"{root}.{number}", "SeriesInstanceUID": f"{root}.{number}.2", attribute.keyword: text}
        store(shared, sample(f"{root}.{number}.1", b"", **own))
    without = {tag: kept for tag, kept in BY_TAG.items() if tag not in (attribute.tag, partner_of(attribute.tag))}
    for key in keys:
        indexed = asked(shared, attribute, key, root, len(stored), options)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "BY_TAG", without)
            assert asked(shared, attribute, key, root, len(stored), options) == indexed


def asked(services: Services, attribute: Attribute, key: str, root: str, count: int, options: bytes) -> list[bytes] | int:
    """The answers, or the status of a refusal."""
    level = max(attribute.level, Level.STUDY)
    found = []
    for number in range(count):
        tree: Tree = {0x0008_0005: ("CS", b"ISO_IR 192"), 0x0008_0052: ("CS", level.name.encode())}
        tree |= {0x0020_000D: ("UI", f"{root}.{number}".encode()), 0x0020_0010: ("SH", b"")}
        tree |= {0x0020_000E: ("UI", f"{root}.{number}.2".encode())} if level is Level.IMAGE else {}
        tree[attribute.tag] = (attribute.vr, key.encode())
        identifier = DataSet(encode_tree(tree, ExplicitVRLittleEndian), ExplicitVRLittleEndian)
        try:
            found += [match.encoded for _, match in matches_of(services, replace(request(StudyRootFind, identifier), extended=options))]
        except Refused as refused:
            return refused.status
    return found
