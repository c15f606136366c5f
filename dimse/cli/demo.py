"""`dimse demo`: the whole at work in a second or two - two nodes, files sent, found, moved, and compared byte for byte."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dimse
from dimse.archive import Archive
from dimse.association.events import Trace
from dimse.cli.arguments import Parser
from dimse.cli.failures import DONE, FAILED, Failure
from dimse.cli.output import Output, clean, in_bytes, in_seconds, place, plural
from dimse.cli.parsing import Arguments
from dimse.cli.tables import Table, cells, heading
from dimse.data.elements import pick
from dimse.errors import DataError, DimseError
from dimse.services.handlers import Address
from pdu.values import dataclass

HOST = "127.0.0.1"
FIRST, SECOND = "NODE-A", "NODE-B"
KEYS = (0x0010_0010, 0x0008_0020, 0x0008_0061, 0x0020_1208, 0x0020_000D)
"""Patient's Name, Study Date, Modalities in Study, Number of Study Related Instances, Study Instance UID."""
ROWS = 5
"""Studies that are shown: those with the most instances."""
SOP_CLASS, SOP_INSTANCE, STUDY, SERIES = 0x0008_0016, 0x0008_0018, 0x0020_000D, 0x0020_000E
TRIES = """\
Next, in two terminals:
  dimse serve --port 4242 --data images
  dimse send 127.0.0.1 4242 FOLDER; dimse find 127.0.0.1 4242"""


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser(
        "demo",
        "Starts two nodes on free ports of this machine, in a temporary folder; sends one the sample files that\n"
        "come with pydicom, queries it, has it move a study to the other, and compares what arrived byte for byte.",
    )
    command.add_json()
    command.add_trace()
    return command


def run(args: Arguments, out: Output) -> int:
    """Runs the demonstration; fails if any step did."""
    start = time.perf_counter()
    out.line("Two DICOM nodes on this machine, in a temporary folder that goes away again.\n")
    try:
        with _nodes(args.tracer) as (first, second):
            good = _Demo(first, second, out).run()
    except DimseError as error:
        raise Failure(FAILED, f"the demonstration failed: {error}") from error
    took = in_seconds(time.perf_counter() - start)
    out.line(f"\nAll of it worked, in {took}. {TRIES}" if good else f"\nSomething went wrong, see above ({took}).")
    out.result({"step": "demo", "ok": good, "seconds": round(time.perf_counter() - start, 6)})
    return DONE if good else FAILED


@dataclass(frozen=True, slots=True)
class Node:
    """A node that runs: its archive, and where it listens."""

    archive: Archive
    address: Address
    trace: Trace | None = None

    def connect(self, *contexts: dimse.Context | str) -> dimse.Association:
        """An association with it."""
        host, port = self.address.host, self.address.port
        return dimse.connect(host, port, called=self.address.aet, calling="DEMO", contexts=contexts, trace=self.trace)

    def __str__(self) -> str:
        return self.address.aet


@contextmanager
def _nodes(trace: Trace | None) -> Iterator[tuple[Node, Node]]:
    """Two nodes, of which the first knows the second as a peer."""
    with _sigterm_interrupts(), tempfile.TemporaryDirectory(prefix="dimse-demo-") as folder, ExitStack() as stack:
        second = _start(stack, Path(folder), SECOND, {}, trace)
        yield _start(stack, Path(folder), FIRST, {SECOND: second.address}, trace), second


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Has SIGTERM do what Ctrl-C does, for the time of a block: the temporary folder is to go away then, too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _start(stack: ExitStack, folder: Path, aet: str, peers: dict[str, Address], trace: Trace | None) -> Node:
    archive = stack.enter_context(Archive(folder / aet))
    server = dimse.Server(aet, archive.services(peers, aet=aet), trace=trace)
    host, port = server.listen(HOST, 0)
    server.start()
    stack.callback(server.stop, 1.0)
    return Node(archive, Address(aet, host, port), trace)


