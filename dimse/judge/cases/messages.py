"""D: DIMSE messages and data sets. Each case that stores sends at most one made-up instance."""

from __future__ import annotations

import zlib
from struct import pack
from typing import Final

from dimse.data.uids import CTImageStorage, DeflatedExplicitVRLittleEndian, Verification
from dimse.judge.case import Associate, Await, Case, Send, Step
from dimse.judge.cases.outcomes import ANY_ABORT, ECHOED, INVALID, NOT_STORED, OTHER_FAILURES, STORED_OR_NOT
from dimse.judge.wire import (
    COMMAND,
    DATA,
    ECHO,
    ECHO_CONTEXT,
    ECHO_MESSAGE,
    LAST,
    STORE_CONTEXT,
    Fields,
    Scene,
    Store,
    command,
    context,
    data_set,
    element,
    instance_uid,
    message,
    p_data,
    pdv,
    short,
    store_fields,
    uid_value,
)
from pdu.values import replace

NESTING: Final = "PS3.5 7.5"
ENCODING: Final = "PS3.5 7.1"
VALUES: Final = "PS3.5 6.2"
STATUS: Final = "PS3.4 B.2.3"
FRAGMENTS: Final = "PS3.8 Annex E"
PDV_ITEM: Final = "PS3.8 9.3.5.1"
COMMAND_SET: Final = "PS3.7 6.3.1"
REQUIRED: Final = "PS3.7 9.3"
ERROR_STATUS: Final = (*ANY_ABORT, "* 0110H", "* 021[012]H", "* C???H", "* A9??H")

ECHOING: Final = Associate((ECHO_CONTEXT,))
STORING: Final = Associate((ECHO_CONTEXT, STORE_CONTEXT), needs=(3,))
BOTH: Final = Associate((ECHO_CONTEXT, STORE_CONTEXT), needs=(1, 3))
DEFLATED: Final = Associate((ECHO_CONTEXT, context(3, CTImageStorage, DeflatedExplicitVRLittleEndian)), needs=(3,))
UNKNOWN_CONTEXT: Final = context(5, "1.2.840.10008.999.1")
"""A SOP class that does not exist, so that every provider refuses it."""
OPENED: Final = bytes.fromhex("40 00 30 A7 FF FF FF FF FE FF 00 E0 FF FF FF FF")
CLOSED: Final = bytes.fromhex("FE FF 0D E0 00 00 00 00 FE FF DD E0 00 00 00 00")
DEPTH: Final = 20_000
FRAGMENT: Final = 16_000


def _stored(
    case: str, title: str, clause: str, store: Store, allowed: tuple[str, ...], *, rough: bool = False, tolerated: tuple[str, ...] = ()
) -> Case:
    """A case that is a C-STORE and its status."""
    return Case(case, title, clause, (STORING, Send(store), Await()), allowed, (*tolerated, *OTHER_FAILURES), "work", rough=rough)


def _nested() -> bytes:
    return data_set(1, OPENED * DEPTH + CLOSED * DEPTH)


