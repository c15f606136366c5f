"""C-FIND on both sides, and C-CANCEL."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dimse.association.config import Limits
from dimse.association.negotiation import AcceptedContext, Context
from dimse.data.commands import DATA_SET, CommandField, CommandSet
from dimse.data.datasets import DataSet, query
from dimse.data.status import Status
from dimse.data.uids import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    PatientRootFind,
    StudyRootFind,
    Verification,
)
from dimse.errors import Aborted, ContextRefused, OperationFailed, ProtocolError, Refused, UsageError
from dimse.services.handlers import Match, Request, Services
from dimse.services.handlers import Matches as Found
from dimse.services.memory import MemoryWire
from dimse.services.session import MAX_AHEAD, Session

from .drivers import Front, Memory
from .samples import QUERY, Account, Matches, answers, cancel, exchange, frames, instance, match, number_of, request, respond


@pytest.mark.parametrize("count", [0, 1, 100])
def test_matches(front: Front, count: int) -> None:
    find = Matches(count)
    served = front.serve(Services(find=find))
    with front.connect(served, [StudyRootFind]) as link:
        assert [number_of(m) for m in link.find(QUERY)] == list(range(count))
        assert list(link.find(QUERY)) == [match(n).encoded_as(ExplicitVRLittleEndian) for n in range(count)]
    report = served.report()
    assert (report.counts, report.failed) == ({"C-FIND": 2}, 0)
    assert find.ended == ["exhausted"] * 2
    first = find.requests[0]
    assert first.identifier == QUERY.encoded_as(ExplicitVRLittleEndian)
    assert first.context.abstract_syntax == StudyRootFind


def test_three_thousand(wide_front: Front) -> None:
    served = wide_front.serve(Services(find=Matches(3000)))
    with wide_front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,))]) as link:
        assert [number_of(m) for m in link.find(QUERY)] == list(range(3000))


def test_identifiers_in_the_context_s_transfer_syntax(front: Front) -> None:
    """Whatever the caller and the handler encode in, the wire has what was negotiated."""
    seen: list[Request] = []

    def find(request: Request) -> Iterator[Match]:
        seen.append(request)
        assert request.identifier is not None
        yield query("STUDY", PatientName=str(request.identifier["PatientName"]), PatientID="7")

    served = front.serve(Services(find=find))
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        with front.connect(served, [Context(StudyRootFind, (syntax,))]) as link:
            for given in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
                (found,) = link.find(query("STUDY", PatientName="Müller^Ä", PatientID="").encoded_as(given))
                assert (found.transfer_syntax, found["PatientName"], found["PatientID"]) == (syntax, "Müller^Ä", "7")
                identifier = seen.pop().identifier
                assert identifier is not None
                assert (identifier.transfer_syntax, identifier["PatientName"]) == (syntax, "Müller^Ä")


def test_models(front: Front) -> None:
    find = Matches(0)
    served = front.serve(Services(find=find))
    with front.connect(served, [PatientRootFind, StudyRootFind]) as link:
        list(link.find(QUERY))
        list(link.find(QUERY, PatientRootFind))
        with pytest.raises(ContextRefused, match="was not proposed"):
            list(link.find(QUERY, UID("1.2.840.10008.5.1.4.31")))
    with front.connect(served, [PatientRootFind]) as link:
        list(link.find(QUERY))
    with front.connect(served, [Verification]) as link, pytest.raises(ContextRefused, match="was not proposed"):
        list(link.find(QUERY))
    assert [r.context.abstract_syntax for r in find.requests] == [StudyRootFind, PatientRootFind, PatientRootFind]


def test_pending_with_a_warning(front: Front) -> None:
    def find(request: Request) -> list[Match]:
        return [(Status(0xFF01), match(1)), match(2)]

    async def script(session: Session) -> list[int | None]:
        await session.wire.send([frames(1, request(CommandField.C_FIND_RQ), QUERY.encoded)])
        return [(await answers(session))[0].status for _ in range(3)]

    served = front.serve(Services(find=find))
    with front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,))]) as link:
        assert link.run(script(link.session)) == [0xFF01, 0xFF00, 0]
        assert [number_of(m) for m in link.find(QUERY)] == [1, 2]


def test_a_list_of_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves in buffers that a peer can take in the time that it has for one."""
    sent: list[int] = []
    write = MemoryWire._write

    def written(self: MemoryWire, buffer: bytes) -> None:
        sent.append(len(buffer))
        write(self, buffer)

    monkeypatch.setattr(MemoryWire, "_write", written)
    front = Memory()
    found: list[Match] = [match(n) for n in range(40_000)]
    served = front.serve(Services(find=lambda request: [found]))
    with front.connect(served, [StudyRootFind]) as link:
        assert [number_of(m) for m in link.find(QUERY)] == list(range(40_000))
    assert max(sent) < 1_000_000 < sum(sent)


