"""The handlers of a provider that is fuzzed: they never fail but by `Refused`, and keep account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dimse.association.config import Limits
from dimse.data.datasets import DataSet
from dimse.data.protocols import Source
from dimse.data.sources import BytesSource
from dimse.data.uids import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from dimse.errors import Refused
from dimse.services.handlers import Address, Answer, Match, Request, Services
from fuzz.target import require

LIMITS = Limits(max_pdu=16384, command_set=512, identifier=512, data_set=1024)
"""So tight that inputs can reach them."""
MATCH = DataSet(b"\x10\x00\x20\x00\x02\x00\x00\x0012", ImplicitVRLittleEndian)


class Kept:
    """The provider's handlers: they fail as they are told by the request, and keep account."""

    def __init__(self, destination: Address) -> None:
        self.opened = 0
        self.ended = 0
        self.size = 0
        self._destination = destination
        self.services = Services(sink=self.open, find=self.find, get=self.get, move=self.get, where=self.where)

    def open(self, request: Request) -> Account:
        if request.command.affected_sop_instance_uid == "refused":
            raise Refused(0xA700, "full")
        self.opened += 1
        return Account(self)

    def find(self, request: Request) -> Iterator[Match]:
        require(request.identifier is not None, "a C-FIND without identifier")
        yield from [MATCH] * 3

    def get(self, request: Request) -> Sequence[Source]:
        return [instance(number) for number in range(2)]

    def where(self, request: Request, aet: str) -> Address:
        if aet != self._destination.aet:
            raise Refused(0xA801, "nobody is called so")
        return self._destination


class Account:
    """A sink that counts how it ends."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._size = 0

    def write(self, pieces: Sequence[memoryview]) -> None:
        self._size += sum(map(len, pieces))
        require(self._size <= LIMITS.data_set, "more than the limit was written")

    def finish(self) -> Answer:
        self._kept.ended += 1
        self._kept.size += self._size
        return None

    def discard(self) -> None:
        self._kept.ended += 1


def instance(number: int) -> BytesSource:
    """An instance that can be sent."""
    return BytesSource(bytes(100), CTImageStorage, UID(f"1.2.{number}"), ExplicitVRLittleEndian)
