"""`Session`: an association as a DIMSE user sees it - messages out, messages in (PS3.7 clause 6.3 and Annex E of PS3.8)."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from operator import attrgetter

import pdu
from dimse.association.events import (
    AbortIndication,
    AssociateConfirmation,
    AssociateIndication,
    AssociateRefusal,
    AssociateRejection,
    Event,
    ReleaseConfirmation,
    ReleaseIndication,
    TimedOut,
)
from dimse.association.negotiation import AcceptedContext, Agreement, RefusedContext
from dimse.association.table import State
from dimse.data.commands import RESPONSE, CommandField, CommandSet
from dimse.data.uids import UID
from dimse.errors import (
    Aborted,
    AssociationError,
    ConnectionLost,
    ContextRefused,
    DataError,
    ProtocolError,
    Rejected,
    UsageError,
    context_advice,
)
from dimse.errors import TimedOut as TimedOutError
from dimse.services.messages import Ended, Inbox, Message
from pdu.typed import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import NoReturn, TypeVar

    from typing_extensions import TypeIs

    from dimse.data.datasets import DataSet
    from dimse.data.protocols import Reading, Source
    from dimse.services.wire import Wire

    T = TypeVar("T")

MAX_AHEAD = 64
"""Messages that wait while an operation is served. Then no more are read, a C-CANCEL included: more than any window lets come."""


MAX_HELD = 8
"""Messages that wait for others to leave with: fewer than a window has, so that both sides work at once."""
SMALL = 16_384
"""Bytes of a data set that is worth waiting: larger ones fill a buffer of their own."""
PAUSE = 0.01
"""Seconds between two messages behind which neither waits for the next: who takes so long to make them is not made faster by it."""


class PeerReleased(AssociationError):
    """The peer asked for the release while something else was awaited; it has been agreed to."""


class Heavy(Protocol):
    """Does a task that takes long and a lot of memory, when there is room for it, and where it holds up nobody else."""

    async def __call__(self, task: Callable[[], T], /) -> T:
        """What the task returns; raises what it raises."""


class Session:
    """Sends and receives the DIMSE messages of one association, on either side.

    After `receive` returned a message with a data set, read that with `stream` or `data_set` (or `skip` it) before
    anything else is received. The association's end raises: `Aborted`, `ConnectionLost`, `TimedOut`, `PeerReleased`.
    """

    def __init__(self, wire: Wire, *, heavy: Heavy | None = None) -> None:
        self.wire = wire
        self.heavy = heavy
        """How what takes long and a lot of memory is done; None: at once."""
        self.meanwhile: Callable[[], Awaitable[object]] = _nothing
        """What else is to be done when an instance has been sent and the peer is at work."""
        self.layer = wire.layer
        self.running: AsyncGenerator[object, None] | None = None
        """An iteration that the user may have left half way; `settle` ends it before the next operation."""
        self.cancelled = False
        """The operation that is being served (`serve`) has been cancelled by the peer."""
        self.bytes_received = 0
        self.bytes_sent = 0
        self._inbox = Inbox(self.layer.limits.command_set)
        self._ahead: deque[Message] = deque()
        self._serving: int | None = None
        self._last_id = 0
        self._held = 0
        self._held_at = float("-inf")

    @property
    def agreement(self) -> Agreement:
        """What was negotiated; raises `UsageError` before that."""
        if self.layer.agreement is None:
            raise UsageError("there is no association yet")
        return self.layer.agreement

    @property
    def alive(self) -> bool:
        """Whether messages can still be exchanged."""
        return self.layer.state is State.STA6

    def context(self, abstract_syntax: str, transfer_syntaxes: Collection[str] | None = None) -> AcceptedContext:
        """The accepted context for an abstract syntax (in one of these transfer syntaxes) in which this side is the SCU.

        Raises `ContextRefused`.
        """
        found = self.contexts(abstract_syntax)
        for context in found:
            if transfer_syntaxes is None or context.transfer_syntax in transfer_syntaxes:
                return context
        raise self._refused(UID(abstract_syntax), sorted(transfer_syntaxes or ()), found)

    def contexts(self, abstract_syntax: str) -> list[AcceptedContext]:
        """The accepted contexts for an abstract syntax in which this side is the SCU."""
        is_scu = attrgetter("scu" if self.layer.is_requestor else "scp")
        return [c for c in self.agreement.contexts.values() if c.abstract_syntax == abstract_syntax and is_scu(c)]

    # The association's beginning and end

    async def associate(self) -> pdu.AssociateAC:
        """The requestor's part: awaits the answer to the A-ASSOCIATE-RQ. Raises `Rejected` and the association's ends."""
        event = await self._next_event()
        if isinstance(event, AssociateConfirmation):
            self._inbox.contexts = event.agreement.contexts
            return event.answer
        raise _error_of(event)

    async def request(self) -> pdu.AssociateRQ:
        """The acceptor's part: awaits an A-ASSOCIATE-RQ. Answer it with `accept` or `layer.reject`."""
        event = await self._next_event()
        if isinstance(event, AssociateIndication) and self.layer.state is State.STA3:
            return event.request
        event = self._inbox.ending or event  # the peer did not wait for the answer, and that ended it already
        raise _error_of(event)

    def accept(self, answer: pdu.AssociateAC) -> None:
        """The acceptor's part: accepts the association with this answer."""
        self._inbox.contexts = self.layer.accept(answer).contexts

    async def release(self) -> None:
        """Ends the association in good order (PS3.8 7.2), a collision with the peer's release included."""
        try:
            await self.settle()
        except Exception:  # what was left half way could not be ended in good order: neither can the association
            await self.abort()
            raise
        if self.layer.state is State.STA8:  # the peer was first
            self.layer.respond_release()
            await self.wire.close()
            return
        self.layer.release()
        try:
            await self._released()
        except AssociationError:
            await self.wire.close()
            raise
        await self.wire.close()

    async def abort(self) -> None:
        """Ends the association at once with an A-ABORT and closes the transport."""
        self.layer.abort()
        await self.wire.close()

    async def finish(self) -> None:
        """Sta13: waits for the peer to close, as long as ARTIM lets it, and closes the transport."""
        while self.layer.state is State.STA13 and not self.layer.closed:
            await self.wire.pump()
        await self.wire.close()

    async def settle(self) -> None:
        """Ends an iteration that the user left half way: sends its C-CANCEL and reads on to the final response."""
        running, self.running = self.running, None
        if running is not None:
            await running.aclose()

    # Sending

    def next_id(self) -> int:
        """A message id for the next request: 1 to 65535, round and round (PS3.7 9.1)."""
        self._last_id = self._last_id % 0xFFFF + 1
        return self._last_id

    async def send(self, context: AcceptedContext, command: CommandSet, data: Source | DataSet | None = None) -> None:
        """Sends one message. A `Source` goes out as it lies, a `DataSet` must be in the context's transfer syntax."""
        self._check_open()
        if data is None:
            await self.wire.send(self.layer.send_message(context.id, command.encode()))
            return
        if _is_data_set(data):
            readv = _reader(data.encoded)
            await self.wire.send(self.layer.send_message(context.id, command.encode(), len(data.encoded), readv))
            self.bytes_sent += len(data.encoded)
        else:
            with data.open() as reading:
                await self._send_source(self.layer.send_message(context.id, command.encode(), data.size, reading.readv))
            self.bytes_sent += data.size

    def framed(self, context: AcceptedContext, command: CommandSet, size: int, reading: Reading) -> Iterator[bytes | memoryview]:
        """A message as `send_framed` sends it: what it takes to begin it need not be done in the moment it is due.

        Raises `DataError` or `OSError` where the data set cannot be read.
        """
        return _read(self.layer.framed, context, command, size, reading)

    async def send_framed(self, context: AcceptedContext, framed: Iterator[bytes | memoryview], size: int) -> None:
        """Sends a message that has been begun; `size` are the bytes of its data set."""
        self._check_open()
        await self._send_source(self.layer.send_framed(context.id, framed))
        self.bytes_sent += size

    async def send_all(self, context: AcceptedContext, command: CommandSet, data_sets: Sequence[bytes]) -> None:
        """Sends a message with this command set for each of the data sets, all in one buffer; for such as are short."""
        self._check_open()
        await self.wire.send(self.layer.send_messages(context.id, command.encode(), data_sets))
        self.bytes_sent += sum(map(len, data_sets))

    async def send_soon(self, context: AcceptedContext, command: CommandSet, size: int = 0, reading: Reading | None = None) -> None:
        """Sends a message, at the latest when this side waits for the peer: small ones that come at once leave together, in one call.

        `reading` gives the `size` bytes of its data set, and stays the caller's to close. Raises `DataError` or `OSError` where their
        beginning cannot be read; nothing of it has left then, and the association goes on.
        """
        self._check_open()
        if size > SMALL and reading is not None:
            await self.send_framed(context, self.framed(context, command, size, reading), size)
            return
        if reading is None:
            self.layer.hold_message(context.id, command.encode())
        else:
            _read(self.layer.hold_message, context, command, size, reading)
            self.bytes_sent += size
        now = self.wire.clock()
        self._held += 1
        if self._held == MAX_HELD or now - self._held_at > PAUSE:
            self._held = 0
            await self.wire.send(())
        self._held_at = now

    def _check_open(self) -> None:
        """Raises what ended the association, if it has ended: the event may still lie behind messages that came before it."""
        if not self.layer.established:
            if ending := self._inbox.ending:
                raise _error_of(ending)
            raise UsageError("the association has ended", advice="connect again")

    async def _send_source(self, buffers: Iterator[bytes | memoryview]) -> None:
        """Sends a message whose data are read on the way; if that fails the message cannot be ended, nor the association kept."""
        try:
            await self.wire.send(buffers)
        except AssociationError:
            raise
        except Exception as error:  # whatever a source does
            self.layer.abort(f"a data set could not be read to its end: {type(error).__name__}")
            await self.wire.send(())
            raise Aborted(0, 0, by_peer=False, cause=f"a data set could not be read to its end: {error}") from error

    # Receiving

    async def receive(self, *, expecting: bool = True) -> Message:
        """The next message's command set. `expecting`: a response is due, `Timeouts.response` rules; else `Timeouts.idle`."""
        if self._inbox.open is not None:
            raise UsageError("the data set of the message before has not been read")
        self.layer.expecting = expecting
        message = self._ahead.popleft() if self._ahead else None
        while message is None:
            try:
                message = self._inbox.message()
            except (ProtocolError, Ended) as error:
                await self._end(error)
            if message is None:
                await self._pump()
        self._inbox.open = message if message.command.has_data_set else None
        return message

    async def response(self, request: int, pending: Collection[int]) -> Message:
        """The next response to requests of this command field, with one of these message ids.

        A C-CANCEL in between is noted; anything else ends the association.
        """
        while (message := await self.receive()).command.command_field == CommandField.C_CANCEL_RQ:
            self._note_cancel(message.command)
        await self.check_response(message, request, pending)
        return message

    async def check_response(self, message: Message, request: int, pending: Collection[int]) -> None:
        """Ends the association if a message is no response to requests of this command field, with one of these message ids."""
        command = message.command
        if command.command_field != request | RESPONSE or command.message_id_being_responded_to not in pending:
            await self.violation(f"{command.name} for message {command.message_id_being_responded_to} was not asked for", "PS3.7 9.3")
        if command.status is None:
            await self.violation(f"{command.name} has no Status (0000,0900)", "PS3.7 9.3")

    def serve(self, message_id: int) -> None:
        """Begins to serve an operation: a C-CANCEL of this message id sets `cancelled`."""
        self._serving, self.cancelled = message_id, False

    async def poll(self) -> None:
        """Takes in what has come, without waiting, and notes a C-CANCEL; other requests are kept for `receive`."""
        if not self._inbox:
            self._inbox.add(await self.wire.pump(wait=False))
        while len(self._ahead) < MAX_AHEAD and not (self._ahead and self._ahead[-1].command.has_data_set):
            try:
                message = self._inbox.message()
            except (ProtocolError, Ended) as error:
                await self._end(error)
            if message is None:
                break
            if message.command.command_field == CommandField.C_CANCEL_RQ:
                self._note_cancel(message.command)
            else:
                self._ahead.append(message)

    async def stream(self, write: Callable[[Sequence[memoryview]], None]) -> None:
        """Hands the open message's data set to `write` as it comes in, all pieces of one read at a time; none is copied.

        The pieces are valid during the call. Returns when the data set is complete.
        """
        self.layer.expecting = True
        while self._inbox.open is not None:
            try:
                pieces, is_complete = self._inbox.pieces()
            except (ProtocolError, Ended) as error:
                await self._end(error)
            if pieces:
                self.bytes_received += sum(map(len, pieces))
                write(pieces)
            if not is_complete:
                await self._pump()

    async def data_set(self, limit: int) -> bytes:
        """The open message's data set, whole; one that is longer than `limit` bytes is read to its end and raises `DataError`."""
        encoded = bytearray()  # no list of the pieces: they may be of two bytes, or none
        size = 0

        def collect(views: Sequence[memoryview]) -> None:
            nonlocal size
            size += sum(map(len, views))
            if size <= limit:
                for view in views:
                    encoded.extend(view)

        await self.stream(collect)
        if size > limit:
            raise DataError(f"a data set of {size} bytes is longer than the limit of {limit}", offset=limit)
        return bytes(encoded)

    async def skip(self) -> None:
        """Reads the open message's data set, if there is one, and drops it."""
        await self.stream(lambda pieces: None)

    async def violation(self, what: str, clause: str) -> NoReturn:
        """The peer broke the DIMSE protocol: aborts and raises `ProtocolError`."""
        self.layer.abort(f"{what} ({clause})")
        await self.wire.send(())
        raise ProtocolError(what, clause)

    # Inside

    def _refused(self, abstract_syntax: UID, syntaxes: Sequence[str], found: Sequence[AcceptedContext]) -> ContextRefused:
        """Why there is no context: not proposed, refused with this result, or accepted in other transfer syntaxes only."""
        what = f"no presentation context for {abstract_syntax.name}" + (f" in {UID(syntaxes[0]).name}" if syntaxes else "")
        results = {
            r.result
            for r in self.agreement.refused
            if r.context.abstract_syntax == abstract_syntax and (not syntaxes or set(syntaxes) & set(r.context.transfer_syntaxes))
        }
        if results:
            answers, advice = map(pdu.context_words, sorted(results)), map(context_advice, sorted(results))
            return ContextRefused(f"{what}: the peer answered {', '.join(answers)}", "; ".join(advice))
        if found:
            return ContextRefused(f"{what}: the peer accepted it in {', '.join(sorted(c.transfer_syntax.name for c in found))} only")
        return ContextRefused(f"{what}: it was not proposed", "name it among the contexts when connecting")

    def _note_cancel(self, command: CommandSet) -> None:
        """A C-CANCEL-RQ counts for the operation that is being served; for any other there is nothing to cancel (PS3.7 9.3.2.3)."""
        if command.message_id_being_responded_to == self._serving:
            self.cancelled = True

    async def _end(self, why: ProtocolError | Ended) -> NoReturn:
        """The inbox has no message: agrees to a release that stands in the way, aborts where the peer broke the protocol."""
        if isinstance(why, ProtocolError):
            await self.violation(why.what, why.clause)
        if isinstance(why.event, ReleaseIndication) and self.layer.state is State.STA8:
            self.layer.respond_release()  # it leaves with `finish` or `abort`, when this side has put its things away
            raise PeerReleased("the peer released the association") from None
        raise _error_of(why.event) from None

    async def _released(self) -> None:
        """Awaits the answer to our A-RELEASE-RQ."""
        while not self.layer.closed:
            event = await self._next_event()
            if not isinstance(event, pdu.Fragment | ReleaseIndication | ReleaseConfirmation):
                raise _error_of(event)
            if self.layer.state in (State.STA9, State.STA12):
                self.layer.respond_release()
            if isinstance(event, ReleaseConfirmation):
                break

    async def _next_event(self) -> Event:
        while (event := self._inbox.event()) is None:
            await self._pump()
        return event

    async def _pump(self) -> None:
        """More events, from a transport that still can bring some."""
        if self.layer.closed or self.layer.state is State.STA13:
            raise ConnectionLost
        self.layer.message = self._inbox.inside
        self._held = 0
        self._inbox.add(await self.wire.pump())


