"""What only the asyncio front has: tasks that are cancelled, iterations left to the loop, its server's life."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Coroutine

import pytest

import dimse
from dimse import aio as front
from dimse.association.config import Limits, Timeouts
from dimse.association.events import TraceRecord
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import propose
from dimse.data.commands import CommandField
from dimse.data.uids import CTImageStorage, StudyRootFind, Verification
from dimse.errors import Aborted, AssociationError, ConnectionLost, Unreachable, UsageError
from dimse.services.handlers import Request, Services
from dimse.services.scp import Report
from dimse.services.session import Session
from tests.services.drivers import BRISK, PATIENCE, Asyncio, Blocking, Loop, Served
from tests.services.samples import QUERY, Account, Matches, exchange, frames, request

from .test_both import Endless


@pytest.fixture(autouse=True)
def _quick_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "IDLE_WHEN_STOPPING", 0.3)


def _connect(served: Served, contexts: list[str], timeouts: Timeouts = BRISK) -> front.connect:
    return front.connect(served.host, served.port, contexts=contexts, timeouts=timeouts)


class Silent:
    """A peer that takes a request and answers nothing until it is told to."""

    def __init__(self, peer: Blocking, *, greets: bool = True, reads: bool = True) -> None:
        self.asked, self.done = threading.Event(), threading.Event()
        self._reads = reads
        self.served = peer.serve(Services(find=Matches(0), sink=Account().sink), script=self._script, greets=greets)
        self._greets = greets

    async def _script(self, session: Session) -> None:
        if not self._greets:
            await session.request()
        elif self._reads:
            await session.receive()
            await session.skip()
        self.asked.set()
        if self._reads:
            await session.receive()
        self.done.wait(PATIENCE)


async def _cancelled_when(asked: threading.Event, service: Coroutine[object, None, object]) -> None:
    """Runs it as a task, and cancels that when the peer has been asked."""
    task = asyncio.ensure_future(service)
    while not asked.is_set():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("operation", ["echo", "find"])
def test_a_cancelled_operation_aborts(loop: Loop, peer: Blocking, operation: str) -> None:
    silent = Silent(peer)

    async def test() -> None:
        association = await _connect(silent.served, [Verification, StudyRootFind])

        async def found() -> None:
            async for _ in association.find(QUERY):
                pass

        await _cancelled_when(silent.asked, association.echo() if operation == "echo" else found())
        assert not association.session.alive
        with pytest.raises(UsageError):
            await association.echo()
        await association.abort()

    loop.run(test())
    assert silent.served.report().ended.startswith("the peer aborted")


def test_a_cancelled_connect_aborts(loop: Loop, peer: Blocking) -> None:
    silent = Silent(peer, greets=False, reads=False)
    silent.done.set()

    async def connected() -> object:
        return await _connect(silent.served, [Verification])

    async def test() -> None:
        await _cancelled_when(silent.asked, connected())

    silent.done.clear()
    loop.run(test())
    silent.done.set()
    silent.served.report()


def test_cancelled_while_the_peer_does_not_read(loop: Loop, peer: Blocking) -> None:
    """What is in the transport's buffer is not waited for."""
    silent = Silent(peer, reads=False)

    async def test() -> None:
        association = await _connect(silent.served, [CTImageStorage])
        task = asyncio.ensure_future(association.store(Endless(1 << 30)))
        wire = association.session.wire
        assert isinstance(wire, front.StreamWire)
        while wire._drained is None:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert wire._socket is not None
        assert wire._socket.fileno() == -1

    loop.run(test())
    silent.done.set()
    silent.served.report()


def test_cancelled_in_the_block(loop: Loop, aio: Asyncio) -> None:
    served = aio.serve()

    async def test() -> None:
        async with _connect(served, [Verification]) as association:
            await association.echo()
            await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.create_task(test())
        for _ in range(100):
            await asyncio.sleep(0.001)
            if task.get_stack() and "wait" in str(task.get_coro()):
                break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    loop.run(cancelled())
    assert served.report().ended.startswith("the peer aborted")


def test_one_operation_at_a_time(loop: Loop, peer: Blocking) -> None:
    silent = Silent(peer)

    async def test() -> None:
        association = await _connect(silent.served, [Verification, StudyRootFind])
        first = asyncio.ensure_future(association.echo())
        while not silent.asked.is_set():
            await asyncio.sleep(0)
        for second in (association.echo(), association.release(), anext(association.find(QUERY))):
            with pytest.raises(UsageError, match="under way"):
                await second
        assert not first.done()
        await association.abort()  # that is allowed from anywhere, and ends the first
        with pytest.raises(AssociationError):
            await asyncio.wait_for(first, 5)

    loop.run(test())
    assert silent.served.report().ended.startswith("the peer aborted")


