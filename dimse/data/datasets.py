"""Data sets: the bytes as they are on the wire, their transfer syntax, and a pydicom view for whoever wants values.

A data set moves as opaque bytes; what was received is what is written. Walking it costs a loop, and only `dataset`, what stands
on it, and the ways to make one from keywords or from a pydicom Dataset import pydicom, whose dictionary and character sets
are the only ones here.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

from dimse.data.deflate import inflate
from dimse.data.elements import Element, encode_element
from dimse.data.elements import elements as walk
from dimse.data.headers import PIXEL_DATA
from dimse.data.uids import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from dimse.errors import DataError
from pdu.values import dataclass, field

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Key: TypeAlias = "str | int | float | Mapping[str, Key] | Sequence[str | int | float | Mapping[str, Key]] | None"
"""The value of a matching key: one value, several, or none; the item or items of a sequence are mappings from keyword to key."""
Tree: TypeAlias = "dict[int, tuple[str, bytes | list[Tree]]]"
"""A data set taken apart: VR and encoded value, or items, by tag. Little endian."""

SPECIFIC_CHARACTER_SET = 0x00080005
UTF_8 = "ISO_IR 192"


@dataclass(frozen=True)
class DataSet:
    """An encoded data set and the transfer syntax it is encoded in. It never changes; compare it by its bytes.

    Everything but `encoded` and `transfer_syntax` raises `DataError` if the bytes are wrong.
    """

    encoded: bytes = field(repr=False)
    transfer_syntax: UID = ImplicitVRLittleEndian

    def __post_init__(self) -> None:
        object.__setattr__(self, "transfer_syntax", UID(self.transfer_syntax))  # a str does as well

    @classmethod
    def from_pydicom(cls, ds: Dataset, transfer_syntax: str = ImplicitVRLittleEndian) -> DataSet:
        """Encodes a pydicom Dataset. Its command and file meta elements, if any, are not a part of it: they raise `DataError`.

        Words of OW, OF and the like are swapped if `ds` was read in another byte order. Compressed Pixel Data stay as they are,
        so they need a transfer syntax for encapsulated data.
        """
        syntax = UID(transfer_syntax)
        plain = _encode(ds, syntax)
        return cls(_deflate(plain) if syntax.is_deflated else plain, syntax)

    def elements(self) -> Iterator[Element]:
        """The elements of the top level, one after the other (see `dimse.data.elements.elements`)."""
        return walk(*self._plain)

    @cached_property
    def dataset(self) -> Dataset:
        """The pydicom Dataset. To change values take a copy of it and encode that by `from_pydicom`: `encoded` does not follow."""
        return self._decode()

    def get(self, key: str | int, default: Any = None) -> Any:  # Any: a value of pydicom, whose type hangs on the VR
        """The value of an element as pydicom gives it, by keyword or tag (0xggggeeee); `default` if there is no such element."""
        return self[key] if key in self.dataset else default

    def __getitem__(self, key: str | int) -> Any:  # Any: as in `get`
        if key not in self:
            raise KeyError(key if isinstance(key, str) else f"({key >> 16:04X},{key & 0xFFFF:04X})")
        with _as_data_error(f"the value of {key if isinstance(key, str) else hex(key)} cannot be read"):
            return self.dataset[key].value

    def __contains__(self, key: str | int) -> bool:
        return key in self.dataset

    def encoded_as(self, transfer_syntax: str) -> DataSet:
        """The same data set in another transfer syntax. Pixel Data are neither compressed nor decompressed: `DataError`."""
        syntax = UID(transfer_syntax)
        if syntax == self.transfer_syntax:
            return self
        if (self.transfer_syntax.is_encapsulated or syntax.is_encapsulated) and any(e.tag == PIXEL_DATA for e in self.elements()):
            raise DataError(
                f"Pixel Data cannot be taken from {self.transfer_syntax.name} to {syntax.name}",
                clause="PS3.5 A.4",
                advice="compress or decompress them with an image toolkit first, or propose their own transfer syntax",
            )
        plain, now = self._plain
        if _native(syntax) != now:
            plain = _encode(self._decode(), syntax)
        return DataSet(_deflate(plain) if syntax.is_deflated else plain, syntax)

    def __str__(self) -> str:
        with _as_data_error("the data set cannot be read"):
            return str(self.dataset)

    @cached_property
    def _plain(self) -> tuple[bytes, UID]:
        """The bytes, inflated if need be, and the native transfer syntax that they can be read in."""
        plain = inflate(self.encoded) if self.transfer_syntax.is_deflated else self.encoded
        return plain, _native(self.transfer_syntax)

    def _decode(self) -> Dataset:
        """Walks the bytes first, because pydicom ends quietly where they are cut off."""
        from pydicom.filereader import read_dataset

        plain, syntax = self._plain
        for _ in self.elements():
            pass
        with _as_data_error("the data set cannot be read"):
            return read_dataset(BytesIO(plain), syntax.is_implicit_vr, syntax.is_little_endian)


def query(level: str | None, /, **keys: Key) -> DataSet:
    """An identifier for C-FIND, C-GET or C-MOVE: `query("STUDY", PatientName="DOE^*", StudyInstanceUID="")`.

    `level` is "PATIENT", "STUDY", "SERIES" or "IMAGE"; None for a model without levels, as a worklist. A key without
    a value (None, "") asks for the attribute; a sequence of values is a multi value or a list of UIDs, and a sequence of
    mappings the items of a sequence. Values that are not ASCII are encoded in UTF-8 unless the keys say otherwise.
    Raises `ValueError` for an unknown keyword or a value that its VR cannot hold.

    PS3.4 C.2.2.2, C.4.1.1.3.
    """
    charset, codec = _character_set(keys.get("SpecificCharacterSet"))
    tree = _tree(keys, codec)
    if level:
        tree[0x00080052] = ("CS", encode_value("CS", [level]))
    if not charset and needs_character_set(tree):
        tree[SPECIFIC_CHARACTER_SET] = ("CS", encode_value("CS", [UTF_8]))
    return DataSet(encode_tree(tree, ImplicitVRLittleEndian), ImplicitVRLittleEndian)


def encode_tree(tree: Tree, transfer_syntax: str) -> bytes:
    """A data set from its parts, in ascending order of tags. Only for the two little endian native transfer syntaxes."""
    return b"".join(
        encode_element(tag, vr, value if isinstance(value, bytes) else _items(value, transfer_syntax), transfer_syntax)
        for tag, (vr, value) in sorted(tree.items(), key=lambda element: element[0])
    )


def encode_value(vr: str, values: Sequence[str], codec: str = "ascii") -> bytes:
    """A value field, not padded, from its values as text, little endian. Raises `ValueError` for what `vr` cannot hold.

    Numbers are decimal, attribute tags "(gggg,eeee)", the bytes or words of OB, OW and UN hexadecimal. `codec` is Python's name
    of the encoding for the VRs that Specific Character Set applies to; the others are ASCII (PS3.5 6.1.2.2).
    """
    try:
        if convert := _CONVERT.get(vr):
            value = b"".join(convert(text.strip()) for text in values if text.strip())
        else:
            value = "\\".join(values).encode(codec if vr in CHARACTER_SET_VRS else "ascii")
    except (ValueError, struct.error) as error:
        raise ValueError(f"{chr(92).join(values)!r} is no value of VR {vr}: {error}") from None
    return value


def needs_character_set(tree: Tree) -> bool:
    """Whether any text that Specific Character Set applies to is not ASCII."""
    return any(
        any(map(needs_character_set, value)) if not isinstance(value, bytes) else vr in CHARACTER_SET_VRS and not value.isascii()
        for vr, value in tree.values()
    )


def tag_and_vr(keyword: str) -> tuple[int, str]:
    """Tag and VR of a keyword of PS3.6. Raises `ValueError`, with keywords that look like it."""
    from pydicom.datadict import keyword_dict, tag_for_keyword

    tag = tag_for_keyword(keyword)
    if tag is None:
        from difflib import get_close_matches

        close = get_close_matches(keyword, keyword_dict, 3)
        raise ValueError(f"no attribute has the keyword {keyword!r}" + (f"; is it {' or '.join(close)}?" if close else ""))
    return tag, vr_of(tag) or "UN"


def vr_of(tag: int) -> str | None:
    """The VR of a tag in PS3.6, one of them where the standard leaves a choice; None if the dictionary does not have it."""
    from pydicom.datadict import dictionary_VR

    if (tag >> 16) % 2 and 0x0010 <= tag & 0xFFFF <= 0x00FF:
        return "LO"  # a private creator (PS3.5 7.8.1)
    try:
        choices = dictionary_VR(tag).split(" or ")
    except KeyError:
        return None
    return "OW" if "OW" in choices else choices[0]


class _as_data_error:  # noqa: N801 - used like a function
    """Turns whatever pydicom raises about wrong bytes (it can be nearly anything) into a `DataError` that says `what` failed."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, DataError):
            why = str(error).partition("\nTraceback")[0]  # pydicom puts whole tracebacks into its messages
            raise DataError(f"{self._what}: {why or type(error).__name__}") from error


