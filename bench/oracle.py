"""What an archive shows to whoever asks, over the network and inside, and what is wrong with that, given the ledgers of its senders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import dimse
from bench.ledger import HOST, PEER, Made, Records
from dimse.archive import Archive
from dimse.archive.files import Files
from dimse.data.commands import CommandField, CommandSet
from dimse.data.part10 import read_meta
from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian, PatientRootFind, StudyRootFind, StudyRootGet, StudyRootMove

ORACLE = "ORACLE"
"""Where the archive is to send what is to be seen of it; a destination of C-MOVE."""
RETURNED = dimse.Context(CTImageStorage, (ImplicitVRLittleEndian,), scu=False, scp=True)
"""How it comes back by C-GET."""


class Digesting:
    """A sink that keeps nothing of an instance but its digest."""

    def __init__(self, request: dimse.Request, came: list[tuple[str, bytes]]) -> None:
        self._uid = request.command.affected_sop_instance_uid or ""
        self._came = came
        self._digest = sha256()

    def write(self, pieces: Sequence[memoryview]) -> None:
        for piece in pieces:
            self._digest.update(piece)

    def finish(self) -> None:
        self._came.append((self._uid, self._digest.digest()))

    def discard(self) -> None:
        pass


class Destination:
    """Where an archive sends to: notes what comes, and its digest; as a destination of C-MOVE, and as the user of a C-GET."""

    def __init__(self) -> None:
        self.came: list[tuple[str, bytes]] = []
        self._server = dimse.Server(ORACLE, dimse.Services(sink=self.sink))
        _, self.port = self._server.listen(HOST, 0)

    def sink(self, request: dimse.Request) -> Digesting:
        """For one instance."""
        return Digesting(request, self.came)

    def __enter__(self) -> Destination:
        self._server.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.stop(0.0)


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
    """Asks at every level for everything (PS3.4 C.4.1), and has all of it sent, in turn by C-MOVE and by C-GET (C.4.2, C.4.3)."""
    oracle.came.clear()
    trouble: list[str] = []
    with dimse.connect(HOST, port, contexts=[PatientRootFind, StudyRootFind, StudyRootMove, StudyRootGet, RETURNED]) as archive:
        levels = _levels(lambda model, query: archive.find(query, model))
        for number, study in enumerate(levels[1]):
            query = dimse.query("STUDY", StudyInstanceUID=study)
            result = archive.move(query, to=ORACLE) if number % 2 else archive.get(query, oracle.sink)
            if result.status != 0:
                trouble.append(f"{study}: retrieved with {result.status}")
    return _seen(levels, oracle.came, trouble)


def see_inside(services: dimse.Services) -> Seen:
    """The same of an archive in this process, without a network."""

    def find(model: dimse.UID, query: dimse.DataSet) -> Iterator[dimse.DataSet]:
        assert services.find is not None
        for found in services.find(_request(model, query)):
            assert isinstance(found, list)  # an archive tells all that is there at once
            yield from (match[1] if isinstance(match, tuple) else match for match in found)

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


def halves(folder: Path, records: Records, whole: set[Path]) -> list[str]:
    """What another program that looks into the folder would take for an instance, and is none that was sent; `whole` are known to be."""
    wrong = []
    for path in set((folder / "objects").rglob("*.dcm")) - whole:
        file = path.read_bytes()
        try:
            meta, offset = read_meta(file)
        except dimse.DataError as error:
            wrong.append(f"{path}: {error}")
            continue
        if sha256(file[offset:]).digest() not in records.sent.get(meta.media_storage_sop_instance_uid, ()):
            wrong.append(f"{path}: is nothing that was sent")
        whole.add(path)
    return wrong


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
