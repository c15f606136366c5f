"""User identity (PS3.7 D.3.3.7): what a user shows, and how a provider decides who it is.

dimse.connect(..., tls=..., identity=Identity.passcode("doe", "secret"))
dimse.Server(..., tls=..., users=Users(passcodes=Passcodes("users").check, verify={5: check_token}))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Self

import pdu
from dimse.errors import UsageError, printable, without_values
from dimse.services.handlers import Peer, User
from pdu.values import dataclass, field

CLAUSE = "PS3.7 D.3.3.7"


class IdentityType(IntEnum):
    """The User-Identity-Types of PS3.7 Table D.3-14."""

    USERNAME = 1
    PASSCODE = 2
    KERBEROS = 3
    SAML = 4
    JWT = 5


IN_CLEAR = frozenset({IdentityType.PASSCODE, IdentityType.SAML, IdentityType.JWT})
"""What anybody who reads along can use again."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this side's user is, to be shown to a provider. Make one by `username`, `passcode`, `kerberos`, `saml` or `jwt`.

    What others could use again is not sent without TLS, nor with `TLS.unsafe_no_verify`, unless `unsafe_over_plain`. With
    `response` the provider is asked to confirm; `identity_response` of the association tells whether it did.
    """

    type: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    response: bool = True
    unsafe_over_plain: bool = False

    @classmethod
    def username(cls, name: str, *, response: bool = False) -> Self:
        """A name that nobody proves."""
        return cls(IdentityType.USERNAME, name.encode(), response=response)

    @classmethod
    def passcode(cls, name: str, passcode: str, *, response: bool = True, unsafe_over_plain: bool = False) -> Self:
        """A name and its passcode."""
        return cls(IdentityType.PASSCODE, name.encode(), passcode.encode(), response, unsafe_over_plain)

    @classmethod
    def kerberos(cls, ticket: bytes, *, response: bool = True) -> Self:
        """A Kerberos service ticket."""
        return cls(IdentityType.KERBEROS, ticket, response=response)

    @classmethod
    def saml(cls, assertion: str | bytes, *, response: bool = True, unsafe_over_plain: bool = False) -> Self:
        """A SAML assertion."""
        return cls(IdentityType.SAML, _encoded(assertion), b"", response, unsafe_over_plain)

    @classmethod
    def jwt(cls, token: str | bytes, *, response: bool = True, unsafe_over_plain: bool = False) -> Self:
        """A JSON Web Token."""
        return cls(IdentityType.JWT, _encoded(token), b"", response, unsafe_over_plain)

    def item(self, *, secured: bool) -> pdu.UserIdentityRQ:
        """The sub-item of the A-ASSOCIATE-RQ. Raises `UsageError` where it may not be sent.

        `secured`: over TLS, and to a peer that is verified.
        """
        if self.type in IN_CLEAR and not secured and not self.unsafe_over_plain:
            raise UsageError(
                "whoever reads along could use this identity too, so it is not sent without TLS, nor to a peer that nobody verifies",
                CLAUSE,
                "connect with TLS",
            )
        return pdu.UserIdentityRQ(self.type, self.primary, self.secondary, self.response)


Verify = Callable[[pdu.UserIdentityRQ, Peer], User | None]
"""A provider's check of one type of identity: who it is, or None to refuse. `User.response` goes back to whoever asked for it."""


