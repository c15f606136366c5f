"""Wild cards in Python: what they say, and that no key takes long, whatever the file holds."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from dimse.archive.matching import read_key
from dimse.archive.patterns import fits

_SHORT = st.text("ab", max_size=8)


@given(pattern=st.text("ab*?", max_size=8), text=_SHORT)
def test_a_pattern_fits_what_it_says(pattern: str, text: str) -> None:
    said = "".join({"*": ".*", "?": "."}.get(one, one) for one in pattern)
    assert fits(pattern, text) is bool(re.fullmatch(said, text))


@given(before=_SHORT, behind=_SHORT, piece=_SHORT)
def test_a_piece_is_found_wherever_it_stands(before: str, behind: str, piece: str) -> None:
    assert fits(f"*{piece}*", before + piece + behind)
    assert fits(f"*{piece}?*", before + piece + "c" + behind)


def test_a_long_pattern_in_a_long_text_takes_one_walk() -> None:
    text, key = "a" * 200_000, "a" * 2_000
    before = time.process_time()
    for pattern in (f"*{key}b", f"*{key}b*", f"*{key}?b*", f"*a?{key}b*"):
        assert not read_key("UT", pattern).accepts("UT", False, text)
    assert time.process_time() - before < 5


def test_a_list_as_long_as_an_identifier_is_not_walked_for_each_value() -> None:
    asked = read_key("UI", "\\".join(f"1.2.{number}" for number in range(50_000)), several=True)
    stored = "\\".join(f"1.9.{number}" for number in range(1_000))
    before = time.process_time()
    assert not asked.accepts("UI", True, stored)
    assert asked.accepts("UI", True, stored + "\\1.2.7")
    assert time.process_time() - before < 1
