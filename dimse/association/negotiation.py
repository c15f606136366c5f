"""Association negotiation (PS3.8 7.1.1, PS3.7 Annex D): what to propose, what to answer, and what was agreed.

Three steps, each a function from values to values:

    propose(...)         -> AssociateRQ                    the requestor, before it connects
    answer(rq, choose)   -> AssociateAC | AssociateRJ      the acceptor
    agree(rq, ac)        -> Agreement                      both, of the same two PDUs
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import pdu
from dimse.association.config import Limits
from dimse.data.uids import DEFAULT_TRANSFER_SYNTAXES, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, UID
from dimse.errors import UsageError, explained
from pdu.typed import TYPE_CHECKING, Literal
from pdu.values import dataclass, field

if TYPE_CHECKING:
    from typing import TypeVar

    _T = TypeVar("_T", bound=pdu.UserItem)


MAX_CONTEXTS = 128
"""Presentation context ids are the odd numbers of a byte (PS3.8 9.3.2.2)."""
SMALLEST_MAX_PDU = 8
"""A PDV header takes 6 bytes, and a fragment is of even length: below 8 no byte of data fits (PS3.8 D.1, PS3.8 Annex E.2)."""


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context as proposed: one abstract syntax, the transfer syntaxes in order of preference.

    `scu` and `scp` are the roles that the requestor wants (PS3.7 D.3.3.4); the default needs no role negotiation.
    """

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...] = DEFAULT_TRANSFER_SYNTAXES
    scu: bool = True
    scp: bool = False


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """A presentation context that both sides may use. `scu` and `scp` are the roles the requestor plays."""

    id: int
    abstract_syntax: UID
    transfer_syntax: UID
    scu: bool = True
    scp: bool = False


@dataclass(frozen=True, slots=True)
class RefusedContext:
    """A presentation context that was proposed and not accepted, with the acceptor's result (PS3.8 Table 9-18)."""

    id: int
    context: Context
    result: int

    @property
    def words(self) -> str:
        """The result in words."""
        return pdu.context_words(self.result)

    @property
    def explained(self) -> str:
        """The result in a sentence: what it means, the clause, and what can be done."""
        return explained(self.result)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an A-ASSOCIATE-RQ and its A-ASSOCIATE-AC agree on.

    `max_pdu_requestor` and `max_pdu_acceptor` are the longest P-DATA-TF that each side takes (0: no limit). `operations` is
    how many operations the requestor may have under way (0: no limit; PS3.7 D.3.3.3). `extended` is the application information
    that the acceptor grants for SOP classes that the requestor named (PS3.7 D.3.3.5).
    """

    contexts: Mapping[int, AcceptedContext]
    refused: tuple[RefusedContext, ...]
    max_pdu_requestor: int
    max_pdu_acceptor: int
    operations: int
    extended: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accept:
    """The choice to accept a proposed context: in which transfer syntax, and which roles the requestor may play."""

    transfer_syntax: str
    scu: bool = True
    scp: bool = False


Choose = Callable[[Context], Accept | pdu.ContextResult]
"""An acceptor's policy: what becomes of one proposed context."""
Grant = Callable[[UID, bytes], bytes | None]
"""An acceptor's policy: what it grants of a SOP class's proposed application information (PS3.7 D.3.3.5); None: it says nothing."""
Extended = Mapping[str, bytes] | Mapping[UID, bytes] | Sequence[pdu.ExtendedNegotiation | pdu.CommonExtendedNegotiation]
"""Application information to propose: by SOP class, or as items."""


def propose(
    called: str,
    calling: str,
    contexts: Sequence[Context | str],
    *,
    max_pdu: int = Limits().max_pdu,
    operations: int = 1,
    identity: pdu.UserIdentityRQ | None = None,
    extended: Extended = (),
) -> pdu.AssociateRQ:
    """The A-ASSOCIATE-RQ for these contexts (a bare UID stands for a `Context` of that abstract syntax); ids are 1, 3, 5...

    `operations` other than 1 asks for an asynchronous operations window (0: no limit). Raises `UsageError` for more than
    128 contexts, none, a bare text that is no UID, or a context without transfer syntax, `ValueError` for an AE title that
    does not fit.
    """
    wanted = [_context(c) if isinstance(c, str) else c for c in contexts]
    if not 1 <= len(wanted) <= MAX_CONTEXTS:
        raise UsageError(f"an association takes 1 to {MAX_CONTEXTS} presentation contexts, not {len(wanted)} (PS3.8 9.3.2.2)")
    if empty := next((c for c in wanted if not c.transfer_syntaxes), None):
        raise UsageError(f"the context for {empty.abstract_syntax} proposes no transfer syntax (PS3.8 9.3.2.2)")
    proposed = tuple(pdu.PresentationContextRQ(2 * n + 1, c.abstract_syntax, tuple(c.transfer_syntaxes)) for n, c in enumerate(wanted))
    roles = {c.abstract_syntax: pdu.RoleSelection(c.abstract_syntax, c.scu, c.scp) for c in wanted if not c.scu or c.scp}
    user: tuple[pdu.UserItem, ...] = (
        pdu.MaximumLength(max_pdu),
        pdu.ImplementationClassUID(IMPLEMENTATION_CLASS_UID),
        *([pdu.AsynchronousOperations(operations, 1)] if operations != 1 else []),
        *roles.values(),
        pdu.ImplementationVersionName(IMPLEMENTATION_VERSION_NAME),
        *_extended_items(extended),
        *([identity] if identity else []),
    )
    request = pdu.AssociateRQ(called, calling, (pdu.ApplicationContext(), *proposed, pdu.UserInformation(user)))
    request.encode()  # what does not fit its field is to raise here, not when the transport is open
    return request


