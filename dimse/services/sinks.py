"""`FolderSink`: what a store-only provider does with an instance - it becomes a Part 10 file in a folder."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dimse.data import status as codes
from dimse.data.part10 import FileMeta
from dimse.data.uids import UID
from dimse.errors import Refused
from dimse.services.handlers import Answer, Request

IOV_MAX = 1024
"""Buffers that one system call takes (POSIX guarantees 16, Linux and macOS have 1024)."""


class FolderSink:
    """Keeps instances as `<SOP Instance UID>.dcm` in a folder, which is made if it is missing. Pass `open` as `Services.sink`.

    An instance is written under a hidden name and renamed when it is complete; the same UID again replaces the file. The
    bytes of the data set are those received. `kept` is called with each file that came to be.
    """

    def __init__(self, folder: str | Path, *, kept: Callable[[Path], object] | None = None) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._kept = kept
        self._numbers = itertools.count()

    def open(self, request: Request) -> FileSink:
        """The sink for one C-STORE. Refuses a SOP Instance UID that is none (0117H): it becomes the file's name."""
        uid = UID(request.command.affected_sop_instance_uid or "")
        if not uid.is_valid:
            raise Refused(codes.INVALID_INSTANCE, "the SOP Instance UID is not a UID")
        meta = FileMeta(
            media_storage_sop_class_uid=request.context.abstract_syntax,
            media_storage_sop_instance_uid=uid,
            transfer_syntax_uid=request.context.transfer_syntax,
            source_application_entity_title=request.peer.calling,
        )
        part = self.folder / f".{os.getpid()}-{next(self._numbers)}.part"
        return FileSink(part, self.folder / f"{uid}.dcm", meta, self._kept)


class FileSink:
    """One instance on its way into a file."""

    def __init__(self, part: Path, path: Path, meta: FileMeta, kept: Callable[[Path], object] | None = None) -> None:
        self._part = part
        self._path = path
        self._kept = kept
        with _out_of_resources():
            self._file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                write_all(self._file, [memoryview(meta.encode())])
            except BaseException:
                self.discard()
                raise

    def write(self, pieces: Sequence[memoryview]) -> None:
        with _out_of_resources():
            write_all(self._file, pieces)

    def finish(self) -> Answer:
        with _out_of_resources():
            try:
                os.close(self._file)
                self._part.replace(self._path)
            except OSError:
                self._part.unlink(missing_ok=True)
                raise
        if self._kept is not None:
            self._kept(self._path)
        return None

    def discard(self) -> None:
        os.close(self._file)
        self._part.unlink(missing_ok=True)


def write_all(file: int, pieces: Sequence[memoryview]) -> None:
    """Writes all pieces to a descriptor, with as few system calls as the system lets. Raises `OSError`."""
    for start in range(0, len(pieces), IOV_MAX):
        some = pieces[start : start + IOV_MAX]
        left = sum(map(len, some)) - os.writev(file, some)
        if left:  # a signal, or a disk that is nearly full
            rest = memoryview(b"".join(some))[-left:]
            while rest:
                rest = rest[os.write(file, rest) :]


@contextmanager
def _out_of_resources() -> Iterator[None]:
    """A file that cannot be written is A700H to the peer (PS3.4 Table B.2-1)."""
    try:
        yield
    except OSError as error:
        raise Refused(codes.OUT_OF_RESOURCES, f"cannot write: {error.strerror}") from error
