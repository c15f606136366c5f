"""Why a command did not do what it was asked to: an exit code, and one line that says what happened and what to do."""

from __future__ import annotations

from dimse.errors import (
    Aborted,
    AssociationError,
    ConnectionLost,
    DataError,
    DimseError,
    Rejected,
    TimedOut,
    Unreachable,
)

DONE = 0
FAILED = 1
"""Some of it failed, or the peer answered a failure."""
USAGE = 2
"""Wrong usage, or input that cannot be read."""
NO_ASSOCIATION = 3
"""Refused, unreachable, rejected, timed out."""
BROKEN = 4
"""The association was aborted or lost on the way."""
INTERRUPTED = 130
"""By Ctrl-C: 128 and the number of the signal, as shells have it."""
OUTPUT_CLOSED = 141
"""Whoever read standard output went away: 128 and SIGPIPE."""

OPTION_OF = {"connect": "-to", "associate": "-ta", "release": "-ta", "artim": "-ta", "response": "-td", "idle": "-td"}
"""The option that lengthens a wait of `Timeouts`."""


class Failure(Exception):
    """The command ends with `code`; the text is for the person who gave it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class OutputClosed(Exception):
    """Nobody reads standard output any more."""


def failure_of(error: BaseException) -> Failure | None:
    """What an exception means to the command as a whole; None for one that nobody raised on purpose."""
    match error:
        case Failure():
            return error
        case AssociationError():
            return Failure(BROKEN, str(error))
        case DataError():
            return Failure(USAGE, str(error))
        case DimseError():
            return Failure(FAILED, str(error))
        case OSError():
            return Failure(USAGE, os_words(error))
        case _:
            return None


def os_words(error: OSError) -> str:
    """What the operating system said, with the file it is about."""
    words = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {words}" if error.filename is not None else words


def no_association(peer: str, error: Exception, called: str) -> Failure:
    """Why no association came to be with `peer` (who and where)."""
    return Failure(NO_ASSOCIATION, _no_association(peer, error, called))


def broken(peer: str, error: Exception) -> Failure:
    """How an association with `peer` ended before its work was done."""
    return Failure(BROKEN, _broken(peer, error))


def _no_association(peer: str, error: Exception, called: str) -> str:
    match error:
        case Unreachable(cause=TimeoutError()):
            return f"no connection to {peer}: no answer in time; check host and port and any firewall, or give it longer with -to"
        case Unreachable(cause=cause):
            why = os_words(cause) if isinstance(cause, OSError) else str(cause)
            return f"no connection to {peer}: {why}; check host and port, and that the peer is running"
        case Rejected():
            return f"no association with {peer}: {_rejection(error, called)}"
        case TimedOut():
            option = OPTION_OF.get(error.wait, "-ta")
            return f"{peer} gave no answer to the association request for {error.seconds:g} s; a slow peer needs a longer {option}"
        case Aborted(by_peer=True):
            return f"{peer} aborted instead of answering the association request: {_abort_words(error)}; its log may tell why"
        case Aborted():
            return f"{peer} gave no proper answer to the association request: {error.cause}; is it a DICOM port? -d shows the PDUs"
        case ConnectionLost():
            return f"{peer} closed the connection instead of answering the association request; is it a DICOM port?"
        case _:
            return f"no association with {peer}: {error}"


def _rejection(error: Rejected, called: str) -> str:
    from pdu import rejection_words

    words = rejection_words(error.result, error.source, error.reason)
    numbers = f"(result {error.result}, source {error.source}, reason {error.reason})"
    return f"{words} {numbers}; {_advice(error, called)}"


def _advice(error: Rejected, called: str) -> str:
    match error.result, error.source, error.reason:
        case _, 1, 7:
            return f"it does not answer to {called!r}: give its AE title with -aec"
        case _, 1, 3:
            return "it does not know this side's AE title: give one that it knows with -aet, or have it configured there"
        case 2, _, _:
            return "it may accept later: try again"
        case _:
            return "its log or conformance statement tells more"


def _broken(peer: str, error: Exception) -> str:
    match error:
        case Aborted(by_peer=True):
            return f"{peer} aborted the association: {_abort_words(error)}; its log may tell why, -d shows the PDUs"
        case Aborted():
            return f"the association with {peer} was aborted by this side: {error.cause or _abort_words(error)}; -d shows the PDUs"
        case ConnectionLost():
            return f"the connection to {peer} was lost; what was answered before holds, ask again for the rest"
        case TimedOut(wait="send"):
            return f"{peer} took no data for {error.seconds:g} s; the association was aborted"
        case TimedOut(wait="pdu"):
            return f"{peer} stopped in the middle of a PDU for {error.seconds:g} s; the association was aborted"
        case TimedOut():
            return f"{peer} was silent for {error.seconds:g} s; a slow peer needs a longer {OPTION_OF.get(error.wait, '-td')}"
        case _:
            return f"{peer}: {error}"


def _abort_words(error: Aborted) -> str:
    from pdu import abort_words

    return f"{abort_words(error.source, error.reason)} (source {error.source}, reason {error.reason})"
