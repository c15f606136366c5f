"""The items of A-ASSOCIATE-RQ and -AC and the sub-items of the user information, as frozen values.

Each class has `encode_value` and `decode_value` side by side: the bytes behind the 4-byte header. `ITEMS` and
`USER_ITEMS` at the end say which type is which class. A type that is in neither is kept as an `UnknownItem`, because
"items of unrecognized types shall be ignored and skipped" (PS3.8 9.3.1); reserved bytes are written as zero and not
read. What the values mean together (duplicates, even context ids, ...) is for the negotiation to judge.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from . import fields
from .codes import DICOM_APPLICATION_CONTEXT, AbortReason, ItemType
from .fields import Cursor
from .typed import TYPE_CHECKING, ClassVar
from .values import dataclass, field

if TYPE_CHECKING:
    from typing import Self, TypeAlias, TypeVar

    _T = TypeVar("_T", bound="_Item")


class _Item:
    """What all items share: a type, the clause that describes them, and the way to bytes and back."""

    __slots__ = ()

    item_type: ClassVar[ItemType]
    clause: ClassVar[str]

    def encode(self) -> bytes:
        """The whole item, header included; ValueError where a value does not fit its field."""
        return fields.item(self.item_type, self.encode_value())

    def encode_value(self) -> bytes:
        """The bytes behind the header."""
        raise NotImplementedError  # pragma: no cover - every class below has its own

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        """The item whose value is in the window; PDUError where it cannot be read."""
        raise NotImplementedError  # pragma: no cover - every class below has its own


@dataclass(frozen=True, slots=True)
class UnknownItem:
    """An item of a type that this floor does not know, kept as it came.

    It can hold any bytes under any type, which is also the way to send an item that is as wrong as a test needs it.
    """

    type: int
    value: bytes
    reserved: int = 0

    def encode(self) -> bytes:
        """The whole item, header included."""
        return fields.item(self.type, self.value, self.reserved)


@dataclass(frozen=True, slots=True)
class ApplicationContext(_Item):
    """Application Context Item (PS3.8 9.3.2.1 and 9.3.3.1)."""

    item_type = ItemType.APPLICATION_CONTEXT
    clause = "PS3.8 9.3.2.1"

    uid: str = DICOM_APPLICATION_CONTEXT

    def encode_value(self) -> bytes:
        return fields.uid(self.uid, "Application-context-name")

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        return cls(value.uid(value.left, "Application-context-name"))


@dataclass(frozen=True, slots=True)
class PresentationContextRQ(_Item):
    """A proposed presentation context: one abstract syntax and the transfer syntaxes offered for it (PS3.8 9.3.2.2).

    `reserved` is the byte that stands where the answer has its result. It "shall be set to a value 00H but not tested"; it is
    kept all the same, because DCMTK and what is built on it send FFH.
    """

    item_type = ItemType.PRESENTATION_CONTEXT_RQ
    clause = "PS3.8 9.3.2.2"

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    unknown: tuple[UnknownItem, ...] = ()
    reserved: int = 0

    def encode_value(self) -> bytes:
        reserved = fields.unsigned(self.reserved, 1, "reserved byte")
        head = fields.unsigned(self.id, 1, "Presentation-context-ID") + b"\0" + reserved + b"\0"
        abstract = _syntax(ItemType.ABSTRACT_SYNTAX, self.abstract_syntax)
        transfer = [_syntax(ItemType.TRANSFER_SYNTAX, uid) for uid in self.transfer_syntaxes]
        return b"".join([head, abstract, *transfer, *[item.encode() for item in self.unknown]])

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        context_id = value.unsigned(1, "Presentation-context-ID")
        reserved = value.take(3, "the reserved bytes")[1]
        uids, unknown = _syntaxes(value, (ItemType.ABSTRACT_SYNTAX, ItemType.TRANSFER_SYNTAX))
        abstract = uids[ItemType.ABSTRACT_SYNTAX]
        if not abstract:
            raise value.fault(f"presentation context {context_id} has no abstract syntax")
        if len(abstract) > 1:
            raise value.fault(f"presentation context {context_id} has {len(abstract)} abstract syntaxes", AbortReason.UNEXPECTED_PARAMETER)
        return cls(context_id, abstract[0], tuple(uids[ItemType.TRANSFER_SYNTAX]), unknown, reserved)


@dataclass(frozen=True, slots=True)
class PresentationContextAC(_Item):
    """The answer to one presentation context (PS3.8 9.3.3.2).

    The transfer syntax means nothing unless the result is 0: `None` when the sub-item is absent, "" when it is empty.
    """

    item_type = ItemType.PRESENTATION_CONTEXT_AC
    clause = "PS3.8 9.3.3.2"

    id: int
    result: int
    transfer_syntax: str | None
    unknown: tuple[UnknownItem, ...] = ()

    def encode_value(self) -> bytes:
        context_id = fields.unsigned(self.id, 1, "Presentation-context-ID")
        result = fields.unsigned(self.result, 1, "Result/Reason")
        transfer = b"" if self.transfer_syntax is None else _syntax(ItemType.TRANSFER_SYNTAX, self.transfer_syntax)
        return b"".join([context_id, b"\0", result, b"\0", transfer, *[item.encode() for item in self.unknown]])

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        context_id = value.unsigned(1, "Presentation-context-ID")
        value.take(1, "the reserved byte")
        result = value.unsigned(1, "Result/Reason")
        value.take(1, "the reserved byte")
        uids, unknown = _syntaxes(value, (ItemType.TRANSFER_SYNTAX,))
        transfer = uids[ItemType.TRANSFER_SYNTAX]
        if len(transfer) > 1:
            raise value.fault(f"presentation context {context_id} has {len(transfer)} transfer syntaxes", AbortReason.UNEXPECTED_PARAMETER)
        return cls(context_id, result, transfer[0] if transfer else None, unknown)


@dataclass(frozen=True, slots=True)
class MaximumLength(_Item):
    """The longest P-DATA-TF that the sender of this is willing to receive, its header not counted; 0 is no limit (PS3.8 D.1)."""

    item_type = ItemType.MAXIMUM_LENGTH
    clause = "PS3.8 D.1"

    value: int

    def encode_value(self) -> bytes:
        return fields.unsigned(self.value, 4, "Maximum-length-received")

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        return cls(value.unsigned(4, "Maximum-length-received"))


@dataclass(frozen=True, slots=True)
class ImplementationClassUID(_Item):
    """Which implementation this is (PS3.7 D.3.3.2)."""

    item_type = ItemType.IMPLEMENTATION_CLASS_UID
    clause = "PS3.7 D.3.3.2"

    uid: str

    def encode_value(self) -> bytes:
        return fields.uid(self.uid, "Implementation-class-uid")

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        return cls(value.uid(value.left, "Implementation-class-uid"))


@dataclass(frozen=True, slots=True)
class ImplementationVersionName(_Item):
    """Which version of the implementation this is: 1 to 16 characters, which is not enforced (PS3.7 D.3.3.2)."""

    item_type = ItemType.IMPLEMENTATION_VERSION_NAME
    clause = "PS3.7 D.3.3.2"

    name: str

    def encode_value(self) -> bytes:
        return fields.text(self.name, "Implementation-version-name")

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        return cls(value.rest().decode("latin-1"))


@dataclass(frozen=True, slots=True)
class AsynchronousOperations(_Item):
    """How many operations may be outstanding, invoked and performed; 0 is no limit (PS3.7 D.3.3.3)."""

    item_type = ItemType.ASYNCHRONOUS_OPERATIONS
    clause = "PS3.7 D.3.3.3"

    invoked: int
    performed: int

    def encode_value(self) -> bytes:
        invoked = fields.unsigned(self.invoked, 2, "Maximum-number-operations-invoked")
        return invoked + fields.unsigned(self.performed, 2, "Maximum-number-operations-performed")

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        invoked = value.unsigned(2, "Maximum-number-operations-invoked")
        return cls(invoked, value.unsigned(2, "Maximum-number-operations-performed"))


@dataclass(frozen=True, slots=True)
class RoleSelection(_Item):
    """Which roles the requestor takes for a SOP class: in the RQ proposed, in the AC accepted (PS3.7 D.3.3.4)."""

    item_type = ItemType.ROLE_SELECTION
    clause = "PS3.7 D.3.3.4"

    sop_class: str
    scu: bool
    scp: bool

    def encode_value(self) -> bytes:
        sop_class = fields.counted(fields.uid(self.sop_class, "SOP-class-uid"), "SOP-class-uid")
        return sop_class + fields.flag(self.scu) + fields.flag(self.scp)

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        sop_class = value.counted_uid("SOP-class-uid")
        return cls(sop_class, value.flag("SCU-role"), value.flag("SCP-role"))


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation(_Item):
    """Application information of a SOP class, whose meaning is the service class's affair (PS3.7 D.3.3.5)."""

    item_type = ItemType.EXTENDED_NEGOTIATION
    clause = "PS3.7 D.3.3.5"

    sop_class: str
    information: bytes

    def encode_value(self) -> bytes:
        return fields.counted(fields.uid(self.sop_class, "SOP-class-uid"), "SOP-class-uid") + self.information

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        return cls(value.counted_uid("SOP-class-uid"), value.rest())


