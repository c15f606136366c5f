"""S-02, S-03, S-08 to S-10 and S-14: storing where the disk or the sender does not do what it should, and storing the same again."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import pytest

from dimse.archive import Archive
from dimse.archive.files import Files
from dimse.archive.storage import Duplicates
from dimse.data.uids import StudyRootGet
from dimse.judge.line import Line
from dimse.judge.wire import ABORT, DATA, ITEMS, Request, data_set, element, instance_uid, message, p_data, pdv, store_fields
from tests.archive.samples import PIXELS, Sample, sample

from .conditions import SERVED_WITHIN
from .providers import FRONTS, target_of
from .sites import CONTEXT, LONG, OUT_OF_RESOURCES, site, study_of

DUPLICATE = 0x0111
PART = 16_000
"""Bytes of a data set in one PDU."""


# S-02: a small disk


class Disk(Protocol):
    """A disk on which an archive lies."""

    def leave(self, room: int) -> None:
        """Has it full but for so many bytes."""

    def free(self) -> None:
        """Takes away what fills it."""


class Mounted:
    """A file system of its own, in memory."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], check=True)

    def leave(self, room: int) -> None:
        self.free()
        disk = os.statvfs(self._filler.parent)
        self._filler.write_bytes(bytes(max(disk.f_bavail * disk.f_frsize - room, 0)))

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)


class Injected:
    """The system calls by which an archive writes say that the disk is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._room: int | None = None
        write = Files.write

        def limited(files: Files, fd: int, pieces: Sequence[memoryview]) -> int:
            if self._room is None:
                return write(files, fd, pieces)
            if not self._room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            count = write(files, fd, [memoryview(b"".join(pieces))[: self._room]])
            self._room -= count
            return count

        monkeypatch.setattr(Files, "write", limited)

    def leave(self, room: int) -> None:
        self._room = room

    def free(self) -> None:
        self._room = None


@cache
def _can_mount() -> bool:
    words = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(words, check=False, capture_output=True).returncode == 0


@contextmanager
def _disk(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    folder.mkdir()
    if kind == "injected" or not _can_mount():
        yield Injected(monkeypatch)
        return
    mounted = Mounted(folder)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("kind", [pytest.param(kind, id=f"S-02/{kind}") for kind in ("mounted", "injected")])
@pytest.mark.parametrize("duplicates", ["refuse", "replace"])
def test_a_disk_that_is_full(
    front: str, kind: str, duplicates: Duplicates, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other, long = sample("1.2.3", bytes(1024)), sample("1.2.3", bytes(100 << 10)), sample("1.2.4", LONG)
    with (
        _disk(kind, tmp_path / "archive", monkeypatch) as disk,
        Archive(tmp_path / "archive", duplicates=duplicates, reserve=0) as archive,
        site(front, archive, tmp_path, caplog) as user,
    ):
        assert user.store(first) == 0
        disk.leave(64 << 10)
        user.has(first)
        assert user.store(other) == OUT_OF_RESOURCES
        assert user.store(long) == OUT_OF_RESOURCES
        user.look()
        user.has(first)
        kept = [first]
        for room in range(48 << 10, -1, -8192):  # so that each step of storing has it happen
            disk.leave(room)
            small = sample(f"1.2.5.{room}")
            status = user.store(small)
            assert status in (0, OUT_OF_RESOURCES)
            kept += [small] if status == 0 else []
            user.has(*kept)
            assert user.unfinished() == []
        assert status == OUT_OF_RESOURCES
        disk.free()
        assert user.store(long) == 0
        user.has(*kept, long)


# S-03: a sender that gives up


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("end", ["abort", "reset", "fin", "stall"])
@pytest.mark.parametrize("length", [pytest.param(500, id="S-03"), pytest.param(2 << 20, id="S-03/long")])
def test_a_sender_that_ends_in_mid_data_set(front: str, length: int, end: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The instance of that UID that was stored before is not touched, and nothing is left of the new one within a second."""
    first = sample(instance_uid(7), PIXELS)
    half = _half(7, data_set(7, element(0x7FE0, 0x0010, bytes(2 * length)))[:length])
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        assert user.store(first) == 0
        before = _identity(archive, first)
        assert user.provider.settle() == 0
        with Line(target_of(user.provider)) as line:
            line.send(Request(ITEMS))
            assert (line.next(time.monotonic() + 5) or "").startswith("A-ASSOCIATE-AC")
            line.send(half)
            if length > 1 << 20:
                _wait(user.unfinished)
            ends: dict[str, Callable[[], object]] = {"abort": lambda: line.send(ABORT), "reset": line.reset, "fin": line.shut}
            ends.get(end, lambda: None)()
            start = time.monotonic()
            assert user.provider.settle() == 0
            assert time.monotonic() - start < SERVED_WITHIN  # a second
            assert user.unfinished() == []
        assert _identity(archive, first) == before
        user.has(first)


def _half(number: int, encoded: bytes) -> bytes:
    """A C-STORE whose data set does not end, in whole PDUs."""
    parts = (p_data(pdv(3, DATA, encoded[at : at + PART])) for at in range(0, len(encoded), PART))
    return message(store_fields(instance_uid(number)), on=3) + b"".join(parts)


