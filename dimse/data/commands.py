"""Command sets: the messages of PS3.7 sections 9.3 and 10.3, always in Implicit VR Little Endian (PS3.7 6.3.1).

`ELEMENTS` is the command dictionary and drives both `CommandSet.encode` and `CommandSet.decode`. `MESSAGES` tells which
of its fields each message must and may have.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import partial
from struct import Struct
from struct import error as struct_error

from dimse.data.status import Status
from dimse.errors import DataError, UsageError
from pdu.typed import TYPE_CHECKING
from pdu.values import dataclass

if TYPE_CHECKING:
    from typing import Any, TypedDict, Unpack

    class Details(TypedDict, total=False):
        """Fields that a response may have besides those that it repeats of its request."""

        command_data_set_type: int
        offending_element: tuple[int, ...] | None
        error_comment: str | None
        error_id: int | None
        affected_sop_instance_uid: str | None
        attribute_identifier_list: tuple[int, ...] | None
        number_of_remaining_suboperations: int | None
        number_of_completed_suboperations: int | None
        number_of_failed_suboperations: int | None
        number_of_warning_suboperations: int | None


NO_DATA_SET = 0x0101
"""Command Data Set Type of a message without a data set; every other value says that one follows (PS3.7 E.1-1)."""
DATA_SET = 0x0001
"""Command Data Set Type that this side gives to a message with a data set."""
PRIORITY_MEDIUM, PRIORITY_HIGH, PRIORITY_LOW = 0x0000, 0x0001, 0x0002
RESPONSE = 0x8000
"""The bit of Command Field that tells a response from its request."""
MAX_COMMENT = 64
"""Error Comment is an LO: 64 characters at most (PS3.5 6.2)."""


class CommandField(IntEnum):
    """What a message is (PS3.7 E.1-1)."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    N_EVENT_REPORT_RQ = 0x0100
    N_EVENT_REPORT_RSP = 0x8100
    N_GET_RQ = 0x0110
    N_GET_RSP = 0x8110
    N_SET_RQ = 0x0120
    N_SET_RSP = 0x8120
    N_ACTION_RQ = 0x0130
    N_ACTION_RSP = 0x8130
    N_CREATE_RQ = 0x0140
    N_CREATE_RSP = 0x8140
    N_DELETE_RQ = 0x0150
    N_DELETE_RSP = 0x8150
    C_CANCEL_RQ = 0x0FFF


