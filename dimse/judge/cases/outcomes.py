"""Outcomes that many cases share (see `dimse.judge.case`)."""

from __future__ import annotations

from typing import Final

ANY_ABORT: Final = ("A-ABORT(*)",)
ABORT_STA2: Final = ("A-ABORT(0,0)",)
"""AA-1: in Sta2 there is no association yet, and the source is the service user's 0 (PS3.8 Table 9-9), the reason 0 (Table 9-26)."""
ABORT_STA2_CLOSED: Final = ("A-ABORT(0,0); closed",)
ABORT_CLOSED: Final = ("A-ABORT(*); closed",)
UNEXPECTED: Final = ("A-ABORT(2,2)",)
"""AA-8 for a PDU at the wrong time."""
INVALID: Final = ("A-ABORT(2,[456])",)
"""AA-8 for a PDU whose parameters are wrong."""
REFUSED: Final = ("A-ABORT(*)", "A-ASSOCIATE-RJ(1,*)")
ACCEPTED: Final = ("A-ASSOCIATE-AC*",)
ECHOED: Final = ("C-ECHO-RSP 0000H",)
STORED_OR_NOT: Final = ("C-STORE-RSP 0000H", "C-STORE-RSP [AC]???H", "C-STORE-RSP B00[067]H", "C-STORE-RSP 0110H", "C-STORE-RSP 0111H")
"""Whatever the provider thinks of an odd data set, it says so."""
NOT_STORED: Final = ("C-STORE-RSP [AC]???H", "C-STORE-RSP 0110H")
OTHER_FAILURES: Final = ("C-STORE-RSP 01??H", "C-STORE-RSP 02??H")
"""Failures that mean something else (PS3.7 Annex C): the instance is not kept, and who sent it knows."""
