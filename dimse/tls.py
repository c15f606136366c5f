"""TLS without I/O: a `Channel` takes the bytes of the wire and gives plain ones, and the other way round. Both fronts use it.

    channel = client(TLS(ca="site-ca.pem"), "pacs", "pacs:2762")        # or server(TLS(...))("10.0.0.7:51234")
    while not channel.handshake(): ...                                  # send data_to_send(), receive(chunk)
    channel.seal(plain) -> bytes for the wire
    channel.receive(chunk), channel.read() -> plain bytes

The profile is PS3.15 B.12 (BCP 195, RFC 8996, RFC 9325): TLS 1.2 and 1.3, ECDHE with AES-GCM or ChaCha20, nothing older or weaker,
no compression, no renegotiation. A provider demands a certificate of its site's CA. This is the one module that imports ssl.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from dimse.errors import ConnectionLost, TLSFailed, Unreachable, UsageError
from dimse.services.security import TLS, Certificate, File, Security

SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""For TLS 1.2; those of 1.3 are all good. Level 2: RSA from 2048 bits, elliptic curves from 224, no SHA-1 in signatures."""
RECORD = 16_384
"""Bytes of a TLS record at most (RFC 8446 5.1)."""
ALERT, HANDSHAKE = 0x15, 0x16
"""Content types, the first byte of a record (RFC 8446 5.1)."""
DICOM = range(1, 8)
"""PDU types, the first byte of a PDU (PS3.8 9.3.1)."""
PROTOCOL_VERSION_ALERT = bytes((ALERT, 3, 1, 0, 2, 2, 70))
"""What a peer that does not speak TLS at all is told."""


