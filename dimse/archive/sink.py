"""How one instance comes in: from the first byte of its data set to the file that is whole and flushed.

A data set of up to 1 MiB is kept in memory and written in one go once it is known to be wanted; a longer one goes to its temporary
file as it comes. At its end: checks, digest, flush (when durable), and then `Storage.keep`. Each flush is made once: where it fails
the file is given up, since nobody knows what a second one would have flushed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from mmap import ACCESS_READ, mmap
from typing import Final, Protocol

from dimse.archive.attributes import BY_TAG, SCANNED, SERIES_INSTANCE_UID, SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from dimse.archive.files import Files
from dimse.archive.index import Header, Instance
from dimse.archive.layout import DIGEST_SIZE
from dimse.data.elements import scan
from dimse.data.status import CANNOT_UNDERSTAND, DATASET_MISMATCH, OUT_OF_RESOURCES
from dimse.data.uids import UID
from dimse.errors import DataError, Refused
from pdu.values import dataclass

HELD: Final = 1_048_576
"""Bytes of a data set that are kept in memory before it needs a file."""
HEAD: Final = 262_144
"""Bytes of a longer one that stay in memory for the header scan, which then needs no look into the file; nearly always."""

MAX_COMMENT: Final = 64
"""Characters of an Error Comment (0000,0902)."""

_MAX_PIECES: Final = 1024  # IOV_MAX of Linux and the BSDs


@dataclass(slots=True)
class TemporaryFile:
    """A file that is being written. `remove` takes its name away, now or later; what was linked to another name stays."""

    fd: int
    path: str
    files: Files

    def write(self, pieces: Sequence[memoryview]) -> None:
        """Writes all the pieces, in as few system calls as there can be."""
        rest = [piece for piece in pieces if len(piece)]
        while rest:
            written = self.files.write(self.fd, rest[:_MAX_PIECES])
            done = 0
            while done < len(rest) and written >= len(rest[done]):
                written -= len(rest[done])
                done += 1
            del rest[:done]
            if written:
                rest[0] = rest[0][written:]

    def write_at(self, data: bytes, offset: int) -> None:
        """Writes over what is there, all of it."""
        while data:
            written = self.files.write_at(self.fd, data, offset)
            data, offset = data[written:], offset + written

    def finish(self, *, durable: bool) -> None:
        """Flushes, if it must, and closes: only then may it have a place, for closing may be what fails."""
        if durable:
            self.files.flush(self.fd)
        fd, self.fd = self.fd, -1
        self.files.close(fd)

    def abandon(self) -> None:
        """Closes it, if that is not done; how that ends does not matter any more."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with suppress(OSError):
                self.files.close(fd)


class Keeper(Protocol):
    """What a sink needs of the archive it belongs to."""

    def create(self) -> TemporaryFile:
        """A new empty file."""

    def keep(self, file: TemporaryFile, instance: Instance, header: Header) -> int:
        """Takes a completely written file in, and returns the status to answer."""

    def check_quota(self, length: int) -> None:
        """Refuses what has more bytes than there is room for."""

    def remove(self, path: str) -> None:
        """Takes a file away that is of no use any more."""


class InstanceSink:
    """Takes one data set, and keeps it as an instance of the archive (a `Sink`). `head` is that of its file, without the digest."""

    def __init__(self, keeper: Keeper, sop_class: UID, sop_instance: UID, transfer_syntax: UID, head: bytes) -> None:
        self._keeper = keeper
        self._sop_class = sop_class
        self._sop_instance = sop_instance
        self._transfer_syntax = transfer_syntax
        self._head = head
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
        self._keeper.check_quota(len(self._head) + self._size)
        with resources():
            self._file.write(pieces)

    def finish(self) -> int:
        """Checks the data set and keeps it; returns the status. Raises `Refused`, and then nothing of it is left."""
        try:
            header = self._scan()
            self._check(header)
            with resources():
                return self._keep(header)
        finally:
            self.discard()

    def discard(self) -> None:
        """Leaves nothing behind; a second time does nothing."""
        if self._file is not None:
            file, self._file = self._file, None
            file.abandon()
            self._keeper.remove(file.path)
        self._held = bytearray()

    def _spill(self) -> None:
        """Goes on in a file: this data set is long."""
        self._digest.update(self._held)
        with resources():
            self._file = file = self._keeper.create()
            file.write([memoryview(self._head), memoryview(self._held)])
        del self._held[HEAD:]

    def _keep(self, header: Header) -> int:
        file, offset = self._file, len(self._head)
        if file is None:
            digest = sha256(self._held).digest()
            self._file = file = self._keeper.create()
            file.write([memoryview(self._head)[:-DIGEST_SIZE], memoryview(digest), memoryview(self._held)])
        else:
            digest = self._digest.digest()
            file.write_at(digest, offset - DIGEST_SIZE)
        instance = Instance(self._sop_class, self._sop_instance, self._transfer_syntax, offset, self._size, digest)
        return self._keeper.keep(file, instance, header)

    def _scan(self) -> Header:
        """The values that the index is made of. Refuses a data set that ends early: 0000H says that all of it is kept."""
        try:
            found = self._found(self._transfer_syntax)
        except DataError as error:
            raise Refused(CANNOT_UNDERSTAND, error.what[:MAX_COMMENT]) from error
        return Header(found, "little" if self._transfer_syntax.is_little_endian else "big")

    def _found(self, syntax: UID) -> dict[int, bytes]:
        """The same, read from what is in memory if that suffices, else from the file."""
        if self._file is None:
            return scan(self._held, syntax, SCANNED)
        if not syntax.is_deflated:
            with suppress(DataError):
                return scan(self._held, syntax, SCANNED, size=self._size)
        with resources(), mmap(self._file.fd, 0, access=ACCESS_READ) as whole:
            return scan(whole, syntax, SCANNED, start=len(self._head))

    def _check(self, header: Header) -> None:
        """Refuses a data set that is not what the command said (A900H), or that belongs nowhere (C000H) (PS3.4 B.2.3)."""
        if not header:
            raise Refused(CANNOT_UNDERSTAND, "the data set cannot be read in its transfer syntax")
        for tag, uid in ((SOP_CLASS_UID, self._sop_class), (SOP_INSTANCE_UID, self._sop_instance)):
            if header.text(BY_TAG[tag]) != uid:
                raise Refused(DATASET_MISMATCH, "command and data set do not name the same instance", (tag,))
        if missing := missing_uids(header):
            raise Refused(CANNOT_UNDERSTAND, "the data set lacks a Study or Series Instance UID", missing)


def missing_uids(header: Header) -> tuple[int, ...]:
    """Which of the UIDs are missing without which an instance belongs nowhere."""
    return tuple(tag for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID) if not header.text(BY_TAG[tag]))


@contextmanager
def resources() -> Iterator[None]:
    """Answers A700H for what is wrong with the disk and not with the data set (PS3.4 Table B.2-1). The comment names no file."""
    try:
        yield
    except OSError as error:
        why = f"cannot write the instance: {error.strerror or 'I/O error'}"
        raise Refused(OUT_OF_RESOURCES, why[:MAX_COMMENT]) from error
    except sqlite3.Error as error:
        raise Refused(OUT_OF_RESOURCES, f"cannot write the index: {error}"[:MAX_COMMENT]) from error
