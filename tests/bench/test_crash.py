"""The crash program: what it says, and that its oracle sees a broken promise. Its rounds are in tests/archive/test_crash.py."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest

from bench import crash as program
from bench.crash import Tally, main
from bench.ledger import DUPLICATE, Ledger, Made, Records, mixed
from bench.oracle import halves, look
from bench.powercut import Cuts, Image, half_checkpointed, pending, power_cuts
from bench.recording import Flushed, Folder, Named, Operation, Promise, Recorded, Write
from dimse.archive import Archive
from dimse.data.uids import ImplicitVRLittleEndian
from tests.archive.samples import Sample, store

ONE, TWO = Made("1.2.3"), Made("1.2.4")
OTHER = Made("1.2.3", 1)


def archive_of(folder: Path, *instances: Made) -> Path:
    """An archive with these."""
    with Archive(folder / "archive", reserve=0) as archive:
        for made in instances:
            assert store(archive.services(), Sample(made.encoded, made.uid, transfer_syntax=ImplicitVRLittleEndian)) == 0
    return folder / "archive"


def records(*entries: tuple[str, Made], replaces: bool = False) -> Records:
    noted = Records(replaces=replaces)
    for what, made in entries:
        noted.note(what, made.uid, made.digest)
    return noted


KEPT = (("sent", ONE), ("kept", ONE), ("sent", TWO))
"""One was acknowledged, another one was sent."""


@pytest.mark.parametrize("there", [(ONE,), (ONE, TWO)], ids=["acknowledged", "sent"])
def test_a_promise_that_is_kept(there: tuple[Made, ...], tmp_path: Path) -> None:
    assert look(archive_of(tmp_path, *there), records(*KEPT)) == []


@pytest.mark.parametrize(
    ("there", "entries", "wrong"),
    [
        ((TWO,), KEPT, "acknowledged, and lost"),
        ((OTHER,), (*KEPT, ("sent", OTHER)), "is not what was acknowledged"),
        ((OTHER,), (*KEPT, ("sent", OTHER), ("kept", OTHER)), "different data sets were acknowledged"),
        ((ONE, Made("1.2.5")), KEPT, "is nothing that was sent"),
        ((ONE,), (*KEPT, ("other", ONE)), "refused (other)"),
        ((ONE,), (*KEPT, ("A700H", TWO)), "refused (A700H)"),
    ],
)
def test_a_promise_that_is_broken(there: tuple[Made, ...], entries: tuple[tuple[str, Made], ...], wrong: str, tmp_path: Path) -> None:
    assert wrong in " ".join(look(archive_of(tmp_path, *there), records(*entries)))


@pytest.mark.parametrize(
    ("there", "entries", "is_right"),
    [
        (OTHER, (("sent", ONE), ("kept", ONE), ("sent", OTHER), ("kept", OTHER)), True),
        (OTHER, (("sent", ONE), ("kept", ONE), ("sent", OTHER)), True),
        (ONE, (("sent", ONE), ("kept", ONE), ("sent", OTHER)), True),
        (ONE, (("sent", ONE), ("kept", ONE), ("sent", OTHER), ("kept", OTHER)), False),
    ],
)
def test_what_takes_the_place_of_another(there: Made, entries: tuple[tuple[str, Made], ...], is_right: bool, tmp_path: Path) -> None:
    assert (look(archive_of(tmp_path, there), records(*entries, replaces=True)) == []) is is_right


def test_what_is_left_over_is_seen(tmp_path: Path) -> None:
    folder = archive_of(tmp_path, ONE)
    (folder / "something").write_bytes(b"that nobody looks after")
    assert look(folder, records(*KEPT)) == ["something is left over"]


def test_half_an_instance_is_seen(tmp_path: Path) -> None:
    folder, whole = archive_of(tmp_path, ONE, TWO), set[Path]()
    assert halves(folder, records(*KEPT), whole) == []
    assert len(whole) == 2
    first, second = whole
    first.write_bytes(first.read_bytes()[:-2])
    second.write_bytes(b"none")
    assert halves(folder, records(*KEPT), whole) == []  # they were looked at
    assert [wrong.partition(":")[0] for wrong in sorted(halves(folder, records(*KEPT), set()))] == sorted(map(str, (first, second)))


def test_a_ledger_is_read_again(tmp_path: Path) -> None:
    for number, status in enumerate((0, DUPLICATE, 0xA700)):
        ledger = Ledger(tmp_path / f"{number}.ledger")
        ledger.sending(ONE)
        ledger.answered(ONE, status)
    read = Records.read(tmp_path)
    assert (read.sent, read.kept, read.acknowledgements) == ({"1.2.3": {ONE.digest}}, {"1.2.3": {ONE.digest}}, 1)
    assert read.refusals == [("other", "1.2.3"), ("A700H", "1.2.3")]


def test_senders_repeat_themselves_and_contend() -> None:
    work = mixed(3, 1, 4, each=200)
    sent = [[(made.uid, made.variant) for made in work(number)] for number in range(4)]
    assert sent == [[(made.uid, made.variant) for made in mixed(3, 1, 4, each=200)(number)] for number in range(4)]
    assert all(len(set(each)) < len(each) for each in sent)
    first, second = (dict(each) for each in sent[:2])
    assert {uid for uid in first.keys() & second.keys() if first[uid] == second[uid]}
    assert {uid for uid in first.keys() & second.keys() if first[uid] != second[uid]}
    assert len(ONE.encoded) == len(OTHER.encoded)
    assert ONE.digest != OTHER.digest


LOG: tuple[Operation, ...] = (
    Folder("/a/tmp"),
    Flushed("/a"),
    Named("/a/tmp/x", 0),
    Write(0, 0, b"x" * 600),
    Flushed(0),
    Write(0, 600, b"y" * 1000),
    Named("/a/x", 0, "/a/tmp/x"),
    Promise("kept", ONE),
)


def test_what_no_flush_covers() -> None:
    assert pending(LOG) == {2, 5, 6}
    assert pending((*LOG, Flushed("/a"))) == {2, 5}
    assert pending((*LOG, Flushed("/a/tmp"), Flushed(0))) == set()


def test_what_a_power_cut_leaves(tmp_path: Path) -> None:
    """Everything that may be, and nothing that may not: the file is there or not, its first 600 bytes always, the rest as it comes."""
    found = set[tuple[str, bytes, bytes]]()
    for seed in range(200):
        image = Image(LOG, Path("/a"), Random(seed), replaces=False)
        folder = tmp_path / str(seed)
        image.make(folder)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert (folder / "tmp").is_dir()
        assert image.records.acknowledgements == 1
        found.update((name, data[:600], data[600:]) for name, data in files.items())
    assert {name for name, _, _ in found} == {"x", "tmp/x"}
    assert {data for _, data, _ in found} == {b"x" * 600}
    rests = {rest for _, _, rest in found}
    assert rests == {b"", b"y" * 424, b"y" * 936, b"y" * 1000, bytes(1000)}  # up to a border of 512 bytes of the file


def test_a_checkpoint_that_was_cut_off_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE number (value)")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.executemany("INSERT INTO number VALUES (?)", ((f"{number}" * 500,) for number in range(50)))
    before, log = path.read_bytes(), (tmp_path / "index.db-wal").read_bytes()
    connection.close()
    for seed in range(20):
        half = half_checkpointed(before, log, Random(seed))
        assert half != before
        copy = tmp_path / f"{seed}"
        copy.write_bytes(half)
        copy.with_name(f"{seed}-wal").write_bytes(log)
        again = sqlite3.connect(copy)
        assert again.execute("SELECT COUNT(*) FROM number").fetchone() == (50,)
        assert again.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        again.close()
    assert half_checkpointed(before, b"", Random(1)) == before


def _not_the_file(self: Recorded, fd: int) -> None:
    """The flush of an instance's data is forgotten."""


