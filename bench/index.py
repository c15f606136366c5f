"""The archive at 10,000 and at 1,000,000 instances: how fast it takes instances in, and how soon a first match comes.

    python -m bench.index --readme

Made-up patients with two studies of ten series of five instances each. The index is filled by itself, without files; what is
measured then goes through the handlers of C-FIND and C-STORE, with files, without a network. Prints a Markdown table; exit code 1
if a bound that the README promises is not kept.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from pydicom.datadict import dictionary_VR

from bench.readme import README, made_by, replaced
from dimse.archive import Archive
from dimse.archive.index import Header, Index, Instance
from dimse.association.negotiation import AcceptedContext
from dimse.data.commands import CommandField, CommandSet
from dimse.data.datasets import query
from dimse.data.elements import encode_element
from dimse.data.uids import UID, CTImageStorage, ExplicitVRLittleEndian, PatientRootFind, StudyRootFind
from dimse.services.handlers import Peer, Request, Services

SMALL, LARGE = 10_000, 1_000_000
PER_SERIES, SERIES, STUDIES = 5, 10, 2
PER_STUDY, PER_PATIENT = PER_SERIES * SERIES, PER_SERIES * SERIES * STUDIES
BATCH = 32
"""Instances of one transaction: what a group commit of busy senders comes to."""
MEASURED = 10_000
"""Instances whose rate is measured: the first ones, and the last ones."""
STORED = 2000
"""Instances that are stored with their files."""
ROUNDS = 200
"""Times that each query is asked, each time for another patient or study."""
WARM = 20
"""Times that it is asked before."""
FASTEST_FIRST, SLOWER, STORES = 5.0, 2.0, 0.8
"""What is promised: milliseconds to the first match, how much slower the large index may be, and its part of the store rate."""
FIRST_NAMES = ("Ann", "Bob", "Cem", "Dana", "Eva", "Finn", "Gul", "Hugo", "Ines", "Jan", "Kim", "Lea", "Max", "Nora", "Olga", "Paul")
PEER = Peer("BENCH", "ARCHIVE", "127.0.0.1:104")


def uid(*path: object) -> str:
    """A UID in no order at all, as those are that come from many devices: derived of a number (PS3.5 B.2)."""
    return f"2.25.{int.from_bytes(sha256(repr(path).encode()).digest()[:16], 'big')}"


def name(patient: int) -> str:
    """Family names of four letters in no order, so that a prefix finds as many as there are patients to each."""
    digits = random.Random(patient).randrange(26**4)
    family = "".join(chr(65 + digits // 26**place % 26) for place in (3, 2, 1, 0))
    return f"{family}^{FIRST_NAMES[patient % len(FIRST_NAMES)]}"


def patient_id(patient: int) -> str:
    return f"P{patient:07d}"


def accession_number(study: int) -> str:
    return f"A{sha256(b'%d' % study).hexdigest()[:12].upper()}"


def study_date(study: int) -> str:
    return f"{2000 + study % 25}{1 + study // 25 % 12:02d}{1 + study // 300 % 28:02d}"


def values(number: int) -> dict[int, str]:
    """The values of the instance of that number, in order of their tags."""
    series, study, patient = number // PER_SERIES, number // PER_STUDY, number // PER_PATIENT
    return {
        0x0008_0016: CTImageStorage,
        0x0008_0018: uid("instance", number),
        0x0008_0020: study_date(study),
        0x0008_0023: study_date(study),
        0x0008_0030: f"{study % 24:02d}{study % 60:02d}00",
        0x0008_0033: f"{number % 24:02d}{number % 60:02d}00.{number % 1000:03d}",
        0x0008_0050: accession_number(study),
        0x0008_0060: "CT",
        0x0008_0070: "Nobody",
        0x0008_0080: "Hospital",
        0x0008_0090: "Referring^Doctor",
        0x0008_1030: f"Study {study % 40}",
        0x0008_103E: f"Series {series % 40}",
        0x0010_0010: name(patient),
        0x0010_0020: patient_id(patient),
        0x0010_0030: f"{1930 + patient % 80}0{1 + patient % 9}1{patient % 9}",
        0x0010_0040: "MF"[patient % 2],
        0x0018_0015: "CHEST",
        0x0020_000D: uid("study", study),
        0x0020_000E: uid("series", series),
        0x0020_0010: str(study),
        0x0020_0011: str(series % SERIES + 1),
        0x0020_0013: str(number % PER_SERIES + 1),
    }


def year(date: str) -> str:
    """The range of the year that a date is in."""
    return f"{date[:4]}0101-{date[:4]}1231"


def instance(number: int) -> tuple[Instance, Header]:
    """What the index is told of it."""
    found = values(number)
    own = found[0x0008_0018]
    kept = Instance(CTImageStorage, own, ExplicitVRLittleEndian, 400, 524_288, sha256(own.encode()).digest())
    return kept, Header({tag: value.encode() for tag, value in found.items()})


def data_set(number: int) -> bytes:
    """It as it comes over the network, with 3 KB of pixels."""
    elements = [encode_element(tag, dictionary_VR(tag), value.encode(), ExplicitVRLittleEndian) for tag, value in values(number).items()]
    return b"".join(elements) + encode_element(0x7FE0_0010, "OW", number.to_bytes(4, "big") * 768, ExplicitVRLittleEndian)


def store(services: Services, numbers: Sequence[int]) -> float:
    """Stores instances one after the other, each on the disk before the next comes; returns how many a second."""
    encoded = [(uid("instance", number), data_set(number)) for number in numbers]
    assert services.sink is not None
    before = time.perf_counter()
    for own, data in encoded:
        command = CommandSet(
            CommandField.C_STORE_RQ,
            message_id=1,
            priority=0,
            command_data_set_type=0,
            affected_sop_class_uid=CTImageStorage,
            affected_sop_instance_uid=own,
        )
        sink = services.sink(Request(PEER, command, AcceptedContext(1, CTImageStorage, ExplicitVRLittleEndian)))
        sink.write([memoryview(data)])
        assert not sink.finish()
    return len(encoded) / (time.perf_counter() - before)


def fill(index: Index, numbers: Sequence[int]) -> float:
    """Adds the instances of these numbers; returns how many a second, the making of the values not counted."""
    spent = 0.0
    for start in range(0, len(numbers), BATCH):
        batch = [instance(number) for number in numbers[start : start + BATCH]]
        before = time.perf_counter()
        with index.writing() as writing:
            for kept, header in batch:
                writing.add(kept, header)
        spent += time.perf_counter() - before
    return len(numbers) / spent if spent else 0.0


@dataclass(frozen=True)
class Asked:
    """A kind of query: its name in the table, the model and level, and its keys for one number of an instance."""

    name: str
    model: UID
    level: str
    keys: Callable[[int], dict[str, str]]


QUERIES = (
    Asked("Patient ID", PatientRootFind, "PATIENT", lambda n: {"PatientID": patient_id(n // PER_PATIENT), "PatientName": ""}),
    Asked("name, prefix of four letters and `*`", PatientRootFind, "PATIENT", lambda n: {"PatientName": f"{name(n // PER_PATIENT)[:4]}*"}),
    Asked(
        "name, prefix of two letters and `*`, studies",
        StudyRootFind,
        "STUDY",
        lambda n: {"PatientName": f"{name(n // PER_PATIENT)[:2].lower()}*"},
    ),
    Asked("Accession Number", StudyRootFind, "STUDY", lambda n: {"AccessionNumber": accession_number(n // PER_STUDY)}),
    Asked("Study Date, one day", StudyRootFind, "STUDY", lambda n: {"StudyDate": study_date(n // PER_STUDY)}),
    Asked("Study Date, a year", StudyRootFind, "STUDY", lambda n: {"StudyDate": year(study_date(n // PER_STUDY))}),
    Asked("Study Instance UID", StudyRootFind, "STUDY", lambda n: {"StudyInstanceUID": uid("study", n // PER_STUDY)}),
    Asked(
        "Series Instance UID",
        StudyRootFind,
        "SERIES",
        lambda n: {"StudyInstanceUID": uid("study", n // PER_STUDY), "SeriesInstanceUID": uid("series", n // PER_SERIES)},
    ),
    Asked(
        "SOP Instance UID",
        StudyRootFind,
        "IMAGE",
        lambda n: {
            "StudyInstanceUID": uid("study", n // PER_STUDY),
            "SeriesInstanceUID": uid("series", n // PER_SERIES),
            "SOPInstanceUID": uid("instance", n),
        },
    ),
    Asked("all studies", StudyRootFind, "STUDY", lambda n: {"PatientName": "*"}),
)


def first_match(services: Services, asked: Asked, number: int) -> float:
    """Milliseconds from the request to its first match."""
    identifier = query(asked.level, **{"PatientName": "", "StudyInstanceUID": "", **asked.keys(number)})
    command = CommandSet(CommandField.C_FIND_RQ, message_id=1, priority=0, command_data_set_type=0, affected_sop_class_uid=asked.model)
    request = Request(PEER, command, AcceptedContext(1, asked.model, ExplicitVRLittleEndian), identifier)
    assert services.find is not None
    before = time.perf_counter()
    matches = iter(services.find(request))
    found = next((match for match in matches if match is not None), None)
    spent = time.perf_counter() - before
    assert found is not None, f"{asked.name} finds nothing for instance {number}"
    return spent * 1000


@dataclass(frozen=True)
class State:
    """What was measured at one size of the index."""

    instances: int
    rate: float
    """Instances a second that the index took in at that size."""
    stored: float
    """Instances a second that the archive stored at that size, durably, for one sender."""
    medians: dict[str, float]
    """Milliseconds to the first match, by kind of query."""
    memory: float
    """MB that the process has resident."""
    size: float
    """MB of the index on disk."""
    start: float
    """Seconds until an archive with this index is open."""


def memory() -> float:
    """MB that this process has resident, pages of mapped files not counted (Linux)."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024


