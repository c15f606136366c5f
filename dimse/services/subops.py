"""C-MOVE and C-GET as provider: the C-STORE sub-operations, their counters, and the responses (PS3.4 C.4.2 and C.4.3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress

from dimse.association.layer import UpperLayer
from dimse.association.negotiation import Context, propose
from dimse.data import status as codes
from dimse.data.commands import NO_DATA_SET, CommandField, CommandSet
from dimse.data.datasets import DataSet
from dimse.data.elements import encode_element
from dimse.data.protocols import Source
from dimse.data.status import Category, Status
from dimse.data.uids import UID
from dimse.errors import AssociationError, ProtocolError, Refused, UsageError
from dimse.services import scu
from dimse.services.handlers import Address, Request, Services
from dimse.services.plan import batches
from dimse.services.session import Session
from pdu.values import dataclass, field

FAILED_SOP_INSTANCE_UID_LIST = 0x00080058
MAX_COUNT = 0xFFFF
"""The counters are US: what is more is said to be as many."""
SOON = 1_048_576
"""Bytes of an instance that has left in a moment; behind a longer one no response is to wait."""
LONGEST_UI = 0xFFFE
"""Bytes of a value of VR UI where the VR is explicit; a longer one goes as UN (PS3.5 6.2.2)."""


@dataclass
class Counters:
    """The sub-operations of one C-MOVE or C-GET (PS3.4 C.4.2.1.6 to C.4.2.1.9)."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)

    def count(self, uid: str, status: Status) -> None:
        """Takes in how one sub-operation ended."""
        self.remaining -= 1
        if status == codes.SUCCESS:
            self.completed += 1
        elif status.category is Category.WARNING:
            self.warning += 1
        else:
            self.failed += 1
            self.failed_uids.append(uid)

    @property
    def final_status(self) -> int:
        """The status of the final response when nothing was cancelled (PS3.4 Table C.4-2)."""
        if not self.failed and not self.warning:
            return codes.SUCCESS
        return codes.SUBOPERATIONS_WARNING if self.completed or self.warning else codes.UNABLE_TO_PERFORM_SUBOPERATIONS


Results = AsyncGenerator[tuple[Source, Status] | None, None]
"""Sub-operations as they are done: each instance and the status that its C-STORE came to; None where only time has gone by."""


async def provide(
    session: Session, services: Services, request: Request, *, aet: str, failure: Callable[[Exception], Status]
) -> tuple[CommandSet, DataSet | None]:
    """Performs one C-MOVE or C-GET: its sub-operations and pending responses. Returns the final response, which the caller sends.

    A pending response follows each sub-operation but the last, which tells a user that waits that something goes on (the standard
    leaves how often to the provider, PS3.4 C.4.2.3.1). A C-CANCEL takes effect before the next sub-operation. `aet` calls a move's
    destination; `failure` turns a handler's exception into a status.
    """
    try:
        pending = _Pending(session, request, Counters(0))
        sources, results = _asked_for(session, services, request, aet, pending, failure)
        pending.counters = counters = Counters(len(sources))
    except Exception as error:  # a handler's mistake must not end the association
        return request.command.response(failure(error)), None
    await session.poll()
    async with aclosing(results):
        comment = "" if session.cancelled else await _perform(session, pending, sources, results)
    cancelled = session.cancelled and counters.remaining > 0
    final = Status(codes.CANCEL if cancelled else counters.final_status, comment if counters.failed else "")
    identifier = _failed_list(counters.failed_uids, request.context.transfer_syntax)
    return _response(request, counters, final, has_identifier=identifier is not None), identifier


@dataclass
class _Pending:
    """The pending response behind a sub-operation. A C-MOVE's leaves when the next instance has, so that the destination need not wait."""

    session: Session
    request: Request
    counters: Counters
    is_due: bool = False

    async def fall_due(self, following: Source) -> None:
        """A sub-operation has come to its end, and another one follows."""
        self.is_due = True
        if self.request.command.command_field != CommandField.C_MOVE_RQ or following.size > SOON:
            await self.send()

    async def send(self) -> None:
        """Sends it, if that is not done."""
        if self.is_due:
            self.is_due = False
            await self.session.send(self.request.context, _response(self.request, self.counters, codes.PENDING))


async def _perform(session: Session, pending: _Pending, sources: Sequence[Source], results: Results) -> str:
    """Performs the sub-operations until all are done or a C-CANCEL is there; returns the last comment that one came to."""
    comment, counters = "", pending.counters
    async for sent in results:
        await pending.send()
        if sent is not None:
            source, status = sent
            counters.count(source.sop_instance_uid, status)
            comment = status.comment or comment
        await session.poll()
        if session.cancelled:
            break
        if sent is not None and counters.remaining:
            await pending.fall_due(sources[-counters.remaining])
    return comment


def _asked_for(
    session: Session, services: Services, request: Request, aet: str, pending: _Pending, failure: Callable[[Exception], Status]
) -> tuple[Sequence[Source], Results]:
    """The instances that are asked for, and the sub-operations that send them: to a third AE, or back on this association."""
    if request.command.command_field == CommandField.C_GET_RQ and services.get is not None:
        sources = _instances(services.get(request), session.layer.limits.suboperations)
        return sources, _returned(session, sources, failure)
    if services.move is None or services.where is None:
        raise Refused(codes.UNRECOGNIZED_OPERATION, "this operation is not provided")
    address = services.where(request, request.command.move_destination or "")
    sources = _instances(services.move(request), session.layer.limits.suboperations)
    return sources, _suboperations(session, request, address, aet, sources, pending, failure)


