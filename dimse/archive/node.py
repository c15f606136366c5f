"""The node: an archive as the services of a provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from dimse.archive.checking import Finding, findings
from dimse.archive.files import Files
from dimse.archive.identifier import Identifier
from dimse.archive.index import Row
from dimse.archive.options import granted
from dimse.archive.query import Find, retrieve
from dimse.archive.repair import Repair
from dimse.archive.storage import Duplicates, Durability, Storage
from dimse.archive.stored import StoredSource
from dimse.data.protocols import Source
from dimse.data.status import MOVE_DESTINATION_UNKNOWN, PENDING, PENDING_WARNING, Status
from dimse.data.uids import UID
from dimse.errors import Refused
from dimse.services.handlers import Address, Match, Request, Services


class Archive:
    """Keeps instances below a folder, finds them and hands them out.

    The folder is made if there is none, and belongs to this archive until `close`: raises `UsageError` if another running one has
    it. May be used from any thread; leave it as a context manager, or call `close`, once its associations have ended.

    durability  "full": 0000H is answered when the instance would survive a power cut; "relaxed": when it is written, and a power cut
                may lose what was answered 0000H in the half minute before
    duplicates  of other bytes under a SOP Instance UID that is here: "refuse" answers 0111H and keeps the first, and what was refused
                in `quarantine`; "replace" takes them in place of the first
    quota       bytes that the files may have, those in quarantine included; beyond it a C-STORE is answered A700H (None: any number)
    reserve     bytes that stay free on the folder's file system (None: the smaller of 1 GiB and 5 %); a C-STORE is answered A700H
                before its first byte where there are fewer
    files       the system calls by which it writes
    progress    called in the course of a long repair: what is done, of how much
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        durability: Durability = "full",
        duplicates: Duplicates = "refuse",
        quota: int | None = None,
        reserve: int | None = None,
        files: Files = Files(),  # noqa: B008 - it has no state
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._storage = Storage(
            self.folder, durability=durability, duplicates=duplicates, quota=quota, reserve=reserve, files=files, progress=progress
        )

    @property
    def repair(self) -> Repair:
        """What was mended when it was opened; false if there was nothing to mend."""
        return self._storage.repair

    def services(self, peers: Mapping[str, Address] | None = None, *, aet: str | None = None) -> Services:
        """What a server offers with this archive behind it: C-ECHO, C-STORE, C-FIND, C-MOVE and C-GET.

        `peers` are the C-MOVE destinations by AE title. `aet` is what answers name as Retrieve AE Title; without it the title
        that the asker called.
        """
        node = _Node(self._storage, dict(peers or {}), aet)
        return Services(
            sink=self._storage.open_sink, find=node.find, move=node.sources, get=node.sources, where=node.where, extended=granted
        )

    def counts(self) -> tuple[int, int, int, int]:
        """How many patients, studies, series and instances it holds."""
        return self._storage.index.counts()

    def check(self, *, progress: Callable[[int, int], object] | None = None) -> Iterator[Finding]:
        """What is wrong with its files and its index, each file read to its end. What comes meanwhile may be named for no reason."""
        return findings(self._storage.layout, self._storage.index, progress=progress)

    def path_of(self, sop_instance_uid: str) -> Path:
        """Where the file of an instance is, if the archive has it."""
        return self._storage.path_of(sop_instance_uid)

    def close(self) -> None:
        """Closes the index and gives the folder free; a second time does nothing."""
        self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Node:
    """The handlers of one archive under one name."""

    def __init__(self, storage: Storage, peers: dict[str, Address], aet: str | None) -> None:
        self._storage = storage
        self._peers = peers
        self._aet = aet

    def find(self, request: Request) -> Iterator[list[Match]]:
        """Answers C-FIND (PS3.4 C.4.1). Refuses at once; reads as far as the matches are asked for."""
        identifier = Identifier.read(request.context.abstract_syntax, request.identifier, request.extended)
        find = Find.read(identifier, self._aet or request.peer.called)
        return self._matches(find)

    def _matches(self, find: Find) -> Iterator[list[Match]]:
        whole, part = (Status(code, service="C-FIND") for code in (PENDING, PENDING_WARNING))
        for answers in find.answers(self._storage.index.search(find.search), self._storage.path_of):
            yield [(whole if is_complete else part, identifier) for is_complete, identifier in answers]

    def sources(self, request: Request) -> Sequence[Source]:
        """What a C-MOVE or C-GET asks for (PS3.4 C.4.2, C.4.3)."""
        identifier = Identifier.read(request.context.abstract_syntax, request.identifier, request.extended)
        return [self._source(row) for row in self._storage.index.search(retrieve(identifier))]

    def where(self, request: Request, aet: str) -> Address:
        """The address of a C-MOVE destination: only a configured one has any."""
        address = self._peers.get(aet.strip(" \0"))
        if address is None:
            raise Refused(MOVE_DESTINATION_UNKNOWN, "the move destination is not a configured peer of this archive")
        return address

    def _source(self, row: Row) -> StoredSource:
        """A source made of what the index knows, so that no file is looked into before it is sent."""
        sop_class, uid, syntax, offset, size, digest = row
        assert isinstance(offset, int)
        assert isinstance(size, int)
        assert isinstance(digest, bytes)
        return StoredSource(
            self._storage.layout.place(str(uid)), UID(str(sop_class)), UID(str(uid)), UID(str(syntax)), offset, size, digest
        )
