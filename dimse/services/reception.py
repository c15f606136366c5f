"""What the servers of all fronts share: their options, whom they let in, and what they tell when an association has ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.events import Trace
from dimse.association.layer import UpperLayer
from dimse.services.handlers import Services
from dimse.services.scp import Provider, Report
from dimse.services.session import Session
from dimse.services.wire import Wire

LIMIT_EXCEEDED = pdu.AssociateRJ(result=2, source=3, reason=2)
"""Rejected-transient, local limit exceeded (PS3.8 Table 9-21): one association too many."""


class Reception:
    """The part of a server that knows nothing of its transport.

    aet           its AE title
    check_called  reject a request that calls another AE title (1,1,7)
    any_storage   also take storage classes outside the standard
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
        timeouts: Timeouts = Timeouts(),
        limits: Limits = Limits(),
        report: Callable[[Report], object] | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.aet = aet
        self.services = services
        self.timeouts = timeouts
        self.limits = limits
        self._check_called = check_called
        self._any_storage = any_storage
        self._report = report
        self._trace = trace
        self._associated: set[str] = set()
        self._lock: AbstractContextManager[object] = contextlib.nullcontext()
        """Held while the associations are counted; a front with threads puts a real one here."""

    def _layer(self) -> UpperLayer:
        return UpperLayer.acceptor(timeouts=self.timeouts, limits=self.limits, trace=self._trace)

    def _provider(self, wire: Wire) -> Provider:
        return Provider(
            Session(wire),
            self.services,
            aet=self.aet,
            check_called=self._check_called,
            any_storage=self._any_storage,
            admit=self._admit,
            dismiss=lambda: self._dismiss(wire),
        )

    def _admit(self, request: pdu.AssociateRQ, address: str) -> pdu.AssociateRJ | None:
        """Keeps the number of associations within the limit."""
        with self._lock:
            if len(self._associated) >= self.limits.associations:
                return LIMIT_EXCEEDED
            self._associated.add(address)
        return None

    def _dismiss(self, wire: Wire) -> None:
        """The association, if it was one, has ended: its place is free."""
        with self._lock:
            self._associated.discard(wire.address)

    def _tell(self, report: Report) -> None:
        if self._report is not None:
            self._report(report)
