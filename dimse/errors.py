"""Everything that this package raises on purpose.

    DimseError
    ├── AssociationError          no association came to be, or it ended before its work was done
    │   ├── Unreachable           the transport connection could not be opened
    │   ├── Rejected              the peer answered A-ASSOCIATE-RJ
    │   ├── Aborted               one side sent A-ABORT
    │   ├── ConnectionLost        the transport closed without release or abort
    │   └── TimedOut              one of the waits of `Timeouts` passed
    ├── ContextRefused            no accepted presentation context fits
    ├── ProtocolError             the peer broke PS3.7; the association has been aborted
    ├── OperationFailed           the peer answered a failure where a result was asked for
    ├── DataError (ValueError)    wrong bytes in a data set, command set or file
    ├── UsageError (RuntimeError) this side's caller asked for what the state does not allow
    └── Refused                   raised BY a handler, to answer an operation with a failure

The text of each says what happened, which clause of the standard speaks of it, and what can be done.
The parts of the text are attributes too, so that no program has to read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pdu.codes import abort_words, rejection_words

if TYPE_CHECKING:
    from dimse.data.status import Status

_CALLING_UNKNOWN, _CALLED_UNKNOWN = (1, 1, 3), (1, 1, 7)
_TRANSIENT = 2


class DimseError(Exception):
    """The root of the tree: catch it to catch whatever this package raises on purpose."""


class AssociationError(DimseError):
    """No association came to be, or it ended before its work was done."""


class Unreachable(AssociationError):
    """The transport connection to `address` (`host:port`) could not be opened because of `cause`."""

    def __init__(self, address: str, cause: BaseException | str) -> None:
        super().__init__(address, cause)
        self.address = address
        self.cause = cause

    def __str__(self) -> str:
        why = str(self.cause) or type(self.cause).__name__
        return _text(
            f"cannot open a connection to {self.address}: {why}",
            "PS3.8 9.1.2",
            "check host and port, that the peer is running, and that no firewall is in between",
        )


class Rejected(AssociationError):
    """The answer was A-ASSOCIATE-RJ, the peer's or (`by_peer` false) this side's; the numbers are those on the wire (PS3.8 Table 9-21)."""

    def __init__(self, result: int, source: int, reason: int, by_peer: bool = True) -> None:
        super().__init__(result, source, reason, by_peer)
        self.by_peer = by_peer
        self.result = result
        self.source = source
        self.reason = reason

    @property
    def transient(self) -> bool:
        """Whether the peer says that the same request may be accepted later."""
        return self.result == _TRANSIENT

    def __str__(self) -> str:
        numbers = f"result {self.result}, source {self.source}, reason {self.reason}"
        words = rejection_words(self.result, self.source, self.reason)
        who, advice = ("the peer", self._advice()) if self.by_peer else ("this side", "")
        return _text(f"{who} rejected the association: {words} ({numbers})", "PS3.8 9.3.4", advice)

    def _advice(self) -> str:
        code = (self.result, self.source, self.reason)
        if code == _CALLED_UNKNOWN:
            return "give the AE title that the peer calls itself as called"
        if code == _CALLING_UNKNOWN:
            return "make this side's AE title known to the peer, or give one that it knows as calling"
        if self.transient:
            return "the rejection is transient: try again later"
        return "the peer's log or conformance statement tells more"


class Aborted(AssociationError):
    """An A-ABORT ended the association: the peer's (`by_peer`), or this side's because of `cause`."""

    def __init__(self, source: int, reason: int, by_peer: bool, cause: str = "") -> None:
        super().__init__(source, reason, by_peer, cause)
        self.source = source
        self.reason = reason
        self.by_peer = by_peer
        self.cause = cause

    def __str__(self) -> str:
        who = "the peer" if self.by_peer else "this side"
        because = f" because {self.cause}" if self.cause else ""
        words = f"{abort_words(self.source, self.reason)} (source {self.source}, reason {self.reason})"
        advice = "the peer's log may tell why" if self.by_peer else "a trace shows the PDUs that led to it"
        return _text(f"{who} aborted the association{because}: {words}", "PS3.8 9.3.8", advice)


class ConnectionLost(AssociationError):
    """The transport connection closed without release or abort; `cause` is what the operating system said."""

    def __init__(self, cause: BaseException | str = "") -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        why = f": {self.cause}" if str(self.cause) else ""
        return _text(
            f"the connection closed before the association was released{why}",
            "PS3.8 9.2.3, AA-4",
            "what was answered before holds; ask again for the rest on a new association",
        )


class TimedOut(AssociationError):
    """The wait named `wait`, a field of `Timeouts`, passed after `seconds`."""

    def __init__(self, wait: str, seconds: float) -> None:
        super().__init__(wait, seconds)
        self.wait = wait
        self.seconds = seconds

    def __str__(self) -> str:
        clause = "PS3.8 9.1.5" if self.wait == "artim" else "PS3.8 7.3"
        return _text(
            f"gave up after {self.seconds:g} s: the wait '{self.wait}' passed",
            clause,
            f"a slow peer needs more: Timeouts({self.wait}=...), None for no limit",
        )


class ContextRefused(DimseError):
    """No accepted presentation context fits the SOP class and transfer syntax; `what` names them."""

    def __init__(self, what: str, advice: str = "propose the SOP class with a transfer syntax that the peer supports") -> None:
        super().__init__(what, advice)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return _text(self.what, "PS3.8 7.1.1.14", self.advice)


class ProtocolError(DimseError):
    """The peer broke PS3.7, so the association has been aborted."""

    def __init__(self, what: str, clause: str = "PS3.7 9.3") -> None:
        super().__init__(what, clause)
        self.what = what
        self.clause = clause

    def __str__(self) -> str:
        return _text(f"the peer broke the protocol: {self.what}", self.clause, "the association was aborted; a trace shows the message")


class OperationFailed(DimseError):
    """The peer answered `status`, a failure, where a result was asked for."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        service = self.status.service or "the operation"
        return _text(f"{service} failed: {self.status}", "PS3.7 Annex C", "the peer's log may tell more; the association goes on")


