"""A: A-ASSOCIATE-RQs, right, odd and wrong ones, and what may follow from them."""

from __future__ import annotations

from struct import pack
from typing import Final

from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian, Verification
from dimse.judge.case import Associate, Await, Case, Send
from dimse.judge.cases.outcomes import ABORT_STA2, ACCEPTED, ANY_ABORT, ECHOED, REFUSED
from dimse.judge.wire import (
    APPLICATION,
    CONTEXTS,
    ECHO_CONTEXT,
    ECHO_MESSAGE,
    STORE_CONTEXT,
    USER,
    Request,
    Store,
    context,
    data_set,
    item,
    raw_pdu,
    request,
    user,
)

VERSION: Final = "PS3.8 9.3.2 (protocol version)"
APPLICATION_CONTEXT: Final = "PS3.8 9.3.2.1"
AE_TITLES: Final = "PS3.8 9.3.2 (AE titles)"
CONTEXT_ITEM: Final = "PS3.8 9.3.2.2"
LENGTHS: Final = "PS3.8 9.3.1 (lengths)"
SKIPPED: Final = "PS3.8 9.3.1 (unrecognized items)"
MAXIMUM: Final = "PS3.8 D.1"
ROLES: Final = "PS3.7 D.3.3.4"
EXTENDED: Final = "PS3.7 D.3.3.5"
IDENTITY: Final = "PS3.7 D.3.3.7"

ABSTRACT: Final = item(0x30, Verification.encode())
TRANSFER: Final = item(0x40, ImplicitVRLittleEndian.encode())
CT: Final = item(0x30, CTImageStorage.encode())
HEAD: Final = (APPLICATION, ECHO_CONTEXT)
SECOND_REFUSED: Final = ("A-ABORT(*)", "A-ASSOCIATE-RJ(1,*)", "A-ASSOCIATE-AC 1=0 3=[1-4]")
ROLE_UID: Final = CTImageStorage.encode()


def _asked(case: str, title: str, clause: str, what: Request, allowed: tuple[str, ...], tolerated: tuple[str, ...] = ()) -> Case:
    """A case that is a request and the answer to it."""
    return Case(case, title, clause, (Send(what), Await()), allowed, tolerated, "answer")


def _echoed(case: str, title: str, max_length: int) -> Case:
    return Case(case, title, MAXIMUM, (Associate((ECHO_CONTEXT,), max_length=max_length), Send(ECHO_MESSAGE), Await()), ECHOED)


def _context(*sub_items: bytes, number: int = 3) -> bytes:
    """A presentation context item of these sub-items."""
    return item(0x20, bytes([number, 0, 0, 0]) + b"".join(sub_items))


def _extended(uid_length: int, information: bytes = b"") -> bytes:
    return item(0x56, pack(">H", uid_length) + ROLE_UID + information)


REJECTED_VERSION: Final = ("A-ASSOCIATE-RJ(1,2,2)",)
REJECTED_CONTEXT_NAME: Final = ("A-ASSOCIATE-RJ(1,1,2)",)
REJECTED_CALLING: Final = ("A-ASSOCIATE-RJ(1,1,3)", "A-ABORT(*)")

WHO: Final = (
    *(
        _asked(f"A-01/{v:04X}", f"protocol version {v:04X}H: bit 0 is not set", VERSION, Request(version=v), REJECTED_VERSION, REFUSED)
        for v in (0, 2)
    ),
    *(
        _asked(f"A-02/{v:04X}", f"protocol version {v:04X}H: only bit 0 is tested", VERSION, Request(version=v), ACCEPTED)
        for v in (3, 0xFFFF)
    ),
    *(
        _asked(f"A-04/{name}", title, APPLICATION_CONTEXT, request(*items, *CONTEXTS, USER), REJECTED_CONTEXT_NAME, REFUSED)
        for name, title, items in (
            ("other", "an application context name that is not DICOM's", (item(0x10, b"1.2.840.10008.3.1.1.2"),)),
            ("missing", "no application context", ()),
            ("empty", "an empty application context name", (item(0x10),)),
        )
    ),
    _asked(
        "A-05/called",
        "a called AE title that is not the provider's",
        AE_TITLES,
        Request(called=b"NOT-THIS-ONE"),
        ("A-ASSOCIATE-RJ(1,1,7)",),
        (*REFUSED, *ACCEPTED),
    ),
    _asked(
        "A-05/calling",
        "a calling AE title that nobody has told the provider of",
        AE_TITLES,
        Request(calling=b"NEVER-SEEN"),
        (*REJECTED_CALLING, *ACCEPTED),
        REFUSED,
    ),
    *(
        _asked(f"A-06/{name}", title, AE_TITLES, Request(calling=calling), REJECTED_CALLING, (*REFUSED, *ACCEPTED))
        for name, title, calling in (
            ("spaces", "a calling AE title of spaces only, which shall not be used", b" " * 16),
            ("nul", "a calling AE title of NULs", bytes(16)),
            ("bytes", "a calling AE title of bytes outside the default repertoire", b"\xff\xfe\x80"),
        )
    ),
    _asked(
        "A-06/path",
        "a calling AE title that looks like a path, which is a legal one",
        AE_TITLES,
        Request(calling=b"../../etc"),
        (*REJECTED_CALLING, *ACCEPTED),
        REFUSED,
    ),
    _asked(
        "A-07",
        "a calling AE title with control characters, as if it were a second line of a log",
        AE_TITLES,
        Request(calling=b"A\r\nINFO: forged"),
        REJECTED_CALLING,
        (*REFUSED, *ACCEPTED),
    ),
    *(
        _asked(f"A-09/{name}", title, CONTEXT_ITEM, request(*items), REFUSED)
        for name, title, items in (
            ("contexts", "no presentation context", (APPLICATION, USER)),
            ("user", "no user information", (APPLICATION, *CONTEXTS)),
            ("items", "no items at all", ()),
            ("empty", "an empty user information item", (APPLICATION, *CONTEXTS, item(0x50))),
        )
    ),
)

