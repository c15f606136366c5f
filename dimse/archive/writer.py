"""Rows as identifiers again: the answers to one C-FIND, each in one go.

What is the same in all answers is made once. An answer that is all ASCII, as most are, is joined of that and of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

from dimse.archive.attributes import SPECIFIC_CHARACTER_SET
from dimse.archive.identifier import Identifier
from dimse.archive.plan import Field, Slot, Values
from dimse.archive.texts import encoder_for
from dimse.archive.values import MAX_SHORT, NO_TEXT, encode, texts_in
from dimse.data.datasets import DataSet
from dimse.data.elements import encode_element
from dimse.data.headers import PADDED_WITH_NUL, SHORT_NAMES, layout_of
from dimse.data.uids import UID, ExplicitVRLittleEndian

Write = Callable[[str], bytes]
"""Makes an element of its text, which is ASCII."""


class Writer:
    """Writes the answers to a request, from what the slots have for each (`Plan`)."""

    def __init__(self, identifier: Identifier, fields: Sequence[Field]) -> None:
        self._identifier = identifier
        self._fields = fields
        self._syntax = syntax = identifier.transfer_syntax
        self._written = ExplicitVRLittleEndian if syntax.is_deflated else syntax
        self._writes: list[tuple[Slot | None, str, Write]] = []
        for each in fields:
            write = _write_of(each, self._written)
            self._writes.append((each.slot, each.constant, cache(write) if each.slot is None else write))

    def answer(self, values: Values) -> DataSet:
        """The identifier that answers for a row."""
        encoded = self._in_ascii(values)
        answer = DataSet(self._in_any(values) if encoded is None else encoded, self._written)
        return answer if self._written is self._syntax else answer.encoded_as(self._syntax)

    def _in_ascii(self, values: Values) -> bytes | None:
        """An answer that has texts only, in ASCII, and none of them long; None of any other."""
        pieces = []
        for slot, text, write in self._writes:
            value = text if slot is None else values[slot]
            if type(value) is not str or not value.isascii() or len(value) > MAX_SHORT:
                return None
            pieces.append(write(value))
        return b"".join(pieces)

    def _in_any(self, values: Values) -> bytes:
        """An answer with whatever there may be in it; without what should be read from a head that cannot be read."""
        told = [(each.tag, each.vr, each.constant if each.slot is None else values[each.slot]) for each in self._fields]
        parts = [(tag, vr, str(value) if isinstance(value, int) else value) for tag, vr, value in told if value is not None]
        texts = "".join([text for _, _, value in parts for text in texts_in(value)])
        term, codec = encoder_for(texts, self._identifier.character_set)
        pieces = [encode_element(SPECIFIC_CHARACTER_SET, "CS", term.encode(), self._written)] if term else []
        pieces += [encode(tag, vr, value, codec, self._written) for tag, vr, value in parts]
        return b"".join(pieces)


def _write_of(each: Field, syntax: UID) -> Write:
    """What writes the values of an element."""
    layout, letters = layout_of(syntax), each.vr.encode("ascii")
    if each.vr in NO_TEXT or each.vr not in SHORT_NAMES:
        return lambda text: encode(each.tag, each.vr, text, str.encode, syntax)
    number = each.tag >> 16, each.tag & 0xFFFF
    head: Callable[[int], bytes] = partial(layout.short.pack, *number, letters) if layout.explicit else partial(layout.plain.pack, *number)
    padding = b"\0" if each.vr in PADDED_WITH_NUL else b" "

    def write(text: str) -> bytes:
        raw = text.encode("ascii")
        if len(raw) & 1:
            raw += padding
        return head(len(raw)) + raw

    return write
