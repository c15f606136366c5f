"""C-MOVE on both sides, C-GET as provider: sub-operations, counters, failures, cancels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dimse.association.config import Limits, Timeouts
from dimse.association.negotiation import Accept, AcceptedContext, Context, answer
from dimse.data.commands import CommandField, CommandSet
from dimse.data.datasets import DataSet
from dimse.data.protocols import Source
from dimse.data.sources import BytesSource
from dimse.data.uids import (
    MPEG4HP41,
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
    PatientRootMove,
    StudyRootGet,
    StudyRootMove,
    Verification,
)
from dimse.errors import Aborted, ContextRefused, ProtocolError, Refused, TimedOut
from dimse.services import scu
from dimse.services.handlers import Address, Request, Services
from dimse.services.plan import batches
from dimse.services.rights import Callers
from dimse.services.scu import MoveResult, Progress, failed_uids
from dimse.services.session import PeerReleased, Session

from .drivers import BRISK, Front, Link, Memory, Script, Served
from .samples import QUERY, Account, Mover, answers, cancel, frames, instance, request, respond

IMPLICIT_MOVE = Context(StudyRootMove, (ImplicitVRLittleEndian,))


def _archive(front: Front, mover: Mover, *, timeouts: Timeouts = BRISK) -> Served:
    return front.serve(Services(move=mover.move, where=mover.where), aet="ARCHIVE", timeouts=timeouts)


def _move(front: Front, archive: Served, progress: list[Progress] | None = None) -> MoveResult:
    with front.connect(archive, [StudyRootMove, Verification], calling="VIEWER") as link:
        result = link.move(QUERY, "DEST", progress=None if progress is None else progress.append)
        assert link.echo().ok
    return result


def test_all_arrive(front: Front) -> None:
    account = Account()
    destination = front.serve(Services(sink=account.sink), aet="DEST")
    sources = [instance(n, 3000) for n in range(5)]
    mover = Mover(sources, {"DEST": destination.address})
    archive = _archive(front, mover)
    seen: list[Progress] = []
    result = _move(front, archive, seen)
    assert (result.status, result.completed, result.failed, result.warning, result.failed_uids) == (0, 5, 0, 0, ())
    assert result.status.service == "C-MOVE"
    assert seen == [Progress(4 - n, n + 1, 0, 0) for n in range(4)]
    assert [data for _, data in account.kept] == [s.encoded for s in sources]
    commands = [r.command for r, _ in account.kept]
    assert {(c.move_originator_application_entity_title, c.move_originator_message_id) for c in commands} == {("VIEWER", 1)}
    assert [r.peer.calling for r, _ in account.kept] == ["ARCHIVE"] * 5
    assert [r.peer.called for r, _ in account.kept] == ["DEST"] * 5
    (asked,) = mover.requests
    assert (asked.command.move_destination, asked.identifier) == ("DEST", QUERY.encoded_as(ExplicitVRLittleEndian))
    assert archive.report().counts == {"C-MOVE": 1, "C-ECHO": 1}
    report = destination.report()
    assert (report.counts, report.ended) == ({"C-STORE": 5}, "released")


@pytest.mark.parametrize("soon", [1000, 10])
def test_a_pending_response_leaves_behind_the_next_instance(soon: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless that takes long, or goes over another association."""
    monkeypatch.setattr("dimse.services.subops.SOON", soon)
    sent: list[str] = []
    send, send_framed, release = Session.send, Session.send_framed, Session.release

    async def recorded(session: Session, context: AcceptedContext, command: CommandSet, data: Source | DataSet | None = None) -> None:
        sent.append(command.name)
        await send(session, context, command, data)

    async def made_before(session: Session, context: AcceptedContext, framed: Iterator[bytes | memoryview], size: int) -> None:
        sent.append("C-STORE-RQ")
        await send_framed(session, context, framed, size)

    async def released(session: Session) -> None:
        sent.append("release")
        await release(session)

    monkeypatch.setattr(Session, "send", recorded)
    monkeypatch.setattr(Session, "send_framed", made_before)
    monkeypatch.setattr(Session, "release", released)
    front = Memory()
    destination = front.serve(Services(sink=Account().sink), aet="DEST", any_storage=True)
    sources = [instance(n, sop_class=f"1.2.3.{n // 2}", transfer_syntax=MPEG4HP41) for n in range(258)]  # 256 and 2
    archive = _archive(front, Mover(sources, {"DEST": destination.address}))
    assert _move(front, archive).completed == 258
    told = [name for name in sent if name in ("C-STORE-RQ", "C-MOVE-RSP", "release")]
    one = ["C-STORE-RQ", "C-MOVE-RSP"]
    if soon == 10:
        assert told == [*one * 256, "release", *one, "C-STORE-RQ", "release", "C-MOVE-RSP", "release"]
    else:
        assert told == ["C-STORE-RQ", *one * 255, "C-MOVE-RSP", "release", "C-STORE-RQ", *one, "release", "C-MOVE-RSP", "release"]


