"""Changes to an input, each a small function of (random, bytes, material). Lengths and pieces of real traffic matter most here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Literal

from fuzz.target import LONGEST

Material = Sequence[bytes]
"""Other inputs, to take pieces from."""
Mutation = Callable[[Random, bytearray, Material], None]

NUMBERS: tuple[int, ...] = (
    0, 1, 2, 3, 4, 6, 7, 8, 0x0F, 0x40, 0x7F, 0x80, 0xFE, 0xFF, 0x100, 0x101, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF,
    0x10000, 0x20000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF,
)  # fmt: skip
Order = Literal["big", "little"]
ORDERS: tuple[Order, ...] = ("big", "little")
PIECES = (
    *(bytes.fromhex(piece) for piece in ("feff00e0ffffffff", "feff0de000000000", "feffdde000000000", "e07f1000", "00000001", "00001008")),
    *(bytes((kind, 0, 0, 0, 0, 4, 0, 0, 0, 0)) for kind in (3, 5, 6, 7)),
    *(bytes((0, 0, 0, 6, context, control)) for context in (1, 3) for control in range(4)),
    *(letters + bytes(2) for letters in (b"SQ", b"UN", b"OB", b"OW", b"UI", b"US", b"LO", b"PN")),
)
"""What the formats are made of: items and delimiters, tags, short PDUs, PDV headers, VRs."""


def mutate(random: Random, data: bytes, material: Material) -> bytes:
    """The input with a few changes."""
    changed = bytearray(data)
    for _ in range(1 << random.randrange(4)):
        random.choice(MUTATIONS)(random, changed, material)
    return bytes(changed[:LONGEST])


def flip_bit(random: Random, data: bytearray, material: Material) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def set_byte(random: Random, data: bytearray, material: Material) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def set_number(random: Random, data: bytearray, material: Material) -> None:
    """A number that limits are likely to be wrong about."""
    start, size, order = _field(random, data)
    data[start : start + size] = (random.choice(NUMBERS) % (1 << 8 * size)).to_bytes(size, order)


def add_to_number(random: Random, data: bytearray, material: Material) -> None:
    start, size, order = _field(random, data)
    changed = int.from_bytes(data[start : start + size], order) + random.randint(-8, 8)
    data[start : start + size] = (changed % (1 << 8 * size)).to_bytes(size, order)


def tell_length(random: Random, data: bytearray, material: Material) -> None:
    """A field says how many bytes follow it, to the end or to some place: lengths become true again."""
    start, size, order = _field(random, data)
    stop = start + size
    end = len(data) if random.randrange(2) else random.randint(stop, max(stop, len(data)))
    data[start:stop] = (max(end - stop, 0) % (1 << 8 * size)).to_bytes(size, order)


def remove(random: Random, data: bytearray, material: Material) -> None:
    start, stop = _span(random, data)
    del data[start:stop]


def repeat(random: Random, data: bytearray, material: Material) -> None:
    start, stop = _span(random, data)
    data[stop:stop] = data[start:stop] * random.randint(1, 4)


def move(random: Random, data: bytearray, material: Material) -> None:
    start, stop = _span(random, data)
    piece = data[start:stop]
    del data[start:stop]
    at = random.randint(0, len(data))
    data[at:at] = piece


def insert_bytes(random: Random, data: bytearray, material: Material) -> None:
    at = random.randint(0, len(data))
    data[at:at] = random.choice((random.randbytes(random.randint(1, 8)), bytes(random.randint(1, 64))))


def insert_piece(random: Random, data: bytearray, material: Material) -> None:
    at = random.randint(0, len(data))
    data[at : at + random.choice((0, 8))] = random.choice(PIECES)


def splice(random: Random, data: bytearray, material: Material) -> None:
    """A piece of another input, in front of something or instead of it."""
    other = random.choice(material)
    start, stop = _span(random, other)
    at, end = _span(random, data)
    data[at : end if random.randrange(2) else at] = other[start:stop]


def cross(random: Random, data: bytearray, material: Material) -> None:
    """The beginning of this and the end of another input."""
    other = random.choice(material)
    at = random.randint(0, len(data))
    data[at:] = other[min(at, len(other)) if random.randrange(2) else random.randint(0, len(other)) :]


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit, set_byte, set_number, add_to_number, tell_length, tell_length, remove, repeat, move, insert_bytes,
    insert_piece, splice, splice, cross,
)  # fmt: skip
"""Twice those that matter most."""


def _span(random: Random, data: bytes | bytearray) -> tuple[int, int]:
    """Mostly short, now and then up to the end."""
    start = random.randint(0, len(data))
    size = random.choice((1, 2, 4, 8, 16, 64, 256, len(data)))
    return start, min(start + random.randint(1, max(size, 1)), len(data))


def _field(random: Random, data: bytearray) -> tuple[int, int, Order]:
    """Where a number may stand, of how many bytes and in which order."""
    size = random.choice((1, 2, 2, 4, 4))
    return random.randint(0, max(len(data) - size, 0)), size, random.choice(ORDERS)
