"""C-FIND as provider (PS3.7 9.1.2, PS3.4 C.4.1): a handler's matches as they go out, and the status that they end with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from dimse.data import status as codes
from dimse.data.datasets import DataSet
from dimse.data.status import Status
from dimse.data.uids import UID
from dimse.errors import Refused
from dimse.services.answers import pending
from dimse.services.handlers import Find, Match, Matches, Request
from dimse.services.scu import HAS_DATA_SET
from dimse.services.session import Session

BUFFER = 65_536
"""Bytes of identifiers that leave together: a handler may give all there is in one list, and a peer takes one buffer in `Timeouts.send`."""
Found = tuple[Status, DataSet]
"""A match that can go out: its status is pending, its data set in the context's transfer syntax."""


async def find(session: Session, handler: Find | None, request: Request, *, failure: Callable[[Exception], Status]) -> Status:
    """Sends the handler's matches; returns the status of the final response, which the caller sends.

    Matches that the handler yields together leave together, and for each such list the peer is listened to once.
    `failure` turns a handler's exception into a status.
    """
    with closing(_Matches(handler, request, session.layer.limits.matches, failure)) as matches:
        for found in matches:
            await session.poll()
            if session.cancelled:
                return Status(codes.CANCEL, service="C-FIND")
            await _send(session, request, found)
        return matches.status


async def _send(session: Session, request: Request, found: Sequence[Found]) -> None:
    """Sends some matches: one by itself piece by piece, for it may be long, several as one buffer."""
    for status, identifiers in _together(found):
        response = request.command.response(status, command_data_set_type=HAS_DATA_SET)
        if len(identifiers) == 1:
            await session.send(request.context, response, identifiers[0])
        else:
            await session.send_all(request.context, response, [identifier.encoded for identifier in identifiers])


def _together(found: Sequence[Found]) -> Iterator[tuple[Status, list[DataSet]]]:
    """Those one after the other that have the same status, and so the same command set, as many as one buffer is to hold."""
    alike: list[DataSet] = []
    size, last = 0, _PENDING
    for status, identifier in found:
        length = len(identifier.encoded)
        if alike and (status is not last or size + length > BUFFER):  # no two that compare equal need have the same comment
            yield last, alike
            alike, size = [], 0
        alike.append(identifier)
        size, last = size + length, status
    if alike:
        yield last, alike


_PENDING = Status(codes.PENDING)
_END = (_PENDING, DataSet(b"", UID("")))
"""What stands for the end of the matches; compared by identity."""


class _Matches:
    """The find handler's matches, as they go out: an exception of the handler ends them and becomes the final status."""

    def __init__(self, handler: Find | None, request: Request, limit: int, failure: Callable[[Exception], Status]) -> None:
        self.status = Status(codes.SUCCESS, service="C-FIND")
        self._failure = failure
        self._transfer_syntax = request.context.transfer_syntax
        self._limit = self._left = limit
        self._last = _PENDING
        self._matches: Iterator[Matches] = iter(())
        try:
            self._matches = iter(handler(request) if handler is not None else ())
        except Exception as error:
            self.status = failure(error)

    def __iter__(self) -> Iterator[Sequence[Found]]:
        while True:
            found: list[Found] = []
            try:
                given = next(self._matches, _END)
                if given is _END:
                    return
                for match in () if given is None else given if isinstance(given, list) else (given,):
                    found.append(self._found(match))  # noqa: PERF401 - those before one that fails are kept
            except Exception as error:
                self.status = self._failure(error)
                if found:  # those before it are good
                    yield found
                return
            yield found

    def _found(self, match: Match) -> Found:
        self._left -= 1
        if self._left < 0:
            raise Refused(codes.OUT_OF_RESOURCES, f"there are more than {self._limit} matches: ask for fewer")
        given, identifier = match if isinstance(match, tuple) else (_PENDING, match)
        if given is not self._last:
            self._last = pending(given)
        return self._last, identifier.encoded_as(self._transfer_syntax)

    def close(self) -> None:
        """Closes the handler's iterator, if it is one that can be closed."""
        close = getattr(self._matches, "close", None)
        try:
            if close is not None:
                close()
        except Exception as error:
            self._failure(error)
