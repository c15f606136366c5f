"""Soak: good, slow, malformed and vanishing clients at one provider for a set time; flat lines are the result.

    python -m bench.soak --seconds 600 --svg soak.svg

The provider is `dimse receive` in a process of its own; its memory, threads and descriptors are read from /proc (Linux).
Prints a Markdown table; exit code 1 if a good client failed, or if something grew.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dimse
from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian, Verification

HOST = "127.0.0.1"
ARTIM = 2
"""Seconds that the provider gives a stranger: short, so that many come and go in a soak."""
STEADY = 0.25
"""The part of the time after which the lines have to be flat: before it, caches and pools fill."""
SHORTEST = 3.0
"""Seconds, and samples: with less there is nothing to compare."""
ALLOWED_GROWTH = {"memory MB": 8.0, "threads": 24.0, "descriptors": 24.0}
"""How much the last quarter's median may lie above that of the first steady quarter."""
REQUEST = dimse.propose("RECEIVER", "SOAK", [Verification, dimse.Context(CTImageStorage, (ImplicitVRLittleEndian,))]).encode()
NONSENSE = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(193),
    b"\x01\x00\xff\xff\xff\xff" + bytes(4096),
    b"\x04\x00\x00\x00\x00\x00",
    REQUEST[:100] + b"\xff" * 40 + REQUEST[140:],
    REQUEST + b"\x04\x00\x00\x00\x00\x10\xff\xff\xff\xff\x01\x03" + bytes(10),
    REQUEST + b"\x09\x00\x00\x00\x00\x04" + bytes(4),
)


@dataclass
class Tally:
    """What the clients did, counted by all their threads."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str, seconds: float = 0.0) -> None:
        with self.lock:
            self.counts[what] += 1
            self.slowest = max(self.slowest, seconds)

    def fail(self, error: Exception) -> None:
        with self.lock:
            self.counts["failures"] += 1
            self.failures.append(f"{type(error).__name__}: {error}")


@dataclass(frozen=True)
class Sample:
    """The provider at one moment."""

    seconds: float
    associations: int
    failures: int
    slowest_ms: float
    memory: float
    threads: int
    descriptors: int

    COLUMNS = ("seconds", "associations", "failures", "slowest ms", "memory MB", "threads", "descriptors")

    @property
    def cells(self) -> tuple[float, ...]:
        return (self.seconds, self.associations, self.failures, self.slowest_ms, self.memory, self.threads, self.descriptors)


def good(port: int, random_: random.Random, tally: Tally) -> None:
    """An echo and some instances, in good order: must always work."""
    uid = f"1.2.826.0.1.3680043.10.{random_.randrange(200)}"
    data = struct.pack("<HHI", 0x0008, 0x0018, len(uid) + len(uid) % 2) + uid.encode() + b"\0" * (len(uid) % 2)
    data += struct.pack("<HHI", 0x7FE0, 0x0010, size := random_.choice((0, 2_000, 200_000))) + bytes(size)
    source = dimse.BytesSource(data, CTImageStorage, dimse.UID(uid), ImplicitVRLittleEndian)
    start = time.perf_counter()
    with dimse.connect(HOST, port, contexts=[Verification, *dimse.contexts_for([source])]) as association:
        if not (association.echo().ok and association.store(source).ok):
            raise RuntimeError("a good client was answered a failure")
    tally.add("good", time.perf_counter() - start)


def slow(port: int, random_: random.Random, tally: Tally) -> None:
    """A request that comes a byte at a time and never ends, or an association that falls silent in mid PDU."""
    with socket.create_connection((HOST, port)) as connection:
        connection.settimeout(0.1)
        if random_.random() < 0.5:
            connection.sendall(REQUEST + b"\x04\x00\x00\x00\x00\x54\x00\x00\x00\x50\x01\x03" + bytes(20))
        for byte in REQUEST[:20]:
            with contextlib.suppress(TimeoutError):
                connection.sendall(bytes([byte]))
                if not connection.recv(4096):
                    break
    tally.add("slow")


def malformed(port: int, random_: random.Random, tally: Tally) -> None:
    """Bytes that are no DICOM, or bad DICOM; then waits for the answer or the end."""
    with socket.create_connection((HOST, port)) as connection:
        connection.settimeout(ARTIM + 3)
        connection.sendall(random_.choice(NONSENSE))
        connection.recv(4096)
    tally.add("malformed")


def vanishing(port: int, random_: random.Random, tally: Tally) -> None:
    """Gone in mid request or mid data set, by a reset."""
    with socket.create_connection((HOST, port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(REQUEST[: random_.randrange(1, len(REQUEST))] if random_.random() < 0.5 else REQUEST)
    tally.add("vanishing")


CLIENTS: tuple[Callable[[int, random.Random, Tally], None], ...] = (good, good, slow, malformed, vanishing)
"""One thread each."""


def client(act: Callable[[int, random.Random, Tally], None], port: int, seed: int, over: threading.Event, tally: Tally) -> None:
    """Acts again and again. Of the bad clients no error counts: they get what they ask for."""
    random_ = random.Random(seed)
    while not over.is_set():
        try:
            act(port, random_, tally)
        except (dimse.DimseError, RuntimeError) as error:
            tally.fail(error)
        except OSError:
            tally.add("turned away")
        over.wait(0.005)


def sample(pid: int, start: float, tally: Tally) -> Sample:
    """The provider now, and what its clients have done so far."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    with tally.lock:
        slowest, tally.slowest = tally.slowest, 0.0
        done = sum(tally.counts.values()) - tally.counts["failures"]
        failures = tally.counts["failures"]
    memory = int(status["VmRSS"].split()[0]) / 1024
    return Sample(
        round(time.monotonic() - start, 1),
        done,
        failures,
        round(slowest * 1000, 1),
        round(memory, 1),
        int(status["Threads"]),
        len(os.listdir(f"/proc/{pid}/fd")),
    )


