"""What an `UpperLayer` tells its user: the indications and confirmations of PS3.8 clause 7, and the fragments of data."""

from __future__ import annotations

from collections.abc import Callable

import pdu
from dimse.association.negotiation import Agreement
from dimse.association.table import State
from pdu.typed import Literal
from pdu.values import dataclass, field


@dataclass(frozen=True, slots=True)
class AssociateIndication:
    """The peer asks for an association (PS3.8 7.1.1). Answer with `accept` or `reject`."""

    request: pdu.AssociateRQ


@dataclass(frozen=True, slots=True)
class AssociateRefusal:
    """The peer asked for an association that no user could accept; the upper layer has rejected it itself (AE-6, second case)."""

    answer: pdu.AssociateRJ


@dataclass(frozen=True, slots=True)
class AssociateConfirmation:
    """The peer accepted the association: data may go in both directions."""

    agreement: Agreement
    answer: pdu.AssociateAC


@dataclass(frozen=True, slots=True)
class AssociateRejection:
    """The peer rejected the association (A-ASSOCIATE-RJ); the transport is to be closed."""

    answer: pdu.AssociateRJ


@dataclass(frozen=True, slots=True)
class ReleaseIndication:
    """The peer asks for the release (PS3.8 7.2). Answer with `respond_release`."""


@dataclass(frozen=True, slots=True)
class ReleaseConfirmation:
    """The peer agreed to the release."""


@dataclass(frozen=True, slots=True)
class AbortIndication:
    """The association is gone by an A-ABORT (PS3.8 7.3 and 7.4).

    `by_peer`: the A-ABORT was received; source and reason are the peer's, any byte value. Otherwise this side sent it,
    because of `cause`: the peer's mistake in words, with the clause that it breaks.
    """

    source: int
    reason: int
    by_peer: bool
    cause: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The transport closed under the association (PS3.8 9.2.3, AA-4 and AA-5)."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A wait of `Timeouts` passed; the association was aborted or, in Sta2, the transport is to be closed."""

    wait: str
    seconds: float


Event = (
    pdu.Fragment
    | AssociateIndication
    | AssociateRefusal
    | AssociateConfirmation
    | AssociateRejection
    | ReleaseIndication
    | ReleaseConfirmation
    | AbortIndication
    | ConnectionClosed
    | TimedOut
)
"""What `receive`, `receive_eof` and `timeout` return. `pdu.Fragment` is the P-DATA indication."""


class Traced:
    """An association as a trace knows it: the same object in all records of one end, and different from all others.

    `peer` is the peer's transport address (`host:port`), empty until the transport is there or if nobody told it.
    """

    __slots__ = ("__weakref__", "is_requestor", "peer")

    def __init__(self, is_requestor: bool) -> None:
        self.is_requestor = is_requestor
        self.peer = ""


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """One PDU or other event as it passed the state machine.

    `direction` is "in" (from the peer), "out" (to the peer) or "event" (transport, timer, user). `what` is the PDU, what is
    wrong with bytes that are none, or words: of an event, or of a PDU that did not come to its end. `encoded` are its bytes.
    """

    direction: Literal["in", "out", "event"]
    what: pdu.PDU | pdu.PDUError | str
    before: State
    after: State
    association: Traced
    encoded: bytes = field(default=b"", repr=False)


Trace = Callable[[TraceRecord], None]
"""Called for each record, synchronously."""
