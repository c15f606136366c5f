"""What whoever sends composite instances needs of them. `dimse.data.sources` has those that there are; a program may have its own."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from dimse.data.uids import UID


class Reading(Protocol):
    """One pass over the bytes of a data set, from its first to its last; leave it as a context manager to close it."""

    def readv(self, holes: list[memoryview]) -> int:
        """Fills the holes in order and returns how many bytes that were.

        Fewer than there is room for only means: ask again. 0 means that the data set has ended (or that there was no room).
        Raises `DataError` if the data set ends before its announced size.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Source(Protocol):
    """A composite instance that can be sent: what it is, how many bytes its data set has, and a way to read them."""

    @property
    def sop_class_uid(self) -> UID: ...

    @property
    def sop_instance_uid(self) -> UID: ...

    @property
    def transfer_syntax(self) -> UID: ...

    @property
    def size(self) -> int:
        """Bytes of the encoded data set."""

    def open(self) -> Reading:
        """A new pass over the data set; several may be under way at once."""
