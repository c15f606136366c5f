"""The services as provider (SCP), written once for both fronts: negotiates, then answers one operation after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pdu
from dimse.association.negotiation import answer
from dimse.data import status as codes
from dimse.data.commands import CommandField
from dimse.data.datasets import DataSet
from dimse.data.elements import check_size
from dimse.data.status import Status
from dimse.data.uids import UID
from dimse.errors import AssociationError, DataError, ProtocolError, Rejected, forget_values, printable
from dimse.services.admission import NOT_IDENTIFIED, Admit, Identify, TurnedAway
from dimse.services.answers import ending, refusal
from dimse.services.finding import find
from dimse.services.handlers import Answer, Peer, Request, Services, Sink, User
from dimse.services.messages import Message
from dimse.services.offer import GET_MODELS, RIGHTS, Offer, is_operation_of
from dimse.services.receiving import Collector, fault_of, receive
from dimse.services.rights import ALL_RIGHTS, Right
from dimse.services.session import PeerReleased, Session
from dimse.services.subops import provide
from dimse.services.users import Unidentified, confirmed
from pdu.values import dataclass, field

MAX_ERRORS = 100
"""Exceptions of one association that are kept: more are counted as failures, and tell nothing new."""


@dataclass
class Report:
    """What one association did, for whoever keeps a log; complete when the association has ended.

    `counts` has the operations by name ("C-STORE"), `failures` those that were answered with a failure by what that is
    ("A700H Refused: out of resources", without the comment, which may be about a patient). `ended` tells how the association
    ended. `denied` are the rights that the peer lacks for what it proposed or asked for. `errors` are the exceptions of handlers that
    were answered 0110H, the first 100; the values that were at hand are gone.
    """

    peer: Peer
    counts: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    bytes_received: int = 0
    bytes_sent: int = 0
    ended: str = ""
    denied: set[Right] = field(default_factory=set)
    errors: list[Exception] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many operations were answered with a failure."""
        return sum(self.failures.values())


