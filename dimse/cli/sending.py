"""How `dimse send` sends: files shared out over associations, and what became of each told once."""

from __future__ import annotations

import time
from _thread import RLock  # threading has the same one, and only several associations at once need more of it
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from dimse.blocking import Association, interrupt
from dimse.cli.failures import BROKEN, NO_ASSOCIATION, Failure, broken
from dimse.cli.output import Output, clean, in_bytes, in_seconds, plural
from dimse.cli.peer import Target, context_words, release
from dimse.data.sources import FileSource
from dimse.data.status import Status
from dimse.data.uids import UID
from dimse.errors import AssociationError, ProtocolError
from dimse.services import conversion
from dimse.services.plan import Batch, batches
from pdu.typed import TYPE_CHECKING
from pdu.values import dataclass, field, replace

if TYPE_CHECKING:
    from threading import Thread
    from typing import Self

    from dimse.data.protocols import Reading

MAX_FRUITLESS = 3
"""Associations in a row that end before anything was answered on them: then it is not the files, and there is no going on."""
GRACE = 2.0
"""Seconds for the associations to be aborted in, all at once: longer than one waits for its peer to close (`Timeouts.linger`)."""


def send_all(target: Target, sources: Sequence[FileSource], most: int, tally: Tally, count: Callable[[int], object]) -> None:
    """Sends what one association can carry, then the rest: over one association at a time, or over up to `most` that share the files.

    `count` is told, in any thread, of the bytes that are read. Raises `Failure` if no association comes to be, or if what is left
    cannot be sent (see `_Sender.send`).
    """
    for batch in batches([_Counted(source, count) for source in sources]):
        work = _Work(target, batch, tally)
        first = _Sender(work)
        association = first.connect()
        try:
            _tell_refused(association, batch, tally.out)
        except BaseException:
            association.abort()
            raise
        if most == 1:
            first.send(association)
        else:
            most -= _send_together(work, first, association, min(most, len(batch.sources)))


def _send_together(work: _Work, first: _Sender, association: Association, count: int) -> int:
    """Sends a batch over an association and up to `count - 1` others. How many of them the peer did not take.

    All are in threads of their own: this one waits, and an interruption finds it nowhere else.
    """
    from threading import Semaphore, Thread

    ended = Semaphore(0)

    def life(sender: _Sender, association: Association | None) -> None:
        sender.run(association)
        ended.release()

    given = [(first, association), *((_Sender(work), None) for _ in range(count - 1))]
    threads = [Thread(target=life, args=args, name="dimse send", daemon=True) for args in given]
    try:
        started = sum(_start(thread, work) for thread in threads)
        while started and work.error is None:
            ended.acquire()
            started -= 1
    except BaseException as error:
        work.stop(error)
    if work.error is not None:
        _await_end(work.senders, threads)
        raise work.error
    if len(work.failures) == count:
        association.abort()  # there was no thread for it, or it has ended
        raise work.failures[-1]
    if work.waiting:  # what others gave back when the rest had gone already
        first.send(first.connect())
    return work.refusals


def _start(thread: Thread, work: _Work) -> bool:
    """Starts a thread, if the system has one left."""
    try:
        thread.start()
    except RuntimeError as error:
        work.give_up(Failure(NO_ASSOCIATION, f"no thread for an association: {error}"))
        return False
    return True


def _await_end(senders: Sequence[_Sender], threads: Sequence[Thread]) -> None:
    """Gives stopped senders the time to abort. Whoever only asks for an association by then has nothing to abort, and is left behind."""
    end = time.monotonic() + GRACE
    for sender, thread in zip(senders, threads, strict=True):
        if sender.association is not None and thread.ident is not None:
            thread.join(max(0.0, end - time.monotonic()))


class _Work:
    """The files of a batch that wait, and the senders that take them from there."""

    def __init__(self, target: Target, batch: Batch[_Counted], tally: Tally) -> None:
        self.target = target
        self.batch = batch
        self.tally = tally
        self.waiting = deque(batch.sources)
        self.senders: list[_Sender] = []
        self.failures: list[Failure] = []
        """Those for which senders gave up."""
        self.finished = 0
        """How many senders found none left to send."""
        self.error: BaseException | None = None
        """What ends all of it: an interruption, output that cannot be written."""
        self._lock = RLock()

    @property
    def refusals(self) -> int:
        """How many senders gave up for want of an association."""
        return sum(failure.code == NO_ASSOCIATION for failure in self.failures)

    def finish(self) -> None:
        """A sender has found none left to send."""
        with self._lock:
            self.finished += 1

    def give_up(self, failure: Failure) -> None:
        """A sender gives up. That is a remark, unless all did so; that no further association comes to be is said once."""
        with self._lock:
            self.failures.append(failure)
            is_told = failure.code == NO_ASSOCIATION and self.refusals > 1
            if len(self.failures) < len(self.senders) and not is_told:
                others = len(self.failures) + self.finished < len(self.senders)
                self.tally.out.error(f"{failure}; the other associations go on" if others else str(failure))

    def stop(self, error: BaseException) -> None:
        """Ends all of it: senders take no more files, and every association is aborted."""
        with self._lock:
            self.error = self.error or error
        for sender in self.senders:
            sender.interrupt()


