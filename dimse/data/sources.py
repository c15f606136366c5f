"""What can be sent as a composite instance: files as they lie on disk, and data sets in memory.

A source says what it is (SOP class and instance, transfer syntax, size) without its data being parsed, and gives its bytes
by filling the holes of somebody else's buffer. So a file is read straight into the frames that leave for the network.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType

from dimse.data.part10 import scan_uids
from dimse.data.uids import UID, ExplicitVRLittleEndian
from dimse.errors import DataError
from pdu.typed import TYPE_CHECKING
from pdu.values import dataclass, field

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from pydicom.dataset import Dataset

    from dimse.data.protocols import Reading, Source

__all__ = ["BytesReading", "BytesSource", "FileReading", "FileSource", "Reading", "Source", "file_names", "find_files"]

MAX_HOLES = 1024
"""Holes that one system call fills (IOV_MAX of Linux and the BSDs)."""


if not TYPE_CHECKING:  # whom it would keep from saying that there is no such name

    def __getattr__(name: str) -> object:
        """The protocols of sources are imported when they are first named: sending files needs none, and nothing of `typing`."""
        if name in ("Reading", "Source"):
            from dimse.data import protocols

            return getattr(protocols, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True, slots=True)
class FileSource:
    """A Part 10 file. Its data set is sent byte for byte as it lies on disk.

    The head is read at construction: raises `OSError`, or `DataError` if this is not a DICOM file with a data set.
    The file is opened again when it is sent, and must not have changed its size by then.
    """

    file: str = field(init=False)
    """The path, as text."""
    sop_class_uid: UID = field(init=False)
    sop_instance_uid: UID = field(init=False)
    transfer_syntax: UID = field(init=False)
    offset: int = field(init=False)
    """Where the data set begins in the file."""
    size: int = field(init=False)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        file = os.fspath(path)
        fd, length = _open_regular(file)
        try:
            sop_class, instance, syntax, offset = scan_uids(partial(os.read, fd))
        except DataError as error:
            raise DataError(f"{file}: {error.what}", error.offset, error.clause, error.advice) from None
        finally:
            os.close(fd)
        if not (sop_class and instance):
            raise DataError(
                f"{file}: the File Meta Information lacks the Media Storage SOP Class UID or SOP Instance UID", clause="PS3.10 7.1"
            )
        if length <= offset:
            raise DataError(f"{file}: the file has no data set", offset, "PS3.10 7")
        self._fill(file, sop_class, instance, syntax, offset, length - offset)

    @classmethod
    def known(
        cls, path: str | os.PathLike[str], sop_class_uid: UID, sop_instance_uid: UID, transfer_syntax: UID, offset: int, size: int
    ) -> FileSource:
        """A source whose head need not be read, because somebody, an index say, knows what is in it."""
        source = object.__new__(cls)
        source._fill(os.fspath(path), sop_class_uid, sop_instance_uid, transfer_syntax, offset, size)
        return source

    def _fill(self, file: str, sop_class_uid: UID, sop_instance_uid: UID, transfer_syntax: UID, offset: int, size: int) -> None:
        fill = object.__setattr__
        fill(self, "file", file)
        fill(self, "sop_class_uid", sop_class_uid)
        fill(self, "sop_instance_uid", sop_instance_uid)
        fill(self, "transfer_syntax", transfer_syntax)
        fill(self, "offset", offset)
        fill(self, "size", size)

    @property
    def path(self) -> Path:
        """Where the file is."""
        from pathlib import Path  # which whoever sends thousands of files, or only a few, does without

        return Path(self.file)

    def open(self) -> FileReading:
        """A new pass over the data set. Raises `OSError`, or `DataError` if the file has changed its size."""
        return FileReading(self)


class FileReading:
    """One pass over the data set of a file. Closes itself when it is left as a context manager, or by `close`."""

    def __init__(self, source: FileSource) -> None:
        self._file = source.file
        self._offset, self._size = source.offset, source.size
        self._left = source.size
        self._fd, length = _open_regular(source.file)
        if length != source.offset + source.size:
            self.close()
            raise DataError(
                f"{source.file}: the file has {length} bytes and had {source.offset + source.size} when it was looked at",
                advice="send files only when whoever writes them has finished",
            )

    def rewind(self) -> None:
        """Begins once more with the first byte of the data set."""
        self._left = self._size

    def readv(self, holes: list[memoryview]) -> int:
        """Fills the holes in order by one system call (see `Reading`)."""
        at = self._offset + self._size - self._left
        count = os.preadv(self._fd, holes if len(holes) <= MAX_HOLES else holes[:MAX_HOLES], at)
        if count == 0 and self._left > 0 and any(holes):
            raise DataError(f"{self._file}: the file became shorter while it was read: {self._left} bytes are missing")
        self._left -= count
        return count

    def close(self) -> None:
        """Closes the file; a second time does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class BytesSource:
    """An encoded data set in memory, without a head."""

    encoded: bytes = field(repr=False)
    sop_class_uid: UID
    sop_instance_uid: UID
    transfer_syntax: UID

    @classmethod
    def from_pydicom(cls, ds: Dataset, transfer_syntax: str | None = None) -> BytesSource:
        """Encodes a pydicom Dataset, by default in the transfer syntax of its `file_meta`, else Explicit VR Little Endian.

        Raises `DataError` if it has no SOP Class UID or SOP Instance UID, or cannot be encoded so.
        """
        from dimse.data.datasets import DataSet

        meta = getattr(ds, "file_meta", None) or {}
        syntax = UID(transfer_syntax or meta.get("TransferSyntaxUID") or ExplicitVRLittleEndian)
        uids = []
        for keyword in ("SOPClassUID", "SOPInstanceUID"):
            if not (uid := ds.get(keyword)):
                raise DataError(f"the data set has no {keyword}", clause="PS3.3 C.12.1")
            uids.append(UID(uid))
        return cls(DataSet.from_pydicom(ds, syntax).encoded, uids[0], uids[1], syntax)

    @property
    def size(self) -> int:
        """Bytes of the encoded data set."""
        return len(self.encoded)

    def open(self) -> BytesReading:
        """A new pass over the data set."""
        return BytesReading(self.encoded)