class Provider:
    """Serves one association: `await Provider(session, services).serve()`."""

    def __init__(
        self,
        session: Session,
        services: Services,
        *,
        aet: str,
        check_called: bool = False,
        any_storage: bool = False,
        admit: Admit | None = None,
        identify: Identify | None = None,
        dismiss: Callable[[], object] | None = None,
    ) -> None:
        self.session = session
        self.services = services
        self.report = Report(Peer("", aet, session.wire.address))
        self._aet = aet
        self._check_called = check_called
        self._any_storage = any_storage
        self._admit = admit
        self._identify = identify
        self._user: User | None = None
        self._dismiss = dismiss
        self._rights = ALL_RIGHTS
        self._handlers: dict[int, Callable[[Message], Awaitable[None]]] = {
            CommandField.C_ECHO_RQ: self._echo,
            CommandField.C_STORE_RQ: self._store,
            CommandField.C_FIND_RQ: self._find,
            CommandField.C_GET_RQ: self._retrieve,
            CommandField.C_MOVE_RQ: self._retrieve,
        }

    async def serve(self) -> Report:
        """From the A-ASSOCIATE-RQ to the end of the association; returns what happened, and raises nothing of the peer's doing."""
        try:
            await self.session.wire.secure()
            await self._negotiate()
            while True:
                await self._dispatch(await self.session.receive(expecting=False))
        except PeerReleased:
            self.report.ended = "released"
        except Rejected as error:
            rejection = pdu.AssociateRJ(error.result, error.source, error.reason)
            self.report.ended = self.report.ended or TurnedAway(rejection).words  # the upper layer itself has no more to say
        except (AssociationError, ProtocolError) as error:
            self.report.ended = str(error)
        finally:
            self._complete_report()
            if self._dismiss is not None:  # before the peer knows: the place is free when the release is confirmed
                self._dismiss()
        await self.session.finish()
        return self.report

    # Negotiation

    async def _negotiate(self) -> None:
        """Answers the A-ASSOCIATE-RQ; raises `Rejected` if there is no association then."""
        request = await self.session.request()
        self.report.peer = self._peer(request)
        reply = await self._reply(request)
        if isinstance(reply, TurnedAway):
            self.session.layer.reject(reply.answer)
            self.report.ended = reply.words
            raise Rejected(reply.answer.result, reply.answer.source, reply.answer.reason, by_peer=False)
        self.session.accept(reply)

    async def _reply(self, request: pdu.AssociateRQ) -> pdu.AssociateAC | TurnedAway:
        """Who may not come in hears nothing of what there is; who it is is asked last, because finding out costs."""
        if self._admit is not None:
            admitted = self._admit(request)
            if isinstance(admitted, TurnedAway):
                return admitted
            self._rights = admitted
        called = self._aet if self._check_called else None
        offer = Offer(self.services, rights=self._rights, any_storage=self._any_storage)
        grant = self._grant if self.services.extended else None
        max_pdu, window = self.session.layer.limits.max_pdu, self._window(request)
        reply = answer(request, offer.choose, aet=called, max_pdu=max_pdu, operations=window, grant=grant)
        if isinstance(reply, pdu.AssociateRJ):
            return TurnedAway(reply)
        self.report.denied |= offer.denied
        if self._identify is None:
            return reply
        shown = request.user_item(pdu.UserIdentityRQ)
        found = await self._identify(shown, self.report.peer)
        if isinstance(found, Unidentified):
            return TurnedAway(NOT_IDENTIFIED, found.why)
        self._user = found
        self.report.peer = self._peer(request)
        return confirmed(reply, shown, found)

    def _window(self, request: pdu.AssociateRQ) -> int:
        """Operations that the peer may have under way: one where it can ask for a C-GET, whose sub-operations go the other way."""
        proposed = {item.abstract_syntax for item in request.items if isinstance(item, pdu.PresentationContextRQ)}
        may_get = self.services.get is not None and Right.GET in self._rights and not GET_MODELS.isdisjoint(proposed)
        return 1 if may_get else self.session.layer.limits.operations

    def _grant(self, sop_class: UID, proposed: bytes) -> bytes | None:
        """What the services grant of a SOP class's options; nothing, if they fail to say."""
        try:
            granted = self.services.extended(sop_class, proposed) if self.services.extended else None
            if granted is not None:
                pdu.ExtendedNegotiation(sop_class, granted).encode()  # what is no answer is to raise here
        except Exception as error:
            self.failure(error)
            return None
        return granted

    def _peer(self, request: pdu.AssociateRQ) -> Peer:
        calling, called = printable(request.calling), printable(request.called)
        return Peer(calling, called, self.session.wire.address, self.session.wire.security, self._user)

    def _complete_report(self) -> None:
        self.report.bytes_received, self.report.bytes_sent = self.session.bytes_received, self.session.bytes_sent
        if self.session.layer.request is not None and not self.report.peer.calling:  # a peer that nobody could answer
            self.report.peer = self._peer(self.session.layer.request)

    # Operations

    async def _dispatch(self, message: Message) -> None:
        command = message.command
        if command.command_field == CommandField.C_CANCEL_RQ:
            return  # for an operation that is over, or never was: nothing answers it (PS3.7 9.3.2.3)
        if command.is_response:
            await self.session.violation(f"{command.name} answers nothing that was asked", "PS3.7 9.3")
        if command.message_id is None:
            await self.session.violation(f"{command.name} has no Message ID (0000,0110)", "PS3.7 9.3")
        handler = self._handlers.get(command.command_field)
        if fault := self._fault(message, known=handler is not None):
            await self.session.skip()
            await self._respond(message, fault)
        elif handler is not None:
            self.session.serve(command.message_id)
            await handler(message)

    def _fault(self, message: Message, *, known: bool) -> Status | None:
        """What is wrong with a request before any handler sees it."""
        command = message.command
        if not known:
            return Status(codes.UNRECOGNIZED_OPERATION, "this operation is not provided", service=command.service)
        if (right := RIGHTS[command.command_field]) not in self._rights:  # its contexts were rejected, so that it is about another's
            self.report.denied.add(right)
            return Status(codes.NOT_AUTHORIZED, "the calling AE title may not do this here", service=command.service)
        if fault := fault_of(message):
            return fault
        if not is_operation_of(message):
            return Status(codes.UNRECOGNIZED_OPERATION, "not an operation of this SOP class and role", service=command.service)
        if command.has_data_set is (command.command_field == CommandField.C_ECHO_RQ):
            return Status(codes.MISTYPED_ARGUMENT, "Command Data Set Type does not fit the operation", service=command.service)
        return None

    async def _echo(self, message: Message) -> None:
        request = self._request(message)
        await self._respond(message, self._guard(lambda: self.services.echo(request) if self.services.echo else None))

    async def _store(self, message: Message) -> None:
        request, limits = self._request(message), self.session.layer.limits
        limit = limits.data_set if self.services.sink is not None else limits.data_set_in_memory
        await self._respond(message, await receive(self.session, lambda: _open_sink(self.services, request), limit, self.failure))

    async def _find(self, message: Message) -> None:
        request = await self._request_with_identifier(message)
        if isinstance(request, Status):
            await self._respond(message, request)
            return
        await self._respond(message, await find(self.session, self.services.find, request, failure=self.failure))

    async def _retrieve(self, message: Message) -> None:
        request = await self._request_with_identifier(message)
        if isinstance(request, Status):
            await self._respond(message, request)
            return
        response, identifier = await provide(self.session, self.services, request, aet=self._aet, failure=self.failure)
        self._count(message, Status(response.status or 0, service=message.command.service))
        await self.session.send(message.context, response, identifier)

    # Helpers

    def _request(self, message: Message, identifier: DataSet | None = None) -> Request:
        extended = self.session.agreement.extended.get(message.context.abstract_syntax, b"")
        return Request(self.report.peer, message.command, message.context, identifier, extended)

    async def _request_with_identifier(self, message: Message) -> Request | Status:
        limits, syntax, service = self.session.layer.limits, message.context.transfer_syntax, message.command.service
        try:
            encoded = await self.session.data_set(limits.identifier)
        except DataError as error:
            return Status(codes.OUT_OF_RESOURCES, str(error), service=service)
        try:
            check_size(encoded, syntax, most=limits.identifier_elements, deepest=limits.identifier_depth)
        except DataError as error:
            return Status(codes.CANNOT_UNDERSTAND, f"identifier: {error.what}", service=service)
        return self._request(message, DataSet(encoded, syntax))

    def _guard(self, call: Callable[[], Answer]) -> Status:
        """A handler's answer as a status, whatever the handler does."""
        try:
            return ending(call())
        except Exception as error:  # a handler's mistake must not end the association
            return self.failure(error)

    def failure(self, error: Exception) -> Status:
        """The status that a handler's exception is answered with; one that is not `Refused` is reported, if it is of the first."""
        if (asked_for := refusal(error)) is not None:
            return asked_for
        if len(self.report.errors) < MAX_ERRORS:
            forget_values(error)
            self.report.errors.append(error)
        return Status(codes.PROCESSING_FAILURE, f"processing failure: {type(error).__name__}")

    async def _respond(self, message: Message, status: Status) -> None:
        self._count(message, status)
        await self.session.send_soon(message.context, message.command.response(status))

    def _count(self, message: Message, status: Status) -> None:
        name = message.command.service or message.command.name
        self.report.counts[name] = self.report.counts.get(name, 0) + 1
        if status.category is codes.Category.FAILURE:
            words = f"{status:04X}H {Status(status, service=message.command.service).words}"
            self.report.failures[words] = self.report.failures.get(words, 0) + 1


def _open_sink(services: Services, request: Request) -> Sink:
    if services.sink is not None:
        return services.sink(request)
    assert services.store is not None, "storage is negotiated only where one of them is there"
    return Collector(services.store, request)
