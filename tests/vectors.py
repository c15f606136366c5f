"""Bytes and what they mean: the table that decoding, encoding and chunking are tested with, and that seeds fuzzing.

The bytes are put together here from PS3.8 section 9.3 and its Annex D and from PS3.7 Annex D.3.3, by nothing of the
code under test. `VECTORS` are canonical: they encode back to the same bytes. `ODD` ones are what odd peers send: read,
but written in a better way. `MALFORMED` ones are refused, with the reason for the A-ABORT and the place.
"""

from __future__ import annotations

from typing import NamedTuple

from pdu import (
    PDU,
    PDV,
    Abort,
    AbortReason,
    ApplicationContext,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    AsynchronousOperations,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    ImplementationClassUID,
    ImplementationVersionName,
    Item,
    MaximumLength,
    PDataTF,
    PresentationContextAC,
    PresentationContextRQ,
    ReleaseRP,
    ReleaseRQ,
    RoleSelection,
    UnknownItem,
    UserIdentityAC,
    UserIdentityRQ,
    UserInformation,
    UserItem,
)


class Vector(NamedTuple):
    """One whole PDU and its value."""

    name: str
    data: bytes
    value: PDU


class Malformed(NamedTuple):
    """One PDU that cannot be: why, and at which byte."""

    name: str
    data: bytes
    reason: AbortReason
    offset: int


VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
STORAGE = "1.2.840.10008.4.2"


def raw_pdu(pdu_type: int, *parts: bytes, length: int | None = None) -> bytes:
    """Type, reserved, 4-byte length (the true one unless given), the parts."""
    body = b"".join(parts)
    return bytes((pdu_type, 0)) + (len(body) if length is None else length).to_bytes(4, "big") + body


def raw_item(item_type: int, *parts: bytes, length: int | None = None, second: int = 0) -> bytes:
    """Type, reserved, 2-byte length (the true one unless given), the parts."""
    body = b"".join(parts)
    return bytes((item_type, second)) + (len(body) if length is None else length).to_bytes(2, "big") + body


def raw_pdv(context_id: int, control: int, data: bytes, length: int | None = None) -> bytes:
    """4-byte length (the true one unless given), context ID, message control header, data."""
    return (len(data) + 2 if length is None else length).to_bytes(4, "big") + bytes((context_id, control)) + data


def raw_associate(pdu_type: int, *items: bytes, version: int = 1, called: bytes = b"PACS", calling: bytes = b"MODALITY") -> bytes:
    """An A-ASSOCIATE-RQ or -AC: its items start at byte 74."""
    return raw_pdu(pdu_type, version.to_bytes(2, "big"), bytes(2), called.ljust(16), calling.ljust(16), bytes(32), *items)


def raw_field(text: str | bytes) -> bytes:
    """2-byte length, the bytes."""
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2, "big") + data


def raw_context(context_id: int, abstract: str, *transfer: str) -> bytes:
    """A proposed presentation context."""
    return raw_item(
        0x20, bytes((context_id, 0, 0, 0)), raw_item(0x30, abstract.encode()), *(raw_item(0x40, uid.encode()) for uid in transfer)
    )


FIRST_ITEM = 74
APPLICATION = raw_item(0x10, b"1.2.840.10008.3.1.1.1")
LITTLE_USER = raw_item(0x50, raw_item(0x51, b"\0\0\x40\0"), raw_item(0x52, b"1.2.3.4"))


def _request(*items: Item, version: int = 1) -> AssociateRQ:
    return AssociateRQ("PACS", "MODALITY", items, version)


def _user(name: str, data: bytes, *items: UserItem) -> Vector:
    return Vector(name, raw_associate(1, raw_item(0x50, data)), _request(UserInformation(items)))


def _bad(name: str, data: bytes, offset: int, reason: AbortReason = AbortReason.INVALID_PARAMETER_VALUE) -> Malformed:
    return Malformed(name, data, reason, offset)


