"""Whatever messages the peer sends, provider and user raise only DimseError, answer nothing amiss, and end each sink exactly once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing

import pdu
from dimse.association.events import AbortIndication, Event, ReleaseIndication
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import Context, answer, propose
from dimse.association.table import State
from dimse.data.commands import NO_DATA_SET, CommandField, CommandSet
from dimse.data.datasets import DataSet
from dimse.data.elements import encode_element
from dimse.data.uids import (
    CTImageStorage,
    ImplicitVRLittleEndian,
    StudyRootFind,
    StudyRootGet,
    StudyRootMove,
    Verification,
)
from dimse.errors import DimseError
from dimse.services import scu
from dimse.services.handlers import Address
from dimse.services.memory import MemoryWire, Network
from dimse.services.offer import Offer
from dimse.services.scp import Provider, Report
from dimse.services.session import Session
from fuzz import seeds
from fuzz.choices import Choices, text
from fuzz.handlers import LIMITS, Kept, instance
from fuzz.target import Features, Target, require

FAILED = encode_element(0x00080058, "UI", b"1.2.3", ImplicitVRLittleEndian)
CONTEXTS = (
    Verification,
    Context(CTImageStorage, scp=True),
    StudyRootFind,
    StudyRootMove,
    StudyRootGet,
    Context(CTImageStorage, (ImplicitVRLittleEndian,)),
)
ARCHIVE = Address("ARCHIVE", "archive", 104)
IDS = (1, 3, 5, 7, 9, 11, 2, 255)
FIELDS = tuple(int(field) for field in CommandField)
QUERY = DataSet(b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY ", ImplicitVRLittleEndian)


def check(data: bytes) -> Features:
    """The first byte chooses whom the messages are sent to, the second the size of the chunks they arrive in."""
    choices = Choices(data)
    side = choices.below(2 * len(OPERATIONS))
    chunk = choices.number() * 16 or 1 << 20
    if side < len(OPERATIONS):
        return _check_user(chunk, choices, OPERATIONS[side])
    return _check_provider(chunk, choices)


def _check_provider(chunk: int, choices: Choices) -> Features:
    """A provider among messages and other things, and then the peer's release."""
    network, kept, reports = Network(), Kept(ARCHIVE), list[Report]()
    sent = b"".join(messages(choices))

    async def serve(wire: MemoryWire) -> None:
        reports.append(await Provider(Session(wire), kept.services, aet="ARCHIVE").serve())

    async def talk() -> list[Event]:
        wire = network.dial("archive", 104, UpperLayer.requestor(REQUEST, limits=LIMITS))
        await Session(wire).associate()
        network.chunk = chunk
        await wire.send([sent])
        wire.layer.release()
        events: list[Event] = []
        while not wire.layer.closed:
            events += await wire.pump()
        await wire.close()
        return events

    network.listen("archive", 104, serve)
    events = network.run(talk())
    network.settle()
    require(not any(report.errors for report in reports), "a handler failed, though none does")
    require(kept.opened == kept.ended, "a sink was not ended exactly once")
    require(kept.size <= sum(report.bytes_received for report in reports), "data came from nowhere")
    return (*_check_answers(events), *reports[-1].counts, bool(reports[-1].failed))


def _check_answers(events: list[Event]) -> tuple[str, ...]:
    """What the provider sends is sound: none of its PDUs was refused, and its command sets have what they must have."""
    command, names = b"", set[str]()
    for event in events:
        require(not isinstance(event, AbortIndication) or event.by_peer, f"the provider broke the protocol: {event}")
        if isinstance(event, pdu.Fragment) and event.is_command:
            command += event.data
            if event.is_last:
                sent, command = CommandSet.decode(command), b""
                require(not sent.missing(), f"{sent.name} lacks {sent.missing()}")
                names.add(f"{sent.name} {sent.status}")
    return (type(events[-1]).__name__, *names)


def _check_user(chunk: int, choices: Choices, operation: Operation) -> Features:
    """One operation of a user whose peer answers whatever it likes, and then only agrees to the release."""
    network, answers = Network(), b"".join(messages(choices))

    async def serve(wire: MemoryWire) -> None:
        session = Session(wire)
        reply = answer(await session.request(), Offer(Kept(ARCHIVE).services).choose)
        require(isinstance(reply, pdu.AssociateAC), "our own request is refused")
        if isinstance(reply, pdu.AssociateAC):
            session.accept(reply)
        network.chunk = chunk
        await wire.send([answers])
        while not wire.layer.closed and wire.layer.state is not State.STA13:
            for event in await wire.pump():
                if isinstance(event, ReleaseIndication):
                    wire.layer.respond_release()
        await session.finish()

    async def talk() -> str:
        session = Session(network.dial("archive", 104, UpperLayer.requestor(REQUEST, limits=LIMITS)))
        await session.associate()
        try:
            await operation(session)
            await session.release()
            return "released"
        except DimseError as error:
            require(bool(str(error)), "an error says nothing")
            return type(error).__name__
        finally:
            await session.abort()
            require(session.layer.closed or session.layer.state is State.STA13, f"left in Sta{session.layer.state}")

    network.listen("archive", 104, serve)
    return ((operation.__name__, network.run(talk())),)


