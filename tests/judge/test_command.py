"""`dimse judge`: what it prints, its exit codes, and a run on a real provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import dimse
from dimse.cli import main
from dimse.judge import CASES
from tests.interop.peers import Lab, new_address

from .odd import HOST, closes, odd

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
