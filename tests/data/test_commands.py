"""Command sets: the tables against pydicom's dictionary and a transcription of PS3.7, the bytes both ways, and wrong ones."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary

from dimse.data.commands import DATA_SET, ELEMENTS, MESSAGES, NO_DATA_SET, CommandField, CommandSet
from dimse.data.status import Status
from dimse.errors import DataError, UsageError

CT = "1.2.840.10008.5.1.4.1.1.2"
STORE = CommandSet(
    CommandField.C_STORE_RQ,
    affected_sop_class_uid=CT,
    message_id=7,
    priority=0,
    command_data_set_type=DATA_SET,
    affected_sop_instance_uid="1.2.3",
    move_originator_application_entity_title="MOVER",
    move_originator_message_id=9,
)


def element(number: int, value: bytes) -> bytes:
    return pack("<HHL", 0, number, len(value)) + value


STORE_BYTES = b"".join(
    [
        element(0x0000, pack("<L", 34 + 10 + 10 + 10 + 10 + 14 + 14 + 10)),
        element(0x0002, CT.encode() + b"\0"),
        element(0x0100, b"\x01\x00"),
        element(0x0110, b"\x07\x00"),
        element(0x0700, b"\x00\x00"),
        element(0x0800, b"\x01\x00"),
        element(0x1000, b"1.2.3\0"),
        element(0x1030, b"MOVER "),
        element(0x1031, b"\x09\x00"),
    ]
)
ECHO = element(0x0100, b"\x30\x00")

# PS3.7 E.1-1: messages by number.
NUMBERS = {
    "C-STORE": 0x0001,
    "C-GET": 0x0010,
    "C-FIND": 0x0020,
    "C-MOVE": 0x0021,
    "C-ECHO": 0x0030,
    "N-EVENT-REPORT": 0x0100,
    "N-GET": 0x0110,
    "N-SET": 0x0120,
    "N-ACTION": 0x0130,
    "N-CREATE": 0x0140,
    "N-DELETE": 0x0150,
}

# PS3.7 Tables 9.1-1 to 9.1-5 and 10.1-1 to 10.1-6, rows by request and response: M mandatory, U and C optional, - not there.
# Columns: Affected SOP Class, Requested SOP Class, Affected SOP Instance, Requested SOP Instance, Priority, Move Destination,
# Move Originator (both), Event Type, Attribute Identifier List, Action Type, Numbers of Sub-operations.
COLUMNS = "class rclass instance rinstance priority destination originator event list action counts".split()
PARAMETERS = {
    "C-STORE-RQ": "M - M - M - U - - - -",
    "C-STORE-RSP": "U - U - - - - - - - -",
    "C-GET-RQ": "M - - - M - - - - - -",
    "C-GET-RSP": "U - - - - - - - - - C",
    "C-FIND-RQ": "M - - - M - - - - - -",
    "C-FIND-RSP": "U - - - - - - - - - -",
    "C-MOVE-RQ": "M - - - M M - - - - -",
    "C-MOVE-RSP": "U - - - - - - - - - C",
    "C-ECHO-RQ": "M - - - - - - - - - -",
    "C-ECHO-RSP": "U - - - - - - - - - -",
    "N-EVENT-REPORT-RQ": "M - M - - - - M - - -",
    "N-EVENT-REPORT-RSP": "U - U - - - - C - - -",
    "N-GET-RQ": "- M - M - - - - U - -",
    "N-GET-RSP": "U - U - - - - - C - -",
    "N-SET-RQ": "- M - M - - - - - - -",
    "N-SET-RSP": "U - U - - - - - C - -",
    "N-ACTION-RQ": "- M - M - - - - - M -",
    "N-ACTION-RSP": "U - U - - - - - - C -",
    "N-CREATE-RQ": "M - U - - - - - - - -",
    "N-CREATE-RSP": "U - U - - - - - C - -",
    "N-DELETE-RQ": "- M - M - - - - - - -",
    "N-DELETE-RSP": "U - U - - - - - - - -",
}
FIELDS_OF = {
    "class": ["affected_sop_class_uid"],
    "rclass": ["requested_sop_class_uid"],
    "instance": ["affected_sop_instance_uid"],
    "rinstance": ["requested_sop_instance_uid"],
    "priority": ["priority"],
    "destination": ["move_destination"],
    "originator": ["move_originator_application_entity_title", "move_originator_message_id"],
    "event": ["event_type_id"],
    "list": ["attribute_identifier_list"],
    "action": ["action_type_id"],
    "counts": [f"number_of_{kind}_suboperations" for kind in ("remaining", "completed", "failed", "warning")],
}

# The tables


def test_the_dictionary_is_pydicoms() -> None:
    """Keyword and VR of every element that is not retired (PS3.7 E.1), but for the group length."""
    theirs = {tag: (row[0], row[1], row[4]) for tag, row in DicomDictionary.items() if 0 < tag < 0x10000 and not row[3]}
    ours = {number: (vr, "1-n" if vr == "AT" else "1", name.replace("_", "")) for number, name, vr in ELEMENTS}
    assert {tag: (vr, vm, keyword.lower()) for tag, (vr, vm, keyword) in theirs.items()} == ours
    assert list(ours) == sorted(ours)


def test_fields_are_the_elements() -> None:
    names = [f.name for f in dataclasses.fields(CommandSet)]
    assert names[0] == "command_field"
    assert names[-1] == "others"
    assert set(names[:-1]) == {name for _, name, _ in ELEMENTS}


def test_message_numbers() -> None:
    expected = {f"{name}-RQ": number for name, number in NUMBERS.items()} | {f"{name}-RSP": 0x8000 | n for name, n in NUMBERS.items()}
    assert {CommandSet(field).name: int(field) for field in CommandField} == expected | {"C-CANCEL-RQ": 0x0FFF}
    assert MESSAGES.keys() == set(CommandField)


@pytest.mark.parametrize("name", PARAMETERS)
def test_messages_have_the_fields_of_the_page(name: str) -> None:
    mandatory, optional = MESSAGES[CommandField[name.replace("-", "_")]]
    assert len(set(mandatory + optional)) == len(mandatory + optional)
    rows = dict(zip(COLUMNS, PARAMETERS[name].split(), strict=True))
    common = {"command_data_set_type", "message_id"} if name.endswith("RQ") else {"command_data_set_type"}
    if name.endswith("RSP"):
        common |= {"message_id_being_responded_to", "status"}
        assert {"offending_element", "error_comment", "error_id"} <= set(optional)
    assert set(mandatory) == common | {f for column, mark in rows.items() if mark == "M" for f in FIELDS_OF[column]}
    details = {"offending_element", "error_comment", "error_id"} if name.endswith("RSP") else set()
    assert set(optional) == details | {f for column, mark in rows.items() if mark in "UC" for f in FIELDS_OF[column]}


def test_cancel_has_only_what_it_cancels() -> None:
    assert MESSAGES[CommandField.C_CANCEL_RQ] == (("message_id_being_responded_to", "command_data_set_type"), ())


# The bytes


def test_a_store_request_on_the_wire() -> None:
    assert STORE.encode() == STORE_BYTES
    for data in (STORE_BYTES, bytearray(STORE_BYTES), memoryview(STORE_BYTES)):
        assert CommandSet.decode(data) == STORE


def test_all_kinds_of_values() -> None:
    command = CommandSet(
        0x8110,
        command_data_set_type=NO_DATA_SET,
        status=0x0107,
        offending_element=(0x00100010, 0x7FE00010),
        error_comment="not so",
        error_id=3,
        others=((0x0010, b"ACR"), (0x5110, b"\0\0")),
    )
    body = (
        element(0x0010, b"ACR")
        + element(0x0100, b"\x10\x81")
        + element(0x0800, b"\x01\x01")
        + element(0x0900, b"\x07\x01")
        + element(0x0901, b"\x10\x00\x10\x00\xe0\x7f\x10\x00")
        + element(0x0902, b"not so")
        + element(0x0903, b"\x03\x00")
        + element(0x5110, b"\0\0")
    )
    assert command.encode() == element(0, pack("<L", len(body))) + body
    assert CommandSet.decode(command.encode()) == command


TEXT = st.text(st.characters(codec="latin-1"), min_size=1, max_size=70).map(lambda t: t.strip(" \0")).filter(bool)
VALUES: dict[str, st.SearchStrategy[object]] = {
    "US": st.integers(0, 0xFFFF),
    "AT": st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=3).map(tuple),
    "UI": TEXT,
    "AE": TEXT,
    "LO": TEXT,
}
KNOWN = {number for number, _, _ in ELEMENTS} | {0}
OTHERS = st.lists(st.tuples(st.integers(1, 0xFFFF).filter(lambda n: n not in KNOWN), st.binary(max_size=5)), max_size=2)
COMMANDS = st.builds(
    lambda fields, field, others: CommandSet(**(fields | {"command_field": field}), others=tuple(sorted(others))),
    st.fixed_dictionaries({}, optional={name: VALUES[vr] for _, name, vr in ELEMENTS}),
    st.one_of(st.sampled_from(CommandField).map(int), st.integers(0, 0xFFFF)),
    OTHERS,
)


@given(COMMANDS)
def test_decoding_gives_what_was_encoded(command: CommandSet) -> None:
    encoded = command.encode()
    assert CommandSet.decode(encoded) == command
    assert CommandSet.decode(encoded).encode() == encoded
    numbers = [int.from_bytes(encoded[at + 2 : at + 4], "little") for at in starts(encoded)]
    assert numbers == sorted(numbers)
    assert encoded[:12] == element(0, pack("<L", len(encoded) - 12))


@pytest.mark.parametrize("field", list(CommandField))
def test_every_message_with_all_of_its_fields(field: CommandField) -> None:
    of_vr = {"US": 258, "AT": (0x00080018,), "UI": "1.2.3", "AE": "AET", "LO": "text"}
    vrs = {name: of_vr[vr] for _, name, vr in ELEMENTS}
    mandatory, optional = MESSAGES[field]
    command = dataclasses.replace(CommandSet(field), **{name: vrs[name] for name in mandatory + optional})  # type: ignore[arg-type]  # by VR
    assert CommandSet.decode(command.encode()) == command
    assert command.missing() == ()
    assert CommandSet(field).missing() == mandatory
    for name in mandatory:
        assert dataclasses.replace(command, **{name: None}).missing() == (name,)  # type: ignore[arg-type]  # None suits every optional field


def starts(encoded: bytes) -> list[int]:
    at, found = 0, []
    while at < len(encoded):
        found.append(at)
        at += 8 + int.from_bytes(encoded[at + 4 : at + 8], "little")
    return found


# What peers do


@pytest.mark.parametrize(
    "data",
    [
        ECHO,
        element(0, pack("<L", 9)) + ECHO,
        element(0, pack("<L", 0xFFFFFFFF)) + ECHO,
        element(0, b"") + ECHO,
        element(0, b"123456") + ECHO,
        ECHO + element(0, pack("<L", 10)),
    ],
    ids=["none", "9", "FFFFFFFF", "empty", "6 bytes", "behind"],
)
def test_group_length_is_not_believed(data: bytes) -> None:
    assert CommandSet.decode(data) == CommandSet(CommandField.C_ECHO_RQ)


def test_padding_order_and_empty_values() -> None:
    data = (
        element(0x1000, b"1.2.3 ")
        + element(0x0600, b"  PACS\0 \0")
        + ECHO
        + element(0x0002, b"1.2\0\0\0")
        + element(0x0902, b" a b \0")
        + element(0x0110, b"")
        + element(0x1030, b"")
        + element(0x1001, b"1.2.4")
    )
    command = CommandSet.decode(data)
    assert command == CommandSet(
        0x0030,
        affected_sop_instance_uid="1.2.3",
        move_destination="PACS",
        affected_sop_class_uid="1.2",
        error_comment=" a b",
        requested_sop_instance_uid="1.2.4",
    )
    assert "message_id" in command.missing()


def test_blank_mandatory_text_is_missing() -> None:
    blank = CommandSet.decode(ECHO + element(0x0002, b"  ") + element(0x0110, b"\1\0") + element(0x0800, b"\1\1"))
    assert blank.missing() == ("affected_sop_class_uid",)


EXPLICIT = b"\0\0\0\0UL\4\0\x0a\0\0\0" + b"\0\0\0\1US\2\0\x30\0"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", r"no Command Field \(0000,0100\)"),
        (element(0x0110, b"\1\0"), "no Command Field"),
        (element(0x0100, b"") + element(0x0110, b"\1\0"), "no Command Field"),
        (b"\xff" * 50, r"\(FFFF,FFFF\) announces 4294967295 bytes and 42 are left at offset 0"),
        (bytes(50), "ends inside an element header .2 of 8 bytes. at offset 48"),
        (EXPLICIT, r"\(0000,0000\) announces 281685 bytes and 14 are left at offset 0 .*Implicit VR Little Endian"),
        (EXPLICIT[12:], r"\(0000,0100\) announces .* at offset 0"),
        (ECHO + element(0x0110, b"\1\0\0"), r"\(0000,0110\) has 3 bytes, which no US has at offset 10"),
        (ECHO + element(0x0110, b"\1\0\0\0"), r"\(0000,0110\) has 4 bytes, which no US has"),
        (ECHO + element(0x0901, b"\1\0\0\0\0\0"), r"\(0000,0901\) has 6 bytes, which no AT has"),
        (ECHO + ECHO, r"\(0000,0100\) stands twice in a command set at offset 10"),
        (ECHO + b"\x08\0\x60\0\2\0\0\0MR", r"\(0008,0060\) stands in a command set, which has group 0000 only at offset 10"),
        (ECHO[:-1], r"\(0000,0100\) announces 2 bytes and 1 are left at offset 0"),
        (ECHO + b"\0\0\0", "ends inside an element header .3 of 8 bytes. at offset 10"),
    ],
)
def test_wrong_bytes(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        CommandSet.decode(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_command_set_or_a_data_error(data: bytes) -> None:
    decodes_or_says_why(data)


@given(st.integers(0, len(STORE_BYTES) - 1), st.integers(0, 255))
def test_one_wrong_byte_and_a_cut(at: int, value: int) -> None:
    decodes_or_says_why(STORE_BYTES[:at])
    decodes_or_says_why(STORE_BYTES[:at] + bytes([value]) + STORE_BYTES[at + 1 :])


def decodes_or_says_why(data: bytes) -> None:
    try:
        command = CommandSet.decode(data)
    except DataError:
        return
    assert CommandSet.decode(command.encode()) is not None


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (CommandSet(0x10000), r"command_field \(0000,0100\) cannot be 65536: its VR is US"),
        (CommandSet(-1), "command_field"),
        (CommandSet(1, message_id="7"), r"message_id \(0000,0110\) cannot be '7'"),  # type: ignore[arg-type]  # that it fails is tested
        (CommandSet(1, move_destination="Ω"), r"move_destination \(0000,0600\) cannot be 'Ω': its VR is AE"),
        (CommandSet(1, move_destination=b"A"), "move_destination"),  # type: ignore[arg-type]  # that it fails is tested
        (CommandSet(1, offending_element=(1 << 32,)), r"offending_element \(0000,0901\)"),
        (CommandSet(1, offending_element=7), "offending_element"),  # type: ignore[arg-type]  # that it fails is tested
        (CommandSet(1, others=((0x10000, b""),)), "an element outside the command dictionary cannot be written"),
    ],
)
def test_values_that_no_element_can_hold(command: CommandSet, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        command.encode()


# What a command set knows


def test_kinds_and_names() -> None:
    assert (STORE.name, STORE.service, STORE.is_request, STORE.is_response) == ("C-STORE-RQ", "C-STORE", True, False)
    answer = CommandSet(0x8021)
    assert (answer.name, answer.service, answer.is_request, answer.is_response) == ("C-MOVE-RSP", "C-MOVE", False, True)
    assert (CommandSet(0x1234).name, CommandSet(0x1234).service) == ("1234H", "")
    assert CommandSet(0x1234).missing() == ()
    assert CommandSet(0x0FFF).service == "C-CANCEL"


def test_data_set() -> None:
    assert STORE.has_data_set
    assert CommandSet(1, command_data_set_type=0x0102).has_data_set
    assert CommandSet(1, command_data_set_type=0).has_data_set
    assert not CommandSet(1, command_data_set_type=NO_DATA_SET).has_data_set
    assert not CommandSet(1).has_data_set


def test_response_repeats_the_request() -> None:
    assert STORE.response(0) == CommandSet(
        0x8001,
        affected_sop_class_uid=CT,
        message_id_being_responded_to=7,
        command_data_set_type=NO_DATA_SET,
        status=0,
        affected_sop_instance_uid="1.2.3",
    )
    action = CommandSet(
        0x0130, requested_sop_class_uid="1.2", requested_sop_instance_uid="1.3", message_id=1, action_type_id=2, command_data_set_type=1
    )
    assert action.response(0x0110, command_data_set_type=DATA_SET) == CommandSet(
        0x8130,
        affected_sop_class_uid="1.2",
        affected_sop_instance_uid="1.3",
        message_id_being_responded_to=1,
        action_type_id=2,
        command_data_set_type=DATA_SET,
        status=0x0110,
    )


@pytest.mark.parametrize("field", [f for f in CommandField if f < 0x8000 and f != CommandField.C_CANCEL_RQ])
def test_responses_have_no_field_that_their_message_has_not(field: CommandField) -> None:
    of_vr = {"US": 258, "AT": (0x00080018,), "UI": "1.2.3", "AE": "AET", "LO": "text"}
    vrs = {name: of_vr[vr] for _, name, vr in ELEMENTS}
    request = dataclasses.replace(CommandSet(field), **{name: vrs[name] for name in MESSAGES[field][0]})  # type: ignore[arg-type]  # by VR
    response = request.response(0)
    assert response.missing() == ()
    present = {name for _, name, _ in ELEMENTS if getattr(response, name) is not None} - {"command_field"}
    assert present <= {name for names in MESSAGES[field | 0x8000] for name in names}


def test_response_takes_what_a_status_has() -> None:
    status = Status(0xA900, "a\\b\nΩ" + "x" * 80, offending=(0x00080018,))
    response = STORE.response(status)
    assert response.status == 0xA900
    assert response.error_comment == "a?b??" + "x" * 59
    assert response.offending_element == (0x00080018,)
    told = STORE.response(status, error_comment="told", offending_element=(1,), number_of_failed_suboperations=3)
    assert (told.error_comment, told.offending_element, told.number_of_failed_suboperations) == ("told", (1,), 3)
    plain = STORE.response(Status(0))
    assert (plain.error_comment, plain.offending_element) == (None, None)
    assert CommandSet.decode(response.encode()) == response


def test_what_has_no_response() -> None:
    with pytest.raises(UsageError, match="a C-STORE-RSP has no response"):
        STORE.response(0).response(0)
    with pytest.raises(UsageError, match="a C-CANCEL-RQ has no response"):
        CommandSet(CommandField.C_CANCEL_RQ).response(0)
    assert CommandSet(0x1234, message_id=1).response(0x0211).command_field == 0x9234


def test_outcome() -> None:
    response = STORE.response(0xA700, error_comment="full", offending_element=(1,))
    outcome = response.outcome
    assert (outcome, outcome.comment, outcome.service, outcome.offending) == (0xA700, "full", "C-STORE", (1,))
    assert STORE.response(0).outcome.ok
    with pytest.raises(DataError, match=re.escape("the C-STORE-RSP has no Status (0000,0900)")):
        _ = CommandSet(0x8001).outcome


def test_made_by_decoding_is_like_any_other() -> None:
    """`decode` and `response` do without the constructor."""
    command = CommandSet.decode(STORE_BYTES)
    assert repr(command).startswith("<C-STORE-RQ: affected_sop_class_uid='1.2.840.10008.5.1.4.1.1.2', command_field=1, message_id=7, pri")
    assert repr(CommandSet(1, others=((0x10, b"x"),))) == "<C-STORE-RQ: command_field=1, others=((16, b'x'),)>"
    assert hash(command) == hash(STORE)
    assert dataclasses.replace(command, message_id=8).message_id == 8
    assert pickle.loads(pickle.dumps(command)) == copy.copy(command) == STORE
    with pytest.raises(dataclasses.FrozenInstanceError):
        command.message_id = 1  # type: ignore[misc]  # that it is frozen is tested
