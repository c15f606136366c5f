"""Servers of the command line: they say where they listen and what each association did, and end by a signal."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeVar

from dimse.cli import arguments
from dimse.cli.config import Node
from dimse.cli.failures import DONE, USAGE, Failure, OutputClosed
from dimse.cli.known import callers_of, rule, tell_nobody
from dimse.cli.output import Output, clean, in_bytes, place
from dimse.cli.parsing import Arguments
from dimse.cli.rate import Rate
from dimse.cli.security import security_words, tell_unsafe, users_of
from dimse.data.status import Status
from dimse.errors import without_values
from dimse.server import Server
from dimse.services.handlers import Answer, Peer, Request, Services, Sink
from dimse.services.reception import host_of
from dimse.services.rights import Callers
from dimse.services.scp import Report
from pdu.values import replace

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
GRACE = 600.0
"""Seconds that what runs has to come to its end after the first signal; a second signal ends it at once."""
T = TypeVar("T")


def serve(args: Arguments, services: Services, node: Node, out: Output) -> int:
    """Listens, says so, and serves until SIGINT or SIGTERM. Raises `Failure` if it cannot listen, or not as it should."""
    rate = Rate(lambda host, count: _tell_left_out(host, count, out))
    server = Server(
        node.aet,
        narrated(services, out) if out.verbose else services,
        check_called=node.check_called,
        any_storage=args.any_storage,
        tls=node.tls,
        users=users_of(node),
        timeouts=arguments.server_timeouts(args),
        limits=arguments.limits(args, node.limits),
        report=lambda report: _tell(report, out, rate),
        trace=args.tracer,
    )
    try:
        host, port = server.listen(node.host, node.port)
    except (OSError, OverflowError, UnicodeError) as error:
        why = ((error.strerror if isinstance(error, OSError) else "") or str(error)).partition(" (while attempting")[0]
        raise Failure(USAGE, f"cannot listen at {place(node.host, node.port)}: {why}; choose another address or port") from error
    server.callers = callers_of(node, host)
    node = replace(node, host=host, port=port)
    with _logged(out, rate), _signals() as signals:
        server.start()
        _announce(node, server.callers, out)
        signals.wait()
        out.note(f"{out.program}: stopping when what runs has ended; once more stops at once")
        _stop(server, signals)
        rate.flush()
    return DONE


def _announce(node: Node, callers: Callers | None, out: Output) -> None:
    """Where a server listens, how, and for whom."""
    tell_unsafe(node, out)
    tell_nobody(callers, out)
    folder, users = str(node.data.resolve()), None if node.users is None else str(node.users.resolve())
    how = " for TLS" if node.tls is not None else ""
    whom = f", for the users in {clean(users)} only" if users else ""
    who = "" if callers is None else f"; {rule(node, node.host)}"
    kept = f" ({node.keeping.words})" if node.keeping.words else ""
    out.line(f"{node.aet} listens{how} at {place(node.host, node.port)}, data in {clean(folder)}{kept}{whom}{who}", flush=True)
    where = {"aet": node.aet, "host": node.host, "port": node.port, "data": folder}
    rights = {} if callers is None else {"unknown_peers": sorted(callers.unknown)}
    out.result({**where, "tls": node.tls is not None, "users": users, **rights}, flush=True)


class Signals:
    """SIGINT and SIGTERM as they come in."""

    def __init__(self) -> None:
        self._changed = threading.Event()

    def come(self, number: int, frame: FrameType | None) -> None:
        """A signal came."""
        self._changed.set()

    def wait(self) -> None:
        """Waits for the next signal, or for `end`."""
        self._changed.wait()
        self._changed.clear()

    def end(self) -> None:
        """What was waited for has happened without a signal."""
        self._changed.set()


@contextmanager
def _signals() -> Iterator[Signals]:
    """Takes the signals for the time of a block."""
    signals = Signals()
    before = {number: signal.signal(number, signals.come) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(server: Server, signals: Signals) -> None:
    """Lets what runs come to its end, or stops it at the next signal."""

    def stop() -> None:
        server.stop(GRACE)
        signals.end()

    stopping = threading.Thread(target=stop, name="dimse stop", daemon=True)
    stopping.start()
    signals.wait()
    server.stop(0.0)  # does nothing where all has ended
    stopping.join()


class _LogLines(logging.Handler):
    """The library's log as lines: what failed and where. The text of an exception may be about a patient, so it stays out."""

    def __init__(self, out: Output, rate: Rate) -> None:
        super().__init__(logging.WARNING)
        self._out = out
        self._rate = rate

    def emit(self, record: logging.LogRecord) -> None:
        about = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if not self._rate.allows(host_of(about) if isinstance(about, str) else ""):
            return
        error = record.exc_info[1] if record.exc_info else None
        self._out.error(record.getMessage() if error is None else f"{record.getMessage()}: {without_values(error)}")