class DataError(DimseError, ValueError):
    """Wrong bytes in a data set, a command set or a Part 10 file.

    `offset` counts bytes from the start of what was read; None where the place has no offset (a line of text, say).
    """

    def __init__(self, what: str, offset: int | None = None, clause: str = "", advice: str = "") -> None:
        super().__init__(what, offset, clause, advice)
        self.what = what
        self.offset = offset
        self.clause = clause
        self.advice = advice

    def __str__(self) -> str:
        place = "" if self.offset is None else f" at offset {self.offset}"
        return _text(self.what + place, self.clause, self.advice)


class UsageError(DimseError, RuntimeError):
    """This side's caller asked for what the state does not allow; nothing was sent."""

    def __init__(self, what: str, clause: str = "", advice: str = "") -> None:
        super().__init__(what, clause, advice)
        self.what = what
        self.clause = clause
        self.advice = advice

    def __str__(self) -> str:
        return _text(self.what, self.clause, self.advice)


class Refused(DimseError):
    """Raised by a handler to answer its operation with `status`; the association goes on.

    `comment` goes into Error Comment (0000,0902), `offending` (tags as 0xggggeeee) into Offending Element (0000,0901).
    """

    def __init__(self, status: int, comment: str = "", offending: tuple[int, ...] = ()) -> None:
        super().__init__(status, comment, offending)
        self.status = status
        self.comment = comment
        self.offending = offending

    def __str__(self) -> str:
        why = f": {self.comment}" if self.comment else ""
        return _text(f"a handler refused the operation with status {self.status:04X}H{why}", "PS3.7 Annex C", "")


def _text(what: str, clause: str, advice: str) -> str:
    """One line: what happened, (clause), and what can be done."""
    where = f" ({clause})" if clause else ""
    then = f"; {advice}" if advice else ""
    return f"{what}{where}{then}"
