"""The timing of parts: each runs, figures are stored and compared; whether they are good is not for a test to say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import parts
from bench.parts import PARTS, STORED, main, ratios, seconds, table


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LEAST", 1e-6)


def test_every_part_runs_and_is_in_turns_of_the_loop() -> None:
    found = ratios(PARTS, 1)
    assert list(found) == list(PARTS)
    assert all(own > 0 and ratio > 0 for own, ratio in found.values())


def test_the_stored_figures_are_of_these_parts() -> None:
    assert list(json.loads(STORED.read_text(encoding="utf-8"))) == list(PARTS)


def test_stored_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    words = ["--only", "decode", "--only", "head", "--rounds", "1", "--file", str(file)]
    assert main([*words, "--store"]) == 0
    assert "| decode | an A-ASSOCIATE-RQ of 21 contexts decoded |" in capsys.readouterr().out
    assert set(json.loads(file.read_text(encoding="utf-8"))) == {"decode", "head"}
    file.write_text('{"decode": 1e9}', encoding="utf-8")
    assert main([*words, "--compare"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("| 1e+09 | 0.00 |")
    assert lines[3].endswith("|  |  |")
    assert file.read_text(encoding="utf-8") == '{"decode": 1e9}'


def test_what_became_slower_stands_out() -> None:
    lines = table({"decode": (2e-6, 0.125), "encode": (1e-6, 0.126)}, {"decode": 0.1, "encode": 0.1}).splitlines()
    assert lines[2] == "| decode | an A-ASSOCIATE-RQ of 21 contexts decoded | 2 | 0.125 | 0.1 | 1.25 |"
    assert lines[3].endswith("| 0.126 | 0.1 | **1.26** |")


def test_short_calls_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = [0.0], [0]

    def once() -> None:
        calls[0] += 1
        clock[0] += 0.25

    monkeypatch.setattr(parts, "LEAST", 2.0)
    monkeypatch.setattr("time.process_time", lambda: clock[0])
    assert seconds(once) == 0.25
    assert calls[0] == 1 + 8


@pytest.mark.parametrize(
    ("words", "why"),
    [(["--rounds", "0"], "--rounds is 1 or more"), (["--only", "x"], "invalid choice"), (["--file", "."], "Is a directory")],
)
def test_wrong_arguments(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert why in capsys.readouterr().err
