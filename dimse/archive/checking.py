"""Whether an archive still has what it was given: every file against its row, and every row against its file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal

from dimse.archive.attributes import Level
from dimse.archive.examine import told_digest
from dimse.archive.index import Index, Search, condition
from dimse.archive.layout import Layout, files_below, lock
from dimse.archive.matching import Condition
from dimse.archive.stored import StoredSource
from dimse.data.part10 import FileMeta, scan_meta
from dimse.data.uids import UID
from dimse.errors import DataError
from pdu.values import dataclass

Progress = Callable[[int, int], object]
"""Told how much is done, of how much."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    missing     an instance that the index knows has no file
    changed     its file is not what was stored
    unreadable  its file cannot be read
    unknown     a file is there that the index does not know
    misplaced   a file is not where its name says
    index       the index is missing or damaged, so that nothing could be compared
    """

    kind: Literal["missing", "changed", "unreadable", "unknown", "misplaced", "index"]
    path: Path
    what: str
    sop_instance_uid: str = ""

    def __str__(self) -> str:
        return f"{self.sop_instance_uid or 'unknown UID'}: {self.what}: {self.path}"


def check(folder: Path | str, *, progress: Progress | None = None) -> Iterator[Finding]:
    """What is wrong with the archive in a folder, which is read and not changed. The instances first, the other files behind them.

    `progress` is told of instances. Raises `UsageError` if the folder is none of an archive, or of one that is open.
    """
    layout = Layout.of(Path(folder))
    layout.check()
    fd = lock(layout.folder)
    try:
        path = Path(layout.index)
        if why := condition(path):
            yield Finding("index", path, f"{why}; 'dimse reindex' makes it anew")
            return
        with closing(Index(path)) as index:  # it finds nothing to write
            yield from findings(layout, index, progress=progress)
    finally:
        os.close(fd)


def findings(layout: Layout, index: Index, *, progress: Progress | None = None) -> Iterator[Finding]:
    """What is wrong with an open archive. What comes in or is replaced meanwhile may be named although nothing is wrong with it."""
    total = index.counts()[Level.IMAGE]
    rows = index.search(Search(Level.IMAGE, ("SOPInstanceUID", "offset", "size", "digest")))
    for done, (uid, offset, size, digest) in enumerate(rows, 1):
        assert isinstance(offset, int)
        assert isinstance(size, int)
        assert isinstance(digest, bytes)
        source = StoredSource(layout.place(str(uid)), _NONE, UID(str(uid)), _NONE, offset, size, digest)
        if (finding := _of_row(source)) is not None:
            yield finding
        if progress is not None:
            progress(done, total)
    for entry in files_below(layout.objects):
        if (finding := _of_file(layout, index, entry.path)) is not None:
            yield finding


def quarantined(folder: Path | str) -> int:
    """How many files are in quarantine."""
    return sum(1 for _ in files_below(Layout.of(Path(folder)).quarantine))


def _of_row(source: StoredSource) -> Finding | None:
    """What is wrong with the file of an instance that the index knows."""
    path, uid = Path(source.path), source.sop_instance_uid
    try:
        with source.open():
            return None
    except FileNotFoundError:
        return Finding("missing", path, "its file is missing", uid)
    except DataError as error:
        return Finding("changed", path, error.what, uid)
    except OSError as error:
        return Finding("unreadable", path, os.strerror(error.errno or 0), uid)


def _of_file(layout: Layout, index: Index, path: str) -> Finding | None:
    """What is wrong with a file as such: its data set is compared where the index knows it."""
    try:
        meta = _meta(path)
    except (OSError, DataError) as error:
        why = error.what if isinstance(error, DataError) else error.strerror
        return Finding("unreadable", Path(path), f"its head cannot be read: {why}")
    uid = meta.media_storage_sop_instance_uid
    if path != layout.place(uid):
        return Finding("misplaced", Path(path), "its name is not that of its UID", uid)
    row = next(index.search(Search(Level.IMAGE, ("digest",), [Condition("SOPInstanceUID = ?", (uid,))])), None)
    if row is None:
        return Finding("unknown", Path(path), "the index does not know it", uid)
    if told_digest(meta) not in (b"", row[0]):
        return Finding("changed", Path(path), "its head tells another SHA-256 than the index", uid)
    return None


def _meta(path: str) -> FileMeta:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return scan_meta(partial(os.read, fd))[0]
    finally:
        os.close(fd)


_NONE = UID("")
