"""C-GET as user (PS3.4 C.4.3, PS3.7 9.1.3): the instances come as C-STOREs on the same association, and go into a sink."""

from __future__ import annotations

from collections.abc import Callable

from dimse.association.negotiation import AcceptedContext
from dimse.data import status as codes
from dimse.data.commands import CommandField, CommandSet
from dimse.data.datasets import DataSet
from dimse.data.status import Status
from dimse.data.uids import UID
from dimse.errors import printable
from dimse.services import scu
from dimse.services.answers import refusal
from dimse.services.handlers import Peer, Request, Sink
from dimse.services.messages import Message
from dimse.services.receiving import fault_of, receive
from dimse.services.scu import Progress
from dimse.services.session import Session
from pdu.values import dataclass

MAX_TOLD = 1000
"""Instances that were not kept, of which a result tells; more are counted by the provider and tell nothing new."""


@dataclass(frozen=True, slots=True)
class GetResult:
    """How a C-GET ended: the final status, its counters and the instances that failed, as the provider has them.

    `kept` is how many instances this side took, and `refused` which ones it did not, with the status that it answered.
    """

    status: Status
    completed: int
    failed: int
    warning: int
    failed_uids: tuple[UID, ...]
    kept: int
    refused: tuple[tuple[UID, Status], ...]


class Getting:
    """One C-GET under way. Message ids of the two sides may be the same: each counts its own (PS3.7 9.1.1.1)."""

    def __init__(
        self,
        session: Session,
        context: AcceptedContext,
        command: CommandSet,
        sink: Callable[[Request], Sink],
        progress: Callable[[Progress], object] | None,
    ) -> None:
        self._session = session
        self._context = context
        self._command = command
        self._sink = sink
        self._progress = progress
        self._peer = _sender(session)
        self._kept = 0
        self._refused: list[tuple[UID, Status]] = []
        self._error: Exception | None = None
        self._wants_no_more = False
        self._cancelled = False
        self._behind_cancel = 0

    async def run(self) -> GetResult:
        """Takes instances and pending responses until the final one. Raises what the caller's functions raised."""
        while True:
            message = await self._session.receive()
            if message.command.command_field == CommandField.C_STORE_RQ:
                await self._store(message)
            else:
                await self._session.check_response(message, CommandField.C_GET_RQ, (self._command.message_id or 0,))
                identifier = await scu.identifier_of(self._session, message)
                if not message.command.outcome.pending:
                    return self._result(message.command, identifier)
                self._tell(message.command)
            await self._cancel_if_need_be()

    async def _store(self, message: Message) -> None:
        command = message.command
        if command.message_id is None:
            await self._session.violation(f"{command.name} has no Message ID (0000,0110)", "PS3.7 9.3")
        if fault := self._fault(message):
            await self._session.skip()
            status = fault
        else:
            request, limit = Request(self._peer, command, message.context), self._session.layer.limits.data_set
            status = await receive(self._session, lambda: self._sink(request), limit, self._failure)
        if status.ok:
            self._kept += 1
        elif len(self._refused) < MAX_TOLD:
            self._refused.append((UID(command.affected_sop_instance_uid or ""), status))
        await self._session.send(message.context, command.response(status))

    def _fault(self, message: Message) -> Status | None:
        """Why an instance is refused before any sink sees it."""
        command = message.command
        if fault := fault_of(message):
            return fault
        if not message.context.scp:
            return Status(codes.SOP_CLASS_NOT_SUPPORTED, "this side is not the SCP of that context", service=command.service)
        if not command.has_data_set:
            return Status(codes.MISTYPED_ARGUMENT, "a C-STORE has a data set", service=command.service)
        if not UID(command.affected_sop_instance_uid or "").is_valid:
            return Status(codes.INVALID_INSTANCE, "the SOP Instance UID is not a UID", service=command.service)
        if self._error is not None:
            return Status(codes.PROCESSING_FAILURE, "no more instances are taken", service=command.service)
        return None

    def _failure(self, error: Exception) -> Status:
        """What an instance is answered with that the sink did not keep; what it raised by mistake is the caller's."""
        if (asked_for := refusal(error)) is not None:
            return asked_for
        self._error = self._error or error
        return Status(codes.PROCESSING_FAILURE, f"processing failure: {type(error).__name__}")

    def _tell(self, command: CommandSet) -> None:
        """Hands a pending response on; whether more is wanted is known then."""
        if self._progress is None or self._error is not None:
            return
        try:
            self._wants_no_more |= self._progress(scu.progress_of(command)) is False
        except Exception as error:
            self._error = error

    async def _cancel_if_need_be(self) -> None:
        """Sends C-CANCEL once; the provider goes on until it has seen that, and not for ever."""
        if self._cancelled:
            self._behind_cancel += 1
            await scu.check_end(self._session, self._command, self._behind_cancel)
        elif self._wants_no_more or self._error is not None:
            self._cancelled = True
            await self._session.send(self._context, scu.cancel_rq(self._command))

    def _result(self, command: CommandSet, identifier: DataSet | None) -> GetResult:
        if self._error is not None:
            raise self._error
        return GetResult(
            command.outcome,
            command.number_of_completed_suboperations or 0,
            command.number_of_failed_suboperations or 0,
            command.number_of_warning_suboperations or 0,
            scu.failed_uids(identifier),
            self._kept,
            tuple(self._refused),
        )


def _sender(session: Session) -> Peer:
    """The provider as who sends: the AE that this side has called."""
    request = session.layer.request
    sender, receiver = (request.called, request.calling) if request else ("", "")
    return Peer(printable(sender), printable(receiver), session.wire.address, session.wire.security)
