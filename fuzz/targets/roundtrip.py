"""What decodes encodes, and decodes again to the same value; what `frames` and `stream` frame is read back byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pdu
from fuzz import seeds
from fuzz.choices import Choices
from fuzz.target import Features, Target


def check(data: bytes) -> Features:
    """The first byte chooses: a PDU to be decoded, or data to be framed."""
    choices = Choices(data)
    return _check_pdu(choices.rest()) if choices.below(4) else _check_framing(choices)


def _check_pdu(data: bytes) -> Features:
    try:
        value = pdu.decode(data)
    except pdu.PDUError as error:
        return ((type(error), int(error.reason)),)
    assert str(value)
    assert repr(value)
    encoded = pdu.encode(value)
    assert pdu.decode(encoded) == value
    assert pdu.encode(pdu.decode(encoded)) == encoded
    assert len(encoded) <= len(data), "nothing is added to what came"
    items = value.items if isinstance(value, pdu.AssociateRQ | pdu.AssociateAC) else ()
    return (type(value).__name__, *(type(item).__name__ for item in items))


def _check_framing(choices: Choices) -> Features:
    context_id, max_pdu, most = choices.number(), choices.number(2), 1 + choices.number()
    command, data = choices.text(), choices.rest()
    try:
        pdu.pdv_capacity(max_pdu)
    except ValueError:
        assert 0 < max_pdu < 8
        return ()
    head = pdu.frames(context_id, True, command, max_pdu)
    framed = b"".join(map(bytes, pdu.stream(context_id, max_pdu, len(data), _source(data, most), head)))
    assert framed == head + pdu.frames(context_id, False, data, max_pdu)
    fragments = [told for told in pdu.Reader(max_pdu).feed(framed) if isinstance(told, pdu.Fragment)]
    assert {fragment.context_id for fragment in fragments} == {context_id}
    for is_command, part in ((True, command), (False, data)):
        mine = [fragment for fragment in fragments if fragment.is_command is is_command]
        assert b"".join(fragment.data for fragment in mine) == part
        assert [fragment.is_last for fragment in mine] == [False] * (len(mine) - 1) + [True]
        assert all(len(fragment.data) % 2 == 0 for fragment in mine[:-1]), "PS3.8 E.1"
    _check_short_source(context_id, max_pdu, data)
    return (("fragments", min(len(fragments), 8)),)


def _check_short_source(context_id: int, max_pdu: int, data: bytes) -> None:
    try:
        for _ in pdu.stream(context_id, max_pdu, len(data) + 1, _source(data, 1 << 30)):
            pass
    except EOFError:
        return
    raise AssertionError("a source that ends early was not noticed")


def _source(data: bytes, most: int) -> Callable[[list[memoryview]], int]:
    """A `readv` that gives at most so many bytes at a time."""
    at = 0

    def readv(holes: list[memoryview]) -> int:
        nonlocal at
        start = at
        for hole in holes:
            piece = data[at : min(at + len(hole), start + most)]
            hole[: len(piece)] = piece
            at += len(piece)
        return at - start

    return readv


def _seeds() -> Iterator[bytes]:
    yield from (b"\1" + data for data in seeds.pdus())
    yield from (b"\0" + bytes((1, *max_pdu, 9)) + b"\0\x0acommand!!!" + bytes(range(100)) for max_pdu in ((0, 0), (0, 8), (0, 20), (64, 0)))
    yield from seeds.findings("roundtrip")


TARGET = Target(check, _seeds, ("pdu.pdus", "pdu.items", "pdu.fields", "pdu.frames", "pdu.codes"))
