"""The measuring of peers with next to nothing to move: it runs and fills the table; what is lost, missing or fails is told."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import contests, peers, rows
from bench.contestants import RECEIVE
from bench.contests import Opened
from bench.measuring import ROOT, Command, Failed, Figure, Run, environment, in_turns, peak, python, said, wall
from bench.peers import main, measured
from bench.providers import Missing
from bench.readme import README, marks, replaced
from bench.report import Report, Result, bars, draw, markdown, report, saved, table
from bench.rows import QUICK, USUAL, Goal, Row, Side
from bench.samples import GB, KB, MB, Lost, Objects, Place, Work, arrived, end, head, place
from dimse.data.elements import pick
from dimse.data.uids import ExplicitVRLittleEndian

SMALL = Work(2, KB)


@contextmanager
def _nothing(_: Place) -> Iterator[Run]:
    yield lambda: 1.0


def gives(*values: float) -> Opened:
    """A side whose runs give these, one after the other, behind the first, which does not count."""
    left = iter((1e9, *values))

    @contextmanager
    def opened(_: Place) -> Iterator[Run]:
        yield lambda: next(left)

    return opened


def raises(error: Exception) -> Opened:
    """A side that cannot be opened."""

    def opened(_: Place) -> AbstractContextManager[Run]:
        raise error

    return opened


def breaks(error: Exception) -> Opened:
    """A side whose run fails."""

    def run() -> float:
        raise error

    @contextmanager
    def opened(_: Place) -> Iterator[Run]:
        yield run

    return opened


TWICE = Goal(times=2)


def row(ours: Opened, *others: Opened, goal: Goal = TWICE, unit: str = "s", is_rate: bool = False, note: str = "") -> Row:
    sides = tuple(Side(f"other {n}", other) for n, other in enumerate(others))
    return Row("made-up", "some `work`", Side("ours", ours), sides or (Side("nobody", _nothing),), goal, unit, is_rate, note)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path, tmp_path) as made:
        yield made


# What is measured


def test_all_goals_have_a_row() -> None:
    ids = [row.id for row in rows.rows(USUAL)]
    assert len(set(ids)) == len(ids)
    kinds = list(dict.fromkeys(name.partition("/")[0] for name in ids))
    assert kinds[:11] == "unmodified receive send both raw parallel durable relaxed find move pynetdicom".split()
    assert kinds[11:] == "associations memory idle echo proportion window".split()
    assert [row.id for row in rows.rows(QUICK)] == ids


def test_ours_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that need no peer: they run, everything arrives, and the table goes where it was asked for."""
    readme, (begin, end_) = tmp_path / "README.md", marks("peers")
    readme.write_text(f"before\n{begin}\n{end_}\nbehind\n", encoding="utf-8")
    chosen = [word for name in ("raw", "memory/sending", "echo", "window") for word in ("--only", name)]
    files = ["--json", str(tmp_path / "json"), "--markdown", str(tmp_path / "md"), "--readme", str(readme), "--folder", str(tmp_path)]
    assert main(["--quick", "--runs", "1", *chosen, *files]) == 0
    out = capsys.readouterr().out
    assert "not measured" not in out
    assert out.strip() in readme.read_text(encoding="utf-8")
    assert out.strip() in (tmp_path / "md").read_text(encoding="utf-8")
    assert "`python -m bench.peers --quick --runs 1 --only raw --only memory/sending" in readme.read_text(encoding="utf-8")
    told = {row["id"]: row for row in json.loads((tmp_path / "json").read_text(encoding="utf-8"))["rows"]}
    assert [len(values) for values in told["raw"]["runs"].values()] == [1, 1]
    assert list(told["window"]["runs"]) == ["`--operations 64`", "`--operations 1`"]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


@pytest.mark.interop
@pytest.mark.parametrize("name", ["receive/small", "durable/slices", "find", "move/small", "associations"])
def test_with_peers(name: str, here: Place) -> None:
    result = measured(next(row for row in rows.rows(QUICK) if row.id == name), here, 1)
    missing = [word for word in result.words if "not installed" in word]
    if missing:
        pytest.skip(missing[0])
    assert result.words == []
    assert result.ratio is not None


# That everything arrives


