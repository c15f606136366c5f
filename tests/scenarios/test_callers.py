"""A-05, A-06 and A-07 on a provider with a list of callers: anyone else hears (1,1,3) and nothing more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import dimse
from dimse.judge import CASES, Case, Trial, Verdict
from dimse.judge.line import Line, why_not_served
from dimse.judge.wire import Request

from .conditions import SERVED_WITHIN, conditions, others
from .providers import BYSTANDER, FRONTS, HOST, providing, target_of

PLACES = {"ME": [], "CT1": ["10.0.0.0/8", "2001:db8::7"], "CT2": [BYSTANDER], "CT3": ["127.0.0.0/30"]}
CALLERS = dimse.Callers({title: dimse.Caller(hosts=places) for title, places in PLACES.items()})
NOT_KNOWN, NOT_OURS = "A-ASSOCIATE-RJ(1,1,3)", "A-ASSOCIATE-RJ(1,1,7)"
NOBODY = "the calling AE title is none of those that are let in"
ELSEWHERE = "the calling AE title is not let in from this host"


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(
    ("asked", "source", "answer", "why"),
    [
        pytest.param(Request(called=b"NOT-THIS-ONE"), HOST, NOT_OURS, "called AE title not recognized", id="A-05/called"),
        pytest.param(Request(calling=b"NEVER-SEEN"), HOST, NOT_KNOWN, NOBODY, id="A-05/calling"),
        pytest.param(Request(calling=b"me"), HOST, NOT_KNOWN, NOBODY, id="A-05/case"),
        pytest.param(Request(called=b"NOT-THIS-ONE", calling=b"NEVER-SEEN"), HOST, NOT_KNOWN, NOBODY, id="A-05/both"),
        pytest.param(Request(calling=b"CT1"), HOST, NOT_KNOWN, ELSEWHERE, id="A-05/network"),
        pytest.param(Request(calling=b"CT2"), HOST, NOT_KNOWN, ELSEWHERE, id="A-05/host"),
        pytest.param(Request(calling=b"CT2"), BYSTANDER, "A-ASSOCIATE-AC", "", id="A-05/right-host"),
        pytest.param(Request(calling=b"CT3"), HOST, "A-ASSOCIATE-AC", "", id="A-05/right-network"),
        pytest.param(Request(calling=b"  CT3 \0"), HOST, "A-ASSOCIATE-AC", "", id="A-05/padded"),
        pytest.param(Request(calling=b" " * 16), HOST, NOT_KNOWN, "", id="A-06/spaces"),
        pytest.param(Request(calling=bytes(16)), HOST, NOT_KNOWN, "", id="A-06/nul"),
        pytest.param(Request(calling=b"../../etc"), HOST, NOT_KNOWN, NOBODY, id="A-06/path"),
        pytest.param(Request(calling=b"\xff\xfe\x80"), HOST, NOT_KNOWN, "", id="A-06/bytes"),
        pytest.param(Request(calling=b"A\r\nINFO: forged"), HOST, NOT_KNOWN, "", id="A-07"),
    ],
)
def test_who_is_let_in(
    front: str, asked: Request, source: str, answer: str, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with providing(front, dimse.Services(), callers=CALLERS) as provider:
        target = target_of(provider)
        with conditions(provider, tmp_path, caplog, lambda: why_not_served(target, SERVED_WITHIN)):
            with Line(target, source=source) as line:
                line.send(asked)
                came = line.next(time.monotonic() + 10) or "nothing"
            assert came.split()[0] == answer
        ended = others(provider)
        assert len(ended) == 1
        assert why in ended[0]
        assert answer == "A-ASSOCIATE-AC" or ended[0].startswith("rejected: ")
        assert "INFO: forged" not in caplog.text
        titles = {report.peer.calling for report in provider.reports if report.ended != "released"}
        assert len(titles) == 1
        assert all(title.isprintable() for title in titles)
        if asked.calling == b"A\r\nINFO: forged":
            assert titles == {"A\\r\\nINFO: forged"}


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES if case.scenario in ("A-05", "A-06", "A-07")])
def test_the_judge_finds_nothing_to_tolerate(front: str, case: Case) -> None:
    with providing(front, dimse.Services(), callers=CALLERS) as provider:
        finding = Trial(target_of(provider), case, lambda: None).run()
    assert finding.verdict is Verdict.CONFORMS
    assert finding.came[0].startswith(NOT_OURS if case.id == "A-05/called" else NOT_KNOWN)
