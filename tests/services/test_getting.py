"""C-GET as user: what comes goes into the sink, whatever the provider does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import pdu
from dimse.association.config import Limits
from dimse.association.negotiation import Context
from dimse.data.commands import CommandField, CommandSet
from dimse.data.datasets import query
from dimse.data.protocols import Source
from dimse.data.sources import BytesSource
from dimse.data.uids import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
    PatientRootGet,
    PatientStudyOnlyGet,
    StudyRootGet,
    Verification,
)
from dimse.errors import Aborted, ContextRefused, ProtocolError, Refused, UsageError
from dimse.services import conversion, scu
from dimse.services.getting import MAX_TOLD, GetResult
from dimse.services.handlers import Request, Services
from dimse.services.plan import contexts_for_get
from dimse.services.scu import Progress
from dimse.services.session import Session
from dimse.services.sinks import FolderSink

from .drivers import Front, Link, Script, Served
from .samples import QUERY, Account, Mover, frames, instance, real_instance, request

CT = Context(CTImageStorage, (ExplicitVRLittleEndian,), scu=False, scp=True)
CONTEXTS: list[Context | str] = [Context(StudyRootGet, (ImplicitVRLittleEndian,)), CT, Verification]


def _getting(front: Front, sources: Sequence[Source], contexts: Sequence[Context | str] = CONTEXTS) -> tuple[Served, Link]:
    served = front.serve(Services(get=Mover(sources).move))
    return served, front.connect(served, contexts, calling="VIEWER", called="ARCHIVE")


def _scripted(front: Front, script: Script, limits: Limits | None = None) -> Link:
    """A provider that plays a script when the negotiation is over."""
    served = front.serve(Services(get=Mover([]).move, sink=Account().sink), script=script)
    return front.connect(served, [*CONTEXTS, Context(MRImageStorage, (ExplicitVRLittleEndian,))], limits=limits or Limits())


async def _asked(session: Session) -> Callable[[int], CommandSet]:
    """The provider's part: takes the C-GET-RQ. What it returns makes the responses."""
    message = await session.receive(expecting=False)
    assert message.command.command_field == CommandField.C_GET_RQ
    await session.skip()
    return message.command.response


def _store(number: int, message_id: int | None = 1, **fields: object) -> CommandSet:
    uid = instance(number).sop_instance_uid
    return request(CommandField.C_STORE_RQ, **{"message_id": message_id, "affected_sop_instance_uid": uid, **fields})  # type: ignore[arg-type]  # fields of a table


async def _status(session: Session, *messages: bytes) -> int | None:
    await session.wire.send([b"".join(messages)])
    answer = (await session.receive()).command
    assert answer.command_field == CommandField.C_STORE_RSP
    return answer.status


def test_all_come(front: Front) -> None:
    account, sources = Account(), [instance(n, 3000 * n) for n in range(1, 5)]
    served, link = _getting(front, sources)
    seen: list[Progress] = []
    with link:
        result = link.get(QUERY, account.sink, progress=seen.append)
        assert link.echo().ok
    assert result == GetResult(result.status, 4, 0, 0, (), 4, ())
    assert (int(result.status), result.status.service) == (0, "C-GET")
    assert seen == [Progress(4 - n, n, 0, 0) for n in range(1, 4)]
    assert [data for _, data in account.kept] == [s.encoded for s in sources]
    asked = account.kept[0][0]
    assert (asked.peer.calling, asked.peer.called, asked.peer.address) == ("ARCHIVE", "VIEWER", link.session.wire.address)
    assert (asked.command.message_id, asked.context.transfer_syntax) == (1, ExplicitVRLittleEndian)  # the C-GET-RQ has message id 1 too
    assert served.report().counts == {"C-GET": 1, "C-ECHO": 1}


