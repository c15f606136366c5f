"""A TLS client by hand over a real socket, which can stop, cut and mix where no sound one would."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

from dimse.services.security import TLS
from dimse.tls import Channel, client
from tests.certificates import HOST

PATIENCE = 30.0
"""Seconds until a test that waits for a peer has failed."""


class Raw:
    """One connection; `channel` is this side's end of TLS."""

    def __init__(self, port: int, tls: TLS | Channel, *, source: str = "") -> None:
        self.channel = tls if isinstance(tls, Channel) else client(tls, HOST, f"{HOST}:{port}")
        self.socket = socket.create_connection((HOST, port), PATIENCE, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def last_flight(self) -> bytes:
        """The handshake up to this side's last bytes, which are returned and not sent."""
        while not self.channel.handshake():
            self.socket.sendall(self.channel.data_to_send())
            chunk = self.socket.recv(65_536)
            assert chunk, "the peer closed the connection"
            self.channel.receive(chunk)
        return self.channel.data_to_send()

    def shake(self) -> Self:
        """The handshake; with TLS 1.3 the peer may still refuse behind it."""
        self.socket.sendall(self.last_flight())
        return self

    def say(self, plain: bytes) -> None:
        """Sends plain bytes."""
        self.socket.sendall(self.channel.seal(plain))

    def hear(self) -> bytes:
        """The next plain bytes; none at the end."""
        while not (plain := self.channel.read()) and not self.channel.at_end:
            chunk = self.socket.recv(65_536)
            if not chunk:
                break
            self.channel.receive(chunk)
        return plain

    def end(self) -> bytes:
        """Waits until the peer closes the connection: all plain bytes that came before."""
        heard = b""
        while chunk := self.socket.recv(65_536):
            self.channel.receive(chunk)
            heard += self.channel.read()
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()
