"""DIMSE messages out of P-DATA fragments, without I/O: command sets whole, data sets in pieces (PS3.7 6.3, PS3.8 Annex E)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

import pdu
from dimse.association.events import Event
from dimse.association.negotiation import AcceptedContext
from dimse.data.commands import CommandSet
from dimse.errors import DataError, ProtocolError
from pdu.values import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A DIMSE message as its command set arrives; a data set that belongs to it is read next, in pieces."""

    context: AcceptedContext
    command: CommandSet


class Ended(Exception):
    """Data were wanted and another event stood in their place: the association's end."""

    def __init__(self, event: Event) -> None:
        super().__init__(event)
        self.event = event


class Inbox:
    """The events of one association in order, read as messages. Raises `ProtocolError` and `Ended`.

    `limit` is the longest command set that is taken, in bytes; a data set is never collected here.
    """

    def __init__(self, limit: int) -> None:
        self.contexts: Mapping[int, AcceptedContext] = {}
        self.open: Message | None = None
        """The message whose data set is to be read with `pieces` before the next message."""
        self._begun = 0
        self._limit = limit
        self._events: deque[Event] = deque()
        self._command = bytearray()
        self._context_id = 0

    @property
    def inside(self) -> int:
        """A number for the message that has begun and not ended; 0 between messages."""
        return self._begun if self._command or self.open is not None else 0

    def __bool__(self) -> bool:
        """Whether anything is there to be read."""
        return bool(self._events)

    def add(self, events: Iterable[Event]) -> None:
        """Takes what the upper layer told."""
        self._events.extend(events)

    def event(self) -> Event | None:
        """The next event as it is, for who does not await data."""
        return self._events.popleft() if self._events else None

    @property
    def ending(self) -> Event | None:
        """The event that ended the association, though messages that came before it may not have been read yet."""
        return next((event for event in self._events if not isinstance(event, pdu.Fragment)), None)

    def message(self) -> Message | None:
        """The next message's command set; None if it is not complete yet."""
        while self._events:
            event = self._events.popleft()
            if not isinstance(event, pdu.Fragment):
                raise Ended(event)
            self._add_to_command(event)
            if event.is_last:
                return self._decode()
        return None

    def pieces(self) -> tuple[list[memoryview], bool]:
        """What is there of the open message's data set, and whether that was its end."""
        pieces: list[memoryview] = []
        events, context_id = self._events, -1 if self.open is None else self.open.context.id
        while events:
            event = events.popleft()
            if type(event) is not pdu.Fragment:
                raise Ended(event)
            if event.is_command or event.context_id != context_id:
                raise ProtocolError("a data set is interrupted by another message", "PS3.8 Annex E.1")
            pieces.append(event.data)
            if event.is_last:
                self.open = None
                return pieces, True
        return pieces, False

    def _add_to_command(self, fragment: pdu.Fragment) -> None:
        if not fragment.is_command:
            raise ProtocolError("a data set came without its command set", "PS3.8 Annex E.1")
        if self._command and fragment.context_id != self._context_id:
            raise ProtocolError("a command set changes its presentation context", "PS3.8 Annex E.1")
        self._begun += not self._command
        self._context_id = fragment.context_id
        self._command += fragment.data
        if len(self._command) > self._limit:
            raise ProtocolError(f"a command set is longer than {self._limit} bytes", "Limits.command_set")

    def _decode(self) -> Message:
        encoded, self._command = bytes(self._command), bytearray()
        try:
            command = CommandSet.decode(encoded)
        except DataError as error:
            raise ProtocolError(f"a command set cannot be read: {error}", "PS3.7 6.3.1") from error
        return Message(self.contexts[self._context_id], command)