@pytest.mark.parametrize("model", [StudyRootGet, PatientRootGet, PatientStudyOnlyGet])
def test_models(front: Front, model: UID) -> None:
    mover = Mover([])
    with front.connect(front.serve(Services(get=mover.move)), [model, CT]) as link:
        assert link.get(QUERY, Account().sink).status == 0
        assert link.get(QUERY, Account().sink, model).completed == 0
        with pytest.raises(ContextRefused):
            link.get(QUERY, Account().sink, UID("1.2.3"))
    assert [r.context.abstract_syntax for r in mover.requests] == [model, model]
    assert mover.requests[0].identifier == QUERY.encoded_as(ExplicitVRLittleEndian)


def test_a_sink_that_refuses(front: Front) -> None:
    account = Account()

    def sink(request: Request) -> object:
        number = int((request.command.affected_sop_instance_uid or "").rsplit(".", 1)[1])
        if number == 2:
            raise Refused(0xA900, "not that one")
        account.status = 0xB007 if number == 3 else None
        return account.sink(request)

    _, link = _getting(front, [instance(n) for n in range(1, 5)])
    with link:
        result = link.get(QUERY, sink)  # type: ignore[arg-type]  # an AccountSink is a Sink
        assert link.echo().ok
    assert (int(result.status), result.completed, result.failed, result.warning, result.kept) == (0xB000, 2, 1, 1, 3)
    assert result.failed_uids == (instance(2).sop_instance_uid,)
    assert [(uid, int(status), status.comment) for uid, status in result.refused] == [
        (instance(2).sop_instance_uid, 0xA900, "not that one")
    ]


@pytest.mark.parametrize("place", ["fail_open", "fail_write", "fail_finish"])
def test_a_sink_with_a_mistake(wide_front: Front, place: str) -> None:
    """What it raises is the caller's; the rest is refused unseen until the provider has seen the C-CANCEL."""
    account = Account(**{place: LookupError("bug")})  # type: ignore[arg-type]  # a field of the table
    _, link = _getting(wide_front, [instance(n) for n in range(100)])
    with link:
        with pytest.raises(LookupError, match="bug"):
            link.get(QUERY, account.sink, progress=lambda now: pytest.fail("told of a retrieval that has failed"))
        assert link.echo().ok
    assert account.calls.count("open") == 1
    assert account.kept == []


def test_no_sink(front: Front, tmp_path: Path) -> None:
    _, link = _getting(front, [])
    with link, pytest.raises(UsageError, match="FolderSink opens no sink"):
        link.get(QUERY, FolderSink(tmp_path))  # type: ignore[arg-type]  # the mistake that comes to mind


def test_cancel_by_progress(wide_front: Front) -> None:
    account = Account()
    _, link = _getting(wide_front, [instance(n) for n in range(2000)])
    with link:
        result = link.get(QUERY, account.sink, progress=lambda now: (now.completed or 0) < 3)
        assert link.echo().ok
    assert result.status == 0xFE00
    assert 3 <= result.completed < 2000
    assert result.completed == result.kept == len(account.kept)


def test_progress_that_raises(wide_front: Front) -> None:
    def progress(now: Progress) -> None:
        raise LookupError

    _, link = _getting(wide_front, [instance(n) for n in range(100)])
    with link:
        with pytest.raises(LookupError):
            link.get(QUERY, Account().sink, progress=progress)
        assert link.echo().ok


def test_what_was_not_proposed_fails(front: Front) -> None:
    """D-27."""
    _, link = _getting(front, [instance(1), instance(2, sop_class=MRImageStorage)])
    with link:
        result = link.get(QUERY, Account().sink)
    assert (int(result.status), result.completed, result.failed, result.kept) == (0xB000, 1, 1, 1)
    assert result.failed_uids == (instance(2).sop_instance_uid,)
    assert "MR Image Storage" in result.status.comment