LONGEST: Final = (
    _asked("A-10/absent", "no maximum length sub-item", MAXIMUM, request(*HEAD, user(max_length=None)), ACCEPTED, REFUSED),
    *(
        _asked(
            f"A-10/{size}",
            f"a maximum length sub-item of {size} bytes",
            MAXIMUM,
            request(*HEAD, user(item(0x51, bytes(size - 2) + b"\x40\0"), max_length=None)),
            ABORT_STA2,
            REFUSED,
        )
        for size in (2, 8)
    ),
    _echoed("A-11", "maximum length 0, which is no limit", 0),
    *(
        _asked(
            f"A-12/{length}",
            f"a maximum length of {length}, in which no data have room",
            MAXIMUM,
            request(*HEAD, user(max_length=length)),
            ("A-ASSOCIATE-RJ(1,2,1)", *ANY_ABORT),
            (*REFUSED, *ACCEPTED),
        )
        for length in (1, 6, 7)
    ),
    _echoed("A-13", "a maximum length of 8, two bytes of data a PDU", 8),
    _echoed("A-14", "a maximum length of 4 GiB", 0xFFFFFFFF),
)

PROPOSED: Final = (
    *(
        _asked(
            f"A-15/{number}",
            f"presentation context ID {number}, which is not odd",
            CONTEXT_ITEM,
            request(*HEAD, context(number, CTImageStorage), USER),
            (*REFUSED, "A-ASSOCIATE-AC 1=0", f"A-ASSOCIATE-AC 1=0 {number}=[1-4]"),
        )
        for number in (0, 2, 254)
    ),
    _asked(
        "A-16",
        "two presentation contexts with the same ID",
        CONTEXT_ITEM,
        request(APPLICATION, ECHO_CONTEXT, context(1, CTImageStorage), USER),
        (*REFUSED, "A-ASSOCIATE-AC 1=?"),
    ),
    Case(
        "A-16/store",
        "a C-STORE on a context ID that was proposed for Verification and, a second time, for CT images",
        CONTEXT_ITEM,
        (Send(request(APPLICATION, ECHO_CONTEXT, context(1, CTImageStorage), USER)), Await(), Send(Store(16, data_set(16), on=1)), Await()),
        (
            *(f"{refused}; closed" for refused in REFUSED),
            "A-ASSOCIATE-RJ(1,*); A-ABORT(2,2)",
            "A-ASSOCIATE-AC 1=?; A-ABORT(*)",
            *(f"A-ASSOCIATE-AC 1=?; C-STORE-RSP {failure}" for failure in ("0110H", "012?H", "A9??H", "C???H")),
        ),
        ("A-ASSOCIATE-AC 1=?; closed", "A-ASSOCIATE-AC 1=?; C-STORE-RSP 02??H", *(f"{refused}; open" for refused in REFUSED)),
    ),
    _asked(
        "A-17/128",
        "128 presentation contexts: as many results",
        CONTEXT_ITEM,
        request(APPLICATION, *(context(number, Verification if number == 1 else CTImageStorage) for number in range(1, 256, 2)), USER),
        ("A-ASSOCIATE-AC with 128 results",),
    ),
    Case(
        "A-17/large",
        "an A-ASSOCIATE-RQ of 1 MiB is refused",
        LENGTHS,
        (Send(raw_pdu(0x01, length=1_048_577) + bytes(68)), Await()),
        REFUSED,
        ("closed",),
    ),
    _asked(
        "A-18",
        "a presentation context of 16,000 transfer syntaxes that overrun",
        LENGTHS,
        request(APPLICATION, item(0x20, bytes([1, 0, 0, 0]) + item(0x40, length=0xFFFF) * 16_000), USER),
        ABORT_STA2,
        REFUSED,
    ),
    *(
        _asked(f"A-19/{name}", f"{what} that overruns what it is in", LENGTHS, request(*items), ABORT_STA2, REFUSED)
        for name, what, items in (
            ("syntax", "a transfer syntax", (*HEAD, _context(CT, item(0x40, ImplicitVRLittleEndian.encode(), length=0xFFFF)), USER)),
            ("context", "a presentation context", (APPLICATION, item(0x20, bytes([1, 0, 0, 0]) + ABSTRACT + TRANSFER, length=0xFFF0))),
            ("application", "an application context", (item(0x10, b"1.2.840.10008.3.1.1.1", length=0xFFF0), *CONTEXTS, USER)),
            ("user", "an unknown user information sub-item", (*HEAD, user(item(0x5F, bytes(3), length=0xFFFE)))),
        )
    ),
    _asked(
        "A-19/short",
        "a presentation context shorter than its fixed fields",
        LENGTHS,
        request(*HEAD, item(0x20, bytes([3, 0])), USER),
        ABORT_STA2,
        REFUSED,
    ),
    _asked(
        "A-20/items",
        "items of unknown types between the others are skipped",
        SKIPPED,
        request(APPLICATION, item(0x7F, bytes(9)), *CONTEXTS, item(0x99), USER),
        ACCEPTED,
    ),
    _asked(
        "A-20/user",
        "an unknown user information sub-item of 40,000 bytes is skipped",
        SKIPPED,
        request(APPLICATION, *CONTEXTS, user(item(0x5F, bytes(40_000)))),
        ACCEPTED,
    ),
    *(
        _asked(f"A-21/{name}", f"a presentation context {what}", CONTEXT_ITEM, request(*HEAD, _context(*sub_items), USER), SECOND_REFUSED)
        for name, what, sub_items in (
            ("none", "without an abstract syntax", (TRANSFER,)),
            ("two", "with two abstract syntaxes", (CT, ABSTRACT, TRANSFER)),
            ("transfer", "without a transfer syntax", (CT,)),
            ("empty", "with an empty abstract syntax", (item(0x30), TRANSFER)),
        )
    ),
    _asked(
        "A-26/bytes",
        "an abstract syntax of bytes that are no text",
        CONTEXT_ITEM,
        request(*HEAD, context(3, ("ÿ" + "Ã(") * 5), USER),
        SECOND_REFUSED,
    ),
    _asked(
        "A-26/nul",
        "UIDs padded with NUL to an even length are taken without it",
        "PS3.8 F.1",
        request(item(0x10, b"1.2.840.10008.3.1.1.1\0"), context(1, Verification + "\0", ImplicitVRLittleEndian + "\0"), USER),
        ("A-ASSOCIATE-AC 1=0",),
        (*REFUSED, "A-ASSOCIATE-AC 1=[1-4]"),
    ),
)

