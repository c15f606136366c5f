"""Status of an operation, field (0000,0900): its category, and its meaning in words (PS3.7 Annex C, services of PS3.4)."""

from __future__ import annotations

from enum import Enum

SUCCESS = 0x0000
ATTRIBUTE_LIST_ERROR = 0x0107
NO_SUCH_ATTRIBUTE = 0x0105
INVALID_ATTRIBUTE_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
NO_SUCH_INSTANCE = 0x0112
NO_SUCH_EVENT_TYPE = 0x0113
NO_SUCH_ARGUMENT = 0x0114
INVALID_ARGUMENT_VALUE = 0x0115
ATTRIBUTE_VALUE_OUT_OF_RANGE = 0x0116
INVALID_INSTANCE = 0x0117
NO_SUCH_SOP_CLASS = 0x0118
CLASS_INSTANCE_CONFLICT = 0x0119
MISSING_ATTRIBUTE = 0x0120
MISSING_ATTRIBUTE_VALUE = 0x0121
SOP_CLASS_NOT_SUPPORTED = 0x0122
NO_SUCH_ACTION = 0x0123
NOT_AUTHORIZED = 0x0124
DUPLICATE_INVOCATION = 0x0210
UNRECOGNIZED_OPERATION = 0x0211
MISTYPED_ARGUMENT = 0x0212
RESOURCE_LIMITATION = 0x0213
OUT_OF_RESOURCES = 0xA700
UNABLE_TO_CALCULATE = 0xA701
UNABLE_TO_PERFORM_SUBOPERATIONS = 0xA702
MOVE_DESTINATION_UNKNOWN = 0xA801
DATASET_MISMATCH = 0xA900
COERCION = 0xB000
SUBOPERATIONS_WARNING = 0xB000
ELEMENTS_DISCARDED = 0xB006
DATASET_MISMATCH_WARNING = 0xB007
CANNOT_UNDERSTAND = 0xC000
CANCEL = 0xFE00
PENDING = 0xFF00
PENDING_WARNING = 0xFF01


class Category(Enum):
    """The five kinds of status (PS3.7 C.1)."""

    SUCCESS = "Success"
    WARNING = "Warning"
    FAILURE = "Failure"
    CANCEL = "Cancel"
    PENDING = "Pending"


class Status(int):
    """A status code with what came along with it.

    An `int`: it compares with, formats as (`f"{status:04X}"`) and is as false as its number. Success is 0000H and therefore
    false: ask `status.ok`.

    service    "C-STORE" and so on: the same number means different things to different services
    comment    Error Comment (0000,0902)
    offending  Offending Element (0000,0901): tags as 0xggggeeee
    local      this side gave the status; the peer was never asked
    """

    comment: str
    service: str
    offending: tuple[int, ...]
    local: bool

    def __new__(cls, code: int, comment: str = "", *, service: str = "", offending: tuple[int, ...] = (), local: bool = False) -> Status:
        self = super().__new__(cls, code)
        self.comment = comment
        self.service = service
        self.offending = offending
        self.local = local
        return self

    @property
    def category(self) -> Category:
        """The kind of status; a number that no part of the standard knows is a failure, never a success (PS3.7 C.1)."""
        return _ALONE.get(int(self)) or _BY_FIRST_DIGIT.get(self >> 12, Category.FAILURE)

    @property
    def ok(self) -> bool:
        """Whether the operation is done: success or warning."""
        return self == SUCCESS or self.category is Category.WARNING

    @property
    def pending(self) -> bool:
        """Whether more responses follow this one."""
        return self in (PENDING, PENDING_WARNING)

    @property
    def words(self) -> str:
        """What the number means to its service, else in general, else its category."""
        for service, low, high, words in _WORDS:
            if low <= self <= high and service in (self.service, ""):
                return words
        return f"{self.category.value}: unknown status"

    def __str__(self) -> str:
        comment = f" ({self.comment})" if self.comment else ""
        tags = ", ".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in self.offending)
        offending = f", offending element {tags}" if tags else ""
        local = " [given by this side]" if self.local else ""
        return f"{self:04X}H {self.words}{comment}{offending}{local}"

    def __repr__(self) -> str:
        return f"<Status {self}>"


# PS3.7 C.1: which numbers belong to which category. Those of 01xx that are warnings stand alone.
_ALONE = {
    SUCCESS: Category.SUCCESS,
    0x0001: Category.WARNING,
    ATTRIBUTE_LIST_ERROR: Category.WARNING,
    ATTRIBUTE_VALUE_OUT_OF_RANGE: Category.WARNING,
    CANCEL: Category.CANCEL,
    PENDING: Category.PENDING,
    PENDING_WARNING: Category.PENDING,
}
_BY_FIRST_DIGIT = {0xA: Category.FAILURE, 0xB: Category.WARNING, 0xC: Category.FAILURE}