def test_matches_that_are_there_together(front: Front) -> None:
    """Each has its own status and comment, and nothing comes of an empty list."""
    one, other = Status(0xFF00, "one"), Status(0xFF00, "other")

    def find(request: Request) -> Iterator[Found]:
        yield [match(0), match(1)]
        yield None
        yield []
        yield [(one, match(2)), (one, match(3)), (other, match(4)), match(5), (Status(0xFF01), match(6)), match(7), match(8)]
        yield match(9)

    async def script(session: Session) -> list[tuple[int | None, str | None, int]]:
        await session.wire.send([frames(1, request(CommandField.C_FIND_RQ), QUERY.encoded)])
        got: list[tuple[int | None, str | None, int]] = []
        while (answer := await answers(session))[0].status:
            got.append((answer[0].status, answer[0].error_comment, number_of(DataSet(answer[1]))))
        return got

    served = front.serve(Services(find=find))
    with front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,))]) as link:
        assert [number_of(m) for m in link.find(QUERY)] == list(range(10))
        told = [(0xFF00, None), (0xFF00, None), (0xFF00, "one"), (0xFF00, "one"), (0xFF00, "other"), (0xFF00, None), (0xFF01, None)]
        told += [(0xFF00, None)] * 3
        assert link.run(script(link.session)) == [(*each, number) for number, each in enumerate(told)]
    with front.connect(served, [StudyRootFind]) as link:  # what is not in the context's transfer syntax
        assert list(link.find(QUERY)) == [match(n).encoded_as(ExplicitVRLittleEndian) for n in range(10)]
    assert served.report().failed == 0


@pytest.mark.parametrize(("limit", "good"), [(100, 4), (4, 4), (3, 3), (2, 2), (0, 0)])
def test_a_list_of_which_one_is_no_match(wide_front: Front, limit: int, good: int) -> None:
    """Those before it, and those within the limit, go out; nothing behind it does."""
    find = [[match(0), match(1)], [match(2), match(3), "text", match(5)], [match(6)]]
    served = wide_front.serve(Services(find=lambda request: find), limits=Limits(matches=limit))  # type: ignore[arg-type,return-value]
    found: list[int] = []
    with wide_front.connect(served, [StudyRootFind, Verification]) as link:
        with pytest.raises(OperationFailed) as caught:
            found.extend(map(number_of, link.find(QUERY)))
        assert caught.value.status == (0x0110 if limit > 4 else 0xA700)
        assert link.echo().ok
    assert found == list(range(good))


@pytest.mark.parametrize(
    ("find", "status", "matches"),
    [
        (Matches(3, before=Refused(0xA900, "no level")), 0xA900, 0),
        (Matches(3, before=KeyError("bug")), 0x0110, 0),
        (Matches(3, behind=Refused(0xC001, "too many")), 0xC001, 3),
        (Matches(3, behind=KeyError("bug")), 0x0110, 3),
    ],
    ids=["refused at once", "bug at once", "refused later", "bug later"],
)
def test_find_handler_fails(front: Front, find: Matches, status: int, matches: int) -> None:
    served = front.serve(Services(find=find))
    found: list[DataSet] = []
    with front.connect(served, [StudyRootFind, Verification]) as link:
        with pytest.raises(OperationFailed) as caught:
            found += link.find(QUERY)  # what came before the failure is kept
        assert (caught.value.status, caught.value.status.service) == (status, "C-FIND")
        assert f"{status:04X}H" in str(caught.value)
        assert link.echo().ok
    report = served.report()
    assert (report.counts, report.failed, len(report.errors)) == ({"C-FIND": 1, "C-ECHO": 1}, 1, int(status == 0x0110))


def _unreadable(request: Request) -> Iterator[Match]:
    yield match(0)
    yield DataSet(b"\x10\x00\x20\x00\xff\x00\x00\x00", ImplicitVRLittleEndian)


