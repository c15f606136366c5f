"""A node that keeps things: instances as files, an index of them, queries and retrieves.

    node.py         `Archive`: the whole as the services of a provider, for `dimse.Server` and `dimse.aio.serve`
    storage.py      files and index: opened, kept in, closed
    layout.py       where what lies below the folder
    sink.py         one data set, from its first byte to a flushed file; the sink of C-STORE
    committer.py    the group commit: places and rows, many at a time where many come
    duplicates.py   whether two files hold one data set
    files.py        the system calls of writing
    repair.py       what a crash has left, mended at start; the index made anew
    checking.py     every file against its row
    examine.py      a file looked through to its end
    stored.py       instances on their way out
    index.py        SQLite: patients, studies, series, instances; pages of a search
    schema.py       its tables
    identifier.py   identifiers of C-FIND, C-MOVE and C-GET as they are understood
    options.py      what of them is negotiated
    plan.py         an identifier -> a search, and what SQL cannot decide; with it times.py and computed.py
    heads.py        what only the files have
    query.py        rows -> answers; the search of a C-MOVE or C-GET
    matching.py     the matching rules of PS3.4 C.2.2.2, in SQL and in plain Python
    moments.py      dates and times as text that sorts
    names.py        names that sound alike
    values.py       elements as text and back
    texts.py        character sets
    attributes.py   the table of the attributes that the index keeps

Behind a server:

    with Archive("data") as archive:
        Server("ARCHIVE", archive.services({"DEST": Address("DEST", "10.0.0.7", 104)})).serve("127.0.0.1", 4242)
"""

from __future__ import annotations

from dimse.archive.checking import Finding, check
from dimse.archive.node import Archive
from dimse.archive.repair import Repair, reindex

__all__ = ["Archive", "Finding", "Repair", "check", "reindex"]
