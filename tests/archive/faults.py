"""The archive's system calls, counted, told, and failing where a test wants it."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Sequence

from dimse.archive.files import Files


class Unflushed(Files):
    """Flushes nothing, since no test has the power cut: the disk is slow."""

    def flush(self, fd: int) -> None:
        pass

    def flush_folder(self, path: str) -> None:
        pass


class Watched(Unflushed):
    """Notes each call by name; the call of the number `fails_at`, counted from 1, fails with `error` instead of being made."""

    def __init__(self, *, error: int = errno.EIO) -> None:
        self.calls: list[str] = []
        self.paths: list[tuple[str, str]] = []
        self.error = error
        self.fails_at = 0
        self.failed = ""

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.calls)

    def begin(self, fails_at: int = 0) -> None:
        """Counts anew."""
        self.calls, self.paths, self.fails_at, self.failed = [], [], fails_at, ""

    def create(self, path: str) -> int:
        self._note("create", path)
        return super().create(path)

    def write(self, fd: int, pieces: Sequence[memoryview]) -> int:
        self._note("write")
        return super().write(fd, pieces)

    def write_at(self, fd: int, data: bytes, offset: int) -> int:
        self._note("write_at")
        return super().write_at(fd, data, offset)

    def flush(self, fd: int) -> None:
        self._note("flush")
        super().flush(fd)

    def close(self, fd: int) -> None:
        super().close(fd)  # Linux closes it also where it says that this failed
        self._note("close")

    def link(self, path: str, place: str) -> None:
        self._note("link", place)
        super().link(path, place)

    def replace(self, path: str, place: str) -> None:
        self._note("replace", place)
        super().replace(path, place)

    def unlink(self, path: str) -> None:
        self._note("unlink", path)
        super().unlink(path)

    def make_folder(self, path: str) -> None:
        self._note("make_folder", path)
        super().make_folder(path)

    def remove_folder(self, path: str) -> None:
        self._note("remove_folder", path)
        super().remove_folder(path)

    def flush_folder(self, path: str) -> None:
        self._note("flush_folder", path)
        super().flush_folder(path)

    def _note(self, call: str, path: str = "") -> None:
        self.calls.append(call)
        self.paths.append((call, path))
        if len(self.calls) == self.fails_at:
            self.failed = call
            raise OSError(self.error, os.strerror(self.error), path)
