"""Peers that do what no provider of ours would: they answer bytes by a script."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import pdu
from dimse.data.commands import CommandField, CommandSet
from dimse.data.uids import ImplicitVRLittleEndian

SILENT = None
"""In a script: no answer, and none after it, until the client goes."""


class ScriptedPeer:
    """Accepts one connection, and answers the n-th thing it reads by the n-th answer; closes behind the last."""

    def __init__(self, answers: Sequence[bytes | None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._answers = answers
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self._listener.accept()[0] as connection:
            self._listener.close()
            connection.settimeout(10)
            for answer in self._answers:
                connection.recv(65536)
                if answer is SILENT:
                    break
                connection.sendall(answer)
            while SILENT in self._answers and connection.recv(65536):
                pass


def accepting(*contexts: int, syntax: str = ImplicitVRLittleEndian, returning: Sequence[str] = ()) -> bytes:
    """An A-ASSOCIATE-AC of these context ids; of the SOP classes in `returning` the client is the SCP."""
    items = [pdu.PresentationContextAC(id, 0, syntax) for id in contexts]
    roles = [pdu.RoleSelection(sop_class, False, True) for sop_class in returning]
    name = pdu.ImplementationVersionName("\x1b[31mRED")
    user = pdu.UserInformation((pdu.MaximumLength(16384), pdu.ImplementationClassUID("1.2"), *roles, name))
    return pdu.AssociateAC("PEER", "DIMSE", (pdu.ApplicationContext(), *items, user)).encode()


def rejecting(result: int, source: int, reason: int) -> bytes:
    """An A-ASSOCIATE-RJ."""
    return pdu.AssociateRJ(result, source, reason).encode()


def message(command: CommandSet, data: bytes | None = None, *, context: int = 1) -> bytes:
    """A DIMSE message in one P-DATA-TF PDU."""
    pdvs = [pdu.PDV(context, True, True, command.encode())]
    if data is not None:
        pdvs.append(pdu.PDV(context, False, True, data))
    return pdu.PDataTF(tuple(pdvs)).encode()


def response(field: CommandField, status: int, *, to: int = 1, has_data: bool = False) -> CommandSet:
    """A response, to the first message of an association unless told otherwise."""
    return CommandSet(field, message_id_being_responded_to=to, command_data_set_type=0 if has_data else 0x0101, status=status)


ABORT = pdu.Abort(0, 0).encode()
RELEASED = pdu.ReleaseRP().encode()
