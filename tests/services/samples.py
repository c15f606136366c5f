"""Made-up instances, sinks that keep account, and messages made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pdu
from dimse.association.negotiation import AcceptedContext
from dimse.data import status
from dimse.data.commands import NO_DATA_SET, CommandField, CommandSet
from dimse.data.datasets import DataSet, query
from dimse.data.protocols import Source
from dimse.data.sources import BytesSource
from dimse.data.uids import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    StudyRootFind,
    StudyRootGet,
    StudyRootMove,
    Verification,
)
from dimse.errors import Refused
from dimse.services.handlers import Address, Answer, Match, Request
from dimse.services.session import Session


def instance(number: int, size: int = 64, *, transfer_syntax: str = ExplicitVRLittleEndian, sop_class: str = CTImageStorage) -> BytesSource:
    """An instance whose data set is `size` bytes that no other instance has."""
    pattern = number.to_bytes(4, "big") + bytes(range(256))
    encoded = (pattern * (size // len(pattern) + 1))[:size]
    return BytesSource(encoded, UID(sop_class), UID(f"1.2.826.0.1.{number}"), UID(transfer_syntax))


def real_instance(number: int, transfer_syntax: str = ExplicitVRLittleEndian) -> BytesSource:
    """An instance whose data set is one, and can be converted."""
    data = query(None, SOPInstanceUID=f"1.2.826.0.1.{number}", PatientName="Doe^Made Up", PatientID=str(number)).encoded_as(transfer_syntax)
    return BytesSource(data.encoded, CTImageStorage, UID(f"1.2.826.0.1.{number}"), UID(transfer_syntax))


@dataclass
class Account:
    """A store that keeps instances in memory and fails when it is told to. `sink` is its `Services.sink`."""

    fail_open: BaseException | None = None
    fail_write: BaseException | None = None
    fail_finish: BaseException | None = None
    fail_discard: BaseException | None = None
    status: Answer = None
    kept: list[tuple[Request, bytes]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    opened: Callable[[], object] = lambda: None

    def sink(self, request: Request) -> AccountSink:
        self.calls.append("open")
        _fail(self.fail_open)
        self.opened()
        return AccountSink(self, request)

    @property
    def stored(self) -> dict[str, bytes]:
        return {request.command.affected_sop_instance_uid or "": data for request, data in self.kept}


class AccountSink:
    def __init__(self, account: Account, request: Request) -> None:
        self._account = account
        self._request = request
        self._data = bytearray()

    def write(self, pieces: Sequence[memoryview]) -> None:
        if self._account.calls[-1] != "write":
            self._account.calls.append("write")
        _fail(self._account.fail_write)
        for piece in pieces:
            self._data += piece

    def finish(self) -> Answer:
        self._account.calls.append("finish")
        _fail(self._account.fail_finish)
        self._account.kept.append((self._request, bytes(self._data)))
        return self._account.status

    def discard(self) -> None:
        self._account.calls.append("discard")
        _fail(self._account.fail_discard)


def _fail(error: BaseException | None) -> None:
    if error is not None:
        raise error


@dataclass
class Matches:
    """A find handler: so many matches, or without end; tells whether its iterator was closed or came to its end."""

    count: int | None
    before: BaseException | None = None
    behind: BaseException | None = None
    requests: list[Request] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Iterator[Match]:
        self.requests.append(request)
        _fail(self.before)
        return self._yield()

    def _yield(self) -> Iterator[Match]:
        number = 0
        try:
            while number != self.count:
                yield match(number)
                number += 1
                assert number < 1_000_000, "nobody cancels"
            _fail(self.behind)
            self.ended.append("exhausted")
        except GeneratorExit:
            self.ended.append("closed")
            raise


def match(number: int) -> DataSet:
    """One match, made without pydicom: (0010,0020) Patient ID."""
    value = f"{number:08}".encode()
    return DataSet(b"\x10\x00\x20\x00\x08\x00\x00\x00" + value, ImplicitVRLittleEndian)


def number_of(found: DataSet) -> int:
    return int(next(bytes(e.value) for e in found.elements() if e.tag == 0x00100020))


QUERY = DataSet(b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY ", ImplicitVRLittleEndian)


@dataclass
class Mover:
    """The `get`, `move` and `where` of an archive that holds these instances."""

    sources: Sequence[Source]
    places: dict[str, Address] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def move(self, request: Request) -> Sequence[Source]:
        self.requests.append(request)
        return self.sources

    def where(self, request: Request, aet: str) -> Address:
        if aet not in self.places:
            raise Refused(status.MOVE_DESTINATION_UNKNOWN, f"nobody is {aet}")
        return self.places[aet]


# Messages made by hand

CLASSES = {
    CommandField.C_ECHO_RQ: Verification,
    CommandField.C_STORE_RQ: CTImageStorage,
    CommandField.C_FIND_RQ: StudyRootFind,
    CommandField.C_GET_RQ: StudyRootGet,
    CommandField.C_MOVE_RQ: StudyRootMove,
}


def request(field: CommandField, message_id: int = 1, **fields: object) -> CommandSet:
    """A sound request; `fields` change it, None leaves a field out."""
    given: dict[str, object] = {
        "affected_sop_class_uid": CLASSES[field],
        "message_id": message_id,
        "command_data_set_type": NO_DATA_SET if field == CommandField.C_ECHO_RQ else 0,
        "priority": None if field == CommandField.C_ECHO_RQ else 0,
        "affected_sop_instance_uid": "1.2.3" if field == CommandField.C_STORE_RQ else None,
        "move_destination": "DEST" if field == CommandField.C_MOVE_RQ else None,
    }
    return CommandSet(field, **{**given, **fields})  # type: ignore[arg-type]  # fields of a table


def cancel(message_id: int) -> CommandSet:
    return CommandSet(CommandField.C_CANCEL_RQ, message_id_being_responded_to=message_id, command_data_set_type=NO_DATA_SET)


def frames(context_id: int, command: CommandSet | bytes, data: bytes | None = None) -> bytes:
    """A message's PDUs: a command set, be it none, and its data set."""
    encoded = command.encode() if isinstance(command, CommandSet) else command
    return pdu.frames(context_id, True, encoded, 16384) + (b"" if data is None else pdu.frames(context_id, False, data, 16384))


async def answers(session: Session) -> tuple[CommandSet, bytes]:
    """The next message and its data set."""
    message = await session.receive()
    return message.command, await session.data_set(1 << 30)


async def exchange(session: Session, *messages: bytes) -> CommandSet:
    """Sends what was made by hand in one piece and gives the first answer."""
    await session.wire.send([b"".join(messages)])
    return (await answers(session))[0]


async def respond(session: Session, context: AcceptedContext, command: CommandSet, status: int = 0) -> None:
    await session.send(context, command.response(status))
