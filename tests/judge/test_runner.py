"""All cases on one provider: in order, with its health looked after, and given up when it is gone."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace

import pytest

import pdu
from dimse.judge import Case, Finding, Judge, NotServing, Trial, Verdict, chosen, runner, summary
from dimse.judge.case import AwaitEnd, Connect, Echo, Send
from dimse.judge.wire import raw_pdu

from .odd import Odd, closes, dies, odd, rests, sends

UNKNOWN = (Send(raw_pdu(0x2A, bytes(4))), AwaitEnd())
SILENCE = (Connect(), AwaitEnd())
MEANWHILE = (Connect(), Echo(0.2), AwaitEnd())


def _cases(*steps: tuple[Connect | Send | AwaitEnd | Echo, ...]) -> list[Case]:
    return [Case(f"X-{n:02}", "made up", f"PS3.8 9.{n % 2}", each, ("A-ABORT(*); closed",), ("open",)) for n, each in enumerate(steps)]


def test_findings_come_in_order_though_some_are_waited_for() -> None:
    with odd(sends(pdu.Abort(0, 0).encode())) as provider:
        findings = list(Judge(provider.target, _cases(SILENCE, UNKNOWN, SILENCE, UNKNOWN)).run())
    assert [finding.case.id for finding in findings] == ["X-00", "X-01", "X-02", "X-03"]
    assert [finding.verdict.value for finding in findings] == ["tolerated", "conforms", "tolerated", "conforms"]
    assert {clause: dict(counts) for clause, counts in summary(findings).items()} == {
        "PS3.8 9.0": {Verdict.TOLERATED: 2},
        "PS3.8 9.1": {Verdict.CONFORMS: 2},
    }
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("judge")]


def test_a_provider_for_one_at_a_time_is_judged_so() -> None:
    with odd(closes, alone=True) as provider:
        findings = list(Judge(provider.target, _cases(UNKNOWN, MEANWHILE, UNKNOWN)).run())
    assert [finding.outcome for finding in findings] == ["closed", "not served; open", "closed"]


def test_a_case_that_the_provider_does_not_survive_is_a_violation_and_the_rest_is_given_up() -> None:
    with odd(dies) as provider:
        findings = list(Judge(provider.target, _cases(UNKNOWN, UNKNOWN), recovery=0.0).run())
    assert [finding.verdict for finding in findings] == [Verdict.VIOLATES, Verdict.UNTESTED]
    assert findings[0].remark.startswith("the provider no longer answers: ")
    assert findings[1].remark == "the provider no longer answers"


def test_a_provider_that_comes_back_is_judged_on() -> None:
    def pauses(provider: Odd, _: socket.socket) -> None:
        provider.over.wait(0.9)

    with odd(pauses, alone=True) as provider:
        findings = list(Judge(provider.target, _cases(UNKNOWN, SILENCE), recovery=5.0).run())
    assert [finding.verdict for finding in findings] == [Verdict.VIOLATES, Verdict.TOLERATED]
    assert findings[0].remark.startswith("the provider did not answer for a while: ")


def test_places_that_waiting_cases_take_are_no_harm() -> None:
    with odd(closes, places=2) as provider:
        findings = list(Judge(provider.target, _cases(SILENCE, SILENCE, UNKNOWN)).run())
    assert [(finding.outcome, finding.remark) for finding in findings] == [("open", ""), ("open", ""), ("closed", "")]


def test_what_another_case_has_disturbed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    class Seen(Trial):
        def run(self) -> Finding:
            tried.append(self.case.id)
            return super().run()

    monkeypatch.setattr(runner, "Trial", Seen)
    with odd(rests) as provider:
        findings = list(Judge(provider.target, _cases(SILENCE, UNKNOWN), recovery=5.0).run())
    assert [finding.verdict for finding in findings] == [Verdict.TOLERATED, Verdict.VIOLATES]
    assert [bool(finding.remark) for finding in findings] == [False, True]
    assert tried == ["X-00", "X-01", "X-00"]


def test_rough_cases_come_last_and_by_themselves() -> None:
    rough, polite = _cases(UNKNOWN, SILENCE)
    done: list[str] = []
    with odd(closes) as provider:
        findings = list(Judge(provider.target, [replace(rough, rough=True), polite], done=lambda: done.append("done")).run())
    assert [finding.case.id for finding in findings] == ["X-01", "X-00"]
    assert done == ["done", "done"]


def test_nobody_to_judge() -> None:
    with odd(closes) as provider:
        provider.die()
        with pytest.raises(NotServing, match="Connection refused"):
            list(Judge(provider.target, chosen()).run())