async def _nothing() -> None:
    """What there is to be done where nobody says what."""


def _error_of(event: Event) -> AssociationError:
    """What the end of an association is to our caller."""
    match event:
        case AssociateRejection(answer=rj) | AssociateRefusal(answer=rj):
            return Rejected(rj.result, rj.source, rj.reason, by_peer=isinstance(event, AssociateRejection))
        case AbortIndication():
            return Aborted(event.source, event.reason, by_peer=event.by_peer, cause=event.cause)
        case TimedOut():
            return TimedOutError(event.wait, event.seconds)
        case _:
            return ConnectionLost()


def _is_data_set(data: Source | DataSet) -> TypeIs[DataSet]:
    """Told by what it lacks: to load what a data set is takes as long as to send some files, which need none."""
    return not hasattr(data, "open")


def _read(
    frame: Callable[[int, bytes, int, pdu.ReadV], T], context: AcceptedContext, command: CommandSet, size: int, reading: Reading
) -> T:
    """What makes a message of a data set that is read meanwhile. Raises `DataError` or `OSError` where it cannot be read."""
    try:
        return frame(context.id, command.encode(), size, reading.readv)
    except (DataError, OSError, UsageError):
        raise
    except Exception as error:  # whatever a source does
        raise DataError(f"a data set could not be read to its end: {type(error).__name__}: {error}") from error


