"""The bytes of PDUs without the secrets of user identities (PS3.7 D.3.3.7): no trace has those, whatever it is asked for."""

from __future__ import annotations

import re

import pdu
from pdu import ItemType
from pdu.pdus import ASSOCIATE_MINIMUM, HEADER_LENGTH

IDENTITIES = (ItemType.USER_IDENTITY_RQ, ItemType.USER_IDENTITY_AC)
_ASSOCIATE = (pdu.PDUType.ASSOCIATE_RQ, pdu.PDUType.ASSOCIATE_AC)
_CONTEXTS = (ItemType.PRESENTATION_CONTEXT_RQ, ItemType.PRESENTATION_CONTEXT_AC)
_ITEM_HEADER = 4
_KNOWN = frozenset(ItemType)
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
    _mask_items(masked, HEADER_LENGTH + ASSOCIATE_MINIMUM, len(masked))
    return bytes(masked)


def _mask_items(raw: bytearray, at: int, end: int, *, is_user: bool = False) -> None:
    """Masks the identities among the items from one place to another, of which it is known that they can be read."""
    while at < end:
        kind, value = raw[at], at + _ITEM_HEADER
        at = value + _number(raw, at + 2)
        if kind in IDENTITIES and is_user:
            _mask_identity(raw, kind, value, at)
        elif kind in IDENTITIES:  # where it does not belong, and is not read
            _mask(raw, value, at)
        elif kind == ItemType.USER_INFORMATION and not is_user:
            _mask_items(raw, value, at, is_user=True)
        elif kind in _CONTEXTS and not is_user:
            _mask_items(raw, value + 4, at)
        elif found := (_SWALLOWED if kind in _KNOWN else _ANY).search(raw, value, at):  # of an item whose length is wrong
            _mask(raw, found.start(), at)


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
