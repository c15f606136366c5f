"""Messages as nobody should send them, to a provider: what it answers, what it aborts for, and that it lives on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.association.negotiation import Context
from dimse.data.commands import CommandField, CommandSet
from dimse.data.elements import encode_element
from dimse.data.uids import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    StudyRootFind,
    StudyRootMove,
    Verification,
)
from dimse.errors import Aborted, AssociationError, ConnectionLost, TimedOut, UsageError
from dimse.services.handlers import Request, Services
from dimse.services.scp import Report
from dimse.services.session import PeerReleased, Session

from .drivers import BRISK, Front, Memory, Served
from .samples import QUERY, Account, Matches, Mover, answers, exchange, frames, request, respond

ECHO, STORE, FIND, MOVE = CommandField.C_ECHO_RQ, CommandField.C_STORE_RQ, CommandField.C_FIND_RQ, CommandField.C_MOVE_RQ
CONTEXTS: list[Context | str] = [
    Verification,
    CTImageStorage,
    Context(StudyRootFind, (ImplicitVRLittleEndian,)),
    Context(StudyRootMove, (ImplicitVRLittleEndian,)),
]
ON = {ECHO: 1, STORE: 3, FIND: 5, MOVE: 7}
DATA = b"data set"


@dataclass
class Bench:
    """A provider with all services, and what its handlers were asked for."""

    front: Front
    account: Account
    find: Matches
    mover: Mover
    served: Served

    def run(self, script: Callable[[Session], Coroutine[object, None, object]]) -> object:
        """One association that speaks by the script."""
        link = self.front.connect(self.served, CONTEXTS)
        try:
            return link.run(script(link.session))
        finally:
            link.abort()

    def answer(self, *messages: bytes) -> CommandSet:
        """What is answered first; the association goes on, and a C-ECHO on it is answered."""

        async def script(session: Session) -> CommandSet:
            first = await exchange(session, *messages)
            echo = await exchange(session, frames(1, request(ECHO, 999)))
            while echo.message_id_being_responded_to == first.message_id_being_responded_to:
                echo, _ = await answers(session)  # of a query, which has more than one
            assert (echo.status, echo.message_id_being_responded_to) == (0, 999)
            return first

        answer = self.run(script)
        assert isinstance(answer, CommandSet)
        return answer

    def aborted(self, *pieces: bytes) -> tuple[Aborted, Report]:
        """How the association is aborted for these bytes."""

        async def script(session: Session) -> None:
            for piece in pieces:
                await session.wire.send([piece])
            while True:
                await session.receive()
                await session.skip()

        with pytest.raises(Aborted) as caught:
            self.run(script)
        assert caught.value.by_peer
        return caught.value, self.served.report()

    @property
    def untouched(self) -> bool:
        """Whether no handler ran."""
        return (self.account.calls, self.find.requests, self.mover.requests) == ([], [], [])


def _bench(front: Front, *, timeouts: Timeouts = BRISK, limits: Limits = Limits()) -> Bench:
    account, find, mover = Account(), Matches(1), Mover([])
    services = Services(sink=account.sink, find=find, move=mover.move, where=mover.where)
    return Bench(front, account, find, mover, front.serve(services, timeouts=timeouts, limits=limits))


@pytest.fixture
def bench(front: Front) -> Bench:
    return _bench(front)


@pytest.fixture
def wide_bench(wide_front: Front) -> Bench:
    return _bench(wide_front)


def _element(number: int, value: bytes) -> bytes:
    return encode_element(number, "UN", value, ImplicitVRLittleEndian)


def _us(number: int, value: int) -> bytes:
    return _element(number, value.to_bytes(2, "little"))


# What cannot be read: the association ends


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xff" * 50,
        b"",
        b"\0\0",
        encode_element(0x0100, "US", b"\x30\0", ExplicitVRLittleEndian) * 3,
        request(ECHO).encode() + _element(0x00080018, b"1.2 "),
        request(ECHO).encode()[12:].replace(_us(0x0110, 1), _element(0x0110, b"abc\0")[:-1].replace(b"\x04", b"\x03")),
        request(ECHO).encode() + _us(0x0110, 1),
        _us(0x0110, 1) + _us(0x0800, 0x0101),
        request(ECHO).encode()[:-1],
    ],
    ids=["FF", "nothing", "two bytes", "explicit VR", "group 0008", "three byte id", "an element twice", "no field", "cut off"],
)
def test_command_sets_that_cannot_be_read(bench: Bench, encoded: bytes) -> None:
    """D-13, D-14."""
    _, report = bench.aborted(frames(1, encoded))
    assert "a command set cannot be read" in report.ended
    assert report.counts == {}
    assert bench.untouched


def test_wrong_group_length(bench: Bench) -> None:
    """D-16: the actual length counts."""
    encoded = request(ECHO).encode()
    assert bench.answer(frames(1, encoded[:8] + b"\x09\0\0\0" + encoded[12:])).status == 0
    assert bench.answer(frames(1, encoded[12:])).status == 0


def test_reserved_bits_of_the_control_header(bench: Bench) -> None:
    """D-10."""
    framed = frames(1, request(ECHO))
    assert framed[11] == 0x03
    assert bench.answer(framed[:11] + b"\xff" + framed[12:]).status == 0


def test_command_set_without_end(wide_bench: Bench) -> None:
    """D-04: aborted at the limit."""
    fragment = pdu.PDataTF((pdu.PDV(1, True, False, b"\0" * 16000),)).encode()
    _, report = wide_bench.aborted(*[fragment] * 5)
    assert "a command set is longer than 65536 bytes" in report.ended
    assert report.bytes_received == 0


def test_command_set_limit(wide_front: Front) -> None:
    bench = _bench(wide_front, limits=Limits(command_set=1000))
    padded = request(ECHO).encode() + _element(0x5000, b"x" * 500)
    assert bench.answer(frames(1, padded)).status == 0
    bench.aborted(frames(1, padded + _element(0x5010, b"x" * 500)))


@pytest.mark.parametrize("context_id", [99, 2, 9])
def test_context_that_was_not_accepted(front: Front, context_id: int) -> None:
    """D-09: never proposed, or refused."""
    served = front.serve(Services())
    link = front.connect(served, [Verification, "1.2.3", "1.2.4", "1.2.5", "1.2.6"])

    async def script(session: Session) -> None:
        await session.wire.send([frames(context_id, request(ECHO))])
        await session.receive()

    with pytest.raises(Aborted) as caught:
        link.run(script(link.session))
    assert (caught.value.source, caught.value.reason) == (2, 6)
    link.abort()
    report = served.report()
    assert "which was not accepted" in report.ended
    assert report.counts == {}


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([pdu.frames(3, False, DATA, 16384)], "a data set came without its command set"),
        ([frames(3, request(STORE)), pdu.frames(1, False, DATA, 16384)], "interrupted"),
        ([frames(3, request(STORE)), pdu.PDataTF((pdu.PDV(3, False, False, DATA),)).encode(), frames(1, request(ECHO))], "interrupted"),
        ([frames(3, request(STORE)), frames(3, request(STORE), DATA)], "interrupted"),
        (
            [pdu.PDataTF((pdu.PDV(1, True, False, request(ECHO).encode()[:20]),)).encode(), frames(3, request(STORE))],
            "changes its presentation context",
        ),
        ([pdu.PDataTF((pdu.PDV(1, True, False, b"ab"), pdu.PDV(1, False, False, b"ab"))).encode()], "without its command set"),
        ([frames(1, request(ECHO), DATA)], "a data set came without its command set"),
    ],
    ids=["no command", "another context", "a command in between", "a second command", "command changes", "data in a command", "surplus"],
)
def test_messages_out_of_order(bench: Bench, pieces: list[bytes], told: str) -> None:
    """D-12: aborted, and what is partial is discarded."""
    _, report = bench.aborted(*pieces)
    assert told in report.ended
    assert bench.account.kept == []
    assert "finish" not in bench.account.calls
    assert bench.account.calls.count("discard") == bench.account.calls.count("open")


@pytest.mark.parametrize(
    "command",
    [
        request(ECHO, 1).response(0),
        CommandSet(0x8FFF, message_id=1, command_data_set_type=0x0101, status=0),
        CommandSet(CommandField.C_STORE_RSP, message_id_being_responded_to=1, command_data_set_type=0x0101),
    ],
)
def test_unsolicited_responses(bench: Bench, command: CommandSet) -> None:
    """D-15."""
    _, report = bench.aborted(frames(1, command))
    assert "answers nothing that was asked" in report.ended


@pytest.mark.parametrize("field", [ECHO, STORE, FIND])
def test_no_message_id(bench: Bench, field: CommandField) -> None:
    """D-14: nothing could be answered."""
    _, report = bench.aborted(frames(ON[field], request(field, message_id=None), None if field == ECHO else DATA))  # type: ignore[arg-type]
    assert "no Message ID" in report.ended
    assert bench.untouched


# What can be answered: the association goes on


@pytest.mark.parametrize("field", [0x1234, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150, 0x0002, 0x0000])
@pytest.mark.parametrize("data", [None, DATA])
def test_unknown_operations(bench: Bench, field: int, data: bytes | None) -> None:
    """D-15, and the N services, which are not provided: 0211H."""
    command = CommandSet(field, requested_sop_class_uid="1.2.3", message_id=5, command_data_set_type=0x0101 if data is None else 1)
    answer = bench.answer(frames(1, command, data))
    assert (answer.status, answer.command_field, answer.message_id_being_responded_to) == (0x0211, field | 0x8000, 5)
    assert answer.affected_sop_class_uid == "1.2.3"
    assert bench.untouched


@pytest.mark.parametrize(
    ("field", "missing"),
    [
        (ECHO, "affected_sop_class_uid"),
        (ECHO, "command_data_set_type"),
        (STORE, "affected_sop_class_uid"),
        (STORE, "affected_sop_instance_uid"),
        (STORE, "priority"),
        (FIND, "affected_sop_class_uid"),
        (MOVE, "move_destination"),
        (MOVE, "priority"),
    ],
)
def test_missing_fields(bench: Bench, field: CommandField, missing: str) -> None:
    """D-14: 0212H."""
    answer = bench.answer(frames(ON[field], request(field, **{missing: None}), None if field == ECHO else DATA))  # type: ignore[arg-type]
    assert (answer.status, answer.error_comment) == (0x0212, f"missing in the command set: {missing}")
    assert bench.untouched


@pytest.mark.parametrize("field", [STORE, FIND, MOVE])
def test_no_data_set(bench: Bench, field: CommandField) -> None:
    """D-17: nothing is waited for."""
    assert bench.answer(frames(ON[field], request(field, command_data_set_type=0x0101))).status == 0x0212
    assert bench.untouched


def test_echo_with_a_data_set(bench: Bench) -> None:
    assert bench.answer(frames(1, request(ECHO, command_data_set_type=0), DATA)).status == 0x0212


def test_echo_that_announces_a_data_set_and_has_none(wide_front: Front) -> None:
    """D-17: the wait for the rest of a message."""
    served = wide_front.serve(timeouts=Timeouts(response=0.05, linger=0.05))
    link = wide_front.connect(served, [Verification])

    async def script(session: Session) -> None:
        await exchange(session, frames(1, request(ECHO, command_data_set_type=0)))

    with pytest.raises(Aborted):
        link.run(script(link.session))
    link.abort()
    assert "the wait 'response' passed" in served.report().ended


def test_flags_of_a_data_set(bench: Bench) -> None:
    """Every value but 0101H says that there is one (PS3.7 E.1)."""
    for flag in (0, 1, 0x0102, 0xFEFE, 0x0100):
        answer = bench.answer(frames(3, request(STORE, command_data_set_type=flag), DATA))
        assert answer.status == 0
    assert [data for _, data in bench.account.kept] == [DATA] * 5


@pytest.mark.parametrize("field", [ECHO, STORE, FIND, MOVE])
def test_wrong_sop_class(bench: Bench, field: CommandField) -> None:
    """D-18: 0122H, nothing is filed."""
    command = request(field, affected_sop_class_uid=MRImageStorage)
    assert bench.answer(frames(ON[field], command, None if field == ECHO else DATA)).status == 0x0122
    assert bench.untouched


@pytest.mark.parametrize("field", [ECHO, STORE, FIND, MOVE])
@pytest.mark.parametrize("on", [1, 3, 5, 7])
def test_operation_that_the_sop_class_has_not(bench: Bench, field: CommandField, on: int) -> None:
    """A query on a storage class, a store on Verification: the class negotiated tells what may be asked."""
    uid = {1: Verification, 3: CTImageStorage, 5: StudyRootFind, 7: StudyRootMove}[on]
    answer = bench.answer(frames(on, request(field, affected_sop_class_uid=uid), None if field == ECHO else QUERY.encoded))
    if on == ON[field]:
        assert answer.status in (0, 0xFF00, 0xA801)
    else:
        assert answer.status == 0x0211
        assert bench.untouched


def test_store_without_the_role(front: Front) -> None:
    """This requestor negotiated to be the SCP only: it may not store."""
    account = Account()
    served = front.serve(Services(sink=account.sink, get=Mover([]).move))
    with front.connect(served, [Context(CTImageStorage, (ImplicitVRLittleEndian,), scu=False, scp=True)]) as link:
        assert [(c.scu, c.scp) for c in link.accepted] == [(False, True)]
        assert link.run(exchange(link.session, frames(1, request(STORE), DATA))).status == 0x0211
    assert account.calls == []


def test_several_messages_in_one_piece(bench: Bench) -> None:
    async def script(session: Session) -> list[int | None]:
        pieces = [frames(3, request(STORE, n), DATA) + frames(1, request(ECHO, n + 100)) for n in range(20)]
        await session.wire.send([b"".join(pieces)])
        return [(await answers(session))[0].message_id_being_responded_to for _ in range(40)]

    assert bench.run(script) == [n + k for n in range(20) for k in (0, 100)]
    assert len(bench.account.kept) == 20


def test_command_and_data_set_in_one_pdu(bench: Bench) -> None:
    pdvs = (pdu.PDV(3, True, True, request(STORE).encode()), pdu.PDV(3, False, False, DATA), pdu.PDV(3, False, True, b""))
    assert bench.answer(pdu.PDataTF(pdvs).encode()).status == 0
    assert [data for _, data in bench.account.kept] == [DATA]


# Ends in the middle

PARTIAL = frames(3, request(STORE)) + pdu.PDataTF((pdu.PDV(3, False, False, DATA),)).encode()


@pytest.mark.parametrize("command_only", [True, False])
def test_release_in_the_middle(bench: Bench, command_only: bool) -> None:
    """R-01: the release is confirmed, the partial instance is discarded."""

    async def script(session: Session) -> None:
        await session.wire.send([frames(3, request(STORE)) if command_only else PARTIAL])
        await session.release()

    bench.run(script)
    assert bench.served.report().ended == "released"
    assert [c for c in bench.account.calls if c != "write"] == ["open", "discard"]


MID_PDU = PARTIAL + bytes.fromhex("04 00 00 00 01 00 00 00")


@pytest.mark.parametrize(
    ("how", "piece"),
    [
        ("abort", PARTIAL),
        ("close", PARTIAL),
        ("abort", frames(3, request(STORE))),
        ("close", frames(3, request(STORE))),
        ("close", MID_PDU),
    ],
    ids=["abort in data", "close in data", "abort behind the command", "close behind the command", "close in a PDU"],
)
def test_lost_in_the_middle(bench: Bench, how: str, piece: bytes) -> None:
    """R-02."""

    async def script(session: Session) -> None:
        await session.wire.send([piece])
        await (session.abort() if how == "abort" else session.wire.close())

    bench.run(script)
    ended = bench.served.report().ended
    assert ended.startswith("the peer aborted" if how == "abort" else "the connection closed")
    assert [c for c in bench.account.calls if c != "write"] == ["open", "discard"]


@pytest.mark.parametrize("how", ["release", "abort", "close"])
def test_lost_before_anything(bench: Bench, how: str) -> None:
    async def script(session: Session) -> None:
        await (session.release() if how == "release" else session.abort() if how == "abort" else session.wire.close())

    bench.run(script)
    report = bench.served.report()
    assert report.counts == {}
    assert report.ended


def test_silence(wide_front: Front) -> None:
    served = wide_front.serve(timeouts=Timeouts(idle=0.05, linger=0.05))
    link = wide_front.connect(served, [Verification])
    with pytest.raises(Aborted):
        link.run(link.session.receive(expecting=False))
    link.abort()
    assert "the wait 'idle' passed" in served.report().ended


def test_half_a_pdu(wide_front: Front) -> None:
    served = wide_front.serve(Services(sink=Account().sink), timeouts=Timeouts(pdu=0.05, linger=0.05))
    link = wide_front.connect(served, [CTImageStorage])

    async def script(session: Session) -> None:
        await session.wire.send([frames(1, request(STORE)) + b"\x04\0\0\0\x01\0\0\0"])
        await session.receive()

    with pytest.raises(Aborted):
        link.run(script(link.session))
    link.abort()
    assert "the wait 'pdu' passed" in served.report().ended


# The session's own rules


def test_waits_of_the_user(wide_front: Front) -> None:
    """U-01, and a response that does not come."""

    async def silent(session: Session) -> None:
        while not session.layer.closed:
            await session.wire.pump()

    timeouts = Timeouts(associate=0.05, response=0.05, release=0.05, linger=0.05)
    with pytest.raises(TimedOut, match="associate") as caught:
        wide_front.connect(wide_front.serve(script=silent, greets=False), [Verification], timeouts=timeouts)
    assert (caught.value.wait, caught.value.seconds) == ("associate", 0.05)
    link = wide_front.connect(wide_front.serve(script=silent), [Verification], timeouts=timeouts)
    with pytest.raises(TimedOut, match="response"):
        link.echo()
    assert not link.session.alive
    link.abort()
    link = wide_front.connect(wide_front.serve(script=silent), [Verification], timeouts=timeouts)
    with pytest.raises(TimedOut, match="release"):
        link.release()


@pytest.mark.parametrize("echo", [False, True])
def test_peer_releases(front: Front, echo: bool) -> None:
    """A provider may ask for the release; the user that awaits a response is told, and the release is confirmed."""

    async def script(session: Session) -> None:
        if echo:
            await session.receive()
        session.layer.release()
        await session.wire.send(())
        while not session.layer.closed:
            await session.wire.pump()
        assert session.layer.state == 1

    served = front.serve(script=script)
    link = front.connect(served, [Verification])
    with pytest.raises((PeerReleased, ConnectionLost)):
        link.echo()
    link.abort()
    served.report()


def test_both_release(front: Front) -> None:
    """The collision of PS3.8 7.2.2."""

    async def script(session: Session) -> None:
        await session.release()

    served = front.serve(script=script)
    link = front.connect(served, [Verification])
    link.release()
    served.report()


def test_data_of_the_peer_while_releasing(front: Front) -> None:
    """Data may come until the release is confirmed (AR-6): they are dropped."""

    async def script(session: Session) -> None:
        message = await session.receive()
        await respond(session, message.context, message.command)
        await session.wire.send([frames(1, request(ECHO))] * 3)
        await session.receive()

    served = front.serve(script=script)
    link = front.connect(served, [Verification])
    assert link.echo().ok
    link.release()
    assert served.report().ended


def test_what_the_session_refuses(front: Front) -> None:
    served = front.serve(Services(find=Matches(1)))

    async def script(session: Session) -> None:
        await session.wire.send([frames(1, request(FIND), QUERY.encoded)])
        await session.receive()
        with pytest.raises(UsageError, match="has not been read"):
            await session.receive()
        await session.skip()
        await session.skip()  # nothing left

    with front.connect(served, [Context(StudyRootFind, (ImplicitVRLittleEndian,))]) as link:
        link.run(script(link.session))
        assert [link.session.next_id() for _ in range(0x10000)][-2:] == [0xFFFF, 1]
    fresh = Session(link.session.wire)
    assert fresh.agreement is link.session.agreement


def test_handlers_see_what_was_sent(front: Front) -> None:
    seen: list[Request] = []
    account = Account()

    def sink(request: Request) -> object:
        seen.append(request)
        return account.sink(request)

    served = front.serve(Services(sink=sink))  # type: ignore[arg-type]  # an AccountSink is a Sink
    with front.connect(served, [CTImageStorage], called="CALLED", calling="CALLING") as link:
        link.run(exchange(link.session, frames(1, request(STORE, 42, others=((0x5000, b"x "),), priority=2), DATA)))
    assert (seen[0].command.message_id, seen[0].command.priority, seen[0].command.others) == (42, 2, ((0x5000, b"x "),))
    assert (seen[0].peer.called, seen[0].peer.calling) == ("CALLED", "CALLING")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_bytes(data: st.DataObject) -> None:
    """Whatever comes behind the negotiation: the provider answers or the association ends, and nothing else happens."""
    front = Memory(data.draw(st.integers(1, 300)))
    bench = _bench(front, timeouts=Timeouts(linger=0.0))
    sound = [frames(1, request(ECHO)), frames(3, request(STORE), DATA), frames(5, request(FIND), QUERY.encoded), PARTIAL]
    pieces = [bytearray(data.draw(st.sampled_from(sound))) for _ in range(data.draw(st.integers(1, 4)))]
    for piece in pieces:
        for _ in range(data.draw(st.integers(0, 3))):
            piece[data.draw(st.integers(0, len(piece) - 1))] = data.draw(st.integers(0, 255))

    async def script(session: Session) -> None:
        await session.wire.send([b"".join(pieces)])
        while True:
            await session.receive()
            await session.skip()

    with pytest.raises(AssociationError):
        bench.run(script)
    assert bench.served.report().ended
    calls = bench.account.calls
    assert calls.count("open") == calls.count("finish") + calls.count("discard")


def test_whole_store_that_is_interrupted(front: Front) -> None:
    seen: list[object] = []
    served = front.serve(Services(store=lambda request, data: seen.append(data)))
    link = front.connect(served, [Verification, CTImageStorage])

    async def script(session: Session) -> None:
        await session.wire.send([PARTIAL])
        await session.abort()

    link.run(script(link.session))
    assert served.report().ended.startswith("the peer aborted")
    assert seen == []
