"""The seven PDUs of PS3.8 section 9.3 as frozen values: `decode` makes them from bytes, `encode` bytes from them."""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

from . import fields
from .codes import AbortReason, PDUType, abort_words, rejection_words
from .errors import PDUError
from .fields import Cursor
from .items import (
    ITEMS,
    ApplicationContext,
    Item,
    KnownUserItem,
    PresentationContextAC,
    PresentationContextRQ,
    UserInformation,
    UserItem,
    read_items,
)
from .typed import TYPE_CHECKING, ClassVar
from .values import dataclass

if TYPE_CHECKING:
    from typing import Self, TypeAlias, TypeVar

    _T = TypeVar("_T", bound=KnownUserItem)

HEADER_LENGTH = 6
"""PDU type, a reserved byte and the length of what follows, in front of every PDU (PS3.8 9.3.1)."""

PDV_HEADER_LENGTH = 6
"""Item length, presentation context ID and message control header, in front of the data of a PDV (PS3.8 9.3.5.1)."""

P_DATA_HEADER = Struct(">BxLLBB")
"""Both in one, as they stand before the only PDV of a P-DATA-TF."""

COMMAND = 0x01
"""Message control header: the fragment is of the command set, not of the data set (PS3.8 E.2)."""

LAST = 0x02
"""Message control header: the fragment is the last one of its command set or data set (PS3.8 E.2)."""

ASSOCIATE_MINIMUM = 68
"""Length of an A-ASSOCIATE-RQ or -AC without any item."""

FIXED_LENGTH = 4
"""Length of an A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP and A-ABORT."""

NO_LIMIT = 0xFFFFFFFF
"""The longest that a PDU can announce itself."""


class _PDU:
    """What all PDUs share: a type, the clause that describes them, and the way to bytes and back."""

    __slots__ = ()

    pdu_type: ClassVar[PDUType]
    clause: ClassVar[str]
    shortest: ClassVar[int] = FIXED_LENGTH
    longest: ClassVar[int] = FIXED_LENGTH

    def encode(self) -> bytes:
        """The whole PDU, header included; ValueError where a value does not fit its field."""
        value = self.encode_value()
        return bytes((self.pdu_type, 0)) + fields.unsigned(len(value), 4, "PDU-length") + value

    def encode_value(self) -> bytes:
        """The bytes behind the header."""
        raise NotImplementedError  # pragma: no cover - every class below has its own

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        """The PDU whose value is in the window; PDUError where it cannot be read."""
        raise NotImplementedError  # pragma: no cover - every class below has its own


@dataclass(frozen=True, slots=True)
class _Associate(_PDU):
    """The fields that A-ASSOCIATE-RQ and -AC have in common, which is all of them."""

    shortest = ASSOCIATE_MINIMUM
    longest = NO_LIMIT

    called: str
    calling: str
    items: tuple[Item, ...]
    protocol_version: int = 1

    @property
    def application_context(self) -> str | None:
        """The (first) application context name."""
        for item in self.items:
            if isinstance(item, ApplicationContext):
                return item.uid
        return None

    @property
    def user_items(self) -> tuple[UserItem, ...]:
        """The sub-items of the user information (of all of them, should there be more than one)."""
        return tuple([sub for item in self.items if isinstance(item, UserInformation) for sub in item.items])

    def user_item(self, kind: type[_T]) -> _T | None:
        """The first sub-item of the user information that is of that class."""
        for item in self.items:
            if isinstance(item, UserInformation):
                for sub in item.items:
                    if isinstance(sub, kind):
                        return sub
        return None

    def encode_value(self) -> bytes:
        return b"".join(
            [
                fields.unsigned(self.protocol_version, 2, "Protocol-version"),
                bytes(2),
                fields.ae_title(self.called, "Called-AE-title"),
                fields.ae_title(self.calling, "Calling-AE-title"),
                bytes(32),
                *[item.encode() for item in self.items],
            ]
        )

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        protocol_version = value.unsigned(2, "Protocol-version")
        value.take(2, "the reserved bytes")
        called = value.ae_title("Called-AE-title")
        calling = value.ae_title("Calling-AE-title")
        value.take(32, "the reserved bytes")
        return cls(called, calling, read_items(value, ITEMS), protocol_version)


