"""The soak program, for three seconds: it runs, measures, and finds nothing; that flat lines are told from others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.soak import ALLOWED_GROWTH, Sample, growth, main, table


def line(*memory: float) -> list[Sample]:
    return [Sample(float(n), n, 0, 1.0, value, 5, 9) for n, value in enumerate(memory)]


def test_three_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "3", "--every", "0.25"]) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert out.startswith("| seconds | associations |")
    assert all(kind in out for kind in (" good", " malformed", " vanishing", "growth since it was steady"))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--seconds", "-1"], "lasts 3 seconds or more"),
        (["--seconds", "nan"], "lasts 3 seconds or more"),
        (["--seconds", "10", "--every", "9"], "3 samples or more"),
        (["--svg", "missing/x.svg"], "there is no folder missing"),
    ],
)
def test_wrong_arguments_are_told_before_the_soak(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(SystemExit):
        main(words)
    assert why in capsys.readouterr().err


def test_without_matplotlib_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        main(["--svg", "x.svg"])
    assert "--svg needs matplotlib" in capsys.readouterr().err


def test_growth_is_seen() -> None:
    assert growth(line(*([20.0] * 40)))["memory MB"] == 0
    rising = growth(line(*(20.0 + n for n in range(40))))
    assert rising["memory MB"] > ALLOWED_GROWTH["memory MB"]
    assert rising["threads"] == 0


def test_what_happens_before_it_is_steady_does_not_count() -> None:
    assert growth(line(*([5.0] * 10 + [50.0] * 30)))["memory MB"] == 0


def test_the_table_has_some_rows_however_many_samples() -> None:
    assert 20 <= len(table(line(*range(400))).splitlines()) <= 24
