"""Decisions taken from fuzzed bytes, and bytes that take given decisions."""

from __future__ import annotations


class Choices:
    """Reads decisions from the front of an input. When it is used up every number is 0 and every text is empty."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def number(self, size: int = 1) -> int:
        """A number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def below(self, count: int) -> int:
        """A number below `count`, which is 256 at most."""
        return self.number() % count

    def text(self) -> bytes:
        """Some bytes behind their length in two bytes."""
        return self.take(self.number(2))

    def take(self, size: int) -> bytes:
        """So many bytes, or as many as are left."""
        start = self._at
        self._at = min(start + size, len(self._data))
        return self._data[start : self._at]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))


def text(data: bytes) -> bytes:
    """What `Choices.text` reads as these bytes."""
    return len(data).to_bytes(2, "big") + data
