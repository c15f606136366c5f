"""F: PDUs that are wrong, or come at the wrong time."""

from __future__ import annotations

from struct import pack
from typing import Final

from dimse.judge.case import Associate, Await, AwaitEnd, Case, Echo, Send, Shut
from dimse.judge.cases.outcomes import (
    ABORT_CLOSED,
    ABORT_STA2,
    ABORT_STA2_CLOSED,
    ANY_ABORT,
    INVALID,
    UNEXPECTED,
)
from dimse.judge.wire import (
    ABORT,
    APPLICATION,
    COMMAND,
    ECHO,
    ECHO_CONTEXT,
    ECHO_MESSAGE,
    ITEMS,
    LAST,
    RELEASE,
    STORE_CONTEXT,
    USER,
    Request,
    Scene,
    Stimulus,
    command,
    instance_uid,
    message,
    p_data,
    pdv,
    raw_pdu,
    store_fields,
)
from pdu.values import replace

GRID: Final = "PS3.8 Table 9-10"
EVT19: Final = "PS3.8 Table 9-10, Evt19"
PDV_ITEM: Final = "PS3.8 9.3.5.1"
STORING: Final = Associate((ECHO_CONTEXT, STORE_CONTEXT), needs=(3,))
ECHOING: Final = Associate((ECHO_CONTEXT,))
REJECTED: Final = Request((APPLICATION, ECHO_CONTEXT, USER), version=0)
"""A request that is rejected for its protocol version."""
PDUS: Final = {
    "02": (raw_pdu(0x02, pack(">HH", 1, 0) + b"A".ljust(16) + b"B".ljust(16) + bytes(32) + b"".join(ITEMS[:1])), "A-ASSOCIATE-AC"),
    "03": (raw_pdu(0x03, bytes([0, 1, 1, 1])), "A-ASSOCIATE-RJ"),
    "04": (ECHO_MESSAGE, "P-DATA-TF"),
    "05": (RELEASE, "A-RELEASE-RQ"),
    "06": (raw_pdu(0x06, bytes(4)), "A-RELEASE-RP"),
}
SECOND_REQUEST: Final[tuple[str, Stimulus, str]] = ("01", Request(), "a second A-ASSOCIATE-RQ")
MUCH: Final = 1_048_576
PIECES: Final = [command(ECHO)[at : at + 14] for at in range(0, len(command(ECHO)), 14)]
ECHO_IN_FIVE: Final = b"".join(p_data(pdv(1, COMMAND, piece)) for piece in PIECES[:-1]) + p_data(pdv(1, COMMAND | LAST, PIECES[-1]))
"""A C-ECHO in five PDUs."""
PDV_LENGTHS: Final = {
    "0": (0, "a PDV of length 0, which has no room for its own header"),
    "1": (1, "a PDV of length 1, which has no room for its own header"),
    "FFFFFFFF": (0xFFFFFFFF, "a PDV that announces 4 GiB in a small PDU"),
    "80000000": (0x80000000, "a PDV that announces 2 GiB in a small PDU"),
    "9999": (9999, "a PDV that announces 9999 bytes in a PDU of 90"),
}


def too_long(scene: Scene) -> bytes:
    """A P-DATA-TF one byte longer than the provider takes, in a PDV that is right: the whole of it, unless that is very much."""
    length = scene.max_length + 1
    return p_data(pdv(1, COMMAND, bytes(min(length - 6, MUCH)), length=length - 4), length=length)