def _bad_item(name: str, item: bytes, offset: int, reason: AbortReason = AbortReason.INVALID_PARAMETER_VALUE) -> Malformed:
    """`offset` counts from the start of the item."""
    return Malformed(name, raw_associate(1, item), reason, FIRST_ITEM + offset)


def _bad_sub_item(name: str, item: bytes, offset: int) -> Malformed:
    return _bad_item(name, raw_item(0x50, item), 4 + offset)


VECTORS = (
    Vector(
        "echo request, every byte spelled out",
        bytes.fromhex(
            "01 00 000000bc  0001 0000"
            "414e592d534350202020202020202020  4543484f534355202020202020202020"
            "0000000000000000000000000000000000000000000000000000000000000000"
            "10 00 0015 312e322e3834302e31303030382e332e312e312e31"
            "20 00 002e 01 000000"
            "30 00 0011 312e322e3834302e31303030382e312e31"
            "40 00 0011 312e322e3834302e31303030382e312e32"
            "50 00 0029 51 00 0004 00004000"
            "52 00 0010 312e322e3832362e302e312e342e3231"
            "55 00 0009 4543484f5f54455354"
        ),
        AssociateRQ(
            "ANY-SCP",
            "ECHOSCU",
            (
                ApplicationContext("1.2.840.10008.3.1.1.1"),
                PresentationContextRQ(1, VERIFICATION, (IMPLICIT,)),
                UserInformation((MaximumLength(16384), ImplementationClassUID("1.2.826.0.1.4.21"), ImplementationVersionName("ECHO_TEST"))),
            ),
        ),
    ),
    Vector("release request", bytes.fromhex("05 00 00000004 00000000"), ReleaseRQ()),
    Vector("release response", bytes.fromhex("06 00 00000004 00000000"), ReleaseRP()),
    Vector("rejection: called AE title not recognized", bytes.fromhex("03 00 00000004 00 01 01 07"), AssociateRJ(1, 1, 7)),
    Vector("rejection: reserved codes", bytes.fromhex("03 00 00000004 00 ff 00 63"), AssociateRJ(255, 0, 99)),
    Vector("abort by the user", bytes.fromhex("07 00 00000004 0000 00 00"), Abort(0, 0)),
    Vector("abort by the provider", bytes.fromhex("07 00 00000004 0000 02 06"), Abort(2, 6)),
    Vector("F-12 abort: reserved codes", bytes.fromhex("07 00 00000004 0000 01 09"), Abort(1, 9)),
    Vector(
        "data: last of a command", bytes.fromhex("04 00 0000000a  00000006 01 03 01020304"), PDataTF((PDV(1, True, True, b"\1\2\3\4"),))
    ),
    Vector("data: empty last", bytes.fromhex("04 00 00000006  00000002 ff 02"), PDataTF((PDV(255, False, True, b""),))),
    Vector(
        "data: four PDVs, two of them empty, one of odd length",
        raw_pdu(4, raw_pdv(1, 3, b"cmd!"), raw_pdv(1, 0, b""), raw_pdv(1, 0, b"abc"), raw_pdv(1, 2, b"")),
        PDataTF((PDV(1, True, True, b"cmd!"), PDV(1, False, False, b""), PDV(1, False, False, b"abc"), PDV(1, False, True, b""))),
    ),
    Vector("data: 20000 bytes", raw_pdu(4, raw_pdv(3, 0, bytes(20000))), PDataTF((PDV(3, False, False, bytes(20000)),))),
    Vector("A-09 request without items", raw_associate(1), _request()),
    Vector("A-02 request with protocol version FFFF", raw_associate(1, version=0xFFFF), _request(version=0xFFFF)),
    Vector("request with empty AE titles", raw_associate(1, called=b"", calling=b""), AssociateRQ("", "", ())),
    Vector(
        "A-06 request from AE title FF FE 80 to ../../etc",
        raw_associate(1, called=b"../../etc", calling=b"\xff\xfe\x80"),
        AssociateRQ("../../etc", "\xff\xfe\x80", ()),
    ),
    Vector(
        "A-07 request from AE title with CR LF",
        raw_associate(1, calling=b"A\r\nINFO: forged"),
        AssociateRQ("PACS", "A\r\nINFO: forged", ()),
    ),
    Vector("A-04 request with an empty application context", raw_associate(1, raw_item(0x10)), _request(ApplicationContext(""))),
    Vector(
        "request with two contexts",
        raw_associate(1, APPLICATION, raw_context(1, VERIFICATION, IMPLICIT), raw_context(3, CT, EXPLICIT, IMPLICIT), LITTLE_USER),
        _request(
            ApplicationContext(),
            PresentationContextRQ(1, VERIFICATION, (IMPLICIT,)),
            PresentationContextRQ(3, CT, (EXPLICIT, IMPLICIT)),
            UserInformation((MaximumLength(16384), ImplementationClassUID("1.2.3.4"))),
        ),
    ),
    Vector(
        "A-15 A-16 request with contexts 0, 2 and twice 1",
        raw_associate(1, *(raw_context(n, VERIFICATION, IMPLICIT) for n in (0, 2, 1, 1))),
        _request(*(PresentationContextRQ(n, VERIFICATION, (IMPLICIT,)) for n in (0, 2, 1, 1))),
    ),
    Vector(
        "A-17 request with 128 contexts",
        raw_associate(1, *(raw_context(n, CT, EXPLICIT, IMPLICIT) for n in range(1, 256, 2))),
        _request(*(PresentationContextRQ(n, CT, (EXPLICIT, IMPLICIT)) for n in range(1, 256, 2))),
    ),
    Vector(
        "A-21 request with a context without transfer syntax",
        raw_associate(1, raw_context(1, CT)),
        _request(PresentationContextRQ(1, CT, ())),
    ),
    Vector(
        "A-21 request with an empty abstract syntax",
        raw_associate(1, raw_context(1, "", "")),
        _request(PresentationContextRQ(1, "", ("",))),
    ),
    Vector(
        "A-26 request with an abstract syntax that is no text",
        raw_associate(1, raw_item(0x20, b"\1\0\0\0", raw_item(0x30, b"\xff\xc3\x28" * 5))),
        _request(PresentationContextRQ(1, "\xff\xc3\x28" * 5, ())),
    ),
    Vector(
        "A-20 request with unknown items",
        raw_associate(1, raw_item(0x7F, b"\x99" * 9), APPLICATION, raw_item(0x99, second=7), raw_item(0x50, raw_item(0x5F, bytes(40000)))),
        _request(
            UnknownItem(0x7F, b"\x99" * 9),
            ApplicationContext(),
            UnknownItem(0x99, b"", 7),
            UserInformation((UnknownItem(0x5F, bytes(40000)),)),
        ),
    ),
    Vector(
        "request with an unknown sub-item in a context",
        raw_associate(1, raw_item(0x20, b"\1\0\0\0", raw_item(0x30, b"1.2"), raw_item(0x41, b"x", second=1))),
        _request(PresentationContextRQ(1, "1.2", (), (UnknownItem(0x41, b"x", 1),))),
    ),
    Vector(
        "request with two user informations",
        raw_associate(1, LITTLE_USER, raw_item(0x50)),
        _request(UserInformation((MaximumLength(16384), ImplementationClassUID("1.2.3.4"))), UserInformation(())),
    ),
    Vector(
        "acceptance: accepted, refused with, with an empty and without transfer syntax",
        raw_associate(
            2,
            APPLICATION,
            raw_item(0x21, b"\1\0\0\0", raw_item(0x40, IMPLICIT.encode())),
            raw_item(0x21, b"\3\0\3\0", raw_item(0x40, IMPLICIT.encode())),
            raw_item(0x21, b"\5\0\4\0", raw_item(0x40)),
            raw_item(0x21, b"\7\0\xff\0"),
            raw_item(0x21, b"\x09\0\1\0", raw_item(0x30, b"1.2")),
            LITTLE_USER,
        ),
        AssociateAC(
            "PACS",
            "MODALITY",
            (
                ApplicationContext(),
                PresentationContextAC(1, 0, IMPLICIT),
                PresentationContextAC(3, 3, IMPLICIT),
                PresentationContextAC(5, 4, ""),
                PresentationContextAC(7, 255, None),
                PresentationContextAC(9, 1, None, (UnknownItem(0x30, b"1.2"),)),
                UserInformation((MaximumLength(16384), ImplementationClassUID("1.2.3.4"))),
            ),
        ),
    ),
    _user("A-14 maximum length FFFFFFFF", raw_item(0x51, b"\xff\xff\xff\xff"), MaximumLength(0xFFFFFFFF)),
    _user(
        "implementation",
        raw_item(0x52, b"1.2.3") + raw_item(0x55, b"VERSION 1 "),
        ImplementationClassUID("1.2.3"),
        ImplementationVersionName("VERSION 1 "),
    ),
    _user("asynchronous operations", raw_item(0x53, b"\0\0\1\2"), AsynchronousOperations(0, 258)),
    _user(
        "role selections",
        raw_item(0x54, raw_field(CT), b"\0\1") + raw_item(0x54, raw_field("1.2"), b"\1\0"),
        RoleSelection(CT, scu=False, scp=True),
        RoleSelection("1.2", scu=True, scp=False),
    ),
    _user("extended negotiation", raw_item(0x56, raw_field(CT), b"\1\0\1"), ExtendedNegotiation(CT, b"\1\0\1")),
    _user("extended negotiation without information", raw_item(0x56, raw_field(CT)), ExtendedNegotiation(CT, b"")),
    _user(
        "common extended negotiation",
        raw_item(0x57, raw_field(CT), raw_field(STORAGE), raw_field(raw_field("1.2") + raw_field("1.3.4"))),
        CommonExtendedNegotiation(CT, STORAGE, ("1.2", "1.3.4")),
    ),
    _user(
        "common extended negotiation of a later version",
        raw_item(0x57, raw_field(CT), raw_field(STORAGE), raw_field(""), b"more", second=1),
        CommonExtendedNegotiation(CT, STORAGE, version=1, additional=b"more"),
    ),
    _user("user name", raw_item(0x58, b"\1\0", raw_field("alice"), raw_field("")), UserIdentityRQ(1, b"alice")),
    _user(
        "user name and passcode, response requested",
        raw_item(0x58, b"\2\1", raw_field("alice"), raw_field("open sesame")),
        UserIdentityRQ(2, b"alice", b"open sesame", positive_response_requested=True),
    ),
    _user("A-23 user identity of type 9, twice", raw_item(0x58, b"\x09\0", bytes(4)) * 2, UserIdentityRQ(9, b""), UserIdentityRQ(9, b"")),
    _user("user identity accepted", raw_item(0x59, raw_field("token")), UserIdentityAC(b"token")),
)