def test_models(front: Front) -> None:
    mover = Mover([], {"DEST": front.nowhere()})
    archive = _archive(front, mover)
    with front.connect(archive, [PatientRootMove, StudyRootMove]) as link:
        assert link.move(QUERY, "DEST").status == 0  # nothing to send: nobody is called
        assert link.move(QUERY, "DEST", PatientRootMove).completed == 0
    with front.connect(archive, [Verification]) as link, pytest.raises(ContextRefused):
        link.move(QUERY, "DEST")
    assert [r.context.abstract_syntax for r in mover.requests] == [StudyRootMove, PatientRootMove]


def test_some_fail(front: Front) -> None:
    """Refused and warned of by the destination, and a context that it does not take."""
    account = Account()

    def sink(request: Request) -> object:
        number = int((request.command.affected_sop_instance_uid or "").rsplit(".", 1)[1])
        if number == 1:
            raise Refused(0xA900, "not that one")
        account.status = 0xB000 if number == 2 else None
        return account.sink(request)

    destination = front.serve(Services(sink=sink))  # type: ignore[arg-type]  # an AccountSink is a Sink
    sources = [
        *(instance(n) for n in range(4)),
        instance(4, sop_class="1.2.3.4"),
        instance(5, 7),
        instance(6, transfer_syntax=JPEGBaseline8Bit),
    ]
    archive = _archive(front, Mover(sources, {"DEST": destination.address}))
    seen: list[Progress] = []
    result = _move(front, archive, seen)
    assert (int(result.status), result.completed, result.failed, result.warning) == (0xB000, 3, 3, 1)
    assert result.failed_uids == ("1.2.826.0.1.1", "1.2.826.0.1.4", "1.2.826.0.1.5")
    assert seen == [
        Progress(6, 1, 0, 0),
        Progress(5, 1, 1, 0),
        Progress(4, 1, 1, 1),
        Progress(3, 2, 1, 1),
        Progress(2, 2, 2, 1),
        Progress(1, 2, 3, 1),
    ]


def test_all_fail(front: Front) -> None:
    destination = front.serve(Services(sink=Account(fail_open=Refused(0xA700, "full")).sink))
    result = _move(front, _archive(front, Mover([instance(n) for n in range(3)], {"DEST": destination.address})))
    assert (int(result.status), result.completed, result.failed) == (0xA702, 0, 3)
    assert result.status.comment == "full"
    assert len(result.failed_uids) == 3


def test_destination_unknown(front: Front) -> None:
    """D-26."""
    archive = _archive(front, Mover([instance(1)]))
    result = _move(front, archive)
    assert (int(result.status), result.status.comment, result.completed, result.failed) == (0xA801, "nobody is DEST", 0, 0)
    assert archive.report().failed == 1


def _silent(front: Front) -> Served:
    async def script(session: Session) -> None:
        while not session.layer.closed:
            await session.wire.pump()

    return front.serve(script=script, greets=False)


@pytest.mark.parametrize("kind", ["refuses TCP", "rejects", "never answers", "aborts", "takes nothing"])
def test_destination_that_is_not_there(front: Front, kind: str) -> None:
    """D-26: A702H with counters, and the association goes on."""

    async def abort(session: Session) -> None:
        await session.request()
        await session.abort()

    sources = [instance(n) for n in range(3)]

    def rejecting() -> Address:
        served = front.serve(Services(sink=Account().sink), aet="OTHER", check_called=True)
        return Address("DEST", served.host, served.port)

    destination: dict[str, Callable[[], Address]] = {
        "refuses TCP": front.nowhere,
        "rejects": rejecting,
        "never answers": lambda: _silent(front).address,
        "aborts": lambda: front.serve(script=abort, greets=False).address,
        "takes nothing": lambda: front.serve(Services()).address,
    }
    timeouts = Timeouts(associate=0.05, linger=0.05)
    archive = _archive(front, Mover(sources, {"DEST": destination[kind]()}), timeouts=timeouts)
    seen: list[Progress] = []
    result = _move(front, archive, seen)
    assert (int(result.status), result.completed, result.failed, len(result.failed_uids)) == (0xA702, 0, 3, 3)
    assert result.status.comment
    assert seen == [Progress(2, 0, 1, 0), Progress(1, 0, 2, 0)]


