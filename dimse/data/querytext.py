"""Identifiers as text: files in the form that DCMTK's dcmdump prints and its dump2dcm reads, and single keys as after `-k`.

    (0008,0052) CS [STUDY]              # a comment runs to the end of the line
    (0008,0016) UI =CTImageStorage      # a UID by its name
    (0010,0020) [*42*]                  # the VR is looked up if it is not written
    (0020,000d) UI                      # no value: the attribute is asked for
    (0028,0010) US 512
    (0040,0100) SQ
      (fffe,e000)
        (0008,0060) CS [CT]
      (fffe,e00d)
    (fffe,e0dd)

A text is read as bytes: text in a value is taken as it is, in the character set that (0008,0005) names. Without that element
it must be ASCII or UTF-8, and for UTF-8 the element is added. Whatever cannot be read is a `DataError` with its line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dimse.data.datasets import (
    CHARACTER_SET_VRS,
    SPECIFIC_CHARACTER_SET,
    UTF_8,
    VRS,
    DataSet,
    Tree,
    encode_tree,
    encode_value,
    needs_character_set,
    tag_and_vr,
    vr_of,
)
from dimse.data.headers import MAX_DEPTH
from dimse.data.part10 import PREAMBLE, PREFIX, read_meta
from dimse.data.uids import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from dimse.errors import DataError
from pdu.values import dataclass

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_ITEM = 999
"""The highest item number of a key's path: items up to it are made, so a slip of the finger must not make millions."""

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


def read_query(path: Path) -> Dataset:
    """The identifier in a file: a DICOM file, a bare data set in a little endian transfer syntax, or a text as above.

    Raises `OSError`, or `DataError` with the name of the file and, in a text, the line.
    """
    content = Path(path).read_bytes()
    try:
        if content[PREAMBLE : PREAMBLE + 4] == PREFIX:
            meta, offset = read_meta(content)
            return DataSet(content[offset:], meta.transfer_syntax_uid).dataset
        if b"\0" in content:
            explicit = content[4:6].isalpha()
            return DataSet(content, ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian).dataset
        return parse_text(content)
    except DataError as error:
        raise DataError(f"{path}: {error.what}", error.offset, error.clause, error.advice) from error


def parse_text(text: str | bytes) -> Dataset:
    """The data set that a text as above describes. Raises `DataError` with the line."""
    content = (text.encode() if isinstance(text, str) else text).removeprefix(b"\xef\xbb\xbf")  # a byte order mark
    builder = _Builder()
    for number, line in _lines(content.decode("latin-1")):
        try:
            _read_line(builder, number, line)
        except ValueError as error:
            what = error.what if isinstance(error, DataError) else str(error)
            raise DataError(f"line {number}: {what}", advice=getattr(error, "advice", "")) from None
    tree = builder.finish()
    _name_character_set(tree)
    try:
        encoded = encode_tree(tree, ExplicitVRLittleEndian)
    except ValueError as error:
        raise DataError(str(error)) from None
    return DataSet(encoded, ExplicitVRLittleEndian).dataset


def parse_key(text: str) -> MatchingKey:
    """A key as it stands after `-k`: a path, and behind "=" its value.

    A path names an attribute by keyword, (gggg,eeee) or gggg,eeee, in the items of sequences if need be:
    `PatientName=DOE^*`, `0010,0020=42`, `StudyInstanceUID`, `(0040,0100)[0].Modality=CT`. Values are separated by a backslash.
    Raises `DataError`.
    """
    path, equals, value = text.partition("=")
    *outer, last = path.strip().split(".")
    steps = [_step(text, step) for step in outer]
    tag, vr, item = _step(text, last)
    if any(number is None for _, _, number in steps):
        raise DataError(f"key {text!r}: an item number as [0] must stand behind a sequence within the path")
    if vr == "SQ" and equals:
        raise DataError(f"key {text!r}: a sequence has no value; name an attribute in one of its items")
    values = [_uid_number(v) for v in value.split("\\")] if vr == "UI" else value.split("\\")
    return MatchingKey(text, tuple((tag, number or 0) for tag, _, number in steps), tag, vr, item, tuple(values))


