"""What only the blocking front has: threads, interruptions by signals, its server's life."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

import dimse
from dimse import blocking as front
from dimse import server as provider
from dimse import sockets
from dimse.association.config import Timeouts
from dimse.association.events import TraceRecord
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import propose
from dimse.data.commands import CommandField
from dimse.data.uids import CTImageStorage, StudyRootFind, StudyRootMove, Verification
from dimse.errors import Aborted, TimedOut, Unreachable, UsageError
from dimse.services.handlers import Request, Services
from dimse.services.scp import Report
from dimse.services.session import Session
from tests.services.drivers import BRISK, PATIENCE, Blocking
from tests.services.samples import QUERY, Account, Matches, Mover, exchange, frames, instance, request

PARTIAL = frames(1, request(CommandField.C_STORE_RQ))


@pytest.fixture(autouse=True)
def _quick_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "IDLE_WHEN_STOPPING", 0.3)


@pytest.mark.parametrize("operation", ["echo", "find", "store_all", "move"])
def test_interrupted_by_a_signal(blocking: Blocking, operation: str) -> None:
    """Ctrl-C while the peer is awaited: the association is aborted, nothing is left."""
    main = threading.main_thread().ident
    assert main is not None

    async def script(session: Session) -> None:
        await session.receive()
        await session.skip()
        signal.pthread_kill(main, signal.SIGINT)
        await session.receive()

    mover = Mover([])
    services = Services(find=Matches(0), sink=Account().sink, move=mover.move, where=mover.where)
    served = blocking.serve(services, script=script)
    link = blocking.connect(served, [Verification, StudyRootFind, CTImageStorage, StudyRootMove])
    operations: dict[str, Callable[[], object]] = {
        "echo": link.echo,
        "find": lambda: list(link.find(QUERY)),
        "store_all": lambda: list(link.store_all([instance(1)])),
        "move": lambda: link.move(QUERY, "DEST"),
    }
    with pytest.raises(KeyboardInterrupt):
        operations[operation]()
    assert not link.session.alive
    assert served.report().ended.startswith("the peer aborted")


def test_interrupted_while_connecting(blocking: Blocking) -> None:
    main = threading.main_thread().ident
    assert main is not None

    async def script(session: Session) -> None:
        await session.request()
        signal.pthread_kill(main, signal.SIGINT)
        await session._next_event()

    served = blocking.serve(script=script, greets=False)
    with pytest.raises(KeyboardInterrupt):
        blocking.connect(served, [Verification])
    served.report()


def test_interrupted_by_a_callback(blocking: Blocking) -> None:
    destination = blocking.serve(Services(sink=Account().sink))
    mover = Mover([instance(n) for n in range(5)], {"DEST": destination.address})
    served = blocking.serve(Services(move=mover.move, where=mover.where))

    def progress(now: object) -> None:
        raise KeyboardInterrupt

    link = blocking.connect(served, [StudyRootMove])
    with pytest.raises(KeyboardInterrupt):
        link.move(QUERY, "DEST", progress=progress)
    assert not link.session.alive
    assert served.report().ended.startswith("the peer aborted")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_handler_that_is_interrupted(blocking: Blocking) -> None:
    """An exception that is no `Exception` ends the thread and the association, not the server."""

    def echo(request: Request) -> None:
        raise SystemExit

    served = blocking.serve(Services(echo=echo))
    link = blocking.connect(served, [Verification])
    with pytest.raises(Aborted) as caught:
        link.echo()
    assert caught.value.by_peer
    link.abort()
    with blocking.connect(served, [Verification]):
        pass
    for thread in threading.enumerate():  # pytest notes the exception when the thread ends, which is to be during this test
        if thread.name.startswith("dimse 127."):
            thread.join(10)


def test_report_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    def report(of: Report) -> None:
        raise ZeroDivisionError

    server = dimse.Server("SCP", Services(), report=report, timeouts=BRISK)
    host, port = server.listen()
    with server:
        for _ in range(2):
            with dimse.connect(host, port, contexts=[Verification]) as association:
                assert association.echo().ok
    assert [r.getMessage().split(" 127")[0] for r in caplog.records] == ["serving"] * 2


def test_a_service_that_suspends() -> None:
    class Suspends:
        def __await__(self) -> Iterator[None]:
            yield

    async def service() -> None:
        await Suspends()  # type: ignore[misc]  # an awaitable by hand

    with pytest.raises(RuntimeError, match="suspended in the blocking front"):
        front.drive(service())


# The server's life


def test_not_listening() -> None:
    server = dimse.Server("SCP", Services())
    for start in (server.start, server.run, server.__enter__):
        with pytest.raises(UsageError, match="listen"):
            start()
    server.stop()
    server.stop()


def test_stopped_before_it_ran() -> None:
    server = dimse.Server("SCP", Services())
    server.listen()
    server.stop(0.0)
    server.stop(0.0)


def test_serve_until_stopped() -> None:
    server = dimse.Server("SCP", Services(), timeouts=BRISK)
    reports: list[Report] = []
    listening = threading.Event()
    listen = server.listen

    def listened(host: str = "", port: int = 0) -> tuple[str, int]:
        bound.append(listen(host, port))
        listening.set()
        return bound[0]

    bound: list[tuple[str, int]] = []
    server.listen = listened  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve, args=("127.0.0.1", 0))
    thread.start()
    assert listening.wait(PATIENCE)
    with dimse.connect(*bound[0], contexts=[Verification], timeouts=BRISK) as association:
        assert association.echo().ok
    server.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    with pytest.raises(Unreachable):
        dimse.connect(*bound[0], contexts=[Verification])
    server.stop()
    assert reports == []


def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    server = dimse.Server("SCP", Services(), timeouts=BRISK)
    try:
        host, port = server.listen("::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server, dimse.connect(host, port, contexts=[Verification]) as association:
        assert association.echo().ok


def test_stopping_waits_for_what_is_under_way() -> None:
    """An instance that is half way in comes in; silent associations are aborted; nobody new comes in."""
    account, reports = Account(), list[Report]()
    server = dimse.Server("SCP", Services(sink=account.sink), report=reports.append, timeouts=BRISK)
    host, port = server.listen()
    server.start()
    busy = dimse.connect(host, port, contexts=[CTImageStorage], timeouts=BRISK)
    idle = dimse.connect(host, port, contexts=[Verification], timeouts=BRISK)
    half = frames(1, request(CommandField.C_STORE_RQ), b"data set")
    front.drive(busy.session.wire.send([half[:-4]]))
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    stopped_accepting(host, port)
    assert front.drive(exchange(busy.session, half[-4:])).status == 0
    for association in (idle, busy):
        with pytest.raises(Aborted, match="the peer"):
            front.drive(association.session.receive())
        association.abort()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert account.stored == {"1.2.3": b"data set"}
    assert ["this side is stopping" in r.ended for r in reports if r.peer.calling] == [True, True]


def stopped_accepting(host: str, port: int) -> None:
    """Comes back when nobody can connect any more."""
    for _ in range(10_000):
        try:
            socket.create_connection((host, port), timeout=PATIENCE).close()
        except OSError:
            return
    raise AssertionError("the server goes on accepting")


def test_stopping_waits_for_a_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer is silent because it waits for the answer: that is no idle association."""
    entered, looked, leave = threading.Event(), threading.Event(), threading.Event()
    idle_for = front.SocketWire.idle_for

    def look(self: front.SocketWire, now: float) -> float:
        try:
            return idle_for(self, now)
        finally:
            looked.set()

    monkeypatch.setattr(front.SocketWire, "idle_for", look)

    def find(request: Request) -> Iterator[dimse.DataSet]:
        yield QUERY
        entered.set()
        assert leave.wait(PATIENCE)
        for _ in range(100):
            yield QUERY

    reports: list[Report] = []
    server = dimse.Server("SCP", Services(find=find), report=reports.append, timeouts=BRISK)
    host, port = server.listen()
    server.start()
    with dimse.connect(host, port, contexts=[StudyRootFind], timeouts=BRISK) as association:
        matches = association.find(QUERY)
        next(matches)
        assert entered.wait(PATIENCE)
        monkeypatch.setattr(provider, "IDLE_WHEN_STOPPING", 1e-9)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert looked.wait(PATIENCE)  # whoever waits for its peer now is aborted
        monkeypatch.setattr(provider, "IDLE_WHEN_STOPPING", PATIENCE)
        leave.set()
        assert len(list(matches)) == 100
    stopping.join(PATIENCE)
    assert [r.ended for r in reports if r.peer.calling] == ["released"]