async def _find(session: Session) -> None:
    """Leaves at the second match, which sends a C-CANCEL."""
    async with aclosing(scu.find(session, QUERY)) as matches:
        count = 0
        async for match in matches:
            count += 1
            require(isinstance(match, DataSet), "a match that is none")
            if count == 2:
                break


async def _store(session: Session) -> None:
    async for _, status in scu.store_all(session, [instance(number) for number in range(3)]):
        require(isinstance(status.words, str), "a status without words")


async def _move(session: Session) -> None:
    result = await scu.move(session, QUERY, to="ANYBODY")
    require(isinstance(result.status.words, str), "a status without words")


async def _echo(session: Session) -> None:
    await scu.echo(session)


Operation = Callable[[Session], Coroutine[object, None, None]]
OPERATIONS: tuple[Operation, ...] = (_echo, _store, _find, _move)


# The messages


def messages(choices: Choices) -> Iterator[bytes]:
    """The PDUs that the choices ask for, each introduced by a byte that tells its kind."""
    while choices:
        yield KINDS[choices.below(len(KINDS))](choices)


def _command(choices: Choices) -> bytes:
    """A command set of sound fields, some of which are left out."""
    context, field, present = choices.below(len(IDS)), FIELDS[choices.below(len(FIELDS))], choices.number()
    message_id, status = choices.below(4), STATUSES[choices.below(len(STATUSES))]
    request = {"message_id": message_id, "priority": 0, "affected_sop_instance_uid": INSTANCES[status % len(INSTANCES)]}
    fields: Mapping[str, object] = {
        "affected_sop_class_uid": CLASSES[context % len(CLASSES)],
        "command_data_set_type": NO_DATA_SET if present & 1 else 1,
        **({"message_id_being_responded_to": message_id, "status": status} if field & 0x8000 else request),
        "move_destination": DESTINATIONS[status % len(DESTINATIONS)],
    }
    kept = {name: value for bit, (name, value) in enumerate(fields.items()) if not present >> 2 & 1 << bit or not present & 2}
    command = CommandSet(int(field), **kept)  # type: ignore[arg-type]  # fields of a table
    return pdu.frames(IDS[context], True, command.encode(), 16384)


def _part(choices: Choices) -> bytes:
    """A command set or data set of any bytes, in PDUs of some size."""
    context, is_command, size = choices.below(len(IDS)), bool(choices.number() & 1), choices.number()
    return pdu.frames(IDS[context], is_command, choices.text(), max(size, 8))


def _pdv(choices: Choices) -> bytes:
    """One PDV of any kind."""
    context, flags = IDS[choices.below(len(IDS))], choices.number()
    return pdu.PDataTF((pdu.PDV(context, bool(flags & 1), bool(flags & 2), choices.text()),)).encode()


def _anything(choices: Choices) -> bytes:
    return choices.text()


KINDS: tuple[Callable[[Choices], bytes], ...] = (_command, _part, _pdv, _command, _part, _anything)
STATUSES = (0x0000, 0xFF00, 0xFF01, 0xFE00, 0xB000, 0x0122, 0xA700, 0x1234)
INSTANCES = ("1.2.3", "refused", "../../x", "")
DESTINATIONS = ("ARCHIVE", "ARCHIVE", "UNKNOWN")
CLASSES = (Verification, CTImageStorage, StudyRootFind, StudyRootMove, StudyRootGet, CTImageStorage, "1.2.3")
REQUEST = propose("ARCHIVE", "FUZZ", CONTEXTS, max_pdu=LIMITS.max_pdu)


def _seeds() -> Iterator[bytes]:
    provider = bytes((len(OPERATIONS),))
    for context, field in ((0, 0x30), (1, 1), (2, 0x20), (3, 0x21), (4, 0x10), (2, 0xFFF), (5, 1)):
        for without_data_set in (0, 1):
            request = _asks(context, field, without_data_set)
            yield provider + b"\0" + request
            yield provider + b"\1" + request + _data_set(context, QUERY.encoded) + request
            yield provider + b"\0" + request + _data_set(context, bytes(1500)) + request
    for side, field in enumerate((0x8030, 0x8001, 0x8020, 0x8021)):
        for status in range(len(STATUSES)):
            final = _answers(side, field, 0)
            yield bytes((side, 0)) + _answers(side, field, status)
            yield bytes((side, 0)) + _answers(side, field, status) + final
            pending = _answers(side, field, status, has_data_set=True) + _data_set(side, FAILED)
            yield bytes((side, 2)) + 3 * pending + final
    for name, part in seeds.parts().items():
        is_command = "-p-data-c-" in name
        yield from (bytes((side, 0, 1, side % 4, is_command, 200)) + text(part) for side in range(6))
    yield from seeds.findings("message")


def _answers(context: int, field: int, status: int, *, has_data_set: bool = False) -> bytes:
    """The choices of a sound response to the first request."""
    return bytes((0, context, FIELDS.index(field), not has_data_set, 1, status))


def _data_set(context: int, data: bytes) -> bytes:
    """The choices of a data set."""
    return bytes((1, context, 0, 200)) + text(data)


def _asks(context: int, field: int, without_data_set: int = 0) -> bytes:
    """The choices of a sound request."""
    return bytes((0, context, FIELDS.index(field), without_data_set, 1, 0))


TARGET = Target(
    check,
    _seeds,
    ("dimse.services.messages", "dimse.services.session", "dimse.services.scp", "dimse.services.scu", "dimse.services.subops"),
)
