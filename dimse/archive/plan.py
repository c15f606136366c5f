"""What a C-FIND comes to: columns and conditions of a search, what is read from the heads of files, and what is looked at in Python.

What the index can decide is a condition of the search. Two kinds of keys are checked in Python, row by row: those of attributes
that only the files have, and dates and times where they are told in the asker's zone, which SQL only narrows down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from dimse.archive.attributes import BY_TAG, TIMEZONE, TIMEZONE_OFFSET, UNIQUE_KEYS, Attribute, Level
from dimse.archive.computed import COMPUTED
from dimse.archive.heads import Asked, last_tag
from dimse.archive.identifier import Identifier, Wanted
from dimse.archive.index import Search
from dimse.archive.matching import UNIVERSAL, Condition, Kind, Place, condition, joined
from dimse.archive.schema import INDEXED_DATES, word_tag
from dimse.archive.values import Value
from pdu.values import dataclass, field, replace

RETRIEVE_AE_TITLE: Final = 0x0008_0054
INSTANCE_AVAILABILITY: Final = 0x0008_0056
TIMES: Final = frozenset({"DA", "TM", "DT"})

Slot = int
"""Where a row has a value: a column from the front, what was read from a head from behind (-1, -2, ...)."""
Values: TypeAlias = "list[Value | int | None]"
"""The values of a row; None for what should be read from a head that cannot be read."""

_SELECTIVE: Final = frozenset({*(attribute.keyword for attribute in UNIQUE_KEYS.values()), *INDEXED_DATES, "AccessionNumber"})
"""Attributes by which an index finds few rows."""
_HEAD: Final = ("SOPInstanceUID", "transfer_syntax", "offset", "size")
"""The columns of an instance that tell where its head is."""


@dataclass(frozen=True, slots=True)
class Field:
    """One element of an answer: what a slot has, or a constant."""

    tag: int
    vr: str
    slot: Slot | None = None
    constant: str = ""


@dataclass(frozen=True, slots=True)
class Spot:
    """A date, a time or both that was asked for: of the index, or where there is no `attribute` of a head."""

    wanted: Wanted
    slot: Slot
    several: bool = False
    attribute: Attribute | None = None


@dataclass(slots=True)
class Plan:
    """What a C-FIND comes to, as it is made element by element."""

    identifier: Identifier
    columns: list[str] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    tables: set[Level] = field(default_factory=set)
    fields: list[Field] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    """What is read from heads; the first is in slot -1."""
    times: list[Spot] = field(default_factory=list)
    """Left to `times`, which adds to the conditions and to the two below."""
    adjust: list[Callable[[Values], None]] = field(default_factory=list)
    checks: list[Callable[[Values], bool]] = field(default_factory=list)
    complete: bool = True
    order: str = ""
    """The column of an index that the search goes by, "" for the rows as they came in."""
    _below: list[tuple[Attribute, Condition]] = field(default_factory=list)

    def want(self, wanted: Wanted) -> None:
        """Takes in an element of the identifier."""
        attribute, computed = BY_TAG.get(wanted.tag), COMPUTED.get(wanted.tag)
        level = self.identifier.level
        if wanted.tag == RETRIEVE_AE_TITLE:
            return  # every answer has it
        if wanted.tag == INSTANCE_AVAILABILITY:
            self.constant(wanted.tag, "CS", "ONLINE")
        elif wanted.tag == TIMEZONE:
            self._timezone()
        elif wanted.is_creator:
            self.constant(wanted.tag, "LO", wanted.text)
        elif attribute is not None and attribute.level <= level:
            self._attribute(attribute, wanted)
        elif computed is not None and computed.level <= level:
            self._computed(wanted)
        elif attribute is None and computed is None:
            self._from_head(wanted)
        else:  # of a level below
            self.complete = False
            if attribute is not None and self.identifier.options.relational:
                self._lower(attribute, wanted)

    def constant(self, tag: int, vr: str, text: str) -> None:
        """An element that is the same in all answers."""
        self.fields.append(Field(tag, vr, constant=text))

    def column(self, expression: str) -> Slot:
        """The slot of a column."""
        if expression not in self.columns:
            self.columns.append(expression)
        return self.columns.index(expression)

    def stored(self, attribute: Attribute) -> Slot:
        """The slot of an attribute of the index."""
        table = table_of(attribute, self.identifier.level)
        self.tables.add(table)
        return self.column(f"{table.table}.{attribute.keyword}")

    def head(self, asked: Asked) -> Slot:
        """The slot of what is read from a head."""
        self.asked.append(asked)
        return -len(self.asked)

    def search(self) -> Search:
        """The search of the index; the last columns tell where the head is, if one is to be read."""
        level = self.identifier.level
        self.tables.add(level)
        if self._below:
            self.conditions.append(_lower_condition(level, self._below))
        if self.asked:
            table = "instance" if level is Level.IMAGE else "head"
            self.columns += [f"{table}.{column}" for column in _HEAD]
        return Search(level, self.columns, self.conditions, frozenset(self.tables), bool(self.asked), self.order)

    @property
    def last_tag(self) -> int:
        """How far a head is looked through."""
        return last_tag(self.asked)

    def _timezone(self) -> None:
        """No key, but what all times are told in: the zone that was agreed on, else that of the data set."""
        if self.identifier.zone:
            self.constant(TIMEZONE, "SH", self.identifier.zone)
        else:
            slot = self.column(f"{self.identifier.level.table}.{TIMEZONE_OFFSET.keyword}")
            self.fields.append(Field(TIMEZONE, "SH", slot))

    def _attribute(self, attribute: Attribute, wanted: Wanted) -> None:
        slot = self.stored(attribute)
        self.fields.append(Field(attribute.tag, attribute.vr, slot))
        if attribute.vr in TIMES:
            self.times.append(Spot(wanted, slot, attribute.several, attribute))
        elif key := self.identifier.read_key(wanted, attribute.vr, several=attribute.several):
            self.conditions.append(condition(key, place_of(attribute, table_of(attribute, self.identifier.level))))

    def _computed(self, wanted: Wanted) -> None:
        computed = COMPUTED[wanted.tag]
        column, place, table = computed.at(self.identifier.level)
        self.tables.add(table)
        self.fields.append(Field(wanted.tag, computed.vr, self.column(column)))
        if key := self.identifier.read_key(wanted, computed.vr, several=computed.several):
            self.conditions.append(condition(key, place))

    def _from_head(self, wanted: Wanted) -> None:
        asked = Asked.read(wanted, self.identifier)
        if asked is None:
            self.complete = False
            return
        self.complete &= asked.complete
        if wanted.vr in TIMES:
            slot = self.head(replace(asked, key=UNIVERSAL))
            self.times.append(Spot(wanted, slot, asked.several))
        else:
            slot = self.head(asked)
        self.fields.append(Field(wanted.tag, wanted.vr, slot))

    def _lower(self, attribute: Attribute, wanted: Wanted) -> None:
        """A key of a level below, with relational queries: something below must match it (C.4.1.2.2.2)."""
        if key := self.identifier.read_key(wanted, attribute.vr, several=attribute.several):
            self._below.append((attribute, condition(key, place_of(attribute, attribute.level))))


def table_of(attribute: Attribute, level: Level) -> Level:
    """The table to look in, for a search at this level: a study has what belongs to its patient."""
    return Level.STUDY if attribute.level is Level.PATIENT and level is not Level.PATIENT else attribute.level


def place_of(attribute: Attribute, table: Level) -> Place:
    """Where SQL finds an attribute. Where many rows may match by an index, as a list of their ids, which comes in the right order."""
    name, keyword = table.table, attribute.keyword
    if attribute.has_words:
        owners = f"SELECT owner FROM {name}_word WHERE tag = "
        around = tuple((f"{name}.id IN ({owners}{word_tag(attribute, kind)} AND ", ")") for kind in Kind)
        return Place("word", f"{name}.id NOT IN ({owners}{attribute.tag})", around)
    column, none = f"{keyword}_key" if attribute.has_key else keyword, f"{name}.{keyword} IS NULL"
    if keyword in INDEXED_DATES:
        return Place(column, none, ((f"{name}.id IN (SELECT id FROM {name} WHERE ", ")"),))
    return Place(f"{name}.{column}", none)


def _lower_condition(level: Level, below: list[tuple[Attribute, Condition]]) -> Condition:
    """The condition that one and the same entity below has all of these."""
    lowest = max(attribute.level for attribute, _ in below)
    top = Level(level + 1)
    tables = top.table + "".join(
        f" JOIN {Level(at).table} ON {Level(at).table}.{Level(at - 1).table} = {Level(at - 1).table}.id"
        for at in range(top + 1, lowest + 1)
    )
    inner = joined([each for _, each in below], "AND")
    if any(attribute.keyword in _SELECTIVE or attribute.has_words for attribute, _ in below):
        return Condition(f"{level.table}.id IN (SELECT {top.table}.{level.table} FROM {tables} WHERE {inner.sql})", inner.values)
    return Condition(f"EXISTS (SELECT 1 FROM {tables} WHERE {top.table}.{level.table} = {level.table}.id AND {inner.sql})", inner.values)