def _context(uid: str) -> Context:
    if not UID(uid).is_valid:
        raise UsageError(
            f"{uid!r} is no UID", "PS3.5 9.1", "name a SOP class, dimse.Verification for instance; a Context may have any text"
        )
    return Context(uid)


def _extended_items(extended: Extended) -> Sequence[pdu.UserItem]:
    if isinstance(extended, Mapping):
        return [pdu.ExtendedNegotiation(uid, information) for uid, information in extended.items()]
    return extended


def refusal(rq: pdu.AssociateRQ) -> pdu.AssociateRJ | None:
    """The rejection that a request deserves whatever the acceptor offers, or None for one that can be answered."""
    if not rq.protocol_version & 1:  # "shall only test bit 0" (PS3.8 9.3.2)
        return pdu.AssociateRJ(result=1, source=2, reason=2)
    if rq.application_context != pdu.DICOM_APPLICATION_CONTEXT:
        return pdu.AssociateRJ(result=1, source=1, reason=2)
    if not _is_ae_title(rq.calling):
        return pdu.AssociateRJ(result=1, source=1, reason=3)
    return None if _is_sound(rq) else pdu.AssociateRJ(result=1, source=2, reason=1)


def check_counts(rq: pdu.AssociateRQ, limits: Limits) -> None:
    """Raises `pdu.PDUError` for more contexts, transfer syntaxes or user items than this side looks at, or a second user identity."""
    proposals, items = rq.presentation_contexts, rq.user_items
    counts = (
        ("presentation contexts", len(proposals), limits.contexts),
        ("transfer syntaxes in a context", max([len(p.transfer_syntaxes) for p in proposals], default=0), limits.transfer_syntaxes),
        ("user information sub-items", len(items), limits.user_items),
    )
    for what, count, limit in counts:
        if count > limit:
            raise _unfit(f"{count} {what} are more than the limit of {limit}", "PS3.8 9.3.2")
    if (users := len(_all(items, pdu.UserIdentityRQ))) > 1:
        raise _unfit(f"{users} user identities, of which there may be one", "PS3.7 D.3.3.7")


def answer(
    rq: pdu.AssociateRQ,
    choose: Choose,
    *,
    aet: str | None = None,
    max_pdu: int = Limits().max_pdu,
    operations: int = Limits().operations,
    grant: Grant | None = None,
) -> pdu.AssociateAC | pdu.AssociateRJ:
    """The acceptor's answer. Every proposed context gets one result; nothing is accepted that was not proposed.

    `aet`: the AE title that the request must call (None: any). `grant`: what becomes of the application information that is proposed
    for SOP classes (None: nothing is said of it, which grants nothing). An association in which no context is accepted is still
    accepted, as the standard has it (PS3.8 7.1.1.14 speaks of each context by itself).
    """
    if rejection := refusal(rq):
        return rejection
    if aet is not None and rq.called != aet:
        return pdu.AssociateRJ(result=1, source=1, reason=7)
    roles = {role.sop_class: role for role in _all(rq.user_items, pdu.RoleSelection)}
    proposals = rq.presentation_contexts
    results = [_result(proposal, roles, choose) for proposal in proposals]
    accepted = [(context, choice) for context, choice in results if isinstance(choice, Accept)]
    user: tuple[pdu.UserItem, ...] = (
        pdu.MaximumLength(max_pdu),
        pdu.ImplementationClassUID(IMPLEMENTATION_CLASS_UID),
        *_granted_operations(rq, operations),
        *_granted_roles(roles, accepted),
        pdu.ImplementationVersionName(IMPLEMENTATION_VERSION_NAME),
        *_granted_information(rq, grant, {context.abstract_syntax for context, _ in accepted}),
    )
    contexts = [_result_item(proposal, choice) for proposal, (_, choice) in zip(proposals, results, strict=True)]
    return pdu.AssociateAC(rq.called, rq.calling, (pdu.ApplicationContext(), *contexts, pdu.UserInformation(user)))


