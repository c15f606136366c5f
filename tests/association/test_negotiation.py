"""Negotiation: no answer accepts more than was proposed, both sides agree on the same, and every rule by example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pdu
from dimse.association import Accept, AcceptedContext, Agreement, Context, Limits, UpperLayer, agree, answer, propose
from dimse.association.events import AbortIndication, AssociateRefusal
from dimse.association.negotiation import Choose, Grant, RefusedContext, refusal
from dimse.association.table import State
from dimse.data.uids import UID
from dimse.errors import UsageError
from pdu import ContextResult
from tests.association import scenes
from tests.pdu import strategies
from tests.vectors import APPLICATION, CT, EXPLICIT, IMPLICIT, LITTLE_USER, VERIFICATION, raw_associate, raw_context, raw_item

DEFLATED = "1.2.840.10008.1.2.1.99"
ABSTRACT = (VERIFICATION, CT, "1.2.3")
TRANSFER = (IMPLICIT, EXPLICIT, DEFLATED)

MALFORMED_REQUEST = pdu.AssociateRJ(1, 2, 1)
UNKNOWN_VERSION = pdu.AssociateRJ(1, 2, 2)
UNKNOWN_APPLICATION = pdu.AssociateRJ(1, 1, 2)
UNKNOWN_CALLED = pdu.AssociateRJ(1, 1, 7)


def anything(context: Context) -> Accept | ContextResult:
    """Accepts whatever is proposed, in the first transfer syntax and all roles."""
    return Accept(context.transfer_syntaxes[0], scu=True, scp=True)


def request(*contexts: pdu.PresentationContextRQ, user: Sequence[pdu.UserItem] = (pdu.MaximumLength(16384),)) -> pdu.AssociateRQ:
    """A request for these contexts."""
    return pdu.AssociateRQ("PACS", "ME", (pdu.ApplicationContext(), *contexts, pdu.UserInformation(tuple(user))))


def acceptance(*contexts: pdu.PresentationContextAC, user: Sequence[pdu.UserItem] = (pdu.MaximumLength(16384),)) -> pdu.AssociateAC:
    """An acceptance with these results."""
    return pdu.AssociateAC("PACS", "ME", (pdu.ApplicationContext(), *contexts, pdu.UserInformation(tuple(user))))


def accepted(rq: pdu.AssociateRQ, choose: Choose = anything) -> pdu.AssociateAC:
    """The acceptance of that request."""
    ac = answer(rq, choose)
    assert isinstance(ac, pdu.AssociateAC)
    return ac


ONE = pdu.PresentationContextRQ(1, VERIFICATION, (IMPLICIT,))
THREE = pdu.PresentationContextRQ(3, CT, (EXPLICIT, IMPLICIT))
YES = pdu.PresentationContextAC(1, 0, IMPLICIT)

# Properties

role_items = st.builds(pdu.RoleSelection, st.sampled_from(ABSTRACT), st.booleans(), st.booleans())
windows = st.builds(pdu.AsynchronousOperations, st.integers(0, 20), st.integers(0, 20))
lengths = st.sampled_from([0, 8, 16384, 0xFFFFFFFF]).map(pdu.MaximumLength)
information = st.builds(pdu.ExtendedNegotiation, st.sampled_from(ABSTRACT), st.binary(max_size=2))
user_items = st.lists(role_items | windows | lengths | information | st.just(pdu.ImplementationClassUID("1.2.3")), min_size=1, max_size=6)
ids = st.lists(st.integers(0, 127).map(lambda n: 2 * n + 1), min_size=1, max_size=6, unique=True)
syntaxes = st.lists(st.sampled_from(TRANSFER), max_size=3).map(tuple)
choices = st.one_of(
    st.builds(Accept, st.sampled_from(TRANSFER), st.booleans(), st.booleans()),
    st.sampled_from([result for result in ContextResult if result is not ContextResult.ACCEPTANCE]),
)
policies = st.fixed_dictionaries(dict.fromkeys(ABSTRACT, choices))


@st.composite
def sound_requests(draw: st.DrawFn) -> pdu.AssociateRQ:
    """Requests that are to be answered with an acceptance."""
    contexts = [pdu.PresentationContextRQ(id, draw(st.sampled_from(ABSTRACT)), draw(syntaxes)) for id in draw(ids)]
    return request(*contexts, user=draw(user_items))


@st.composite
def any_acceptances(draw: st.DrawFn, rq: pdu.AssociateRQ) -> pdu.AssociateAC:
    """What a peer may answer, fitting or not."""
    known = st.sampled_from([context.id for context in rq.presentation_contexts])
    results = st.builds(pdu.PresentationContextAC, known | st.integers(0, 255), st.integers(0, 5), st.none() | st.sampled_from(TRANSFER))
    return acceptance(*draw(st.lists(results, max_size=4)), user=draw(user_items | st.just([pdu.MaximumLength(7)])))


def _choose(policy: Mapping[str, Accept | ContextResult]) -> Choose:
    return lambda context: policy[context.abstract_syntax]


def _asked_roles(rq: pdu.AssociateRQ, abstract_syntax: str) -> tuple[bool, bool]:
    asked = [item for item in rq.user_items if isinstance(item, pdu.RoleSelection) and item.sop_class == abstract_syntax]
    return (asked[-1].scu, asked[-1].scp) if asked else (True, False)


def _window(item: pdu.AsynchronousOperations | None) -> float:
    """How many operations an item allows to be invoked."""
    return 1 if item is None else item.invoked or float("inf")


def _check_never_exceeds(rq: pdu.AssociateRQ, agreement: Agreement) -> None:
    """Whatever was answered: contexts, transfer syntaxes, roles and operations stay within what was proposed."""
    proposed = {context.id: context for context in rq.presentation_contexts}
    for id, context in agreement.contexts.items():
        assert (context.id, context.abstract_syntax) == (id, proposed[id].abstract_syntax)
        assert context.transfer_syntax in proposed[id].transfer_syntaxes
        may_scu, may_scp = _asked_roles(rq, context.abstract_syntax)
        assert (context.scu <= may_scu and context.scp <= may_scp) or (context.scu, context.scp) == SCU  # unanswered: the default
    assert set(agreement.extended) <= {item.sop_class for item in rq.user_items if isinstance(item, pdu.ExtendedNegotiation)}
    assert {*agreement.contexts, *(refused.id for refused in agreement.refused)} == set(proposed)
    assert len(agreement.contexts) + len(agreement.refused) == len(proposed)
    assert (agreement.operations or float("inf")) <= _window(rq.user_item(pdu.AsynchronousOperations))


@settings(deadline=None)
@given(sound_requests(), policies, st.integers(0, 16))
def test_answer_never_accepts_more_than_was_proposed(
    rq: pdu.AssociateRQ, policy: Mapping[str, Accept | ContextResult], operations: int
) -> None:
    ac = answer(rq, _choose(policy), operations=operations, grant=lambda sop_class, proposed: proposed or None)
    assert isinstance(ac, pdu.AssociateAC)
    results = ac.presentation_contexts
    assert [result.id for result in results] == [context.id for context in rq.presentation_contexts]
    for result, context in zip(results, rq.presentation_contexts, strict=True):
        choice = policy[context.abstract_syntax]
        if result.result == ContextResult.ACCEPTANCE:
            assert isinstance(choice, Accept)
            assert result.transfer_syntax == choice.transfer_syntax
            assert choice.transfer_syntax in context.transfer_syntaxes
        elif context.transfer_syntaxes and not isinstance(choice, Accept):
            assert result.result == choice
    for role in (item for item in ac.user_items if isinstance(item, pdu.RoleSelection)):
        choice = policy[role.sop_class]
        asked = _asked_roles(rq, role.sop_class)
        assert isinstance(choice, Accept)
        assert (role.scu, role.scp) == (asked[0] and choice.scu, asked[1] and choice.scp)
    agreement = agree(rq, ac)
    _check_never_exceeds(rq, agreement)
    asked_for = {item.sop_class: item.information for item in rq.user_items if isinstance(item, pdu.ExtendedNegotiation)}
    usable = {context.abstract_syntax for context in agreement.contexts.values()}
    assert agreement.extended == {uid: proposed for uid, proposed in asked_for.items() if proposed and uid in usable}
    assert set(agreement.contexts) == {result.id for result in results if result.result == ContextResult.ACCEPTANCE}
    assert (agreement.operations or float("inf")) <= max(1, operations or float("inf"))
    for item in agreement.contexts.values():
        assert item.scu or item.scp


@settings(deadline=None)
@given(sound_requests(), st.data())
def test_whatever_is_answered_the_requestor_never_takes_more_than_it_proposed(rq: pdu.AssociateRQ, data: st.DataObject) -> None:
    ac = data.draw(any_acceptances(rq))
    try:
        agreement = agree(rq, ac)
    except pdu.PDUError as error:
        assert error.reason == pdu.AbortReason.INVALID_PARAMETER_VALUE  # noqa: PT017 - not every answer is wrong
        return
    _check_never_exceeds(rq, agreement)


@settings(deadline=None)
@given(sound_requests(), policies)
def test_both_sides_agree_on_the_same(rq: pdu.AssociateRQ, policy: Mapping[str, Accept | ContextResult]) -> None:
    """The requestor knows what it sent and what it read, the acceptor the other way round."""
    ac = accepted(rq, _choose(policy))
    assert agree(rq, scenes.as_acceptance(ac.encode())) == agree(scenes.as_request(rq.encode()), ac)


@settings(deadline=None)
@given(st.builds(pdu.AssociateRQ, strategies.ae_titles, strategies.ae_titles, strategies.item_lists, strategies.words))
def test_any_request_is_rejected_or_gets_an_answer_that_fits(rq: pdu.AssociateRQ) -> None:
    reply = answer(rq, anything)
    assert reply.encode()
    if isinstance(reply, pdu.AssociateAC):
        agree(rq, reply)
    else:
        assert reply == refusal(rq)


@settings(deadline=None)
@given(st.lists(st.builds(Context, st.sampled_from(ABSTRACT), st.just(TRANSFER), st.booleans(), st.booleans()), min_size=1, max_size=128))
def test_what_we_propose_is_sound(contexts: list[Context]) -> None:
    rq = propose("PACS", "ME", contexts)
    assert refusal(rq) is None
    assert [context.id for context in rq.presentation_contexts] == list(range(1, 2 * len(contexts), 2))
    assert [(context.abstract_syntax, context.transfer_syntaxes) for context in rq.presentation_contexts] == [
        (context.abstract_syntax, context.transfer_syntaxes) for context in contexts
    ]


# What a request must have


@pytest.mark.parametrize(
    ("version", "expected"), [(0x0000, UNKNOWN_VERSION), (0x0002, UNKNOWN_VERSION), (0x0001, None), (0x0003, None), (0xFFFF, None)]
)
def test_a_01_a_02_only_bit_0_of_the_protocol_version_is_tested(version: int, expected: pdu.AssociateRJ | None) -> None:
    rq = scenes.as_request(raw_associate(1, APPLICATION, raw_context(1, VERIFICATION, IMPLICIT), LITTLE_USER, version=version))
    assert refusal(rq) == expected


@pytest.mark.parametrize(
    "items",
    [
        (pdu.ApplicationContext("1.2.840.10008.3.1.1.2"), ONE),
        (ONE,),
        (pdu.ApplicationContext(""), ONE),
    ],
    ids=["another", "missing", "empty"],
)
def test_a_04_application_context(items: tuple[pdu.Item, ...]) -> None:
    rq = pdu.AssociateRQ("PACS", "ME", (*items, pdu.UserInformation((pdu.MaximumLength(16384),))))
    assert answer(rq, anything) == UNKNOWN_APPLICATION


def test_a_05_called_ae_title() -> None:
    rq = request(ONE)
    assert answer(rq, anything, aet="OTHER") == UNKNOWN_CALLED
    assert isinstance(answer(rq, anything, aet="PACS"), pdu.AssociateAC)
    assert isinstance(answer(rq, anything), pdu.AssociateAC)


@pytest.mark.parametrize(
    "items",
    [
        (APPLICATION, LITTLE_USER),
        (APPLICATION, raw_context(1, VERIFICATION, IMPLICIT)),
        (APPLICATION,),
        (APPLICATION, raw_context(1, VERIFICATION, IMPLICIT), raw_item(0x50)),
    ],
    ids=["no context", "no user information", "neither", "empty user information"],
)
def test_a_09_items_that_a_request_must_have(items: tuple[bytes, ...]) -> None:
    assert answer(scenes.as_request(raw_associate(1, *items)), anything) == MALFORMED_REQUEST


def test_a_09_no_items_at_all() -> None:
    assert isinstance(answer(scenes.as_request(raw_associate(1)), anything), pdu.AssociateRJ)


@pytest.mark.parametrize("length", [1, 6, 7])
def test_a_12_maximum_length_without_room_for_data(length: int) -> None:
    assert answer(request(ONE, user=[pdu.MaximumLength(length)]), anything) == MALFORMED_REQUEST
    with pytest.raises(pdu.PDUError, match=f"a maximum length of {length} leaves no room"):
        agree(request(ONE), acceptance(YES, user=[pdu.MaximumLength(length)]))


@pytest.mark.parametrize("length", [0, 8, 9, 16384, 0xFFFFFFFF])
def test_a_11_a_13_a_14_maximum_length(length: int) -> None:
    rq = request(ONE, user=[pdu.MaximumLength(length)])
    ac = answer(rq, anything, max_pdu=1000)
    assert isinstance(ac, pdu.AssociateAC)
    agreement = agree(rq, ac)
    assert (agreement.max_pdu_requestor, agreement.max_pdu_acceptor) == (length, 1000)


def test_a_10_maximum_length_that_is_absent_is_taken_for_16384() -> None:
    named = [pdu.ImplementationClassUID("1.2.3")]
    agreement = agree(request(ONE, user=named), acceptance(YES, user=named))
    assert (agreement.max_pdu_requestor, agreement.max_pdu_acceptor) == (16384, 16384)


@pytest.mark.parametrize("size", [2, 8])
def test_a_10_maximum_length_of_wrong_size_is_aborted(size: int) -> None:
    user = raw_item(0x50, raw_item(0x51, bytes(size)))
    layer = scenes.bring(State.STA2, is_requestor=False)
    layer.receive(raw_associate(1, APPLICATION, raw_context(1, VERIFICATION, IMPLICIT), user))
    assert scenes.sent(layer) == scenes.raw_abort(0, 0)


@pytest.mark.parametrize("id", [0, 2, 254])
def test_a_15_context_ids_are_odd(id: int) -> None:
    rq = request(ONE, pdu.PresentationContextRQ(id, CT, (IMPLICIT,)))
    assert answer(rq, anything) == MALFORMED_REQUEST


def test_a_16_context_ids_are_distinct() -> None:
    assert answer(request(ONE, pdu.PresentationContextRQ(1, CT, (IMPLICIT,))), anything) == MALFORMED_REQUEST


@pytest.mark.parametrize(
    "rejected",
    [
        (scenes.BAD_RQ, UNKNOWN_VERSION),
        (raw_associate(1, raw_context(1, VERIFICATION, IMPLICIT), LITTLE_USER), UNKNOWN_APPLICATION),
        (raw_associate(1, APPLICATION, LITTLE_USER), MALFORMED_REQUEST),
        (raw_associate(1, APPLICATION, raw_context(1, VERIFICATION, IMPLICIT), LITTLE_USER, calling=b"A\r\nB"), pdu.AssociateRJ(1, 1, 3)),
    ],
    ids=["version", "application context", "no context", "no AE title"],
)
def test_a_request_without_what_it_must_have_is_rejected_by_the_layer_itself(rejected: tuple[bytes, pdu.AssociateRJ]) -> None:
    layer = scenes.bring(State.STA2, is_requestor=False)
    (told,) = layer.receive(rejected[0])
    assert told == AssociateRefusal(rejected[1])
    assert scenes.sent(layer) == rejected[1].encode()
    assert layer.state == State.STA13


# Contexts


def test_a_17_128_contexts() -> None:
    rq = propose("PACS", "ME", [VERIFICATION] * 128)
    assert [result.id for result in accepted(scenes.as_request(rq.encode())).presentation_contexts] == list(range(1, 256, 2))
    assert len(agree(rq, accepted(rq)).contexts) == 128


@pytest.mark.parametrize("count", [0, 129])
def test_an_association_takes_1_to_128_contexts(count: int) -> None:
    with pytest.raises(UsageError, match=f"1 to 128 presentation contexts, not {count}"):
        propose("PACS", "ME", [VERIFICATION] * count)


def test_a_bare_text_must_be_a_uid() -> None:
    with pytest.raises(UsageError, match="'Verification' is no UID"):
        propose("PACS", "ME", ["Verification"])
    assert propose("PACS", "ME", [Context("private", (IMPLICIT,))]).presentation_contexts[0].abstract_syntax == "private"


def test_what_cannot_be_sent_is_not_proposed() -> None:
    with pytest.raises(UsageError, match="proposes no transfer syntax"):
        propose("PACS", "ME", [Context(VERIFICATION, ())])
    with pytest.raises(ValueError, match="Calling-AE-title"):
        propose("PACS", "SEVENTEEN-LETTERS", [VERIFICATION])


def test_proposal_has_what_it_was_told() -> None:
    identity = pdu.UserIdentityRQ(1, b"me")
    extended = pdu.ExtendedNegotiation(CT, b"\1")
    rq = propose("PACS", "ME", [Context(CT, scu=False, scp=True)], max_pdu=0, operations=5, identity=identity, extended=[extended])
    assert (rq.called, rq.calling, rq.application_context) == ("PACS", "ME", pdu.DICOM_APPLICATION_CONTEXT)
    for item in (pdu.MaximumLength(0), pdu.AsynchronousOperations(5, 1), pdu.RoleSelection(CT, False, True), identity, extended):
        assert item in rq.user_items
    plain = propose("PACS", "ME", [VERIFICATION])
    assert not any(isinstance(item, pdu.AsynchronousOperations | pdu.RoleSelection | pdu.UserIdentityRQ) for item in plain.user_items)
    assert plain.user_item(pdu.MaximumLength) == pdu.MaximumLength(Limits().max_pdu)


# Application information of SOP classes


RELATIONAL, FUZZY = pdu.ExtendedNegotiation(VERIFICATION, b"\1"), pdu.ExtendedNegotiation(CT, b"\0\0\1")
OPTIONED = request(ONE, THREE, user=[RELATIONAL, FUZZY, pdu.ExtendedNegotiation("1.2.3", b"\1")])


def _information(rq: pdu.AssociateRQ, grant: Grant | None, choose: Choose = anything) -> list[pdu.ExtendedNegotiation]:
    """What the answer says of application information."""
    ac = answer(rq, choose, grant=grant)
    assert isinstance(ac, pdu.AssociateAC)
    return [item for item in ac.user_items if isinstance(item, pdu.ExtendedNegotiation)]


def test_application_information_is_granted_as_the_acceptor_says() -> None:
    asked: list[tuple[UID, bytes]] = []

    def grant(sop_class: UID, proposed: bytes) -> bytes | None:
        asked.append((sop_class, proposed))
        return b"\0\0\0" if sop_class == CT else proposed

    assert _information(OPTIONED, grant) == [RELATIONAL, pdu.ExtendedNegotiation(CT, b"\0\0\0")]
    assert asked == [(VERIFICATION, b"\1"), (CT, b"\0\0\1")]
    assert isinstance(asked[0][0], UID)


def test_without_a_say_nothing_is_said_of_application_information() -> None:
    assert _information(OPTIONED, None) == []
    assert _information(OPTIONED, lambda sop_class, proposed: None) == []
    assert _information(request(ONE), lambda sop_class, proposed: b"\1") == []


def test_application_information_of_a_refused_sop_class_is_not_granted() -> None:
    def only_ct(context: Context) -> Accept | ContextResult:
        return anything(context) if context.abstract_syntax == CT else ContextResult.USER_REJECTION

    assert _information(OPTIONED, lambda sop_class, proposed: proposed, only_ct) == [FUZZY]


def test_application_information_counts_where_both_sides_name_the_sop_class() -> None:
    ac = acceptance(YES, user=[pdu.ExtendedNegotiation(VERIFICATION, b"\0"), pdu.ExtendedNegotiation("1.2.4", b"\1")])
    assert agree(OPTIONED, ac).extended == {VERIFICATION: b"\0"}
    assert agree(OPTIONED, acceptance(YES)).extended == {}
    assert agree(request(ONE), ac).extended == {}


def test_application_information_is_proposed_by_sop_class() -> None:
    rq = propose("PACS", "ME", [CT, VERIFICATION], extended={VERIFICATION: b"\1", CT: b"\0\0\1"})
    assert [item for item in rq.user_items if isinstance(item, pdu.ExtendedNegotiation)] == [RELATIONAL, FUZZY]
    with pytest.raises(ValueError, match="SOP-class-uid"):
        propose("PACS", "ME", [CT], extended={"\u0661.2": b"\1"})


@pytest.mark.parametrize(
    ("context", "result"),
    [
        (pdu.PresentationContextRQ(3, CT, ()), ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED),
        (pdu.PresentationContextRQ(3, "", (IMPLICIT,)), ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED),
        (pdu.PresentationContextRQ(3, "", ()), ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED),
    ],
    ids=["no transfer syntax", "empty abstract syntax", "neither"],
)
def test_a_21_a_context_that_lacks_something_is_refused(context: pdu.PresentationContextRQ, result: ContextResult) -> None:
    rq = request(ONE, context)
    ac = accepted(rq)
    assert [item.result for item in ac.presentation_contexts] == [0, result]
    assert scenes.as_acceptance(ac.encode()) == ac
    agreement = agree(rq, ac)
    assert list(agreement.contexts) == [1]
    assert [refused.id for refused in agreement.refused] == [3]


@pytest.mark.parametrize("syntaxes", [(), (VERIFICATION, CT)], ids=["none", "two"])
def test_a_21_a_context_has_one_abstract_syntax(syntaxes: tuple[str, ...]) -> None:
    context = raw_item(0x20, bytes((1, 0, 0, 0)), *(raw_item(0x30, uid.encode()) for uid in syntaxes), raw_item(0x40, IMPLICIT.encode()))
    layer = scenes.bring(State.STA2, is_requestor=False)
    layer.receive(raw_associate(1, APPLICATION, context, LITTLE_USER))
    assert scenes.sent(layer) == scenes.raw_abort(0, 0)


def test_a_transfer_syntax_that_was_not_offered_is_not_accepted() -> None:
    ac = accepted(request(ONE), lambda context: Accept(DEFLATED))
    assert [item.result for item in ac.presentation_contexts] == [ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED]


def test_a_20_unknown_items_are_ignored() -> None:
    unknown = raw_item(0x7F, bytes(9)), raw_item(0x99)
    user = raw_item(0x50, raw_item(0x51, b"\0\0\x40\0"), raw_item(0x5F, bytes(40_000)))
    rq = scenes.as_request(raw_associate(1, APPLICATION, *unknown, raw_context(1, VERIFICATION, IMPLICIT), user))
    assert [item.result for item in accepted(rq).presentation_contexts] == [0]


def test_a_refused_context_explains_itself() -> None:
    refused = RefusedContext(3, Context(VERIFICATION), ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED)
    assert refused.words == "transfer syntaxes not supported"
    assert refused.explained.startswith("transfer syntaxes not supported (PS3.8 Table 9-18, result 4); propose other transfer syntaxes")


def test_an_association_without_an_accepted_context_is_one_still() -> None:
    ac = accepted(request(ONE, THREE), lambda context: ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED)
    agreement = agree(request(ONE, THREE), ac)
    assert agreement.contexts == {}
    assert [(refused.id, refused.result, refused.words) for refused in agreement.refused] == [
        (1, 3, "abstract syntax not supported"),
        (3, 3, "abstract syntax not supported"),
    ]


# An acceptance that does not fit (U-02)


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([YES, pdu.PresentationContextAC(5, 0, IMPLICIT)], "presentation context 5 is answered but was never proposed"),
        ([YES, YES], "presentation context 1 is answered twice"),
        ([pdu.PresentationContextAC(1, 0, EXPLICIT)], "accepted in transfer syntax '1.2.840.10008.1.2.1', which was not proposed"),
        ([pdu.PresentationContextAC(1, 0, None)], "accepted in transfer syntax '', which was not proposed"),
    ],
    ids=["unknown id", "answered twice", "foreign transfer syntax", "no transfer syntax"],
)
def test_u_02_an_answer_that_does_not_fit_is_aborted(results: list[pdu.PresentationContextAC], words: str) -> None:
    ac = acceptance(*results)
    with pytest.raises(pdu.PDUError, match=words):
        agree(request(ONE), ac)
    layer = UpperLayer.requestor(request(ONE))
    layer.connected()
    scenes.sent(layer)
    (event,) = layer.receive(ac.encode() + scenes.DATA)
    assert words in str(event)
    assert scenes.sent(layer) == scenes.raw_abort(2, 6)
    assert layer.agreement is None


def test_u_02_two_transfer_syntaxes_for_a_context_are_aborted() -> None:
    layer = scenes.bring(State.STA5, is_requestor=True)
    layer.receive(raw_associate(2, APPLICATION, scenes.raw_result(1, 0, IMPLICIT, EXPLICIT), LITTLE_USER))
    assert scenes.sent(layer) == scenes.raw_abort(2, 5)


def test_u_02_ae_titles_of_an_acceptance_are_not_tested() -> None:
    layer = scenes.bring(State.STA5, is_requestor=True)
    layer.receive(raw_associate(2, APPLICATION, scenes.raw_result(1, 0, IMPLICIT), LITTLE_USER, called=b"WHO", calling=b"EVER"))
    assert layer.state == State.STA6


def test_a_context_without_answer_is_refused() -> None:
    agreement = agree(request(ONE, THREE), acceptance(YES))
    assert agreement.contexts == {1: AcceptedContext(1, UID(VERIFICATION), UID(IMPLICIT))}
    assert [(refused.id, refused.result) for refused in agreement.refused] == [(3, ContextResult.NO_REASON)]


@pytest.mark.parametrize("transfer", [None, "", "9.9"])
@pytest.mark.parametrize("result", [1, 2, 3, 4, 200])
def test_the_transfer_syntax_of_a_refused_context_is_not_tested(result: int, transfer: str | None) -> None:
    agreement = agree(request(ONE), acceptance(pdu.PresentationContextAC(1, result, transfer)))
    assert [refused.result for refused in agreement.refused] == [result]
    assert agreement.refused[0].context == Context(VERIFICATION, (IMPLICIT,))


# Roles (PS3.7 D.3.3.4)

Roles = tuple[bool, bool]
SCU, SCP, BOTH, NEITHER = (True, False), (False, True), (True, True), (False, False)


@pytest.mark.parametrize(
    ("asked", "choice", "agreed"),
    [
        (None, BOTH, SCU),
        (None, SCP, None),
        (SCU, BOTH, SCU),
        (SCP, BOTH, SCP),
        (SCP, SCU, None),
        (BOTH, BOTH, BOTH),
        (BOTH, SCU, SCU),
        (BOTH, SCP, SCP),
        (BOTH, NEITHER, None),
        (NEITHER, BOTH, None),
    ],
)
def test_roles_are_those_that_both_sides_want(asked: Roles | None, choice: Roles, agreed: Roles | None) -> None:
    roles = [] if asked is None else [pdu.RoleSelection(VERIFICATION, *asked)]
    rq = request(ONE, user=[pdu.MaximumLength(0), *roles])
    ac = accepted(rq, lambda context: Accept(IMPLICIT, *choice))
    agreement = agree(rq, ac)
    if agreed is None:
        assert [refused.result for refused in agreement.refused] == [ContextResult.USER_REJECTION]
        assert ac.user_item(pdu.RoleSelection) is None
    else:
        assert [(context.scu, context.scp) for context in agreement.contexts.values()] == [agreed]
        assert ac.user_item(pdu.RoleSelection) == (None if asked is None else pdu.RoleSelection(VERIFICATION, *agreed))


@pytest.mark.parametrize(
    ("asked", "answered", "agreed"),
    [(None, BOTH, SCU), (SCU, BOTH, SCU), (SCP, BOTH, SCP), (BOTH, None, SCU), (BOTH, NEITHER, NEITHER), (SCP, None, SCU)],
)
def test_roles_that_are_answered_never_exceed_those_asked_for(asked: Roles | None, answered: Roles | None, agreed: Roles) -> None:
    def user(roles: Roles | None) -> list[pdu.UserItem]:
        return [pdu.MaximumLength(0), *([] if roles is None else [pdu.RoleSelection(VERIFICATION, *roles)])]

    agreement = agree(request(ONE, user=user(asked)), acceptance(YES, user=user(answered)))
    assert (agreement.contexts[1].scu, agreement.contexts[1].scp) == agreed


# Operations (PS3.7 D.3.3.3)


@pytest.mark.parametrize(
    ("asked", "granted", "agreed"),
    [(None, 16, 1), (1, 16, 1), (5, 16, 5), (20, 16, 16), (0, 16, 16), (5, 0, 5), (0, 0, 0)],
)
def test_operations_window_is_the_smaller_one(asked: int | None, granted: int, agreed: int) -> None:
    rq = request(ONE, user=[pdu.MaximumLength(0), *([] if asked is None else [pdu.AsynchronousOperations(asked, 3)])])
    ac = answer(rq, anything, operations=granted)
    assert isinstance(ac, pdu.AssociateAC)
    assert ac.user_item(pdu.AsynchronousOperations) == (None if asked is None else pdu.AsynchronousOperations(agreed, 1))
    assert agree(rq, ac).operations == agreed


@pytest.mark.parametrize(("asked", "answered", "agreed"), [(None, 8, 1), (5, None, 1), (5, 8, 5), (5, 0, 5), (0, 0, 0)])
def test_operations_window_that_is_answered_never_exceeds_that_asked_for(asked: int | None, answered: int | None, agreed: int) -> None:
    def user(window: int | None) -> list[pdu.UserItem]:
        return [pdu.MaximumLength(0), *([] if window is None else [pdu.AsynchronousOperations(window, 1)])]

    assert agree(request(ONE, user=user(asked)), acceptance(YES, user=user(answered))).operations == agreed


def test_policy_is_asked_with_what_was_proposed() -> None:
    seen: list[Context] = []

    def note(context: Context) -> Accept | ContextResult:
        seen.append(context)
        return ContextResult.NO_REASON

    accepted(request(ONE, THREE, user=[pdu.MaximumLength(0), pdu.RoleSelection(CT, True, True)]), note)
    assert seen == [Context(VERIFICATION, (IMPLICIT,)), Context(CT, (EXPLICIT, IMPLICIT), scu=True, scp=True)]


# Counts


@pytest.mark.parametrize(
    ("limits", "request_"),
    [
        (Limits(contexts=2), propose("PACS", "ME", [VERIFICATION] * 3)),
        (Limits(transfer_syntaxes=2), propose("PACS", "ME", [Context("1.2.3", ("1.2", "1.3", "1.4"))])),
        (Limits(user_items=2), propose("PACS", "ME", [VERIFICATION])),
    ],
    ids=["contexts", "transfer syntaxes", "user items"],
)
def test_more_than_is_looked_at_is_aborted(limits: Limits, request_: pdu.AssociateRQ) -> None:
    layer = UpperLayer.acceptor(limits=limits)
    layer.connected()
    (told,) = layer.receive(request_.encode())
    assert isinstance(told, AbortIndication)
    assert "are more than the limit of 2" in told.cause
    assert scenes.sent(layer) == scenes.raw_abort(0, 0)
