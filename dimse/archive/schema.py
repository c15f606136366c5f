"""The tables of the index: one for each level, with the attributes of `attributes` as columns, and one of words for each but the last."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dimse.archive.attributes import Attribute, Level, stored_at
from dimse.archive.matching import Kind, words_by_kind
from dimse.errors import UsageError

VERSION: Final = 4
"""Of the tables; kept in the database. An index of an older one is made anew from the files, one of a newer one is not opened."""

_OWN: Final = {
    Level.PATIENT: ("identity TEXT NOT NULL UNIQUE",),
    Level.STUDY: ("patient INTEGER NOT NULL REFERENCES patient",),
    Level.SERIES: ("study INTEGER NOT NULL REFERENCES study",),
    Level.IMAGE: (
        "series INTEGER NOT NULL REFERENCES series",
        "transfer_syntax TEXT NOT NULL",
        "offset INTEGER NOT NULL",
        "size INTEGER NOT NULL",
        "digest BLOB NOT NULL",
    ),
}
"""The columns of each table that are no attributes."""

INDEXED_DATES: Final = frozenset({"PatientBirthDate", "StudyDate"})
"""Dates that an index finds by range."""

_INDEXES: Final = (
    "CREATE INDEX patient_by_id ON patient (PatientID)",
    "CREATE INDEX patient_by_birth_date ON patient (PatientBirthDate_key)",
    "CREATE UNIQUE INDEX study_by_uid ON study (StudyInstanceUID)",
    "CREATE INDEX study_by_patient ON study (patient)",
    "CREATE INDEX study_by_patient_id ON study (PatientID)",
    "CREATE INDEX study_by_birth_date ON study (PatientBirthDate_key)",
    "CREATE INDEX study_by_accession_number ON study (AccessionNumber)",
    "CREATE INDEX study_by_date ON study (StudyDate_key)",
    "CREATE UNIQUE INDEX series_by_uid ON series (SeriesInstanceUID)",
    "CREATE INDEX series_by_study ON series (study, Modality)",
    "CREATE UNIQUE INDEX instance_by_uid ON instance (SOPInstanceUID)",
    "CREATE INDEX instance_by_series ON instance (series)",
)


def word_tag(attribute: Attribute, kind: Kind) -> int:
    """What stands for an attribute in a table of words: its tag, and above it the kind of words."""
    return kind << 32 | attribute.tag


def word_rows(attribute: Attribute, text: str) -> Iterator[tuple[int, str]]:
    """What a table of words has of a text."""
    for kind, found in zip(Kind, words_by_kind(attribute.vr, attribute.several, text), strict=False):
        for word in found:
            yield word_tag(attribute, kind), word


def attribute_columns(attribute: Attribute) -> tuple[str, ...]:
    """The columns of an attribute: its text, and where it has one the canonical form it is matched through."""
    return (attribute.keyword, f"{attribute.keyword}_key") if attribute.has_key else (attribute.keyword,)


def _columns(level: Level) -> list[str]:
    own = [column.split()[0] for column in _OWN[level]]
    return own + [column for attribute in stored_at(level) for column in attribute_columns(attribute)]


def _insert_statement(level: Level) -> str:
    columns = _columns(level)
    return f"INSERT INTO {level.table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


STORED: Final = {level: tuple((attribute, attribute.has_key) for attribute in stored_at(level)) for level in Level}
INSERT: Final = {level: _insert_statement(level) for level in Level}


def make_tables(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    with transaction(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            what = f"{path} is an index of version {version}; this program reads version {VERSION}"
            raise UsageError(what, advice="use the program that made it")
        if version == 0:
            for statement in _schema():
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={VERSION}")


def _schema() -> Iterator[str]:
    for level in Level:
        columns = [column + " TEXT" for attribute in stored_at(level) for column in attribute_columns(attribute)]
        yield f"CREATE TABLE {level.table} (id INTEGER PRIMARY KEY, {', '.join([*_OWN[level], *columns])})"
        if level is not Level.IMAGE:
            yield (
                f"CREATE TABLE {level.table}_word (tag INTEGER NOT NULL, word TEXT NOT NULL, owner INTEGER NOT NULL,"
                " PRIMARY KEY (tag, word, owner)) WITHOUT ROWID"
            )
    yield from _INDEXES
    yield "CREATE TABLE total (bytes INTEGER NOT NULL)"  # of all files that have a row
    yield "INSERT INTO total VALUES (0)"


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
