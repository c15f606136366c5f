"""Fixtures of the tests of what only a front has. Nothing may be left behind: no thread, no descriptor, no task."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.drivers import PATIENCE, Asyncio, Blocking, Front, Loop


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    running = Loop()
    yield running
    running.close()


async def _other_tasks() -> int:
    return len(asyncio.all_tasks()) - 1


def _descriptors() -> set[str]:
    links = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            links.add(f"{fd} {Path(f'/proc/self/fd/{fd}').readlink()}")
        except OSError:
            continue  # that of the listing itself
    return {link for link in links if "socket:" in link}


@pytest.fixture(autouse=True)
def nothing_is_left(loop: Loop) -> Iterator[None]:
    threads, sockets = set(threading.enumerate()), _descriptors()
    assert loop.run(_other_tasks()) == 0
    yield
    for thread in set(threading.enumerate()) - threads:
        if thread.name.startswith("asyncio_"):
            continue  # the loop's own, for the names of hosts
        thread.join(PATIENCE)
        assert not thread.is_alive(), thread
    loop.run(asyncio.sleep(0))  # transports close their sockets in the turn after
    assert loop.run(_other_tasks()) == 0
    assert _descriptors() - sockets == set()


@pytest.fixture
def blocking(nothing_is_left: None) -> Iterator[Blocking]:
    running = Blocking()
    yield running
    running.close()


@pytest.fixture
def aio(nothing_is_left: None, loop: Loop) -> Iterator[Asyncio]:
    running = Asyncio(loop)
    yield running
    running.close()


@pytest.fixture(params=["blocking", "aio"])
def front(request: pytest.FixtureRequest, nothing_is_left: None, loop: Loop) -> Iterator[Front]:
    running = Blocking() if request.param == "blocking" else Asyncio(loop)
    yield running
    running.close()


@pytest.fixture
def peer(nothing_is_left: None) -> Iterator[Blocking]:
    """The other side, when it is not the one that is looked at: scripts in threads."""
    running = Blocking()
    yield running
    running.close()
