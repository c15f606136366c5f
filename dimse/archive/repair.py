"""What an archive does before it opens: it mends what a crash, a power cut or a hand has left, and tells what it did.

Always: files that were being written are removed, a replacement that was not finished is undone, and an index that is missing, damaged
or of an older version is made anew from the files. After an end without `close`, or of a run that flushed nothing (`running` is there),
also: files without a row are looked through and taken in, those that are not whole are set aside in `quarantine`, and rows without a
file are counted.

Each step leads from one sound state to another, and `running` stays until the archive is closed: a repair that is cut off is simply
done again. An index is made under another name and renamed when it is whole. No step holds more than one transaction's rows in
memory; the names of files and rows are compared in a database of its own that SQLite keeps outside of memory.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import fields
from pathlib import Path
from typing import Final

from dimse.archive.attributes import Level
from dimse.archive.examine import examine
from dimse.archive.files import Files
from dimse.archive.index import MISSING, Header, Index, Instance, Search, Writing, condition
from dimse.archive.layout import REPLACED, Layout, files_below, lock, name_of, set_aside
from dimse.errors import DataError, UsageError
from pdu.values import dataclass

ASKED_FOR: Final = "as was asked for"
AT_ONCE: Final = 256
"""Files that are taken in with one transaction."""


@dataclass(slots=True)
class Repair:
    """What was done at start, in files. False if nothing was, and nothing is amiss.

    swept        removed: they were being written, and nobody was told that they are stored
    restored     replacements that were undone
    adopted      whole files that had no row
    moved        of them those that lay elsewhere, as older versions had it
    quarantined  files that are not whole, and are set aside
    missing      instances in the index whose file is not there
    unreadable   files that cannot be read, and stay where they are
    rebuilt      why the index was made anew; "" if it was not
    """

    swept: int = 0
    restored: int = 0
    adopted: int = 0
    moved: int = 0
    quarantined: int = 0
    missing: int = 0
    unreadable: int = 0
    rebuilt: str = ""

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        done = [
            (self.rebuilt, f"the index was made anew from {_files_word(self.adopted)} ({self.rebuilt})"),
            (self.swept, f"{_files_word(self.swept)} removed that had not been written to the end"),
            (self.restored, f"{_files_word(self.restored)} put back whose replacement had not been finished"),
            (self.adopted and not self.rebuilt, f"{_files_word(self.adopted)} taken in that the index had lost"),
            (self.moved, f"{_files_word(self.moved)} moved to where this version keeps them"),
            (self.quarantined, f"{_files_word(self.quarantined)} not whole, now in quarantine"),
            (self.missing, f"{_files_word(self.missing)} missing that the index knows"),
            (self.unreadable, f"{_files_word(self.unreadable)} that cannot be read"),
        ]
        return "; ".join(words for happened, words in done if happened) or "nothing to repair"


def reindex(
    folder: Path | str,
    *,
    files: Files = Files(),  # noqa: B008 - it has no state
    progress: Callable[[int, int], object] | None = None,
) -> Repair:
    """Makes the index of an archive anew from its files, and tells what was done: `adopted` are the instances it has now.

    The old one stays until the new one is whole, and also after that where it is no good. What only the index knew is gone then:
    which instances have no file any more. `progress` is told how many files are done, of how many. Raises `UsageError` if the folder
    is none of an archive, or of one that is open.
    """
    layout = Layout.of(Path(folder))
    layout.check()
    fd = lock(layout.folder)
    try:
        layout.make(files)
        repairing = Repairing(layout, files, durable=True, progress=progress)
        repairing.start_anew().close()
        files.unlink(layout.running)
        return repairing.repair
    finally:
        os.close(fd)


class Repairing:
    """One start of an archive, whose lock the caller holds. `repair` tells what was done so far."""

    def __init__(self, layout: Layout, files: Files, *, durable: bool, progress: Callable[[int, int], object] | None = None) -> None:
        self.repair = Repair()
        self._layout = layout
        self._new = f"{layout.index}.new"
        self._files = files
        self._durable = durable
        self._progress = progress or (lambda done, total: None)

    def start(self) -> Index:
        """Mends what there is to mend, and opens the index."""
        unclean = not self._mark()
        replaced = self._sweep()
        why = condition(Path(self._layout.index))
        if why:
            self._rebuild(why)
            self._set_index_aside()
            self._put_index()
        return self._open(replaced, reconcile=unclean and not why)

    def start_anew(self) -> Index:
        """The same, with an index made anew in any case; one that is no good is kept beside it."""
        self._mark()
        replaced = self._sweep()
        why = condition(Path(self._layout.index))
        self._rebuild(why or ASKED_FOR)
        if why:
            self._set_index_aside()
        self._put_index()
        return self._open(replaced, reconcile=False)

    def _open(self, replaced: list[str], *, reconcile: bool) -> Index:
        index = Index(Path(self._layout.index), durable=self._durable)
        try:
            for name in replaced:
                self._settle(index, name)
            if reconcile:
                self._reconcile(index)
        except BaseException:
            index.close()
            raise
        return index

    def _mark(self) -> bool:
        """Says that this archive is open; whether nothing said so before."""
        try:
            self._files.close(self._files.create(self._layout.running))
        except FileExistsError:
            first = False
        else:
            first = True
        self._files.flush_folder(str(self._layout.folder))
        return first

    def _sweep(self) -> list[str]:
        """Removes what was being written; the names of instances that were being replaced."""
        replaced = []
        for entry in list(files_below(self._layout.temporary)):
            if entry.name.endswith(REPLACED):
                replaced.append(entry.name.removesuffix(REPLACED))
            else:
                self._files.unlink(entry.path)
                self.repair.swept += 1
        return replaced

    def _settle(self, index: Index, name: str) -> None:
        """Undoes the replacement of an instance, unless its row was committed: then the row is that of the file in its place."""
        old, place = f"{self._layout.temporary}/{name}{REPLACED}", self._layout.place_of(name)
        try:
            instance, header = examine(old)
        except DataError:
            self._set_aside(old)
            return
        uid = instance.sop_instance_uid
        with index.writing() as writing:
            known = writing.known(uid)
            if known is not None and known.digest == _digest_of(place):
                self._files.unlink(old)
                return
            self._files.replace(old, place)
            self._files.flush_folder(os.path.dirname(place))  # noqa: PTH120 - strings, see `layout`
            writing.remove(uid)
            writing.add(instance, header)
            self.repair.restored += 1

    def _rebuild(self, why: str) -> None:
        """Makes a new index from the files, in the order in which they came."""
        new = self._new
        for ending in _ENDINGS:
            with suppress(FileNotFoundError):
                self._files.unlink(new + ending)
        with closing(Index(Path(new))) as index, closing(_Names(self._layout)) as names:
            names.add_files()
            self._adopt(index, names, flush=False)
        if Path(f"{new}-wal").exists():
            raise UsageError(f"the new index {new} could not be written to its end", advice="see to the disk, and start again")
        self._flush(new)
        if self.repair.adopted or why != MISSING:
            self.repair.rebuilt = why

    def _put_index(self) -> None:
        """Gives the new index its name. A log that the old one left would be taken for the new one's."""
        index = self._layout.index
        for ending in _ENDINGS[1:]:
            with suppress(FileNotFoundError):
                self._files.unlink(index + ending)
        self._files.replace(self._new, index)
        self._files.flush_folder(str(self._layout.folder))

    def _set_index_aside(self) -> None:
        """Moves the index away, with its log."""
        index = self._layout.index
        number = 1
        while any(os.path.lexists(f"{index}.bad-{number}{ending}") for ending in _ENDINGS):
            number += 1
        for ending in reversed(_ENDINGS):
            with suppress(FileNotFoundError):
                self._files.replace(index + ending, f"{index}.bad-{number}{ending}")

    def _flush(self, path: str) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._files.flush(fd)
        finally:
            os.close(fd)

    def _reconcile(self, index: Index) -> None:
        """Takes in the files that have no row, and counts the rows that have no file."""
        with closing(_Names(self._layout)) as names:
            names.add_files()
            names.add_rows(index)
            self.repair.missing = names.missing()
            self._adopt(index, names, flush=self._durable)

    def _adopt(self, index: Index, names: _Names, *, flush: bool) -> None:
        """Takes in all files that have no row, or another length than it says."""
        total, done, named = names.orphans(), 0, set[str]()
        for batch in names.batches():
            moved: list[tuple[str, str]] = []
            if self._durable:  # a process that was killed had them linked, and perhaps no more: a row must not outlast its file
                folders = {os.path.dirname(path) for path, _ in batch} - named  # noqa: PTH120
                for folder in folders:
                    self._files.flush_folder(folder)
                named |= folders
            with index.writing() as writing:
                for path, has_row in batch:
                    if (found := self._examined(path)) is not None:
                        self._take_in(writing, path, *found, moved, flush=flush)
                    else:
                        self.repair.missing += has_row
            for folder in {os.path.dirname(place) for _, place in moved}:  # noqa: PTH120
                self._files.flush_folder(folder)
            for path, _ in moved:
                self._files.unlink(path)
                with suppress(OSError):
                    self._files.remove_folder(os.path.dirname(path))  # noqa: PTH120 - goes only if it is empty
            done += len(batch)
            self._progress(done, total)

    def _examined(self, path: str) -> tuple[Instance, Header] | None:
        """What a row would say of a file; None for one that is not whole, and is set aside, or that cannot be read, and stays."""
        try:
            return examine(path)
        except DataError:
            self._set_aside(path)
        except OSError as error:
            if error.errno == errno.ELOOP:  # a link
                self._set_aside(path)
            elif error.errno in (errno.EIO, errno.EACCES, errno.EPERM):
                self.repair.unreadable += 1
            else:
                raise
        return None

    def _take_in(
        self, writing: Writing, path: str, instance: Instance, header: Header, moved: list[tuple[str, str]], *, flush: bool
    ) -> None:
        """Gives one file its row, and its place if it lies elsewhere."""
        if flush:
            self._flush(path)
        uid = instance.sop_instance_uid
        known, place = writing.known(uid), self._layout.place(uid)
        if path != place:
            if not self._link(path, place):
                return
            moved.append((path, place))
            self.repair.moved += 1
            self.repair.missing -= known is not None
        writing.remove(uid)
        writing.add(instance, header)
        self.repair.adopted += 1

    def _link(self, path: str, place: str) -> bool:
        """Gives a file its place too, unless another one has it, which then decides; this one is set aside."""
        try:
            self._files.link(path, place)
        except FileExistsError:
            if os.path.samefile(path, place):  # noqa: PTH121 - cut off between the two names
                self._files.unlink(path)
            else:
                self._set_aside(path)
            return False
        return True

    def _set_aside(self, path: str) -> None:
        set_aside(self._files, path, self._layout.quarantine)
        self.repair.quarantined += 1


