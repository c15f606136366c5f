"""What both fronts have and only fronts can have: sockets, peers that break off or do not read, the same names."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
import socket
import threading
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator, Sequence

import pytest

import pdu
from dimse import aio, blocking
from dimse.association.config import Limits, Timeouts
from dimse.association.negotiation import Context
from dimse.data.commands import CommandField
from dimse.data.datasets import DataSet
from dimse.data.protocols import Reading
from dimse.data.uids import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, StudyRootFind, Verification
from dimse.errors import Aborted, ConnectionLost, ProtocolError, TimedOut, Unreachable
from dimse.services.handlers import Address, Request, Services
from dimse.services.session import Session
from dimse.services.wire import NEAR
from tests.services.drivers import PATIENCE, Blocking, Front, Loop
from tests.services.samples import QUERY, Account, Matches, answers, frames, instance, match, request

BRIEF = Timeouts(artim=0.05, connect=0.05, associate=0.05, release=0.05, idle=0.05, response=0.05, pdu=0.05, send=0.05, linger=0.05)
FIND = Context(StudyRootFind, (ImplicitVRLittleEndian,))


class Endless:
    """An instance of zeros that nobody has to hold in memory."""

    sop_class_uid = CTImageStorage
    sop_instance_uid = UID("1.2.3")
    transfer_syntax = ExplicitVRLittleEndian

    def __init__(self, size: int) -> None:
        self.size = size

    def open(self) -> Reading:
        return _Zeros(self.size)


class _Zeros:
    def __init__(self, size: int) -> None:
        self._left = size

    def readv(self, holes: list[memoryview]) -> int:
        count = min(self._left, sum(map(len, holes)))
        self._left -= count
        return count

    def __enter__(self) -> _Zeros:
        return self

    def __exit__(self, *args: object) -> None: ...


class Dropping:
    """A sink that counts."""

    def __init__(self) -> None:
        self.size = 0

    def open(self, request: Request) -> Dropping:
        return self

    def write(self, pieces: Sequence[memoryview]) -> None:
        self.size += sum(map(len, pieces))

    def finish(self) -> None: ...

    def discard(self) -> None: ...


# One surface


def _members(of: type) -> dict[str, inspect.Signature]:
    found = {}
    for name in dir(of):
        member = getattr(of, name)
        if callable(member) and (not name.startswith("_") or name == "__init__"):
            found[name.replace("__a", "__")] = inspect.signature(member)
    return found


def _shape(signature: inspect.Signature) -> list[tuple[str, object, object]]:
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


def test_the_same_names_arguments_and_defaults() -> None:
    assert _shape(inspect.signature(blocking.connect)) == _shape(inspect.signature(aio.connect))
    ours, theirs = _members(blocking.Association), _members(aio.AsyncAssociation)
    assert {"echo", "store", "store_all", "find", "move", "release", "abort"} <= set(ours)
    for name, signature in ours.items():
        assert _shape(signature) == _shape(theirs[name]), name
    for name in ("__init__", "listen", "serve", "stop"):
        assert _shape(inspect.signature(getattr(blocking.Server, name))) == _shape(inspect.signature(getattr(aio.Server, name))), name


def test_the_same_documentation() -> None:
    for name in ("echo", "store", "store_all", "find", "move", "release", "abort"):
        text = getattr(blocking.Association, name).__doc__
        assert text
        assert text == getattr(aio.AsyncAssociation, name).__doc__


# Socket options


class Watched:
    """A socket whose options are noted."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.options: list[tuple[int, int, object]] = []

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options.append((level, option, value))
        self._sock.setsockopt(level, option, value)

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