def test_samples_are_instances_of_their_size(here: Place) -> None:
    objects = here.objects(SMALL)
    assert objects is here.objects(SMALL)
    content = objects.path(1).read_bytes()
    assert content[128:132] == b"DICM"
    assert content.endswith(end(SMALL, 1))
    assert content[-KB:].startswith(head(SMALL, 1))
    assert pick(content[-KB:], ExplicitVRLittleEndian, [0x0020_0013])[0x0020_0013] == b"2 "


def test_a_large_sample_is_a_hole(here: Place) -> None:
    objects = here.objects(Work(1, GB))
    found = objects.path(0).stat()
    assert found.st_size > GB
    assert found.st_blocks * 512 < MB


def _kept(objects: Objects, folder: Path) -> list[Path]:
    """Copies with other heads, as receivers write them."""
    copies = []
    for number in range(objects.work.count):
        copy = folder / f"{number}"
        copy.write_bytes(b"another head" + objects.path(number).read_bytes()[-objects.work.size :])
        copies.append(copy)
    return copies


def test_what_has_arrived(here: Place) -> None:
    objects = here.objects(SMALL)
    with here.room() as folder:
        copies = _kept(objects, folder)
        arrived(folder, [objects])
        changed = bytearray(copies[1].read_bytes())
        changed[-100] ^= 1
        copies[1].write_bytes(changed)
        with pytest.raises(Lost, match=r"000001.dcm did not arrive as it was sent"):
            arrived(folder, [objects])
        copies[0].unlink()
        with pytest.raises(Lost, match="1 of 2 have not arrived, number 1 the first of them"):
            arrived(folder, [objects])


def test_a_receiver_that_keeps_nothing_is_found_out(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "send", lambda provider, folder: python("-c", "pass"))
    result = measured(row(contests.storing(lambda *_: python("-c", "pass"), RECEIVE, SMALL)), here, 1)
    assert result.words == ["2 of 2 have not arrived, number 1 the first of them"]
    assert result.is_met is None


# Programs


def test_whole_processes() -> None:
    assert wall(python("-c", "pass"), python("-c", "pass")) > 0
    assert said(python("-c", "print(4)")) == "4\n"
    assert peak(python("-c", "import time; x = bytearray(50_000_000); x[::4096] = x[::4096]; time.sleep(0.2)")) > 50


@pytest.mark.parametrize("function", [wall, said, peak])
def test_a_program_that_fails_says_why(function: object) -> None:
    assert callable(function)
    with pytest.raises(Failed, match=r"ended with 3: alas"):
        function(python("-c", "import sys; sys.stderr.write('alas'); sys.exit(3)"))


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.measuring.LONGEST", 0.1)
    with pytest.raises(Failed, match="ended with -9"):
        wall(python("-c", "import time; time.sleep(60)"))


def test_programs_run_as_users_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("KEPT", "1")
    found = environment({"TCP_NODELAY": "1"})
    assert "PYTHONDONTWRITEBYTECODE" not in found
    assert (found["KEPT"], found["TCP_NODELAY"]) == ("1", "1")
    assert said(Command([sys.executable, "-c", "import os; print(os.environ['X'])"], {"X": "y"})) == "y\n"


def test_in_turns() -> None:
    order: list[str] = []

    def run(name: str) -> float:
        order.append(name)
        return float(len(order))

    assert in_turns({name: partial(run, name) for name in "ab"}, 3) == {"a": Figure((3.0, 5.0, 7.0)), "b": Figure((4.0, 6.0, 8.0))}
    assert order == list("abababab")


def test_median_and_spread() -> None:
    assert (Figure((1.0, 4.0, 2.0)).median, Figure((1.0, 4.0, 2.0)).spread) == (2.0, 1.5)
    assert Figure((0.0,)).spread == 0.0