class _Sender:
    """Sends files of a batch over an association, and over another one if that ends early."""

    def __init__(self, work: _Work) -> None:
        self.association: Association | None = None
        self._work = work
        self._tally = work.tally
        self._target = work.target
        self._own = deque[_Counted]()
        """What was taken from those that wait and is to be sent by this one."""
        self._taken: dict[int, _Counted] = {}
        """What the association took and has not told the outcome of, in this order."""
        self._answered = False
        work.senders.append(self)

    def connect(self) -> Association:
        """Opens an association. Raises `Failure` (no association)."""
        self.association = association = self._target.connect(self._work.batch.contexts, self._tally.out)
        self._tally.associate()
        return association

    def send(self, association: Association) -> None:
        """Sends until none waits. If the association ends early, the file under way has failed and the rest goes over another one.

        If several were under way, nobody knows at which it ended: they go again with the rest, one after the other. Raises `Failure` if
        no association comes to be, if there is no rest, or if several in a row end without any answer.
        """
        while (failure := self._send_over(association)) is not None and self._work.error is None:
            several = association.operations != 1 and len(self._taken) > 1
            self._own.extendleft(reversed(self._taken.values()))
            self._taken.clear()
            if several:
                self._target = replace(self._target, operations=1)
                self._tally.out.error(f"{failure}; going on, one file after the other")
            else:
                self._lose(failure)
            association = self.connect()

    def run(self, association: Association | None = None) -> None:
        """As `send`, beside others, who are told of what it raises and get back what it leaves. Opens an association if it has none."""
        try:
            self.send(self.connect() if association is None else association)
        except BaseException as error:
            self._work.waiting.extendleft(reversed(self._own))
            self._own.clear()
            if isinstance(error, Failure) and error.code in (NO_ASSOCIATION, BROKEN):
                self._work.give_up(error)
            else:
                self._work.stop(error)
        else:
            self._work.finish()

    def interrupt(self) -> None:
        """From another thread: the association waits for the peer no longer, and is aborted."""
        if self.association is not None:
            interrupt(self.association)

    def __iter__(self) -> Iterator[_Counted]:
        """What waits, as the association has room for it, and one more that is made ready."""
        own, waiting = self._own, self._work.waiting
        while (own or waiting) and self._work.error is None:
            try:
                source = (own or waiting).popleft()
            except IndexError:  # somebody else took the last
                return
            self._taken[id(source)] = source
            yield source

    def _send_over(self, association: Association) -> Failure | None:
        """Sends until none waits; how the association ended, if it ended early."""
        self._answered = False
        try:
            for source, status in association.store_all(self):
                del self._taken[id(source)]
                self._answered = True
                self._tally.answer(source.file, status)
        except (AssociationError, ProtocolError) as error:
            association.abort()
            return broken(str(self._target), error)
        except BaseException:
            association.abort()
            raise
        if self._work.error is None:
            release(association, self._tally.out)
        else:
            association.abort()
        return None

    def _lose(self, failure: Failure) -> None:
        """The file under way is lost. Raises the failure if there is no rest, or if there is no going on."""
        if self._own:
            self._tally.lose(self._own.popleft().file, fruitless=not self._answered)
        if self._tally.fruitless >= MAX_FRUITLESS or not (self._own or self._work.waiting):
            raise failure
        self._tally.out.error(f"{failure}; going on with the next file")


@dataclass
class Tally:
    """What became of the files so far. May be told of it from any thread."""

    out: Output
    sent: int = 0
    failed: int = 0
    skipped: int = 0
    lost: int = 0
    """Those of the failed that an association ended on."""
    waiting: int = 0
    bytes: int = 0
    associations: int = 0
    fruitless: int = 0
    """Associations in a row that ended before anything was answered on them."""
    _lock: RLock = field(default_factory=RLock)

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

    def associate(self) -> None:
        """An association has come to be."""
        with self._lock:
            self.associations += 1

    def answer(self, source: FileSource, status: Status) -> None:
        """A file's status, the peer's or one of this side that never asked the peer."""
        with self._lock:
            self.waiting -= 1
            self.sent += status.ok
            self.failed += not status.ok
            self.bytes += source.size if status.ok else 0
            self.fruitless = 0
            self._tell(source, status)

    def lose(self, source: FileSource, *, fruitless: bool) -> None:
        """A file that was under way when the association ended: the peer may have taken it or not.

        `fruitless`: nothing was answered on that association.
        """
        why = "the association ended before an answer came"
        with self._lock:
            self.waiting -= 1
            self.failed += 1
            self.lost += 1
            self.fruitless += fruitless
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

    def _tell(self, source: FileSource, status: Status) -> None:
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