def _no_data_set(request: Request) -> Iterator[Match]:
    yield match(0)
    yield "text"  # type: ignore[misc]


def _closes_badly(request: Request) -> Iterator[Match]:
    try:
        yield match(0)
        yield match(1)
    finally:
        raise OSError("cannot close")


def _with(status: object) -> Callable[[Request], Iterator[object]]:
    return lambda request: iter([match(0), (status, match(1))])


def _refused(status: int, *offending: int) -> Matches:
    return Matches(1, behind=Refused(status, "", offending))


ODD_STATUS = [_with(status) for status in (0, 0xA700, 0xFE00, 70_000, -1, None, Status(0xFF00, offending=(1 << 32,)))]
NO_REFUSAL = [_refused(0), _refused(0xFF00), _refused(0xB000), _refused(0xA700, 1 << 32), _refused(1 << 16)]


@pytest.mark.parametrize("find", [_unreadable, _no_data_set, _closes_badly, lambda request: 7, *ODD_STATUS, *NO_REFUSAL])
def test_find_handler_yields_what_it_must_not(front: Front, find: object) -> None:
    served = front.serve(Services(find=find))  # type: ignore[arg-type]
    with front.connect(served, [StudyRootFind, Verification]) as link:
        with pytest.raises(OperationFailed) as caught:
            list(link.find(QUERY))
        assert caught.value.status == 0x0110
        assert link.echo().ok
    report = served.report()
    assert (report.ended, len(report.errors)) == ("released", 1)


def test_handler_that_fails_in_closing(front: Front) -> None:
    served = front.serve(Services(find=_closes_badly))
    with front.connect(served, [StudyRootFind, Verification]) as link:
        for _ in link.find(QUERY):
            break
        assert link.echo().ok
    report = served.report()
    assert (report.ended, len(report.errors)) == ("released", 1)


@pytest.mark.parametrize("count", [None, 5])
def test_leaving_early(front: Front, count: int | None) -> None:
    """D-25: C-CANCEL goes out, the rest is read, the handler's iterator is closed, the association goes on."""
    find = Matches(count)
    served = front.serve(Services(find=find))
    with front.connect(served, [StudyRootFind, Verification]) as link:
        for n, found in enumerate(link.find(QUERY)):
            assert number_of(found) == n
            if n == 2:
                break
        assert link.echo().ok
        matches = link.find(QUERY)
        assert number_of(next(matches)) == 0
        assert link.echo().ok  # the iteration is still referred to: the next operation ends it
        with pytest.raises(UsageError, match="ended"):
            next(matches)
        next(link.find(QUERY))
    report = served.report()
    assert (report.counts, report.failed, report.ended) == ({"C-FIND": 3, "C-ECHO": 2}, 0, "released")
    if count is None:
        assert find.ended == ["closed"] * 3
    else:
        assert len(find.ended) == 3


def test_a_loop_in_a_loop(front: Front) -> None:
    """The inner query ends the outer one, which must not look as if it had come to its end."""
    served = front.serve(Services(find=Matches(10)))
    with front.connect(served, [StudyRootFind]) as link:
        outer = link.find(QUERY)
        next(outer)
        assert len(list(link.find(QUERY))) == 10
        with pytest.raises(UsageError, match="ended"):
            next(outer)


def test_leaving_the_association_in_a_loop(front: Front) -> None:
    find = Matches(None)
    served = front.serve(Services(find=find))
    with front.connect(served, [StudyRootFind]) as link:
        iteration = link.find(QUERY)
        next(iteration)
    assert served.report().ended == "released"
    assert find.ended == ["closed"]
    with pytest.raises(ZeroDivisionError), front.connect(served, [StudyRootFind]) as link:
        sum(1 / 0 for _ in link.find(QUERY))
    assert "the peer aborted" in served.report().ended
    assert find.ended == ["closed", "closed"]


@pytest.mark.parametrize("ending", ["abort", "release", "close"])
def test_the_association_ends_among_matches(wide_front: Front, ending: str) -> None:
    async def script(session: Session) -> None:
        await session.wire.send([frames(1, request(CommandField.C_FIND_RQ), QUERY.encoded)])
        await answers(session)
        if ending == "abort":
            await session.abort()
        elif ending == "release":
            session.layer.release()
            await session.wire.send(())
            while not session.layer.closed:
                await session.wire.pump()
        await session.wire.close()

    find = Matches(None)
    served = wide_front.serve(Services(find=find))
    link = wide_front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,))])
    link.run(script(link.session))
    ended = served.report().ended
    words = {"abort": "the peer aborted", "release": "released", "close": "the connection closed"}
    assert ended.startswith(words[ending])
    assert find.ended == ["closed"]


