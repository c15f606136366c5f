"""One connection to the provider: bytes go out as they are, and what comes back is told in the protocol's words."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from struct import pack

import pdu
from dimse.association.events import Trace
from dimse.data.commands import CommandSet
from dimse.errors import DataError
from dimse.judge.case import Wait
from dimse.judge.spectator import Spectator
from dimse.judge.wire import APPLICATION, ECHO_CONTEXT, ECHO_MESSAGE, MAX_LENGTH, RELEASE, Scene, Stimulus, request, user
from pdu.values import dataclass, field

READ_SIZE = 65_536
MAX_RECEIVED = 16_777_216
"""Bytes that a provider may send on one connection; nothing asks it for more than a few."""
MAX_COMMAND = 65_536
MAX_RESULTS = 8
"""Context results that are told one by one."""
PIECE = 65_536
"""Bytes that are sent before it is looked whether something has come back."""
CLOSED, RESET, OPEN = "closed", "reset", "open"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. How long the provider is said to wait, and how long the judge waits for it."""

    artim: float = 30.0
    idle: float = 60.0
    grace: float = 2.0
    """What is added to the provider's waits before it counts as not keeping them."""
    connect: float = 10.0
    answer: float = 10.0
    """For the answer to something that is right, or wrong at first sight."""
    work: float = 60.0
    """For the answer to a data set, which may take some providers half a minute."""
    healthy: float = 5.0
    """For the answer to a plain C-ECHO between cases, and behind one."""
    quick: float = 0.5
    """Whatever is not answered in this time is waited for aside, while other cases go on."""

    def seconds(self, wait: Wait) -> float:
        """How long to wait for what is to happen after that wait."""
        waits = {"artim": self.artim + self.grace, "idle": self.idle + self.grace, "answer": self.answer, "work": self.work}
        return waits[wait]


@dataclass(frozen=True, slots=True)
class Target:
    """The provider that is judged."""

    host: str
    port: int
    called: bytes = b"ANY-SCP"
    calling: bytes = b"DIMSE"
    timing: Timing = field(default_factory=Timing)
    bystander: str = ""
    """The local address that a C-ECHO comes from which is to be answered meanwhile; the same as all else if empty."""
    trace: Trace | None = None