def agree(rq: pdu.AssociateRQ, ac: pdu.AssociateAC) -> Agreement:
    """What the two PDUs agree on. A context that the answer leaves out counts as refused without a reason (result 2).

    Raises `pdu.PDUError` for an answer that does not fit the request: a context id that was never proposed or is answered
    twice, an accepted transfer syntax that was not offered, a maximum length in which no data fit.
    """
    proposed = {p.id: p for p in rq.presentation_contexts}
    answers = _answers(ac, proposed)
    asked, granted = rq.user_items, ac.user_items
    roles = _agreed_roles(asked, granted)
    accepted: dict[int, AcceptedContext] = {}
    refused: list[RefusedContext] = []
    for id, proposal in proposed.items():
        item = answers.get(id)
        scu, scp = roles.get(proposal.abstract_syntax, (True, False))
        if item is not None and item.result == pdu.ContextResult.ACCEPTANCE:
            syntax = item.transfer_syntax or ""
            if syntax not in proposal.transfer_syntaxes:
                raise _unfit(f"context {id} was accepted in transfer syntax {syntax!r}, which was not proposed", "PS3.8 9.3.3.2")
            accepted[id] = AcceptedContext(id, UID(proposal.abstract_syntax), UID(syntax), scu, scp)
        else:
            result = pdu.ContextResult.NO_REASON if item is None else item.result
            refused.append(RefusedContext(id, Context(proposal.abstract_syntax, proposal.transfer_syntaxes), result))
    operations, information = _agreed_operations(rq, ac), _agreed_information(asked, granted)
    return Agreement(accepted, tuple(refused), _max_pdu(rq), _max_pdu(ac), operations, information)


def _is_ae_title(text: str) -> bool:
    """Whether it has characters, and none outside the default repertoire: no control characters, no backslash (PS3.5 6.2, AE)."""
    return bool(text) and text.isascii() and text.isprintable() and "\\" not in text


def _is_sound(rq: pdu.AssociateRQ) -> bool:
    """Whether the request has what an answer needs: contexts with distinct odd ids, user information, room for data."""
    ids = [p.id for p in rq.presentation_contexts]
    largest = rq.user_item(pdu.MaximumLength)
    fits = largest is None or largest.value == 0 or largest.value >= SMALLEST_MAX_PDU
    return bool(ids and rq.user_items) and fits and len(set(ids)) == len(ids) and 0 not in [id % 2 for id in ids]


def _all(items: Iterable[pdu.UserItem], kind: type[_T]) -> list[_T]:
    """The user information sub-items of that class."""
    return [item for item in items if isinstance(item, kind)]


def _result(
    proposal: pdu.PresentationContextRQ, roles: Mapping[str, pdu.RoleSelection], choose: Choose
) -> tuple[Context, Accept | pdu.ContextResult]:
    """The proposed context and what becomes of it; an accepted one never has more than was proposed."""
    role = roles.get(proposal.abstract_syntax)
    scu, scp = (role.scu, role.scp) if role else (True, False)
    context = Context(proposal.abstract_syntax, proposal.transfer_syntaxes, scu, scp)
    if not context.abstract_syntax:
        return context, pdu.ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED
    if not context.transfer_syntaxes:
        return context, pdu.ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED
    choice = choose(context)
    if not isinstance(choice, Accept):
        return context, choice
    if choice.transfer_syntax not in context.transfer_syntaxes:
        return context, pdu.ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED
    granted = Accept(choice.transfer_syntax, scu and choice.scu, scp and choice.scp)
    return context, granted if granted.scu or granted.scp else pdu.ContextResult.USER_REJECTION


def _result_item(proposal: pdu.PresentationContextRQ, choice: Accept | pdu.ContextResult) -> pdu.PresentationContextAC:
    """One context's result. A refused one repeats a proposed transfer syntax, whose value "shall not be tested" (9.3.3.2)."""
    if isinstance(choice, Accept):
        return pdu.PresentationContextAC(proposal.id, pdu.ContextResult.ACCEPTANCE, choice.transfer_syntax)
    return pdu.PresentationContextAC(proposal.id, choice, next(iter(proposal.transfer_syntaxes), ""))


