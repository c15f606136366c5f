"""Measuring whole processes: their time from start to exit, their memory, and several kinds of work in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 600.0
"""Seconds after which a client is taken to hang."""
LAST_WORDS = 300
LOOK_EVERY = 0.01
UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
"""What makes a Python slower than a user's: without bytecode, a start takes four times as long."""

Run = Callable[[], float]


class Failed(Exception):
    """A program that was measured did not end well; the text has its last words."""


@dataclass(frozen=True)
class Command:
    """A program to be run: its words, and what it finds in its environment."""

    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, said: int, errors: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=said, stderr=errors, env=environment(self.environment))


@dataclass(frozen=True)
class Figure:
    """What was measured in all runs of one side."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """From the least to the most, as a part of the median."""
        return (max(self.values) - min(self.values)) / abs(self.median) if self.median else 0.0


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours with more in it: programs find this project, and run as users have them, with their bytecode kept."""
    kept = {name: value for name, value in os.environ.items() if name not in UNUSUAL}
    return kept | {"PYTHONPATH": str(ROOT)} | dict(more)


def python(*words: object) -> Command:
    """This Python."""
    return Command([sys.executable, *map(str, words)])


def dimse(*words: object) -> Command:
    """Ours."""
    return python("-m", "dimse", *words)


def wall(*commands: Command) -> float:
    """Seconds from the start of the first to the end of the last; all run at once. Raises `Failed`."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        running = [command.start(subprocess.DEVNULL, errors.fileno()) for command in commands]
        with _not_for_ever(running):
            codes = [process.wait() for process in running]
        seconds = time.perf_counter() - start
        if any(codes):
            raise Failed(_last_words(commands[0], max(codes, key=abs), errors.fileno()))
    return seconds


def said(command: Command) -> str:
    """What it prints. Raises `Failed`."""
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as output:
        process = command.start(output.fileno(), errors.fileno())
        with _not_for_ever([process]):
            code = process.wait()
        if code:
            raise Failed(_last_words(command, code, errors.fileno()))
        output.seek(0)
        return output.read().decode(errors="replace")


def peak(command: Command) -> float:
    """The most memory, in MB, that it had resident while it ran (Linux). Raises `Failed`."""
    most = 0
    with tempfile.TemporaryFile() as errors:
        process = command.start(subprocess.DEVNULL, errors.fileno())
        with _not_for_ever([process]):
            while process.poll() is None:
                most = max(most, resident(process.pid))
                time.sleep(LOOK_EVERY)
        if process.returncode:
            raise Failed(_last_words(command, process.returncode, errors.fileno()))
    return most / 1e6


def resident(process: int) -> int:
    """The most memory, in bytes, that a process has had resident so far; 0 if it has gone."""
    with suppress(OSError):
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
        return max((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), default=0)
    return 0


def in_turns(sides: Mapping[str, Run], times: int) -> dict[str, Figure]:
    """Each of them so many times, one after the other and again from the first: what disturbs, disturbs all.

    The first turn does not count: in it memory for files is allocated, bytecode is written, and servers import what they need.
    """
    values: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(1 + times):
        for name, run in sides.items():
            values[name].append(run())
    return {name: Figure(tuple(found[1:])) for name, found in values.items()}


@contextmanager
def _not_for_ever(running: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Kills them if they hang. (`wait` with a timeout looks twenty times a second only, which is no way to measure.)"""
    watch = threading.Timer(LONGEST, _end, [running])
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        _end(running)


def _end(running: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in running:
        if process.poll() is None:
            process.kill()


def _last_words(command: Command, code: int, errors: int) -> str:
    os.lseek(errors, 0, os.SEEK_SET)
    text = os.read(errors, 1 << 20).decode(errors="replace").strip()
    return f"{' '.join(command.words[:4])} ended with {code}: {text[-LAST_WORDS:]}"