USERS: Final = (
    *(
        _asked(f"A-22/{name}", title, clause, request(*HEAD, STORE_CONTEXT, user(*sub_items)), allowed, REFUSED)
        for name, title, clause, sub_items, allowed in (
            ("role", "a role selection whose UID overruns it", ROLES, (item(0x54, pack(">H", 60) + ROLE_UID + b"\1\1"),), ABORT_STA2),
            (
                "roles",
                "roles that are neither 0 nor 1",
                ROLES,
                (item(0x54, pack(">H", len(ROLE_UID)) + ROLE_UID + b"\x3f\x3f"),),
                (*ABORT_STA2, *ACCEPTED),
            ),
            ("extended", "an extended negotiation whose UID overruns it", EXTENDED, (_extended(500),), ABORT_STA2),
            ("short", "an extended negotiation of one byte", EXTENDED, (item(0x56, b"\0"),), ABORT_STA2),
            (
                "truncated",
                "ten extended negotiations and one that is cut off",
                EXTENDED,
                (*([_extended(len(ROLE_UID), b"\1\1")] * 10), item(0x56, pack(">H", len(ROLE_UID)) + ROLE_UID[:5])),
                ABORT_STA2,
            ),
        )
    ),
    _asked(
        "A-23/type",
        "a user identity of an unknown type: ignored, or rejected where one is required",
        IDENTITY,
        request(*HEAD, user(item(0x58, bytes([9, 0]) + pack(">H", 3) + b"abc" + pack(">H", 0)))),
        ("A-ASSOCIATE-RJ(1,1,1)", *ACCEPTED),
        REFUSED,
    ),
    _asked(
        "A-23/overrun",
        "a user identity whose primary field overruns it",
        IDENTITY,
        request(*HEAD, user(item(0x58, bytes([1, 0]) + pack(">H", 0xFFF0) + b"abc"))),
        ABORT_STA2,
        REFUSED,
    ),
    _asked(
        "A-23/two",
        "two user identities, of which there may be one",
        IDENTITY,
        request(*HEAD, user(*[item(0x58, bytes([1, 0]) + pack(">H", 3) + b"abc" + pack(">H", 0))] * 2)),
        REFUSED,
        ACCEPTED,
    ),
)

NEGOTIATION: Final = (*WHO, *LONGEST, *PROPOSED, *USERS)
