"""How far long work has come: a bar where standard error is a terminal and rich is installed, else a plain line now and then.

Neither is there before the work has proved to be long, so that a short command never imports rich.
"""

from __future__ import annotations

import sys
import time
from _thread import RLock
from collections.abc import Callable
from types import TracebackType

from dimse.cli.output import Output, in_bytes
from pdu.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from rich.progress import Progress as Bar

SHORT = 0.5
"""Seconds of work that nobody needs to see the progress of."""
PLAIN_EVERY = 5.0
"""Seconds between two plain lines."""


class Progress:
    """The progress of one piece of work, for the time of a block.

    `words` say what is done, `total` how much there is to do (None: not known yet), in bytes or in things.
    """

    def __init__(
        self, out: Output, words: str, total: int | None, *, is_bytes: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.done = 0
        self.total = total
        self._out = out
        self._words = words
        self._is_bytes = is_bytes
        self._clock = clock
        now = clock()
        self._bar_due: float | None = now + SHORT if _is_terminal() else None
        self._line_due = now + PLAIN_EVERY
        self._bar: Bar | None = None
        self._lock = RLock()

    def advance(self, amount: int) -> None:
        """So much more is done. May be called from any thread."""
        with self._lock:
            self.update(self.done + amount, self.total)

    def update(self, done: int, total: int | None) -> None:
        """So much is done in all, of so much."""
        self.done, self.total = done, total
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)
            return
        now = self._clock()
        if self._bar_due is not None and now >= self._bar_due:
            self._bar_due = None
            self._start_bar()
        elif now >= self._line_due:
            self._line_due = now + PLAIN_EVERY
            self._out.note(str(self))

    def __str__(self) -> str:
        shown = in_bytes if self._is_bytes else "{:,}".format
        if not self.total:
            return f"{self._words}: {shown(self.done)}"
        return f"{self._words}: {shown(self.done)} of {shown(self.total)} ({100 * self.done // self.total} %)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._out.above = None
            self._bar.stop()

    def _start_bar(self) -> None:
        """Shows the bar, if rich is there and the terminal can move its cursor; else the lines go on."""
        bar = _bar(self._is_bytes)
        if bar is None:
            return
        self._bar = bar
        bar.add_task(self._words, total=self.total, completed=self.done)
        console = bar.console
        self._out.above = lambda text: console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)
        bar.start()


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _bar(is_bytes: bool) -> Bar | None:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Bar
    except ImportError:
        return None
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        return None
    amounts = (DownloadColumn(), TransferSpeedColumn()) if is_bytes else (MofNCompleteColumn(),)
    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *amounts,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
