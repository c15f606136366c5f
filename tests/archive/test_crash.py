"""S-01: an archive that is killed, at random moments and at each point of its way, keeps what it acknowledged, and shows nothing half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.crash import crash
from bench.ledger import Made, Records, Senders, Work
from bench.oracle import look
from bench.powercut import power_cuts
from dimse.archive import Archive
from dimse.judge.wire import ROOT as UIDS
from tests.archive.crashing import AT_START, POINTS
from tests.archive.samples import sample, store

ROOT = Path(__file__).parents[2]
SENDERS = 4
SLOWER = 1 if sys.gettrace() is None else 4  # a tracer (coverage) makes everything slower


@pytest.mark.parametrize("rounds", [pytest.param(2, id="S-01")])
def test_killed_at_random_moments(rounds: int, tmp_path: Path) -> None:
    tally = crash(rounds, 0.8, SENDERS, 1, tmp_path)
    assert tally.wrong == []
    assert tally.rounds == rounds
    assert tally.acknowledged


def _new(number: int) -> Iterator[Made]:
    for step in range(6):
        yield Made(f"{UIDS}.{number}.{step}")


def _duplicate(number: int) -> Iterator[Made]:
    for step in (0, 0, 1, 1, 1, 0):
        yield Made(f"{UIDS}.{number}.{step}")


def _concurrent(number: int) -> Iterator[Made]:
    """The same for all, half of them with other bytes; between them new ones."""
    for step in range(4):
        yield Made(f"{UIDS}.9.{step}", number % 2)
        yield Made(f"{UIDS}.{number}.{step}")


def _replace(number: int) -> Iterator[Made]:
    """Each time other bytes of two, or the same again."""
    for step in range(12):
        yield Made(f"{UIDS}.{number}.{step % 2}", step // 3)


WORK: dict[str, tuple[Work, int]] = {
    "new": (_new, 1),
    "duplicate": (_duplicate, 1),
    "concurrent": (_concurrent, SENDERS),
    "replace": (_replace, 1),
}
"""What is sent, and by how many."""


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: what was written outlives its process on any file system."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


CASES = [(point, mode) for point in POINTS for mode in WORK if point != "after_replace" or mode == "replace"]


@pytest.mark.parametrize(("point", "mode"), [pytest.param(*case, id="S-01/{}-{}".format(*case)) for case in CASES])
def test_killed_at_a_point(point: str, mode: str, quick: Path) -> None:
    data, (work, count) = quick / "archive", WORK[mode]
    options = ["replace"] if mode == "replace" else []
    if point in AT_START:
        assert _run("before_response", 4, data, quick, work, count, *options)
        for path in data.glob("index.db*"):
            path.unlink()
        assert _run(point, 2, data, quick, work, 0, *options)
    else:
        assert _run(point, 2 if mode in ("new", "duplicate") else 3, data, quick, work, count, *options)
    records = Records.read(quick, replaces=mode == "replace")
    assert records.sent
    assert look(data, records) == []


def _run(point: str, nth: int, data: Path, ledgers: Path, work: Work, count: int, *options: str) -> bool:
    """Serves these senders until the archive has killed itself; false if it does not come to that."""
    with _crashing(point, str(nth), str(data), *options) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if line:
            senders = Senders(ledgers, int(line), 0, work, count)
            senders.start()
            senders.join()
            assert senders.trouble == []
        try:
            return process.wait(10) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            return False


@contextmanager
def _crashing(*words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.archive.crashing", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("count", [pytest.param(2000, id="S-01/start-up")])
@pytest.mark.parametrize("index", ["there", "missing"])
def test_a_start_after_a_crash_takes_little_time(index: str, count: int, quick: Path) -> None:
    """At most five seconds for ten thousand instances, looked at one by one, or taken into a new index."""
    with Archive(quick / "archive", durability="relaxed", reserve=0) as archive:
        services = archive.services()
        for number in range(count):
            assert store(services, sample(f"1.2.{number}", StudyInstanceUID=f"1.3.{number % 50}", SeriesInstanceUID="1.4")) == 0
    (quick / "archive" / "running").touch()
    if index == "missing":
        (quick / "archive" / "index.db").unlink()
    start = time.monotonic()
    with Archive(quick / "archive", reserve=0) as archive:
        assert time.monotonic() - start < count * 5 / 10_000 * SLOWER
        assert archive.repair.adopted == (count if index == "missing" else 0)
        assert archive.counts()[-1] == count


@pytest.mark.parametrize("cuts", [pytest.param(60, id="S-01/power-cuts")])
def test_power_cuts(cuts: int, quick: Path) -> None:
    """A sample of what a disk may hold when the power goes; `python -m bench.crash --power-cuts` takes more."""
    came = power_cuts(cuts, 1, quick)
    assert came.wrong == []
    assert came.images >= cuts
    assert came.promises
    assert {"Write", "Named"} <= set(came.lost)