ODD = (
    Vector(
        "AE titles padded with NUL", raw_associate(1, called=b"PACS".ljust(16, b"\0"), calling=b"ME\0 \0"), AssociateRQ("PACS", "ME", ())
    ),
    Vector("AE titles with leading spaces", raw_associate(1, called=b"   PACS", calling=b"  A B  "), AssociateRQ("PACS", "A B", ())),
    Vector("A-06 AE title of NULs", raw_associate(1, called=bytes(16)), AssociateRQ("", "MODALITY", ())),
    Vector(
        "A-26 UIDs padded with NUL and space",
        raw_associate(1, raw_item(0x10, b"1.2 "), raw_item(0x20, b"\1\0\0\0", raw_item(0x30, b"1.2.3\0"), raw_item(0x40, b"1.2.840 \0"))),
        _request(ApplicationContext("1.2"), PresentationContextRQ(1, "1.2.3", ("1.2.840",))),
    ),
    Vector(
        "reserved bytes that are not zero",
        bytes.fromhex(
            "01 aa 00000054  0001 bbbb"
            "50414353202020202020202020202020  4d4f44414c4954592020202020202020"
            "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
            "10 dd 0000"
            "20 ee 0008 01 ffffff  30 ff 0000"
        ),
        _request(ApplicationContext(""), PresentationContextRQ(1, "", (), reserved=0xFF)),
    ),
    Vector("release request with reserved bytes", bytes.fromhex("05 ff 00000004 01020304"), ReleaseRQ()),
    Vector("release response with reserved bytes", bytes.fromhex("06 ff 00000004 01020304"), ReleaseRP()),
    Vector("abort with reserved bytes", bytes.fromhex("07 ff 00000004 ffff 0201"), Abort(2, 1)),
    Vector("message control header with reserved bits", raw_pdu(4, raw_pdv(1, 0xFF, b"ab")), PDataTF((PDV(1, True, True, b"ab"),))),
    Vector(
        "abstract syntax behind the transfer syntaxes",
        raw_associate(1, raw_item(0x20, b"\1\0\0\0", raw_item(0x40, b"1.2"), raw_item(0x30, b"1.3"))),
        _request(PresentationContextRQ(1, "1.3", ("1.2",))),
    ),
    Vector(
        "positive response requested with FFH",
        raw_associate(1, raw_item(0x50, raw_item(0x58, b"\1\xff", bytes(4)))),
        _request(UserInformation((UserIdentityRQ(1, b"", positive_response_requested=True),))),
    ),
)

