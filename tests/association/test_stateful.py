"""Two layers against each other, driven at random: calls in any order, any chunking, loss, silence, garbage.

Whatever happens, only documented errors are raised, each end sends one A-ABORT at most, what a message carried comes
out as it went in or not at all, and when time passes both ends are done with the transport: also where nobody does
anything and nothing arrives any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.events import Event, TimedOut
from dimse.association.layer import UpperLayer
from dimse.association.table import State
from dimse.errors import UsageError
from tests.association import scenes
from tests.vectors import MALFORMED, ODD, VECTORS

TIMEOUTS = Timeouts(artim=30.0, associate=20.0, release=15.0, idle=60.0, response=50.0, pdu=10.0)
LIMITS = Limits(max_pdu=4096, max_associate_pdu=4096)
CONTEXT = 1
"""The presentation context that is accepted."""
GARBAGE = tuple(vector.data[:500] for vector in (*VECTORS, *ODD)) + tuple(bad.data[:500] for bad in MALFORMED)

Part = tuple[int, bool, bytes]
"""What one message, or as much as there is of it, carries: context, command?, data."""
Name = Literal["requestor", "acceptor"]
Ending = Literal["together", "alone", "patient"]
"""Both users abort, and hear of each other; or the network has gone; or they do not even abort, but wait."""
OUR_TURN = frozenset({State.STA3, State.STA8})
"""Where the machine waits for its user, and for nobody else."""
ENDS = st.sampled_from(("requestor", "acceptor"))


class End:
    """One layer, what its user has sent and got, and what is on its way to it."""

    def __init__(self, layer: UpperLayer) -> None:
        self.layer = layer
        self.incoming = bytearray()
        """Bytes on the wire towards this end."""
        self.closed_by_peer = False
        """Behind those bytes the stream ends."""
        self.is_shut = False
        """This end has closed its side of the transport, or was told that there is none any more."""
        self.asked: list[Part] = []
        """What its user gave to be sent."""
        self.cut_short = False
        """The association ended before all of that was sent."""
        self.sent: list[Part] = []
        self.got: list[Part] = []
        self.aborts = 0
        self.garbage = 0
        self.buffers: Iterator[bytes | memoryview] = iter(())
        """What is left of a message that is being sent."""
        self.reader = pdu.Reader()

    def take(self, events: list[Event]) -> None:
        """Keeps the data that came, the fragments of a part joined."""
        for event in events:
            if isinstance(event, pdu.Fragment):
                _add(self.got, event)

    def ask(self, command: bytes, data: bytes | None) -> None:
        """Keeps a message as its user gave it."""
        _add(self.asked, pdu.Fragment(CONTEXT, True, True, memoryview(command)))
        if data is not None:
            _add(self.asked, pdu.Fragment(CONTEXT, False, True, memoryview(data)))

    def note(self, sent: bytes) -> None:
        """Keeps what goes out: the data that a reader sees in it, and the A-ABORTs."""
        for told in self.reader.feed(sent):
            if isinstance(told, pdu.Fragment):
                _add(self.sent, told)
            self.aborts += isinstance(told, pdu.Abort)


def _add(parts: list[Part], fragment: pdu.Fragment) -> None:
    context_id, is_command, is_last, data = fragment
    if parts and parts[-1][:2] == (context_id, is_command):
        parts[-1] = (context_id, is_command, parts[-1][2] + data)
    else:
        parts.append((context_id, is_command, bytes(data)))
    if is_last:
        parts.append((0, False, b""))  # nothing is joined across the end of a part


def _begins(some: list[Part], whole: list[Part]) -> bool:
    """Whether the parts are the first ones of the whole, the last of them perhaps not all there."""
    if not some:
        return True
    *before, (context_id, is_command, data) = some
    at = len(before)
    if len(whole) <= at or before != whole[:at]:
        return False
    return whole[at][:2] == (context_id, is_command) and whole[at][2].startswith(data)


class TwoEnds(RuleBasedStateMachine):
    """A requestor, an acceptor, the wire between them, and a clock."""

    @initialize(traced=st.booleans(), associated=st.booleans(), calm=st.booleans(), ending=st.sampled_from(get_args(Ending)))
    def start(self, traced: bool, associated: bool, calm: bool, ending: Ending) -> None:
        self.now = 0.0
        self.records = 0
        trace = self._count if traced else None
        self.requestor = End(UpperLayer.requestor(scenes.REQUEST, timeouts=TIMEOUTS, limits=LIMITS, trace=trace))
        self.acceptor = End(UpperLayer.acceptor(timeouts=TIMEOUTS, limits=LIMITS, trace=trace))
        self.disturbed = False
        """Something was lost or added on the wire, or a wait passed: what came need not be all that was sent."""
        self.calm = calm
        """Nobody aborts or rejects, nothing is lost or added, and no wait passes."""
        self.ending = ending
        self.acceptor.layer.connected()
        self.requestor.layer.connected()
        if associated:
            self._associate()

    # Calls: right ones, and wrong ones which are refused

    @rule(name=ENDS, call=st.sampled_from(("release", "respond_release", "abort", "accept", "reject", "connected")))
    def call(self, name: Name, call: str) -> None:
        layer = self._end(name).layer
        calls: dict[str, Callable[[], object]] = {
            "accept": lambda: layer.accept(scenes.ACCEPTANCE),
            "reject": lambda: layer.reject(scenes.REJECTION),
        }
        if call in ("abort", "reject"):
            if self.calm:
                return
            self.disturbed = True
        self._try(name, calls.get(call) or getattr(layer, call))

    @rule(name=ENDS, command=st.binary(min_size=1, max_size=40), data=st.none() | st.binary(max_size=9000), some=st.integers(1, 5000))
    def send_message(self, name: Name, command: bytes, data: bytes | None, some: int) -> None:
        """Begins a message, of which `go_on` sends the buffers; one that was begun before is sent to its end first."""
        end = self._end(name)
        self._pull(end, all_of_it=True)
        source = None if data is None else scenes.source_of(data, some)
        length = None if data is None else len(data)

        def begin() -> None:
            end.buffers = end.layer.send_message(CONTEXT, command, length, source)
            end.ask(command, data)

        self._try(name, begin)

    @rule(name=ENDS)
    def send_on_a_context_that_was_not_accepted(self, name: Name) -> None:
        layer = self._end(name).layer
        self._try(name, lambda: layer.send_message(3, b"command!"))

    @rule(name=ENDS, all_of_it=st.booleans())
    def go_on(self, name: Name, all_of_it: bool) -> None:
        """Sends one buffer of the message that was begun, or what is left of it."""
        self._pull(self._end(name), all_of_it=all_of_it)

    @rule(name=ENDS)
    def expect(self, name: Name) -> None:
        layer = self._end(name).layer
        layer.expecting = not layer.expecting

    # The wire

    @rule(name=ENDS, size=st.integers(1, 20000))
    def deliver(self, name: Name, size: int) -> None:
        """So many of the bytes on their way arrive, cut wherever that is."""
        self._bring(name, size)

    @rule(name=ENDS, size=st.integers(1, 40))
    def deliver_byte_by_byte(self, name: Name, size: int) -> None:
        for _ in range(size):
            self._bring(name, 1)

    @precondition(lambda self: not self.calm)
    @rule(kept=st.integers(0, 200))
    def lose_connection(self, kept: int) -> None:
        """The connection breaks: what was on its way is lost but for some first bytes."""
        self.disturbed = True
        for end in (self.requestor, self.acceptor):
            del end.incoming[kept:]
            end.closed_by_peer = True

    @precondition(lambda self: not self.calm)
    @rule(name=ENDS, garbage=st.sampled_from(GARBAGE) | st.binary(min_size=1, max_size=30), at_front=st.booleans())
    def inject(self, name: Name, garbage: bytes, at_front: bool) -> None:
        """Somebody else's bytes get into the stream."""
        end = self._end(name)
        if not end.closed_by_peer:
            self.disturbed = True
            end.garbage += 1
            end.incoming[0 if at_front else len(end.incoming) : 0 if at_front else len(end.incoming)] = garbage

    # Time

    @precondition(lambda self: not self.calm)
    @rule(seconds=st.floats(0.0, 90.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for end in (self.requestor, self.acceptor):
            self._timeout(end)

    @precondition(lambda self: not self.calm)
    @rule(name=ENDS)
    def wait_for_deadline(self, name: Name) -> None:
        end = self._end(name)
        due = end.layer.deadline(self.now)
        if due is not None:
            self.now = max(self.now, due)
            self._timeout(end)

    # What must hold

    @invariant()
    def what_is_sent_is_sound(self) -> None:
        """At most one A-ABORT; more only answer requests that were injected (AA-7)."""
        for name in ("requestor", "acceptor"):
            end = self._end(name)
            self._flush(name)
            assert end.aborts <= 1 + end.garbage

    @invariant()
    def nothing_is_invented(self) -> None:
        for here, there in ((self.requestor, self.acceptor), (self.acceptor, self.requestor)):
            assert _begins(there.sent, there.asked)
            assert here.garbage or _begins(here.got, there.sent)

    def teardown(self) -> None:
        """Everything that was begun goes on to its end: all that was sent has come, and both ends are closed."""
        if not hasattr(self, "now"):
            return
        for end in (self.requestor, self.acceptor):
            self._pull(end, all_of_it=True)
        for name in ("requestor", "acceptor") * 4:
            self._bring(name, len(self._end(name).incoming) or 1)
        if not self.disturbed:
            self._check_complete()
        self._give_up()

    def _check_complete(self) -> None:
        """Nobody aborted, and all that was sent came, also around a release and a collision of two."""
        assert (self.requestor.aborts, self.acceptor.aborts) == (0, 0)
        assert self.requestor.got == self.acceptor.sent
        assert self.acceptor.got == self.requestor.sent

    def _give_up(self) -> None:
        """Time passes, and both users abort, at the end if not before; neither end needs the other to be done."""
        if self.ending == "patient":
            self._let_time_pass(hears=False)
            for end in (self.requestor, self.acceptor):
                assert end.layer.closed or end.layer.state in OUR_TURN
        for end in (self.requestor, self.acceptor):
            end.layer.abort()
        self._let_time_pass(hears=self.ending == "together")
        for end in (self.requestor, self.acceptor):
            assert end.layer.closed
            assert end.layer.receive(scenes.STREAM) == end.layer.receive_eof() == end.layer.timeout(self.now + 1e6) == []
            assert not end.layer.data_to_send()
            assert end.aborts <= 1 + end.garbage
            assert not end.reader.mid_pdu or self.disturbed

    def _let_time_pass(self, *, hears: bool) -> None:
        """More than any wait lasts, some times over; what is on its way arrives, or it does not."""
        for _ in range(6):
            for name in ("requestor", "acceptor") if hears else ():
                self._bring(name, len(self._end(name).incoming) or 1)
            for end in (self.requestor, self.acceptor):
                end.layer.deadline(self.now)
            self.now += 100.0
            for end in (self.requestor, self.acceptor):
                self._timeout(end)

    # How it is done

    def _associate(self) -> None:
        """The short way to where data may go, which random calls seldom find."""
        self._flush("requestor")
        self._bring("acceptor", len(self.acceptor.incoming))
        self.acceptor.layer.accept(scenes.ACCEPTANCE)
        self._flush("acceptor")
        self._bring("requestor", len(self.requestor.incoming))

    def _end(self, name: Name) -> End:
        return self.requestor if name == "requestor" else self.acceptor

    def _other(self, end: End) -> End:
        return self.acceptor if end is self.requestor else self.requestor

    def _count(self, record: object) -> None:
        self.records += 1

    def _try(self, name: Name, call: Callable[[], object]) -> None:
        """A call that is refused leaves the state as it was."""
        layer = self._end(name).layer
        before, was_closed = layer.state, layer.closed
        try:
            call()
        except (UsageError, pdu.PDUError):  # the latter: an answer that does not fit the request that was injected
            assert (layer.state, layer.closed) == (before, was_closed)
            assert not layer.outgoing

    def _flush(self, name: Name) -> None:
        """What is to be sent is on its way; an end that is done closes behind it."""
        end = self._end(name)
        self._put(end, b"".join(end.layer.data_to_send()))
        if end.layer.closed and not end.is_shut:
            end.is_shut = True
            end.incoming.clear()
            self._other(end).closed_by_peer = True

    def _put(self, end: End, sent: bytes) -> None:
        end.note(sent)
        other = self._other(end)
        if not (other.is_shut or other.closed_by_peer or end.is_shut):
            other.incoming += sent

    def _pull(self, end: End, *, all_of_it: bool) -> None:
        """Sends buffers of the message that was begun, if the association still allows it."""
        name: Name = "requestor" if end is self.requestor else "acceptor"
        self._flush(name)
        try:
            for buffer in end.buffers:
                assert end.layer.established
                self._put(end, bytes(buffer))
                if not all_of_it:
                    return
        except UsageError:
            assert not end.layer.established
            end.cut_short = True
        assert end.cut_short or end.sent == end.asked
        end.buffers = iter(())

    def _bring(self, name: Name, size: int) -> None:
        """So many bytes arrive, and behind the last one the end of the stream."""
        end = self._end(name)
        if end.is_shut:
            return
        chunk = bytes(end.incoming[:size])
        del end.incoming[:size]
        if chunk:
            end.take(end.layer.receive(chunk))
        elif end.closed_by_peer:
            end.take(end.layer.receive_eof())
            assert end.layer.closed
        self._flush(name)

    def _timeout(self, end: End) -> None:
        due = end.layer.deadline(self.now)
        state, events = end.layer.state, end.layer.timeout(self.now)
        if due is None or self.now < due:
            assert (events, end.layer.state) == ([], state)
        else:
            assert end.layer.state is not state
            assert all(isinstance(event, TimedOut) for event in events)
            self.disturbed = True
        self._flush("requestor" if end is self.requestor else "acceptor")


TwoEnds.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
test_two_ends = TwoEnds.TestCase
