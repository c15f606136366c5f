"""Crash: an archive is killed at random moments under many senders, again and again; nothing that it acknowledged may be lost.

    python -m bench.crash --rounds 200

In each round `dimse serve` is killed by SIGKILL while senders store; so are, now and then, its attempts to come up again, some of them
without an index. Then whatever it acknowledged has to be found at every level and sent back byte for byte, whatever else there is to see
has to be something that was sent, whole; `dimse check` has nothing to say, nothing is left over, and another start repairs nothing. The
senders' ledgers are the only oracle (`bench.ledger`). Exit code 1 if anything was broken; the folder is then kept.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

import dimse
from bench.ledger import HOST, Records, Senders, mixed
from bench.oracle import ORACLE, Destination, halves, judge, leftovers, see, state
from bench.powercut import power_cuts

ROOT = Path(__file__).parents[1]
ROUNDS_OF_FOLDER = 10
"""Rounds on the same archive before a new one is begun: an old one fills up, and is looked at as a whole in each round."""
STARTS_WITHIN = 60.0
"""Seconds that an archive has to come up."""
LISTENS = " listens at "


class Node:
    """`dimse serve` in a process of its own, with the oracle as its peer. `before`: words that come before those of the command."""

    def __init__(self, folder: Path, oracle_port: int, *before: str) -> None:
        self.begun = time.monotonic()
        words = ["serve", "--host", HOST, "--port", "0", "--data", str(folder), "--peer", f"{ORACLE}={HOST}:{oracle_port}"]
        command = [*before, sys.executable, "-m", "dimse", *words]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=environment, errors="replace"
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def listening(self) -> tuple[int, list[str]]:
        """Waits until it listens: the port, and what it said before. Raises `RuntimeError` if it does not come up."""
        said: list[str] = []
        try:
            while LISTENS not in (line := self._lines.get(timeout=STARTS_WITHIN)):
                if not line:
                    raise RuntimeError(f"the archive does not start: {' '.join(said)}")
                said.append(line.strip())
        except Empty:
            raise RuntimeError(f"the archive does not listen within {STARTS_WITHIN:g} s") from None
        return int(line.split(LISTENS)[1].split(",")[0].rsplit(":", 1)[1]), said

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Sends a signal and waits for the end: the exit code."""
        self._process.send_signal(number)
        code = self._process.wait(STARTS_WITHIN)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")


@dataclass
class Tally:
    """What the rounds came to."""

    rounds: int = 0
    acknowledged: int = 0
    visible: int = 0
    interrupted: int = 0
    rebuilt: int = 0
    slowest_start: float = 0.0
    repairs: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        words = (
            f"{self.rounds} rounds",
            f"{self.acknowledged} instances acknowledged and {self.visible} to be seen in the last rounds of the archives",
            f"{self.interrupted} starts killed",
            f"{self.rebuilt} indexes taken away",
            f"{self.repairs} lines about repairs",
            f"slowest start {self.slowest_start:.1f} s",
            f"{len(self.wrong)} broken promises",
        )
        return ", ".join(words)


