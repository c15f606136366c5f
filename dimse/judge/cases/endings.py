"""R: endings of an association while something is under way."""

from __future__ import annotations

from typing import Final

from dimse.judge.case import Associate, Await, AwaitEnd, Case, Echo, Reset, Send, Shut
from dimse.judge.cases.outcomes import ANY_ABORT, UNEXPECTED
from dimse.judge.wire import (
    ABORT,
    DATA,
    ECHO_CONTEXT,
    ECHO_MESSAGE,
    RELEASE,
    STORE_CONTEXT,
    Store,
    data_set,
    instance_uid,
    message,
    p_data,
    pdv,
    store_fields,
)

STORING: Final = Associate((ECHO_CONTEXT, STORE_CONTEXT), needs=(3,))
HALF: Final = 0.5

ENDINGS: Final = (
    Case(
        "R-01",
        "A-RELEASE-RQ in the middle of a data set is agreed to",
        "PS3.8 Table 9-10, Evt12",
        (STORING, Send(Store(201, data_set(201), keep=HALF)), Send(RELEASE), Await()),
        ("A-RELEASE-RP",),
        ANY_ABORT,
    ),
    Case(
        "R-02/reset",
        "a TCP reset in the middle of a data set",
        "PS3.8 Table 9-10, Evt17",
        (STORING, Send(Store(202, data_set(202), keep=HALF)), Reset(), Echo()),
        ("served",),
    ),
    Case(
        "R-02/fin",
        "the connection is closed in the middle of a PDU",
        "PS3.8 Table 9-10, Evt17",
        (
            STORING,
            Send(message(store_fields(instance_uid(203)), on=3)),
            Send(p_data(pdv(3, DATA, bytes(100), length=1000), length=1004)),
            Shut(),
            AwaitEnd(),
        ),
        ("closed",),
        ("A-ABORT(*); closed",),
    ),
    Case(
        "R-02/abort",
        "A-ABORT between a command set and its data set",
        "PS3.8 Table 9-10, Evt16",
        (STORING, Send(message(store_fields(instance_uid(204)), on=3)), Send(ABORT), AwaitEnd()),
        ("closed",),
        ("A-ABORT(*); closed",),
    ),
    Case(
        "R-03",
        "P-DATA-TF behind the A-RELEASE-RQ",
        "PS3.8 Table 9-10, Sta8",
        (Associate((ECHO_CONTEXT,)), Send(RELEASE + ECHO_MESSAGE), Await()),
        (*UNEXPECTED, "A-RELEASE-RP"),
        ANY_ABORT,
    ),
)