def _identity(archive: Archive, what: Sample) -> tuple[int, int, bytes]:
    """Which file an instance is in, when it was written, and what is in it."""
    path = archive.path_of(what.sop_instance_uid)
    return path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()


def _wait(happened: Callable[[], object]) -> None:
    """Waits until it has."""
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end
        os.sched_yield()


# S-08: a flush that fails


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("pixels", [pytest.param(PIXELS, id="S-08"), pytest.param(LONG, id="S-08/long")])
@pytest.mark.parametrize("call", ["flush", "flush_folder"])
def test_a_flush_that_fails(
    front: str, pixels: bytes, call: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file whose flush failed nobody knows what is on disk, and a second one would say that all is well."""
    flushed: list[str] = []
    faults = [errno.EIO]
    real = getattr(Files, call)

    def flush(files: Files, what: int | str) -> None:
        path = str(Path(f"/proc/self/fd/{what}").readlink()) if isinstance(what, int) else what
        flushed.append(path)
        if faults:
            raise OSError(code := faults.pop(), os.strerror(code))
        real(files, what)

    first, second, third = sample("1.2.1", pixels), sample("1.2.2", pixels), sample("1.2.3", pixels)
    with Archive(tmp_path / "archive", durability="full") as archive, site(front, archive, tmp_path, caplog) as user:
        assert user.store(first) == 0
        monkeypatch.setattr(Files, call, flush)
        assert user.store(second) == OUT_OF_RESOURCES
        assert not faults
        assert user.unfinished() == []
        user.has(first)
        failed = flushed[0]
        if call == "flush":
            assert failed.startswith(str(archive.folder / "tmp"))
            assert flushed == [failed]
        assert user.store(third) == 0
        assert user.store(second) == 0
        assert call == "flush_folder" or failed not in flushed[1:]
        user.has(first, second, third)


# S-09, S-10: the same UID again


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("pixels", [pytest.param(PIXELS, id="S-09"), pytest.param(LONG, id="S-09/long")])
@pytest.mark.parametrize("duplicates", ["refuse", "replace"])
def test_the_same_again(front: str, pixels: bytes, duplicates: Duplicates, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    what = sample("1.2.3", pixels)
    with Archive(tmp_path / "archive", duplicates=duplicates) as archive, site(front, archive, tmp_path, caplog) as user:
        assert user.store(what) == 0
        before = _identity(archive, what)
        assert user.store(what) == 0
        assert _identity(archive, what) == before
        user.has(what)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("pixels", [pytest.param(PIXELS, id="S-10"), pytest.param(LONG, id="S-10/long")])
def test_others_under_the_same_uid(front: str, pixels: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = sample("1.2.3", pixels), sample("1.2.3", pixels, PatientName="Somebody^Else")
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        assert user.store(first) == 0
        before = _identity(archive, first)
        assert [user.store(second), user.store(second)] == [DUPLICATE] * 2
        assert _identity(archive, first) == before
        user.has(first)
        assert user.find("STUDY", PatientName="Somebody*", StudyInstanceUID="") == []
        (aside,) = (archive.folder / "quarantine").iterdir()  # nobody can ask for it; whoever looks after the archive finds it
        assert sha256(second.encoded).hexdigest() in aside.name
        assert aside.read_bytes().endswith(second.encoded)
        assert user.provider.settle() == 0
        assert [report.failed for report in user.provider.reports].count(1) == 2


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("pixels", [pytest.param(PIXELS, id="S-10/replaced"), pytest.param(LONG, id="S-10/replaced-long")])
def test_others_that_take_its_place(front: str, pixels: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = sample("1.2.3", pixels)
    second = sample("1.2.3", pixels[:-2], PatientName="Somebody^Else", StudyInstanceUID="1.9")
    with Archive(tmp_path / "archive", duplicates="replace") as archive, site(front, archive, tmp_path, caplog) as user:
        assert user.store(first) == 0
        assert user.store(second) == 0
        user.has(second)
        assert user.find("STUDY", StudyInstanceUID=study_of(first)) == []
        assert archive.counts() == (1, 1, 1, 1)


# S-14: less free than is to stay free


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("pixels", [pytest.param(PIXELS, id="S-14"), pytest.param(LONG, id="S-14/long")])
def test_space_that_is_to_stay_free(
    front: str, pixels: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sample("1.2.1", pixels), sample("1.2.2", pixels)
    with Archive(tmp_path / "archive", reserve=0) as archive, site(front, archive, tmp_path, caplog) as user:
        assert user.store(first) == 0
    with Archive(tmp_path / "archive", reserve=1 << 62) as archive, site(front, archive, tmp_path, caplog) as user:
        monkeypatch.setattr(Files, "create", lambda *arguments: pytest.fail("a file was made"))
        assert user.store(second) == OUT_OF_RESOURCES
        user.has(first)
        with user.connect(StudyRootGet, CONTEXT) as association:
            assert association.echo().ok
