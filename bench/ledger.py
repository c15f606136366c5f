"""What senders sent and what they were promised, and whether an archive keeps the promise: the oracle of the crash tests.

A sender writes into its ledger what it begins to send, and what was answered 0000H once that answer is there. Nothing else decides
what an archive must have: neither its index nor its files. Each instance is made of its UID and a variant, so what was sent is known
again without being kept.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from math import log2
from pathlib import Path
from zlib import crc32

import dimse
from dimse.data.commands import CommandField, CommandSet
from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian
from dimse.judge.wire import ROOT, element, uid_value

HOST = "127.0.0.1"
CONTEXT = dimse.Context(CTImageStorage, (ImplicitVRLittleEndian,))
SHORTEST, LONGEST = 1024, 1_500_000
"""Bytes of pixel data. Lengths are spread evenly over the powers of two: some fit into the archive's memory, some do not."""
STUDIES, PATIENTS, SERIES = 6, 3, 3
"""However many instances there are, so many studies and patients, and series in each study."""
DUPLICATE = 0x0111
PEER = dimse.Peer("SENDER", "ARCHIVE", "127.0.0.1:40000")
Digests = Mapping[str, bytes]
"""SHA-256 of data sets by SOP Instance UID."""


@dataclass(frozen=True)
class Made:
    """A made-up instance. Another variant of the same UID has as many other pixels."""

    uid: str
    variant: int = 0

    @property
    def study(self) -> int:
        return crc32(self.uid.encode()) % STUDIES

    @property
    def study_uid(self) -> str:
        return f"{ROOT}.{self.study}"

    @property
    def series_uid(self) -> str:
        return f"{self.study_uid}.{crc32(self.uid.encode()) // STUDIES % SERIES}"

    @property
    def patient_id(self) -> str:
        return f"CRASH-{self.study % PATIENTS:02}"

    @cached_property
    def encoded(self) -> bytes:
        """The data set in Implicit VR Little Endian."""
        length = int(2 ** random.Random(self.uid).uniform(log2(SHORTEST), log2(LONGEST))) & ~1
        pixels = random.Random(f"{self.uid}/{self.variant}").randbytes(length)
        return b"".join(
            (
                element(0x0008, 0x0016, uid_value(CTImageStorage)),
                element(0x0008, 0x0018, uid_value(self.uid)),
                element(0x0008, 0x0060, b"CT"),
                element(0x0010, 0x0010, b"CRASH^MADE UP "),
                element(0x0010, 0x0020, self.patient_id.encode()),
                element(0x0020, 0x000D, uid_value(self.study_uid)),
                element(0x0020, 0x000E, uid_value(self.series_uid)),
                element(0x7FE0, 0x0010, pixels),
            )
        )

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the data set."""
        return sha256(self.encoded).digest()

    @property
    def source(self) -> dimse.BytesSource:
        return dimse.BytesSource(self.encoded, dimse.UID(CTImageStorage), dimse.UID(self.uid), dimse.UID(ImplicitVRLittleEndian))


class Ledger:
    """One sender's log, in a file that nobody else writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sending(self, made: Made) -> None:
        """Before its first byte leaves."""
        self._write("sent", made)

    def answered(self, made: Made, status: int) -> None:
        """Behind the answer."""
        self._write({0: "kept", DUPLICATE: "other"}.get(status, f"{status:04X}H"), made)

    def _write(self, what: str, made: Made) -> None:
        with self._path.open("a", encoding="ascii") as file:
            file.write(f"{what} {made.uid} {made.digest.hex()}\n")


