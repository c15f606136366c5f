"""Two ends of a TLS connection, wired to each other in memory."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from dimse.errors import TLSFailed
from dimse.services.security import TLS
from dimse.tls import Channel, client, server
from tests.certificates import HOST

USER, PROVIDER = "10.0.0.7:51234", "10.0.0.1:2762"
"""Where the two are, for the messages of the other."""


class Pair:
    """A user's and a provider's end. What one sends arrives at the other in pieces of `chunk` bytes, as `tamper` leaves it."""

    def __init__(self, user: TLS | Channel, provider: TLS | Channel, *, host: str = HOST, chunk: int = 1 << 20) -> None:
        self.user = user if isinstance(user, Channel) else client(user, host, PROVIDER)
        self.provider = provider if isinstance(provider, Channel) else server(provider)(USER)
        self.tamper: Callable[[bytes], bytes] = bytes
        self._chunk = chunk

    def shake(self) -> None:
        """The handshake, to its end on both sides."""
        assert self.fails() == (None, None)
        assert self.user.security is not None
        assert self.provider.security is not None

    def fails(self) -> tuple[TLSFailed | None, TLSFailed | None]:
        """The handshake, as far as it goes, and a look at what came behind it: what failed for the user and for the provider."""
        told: dict[Channel, TLSFailed] = {}
        both = (self.user, self.provider)
        sent = True
        while sent:
            sent = False
            for end, other in (both, both[::-1]):
                try:
                    if end not in told and end.handshake():
                        end.read()
                except TLSFailed as error:
                    told[end] = error
                sent |= self._pass_on(end.data_to_send(), other, told)
        return told.get(self.user), told.get(self.provider)

    def say(self, plain: bytes, end: Channel) -> bytes:
        """What the other end hears of what this one says."""
        return self.carry(end.seal(plain), self.provider if end is self.user else self.user)

    def carry(self, sealed: bytes, end: Channel) -> bytes:
        """What an end hears of bytes on the wire."""
        sealed = self.tamper(sealed)
        heard = b""
        for at in range(0, len(sealed), self._chunk):
            end.receive(sealed[at : at + self._chunk])
            heard += end.read()
        return heard

    def _pass_on(self, sent: bytes, other: Channel, told: dict[Channel, TLSFailed]) -> bool:
        """Hands over what was sent, piece by piece; whether there was anything."""
        sent = self.tamper(sent)
        try:
            for at in range(0, len(sent), self._chunk):
                if other not in told:
                    other.receive(sent[at : at + self._chunk])
                    other.handshake()
        except TLSFailed as error:
            told[other] = error
        return bool(sent)


def of_versions(tls: TLS, newest: ssl.TLSVersion, oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> Channel:
    """A user's end that speaks these versions; those below 1.2 with all that OpenSSL still has."""
    context = client(tls, HOST, PROVIDER)._object.context
    if oldest < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = oldest, newest
    return Channel(context, tls, PROVIDER, HOST)


def of_suites(tls: TLS, suites: str) -> Channel:
    """A user's end of TLS 1.2 with these cipher suites. Raises `ssl.SSLError` if OpenSSL has none of them."""
    context = client(tls, HOST, PROVIDER)._object.context
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{suites}:@SECLEVEL=0")
    return Channel(context, tls, PROVIDER, HOST)
