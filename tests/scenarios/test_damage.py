"""S-07 and S-11 to S-13: an archive whose index, files or rights are not what they were, by somebody else's doing."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import dimse
from bench.crash import Node
from bench.oracle import Destination, see
from dimse.archive import Archive
from dimse.archive.files import Files
from dimse.cli import main
from dimse.data.part10 import read_meta
from tests.archive.samples import PIXELS, sample

from .providers import FRONTS, HOST
from .sites import CONTEXT, LONG, OUT_OF_RESOURCES, Site, site, source

# S-07: an index that is gone, or that somebody wrote over


def _remove(index: Path) -> None:
    for path in index.parent.glob("index.db*"):
        path.unlink()


def _overwrite(index: Path) -> None:
    assert index.stat().st_size >= 8192
    with index.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)


def _cut(index: Path) -> None:
    with index.open("r+b") as file:
        file.truncate(index.stat().st_size // 2 + 100)


def _no_database(index: Path) -> None:
    index.write_bytes(b"certainly not a database, and long enough to be looked at" * 200)


def _empty(index: Path) -> None:
    index.write_bytes(b"")


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_remove, id="S-07/removed"),
        pytest.param(_overwrite, id="S-07/overwritten"),
        pytest.param(_cut, id="S-07/cut"),
        pytest.param(_no_database, id="S-07/nonsense"),
        pytest.param(_empty, id="S-07/empty"),
    ],
)
def test_an_index_that_is_not_what_it_was(
    front: str, damage: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    samples = [
        sample(
            f"1.2.{number}", PIXELS, StudyInstanceUID=f"1.3.{number % 4}", SeriesInstanceUID=f"1.4.{number % 8}", PatientID=f"P{number % 2}"
        )
        for number in range(24)
    ]
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        for what in samples:
            assert user.store(what) == 0
        before = _all(user)
    damage(tmp_path / "archive" / "index.db")
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        assert archive.repair.rebuilt
        assert archive.repair.adopted == len(samples)
        assert (archive.folder / "index.db.bad-1").exists() is (damage is not _remove)
        assert _all(user) == before
        assert archive.counts() == (2, 4, 8, 24)
        assert user.store(samples[0]) == 0
        assert user.store(sample("1.9")) == 0
        user.has(*samples, sample("1.9"))


def _all(user: Site) -> list[list[bytes]]:
    """All that is answered at each level."""
    studies = [f"1.3.{number}" for number in range(4)]
    series = [(f"1.3.{number % 4}", f"1.4.{number}") for number in range(8)]
    keys = {"PatientName": "", "PatientID": "", "Modality": ""}
    return [
        sorted(match.encoded for match in matches)
        for matches in (
            user.find("STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances="", **keys),
            [match for study in studies for match in user.find("SERIES", StudyInstanceUID=study, SeriesInstanceUID="", **keys)],
            [
                match
                for study, one in series
                for match in user.find("IMAGE", StudyInstanceUID=study, SeriesInstanceUID=one, SOPInstanceUID="", **keys)
            ],
        )
    ]


@pytest.mark.parametrize("place", [pytest.param(place, id=f"S-07/{place}-in-the-way") for place in ("objects", "index.db")])
def test_a_folder_that_cannot_be_used(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no index can be made there is no archive, and whoever wanted one is told why."""
    data = tmp_path / "archive"
    data.mkdir()
    if place == "objects":
        (data / place).write_bytes(b"")
    else:
        (data / place).mkdir()
        (data / place / "something").write_bytes(b"")
    assert main(["serve", "--data", str(data), "--port", "0"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert str(data) in said.err


# S-11, S-12: files that are not what they were


def _flip(path: Path) -> None:
    """One bit of the data set."""
    with path.open("r+b") as file:
        whole = file.read()
        at = read_meta(whole)[1] + 1000
        file.seek(at)
        file.write(bytes([whole[at] ^ 1]))


def _shorten(path: Path) -> None:
    """The last bytes are gone."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 2)


def _unlink(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    """Something that cannot be read."""
    path.unlink()
    path.mkdir()


DAMAGE = [
    pytest.param(_flip, id="S-11"),
    pytest.param(_shorten, id="S-11/shorter"),
    pytest.param(_unlink, id="S-12"),
    pytest.param(_folder, id="S-12/folder"),
]


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("pixels", [PIXELS, LONG], ids=["short", "long"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_not_what_it_was(
    front: str,
    pixels: bytes,
    damage: Callable[[Path], None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    samples = [sample(f"1.2.{number}", pixels, StudyInstanceUID="1.3", SeriesInstanceUID="1.4") for number in range(3)]
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        for what in samples:
            assert user.store(what) == 0
        damage(archive.path_of("1.2.1"))
        for retrieve in (user.move, user.get):
            result = retrieve("1.3")
            assert (result.status, result.completed, result.failed, result.warning) == (0xB000, 2, 1, 0)
            assert list(result.failed_uids) == ["1.2.1"]
            assert {uid for uid, _ in user.oracle.came} == {"1.2.0", "1.2.2"}
            user.look()
    assert main(["check", str(tmp_path / "archive")]) == 1
    said = capsys.readouterr()
    assert "1.2.1" in said.out + said.err
    assert "1.2.0" not in said.out + said.err


# S-13: a folder that cannot be written


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("code", [pytest.param(getattr(errno, name), id=f"S-13/{name}") for name in ("EROFS", "EACCES", "EDQUOT")])
def test_calls_that_are_refused(
    front: str, code: int, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, short, long = sample("1.2.1"), sample("1.2.2"), sample("1.2.3", LONG)

    def refuse(files: Files, *arguments: object) -> int:
        raise OSError(code, os.strerror(code))

    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        assert user.store(first) == 0
        for call in ("create", "link"):
            with monkeypatch.context() as patched:
                patched.setattr(Files, call, refuse)
                assert [user.store(short), user.store(long)] == [OUT_OF_RESOURCES] * 2
                user.look()
                user.has(first)
            assert user.unfinished() == []
        assert [user.store(short), user.store(long)] == [0, 0]
        user.has(first, short, long)


@pytest.mark.parametrize("mode", [pytest.param(0o500, id="S-13")])
def test_a_folder_that_is_read_only(mode: int, tmp_path: Path) -> None:
    """The node cannot write, by the rights of its own folders: stores fail, all else goes on, and with the rights back all does."""
    data = tmp_path / "archive"
    powerless = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    with Destination() as oracle:
        node = Node(data, oracle.port, *powerless)
        try:
            port, _ = node.listening()
            assert _store(port, "1.2.1") == 0
            _allow(data, mode)
            assert [_store(port, "1.2.2"), _store(port, "1.2.3", LONG)] == [OUT_OF_RESOURCES] * 2
            seen = see(port, oracle)
            assert (list(seen.digests), seen.trouble) == (["1.2.1"], [])
            _allow(data, 0o700)
            assert [_store(port, "1.2.2"), _store(port, "1.2.3", LONG)] == [0, 0]
            assert set(see(port, oracle).digests) == {"1.2.1", "1.2.2", "1.2.3"}
        finally:
            _allow(data, 0o700)
            assert node.end(signal.SIGTERM) == 0


def _store(port: int, uid: str, pixels: bytes = PIXELS) -> int:
    with dimse.connect(HOST, port, contexts=[CONTEXT, dimse.Verification]) as association:
        status = association.store(source(sample(uid, pixels)))
        assert association.echo().ok
    return int(status)


def _allow(folder: Path, mode: int) -> None:
    for path in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        path.chmod(mode)