@dataclass(frozen=True, slots=True)
class CommonExtendedNegotiation(_Item):
    """The service class of a SOP class, and the more general SOP classes it is related to (PS3.7 D.3.3.6).

    Its version stands where other items have a reserved byte. `additional` are the fields of later versions, which in
    version 0 are absent.
    """

    item_type = ItemType.COMMON_EXTENDED_NEGOTIATION
    clause = "PS3.7 D.3.3.6"

    sop_class: str
    service_class: str
    related: tuple[str, ...] = ()
    version: int = 0
    additional: bytes = b""

    def encode(self) -> bytes:
        """The whole item, header included."""
        return fields.item(self.item_type, self.encode_value(), self.version)

    def encode_value(self) -> bytes:
        related = b"".join(fields.counted(fields.uid(uid, _RELATED), _RELATED) for uid in self.related)
        return b"".join(
            [
                fields.counted(fields.uid(self.sop_class, "SOP-class-uid"), "SOP-class-uid"),
                fields.counted(fields.uid(self.service_class, "Service-class-uid"), "Service-class-uid"),
                fields.counted(related, _RELATED),
                self.additional,
            ]
        )

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        sop_class = value.counted_uid("SOP-class-uid")
        service_class = value.counted_uid("Service-class-uid")
        uids, related = value.counted_window(_RELATED), []
        while uids.left:
            related.append(uids.counted_uid(_RELATED))
        return cls(sop_class, service_class, tuple(related), value.second, value.rest())


