"""The bytes of PDUs without the secrets of user identities (PS3.7 D.3.3.7): no trace has those, whatever it is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import pdu
from pdu import ItemType

IDENTITIES = (ItemType.USER_IDENTITY_RQ, ItemType.USER_IDENTITY_AC)
_ASSOCIATE = (pdu.PDUType.ASSOCIATE_RQ, pdu.PDUType.ASSOCIATE_AC)
_FIXED_PART = 74
T = TypeVar("T", bound=pdu.Item | pdu.UserItem)


def without_secrets(encoded: bytes) -> bytes:
    """The same bytes, in which an identity's fields are asterisks of the same number.

    What cannot be read is cut off where an identity may begin, for nobody knows how far it goes.
    """
    if encoded[0] not in _ASSOCIATE or not _may_have_identity(encoded):
        return encoded
    try:
        value = pdu.decode(encoded)
    except pdu.PDUError:
        return encoded[: _first_identity(encoded)]
    if isinstance(value, pdu.AssociateRQ | pdu.AssociateAC):
        hidden = replace(value, items=tuple(map(_hidden, value.items)))
        return encoded if hidden == value else hidden.encode()
    return encoded


def _hidden(item: T) -> T:
    """The item without secrets. One of an identity's type in the wrong place has some too, perhaps."""
    match item:
        case pdu.UserInformation():
            return replace(item, items=tuple(map(_hidden, item.items)))
        case pdu.PresentationContextRQ() | pdu.PresentationContextAC():
            return replace(item, unknown=tuple(map(_hidden, item.unknown)))
        case pdu.UserIdentityRQ():
            return replace(item, primary=_stars(item.primary), secondary=_stars(item.secondary))
        case pdu.UserIdentityAC():
            return replace(item, response=_stars(item.response))
        case pdu.UnknownItem() if item.type in IDENTITIES:
            return replace(item, value=_stars(item.value))
    return item


def _stars(secret: bytes) -> bytes:
    return b"*" * len(secret)


def _may_have_identity(encoded: bytes) -> bool:
    return _first_identity(encoded) < len(encoded)


def _first_identity(encoded: bytes) -> int:
    """Where the first byte stands that may be the type of an identity; the length if there is none."""
    return min((at for kind in IDENTITIES if (at := encoded.find(kind, _FIXED_PART)) >= 0), default=len(encoded))
