"""A-11 and A-14 with much data: who takes PDUs of any length gets ours, which are never longer than our own cap."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from struct import pack

import pytest

import dimse
import pdu
from dimse.archive import Archive
from dimse.data.commands import CommandField, CommandSet
from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian, StudyRootGet
from dimse.judge.wire import (
    APPLICATION,
    COMMAND,
    DATA,
    LAST,
    ROOT,
    Request,
    Scene,
    command,
    context,
    data_set,
    element,
    instance_uid,
    item,
    message,
    p_data,
    pdv,
    short,
    uid_value,
    user,
)

from .providers import FRONTS, HOST, Inside, providing

SIZE = 10 << 20
SCENE = Scene(b"PEER", b"ME")
ROLE = item(0x54, pack(">H", len(CTImageStorage)) + CTImageStorage.encode() + b"\0\1")
GET = {0x0002: uid_value(StudyRootGet), 0x0100: short(0x0010), 0x0110: short(1), 0x0700: short(0), 0x0800: short(1)}
IDENTIFIER = element(0x0008, 0x0052, b"STUDY ") + element(0x0020, 0x000D, uid_value(f"{ROOT}.11.1"))
STORED = {0x0002: uid_value(CTImageStorage), 0x0100: short(0x8001), 0x0120: short(1), 0x0800: short(0x0101), 0x0900: short(0)}


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("longest", [pytest.param(0, id="A-11"), pytest.param(0xFFFFFFFF, id="A-14")])
def test_much_comes_in_pdus_of_our_own_length(front: str, longest: int, tmp_path: Path) -> None:
    encoded = data_set(11, element(0x7FE0, 0x0010, bytes(SIZE)))
    source = dimse.BytesSource(encoded, dimse.UID(CTImageStorage), dimse.UID(instance_uid(11)), dimse.UID(ImplicitVRLittleEndian))
    with Archive(tmp_path / "archive") as archive, providing(front, archive.services(), dimse.Limits()) as provider:
        with dimse.connect(HOST, provider.port, called="PEER", contexts=dimse.contexts_for([source])) as association:
            assert association.store(source).ok
        assert _get(provider.port, 16_384) == (len(encoded), 0)  # from now on the index is open for reading
        provider.settle()
        before = Inside(tmp_path)
        received, final = _get(provider.port, longest)
        assert (received, final) == (len(encoded), 0)
        assert before.growth() <= 16 << 20
        assert provider.settle() == 0
        assert before.left_behind() == []


def _get(port: int, longest: int) -> tuple[int, int | None]:
    """A C-GET of the study: how many bytes of data sets came, and the final status. Longer PDUs than 128 KiB raise `PDUError`."""
    items = (APPLICATION, context(1, StudyRootGet), context(3, CTImageStorage), user(ROLE, max_length=longest))
    received = 0
    with socket.create_connection((HOST, port), timeout=10) as connection:
        connection.sendall(Request(items)(SCENE))
        for heard in _heard(connection):
            if isinstance(heard, pdu.AssociateAC):
                connection.sendall(p_data(pdv(1, COMMAND | LAST, command(GET))) + p_data(pdv(1, DATA | LAST, IDENTIFIER)))
            elif isinstance(heard, CommandSet) and heard.command_field == CommandField.C_GET_RSP and heard.status != 0xFF00:
                return received, heard.status
            elif isinstance(heard, pdu.Fragment) and not heard.is_command:
                received += len(heard.data)
                if heard.is_last:
                    connection.sendall(message(STORED, on=3))
    return received, None


def _heard(connection: socket.socket) -> Iterator[pdu.PDU | pdu.Fragment | CommandSet]:
    """PDUs, fragments of data sets, and whole command sets."""
    reader, commands = pdu.Reader(max_pdu=pdu.DEFAULT_MAX_PDU), bytearray()
    while chunk := connection.recv(65_536):
        for heard in reader.feed(chunk):
            if not isinstance(heard, pdu.Fragment) or not heard.is_command:
                yield heard
                continue
            commands += heard.data
            if heard.is_last:
                yield CommandSet.decode(commands)
                commands.clear()
