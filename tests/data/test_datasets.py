"""Data sets: opaque bytes, their pydicom view and the ways between transfer syntaxes; identifiers from keywords."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from dimse.data.datasets import DataSet, Key, encode_value, query, tag_and_vr, vr_of
from dimse.data.uids import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
)
from dimse.errors import DataError

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
REFERENCED_STUDY_SEQUENCE = 0x00081110


def instance() -> Dataset:
    """Every kind of value but words in OW and the like."""
    item, deeper = Dataset(), Dataset()
    item.Modality, deeper.CodeValue, item.ScheduledProtocolCodeSequence = "CT", "C1", Sequence([deeper, Dataset()])
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Wäre^Ich=日本", "42", ""
    ds.StudyDate, ds.ImageType, ds.PixelSpacing, ds.SeriesNumber = "20200102", ["ORIGINAL", "PRIMARY"], [0.5, 1.25], 7
    ds.Rows, ds.FrameIncrementPointer, ds.RecommendedDisplayFrameRateInFloat, ds.AcquisitionDuration = 512, 0x00181063, 1.5, -2.25
    ds.PixelRepresentation = 1
    ds.add_new(0x00280106, "SS", -5)
    ds.ScheduledProcedureStepSequence = Sequence([item])
    ds.ReferencedStudySequence = Sequence([])
    ds.private_block(0x0009, "HERE", create=True).add_new(1, "LO", "kept")
    return ds


def pixels(ds: Dataset, bits: int = 16) -> Dataset:
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.SamplesPerPixel = 1, 4, bits, 1
    ds.add_new(0x7FE00010, "OW", struct.pack("<4H", 1, 2, 3, 0xFF00))
    return ds


@pytest.mark.parametrize("syntax", NATIVE)
def test_pydicom_there_and_back(syntax: UID) -> None:
    encoded = DataSet.from_pydicom(instance(), syntax)
    assert encoded.transfer_syntax == syntax
    assert len(encoded.encoded) % 2 == 0
    back = encoded.dataset
    if syntax.is_implicit_vr:  # the VR of a private element is not on the wire
        back[0x00091001].VR = "LO"
        back[0x00091001].value = back[0x00091001].value.decode().rstrip()
    assert back == instance()
    assert encoded.dataset is back


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("other", NATIVE)
def test_from_one_syntax_to_another(syntax: UID, other: UID) -> None:
    ds = pixels(instance())
    ds.add_new(0x00720067, "OF", struct.pack("<2f", 1, 2))
    ds.add_new(0x00720073, "OD", struct.pack("<2d", 1, 2))
    ds.add_new(0x00660129, "OL", b"")
    ds.ReferencedStudySequence = Sequence([pixels(Dataset())])
    del ds[0x00091001]
    there = DataSet.from_pydicom(ds, syntax)
    assert there.encoded_as(other).transfer_syntax == other
    assert there.encoded_as(other).encoded == DataSet.from_pydicom(ds, other).encoded
    assert (there.encoded_as(other) is there) == (syntax == other)


def test_words_are_swapped_for_big_endian() -> None:
    ds = pixels(Dataset())
    big = DataSet.from_pydicom(ds, ExplicitVRBigEndian)
    assert big.encoded.endswith(b"OW\0\0" + struct.pack(">I4H", 8, 1, 2, 3, 0xFF00))
    assert big.dataset.PixelData == struct.pack(">4H", 1, 2, 3, 0xFF00)  # as pydicom has them: in the order they were read in
    assert DataSet.from_pydicom(big.dataset, ImplicitVRLittleEndian).dataset.PixelData == ds.PixelData
    odd = Dataset()
    odd.add_new(0x00720067, "OF", b"123456")
    with pytest.raises(DataError, match="cannot be encoded"):
        DataSet.from_pydicom(odd, ExplicitVRBigEndian)


@pytest.mark.skipif(not shutil.which("dcmconv"), reason="dcmconv of DCMTK is not installed")
def test_dcmconv_agrees_about_big_endian(tmp_path: Path) -> None:
    little = DataSet.from_pydicom(pixels(Dataset()), ExplicitVRLittleEndian)
    (tmp_path / "little").write_bytes(little.encoded)
    subprocess.run(["dcmconv", "-f", "-te", "-F", "+tb", tmp_path / "little", tmp_path / "big"], check=True, timeout=30)
    assert (tmp_path / "big").read_bytes() == little.encoded_as(ExplicitVRBigEndian).encoded


def test_what_is_given_stays_as_it_is() -> None:
    ds = pixels(instance())
    encoded = DataSet.from_pydicom(ds, ExplicitVRLittleEndian)
    encoded.encoded_as(ExplicitVRBigEndian)
    DataSet.from_pydicom(ds, ExplicitVRBigEndian)
    assert DataSet.from_pydicom(ds, ExplicitVRLittleEndian) == encoded


def compressed() -> Dataset:
    ds = pixels(instance(), 8)
    ds.add_new(0x7FE00010, "OB", encapsulate([b"\xff\xd8\xff\xd9"]))
    return ds


def test_compressed_pixel_data_are_neither_touched_nor_made() -> None:
    encoded = DataSet.from_pydicom(compressed(), JPEGBaseline8Bit)
    assert list(encoded.elements())[-1].undefined
    assert encoded.dataset.PixelData == compressed().PixelData
    assert DataSet.from_pydicom(encoded.dataset, JPEGBaseline8Bit) == encoded
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless):
        with pytest.raises(DataError, match="Pixel Data cannot be taken from JPEG Baseline"):
            encoded.encoded_as(syntax)
    with pytest.raises(DataError, match="Pixel Data cannot be taken"):
        DataSet.from_pydicom(pixels(Dataset())).encoded_as(JPEGBaseline8Bit)
    with pytest.raises(DataError, match="are encapsulated but Implicit VR Little Endian is for native"):
        DataSet.from_pydicom(encoded.dataset)
    with pytest.raises(DataError, match="are native but JPEG Baseline"):
        DataSet.from_pydicom(pixels(Dataset()), JPEGBaseline8Bit)


def test_without_pixel_data_any_syntax_will_do() -> None:
    ds = instance()
    del ds[0x00091001]  # its VR would be lost
    encoded = DataSet.from_pydicom(ds, JPEGBaseline8Bit)
    assert encoded.encoded_as(ExplicitVRLittleEndian).encoded == encoded.encoded
    assert encoded.encoded_as(ImplicitVRLittleEndian).encoded_as(JPEG2000Lossless).encoded == encoded.encoded


def test_deflated_is_raw_deflate_of_even_length() -> None:
    plain = DataSet.from_pydicom(instance(), ExplicitVRLittleEndian)
    for n in range(4):  # some of these are odd before they are padded
        plain = DataSet(plain.encoded + struct.pack("<HH2sH", 0x4000 + n, 0x4000, b"LT", 2) + b"ab", ExplicitVRLittleEndian)
        deflated = plain.encoded_as(DeflatedExplicitVRLittleEndian)
        assert len(deflated.encoded) % 2 == 0
        assert zlib.decompressobj(-15).decompress(deflated.encoded) == plain.encoded
        assert deflated.encoded_as(ExplicitVRLittleEndian) == plain
        assert [e.tag for e in deflated.elements()] == [e.tag for e in plain.elements()]


def test_values_by_keyword_and_tag() -> None:
    ds = DataSet.from_pydicom(instance())
    assert ds["PatientID"] == ds[0x00100020] == ds.get("PatientID") == "42"
    assert ds["ImageType"] == ["ORIGINAL", "PRIMARY"]
    assert "PatientID" in ds
    assert 0x00100020 in ds
    assert "StudyID" not in ds
    assert ds.get("StudyID") is None
    assert ds.get("StudyID", "none") == "none"
    with pytest.raises(KeyError, match="StudyID"):
        ds["StudyID"]
    with pytest.raises(KeyError, match=r"\(0020,0010\)"):
        ds[0x00200010]


def test_text_forms() -> None:
    ds = DataSet.from_pydicom(instance())
    assert "Patient's Name" in str(ds)
    assert "Wäre^Ich=日本" in str(ds)
    assert "42" not in repr(ds)
    assert ImplicitVRLittleEndian in repr(ds)


def test_equal_by_bytes_and_syntax() -> None:
    ds = DataSet(b"", str(ExplicitVRLittleEndian))  # type: ignore[arg-type]  # a str is taken for what it is
    assert ds == DataSet(b"", ExplicitVRLittleEndian)
    assert ds != DataSet(b"")
    assert ds.transfer_syntax.is_little_endian
    assert hash(ds) == hash(DataSet(b"", ExplicitVRLittleEndian))
    assert len(ds.dataset) == 0


WRONG = {
    "cut off": (DataSet.from_pydicom(instance()).encoded[:-1], ImplicitVRLittleEndian),
    "cut off in a header": (DataSet.from_pydicom(instance(), ExplicitVRLittleEndian).encoded + b"\xf0\x7f", ExplicitVRLittleEndian),
    "another syntax": (DataSet.from_pydicom(instance()).encoded, ExplicitVRLittleEndian),
    "not deflated": (DataSet.from_pydicom(instance()).encoded, DeflatedExplicitVRLittleEndian),
    "an empty item": (b"\x08\0\x10\x11\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff", ImplicitVRLittleEndian),
}


@pytest.mark.parametrize(("encoded", "syntax"), WRONG.values(), ids=WRONG.keys())
def test_wrong_bytes_are_a_data_error(encoded: bytes, syntax: UID) -> None:
    wrong = DataSet(encoded, syntax)
    for look in (lambda: list(wrong.elements()), lambda: wrong.dataset, lambda: wrong["PatientID"], lambda: str(wrong)):
        with pytest.raises(DataError):
            look()
    with pytest.raises(DataError):
        wrong.encoded_as(ExplicitVRBigEndian)


def test_a_value_that_is_none_is_told_by_name() -> None:
    wrong = DataSet(b"\x20\0\x11\0\x02\0\0\0xx")
    with pytest.raises(DataError, match="the value of SeriesNumber cannot be read"):
        wrong["SeriesNumber"]
    with pytest.raises(DataError, match="the value of 0x200011 cannot be read"):
        wrong.get(0x00200011)
    with pytest.raises(DataError, match="the data set cannot be read"):
        str(wrong)
    with pytest.raises(DataError, match="cannot be encoded") as caught:
        wrong.encoded_as(ExplicitVRLittleEndian)
    assert "Traceback" not in str(caught.value)


@given(st.binary(max_size=60), st.sampled_from((*NATIVE, JPEGBaseline8Bit)))
@pytest.mark.filterwarnings("ignore")  # pydicom's, about values
def test_any_bytes_are_read_or_a_data_error(encoded: bytes, syntax: UID) -> None:
    try:
        str(DataSet(encoded, syntax))
    except DataError:
        return
    list(DataSet(encoded, syntax).elements())


def test_command_and_meta_elements_are_refused() -> None:
    ds = Dataset()
    ds.add_new(0x00000002, "UI", "1.2")
    with pytest.raises(DataError, match=r"no elements of group 0000 or 0002, but this has \(0000,0002\)"):
        DataSet.from_pydicom(ds)


@pytest.mark.filterwarnings("ignore:A value of type 'str'")
def test_a_wrong_value_cannot_be_encoded() -> None:
    ds = Dataset()
    ds.Rows = "many"
    with pytest.raises(DataError, match="cannot be encoded"):
        DataSet.from_pydicom(ds)


def test_the_example_of_a_query() -> None:
    identifier = query("STUDY", PatientName="DOE^*", StudyInstanceUID="")
    assert identifier == DataSet(
        b"\x08\0\x52\0\x06\0\0\0STUDY " + b"\x10\0\x10\0\x06\0\0\0DOE^* " + b"\x20\0\x0d\0\0\0\0\0", ImplicitVRLittleEndian
    )


KEYS: dict[str, tuple[Key, object]] = {
    "PatientID": ("42", "42"),
    "PatientName": (None, ""),
    "StudyDate": ("20200101-20201231", "20200101-20201231"),
    "StudyInstanceUID": (["1.2", "1.3"], ["1.2", "1.3"]),
    "ModalitiesInStudy": (("CT",), "CT"),
    "SeriesNumber": (7, 7),
    "Rows": (512, 512),
    "Columns": (None, None),
    "PixelSpacing": ([0.5, "2"], [0.5, 2.0]),
    "FrameIncrementPointer": ([0x00181063, "(0008,0018)"], [0x00181063, 0x00080018]),
    "SmallestImagePixelValue": ("3", 3),
    "AcquisitionDuration": (1.5, 1.5),
    "EncapsulatedDocument": ("0a", b"\n\0"),
}


@pytest.mark.parametrize("keyword", KEYS)
def test_keys_of_many_kinds(keyword: str) -> None:
    value, expected = KEYS[keyword]
    identifier = query("SERIES", **{keyword: value})
    assert identifier[keyword] == expected
    assert identifier["QueryRetrieveLevel"] == "SERIES"
    assert "SpecificCharacterSet" not in identifier


def test_a_worklist_has_no_level_and_a_sequence() -> None:
    step: dict[str, Key] = {"Modality": "CT", "ScheduledPerformingPhysicianName": "Müller*"}
    for value in (step, [step]):
        identifier = query(None, PatientName="", ScheduledProcedureStepSequence=value)
        assert "QueryRetrieveLevel" not in identifier
        assert identifier["SpecificCharacterSet"] == "ISO_IR 192"
        assert identifier["ScheduledProcedureStepSequence"][0].ScheduledPerformingPhysicianName == "Müller*"
    nothing: tuple[Key, ...] = ("", None, [])
    for empty in nothing:
        assert query(None, ScheduledProcedureStepSequence=empty)["ScheduledProcedureStepSequence"] == []
    assert len(query(None, ScheduledProcedureStepSequence=[{}, {}])["ScheduledProcedureStepSequence"]) == 2


def test_character_sets() -> None:
    assert query("STUDY", PatientName="Jürgen")["SpecificCharacterSet"] == "ISO_IR 192"
    assert query("STUDY", PatientName="Jürgen")["PatientName"] == "Jürgen"
    latin = query("STUDY", PatientName="Jürgen", SpecificCharacterSet="ISO_IR 100")
    assert latin["PatientName"] == "Jürgen"
    assert "Jürgen".encode("latin-1") in latin.encoded
    assert query("STUDY", PatientID="1", SpecificCharacterSet="")["SpecificCharacterSet"] == ""
    unusable: tuple[Key, ...] = ("ISO 2022 IR 87", ["", "ISO 2022 IR 87"], "latin-1", 5)
    for wrong in unusable:
        with pytest.raises(ValueError, match="cannot encode keys in SpecificCharacterSet"):
            query("STUDY", SpecificCharacterSet=wrong)


WRONG_KEYS: dict[str, tuple[object, str]] = {
    "PatientNam": ("x", "no attribute has the keyword 'PatientNam'; is it PatientName or"),
    "Qqqqqqqqqqq": ("x", "no attribute has the keyword 'Qqqqqqqqqqq'$"),
    "Rows": ("many", "Rows: 'many' is no value of VR US"),
    "Columns": (70000, "Columns: '70000' is no value of VR US"),
    "Modality": ("Ü", "Modality: 'Ü' is no value of VR CS"),
    "FrameIncrementPointer": ("(0018,zzzz)", "no value of VR AT"),
    "PatientID": (["a", b"b"], "PatientID: b'b' is no value of VR LO"),
    "PatientName": ({"Modality": "CT"}, "PatientName: .* is no value of VR PN"),
    "ScheduledProcedureStepSequence": ("x", "ScheduledProcedureStepSequence: 'x' is no item"),
}


@pytest.mark.parametrize("keyword", WRONG_KEYS)
def test_wrong_keys_are_told(keyword: str) -> None:
    value, message = WRONG_KEYS[keyword]
    with pytest.raises(ValueError, match=message):
        query("STUDY", **{keyword: value})  # type: ignore[arg-type]  # wrong on purpose


def test_dictionary() -> None:
    assert tag_and_vr("PatientName") == (0x00100010, "PN")
    assert vr_of(0x00280106) == "US"
    assert vr_of(0x7FE00010) == "OW"
    assert vr_of(0x60123000) == "OW"
    assert vr_of(0x00090010) == "LO"
    assert vr_of(0x00091001) is None
    assert vr_of(0x00109999) is None


def test_values_with_words() -> None:
    assert encode_value("OW", ["0102", "ff"]) == b"\x02\x01\xff\0"
    assert encode_value("SV", ["-1"]) == b"\xff" * 8
    assert encode_value("FL", ["0.5", ""]) == struct.pack("<f", 0.5)


def test_importing_and_carrying_needs_no_pydicom() -> None:
    program = (
        "import sys, dimse.data.datasets, dimse.data.sources, dimse.data.querytext as q\n"
        "ds = q.DataSet(b'\\x10\\0\\x20\\0\\0\\0\\0\\0')\n"
        "assert [e.tag for e in ds.elements()] == [0x00100020] and repr(ds)\n"
        "assert 'pydicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, cwd=Path(__file__).parents[2])