def _not_its_name(self: Recorded, path: str) -> None:
    """The flush of the folders with the instances is forgotten."""
    if "/objects/" not in path:
        self.log.append(Flushed(path))


@pytest.mark.parametrize(("call", "instead"), [("flush", _not_the_file), ("flush_folder", _not_its_name)])
def test_a_flush_that_is_forgotten_is_found(call: str, instead: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorded, call, instead)
    assert power_cuts(200, 1, tmp_path).wrong


@pytest.mark.parametrize(("wrong", "code"), [([], 0), (["1.2.3: acknowledged, and lost"], 1)], ids=["kept", "broken"])
@pytest.mark.parametrize("form", ["rounds", "cuts"])
def test_what_it_says(
    form: str, wrong: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(program, "crash", lambda *given: Tally(rounds=4, acknowledged=17, wrong=wrong if form == "rounds" else []))
    monkeypatch.setattr(program, "power_cuts", lambda *given: Cuts(images=5, promises=23, wrong=wrong if form == "cuts" else []))
    assert main(["--rounds", "4", "--power-cuts", "5", "--seed", "7"]) == code
    said = capsys.readouterr()
    assert said.out.startswith("seed 7\n4 rounds, 17 instances acknowledged")
    assert ("5 power cuts behind 23 acknowledgements" in said.out) is (form == "cuts" or not wrong)
    assert ("broken: 1.2.3: acknowledged, and lost" in said.err) is bool(wrong)
    assert len(list(tmp_path.iterdir())) == len(wrong)  # what is broken is kept
    assert (str(tmp_path) in said.err) is bool(wrong)


def test_an_archive_that_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "archive").write_bytes(b"no folder")
    (wrong,) = program.crash(3, 1.0, 1, 1, tmp_path).wrong
    assert wrong.startswith("RuntimeError: the archive does not start: dimse serve: cannot use the data folder")


@pytest.mark.parametrize("words", [["--rounds", "-1"], ["--seconds", "0"], ["--senders", "0"], ["--power-cuts", "-1"]])
def test_wrong_arguments(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert "positive" in capsys.readouterr().err
