"""All cases on one provider: politely, one stimulus at a time, with a look at its health behind each."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import BoundedSemaphore, Event, Lock, Thread

from dimse.judge.case import Case, Finding, Verdict
from dimse.judge.line import Line, Target, why_not_served
from dimse.judge.trial import Trial

WIDTH = 12
"""Connections on which something is waited for at the same time, most of them for ARTIM."""
PROBE = 2.0
"""Seconds in which a provider that serves many at once answers one while another says nothing."""
RECOVERY = 60.0
"""Seconds that a provider has to come back after a case that harmed it, before the rest is given up."""
GONE = "the provider no longer answers"


class NotServing(Exception):
    """The provider cannot be reached, or does not answer a plain C-ECHO: there is nothing to judge."""


class Judge:
    """Tries cases on a provider. `recovery`: seconds that it has to come back after a case that harmed it."""

    def __init__(self, target: Target, cases: Sequence[Case], *, width: int = WIDTH, recovery: float = RECOVERY) -> None:
        self.target = target
        self.cases = cases
        self._width = width
        self._recovery = recovery
        self._turn = Lock()
        self._gone = ""
        self._is_concurrent = False

    def run(self) -> Iterator[Finding]:
        """The findings in the order of the cases, each as soon as those before it are there. Raises `NotServing`."""
        if reason := why_not_served(self.target, self.target.timing.answer):
            raise NotServing(reason)
        running: dict[str, _Running] = {}
        untold = deque(self.cases)
        self._is_concurrent = self._serves_many()
        free = BoundedSemaphore(self._width if self._is_concurrent else 1)
        for case in sorted(self.cases, key=lambda case: case.deadline == "artim"):  # who waits longest begins
            free.acquire()
            self._turn.acquire()
            running[case.id] = _Running(self._try, case, free.release)
            while untold and untold[0].id in running and running[untold[0].id].is_done:
                yield running[untold.popleft().id].finding()
        for case in untold:
            yield running[case.id].finding()

    def _serves_many(self) -> bool:
        """Whether somebody who says nothing leaves the others alone; a provider for one at a time is judged so."""
        try:
            with Line(self.target):
                served = not why_not_served(self.target, min(PROBE, self.target.timing.healthy))
        except OSError:
            return False
        return served

    def _try(self, case: Case) -> Finding:
        """One case, beginning with the turn in hand; gives it back when all that is left is to wait."""
        remarks: list[str] = []
        turn = _Turn(self._turn)

        def aside() -> None:
            if self._is_concurrent:
                remarks.append(self._check())
                turn.give()

        try:
            if self._gone:
                return Finding(case, Verdict.UNTESTED, (), self._gone)
            finding = Trial(self.target, case, aside).run()
            if not turn.is_given:
                remarks.append(self._check())
        finally:
            turn.give()
        harm = next(filter(None, remarks), "")
        return replace(finding, verdict=Verdict.VIOLATES, remark=f"{GONE}: {harm}") if harm else finding

    def _check(self) -> str:
        """What is wrong with the provider's health; waits for it to come back, so that the next case finds it well."""
        harm = why_not_served(self.target, self.target.timing.healthy)
        end = time.monotonic() + self._recovery
        while harm and why_not_served(self.target, self.target.timing.healthy):
            if time.monotonic() > end:
                self._gone = GONE
                break
            Event().wait(min(1.0, self._recovery))
        return harm


class _Turn:
    """The right to send, to be given back once."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self.is_given = False

    def give(self) -> None:
        """Somebody else may send."""
        if not self.is_given:
            self.is_given = True
            self._lock.release()


class _Running:
    """A case that is being tried in a thread of its own."""

    def __init__(self, attempt: Callable[[Case], Finding], case: Case, done: Callable[[], None]) -> None:
        self._findings: list[Finding] = []
        self._case = case
        self._thread = Thread(target=self._run, args=(attempt, done), name=f"judge {case.id}", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether the finding is there."""
        return not self._thread.is_alive()

    def finding(self) -> Finding:
        """The finding, when it is there."""
        self._thread.join()
        return self._findings[0] if self._findings else Finding(self._case, Verdict.UNTESTED, (), "a mistake in the judge")

    def _run(self, attempt: Callable[[Case], Finding], done: Callable[[], None]) -> None:
        try:
            self._findings.append(attempt(self._case))
        finally:
            done()


def summary(findings: Sequence[Finding]) -> dict[str, Counter[Verdict]]:
    """How many findings of each verdict there are, by clause."""
    clauses: dict[str, Counter[Verdict]] = {}
    for finding in findings:
        clauses.setdefault(finding.case.clause, Counter())[finding.verdict] += 1
    return dict(sorted(clauses.items()))