@contextmanager
def _logged(out: Output, rate: Rate) -> Iterator[None]:
    """Sends the library's log to the output for the time of a block."""
    log, handler = logging.getLogger("dimse"), _LogLines(out, rate)
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate


def _tell(report: Report, out: Output, rate: Rate) -> None:
    """One association, when it has ended. Who only opens a connection and closes it, to see whether we are there, is told of by -v."""
    peer = report.peer
    if not peer.calling and "TLS" not in report.ended and not out.verbose:  # TLS on one side only is what somebody looks for
        return
    if not rate.allows(host_of(peer.address)):
        return
    counts = ", ".join(f"{count} {clean(name)}" for name, count in report.counts.items()) or "nothing asked"
    failed = f" ({report.failed} failed: {clean(', '.join(report.failures))})" if report.failed else ""
    denied = f", may not {', '.join(sorted(report.denied))}" if report.denied else ""
    sizes = [f"{in_bytes(size)} {way}" for size, way in ((report.bytes_received, "in"), (report.bytes_sent, "out")) if size]
    with suppress(OutputClosed, Failure):  # a server goes on when nobody reads what it says
        words = f"{counts}{failed}{denied}{''.join(f', {size}' for size in sizes)}: {clean(report.ended)}"
        out.line(f"{time.strftime('%H:%M:%S')} {_who(peer)}: {words}", flush=True)
        if peer.security is not None:
            out.detail(f"  {_who(peer)}: {security_words(peer.security)}")
        out.result(
            {
                "calling": peer.calling,
                "called": peer.called,
                "address": peer.address,
                "tls": peer.security.protocol if peer.security else None,
                "certificate": peer.security.certificate.fingerprint if peer.security else None,
                "user": peer.user.name if peer.user else None,
                "counts": report.counts,
                "failed": report.failed,
                "failures": report.failures,
                "denied": sorted(report.denied),
                "bytes_received": report.bytes_received,
                "bytes_sent": report.bytes_sent,
                "ended": report.ended,
            },
            flush=True,
        )


def _tell_left_out(host: str, count: int, out: Output) -> None:
    """More than anybody reads came from one host."""
    with suppress(OutputClosed, Failure):
        out.line(f"{time.strftime('%H:%M:%S')} {clean(host) or 'this side'}: {count} more within a second", flush=True)
        out.result({"address": host, "left_out": count}, flush=True)


def _who(peer: Peer) -> str:
    user = f" (user {clean(peer.user.name)})" if peer.user else ""
    return f"{clean(peer.calling) or '(no association)'}{user} from {clean(peer.address)}"


def narrated(services: Services, out: Output) -> Services:
    """The same services, with a line on each operation (-v)."""

    def tell(request: Request, words: str) -> None:
        out.note(f"  {_who(request.peer)}: {words}")

    def sink(open_sink: Callable[[Request], Sink]) -> Callable[[Request], Sink]:
        return lambda request: _NarratedSink(open_sink(request), lambda words: tell(request, words), request)

    def query(name: str, handler: Callable[[Request], T]) -> Callable[[Request], T]:
        def handle(request: Request) -> T:
            tell(request, f"{name} at level {_level(request)}")
            return handler(request)

        return handle

    return replace(
        services,
        sink=sink(services.sink) if services.sink else None,
        find=query("C-FIND", services.find) if services.find else None,
        move=query("C-MOVE", services.move) if services.move else None,
        get=query("C-GET", services.get) if services.get else None,
    )


class _NarratedSink:
    """A sink that tells what became of its instance."""

    def __init__(self, sink: Sink, tell: Callable[[str], object], request: Request) -> None:
        self._sink = sink
        self._tell = tell
        self._uid = clean(request.command.affected_sop_instance_uid)

    def write(self, pieces: Sequence[memoryview]) -> None:
        self._sink.write(pieces)

    def finish(self) -> Answer:
        answer = self._sink.finish()
        self._tell(f"C-STORE {self._uid}: {clean(Status(answer or 0, service='C-STORE'))}")
        return answer

    def discard(self) -> None:
        self._tell(f"C-STORE {self._uid}: not kept")
        self._sink.discard()


def _level(request: Request) -> str:
    """The Query/Retrieve Level that is asked for."""
    from dimse.data.elements import pick
    from dimse.errors import DataError

    if request.identifier is None:
        return "?"
    try:
        found = pick(request.identifier.encoded, request.identifier.transfer_syntax, {0x0008_0052})
    except DataError:
        return "?"
    level = found.get(0x0008_0052, b"").decode("latin-1").strip(" \0")
    return level if level in LEVELS else "?"  # anything else may be anything
