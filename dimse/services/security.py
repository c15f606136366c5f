"""How connections are secured, as plain values: what TLS is to use, and what it told of the peer. `dimse.tls` does the work."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from os import PathLike

from dimse.errors import UsageError
from pdu.values import dataclass, field

File = str | PathLike[str]
FINGERPRINT_LENGTH = 64
"""Hexadecimal digits of a SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """What a connection secured by TLS 1.2 or 1.3 uses and trusts (PS3.15 B.12). Files are PEM; they are read when first used.

    key, certificate      this side's; a provider needs them, a user shows them to a provider that asks
    ca                    who may have signed the peer's certificate; None: whom this system trusts (as user only)
    pins                  as user: the peer's certificate is one of these SHA-256 fingerprints; then its name does not count,
                          and its signature only if there is a `ca`
    server_name           as user: the name in the peer's certificate, if it is not the host that is called
    callers               as provider: fingerprint or name of a certificate -> the calling AE titles it may use, and nobody
                          else may call; None: whoever has a certificate of the `ca` may use any
    unsafe_no_verify      take any peer: encrypted, but nobody knows with whom
    """

    key: File | None = field(default=None, repr=False)
    certificate: File | None = None
    ca: File | None = None
    pins: tuple[str, ...] = ()
    server_name: str = ""
    callers: Mapping[str, Collection[str]] | None = None
    unsafe_no_verify: bool = False

    def __post_init__(self) -> None:
        if (self.key is None) is not (self.certificate is None):
            raise UsageError("a private key and its certificate belong together", advice="give both key and certificate, or neither")
        object.__setattr__(self, "pins", tuple(fingerprint(pin) for pin in self.pins))
        if self.callers is not None:
            object.__setattr__(self, "callers", {name: _titles(name, titles) for name, titles in self.callers.items()})

    def admits(self, security: Security, calling: str) -> bool:
        """Whether the peer with this certificate may use that calling AE title."""
        if self.callers is None:
            return True
        return any(calling in titles for name, titles in self.callers.items() if security.certificate.is_known_as(name))


@dataclass(frozen=True, slots=True)
class Certificate:
    """A peer's certificate: its SHA-256 fingerprint (of the DER form, in hexadecimal), and the names in it.

    The names are the subject's common name and the alternative names; none if nobody verified the certificate. Without a
    certificate all is empty.
    """

    fingerprint: str = ""
    names: tuple[str, ...] = ()

    def is_known_as(self, name: str) -> bool:
        """Whether this is its fingerprint, with or without colons, or one of its names.

        What has the form of a fingerprint is none of a name: a common name could be made to look like another's fingerprint.
        """
        digits = _digits(name)
        if _is_fingerprint(digits):
            return digits == self.fingerprint
        return bool(self.fingerprint) and name in self.names


@dataclass(frozen=True, slots=True)
class Security:
    """How a connection is secured: the protocol ("TLSv1.3"), the cipher suite, and the peer's certificate."""

    protocol: str
    cipher: str
    certificate: Certificate = Certificate()


def fingerprint(text: str) -> str:
    """A SHA-256 fingerprint as this package writes it, from one with or without colons. Raises `UsageError`."""
    digits = _digits(text)
    if not _is_fingerprint(digits):
        raise UsageError(
            f"{text!r} is no SHA-256 fingerprint of 64 hexadecimal digits",
            advice="'openssl x509 -noout -fingerprint -sha256 -in FILE' prints one",
        )
    return digits


def _digits(text: str) -> str:
    return text.replace(":", "").strip().lower()


def _is_fingerprint(digits: str) -> bool:
    return len(digits) == FINGERPRINT_LENGTH and set(digits) <= set("0123456789abcdef")


def _titles(name: str, titles: Collection[str]) -> frozenset[str]:
    """Calling AE titles without the spaces at their ends, which mean nothing. A `str` is refused: it has every part of itself in it."""
    if isinstance(titles, str):
        raise UsageError(f"the callers with the certificate {name!r} are one text", advice=f"give a collection of AE titles: [{titles!r}]")
    return frozenset(title.strip(" ") for title in titles)
