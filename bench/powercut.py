"""Power cuts without hardware: whatever an archive had not flushed when the lights went out may be gone, in part or in whole.

An archive works on a real folder through `Recorded`, which notes each operation. Then, for moments of that run, folders are made in
which every operation that no flush had covered by then is there, or is missing, or is there in part (a write, at borders of 512
bytes, or with zeros for its data), each for itself. Each folder is opened as after a power cut, and compared with what had been
acknowledged by that moment (`bench.ledger`).

SQLite keeps its own file, and its commits are on disk when they return (synchronous=FULL): its files are taken as they are behind each
commit, now and then with a checkpoint half done, or not at all.
"""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from struct import unpack_from

import dimse
from bench.ledger import DUPLICATE, Made, Records, Work, mixed, store_request
from bench.oracle import look
from bench.recording import INDEX, Committed, Flushed, Folder, Named, Operation, Promise, Recorded, Write, committing
from dimse.archive import Archive
from dimse.archive.storage import Duplicates
from dimse.judge.wire import ROOT

BLOCK = 512
"""Bytes that a disk writes whole or not at all."""
CUTS_OF_KILL = 5
"""How often the power is cut after the process was killed at one moment."""
AGAIN = 12
"""Instances that come once more then."""
PIECE = 100_000
"""Bytes that come at once."""


def pending(log: Sequence[Operation]) -> set[int]:
    """Which operations of a log no later flush covers: they may be missing after a power cut at its end."""
    flushed: set[int | str] = set()
    missing: set[int] = set()
    for number in range(len(log) - 1, -1, -1):
        operation = log[number]
        if isinstance(operation, Flushed):
            flushed.add(operation.what)
        elif isinstance(operation, Write | Named | Folder) and not flushed & _covering(operation):
            missing.add(number)
    return missing


def _covering(operation: Write | Named | Folder) -> set[int | str]:
    """Whose flush makes an operation last. One that is in two folders at once is in both or in none."""
    match operation:
        case Write(file):
            return {file}
        case Named(path, _, other):
            return {os.path.dirname(each) for each in (path, other) if each}  # noqa: PTH120 - paths are texts here
        case Folder(path):
            return {os.path.dirname(path)}  # noqa: PTH120


class Image:
    """What a disk may hold after a power cut behind the operations `log`, as `chance` has it; without it, all that was done."""

    def __init__(self, log: Sequence[Operation], folder: Path, chance: random.Random | None, *, replaces: bool) -> None:
        self._original = folder
        self._folders = {str(folder)}
        self.names: dict[str, int] = {}
        self._data: dict[int, bytearray] = {}
        self.records = Records(replaces=replaces)
        self.lost: Counter[str] = Counter()
        missing = pending(log) if chance else set()
        odds = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0)) if chance else 0.0
        for number, operation in enumerate(log):
            if chance and number in missing and chance.random() < odds:
                self.lost[type(operation).__name__] += 1
                if isinstance(operation, Write):
                    self._write_part(operation, chance)
            else:
                self._do(operation)
        if chance:
            self._disturb_index(chance)

    def make(self, folder: Path) -> None:
        """Makes it, in another folder than the one that the operations were done to."""

        def moved(path: str) -> Path:
            return folder / Path(path).relative_to(self._original)

        for path in sorted(self._folders):
            moved(path).mkdir(parents=True, exist_ok=True)
        for path, file in self.names.items():
            moved(path).write_bytes(self._data.get(file, b""))

    def _do(self, operation: Operation) -> None:
        match operation:
            case Write(file, offset, data):
                self._write(file, offset, data)
            case Named(path, file, other):
                self._name(path, file, other)
            case Folder(path):
                if _above(path) in self._folders:
                    self._folders.add(path)
            case Committed(files):
                for number, (path, data) in enumerate(sorted(files.items())):
                    self.names[path] = -1 - number
                    self._data[-1 - number] = bytearray(data)
            case Promise(what, made):
                self.records.note(what, made.uid, made.digest)
            case Flushed():
                pass

    def _write(self, file: int, offset: int, data: bytes) -> None:
        whole = self._data.setdefault(file, bytearray())
        whole.extend(bytes(max(offset - len(whole), 0)))
        whole[offset : offset + len(data)] = data

    def _write_part(self, operation: Write, chance: random.Random) -> None:
        """A write that is not there as it was: not at all, its first blocks only, or with nothing but its length."""
        file, offset, data = operation.file, operation.offset, operation.data
        how = chance.choice(("missing", "torn", "zeros"))
        if how == "torn":
            end = (offset + chance.randrange(len(data) + 1)) // BLOCK * BLOCK
            self._write(file, offset, data[: max(end - offset, 0)])
        elif how == "zeros":
            self._write(file, offset, bytes(len(data)))

    def _name(self, path: str, file: int | None, other: str) -> None:
        self.names.pop(other, None)
        if file is None:
            self.names.pop(path, None)
        elif _above(path) in self._folders:
            self.names[path] = file

    def _disturb_index(self, chance: random.Random) -> None:
        """Now and then there is no index any more, or its log had been copied into it half way."""
        draw, files = chance.random(), {path: self._data.get(file, b"") for path, file in self.names.items() if path.endswith(INDEX)}
        if draw < 0.1:
            self.lost["index"] += 1
            for path in files:
                del self.names[path]
        elif draw < 0.3 and len(files) == len(INDEX):
            self.lost["checkpoint"] += 1
            database, log = sorted(files)
            self._data[self.names[database]] = half_checkpointed(bytes(files[database]), bytes(files[log]), chance)


