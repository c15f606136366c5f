"""Data sets and identifiers from keywords and texts, encoded here so that the code under test has no part in what it is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from dimse.data.datasets import CHARACTER_SET_VRS, Tree, encode_tree, encode_value, tag_and_vr
from dimse.data.uids import ExplicitVRLittleEndian

Value: TypeAlias = "str | bytes | Sequence[Mapping[str, Value]]"
"""A text, with a backslash between values; bytes that stand as they are; or the items of a sequence."""
Values: TypeAlias = Mapping[str, Value]
"""By keyword, or by tag and VR where there is none: `00091001:LO`."""

CODECS = {
    "": "ascii",
    "ISO_IR 100": "latin-1",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "\\ISO 2022 IR 87": "iso2022_jp",
    "\\ISO 2022 IR 149": "ksx1001",
}
"""Python's codec of each Specific Character Set of the table; Korean text is encoded here (PS3.5 I.2)."""


def encode(values: Values, character_set: str = "") -> bytes:
    """The values as a data set, explicit VR little endian, with its Specific Character Set (0008,0005) where it is not the default."""
    named: dict[str, Value] = {"SpecificCharacterSet": character_set} if character_set else {}
    return encode_tree(_tree(named | dict(values), CODECS[character_set]), ExplicitVRLittleEndian)


def _tree(values: Values, codec: str) -> Tree:
    tree: Tree = {}
    for keyword, value in values.items():
        tag, vr = (int(keyword[:8], 16), keyword[9:]) if ":" in keyword else tag_and_vr(keyword)
        if isinstance(value, (str, bytes)):
            tree[tag] = (vr, value if isinstance(value, bytes) else _encode_text(vr, value, codec))
        else:
            tree[tag] = (vr, [_tree(item, codec) for item in value])
    return tree


def _encode_text(vr: str, text: str, codec: str) -> bytes:
    if vr not in CHARACTER_SET_VRS:
        return encode_value(vr, text.split("\\")) if text else b""
    return _korean(text) if codec == "ksx1001" else text.encode(codec)


def _korean(text: str) -> bytes:
    """KS X 1001 as G1: the escape sequence stands before the first such character behind each delimiter (PS3.5 I.2)."""
    pieces = (part if part.isascii() else "\x1b$)C" + part for part in re.split(r"([\^=\\])", text))
    return "".join(pieces).encode("euc_kr")
