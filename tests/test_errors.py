"""The error tree: what it says, what it keeps, and that its drawing is right."""

from __future__ import annotations

import pickle
from dataclasses import fields

import pytest

from dimse import errors
from dimse.association.config import Timeouts
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
    TLSFailed,
    Unreachable,
    UsageError,
)
from pdu.codes import AbortReason, ContextResult, abort_words, rejection_words

EXAMPLES = [
    (
        Unreachable("pacs:104", ConnectionRefusedError(111, "Connection refused")),
        "cannot open a connection to pacs:104: Connection refused (PS3.8 9.1.2); check host and port,",
    ),
    (TLSFailed("pacs:104", "it is no TLS", "try plain"), "TLS with pacs:104 failed: it is no TLS (PS3.15 B.12); try plain"),
    (Unreachable("pacs:104", TimeoutError()), "cannot open a connection to pacs:104: no answer in time (PS3.8 9.1.2)"),
    (
        Rejected(1, 1, 7),
        f"the peer rejected the association: {rejection_words(1, 1, 7)} (result 1, source 1, reason 7) (PS3.8 9.3.4); give the AE title",
    ),
    (Rejected(1, 1, 3), "make this side's AE title known to the peer"),
    (Rejected(2, 3, 2), "try again later"),
    (Rejected(9, 9, 9), "(result 9, source 9, reason 9) (PS3.8 9.3.4); the standard has no such code: the peer's log"),
    (
        Aborted(0, 0, True),
        f"the peer aborted the association: {abort_words(0, 0)} (source 0, reason 0) (PS3.8 9.3.8); the peer's appli",
    ),
    (
        Aborted(2, 2, False, "a PDU came in Sta6"),
        "this side aborted the association because a PDU came in Sta6 (source 2, reason 2) (PS3.8 9.3.8); a trace shows",
    ),
    (ConnectionLost(), "the connection closed before the association was released (PS3.8 9.2.3, AA-4)"),
    (ConnectionLost(OSError("reset")), "was released: reset (PS3.8"),
    (
        TimedOut("artim", 30),
        "gave up after 30 s: the wait 'artim' passed and the PDU that was due did not come whole (PS3.8 9.1.5);",
    ),
    (
        TimedOut("response", 0.5),
        "gave up after 0.5 s: the wait 'response' passed and the peer was silent in the middle of an operation (P",
    ),
    (TimedOut("idle", 1), "; a slow peer needs more: Timeouts(idle=...), None for no limit"),
    (TimedOut("tea", 1), "gave up after 1 s: the wait 'tea' passed and what was awaited did not happen (PS3.8 7.3); a slow peer"),
    (Aborted(2, 6, True), "(source 2, reason 6) (PS3.8 9.3.8); the peer did not like a value"),
    (Aborted(1, 3, True), "(source 1, reason 3) (PS3.8 9.3.8); the standard has no such code"),
    (Rejected(1, 1, 7, by_peer=False), "this side rejected the association: rejected for good by the service user: called AE title"),
    (Rejected(1, 1, 7, by_peer=False), "reason 7) (PS3.8 9.3.4); the caller has to give this side's AE title as called"),
    (Rejected(2, 3, 2), "(PS3.8 9.3.4); try again later; the peer has as many associations as it takes"),
    (ProtocolError("bad \x1b[31m\n name"), r"bad \x1b[31m\n name"),
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
    for kind in (Unreachable, TLSFailed, Rejected, Aborted, ConnectionLost, TimedOut):
        assert issubclass(kind, AssociationError)


def test_every_class_is_drawn_where_it_stands() -> None:
    drawn: dict[str, int] = {}
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip(" │├└─").split(" ")[0]
        if name and (line.startswith("    ") or "─" in line) and isinstance(getattr(errors, name, None), type):
            drawn[name] = (len(line) - len(line.lstrip(" │├└─"))) // 4
    classes = {c.__name__: c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, DimseError)}
    assert drawn == {name: [b for b in c.__mro__ if issubclass(b, DimseError)].index(DimseError) + 1 for name, c in classes.items()}


def test_every_code_of_the_standard_has_its_advice() -> None:
    """Per rejection, per reason of an abort, per result of a context, per wait: each other words, and none the word for unknown codes."""
    rejections = [Rejected(1, source, reason).advice for source, reasons in REASONS.items() for reason in reasons]
    own = [Rejected(1, source, reason, by_peer=False).advice for source, reasons in REASONS.items() for reason in reasons]
    aborts = [Aborted(source, reason, True).advice for source, reason in [(0, 0), *((2, reason) for reason in AbortReason)]]
    contexts = [errors.explained(result) for result in ContextResult]
    waits = [TimedOut(field.name, 1).what for field in fields(Timeouts)]
    for texts in (rejections, own, aborts, contexts, waits):
        assert len(set(texts)) == len(texts)
        assert [text for text in texts if "no such code" in text or "what was awaited" in text or not text] == []
    assert "no such code" in Rejected(1, 3, 0).advice
    assert "no such code" in errors.explained(9)
    assert Aborted(0, 6, True).advice == Aborted(0, 0, True).advice


REASONS = {1: (1, 2, 3, 7), 2: (1, 2), 3: (1, 2)}
"""PS3.8 Table 9-21: source -> reasons that are not reserved."""


def test_a_refused_context_is_explained_in_one_sentence() -> None:
    words = errors.explained(ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED)
    assert words.startswith("abstract syntax not supported (PS3.8 Table 9-18, result 3); the peer does not offer the service")
    assert errors.explained(0) == "accepted (PS3.8 Table 9-18, result 0)"


def test_what_came_from_a_peer_is_escaped() -> None:
    assert errors.printable("a\x1b[0m\r\n\u202eb") == r"a\x1b[0m\r\n\u202eb"
    assert errors.printable("Müller") == "Müller"
