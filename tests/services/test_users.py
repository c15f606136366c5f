"""User identities: what a user shows, who a provider takes for whom, and how it slows down those who guess."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import pdu
from dimse.association.negotiation import propose
from dimse.data.uids import Verification
from dimse.errors import UsageError
from dimse.services.handlers import Peer, User
from dimse.services.security import Security
from dimse.services.users import REMEMBERED, Backoff, Identity, IdentityType, Unidentified, Users, confirmed

SECURED = Peer("ME", "PEER", "10.0.0.7:51234", Security("TLSv1.3", "TLS_AES_256_GCM_SHA384"))
PLAIN = Peer("ME", "PEER", "10.0.0.7:51234")
FALSE = Unidentified("the user identity is false", wrong=True)
SECRET = "correct horse"


def doe(name: str, passcode: bytes) -> bool:
    return (name, passcode) == ("doe", SECRET.encode())


def shown(type: int, primary: bytes = b"doe", secondary: bytes = b"", asks: bool = True) -> pdu.UserIdentityRQ:
    return pdu.UserIdentityRQ(type, primary, secondary, asks)


# What a user shows

ALL = [
    (Identity.username("doe"), shown(1, asks=False)),
    (Identity.username("doe", response=True), shown(1)),
    (Identity.passcode("dö", SECRET), shown(2, "dö".encode(), SECRET.encode())),
    (Identity.passcode("doe", SECRET, response=False), shown(2, b"doe", SECRET.encode(), asks=False)),
    (Identity.kerberos(b"\x60\x01"), shown(3, b"\x60\x01")),
    (Identity.saml("<Assertion/>"), shown(4, b"<Assertion/>")),
    (Identity.jwt(b"a.b.c"), shown(5, b"a.b.c")),
]


@pytest.mark.parametrize(("identity", "item"), ALL)
def test_the_item_of_each_type(identity: Identity, item: pdu.UserIdentityRQ) -> None:
    assert identity.item(secured=True) == item
    request = pdu.decode(propose("PEER", "ME", [Verification], identity=item).encode())
    assert isinstance(request, pdu.AssociateRQ)
    assert request.user_item(pdu.UserIdentityRQ) == item


@pytest.mark.parametrize("identity", [Identity.passcode("doe", SECRET), Identity.saml(b"<Assertion/>"), Identity.jwt("a.b.c")])
def test_what_others_could_use_is_not_sent_in_clear(identity: Identity) -> None:
    with pytest.raises(UsageError, match="whoever reads along") as caught:
        identity.item(secured=False)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "identity",
    [
        Identity.username("doe"),
        Identity.kerberos(b"\x60"),
        Identity.passcode("doe", SECRET, unsafe_over_plain=True),
        Identity.saml("<Assertion/>", unsafe_over_plain=True),
        Identity.jwt("a.b.c", unsafe_over_plain=True),
    ],
)
def test_what_may_be_sent_in_clear(identity: Identity) -> None:
    assert identity.item(secured=False).primary == identity.primary


@pytest.mark.parametrize(("identity", "item"), ALL)
def test_no_repr_has_a_secret(identity: Identity, item: pdu.UserIdentityRQ) -> None:
    for text in (repr(identity), repr(item)):
        assert SECRET not in text
        assert "doe" not in text
        assert "Assertion" not in text
        assert "a.b.c" not in text


# Who a provider takes for whom


def test_a_passcode() -> None:
    users = Users(passcodes=doe)
    assert users.identify(shown(2, b"doe", SECRET.encode()), SECURED) == User("doe", 2)
    for name, passcode in ((b"doe", b"wrong"), (b"DOE", SECRET.encode()), (b"roe", SECRET.encode()), (b"doe", b""), (b"", b"")):
        assert users.identify(shown(2, name, passcode), SECURED) == FALSE


def test_an_unknown_user_is_answered_like_a_wrong_passcode() -> None:
    users = Users(passcodes=doe)
    assert users.identify(shown(2, b"nobody", b"x"), SECURED) == users.identify(shown(2, b"doe", b"x"), SECURED)


def test_no_passcode_in_clear_unless_allowed() -> None:
    asked: list[str] = []

    def check(name: str, passcode: bytes) -> bool:
        asked.append(name)
        return True

    found = Users(passcodes=check).identify(shown(2, b"doe", SECRET.encode()), PLAIN)
    assert found == Unidentified("a passcode or token in clear text, which is not taken without TLS")
    assert asked == []
    assert Users(passcodes=check, unsafe_over_plain=True).identify(shown(2), PLAIN) == User("doe", 2)


@pytest.mark.parametrize("type", [4, 5])
def test_no_token_in_clear_unless_allowed(type: int) -> None:
    verify = {type: lambda item, peer: User("doe", item.type)}
    assert isinstance(Users(verify=verify).identify(shown(type), PLAIN), Unidentified)
    assert Users(verify=verify, unsafe_over_plain=True).identify(shown(type), PLAIN) == User("doe", type)


@pytest.mark.parametrize("type", [1, 2, 3, 4, 5, 9])
def test_a_check_of_ones_own(type: int) -> None:
    seen: list[tuple[pdu.UserIdentityRQ, Peer]] = []

    def verify(item: pdu.UserIdentityRQ, peer: Peer) -> User | None:
        seen.append((item, peer))
        return User("Doe^John", item.type, response=b"in return") if item.primary == b"good" else None

    users = Users(passcodes=doe, verify={type: verify}, trust_names=True)
    good, bad = shown(type, b"good"), shown(type, b"bad")
    assert users.identify(good, SECURED) == User("Doe^John", type, response=b"in return")
    assert users.identify(bad, SECURED) == FALSE
    assert seen == [(good, SECURED), (bad, SECURED)]


@pytest.mark.parametrize("error", [ValueError(f"{SECRET} expired"), OSError(111, "Connection refused"), ZeroDivisionError()])
def test_a_check_that_raises_is_a_refusal(error: Exception) -> None:
    """Nobody gets in by a mistake, nobody guesses on because a library raises, and the text of an exception is told to nobody."""

    def verify(item: pdu.UserIdentityRQ, peer: Peer) -> User | None:
        raise error

    found = Users(verify={5: verify}).identify(shown(5), SECURED)
    assert isinstance(found, Unidentified)
    assert found.wrong
    assert found.why.startswith(f"the check of the user identity failed: {type(error).__name__}")
    assert SECRET not in found.why


@pytest.mark.parametrize("required", [True, False])
def test_what_is_false_is_refused_required_or_not(required: bool) -> None:
    assert Users(passcodes=doe, required=required).identify(shown(2, b"doe", b"wrong"), SECURED) == FALSE


@pytest.mark.parametrize("type", [0, 1, 2, 3, 4, 5, 9, 255])
def test_a_type_that_nobody_checks(type: int) -> None:
    """A-23: refused where an identity is required, which is no guess; else as if it were not there, but for a name as a label."""
    assert Users().identify(shown(type), SECURED) == Unidentified(f"a user identity of type {type}, which nobody checks here")
    found = Users(required=False).identify(shown(type), SECURED)
    assert found == (User("doe", 1, proven=False) if type == 1 else None)


def test_nothing_shown() -> None:
    assert Users(passcodes=doe).identify(None, SECURED) == Unidentified("no user identity, which is required here")
    assert Users(passcodes=doe, required=False).identify(None, SECURED) is None


def test_names_that_are_trusted() -> None:
    assert Users(trust_names=True).identify(shown(1), PLAIN) == User("doe", IdentityType.USERNAME)
    assert isinstance(Users(passcodes=doe).identify(shown(1), PLAIN), Unidentified)


def test_a_check_that_proves_nothing() -> None:
    label: Callable[[pdu.UserIdentityRQ, Peer], User] = lambda item, peer: User("doe", item.type, proven=False)  # noqa: E731
    assert isinstance(Users(verify={1: label}).identify(shown(1), SECURED), Unidentified)
    assert Users(verify={1: label}, required=False).identify(shown(1), SECURED) == User("doe", 1, proven=False)


@pytest.mark.parametrize(
    ("primary", "name"),
    [("dö^\u00e9".encode(), "dö^é"), (b"d\xff", "d\\xff"), (b"a\r\nforged: b", "a\\r\\nforged: b"), (b"\x1b[31m", "\\x1b[31m")],
)
def test_a_name_can_be_printed(primary: bytes, name: str) -> None:
    assert Users(trust_names=True).identify(shown(1, primary), SECURED) == User(name, 1)


# The positive response

ANSWER = pdu.AssociateAC("PEER", "ME", (pdu.ApplicationContext(), pdu.UserInformation((pdu.MaximumLength(0),))))


@pytest.mark.parametrize(
    ("item", "user", "response"),
    [
        (shown(2), User("doe", 2), b""),
        (shown(5), User("doe", 5, response=b"token"), b"token"),
        (shown(2, asks=False), User("doe", 2, response=b"secret"), None),
        (shown(1), User("doe", 1, proven=False), None),
        (shown(9), None, None),
        (None, None, None),
    ],
)
def test_a_response_only_where_asked_for_and_proven(item: pdu.UserIdentityRQ | None, user: User | None, response: bytes | None) -> None:
    answer = pdu.decode(confirmed(ANSWER, item, user).encode())
    assert isinstance(answer, pdu.AssociateAC)
    found = answer.user_item(pdu.UserIdentityAC)
    assert (found and found.response) == (None if response is None else response)
    assert (found is None) is (response is None)
    assert answer.user_item(pdu.MaximumLength) == pdu.MaximumLength(0)
    assert [type(one) for one in answer.items] == [pdu.ApplicationContext, pdu.UserInformation]


# The back-off


class Guesser:
    """Who guesses from a host, at times of a clock that stands still unless it is set."""

    def __init__(self, users: Users) -> None:
        self.now = 1000.0
        self._backoff = Backoff(users)

    def waits(self, host: str = "10.0.0.7") -> bool:
        return self._backoff.pauses(host, self.now)

    def shows(self, found: User | Unidentified | None, host: str = "10.0.0.7") -> None:
        self._backoff.count(host, self.now, found)


def test_so_many_false_identities_are_looked_at() -> None:
    guesser = Guesser(Users(failures=3))
    for _ in range(3):
        assert not guesser.waits()
        guesser.shows(FALSE)
    assert guesser.waits()


def test_each_pause_is_twice_as_long_and_none_too_long() -> None:
    guesser = Guesser(Users(failures=1, pause=2.0, longest_pause=15.0))
    for pause in (2.0, 4.0, 8.0, 15.0, 15.0):
        assert not guesser.waits()
        guesser.shows(FALSE)
        guesser.now += pause - 0.001
        assert guesser.waits()
        guesser.now += 0.002


def test_many_failures_do_not_overflow() -> None:
    guesser = Guesser(Users(failures=1, longest_pause=10.0))
    for _ in range(2000):
        guesser.shows(FALSE)
        guesser.now += 10.0
    assert not guesser.waits()
    guesser.now -= 0.001
    assert guesser.waits()


def test_a_right_identity_between_does_not_help() -> None:
    """Who knows one passcode may not guess at others without end."""
    guesser = Guesser(Users(failures=3))
    for _ in range(2):
        guesser.shows(FALSE)
        guesser.shows(User("doe", 2))
    assert not guesser.waits()
    guesser.shows(FALSE)
    assert guesser.waits()


def test_after_a_long_time_all_is_forgotten() -> None:
    guesser = Guesser(Users(failures=2, longest_pause=60.0))
    guesser.shows(FALSE)
    guesser.now += 61.0
    guesser.shows(FALSE)
    assert not guesser.waits()
    guesser.shows(FALSE)
    assert guesser.waits()


@pytest.mark.parametrize("found", [None, User("doe", 2), User("doe", 1, proven=False), Unidentified("none was shown")])
def test_what_is_not_false_does_not_count(found: User | Unidentified | None) -> None:
    guesser = Guesser(Users(failures=1))
    for _ in range(10):
        guesser.shows(found)
    assert not guesser.waits()


def test_hosts_wait_for_their_own() -> None:
    guesser = Guesser(Users(failures=1))
    guesser.shows(FALSE, "10.0.0.7")
    assert guesser.waits("10.0.0.7")
    assert not guesser.waits("10.0.0.8")


def test_the_memory_of_hosts_has_an_end() -> None:
    guesser = Guesser(Users(failures=1))
    for number in range(REMEMBERED + 1):
        guesser.shows(FALSE, str(number))
    assert not guesser.waits("0")
    assert guesser.waits("1")
    assert guesser.waits(str(REMEMBERED))
