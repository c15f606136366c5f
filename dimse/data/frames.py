"""What a compressed frame says of itself: how many rows, columns and samples it has (ISO/IEC 10918-1 B.2.2, 14495-1, 15444-1 A.5.1).

Decoders take the memory that a frame asks for before they look at anything else, gigabytes for a few bytes. So whoever has one
decode what came from a stranger reads this first.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from dimse.errors import DataError

JPEG, JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
"""What frames begin with. A file format around a JPEG 2000 codestream is not allowed (PS3.5 A.4.4)."""
START_OF_FRAME = frozenset(range(0xFFC0, 0xFFD0)) - {0xFFC4, 0xFFC8, 0xFFCC} | {0xFFF7}
"""The markers with the size; that of JPEG-LS is the last."""
STEPPED_OVER = frozenset((0xFFC4, 0xFFCC, 0xFFDB, 0xFFDD, 0xFFF8, 0xFFFE, *range(0xFFE0, 0xFFF0)))
"""Tables, comments and the like, which may stand before it; not what begins a hierarchy of frames, each with its own size."""
_SEGMENT, _SIZE, _SIZ = struct.Struct(">HH"), struct.Struct(">BHHB"), struct.Struct(">HH4I16xH")


class Extent(NamedTuple):
    """The size of a frame."""

    rows: int
    columns: int
    samples: int


def extent_of(frame: bytes) -> Extent:
    """The size that a JPEG, JPEG-LS or JPEG 2000 frame says that it has. Raises `DataError` where it says none, or is none of these."""
    try:
        if frame.startswith(JPEG_2000):
            _, _, right, bottom, left, top, samples = _SIZ.unpack_from(frame, len(JPEG_2000))
            return Extent(bottom - top, right - left, samples)
        if frame.startswith(JPEG):
            return _jpeg(frame)
    except struct.error:
        raise DataError("a frame ends before it says its size", len(frame), "PS3.5 A.4") from None
    raise DataError("a frame begins as neither JPEG nor JPEG 2000 does", 0, "PS3.5 A.4")


def _jpeg(frame: bytes) -> Extent:
    at = len(JPEG)
    while True:
        while frame[at : at + 2] == b"\xff\xff":  # filling
            at += 1
        marker, length = _SEGMENT.unpack_from(frame, at)
        if marker in START_OF_FRAME:
            _, rows, columns, samples = _SIZE.unpack_from(frame, at + _SEGMENT.size)
            return Extent(rows, columns, samples)
        if marker not in STEPPED_OVER:
            raise DataError(f"a frame has {marker:04X}H where its size must be", at, "PS3.5 A.4.1")
        at += 2 + length
