"""The group commit: whole files get their places and their rows, many at a time where many come at a time.

Nobody waits for company. A caller whose file is flushed queues it, and if nobody leads it leads: it takes what is queued, links each
file to its place, flushes each folder once, and commits one transaction for all of them. What comes meanwhile queues; when the
leader is done, the first in the queue leads, and the others wait on. So a lone sender commits at once and alone, and of N senders
about N share what one commit costs. There is no thread of its own and no time that is waited.

The file comes before the row: what a row names is there. If the commit fails the places are taken back, and what nobody could take
back was never acknowledged; `repair` finds it at the next start.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from dimse.archive.files import Files
from dimse.archive.index import Header, Index, Instance, Known, Writing
from dimse.archive.layout import REPLACED, Layout, name_of

MOST: Final = 64
"""Instances that one transaction takes: an instance waits for at most one such batch before its own."""


class Outcome(Enum):
    """What became of a file that was to be kept."""

    KEPT = "it has its place and its row"
    SAME = "the archive has this very data set already"
    OTHER = "the archive has another data set under this UID"
    NO_ROOM = "it would exceed the quota"


@dataclass(slots=True)
class Ready:
    """A file that is whole and flushed, and what its row will say. `replaces`: also where the archive has this instance already."""

    path: str
    instance: Instance
    header: Header
    replaces: bool = False
    known: Known | None = None
    """What the archive has of this instance already, once it was looked for."""
    outcome: Outcome | None = None
    error: Exception | None = None
    turn: threading.Lock | None = None
    """Held by the queue until this one is done, or is to lead."""

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

    def commit(self, ready: Ready) -> Outcome:
        """Keeps a file, and returns when that has come to its end. Raises `OSError` or `sqlite3.Error`, and then it is not kept."""
        with self._lock:
            self._queue.append(ready)
            if self._led:
                ready.turn = threading.Lock()
                ready.turn.acquire()
            self._led = True
        if ready.turn is not None:
            ready.turn.acquire()
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
            self._keep(batch)
        finally:
            with self._lock:
                self._led = bool(self._queue)
                wake = [*self._queue[:1], *batch[1:]]
            for each in wake:
                if each.turn is not None:
                    each.turn.release()

    def _keep(self, batch: list[Ready]) -> None:
        """Keeps a batch, each for itself where one of several has something of its own that fails."""
        try:
            self._try(batch)
        except Exception as error:
            if len(batch) > 1 and isinstance(error, _OF_ONE):
                for each in batch:
                    self._keep([each])
            else:
                _fail(batch, error)
        except BaseException:  # the one that leads is to end; the others are no part of that
            _fail(batch[1:], InterruptedError(errno.EINTR, "interrupted"))
            raise

    def _try(self, batch: list[Ready]) -> None:
        """One transaction. Whatever fails but a single file takes back all."""
        places: list[_Place] = []
        outcomes = []
        try:
            with self.index.writing() as writing:
                for ready in batch:
                    ready.error = None
                    outcomes.append(self._add(writing, ready, places))
                if self.durable:
                    for folder in {place.folder for place in places}:
                        self.files.flush_folder(folder)
        except BaseException:
            self._take_back(places)
            raise
        self.untidy |= bool(places) and not self.durable
        for ready, outcome in zip(batch, outcomes, strict=True):
            ready.outcome = outcome
        for place in places:
            if place.old:
                self.remove(place.old)

    def _add(self, writing: Writing, ready: Ready, places: list[_Place]) -> Outcome | None:
        """One instance: its place, and its row. None where the disk has failed it, and it alone."""
        uid = ready.instance.sop_instance_uid
        ready.known = known = writing.known(uid)
        if known is not None and not ready.replaces:
            return Outcome.SAME if known.digest == ready.instance.digest else Outcome.OTHER
        if not self.has_room(writing.total + ready.length - (known.length if known is not None else 0)):
            return Outcome.NO_ROOM
        try:
            places.append(self._give_place(ready.path, uid, is_known=known is not None))
        except OSError as error:
            ready.error = error
            return None
        if known is not None:
            writing.remove(uid)
        writing.add(ready.instance, ready.header)
        return Outcome.KEPT

    def _give_place(self, path: str, sop_instance_uid: str, *, is_known: bool) -> _Place:
        """Links a file to its place, or puts it in place of the one that is there."""
        name = name_of(sop_instance_uid)
        place = self.layout.place_of(name)
        try:
            self.files.link(path, place)
        except FileExistsError:
            if is_known:
                return self._replace(path, place, f"{self.layout.temporary}/{name}{REPLACED}")
            self.spare(place)  # it has no row: nobody was told that it is here
            self.files.link(path, place)
        return _Place(place)

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

    def _take_back(self, places: list[_Place]) -> None:
        """Has the places as they were."""
        for place in reversed(places):
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
