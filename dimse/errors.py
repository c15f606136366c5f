"""Everything that this package raises on purpose.

    DimseError
    ├── AssociationError          no association came to be, or it ended before its work was done
    │   ├── Unreachable           the transport connection could not be opened
    │   ├── TLSFailed             the transport connection could not be secured, or was no longer secure
    │   ├── Rejected              the peer answered A-ASSOCIATE-RJ
    │   ├── Aborted               one side sent A-ABORT
    │   ├── ConnectionLost        the transport closed without release or abort
    │   └── TimedOut              one of the waits of `Timeouts` passed
    ├── ContextRefused            no accepted presentation context fits
    ├── ProtocolError             the peer broke PS3.7; the association has been aborted
    ├── OperationFailed           the peer answered a failure where a result was asked for
    ├── DataError (ValueError)    wrong bytes in a data set, command set or file
    │   └── OddData               wrong ones which do not show that anything is missing
    ├── UsageError (RuntimeError) this side's caller asked for what the state does not allow
    └── Refused                   raised BY a handler, to answer an operation with a failure

The text of each says what happened, which clause of the standard speaks of it, and what can be done.
The parts of the text are attributes too, so that no program has to read it. What came from a peer is escaped in it.
"""

from __future__ import annotations

from contextlib import suppress

from pdu.codes import DICOM_APPLICATION_CONTEXT, abort_words, context_words, rejection_words
from pdu.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from dimse.data.status import Status

_TRANSIENT = 2

NO_SUCH_CODE = "the standard has no such code: the peer's log may tell why"
REJECTION_ADVICE = {
    # (source, reason), PS3.8 Table 9-21: what to do
    (1, 1): "the peer's application does not say why: its log or conformance statement tells more",
    (1, 2): f"the peer speaks something else than DICOM, whose application context is {DICOM_APPLICATION_CONTEXT}: check host and port",
    (1, 3): "make this side's AE title known to the peer, or give one that it knows as calling",
    (1, 7): "give the AE title that the peer calls itself as called",
    (2, 1): "the peer found the request itself wrong or refuses this caller: its log tells more, a trace shows what was asked",
    (2, 2): "the peer knows another version of the protocol only: it is no DICOM node of today, or does not read bit 0 as it should",
    (3, 1): "the peer is busy: wait for associations to end, or raise its limit",
    (3, 2): "the peer has as many associations as it takes: wait for some to end, or raise its limit",
}
OWN_REJECTION_ADVICE = {
    # (source, reason), PS3.8 Table 9-21: what to do where this side rejected
    (1, 1): "the caller has to show a user identity that this side knows",
    (1, 2): "the caller speaks something else than DICOM: it may want another port",
    (1, 3): "the caller has to give a calling AE title that is its own here",
    (1, 7): "the caller has to give this side's AE title as called",
    (2, 1): "a trace names what the request lacks or has too much of",
    (2, 2): "the caller has to offer version 1 of the protocol, which is bit 0",
    (3, 1): "the caller may try again later",
    (3, 2): "the caller may try again later; Limits(associations=..., associations_per_host=...) allow more",
}
ABORT_ADVICE: dict[tuple[int, int | None], str] = {
    # (source, reason), PS3.8 Table 9-26: what to do
    (0, None): "the peer's application gave up, which has no reason code: the peer's log may tell why",
    (2, 0): "the peer's log may tell why",
    (2, 1): "the peer read something that is no PDU: a trace shows what was sent; is there TLS on one side only, or a proxy in between",
    (2, 2): "the peer was in another state than this side believed: a trace shows what crossed",
    (2, 4): "the peer knows no such parameter: a trace shows what was sent, and fewer extended negotiations may be understood",
    (2, 5): "the peer wants a parameter elsewhere or not at all: a trace shows what was sent",
    (2, 6): "the peer did not like a value: a trace shows what was sent, a PDU longer than it takes for instance",
}
CONTEXT_ADVICE = {
    # result, PS3.8 Table 9-18: what to do
    1: "the peer knows the service but refuses it to this caller: check its rights and the roles that were proposed",
    2: "the peer does not say why: its log or conformance statement tells more",
    3: "the peer does not offer the service: its conformance statement lists the SOP classes that it does, or it is switched off there",
    4: "propose other transfer syntaxes; every DICOM node has to take Implicit VR Little Endian, unless data are compressed (PS3.5 10.1)",
}
WAITS = {
    # field of Timeouts: what did not happen, the clause, what to do besides waiting longer
    "artim": ("the PDU that was due did not come whole", "PS3.8 9.1.5", "whoever connects has to send an A-ASSOCIATE-RQ at once"),
    "connect": ("the connection did not open", "PS3.8 9.1.2", "check host and port and any firewall"),
    "tls_handshake": ("the TLS handshake did not end", "PS3.15 B.12", "check that both sides use TLS on this port"),
    "associate": ("no A-ASSOCIATE-AC or -RJ came", "PS3.8 7.1.2", "check that it is a DICOM port, and that the peer is not overloaded"),
    "release": ("no A-RELEASE-RP came", "PS3.8 7.2.2", "what was answered before holds"),
    "idle": ("the peer asked for nothing", "PS3.8 7.3", "the peer may connect again when it has something to ask"),
    "response": ("the peer was silent in the middle of an operation", "PS3.7 9.1", "its log may tell what it was busy with"),
    "pdu": ("a PDU that began did not come to its end", "PS3.8 9.3.1", "the network or the peer stopped in the middle of it"),
    "message": ("a message that began did not come to its end", "PS3.8 E.1", "the network or the peer is too slow for what it sends"),
    "send": ("the peer took no data", "PS3.8 9.3.5", "the network or the peer has stopped reading"),
    "linger": ("the peer did not close the connection", "PS3.8 9.2.3, AR-5", ""),
}