class _Names:
    """The files and the rows of an archive by name, in a database without one, which SQLite has on disk as far as it is large."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._connection = sqlite3.connect("", isolation_level=None)
        for statement in _TABLES:
            self._connection.execute(statement)

    def add_files(self) -> None:
        """All files below `objects`."""
        self._connection.executemany("INSERT INTO file VALUES (?, ?, ?, ?)", map(self._file, files_below(self._layout.objects)))

    def add_rows(self, index: Index) -> None:
        """All instances of the index."""
        rows = index.search(Search(Level.IMAGE, ("SOPInstanceUID", "offset + size")))
        self._connection.executemany("INSERT OR IGNORE INTO row VALUES (?, ?)", ((bytes.fromhex(name_of(str(uid))), n) for uid, n in rows))

    def missing(self) -> int:
        """How many rows have no file."""
        return self._count("row WHERE name NOT IN (SELECT name FROM file WHERE name IS NOT NULL)")

    def orphans(self) -> int:
        """How many files have no row, or another length than it says."""
        return self._count(_ORPHANS)

    def batches(self) -> Iterator[list[tuple[str, bool]]]:
        """Their paths, in the order in which they came, and whether there is a row."""
        rows = self._connection.execute(f"SELECT file.name, path, row.name IS NOT NULL FROM {_ORPHANS} ORDER BY time, file.name")
        while some := rows.fetchmany(AT_ONCE):
            yield [(os.fsdecode(path) if path else self._layout.place_of(name.hex()), bool(has_row)) for name, path, has_row in some]

    def close(self) -> None:
        """Forgets them."""
        self._connection.close()

    def _file(self, entry: os.DirEntry[str]) -> tuple[bytes | None, bytes, int, int]:
        """Name, path if it lies elsewhere than its name says, length, and time of the last writing."""
        found = entry.stat(follow_symlinks=False)
        stem = entry.name.removesuffix(".dcm")
        if _NAME.fullmatch(stem) and entry.path == self._layout.place_of(stem):
            return bytes.fromhex(stem), b"", found.st_size, found.st_mtime_ns
        return None, os.fsencode(entry.path), found.st_size, found.st_mtime_ns

    def _count(self, what: str) -> int:
        return int(self._connection.execute(f"SELECT COUNT(*) FROM {what}").fetchone()[0])


_TABLES: Final = (
    "PRAGMA journal_mode=OFF",
    "PRAGMA cache_size=-65536",  # KiB
    "CREATE TABLE file (name BLOB, path BLOB NOT NULL, length INTEGER NOT NULL, time INTEGER NOT NULL)",
    "CREATE INDEX file_by_name ON file (name)",
    "CREATE TABLE row (name BLOB PRIMARY KEY, length INTEGER NOT NULL) WITHOUT ROWID",
)
_ORPHANS: Final = "file LEFT JOIN row ON row.name = file.name WHERE row.name IS NULL OR row.length <> file.length"
_NAME: Final = re.compile("[0-9a-f]{64}")
_ENDINGS: Final = ("", "-wal", "-shm")


def _digest_of(path: str) -> bytes:
    """The digest of the instance in a file; empty if there is no whole one."""
    try:
        return examine(path)[0].digest
    except (OSError, DataError):
        return b""


def _files_word(number: int) -> str:
    return f"{number:,} file" + ("" if number == 1 else "s")
