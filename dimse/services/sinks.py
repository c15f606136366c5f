"""`FolderSink`: what a store-only provider does with an instance - it becomes a Part 10 file in a folder."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from dimse.data import status as codes
from dimse.data.part10 import FileMeta
from dimse.data.uids import UID
from dimse.errors import Refused
from dimse.services.handlers import Answer, Request

IOV_MAX = 1024
"""Buffers that one system call takes (POSIX guarantees 16, Linux and macOS have 1024)."""
RESERVE, RESERVE_SHARE = 1 << 30, 0.05
"""What is left free on a file system, the smaller of the two: bytes, and a share of it. A disk that is full fails everybody on it."""
MAX_HEADS = 64
"""Kinds of files whose heads are remembered."""
_PART = re.compile(r"\.[0-9a-f]{32}\.part")


class FolderSink:
    """Keeps instances as `<SOP Instance UID>.dcm` in a folder, which is made if it is missing. Pass `open` as `Services.sink`.

    An instance is written under a hidden name and renamed when it is complete; the same UID again replaces the file, or the link
    that is there, and never what that leads to. The bytes of the data set are those received. What an earlier run left unfinished
    is removed. `kept` is called with each file that came to be; `reserve` is that of `check_space`.
    """

    def __init__(self, folder: str | Path, *, kept: Callable[[Path], object] | None = None, reserve: int | None = None) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._name = str(self.folder)  # thousands of instances: a Path for each would take longer than its file
        self._kept = kept
        self._reserve = reserve
        self._heads: dict[tuple[str, str, str], Callable[[str], bytes]] = {}
        _sweep(self.folder)

    def open(self, request: Request) -> FileSink:
        """The sink for one C-STORE. Refuses a SOP Instance UID that is none (0117H), for it becomes the file's name, and lack of space."""
        uid = UID(request.command.affected_sop_instance_uid or "")
        if not uid.is_valid:
            raise Refused(codes.INVALID_INSTANCE, "the SOP Instance UID is not a UID")
        check_space(self._name, self._reserve)
        head = self._heads_for(request)(uid)
        return FileSink(f"{self._name}/.{os.urandom(16).hex()}.part", f"{self._name}/{uid}.dcm", head, self._kept)

    def _heads_for(self, request: Request) -> Callable[[str], bytes]:
        """What gives the heads of the files of this SOP class and transfer syntax, from this peer."""
        which = request.context.abstract_syntax, request.context.transfer_syntax, request.peer.calling
        heads = self._heads.get(which)
        if heads is None:
            if len(self._heads) >= MAX_HEADS:  # peers choose what they call themselves
                self._heads.clear()
            heads = FileMeta(which[0], UID(""), which[1], source_application_entity_title=which[2]).heads()
            self._heads[which] = heads
        return heads


class FileSink:
    """One instance on its way into a file. `head` is what stands in front of the data set, and is written with its first bytes."""

    __slots__ = ("_file", "_head", "_kept", "_part", "_path")

    def __init__(self, part: str, path: str, head: bytes, kept: Callable[[Path], object] | None = None) -> None:
        self._part = part
        self._path = path
        self._head = head
        self._kept = kept
        try:
            self._file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _out_of_resources(error) from error
        _lock(self._file)  # others may sweep the same folder

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        if self._head:
            pieces, self._head = [self._head, *pieces], b""
        try:
            write_all(self._file, pieces)
        except OSError as error:
            raise _out_of_resources(error) from error

    def finish(self) -> Answer:
        if self._head:  # a data set without a byte
            try:
                self.write(())
            except Refused:
                self.discard()
                raise
        try:
            os.close(self._file)
            os.replace(self._part, self._path)  # noqa: PTH105 - plain strings, thousands of them
        except OSError as error:
            _remove(self._part)
            raise _out_of_resources(error) from error
        if self._kept is not None:
            self._kept(Path(self._path))
        return None

    def discard(self) -> None:
        os.close(self._file)
        _remove(self._part)


def check_space(folder: str | Path, reserve: int | None = None) -> None:
    """Refuses (A700H) what would be written where less than `reserve` bytes are free; None: the smaller of 1 GiB and 5 %."""
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        raise _out_of_resources(error) from error
    if reserve is None:
        reserve = min(RESERVE, int(disk.f_blocks * disk.f_frsize * RESERVE_SHARE))
    if disk.f_bavail * disk.f_frsize < reserve:
        raise Refused(codes.OUT_OF_RESOURCES, "the disk has no more space than is kept free")


def write_all(file: int, pieces: Sequence[bytes | memoryview]) -> None:
    """Writes all pieces to a descriptor, with as few system calls as the system lets. Raises `OSError`."""
    for start in range(0, len(pieces), IOV_MAX):
        some = pieces[start : start + IOV_MAX]
        left = sum(map(len, some)) - os.writev(file, some)
        if left:  # a signal, or a disk that is nearly full
            rest = memoryview(b"".join(some))[-left:]
            while rest:
                rest = rest[os.write(file, rest) :]


def _sweep(folder: Path) -> None:
    """Removes unfinished instances that nobody is writing any more."""
    for path in folder.iterdir():
        if _PART.fullmatch(path.name):
            with suppress(OSError):  # gone meanwhile, or not ours
                file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    if _lock(file):
                        path.unlink()
                finally:
                    os.close(file)


def _lock(file: int) -> bool:
    """Takes the lock that says that a file is being written; it ends with the descriptor, or the process."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another has it, or the file system has no locks
        return False
    return True


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - as above


def _out_of_resources(error: OSError) -> Refused:
    """A file that cannot be written is A700H to the peer (PS3.4 Table B.2-1)."""
    return Refused(codes.OUT_OF_RESOURCES, f"cannot write: {error.strerror}")
