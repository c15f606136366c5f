"""The blocking front's wire: a connected socket, with or without TLS, and `drive`, which runs a service over it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Coroutine, Iterable
from struct import pack

from dimse.association.events import AbortIndication
from dimse.association.table import State
from dimse.errors import AssociationError, ConnectionLost, TimedOut, TLSFailed, Unreachable
from dimse.services.wire import NEAR, handshake_deadline, tcp_port
from pdu.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeVar

    from dimse.association.events import Event
    from dimse.association.layer import UpperLayer
    from dimse.services.handlers import Address
    from dimse.services.security import TLS, Security
    from dimse.tls import Channel

    R = TypeVar("R")

QUICKACK = getattr(socket, "TCP_QUICKACK", None)
"""Linux only. Peers without TCP_NODELAY write the command and the data set as two small segments and wait for our ACK."""


def drive(service: Coroutine[object, None, R]) -> R:
    """Runs a service to its end. A blocking wire never suspends, so one step is all of it."""
    try:
        service.send(None)
    except StopIteration as stop:
        result: R = stop.value
        return result
    service.close()
    raise RuntimeError("a service suspended in the blocking front: an async handler belongs to dimse.aio")


class SocketWire:
    """A `Wire` over a connected socket, which it owns; with a `channel` what passes it is TLS, from `secure` on."""

    def __init__(self, sock: socket.socket, layer: UpperLayer, address: str, channel: Channel | None = None) -> None:
        self.layer = layer
        self.address = address
        self.security: Security | None = None
        self.clock = time.monotonic
        self._channel = channel
        self._ahead = b""
        self._socket = sock
        self._interrupted = False
        self._wait: float | None = None
        self._waiting_since: float | None = None
        sock.settimeout(None)  # the kernel's own timeouts (SO_RCVTIMEO) cost no system call per read, Python's do
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _set_timeout(sock, socket.SO_SNDTIMEO, layer.timeouts.send)
        layer.connected(address)

    async def secure(self) -> None:
        channel = self._channel
        if channel is None:
            return
        due, late = handshake_deadline(self.layer, time.monotonic())
        try:
            while not channel.handshake():
                self._transmit(channel.data_to_send())
                self._receive_for_handshake(channel, due, late)
            self._transmit(channel.data_to_send())
            self._ahead = channel.read()
        except AssociationError as error:
            self._fail(channel, error)
            raise
        self.security = channel.security

    async def pump(self, *, wait: bool = True) -> list[Event]:
        layer = self.layer
        if layer.outgoing:
            self._flush()
        if layer.closed:
            return []
        if self._ahead:  # it came with the end of the handshake
            ahead, self._ahead = self._ahead, b""
            return self._after(layer.receive(ahead))
        if self._channel is not None and self._channel.at_end:
            return self._after(layer.receive_eof())
        try:
            if wait:
                now = time.monotonic()
                due = layer.deadline(now)  # asking arms the wait, and while a handler works nobody waits
                if due is not None and due <= now:
                    return self._after(layer.timeout(now))
                self._waiting_since = now
                chunk = self._receive(None if due is None else due - now)
            else:
                chunk = self._receive_now()
        except BlockingIOError:
            return self._after(layer.timeout(time.monotonic())) if wait else []
        except OSError as error:
            return layer.receive_eof(error.strerror or "")
        finally:
            self._waiting_since = None
        if self._interrupted and not chunk and layer.established:
            layer.abort("this side is stopping")
            return self._after([AbortIndication(0, 0, by_peer=False, cause="this side is stopping")])
        if not chunk:
            return self._after(layer.receive_eof())
        plain = chunk if self._channel is None else self._open(self._channel, chunk)
        events = layer.receive(plain) if plain else []  # a part of a record is no sign of life yet
        if layer.outgoing:
            self._flush()
        return events

    async def send(self, buffers: Iterable[bytes | memoryview]) -> None:
        if self.layer.outgoing:
            self._flush()
        self._send(buffers)

    async def dial(self, address: Address, layer: UpperLayer) -> SocketWire:
        return dial(address.host, address.port, layer, address.tls)

    async def close(self) -> None:
        try:
            self._flush()
            if self._channel is not None and self.security is not None:
                self._channel.close()
                self._transmit(self._channel.data_to_send())
            if self.layer.state is State.STA13 and not self.layer.closed:
                self._linger()
        finally:
            self.shut()

    def shut(self) -> None:
        """Closes the socket, whatever the state. May be called again."""
        self._socket.close()

    def idle_for(self, now: float) -> float:
        """How many seconds this side has been waiting for the peer; 0 while a handler runs or something is sent."""
        since = self._waiting_since
        return 0.0 if since is None else now - since

    def drop(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def interrupt(self) -> None:
        """From another thread: whatever waits for the peer stops waiting, and the association is aborted."""
        self._interrupted = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)

    def _after(self, events: list[Event]) -> list[Event]:
        if self.layer.outgoing:
            self._flush()
        return events

    def _receive(self, seconds: float | None) -> bytes:
        """Reads what there is, waiting so long; the kernel is told only of a wait that differs by more than a tenth."""
        if seconds != self._wait and (seconds is None or self._wait is None or abs(seconds - self._wait) > seconds / 10):
            _set_timeout(self._socket, socket.SO_RCVTIMEO, seconds)
            self._wait = seconds
        size = self.layer.read_size
        chunk = self._socket.recv(size)
        if len(chunk) < size and QUICKACK is not None:  # the kernel forgets it; as long as reads are full nobody waits for our ACK
            self._socket.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
        return chunk

    def _receive_for_handshake(self, channel: Channel, due: float | None, late: TimedOut) -> None:
        """Hands the peer's next bytes to the channel, in the time that the handshake as a whole has left."""
        self._waiting_since = now = time.monotonic()
        try:
            if due is not None and due <= now:
                raise late
            chunk = self._receive(None if due is None else due - now)
        except BlockingIOError:
            raise late from None
        except OSError:
            chunk = b""
        finally:
            self._waiting_since = None
        if not chunk and self._interrupted:
            raise ConnectionLost("this side is stopping")
        channel.receive(chunk) if chunk else channel.receive_eof()

    def _open(self, channel: Channel, chunk: bytes) -> bytes:
        """The plain bytes of what came. A connection that is no longer secure is over, which the layer is told."""
        try:
            channel.receive(chunk)
            return channel.read()
        except TLSFailed as error:
            self._fail(channel, error)
            raise

    def _fail(self, channel: Channel, error: AssociationError) -> None:
        """The connection is not secure: the peer gets the alert, and our user's protocol machine nothing more."""
        self.layer.receive_eof(error.what)
        if alert := channel.data_to_send():
            self._transmit(alert)
            self._linger()

    def _receive_now(self) -> bytes:
        return self._socket.recv(self.layer.read_size, socket.MSG_DONTWAIT)

    def _flush(self) -> None:
        outgoing = self.layer.data_to_send()
        if outgoing and (self._channel is None or self.security is not None):
            self._send([b"".join(outgoing)])

    def _send(self, buffers: Iterable[bytes | memoryview]) -> None:
        """Sends all, in order. A connection that breaks says so when it is read next, with what the peer sent before."""
        for buffer in buffers:
            if not self._transmit(buffer if self._channel is None else self._channel.seal(buffer)):
                return

    def _transmit(self, buffer: bytes | memoryview) -> bool:
        """Puts bytes on the wire; whether the connection took them."""
        seconds, start = self.layer.timeouts.send, time.monotonic()
        try:
            sent = self._socket.send(buffer)
            while sent < len(buffer):  # the time is one for all of it: a peer that takes a little now and then does not restart it
                if seconds is not None and time.monotonic() - start >= seconds:
                    raise BlockingIOError
                sent += self._socket.send(memoryview(buffer)[sent:])
        except BlockingIOError:
            self.layer.abort("the wait 'send' passed")
            self.layer.data_to_send()  # the A-ABORT would not get through either
            raise TimedOut("send", seconds or 0.0) from None
        except OSError:
            return False
        return True

    def _linger(self) -> None:
        """Reads on for a moment after an A-ABORT: closing with unread bytes would send a reset that overtakes it."""
        end = time.monotonic() + (self.layer.timeouts.linger or 0.0)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while (left := end - time.monotonic()) > 0:
                _set_timeout(self._socket, socket.SO_RCVTIMEO, left)
                if not self._socket.recv(self.layer.read_size):
                    break