def _bomb() -> bytes:
    """A deflated data set in Explicit VR Little Endian of one element of 200 MiB of zeros (PS3.5 A.5).

    Behind a full flush the deflater has forgotten everything, so that one block of zeros is as good as the next.
    """
    size, block = 200 << 20, 1 << 20
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    uids = ((0x16, CTImageStorage), (0x18, instance_uid(3)))
    head = b"".join(pack("<HH2sH", 8, number, b"UI", len(uid_value(uid))) + uid_value(uid) for number, uid in uids)
    head += pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, size)
    first = deflate.compress(head) + deflate.flush(zlib.Z_FULL_FLUSH)
    zeros = deflate.compress(bytes(block)) + deflate.flush(zlib.Z_FULL_FLUSH)
    encoded = first + zeros * (size // block) + deflate.flush()
    return encoded + b"\0" * (len(encoded) % 2)


def _tiny() -> bytes:
    """100,000 tiny elements in front of the study's UID."""
    tiny = b"".join(element(group, number, b"AB") for group in (0x0019, 0x001B) for number in range(0x1000, 0x1000 + 50_000))
    return _split(71, tiny)


def _split(number: int, middle: bytes) -> bytes:
    """The made-up instance with something in front of group 0020."""
    whole = data_set(number)
    at = whole.index(pack("<HH", 0x0020, 0x000D))
    return whole[:at] + middle + whole[at:]


def _odd(number: int) -> bytes:
    """The elements of the made-up instance in reverse order."""
    return b"".join(reversed(_elements(data_set(number))))


def _elements(encoded: bytes) -> list[bytes]:
    found = []
    while encoded:
        size = 8 + int.from_bytes(encoded[4:8], "little")
        found.append(encoded[:size])
        encoded = encoded[size:]
    return found


def _long(control: int, number: int, size: int) -> Send:
    """A part of a message that goes on and on, in fragments of 16,000 bytes and never the last."""
    return Send(p_data(pdv(number, control, bytes(FRAGMENT))), times=size // FRAGMENT)


def _command(fields: Fields, *, on: int = 1) -> Send:
    return Send(message(fields, on=on))


def _echo_with(**changes: bytes | None) -> Fields:
    """The C-ECHO-RQ with other elements, by number in hex behind an underscore."""
    return {**ECHO, **{int(name[1:], 16): value for name, value in changes.items()}}


def _raw_command(data: bytes) -> Send:
    return Send(p_data(pdv(1, COMMAND | LAST, data)))


def _explicit_echo(_: Scene) -> bytes:
    """A C-ECHO-RQ in Explicit VR Little Endian."""
    uid = uid_value(Verification)
    parts = [pack("<HH2sH", 0, 2, b"UI", len(uid)) + uid]
    parts += [pack("<HH2sHH", 0, number, b"US", 2, value) for number, value in ((0x100, 0x30), (0x110, 1), (0x800, 0x101))]
    body = b"".join(parts)
    return p_data(pdv(1, COMMAND | LAST, pack("<HH2sHL", 0, 0, b"UL", 4, len(body)) + body))


STORE_COMMAND: Final = message(store_fields(instance_uid(12)), on=3)
PART: Final = p_data(pdv(3, DATA, data_set(12)))

DATA_SETS: Final = (
    _stored("D-01", f"{DEPTH:,} nested sequences of undefined length", NESTING, Store(1, _nested), STORED_OR_NOT, rough=True),
    Case(
        "D-03",
        "a deflated data set of 200 KB that inflates to 200 MiB",
        "PS3.5 A.5",
        (DEFLATED, Send(Store(3, _bomb)), Await()),
        STORED_OR_NOT,
        tolerated=OTHER_FAILURES,
        deadline="work",
        rough=True,
    ),
    Case(
        "D-04",
        "96 MB of a command set that does not end",
        COMMAND_SET,
        (ECHOING, _long(COMMAND, 1, 96_000_000), Await()),
        ANY_ABORT,
        rough=True,
    ),
    Case(
        "D-05",
        "9 MiB of a data set, which may be more than the provider takes",
        STATUS,
        (
            STORING,
            Send(message(store_fields(instance_uid(5)), on=3)),
            _long(DATA, 3, 9 << 20),
            Send(p_data(pdv(3, DATA | LAST, bytes(2)))),
            Await(),
        ),
        (*NOT_STORED, *ANY_ABORT),
        ("C-STORE-RSP 0000H", *OTHER_FAILURES),
        "work",
        rough=True,
    ),
    _stored(
        "D-06",
        "Pixel Data that announce 2 GiB and have two bytes",
        ENCODING,
        Store(6, data_set(6, element(0x7FE0, 0x0010, b"\0\0", length=0x7FFFFFFF))),
        NOT_STORED,
        tolerated=ANY_ABORT,
    ),
    _stored("D-07/elements", "100,000 tiny elements before the study's UID", ENCODING, Store(71, _tiny), STORED_OR_NOT),
    _stored(
        "D-07/is",
        "an integer string of 100,000 digits",
        VALUES,
        Store(72, data_set(72, element(0x0020, 0x0013, b"9" * 100_000))),
        STORED_OR_NOT,
    ),
    _stored(
        "D-07/ds", "a decimal string of 1e999999", VALUES, Store(73, data_set(73, element(0x0028, 0x0030, b"1e999999"))), STORED_OR_NOT
    ),
    _stored(
        "D-08/meta",
        "elements of group 0002 in a data set",
        ENCODING,
        Store(81, element(2, 0x10, b"1.2.840.10008.1.2\0") + data_set(81)),
        STORED_OR_NOT,
    ),
    _stored(
        "D-08/stray", "a delimitation item that delimits nothing", NESTING, Store(82, data_set(82, element(0xFFFE, 0xE00D))), STORED_OR_NOT
    ),
    _stored(
        "D-08/twice",
        "a second SOP Instance UID with another value",
        ENCODING,
        Store(83, _split(83, element(8, 0x18, uid_value(instance_uid(84))))),
        STORED_OR_NOT,
    ),
    _stored("D-08/reversed", "elements in reverse order", ENCODING, Store(85, _odd(85)), STORED_OR_NOT),
)

PDVS: Final = (
    Case(
        "D-09/unproposed",
        "a PDV on a presentation context that was never proposed",
        PDV_ITEM,
        (ECHOING, Send(message(ECHO, on=7)), Await()),
        INVALID,
        ANY_ABORT,
    ),
    Case(
        "D-09/refused",
        "a PDV on a presentation context that was refused",
        PDV_ITEM,
        (Associate((ECHO_CONTEXT, UNKNOWN_CONTEXT)), Send(message(ECHO, on=5)), Await()),
        INVALID,
        ANY_ABORT,
    ),
    Case(
        "D-10",
        "a message control header with reserved bits set, which are not checked",
        "PS3.8 E.2",
        (ECHOING, Send(p_data(pdv(1, 0xFF, command(ECHO)))), Await()),
        ECHOED,
    ),
    Case(
        "D-12/data",
        "a data set without a command set",
        FRAGMENTS,
        (ECHOING, Send(p_data(pdv(1, DATA | LAST, bytes(8)))), Await()),
        ANY_ABORT,
    ),
    Case(
        "D-12/context",
        "a data set on another presentation context than its command set",
        FRAGMENTS,
        (BOTH, Send(STORE_COMMAND + p_data(pdv(1, DATA | LAST, data_set(12)))), Await()),
        ANY_ABORT,
    ),
    Case(
        "D-12/command",
        "a command set in the middle of a data set",
        FRAGMENTS,
        (BOTH, Send(STORE_COMMAND + PART + ECHO_MESSAGE), Await()),
        ANY_ABORT,
    ),
)


def _answered(
    case: str, title: str, clause: str, steps: tuple[Step, ...], allowed: tuple[str, ...], tolerated: tuple[str, ...] = ()
) -> Case:
    return Case(case, title, clause, (ECHOING, *steps, Await()), allowed, tolerated)


COMMANDS: Final = (
    _answered("D-13/ff", "a command set of FFH", COMMAND_SET, (_raw_command(b"\xff" * 50),), ERROR_STATUS),
    _answered("D-13/empty", "a command set of no bytes", COMMAND_SET, (_raw_command(b""),), ERROR_STATUS),
    _answered("D-13/explicit", "a command set in Explicit VR Little Endian", COMMAND_SET, (Send(_explicit_echo),), ERROR_STATUS, ECHOED),
    _answered("D-13/odd", "a Message ID of three bytes", COMMAND_SET, (_command(_echo_with(_0110=b"\1\0\0")),), ERROR_STATUS),
    *(
        _answered(f"D-14/{name}", f"a C-ECHO-RQ without {what}", REQUIRED, (_command(_echo_with(**{field: None})),), ERROR_STATUS)
        for name, what, field in (
            ("id", "Message ID", "_0110"),
            ("field", "Command Field", "_0100"),
            ("type", "Command Data Set Type", "_0800"),
            ("class", "Affected SOP Class UID", "_0002"),
        )
    ),
    _answered(
        "D-15/unknown",
        "Command Field 1234H, which is none",
        REQUIRED,
        (_command(_echo_with(_0100=short(0x1234))),),
        ("* 0211H", *ANY_ABORT),
        ERROR_STATUS,
    ),
    _answered(
        "D-15/unasked",
        "a C-ECHO-RSP that nobody asked for is ignored, or ends the association",
        REQUIRED,
        (_command({0x0100: short(0x8030), 0x0120: short(1), 0x0800: short(0x0101), 0x0900: short(0)}), Send(ECHO_MESSAGE)),
        (*ANY_ABORT, *ECHOED),
    ),
    _answered(
        "D-16",
        "a wrong group length in a command set that is right",
        COMMAND_SET,
        (Send(message(ECHO, group_length=9)),),
        ECHOED,
        ANY_ABORT,
    ),
    Case(
        "D-17/store",
        "a C-STORE-RQ that says it has no data set",
        REQUIRED,
        (STORING, _command({**store_fields(instance_uid(17)), 0x0800: short(0x0101)}, on=3), Await()),
        (*ERROR_STATUS, *NOT_STORED),
    ),
    replace(
        _answered(
            "D-17/echo",
            "a C-ECHO-RQ that announces a data set, and none comes",
            REQUIRED,
            (_command(_echo_with(_0800=short(1))),),
            ERROR_STATUS,
            ("closed", "open", *ECHOED),
        ),
        deadline="idle",
    ),
)

MESSAGES: Final = (*DATA_SETS, *PDVS, *COMMANDS)