def test_the_long_line_is_long() -> None:
    """What comes through is whole, and neither way is shorter than it is told to be."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = python("-m", "bench.loops", "relay", listener.getsockname()[1], 0.1).start(subprocess.PIPE, subprocess.DEVNULL)
        try:
            assert relay.stdout is not None
            start = time.monotonic()
            with socket.create_connection(("127.0.0.1", int(relay.stdout.readline()))) as near, listener.accept()[0] as far:
                near.sendall(bytes(100_000) + b"!")
                near.shutdown(socket.SHUT_WR)
                assert b"".join(iter(lambda: far.recv(65536), b"")) == bytes(100_000) + b"!"
                far.sendall(b"?")
                assert near.recv(10) == b"?"
            assert time.monotonic() - start >= 0.2
        finally:
            relay.kill()
            relay.communicate()


# Results


def test_the_best_of_the_others_counts(here: Place) -> None:
    result = measured(row(gives(1.0, 1.0, 9.0), gives(4.0, 3.0, 5.0), gives(2.5, 2.5, 2.5)), here, 3)
    assert result.best is not None
    assert result.best[0] == "other 1"
    assert (result.ratio, result.is_met) == (2.5, True)


@pytest.mark.parametrize(
    ("made", "ratio", "is_met"),
    [
        (row(gives(2.0), gives(3.0)), 1.5, False),
        (row(gives(3.0), gives(2.0), is_rate=True, goal=Goal(times=1)), 1.5, True),
        (row(gives(3.0), gives(1.0), gives(4.0), is_rate=True, goal=Goal(times=1)), 0.75, False),
        (row(gives(3.0), gives(2.0), goal=Goal(at_most=1.4)), 1.5, False),
        (row(gives(3.0), gives(2.0), goal=Goal(at_most=1.5)), 1.5, True),
        (row(gives(81.0), gives(80.0), goal=Goal(at_most=1.5, limit=80)), 81 / 80, False),
        (row(gives(80.0), raises(Missing("none")), goal=Goal(limit=80)), None, True),
        (row(gives(80.0), raises(Missing("none"))), None, None),
        (row(gives(3.0), gives(-2.0)), None, None),
    ],
)
def test_goals(made: Row, ratio: float | None, is_met: bool | None, here: Place) -> None:
    result = measured(made, here, 1)
    assert (result.ratio, result.is_met) == (ratio, is_met)


def test_what_is_missing_or_fails_is_told(here: Place) -> None:
    result = measured(row(gives(1.0), raises(Missing("storescp is not installed: buy it")), gives(3.0)), here, 1)
    assert result.words == ["other 0: storescp is not installed: buy it"]
    assert result.ratio == 3.0
    assert measured(row(raises(Missing("no -j")), gives(1.0)), here, 1).words == ["ours: no -j"]
    failed = measured(row(gives(1.0), breaks(Failed("it ended | with\n1"))), here, 1)
    assert (failed.words, failed.ratio) == (["it ended / with 1"], None)


def test_an_option_that_ours_does_not_have(here: Place) -> None:
    made = Row("x", "x", Side("ours", gives(1.0), ("send", "--no-such-option")), (), Goal())
    assert measured(made, here, 1).words == ["ours: `dimse send` has no --no-such-option"]
    Side("ours", gives(1.0), ("send", "--json")).check()


def test_the_table(here: Place) -> None:
    results = [
        measured(row(gives(1.0, 1.0), gives(2100.0, 2100.0), note="fewer"), here, 2),
        measured(row(gives(90.0), gives(60.0), unit="MB", goal=Goal(at_most=1.2, limit=80)), here, 1),
        measured(row(raises(Missing("gone")), gives(3.0)), here, 1),
    ]
    results.append(results[0])
    begin = "| `made-up` | some `work` |"
    assert table([saved(result) for result in results]).splitlines()[2:] == [
        f"{begin} 1 s ±0% | other 0 | 2,100 s ±0% | 2,100 | at least 2 | met |",
        f"{begin} 90 MB ±0% | other 0 | 60 MB ±0% | 1.5 | at most 1.2, below 80 MB | **missed** |",
        f"{begin}  | other 0 |  |  | at least 2 | not measured |",
        f"{begin} 1 s ±0% | other 0 | 2,100 s ±0% | 2,100 | at least 2 | met |",
        "",
        "- `made-up`, `made-up`: fewer",
        "- `made-up`: ours: gone",
    ]


def test_the_scaled_are_told_by_two_of_their_times(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "_store", lambda place, senders, peer: 1.0 + 0.5 * senders[0][1].count)
    with contests.storing_scaled(lambda *_: python(), RECEIVE, Work(1000, KB), 3, 33)(here) as run:
        assert run() == pytest.approx(501.0)
    with contests.growing(lambda *_: python(), RECEIVE, Work(10, KB), Work(20, KB))(here) as run:
        assert run() == pytest.approx(500_000)


@pytest.fixture
def found(here: Place) -> Report:
    results = [
        measured(row(gives(1.0), gives(3.0)), here, 1),
        measured(row(gives(4.0), gives(2.0), goal=Goal(at_most=1.6)), here, 1),
        measured(row(gives(4.0), gives(2.0), goal=Goal(at_most=1.6, limit=80)), here, 1),
        Result(row(gives(1.0))),
    ]
    made: Report = json.loads(json.dumps(report(results, "python -m bench.peers", 1, {"dimse": "1"})))
    return made | {"date": "2026-01-01", "machine": "a machine"}


def test_the_bars_of_the_chart(found: Report) -> None:
    assert bars(found["rows"]) == [
        ("some work", 3.0, 2.0, True, "3 × other 0"),
        ("some work", 0.5, 1 / 1.6, False, "costs 2 × other 0"),
    ]


@pytest.fixture
def stored(found: Report, tmp_path: Path) -> Path:
    path = tmp_path / "stored.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def test_the_table_is_made_of_what_is_stored(found: Report, stored: Path, tmp_path: Path) -> None:
    readme, (begin, end_) = tmp_path / "README.md", marks("peers")
    readme.write_text(f"before\n{begin}\n{end_}\nbehind\n", encoding="utf-8")
    assert main(["--from", str(stored), "--readme", str(readme)]) == 0
    made = "Made by `python -m bench.peers` on 2026-01-01, a machine, medians of 1: dimse 1."
    assert readme.read_text(encoding="utf-8") == f"before\n{begin}\n{made}\n\n{table(found['rows'])}\n{end_}\nbehind\n"


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed: the extra 'test' has it")
@pytest.mark.filterwarnings("default")
def test_the_chart(found: Report, stored: Path, tmp_path: Path) -> None:
    chart = tmp_path / "svg"
    assert main(["--from", str(stored), "--chart", str(chart)]) == 0
    assert {"some work", "3 × other 0", "costs 2 × other 0"} <= _texts(chart)
    once = chart.read_bytes()
    draw(found, chart)
    assert chart.read_bytes() == once
    draw(found | {"rows": []}, chart)


def _texts(chart: Path) -> set[str]:
    return {element.text or "" for element in ElementTree.parse(chart).iter() if element.tag.endswith("text")}


def test_the_readme_and_the_chart_show_what_is_stored() -> None:
    stored: Report = json.loads((ROOT / "bench/peers.json").read_text(encoding="utf-8"))
    assert replaced(README.read_text(encoding="utf-8"), "peers", markdown(stored)) == README.read_text(encoding="utf-8")
    chart = ROOT / "bench/peers.svg"
    assert {text for bar in bars(stored["rows"]) for text in (bar.label, bar.words)} <= _texts(chart)
    assert chart.stat().st_size < 100_000


# The command


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--runs", "0"], "--runs is 1 or more"),
        (["--only", "nothing"], "there is no row 'nothing': unmodified, receive/small"),
        (["--readme", "missing.md"], "missing.md"),
        (["--json", "missing/x"], "there is no folder missing"),
        (["--chart", "x.svg"], "--chart needs matplotlib"),
        (["--from", "x.json"], "x.json"),
    ],
)
def test_wrong_arguments_are_told_first(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        main(words)
    assert why in capsys.readouterr().err


def test_the_rows_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--only", "send"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [text.split()[0] for text in out] == ["send/small", "send/slices", "send/large"]


def test_what_was_measured_before_an_interruption_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt() -> float:
        raise KeyboardInterrupt

    @contextmanager
    def interrupted(_: Place) -> Iterator[Run]:
        yield interrupt

    monkeypatch.setattr(peers, "rows", lambda sizes: [row(gives(1.0), gives(3.0)), row(interrupted)])
    monkeypatch.setattr(peers, "VERSIONS", {})
    assert main(["--runs", "1", "--folder", str(tmp_path), "--json", str(tmp_path / "json")]) == 1
    assert [row["ratio"] for row in json.loads((tmp_path / "json").read_text(encoding="utf-8"))["rows"]] == [3.0]


def test_peers_that_are_missing_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise Missing("it is not installed: buy it")

    monkeypatch.setattr(peers, "VERSIONS", {"ours": lambda: "1", "theirs": missing})
    told: list[str] = []
    assert peers.versions(told.append) == {"ours": "1"}
    assert told == ["theirs: it is not installed: buy it; rows are without it"]
