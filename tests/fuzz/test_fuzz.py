"""Each target for a while, two side by side, from a fixed seed: nothing is found, and the search gets somewhere.

With CI in the environment each runs for 20 seconds, else for 2 and by the search of our own, because libFuzzer takes
longer than that to begin.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from fuzz.search import attempt
from fuzz.target import NAMES, load
from tests.fuzz.findings import FINDINGS, Row

OPTIONS = ["--seconds", "20"] if os.environ.get("CI") else ["--seconds", "2", "--engine", "own"]
ROOT = Path(__file__).parents[2]
CLOSING = re.compile(r"^(\w+) \(\w+\): (\d+) executions, \d+ a second, (\d+) of (\d+) lines \(\d+%\), \d+ inputs kept, 0 findings$")
Runs = dict[str, "Future[subprocess.CompletedProcess[str]]"]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(_run, name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_target(runs: Runs, name: str) -> None:
    done = runs[name].result()
    assert done.returncode == 0, done.stdout + done.stderr
    closing = CLOSING.match(done.stdout.splitlines()[-1])
    assert closing, done.stdout
    executions, ran, lines = (int(closing[n]) for n in (2, 3, 4))
    assert closing[1] == name
    assert executions > 20
    assert ran > lines // 4


@pytest.mark.parametrize("row", FINDINGS, ids=lambda row: f"{row.target}: {row.what}")
def test_what_was_found_before(row: Row) -> None:
    finding = attempt(load(row.target), bytes.fromhex(row.digits))
    if finding is not None:
        raise finding.error


@pytest.mark.parametrize("name", NAMES)
def test_the_invariant_comes_first(name: str) -> None:
    assert len(((load_doc(name) or "").splitlines() or [""])[0]) > 50


def load_doc(name: str) -> str | None:
    """The docstring of a target's module."""
    load(name)
    return sys.modules[f"fuzz.targets.{name}"].__doc__


def _run(name: str) -> subprocess.CompletedProcess[str]:
    """One target in a process of its own; the coverage tool, which traces lines too, must not get in the way."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    command = [sys.executable, "-m", "fuzz", name, "--seed", "1", *OPTIONS]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
