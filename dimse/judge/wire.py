"""Bytes as they stand on the wire, right and wrong ones alike: every length can be made to lie.

`raw_pdu`, `item`, `pdv` and `element` are the four layers of PS3.8 and PS3.5; what depends on who is called, or on how long a
PDU the provider takes, is a `Stimulus` that is built from the `Scene` when it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import pack
from typing import Final

import pdu
from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian, StudyRootFind, StudyRootGet, StudyRootMove, Verification
from pdu.values import dataclass

ROOT: Final = "2.25.212918716301541391713254470986135621042"
"""Root of the made-up UIDs of whatever a case stores: nothing of it is anybody's patient."""
COMMAND, DATA, LAST = 0x01, 0x00, 0x02
"""Message control header (PS3.8 E.2)."""
MAX_LENGTH: Final = 16_384
"""The maximum length that the judge announces unless a case has another (PS3.8 D.1)."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a stimulus may depend on: the AE titles, and the longest P-DATA-TF that the provider said it takes (0: any)."""

    called: bytes = b"ANY-SCP"
    calling: bytes = b"DIMSE"
    max_length: int = MAX_LENGTH


Stimulus = bytes | Callable[[Scene], bytes]


def raw_pdu(kind: int, body: bytes = b"", length: int | None = None) -> bytes:
    """A PDU (PS3.8 9.3.1)."""
    return pack(">BxL", kind, len(body) if length is None else length) + body


def item(kind: int, body: bytes = b"", length: int | None = None) -> bytes:
    """An item or sub-item (PS3.8 9.3.2)."""
    return pack(">BxH", kind, len(body) if length is None else length) + body


def pdv(context: int, control: int, data: bytes = b"", length: int | None = None) -> bytes:
    """A presentation data value item (PS3.8 9.3.5.1)."""
    return pack(">LBB", len(data) + 2 if length is None else length, context, control) + data


def element(group: int, number: int, value: bytes = b"", length: int | None = None) -> bytes:
    """A data element in Implicit VR Little Endian (PS3.5 A.1)."""
    return pack("<HHL", group, number, len(value) if length is None else length) + value


def p_data(*pdvs: bytes, length: int | None = None) -> bytes:
    """A P-DATA-TF PDU."""
    return raw_pdu(0x04, b"".join(pdvs), length)


# A-ASSOCIATE-RQ


def context(number: int, abstract_syntax: str, *transfer_syntaxes: str) -> bytes:
    """A presentation context item; Implicit VR Little Endian unless told (PS3.8 9.3.2.2)."""
    syntaxes = b"".join(item(0x40, uid.encode()) for uid in transfer_syntaxes or (ImplicitVRLittleEndian,))
    return item(0x20, bytes([number, 0, 0, 0]) + item(0x30, abstract_syntax.encode("latin-1")) + syntaxes)


def user(*sub_items: bytes, max_length: int | None = MAX_LENGTH) -> bytes:
    """User information: maximum length (None: without), implementation class UID, and more (PS3.8 9.3.2.3)."""
    longest = b"" if max_length is None else item(0x51, pack(">L", max_length))
    return item(0x50, longest + item(0x52, ROOT.encode()) + b"".join(sub_items))


APPLICATION: Final = item(0x10, pdu.DICOM_APPLICATION_CONTEXT.encode())
USER: Final = user()
ECHO_CONTEXT: Final = context(1, Verification)
STORE_CONTEXT: Final = context(3, CTImageStorage)
CONTEXTS: Final = (
    ECHO_CONTEXT,
    STORE_CONTEXT,
    context(5, StudyRootFind),
    context(7, StudyRootMove),
    context(9, StudyRootGet),
)
ITEMS: Final = (APPLICATION, *CONTEXTS, USER)


