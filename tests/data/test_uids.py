"""UIDs: their names and kinds against pydicom's dictionary, their form against PS3.5 9.1."""

from __future__ import annotations

import subprocess
import sys

import pydicom.uid
import pytest
from pydicom._uid_dict import UID_dictionary

from dimse.data import uids
from dimse.data.uids import UID

CONSTANTS = {name: value for name, value in vars(uids).items() if isinstance(value, UID)}
SHORT_NAMES = {
    "ModalityWorklistFind": "ModalityWorklistInformationModelFind",
    "StorageCommitment": "StorageCommitmentPushModel",
    "StorageCommitmentInstance": "StorageCommitmentPushModelInstance",
} | {
    f"{model}{verb}": f"{model}QueryRetrieveInformationModel{verb}"
    for model in ("PatientRoot", "StudyRoot", "PatientStudyOnly")
    for verb in ("Find", "Move", "Get")
}
TRANSFER_SYNTAXES = [uid for uid, row in UID_dictionary.items() if row[1] == "Transfer Syntax" and not row[0].startswith("Papyrus")]
"""Papyrus 3 was withdrawn long ago."""


@pytest.mark.parametrize("keyword", [name for name in CONSTANTS if name != "IMPLEMENTATION_CLASS_UID"])
def test_constants_are_those_of_the_dictionary(keyword: str) -> None:
    row = UID_dictionary[CONSTANTS[keyword]]
    assert row[4] == SHORT_NAMES.get(keyword, keyword)
    assert CONSTANTS[keyword].name == row[0]


def test_names_of_others() -> None:
    assert UID("1.2.840.10008.5.1.4.1.1.77.1.1").name == "VL Endoscopic Image Storage"
    assert UID("1.2.3").name == "1.2.3"
    assert UID("1.2.840.10008.5.1.4.1.1.40").name == "1.2.840.10008.5.1.4.1.1.40", "a retired one whose name is empty there"
    assert uids.IMPLEMENTATION_CLASS_UID.name == "this implementation"


def test_a_uid_is_a_str() -> None:
    uid = UID("1.2.3")
    assert uid == "1.2.3"
    assert hash(uid) == hash("1.2.3")
    assert type(str(uid)) is str
    assert f"{uid}" == "1.2.3"
    with pytest.raises(AttributeError):
        uid.extra = 1  # type: ignore[attr-defined]  # that it has no such attribute is what is tested


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("1.2.840.10008.1.1", True),
        ("0", True),
        ("1.02.3", True),
        ("1" * 64, True),
        ("1" * 65, False),
        ("", False),
        (".", False),
        ("1.", False),
        (".1", False),
        ("1..2", False),
        ("1.2 ", False),
        ("1.2\0", False),
        ("1.2\n", False),
        ("1.2;$(id)", False),
        ("..", False),
        ("../../../tmp/PWN", False),
        ("/tmp/PWN", False),
        ("1.2.a", False),
        ("1.٣", False),
        ("-1.2", False),
    ],
)
def test_form(text: str, valid: bool) -> None:
    assert UID(text).is_valid is valid


def test_private() -> None:
    assert not uids.Verification.is_private
    assert UID("1.2.840.100080.1").is_private
    assert uids.IMPLEMENTATION_CLASS_UID.is_private


def test_storage_classes_are_those_that_are_called_so() -> None:
    named = {
        uid
        for uid, row in UID_dictionary.items()
        if row[1] == "SOP Class" and "Storage" in row[0] and "Storage Commitment" not in row[0] and "Directory" not in row[0]
    }
    found = uids.storage_classes()
    assert set(found) == named
    assert len(found) == len(named) > 180
    retired = [UID_dictionary[uid][3] == "Retired" for uid in found]
    assert retired == sorted(retired)
    assert all(type(uid) is UID for uid in found)
    assert not UID("1.2.3").is_storage
    assert not uids.StudyRootFind.is_storage


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_transfer_syntaxes_as_pydicom_has_them(syntax: str) -> None:
    ours, theirs = UID(syntax), pydicom.uid.UID(syntax)
    # Deflated JPIP is deflated as a whole (PS3.5 A.7), which pydicom does not say.
    assert ours.is_implicit_vr == theirs.is_implicit_VR
    assert ours.is_little_endian == theirs.is_little_endian
    assert ours.is_deflated == (theirs.is_deflated or "Deflate" in theirs.name)
    native = theirs.name.startswith(("JPIP", "SMPTE"))
    assert ours.is_encapsulated == (theirs.is_encapsulated and not native)


def test_private_transfer_syntaxes_are_taken_for_encapsulated_explicit_little_endian() -> None:
    syntax = UID("1.2.3.4")
    assert (syntax.is_implicit_vr, syntax.is_little_endian, syntax.is_deflated, syntax.is_encapsulated) == (False, True, False, True)


def test_what_is_proposed_by_default_has_the_default_transfer_syntax() -> None:
    assert uids.ImplicitVRLittleEndian in uids.DEFAULT_TRANSFER_SYNTAXES


def test_our_own_identity() -> None:
    assert uids.IMPLEMENTATION_CLASS_UID.is_valid
    number = int(uids.IMPLEMENTATION_CLASS_UID.removeprefix("2.25."))
    assert number < 1 << 128
    assert number >> 76 & 0xF == 4, "a random UUID (RFC 4122)"
    assert 1 <= len(uids.IMPLEMENTATION_VERSION_NAME) <= 16


@pytest.mark.parametrize("module", ["dimse.errors", "dimse.data.uids", "dimse.data.status", "dimse.data.elements", "dimse.data.commands"])
def test_importing_loads_no_pydicom(module: str) -> None:
    program = f"import {module}, sys; sys.exit('pydicom' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