@dataclass(frozen=True, slots=True)
class MatchingKey:
    """One key to be put into an identifier: where, and what."""

    text: str
    """As it was given, for messages."""
    path: tuple[tuple[int, int], ...]
    """The sequences and item numbers (from 0) that lead to the attribute."""
    tag: int
    vr: str
    item: int | None
    """If the attribute is a sequence: the item to make, if any."""
    values: tuple[str, ...]

    def apply(self, ds: Dataset) -> None:
        """Puts the key into `ds` in place of the attribute's value; sequences and items on the way are made if missing.

        Text that is not ASCII makes `ds` UTF-8. Raises `DataError` if the values do not suit the VR.
        """
        from pydicom.dataelem import DataElement, RawDataElement
        from pydicom.tag import Tag

        target = ds
        for tag, number in self.path:
            target = _item_of(target, tag, number)
        if self.vr == "SQ":
            _sequence_of(target, self.tag, -1 if self.item is None else self.item)
            return
        try:
            value = encode_value(self.vr, self.values, "utf-8")
        except ValueError as error:
            raise DataError(f"key {self.text!r}: {error}") from None
        if self.vr in CHARACTER_SET_VRS and not value.isascii():
            if ds.get("SpecificCharacterSet") != UTF_8:
                ds.decode()
                ds.SpecificCharacterSet = UTF_8
            target[self.tag] = DataElement(self.tag, self.vr, "\\".join(self.values), validation_mode=0)
        else:  # raw, because pydicom would check wildcards and ranges against the VR
            target[self.tag] = RawDataElement(Tag(self.tag), self.vr, len(value), value, 0, False, True)


class _Level:
    """An open sequence, or the data set itself: its items, and the one that elements go into, None between items."""

    def __init__(self, line: int, items: list[Tree], item: Tree | None = None) -> None:
        self.line = line
        self.items = items
        self.item = item


class _Builder:
    """Puts elements, items and sequences where they belong, in the order in which a text names them."""

    def __init__(self) -> None:
        self._root: Tree = {}
        self._levels = [_Level(0, [self._root], self._root)]

    def element(self, tag: int, vr: str, value: bytes | list[Tree]) -> None:
        self._close_empty()
        item = self._levels[-1].item
        if item is None:
            raise DataError("an element between the items of a sequence: (fffe,e000) begins one, (fffe,e0dd) ends the sequence")
        if tag in item:
            raise DataError("the element is there twice")
        item[tag] = (vr, value)

    def sequence(self, line: int, tag: int) -> None:
        if len(self._levels) > MAX_DEPTH:
            raise DataError(f"sequences within sequences, {MAX_DEPTH} deep")
        items: list[Tree] = []
        self.element(tag, "SQ", items)
        self._levels.append(_Level(line, items))

    def item(self) -> None:
        level = self._levels[-1]
        if level.item is not None:
            raise DataError("an item where no sequence is open, or the item before it is not closed by (fffe,e00d)")
        level.item = {}
        level.items.append(level.item)

    def end_item(self) -> None:
        self._close_empty()
        if len(self._levels) == 1 or self._levels[-1].item is None:
            raise DataError("the end of an item where none is open")
        self._levels[-1].item = None

    def end_sequence(self) -> None:
        if self._levels[-1].item is not None:
            raise DataError("the end of a sequence where none is open, or its last item is not closed by (fffe,e00d)")
        self._levels.pop()

    def finish(self) -> Tree:
        self._close_empty()
        if len(self._levels) > 1:
            raise DataError(f"line {self._levels[-1].line}: the sequence is not closed by (fffe,e0dd)")
        return self._root

    def _close_empty(self) -> None:
        """A sequence without any item may lack its end: to ask for one is to write its tag."""
        if self._levels[-1].item is None and not self._levels[-1].items:
            self._levels.pop()


