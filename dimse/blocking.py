"""The blocking front: sockets. Its `Server`, with a thread for each association, is in `dimse.server`. No service logic lives here.

with dimse.connect("pacs", 104, called="PACS", contexts=[dimse.Verification]) as association:
    print(association.echo())
"""

from __future__ import annotations

import contextlib
import functools

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import propose
from dimse.services import scu
from dimse.services.session import Negotiated, Session, check_undisturbed
from dimse.sockets import SocketWire, dial, drive
from pdu.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
    from types import TracebackType
    from typing import Concatenate, ParamSpec, Self, TypeVar

    from dimse.association.events import Trace
    from dimse.association.negotiation import Context, Extended
    from dimse.server import Server
    from dimse.services.security import TLS
    from dimse.services.users import Identity

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Association", "Server", "SocketWire", "connect", "dial", "drive", "interrupt"]


if not TYPE_CHECKING:  # whom it would keep from saying that there is no such name

    def __getattr__(name: str) -> object:
        """`Server` is imported when it is first named: who only asks others needs nothing of what a provider needs."""
        if name == "Server":
            from dimse.server import Server

            return Server
        raise AttributeError(f"module 'dimse.blocking' has no attribute {name!r}")


def _operation(service: Callable[Concatenate[Session, P], Coroutine[object, None, R]]) -> Callable[Concatenate[Association, P], R]:
    """A service coroutine as a method."""

    @functools.wraps(service)
    def method(self: Association, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with _aborting(self.session):
            drive(self.session.settle())
            return drive(service(self.session, *args, **kwargs))

    return method


def _iteration(service: Callable[Concatenate[Session, P], AsyncGenerator[R, None]]) -> Callable[Concatenate[Association, P], Iterator[R]]:
    """A service's async generator as a method that returns an iterator; leaving the iterator ends the operation."""

    @functools.wraps(service)
    def method(self: Association, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        with _aborting(self.session):
            drive(self.session.settle())
            running = self.session.running = service(self.session, *args, **kwargs)
            try:
                while True:
                    try:
                        result = drive(running.__anext__())
                    except StopAsyncIteration:
                        break
                    yield result
                check_undisturbed(self.session, running)
            finally:
                drive(running.aclose())

    return method


@contextlib.contextmanager
def _aborting(session: Session) -> Iterator[None]:
    """An interruption (KeyboardInterrupt and its like) leaves no half message behind but an aborted association."""
    try:
        yield
    except (Exception, GeneratorExit):
        raise
    except BaseException:
        drive(session.abort())
        raise


class Association(Negotiated):
    """An association that this side asked for. A context manager: leaves by a release, on an exception by an abort.

    One operation at a time; an iteration that was left half way is cancelled before the next operation begins.
    """

    def __init__(self, session: Session, answer: pdu.AssociateAC) -> None:
        self.session = session
        self.answer = answer

    echo = _operation(scu.echo)
    store = _operation(scu.store)
    store_all = _iteration(scu.store_all)
    find = _iteration(scu.find)
    move = _operation(scu.move)
    get = _operation(scu.get)

    def release(self) -> None:
        """Ends the association in good order (PS3.8 7.2)."""
        with _aborting(self.session):
            drive(self.session.release())

    def abort(self) -> None:
        """Ends the association at once (PS3.8 7.3); does nothing after it has ended."""
        drive(self.session.abort())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None and self.session.alive:
            self.release()
        else:
            self.abort()


def connect(
    host: str,
    port: int,
    *,
    called: str = "ANY-SCP",
    calling: str = "DIMSE",
    contexts: Sequence[Context | str],
    operations: int = 1,
    tls: TLS | None = None,
    identity: Identity | None = None,
    extended: Extended = (),
    timeouts: Timeouts = Timeouts(),
    limits: Limits = Limits(),
    trace: Trace | None = None,
) -> Association:
    """Asks the AE `called` at `host:port` for an association (PS3.8 7.1).

    `contexts` are abstract syntaxes, or `Context`s with their transfer syntaxes and roles; `operations` the window of
    operations under way to ask for (0: no limit). `tls` secures the connection; `identity` is this side's user. `extended` is
    the application information to propose by SOP class (PS3.7 D.3.3.5): what the peer grants is the association's `extended`. Raises
    `Unreachable`, `TLSFailed`, `Rejected`, `Aborted`, `TimedOut`, `ConnectionLost`.
    """
    shown = identity.item(secured=tls is not None and not tls.unsafe_no_verify) if identity else None
    request = propose(called, calling, contexts, max_pdu=limits.max_pdu, operations=operations, identity=shown, extended=extended)
    layer = UpperLayer.requestor(request, timeouts=timeouts, limits=limits, trace=trace)
    session = Session(dial(host, port, layer, tls))
    try:
        return Association(session, drive(session.associate()))
    except BaseException:
        drive(session.abort())
        raise


def interrupt(association: Association) -> None:
    """From another thread: ends the wait for the peer. The operation that waits aborts the association and raises `Aborted`."""
    if isinstance(wire := association.session.wire, SocketWire):  # as that of `connect` is
        wire.interrupt()