class Line:
    """One connection. Opening it raises `OSError`; nothing else here does.

    `answer` is the A-ASSOCIATE-AC that came on it.
    """

    def __init__(self, target: Target, max_length: int = MAX_LENGTH, *, source: str = "") -> None:
        self.target = target
        self.answer: pdu.AssociateAC | None = None
        self.ended = ""
        """How the connection ended: the last thing that `next` gives."""
        local = (source, 0) if source else None
        self._socket = socket.create_connection((target.host, target.port), target.timing.connect, local)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._spectator = None if target.trace is None else Spectator(target.trace, f"{target.host}:{target.port}")
        self._reader = pdu.Reader(max_pdu=max_length)
        self._heard: deque[str] = deque()
        self._received = 0
        self._command = bytearray()

    @property
    def scene(self) -> Scene:
        """What stimuli may depend on."""
        longest = self.answer.user_item(pdu.MaximumLength) if self.answer else None
        return Scene(self.target.called, self.target.calling, longest.value if longest else MAX_LENGTH)

    def send(self, data: Stimulus, *, piece: int = 0, times: int = 1, until: float | None = None, gap: float = 0.0) -> None:
        """Sends, as far as the provider takes it; stops at `until`, and when something comes back on the way.

        `piece`: bytes a segment; `gap`: seconds between them.
        """
        encoded = memoryview(data if isinstance(data, bytes) else data(self.scene))
        end = time.monotonic() + self.target.timing.answer if until is None else until
        size = piece or PIECE
        with suppress(OSError):
            for _ in range(times):
                for at in range(0, len(encoded), size):
                    if (piece or times > 1 or at) and (self._has_input(gap) or time.monotonic() > end):
                        return
                    self._socket.settimeout(max(end - time.monotonic(), 0.01))
                    self._socket.sendall(encoded[at : at + size])
                    if self._spectator is not None:
                        self._spectator.sent(bytes(encoded[at : at + size]))

    def next(self, until: float) -> str | None:
        """The next thing that comes back; None if nothing does until then, the same again once the connection has ended."""
        while not self._heard:
            if self.ended:
                return self.ended
            chunk = self._read(until)
            if chunk is None:
                return None
            self._take(chunk)
        return self._heard.popleft()

    def shut(self) -> None:
        """Sends FIN."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes with a TCP reset."""
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Closes. May be called again."""
        self._socket.close()
        if self._spectator is not None:
            self._spectator.ended("connection closed by this side")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _has_input(self, seconds: float) -> bool:
        readable, _, _ = select.select([self._socket], [], [], seconds)
        return bool(readable)

    def _read(self, until: float) -> bytes | None:
        try:
            self._socket.settimeout(max(until - time.monotonic(), 0.001))
            return self._socket.recv(READ_SIZE)
        except TimeoutError:
            return None
        except OSError:
            self.ended = RESET
            return b""

    def _take(self, chunk: bytes) -> None:
        self._received += len(chunk)
        self._tell(chunk)
        if not chunk:
            self.ended = self.ended or CLOSED
        elif self._received > MAX_RECEIVED:
            self.ended = f"malformed: more than {MAX_RECEIVED} bytes came"
        else:
            try:
                for heard in self._reader.feed(chunk):
                    self._heard.extend(self._words(heard))
            except (pdu.PDUError, DataError) as error:
                self.ended = f"malformed: {error.what}"

    def _tell(self, chunk: bytes) -> None:
        if self._spectator is None:
            return
        if chunk:
            self._spectator.received(chunk)
        else:
            self._spectator.ended("connection reset by the peer" if self.ended == RESET else "connection closed by the peer")

    def _words(self, heard: pdu.PDU | pdu.Fragment) -> Iterator[str]:
        match heard:
            case pdu.Fragment():
                yield from self._message(heard)
            case pdu.AssociateAC():
                self.answer = heard
                yield f"A-ASSOCIATE-AC{_results(heard)}"
            case pdu.AssociateRJ():
                yield f"A-ASSOCIATE-RJ({heard.result},{heard.source},{heard.reason})"
            case pdu.Abort():
                yield f"A-ABORT({heard.source},{heard.reason})"
            case pdu.AssociateRQ():
                yield "A-ASSOCIATE-RQ"
            case pdu.ReleaseRQ():
                yield "A-RELEASE-RQ"
            case pdu.ReleaseRP():
                yield "A-RELEASE-RP"

    def _message(self, fragment: pdu.Fragment) -> Iterator[str]:
        """A message is told when its command set is whole; its data set, if it has one, is dropped."""
        if not fragment.is_command:
            return
        self._command += fragment.data
        if len(self._command) > MAX_COMMAND:
            raise DataError(f"a command set of more than {MAX_COMMAND} bytes")
        if fragment.is_last:
            command, self._command = CommandSet.decode(self._command), bytearray()
            yield command.name if command.status is None else f"{command.name} {command.status:04X}H"


def _results(answer: pdu.AssociateAC) -> str:
    results = [f"{item.id}={item.result}" for item in answer.presentation_contexts]
    return "".join(f" {result}" for result in results) if len(results) <= MAX_RESULTS else f" with {len(results)} results"


def why_not_served(target: Target, within: float) -> str:
    """Asks for a C-ECHO as everybody does: empty if it is answered in time, else what came instead."""
    until = time.monotonic() + within
    try:
        with Line(target, source=target.bystander) as line:
            line.send(request(APPLICATION, ECHO_CONTEXT, user()))
            for data, wanted in ((ECHO_MESSAGE, "A-ASSOCIATE-AC 1=0"), (RELEASE, "C-ECHO-RSP 0000H"), (b"", "A-RELEASE-RP")):
                came = line.next(until) or OPEN
                if came != wanted:
                    return f"{came} instead of {wanted}" if came != OPEN else f"no {wanted.split()[0]} within {within:g} s"
                line.send(data)
    except OSError as error:
        return error.strerror or str(error)
    return ""