@pytest.mark.parametrize("turns", [0, 1, 5])
def test_iterations_left_by_break(loop: Loop, aio: Asyncio, turns: int) -> None:
    """The next operation ends what was left, whenever the loop gets round to the generator."""
    find = Matches(None)
    served = aio.serve(Services(find=find))

    async def test() -> None:
        async with _connect(served, [Verification, StudyRootFind]) as association:
            for _ in range(10):
                async for _ in association.find(QUERY):
                    break
                gc.collect()
                for _ in range(turns):
                    await asyncio.sleep(0)
                assert (await association.echo()).ok
            async for _ in association.find(QUERY):
                break

    loop.run(test())
    assert served.report().ended == "released"
    assert find.ended == ["closed"] * 11


def test_iterations_that_are_closed(loop: Loop, aio: Asyncio) -> None:
    find = Matches(None)
    served = aio.serve(Services(find=find))

    async def test() -> None:
        async with _connect(served, [StudyRootFind]) as association:
            matches = association.find(QUERY)
            await anext(matches)
            await matches.aclose()
            assert find.ended == ["closed"]
            await association.find(QUERY).aclose()  # never begun
            whole = association.find(QUERY)
            await anext(whole)
            second = association.find(QUERY)
            await anext(second)
            with pytest.raises(UsageError, match="ended"):
                await anext(whole)

    loop.run(test())
    served.report()


def test_iteration_that_came_to_its_end(loop: Loop, aio: Asyncio) -> None:
    served = aio.serve(Services(find=Matches(2)))

    async def test() -> None:
        async with _connect(served, [StudyRootFind, Verification]) as association:
            matches = association.find(QUERY)
            assert len([m async for m in matches]) == 2
            assert [m async for m in matches] == []
            await association.echo()
            assert [m async for m in matches] == []

    loop.run(test())
    served.report()


def test_connect_in_both_ways(loop: Loop, aio: Asyncio) -> None:
    served = aio.serve()

    async def test() -> None:
        association = await _connect(served, [Verification])
        assert (await association.echo()).ok
        async with association:
            pass
        connecting = _connect(served, [Verification])
        async with connecting as association:
            assert (await association.echo()).ok
        connecting = front.connect("127.0.0.1", 1, contexts=[Verification])
        with pytest.raises(Unreachable):
            async with connecting:
                pass
        await connecting.__aexit__(None, None, None)

    loop.run(test())
    assert [served.report().ended for _ in range(2)] == ["released"] * 2


# The server's life


def test_serve_until_stopped(loop: Loop) -> None:
    """`serve` comes back when `stop` has done its work, as the other front's does."""

    async def test() -> None:
        server = front.Server("SCP", Services(), timeouts=BRISK)
        serving = asyncio.create_task(server.serve("127.0.0.1", 0))
        while server._server is None or not server._server.sockets:
            await asyncio.sleep(0)
        host, port = server._server.sockets[0].getsockname()
        async with front.connect(host, port, contexts=[Verification]) as association:
            assert (await association.echo()).ok
        await server.stop()
        await asyncio.wait_for(serving, 5)
        with pytest.raises(Unreachable):
            await front.connect(host, port, contexts=[Verification])
        await server.stop()

    loop.run(test())


def test_serve_until_cancelled(loop: Loop) -> None:
    reports: list[Report] = []

    async def test() -> None:
        server = front.Server("SCP", Services(), timeouts=BRISK, report=reports.append)
        serving = asyncio.create_task(server.serve("127.0.0.1", 0))
        while server._server is None or not server._server.sockets:
            await asyncio.sleep(0)
        association = await front.connect(*server._server.sockets[0].getsockname(), contexts=[Verification], timeouts=BRISK)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(Aborted):
            await association.echo()
        await association.abort()

    loop.run(test())
    assert ["this side is stopping" in r.ended for r in reports] == [True]


