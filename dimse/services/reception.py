"""What the servers of all fronts share: their options, whom they let in, and what they tell when an association has ended."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import TypeVar

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.events import Trace
from dimse.association.layer import UpperLayer
from dimse.services.admission import CALLING_NOT_KNOWN, LIMIT_EXCEEDED, TurnedAway
from dimse.services.handlers import Peer, Services, User
from dimse.services.rights import ALL_RIGHTS, Callers, Right
from dimse.services.scp import Provider, Report
from dimse.services.security import TLS
from dimse.services.session import Session
from dimse.services.users import Backoff, Unidentified, Users
from dimse.services.wire import Wire

R = TypeVar("R")
CHECKS = 4
"""Passcodes that are checked at once: each takes 16 MiB while it lasts."""
CONVERSIONS = 1
"""Instances that are converted at once for all associations: each may take several times `recoding.MAX_CONVERTED`."""


class Reception:
    """The part of a server that knows nothing of its transport.

    aet           its AE title
    check_called  reject a request that calls another AE title (1,1,7)
    any_storage   also take storage classes outside the standard
    callers       who may call, from where, and what each may ask for; whoever may ask for nothing is rejected (1,1,3) and told
                  nothing more. None: whoever calls may do everything. Another one counts for the associations to come
    tls           take connections with TLS, and no others
    users         who may use the peers; None: whoever they say they are is ignored
    report        called when an association has ended
    trace         called for each PDU
    """

    def __init__(
        self,
        aet: str,
        services: Services,
        *,
        check_called: bool = False,
        any_storage: bool = False,
        callers: Callers | None = None,
        tls: TLS | None = None,
        users: Users | None = None,
        timeouts: Timeouts = Timeouts(),
        limits: Limits = Limits(),
        report: Callable[[Report], object] | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.aet = aet
        self.services = services
        self.callers = callers
        self.timeouts = timeouts
        self.limits = limits
        self._check_called = check_called
        self._any_storage = any_storage
        self._tls = tls
        self._users = users
        self._backoff = Backoff(users or Users())
        self._report = report
        self._trace = trace
        self._visitors = Visitors(limits)
        self._lock: AbstractContextManager[object] = contextlib.nullcontext()
        """Held while the visitors are counted; a front with threads puts a real one here."""
        self._clock: Callable[[], float] = float
        """Seconds, for the back-off after false identities; each front puts its own here."""
        self._set_up()

    def _set_up(self) -> None:
        """The rest of the construction: what a front has of its own. The options stand once, above, and for all fronts."""

    def _layer(self) -> UpperLayer:
        return UpperLayer.acceptor(timeouts=self.timeouts, limits=self.limits, trace=self._trace)

    def _provider(self, wire: Wire) -> Provider:
        return Provider(
            Session(wire, heavy=self._convert),
            self.services,
            aet=self.aet,
            check_called=self._check_called,
            any_storage=self._any_storage,
            admit=lambda request: self._admit(wire, request),
            identify=self._identify if self._users is not None else None,
            dismiss=lambda: self._dismiss(wire),
        )

    def _make_room(self, wire: Wire) -> None:
        """Counts a new connection in, and drops the one that has to go for it."""
        with self._lock:
            superfluous = self._visitors.arrive(wire)
        if superfluous is not None:
            superfluous.drop()

    def _admit(self, wire: Wire, request: pdu.AssociateRQ) -> TurnedAway | frozenset[Right]:
        callers = self.callers
        if callers is not None and (why := callers.refusal(request.calling, _host(wire))):
            return TurnedAway(CALLING_NOT_KNOWN, why)
        if self._tls is not None and not (wire.security and self._tls.admits(wire.security, request.calling)):
            return TurnedAway(CALLING_NOT_KNOWN, "the calling AE title is not bound to the certificate")
        with self._lock:
            if not self._visitors.admit(wire):
                return TurnedAway(LIMIT_EXCEEDED)
        return ALL_RIGHTS if callers is None else callers.rights(request.calling)

    async def _identify(self, item: pdu.UserIdentityRQ | None, peer: Peer) -> User | Unidentified | None:
        """Who uses the peer; not looked at while its host has to wait because of others that were false."""
        users, host = self._users or Users(required=False), host_of(peer.address)
        async with self._turn():
            with self._lock:
                if item is not None and self._backoff.pauses(host, self._clock()):
                    return Unidentified("too many user identities from this host were false")
            found = await self._work(lambda: users.identify(item, peer))
            with self._lock:
                self._backoff.count(host, self._clock(), found)
        return found

    async def _convert(self, task: Callable[[], R]) -> R:
        async with self._turn(converting=True):
            return await self._work(task)

    @contextlib.asynccontextmanager
    async def _turn(self, *, converting: bool = False) -> AsyncIterator[None]:
        """Waits for a turn at what takes a lot of memory, as checking a passcode does on purpose; a front limits how many at once."""
        yield

    async def _work(self, check: Callable[[], R]) -> R:
        """Does what takes a while, where it holds up nobody else."""
        return check()

    def _dismiss(self, wire: Wire) -> None:
        """The association, if it was one, has ended: its place is free."""
        with self._lock:
            self._visitors.dismiss(wire)

    def _forget(self, wire: Wire) -> None:
        """The connection has ended."""
        with self._lock:
            self._visitors.leave(wire)

    def _tell(self, report: Report) -> None:
        if self._report is not None:
            self._report(report)


class Visitors:
    """The connections of a server, each a stranger or associated, counted in all and by host.

    Too many associations: the new one is rejected. Too many strangers: the oldest is dropped, because an honest peer is a
    stranger for milliseconds, and whoever only holds connections open has the oldest. Of the host with too many, if it is one.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._strangers: dict[Wire, str] = {}  # oldest first
        self._associated: dict[Wire, str] = {}

    def arrive(self, wire: Wire) -> Wire | None:
        """A new connection; returns the one that is to be dropped for it, if any."""
        host = _host(wire)
        self._strangers[wire] = host
        of_host = [other for other, its in self._strangers.items() if its == host]
        if len(of_host) > self._limits.connections_per_host:
            return self._drop(of_host[0])
        if len(self._strangers) > self._limits.connections:
            return self._drop(next(iter(self._strangers)))
        return None

    def admit(self, wire: Wire) -> bool:
        """Whether there is a place for an association; it is taken then."""
        host = _host(wire)
        if len(self._associated) >= self._limits.associations:
            return False
        if list(self._associated.values()).count(host) >= self._limits.associations_per_host:
            return False
        self._strangers.pop(wire, None)
        self._associated[wire] = host
        return True

    def dismiss(self, wire: Wire) -> None:
        """The association has ended, the connection not yet: a stranger again."""
        if self._associated.pop(wire, None) is not None:
            self._strangers[wire] = _host(wire)

    def leave(self, wire: Wire) -> None:
        """The connection has ended."""
        self._strangers.pop(wire, None)
        self._associated.pop(wire, None)

    def _drop(self, wire: Wire) -> Wire:
        del self._strangers[wire]
        return wire


def _host(wire: Wire) -> str:
    return host_of(wire.address)


def host_of(address: str) -> str:
    """The host of a transport address."""
    return address.rpartition(":")[0]
