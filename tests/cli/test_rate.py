"""How much a server says of one host in a second, and what it says of the rest."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import dimse
from dimse.cli import rate as module
from dimse.cli.rate import LINES, Rate

from .conftest import HOST, During, Run


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_of_a_second_by_host() -> None:
    clock, told = Clock(), list[tuple[str, int]]()
    rate = Rate(lambda host, count: told.append((host, count)), clock)
    assert [rate.allows("a") for _ in range(LINES + 7)] == [True] * LINES + [False] * 7
    assert rate.allows("b")
    clock.now += 0.99
    assert not rate.allows("a")
    assert told == []
    clock.now += 0.02
    assert rate.allows("b")
    assert told == [("a", 8)]
    assert [rate.allows("a") for _ in range(LINES + 1)].count(True) == LINES
    rate.flush()
    assert told == [("a", 8), ("a", 1)]
    rate.flush()
    assert len(told) == 2


def test_hosts_are_forgotten_after_a_second() -> None:
    clock = Clock()
    rate = Rate(lambda host, count: pytest.fail("nothing was left out"), clock)
    for number in range(5000):
        clock.now += 0.01
        assert rate.allows(f"host{number}")
    assert len(rate._seconds) <= 101


@pytest.mark.parametrize("json", [False, True])
def test_a_server_says_so_much_of_a_host(run: Run, during: During, tmp_path: Path, json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's log counts with the associations; what was left out is one line when the server ends, at the latest."""
    monkeypatch.setattr(module, "LINES", 3)
    monkeypatch.setattr(module, "SECOND", 1e9)

    def act(port: int) -> None:
        for _ in range(5):
            with dimse.connect(HOST, port, calling="SENDER", contexts=[dimse.Verification]) as association:
                association.echo()
        for number in range(4):
            logging.getLogger("dimse").error("a handler failed for %s: %s", f"10.0.0.7:{number}", "ValueError")
        logging.getLogger("dimse").warning("cannot accept a connection: %s", OSError(24, "Too many open files"))

    during(act)
    said = run("receive", *(["--json"] if json else []), "-od", tmp_path, 0)
    assert said.err.count("a handler failed for 10.0.0.7:") == 3
    assert said.err.count("cannot accept") == 1
    if json:
        assert [result.get("calling") for result in said.results] == [None, "SENDER", "SENDER", "SENDER", None, None]
        assert said.results[-2:] == [{"address": HOST, "left_out": 2}, {"address": "10.0.0.7", "left_out": 1}]
    else:
        assert said.out.count("SENDER from") == 3
        assert [line.partition(" ")[2] for line in said.out.splitlines()[-2:]] == [
            f"{HOST}: 2 more within a second",
            "10.0.0.7: 1 more within a second",
        ]
