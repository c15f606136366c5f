"""All cases on one provider: politely, one stimulus at a time, with a look at its health behind each."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from threading import BoundedSemaphore, Event, Lock, Thread

from dimse.judge.case import Case, Echo, Finding, Verdict
from dimse.judge.line import Line, Target, why_not_served
from dimse.judge.trial import Trial
from pdu.values import replace

WIDTH = 6
"""Cases under way at the same time, all but one of them waiting: some providers take no more than ten associations."""
PROBE = 2.0
"""Seconds in which a provider that serves many at once answers one while another says nothing."""
PAUSE = 0.5
"""Seconds between looks at a provider that does not serve."""
BUSY = "A-ASSOCIATE-RJ(2,"
"""What a provider says whose places are taken (PS3.8 9.3.4, rejected-transient)."""
RECOVERY = 60.0
"""Seconds that a provider has to come back after a case that harmed it, before the rest is given up."""
GONE = "the provider no longer answers"
AWAY = "the provider did not answer for a while"


class NotServing(Exception):
    """The provider cannot be reached, or does not answer a plain C-ECHO: there is nothing to judge."""


class Judge:
    """Tries cases on a provider.

    `recovery`: seconds that it has to come back after a case that harmed it. `done` is called as each case is, from any thread
    but never from two at once: before its finding is told, which may have to wait for those of the cases before it.
    """

    def __init__(
        self,
        target: Target,
        cases: Sequence[Case],
        *,
        width: int = WIDTH,
        recovery: float = RECOVERY,
        done: Callable[[], object] = lambda: None,
    ) -> None:
        self.target = target
        self.cases = cases
        self._width = width
        self._recovery = recovery
        self._done = done
        self._turns = _Turns()
        self._harms = 0
        """How often the provider was found harmed."""
        self._gone = ""
        self._is_concurrent = False

    def run(self) -> Iterator[Finding]:
        """The findings, each as soon as it and those before it are there; those of rough cases come last. Raises `NotServing`."""
        if reason := why_not_served(self.target, self.target.timing.answer):
            raise NotServing(reason)
        self._is_concurrent = self._serves_many()
        yield from self._side_by_side([case for case in self.cases if not case.rough], self._width)
        yield from self._side_by_side([case for case in self.cases if case.rough], 1)

    def _side_by_side(self, cases: Sequence[Case], width: int) -> Iterator[Finding]:
        running: dict[str, _Running] = {}
        untold = deque(cases)
        free = BoundedSemaphore(width)
        for case in sorted(cases, key=_rank):
            free.acquire()
            self._turns.lock.acquire()
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
        """One case, beginning with the turn in hand. It is tried again if another one harms the provider meanwhile."""
        turn = _Turn(self._turns)
        try:
            while not self._gone:
                harms = self._harms
                finding, harm = self._attempt(case, turn)
                if harm:
                    return replace(finding, verdict=Verdict.VIOLATES, remark=harm)
                if harms == self._harms:
                    return finding
            return Finding(case, Verdict.UNTESTED, (), self._gone)
        finally:
            turn.take()
            self._done()
            turn.end()

    def _attempt(self, case: Case, turn: _Turn) -> tuple[Finding, str]:
        """What came, and what harm was done. Gives the turn away while all that is left is to wait, and has it again at the end."""
        harms = self._harms
        remarks: list[str] = []

        def aside() -> None:
            if self._is_concurrent:
                remarks.append(self._check())
                turn.give()
            elif not why_not_served(self.target, min(PROBE, self.target.timing.healthy)):
                turn.give()  # it serves one at a time, but has done with this one

        finding = Trial(self.target, case, aside).run()
        turn.take()
        if harms == self._harms:  # or else somebody has looked
            remarks.append(self._check())
        return finding, next(filter(None, remarks), "")

    def _check(self) -> str:
        """What is wrong with the provider's health; waits for it to come back, so that the next case finds it well."""
        harm = why_not_served(self.target, self.target.timing.healthy)
        while harm.startswith(BUSY) and self._turns.waiting:  # with the cases that wait for something
            Event().wait(PAUSE)
            harm = why_not_served(self.target, self.target.timing.healthy)
        if not harm:
            return ""
        self._harms += 1
        self._gone = "" if self._comes_back() else GONE
        return f"{self._gone or AWAY}: {harm}"

    def _comes_back(self) -> bool:
        end = time.monotonic() + self._recovery
        while why_not_served(self.target, self.target.timing.healthy):
            if time.monotonic() > end:
                return False
            Event().wait(min(PAUSE, self._recovery))
        return True


def _rank(case: Case) -> tuple[bool, bool]:
    """Who asks whether others are served begins, before they are many; then who waits longest."""
    return not any(isinstance(step, Echo) for step in case.steps), case.deadline != "idle"


class _Turns:
    """The right to send, which one case has at a time, and those who have given it away while they wait for something."""

    def __init__(self) -> None:
        self.waiting: set[_Turn] = set()
        self.lock = Lock()


class _Turn:
    """One case's turn, which it has from the beginning to the end except while it waits."""

    def __init__(self, turns: _Turns) -> None:
        self._turns = turns
        self._waits = False

    def give(self) -> None:
        """Somebody else may send meanwhile."""
        if not self._waits:
            self._waits = True
            self._turns.waiting.add(self)
            self._turns.lock.release()

    def take(self) -> None:
        """Has it again, when nobody else has."""
        if self._waits:
            self._turns.waiting.discard(self)  # first: whoever has the turn may be waiting for the others to have done
            self._turns.lock.acquire()
            self._waits = False

    def end(self) -> None:
        """The next case may begin; to be called with the turn in hand."""
        self._turns.lock.release()


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
