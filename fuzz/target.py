"""What a target is, and which there are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

NAMES = ("reader", "roundtrip", "machine", "message", "elements", "part10", "server")

LONGEST = 4096
"""Bytes of an input at most; longer vectors are no seeds. What is wrong is wrong in few bytes, and they run faster."""

Features = Iterable[Hashable]
"""What an input has shown besides the lines it ran: states, kinds of outcome. Code that is driven by tables needs it."""


@dataclass(frozen=True)
class Target:
    """An invariant and where to look for what breaks it.

    check   runs one input and raises, anything at all, if the invariant does not hold
    seeds   inputs to start from
    covers  modules whose lines guide the search and make up the coverage figure
    """

    check: Callable[[bytes], Features]
    seeds: Callable[[], Iterable[bytes]]
    covers: tuple[str, ...]


def require(holds: bool, what: str) -> None:
    """An `assert` that `python -O` keeps and that may stand where an exception was caught."""
    if not holds:
        raise AssertionError(what)


def load(name: str) -> Target:
    """The target of that name."""
    target: Target = importlib.import_module(f"fuzz.targets.{name}").TARGET
    return target
