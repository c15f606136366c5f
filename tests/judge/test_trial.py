"""One case at a time, on providers that conform, violate, hang, close, talk too much and die."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

import pdu
from dimse.judge import CASES, Case, Trial, Verdict
from dimse.judge.case import Associate, Await, AwaitAll, AwaitEnd, Connect, Echo, Leave, Repeat, Reset, Send, Shut, Step
from dimse.judge.line import Line
from dimse.judge.wire import ECHO_MESSAGE, RELEASE, STORE_CONTEXT, Request, Scene, raw_pdu

from .odd import Reaction, closes, dies, floods, hangs, odd, sends

UNKNOWN = raw_pdu(0x2A, bytes(4))
ABORT = pdu.Abort(2, 1).encode()
F04 = next(case for case in CASES if case.id == "F-04/09")


def case_of(*steps: Step, allowed: tuple[str, ...] = ("never",)) -> Case:
    return Case("X-01", "made up", "PS3.8 9.2", steps, allowed)


@pytest.mark.parametrize(
    ("react", "verdict", "outcome"),
    [
        (sends(ABORT), Verdict.CONFORMS, "A-ABORT(2,1); closed"),
        (sends(pdu.Abort(0, 0).encode()), Verdict.TOLERATED, "A-ABORT(0,0); closed"),
        (closes, Verdict.VIOLATES, "closed"),
        (hangs, Verdict.NO_ANSWER, "open"),
        (sends(b"HTTP/1.1 400"), Verdict.VIOLATES, "malformed: 48H is no PDU type"),
        (
            sends(pdu.AssociateRJ(1, 1, 3).encode() + pdu.ReleaseRQ().encode()),
            Verdict.VIOLATES,
            "A-ASSOCIATE-RJ(1,1,3); A-RELEASE-RQ; closed",
        ),
        (sends(pdu.frames(1, True, b"\xff" * 20, 16_384)), Verdict.VIOLATES, "malformed: "),
        (sends(pdu.frames(1, True, bytes(70_000), 16_384)), Verdict.VIOLATES, "malformed: a command set of more than 65536 bytes"),
        (sends(RELEASE * 20), Verdict.VIOLATES, "; ".join(["A-RELEASE-RQ"] * 12 + ["and more"])),
        (floods, Verdict.VIOLATES, "malformed: more than 16777216 bytes came"),
    ],
    ids=["conforms", "tolerated", "closes", "hangs", "http", "rejects", "no command", "long command", "talks", "floods"],
)
def test_verdicts(react: Reaction, verdict: Verdict, outcome: str) -> None:
    with odd(react) as provider:
        finding = Trial(provider.target, F04).run()
    assert finding.verdict is verdict
    assert finding.outcome.startswith(outcome)


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ((Connect(), Shut(), AwaitEnd()), "closed"),
        (
            (Send(Request()), Await(), Send(ECHO_MESSAGE), Await(), Send(RELEASE), Await()),
            "A-ASSOCIATE-AC 1=0 3=3 5=3 7=3 9=3; C-ECHO-RSP 0000H; A-RELEASE-RP",
        ),
        ((Associate(), Send(ECHO_MESSAGE, piece=100), Await()), "C-ECHO-RSP 0000H"),
        ((Associate(), Reset(), Echo()), "served"),
        ((Associate(), Reset(orderly=True), AwaitEnd()), "reset"),
        ((Send(UNKNOWN), Await(), Await(), Await()), "A-ABORT(2,1); closed"),
        ((Repeat(3, (Associate(), Send(ECHO_MESSAGE), Await()), leave=True), AwaitAll()), "3 x A-ASSOCIATE-AC; 3 x C-ECHO-RSP 0000H"),
        ((Repeat(2, (Connect(), Send(UNKNOWN))), AwaitAll(), Leave()), "2 x A-ABORT(2,1); closed"),
    ],
)
def test_steps(steps: tuple[Step, ...], outcome: str) -> None:
    with odd(sends(ABORT)) as provider:
        finding = Trial(provider.target, case_of(*steps)).run()
    assert finding.outcome == outcome


def test_a_provider_that_is_slow_gets_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dimse.judge.trial.RATE", 1e9)
    with odd(sends(ABORT)) as provider:
        target = replace(provider.target, timing=replace(provider.target.timing, answer=0.2))
        finding = Trial(target, case_of(Repeat(100_000, (Send(UNKNOWN), Await()), leave=True))).run()
    assert 0 < sum(int(words.split()[0]) for words in finding.came) < 100_000


def test_a_trickle_is_slower_than_artim() -> None:
    with odd(hangs) as provider:
        start = time.monotonic()
        finding = Trial(provider.target, case_of(Send(bytes(1000), trickle=True), AwaitEnd())).run()
        assert time.monotonic() - start >= provider.target.timing.artim
    assert finding.outcome == "open"


def test_what_is_not_offered_is_not_tested() -> None:
    with odd(closes) as provider:
        finding = Trial(provider.target, case_of(Associate((STORE_CONTEXT,), needs=(3,)), Await())).run()
    assert (finding.verdict, finding.remark) == (Verdict.UNTESTED, "presentation context 3: abstract syntax not supported")


def test_a_limit_that_the_provider_does_not_have_cannot_be_exceeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "scene", property(lambda _: Scene(max_length=0)))
    with odd(closes) as provider:
        finding = Trial(provider.target, case_of(Associate(limited=True), Await())).run()
    assert (finding.verdict, finding.remark) == (Verdict.UNTESTED, "it takes a P-DATA-TF of any length")


def test_no_association_is_no_test() -> None:
    with odd(hangs) as provider:
        finding = Trial(provider.target, case_of(Associate((b"\x20\0\0\x01",)), Await())).run()
    assert (finding.verdict, finding.remark) == (Verdict.UNTESTED, "no association: open")


def test_nobody_else_is_served() -> None:
    with odd(hangs, alone=True) as provider:
        finding = Trial(provider.target, case_of(Connect(), Echo(0.1))).run()
    assert finding.outcome == "not served"


def test_nobody_is_there() -> None:
    with odd(dies) as provider:
        provider.die()
        finding = Trial(provider.target, F04).run()
    assert (finding.verdict, finding.outcome) == (Verdict.VIOLATES, "no connection")
    assert "Connection refused" in finding.remark


def test_aside_is_called_once_before_a_long_wait() -> None:
    calls: list[str] = []
    with odd(hangs) as provider:
        Trial(provider.target, case_of(Connect(), Await(), Await()), lambda: calls.append("aside")).run()
    assert calls == ["aside"]
