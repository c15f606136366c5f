"""The blocking front: sockets, and a thread for each association that a `Server` serves. No service logic lives here.

with dimse.connect("pacs", 104, called="PACS", contexts=[dimse.Verification]) as association:
    print(association.echo())
"""

from __future__ import annotations

import contextlib
import functools
import logging
import select
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
SPARE = 4
"""Threads that wait for connections, at most: clients that come one after the other are served by threads that are there."""
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
    """A provider: each association has a thread of its own while it lasts. The options are those of `Reception`.

    Handlers, `report` and `trace` are called in the association's thread. The threads wait for connections together, and the
    one that takes a connection serves it: handing it to another would take two wake-ups more. At least one always waits.
    """

    def _set_up(self) -> None:
        self._listener: socket.socket | None = None
        self._lock = threading.RLock()
        self._change = threading.Condition(self._lock)
        self._waiting = 0
        self._wires: set[SocketWire] = set()
        self._clock = time.monotonic
        self._checks, self._conversions = threading.Semaphore(CHECKS), threading.Semaphore(CONVERSIONS)
        self._secured = secured(self._tls)

    def listen(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Binds and listens; port 0 takes a free one. Returns host and port. Raises `OSError`, `OverflowError`."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, tcp_port(port)), family=family, backlog=BACKLOG)
        self._listener.settimeout(None)
        bound: tuple[str, int] = self._listener.getsockname()[:2]
        return bound

    def serve(self, host: str = "127.0.0.1", port: int = 104) -> None:
        """Listens and serves until `stop` is called in another thread."""
        self.listen(host, port)
        self.run()

    def start(self) -> None:
        """Serves in threads of its own. Raises `UsageError` before `listen`."""
        self._post(self._listening())

    def run(self) -> None:
        """Serves until `stop`; what is under way by then goes on in its threads."""
        listener = self._listening()
        try:
            self._post(listener)
            with self._change:
                self._change.wait_for(lambda: self._listener is not listener)
        finally:
            self._close(listener)

    def stop(self, grace: float = 30.0) -> None:
        """Accepts no more, lets what is under way come to its end, at most `grace` seconds, and aborts the rest.

        Not to be called by a handler. An association that has been silent for a second is not under way. A handler that does
        not return is left behind. May be called again.
        """
        if self._listener is not None:
            self._close(self._listener)
        end = time.monotonic() + grace
        with self._change:
            while (self._wires or self._waiting) and (now := time.monotonic()) < end + GIVE_UP:
                for wire in self._wires:
                    if now >= end or wire.idle_for(now) >= IDLE_WHEN_STOPPING:
                        wire.interrupt()
                self._change.wait(0.1)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop(0.0 if error else 30.0)

    # The threads

    def _listening(self) -> socket.socket:
        if self._listener is None:
            raise UsageError("the server does not listen", advice="call listen(host, port) first")
        return self._listener

    def _close(self, listener: socket.socket) -> None:
        """No more connections: whoever waits for one leaves."""
        with self._change:
            if self._listener is listener:
                self._listener = None
            self._change.notify_all()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes those that wait; on some systems it is `close` that does
        listener.close()

    def _post(self, listener: socket.socket) -> None:
        """One more thread that waits for connections. Raises `RuntimeError` when threads have run out."""
        with self._lock:
            self._waiting += 1
        try:
            threading.Thread(target=self._attend, args=(listener,), name=f"dimse {self.aet}", daemon=True).start()
        except RuntimeError:
            self._waits_no_more()
            raise

    def _attend(self, listener: socket.socket) -> None:
        """A thread's life: takes a connection and serves it, again and again, until the server stops or enough others wait."""
        waits = True
        while waits:
            wire = self._accept(listener)
            if wire is not None:
                self._serve(wire)
            waits = self._may_wait(listener)

    def _may_wait(self, listener: socket.socket) -> bool:
        """Counts a thread among those that wait, unless it is not needed there."""
        with self._lock:
            is_needed = self._listener is listener and self._waiting < SPARE
            self._waiting += is_needed
        return is_needed

    def _waits_no_more(self) -> bool:
        """Counts a thread out; whether it was the last."""
        with self._change:
            self._waiting -= 1
            if self._listener is None:
                self._change.notify_all()
            return not self._waiting

    def _accept(self, listener: socket.socket) -> SocketWire | None:
        """The next connection, when another thread waits in place of this one; None if it comes to nothing."""
        try:
            sock, address = listener.accept()
        except OSError as error:  # the connection is gone again, or descriptors ran out: neither ends the server
            self._waits_no_more()
            if self._listener is listener:
                self._turn_away(error)
                self._await_connection(listener)
            return None
        if self._waits_no_more():
            try:
                self._post(listener)
            except RuntimeError as error:  # threads ran out
                sock.close()
                self._turn_away(error)
                return None
        return self._wire(sock, f"{address[0]}:{address[1]}", listener)

    def _wire(self, sock: socket.socket, peer: str, listener: socket.socket) -> SocketWire | None:
        try:
            wire = SocketWire(sock, self._layer(), peer, self._secured(peer) if self._secured else None)
        except Exception as error:  # it is gone now, or a trace raises: nor does that
            sock.close()
            self._turn_away(error if isinstance(error, OSError) else without_values(error))
            return None
        with self._lock:
            is_stopped = self._listener is not listener
            if not is_stopped:
                self._wires.add(wire)
        if is_stopped:
            wire.shut()
            return None
        self._make_room(wire)
        return wire

    def _turn_away(self, why: object) -> None:
        log.warning("cannot accept a connection: %s", why)
        with self._change:
            self._change.wait(0.1)

    def _await_connection(self, listener: socket.socket) -> None:
        """After a failure: without descriptors accepting fails also while nobody comes, and that is not to be told all the time."""
        poller = select.poll()  # which needs no descriptor, as others do
        with contextlib.suppress(ValueError):  # it is closed already
            poller.register(listener, select.POLLIN)
            while self._listener is listener and not poller.poll(1000):
                pass

    @contextlib.asynccontextmanager
    async def _turn(self, *, converting: bool = False) -> AsyncIterator[None]:
        with self._conversions if converting else self._checks:
            yield

    def _leave(self, wire: SocketWire) -> None:
        """The connection is over."""
        self._forget(wire)
        wire.shut()
        with self._change:
            self._wires.discard(wire)
            self._change.notify_all()

    def _serve(self, wire: SocketWire) -> None:
        """One association, in its thread, which has its name meanwhile."""
        thread, provider = threading.current_thread(), self._provider(wire)
        thread.name = f"dimse {wire.address}"
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
            thread.name = f"dimse {self.aet}"
            self._leave(wire)
