"""PDUs that DCMTK, Orthanc and pynetdicom really sent: they decode, encode to the same bytes, and come out of any chunking."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pdu

FILE = Path(__file__).parents[1] / "vectors_captured.txt"


def _vectors() -> Iterator[tuple[str, bytes]]:
    blocks = re.findall(r"^(\S+) \(.*\)\n((?:  [0-9a-f]+\n)+)", FILE.read_text(encoding="ascii"), re.MULTILINE)
    yield from ((name, bytes.fromhex(text)) for name, text in blocks)


VECTORS = dict(_vectors())
MESSAGES = {name: data for name, data in VECTORS.items() if data[0] == pdu.PDUType.P_DATA_TF}
WHOLE = {name: data for name, data in VECTORS.items() if name not in MESSAGES}
PEERS = ("echoscu", "storescu", "dcmsend", "findscu", "movescu", "getscu", "storescp", "dcmqrscp", "orthanc", "pynetdicom")


def test_every_program_and_every_pdu_is_among_them() -> None:
    assert {name.split("-")[0] for name in VECTORS} == set(PEERS)
    assert {data[0] for data in VECTORS.values()} == set(pdu.PDUType)


@pytest.mark.parametrize("name", VECTORS)
def test_decodes_and_encodes_to_the_same_bytes(name: str) -> None:
    assert pdu.encode(pdu.decode(VECTORS[name])) == VECTORS[name]


@pytest.mark.parametrize("size", [1, 2, 5, 7, 64, 1000])
@pytest.mark.parametrize("name", WHOLE)
def test_whole_pdus_come_out_of_any_chunking(name: str, size: int) -> None:
    assert _read(WHOLE[name], size) == ([pdu.decode(WHOLE[name])], {})


@pytest.mark.parametrize("size", [1, 2, 5, 7, 64, 1000])
@pytest.mark.parametrize("name", MESSAGES)
def test_messages_come_out_of_any_chunking(name: str, size: int) -> None:
    message = pdu.decode(MESSAGES[name])
    assert isinstance(message, pdu.PDataTF)
    wanted: dict[tuple[int, bool], bytes] = {}
    for pdv in message.pdvs:
        key = (pdv.context_id, pdv.is_command)
        wanted[key] = wanted.get(key, b"") + pdv.data
    assert _read(MESSAGES[name], size) == ([], wanted)


@pytest.mark.parametrize("size", [1, 3, 100, 65536])
def test_all_of_them_in_one_stream(size: int) -> None:
    whole, parts = _read(b"".join(VECTORS.values()), size)
    assert whole == [pdu.decode(data) for data in WHOLE.values()]
    assert sum(map(len, parts.values())) == sum(len(pdv.data) for data in MESSAGES.values() for pdv in _pdvs(data))


def _pdvs(data: bytes) -> tuple[pdu.PDV, ...]:
    message = pdu.decode(data)
    assert isinstance(message, pdu.PDataTF)
    return message.pdvs


def _read(data: bytes, size: int) -> tuple[list[pdu.PDU], dict[tuple[int, bool], bytes]]:
    """What a `Reader` gives for the bytes in chunks of a size: whole PDUs, and the fragments joined by context and kind."""
    reader = pdu.Reader()
    whole: list[pdu.PDU] = []
    parts: dict[tuple[int, bool], bytes] = {}
    for start in range(0, len(data), size):
        for found in reader.feed(data[start : start + size]):
            if isinstance(found, pdu.Fragment):
                key = (found.context_id, found.is_command)
                parts[key] = parts.get(key, b"") + bytes(found.data)
            else:
                whole.append(found)
    assert not reader.mid_pdu
    return whole, parts