def test_cancel_is_answered(front: Front) -> None:
    """D-25: FE00H, and what follows is served."""

    async def script(session: Session) -> list[int | None]:
        await session.wire.send([frames(1, request(CommandField.C_FIND_RQ, 7), QUERY.encoded)])
        await answers(session)
        unknown = b"".join(frames(1, cancel(n)) for n in range(1000, 1030))
        await session.wire.send([unknown, frames(1, cancel(7)), frames(3, request(CommandField.C_ECHO_RQ, 8))])
        statuses: list[int | None] = []
        while 0 not in statuses:
            command, _ = await answers(session)
            if command.status != 0xFF00:
                statuses.append(command.status)
        return statuses

    find = Matches(None)
    served = front.serve(Services(find=find))
    with front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,)), Verification]) as link:
        assert link.run(script(link.session)) == [0xFE00, 0]
    assert find.ended == ["closed"]
    report = served.report()
    assert (report.counts, report.failed) == ({"C-FIND": 1, "C-ECHO": 1}, 0)


def test_cancels_of_nothing(front: Front) -> None:
    """D-25: ignored, a thousand of them; one for an id that comes later does not count for it."""

    async def script(session: Session) -> None:
        await session.wire.send([b"".join(frames(1, cancel(n)) for n in range(1000))])

    find = Matches(2)
    served = front.serve(Services(find=find))
    with front.connect(served, [StudyRootFind, Verification]) as link:
        link.run(script(link.session))
        for _ in range(3):
            assert len(list(link.find(QUERY))) == 2
        assert link.echo().ok
    assert served.report().counts == {"C-FIND": 3, "C-ECHO": 1}
    assert find.ended == ["exhausted"] * 3


def test_cancels_in_a_long_life(wide_front: Front) -> None:
    """Each cancelled operation is forgotten: the thousandth cancel works like the first."""
    find = Matches(None)
    served = wide_front.serve(Services(find=find))
    with wide_front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,))]) as link:
        for _ in range(150):
            next(link.find(QUERY))
    assert find.ended == ["closed"] * 150


def test_requests_behind_a_running_find(front: Front) -> None:
    """What the peer sends meanwhile is kept and answered afterwards, in its order, data sets included."""

    async def script(session: Session) -> list[tuple[str, int | None]]:
        requests = [
            frames(1, request(CommandField.C_FIND_RQ, 1), QUERY.encoded),
            frames(3, request(CommandField.C_ECHO_RQ, 2)),
            frames(5, request(CommandField.C_STORE_RQ, 3), instance(1).encoded),
            frames(3, request(CommandField.C_ECHO_RQ, 4)),
        ]
        await session.wire.send([b"".join(requests)])
        got: list[tuple[str, int | None]] = []
        while len(got) < 13:
            command, _ = await answers(session)
            got.append((command.name, command.message_id_being_responded_to))
        return got

    account = Account()
    served = front.serve(Services(find=Matches(9), sink=account.sink))
    contexts: list[Context | str] = [Context(StudyRootFind, (ImplicitVRLittleEndian,)), Verification, CTImageStorage]
    with front.connect(served, contexts) as link:
        assert link.run(script(link.session)) == [("C-FIND-RSP", 1)] * 10 + [("C-ECHO-RSP", 2), ("C-STORE-RSP", 3), ("C-ECHO-RSP", 4)]
    assert account.stored == {"1.2.3": instance(1).encoded}


def test_end_behind_requests_that_wait(wide_front: Front) -> None:
    """A store waits for a running query, and then the association ends: nothing of it is kept, and the end is told."""

    async def script(session: Session) -> None:
        store = frames(3, request(CommandField.C_STORE_RQ, 3), instance(1).encoded)
        await session.wire.send([frames(1, request(CommandField.C_FIND_RQ, 1), QUERY.encoded) + store])
        await session.abort()

    find = Matches(2000)
    account = Account()
    served = wide_front.serve(Services(find=find, sink=account.sink))
    link = wide_front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,)), CTImageStorage])
    link.run(script(link.session))
    assert served.report().ended.startswith(("the peer aborted", "the connection closed"))
    assert len(find.ended) == 1


