"""An archive that kills itself: `python -m tests.archive.crashing POINT NTH FOLDER [replace]`, when it is at a point for the n-th time.

The points lie in the way of a data set from the network to its acknowledgement, and in what an archive does at its start; the product
knows nothing of them. Prints the port once it serves.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import dimse
from bench.powercut import half_checkpointed
from bench.recording import INDEX
from dimse.archive import Archive
from dimse.archive.files import Files
from dimse.archive.index import Index, Writing
from dimse.archive.sink import InstanceSink
from dimse.archive.storage import Duplicates


class Death:
    """Kills this process when it comes to its point for the n-th time, counted from when it is armed."""

    def __init__(self, nth: int, folder: Path) -> None:
        self.folder = folder
        self.is_armed = False
        self._left = nth

    def comes(self) -> bool:
        """Whether this is the moment."""
        self._left -= self.is_armed
        return self._left <= 0

    def come(self) -> None:
        """Kills, if it is."""
        if self.comes():
            os.kill(os.getpid(), signal.SIGKILL)


def behind(owner: type, name: str) -> Callable[[Death], None]:
    """The point behind each call of a method."""

    def prepare(death: Death) -> None:
        method = getattr(owner, name)

        def call(*arguments: Any) -> Any:  # whatever the method takes and gives
            result = method(*arguments)
            death.come()
            return result

        setattr(owner, name, call)

    return prepare


def behind_commit(act: Callable[[Death], None]) -> Callable[[Death], None]:
    """The point behind each commit of the index."""

    def prepare(death: Death) -> None:
        writing = Index.writing

        @contextmanager
        def call(self: Index) -> Iterator[Writing]:
            with writing(self) as transaction:
                yield transaction
            act(death)

        Index.writing = call  # type: ignore[method-assign]  # that is the point

    return prepare


def checkpoint(death: Death) -> None:
    """Copies some pages of the log into the database, as SQLite does, and gets no further."""
    if death.comes():
        database, log = (death.folder / name for name in INDEX)
        pages = half_checkpointed(database.read_bytes(), log.read_bytes(), Random(1))
        with database.open("r+b") as file:
            file.write(pages)
        death.come()


POINTS: dict[str, Callable[[Death], None]] = {
    "after_tmp_write": behind(Files, "write"),
    "after_file_flush": behind(Files, "flush"),
    "after_link": behind(Files, "link"),
    "after_replace": behind(Files, "replace"),
    "after_folder_flush": behind(Files, "flush_folder"),
    "after_commit": behind_commit(Death.come),
    "before_response": behind(InstanceSink, "finish"),
    "mid_checkpoint": behind_commit(checkpoint),
    "mid_rebuild": behind(Writing, "add"),
}
AT_START = frozenset({"mid_rebuild"})
"""Points that an archive comes to before it serves."""


def main(point: str, nth: str, folder: str, duplicates: Duplicates = "refuse") -> None:
    death = Death(int(nth), Path(folder))
    POINTS[point](death)
    death.is_armed = point in AT_START
    with Archive(folder, durability="full", duplicates=duplicates, reserve=0) as archive:
        death.is_armed = True
        server = dimse.Server("ARCHIVE", archive.services())
        _, port = server.listen()
        print(port, flush=True)
        server.run()


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]  # "replace"
