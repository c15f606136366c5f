"""One case tried on a provider: its steps one after the other, what came back, and the verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pdu
from dimse.judge.case import (
    SEPARATOR,
    Associate,
    Await,
    AwaitAll,
    AwaitEnd,
    Case,
    Connect,
    Echo,
    Finding,
    Leave,
    Repeat,
    Reset,
    Send,
    Shut,
    Step,
    Verdict,
    judge,
    plain,
)
from dimse.judge.line import CLOSED, OPEN, RESET, Line, Target, why_not_served
from dimse.judge.wire import APPLICATION, MAX_LENGTH, Request, user

MAX_CAME = 12
"""Things of one connection that are told: more is a provider that does not stop talking."""
LAST_WORDS = ("A-ABORT", "A-ASSOCIATE-RJ", "A-RELEASE-RP")
"""What is said before the connection is closed."""
TRICKLES = 20
"""Bytes that trickle in while ARTIM runs: one each twentieth of it."""
EACH = 0.25
"""Seconds for each of many answers: some providers take a tenth for one."""
RATE = 50
"""Connections a second: who offers many does not offer them more slowly than that."""


class NotOffered(Exception):
    """The provider does not offer what the case needs."""


class Trial:
    """Tries one case. `aside` is called before each long wait: whoever runs many cases may go on with others meanwhile."""

    def __init__(self, target: Target, case: Case, aside: Callable[[], object] | None = None) -> None:
        self.target = target
        self.case = case
        self._aside = aside
        self._line: Line | None = None
        self._others: list[Line] = []
        self._came: list[str] = []

    def run(self) -> Finding:
        """The finding. Raises nothing."""
        try:
            for step in self.case.steps:
                self._do(step)
        except NotOffered as reason:
            return Finding(self.case, Verdict.UNTESTED, tuple(self._came), str(reason))
        except OSError as error:
            words = error.strerror or str(error)
            return Finding(self.case, Verdict.VIOLATES, (*self._came, "no connection"), f"cannot connect: {words}")
        finally:
            for line in [*self._others, *([self._line] if self._line else [])]:
                line.close()
        return Finding(self.case, judge(self.case, self._came), tuple(self._came))

    def _do(self, step: Step) -> None:
        match step:
            case Echo(within=within):
                self._came.append("not served" if why_not_served(self.target, within) else "served")
            case Repeat():
                self._repeat(step)
            case AwaitAll():
                until = self._deadline()
                self._aside_now()
                self._tell(Counter(SEPARATOR.join(map(plain, self._to_the_end(line, until))) for line in self._others))
            case Leave():
                for line in self._others:
                    line.close()
            case _:
                if self._line is None:
                    self._line = Line(self.target, step.max_length if isinstance(step, Associate) else MAX_LENGTH)
                self._do_on(self._line, step)

    def _do_on(self, line: Line, step: Step) -> None:
        """A step that is about one connection."""
        match step:
            case Shut():
                line.shut()
            case Reset(orderly=orderly):
                line.close() if orderly else line.reset()
            case AwaitEnd():
                if not self._is_over:
                    self._came += self._to_the_end(line, self._deadline(), patient=True)
            case Associate():
                self._associate(line, step)
            case Send() if not self._is_over:
                self._send(line, step)
            case Await() if not self._is_over:
                self._came.append(self._next(line, self._deadline(), patient=True))
            case _:
                pass

    @property
    def _is_over(self) -> bool:
        """Nothing more is to be said on the connection."""
        return bool(self._came) and _ends(self._came[-1])

    def _associate(self, line: Line, step: Associate) -> None:
        """The association that the case is about, which itself is not told of."""
        line.send(Request((APPLICATION, *step.contexts, user(max_length=step.max_length))))
        came = line.next(time.monotonic() + self.target.timing.answer) or OPEN
        if line.answer is None:
            raise NotOffered(f"no association: {came}")
        results = {item.id: item.result for item in line.answer.presentation_contexts}
        for number in step.needs:
            if results.get(number) != pdu.ContextResult.ACCEPTANCE:
                raise NotOffered(f"presentation context {number}: {pdu.context_words(results.get(number, pdu.ContextResult.NO_REASON))}")
        if step.limited and line.scene.max_length == 0:
            raise NotOffered("it takes a P-DATA-TF of any length")

    def _send(self, line: Line, step: Send) -> None:
        if step.trickle:
            self._aside_now()
            line.send(step.data, piece=1, until=self._deadline(), gap=self.target.timing.artim / TRICKLES)
        else:
            line.send(step.data, piece=step.piece, times=step.times, until=self._deadline())

    def _repeat(self, step: Repeat) -> None:
        """The same on many connections; what came back on each is counted.

        Answers are waited for as long as one takes, and a little for each. Where connections are left one by one, a provider that
        takes fewer a second than `RATE` gets fewer.
        """
        seen: Counter[str] = Counter()
        start = time.monotonic() + self.target.timing.answer
        until, end = start + step.count * EACH, start + step.count / RATE
        for _ in range(step.count):
            if step.leave and time.monotonic() > end:
                break
            line = Line(self.target)
            self._others.append(line)
            seen.update(self._one_of_many(line, step, until))
            if step.leave:
                self._others.pop().close()
        self._tell(seen)

    def _one_of_many(self, line: Line, step: Repeat, until: float) -> list[str]:
        came = []
        for each in step.steps:
            match each:
                case Send():
                    line.send(each.data)
                case Associate():
                    line.send(Request((APPLICATION, *each.contexts, user(max_length=each.max_length))))
                    came.append((line.next(until) or OPEN).split()[0])
                case Await():
                    came.append(line.next(until) or OPEN)
                case Connect():
                    pass
        return came

    def _to_the_end(self, line: Line, until: float, *, patient: bool = False) -> list[str]:
        came: list[str] = []
        while not (came and _is_final(came[-1])):
            came.append(self._next(line, until, patient=patient))
            if came[-1].startswith(LAST_WORDS):  # from here on ARTIM runs, whatever ran before (Sta13)
                until = max(until, time.monotonic() + self.target.timing.seconds("artim"))
            if len(came) >= MAX_CAME:
                return [*came, "and more"]
        return came

    def _next(self, line: Line, until: float, *, patient: bool = False) -> str:
        """What comes next; aside, if it does not come at once."""
        if patient:
            quick = min(until, time.monotonic() + self.target.timing.quick)
            if (came := line.next(quick)) is not None:
                return came
            self._aside_now()
        return line.next(until) or OPEN

    def _aside_now(self) -> None:
        aside, self._aside = self._aside, None
        if aside is not None:
            aside()

    def _deadline(self) -> float:
        return time.monotonic() + self.target.timing.seconds(self.case.deadline)

    def _tell(self, seen: Counter[str]) -> None:
        self._came += [f"{count} x {words}" for words, count in sorted(seen.items())]


def _is_final(came: str) -> bool:
    return came in (CLOSED, RESET, OPEN) or came.startswith("malformed")


def _ends(came: str) -> bool:
    """Whether this ends the association: the judge has nothing to add."""
    return _is_final(came) or came == "no connection"
