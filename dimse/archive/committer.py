"""The group commit: whole files get their places and their rows, many rows at a time where many come at a time.

A caller whose file is flushed links it to its place and flushes the folder, in its own thread, so that the disk does many of these at
once. Then it queues for its row, and if nobody leads it leads: it takes what is queued and commits one transaction for all of it. What
comes meanwhile queues; when the leader is done, the first in the queue leads, and the others wait on. So a lone sender commits at once
and alone, and of N senders about N share what one commit costs. There is no thread of its own and no time that is waited.

The file comes before the row: what a row names is there. If the commit fails the places are taken back, and what nobody could take
back was never acknowledged; `repair` finds it at the next start. Two that bring the same instance come one after the other.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from dimse.archive.files import Files
from dimse.archive.index import Header, Index, Instance, Known, Writing
from dimse.archive.layout import REPLACED, Layout, name_of
from pdu.values import dataclass, field

MOST: Final = 64
"""Instances that one transaction takes: an instance waits for at most one such batch before its own."""


class Outcome(Enum):
    """What became of a file that was to be kept."""

    KEPT = "it has its place and its row"
    SAME = "the archive has this very data set already"
    OTHER = "the archive has another data set under this UID"
    NO_ROOM = "it would exceed the quota"
    TAKEN = "its place has a file without a row"


@dataclass(slots=True)
class Ready:
    """A file that is whole and flushed, and what its row will say. `replaces`: also where the archive has this instance already."""

    path: str
    instance: Instance
    header: Header
    replaces: bool = False
    has_place: bool = False
    known: Known | None = None
    """What the archive has of this instance already, once it was looked for."""
    outcome: Outcome | None = None
    error: Exception | None = None
    turn: threading.Lock | None = None
    """Held by the queue until this one is done, or is to lead."""

    def begin(self) -> None:
        """Nobody has led it yet, or it comes again."""
        self.outcome = self.error = None

    @property
    def length(self) -> int:
        """Bytes of the file."""
        return self.instance.offset + self.instance.size

    @property
    def is_done(self) -> bool:
        """Whether somebody has led it to its end."""
        return self.outcome is not None or self.error is not None


@dataclass(slots=True)
class Committer:
    """Gives files their places and rows.

    `has_room` tells whether so many bytes may be kept, in files that have a row. `spare` takes away what has a place and no row, and
    keeps it; `remove` takes away a name that is of no use any more. `untidy` is set once the next start has something to look after:
    what could not be taken back, or what nobody has flushed.
    """

    layout: Layout
    index: Index
    files: Files
    durable: bool
    has_room: Callable[[int], bool]
    spare: Callable[[str], object]
    remove: Callable[[str], object]
    untidy: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _queue: list[Ready] = field(default_factory=list)
    _led: bool = False
    _claimed: set[str] = field(default_factory=set)
    _free: threading.Condition = field(default_factory=threading.Condition)

    def commit(self, ready: Ready) -> Outcome:
        """Keeps a file, and returns when that has come to its end. Raises `OSError` or `sqlite3.Error`, and then it is not kept."""
        name = name_of(ready.instance.sop_instance_uid)
        with self._free:
            while name in self._claimed:
                self._free.wait()
            self._claimed.add(name)
        try:
            outcome = self._keep(ready, name)
            if outcome is Outcome.TAKEN:  # nobody was told that it is there
                self.spare(self.layout.place_of(name))
                outcome = self._keep(ready, name)
            return outcome
        finally:
            with self._free:
                self._claimed.discard(name)
                self._free.notify_all()

    def _keep(self, ready: Ready, name: str) -> Outcome:
        """Gives a file its place and its row, or neither."""
        place = self._give_place(ready, name)
        try:
            if place is not None and self.durable:
                self.files.flush_folder(place.folder)
            outcome = self._add(ready)
        except BaseException:
            self._take_back(place)
            raise
        if outcome is not Outcome.KEPT:
            self._take_back(place)
        elif place is not None and place.old:
            self.remove(place.old)
        return outcome

    def _give_place(self, ready: Ready, name: str) -> _Place | None:
        """Links a file to its place, or puts it in place of the one that is there, if it is to replace that; None if it is not."""
        place = self.layout.place_of(name)
        ready.has_place = True
        try:
            self.files.link(ready.path, place)
        except FileExistsError:
            if ready.replaces:
                return self._replace(ready.path, place, f"{self.layout.temporary}/{name}{REPLACED}")
            ready.has_place = False
            return None
        return _Place(place)

    def _add(self, ready: Ready) -> Outcome:
        """Has the row added by whoever leads."""
        ready.begin()
        with self._lock:
            self._queue.append(ready)
            ready.turn = turn = threading.Lock() if self._led else None
            if turn is not None:
                turn.acquire()
            self._led = True
        if turn is not None:
            turn.acquire()
        if not ready.is_done:
            self._lead()
        if ready.error is not None:
            raise ready.error
        assert ready.outcome is not None
        return ready.outcome

    def _lead(self) -> None:
        """Leads what is queued, and hands the lead on to the first that came meanwhile."""
        with self._lock:
            batch = self._queue[:MOST]
            del self._queue[:MOST]
        try:
            self._add_all(batch)
        finally:
            with self._lock:
                self._led = bool(self._queue)
                wake = [*self._queue[:1], *batch[1:]]
            for each in wake:
                if each.turn is not None:
                    each.turn.release()

    def _add_all(self, batch: list[Ready]) -> None:
        """Adds the rows of a batch, each for itself where one of several has something of its own that fails."""
        try:
            with self.index.writing() as writing:
                outcomes = [self._row_of(writing, ready) for ready in batch]
        except Exception as error:
            if len(batch) > 1 and isinstance(error, _OF_ONE):
                for each in batch:
                    self._add_all([each])
            else:
                _fail(batch, error)
        except BaseException:  # the one that leads is to end; the others are no part of that
            _fail(batch[1:], InterruptedError(errno.EINTR, "interrupted"))
            raise
        else:
            self.untidy |= not self.durable and Outcome.KEPT in outcomes
            for ready, outcome in zip(batch, outcomes, strict=True):
                ready.outcome = outcome

    def _row_of(self, writing: Writing, ready: Ready) -> Outcome:
        """The row of one instance, if it is to have one."""
        uid = ready.instance.sop_instance_uid
        ready.known = known = writing.known(uid)
        if known is not None and not ready.replaces:
            return Outcome.SAME if known.digest == ready.instance.digest else Outcome.OTHER
        if not ready.has_place:
            return Outcome.TAKEN
        if not self.has_room(writing.total + ready.length - (known.length if known is not None else 0)):
            return Outcome.NO_ROOM
        if known is not None:
            writing.remove(uid)
        writing.add(ready.instance, ready.header)
        return Outcome.KEPT

    def _replace(self, path: str, place: str, old: str) -> _Place:
        """Puts a file in place of another, which keeps a second name until the row is committed: whoever finds it puts it back."""
        self.files.link(place, old)
        try:
            if self.durable:
                self.files.flush_folder(self.layout.temporary)
            self.files.replace(path, place)
        except OSError:
            self.remove(old)
            raise
        return _Place(place, old)

    def _take_back(self, place: _Place | None) -> None:
        """Has a place as it was."""
        if place is None:
            return
        try:
            if place.old:
                self.files.replace(place.old, place.path)
            else:
                self.files.unlink(place.path)
        except OSError:
            self.untidy = True


class _Place(NamedTuple):
    """A place that was given, and the name of the file that had it before, if any."""

    path: str
    old: str = ""

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


_OF_ONE: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError, ValueError, OverflowError)
"""What the values of one instance can be to blame for; all else is the disk or the index as a whole."""


def _fail(batch: list[Ready], error: Exception) -> None:
    for each in batch:
        each.outcome, each.error = None, error