class BytesReading:
    """One pass over a data set in memory."""

    def __init__(self, encoded: bytes) -> None:
        self._left = memoryview(encoded)

    def readv(self, holes: list[memoryview]) -> int:
        """Fills the holes in order (see `Reading`)."""
        before = len(self._left)
        for hole in holes:
            count = min(len(hole), len(self._left))
            hole[:count] = self._left[:count]
            self._left = self._left[count:]
        return before - len(self._left)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._left.release()


def find_files(paths: Iterable[str | os.PathLike[str]], *, unreadable: Callable[[OSError], object] | None = None) -> Iterator[Path]:
    """The files among the paths and, sorted by name, those in the folders among them and in all folders below.

    Links are followed, but no folder is visited twice, so a loop of links does no harm. What is neither a file nor
    a folder (a pipe, a link that leads nowhere) is passed over inside of folders.
    Raises `FileNotFoundError` for a path that does not exist, before any is looked into, and `OSError` for a folder that
    cannot be read; if `unreadable` is given, it is called with that error instead, and the search goes on without the folder.
    """
    from pathlib import Path

    return map(Path, file_names(paths, unreadable=unreadable))


def file_names(paths: Iterable[str | os.PathLike[str]], *, unreadable: Callable[[OSError], object] | None = None) -> Iterator[str]:
    """Like `find_files`, with the paths as texts, which take less to make."""
    roots = [os.fspath(path) for path in paths]
    folders = [stat.S_ISDIR(os.stat(root).st_mode) for root in roots]  # noqa: PTH116 - paths are texts here
    return _files_of(list(zip(roots, folders, strict=True)), unreadable)


def _files_of(roots: list[tuple[str, bool]], unreadable: Callable[[OSError], object] | None) -> Iterator[str]:
    for root, is_folder in roots:
        if is_folder:
            yield from _files_below(root, unreadable)
        else:
            yield root


def _files_below(root: str, unreadable: Callable[[OSError], object] | None) -> Iterator[str]:
    """Depth first without recursion: a tree may be deeper than Python's stack."""
    visited = {_identity(root)}
    pending = _entries(root, unreadable)
    while pending:
        entry = pending.pop()
        mode = _mode(entry)
        if stat.S_ISREG(mode):
            yield entry.path
        elif stat.S_ISDIR(mode) and (identity := _identity(entry.path)) not in visited:
            visited.add(identity)
            pending += _entries(entry.path, unreadable)


def _entries(folder: str, unreadable: Callable[[OSError], object] | None) -> list[os.DirEntry[str]]:
    """What the folder holds, the last name first."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name, reverse=True)
    except OSError as error:
        if unreadable is None:
            raise
        unreadable(error)
        return []


def _mode(entry: os.DirEntry[str]) -> int:
    """The kind of what the entry is or, as a link, leads to; 0 if it leads nowhere. Costs a system call for links only."""
    try:
        if entry.is_file():
            return stat.S_IFREG
        return stat.S_IFDIR if entry.is_dir() else 0
    except OSError as error:
        if error.errno != errno.ELOOP:  # a link to itself
            raise
        return 0


def _identity(folder: str) -> tuple[int, int]:
    found = os.stat(folder)  # noqa: PTH116 - paths are texts here, thousands of them
    return found.st_dev, found.st_ino


def _open_regular(file: str) -> tuple[int, int]:
    """A descriptor for reading, and the size. O_NONBLOCK, or else opening a pipe would wait for its writer."""
    fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise DataError(f"{file}: not a regular file")
    return fd, found.st_size
