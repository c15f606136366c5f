"""What a provider offers a peer: which contexts its services accept, as far as the peer has the rights to them (PS3.7 D.3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import pdu
from dimse.association.negotiation import Accept, Context
from dimse.data.commands import CommandField
from dimse.data.uids import (
    DEFAULT_TRANSFER_SYNTAXES,
    UID,
    PatientRootGet,
    PatientRootMove,
    PatientStudyOnlyGet,
    PatientStudyOnlyMove,
    StudyRootGet,
    StudyRootMove,
    Verification,
)
from dimse.services.conversion import UNCOMPRESSED, has_codecs
from dimse.services.handlers import Services
from dimse.services.messages import Message
from dimse.services.options import FIND_MODELS
from dimse.services.rights import ALL_RIGHTS, Right

GET_MODELS = frozenset({PatientRootGet, StudyRootGet, PatientStudyOnlyGet})
MOVE_MODELS = frozenset({PatientRootMove, StudyRootMove, PatientStudyOnlyMove})
OPERATIONS = {
    CommandField.C_ECHO_RQ: frozenset({Verification}),
    CommandField.C_FIND_RQ: FIND_MODELS,
    CommandField.C_GET_RQ: GET_MODELS,
    CommandField.C_MOVE_RQ: MOVE_MODELS,
}
"""Which operation the SOP classes have; all others are storage classes."""
_OPERATION_OF = {uid: field for field, classes in OPERATIONS.items() for uid in classes}
RIGHTS: dict[int, Right] = {
    CommandField.C_ECHO_RQ: Right.ECHO,
    CommandField.C_STORE_RQ: Right.STORE,
    CommandField.C_FIND_RQ: Right.FIND,
    CommandField.C_GET_RQ: Right.GET,
    CommandField.C_MOVE_RQ: Right.MOVE,
}
"""Which right an operation needs."""


class Offer:
    """The acceptor's policy that these services amount to, for a peer with these rights.

    Verification and queries in the uncompressed little endian syntaxes, storage in whatever is proposed, in the requestor's
    order, with the roles of both C-STORE (requestor is SCU) and C-GET (requestor is SCP). What is for C-GET alone is taken in the
    first transfer syntax that all instances can be sent in. `any_storage` takes every abstract
    syntax that nobody else wants as a storage class, private ones included. What only the rights forbid is a user-rejection, and
    `denied` has the rights that were missing.
    """

    def __init__(self, services: Services, *, rights: frozenset[Right] = ALL_RIGHTS, any_storage: bool = False) -> None:
        self.denied: set[Right] = set()
        self._rights = rights
        self._any_storage = any_storage
        self._provided = {
            Right.ECHO: services.echo is not None,
            Right.STORE: services.sink is not None or services.store is not None,
            Right.FIND: services.find is not None,
            Right.GET: services.get is not None,
            Right.MOVE: services.move is not None,
        }

    def choose(self, context: Context) -> Accept | pdu.ContextResult:
        """What becomes of one proposed context."""
        uid = UID(context.abstract_syntax)
        field = _OPERATION_OF.get(uid)
        if field is None:
            return self._storage(context) if uid.is_storage or (self._any_storage and uid.is_valid) else NOT_SUPPORTED
        operation = RIGHTS[field]
        if not self._provided[operation]:
            return NOT_SUPPORTED
        if not self._may(operation):
            return pdu.ContextResult.USER_REJECTION
        known = [t for t in context.transfer_syntaxes if t in DEFAULT_TRANSFER_SYNTAXES]
        return Accept(known[0]) if known else pdu.ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED

    def _storage(self, context: Context) -> Accept | pdu.ContextResult:
        """A storage class is for the C-STORE of a requestor that is its SCU, and for the C-GET of one that is its SCP."""
        asked = {Right.STORE: context.scu, Right.GET: context.scp}
        wanted = [right for right, role in asked.items() if role and self._provided[right]]
        if not wanted:
            return NOT_SUPPORTED
        granted = [right for right in wanted if self._may(right)]
        if not granted:
            return pdu.ContextResult.USER_REJECTION
        syntax = context.transfer_syntaxes[0] if Right.STORE in granted else _returning(context.transfer_syntaxes)
        return Accept(syntax, scu=Right.STORE in granted, scp=Right.GET in granted)

    def _may(self, right: Right) -> bool:
        if right not in self._rights:
            self.denied.add(right)
        return right in self._rights


NOT_SUPPORTED = pdu.ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED


def _returning(proposed: Sequence[str]) -> str:
    """The transfer syntax of what a C-GET brings, before it is known what that will be: nothing is ever compressed here.

    So the first one is taken that everything can be taken to, if compressed instances can be decompressed; else the requestor's
    first, for what it is stored in is all that a compressed instance can go in. Who wants both proposes contexts of one each.
    """
    plain = next((syntax for syntax in proposed if syntax in UNCOMPRESSED), None)
    return plain if plain is not None and has_codecs() else proposed[0]


def is_operation_of(message: Message) -> bool:
    """Whether the SOP class has the operation (PS3.4 A to C), and the requestor the role to ask for it."""
    of_class = _OPERATION_OF.get(message.context.abstract_syntax, CommandField.C_STORE_RQ)
    return message.command.command_field == of_class and message.context.scu
