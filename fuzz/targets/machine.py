"""Whatever is called, received and waited for in whatever order, an `UpperLayer` raises only what it documents, and can be ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.events import AssociateIndication, Event, TraceRecord
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import answer
from dimse.association.table import State
from dimse.errors import UsageError
from fuzz import seeds
from fuzz.choices import Choices
from fuzz.target import Features, Target, require
from tests.association import scenes

LIMITS = Limits(max_pdu=1024, max_associate_pdu=2048)
TIMEOUTS = Timeouts(artim=30.0, associate=20.0, release=15.0, idle=60.0, response=50.0, pdu=10.0)
WELL_FORMED = (
    scenes.RQ,
    scenes.AC,
    scenes.DATA,
    scenes.RELEASE_RQ,
    scenes.RELEASE_RP,
    scenes.RJ,
    scenes.ABORT,
    scenes.SEVERAL,
    scenes.BAD_RQ,
    scenes.UNKNOWN,
)
_TALKING = (State.STA6, State.STA7, State.STA8)


class Life:
    """One end of an association, its transport and its clock, and all that must hold at any moment."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        first = choices.number()
        self.trace: list[TraceRecord] = []
        self._is_traced = bool(first & 2)
        trace = self.trace.append if self._is_traced else None
        if first & 1:
            self.layer = UpperLayer.requestor(scenes.REQUEST, timeouts=TIMEOUTS, limits=LIMITS, trace=trace)
        else:
            self.layer = UpperLayer.acceptor(timeouts=TIMEOUTS, limits=LIMITS, trace=trace)
        self.now = 0.0
        self.seen: set[object] = set()
        self._buffers: Iterator[bytes | memoryview] = iter(())
        self._sent, self._came = pdu.Reader(0), pdu.Reader(LIMITS.max_pdu, LIMITS.max_associate_pdu)
        self._aborts, self._allowed, self._is_readable = 0, 1, True

    def step(self, name: str) -> None:
        """Does one thing; a refusal of it changes nothing."""
        layer = self.layer
        before, was_closed = layer.state, layer.closed
        try:
            OPERATIONS[name](self)
        except UsageError as refused:
            text = str(refused)
            require(bool(text), "an error says nothing")
            require((layer.state, layer.closed) == (before, was_closed), f"{name} was refused and changed something")
        assert layer.closed or not was_closed, "a closed layer was opened"
        self.seen.add((before, name, layer.state))
        if name != "look":
            self._take()

    def end(self) -> None:
        """Its user gives up and time passes: it is done with the transport, without anybody's help."""
        if self.layer.state is State.STA1 and not self.layer.closed:
            return  # there never was a transport
        self.layer.abort()
        for _ in range(3):
            due = self.layer.deadline(self.now)
            self.now = self.now if due is None else max(self.now, due)
            self._heed(self.layer.timeout(self.now))
        self._take()
        assert self.layer.closed, f"it stays in Sta{self.layer.state}"
        assert self.layer.receive(scenes.STREAM) == self.layer.receive_eof() == self.layer.timeout(self.now + 1e9) == []
        assert not self.layer.data_to_send()
        self._check_trace()

    # Operations

    def connected(self) -> None:
        self.layer.connected()

    def receive(self) -> None:
        """A sound PDU, or several."""
        self._receive(self._choices.below(len(WELL_FORMED)), slice(None))

    def receive_part(self) -> None:
        """A part of one."""
        which, start, stop = self._choices.below(len(WELL_FORMED)), self._choices.number(), self._choices.number()
        self._receive(which, slice(start, stop))

    def receive_anything(self) -> None:
        self._feed(self._choices.text())

    def receive_eof(self) -> None:
        self._heed(self.layer.receive_eof())

    def wait(self) -> None:
        """Some time passes."""
        self.layer.deadline(self.now)
        self._pass(self.now + self._choices.number())

    def wait_for_deadline(self) -> None:
        due = self.layer.deadline(self.now)
        if due is not None:
            self._pass(due)

    def look(self) -> None:
        """Only asks for the deadline: that must not matter."""
        self.layer.deadline(self.now)

    def expect(self) -> None:
        self.layer.expecting = not self.layer.expecting

    def accept(self) -> None:
        self._accept(scenes.ACCEPTANCE)

    def answer(self) -> None:
        """Accepts what was really asked for, or accepts it wrongly: an answer that does not fit is refused."""
        request, flags = self.layer.request, self._choices.number()
        syntax = pdu.ContextResult.USER_REJECTION
        reply = answer(request or scenes.REQUEST, lambda context: syntax) if flags & 1 else self._decoded_answer()
        if isinstance(reply, pdu.AssociateRJ):
            self.layer.reject(reply)
        else:
            self._accept(reply)

    def reject(self) -> None:
        numbers = self._choices.number(), self._choices.number(), self._choices.number()
        self.layer.reject(pdu.AssociateRJ(*numbers))

    def release(self) -> None:
        self.layer.release()

    def respond_release(self) -> None:
        self.layer.respond_release()

    def abort(self) -> None:
        self.layer.abort()

    def send(self) -> None:
        """Begins a message; its buffers are pulled by and by."""
        context_id, size, short = self._choices.number() % 4, self._choices.number(2) % 5000, self._choices.number() & 1
        self._buffers = iter(())  # a message that was begun and is not gone on with
        self._buffers = self.layer.send_message(context_id, b"command!", size, scenes.source_of(bytes(size - (short and size > 0)), 700))

    def send_command(self) -> None:
        self._buffers = iter(())
        self._buffers = self.layer.send_message(self._choices.number() % 4, self._choices.text())

    def pull(self) -> None:
        """The next buffer of the message."""
        try:
            buffer = next(self._buffers, None)
        except EOFError:
            self._buffers = iter(())
            return
        if buffer is not None:
            assert self.layer.state in (State.STA6, State.STA8), "data leave where there is no association"
            for told in pdu.Reader(self.layer.max_pdu).feed(bytes(buffer)):
                assert isinstance(told, pdu.Fragment)

    # What must hold

    def _receive(self, which: int, part: slice) -> None:
        self._feed(WELL_FORMED[which][part])

    def _feed(self, chunk: bytes) -> None:
        state = self.layer.state
        events = self.layer.receive(chunk)
        if state is State.STA13:
            assert not events, "nothing is told of what comes in Sta13"
        size = 0
        for event in events:
            if isinstance(event, pdu.Fragment):
                size += len(event.data)
                assert self.layer.agreement is not None, "data without an association"
                assert event.context_id in self.layer.agreement.contexts, "data on a context that was not accepted"
                in_place = not event.data or event.data.obj is chunk
                assert in_place or self._is_traced, "data were copied"  # a trace has the chunk cut at the ends of PDUs
        assert size <= len(chunk), "data came from nowhere"
        self._allow(chunk)
        self._heed(events)

    def _allow(self, chunk: bytes) -> None:
        """In Sta13 an A-ABORT answers each A-ASSOCIATE-RQ and, once, what is no PDU (AA-7)."""
        self._came.max_pdu = self.layer._reader.max_pdu  # what was negotiated, if anything was
        try:
            for told in self._came.feed(chunk):
                self._allowed += isinstance(told, pdu.AssociateRQ)
        except pdu.PDUError:
            self._allowed += self._is_readable
            self._is_readable = False

    def _heed(self, events: list[Event]) -> None:
        for event in events:
            self.seen.add((type(event), self.layer.state))
            if isinstance(event, AssociateIndication):
                assert self.layer.request is event.request

    def _pass(self, now: float) -> None:
        """The clock goes on, and the layer is called at that time."""
        due = self.layer.deadline(self.now)
        state, self.now = self.layer.state, max(self.now, now)
        events = self.layer.timeout(self.now)
        if due is None or self.now < due:
            assert (events, self.layer.state) == ([], state), "it acts before its deadline"
        else:
            assert self.layer.state is not state, "it lets its deadline pass"
        self._heed(events)

    def _accept(self, reply: pdu.AssociateAC) -> None:
        before = self.layer.state
        try:
            self.layer.accept(reply)
        except (pdu.PDUError, ValueError):
            assert self.layer.state is before

    def _decoded_answer(self) -> pdu.AssociateAC | pdu.AssociateRJ:
        """An acceptance that was read from the input, if there is one in it."""
        try:
            value = pdu.decode(self._choices.text())
        except pdu.PDUError:
            return scenes.ACCEPTANCE
        return value if isinstance(value, pdu.AssociateAC | pdu.AssociateRJ) else scenes.ACCEPTANCE

    def _take(self) -> None:
        """What is to be sent is sound, and there are not too many A-ABORTs."""
        for buffer in self.layer.data_to_send():
            for told in self._sent.feed(buffer):
                self._aborts += isinstance(told, pdu.Abort)
        assert not self._sent.mid_pdu, "half a PDU is to be sent"
        assert self._aborts <= self._allowed
        talks = self.layer.state in _TALKING
        assert not talks or self.layer.agreement is not None, "an association without an agreement"

    def _check_trace(self) -> None:
        """Each record goes on where the one before ended."""
        for one, next_one in zip(self.trace, self.trace[1:], strict=False):
            assert next_one.before is one.after or (next_one.before, next_one.after) == (one.before, one.after)


