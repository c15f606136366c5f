"""What an archive does to its disk, noted as it does it: the log from which `bench.powercut` makes what a power cut leaves."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.ledger import Made
from dimse.archive.files import Files
from dimse.archive.index import Index, Writing

INDEX = ("index.db", "index.db-wal")
"""The files of SQLite, which writes them itself."""


@dataclass(frozen=True)
class Write:
    """Bytes of a file."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Named:
    """A name that was given to a file (None: was taken away), and in the same moment another that was taken away."""

    path: str
    file: int | None
    instead_of: str = ""


@dataclass(frozen=True)
class Folder:
    """A folder that was made."""

    path: str


@dataclass(frozen=True)
class Flushed:
    """The data of a file, or the names in a folder, are on disk."""

    what: int | str


@dataclass(frozen=True)
class Committed:
    """The files of the index by path, on disk."""

    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Promise:
    """What a sender writes into its ledger."""

    what: str
    made: Made


Operation = Write | Named | Folder | Flushed | Committed | Promise


class Recorded(Files):
    """Does what it is told on the disk, and notes it in `log` in the order in which it was done.

    `log` may begin with what was done to the folder before; `names` are the files that it has then.
    """

    def __init__(self, folder: Path, log: Sequence[Operation] = (), names: Mapping[str, int] | None = None) -> None:
        self.log: list[Operation] = list(log)
        self._folder = folder
        self._lock = threading.RLock()
        self._open: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._names = dict(names or {})
        self._numbers = count(1 + max((each.file for each in log if isinstance(each, Named) and each.file is not None), default=-1))

    def create(self, path: str) -> int:
        with self._lock:
            fd = super().create(path)
            self._open[fd] = self._names[path] = number = next(self._numbers)
            self._ends[number] = 0
            self.log.append(Named(path, number))
            return fd

    def write(self, fd: int, pieces: Sequence[memoryview]) -> int:
        with self._lock:
            written = super().write(fd, pieces)
            file = self._open[fd]
            self.log.append(Write(file, self._ends[file], b"".join(pieces)[:written]))
            self._ends[file] += written
            return written

    def write_at(self, fd: int, data: bytes, offset: int) -> int:
        with self._lock:
            written = super().write_at(fd, data, offset)
            self.log.append(Write(self._open[fd], offset, data[:written]))
            return written

    def flush(self, fd: int) -> None:
        with self._lock:
            file = self._open.get(fd)
            if file is None:  # not made here: the index, or what an earlier run has left
                file = self._number(str(Path(f"/proc/self/fd/{fd}").readlink()))
            self.log.append(Flushed(file))  # really doing it would only take time

    def close(self, fd: int) -> None:
        with self._lock:
            super().close(fd)
            self._open.pop(fd, None)

    def link(self, path: str, place: str) -> None:
        with self._lock:
            super().link(path, place)
            self._names[place] = self._names[path]
            self.log.append(Named(place, self._names[path]))

    def replace(self, path: str, place: str) -> None:
        with self._lock:
            file = self._number(path)
            super().replace(path, place)
            self._names.pop(path, None)
            self._names[place] = file
            self.log.append(Named(place, file, path))

    def unlink(self, path: str) -> None:
        with self._lock:
            super().unlink(path)
            self._names.pop(path, None)
            self.log.append(Named(path, None))

    def make_folder(self, path: str) -> None:
        with self._lock:
            super().make_folder(path)
            self.log.append(Folder(path))

    def flush_folder(self, path: str) -> None:
        with self._lock:
            self.log.append(Flushed(path))

    def committed(self) -> None:
        """To be called behind each commit, before anybody may write the index again."""
        files = {str(path): path.read_bytes() for path in (self._folder / name for name in INDEX) if path.exists()}
        with self._lock:
            self.log.append(Committed(files))

    def gone(self, path: str) -> None:
        """Somebody else took a name away, for good."""
        with self._lock:
            self._names.pop(path, None)
            self.log += [Named(path, None), Flushed(os.path.dirname(path))]  # noqa: PTH120 - paths are texts here

    def note(self, what: str, made: Made) -> None:
        """A sender's ledger."""
        with self._lock:
            self.log.append(Promise(what, made))

    def _number(self, path: str) -> int:
        """The number of a file; of one that came to be without a note, as SQLite's do, the bytes that it has now are noted."""
        number = self._names.get(path)
        if number is None:
            self._names[path] = number = next(self._numbers)
            above = os.path.dirname(path)  # noqa: PTH120 - paths are texts here
            self.log += [Named(path, number), Flushed(above), Write(number, 0, Path(path).read_bytes())]
        return number


@contextmanager
def committing(recorded: Recorded) -> Iterator[None]:
    """Tells of each commit of an index, for the time of a block."""
    writing = Index.writing

    @contextmanager
    def told(self: Index) -> Iterator[Writing]:
        with writing(self) as transaction:
            yield transaction
        recorded.committed()

    Index.writing = told  # type: ignore[method-assign]  # the product knows nothing of this
    try:
        yield
    finally:
        Index.writing = writing  # type: ignore[method-assign]
