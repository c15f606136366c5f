"""What a trace is told of the judge's connections, on which this side has no protocol machine and breaks the rules on purpose."""

from __future__ import annotations

from typing import Literal

import pdu
from dimse.association.events import Trace, Traced, TraceRecord
from dimse.association.layer import EVENT_OF
from dimse.association.table import ACTIONS, GRID, Evt, State
from dimse.association.witness import Cutter, pdu_name

MOST_KEPT = 1_048_576
"""Bytes of one PDU that are kept for the trace: some cases send one without an end."""
_SENT = {
    pdu.PDUType.ASSOCIATE_RQ: Evt.TRANSPORT_CONFIRMATION,
    pdu.PDUType.RELEASE_RQ: Evt.A_RELEASE_REQUEST,
    pdu.PDUType.RELEASE_RP: Evt.A_RELEASE_RESPONSE,
    pdu.PDUType.ABORT: Evt.A_ABORT_REQUEST,
}
"""What happens on the side of who sends that PDU."""


class Spectator:
    """Tells a trace what passes one connection that this side has opened, as PDUs where it is PDUs.

    The states are those in which a requestor would be that had sent the same. What Table 9-10 has no action for, and what it
    answers by something that the judge does not send, leaves them as they are; the end of the connection is the provider's.
    """

    def __init__(self, trace: Trace, peer: str) -> None:
        self._trace = trace
        self._association = Traced(is_requestor=True)
        self._association.peer = peer
        self._state = State.STA4
        self._sent, self._received = Cutter(), Cutter()
        self._is_told = False
        """The PDU that is going out has been told of, as far as it went."""
        self._tell("event", "transport: connection opened", State.STA1)

    def sent(self, data: bytes) -> None:
        """Bytes went out."""
        if len(self._sent.pdu) > MOST_KEPT and not self._sent.is_whole:
            return
        for _ in self._sent.cut(data):
            if self._sent.is_whole:
                self._is_told = False
                self._whole("out", bytes(self._sent.pdu))

    def received(self, chunk: bytes) -> None:
        """Bytes came in. What has gone out of a PDU by then is told before, for the answer may be to it."""
        self._part_sent()
        for _ in self._received.cut(chunk):
            if self._received.is_whole:
                self._whole("in", bytes(self._received.pdu))

    def ended(self, how: str) -> None:
        """The connection is over; the first time counts."""
        if self._state is not State.STA1:
            self._part_sent()
            self._part("in", self._received)
            before, self._state = self._state, State.STA1
            self._tell("event", f"transport: {how}", before)

    def _whole(self, direction: Literal["in", "out"], encoded: bytes) -> None:
        before = self._state
        try:
            value = pdu.decode(encoded)
        except pdu.PDUError as error:
            self._tell(direction, error, before, encoded)
            return
        self._step(direction, value)
        self._tell(direction, value, before, encoded)

    def _step(self, direction: str, value: pdu.PDU) -> None:
        event = _SENT.get(value.pdu_type)
        if direction == "in":
            event = EVENT_OF[pdu.Fragment if isinstance(value, pdu.PDataTF) else type(value)]
        action = None if event is None else ACTIONS.get(GRID.get((event, self._state), ""))
        if action is not None and (direction == "out" or action.send is None):
            self._state = State.STA13 if action.next_state is State.STA1 else action.next_state

    def _part_sent(self) -> None:
        if not self._is_told:
            self._part("out", self._sent)
            self._is_told = True

    def _part(self, direction: Literal["in", "out"], cutter: Cutter) -> None:
        """What there is of a PDU that has not come to its end."""
        encoded = bytes(cutter.pdu)
        if encoded and not cutter.is_whole:
            wanted = "its header" if cutter.wanted is None else f"{cutter.wanted} bytes"
            verb = "went out" if direction == "out" else "came"
            self._tell(direction, f"{pdu_name(encoded)}, not complete: {len(encoded)} bytes of {wanted} {verb}", self._state, encoded)

    def _tell(
        self, direction: Literal["in", "out", "event"], what: pdu.PDU | pdu.PDUError | str, before: State, encoded: bytes = b""
    ) -> None:
        self._trace(TraceRecord(direction, what, before, self._state, self._association, encoded))