def measure(folder: Path, instances: int, rate: float, rounds: int) -> State:
    before = time.perf_counter()
    with Archive(folder, reserve=0) as archive:
        start = time.perf_counter() - before
        services, chance = archive.services(), random.Random(instances)
        medians = {}
        for asked in QUERIES:
            numbers = [chance.randrange(instances) for _ in range(rounds)]
            for number in numbers[:WARM]:
                first_match(services, asked, number)
            medians[asked.name] = statistics.median(first_match(services, asked, number) for number in numbers)
        size = sum(path.stat().st_size for path in folder.glob("index.db*")) / 1e6
        stored = store(services, range(instances, instances + min(STORED, instances)))
        return State(instances, rate, stored, medians, memory(), size, start)


def states(folder: Path, small: int, large: int, rounds: int) -> Iterator[State]:
    """Fills an index up to the two sizes, and measures at each."""
    folder.mkdir(parents=True, exist_ok=True)
    measured, path = min(MEASURED, small), folder / "index.db"
    order = list(range(small))
    yield measure(folder, small, _filled(path, order, first=measured), rounds)
    begin = small + min(STORED, small)  # which were stored
    yield measure(folder, large, _filled(path, range(begin, large), last=measured), rounds)


def _filled(path: Path, numbers: Sequence[int], *, first: int = 0, last: int = 0) -> float:
    """Fills the index, and returns the rate of the first, or the last ones."""
    index = Index(path, durable=True)
    try:
        if first:
            rate = fill(index, numbers[:first])
            fill(index, numbers[first:])
        else:
            fill(index, numbers[:-last])
            rate = fill(index, numbers[-last:])
        return rate
    finally:
        index.close()


