"""TLS and user identities as the options ask for them, and what is said of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dimse.cli.failures import USAGE, Failure
from dimse.cli.output import Output, clean
from dimse.cli.parsing import Arguments
from dimse.cli.secrets import content, passcode_of
from dimse.errors import Unreachable, UsageError
from dimse.services.handlers import Address
from dimse.services.passcodes import Passcodes
from dimse.services.security import TLS, Security
from dimse.services.users import IN_CLEAR, Identity, Users
from pdu.values import replace

if TYPE_CHECKING:
    from dimse.cli.config import Node

UNVERIFIED = "unsafe: no certificate is verified, so what passes is encrypted, but nobody knows with whom"


# A client


def client_tls(args: Arguments, out: Output) -> TLS | None:
    """How a client's connection is secured; None for a plain one. Raises `Failure` (usage), also for files that are no use."""
    options = _options(args) | ({"pins": tuple(args.tls_pins)} if args.tls_pins else {})
    options |= {"server_name": args.tls_name} if args.tls_name else {}
    if not args.tls and not options:
        return None
    if args.tls_no_verify:
        _check_unverified(args, {"tls_ca": "--tls-ca", "tls_pins": "--tls-pin", "tls_name": "--tls-name"})
        out.note(f"{out.program}: {UNVERIFIED}")
    tls = _made(options)
    check_client(tls, args.host)
    return tls


def identity_of(args: Arguments, tls: TLS | None) -> Identity | None:
    """Who uses a client; None for nobody in particular. Asks for a passcode if it has to. Raises `Failure` (usage)."""
    for option in ("no_passcode", "passcode_file"):
        if getattr(args, option) and not args.user:
            raise Failure(USAGE, f"--{option.replace('_', '-')} is about a user: give --user NAME as well")
    if not (args.user or args.jwt or args.saml or args.kerberos):
        return None
    if (tls is None or tls.unsafe_no_verify) and not (args.unsafe_plain_identity or args.no_passcode or args.kerberos):
        where, cure = ("without TLS", "give --tls") if tls is None else ("to a peer that nobody verifies", "leave out --tls-no-verify")
        raise Failure(
            USAGE,
            f"whoever reads it could use this identity too, so it is not sent {where} (PS3.7 D.3.3.7): "
            f"{cure}, or give --unsafe-plain-identity where nobody else can be",
        )
    identity = _identity(args)
    return replace(identity, unsafe_over_plain=args.unsafe_plain_identity and identity.type in IN_CLEAR)


def _identity(args: Arguments) -> Identity:
    if args.jwt:
        return Identity.jwt(content(args.jwt, "token").strip())
    if args.saml:
        return Identity.saml(content(args.saml, "assertion").strip())
    if args.kerberos:
        return Identity.kerberos(content(args.kerberos, "ticket"))
    if args.no_passcode:
        return Identity.username(args.user)
    return Identity.passcode(args.user, passcode_of(args.user, args.passcode_file))


def told_of_security(security: Security | None, identity: Identity | None, confirmation: bytes | None) -> list[str]:
    """What a client says with -v of the connection, and of what the peer thinks of the user."""
    said = [] if security is None else [f"  {security_words(security)}"]
    if identity is not None:
        said.append(f"  {_confirmation_words(identity, confirmation)}")
    return said


def _confirmation_words(identity: Identity, confirmation: bytes | None) -> str:
    if confirmation is not None:
        return "the peer confirmed the user identity"
    if identity.response:
        return "the peer did not confirm the user identity, though it was asked to: it may not know of any"
    return "the user's name was sent, which proves nothing and which the peer was not asked to confirm"


# A server


def with_options(node: Node, args: Arguments) -> Node:
    """The node with what the options say of TLS and users above what the configuration file says. Raises `Failure` (usage)."""
    node = replace(
        node,
        tls=_server_tls(args, node.tls),
        users=args.users or node.users,
        users_over_plain=args.unsafe_plain_identity or node.users_over_plain,
    )
    if node.users and not node.tls and not node.users_over_plain:
        raise Failure(
            USAGE,
            "passcodes would pass in clear text, for everybody who reads along, so that users need TLS: "
            "give --tls-key, --tls-cert and --tls-ca (tls in the file), or --unsafe-plain-identity where nobody can read along",
        )
    return node


