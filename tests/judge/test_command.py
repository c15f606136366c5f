"""`dimse judge`: what it prints, its exit codes, and a run on a real provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import dimse
import pdu
from dimse.cli import main
from dimse.judge import CASES, Judge
from tests.interop.peers import Lab, new_address

from .odd import HOST, closes, dies, odd, sends

QUICK = ["--artim", "0.1", "--idle", "0.1"]


@pytest.fixture
def ours() -> Iterator[int]:
    server = dimse.Server("PEER", dimse.Services(), timeouts=dimse.Timeouts(artim=0.3))
    _, port = server.listen(HOST, 0)
    server.start()
    yield port
    server.stop(0.0)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_provider_that_conforms(ours: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", HOST, str(ours), "--only", "F-05,A-01/0000", "--only", "D-06", *QUICK]) == 0
    lines = _lines(capsys)
    assert lines[0] == "conforms   F-05/01         a second A-ASSOCIATE-RQ in an association: A-ABORT(2,2) [PS3.8 Table 9-10]"
    assert [line.split()[1] for line in lines[:6]] == ["F-05/01", "F-05/02", "F-05/03", "F-05/06", "A-01/0000", "D-06"]
    assert "(presentation context 3: abstract syntax not supported)" in lines[5]
    assert lines[-1].split(maxsplit=1) == ["all", "5 conforms, 1 untested"]


def test_a_provider_that_violates(capsys: pytest.CaptureFixture[str]) -> None:
    with odd(closes) as provider:
        assert main(["judge", HOST, str(provider.target.port), "--only", "F-04", "--json", *QUICK]) == 1
    results = [json.loads(line) for line in _lines(capsys)]
    assert [result["verdict"] for result in results] == ["violates"] * 3
    assert results[0] == {
        "id": "F-04/09",
        "title": "PDU type 09H, which is none, in an association",
        "clause": "PS3.8 Table 9-10, Evt19",
        "verdict": "violates",
        "came": ["closed"],
        "allowed": ["A-ABORT(2,1); closed"],
        "tolerated": ["A-ABORT(*); closed"],
        "remark": "",
    }


def test_more_words_tell_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    with odd(closes) as provider:
        assert main(["judge", HOST, str(provider.target.port), "--only", "F-08", "-v", *QUICK]) == 1
    assert "allowed: A-ABORT(2,[456])" in capsys.readouterr().err


def test_the_summary_counts_by_clause(ours: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", HOST, str(ours), "--only", "F-05,F-08,D-06", *QUICK]) == 0
    lines = _lines(capsys)
    assert lines[lines.index("") + 1 :] == [
        "PS3.5 7.1         1 untested",
        "PS3.8 9.3.5       1 conforms",
        "PS3.8 Table 9-10  4 conforms",
        "all               5 conforms, 1 untested",
    ]


def test_a_provider_that_dies_on_the_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("dimse.cli.judge.Judge", partial(Judge, recovery=0.0))
    with odd(dies) as provider:
        assert main(["judge", HOST, str(provider.target.port), "--only", "F-08,F-16", *QUICK]) == 1
    first, second, *_, last = _lines(capsys)
    assert first.startswith("violates   F-08 ")
    assert "(the provider no longer answers: Connection refused)" in first
    assert second.startswith("untested   F-16 ")
    assert "(the provider no longer answers)" in second
    assert last.split(maxsplit=1) == ["all", "1 violates, 1 untested"]


def test_a_provider_that_serves_one_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    with odd(closes, alone=True) as provider:
        assert main(["judge", HOST, str(provider.target.port), "--only", "F-03/07,F-05/06", *QUICK]) == 1
    first, second, *_ = _lines(capsys)
    assert first.startswith("conforms   F-03/07 ")
    assert ": closed [" in first
    assert second.startswith("violates   F-05/06 ")


def test_an_outcome_without_end_is_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    with odd(sends(pdu.AssociateRJ(1, 1, 3).encode() * 20)) as provider:
        assert main(["judge", HOST, str(provider.target.port), "--only", "F-03/07", *QUICK]) == 1
    assert "; A-ASS... [PS3.8 Table 9-10]" in _lines(capsys)[0]


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with odd(closes) as provider:
        provider.die()
        assert main(["judge", HOST, str(provider.target.port)]) == 3
    assert "does not answer a plain C-ECHO: Connection refused; check host, port, -aec and -aet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([HOST], "required: HOST, PORT"),
        ([HOST, "104", "--only", "X-99"], "there is no case 'X-99'"),
        ([HOST, "104", "--only", "D-01"], "they need --rough"),
        ([HOST, "104", "--only", ""], "there is no case ''"),
        ([HOST, "104", "--artim", "0"], "'0' is no wait: give the seconds after which the provider gives up"),
        ([HOST, "104", "--idle", "soon"], "'soon' is no number of seconds"),
        ([HOST, "DICOM"], "'DICOM' is not a TCP port"),
    ],
)
def test_usage(words: list[str], wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", *words]) == 2
    assert wanted in capsys.readouterr().err


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "--list", "--rough"]) == 0
    assert [line.split()[0] for line in _lines(capsys)] == [case.id for case in CASES]
    assert main(["judge", "--list", "--json", "--only", "T-01"]) == 0
    assert json.loads(_lines(capsys)[0])["allowed"] == ["served; closed"]


@pytest.mark.interop
def test_storescp(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Lab(tmp_path) as lab:
        server = lab.storescp(new_address("STORE"))
        code = main(["judge", HOST, str(server.address.port), "-aec", "STORE", "--only", "F-05,A-15,D-10", *QUICK])
    lines = _lines(capsys)
    assert code in (0, 1)
    assert lines[-1].startswith("all")
    assert not [line for line in lines if "no longer answers" in line]
