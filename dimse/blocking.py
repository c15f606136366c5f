"""The blocking front: sockets, and one thread for each association that a `Server` serves. No service logic lives here.

with dimse.connect("pacs", 104, called="PACS", contexts=[dimse.Verification]) as association:
    print(association.echo())
"""

from __future__ import annotations

import contextlib
import functools
import logging
import selectors
import socket
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.events import Trace
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import Context, Extended, propose
from dimse.errors import UsageError, without_values
from dimse.services import getting, scu
from dimse.services.reception import CHECKS, CONVERSIONS, Reception
from dimse.services.security import TLS
from dimse.services.session import Negotiated, Session, check_undisturbed
from dimse.services.users import Identity
from dimse.services.wire import tcp_port
from dimse.sockets import SocketWire, dial, drive, secured

__all__ = ["Association", "Server", "SocketWire", "connect", "dial", "drive"]

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger("dimse")

BACKLOG = 128
IDLE_WHEN_STOPPING = 1.0
"""Seconds of silence after which a stopping server no longer counts an association as under way."""
GIVE_UP = 5.0
"""Seconds that a stopping server waits for handlers when all associations have been interrupted."""


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
    get = _operation(getting.get)

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


class Server(Reception):
    """A provider: accepts connections and serves each in a thread of its own. The options are those of `Reception`.

    Handlers, `report` and `trace` are called in the association's thread.
    """

    def _set_up(self) -> None:
        self._listener: socket.socket | None = None
        self._wake: socket.socket | None = None
        self._lock = self._change = threading.Condition()
        self._is_running = False
        self._wires: set[SocketWire] = set()
        self._clock = time.monotonic
        self._checks, self._conversions = threading.Semaphore(CHECKS), threading.Semaphore(CONVERSIONS)
        self._secured = secured(self._tls)

    def listen(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Binds and listens; port 0 takes a free one. Returns host and port. Raises `OSError`, `OverflowError`."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, tcp_port(port)), family=family, backlog=BACKLOG)
        bound: tuple[str, int] = self._listener.getsockname()[:2]
        return bound

    def serve(self, host: str = "127.0.0.1", port: int = 104) -> None:
        """Listens and serves until `stop` is called in another thread."""
        self.listen(host, port)
        self.run()

    def start(self) -> None:
        """Serves in a background thread. Raises `UsageError` before `listen`."""
        self._listening()
        threading.Thread(target=self.run, name=f"dimse {self.aet}", daemon=True).start()
        with self._change:
            self._change.wait_for(lambda: self._is_running)

    def run(self) -> None:
        """Accepts until `stop`; what is under way by then goes on in its threads."""
        listener = self._listening()
        self._wake, woken = socket.socketpair()
        self._set_running(True)
        try:
            with listener, woken, selectors.DefaultSelector() as selector:
                selector.register(listener, selectors.EVENT_READ)
                selector.register(woken, selectors.EVENT_READ)
                while not any(key.fileobj is woken for key, _ in selector.select()):
                    self._accept(listener)
        finally:
            self._set_running(False)

    def stop(self, grace: float = 30.0) -> None:
        """Accepts no more, lets what is under way come to its end, at most `grace` seconds, and aborts the rest.

        Not to be called by a handler. An association that has been silent for a second is not under way. A handler that does
        not return is left behind. May be called again.
        """
        if self._wake is not None:
            self._wake.close()  # which the thread that accepts reads as the end
        end = time.monotonic() + grace
        with self._change:
            self._change.wait_for(lambda: not self._is_running)
            if self._listener is not None:
                self._listener.close()
            while self._wires and (now := time.monotonic()) < end + GIVE_UP:
                for wire in self._wires:
                    if now >= end or wire.idle_for(now) >= IDLE_WHEN_STOPPING:
                        wire.interrupt()
                self._change.wait(0.1)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop(0.0 if error else 30.0)

    def _listening(self) -> socket.socket:
        if self._listener is None:
            raise UsageError("the server does not listen yet", advice="call listen(host, port) first")
        return self._listener

    def _set_running(self, is_running: bool) -> None:
        with self._change:
            self._is_running = is_running
            self._change.notify_all()

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:  # the connection is gone again, or descriptors ran out: neither ends the server
            self._turn_away(error)
            return
        peer = f"{address[0]}:{address[1]}"
        try:
            wire = SocketWire(sock, self._layer(), peer, self._secured(peer) if self._secured else None)
        except Exception as error:  # it is gone now, or a trace raises: nor does that
            sock.close()
            self._turn_away(error if isinstance(error, OSError) else without_values(error))
            return
        with self._change:
            self._wires.add(wire)
        self._make_room(wire)
        try:
            threading.Thread(target=self._serve, args=(wire,), name=f"dimse {wire.address}", daemon=True).start()
        except RuntimeError as error:  # threads ran out
            self._leave(wire)
            self._turn_away(error)

    @contextlib.asynccontextmanager
    async def _turn(self, *, converting: bool = False) -> AsyncIterator[None]:
        with self._conversions if converting else self._checks:
            yield

    def _turn_away(self, why: object) -> None:
        log.warning("cannot accept a connection: %s", why)
        with self._change:
            self._change.wait(0.1)

    def _leave(self, wire: SocketWire) -> None:
        """The connection is over."""
        self._forget(wire)
        wire.shut()
        with self._change:
            self._wires.discard(wire)
            self._change.notify_all()

    def _serve(self, wire: SocketWire) -> None:
        """One association's thread."""
        provider = self._provider(wire)
        try:
            drive(provider.serve())
            for error in provider.report.errors:
                log.error("a handler failed for %s: answered 0110H: %s", wire.address, without_values(error))
            self._tell(provider.report)
        except Exception as error:
            log.error("serving %s failed: %s", wire.address, without_values(error))
        finally:
            with contextlib.suppress(Exception):  # a peer that reads no more, a trace that raises: what there was to tell is told
                drive(provider.session.abort())  # nothing to do where the association has ended
            self._leave(wire)