def _above(path: str) -> str:
    return os.path.dirname(path)  # noqa: PTH120 - paths are texts here


def half_checkpointed(database: bytes, log: bytes, chance: random.Random) -> bytearray:
    """The database when some pages of its log have been copied into it, and the log is still there: a checkpoint that was cut off.

    A frame of the log is a header of 24 bytes, which begins with the number of its page, and the page (SQLite's file format, 4.1). Only
    frames behind which there is a commit, and of the log's own salt, are ever copied.
    """
    result = bytearray(database)
    if len(log) < 32:
        return result
    size, salt = unpack_from(">L", log, 8)[0], log[16:24]
    frames, valid = list[tuple[int, bytes]](), 0
    for at in range(32, len(log) - size - 23, 24 + size):
        number, is_commit = unpack_from(">LL", log, at)
        if log[at + 8 : at + 16] != salt:
            break
        frames.append((number, log[at + 24 : at + 24 + size]))
        if is_commit:
            valid = len(frames)
    pages = dict(frames[:valid])
    for number in chance.sample(sorted(pages), len(pages) // 2):
        at = (number - 1) * size
        result.extend(bytes(max(at + size - len(result), 0)))
        result[at : at + size] = pages[number]
    return result


@dataclass
class Cuts:
    """What some power cuts came to."""

    images: int = 0
    promises: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        gone = ", ".join(f"{count} {what}" for what, count in sorted(self.lost.items()))
        return f"{self.images} power cuts behind {self.promises} acknowledgements, {len(self.wrong)} broken promises; lost: {gone}"


_SHARES: tuple[tuple[Duplicates, float], ...] = (("refuse", 2 / 3), ("replace", 1 / 3))


def power_cuts(count: int, seed: int, folder: Path) -> Cuts:
    """Records archives at work below `folder`, and cuts their power at `count` moments of that.

    Half of them are moments after the process was killed, when the archive is started again and mends itself, and its senders come back.
    """
    chance, cuts = random.Random(seed), Cuts()
    for duplicates, share in _SHARES:
        part, original = round(count * share), folder / duplicates
        original.mkdir(parents=True)
        log = _work(original, duplicates, chance)
        for moment in _moments(log, part // 2, chance):
            _cut(log[:moment], original, folder / "image", chance, cuts)
        for moment in _moments(log, part - part // 2, chance, by=CUTS_OF_KILL):
            longer = _killed(log[:moment], original, duplicates)
            for later in _moments(longer[moment:], CUTS_OF_KILL, chance):
                _cut(longer[: moment + later], original, folder / "image", chance, cuts)
    return cuts


def _cut(log: Sequence[Operation], original: Path, folder: Path, chance: random.Random, cuts: Cuts) -> None:
    if cuts.wrong:
        return
    image = Image(log, original, chance, replaces=original.name == "replace")
    image.make(folder)
    cuts.images += 1
    cuts.promises += image.records.acknowledgements
    cuts.lost += image.lost
    cuts.wrong += [f"{original.name}, behind operation {len(log)} ({image.lost}): {each}" for each in look(folder, image.records)]
    if not cuts.wrong:
        shutil.rmtree(folder)


def _work(folder: Path, duplicates: Duplicates, chance: random.Random) -> Sequence[Operation]:
    """What an archive does in its life: one sender, several at a time, a new index, senders once more."""
    recorded = Recorded(folder)
    for run, senders in enumerate((1, 3 if duplicates == "refuse" else 1, 1)):
        if run == 2:
            for name in INDEX:
                (folder / name).unlink(missing_ok=True)
                recorded.gone(str(folder / name))
        with committing(recorded), Archive(folder, durability="full", duplicates=duplicates, reserve=0, files=recorded) as archive:
            work = mixed(run, chance.getrandbits(32), senders, each=12) if duplicates == "refuse" else _again(run)
            threads = [threading.Thread(target=_send, args=(archive.services(), recorded, work(number))) for number in range(senders)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    return recorded.log


def _killed(log: Sequence[Operation], folder: Path, duplicates: Duplicates) -> Sequence[Operation]:
    """How the log goes on when the process is killed: what it did is there, flushed or not; it starts again, and senders try again."""
    image = Image(log, folder, None, replaces=duplicates == "replace")
    shutil.rmtree(folder)
    image.make(folder)
    recorded = Recorded(folder, log, {path: file for path, file in image.names.items() if file >= 0})
    sent = list(dict.fromkeys(each.made for each in log if isinstance(each, Promise)))
    with committing(recorded), Archive(folder, durability="full", duplicates=duplicates, reserve=0, files=recorded) as archive:
        _send(archive.services(), recorded, sent[-AGAIN:])
    return recorded.log


def _again(run: int) -> Work:
    """Instances that take the place of earlier ones, some of them twice, and some that come a second time as they were."""
    return lambda number: (Made(f"{ROOT}.0.{step % 3}", (run * 10 + step) // 2) for step in range(10))


def _send(services: dimse.Services, recorded: Recorded, work: Iterable[Made]) -> None:
    """One sender, without a network; of some data sets only a part comes."""
    assert services.sink is not None
    for number, made in enumerate(work):
        recorded.note("sent", made)
        sink = services.sink(store_request(made))
        pieces = [memoryview(made.encoded)[at : at + PIECE] for at in range(0, len(made.encoded), PIECE)]
        for piece in pieces[: -1 if number % 5 == 4 else None]:
            sink.write([piece])
        if number % 5 == 4:
            sink.discard()
        else:
            status = sink.finish()
            recorded.note({0: "kept", DUPLICATE: "other"}.get(int(status or 0), str(status)), made)


def _moments(log: Sequence[Operation], count: int, chance: random.Random, by: int = 1) -> Iterator[int]:
    """Each moment once before any comes twice, as many as make `count`, `by` at a time; of those behind the making of a folder a few."""
    every = [number for number, operation in enumerate(log, start=1) if not isinstance(operation, Folder) or number % 50 == 0]
    while count > 0:
        some = chance.sample(every, min(-(-count // by), len(every)))
        yield from sorted(some)
        count -= len(some) * by
