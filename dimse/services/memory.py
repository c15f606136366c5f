"""A transport without I/O: both ends of each connection in one thread, with a clock that jumps. For tests, anybody's.

    network = Network()
    network.listen("pacs", 104, lambda wire: Provider(Session(wire), services, aet="PACS").serve())
    session = Session(network.dial("pacs", 104, UpperLayer.requestor(propose("PACS", "ME", [Verification]))))
    network.run(session.associate())
    print(network.run(scu.echo(session)))

Nothing ever waits: when all services wait for each other, the clock is set to the next deadline.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import TypeVar

from dimse.association.events import Event
from dimse.association.layer import UpperLayer
from dimse.errors import Unreachable
from dimse.services.handlers import Address
from dimse.services.security import Security

R = TypeVar("R")
Service = Coroutine[object, None, object]


class Network:
    """Hosts that can be dialled, the services that run on them, and the time. `chunk` bytes at most arrive at once."""

    def __init__(self, *, chunk: int = 1 << 30) -> None:
        self.now = 0.0
        self.chunk = chunk
        self._hosts: dict[tuple[str, int], Callable[[MemoryWire], Service]] = {}
        self._background: list[Service] = []
        self._waiting: dict[Service, MemoryWire] = {}
        self._numbers = itertools.count()

    def listen(self, host: str, port: int, serve: Callable[[MemoryWire], Service]) -> None:
        """Whoever dials host and port gets a new `serve(wire)` at the other end, which runs whenever `run` does."""
        self._hosts[host, port] = serve

    def dial(self, host: str, port: int, layer: UpperLayer) -> MemoryWire:
        """Opens a connection. Raises `Unreachable` if nobody listens."""
        serve = self._hosts.get((host, port))
        if serve is None:
            raise Unreachable(f"{host}:{port}", "connection refused")
        here = MemoryWire(self, layer, f"{host}:{port}")
        there = MemoryWire(self, UpperLayer.acceptor(timeouts=layer.timeouts, limits=layer.limits), f"memory:{next(self._numbers)}")
        here.other, there.other = there, here
        self._background.append(serve(there))
        return here

    def run(self, service: Coroutine[object, None, R]) -> R:
        """Runs a service to its end, and whatever serves it meanwhile. Raises `RuntimeError` if all wait for ever."""
        while True:
            try:
                if self._may_run(service):
                    self._step(service)
            except StopIteration as stop:
                result: R = stop.value
                return result
            self._serve()
            if not any(map(self._may_run, [service, *self._background])):
                self._skip_ahead()

    def settle(self) -> None:
        """Runs what serves in the background until all of it waits, without moving the clock."""
        while any(map(self._may_run, self._background)):
            self._serve()

    def _serve(self) -> None:
        for service in list(self._background):
            try:
                if self._may_run(service):
                    self._step(service)
            except StopIteration:
                self._background.remove(service)

    def _step(self, service: Service) -> None:
        """Runs a service up to its next wait; a wire's wait tells by itself which wire it is."""
        self._waiting.pop(service, None)
        wire = service.send(None)
        if isinstance(wire, MemoryWire):
            self._waiting[service] = wire

    def _may_run(self, service: Service) -> bool:
        wire = self._waiting.get(service)
        return wire is None or wire.is_ready

    def _skip_ahead(self) -> None:
        """Nobody can go on: time passes until the first deadline."""
        dues = [due for wire in self._waiting.values() if (due := wire.layer.deadline(self.now)) is not None]
        if not dues:
            raise RuntimeError("every service waits for the other, and none has a deadline")
        self.now = max(self.now, min(dues))


class _Wait:
    """Suspends the service until its wire has something to read; without a wire, until the others had their turn."""

    def __init__(self, wire: MemoryWire | None) -> None:
        self._wire = wire

    def __await__(self) -> Generator[MemoryWire | None, None, None]:
        yield self._wire


class MemoryWire:
    """One end of a connection in memory (a `Wire`)."""

    other: MemoryWire

    def __init__(self, network: Network, layer: UpperLayer, address: str) -> None:
        self.layer = layer
        self.address = address
        self.security: Security | None = None
        self.clock: Callable[[], float] = lambda: network.now
        self.is_closed = False
        self._network = network
        self._arrived: deque[bytes] = deque()
        layer.connected(address)

    @property
    def is_ready(self) -> bool:
        """Whether a read would return at once."""
        due = self.layer.deadline(self._network.now)
        return bool(self._arrived) or self.other.is_closed or (due is not None and due <= self._network.now)

    async def secure(self) -> None:
        """Nothing to do: who wants to be taken for secured sets `security`."""

    async def pump(self, *, wait: bool = True) -> list[Event]:
        await self.send(())
        if self.layer.closed:
            return []
        if not self.is_ready:
            await _Wait(self if wait else None)
        if self._arrived:
            events = self.layer.receive(self._read())
        elif self.other.is_closed:
            events = self.layer.receive_eof()
        else:
            events = self.layer.timeout(self._network.now) if wait else []
        await self.send(())
        return events

    async def send(self, buffers: Iterable[bytes | memoryview]) -> None:
        self._write(b"".join(self.layer.data_to_send()))
        for buffer in buffers:
            self._write(bytes(buffer))

    async def dial(self, address: Address, layer: UpperLayer) -> MemoryWire:
        return self._network.dial(address.host, address.port, layer)

    def drop(self) -> None:
        self.other.is_closed = self.is_closed = True

    async def close(self) -> None:
        await self.send(())
        self.is_closed = True

    def _read(self) -> bytes:
        chunk, size = self._arrived.popleft(), self._network.chunk
        if len(chunk) > size:
            self._arrived.appendleft(chunk[size:])
        return chunk[:size]

    def _write(self, buffer: bytes) -> None:
        if buffer and not self.is_closed and not self.other.is_closed:
            self.other._arrived.append(buffer)
