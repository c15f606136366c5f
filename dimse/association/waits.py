"""`Waits`: which wait is over first. Time is an argument; nothing here knows a clock."""

from __future__ import annotations

from collections.abc import Iterable

from dimse.association.config import Timeouts

Wait = tuple[str, int]
"""A wait under way and what restarts it: a field of `Timeouts`, and a number that changes at each restart."""


class Waits:
    """The waits of one association, each counted from when it was first named with its number."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._due: dict[Wait, float] = {}

    def first(self, now: float, waits: Iterable[Wait]) -> tuple[str, float] | None:
        """The wait that is over first, and when; None if none of these ever is. All others are forgotten."""
        before, self._due = self._due, {}
        first, earliest = "", FOR_EVER
        for wait in waits:
            due = before.get(wait)
            if due is None:
                seconds: float | None = getattr(self._timeouts, wait[0])
                due = FOR_EVER if seconds is None else now + seconds
            self._due[wait] = due
            if due < earliest:
                first, earliest = wait[0], due
        return (first, earliest) if first else None

    def seconds(self, name: str) -> float:
        """How long a wait may last."""
        seconds: float | None = getattr(self._timeouts, name)
        return FOR_EVER if seconds is None else seconds


FOR_EVER = float("inf")