def dial(host: str, port: int, layer: UpperLayer, tls: TLS | None = None) -> SocketWire:
    """Opens a connection for a requestor's layer. Raises `Unreachable`, `TLSFailed`, `TimedOut`."""
    channel = None
    if tls is not None:
        from dimse.tls import client

        channel = client(tls, host, f"{host}:{port}")
    try:
        name = host.encode() if host.isascii() else host  # bytes are not put through the codec for names beyond ASCII
        sock = socket.create_connection((name, tcp_port(port)), timeout=layer.timeouts.connect)  # type: ignore[arg-type]  # takes bytes too
    except (OSError, OverflowError, UnicodeError) as error:
        unreachable = Unreachable(f"{host}:{port}", error)
        layer.receive_eof(unreachable.why)
        raise unreachable from error
    with contextlib.suppress(OSError):  # it is gone again, which is told when it is read from
        if sock.getsockname()[0] == sock.getpeername()[0]:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NEAR)
    wire = SocketWire(sock, layer, f"{host}:{port}", channel)
    try:
        drive(wire.secure())
    except BaseException:
        wire.shut()
        raise
    return wire


def _set_timeout(sock: socket.socket, option: int, seconds: float | None) -> None:
    """SO_RCVTIMEO or SO_SNDTIMEO; zero means for ever, so that the shortest wait is a millisecond."""
    microseconds = 0 if seconds is None else max(int(seconds * 1_000_000), 1000)
    sock.setsockopt(socket.SOL_SOCKET, option, pack("@ll", *divmod(microseconds, 1_000_000)))


def secured(tls: TLS | None) -> Callable[[str], Channel] | None:
    """What makes a provider's end of a TLS connection for a peer's address; None where connections are plain."""
    if tls is None:
        return None
    from dimse.tls import server

    return server(tls)
