"""User identities and the list of callers in both fronts: who handlers are told it is, and who is not let in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import pdu
from dimse.association.config import Limits
from dimse.data.uids import CTImageStorage, Verification
from dimse.errors import Rejected, UsageError
from dimse.services.handlers import Answer, Peer, Request, Services, User
from dimse.services.passcodes import Cost, Passcodes, set_passcode
from dimse.services.reception import CHECKS
from dimse.services.rights import Caller, Callers
from dimse.services.security import TLS
from dimse.services.users import Identity, Users
from tests.certificates import Site, tls_of
from tests.services.drivers import PATIENCE, Front, Link, Served
from tests.services.samples import Account, instance

SECRET = "correct horse"
DOE = Identity.passcode("doe", SECRET)
WRONG = Identity.passcode("doe", "wrong battery")
NOBODY = Identity.passcode("nobody", "wrong battery")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[TLS, TLS]:
    """TLS of a server, and of a user."""
    site = Site(tmp_path_factory.mktemp("certificates"))
    return tls_of(site.issue("node"), site), tls_of(site.issue("user"), site)


@pytest.fixture(scope="module")
def passcodes(tmp_path_factory: pytest.TempPathFactory) -> Passcodes:
    file = tmp_path_factory.mktemp("users") / "users"
    set_passcode(file, "doe", SECRET, Cost(n=2, r=1, p=1))
    return Passcodes(file)


def _rejected(front: Front, served: Served, identity: Identity | None, tls: TLS | None, calling: str = "ME") -> Rejected:
    with pytest.raises(Rejected) as caught:
        front.connect(served, [Verification], identity=identity, tls=tls, calling=calling)
    return caught.value


def _codes(rejected: Rejected) -> tuple[int, int, int]:
    return rejected.result, rejected.source, rejected.reason


def test_handlers_are_told_who_it_is(front: Front, both: tuple[TLS, TLS], passcodes: Passcodes) -> None:
    peers: list[Peer] = []
    account = Account()

    def echo(request: Request) -> Answer:
        peers.append(request.peer)
        return None

    served = front.serve(Services(echo=echo, sink=account.sink), tls=both[0], users=Users(passcodes=passcodes.check))
    with front.connect(served, [Verification, CTImageStorage], tls=both[1], identity=DOE) as link:
        assert link.identity_response == b""
        assert link.echo().ok
        assert link.store(instance(1)).ok
    report = served.report()
    assert report.peer.user == User("doe", 2)
    assert peers == [report.peer]
    assert [request.peer for request, _ in account.kept] == [report.peer]
    assert report.ended == "released"


def test_an_answer_only_where_asked_for(front: Front, both: tuple[TLS, TLS], passcodes: Passcodes) -> None:
    served = front.serve(tls=both[0], users=Users(passcodes=passcodes.check))
    with front.connect(served, [Verification], tls=both[1], identity=Identity.passcode("doe", SECRET, response=False)) as link:
        assert link.identity_response is None


@pytest.mark.parametrize(
    "identity", [Identity.kerberos(b"ticket"), Identity.saml("<a/>"), Identity.jwt("a.b.c"), Identity.username("doe", response=True)]
)
def test_identities_of_other_types(front: Front, identity: Identity, both: tuple[TLS, TLS]) -> None:
    def verify(item: pdu.UserIdentityRQ, peer: Peer) -> User | None:
        assert peer.security is not None
        return User("Doe", item.type, response=item.primary[::-1])

    served = front.serve(tls=both[0], users=Users(verify={identity.type: verify}))
    with front.connect(served, [Verification], tls=both[1], identity=identity) as link:
        assert link.identity_response == identity.primary[::-1]
    assert served.report().peer.user == User("Doe", identity.type, response=identity.primary[::-1])


def test_a_provider_that_knows_no_identities(front: Front, both: tuple[TLS, TLS]) -> None:
    served = front.serve(tls=both[0])
    with front.connect(served, [Verification], tls=both[1], identity=DOE) as link:
        assert link.identity_response is None
        assert link.echo().ok
    assert served.report().peer.user is None


def test_a_name_without_proof(front: Front) -> None:
    served = front.serve(users=Users(required=False))
    with front.connect(served, [Verification], identity=Identity.username("doe", response=True)) as link:
        assert link.identity_response is None
    assert served.report().peer.user == User("doe", 1, proven=False)
    with front.connect(served, [Verification]) as link:
        assert link.echo().ok
    assert served.report().peer.user is None


@pytest.mark.parametrize(
    ("identity", "why"),
    [
        (WRONG, "the user identity is false"),
        (NOBODY, "the user identity is false"),
        (None, "no user identity, which is required here"),
        (Identity.username("doe"), "a user identity of type 1, which nobody checks here"),
    ],
)
def test_who_is_refused(front: Front, identity: Identity | None, why: str, both: tuple[TLS, TLS], passcodes: Passcodes) -> None:
    served = front.serve(tls=both[0], users=Users(passcodes=passcodes.check))
    assert _codes(_rejected(front, served, identity, both[1])) == (1, 1, 1)
    report = served.report()
    assert why in report.ended
    assert report.ended.startswith("rejected: ")
    assert report.peer.user is None
    assert report.errors == []


def test_refused_in_clear_unless_allowed(front: Front, passcodes: Passcodes) -> None:
    served = front.serve(users=Users(passcodes=passcodes.check))
    with pytest.raises(UsageError, match="not sent without TLS"):
        front.connect(served, [Verification], identity=DOE)
    sent = Identity.passcode("doe", SECRET, unsafe_over_plain=True)
    assert _codes(_rejected(front, served, sent, None)) == (1, 1, 1)
    assert "in clear text" in served.report().ended
    allowing = front.serve(users=Users(passcodes=passcodes.check, unsafe_over_plain=True))
    with front.connect(allowing, [Verification], identity=sent) as link:
        assert link.identity_response == b""


def test_not_sent_to_a_peer_that_nobody_verifies(front: Front, both: tuple[TLS, TLS], passcodes: Passcodes) -> None:
    """Whoever sits in between could use it too."""
    served = front.serve(tls=both[0], users=Users(passcodes=passcodes.check))
    unverified = TLS(key=both[1].key, certificate=both[1].certificate, unsafe_no_verify=True)
    with pytest.raises(UsageError, match="nor to a peer that nobody verifies"):
        front.connect(served, [Verification], identity=DOE, tls=unverified)


def test_a_check_that_raises_is_a_refusal(
    front: Front, both: tuple[TLS, TLS], passcodes: Passcodes, caplog: pytest.LogCaptureFixture
) -> None:
    def verify(item: pdu.UserIdentityRQ, peer: Peer) -> User | None:
        raise ZeroDivisionError(SECRET)

    served = front.serve(tls=both[0], users=Users(passcodes=passcodes.check, verify={5: verify}))
    assert _codes(_rejected(front, served, Identity.jwt("a.b.c"), both[1])) == (1, 1, 1)
    report = served.report()
    assert "the check of the user identity failed: ZeroDivisionError in verify (test_identity.py:" in report.ended
    assert report.errors == []
    assert SECRET not in report.ended + caplog.text
    with front.connect(served, [Verification], identity=DOE, tls=both[1]) as link:
        assert link.echo().ok


def test_a_file_that_is_no_use_any_more(front: Front, both: tuple[TLS, TLS], tmp_path: Path) -> None:
    file = tmp_path / "users"
    set_passcode(file, "doe", SECRET, Cost(n=2, r=1, p=1))
    served = front.serve(tls=both[0], users=Users(passcodes=Passcodes(file).check))
    file.chmod(0o644)
    assert _codes(_rejected(front, served, DOE, both[1])) == (1, 1, 1)
    assert "the check of the user identity failed: UsageError" in served.report().ended
    file.chmod(0o600)
    front.connect(served, [Verification], identity=DOE, tls=both[1]).release()


def test_who_guesses_has_to_wait(front: Front, both: tuple[TLS, TLS]) -> None:
    asked: list[bytes] = []

    def check(name: str, passcode: bytes) -> bool:
        asked.append(passcode)
        return passcode == SECRET.encode()

    served = front.serve(tls=both[0], users=Users(passcodes=check, failures=3, pause=1000.0, longest_pause=1000.0))
    front.connect(served, [Verification], identity=DOE, tls=both[1]).release()
    assert served.report().ended == "released"
    for number in range(10):
        rejected = _rejected(front, served, WRONG, both[1])
        assert _codes(rejected) == (1, 1, 1)
        assert ("too many user identities from this host were false" in served.report().ended) is (number >= 3)
    assert len(asked) == 1 + 3
    _rejected(front, served, DOE, both[1])  # who it is is not even looked at
    assert len(asked) == 1 + 3


@contextmanager
def _attempts(front: Front, served: Served, tls: TLS, count: int) -> Iterator[list[Exception]]:
    """So many associations at once with false passcodes; their ends."""
    ends: list[Exception] = []

    def attempt() -> None:
        try:
            front.connect(served, [Verification], identity=WRONG, tls=tls)
        except Exception as error:  # looked at below
            ends.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield ends
    finally:
        for thread in threads:
            thread.join(PATIENCE)


def test_who_guesses_in_parallel_has_to_wait_too(front: Front, both: tuple[TLS, TLS]) -> None:
    """Checks that wait for their turn look again: no more than are under way anyway are still done."""
    go, under_way, most = threading.Semaphore(0), [0], [0]
    lock = threading.Lock()

    def check(name: str, passcode: bytes) -> bool:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
            done.append(name)
        go.acquire(timeout=PATIENCE)
        with lock:
            under_way[0] -= 1
        return False

    done: list[str] = []
    limits = Limits(associations=64, associations_per_host=64, connections=64, connections_per_host=64)
    served = front.serve(tls=both[0], limits=limits, users=Users(passcodes=check, failures=1, pause=1000.0, longest_pause=1000.0))
    with _attempts(front, served, both[1], 12) as ends:
        for _ in range(12):
            go.release()
    assert [_codes(end) for end in ends if isinstance(end, Rejected)] == [(1, 1, 1)] * 12
    assert len(done) <= CHECKS
    assert most[0] <= CHECKS


def test_others_are_served_while_a_passcode_is_checked(front: Front, both: tuple[TLS, TLS]) -> None:
    begun, go = threading.Event(), threading.Event()

    def check(name: str, passcode: bytes) -> bool:
        begun.set()
        return go.wait(PATIENCE)

    served = front.serve(tls=both[0], users=Users(passcodes=check, required=False))
    linked: list[Link] = []
    waiting = threading.Thread(target=lambda: linked.append(front.connect(served, [Verification], identity=DOE, tls=both[1])))
    waiting.start()
    try:
        assert begun.wait(PATIENCE)
        with front.connect(served, [Verification], tls=both[1]) as link:
            assert link.echo().ok
    finally:
        go.set()
        waiting.join(PATIENCE)
    assert linked[0].identity_response == b""


def test_no_log_and_no_report_has_a_passcode(
    front: Front, both: tuple[TLS, TLS], passcodes: Passcodes, caplog: pytest.LogCaptureFixture
) -> None:
    served = front.serve(tls=both[0], users=Users(passcodes=passcodes.check))
    with caplog.at_level(logging.DEBUG):
        said = [str(_rejected(front, served, identity, both[1])) for identity in (WRONG, NOBODY)]
        said += [repr(served.report()) for _ in said]
        front.connect(served, [Verification], identity=DOE, tls=both[1]).release()
        said.append(repr(served.report()))
    assert said[0] == said[1]  # nobody learns which names there are
    for text in (*said, caplog.text):
        assert SECRET not in text
        assert "wrong battery" not in text


# The list of callers


@pytest.mark.parametrize(
    ("calling", "places", "why"),
    [
        ("ME", ["127.0.0.1"], ""),
        ("ME", ["10.0.0.0/8", "127.0.0.0/8"], ""),
        ("ME", [], ""),
        ("ME", ["10.0.0.0/8"], "the calling AE title is not let in from this host"),
        ("me", [], "the calling AE title is none of those that are let in"),
        ("MEE", [], "the calling AE title is none of those that are let in"),
    ],
)
def test_who_may_call(front: Front, calling: str, places: list[str], why: str) -> None:
    served = front.serve(callers=Callers({"ME": Caller(hosts=places), "OTHER": Caller()}))
    if why:
        assert _codes(_rejected(front, served, None, None, calling)) == (1, 1, 3)
        report = served.report()
        assert why in report.ended
        assert report.peer.calling == calling
    else:
        with front.connect(served, [Verification], calling=calling) as link:
            assert link.echo().ok


def test_an_unknown_caller_is_told_nothing_else(front: Front) -> None:
    """Not whether it calls the right AE title, nor anything of its identity."""
    checked: list[str] = []

    def check(name: str, passcode: bytes) -> bool:
        checked.append(name)
        return True

    served = front.serve(callers=Callers({"OTHER": Caller()}), check_called=True, users=Users(passcodes=check, unsafe_over_plain=True))
    assert _codes(_rejected(front, served, Identity.passcode("doe", SECRET, unsafe_over_plain=True), None)) == (1, 1, 3)
    assert checked == []


def test_callers_and_certificates_are_both_asked(front: Front, tmp_path: Path) -> None:
    site = Site(tmp_path)
    user = tls_of(site.issue("ct"), site)
    callers = Callers({"CT1": Caller(), "MR1": Caller()})
    served = front.serve(tls=tls_of(site.issue("node"), site, callers={"ct": ["CT1", "CT2"]}), callers=callers)
    with front.connect(served, [Verification], calling="CT1", tls=user) as link:
        assert link.echo().ok
    for calling in ("CT2", "MR1"):
        assert _codes(_rejected(front, served, None, user, calling)) == (1, 1, 3)
    assert served.report().ended == "released"
    assert "is none of those that are let in" in served.report().ended
    assert "is not bound to the certificate" in served.report().ended
