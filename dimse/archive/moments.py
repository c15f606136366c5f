"""Dates and times as text that sorts: what a DA, TM or DT value denotes, and what a range key covers (PS3.4 C.2.2.2.5).

A value of less than full precision denotes a span: the TM `10` is the hour from 10:00 until just before 11:00. A stored value
stands for its first moment; a key takes in the whole of its span, so that `10`, `1030` and `10-11` all match a stored `103000`.
Canonical text is `YYYYMMDD`, `HHMMSSffffff` and the two together for DT: equal moments are equal texts, later ones are greater.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

EARLIEST: Final = ""
LATEST: Final = "~"  # greater than any digit

_DATE: Final = re.compile(r"([0-9]{4})(?:\.?)([0-9]{2})(?:\.?)([0-9]{2})")
_TIME: Final = re.compile(r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:\.([0-9]{1,6}))?)?)?")
_DATE_TIME: Final = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?)?)?)?"
    r"([+-](?:0[0-9]|1[0-4])[0-5][0-9])?"
)
_ZONE: Final = re.compile(r"[+-](?:0[0-9]|1[0-4])[0-5][0-9]")
_FORMS: Final = {"DA": _DATE, "TM": _TIME, "DT": _DATE_TIME}
_FIRST: Final = ("0001", "01", "01", "00", "00", "00", "000000")
_LAST: Final = ("9999", "12", "31", "23", "59", "59", "999999")


def span(vr: str, text: str, zone: str = "") -> tuple[str, str] | None:
    """The first and the last moment that one DA, TM or DT value denotes, canonical; None when it is no such value.

    The old forms with dots (DA) and colons (TM) are understood too, as PS3.5 6.2 advises. A DT with an offset from UTC is brought
    to UTC; one without it is of this `zone`, or taken as it stands, when nothing tells the zone.
    """
    match = _FORMS[vr].fullmatch(text)
    if match is None:
        return None
    parts = match.groups()
    if vr == "DA":
        day = "".join(parts)
        return day, day
    if vr == "TM":
        return _fill(parts, _FIRST[3:]), _fill(parts, _LAST[3:])
    return _date_time(parts[:7], parts[7] or zone)


def key_span(vr: str, text: str, zone: str = "") -> tuple[str, str]:
    """The first and the last moment, both included, that a single value or a range key covers; ValueError when it is neither."""
    found = span(vr, text, zone) or range_span(vr, text, zone)
    if found is None:
        raise ValueError(f"is neither a {vr} value nor a range of two")
    return found


def range_span(vr: str, text: str, zone: str = "") -> tuple[str, str] | None:
    """The same of a range only, `EARLIEST` or `LATEST` at an end that is open; None when it is no range (C.2.2.2.5)."""
    for at in (place for place, character in enumerate(text) if character == "-"):
        low, high = text[:at].strip(" "), text[at + 1 :].strip(" ")
        first = (EARLIEST, EARLIEST) if not low else span(vr, low, zone)
        last = (LATEST, LATEST) if not high else span(vr, high, zone)
        if first and last and (low or high):
            return first[0], last[1]
    return None


def combined_span(date: str, time: str) -> tuple[str, str] | None:
    """What a date key and a time key cover as one moment; None unless both are ranges that are open at the same ends (C.2.2.2.5)."""
    days, hours = range_span("DA", date.strip(" ")), range_span("TM", time.strip(" "))
    if days is None or hours is None:
        return None
    (first, last), (early, late) = days, hours
    if (first == EARLIEST, last == LATEST) != (early == EARLIEST, late == LATEST):
        return None
    return first + early, last if last == LATEST else last + late


def combined_word(date: str, time: str) -> str:
    """A stored date and time as one moment; a date without a time stands for its beginning; "" where there is no date."""
    day, hour = span("DA", date), span("TM", time)
    return "" if day is None else day[0] + ("0" * 12 if hour is None else hour[0])


def is_zone(text: str) -> bool:
    """Whether this is an offset from UTC, such as `+0100` (PS3.3 C.12.1.1.8)."""
    return _ZONE.fullmatch(text) is not None


def in_zone(date: str, time: str, offset: str, zone: str) -> tuple[str, str]:
    """A date and a time that were told at an offset from UTC, as somebody in `zone` tells them.

    As they stand where one of them is missing or none, or the offset is; the time keeps its precision, but for the minutes.
    """
    day, hour = _DATE.fullmatch(date), _TIME.fullmatch(time)
    if day is None or hour is None or offset == zone or not (is_zone(offset) and is_zone(zone)):
        return date, time
    hours, minutes, seconds, fraction = hour.groups()
    try:
        there = datetime.strptime("".join(day.groups()) + hours + (minutes or "00"), "%Y%m%d%H%M")  # noqa: DTZ007 - shifted here
        here = there - _east(offset) + _east(zone)
    except (ValueError, OverflowError):
        return date, time
    rest = (seconds or "") + (f".{fraction}" if fraction else "")
    return f"{here.year:04}{here:%m%d}", f"{here:%H%M}{rest}"


def day_around(low: str, high: str) -> tuple[str, str]:
    """A range of days, longer by one at both ends: what it may come to in any other zone."""
    return _neighbour(low, -1), _neighbour(high, 1)


def _date_time(parts: tuple[str | None, ...], offset: str) -> tuple[str, str] | None:
    first, last = _fill(parts, _FIRST), _fill(parts, _LAST)
    if not offset:
        return first, last
    try:
        return _to_utc(first, offset), _to_utc(last, offset)
    except (ValueError, OverflowError):  # a month 13, say, or the first hours of the year 1
        return None


def _to_utc(moment: str, offset: str) -> str:
    day = min(int(moment[6:8]), _days_in(int(moment[:4]), int(moment[4:6])))
    second = min(int(moment[12:14]), 59)  # a leap second (PS3.5 6.2) counts as the one before it
    local = datetime(int(moment[:4]), int(moment[4:6]), day, int(moment[8:10]), int(moment[10:12]), second)  # noqa: DTZ001 - made UTC here
    return (local - _east(offset)).strftime("%Y%m%d%H%M%S").rjust(14, "0") + moment[14:]


def _east(offset: str) -> timedelta:
    return timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5])) * (-1 if offset[0] == "-" else 1)


def _neighbour(day: str, days: int) -> str:
    try:
        other = datetime.strptime(day, "%Y%m%d") + timedelta(days=days)  # noqa: DTZ007 - a day of any zone
    except (ValueError, OverflowError):  # an open end, or no day of the calendar
        return LATEST if days > 0 else EARLIEST
    return f"{other.year:04}{other:%m%d}"


def _days_in(year: int, month: int) -> int:
    """The days of a month; the last moment of a month of which no day was given is on its last day."""
    return 31 if month == 12 else (datetime(year, month + 1, 1) - timedelta(days=1)).day  # noqa: DTZ001 - no moment, a length


def _fill(parts: tuple[str | None, ...], missing: tuple[str, ...]) -> str:
    """The parts as one text, those that are not there taken from `missing`; a fraction is filled up behind its last digit."""
    fraction = (parts[-1] or "").ljust(6, missing[-1][0]) if parts[-1] else missing[-1]
    return "".join(part or other for part, other in zip(parts[:-1], missing, strict=False)) + fraction
