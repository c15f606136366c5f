"""The head of a DICOM file: preamble, prefix and File Meta Information (PS3.10 section 7.1), both ways.

Reading is one loop over group 2 and knows nothing of pydicom, because whoever sends a folder reads thousands of heads.
It takes what is met in the field: a wrong or missing group length, a missing version, elements without a VR.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from dimse.data.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, UID
from dimse.errors import DataError
from pdu.typed import TYPE_CHECKING
from pdu.values import dataclass

if TYPE_CHECKING:
    from typing import BinaryIO


HEAD = 4096
"""Bytes that are read first: a head is some 400 bytes unless it holds private information."""
MAX_HEAD = 1_048_576
"""A head longer than this is none: (0002,0102) Private Information is all that could be large, and is not."""

PREFIX = b"DICM"
PREAMBLE = 128


@dataclass(frozen=True, slots=True)
class FileMeta:
    """File Meta Information: what a file holds, how it is encoded and who wrote it. "" stands for an absent element.

    PS3.10 7.1, Table 7.1-1.
    """

    media_storage_sop_class_uid: UID
    media_storage_sop_instance_uid: UID
    transfer_syntax_uid: UID
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version_name: str = IMPLEMENTATION_VERSION_NAME
    source_application_entity_title: str = ""
    private_information_creator_uid: str = ""
    private_information: bytes = b""
    """What its creator meant it to be: none without one. Of `encode` these are the last bytes."""

    def encode(self) -> bytes:
        """The head of a file, to be followed by the data set: preamble of zeros, prefix, group 2 (PS3.10 7.1).

        Raises `ValueError` for a value longer than its length field can say.
        """
        return self.heads()(self.media_storage_sop_instance_uid)

    def heads(self) -> Callable[[str], bytes]:
        """What gives the heads of files that differ from this one in their SOP Instance UID only: most of a head is made once."""
        before = _VERSION + _texts(self, _TEXTS[:1])
        after = _texts(self, _TEXTS[1:])
        if self.private_information_creator_uid and self.private_information:
            after += _bytes_element(0x0102, self.private_information)

        def encode(uid: str) -> bytes:
            group = before + _text_element(_INSTANCE, uid) + after if uid else before + after
            return _START + _put_long(len(group)) + group

        return encode


def read_meta(file: BinaryIO | bytes) -> tuple[FileMeta, int]:
    """The File Meta Information of a file at its beginning, and the offset of the data set behind it.

    An open file may be read beyond that offset. Raises `DataError` if it is not a DICOM file or names no transfer syntax.
    """
    if isinstance(file, bytes):
        return scan_meta(lambda size: b"", file)
    return scan_meta(file.read)


def scan_meta(read: Callable[[int], bytes], head: bytes = b"") -> tuple[FileMeta, int]:
    """Like `read_meta`, from `head` and what `read` adds to it: at most as many bytes as asked for, b"" at the end."""
    values, offset = _scan(read, head)
    return _meta(values), offset


def scan_uids(read: Callable[[int], bytes]) -> tuple[UID, UID, UID, int]:
    """Of what `scan_meta` gives: SOP class, SOP instance, transfer syntax and the offset, for whoever reads thousands of heads."""
    values, offset = _scan(read, b"")
    return UID(_text(values, 0x0002)), UID(_text(values, 0x0003)), UID(_text(values, 0x0010)), offset


def _scan(read: Callable[[int], bytes], head: bytes) -> tuple[dict[int, bytes], int]:
    """The values of group 2 by element number, the transfer syntax among them, and the offset behind them."""
    head = head or read(HEAD)
    if head[PREAMBLE : PREAMBLE + 4] != PREFIX:
        raise _no_prefix(head)
    values, offset, whole = _group_2(head)
    while not whole and len(head) < MAX_HEAD and (more := read(3 * len(head))):
        head += more
        values, offset, whole = _group_2(head)
    if not whole and offset != len(head):
        raise DataError("the file ends, or stops making sense, within its File Meta Information", offset, "PS3.10 7.1")
    if not _text(values, 0x0010):
        raise DataError(
            "the File Meta Information has no Transfer Syntax UID (0002,0010)",
            clause="PS3.10 7.1",
            advice="nothing else says how the data set is encoded: convert the file with a tool that lets you say it",
        )
    return values, offset


_HEADER = struct.Struct("<HH2sH").unpack_from
_U32 = struct.Struct("<I").unpack_from
_put_short, _put_long = struct.Struct("<H").pack, struct.Struct("<I").pack
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())  # PS3.5 7.1.2
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


def _group_2(head: bytes) -> tuple[dict[int, bytes], int, bool]:
    """The values of group 2 by element number, the offset behind them, and whether what follows is not of group 2.

    The group ends where its tags end and not where (0002,0000) says, which is often wrong. Only in front of a deflated
    data set, whose first bytes can be anything, (0002,0000) is believed if it points at the end of an element.
    """
    values: dict[int, bytes] = {}
    position, declared, size = PREAMBLE + len(PREFIX), -1, len(head)
    while position + 8 <= size:
        group, element, vr, length = _HEADER(head, position)
        if group != 2 or (position == declared and UID(_text(values, 0x0010)).is_deflated):
            return values, position, True
        start = position + 8
        if vr in _SHORT:
            pass
        elif vr not in _LONG:  # no VR: these bytes are the first half of a length in implicit VR
            (length,) = _U32(head, position + 4)
        elif start + 4 <= size:
            (length,) = _U32(head, start)
            start += 4
        else:
            break
        stop = start + length
        if stop > size:
            break
        values[element] = head[start:stop]
        position = stop
        if element == 0 and length == 4:
            declared = stop + _U32(head, start)[0]
    return values, position, False


def _meta(values: dict[int, bytes]) -> FileMeta:
    creator = _text(values, 0x0100)
    return FileMeta(
        UID(_text(values, 0x0002)),
        UID(_text(values, 0x0003)),
        UID(_text(values, 0x0010)),
        _text(values, 0x0012),
        _text(values, 0x0013),
        _text(values, 0x0016),
        creator,
        values.get(0x0102, b"") if creator else b"",
    )


def _text(values: dict[int, bytes], element: int) -> str:
    value = values.get(element)
    return value.decode("latin-1").strip(" \0") if value else ""


def _no_prefix(head: bytes) -> DataError:
    what = "not a DICOM file: no 'DICM' behind the preamble"
    if len(head) < PREAMBLE + 4:
        what = f"not a DICOM file: {len(head)} bytes are too few for a preamble and 'DICM'"
    bare = head[:2] in (b"\2\0", b"\x08\0", b"\0\x08")
    advice = "it looks like a data set without a head: give it one, for instance with dcmconv" if bare else ""
    return DataError(what, PREAMBLE, "PS3.10 7.1", advice)


def _start(element: int, vr: bytes) -> bytes:
    """Tag and VR of an element of group 2; behind the latter two reserved bytes, if it is one that has them."""
    return _put_short(2) + _put_short(element) + vr


def _bytes_element(element: int, value: bytes) -> bytes:
    """An element of group 2 with the VR OB."""
    value += bytes(len(value) % 2)
    return _start(element, b"OB\0\0") + _put_long(len(value)) + value


_START = bytes(PREAMBLE) + PREFIX + _start(0x0000, b"UL") + b"\4\0"
_VERSION = _bytes_element(0x0001, b"\0\1")
_INSTANCE = _start(0x0003, b"UI")
_TEXTS = (  # field, tag and VR: those besides the SOP Instance UID, which stands behind the first
    ("media_storage_sop_class_uid", _start(0x0002, b"UI")),
    ("transfer_syntax_uid", _start(0x0010, b"UI")),
    ("implementation_class_uid", _start(0x0012, b"UI")),
    ("implementation_version_name", _start(0x0013, b"SH")),
    ("source_application_entity_title", _start(0x0016, b"AE")),
    ("private_information_creator_uid", _start(0x0100, b"UI")),
)


def _texts(meta: FileMeta, fields: Sequence[tuple[str, bytes]]) -> bytes:
    """The elements of those of these fields that are there."""
    return b"".join([_text_element(start, text) for name, start in fields if (text := getattr(meta, name))])


def _text_element(start: bytes, text: str) -> bytes:
    value = text.encode("latin-1")
    if len(value) & 1:
        value += b"\0" if start.endswith(b"UI") else b" "
    if len(value) > 0xFFFF:
        raise ValueError(f"({start[1]:02X}{start[0]:02X},{start[3]:02X}{start[2]:02X}) cannot have {len(value)} bytes (PS3.5 7.1.2)")
    return start + _put_short(len(value)) + value