@dataclass
class Records:
    """All ledgers together: the digests that were sent under each UID, and those that were acknowledged.

    `replaces`: what comes later under the same UID takes the place of what was there. Then there is one sender, whose entries come in
    their order, and `since` has what it sent behind its last acknowledgement.
    """

    sent: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    kept: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    since: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    acknowledgements: int = 0
    replaces: bool = False
    refusals: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, *, replaces: bool = False) -> Records:
        """The ledgers of a folder."""
        records = cls(replaces=replaces)
        for path in sorted(folder.glob("*.ledger")):
            for line in path.read_text(encoding="ascii").splitlines():
                what, uid, digest = line.split()
                records.note(what, uid, bytes.fromhex(digest))
        return records

    def note(self, what: str, uid: str, digest: bytes) -> None:
        """Takes in one entry."""
        if what == "sent":
            self.sent[uid].add(digest)
            self.since[uid].add(digest)
        elif what == "kept":
            if self.replaces:
                self.kept[uid].clear()
            self.kept[uid].add(digest)
            self.since[uid].clear()
            self.acknowledgements += 1
        else:
            self.refusals.append((what, uid))

    def broken(self, visible: Digests) -> Iterator[str]:
        """What is wrong with that being all that there is to see: lost, not what was acknowledged, or never sent."""
        for uid, digests in self.kept.items():
            if len(digests) > 1:
                yield f"{uid}: different data sets were acknowledged"
            elif uid not in visible:
                yield f"{uid}: acknowledged, and lost"
            elif visible[uid] not in digests and not (self.replaces and visible[uid] in self.since[uid]):
                yield f"{uid}: is not what was acknowledged"
        for uid, digest in visible.items():
            if digest not in self.sent.get(uid, ()):
                yield f"{uid}: is nothing that was sent"
        for what, uid in self.refusals:
            if what != "other" or len(self.sent[uid]) < 2:
                yield f"{uid}: refused ({what})"


def store_request(made: Made) -> dimse.Request:
    """The C-STORE request of an instance, as a handler sees it."""
    command = CommandSet(
        CommandField.C_STORE_RQ,
        message_id=1,
        priority=0,
        command_data_set_type=0,
        affected_sop_class_uid=CTImageStorage,
        affected_sop_instance_uid=made.uid,
    )
    return dimse.Request(PEER, command, dimse.AcceptedContext(1, dimse.UID(CTImageStorage), dimse.UID(ImplicitVRLittleEndian)))


# Sending

Work = Callable[[int], Iterable[Made]]
"""What the sender of a number is to send."""


def mixed(run: int, seed: int, count: int, each: int = 1 << 30) -> Work:
    """Mostly new instances; some again; some that others of the `count` send at the same time, with the same bytes or with others.

    Of the ones that come again some are of the run before, which may have been acknowledged then, or not.
    """

    def work(number: int) -> Iterator[Made]:
        chance = random.Random(f"{seed}/{run}/{number}")
        for step in range(each):
            draw = chance.random()
            if draw < 0.7 or not step:
                yield Made(f"{ROOT}.{run}.{number}.{step}")
            elif draw < 0.8:
                yield Made(f"{ROOT}.{max(run - chance.randrange(2), 0)}.{number}.0")
            else:
                yield Made(f"{ROOT}.{run}.{count}.{step}", chance.choice((0, 0, number)))

    return work


@dataclass
class Senders:
    """So many associations that store until their work is done or the archive is gone. Each has a ledger in `folder`."""

    folder: Path
    port: int
    run: int
    work: Work
    count: int = 8
    trouble: list[str] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Starts all of them."""
        self._threads = [threading.Thread(target=self._send, args=(number,), name=f"sender {number}") for number in range(self.count)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Waits until all of them have ended."""
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        ledger = Ledger(self.folder / f"{self.run}-{number}.ledger")
        try:
            with dimse.connect(HOST, self.port, calling=f"SENDER-{number}", contexts=[CONTEXT]) as association:
                for made in self.work(number):
                    ledger.sending(made)
                    ledger.answered(made, association.store(made.source))
        except dimse.AssociationError:
            return  # the archive is gone
        except Exception as error:
            self.trouble.append(f"sender {number}: {type(error).__name__}: {error}")