def test_stopping_waits_for_what_is_under_way(loop: Loop) -> None:
    """An instance that is half way in comes in; silent associations are aborted and reported; nobody new comes in."""
    account, reports = Account(), list[Report]()

    async def test() -> None:
        server = front.Server("SCP", Services(sink=account.sink), report=reports.append, timeouts=BRISK)
        host, port = await server.listen()
        busy = await front.connect(host, port, contexts=[CTImageStorage], timeouts=BRISK)
        idle = await front.connect(host, port, contexts=[Verification], timeouts=BRISK)
        half = frames(1, request(CommandField.C_STORE_RQ), b"data set")
        await busy.session.wire.send([half[:-4]])
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        with pytest.raises(Unreachable):
            await front.connect(host, port, contexts=[Verification])
        assert (await exchange(busy.session, half[-4:])).status == 0
        for association in (idle, busy):
            with pytest.raises(Aborted) as caught:
                await association.session.receive()
            assert caught.value.by_peer
            await association.abort()
        await stopping

    loop.run(test())
    assert account.stored == {"1.2.3": b"data set"}
    assert ["this side is stopping" in r.ended for r in reports] == [True, True]


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_leaving_the_server(loop: Loop, error: type[Exception] | None) -> None:
    async def leave(server: front.Server, host: str, port: int) -> None:
        async with server:
            async with front.connect(host, port, contexts=[Verification]) as association:
                assert (await association.echo()).ok
            if error:
                raise error

    async def test() -> None:
        server = front.Server("SCP", Services())
        host, port = await server.listen()
        if error is None:
            await leave(server, host, port)
        else:
            with pytest.raises(error):
                await leave(server, host, port)

    loop.run(test())


def test_stop_twice_and_before_anything(loop: Loop) -> None:
    async def test() -> None:
        server = front.Server("SCP", Services())
        await server.stop()
        await server.stop()

    loop.run(test())


