"""T-07 and X-01 over real sockets: nobody is read who is not secured, and nobody waits for those who do not get that far."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from struct import pack

import pytest

import dimse
from dimse.association.events import TraceRecord
from dimse.errors import TLSFailed
from dimse.judge.wire import APPLICATION, ECHO_CONTEXT, ECHO_MESSAGE, RELEASE, Scene, request, user
from dimse.services.security import TLS
from tests.certificates import Holder, Site, tls_of
from tests.tls.pair import of_versions
from tests.tls.raw import PATIENCE, Raw

from .conditions import SERVED_WITHIN, conditions, others
from .providers import BYSTANDER, FRONTS, HOST, Provider, providing

HANDSHAKE = 0.3
TIMEOUTS = dimse.Timeouts(artim=5.0, tls_handshake=HANDSHAKE, idle=0.5, response=0.5, pdu=0.4, send=1.0, linger=0.2)
"""ARTIM is out of the way, so that it is the handshake's own deadline that counts."""
REQUEST = request(APPLICATION, ECHO_CONTEXT, user())(Scene(b"PEER", b"ME"))
FATAL, HANDSHAKE_FAILURE, PROTOCOL_VERSION = 2, 40, 70
"""Levels and descriptions of alerts (RFC 8446 6)."""


@dataclass
class Node:
    """A running provider with TLS, and everything that was traced of it."""

    provider: Provider
    site: Site
    stranger: Site
    peer: TLS
    records: list[TraceRecord] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.provider.port

    def why_not_served(self) -> str:
        """Asks for a C-ECHO from another address, as everybody does: empty if it is answered in time."""
        start = time.monotonic()
        with Raw(self.port, self.peer, source=BYSTANDER) as raw:
            raw.shake()
            for sent, kind in ((REQUEST, 2), (ECHO_MESSAGE, 4), (RELEASE, 6)):
                raw.say(sent)
                if (heard := raw.hear())[:1] != bytes([kind]):
                    return f"{heard[:10]!r} instead of a PDU of type {kind}"
        return "" if time.monotonic() - start < SERVED_WITHIN else "not served in time"

    def heard_of(self, source: str) -> list[object]:
        """The PDUs, and the bytes that are none, which the provider took from that host."""
        return [record.what for record in self.records if record.direction == "in" and record.association.peer.startswith(f"{source}:")]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Site]:
    folder = tmp_path_factory.mktemp("certificates")
    return Site(folder), Site(folder, "stranger")


@pytest.fixture(params=FRONTS)
def node(request: pytest.FixtureRequest, sites: tuple[Site, Site]) -> Iterator[Node]:
    site, stranger = sites
    peer, records = tls_of(site.issue("peer"), site), list[TraceRecord]()
    tls = tls_of(site.issue("node"), site, callers={"peer": ["ME"], "unbound": ["OTHER"]})
    with providing(request.param, dimse.Services(), tls=tls, timeouts=TIMEOUTS, trace=records.append) as provider:
        yield Node(provider, site, stranger, peer, records)


@contextmanager
def _connected(node: Node) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, node.port), PATIENCE) as sock:
        yield sock


def _end(sock: socket.socket) -> bytes:
    """Everything that comes until the provider closes the connection."""
    heard = b""
    while chunk := sock.recv(65_536):
        heard += chunk
    return heard


# T-07


