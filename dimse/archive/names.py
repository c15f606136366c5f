"""Fuzzy matching of person names (PS3.4 C.2.2.2.1, which leaves the meaning to the implementation).

A name is taken as its words: the runs of letters and digits of all its component groups, without regard to case and to the marks
on letters. A word of a key accepts any word that has the same sound. A key fuzzily matches a name when each of its words accepts
some word of the name, in whatever order they stand. A word with wild cards accepts by its letters and not by sound, and a name
that the key matches literally matches anyway.

The sound of a word of Latin letters is Soundex: the first letter, and up to three digits for the consonants behind it, where
`h` and `w` part nothing and a vowel parts equal ones. `Mueller` and `Müller`, `Meyer` and `Maier` sound alike. A word in
another script, or with a digit in it, sounds like itself. Both the words and their sounds are kept in the tables of words, so that
an index finds them.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_PATTERN: Final = re.compile(r"[^\W_?*]*[?*][\w?*]*|[^\W_]+")
_LETTERS: Final = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "þ": "th", "ð": "d", "ı": "i"}
"""Letters whose mark is a part of them, for Unicode."""
_DIGITS: Final = {
    letter: digit
    for letters, digit in (("bfpv", "1"), ("cgjkqsxz", "2"), ("dt", "3"), ("l", "4"), ("mn", "5"), ("r", "6"))
    for letter in letters
}


def plain(text: str) -> str:
    """The text in one case and without the marks on its letters."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(_LETTERS.get(character, character) for character in apart if not unicodedata.combining(character))
    return unicodedata.normalize("NFC", bare)


def name_words(name: str) -> tuple[str, ...]:
    """The words of a name."""
    return tuple(dict.fromkeys(_WORD.findall(plain(name))))


def key_words(key: str) -> tuple[str, ...]:
    """The words and patterns of a key; a pattern that accepts anything asks for nothing."""
    return tuple(word for word in dict.fromkeys(_PATTERN.findall(plain(key))) if word.strip("*"))


def sound(word: str) -> str:
    """What a word sounds like."""
    if not (word.isascii() and word.isalpha()):
        return word
    told = [_DIGITS.get(letter, "") for letter in word if letter not in "hw"]
    runs = [digit for digit, _ in groupby(told)]
    behind = runs if word[0] in "hw" else runs[1:]
    return (word[0] + "".join(behind) + "000")[:4]
