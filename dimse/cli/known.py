"""The peers that a server knows: from its configuration, from that of Orthanc, from the command line; and the rule for all others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from dimse.cli.config import Node
from dimse.cli.failures import USAGE, Failure
from dimse.cli.orthanc import read_modalities
from dimse.cli.output import Output, clean, place
from dimse.services.handlers import Address
from dimse.services.rights import ALL_RIGHTS, Caller, Callers, Right, is_loopback, rights_of
from pdu.values import replace


def with_peers(node: Node, peers: Sequence[Address]) -> Node:
    """The node with more destinations, which may do everything unless the node says otherwise. TLS that it has for one stays.

    Another host of a destination is no reason to go without.
    """
    known = {peer.aet: replace(peer, tls=before.tls) if (before := node.peers.get(peer.aet)) else peer for peer in peers}
    return replace(node, peers={**node.peers, **known}, callers={**dict.fromkeys(known, Caller()), **(node.callers or {})})


def with_orthanc(node: Node, path: Path) -> Node:
    """The node with the peers of a configuration of Orthanc, and their rights. Raises `Failure` (usage).

    A peer that the node knows already may do what both let it do, and comes from where the node says, if it does.
    """
    found = read_modalities(path)
    for title, modality in found.peers.items():
        before = node.peers.get(title)
        if modality.is_secured and (before is None or before.tls is None):
            raise Failure(
                USAGE,
                f"{path}: DicomModalities.{modality.name} is to be reached with TLS (UseDicomTls), and nothing says with what: "
                f"give a peer with aet = {title!r}, host, port and tls in a configuration file",
            )
    known = node.callers or {}
    callers = {title: _both(known.get(title), modality.caller) for title, modality in found.peers.items()}
    node = with_peers(node, [modality.address for modality in found.peers.values()])
    return replace(node, callers={**known, **callers}, check_called=node.check_called or found.check_called)


def _both(own: Caller | None, others: Caller) -> Caller:
    """The rights of a peer by two configurations: no file widens what another has."""
    if own is None:
        return others
    return Caller(rights_of(own.allow) & rights_of(others.allow), own.hosts or others.hosts)


def callers_of(node: Node, host: str) -> Callers | None:
    """Who may call a node that listens at this IP address; None for anybody. Whoever a certificate is bound to is known, too."""
    if node.callers is None:
        return None
    bound = node.tls.callers if node.tls is not None and node.tls.callers else {}
    known = {title: Caller() for titles in bound.values() for title in titles}
    return Callers({**known, **node.callers}, unknown=_unknown(node, host))


def rule(node: Node, host: str) -> str:
    """What peers may do that are not configured, in words."""
    rights = _unknown(node, host)
    why = " (loopback)" if rights and node.unknown is None else ""
    return f"peers that are not configured {f'may {_words(rights)}' if rights else 'are rejected'}{why}"


def told_of_peers(node: Node) -> Iterator[str]:
    """What is known of each peer, in words: where it is, what it may do, where it must come from."""
    for title, caller in (node.callers or {}).items():
        address = node.peers.get(title)
        tls = ", with TLS," if address is not None and address.tls else ""
        where = "" if address is None else f" is at {place(address.host, address.port)}{tls} and"
        origin = f", from {' or '.join(caller.hosts)}" if caller.hosts else ""
        yield clean(f"peer {title}{where} may {_words(caller.allow)}{origin}")


def _words(rights: Collection[str]) -> str:
    if not rights or rights == ALL_RIGHTS:
        return "do everything" if rights else "do nothing"
    *most, last = [right.value for right in Right if right in rights]
    return f"{', '.join(most)}{' and ' if most else ''}{last}"


def tell_nobody(callers: Callers | None, out: Output) -> None:
    """Says what is to be done where nobody may call."""
    if callers is not None and not callers.unknown and not callers.known:
        out.note(f"{out.program}: no peer is configured, so nobody may call: give [peers.NAME] in a file, or --unknown-peers echo,store")


def _unknown(node: Node, host: str) -> Collection[Right]:
    """Safe and easy: whoever is on this machine may do everything, all others nothing, unless the configuration has it."""
    if node.unknown is not None:
        return node.unknown
    return ALL_RIGHTS if is_loopback(host) else frozenset()