@pytest.mark.parametrize("uid", ["../../x", "/etc/cron.d/x", "1.2." + "3" * 64, "1.2\x00.3"])
def test_instance_uids_that_are_none(front: Front, uid: str, tmp_path: Path) -> None:
    """U-06."""
    folder = tmp_path / "here" / "in"

    async def script(session: Session) -> None:
        response = await _asked(session)
        assert await _status(session, frames(3, _store(1, affected_sop_instance_uid=uid), b"ab" * 50)) == 0x0117
        await session.send(session.agreement.contexts[1], response(0xB000))
        await session.receive(expecting=False)

    link = _scripted(front, script)
    with link:
        account = Account()
        result = link.get(QUERY, account.sink)
        assert (result.kept, [int(status) for _, status in result.refused]) == (0, [0x0117])
        assert account.calls == []
    FolderSink(folder)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (frames(7, _store(1, affected_sop_class_uid=MRImageStorage), b"ab"), 0x0122),
        (frames(3, _store(1, affected_sop_class_uid=MRImageStorage), b"ab"), 0x0122),
        (frames(3, _store(1, command_data_set_type=0x0101)), 0x0212),
        (frames(3, _store(1, affected_sop_instance_uid=None), b"ab"), 0x0212),
        (frames(3, _store(1), b"ab" * 6), 0xA700),
    ],
    ids=["U-06/no SCP role", "another SOP class", "no data set", "no instance UID", "too long"],
)
def test_stores_that_are_refused(front: Front, message: bytes, status: int) -> None:
    async def script(session: Session) -> None:
        response = await _asked(session)
        assert await _status(session, message) == status
        assert await _status(session, frames(3, _store(2), b"cd")) == 0
        await session.send(session.agreement.contexts[1], response(0xB000))
        await session.receive(expecting=False)

    account = Account()
    with _scripted(front, script, Limits(data_set=10)) as link:
        result = link.get(QUERY, account.sink)
    assert [data for _, data in account.kept] == [b"cd"]
    assert (result.kept, [int(refused) for _, refused in result.refused]) == (1, [status])


def test_only_so_many_are_told(wide_front: Front) -> None:
    async def script(session: Session) -> None:
        response = await _asked(session)
        for _ in range(MAX_TOLD + 5):
            assert await _status(session, frames(3, _store(1, affected_sop_instance_uid="x"), b"ab")) == 0x0117
        await session.send(session.agreement.contexts[1], response(0xA702))
        await session.receive(expecting=False)

    with _scripted(wide_front, script) as link:
        assert len(link.get(QUERY, Account().sink).refused) == MAX_TOLD


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (frames(3, _store(1, None), b"ab"), "no Message ID"),
        (frames(5, request(CommandField.C_ECHO_RQ, affected_sop_class_uid=Verification)), "was not asked for"),
        (frames(1, CommandSet(CommandField.C_GET_RSP, message_id_being_responded_to=1)), "no Status"),
        (frames(1, CommandSet(CommandField.C_GET_RSP, message_id_being_responded_to=2, status=0)), "was not asked for"),
    ],
)
def test_what_breaks_the_protocol(front: Front, message: bytes, what: str) -> None:
    async def script(session: Session) -> None:
        await _asked(session)
        await session.wire.send([message])
        await session.receive(expecting=False)

    link = _scripted(front, script)
    with pytest.raises(ProtocolError, match=what):
        link.get(QUERY, Account().sink)
    link.abort()


def test_a_store_behind_the_final_response(front: Front) -> None:
    """A C-STORE-RQ outside of a C-GET is none that this side serves."""

    async def script(session: Session) -> None:
        response = await _asked(session)
        await session.send(session.agreement.contexts[1], response(0))
        await session.wire.send([frames(3, _store(1), b"ab")])
        await session.receive(expecting=False)

    account = Account()
    link = _scripted(front, script)
    assert link.get(QUERY, account.sink).status == 0
    with pytest.raises(ProtocolError, match="C-STORE-RQ"):
        link.echo()
    link.abort()
    assert account.calls == []