def test_identifier_limit(wide_front: Front) -> None:
    find = Matches(1)
    served = wide_front.serve(Services(find=find), limits=Limits(identifier=1000))
    long = DataSet(b"\x10\x00\x20\x00\xf8\x07\x00\x00" + b"1" * 2040, ImplicitVRLittleEndian)
    with wide_front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,))]) as link:
        with pytest.raises(OperationFailed) as caught:
            list(link.find(long))
        assert caught.value.status == 0xA700
        assert len(list(link.find(QUERY))) == 1


# The user side, against a provider made by hand


async def _pending(session: Session, context: AcceptedContext, command: CommandSet, number: int = 0) -> None:
    await session.send(context, command.response(0xFF00, command_data_set_type=DATA_SET), match(number).encoded_as(context.transfer_syntax))


async def _asked(session: Session) -> tuple[AcceptedContext, CommandSet]:
    message = await session.receive(expecting=False)
    await session.skip()
    return message.context, message.command


def _nested(depth: int) -> bytes:
    """Sequences of defined length inside each other."""
    data = b"\x08\0\x60\0\2\0\0\0CT"
    for _ in range(depth):
        content = b"\xfe\xff\0\xe0" + len(data).to_bytes(4, "little") + data
        data = b"\x40\0\x75\2" + len(content).to_bytes(4, "little") + content
    return data


@pytest.mark.parametrize(
    ("identifier", "status"),
    [
        (QUERY.encoded + b"\x09\0\x10\0\0\0\0\0" * 999, 0),
        (QUERY.encoded + b"\x09\0\x10\0\0\0\0\0" * 1000, 0xC000),
        (_nested(8), 0),
        (_nested(9), 0xC000),
        (_nested(200), 0xC000),
        (b"\1", 0),
    ],
    ids=["1000 elements", "1001 elements", "8 deep", "9 deep", "200 deep", "unreadable"],
)
def test_size_of_identifiers(wide_front: Front, identifier: bytes, status: int) -> None:
    """Nobody's handler sees an identifier that is too large; one that cannot be read is the handler's affair."""
    find = Matches(0)
    served = wide_front.serve(Services(find=find))
    with wide_front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,))]) as link:
        command = link.run(exchange(link.session, frames(1, request(CommandField.C_FIND_RQ), identifier)))
        assert command.status == status
        assert len(find.requests) == (status == 0)


@pytest.mark.parametrize("count", [9, 10, 11, None])
def test_too_many_matches(wide_front: Front, count: int | None) -> None:
    find = Matches(count)
    served = wide_front.serve(Services(find=find), limits=Limits(matches=10))
    with wide_front.connect(served, [StudyRootFind]) as link:
        found: list[int] = []
        if count is not None and count <= 10:
            found += map(number_of, link.find(QUERY))
        else:
            with pytest.raises(OperationFailed) as caught:
                found.extend(map(number_of, link.find(QUERY)))
            assert (caught.value.status, caught.value.status.comment) == (0xA700, "there are more than 10 matches: ask for fewer")
        assert found == list(range(min(count or 10, 10)))
    assert set(find.ended) == ({"exhausted"} if count in (9, 10) else {"closed"})


def test_requests_that_come_meanwhile_are_held_in_moderation(front: Front) -> None:
    """A peer that goes on asking is read on when the operation is over; nothing is lost."""
    waiting: list[int] = []

    async def script(session: Session) -> None:
        await session.receive(expecting=False)
        for _ in range(20):
            await session.poll()
        waiting.append(len(session._ahead))
        for number in range(2, 302):
            message = await session.receive(expecting=False)
            assert message.command.message_id == number
        await respond(session, message.context, message.command)
        await session.receive(expecting=False)

    async def ask(session: Session) -> int | None:
        echoes = [frames(1, request(CommandField.C_ECHO_RQ, number)) for number in range(1, 302)]
        return (await exchange(session, *echoes)).status

    served = front.serve(Services(), script=script)
    with front.connect(served, [Verification]) as link:
        assert link.run(ask(link.session)) == 0
    assert waiting[0] <= MAX_AHEAD


