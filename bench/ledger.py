"""What senders sent and what they were promised, and whether an archive keeps the promise: the oracle of the crash tests.

A sender writes into its ledger what it begins to send, and what was answered 0000H once that answer is there. Nothing else decides
what an archive must have: neither its index nor its files. Each instance is made of its UID and a variant, so what was sent is known
again without being kept.
"""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from math import log2
from pathlib import Path
from zlib import crc32

import dimse
from dimse.archive import Archive
from dimse.archive.files import Files
from dimse.data.commands import CommandField, CommandSet
from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian, PatientRootFind, StudyRootFind, StudyRootMove
from dimse.judge.wire import ROOT, element, uid_value

HOST = "127.0.0.1"
CONTEXT = dimse.Context(CTImageStorage, (ImplicitVRLittleEndian,))
SHORTEST, LONGEST = 1024, 1_500_000
"""Bytes of pixel data. Lengths are spread evenly over the powers of two: some fit into the archive's memory, some do not."""
STUDIES, PATIENTS, SERIES = 6, 3, 3
"""However many instances there are, so many studies and patients, and series in each study."""
DUPLICATE = 0x0111
ORACLE = "ORACLE"
"""Where the archive is to send what is to be seen of it; a destination of C-MOVE."""
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
    def read(cls, folder: Path) -> Records:
        """The ledgers of a folder."""
        records = cls()
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


# Looking


class Destination:
    """A provider that the archive sends to by C-MOVE: notes the digest of whatever comes."""

    def __init__(self) -> None:
        self.came: list[tuple[str, bytes]] = []
        self._server = dimse.Server(ORACLE, dimse.Services(store=self._store))
        _, self.port = self._server.listen(HOST, 0)

    def _store(self, request: dimse.Request, data_set: dimse.DataSet) -> None:
        self.came.append((request.command.affected_sop_instance_uid or "", sha256(data_set.encoded).digest()))

    def __enter__(self) -> Destination:
        self._server.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.stop(0.0)


@contextmanager
def destination() -> Iterator[Destination]:
    """A destination for the time of a block."""
    with Destination() as running:
        yield running


@dataclass
class Seen:
    """What an archive shows to whoever asks: the identifiers of each level, and the data sets of its instances."""

    patients: Counter[str]
    studies: Counter[str]
    series: Counter[str]
    instances: Counter[str]
    digests: dict[str, bytes]
    trouble: list[str]


def see(port: int, oracle: Destination) -> Seen:
    """Asks at every level for everything (PS3.4 C.4.1), and has all of it sent (C.4.2)."""
    oracle.came.clear()
    trouble: list[str] = []
    with dimse.connect(HOST, port, contexts=[PatientRootFind, StudyRootFind, StudyRootMove]) as archive:
        levels = _levels(lambda model, query: archive.find(query, model))
        for study in levels[1]:
            result = archive.move(dimse.query("STUDY", StudyInstanceUID=study), to=ORACLE, model=StudyRootMove)
            if result.status != 0:
                trouble.append(f"{study}: retrieved with {result.status}")
    return _seen(levels, oracle.came, trouble)


def see_inside(services: dimse.Services) -> Seen:
    """The same of an archive in this process, without a network."""

    def find(model: dimse.UID, query: dimse.DataSet) -> Iterator[dimse.DataSet]:
        assert services.find is not None
        for match in services.find(_request(model, query)):
            if match is not None:
                yield match[1] if isinstance(match, tuple) else match

    levels, came, trouble = _levels(find), list[tuple[str, bytes]](), list[str]()
    assert services.move is not None
    for study in levels[1]:
        for source in services.move(_request(StudyRootMove, dimse.query("STUDY", StudyInstanceUID=study))):
            try:
                came.append((source.sop_instance_uid, _digest_of(source)))
            except (OSError, dimse.DataError) as error:
                trouble.append(f"{source.sop_instance_uid}: cannot be read: {error}")
    return _seen(levels, came, trouble)


