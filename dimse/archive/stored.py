"""Instances on their way out: what is handed out is what was stored, or nothing."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Final

from dimse.data.protocols import Reading
from dimse.data.sources import BytesReading, FileReading, FileSource
from dimse.data.uids import UID
from dimse.errors import DataError
from pdu.values import dataclass

AT_ONCE: Final = 1_048_576
"""Bytes of a data set that are read at once: so many are looked through in memory, and handed out from there."""


@dataclass(frozen=True, slots=True)
class StoredSource:
    """An instance of an archive, as its index knows it. Neither its head nor anything else is read before it is sent."""

    path: str
    sop_class_uid: UID
    sop_instance_uid: UID
    transfer_syntax: UID
    offset: int
    """Where the data set begins in the file."""
    size: int
    digest: bytes
    """SHA-256 of the data set."""

    def open(self) -> Reading:
        """A new pass over the data set, which has been compared with the digest by then.

        Raises `OSError`, or `DataError` if these are not the bytes that were stored. Neither names the file: a peer may be told.
        """
        try:
            return self._whole() if self.size <= AT_ONCE else self._reading()
        except OSError as error:
            raise OSError(error.errno, f"the file that was stored cannot be read: {error.strerror}") from None

    def _whole(self) -> BytesReading:
        """The data set in memory, read once."""
        fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            encoded = os.pread(fd, self.size + 1, self.offset)  # one byte more: none is to be behind it
        finally:
            os.close(fd)
        if len(encoded) != self.size:
            raise _changed("its length is another")
        if sha256(encoded).digest() != self.digest:
            raise _changed("its SHA-256 is another")
        return BytesReading(encoded)

    def _reading(self) -> FileReading:
        """The file, when it has been read through once."""
        uids = self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax
        try:
            reading = FileSource.known(self.path, *uids, self.offset, self.size).open()
        except DataError:
            raise _changed("its length is another") from None
        try:
            if _digest(reading) != self.digest:
                raise _changed("its SHA-256 is another")
            reading.rewind()
        except BaseException:
            reading.close()
            raise
        return reading


def is_whole(path: str, offset: int, size: int, digest: bytes) -> bool:
    """Whether a file is there and has a data set of this size and digest."""
    unnamed = UID("")
    try:
        with StoredSource(path, unnamed, unnamed, unnamed, offset, size, digest).open():
            return True
    except (OSError, DataError):
        return False


def _digest(reading: FileReading) -> bytes:
    digest, buffer = sha256(), memoryview(bytearray(AT_ONCE))
    while count := reading.readv([buffer]):
        digest.update(buffer[:count])
    return digest.digest()


def _changed(how: str) -> DataError:
    return DataError(f"the file is no longer what was stored: {how}", advice="'dimse check' names all such files")
