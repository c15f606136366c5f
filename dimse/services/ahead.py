"""Instances that are to be sent, the next of which is made ready before its turn: this side reads while the peer writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType

from dimse.association.negotiation import AcceptedContext
from dimse.data.commands import CommandSet
from dimse.services.session import Session
from pdu.typed import TYPE_CHECKING, Generic, TypeVar
from pdu.values import dataclass

if TYPE_CHECKING:
    from typing import Self

    from dimse.data.protocols import Reading, Source

S = TypeVar("S", bound="Source")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A C-STORE that needs no more than to be sent: a source that is open already, and can be read once.

    `framed` is the message as far as it has been made already; nothing where it may go together with others.
    """

    context: AcceptedContext
    command: CommandSet
    size: int
    reading: Reading
    framed: Iterator[bytes | memoryview] | None

    @classmethod
    def of(cls, session: Session, context: AcceptedContext, command: CommandSet, source: Source, *, alone: bool) -> Prepared:
        """Opens a source. Of one that goes `alone` the first data are read, too. Raises `DataError` or `OSError`."""
        reading = source.open()
        try:
            framed = session.framed(context, command, source.size, reading) if alone else None
        except BaseException:
            _close(reading)
            raise
        return cls(context, command, source.size, reading, framed)

    async def send(self, session: Session) -> None:
        """Sends it at once; where others may be under way, together with them."""
        with self.reading:
            if self.framed is None:
                await session.send_soon(self.context, self.command, self.size, self.reading)
            else:
                await session.send_framed(self.context, self.framed, self.size)


Prepare = Callable[["Source"], Awaitable[Prepared]]
"""Finds the context that an instance can go in, and opens it as it goes there."""


@dataclass(frozen=True, slots=True)
class Ready(Generic[S]):
    """An instance whose turn comes next, or what is wrong with it."""

    source: S
    prepared: Prepared | Exception

    def check(self) -> Prepared:
        """What there is to send. Raises what went wrong."""
        if isinstance(self.prepared, Exception):
            raise self.prepared
        return self.prepared


class Ahead(Generic[S]):
    """The instances that an iterable gives, one after the other; leave it as a context manager to close what was opened."""

    def __init__(self, sources: Iterable[S], prepare: Prepare) -> None:
        self._waiting: Iterator[S] = iter(sources)
        self._prepare = prepare
        self._next: Ready[S] | None = None
        self._error: Exception | None = None
        self.exhausted = False

    async def look(self) -> None:
        """Makes the next one ready, if that is not done. What goes wrong is told in its turn."""
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
            self._next = Ready(source, await self._prepare(source))
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
        if self._next is not None and not isinstance(self._next.prepared, Exception):
            _close(self._next.prepared.reading)


def _close(reading: Reading) -> None:
    with suppress(Exception), reading:  # whatever a source does
        pass
