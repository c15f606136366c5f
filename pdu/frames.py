"""The sending side of P-DATA: a command set or a data set becomes P-DATA-TF PDUs of one PDV each.

All PDUs of such a part but its last one have the same 12-byte header. So a data set is read from its source straight
into the holes between headers that stand in a buffer already, and the buffer is sent as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import fields
from .codes import PDUType
from .pdus import COMMAND, LAST, P_DATA_HEADER, PDV_HEADER_LENGTH
from .typed import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

DEFAULT_SEND_PDU = 131_072
"""The longest P-DATA-TF sent, even if the peer would take more: longer ones gain no speed and need larger buffers."""

BUFFER_SIZE = 257 * 1024
"""At most how many bytes `stream` hands out at a time, for which it reads once: 256 KiB of PDUs, and their headers."""

MAX_HOLES = 1024
"""How many PDUs a buffer has at most, however short they are: IOV_MAX of Linux, and few enough views to keep."""

_P_DATA_TF = int(PDUType.P_DATA_TF)

ReadV: TypeAlias = Callable[[list[memoryview]], int]
"""Fills the holes in order; returns how many bytes it put there, and 0 only at the end of its data. Like `os.readv`."""


def pdv_capacity(max_pdu: int) -> int:
    """How many bytes of data go into one PDV if P-DATA-TF PDUs may be `max_pdu` long; 0 is no limit (PS3.8 D.1).

    The number is even, because "each fragment of a message shall consist of an even number of bytes" (PS3.8 E.1), and
    not more than DEFAULT_SEND_PDU has room for. ValueError below 8, which leaves no room for two bytes.
    """
    if max_pdu and max_pdu < PDV_HEADER_LENGTH + 2:
        raise ValueError(f"a maximum length of {max_pdu} has no room for data: it must be 0 or from 8 on (PS3.8 D.1)")
    return (min(max_pdu or DEFAULT_SEND_PDU, DEFAULT_SEND_PDU) - PDV_HEADER_LENGTH) // 2 * 2


def frames(context_id: int, is_command: bool, data: bytes | memoryview, max_pdu: int) -> bytes:
    """All PDUs of a part that is small and in memory, such as a command set; no data are one empty last PDV."""
    capacity, control = pdv_capacity(max_pdu), COMMAND if is_command else 0
    if len(data) <= capacity:
        return _header(context_id, control | LAST, len(data)) + data
    pieces = [data[at : at + capacity] for at in range(0, len(data), capacity)]
    framed = [_header(context_id, control, len(piece)) + piece for piece in pieces[:-1]]
    framed.append(_header(context_id, control | LAST, len(pieces[-1])) + pieces[-1])
    return b"".join(framed)


def stream(context_id: int, max_pdu: int, length: int, readv: ReadV, head: bytes = b"") -> Iterator[memoryview]:
    """The PDUs of a data set of `length` bytes, in buffers of whole PDUs, as they are read from its source.

    Each buffer is a view of the same memory, valid until the next one is asked for. `head`, the PDUs of the command,
    leaves in front of the first. EOFError where the source ends early: the data set cannot then be ended, and the
    association is to be aborted.
    """
    return FrameBuffer(context_id, pdv_capacity(max_pdu), length, head).fill(readv)


class FrameBuffer:
    """Memory for some whole PDUs of one data set: their headers are written once, their holes filled over and over.

    In front of them stands `head`, which is handed out once. The memory is no larger than the data set needs.
    """

    __slots__ = ("_capacity", "_context_id", "_head_size", "_holes", "_last_size", "_slot_size", "_slots", "_view", "_whole")

    def __init__(self, context_id: int, capacity: int, length: int, head: bytes = b"") -> None:
        if length < 0:
            raise ValueError(f"a data set of {length} bytes cannot be sent")
        self._context_id = context_id
        self._capacity = capacity
        self._whole = max(length - 1, 0) // capacity  # how many PDUs come before the last
        self._last_size = length - self._whole * capacity
        self._head_size = len(head)
        self._slot_size = P_DATA_HEADER.size + capacity
        self._slots = min(self._whole + 1, MAX_HOLES, max(BUFFER_SIZE // self._slot_size, 1))
        framed = self._whole * self._slot_size + P_DATA_HEADER.size + self._last_size
        self._view = memoryview(bytearray(len(head) + min(self._slots * self._slot_size, framed)))
        self._view[: len(head)] = head
        self._holes = [self._frame(slot, capacity) for slot in range(min(self._slots, self._whole))]

    def fill(self, readv: ReadV) -> Iterator[memoryview]:
        """Read the data set from its source, once: each time the part of the memory that is to be sent."""
        start = 0
        rounds, rest = divmod(self._whole, self._slots)
        for _ in range(rounds):
            _read(readv, self._holes, self._slots * self._capacity)
            yield self._view[start:]
            start = self._head_size
        last = self._frame(rest, self._last_size, LAST)
        _read(readv, [*self._holes[:rest], last], rest * self._capacity + self._last_size)
        yield self._view[start : self._hole_start(rest) + self._last_size]

    def _frame(self, slot: int, size: int, control: int = 0) -> memoryview:
        """Write the header of the PDU in that slot: the hole behind it."""
        start = self._hole_start(slot)
        self._view[start - P_DATA_HEADER.size : start] = _header(self._context_id, control, size)
        return self._view[start : start + size]

    def _hole_start(self, slot: int) -> int:
        return self._head_size + slot * self._slot_size + P_DATA_HEADER.size


def _header(context_id: int, control: int, size: int) -> bytes:
    """What stands before `size` bytes of data that are the only PDV of a P-DATA-TF."""
    if not 0 <= context_id <= 0xFF:
        fields.unsigned(context_id, 1, "Presentation-context-ID")
    return P_DATA_HEADER.pack(_P_DATA_TF, PDV_HEADER_LENGTH + size, 2 + size, context_id, control)


def _read(readv: ReadV, holes: list[memoryview], wanted: int) -> None:
    """Fill all the holes, which are of `wanted` bytes, in as many calls as the source needs."""
    while wanted > 0:
        count = readv(holes)
        if count <= 0:
            raise EOFError("the source of the data set ended before the length that was given for it")
        wanted -= count
        if wanted > 0:
            holes = _behind(holes, count)


def _behind(holes: list[memoryview], count: int) -> list[memoryview]:
    """The holes that are left when the first `count` bytes of them have been filled."""
    full = 0
    while count >= len(holes[full]):
        count -= len(holes[full])
        full += 1
    return [holes[full][count:], *holes[full + 1 :]]
