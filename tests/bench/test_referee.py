"""The referee: the table from made-up findings, peers that are missing, die or hang, and the table in the README."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import providers, referee
from bench.providers import PEERS, Missing, Peer, running
from bench.readme import README, marks, replaced
from bench.referee import Column, caption, main, table
from dimse.judge import Case, Finding, Timing, Verdict, chosen
from tests.interop.peers import unavailable

CASES = [
    Case("F-01", "a | b", "PS3.8 9.3.1", (), ("closed",)),
    Case("F-02/x", "first", "PS3.8 9.3.1", (), ("closed",)),
    Case("F-02/y", "second", "PS3.8 9.3.1", (), ("closed",)),
    Case("F-02/z", "third", "PS3.8 9.3.1", (), ("closed",)),
    Case("F-03", "right everywhere", "PS3.8 9.3.1", (), ("closed",)),
]
OK, WRONG, SILENT, SO_SO, UNTESTED = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.NO_ANSWER, Verdict.TOLERATED, Verdict.UNTESTED

ODD = "import os, sys; from tests.judge.odd import Odd; Odd({react}, port=int(sys.argv[1]))"
DIES, HANGS = "lambda *_: os._exit(3)", "lambda odd, _: (odd.goes_on.clear(), odd.over.wait(60))"

BEGIN, END = marks("referee")


def column(name: str, verdicts: Sequence[Verdict], **more: dict[str, str]) -> Column:
    findings = {case.id: Finding(case, verdict, ("closed",)) for case, verdict in zip(CASES, verdicts, strict=True)}
    return Column(name, "1.0", f"`{name} --well`", findings, growth=5 << 20, **more)


def fake(name: str, react: str) -> Peer:
    """A provider that reacts to what is wrong in its own way."""
    return Peer(
        name,
        "ODD",
        "as it is",
        lambda: "0",
        lambda _, port: [sys.executable, "-c", ODD.format(react=react), str(port)],
        Timing(artim=0.1, idle=0.1, healthy=0.3),
    )


@pytest.fixture
def made_up() -> list[Column]:
    return [column("ours", [OK] * 5), column("theirs", [WRONG, SILENT, SILENT, SO_SO, OK], deaths={"F-01": "died of SIGSEGV"})]


def test_the_table_has_a_row_where_anybody_differs_and_the_totals(made_up: list[Column]) -> None:
    assert table(made_up, CASES).splitlines() == [
        "| case | what goes wrong | ours | theirs |",
        "| --- | --- | --- | --- |",
        "| F-01 | a \\| b | conforms | **violates, died** |",
        "| F-02/x, y | first and the like | conforms | **no answer** |",
        "| F-02/z | third | conforms | tolerated |",
        "| **conforms** | of 5 cases | 5 | 1 |",
        "| **tolerated** | of 5 cases | 0 | 1 |",
        "| **violates** | of 5 cases | 0 | 1 |",
        "| **no answer** | of 5 cases | 0 | 2 |",
        "| **started again** | it died, or no longer answered | 0 | 1 |",
        "| **memory** | the most it grew by, MiB | 5 | 5 |",
    ]


def test_all_rows(made_up: list[Column]) -> None:
    assert "| F-03 | right everywhere | conforms | conforms |" in table(made_up, CASES, everything=True).splitlines()


def test_many_cases_with_the_same_verdicts_are_counted(made_up: list[Column]) -> None:
    cases = [Case(f"F-09/{n}", "much", "PS3.8 9.3.1", (), ("closed",)) for n in range(4)]
    assert table([column("ours", [OK] * 5)], cases).splitlines()[2] == "| F-09 (4 cases) | much and the like | untested |"


def test_the_caption_says_what_was_run(made_up: list[Column]) -> None:
    first, _, *lines = caption(made_up, "python -m bench.referee --rough").splitlines()
    assert first.startswith("Made by `python -m bench.referee --rough` on 20")
    assert "cores" in first
    assert lines == ["- ours 1.0: `ours --well`", "- theirs 1.0: `theirs --well`", "- theirs died of SIGSEGV at F-01"]


def test_replacing_keeps_what_stands_around() -> None:
    assert replaced(f"a\n{BEGIN}\nold\n{END}\nb\n", "referee", "new") == f"a\n{BEGIN}\nnew\n{END}\nb\n"
    for text in ("no marker", f"{END}{BEGIN}", f"{BEGIN}{END}{END}"):
        with pytest.raises(ValueError, match="wanted <!-- referee: begin -->"):
            replaced(text, "referee", "new")


def test_the_readme_has_the_table_with_its_totals() -> None:
    text = README.read_text(encoding="utf-8")
    content = text[text.index(BEGIN) : text.index(END)]
    lines = content.splitlines()
    head = next(line for line in lines if line.startswith("| case "))
    assert [name.strip() for name in head.strip("|").split("|")][2:] == [peer.name for peer in PEERS]
    total = next(line for line in lines if line.startswith("| **conforms** "))
    assert re.fullmatch(r"\| \*\*conforms\*\* \| of \d+ cases( \| \d+)+ \|", total)
    assert not [line for line in lines if line.startswith(("| **violates** ", "| **no answer** ")) and line.split(" | ")[2] != "0"]


def test_a_provider_of_ours_and_one_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> str:
        raise Missing("it is not installed: buy it")

    ours = next(peer for peer in PEERS if peer.name == "ours")
    monkeypatch.setattr(referee, "PEERS", [ours, Peer("theirs", "X", "", missing, lambda *_: [])])
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\n{END}\nbehind\n", encoding="utf-8")
    words = ["--only", "F-05,A-01", "--all", "--json", str(tmp_path / "json"), "--readme", str(readme)]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "| F-05 (4 cases) | a second A-ASSOCIATE-RQ in an association and the like | conforms |" in out
    assert "theirs: it is not installed: buy it; it is left out" in err
    assert out in readme.read_text(encoding="utf-8")
    assert "`python -m bench.referee --all --only F-05,A-01 --readme`" in readme.read_text(encoding="utf-8")
    told = json.loads((tmp_path / "json").read_text(encoding="utf-8"))
    assert [provider["name"] for provider in told["providers"]] == ["ours"]
    assert told["cases"][0]["findings"]["ours"]["verdict"] == "conforms"


@pytest.mark.parametrize(("react", "how"), [(DIES, "ended with exit code 3"), (HANGS, "stopped answering")], ids=["dies", "hangs"])
def test_who_does_not_survive_a_case_is_started_again(react: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(referee, "RECOVERY", 0.0)
    said: list[str] = []
    found = referee.judged(fake("odd", react), chosen(["F-05/02", "F-05/06"]), "0", said.append)
    assert found.deaths == {"F-05/02": how, "F-05/06": how}
    assert said == [f"odd {how} at {case}; it is started again" for case in ("F-05/02", "F-05/06")]


def test_who_does_not_start_is_left_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(referee, "PEERS", [Peer("dead", "X", "", lambda: "0", lambda *_: [sys.executable, "-c", "raise SystemExit(4)"])])
    assert main(["--only", "F-05"]) == 0
    assert "dead: dead does not start: ended with exit code 4; it is left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [(["--only", "X"], "there is no case 'X'"), (["--readme", "nowhere"], "No such file"), (["--peer", "x"], "invalid choice")],
)
def test_usage(words: list[str], wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert wanted in capsys.readouterr().err


def test_ours_goes_with_what_is_installed(tmp_path: Path) -> None:
    with running(PEERS[0], tmp_path) as provider:
        assert provider.death == ""
        assert provider.target.port == provider.port
    assert provider.death == "ended with exit code 0"
    assert provider.peak > 1 << 20


def test_what_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "SEARCH_PATH", "/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = []
    for peer in PEERS[1:]:
        with pytest.raises(Missing) as missing:
            peer.find()
        said.append(str(missing.value).rpartition(": ")[2])
    assert said == ["apt-get install dcmtk", "apt-get install orthanc", "pip install pynetdicom, or the extra 'bench'"]


@pytest.mark.interop
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peer(peer: Peer) -> None:
    """Each that is installed can be started and judged."""
    try:
        version = peer.find()
    except Missing as reason:
        unavailable(peer.name, str(reason))
    assert re.fullmatch(r"\d+\.\d+.*", version)
    found = referee.judged(peer, chosen(["A-01/0000"]), version, print)
    assert found.total(Verdict.CONFORMS) == 1
