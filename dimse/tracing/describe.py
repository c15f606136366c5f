"""Trace records as plain values for JSON: names, numbers and UIDs; values of data elements only where they are asked for."""

from __future__ import annotations

from dataclasses import fields

import pdu
from dimse.association.events import TraceRecord
from dimse.association.layer import EVENT_OF
from dimse.association.table import GRID, State
from dimse.association.violations import answer_violations, violations
from dimse.association.witness import pdu_name
from dimse.data.commands import CommandField, CommandSet
from dimse.data.status import Status
from dimse.data.violations import Violation, command_violations, identifier_violations
from dimse.errors import DataError
from dimse.tracing.secrets import without_secrets

Json = dict[str, object]
LONGEST_COMMAND = 1_048_576
"""Bytes of a command set that are collected to be decoded."""
LONGEST_IDENTIFIER = 65_536
"""Bytes of the identifier of a query that are collected to be looked into."""
MOST_PDVS, MOST_VIOLATIONS = 256, 64
"""What is told of one PDU: 128 KiB can hold twenty thousand presentation data values, each of them wrong."""
UID_CHARACTERS = {*"0123456789."}
"""PS3.5 9.1"""
UNEXPECTED = ("AA-1", "AA-7", "AA-8")
"""What Table 9-10 has for a PDU that must not come in a state."""
ITEM_NAMES = {
    pdu.MaximumLength: "maximum length",
    pdu.ImplementationClassUID: "implementation class UID",
    pdu.ImplementationVersionName: "implementation version name",
    pdu.AsynchronousOperations: "asynchronous operations window",
    pdu.RoleSelection: "role selection",
    pdu.ExtendedNegotiation: "extended negotiation",
    pdu.CommonExtendedNegotiation: "common extended negotiation",
    pdu.UserIdentityRQ: "user identity",
    pdu.UserIdentityAC: "user identity response",
}


class Description:
    """Describes the records of one association in order; it remembers what a PDU needs of those before it.

    `data`: with the bytes of each PDU, and with the comments of responses. Secrets of user identities never.
    """

    def __init__(self, *, data: bool = False) -> None:
        self._data = data
        self._request: pdu.AssociateRQ | None = None
        self._commands = {"in": bytearray(), "out": bytearray()}
        self._syntaxes: dict[int, str] = {}
        """The transfer syntaxes that were agreed on, by presentation context."""
        self._identifier: bytearray | None = None
        """Of a query whose command came."""

    def of(self, record: TraceRecord) -> Json:
        """One record: its PDU with all fields, or its words; the states; what it has against the standard."""
        found: list[Violation] = []
        what = self._what(record, found)
        states: Json = {"before": f"Sta{record.before}", "after": f"Sta{record.after}"}
        told = [violation._asdict() for violation in dict.fromkeys(found)][:MOST_VIOLATIONS]
        seen: Json = {"violations": told} if found else {}
        raw: Json = {"bytes": without_secrets(record.encoded).hex()} if self._data and record.encoded else {}
        return {"direction": record.direction, **what, **states, **seen, **raw}

    def _what(self, record: TraceRecord, found: list[Violation]) -> Json:
        what = record.what
        if isinstance(what, str):
            return {"event": what}
        if record.direction == "in":
            found += _against(record, what)
        if isinstance(what, pdu.PDUError):
            name = pdu_name(record.encoded) if record.encoded else "PDU"
            return {"pdu": name, "error": what.what, "clause": what.clause, "offset": what.offset, "abort_reason": int(what.reason)}
        head: Json = {"pdu": pdu_name(record.encoded), "length": len(record.encoded) - 6}
        if isinstance(what, pdu.AssociateRQ | pdu.AssociateAC):
            what = pdu.decode(without_secrets(record.encoded))  # an item whose length is wrong may have an identity in it
        match what:
            case pdu.AssociateRQ():
                self._request = what
                return {**head, **_associate(what), "contexts": [_proposal(item) for item in what.presentation_contexts]}
            case pdu.AssociateAC():
                self._syntaxes = {item.id: item.transfer_syntax or "" for item in what.presentation_contexts}
                if record.direction == "in" and self._request is not None:
                    found += answer_violations(self._request, what)
                return {**head, **_associate(what), "contexts": [self._result(item) for item in what.presentation_contexts]}
            case pdu.AssociateRJ():
                return {**head, "result": what.result, "source": what.source, "reason": what.reason, "words": str(what)}
            case pdu.Abort():
                return {**head, "source": what.source, "reason": what.reason, "words": str(what)}
            case pdu.PDataTF():
                pdvs = [self._pdv(pdv, record.direction, found) for pdv in what.pdvs]
                more: Json = {"more_pdvs": len(pdvs) - MOST_PDVS} if len(pdvs) > MOST_PDVS else {}
                return {**head, "pdvs": pdvs[:MOST_PDVS], **more}
        return head

    def _result(self, item: pdu.PresentationContextAC) -> Json:
        proposed = {p.id: p.abstract_syntax for p in self._request.presentation_contexts} if self._request else {}
        return {
            "id": item.id,
            "abstract_syntax": proposed.get(item.id),
            "result": item.result,
            "words": pdu.context_words(item.result),
            "transfer_syntax": item.transfer_syntax,
        }

    def _pdv(self, pdv: pdu.PDV, direction: str, found: list[Violation]) -> Json:
        part = "command" if pdv.is_command else "data set"
        summary: Json = {"context": pdv.context_id, "part": part, "length": len(pdv.data), "last": pdv.is_last}
        if not pdv.is_command:
            if direction == "in":
                self._look_into(pdv, found)
            return summary
        command = self._commands[direction]
        if len(command) <= LONGEST_COMMAND:
            command += pdv.data
        if not pdv.is_last:
            return summary
        encoded = bytes(command)
        command.clear()
        if direction == "in":
            found += command_violations(encoded)
        try:
            command_set = CommandSet.decode(encoded)
        except DataError:
            return summary
        if direction == "in":
            self._identifier = bytearray() if command_set.command_field == CommandField.C_FIND_RQ else None
        return {**summary, "command": self._command(command_set)}

    def _look_into(self, pdv: pdu.PDV, found: list[Violation]) -> None:
        """Takes in a fragment of a data set that came; the identifier of a query is judged when it is whole."""
        if self._identifier is None:
            return
        self._identifier += pdv.data
        syntax = self._syntaxes.get(pdv.context_id, "")
        if pdv.is_last and syntax and len(self._identifier) <= LONGEST_IDENTIFIER:
            found += identifier_violations(bytes(self._identifier), syntax)
        if pdv.is_last or len(self._identifier) > LONGEST_IDENTIFIER:
            self._identifier = None

    def _command(self, command: CommandSet) -> Json:
        """The fields that the message has. A comment is free text, which may be about a patient, and so is a UID that is none."""
        present: Json = {"name": command.name}
        for field in fields(command):
            value = getattr(command, field.name)
            if value is None or field.name in ("others", "command_field"):
                continue
            if not self._data and _may_be_text(field.name, value):
                present[f"{field.name}_length"] = len(value)
            else:
                present[field.name] = [_tag(tag) for tag in value] if isinstance(value, tuple) else value
        if command.status is not None:
            present["status_words"] = str(Status(command.status, service=command.service))
        if command.others:
            present["others"] = [_tag(tag) for tag, _ in command.others]
        return present