def _granted_roles(asked: Mapping[str, pdu.RoleSelection], accepted: Sequence[tuple[Context, Accept]]) -> list[pdu.RoleSelection]:
    """The roles of the SOP classes for which roles were proposed and a context was accepted (PS3.7 D.3.3.4.2)."""
    granted: dict[str, pdu.RoleSelection] = {}
    for context, choice in accepted:
        if context.abstract_syntax in asked:
            granted.setdefault(context.abstract_syntax, pdu.RoleSelection(context.abstract_syntax, choice.scu, choice.scp))
    return list(granted.values())


def _granted_information(rq: pdu.AssociateRQ, grant: Grant | None, accepted: Collection[str]) -> list[pdu.ExtendedNegotiation]:
    """The application information of the SOP classes for which some was proposed and a context was accepted (PS3.7 D.3.3.5.2)."""
    if grant is None:
        return []
    granted = {uid: grant(UID(uid), information) for uid, information in _information(rq.user_items).items() if uid in accepted}
    return [pdu.ExtendedNegotiation(uid, information) for uid, information in granted.items() if information is not None]


def _granted_operations(rq: pdu.AssociateRQ, operations: int) -> list[pdu.AsynchronousOperations]:
    """The answer to a proposed window: never more than asked for, and we never invoke on the requestor's side (PS3.7 D.3.3.3)."""
    asked = rq.user_item(pdu.AsynchronousOperations)
    return [] if asked is None else [pdu.AsynchronousOperations(_smaller_window(asked.invoked, operations), 1)]


def _smaller_window(a: int, b: int) -> int:
    """The smaller of two counts of operations, of which 0 means no limit."""
    return min(a, b) if a and b else a or b


def _answers(ac: pdu.AssociateAC, proposed: Mapping[int, pdu.PresentationContextRQ]) -> dict[int, pdu.PresentationContextAC]:
    answers: dict[int, pdu.PresentationContextAC] = {}
    for item in ac.items:
        if isinstance(item, pdu.PresentationContextAC):
            if item.id not in proposed or item.id in answers:
                fault = "answered twice" if item.id in answers else "answered but was never proposed"
                raise _unfit(f"presentation context {item.id} is {fault}", "PS3.8 9.3.3.2")
            answers[item.id] = item
    return answers


def _agreed_roles(request: Iterable[pdu.UserItem], answer: Iterable[pdu.UserItem]) -> dict[str, tuple[bool, bool]]:
    """SOP class -> the requestor's roles. A role counts when both sides name it; without an answer the default stands."""
    asked = {role.sop_class: role for role in _all(request, pdu.RoleSelection)}
    answered = [role for role in _all(answer, pdu.RoleSelection) if role.sop_class in asked] if asked else []
    return {r.sop_class: (r.scu and asked[r.sop_class].scu, r.scp and asked[r.sop_class].scp) for r in answered}


def _agreed_information(request: Iterable[pdu.UserItem], answer: Iterable[pdu.UserItem]) -> dict[str, bytes]:
    """SOP class -> the application information of the answer, which counts where the request has some too."""
    asked = _information(request)
    return {uid: information for uid, information in _information(answer).items() if uid in asked} if asked else {}


def _information(items: Iterable[pdu.UserItem]) -> dict[str, bytes]:
    """SOP class -> its application information, of which there is to be one (PS3.7 D.3.3.5)."""
    return {item.sop_class: item.information for item in _all(items, pdu.ExtendedNegotiation)}


def _max_pdu(request_or_answer: pdu.AssociateRQ | pdu.AssociateAC) -> int:
    """The longest P-DATA-TF that the sender of this PDU takes; 16384 when it does not say, 0 when it has no limit."""
    item = request_or_answer.user_item(pdu.MaximumLength)
    if item is None:
        return ASSUMED_MAX_PDU
    if 0 < item.value < SMALLEST_MAX_PDU:
        raise _unfit(f"a maximum length of {item.value} leaves no room for data", "PS3.8 D.1")
    return item.value


ASSUMED_MAX_PDU = 16_384
"""The sub-item is mandatory (PS3.7 D.3.3.1), so nothing is said of its absence: 16 KiB is what every known peer takes."""


def _agreed_operations(rq: pdu.AssociateRQ, ac: pdu.AssociateAC) -> int:
    """Operations that the requestor may have under way: 1 unless both sides name a window (PS3.7 D.3.3.3)."""
    asked, granted = rq.user_item(pdu.AsynchronousOperations), ac.user_item(pdu.AsynchronousOperations)
    return 1 if asked is None or granted is None else _smaller_window(asked.invoked, granted.invoked)


def _unfit(what: str, clause: Literal["PS3.7 D.3.3.7", "PS3.8 9.3.2", "PS3.8 9.3.3.2", "PS3.8 D.1"]) -> pdu.PDUError:
    return pdu.PDUError(what, offset=0, reason=pdu.AbortReason.INVALID_PARAMETER_VALUE, clause=clause)
