"""Our own provider in both fronts, behind real sockets, with the waits of a test; and what only the inside can see of it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypedDict, Unpack

import dimse
import dimse.aio
from dimse.association.events import Trace
from dimse.judge import Target, Timing

HOST = "127.0.0.1"
BYSTANDER = "127.0.0.2"
"""Where those come from who only want to be served meanwhile."""
TIMEOUTS = dimse.Timeouts(artim=0.3, idle=0.5, response=0.5, pdu=0.4, send=1.0, linger=0.2)
LIMITS = dimse.Limits(data_set=8 << 20)
TIMING = Timing(artim=0.3, idle=0.5, grace=2.0, quick=0.05)
"""The judge's: what the provider promises, and how soon others are looked after meanwhile."""
SETTLED = 2.0 + 0.3
"""Seconds after which nothing may be left of an association: ARTIM and two."""
FRONTS = ("blocking", "aio")


class Options(TypedDict, total=False):
    """What some scenarios want of a server besides."""

    callers: dimse.Callers | None
    tls: dimse.TLS | None
    users: dimse.Users | None
    timeouts: dimse.Timeouts
    trace: Trace | None


class Provider(Protocol):
    """A provider that is running."""

    port: int
    reports: list[dimse.Report]

    def settle(self) -> int:
        """Waits until nothing runs for any association: how much still does after `SETTLED`."""

    def stop(self) -> None:
        """Ends it."""


class BlockingProvider:
    """`dimse.Server`."""

    def __init__(self, services: dimse.Services, limits: dimse.Limits, options: Options) -> None:
        self.reports: list[dimse.Report] = []
        self._server = dimse.Server("PEER", services, check_called=True, limits=limits, report=self.reports.append, **options)
        _, self.port = self._server.listen(HOST, 0)
        self._server.start()

    def settle(self) -> int:
        wires, change = self._server._wires, self._server._change
        with change:
            change.wait_for(lambda: not wires, SETTLED)
            return len(wires)

    def stop(self) -> None:
        self._server.stop(0.0)


class AioProvider:
    """`dimse.aio.Server` in a loop of its own thread."""

    def __init__(self, services: dimse.Services, limits: dimse.Limits, options: Options) -> None:
        self.reports: list[dimse.Report] = []
        self._services = services
        self._limits = limits
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="aio provider")
        self._thread.start()
        self._server, self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    async def _start(self) -> tuple[dimse.aio.Server, int]:
        report = self.reports.append
        server = dimse.aio.Server("PEER", self._services, check_called=True, limits=self._limits, report=report, **self._options)
        _, port = await server.listen(HOST, 0)
        return server, port

    async def _settle(self) -> int:
        serving = [task for task in asyncio.all_tasks() if task.get_name().startswith("dimse 127.")]
        left = (await asyncio.wait(serving, timeout=SETTLED))[1] if serving else ()
        await asyncio.sleep(0)  # transports that were closed leave the loop in its next round
        await asyncio.sleep(0)
        return len(left)

    def settle(self) -> int:
        return asyncio.run_coroutine_threadsafe(self._settle(), self._loop).result()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(0.0), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def providing(front: str, services: dimse.Services, limits: dimse.Limits = LIMITS, **options: Unpack[Options]) -> Iterator[Provider]:
    """A provider of that front for the time of a block; `options` are those of a server."""
    options.setdefault("timeouts", TIMEOUTS)
    provider: Provider = (BlockingProvider if front == "blocking" else AioProvider)(services, limits, options)
    try:
        yield provider
    finally:
        provider.stop()


def target_of(provider: Provider) -> Target:
    """The provider as the judge sees it."""
    return Target(HOST, provider.port, b"PEER", b"ME", TIMING, BYSTANDER)


def _threads() -> int:
    """Threads without those that are there for the next: of a server, which have its name then, and of a loop's executor, which starts
    a second where the first has not said yet that it is free."""
    names = [thread.name for thread in threading.enumerate()]
    return sum(not name.startswith(("dimse ", "asyncio_")) or name.startswith("dimse 127.") for name in names)


@dataclass
class Inside:
    """What a process holds: threads, descriptors, the files below a folder, memory."""

    folder: Path
    threads: int = field(default_factory=_threads)
    descriptors: int = 0
    resident: int = 0

    def __post_init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is counted from here (Linux)
        self.descriptors = descriptors()
        self.resident = _memory("VmRSS")

    def growth(self) -> int:
        """Bytes by which the most memory that was resident exceeds what was in the beginning."""
        return _memory("VmHWM") - self.resident

    def left_behind(self) -> list[str]:
        """What is there now and was not before, besides whole instances and the archive's own files."""
        left = [f"{_threads() - self.threads} threads"] if _threads() > self.threads else []
        left += [f"{descriptors() - self.descriptors} descriptors"] if descriptors() > self.descriptors else []
        left += [str(path) for path in self.folder.rglob("*") if path.is_file() and not _belongs(path.relative_to(self.folder))]
        return left


def descriptors() -> int:
    """How many file descriptors this process has open (Linux), but for the index: the most queries at one time say how many that has."""
    found = 0
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the one that lists them
            found += "/index.db" not in os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - a descriptor
    return found


def _belongs(path: Path) -> bool:
    top, *rest = path.parts[1:]
    is_instance = top in ("objects", "quarantine") and path.suffix == ".dcm" and len(rest) in (1, 2)
    return path.parts[0] == "archive" and (is_instance or top == "running" or top.startswith("index.db"))


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) << 10
