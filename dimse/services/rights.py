"""Who may call, from where, and what each may ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from dimse.errors import UsageError
from pdu.values import dataclass, field

LONGEST_TITLE = 16
Network = IPv4Network | IPv6Network


class Right(StrEnum):
    """What a peer may ask this side for. The C-STORE sub-operations of a C-GET belong to the C-GET, those of a C-MOVE to the C-MOVE."""

    ECHO = "echo"
    STORE = "store"
    FIND = "find"
    GET = "get"
    MOVE = "move"


ALL_RIGHTS = frozenset(Right)


@dataclass(frozen=True, slots=True)
class Caller:
    """A peer that is known: what it may ask for (everything), and the IP addresses and networks it must come from (none: anywhere).

        dimse.Caller(allow=["echo", "store"], hosts=["10.1.2.3", "10.2.0.0/16"])

    Raises `UsageError` for what is no right, no address and no network.
    """

    allow: Collection[str] = ALL_RIGHTS
    hosts: Collection[str] = ()
    _networks: tuple[Network, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "allow", rights_of(self.allow))
        object.__setattr__(self, "hosts", tuple(_collection(self.hosts, "hosts")))
        object.__setattr__(self, "_networks", tuple(map(_network, self.hosts)))

    def comes_from(self, host: str) -> bool:
        """Whether a host is one that it may come from."""
        return not self._networks or _lies_in(host, self._networks)


class Callers:
    """The peers that are known, by calling AE title, and what those may ask for that are not: nothing, unless it is said.

        dimse.Server("ARCHIVE", services, callers=dimse.Callers({"CT1": dimse.Caller(allow=["store"])}, unknown=["echo"]))

    Titles count as they are, upper and lower case apart. Raises `UsageError` for what is no AE title and no right.
    """

    def __init__(self, known: Mapping[str, Caller], *, unknown: Collection[str] = ()) -> None:
        self.known = {_title(title): caller for title, caller in known.items()}
        self.unknown = rights_of(unknown)

    def rights(self, calling: str) -> frozenset[Right]:
        """What a peer with that calling AE title may ask for."""
        known = self.known.get(calling)
        return self.unknown if known is None else rights_of(known.allow)

    def refusal(self, calling: str, host: str) -> str:
        """Why that calling AE title is not let in from that host at all; empty if it is."""
        known = self.known.get(calling)
        if known is not None and not known.comes_from(host):
            return "the calling AE title is not let in from this host"
        if self.rights(calling):
            return ""
        return "the calling AE title is none of those that are let in" if known is None else "the calling AE title may do nothing here"


def rights_of(names: Collection[str]) -> frozenset[Right]:
    """Rights by their names; raises `UsageError` for what is none."""
    given = tuple(_collection(names, "rights"))
    if wrong := [name for name in given if name not in tuple(Right)]:
        raise UsageError(f"{wrong[0]!r} is no right of a peer", advice=f"the rights are {', '.join(Right)}")
    return frozenset(map(Right, given))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens at an IP address."""
    address = _address(host)
    return address is not None and address.is_loopback


def _collection(values: Collection[str], what: str) -> Iterable[str]:
    if isinstance(values, str):
        raise UsageError(f"the {what} of a peer are one text", advice=f"give a collection of them: [{values!r}]")
    return values


def _title(text: str) -> str:
    title = text.strip(" ")
    if not (1 <= len(title) <= LONGEST_TITLE and title.isascii() and title.isprintable() and "\\" not in title):
        raise UsageError(f"{text!r} is no AE title", "PS3.5 6.2", f"give 1 to {LONGEST_TITLE} characters of ASCII, and no backslash")
    return title


def _network(place: str) -> Network:
    try:
        return ip_network(place)
    except ValueError as error:
        raise UsageError(
            f"no peer can come from {place!r}: {error}", advice="give an IP address, or a network such as 10.1.0.0/16"
        ) from None


def _lies_in(host: str, networks: Collection[Network]) -> bool:
    address = _address(host)
    return address is not None and any(address in network for network in networks)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """An IP address; None for the host of a transport that has none, and for a name."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:  # how a socket for both families sees IPv4
        return address.ipv4_mapped
    return address