# (service, first, last, words): the first row that fits is the one. A service's own rows stand before the general ones.
_WORDS = (
    # PS3.4 Table B.2-1
    ("C-STORE", 0xA700, 0xA7FF, "Refused: out of resources"),
    ("C-STORE", 0xA900, 0xA9FF, "Error: data set does not match SOP class"),
    ("C-STORE", 0xC000, 0xCFFF, "Error: cannot understand"),
    ("C-STORE", 0xB000, 0xB000, "Warning: coercion of data elements"),
    ("C-STORE", 0xB006, 0xB006, "Warning: elements discarded"),
    ("C-STORE", 0xB007, 0xB007, "Warning: data set does not match SOP class"),
    # PS3.4 Table C.4-1
    ("C-FIND", 0xA700, 0xA700, "Refused: out of resources"),
    ("C-FIND", 0xA900, 0xA900, "Error: identifier does not match SOP class"),
    ("C-FIND", 0xC000, 0xCFFF, "Failed: unable to process"),
    ("C-FIND", 0xFE00, 0xFE00, "Cancel: matching terminated due to cancel request"),
    ("C-FIND", 0xFF00, 0xFF00, "Pending: current match is supplied"),
    ("C-FIND", 0xFF01, 0xFF01, "Pending: current match is supplied, one or more optional keys were not supported"),
    # PS3.4 Table C.4-2 and Y.4-1
    ("C-MOVE", 0x0000, 0x0000, "Success: sub-operations complete, no failures or warnings"),
    ("C-MOVE", 0xA701, 0xA701, "Refused: out of resources, unable to calculate number of matches"),
    ("C-MOVE", 0xA702, 0xA702, "Refused: out of resources, unable to perform sub-operations"),
    ("C-MOVE", 0xA801, 0xA801, "Refused: move destination unknown"),
    ("C-MOVE", 0xA900, 0xA900, "Error: identifier does not match SOP class"),
    ("C-MOVE", 0xAA00, 0xAA00, "Error: none of the frames requested were found in the SOP instance"),
    ("C-MOVE", 0xAA01, 0xAA01, "Error: unable to create new object for this SOP class"),
    ("C-MOVE", 0xAA02, 0xAA02, "Error: unable to extract frames"),
    ("C-MOVE", 0xAA03, 0xAA03, "Error: time-based request received for a non-time-based original SOP instance"),
    ("C-MOVE", 0xAA04, 0xAA04, "Error: invalid request"),
    ("C-MOVE", 0xC000, 0xCFFF, "Failed: unable to process"),
    ("C-MOVE", 0xFE00, 0xFE00, "Cancel: sub-operations terminated due to cancel indication"),
    ("C-MOVE", 0xB000, 0xB000, "Warning: sub-operations complete, one or more failures or warnings"),
    ("C-MOVE", 0xFF00, 0xFF00, "Pending: sub-operations are continuing"),
    # PS3.4 Table C.4-3 and Z.4-1
    ("C-GET", 0x0000, 0x0000, "Success: sub-operations complete, no failures or warnings"),
    ("C-GET", 0xA701, 0xA701, "Refused: out of resources, unable to calculate number of matches"),
    ("C-GET", 0xA702, 0xA702, "Refused: out of resources, unable to perform sub-operations"),
    ("C-GET", 0xA900, 0xA900, "Error: identifier does not match SOP class"),
    ("C-GET", 0xAA00, 0xAA00, "Error: none of the frames requested were found in the SOP instance"),
    ("C-GET", 0xAA01, 0xAA01, "Error: unable to create new object for this SOP class"),
    ("C-GET", 0xAA02, 0xAA02, "Error: unable to extract frames"),
    ("C-GET", 0xAA03, 0xAA03, "Error: time-based request received for a non-time-based original SOP instance"),
    ("C-GET", 0xAA04, 0xAA04, "Error: invalid request"),
    ("C-GET", 0xC000, 0xCFFF, "Failed: unable to process"),
    ("C-GET", 0xFE00, 0xFE00, "Cancel: sub-operations terminated due to cancel indication"),
    ("C-GET", 0xB000, 0xB000, "Warning: sub-operations complete, one or more failures or warnings"),
    ("C-GET", 0xFF00, 0xFF00, "Pending: sub-operations are continuing"),
    # PS3.7 C.2 to C.5
    ("", 0x0000, 0x0000, "Success"),
    ("", 0x0001, 0x0001, "Warning: requested optional attributes are not supported"),
    ("", 0x0105, 0x0105, "Failure: no such attribute"),
    ("", 0x0106, 0x0106, "Failure: invalid attribute value"),
    ("", 0x0107, 0x0107, "Warning: attribute list error"),
    ("", 0x0110, 0x0110, "Failure: processing failure"),
    ("", 0x0111, 0x0111, "Failure: duplicate SOP instance"),
    ("", 0x0112, 0x0112, "Failure: no such SOP instance"),
    ("", 0x0113, 0x0113, "Failure: no such event type"),
    ("", 0x0114, 0x0114, "Failure: no such argument"),
    ("", 0x0115, 0x0115, "Failure: invalid argument value"),
    ("", 0x0116, 0x0116, "Warning: attribute value out of range"),
    ("", 0x0117, 0x0117, "Failure: invalid SOP instance"),
    ("", 0x0118, 0x0118, "Failure: no such SOP class"),
    ("", 0x0119, 0x0119, "Failure: class-instance conflict"),
    ("", 0x0120, 0x0120, "Failure: missing attribute"),
    ("", 0x0121, 0x0121, "Failure: missing attribute value"),
    ("", 0x0122, 0x0122, "Refused: SOP class not supported"),
    ("", 0x0123, 0x0123, "Failure: no such action type"),
    ("", 0x0124, 0x0124, "Refused: not authorized"),
    ("", 0x0210, 0x0210, "Failure: duplicate invocation"),
    ("", 0x0211, 0x0211, "Failure: unrecognized operation"),
    ("", 0x0212, 0x0212, "Failure: mistyped argument"),
    ("", 0x0213, 0x0213, "Failure: resource limitation"),
    ("", 0xFE00, 0xFE00, "Cancel"),
    ("", 0xFF00, 0xFF01, "Pending"),
    # What the services agree on, for a status whose service is not known
    ("", 0xA700, 0xA7FF, "Refused: out of resources"),
    ("", 0xA801, 0xA801, "Refused: move destination unknown"),
    ("", 0xA900, 0xA9FF, "Error: data set or identifier does not match SOP class"),
    ("", 0xC000, 0xCFFF, "Error: cannot understand or unable to process"),
)