@dataclass(frozen=True, slots=True)
class Request:
    """An A-ASSOCIATE-RQ as a stimulus (PS3.8 9.3.2). `called` and `calling` are given where they are the point.

    `length`: what the PDU announces; `first`: send that many bytes only; `behind`: other PDUs in the same write.
    """

    items: tuple[bytes, ...] = ITEMS
    version: int = 1
    called: bytes | None = None
    calling: bytes | None = None
    length: int | None = None
    first: int | None = None
    behind: bytes = b""

    def __call__(self, scene: Scene) -> bytes:
        called = (scene.called if self.called is None else self.called).ljust(16)[:16]
        calling = (scene.calling if self.calling is None else self.calling).ljust(16)[:16]
        body = pack(">HH", self.version, 0) + called + calling + bytes(32) + b"".join(self.items)
        return (raw_pdu(0x01, body, self.length) + self.behind)[: self.first]


def request(*items: bytes) -> Request:
    """The request with these items."""
    return Request(items)


# Messages

Fields = Mapping[int, bytes | None]
"""Elements of a command set by number; None leaves one out."""


def uid_value(uid: str) -> bytes:
    """A UID as a value, padded with NUL to an even length (PS3.5 9.1)."""
    return uid.encode() + b"\0" * (len(uid) % 2)


def short(number: int) -> bytes:
    """A value of VR US."""
    return pack("<H", number)


def command(fields: Fields, group_length: int | None = None) -> bytes:
    """A command set with its group length, which `group_length` replaces (PS3.7 6.3.1)."""
    body = b"".join(element(0, number, value) for number, value in sorted(fields.items()) if value is not None)
    return element(0, 0, pack("<L", len(body) if group_length is None else group_length)) + body


ECHO: Final[Fields] = {0x0002: uid_value(Verification), 0x0100: short(0x0030), 0x0110: short(1), 0x0800: short(0x0101)}
"""C-ECHO-RQ (PS3.7 9.3.5.1)."""


def store_fields(uid: str) -> Fields:
    """C-STORE-RQ of a CT image (PS3.7 9.3.1.1)."""
    return {
        0x0002: uid_value(CTImageStorage),
        0x0100: short(0x0001),
        0x0110: short(1),
        0x0700: short(0),
        0x0800: short(1),
        0x1000: uid_value(uid),
    }


def message(fields: Fields, *, on: int = 1, group_length: int | None = None) -> bytes:
    """A message without a data set, in one PDU."""
    return p_data(pdv(on, COMMAND | LAST, command(fields, group_length)))


ECHO_MESSAGE: Final = message(ECHO)
RELEASE: Final = raw_pdu(0x05, bytes(4))
ABORT: Final = raw_pdu(0x07, bytes(4))


def instance_uid(number: int) -> str:
    """The SOP Instance UID of a made-up instance."""
    return f"{ROOT}.{number}"


def data_set(number: int, *more: bytes) -> bytes:
    """The data set of a made-up instance in Implicit VR Little Endian; `more` goes behind its identification."""
    study = uid_value(f"{ROOT}.{number}.1"), uid_value(f"{ROOT}.{number}.2")
    identification = (
        element(0x0008, 0x0016, uid_value(CTImageStorage)),
        element(0x0008, 0x0018, uid_value(instance_uid(number))),
        element(0x0008, 0x0060, b"CT"),
        element(0x0010, 0x0010, b"JUDGE^MADE UP "),
        element(0x0010, 0x0020, b"JUDGE-1 "),
        element(0x0020, 0x000D, study[0]),
        element(0x0020, 0x000E, study[1]),
    )
    return b"".join((*identification, *more))


@dataclass(frozen=True, slots=True)
class Store:
    """A C-STORE of a made-up instance as a stimulus, in PDUs that the provider takes. `data` is called when it is sent.

    `keep`: send only that share of the data set, and never its last fragment. `on`: the presentation context.
    """

    number: int
    data: bytes | Callable[[], bytes]
    keep: float = 1.0
    on: int = 3

    def __call__(self, scene: Scene) -> bytes:
        encoded = self.data if isinstance(self.data, bytes) else self.data()
        head = pdu.frames(self.on, True, command(store_fields(instance_uid(self.number))), scene.max_length)
        if self.keep >= 1:
            return head + pdu.frames(self.on, False, encoded, scene.max_length)
        part = encoded[: int(len(encoded) * self.keep)][: (scene.max_length or MAX_LENGTH) - 6]
        return head + p_data(pdv(self.on, DATA, part))
