"""One small synchronous API over the three ways to run a service, so that each test of a service is written once.

    front.serve(services, ...) -> Served          a provider; `Served.report()` gives what its next association did
    front.connect(served, contexts, ...) -> Link  an association: echo, store, store_all, find, move, get, release, abort
    link.run(script(link.session))                a hand-made dialogue, on either side's `Session`

`Memory` has no I/O at all (`dimse.services.memory`), `Blocking` sockets and threads, `Asyncio` an event loop in a thread.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import queue
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack

from dimse import aio, blocking
from dimse.association.config import Limits, Timeouts
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import AcceptedContext, Context, Extended, RefusedContext, propose
from dimse.data.datasets import DataSet
from dimse.data.protocols import Source
from dimse.data.status import Status
from dimse.data.uids import UID
from dimse.errors import AssociationError, ProtocolError
from dimse.services import scu
from dimse.services.getting import GetResult
from dimse.services.handlers import Address, Request, Services, Sink
from dimse.services.memory import MemoryWire, Network
from dimse.services.reception import Reception
from dimse.services.rights import Callers
from dimse.services.scp import Provider, Report
from dimse.services.scu import MoveResult, Progress
from dimse.services.security import TLS
from dimse.services.session import Negotiated, Session, check_undisturbed
from dimse.services.users import Identity, Users
from dimse.services.wire import Wire

R = TypeVar("R")
S = TypeVar("S", bound=Source)
Script = Callable[[Session], Coroutine[object, None, object]]
"""A side of a dialogue made by hand."""

BRISK = Timeouts(artim=10.0, connect=10.0, associate=10.0, release=10.0, idle=20.0, response=20.0, pdu=20.0, send=20.0, linger=0.2)
"""Waits that no sound test comes near, and that end a broken one."""
PATIENCE = 30.0
"""Seconds until a test that waits for a thread or a loop has failed."""


class ServeOptions(TypedDict, total=False):
    check_called: bool
    any_storage: bool
    callers: Callers | None
    tls: TLS | None
    users: Users | None
    timeouts: Timeouts
    limits: Limits


class ConnectOptions(TypedDict, total=False):
    called: str
    calling: str
    operations: int
    tls: TLS | None
    identity: Identity | None
    extended: Extended
    timeouts: Timeouts
    limits: Limits


class Scripted(Provider):
    """A provider that speaks as its script does: from the start, or behind the negotiation."""

    script: Script
    greets: bool

    async def serve(self) -> Report:
        try:
            if self.greets:
                await self._negotiate()
                await self.session.wire.send(())
            await self.script(self.session)
        except (AssociationError, ProtocolError) as error:
            self.report.ended = str(error)
        await self.session.finish()
        return self.report


class ScriptedReception(Reception):
    """A server that follows a script, if it has one."""

    script: Script | None = None
    greets = True

    def _provider(self, wire: Wire) -> Provider:
        if self.script is None:
            return super()._provider(wire)
        provider = Scripted(Session(wire), self.services, aet=self.aet, check_called=self._check_called)
        provider.script, provider.greets = self.script, self.greets
        return provider


class Served:
    """A provider that can be reached."""

    def __init__(self, aet: str, host: str, port: int, reports: queue.SimpleQueue[Report], settle: Callable[[], None]) -> None:
        self.aet = aet
        self.host = host
        self.port = port
        self._reports = reports
        self._settle = settle

    def report(self) -> Report:
        """What the association that ended next did."""
        self._settle()
        return self._reports.get(timeout=PATIENCE)

    @property
    def address(self) -> Address:
        return Address(self.aet, self.host, self.port)


class Link(ABC):
    """An association, whatever runs it."""

    def __init__(self, association: Negotiated) -> None:
        self.session = association.session
        self._negotiated = association

    @property
    def accepted(self) -> tuple[AcceptedContext, ...]:
        return self._negotiated.accepted

    @property
    def refused(self) -> tuple[RefusedContext, ...]:
        return self._negotiated.refused

    @property
    def max_pdu(self) -> int:
        return self._negotiated.max_pdu

    @property
    def peer_implementation(self) -> tuple[str, str]:
        return self._negotiated.peer_implementation

    @property
    def identity_response(self) -> bytes | None:
        return self._negotiated.identity_response

    @property
    def extended(self) -> Mapping[str, bytes]:
        return self._negotiated.extended

    @abstractmethod
    def run(self, service: Coroutine[object, None, R]) -> R:
        """Runs a dialogue made by hand."""

    @abstractmethod
    def echo(self) -> Status: ...

    @abstractmethod
    def store(self, source: Source) -> Status: ...

    @abstractmethod
    def store_all(self, sources: Iterable[S]) -> Iterator[tuple[S, Status]]: ...

    @abstractmethod
    def find(self, query: DataSet, model: UID | None = None) -> Iterator[DataSet]: ...

    @abstractmethod
    def move(
        self, query: DataSet, to: str, model: UID | None = None, progress: Callable[[Progress], object] | None = None
    ) -> MoveResult: ...

    @abstractmethod
    def get(
        self,
        query: DataSet,
        sink: Callable[[Request], Sink],
        model: UID | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> GetResult: ...

    @abstractmethod
    def release(self) -> None: ...

    @abstractmethod
    def abort(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None and self.session.alive:
            self.release()
        else:
            self.abort()


class Front(ABC):
    """A way to run services."""

    chunk = 1 << 30
    """Bytes that arrive at once at most."""

    @abstractmethod
    def serve(
        self,
        services: Services = Services(),  # noqa: B008 - frozen
        *,
        aet: str = "SCP",
        script: Script | None = None,
        greets: bool = True,
        **options: Unpack[ServeOptions],
    ) -> Served:
        """A provider of these services, or one that speaks by a script (`greets`: which begins behind the negotiation)."""

    @abstractmethod
    def connect(self, to: Served | Address, contexts: Sequence[Context | str], **options: Unpack[ConnectOptions]) -> Link: ...

    @abstractmethod
    def close(self) -> None:
        """Ends what is left and tells of what went wrong unseen."""

    def nowhere(self) -> Address:
        """Where nobody listens."""
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return Address("NOWHERE", "127.0.0.1", sock.getsockname()[1])


async def following(results: AsyncIterator[R]) -> tuple[R] | None:
    """The next result, or None behind the last."""
    try:
        return (await anext(results),)
    except StopAsyncIteration:
        return None


# Memory


class MemoryServer(ScriptedReception):
    """A server without a transport: what the fronts' `_serve` do."""

    async def serve(self, wire: MemoryWire) -> None:
        wire.layer = self._layer()
        wire.layer.connected()
        provider = self._provider(wire)
        self._make_room(wire)
        await provider.serve()
        self._forget(wire)
        self._tell(provider.report)