@dataclass(frozen=True, slots=True)
class AssociateRQ(_Associate):
    """A-ASSOCIATE-RQ PDU (PS3.8 9.3.2)."""

    pdu_type = PDUType.ASSOCIATE_RQ
    clause = "PS3.8 9.3.2"

    @property
    def presentation_contexts(self) -> tuple[PresentationContextRQ, ...]:
        """The proposed presentation contexts."""
        return tuple([item for item in self.items if isinstance(item, PresentationContextRQ)])


@dataclass(frozen=True, slots=True)
class AssociateAC(_Associate):
    """A-ASSOCIATE-AC PDU; its AE titles repeat those of the request and shall not be tested (PS3.8 9.3.3)."""

    pdu_type = PDUType.ASSOCIATE_AC
    clause = "PS3.8 9.3.3"

    @property
    def presentation_contexts(self) -> tuple[PresentationContextAC, ...]:
        """The answers to the proposed presentation contexts."""
        return tuple([item for item in self.items if isinstance(item, PresentationContextAC)])


@dataclass(frozen=True, slots=True)
class AssociateRJ(_PDU):
    """A-ASSOCIATE-RJ PDU; str() says it in words (PS3.8 9.3.4)."""

    pdu_type = PDUType.ASSOCIATE_RJ
    clause = "PS3.8 9.3.4"

    result: int
    source: int
    reason: int

    def __str__(self) -> str:
        return rejection_words(self.result, self.source, self.reason)

    def encode_value(self) -> bytes:
        head = b"\0" + fields.unsigned(self.result, 1, "Result") + fields.unsigned(self.source, 1, "Source")
        return head + fields.unsigned(self.reason, 1, "Reason/Diag.")

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        _, result, source, reason = value.take(FIXED_LENGTH, "A-ASSOCIATE-RJ")
        return cls(result, source, reason)


@dataclass(frozen=True, slots=True)
class PDV:
    """Presentation Data Value Item: a fragment of a command set or a data set (PS3.8 9.3.5.1 and E.2)."""

    context_id: int
    is_command: bool
    is_last: bool
    data: bytes

    def encode(self) -> bytes:
        """The whole item, header included."""
        length = fields.unsigned(2 + len(self.data), 4, "Item-length")
        context_id = fields.unsigned(self.context_id, 1, "Presentation-context-ID")
        control = self.is_command * COMMAND | self.is_last * LAST
        return b"".join([length, context_id, bytes((control,)), self.data])

    @classmethod
    def decode(cls, window: Cursor) -> PDV:
        """The next item in the window."""
        left, offset = window.left, window.offset
        header = window.take(min(left, PDV_HEADER_LENGTH), "the header of a PDV")
        size, context_id, control = pdv_header(header, left, offset)
        return cls(context_id, control & COMMAND != 0, control & LAST != 0, window.take(size, "PDV data"))


@dataclass(frozen=True, slots=True)
class PDataTF(_PDU):
    """P-DATA-TF PDU: one PDV or more (PS3.8 9.3.5)."""

    pdu_type = PDUType.P_DATA_TF
    clause = "PS3.8 9.3.5"
    shortest = PDV_HEADER_LENGTH  # "one or more Presentation Data Value Items"
    longest = NO_LIMIT

    pdvs: tuple[PDV, ...]

    def encode_value(self) -> bytes:
        if not self.pdvs:
            raise ValueError("a P-DATA-TF has at least one presentation data value (PS3.8 9.3.5)")
        return b"".join(pdv.encode() for pdv in self.pdvs)

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        pdvs = [PDV.decode(value)]
        while value.left:
            pdvs.append(PDV.decode(value))
        return cls(tuple(pdvs))


@dataclass(frozen=True, slots=True)
class ReleaseRQ(_PDU):
    """A-RELEASE-RQ PDU (PS3.8 9.3.6)."""

    pdu_type = PDUType.RELEASE_RQ
    clause = "PS3.8 9.3.6"

    def encode_value(self) -> bytes:
        return bytes(FIXED_LENGTH)

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        value.take(FIXED_LENGTH, "the reserved bytes")
        return cls()


@dataclass(frozen=True, slots=True)
class ReleaseRP(_PDU):
    """A-RELEASE-RP PDU (PS3.8 9.3.7)."""

    pdu_type = PDUType.RELEASE_RP
    clause = "PS3.8 9.3.7"

    def encode_value(self) -> bytes:
        return bytes(FIXED_LENGTH)

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        value.take(FIXED_LENGTH, "the reserved bytes")
        return cls()


