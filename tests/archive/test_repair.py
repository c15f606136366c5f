"""What an archive mends when it opens, and that a repair which is cut off is done again."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from dimse.archive import Archive, Repair, check, reindex, repair
from dimse.archive.files import Files
from dimse.archive.index import Index
from dimse.archive.schema import VERSION
from dimse.data.part10 import FileMeta, read_meta
from dimse.data.uids import UID, CTImageStorage, ExplicitVRLittleEndian
from dimse.errors import UsageError
from tests.archive.faults import Unflushed, Watched
from tests.archive.samples import PIXELS, files_below, find, sample, store

UIDS = ("1.2.1", "1.2.2", "1.2.3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of an archive that has three instances, and is closed."""
    with Archive(tmp_path, files=Unflushed()) as archive:
        for uid in UIDS:
            store(archive.services(), sample(uid))
        (tmp_path / "place").write_text(str(archive.path_of("1.2.2")))
    return tmp_path


def second(folder: Path) -> Path:
    """The file of 1.2.2."""
    return Path((folder / "place").read_text())


def crash(folder: Path) -> None:
    """What is left where nobody closed the archive."""
    (folder / "running").touch()


def forget(folder: Path, *uids: str) -> None:
    """Takes rows out of the index, as a crash before the commit leaves it."""
    with Archive(folder) as archive:
        for uid in uids:
            with archive._storage.index.writing() as writing:
                writing.remove(uid)
    crash(folder)


def everything(archive: Archive) -> list[list[str]]:
    """What queries tell of all that it has."""
    return [
        sorted(
            str(match["SOPInstanceUID"])
            for match in find(archive.services(), "IMAGE", StudyInstanceUID=f"{uid}.1", SeriesInstanceUID=f"{uid}.2", SOPInstanceUID="")
        )
        for uid in UIDS
    ]


WHOLE = [["1.2.1"], ["1.2.2"], ["1.2.3"]]


def test_a_closed_archive_has_nothing_to_mend(folder: Path) -> None:
    assert not (folder / "running").exists()
    with Archive(folder) as archive:
        assert (folder / "running").exists()
        assert not archive.repair
        assert str(archive.repair) == "nothing to repair"
        assert everything(archive) == WHOLE


def test_after_a_run_that_flushed_nothing_the_next_one_looks(folder: Path) -> None:
    with Archive(folder, durability="relaxed"):
        pass
    assert not (folder / "running").exists()  # nothing was stored
    with Archive(folder, durability="relaxed") as archive:
        store(archive.services(), sample("1.2.4"))
        place = archive.path_of("1.2.4")
    assert (folder / "running").exists()
    place.write_bytes(b"")  # of a file that was not flushed a power cut may leave the name
    with Archive(folder) as archive:
        assert archive.repair == Repair(quarantined=1, missing=1)
    assert not (folder / "running").exists()


def test_after_a_crash_everything_is_looked_after(folder: Path) -> None:
    forget(folder, "1.2.2")
    (folder / "tmp" / "17.part").write_bytes(b"half of a data set")
    half = folder / "objects" / "ab" / ("ab" * 32 + ".dcm")
    half.write_bytes(second(folder).read_bytes()[:-10])
    with Archive(folder) as archive:
        lost = archive.path_of("1.2.3")
        assert archive.repair == Repair(swept=1, adopted=1, quarantined=1)
    lost.unlink()
    crash(folder)
    with Archive(folder) as archive:
        assert archive.repair == Repair(missing=1)
        assert everything(archive) == WHOLE  # its row is kept
        assert files_below(archive) == sorted(
            [str(path.relative_to(folder)) for path in (archive.path_of("1.2.1"), second(folder))] + ["place", f"quarantine/{half.name}"]
        )
        assert archive._storage.index.total == 3 * second(folder).stat().st_size


