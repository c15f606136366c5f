"""The asyncio front's wire: a transport, with or without TLS, as an `asyncio.Protocol`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dimse.association.events import Event
from dimse.association.layer import UpperLayer
from dimse.association.table import State
from dimse.errors import AssociationError, TimedOut, TLSFailed, Unreachable
from dimse.services.handlers import Address
from dimse.services.security import TLS, Security
from dimse.services.wire import NEAR, handshake_deadline, tcp_port

if TYPE_CHECKING:
    from dimse.tls import Channel

QUICKACK = getattr(socket, "TCP_QUICKACK", None)
"""Linux only. Peers without TCP_NODELAY write the command and the data set as two small segments and wait for our ACK."""
FULL_READ = 262_144
"""Bytes that a transport of asyncio reads at most at once."""
MAX_CHUNKS = 4
"""Chunks that are read ahead before the transport is paused: back-pressure is the peer's TCP window."""


class StreamWire(asyncio.Protocol):
    """A `Wire` over an asyncio transport, which it owns. `opened` is called when the transport is there.

    With `secured`, which makes a channel for the peer's address, what passes it is TLS, from `secure` on.
    """

    def __init__(
        self,
        layer: UpperLayer,
        opened: Callable[[StreamWire], object] | None = None,
        secured: Callable[[str], Channel] | None = None,
    ) -> None:
        self.layer = layer
        self.address = ""
        self.security: Security | None = None
        self.clock = asyncio.get_running_loop().time
        self._secured = secured
        self._channel: Channel | None = None
        self._opened = opened
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._chunks: deque[bytes] = deque()
        self._ahead = b""
        self._at_end = False
        self._is_paused = False
        self._inputs: set[asyncio.Future[None]] = set()
        self._waiting_since: float | None = None
        self._drained: asyncio.Future[None] | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # a buffer is re-used as soon as it has left: never keep one behind
        self._socket = transport.get_extra_info("socket")
        self._socket_option(socket.TCP_NODELAY)
        peer = transport.get_extra_info("peername") or ()  # none: it is gone again
        self.address = ":".join(map(str, peer[:2]))
        if self.layer.is_requestor and peer and peer[0] == (transport.get_extra_info("sockname") or ("",))[0]:
            self._socket_option(socket.SO_SNDBUF, NEAR, level=socket.SOL_SOCKET)
        if self._secured is not None:
            self._channel = self._secured(self.address)
        if self._opened is not None:
            self._opened(self)
        self.layer.connected(self.address)  # behind it: whoever serves the connection sees its end, also where a trace raises

    def data_received(self, data: bytes) -> None:
        if len(data) < FULL_READ:  # as long as reads are full nobody waits for our ACK
            self._socket_option(QUICKACK)
        self._chunks.append(data)
        if len(self._chunks) >= MAX_CHUNKS and self._transport is not None:
            self._transport.pause_reading()
            self._is_paused = True
        self._wake()

    def eof_received(self) -> bool:
        self._at_end = True
        self._wake()
        return True  # keep the transport: what is still to be sent may be sent

    def connection_lost(self, error: Exception | None) -> None:
        self._at_end = True
        self._wake()
        _resolve(self._drained)

    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        _resolve(self._drained)
        self._drained = None

    # Wire

    async def secure(self) -> None:
        channel = self._channel
        if channel is None:
            return
        due, late = handshake_deadline(self.layer, _now())
        try:
            while not channel.handshake():
                await self._write(channel.data_to_send())
                await self._receive_for_handshake(channel, due, late)
            await self._write(channel.data_to_send())
            self._ahead = channel.read()
        except AssociationError as error:
            await self._fail(channel, error)
            raise
        self.security = channel.security

    async def pump(self, *, wait: bool = True) -> list[Event]:
        await self.send(())
        if self.layer.closed:
            return []
        now = _now()
        due = self.layer.deadline(now) if wait else None  # asking arms the wait, and while a handler works nobody waits
        if due is not None and due <= now:  # looked at first: a peer that never stops sending would put it off without end
            events = self.layer.timeout(now)
            await self.send(())
            return events
        if not self._has_input:
            await (self._await_input(due) if wait else asyncio.sleep(0))
        if self._ahead or self._chunks:
            plain = await self._next_plain()
            events = self.layer.receive(plain) if plain else []  # a part of a record is no sign of life yet
        elif self._has_input:
            events = self.layer.receive_eof()
        else:
            events = self.layer.timeout(_now()) if wait else []
        await self.send(())
        return events

    async def send(self, buffers: Iterable[bytes | memoryview]) -> None:
        if outgoing := self._outgoing():
            await self._write(outgoing)
        for buffer in buffers:
            await self._write(buffer if self._channel is None else self._channel.seal(buffer))

    async def dial(self, address: Address, layer: UpperLayer) -> StreamWire:
        return await dial(address.host, address.port, layer, address.tls)

    async def close(self) -> None:
        await self.send(())
        if self.layer.state is State.STA13 and not self.layer.closed and not self._at_end:
            await self._linger()
        self.shut()

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def shut(self) -> None:
        """Sends what the layer still has to send as far as that goes without waiting, and closes. May be called again."""
        if self._transport is not None:
            self._transport.write(self._outgoing())
            if self._channel is not None and self.security is not None and not self._transport.is_closing():
                self._channel.close()
                self._transport.write(self._channel.data_to_send())
            self._transport.close()
            if self._transport.get_write_buffer_size():  # of a peer that does not read: it would be waited for without end
                self._transport.abort()

    def idle_for(self, now: float) -> float:
        """How many seconds this side has been waiting for the peer; 0 while something is sent."""
        return 0.0 if self._waiting_since is None else now - self._waiting_since

    # Inside

    def _socket_option(self, option: int | None, value: int = 1, *, level: int = socket.IPPROTO_TCP) -> None:
        if option is not None and self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(level, option, value)

    @property
    def _has_input(self) -> bool:
        """Whether there is something to read without waiting, be it the end."""
        return bool(self._ahead or self._chunks) or self._at_end or (self._channel is not None and self._channel.at_end)

    def _wake(self) -> None:
        for came in self._inputs:
            _resolve(came)

    def _next_chunk(self) -> bytes:
        if self._is_paused and self._transport is not None:
            self._transport.resume_reading()
            self._is_paused = False
        return self._chunks.popleft()

    async def _next_plain(self) -> bytes:
        """The next chunk as plain bytes. A connection that is no longer secure is over, which the layer is told."""
        if self._ahead:  # it came with the end of the handshake
            ahead, self._ahead = self._ahead, b""
            return ahead
        chunk, channel = self._next_chunk(), self._channel
        if channel is None:
            return chunk
        try:
            channel.receive(chunk)
            return channel.read()
        except TLSFailed as error:
            await self._fail(channel, error)
            raise

    async def _receive_for_handshake(self, channel: Channel, due: float | None, late: TimedOut) -> None:
        """Hands the peer's next bytes to the channel, in the time that the handshake as a whole has left."""
        if not self._chunks and not self._at_end:
            await self._await_input(due)
        if self._chunks:
            channel.receive(self._next_chunk())
        elif self._at_end:
            channel.receive_eof()
        else:
            raise late

    async def _fail(self, channel: Channel, error: AssociationError) -> None:
        """The connection is not secure: the peer gets the alert, and our user's protocol machine nothing more."""
        self.layer.receive_eof(error.what)
        if alert := channel.data_to_send():
            await self._write(alert)
            await self._linger()

    def _outgoing(self) -> bytes:
        """What the layer has to send, as it goes over the wire; nothing before that is secure."""
        outgoing = b"".join(self.layer.data_to_send())
        if self._channel is None or not outgoing:
            return outgoing
        return b"" if self.security is None else self._channel.seal(outgoing)

    async def _await_input(self, due: float | None) -> None:
        """Waits for bytes, the end of the stream, or the deadline."""
        loop = asyncio.get_running_loop()
        came: asyncio.Future[None] = loop.create_future()
        timer = None if due is None else loop.call_at(due, _resolve, came)
        self._inputs.add(came)  # an abort by another task waits besides the operation that it ends
        self._waiting_since = loop.time()
        try:
            await came
        finally:
            self._waiting_since = None
            self._inputs.discard(came)
            if timer is not None:
                timer.cancel()

    async def _write(self, buffer: bytes | memoryview) -> None:
        """Hands a buffer to the transport and waits until it has left; a connection that broke says so when it is read."""
        if self._transport is None or self._transport.is_closing() or not buffer:
            return
        self._transport.write(buffer)
        if self._drained is not None:
            try:
                # Shielded: an abort by another task waits for the same, and neither is to end the other's wait by its own end.
                await asyncio.wait_for(asyncio.shield(self._drained), self.layer.timeouts.send)
            except TimeoutError:
                self.layer.abort("the wait 'send' passed")
                self._transport.abort()
                raise TimedOut("send", self.layer.timeouts.send or 0.0) from None

    async def _linger(self) -> None:
        """Reads on for a moment after an A-ABORT: closing with unread bytes would send a reset that overtakes it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.layer.timeouts.linger or 0.0):
                while not self._at_end:
                    if self._chunks:
                        self._next_chunk()  # which has the transport read on
                    else:
                        await self._await_input(None)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _resolve(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


async def dial(host: str, port: int, layer: UpperLayer, tls: TLS | None = None) -> StreamWire:
    """Opens a connection for a requestor's layer. Raises `Unreachable`, `TLSFailed`, `TimedOut`."""
    secured = None if tls is None else _secured(tls, host, port)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(layer.timeouts.connect):
            _, wire = await loop.create_connection(lambda: StreamWire(layer, secured=secured), host, tcp_port(port))
    except (OSError, OverflowError, UnicodeError) as error:
        unreachable = Unreachable(f"{host}:{port}", error)
        layer.receive_eof(unreachable.why)
        raise unreachable from error
    try:
        await wire.secure()
    except BaseException:
        wire.shut()
        raise
    return wire


def _secured(tls: TLS, host: str, port: int) -> Callable[[str], Channel]:
    from dimse.tls import client

    channel = client(tls, host, f"{host}:{port}")
    return lambda address: channel


def secured(tls: TLS | None) -> Callable[[str], Channel] | None:
    """What makes a provider's end of a TLS connection for a peer's address; None where connections are plain."""
    if tls is None:
        return None
    from dimse.tls import server

    return server(tls)
