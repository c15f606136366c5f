"""The asyncio front: the same associations and providers as `dimse.blocking`, one task each. No service logic lives here.

    async with dimse.aio.connect("pacs", 104, called="PACS", contexts=[dimse.Verification]) as association:
        print(await association.echo())

Handlers are called in the event loop: one that waits for something slow holds up the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.events import Event, Trace
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import Context, propose
from dimse.association.table import State
from dimse.errors import Aborted, TimedOut, Unreachable, UsageError
from dimse.services import scu
from dimse.services.handlers import Address, Services
from dimse.services.reception import Reception
from dimse.services.scp import Report
from dimse.services.session import Negotiated, Session, check_undisturbed

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger("dimse")

QUICKACK = getattr(socket, "TCP_QUICKACK", None)
"""Linux only. Peers without TCP_NODELAY write the command and the data set as two small segments and wait for our ACK."""
IDLE_WHEN_STOPPING = 1.0
"""Seconds of silence after which a stopping server no longer counts an association as under way."""
MAX_CHUNKS = 4
"""Chunks that are read ahead before the transport is paused: back-pressure is the peer's TCP window."""


class StreamWire(asyncio.Protocol):
    """A `Wire` over an asyncio transport, which it owns. `opened` is called when the transport is there."""

    def __init__(self, layer: UpperLayer, opened: Callable[[StreamWire], object] | None = None) -> None:
        self.layer = layer
        self.address = ""
        self._opened = opened
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._chunks: deque[bytes] = deque()
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
        self.address = ":".join(map(str, transport.get_extra_info("peername")[:2]))
        self.layer.connected()
        if self._opened is not None:
            self._opened(self)

    def data_received(self, data: bytes) -> None:
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

    async def pump(self, *, wait: bool = True) -> list[Event]:
        await self.send(())
        if self.layer.closed:
            return []
        if not self._chunks and not self._at_end:
            await (self._await_input() if wait else asyncio.sleep(0))
        if self._chunks:
            events = self.layer.receive(self._next_chunk())
        elif self._at_end:
            events = self.layer.receive_eof()
        else:
            events = self.layer.timeout(_now()) if wait else []
        await self.send(())
        return events

    async def send(self, buffers: Iterable[bytes | memoryview]) -> None:
        if outgoing := self.layer.data_to_send():
            await self._write(b"".join(outgoing))
        for buffer in buffers:
            await self._write(buffer)

    async def dial(self, address: Address, layer: UpperLayer) -> StreamWire:
        return await dial(address.host, address.port, layer)

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
            self._transport.writelines(self.layer.data_to_send())
            self._transport.close()
            if self._transport.get_write_buffer_size():  # of a peer that does not read: it would be waited for without end
                self._transport.abort()

    def idle_for(self, now: float) -> float:
        """How many seconds this side has been waiting for the peer; 0 while something is sent."""
        return 0.0 if self._waiting_since is None else now - self._waiting_since

    # Inside

    def _socket_option(self, option: int | None) -> None:
        if option is not None and self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, option, 1)

    def _wake(self) -> None:
        for came in self._inputs:
            _resolve(came)

    def _next_chunk(self) -> bytes:
        if self._is_paused and self._transport is not None:
            self._transport.resume_reading()
            self._is_paused = False
        return self._chunks.popleft()

    async def _await_input(self) -> None:
        """Waits for bytes, the end of the stream, or the layer's deadline."""
        loop = asyncio.get_running_loop()
        due = self.layer.deadline(loop.time())
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
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(buffer)
        if self._drained is not None:
            try:
                await asyncio.wait_for(self._drained, self.layer.timeouts.send)
            except TimeoutError:
                self.layer.abort()
                self._transport.abort()
                raise TimedOut("send", self.layer.timeouts.send or 0.0) from None

    async def _linger(self) -> None:
        """Reads on for a moment after an A-ABORT: closing with unread bytes would send a reset that overtakes it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.layer.timeouts.linger):
                while not self._at_end:
                    self._chunks.clear()
                    await self._await_input()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _resolve(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


async def dial(host: str, port: int, layer: UpperLayer) -> StreamWire:
    """Opens a connection for a requestor's layer. Raises `Unreachable`."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(layer.timeouts.connect):
            _, wire = await loop.create_connection(lambda: StreamWire(layer), host, port)
    except (OSError, OverflowError, UnicodeError) as error:
        raise Unreachable(f"{host}:{port}", error) from error
    return wire


