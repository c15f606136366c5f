"""The matching of PS3.4 C.2.2.2 written down once more, as plainly as can be, from the standard and from the list of what it leaves open.

Nothing here knows the archive: dates are Python's dates, numbers are decimals, wild cards are regular expressions, and a query is a loop.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

LEVELS = ("STUDY", "SERIES", "IMAGE")
TEXTS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
OF_ONE_VALUE = {"LT", "ST", "UR", "UT"}


class NoKeyError(ValueError):
    """The value is no key of its VR."""


@dataclass
class Entity:
    """A study, a series or an instance, with its own values by keyword and what belongs to it."""

    uid: str
    values: Mapping[str, str]
    children: Sequence[Entity] = field(default_factory=list)


def find(studies: Sequence[Entity], level: str, keys: Mapping[str, tuple[str, str]]) -> list[str]:
    """The UIDs of the entities of a level that match all keys, given by keyword as VR and value (C.4.1.3.1).

    Raises `NoKeyError` for a key that is none, whatever there is to match.
    """
    for vr, key in keys.values():
        matches(vr, "", key)
    return sorted(
        uid
        for uid, values in _entities(studies, LEVELS.index(level), {})
        if all(matches(vr, values.get(keyword, ""), key) for keyword, (vr, key) in keys.items())
    )


def matches(vr: str, stored: str, key: str) -> bool:
    """Whether an attribute, of which the entity has these values, matches a key."""
    keys, values = _values(vr, key), _values(vr, stored)
    if not keys or any(not each.strip("*") or (vr == "PN" and _name_groups(each) == ["*"]) for each in keys):
        return True  # C.2.2.2.3, and "*" for every VR
    for each in keys:
        if vr in MOMENTS:
            _range(vr, each)
    return any(_matches_one(vr, value, each) for each in keys for value in values)


def _entities(entities: Sequence[Entity], depth: int, above: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    for entity in entities:
        values = {**above, **entity.values}
        if depth == 0:
            yield entity.uid, values
        else:
            yield from _entities(entity.children, depth - 1, values)


def _values(vr: str, text: str) -> list[str]:
    """The values of a value field that are any, without padding; a name of delimiters only is none."""
    if vr in OF_ONE_VALUE:
        return [text.rstrip(" ")] if text.strip(" ") else []
    values = [part.strip(" ") for part in text.split("\\")]
    return [value for value in values if (_name_groups(value) if vr == "PN" else value)]


def _matches_one(vr: str, value: str, key: str) -> bool:
    if vr == "PN":
        return _same_name(value, key)
    if vr in MOMENTS:
        try:
            first = MOMENTS[vr](value)[0]
        except NoKeyError:
            return False  # what is no date is in no range
        low, high = _range(vr, key)
        return (low is None or low <= first) and (high is None or first <= high)
    if vr in ("IS", "DS"):
        return _number(vr, value) == _number(vr, key)
    return _fits(value, key) if vr in TEXTS else value == key


def _fits(text: str, pattern: str) -> bool:
    """C.2.2.2.4."""
    regular = "".join(".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.fullmatch(regular, text, re.DOTALL) is not None


def _same_name(name: str, key: str) -> bool:
    """A name of one group is looked for in each group and in the whole; of several, each in its own (PS3.5 6.2.1)."""
    groups, asked = _name_groups(name), _name_groups(key)
    wanted = [(at, group) for at, group in enumerate(asked) if group.strip("*")]
    if len(wanted) == 1:
        return any(_fits(place, wanted[0][1]) for place in (*filter(None, groups), "=".join(groups)))
    return all(at < len(groups) and groups[at] and _fits(groups[at], group) for at, group in wanted)


def _name_groups(name: str) -> list[str]:
    """The component groups in one case, without trailing delimiters."""
    groups = [group.strip(" ").rstrip("^ ").lower() for group in name.split("=")]
    while groups and not groups[-1]:
        groups.pop()
    return groups


def _number(vr: str, text: str) -> Decimal | str:
    """The number that a text is, or the text."""
    try:
        return Decimal(int(text)) if vr == "IS" else Decimal(text)
    except (ValueError, InvalidOperation):
        return text


Moments = tuple[datetime, datetime]


def _range(vr: str, key: str) -> tuple[datetime | None, datetime | None]:
    """C.2.2.2.5: the ends that a key sets, both inside; a single value is the span that it denotes."""
    parse = MOMENTS[vr]
    try:
        return parse(key)
    except NoKeyError:
        pass
    dashes = [at for at, letter in enumerate(key) if letter == "-"]
    for at in dashes:
        low, high = key[:at].strip(" "), key[at + 1 :].strip(" ")
        try:
            ends = parse(low)[0] if low else None, parse(high)[1] if high else None
        except NoKeyError:
            continue
        if low or high:
            return ends
    raise NoKeyError(key)


def _date(text: str) -> Moments:
    found = re.fullmatch(r"(\d{4})(\d\d)(\d\d)|(\d{4})\.(\d\d)\.(\d\d)", text)
    if not found:
        raise NoKeyError(text)
    year, month, day = (int(part) for part in found.groups() if part)
    moment = datetime(year, month, day, tzinfo=UTC)
    return moment, moment


def _time(text: str) -> Moments:
    found = re.fullmatch(r"(\d\d)(\d\d)?(\d\d)?(?:\.(\d{1,6}))?", text.replace(":", ""))
    if not found or (found[4] and not found[3]):
        raise NoKeyError(text)
    return _span(["2000", "01", "01", *found.groups()])


def _datetime(text: str) -> Moments:
    found = re.fullmatch(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d{1,6}))?([+-]\d{4})?", text)
    if not found or (found[7] and not found[6]):
        raise NoKeyError(text)
    first, last = _span(list(found.groups()[:7]))
    offset = found[8] or "+0000"  # without a zone it is taken as it stands
    east = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:])) * (-1 if offset[0] == "-" else 1)
    return first - east, last - east


def _span(parts: list[str | None]) -> Moments:
    """The first and the last moment of what a year, month, day, hour, minute, second and fraction denote, as far as they are given."""
    year, month, day, hour, minute, second = (None if part is None else int(part) for part in parts[:6])
    assert year is not None
    last_month = month or 12
    last_day = day or calendar.monthrange(year, last_month)[1]
    low, high = ((parts[6] or "").ljust(6, digit) for digit in "09")
    first = datetime(year, month or 1, day or 1, hour or 0, minute or 0, second or 0, int(low), tzinfo=UTC)
    last_hour, last_minute, last_second = (
        (23 if hour is None else hour),
        (59 if minute is None else minute),
        (59 if second is None else second),
    )
    return first, datetime(year, last_month, last_day, last_hour, last_minute, last_second, int(high), tzinfo=UTC)


MOMENTS = {"DA": _date, "TM": _time, "DT": _datetime}