@pytest.mark.parametrize("how", ["abort", "close", "nonsense"])
def test_destination_dies_half_way(front: Front, how: str) -> None:
    async def script(session: Session) -> None:
        for _ in range(2):
            message = await session.receive(expecting=False)
            await session.skip()
            await respond(session, message.context, message.command)
        message = await session.receive(expecting=False)
        if how == "abort":
            await session.abort()
        elif how == "close":
            await session.wire.close()
        else:
            await session.skip()
            await session.send(message.context, request(CommandField.C_ECHO_RQ))
            await session.receive()

    destination = front.serve(Services(sink=Account().sink), script=script)
    archive = _archive(front, Mover([instance(n) for n in range(5)], {"DEST": destination.address}))
    seen: list[Progress] = []
    result = _move(front, archive, seen)
    assert (int(result.status), result.completed, result.failed) == (0xB000, 2, 3)
    assert result.failed_uids == ("1.2.826.0.1.2", "1.2.826.0.1.3", "1.2.826.0.1.4")
    assert seen == [Progress(4, 1, 0, 0), Progress(3, 2, 0, 0), Progress(2, 2, 1, 0), Progress(1, 2, 2, 0)]


@pytest.mark.parametrize("how", ["close", "silence"])
@pytest.mark.parametrize("cancelled", [False, True])
def test_destination_that_cannot_release(wide_front: Front, how: str, cancelled: bool) -> None:
    """All was stored by then: it does not count as a failure, and a cancelled move is still answered."""
    links: list[Link] = []

    async def ends(session: Session) -> None:
        while not session.layer.closed and session.layer.state == 6:
            await session.wire.pump()  # the A-RELEASE-RQ, which gets no answer
        if how == "silence":
            while not session.layer.closed:
                await session.wire.pump()
        await session.wire.close()

    destination = _cancelling(wide_front, links, ends)
    sources = [instance(n) for n in range(2 if cancelled else 1)]
    timeouts = Timeouts(release=0.05, linger=0.05)
    archive = wide_front.serve(
        Services(move=lambda request: sources, where=lambda request, aet: destination.address), aet="ARCHIVE", timeouts=timeouts
    )
    with wide_front.connect(archive, [IMPLICIT_MOVE, Verification]) as link:
        links.append(link)
        assert _counts(link.run(_moved(link.session))) == ((0xFE00, 1, 1, 0, 0) if cancelled else (0, None, 1, 0, 0))
        assert link.echo().ok


def test_cancel_by_progress(wide_front: Front) -> None:
    """Returning False sends C-CANCEL: what is left stays unsent, and the destination is released."""
    account = Account()
    destination = wide_front.serve(Services(sink=account.sink))
    archive = _archive(wide_front, Mover([instance(n) for n in range(2000)], {"DEST": destination.address}))
    seen: list[Progress] = []

    def progress(now: Progress) -> bool:
        seen.append(now)
        return len(seen) < 3

    with wide_front.connect(archive, [StudyRootMove, Verification]) as link:
        result = link.move(QUERY, "DEST", progress=progress)
        assert link.echo().ok
    assert result.status == 0xFE00
    assert 3 <= result.completed < 2000
    assert result.failed == 0
    assert len(account.kept) == result.completed
    assert destination.report().ended == "released"
    assert archive.report().failed == 0


