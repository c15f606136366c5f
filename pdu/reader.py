"""The receiving side: chunks of a stream, cut anywhere, become PDUs and fragments of P-DATA."""

from __future__ import annotations

from collections.abc import Iterator

from .codes import PDUType
from .errors import PDUError
from .pdus import (
    COMMAND,
    HEADER_LENGTH,
    LAST,
    NO_LIMIT,
    P_DATA_HEADER,
    PDU,
    PDV_HEADER_LENGTH,
    PDataTF,
    check_length,
    decode,
    kind_of,
    length_fault,
    pdv_header,
)
from .typed import NamedTuple

DEFAULT_MAX_PDU = 131_072
"""The longest P-DATA-TF taken, which is to be what the association announces: long enough that its header costs nothing."""

DEFAULT_MAX_ASSOCIATE = 262_144
"""The longest A-ASSOCIATE-RQ or -AC taken: 128 contexts of 40 transfer syntaxes are about 140 KiB."""

_P_DATA_TF = int(PDUType.P_DATA_TF)  # comparing with an int is much cheaper than with a member of an IntEnum


class Fragment(NamedTuple):
    """A piece of one PDV: of its data as much as came in one chunk, which may be all or, if it has none, none.

    `data` is a view of the chunk that was fed and keeps it alive. `is_last` is set on the piece that ends the last PDV
    of a command set or a data set.
    """

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


class Reader:
    """Reads one direction of one connection; `feed` it what `recv` returned.

    A-ASSOCIATE, A-RELEASE and A-ABORT PDUs are collected and come out whole. P-DATA-TF PDUs come out as `Fragment`s, as
    soon as their bytes are there: nothing of them is kept but headers cut by the end of a chunk, and nothing is
    allocated because it was announced. Every PDV gives at least one fragment.

    What a header alone tells to be wrong or too long is an error at once. `max_pdu` (of P-DATA-TF) and
    `max_associate` (the others) are lengths as PDU headers give them; 0 is no limit. They may be set between two PDUs.

    For who times PDUs, `begun` is a number that tells the PDU in which the stream stands (`mid_pdu`) from earlier ones.
    """

    __slots__ = ("_body", "_context_id", "_control", "_end", "_fault", "_header", "_left", "_pdv_left", "begun", "max_associate", "max_pdu")

    def __init__(self, max_pdu: int = DEFAULT_MAX_PDU, max_associate: int = DEFAULT_MAX_ASSOCIATE) -> None:
        self.max_pdu = max_pdu
        self.max_associate = max_associate
        self.begun = 0
        self._header = b""  # the start of a header of a PDU or PDV that the end of a chunk has cut
        self._end = 0  # where the current PDU ends, counted from its start
        self._left = 0  # how many bytes it lacks, not counting those in _header
        self._body = bytearray()  # its bytes so far, if it is one to be collected
        self._pdv_left = 0  # how many bytes of data the current PDV lacks
        self._context_id = 0
        self._control = 0
        self._fault: PDUError | None = None

    def feed(self, chunk: bytes) -> Iterator[PDU | Fragment]:
        """What is complete with this chunk, in order; the iterator is to be exhausted before the next call.

        A PDUError comes after everything that was in front of the fault. From then on the reader raises it again.
        """
        if self._fault is not None:
            raise self._fault.twin()
        view, at, end = memoryview(chunk), 0, len(chunk)
        unpack, last_start = P_DATA_HEADER.unpack_from, end - P_DATA_HEADER.size - 1
        new = tuple.__new__  # as Fragment(...) does, less the call of a Python function
        while at < end:
            # The common case in one piece: a P-DATA-TF with a single PDV, and the chunk goes on behind its headers.
            if at <= last_start and not self._left and not self._header:
                kind, length, pdv_length, context_id, control = unpack(chunk, at)
                if kind == _P_DATA_TF and 2 <= pdv_length == length - 4 and length <= (self.max_pdu or NO_LIMIT):
                    start, at = at + P_DATA_HEADER.size, at + HEADER_LENGTH + length
                    if at > end:
                        self._cut(length, context_id, control, at - end)
                    yield new(Fragment, (context_id, control & COMMAND != 0, control & LAST != 0 and at <= end, view[start:at]))
                    continue
            at, event = self._step(view, at)
            if event is not None:
                yield event

    @property
    def mid_pdu(self) -> bool:
        """Whether the stream stands inside a PDU: bytes of it came, and others are still to come."""
        return bool(self._left or self._header)

    def _cut(self, length: int, context_id: int, control: int, missing: int) -> None:
        """Remember a P-DATA-TF of a single PDV whose last `missing` bytes are behind the end of the chunk."""
        self.begun += 1
        self._end = HEADER_LENGTH + length
        self._left = self._pdv_left = missing
        self._context_id = context_id
        self._control = control

    def _step(self, view: memoryview, at: int) -> tuple[int, PDU | Fragment | None]:
        """Go on where the last byte left off, up to one event or border at most: where that is, and the event."""
        try:
            if not self._left:
                return self._pdu_header(view, at)
            if self._body:
                return self._collect(view, at)
            if not self._pdv_left:
                return self._pdv_header(view, at)
            return self._pdv_data(view, at)
        except PDUError as error:
            self._fault = error.twin()
            raise

    def _pdu_header(self, view: memoryview, at: int) -> tuple[int, None]:
        if not self._header:
            self.begun += 1
        at = self._gather(view, at, HEADER_LENGTH)
        header = self._header
        kind = kind_of(header)
        if len(header) < HEADER_LENGTH:
            return at, None
        length = int.from_bytes(header[2:], "big")
        check_length(kind, length)
        limit = self.max_pdu if kind is PDataTF else self.max_associate
        if length > (limit or NO_LIMIT):
            raise length_fault(kind, length, f"the limit here is {limit}")
        if kind is not PDataTF:
            self._body += header
        self._header = b""
        self._left = length
        self._end = HEADER_LENGTH + length
        return at, None

    def _collect(self, view: memoryview, at: int) -> tuple[int, PDU | None]:
        piece = view[at : at + self._left]
        self._body += piece
        self._left -= len(piece)
        at += len(piece)
        if self._left:
            return at, None
        body, self._body = bytes(self._body), bytearray()
        return at, decode(body)

    def _pdv_header(self, view: memoryview, at: int) -> tuple[int, Fragment | None]:
        size = min(PDV_HEADER_LENGTH, self._left)
        at = self._gather(view, at, size)
        if len(self._header) < size:
            return at, None
        self._pdv_left, self._context_id, self._control = pdv_header(self._header, self._left, self._end - self._left)
        self._header = b""
        self._left -= size
        return self._pdv_data(view, at) if at < len(view) or not self._pdv_left else (at, None)

    def _pdv_data(self, view: memoryview, at: int) -> tuple[int, Fragment]:
        piece = view[at : at + self._pdv_left]
        self._left -= len(piece)
        self._pdv_left -= len(piece)
        is_last = self._control & LAST != 0 and not self._pdv_left
        return at + len(piece), Fragment(self._context_id, self._control & COMMAND != 0, is_last, piece)

    def _gather(self, view: memoryview, at: int, size: int) -> int:
        """Add to the header what the chunk has of its `size` bytes: where they end."""
        stop = at + size - len(self._header)
        self._header += view[at:stop]
        return min(stop, len(view))
