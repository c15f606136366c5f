"""`UpperLayer`: one association's end without any I/O. Bytes and time go in; events, buffers and a deadline come out.

    layer = UpperLayer.requestor(propose("PACS", "ME", [Verification]))
    layer.connected()                               # the transport is open
    for buffer in layer.data_to_send(): ...         # what has to go out now
    for event in layer.receive(chunk): ...          # what came in
    layer.deadline(now), layer.timeout(now)         # when to call back, whatever happens
    layer.closed                                    # close the transport

Every event goes through the grid of `dimse.association.table`, but for P-DATA in Sta6, which is DT-2 without the detour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.events import (
    AbortIndication,
    AssociateConfirmation,
    AssociateIndication,
    AssociateRefusal,
    AssociateRejection,
    ConnectionClosed,
    Event,
    ReleaseConfirmation,
    ReleaseIndication,
    TimedOut,
    Trace,
    Traced,
)
from dimse.association.negotiation import Agreement, agree, check_counts, refusal
from dimse.association.table import ACTIONS, GRID, Action, Artim, Evt, Indicate, Send, State
from dimse.association.waits import Wait, Waits
from dimse.association.witness import Witness
from dimse.errors import UsageError

READ_SIZE = 524_288
"""Bytes to ask the transport for once the association stands: fewer and larger reads where a sender is ahead of us. Twice as many gain
little more, and each association that waits may have so many in memory."""
READ_SIZE_BEFORE = 16_384
"""Bytes to ask for before: a stranger is read in small portions."""
bytes(2 * READ_SIZE)
"""Taken and given back once, from which the C library learns to keep blocks that are not larger. It would get each block read into from the
system, cut it to what came, and return it, which takes 15 us a read; cut blocks alone do not teach it, nor one for which it has room."""

EVENT_OF = {
    pdu.AssociateRQ: Evt.ASSOCIATE_RQ,
    pdu.AssociateAC: Evt.ASSOCIATE_AC,
    pdu.AssociateRJ: Evt.ASSOCIATE_RJ,
    pdu.Fragment: Evt.P_DATA_TF,
    pdu.ReleaseRQ: Evt.RELEASE_RQ,
    pdu.ReleaseRP: Evt.RELEASE_RP,
    pdu.Abort: Evt.ABORT,
}
_FROM_PEER = frozenset({*EVENT_OF.values(), Evt.INVALID_PDU})
_WAIT_OF = {
    State.STA5: "associate",
    State.STA7: "release",
    State.STA9: "release",
    State.STA10: "release",
    State.STA11: "release",
    State.STA12: "release",
}
"""The waits that ARTIM does not oversee; Sta6 has its own rules (see `UpperLayer._wait`)."""
_FIXED_PDUS: dict[Send | None, pdu.PDU] = {
    Send.RELEASE_RQ: pdu.ReleaseRQ(),
    Send.RELEASE_RP: pdu.ReleaseRP(),
    Send.USER_ABORT: pdu.Abort(pdu.AbortSource.SERVICE_USER, pdu.AbortReason.NOT_SPECIFIED),
}
Value = pdu.PDU | pdu.Fragment | pdu.PDUError | str | None
"""What comes with an event: the PDU, the fragment of data, what is wrong with the bytes, or why this side does it."""


class UpperLayer:
    """One end of an association: the DICOM upper layer protocol machine (PS3.8 clause 9)."""

    def __init__(self, *, is_requestor: bool, timeouts: Timeouts, limits: Limits, trace: Trace | None = None) -> None:
        self.is_requestor = is_requestor
        self.timeouts = timeouts
        self.limits = limits
        self.state = State.STA1
        self.closed = False
        """The machine is done with the transport: send what there is to send, then close it."""
        self.agreement: Agreement | None = None
        self.request: pdu.AssociateRQ | None = None
        self.expecting = False
        """The user awaits a response or the rest of a message: `Timeouts.response` rules instead of `Timeouts.idle`."""
        self.message = 0
        """The user's number for the message that it is receiving, which `Timeouts.message` oversees; 0 between messages."""
        self.trace = trace
        self.traced = Traced(is_requestor)
        """What the trace calls this association."""
        self._witness = None if trace is None else Witness(trace, self.traced)
        self._reader = pdu.Reader(max_pdu=limits.max_pdu, max_associate=limits.max_associate_pdu)
        self.outgoing: list[bytes] = []
        """What `data_to_send` gives, for who would rather look than ask."""
        self.read_size = READ_SIZE_BEFORE
        """How many bytes to ask the transport for."""
        self._context_ids: frozenset[int] = frozenset()
        self._unreadable = False
        self._received = 0
        self._artim = 0
        self._waits = Waits(timeouts)

    @classmethod
    def requestor(
        cls, request: pdu.AssociateRQ, *, timeouts: Timeouts = Timeouts(), limits: Limits = Limits(), trace: Trace | None = None
    ) -> UpperLayer:
        """The end that asks for the association; `request` is sent when the transport is `connected`."""
        layer = cls(is_requestor=True, timeouts=timeouts, limits=limits, trace=trace)
        layer.request = request
        layer._step(Evt.A_ASSOCIATE_REQUEST)
        return layer

    @classmethod
    def acceptor(cls, *, timeouts: Timeouts = Timeouts(), limits: Limits = Limits(), trace: Trace | None = None) -> UpperLayer:
        """The end that is asked; ARTIM runs from `connected`."""
        return cls(is_requestor=False, timeouts=timeouts, limits=limits, trace=trace)

    # Inputs

    def connected(self, peer: str = "") -> None:
        """The transport is open: our A-ASSOCIATE-RQ goes out, or the peer's is awaited (Evt2, Evt5).

        `peer` is the peer's transport address, for the trace.
        """
        self.traced.peer = peer
        self._step(Evt.TRANSPORT_CONFIRMATION if self.is_requestor else Evt.TRANSPORT_INDICATION)

    def receive(self, chunk: bytes) -> list[Event]:
        """Takes the bytes that came, in any chunking, and returns what they mean. Fragments are views of `chunk`.

        Raises `UsageError` before the transport is `connected`; the bytes are not taken then.
        """
        if not self.closed and self.state in (State.STA1, State.STA4):
            raise self._no_transport(chunk)
        if self._witness is None:
            return self._receive(chunk)
        if self._unreadable or self.closed:
            return []
        return [event for piece in self._witness.pieces(chunk) for event in self._receive(piece)]

    def receive_eof(self, why: str = "") -> list[Event]:
        """The transport was closed by the peer, broke, or did not open (Evt17). `why` is for the trace."""
        events: list[Event] = []
        if not self.closed:
            self._step(Evt.TRANSPORT_CLOSED, why, events)
        return events

    def timeout(self, now: float) -> list[Event]:
        """Acts if the deadline has passed: ARTIM closes the transport (Evt18), any other wait aborts (Evt15)."""
        events: list[Event] = []
        first = self._waits.first(now, self._waits_under_way())
        if first is None or now < first[1]:
            return events
        wait = first[0]
        if wait != "artim" or self.state is State.STA2:
            events.append(TimedOut(wait, self._waits.seconds(wait)))
        why = f"the wait '{wait}' passed after {self._waits.seconds(wait):g} s"
        self._step(Evt.ARTIM_EXPIRED if wait == "artim" else Evt.A_ABORT_REQUEST, why)
        return events

    # Commands

    def accept(self, answer: pdu.AssociateAC) -> Agreement:
        """Accepts the association that was asked for (Evt7) and returns what is agreed.

        Raises `pdu.PDUError` for an answer that does not fit the request, as `agree` does.
        """
        if self.request is None:
            raise UsageError("no A-ASSOCIATE-RQ has come that could be accepted (PS3.8 Table 9-10, Evt7)")
        agreement = agree(self.request, answer)
        self._step(Evt.A_ASSOCIATE_ACCEPT, answer)
        self._establish(agreement)
        return agreement

    def reject(self, answer: pdu.AssociateRJ) -> None:
        """Rejects the association that was asked for (Evt8)."""
        self._step(Evt.A_ASSOCIATE_REJECT, answer)

    def send_message(
        self, context_id: int, command: bytes, length: int | None = None, readv: Callable[[list[memoryview]], int] | None = None
    ) -> Iterator[bytes | memoryview]:
        """The buffers of one message: a command set and, when `length` is given, a data set of so many bytes (Evt9).

        `readv` fills memoryviews with the data set in order and returns the count of bytes it gave. The buffers are to be
        sent in order and each is valid until the next is asked for; send what `data_to_send` has before them. Raises
        `UsageError` in a state without data transfer, also between two buffers, `EOFError` when the data end early.
        """
        if (length is None) is not (readv is None):
            raise UsageError("a data set needs both its length and a way to read it")
        self._request_data(context_id)
        head = pdu.frames(context_id, True, command, self.max_pdu)
        if length is None or readv is None:
            return self._leaving([head])
        return self._leaving(pdu.stream(context_id, self.max_pdu, length, readv, head=head))

    def hold_message(
        self, context_id: int, command: bytes, length: int | None = None, readv: Callable[[list[memoryview]], int] | None = None
    ) -> None:
        """As `send_message`, of a small message: it leaves with `data_to_send`, and so together with others."""
        if length is None and self._witness is None:
            self._request_data(context_id)
            self.outgoing.append(pdu.frames(context_id, True, command, self.max_pdu))
        else:
            pieces = [bytes(buffer) for buffer in self.send_message(context_id, command, length, readv)]  # views of one memory
            self.outgoing.append(b"".join(pieces))

    def framed(
        self, context_id: int, command: bytes, length: int, readv: Callable[[list[memoryview]], int]
    ) -> Iterator[bytes | memoryview]:
        """The buffers of a message as `send_message` has them, the first of which is made at once; `send_framed` sends them in their time.

        Raises what `readv` raises, and `EOFError` when the data end early.
        """
        head = pdu.frames(context_id, True, command, self.max_pdu)
        buffers = pdu.stream(context_id, self.max_pdu, length, readv, head=head)
        return chain((next(buffers),), buffers)

    def send_framed(self, context_id: int, framed: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        """The buffers of a message that was begun by `framed` (Evt9). Raises as `send_message` does."""
        self._request_data(context_id)
        return self._leaving(framed)

    def send_messages(self, context_id: int, command: bytes, data_sets: Sequence[bytes]) -> Iterator[bytes | memoryview]:
        """The one buffer of several messages that have the same command set, and each a data set of its own (Evt9).

        For short ones, since all are copied. Raises `UsageError` as `send_message` does.
        """
        self._request_data(context_id)
        head, max_pdu = pdu.frames(context_id, True, command, self.max_pdu), self.max_pdu
        return self._leaving([b"".join([head + pdu.frames(context_id, False, data, max_pdu) for data in data_sets])])

    def release(self) -> None:
        """Asks for the release (Evt11); the peer's data may still come before its answer."""
        self._step(Evt.A_RELEASE_REQUEST)

    def respond_release(self) -> None:
        """Agrees to the release that the peer asked for (Evt14)."""
        self._step(Evt.A_RELEASE_RESPONSE)

    def abort(self, why: str = "") -> None:
        """Ends the association at once (Evt15); nothing happens where there is none to end. `why` is for the trace."""
        if (Evt.A_ABORT_REQUEST, self.state) in GRID:
            self._step(Evt.A_ABORT_REQUEST, why)

    # Outputs

    def data_to_send(self) -> list[bytes]:
        """The PDUs that are to be sent now, once."""
        outgoing, self.outgoing = self.outgoing, []
        return outgoing

    def deadline(self, now: float) -> float | None:
        """When `timeout` is to be called at the latest, on the clock that `now` is read from; None: no wait is under way."""
        first = self._waits.first(now, self._waits_under_way())
        return None if first is None else first[1]

    @property
    def max_pdu(self) -> int:
        """The longest P-DATA-TF variable field that the peer takes (0: no limit)."""
        if self.agreement is None:
            raise UsageError("there is no association yet")
        return self.agreement.max_pdu_acceptor if self.is_requestor else self.agreement.max_pdu_requestor

    @property
    def established(self) -> bool:
        """Whether data may be sent (Sta6, and Sta8 after the peer asked for the release)."""
        return self.state is State.STA6 or self.state is State.STA8

    # The machine

    def _request_data(self, context_id: int) -> None:
        """Data are to be sent on a context (Evt9)."""
        is_usual = self.state is State.STA6  # there it is DT-1 without the detour, as DT-2 is in the other direction
        if context_id not in self._context_ids and (is_usual or self.established):
            raise UsageError(f"presentation context {context_id} was not accepted (PS3.8 9.3.5.1)")
        if not is_usual:
            self._step(Evt.P_DATA_REQUEST)

    def _receive(self, chunk: bytes) -> list[Event]:
        events: list[Event] = []
        if self._unreadable or self.closed:
            return events  # Sta13 reads and drops (AA-6): what follows a broken PDU has no meaning
        self._received += 1
        state, ids, witness = self.state, self._context_ids, self._witness
        try:
            for received in self._reader.feed(chunk):
                if type(received) is pdu.Fragment and state is State.STA6 and received.context_id in ids and witness is None:
                    events.append(received)  # DT-2
                else:
                    self._receive_one(received, events)
                    state, ids = self.state, self._context_ids
                    if state is State.STA1:
                        break  # bytes behind the end belong to nothing
        except pdu.PDUError as error:
            self._unreadable = True
            self._step(Evt.INVALID_PDU, error, events)
        return events

    def _no_transport(self, chunk: bytes) -> UsageError:
        """What there is against bytes that come before the transport is there. The reader never sees them."""
        try:
            received = next(pdu.Reader(self.limits.max_pdu, self.limits.max_associate_pdu).feed(chunk), None)
        except pdu.PDUError:
            return _no_action(Evt.INVALID_PDU, self.state)
        if received is None:
            return UsageError(f"Sta{self.state} ({self.state.words}) has no transport to receive from (PS3.8 Table 9-10)")
        return _no_action(EVENT_OF[type(received)], self.state)

    def _receive_one(self, received: pdu.PDU | pdu.Fragment, events: list[Event]) -> None:
        """Everything but the hot path: association PDUs, and data out of the ordinary. PDUError for what does not fit."""
        if isinstance(received, pdu.Fragment):
            self._check_context(received)
        if isinstance(received, pdu.AssociateRQ):
            check_counts(received, self.limits)
        if isinstance(received, pdu.AssociateAC) and self.state is State.STA5 and self.request is not None:
            self._establish(agree(self.request, received))
        self._step(EVENT_OF[type(received)], received, events)

    def _check_context(self, fragment: pdu.Fragment) -> None:
        """Where data may come they must be on an accepted context; elsewhere the table has its answer to any data."""
        if self.state in (State.STA6, State.STA7) and fragment.context_id not in self._context_ids:
            what = f"a PDV on presentation context {fragment.context_id}, which was not accepted"
            raise pdu.PDUError(what, offset=10, reason=pdu.AbortReason.INVALID_PARAMETER_VALUE, clause="PS3.8 9.3.5.1")

    def _establish(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self._reader.max_pdu = agreement.max_pdu_requestor if self.is_requestor else agreement.max_pdu_acceptor
        self._context_ids = frozenset(agreement.contexts)
        self.read_size = READ_SIZE

    def _step(self, event: Evt, value: Value = None, events: list[Event] | None = None) -> None:
        """One cell of Table 9-10: send, indicate, ARTIM, close, next state. `events` takes what is indicated."""
        before, name = self.state, GRID.get((event, self.state))
        if name is None:
            raise _no_action(event, before)
        action, given = ACTIONS[name], value
        if name == "AE-6" and isinstance(value, pdu.AssociateRQ):
            self.request = value
            if rejection := refusal(value):
                action, given = ACTIONS["AE-8"], rejection  # AE-6, second case: the provider itself rejects
        sent = self._pdu_of(action.send, given)
        if sent is not None:
            self.outgoing.append(sent.encode())  # first, for a value that cannot be sent is to leave the state as it was
        is_second = name == "AR-8" and not self.is_requestor
        self.state = action.otherwise if is_second and action.otherwise else action.next_state
        self._artim += action.artim is Artim.START
        self.closed = self.closed or action.close
        if events is not None:
            events.extend(_indications(action, given, self.agreement))
        if self._witness is not None:
            self._tell(self._witness, event, value, sent, before)

    def _pdu_of(self, send: Send | None, value: Value) -> pdu.PDU | None:
        """The PDU that a row sends; P-DATA has its own way out, the buffers of `send_message`."""
        if send is Send.ASSOCIATE_RQ:
            return self.request
        if send is Send.PROVIDER_ABORT:
            return pdu.Abort(pdu.AbortSource.SERVICE_PROVIDER, _abort_reason(value))
        if send in (Send.ASSOCIATE_AC, Send.ASSOCIATE_RJ) and isinstance(value, pdu.AssociateAC | pdu.AssociateRJ):
            return value
        return _FIXED_PDUS.get(send)

    def _tell(self, witness: Witness, event: Evt, value: Value, sent: pdu.PDU | None, before: State) -> None:
        """The trace of one step: what came in or happened, then what went out for it."""
        if event in _FROM_PEER and value is not None and not isinstance(value, str):
            witness.received(value, before, self.state)
        elif event is not Evt.P_DATA_REQUEST:  # the data tell of themselves, as they leave
            witness.happened(f"{event.words}: {value}" if isinstance(value, str) and value else event.words, before, self.state)
        if sent is not None:
            witness.sent(sent, before, self.state)

    def _leaving(self, buffers: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        """The buffers of a message, whole PDUs, as long as data may be sent; the association may end in between."""
        for buffer in buffers:
            if self.state is not State.STA6 and not self.established:
                raise UsageError(f"the association ended while a message was being sent (Sta{self.state})")
            if self._witness is not None:
                self._witness.data_sent(buffer, self.state)
            yield buffer

    def _waits_under_way(self) -> list[Wait]:
        """ARTIM restarts only where an action starts it, a PDU's wait with the next PDU, silence's with every byte, inside a PDU too."""
        if self.state is State.STA13 or self.state is State.STA2:
            return [("artim", self._artim)]
        if self.state is not State.STA6:
            return [(name, 0) for name in (_WAIT_OF.get(self.state),) if name is not None]
        silence = "response" if self.expecting else "idle"
        waits: list[Wait] = [(silence, self._received)]
        if self._reader.mid_pdu:
            waits.append(("pdu", self._reader.begun))
        if self.message:
            waits.append(("message", self.message))
        return waits


def _no_action(event: Evt, state: State) -> UsageError:
    return UsageError(f"Sta{state} ({state.words}) has no action for Evt{event}, {event.words} (PS3.8 Table 9-10)")


def _indications(action: Action, value: Value, agreement: Agreement | None) -> list[Event]:
    """What an action's row tells our user.

    AA-1 has no indication, for in Sta2 there is no user yet; it is told here all the same so that a provider can report it.
    """
    match action.indicate, value:
        case Indicate.ASSOCIATE, pdu.AssociateRQ():
            return [AssociateIndication(value)]
        case Indicate.ACCEPTED, pdu.AssociateAC() if agreement is not None:
            return [AssociateConfirmation(agreement, value)]
        case Indicate.REJECTED, pdu.AssociateRJ():
            return [AssociateRejection(value)]
        case None, pdu.AssociateRJ() if action.send is Send.ASSOCIATE_RJ:
            return [AssociateRefusal(value)]
        case Indicate.P_DATA, pdu.Fragment():
            return [value]
        case Indicate.RELEASE, _:
            return [ReleaseIndication()]
        case Indicate.RELEASED, _:
            return [ReleaseConfirmation()]
        case Indicate.ABORT, pdu.Abort():
            return [AbortIndication(value.source, value.reason, by_peer=True)]
        case Indicate.P_ABORT, str():
            return [ConnectionClosed()]
        case Indicate.P_ABORT, _:
            return [AbortIndication(pdu.AbortSource.SERVICE_PROVIDER, _abort_reason(value), by_peer=False, cause=_cause(value))]
        case None, _ if action.send is Send.USER_ABORT:
            return [AbortIndication(pdu.AbortSource.SERVICE_USER, 0, by_peer=False, cause=_cause(value))]
    return []


def _abort_reason(value: Value) -> pdu.AbortReason:
    """A PDU that is broken says itself which reason it deserves; one that is whole came at the wrong time."""
    return value.reason if isinstance(value, pdu.PDUError) else pdu.AbortReason.UNEXPECTED_PDU


def _cause(value: Value) -> str:
    return str(value) if isinstance(value, pdu.PDUError) else f"{type(value).__name__} is not expected here (PS3.8 Table 9-10)"
