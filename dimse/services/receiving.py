"""One C-STORE as it is received, by a provider or by the user of a C-GET: between the association and a sink (PS3.7 9.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dimse.data import status as codes
from dimse.data.datasets import DataSet
from dimse.data.status import Status
from dimse.errors import Refused
from dimse.services.answers import ending
from dimse.services.handlers import Answer, Request, Sink
from dimse.services.messages import Message
from dimse.services.session import Session

Failure = Callable[[Exception], Status]
"""What the exception of a handler is answered with."""


async def receive(session: Session, open_sink: Callable[[], Sink], limit: int, failure: Failure) -> Status:
    """Takes the open message's data set into the sink; the status of the operation, whatever the sink does.

    At most `limit` bytes. A sink that fails gets no more bytes, and the rest is read and dropped.
    """
    receiving = _Receiving(open_sink, limit, failure)
    try:
        await session.stream(receiving.write)
    except BaseException:
        receiving.discard()
        raise
    return receiving.finish()


def fault_of(message: Message) -> Status | None:
    """What is wrong with a request's command set, whatever the operation: a field that is missing, another SOP class than the context's."""
    command = message.command
    if missing := command.missing():
        return Status(codes.MISTYPED_ARGUMENT, f"missing in the command set: {missing[0]}", service=command.service)
    if command.affected_sop_class_uid != message.context.abstract_syntax:
        return Status(codes.SOP_CLASS_NOT_SUPPORTED, "the SOP class is not the presentation context's", service=command.service)
    return None


class _Receiving:
    """Stands between the association and a sink."""

    def __init__(self, open_sink: Callable[[], Sink], limit: int, failure: Failure) -> None:
        self._left = limit
        self._failure = failure
        self._failed: Exception | None = None
        self._sink: Sink | None = None
        try:
            self._sink = open_sink()
        except Exception as error:
            self._failed = error

    def write(self, pieces: Sequence[memoryview]) -> None:
        if self._sink is None:
            return
        self._left -= sum(map(len, pieces))
        try:
            if self._left < 0:
                raise Refused(codes.OUT_OF_RESOURCES, "the data set is longer than this provider takes")
            self._sink.write(pieces)
        except Exception as error:
            self._failed = error
            self.discard()

    def finish(self) -> Status:
        """Keeps the data set and gives the operation's status."""
        sink, self._sink = self._sink, None
        if self._failed is not None or sink is None:
            return self._failure(self._failed or RuntimeError("no sink"))
        try:
            return ending(sink.finish())
        except Exception as error:  # a handler's mistake must not end the association
            return self._failure(error)

    def discard(self) -> None:
        sink, self._sink = self._sink, None
        try:
            if sink is not None:
                sink.discard()
        except Exception as error:
            self._failure(error)


class Collector:
    """The sink of `Services.store`: collects the data set in memory."""

    def __init__(self, store: Callable[[Request, DataSet], Answer], request: Request) -> None:
        self._store = store
        self._request = request
        self._held = bytearray()  # no list of the pieces: they may be of two bytes, or none

    def write(self, pieces: Sequence[memoryview]) -> None:
        for piece in pieces:
            self._held += piece

    def finish(self) -> Answer:
        encoded, self._held = bytes(self._held), bytearray()
        return self._store(self._request, DataSet(encoded, self._request.context.transfer_syntax))

    def discard(self) -> None:
        self._held = bytearray()