class MemoryLink(Link):
    def __init__(self, network: Network, association: Negotiated) -> None:
        super().__init__(association)
        self._network = network

    def run(self, service: Coroutine[object, None, R]) -> R:
        return self._network.run(service)

    def echo(self) -> Status:
        return self._operation(scu.echo(self.session))

    def store(self, source: Source) -> Status:
        return self._operation(scu.store(self.session, source))

    def store_all(self, sources: Iterable[S]) -> Iterator[tuple[S, Status]]:
        return self._iteration(scu.store_all(self.session, sources))

    def find(self, query: DataSet, model: UID | None = None) -> Iterator[DataSet]:
        return self._iteration(scu.find(self.session, query, model))

    def move(self, query: DataSet, to: str, model: UID | None = None, progress: Callable[[Progress], object] | None = None) -> MoveResult:
        return self._operation(scu.move(self.session, query, to, model, progress))

    def get(
        self,
        query: DataSet,
        sink: Callable[[Request], Sink],
        model: UID | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> GetResult:
        return self._operation(scu.get(self.session, query, sink, model, progress))

    def release(self) -> None:
        self.run(self.session.release())

    def abort(self) -> None:
        self.run(self.session.abort())

    def _operation(self, service: Coroutine[object, None, R]) -> R:
        self.run(self.session.settle())
        return self.run(service)

    def _iteration(self, results: Any) -> Iterator[Any]:  # Any: an async generator of either type of result
        self.run(self.session.settle())
        self.session.running = results
        try:
            while result := self.run(following(results)):
                yield result[0]
            check_undisturbed(self.session, results)
        finally:
            self.run(results.aclose())


class Memory(Front):
    """Both ends in this thread."""

    def __init__(self, chunk: int = 1 << 30) -> None:
        self.chunk = chunk
        self.network = Network(chunk=chunk)
        self._ports = itertools.count(104)

    def serve(
        self,
        services: Services = Services(),  # noqa: B008
        *,
        aet: str = "SCP",
        script: Script | None = None,
        greets: bool = True,
        **options: Unpack[ServeOptions],
    ) -> Served:
        reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        options.setdefault("timeouts", BRISK)
        server = MemoryServer(aet, services, report=reports.put, **options)
        server.script, server.greets = script, greets
        server._clock = lambda: self.network.now
        port = next(self._ports)
        self.network.listen("memory", port, server.serve)
        return Served(aet, "memory", port, reports, self.network.settle)

    def connect(self, to: Served | Address, contexts: Sequence[Context | str], **options: Unpack[ConnectOptions]) -> Link:
        limits, timeouts, shown = options.get("limits", Limits()), options.get("timeouts", BRISK), options.get("identity")
        request = propose(
            options.get("called", "ANY-SCP"),
            options.get("calling", "DIMSE"),
            contexts,
            max_pdu=limits.max_pdu,
            operations=options.get("operations", 1),
            identity=shown.item(secured=False) if shown else None,
            extended=options.get("extended", ()),
        )
        session = Session(self.network.dial(to.host, to.port, UpperLayer.requestor(request, timeouts=timeouts, limits=limits)))
        try:
            answer = self.network.run(session.associate())
        except BaseException:
            self.network.run(session.abort())
            raise
        return MemoryLink(self.network, Negotiated(session, answer))

    def close(self) -> None:
        self.network.settle()


# Sockets and threads


class Logged:
    """Keeps what the fronts log: an association that failed in a way nobody thought of must not pass unseen."""

    def __init__(self) -> None:
        self.records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self._handler = logging.Handler()
        self._handler.emit = self.records.put  # type: ignore[method-assign, assignment]  # a subclass would say no more
        logging.getLogger("dimse").addHandler(self._handler)

    def check(self) -> None:
        logging.getLogger("dimse").removeHandler(self._handler)
        while not self.records.empty():
            record = self.records.get()
            assert not record.getMessage().startswith("serving"), record.exc_info


class BlockingServer(ScriptedReception, blocking.Server):
    pass


class BlockingLink(Link):
    def __init__(self, association: blocking.Association) -> None:
        super().__init__(association)
        self.association = association

    def run(self, service: Coroutine[object, None, R]) -> R:
        return blocking.drive(service)

    def echo(self) -> Status:
        return self.association.echo()

    def store(self, source: Source) -> Status:
        return self.association.store(source)

    def store_all(self, sources: Iterable[S]) -> Iterator[tuple[S, Status]]:
        return self.association.store_all(sources)

    def find(self, query: DataSet, model: UID | None = None) -> Iterator[DataSet]:
        return self.association.find(query, model)

    def move(self, query: DataSet, to: str, model: UID | None = None, progress: Callable[[Progress], object] | None = None) -> MoveResult:
        return self.association.move(query, to, model, progress)

    def get(
        self,
        query: DataSet,
        sink: Callable[[Request], Sink],
        model: UID | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> GetResult:
        return self.association.get(query, sink, model, progress)

    def release(self) -> None:
        self.association.release()

    def abort(self) -> None:
        self.association.abort()


class Blocking(Front):
    """`dimse.connect` and `dimse.Server`."""

    def __init__(self) -> None:
        self.logged = Logged()
        self._servers: list[BlockingServer] = []
        self._links: list[BlockingLink] = []

    def serve(
        self,
        services: Services = Services(),  # noqa: B008
        *,
        aet: str = "SCP",
        script: Script | None = None,
        greets: bool = True,
        **options: Unpack[ServeOptions],
    ) -> Served:
        reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        options.setdefault("timeouts", BRISK)
        server = BlockingServer(aet, services, report=reports.put, **options)
        server.script, server.greets = script, greets
        host, port = server.listen()
        server.start()
        self._servers.append(server)
        return Served(aet, host, port, reports, lambda: None)

    def connect(self, to: Served | Address, contexts: Sequence[Context | str], **options: Unpack[ConnectOptions]) -> Link:
        options.setdefault("timeouts", BRISK)
        link = BlockingLink(blocking.connect(to.host, to.port, contexts=contexts, **options))
        self._links.append(link)
        return link

    def close(self) -> None:
        for link in self._links:
            link.abort()
        for server in self._servers:
            server.stop(0.0)
        self.logged.check()


# asyncio


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.failures: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda loop, context: self.failures.append(context))
        self._thread = threading.Thread(target=self.loop.run_forever, name="loop of the tests", daemon=True)
        self._thread.start()

    def run(self, service: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(service, self.loop).result(PATIENCE)

    def close(self) -> None:
        self.run(self.loop.shutdown_asyncgens())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()


class AsyncServer(ScriptedReception, aio.Server):
    pass


class AsyncLink(Link):
    def __init__(self, loop: Loop, association: aio.AsyncAssociation) -> None:
        super().__init__(association)
        self.association = association
        self._loop = loop

    def run(self, service: Coroutine[Any, Any, R]) -> R:
        return self._loop.run(service)

    def echo(self) -> Status:
        return self.run(self.association.echo())

    def store(self, source: Source) -> Status:
        return self.run(self.association.store(source))

    def store_all(self, sources: Iterable[S]) -> Iterator[tuple[S, Status]]:
        return self._iteration(self.association.store_all(sources))

    def find(self, query: DataSet, model: UID | None = None) -> Iterator[DataSet]:
        return self._iteration(self.association.find(query, model))

    def move(self, query: DataSet, to: str, model: UID | None = None, progress: Callable[[Progress], object] | None = None) -> MoveResult:
        return self.run(self.association.move(query, to, model, progress))

    def get(
        self,
        query: DataSet,
        sink: Callable[[Request], Sink],
        model: UID | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> GetResult:
        return self.run(self.association.get(query, sink, model, progress))

    def release(self) -> None:
        self.run(self.association.release())

    def abort(self) -> None:
        self.run(self.association.abort())

    def _iteration(self, results: Any) -> Iterator[Any]:  # Any: an async generator of either type of result
        try:
            while result := self.run(following(results)):
                yield result[0]
        finally:
            self.run(results.aclose())


class Asyncio(Front):
    """`dimse.aio.connect` and `dimse.aio.Server`."""

    def __init__(self, loop: Loop) -> None:
        self.logged = Logged()
        self._loop = loop
        self._servers: list[AsyncServer] = []
        self._links: list[AsyncLink] = []

    def serve(
        self,
        services: Services = Services(),  # noqa: B008
        *,
        aet: str = "SCP",
        script: Script | None = None,
        greets: bool = True,
        **options: Unpack[ServeOptions],
    ) -> Served:
        reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        options.setdefault("timeouts", BRISK)
        server = AsyncServer(aet, services, report=reports.put, **options)
        server.script, server.greets = script, greets
        host, port = self._loop.run(server.listen())
        self._servers.append(server)
        return Served(aet, host, port, reports, lambda: None)

    def connect(self, to: Served | Address, contexts: Sequence[Context | str], **options: Unpack[ConnectOptions]) -> Link:
        options.setdefault("timeouts", BRISK)

        async def connected() -> aio.AsyncAssociation:
            return await aio.connect(to.host, to.port, contexts=contexts, **options)

        link = AsyncLink(self._loop, self._loop.run(connected()))
        self._links.append(link)
        return link

    def close(self) -> None:
        for link in self._links:
            link.abort()
        for server in self._servers:
            self._loop.run(server.stop(0.0))
        self.logged.check()
        failures, self._loop.failures = self._loop.failures, []
        assert failures == []
