"""The coverage that a whole run must reach, as a pytest plugin: `pytest -p tests.gates --cov`.

It runs inside pytest, behind pytest-cov, so that a gap fails the run and pytest's own closing line stays the last one.
"""

from __future__ import annotations

import io
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest

GATES = {
    "pdu": (("pdu/*",), 100.0),
    "dimse.association": (("dimse/association/*",), 100.0),
    "the whole": (("pdu/*", "dimse/*"), 90.0),
}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Measure after pytest-cov, which is a wrapper of the same hook and lies inside this one, has combined its data."""
    outcome = yield
    lines, failed = _measure(session.config.rootpath)
    session.testsfailed += failed
    session.config.stash[_lines] = lines
    return outcome


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print one line a gate."""
    terminalreporter.section("coverage gates")
    for line in config.stash.get(_lines, ["not measured"]):
        terminalreporter.line(line)


_lines = pytest.StashKey[list[str]]()


def _measure(root: Path) -> tuple[list[str], int]:
    """The lines to print and how many gates failed."""
    measured = coverage.Coverage(data_file=str(root / ".coverage"), config_file=str(root / "pyproject.toml"))
    measured.load()
    lines, failed = [], 0
    for name, (include, wanted) in GATES.items():
        percent = _percent(measured, [str(root / pattern) for pattern in include])
        failed += percent < wanted
        lines.append(f"{'ok  ' if percent >= wanted else 'FAIL'} {name}: {percent:.2f} % of lines and branches, wanted {wanted:g} %")
    return lines, failed


def _percent(measured: coverage.Coverage, include: list[str]) -> float:
    try:
        return measured.report(include=include, file=io.StringIO())
    except coverage.exceptions.NoDataError:
        return 0.0
