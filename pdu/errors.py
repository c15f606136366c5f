"""The one error that bytes from a peer can cause here."""

from __future__ import annotations

from .codes import AbortReason


class PDUError(ValueError):
    """Bytes that are no PDU of PS3.8: what is wrong, where, which clause says so, and which A-ABORT it deserves.

    `offset` counts bytes from the start of the PDU to the field at fault, whose header is at 0.
    """

    def __init__(self, what: str, offset: int, reason: AbortReason, clause: str) -> None:
        super().__init__(what, offset, reason, clause)
        self.what = what
        self.offset = offset
        self.reason = reason
        self.clause = clause

    def __str__(self) -> str:
        reason = self.reason.name.lower().replace("_", " ")
        return f"{self.what}, at byte {self.offset} of the PDU ({self.clause}; {reason})"

    def twin(self) -> PDUError:
        """The same fault without a traceback, which can be kept without keeping frames and buffers alive."""
        return PDUError(self.what, self.offset, self.reason, self.clause)
