"""The blocking front as provider: a listening socket, and a thread for each association."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from dimse.errors import UsageError, without_values
from dimse.services.reception import CHECKS, CONVERSIONS, Reception
from dimse.services.wire import BACKLOG, tcp_port
from dimse.sockets import SocketWire, drive, secured

log = logging.getLogger("dimse")

SPARE = 4
"""Threads that wait for connections, at most: clients that come one after the other are served by threads that are there."""
IDLE_WHEN_STOPPING = 1.0
"""Seconds of silence after which a stopping server no longer counts an association as under way."""
GIVE_UP = 5.0
"""Seconds that a stopping server waits for handlers when all associations have been interrupted."""


class Server(Reception):
    """A provider: each association has a thread of its own while it lasts. The options are those of `Reception`.

    Handlers, `report` and `trace` are called in the association's thread. The threads wait for connections together, and the
    one that takes a connection serves it: handing it to another would take two wake-ups more. At least one always waits.
    """

    def _set_up(self) -> None:
        self._listener: socket.socket | None = None
        self._lock = threading.RLock()
        self._change = threading.Condition(self._lock)
        self._threads = self._waiting = 0
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
        not return is left behind; all others have made their reports when this returns. May be called again.
        """
        if self._listener is not None:
            self._close(self._listener)
        end = time.monotonic() + grace
        with self._change:
            while self._threads and (now := time.monotonic()) < end + GIVE_UP:
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
        """One more thread that waits for connections. Raises `RuntimeError` or `MemoryError` when there can be none."""
        with self._lock:
            self._threads += 1
            self._waiting += 1
        try:
            threading.Thread(target=self._attend, args=(listener,), name=f"dimse {self.aet}", daemon=True).start()
        except BaseException:
            self._waits_no_more()
            self._ends()
            raise

    def _attend(self, listener: socket.socket) -> None:
        """A thread's life: takes a connection and serves it, again and again, until the server stops or enough others wait."""
        try:
            waits = True
            while waits:
                wire = self._accept(listener)
                if wire is not None:
                    self._serve(wire)
                waits = self._may_wait(listener)
        finally:
            self._ends()

    def _may_wait(self, listener: socket.socket) -> bool:
        """Counts a thread among those that wait, unless it is not needed there."""
        with self._lock:
            is_needed = self._listener is listener and self._waiting < SPARE
            self._waiting += is_needed
        return is_needed

    def _waits_no_more(self) -> bool:
        """Counts a thread out of those that wait; whether it was the last."""
        with self._lock:
            self._waiting -= 1
            return not self._waiting

    def _ends(self) -> None:
        """Counts a thread out for good."""
        with self._change:
            self._threads -= 1
            self._change.notify_all()

    def _accept(self, listener: socket.socket) -> SocketWire | None:
        """The next connection, when another thread waits in place of this one; None if it comes to nothing."""
        try:
            sock, address = listener.accept()
        except (OSError, MemoryError) as error:  # the connection is gone again, or descriptors or memory ran out: none ends the server
            self._waits_no_more()
            if self._listener is listener:
                self._turn_away(error)
                self._await_connection(listener)
            return None
        if self._waits_no_more():
            try:
                self._post(listener)
            except (RuntimeError, MemoryError) as error:  # threads ran out
                sock.close()
                self._turn_away(error)
                return None
        return self._wire(sock, f"{address[0]}:{address[1]}")

    def _wire(self, sock: socket.socket, peer: str) -> SocketWire | None:
        try:
            wire = SocketWire(sock, self._layer(), peer, self._secured(peer) if self._secured else None)
        except Exception as error:  # it is gone now, or a trace raises: nor does that
            sock.close()
            self._turn_away(error if isinstance(error, OSError) else without_values(error))
            return None
        with self._lock:
            self._wires.add(wire)
        self._make_room(wire)
        return wire

    def _turn_away(self, why: object) -> None:
        log.warning("cannot accept a connection: %s", str(why) or type(why).__name__)
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
