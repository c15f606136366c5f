"""Trace records as lines for a person: when, which association, who to whom, the states, what, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from dimse.cli.output import clean, plural
from dimse.data.uids import UID

Entry = Mapping[str, Any]
"""A record as `dimse.tracing` describes it. Any: what JSON has; a file may be anybody's, so wrong types raise."""
ARROWS = {"in": "<-", "out": "->", "event": "--"}
WRONG = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What an entry that is none of ours raises."""
STATES = 14
"""The width of "Sta10 > Sta13" and a space."""
REQUEST = "A-ASSOCIATE-RQ"
END = "Sta1"
"""The state behind an association's last record."""


class Timeline:
    """Prints records in order. Names are those of the A-ASSOCIATE-RQ, known from `learn` or once it has been shown.

    `start` is the time that the seconds count from; the first record's unless it is given.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self.start: datetime | None = None
        self._write = write
        self._names: dict[int, tuple[str, str]] = {}
        self._widths = [0, 0]

    def learn(self, entry: Entry) -> None:
        """Takes from a record what the lines of others need: when it all began, and who is who."""
        time = datetime.fromisoformat(entry["time"])
        self.start = time if self.start is None or time < self.start else self.start
        number = int(entry["association"])
        if entry.get("pdu") == REQUEST and "calling" in entry:
            names = clean(entry["calling"]), clean(entry["called"])
            self._names[number] = names if entry["role"] == "requestor" else (names[1], names[0])
        elif number not in self._names:
            self._names[number] = "this side", clean(entry["peer"]) or "peer"

    def show(self, entry: Entry) -> None:
        """Prints one record. Raises one of `WRONG` for what is none, and prints nothing then."""
        self.learn(entry)
        for line in self._lines(entry):
            self._write(line)
        if entry["after"] == END:
            del self._names[int(entry["association"])]  # a server's timeline goes on for ever

    def _lines(self, entry: Entry) -> list[str]:
        assert self.start is not None
        seconds = (datetime.fromisoformat(entry["time"]) - self.start).total_seconds()
        number = int(entry["association"])
        own, peer = self._names[number]
        self._widths = [max(width, *(len(names[side]) for names in self._names.values())) for side, width in enumerate(self._widths)]
        who = f"#{number:<3} {own:>{self._widths[0]}} {ARROWS[entry['direction']]} {peer:<{self._widths[1]}}"
        states = entry["before"] if entry["before"] == entry["after"] else f"{entry['before']} > {entry['after']}"
        margin = " " * (len(who) + STATES + 14)
        first, *more = words_of(entry)
        wrong = [f"!! {clean(v['what'])} ({clean(v['clause'])})" for v in entry.get("violations", ())]
        return [f"{seconds:11.6f} {who}  {clean(states):{STATES}}{first}", *(f"{margin}{line}" for line in (*more, *wrong))]


def words_of(entry: Entry) -> list[str]:
    """What a record is about: one line, and further ones for what belongs to it."""
    if "event" in entry:
        return [clean(entry["event"])]
    name = clean(entry["pdu"])
    if "error" in entry:
        return [f"{name} that is none: {clean(entry['error'])}, at byte {int(entry['offset'])}"]
    if "contexts" in entry:
        return _associate(name, entry)
    if "pdvs" in entry:
        first, *more = [_pdv(pdv) for pdv in entry["pdvs"]]
        left_out = [f"and {int(entry['more_pdvs'])} more"] if "more_pdvs" in entry else []
        return [f"{name} {first[0]}", *first[1:], *(line for lines in more for line in lines), *left_out]
    if "words" in entry:
        codes = ", ".join(f"{key} {int(entry[key])}" for key in ("result", "source", "reason") if key in entry)
        return [f"{name} {clean(entry['words'])} ({codes})"]
    return [name]


def uid_words(uid: str | None) -> str:
    """A UID by name, if it has one."""
    return clean(UID(uid).name) if uid else "(none)"


def _associate(name: str, entry: Entry) -> list[str]:
    verb = "calls" if name == REQUEST else "is answered by"
    contexts = entry["contexts"]
    first = f"{name} {clean(entry['calling'])} {verb} {clean(entry['called'])}, {plural(len(contexts), 'context')}"
    unknown = [clean(item["item"]) for item in entry.get("unknown", ())]
    user = "; ".join([*map(user_words, entry["user"]), *unknown])
    return [first, *([user] if user else []), *map(_context, contexts)]


def user_words(item: Entry) -> str:
    """A sub-item of the user information in words."""
    values = [(key, value) for key, value in item.items() if key != "item"]
    shown = [_value(key, value) for key, value in values]
    return f"{clean(item['item'])} {shown[0] if len(shown) == 1 and len(values) == 1 else ', '.join(shown)}"


def _value(key: str, value: Any) -> str:  # Any: see Entry
    if key in ("value", "uid", "name"):
        return clean(value)
    if key in ("sop_class", "service_class"):
        return uid_words(value)
    if isinstance(value, bool):
        return f"{clean(key).replace('_', ' ')}: {'yes' if value else 'no'}"
    return f"{clean(key).replace('_', ' ')} {clean(value)}"


def _context(context: Entry) -> str:
    if "transfer_syntaxes" in context:
        return context_words(context["id"], context["abstract_syntax"], context["transfer_syntaxes"])
    how = f"accepted in {uid_words(context['transfer_syntax'])}" if not context["result"] else f"refused, {clean(context['words'])}"
    return f"context {int(context['id'])}: {uid_words(context['abstract_syntax'])}: {how}"


def context_words(id: int, abstract_syntax: str, transfer_syntaxes: Sequence[str]) -> str:
    """A proposed presentation context in words."""
    return f"context {int(id)}: {uid_words(abstract_syntax)} in {' or '.join(map(uid_words, transfer_syntaxes)) or 'nothing'}"


def _pdv(pdv: Entry) -> list[str]:
    command = pdv.get("command")
    part = clean(pdv["part"] if command is None else command["name"])
    first = f"context {int(pdv['context'])}: {part}, {int(pdv['length'])} bytes{', last' if pdv['last'] else ''}"
    return [first] if command is None else [first, *_command(command)]


def _command(command: Entry) -> Iterator[str]:
    """The fields of a command, a line for them all, and one for each UID."""
    short = {k: v for k, v in command.items() if k not in ("name", "status", "status_words") and not k.endswith("_uid")}
    fields = [f"{clean(key).replace('_', ' ')} {_field(key, value)}" for key, value in short.items()]
    if "status" in command:
        fields.insert(0, f"status {clean(command['status_words'])}")
    if fields:
        yield "  " + ", ".join(fields)
    for key, value in command.items():
        if key.endswith("_uid"):
            yield f"  {clean(key).replace('_uid', ' UID').replace('_', ' ').replace('sop', 'SOP')} {uid_words(value)}"


def _field(key: str, value: Any) -> str:  # Any: see Entry
    if key == "command_data_set_type":
        return f"{int(value):04X}H"
    return clean(" ".join(map(str, value)) if isinstance(value, list) else value)
