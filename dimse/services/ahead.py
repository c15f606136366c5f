"""Instances that are to be sent, the next of which is opened before its turn: this side reads while the peer writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Generic, Self, TypeVar

from dimse.association.negotiation import AcceptedContext
from dimse.data.sources import Reading, Source
from dimse.data.uids import UID
from pdu.values import dataclass

S = TypeVar("S", bound=Source)
Fit = Callable[[Source], Awaitable[tuple[AcceptedContext, Source]]]
"""Finds the context that an instance can go in, and the instance as it goes there."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that is open already, and can be read once."""

    sop_class_uid: UID
    sop_instance_uid: UID
    transfer_syntax: UID
    size: int
    reading: Reading

    def open(self) -> Reading:
        """The pass over the data set that has begun."""
        return self.reading


@dataclass(slots=True)
class Ready(Generic[S]):
    """An instance whose turn comes next: open, on a context, or what is wrong with it."""

    source: S
    opened: tuple[AcceptedContext, Opened] | Exception

    def check(self) -> tuple[AcceptedContext, Opened]:
        """The context, and the source to send on it. Raises what went wrong."""
        if isinstance(self.opened, Exception):
            raise self.opened
        return self.opened


class Ahead(Generic[S]):
    """The instances that an iterable gives, one after the other; leave it as a context manager to close what was opened."""

    def __init__(self, sources: Iterable[S], fit: Fit) -> None:
        self._waiting: Iterator[S] = iter(sources)
        self._fit = fit
        self._next: Ready[S] | None = None
        self._error: Exception | None = None
        self.exhausted = False

    async def look(self) -> None:
        """Opens the next one, if that is not done. What goes wrong is told in its turn."""
        if self._next is not None or self._error is not None or self.exhausted:
            return
        try:
            source = next(self._waiting, None)
        except Exception as error:
            self._error = error
            return
        if source is None:
            self.exhausted = True
            return
        try:
            context, fitted = await self._fit(source)
            uids = fitted.sop_class_uid, fitted.sop_instance_uid, fitted.transfer_syntax
            self._next = Ready(source, (context, Opened(*uids, fitted.size, fitted.open())))
        except Exception as error:
            self._next = Ready(source, error)

    async def take(self) -> Ready[S] | None:
        """The next one; None if there are no more. Raises what the iterable raises."""
        await self.look()
        if self._error is not None:
            raise self._error
        ready, self._next = self._next, None
        return ready

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._next is not None and not isinstance(self._next.opened, Exception):
            with suppress(Exception), self._next.opened[1].reading:  # whatever a source does
                pass
