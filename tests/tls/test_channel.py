"""The channel without I/O: who is let in, what each side is told of a failure, and that bytes pass whole or not at all."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from ssl import TLSVersion

import pytest

from dimse.errors import ConnectionLost, TLSFailed, Unreachable, UsageError
from dimse.services.security import TLS
from dimse.tls import PROTOCOL_VERSION_ALERT, REASONS, client, server
from tests.certificates import HOST, Holder, Site, tls_of

from .pair import PROVIDER, USER, Pair, of_suites, of_versions

VERSIONS = [pytest.param(TLSVersion.TLSv1_2, id="TLSv1.2"), pytest.param(TLSVersion.TLSv1_3, id="TLSv1.3")]
RQ = b"\x01\0\0\0\0\x44\0\1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def site(folder: Path) -> Site:
    return Site(folder)


@pytest.fixture(scope="module")
def stranger(folder: Path) -> Site:
    """A CA that nobody here trusts."""
    return Site(folder, "stranger")


@pytest.fixture(scope="module")
def pacs(site: Site) -> Holder:
    return site.issue("pacs")


@pytest.fixture(scope="module")
def ct(site: Site) -> Holder:
    return site.issue("ct", "ct.example")


@pytest.fixture
def user(ct: Holder, site: Site) -> TLS:
    return tls_of(ct, site)


@pytest.fixture
def provider(pacs: Holder, site: Site) -> TLS:
    return tls_of(pacs, site)


# Both know each other


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("version", VERSIONS)
def test_each_knows_the_other(version: TLSVersion, chunk: int, user: TLS, provider: TLS, pacs: Holder, ct: Holder) -> None:
    pair = Pair(of_versions(user, version), provider, chunk=chunk)
    pair.shake()
    assert pair.user.security is not None
    assert pair.provider.security is not None
    assert pair.user.security.protocol == pair.provider.security.protocol == version.name.replace("v1_", "v1.")
    assert pair.user.security.cipher == pair.provider.security.cipher
    assert "GCM" in pair.user.security.cipher or "CHACHA20" in pair.user.security.cipher
    assert pair.user.security.certificate.fingerprint == pacs.fingerprint
    assert pair.user.security.certificate.names == ("pacs", HOST, "localhost")
    assert pair.provider.security.certificate.fingerprint == ct.fingerprint
    assert pair.provider.security.certificate.names == ("ct", "ct.example")


@pytest.mark.parametrize("chunk", [1, 1000, 1 << 20])
@pytest.mark.parametrize("version", VERSIONS)
def test_bytes_pass_whole(version: TLSVersion, chunk: int, user: TLS, provider: TLS) -> None:
    pair = Pair(of_versions(user, version), provider, chunk=chunk)
    pair.shake()
    for size in (0, 1, 16_383, 16_384, 16_385, 100_000):
        said = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert pair.say(said, pair.user) == said
        assert pair.say(said, pair.provider) == said
    assert pair.carry(pair.user.seal(memoryview(b"a view")), pair.provider) == b"a view"


def test_what_comes_with_the_end_of_the_handshake_is_not_lost(user: TLS, provider: TLS) -> None:
    pair = Pair(user, provider)
    pair.user.handshake()
    pair.provider.receive(pair.user.data_to_send())
    assert not pair.provider.handshake()
    pair.user.receive(pair.provider.data_to_send())
    assert pair.user.handshake()
    pair.provider.receive(pair.user.data_to_send() + pair.user.seal(RQ))
    assert pair.provider.handshake()
    assert pair.provider.read() == RQ


def test_one_end_of_a_provider_for_each_connection(user: TLS, provider: TLS) -> None:
    secured = server(provider)
    for _ in range(3):
        pair = Pair(user, secured(USER))
        pair.shake()
        assert pair.say(RQ, pair.user) == RQ
        assert not pair.provider._object.session_reused


def test_nothing_old_is_taken_up_again(user: TLS, provider: TLS) -> None:
    """A provider of TLS 1.3 hands out no tickets: each association shows its certificate anew."""
    secured = server(provider)
    first = Pair(user, secured(USER))
    first.shake()
    session = first.user._object.session
    assert session is None or not session.has_ticket


# One is not to be trusted


def _words(error: TLSFailed | None) -> str:
    return "" if error is None else error.what


OF_PROVIDER = f"TLS with {PROVIDER} failed: "
OF_USER = f"TLS with {USER} failed: "


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("who", "why", "told"),
    [
        ("none", "the peer has shown no certificate, and this side demands one", "demands a certificate of this side"),
        (
            "self-signed",
            "the peer's certificate is signed by itself, and is not trusted",
            "does not trust the CA of this side's certificate",
        ),
        ("expired", "the peer's certificate has expired", "the peer says that this side's certificate has expired"),
        (
            "wrong CA",
            "the peer's certificate is signed by a CA that is not trusted here",
            "does not trust the CA of this side's certificate",
        ),
    ],
)
def test_users_that_a_provider_does_not_take(
    who: str, why: str, told: str, version: TLSVersion, provider: TLS, site: Site, stranger: Site
) -> None:
    holders: dict[str, Callable[[], Holder | None]] = {
        "none": lambda: None,
        "self-signed": stranger.self_signed,
        "expired": lambda: site.issue("expired", expired=True),
        "wrong CA": lambda: stranger.issue("wrong"),
    }
    pair = Pair(of_versions(tls_of(holders[who](), site), version), provider)
    of_user, of_provider = pair.fails()
    assert _words(of_provider) == OF_USER + why
    assert told in _words(of_user)
    assert _words(of_user).startswith(OF_PROVIDER)
    assert pair.provider.security is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("who", "why", "told"),
    [
        ("self-signed", "is signed by itself, and is not trusted", "the peer does not trust the CA of this side's certificate"),
        ("expired", "has expired", "the peer says that this side's certificate has expired"),
        ("wrong CA", "is signed by a CA that is not trusted here", "the peer does not trust the CA of this side's certificate"),
        ("other name", "is for another address", "the peer does not take this side's certificate"),
    ],
)
def test_providers_that_a_user_does_not_take(
    who: str, why: str, told: str, version: TLSVersion, user: TLS, site: Site, stranger: Site, ct: Holder
) -> None:
    holders: dict[str, Callable[[], Holder]] = {
        "self-signed": stranger.self_signed,
        "expired": lambda: site.issue("expired", expired=True),
        "wrong CA": lambda: stranger.issue("wrong"),
        "other name": lambda: ct,
    }
    pair = Pair(of_versions(user, version), tls_of(holders[who](), site))
    of_user, of_provider = pair.fails()
    assert _words(of_user) == f"{OF_PROVIDER}the peer's certificate {why}"
    assert _words(of_provider) == OF_USER + told
    assert pair.user.security is None
    assert of_user is not None
    assert ("pin its fingerprint" in of_user.advice) is (who != "expired")


@pytest.mark.parametrize(
    ("host", "server_name", "why"),
    [
        ("ct.example", "", ""),
        ("pacs.example", "", "is for another name"),
        (HOST, "", "is for another address"),
        (HOST, "ct.example", ""),
        ("ct.example", "pacs.example", "is for another name"),
        ("example", "", "is for another name"),
    ],
)
def test_the_name_in_the_certificate(host: str, server_name: str, why: str, ct: Holder, site: Site) -> None:
    of_user, _ = Pair(tls_of(ct, site, server_name=server_name), tls_of(ct, site), host=host).fails()
    assert _words(of_user) == (f"{OF_PROVIDER}the peer's certificate {why}" if why else "")


def test_a_provider_is_called_by_no_name(user: TLS, pacs: Holder, site: Site) -> None:
    """One value for both roles: what names the peers that this side calls has nothing to do with those that call it."""
    Pair(user, tls_of(pacs, site, server_name="ct.example", pins=("0" * 64,))).shake()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pinned_certificate(version: TLSVersion, ct: Holder, site: Site, stranger: Site) -> None:
    """Neither its CA nor its name counts then."""
    signed_by_itself = stranger.self_signed()
    provider = tls_of(signed_by_itself, site)
    for pin in (signed_by_itself.fingerprint, signed_by_itself.fingerprint.upper()):
        pair = Pair(of_versions(tls_of(ct, None, pins=("1" * 64, pin)), version), provider, host="any.example")
        pair.shake()
        assert pair.say(RQ, pair.user) == RQ


@pytest.mark.parametrize("version", VERSIONS)
def test_another_certificate_than_the_pinned_one(version: TLSVersion, ct: Holder, provider: TLS, pacs: Holder) -> None:
    pair = Pair(of_versions(tls_of(ct, None, pins=(ct.fingerprint,)), version), provider)
    of_user, _ = pair.fails()
    assert _words(of_user) == f"{OF_PROVIDER}the peer's certificate is another than the pinned one: its fingerprint is {pacs.fingerprint}"
    assert pair.user.security is None
    assert pair.user.data_to_send() == b""
    with pytest.raises(TLSFailed, match="pinned"):
        pair.user.handshake()  # nor later


def test_with_a_ca_a_pinned_certificate_must_be_signed(ct: Holder, site: Site, stranger: Site, pacs: Holder) -> None:
    wrong = stranger.issue("pacs")
    of_user, _ = Pair(tls_of(ct, site, pins=(wrong.fingerprint,)), tls_of(wrong, site)).fails()
    assert "signed by a CA that is not trusted here" in _words(of_user)
    Pair(tls_of(ct, site, pins=(pacs.fingerprint,)), tls_of(pacs, site), host="any.example").shake()


def test_without_a_ca_those_of_the_system_count(provider: TLS, monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    of_user, _ = Pair(TLS(), provider).fails()
    assert "signed by a CA that is not trusted here" in _words(of_user)
    monkeypatch.setenv("SSL_CERT_FILE", str(site.ca))
    of_user, _ = Pair(TLS(), provider).fails()
    assert "which has shown none" in _words(of_user)  # the provider was trusted


def test_anybody_where_nobody_verifies(pacs: Holder, stranger: Site, site: Site) -> None:
    pair = Pair(TLS(unsafe_no_verify=True), tls_of(pacs, None, unsafe_no_verify=True), host="any.example")
    pair.shake()
    assert pair.provider.security is not None
    assert pair.user.security is not None
    assert pair.provider.security.certificate.fingerprint == ""
    assert pair.user.security.certificate.fingerprint == pacs.fingerprint
    assert pair.user.security.certificate.names == ()  # which nobody vouches for


def test_nothing_is_unverified_unless_asked_for(user: TLS, provider: TLS, pacs: Holder) -> None:
    of_user, of_provider = client(user, HOST, PROVIDER)._object.context, server(provider)(USER)._object.context
    assert [of_user.verify_mode, of_provider.verify_mode] == [ssl.CERT_REQUIRED] * 2
    assert of_user.check_hostname
    assert client(TLS(), HOST, PROVIDER)._object.context.verify_mode == ssl.CERT_REQUIRED
    for context in (of_user, of_provider):
        assert context.minimum_version == TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION
        assert context.options & ssl.OP_NO_COMPRESSION
        assert not context.keylog_filename
        for suite in context.get_ciphers():
            assert suite["protocol"] == "TLSv1.3" or suite["name"].startswith(("ECDHE-ECDSA-", "ECDHE-RSA-"))
            assert "GCM" in suite["name"] or "CHACHA20" in suite["name"]


# What is too old or too weak


@pytest.mark.parametrize("newest", [TLSVersion.TLSv1, TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:.*TLSv1:DeprecationWarning")
def test_versions_that_are_too_old(newest: TLSVersion, user: TLS, provider: TLS) -> None:
    of_user, of_provider = Pair(of_versions(user, newest, TLSVersion.TLSv1), provider).fails()
    why = "the peer speaks TLS in no version that this side takes, which are 1.2 and 1.3"
    assert (_words(of_user), _words(of_provider)) == (OF_PROVIDER + why, OF_USER + why)


@pytest.mark.parametrize("suites", ["RSA", "eNULL", "ECDHE+SHA1", "ADH", "DHE", "3DES", "RC4"])
def test_suites_that_are_too_weak(suites: str, user: TLS, provider: TLS) -> None:
    try:
        channel = of_suites(user, suites)
    except ssl.SSLError:
        pytest.skip(f"this OpenSSL has no {suites}")
    of_user, of_provider = Pair(channel, provider).fails()
    assert "takes no cipher suite that this side takes" in _words(of_provider)
    assert "no cipher suite in common" in _words(of_user)


# What is no TLS


@pytest.mark.parametrize(
    ("chunk", "why"),
    [
        (RQ, "the peer speaks DICOM without TLS"),
        (RQ[:1], "the peer speaks DICOM without TLS"),
        (b"GET / HTTP/1.1", "what the peer sent is no TLS"),
    ],
)
def test_plain_bytes_to_a_provider(chunk: bytes, why: str, provider: TLS) -> None:
    channel = server(provider)(USER)
    assert not channel.handshake()
    with pytest.raises(TLSFailed, match=why) as caught:
        channel.receive(chunk)
    assert "this port takes TLS only" in caught.value.advice
    assert channel.data_to_send() == PROTOCOL_VERSION_ALERT
    assert channel.data_to_send() == b""


@pytest.mark.parametrize(
    ("chunk", "why"),
    [(b"\x07\0\0\0\0\4\0\0\2\1", "the peer speaks DICOM without TLS"), (b"HTTP/1.1 400 Bad", "what the peer sent is no TLS")],
)
def test_plain_bytes_to_a_user(chunk: bytes, why: str, user: TLS) -> None:
    channel = client(user, HOST, PROVIDER)
    assert not channel.handshake()
    assert channel.data_to_send()[0] == 0x16
    with pytest.raises(TLSFailed, match=why) as caught:
        channel.receive(chunk)
    assert "connect without TLS" in caught.value.advice
    assert channel.data_to_send() == b""  # a DICOM node would take it for a PDU


@pytest.mark.parametrize(
    "junk", [b"\x16" * 60, b"\x16\x03\x01\xff\xff" + bytes(100), b"\x15\x03\x01\x00\x02\x02\x28", b"\x16\x03\x01\0\5hello"]
)
def test_what_begins_like_tls_and_is_none(junk: bytes, provider: TLS) -> None:
    channel = server(provider)(USER)
    channel.receive(junk)
    with pytest.raises(TLSFailed, match=f"TLS with {USER} failed: ."):
        channel.handshake()


def test_an_end_before_anything(user: TLS, provider: TLS) -> None:
    """Who only looks whether the port is open did nothing wrong."""
    with pytest.raises(ConnectionLost):
        server(provider)(USER).receive_eof()
    with pytest.raises(TLSFailed, match="in the middle of the handshake") as caught:
        client(user, HOST, PROVIDER).receive_eof()
    assert caught.value.advice == "is it a port for TLS?"


def test_an_end_in_the_middle_of_the_handshake(user: TLS, provider: TLS) -> None:
    pair = Pair(user, provider)
    pair.user.handshake()
    pair.provider.receive(pair.user.data_to_send()[:20])
    assert not pair.provider.handshake()
    with pytest.raises(TLSFailed, match="in the middle of the handshake") as caught:
        pair.provider.receive_eof()
    assert caught.value.advice == ""


# What is changed on the way


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("at", [0, 1, 2, 3, 4, 5, 20, -1])
def test_changed_bytes_are_never_heard(at: int, version: TLSVersion, user: TLS, provider: TLS) -> None:
    pair = Pair(of_versions(user, version), provider)
    pair.shake()

    def tamper(sent: bytes) -> bytes:
        changed = bytearray(sent)
        changed[at] ^= 0x41
        return bytes(changed)

    pair.tamper = tamper
    with pytest.raises(TLSFailed, match="changed on the way") as caught:
        pair.say(b"a message " * 10, pair.user)
    alert = pair.provider.data_to_send()
    assert alert[0] in (0x15, 0x17)
    with pytest.raises(TLSFailed, match=REASONS[""][0]):
        pair.provider.seal(b"no more")
    pair.tamper = bytes
    with pytest.raises(TLSFailed):
        pair.carry(alert, pair.user)
    assert caught.value.address == USER


@pytest.mark.parametrize("at", range(0, 240, 20))
def test_a_changed_handshake_comes_to_nothing(at: int, user: TLS, provider: TLS) -> None:
    pair = Pair(user, provider)

    def tamper(sent: bytes) -> bytes:
        return sent[:at] + bytes([sent[at] ^ 0x10]) + sent[at + 1 :] if len(sent) > at else sent

    pair.tamper = tamper
    of_user, of_provider = pair.fails()
    assert of_user or of_provider
    assert pair.provider.security is None


# The end


@pytest.mark.parametrize("version", VERSIONS)
def test_the_end_is_told(version: TLSVersion, user: TLS, provider: TLS) -> None:
    pair = Pair(of_versions(user, version), provider)
    pair.shake()
    last = pair.user.seal(b"the last")
    pair.user.close()
    assert pair.carry(last + pair.user.data_to_send(), pair.provider) == b"the last"
    assert (pair.user.at_end, pair.provider.at_end) == (False, True)
    pair.provider.close()
    assert pair.carry(pair.provider.data_to_send(), pair.user) == b""
    assert (pair.user.at_end, pair.provider.at_end) == (True, True)
    assert pair.user.read() == pair.provider.read() == b""
    pair.user.close()  # may be called again
    assert pair.user.data_to_send() == b""


def test_an_end_with_bytes_that_nobody_read(user: TLS, provider: TLS) -> None:
    pair = Pair(user, provider)
    pair.shake()
    pair.provider.receive(pair.user.seal(RQ))
    pair.provider.close()
    assert pair.provider.data_to_send()


# Files


@pytest.mark.parametrize(
    ("broken", "content", "why"),
    [
        ("key", None, "cannot read the private key"),
        ("key", "", "is no private key in PEM form"),
        ("key", "-----BEGIN ENCRYPTED PRIVATE KEY-----", "protected by a passphrase"),
        ("key", "Proc-Type: 4,ENCRYPTED\n-----BEGIN RSA PRIVATE KEY-----", "protected by a passphrase"),
        ("key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "cannot use the private key"),
        ("certificate", None, "cannot read the certificate"),
        ("certificate", "", "is no certificate in PEM form"),
        ("certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "cannot use the private key"),
        ("ca", None, "cannot read the CA"),
        ("ca", "", "is no CA in PEM form"),
        ("ca", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "cannot use the CA"),
    ],
)
def test_files_that_are_no_use(broken: str, content: str | None, why: str, user: TLS, tmp_path: Path) -> None:
    file = tmp_path / "broken.pem"
    if content is not None:
        file.write_text(content, encoding="ascii")
    files = {"key": user.key, "certificate": user.certificate, "ca": user.ca, broken: file}
    for end in (lambda tls: client(tls, HOST, PROVIDER), server):
        with pytest.raises(UsageError, match=why) as caught:
            end(TLS(**files))  # type: ignore[arg-type]  # files by name
        assert str(file) in str(caught.value)


def test_a_key_of_another_certificate(ct: Holder, pacs: Holder, site: Site) -> None:
    with pytest.raises(UsageError, match="do not belong together"):
        server(TLS(key=ct.key, certificate=pacs.certificate, ca=site.ca))


def test_a_provider_needs_a_certificate_and_a_ca(pacs: Holder, site: Site) -> None:
    with pytest.raises(UsageError, match="needs a private key and a certificate"):
        server(TLS(ca=site.ca))
    with pytest.raises(UsageError, match="needs the CA"):
        server(tls_of(pacs, None))


@pytest.mark.parametrize("host", ["", ".pacs", "€" * 80, "a" * 300, "pacs\0.example"])
def test_hosts_that_have_no_name(host: str, user: TLS) -> None:
    with pytest.raises(Unreachable, match="is no name of a host"):
        client(user, host, f"{host}:2762")


def test_words_for_every_reason() -> None:
    for why, advice in REASONS.values():
        assert why
        assert not why.endswith(".")
        assert not advice.endswith(".")