def test_report_that_fails(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    def report(of: Report) -> None:
        raise ZeroDivisionError

    async def test() -> None:
        server = front.Server("SCP", Services(), report=report, timeouts=BRISK)
        host, port = await server.listen()
        async with server, front.connect(host, port, contexts=[Verification]) as association:
            assert (await association.echo()).ok

    loop.run(test())
    assert [r.getMessage().split(" 127")[0] for r in caplog.records] == ["serving"]


def test_cancelled_before_it_began(loop: Loop) -> None:
    """A connection whose task never ran a step is closed and forgotten like any other."""

    async def test() -> None:
        server = front.Server("SCP", Services(), timeouts=BRISK)
        reader, writer = await asyncio.open_connection(*await server.listen())
        while not server._tasks:
            await asyncio.sleep(0)
        for task in server._tasks:
            task.cancel()
        await server.stop(0.0)
        assert await reader.read() == b""
        assert server._visitors._strangers == {}
        writer.close()
        await writer.wait_closed()

    loop.run(test())


def test_many_at_once_from_one_host(loop: Loop) -> None:
    """All are accepted before the first is read; each gets its answer, be it that there are too many."""
    asked = propose("SCP", "ME", [Verification]).encode()

    async def answer(peer: socket.socket) -> int:
        peer.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(peer, asked)
        return (await asyncio.get_running_loop().sock_recv(peer, 4096) or b"\0")[0]

    async def test() -> None:
        server = front.Server("SCP", Services(), timeouts=BRISK)
        address = await server.listen()
        peers = [socket.create_connection(address) for _ in range(90)]  # the loop stands still meanwhile
        found = await asyncio.gather(*map(answer, peers))
        assert (found.count(2), found.count(3)) == (Limits().associations_per_host, 90 - Limits().associations_per_host)
        for peer in peers:
            peer.close()
        await server.stop(0.0)

    loop.run(test())


def test_a_trace_that_raises(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    """Whenever it does: the connection is closed, nothing of it is left, and the server goes on."""
    broken = True

    def trace(record: TraceRecord) -> None:
        if broken:
            raise ZeroDivisionError

    async def test() -> None:
        nonlocal broken
        server = front.Server("SCP", Services(), timeouts=BRISK, trace=trace)
        host, port = await server.listen()

        async def ask(*, breaks: bool) -> bool:
            nonlocal broken
            async with front.connect(host, port, contexts=[Verification], timeouts=BRISK) as association:
                broken = breaks
                return (await association.echo()).ok

        for _ in range(2):
            with pytest.raises(AssociationError):
                await ask(breaks=True)
            broken = False
            assert await ask(breaks=False)
        await server.stop()
        assert (server._visitors._strangers, server._visitors._associated) == ({}, {})

    loop.run(test())
    failures, loop.failures = loop.failures, []
    assert [type(failure["exception"]) for failure in failures] == [ZeroDivisionError]  # from `connection_made`
    assert [r.getMessage().split(" 127")[0] for r in caplog.records if r.name == "dimse"] == ["serving", "serving"]


class _Transport(asyncio.Transport):
    """Of a peer that needs none of what is sent."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("host", 1) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def close(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


@pytest.mark.parametrize("known", [(), ("peername",), ("sockname",), ("peername", "sockname")])
def test_a_peer_that_is_gone_before_anybody_looked(loop: Loop, known: tuple[str, ...]) -> None:
    """Then the system does not know its address any more, or this side's; the end is told like any other."""

    async def test() -> None:
        gone = socket.socket()
        gone.close()
        layer = UpperLayer.requestor(propose("SCP", "ME", [Verification]))
        wire = front.StreamWire(layer)
        transport = _Transport()
        found = {"socket": gone} | dict.fromkeys(known, ("host", 1))
        transport.get_extra_info = lambda name, default=None: found.get(name)  # type: ignore[method-assign]
        wire.connection_made(transport)
        wire.connection_lost(ConnectionResetError())
        with pytest.raises(ConnectionLost):
            await Session(wire).associate()

    loop.run(test())


def test_two_that_wait_for_a_peer_to_read(loop: Loop) -> None:
    """An abort waits besides the operation that it ends; one that is cancelled does not cancel the other."""

    async def test() -> None:
        wire = front.StreamWire(UpperLayer.acceptor())
        transport = _Transport()
        transport.is_closing = lambda: False  # type: ignore[method-assign]
        wire.connection_made(transport)
        wire.pause_writing()
        one, other = (asyncio.create_task(wire.send([b"data"])) for _ in range(2))
        for _ in range(3):
            await asyncio.sleep(0)
        one.cancel()
        await asyncio.wait([one])
        wire.resume_writing()
        await asyncio.wait([other])
        assert (one.cancelled(), other.cancelled()) == (True, False)

    loop.run(test())


def test_a_peer_that_goes_on_sending_when_it_is_aborted(loop: Loop) -> None:
    """What it sends is read on, though so much came that reading had been paused: its end comes behind that."""

    async def test() -> None:
        layer = UpperLayer.acceptor(timeouts=Timeouts(linger=2 * PATIENCE))
        wire = front.StreamWire(layer)
        transport = _Transport()
        paused: list[bool] = []
        transport.pause_reading = lambda: paused.append(True)  # type: ignore[method-assign]
        transport.resume_reading = wire.eof_received  # type: ignore[method-assign, assignment]
        wire.connection_made(transport)
        for _ in range(5):
            wire.data_received(b"\x09" + bytes(5))
        await wire.pump()
        wire._at_end = False
        for _ in range(5):
            wire.data_received(bytes(5))
        assert (layer.state, paused[0]) == (13, True)
        await wire.close()

    loop.run(test())


def test_a_peer_that_never_stops_sending(loop: Loop) -> None:
    """Bytes that are there already put no deadline off."""

    async def test() -> None:
        layer = UpperLayer.acceptor(timeouts=Timeouts(artim=0.0))
        wire = front.StreamWire(layer)
        wire.connection_made(_Transport())
        wire.data_received(b"\1\0")
        await wire.pump()
        assert layer.closed

    loop.run(test())


def test_handlers_run_in_the_loop(loop: Loop, aio: Asyncio) -> None:
    seen: list[asyncio.AbstractEventLoop] = []

    def echo(request: Request) -> None:
        seen.append(asyncio.get_running_loop())

    served = aio.serve(Services(echo=echo))
    with aio.connect(served, [Verification]) as link:
        link.echo()
    assert seen == [loop.loop]


def test_no_waits(loop: Loop, aio: Asyncio) -> None:
    """None waits for ever."""
    forever = Timeouts(*[None] * 9)
    served = aio.serve(timeouts=forever)

    async def test() -> None:
        async with _connect(served, [Verification], forever) as association:
            assert (await association.echo()).ok

    loop.run(test())
    assert dimse.aio is front


def test_one_conversion_at_a_time() -> None:
    async def scenario() -> None:
        server = front.Server("SCP", Services())
        async with server._turn(converting=True), server._turn():
            assert server._conversions.locked()
            assert not server._checks.locked()
        assert not server._conversions.locked()

    asyncio.run(scenario())
