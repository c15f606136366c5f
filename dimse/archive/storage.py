"""The files and the index of one archive: opened and repaired, instances kept in it, closed.

The rooms: `layout` names what lies where, `sink` takes one data set in, `committer` gives it its place and its row, `duplicates`
judges what came under a UID before, `repair` mends at start what a crash has left.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Literal, get_args

from dimse.archive.committer import Committer, Outcome, Ready
from dimse.archive.duplicates import same_content
from dimse.archive.files import Files
from dimse.archive.index import Header, Index, Instance
from dimse.archive.layout import Heads, Layout, length_below, lock, name_of, set_aside
from dimse.archive.repair import Repair, Repairing
from dimse.archive.sink import InstanceSink, TemporaryFile
from dimse.archive.stored import is_whole
from dimse.data.status import (
    DUPLICATE_INSTANCE,
    INVALID_INSTANCE,
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
)
from dimse.data.uids import UID
from dimse.errors import Refused
from dimse.services.handlers import Request
from dimse.services.sinks import check_space

Durability = Literal["full", "relaxed"]
"""`full`: 0000H is answered when the instance would survive a power cut. `relaxed`: flushing is left to the operating system."""
Duplicates = Literal["refuse", "replace"]
"""Other bytes under a UID that the archive has: answered 0111H, and the first ones stay; or taken in place of the first ones."""


class Storage:
    """The files of one archive, below a folder that it makes if there is none.

    `quota` are the bytes that its files may have, those in quarantine included (None: any number); `reserve` those that stay free on
    its file system (see `check_space`). `progress` is told of a long repair: what is done, of how much. Holds a lock on the folder
    until `close`: raises `UsageError` if another process, or another archive of this one, has it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durability: Durability = "full",
        duplicates: Duplicates = "refuse",
        quota: int | None = None,
        reserve: int | None = None,
        files: Files = Files(),  # noqa: B008 - it has no state
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        _check_choice("durability", durability, get_args(Durability))
        _check_choice("duplicates", duplicates, get_args(Duplicates))
        self.folder = folder
        self.files = files
        self.layout = layout = Layout.of(folder)
        self._durable = durability == "full"
        self._replaces = duplicates == "replace"
        self._quota = quota
        self._reserve = reserve
        self._names = count()
        self._counting = threading.Lock()
        self._comparing = threading.Lock()
        """Held while two data sets are compared, which has both of them in memory."""
        self._heads = Heads()
        self._useless: list[str] = []
        layout.make(files)
        self._lock = lock(folder)
        try:
            repairing = Repairing(layout, files, durable=self._durable, progress=progress)
            self.index: Index = repairing.start()
            self.repair: Repair = repairing.repair
            self._quarantined = length_below(layout.quarantine)
        except BaseException:
            os.close(self._lock)
            raise
        self._committer = Committer(layout, self.index, files, self._durable, self._has_room, self._spare, self.remove)
        self._committer.untidy = self.repair.unreadable > 0

    def open_sink(self, request: Request) -> InstanceSink:
        """Where the data set of a C-STORE request goes. Refuses what need not be waited for (PS3.7 9.1.1.1)."""
        sop_class, uid = UID(request.command.affected_sop_class_uid or ""), UID(request.command.affected_sop_instance_uid or "")
        if not uid.is_valid:
            raise Refused(INVALID_INSTANCE, "the SOP Instance UID is no valid UID", (0x0000_1000,))
        if sop_class != request.context.abstract_syntax:
            raise Refused(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of the presentation context", (0x0000_0002,))
        self.check_quota(1)
        check_space(self.folder, self._reserve)
        head = self._heads.head_of(sop_class, uid, request.context.transfer_syntax, request.peer.calling)
        return InstanceSink(self, sop_class, uid, request.context.transfer_syntax, head)

    def create(self) -> TemporaryFile:
        """A new empty file to write an instance to."""
        if self._useless:
            useless, self._useless = self._useless, []
            for each in useless:
                self.remove(each)
        path = f"{self.layout.temporary}/{next(self._names)}.part"
        return TemporaryFile(self.files.create(path), path, self.files)

    def keep(self, file: TemporaryFile, instance: Instance, header: Header) -> int:
        """Takes a completely written file into the archive, and returns the status to answer.

        The same instance again is stored once, and in place of the first where that is no longer whole. Raises `OSError` or
        `sqlite3.Error`.
        """
        file.finish(durable=self._durable)
        ready = Ready(file.path, instance, header)
        outcome = self._committer.commit(ready)
        if outcome is Outcome.SAME and not self._is_there(ready):
            outcome = self._commit_in_place(ready)
        elif outcome is Outcome.OTHER:
            outcome = self._judge(ready)
        if outcome is Outcome.NO_ROOM:
            raise Refused(OUT_OF_RESOURCES, _FULL)
        return DUPLICATE_INSTANCE if outcome is Outcome.OTHER else SUCCESS

    def check_quota(self, length: int) -> None:
        """Refuses a file of so many bytes where they would exceed the quota."""
        if not self._has_room(self.index.total + length):
            raise Refused(OUT_OF_RESOURCES, _FULL)

    def remove(self, path: str) -> None:
        """Takes the name of a file away that is of no use any more; if that fails, when the next one is made."""
        try:
            self.files.unlink(path)
        except FileNotFoundError:
            pass
        except OSError:
            self._useless.append(path)

    def path_of(self, sop_instance_uid: str) -> Path:
        """Where the file of an instance is, or would be."""
        return Path(self.layout.place(sop_instance_uid))

    def close(self) -> None:
        """Closes the index and gives the folder free; a second time does nothing."""
        self.index.close()
        if self._lock >= 0:
            if not self._committer.untidy:  # else the next start has something to look after
                with suppress(OSError):
                    self.files.unlink(self.layout.running)
            os.close(self._lock)
            self._lock = -1

    def _is_there(self, ready: Ready) -> bool:
        """Whether the file of the instance that was there before is what it was."""
        known = ready.known
        return known is not None and is_whole(self.layout.place(ready.instance.sop_instance_uid), known.offset, known.size, known.digest)

    def _judge(self, ready: Ready) -> Outcome:
        """What becomes of another data set under a UID that the archive has."""
        uid = ready.instance.sop_instance_uid
        with self._comparing:
            is_same = same_content(Path(ready.path), self.path_of(uid))
        if is_same:
            return Outcome.SAME
        if self._replaces:
            return self._commit_in_place(ready)
        self._set_apart(ready)
        return Outcome.OTHER

    def _commit_in_place(self, ready: Ready) -> Outcome:
        return self._committer.commit(Ready(ready.path, ready.instance, ready.header, replaces=True))

    def _set_apart(self, ready: Ready) -> None:
        """Keeps a file that is refused in quarantine, if there is room for it: the same one is there once, however often it comes."""
        if not self._has_room(self.index.total + ready.length):
            return
        name = f"{name_of(ready.instance.sop_instance_uid)}-{ready.instance.digest.hex()}.dcm"
        with suppress(OSError):  # its sender is told that it was not taken, whatever becomes of it here
            self.files.link(ready.path, f"{self.layout.quarantine}/{name}")
            self._count(ready.length)
            if self._durable:
                self.files.flush_folder(self.layout.quarantine)

    def _spare(self, place: str) -> None:
        """Moves a file without a row into quarantine."""
        length = os.stat(place, follow_symlinks=False).st_size  # noqa: PTH116
        set_aside(self.files, place, self.layout.quarantine)
        self._count(length)

    def _count(self, quarantined: int) -> None:
        with self._counting:
            self._quarantined += quarantined

    def _has_room(self, length: int) -> bool:
        """Whether the files of all rows may have so many bytes."""
        return self._quota is None or length + self._quarantined <= self._quota


_FULL = "the archive has as many bytes as it may have"


def _check_choice(name: str, given: str, choices: tuple[str, ...]) -> None:
    if given not in choices:
        raise ValueError(f"{name} is {' or '.join(map(repr, choices))}, not {given!r}")