def test_grace_ends() -> None:
    """A handler that does not return is left behind, when GIVE_UP has passed too."""
    entered, leave = threading.Event(), threading.Event()

    def echo(request: Request) -> None:
        entered.set()
        leave.wait(PATIENCE)

    patched = pytest.MonkeyPatch()
    patched.setattr(provider, "GIVE_UP", 0.1)
    server = dimse.Server("SCP", Services(echo=echo), timeouts=BRISK)
    host, port = server.listen()
    server.start()
    association = dimse.connect(host, port, contexts=[Verification], timeouts=BRISK)
    asking = threading.Thread(target=_quietly, args=(association,))
    asking.start()
    try:
        assert entered.wait(PATIENCE)
        server.stop(0.0)
        assert server._wires
        leave.set()
        asking.join(PATIENCE)
        server.stop()
        assert not server._wires
    finally:
        patched.undo()
        association.abort()


def _quietly(association: dimse.Association) -> None:
    try:
        association.echo()
    except dimse.DimseError:
        association.abort()


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_accepting_goes_on(error: Exception, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors, threads or memory that ran out are told of, and end nothing."""
    server = dimse.Server("SCP", Services(), timeouts=BRISK)
    host, port = server.listen()
    real, failing = threading.Thread.start, [True]

    def start(self: threading.Thread) -> None:
        if failing:
            failing.clear()
            raise error
        real(self)

    with caplog.at_level(logging.WARNING), server:
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(dimse.AssociationError):
            dimse.connect(host, port, contexts=[Verification], timeouts=BRISK)
        with dimse.connect(host, port, contexts=[Verification], timeouts=BRISK) as association:
            assert association.echo().ok
        wire, accept = front.SocketWire.__init__, [True]

        def init(self: front.SocketWire, *args: object) -> None:
            if accept and "layer" not in self.__dict__ and threading.current_thread().name == "dimse SCP":
                accept.clear()
                args[0].close()  # type: ignore[attr-defined]  # a socket
                raise OSError(24, "Too many open files")
            wire(self, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(front.SocketWire, "__init__", init)
        with pytest.raises(dimse.AssociationError):
            dimse.connect(host, port, contexts=[Verification], timeouts=BRISK)
        with dimse.connect(host, port, contexts=[Verification], timeouts=BRISK) as association:
            assert association.echo().ok
    assert [r.getMessage() for r in caplog.records] == [
        f"cannot accept a connection: {str(error) or 'MemoryError'}",
        "cannot accept a connection: [Errno 24] Too many open files",
    ]
    assert (server._threads, server._waiting) == (0, 0)


class Failing(socket.socket):
    """A listener that cannot accept, so many times."""

    failures = 2

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            self.failures -= 1
            raise OSError(24, "Too many open files")
        return super().accept()


def test_accepting_goes_on_without_descriptors(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told of once, and then again when somebody comes."""
    create = socket.create_server
    with monkeypatch.context() as patched:
        patched.setattr(socket, "create_server", lambda *args, **options: Failing(fileno=create(*args, **options).detach()))
        server = dimse.Server("SCP", Services(), timeouts=BRISK)
        host, port = server.listen()
    with caplog.at_level(logging.WARNING), server, dimse.connect(host, port, contexts=[Verification], timeouts=BRISK) as association:
        assert association.echo().ok
    assert [r.getMessage() for r in caplog.records] == ["cannot accept a connection: [Errno 24] Too many open files"] * 2


def test_stopped_while_descriptors_are_missing(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    create = socket.create_server
    with monkeypatch.context() as patched:
        patched.setattr(socket, "create_server", lambda *args, **options: Failing(fileno=create(*args, **options).detach()))
        server = dimse.Server("SCP", Services())
        server.listen()
    monkeypatch.setattr(server, "_turn_away", lambda why: told.set())
    server.start()
    assert told.wait(PATIENCE)
    server.stop()
    assert server._waiting == 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads that have been started."""
    threads: list[threading.Thread] = []
    start = threading.Thread.start

    def starting(self: threading.Thread) -> None:
        threads.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", starting)
    return threads


def test_threads_serve_again(started: list[threading.Thread]) -> None:
    """Clients that come one after the other are served by a few threads, which the server's end ends."""
    names: set[str] = set()
    server = dimse.Server("SCP", Services(echo=lambda request: names.add(threading.current_thread().name)), timeouts=BRISK)
    host, port = server.listen()
    with server:
        for _ in range(100):
            with dimse.connect(host, port, contexts=[Verification], timeouts=BRISK) as association:
                assert association.echo().ok
    assert len(names) == 100
    assert all(name.startswith("dimse 127.0.0.1:") for name in names)
    assert len(started) <= 10


def test_threads_that_are_not_needed_end(started: list[threading.Thread], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "SPARE", 1)
    server = dimse.Server("SCP", Services(), timeouts=BRISK)
    host, port = server.listen()
    with server:
        with dimse.connect(host, port, contexts=[Verification], timeouts=BRISK):
            assert [thread.is_alive() for thread in started] == [True, True]
        started[0].join(PATIENCE)
        assert [thread.is_alive() for thread in started] == [False, True]
        with dimse.connect(host, port, contexts=[Verification], timeouts=BRISK) as association:
            assert association.echo().ok


def test_stopped_while_somebody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was accepted just before is served like the others, and `stop` waits for it."""
    reports = list[Report]()
    server = dimse.Server("SCP", Services(), report=reports.append, timeouts=BRISK)
    host, port = server.listen()
    coming, stopped, layer = threading.Event(), threading.Event(), server._layer

    def made() -> UpperLayer:
        coming.set()
        assert stopped.wait(PATIENCE)
        return layer()

    monkeypatch.setattr(server, "_layer", made)
    server.start()
    stopping = threading.Thread(target=server.stop)
    with socket.create_connection((host, port), timeout=PATIENCE) as client:
        assert coming.wait(PATIENCE)
        stopping.start()
        stopped_accepting(host, port)
        stopped.set()
        client.sendall(propose("SCP", "SCU", [Verification]).encode())
        stopping.join(PATIENCE)
        assert client.recv(1) == b"\2"  # an A-ASSOCIATE-AC
    assert not stopping.is_alive()
    assert ["this side is stopping" in r.ended for r in reports if r.peer.calling == "SCU"] == [True]
    assert not server._wires


def test_a_trace_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """Whenever it does: the connection is closed, nothing of it is left, and the server goes on."""
    broken = threading.Event()

    def trace(record: TraceRecord) -> None:
        if broken.is_set():
            raise ZeroDivisionError

    server = dimse.Server("SCP", Services(), timeouts=BRISK, trace=trace)
    host, port = server.listen()
    with server:

        def ask(before_asking: Callable[[], object]) -> bool:
            with dimse.connect(host, port, contexts=[Verification], timeouts=BRISK) as association:
                before_asking()
                return association.echo().ok

        broken.set()
        for before_asking in (broken.clear, broken.set):
            with pytest.raises(dimse.AssociationError):
                ask(before_asking)
            broken.clear()
            assert ask(broken.clear)
            with server._change:  # else its end, which comes behind the client's, is traced too
                assert server._change.wait_for(lambda: not server._wires, 10)
    assert (server._visitors._strangers, server._visitors._associated, server._wires) == ({}, {}, set())
    assert [r.getMessage().split(":")[0].split(" 127")[0] for r in caplog.records] == ["cannot accept a connection", "serving"]


def test_a_peer_that_takes_a_little_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The send wait is one for the whole buffer: what is taken of it does not restart it."""
    now, sent = [0.0], []

    class Slow(socket.socket):
        def send(self, data: bytes | memoryview, flags: int = 0) -> int:  # type: ignore[override]  # all that it is given
            sent.append(bytes(data)[:10])
            now[0] += 4
            return len(sent[-1])

    monkeypatch.setattr("dimse.sockets.time.monotonic", lambda: now[0])
    with Slow(socket.AF_INET) as slow:
        wire = sockets.SocketWire(slow, UpperLayer.acceptor(timeouts=Timeouts(send=10)), "host:1")
        front.drive(wire.send([b"0123456789abcdefghij"]))
        assert sent == [b"0123456789", b"abcdefghij"]
        with pytest.raises(TimedOut) as caught:
            front.drive(wire.send([bytes(100)]))
        assert (caught.value.wait, len(sent)) == ("send", 5)


def test_leaving_the_server_by_an_exception() -> None:
    """No grace then: what runs is aborted."""
    associations: list[dimse.Association] = []
    server = dimse.Server("SCP", Services(), timeouts=Timeouts(linger=0.1))
    host, port = server.listen()

    def fail() -> None:
        associations.append(dimse.connect(host, port, contexts=[Verification], timeouts=BRISK))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), server:
        fail()
    with pytest.raises(Aborted):
        associations[0].echo()
    associations[0].abort()


def test_release_that_fails_closes(blocking: Blocking) -> None:
    """The descriptor is not left to the garbage collector."""

    async def script(session: Session) -> None:
        while not session.layer.closed:
            await session.wire.pump()

    served = blocking.serve(script=script)
    association = dimse.connect(served.host, served.port, contexts=[Verification], timeouts=Timeouts(release=0.05, linger=0.05))
    with pytest.raises(dimse.TimedOut):
        association.release()
    assert isinstance(association.session.wire, front.SocketWire)
    assert association.session.wire._socket.fileno() == -1


def test_association_names_what_was_negotiated(blocking: Blocking) -> None:
    served = blocking.serve()
    with dimse.connect(served.host, served.port, contexts=[Verification, "1.2.3"]) as association:
        assert [c.abstract_syntax for c in association.accepted] == [Verification]
        assert [r.context.abstract_syntax for r in association.refused] == ["1.2.3"]
        assert association.answer.called == "ANY-SCP"


def test_one_conversion_at_a_time() -> None:
    server = front.Server("SCP", Services())
    turn, another = server._turn(converting=True), server._turn()
    front.drive(turn.__aenter__())
    front.drive(another.__aenter__())  # passcodes are another matter
    assert not server._conversions.acquire(blocking=False)
    front.drive(turn.__aexit__(None, None, None))
    assert server._conversions.acquire(blocking=False)