@pytest.mark.parametrize("size", [pytest.param(len(REQUEST), id="T-07/plain"), pytest.param(1, id="T-07/plain-byte")])
def test_plain_dicom(node: Node, size: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with conditions(node.provider, tmp_path, caplog, node.why_not_served) as serve_others, _connected(node) as sock:
        sock.sendall(REQUEST[:size])
        assert _end(sock) == bytes((0x15, 3, 1, 0, 2, FATAL, PROTOCOL_VERSION))
        serve_others()
    assert len(others(node.provider)) == 1
    assert "the peer speaks DICOM without TLS" in others(node.provider)[0]
    assert node.heard_of(HOST) == []


@pytest.mark.parametrize(
    ("first", "count"),
    [
        pytest.param(b"", 1, id="T-07/silence"),
        pytest.param(b"", 12, id="T-07/silence-12"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 12, id="T-07/half"),
    ],
)
def test_silence(node: Node, first: bytes, count: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with conditions(node.provider, tmp_path, caplog, node.why_not_served) as serve_others, ExitStack() as stack:
        start = time.monotonic()
        silent = [stack.enter_context(_connected(node)) for _ in range(count)]
        for sock in silent:
            sock.sendall(first)
        serve_others()
        assert [_end(sock) for sock in silent] == [b""] * count
        assert time.monotonic() - start < 10
    assert len(others(node.provider)) == count
    assert all("the wait 'tls_handshake' passed" in ended for ended in others(node.provider))


@pytest.mark.parametrize("gap", [pytest.param(0.05, id="T-07/trickle")])
def test_trickle(node: Node, gap: float, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The deadline counts from the connection, not from the last byte."""
    with conditions(node.provider, tmp_path, caplog, node.why_not_served), Raw(node.port, node.peer) as raw:
        raw.channel.handshake()
        raw.socket.settimeout(gap)
        for byte in raw.channel.data_to_send():
            try:
                raw.socket.sendall(bytes([byte]))
                if raw.socket.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("the provider waited for every byte")
    assert any("the wait 'tls_handshake' passed" in ended for ended in others(node.provider))


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("hello", [pytest.param(bytes.fromhex("16030100C8010000C40303") + bytes(193), id="T-06")])
def test_tls_on_the_plain_port(front: str, hello: bytes) -> None:
    with providing(front, dimse.Services()) as provider:
        with socket.create_connection((HOST, provider.port), PATIENCE) as sock:
            sock.sendall(hello)
            assert _end(sock)[:10] == bytes((7, 0, 0, 0, 0, 4, 0, 0, 0, 0))
        provider.settle()
        assert "TLS on plain port" in others(provider)[0]


# certificates

HOLDERS: dict[str, tuple[Callable[[Node], Holder | None], str]] = {
    "none": (lambda node: None, "the peer has shown no certificate"),
    "self-signed": (lambda node: node.stranger.self_signed(), "is signed by itself"),
    "expired": (lambda node: node.site.issue("expired", expired=True), "has expired"),
    "wrong-CA": (lambda node: node.stranger.issue("peer"), "is signed by a CA that is not trusted here"),
}


def _ask(raw: Raw) -> bytes:
    """The end of the handshake and the request in one write, and everything that is answered."""
    raw.socket.sendall(raw.last_flight() + raw.channel.seal(REQUEST))
    return raw.end()


@pytest.mark.parametrize("version", [pytest.param(ssl.TLSVersion.TLSv1_2, id="1.2"), pytest.param(ssl.TLSVersion.TLSv1_3, id="1.3")])
@pytest.mark.parametrize("who", [pytest.param(who, id=f"X-01/{who}") for who in HOLDERS])
def test_certificates(node: Node, who: str, version: ssl.TLSVersion, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The request goes along with the end of the handshake, and is never read."""
    holder, why = HOLDERS[who]
    tls = tls_of(holder(node), node.site)
    with conditions(node.provider, tmp_path, caplog, node.why_not_served) as serve_others, Raw(node.port, of_versions(tls, version)) as raw:
        with pytest.raises((TLSFailed, ConnectionResetError)):
            _ask(raw)
        serve_others()
    assert len(others(node.provider)) == 1
    assert why in others(node.provider)[0]
    assert node.heard_of(HOST) == []
    assert "" in [report.peer.calling for report in node.provider.reports]


@pytest.mark.parametrize("titles", [pytest.param((b"ME", b"other", b"NOBODY"), id="X-01/unbound")])
def test_a_certificate_of_another_ae(node: Node, titles: tuple[bytes, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with conditions(node.provider, tmp_path, caplog, node.why_not_served) as serve_others:
        for title in titles:
            with Raw(node.port, tls_of(node.site.issue("unbound"), node.site)) as raw:
                raw.shake().say(request(APPLICATION, ECHO_CONTEXT, user())(Scene(b"PEER", title)))
                assert raw.hear() == bytes((3, 0, 0, 0, 0, 4, 0, 1, 1, 3))
            serve_others()
    assert len(others(node.provider)) == len(titles)
    assert all("the calling AE title is not bound to the certificate" in ended for ended in others(node.provider))


@pytest.mark.parametrize("count", [pytest.param(60, id="X-01/many")])
def test_many_handshakes_that_fail(node: Node, count: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with conditions(node.provider, tmp_path, caplog, node.why_not_served) as serve_others:
        for number in range(count):
            who = list(HOLDERS)[number % len(HOLDERS)]
            with Raw(node.port, tls_of(HOLDERS[who][0](node), node.site)) as raw, pytest.raises((TLSFailed, ConnectionResetError)):
                raw.shake().end()
        serve_others()
    assert len(others(node.provider)) == count


# versions and suites


def _hello(*suites: int, version: int = 0x0303) -> bytes:
    """A ClientHello with these cipher suites, of TLS 1.2 or older, by hand: OpenSSL may not have them any more (RFC 5246 7.4.1.2)."""
    extensions = b"".join(
        (
            bytes.fromhex("000a 0006 0004 001d0017"),  # groups: x25519, secp256r1
            bytes.fromhex("000b 0002 0100"),  # points: uncompressed
            bytes.fromhex("000d 000a 0008 0403 0804 0401 0201"),  # signatures: ECDSA, RSA-PSS, RSA, and RSA with SHA-1
        )
    )
    listed = b"".join(pack(">H", suite) for suite in suites)
    body = (
        pack(">H", version)
        + bytes(range(32))
        + b"\0"
        + pack(">H", len(listed))
        + listed
        + b"\1\0"
        + pack(">H", len(extensions))
        + extensions
    )
    return b"\x16\x03\x01" + pack(">H", len(body) + 4) + b"\1" + pack(">L", len(body))[1:] + body


GOOD = 0xC02B
"""TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256."""
WEAK = {
    "3DES": (0x000A, 0x0016, 0xC008, 0xC012),
    "RC4": (0x0004, 0x0005, 0xC007, 0xC011),
    "NULL": (0x0001, 0x0002, 0x003B, 0xC006, 0xC010),
    "anonymous": (0x006C, 0x00A6, 0xC018, 0xC019),
    "export": (0x0003, 0x0006, 0x0008, 0x0014),
    "static-RSA": (0x002F, 0x0035, 0x009C, 0x009D),
    "CBC": (0xC009, 0xC00A, 0xC013, 0xC014, 0xC023, 0xC027),
}


@pytest.mark.parametrize(
    ("hello", "alert"),
    [
        *(pytest.param(_hello(*suites), HANDSHAKE_FAILURE, id=f"X-01/{name}") for name, suites in WEAK.items()),
        pytest.param(_hello(GOOD, 0xC009, version=0x0301), PROTOCOL_VERSION, id="X-01/TLS-1.0"),
        pytest.param(_hello(GOOD, 0xC009, version=0x0302), PROTOCOL_VERSION, id="X-01/TLS-1.1"),
        pytest.param(_hello(GOOD, 0xC009, version=0x0300), HANDSHAKE_FAILURE, id="X-01/SSL-3.0"),
    ],
)
def test_what_is_too_weak(node: Node, hello: bytes, alert: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with conditions(node.provider, tmp_path, caplog, node.why_not_served) as serve_others, _connected(node) as sock:
        sock.sendall(hello)
        heard = _end(sock)
        assert heard[0] == 0x15
        assert heard[5:] == bytes((FATAL, alert))
        serve_others()
    assert len(others(node.provider)) == 1
    assert "that this side takes" in others(node.provider)[0]
    assert node.heard_of(HOST) == []


def test_the_hello_by_hand_is_sound(node: Node) -> None:
    """With one good suite it is answered."""
    with _connected(node) as sock:
        sock.sendall(_hello(*WEAK["3DES"], GOOD))
        assert sock.recv(100)[0] == 0x16


@pytest.mark.filterwarnings("ignore:.*TLSv1:DeprecationWarning")
@pytest.mark.parametrize(
    "newest", [pytest.param(ssl.TLSVersion.TLSv1, id="X-01/TLS-1.0"), pytest.param(ssl.TLSVersion.TLSv1_1, id="X-01/TLS-1.1")]
)
def test_clients_that_are_too_old(node: Node, newest: ssl.TLSVersion) -> None:
    with Raw(node.port, of_versions(node.peer, newest, ssl.TLSVersion.TLSv1)) as raw, pytest.raises(TLSFailed):
        raw.last_flight()
    node.provider.settle()
    assert "the peer speaks TLS in no version that this side takes" in others(node.provider)[0]
