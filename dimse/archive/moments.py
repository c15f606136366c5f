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
_FORMS: Final = {"DA": _DATE, "TM": _TIME, "DT": _DATE_TIME}
_FIRST: Final = ("0001", "01", "01", "00", "00", "00", "000000")
_LAST: Final = ("9999", "12", "31", "23", "59", "59", "999999")


def span(vr: str, text: str) -> tuple[str, str] | None:
    """The first and the last moment that one DA, TM or DT value denotes, canonical; None when it is no such value.

    The old forms with dots (DA) and colons (TM) are understood too, as PS3.5 6.2 advises. A DT with an offset from UTC is brought
    to UTC; one without it is taken as it stands, since nothing tells the zone.
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
    return _date_time(parts[:7], parts[7])


def key_span(vr: str, text: str) -> tuple[str, str]:
    """The first and the last moment, both included, that a single value or a range key covers; ValueError when it is neither."""
    single = span(vr, text)
    if single is not None:
        return single
    for at in (place for place, character in enumerate(text) if character == "-"):
        low, high = text[:at].strip(" "), text[at + 1 :].strip(" ")
        first = (EARLIEST, EARLIEST) if not low else span(vr, low)
        last = (LATEST, LATEST) if not high else span(vr, high)
        if first and last and (low or high):
            return first[0], last[1]
    raise ValueError(f"is neither a {vr} value nor a range of two")


def _date_time(parts: tuple[str | None, ...], offset: str | None) -> tuple[str, str] | None:
    first, last = _fill(parts, _FIRST), _fill(parts, _LAST)
    if offset is None:
        return first, last
    try:
        return _to_utc(first, offset), _to_utc(last, offset)
    except (ValueError, OverflowError):  # a month 13, say, or the first hours of the year 1
        return None


def _to_utc(moment: str, offset: str) -> str:
    east = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5])) * (-1 if offset[0] == "-" else 1)
    day = min(int(moment[6:8]), _days_in(int(moment[:4]), int(moment[4:6])))
    second = min(int(moment[12:14]), 59)  # a leap second (PS3.5 6.2) counts as the one before it
    local = datetime(int(moment[:4]), int(moment[4:6]), day, int(moment[8:10]), int(moment[10:12]), second)  # noqa: DTZ001 - made UTC here
    return (local - east).strftime("%Y%m%d%H%M%S").rjust(14, "0") + moment[14:]


def _days_in(year: int, month: int) -> int:
    """The days of a month; the last moment of a month of which no day was given is on its last day."""
    return 31 if month == 12 else (datetime(year, month + 1, 1) - timedelta(days=1)).day  # noqa: DTZ001 - no moment, a length


def _fill(parts: tuple[str | None, ...], missing: tuple[str, ...]) -> str:
    """The parts as one text, those that are not there taken from `missing`; a fraction is filled up behind its last digit."""
    fraction = (parts[-1] or "").ljust(6, missing[-1][0]) if parts[-1] else missing[-1]
    return "".join(part or other for part, other in zip(parts[:-1], missing, strict=False)) + fraction
