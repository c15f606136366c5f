"""TLS in both fronts: every service over it, and what becomes of those who cannot or will not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import pdu
from dimse import blocking
from dimse.association.config import Timeouts
from dimse.association.negotiation import Context, propose
from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian, StudyRootFind, StudyRootMove, Verification
from dimse.errors import Aborted, ConnectionLost, Rejected, TimedOut, TLSFailed, Unreachable, UsageError
from dimse.services.handlers import Address, Answer, Peer, Request, Services
from dimse.services.security import TLS
from dimse.services.session import Session
from tests.certificates import Holder, Site, tls_of
from tests.services.drivers import PATIENCE, Blocking, Front, Served
from tests.services.samples import QUERY, Account, Matches, Mover, instance
from tests.tls.raw import Raw

MOVE, FIND = Context(StudyRootMove, (ImplicitVRLittleEndian,)), Context(StudyRootFind, (ImplicitVRLittleEndian,))
SOON = Timeouts(tls_handshake=0.1, artim=5.0, linger=0.05)
REQUEST = propose("SCP", "RAW", [Verification]).encode()


@dataclass(frozen=True)
class Parties:
    """Who there is: a site with its CA, a node and a user that have its certificates, and somebody else's CA."""

    site: Site
    stranger: Site
    node: Holder
    user: Holder

    @property
    def server(self) -> TLS:
        return tls_of(self.node, self.site)

    @property
    def client(self) -> TLS:
        return tls_of(self.user, self.site)


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    folder = tmp_path_factory.mktemp("certificates")
    site = Site(folder)
    return Parties(site, Site(folder, "stranger"), site.issue("node"), site.issue("user"))


# Services over TLS


def test_echo_and_who_it_was(front: Front, parties: Parties) -> None:
    peers: list[Peer] = []

    def echo(request: Request) -> Answer:
        peers.append(request.peer)
        return None

    served = front.serve(Services(echo=echo), tls=parties.server)
    with front.connect(served, [Verification], calling="ME", tls=parties.client) as link:
        assert link.echo().ok
        assert link.echo().ok
        seen = link.session.wire.security
    report = served.report()
    assert report.ended == "released"
    assert seen is not None
    assert seen.protocol == "TLSv1.3"
    assert seen.certificate.fingerprint == parties.node.fingerprint
    assert report.peer.security is not None
    assert report.peer.security.certificate.fingerprint == parties.user.fingerprint
    assert report.peer.security.certificate.names[0] == "user"
    assert peers == [report.peer, report.peer]


def test_store_find_and_move(front: Front, parties: Parties) -> None:
    account, taken = Account(), Account()
    instances = [instance(1, 300_000), instance(2, 0), instance(3, 16_384)]
    destination = front.serve(Services(sink=taken.sink), aet="DEST", tls=parties.server)
    mover = Mover(instances, {"DEST": Address("DEST", destination.host, destination.port, parties.client)})
    services = Services(sink=account.sink, find=Matches(5), move=mover.move, where=mover.where)
    served = front.serve(services, tls=parties.server)
    with front.connect(served, [CTImageStorage, FIND, MOVE], tls=parties.client) as link:
        assert all(status.ok for _, status in link.store_all(instances))
        assert len(list(link.find(QUERY))) == 5
        result = link.move(QUERY, "DEST")
        assert (result.completed, result.failed) == (3, 0)
    assert served.report().ended == "released"
    assert destination.report().peer.security is not None
    expected = {one.sop_instance_uid: one.encoded for one in instances}
    assert account.stored == expected
    assert taken.stored == expected


def test_a_destination_without_tls_where_it_is_wanted(front: Front, parties: Parties) -> None:
    destination = front.serve(Services(sink=Account().sink), aet="DEST")
    mover = Mover([instance(1)], {"DEST": Address("DEST", destination.host, destination.port, parties.client)})
    served = front.serve(Services(move=mover.move, where=mover.where), tls=parties.server)
    with front.connect(served, [MOVE], tls=parties.client) as link:
        assert link.move(QUERY, "DEST").status == 0xA702
        assert link.session.alive
    assert "TLS on plain port" in destination.report().ended


def test_much_in_both_directions(front: Front, parties: Parties) -> None:
    account = Account()
    big = instance(1, 8_000_000)
    mover = Mover([big])
    served = front.serve(Services(sink=account.sink, get=mover.move), tls=parties.server)
    with front.connect(served, [CTImageStorage], tls=parties.client) as link:
        assert link.store(big).ok
    assert account.stored == {big.sop_instance_uid: big.encoded}