MACHINE: Final = (
    Case(
        "F-01/67",
        "an A-ASSOCIATE-RQ shorter than its fixed fields",
        EVT19,
        (Send(raw_pdu(0x01, bytes(67))), AwaitEnd()),
        ABORT_STA2_CLOSED,
        ABORT_CLOSED,
    ),
    Case("F-01/empty", "an A-ASSOCIATE-RQ without anything", EVT19, (Send(raw_pdu(0x01)), AwaitEnd()), ABORT_STA2_CLOSED, ABORT_CLOSED),
    Case(
        "F-02",
        "an A-ASSOCIATE-RQ that ends with the connection",
        "PS3.8 Table 9-10, Evt17",
        (Send(Request(length=300, first=100)), Shut(), AwaitEnd()),
        ("closed",),
        ABORT_CLOSED,
    ),
    *(
        Case(f"F-03/{kind}", f"{name} where an A-ASSOCIATE-RQ should come", GRID, (Send(data), AwaitEnd()), ABORT_STA2_CLOSED, ABORT_CLOSED)
        for kind, (data, name) in PDUS.items()
    ),
    Case(
        "F-03/07",
        "A-ABORT where an A-ASSOCIATE-RQ should come: closed, no answer",
        GRID,
        (Send(ABORT), AwaitEnd()),
        ("closed",),
        ABORT_CLOSED,
    ),
    *(
        Case(
            f"F-04/{kind:02X}",
            f"PDU type {kind:02X}H, which is none, in an association",
            EVT19,
            (ECHOING, Send(raw_pdu(kind, bytes(4))), AwaitEnd()),
            ("A-ABORT(2,1); closed",),
            ABORT_CLOSED,
        )
        for kind in (0x09, 0x00, 0xFF)
    ),
    *(
        Case(f"F-05/{kind}", f"{name} in an association", GRID, (ECHOING, Send(data), Await()), UNEXPECTED, ANY_ABORT)
        for kind, data, name in (
            SECOND_REQUEST,
            *((kind, *PDUS[kind]) for kind in ("02", "03", "06")),
        )
    ),
    Case(
        "F-06",
        "A-ASSOCIATE-AC where a C-STORE's data set should come",
        GRID,
        (STORING, Send(message(store_fields(instance_uid(106)), on=3)), Send(raw_pdu(0x02, pack(">H", 1) + bytes(66))), Await()),
        UNEXPECTED,
        ANY_ABORT,
    ),
    *(
        Case(
            f"F-07/{name}",
            title,
            PDV_ITEM,
            (ECHOING, Send(p_data(pdv(1, COMMAND | LAST, bytes(84), length=length))), Await()),
            INVALID,
            ANY_ABORT,
        )
        for name, (length, title) in PDV_LENGTHS.items()
    ),
    Case("F-08", "a P-DATA-TF without any PDV", "PS3.8 9.3.5", (ECHOING, Send(p_data()), Await()), INVALID, ANY_ABORT),
    Case(
        "F-09",
        "a P-DATA-TF longer than the provider said it takes",
        "PS3.8 D.1",
        (replace(ECHOING, limited=True), Send(too_long), Await()),
        INVALID,
        ANY_ABORT,
    ),
    Case(
        "F-11/0",
        "an A-RELEASE-RQ of length 0",
        "PS3.8 9.3.6",
        (ECHOING, Send(raw_pdu(0x05)), Await()),
        ("A-ABORT(2,*)", "A-RELEASE-RP"),
        ANY_ABORT,
    ),
    Case(
        "F-11/5",
        "an A-RELEASE-RQ of length 5",
        "PS3.8 9.3.6",
        (ECHOING, Send(raw_pdu(0x05, bytes(5))), Await()),
        ("A-ABORT(2,*)",),
        ("A-RELEASE-RP", *ANY_ABORT),
    ),
    Case(
        "F-11/FFFFFFFF",
        "an A-RELEASE-RQ that announces 4 GiB",
        "PS3.8 9.3.6",
        (ECHOING, Send(raw_pdu(0x05, bytes(4), length=0xFFFFFFFF)), Await()),
        ("A-ABORT(2,*)",),
        ("A-RELEASE-RP", *ANY_ABORT),
    ),
    Case(
        "F-12/reserved",
        "an A-ABORT whose source and reason are reserved ends the association",
        "PS3.8 9.3.8",
        (ECHOING, Send(raw_pdu(0x07, bytes([0, 0, 1, 9]))), AwaitEnd()),
        ("closed",),
    ),
    Case(
        "F-12/empty",
        "an A-ABORT of length 0 ends the association",
        "PS3.8 9.3.8",
        (ECHOING, Send(raw_pdu(0x07)), AwaitEnd()),
        ("closed", "A-ABORT(2,*); closed"),
        ABORT_CLOSED,
    ),
    Case(
        "F-13/bytes",
        "an association, a C-ECHO and a release, one byte a TCP segment",
        "PS3.8 9.1.3",
        (
            Send(Request((APPLICATION, ECHO_CONTEXT, USER)), piece=1),
            Await(),
            Send(ECHO_IN_FIVE, piece=1),
            Await(),
            Send(RELEASE, piece=1),
            Await(),
        ),
        ("A-ASSOCIATE-AC 1=0; C-ECHO-RSP 0000H; A-RELEASE-RP",),
    ),
    Case(
        "F-13/whole",
        "a C-ECHO in five PDUs and the release behind it in one TCP segment",
        "PS3.8 9.1.3",
        (ECHOING, Send(ECHO_IN_FIVE + RELEASE), Await(), Await()),
        ("C-ECHO-RSP 0000H; A-RELEASE-RP",),
    ),
    Case(
        "F-14",
        "A-ASSOCIATE-RQ, P-DATA-TF and A-RELEASE-RQ in one write: aborted, or served to the end",
        GRID,
        (Send(Request((APPLICATION, ECHO_CONTEXT, USER), behind=ECHO_MESSAGE + RELEASE)), AwaitEnd()),
        ("A-ABORT(2,*); closed", "A-ASSOCIATE-AC 1=0; C-ECHO-RSP 0000H; A-RELEASE-RP; closed"),
        (*ABORT_CLOSED, "A-ASSOCIATE-AC 1=0; A-ABORT(*); closed", "A-ASSOCIATE-AC 1=0; C-ECHO-RSP 0000H; A-RELEASE-RP; open"),
    ),
    *(
        Case(
            f"F-15/{name}",
            f"{what} behind a rejection",
            "PS3.8 Table 9-10, Sta13",
            (Send(REJECTED), Await(), Send(data), AwaitEnd()),
            allowed,
            ("A-ASSOCIATE-RJ(*); closed", "A-ASSOCIATE-RJ(*); A-ABORT(*); closed"),
        )
        for name, what, data, allowed in (
            ("rq", "A-ASSOCIATE-RQ", Request(), ("A-ASSOCIATE-RJ(*); A-ABORT(2,*); closed",)),
            ("p-data", "P-DATA-TF", ECHO_MESSAGE, ("A-ASSOCIATE-RJ(*); closed",)),
            ("garbage", "an unknown PDU", raw_pdu(0x2A, bytes(4)), ("A-ASSOCIATE-RJ(*); A-ABORT(2,*); closed",)),
        )
    ),
    Case(
        "F-15/silence",
        "nothing behind a rejection: closed by ARTIM",
        "PS3.8 Table 9-10, Sta13",
        (Send(REJECTED), AwaitEnd()),
        ("A-ASSOCIATE-RJ(*); closed",),
    ),
    Case(
        "F-15/release",
        "nothing behind a release, not even the end of the connection: closed by ARTIM, and holds up nobody",
        "PS3.8 Table 9-10, Sta13",
        (ECHOING, Send(RELEASE), Await(), Echo(), AwaitEnd()),
        ("A-RELEASE-RP; served; closed",),
        ("A-RELEASE-RP; not served; closed",),
    ),
    Case(
        "F-16",
        "three bytes that are no item at the end of an A-ASSOCIATE-RQ",
        EVT19,
        (Send(Request((*ITEMS, bytes([0x21, 0, 0])))), Await()),
        ABORT_STA2,
        ANY_ABORT,
        "answer",
    ),
)
