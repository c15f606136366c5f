"""File heads: written and read back, tolerated where the field is sloppy, refused where they are none."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.data.part10 import HEAD, MAX_HEAD, PREAMBLE, FileMeta, read_meta
from dimse.data.uids import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from dimse.errors import DataError

META = FileMeta(CTImageStorage, UID("1.2.3.4"), ExplicitVRLittleEndian, source_application_entity_title="ME")
DATA = b"\x08\0\x18\0UI\x08\0001.2.3.4\0"
FRONT = bytes(PREAMBLE) + b"DICM"


def explicit(element: int, vr: bytes, value: bytes, group: int = 2) -> bytes:
    if vr in (b"OB", b"UN", b"UT"):
        return struct.pack("<HH2sHI", group, element, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, element, vr, len(value)) + value


def implicit(element: int, value: bytes, group: int = 2) -> bytes:
    return struct.pack("<HHI", group, element, len(value)) + value


def group_2(*without: int, syntax: bytes = b"1.2.840.10008.1.2.1\0") -> bytes:
    elements = {
        0x0001: explicit(0x0001, b"OB", b"\0\1"),
        0x0002: explicit(0x0002, b"UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
        0x0003: explicit(0x0003, b"UI", b"1.2.3.4\0"),
        0x0010: explicit(0x0010, b"UI", syntax),
        0x0012: explicit(0x0012, b"UI", b"1.9\0"),
        0x0013: explicit(0x0013, b"SH", b"X 1 "),
        0x0016: explicit(0x0016, b"AE", b"ME"),
    }
    return b"".join(value for element, value in elements.items() if element not in without)


def with_length(group: bytes, wrong_by: int = 0) -> bytes:
    return explicit(0, b"UL", struct.pack("<I", len(group) + wrong_by)) + group


EXPECTED = FileMeta(CTImageStorage, UID("1.2.3.4"), ExplicitVRLittleEndian, "1.9", "X 1", "ME")

TOLERATED = {
    "as it should be": with_length(group_2()),
    "group length too large": with_length(group_2(), 8),
    "group length too small": with_length(group_2(), -8),
    "group length of a later version": with_length(group_2(), -len(explicit(0x0016, b"AE", b"ME"))),
    "group length zero": with_length(group_2(), -len(group_2())),
    "group length in the wrong VR": explicit(0, b"US", b"\x10\0") + group_2(),
    "no group length": group_2(),
    "no version": with_length(group_2(0x0001)),
    "version with short VR": with_length(explicit(0x0001, b"UL", b"\0\1\0\0") + group_2(0x0001)),
    "a private element": with_length(group_2() + explicit(0x0102, b"OB", bytes(20))),
    "an unknown long VR": with_length(group_2() + explicit(0x0102, b"UN", bytes(20))),
    "implicit VR": implicit(0, b"\x9c\0\0\0")
    + implicit(1, b"\0\1")
    + implicit(2, b"1.2.840.10008.5.1.4.1.1.2\0")
    + implicit(3, b"1.2.3.4\0")
    + implicit(0x10, b"1.2.840.10008.1.2.1\0")
    + implicit(0x12, b"1.9\0")
    + implicit(0x13, b"X 1 ")
    + implicit(0x16, b"ME"),
    "spaces as padding": with_length(group_2(syntax=b"1.2.840.10008.1.2.1 ")),
}


@pytest.mark.parametrize("group", TOLERATED.values(), ids=TOLERATED.keys())
def test_reads_what_is_met_in_the_field(group: bytes) -> None:
    content = FRONT + group + DATA
    assert read_meta(content) == (EXPECTED, len(FRONT) + len(group))
    assert read_meta(io.BytesIO(content)) == (EXPECTED, len(FRONT) + len(group))


def test_writes_what_it_reads_with_a_right_group_length() -> None:
    head = META.encode()
    assert head.startswith(FRONT + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(head) - PREAMBLE - 4 - 12))
    assert explicit(0x0001, b"OB", b"\0\1") in head
    assert read_meta(head + DATA) == (META, len(head))
    assert (META.implementation_class_uid, META.implementation_version_name) == (IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME)


def test_pydicom_reads_what_is_written() -> None:
    from pydicom import dcmread

    file = dcmread(io.BytesIO(META.encode() + DATA))
    assert file.SOPInstanceUID == "1.2.3.4"
    assert file.file_meta.FileMetaInformationVersion == b"\0\1"
    assert file.file_meta.FileMetaInformationGroupLength == len(META.encode()) - PREAMBLE - 4 - 12
    assert file.file_meta.SourceApplicationEntityTitle == "ME"


def test_private_information_stands_at_the_end_and_belongs_to_its_creator() -> None:
    from pydicom import dcmread

    meta = replace(META, private_information_creator_uid="1.2.9", private_information=b"ab")
    head = meta.encode()
    assert head.endswith(explicit(0x0100, b"UI", b"1.2.9\0") + explicit(0x0102, b"OB", b"ab"))
    assert read_meta(head + DATA) == (meta, len(head))
    assert dcmread(io.BytesIO(head + DATA)).file_meta.PrivateInformation == b"ab"
    assert replace(META, private_information=b"ab").encode() == META.encode()


def test_an_absent_element_is_empty_and_not_written() -> None:
    bare = FileMeta(CTImageStorage, UID("1.2"), ImplicitVRLittleEndian, "", "", "")
    assert read_meta(bare.encode()) == (bare, len(bare.encode()))
    assert b"\x02\0\x16\0" not in bare.encode()


uids = st.text("0123456789.", min_size=1, max_size=64).map(UID)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=16)


@given(st.builds(FileMeta, uids, uids, uids, uids, words, words), st.binary(max_size=40))
def test_every_value_survives(meta: FileMeta, rest: bytes) -> None:
    head = meta.encode()
    assert read_meta(head + b"\x08\0\x05\0\0\0\0\0" + rest) == (meta, len(head))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_data_set_may_begin_in_any_syntax(syntax: UID) -> None:
    head = FileMeta(CTImageStorage, UID("1.2"), syntax).encode()
    first = b"\0\x08\0\x18UI\0\0" if syntax == ExplicitVRBigEndian else implicit(0x18, b"", 8)
    assert read_meta(head + first)[1] == len(head)


def test_a_deflated_data_set_may_begin_like_group_2() -> None:
    head = FileMeta(CTImageStorage, UID("1.2"), DeflatedExplicitVRLittleEndian).encode()
    assert read_meta(head + b"\2\0\x17\0AE\2\0XX" + bytes(20))[1] == len(head)


def test_a_group_length_that_ends_early_is_believed_only_there() -> None:
    """In front of a deflated data set, but at no end of an element: the walk goes on."""
    group = with_length(group_2(syntax=b"1.2.840.10008.1.2.1.99"), -3)
    assert read_meta(FRONT + group + b"\x4b\x4c" + bytes(20))[1] == len(FRONT) + len(group)


class Chunks:
    """An open file that counts what is read of it."""

    def __init__(self, content: bytes) -> None:
        self.file = io.BytesIO(content)
        self.sizes: list[int] = []

    def read(self, size: int) -> bytes:
        self.sizes.append(size)
        return self.file.read(size)


def reading(content: bytes) -> tuple[Chunks, Callable[[], tuple[FileMeta, int]]]:
    from dimse.data.part10 import scan_meta

    chunks = Chunks(content)
    return chunks, lambda: scan_meta(chunks.read)


def test_one_read_is_enough() -> None:
    chunks, read = reading(META.encode() + DATA + bytes(100_000))
    assert read() == (META, len(META.encode()))
    assert chunks.sizes == [HEAD]


@pytest.mark.parametrize("size", [0, HEAD - 400, HEAD, 3 * HEAD, 100_000])
def test_a_long_head_takes_more_reads(size: int) -> None:
    group = with_length(group_2() + explicit(0x0102, b"OB", bytes(size)))
    chunks, read = reading(FRONT + group + DATA)
    assert read() == (EXPECTED, len(FRONT) + len(group))
    assert len(chunks.sizes) <= 5


def test_a_head_that_does_not_end_is_not_read_for_ever() -> None:
    chunks, read = reading(FRONT + group_2() + explicit(0x0102, b"OB", bytes(2 * MAX_HEAD)))
    with pytest.raises(DataError, match="within its File Meta Information"):
        read()
    assert sum(chunks.sizes) <= 4 * MAX_HEAD


NOT_DICOM = {
    "nothing": (b"", "0 bytes are too few"),
    "too short": (bytes(131), "131 bytes are too few"),
    "text": (b"hello world\n" * 50, "no 'DICM' behind the preamble at offset 128"),
    "bare data set": (implicit(0x05, b"ISO_IR 100", 8) + bytes(200), "it looks like a data set without a head"),
    "head without preamble": (with_length(group_2()) + DATA, "it looks like a data set without a head"),
    "nothing behind the prefix": (FRONT, r"no Transfer Syntax UID \(0002,0010\)"),
    "no transfer syntax": (FRONT + with_length(group_2(0x0010)) + DATA, r"no Transfer Syntax UID \(0002,0010\)"),
    "cut off in an element": (FRONT + group_2() + explicit(0x17, b"AE", b"ME")[:-1], "within its File Meta Information"),
    "cut off in a header": (FRONT + group_2() + explicit(0x17, b"AE", b"ME")[:7], "within its File Meta Information"),
    "cut off in a long header": (FRONT + group_2() + explicit(0x102, b"OB", b"")[:10], "within its File Meta Information"),
    "impossible length": (FRONT + group_2() + struct.pack("<HHI", 2, 0x102, 0xFFFFFFFF) + DATA, "within its File Meta Information"),
}


@pytest.mark.parametrize(("content", "message"), NOT_DICOM.values(), ids=NOT_DICOM.keys())
def test_refuses_what_is_no_dicom_file(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_meta(content)
    assert caught.value.clause == "PS3.10 7.1"
    with pytest.raises(DataError, match=message):
        read_meta(io.BytesIO(content))


@given(st.binary(max_size=300))
def test_wrong_bytes_raise_data_error_only(rest: bytes) -> None:
    for content in (rest, FRONT + rest, FRONT + group_2(0x0016) + b"\2\0" + rest):
        try:
            meta, offset = read_meta(content)
        except DataError:
            continue
        assert PREAMBLE + 4 <= offset <= len(content)
        assert isinstance(meta.transfer_syntax_uid, UID)