class _Demo:
    """The steps, each of which prints a line and tells whether it went well."""

    def __init__(self, first: Node, second: Node, out: Output) -> None:
        self.first = first
        self.second = second
        self.sources = sample_files()
        self._out = out

    def run(self) -> bool:
        """All steps in order; ends with the first that fails."""
        nodes = (self.first, self.second)
        self._step("start", ", ".join(f"{node} listens at {place(node.address.host, node.address.port)}" for node in nodes))
        if not (self._echo() and self._send()):
            return False
        study = self._find()
        return self._move(study) and self._check(study)

    def _echo(self) -> bool:
        answers = []
        for node in (self.first, self.second):
            with node.connect(dimse.Verification) as association:
                answers.append((node, association.echo()))
        words = ", ".join(f"{node} answers {status}" for node, status in answers)
        return self._step("echo", words, ok=all(status.ok for _, status in answers))

    def _send(self) -> bool:
        start = time.perf_counter()
        with self.first.connect(*dimse.contexts_for(self.sources)) as association:
            failed = [(s.path.name, status) for s, status in association.store_all(self.sources) if not status.ok]
        took = time.perf_counter() - start
        kinds = len({s.sop_class_uid for s in self.sources})
        syntaxes = len({s.transfer_syntax for s in self.sources})
        sent = f"{plural(len(self.sources), 'file')}, {in_bytes(sum(s.size for s in self.sources))}"
        words = f"{sent}, of {kinds} kinds in {syntaxes} transfer syntaxes, to {self.first} in {in_seconds(took)}"
        for name, status in failed:
            self._out.error(f"{name}: {status}")
        return self._step("send", f"{words}, {len(failed)} refused", ok=not failed and bool(self.sources))

    def _find(self) -> str:
        """Queries all studies, and gives the one with the most instances, which is in the table."""
        query = dimse.query("STUDY", **{heading(tag): "" for tag in KEYS})
        with self.first.connect(dimse.StudyRootFind) as association:
            matches = sorted(association.find(query), key=lambda m: int(m["NumberOfStudyRelatedInstances"]), reverse=True)
        self._step("find", f"{self.first} has {plural(len(matches), 'study')}; the largest:")
        table = Table(("Patient", "Date", "Kind", "Instances", "Study"), lambda line: self._out.line(f"           {line}"))
        for match in matches[:ROWS]:
            table.row(cells(match, KEYS))
        table.flush()
        return str(matches[0]["StudyInstanceUID"])

    def _move(self, study: str) -> bool:
        with self.first.connect(dimse.StudyRootMove) as association:
            result = association.move(dimse.query("STUDY", StudyInstanceUID=study), to=SECOND)
        counts = f"{plural(result.completed, 'instance')} sent, {result.failed} failed"
        words = f"the first of them from {self.first} to {self.second}: {counts}, {clean(result.status)}"
        return self._step("move", words, ok=result.status.ok and not result.failed and result.completed > 0)

    def _check(self, study: str) -> bool:
        moved = [source for source in self.sources if _study_of(source) == study]
        good = all(_same(source, self.first.archive) for source in self.sources)
        good = good and all(_same(source, self.second.archive) for source in moved)
        good = good and self.second.archive.counts()[3] == len(moved) > 0
        words = f"{len(self.sources)} data sets in {self.first} and {len(moved)} in {self.second}"
        return self._step("compare", f"{words} {'equal' if good else 'DO NOT equal'} what was sent, byte for byte", ok=good)

    def _step(self, name: str, words: str, *, ok: bool = True) -> bool:
        self._out.line(f"  {name:8} {words}")
        self._out.result({"step": name, "words": words, "ok": ok})
        return ok


def sample_files() -> Sequence[dimse.FileSource]:
    """The files in pydicom's wheel that are instances in good order, each instance once."""
    found: dict[str, dimse.FileSource] = {}
    for path in dimse.find_files([_samples_folder()]):
        try:
            source = dimse.FileSource(path)
            head = pick(source_bytes(source), source.transfer_syntax, {SOP_CLASS, SOP_INSTANCE, STUDY, SERIES})
        except DataError:
            continue  # many of them are broken on purpose
        names = (head.get(SOP_CLASS), head.get(SOP_INSTANCE))
        if [_text(name) for name in names] == [source.sop_class_uid, source.sop_instance_uid] and head.get(STUDY) and head.get(SERIES):
            found.setdefault(source.sop_instance_uid, source)
    return [source for source in found.values() if source.size % 2 == 0]


def source_bytes(source: dimse.FileSource) -> bytes:
    """The data set as it lies in the file."""
    return source.path.read_bytes()[source.offset :]


def _samples_folder() -> Path:
    """Found without importing pydicom, whose own functions would look for more on the net."""
    from importlib.util import find_spec

    spec = find_spec("pydicom")
    origin = spec.origin if spec else None
    if origin is None:
        raise Failure(FAILED, "pydicom is not installed")
    return Path(origin).parent / "data" / "test_files"


def _study_of(source: dimse.FileSource) -> str:
    return _text(pick(source_bytes(source), source.transfer_syntax, {STUDY}).get(STUDY))


def _text(value: bytes | None) -> str:
    return (value or b"").decode("latin-1").strip(" \0")


def _same(source: dimse.FileSource, archive: Archive) -> bool:
    """Whether the archive's file has the very bytes of the data set that was sent."""
    kept = dimse.FileSource(archive.path_of(source.sop_instance_uid))
    return source_bytes(kept) == source_bytes(source) and kept.transfer_syntax == source.transfer_syntax