def client(tls: TLS, host: str, address: str) -> Channel:
    """A user's end of a connection to `host`; `address` is for messages. Raises `UsageError` for files that are no use."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, tls)
    context.check_hostname = not tls.pins and not tls.unsafe_no_verify
    is_signed = (tls.ca is not None or not tls.pins) and not tls.unsafe_no_verify
    context.verify_mode = ssl.CERT_REQUIRED if is_signed else ssl.CERT_NONE
    if tls.ca is None and is_signed:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return Channel(context, tls, address, host)


def server(tls: TLS) -> Callable[[str], Channel]:
    """Makes a provider's end of connections, by the peer's address. Raises `UsageError` for files that are no use."""
    if tls.certificate is None:
        raise UsageError("a provider with TLS needs a private key and a certificate", "PS3.15 B.12", "give both")
    if tls.ca is None and not tls.unsafe_no_verify:
        raise UsageError(
            "a provider with TLS needs the CA that its peers' certificates are signed by", "PS3.15 B.12", "give the site's CA and no other"
        )
    context = _context(ssl.PROTOCOL_TLS_SERVER, tls)
    context.verify_mode = ssl.CERT_NONE if tls.unsafe_no_verify else ssl.CERT_REQUIRED
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0  # with TLS 1.3 every association is a whole handshake; a ticket of 1.2 lasts two hours at most
    return lambda address: Channel(context, tls, address, None)


class Channel:
    """One end of a TLS connection. `host` is whom a user calls; None is a provider's end.

    Whatever goes wrong raises `TLSFailed`; what `data_to_send` gives then is the alert for the peer. Raises `Unreachable` for a
    host that can have no certificate because its name is none.
    """

    def __init__(self, context: ssl.SSLContext, tls: TLS, address: str, host: str | None) -> None:
        self.security: Security | None = None
        """Known when the handshake is over."""
        self.at_end = False
        """The peer has said that nothing more comes (close_notify); known when all that came before has been read."""
        self._tls = tls
        self._address = address
        self._is_server = host is None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if host is None else tls.server_name or host
        try:
            self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=host is None, server_hostname=name)
        except (TypeError, ValueError) as error:  # the former for a NUL in it
            raise Unreachable(address, f"{name!r} is no name of a host") from error
        self._alert = b""
        self._has_begun = False

    # Inputs

    def receive(self, chunk: bytes) -> None:
        """Takes bytes of the wire; what they mean comes out of `handshake` and `read`."""
        if not self._has_begun:
            self._has_begun = True
            self._check_is_tls(chunk)
        self._incoming.write(chunk)

    def receive_eof(self) -> None:
        """The peer closed during the handshake, which is over then: raises, always."""
        if not self._has_begun and self._is_server:
            raise ConnectionLost
        why = "the peer closed the connection in the middle of the handshake"
        raise TLSFailed(self._address, why, "" if self._has_begun else "is it a port for TLS?")

    # Commands

    def handshake(self) -> bool:
        """Goes on as far as it can; whether it is over. Before it is, there is nothing to read."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise self._failed(error) from None
        security = self._peer()
        if self._tls.pins and not self._is_server and security.certificate.fingerprint not in self._tls.pins:
            self._outgoing.read()  # nothing that is this side's goes to a stranger
            found = security.certificate.fingerprint
            raise TLSFailed(self._address, f"the peer's certificate is another than the pinned one: its fingerprint is {found}")
        self.security = security
        return True

    def seal(self, plain: bytes | memoryview) -> bytes:
        """Plain bytes as bytes for the wire."""
        view, at = memoryview(plain), 0
        try:
            while at < len(view):
                at += self._object.write(view[at : at + RECORD])
        except ssl.SSLError as error:
            raise self._failed(error) from None
        return self._outgoing.read()

    def close(self) -> None:
        """Tells the peer that no more comes (close_notify)."""
        try:
            self._object.unwrap()
        except ssl.SSLError:
            return  # the peer's own may come or not; the transport is closed anyway

    # Outputs

    def read(self) -> bytes:
        """All plain bytes that there are: none if a record is not yet complete."""
        return b"".join(self._records())

    def data_to_send(self) -> bytes:
        """What the handshake, an alert or `close` has to send."""
        alert, self._alert = self._alert, b""
        return alert or self._outgoing.read()

    # Inside

    def _records(self) -> Iterator[bytes]:
        while True:
            try:
                record = self._object.read(RECORD)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:  # both sides have said that nothing more comes
                record = b""
            except ssl.SSLError as error:
                raise self._failed(error) from None
            if not record:
                self.at_end = True
                return
            yield record

    def _check_is_tls(self, chunk: bytes) -> None:
        if chunk[0] in (HANDSHAKE, ALERT):
            return
        self._alert = PROTOCOL_VERSION_ALERT if self._is_server else b""
        what = "the peer speaks DICOM without TLS" if chunk[0] in DICOM else "what the peer sent is no TLS"
        advice = "this port takes TLS only: have the peer use it" if self._is_server else "connect without TLS, or to its port for TLS"
        raise TLSFailed(self._address, what, advice)

    def _peer(self) -> Security:
        cipher = self._object.cipher()
        encoded = self._object.getpeercert(binary_form=True)
        certificate = Certificate(sha256(encoded).hexdigest(), tuple(_names(self._object))) if encoded else Certificate()
        return Security(self._object.version() or "", cipher[0] if cipher else "", certificate)

    def _failed(self, error: ssl.SSLError) -> TLSFailed:
        if isinstance(error, ssl.SSLCertVerificationError):
            why = CERTIFICATE_WORDS.get(error.verify_code, f"cannot be verified: {error.verify_message}")
            advice = "" if self._is_server else CERTIFICATE_ADVICE.get(error.verify_code, "")
            return TLSFailed(self._address, f"the peer's certificate {why}", advice)
        reason = error.reason or ""
        return TLSFailed(self._address, *REASONS.get(reason, (reason.lower().replace("_", " "), "")))


