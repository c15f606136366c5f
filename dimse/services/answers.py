"""What handlers answer, as statuses; what would tell a peer something else than what was done is no answer."""

from __future__ import annotations

from dimse.data import status as codes
from dimse.data.status import Status
from dimse.errors import Refused
from dimse.services.handlers import Answer

_SUCCESS = Status(codes.SUCCESS)
CODES, TAGS = range(0x10000), range(0x1_0000_0000)


def ending(given: Answer) -> Status:
    """What an operation ends with: None is 0000H. Raises `ValueError` for what is no status, or a pending one."""
    if given is None:
        return _SUCCESS
    status = _status_of(given)
    if status.pending:
        raise ValueError(f"{status:04X}H is pending, and an operation does not end with that")
    return status


def pending(given: Status | int) -> Status:
    """The status of a match. Raises `ValueError` for any but a pending one, which would be the end for the peer."""
    status = _status_of(given)
    if not status.pending:
        raise ValueError(f"{status:04X}H is no status of a match, which are FF00H and FF01H")
    return status


def refusal(error: Exception) -> Status | None:
    """The failure that a handler asked for. None where it is none: nobody is to be told a success of what was not done."""
    if not isinstance(error, Refused):
        return None
    try:
        status = ending(Status(error.status, error.comment, offending=error.offending))
    except (TypeError, ValueError):
        return None
    return status if status.category in (codes.Category.FAILURE, codes.Category.CANCEL) else None


def _status_of(given: Status | int) -> Status:
    status = given if isinstance(given, Status) else Status(given)
    if int(status) not in CODES:  # a subclass of int is looked for one number at a time
        raise ValueError(f"{int(status)} is no status (0000,0900), which has 16 bits")
    if not all(tag in TAGS for tag in status.offending):
        raise ValueError("an offending element (0000,0901) is no tag, which has 32 bits")
    return status
