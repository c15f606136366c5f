"""The matching rules of PS3.4 C.2.2.2: a table read by a person, put to the plain reading and to SQL; and the two compared at random."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dimse.archive.matching import MAX_TEXT, Kind, Place, condition, matches, normalise, read_key, words_by_kind
from dimse.archive.options import Options


@dataclass(frozen=True)
class Row:
    clause: str
    vr: str
    stored: str
    key: str
    expected: bool
    several: bool = False


ROWS = [
    # Single value matching: exact, with regard to case, without the padding.
    Row("C.2.2.2.1", "LO", "Chest", "Chest", True),
    Row("C.2.2.2.1", "LO", "Chest", "chest", False),
    Row("C.2.2.2.1", "LO", "Chest", "Ches", False),
    Row("C.2.2.2.1", "LO", "Chest", "Chest ", True),
    Row("C.2.2.2.1", "LO", " Chest ", "Chest", True),
    Row("C.2.2.2.1", "LO", "Chest  CT", "Chest CT", False),
    Row("C.2.2.2.1", "SH", "", "A1", False),
    Row("C.2.2.2.1", "SH", "A_1", "A_1", True),
    Row("C.2.2.2.1", "SH", "AB1", "A_1", False),
    Row("C.2.2.2.1", "SH", "AB1", "A%", False),
    Row("C.2.2.2.1", "LO", "x", "' OR 1=1 --", False),
    Row("C.2.2.2.1", "LO", "' OR 1=1 --", "' OR 1=1 --", True),
    Row("C.2.2.2.1", "CS", "CT", "CT", True),
    Row("C.2.2.2.1", "CS", "CT", "ct", False),
    Row("C.2.2.2.1", "AS", "032Y", "032Y", True),
    Row("C.2.2.2.1", "UI", "1.2.3", "1.2.3\0", True),
    Row("C.2.2.2.1", "UI", "1.2.3", "1.2.30", False),
    Row("C.2.2.2.1", "UI", "1.2.3", "1.2.*", False),
    Row("C.2.2.2.1", "US", "512", "512", True),
    # Numbers: by value (left to the implementation).
    Row("C.2.2.2.1.4", "IS", "7", "007", True),
    Row("C.2.2.2.1.4", "IS", "+7", "7", True),
    Row("C.2.2.2.1.4", "IS", "-7", "7", False),
    Row("C.2.2.2.1.4", "IS", "seven", "seven", True),
    Row("C.2.2.2.1.4", "DS", "70", "7.0E1", True),
    Row("C.2.2.2.1.4", "DS", "70.5", "70", False),
    Row("C.2.2.2.1.4", "DS", "-0", "0", True),
    # Person names: without regard to case; trailing delimiters mean nothing; any component group will do.
    Row("C.2.2.2.1", "PN", "Doe^John", "doe^JOHN", True),
    Row("C.2.2.2.1", "PN", "Doe^John", "Doe", False),
    Row("C.2.2.2.1", "PN", "Doe^John^^^", "Doe^John", True),
    Row("C.2.2.2.1", "PN", "Doe^John", "Doe^John^^", True),
    Row("C.2.2.2.1", "PN", "Müller^Änne", "MÜLLER^änne", True),
    Row("C.2.2.2.1", "PN", "Müller^Änne", "Muller^Anne", False),
    Row("C.2.2.2.1", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada^tarou", True),
    Row("C.2.2.2.1", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "山田^太郎", True),
    Row("C.2.2.2.1", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "=山田^太郎", True),
    Row("C.2.2.2.1", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
    Row("C.2.2.2.1", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou=山田^太郎", True),
    Row("C.2.2.2.1", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou==やまだ^たろう", True),
    Row("C.2.2.2.1", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou=やまだ^たろう", False),
    Row("C.2.2.2.1", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Hanako=山田^太郎", False),
    Row("C.2.2.2.1", "PN", "Yamada^Tarou", "Yamada^Tarou=山田^太郎", False),
    Row("C.2.2.2.4", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "yam*=山*=や*", True),
    Row("C.2.2.2.4", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "yam*=や*", False),
    Row("C.2.2.2.4", "PN", "Yamada^Tarou=山田^太郎", "=山*", True),
    Row("C.2.2.2.4", "PN", "Yamada^Tarou=山田^太郎", "??yamada^tarou", False),
    Row("C.2.2.2.4", "PN", "Yamada^Tarou", "*=*", True),
    Row("C.2.2.2.4", "PN", "Yamada^Tarou", "yam*=*", True),
    Row("C.2.2.2.1", "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "山田", False),
    # List of UID matching.
    Row("C.2.2.2.2", "UI", "1.2.3", "1.2.4\\1.2.3", True),
    Row("C.2.2.2.2", "UI", "1.2.3", "1.2.4\\1.2.5", False),
    Row("C.2.2.2.2", "UI", "1.2.3", "1.2.4\\\\1.2.3", True),
    Row("C.2.2.2.2", "UI", "1.2.3", "\\", True),
    # Universal matching.
    Row("C.2.2.2.3", "LO", "Chest", "", True),
    Row("C.2.2.2.3", "LO", "", "", True),
    Row("C.2.2.2.3", "PN", "", "*", True),
    Row("C.2.2.2.3", "DA", "", "", True),
    Row("C.2.2.2.3", "DA", "20200229", "*", True),
    Row("C.2.2.2.3", "UI", "1.2.3", "*", True),
    Row("C.2.2.2.3", "LO", "Chest", "  ", True),
    # Wild card matching.
    Row("C.2.2.2.4", "LO", "Chest CT", "Chest*", True),
    Row("C.2.2.2.4", "LO", "Chest", "Chest*", True),
    Row("C.2.2.2.4", "LO", "Chest", "chest*", False),
    Row("C.2.2.2.4", "LO", "Chest CT", "*CT", True),
    Row("C.2.2.2.4", "LO", "Chest CT", "*st*", True),
    Row("C.2.2.2.4", "LO", "Chest CT", "C*C*T", True),
    Row("C.2.2.2.4", "LO", "Chest CT", "C*T*C", False),
    Row("C.2.2.2.4", "LO", "Chest", "Ch?st", True),
    Row("C.2.2.2.4", "LO", "Chst", "Ch?st", False),
    Row("C.2.2.2.4", "LO", "Chest", "?????", True),
    Row("C.2.2.2.4", "LO", "Chest", "??????", False),
    Row("C.2.2.2.4", "LO", "Chest", "**", True),
    Row("C.2.2.2.4", "LO", "", "**", True),
    Row("C.2.2.2.4", "LO", "", "?*", False),
    Row("C.2.2.2.4", "LO", "[a-z]b", "[a-z]*", True),
    Row("C.2.2.2.4", "LO", "bcd", "[a-z]*", False),
    Row("C.2.2.2.4", "LO", "50% off", "50%*", True),
    Row("C.2.2.2.4", "LO", "500", "5%*", False),
    Row("C.2.2.2.4", "LO", "äöü", "ä?ü", True),
    Row("C.2.2.2.4", "CS", "MR", "M*", True),
    Row("C.2.2.2.4", "AE", "STORE1", "STORE?", True),
    Row("C.2.2.2.4", "PN", "Doe^John", "DOE*", True),
    Row("C.2.2.2.4", "PN", "Doe^John", "d?e^*", True),
    Row("C.2.2.2.4", "PN", "Doe^John", "*john", True),
    Row("C.2.2.2.4", "PN", "Doe^John", "*doe", False),
    Row("C.2.2.2.4", "PN", "Straße^Uwe", "STRA?E*", True),
    Row("C.2.2.2.4", "PN", "Yamada^Tarou=山田^太郎", "山*", True),
    Row("C.2.2.2.4", "PN", "Yamada^Tarou=山田^太郎", "tarou*", False),
    Row("C.2.2.2.4", "LT", "two\\lines", "two\\*", True),
    # Range matching of dates.
    Row("C.2.2.2.5.1", "DA", "20200229", "20200229", True),
    Row("C.2.2.2.5.1", "DA", "20200229", "20200228", False),
    Row("C.2.2.2.5.1", "DA", "20200229", "20200101-20201231", True),
    Row("C.2.2.2.5.1", "DA", "20200229", "20200101 - 20201231", True),
    Row("C.2.2.2.5.1", "DA", "20200229", "20200229-20200229", True),
    Row("C.2.2.2.5.1", "DA", "20200229", "20200301-20201231", False),
    Row("C.2.2.2.5.1", "DA", "20200229", "20201231-20200101", False),
    Row("C.2.2.2.5.1", "DA", "20200229", "-20200229", True),
    Row("C.2.2.2.5.1", "DA", "20200229", "-20200228", False),
    Row("C.2.2.2.5.1", "DA", "20200229", "20200229-", True),
    Row("C.2.2.2.5.1", "DA", "20200229", "20200301-", False),
    Row("C.2.2.2.5.1", "DA", "", "19000101-", False),
    Row("C.2.2.2.5.1", "DA", "not a day", "19000101-", False),
    Row("C.2.2.2.5.1", "DA", "2020.02.29", "20200229", True),
    Row("C.2.2.2.5.1", "DA", "20200229", "2020.02.01-2020.03.01", True),
    # Range matching of times; a value of less precision is the whole of its span in a key, its beginning when stored.
    Row("C.2.2.2.5.2", "TM", "103000", "103000", True),
    Row("C.2.2.2.5.2", "TM", "103000", "103000.000000", True),
    Row("C.2.2.2.5.2", "TM", "103000.5", "103000.500000", True),
    Row("C.2.2.2.5.2", "TM", "103000.5", "103000", True),
    Row("C.2.2.2.5.2", "TM", "103000", "10", True),
    Row("C.2.2.2.5.2", "TM", "103000", "1031", False),
    Row("C.2.2.2.5.2", "TM", "1030", "103000", True),
    Row("C.2.2.2.5.2", "TM", "103000", "10-11", True),
    Row("C.2.2.2.5.2", "TM", "113000", "10-11", True),
    Row("C.2.2.2.5.2", "TM", "120000", "10-11", False),
    Row("C.2.2.2.5.2", "TM", "103000", "-1030", True),
    Row("C.2.2.2.5.2", "TM", "103000", "1031-", False),
    Row("C.2.2.2.5.2", "TM", "233000", "2300-0100", False),
    Row("C.2.2.2.5.2", "TM", "10:30:00", "1030", True),
    # Range matching of date-times, with offsets from UTC.
    Row("C.2.2.2.5.3", "DT", "20200229103000", "20200229103000", True),
    Row("C.2.2.2.5.3", "DT", "20200229103000", "2020", True),
    Row("C.2.2.2.5.3", "DT", "20200229103000", "202003", False),
    Row("C.2.2.2.5.3", "DT", "20200229103000.25", "20200229-20200301", True),
    Row("C.2.2.2.5.3", "DT", "20200229103000", "-20200229", True),
    Row("C.2.2.2.5.3", "DT", "20200229103000", "20200301-", False),
    Row("C.2.2.2.5.3", "DT", "20200229103000+0100", "20200229093000+0000", True),
    Row("C.2.2.2.5.3", "DT", "20200229103000+0100", "20200229043000-0500", True),
    Row("C.2.2.2.5.3", "DT", "20200229103000+0100", "20200229040000-0500-20200229050000-0500", True),
    Row("C.2.2.2.5.3", "DT", "20200229103000+0100", "20200229103000+0000-", False),
    Row("C.2.2.2.5.3", "DT", "20201301103000+0100", "2020-2021", False),
    Row("C.2.2.2.5.3", "DT", "202002+0100", "20200131230000+0000", True),
    # Several values, any of which may match.
    Row("C.2.2.2", "LO", "A1\\B2", "B2", True, several=True),
    Row("C.2.2.2", "LO", "A1\\B2", "B*", True, several=True),
    Row("C.2.2.2", "LO", "A1\\B2", "A*2", False, several=True),
    Row("C.2.2.2", "LO", "A1\\B2", "C3", False, several=True),
    Row("C.2.2.2", "PN", "Doe^John\\Roe^Jane", "roe*", True, several=True),
    Row("C.2.2.2", "LO", "A1", "B2\\A1", True),
    Row("C.2.2.2", "LO", "A1", "B*\\A*", True),
]


def by_sql(vr: str, several: bool, stored: str, key: str, options: Options = Options()) -> bool:  # noqa: B008 - frozen
    """The answer of SQLite, with the words of the stored text as rows."""
    asked = read_key(vr, key, options, several=several)
    if not asked:
        return True
    owners = "EXISTS (SELECT 1 FROM t WHERE kind = "
    has_none = not any(normalise(vr, part) for part in (stored.split("\\") if several else [stored]))
    place = Place("word", str(int(has_none)), tuple((f"{owners}{kind} AND ", ")") for kind in Kind))
    where = condition(asked, place)
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE TABLE t (kind INTEGER, word TEXT)")
        kinds = words_by_kind(vr, several, stored)
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(kind, word) for kind, found in enumerate(kinds) for word in found])
        return bool(connection.execute(f"SELECT {where.sql}", where.values).fetchone()[0])
    finally:
        connection.close()


EMPTY, EACH, FUZZY = Options(empty=True), Options(multiple=True), Options(fuzzy=True)


@pytest.mark.parametrize(
    ("options", "row"),
    [
        # Empty values: two quotation marks, where that was agreed on.
        (EMPTY, Row("C.2.2.2.7", "LO", "", '""', True)),
        (EMPTY, Row("C.2.2.2.7", "LO", "x", '""', False)),
        (EMPTY, Row("C.2.2.2.7", "LO", '""', '""', False)),
        (EMPTY, Row("C.2.2.2.7", "PN", "^^=", '""', True)),
        (EMPTY, Row("C.2.2.2.7", "PN", "\\^", '""', True, several=True)),
        (EMPTY, Row("C.2.2.2.7", "PN", "a\\", '""', False, several=True)),
        (EMPTY, Row("C.2.2.2.7", "DA", "", '""', True)),
        (EMPTY, Row("C.2.2.2.7", "DA", "no day", '""', False)),
        (EMPTY, Row("C.2.2.2.7", "UI", "", '""', False)),
        (Options(), Row("C.2.2.2.7", "LO", "", '""', False)),
        (Options(), Row("C.2.2.2.7", "LO", '""', '""', True)),
        # Each of several values, where that was agreed on and the attribute may have several.
        (EACH, Row("C.2.2.2.8", "CS", "CT\\PT\\SR", "PT\\CT", True, several=True)),
        (EACH, Row("C.2.2.2.8", "CS", "CT\\SR", "PT\\CT", False, several=True)),
        (EACH, Row("C.2.2.2.8", "CS", "CT", "CT", True, several=True)),
        (EACH, Row("C.2.2.2.8", "CS", "CT", "CT\\MR", True)),
        (EACH, Row("C.2.2.2.8", "LO", "A1\\B2", "A*\\*", True, several=True)),
        (EACH, Row("C.2.2.2.8", "LO", "A1\\B2", "A*\\C*", False, several=True)),
        (EACH, Row("C.2.2.2.8", "UI", "1.2\\1.3", "1.3\\1.4", True, several=True)),
        (EACH, Row("C.2.2.2.8", "PN", "Doe^John\\Roe^Jane", "roe^jane\\doe^john", True, several=True)),
        (Options(), Row("C.2.2.2.8", "CS", "CT\\SR", "PT\\CT", True, several=True)),
        # Names that are alike, where that was agreed on.
        (FUZZY, Row("C.2.2.2.1", "PN", "Müller^Änne", "Mueller", True)),
        (FUZZY, Row("C.2.2.2.1", "PN", "Müller^Änne", "anne MULLER", True)),
        (FUZZY, Row("C.2.2.2.1", "PN", "Müller^Änne", "Miller^Bob", False)),
        (FUZZY, Row("C.2.2.2.1", "PN", "Meyer^Hans", "Maier^H*", True)),
        (FUZZY, Row("C.2.2.2.1", "PN", "Meyer^Hans", "Maier^B*", False)),
        (FUZZY, Row("C.2.2.2.1", "PN", "Meyer^Hans", "*", True)),
        (FUZZY, Row("C.2.2.2.1", "PN", "Meyer^Hans", "Schmidt\\Maier", True)),
        (FUZZY, Row("C.2.2.2.1", "PN", "O'Neil^Pat", "oneill", False)),
        (FUZZY, Row("C.2.2.2.1", "PN", "Doe?^John", "doe?^*", True)),
        (FUZZY, Row("C.2.2.2.1", "PN", "Yamada^Tarou=山田^太郎", "太郎", True)),
        (FUZZY, Row("C.2.2.2.1", "PN", "", "x", False)),
        (FUZZY, Row("C.2.2.2.1", "PN", "-", "-", True)),
        (FUZZY, Row("C.2.2.2.1", "LO", "Mueller", "Müller", False)),
        (Options(), Row("C.2.2.2.1", "PN", "Müller^Änne", "Mueller", False)),
    ],
    ids=str,
)
def test_a_row_of_the_rules_of_what_was_agreed_on(options: Options, row: Row) -> None:
    assert matches(row.vr, row.several, row.stored, row.key, options) is row.expected
    assert by_sql(row.vr, row.several, row.stored, row.key, options) is row.expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.clause} {row.vr} {row.stored!r} {row.key!r}")
def test_a_row_of_the_rules(row: Row) -> None:
    assert matches(row.vr, row.several, row.stored, row.key) is row.expected
    assert by_sql(row.vr, row.several, row.stored, row.key) is row.expected


@pytest.mark.parametrize(
    ("vr", "key"),
    [("DA", "2020*"), ("DA", "-"), ("DA", "yesterday"), ("TM", "1x"), ("TM", "10-11-12"), ("DT", "20"), ("DA", "20200101-x"), ("TM", "-")],
)
def test_a_key_that_is_no_date_or_time_is_told(vr: str, key: str) -> None:
    with pytest.raises(ValueError, match=f"neither a {vr} value nor a range"):
        read_key(vr, key)


TEXTS = st.text(alphabet="aAbBäÄßẞ^=*?[]-_%'\\ .1\U0010ffff\ud7ff", max_size=8)
MOMENT = st.text(alphabet="012", max_size=8) | st.sampled_from(
    ["20200229", "20200301", "10", "1030", "103000.5", "2020", "20200229103000+0100"]
)
MOMENT_KEYS = MOMENT | st.builds("{}-{}".format, MOMENT, MOMENT)


@given(
    vr=st.sampled_from(["LO", "SH", "CS", "PN", "UI", "LT", "IS", "DS", "AS"]),
    several=st.booleans(),
    stored=TEXTS,
    key=TEXTS | st.just('""'),
    options=st.builds(Options, fuzzy=st.booleans(), empty=st.booleans(), multiple=st.booleans()),
)
@example("LO", False, "**", "?*", Options())
@example("LO", False, "\U0010ffffx", "\U0010ffff*", Options())
@example("LO", False, "\ud7ff\ue000", "\ud7ff*", Options())
def test_sql_and_the_plain_reading_agree_on_texts(vr: str, several: bool, stored: str, key: str, options: Options) -> None:
    assert by_sql(vr, several, stored, key, options) is matches(vr, several, stored, key, options)


@given(several=st.booleans(), stored=TEXTS, key=TEXTS)
def test_what_matches_literally_is_alike(several: bool, stored: str, key: str) -> None:
    if matches("PN", several, stored, key):
        assert matches("PN", several, stored, key, FUZZY)


@given(vr=st.sampled_from(["DA", "TM", "DT"]), stored=MOMENT, key=MOMENT_KEYS)
def test_sql_and_the_plain_reading_agree_on_moments(vr: str, stored: str, key: str) -> None:
    try:
        expected = matches(vr, False, stored, key)
    except ValueError:
        return
    assert by_sql(vr, False, stored, key) is expected


@given(stored=TEXTS, key=TEXTS)
def test_a_pattern_that_is_more_general_matches_no_less(stored: str, key: str) -> None:
    key = key.strip(" ")  # inside of a longer key these would be no padding
    if "\\" not in key and matches("LO", False, stored, key):
        assert matches("LO", False, stored, key + "*")
        assert matches("LO", False, stored, "*" + key)


def test_no_pattern_explodes() -> None:
    stored, key = "a" * 64, "*a" * 31 + "*b"
    before = time.process_time()
    assert not matches("LO", False, stored, key)
    assert not by_sql("LO", False, stored, key)
    for vr in ("DS", "IS", "DA", "TM", "DT"):
        with suppress(ValueError):  # too many of them, or none
            read_key(vr, "\\".join(["1" * (MAX_TEXT - 1) + "x"] * 100))
    assert time.process_time() - before < 1


def test_a_key_longer_than_any_value_matches_nothing() -> None:
    assert not matches("LO", False, "x", "x" * (MAX_TEXT + 1))
    assert not by_sql("LO", False, "x", "*" + "[" * 65_000)
    assert by_sql("LO", False, "x", "x" * (MAX_TEXT + 1) + "\\x")
