"""What is named of PDUs that are tolerated: a table of bytes and what they have against the standard."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

import pdu
from dimse.association.negotiation import Context, propose
from dimse.association.violations import answer_violations, violations
from tests.association import scenes
from tests.association.scenes import raw_abort, raw_result
from tests.pdu.strategies import pdus
from tests.vectors import (
    APPLICATION,
    IMPLICIT,
    LITTLE_USER,
    MALFORMED,
    VERIFICATION,
    raw_associate,
    raw_context,
    raw_field,
    raw_item,
    raw_pdu,
    raw_pdv,
)

CONTEXT = raw_context(1, VERIFICATION, IMPLICIT)
ACCEPTED = raw_result(1, 0, IMPLICIT)
MAXIMUM, CLASS = raw_item(0x51, b"\0\0\x40\0"), raw_item(0x52, b"1.2.3.4")
SOUND = raw_associate(1, APPLICATION, CONTEXT, LITTLE_USER)


def changed(data: bytes, at: int, value: int) -> bytes:
    """The bytes with another one at that place."""
    return data[:at] + bytes((value,)) + data[at + 1 :]


def rq(*items: bytes, **fields: int) -> bytes:
    """A request with these items and what else it needs."""
    return raw_associate(1, APPLICATION, *items, **fields)  # type: ignore[arg-type]  # numbers are the version


def user(*items: bytes) -> bytes:
    """A request whose user information has these sub-items besides those it needs."""
    return rq(CONTEXT, raw_item(0x50, MAXIMUM, CLASS, *items))


TABLE = [
    # PDU, text of each violation, clause of each
    ("sound request", SOUND, []),
    ("sound answer", raw_associate(2, APPLICATION, ACCEPTED, LITTLE_USER), []),
    ("sound rejection", scenes.RJ, []),
    ("sound abort", raw_abort(2, 6), []),
    ("sound release", scenes.RELEASE_RQ, []),
    ("sound data", scenes.DATA, []),
    ("PDU header", changed(SOUND, 1, 0x55), ["reserved: byte 2 of the PDU is 55H, not zero (PS3.8 9.3.2)"]),
    ("data header", changed(scenes.DATA, 1, 1), ["reserved: byte 2 of the PDU is 01H, not zero (PS3.8 9.3.5)"]),
    ("version 3", rq(CONTEXT, LITTLE_USER, version=3), ["Protocol-version 0003H has other bits than bit 0 (PS3.8 9.3.2)"]),
    ("version 0", rq(CONTEXT, LITTLE_USER, version=0), ["Protocol-version 0000H lacks bit 0, which is version 1 (PS3.8 9.3.2)"]),
    ("bytes 9, 10", changed(SOUND, 9, 2), ["reserved: bytes 9 and 10 is 00 02H, not zero (PS3.8 9.3.2)"]),
    ("bytes 43 to 74", changed(SOUND, 42, 9), ["reserved: bytes 43 to 74 is 09H, not zero (PS3.8 9.3.2)"]),
    (
        "NUL behind a title",
        raw_associate(1, APPLICATION, CONTEXT, LITTLE_USER, called=b"PACS".ljust(16, b"\0")),
        ["Called-AE-title is padded with NUL instead of spaces (PS3.8 9.3.2)"],
    ),
    (
        "no title, and one that steers",
        raw_associate(1, APPLICATION, CONTEXT, LITTLE_USER, called=b"", calling=b"\x1b[31m"),
        ["Called-AE-title is empty (PS3.8 9.3.2)", "Calling-AE-title has characters that no AE title has (PS3.5 6.2)"],
    ),
    ("item header", rq(changed(CONTEXT, 1, 7), LITTLE_USER), ["reserved: byte 2 of item 20H is 07H, not zero (PS3.8 9.3.1)"]),
    ("context", rq(changed(CONTEXT, 6, 0xFF), LITTLE_USER), ["reserved: byte 6, 7 or 8 of presentation context 1 is 00 FFH, not zero (PS3.8 9.3.2.2)"]),
    ("sub-item header", rq(changed(CONTEXT, 9, 1), LITTLE_USER), ["reserved: byte 2 of sub-item 30H is 01H, not zero (PS3.8 9.3.2.2)"]),
    (
        "answered context",
        raw_associate(2, APPLICATION, changed(ACCEPTED, 5, 1), LITTLE_USER),
        ["reserved: byte 6 or 8 of presentation context 1 is 01H, not zero (PS3.8 9.3.3.2)"],
    ),
    ("unknown item", rq(CONTEXT, raw_item(0x77, b"x"), LITTLE_USER), ["item 77H is of no known type: ignored (PS3.8 9.3.1)"]),
    ("unknown sub-item", user(raw_item(0x5F)), ["item 5FH is of no known type: ignored (PS3.8 9.3.1)"]),
    (
        "unknown item in a context",
        rq(raw_item(0x20, b"\1\0\0\0", raw_item(0x30, VERIFICATION.encode()), raw_item(0x40, IMPLICIT.encode()), raw_item(0x41)), LITTLE_USER),
        ["item 41H is of no known type: ignored (PS3.8 9.3.1)"],
    ),
    ("answer in a request", rq(CONTEXT, ACCEPTED, LITTLE_USER), ["item 21H belongs to the other A-ASSOCIATE PDU (PS3.8 9.3.2)"]),
    (
        "nothing",
        raw_associate(1),
        [
            "0 application context items where there must be one (PS3.8 9.3.2)",
            "0 user information items where there must be one (PS3.8 9.3.2)",
            "no presentation context (PS3.8 9.3.2)",
        ],
    ),
    (
        "another application",
        raw_associate(1, raw_item(0x10, b"1.2.3\0"), CONTEXT, LITTLE_USER),
        ["Application-context-name is padded with NUL (PS3.8 F.1)", "Application-context-name is not DICOM's (PS3.7 A.2.1)"],
    ),
    (
        "context ids",
        rq(CONTEXT, raw_context(2, VERIFICATION, IMPLICIT), CONTEXT, LITTLE_USER),
        ["presentation context 1 stands 2 times (PS3.8 9.3.2.2)", "presentation context 2: an id must be odd, from 1 to 255 (PS3.8 9.3.2.2)"],
    ),
    (
        "UIDs",
        rq(raw_context(1, "1.2.840.10008.1.1 \0", "x.y", "1.02", "1." + 64 * "1", "1.2  "), LITTLE_USER),
        [
            "Abstract-syntax-name of presentation context 1 is padded with NUL and spaces (PS3.8 F.1)",
            "Transfer-syntax-name of presentation context 1 is no UID (PS3.5 9.1)",
            "Transfer-syntax-name of presentation context 1 has a component with a leading zero (PS3.5 9.1)",
            "Transfer-syntax-name of presentation context 1 has 66 characters, more than 64 (PS3.5 9.1)",
            "Transfer-syntax-name of presentation context 1 is padded with spaces (PS3.8 F.1)",
        ],
    ),
    ("no transfer syntax", rq(raw_context(1, VERIFICATION), LITTLE_USER), ["presentation context 1 has no transfer syntax (PS3.8 9.3.2.2)"]),
    (
        "results",
        raw_associate(2, APPLICATION, raw_result(1, 0), raw_result(3, 3), raw_result(5, 9), LITTLE_USER),
        ["presentation context 1 has no transfer syntax (PS3.8 9.3.3.2)", "presentation context 5 has the result 9, which is none (PS3.8 Table 9-18)"],
    ),
    (
        "no user items",
        rq(CONTEXT, raw_item(0x50)),
        ["the maximum length is missing (PS3.8 D.1)", "the implementation class UID is missing (PS3.7 D.3.3.2)"],
    ),
    ("a user item twice", user(MAXIMUM), ["sub-item 51H stands 2 times (PS3.8 D.1)"]),
    (
        "a small maximum length",
        rq(CONTEXT, raw_item(0x50, raw_item(0x51, b"\0\0\0\6"), CLASS)),
        ["a maximum length of 6 leaves no room for data (PS3.8 D.1)"],
    ),
    ("user item header", user(raw_item(0x53, b"\0\1\0\1", second=3)), ["reserved: byte 2 of sub-item 53H is 03H, not zero (PS3.8 9.3.1)"]),
    ("a version is not reserved", user(raw_item(0x57, raw_field("1.2"), raw_field("1.3"), raw_field(b""), second=1)), []),
    (
        "a long version name",
        user(raw_item(0x55, b"NAME\x07" * 4)),
        [
            "Implementation-version-name has 20 characters, not 1 to 16 (PS3.7 D.3.3.2)",
            "Implementation-version-name has characters outside the default repertoire (PS3.7 D.3.3.2)",
        ],
    ),
    ("a role's UID", user(raw_item(0x54, raw_field("1.2\0"), b"\1\0")), ["SOP-class-uid is padded with NUL (PS3.8 F.1)"]),
    ("a sound identity", user(raw_item(0x58, b"\2\1", raw_field("me"), raw_field("secret"))), []),
    (
        "identities",
        user(raw_item(0x58, b"\1\2", raw_field("me"), raw_field("x")), raw_item(0x58, b"\7\0", raw_field("me"), raw_field(b""))),
        [
            "Positive-response-requested is 2: it must be 0 or 1 (PS3.7 D.3.3.7.1)",
            "a secondary field, which belongs to type 2 only, with type 1 (PS3.7 D.3.3.7.1)",
            "User-Identity-Type 7 is none that the standard knows (PS3.7 D.3.3.7.1)",
            "sub-item 58H stands 2 times (PS3.7 D.3.3.7)",
        ],
    ),
    ("identity in an answer", raw_associate(2, APPLICATION, ACCEPTED, raw_item(0x50, MAXIMUM, CLASS, raw_item(0x59, raw_field(b"")))), []),
    (
        "rejection",
        bytes.fromhex("03 00 00000004 08 01 01 05"),
        ["reserved: byte 7 is 08H, not zero (PS3.8 9.3.4)", "result 1, source 1, reason 5 is no rejection that the standard knows (PS3.8 Table 9-21)"],
    ),
    (
        "abort",
        bytes.fromhex("07 00 00000004 01 02 01 03"),
        ["reserved: bytes 7 and 8 is 01 02H, not zero (PS3.8 9.3.8)", "source 1, reason 3 is no abort that the standard knows (PS3.8 Table 9-26)"],
    ),
    ("a user's reason", raw_abort(0, 2), ["reason 2 with source 0, where it must be 0 (PS3.8 9.3.8)"]),
    ("release", bytes.fromhex("05 00 00000004 00 00 00 01"), ["reserved: bytes 7 to 10 is 00 00 00 01H, not zero (PS3.8 9.3.6)"]),
    ("control header", raw_pdu(4, raw_pdv(1, 0xFF, b"ab")), ["Message Control Header FFH has other bits than bits 0 and 1 (PS3.8 E.2)"]),
    ("odd", raw_pdu(4, raw_pdv(1, 0, b"ab"), raw_pdv(1, 2, b"abc")), ["a fragment of 3 bytes, which is odd (PS3.8 E.1)"]),
    ("even context", raw_pdu(4, raw_pdv(2, 0, b"ab")), ["presentation context 2: an id must be odd, from 1 to 255 (PS3.8 9.3.5.1)"]),
    (
        "two messages",
        raw_pdu(4, raw_pdv(1, 3, b"ab"), raw_pdv(1, 2, b"ab"), raw_pdv(1, 3, b"ab"), raw_pdv(1, 3, b"ab")),
        ["presentation data values of more than one message in a P-DATA-TF (PS3.8 E.1)"],
    ),
    ("no PDU", raw_pdu(9, bytes(4)), ["09H is no PDU type (PS3.8 9.3.1)"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "wanted"), [(data, wanted) for _, data, wanted in TABLE], ids=[name for name, *_ in TABLE])
def test_violations(data: bytes, wanted: list[str]) -> None:
    assert [str(violation) for violation in violations(data)] == wanted


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda m: m.name)
def test_what_cannot_be_read_is_one_violation(malformed: object) -> None:
    (found,) = violations(malformed.data)  # type: ignore[attr-defined]  # the table's type is private to it
    assert found.clause.startswith("PS3.")


@settings(deadline=None)
@given(pdus)
def test_any_pdu_can_be_looked_at(value: pdu.PDU) -> None:
    for violation in violations(value.encode()):
        assert violation.what
        assert violation.clause.startswith("PS3.")


def test_our_own_pdus_have_none() -> None:
    contexts = [Context(VERIFICATION), Context("1.2.840.10008.5.1.4.1.1.7", scp=True)]
    assert violations(propose("PACS", "ME", contexts, operations=0).encode()) == []


def test_an_answer_beside_its_request() -> None:
    request = propose("PACS", "ME", [VERIFICATION, Context("1.2.3", (IMPLICIT,))])
    roles = (pdu.RoleSelection("1.2.3", True, True), pdu.RoleSelection("1.2.4", True, False))
    extra = (pdu.AsynchronousOperations(1, 1), pdu.UserIdentityAC(b""))
    answer = pdu.AssociateAC("PACS2", "YOU", (pdu.PresentationContextAC(1, 0, IMPLICIT), pdu.UserInformation((*roles, *extra))))
    assert [str(violation) for violation in answer_violations(request, answer)] == [
        "the Called-AE-title field of the request does not come back (PS3.8 9.3.3)",
        "the Calling-AE-title field of the request does not come back (PS3.8 9.3.3)",
        "no answer to presentation context 3 (PS3.8 9.3.3.2)",
        "a role for 1.2.3 that was not proposed (PS3.7 D.3.3.4.2)",
        "a role for 1.2.4 that was not proposed (PS3.7 D.3.3.4.2)",
        "an asynchronous operations window that was not proposed (PS3.7 D.3.3.3)",
        "a response to a user identity that was not asked for (PS3.7 D.3.3.7.2)",
    ]


def test_a_sound_answer_beside_its_request() -> None:
    identity = pdu.UserIdentityRQ(1, b"me", positive_response_requested=True)
    request = propose("PACS", "ME", [Context("1.2.3", (IMPLICIT,), scp=True)], operations=0, identity=identity)
    user_items = (pdu.RoleSelection("1.2.3", True, True), pdu.AsynchronousOperations(1, 1), pdu.UserIdentityAC(b""))
    answer = pdu.AssociateAC("PACS", "ME", (pdu.PresentationContextAC(1, 0, IMPLICIT), pdu.UserInformation(user_items)))
    assert answer_violations(request, answer) == []
