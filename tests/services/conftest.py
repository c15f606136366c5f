"""The fixture that runs a test over all fronts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .drivers import Asyncio, Blocking, Front, Loop, Memory

FRONTS = ("memory", "blocking", "aio")


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    running = Loop()
    yield running
    running.close()


def _front(name: str, loop: Loop) -> Front:
    if name == "blocking":
        return Blocking()
    return Asyncio(loop) if name == "aio" else Memory(7 if name == "memory-7-byte-chunks" else 1 << 30)


@pytest.fixture(params=[*FRONTS, "memory-7-byte-chunks"])
def front(request: pytest.FixtureRequest, loop: Loop) -> Iterator[Front]:
    running = _front(request.param, loop)
    yield running
    running.close()


@pytest.fixture(params=FRONTS)
def wide_front(request: pytest.FixtureRequest, loop: Loop) -> Iterator[Front]:
    """The fronts that can carry much: without the one where bytes trickle in."""
    running = _front(request.param, loop)
    yield running
    running.close()