OPERATIONS: Mapping[str, Callable[[Life], None]] = {
    name: getattr(Life, name)
    for name in (
        "connected", "receive", "receive_part", "receive_anything", "receive_eof", "wait", "wait_for_deadline", "look", "expect",
        "accept", "answer", "reject", "release", "respond_release", "abort", "send", "send_command", "pull",
    )
}  # fmt: skip
_NAMES = tuple(OPERATIONS)


def check(data: bytes) -> Features:
    """The first byte chooses the role; each operation is a byte, followed by its own choices."""
    choices = Choices(data)
    life = Life(choices)
    while choices:
        life.step(_NAMES[choices.below(len(_NAMES))])
    life.end()
    return life.seen


def _script(first: int, *steps: str | bytes) -> bytes:
    """The input that does these things."""
    return bytes((first,)) + b"".join(step if isinstance(step, bytes) else bytes((_NAMES.index(step),)) for step in steps)


def _comes(chunk: bytes) -> bytes:
    """The step in which these bytes come."""
    if chunk in WELL_FORMED:
        return _script(0, "receive", bytes((WELL_FORMED.index(chunk),)))[1:]
    return _script(0, "receive_anything", len(chunk).to_bytes(2, "big"), chunk)[1:]


def _seeds() -> Iterator[bytes]:
    """Each state of either role, and from there each operation, a few PDUs, and a message."""
    for first, states in ((0, scenes.AS_ACCEPTOR), (1, scenes.AS_REQUESTOR)):
        for steps in states.values():
            start = _script(first, *(_comes(step) if isinstance(step, bytes) else step.__name__ for step in steps))
            yield start
            yield from (start + _script(0, name, b"\1\0\2\1")[1:] for name in _NAMES)
            yield from (start + _comes(chunk) for chunk in WELL_FORMED)
            yield start + _script(0, "send", b"\1\x10\0\0", "pull", "pull", "pull", "release", "pull")[1:]
    yield from (_script(0, "connected") + _comes(data) for data in seeds.pdus() if data[0] == 1 and len(data) < 2000)
    yield from (_script(1, "connected") + _comes(data) for data in seeds.pdus() if data[0] in (2, 3) and len(data) < 2000)
    yield from seeds.findings("machine")


TARGET = Target(check, _seeds, ("dimse.association.layer", "dimse.association.negotiation", "pdu.reader", "pdu.pdus"))
