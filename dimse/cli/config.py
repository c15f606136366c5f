"""The configuration file of `dimse serve`: TOML, in which a key that nobody knows is an error."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dimse.cli.arguments import ae_title
from dimse.cli.failures import USAGE, Failure, os_words
from dimse.services.handlers import Address


@dataclass(frozen=True, slots=True)
class Node:
    """An archive node: its AE title, where it listens, where it keeps things, and whom it can send to, by AE title."""

    aet: str = "ARCHIVE"
    host: str = "127.0.0.1"
    port: int = 4242
    data: Path = Path("dimse-data")
    peers: Mapping[str, Address] = field(default_factory=dict)


def read_config(path: Path) -> Node:
    """The node that a file describes; a relative data folder lies beside the file. Raises `Failure` (usage)."""
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise Failure(USAGE, f"cannot read the configuration {os_words(error)}") from error
    except ValueError as error:  # neither UTF-8 nor TOML
        raise Failure(USAGE, f"{path} is no TOML: {error}") from error
    try:
        return _node(_Table(content, "", ("node", "peers")), path.parent)
    except ValueError as error:
        raise Failure(USAGE, f"{path}: {error}") from error


def _node(content: _Table, folder: Path) -> Node:
    node = content.table("node", ("aet", "host", "port", "data"))
    named = content.table("peers", None)
    peers = [_peer(named.table(name, ("aet", "host", "port")), name) for name in named.keys]
    titles = [peer.aet for peer in peers]
    if twice := [title for title in titles if titles.count(title) > 1]:
        raise ValueError(f"two peers have the AE title {twice[0]}")
    return Node(
        node.title("aet", "ARCHIVE"),
        node.text("host", "127.0.0.1"),
        node.port("port", 4242, lowest=0),
        folder / node.text("data", "dimse-data"),
        {peer.aet: peer for peer in peers},
    )


def _peer(table: _Table, name: str) -> Address:
    return Address(table.title("aet", name), table.text("host"), table.port("port"))


class _Table:
    """A table of the file whose keys are all among the `known` (None: any). Every error names the key."""

    def __init__(self, content: object, name: str, known: Sequence[str] | None) -> None:
        if not isinstance(content, dict):
            raise ValueError(f"{name} must be a table")
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
        return value

    def title(self, key: str, default: str) -> str:
        try:
            return ae_title(self.text(key, default))
        except argparse.ArgumentTypeError as error:
            raise ValueError(f"{self._prefix}{key}: {error}") from None

    def port(self, key: str, default: int | None = None, *, lowest: int = 1) -> int:
        value = self._get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= 65_535:
            raise ValueError(f"{self._prefix}{key} must be a TCP port, {lowest} to 65535, not {value!r}")
        return value

    def _get(self, key: str, default: object) -> object:
        value = self._content.get(key, default)
        if value is None:
            raise ValueError(f"{self._prefix}{key} is missing")
        return value