MALFORMED = (
    _bad("F-04 PDU type 00", raw_pdu(0, bytes(4)), 0, AbortReason.UNRECOGNIZED_PDU),
    _bad("F-04 PDU type 09", raw_pdu(9, bytes(4)), 0, AbortReason.UNRECOGNIZED_PDU),
    _bad("F-04 PDU type FF", raw_pdu(0xFF, bytes(4)), 0, AbortReason.UNRECOGNIZED_PDU),
    _bad("T-05 HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, AbortReason.UNRECOGNIZED_PDU),
    _bad("T-06 TLS", bytes.fromhex("16030100C8010000C40303"), 0, AbortReason.UNRECOGNIZED_PDU),
    _bad("F-01 request of 67 bytes", raw_pdu(1, bytes(67)), 2),
    _bad("F-01 request of no bytes", raw_pdu(1), 2),
    _bad("F-01 acceptance of 67 bytes", raw_pdu(2, bytes(67)), 2),
    _bad("T-04 request of FFFFFFFF bytes", raw_pdu(1, bytes(68), length=0xFFFFFFFF), 2),
    _bad("F-08 data without PDV", raw_pdu(4), 2),
    _bad("data of 5 bytes", raw_pdu(4, bytes(5)), 2),
    _bad("F-09 data of FFFFFFFF bytes", raw_pdu(4, raw_pdv(1, 0, b""), length=0xFFFFFFFF), 2),
    *(
        _bad(f"F-11 type {pdu_type:02X} of {length} bytes", raw_pdu(pdu_type, bytes(min(length, 9)), length=length), 2)
        for pdu_type in (3, 5, 6, 7)
        for length in (0, 3, 5, 0xFFFFFFFF)
    ),
    *(
        _bad(f"F-07 PDV of length {n:X}", raw_pdu(4, raw_pdv(1, 2, bytes(84), length=n)), 6)
        for n in (0, 1, 87, 9999, 0x80000000, 0xFFFFFFFF)
    ),
    _bad("F-07 second PDV overruns", raw_pdu(4, raw_pdv(1, 3, b"ab"), raw_pdv(1, 2, b"abcd", length=7)), 14),
    *(_bad(f"{n} bytes behind the last PDV", raw_pdu(4, raw_pdv(1, 3, b"ab"), bytes(n)), 14) for n in range(1, 6)),
    _bad_item("F-16 three bytes behind the last item", b"\x21\0\0", 0),
    _bad_item("a byte behind the last item", b"\x21", 0),
    _bad_item("A-18 many overrunning sub-items", raw_item(0x20, b"\1\0\0\0", b"\x40\0\xff\xff" * 16000), 10),
    _bad_item(
        "A-19 transfer syntax overruns its context",
        raw_item(0x20, b"\1\0\0\0", raw_item(0x30, b"1.2"), raw_item(0x40, b"1.2", length=0xFFFF)),
        17,
    ),
    _bad_item("A-19 context overruns", raw_item(0x20, b"\1\0\0\0", length=0xFFF0), 2),
    _bad_item("A-19 application context overruns", raw_item(0x10, b"1.2", length=0xFFF0), 2),
    _bad_item("an unknown item overruns", raw_item(0x7F, b"1.2", length=4), 2),
    _bad_item("A-19 unknown user sub-item overruns", raw_item(0x50, raw_item(0x5F, b"1.2", length=0xFFFE)), 6),
    _bad_item("A-19 context of 2 bytes", raw_item(0x20, b"\1\0"), 5),
    _bad_item("context of no bytes", raw_item(0x20), 4),
    _bad_item("answer of 3 bytes", raw_item(0x21, b"\1\0\0"), 7),
    _bad_item("A-21 context without abstract syntax", raw_item(0x20, b"\1\0\0\0", raw_item(0x40, b"1.2")), 15),
    _bad_item("A-21 two abstract syntaxes", raw_item(0x20, b"\1\0\0\0", raw_item(0x30, b"1.2") * 2), 22, AbortReason.UNEXPECTED_PARAMETER),
    _bad_item(
        "answer with two transfer syntaxes", raw_item(0x21, b"\1\0\0\0", raw_item(0x40, b"1.2") * 2), 22, AbortReason.UNEXPECTED_PARAMETER
    ),
    _bad_sub_item("A-10 maximum length of 2 bytes", raw_item(0x51, bytes(2)), 4),
    _bad_sub_item("A-10 maximum length of 8 bytes", raw_item(0x51, bytes(8)), 8),
    _bad_sub_item("asynchronous operations of 3 bytes", raw_item(0x53, bytes(3)), 6),
    _bad_sub_item("asynchronous operations of 5 bytes", raw_item(0x53, bytes(5)), 8),
    _bad_sub_item("A-22 role selection: UID of length 60 over 25 bytes", raw_item(0x54, b"\0\x3c", CT.encode(), b"\1\1"), 4),
    _bad_sub_item("A-22 role selection: SCU role 63", raw_item(0x54, raw_field("1.2"), b"\x63\x63"), 9),
    _bad_sub_item("role selection: SCP role 2", raw_item(0x54, raw_field("1.2"), b"\1\2"), 10),
    _bad_sub_item("role selection without roles", raw_item(0x54, raw_field("1.2")), 9),
    _bad_sub_item("role selection with more", raw_item(0x54, raw_field("1.2"), b"\1\1\1"), 11),
    _bad_sub_item("A-22 extended negotiation: UID of length 500", raw_item(0x56, b"\x01\xf4", CT.encode()), 4),
    _bad_sub_item("A-22 extended negotiation of 1 byte", raw_item(0x56, b"\0"), 4),
    _bad_sub_item("A-22 ten user sub-items and one cut off", raw_item(0x53, bytes(4)) * 10 + b"\x53\0\0\4\0\0", 82),
    _bad_sub_item("common extended negotiation: related overrun", raw_item(0x57, bytes(4), raw_field(b"\0\4abc")), 10),
    _bad_sub_item("common extended negotiation: related one byte", raw_item(0x57, bytes(4), raw_field(b"\0")), 10),
    _bad_sub_item("A-23 user identity: primary field overruns", raw_item(0x58, b"\1\0\xff\xf0abc"), 6),
    _bad_sub_item("user identity without secondary field", raw_item(0x58, b"\1\0", raw_field("abc")), 11),
    _bad_sub_item("user identity with more", raw_item(0x58, b"\1\0", raw_field("abc"), raw_field("x"), b"y"), 14),
    _bad_sub_item("server response overruns", raw_item(0x59, b"\0\4abc"), 4),
    _bad_sub_item("server response with more", raw_item(0x59, raw_field("abc"), b"y"), 9),
)