def _operation(
    service: Callable[Concatenate[Session, P], Coroutine[object, None, R]],
) -> Callable[Concatenate[AsyncAssociation, P], Coroutine[object, None, R]]:
    """A service coroutine as a method."""

    @functools.wraps(service)
    async def method(self: AsyncAssociation, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.occupied():
            await self.session.settle()
            return await service(self.session, *args, **kwargs)

    return method


def _iteration(
    service: Callable[Concatenate[Session, P], AsyncGenerator[R, None]],
) -> Callable[Concatenate[AsyncAssociation, P], Iteration[R]]:
    """A service's async generator as a method."""

    @functools.wraps(service)
    def method(self: AsyncAssociation, /, *args: P.args, **kwargs: P.kwargs) -> Iteration[R]:
        return Iteration(self, service(self.session, *args, **kwargs))

    return method


class Iteration(AsyncIterator[R]):
    """The results of one operation as they come. One that is left half way ends before the next operation, or by `aclose`.

    It is no async generator: asyncio would close that from a task of its own, in the middle of the next operation.
    """

    def __init__(self, association: AsyncAssociation, results: AsyncGenerator[R, None]) -> None:
        self._association = association
        self._results = results
        self._has_begun = self._is_over = False

    async def __anext__(self) -> R:
        session = self._association.session
        with self._association.occupied():
            if not self._has_begun:
                self._has_begun = True
                await session.settle()
                session.running = self._results
            try:
                return await self._results.__anext__()
            except StopAsyncIteration:
                if not self._is_over:
                    check_undisturbed(session, self._results)
                self._is_over = True
                raise

    async def aclose(self) -> None:
        """Ends the operation: sends its C-CANCEL and reads on to the final response."""
        with self._association.occupied():
            await self._results.aclose()


class AsyncAssociation(Negotiated):
    """An association that this side asked for. A context manager: leaves by a release, on an exception by an abort.

    One operation at a time: a second task that starts one meanwhile gets `UsageError`. A task that is cancelled during an
    operation leaves the association aborted.
    """

    def __init__(self, session: Session, answer: pdu.AssociateAC) -> None:
        self.session = session
        self.answer = answer
        self._is_occupied = False

    echo = _operation(scu.echo)
    store = _operation(scu.store)
    store_all = _iteration(scu.store_all)
    find = _iteration(scu.find)
    move = _operation(scu.move)

    async def release(self) -> None:
        """Ends the association in good order (PS3.8 7.2)."""
        with self.occupied():
            await self.session.release()

    async def abort(self) -> None:
        """Ends the association at once (PS3.8 7.3); does nothing after it has ended."""
        await self.session.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None and self.session.alive:
            await self.release()
        else:
            await self.abort()

    @contextlib.contextmanager
    def occupied(self) -> Iterator[None]:
        """One operation at a time, and none half done: a cancelled one aborts, without waiting."""
        if self._is_occupied:
            raise UsageError("an operation is under way on this association", advice="await it first, or use a second association")
        self._is_occupied = True
        try:
            yield
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            _abort_now(self.session)
            raise
        finally:
            self._is_occupied = False


def _abort_now(session: Session) -> None:
    """Aborts without waiting for anything: what a cancelled task still may do."""
    session.layer.abort()
    if isinstance(session.wire, StreamWire):
        session.wire.shut()


class connect:  # noqa: N801 - used as a function: `await connect(...)` or `async with connect(...) as association`
    """Asks the AE `called` at `host:port` for an association (PS3.8 7.1), as `dimse.connect` does; await it or enter it.

    `contexts` are abstract syntaxes, or `Context`s with their transfer syntaxes and roles; `operations` the window of
    operations under way to ask for (0: no limit). Raises `Unreachable`, `Rejected`, `Aborted`, `TimedOut`, `ConnectionLost`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        called: str = "ANY-SCP",
        calling: str = "DIMSE",
        contexts: Sequence[Context | str],
        operations: int = 1,
        timeouts: Timeouts = Timeouts(),
        limits: Limits = Limits(),
        trace: Trace | None = None,
    ) -> None:
        request = propose(called, calling, contexts, max_pdu=limits.max_pdu, operations=operations)
        self._where = host, port
        self._layer = UpperLayer.requestor(request, timeouts=timeouts, limits=limits, trace=trace)
        self._association: AsyncAssociation | None = None

    def __await__(self) -> Generator[object, None, AsyncAssociation]:
        return self._connect().__await__()

    async def __aenter__(self) -> AsyncAssociation:
        self._association = await self
        return self._association

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._association is not None:
            await self._association.__aexit__(kind, error, trace)

    async def _connect(self) -> AsyncAssociation:
        session = Session(await dial(*self._where, self._layer))
        try:
            return AsyncAssociation(session, await session.associate())
        except Exception:
            await session.abort()
            raise
        except BaseException:
            _abort_now(session)
            raise


class Server(Reception):
    """A provider: accepts connections and serves each in a task of its own. The options are those of `Reception`."""

    def __init__(
        self,
        aet: str,
        services: Services,
        *,
        check_called: bool = False,
        any_storage: bool = False,
        timeouts: Timeouts = Timeouts(),
        limits: Limits = Limits(),
        report: Callable[[Report], object] | None = None,
        trace: Trace | None = None,
    ) -> None:
        super().__init__(
            aet, services, check_called=check_called, any_storage=any_storage, timeouts=timeouts, limits=limits, report=report, trace=trace
        )
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], StreamWire] = {}
        self._is_stopped = asyncio.Event()

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Binds and begins to serve; port 0 takes a free one. Returns host and port. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, host, port)
        bound: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return bound

    async def serve(self, host: str = "127.0.0.1", port: int = 104) -> None:
        """Listens and serves until it is cancelled or `stop` is called."""
        await self.listen(host, port)
        try:
            await self._is_stopped.wait()
        except asyncio.CancelledError:
            await self.stop(0.0)
            raise

    async def stop(self, grace: float = 30.0) -> None:
        """Accepts no more, lets what is under way come to its end, at most `grace` seconds, and aborts the rest.

        An association that has been silent for a second is not under way. May be called again.
        """
        if self._server is not None:
            self._server.close()
        end = _now() + grace
        while self._tasks:
            now = _now()
            for task, wire in self._tasks.items():
                if not task.cancelling() and (now >= end or wire.idle_for(now) >= IDLE_WHEN_STOPPING):
                    task.cancel()
            await asyncio.wait(self._tasks, timeout=0.1)
        self._is_stopped.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop(0.0 if error else 30.0)

    def _accept(self) -> StreamWire:
        return StreamWire(self._layer(), self._begin)

    def _begin(self, wire: StreamWire) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(wire), name=f"dimse {wire.address}")
        self._tasks[task] = wire
        self._make_room(wire)
        task.add_done_callback(self._tasks.pop)

    async def _serve(self, wire: StreamWire) -> None:
        """One association's task."""
        provider = self._provider(wire)
        try:
            try:
                await provider.serve()
            except asyncio.CancelledError:
                provider.report.ended = provider.report.ended or str(Aborted(0, 0, by_peer=False, cause="this side is stopping"))
            for error in provider.report.errors:
                log.error("a handler failed for %s: answered 0110H", wire.address, exc_info=error)
            self._tell(provider.report)
        except Exception:
            log.exception("serving %s failed", wire.address)
        finally:
            _abort_now(provider.session)
            self._forget(wire)
