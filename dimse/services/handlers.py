"""What a provider is made of: plain callables, one per service, and the values they are given.

    Services(echo=..., sink=..., store=..., find=..., get=..., move=..., where=..., extended=...)

A service without its callable is not offered at negotiation. A handler fails an operation by `raise Refused(status,
comment)`; any other exception is reported to the front's log and answered 0110H (PS3.7 C.5.16, processing failure). Either
way the association goes on. Handlers run where the front runs them: in the association's thread in `dimse.blocking`, in the
event loop in `dimse.aio`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from dimse.association.negotiation import AcceptedContext
from dimse.data.commands import CommandSet
from dimse.data.datasets import DataSet
from dimse.data.status import Status
from dimse.data.uids import UID
from dimse.services.security import TLS, Security
from pdu.values import dataclass, field

if TYPE_CHECKING:
    from dimse.data.protocols import Source

Answer = Status | int | None
"""What a handler says of an operation: a status, or None for 0000H."""
Match = DataSet | tuple[Status, DataSet]
"""What a find handler finds: an identifier (pending, FF00H), or one with the pending status that goes with it (FF01H)."""
Matches = Match | list[Match] | None
"""What a find handler yields: a match; several that are there at once, which leave together; None where nothing is there yet."""


@dataclass(frozen=True, slots=True)
class User:
    """The person or system that uses a peer, as its user identity has it (PS3.7 D.3.3.7): the name, and the type of identity.

    `proven` is false for a name that was only told. `response` goes back to a peer that asks for one (a ticket, an assertion).
    """

    name: str
    type: int
    proven: bool = True
    response: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is on the other side: AE titles as negotiated, and the transport address as `host:port`.

    `security` has the certificate, `user` the person or system that uses the peer; None where there is none.
    """

    calling: str
    called: str
    address: str
    security: Security | None = None
    user: User | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One operation that the peer asks for: its command set, the context it came on, and for C-FIND, C-GET and C-MOVE its identifier.

    `extended` is the application information that was agreed for the SOP class (PS3.7 D.3.3.5): which of the options of the service
    may be used. Empty where nothing was.
    """

    peer: Peer
    command: CommandSet
    context: AcceptedContext
    identifier: DataSet | None = None
    extended: bytes = b""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an AE listens (PS3.15 H.1.1.3), and with which TLS, if it wants any."""

    aet: str
    host: str
    port: int
    tls: TLS | None = None


Find = Callable[[Request], Iterable[Matches]]
"""A find handler."""


class Sink(Protocol):
    """Takes the data set of one C-STORE. Opened when the command set is in, before any data come.

    Exactly one of `finish` and `discard` is called, once, whatever happens.
    """

    def write(self, pieces: Sequence[memoryview]) -> None:
        """Takes the next bytes of the data set. The pieces are valid during the call only."""

    def finish(self) -> Answer:
        """Keeps the data set: all of it came. What it returns is the C-STORE status; may raise `Refused`."""

    def discard(self) -> None:
        """Leaves nothing behind: the data set did not end, or `write` raised."""


def answer_echo(request: Request) -> Answer:
    """Answers 0000H, which is all that the Verification SOP Class knows (PS3.4 Annex A)."""
    return None


@dataclass(frozen=True, slots=True)
class Services:
    """The services a provider offers.

    sink   C-STORE, streamed: opens a `Sink` for the request.
    store  C-STORE, whole: called with the data set in memory. Give one of `sink` and `store`.
    find   C-FIND: an iterable of matches; closing its iterator is what C-CANCEL does. A search that may take long between two
           matches yields None now and then, so that a C-CANCEL is seen. Matches in a list cost the least; the peer is listened to
           once for all of them.
    get    C-GET: the instances to send back on this association.
    move   C-MOVE: the instances to send to the destination.
    where  C-MOVE: the address of the destination AE title; raises `Refused(0xA801)` for one that is not known.
    extended  the options of the services: what is granted of the application information that was proposed for a SOP class (PS3.7
           D.3.3.5); None if nothing is to be said of it. What was granted comes with each `Request`.
    """

    echo: Callable[[Request], Answer] | None = answer_echo
    sink: Callable[[Request], Sink] | None = None
    store: Callable[[Request, DataSet], Answer] | None = None
    find: Find | None = None
    get: Callable[[Request], Sequence[Source]] | None = None
    move: Callable[[Request], Sequence[Source]] | None = None
    where: Callable[[Request, str], Address] | None = None
    extended: Callable[[UID, bytes], bytes | None] | None = None

    def __post_init__(self) -> None:
        if self.sink is not None and self.store is not None:
            raise ValueError("give Services either sink (streamed) or store (whole), not both: each C-STORE goes to one of them")
        if self.move is not None and self.where is None:
            raise ValueError("Services(move=...) needs where=..., which tells the address of a destination AE title")
