"""What was stored is what is handed out; and what is wrong is found."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dimse.archive import Archive, checking, stored
from dimse.data.datasets import query
from dimse.data.protocols import Reading, Source
from dimse.data.uids import StudyRootMove
from dimse.errors import DataError
from dimse.services.handlers import Services
from tests.archive.samples import PIXELS, request, sample, store


def source_of(services: Services, uid: str) -> Source:
    assert services.get is not None
    (source,) = services.get(request(StudyRootMove, query("STUDY", StudyInstanceUID=f"{uid}.1")))
    return source


def everything(reading: Reading, size: int) -> bytes:
    whole = bytearray(size)
    view, done = memoryview(whole), 0
    while count := reading.readv([view[done : done + 700], view[done + 700 : done + 1000]]):
        done += count
    return bytes(whole[:done])


@pytest.mark.parametrize("at_once", [10, 1 << 20], ids=["long", "short"])
def test_what_is_handed_out_is_what_was_stored(archive: Archive, services: Services, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(stored, "AT_ONCE", at_once)
    store(services, what := sample("1.2.3"))
    source = source_of(services, "1.2.3")
    with source.open() as reading:
        assert everything(reading, source.size) == what.encoded


@pytest.mark.parametrize("at_once", [10, 1 << 20], ids=["long", "short"])
def test_a_byte_that_has_changed_keeps_it_all_back(
    archive: Archive, services: Services, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """S-11."""
    monkeypatch.setattr(stored, "AT_ONCE", at_once)
    store(services, sample("1.2.3"))
    store(services, sample("1.2.4"))
    path = archive.path_of("1.2.3")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    archive.counts()  # so that the index has its connection for reading
    descriptors = os.listdir("/proc/self/fd")
    with pytest.raises(DataError, match="SHA-256 is another") as caught:
        source_of(services, "1.2.3").open()
    assert str(path) not in str(caught.value)
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match="its length is another"):
        source_of(services, "1.2.3").open()
    assert os.listdir("/proc/self/fd") == descriptors
    with source_of(services, "1.2.4").open():
        pass
    assert [(finding.kind, finding.sop_instance_uid) for finding in archive.check()] == [("changed", "1.2.3")]


def test_a_file_that_is_gone(archive: Archive, services: Services) -> None:
    """S-12."""
    store(services, sample("1.2.3"))
    archive.path_of("1.2.3").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        source_of(services, "1.2.3").open()
    assert str(archive.folder) not in str(caught.value)
    assert [(finding.kind, finding.sop_instance_uid) for finding in archive.check()] == [("missing", "1.2.3")]


@pytest.mark.parametrize("at_once", [0, stored.AT_ONCE])
def test_a_reading_that_fails_half_way_is_closed(
    archive: Archive, services: Services, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    def fail(fd: int, *holes: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    store(services, sample("1.2.3"))
    archive.counts()  # so that the index has its connection for reading
    descriptors = os.listdir("/proc/self/fd")
    with monkeypatch.context() as patched:
        patched.setattr(stored, "AT_ONCE", at_once)
        for call in ("pread", "readv", "preadv"):
            patched.setattr(os, call, fail)
        with pytest.raises(OSError, match="Input/output error"):
            source_of(services, "1.2.3").open()
        assert [(finding.kind, finding.what) for finding in archive.check()] == [("unreadable", "Input/output error")]
    assert os.listdir("/proc/self/fd") == descriptors


def test_everything_that_may_be_wrong(archive: Archive, services: Services, tmp_path: Path) -> None:
    for number in range(4):
        store(services, sample(f"1.2.{number}"))
    place = archive.path_of("1.2.0")
    stray = place.with_name("stray.dcm")
    stray.write_bytes(place.read_bytes())
    with archive._storage.index.writing() as writing:
        writing.remove("1.2.1")
    other = archive.path_of("1.2.2")
    content = bytearray(other.read_bytes())
    content[-len(sample("1.2.2").encoded) - 1] ^= 1  # of the digest in its head
    other.write_bytes(content)
    link = place.with_name("link.dcm")
    link.symlink_to(place)
    told: list[tuple[int, int]] = []
    found = list(archive.check(progress=lambda done, total: told.append((done, total))))
    assert {(finding.kind, finding.path, finding.sop_instance_uid) for finding in found} == {
        ("misplaced", stray, "1.2.0"),
        ("unknown", archive.path_of("1.2.1"), "1.2.1"),
        ("changed", other, "1.2.2"),
        ("unreadable", link, ""),
    }
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert {str(finding).split(": ")[0] for finding in found} == {"1.2.0", "1.2.1", "1.2.2", "unknown UID"}


def test_checking_changes_nothing(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        store(archive.services(), sample("1.2.3", PIXELS))
    (tmp_path / "running").touch()
    (tmp_path / "tmp" / "0.part").write_bytes(b"half")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert list(checking.check(tmp_path)) == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_check_that_is_not_read_to_its_end_gives_the_folder_free(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        store(archive.services(), sample("1.2.3"))
        archive.path_of("1.2.3").unlink()
    findings = checking.check(tmp_path)
    assert next(findings).kind == "missing"
    findings.close()  # type: ignore[attr-defined]  # it is a generator
    Archive(tmp_path).close()