def _native(syntax: UID) -> UID:
    """The native transfer syntax that reads what is left once a data set is inflated; encapsulated ones are explicit (PS3.5 A.4)."""
    return syntax if syntax.is_implicit_vr or not syntax.is_little_endian else ExplicitVRLittleEndian


def _deflate(plain: bytes) -> bytes:
    """PS3.5 A.5: a raw deflate stream (RFC 1951), padded to even length by a zero byte."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(plain) + deflater.flush()
    return deflated + bytes(len(deflated) % 2)


def _encode(ds: Dataset, syntax: UID) -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    low = [str(tag) for tag in ds.keys() if tag.group <= 2]  # noqa: SIM118 - iterating a Dataset itself would decode it
    if low:
        raise DataError(f"a data set holds no elements of group 0000 or 0002, but this has {', '.join(low)}", clause="PS3.5 7.1")
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = syntax.is_implicit_vr, syntax.is_little_endian
    with _as_data_error("the data set cannot be encoded"):
        _check_pixel_data(ds, syntax)
        was_little_endian = ds.original_encoding[1] is not False  # None: made in memory, little endian by pydicom's custom
        write_dataset(buffer, ds if was_little_endian == syntax.is_little_endian else _swapped(ds, was_little_endian))
    return buffer.getvalue()


def _check_pixel_data(ds: Dataset, syntax: UID) -> None:
    """Compressed Pixel Data need an encapsulated transfer syntax and the other way round; pydicom writes either as anything."""
    if PIXEL_DATA not in ds:
        return
    element = ds[PIXEL_DATA]
    fragments = isinstance(element.value, bytes) and element.value.startswith(b"\xfe\xff\x00\xe0")
    encapsulated = element.is_undefined_length or (syntax.is_encapsulated and fragments)
    if encapsulated != syntax.is_encapsulated:
        have, want = ("encapsulated", "native") if encapsulated else ("native", "encapsulated")
        raise DataError(f"the Pixel Data are {have} but {syntax.name} is for {want} ones", clause="PS3.5 A.4")
    element.is_undefined_length = encapsulated


def _swapped(ds: Dataset, little_endian: bool) -> Dataset:
    """A copy with the words of OW, OF, OL, OD and OV in the other byte order, which pydicom leaves to its caller."""
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset
    from pydicom.filewriter import correct_ambiguous_vr
    from pydicom.sequence import Sequence as Items

    copy = Dataset()
    for element in correct_ambiguous_vr(ds, little_endian):
        value = element.value
        if element.VR == "SQ":
            value = Items([_swapped(item, little_endian) for item in value])
        elif value and (code := _WORDS.get(element.VR)):
            words = array(code, bytes(value))
            words.byteswap()
            value = words.tobytes()
        copy[element.tag] = DataElement(element.tag, element.VR, value, already_converted=True)
    return copy


def _tree(keys: Mapping[str, Key], codec: str) -> Tree:
    tree: Tree = {}
    for keyword, value in keys.items():
        tag, vr = tag_and_vr(keyword)
        values = [] if value is None else [value] if isinstance(value, (str, int, float, Mapping)) else list(value)
        try:
            if vr == "SQ":
                tree[tag] = (vr, [_tree(_item(item), codec) for item in values if item != ""])
            else:
                tree[tag] = (vr, encode_value(vr, [_as_text(vr, one) for one in values], codec))
        except ValueError as error:
            raise ValueError(f"{keyword}: {error}") from None
    return tree


def _item(value: object) -> Mapping[str, Key]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no item: give the items of a sequence as mappings from keyword to value")
    return value


def _as_text(vr: str, value: object) -> str:
    if vr == "AT" and isinstance(value, int):
        return f"{value:08X}"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ValueError(f"{value!r} is no value of VR {vr}")


def _character_set(given: Key) -> tuple[str, str]:
    """What the keys say about the character set, and the Python codec for it."""
    if not given:
        return "", "utf-8"
    from pydicom.charset import python_encoding

    term = given if isinstance(given, str) else "\\".join(map(str, given)) if isinstance(given, Sequence) else str(given)
    if term not in python_encoding or "2022" in term:
        raise ValueError(f"cannot encode keys in SpecificCharacterSet {term!r}; leave it out: keys that need it are sent in {UTF_8}")
    return term, python_encoding[term]


def _items(items: list[Tree], transfer_syntax: str) -> bytes:
    encoded = (encode_tree(item, transfer_syntax) for item in items)
    return b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in encoded)


def _number(code: str, convert: type[int] | type[float]) -> Callable[[str], bytes]:
    packer = struct.Struct("<" + code)
    return lambda text: packer.pack(convert(text))


def _attribute_tag(text: str) -> bytes:
    group, _, element = text.strip("()").replace(" ", "").partition(",")
    return struct.pack("<HH", *divmod(int(group + element, 16), 0x10000))


def _hexadecimal(code: str) -> Callable[[str], bytes]:
    return lambda text: struct.pack("<" + code, int(text, 16))


CHARACTER_SET_VRS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
"""The VRs whose text is in the Specific Character Set (PS3.5 6.1.2.2)."""
VRS = tuple("AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split())
"""All VRs (PS3.5 6.2)."""
_WORDS = {"OW": "H", "OF": "I", "OL": "I", "OD": "Q", "OV": "Q"}
_INTEGERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "OL": "I", "OV": "Q"}
_FLOATS = {"FL": "f", "FD": "d", "OF": "f", "OD": "d"}
_CONVERT: dict[str, Callable[[str], bytes]] = {
    **{vr: _number(code, int) for vr, code in _INTEGERS.items()},
    **{vr: _number(code, float) for vr, code in _FLOATS.items()},
    "AT": _attribute_tag,
    "OB": _hexadecimal("B"),
    "OW": _hexadecimal("H"),
    "UN": _hexadecimal("B"),
}
