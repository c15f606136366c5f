"""Who is let in: what a provider asks its server about a request, and the rejections that come of it (PS3.8 9.3.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pdu
from dimse.errors import Rejected
from dimse.services.handlers import Peer, User
from dimse.services.rights import Right
from dimse.services.users import Unidentified

LIMIT_EXCEEDED = pdu.AssociateRJ(result=2, source=3, reason=2)
"""Rejected-transient, local limit exceeded (PS3.8 Table 9-21): one association too many."""
CALLING_NOT_KNOWN = pdu.AssociateRJ(result=1, source=1, reason=3)
"""Calling AE title not recognized: also what is said to a certificate that belongs to another AE."""
NOT_IDENTIFIED = pdu.AssociateRJ(result=1, source=1, reason=1)
"""The standard has no reason of its own for a user identity that is refused (PS3.7 D.3.3.7)."""


class TurnedAway(NamedTuple):
    """A request that is rejected: the answer, and for the report, in words, why."""

    answer: pdu.AssociateRJ
    why: str = ""

    @property
    def words(self) -> str:
        """Answer, reason, the clause, and what the caller can do."""
        rejected = Rejected(self.answer.result, self.answer.source, self.answer.reason, by_peer=False)
        return f"rejected: {self.answer} ({f'{self.why}; ' if self.why else ''}{rejected.clause}); {rejected.advice}"


Admit = Callable[[pdu.AssociateRQ], TurnedAway | frozenset[Right]]
"""A provider's say on who may come in at all, and on what it may ask for."""
Identify = Callable[[pdu.UserIdentityRQ | None, Peer], Awaitable[User | Unidentified | None]]
"""A provider's say on who uses the peer."""
