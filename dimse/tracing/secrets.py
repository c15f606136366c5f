"""The bytes of PDUs without the secrets of user identities (PS3.7 D.3.3.7): no trace has those, whatever it is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pdu
from pdu import ItemType
from pdu.pdus import ASSOCIATE_MINIMUM, HEADER_LENGTH

IDENTITIES = (ItemType.USER_IDENTITY_RQ, ItemType.USER_IDENTITY_AC)
_ASSOCIATE = (pdu.PDUType.ASSOCIATE_RQ, pdu.PDUType.ASSOCIATE_AC)
_CONTEXTS = (ItemType.PRESENTATION_CONTEXT_RQ, ItemType.PRESENTATION_CONTEXT_AC)
_ITEM_HEADER = 4
_IN_PDU = frozenset({int(kind) for kind in (ItemType.APPLICATION_CONTEXT, *_CONTEXTS, ItemType.USER_INFORMATION)})
_IN_CONTEXT = frozenset({int(ItemType.ABSTRACT_SYNTAX), int(ItemType.TRANSFER_SYNTAX)})
_IN_USER_INFORMATION = frozenset({int(kind) for kind in ItemType if kind >= ItemType.MAXIMUM_LENGTH})
"""Where items of which types are read."""
_COUNTED = {int(ItemType.ROLE_SELECTION): 1, int(ItemType.EXTENDED_NEGOTIATION): 1, int(ItemType.COMMON_EXTENDED_NEGOTIATION): 2}
"""Kinds of items -> how many fields they begin with that stand behind their lengths."""
_NUMBERS_BEHIND = (ItemType.MAXIMUM_LENGTH, ItemType.ASYNCHRONOUS_OPERATIONS, ItemType.ROLE_SELECTION)
_ANY = re.compile(rb"[\x58\x59]")
_SWALLOWED = re.compile(rb"[\x58\x59]\0")
"""An identity's type and the reserved byte, which stand side by side in no UID and no name."""


def without_secrets(encoded: bytes) -> bytes:
    """The same bytes, in which an identity's fields are asterisks of the same number.

    What cannot be read is cut off where an identity may begin, for nobody knows how far it goes.
    """
    if encoded[0] == pdu.PDUType.P_DATA_TF:
        return encoded
    try:
        value = pdu.decode(encoded)
    except pdu.PDUError:  # also of a type that is none: whoever takes one for another may mean a request
        return encoded[: _first_identity(encoded)]
    if value.pdu_type not in _ASSOCIATE:
        return encoded
    masked = bytearray(encoded)
    _mask_items(masked, HEADER_LENGTH + ASSOCIATE_MINIMUM, len(masked), _IN_PDU)
    return bytes(masked)


def _mask_items(raw: bytearray, at: int, end: int, place: frozenset[int]) -> None:
    """Masks the identities among the items from one place to another, which can be read if they are of the types of that `place`."""
    while at < end:
        kind, value = raw[at], at + _ITEM_HEADER
        at = value + _number(raw, at + 2)
        if kind not in place:
            _mask_from(raw, _ANY, value, at, is_identity=kind in IDENTITIES)
        elif kind in IDENTITIES:
            _mask_identity(raw, kind, value, at)
        elif kind == ItemType.USER_INFORMATION:
            _mask_items(raw, value, at, _IN_USER_INFORMATION)
        elif kind in _CONTEXTS:
            _mask_items(raw, value + 4, at, _IN_CONTEXT)
        else:  # has one if a length is wrong
            for start, stop in list(_texts(raw, kind, value, at)):
                _mask_from(raw, _SWALLOWED, start, stop)


def _mask_from(raw: bytearray, pattern: re.Pattern[bytes], at: int, end: int, *, is_identity: bool = False) -> None:
    """Masks what stands behind the beginning of an identity, or all of one."""
    if is_identity:
        _mask(raw, at, end)
    elif found := pattern.search(raw, at, end):
        _mask(raw, found.start(), end)


def _texts(raw: bytearray, kind: int, at: int, end: int) -> Iterator[tuple[int, int]]:
    """From where to where an item has bytes of any number: its fields behind their lengths, and what follows them."""
    for _ in range(_COUNTED.get(kind, 0)):
        field = at + 2
        at = field + _number(raw, at)
        yield field, at
    if kind == ItemType.COMMON_EXTENDED_NEGOTIATION:
        related, at = at + 2, at + 2 + _number(raw, at)
        while related < at:
            field = related + 2
            related = field + _number(raw, related)
            yield field, related
    if kind not in _NUMBERS_BEHIND:
        yield at, end


def _mask_identity(raw: bytearray, kind: int, at: int, end: int) -> None:
    """Masks the fields behind their lengths."""
    at += 2 if kind == ItemType.USER_IDENTITY_RQ else 0  # its type, and whether a response is asked for
    while at < end:
        field = at + 2
        at = field + _number(raw, at)
        _mask(raw, field, at)


def _mask(raw: bytearray, at: int, end: int) -> None:
    raw[at:end] = b"*" * (end - at)


def _number(raw: bytearray, at: int) -> int:
    return int.from_bytes(raw[at : at + 2], "big")


def _first_identity(encoded: bytes) -> int:
    """Where the first byte stands that may be the type of an identity; the length if there is none."""
    found = _ANY.search(encoded, HEADER_LENGTH)
    return found.start() if found else len(encoded)
