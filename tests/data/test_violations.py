"""What is named of command sets that are tolerated."""

from __future__ import annotations

import struct

import pytest

from dimse.data.commands import CommandField, CommandSet
from dimse.data.datasets import encode_tree
from dimse.data.uids import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from dimse.data.violations import command_violations, identifier_violations

ECHO = CommandSet(CommandField.C_ECHO_RQ, affected_sop_class_uid="1.2.840.10008.1.1", message_id=1, command_data_set_type=0x0101)
BODY = ECHO.encode()[12:]


def element(number: int, value: bytes) -> bytes:
    """One element of group 0000."""
    return struct.pack("<HHL", 0, number, len(value)) + value


def grouped(*elements: bytes) -> bytes:
    """The elements behind their group length."""
    body = b"".join(elements)
    return element(0, struct.pack("<L", len(body))) + body


FIELD, ID, NONE = element(0x0100, b"\x30\0"), element(0x0110, b"\1\0"), element(0x0800, b"\1\1")
UID = element(0x0002, b"1.2.840.10008.1.1\0")


@pytest.mark.parametrize(
    ("encoded", "wanted"),
    [
        (ECHO.encode(), []),
        (BODY, ["Command Group Length (0000,0000) is missing in front (PS3.7 6.3.1)"]),
        (element(0, b"\x99\0\0\0") + BODY, [f"Command Group Length (0000,0000) says 153 bytes, {len(BODY)} follow (PS3.7 6.3.1)"]),
        (grouped(FIELD, UID, ID, NONE), ["the elements are not in ascending order (PS3.7 6.3.1)"]),
        (grouped(element(2, b"1.2 "), FIELD, ID, NONE), ["(0000,0002) is padded with spaces (PS3.5 9.1)"]),
        (grouped(element(2, b"1.2"), FIELD, ID, NONE), ["(0000,0002) has an odd length of 3 bytes (PS3.5 7.1.1)"]),
        (grouped(element(2, b"1.02\0\0"), FIELD, ID, NONE), [
            "(0000,0002) is padded with NUL (PS3.5 9.1)", "(0000,0002) has a component with a leading zero (PS3.5 9.1)",
        ]),
        (grouped(UID, element(3, b""), FIELD, ID, element(0x0666, b"ab"), NONE), ["(0000,0666) is in no command dictionary (PS3.7 E.1)"]),
        (grouped(FIELD, NONE), ["C-ECHO-RQ has no affected sop class uid (PS3.7 9.3)", "C-ECHO-RQ has no message id (PS3.7 9.3)"]),
        (grouped(UID, element(0x0100, b"\x77\7")), ["Command Field 0777H is none that the standard knows (PS3.7 E.1)"]),
        (grouped(element(0x0100, b"\0\1"))[12:], ["Command Group Length (0000,0000) is missing in front (PS3.7 6.3.1)"]
            + [f"N-EVENT-REPORT-RQ has no {name} (PS3.7 10.3)" for name in (
                "affected sop class uid", "message id", "command data set type", "affected sop instance uid", "event type id")]),
        (b"", ["the command set cannot be read: the command set has no Command Field (0000,0100) (PS3.7 9.3)"]),
        (b"\0\0\1", ["the command set cannot be read: a command set ends inside an element header (3 of 8 bytes) at offset 0 (PS3.5 7.1.3)"]),
    ],
)  # fmt: skip
def test_command_violations(encoded: bytes, wanted: list[str]) -> None:
    assert [str(violation) for violation in command_violations(encoded)] == wanted


def test_wild_cards_where_there_are_none() -> None:
    keys = {0x0008_0020: ("DA", b"*"), 0x0008_0030: ("TM", b"* "), 0x0010_0010: ("PN", b"*"), 0x0010_0020: ("LO", b"")}
    keys |= {0x0020_000D: ("UI", b"*\0"), 0x0020_0010: ("SH", b"*")}
    wanted = [
        "the key (0008,0020) is a wild card, which a DA has none of (PS3.4 C.2.2.2.4)",
        "the key (0008,0030) is a wild card, which a TM has none of (PS3.4 C.2.2.2.4)",
        "the key (0020,000D) is a wild card, which a UI has none of (PS3.4 C.2.2.2.4)",
    ]
    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        encoded = encode_tree(dict(keys), syntax)
        assert [str(violation) for violation in identifier_violations(encoded, syntax)] == wanted
        assert len(list(identifier_violations(encoded[:-3], syntax))) == 3  # as far as it can be read
        assert list(identifier_violations(encoded, DeflatedExplicitVRLittleEndian)) == []
    private = b"\x09\0\1\x10\2\0\0\0* "
    assert list(identifier_violations(private, ImplicitVRLittleEndian)) == []