class DimseError(Exception):
    """The root of the tree: catch it to catch whatever this package raises on purpose."""


class AssociationError(DimseError):
    """No association came to be, or it ended before its work was done.

    `what` happened, the `clause` that speaks of it, and the `advice` what to do make up the text.
    """

    @property
    def what(self) -> str:
        """What happened."""
        return super().__str__()

    @property
    def clause(self) -> str:
        """Where the standard speaks of it."""
        return ""

    @property
    def advice(self) -> str:
        """What can be done."""
        return ""

    def __str__(self) -> str:
        return _text(self.what, self.clause, self.advice)


class Unreachable(AssociationError):
    """The transport connection to `address` (`host:port`) could not be opened because of `cause`."""

    clause = "PS3.8 9.1.2"
    advice = "check host and port, that the peer is running, and that no firewall is in between"

    def __init__(self, address: str, cause: BaseException | str) -> None:
        super().__init__(address, cause)
        self.address = address
        self.cause = cause

    @property
    def why(self) -> str:
        """The cause in words."""
        if isinstance(self.cause, TimeoutError):
            return "no answer in time"
        said = self.cause.strerror if isinstance(self.cause, OSError) else ""
        return said or str(self.cause) or type(self.cause).__name__

    @property
    def what(self) -> str:
        return f"cannot open a connection to {self.address}: {self.why}"


class TLSFailed(AssociationError):
    """The transport connection with `address` (`host:port`) could not be secured by TLS, or was no longer secure."""

    clause = "PS3.15 B.12"
    advice = ""

    def __init__(self, address: str, why: str, advice: str = "") -> None:
        super().__init__(address, why, advice)
        self.address = address
        self.why = why
        self.advice = advice

    @property
    def what(self) -> str:
        return f"TLS with {self.address} failed: {self.why}"


class Rejected(AssociationError):
    """The answer was A-ASSOCIATE-RJ, the peer's or (`by_peer` false) this side's; the numbers are those on the wire (PS3.8 Table 9-21)."""

    clause = "PS3.8 9.3.4"

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

    @property
    def what(self) -> str:
        numbers = f"result {self.result}, source {self.source}, reason {self.reason}"
        words = rejection_words(self.result, self.source, self.reason)
        return f"{'the peer' if self.by_peer else 'this side'} rejected the association: {words} ({numbers})"

    @property
    def advice(self) -> str:
        if not self.by_peer:
            return OWN_REJECTION_ADVICE.get((self.source, self.reason), "")
        advice = REJECTION_ADVICE.get((self.source, self.reason), NO_SUCH_CODE)
        return f"try again later; {advice}" if self.transient else advice


class Aborted(AssociationError):
    """An A-ABORT ended the association: the peer's (`by_peer`), or this side's because of `cause`."""

    clause = "PS3.8 9.3.8"

    def __init__(self, source: int, reason: int, by_peer: bool, cause: str = "") -> None:
        super().__init__(source, reason, by_peer, cause)
        self.source = source
        self.reason = reason
        self.by_peer = by_peer
        self.cause = cause

    @property
    def what(self) -> str:
        numbers = f"source {self.source}, reason {self.reason}"
        if self.cause and not self.by_peer:
            return f"this side aborted the association because {self.cause} ({numbers})"
        who = "the peer" if self.by_peer else "this side"
        return f"{who} aborted the association: {abort_words(self.source, self.reason)} ({numbers})"

    @property
    def advice(self) -> str:
        if not self.by_peer:
            return "a trace shows the PDUs that led to it"
        reason = None if self.source == 0 else self.reason  # a service user has none
        return ABORT_ADVICE.get((self.source, reason), NO_SUCH_CODE)


