"""Wild cards in Python (PS3.4 C.2.2.2.4): `*` stands for any characters, also none, and `?` for any one character.

A text from a file may have millions of characters, and a key some thousands: no pattern may take longer than a walk through the text.
"""

from __future__ import annotations


def fits(pattern: str, text: str) -> bool:
    """Whether the whole text fits a pattern."""
    first, *pieces = pattern.split("*")
    if not pieces:
        return len(text) == len(first) and _stands(first, text, 0)
    *pieces, last = pieces
    if not _stands(first, text, 0):
        return False
    place = len(first)
    for piece in pieces:  # each as far in front as it can be: nothing is lost by that
        place = _find(piece, text, place)
        if place < 0:
            return False
        place += len(piece)
    end = len(text) - len(last)
    return place <= end and _stands(last, text, end)


def _stands(piece: str, text: str, at: int) -> bool:
    """Whether a piece without `*` is what stands at a place."""
    return len(text) - at >= len(piece) and all(one in ("?", text[at + number]) for number, one in enumerate(piece))


def _find(piece: str, text: str, start: int) -> int:
    """The first place from `start` on at which a piece without `*` stands; -1 if there is none."""
    if "?" not in piece:
        return text.find(piece, start)
    any_one = sum(1 << number for number, one in enumerate(piece) if one == "?")
    places = dict.fromkeys(piece, any_one)
    for number, one in enumerate(piece):
        places[one] |= 1 << number
    begun, whole = 0, 1 << len(piece) - 1  # a bit for each beginning of the piece that ends at this character
    for at in range(start, len(text)):
        begun = (begun << 1 | 1) & places.get(text[at], any_one)
        if begun & whole:
            return at - len(piece) + 1
    return -1
