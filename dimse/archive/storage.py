"""Instances as files: how a data set gets from the network into its place, and nothing of it anywhere else until it is whole.

    objects/ab/cd/<SHA-256 of the SOP Instance UID>.dcm     complete instances, Part 10 files
    tmp/                                                    files being written; swept at start
    index.db                                                see `index`

A data set of up to 1 MiB is kept in memory and written in one go once it is known to be wanted; a longer one goes to its
temporary file as it comes. At its end: checks, flush (when durable), then, with the right to write the index in hand, the rename
and the row. The file comes before the row, so a row always has its file; a file without a row was never acknowledged, and the
next instance of that name takes its place. Nothing that came over the network is ever part of a path.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import count
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from dimse.archive.attributes import BY_TAG, SCANNED, SERIES_INSTANCE_UID, SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from dimse.archive.index import Header, Index, Instance
from dimse.data.datasets import DataSet
from dimse.data.elements import check_size, scan
from dimse.data.headers import MAX_DEPTH
from dimse.data.part10 import FileMeta
from dimse.data.sources import FileSource
from dimse.data.status import (
    CANNOT_UNDERSTAND,
    DATASET_MISMATCH,
    DUPLICATE_INSTANCE,
    INVALID_INSTANCE,
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
)
from dimse.data.uids import UID
from dimse.errors import DataError, Refused, UsageError
from dimse.services.handlers import Request
from dimse.services.sinks import check_space

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

Durability = Literal["relaxed", "full"]
"""`full`: 0000H is answered when the instance would survive a power cut. `relaxed`: flushing is left to the operating system."""

HELD: Final = 1_048_576
"""Bytes of a data set that are kept in memory before it needs a file."""
HEAD: Final = 262_144
"""Bytes of a longer one that stay in memory for the header scan, which then needs no look into the file; nearly always."""

MAX_COMPARED: Final = 67_108_864
"""Bytes of an instance that is compared element by element with another encoding of it; a larger one counts as another."""
MAX_ELEMENTS_COMPARED: Final = 100_000
"""Elements of one, those in sequences included: each is an object then, of half a kilobyte."""
TRAILING_PADDING: Final = 0xFFFC_FFFC

MAX_COMMENT: Final = 64
"""Characters of an Error Comment (0000,0902)."""

_MAX_PIECES: Final = 1024  # IOV_MAX of Linux and the BSDs


class Storage:
    """The files of one archive, below a folder that it makes if there is none.

    `reserve` are the bytes that stay free on its file system (see `check_space`). Holds a lock on the folder until `close`: raises
    `UsageError` if another process, or another archive of this one, has it.
    """

    def __init__(self, folder: Path, *, durability: Durability = "relaxed", reserve: int | None = None) -> None:
        if durability not in ("relaxed", "full"):
            raise ValueError(f"durability is 'relaxed' or 'full', not {durability!r}")
        self.folder = folder
        self._durable = durability == "full"
        self._reserve = reserve
        self._objects = folder / "objects"
        self._temporary = folder / "tmp"
        self._names = count()
        for each in (folder, self._objects, self._temporary):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(folder)
        try:
            self._sweep()
            self.index = Index(folder / "index.db", durable=self._durable)
        except BaseException:
            os.close(self._lock)
            raise

    def open_sink(self, request: Request) -> InstanceSink:
        """Where the data set of a C-STORE request goes. Refuses what need not be waited for (PS3.7 9.1.1.1)."""
        sop_class, uid = UID(request.command.affected_sop_class_uid or ""), UID(request.command.affected_sop_instance_uid or "")
        if not uid.is_valid:
            raise Refused(INVALID_INSTANCE, "the SOP Instance UID is no valid UID", (0x0000_1000,))
        if sop_class != request.context.abstract_syntax:
            raise Refused(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of the presentation context", (0x0000_0002,))
        check_space(self.folder, self._reserve)
        meta = FileMeta(sop_class, uid, request.context.transfer_syntax, source_application_entity_title=request.peer.calling)
        return InstanceSink(self, meta)

    def create(self) -> TemporaryFile:
        """A new empty file to write an instance to."""
        path = f"{self._temporary}/{next(self._names)}.part"
        return TemporaryFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), path)

    def keep(self, file: TemporaryFile, instance: Instance, header: Header) -> int:
        """Takes a completely written file into the archive, and returns the status to answer.

        The same instance again is stored once. Other bytes under the same UID are refused, the first ones stay.
        """
        if self._durable:
            os.fsync(file.fd)
        with self.index.writing() as index:
            known = index.digest(instance.sop_instance_uid)
            if known is not None:
                return SUCCESS if known == instance.digest else DUPLICATE_INSTANCE
            place = self._name_of(instance.sop_instance_uid)
            self._move(file, place)
            index.undo(partial(os.unlink, place))
            index.add(instance, header)
        return SUCCESS

    def path_of(self, sop_instance_uid: str) -> Path:
        """Where the file of an instance is, or would be."""
        return Path(self._name_of(sop_instance_uid))

    def close(self) -> None:
        """Closes the index and gives the folder free; a second time does nothing."""
        self.index.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _name_of(self, sop_instance_uid: str) -> str:
        """A digest: of fixed length and alphabet, so that no UID, whatever is in it, is a path. A string, because there are many."""
        name = sha256(sop_instance_uid.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._objects}/{name[:2]}/{name[2:4]}/{name}.dcm"

    def _move(self, file: TemporaryFile, place: str) -> None:
        """Gives a file its name, making the folders above it where they are missing."""
        try:
            file.rename(place)
        except FileNotFoundError:
            self._make_folder(os.path.dirname(place))  # noqa: PTH120 - see `_name_of`
            file.rename(place)
        if self._durable:
            _flush_folder(os.path.dirname(place))  # noqa: PTH120

    def _make_folder(self, folder: str) -> None:
        above = os.path.dirname(folder)  # noqa: PTH120
        try:
            os.mkdir(folder, 0o700)  # noqa: PTH102
        except FileNotFoundError:
            os.mkdir(above, 0o700)  # noqa: PTH102
            os.mkdir(folder, 0o700)  # noqa: PTH102
            if self._durable:
                _flush_folder(str(self._objects))
        if self._durable:
            _flush_folder(above)

    def _sweep(self) -> None:
        """Removes what an earlier run did not finish."""
        for entry in self._temporary.iterdir():
            if entry.is_symlink() or not entry.is_dir():
                entry.unlink()


class InstanceSink:
    """Takes one data set, and keeps it as an instance of the archive (a `Sink`)."""

    def __init__(self, storage: Storage, meta: FileMeta) -> None:
        self._storage = storage
        self._meta = meta
        self._prefix = meta.encode()
        self._size = 0
        self._held = bytearray()
        self._digest = sha256()
        self._file: TemporaryFile | None = None

    def write(self, pieces: Sequence[memoryview]) -> None:
        """Takes the next bytes of the data set."""
        if self._file is None:
            for piece in pieces:
                self._held += piece
            self._size = len(self._held)
            if self._size > HELD:
                self._spill()
            return
        for piece in pieces:
            self._digest.update(piece)
            self._size += len(piece)
        with _resources():
            self._file.write(pieces)

    def finish(self) -> int:
        """Checks the data set and keeps it; returns the status. Raises `Refused`, and then nothing of it is left."""
        try:
            header = self._scan()
            self._check(header)
            with _resources():
                return self._keep(header)
        finally:
            self.discard()

    def discard(self) -> None:
        """Leaves nothing behind; a second time does nothing."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
        self._held = bytearray()

    def _spill(self) -> None:
        """Goes on in a file: this data set is long."""
        with _resources():
            self._to_file()
        self._digest.update(self._held)
        del self._held[HEAD:]

    def _to_file(self) -> TemporaryFile:
        self._file = self._storage.create()
        self._file.write([memoryview(self._prefix), memoryview(self._held)])
        return self._file

    def _keep(self, header: Header) -> int:
        if self._file is None:
            self._digest.update(self._held)
        meta, digest = self._meta, self._digest.digest()
        uid = meta.media_storage_sop_instance_uid
        instance = Instance(meta.media_storage_sop_class_uid, uid, meta.transfer_syntax_uid, len(self._prefix), self._size, digest)
        file = self._file or self._to_file()
        status = self._storage.keep(file, instance, header)
        if status == DUPLICATE_INSTANCE and _same_content(Path(file.path), self._storage.path_of(uid)):
            return SUCCESS
        return status

    def _scan(self) -> Header:
        """The values that the index is made of. Refuses a data set that ends early: 0000H says that all of it is kept."""
        syntax = self._meta.transfer_syntax_uid
        try:
            found = self._found(syntax)
        except DataError as error:
            raise Refused(CANNOT_UNDERSTAND, error.what[:MAX_COMMENT]) from error
        return Header(found, "little" if syntax.is_little_endian else "big")

    def _found(self, syntax: UID) -> dict[int, bytes]:
        """The same, read from what is in memory if that suffices, else from the file."""
        if self._file is None:
            return scan(self._held, syntax, SCANNED)
        if not syntax.is_deflated:
            with suppress(DataError):
                return scan(self._held, syntax, SCANNED, size=self._size)
        with _resources(), mmap(self._file.fd, 0, access=ACCESS_READ) as whole:
            return scan(whole, syntax, SCANNED, start=len(self._prefix))

    def _check(self, header: Header) -> None:
        """Refuses a data set that is not what the command said (A900H), or that belongs nowhere (C000H) (PS3.4 B.2.3)."""
        if not header:
            raise Refused(CANNOT_UNDERSTAND, "the data set cannot be read in its transfer syntax")
        said = ((SOP_CLASS_UID, self._meta.media_storage_sop_class_uid), (SOP_INSTANCE_UID, self._meta.media_storage_sop_instance_uid))
        for tag, uid in said:
            if header.text(BY_TAG[tag]) != uid:
                raise Refused(DATASET_MISMATCH, "command and data set do not name the same instance", (tag,))
        missing = tuple(tag for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID) if not header.text(BY_TAG[tag]))
        if missing:
            raise Refused(CANNOT_UNDERSTAND, "the data set lacks a Study or Series Instance UID", missing)