def test_what_was_done_is_told_in_one_line() -> None:
    done = Repair(swept=1, restored=2, adopted=3, moved=4, quarantined=5, missing=6, unreadable=7)
    assert str(done) == (
        "1 file removed that had not been written to the end; 2 files put back whose replacement had not been finished; "
        "3 files taken in that the index had lost; 4 files moved to where this version keeps them; 5 files not whole, now in quarantine; "
        "6 files missing that the index knows; 7 files that cannot be read"
    )
    assert str(Repair(adopted=1234, rebuilt="it was missing")) == "the index was made anew from 1,234 files (it was missing)"


@pytest.mark.parametrize("harm", ["gone", "page", "cut", "empty", "text", "format", "name", "version 1", "tables"])
@pytest.mark.parametrize("crashed", [False, True])
def test_an_index_that_is_no_good_is_made_anew(folder: Path, harm: str, crashed: bool) -> None:
    """S-07."""
    index = folder / "index.db"
    if harm == "gone":
        index.unlink()
    elif harm == "page":
        with index.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 4096)
    elif harm == "cut":
        os.truncate(index, index.stat().st_size // 2 + 100)
    elif harm == "format":
        with index.open("r+b") as file:
            file.seek(47)  # the last byte of the schema format number, which SQLite takes for an error of its own
            file.write(b"\xff")
    elif harm == "name":
        index.write_bytes(index.read_bytes().replace(b"study_by_date", b"study_by\xb6date"))
    elif harm in ("empty", "text"):
        index.write_bytes(b"" if harm == "empty" else b"no index at all" * 1000)
    else:
        connection = sqlite3.connect(index)
        connection.execute("DROP TABLE total" if harm == "tables" else "PRAGMA user_version=1")
        connection.commit()
        connection.close()
    if crashed:
        crash(folder)
    bad = index.read_bytes() if index.exists() else None
    why = {
        "gone": "it was missing",
        "empty": "it was missing",
        "version 1": f"it was of version 1, and this program writes version {VERSION}",
    }
    with Archive(folder) as archive:
        assert archive.repair == Repair(adopted=3, rebuilt=why.get(harm, "it was damaged"))
        assert everything(archive) == WHOLE
        assert archive._storage.index.total == 3 * second(folder).stat().st_size
        assert list(archive.check()) == []
    aside = folder / "index.db.bad-1"
    assert (aside.read_bytes() if aside.exists() else None) == bad
    with Archive(folder) as archive:
        assert not archive.repair


def test_the_log_of_a_lost_index_is_not_taken_for_that_of_the_new_one(folder: Path) -> None:
    """It would put pages of the old one into the new one."""
    with Archive(folder) as archive:
        store(archive.services(), sample("1.2.4"))
        shutil.copy(folder / "index.db-wal", folder / "wal")
    (folder / "index.db").unlink()
    (folder / "wal").rename(folder / "index.db-wal")
    crash(folder)
    with Archive(folder) as archive:
        assert archive.repair.adopted == 4
        assert archive.counts()[3] == 4
        assert list(archive.check()) == []
    assert (folder / "index.db.bad-1-wal").exists()
    (folder / "index.db").write_bytes(b"nothing" * 1000)
    with Archive(folder) as archive:
        assert archive.counts()[3] == 4
    assert (folder / "index.db.bad-2").exists()


def test_an_index_of_a_later_version_is_left_alone(folder: Path) -> None:
    connection = sqlite3.connect(folder / "index.db")
    connection.execute(f"PRAGMA user_version={VERSION + 1}")
    connection.close()
    with pytest.raises(UsageError, match=f"version {VERSION + 1}"):
        Archive(folder)


def test_a_good_index_is_not_thrown_away_because_of_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*rest: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("dimse.archive.index.make_tables", full)
        with pytest.raises(UsageError, match="disk is full; see to the disk"):
            Archive(folder)
    (folder / "index.db").rename(folder / "elsewhere")
    (folder / "index.db").mkdir()
    (folder / "index.db" / "x").touch()
    with pytest.raises(UsageError, match="see to the disk"):
        Archive(folder)
    (folder / "index.db" / "x").unlink()
    (folder / "index.db").rmdir()
    (folder / "elsewhere").rename(folder / "index.db")
    with Archive(folder) as archive:
        assert everything(archive) == WHOLE


def test_files_of_the_older_layout_are_moved_to_their_places(tmp_path: Path) -> None:
    """They have no digest in their heads, and are read to their ends instead."""
    with Archive(tmp_path) as archive:
        places = {uid: archive.path_of(uid) for uid in UIDS}
    for uid, place in places.items():
        old = place.parent / place.stem[2:4] / place.name
        old.parent.mkdir()
        old.write_bytes(FileMeta(CTImageStorage, UID(uid), ExplicitVRLittleEndian).encode() + sample(uid).encoded)
    (tmp_path / "index.db").unlink()
    with Archive(tmp_path) as archive:
        assert (archive.repair.adopted, archive.repair.moved) == (3, 3)
        assert everything(archive) == WHOLE
        assert files_below(archive) == sorted(str(place.relative_to(tmp_path)) for place in places.values())
        assert not any(path.is_dir() for path in (tmp_path / "objects").glob("*/*"))
        assert list(archive.check()) == []


def test_two_files_of_one_instance(folder: Path) -> None:
    """The one in its place is the one."""
    place = second(folder)
    stray, twin = folder / "objects" / "stray.dcm", folder / "objects" / "00" / "twin"
    stray.write_bytes(place.read_bytes())
    os.link(place, twin)
    crash(folder)
    before = place.stat().st_ino
    with Archive(folder) as archive:
        assert archive.repair == Repair(quarantined=1)
        assert place.stat().st_ino == before
        assert not twin.exists()
        assert (folder / "quarantine" / "stray.dcm").exists()
        assert everything(archive) == WHOLE


def test_a_file_elsewhere_whose_row_had_none(folder: Path) -> None:
    second(folder).rename(folder / "objects" / "stray.dcm")
    crash(folder)
    with Archive(folder) as archive:
        assert archive.repair == Repair(adopted=1, moved=1)
        assert list(archive.check()) == []


def cut(content: bytes) -> bytes:
    return content[:-1]


def other_byte(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def head_only(content: bytes) -> bytes:
    return content[: read_meta(content)[1]]


def no_study(content: bytes) -> bytes:
    return head_without_digest() + sample("1.2.2", StudyInstanceUID="").encoded


def of_another(content: bytes) -> bytes:
    return head_without_digest() + sample("1.2.9").encoded


def head_without_digest() -> bytes:
    return FileMeta(CTImageStorage, UID("1.2.2"), ExplicitVRLittleEndian).encode()


@pytest.mark.parametrize("change", [cut, other_byte, head_only, no_study, of_another, lambda content: b"", lambda content: b"x" * 1000])
def test_a_file_that_is_not_whole_is_set_aside(folder: Path, change: Callable[[bytes], bytes]) -> None:
    place = second(folder)
    changed = change(place.read_bytes())
    place.write_bytes(changed)
    forget(folder, "1.2.2")
    with Archive(folder) as archive:
        assert archive.repair == Repair(quarantined=1)
        assert archive.counts()[3] == 2
    assert (folder / "quarantine" / place.name).read_bytes() == changed


def test_a_file_shorter_than_its_row_says_is_set_aside_too(folder: Path) -> None:
    """Without flushes a power cut may leave the row and less than the file."""
    place = second(folder)
    place.write_bytes(place.read_bytes()[:-10])
    crash(folder)
    with Archive(folder) as archive:
        assert archive.repair == Repair(quarantined=1, missing=1)
        assert store(archive.services(), sample("1.2.2")) == 0
        assert list(archive.check()) == []
    with Archive(folder) as archive:
        assert not archive.repair


def test_what_is_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "objects" / "00" / "link").symlink_to(second(folder))
    os.mkfifo(folder / "objects" / "00" / "pipe")
    crash(folder)
    with Archive(folder) as archive:
        assert archive.repair == Repair(quarantined=2)
    assert (folder / "quarantine" / "link").is_symlink()


def test_a_bad_place_in_a_file_does_not_end_the_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a memory map it would be a signal: the file is read before it is mapped."""
    forget(folder, "1.2.2")

    def bad(fd: int, size: int, offset: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", bad)
    with Archive(folder) as archive:
        assert archive.repair == Repair(unreadable=1)


def test_a_file_that_cannot_be_read_stays_where_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(folder, "1.2.2")

    def fail(number: int) -> Callable[[str], object]:
        def examine(path: str) -> object:
            raise OSError(number, os.strerror(number))

        return examine

    monkeypatch.setattr(repair, "examine", fail(errno.EIO))
    for _ in range(2):  # each start looks again
        with Archive(folder) as archive:
            assert archive.repair == Repair(unreadable=1)
    monkeypatch.setattr(repair, "examine", fail(errno.EMFILE))
    with pytest.raises(OSError, match="Too many open files"):
        Archive(folder)
    monkeypatch.undo()
    with Archive(folder) as archive:
        assert archive.repair == Repair(adopted=1)


def replace_half_way(folder: Path, *, placed: bool, committed: bool) -> None:
    """What a replacement of 1.2.2 leaves when it is cut off."""
    place = second(folder)
    old = folder / "tmp" / f"{place.stem}.old"
    os.link(place, old)
    if placed:
        with Archive(folder / "other") as archive:
            store(archive.services(), sample("1.2.2", PIXELS, PatientName="Nobody^Eve"))
            new = archive.path_of("1.2.2").read_bytes()
        place.unlink()
        place.write_bytes(new)
    if committed:
        (folder / "tmp" / old.name).rename(folder / "kept")
        forget(folder, "1.2.2")
        Archive(folder).close()
        (folder / "kept").rename(old)
    crash(folder)


@pytest.mark.parametrize(
    ("placed", "committed", "name", "restored"),
    [(False, False, "Nobody^Ann", 0), (True, False, "Nobody^Ann", 1), (True, True, "Nobody^Eve", 0)],
)
@pytest.mark.parametrize("index", ["there", "lost"])
def test_a_replacement_that_was_cut_off(folder: Path, placed: bool, committed: bool, name: str, restored: int, index: str) -> None:
    replace_half_way(folder, placed=placed, committed=committed)
    if index == "lost":  # then the file in its place decides
        (folder / "index.db").unlink()
        name, restored = "Nobody^Eve" if placed else name, 0
    with Archive(folder) as archive:
        assert archive.repair.restored == restored
        assert list((folder / "tmp").iterdir()) == []
        (match,) = find(archive.services(), "STUDY", StudyInstanceUID="1.2.2.1", PatientName="")
        assert match["PatientName"] == name
        assert list(archive.check()) == []


def test_the_old_file_where_the_new_one_is_not_whole(folder: Path) -> None:
    replace_half_way(folder, placed=True, committed=False)
    second(folder).write_bytes(b"torn")
    (folder / "index.db").unlink()
    with Archive(folder) as archive:
        assert (archive.repair.restored, archive.repair.quarantined) == (1, 1)
        assert everything(archive) == WHOLE
        assert list(archive.check()) == []


def test_an_old_file_that_is_not_whole_is_set_aside(folder: Path) -> None:
    (folder / "tmp" / f"{second(folder).stem}.old").write_bytes(b"torn")
    with Archive(folder) as archive:
        assert archive.repair == Repair(quarantined=1)


@pytest.mark.parametrize("case", ["orphan", "replaced", "no index", "older layout", "reindex"])
def test_a_repair_that_is_cut_off_at_any_call_comes_to_the_same(tmp_path: Path, case: str) -> None:
    """The number of the call that fails goes up until no call has it."""
    first = tmp_path / "first"
    with Archive(first, files=Unflushed()) as archive:
        for uid in UIDS:
            store(archive.services(), sample(uid))
        place = archive.path_of("1.2.2")
    (first / "place").write_text(str(place))
    (first / "tmp" / "0.part").write_bytes(b"half")
    if case == "orphan":
        forget(first, "1.2.2")
        place.with_name("00" * 32 + ".dcm").write_bytes(b"torn")
    elif case == "replaced":
        replace_half_way(first, placed=True, committed=False)
    elif case in ("no index", "older layout"):
        (first / "index.db").write_bytes(b"torn" * 1000)
    if case == "older layout":
        (place.parent / "cd").mkdir()
        place.rename(place.parent / "cd" / place.name)
    for fails_at in range(1, 1000):
        copy = tmp_path / f"copy{fails_at}"
        shutil.copytree(first, copy, copy_function=os.link)
        for name in ("index.db", "place"):  # the rest is only ever renamed
            (copy / name).unlink()
            shutil.copy(first / name, copy / name)
        files = Watched()
        files.begin(fails_at)
        with suppress(OSError):
            if case == "reindex":
                reindex(copy, files=files)
            else:
                Archive(copy, files=files).close()
        with Archive(copy, files=Unflushed()) as archive:
            assert everything(archive) == WHOLE
            assert list(archive.check()) == []
            assert list((copy / "tmp").iterdir()) == []
        with Archive(copy, files=Unflushed()) as archive:
            assert not archive.repair
        shutil.rmtree(copy)
        if not files.failed:
            break
    assert fails_at > 8


def test_reindex(folder: Path) -> None:
    second(folder).unlink()
    told: list[tuple[int, int]] = []
    assert reindex(folder, progress=lambda done, total: told.append((done, total))) == Repair(adopted=2, rebuilt="as was asked for")
    assert told == [(2, 2)]
    assert not list(folder.glob("index.db.*"))
    with Archive(folder) as archive:
        assert not archive.repair
        assert everything(archive) == [["1.2.1"], [], ["1.2.3"]]
    (folder / "index.db").write_bytes(b"torn" * 1000)
    assert reindex(folder) == Repair(adopted=2, rebuilt="it was damaged")
    assert (folder / "index.db.bad-1").read_bytes() == b"torn" * 1000
    assert list(check(folder)) == []


def test_a_new_index_that_the_disk_does_not_take(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close = Index.close

    def leave_log(self: Index) -> None:
        close(self)
        (folder / "index.db.new-wal").touch()

    with monkeypatch.context() as patched:
        patched.setattr(Index, "close", leave_log)
        with pytest.raises(UsageError, match="could not be written to its end"):
            reindex(folder)
    assert reindex(folder).adopted == 3


def test_instances_come_into_a_new_index_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    """A study is what its first instance says of it."""
    with Archive(tmp_path) as archive:
        for number in range(20):
            name = {"PatientName": f"Name^{number}"}
            store(archive.services(), sample(f"1.2.{number}", b"", StudyInstanceUID="1.2", SeriesInstanceUID="1.3", **name))
            os.utime(archive.path_of(f"1.2.{number}"), ns=(0, number))
    reindex(tmp_path)
    with Archive(tmp_path) as archive:
        (match,) = find(archive.services(), "STUDY", StudyInstanceUID="1.2", PatientName="")
        assert match["PatientName"] == "Name^0"


def test_more_files_than_are_taken_in_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "AT_ONCE", 2)
    with Archive(tmp_path, durability="relaxed") as archive:
        for number in range(7):
            store(archive.services(), sample(f"1.2.{number}", b""))
    (tmp_path / "index.db").unlink()
    told: list[tuple[int, int]] = []
    with Archive(tmp_path, progress=lambda done, total: told.append((done, total))) as archive:
        assert archive.counts()[3] == 7
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]


def test_folders_that_are_missing_are_made_again_and_flushed(tmp_path: Path) -> None:
    files = Watched()
    Archive(tmp_path / "a" / "b", files=files).close()
    assert {
        ("flush_folder", str(folder)) for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "objects")
    } <= set(files.paths)
    assert files.counts["make_folder"] == 3 + 256
    (tmp_path / "a" / "b" / "objects" / "7f").rmdir()
    files.begin()
    Archive(tmp_path / "a" / "b", files=files).close()
    assert files.counts["make_folder"] == 3 + 1  # three that are there are tried
    assert (tmp_path / "a" / "b" / "objects" / "7f").stat().st_mode & 0o777 == 0o700


def test_a_start_that_fails_gives_the_folder_free(tmp_path: Path) -> None:
    class Broken(Files):
        def flush_folder(self, path: str) -> None:
            if (tmp_path / "running").exists():
                raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        Archive(tmp_path, files=Broken())
    Archive(tmp_path).close()
