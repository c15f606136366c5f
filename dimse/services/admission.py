"""Who is let in: what a provider asks its server about a request, and the rejections that come of it (PS3.8 9.3.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

import pdu
from dimse.errors import Rejected, UsageError
from dimse.services.handlers import Peer, User
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


Admit = Callable[[pdu.AssociateRQ], TurnedAway | None]
"""A provider's say on who may come in at all."""
Identify = Callable[[pdu.UserIdentityRQ | None, Peer], Awaitable[User | Unidentified | None]]
"""A provider's say on who uses the peer."""


Network = IPv4Network | IPv6Network


class Callers:
    """The calling AE titles that are let in, and the hosts and networks that each may come from: none means anywhere.

    Raises `UsageError` for what is no AE title, address or network. Titles count as they are, upper and lower case apart.
    """

    def __init__(self, callers: Mapping[str, Collection[str]]) -> None:
        self._places = {_title(title): _networks(title, places) for title, places in callers.items()}

    def refusal(self, calling: str, host: str) -> str:
        """Why that calling AE title is not let in from that host; empty if it is."""
        places = self._places.get(calling)
        if places is None:
            return "the calling AE title is none of those that are let in"
        if places and not _lies_in(host, places):
            return "the calling AE title is not let in from this host"
        return ""


def _title(text: str) -> str:
    title = text.strip(" ")
    if not (1 <= len(title) <= LONGEST_TITLE and title.isascii() and title.isprintable() and "\\" not in title):
        raise UsageError(f"{text!r} is no AE title", "PS3.5 6.2", f"give 1 to {LONGEST_TITLE} characters of ASCII, and no backslash")
    return title


LONGEST_TITLE = 16


def _networks(title: str, places: Collection[str]) -> tuple[Network, ...]:
    if isinstance(places, str):
        raise UsageError(f"the places that {title!r} may come from are one text", advice=f"give a collection of them: [{places!r}]")
    return tuple(_network(title, place) for place in places)


def _network(title: str, place: str) -> Network:
    try:
        return ip_network(place)
    except ValueError as error:
        raise UsageError(
            f"{title!r} cannot come from {place!r}: {error}", advice="give an IP address, or a network such as 10.1.0.0/16"
        ) from None


def _lies_in(host: str, networks: Collection[Network]) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False  # of a transport without IP addresses
    if isinstance(address, IPv6Address) and address.ipv4_mapped:  # how a socket for both families sees IPv4
        address = address.ipv4_mapped
    return any(address in network for network in networks)
