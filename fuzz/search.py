"""The search without libFuzzer: inputs that show something new are kept, and changed in turn."""

from __future__ import annotations

import random
import signal
import time
import traceback
from collections import deque
from collections.abc import Hashable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import FrameType, TracebackType

from fuzz.lines import Lines
from fuzz.mutations import mutate
from fuzz.target import LONGEST, Target

SLOW = 5.0
"""Seconds that no input of `LONGEST` bytes may take, on a machine that does other things too."""
RECENT = 32
"""Every other change is made to one of the inputs that were kept last: they are the least explored."""
PATIENCE, RARELY = 200, 8
"""When so many executions showed nothing new, only one in eight is traced: the others run at full speed."""
SHRINKINGS = 2000
"""Tries to make a finding shorter."""


class TooSlow(BaseException):
    """An input takes longer than `SLOW`. No `Exception`: nothing that answers a handler's mistake may catch it."""


@dataclass(frozen=True)
class Finding:
    """An input that breaks the invariant, and the error that came of it."""

    data: bytes
    error: BaseException

    @property
    def place(self) -> tuple[type[BaseException], str, int | None]:
        """What the error is and where it came from, the same for all inputs with the same flaw."""
        frames = traceback.extract_tb(self.error.__traceback__)
        last = [frame for frame in frames if frame.name != "require"][-1]
        return type(self.error), last.filename, last.lineno


@dataclass
class Search:
    """One search. The same seed, target and inputs give the same course, as long as `seconds` allow."""

    target: Target
    seed: int
    kept: list[bytes] = field(default_factory=list)
    executions: int = 0
    finding: Finding | None = None

    def __post_init__(self) -> None:
        self.lines = Lines(self.target.covers)
        self._random = random.Random(self.seed)
        self._features: set[Hashable] = set()
        self._fruitless = 0

    def run(self, seeds: Iterable[bytes], seconds: float, runs: int | None = None) -> None:
        """Runs the seeds and then changes of what was kept, until a finding, `runs` or `seconds` end it."""
        end = time.monotonic() + seconds
        waiting = deque(seed for seed in seeds if len(seed) <= LONGEST)
        while self.finding is None and (runs is None or self.executions < runs) and time.monotonic() < end:
            if waiting:
                self._try(waiting.popleft())
                continue
            self.kept = self.kept or [b""]
            recent = self.kept[-RECENT:] if self._random.randrange(2) else self.kept
            changed = mutate(self._random, self._random.choice(recent), self.kept)
            self._try(changed, traced=self._fruitless < PATIENCE or self.executions % RARELY == 0)

    def _try(self, data: bytes, *, traced: bool = True) -> None:
        """Runs one input and keeps it if it shows something new."""
        before = self.lines.fresh, len(self._features)
        self.executions += 1
        self._fruitless += 1
        with self.lines if traced else nullcontext():
            self.finding = attempt(self.target, data, self._features)
        if self.finding is None and (self.lines.fresh, len(self._features)) != before:
            self.kept.append(data)
            self._fruitless = 0


def attempt(target: Target, data: bytes, features: set[Hashable] | None = None) -> Finding | None:
    """Runs one input; adds what it has shown to `features`."""
    try:
        with _Limit(SLOW):
            shown = set(target.check(data))
    except (Exception, TooSlow) as error:
        return Finding(data, error)
    if features is not None:
        features |= shown
    return None


def shrink(target: Target, finding: Finding) -> Finding:
    """The same flaw with fewer bytes: takes away pieces, large ones first."""
    tries, size = SHRINKINGS, len(finding.data) // 2
    if isinstance(finding.error, TooSlow):
        return finding
    while size and tries > 0:
        at = 0
        while at < len(finding.data) and tries > 0:
            data, tries = finding.data, tries - 1
            shorter = attempt(target, data[:at] + data[at + size :])
            if shorter is not None and shorter.place == finding.place:
                finding = shorter
            else:
                at += size
        size //= 2
    return finding


def minimal(target: Target, inputs: Iterable[bytes]) -> tuple[list[bytes], Lines]:
    """Those inputs, short ones first, that show something that no other before them has shown; and the lines that ran."""
    search = Search(target, 0)
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        search._try(data)
    return search.kept, search.lines


class _Limit:
    """Raises `TooSlow` in the main thread after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        signal.signal(signal.SIGALRM, _too_slow)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TooSlow(f"more than {SLOW:g} s")
