"""`dimse find`: C-FIND (PS3.4 C.4.1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path

from dimse.blocking import Association
from dimse.cli.arguments import Parser, count, path
from dimse.cli.failures import DONE, FAILED, USAGE, Failure, os_words
from dimse.cli.keys import Query, model, queries
from dimse.cli.output import Output, in_seconds, plural
from dimse.cli.parsing import Arguments
from dimse.cli.peer import Target, associated
from dimse.cli.tables import Table, as_json, cells, full_text, heading
from dimse.data.datasets import DataSet
from dimse.data.part10 import FileMeta
from dimse.data.uids import UID, PatientRootFind, StudyRootFind
from dimse.errors import DataError
from pdu.values import dataclass

EXAMPLES = """\
examples:
  dimse find HOST 104                                           all studies
  dimse find -k PatientName="Doe*" -k StudyDate=20240101- -k StudyInstanceUID HOST 104
  dimse find -P -k QueryRetrieveLevel=PATIENT -k 0010,0020 -k 0010,0010 HOST 104
  dimse find -k StudyInstanceUID=1.2.3 -k QueryRetrieveLevel=SERIES -k Modality HOST 104
  dimse find --relational -k QueryRetrieveLevel=SERIES -k Modality=CT -k PatientID HOST 104
  dimse find --json HOST 104 query.dcm
"""


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("find", "Queries an archive (C-FIND); prints a line for each match.", EXAMPLES)
    command.add_peer()
    command.add_query()
    command.add_matching()
    command.add_json()
    command.add_argument("-od", "--output-directory", metavar="DIR", type=path, help="also keep each match there, as rsp0001.dcm and so on")
    command.add_argument("--cancel", metavar="N", type=count, help="cancel each query after so many matches")
    return command


def run(args: Arguments, out: Output) -> int:
    """Asks all queries on one association."""
    asked = queries(args)
    models = [model(args, query, PatientRootFind, StudyRootFind) for query in asked]
    keep = _keeper(args.output_directory)
    target, found, unreadable = Target.of(args, out).asking(args, models), 0, 0
    with associated(target, list(dict.fromkeys(models)), out) as association:
        target.tell_options(association, out)
        for query, root in zip(asked, models, strict=True):
            asking = _Asking(association, query, root, out, found)
            asking.run(args.cancel, keep)
            found, unreadable = asking.number, unreadable + asking.unreadable
    return FAILED if unreadable else DONE


@dataclass
class _Asking:
    """One query under way. `number` counts the matches of all queries, as the names of the files do."""

    association: Association
    query: Query
    root: UID
    out: Output
    number: int
    unreadable: int = 0

    def run(self, cancel_after: int | None, keep: Callable[[DataSet, int], object] | None) -> None:
        """Asks, and prints the matches until there are no more, or as many as were wanted."""
        start, before = time.perf_counter(), self.number
        table = Table([heading(tag) for tag in self.query.tags], self.out.line)
        matches = self.association.find(self.query.identifier, self.root)
        try:
            for match in matches:
                self.number += 1
                if keep is not None:
                    keep(match, self.number)
                self._show(match, table)
                if cancel_after is not None and self.number - before >= cancel_after:
                    break
        finally:
            table.flush()
        if isinstance(matches, Generator):
            matches.close()  # sends C-CANCEL if there are more
        self.out.line(f"{plural(self.number - before, 'match')}, {in_seconds(time.perf_counter() - start)}")

    def _show(self, match: DataSet, table: Table) -> None:
        try:
            if self.out.json:
                self.out.result(as_json(match))
            elif self.out.verbose:
                self.out.line("\n".join([f"match {self.number}", *(f"  {line}" for line in full_text(match)), ""]))
            else:
                table.row(cells(match, self.query.tags))
        except DataError as error:
            self.unreadable += 1
            self.out.error(f"match {self.number} cannot be read: {error}; -od keeps it as it came")


def _keeper(folder: Path | None) -> Callable[[DataSet, int], object] | None:
    """What keeps a match as a file; None if none is to be kept. Raises `Failure` if there can be no such folder."""
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(USAGE, f"cannot make the folder {os_words(error)}") from error

    def keep(match: DataSet, number: int) -> None:
        # A match is no instance: its file has no SOP class or instance UID, so that nobody takes it for one.
        head = FileMeta(UID(""), UID(""), match.transfer_syntax).encode()
        try:
            (folder / f"rsp{number:04}.dcm").write_bytes(head + match.encoded)
        except OSError as error:
            raise Failure(FAILED, f"cannot write {os_words(error)}") from error

    return keep