@dataclass(slots=True)
class TemporaryFile:
    """A file that is being written, and goes away with `close` unless it was given another name."""

    fd: int
    path: str
    moved: bool = False

    def write(self, pieces: Sequence[memoryview]) -> None:
        """Writes all the pieces, in as few system calls as there can be."""
        rest = [piece for piece in pieces if len(piece)]
        while rest:
            written = os.writev(self.fd, rest[:_MAX_PIECES])
            done = 0
            while done < len(rest) and written >= len(rest[done]):
                written -= len(rest[done])
                done += 1
            del rest[:done]
            if written:
                rest[0] = rest[0][written:]

    def rename(self, place: str) -> None:
        """Gives it its place."""
        os.rename(self.path, place)  # noqa: PTH104 - strings, see `Storage._name_of`
        self.moved = True

    def close(self) -> None:
        """Closes the file, and removes it if it still has its temporary name."""
        try:
            if not self.moved:
                os.unlink(self.path)  # noqa: PTH108
        finally:
            os.close(self.fd)


@contextmanager
def _resources() -> Iterator[None]:
    """Answers A700H for what is wrong with the disk and not with the data set (PS3.4 Table B.2-1)."""
    try:
        yield
    except OSError as error:
        raise Refused(OUT_OF_RESOURCES, f"cannot write the instance: {error.strerror or 'I/O error'}") from error
    except sqlite3.OperationalError as error:
        raise Refused(OUT_OF_RESOURCES, f"cannot write the index: {error}") from error


