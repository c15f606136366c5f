"""The services as user (SCU): C-ECHO, C-STORE, C-FIND, C-MOVE, C-GET, each written once for both fronts.

A coroutine gives its result at the end, an async generator one thing after the other. What the peer answers is returned as
`Status`; the association's end, and a refused context, raise (see `dimse.errors`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

from dimse.association.negotiation import AcceptedContext
from dimse.data import status as codes
from dimse.data.commands import NO_DATA_SET, CommandField, CommandSet
from dimse.data.status import Status
from dimse.data.uids import (
    UID,
    PatientRootFind,
    PatientRootGet,
    PatientRootMove,
    PatientStudyOnlyGet,
    StudyRootFind,
    StudyRootGet,
    StudyRootMove,
    Verification,
)
from dimse.errors import ContextRefused, DataError, OperationFailed, UsageError
from dimse.services.messages import Message
from dimse.services.session import Session
from pdu.typed import TYPE_CHECKING
from pdu.values import dataclass, replace

if TYPE_CHECKING:
    from typing import TypeVar

    from dimse.data.datasets import DataSet
    from dimse.data.protocols import Source
    from dimse.services.getting import GetResult
    from dimse.services.handlers import Request, Sink

    S = TypeVar("S", bound="Source")

HAS_DATA_SET = 0x0000
"""Command Data Set Type: any value but 0101H says that a data set follows (PS3.7 E.1)."""
MEDIUM_PRIORITY = 0x0000
"""The default of PS3.7 9.3.1.1; providers ignore priorities nearly without exception."""
FIND_MODELS = (StudyRootFind, PatientRootFind)
MOVE_MODELS = (StudyRootMove, PatientRootMove)
GET_MODELS = (StudyRootGet, PatientRootGet, PatientStudyOnlyGet)


@dataclass(frozen=True, slots=True)
class Originator:
    """The C-MOVE that a C-STORE is a sub-operation of: its requestor's AE title and message id (PS3.7 9.1.1.1)."""

    aet: str
    message_id: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Sub-operations of a C-MOVE as its responses count them; None where the peer does not say."""

    remaining: int | None
    completed: int | None
    failed: int | None
    warning: int | None


@dataclass(frozen=True, slots=True)
class MoveResult:
    """How a C-MOVE ended: the final status, its counters, and the instances that failed."""

    status: Status
    completed: int
    failed: int
    warning: int
    failed_uids: tuple[UID, ...]


async def echo(session: Session) -> Status:
    """C-ECHO (PS3.7 9.1.5)."""
    context = session.context(Verification)
    command = CommandSet(
        CommandField.C_ECHO_RQ,
        affected_sop_class_uid=context.abstract_syntax,
        message_id=session.next_id(),
        command_data_set_type=NO_DATA_SET,
    )
    await session.send(context, command)
    return (await _final(session, command)).command.outcome


async def store(session: Session, source: Source, *, originator: Originator | None = None) -> Status:
    """C-STORE of one instance (PS3.7 9.1.1). The data set goes out as it lies if the peer took its transfer syntax.

    Raises `ContextRefused` when no accepted context fits, `DataError` or `OSError` when the source cannot be read, `UsageError`
    for what is no `Source`.
    """
    context, source = await _fit(session, source)
    command = _store_rq(session, context, source, originator)
    await session.send(context, command, source)
    return (await _final(session, command)).command.outcome


async def store_all(
    session: Session, sources: Iterable[S], *, originator: Originator | None = None
) -> AsyncGenerator[tuple[S, Status], None]:
    """C-STOREs one after the other, or as many at once as the peer granted (PS3.7 D.3.3.3); yields (source, status).

    Goes on after a failed instance: one that no context fits or that cannot be read gets a failure status given by this
    side (`status.local`). With several under way the answers come in the peer's order.

    The next is opened while the peer works on the one before. An iterator is asked for the next only when the result of the one before
    has been taken, or, where several may be under way, as soon as there is room.
    """
    window = (session.agreement.operations or UNLIMITED_WINDOW) if session.layer.is_requestor else 1
    looks_ahead = window == 1 and not isinstance(sources, Iterator)  # what that gives next may depend on the result that is awaited
    under_way: dict[int, S] = {}
    from dimse.services.ahead import Ahead, Prepared

    async def prepare(source: Source) -> Prepared:
        context, fitted = await _fit(session, source)
        return Prepared.of(session, context, _store_rq(session, context, fitted, originator), fitted, alone=window == 1)

    with Ahead(sources, prepare) as ahead:
        try:
            while under_way or not ahead.exhausted:
                while len(under_way) < window and (ready := await ahead.take()) is not None:
                    try:
                        prepared = ready.check()
                        await prepared.send(session)
                    except (ContextRefused, DataError, OSError) as error:
                        yield ready.source, not_sent(error)
                    else:
                        under_way[prepared.command.message_id or 0] = ready.source
                if under_way:
                    await session.meanwhile()
                    if looks_ahead:
                        await ahead.look()
                    yield await _answered(session, under_way)
        except (Exception, GeneratorExit):  # left early, or the iterable failed: what is under way is still answered
            while under_way and session.alive:
                await _answered(session, under_way)
            raise


async def _answered(session: Session, under_way: dict[int, S]) -> tuple[S, Status]:
    """The next C-STORE-RSP to one of the instances under way."""
    message = await session.response(CommandField.C_STORE_RQ, under_way.keys())
    await session.skip()
    return under_way.pop(message.command.message_id_being_responded_to or 0), message.command.outcome


def not_sent(error: Exception) -> Status:
    """The status of an instance that was not sent to the peer at all: refused context 0122H, unreadable C000H."""
    code = codes.SOP_CLASS_NOT_SUPPORTED if isinstance(error, ContextRefused) else codes.CANNOT_UNDERSTAND
    return Status(code, f"not sent: {error}", service="C-STORE", local=True)


async def find(session: Session, query: DataSet, model: UID | None = None) -> AsyncGenerator[DataSet, None]:
    """C-FIND (PS3.7 9.1.2): yields the matches. `model` is the SOP class; Study Root or Patient Root if it is not given.

    Left early, it sends C-CANCEL and reads on to the final response. Raises `OperationFailed` for a failure status.
    """
    context = model_context(session, model, FIND_MODELS)
    command = query_rq(CommandField.C_FIND_RQ, session, context)
    await session.send(context, command, query.encoded_as(context.transfer_syntax))
    try:
        while True:
            message, identifier = await _response(session, command)
            status = message.command.outcome
            if not status.pending:
                break
            if identifier is None:
                await session.violation("a pending C-FIND-RSP has no identifier", "PS3.7 9.3.2.2")
            yield identifier
    except GeneratorExit:
        if session.alive:
            await cancel(session, context, command)
        raise
    if not status.ok and status != codes.CANCEL:
        raise OperationFailed(status)


async def cancel(session: Session, context: AcceptedContext, command: CommandSet) -> Status:
    """C-CANCEL of a C-FIND, C-GET or C-MOVE (PS3.7 9.3.2.3): sends it and reads on to the final response."""
    await session.send(context, cancel_rq(command))
    return (await _final(session, command)).command.outcome


async def move(
    session: Session,
    query: DataSet,
    to: str,
    model: UID | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> MoveResult:
    """C-MOVE (PS3.7 9.1.4): has the peer send the matching instances to the AE title `to`, which the peer must know.

    `progress` is called with each pending response; when it returns `False` the move is cancelled. The result is returned
    whatever the final status is.
    """
    context = model_context(session, model, MOVE_MODELS)
    command = replace(query_rq(CommandField.C_MOVE_RQ, session, context), move_destination=to)
    await session.send(context, command, query.encoded_as(context.transfer_syntax))
    cancelled, behind_cancel = False, 0
    while True:
        message, identifier = await _response(session, command)
        if not message.command.outcome.pending:
            return _move_result(message.command, identifier)
        try:
            wants_more = progress is None or progress(progress_of(message.command)) is not False
        except Exception:
            await cancel(session, context, command)
            raise
        if cancelled:
            await check_end(session, command, behind_cancel := behind_cancel + 1)
        elif not wants_more:
            cancelled = True
            await session.send(context, cancel_rq(command))


UNLIMITED_WINDOW = 64
"""Operations under way when the peer sets no limit: more would only fill buffers."""
MAX_RESPONSE_IDENTIFIER = 4_194_304
"""Longest identifier of a response that is taken: a list of 60,000 failed UIDs fits."""
MAX_RESPONSES_BEHIND_CANCEL = 100_000
"""Pending responses that are read and dropped before the final one; a peer that sends more than those under way never ends."""


async def get(
    session: Session,
    query: DataSet,
    sink: Callable[[Request], Sink],
    model: UID | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> GetResult:
    """C-GET (PS3.7 9.1.3): has the peer send the matching instances back on this association, each into a `sink(request)`.

    `sink` is what a provider has as `Services.sink`, the `open` of a `FolderSink` for instance; its request's peer is the one that
    sends. What it raises as `Refused` is answered, anything else cancels the retrieval and is raised at its end. The storage classes
    must have been proposed in the role of SCP (`contexts_for_get`). `progress` is called with each pending response; when it returns
    `False` the retrieval is cancelled. The result is returned whatever the final status is.
    """
    from dimse.services.getting import Getting

    if not callable(sink):
        raise UsageError(f"a {type(sink).__name__} opens no sink", "PS3.7 9.1.3", "give its open, as in FolderSink(folder).open")
    context = model_context(session, model, GET_MODELS)
    command = query_rq(CommandField.C_GET_RQ, session, context)
    await session.send(context, command, query.encoded_as(context.transfer_syntax))
    return await Getting(session, context, command, sink, progress).run()


async def _response(session: Session, command: CommandSet) -> tuple[Message, DataSet | None]:
    """The next response to a request, with its data set."""
    message = await session.response(command.command_field, (command.message_id or 0,))
    return message, await identifier_of(session, message)


async def identifier_of(session: Session, message: Message) -> DataSet | None:
    """The data set of a response, if it has one."""
    if not message.command.has_data_set:
        return None
    from dimse.data.datasets import DataSet

    try:
        encoded = await session.data_set(MAX_RESPONSE_IDENTIFIER)
    except DataError as error:
        await session.violation(f"{message.command.name}: {error.what}", "MAX_RESPONSE_IDENTIFIER")
    return DataSet(encoded, message.context.transfer_syntax)


async def _final(session: Session, command: CommandSet) -> Message:
    """The final response to a request; pending ones before it are read and dropped."""
    message, count = None, 0
    while message is None or message.command.outcome.pending:
        await check_end(session, command, count := count + 1)
        message = await session.response(command.command_field, (command.message_id or 0,))
        await session.skip()
    return message


async def check_end(session: Session, command: CommandSet, count: int) -> None:
    """Ends the association with a provider that has sent so many responses behind a C-CANCEL, if those are too many."""
    if count > MAX_RESPONSES_BEHIND_CANCEL:
        await session.violation(f"{command.name} is answered without end, a cancel or not", "PS3.7 9.3.2.3")


def model_context(session: Session, model: UID | None, models: tuple[UID, ...]) -> AcceptedContext:
    """The context of the information model that was asked for, else of the first that was accepted."""
    if model is not None:
        return session.context(model)
    accepted = {c.abstract_syntax for c in session.agreement.contexts.values()}
    return session.context(next((m for m in models if m in accepted), models[0]))


def query_rq(field: CommandField, session: Session, context: AcceptedContext) -> CommandSet:
    """The request of a C-FIND, C-GET or C-MOVE."""
    return CommandSet(
        field,
        affected_sop_class_uid=context.abstract_syntax,
        message_id=session.next_id(),
        priority=MEDIUM_PRIORITY,
        command_data_set_type=HAS_DATA_SET,
    )


def _store_rq(session: Session, context: AcceptedContext, source: Source, originator: Originator | None) -> CommandSet:
    return CommandSet(
        CommandField.C_STORE_RQ,
        affected_sop_class_uid=context.abstract_syntax,
        message_id=session.next_id(),
        priority=MEDIUM_PRIORITY,
        command_data_set_type=HAS_DATA_SET,
        affected_sop_instance_uid=source.sop_instance_uid,
        move_originator_application_entity_title=originator.aet if originator else None,
        move_originator_message_id=originator.message_id if originator else None,
    )


async def _fit(session: Session, source: Source) -> tuple[AcceptedContext, Source]:
    """A context that the instance can go in: as it is stored, else converted to what the peer took."""
    check_source(source)
    stored = source.transfer_syntax
    if source.size % 2 and stored.is_deflated:
        source = await _converted(session, source, stored)
    elif source.size % 2:
        raise DataError(f"the data set has an odd number of bytes ({source.size})", None, "PS3.5 7.1.1")
    try:
        return session.context(source.sop_class_uid, (stored,)), source
    except ContextRefused as refused:
        from dimse.services.conversion import refusal, target

        accepted = {context.transfer_syntax: context for context in session.contexts(source.sop_class_uid)}
        wanted = target(stored, accepted)
        if wanted is None:
            raise refusal(refused, stored) from None
    return accepted[wanted], await _converted(session, source, wanted)


async def _converted(session: Session, source: Source, transfer_syntax: UID) -> Source:
    from dimse.services.recoding import converted

    def convert() -> Source:
        return converted(source, transfer_syntax)

    return convert() if session.heavy is None else await session.heavy(convert)


def check_source(source: object) -> None:
    """Raises `UsageError` for what is no `Source`."""
    if not hasattr(source, "sop_class_uid"):  # the two that come to mind first: a path, and a pydicom Dataset
        advice = "give a dimse.FileSource(path), or a dimse.BytesSource.from_pydicom(dataset)"
        raise UsageError(f"a {type(source).__name__} is no instance that can be sent", "PS3.7 9.1.1", advice)


def cancel_rq(command: CommandSet) -> CommandSet:
    """The C-CANCEL-RQ of an operation."""
    return CommandSet(CommandField.C_CANCEL_RQ, message_id_being_responded_to=command.message_id, command_data_set_type=NO_DATA_SET)


def progress_of(command: CommandSet) -> Progress:
    """The counters of a response."""
    return Progress(
        command.number_of_remaining_suboperations,
        command.number_of_completed_suboperations,
        command.number_of_failed_suboperations,
        command.number_of_warning_suboperations,
    )


def _move_result(command: CommandSet, identifier: DataSet | None) -> MoveResult:
    return MoveResult(
        command.outcome,
        command.number_of_completed_suboperations or 0,
        command.number_of_failed_suboperations or 0,
        command.number_of_warning_suboperations or 0,
        failed_uids(identifier),
    )


def failed_uids(identifier: DataSet | None) -> tuple[UID, ...]:
    """Failed SOP Instance UID List (0008,0058) of a final response; empty if it has none or it cannot be read."""
    try:
        values = [bytes(e.value) for e in identifier.elements() if e.tag == 0x00080058] if identifier else []
    except DataError:
        return ()
    return tuple(UID(uid) for value in values for uid in value.decode("latin-1").strip("\0 ").split("\\") if uid)