def test_final_statuses(front: Front) -> None:
    async def script(session: Session) -> None:
        for status in (0xFE00, 0xB000, 0x0001, 0xA700, 0x1234):
            context, command = await _asked(session)
            await _pending(session, context, command)
            await respond(session, context, command, status)
        await session.receive(expecting=False)

    served = front.serve(Services(find=Matches(0)), script=script)
    with front.connect(served, [StudyRootFind]) as link:
        for _ in range(3):
            assert len(list(link.find(QUERY))) == 1
        for status in (0xA700, 0x1234):
            with pytest.raises(OperationFailed) as caught:
                list(link.find(QUERY))
            assert caught.value.status == status


def _wrong_id(command: CommandSet) -> CommandSet:
    return command.response(0xFF00).__class__(
        CommandField.C_FIND_RSP, message_id_being_responded_to=99, command_data_set_type=0x0101, status=0xFF00
    )


def _no_status(command: CommandSet) -> CommandSet:
    return CommandSet(CommandField.C_FIND_RSP, message_id_being_responded_to=command.message_id, command_data_set_type=0x0101)


def _no_identifier(command: CommandSet) -> CommandSet:
    return command.response(0xFF00)


def _a_request(command: CommandSet) -> CommandSet:
    return request(CommandField.C_ECHO_RQ, command.message_id or 0)


@pytest.mark.parametrize("wrong", [_wrong_id, _no_status, _no_identifier, _a_request])
def test_answers_that_break_the_protocol(front: Front, wrong: object) -> None:
    """U-05."""

    async def script(session: Session) -> None:
        context, command = await _asked(session)
        await _pending(session, context, command)
        await session.send(context, wrong(command))  # type: ignore[operator]
        await session.receive()

    served = front.serve(Services(find=Matches(0)), script=script)
    link = front.connect(served, [StudyRootFind])
    found = link.find(QUERY)
    assert number_of(next(found)) == 0
    with pytest.raises(ProtocolError, match="the peer broke the protocol"):
        next(found)
    assert not link.session.alive
    with pytest.raises(UsageError):
        next(link.find(QUERY))
    link.abort()
    assert "the peer aborted" in served.report().ended


def test_cancels_of_the_peer_are_no_answers(front: Front) -> None:
    """A provider has nothing to cancel; it is let pass, as on the other side."""

    async def script(session: Session) -> None:
        context, command = await _asked(session)
        await session.send(context, cancel(command.message_id or 0))
        await respond(session, context, command)
        await session.receive(expecting=False)

    served = front.serve(Services(find=Matches(0)), script=script)
    with front.connect(served, [StudyRootFind]) as link:
        assert list(link.find(QUERY)) == []


def test_matches_without_end(wide_front: Front) -> None:
    """U-05: a provider that never ends and does not heed C-CANCEL is aborted."""

    async def script(session: Session) -> None:
        context, command = await _asked(session)
        while True:
            await _pending(session, context, command)
            await session.poll()

    served = wide_front.serve(Services(find=Matches(0)), script=script)
    link = wide_front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,))])
    import dimse.services.scu as module

    patched = pytest.MonkeyPatch()
    patched.setattr(module, "MAX_RESPONSES_BEHIND_CANCEL", 50)
    try:
        found = link.find(QUERY)
        assert [number_of(next(found)) for _ in range(10)] == [0] * 10
        with pytest.raises(ProtocolError, match="cancel"):
            found.close()  # type: ignore[attr-defined]  # a generator
    finally:
        patched.undo()
    link.abort()
    assert "the peer aborted" in served.report().ended


def test_identifier_of_the_answer_is_limited(wide_front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dimse.services.scu.MAX_RESPONSE_IDENTIFIER", 1000)
    long = DataSet(b"\x10\x00\x20\x00\xf8\x07\x00\x00" + b"1" * 2040, ImplicitVRLittleEndian)
    served = wide_front.serve(Services(find=lambda request: [match(1), long, match(2)]))
    link = wide_front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,)), Verification])
    with pytest.raises(ProtocolError, match="longer than the limit"):
        list(link.find(QUERY))
    assert not link.session.alive
    link.abort()


def test_provider_ends_among_matches(front: Front) -> None:
    async def script(session: Session) -> None:
        context, command = await _asked(session)
        await _pending(session, context, command)
        await session.abort()

    served = front.serve(Services(find=Matches(0)), script=script)
    link = front.connect(served, [StudyRootFind])
    found = link.find(QUERY)
    next(found)
    with pytest.raises(Aborted):
        next(found)
    link.abort()
