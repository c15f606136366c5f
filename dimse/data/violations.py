"""What a peer does against the standard though it is tolerated: named for the trace, each with its clause.

Here: command sets, and the identifiers of queries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from dimse.data.commands import ELEMENTS, CommandSet
from dimse.data.datasets import vr_of
from dimse.data.elements import elements
from dimse.data.headers import words_of
from dimse.data.uids import UID
from dimse.errors import DataError

GROUP_LENGTH = 0x0000
LONGEST_UID = 64


class Violation(NamedTuple):
    """One departure from the standard. `what` names fields and codes, and has no value of any data element."""

    what: str
    clause: str

    def __str__(self) -> str:
        return f"{self.what} ({self.clause})"


def command_violations(encoded: bytes) -> list[Violation]:
    """What a whole command set has against PS3.7; what makes it unreadable comes alone."""
    try:
        command = CommandSet.decode(encoded)
    except DataError as error:
        where = "" if error.offset is None else f" at offset {error.offset}"
        return [Violation(f"the command set cannot be read: {error.what}{where}", error.clause)]
    elements = list(_elements(encoded))
    return [*_group_length(elements, len(encoded)), *_order(elements), *_values(elements), *_fields(command)]


def identifier_violations(encoded: bytes, transfer_syntax: str) -> Iterator[Violation]:
    """What the identifier of a query has against PS3.4: wild cards alone where there are none. A deflated one is not looked into."""
    if UID(transfer_syntax).is_deflated:
        return
    try:
        for element in elements(encoded, transfer_syntax):
            if bytes(element.value).strip(b" \0") == b"*":
                vr = element.vr or vr_of(element.tag) or "UN"
                if vr in _WITHOUT_WILD_CARDS:
                    yield Violation(f"the key {words_of(element.tag)} is a wild card, which a {vr} has none of", "PS3.4 C.2.2.2.4")
    except DataError:
        return  # what cannot be read is refused, and told in the answer


def uid_violations(raw: bytes, name: str, *, may_pad: bool = False) -> Iterator[Violation]:
    """What the bytes of a UID have against the standard. `may_pad`: one NUL to an even length is right, as in data elements."""
    text = raw.rstrip(b"\0 ")
    padding = raw[len(text) :]
    if padding and not (may_pad and padding == b"\0" and len(raw) % 2 == 0):
        yield Violation(f"{name} is padded with {_padding(padding)}", "PS3.5 9.1" if may_pad else "PS3.8 F.1")
    if not _UID.fullmatch(text):
        yield Violation(f"{name} is no UID", "PS3.5 9.1")
    elif len(text) > LONGEST_UID:
        yield Violation(f"{name} has {len(text)} characters, more than {LONGEST_UID}", "PS3.5 9.1")
    elif _LEADING_ZERO.search(text):
        yield Violation(f"{name} has a component with a leading zero", "PS3.5 9.1")


class _Element(NamedTuple):
    element: int
    value: bytes


def _elements(encoded: bytes) -> Iterator[_Element]:
    """The elements of a command set that can be read."""
    at = 0
    while at < len(encoded):
        _, element, length = _head_at(encoded, at)
        at += _HEADER + length
        yield _Element(element, encoded[at - length : at])


def _group_length(elements: list[_Element], size: int) -> Iterator[Violation]:
    if not elements or elements[0].element != GROUP_LENGTH:
        yield Violation("Command Group Length (0000,0000) is missing in front", "PS3.7 6.3.1")
        return
    value = elements[0].value
    told, is_so = int.from_bytes(value, "little"), size - _HEADER - len(value)
    if len(value) != 4 or told != is_so:
        yield Violation(f"Command Group Length (0000,0000) says {told} bytes, {is_so} follow", "PS3.7 6.3.1")


def _order(elements: list[_Element]) -> Iterator[Violation]:
    numbers = [element for element, _ in elements]
    if numbers != sorted(numbers):
        yield Violation("the elements are not in ascending order", "PS3.7 6.3.1")


def _values(elements: list[_Element]) -> Iterator[Violation]:
    for element, value in elements:
        name = f"(0000,{element:04X})"
        if len(value) % 2:
            yield Violation(f"{name} has an odd length of {len(value)} bytes", "PS3.5 7.1.1")
        if element != GROUP_LENGTH and element not in _VR:
            yield Violation(f"{name} is in no command dictionary", "PS3.7 E.1")
        elif _VR.get(element) == "UI" and value:
            yield from uid_violations(value, name, may_pad=True)


def _fields(command: CommandSet) -> Iterator[Violation]:
    for name in command.missing():
        yield Violation(f"{command.name} has no {name.replace('_', ' ')}", "PS3.7 9.3" if command.name.startswith("C-") else "PS3.7 10.3")
    if command.name.endswith("H"):
        yield Violation(f"Command Field {command.name} is none that the standard knows", "PS3.7 E.1")


def _padding(padding: bytes) -> str:
    return {b"\0": "NUL", b" ": "spaces"}.get(bytes({*padding}), "NUL and spaces")


_HEADER = 8
_WITHOUT_WILD_CARDS = frozenset({"DA", "TM", "DT", "UI", "IS", "DS", "AS"})
_VR = {element: vr for element, _, vr in ELEMENTS}
_UID = re.compile(rb"[0-9]+(\.[0-9]+)*")
_LEADING_ZERO = re.compile(rb"(^|\.)0[0-9]")
_head_at = Struct("<HHL").unpack_from