@dataclass
class Campaign:
    """Rounds on one archive, in `folder`; the ledgers lie beside it."""

    folder: Path
    oracle: Destination
    chance: random.Random
    seconds: float
    senders: int
    tally: Tally

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._data = self.folder / "archive"
        self._start_takes = 0.5
        self._whole: set[Path] = set()
        self._node: Node | None = None

    def run(self, rounds: int) -> None:
        """So many rounds, until one breaks a promise; then the last start, which has to end in good order."""
        try:
            for number in range(rounds):
                wrong = self._round(number)
                self.tally.rounds += 1
                if wrong:
                    self.tally.wrong += wrong
                    break
        except (RuntimeError, dimse.DimseError) as error:  # it does not start, or does not answer
            self.tally.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            if self._node is not None:
                self._node.end()  # does nothing where it has ended
        records = Records.read(self.folder)
        self.tally.acknowledged += records.acknowledgements

    def _round(self, number: int) -> list[str]:
        node = self._started()
        port = self._up(node)[0]
        work = mixed(number, self.chance.getrandbits(32), self.senders)
        senders = Senders(self.folder, port, number, work, self.senders)
        senders.start()
        time.sleep(self.chance.uniform(0, self.seconds))
        node.end()
        senders.join()
        wrong = senders.trouble + halves(self._data, Records.read(self.folder), self._whole)
        self._disturb()
        return wrong + self._look()

    def _disturb(self) -> None:
        """Perhaps takes the index away, and kills some attempts to start again."""
        attempts = self.chance.choice((0, 0, 1, 2))
        if attempts and self.chance.random() < 0.4:
            self.tally.rebuilt += 1
            for path in self._data.glob("index.db*"):
                path.unlink()
        for _ in range(attempts):
            self.tally.interrupted += 1
            node = self._started()
            time.sleep(self.chance.uniform(0, self._start_takes))
            node.end()

    def _look(self) -> list[str]:
        """Starts it, compares what it shows with the ledgers, stops it in good order, and starts it once more."""
        node = self._started()
        port, said = self._up(node)
        self.tally.repairs += len(said)
        seen = see(port, self.oracle)
        wrong = judge(Records.read(self.folder), seen) + leftovers(self._data, len(seen.digests))
        before = state(self._data)
        wrong += _ended(node.end(signal.SIGTERM)) + check(self._data)
        node = self._started()
        again = self._up(node)[1]
        wrong += _ended(node.end(signal.SIGTERM)) + [f"another start says: {line}" for line in again]
        if state(self._data) != before:
            wrong.append("another start changed files of instances")
        return wrong

    def _started(self) -> Node:
        self._node = Node(self._data, self.oracle.port)
        return self._node

    def _up(self, node: Node) -> tuple[int, list[str]]:
        port, said = node.listening()
        self._start_takes = time.monotonic() - node.begun
        self.tally.slowest_start = max(self.tally.slowest_start, self._start_takes)
        return port, said


def _ended(code: int) -> list[str]:
    return [f"the archive ended with exit code {code}"] if code else []


def check(folder: Path) -> list[str]:
    """What `dimse check` has to say about an archive that is in order: nothing."""
    done = subprocess.run([sys.executable, "-m", "dimse", "check", str(folder)], capture_output=True, text=True, cwd=ROOT, check=False)
    return [] if done.returncode == 0 else [f"dimse check: {done.stdout} {done.stderr}"]


def crash(rounds: int, seconds: float, senders: int, seed: int, folder: Path) -> Tally:
    """Runs the rounds, in new archives below `folder`; one that kept its promises is removed."""
    chance, tally = random.Random(seed), Tally()
    with Destination() as oracle:
        for begun in range(0, rounds, ROUNDS_OF_FOLDER):
            below = folder / f"{begun}"
            campaign = Campaign(below, oracle, chance, seconds, senders, tally)
            campaign.run(min(ROUNDS_OF_FOLDER, rounds - begun))
            if tally.wrong:
                break
            tally.visible += sum(path.suffix == ".dcm" for path in below.rglob("*"))
            shutil.rmtree(below)
            print(f"{tally.rounds} rounds, {tally.acknowledged} instances acknowledged", file=sys.stderr, flush=True)
    return tally


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.crash", description="Kills an archive under its senders; nothing that it acknowledged may be lost."
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3.0, help="the longest that it lives in a round")
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--seed", type=int, help="of a run that is to be repeated, as far as it is not a matter of time")
    parser.add_argument("--power-cuts", type=int, default=0, metavar="N", help="also so many simulated power cuts")
    args = parser.parse_args(argv)
    if min(args.rounds, args.power_cuts) < 0 or args.senders < 1 or not args.seconds > 0:
        parser.error("rounds and power cuts are no negative numbers, seconds and senders positive ones")
    seed = random.SystemRandom().getrandbits(32) if args.seed is None else args.seed
    print(f"seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="dimse-crash-"))
    tally = crash(args.rounds, args.seconds, args.senders, seed, folder)
    print(tally)
    wrong = tally.wrong
    if args.power_cuts and not wrong:
        cuts = power_cuts(args.power_cuts, seed, folder / "cuts")
        print(cuts)
        wrong = cuts.wrong
    for words in wrong[:20]:
        print("broken:", words, file=sys.stderr)
    if wrong:
        print(f"everything is in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
