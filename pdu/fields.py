"""The fields that items and PDUs are made of: `Cursor` reads them, the functions write them.

Every number is unsigned and big endian (PS3.8 9.3.1). Text is latin-1 both ways, so that any byte of a peer survives.
A fault in what is read is a `PDUError` with its place in the PDU; a value that cannot be written is a `ValueError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from struct import error as struct_error

from .codes import AbortReason
from .errors import PDUError

UID_PADDING = "\0 "
"""What odd peers fill a UID with to an even length; the standard wants it as long as it is (PS3.8 F.1)."""

AE_LENGTH = 16

_ITEM_HEADER = Struct(">BBH")
_ITEM_HEADER_LENGTH = _ITEM_HEADER.size
_PADDINGS = tuple(UID_PADDING)


class Cursor:
    """A window on the bytes of one PDU that is read from front to back.

    Offsets stay those of the whole PDU, also in a window of a window. `clause` is the section that describes what is
    in the window, `second` the second byte of the header of the item it is the value of: reserved in most of them.
    """

    __slots__ = ("_at", "_data", "_end", "clause", "second")

    def __init__(self, data: bytes, at: int, end: int, clause: str, second: int = 0) -> None:
        self._data = data
        self._at = at
        self._end = end
        self.clause = clause
        self.second = second

    @property
    def offset(self) -> int:
        """Where the window now starts, counted from the start of the PDU."""
        return self._at

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return self._end - self._at

    def unsigned(self, size: int, what: str) -> int:
        """A number of `size` bytes."""
        return int.from_bytes(self.take(size, what), "big")

    def flag(self, what: str) -> bool:
        """A byte that must be 0 or 1."""
        start, value = self._at, self.unsigned(1, what)
        if value > 1:
            raise self.fault(f"{what} is {value}: it must be 0 or 1", at=start)
        return value == 1

    def ae_title(self, what: str) -> str:
        """An AE title of 16 bytes without its padding: spaces at both ends mean nothing, and some peers pad with NUL."""
        return self.take(AE_LENGTH, what).rstrip(b" \0").lstrip(b" ").decode("latin-1")

    def uid(self, size: int, what: str) -> str:
        """A UID of `size` bytes without the padding that it should not have."""
        return self.take(size, what).decode("latin-1").rstrip(UID_PADDING)

    def counted_uid(self, what: str) -> str:
        """A UID behind its length."""
        return self.uid(self._count(what), what)

    def counted(self, what: str) -> bytes:
        """A field behind its length."""
        return self.take(self._count(what), what)

    def counted_window(self, what: str) -> Cursor:
        """A field behind its length, to be read in turn."""
        return self.window(self._count(what))

    def items(self) -> Iterator[tuple[int, Cursor]]:
        """The items to the end of the window: the type and the value of each (PS3.8 9.3.1)."""
        end = self._end
        while self._at < end:
            start = self._at
            item_type, second, size = _ITEM_HEADER.unpack(self.take(_ITEM_HEADER_LENGTH, "the header of an item"))
            at = self._at
            if size > end - at:
                raise self.fault(f"item {item_type:02X}H announces {size} bytes, only {self.left} are left", at=start + 2)
            self._at = at + size
            yield item_type, Cursor(self._data, at, at + size, self.clause, second)

    def window(self, size: int, second: int = 0) -> Cursor:
        """A cursor over the next `size` bytes, of which the caller knows that they are there."""
        start = self._at
        self._at += size
        return Cursor(self._data, start, self._at, self.clause, second)

    def rest(self) -> bytes:
        """All bytes to the end of the window."""
        return self.take(self.left, "the rest")

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes."""
        start = self._at
        if size > self._end - start:
            raise self.fault(f"{what} needs {size} bytes, only {self.left} are left")
        self._at = start + size
        return self._data[start : self._at]

    def fault(self, what: str, reason: AbortReason = AbortReason.INVALID_PARAMETER_VALUE, at: int | None = None) -> PDUError:
        """The error to raise for the field at that offset, or else for the one that should start here."""
        return PDUError(what, self._at if at is None else at, reason, self.clause)

    def _count(self, what: str) -> int:
        """The length in front of a field, which must not point beyond the window."""
        start, size = self._at, self.unsigned(2, what)
        if size > self.left:
            raise self.fault(f"{what} announces {size} bytes, only {self.left} are left", at=start)
        return size


def unsigned(value: int, size: int, what: str) -> bytes:
    """A number of `size` bytes."""
    try:
        return value.to_bytes(size, "big")
    except OverflowError:
        raise ValueError(f"{what} is {value}: it must be from 0 to {(1 << 8 * size) - 1}") from None


def flag(value: bool) -> bytes:
    """A byte that is 0 or 1."""
    return b"\1" if value else b"\0"


def text(value: str, what: str) -> bytes:
    """The latin-1 bytes of a text."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"{what} is {value!r}: it has characters beyond one byte (latin-1)") from None


def ae_title(value: str, what: str) -> bytes:
    """An AE title, padded with spaces to 16 bytes; spaces at its ends mean nothing and do not come back."""
    title = text(value, what)
    if len(title) > AE_LENGTH:
        raise ValueError(f"{what} is {value!r}: an AE title has at most {AE_LENGTH} characters (PS3.8 9.3.2)")
    return title.ljust(AE_LENGTH)


def uid(value: str, what: str) -> bytes:
    """A UID as it is, without padding."""
    if value.endswith(_PADDINGS):
        raise ValueError(f"{what} is {value!r}: a UID is not padded in negotiation (PS3.8 F.1)")
    return text(value, what)


def counted(value: bytes, what: str) -> bytes:
    """A field behind its length."""
    return unsigned(len(value), 2, f"the length of {what}") + value


def item(item_type: int, value: bytes, second: int = 0) -> bytes:
    """An item: type, a byte that is reserved in most, length, value (PS3.8 9.3.1)."""
    try:
        return _ITEM_HEADER.pack(item_type, second, len(value)) + value
    except struct_error:  # one of the three does not fit, and says so
        header = unsigned(item_type, 1, "Item-type") + unsigned(second, 1, "the second byte of the item")
        return header + counted(value, f"item {item_type:02X}H")
