"""The index's measurement with small sizes: it runs and fills the table; what is promised is told from what is not kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.index import QUERIES, State, broken, main, table
from bench.readme import marks

SIZES = ["--small", "200", "--large", "1000", "--rounds", "2"]
SMALL = State(10_000, 20_000.0, 700.0, {"Patient ID": 0.1}, 20.0, 3.0, 0.1)
LARGE = replace(SMALL, instances=1_000_000)


def test_it_measures_and_writes_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme, (begin, end) = tmp_path / "README.md", marks("index")
    readme.write_text(f"before\n{begin}\n{end}\nbehind\n", encoding="utf-8")
    main([*SIZES, "--readme", str(readme)])  # whether it is fast enough is not for a test to say
    printed, written = capsys.readouterr().out, readme.read_text(encoding="utf-8")
    assert printed.strip() in written
    assert "`python -m bench.index --small 200 --large 1000 --readme`" in written
    assert all(f"| first match by {asked.name} |" in printed for asked in QUERIES)
    assert "| instances stored in a second" in printed


def test_as_json_in_a_folder_that_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*SIZES, "--json", "--folder", str(tmp_path / "data")])
    assert [state["instances"] for state in json.loads(capsys.readouterr().out)] == [200, 1000]
    assert (tmp_path / "data" / "index.db").exists()


def test_the_table_and_the_promises() -> None:
    assert "| first match by Patient ID | 0.10 ms | 0.10 ms | 1.00 |" in table(SMALL, LARGE)
    assert broken(SMALL, LARGE) == []
    assert broken(SMALL, replace(LARGE, medians={"Patient ID": 0.21})) == ["first match by Patient ID is 2.10 times slower"]
    assert len(broken(SMALL, replace(LARGE, medians={"Patient ID": 5.1}))) == 2
    assert broken(SMALL, replace(LARGE, stored=550.0)) == ["the store rate falls to 79%"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--small", "10"], "the small index has 100 instances or more"),
        (["--small", "1000", "--large", "2000"], "more than twice as many"),
        (["--readme", "missing.md"], "missing.md"),
        (["--readme", "empty.md"], "wanted <!-- index: begin -->"),
        (["--folder", "."], "has an index already"),
    ],
)
def test_wrong_arguments_are_told_first(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.md").touch()
    Path("index.db").touch()
    with pytest.raises(SystemExit):
        main(words)
    assert why in capsys.readouterr().err
