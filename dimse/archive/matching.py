"""The matching of PS3.4 C.2.2.2, told twice: as SQL conditions, and as plain Python that says the same.

A key is read once (`read_key`) into tests of which any must hold; no test at all is universal matching. A stored text is read
into the words that the tests are put to (`words`): one for most attributes, each value and each component group where there are
several, none where the value is empty, so that an empty value matches a universal key only. `Test.accepts` judges a word in
Python, `Test.condition` writes the same judgement in SQL. `matches` is the whole rule in one line.

What PS3.4 leaves to the implementation (to be told in a conformance statement):
  - Person names match without regard to case, as a whole or in any of their component groups, trailing delimiters left out.
  - All other texts match with regard to case, leading and trailing spaces left out. Numbers (IS, DS) match by value.
  - A date or time key of less than full precision matches all that falls into it. Times need no date: no combined matching.
  - `*` alone is universal for every VR, although only the text VRs know wild cards: many clients send it in dates.
  - Several values in a key are alternatives. The standard has that for UIDs; it costs nothing to mean it for the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dimse.archive.moments import key_span, span

MAX_TEXT: Final = 10_240
"""Characters of one value of a key that may match: what the longest text that people enter, LT, may have (PS3.5 6.2)."""

MAX_VALUES: Final = 100_000
"""Values of one key: a list of UIDs as long as an identifier may be (4 MiB) has about as many."""
MAX_PATTERNS: Final = 100
"""Values of one key that are not compared for equality alone: each is a term of the statement, and SQLite nests at most 1,000."""

_WILD: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})  # C.2.2.2.4
_UNSPLIT: Final = frozenset({"LT", "ST", "UR", "UT"})  # a backslash is text in these (PS3.5 6.2)
_MOMENTS: Final = frozenset({"DA", "TM", "DT"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_STARS: Final = re.compile(r"\*{2,}")


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
        return _fits(self.pattern, word)

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
Key = tuple[Test, ...]
"""The tests of which any must hold; none of them is universal matching (C.2.2.2.3)."""


def read_key(vr: str, text: str) -> Key:
    """Reads the value of a key attribute; ValueError, with words that follow the keyword, when it is no key of that VR."""
    if not text.strip(" *\0"):
        return ()
    parts = [text] if vr in _UNSPLIT else text.split("\\", MAX_VALUES)
    if len(parts) > MAX_VALUES:
        raise ValueError(f"has more than {MAX_VALUES} values")
    values = [normal for part in parts if (normal := normalise(vr, part))]
    if not values or not all(value.strip("*") for value in values):
        return ()
    tests = tuple(_test(vr, value) for value in values if len(value) <= MAX_TEXT) or (Equal(""),)  # which no word is
    if len(tests) > MAX_PATTERNS and not all(isinstance(test, Equal) for test in tests):
        raise ValueError(f"has more than {MAX_PATTERNS} wildcards or ranges")
    return tests


def words(vr: str, several: bool, stored: str) -> tuple[str, ...]:
    """What the tests of a key are put to, from a stored text; nothing for an empty value."""
    parts = stored.split("\\") if several else [stored]
    found = [word for part in parts for word in _words(vr, part)]
    return tuple(dict.fromkeys(found))


def matches(vr: str, several: bool, stored: str, key: str) -> bool:
    """Whether a stored text matches a key: the plain reading of PS3.4 C.2.2.2."""
    tests = read_key(vr, key)
    return not tests or any(test.accepts(word) for word in words(vr, several, stored) for test in tests)


def condition(key: Key, column: str) -> Condition:
    """The same as SQL, for a column of words; the key must not be universal."""
    if len(key) > 1 and all(isinstance(test, Equal) for test in key):
        # One parameter for a list of any length: SQLite allows a limited number of them. The plus keeps its order of no account.
        texts = json.dumps([test.text for test in key if isinstance(test, Equal)])
        return Condition(f"{column} IN (SELECT value FROM json_each(?))", (texts,))
    parts = [test.condition(column) for test in key]
    if len(parts) == 1:
        return parts[0]
    return Condition(f"({' OR '.join(part.sql for part in parts)})", tuple(value for part in parts for value in part.values))


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


def _test(vr: str, value: str) -> Test:
    if vr in _MOMENTS:
        return Between(*key_span(vr, value))
    if vr == "PN" and not value.strip("=").count("="):
        value = value.strip("=")  # only one group is asked for: it may be found in any
    if vr in _WILD and ("*" in value or "?" in value):
        return Like(_STARS.sub("*", value))
    return Equal(value)


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


def _fits(pattern: str, text: str) -> bool:
    """Whether the text fits a pattern of `*` and `?`. Linear but for the text since the last `*`: no pattern makes it explode."""
    at = place = 0
    star, resume = -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, place
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[place]):
            at += 1
            place += 1
        elif star >= 0:
            resume += 1
            at, place = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")
