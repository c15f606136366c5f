"""Matches of a C-FIND for people, as aligned rows, and for programs, as JSON."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from dimse.cli.output import clean, plural
from dimse.data.datasets import DataSet
from dimse.errors import DataError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

WIDEST = 64
"""Places of a column: a UID fits, a paragraph is cut."""
AHEAD = 40
"""Rows that are held back to find out how wide the columns are."""
PATIENCE = 0.5
"""Seconds that a row is held back at most, if there are more to come."""
SPACE = "  "


class Table:
    """Rows of text under headings, printed as they come: the first few decide how wide the columns are."""

    def __init__(self, headings: Sequence[str], show: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._held: list[Sequence[str]] = [headings]
        self._widths: list[int] = []
        self._show = show
        self._clock = clock
        self._due = 0.0

    def row(self, cells: Sequence[str]) -> None:
        """Takes the next row."""
        if self._widths:
            self._show(self._line(cells))
            return
        self._held.append(cells)
        now = self._clock()
        if len(self._held) == 2:
            self._due = now + PATIENCE
        elif len(self._held) > AHEAD or now >= self._due:
            self.flush()

    def flush(self) -> None:
        """Prints the rows that are held back; the headings alone are not worth it."""
        if len(self._held) < 2:
            return
        self._widths = [min(WIDEST, max(map(_places, column))) for column in zip(*self._held, strict=True)]
        for cells in self._held:
            self._show(self._line(cells))
        self._held = []

    def _line(self, cells: Sequence[str]) -> str:
        return SPACE.join(_fill(_cut(cell), width) for cell, width in zip(cells, self._widths, strict=True)).rstrip()


def heading(tag: int) -> str:
    """The keyword of an attribute, or its tag if it has none."""
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag) or f"{tag:08X}"


def cells(match: DataSet, tags: Sequence[int]) -> list[str]:
    """The values of some attributes as text; empty for one that is missing. Raises `DataError` for wrong bytes."""
    return [_cell(match.get(tag)) for tag in tags]


def as_json(match: DataSet) -> dict[str, object]:
    """A data set as a JSON object: values by keyword. Raises `DataError` for wrong bytes.

    Several values are an array, items objects, numbers numbers, names and everything else text; bytes are base64 (PS3.18 F.2.7).
    """
    try:
        return _object(match.dataset)
    except DataError:
        raise
    except Exception as error:  # pydicom raises anything about values that it cannot convert
        raise DataError(f"a value cannot be read: {error}") from error


def full_text(match: DataSet) -> list[str]:
    """All of a data set, an element a line. Raises `DataError` for wrong bytes."""
    return [clean(line) for line in str(match).splitlines()]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, str) or not isinstance(value, Sequence):
        return clean(value)
    if any(hasattr(item, "keys") for item in value):
        return f"[{plural(len(value), 'item')}]"
    return clean("\\".join(map(str, value)))


def _object(ds: Dataset) -> dict[str, object]:
    found: dict[str, object] = {}
    for element in ds:
        name = element.keyword or f"{element.tag:08X}"
        found[name] = [_object(item) for item in element.value] if element.VR == "SQ" else _value(element.VR, element.value)
    return found


def _value(vr: str, value: Any) -> object:  # Any: a value of pydicom, whose type hangs on the VR
    if value is None or value == "":
        return None if vr in ("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT", "IS", "DS") else ""
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_value(vr, one) for one in value]
    if vr == "AT":
        return f"{int(value):08X}"
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) and isfinite(value) else str(value)  # JSON has no NaN


def _cut(cell: str) -> str:
    if _places(cell) <= WIDEST:
        return cell
    while _places(cell) > WIDEST - 3:
        cell = cell[: min(WIDEST - 3, len(cell) - 1)]
    return f"{cell}..."


def _fill(cell: str, width: int) -> str:
    return cell + " " * (width - _places(cell))


def _places(text: str) -> int:
    """How many places of a terminal's line a text takes: the characters of East Asia are two wide, and marks stand on others."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text)
