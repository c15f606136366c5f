"""A-23 where identities are required, and A-24, over real sockets."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import pack

import pytest

import dimse
from dimse.judge.line import Line, why_not_served
from dimse.judge.wire import APPLICATION, ECHO_CONTEXT, ECHO_MESSAGE, RELEASE, Request, item, request, user
from dimse.services.passcodes import Cost, set_passcode

from .conditions import SERVED_WITHIN, conditions, others
from .providers import BYSTANDER, FRONTS, Provider, providing, target_of

SECRET, GUESS = b"correct horse", b"wrong battery"
FAILURES = 5
REFUSED = "A-ASSOCIATE-RJ(1,1,1)"
CHEAP = Cost(n=2, r=1, p=1)


def identity(type: int, primary: bytes = b"", secondary: bytes = b"", *, announced: int | None = None) -> bytes:
    """A user identity sub-item (PS3.7 D.3.3.7.1); `announced`: the length of the primary field, if it is a lie."""
    length = len(primary) if announced is None else announced
    return item(0x58, bytes([type, 0]) + pack(">H", length) + primary + pack(">H", len(secondary)) + secondary)


def asking(*identities: bytes) -> Request:
    return request(APPLICATION, ECHO_CONTEXT, user(*identities))


DOE = identity(2, b"doe", SECRET)


@dataclass
class Guarded:
    """A running provider that wants to know who it is; `checks` are the calls of scrypt, `trace` the file of its trace."""

    provider: Provider
    trace: Path
    checks: list[int] = field(default_factory=list)

    def answer(self, asked: Request, *, source: str = "") -> str:
        """What a request is answered."""
        with Line(target_of(self.provider), source=source) as line:
            line.send(asked)
            return line.next(time.monotonic() + 10) or "nothing"

    def why_not_served(self) -> str:
        """Asks for a C-ECHO from another address, with the right passcode: empty if it is answered in time."""
        until = time.monotonic() + SERVED_WITHIN
        with Line(target_of(self.provider), source=BYSTANDER) as line:
            line.send(asking(DOE))
            for data, wanted in ((ECHO_MESSAGE, "A-ASSOCIATE-AC 1=0"), (RELEASE, "C-ECHO-RSP 0000H"), (b"", "A-RELEASE-RP")):
                if (came := line.next(until)) != wanted:
                    return f"{came} instead of {wanted}"
                line.send(data)
        return ""


@pytest.fixture(params=FRONTS)
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    set_passcode(folder / "users", "doe", SECRET.decode(), CHEAP)
    checks: list[int] = []
    real = hashlib.scrypt

    def scrypt(password: bytes, *, salt: bytes, n: int, r: int, p: int, maxmem: int = 0, dklen: int = 64) -> bytes:
        checks.append(n)
        return real(password, salt=salt, n=n, r=r, p=p, maxmem=maxmem, dklen=dklen)

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    users = dimse.Users(
        passcodes=dimse.Passcodes(folder / "users").check, unsafe_over_plain=True, failures=FAILURES, pause=600.0, longest_pause=600.0
    )
    with dimse.TraceFile(folder / "trace") as trace, providing(request.param, dimse.Services(), users=users, trace=trace) as provider:
        yield Guarded(provider, folder / "trace", checks)


@pytest.mark.parametrize(
    ("identities", "answer", "why"),
    [
        pytest.param((identity(9, b"abc"),), REFUSED, "type 9, which nobody checks here", id="A-23/type"),
        pytest.param((identity(1, b"doe"),), REFUSED, "type 1, which nobody checks here", id="A-23/name"),
        pytest.param((), REFUSED, "no user identity, which is required here", id="A-23/none"),
        pytest.param((DOE, DOE), "A-ABORT(0,0)", "2 user identities, of which there may be one", id="A-23/two"),
        pytest.param((identity(1, b"abc", announced=0xFFF0),), "A-ABORT(0,0)", "PS3.", id="A-23/overrun"),
        pytest.param((identity(2, b"doe"),), REFUSED, "the user identity is false", id="A-23/no-passcode"),
        pytest.param((identity(2),), REFUSED, "the user identity is false", id="A-23/empty"),
        pytest.param((identity(2, b"d" * 30_000, b"x" * 30_000),), REFUSED, "the user identity is false", id="A-23/long"),
    ],
)
def test_identities_where_one_is_required(
    guarded: Guarded, identities: tuple[bytes, ...], answer: str, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with conditions(guarded.provider, tmp_path, caplog, guarded.why_not_served):
        came = guarded.answer(asking(*identities))
        assert came == answer or (came.startswith("A-ABORT") and answer.startswith("A-ABORT"))
    assert len(others(guarded.provider)) == 1
    assert why in others(guarded.provider)[0]


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("type", [pytest.param(9, id="A-23/ignored")])
def test_a_type_that_nobody_knows_where_none_is_required(front: str, type: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with providing(front, dimse.Services(), users=dimse.Users(required=False)) as provider:
        target = target_of(provider)
        with conditions(provider, tmp_path, caplog, lambda: why_not_served(target, SERVED_WITHIN)):
            assert Guarded(provider, Path()).answer(asking(identity(type, b"abc"))).startswith("A-ASSOCIATE-AC")


@pytest.mark.parametrize("count", [pytest.param(100, id="A-24")])
def test_who_guesses(guarded: Guarded, count: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    guesses = [asking(identity(2, (b"doe", b"nobody")[number % 2], GUESS)) for number in range(count)]
    with conditions(guarded.provider, tmp_path, caplog, guarded.why_not_served) as serve_others:
        guarded.checks.clear()
        answers = []
        for number, guess in enumerate(guesses):
            answers.append(guarded.answer(guess))
            if number % 25 == 0:
                serve_others()
    assert answers == [REFUSED] * count
    assert len(guarded.checks) == FAILURES + 4 + 1  # those of the others besides, who come from elsewhere
    ended = Counter(others(guarded.provider))  # each is told by its own thread, in no certain order
    (looked_at, first), (unseen, rest) = sorted(ended.items(), key=lambda each: "too many" in each[0])  # no unknown user is told apart
    assert (first, rest) == (FAILURES, count - FAILURES)
    assert "too many user identities" not in looked_at
    assert "too many user identities from this host were false" in unseen
    assert guarded.answer(asking(DOE)) == REFUSED  # from there nothing is looked at now, and nobody learns that it was right
    guarded.provider.settle()
    _check_said(guarded, caplog)


def _check_said(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    """No passcode, right or wrong, in log, reports, or trace."""
    said = [caplog.text, repr(guarded.provider.reports), guarded.trace.read_text(encoding="utf-8")]
    for secret in (SECRET, GUESS):
        for text in said:
            assert secret.decode() not in text
            assert secret.hex() not in text.replace(" ", "").lower()