def table(small: State, large: State) -> str:
    rows = [f"| | {small.instances:,} instances | {large.instances:,} | ratio |", "|---|---|---|---|"]
    for kind, value in small.medians.items():
        rows.append(f"| first match by {kind} | {value:.2f} ms | {large.medians[kind]:.2f} ms | {large.medians[kind] / value:.2f} |")
    rates = {
        "instances stored in a second, durably, one sender": (small.stored, large.stored),
        f"instances that the index alone takes in a second, {BATCH} a commit": (small.rate, large.rate),
    }
    rows += [f"| {what} | {one:,.0f} | {other:,.0f} | {other / one:.2f} |" for what, (one, other) in rates.items()]
    rows.append(f"| memory of the process | {small.memory:.0f} MB | {large.memory:.0f} MB | {large.memory / small.memory:.2f} |")
    rows.append(f"| index on disk | {small.size:.0f} MB | {large.size:,.0f} MB | |")
    rows.append(f"| opening the archive | {small.start:.2f} s | {large.start:.2f} s | |")
    return "\n".join(rows)


def broken(small: State, large: State) -> list[str]:
    """The promises that are not kept."""
    found = [f"first match by {kind} takes {value:.2f} ms" for kind, value in large.medians.items() if value > FASTEST_FIRST]
    slower = {kind: value / small.medians[kind] for kind, value in large.medians.items()}
    found += [f"first match by {kind} is {times:.2f} times slower" for kind, times in slower.items() if times > SLOWER]
    if large.stored < STORES * small.stored:
        found.append(f"the store rate falls to {large.stored / small.stored:.0%}")
    return found


def _command(args: argparse.Namespace) -> str:
    sizes = "".join(
        f" --{name} {given}" for name, given, usual in (("small", args.small, SMALL), ("large", args.large, LARGE)) if given != usual
    )
    return f"python -m bench.index{sizes} --readme"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.index", description="Fills and measures the index of the archive.")
    parser.add_argument("--small", type=int, default=SMALL, metavar="N", help=f"instances of the small index ({SMALL})")
    parser.add_argument("--large", type=int, default=LARGE, metavar="N", help=f"instances of the large one ({LARGE})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"times that each query is asked ({ROUNDS})")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="a new folder for the archive, which stays (a temporary one)")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON instead of a table")
    parser.add_argument("--readme", nargs="?", const=README, metavar="FILE", type=Path, help="replace the table in the README")
    args = parser.parse_args(words)
    if not args.small >= PER_PATIENT or not 2 * args.small < args.large or args.rounds < 1:
        parser.error(f"the small index has {PER_PATIENT} instances or more, the large one more than twice as many")
    if args.folder and (args.folder / "index.db").exists():
        parser.error(f"{args.folder} has an index already")
    if args.readme:
        try:
            replaced(args.readme.read_text(encoding="utf-8"), "index", "")
        except (OSError, ValueError) as error:
            parser.error(str(error))
    with tempfile.TemporaryDirectory(prefix="dimse-index-") as temporary:
        small, large = states(args.folder or Path(temporary), args.small, args.large, args.rounds)
    made = table(small, large)
    print(json.dumps([asdict(small), asdict(large)], indent=1) if args.json else made)
    if args.readme:
        text = args.readme.read_text(encoding="utf-8")
        args.readme.write_text(replaced(text, "index", f"{made_by(_command(args))}:\n\n{made}"), encoding="utf-8")
    for words_of_one in (bad := broken(small, large)):
        print(f"bench.index: {words_of_one}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