@dataclass(frozen=True, slots=True)
class Unidentified:
    """Why an identity is refused; never with a part of it. `wrong`: it was shown and is false, which counts for the back-off."""

    why: str
    wrong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """How a provider decides who uses its peer. What is false is rejected; so is what is missing, if it is `required`.

    passcodes           type 2: whether name and passcode belong together, as `Passcodes(file).check` tells
    verify              other checks, by type: tokens (5, JWT: check algorithm, issuer, audience and times), assertions, tickets
    trust_names         type 1 counts as proof; else it is a label, and `User.proven` is false
    required            no association without a proven identity; else one of a type that nobody checks is ignored
    unsafe_over_plain   take passcodes and tokens without TLS, where anybody can read them
    failures            that many false identities from one host are looked at; then each more costs a pause,
    pause               of so many seconds, twice as many each time, and at most
    longest_pause       so many. In a pause all identities from there are refused unseen. After so long without a false one all
                        is forgotten, by a right one nothing: else who knows one passcode could guess at others without end
    """

    passcodes: Callable[[str, bytes], bool] | None = None
    verify: Mapping[int, Verify] = field(default_factory=dict)
    trust_names: bool = False
    required: bool = True
    unsafe_over_plain: bool = False
    failures: int = 5
    pause: float = 2.0
    longest_pause: float = 300.0

    def identify(self, item: pdu.UserIdentityRQ | None, peer: Peer) -> User | Unidentified | None:
        """Who that is; None for nobody in particular.

        A check that raises is a refusal, and counts for the back-off too: many libraries raise for what is false.
        """
        if item is None:
            return Unidentified("no user identity, which is required here") if self.required else None
        verify = self._check_of(item.type)
        if verify is None:
            why = f"a user identity of type {item.type}, which nobody checks here"
            return Unidentified(why) if self.required else self._label(item)
        if item.type in IN_CLEAR and peer.security is None and not self.unsafe_over_plain:
            return Unidentified("a passcode or token in clear text, which is not taken without TLS")
        try:
            user = verify(item, peer)
        except Exception as error:  # whatever a check does: nobody gets in by its mistake
            return Unidentified(f"the check of the user identity failed: {without_values(error)}", wrong=True)
        if user is not None and self.required and not user.proven:
            return Unidentified("the user identity proves nothing, and proof is required here")
        return user or Unidentified("the user identity is false", wrong=True)

    def _check_of(self, type: int) -> Verify | None:
        if type in self.verify:
            return self.verify[type]
        if type == IdentityType.USERNAME and self.trust_names:
            return lambda item, peer: User(_text(item.primary), item.type)
        return self._check_passcode if type == IdentityType.PASSCODE and self.passcodes is not None else None

    def _check_passcode(self, item: pdu.UserIdentityRQ, peer: Peer) -> User | None:
        name = _text(item.primary)
        return User(name, item.type) if self.passcodes is not None and self.passcodes(name, item.secondary) else None

    def _label(self, item: pdu.UserIdentityRQ) -> User | None:
        return User(_text(item.primary), item.type, proven=False) if item.type == IdentityType.USERNAME else None


REMEMBERED = 10_000
"""Hosts with false identities that are remembered at most; the one that tried longest ago is forgotten."""


class Backoff:
    """How often each host has shown a false identity, and until when it has to wait therefore."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._hosts: dict[str, tuple[int, float]] = {}

    def pauses(self, host: str, now: float) -> bool:
        """Whether identities from there are not looked at now."""
        return now < self._hosts.get(host, (0, now))[1]

    def count(self, host: str, now: float, found: User | Unidentified | None) -> None:
        """Takes in how a look at an identity ended."""
        if not (isinstance(found, Unidentified) and found.wrong):
            return
        users = self._users
        failures, until = self._hosts.pop(host, (0, now))
        failures = 1 if now - until > users.longest_pause else failures + 1
        excess = failures - users.failures
        pause = 0.0 if excess < 0 else min(users.pause * 2.0 ** min(excess, 64), users.longest_pause)
        self._hosts[host] = failures, now + pause
        if len(self._hosts) > REMEMBERED:
            del self._hosts[next(iter(self._hosts))]


def confirmed(answer: pdu.AssociateAC, item: pdu.UserIdentityRQ | None, user: User | None) -> pdu.AssociateAC:
    """The answer with the positive response, where that was asked for and the user is known (PS3.7 D.3.3.7.2)."""
    if item is None or user is None or not (item.positive_response_requested and user.proven):
        return answer
    response = pdu.UserInformation((*answer.user_items, pdu.UserIdentityAC(user.response)))
    others = tuple(item for item in answer.items if not isinstance(item, pdu.UserInformation))
    return pdu.AssociateAC(answer.called, answer.calling, (*others, response))


def _encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _text(primary: bytes) -> str:
    """A user name: UTF-8 (PS3.7 D.3.3.7.1), in which what is none, and what cannot be printed, is escaped: it goes into logs."""
    return printable(primary.decode(errors="backslashreplace"))
