"""The numbers of PS3.8 and what they mean in words."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

DICOM_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""The one application context name that DICOM defines (PS3.7 A.2.1)."""


class PDUType(IntEnum):
    """The first byte of a PDU (PS3.8 9.3.1)."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


class ItemType(IntEnum):
    """The first byte of an item or sub-item (PS3.8 9.3.2, 9.3.3 and D.1; PS3.7 D.3.3)."""

    APPLICATION_CONTEXT = 0x10
    PRESENTATION_CONTEXT_RQ = 0x20
    PRESENTATION_CONTEXT_AC = 0x21
    ABSTRACT_SYNTAX = 0x30
    TRANSFER_SYNTAX = 0x40
    USER_INFORMATION = 0x50
    MAXIMUM_LENGTH = 0x51
    IMPLEMENTATION_CLASS_UID = 0x52
    ASYNCHRONOUS_OPERATIONS = 0x53
    ROLE_SELECTION = 0x54
    IMPLEMENTATION_VERSION_NAME = 0x55
    EXTENDED_NEGOTIATION = 0x56
    COMMON_EXTENDED_NEGOTIATION = 0x57
    USER_IDENTITY_RQ = 0x58
    USER_IDENTITY_AC = 0x59


class ContextResult(IntEnum):
    """The acceptor's answer to one presentation context (PS3.8 Table 9-18)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


class AbortSource(IntEnum):
    """Who aborts (PS3.8 Table 9-26); 1 is reserved."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """Why the service provider aborts (PS3.8 Table 9-26); 3 is reserved."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER_VALUE = 6


def rejection_words(result: int, source: int, reason: int) -> str:
    """An A-ASSOCIATE-RJ in words, for any three bytes (PS3.8 9.3.4)."""
    why = _word(_REJECT_REASONS.get(source, {}), reason, "reason")
    return f"{_word(_REJECT_RESULTS, result, 'result')} by the {_word(_REJECT_SOURCES, source, 'source')}: {why}"


def abort_words(source: int, reason: int) -> str:
    """An A-ABORT in words, for any two bytes; only a service provider's reason means something (PS3.8 9.3.8)."""
    by = f"aborted by the {_word(_ABORT_SOURCES, source, 'source')}"
    return by if source == AbortSource.SERVICE_USER else f"{by}: {_word(_ABORT_REASONS, reason, 'reason')}"


def context_words(result: int) -> str:
    """The result of one presentation context in words, for any byte (PS3.8 9.3.3.2)."""
    return _word(_CONTEXT_RESULTS, result, "result")


# PS3.8 Table 9-21.
_REJECT_RESULTS = {1: "rejected for good", 2: "rejected for now"}
_REJECT_SOURCES = {
    1: "service user",
    2: "service provider (ACSE)",
    3: "service provider (presentation)",
}
_REJECT_REASONS = {
    1: {
        1: "no reason given",
        2: "application context name not supported",
        3: "calling AE title not recognized",
        7: "called AE title not recognized",
    },
    2: {1: "no reason given", 2: "protocol version not supported"},
    3: {1: "temporary congestion", 2: "local limit exceeded"},
}

# PS3.8 Table 9-26.
_ABORT_SOURCES: Mapping[int, str] = {AbortSource.SERVICE_USER: "service user", AbortSource.SERVICE_PROVIDER: "service provider"}
_ABORT_REASONS: Mapping[int, str] = {
    AbortReason.NOT_SPECIFIED: "reason not specified",
    AbortReason.UNRECOGNIZED_PDU: "unrecognized PDU",
    AbortReason.UNEXPECTED_PDU: "unexpected PDU",
    AbortReason.UNRECOGNIZED_PARAMETER: "unrecognized PDU parameter",
    AbortReason.UNEXPECTED_PARAMETER: "unexpected PDU parameter",
    AbortReason.INVALID_PARAMETER_VALUE: "invalid PDU parameter value",
}

# PS3.8 Table 9-18.
_CONTEXT_RESULTS: Mapping[int, str] = {
    ContextResult.ACCEPTANCE: "accepted",
    ContextResult.USER_REJECTION: "rejected by the user",
    ContextResult.NO_REASON: "rejected without a reason",
    ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED: "abstract syntax not supported",
    ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED: "transfer syntaxes not supported",
}


def _word(table: Mapping[int, str], code: int, kind: str) -> str:
    return table.get(code, f"reserved or unknown {kind} ({code})")
