"""Hypothesis strategies for every value of `pdu`, all of which come back from their bytes as they were."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from pdu import (
    PDU,
    PDV,
    Abort,
    ApplicationContext,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    AsynchronousOperations,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    ImplementationClassUID,
    ImplementationVersionName,
    Item,
    MaximumLength,
    PDataTF,
    PresentationContextAC,
    PresentationContextRQ,
    ReleaseRP,
    ReleaseRQ,
    RoleSelection,
    UnknownItem,
    UserIdentityAC,
    UserIdentityRQ,
    UserInformation,
    UserItem,
)

bytes_of_one = st.integers(0, 0xFF)
words = st.integers(0, 0xFFFF)
latin = st.characters(max_codepoint=0xFF)

# Mostly UIDs, now and then any text that has no padding at its end.
uids = st.one_of(
    st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,11})){0,5}", fullmatch=True),
    st.text(latin, max_size=70).map(lambda text: text.rstrip("\0 ")),
)
ae_titles = st.text(latin, max_size=16).map(lambda text: text.rstrip("\0 ").lstrip(" "))
opaque = st.binary(max_size=40)


def unknown_items(known: Sequence[int]) -> st.SearchStrategy[UnknownItem]:
    """Items of any type but those that are known where they stand."""
    return st.builds(UnknownItem, bytes_of_one.filter(lambda item_type: item_type not in known), opaque, bytes_of_one)


user_items: st.SearchStrategy[UserItem] = st.one_of(
    st.builds(MaximumLength, st.integers(0, 0xFFFFFFFF)),
    st.builds(ImplementationClassUID, uids),
    st.builds(AsynchronousOperations, words, words),
    st.builds(RoleSelection, uids, st.booleans(), st.booleans()),
    st.builds(ImplementationVersionName, st.text(latin, max_size=16)),
    st.builds(ExtendedNegotiation, uids, opaque),
    st.builds(CommonExtendedNegotiation, uids, uids, st.lists(uids, max_size=3).map(tuple), bytes_of_one, opaque),
    st.builds(UserIdentityRQ, bytes_of_one, opaque, opaque, st.booleans()),
    st.builds(UserIdentityAC, opaque),
    unknown_items(range(0x51, 0x5A)),
)
contexts_rq = st.builds(
    PresentationContextRQ,
    bytes_of_one,
    uids,
    st.lists(uids, max_size=3).map(tuple),
    st.lists(unknown_items((0x30, 0x40)), max_size=2).map(tuple),
    bytes_of_one,
)
contexts_ac = st.builds(
    PresentationContextAC,
    bytes_of_one,
    bytes_of_one,
    st.none() | uids,
    st.lists(unknown_items((0x40,)), max_size=2).map(tuple),
)
items: st.SearchStrategy[Item] = st.one_of(
    st.builds(ApplicationContext, uids),
    contexts_rq,
    contexts_ac,
    st.builds(UserInformation, st.lists(user_items, max_size=5).map(tuple)),
    unknown_items((0x10, 0x20, 0x21, 0x50)),
)
item_lists = st.lists(items, max_size=5).map(tuple)
pdvs = st.builds(PDV, bytes_of_one, st.booleans(), st.booleans(), st.binary(max_size=60))
data_pdus = st.builds(PDataTF, st.lists(pdvs, min_size=1, max_size=4).map(tuple))
associates: st.SearchStrategy[AssociateRQ | AssociateAC] = st.one_of(
    st.builds(AssociateRQ, ae_titles, ae_titles, item_lists, words),
    st.builds(AssociateAC, ae_titles, ae_titles, item_lists, words),
)
pdus: st.SearchStrategy[PDU] = st.one_of(
    associates,
    data_pdus,
    st.builds(AssociateRJ, bytes_of_one, bytes_of_one, bytes_of_one),
    st.just(ReleaseRQ()),
    st.just(ReleaseRP()),
    st.builds(Abort, bytes_of_one, bytes_of_one),
)


@st.composite
def chunked(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The bytes, cut at any places (empty chunks too)."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes with some of them changed, removed or repeated."""
    result = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(result)))
        stop = draw(st.integers(start, min(len(result), start + 6)))
        piece = draw(st.one_of(st.binary(max_size=4), st.just(bytes(result[start:stop]) * 2)))
        result[start:stop] = piece
    return bytes(result)
