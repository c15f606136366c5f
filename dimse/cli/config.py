"""The configuration file of `dimse serve`: TOML, in which a key that nobody knows is an error."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dimse.association.config import Limits
from dimse.cli.arguments import ae_title, certificate_name, size
from dimse.cli.failures import USAGE, Failure, os_words
from dimse.cli.keeping import CHOICES, KEYS, Keeping
from dimse.errors import UsageError
from dimse.services.handlers import Address
from dimse.services.rights import ALL_RIGHTS, Caller, Right, rights_of
from dimse.services.security import TLS
from pdu.values import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Node:
    """A node: its AE title, where it listens, where it keeps things, whom it can send to (by AE title), and whom it lets in.

    `users` is the file of their passcodes, which are taken without TLS if `users_over_plain`. `callers` are the peers that are
    known, by calling AE title; `unknown` is what others may do, None for what the address says that it listens at. Without `callers`
    (None) everybody may do everything.
    """

    aet: str = "ARCHIVE"
    host: str = "127.0.0.1"
    port: int = 4242
    data: Path = Path("dimse-data")
    peers: Mapping[str, Address] = field(default_factory=dict)
    tls: TLS | None = None
    users: Path | None = None
    users_over_plain: bool = False
    callers: Mapping[str, Caller] | None = field(default_factory=dict)
    unknown: frozenset[Right] | None = None
    check_called: bool = False
    limits: Limits = Limits()
    keeping: Keeping = field(default_factory=Keeping)


def read_config(path: Path) -> Node:
    """The node that a file describes; relative files and folders lie beside it. Raises `Failure` (usage)."""
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise Failure(USAGE, f"cannot read the configuration {os_words(error)}") from error
    except (ValueError, RecursionError) as error:  # neither UTF-8 nor TOML
        raise Failure(USAGE, f"{path} is no TOML: {error}") from error
    try:
        return _node(_Table(content, "", ("node", "peers")), path.parent)
    except ValueError as error:
        raise Failure(USAGE, f"{path}: {error}") from error


def _node(content: _Table, folder: Path) -> Node:
    node = content.table("node", NODE)
    named = content.table("peers", None)
    peers = [_peer(named.table(name, PEER), name, folder) for name in named.keys]
    titles = [title for title, _, _ in peers]
    if twice := [title for title in titles if titles.count(title) > 1]:
        raise ValueError(f"two peers have the AE title {twice[0]}")
    return Node(
        node.title("aet", "ARCHIVE"),
        node.text("host", "127.0.0.1"),
        node.port("port", 4242, lowest=0),
        folder / node.text("data", "dimse-data"),
        {title: address for title, address, _ in peers if address is not None},
        _own_tls(node.table("tls", (*FILES, "no_verify", "callers")), folder) if "tls" in node.keys else None,
        folder / node.text("users") if "users" in node.keys else None,
        node.flag("users_over_plain"),
        {title: caller for title, _, caller in peers},
        node.rights("unknown_peers") if "unknown_peers" in node.keys else None,
        node.flag("check_called_aet"),
        _limits(node.table("limits", LIMITS)),
        _keeping(node),
    )


NODE = ("aet", "host", "port", "data", "tls", "users", "users_over_plain", "unknown_peers", "check_called_aet", "limits", *KEYS)
PEER = ("aet", "host", "port", "tls", "allow", "hosts")
LIMITS = ("associations", "associations_per_host", "data_set")
"""Those that a site has reasons of its own to set."""


def _peer(table: _Table, name: str, folder: Path) -> tuple[str, Address | None, Caller]:
    """A peer's AE title, where it is if it is a destination, and what it may do."""
    title = table.title("aet", name)
    allow = table.rights("allow") if "allow" in table.keys else ALL_RIGHTS
    hosts = table.texts("hosts")
    try:
        caller = Caller(allow, hosts)
    except UsageError as error:
        raise ValueError(f"{table.name}.hosts: {error}") from None
    tls = _peers_tls(table.table("tls", (*FILES, "no_verify", "pins", "name")), folder) if "tls" in table.keys else None
    if not {"host", "port", "tls"}.intersection(table.keys):
        return title, None, caller
    return title, Address(title, table.text("host"), table.port("port"), tls), caller


def _limits(table: _Table) -> Limits:
    return replace(Limits(), **{key: table.size(key) if key == "data_set" else table.count(key) for key in table.keys})


def _keeping(table: _Table) -> Keeping:
    given: dict[str, Any] = {key: table.choice(key, choices) for key, choices in CHOICES.items() if key in table.keys}  # Any: two types
    given |= {key: table.size(key) for key in ("quota", "reserve") if key in table.keys}
    return Keeping(**given)


