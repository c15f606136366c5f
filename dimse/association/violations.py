"""What a peer's PDUs have against PS3.8 though they are tolerated, each with its clause.

For the trace, and for whoever judges peers:

    violations(encoded)          one whole PDU by itself, from its bytes: what decoding forgets is what is looked at
    answer_violations(rq, ac)    an A-ASSOCIATE-AC beside the A-ASSOCIATE-RQ that it answers
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import pdu
from dimse.data.violations import Violation, uid_violations
from pdu import ItemType

LONGEST_VERSION_NAME = 16
_FIXED_PART = 68
_HEADER = 6
_ITEM_HEADER = 4
_SYNTAXES = {int(ItemType.ABSTRACT_SYNTAX): "Abstract-syntax-name", int(ItemType.TRANSFER_SYNTAX): "Transfer-syntax-name"}
_SINGLE = {
    int(ItemType.MAXIMUM_LENGTH): "PS3.8 D.1",
    int(ItemType.IMPLEMENTATION_CLASS_UID): "PS3.7 D.3.3.2",
    int(ItemType.ASYNCHRONOUS_OPERATIONS): "PS3.7 D.3.3.3",
    int(ItemType.IMPLEMENTATION_VERSION_NAME): "PS3.7 D.3.3.2",
    int(ItemType.USER_IDENTITY_RQ): "PS3.7 D.3.3.7",
    int(ItemType.USER_IDENTITY_AC): "PS3.7 D.3.3.7",
}
"""Sub-items of the user information that an A-ASSOCIATE PDU has at most once."""
_NEEDED = {
    ItemType.MAXIMUM_LENGTH: ("maximum length", "PS3.8 D.1"),
    ItemType.IMPLEMENTATION_CLASS_UID: ("implementation class UID", "PS3.7 D.3.3.2"),
}


def violations(encoded: bytes) -> list[Violation]:
    """What one whole PDU has against the standard; what makes it none that can be read comes alone."""
    try:
        value = pdu.decode(encoded)
    except pdu.PDUError as error:
        return [Violation(error.what, error.clause)]
    found = list(_reserved(encoded[1:2], "byte 2 of the PDU", value.clause))
    match value:
        case pdu.AssociateRQ() | pdu.AssociateAC():
            found += _associate(encoded, value)
        case pdu.AssociateRJ():
            found += [*_reserved(encoded[6:7], "byte 7", value.clause), *_rejection(value)]
        case pdu.Abort():
            found += [*_reserved(encoded[6:8], "bytes 7 and 8", value.clause), *_abort(value)]
        case pdu.PDataTF():
            found += _data(encoded, value)
        case _:
            found += _reserved(encoded[6:10], "bytes 7 to 10", value.clause)
    return found


def answer_violations(rq: pdu.AssociateRQ, ac: pdu.AssociateAC) -> list[Violation]:
    """What an answer has against the standard that only shows beside its request."""
    found: list[Violation] = []
    for name, asked, answered in (("Called-AE-title", rq.called, ac.called), ("Calling-AE-title", rq.calling, ac.calling)):
        if asked != answered:
            found.append(Violation(f"the {name} field of the request does not come back", "PS3.8 9.3.3"))
    answers = {item.id for item in ac.presentation_contexts}
    left_out = [item.id for item in rq.presentation_contexts if item.id not in answers]
    if left_out:
        found.append(Violation(f"no answer to presentation context {', '.join(map(str, left_out))}", "PS3.8 9.3.3.2"))
    asked_roles = {item.sop_class: item for item in rq.user_items if isinstance(item, pdu.RoleSelection)}
    for role in ac.user_items:
        if isinstance(role, pdu.RoleSelection):
            asked_role = asked_roles.get(role.sop_class, pdu.RoleSelection(role.sop_class, False, False))
            if (role.scu and not asked_role.scu) or (role.scp and not asked_role.scp):
                found.append(Violation(f"a role for {role.sop_class} that was not proposed", "PS3.7 D.3.3.4.2"))
    if ac.user_item(pdu.AsynchronousOperations) and not rq.user_item(pdu.AsynchronousOperations):
        found.append(Violation("an asynchronous operations window that was not proposed", "PS3.7 D.3.3.3"))
    identity = rq.user_item(pdu.UserIdentityRQ)
    if ac.user_item(pdu.UserIdentityAC) and not (identity and identity.positive_response_requested):
        found.append(Violation("a response to a user identity that was not asked for", "PS3.7 D.3.3.7.2"))
    return found


# A-ASSOCIATE-RQ and -AC


def _associate(encoded: bytes, value: pdu.AssociateRQ | pdu.AssociateAC) -> Iterator[Violation]:
    version = int.from_bytes(encoded[6:8], "big")
    if version & 0xFFFE:
        yield Violation(f"Protocol-version {version:04X}H has other bits than bit 0", value.clause)
    if not version & 1:
        yield Violation(f"Protocol-version {version:04X}H lacks bit 0, which is version 1", value.clause)
    yield from _reserved(encoded[8:10], "bytes 9 and 10", value.clause)
    yield from _reserved(encoded[42:74], "bytes 43 to 74", value.clause)
    if isinstance(value, pdu.AssociateRQ):  # in an answer the fields only repeat the request's
        yield from _title(encoded[10:26], "Called-AE-title")
        yield from _title(encoded[26:42], "Calling-AE-title")
    yield from _items(encoded[_HEADER + _FIXED_PART :], is_request=isinstance(value, pdu.AssociateRQ), clause=value.clause)


def _title(raw: bytes, name: str) -> Iterator[Violation]:
    title = raw.rstrip(b" \0").lstrip(b" ")
    if b"\0" in raw[raw.find(title) + len(title) :]:
        yield Violation(f"{name} is padded with NUL instead of spaces", "PS3.8 9.3.2")
    if not title:
        yield Violation(f"{name} is empty", "PS3.8 9.3.2")
    if any(not 0x20 <= byte < 0x7F or byte == 0x5C for byte in title):
        yield Violation(f"{name} has characters that no AE title has", "PS3.5 6.2")


def _items(raw: bytes, *, is_request: bool, clause: str) -> Iterator[Violation]:
    items = list(_walk(raw))
    wrong = ItemType.PRESENTATION_CONTEXT_AC if is_request else ItemType.PRESENTATION_CONTEXT_RQ
    for kind, second, value in items:
        yield from _reserved(bytes((second,)), f"byte 2 of item {kind:02X}H", "PS3.8 9.3.1")
        if kind == wrong:
            yield Violation(f"item {kind:02X}H belongs to the other A-ASSOCIATE PDU", clause)
        elif kind in _TOP_LEVEL:
            yield from _TOP_LEVEL[kind](value)
        else:
            yield _unknown(kind)
    count = Counter(kind for kind, _, _ in items)
    for item, name in ((ItemType.APPLICATION_CONTEXT, "application context"), (ItemType.USER_INFORMATION, "user information")):
        if count[item] != 1:
            yield Violation(f"{count[item]} {name} items where there must be one", clause)
    yield from _context_ids(items, is_request=is_request, clause=clause)


def _context_ids(items: list[tuple[int, int, bytes]], *, is_request: bool, clause: str) -> Iterator[Violation]:
    kind = ItemType.PRESENTATION_CONTEXT_RQ if is_request else ItemType.PRESENTATION_CONTEXT_AC
    ids = [value[0] for item, _, value in items if item == kind]
    if not ids:
        yield Violation("no presentation context", clause)
    for id, count in Counter(ids).items():
        if count > 1:
            yield Violation(f"presentation context {id} stands {count} times", f"{clause}.2")
        if not id % 2:
            yield Violation(f"presentation context {id}: an id must be odd, from 1 to 255", f"{clause}.2")


def _application_context(value: bytes) -> Iterator[Violation]:
    yield from uid_violations(value, "Application-context-name")
    if value.rstrip(b"\0 ") != pdu.DICOM_APPLICATION_CONTEXT.encode():
        yield Violation("Application-context-name is not DICOM's", "PS3.7 A.2.1")


def _proposal(value: bytes) -> Iterator[Violation]:
    yield from _reserved(value[1:4], f"byte 6, 7 or 8 of presentation context {value[0]}", "PS3.8 9.3.2.2")
    yield from _syntaxes(value, "PS3.8 9.3.2.2", _SYNTAXES)


def _result(value: bytes) -> Iterator[Violation]:
    yield from _reserved(value[1:2] + value[3:4], f"byte 6 or 8 of presentation context {value[0]}", "PS3.8 9.3.3.2")
    if value[2] > max(pdu.ContextResult):
        yield Violation(f"presentation context {value[0]} has the result {value[2]}, which is none", "PS3.8 Table 9-18")
    if value[2]:
        return  # the transfer syntax of a refused context means nothing: it "shall not be tested"
    yield from _syntaxes(value, "PS3.8 9.3.3.2", {ItemType.TRANSFER_SYNTAX: _SYNTAXES[ItemType.TRANSFER_SYNTAX]})


def _syntaxes(value: bytes, clause: str, names: Mapping[int, str]) -> Iterator[Violation]:
    kinds = set()
    for kind, second, uid in _walk(value[4:]):
        kinds.add(kind)
        yield from _reserved(bytes((second,)), f"byte 2 of sub-item {kind:02X}H", clause)
        if kind in names:
            yield from uid_violations(uid, f"{names[kind]} of presentation context {value[0]}")
        else:
            yield _unknown(kind)
    if ItemType.TRANSFER_SYNTAX not in kinds:
        yield Violation(f"presentation context {value[0]} has no transfer syntax", clause)


def _user_information(value: bytes) -> Iterator[Violation]:
    items = list(_walk(value))
    for kind, second, content in items:
        if kind != ItemType.COMMON_EXTENDED_NEGOTIATION:  # whose version stands there
            yield from _reserved(bytes((second,)), f"byte 2 of sub-item {kind:02X}H", "PS3.8 9.3.1")
        yield from _USER.get(kind, lambda _, kind=kind: iter((_unknown(kind),)))(content)
    count = Counter(kind for kind, _, _ in items)
    for kind, (name, clause) in _NEEDED.items():
        if not count[kind]:
            yield Violation(f"the {name} is missing", clause)
    for kind, clause in _SINGLE.items():
        if count[kind] > 1:
            yield Violation(f"sub-item {kind:02X}H stands {count[kind]} times", clause)


def _maximum_length(value: bytes) -> Iterator[Violation]:
    longest = int.from_bytes(value, "big")
    if 0 < longest < 8:
        yield Violation(f"a maximum length of {longest} leaves no room for data", "PS3.8 D.1")


def _class_uid(value: bytes) -> Iterator[Violation]:
    yield from uid_violations(value, "Implementation-class-uid")


def _version_name(value: bytes) -> Iterator[Violation]:
    if not 1 <= len(value) <= LONGEST_VERSION_NAME:
        what = f"Implementation-version-name has {len(value)} characters, not 1 to {LONGEST_VERSION_NAME}"
        yield Violation(what, "PS3.7 D.3.3.2")
    if any(not 0x20 <= byte < 0x7F for byte in value):
        yield Violation("Implementation-version-name has characters outside the default repertoire", "PS3.7 D.3.3.2")


def _first_uid(value: bytes) -> Iterator[Violation]:
    yield from uid_violations(value[2 : 2 + int.from_bytes(value[:2], "big")], "SOP-class-uid")


def _identity(value: bytes) -> Iterator[Violation]:
    if not 1 <= value[0] <= 5:
        yield Violation(f"User-Identity-Type {value[0]} is none that the standard knows", "PS3.7 D.3.3.7.1")
    if value[1] > 1:
        yield Violation(f"Positive-response-requested is {value[1]}: it must be 0 or 1", "PS3.7 D.3.3.7.1")
    if value[0] != 2 and value[-2:] != b"\0\0":
        yield Violation(f"a secondary field, which belongs to type 2 only, with type {value[0]}", "PS3.7 D.3.3.7.1")


def _nothing(value: bytes) -> Iterator[Violation]:
    return iter(())


_Check = Callable[[bytes], Iterator[Violation]]
_TOP_LEVEL: Mapping[int, _Check] = {
    ItemType.APPLICATION_CONTEXT: _application_context,
    ItemType.PRESENTATION_CONTEXT_RQ: _proposal,
    ItemType.PRESENTATION_CONTEXT_AC: _result,
    ItemType.USER_INFORMATION: _user_information,
}
_USER: Mapping[int, _Check] = {
    ItemType.MAXIMUM_LENGTH: _maximum_length,
    ItemType.IMPLEMENTATION_CLASS_UID: _class_uid,
    ItemType.ASYNCHRONOUS_OPERATIONS: _nothing,
    ItemType.ROLE_SELECTION: _first_uid,
    ItemType.IMPLEMENTATION_VERSION_NAME: _version_name,
    ItemType.EXTENDED_NEGOTIATION: _first_uid,
    ItemType.COMMON_EXTENDED_NEGOTIATION: _first_uid,
    ItemType.USER_IDENTITY_RQ: _identity,
    ItemType.USER_IDENTITY_AC: _nothing,
}


# The other PDUs


def _rejection(value: pdu.AssociateRJ) -> Iterator[Violation]:
    if "reserved or unknown" in str(value):
        codes = f"result {value.result}, source {value.source}, reason {value.reason}"
        yield Violation(f"{codes} is no rejection that the standard knows", "PS3.8 Table 9-21")


def _abort(value: pdu.Abort) -> Iterator[Violation]:
    if "reserved or unknown" in str(value):
        yield Violation(f"source {value.source}, reason {value.reason} is no abort that the standard knows", "PS3.8 Table 9-26")
    if value.source == pdu.AbortSource.SERVICE_USER and value.reason:
        yield Violation(f"reason {value.reason} with source 0, where it must be 0", "PS3.8 9.3.8")


def _data(encoded: bytes, value: pdu.PDataTF) -> Iterator[Violation]:
    at = _HEADER
    for pdv in value.pdvs:
        if encoded[at + 5] & 0xFC:
            yield Violation(f"Message Control Header {encoded[at + 5]:02X}H has other bits than bits 0 and 1", "PS3.8 E.2")
        if len(pdv.data) % 2:
            yield Violation(f"a fragment of {len(pdv.data)} bytes, which is odd", "PS3.8 E.1")
        if not pdv.context_id % 2:
            yield Violation(f"presentation context {pdv.context_id}: an id must be odd, from 1 to 255", "PS3.8 9.3.5.1")
        at += _HEADER + len(pdv.data)
    for one, next_one in zip(value.pdvs, value.pdvs[1:], strict=False):
        if next_one.is_command and (one.is_last or not one.is_command):
            yield Violation("presentation data values of more than one message in a P-DATA-TF", "PS3.8 E.1")
            break


def _reserved(raw: bytes, where: str, clause: str) -> Iterator[Violation]:
    if any(raw):
        yield Violation(f"reserved: {where} is {raw.rstrip(bytes(1)).hex(' ').upper()}H, not zero", clause)


def _unknown(kind: int) -> Violation:
    return Violation(f"item {kind:02X}H is of no known type: ignored", "PS3.8 9.3.1")


def _walk(raw: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, second byte and value of each item; it is known that they can be read."""
    at = 0
    while at < len(raw):
        size = int.from_bytes(raw[at + 2 : at + _ITEM_HEADER], "big")
        yield raw[at], raw[at + 1], raw[at + _ITEM_HEADER : at + _ITEM_HEADER + size]
        at += _ITEM_HEADER + size
