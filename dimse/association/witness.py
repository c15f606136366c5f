"""`Witness`: what a trace is told of one association. It exists only where there is a trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pdu
from dimse.association.events import Trace, Traced, TraceRecord
from dimse.association.table import State

HEADER_LENGTH = 6
"""PDU type, a reserved byte and the length of what follows (PS3.8 9.3.1)."""
P_DATA_TF = int(pdu.PDUType.P_DATA_TF)
PDU_NAMES: Mapping[int, str] = {
    pdu.PDUType.ASSOCIATE_RQ: "A-ASSOCIATE-RQ",
    pdu.PDUType.ASSOCIATE_AC: "A-ASSOCIATE-AC",
    pdu.PDUType.ASSOCIATE_RJ: "A-ASSOCIATE-RJ",
    pdu.PDUType.P_DATA_TF: "P-DATA-TF",
    pdu.PDUType.RELEASE_RQ: "A-RELEASE-RQ",
    pdu.PDUType.RELEASE_RP: "A-RELEASE-RP",
    pdu.PDUType.ABORT: "A-ABORT",
}


_ENDS = (State.STA1, State.STA13)


class Witness:
    """Tells a trace of whole PDUs, however the transport has cut them.

    P-DATA pass the state machine as fragments; a trace gets the PDU that they were part of, with the states of its first
    fragment: at its end, or earlier where something came of a part of it.
    """

    def __init__(self, trace: Trace, association: Traced) -> None:
        self._trace = trace
        self._association = association
        self._incoming = Cutter()
        self._outgoing = Cutter()
        self._held: list[TraceRecord] | None = None
        self._first: tuple[State, State] | None = None

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """The chunk, cut at the ends of PDUs. What is told while a piece is being received goes to the trace behind it."""
        for piece in self._incoming.cut(chunk):
            self._held = []
            try:
                yield piece
            finally:
                held, self._held = self._held, None
                self._pass_on(held)

    def received(self, what: pdu.PDU | pdu.PDUError | pdu.Fragment, before: State, after: State) -> None:
        """What came from the peer."""
        if isinstance(what, pdu.Fragment):
            self._first = self._first or (before, after)
        else:
            self._tell(TraceRecord("in", what, before, after, self._association, bytes(self._incoming.pdu)))

    def sent(self, what: pdu.PDU, before: State, after: State) -> None:
        """What goes to the peer."""
        self._tell(TraceRecord("out", what, before, after, self._association, what.encode()))

    def data_sent(self, buffer: bytes | memoryview, state: State) -> None:
        """A buffer of whole P-DATA-TF PDUs that goes to the peer."""
        for encoded in self._outgoing.cut(bytes(buffer)):
            self._tell(TraceRecord("out", pdu.decode(encoded), state, state, self._association, encoded))

    def happened(self, words: str, before: State, after: State) -> None:
        """Anything else. An end that comes in the middle of a PDU says so."""
        is_end = after in _ENDS and before not in _ENDS
        if is_end and self._incoming.pdu and not self._incoming.is_whole:
            self._part(before, before)
        self._tell(TraceRecord("event", words, before, after, self._association))

    def _tell(self, record: TraceRecord) -> None:
        if self._held is None:
            self._trace(record)
        else:
            self._held.append(record)

    def _pass_on(self, held: list[TraceRecord]) -> None:
        """The records of one piece; in front of them the P-DATA-TF that it is or began, if there is more to say than "more came"."""
        is_whole = self._incoming.is_whole
        if self._first is not None and (is_whole or held) and not any(isinstance(record.what, pdu.PDUError) for record in held):
            self._data(*self._first, is_whole)
        if is_whole or held:
            self._first = None
        for record in held:
            self._trace(record)

    def _data(self, before: State, after: State, is_whole: bool) -> None:
        encoded = bytes(self._incoming.pdu)
        if is_whole:
            self._trace(TraceRecord("in", pdu.decode(encoded), before, after, self._association, encoded))
        else:
            self._part(before, after)

    def _part(self, before: State, after: State) -> None:
        encoded = bytes(self._incoming.pdu)
        wanted = self._incoming.wanted
        of = "its header" if wanted is None else f"{wanted} bytes"
        words = f"{pdu_name(encoded)}, not complete: {len(encoded)} bytes of {of} came"
        self._trace(TraceRecord("in", words, before, after, self._association, encoded))


def pdu_name(encoded: bytes) -> str:
    """What the first byte says that a PDU is."""
    return PDU_NAMES.get(encoded[0], f"PDU of unknown type {encoded[0]:02X}H")


class Cutter:
    """Cuts one direction's bytes at the ends of PDUs. `pdu` is what came of the last one."""

    def __init__(self) -> None:
        self.pdu = bytearray()

    def cut(self, chunk: bytes) -> Iterator[bytes]:
        """The chunk in pieces, each the rest of a PDU or as much as there is of it."""
        at = 0
        while at < len(chunk):
            if self.is_whole:
                self.pdu.clear()
            start = at
            at = min(len(chunk), at + max(HEADER_LENGTH - len(self.pdu), 0))
            self.pdu += chunk[start:at]
            if self.wanted is not None:
                end = at + self.wanted - len(self.pdu)
                self.pdu += chunk[at:end]
                at = min(len(chunk), end)
            yield chunk[start:at]

    @property
    def wanted(self) -> int | None:
        """How long the PDU is, once its header is there."""
        return HEADER_LENGTH + int.from_bytes(self.pdu[2:HEADER_LENGTH], "big") if len(self.pdu) >= HEADER_LENGTH else None

    @property
    def is_whole(self) -> bool:
        """Whether all of the PDU is there."""
        return len(self.pdu) == self.wanted
