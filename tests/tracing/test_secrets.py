"""No trace has the passcode, ticket, assertion or token of a user: not in any PDU, right or wrong, and not in a part of one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pdu
from dimse.association.events import Traced, TraceRecord
from dimse.association.negotiation import propose
from dimse.association.table import State
from dimse.tracing.describe import Description
from dimse.tracing.secrets import without_secrets
from tests.association.scenes import RJ, raw_result
from tests.pdu.strategies import pdus
from tests.vectors import (
    APPLICATION,
    IMPLICIT,
    LITTLE_USER,
    VECTORS,
    VERIFICATION,
    raw_associate,
    raw_context,
    raw_field,
    raw_item,
    raw_pdu,
    raw_pdv,
)

NAME, SECRET = b"jane doe", b"open sesame!"
IDENTITY = raw_item(0x58, b"\2\1", raw_field(NAME), raw_field(SECRET))
RESPONSE = raw_item(0x59, raw_field(SECRET))
CONTEXT = raw_context(1, VERIFICATION, IMPLICIT)
FORMS = {
    "a request": raw_associate(1, APPLICATION, CONTEXT, raw_item(0x50, IDENTITY)),
    "with odd padding and reserved bytes": raw_associate(1, APPLICATION, CONTEXT, raw_item(0x50, IDENTITY, second=7), called=b"P\0\0"),
    "two identities": raw_associate(1, raw_item(0x50, IDENTITY, IDENTITY)),
    "in a second user information": raw_associate(1, LITTLE_USER, raw_item(0x50, IDENTITY)),
    "a response": raw_associate(2, APPLICATION, raw_result(1, 0, IMPLICIT), raw_item(0x50, RESPONSE)),
    "a response in a request": raw_associate(1, raw_item(0x50, RESPONSE)),
    "a request's in an answer": raw_associate(2, raw_item(0x50, IDENTITY)),
    "outside of the user information": raw_associate(1, IDENTITY, LITTLE_USER),
    "in a presentation context": raw_associate(1, raw_item(0x20, b"\1\0\0\0", raw_item(0x30, b"1.2"), raw_item(0x40, b"1.2"), IDENTITY)),
    "in an item of no known type": raw_associate(1, raw_item(0x5F, IDENTITY), raw_item(0x50, raw_item(0x5E, IDENTITY))),
    "in a name that is too long": raw_associate(1, raw_item(0x50, raw_item(0x55, b"NAME", IDENTITY))),
    "in a UID that is too long": raw_associate(1, raw_item(0x10, b"1.2.3", IDENTITY)),
    "in an answered context": raw_associate(2, raw_item(0x21, b"\1\0\0\0", raw_item(0x40, b"1.2"), RESPONSE)),
}
BROKEN = {
    "a field that is longer than its item": raw_associate(1, raw_item(0x50, raw_item(0x58, b"\2\1", raw_field(NAME), b"\1\0", SECRET))),
    "bytes behind the fields": raw_associate(1, raw_item(0x50, raw_item(0x58, b"\1\1", raw_field(NAME), raw_field(b""), SECRET))),
    "an item that is longer than the PDU": raw_associate(1, raw_item(0x50, IDENTITY, length=9999)),
    "a PDU that is not complete": raw_associate(1, raw_item(0x50, IDENTITY))[:-3],
    "a PDU that announces more": raw_pdu(1, raw_associate(1, raw_item(0x50, IDENTITY))[6:], length=9999),
    "a PDU without its reserved bytes": raw_pdu(1, bytes(4), b"PACS", raw_item(0x50, IDENTITY)),
    "a type that is none": raw_pdu(9, raw_associate(1, raw_item(0x50, IDENTITY))[6:]),
    "a release that is too long": raw_pdu(5, raw_item(0x50, IDENTITY)),
}


@pytest.mark.parametrize("encoded", FORMS.values(), ids=FORMS)
def test_the_fields_are_asterisks_and_all_else_is_as_it_came(encoded: bytes) -> None:
    hidden = without_secrets(encoded)
    assert SECRET not in hidden
    assert NAME not in hidden
    assert len(hidden) == len(encoded)
    assert {after for before, after in zip(encoded, hidden, strict=True) if before != after} == {ord("*")}


@pytest.mark.parametrize("encoded", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_ends_where_an_identity_may_begin(encoded: bytes) -> None:
    hidden = without_secrets(encoded)
    assert encoded.startswith(hidden)
    assert not {0x58, 0x59} & {*hidden[6:]}
    assert SECRET not in hidden


def test_the_lengths_and_the_type_of_an_identity_stay() -> None:
    value = pdu.decode(without_secrets(FORMS["a request"]))
    assert isinstance(value, pdu.AssociateRQ)
    assert value.user_item(pdu.UserIdentityRQ) == pdu.UserIdentityRQ(2, b"*" * len(NAME), b"*" * len(SECRET), True)


@pytest.mark.parametrize("encoded", [*(v.data for v in VECTORS if b"identity" not in v.name.encode()), RJ], ids=lambda data: data[:8].hex())
def test_what_has_no_identity_is_as_it_came(encoded: bytes) -> None:
    assert without_secrets(encoded) == encoded or {0x58, 0x59} & {*encoded[74:]}


def test_data_are_no_identity() -> None:
    assert without_secrets(data := raw_pdu(4, raw_pdv(1, 0, b"XYZ" + IDENTITY))) == data
    assert without_secrets(data[:-2]) == data[:-2]


ODD_TEXTS = (
    pdu.RoleSelection("1.X", False, True),
    pdu.ExtendedNegotiation("1.Y", b"\0X\0Y\0"),
    pdu.CommonExtendedNegotiation("1.X", "1.Y", ("1.X", "1.Y"), additional=b"X\0Y"),
    pdu.MaximumLength(0x58000000),
    pdu.AsynchronousOperations(0x5800, 1),
    pdu.ImplementationVersionName("X\0"),
)
"""A length, or a flag, behind an X or Y."""


@pytest.mark.parametrize("item", ODD_TEXTS, ids=repr)
def test_what_only_looks_like_an_identity_can_be_read_as_before(item: pdu.UserItem) -> None:
    encoded = raw_associate(1, raw_item(0x50, item.encode()))
    masked = pdu.decode(without_secrets(encoded))
    assert isinstance(masked, pdu.AssociateRQ)
    assert type(masked.user_items[0]) is type(item)
    assert described(encoded)


@pytest.mark.parametrize(
    "item",
    [
        raw_item(0x54, raw_field(IDENTITY), b"\0\1"),
        raw_item(0x56, raw_field("1.2"), IDENTITY),
        raw_item(0x57, raw_field("1.2"), raw_field(IDENTITY), raw_field("")),
        raw_item(0x57, raw_field("1.2"), raw_field("1.3"), raw_field(raw_field("1.4") + raw_field(IDENTITY))),
        raw_item(0x57, raw_field("1.2"), raw_field("1.3"), raw_field(""), IDENTITY),
        raw_item(0x52, b"1.2", IDENTITY),
    ],
)
def test_an_identity_within_another_item_is_one(item: bytes) -> None:
    encoded = raw_associate(1, raw_item(0x50, item))
    assert SECRET not in without_secrets(encoded)
    assert type(pdu.decode(without_secrets(encoded))) is pdu.AssociateRQ
    assert SECRET.decode() not in (said := json.dumps(described(encoded)))
    assert SECRET.hex() not in said


def test_items_in_the_wrong_place_are_not_read() -> None:
    """Their lengths lead anywhere."""
    for kind in range(0x10, 0x60):
        for encoded in (
            raw_associate(1, raw_item(kind, b"\xff\xff\xff\xff" + IDENTITY)),
            raw_associate(1, raw_item(0x50, raw_item(kind, b"\xff\xffX"))),
        ):
            assert len(without_secrets(encoded)) <= len(encoded)
            assert SECRET not in without_secrets(encoded)


@settings(max_examples=500, deadline=None)
@given(pdus)
def test_any_pdu_stays_one_of_the_same_length(value: pdu.PDU) -> None:
    encoded = value.encode()
    assert len(without_secrets(encoded)) == len(encoded)
    assert type(pdu.decode(without_secrets(encoded))) is type(value)


@settings(max_examples=500, deadline=None)
@given(st.data(), st.sampled_from(list(FORMS.values())))
def test_no_change_of_the_bytes_in_front_of_it_brings_a_secret_out(data: st.DataObject, encoded: bytes) -> None:
    """Whatever becomes of lengths and types: cut off, or changed in some places, but for the secret itself and its identity's type."""
    begin = min(at for at in (encoded.find(IDENTITY), encoded.find(RESPONSE)) if at >= 0)
    broken = bytearray(encoded)
    for at in data.draw(st.lists(st.integers(6, begin - 1), max_size=4)):
        broken[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(broken)))
    hidden = without_secrets(bytes(broken[:cut]))
    assert SECRET not in hidden
    assert SECRET.decode() not in json.dumps(described(hidden))


def described(encoded: bytes) -> object:
    """What a trace without data says of these bytes when they come."""
    try:
        what: pdu.PDU | pdu.PDUError = pdu.decode(encoded)
    except pdu.PDUError as error:
        what = error
    return Description().of(TraceRecord("in", what, State.STA2, State.STA3, Traced(False), encoded))


@pytest.mark.parametrize("encoded", [*FORMS.values(), *BROKEN.values()], ids=[*FORMS, *BROKEN])
def test_descriptions_have_none_either(encoded: bytes) -> None:
    said = json.dumps(described(encoded))
    assert [secret for secret in (SECRET, NAME) if secret.decode() in said or secret.hex() in said] == []


def test_our_own_request_in_its_repr_has_none() -> None:
    """Whoever writes a trace of its own prints records as they are."""
    identity = pdu.UserIdentityRQ(2, NAME, SECRET, True)
    shown = repr(propose("PACS", "ME", [VERIFICATION], identity=identity)) + repr(pdu.UserIdentityAC(SECRET))
    assert json.dumps(shown).find("sesame") < 0
    assert "jane" not in shown
