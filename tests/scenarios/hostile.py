"""Servers that answer with what a script says, however wrong, over real sockets."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat

import pdu
from dimse.data.commands import CommandField, CommandSet
from dimse.data.uids import ImplicitVRLittleEndian
from dimse.judge.wire import item, raw_pdu

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Trickle:
    """A byte each `gap` seconds, as long as the peer is there."""

    data: bytes
    gap: float


@dataclass(frozen=True)
class Endless:
    """The same again and again, as long as the peer takes it."""

    data: bytes


Answer = bytes | Trickle | Endless
"""What is sent when something has come; b"" is silence until the peer goes."""


class Hostile:
    """Serves one connection by its script; `heard` is everything that came, once it has ended."""

    def __init__(self, script: Sequence[Answer]) -> None:
        self.heard = bytearray()
        self._script = script
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, name="hostile server")
        self.thread.start()

    def close(self) -> None:
        """Waits for the end of the script, which comes when the peer has gone."""
        self.thread.join(10)
        self._listener.close()
        assert not self.thread.is_alive()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(10)
            try:
                for answer in self._script:
                    self._listen(connection)
                    self._answer(connection, answer)
                while self._listen(connection):
                    pass
            except OSError:
                return  # the peer has gone

    def _listen(self, connection: socket.socket) -> bool:
        chunk = connection.recv(65_536)
        self.heard += chunk
        return bool(chunk)

    def _answer(self, connection: socket.socket, answer: Answer) -> None:
        match answer:
            case Trickle(data, gap):
                for value in data:
                    if select.select([connection], [], [], gap)[0]:
                        break
                    connection.sendall(bytes([value]))
            case Endless(data):
                for piece in repeat(data):
                    if select.select([connection], [], [], 0)[0] and not self._listen(connection):
                        break
                    connection.sendall(piece)
            case _:
                connection.sendall(answer)


@contextmanager
def hostile(*script: Answer) -> Iterator[Hostile]:
    """A server with that script for the time of a block."""
    server = Hostile(script)
    try:
        yield server
    finally:
        server.close()


def accepting(*contexts: bytes, called: str = "PEER", calling: str = "DIMSE", returning: str = "") -> bytes:
    """An A-ASSOCIATE-AC with these presentation context items; of the SOP class `returning`, if any, the user is the SCP."""
    roles = [pdu.RoleSelection(returning, False, True)] if returning else []
    user = pdu.UserInformation((pdu.MaximumLength(16_384), pdu.ImplementationClassUID("1.2.3"), *roles))
    whole = pdu.AssociateAC(called, calling, (pdu.ApplicationContext(), user)).encode()
    return raw_pdu(0x02, whole[6:] + b"".join(contexts))


def accepted(number: int, *transfer_syntaxes: str) -> bytes:
    """A presentation context that is accepted, in however many transfer syntaxes."""
    syntaxes = transfer_syntaxes or (ImplicitVRLittleEndian,)
    return item(0x21, bytes([number, 0, 0, 0]) + b"".join(item(0x40, uid.encode()) for uid in syntaxes))


def response(field: CommandField, status: int | None, *, to: int = 1, data: bytes | None = None) -> bytes:
    """A response, with a data set if there are `data`, in one PDU."""
    kind = 0x0101 if data is None else 1
    command = CommandSet(field, message_id_being_responded_to=to, command_data_set_type=kind, status=status)
    pdvs = [pdu.PDV(1, True, True, command.encode())]
    if data is not None:
        pdvs.append(pdu.PDV(1, False, True, data))
    return pdu.PDataTF(tuple(pdvs)).encode()
