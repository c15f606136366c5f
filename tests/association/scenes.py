"""Bytes of a peer, and how an `UpperLayer` gets into each state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.events import Event, Trace
from dimse.association.layer import UpperLayer
from dimse.association.table import State
from tests.pdu.reading import joined
from tests.vectors import (
    APPLICATION,
    CT,
    EXPLICIT,
    IMPLICIT,
    LITTLE_USER,
    VERIFICATION,
    raw_associate,
    raw_context,
    raw_item,
    raw_pdu,
    raw_pdv,
)


def raw_result(context_id: int, result: int, *transfer: str) -> bytes:
    """The answer to a presentation context."""
    return raw_item(0x21, bytes((context_id, 0, result, 0)), *(raw_item(0x40, uid.encode()) for uid in transfer))


RQ = raw_associate(1, APPLICATION, raw_context(1, VERIFICATION, IMPLICIT), raw_context(3, CT, EXPLICIT, IMPLICIT), LITTLE_USER)
"""Contexts 1 and 3, of which the second is refused."""
AC = raw_associate(2, APPLICATION, raw_result(1, 0, IMPLICIT), raw_result(3, 3, EXPLICIT), LITTLE_USER)
BAD_RQ = raw_associate(1, APPLICATION, raw_context(1, VERIFICATION, IMPLICIT), LITTLE_USER, version=2)
"""Of a protocol version that no provider of this standard knows."""
RJ = bytes.fromhex("03 00 00000004 00 01 01 01")
DATA = raw_pdu(4, raw_pdv(1, 3, b"abcd"))
RELEASE_RQ = bytes.fromhex("05 00 00000004 00000000")
RELEASE_RP = bytes.fromhex("06 00 00000004 00000000")
ABORT = bytes.fromhex("07 00 00000004 0000 00 00")
UNKNOWN = raw_pdu(9, bytes(4))


def raw_abort(source: int, reason: int) -> bytes:
    """An A-ABORT."""
    return raw_pdu(7, bytes((0, 0, source, reason)))


def as_request(data: bytes) -> pdu.AssociateRQ:
    """The value of an A-ASSOCIATE-RQ."""
    value = pdu.decode(data)
    assert isinstance(value, pdu.AssociateRQ)
    return value


def as_acceptance(data: bytes) -> pdu.AssociateAC:
    """The value of an A-ASSOCIATE-AC."""
    value = pdu.decode(data)
    assert isinstance(value, pdu.AssociateAC)
    return value


REQUEST, ACCEPTANCE = as_request(RQ), as_acceptance(AC)
REJECTION = pdu.AssociateRJ(1, 1, 1)

Step = bytes | Callable[[UpperLayer], object]
"""Bytes that come, or a call."""


def accept(layer: UpperLayer) -> None:
    """Our user accepts."""
    layer.accept(ACCEPTANCE)


def reject(layer: UpperLayer) -> None:
    """Our user rejects."""
    layer.reject(REJECTION)


_UP_R: tuple[Step, ...] = (UpperLayer.connected, AC)
_UP_A: tuple[Step, ...] = (UpperLayer.connected, RQ, accept)
AS_REQUESTOR: Mapping[int, tuple[Step, ...]] = {
    4: (),
    5: (UpperLayer.connected,),
    6: _UP_R,
    7: (*_UP_R, UpperLayer.release),
    8: (*_UP_R, RELEASE_RQ),
    9: (*_UP_R, UpperLayer.release, RELEASE_RQ),
    11: (*_UP_R, UpperLayer.release, RELEASE_RQ, UpperLayer.respond_release),
    13: (*_UP_R, UpperLayer.abort),
}
AS_ACCEPTOR: Mapping[int, tuple[Step, ...]] = {
    1: (),
    2: (UpperLayer.connected,),
    3: (UpperLayer.connected, RQ),
    6: _UP_A,
    7: (*_UP_A, UpperLayer.release),
    8: (*_UP_A, RELEASE_RQ),
    10: (*_UP_A, UpperLayer.release, RELEASE_RQ),
    12: (*_UP_A, UpperLayer.release, RELEASE_RQ, RELEASE_RP),
    13: (UpperLayer.connected, RQ, reject),
}


def bring(
    state: int, *, is_requestor: bool, timeouts: Timeouts = Timeouts(), limits: Limits = Limits(), trace: Trace | None = None
) -> UpperLayer:
    """A layer in that state, with nothing left to send."""
    if is_requestor and state == State.STA1:
        return UpperLayer(is_requestor=True, timeouts=timeouts, limits=limits, trace=trace)
    if is_requestor:
        layer = UpperLayer.requestor(REQUEST, timeouts=timeouts, limits=limits, trace=trace)
    else:
        layer = UpperLayer.acceptor(timeouts=timeouts, limits=limits, trace=trace)
    for step in (AS_REQUESTOR if is_requestor else AS_ACCEPTOR)[state]:
        if isinstance(step, bytes):
            layer.receive(step)
        else:
            step(layer)
    layer.data_to_send()
    assert layer.state == state
    return layer


def roles_in(state: int) -> list[bool]:
    """Which sides can be in that state: True is the requestor."""
    return [role for role in (True, False) if state in (AS_REQUESTOR if role else AS_ACCEPTOR) or (role and state == 1)]


def sent(layer: UpperLayer) -> bytes:
    """What the layer has to send."""
    return b"".join(layer.data_to_send())


def byte_by_byte(layer: UpperLayer, data: bytes) -> list[Event]:
    """Feeds one byte at a time."""
    return [event for at in range(len(data)) for event in layer.receive(data[at : at + 1])]


def source_of(data: bytes, most: int = 1 << 30) -> Callable[[list[memoryview]], int]:
    """A `readv` over the data that gives `most` bytes at a time."""
    at = 0

    def readv(holes: list[memoryview]) -> int:
        nonlocal at
        start = at
        for hole in holes:
            piece = data[at : min(at + len(hole), start + most)]
            hole[: len(piece)] = piece
            at += len(piece)
        return at - start

    return readv


def untimed(**waits: float) -> Timeouts:
    """No wait but those that are given."""
    never: dict[str, float | None] = dict.fromkeys(Timeouts.__dataclass_fields__)
    return Timeouts(**{**never, **waits})


SEVERAL = raw_pdu(4, raw_pdv(1, 3, b"echo"), raw_pdv(1, 3, b"store"), raw_pdv(1, 0, b"da")) + raw_pdu(4, raw_pdv(1, 2, b"ta"))
"""Three parts of messages in two PDUs."""
STREAM = AC + DATA + SEVERAL + raw_pdu(4, raw_pdv(1, 3, b""), raw_pdv(1, 0xFF, bytes(100))) + RELEASE_RQ


def parts(events: Sequence[Event]) -> list[object]:
    """The events, with the fragments of one part joined."""
    result: list[object] = []
    run: list[pdu.PDU | pdu.Fragment] = []
    for event in events:
        if isinstance(event, pdu.Fragment):
            run.append(event)
        else:
            result += [*joined(run), event]
            run = []
    return result + list(joined(run))


def feed(layer: UpperLayer, chunks: list[bytes]) -> list[object]:
    """What comes out of the chunks."""
    return parts([event for chunk in chunks for event in layer.receive(chunk)])


def kinds(events: Sequence[Event]) -> list[type[Event]]:
    """The classes of the events."""
    return [type(event) for event in events]


def outline(events: Sequence[Event]) -> list[object]:
    """The parts, and the classes of what is no data."""
    return [part if isinstance(part, tuple) else type(part) for part in parts(events)]


def is_silent(layer: UpperLayer, chunk: bytes) -> bool:
    """Whether nothing comes of these bytes."""
    return not layer.receive(chunk) and not layer.data_to_send()