def test_pending_responses_without_end(wide_front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that goes on behind a C-CANCEL is aborted in the end."""
    monkeypatch.setattr(scu, "MAX_RESPONSES_BEHIND_CANCEL", 20)

    async def script(session: Session) -> None:
        message = await session.receive(expecting=False)
        await session.skip()
        while True:
            assert len(seen) < 100, "nobody ends it"
            await respond(session, message.context, message.command, 0xFF00)
            await session.poll()

    def progress(now: Progress) -> bool:
        seen.append(now)
        return False

    seen: list[Progress] = []
    mover = Mover([])
    archive = wide_front.serve(Services(move=mover.move, where=mover.where), script=script)
    link = wide_front.connect(archive, [StudyRootMove])
    with pytest.raises(ProtocolError, match="C-MOVE-RQ is answered without end"):
        link.move(QUERY, "DEST", progress=progress)
    link.abort()
    assert len(seen) == 22


def test_progress_that_raises(wide_front: Front) -> None:
    """The caller's mistake is the caller's; the move is cancelled and the association can be used on."""
    destination = wide_front.serve(Services(sink=Account().sink))
    archive = _archive(wide_front, Mover([instance(n) for n in range(100)], {"DEST": destination.address}))

    def progress(now: Progress) -> None:
        raise LookupError

    with wide_front.connect(archive, [StudyRootMove, Verification]) as link:
        with pytest.raises(LookupError):
            link.move(QUERY, "DEST", progress=progress)
        assert link.echo().ok


def _cancelling(front: Front, links: list[Link], ends: Script | None = None) -> Served:
    """A destination during whose first C-STORE the C-MOVE is cancelled."""

    async def script(session: Session) -> None:
        message = await session.receive(expecting=False)
        await session.skip()
        await links[0].session.wire.send([frames(1, cancel(5))])
        await respond(session, message.context, message.command)
        await (ends(session) if ends else session.receive(expecting=False))

    return front.serve(Services(sink=Account().sink), script=script)


async def _moved(session: Session, *more: bytes) -> CommandSet:
    """The final response to a C-MOVE with message id 5."""
    await session.wire.send([frames(1, request(CommandField.C_MOVE_RQ, 5), QUERY.encoded) + b"".join(more)])
    while (answer := (await answers(session))[0]).status == 0xFF00:
        pass
    return answer


@pytest.mark.parametrize(("count", "counts"), [(1, (0, None, 1, 0, 0)), (2, (0xFE00, 1, 1, 0, 0))])
def test_cancel_of_one_under_way(wide_front: Front, count: int, counts: tuple[int | None, ...]) -> None:
    """It is done; a C-CANCEL that comes when it is the last changes nothing."""
    links: list[Link] = []
    archive = _archive(wide_front, Mover([instance(n) for n in range(count)], {"DEST": _cancelling(wide_front, links).address}))
    with wide_front.connect(archive, [IMPLICIT_MOVE, Verification]) as link:
        links.append(link)
        assert _counts(link.run(_moved(link.session))) == counts
        assert link.echo().ok


def test_cancel_before_the_first(wide_front: Front) -> None:
    """Nobody is called."""
    archive = _archive(wide_front, Mover([instance(1)], {"DEST": wide_front.nowhere()}))
    with wide_front.connect(archive, [IMPLICIT_MOVE, Verification]) as link:
        assert _counts(link.run(_moved(link.session, frames(1, cancel(5))))) == (0xFE00, 1, 0, 0, 0)
        assert link.echo().ok


def test_cancel_while_the_destination_is_called(wide_front: Front) -> None:
    """Nothing is sent, and the destination is left in good order."""
    links: list[Link] = []
    heard: list[str] = []

    async def script(session: Session) -> None:
        called = await session.request()
        await links[0].session.wire.send([frames(1, cancel(5))])
        session.accept(answer(called, lambda context: Accept(context.transfer_syntaxes[0])))  # type: ignore[arg-type]  # no rejection
        try:
            heard.append((await session.receive(expecting=False)).command.name)
        except PeerReleased:
            heard.append("released")

    destination = wide_front.serve(Services(), script=script, greets=False)
    archive = _archive(wide_front, Mover([instance(1), instance(2)], {"DEST": destination.address}))
    with wide_front.connect(archive, [IMPLICIT_MOVE, Verification]) as link:
        links.append(link)
        assert _counts(link.run(_moved(link.session))) == (0xFE00, 2, 0, 0, 0)
        assert link.echo().ok
    destination.report()
    assert heard == ["released"]


@pytest.mark.parametrize("broken", [2, 3])
def test_requestor_that_takes_nothing_more(broken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its association has timed out, which is what is told; nothing else is sent, and the one to the destination does not stay open."""
    front, told = Memory(), 0
    send = Session.send

    async def stuck(session: Session, context: AcceptedContext, command: CommandSet, data: Source | DataSet | None = None) -> None:
        nonlocal told
        told += command.name == "C-MOVE-RSP"
        if told == broken:
            session.layer.abort("the wait 'send' passed")
            raise TimedOut("send", 20.0)
        await send(session, context, command, data)

    monkeypatch.setattr(Session, "send", stuck)
    account = Account()
    destination = front.serve(Services(sink=account.sink), any_storage=True)
    sources = [instance(n, sop_class=f"1.2.3.{n % 2}{n // 3}", transfer_syntax=MPEG4HP41) for n in range(6)]
    monkeypatch.setattr("dimse.services.subops.batches", lambda sources: batches(sources, limit=2))  # 3 and 3
    archive = _archive(front, Mover(sources, {"DEST": destination.address}))
    link = front.connect(archive, [StudyRootMove])
    with pytest.raises(Aborted):
        link.move(QUERY, "DEST")
    link.abort()
    assert "send" in archive.report().ended
    assert destination.report().ended
    assert len(account.kept) == 3


def test_requestor_is_gone(wide_front: Front) -> None:
    """The association that asked ends: so does the one to the destination, in good order."""

    async def script(session: Session) -> None:
        await session.wire.send([frames(1, request(CommandField.C_MOVE_RQ, 5), QUERY.encoded)])
        await answers(session)
        await session.abort()

    destination = wide_front.serve(Services(sink=Account().sink))
    archive = _archive(wide_front, Mover([instance(n) for n in range(3000)], {"DEST": destination.address}))
    link = wide_front.connect(archive, [IMPLICIT_MOVE])
    link.run(script(link.session))
    assert archive.report().ended.startswith("the peer aborted")
    report = destination.report()
    assert report.ended == "released"
    assert report.counts["C-STORE"] < 3000


@pytest.mark.parametrize("place", ["move", "where"])
@pytest.mark.parametrize(("error", "status"), [(Refused(0xA701, "too many"), 0xA701), (KeyError("bug"), 0x0110)])
def test_handlers_that_fail(front: Front, place: str, error: Exception, status: int) -> None:
    def move(request: Request) -> list[Source]:
        if place == "move":
            raise error
        return []

    def where(request: Request, aet: str) -> Address:
        if place == "where":
            raise error
        return Address(aet, "host", 1)

    archive = front.serve(Services(move=move, where=where))
    with front.connect(archive, [StudyRootMove, Verification]) as link:
        assert link.move(QUERY, "DEST").status == status
        assert link.echo().ok
    report = archive.report()
    assert (report.failed, report.errors) == (1, [error] if status == 0x0110 else [])


class Unopenable:
    """A source of a handler that has a mistake in it."""

    sop_class_uid = CTImageStorage
    sop_instance_uid = instance(1).sop_instance_uid
    transfer_syntax = ExplicitVRLittleEndian
    size = 10

    def open(self) -> object:
        raise LookupError("bug")


@pytest.mark.parametrize("kind", ["not a sequence", "a title too long", "a source with a bug", "no sources", "also no source"])
def test_handlers_that_give_what_they_must_not(front: Front, kind: str) -> None:
    destination = front.serve(Services(sink=Account().sink))
    odd: dict[str, object] = {"no sources": [1, 2], "also no source": [instance(1), "path"], "a source with a bug": [Unopenable()]}
    sources = {**odd, "not a sequence": iter([instance(1)])}.get(kind, [instance(1)])
    aet = "A TITLE OF MORE THAN SIXTEEN" if kind == "a title too long" else "DEST"
    archive = front.serve(Services(move=lambda r: sources, where=lambda r, a: Address(aet, destination.host, destination.port)))  # type: ignore[arg-type, return-value]
    with front.connect(archive, [StudyRootMove, Verification]) as link:
        result = link.move(QUERY, "DEST")
        assert result.status in (0x0110, 0xA702)
        assert link.echo().ok
    report = archive.report()
    assert (report.ended, report.failed, len(report.errors)) == ("released", 1, 1)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_long_failed_list(wide_front: Front, syntax: str) -> None:
    """More UIDs than a value of VR UI takes in an explicit VR syntax."""
    sources = [BytesSource(b"ab", CTImageStorage, UID(f"1.2.{10**55 + n}"), ExplicitVRLittleEndian) for n in range(1200)]
    archive = _archive(wide_front, Mover(sources, {"DEST": wide_front.nowhere()}))
    with wide_front.connect(archive, [Context(StudyRootMove, (syntax,)), Verification]) as link:
        result = link.move(QUERY, "DEST")
        assert (int(result.status), result.failed) == (0xA702, 1200)
        assert result.failed_uids == tuple(s.sop_instance_uid for s in sources)
        assert link.echo().ok


def test_more_instances_than_a_counter_counts() -> None:
    front = Memory()
    sources = [instance(1)] * 70_000
    destination = front.serve(Services(sink=Account().sink))
    archive = _archive(front, Mover(sources, {"DEST": destination.address}))
    with front.connect(archive, [StudyRootMove, Verification]) as link:
        result = link.move(QUERY, "DEST", progress=lambda now: False)
        assert result.status == 0xFE00
        assert link.echo().ok


def test_more_instances_than_are_sent(front: Front) -> None:
    """A701H, before anybody is called."""
    mover = Mover([instance(n) for n in range(3)], {"DEST": front.nowhere()})
    archive = front.serve(Services(move=mover.move, where=mover.where), limits=Limits(suboperations=2))
    with front.connect(archive, [StudyRootMove, Verification]) as link:
        result = link.move(QUERY, "DEST")
        assert link.echo().ok
    assert (int(result.status), result.status.comment) == (0xA701, "there are more than 2 instances: ask for fewer")
    assert (result.completed, result.failed) == (0, 0)


def test_over_several_associations(wide_front: Front) -> None:
    """More contexts than one association takes."""
    account = Account()
    destination = wide_front.serve(Services(sink=account.sink), any_storage=True)
    sources = [instance(n, sop_class=f"1.2.3.{n // 2}", transfer_syntax=MPEG4HP41) for n in range(300)]
    archive = _archive(wide_front, Mover(sources, {"DEST": destination.address}))
    result = _move(wide_front, archive)
    assert (int(result.status), result.completed) == (0, 300)
    assert [destination.report().counts["C-STORE"] for _ in range(2)] == [256, 44]
    assert [data for _, data in account.kept] == [s.encoded for s in sources]


def test_a_destination_that_is_not_there_is_called_once(wide_front: Front) -> None:
    """However many associations the instances would need."""
    called: list[str] = []

    async def abort(session: Session) -> None:
        called.append((await session.request()).called)
        await session.abort()

    destination = wide_front.serve(script=abort, greets=False)
    sources = [instance(n, sop_class=f"1.2.3.{n}", transfer_syntax=MPEG4HP41) for n in range(300)]
    archive = _archive(wide_front, Mover(sources, {"DEST": destination.address}))
    result = _move(wide_front, archive)
    assert (int(result.status), result.completed, result.failed, len(result.failed_uids)) == (0xA702, 0, 300, 300)
    assert called == [destination.address.aet]


def test_failed_uids_of_odd_identifiers() -> None:
    assert failed_uids(None) == ()
    assert failed_uids(DataSet(b"\x08\x00", ImplicitVRLittleEndian)) == ()
    assert failed_uids(DataSet(b"\x08\x00\x58\x00\x06\x00\x00\x001.2\\3\0", ImplicitVRLittleEndian)) == ("1.2", "3")


def test_counters_that_are_missing(front: Front) -> None:
    """They are optional in every response."""

    async def script(session: Session) -> None:
        message = await session.receive(expecting=False)
        await session.skip()
        for status in (0xFF00, 0xFF00, 0xB000):
            await respond(session, message.context, message.command, status)
        await session.receive(expecting=False)

    mover = Mover([])
    archive = front.serve(Services(move=mover.move, where=mover.where), script=script)
    seen: list[Progress] = []
    with front.connect(archive, [StudyRootMove]) as link:
        result = link.move(QUERY, "DEST", progress=seen.append)
    assert result == MoveResult(result.status, 0, 0, 0, ())
    assert seen == [Progress(None, None, None, None)] * 2


# C-GET as provider

GET_CONTEXTS: list[Context | str] = [
    Context(StudyRootGet, (ImplicitVRLittleEndian,)),
    Context(CTImageStorage, (ExplicitVRLittleEndian,), scu=False, scp=True),
    Context(MRImageStorage, (ExplicitVRLittleEndian,), scu=True, scp=False),
    Verification,
]


async def _get(
    session: Session, statuses: dict[int, int], *, cancel_at: int | None = None
) -> tuple[list[CommandSet], dict[str, bytes], bytes]:
    """Plays the user of a C-GET: answers the sub-operations, keeps what comes."""
    await session.wire.send([frames(1, request(CommandField.C_GET_RQ, 77), QUERY.encoded)])
    responses: list[CommandSet] = []
    got: dict[str, bytes] = {}
    while True:
        message = await session.receive()
        data = await session.data_set(1 << 30)
        if message.command.command_field == CommandField.C_STORE_RQ:
            if len(got) == cancel_at:
                await session.wire.send([frames(1, cancel(77))])
            got[message.command.affected_sop_instance_uid or ""] = data
            await respond(session, message.context, message.command, statuses.get(len(got), 0))
        else:
            responses.append(message.command)
            if message.command.status != 0xFF00:
                return responses, got, data


def _counts(command: CommandSet) -> tuple[int | None, ...]:
    return (
        command.status,
        command.number_of_remaining_suboperations,
        command.number_of_completed_suboperations,
        command.number_of_failed_suboperations,
        command.number_of_warning_suboperations,
    )


def _getting(front: Front, sources: list[Source]) -> tuple[Served, Link]:
    served = front.serve(Services(get=Mover(sources).move))
    return served, front.connect(served, GET_CONTEXTS)


def test_get(front: Front) -> None:
    sources: list[Source] = [instance(n, 2000 * n) for n in range(1, 4)]
    served, link = _getting(front, sources)
    with link:
        assert [(c.abstract_syntax, c.scu, c.scp) for c in link.accepted][:2] == [
            (StudyRootGet, True, False),
            (CTImageStorage, False, True),
        ]
        assert [r.context.abstract_syntax for r in link.refused] == [MRImageStorage]
        responses, got, data = link.run(_get(link.session, {}))
        assert link.echo().ok
        with pytest.raises(ContextRefused):
            link.store(instance(1))  # this side is the SCP of that context
    assert got == {s.sop_instance_uid: s.encoded for s in sources if hasattr(s, "encoded")}
    assert [_counts(r) for r in responses] == [(0xFF00, 2, 1, 0, 0), (0xFF00, 1, 2, 0, 0), (0, None, 3, 0, 0)]
    assert data == b""
    assert served.report().counts == {"C-GET": 1, "C-ECHO": 1}


def test_get_with_failures(front: Front) -> None:
    """D-27: what has no context with the SCP role fails."""
    sources: list[Source] = [instance(1), instance(2), instance(3), instance(4, sop_class=MRImageStorage)]
    _, link = _getting(front, sources)
    with link:
        responses, got, data = link.run(_get(link.session, {1: 0xA700, 2: 0xB007}))
        assert link.echo().ok
    assert list(got) == [f"1.2.826.0.1.{n}" for n in (1, 2, 3)]
    assert _counts(responses[-1]) == (0xB000, None, 1, 2, 1)
    assert failed_uids(DataSet(data)) == ("1.2.826.0.1.1", "1.2.826.0.1.4")


def test_get_without_storage_contexts(front: Front) -> None:
    """D-27."""
    served = front.serve(Services(get=Mover([instance(1), instance(2)]).move))
    with front.connect(served, [GET_CONTEXTS[0]]) as link:
        responses, got, _ = link.run(_get(link.session, {}))
    assert got == {}
    assert [_counts(r) for r in responses] == [(0xFF00, 1, 0, 1, 0), (0xA702, None, 0, 2, 0)]


def test_get_cancelled(front: Front) -> None:
    _, link = _getting(front, [instance(n) for n in range(5)])
    with link:
        responses, got, _ = link.run(_get(link.session, {}, cancel_at=1))
        assert link.echo().ok
    assert len(got) == 2
    assert _counts(responses[-1]) == (0xFE00, 3, 2, 0, 0)


@pytest.mark.parametrize(
    ("sources", "counts"),
    [
        ([instance(1), Unopenable(), instance(2)], (0xB000, None, 1, 2, 0)),
        ([instance(1), 7], (0x0110, None, None, None, None)),
        ({}, (0x0110, None, None, None, None)),
    ],
    ids=["a source with a bug", "no source", "no sequence"],
)
def test_get_of_what_must_not_be(front: Front, sources: list[Source], counts: tuple[int | None, ...]) -> None:
    """Nothing of it is on the wire yet: the association goes on."""
    served, link = _getting(front, sources)
    with link:
        responses, _, _ = link.run(_get(link.session, {}))
        assert _counts(responses[-1]) == counts
    report = served.report()
    assert (report.ended, report.failed, len(report.errors)) == ("released", int(counts[0] == 0x0110), 1)


def test_get_of_a_source_that_breaks(wide_front: Front) -> None:
    """Half of it is on the wire: the association cannot be kept."""

    class Short:
        sop_class_uid, sop_instance_uid, transfer_syntax, size = (
            CTImageStorage,
            instance(1).sop_instance_uid,
            ExplicitVRLittleEndian,
            1_000_000,
        )

        def open(self) -> object:
            return instance(1, 500_000).open()

    served, link = _getting(wide_front, [Short()])  # type: ignore[list-item]
    with pytest.raises(Aborted):
        link.run(_get(link.session, {}))
    link.abort()
    assert "could not be read to its end" in served.report().ended


def test_answers_to_suboperations_that_break_the_protocol(front: Front) -> None:
    async def script(session: Session) -> None:
        await session.wire.send([frames(1, request(CommandField.C_GET_RQ, 77), QUERY.encoded)])
        message = await session.receive()
        await session.skip()
        await session.send(message.context, CommandSet(CommandField.C_STORE_RSP, message_id_being_responded_to=999, status=0))
        await session.receive()

    served, link = _getting(front, [instance(1)])
    with pytest.raises(Aborted):
        link.run(script(link.session))
    link.abort()
    assert "was not asked for" in served.report().ended


def test_a_get_has_its_association_to_itself(front: Front) -> None:
    """What else a requestor asked for in a window would stand where the answers to the sub-operations are awaited."""
    mover = Mover([instance(1)])
    served = front.serve(Services(get=mover.move))
    with front.connect(served, GET_CONTEXTS, operations=4) as link:
        assert link.session.agreement.operations == 1
    with front.connect(served, [Verification], operations=4) as link:
        assert link.session.agreement.operations == 4
    served = front.serve(Services(move=mover.move, where=mover.where))
    with front.connect(served, GET_CONTEXTS, operations=4) as link:
        assert link.session.agreement.operations == 4
    served = front.serve(Services(get=mover.move), callers=Callers({}, unknown=["echo"]))
    with front.connect(served, GET_CONTEXTS, operations=4) as link:
        assert link.session.agreement.operations == 4


def test_get_that_is_not_offered(front: Front) -> None:
    """A C-GET on a context of C-MOVE: there is no such operation."""
    mover = Mover([instance(1)])
    served = front.serve(Services(get=mover.move, move=mover.move, where=mover.where))

    async def script(session: Session) -> CommandSet:
        command = request(CommandField.C_GET_RQ, 1, affected_sop_class_uid=StudyRootMove)
        await session.wire.send([frames(1, command, QUERY.encoded)])
        return (await answers(session))[0]

    with front.connect(served, [IMPLICIT_MOVE]) as link:
        assert link.run(script(link.session)).status == 0x0211
    assert mover.requests == []


def test_identifier_of_a_move_is_limited(wide_front: Front) -> None:
    mover = Mover([])
    served = wide_front.serve(Services(move=mover.move, where=mover.where), limits=Limits(identifier=10))
    with wide_front.connect(served, [StudyRootMove]) as link:
        result = link.move(QUERY, "DEST")
    assert result.status == 0xA700
    assert mover.requests == []


def test_wrong_answers_to_a_move(front: Front) -> None:
    async def script(session: Session) -> None:
        message = await session.receive(expecting=False)
        await session.skip()
        await session.send(message.context, CommandSet(CommandField.C_MOVE_RSP, message_id_being_responded_to=message.command.message_id))
        await session.receive()

    served = front.serve(Services(move=Mover([]).move, where=Mover([]).where), script=script)
    link = front.connect(served, [StudyRootMove])
    with pytest.raises(ProtocolError, match="no Status"):
        link.move(QUERY, "DEST")
    link.abort()
