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
        self._due = {wait: self._due[wait] if wait in self._due else now + self.seconds(wait[0]) for wait in waits}
        if not self._due:
            return None
        due, (name, _) = min((due, wait) for wait, due in self._due.items())
        return (name, due) if due < FOR_EVER else None

    def seconds(self, name: str) -> float:
        """How long a wait may last."""
        seconds: float | None = getattr(self._timeouts, name)
        return FOR_EVER if seconds is None else seconds


FOR_EVER = float("inf")