class ConnectionLost(AssociationError):
    """The transport connection closed without release or abort; `cause` is what the operating system said."""

    clause = "PS3.8 9.2.3, AA-4"
    advice = "what was answered before holds; ask again for the rest on a new association"

    def __init__(self, cause: BaseException | str = "") -> None:
        super().__init__(cause)
        self.cause = cause

    @property
    def what(self) -> str:
        return f"the connection closed before the association was released{f': {self.cause}' if str(self.cause) else ''}"


class TimedOut(AssociationError):
    """The wait named `wait`, a field of `Timeouts`, passed after `seconds`."""

    def __init__(self, wait: str, seconds: float) -> None:
        super().__init__(wait, seconds)
        self.wait = wait
        self.seconds = seconds

    @property
    def missed(self) -> str:
        """What did not happen in time."""
        return WAITS.get(self.wait, ("what was awaited did not happen", "PS3.8 7.3", ""))[0]

    @property
    def what(self) -> str:
        return f"gave up after {self.seconds:g} s: the wait '{self.wait}' passed and {self.missed}"

    @property
    def clause(self) -> str:
        return WAITS[self.wait][1] if self.wait in WAITS else "PS3.8 7.3"

    @property
    def hint(self) -> str:
        """What can be done besides waiting longer; may be empty."""
        return WAITS[self.wait][2] if self.wait in WAITS else ""

    @property
    def advice(self) -> str:
        return "; ".join(filter(None, (self.hint, f"a slow peer needs more: Timeouts({self.wait}=...), None for no limit")))


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


class OddData(DataError):
    """A data set breaks a rule in a place behind which it cannot be read on; it may be complete for all that."""


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


def explained(result: int) -> str:
    """The result of a presentation context as a sentence: what it means, the clause, and what to do."""
    return _text(context_words(result), f"PS3.8 Table 9-18, result {result}", context_advice(result))


def context_advice(result: int) -> str:
    """What can be done about the result of a presentation context; nothing needs to be about an accepted one."""
    return CONTEXT_ADVICE.get(result, NO_SUCH_CODE) if result else ""


def printable(text: object) -> str:
    """Text in which no character steers a terminal or begins a line of a log: those that cannot be printed are escaped, as in `\\x1b`."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in shown)


def without_values(error: BaseException) -> str:
    """An exception for a log: its type and where it came from, but not its text, which may be about a patient.

    Only what the operating system says of an `OSError` is told.
    """
    said: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(said) < MAX_CAUSES:
        why = f" ({seen.strerror})" if isinstance(seen, OSError) and seen.strerror else ""
        said.append(f"{type(seen).__name__}{why}{_places(seen)}")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return printable(", because of ".join(said))


def forget_values(error: BaseException) -> None:
    """Lets go of what the functions that an exception passed were working on, whole data sets for instance: for whoever keeps it."""
    seen: BaseException | None = error
    for _ in range(MAX_CAUSES):
        if seen is None:
            return
        trace = seen.__traceback__
        while trace is not None:
            if not trace.tb_frame.f_code.co_flags & MAY_GO_ON:
                with suppress(RuntimeError):  # it is still running
                    trace.tb_frame.clear()
            trace = trace.tb_next
        seen = seen.__cause__ or seen.__context__


MAX_CAUSES, MAX_PLACES = 5, 6
MAY_GO_ON = 0x20 | 0x80 | 0x200
"""CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR: clearing the frame of one of these would end it, wherever it waits.

The numbers are the language's; `inspect`, which has the names, takes longer to import than all of this package's floors below.
"""


def _places(error: BaseException) -> str:
    """The functions that the exception passed, the innermost first."""
    places, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_name} ({code.co_filename.rpartition('/')[2]}:{trace.tb_lineno})")
        trace = trace.tb_next
    return f" in {', called by '.join(places[: -MAX_PLACES - 1 : -1])}" if places else ""


def _text(what: str, clause: str, advice: str) -> str:
    """One line: what happened, (clause), and what can be done."""
    where = f" ({clause})" if clause else ""
    then = f"; {advice}" if advice else ""
    return printable(f"{what}{where}{then}")
