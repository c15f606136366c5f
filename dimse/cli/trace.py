"""The trace of an association as lines for a person (-d): each PDU, and no value of any data element."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pdu
from dimse.association.events import TraceRecord
from dimse.cli.output import Output, clean, plural
from dimse.data.commands import CommandSet
from dimse.data.uids import UID
from dimse.errors import DataError

ARROWS = {"in": "<-", "out": "->", "event": "--"}


class Tracer:
    """Prints what passes the state machine, each line with the seconds since the first."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._start = time.monotonic()

    def __call__(self, record: TraceRecord) -> None:
        states = f"Sta{record.before}" if record.before == record.after else f"Sta{record.before} to Sta{record.after}"
        elapsed = time.monotonic() - self._start
        first, *more = words_of(record.what)
        self._out.note(f"{elapsed:9.4f} {ARROWS[record.direction]} {first}  [{states}]")
        for line in more:
            self._out.note(f"{'':13}{line}")


def words_of(what: pdu.PDU | pdu.Fragment | str) -> list[str]:
    """A PDU, fragment or event in words: one line, and one more for each presentation context."""
    match what:
        case str():
            return [clean(what)]
        case pdu.Fragment():
            return [_fragment_words(what)]
        case pdu.AssociateRQ():
            return [f"A-ASSOCIATE-RQ {clean(what.calling)} calls {clean(what.called)}{_user_words(what)}", *_proposed(what)]
        case pdu.AssociateAC():
            return [f"A-ASSOCIATE-AC {clean(what.called)} answers {clean(what.calling)}{_user_words(what)}", *_answered(what)]
        case pdu.AssociateRJ():
            return [f"A-ASSOCIATE-RJ {pdu.rejection_words(what.result, what.source, what.reason)}"]
        case pdu.ReleaseRQ():
            return ["A-RELEASE-RQ"]
        case pdu.ReleaseRP():
            return ["A-RELEASE-RP"]
        case pdu.Abort():
            return [f"A-ABORT {pdu.abort_words(what.source, what.reason)} (source {what.source}, reason {what.reason})"]
        case _:
            return [f"P-DATA-TF with {plural(len(what.pdvs), 'PDV')}"]


def _fragment_words(fragment: pdu.Fragment) -> str:
    kind = _command_name(fragment) if fragment.is_command else "data set"
    last = ", last" if fragment.is_last else ""
    return f"P-DATA-TF context {fragment.context_id}: {kind}, {len(fragment.data)} bytes{last}"


def _command_name(fragment: pdu.Fragment) -> str:
    """Which command it is, if all of it is in this fragment."""
    try:
        return clean(CommandSet.decode(bytes(fragment.data)).name)
    except DataError:
        return "command"


def _user_words(what: pdu.AssociateRQ | pdu.AssociateAC) -> str:
    longest = what.user_item(pdu.MaximumLength)
    version = what.user_item(pdu.ImplementationVersionName)
    limit = f", PDUs of at most {longest.value or 'any'} bytes" if longest else ""
    return f"{limit}{f', {clean(version.name)}' if version else ''}"


def _proposed(request: pdu.AssociateRQ) -> Iterator[str]:
    for item in request.items:
        if isinstance(item, pdu.PresentationContextRQ):
            syntaxes = " or ".join(clean(UID(t).name) for t in item.transfer_syntaxes)
            yield f"context {item.id}: {clean(UID(item.abstract_syntax).name)} in {syntaxes}"


def _answered(answer: pdu.AssociateAC) -> Iterator[str]:
    for item in answer.items:
        if isinstance(item, pdu.PresentationContextAC):
            accepted = item.result == pdu.ContextResult.ACCEPTANCE
            how = f"accepted in {clean(UID(item.transfer_syntax or '').name)}" if accepted else f"refused, {pdu.context_words(item.result)}"
            yield f"context {item.id}: {how}"
