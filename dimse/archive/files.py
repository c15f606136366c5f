"""The system calls of the archive's way of writing, in one place, so that a test can have each of them fail or be lost.

Reading is not among them: what reads, reads with `open`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Files:
    """What the archive does to its folder. Each call raises `OSError`; paths are strings, because there are many.

    Nothing but the ones whose names say so flushes anything: until then what was done may be gone after a power cut.
    """

    def create(self, path: str) -> int:
        """A new file, readable by its owner only; returns the descriptor. Never opens what is there already."""
        return os.open(path, _FLAGS, 0o600)

    def write(self, fd: int, pieces: Sequence[memoryview]) -> int:
        """Writes at the end of what was written; returns how many bytes that were, as `os.writev` does. At most IOV_MAX pieces."""
        return os.writev(fd, pieces)

    def write_at(self, fd: int, data: bytes, offset: int) -> int:
        """Writes over what is there; returns how many bytes that were."""
        return os.pwrite(fd, data, offset)

    def flush(self, fd: int) -> None:
        """Has the data of a file on disk (fsync)."""
        os.fsync(fd)

    def close(self, fd: int) -> None:
        """Closes a descriptor."""
        os.close(fd)

    def link(self, path: str, place: str) -> None:
        """Gives a file a second name. `FileExistsError` where there is one already: nothing is ever replaced by this."""
        os.link(path, place, follow_symlinks=False)

    def replace(self, path: str, place: str) -> None:
        """Gives a file another name, in place of whatever has it."""
        os.replace(path, place)  # noqa: PTH105

    def unlink(self, path: str) -> None:
        """Takes a name away."""
        os.unlink(path)  # noqa: PTH108

    def make_folder(self, path: str) -> None:
        """A new folder, its owner's only."""
        os.mkdir(path, 0o700)  # noqa: PTH102

    def remove_folder(self, path: str) -> None:
        """Takes away an empty folder."""
        os.rmdir(path)  # noqa: PTH106

    def flush_folder(self, path: str) -> None:
        """Has the names in a folder on disk (fsync)."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
