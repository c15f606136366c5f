"""The error tree: what it says, what it keeps, and that its drawing is right."""

from __future__ import annotations

import pickle

import pytest

from dimse import errors
from dimse.data.status import Status
from dimse.errors import (
    Aborted,
    AssociationError,
    ConnectionLost,
    ContextRefused,
    DataError,
    DimseError,
    OperationFailed,
    ProtocolError,
    Refused,
    Rejected,
    TimedOut,
    Unreachable,
    UsageError,
)
from pdu.codes import abort_words, rejection_words

EXAMPLES = [
    (
        Unreachable("pacs:104", ConnectionRefusedError(111, "Connection refused")),
        "cannot open a connection to pacs:104: [Errno 111] Connection refused (PS3.8 9.1.2); check host and port,",
    ),
    (Unreachable("pacs:104", TimeoutError()), "cannot open a connection to pacs:104: TimeoutError (PS3.8 9.1.2)"),
    (
        Rejected(1, 1, 7),
        f"the peer rejected the association: {rejection_words(1, 1, 7)} (result 1, source 1, reason 7) (PS3.8 9.3.4); give the AE title",
    ),
    (Rejected(1, 1, 3), "make this side's AE title known to the peer"),
    (Rejected(2, 3, 2), "try again later"),
    (Rejected(9, 9, 9), "(result 9, source 9, reason 9) (PS3.8 9.3.4); the peer's log"),
    (Aborted(0, 0, True), f"the peer aborted the association: {abort_words(0, 0)} (source 0, reason 0) (PS3.8 9.3.8); the peer's log"),
    (Aborted(2, 2, False, "a PDU came in Sta6"), "this side aborted the association because a PDU came in Sta6: "),
    (ConnectionLost(), "the connection closed before the association was released (PS3.8 9.2.3, AA-4)"),
    (ConnectionLost(OSError("reset")), "was released: reset (PS3.8"),
    (TimedOut("artim", 30), "gave up after 30 s: the wait 'artim' passed (PS3.8 9.1.5); a slow peer needs more: Timeouts(artim=...)"),
    (TimedOut("response", 0.5), "gave up after 0.5 s: the wait 'response' passed (PS3.8 7.3)"),
    (ContextRefused("no context for CT"), "no context for CT (PS3.8 7.1.1.14); propose the SOP class"),
    (ContextRefused("no context for CT", "convert it"), "no context for CT (PS3.8 7.1.1.14); convert it"),
    (ProtocolError("an answer to nothing", "PS3.7 9.3.5"), "the peer broke the protocol: an answer to nothing (PS3.7 9.3.5); the assoc"),
    (
        OperationFailed(Status(0xA702, "full", service="C-MOVE")),
        "C-MOVE failed: A702H Refused: out of resources, unable to perform sub-operations (full) (PS3.7 Annex C)",
    ),
    (OperationFailed(Status(0x0110)), "the operation failed: 0110H Failure: processing failure"),
    (DataError("no VR", 12, "PS3.5 7.1", "look again"), "no VR at offset 12 (PS3.5 7.1); look again"),
    (DataError("line 3: no tag"), "line 3: no tag"),
    (UsageError("the association is released", "PS3.8 7.2", "connect again"), "the association is released (PS3.8 7.2); connect again"),
    (UsageError("no"), "no"),
    (Refused(0xA700, "disk full", (0x00100010,)), "a handler refused the operation with status A700H: disk full (PS3.7 Annex C)"),
    (Refused(0x0110), "a handler refused the operation with status 0110H (PS3.7 Annex C)"),
]


@pytest.mark.parametrize(("error", "text"), EXAMPLES, ids=[type(e).__name__ for e, _ in EXAMPLES])
def test_text_attributes_and_pickling(error: DimseError, text: str) -> None:
    assert text in str(error)
    assert "\n" not in str(error)
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin).keys() == vars(error).keys() != set()


def test_attributes() -> None:
    rejected = Rejected(2, 3, 1)
    assert (rejected.result, rejected.source, rejected.reason, rejected.transient) == (2, 3, 1, True)
    assert not Rejected(1, 1, 1).transient
    aborted = Aborted(0, 2, by_peer=True, cause="why")
    assert (aborted.source, aborted.reason, aborted.by_peer, aborted.cause) == (0, 2, True, "why")
    refused = Refused(0xA801, "who?", (1, 2))
    assert (refused.status, refused.comment, refused.offending) == (0xA801, "who?", (1, 2))
    data = DataError("what", 3)
    assert (data.what, data.offset) == ("what", 3)


def test_kinds() -> None:
    assert issubclass(DataError, ValueError)
    assert issubclass(UsageError, RuntimeError)
    for kind in (Unreachable, Rejected, Aborted, ConnectionLost, TimedOut):
        assert issubclass(kind, AssociationError)


def test_every_class_is_drawn_where_it_stands() -> None:
    drawn: dict[str, int] = {}
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip(" │├└─").split(" ")[0]
        if name and (line.startswith("    ") or "─" in line) and isinstance(getattr(errors, name, None), type):
            drawn[name] = (len(line) - len(line.lstrip(" │├└─"))) // 4
    classes = {c.__name__: c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, DimseError)}
    assert drawn == {name: [b for b in c.__mro__ if issubclass(b, DimseError)].index(DimseError) + 1 for name, c in classes.items()}