def _reader(encoded: bytes) -> Callable[[list[memoryview]], int]:
    """A `readv` over bytes in memory."""
    view, at = memoryview(encoded), 0

    def readv(holes: list[memoryview]) -> int:
        nonlocal at
        start = at
        for hole in holes:
            piece = view[at : at + len(hole)]
            hole[: len(piece)] = piece
            at += len(piece)
        return at - start

    return readv


def check_undisturbed(session: Session, iteration: AsyncGenerator[object, None]) -> None:
    """An iteration has ended: raises `UsageError` if that was because `settle` ended it, before another operation began."""
    if session.running is not iteration:
        raise UsageError(
            "this iteration was ended when another operation began on the association",
            advice="read it to its end first, into a list for instance, or use a second association",
        )


class Negotiated:
    """What the fronts' associations have in common: what was negotiated, and the session that runs on it."""

    def __init__(self, session: Session, answer: pdu.AssociateAC) -> None:
        self.session = session
        self.answer = answer

    @property
    def accepted(self) -> tuple[AcceptedContext, ...]:
        """The presentation contexts that may be used."""
        return tuple(self.session.agreement.contexts.values())

    @property
    def refused(self) -> tuple[RefusedContext, ...]:
        """The presentation contexts that the peer did not accept, each with its result."""
        return self.session.agreement.refused

    @property
    def extended(self) -> Mapping[str, bytes]:
        """What the peer granted of the application information that was proposed, by SOP class (PS3.7 D.3.3.5)."""
        return self.session.agreement.extended

    @property
    def operations(self) -> int:
        """How many operations may be under way at once, as far as this side asked and the peer granted (PS3.7 D.3.3.3); 0: no limit."""
        return self.session.agreement.operations

    @property
    def max_pdu(self) -> int:
        """The longest P-DATA-TF that the peer takes, in bytes behind its header (PS3.8 D.1); 0: no limit."""
        return self.session.layer.max_pdu

    @property
    def peer_implementation(self) -> tuple[str, str]:
        """What the peer says it is: its implementation class UID and version name (PS3.7 D.3.3.2), "" where it does not say."""
        uid = self.answer.user_item(pdu.ImplementationClassUID)
        name = self.answer.user_item(pdu.ImplementationVersionName)
        return uid.uid if uid else "", name.name if name else ""

    @property
    def identity_response(self) -> bytes | None:
        """The peer's positive response to the user identity (PS3.7 D.3.3.7.2), None if it gave none.

        Empty for a name or a passcode; a ticket or assertion in return for one. A peer that knows no identities gives none.
        """
        item = self.answer.user_item(pdu.UserIdentityAC)
        return None if item is None else item.response