def _may_be_text(name: str, value: object) -> bool:
    return name == "error_comment" or (name.endswith("_uid") and not {*str(value)} <= UID_CHARACTERS)


def _against(record: TraceRecord, what: pdu.PDU | pdu.PDUError) -> list[Violation]:
    """What a PDU that came has against the standard: by itself, and in the state in which it came."""
    if isinstance(what, pdu.PDUError):
        return [Violation(what.what, what.clause)]
    found = violations(record.encoded)
    event = EVENT_OF[pdu.Fragment if isinstance(what, pdu.PDataTF) else type(what)]
    if record.before is not State.STA13 and GRID.get((event, record.before)) in UNEXPECTED:
        found.append(Violation(f"{pdu_name(record.encoded)} is not expected in Sta{record.before}", "PS3.8 Table 9-10"))
    return found


def _associate(value: pdu.AssociateRQ | pdu.AssociateAC) -> Json:
    unknown = [_unknown(item) for item in value.items if isinstance(item, pdu.UnknownItem)]
    return {
        "protocol_version": value.protocol_version,
        "called": value.called,
        "calling": value.calling,
        "application_context": value.application_context,
        "user": [_user_item(item) for item in value.user_items],
        **({"unknown": unknown} if unknown else {}),
    }


def _proposal(item: pdu.PresentationContextRQ) -> Json:
    return {"id": item.id, "abstract_syntax": item.abstract_syntax, "transfer_syntaxes": list(item.transfer_syntaxes)}


def _user_item(item: pdu.UserItem) -> Json:
    """A sub-item by name with its fields; of an identity only what is no secret."""
    match item:
        case pdu.UnknownItem():
            return _unknown(item)
        case pdu.UserIdentityRQ():
            lengths: Json = {"primary_length": len(item.primary), "secondary_length": len(item.secondary)}
            asked: Json = {"positive_response_requested": item.positive_response_requested}
            return {"item": ITEM_NAMES[type(item)], "type": item.type, **lengths, **asked}
        case pdu.UserIdentityAC():
            return {"item": ITEM_NAMES[type(item)], "response_length": len(item.response)}
    values = {field.name: getattr(item, field.name) for field in fields(item)}
    shown = {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}
    return {"item": ITEM_NAMES[type(item)], **shown}


def _unknown(item: pdu.UnknownItem) -> Json:
    return {"item": f"unknown {item.type:02X}H", "length": len(item.value)}


def _tag(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
