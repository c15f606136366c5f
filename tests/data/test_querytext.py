"""Identifiers as text: each text means what dump2dcm makes of it; keys as on findscu's command line."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dimse.data.datasets import DataSet, query
from dimse.data.part10 import FileMeta
from dimse.data.querytext import MAX_ITEM, parse_key, parse_text, read_query
from dimse.data.uids import UID, CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from dimse.errors import DataError

DUMP2DCM, DCMDUMP = shutil.which("dump2dcm"), shutil.which("dcmdump")

WORKLIST = """
# Dicom-Data-Set
# Used TransferSyntax: Little Endian Explicit
(0008,0005) CS (no value available)                     #   0, 0 SpecificCharacterSet
(0040,0100) SQ (Sequence with explicit length #=2)      #  86, 1 ScheduledProcedureStepSequence
  (fffe,e000) na (Item with explicit length #=2)          #  48, 1 Item
    (0008,0060) CS [CT]                                     #   2, 1 Modality
    (0040,0008) SQ (Sequence with undefined length #=2)     # u/l, 1 ScheduledProtocolCodeSequence
      (fffe,e000) na (Item with explicit length #=1)          #  10, 1 Item
        (0008,0100) SH [x]                                      #   2, 1 CodeValue
      (fffe,e00d) na (ItemDelimitationItem for re-encoding)   #   0, 0 ItemDelimitationItem
      (fffe,e000) na (Item with explicit length #=0)          #   0, 1 Item
      (fffe,e00d) na (ItemDelimitationItem)                   #   0, 0 ItemDelimitationItem
    (fffe,e0dd) na (SequenceDelimitationItem for re-encod.) #   0, 0 SequenceDelimitationItem
  (fffe,e00d) na (ItemDelimitationItem for re-encoding)   #   0, 0 ItemDelimitationItem
(fffe,e0dd) na (SequenceDelimitationItem for re-encod.) #   0, 0 SequenceDelimitationItem
(0010,0010) PN []
"""

# What dump2dcm and this reader understand alike.
TEXTS: dict[str, str | bytes] = {
    "the usual": "(0008,0052) CS [PATIENT]  # QueryRetrieveLevel\n(0010,0010) PN [A^*]",
    "nothing": "# only a comment\n\n   \n",
    "no VR": "(0008,0052) [PATIENT]\n(0010,0020)\n(0008,0016) =CTImageStorage",
    "no brackets": "(0008,0052) CS PATIENT # level\n(0010,0020) LO a(b[c\n(0010,4000) LT x#y",
    "no spaces": "(0008,0052)CS[PATIENT]",
    "spaces and tabs": "\t( 0008 ,\t0052 ) \tCS\t[PATIENT]\t# x\n (0010,001) PN [x]",
    "the last bracket": "(0010,0010) PN [A # B]\n(0010,0020) LO [a]b] # c]",
    "a bracket in the comment": "(0010,0010) PN x # [y] z\n(0010,0020) LO # [y] z",
    "no value": "(0010,0010) PN\n(0010,0020) LO # c\n(0010,0021)\n(0010,0030) DA (no value available) # 0\n(0008,0018) UI []",
    "no value for numbers": "(0028,0010) US\n(0028,0009) AT\n(0028,0011) US (no value available) # 0",
    "blanks": "(0010,0010) PN []\n(0010,0020) LO [ ]\n(0010,4000) LT [ x ]",
    "bare blanks": "(0010,0010) PN a^b*?\\c xx   ",
    "quotes": '(0010,0010) PN "a b"',
    "several values": "(0008,0008) CS [A\\B]\n(0008,0061) CS A\\B\n(0008,1155) UI 1.2\\1.3\n(0020,4000) LT [a\\b]",
    "UID names": "(0008,0016) UI =MRImageStorage # x\n(0008,001a) UI =FINDStudyRootQueryRetrieveInformationModel",
    "UID names of DCMTK": "(0008,0016) UI =VerificationSOPClass\n(0008,0018) UI =RETIRED_UltrasoundImageStorage\n"
    "(0008,001a) UI =LittleEndianImplicit",
    "a UID without =": "(0008,0016) UI MRImageStorage",
    "= in text": "(0010,0010) PN =Abc\n(0010,0020) LO [=a=b]",
    "numbers": "(0028,0010) US 1\\2\\3 # x\n(0028,0011) US [512]\n(0028,0106) SS -5\n(0018,9073) FD 1.5\\2e3\n(0008,1160) IS 5\n"
    "(0018,0050) DS 1.0\\2\n(0072,0078) UL 1\\4294967295\n(0072,007c) SL -1\n(0072,0082) SV -3\\4\n(0072,0083) UV 9223372036854775808",
    "tags": "(0028,0009) AT (3004,000c)\\(0018,1063) # 2",
    "bytes and words": "(7fe0,0010) OW 0000\\ffff\\1234\n(0042,0011) OB 01\\2\\ff\n(0010,0020) UN 61\\62",
    "private": "(0009,0010) LO [PRIV]\n(0009,1001) LO [x]\n(0009,1003) UN 01\\02\n(0011,0010) [P2]",
    "an unknown tag": "(0010,9999) LO [x]",
    "an unknown VR": "(0010,0010) ZZ [x]\n(0010,0020) ?? [x]\n(0010,0021) ZZ (no value available)",
    "another VR": "(0010,0010) LO [x]",
    "a VR in small letters": "(0010,0010) pn [x]",
    "not in order": "(0010,0020) LO [x]\n(0008,0052) CS [STUDY]",
    "a group length": "(0008,0000) UL 10\n(0010,0010) PN [a]",
    "file meta information": "(0002,0010) UI =LittleEndianImplicit\n(0010,0010) PN [x]",
    "UTF-8": "(0008,0005) CS [ISO_IR 192]\n(0010,0010) PN [Häns=日本]",
    "Latin-1": b"(0008,0005) CS [ISO_IR 100]\r\n(0010,0010) PN [H\xe4ns]\r\n(0010,0020) LO H\xe4\r\n",
    "a worklist": WORKLIST,
    "terse sequence": "(0040,0100) SQ\n(fffe,e000)\n(0008,0060) CS [CT]\n(fffe,e00d)\n(fffe,e0dd)\n(0010,0010) PN [x]",
    "dashes": "(0040,0100) SQ\n(fffe,e000) -\n(0008,0060) CS [CT]\n(fffe,e00d) -\n(fffe,e0dd) -",
    "an empty sequence": "(0008,1110) SQ (Sequence with explicit length #=0)\n(fffe,e0dd) na (SequenceDelimitationItem)",
}


@pytest.mark.skipif(not DUMP2DCM, reason="dump2dcm of DCMTK is not installed")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_text_means_what_dump2dcm_makes_of_it(tmp_path: Path, text: str | bytes) -> None:
    assert parse_text(text) == dump2dcm(tmp_path, text)


def dump2dcm(folder: Path, text: str | bytes) -> Dataset | None:
    """What dump2dcm makes of a text, without its group lengths; None if it refuses."""
    source, result = folder / "query.txt", folder / "query.dcm"
    source.write_bytes(text.encode() if isinstance(text, str) else text)
    subprocess.run([str(DUMP2DCM), "-q", "-F", "+te", source, result], check=False, timeout=30)
    if not result.exists():
        return None
    return Dataset({e.tag: e for e in dcmread(result, force=True) if e.tag.element})


VALUES = {
    "(0008,0052) CS [PATIENT]  # QueryRetrieveLevel": ("QueryRetrieveLevel", "PATIENT"),
    "(0008,0016) UI =CTImageStorage": ("SOPClassUID", CTImageStorage),
    "(0008,1155) UI [=CTImageStorage\\1.2]": ("ReferencedSOPInstanceUID", [CTImageStorage, "1.2"]),
    "(0008,0052) PATIENT": ("QueryRetrieveLevel", "PATIENT"),
    "(0008,0060) CT": ("Modality", "CT"),
    "(0028,0009) AT (no value available) # 0": ("FrameIncrementPointer", None),
    "(0028,0106) xs 3": ("SmallestImagePixelValue", 3),
    "(0010,4000) LT [one\r\ntwo]  # 8, 1 PatientComments\r\n": ("PatientComments", "one\r\ntwo"),
    "(0010,4000) LT [one\n# two\n\nthree] # x": ("PatientComments", "one\r\n# two\r\n\r\nthree"),
    "\ufeff(0010,0020) LO [x]": ("PatientID", "x"),
    "(0010,0010) PN [Jürgen*]": ("PatientName", "Jürgen*"),
    "(0008,0005) CS []\n(0010,0010) PN [Jürgen*]": ("SpecificCharacterSet", "ISO_IR 192"),
    "(0010,0020) LO [x]\n(0008,1110) SQ": ("ReferencedStudySequence", []),
    "(0008,1110) SQ\n(0010,0020) LO [x]": ("PatientID", "x"),
    "(0040,0100) SQ\n(fffe,e000)\n(0008,1110) SQ\n(fffe,e00d)\n(fffe,e0dd)\n(0010,0020) [x]": ("PatientID", "x"),
}


@pytest.mark.parametrize("text", VALUES)
def test_values_that_a_text_gives(text: str) -> None:
    keyword, value = VALUES[text]
    assert parse_text(text)[keyword].value == value


def test_utf_8_is_named_inside_of_sequences_too() -> None:
    ds = parse_text("(0040,0100) SQ\n(fffe,e000)\n(0008,0060) CS [CT]\n(0040,0006) PN [Ö*]\n(fffe,e00d)\n(fffe,e0dd)")
    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert ds.ScheduledProcedureStepSequence[0].ScheduledPerformingPhysicianName == "Ö*"


REFUSED: dict[str | bytes, str] = {
    "garbage": "line 1: no tag at the beginning",
    "\n0010,0010 PN [x]": "line 2: no tag at the beginning",
    "(10010,0010) PN [x]": "line 1: .* four hexadecimal digits",
    "(0010,0010) PN [A # B": "line 1: the value cannot be read",
    "(0010,0010) PN [A # B\n(0010,0020) LO [x]": "line 1: the value cannot be read",
    "(0010,0010) PN <x>": "line 1: the value cannot be read",
    "(0010,4000) LT [abcdef... #  9, 1 PatientComments\n": "line 1: the value was cut off when it was printed; dcmdump [+]L",
    "(0072,0078) UL 1\\2\\3... #  9, 1 SelectorULValue\n": "line 1: the value was cut off when it was printed; dcmdump [+]L",
    "(0042,0011) OB (not loaded)": "line 1: the dump does not hold the value but .not loaded.",
    "(7fe0,0010) OB (PixelSequence #=2) # u/l": "line 1: the dump does not hold the value but .PixelSequence",
    "(7fe0,0010) OW =pixels.dat": "line 1: a value from another file",
    "(0008,0016) UI =Nonsense": "line 1: no UID has the name 'Nonsense'",
    "(0028,0010) US abc": "line 1: 'abc' is no value of VR US",
    "(0028,0010) US -1": "line 1: '-1' is no value of VR US",
    "(0028,0010) US 70000": "line 1: '70000' is no value of VR US",
    "(0008,0052) CS [Ü]": "line 1: .* is no value of VR CS",
    "(0010,0010) PN [b]\n(0010,0010) PN [a]": "line 2: the element is there twice",
    "(0009,1001) [x]": r"line 1: the dictionary has no VR for \(0009,1001\)",
    "(fffe,e000)": "line 1: an item where no sequence is open",
    "(fffe,e00d)": "line 1: the end of an item where none is open",
    "(fffe,e0dd)": "line 1: the end of a sequence where none is open",
    "(0040,0100) SQ\n(fffe,e000)\n(0008,0060) CS [CT]": "line 1: the sequence is not closed",
    "(0040,0100) SQ\n(fffe,e000)\n(fffe,e0dd)": "line 3: the end of a sequence",
    "(0040,0100) SQ\n(fffe,e000)\n(fffe,e000)": "line 3: an item where no sequence is open, or the item before",
    "(0040,0100) SQ\n(fffe,e000)\n(fffe,e00d)\n(fffe,e00d)": "line 4: the end of an item where none is open",
    "(0040,0100) SQ\n(fffe,e000)\n(fffe,e00d)\n(0008,0060) CS [CT]": "line 4: an element between the items",
    "(0040,0100) SQ\n(0008,0060) CS [CT]\n(fffe,e0dd)": "line 3: the end of a sequence",
    "(0040,0100) SQ\n(fffe,e000)\n" * 70: "sequences within sequences, 64 deep",
    b"(0010,0010) PN [H\xe4ns]": "neither ASCII nor UTF-8",
    "(0008,0018) UI " + "\\".join(["1.2"] * 20000): "cannot have 80000 bytes",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text)[:40])
def test_what_cannot_be_read_is_told_with_its_line(text: str | bytes) -> None:
    with pytest.raises(DataError, match=REFUSED[text]):
        parse_text(text)


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(sorted(map(str, REFUSED))[:20] + sorted(map(str, TEXTS.values()))), max_size=4).map("\n".join)
)
@pytest.mark.filterwarnings("ignore")  # pydicom's, about values
def test_any_text_is_read_or_a_data_error(text: str) -> None:
    with suppress(DataError):
        parse_text(text)


def queryish() -> Dataset:
    """A data set with every VR that a query may hold."""
    item, deeper = Dataset(), Dataset()
    item.Modality, deeper.CodeValue, item.ScheduledProtocolCodeSequence = "CT", "x", Sequence([deeper, Dataset()])
    ds = Dataset()
    ds.SpecificCharacterSet, ds.QueryRetrieveLevel = "ISO_IR 192", "STUDY"
    ds.SOPClassUID, ds.SOPInstanceUID, ds.RelatedGeneralSOPClassUID = CTImageStorage, "1.2.3.4", ""
    ds.StudyInstanceUID = [f"1.2.840.10008.{n}.1234567890.123456789" for n in range(9)]
    ds.StudyDate, ds.StudyTime, ds.AcquisitionDateTime = "20200101-20201231", "1200-", ""
    ds.PatientName, ds.PatientID, ds.PatientComments = "Hänsel^G*[x] # y", "", "line 1\r\nline 2 ]\\ z"
    ds.PatientAge, ds.RetrieveAETitle, ds.SeriesNumber, ds.SliceThickness = "042Y", "HERE", 5, "1.50"
    ds.Rows, ds.FrameIncrementPointer, ds.AcquisitionDuration, ds.RecommendedDisplayFrameRateInFloat = 5, [0x00181063, 0x00080018], 0.1, 1.5
    ds.LongCodeValue, ds.URNCodeValue, ds.CodeMeaning, ds.AccessionNumber = ["a", "b"], "http://a/b", "m", "A 1"
    ds.SelectorULValue, ds.SelectorSLValue, ds.SelectorSVValue, ds.SelectorUVValue = [1, 2**32 - 1], -1, [-3, 4], 2**63
    ds.SelectorOFValue, ds.SelectorODValue, ds.SelectorOLValue = b"\0\0\x80\x3f", b"\0\0\0\0\0\0\xf0\x3f", b"\1\2\3\4"
    ds.SelectorOVValue, ds.EncapsulatedDocument, ds.SelectorSequencePointer = b"\1\0\0\0\0\0\0\x80", b"\1\2\xff\0", []
    ds.add_new(0x00280106, "SS", -5)
    ds.ScheduledProcedureStepSequence, ds.ReferencedStudySequence = Sequence([item, Dataset()]), Sequence([])
    block = ds.private_block(0x0009, "HERE", create=True)
    block.add_new(1, "LO", "priv")
    block.add_new(2, "UN", b"ab\\c")
    block.add_new(3, "UN", b"")
    return ds


@pytest.mark.skipif(not DCMDUMP, reason="dcmdump of DCMTK is not installed")
@pytest.mark.parametrize("options", [["+L"], ["+L", "-Un"]], ids=" ".join)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_reads_what_dcmdump_prints(tmp_path: Path, options: list[str], syntax: UID) -> None:
    ds = queryish()
    if syntax.is_implicit_vr:
        for tag in (0x00091001, 0x00091002, 0x00091003):
            del ds[tag]
    encoded = DataSet.from_pydicom(ds, syntax)
    (tmp_path / "q.dcm").write_bytes(FileMeta(CTImageStorage, UID("1.2"), syntax).encode() + encoded.encoded)
    done = subprocess.run([str(DCMDUMP), *options, tmp_path / "q.dcm"], capture_output=True, check=True, timeout=30)
    (tmp_path / "q.txt").write_bytes(done.stdout)
    assert read_query(tmp_path / "q.txt") == encoded.dataset


def test_reads_files_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "query"
    ds = query("STUDY", PatientName="DOE^*").dataset
    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        path.write_bytes(FileMeta(CTImageStorage, UID("1.2"), syntax).encode() + DataSet.from_pydicom(ds, syntax).encoded)
        assert read_query(path) == ds
    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        path.write_bytes(DataSet.from_pydicom(ds, syntax).encoded)
        assert read_query(path) == ds
    path.write_text("(0008,0052) CS [STUDY]\n(0010,0010) PN [DOE^*]\n")
    assert read_query(path) == ds
    path.write_bytes(b"")
    assert len(read_query(path)) == 0


@pytest.mark.parametrize("content", [b"text", b"\x08\0\x52\0CS\xff\0ST", bytes(128) + b"DICM"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "query").write_bytes(content)
    with pytest.raises(DataError, match=f"{tmp_path}/query: "):
        read_query(tmp_path / "query")
    with pytest.raises(FileNotFoundError):
        read_query(tmp_path / "none")


def keyed(*keys: str) -> Dataset:
    ds = Dataset()
    for key in keys:
        parse_key(key).apply(ds)
    return ds


@pytest.mark.parametrize("key", ["PatientName=DOE^*", "(0010,0010)=DOE^*", "0010,0010=DOE^*", " ( 0010 , 0010 ) =DOE^*"])
def test_a_key_in_every_spelling(key: str) -> None:
    assert keyed(key) == query(None, PatientName="DOE^*").dataset


def test_values_of_keys() -> None:
    ds = keyed("StudyInstanceUID", "PatientID=", "Rows=512", "ModalitiesInStudy=CT\\MR", "SOPClassUID==CTImageStorage", "PatientName=A=B")
    assert (ds.StudyInstanceUID, ds.PatientID, ds.Rows) == ("", "", 512)
    assert (ds.ModalitiesInStudy, ds.SOPClassUID, ds.PatientName) == (["CT", "MR"], CTImageStorage, "A=B")
    assert keyed("PatientID=1", "PatientID=2").PatientID == "2"
    assert DataSet.from_pydicom(keyed("SeriesDate=20200101-")).encoded == query(None, SeriesDate="20200101-").encoded


def test_paths_into_sequences() -> None:
    ds = keyed("(0040,0100)[0].Modality=CT", "ScheduledProcedureStepSequence[0].ScheduledStationAETitle=A", "0040,0100[2].0008,0060=MR")
    assert [len(item) for item in ds.ScheduledProcedureStepSequence] == [2, 0, 1]
    assert ds.ScheduledProcedureStepSequence[0].Modality == "CT"
    assert ds.ScheduledProcedureStepSequence[2].Modality == "MR"
    deep = keyed("ScheduledProcedureStepSequence[0].ScheduledProtocolCodeSequence[1].CodeValue=x")
    assert deep.ScheduledProcedureStepSequence[0].ScheduledProtocolCodeSequence[1].CodeValue == "x"
    assert keyed("ReferencedStudySequence").ReferencedStudySequence == []
    assert len(keyed("ReferencedStudySequence[1]").ReferencedStudySequence) == 2
    assert len(keyed("ReferencedStudySequence[1]", "ReferencedStudySequence[0]").ReferencedStudySequence) == 2


def test_text_beyond_ascii_makes_the_identifier_utf_8() -> None:
    ds = DataSet.from_pydicom(query("STUDY", PatientName="Jörg", SpecificCharacterSet="ISO_IR 100").dataset).dataset
    for key in ("PatientID=日本", "ScheduledProcedureStepSequence[0].ScheduledStationName=Ä\\Ö"):
        parse_key(key).apply(ds)
    back = DataSet.from_pydicom(ds).dataset
    assert (back.SpecificCharacterSet, back.PatientName, back.PatientID) == ("ISO_IR 192", "Jörg", "日本")
    assert back.ScheduledProcedureStepSequence[0].ScheduledStationName == ["Ä", "Ö"]


WRONG_KEYS = {
    "PatientNam=x": "key 'PatientNam=x': no attribute has the keyword 'PatientNam'; is it PatientName",
    "": "neither a keyword nor a tag",
    "=x": "neither a keyword nor a tag",
    "(0010,001)=x": "neither a keyword nor a tag",
    "ScheduledProcedureStepSequence[*].Modality=x": "neither a keyword nor a tag",
    "ScheduledProcedureStepSequence.Modality=x": r"an item number as \[0\] must stand",
    "ScheduledProcedureStepSequence=x": "a sequence has no value",
    "PatientName[0]=x": "the attribute is no sequence",
    "PatientName.Modality=x": r"an item number as \[0\] must stand",
    f"ReferencedStudySequence[{MAX_ITEM + 1}]": f"items are numbered from 0 to {MAX_ITEM}",
    "(0009,1001)=x": r"the dictionary has no VR for \(0009,1001\)",
    "SOPClassUID==Nonsense": "no UID has the name 'Nonsense'",
}


@pytest.mark.parametrize("key", WRONG_KEYS)
def test_wrong_keys_are_told(key: str) -> None:
    with pytest.raises(DataError, match=WRONG_KEYS[key]):
        parse_key(key)


def test_a_value_that_does_not_fit_is_told() -> None:
    with pytest.raises(DataError, match="key 'Rows=many': 'many' is no value of VR US"):
        keyed("Rows=many")
