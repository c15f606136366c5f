"""The matching of PS3.4 C.2.2.2, told twice: as SQL conditions, and as plain Python that says the same.

A key is read once (`read_key`) into what it demands; no demand at all is universal matching. A stored text is read into the words
that the tests of a demand are put to (`words_by_kind`): one for most attributes, each value and each component group where there are
several, none where the value is empty, so that an empty value matches a universal key only. `Test.accepts` judges a word in
Python, `Test.condition` writes the same judgement in SQL. `matches` is the whole rule in one line.

What PS3.4 leaves to the implementation (to be told in a conformance statement):
  - Person names match without regard to case, as a whole or in their component groups, trailing delimiters left out. A key of one
    group is looked for in all groups; of a key of several, each in its place. What fuzzy matching means tells `names`.
  - All other texts match with regard to case, leading and trailing spaces left out. Numbers (IS, DS) match by value.
  - A date or time key of less than full precision matches all that falls into it. A time without a date is one of any day, unless
    combined matching was negotiated; then a date without a time stands for its beginning.
  - `*` alone is universal for every VR, although only the text VRs know wild cards: many clients send it in dates (the trace names it).
  - Several values in a key are alternatives, unless multiple value matching was negotiated. The standard has that for UIDs; it costs
    nothing to mean it for the others. Where each must match, wild cards may stand in them all the same.
  - A DT without an offset from UTC is of the asker's zone where that was negotiated; else it is compared as it stands with one that has
    none either. A stored one without an offset is of the zone of its data set for a key that has one.
  - Times whose data set does not tell its zone are taken to be in the asker's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from dimse.archive.moments import key_span, span
from dimse.archive.names import key_words, name_words, sound
from dimse.archive.options import Options
from dimse.archive.patterns import fits
from pdu.values import dataclass, field

MAX_TEXT: Final = 10_240
"""Characters of one value of a key that may match: what the longest text that people enter, LT, may have (PS3.5 6.2)."""

MAX_VALUES: Final = 100_000
"""Values of one key: a list of UIDs as long as an identifier may be (4 MiB) has about as many."""
MAX_PATTERNS: Final = 100
"""Tests of one key that is more than values to be compared: each is a term of the statement, and SQLite nests at most 1,000."""

_WILD: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})  # C.2.2.2.4
_MAY_ASK_FOR_NONE: Final = frozenset({*_WILD, "DA", "TM", "DT"})  # C.2.2.2.7
_EACH: Final = frozenset({"AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"})  # C.2.2.2.8
_UNSPLIT: Final = frozenset({"LT", "ST", "UR", "UT"})  # a backslash is text in these (PS3.5 6.2)
_MOMENTS: Final = frozenset({"DA", "TM", "DT"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_GROUPS: Final = 3
_STARS: Final = re.compile(r"\*{2,}")
_NOTHING_AGREED: Final = Options()


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of a WHERE clause, with the values of its question marks."""

    sql: str
    values: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Equal:
    """Single value matching (C.2.2.2.1)."""

    text: str

    def accepts(self, word: str) -> bool:
        return word == self.text

    def condition(self, column: str) -> Condition:
        return Condition(f"{column} = ?", (self.text,))


@dataclass(frozen=True, slots=True)
class Like:
    """Wild card matching (C.2.2.2.4): `*` for any characters, also none, `?` for any one character."""

    pattern: str

    def accepts(self, word: str) -> bool:
        return fits(self.pattern, word)

    def condition(self, column: str) -> Condition:
        """GLOB, whose only other special character is `[`; and the bounds of the literal beginning, which an index can serve."""
        glob = Condition(f"{column} GLOB ?", (self.pattern.replace("[", "[[]"),))
        prefix = re.split(r"[*?]", self.pattern, maxsplit=1)[0]
        if not prefix:
            return glob
        after = _after(prefix)
        if after is None:
            return Condition(f"({column} >= ? AND {glob.sql})", (prefix, *glob.values))
        return Condition(f"({column} >= ? AND {column} < ? AND {glob.sql})", (prefix, after, *glob.values))


@dataclass(frozen=True, slots=True)
class Between:
    """Range matching, and single value matching of dates and times (C.2.2.2.5); canonical texts, both ends included."""

    low: str
    high: str

    def accepts(self, word: str) -> bool:
        return self.low <= word <= self.high

    def condition(self, column: str) -> Condition:
        return Condition(f"{column} BETWEEN ? AND ?", (self.low, self.high))


Test = Equal | Like | Between


class Kind(IntEnum):
    """What a test is put to: the words of a stored text, and what else names are matched through."""

    WORD = 0
    GROUP = 1
    """A name of several component groups with all three of them written, so that a wild card cannot stand for a delimiter."""
    SPOKEN = 2
    """The words of a name (see `names`)."""
    SOUND = 3
    """Their sounds."""


