"""The keys of a C-FIND that are dates and times: each by itself, a pair as one moment, and both in the asker's zone (PS3.4 C.2.2.2.5)."""

from __future__ import annotations

import re
from typing import Final

from dimse.archive.attributes import BY_TAG, TIMEZONE, TIMEZONE_OFFSET, Attribute, Level
from dimse.archive.heads import Asked
from dimse.archive.identifier import Wanted
from dimse.archive.matching import UNIVERSAL, Between, Condition, Demand, Key, Kind, Place, condition
from dimse.archive.moments import combined_span, combined_word, day_around, in_zone
from dimse.archive.plan import Plan, Slot, Spot, Values, place_of, table_of
from dimse.archive.schema import INDEXED_DATES

_NO_TIME: Final = "000000000000"
_OFFSET: Final = re.compile(r"[+-](?:0[0-9]|1[0-4])[0-5][0-9](?![0-9])")


def plan_times(plan: Plan) -> None:
    """Adds to a plan what comes of its dates and times. Raises `Refused` for a key that is none."""
    spots = {spot.wanted.tag: spot for spot in plan.times}
    for tag, spot in spots.items():
        if spot.wanted.vr == "DT":
            _add_moment(plan, spot)
        elif spot.wanted.vr == "DA":
            _add_pair(plan, spot, spots.get(partner_of(tag)))
        elif partner_of(tag) not in spots:
            _add_pair(plan, None, spot)


def partner_of(tag: int) -> int:
    """The time that belongs to a date, or the date to a time: `StudyDate` and `StudyTime`; -1 where there is none."""
    from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

    keyword = keyword_for_tag(tag)
    for mine, others, vr in (("Date", "Time", "TM"), ("Time", "Date", "DA")):
        if keyword.endswith(mine):
            other = tag_for_keyword(keyword.removesuffix(mine) + others)
            if other is not None and dictionary_VR(other) == vr:
                return other
    return -1


def text_at(values: Values, slot: Slot) -> str:
    """The text in a slot, "" where it has none."""
    value = values[slot]
    return value if isinstance(value, str) else ""


def _add_moment(plan: Plan, spot: Spot) -> None:
    """A DT, which may have an offset from UTC; one without is told at that of its data set, if it has any (PS3.3 C.12.1.1.8)."""
    if plan.identifier.zone:
        offset = _offset(plan, spot)
        plan.adjust.append(lambda values: values.__setitem__(spot.slot, _with_offset(values, spot.slot, offset)))
        _add_key(plan, spot)
    elif _OFFSET.search(spot.wanted.text):
        offset, key = _offset(plan, spot), _key(plan, spot)
        plan.checks.append(lambda values: key.accepts("DT", spot.several, _with_offset(values, spot.slot, offset)))
    else:
        _add_key(plan, spot)


def _add_pair(plan: Plan, date: Spot | None, time: Spot | None) -> None:
    """A date and its time, of which one may not be asked for."""
    given = [spot for spot in (date, time) if spot is not None]
    if plan.identifier.zone:
        day = date.slot if date else _partner(plan, given[0])
        hour = time.slot if time else _partner(plan, given[0])
        if day is not None and hour is not None:
            offset, zone = _offset(plan, given[0]), plan.identifier.zone
            plan.adjust.append(lambda values: _tell_pair(values, day, hour, offset, zone))
    if date is not None and time is not None and plan.identifier.options.combined:
        together = combined_span(date.wanted.text, time.wanted.text)
        if together is not None:
            _add_combined(plan, date, time, *together)
            return
    for spot in given:
        _add_key(plan, spot)


def _add_key(plan: Plan, spot: Spot) -> None:
    """One key: for SQL where it can decide; else for Python, and what it may come to for SQL."""
    vr, key = spot.wanted.vr, _key(plan, spot)
    if not key:
        return
    if spot.attribute is not None and not plan.identifier.zone:
        plan.conditions.append(condition(key, _place(plan, spot.attribute, key)))
        return
    plan.checks.append(lambda values: values[spot.slot] is not None and key.accepts(vr, spot.several, text_at(values, spot.slot)))
    if spot.attribute is not None and vr == "DA":
        around = _around(key)
        plan.conditions.append(condition(around, _place(plan, spot.attribute, around)))


def _add_combined(plan: Plan, date: Spot, time: Spot, low: str, high: str) -> None:
    if date.attribute is None or time.attribute is None or plan.identifier.zone:
        plan.checks.append(lambda values: low <= combined_word(text_at(values, date.slot), text_at(values, time.slot)) <= high)
    if date.attribute is None or time.attribute is None:
        return
    days = Key((_days(low[:8], high[:8]),))
    place = _place(plan, date.attribute, days)
    if plan.identifier.zone:
        plan.conditions.append(condition(days, place))
        return
    hour = place.column.replace(date.attribute.keyword, time.attribute.keyword)
    sql = f"{place.column} BETWEEN ? AND ? AND {place.column} || COALESCE({hour}, '{_NO_TIME}') BETWEEN ? AND ?"
    plan.conditions.append(place.within(Condition(sql, (low[:8], high[:8], low, high))))


def _place(plan: Plan, attribute: Attribute, key: Key) -> Place:
    """Where SQL finds a date or a time. A range of days that an index has in order is what the search goes by, if it may."""
    table = table_of(attribute, plan.identifier.level)
    place = place_of(attribute, table)
    if attribute.keyword not in INDEXED_DATES or table is not plan.identifier.level or plan.order or len(key.demands) != 1:
        return place
    plan.order = f"{table.table}.{place.column}"
    return Place(plan.order, place.none)


def _key(plan: Plan, spot: Spot) -> Key:
    return plan.identifier.read_key(spot.wanted, spot.wanted.vr, several=spot.several)


def _around(key: Key) -> Key:
    """A key of days as one that takes in what they may be in any zone."""
    if key.empty:
        return key
    tests = [test for demand in key.demands for way in demand for _, test in way if isinstance(test, Between)]
    return Key(tuple(_days(test.low, test.high) for test in tests))


def _days(low: str, high: str) -> Demand:
    return (((Kind.WORD, Between(*day_around(low, high))),),)


def _partner(plan: Plan, spot: Spot) -> Slot | None:
    """The slot of a partner that was not asked for itself."""
    tag = partner_of(spot.wanted.tag)
    if spot.attribute is not None:
        return plan.stored(BY_TAG[tag]) if tag in BY_TAG else None
    return plan.head(Asked(Wanted(tag, "TM" if spot.wanted.vr == "DA" else "DA"), False, UNIVERSAL)) if tag >= 0 else None


def _offset(plan: Plan, spot: Spot) -> Slot:
    """The slot of the offset from UTC that a value was told at."""
    if spot.attribute is not None:
        return plan.column(f"{_table(plan, spot.attribute).table}.{TIMEZONE_OFFSET.keyword}")
    return plan.head(Asked(Wanted(TIMEZONE, TIMEZONE_OFFSET.vr), False, UNIVERSAL))


def _table(plan: Plan, attribute: Attribute) -> Level:
    return table_of(attribute, plan.identifier.level)


def _with_offset(values: Values, slot: Slot, offset: Slot) -> str:
    """A DT with the offset of its data set, if it has none of its own."""
    text = text_at(values, slot)
    return text + text_at(values, offset) if text and not {"+", "-"} & set(text) else text


def _tell_pair(values: Values, date: Slot, time: Slot, offset: Slot, zone: str) -> None:
    values[date], values[time] = in_zone(text_at(values, date), text_at(values, time), text_at(values, offset), zone)