def _same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same data set in different encodings: programs that pass it on convert it, or write it anew.

    An instance that comes again by another route is no other instance because of that.
    """
    sources = FileSource(one), FileSource(other)
    syntaxes = {source.transfer_syntax for source in sources}
    if any(source.size > MAX_COMPARED for source in sources) or (len(syntaxes) > 1 and any(s.is_encapsulated for s in syntaxes)):
        return False
    little = all(syntax.is_little_endian for syntax in syntaxes)
    try:
        first, second = map(_content, sources)
        tags = first.keys()
        return tags == second.keys() and all(_same_value(first, second, tag, as_bytes=little) for tag in tags)
    except Exception:  # pydicom raises all kinds for values that it cannot read
        return False


def _same_value(first: Dataset, second: Dataset, tag: BaseTag, *, as_bytes: bool) -> bool:
    """Whether an element has the same value in both; the same bytes are, `as_bytes`, also where pydicom cannot read them."""
    return (as_bytes and bool(first.get_item(tag).value == second.get_item(tag).value)) or bool(first[tag] == second[tag])


def _content(source: FileSource) -> Dataset:
    """The data set without what says nothing: group lengths (PS3.5 7.2) and Data Set Trailing Padding (PS3.10 7.2)."""
    data_set = DataSet(source.path.read_bytes()[source.offset :], source.transfer_syntax)
    check_size(data_set.encoded, data_set.transfer_syntax, most=MAX_ELEMENTS_COMPARED, deepest=MAX_DEPTH)
    ds = data_set.dataset
    for tag in [tag for tag in ds.keys() if tag.element == 0 or tag == TRAILING_PADDING]:  # noqa: SIM118 - iterating decodes
        del ds[tag]
    return ds


def _lock(folder: Path) -> int:
    """The sole right to this folder, until the descriptor is closed or the process ends."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if not isinstance(error, BlockingIOError):
            raise
        advice = "stop the other one, or give this one a folder of its own"
        raise UsageError(f"the data folder {folder} is in use by another running archive", advice=advice) from None
    return fd


def _flush_folder(folder: str) -> None:
    """Makes the names in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