def users_of(node: Node) -> Users | None:
    """Who may use the peers of a node; None for anybody. Raises `Failure` (usage) for a file that is no use."""
    if node.users is None:
        return None
    try:
        return Users(passcodes=Passcodes(node.users).check, unsafe_over_plain=node.users_over_plain)
    except UsageError as error:
        raise Failure(USAGE, str(error)) from error


def tell_unsafe(node: Node, out: Output) -> None:
    """What a server says when it starts that trusts more than it should."""
    if node.tls is not None and node.tls.unsafe_no_verify:
        out.note(f"{out.program}: {UNVERIFIED}")
    if node.users is not None and node.tls is None:
        out.note(f"{out.program}: unsafe: passcodes are taken without TLS, so whoever reads along can use them")


def check_destinations(peers: Mapping[str, Address]) -> None:
    """Whether the TLS of all destinations of C-MOVE can be used. Raises `Failure` (usage)."""
    for peer in peers.values():
        if peer.tls is not None:
            check_client(peer.tls, peer.host, f"the destination {peer.aet}: ")


def _server_tls(args: Arguments, configured: TLS | None) -> TLS | None:
    options = _options(args)
    if args.tls_callers:
        options["callers"] = _callers(args.tls_callers)
    if not args.tls and not options and configured is None:
        return None
    tls = _made(options, configured)
    needed = {"--tls-key": tls.key, "--tls-cert": tls.certificate, "--tls-ca": tls.ca or tls.unsafe_no_verify}
    if missing := [option for option, value in needed.items() if not value]:
        alone = " (or --tls-no-verify, to take anybody)" if "--tls-ca" in missing else ""
        raise Failure(USAGE, f"a server with TLS needs its key, its certificate and the CA of its peers: give {', '.join(missing)}{alone}")
    if tls.unsafe_no_verify:
        _check_unverified(tls, {"ca": "--tls-ca", "callers": "--tls-caller"})
    from dimse.tls import server

    _check(lambda: server(tls))
    return tls


def _callers(given: Sequence[tuple[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """The AE titles of each certificate, in as many options as they may be."""
    callers: dict[str, tuple[str, ...]] = {}
    for certificate, titles in given:
        callers[certificate] = callers.get(certificate, ()) + titles
    return callers


# Both


def security_words(security: Security) -> str:
    """How a connection is secured, and whose certificate the peer has shown."""
    certificate = security.certificate
    if not certificate.fingerprint:
        whose = "the peer has shown no certificate"
    elif not certificate.names:
        whose = f"a certificate whose names nobody verified, SHA-256 {certificate.fingerprint}"
    else:
        whose = f"certificate of {', '.join(map(clean, dict.fromkeys(certificate.names)))}, SHA-256 {certificate.fingerprint}"
    return f"{security.protocol} with {security.cipher}; {whose}"


def check_client(tls: TLS, host: str, whose: str = "") -> None:
    """Whether a connection to the host can be secured with it. Raises `Failure` (usage)."""
    from dimse.tls import client

    with suppress(Unreachable):  # a host that cannot be is told of like one that is not there
        _check(lambda: client(tls, host, host), whose)


def _options(args: Arguments) -> dict[str, object]:
    """What the options of both sides say, as the fields of a `TLS`."""
    fields: dict[str, Path | bool | None] = {"key": args.tls_key, "certificate": args.tls_cert, "ca": args.tls_ca}
    return {name: value for name, value in (fields | {"unsafe_no_verify": args.tls_no_verify}).items() if value}


def _made(options: Mapping[str, object], base: TLS | None = None) -> TLS:
    try:
        return replace(base or TLS(), **options)  # type: ignore[arg-type]  # fields of several types, by name
    except UsageError as error:
        raise Failure(USAGE, f"{error.what}: give both --tls-key and --tls-cert, or neither") from error


def _check(use: Callable[[], object], whose: str = "") -> None:
    try:
        use()
    except UsageError as error:
        raise Failure(USAGE, f"{whose}{error}") from error


def _check_unverified(given: object, others: Mapping[str, str]) -> None:
    """Whoever is not verified is not verified by anything: an option that only seemed to count would be a trap."""
    if vain := [option for name, option in others.items() if getattr(given, name)]:
        raise Failure(USAGE, f"--tls-no-verify takes anybody, so that {' and '.join(vain)} would not count: leave out one or the other")