def _instances(given: object, most: int) -> tuple[Source, ...]:
    """A handler's instances, before any is sent. Raises `UsageError` for what is none, or no sequence of them.

    Refuses more than `most` (A701H).
    """
    if not isinstance(given, Sequence):
        raise UsageError(f"a {type(given).__name__} is no sequence of instances", "PS3.4 C.4.2.3.1")
    if len(given) > most:
        raise Refused(codes.UNABLE_TO_CALCULATE, f"there are more than {most} instances: ask for fewer")
    for source in given:
        scu.check_source(source)
    return tuple(given)


async def _returned(session: Session, sources: Sequence[Source], failure: Callable[[Exception], Status]) -> Results:
    """Sends the instances back on this association; from one on that raises what nobody expects, the rest fail with it."""
    done = 0
    try:
        async with aclosing(scu.store_all(session, sources)) as results:
            async for source, status in results:
                done += 1
                yield source, status
    except (AssociationError, ProtocolError):
        raise
    except Exception as error:  # of a handler's source, before anything of its instance was sent
        failed = failure(error)
    for source in sources[done:]:
        yield source, failed


async def _suboperations(
    session: Session,
    request: Request,
    address: Address,
    aet: str,
    sources: Sequence[Source],
    pending: _Pending,
    failure: Callable[[Exception], Status],
) -> Results:
    """Sends the instances over as few associations as possible; yields each with its status, also the ones that cannot go.

    Nothing is tried again. When an association with the destination ends early, what was to go over it has failed with the reason:
    the instance under way may be what the destination stumbled over. When none comes to be, no other is asked for.
    """
    originator = scu.Originator(request.peer.calling, request.command.message_id or 0)
    gone: Status | None = None
    for batch in batches(sources):
        done, failed = 0, gone
        if gone is None:
            try:
                target = await _associate(session, address, aet, batch.contexts)
                target.meanwhile = pending.send
            except Exception as error:
                gone = failed = _reason(address, error, failure)
        if gone is None:
            try:
                async with aclosing(_sent(target, batch.sources, originator)) as results:
                    async for sent in results:
                        done += sent is not None
                        yield sent
            except Exception as error:
                if not session.layer.established:
                    raise  # it is not the destination: the association that asked has ended
                failed = _reason(address, error, failure)
        if failed is not None:
            for source in batch.sources[done:]:
                yield source, failed


async def _sent(target: Session, sources: Sequence[Source], originator: scu.Originator) -> Results:
    """Sends the instances over an association, and releases that."""
    try:
        yield None  # to call the destination took its time, in which a C-CANCEL may have come
        async with aclosing(scu.store_all(target, sources, originator=originator)) as results:
            async for sent in results:
                yield sent
        await target.meanwhile()
    except GeneratorExit:
        with suppress(AssociationError):
            await target.release()  # a C-CANCEL: the destination has done nothing wrong
        raise
    except BaseException:
        await target.abort()
        raise
    await target.release()


def _reason(address: Address, error: Exception, failure: Callable[[Exception], Status]) -> Status:
    """Why instances did not go: the association ended, or did not come to be; else it is a mistake of a handler's address or source."""
    if isinstance(error, AssociationError | ProtocolError):
        return Status(codes.UNABLE_TO_PERFORM_SUBOPERATIONS, f"{address.aet}: {error}", service="C-STORE", local=True)
    return failure(error)


async def _associate(session: Session, address: Address, aet: str, contexts: Sequence[Context]) -> Session:
    """An association with the destination."""
    limits = session.layer.limits
    request = propose(address.aet, aet, contexts, max_pdu=limits.max_pdu)
    layer = UpperLayer.requestor(request, timeouts=session.layer.timeouts, limits=limits, trace=session.layer.trace)
    target = Session(await session.wire.dial(address, layer), heavy=session.heavy)
    try:
        await target.associate()
    except BaseException:
        await target.abort()
        raise
    return target


def _response(request: Request, counters: Counters, status: int, *, has_identifier: bool = False) -> CommandSet:
    """A response with its counters; that of the remaining ones only where the standard has it (PS3.4 C.4.2.1.6)."""
    shows_remaining = status in (codes.PENDING, codes.CANCEL)
    return request.command.response(
        status,
        command_data_set_type=scu.HAS_DATA_SET if has_identifier else NO_DATA_SET,
        number_of_remaining_suboperations=min(counters.remaining, MAX_COUNT) if shows_remaining else None,
        number_of_completed_suboperations=min(counters.completed, MAX_COUNT),
        number_of_failed_suboperations=min(counters.failed, MAX_COUNT),
        number_of_warning_suboperations=min(counters.warning, MAX_COUNT),
    )


def _failed_list(uids: Sequence[str], transfer_syntax: UID) -> DataSet | None:
    """The identifier of a final response that has failures (PS3.4 C.4.2.1.4.2)."""
    if not uids:
        return None
    value = "\\".join(uids).encode("latin-1", "replace")
    padded = value + b"\0" * (len(value) % 2)
    vr = "UI" if len(padded) <= LONGEST_UI else "UN"
    return DataSet(encode_element(FAILED_SOP_INSTANCE_UID_LIST, vr, padded, transfer_syntax), transfer_syntax)
