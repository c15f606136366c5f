"""The index: patients, studies, series and instances as rows of one SQLite database.

Threads. There is one connection that writes, and a lock around it: SQLite lets one writer in at a time anyway, and waiting for
a lock is cheaper than retrying. Readers borrow a connection from a pool for the length of one short query and give it back, so
there are as many connections as queries ran at one time, and any thread may run any query. The database is in WAL mode: neither
side waits for the other.

A search reads page by page, each from where the last one ended. Between pages it holds nothing, neither rows nor a connection
nor a snapshot, however long its reader takes.

The first instance of a patient, study or series gives that row its values. A study is known by its UID alone and stays with the
patient it first came with; a data set without a Patient ID gives each study a patient of its own, because nothing tells them
to be the same. A value is kept as text without padding, at most `Attribute.longest` characters of it; NULL where there is none.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

from dimse.archive.attributes import (
    BY_LEVEL,
    PATIENT_ID,
    SERIES_INSTANCE_UID,
    SPECIFIC_CHARACTER_SET,
    STUDY_INSTANCE_UID,
    Attribute,
    Level,
)
from dimse.archive.matching import Condition, clean, words
from dimse.archive.schema import INSERT, STORED, VERSION, make_tables, transaction, word_rows
from dimse.archive.texts import decode
from dimse.errors import UsageError
from pdu.values import dataclass, field

FIRST_PAGE, LARGEST_PAGE = 32, 512
"""Rows of a search that are read at once: few at first, for a quick first answer; more later, since each page searches anew."""

MISSING: Final = "it was missing"
DAMAGED: Final = "it was damaged"

_REMEMBERED: Final = 4096
"""Series whose row is remembered. Instances of a series come in a row, so nearly all find theirs."""

Value = str | int | bytes | None
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """What the index keeps of an instance besides its attributes: how to send it without a look into its file."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    offset: int
    """Where the data set begins in the file."""
    size: int
    """Bytes of the data set."""
    digest: bytes
    """SHA-256 of the data set."""


class Header:
    """The values that the header scan found, by tag, and their texts on demand."""

    __slots__ = ("_byte_order", "_raw", "character_set")

    def __init__(self, raw: Mapping[int, bytes], byte_order: Literal["little", "big"] = "little") -> None:
        self._raw = raw
        self._byte_order = byte_order
        self.character_set = decode(raw.get(SPECIFIC_CHARACTER_SET, b"")).strip(" \0")

    def __bool__(self) -> bool:
        return bool(self._raw)

    def text(self, attribute: Attribute) -> str:
        """The text of an attribute without padding, "" if there is none."""
        raw = self._raw.get(attribute.tag)
        if not raw:
            return ""
        if attribute.vr == "US":
            return str(int.from_bytes(raw[:2], self._byte_order))
        return clean(attribute.vr, decode(raw, self.character_set))[: attribute.longest]


@dataclass(frozen=True, slots=True)
class Search:
    """A query of the index: which columns of the rows of a level, on which conditions.

    `columns` are SQL expressions over the tables from `level` upwards; `tables` names those of them that are needed. With
    `heads` they may name the first instance of each row, too, whose values the row has: as `head`, at the level of instances itself.

    Rows come in the order in which they came in, or by the column `order`, which an index must have in order and none of the rows lacks.
    """

    level: Level
    columns: Sequence[str]
    conditions: Sequence[Condition] = ()
    tables: frozenset[Level] = field(default_factory=frozenset)
    heads: bool = False
    order: str = ""

    @property
    def start(self) -> Row:
        """What stands for the place before the first row."""
        return ("", 0) if self.order else (0,)

    def page(self, after: Row, rows: int) -> tuple[str, tuple[Value, ...]]:
        """The statement, and the values of its parameters, for the rows that come after a place: in each the place, then the columns."""
        row = f"{self.level.table}.id"
        place = f"{self.order}, {row}" if self.order else row
        columns = ", ".join([place, *self.columns])
        where = " AND ".join([f"({place}) > ({', '.join('?' * len(after))})", *(condition.sql for condition in self.conditions)])
        values = tuple(value for condition in self.conditions for value in condition.values)
        statement = f"SELECT {columns} FROM {self._source()} WHERE {where} ORDER BY {place} LIMIT ?"
        return statement, (*after, *values, rows)

    def _source(self) -> str:
        """The table with the ones above it joined, as far up as needed."""
        top = min(self.tables, default=self.level)
        source = self.level.table
        for level in sorted(Level, reverse=True):
            if top <= level < self.level:
                source += f" JOIN {level.table} ON {level.table}.id = {Level(level + 1).table}.{level.table}"
        if self.heads and self.level is not Level.IMAGE:
            source += f" LEFT JOIN instance AS head ON head.id = {_first_instance(self.level)}"
        return source


