"""T: what comes on the transport before anybody has said who they are, and what load does."""

from __future__ import annotations

from typing import Final

from dimse.judge.case import Associate, AwaitAll, AwaitEnd, Case, Connect, Echo, Leave, Repeat, Send
from dimse.judge.cases.outcomes import ABORT_CLOSED, ABORT_STA2_CLOSED
from dimse.judge.wire import COMMAND, ECHO_CONTEXT, LAST, STORE_CONTEXT, Request, item, p_data, pdv, raw_pdu

ARTIM: Final = "PS3.8 9.1.5"
EVT19: Final = "PS3.8 Table 9-10, Evt19"
LOCAL_LIMIT: Final = "PS3.8 9.3.4"
PATIENCE: Final = "PS3.8 7.3"
"""The standard has no clock in Sta6; whoever gives up uses A-ABORT."""

HTTP: Final = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CLIENT_HELLO: Final = bytes.fromhex("16 03 01 00 C8 01 00 00 C4 03 03") + bytes(193)
HALF_REQUEST: Final = Send(Request(first=20))
ZEROS: Final = bytes(65_536)
LIES: Final = Request(items=(item(0x10, b"1.2", length=0xFFF0),))
ONE_ECHO: Final = Associate((ECHO_CONTEXT,))


def _stalled(count: int) -> Case:
    return Case(
        f"T-02/{count}",
        f"{count} connections that stop in the middle of an A-ASSOCIATE-RQ hold up nobody",
        ARTIM,
        (Repeat(count, (HALF_REQUEST,)), Echo(), AwaitAll()),
        (f"served; {count} x closed",),
        (f"served; {count} x A-ABORT(*); closed", "served; * x closed; * x A-*"),
        rough=True,
    )


def _malformed(count: int) -> Case:
    return Case(
        f"T-09/{count}",
        f"{count} requests one after the other whose items overrun, and everybody else is served",
        EVT19,
        (Repeat(count, (Send(LIES),), leave=True), Echo()),
        ("served",),
        rough=True,
    )


ALL_IN: Final = "A-ASSOCIATE-AC"
"""What comes on each association that has a place."""
FULL: Final = "A-ASSOCIATE-RJ(2,3,[12])"
OTHERWISE_FULL: Final = "A-ASSOCIATE-RJ(2,*)"


TRANSPORT: Final = (
    Case(
        "T-01",
        "a connection on which nothing is said is closed by ARTIM, without a PDU, and holds up nobody",
        ARTIM,
        (Connect(), Echo(), AwaitEnd()),
        ("served; closed",),
        ("served; A-ABORT(*); closed", "not served; closed", "not served; A-ABORT(*); closed"),
    ),
    _stalled(11),
    _stalled(200),
    Case(
        "T-03",
        "an A-ASSOCIATE-RQ that trickles in byte by byte is cut off by ARTIM, which bytes do not restart",
        ARTIM,
        (Send(Request(), trickle=True), AwaitEnd()),
        ("closed",),
        ABORT_CLOSED,
    ),
    Case(
        "T-04/header",
        "an A-ASSOCIATE-RQ that announces 4 GiB is refused for that",
        "PS3.8 9.3.2",
        (Send(raw_pdu(0x01, length=0xFFFFFFFF)), AwaitEnd()),
        ABORT_STA2_CLOSED,
        ("closed", *ABORT_CLOSED),
    ),
    Case(
        "T-04/flood",
        "an A-ASSOCIATE-RQ that announces 4 GiB is refused before 150 MiB of it are read",
        "PS3.8 9.3.2",
        (Send(raw_pdu(0x01, length=0xFFFFFFFF)), Send(ZEROS, times=2400), AwaitEnd()),
        ABORT_STA2_CLOSED,
        ("closed", *ABORT_CLOSED),
        rough=True,
    ),
    Case("T-05", "an HTTP request is no PDU", EVT19, (Send(HTTP), AwaitEnd()), ABORT_STA2_CLOSED, ABORT_CLOSED),
    Case("T-06", "TLS on the plain port is no PDU", EVT19, (Send(CLIENT_HELLO), AwaitEnd()), ABORT_STA2_CLOSED, ABORT_CLOSED),
    Case(
        "T-08",
        "12 connections that send an unknown PDU and go away hold up nobody",
        EVT19,
        (Repeat(12, (Send(raw_pdu(0x00)),), leave=True), Echo()),
        ("served",),
    ),
    _malformed(200),
    _malformed(10_000),
    Case(
        "T-10",
        "65 associations at once: one too many is told so at once, and released places are free",
        LOCAL_LIMIT,
        (Repeat(65, (ONE_ECHO,)), Leave(), Echo()),
        (f"65 x {ALL_IN}; served", f"* x {ALL_IN}; * x {FULL}; served"),
        (f"* x {ALL_IN}; * x {OTHERWISE_FULL}; served",),
        rough=True,
    ),
    Case(
        "T-11",
        "100 associations of one host: it is told what is too many, and others are served (if the echo comes from elsewhere)",
        LOCAL_LIMIT,
        (Repeat(100, (ONE_ECHO,)), Echo(), Leave(), Echo()),
        (f"100 x {ALL_IN}; *served; served", f"* x {ALL_IN}; * x {FULL}; *served; served"),
        (f"* x {ALL_IN}; * x {OTHERWISE_FULL}; *served; served",),
        rough=True,
    ),
    Case(
        "T-13",
        "silence in an association ends it sooner or later, and holds up nobody",
        PATIENCE,
        (ONE_ECHO, Echo(), AwaitEnd()),
        ("served; A-ABORT(*); closed",),
        ("served; closed", "served; open", "not served; A-ABORT(*); closed", "not served; closed"),
        deadline="idle",
    ),
    Case(
        "T-14",
        "a P-DATA-TF that stops half way ends the association sooner or later",
        PATIENCE,
        (
            Associate((ECHO_CONTEXT, STORE_CONTEXT)),
            Send(p_data(pdv(1, COMMAND | LAST, bytes(14), length=80), length=84)),
            AwaitEnd(),
        ),
        ABORT_CLOSED,
        ("closed", "open"),
        deadline="idle",
    ),
)
