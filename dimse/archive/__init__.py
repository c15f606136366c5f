"""A node that keeps things: instances as files, an index of them, queries and retrieves.

    node.py         `Archive`: the whole as the services of a provider, for `dimse.Server` and `dimse.aio.serve`
    storage.py      files: temporary file, checks, rename; the sink of C-STORE
    index.py        SQLite: patients, studies, series, instances; pages of a search
    schema.py       its tables
    query.py        identifiers of C-FIND, C-MOVE and C-GET -> searches; rows -> identifiers
    matching.py     the matching rules of PS3.4 C.2.2.2, in SQL and in plain Python
    moments.py      dates and times as text that sorts
    texts.py        character sets
    attributes.py   the table of the attributes that the index keeps

Behind a server:

    with Archive("data") as archive:
        Server("ARCHIVE", archive.services({"DEST": Address("DEST", "10.0.0.7", 104)})).serve("127.0.0.1", 4242)
"""

from __future__ import annotations

from dimse.archive.node import Archive

__all__ = ["Archive"]
