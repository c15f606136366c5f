"""C-FIND answered, and what a C-MOVE or C-GET asks for: identifiers as searches of the index, rows as identifiers again.

An attribute of a level below the one asked for, or of a VR that is no text, is left out of the answers, and the matches are then
pending with FF01H (PS3.4 C.4.1.1.4). An instance whose file cannot be read has no attributes but those of the index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dimse.archive.attributes import Level
from dimse.archive.heads import Head
from dimse.archive.identifier import QUERY_RETRIEVE_LEVEL, Identifier
from dimse.archive.index import Row, Search
from dimse.archive.matching import condition
from dimse.archive.plan import RETRIEVE_AE_TITLE, Plan, Values, place_of, table_of
from dimse.archive.times import plan_times
from dimse.archive.writer import Writer
from dimse.data.datasets import DataSet
from dimse.data.status import DATASET_MISMATCH
from dimse.data.uids import UID
from dimse.errors import DataError, Refused
from pdu.values import dataclass

ROWS_AT_ONCE = 32
"""Rows whose answers leave together, and behind which the peer is listened to: a millisecond's work."""
HEADS_AT_ONCE = 8
"""The same where a file is looked into for each."""
BYTES_AT_ONCE = 65_536
"""Bytes of the answers that leave together; a longer one leaves alone."""


@dataclass(frozen=True, slots=True)
class Find:
    """A C-FIND request, ready to be searched for and answered."""

    search: Search
    _plan: Plan
    _writer: Writer

    @classmethod
    def read(cls, identifier: Identifier, aet: str) -> Find:
        """Plans the search. Raises `Refused` for an identifier that breaks the hierarchy, or has a key that is none."""
        for _ in identifier.unique_keys():
            pass
        plan = Plan(identifier)
        plan.constant(QUERY_RETRIEVE_LEVEL, "CS", identifier.level.name)
        plan.constant(RETRIEVE_AE_TITLE, "AE", aet)
        for wanted in identifier.wanted:
            plan.want(wanted)
        plan_times(plan)
        plan.fields.sort(key=lambda each: each.tag)
        return cls(plan.search(), plan, Writer(identifier, plan.fields))

    def answers(self, rows: Iterable[Row], path_of: Callable[[str], Path]) -> Iterator[list[tuple[bool, DataSet]]]:
        """The identifiers that answer for the rows of the search, each with whether all that was asked for is supported.

        Those of some rows at a time, or of fewer where they are long; none where nothing matched for a while. `path_of` tells where
        the file of an instance is.
        """
        plan, answer, at_once = self._plan, self._writer.answer, HEADS_AT_ONCE if self._plan.asked else ROWS_AT_ONCE
        held: list[tuple[bool, DataSet]] = []
        length = 0
        for number, row in enumerate(rows, 1):
            values = self._values(row, path_of)
            if values is not None:
                found = answer(values)
                if held and length + len(found.encoded) > BYTES_AT_ONCE:
                    yield held
                    held, length = [], 0
                held.append((plan.complete and None not in values, found))
                length += len(found.encoded)
            if number % at_once == 0:
                yield held
                held, length = [], 0
        if held:
            yield held

    def _values(self, row: Row, path_of: Callable[[str], Path]) -> Values | None:
        """What the slots have for a row of the search; None if a key that SQL does not decide does not match it."""
        plan = self._plan
        values: Values = ["" if value is None else value for value in row]
        if plan.asked:
            values += reversed(self._from_head(row, path_of))
        for adjust in plan.adjust:
            adjust(values)
        for slot, asked in enumerate(plan.asked):
            value = values[~slot]
            if value is None or isinstance(value, int):
                if not asked.is_universal:
                    return None
            elif (matched := asked.matched(value)) is None:
                return None
            else:
                values[~slot] = matched
        return values if all(check(values) for check in plan.checks) else None

    def _from_head(self, row: Row, path_of: Callable[[str], Path]) -> Values:
        """The values of what is not in the index; None for each if the file cannot be read."""
        uid, syntax, offset, size = row[-4:]
        try:
            head = Head.read(path_of(str(uid)), UID(str(syntax)), int(offset or 0), int(size or 0), self._plan.last_tag)
        except (OSError, DataError):
            return [None] * len(self._plan.asked)
        return [head.value(asked.wanted) for asked in self._plan.asked]


def retrieve(identifier: Identifier) -> Search:
    """The search for the instances that a C-MOVE or C-GET asks for. Raises `Refused` (PS3.4 C.4.2.2.1).

    Without relational retrieve each level above is given by its unique key; with it by none, or by any (C.4.2.2.2).
    """
    conditions = []
    for level, attribute, key in identifier.unique_keys():
        if not key and level < identifier.level:
            continue
        if key.texts is None or not key:
            what = f"{attribute.keyword} must say what to retrieve at level {level.name}"
            raise Refused(DATASET_MISMATCH, what, (attribute.tag,))
        conditions.append(condition(key, place_of(attribute, table_of(attribute, Level.IMAGE))))
    columns = [f"instance.{name}" for name in ("SOPClassUID", "SOPInstanceUID", "transfer_syntax", "offset", "size", "digest")]
    return Search(Level.IMAGE, columns, conditions, frozenset({Level.STUDY}))