def _first_instance(level: Level) -> str:
    """The row of the instance that came first of those below a row, by the first study of a patient and so on."""
    first = f"{level.table}.id"
    for below in range(level + 1, len(Level)):
        table, above = Level(below).table, Level(below - 1).table
        first = f"(SELECT MIN(f{below}.id) FROM {table} AS f{below} WHERE f{below}.{above} = {first})"
    return first


class Index:
    """The index in the file `path`, made if there is none.

    `durable` makes each commit wait for the disk (PRAGMA synchronous=FULL); without it the last commits may be lost in a power cut,
    but the database stays whole. Raises `UsageError` if the file is none, or of another version. A file that may be damaged is what
    `repair` looks into first.
    """

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        connection = self._connect()
        try:
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            make_tables(connection, path)
            self._writing: Writing | None = Writing(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise _unusable(path, error) from None
            raise

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """One transaction, and the sole right to write that goes with it.

        Committed at the end of the block; an exception in it, or a commit that fails, undoes it.
        """
        with self._lock:
            if self._writing is None:
                raise UsageError("the archive is closed", advice="open it again to store in it")
            with self._writing.transaction():
                yield self._writing

    @property
    def total(self) -> int:
        """Bytes of the files of all instances; 0 once the index is closed."""
        return 0 if self._writing is None else self._writing.total

    def search(self, search: Search) -> Iterator[Row]:
        """The rows that a search finds, in its order; each holds the columns asked for."""
        after, rows = search.start, FIRST_PAGE
        while True:
            statement, values = search.page(after, rows)
            with self._reading() as connection:
                page: list[Row] = connection.execute(statement, values).fetchall()
            for row in page:
                yield row[len(after) :]
            if len(page) < rows:
                return
            after, rows = page[-1][: len(after)], min(2 * rows, LARGEST_PAGE)

    def counts(self) -> tuple[int, int, int, int]:
        """How many patients, studies, series and instances there are."""
        with self._reading() as connection:
            patients, studies, series, instances = (
                int(connection.execute(f"SELECT COUNT(*) FROM {level.table}").fetchone()[0]) for level in Level
            )
        return patients, studies, series, instances

    def close(self) -> None:
        """Closes all connections; a second time does nothing."""
        self._closed = True
        with self._lock:
            if self._writing is not None:
                self._writing.close()
                self._writing = None
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise UsageError("the archive is closed", advice="open it again to search it")
        try:
            connection = self._idle.pop()  # one operation on a list: atomic, like the append in `_give_back`
        except IndexError:
            connection = self._connect()
            connection.execute("PRAGMA query_only=ON")
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        """A connection that any thread may use, one at a time, and that leaves transactions to us.

        The file is not mapped into memory: a bad sector would be a signal then, and the end of the process.
        """
        return sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=30)


class Known(NamedTuple):
    """What a row says of the file of its instance."""

    offset: int
    size: int
    digest: bytes

    @property
    def length(self) -> int:
        """Bytes of the file."""
        return self.offset + self.size


