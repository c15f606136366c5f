"""Any file is read as Part 10 or refused by DataError, the same in whatever pieces it is read, and is sent as it lies on disk."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

from dimse.data.part10 import PREAMBLE, PREFIX, FileMeta, read_meta, scan_meta
from dimse.data.sources import FileSource
from dimse.data.uids import UID
from dimse.errors import DataError
from fuzz import seeds
from fuzz.choices import Choices
from fuzz.target import Features, Target, require


def check(data: bytes) -> Features:
    """The first byte is how much a read gives; what does not begin with a preamble gets one, unless the byte is 0."""
    choices = Choices(data)
    most, rest = choices.number(), choices.rest()
    file = rest if not most else bytes(PREAMBLE) + PREFIX + rest
    told = _read(file)
    require(told == _read_in_pieces(file, max(most, 1)), "read in pieces it tells something else")
    _check_source(file, told)
    if told is None:
        return ("refused",)
    meta, offset = told
    require(PREAMBLE + len(PREFIX) <= offset <= len(file), "the data set begins outside of the file")
    again, behind = read_meta(meta.encode() + b"\x08\0\x05\0CS\0\0")
    require((again, behind) == (meta, len(meta.encode())), "File Meta Information does not survive")
    present = tuple(bool(getattr(meta, name)) for name in FileMeta.__dataclass_fields__)
    return (present, meta.transfer_syntax_uid.is_deflated, offset == len(file))


def _read(file: bytes) -> tuple[FileMeta, int] | None:
    """What `read_meta` tells of a file in memory, and of one that is open."""
    try:
        told = read_meta(file)
    except DataError as error:
        require(error.offset is None or error.offset <= max(len(file), PREAMBLE), "an offset outside")
        with contextlib.suppress(DataError):
            read_meta(BytesIO(file))
            raise AssertionError("an open file is no longer refused") from None
        return None
    require(read_meta(BytesIO(file)) == told, "an open file tells something else")
    return told


def _read_in_pieces(file: bytes, most: int) -> tuple[FileMeta, int] | None:
    stream = BytesIO(file)
    try:
        return scan_meta(lambda size: stream.read(min(size, PREAMBLE + len(PREFIX) + most)))
    except DataError:
        return None


def _check_source(file: bytes, told: tuple[FileMeta, int] | None) -> None:
    """A `FileSource` of it gives exactly what is behind the head."""
    path = _path()
    path.write_bytes(file)
    try:
        source = FileSource(path)
    except DataError:
        return
    if told is None:
        raise AssertionError("a source was made of what is refused")
    meta, offset = told
    require((source.transfer_syntax, source.sop_instance_uid) == (meta.transfer_syntax_uid, meta.media_storage_sop_instance_uid), "other")
    require((source.offset, source.offset + source.size) == (offset, len(file)), "of another size")
    hole = memoryview(bytearray(source.size + 1))
    with source.open() as reading:
        count = reading.readv([hole[:1], hole[1:]])
        require(count == source.size and hole[:count] == file[offset:], "other bytes than those in the file")
        require(reading.readv([hole]) == 0, "it goes on behind its end")


@cache
def _path() -> Path:
    """A file to be written over and over."""
    return Path(tempfile.mkdtemp(prefix="fuzz-part10-"), "file.dcm")


def _seeds() -> Iterator[bytes]:
    metas = [FileMeta(UID("1.2.840.10008.5.1.4.1.1.2"), UID("1.2.3"), UID(syntax)) for syntax in _SYNTAXES]
    metas.append(FileMeta(UID(""), UID(""), UID("1.2.840.10008.1.2"), "", "", "ME"))
    for meta in metas:
        head = meta.encode()
        for part in (b"", b"\x08\0\x05\0CS\0\0", *list(seeds.parts().values())[:9]):
            yield b"\0" + head + part
            yield b"\1" + head[PREAMBLE + len(PREFIX) :] + part
    yield b"\1" + b"\2\0\x10\0\x12\0\0\x001.2.840.10008.1.2 "  # Implicit VR, which is not allowed here
    yield from seeds.findings("part10")


_SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99")
TARGET = Target(check, _seeds, ("dimse.data.part10",))