CERTIFICATE_WORDS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by itself, and is not trusted",
    19: "is signed by a CA that is not trusted here",
    20: "is signed by a CA that is not trusted here",
    21: "is signed by a CA that is not trusted here",
    23: "has been revoked",
    26: "is not meant for this use",
    62: "is for another name",
    64: "is for another address",
    66: "has a key that is too weak",
    67: "is signed by a CA with a key that is too weak",
    68: "is signed with a digest that is too weak",
}
"""OpenSSL's X509_V_ERR codes."""
_TRUST = "name its CA, or pin its fingerprint"
_NAME = "call the peer by a name in its certificate, name that one for the check, or pin its fingerprint"
CERTIFICATE_ADVICE = {18: _TRUST, 19: _TRUST, 20: _TRUST, 21: _TRUST, 62: _NAME, 64: _NAME}
_UNWANTED = ("the peer does not take this side's certificate", "its log tells more")
_NOTHING_IN_COMMON = (
    "the two sides have no cipher suite in common, or the peer demands a certificate of this side",
    "ECDHE with AES-GCM or ChaCha20 is what this side takes; show a certificate if it has shown none",
)
_TOO_OLD = ("the peer speaks TLS in no version that this side takes, which are 1.2 and 1.3", "")
_NO_CERTIFICATE = ("the peer demands a certificate of this side, which has shown none", "give this side's private key and certificate")
_NO_RECORD = ("bytes came that are no TLS, or were changed on the way", "")
REASONS = {
    "": ("it has failed or ended before", ""),
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": ("the peer has shown no certificate, and this side demands one", ""),
    "NO_SHARED_CIPHER": ("the peer takes no cipher suite that this side takes: ECDHE with AES-GCM or ChaCha20", ""),
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "VERSION_TOO_LOW": _TOO_OLD,
    "TLSV1_ALERT_PROTOCOL_VERSION": _TOO_OLD,
    "TLSV1_ALERT_UNKNOWN_CA": ("the peer does not trust the CA of this side's certificate", "have the peer know it"),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": ("the peer says that this side's certificate has expired", "renew it"),
    "SSLV3_ALERT_CERTIFICATE_REVOKED": ("the peer says that this side's certificate has been revoked", ""),
    "SSLV3_ALERT_BAD_CERTIFICATE": _UNWANTED,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _UNWANTED,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _UNWANTED,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _NO_CERTIFICATE,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _NOTHING_IN_COMMON,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _NOTHING_IN_COMMON,
    "WRONG_VERSION_NUMBER": _NO_RECORD,
    "BAD_RECORD_TYPE": _NO_RECORD,
    "PACKET_LENGTH_TOO_LONG": _NO_RECORD,
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": ("bytes were changed on the way", ""),
}
"""OpenSSL's reasons -> what happened, and what to do."""


def _context(protocol: ssl._SSLMethod, tls: TLS) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if tls.key is not None and tls.certificate is not None:
        _load_own(context, tls.key, tls.certificate)
    if tls.ca is not None:
        _check_pem(tls.ca, b"CERTIFICATE", "CA")
        try:
            context.load_verify_locations(tls.ca)
        except ssl.SSLError as error:
            raise UsageError(f"cannot use the CA {tls.ca}: {_load_words(error)}") from None
    return context


def _load_own(context: ssl.SSLContext, key: File, certificate: File) -> None:
    _check_pem(certificate, b"CERTIFICATE", "certificate")
    _check_pem(key, b"PRIVATE KEY", "private key")
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # without it a protected key would ask on the terminal
    except ssl.SSLError as error:
        raise UsageError(f"cannot use the private key {key} with the certificate {certificate}: {_load_words(error)}") from None


def _check_pem(file: File, kind: bytes, what: str) -> None:
    """OpenSSL does not say which file it is about."""
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the {what} {file}: {error.strerror}") from None
    if kind + b"-----" not in content:
        raise UsageError(f"{file} is no {what} in PEM form", advice=f"it has to have a line -----BEGIN ... {kind.decode()}-----")
    if b"ENCRYPTED PRIVATE KEY" in content or b"Proc-Type: 4,ENCRYPTED" in content:
        raise UsageError(
            f"the {what} {file} is protected by a passphrase, which nobody is there to type", advice="'openssl pkey' removes it"
        )


def _load_words(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "they do not belong together"
    return (error.reason or str(error)).lower().replace("_", " ")


def _names(connection: ssl.SSLObject) -> Iterator[str]:
    """The names in the peer's certificate; OpenSSL gives them for a verified one only."""
    certificate = connection.getpeercert() or {}
    subject, alternatives = certificate.get("subject", ()), certificate.get("subjectAltName", ())
    pairs = [*(pair for rdn in _pairs(subject) for pair in _pairs(rdn)), *_pairs(alternatives)]
    for kind, value in (pair for pair in pairs if isinstance(pair, tuple) and len(pair) == 2):
        if kind in ("commonName", "DNS", "URI", "IP Address", "email"):
            yield str(value)


def _pairs(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()