class Writing:
    """The writing connection, and what may be done within a transaction of it (see `Index.writing`).

    `total` is how many bytes the files of all rows have, what this transaction adds included.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._series: dict[str, int] = {}
        self.total = int(connection.execute("SELECT bytes FROM total").fetchone()[0])

    def known(self, sop_instance_uid: str) -> Known | None:
        """What is known of the instance of this UID; None when there is no row of it."""
        statement = "SELECT offset, size, digest FROM instance WHERE SOPInstanceUID = ?"
        row = self._connection.execute(statement, (sop_instance_uid,)).fetchone()
        return None if row is None else Known(*row)

    def add(self, instance: Instance, header: Header) -> None:
        """Adds an instance, and the series, study and patient it belongs to where they are new."""
        series = self._series_of(header)
        own = (series, instance.transfer_syntax, instance.offset, instance.size, instance.digest)
        self._insert(Level.IMAGE, own, header)
        self.total += instance.offset + instance.size

    def remove(self, sop_instance_uid: str) -> None:
        """Takes an instance out, and what has no instances without it; does nothing where there is none."""
        statement = "SELECT id, series, offset + size FROM instance WHERE SOPInstanceUID = ?"
        row = self._connection.execute(statement, (sop_instance_uid,)).fetchone()
        if row is None:
            return
        self._connection.execute("DELETE FROM instance WHERE id = ?", row[:1])
        self.total -= row[2]
        self._series.clear()
        self._prune(Level.SERIES, row[1])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begins a transaction and commits it, or undoes it if anything fails. The caller holds the lock."""
        before = self.total
        try:
            with transaction(self._connection):
                yield
                if self.total != before:
                    self._connection.execute("UPDATE total SET bytes = ?", (self.total,))
        except BaseException:
            self._series.clear()  # some of these rows may be gone
            self.total = before
            raise

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _prune(self, level: Level, row: int) -> None:
        """Takes out a row that none below belongs to any more, and then perhaps the one above."""
        below = Level(level + 1).table
        if self._connection.execute(f"SELECT 1 FROM {below} WHERE {level.table} = ? LIMIT 1", (row,)).fetchone():
            return
        above = None
        if level is not Level.PATIENT:
            above = Level(level - 1)
            (owner,) = self._connection.execute(f"SELECT {above.table} FROM {level.table} WHERE id = ?", (row,)).fetchone()
        self._connection.execute(f"DELETE FROM {level.table}_word WHERE owner = ?", (row,))
        self._connection.execute(f"DELETE FROM {level.table} WHERE id = ?", (row,))
        if above is not None:
            self._prune(above, owner)

    def _series_of(self, header: Header) -> int:
        uid = header.text(_SERIES_UID)
        known = self._series.get(uid) or self._row("SELECT id FROM series WHERE SeriesInstanceUID = ?", uid)
        if known is None:
            known = self._insert(Level.SERIES, (self._study_of(header),), header)
        if len(self._series) >= _REMEMBERED:
            self._series.clear()
        self._series[uid] = known
        return known

    def _study_of(self, header: Header) -> int:
        known = self._row("SELECT id FROM study WHERE StudyInstanceUID = ?", header.text(_STUDY_UID))
        return known if known is not None else self._insert(Level.STUDY, (self._patient_of(header),), header)

    def _patient_of(self, header: Header) -> int:
        # A backslash separates values and so never stands in a Patient ID.
        identity = header.text(_PATIENT_ID) or "\\" + header.text(_STUDY_UID)
        known = self._row("SELECT id FROM patient WHERE identity = ?", identity)
        return known if known is not None else self._insert(Level.PATIENT, (identity,), header)

    def _row(self, statement: str, value: str) -> int | None:
        row = self._connection.execute(statement, (value,)).fetchone()
        return None if row is None else int(row[0])

    def _insert(self, level: Level, own: Row, header: Header) -> int:
        values: list[Value] = list(own)
        texts = []
        for attribute, has_key in STORED[level]:
            text = header.text(attribute)
            texts.append((attribute, text))
            values.append(text or None)
            if has_key:
                values.append(next(iter(words(attribute.vr, False, text)), None) if text else None)
        row = self._connection.execute(INSERT[level], values).lastrowid
        assert row is not None
        if level is not Level.IMAGE:
            rows = [(tag, word, row) for a, text in texts if text and a.has_words for tag, word in word_rows(a, text)]
            self._connection.executemany(f"INSERT INTO {level.table}_word VALUES (?, ?, ?)", rows)
        return row


_PATIENT_ID, _STUDY_UID, _SERIES_UID = (
    next(attribute for attribute in BY_LEVEL[level] if attribute.tag == tag)
    for level, tag in ((Level.PATIENT, PATIENT_ID), (Level.STUDY, STUDY_INSTANCE_UID), (Level.SERIES, SERIES_INSTANCE_UID))
)


def condition(path: Path) -> str:
    """Why the index in this file is to be made anew from the files; "" if it is sound.

    Raises `UsageError` where that would not help: the disk or the rights are to blame, or a later version of this program made it.
    """
    if not path.exists() or not path.stat().st_size:
        return MISSING
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
            return _condition(connection, path)
    except UnicodeError:  # in the name of a table
        return DAMAGED
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and _primary(error) != sqlite3.SQLITE_ERROR:  # a full disk, missing rights, a lock
            raise _unusable(path, error) from None
        return DAMAGED


def _condition(connection: sqlite3.Connection, path: Path) -> str:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version < VERSION:
        return f"it was of version {version}, and this program writes version {VERSION}"
    if version > VERSION:
        what = f"{path} is an index of version {version}; this program reads version {VERSION}"
        raise UsageError(what, advice="use the program that made it")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    return "" if sound and tables >= {"total", *(level.table for level in Level)} else DAMAGED


def _primary(error: sqlite3.Error) -> int:
    """The primary result code of SQLite; its generic one, which it gives also for a format that is none, where the error has none."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _unusable(path: Path, error: sqlite3.Error) -> UsageError:
    return UsageError(f"{path} cannot be used as an index: {error}", advice="see to the disk, or to who else uses it")