def test_releases_and_aborts_are_told(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    front.connect(served, [Verification], tls=parties.client).abort()
    assert served.report().ended.startswith("the peer aborted")
    front.connect(served, [Verification], tls=parties.client).release()
    assert served.report().ended == "released"


# One side by hand


def _answer(raw: Raw) -> pdu.PDU:
    heard = b""
    while len(heard) < 6 or len(heard) < 6 + int.from_bytes(heard[2:6], "big"):
        chunk = raw.hear()
        assert chunk, "the peer closed the connection"
        heard += chunk
    return pdu.decode(heard)


def test_a_request_in_the_segment_that_ends_the_handshake(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    with Raw(served.port, parties.client) as raw:
        last = raw.last_flight()
        raw.socket.sendall(last + raw.channel.seal(REQUEST))
        assert isinstance(_answer(raw), pdu.AssociateAC)
        raw.say(pdu.ReleaseRQ().encode())
        assert isinstance(_answer(raw), pdu.ReleaseRP)
    assert served.report().ended == "released"


def test_an_end_in_the_segment_that_ends_the_handshake(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    with Raw(served.port, parties.client) as raw:
        last = raw.last_flight()
        abort = raw.channel.seal(REQUEST + pdu.Abort(0, 0).encode())
        raw.channel.close()
        raw.socket.sendall(last + abort + raw.channel.data_to_send())
        assert served.report().ended.startswith("the peer aborted")


def test_one_byte_at_a_time(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    with Raw(served.port, parties.client) as raw:
        for byte in raw.last_flight() + raw.channel.seal(REQUEST):
            raw.socket.sendall(bytes([byte]))
        assert isinstance(_answer(raw), pdu.AssociateAC)
        for byte in raw.channel.seal(pdu.ReleaseRQ().encode()):
            raw.socket.sendall(bytes([byte]))
        assert isinstance(_answer(raw), pdu.ReleaseRP)
    assert served.report().ended == "released"


def test_close_notify_is_the_end(front: Front, parties: Parties) -> None:
    """Though the transport connection stays open: whoever says so sends no more."""
    served = front.serve(tls=parties.server)
    with Raw(served.port, parties.client) as raw:
        raw.shake().say(REQUEST)
        assert isinstance(_answer(raw), pdu.AssociateAC)
        raw.channel.close()
        raw.socket.sendall(raw.channel.data_to_send())
        assert served.report().ended.startswith("the connection closed")
        assert raw.end() == b""
        assert raw.channel.at_end  # the other side has said so too


def test_close_notify_behind_the_last_message(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    with Raw(served.port, parties.client) as raw:
        raw.shake().say(REQUEST)
        assert isinstance(_answer(raw), pdu.AssociateAC)
        last = raw.channel.seal(pdu.ReleaseRQ().encode())
        raw.channel.close()
        raw.socket.sendall(last + raw.channel.data_to_send())
        assert served.report().ended == "released"


def test_half_closed_behind_the_request(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    with Raw(served.port, parties.client) as raw:
        raw.shake().say(REQUEST)
        raw.socket.shutdown(socket.SHUT_WR)
        assert served.report().ended.startswith("the connection closed")


def test_a_part_of_a_record_is_no_sign_of_life(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server, timeouts=Timeouts(idle=0.3, artim=5.0, linger=0.05))
    with Raw(served.port, parties.client) as raw:
        raw.shake().say(REQUEST)
        assert isinstance(_answer(raw), pdu.AssociateAC)
        raw.socket.settimeout(0.02)
        ended = b""
        for byte in raw.channel.seal(bytes(5000)):
            try:
                raw.socket.sendall(bytes([byte]))
                ended = raw.socket.recv(1000)
                break
            except TimeoutError:
                continue
        assert ended
    assert "the wait 'idle' passed" in served.report().ended


def test_changed_bytes(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    with Raw(served.port, parties.client) as raw:
        raw.shake().say(REQUEST)
        assert isinstance(_answer(raw), pdu.AssociateAC)
        sealed = bytearray(raw.channel.seal(pdu.ReleaseRQ().encode()))
        sealed[-1] ^= 1
        raw.socket.sendall(sealed)
        with pytest.raises(TLSFailed, match="record mac"):
            raw.end()
    ended = served.report().ended
    assert ended.startswith(f"TLS with {served_peer(ended)} failed: bytes were changed on the way")


def served_peer(ended: str) -> str:
    return ended.split()[2]


@pytest.mark.parametrize("junk", [b"\x16\x03\x01\0\x05hello", b"\x16" * 40])
def test_what_begins_like_tls_and_is_none(front: Front, junk: bytes, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    with socket.create_connection((served.host, served.port), PATIENCE) as sock:
        sock.sendall(junk)
        while sock.recv(100):
            pass
    assert served.report().ended.startswith("TLS with 127.0.0.1:")


# Who is not let in


def _failing(front: Front, served: Served, tls: TLS | None) -> Exception:
    """What the user is told. With TLS 1.3 its own certificate is refused behind its end of the handshake."""
    with pytest.raises((TLSFailed, ConnectionLost, Aborted, TimedOut)) as caught:
        front.connect(served, [Verification], tls=tls)
    return caught.value


@pytest.mark.parametrize("who", ["none", "self-signed", "expired", "wrong CA"])
def test_users_that_are_not_taken(front: Front, who: str, parties: Parties) -> None:
    holders: dict[str, Callable[[], Holder | None]] = {
        "none": lambda: None,
        "self-signed": parties.stranger.self_signed,
        "expired": lambda: parties.site.issue("expired", expired=True),
        "wrong CA": lambda: parties.stranger.issue("wrong"),
    }
    words = {
        "none": ("which has shown none", "the peer has shown no certificate"),
        "self-signed": ("does not trust the CA", "signed by itself"),
        "expired": ("this side's certificate has expired", "the peer's certificate has expired"),
        "wrong CA": ("does not trust the CA", "signed by a CA that is not trusted here"),
    }
    served = front.serve(tls=parties.server)
    told = _failing(front, served, tls_of(holders[who](), parties.site))
    assert isinstance(told, TLSFailed)
    assert words[who][0] in str(told)
    report = served.report()
    assert words[who][1] in report.ended
    assert report.peer.calling == ""
    assert report.peer.security is None


@pytest.mark.parametrize("how", ["wrong CA", "other name", "other pin"])
def test_providers_that_are_not_taken(front: Front, how: str, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    tls = {
        "wrong CA": tls_of(parties.user, parties.stranger),
        "other name": tls_of(parties.user, parties.site, server_name="other.example"),
        "other pin": tls_of(parties.user, None, pins=("0" * 64,)),
    }[how]
    told = _failing(front, served, tls)
    assert isinstance(told, TLSFailed)
    assert "the peer's certificate" in str(told)
    assert served.report().ended.startswith("TLS with 127.0.0.1:")


def test_a_pinned_provider(front: Front, parties: Parties) -> None:
    served = front.serve(tls=tls_of(parties.stranger.self_signed(), parties.site))
    pins = (parties.stranger.self_signed().fingerprint,)
    with front.connect(served, [Verification], tls=tls_of(parties.user, None, pins=pins)) as link:
        assert link.echo().ok


def test_certificates_are_bound_to_calling_ae_titles(front: Front, parties: Parties) -> None:
    tls = tls_of(parties.node, parties.site, callers={parties.user.fingerprint: ["CT1"], "other": ["MR1"]})
    served = front.serve(tls=tls)
    with front.connect(served, [Verification], calling="CT1", tls=parties.client) as link:
        assert link.echo().ok
    assert served.report().ended == "released"
    for calling in ("MR1", "ct1", "ANY"):
        with pytest.raises(Rejected) as caught:
            front.connect(served, [Verification], calling=calling, tls=parties.client)
        assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 3)
        report = served.report()
        assert "is not bound to the certificate" in report.ended
        assert report.peer.calling == calling


# TLS on one side only


def test_plain_dicom_on_a_tls_port(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    told = _failing(front, served, None)
    assert isinstance(told, Aborted)
    assert "plain DICOM on TLS port" in str(told)
    assert "the peer speaks DICOM without TLS" in served.report().ended


def test_tls_on_a_plain_port(front: Front, parties: Parties) -> None:
    served = front.serve()
    told = _failing(front, served, parties.client)
    assert isinstance(told, TLSFailed)
    assert "the peer speaks DICOM without TLS" in str(told)
    assert "TLS on plain port" in served.report().ended


# Silence


def test_a_user_that_says_nothing(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server, timeouts=SOON)
    with socket.create_connection((served.host, served.port), PATIENCE) as sock:
        assert sock.recv(100) == b""
    assert "the wait 'tls_handshake' passed" in served.report().ended


def test_a_handshake_that_stops_half_way(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server, timeouts=SOON)
    with Raw(served.port, parties.client) as raw:
        raw.last_flight()
        while raw.socket.recv(1000):
            pass
    assert "the wait 'tls_handshake' passed" in served.report().ended


def test_artim_counts_from_the_connection(front: Front, parties: Parties) -> None:
    """The handshake does not make more time for the A-ASSOCIATE-RQ."""
    served = front.serve(tls=parties.server, timeouts=Timeouts(tls_handshake=None, artim=0.2, linger=0.05))
    with socket.create_connection((served.host, served.port), PATIENCE) as sock:
        assert sock.recv(100) == b""
    assert "the wait 'artim' passed" in served.report().ended
    with Raw(served.port, parties.client) as raw:
        raw.shake()
        assert raw.end() == b""
    assert "the wait 'artim' passed" in served.report().ended


def test_who_only_looks_whether_the_port_is_open(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    socket.create_connection((served.host, served.port), PATIENCE).close()
    assert served.report().ended.startswith("the connection closed")
    with Raw(served.port, parties.client) as raw:
        raw.channel.handshake()
        raw.socket.sendall(raw.channel.data_to_send()[:9])
    assert "in the middle of the handshake" in served.report().ended


class Silent:
    """A server that accepts, and then nothing."""

    def __init__(self, first: bytes = b"", closes: bool = False) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._first, self._closes = first, closes
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def address(self) -> Address:
        return Address("SILENT", *self._listener.getsockname())

    def close(self) -> None:
        self._thread.join(PATIENCE)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            connection.recv(10)
            connection.sendall(self._first)
            while not self._closes and connection.recv(65_536):
                pass


@pytest.mark.parametrize(
    ("first", "closes", "kind", "why"),
    [
        (b"", False, TimedOut, "the wait 'tls_handshake' passed"),
        (b"\x16\x03\x03\0\x50\x02", False, TimedOut, "the wait 'tls_handshake' passed"),
        (b"", True, TLSFailed, "is it a port for TLS"),
        (b"\x16\x03\x03\0\x50\x02", True, TLSFailed, "in the middle of the handshake"),
        (b"220 smtp\r\n", False, TLSFailed, "what the peer sent is no TLS"),
        (b"\x15\x03\x03\0\x02\x02\x28", False, TLSFailed, "no cipher suite in common"),
    ],
)
def test_servers_that_do_not_answer(front: Front, first: bytes, closes: bool, kind: type[Exception], why: str, parties: Parties) -> None:
    silent = Silent(first, closes)
    try:
        with pytest.raises(kind, match=why):
            front.connect(silent.address, [Verification], tls=parties.client, timeouts=SOON)
    finally:
        silent.close()


def test_a_handshake_that_has_no_time(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    with pytest.raises(TimedOut, match="the wait 'tls_handshake' passed"):
        front.connect(served, [Verification], tls=parties.client, timeouts=Timeouts(tls_handshake=0.0))


def test_nothing_comes_of_a_connection_that_has_ended(front: Front, parties: Parties) -> None:
    link = front.connect(front.serve(tls=parties.server), [Verification], tls=parties.client)
    link.abort()
    assert link.run(link.session.wire.pump()) == []
    link.run(link.session.wire.close())  # may be called again


def test_a_server_that_stops_does_not_wait_for_handshakes(front: Front, parties: Parties) -> None:
    served = front.serve(tls=parties.server)
    with Raw(served.port, parties.client) as raw:
        raw.last_flight()
        front.close()
        assert raw.socket.recv(100) == b""


def test_a_user_that_is_lost_behind_the_handshake(front: Front, peer: Blocking, parties: Parties) -> None:
    async def script(session: Session) -> None:
        await session.wire.secure()
        assert isinstance(session.wire, blocking.SocketWire)
        session.wire.shut()

    served = peer.serve(script=script, greets=False, tls=parties.server)
    with pytest.raises(ConnectionLost):
        front.connect(served, [Verification], tls=parties.client)


# Files and names


def test_files_are_read_before_anybody_is_called(front: Front, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the CA"):
        front.connect(front.nowhere(), [Verification], tls=TLS(ca=tmp_path / "missing"))
    with pytest.raises(UsageError, match="needs a private key"):
        front.serve(tls=TLS())


def test_nobody_listens(front: Front, parties: Parties) -> None:
    with pytest.raises(Unreachable, match="cannot open a connection"):
        front.connect(front.nowhere(), [Verification], tls=parties.client)


def test_no_such_host(front: Front, parties: Parties) -> None:
    with pytest.raises(Unreachable, match="is no name of a host"):
        front.connect(Address("", "", 2762), [Verification], tls=parties.client)