_TAG = re.compile(r"\s*\(([0-9A-Fa-f \t]+),([0-9A-Fa-f \t]+)\)[ \t]*")
_VR = re.compile(r"([A-Z]{2}|\?\?|xs|ox|px|lt|up|na|pi)(?=[ \t\[(=#]|$)[ \t]*")
# What dcmdump prints where the dictionary leaves a choice; None: the dictionary's own choice will do.
_VRS: dict[str, str | None] = {
    **dict.fromkeys(("??", "lt", "ox", "px", "xs", "na", "pi")),
    "up": "UL",
    **dict(zip(VRS, VRS, strict=True)),
}


def _lines(text: str) -> list[tuple[int, str]]:
    """The lines that hold something, by number; one whose "[" is not closed goes on to the line with the "]", if that is no element."""
    found: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if found and not _TAG.match(line) and _is_open(found[-1][1]):
            found[-1] = (found[-1][0], f"{found[-1][1]}\r\n{line}")
        elif line.strip() and not line.lstrip().startswith("#"):
            found.append((number, line))
    return found


def _is_open(line: str) -> bool:
    match = _TAG.match(line)
    rest = line[match.end() :] if match else ""
    return _VR.sub("", rest, count=1).startswith("[") and "]" not in rest and not _is_shortened(rest)


def _is_shortened(value: str) -> bool:
    """Whether dcmdump cut the value off, as it does by default."""
    return value.partition(" #")[0].rstrip().endswith("...")


def _read_line(builder: _Builder, number: int, line: str) -> None:
    match = _TAG.match(line)
    if not match:
        raise DataError("no tag at the beginning; a line is (gggg,eeee) VR [value]")
    group, element = (int(re.sub(r"\s", "", part), 16) for part in match.groups())
    if max(group, element) > 0xFFFF:
        raise DataError("no tag at the beginning: group and element have four hexadecimal digits")
    tag, rest = group << 16 | element, line[match.end() :]
    if tag == _ITEM:
        builder.item()
    elif tag == _ITEM_END:
        builder.end_item()
    elif tag == _SEQUENCE_END:
        builder.end_sequence()
    elif group > 2 and element > 0:  # neither file meta information nor a group length (PS3.5 7.2)
        _read_element(builder, number, tag, rest)


def _read_element(builder: _Builder, number: int, tag: int, rest: str) -> None:
    vr, rest = _split_vr(tag, rest)
    if vr == "SQ":
        builder.sequence(number, tag)
    else:
        builder.element(tag, vr, encode_value(vr, _values(vr, rest), "latin-1"))


def _split_vr(tag: int, rest: str) -> tuple[str, str]:
    """The VR, written or looked up, and what stands behind it."""
    match = _VR.match(rest)
    vr = None
    if match and (match[1] in _VRS or rest[match.end() : match.end() + 1] in ("[", "(", "=")):
        vr, rest = _VRS.get(match[1]), rest[match.end() :]
    vr = vr or vr_of(tag)
    if vr is None:
        raise DataError(f"the dictionary has no VR for ({tag >> 16:04x},{tag & 0xFFFF:04x}): write it behind the tag")
    return vr, rest


def _values(vr: str, rest: str) -> list[str]:
    """The values in what follows the VR: in brackets, a tag or a remark in parentheses, or bare up to a comment."""
    if rest.startswith("["):
        end = rest.rfind("]")
        if end < 0:
            raise _unreadable(rest)
        value = rest[1:end]
    elif rest.startswith("(") and vr != "AT":
        if not rest.startswith("(no value"):
            raise DataError(f"the dump does not hold the value but {rest.partition('#')[0].strip()}")
        value = ""
    else:
        value = "" if rest.startswith("(no value") else rest.partition("#")[0].rstrip()
        if value.startswith("<") or _is_shortened(rest):
            raise _unreadable(rest)
    if vr in ("OB", "OW", "UN") and value.startswith("="):
        raise DataError("a value from another file is not read")
    return [_uid_number(part) for part in value.split("\\")] if vr == "UI" else value.split("\\")


def _unreadable(rest: str) -> DataError:
    if _is_shortened(rest):
        return DataError("the value was cut off when it was printed", advice="dcmdump +L prints all of it")
    return DataError("the value cannot be read: text that is more than a word stands between [ and ]")