def _levels(find: Callable[[dimse.UID, dimse.DataSet], Iterable[dimse.DataSet]]) -> tuple[list[str], ...]:
    """The unique keys that are found at each level."""

    def names(level: str, unique: str, model: dimse.UID = StudyRootFind, /, **above: str) -> list[str]:
        return [str(match[unique]) for match in find(model, dimse.query(level, **above, **{unique: ""}))]

    patients = names("PATIENT", "PatientID", PatientRootFind)
    studies = names("STUDY", "StudyInstanceUID")
    series = [(study, one) for study in studies for one in names("SERIES", "SeriesInstanceUID", StudyInstanceUID=study)]
    images = [uid for study, one in series for uid in names("IMAGE", "SOPInstanceUID", StudyInstanceUID=study, SeriesInstanceUID=one)]
    return patients, studies, [one for _, one in series], images


def _seen(levels: tuple[list[str], ...], came: list[tuple[str, bytes]], trouble: list[str]) -> Seen:
    if len(came) != len(levels[-1]):
        trouble.append(f"{len(levels[-1])} instances are found and {len(came)} were sent")
    patients, studies, series, images = map(Counter, levels)
    return Seen(patients, studies, series, images, dict(came), trouble)


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


def _request(model: dimse.UID, query: dimse.DataSet) -> dimse.Request:
    command = CommandSet(CommandField.C_FIND_RQ, message_id=1, priority=0, command_data_set_type=0, affected_sop_class_uid=model)
    return dimse.Request(PEER, command, dimse.AcceptedContext(1, model, query.transfer_syntax), query)


def _digest_of(source: dimse.Source) -> bytes:
    """SHA-256 of a data set as it would be sent."""
    whole = bytearray(source.size)
    with source.open() as reading:
        done = 0
        while count := reading.readv([memoryview(whole)[done:]]):
            done += count
    return sha256(whole[:done]).digest()


def judge(records: Records, seen: Seen) -> list[str]:
    """What is wrong with what an archive shows, given the ledgers."""
    wrong = [*seen.trouble, *records.broken(seen.digests)]
    made = [Made(uid) for uid in seen.digests]
    expected: tuple[tuple[str, Iterable[str], Counter[str]], ...] = (
        ("PATIENT", {each.patient_id for each in made}, seen.patients),
        ("STUDY", {each.study_uid for each in made}, seen.studies),
        ("SERIES", {each.series_uid for each in made}, seen.series),
        ("IMAGE", set(seen.digests), seen.instances),
    )
    wrong += [f"{level}: {_difference(Counter(names), found)}" for level, names, found in expected if Counter(names) != found]
    return wrong


def _difference(expected: Counter[str], found: Counter[str]) -> str:
    return f"missing {sorted((expected - found).elements())[:3]}, too many {sorted((found - expected).elements())[:3]}"


def leftovers(folder: Path, instances: int) -> list[str]:
    """What lies in the folder of an open archive and should not: temporary files, and files of instances that nobody can see."""
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in files if path.parts[0] == "objects" and path.suffix == ".dcm" and len(path.parts) == 3]
    wrong = [f"{path} is left over" for path in files if path not in kept and not path.name.startswith(("index.db", "running"))]
    if len(kept) != instances:
        wrong.append(f"{len(kept)} files of {instances} instances")
    return [each for each in wrong if not each.startswith("quarantine/")]


def state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Which files of instances there are, and which they are: unchanged when nothing is repaired."""
    found = ((path, path.stat()) for top in ("objects", "tmp") for path in (folder / top).rglob("*"))
    return {str(path): (stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in found if path.is_file()}


class Hasty(Files):
    """Flushes nothing: what is only looked at need not outlive anything."""

    def flush(self, fd: int) -> None:
        pass

    def flush_folder(self, path: str) -> None:
        pass


def look(folder: Path, records: Records) -> list[str]:
    """Opens an archive as after a crash, and says what is wrong with it; then opens it once more, which is to repair nothing."""

    def opened() -> Archive:
        return Archive(folder, durability="relaxed", reserve=0, files=Hasty())

    with opened() as archive:
        seen = see_inside(archive.services())
        wrong = judge(records, seen) + leftovers(folder, len(seen.digests))
        if archive.repair.missing:
            wrong.append(f"{archive.repair.missing} rows without a file")
    before = state(folder)
    with opened() as archive:
        if archive.repair:
            wrong.append(f"opened once more: {archive.repair}")
        if archive.counts()[-1] != len(seen.digests):
            wrong.append("opened once more: another number of instances")
    if state(folder) != before:
        wrong.append("opened once more: other files")
    return wrong
