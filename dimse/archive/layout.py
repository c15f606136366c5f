"""Where an archive keeps what, below its folder, and the head that its files have.

    objects/ab/<SHA-256 of the SOP Instance UID>.dcm    complete instances, Part 10 files; ab are the first two digits
    quarantine/                                         what was not taken and not thrown away: see `repair` and `sink`
    tmp/                                                files being written; swept at start
    index.db                                            see `index`
    running                                             there while an archive is open: whoever finds it at start looks after everything

Nothing that came over the network is ever part of a path. All paths are strings, because there are many.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Final

from dimse.archive.files import Files
from dimse.data.part10 import FileMeta
from dimse.data.uids import UID
from dimse.errors import UsageError
from pdu.values import dataclass

DIGEST_CREATOR: Final = UID("2.25.58804854023838707234848577964265912601")
"""Private Information Creator UID (0002,0100) of files whose (0002,0102) is the SHA-256 of their data set."""
DIGEST_SIZE: Final = 32

LONGEST_NAME: Final = 200
"""Characters of the name of a file that is set aside, to which a number may be added; file systems take 255."""
MOST_HEADS: Final = 256
"""Kinds of heads that are remembered."""
_SOP_INSTANCE_UID: Final = b"\x02\0\x03\0UI"  # (0002,0003)
REPLACED: Final = ".old"
"""Ending of the second name that a file has in `tmp` while another one takes its place."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The names below the folder of an archive."""

    folder: Path
    objects: str
    temporary: str
    quarantine: str
    index: str
    running: str

    @classmethod
    def of(cls, folder: Path) -> Layout:
        """The names below this folder."""
        names = ("objects", "tmp", "quarantine", "index.db", "running")
        return cls(folder, *(str(folder / name) for name in names))

    def check(self) -> None:
        """Raises `UsageError` where there is no archive."""
        if not Path(self.objects).is_dir():
            raise UsageError(f"{self.folder} is no data folder of an archive: it has no folder 'objects'")

    def make(self, files: Files) -> None:
        """Makes the folders that are missing, all of them now, so that none is made and flushed while instances come.

        Flushes them also when none is: an earlier run may have ended before it came to that.
        """
        above = [folder.parent for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in (self.objects, self.temporary, self.quarantine):
            _make(files, each)
        there = frozenset(os.listdir(self.objects))
        for name in _BUCKETS:
            if name not in there:
                _make(files, f"{self.objects}/{name}")
        for folder in (self.objects, self.folder, *above):
            files.flush_folder(str(folder))

    def place(self, sop_instance_uid: str) -> str:
        """Where the file of an instance is: a digest, of fixed length and alphabet, so that no UID, whatever is in it, is a path."""
        return self.place_of(name_of(sop_instance_uid))

    def place_of(self, name: str) -> str:
        """Where the file of an instance is whose UID has this digest."""
        return f"{self.objects}/{name[:2]}/{name}.dcm"


def name_of(sop_instance_uid: str) -> str:
    """The digest of a UID that its file is named by."""
    return sha256(sop_instance_uid.encode("utf-8", "surrogatepass")).hexdigest()


class Heads:
    """Heads of files. Where class, transfer syntax and sender are the same, one differs from the next in its UID only."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str, int], tuple[bytes, bytes]] = {}

    def head_of(self, sop_class: UID, sop_instance: UID, transfer_syntax: UID, calling: str) -> bytes:
        """The head of a file; its last `DIGEST_SIZE` bytes are zeros, and are to be the digest of the data set."""
        key = sop_class, transfer_syntax, calling, len(sop_instance)
        known = self._known.get(key)
        if known is not None:
            return known[0] + sop_instance.encode("latin-1") + known[1]
        head = _head_of(sop_class, sop_instance, transfer_syntax, calling)
        if len(self._known) >= MOST_HEADS:
            self._known.clear()
        at = head.index(_SOP_INSTANCE_UID) + 8
        self._known[key] = head[:at], head[at + len(sop_instance) :]
        return head


def _head_of(sop_class: UID, sop_instance: UID, transfer_syntax: UID, calling: str) -> bytes:
    return FileMeta(
        sop_class,
        sop_instance,
        transfer_syntax,
        source_application_entity_title=calling,
        private_information_creator_uid=DIGEST_CREATOR,
        private_information=bytes(DIGEST_SIZE),
    ).encode()


def lock(folder: Path) -> int:
    """The sole right to this folder, until the descriptor is closed or the process ends. Raises `UsageError` if another has it."""
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


def files_below(folder: str) -> Iterator[os.DirEntry[str]]:
    """All that is below a folder and is none itself, links as they are; what goes away meanwhile is passed over."""
    pending = [folder]
    while pending:
        with suppress(FileNotFoundError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    yield entry


def length_below(folder: str) -> int:
    """Bytes of all files below a folder."""
    return sum(entry.stat(follow_symlinks=False).st_size for entry in files_below(folder))


def set_aside(files: Files, path: str, folder: str) -> None:
    """Moves a file into a folder, under its name or one like it."""
    name = os.path.basename(path)[:LONGEST_NAME]  # noqa: PTH119
    place = f"{folder}/{name}"
    numbers = count(1)
    while os.path.lexists(place):
        place = f"{folder}/{name}.{next(numbers)}"
    files.replace(path, place)


def _make(files: Files, folder: str) -> None:
    with suppress(FileExistsError):
        files.make_folder(folder)


_BUCKETS: Final = tuple(f"{number:02x}" for number in range(256))
