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
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator, Sequence
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.events import Trace
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import Context, Extended, propose
from dimse.errors import Aborted, UsageError, without_values
from dimse.services import scu
from dimse.services.reception import CHECKS, CONVERSIONS, Reception
from dimse.services.security import TLS
from dimse.services.session import Negotiated, Session, check_undisturbed
from dimse.services.users import Identity
from dimse.services.wire import BACKLOG, tcp_port
from dimse.streams import StreamWire, dial, secured

__all__ = ["AsyncAssociation", "Iteration", "Server", "StreamWire", "connect", "dial"]

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger("dimse")

IDLE_WHEN_STOPPING = 1.0
"""Seconds of silence after which a stopping server no longer counts an association as under way."""


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
    get = _operation(scu.get)

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
    try:
        session.layer.abort()
    finally:
        if isinstance(session.wire, StreamWire):
            session.wire.shut()


def _now() -> float:
    return asyncio.get_running_loop().time()


class connect:  # noqa: N801 - used as a function: `await connect(...)` or `async with connect(...) as association`
    """Asks the AE `called` at `host:port` for an association (PS3.8 7.1), as `dimse.connect` does; await it or enter it.

    `contexts` are abstract syntaxes, or `Context`s with their transfer syntaxes and roles; `operations` the window of
    operations under way to ask for (0: no limit). `tls` secures the connection; `identity` is this side's user. `extended` is
    the application information to propose by SOP class (PS3.7 D.3.3.5): what the peer grants is the association's `extended`. Raises
    `Unreachable`, `TLSFailed`, `Rejected`, `Aborted`, `TimedOut`, `ConnectionLost`.
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
        tls: TLS | None = None,
        identity: Identity | None = None,
        extended: Extended = (),
        timeouts: Timeouts = Timeouts(),
        limits: Limits = Limits(),
        trace: Trace | None = None,
    ) -> None:
        shown = identity.item(secured=tls is not None and not tls.unsafe_no_verify) if identity else None
        request = propose(called, calling, contexts, max_pdu=limits.max_pdu, operations=operations, identity=shown, extended=extended)
        self._where = host, port
        self._tls = tls
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
        session = Session(await dial(*self._where, self._layer, self._tls), heavy=asyncio.to_thread)
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

    def _set_up(self) -> None:
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], StreamWire] = {}
        self._is_stopped = asyncio.Event()
        self._clock = time.monotonic
        self._checks, self._conversions = asyncio.Semaphore(CHECKS), asyncio.Semaphore(CONVERSIONS)
        self._secured = secured(self._tls)

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Binds and begins to serve; port 0 takes a free one. Returns host and port. Raises `OSError`, `OverflowError`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, host, tcp_port(port), backlog=BACKLOG)
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
        return StreamWire(self._layer(), self._begin, self._secured)

    def _begin(self, wire: StreamWire) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(wire), name=f"dimse {wire.address}")
        self._tasks[task] = wire
        self._make_room(wire)
        task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        """The connection is over. Not a part of the task: one that was cancelled before it began has done nothing."""
        wire = self._tasks.pop(task)
        wire.shut()
        self._forget(wire)

    @contextlib.asynccontextmanager
    async def _turn(self, *, converting: bool = False) -> AsyncIterator[None]:
        async with self._conversions if converting else self._checks:
            yield

    async def _work(self, check: Callable[[], R]) -> R:
        return await asyncio.to_thread(check)

    async def _serve(self, wire: StreamWire) -> None:
        """One association's task."""
        provider = self._provider(wire)
        try:
            try:
                await provider.serve()
            except asyncio.CancelledError:
                provider.report.ended = provider.report.ended or str(Aborted(0, 0, by_peer=False, cause="this side is stopping"))
            for error in provider.report.errors:
                log.error("a handler failed for %s: answered 0110H: %s", wire.address, without_values(error))
            self._tell(provider.report)
        except Exception as error:
            log.error("serving %s failed: %s", wire.address, without_values(error))
        finally:
            with contextlib.suppress(Exception):  # a trace that raises: what there was to tell is told
                _abort_now(provider.session)