@dataclass(frozen=True, slots=True)
class Abort(_PDU):
    """A-ABORT PDU; str() says it in words (PS3.8 9.3.8)."""

    pdu_type = PDUType.ABORT
    clause = "PS3.8 9.3.8"

    source: int
    reason: int

    def __str__(self) -> str:
        return abort_words(self.source, self.reason)

    def encode_value(self) -> bytes:
        return bytes(2) + fields.unsigned(self.source, 1, "Source") + fields.unsigned(self.reason, 1, "Reason/Diag.")

    @classmethod
    def decode_value(cls, value: Cursor) -> Self:
        _, _, source, reason = value.take(FIXED_LENGTH, "A-ABORT")
        return cls(source, reason)


PDU: TypeAlias = AssociateRQ | AssociateAC | AssociateRJ | PDataTF | ReleaseRQ | ReleaseRP | Abort

PDUS: Mapping[int, type[PDU]] = {kind.pdu_type: kind for kind in PDU.__args__}


def encode(pdu: PDU) -> bytes:
    """The bytes of one whole PDU; ValueError where a value does not fit its field."""
    return pdu.encode()


def decode(data: bytes) -> PDU:
    """The value of exactly one whole PDU; PDUError for anything else, also when bytes follow."""
    kind = kind_of(data)
    if len(data) < HEADER_LENGTH:
        raise PDUError(f"a PDU has a header of 6 bytes, these are {len(data)}", 0, AbortReason.INVALID_PARAMETER_VALUE, kind.clause)
    length = int.from_bytes(data[2:HEADER_LENGTH], "big")
    check_length(kind, length)
    if length != len(data) - HEADER_LENGTH:
        raise length_fault(kind, length, f"but {len(data) - HEADER_LENGTH} bytes follow its header")
    value = Cursor(data, HEADER_LENGTH, len(data), kind.clause)
    return kind.decode_value(value)


TLS_RECORDS = {0x15: ": an alert of TLS: plain DICOM on TLS port", 0x16: ": a handshake of TLS: TLS on plain port"}
"""First bytes of what a TLS server and a TLS client begin with here: the mistake that is made most often, and worth its name."""


def kind_of(header: bytes) -> type[PDU]:
    """The class of the PDU that starts with these bytes, for which the first one is enough."""
    kind = PDUS.get(header[0]) if header else None
    if kind is None:
        what = f"{header[0]:02X}H is no PDU type{TLS_RECORDS.get(header[0], '')}" if header else "there is no PDU in no bytes"
        raise PDUError(what, 0, AbortReason.UNRECOGNIZED_PDU, "PS3.8 9.3.1")
    return kind


def check_length(kind: type[PDU], length: int) -> None:
    """PDUError unless a PDU of that class can be of that length, which its header tells."""
    if length < kind.shortest:
        raise length_fault(kind, length, f"but it takes at least {kind.shortest} bytes")
    if length > kind.longest:
        raise length_fault(kind, length, f"but it takes {kind.longest} bytes")


def length_fault(kind: type[PDU], length: int, why: str) -> PDUError:
    """The error for a PDU length that cannot be or is not wanted."""
    return PDUError(f"{kind.__name__} announces {length} bytes, {why}", 2, AbortReason.INVALID_PARAMETER_VALUE, kind.clause)


def pdv_header(header: bytes, left: int, offset: int) -> tuple[int, int, int]:
    """Count of data bytes, presentation context ID and message control header of a PDV.

    `left` bytes of the PDU stand from its header on, which is at `offset`; the header is shorter than 6 bytes only if
    there are no more. PDUError where the PDV cannot be (PS3.8 9.3.5.1).
    """
    if len(header) < PDV_HEADER_LENGTH:
        raise _pdv_fault(f"a PDV has a header of {PDV_HEADER_LENGTH} bytes, only {left} are left", offset)
    length, context_id, control = _PDV_HEADER.unpack(header)
    if length < 2:
        raise _pdv_fault(f"a PDV announces {length} bytes, but it takes at least 2", offset)
    if length > left - 4:
        raise _pdv_fault(f"a PDV announces {length} bytes, only {left - 4} are left", offset)
    return length - 2, context_id, control


def _pdv_fault(what: str, offset: int) -> PDUError:
    return PDUError(what, offset, AbortReason.INVALID_PARAMETER_VALUE, "PS3.8 9.3.5.1")


_PDV_HEADER = Struct(">LBB")
