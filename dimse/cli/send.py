"""`dimse send`: C-STORE of files and folders (PS3.4 Annex B)."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from dimse.blocking import Association
from dimse.cli.arguments import Parser, window
from dimse.cli.failures import BROKEN, DONE, FAILED, INTERRUPTED, USAGE, Failure, broken, os_words
from dimse.cli.output import Output, clean, in_bytes, in_seconds, plural
from dimse.cli.peer import Target, context_words, release
from dimse.cli.progress import Progress
from dimse.data.sources import FileSource, file_names
from dimse.data.status import Status
from dimse.data.uids import UID
from dimse.errors import AssociationError, DataError, ProtocolError
from dimse.services import conversion
from dimse.services.plan import Batch, batches
from pdu.typed import TYPE_CHECKING
from pdu.values import dataclass, replace

if TYPE_CHECKING:
    from typing import Self

    from dimse.data.protocols import Reading


MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
"""A DICOMDIR: a table of contents and no instance (PS3.10 8.6)."""
OPERATIONS = 64
"""Files under way at once that a peer is asked for. Most grant one."""
MAX_FRUITLESS = 3
"""Associations in a row that end before anything was answered on them: then it is not the files, and there is no going on."""


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("send", "Sends files, and all files below folders (C-STORE). What is not DICOM is named and skipped.")
    command.add_peer()
    command.add_argument("paths", metavar="PATH", nargs="+", help="files and folders")
    command.add_argument(
        "--operations",
        metavar="N",
        type=window,
        default=OPERATIONS,
        help=f"files under way at once, as far as the peer grants it (asynchronous operations window; {OPERATIONS}; 0: no limit)",
    )
    command.add_json()
    for option, words in (("+sd", "--scan-directories"), ("+r", "--recurse")):
        command.add_argument(option, words, action="store_true", help="as with dcmsend; folders are always searched, with all below them")
    return command


def run(args: argparse.Namespace, out: Output) -> int:
    """Reads all heads, then sends, over as many associations as the presentation contexts need."""
    if "" in args.paths:
        raise Failure(USAGE, "a PATH is empty: write . if this folder is meant")
    tally = Tally(out)
    sources = _sources(args.paths, tally, out)
    if not sources:
        raise Failure(USAGE, f"nothing to send: {plural(tally.skipped + tally.failed, 'file')} looked at, none that can be sent")
    tally.waiting = len(sources)
    target = replace(Target.of(args, out), operations=args.operations)
    start = time.perf_counter()
    try:
        with Progress(out, f"sending to {target.called}", sum(s.size for s in sources), is_bytes=True) as progress:
            for batch in batches([_Counted(source, progress.advance) for source in sources]):
                _send(target, batch, tally, out)
    except KeyboardInterrupt:
        raise Failure(INTERRUPTED, f"interrupted: {tally.words(time.perf_counter() - start)}") from None
    except Failure as failure:
        if tally.associations == 0:
            raise
        tally.summary(time.perf_counter() - start)
        raise Failure(BROKEN, str(failure)) from failure
    tally.summary(time.perf_counter() - start)
    if tally.lost:
        return BROKEN
    return FAILED if tally.failed else DONE


@dataclass
class Tally:
    """What became of the files so far."""

    out: Output
    sent: int = 0
    failed: int = 0
    skipped: int = 0
    lost: int = 0
    """Those of the failed that an association ended on."""
    waiting: int = 0
    bytes: int = 0
    associations: int = 0

    def skip(self, path: str, why: str, *, asked_for: bool) -> None:
        """A file that is nothing to send; one that was named by itself was meant to be sent."""
        self.skipped += not asked_for
        self.failed += asked_for
        result = "failed" if asked_for else "skipped"
        self.out.note(f"{result}: {clean(path)}: {clean(why)}")
        self.out.result({"result": result, "file": path, "why": why})

    def unreadable(self, error: OSError) -> None:
        """A folder that cannot be looked into."""
        self.skip(str(error.filename), error.strerror or str(error), asked_for=True)

    def answer(self, source: FileSource, status: Status) -> None:
        """A file's status, the peer's or one of this side that never asked the peer."""
        self.waiting -= 1
        self.sent += status.ok
        self.failed += not status.ok
        self.bytes += source.size if status.ok else 0
        if not status.ok:
            self.out.note(f"failed: {clean(source.file)}: {clean(status.comment if status.local else status)}")
        elif status:
            self.out.note(f"warning: {clean(source.file)}: {clean(status)}")
        elif self.out.verbose:
            self.out.note(f"sent: {clean(source.file)}: {status}")
        if not self.out.json:  # thousands of files: no words that nobody is to read
            return
        self.out.result(
            {
                "result": "sent" if status.ok else "failed",
                "file": source.file,
                "sop_instance_uid": str(source.sop_instance_uid),
                "status": f"{status:04X}H",
                "words": status.words,
                "comment": status.comment,
                "asked": not status.local,
                "bytes": source.size,
            }
        )

    def lose(self, source: FileSource) -> None:
        """A file that was under way when the association ended: the peer may have taken it or not."""
        self.waiting -= 1
        self.failed += 1
        self.lost += 1
        why = "the association ended before an answer came"
        self.out.note(f"failed: {clean(source.file)}: {why}")
        self.out.result({"result": "failed", "file": source.file, "sop_instance_uid": str(source.sop_instance_uid), "why": why})

    def words(self, seconds: float) -> str:
        """All of it in one line."""
        rate = f", {in_bytes(self.bytes / seconds)}/s" if self.bytes and seconds > 0 else ""
        waiting = f", {self.waiting} left" if self.waiting else ""
        return (
            f"{self.sent} sent, {self.failed} failed, {self.skipped} skipped{waiting}: "
            f"{in_bytes(self.bytes)} in {in_seconds(seconds)}{rate}"
        )

    def summary(self, seconds: float) -> None:
        """The last line."""
        self.out.line(self.words(seconds))
        counts = {"sent": self.sent, "failed": self.failed, "skipped": self.skipped, "left": self.waiting}
        self.out.result({"result": "summary", **counts, "bytes": self.bytes, "seconds": round(seconds, 6)})


def _sources(paths: Sequence[str], tally: Tally, out: Output) -> list[FileSource]:
    """The heads of all DICOM files. Raises `Failure` for a path that does not exist, before anything is sent."""
    asked_for = frozenset(paths)
    sources = []
    try:
        with Progress(out, "reading heads", None) as progress:
            for path in file_names(paths, unreadable=tally.unreadable):
                progress.advance(1)
                if (source := _source(path, tally, asked_for=path in asked_for)) is not None:
                    sources.append(source)
    except OSError as error:
        raise Failure(USAGE, f"cannot read {os_words(error)}") from error
    return sources


def _source(path: str, tally: Tally, *, asked_for: bool) -> FileSource | None:
    try:
        source = FileSource(path)
    except DataError as error:
        tally.skip(path, error.what.removeprefix(f"{path}: "), asked_for=asked_for)
    except OSError as error:
        tally.skip(path, error.strerror or str(error), asked_for=True)
    else:
        if source.sop_class_uid != MEDIA_STORAGE_DIRECTORY:
            return source
        tally.skip(path, "a DICOMDIR, which is no instance", asked_for=False)
    return None


@dataclass(frozen=True, slots=True)
class _Counted:
    """A file that tells how much of it has been read."""

    file: FileSource
    count: Callable[[int], object]

    @property
    def sop_class_uid(self) -> UID:
        return self.file.sop_class_uid

    @property
    def sop_instance_uid(self) -> UID:
        return self.file.sop_instance_uid

    @property
    def transfer_syntax(self) -> UID:
        return self.file.transfer_syntax

    @property
    def size(self) -> int:
        return self.file.size

    def open(self) -> _CountedReading:
        return _CountedReading(self.file.open(), self.count)


class _CountedReading:
    """One pass over such a file."""

    def __init__(self, reading: Reading, count: Callable[[int], object]) -> None:
        self._reading = reading
        self._count = count

    def readv(self, holes: list[memoryview]) -> int:
        read = self._reading.readv(holes)
        self._count(read)
        return read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._reading.__exit__(kind, error, trace)


def _send(target: Target, batch: Batch[_Counted], tally: Tally, out: Output) -> None:
    """Sends what one association can carry. If that ends early, the file under way has failed and the rest goes over another one.

    If several were under way, nobody knows at which it ended: they go again with the rest, one after the other. Raises `Failure` if
    no association comes to be, if there is no rest, or if several in a row end without any answer.
    """
    waiting = {id(source): source for source in batch.sources}
    fruitless = 0
    while waiting:
        before = len(waiting)
        failure, under_way = _send_waiting(target, batch, waiting, tally, out)
        if failure is None:
            return
        if under_way > 1:
            target = replace(target, operations=1)
            out.error(f"{failure}; going on, one file after the other")
            continue
        fruitless = fruitless + 1 if len(waiting) == before else 0
        if waiting:
            tally.lose(waiting.pop(next(iter(waiting))).file)
        if not waiting or fruitless == MAX_FRUITLESS:
            raise failure
        out.error(f"{failure}; going on with the next file")


def _send_waiting(
    target: Target, batch: Batch[_Counted], waiting: dict[int, _Counted], tally: Tally, out: Output
) -> tuple[Failure | None, int]:
    """Sends what is waiting, which becomes less with each answer, over one association.

    How that ended, if it ended early, and how many files may have been under way then.
    """
    association = target.connect(batch.contexts, out)
    tally.associations += 1
    try:
        if len(waiting) == len(batch.sources):
            _tell_refused(association, batch, out)
        for source, status in association.store_all(list(waiting.values())):
            del waiting[id(source)]
            tally.answer(source.file, status)
    except (AssociationError, ProtocolError) as error:
        association.abort()
        return broken(str(target), error), min(association.operations or len(waiting), len(waiting))
    except BaseException:
        association.abort()
        raise
    release(association, out)
    return None, 0


def _tell_refused(association: Association, batch: Batch[_Counted], out: Output) -> None:
    """Which contexts the peer did not take, why, and what that means."""
    accepted = {(c.abstract_syntax, c.transfer_syntax) for c in association.accepted}
    for refused in association.refused:
        sop_class, syntaxes = refused.context.abstract_syntax, refused.context.transfer_syntaxes
        files = [s for s in batch.sources if s.sop_class_uid == sop_class and s.transfer_syntax in syntaxes]
        out.note(f"refused: {context_words(sop_class, syntaxes)}: {refused.explained}{_consequence(files, accepted)}")


def _consequence(files: Sequence[_Counted], accepted: set[tuple[UID, UID]]) -> str:
    """What becomes of the files that were to go in a refused context."""
    if not files:
        return " (no file needs it)"
    stored = files[0].transfer_syntax
    wanted = conversion.target(stored, {syntax for sop_class, syntax in accepted if sop_class == files[0].sop_class_uid})
    if wanted is not None:
        how = "decompressed" if stored.is_encapsulated else "converted"
        return f" ({plural(len(files), 'file')} will be {how} to {wanted.name})"
    if conversion.needs_codecs(stored):
        return f" ({plural(len(files), 'file')} cannot be sent: {conversion.ADVICE})"
    return f" ({plural(len(files), 'file')} cannot be sent)"