@contextlib.contextmanager
def provider(folder: Path) -> Iterator[tuple[int, int]]:
    """`dimse receive` on a free port: its process id and the port."""
    command = [sys.executable, "-m", "dimse", "receive", "-ta", str(ARTIM), "-td", str(ARTIM), "-od", str(folder), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split(",")[0].rsplit(":", 1)[1])
        drain = threading.Thread(target=process.stdout.read, daemon=True)
        drain.start()
        try:
            yield process.pid, port
        finally:
            for _ in range(2):  # the second says: at once
                process.send_signal(signal.SIGTERM)
            process.wait(30)


def soak(seconds: float, every: float, seed: int) -> tuple[list[Sample], Tally]:
    """Runs all clients for so long and takes a sample every so many seconds."""
    tally, over, samples = Tally(), threading.Event(), list[Sample]()
    with tempfile.TemporaryDirectory() as folder, provider(Path(folder)) as (pid, port):
        threads = [threading.Thread(target=client, args=(act, port, seed + n, over, tally)) for n, act in enumerate(CLIENTS)]
        for thread in threads:
            thread.start()
        start = time.monotonic()
        while (now := time.monotonic() - start) < seconds:
            over.wait(min(every, seconds - now))
            samples.append(sample(pid, start, tally))
        over.set()
        for thread in threads:
            thread.join()
    return samples, tally


def growth(samples: Sequence[Sample]) -> dict[str, float]:
    """By how much each line is higher at the end than when it was steady (medians of quarters)."""
    steady = list(samples)[int(len(samples) * STEADY) :]
    part = max(len(steady) // 3, 1)
    ends = (sorted(column) for rows in (steady[:part], steady[-part:]) for column in zip(*(s.cells for s in rows), strict=True))
    medians = [column[len(column) // 2] for column in ends]
    half = len(Sample.COLUMNS)
    rise = {name: late - early for name, early, late in zip(Sample.COLUMNS, medians[:half], medians[half:], strict=True)}
    return {name: round(rise[name], 1) for name in ALLOWED_GROWTH}


def table(samples: Sequence[Sample], rows: int = 20) -> str:
    """A Markdown table of some samples, evenly spread."""
    step = max(len(samples) // rows, 1)
    lines = [" | ".join(Sample.COLUMNS), " | ".join("---:" for _ in Sample.COLUMNS)]
    lines += [" | ".join(f"{cell:g}" for cell in each.cells) for each in samples[step - 1 :: step]]
    return "\n".join(f"| {line} |" for line in lines)


def draw(samples: Sequence[Sample], path: Path) -> None:
    """Memory, threads and descriptors over time, as SVG (matplotlib, extra `bench`)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    for row, (name, column) in enumerate((("memory MB", 4), ("threads", 5), ("descriptors", 6)), start=1):
        axes = figure.add_subplot(3, 1, row)
        axes.plot([each.seconds for each in samples], [each.cells[column] for each in samples], linewidth=1)
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
    axes.set_xlabel("seconds")
    figure.savefig(path)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description="Soaks a provider in good and bad clients; flat lines are the result."
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between samples")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--svg", type=Path, help="draw the lines into this file")
    args = parser.parse_args(argv)
    if not (args.seconds >= SHORTEST and 0 < args.every <= args.seconds / SHORTEST):
        parser.error(f"a soak lasts {SHORTEST:g} seconds or more, and has {SHORTEST:g} samples or more")
    if args.svg and importlib.util.find_spec("matplotlib") is None:
        parser.error("--svg needs matplotlib: pip install '.[bench]'")
    if args.svg and not args.svg.absolute().parent.is_dir():
        parser.error(f"--svg: there is no folder {args.svg.parent}")
    samples, tally = soak(args.seconds, args.every, args.seed)
    print(table(samples))
    print("\n" + ", ".join(f"{count} {what}" for what, count in sorted(tally.counts.items())))
    rise = growth(samples)
    print("growth since it was steady: " + ", ".join(f"{name} {value:+g}" for name, value in rise.items()))
    if args.svg:
        draw(samples, args.svg)
    for failure in tally.failures[:5]:
        print("failed:", failure, file=sys.stderr)
    grown = [name for name, value in rise.items() if value > ALLOWED_GROWTH[name]]
    for name in grown:
        print(f"{name} grew", file=sys.stderr)
    return 1 if grown or tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