def test_socket_options(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP_NODELAY on both sides from the start, TCP_QUICKACK renewed after each read that took all there was."""
    watched: list[Watched] = []
    for module in (blocking.SocketWire, aio.StreamWire):
        real = module.pump

        async def pump(self: object, *, wait: bool = True, real: Callable[..., Coroutine[object, None, object]] = real) -> object:
            sock = getattr(self, "_socket")  # noqa: B009 - of two classes
            if not isinstance(sock, Watched):
                watched.append(Watched(sock))
                setattr(self, "_socket", watched[-1])  # noqa: B010
            return await real(self, wait=wait)

        monkeypatch.setattr(module, "pump", pump)
    served = front.serve()
    with front.connect(served, [Verification]) as link:
        for _ in range(3):
            assert link.echo().ok
        assert len(watched) == 2
        for sock in watched:
            assert sock._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            renewed = sock.options.count((socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1))
            assert renewed >= 3
        # Little is on its way from a requestor to the same host; a peer that asks for much (C-GET) is left to the system.
        assert [sock._sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) for sock in watched].count(2 * NEAR) == 1


def test_what_is_on_its_way_to_another_host_is_up_to_the_system(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    served = front.serve()
    monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("192.0.2.1", 104))
    monkeypatch.setattr(socket.socket, "getsockname", lambda self: ("192.0.2.2", 65_000))
    with front.connect(served, [Verification]) as link:
        assert link.echo().ok
        sock = getattr(link.session.wire, "_socket")  # noqa: B009 - of two classes
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) != 2 * NEAR


# Connecting


def test_connect_timeout(front: Front) -> None:
    """A host that does not answer: a listener whose queue is full drops what comes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        queued = [socket.socket() for _ in range(4)]
        try:
            for sock in queued:
                sock.setblocking(False)
                sock.connect_ex(address)
            with pytest.raises(Unreachable, match="no answer in time"):
                front.connect(Address("", *address), [Verification], timeouts=BRIEF)
        finally:
            for sock in queued:
                sock.close()


@pytest.mark.parametrize("host", ["host.invalid", "\u20ac" * 80, "a" * 300])
def test_no_such_host(front: Front, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(host: str | bytes, *args: object, **kwargs: object) -> list[object]:
        str(host).encode("idna")
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(Unreachable):
        front.connect(Address("", host, 104), [Verification])


def test_a_port_that_is_none_reaches_nobody(front: Front) -> None:
    """Resolvers take the port modulo 65536: that would be the listener here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for port in (listener.getsockname()[1] + 65_536, -1):
            with pytest.raises(Unreachable, match="a TCP port is 0 to 65535"):
                front.connect(Address("", "127.0.0.1", port), [Verification], timeouts=BRIEF)


def test_a_port_that_is_none_is_not_listened_at(loop: Loop) -> None:
    with pytest.raises(OverflowError):
        blocking.Server("NODE", Services()).listen(port=65_537)
    with pytest.raises(OverflowError):
        loop.run(aio.Server("NODE", Services()).listen(port=65_537))


def test_one_byte_of_the_answer_now_and_then(front: Front, peer: Blocking) -> None:
    """U-01: the wait for the answer counts from the request, whatever trickles in."""

    async def script(session: Session) -> None:
        await session.request()
        for byte in pdu.AssociateAC("A", "B", ()).encode():
            await session.wire.send([bytes([byte])])
            assert isinstance(session.wire, blocking.SocketWire)
            session.wire._socket.settimeout(0.01)
            with contextlib.suppress(TimeoutError):
                if session.wire._socket.recv(1):
                    break

    served = peer.serve(script=script, greets=False)
    with pytest.raises(TimedOut, match="associate"):
        front.connect(served, [Verification], timeouts=BRIEF)


@pytest.mark.parametrize("how", ["close", "abort", "nonsense", "half"])
def test_ends_instead_of_an_answer(front: Front, peer: Blocking, how: str) -> None:
    async def script(session: Session) -> None:
        await session.request()
        if how == "abort":
            await session.abort()
        elif how == "nonsense":
            await session.wire.send([b"HTTP/1.1 400 Bad Request\r\n\r\n"])
        elif how == "half":
            await session.wire.send([b"\x02\0\0\0\x01\0ab"])
        await session.wire.close()

    with pytest.raises(ConnectionLost if how in ("close", "half") else Aborted) as caught:
        front.connect(peer.serve(script=script, greets=False), [Verification])
    if isinstance(caught.value, Aborted):
        assert caught.value.by_peer is (how == "abort")


# Ends in all phases


@pytest.mark.parametrize("how", ["close", "abort", "reset", "half"])
@pytest.mark.parametrize("phase", ["idle", "response", "matches", "sending", "release"])
def test_ends_in_all_phases(front: Front, peer: Blocking, phase: str, how: str) -> None:
    async def script(session: Session) -> None:
        if phase in ("response", "sending"):
            await session.receive()
        elif phase == "matches":
            command, _ = await answers(session)
            response = command.response(0xFF00, command_data_set_type=1)
            await session.wire.send([frames(3, response, match(0).encoded)])
        elif phase == "release":
            await session.wire.pump()
        assert isinstance(session.wire, blocking.SocketWire)
        if how == "half":
            await session.wire.send([b"\x04\0\0\0\x01\0\0\0"])
        if how == "reset":
            session.wire._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if how == "abort" and session.layer.state == 6:
            await session.abort()
        session.wire.shut()

    served = peer.serve(Services(sink=Account().sink, find=Matches(0)), script=script)
    link = front.connect(served, [Verification, FIND, CTImageStorage])
    operations: dict[str, Callable[[], object]] = {
        "idle": link.echo,
        "response": link.echo,
        "matches": lambda: list(link.find(QUERY)),
        "sending": lambda: link.store(Endless(50_000_000)),
        "release": link.release,
    }
    with pytest.raises((ConnectionLost, Aborted)):
        operations[phase]()
    assert not link.session.alive
    link.abort()


def test_a_peer_that_does_not_read(front: Front, peer: Blocking) -> None:
    """The send wait: told once, and nothing waits a second time to close."""
    done = threading.Event()

    async def script(session: Session) -> None:
        done.wait(PATIENCE)

    served = peer.serve(Services(sink=Account().sink), script=script)
    link = front.connect(served, [CTImageStorage], timeouts=BRIEF)
    try:
        with pytest.raises(TimedOut, match="send") as caught:
            link.store(Endless(100_000_000))
        assert caught.value.wait == "send"
        assert not link.session.alive
        link.abort()
    finally:
        done.set()


def test_a_peer_that_asks_and_does_not_read(front: Front, peer: Blocking) -> None:
    """A provider gives up sending; its place is free."""
    closed: list[bool] = []
    value = b"\x10\x00\x00\x40" + (1 << 18).to_bytes(4, "little") + bytes(1 << 18)

    def find(request: Request) -> Iterator[DataSet]:
        try:
            for _ in range(1000):
                yield DataSet(value, ImplicitVRLittleEndian)
        finally:
            closed.append(True)

    served = front.serve(Services(find=find), timeouts=BRIEF, limits=Limits(associations=1))
    link = peer.connect(served, [FIND])

    async def script(session: Session) -> None:
        await session.wire.send([frames(1, request(CommandField.C_FIND_RQ), QUERY.encoded)])

    link.run(script(link.session))
    report = served.report()
    assert "the wait 'send' passed" in report.ended
    assert closed == [True]
    link.abort()


def test_abort_is_not_overtaken(front: Front, peer: Blocking) -> None:
    """Bytes that were not read make the kernel send a reset at closing: the side that aborts reads on for a moment."""
    served = peer.serve(Services(find=Matches(20_000)))
    link = front.connect(served, [FIND])
    matches = link.find(QUERY)
    next(matches)
    link.abort()
    assert not link.session.alive
    assert served.report().ended.startswith("the peer aborted")


# Servers


def test_idle_and_half_open_clients(front: Front) -> None:
    """T-01, T-02: they hold up nobody, and each is closed at ARTIM."""
    served = front.serve(timeouts=Timeouts(artim=0.3, linger=0.05))
    silent = []
    for n in range(12):
        sock = socket.create_connection((served.host, served.port))
        sock.sendall(b"\x01\0\0\0\x01\0\0\1\0\0PACS"[:n])
        silent.append(sock)
    for _ in range(3):
        with front.connect(served, [Verification]) as link:
            assert link.echo().ok
        assert served.report().ended == "released"
    for sock in silent:
        sock.settimeout(PATIENCE)
        assert sock.recv(100) == b""
        sock.close()
    ended = {served.report().ended for _ in silent}
    assert len(ended) == 1
    assert "the wait 'artim' passed" in ended.pop()


def test_many_connect_before_the_first_is_taken() -> None:
    """T-02: one that the system had to drop would be there after a second."""
    with contextlib.ExitStack() as stack:
        server = blocking.Server("NODE", Services())
        stack.callback(server.stop)
        address = server.listen()
        for _ in range(200):
            stack.enter_context(socket.create_connection(address, timeout=PATIENCE))

        async def burst() -> None:
            server = aio.Server("NODE", Services())
            address = await server.listen()
            for _ in range(200):  # nothing is taken meanwhile, for this does not wait
                stack.enter_context(socket.create_connection(address, timeout=PATIENCE))
            await server.stop(0.0)

        asyncio.run(burst())


def test_nonsense_instead_of_a_request(front: Front) -> None:
    """T-05, T-06, T-08."""
    served = front.serve()
    for nonsense in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes.fromhex("16 03 01 00 C8 01 00 00 C4 03 03") + bytes(193), bytes(6)):
        with socket.create_connection((served.host, served.port)) as sock:
            sock.settimeout(PATIENCE)
            sock.sendall(nonsense)
            assert sock.recv(100)[:6] == b"\x07\0\0\0\0\4"
        assert served.report().ended.startswith("this side aborted")
    with socket.create_connection((served.host, served.port)):
        pass
    assert served.report().ended.startswith("the connection closed")


def test_handler_exceptions_are_logged_once(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    def echo(request: Request) -> None:
        raise ZeroDivisionError("of the handler")

    served = front.serve(Services(echo=echo))
    with caplog.at_level(logging.INFO, "dimse"), front.connect(served, [Verification]) as link:
        assert link.echo() == 0x0110
        assert link.echo() == 0x0110
    served.report()
    front.close()
    said = f"a handler failed for {served_address(caplog)}: answered 0110H: ZeroDivisionError in echo (test_both.py:"
    assert [r.getMessage().startswith(said) for r in caplog.records if "handler failed" in r.getMessage()] == [True, True]
    assert "of the handler" not in caplog.text  # which may be about a patient
    assert len(caplog.records) == 2


def served_address(caplog: pytest.LogCaptureFixture) -> str:
    return str(caplog.records[0].args[0]) if isinstance(caplog.records[0].args, tuple) else ""


def test_port_and_host(front: Front) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        served = front.serve()
        assert served.host == "127.0.0.1"
        assert served.port not in (0, taken.getsockname()[1])
    with front.connect(served, [Verification]) as link:
        assert link.session.wire.address == f"127.0.0.1:{served.port}"
    assert served.report().peer.address.startswith("127.0.0.1:")


# Memory


def test_much_data_in_little_memory(front: Front) -> None:
    """What passes through is never held: neither side grows with the instance."""
    sink = Dropping()
    served = front.serve(Services(sink=sink.open))
    with front.connect(served, [CTImageStorage]) as link:
        assert link.store(Endless(1_000_000)).ok
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            assert link.store(Endless(64 << 20)).ok
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert sink.size == (64 << 20) + 1_000_000
    assert peak - before < 8 << 20


def test_a_slow_sink_holds_up_its_peer_only(front: Front, peer: Blocking) -> None:
    """Back-pressure: a server reads no further than its sink gets along."""
    sink = Dropping()
    served = front.serve(Services(sink=sink.open))
    with peer.connect(served, [CTImageStorage]) as link:
        for status in [link.store(Endless(3_000_000)) for _ in range(5)]:
            assert status.ok
    assert sink.size == 15_000_000


def test_many_at_once(front: Front) -> None:
    served = front.serve(Services(find=Matches(20), sink=Account().sink))
    links = [front.connect(served, [Verification, FIND, CTImageStorage]) for _ in range(12)]
    iterations: list[Iterator[object]] = [link.find(QUERY) for link in links]
    for iteration in iterations:
        next(iteration)
    for link in links:
        assert link.echo().ok
        assert link.store(instance(1)).ok
        link.release()
    assert [served.report().ended for _ in links] == ["released"] * 12


def test_protocol_errors_have_one_face(front: Front, peer: Blocking) -> None:
    async def script(session: Session) -> None:
        message = await session.receive()
        await session.send(message.context, request(CommandField.C_ECHO_RQ))
        await session.receive()

    link = front.connect(peer.serve(script=script), [Verification])
    with pytest.raises(ProtocolError):
        link.echo()
    link.abort()
