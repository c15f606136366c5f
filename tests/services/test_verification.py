"""C-ECHO, and what is negotiated, refused, counted and reported around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import pdu
from dimse.association.config import Limits
from dimse.association.negotiation import Context
from dimse.data.uids import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    CTImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    PatientRootFind,
    PatientRootMove,
    StudyRootFind,
    StudyRootGet,
    StudyRootMove,
    Verification,
)
from dimse.errors import Aborted, ContextRefused, Refused, Rejected, Unreachable, UsageError
from dimse.services.handlers import Address, Request, Services

from .drivers import Front
from .samples import Account, Matches, Mover


def test_echo(front: Front) -> None:
    seen: list[Request] = []
    served = front.serve(Services(echo=seen.append))
    with front.connect(served, [Verification], called="SCP", calling="SCU") as link:
        assert [link.echo() for _ in range(3)] == [0, 0, 0]
        assert link.echo().service == "C-ECHO"
    report = served.report()
    assert report.counts == {"C-ECHO": 4}
    assert report.failed == 0
    assert report.ended == "released"
    assert (report.peer.called, report.peer.calling) == ("SCP", "SCU")
    assert [r.command.message_id for r in seen] == [1, 2, 3, 4]
    assert seen[0].peer == report.peer
    assert seen[0].context.abstract_syntax == Verification


@pytest.mark.parametrize(
    ("error", "status", "comment"),
    [
        (Refused(0x0124, "not you"), 0x0124, "not you"),
        (Refused(0x0124, "not you \\ \n ü" + "x" * 70), 0x0124, "not you ? ? ?" + "x" * 51),
        (ValueError("secret"), 0x0110, "processing failure: ValueError"),
    ],
)
def test_echo_handler_fails(front: Front, error: Exception, status: int, comment: str) -> None:
    def echo(request: Request) -> None:
        raise error

    served = front.serve(Services(echo=echo))
    with front.connect(served, [Verification]) as link:
        for _ in range(2):
            answer = link.echo()
            assert (answer, answer.comment) == (status, comment)
            assert not answer.local
    report = served.report()
    assert (report.counts, report.failed, report.ended) == ({"C-ECHO": 2}, 2, "released")
    assert report.errors == ([error] * 2 if status == 0x0110 else [])


@pytest.mark.parametrize("answer", ["text", 0x10000, -1, 3.5])
def test_echo_handler_answers_no_status(front: Front, answer: object) -> None:
    served = front.serve(Services(echo=lambda request: answer))  # type: ignore[arg-type, return-value]
    with front.connect(served, [Verification]) as link:
        assert link.echo() in ((0x0110,) if answer != 3.5 else (0x0110, 3))
        assert link.session.alive
    assert served.report().ended == "released"


def test_nothing_is_offered_that_has_no_handler(front: Front) -> None:
    served = front.serve(Services(echo=None))
    wanted = [Verification, StudyRootFind, StudyRootMove, StudyRootGet, PatientRootFind, PatientRootMove, CTImageStorage]
    link = front.connect(served, wanted)
    assert link.accepted == ()
    assert [(r.context.abstract_syntax, r.result) for r in link.refused] == [(w, 3) for w in wanted]
    with pytest.raises(ContextRefused, match="abstract"):
        link.echo()
    link.abort()


def test_each_service_is_offered_for_its_handler(front: Front) -> None:
    mover = Mover([])
    offers = {
        StudyRootFind: Services(echo=None, find=Matches(0)),
        StudyRootMove: Services(echo=None, move=mover.move, where=mover.where),
        StudyRootGet: Services(echo=None, get=mover.move),
        CTImageStorage: Services(echo=None, sink=Account().sink),
    }
    for offered, services in offers.items():
        with front.connect(front.serve(services), [*offers, Verification]) as link:
            assert [c.abstract_syntax for c in link.accepted] == [offered]


def test_transfer_syntaxes_that_are_refused(front: Front) -> None:
    served = front.serve(Services(find=Matches(0), sink=Account().sink))
    contexts = [
        Context(Verification, (ExplicitVRBigEndian,)),
        Context(StudyRootFind, (ExplicitVRBigEndian, ImplicitVRLittleEndian)),
        Context("1.2.3.4"),
    ]
    with front.connect(served, contexts) as link:
        assert [(c.abstract_syntax, c.transfer_syntax) for c in link.accepted] == [(StudyRootFind, ImplicitVRLittleEndian)]
        assert [r.result for r in link.refused] == [4, 3]
        with pytest.raises(ContextRefused, match="Verification"):
            link.echo()


def test_any_storage(front: Front) -> None:
    served = front.serve(Services(sink=Account().sink), any_storage=True)
    with front.connect(served, ["1.2.840.113619.4.30", Context("no uid"), StudyRootFind]) as link:
        assert [c.abstract_syntax for c in link.accepted] == ["1.2.840.113619.4.30"]


def test_called_title_is_checked(front: Front) -> None:
    served = front.serve(aet="PACS", check_called=True)
    with pytest.raises(Rejected, match="called") as caught:
        front.connect(served, [Verification], called="PACKS")
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 7)
    assert not caught.value.transient
    report = served.report()
    assert report.ended.startswith("rejected: ")
    assert report.peer.called == "PACKS"
    with front.connect(served, [Verification], called="PACS") as link:
        assert link.echo().ok


def test_one_association_too_many(front: Front) -> None:
    served = front.serve(limits=Limits(associations=2))
    first = front.connect(served, [Verification])
    second = front.connect(served, [Verification])
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            front.connect(served, [Verification])
        assert (caught.value.result, caught.value.source, caught.value.reason) == (2, 3, 2)
        assert caught.value.transient
        assert served.report().ended.startswith(f"rejected: {pdu.rejection_words(2, 3, 2)} (PS3.8 9.3.4); the caller may try again later")
    first.release()
    third = front.connect(served, [Verification])  # the place is free as soon as the release is confirmed
    assert third.echo().ok
    second.abort()
    third.release()
    for _ in range(3):
        served.report()


def test_places_are_free_at_once(wide_front: Front) -> None:
    served = wide_front.serve(limits=Limits(associations=1))
    for _ in range(50):
        with wide_front.connect(served, [Verification]) as link:
            assert link.echo().ok


def test_unreachable(front: Front) -> None:
    for nowhere in (front.nowhere(), Address("", "127.0.0.1", 70000)):
        with pytest.raises(Unreachable, match=f"{nowhere.host}:{nowhere.port}"):
            front.connect(nowhere, [Verification])


def test_release_and_abort(front: Front) -> None:
    served = front.serve()
    link = front.connect(served, [Verification])
    link.release()
    assert served.report().ended == "released"
    link.abort()  # does nothing any more
    with pytest.raises(UsageError):
        link.release()
    with pytest.raises(UsageError):
        link.echo()
    link = front.connect(served, [Verification])
    link.abort()
    report = served.report()
    assert report.ended.startswith("the peer aborted the association")
    assert report.counts == {}


def test_leaving_by_an_exception_aborts(front: Front) -> None:
    served = front.serve()
    with pytest.raises(KeyError), front.connect(served, [Verification]):
        raise KeyError
    assert "the peer aborted" in served.report().ended


def test_provider_aborts(front: Front) -> None:
    async def script(session: object) -> None:
        from dimse.services.session import Session

        assert isinstance(session, Session)
        await session.receive()
        await session.abort()

    served = front.serve(script=script)
    link = front.connect(served, [Verification])
    with pytest.raises(Aborted) as caught:
        link.echo()
    assert caught.value.by_peer
    assert not link.session.alive
    link.abort()


def test_bytes_are_counted(front: Front) -> None:
    from .samples import instance

    served = front.serve(Services(sink=Account().sink))
    with front.connect(served, [CTImageStorage, MRImageStorage]) as link:
        link.store(instance(1, 1000))
        link.store(instance(2, 2002))
    report = served.report()
    assert (report.bytes_received, report.counts) == (3002, {"C-STORE": 2})
    assert link.session.bytes_sent == 3002


def test_services_that_make_no_sense() -> None:
    def where(request: Request, aet: str) -> Address:
        raise Refused(0xA801)

    def store(request: Request, data: object) -> None: ...

    def nothing(request: Request) -> Iterator[object]:
        return iter(())

    with pytest.raises(ValueError, match="not both"):
        Services(sink=Account().sink, store=store)
    with pytest.raises(ValueError, match="where"):
        Services(move=lambda request: [])
    assert Services(move=lambda request: [], where=where).where is where


def test_what_the_peer_says_of_itself(front: Front) -> None:
    link = front.connect(front.serve(limits=Limits(max_pdu=40_000)), [Verification])
    assert link.peer_implementation == (IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME)
    assert link.max_pdu == 40_000
    link.release()
