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
    TLSFailed,
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

OPTION_OF = {
    "connect": "-to",
    "tls_handshake": "-to",
    "associate": "-ta",
    "release": "-ta",
    "artim": "-ta",
    "response": "-td",
    "idle": "-td",
}
"""The option that lengthens a wait of `Timeouts`."""

OPTION_FOR = {(1, 3): "-aet", (1, 7): "-aec"}
"""The option that says otherwise what a rejection (source, reason) is about."""
NO_REASON = 1, 1
"""The source and reason of a rejection, of which one for a user identity is an instance (PS3.7 D.3.3.7)."""
OPTION_FOR_TLS = {
    "name its CA": "--tls-ca",
    "pin its fingerprint": "--tls-pin",
    "name that one for the check": "--tls-name",
    "this side's private key and certificate": "--tls-key, --tls-cert",
    "show a certificate": "--tls-key, --tls-cert",
    "connect without TLS": "without --tls",
    "is it a port for TLS": "else without --tls",
}
"""Words of the advice of a `TLSFailed` -> the option that follows it."""
TLS_ALERT = "15H is no PDU type"
"""Words of whoever reads the alert of a peer that wants TLS in the place of a PDU."""


NO_PDU = "is no PDU type"
"""Words of whoever reads something else than DICOM."""


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


def no_association(peer: str, error: Exception, *, is_identified: bool = False) -> Failure:
    """Why no association came to be with `peer` (who and where), to whom a user identity may have been shown."""
    advice = [_advice(error)]
    if isinstance(error, Rejected) and (error.source, error.reason) == NO_REASON and error.by_peer:
        advice.append("it may not take the user that was shown" if is_identified else "it may want to know the user (--user)")
    elif isinstance(error, Aborted) and TLS_ALERT in error.cause:
        advice = ["it is a port for TLS: give --tls"]
    elif isinstance(error, ConnectionLost) or (isinstance(error, Aborted) and NO_PDU in error.cause):
        advice = ["is it a DICOM port, and with TLS on both sides or none?", "--trace FILE keeps the PDUs"]
    elif isinstance(error, Aborted) and not error.by_peer:
        advice = ["what the peer answered breaks the standard, so that its maker has to mend it", "--trace FILE keeps the PDUs"]
    return Failure(NO_ASSOCIATION, f"no association with {peer}: {_told(error, *advice)}")


def broken(peer: str, error: Exception) -> Failure:
    """How an association with `peer` ended before its work was done."""
    seen = ["--trace FILE keeps the PDUs"] if isinstance(error, Aborted) else []
    return Failure(BROKEN, f"the association with {peer} ended early: {_told(error, _advice(error), *seen)}")


def _told(error: Exception, *advice: str) -> str:
    """What happened and the clause, in the error's own words, and what to do."""
    if not isinstance(error, AssociationError):
        return str(error)
    what = f"{error.what} ({error.clause})" if error.clause else error.what
    return "; ".join([what, *filter(None, advice)])


def _advice(error: Exception) -> str:
    """The error's advice, and the option that follows it."""
    match error:
        case Rejected():
            option = OPTION_FOR.get((error.source, error.reason))
            return f"{error.advice} ({option})" if option else error.advice
        case TimedOut():
            option = OPTION_OF.get(error.wait)
            return "; ".join(filter(None, (error.hint, f"a slow peer needs a longer {option}" if option else "")))
        case TLSFailed():
            options = [option for words, option in OPTION_FOR_TLS.items() if words in error.advice]
            return f"{error.advice} ({', '.join(options)})" if options else error.advice
        case Unreachable(cause=TimeoutError()):
            return f"{error.advice}, or give it longer with -to"
        case AssociationError():
            return error.advice
        case _:
            return ""