@dataclass(frozen=True, slots=True)
class UserIdentityRQ(_Item):
    """Who the user of the requestor is: name, passcode, ticket, assertion or token by type (PS3.7 D.3.3.7).

    The two fields are mostly secrets and stay out of the `repr`.
    """

    item_type = ItemType.USER_IDENTITY_RQ
    clause = "PS3.7 D.3.3.7"

    type: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    positive_response_requested: bool = False

    def encode_value(self) -> bytes:
        head = fields.unsigned(self.type, 1, "User-Identity-Type") + fields.flag(self.positive_response_requested)
        return head + fields.counted(self.primary, "Primary-field") + fields.counted(self.secondary, "Secondary-field")

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        identity_type = value.unsigned(1, "User-Identity-Type")
        wants_response = value.unsigned(1, "Positive-response-requested") != 0
        return cls(identity_type, value.counted("Primary-field"), value.counted("Secondary-field"), wants_response)


@dataclass(frozen=True, slots=True)
class UserIdentityAC(_Item):
    """The acceptor's positive response to a user identity (PS3.7 D.3.3.7)."""

    item_type = ItemType.USER_IDENTITY_AC
    clause = "PS3.7 D.3.3.7"

    response: bytes = field(repr=False)

    def encode_value(self) -> bytes:
        return fields.counted(self.response, "Server-response")

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        return cls(value.counted("Server-response"))


KnownUserItem: TypeAlias = (
    MaximumLength
    | ImplementationClassUID
    | AsynchronousOperations
    | RoleSelection
    | ImplementationVersionName
    | ExtendedNegotiation
    | CommonExtendedNegotiation
    | UserIdentityRQ
    | UserIdentityAC
)
UserItem: TypeAlias = KnownUserItem | UnknownItem


@dataclass(frozen=True, slots=True)
class UserInformation(_Item):
    """User Information Item: the sub-items of PS3.8 Annex D and PS3.7 Annex D (PS3.8 9.3.2.3 and 9.3.3.3)."""

    item_type = ItemType.USER_INFORMATION
    clause = "PS3.8 9.3.2.3"

    items: tuple[UserItem, ...]

    def encode_value(self) -> bytes:
        return b"".join([item.encode() for item in self.items])

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        return cls(read_items(value, USER_ITEMS))


KnownItem: TypeAlias = ApplicationContext | PresentationContextRQ | PresentationContextAC | UserInformation
Item: TypeAlias = KnownItem | UnknownItem

ITEMS: Mapping[int, type[KnownItem]] = {kind.item_type: kind for kind in KnownItem.__args__}
USER_ITEMS: Mapping[int, type[KnownUserItem]] = {kind.item_type: kind for kind in KnownUserItem.__args__}


def read_items(window: Cursor, kinds: Mapping[int, type[_T]]) -> tuple[_T | UnknownItem, ...]:
    """All items in the window, those of a type that is not in `kinds` as they came."""
    found: list[_T | UnknownItem] = []
    for item_type, value in window.items():
        kind = kinds.get(item_type)
        if kind is None:
            found.append(UnknownItem(item_type, value.rest(), value.second))
        else:
            value.clause = kind.clause
            found.append(kind.decode_value(value))
            if value.left:
                raise value.fault(f"item {item_type:02X}H ends here, but {value.left} bytes are left")
    return tuple(found)


def _syntax(item_type: ItemType, uid: str) -> bytes:
    """An abstract or transfer syntax sub-item (PS3.8 9.3.2.2.1 and 9.3.2.2.2)."""
    return fields.item(item_type, fields.uid(uid, _SYNTAX_NAMES[item_type]))


def _syntaxes(window: Cursor, wanted: Collection[int]) -> tuple[dict[int, list[str]], tuple[UnknownItem, ...]]:
    """The UIDs of the sub-items in the window by wanted type, and the other sub-items."""
    uids: dict[int, list[str]] = {item_type: [] for item_type in wanted}
    unknown = []
    for item_type, value in window.items():
        if item_type in uids:
            uids[item_type].append(value.uid(value.left, _SYNTAX_NAMES[item_type]))
        else:
            unknown.append(UnknownItem(item_type, value.rest(), value.second))
    return uids, tuple(unknown)


_SYNTAX_NAMES = {int(ItemType.ABSTRACT_SYNTAX): "Abstract-syntax-name", int(ItemType.TRANSFER_SYNTAX): "Transfer-syntax-name"}
_RELATED = "Related-general-sop-class-uid"
