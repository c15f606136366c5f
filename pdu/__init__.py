"""The PDUs of the DICOM upper layer protocol, PS3.8 section 9.3: bytes to values and back, and nothing else.

    decode(data) -> PDU                one whole PDU in memory
    encode(pdu) -> bytes               or pdu.encode(); items have it too
    Reader().feed(chunk)               a stream in chunks, cut anywhere: PDUs, and P-DATA as `Fragment`s of the chunk
    frames(...), stream(...)           P-DATA to be sent, from memory or straight from a file

The PDUs are in `pdus`, their items in `items`, the numbers and words in `codes`. A peer's bytes raise `PDUError` and
nothing else; a value that has no bytes raises `ValueError`. `values` and `typed` stand in for `dataclasses` and `typing`, whose
import takes longer than a short command's work.
"""

from __future__ import annotations

from .codes import (
    DICOM_APPLICATION_CONTEXT,
    AbortReason,
    AbortSource,
    ContextResult,
    ItemType,
    PDUType,
    abort_words,
    context_words,
    rejection_words,
)
from .errors import PDUError
from .frames import DEFAULT_SEND_PDU, FrameBuffer, ReadV, frames, pdv_capacity, stream
from .items import (
    ApplicationContext,
    AsynchronousOperations,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    ImplementationClassUID,
    ImplementationVersionName,
    Item,
    MaximumLength,
    PresentationContextAC,
    PresentationContextRQ,
    RoleSelection,
    UnknownItem,
    UserIdentityAC,
    UserIdentityRQ,
    UserInformation,
    UserItem,
)
from .pdus import PDU, PDV, Abort, AssociateAC, AssociateRJ, AssociateRQ, PDataTF, ReleaseRP, ReleaseRQ, decode, encode
from .reader import DEFAULT_MAX_ASSOCIATE, DEFAULT_MAX_PDU, Fragment, Reader

__all__ = [
    "DEFAULT_MAX_ASSOCIATE",
    "DEFAULT_MAX_PDU",
    "DEFAULT_SEND_PDU",
    "DICOM_APPLICATION_CONTEXT",
    "PDU",
    "PDV",
    "Abort",
    "AbortReason",
    "AbortSource",
    "ApplicationContext",
    "AssociateAC",
    "AssociateRJ",
    "AssociateRQ",
    "AsynchronousOperations",
    "CommonExtendedNegotiation",
    "ContextResult",
    "ExtendedNegotiation",
    "Fragment",
    "FrameBuffer",
    "ImplementationClassUID",
    "ImplementationVersionName",
    "Item",
    "ItemType",
    "MaximumLength",
    "PDUError",
    "PDUType",
    "PDataTF",
    "PresentationContextAC",
    "PresentationContextRQ",
    "ReadV",
    "Reader",
    "ReleaseRP",
    "ReleaseRQ",
    "RoleSelection",
    "UnknownItem",
    "UserIdentityAC",
    "UserIdentityRQ",
    "UserInformation",
    "UserItem",
    "abort_words",
    "context_words",
    "decode",
    "encode",
    "frames",
    "pdv_capacity",
    "rejection_words",
    "stream",
]
