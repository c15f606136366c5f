"""`decode` and `encode`: the vectors, round trips of every value, and bytes that must be refused."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdu import (
    PDU,
    PDV,
    Abort,
    AbortReason,
    ApplicationContext,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    ImplementationVersionName,
    Item,
    MaximumLength,
    PDataTF,
    PDUError,
    PresentationContextAC,
    PresentationContextRQ,
    RoleSelection,
    UnknownItem,
    UserIdentityAC,
    UserIdentityRQ,
    UserInformation,
    UserItem,
    decode,
    encode,
)
from pdu.items import ITEMS, USER_ITEMS
from pdu.pdus import PDUS
from tests.pdu import strategies
from tests.vectors import MALFORMED, ODD, VECTORS, Malformed, Vector, raw_associate, raw_item, raw_pdu


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_vector_decodes_and_encodes(vector: Vector) -> None:
    assert decode(vector.data) == vector.value
    assert encode(vector.value) == vector.data


@pytest.mark.parametrize("vector", ODD, ids=lambda vector: vector.name)
def test_odd_vector_decodes_and_is_written_better(vector: Vector) -> None:
    assert decode(vector.data) == vector.value
    assert encode(vector.value) != vector.data
    assert decode(encode(vector.value)) == vector.value


@pytest.mark.parametrize("vector", MALFORMED, ids=lambda vector: vector.name)
def test_malformed_is_refused_with_reason_and_place(vector: Malformed) -> None:
    with pytest.raises(PDUError) as caught:
        decode(vector.data)
    assert (caught.value.reason, caught.value.offset) == (vector.reason, vector.offset)
    assert caught.value.clause.startswith(("PS3.8 ", "PS3.7 "))


@pytest.mark.parametrize("vector", VECTORS + ODD, ids=lambda vector: vector.name)
def test_decode_takes_exactly_one_pdu(vector: Vector) -> None:
    for wrong in (vector.data + b"\0", vector.data[:-1], vector.data[:5], vector.data[:1], b""):
        with pytest.raises(PDUError):
            decode(wrong)


def test_the_vectors_know_every_type_of_pdu_and_item() -> None:
    associates = [v.value for v in VECTORS if isinstance(v.value, AssociateRQ | AssociateAC)]
    assert {type(v.value) for v in VECTORS} == set(PDUS.values())
    assert {type(item) for pdu in associates for item in pdu.items} == {*ITEMS.values(), UnknownItem}
    assert {type(item) for pdu in associates for item in pdu.user_items} == {*USER_ITEMS.values(), UnknownItem}


@given(strategies.pdus)
def test_every_pdu_comes_back(pdu: PDU) -> None:
    data = encode(pdu)
    assert decode(data) == pdu
    assert encode(decode(data)) == data


@given(strategies.items)
def test_every_item_comes_back(item: Item) -> None:
    pdu = decode(raw_associate(1, item.encode()))
    assert isinstance(pdu, AssociateRQ)
    assert pdu.items == (item,)


@given(strategies.user_items)
def test_every_user_sub_item_comes_back(item: UserItem) -> None:
    pdu = decode(raw_associate(2, raw_item(0x50, item.encode())))
    assert isinstance(pdu, AssociateAC)
    assert pdu.user_items == (item,)


@given(st.binary(max_size=300), st.integers(1, 7) | st.integers(0, 255), st.booleans())
def test_any_bytes_decode_or_are_refused(body: bytes, pdu_type: int, fixed: bool) -> None:
    _decodes_or_is_refused(raw_pdu(pdu_type, bytes(68 if fixed else 0), body))
    _decodes_or_is_refused(body)


@given(st.data())
def test_mutated_bytes_decode_or_are_refused(data: st.DataObject) -> None:
    whole = encode(data.draw(strategies.pdus))
    body = data.draw(strategies.mutated(whole))[6:]
    _decodes_or_is_refused(raw_pdu(whole[0], body))
    _decodes_or_is_refused(data.draw(strategies.mutated(whole)))


@given(st.sampled_from(VECTORS), st.data())
def test_mutated_vectors_decode_or_are_refused(vector: Vector, data: st.DataObject) -> None:
    _decodes_or_is_refused(raw_pdu(vector.data[0], data.draw(strategies.mutated(vector.data[6:]))))


def test_parts_of_an_association() -> None:
    first, second = MaximumLength(16384), MaximumLength(0)
    request = AssociateRQ(
        "A",
        "B",
        (
            UnknownItem(1, b""),
            ApplicationContext("1.2"),
            ApplicationContext("1.3"),
            PresentationContextRQ(1, "1.1", ()),
            PresentationContextAC(3, 0, None),
            UserInformation((first,)),
            UserInformation((UnknownItem(0x5F, b""), second)),
        ),
    )
    answer = AssociateAC("A", "B", request.items)
    assert request.application_context == "1.2"
    assert request.presentation_contexts == (PresentationContextRQ(1, "1.1", ()),)
    assert answer.presentation_contexts == (PresentationContextAC(3, 0, None),)
    assert request.user_items == (first, UnknownItem(0x5F, b""), second)
    assert request.user_item(MaximumLength) is first
    assert request.user_item(RoleSelection) is None
    assert AssociateRQ("A", "B", ()).application_context is None


@pytest.mark.parametrize(
    "encoding",
    [
        lambda: AssociateRQ("SEVENTEEN LETTERS", "B", ()).encode(),
        lambda: AssociateRQ("A", "\u0416", ()).encode(),
        lambda: AssociateRQ("A", "B", (), 0x10000).encode(),
        lambda: AssociateRJ(256, 0, 0).encode(),
        lambda: Abort(0, -1).encode(),
        lambda: PDataTF(()).encode(),
        lambda: PDV(256, False, False, b"").encode(),
        lambda: ApplicationContext("1.2\0").encode(),
        lambda: ApplicationContext("1.2 ").encode(),
        lambda: ApplicationContext("\u0661").encode(),
        lambda: ApplicationContext("1" * 65536).encode(),
        lambda: PresentationContextRQ(256, "1.2", ()).encode(),
        lambda: PresentationContextRQ(1, "1.2", ("1" * 65000, "1" * 65000)).encode(),
        lambda: PresentationContextAC(1, 256, None).encode(),
        lambda: MaximumLength(1 << 32).encode(),
        lambda: ImplementationVersionName("\u2122").encode(),
        lambda: RoleSelection("1" * 65536, True, True).encode(),
        lambda: ExtendedNegotiation("1.2", bytes(65531)).encode(),
        lambda: CommonExtendedNegotiation("1.2", "1.3", ("1.4\0",)).encode(),
        lambda: CommonExtendedNegotiation("1.2", "1.3", version=256).encode(),
        lambda: UserIdentityRQ(256, b"").encode(),
        lambda: UserIdentityRQ(2, b"", bytes(65536)).encode(),
        lambda: UserIdentityAC(bytes(65535)).encode(),
        lambda: UserInformation((UserIdentityAC(bytes(40000)), UserIdentityAC(bytes(40000)))).encode(),
        lambda: UnknownItem(256, b"").encode(),
        lambda: UnknownItem(0, b"", 256).encode(),
    ],
)
def test_a_value_that_does_not_fit_is_our_callers_mistake(encoding: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError) as caught:
        encoding()
    assert type(caught.value) is ValueError


def test_secrets_stay_out_of_the_repr() -> None:
    assert "sesame" not in repr(UserIdentityRQ(2, b"sesame", b"sesame")) + repr(UserIdentityAC(b"sesame"))


def test_rejections_and_aborts_say_it_in_words() -> None:
    assert str(AssociateRJ(1, 1, 7)) == "rejected for good by the service user: called AE title not recognized"
    assert str(Abort(2, 6)) == "aborted by the service provider: invalid PDU parameter value"


def test_error_says_what_where_and_which_clause() -> None:
    with pytest.raises(PDUError) as caught:
        decode(raw_associate(1, raw_item(0x50, raw_item(0x51, bytes(2)))))
    assert caught.value.what == "Maximum-length-received needs 4 bytes, only 2 are left"
    assert str(caught.value) == (
        "Maximum-length-received needs 4 bytes, only 2 are left, at byte 82 of the PDU (PS3.8 D.1; invalid parameter value)"
    )


@pytest.mark.parametrize("twin_of", [PDUError.twin, copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_error_can_be_kept_without_its_traceback(twin_of: Callable[[PDUError], PDUError]) -> None:
    with pytest.raises(PDUError) as caught:
        decode(b"")
    twin = twin_of(caught.value)
    assert str(twin) == str(caught.value)
    assert (twin.what, twin.offset, twin.reason, twin.clause) == (
        "there is no PDU in no bytes",
        0,
        AbortReason.UNRECOGNIZED_PDU,
        "PS3.8 9.3.1",
    )
    assert twin.__traceback__ is None


def _decodes_or_is_refused(data: bytes) -> None:
    """Nothing but a PDUError comes out, and what was decoded is written in a form that stays as it is."""
    try:
        pdu = decode(data)
    except PDUError as error:
        fault = error
    else:
        assert decode(encode(pdu)) == pdu
        return
    assert 0 <= fault.offset <= len(data)