FILES = ("key", "cert", "ca")
"""What the TLS of a node and that of its destinations have in common."""


def _own_tls(table: _Table, folder: Path) -> TLS:
    callers = table.table("callers", None) if "callers" in table.keys else None
    bound = None if callers is None else {callers.certificate(who): callers.titles(who) for who in callers.keys}
    return _tls(table, folder, callers=bound)


def _peers_tls(table: _Table, folder: Path) -> TLS:
    name = table.text("name") if "name" in table.keys else ""
    if table.flag("no_verify") and (vain := [key for key in ("ca", "pins", "name") if key in table.keys]):
        raise ValueError(f"{table.name}.no_verify takes anybody, so that {' and '.join(vain)} would not count")
    return _tls(table, folder, pins=table.texts("pins"), server_name=name)


def _tls(table: _Table, folder: Path, **options: object) -> TLS:
    key, certificate, ca = (folder / table.text(name) if name in table.keys else None for name in FILES)
    if (key is None) is not (certificate is None):
        raise ValueError(f"{table.name}.key and {table.name}.cert belong together: give both, or neither")
    try:
        given: dict[str, Any] = {"unsafe_no_verify": table.flag("no_verify"), **options}  # Any: options of several types
        return TLS(key=key, certificate=certificate, ca=ca, **given)
    except UsageError as error:
        raise ValueError(f"{table.name}: {error}") from None


class _Table:
    """A table of the file whose keys are all among the `known` (None: any). Every error names the key."""

    def __init__(self, content: object, name: str, known: Sequence[str] | None) -> None:
        if not isinstance(content, dict):
            raise ValueError(f"{name} must be a table")
        self.name = name
        self._content = content
        self._prefix = f"{name}." if name else ""
        for key in content:
            if known is not None and key not in known:
                raise ValueError(f"unknown key {self._prefix}{key}; known are {', '.join(known)}")

    @property
    def keys(self) -> list[str]:
        return list(self._content)

    def table(self, key: str, known: Sequence[str] | None) -> _Table:
        return _Table(self._content.get(key, {}), self._prefix + key, known)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str) or not value:
            raise ValueError(f"{self._prefix}{key} must be a text, not {value!r}")
        if "\0" in value:  # no host has one, and no path
            raise ValueError(f"{self._prefix}{key} must be a text without the character 0, not {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
            raise ValueError(f"{self._prefix}{key} must be a list of texts, not {value!r}")
        return tuple(value)

    def flag(self, key: str) -> bool:
        value = self._content.get(key, False)
        if not isinstance(value, bool):
            raise ValueError(f"{self._prefix}{key} must be true or false, not {value!r}")
        return value

    def rights(self, key: str) -> frozenset[Right]:
        try:
            return rights_of(self.texts(key))
        except UsageError as error:
            raise ValueError(f"{self._prefix}{key}: {error}") from None

    def choice(self, key: str, choices: Sequence[str]) -> str:
        value = self.text(key)
        if value not in choices:
            raise ValueError(f"{self._prefix}{key} must be {' or '.join(map(repr, choices))}, not {value!r}")
        return value

    def size(self, key: str) -> int:
        """Bytes, as a number or as a text with a unit."""
        value = self._get(key, None)
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise ValueError(f"{self._prefix}{key} must be a size, not {value!r}")
        try:
            return size(str(value))
        except argparse.ArgumentTypeError as error:
            raise ValueError(f"{self._prefix}{key}: {error}") from None

    def count(self, key: str) -> int:
        value = self._get(key, None)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{self._prefix}{key} must be a count, at least 1, not {value!r}")
        return value

    def title(self, key: str, default: str) -> str:
        return self._as(ae_title, key, self.text(key, default))

    def titles(self, key: str) -> tuple[str, ...]:
        return tuple(self._as(ae_title, key, title) for title in self.texts(key))

    def certificate(self, key: str) -> str:
        """The key itself, which names a certificate."""
        return self._as(certificate_name, key, key)

    def port(self, key: str, default: int | None = None, *, lowest: int = 1) -> int:
        value = self._get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= 65_535:
            raise ValueError(f"{self._prefix}{key} must be a TCP port, {lowest} to 65535, not {value!r}")
        return value

    def _as(self, kind: Callable[[str], str], key: str, text: str) -> str:
        try:
            return kind(text)
        except argparse.ArgumentTypeError as error:
            raise ValueError(f"{self._prefix}{key}: {error}") from None

    def _get(self, key: str, default: object) -> object:
        value = self._content.get(key, default)
        if value is None:
            raise ValueError(f"{self._prefix}{key} is missing")
        return value
