"""The group commit: what is on disk before 0000H, what many senders share, and what a fault at any call leaves."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from dimse.archive import Archive, committer
from dimse.archive.committer import Ready
from dimse.archive.index import Header, Writing
from dimse.archive.sink import HELD
from dimse.data.part10 import read_meta
from dimse.errors import Refused, UsageError
from dimse.services.handlers import Services
from tests.archive.faults import Watched
from tests.archive.samples import PIXELS, Sample, files_below, find, sample, store, store_request

LONG = PIXELS * (HELD // len(PIXELS) + 1)
OTHER = {"PatientName": "Somebody^Else"}


def kept(archive: Archive, uid: str) -> bytes:
    file = archive.path_of(uid).read_bytes()
    return file[read_meta(file)[1] :]


def status_of(services: Services, what: Sample, chunk: int = 1 << 20) -> int:
    """Stores the way a provider does, which discards what failed."""
    assert services.sink is not None
    comment, sink = "", None
    try:
        sink = services.sink(store_request(what))
        for start in range(0, len(what.encoded), chunk):
            sink.write([memoryview(what.encoded)[start : start + chunk]])
        status = int(sink.finish() or 0)
    except Refused as refused:
        if sink is not None:
            sink.discard()
        status, comment = refused.status, refused.comment
    assert len(comment) <= 64
    assert ".part" not in comment  # no path
    return status


def uids_found(services: Services, what: Sample) -> list[str]:
    uid = what.sop_instance_uid
    keys = {"StudyInstanceUID": f"{uid}.1", "SeriesInstanceUID": f"{uid}.2", "SOPInstanceUID": ""}
    return [str(match["SOPInstanceUID"]) for match in find(services, "IMAGE", **keys)]


@pytest.mark.parametrize(("pixels", "ending"), [(PIXELS, ["write"]), (LONG, ["write", "write", "write_at"])], ids=["short", "long"])
def test_full_durability_flushes_the_file_before_it_has_its_name_and_the_name_before_the_answer(
    tmp_path: Path, pixels: bytes, ending: list[str]
) -> None:
    files = Watched()
    with Archive(tmp_path, files=files) as archive:
        files.begin()
        assert store(archive.services(), what := sample("1.2.3", pixels), len(pixels)) == 0
        assert files.calls == ["create", *ending, "flush", "close", "link", "flush_folder", "unlink"]
        folder, place = str(archive.path_of("1.2.3").parent), str(archive.path_of("1.2.3"))
        assert {("link", place), ("flush_folder", folder)} <= set(files.paths)
        files.begin()
        assert store(archive.services(), what, len(pixels)) == 0
        assert files.calls == ["create", *ending, "flush", "close", "link", "unlink"]  # the place is taken


def test_relaxed_durability_flushes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Archive(tmp_path, durability="relaxed") as archive:
        monkeypatch.setattr(os, "fsync", lambda fd: pytest.fail("flushed"))
        assert store(archive.services(), sample("1.2.3")) == 0
        assert archive.counts() == (1, 1, 1, 1)


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("relaxed", 1)])
def test_the_index_waits_for_the_disk_where_it_should(tmp_path: Path, durability: str, synchronous: int) -> None:
    with Archive(tmp_path, durability=durability) as archive:  # type: ignore[arg-type]  # one of the two
        writing = archive._storage.index._writing
        assert writing is not None
        assert writing._connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)


class Gate:
    """Holds the first transaction until so many instances wait behind it; counts the transactions."""

    def __init__(self, archive: Archive, monkeypatch: pytest.MonkeyPatch, waiting: int) -> None:
        self.transactions = 0
        committer, index = archive._storage._committer, archive._storage.index
        queued = threading.Event()
        writing = index.writing

        class Queue(list[Ready]):
            def append(self, ready: Ready) -> None:
                super().append(ready)
                if len(self) == waiting:
                    queued.set()

        @contextmanager
        def gated() -> Iterator[Writing]:
            self.transactions += 1
            if self.transactions == 1:
                assert queued.wait(60)
            with writing() as inner:
                yield inner

        committer._queue = Queue()
        monkeypatch.setattr(index, "writing", gated)


def together(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_those_that_come_while_a_commit_is_under_way_share_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Watched()
    with Archive(tmp_path, files=files) as archive:
        gate = Gate(archive, monkeypatch, 9)
        files.begin()
        statuses: list[int] = []
        together(*(lambda n=n: statuses.append(store(archive.services(), sample(f"1.2.{n}"))) for n in range(10)))
        assert statuses == [0] * 10
        assert gate.transactions == 2
        assert archive.counts()[3] == 10
        assert len(files_below(archive)) == 10


def test_more_than_a_batch_is_led_by_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "MOST", 2)
    with Archive(tmp_path) as archive:
        gate = Gate(archive, monkeypatch, 7)
        together(*(lambda n=n: store(archive.services(), sample(f"1.2.{n}")) for n in range(8)))
        assert (gate.transactions, archive.counts()[3]) == (5, 8)


def test_the_same_and_other_bytes_in_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Archive(tmp_path) as archive:
        Gate(archive, monkeypatch, 2)  # those of the same UID come one after the other
        statuses: list[int] = []
        samples = [sample("1.2.1"), *[sample("1.2.2")] * 3, sample("1.2.2", **OTHER), sample("1.2.3")]
        together(*(lambda each=each: statuses.append(store(archive.services(), each)) for each in samples))
        assert archive.counts()[3] == 3
        assert sorted(statuses) in ([0] * 5 + [0x0111], [0] * 3 + [0x0111] * 3)  # whoever came first is kept


def test_one_instance_that_the_index_cannot_take_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = Writing.add

    def fail(self: Writing, instance: object, header: Header) -> None:
        add(self, instance, header)  # type: ignore[arg-type]  # passed through
        if "1.2.5" in str(instance):
            raise sqlite3.IntegrityError("a constraint")

    with Archive(tmp_path) as archive:
        Gate(archive, monkeypatch, 5)
        monkeypatch.setattr(Writing, "add", fail)
        statuses: list[int] = []
        together(*(lambda n=n: statuses.append(status_of(archive.services(), sample(f"1.2.{n}"))) for n in range(6)))
        assert sorted(statuses) == [0] * 5 + [0xA700]
        assert archive.counts()[3] == 5
        assert not archive.path_of("1.2.5").exists()
        assert len(files_below(archive)) == 5


def test_one_file_that_cannot_be_linked_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Picky(Watched):
        def link(self, path: str, place: str) -> None:
            if place == str(archive.path_of("1.2.5")):
                raise OSError(errno.EMLINK, "Too many links")
            super().link(path, place)

    with Archive(tmp_path, files=Picky()) as archive:
        Gate(archive, monkeypatch, 4)
        statuses: list[int] = []
        together(*(lambda n=n: statuses.append(status_of(archive.services(), sample(f"1.2.{n}"))) for n in range(6)))
        assert sorted(statuses) == [0] * 5 + [0xA700]
        assert archive.counts()[3] == 5


@pytest.mark.parametrize(
    "error",
    [sqlite3.OperationalError("disk I/O error"), sqlite3.DatabaseError("database disk image is malformed"), KeyboardInterrupt()],
    ids=repr,
)
def test_a_commit_that_fails_fails_all_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    with Archive(tmp_path) as archive:
        services = archive.services()
        Gate(archive, monkeypatch, 5)
        gated = archive._storage.index.writing
        fail = [False]

        @contextmanager
        def failing() -> Iterator[Writing]:
            with gated() as writing:
                yield writing
                if fail[0]:
                    raise error
                fail[0] = True

        with monkeypatch.context() as patched:
            patched.setattr(archive._storage.index, "writing", failing)
            statuses: list[int] = []

            def work(number: int) -> None:
                try:
                    statuses.append(status_of(services, sample(f"1.2.{number}")))
                except KeyboardInterrupt:
                    statuses.append(-1)

            together(*(lambda n=n: work(n) for n in range(6)))
        interrupted = [-1] if isinstance(error, KeyboardInterrupt) else [0xA700]
        assert sorted(statuses) == sorted([0, *interrupted, *[0xA700] * 4])
        assert archive.counts()[3] == 1
        assert len(files_below(archive)) == 1
        assert [store(services, sample(f"1.2.{n}")) for n in range(6)] == [0] * 6


def test_what_cannot_be_taken_back_is_looked_after_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(Watched):
        def unlink(self, path: str) -> None:
            if path.endswith(".dcm"):
                raise OSError(errno.EIO, "Input/output error")
            super().unlink(path)

    def fail(self: Writing, *rest: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with Archive(tmp_path, files=Stuck()) as archive:
        with monkeypatch.context() as patched:
            patched.setattr(Writing, "add", fail)
            assert status_of(archive.services(), sample("1.2.3")) == 0xA700
        assert archive.path_of("1.2.3").exists()
    with Archive(tmp_path) as archive:
        assert (archive.repair.adopted, archive.counts()[3]) == (1, 1)
    with Archive(tmp_path) as archive:
        assert not archive.repair


@pytest.mark.parametrize(
    ("pixels", "error"),
    [(LONG, errno.EIO), *[(PIXELS, error) for error in (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EROFS, errno.EDQUOT)]],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "long" if value == LONG else "short",
)
@pytest.mark.parametrize("case", ["new", "replaced", "refused"])
def test_a_fault_at_any_call_leaves_what_was_there_and_nothing_else(tmp_path: Path, error: int, pixels: bytes, case: str) -> None:
    """The number of the call that fails goes up until no call has it."""
    files = Watched(error=error)
    first, second = sample("1.2.3", pixels), sample("1.2.4" if case == "new" else "1.2.3", pixels, **OTHER)
    with Archive(tmp_path, files=files, duplicates="refuse" if case == "refused" else "replace") as archive:
        services = archive.services()
        seen = []
        for fails_at in range(1, 100):
            files.begin()
            assert store(services, first, len(pixels)) == 0
            files.begin(fails_at)
            status = status_of(services, second, len(pixels))
            seen.append(files.failed)
            files.begin()
            if not files.failed and not seen[-1]:
                break
            assert status == 0xA700 or seen[-1] in ("unlink", "link", "flush_folder", "close")
            assert uids_found(services, first) == ["1.2.3"]
            assert kept(archive, "1.2.3") == (second if status == 0 and case == "replaced" else first).encoded
            assert store(services, sample("1.9.9")) == 0  # which also removes what could not be removed before
            assert [name for name in files_below(archive) if name.startswith("tmp/")] == []
            with archive._storage.index.writing() as writing:
                writing.remove("1.9.9")
                writing.remove("1.2.4")
            for uid in ("1.9.9", "1.2.4"):
                archive.path_of(uid).unlink(missing_ok=True)
        assert seen[:2] == ["create", "write"]
        assert {"flush", "close", "link"} <= set(seen)
        assert seen[-1] == ""
        assert [str(finding) for finding in archive.check()] == []


def test_a_closed_archive_keeps_nothing(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    sink = archive.services().sink
    assert sink is not None
    open_sink = sink(store_request(what := sample("1.2.3")))
    open_sink.write([memoryview(what.encoded)])
    archive.close()
    with pytest.raises(UsageError, match="closed"):
        open_sink.finish()
    assert files_below(archive) == []


def test_other_bytes_are_refused_and_kept_once_in_quarantine(tmp_path: Path) -> None:
    """S-10."""
    files = Watched()
    with Archive(tmp_path, files=files) as archive:
        services = archive.services()
        assert store(services, first := sample("1.2.3")) == 0
        other = sample("1.2.3", **OTHER)
        assert [store(services, other) for _ in range(2)] == [0x0111] * 2
        assert store(services, sample("1.2.3", PatientName="A^Third")) == 0x0111
        assert kept(archive, "1.2.3") == first.encoded
        aside = sorted((tmp_path / "quarantine").iterdir())
        assert len(aside) == 2
        (name,) = [path for path in aside if sha256(other.encoded).hexdigest() in path.name]
        assert name.name == f"{archive.path_of('1.2.3').stem}-{sha256(other.encoded).hexdigest()}.dcm"
        assert name.read_bytes().endswith(other.encoded)
        assert ("flush_folder", str(tmp_path / "quarantine")) in files.paths
        assert [name for name in files_below(archive) if name.startswith("tmp")] == []


def test_other_bytes_take_the_place_where_that_is_wanted(tmp_path: Path) -> None:
    files = Watched()
    with Archive(tmp_path, duplicates="replace", files=files) as archive:
        services = archive.services()
        assert store(services, sample("1.2.3")) == 0
        assert store(services, sample("1.2.4", StudyInstanceUID="1.2.3.1", SeriesInstanceUID="1.2.3.2")) == 0
        files.begin()
        assert store(services, other := sample("1.2.3", PIXELS * 2, **OTHER)) == 0
        found_taken, kept_old = ["link"], ["link", "flush_folder"]
        assert files.calls[4:] == [*found_taken, *found_taken, *kept_old, "replace", "flush_folder", "unlink", "unlink"]
        assert kept(archive, "1.2.3") == other.encoded
        assert archive.counts() == (1, 1, 1, 2)
        assert archive._storage.index.total == sum(archive.path_of(uid).stat().st_size for uid in ("1.2.3", "1.2.4"))
        assert list(archive.check()) == []
        assert len(files_below(archive)) == 2


def test_a_study_whose_only_instance_is_replaced_says_what_the_new_one_says(tmp_path: Path) -> None:
    with Archive(tmp_path, duplicates="replace") as archive:
        services = archive.services()
        assert store(services, sample("1.2.3", PatientID="P1")) == 0
        assert store(services, sample("1.2.3", StudyInstanceUID="1.9", PatientID="P2", **OTHER)) == 0
        assert archive.counts() == (1, 1, 1, 1)
        (match,) = find(services, "STUDY", StudyInstanceUID="", PatientName="Somebody^*", PatientID="")
        assert (match["StudyInstanceUID"], match["PatientID"]) == ("1.9", "P2")
        assert find(services, "STUDY", PatientName="Nobody^*", StudyInstanceUID="") == []


@pytest.mark.parametrize("duplicates", ["refuse", "replace"])
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"x" + path.read_bytes()[1:-1] + b"x")])
def test_an_instance_whose_file_was_lost_or_damaged_is_taken_when_it_comes_again(
    tmp_path: Path, duplicates: str, harm: Callable[[Path], object]
) -> None:
    with Archive(tmp_path, duplicates=duplicates) as archive:  # type: ignore[arg-type]  # one of the two
        services = archive.services()
        assert store(services, what := sample("1.2.3")) == 0
        harm(archive.path_of("1.2.3"))
        assert len(list(archive.check())) == 1
        assert store(services, what) == 0
        assert list(archive.check()) == []
        assert kept(archive, "1.2.3") == what.encoded
        assert archive.counts() == (1, 1, 1, 1)


def test_other_bytes_where_the_file_of_the_first_was_lost_are_refused_too(tmp_path: Path) -> None:
    """The first may come again, or turn up: nobody said that the others may take its place."""
    with Archive(tmp_path) as archive:
        assert store(archive.services(), sample("1.2.3")) == 0
        archive.path_of("1.2.3").unlink()
        assert store(archive.services(), sample("1.2.3", **OTHER)) == 0x0111
        assert not archive.path_of("1.2.3").exists()
        assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_a_replacement_that_could_not_be_undone_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(Watched):
        def replace(self, path: str, place: str) -> None:
            if path.endswith(".old"):
                raise OSError(errno.EIO, "Input/output error")
            super().replace(path, place)

    def fail(self: Writing, *rest: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with Archive(tmp_path, files=Stuck(), duplicates="replace") as archive:
        services = archive.services()
        assert store(services, first := sample("1.2.3")) == 0
        with monkeypatch.context() as patched:
            patched.setattr(Writing, "add", fail)
            assert status_of(services, sample("1.2.3", **OTHER)) == 0xA700
        assert status_of(services, sample("1.2.3", PatientName="A^Third")) == 0xA700
    with Archive(tmp_path) as archive:
        assert (archive.repair.restored, archive.repair.adopted) == (1, 0)
        assert kept(archive, "1.2.3") == first.encoded
        assert list(archive.check()) == []


def test_a_quota(tmp_path: Path) -> None:
    size = 0
    with Archive(tmp_path) as archive:
        assert store(archive.services(), sample("1.2.1")) == 0
        size = archive.path_of("1.2.1").stat().st_size
    with Archive(tmp_path, quota=4 * size - 1) as archive:
        services = archive.services()
        assert store(services, sample("1.2.2")) == 0
        assert store(services, sample("1.2.2", PatientName="Nobody^Eve")) == 0x0111  # in quarantine, which counts
        assert not refused_at_once(services, sample("1.2.3"))
        assert status_of(services, sample("1.2.3")) == 0xA700
        assert status_of(services, sample("1.2.3", LONG), len(LONG)) == 0xA700
        assert status_of(services, sample("1.2.3", LONG)) == 0xA700
        assert store(services, sample("1.2.2", PatientName="Nobody^Eva")) == 0x0111  # there is no room to keep it
        assert (len(list((tmp_path / "quarantine").iterdir())), archive.counts()[3]) == (1, 2)
        assert [name for name in files_below(archive) if name.startswith("tmp")] == []
    with Archive(tmp_path, quota=4 * size) as archive:
        services = archive.services()
        assert store(services, sample("1.2.3")) == 0
        assert refused_at_once(services, sample("1.2.4"))
        assert find(services, "STUDY", StudyInstanceUID="1.2.3.1") != []


def refused_at_once(services: Services, what: Sample) -> bool:
    assert services.sink is not None
    try:
        services.sink(store_request(what)).discard()
    except Refused:
        return True
    return False