@pytest.mark.parametrize(("error", "calls"), [(None, ["open", "discard"]), (Refused(0xA700, "full"), ["open"])])
def test_a_provider_that_dies_in_a_data_set(front: Front, error: Exception | None, calls: list[str]) -> None:
    async def script(session: Session) -> None:
        await _asked(session)
        half = pdu.PDataTF((pdu.PDV(3, False, False, b"ab" * 100),)).encode()
        await session.wire.send([frames(3, _store(1)) + half])
        await session.abort()

    account = Account(fail_open=error)
    link = _scripted(front, script)
    with pytest.raises(Aborted):
        link.get(QUERY, account.sink)
    link.abort()
    assert account.kept == []
    assert [call for call in account.calls if call != "write"] == calls  # the end may come with the half


def test_stores_without_end(wide_front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that goes on behind a C-CANCEL is aborted in the end."""
    monkeypatch.setattr(scu, "MAX_RESPONSES_BEHIND_CANCEL", 20)

    async def script(session: Session) -> None:
        response = await _asked(session)
        await session.send(session.agreement.contexts[1], response(0xFF00))
        while True:
            await session.wire.send([frames(3, _store(1), b"ab")])
            await session.receive(expecting=False)

    account = Account()
    link = _scripted(wide_front, script)
    with pytest.raises(ProtocolError, match="without end"):
        link.get(QUERY, account.sink, progress=lambda now: False)
    link.abort()
    assert 20 <= len(account.kept) <= 22


def test_what_is_stored_otherwise_is_converted(wide_front: Front) -> None:
    """The provider converts to what the user proposed."""
    stored = [real_instance(1, ImplicitVRLittleEndian), real_instance(2), real_instance(3, JPEGBaseline8Bit)]
    account = Account()
    _, link = _getting(wide_front, stored, [StudyRootGet, *contexts_for_get([CTImageStorage], models=[])])
    with link:
        result = link.get(query("STUDY", StudyInstanceUID="1.2"), account.sink)
    assert result.status == 0
    assert {r.context.transfer_syntax for r, _ in account.kept} == {ExplicitVRLittleEndian}
    assert [data for _, data in account.kept] == [_explicit(source) for source in stored]


def _explicit(source: BytesSource) -> bytes:
    return real_instance(int(source.sop_instance_uid.rsplit(".", 1)[1])).encoded


@pytest.mark.parametrize(
    ("codecs", "proposed", "wanted"),
    [
        ((), (JPEGBaseline8Bit, ExplicitVRLittleEndian, ImplicitVRLittleEndian), ExplicitVRLittleEndian),
        ((), (JPEGBaseline8Bit, ImplicitVRLittleEndian, ExplicitVRLittleEndian), ImplicitVRLittleEndian),
        ((), (JPEGBaseline8Bit,), JPEGBaseline8Bit),
        (("no_such_codec",), (JPEGBaseline8Bit, ExplicitVRLittleEndian), JPEGBaseline8Bit),
    ],
)
def test_the_syntax_in_which_all_can_come(
    front: Front, monkeypatch: pytest.MonkeyPatch, codecs: tuple[str, ...], proposed: tuple[UID, ...], wanted: UID
) -> None:
    """What a requestor would rather have counts where it sends; what comes back is not known yet, and nothing is compressed."""
    monkeypatch.setattr(conversion, "CODECS", codecs)
    served = front.serve(Services(get=Mover([real_instance(1)]).move, sink=Account().sink))
    returned = Context(CTImageStorage, proposed, scu=False, scp=True)
    with front.connect(served, [StudyRootGet, returned, Context(MRImageStorage, proposed)]) as link:
        assert [context.transfer_syntax for context in link.accepted[1:]] == [wanted, proposed[0]]
        assert link.get(QUERY, Account().sink).completed == (wanted != JPEGBaseline8Bit)


def test_what_is_stored_comes_as_it_is(wide_front: Front) -> None:
    stored = [real_instance(1, ImplicitVRLittleEndian), real_instance(2), instance(3, transfer_syntax=JPEGBaseline8Bit)]
    account = Account()
    _, link = _getting(wide_front, stored, contexts_for_get(as_stored=True))
    with link:
        assert link.get(QUERY, account.sink).status == 0
    assert [(r.context.transfer_syntax, data) for r, data in account.kept] == [(s.transfer_syntax, s.encoded) for s in stored]
