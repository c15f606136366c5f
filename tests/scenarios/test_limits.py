"""T-10 with the limit of all associations, which that of one host does not let its table's case reach."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

import dimse
from dimse.judge.line import Line, why_not_served
from dimse.judge.wire import RELEASE, Request

from .conditions import SERVED_WITHIN, conditions, others
from .providers import FRONTS, HOST, providing, target_of

MOST = 5
HOSTS = tuple(f"127.0.0.{number}" for number in range(10, 10 + MOST))
"""Where those come from who take all places, one each."""


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("most", [pytest.param(MOST, id="T-10/total")])
def test_one_association_too_many(front: str, most: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    limits = dimse.Limits(associations=most, associations_per_host=2)
    with providing(front, dimse.Services(), limits, timeouts=dimse.Timeouts(linger=0.2)) as provider:
        target = target_of(provider)

        def ask(stack: ExitStack, source: str) -> tuple[Line, str]:
            line = stack.enter_context(Line(target, source=source))
            line.send(Request())
            return line, (line.next(time.monotonic() + SERVED_WITHIN) or "nothing").split()[0]

        with conditions(provider, tmp_path, caplog, lambda: why_not_served(target, SERVED_WITHIN)), ExitStack() as stack:
            places = [ask(stack, source) for source in HOSTS]
            assert [answer for _, answer in places] == ["A-ASSOCIATE-AC"] * most
            assert ask(stack, HOST)[1] == "A-ASSOCIATE-RJ(2,3,2)"
            line, _ = places[0]
            line.send(RELEASE)
            assert line.next(time.monotonic() + SERVED_WITHIN) == "A-RELEASE-RP"
            assert ask(stack, HOST)[1] == "A-ASSOCIATE-AC"  # the place is free although its peer has not closed
            assert ask(stack, HOSTS[0])[1] == "A-ASSOCIATE-RJ(2,3,2)"
        refused = [why for why in others(provider) if why.startswith("rejected")]
        assert len(refused) == 2
        assert all("local limit exceeded" in why for why in refused)