def _name_character_set(tree: Tree) -> None:
    """Adds Specific Character Set where it is missing and needed. Raises `DataError` if the text is not UTF-8."""
    if tree.get(SPECIFIC_CHARACTER_SET, ("CS", b""))[1] or not needs_character_set(tree):
        return
    try:
        _check_utf_8(tree)
    except UnicodeDecodeError:
        raise DataError("text is neither ASCII nor UTF-8, and no (0008,0005) Specific Character Set says what it is") from None
    tree[SPECIFIC_CHARACTER_SET] = ("CS", encode_value("CS", [UTF_8]))


def _check_utf_8(tree: Tree) -> None:
    for vr, value in tree.values():
        if not isinstance(value, bytes):
            for item in value:
                _check_utf_8(item)
        elif vr in CHARACTER_SET_VRS:
            value.decode()


def _uid_number(text: str) -> str:
    """The UID itself, or that of `=Name`: a keyword of PS3.6, or DCMTK's form of one (FIND... in front, SOPClass behind)."""
    if not text.strip().startswith("="):
        return text
    from pydicom._uid_dict import UID_dictionary

    name = text.strip()[1:]
    numbers = {row[4].lower(): uid for uid, row in UID_dictionary.items() if row[4]}
    for spelling in _spellings(name):
        if spelling.lower() in numbers:
            return numbers[spelling.lower()]
    raise DataError(f"no UID has the name {name!r}: write its number")


_DCMTK_NAMES = {
    "LittleEndianImplicit": "ImplicitVRLittleEndian",
    "LittleEndianExplicit": "ExplicitVRLittleEndian",
    "BigEndianExplicit": "ExplicitVRBigEndian",
    "DeflatedLittleEndianExplicit": "DeflatedExplicitVRLittleEndian",
    "JPEGBaseline": "JPEGBaseline8Bit",
}


def _spellings(name: str) -> list[str]:
    bare = re.sub(r"^(RETIRED|DRAFT)_", "", name)
    bare = re.sub(r"SOPClass$", "", bare)
    bare = re.sub(r"^(FIND|MOVE|GET)(.*)$", r"\2\1", bare)
    retired = [f"{bare}Retired", f"{bare}Trial"] if bare != name else []
    return [_DCMTK_NAMES.get(name, name), *retired, bare]


def _step(key: str, text: str) -> tuple[int, str, int | None]:
    """Tag, VR and item number of one step of a key's path."""
    match = re.fullmatch(r"\s*(?:\(?\s*([0-9A-Fa-f]{4})\s*,\s*([0-9A-Fa-f]{4})\s*\)?|(\w+))\s*(?:\[(\d+)\])?\s*", text)
    if not match:
        raise DataError(f"key {key!r}: {text!r} is neither a keyword nor a tag (gggg,eeee), with an item number as [0] for a sequence")
    group, element, keyword, number = match.groups()
    try:
        tag, vr = tag_and_vr(keyword) if keyword else (int(group + element, 16), vr_of(int(group + element, 16)))
    except ValueError as error:
        raise DataError(f"key {key!r}: {error}") from None
    if vr is None:
        raise DataError(f"key {key!r}: the dictionary has no VR for {text.strip()}; write it with its VR into a query file")
    if number is not None and vr != "SQ":
        raise DataError(f"key {key!r}: {text.strip()} names an item, but the attribute is no sequence")
    if number is not None and int(number) > MAX_ITEM:
        raise DataError(f"key {key!r}: items are numbered from 0 to {MAX_ITEM}")
    return tag, vr, None if number is None else int(number)


def _item_of(ds: Dataset, tag: int, number: int) -> Dataset:
    item: Dataset = _sequence_of(ds, tag, number)[number]
    return item


def _sequence_of(ds: Dataset, tag: int, number: int) -> list[Dataset]:
    """The sequence, made if missing, with items up to `number`."""
    from pydicom.dataset import Dataset

    if tag not in ds or not ds[tag].value:
        ds.add_new(tag, "SQ", [])
    items: list[Dataset] = ds[tag].value
    while len(items) <= number:
        items.append(Dataset())
    return items
