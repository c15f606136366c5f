"""Deflated data sets (PS3.5 A.5): inflated piece by piece, under limits of size and growth."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from mmap import mmap

from dimse.errors import DataError, OddData

MAX_INFLATED = 268_435_456
"""Bytes that a deflated data set may become unless the caller says otherwise."""
MAX_RATIO = 1000
"""Times that a deflated data set may grow. Deflate reaches 1032 on nothing but one repeated byte; real images stay below 100."""
RATIO_SLACK = 65_536
"""Bytes that may come out before the ratio is looked at: short streams of few elements reach any ratio."""
MAX_TRAILER = 9
"""Bytes behind the end of a deflate stream: one that makes the length even, and gzip's eight, which some writers leave there."""
_FEED, _PIECE = 8192, 262_144
"""Bytes that are given to, and taken from, the inflater at once."""


def inflate(data: bytes | bytearray | memoryview | mmap, limit: int = MAX_INFLATED) -> bytes:
    """What a deflated data set is when inflated (PS3.5 A.5).

    Raises `DataError` for a stream that is none or does not end, for more than `limit` bytes, and for a growth beyond
    `MAX_RATIO`; then no more than that has been held.
    """
    return b"".join(inflating(memoryview(data), limit))


def inflating(data: memoryview, limit: int = MAX_INFLATED) -> Iterator[bytes]:
    """The pieces of what a raw deflate stream (RFC 1951) inflates to, while size and ratio are allowed.

    What goes on behind `limit` bytes is `OddData`: nothing is known to be wrong with it, nor that it is there.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    size = fed = 0
    try:
        while fed < len(data) and not stream.eof:
            rest = bytes(data[fed : fed + _FEED])
            fed += len(rest)
            more = True
            while more and not stream.eof:
                piece = stream.decompress(rest, _PIECE)
                rest = stream.unconsumed_tail
                more = len(rest) > 0 or len(piece) == _PIECE
                size += len(piece)
                _refuse_bomb(size, fed - len(rest), limit)
                yield piece
    except zlib.error as problem:
        raise DataError(f"this is no deflated data set: {problem}", fed, "PS3.5 A.5") from None
    if not stream.eof:
        raise DataError(f"a deflated data set ends in the middle of its stream of {len(data)} bytes", fed, "PS3.5 A.5")
    surplus = len(data) - fed + len(stream.unused_data)
    if surplus > MAX_TRAILER:
        raise DataError(f"{surplus} bytes follow the end of a deflated data set", len(data) - surplus, "PS3.5 A.5")


def _refuse_bomb(size: int, consumed: int, limit: int) -> None:
    if size > limit:
        raise OddData(f"a deflated data set inflates to more than {limit} bytes", consumed, "PS3.5 A.5", "the caller may allow more")
    if size > MAX_RATIO * consumed + RATIO_SLACK:
        raise DataError(f"a deflated data set grows more than {MAX_RATIO} times", consumed, "PS3.5 A.5", "send it in another syntax")
