"""A provider on a socket ends each association by itself, sends sound PDUs and nothing behind its last word, and leaves nothing open."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pdu
from dimse.association.config import Timeouts
from dimse.association.layer import UpperLayer
from dimse.services.handlers import Address
from dimse.services.scp import Provider, Report
from dimse.services.session import Session
from dimse.sockets import SocketWire, drive
from fuzz import seeds
from fuzz.choices import Choices
from fuzz.handlers import LIMITS, Kept
from fuzz.target import Features, Target, require
from fuzz.targets import message

NOBODY = Address("ARCHIVE", "127.0.0.1", 1)
"""A destination that refuses the connection at once."""
PATIENCE = 4.0
"""Seconds: longer than any wait of `TIMEOUTS`, none of which passes, because the peer closes behind its last byte."""
TIMEOUTS = Timeouts(artim=3.0, connect=1.0, associate=3.0, release=3.0, idle=3.0, response=3.0, pdu=3.0, send=3.0, linger=1.0)
_LAST_WORDS = (pdu.Abort, pdu.AssociateRJ, pdu.ReleaseRP)


class PairedSocket(socket.socket):
    """One end of a socket pair, which has no options of TCP; reads no more than `most` bytes at once."""

    most = 1 << 20

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:  # type: ignore[override]  # one of its forms is enough
        if level != socket.IPPROTO_TCP:
            super().setsockopt(level, option, value)

    def recv(self, size: int, flags: int = 0) -> bytes:
        return super().recv(min(size, self.most), flags)


def check(data: bytes) -> Features:
    """The first byte chooses raw bytes or messages behind a sound request, the second how much arrives at once."""
    choices = Choices(data)
    is_raw, most = choices.below(2) == 0, choices.number() * 64 or 1 << 20
    stream = choices.rest() if is_raw else REQUEST + b"".join(message.messages(choices)) + pdu.ReleaseRQ().encode()
    kept = Kept(NOBODY)
    report, replies = _serve(stream, most, kept)
    require(not report.errors, f"a handler failed, though none does: {report.errors}")
    require(kept.opened == kept.ended, "a sink was not ended exactly once")
    require(kept.size <= report.bytes_received <= len(stream), "data came from nowhere")
    require(bool(report.ended), "nobody knows how it ended")
    return (*report.counts, bool(report.failed), " ".join(report.ended.split()[:5]), _check_replies(replies))


def _serve(stream: bytes, most: int, kept: Kept) -> tuple[Report, bytes]:
    """Serves one association with a peer that sends all it has and closes its half: what happened, and what was sent."""
    near, far = socket.socketpair()
    sock = PairedSocket(near.family, near.type, near.proto, fileno=near.detach())
    sock.most = most
    replies: list[bytes] = []
    with far:
        peer = threading.Thread(target=_talk, args=(far, stream, replies.append), daemon=True)
        peer.start()
        try:
            wire = SocketWire(sock, UpperLayer.acceptor(timeouts=TIMEOUTS, limits=LIMITS), "pair:1")
            report = drive(Provider(Session(wire), kept.services, aet="ARCHIVE").serve())
            require(sock.fileno() == -1, "the socket is left open")
        finally:
            sock.close()
            peer.join(PATIENCE)
        require(not peer.is_alive(), "the peer does not see the end")
    return report, b"".join(replies)


def _talk(sock: socket.socket, stream: bytes, took: Callable[[bytes], object]) -> None:
    """The peer: sends a request, and the rest when there is an answer; closes its half, and takes what comes."""
    end = 6 + int.from_bytes(stream[2:6], "big")
    try:
        if stream[:1] == b"\1" and len(stream) >= end:
            sock.sendall(stream[:end])
            took(sock.recv(1 << 16))
            stream = stream[end:]
        sock.sendall(stream)
        sock.shutdown(socket.SHUT_WR)
        while reply := sock.recv(1 << 16):
            took(reply)
    except OSError:
        return  # closed before all was sent or read, as it may be


def _check_replies(replies: bytes) -> tuple[str, ...]:
    """Whole PDUs; behind an A-ABORT, a rejection or the release's confirmation there is at most an A-ABORT."""
    reader, names = pdu.Reader(), list[str]()
    ended = False
    for told in reader.feed(replies):
        require(not ended or isinstance(told, pdu.Abort), f"{type(told).__name__} behind the last word")
        ended = ended or isinstance(told, _LAST_WORDS)
        if not isinstance(told, pdu.Fragment):
            names.append(type(told).__name__)
    require(not reader.mid_pdu, "half a PDU was sent")
    return tuple(names[:4])


def _seeds() -> Iterator[bytes]:
    captured = seeds.captured()
    for name, data in captured.items():
        program = name.split("-")[0]
        if "associate-rq" in name:
            messages = [part for other, part in captured.items() if other.startswith(f"{program}-p-data")]
            yield b"\0\0" + data + b"".join(messages) + pdu.ReleaseRQ().encode()
    yield from (b"\0\0" + data for data in seeds.pdus())
    yield from (b"\0\0" + REQUEST + data for data in seeds.pdus())
    yield from (b"\1\0" + data[2:] for data in message.TARGET.seeds() if data[0] % 8 == 4)
    yield from seeds.findings("server")


REQUEST = message.REQUEST.encode()
TARGET = Target(
    check,
    _seeds,
    ("dimse.sockets", "dimse.services.scp", "dimse.services.session", "dimse.services.messages", "dimse.association.layer"),
)