Way = tuple[tuple[Kind, Test], ...]
"""Tests that must all hold, each for some word of its kind."""
Demand = tuple[Way, ...]
"""What one value of a key asks for: one of these ways is enough. A name that is fuzzily matched has two."""


@dataclass(frozen=True, slots=True)
class Key:
    """The value of a key attribute: demands of which any must be met, or `each` (C.2.2.2.8). Without any it is universal (C.2.2.2.3).

    `empty` matches what has no value (C.2.2.2.7), and nothing else.
    """

    demands: tuple[Demand, ...] = ()
    each: bool = False
    empty: bool = False

    _alternatives: frozenset[str] = field(init=False, repr=False, compare=False)
    """Texts of which one is enough: a list may have as many as there are UIDs in an identifier."""
    _others: tuple[Demand, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tests = [None if self.each else _only(demand) for demand in self.demands]
        others = tuple(demand for demand, test in zip(self.demands, tests, strict=True) if not isinstance(test, Equal))
        object.__setattr__(self, "_alternatives", frozenset(test.text for test in tests if isinstance(test, Equal)))
        object.__setattr__(self, "_others", others)

    def __bool__(self) -> bool:
        return bool(self.demands) or self.empty

    @property
    def texts(self) -> list[str] | None:
        """The values, if they are alternatives that are compared for equality and nothing else."""
        tests = [_only(demand) for demand in self.demands]
        found = [test.text for test in tests if isinstance(test, Equal)]
        return found if len(found) == len(self.demands) and not self.each else None

    def accepts(self, vr: str, several: bool, stored: str) -> bool:
        """Whether a stored text matches: the plain reading of PS3.4 C.2.2.2."""
        if self.empty:
            return not any(normalise(vr, part) for part in (stored.split("\\") if several else [stored]))
        if not self:
            return True
        found = words_by_kind(vr, several, stored)
        if not self._alternatives.isdisjoint(found[Kind.WORD]):
            return True
        met = (any(all(any(test.accepts(word) for word in found[kind]) for kind, test in way) for way in demand) for demand in self._others)
        return all(met) if self.each else any(met)


@dataclass(frozen=True, slots=True)
class Place:
    """Where SQL finds the words of an attribute.

    `around` makes of a condition on `column` one on the row, for each kind of words: by what stands before it, and behind. `none` is
    the condition that the row has no value.
    """

    column: str
    none: str
    around: tuple[tuple[str, str], ...] = (("", ""),)

    def within(self, inner: Condition, kind: int = 0) -> Condition:
        """What a condition on a word of some kind means for the row."""
        before, behind = self.around[kind]
        return Condition(f"{before}{inner.sql}{behind}", inner.values)


UNIVERSAL: Final = Key()


def read_key(vr: str, text: str, options: Options = _NOTHING_AGREED, *, several: bool = False, zone: str = "") -> Key:
    """Reads the value of a key attribute; ValueError, with words that follow the keyword, when it is no key of that VR.

    `several`: the attribute may have more than one value. A DT without an offset from UTC is of the `zone`, if there is one.
    """
    if options.empty and vr in _MAY_ASK_FOR_NONE and text.strip(" \0") == '""':
        return Key(empty=True)
    if not text.strip(" \0"):
        return UNIVERSAL
    parts = [text] if vr in _UNSPLIT else text.split("\\", MAX_VALUES)
    if len(parts) > MAX_VALUES:
        raise ValueError(f"has more than {MAX_VALUES} values")
    values = [normal for part in parts if (normal := normalise(vr, part))]
    each = options.multiple and several and vr in _EACH and len(values) > 1
    asking = [value for value in values if value.strip("*=" if vr == "PN" else "*")]
    if not asking or (len(asking) < len(values) and not each):
        return UNIVERSAL
    demands = tuple(_demand(vr, value, options, zone) for value in asking)
    key = Key(demands, each)
    if key.texts is None and sum(len(way) for demand in demands for way in demand) > MAX_PATTERNS:
        raise ValueError(f"has more than {MAX_PATTERNS} values, wildcards or ranges that are not just compared")
    return key


def words(vr: str, several: bool, stored: str) -> tuple[str, ...]:
    """What the tests of a key are put to, from a stored text; nothing for an empty value."""
    parts = stored.split("\\") if several else [stored]
    found = [word for part in parts for word in _words(vr, part)]
    return tuple(dict.fromkeys(found))


def words_by_kind(vr: str, several: bool, stored: str) -> tuple[Sequence[str], ...]:
    """The same by `Kind`; only names have words of more than one."""
    whole = words(vr, several, stored)
    if vr != "PN":
        return (whole,)
    spoken = name_words(stored)
    names = [normalise(vr, name) for name in (stored.split("\\") if several else [stored])]
    groups = ["=".join(_all_groups(name)) for name in names if "=" in name]
    return whole, tuple(dict.fromkeys(groups)), spoken, tuple(dict.fromkeys(map(sound, spoken)))


def matches(vr: str, several: bool, stored: str, key: str, options: Options = _NOTHING_AGREED) -> bool:
    """Whether a stored text matches the text of a key."""
    return read_key(vr, key, options, several=several).accepts(vr, several, stored)


def condition(key: Key, place: Place) -> Condition:
    """The same as SQL; the key must not be universal."""
    if key.empty:
        return Condition(place.none)
    texts = key.texts
    if texts is not None and len(texts) > 1:
        # One parameter for a list of any length: SQLite allows a limited number of them.
        return place.within(Condition(f"{place.column} IN (SELECT value FROM json_each(?))", (json.dumps(texts),)))
    plain = [test.condition(place.column) for demand in key.demands if (test := _only(demand)) is not None]
    if not key.each and len(plain) == len(key.demands):  # one look for all of them
        return place.within(joined(plain, "OR"))
    return joined([_condition(demand, place) for demand in key.demands], "AND" if key.each else "OR")


def joined(conditions: Sequence[Condition], by: str) -> Condition:
    """Some conditions as one."""
    if len(conditions) == 1:
        return conditions[0]
    return Condition(f"({f' {by} '.join(each.sql for each in conditions)})", tuple(value for each in conditions for value in each.values))


def normalise(vr: str, text: str) -> str:
    """The text without what carries no meaning: padding; case and trailing delimiters of names; ways to write a number."""
    text = clean(vr, text)
    if vr == "PN":
        return "=".join(group.strip(" ").rstrip("^ ") for group in fold(text).split("=")).rstrip("=")
    return _canonical_number(vr, text)


def clean(vr: str, text: str) -> str:
    """The text without padding, which is spaces, and NUL by rule or by mistake (PS3.5 6.2)."""
    text = text.replace("\0", "")
    return text.rstrip(" ") if vr in _UNSPLIT else text.strip(" ")


def fold(text: str) -> str:
    """The text in one case, character by character: a `?` must go on standing for the same one character."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := character.casefold()) == 1 else character for character in text)


def _only(demand: Demand) -> Test | None:
    """The test of a word that is all there is to a demand."""
    kind, test = demand[0][0]
    return test if len(demand) == len(demand[0]) == 1 and kind is Kind.WORD else None


def _condition(demand: Demand, place: Place) -> Condition:
    ways = [[place.within(test.condition(place.column), kind) for kind, test in way] for way in demand]
    return joined([joined(way, "AND") for way in ways], "OR")


def _demand(vr: str, value: str, options: Options, zone: str) -> Demand:
    if len(value) > MAX_TEXT:
        return (((Kind.WORD, Equal("")),),)  # which no word is
    if vr in _MOMENTS:
        return (((Kind.WORD, Between(*key_span(vr, value, zone))),),)
    if vr != "PN":
        return (((Kind.WORD, _test(vr, value)),),)
    alike = tuple((Kind.SPOKEN, _like(word)) if _has_wild(word) else (Kind.SOUND, Equal(sound(word))) for word in key_words(value))
    return (_name(value), alike) if options.fuzzy and alike else (_name(value),)


def _name(value: str) -> Way:
    """One component group is asked for in any place, several in theirs."""
    asked = [(at, group) for at, group in enumerate(value.split("=")) if group.strip("*")]
    if len(asked) == 1:
        return ((Kind.WORD, _test("PN", asked[0][1])),)
    groups = [group if group.strip("*") else "*" for group in _all_groups(value)]
    return ((Kind.GROUP, _test("PN", "=".join(groups))),)


def _test(vr: str, value: str) -> Test:
    return _like(value) if vr in _WILD and _has_wild(value) else Equal(value)


def _like(value: str) -> Like:
    return Like(_STARS.sub("*", value))


def _has_wild(value: str) -> bool:
    return "*" in value or "?" in value


def _words(vr: str, value: str) -> Sequence[str]:
    value = normalise(vr, value)
    if not value:
        return ()
    if vr in _MOMENTS:
        whole = span(vr, value)
        return () if whole is None else (whole[0],)
    if vr == "PN" and "=" in value:
        return (value, *(group for group in value.split("=") if group))
    return (value,)


def _all_groups(name: str) -> list[str]:
    """The component groups of a name, as many as there are to be (PS3.5 6.2.1)."""
    groups = name.split("=")
    return groups + [""] * (_GROUPS - len(groups))


def _canonical_number(vr: str, text: str) -> str:
    if vr == "IS" and _INTEGER.fullmatch(text):
        return str(int(text))
    if vr == "DS" and _DECIMAL.fullmatch(text):
        return repr(float(text) + 0.0)  # the sum makes -0.0 the 0.0 that it equals
    return text


def _after(prefix: str) -> str | None:
    """The least text that is greater than all that begin with `prefix`; None when there is none."""
    while prefix:
        last = ord(prefix[-1]) + 1
        if last <= 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if last == 0xD800 else last)  # surrogates are no characters, and UTF-8 has none
        prefix = prefix[:-1]
    return None