@dataclass(frozen=True, repr=False)
class CommandSet:
    """One command set; a field is None where the message does not have it.

    Text is what stands on the wire without its padding, one byte a character (latin-1), so whatever a peer sends survives.
    Tags are 0xggggeeee. `others` are elements of group 0000 outside the dictionary, as (tag, value), in ascending order.
    """

    command_field: int
    affected_sop_class_uid: str | None = None
    requested_sop_class_uid: str | None = None
    message_id: int | None = None
    message_id_being_responded_to: int | None = None
    move_destination: str | None = None
    priority: int | None = None
    command_data_set_type: int | None = None
    status: int | None = None
    offending_element: tuple[int, ...] | None = None
    error_comment: str | None = None
    error_id: int | None = None
    affected_sop_instance_uid: str | None = None
    requested_sop_instance_uid: str | None = None
    event_type_id: int | None = None
    attribute_identifier_list: tuple[int, ...] | None = None
    action_type_id: int | None = None
    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None
    move_originator_application_entity_title: str | None = None
    move_originator_message_id: int | None = None
    others: tuple[tuple[int, bytes], ...] = ()

    @classmethod
    def decode(cls, data: bytes | bytearray | memoryview) -> CommandSet:
        """The command set in these bytes, all of them. Raises `DataError` for anything that is none.

        Tolerated, because peers do it: a missing or wrong group length, elements out of order, odd lengths of text.
        An element without a value counts as absent.
        """
        data = bytes(data)
        found: dict[str, object] = {}
        others: list[tuple[int, bytes]] = []
        at, end = 0, len(data)
        try:
            while at < end:
                group, element, length = _head_at(data, at)
                start = at + _HEADER
                stop = start + length
                if group or stop > end:
                    raise _misplaced(group, element, length, at, end - start)
                if element in _READERS:
                    name, read = _READERS[element]
                    if name in found:
                        raise DataError(f"(0000,{element:04X}) stands twice in a command set", at, "PS3.5 7.1")
                    if length:
                        found[name] = read(data[start:stop]) if read is not None else _short(data[start:stop])[0]
                elif element != _GROUP_LENGTH:
                    others.append((element, data[start:stop]))
                at = stop
        except struct_error:
            raise _malformed(data, at) from None
        if "command_field" not in found:
            raise DataError("the command set has no Command Field (0000,0100)", None, "PS3.7 9.3")
        if others:
            found["others"] = tuple(sorted(others))
        return _made(found)

    def encode(self) -> bytes:
        """These fields in ascending order behind their group length. Raises `ValueError` for a value that its VR cannot hold."""
        has = self.__dict__
        try:
            body = [write(has[name]) for name, write in _WRITERS if has.get(name) is not None]
            if self.others:
                body += [_head(0, element, len(value)) + value for element, value in self.others]
                body.sort(key=_element_number)
        except _CANNOT_WRITE as problem:
            raise self._unwritable(problem) from None
        encoded = b"".join(body)
        return _number(0, _GROUP_LENGTH, 4, len(encoded)) + encoded

    @property
    def name(self) -> str:
        """The message in the standard's words, "C-STORE-RQ"; the number in hex if it is none of them."""
        return _NAMES.get(self.command_field) or f"{self.command_field:04X}H"

    @property
    def service(self) -> str:
        """The service it belongs to, "C-STORE": the same for request and response."""
        return _SERVICES.get(self.command_field & ~RESPONSE, "")

    @property
    def is_response(self) -> bool:
        """Whether this answers a request."""
        return self.command_field & RESPONSE != 0

    @property
    def is_request(self) -> bool:
        """Whether this asks for something; a C-CANCEL-RQ is a request, though none that is answered."""
        return self.command_field & RESPONSE == 0

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows; not known, hence not so, where Command Data Set Type is missing.

        None follows a C-CANCEL-RQ, whatever it says (PS3.7 9.3.2.3).
        """
        return self.command_data_set_type not in (NO_DATA_SET, None) and self.command_field != CommandField.C_CANCEL_RQ

    @property
    def outcome(self) -> Status:
        """The status of a response, with its comment and offending elements. Raises `DataError` if it has none."""
        if self.status is None:
            raise DataError(f"the {self.name} has no Status (0000,0900)", None, "PS3.7 9.3")
        return Status(self.status, self.error_comment or "", service=self.service, offending=self.offending_element or ())

    def missing(self) -> tuple[str, ...]:
        """Names of the fields that this message must have and has not, or has empty (`MESSAGES`)."""
        mandatory = MESSAGES[self.command_field][0] if self.command_field in MESSAGES else ()
        has = self.__dict__
        return tuple([name for name in mandatory if has.get(name) in (None, "")])

    def response(self, status: int, **details: Unpack[Details]) -> CommandSet:
        """The response to this request: message id, SOP class and instance repeated, this status, no data set unless told.

        Comment and offending elements of a `Status` go along. A comment is made to fit its field: 64 plain characters.
        Raises `UsageError` for what nobody answers: a response, and a C-CANCEL-RQ.
        """
        if self.is_response or self.command_field == CommandField.C_CANCEL_RQ:
            raise UsageError(f"a {self.name} has no response", "PS3.7 9.3.2.3" if self.is_request else "PS3.7 6.3")
        answer: dict[str, object] = {
            "command_field": self.command_field | RESPONSE,
            "affected_sop_class_uid": self.affected_sop_class_uid or self.requested_sop_class_uid,
            "message_id_being_responded_to": self.message_id,
            "command_data_set_type": NO_DATA_SET,
            "status": int(status),
            "affected_sop_instance_uid": self.affected_sop_instance_uid or self.requested_sop_instance_uid,
            "event_type_id": self.event_type_id,
            "action_type_id": self.action_type_id,
        }
        if isinstance(status, Status):
            answer |= {"error_comment": status.comment or None, "offending_element": status.offending or None}
        answer |= details
        if answer.get("error_comment"):
            answer["error_comment"] = _fitting(str(answer["error_comment"]))
        return _made(answer)

    def __repr__(self) -> str:
        """The message and the fields it has."""
        present = [f"{name}={getattr(self, name)!r}" for _, name, _ in ELEMENTS if getattr(self, name) is not None]
        others = [f"others={self.others!r}"] if self.others else []
        return f"<{self.name}: {', '.join([*present, *others])}>"

    def _unwritable(self, problem: Exception) -> ValueError:
        """The error that names the field that could not be written."""
        for element, name, vr in ELEMENTS:
            value = getattr(self, name)
            try:
                if value is not None:
                    _writer(element, vr)(value)
            except _CANNOT_WRITE:
                return ValueError(f"{name} (0000,{element:04X}) cannot be {value!r}: its VR is {vr} (PS3.5 6.2)")
        return ValueError(f"an element outside the command dictionary cannot be written: {problem}")


ELEMENTS = (
    # element of group 0000, field, VR (PS3.7 E.1-1)
    (0x0002, "affected_sop_class_uid", "UI"),
    (0x0003, "requested_sop_class_uid", "UI"),
    (0x0100, "command_field", "US"),
    (0x0110, "message_id", "US"),
    (0x0120, "message_id_being_responded_to", "US"),
    (0x0600, "move_destination", "AE"),
    (0x0700, "priority", "US"),
    (0x0800, "command_data_set_type", "US"),
    (0x0900, "status", "US"),
    (0x0901, "offending_element", "AT"),
    (0x0902, "error_comment", "LO"),
    (0x0903, "error_id", "US"),
    (0x1000, "affected_sop_instance_uid", "UI"),
    (0x1001, "requested_sop_instance_uid", "UI"),
    (0x1002, "event_type_id", "US"),
    (0x1005, "attribute_identifier_list", "AT"),
    (0x1008, "action_type_id", "US"),
    (0x1020, "number_of_remaining_suboperations", "US"),
    (0x1021, "number_of_completed_suboperations", "US"),
    (0x1022, "number_of_failed_suboperations", "US"),
    (0x1023, "number_of_warning_suboperations", "US"),
    (0x1030, "move_originator_application_entity_title", "AE"),
    (0x1031, "move_originator_message_id", "US"),
)

_REQUEST = ("message_id", "command_data_set_type")
_RESPONSE = ("message_id_being_responded_to", "command_data_set_type", "status")
_CLASS, _INSTANCE = "affected_sop_class_uid", "affected_sop_instance_uid"
_REQUESTED = ("requested_sop_class_uid", "requested_sop_instance_uid")
# PS3.7 Annex C: what may come with a failure.
_DETAILS = ("offending_element", "error_comment", "error_id")
_COUNTS = (
    "number_of_remaining_suboperations",
    "number_of_completed_suboperations",
    "number_of_failed_suboperations",
    "number_of_warning_suboperations",
)
_ORIGINATOR = ("move_originator_application_entity_title", "move_originator_message_id")
_LIST = "attribute_identifier_list"

MESSAGES: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # message: (fields it must have besides Command Field, fields it may have)
    # PS3.7 9.3.1 to 9.3.5. In a response the SOP class and instance are U(=) in 9.1: the user's option, equal to the request's.
    CommandField.C_STORE_RQ: ((_CLASS, *_REQUEST, "priority", _INSTANCE), _ORIGINATOR),
    CommandField.C_STORE_RSP: (_RESPONSE, (_CLASS, _INSTANCE, *_DETAILS)),
    CommandField.C_FIND_RQ: ((_CLASS, *_REQUEST, "priority"), ()),
    CommandField.C_FIND_RSP: (_RESPONSE, (_CLASS, *_DETAILS)),
    CommandField.C_GET_RQ: ((_CLASS, *_REQUEST, "priority"), ()),
    CommandField.C_GET_RSP: (_RESPONSE, (_CLASS, *_COUNTS, *_DETAILS)),
    CommandField.C_MOVE_RQ: ((_CLASS, *_REQUEST, "priority", "move_destination"), ()),
    CommandField.C_MOVE_RSP: (_RESPONSE, (_CLASS, *_COUNTS, *_DETAILS)),
    CommandField.C_ECHO_RQ: ((_CLASS, *_REQUEST), ()),
    CommandField.C_ECHO_RSP: (_RESPONSE, (_CLASS, *_DETAILS)),
    CommandField.C_CANCEL_RQ: (("message_id_being_responded_to", "command_data_set_type"), ()),
    # PS3.7 10.3.1 to 10.3.6
    CommandField.N_EVENT_REPORT_RQ: ((_CLASS, *_REQUEST, _INSTANCE, "event_type_id"), ()),
    CommandField.N_EVENT_REPORT_RSP: (_RESPONSE, (_CLASS, _INSTANCE, "event_type_id", *_DETAILS)),
    CommandField.N_GET_RQ: ((*_REQUESTED, *_REQUEST), (_LIST,)),
    CommandField.N_GET_RSP: (_RESPONSE, (_CLASS, _INSTANCE, _LIST, *_DETAILS)),
    CommandField.N_SET_RQ: ((*_REQUESTED, *_REQUEST), ()),
    CommandField.N_SET_RSP: (_RESPONSE, (_CLASS, _INSTANCE, _LIST, *_DETAILS)),
    CommandField.N_ACTION_RQ: ((*_REQUESTED, *_REQUEST, "action_type_id"), ()),
    CommandField.N_ACTION_RSP: (_RESPONSE, (_CLASS, _INSTANCE, "action_type_id", *_DETAILS)),
    CommandField.N_CREATE_RQ: ((_CLASS, *_REQUEST), (_INSTANCE,)),
    CommandField.N_CREATE_RSP: (_RESPONSE, (_CLASS, _INSTANCE, _LIST, *_DETAILS)),
    CommandField.N_DELETE_RQ: ((*_REQUESTED, *_REQUEST), ()),
    CommandField.N_DELETE_RSP: (_RESPONSE, (_CLASS, _INSTANCE, *_DETAILS)),
}


def _made(present: dict[str, object]) -> CommandSet:
    """The command set of the fields that are present.

    The others are the defaults that the dataclass keeps on the class. Setting 24 attributes through the constructor of a
    frozen dataclass takes longer than all the rest of a decode; for the same reason the class has no slots.
    """
    made = object.__new__(CommandSet)
    made.__dict__.update(present)
    return made


def _fitting(comment: str) -> str:
    """The comment as an LO can hold it: 64 characters of the default repertoire, no backslash and no control characters (PS3.5 6.2)."""
    plain = "".join(c if c.isascii() and c.isprintable() and c != "\\" else "?" for c in comment)
    return plain[:MAX_COMMENT]


def _malformed(data: bytes, at: int) -> DataError:
    """The error for an element whose header is cut off, or whose value its VR cannot have."""
    if len(data) - at < _HEADER:
        return DataError(f"a command set ends inside an element header ({len(data) - at} of 8 bytes)", at, "PS3.5 7.1.3")
    _, element, length = _head_at(data, at)
    vr = next(vr for known, _, vr in ELEMENTS if known == element)
    return DataError(f"(0000,{element:04X}) has {length} bytes, which no {vr} has", at, "PS3.5 6.2")


def _misplaced(group: int, element: int, length: int, at: int, left: int) -> DataError:
    """The error for an element that no command set in Implicit VR Little Endian has."""
    if length > left:
        what = f"({group:04X},{element:04X}) announces {length} bytes and {left} are left"
        return DataError(what, at, "PS3.7 6.3.1", "command sets are always in Implicit VR Little Endian")
    return DataError(f"({group:04X},{element:04X}) stands in a command set, which has group 0000 only", at, "PS3.7 6.3.1")


def _reader(vr: str) -> Callable[[bytes], object] | None:
    """What makes the field of a value of this VR; raises struct.error if its length is wrong. None: a number, read without a call."""
    if vr == "US":
        return None
    if vr == "AT":
        return _read_tags
    return _read_title if vr == "AE" else _read_text


def _read_tags(raw: bytes) -> tuple[int, ...]:
    return tuple(group << 16 | element for group, element in _TAG.iter_unpack(raw))


def _read_title(raw: bytes) -> str:
    return raw.rstrip(b"\0 ").lstrip(b" ").decode("latin-1")


def _read_text(raw: bytes) -> str:
    return raw.rstrip(b"\0 ").decode("latin-1")


def _writer(element: int, vr: str) -> Callable[[Any], bytes]:
    """What makes the whole element of its field. Any: the field's type, which is the VR's."""
    if vr == "US":
        return partial(Struct("<HHLH").pack, 0, element, 2)
    if vr == "AT":
        return partial(_write_tags, element)
    return partial(_write_text, element, b"\0" if vr == "UI" else b" ")


def _write_tags(element: int, tags: tuple[int, ...]) -> bytes:
    return _head(0, element, 4 * len(tags)) + b"".join(_TAG.pack(tag >> 16, tag & 0xFFFF) for tag in tags)


def _write_text(element: int, padding: bytes, text: str) -> bytes:
    raw = text.encode("latin-1")
    if len(raw) & 1:
        raw += padding
    return _head(0, element, len(raw)) + raw


def _element_number(encoded: bytes) -> int:
    """The element number of an encoded element."""
    return encoded[2] | encoded[3] << 8


_GROUP_LENGTH = 0x0000
_HEADER = 8
_TAG = Struct("<HH")
_short = Struct("<H").unpack
_head_at = Struct("<HHL").unpack_from
_head = Struct("<HHL").pack
_number = Struct("<HHLL").pack
_CANNOT_WRITE = (struct_error, UnicodeEncodeError, AttributeError, TypeError)

_READERS = {element: (name, _reader(vr)) for element, name, vr in ELEMENTS}
_WRITERS = tuple((name, _writer(element, vr)) for element, name, vr in ELEMENTS)
_NAMES = {int(member): member.name.replace("_", "-") for member in CommandField}
_SERVICES = {number: name.removesuffix("-RQ") for number, name in _NAMES.items() if not number & RESPONSE}
