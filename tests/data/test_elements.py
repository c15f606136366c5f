"""The element walker against plain hand-made bytes, against pydicom's own reading, and against hostile data sets."""

from __future__ import annotations

import io
import mmap
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from struct import pack

import pydicom
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.data import data_manager
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filereader import data_element_generator

from dimse.data import elements as module
from dimse.data.deflate import inflate
from dimse.data.elements import Element, check_size, encode_element, items, pick, scan, syntax_inside
from dimse.data.elements import elements as walk
from dimse.data.uids import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)
from dimse.errors import DataError, OddData

SAMPLES = Path(data_manager.__file__).parent
UNDEFINED = b"\xff\xff\xff\xff"
SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]

# PS3.5 Table 7.1-2 and 7.1-1, once more.
SHORT_VRS = ["AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"]
LONG_VRS = ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]


def explicit(tag: int, vr: str, value: bytes, undefined: bool = False) -> bytes:
    """An element in Explicit VR Little Endian, from the page (PS3.5 7.1.2)."""
    head = pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in SHORT_VRS:
        return head + pack("<H", len(value)) + value
    return head + b"\0\0" + (UNDEFINED if undefined else pack("<L", len(value))) + value


def implicit(tag: int, value: bytes, undefined: bool = False) -> bytes:
    """An element in Implicit VR Little Endian, an item or a delimiter (PS3.5 7.1.3, 7.5)."""
    return pack("<HH", tag >> 16, tag & 0xFFFF) + (UNDEFINED if undefined else pack("<L", len(value))) + value


ITEM_END = implicit(0xFFFEE00D, b"")
SEQUENCE_END = implicit(0xFFFEE0DD, b"")


def item(content: bytes, undefined: bool = False) -> bytes:
    return implicit(0xFFFEE000, content, undefined) + (ITEM_END if undefined else b"")


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def raw(data: bytes, syntax: str = ExplicitVRLittleEndian) -> list[tuple[int, str, bytes, int, bool]]:
    return [(e.tag, e.vr, bytes(e.value), e.offset, e.undefined) for e in walk(data, syntax)]


# What the bytes mean


@pytest.mark.parametrize("vr", SHORT_VRS + LONG_VRS + ["ZZ"])
def test_every_vr_has_the_length_field_of_the_table(vr: str) -> None:
    data = explicit(0x00090010, vr, b"ABCD") + explicit(0x00090011, "US", b"\1\0")
    assert raw(data) == [(0x00090010, vr, b"ABCD", 0, False), (0x00090011, "US", b"\1\0", len(data) - 10, False)]
    assert encode_element(0x00090010, vr, b"ABCD") == explicit(0x00090010, vr, b"ABCD")


def test_big_endian_headers() -> None:
    data = b"\x00\x08\x00\x60CS\x00\x02MR" + b"\x7f\xe0\x00\x10OW\x00\x00\x00\x00\x00\x02\x01\x02"
    assert raw(data, ExplicitVRBigEndian) == [(0x00080060, "CS", b"MR", 0, False), (0x7FE00010, "OW", b"\1\2", 10, False)]


def test_an_unknown_transfer_syntax_is_read_as_explicit_little_endian() -> None:
    assert raw(explicit(0x00080060, "CS", b"MR"), "1.2.3.4")[0][2] == b"MR"


@pytest.mark.parametrize("undefined_items", [False, True])
@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_and_their_items(undefined: bool, undefined_items: bool) -> None:
    inner = explicit(0x00080100, "SH", b"CODE")
    nested = explicit(0x0040A168, "SQ", item(inner, True) + SEQUENCE_END * 1, True)
    content = item(inner + nested, undefined_items) + item(b"", undefined_items)
    data = explicit(0x0040A730, "SQ", content, undefined) + (SEQUENCE_END if undefined else b"") + explicit(0x0040DB00, "CS", b"10")
    first, second = walk(data)
    assert (first.tag, first.undefined, bytes(first.value)) == (0x0040A730, undefined, content)
    assert (second.tag, bytes(second.value)) == (0x0040DB00, b"10")
    assert [bytes(i) for i in items(first)] == [inner + nested, b""]
    assert [e.tag for e in walk(next(items(first)))] == [0x00080100, 0x0040A168]


def test_unknown_vr_of_undefined_length_is_implicit_little_endian_inside() -> None:
    inner = implicit(0x00080100, b"CODE") + implicit(0x0040A168, item(implicit(0x00080104, b"AB"), True) + SEQUENCE_END, True)
    little = explicit(0x00091010, "UN", item(inner, True) + SEQUENCE_END, True) + explicit(0x00091011, "LO", b"ok")
    big = b"\x00\x09\x10\x10UN\0\0" + UNDEFINED + item(inner, True) + SEQUENCE_END + b"\x00\x09\x10\x11LO\0\2ok"
    for data, syntax in ((little, ExplicitVRLittleEndian), (big, ExplicitVRBigEndian)):
        first, second = walk(data, syntax)
        assert bytes(second.value) == b"ok"
        assert syntax_inside(first, syntax) == ImplicitVRLittleEndian
        assert [bytes(i) for i in items(first, syntax)] == [inner]
    assert syntax_inside(second, ExplicitVRBigEndian) == ExplicitVRBigEndian
    assert syntax_inside(second, DeflatedExplicitVRLittleEndian) == ExplicitVRLittleEndian


def test_fragments_of_encapsulated_pixel_data() -> None:
    data = explicit(0x7FE00010, "OB", item(b"") + item(b"\xff\xd8 \xff\xd9") + SEQUENCE_END, True) + explicit(0xFFFCFFFC, "OB", b"\0\0")
    pixels, padding = walk(data, JPEGBaseline8Bit)
    assert [bytes(f) for f in items(pixels, JPEGBaseline8Bit)] == [b"", b"\xff\xd8 \xff\xd9"]
    assert padding.tag == 0xFFFCFFFC


def test_values_are_views_of_the_buffer_and_start_skips(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"head" + explicit(0x00080060, "CS", b"MR"))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        assert pick(data, ExplicitVRLittleEndian, [0x00080060], start=4) == {0x00080060: b"MR"}
        for element in walk(data, start=4):
            assert element.offset == 4
            assert element.value.obj is data
            element.value.release()
        del element
    whole = bytearray(b"head" + explicit(0x00080060, "CS", b"MR"))
    (element,) = walk(whole, start=4)
    whole[-1:] = b"X"
    assert bytes(element.value) == b"MX"


@given(st.lists(st.tuples(st.integers(0, 0xFFFDFFFF), st.sampled_from(SHORT_VRS + LONG_VRS), st.binary(max_size=12))))
def test_what_is_encoded_is_walked(rows: list[tuple[int, str, bytes]]) -> None:
    for syntax in SYNTAXES[:3]:
        data = b"".join(encode_element(tag, vr, value, syntax) for tag, vr, value in rows)
        read = [(e.tag, e.vr, len(e.value) % 2, bytes(e.value)[: len(v)]) for e, (_, _, v) in zip(walk(data, syntax), rows, strict=True)]
        assert read == [(tag, "" if syntax == ImplicitVRLittleEndian else vr, 0, value) for tag, vr, value in rows]


def test_encoding_pads_and_limits() -> None:
    assert encode_element(0x00080018, "UI", b"1.2.3").endswith(b"1.2.3\0")
    assert encode_element(0x00080060, "CS", b"CTX", ImplicitVRLittleEndian) == b"\x08\0\x60\0\4\0\0\0CTX "
    assert encode_element(0x00080060, "CS", b"CT", ExplicitVRBigEndian) == b"\0\x08\0\x60CS\0\2CT"
    assert encode_element(0x00080060, "CS", b"CT", DeflatedExplicitVRLittleEndian) == explicit(0x00080060, "CS", b"CT")
    assert len(encode_element(0x00080060, "LT", bytes(0x10000), ImplicitVRLittleEndian)) == 0x10008
    with pytest.raises(ValueError, match=r"\(0008,0060\) of VR LT cannot have 65536 bytes, only 65535"):
        encode_element(0x00080060, "LT", bytes(0x10000))


# The same as pydicom reads


@cache
def sample(path: Path) -> tuple[bytes, str] | None:
    """The encoded data set of a Part 10 file and its transfer syntax, by pydicom; None if it has none."""
    with path.open("rb") as file:
        try:
            pydicom.filereader.read_preamble(file, False)
        except (pydicom.errors.InvalidDicomError, EOFError):
            return None
        meta = pydicom.filereader._read_file_meta_info(file)
        return (file.read(), str(meta.TransferSyntaxUID)) if "TransferSyntaxUID" in meta else None


SAMPLE_FILES = [p for p in sorted(SAMPLES.rglob("*")) if p.is_file() and p.suffix in (".dcm", "") and sample(p)]
UNREADABLE = ("MR_truncated.dcm", "rtplan_truncated.dcm", "SC_rgb_jpeg.dcm")
"""Two that are cut off, and one that says it has VRs and has none."""


def test_the_samples_cover_every_encoding() -> None:
    assert len(SAMPLE_FILES) > 100
    contents = [sample(p) or (b"", "") for p in SAMPLE_FILES if p.name not in UNREADABLE]
    assert {str(s) for s in SYNTAXES} <= {syntax for _, syntax in contents}
    nested = [content for content, syntax in contents if any(e.undefined and e.vr != "OB" for e in walk(content, syntax))]
    assert len(nested) > 5


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda p: str(p.relative_to(SAMPLES)))
def test_samples_read_as_pydicom_reads_them(path: Path) -> None:
    content, syntax = sample(path) or (b"", "")
    if path.name in UNREADABLE:
        with pytest.raises(DataError):
            list(walk(content, syntax))
        return
    theirs = pydicom_elements(content, syntax)
    compare(list(walk(content, syntax)), theirs, plain(syntax))
    wanted = {int(t.tag): t.value or b"" for t in reversed(theirs) if t.tag < 0x7FE00000 and isinstance(t, RawDataElement)}
    assert pick(content, syntax, wanted.keys()) == wanted
    assert pick(content, syntax, wanted.keys(), whole=True) == wanted


def plain(syntax: str) -> str:
    return ExplicitVRLittleEndian if syntax == DeflatedExplicitVRLittleEndian else syntax


def pydicom_elements(content: bytes, syntax: str) -> list[RawDataElement | DataElement]:
    if syntax == DeflatedExplicitVRLittleEndian:
        content = zlib.decompressobj(-15).decompress(content)
    return list(data_element_generator(io.BytesIO(content), syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian))


def compare(ours: list[Element], theirs: Sequence[RawDataElement | DataElement], syntax: str) -> None:
    assert [e.tag for e in ours] == [int(t.tag) for t in theirs]
    for our, their in zip(ours, theirs, strict=True):
        if isinstance(their, RawDataElement) and not our.undefined:
            assert our.vr == (their.VR or "")
            assert bytes(our.value) == (their.value or b"")
        elif isinstance(their, DataElement):
            inside = syntax_inside(our, syntax)
            found = list(items(our, syntax))
            assert len(found) == len(their.value)
            for content, their_item in zip(found, their.value, strict=True):
                compare_item(list(walk(content, inside)), their_item, inside)


def compare_item(ours: list[Element], their_item: pydicom.Dataset, syntax: str) -> None:
    theirs = [their_item.get_item(tag) for tag in sorted(their_item.keys())]
    compare(ours, theirs, syntax)


# pick


def test_pick_takes_the_first_and_stops_behind_the_last() -> None:
    data = explicit(0x00080018, "UI", b"1.2\0") + explicit(0x00080018, "UI", b"9.9\0") + explicit(0x00100010, "PN", b"A^B ") + b"rubbish"
    assert pick(data, ExplicitVRLittleEndian, [0x00080018, 0x0008FFFF]) == {0x00080018: b"1.2\0"}
    assert pick(data, ExplicitVRLittleEndian, []) == {}
    with pytest.raises(DataError, match="cut off: 7 bytes are left at offset 36"):
        pick(data, ExplicitVRLittleEndian, [0x00100010])


def test_pick_passes_sequences_and_takes_their_content() -> None:
    content = item(explicit(0x00080018, "UI", b"7.7\0"), True)
    data = explicit(0x00081140, "SQ", content + SEQUENCE_END, True) + explicit(0x0020000D, "UI", b"1.3\0")
    assert pick(data, ExplicitVRLittleEndian, [0x00080018, 0x00081140, 0x0020000D]) == {0x00081140: content, 0x0020000D: b"1.3\0"}
    content = item(implicit(0x00080018, b"7.7\0"), True)
    data = implicit(0x00081140, content + SEQUENCE_END, True) + implicit(0x0020000D, b"1.3\0")
    assert pick(data, ImplicitVRLittleEndian, [0x00081140, 0x0020000D]) == {0x00081140: content, 0x0020000D: b"1.3\0"}


CUT = explicit(0x00080018, "UI", b"1.2\0") + explicit(0x7FE00010, "OW", b"\0\0")[:-6] + b"\xff\xff\xff\x7f\0\0"


def test_pick_of_the_whole_sees_what_is_cut_off() -> None:
    assert pick(CUT, ExplicitVRLittleEndian, [0x00080018]) == {0x00080018: b"1.2\0"}
    with pytest.raises(DataError, match=r"\(7FE0,0010\) announces 2147483647 bytes and 2 are left at offset 12"):
        pick(CUT, ExplicitVRLittleEndian, [0x00080018], whole=True)
    with pytest.raises(DataError, match="announces 10 bytes and 3 are left at offset 0"):
        pick(explicit(0x00080018, "UI", b"1.2.3.4.5\0")[:11], ExplicitVRLittleEndian, [0x00080018])


# scan

UID_ELEMENT = explicit(0x00080018, "UI", b"1.2\0")
PIXELS = explicit(0x7FE00010, "OW", bytes(300))
FRAGMENTS = explicit(0x7FE00010, "OB", (item(b"") + item(b"abcd") * 3 + SEQUENCE_END), True)
NESTED = explicit(0x00400275, "SQ", item(explicit(0x00080060, "CS", b"MR") * 2, True) * 2 + SEQUENCE_END, True)


@pytest.mark.parametrize(
    "tail", [PIXELS, FRAGMENTS, NESTED, explicit(0x0040A168, "SQ", item(b""))], ids=["pixels", "fragments", "items", "defined"]
)
def test_scan_sees_every_early_end(tail: bytes) -> None:
    """D-06, cut at every byte: only where an element ends may the data set end."""
    data = UID_ELEMENT + tail
    for end in range(1, len(data)):
        if end == len(UID_ELEMENT):
            continue
        with pytest.raises(DataError, match=r"cut off|announces") as caught:
            scan(data[:end], ExplicitVRLittleEndian, [0x00080018])
        assert not isinstance(caught.value, OddData)
    assert scan(b"head" + data, ExplicitVRLittleEndian, [0x00080018], start=4) == {0x00080018: b"1.2\0"}


@pytest.mark.parametrize(
    "odd",
    [
        ITEM_END,
        SEQUENCE_END,
        item(b"ab"),
        b"\x08\0\x60\0\2\0\0\0MR",
        explicit(0x00080119, "UC", SEQUENCE_END, True),
        explicit(0x00081140, "SQ", ITEM_END, True),
        explicit(0x00081140, "SQ", implicit(0xFFFEE0DD, b"12"), True),
        b"\0",
        bytes(7),
    ],
    ids=["item end", "sequence end", "item", "no VR", "undefined text", "no item", "long delimiter", "a zero", "zeros"],
)
def test_scan_takes_what_stands_before_something_odd(odd: bytes) -> None:
    data = explicit(0x00100020, "LO", b"ID") + UID_ELEMENT + explicit(0x00080018, "UI", b"9.9\0") + odd
    assert scan(data, ExplicitVRLittleEndian, [0x00080018, 0x00100020]) == {0x00080018: b"1.2\0", 0x00100020: b"ID"}


def test_scan_of_a_beginning() -> None:
    """What is held suffices when the values stand in it and an element ends where the data set does; any doubt is an error."""
    data = UID_ELEMENT + PIXELS
    for held in (len(UID_ELEMENT) + 12, len(data) - 1, len(data)):
        assert scan(data[:held], ExplicitVRLittleEndian, [0x00080018], size=len(data)) == {0x00080018: b"1.2\0"}
    for held, size in (
        (len(UID_ELEMENT) + 11, len(data)),
        (len(UID_ELEMENT) - 1, len(UID_ELEMENT)),
        (50, len(data) - 1),
        (50, len(data) + 2),
    ):
        with pytest.raises(DataError):
            scan(data[:held], ExplicitVRLittleEndian, [0x00080018], size=size)
    for odd in (ITEM_END + PIXELS, bytes(20)):
        with pytest.raises(OddData):
            scan((UID_ELEMENT + odd)[:30], ExplicitVRLittleEndian, [0x00080018], size=len(UID_ELEMENT + odd) + 1)


def test_scan_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = implicit(0x00090000, b"")
    assert scan(tiny * module.MAX_ELEMENTS, ImplicitVRLittleEndian, [0x00090000]) == {0x00090000: b""}
    with pytest.raises(DataError, match="more than 100000 elements"):
        scan(tiny * (module.MAX_ELEMENTS + 1), ImplicitVRLittleEndian, [])
    with pytest.raises(DataError, match="more than 64 sequences"):
        scan(nested(65), ExplicitVRLittleEndian, [])
    long = implicit(0x00104000, b"x" * 60_000)
    assert scan(long, ImplicitVRLittleEndian, [0x00104000]) == {0x00104000: b"x" * module.MAX_VALUE}
    monkeypatch.setattr(module, "MAX_NESTED", 50)
    assert scan(UID_ELEMENT + NESTED * 3, ExplicitVRLittleEndian, [0x00080018]).keys() == {0x00080018}
    assert scan(UID_ELEMENT + NESTED * 30 + b"\1", ExplicitVRLittleEndian, [0x00080018]).keys() == {0x00080018}
    with pytest.raises(DataError, match="cut off"):
        scan(UID_ELEMENT + NESTED * 3 + b"\1", ExplicitVRLittleEndian, [0x00080018])


@pytest.mark.parametrize("held", [100, module.HELD], ids=["long", "short"])
def test_scan_of_deflated_data_sets(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD", held)
    packed = deflate(UID_ELEMENT + PIXELS)
    for stream in (packed, packed + b"\0"):
        assert scan(b"head" + stream, DeflatedExplicitVRLittleEndian, [0x00080018], start=4) == {0x00080018: b"1.2\0"}
    with pytest.raises(DataError, match="in the middle of its stream"):
        scan(packed[:-1], DeflatedExplicitVRLittleEndian, [0x00080018])
    with mmap.mmap(-1, len(packed)) as shared:
        shared[:] = b"\xff" * len(packed)
        with pytest.raises(DataError, match="no deflated"):
            scan(shared, DeflatedExplicitVRLittleEndian, [0x00080018])
    if held > 100:
        with pytest.raises(DataError, match="announces 300 bytes and 299 are left"):
            scan(deflate((UID_ELEMENT + PIXELS)[:-1]), DeflatedExplicitVRLittleEndian, [0x00080018])


def test_scan_of_a_deflated_data_set_that_is_very_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What grows too fast is refused; what is merely long is taken as it is."""
    bomb = deflate(UID_ELEMENT + explicit(0x7FE00010, "OW", bytes(64_000_000)))
    with pytest.raises(DataError, match="1000 times"):
        scan(bomb, DeflatedExplicitVRLittleEndian, [0x00080018])
    monkeypatch.setattr(module, "MAX_SCANNED", 1_000_000)
    monkeypatch.setattr(module, "HELD", 100_000)
    long = deflate(UID_ELEMENT + explicit(0x7FE00010, "OW", bytes(range(256)) * 10_000))
    assert scan(long[:-1], DeflatedExplicitVRLittleEndian, [0x00080018]) == {0x00080018: b"1.2\0"}


# Size


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("undefined", [False, True])
def test_check_size_counts_what_is_in_sequences(syntax: str, undefined: bool) -> None:
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    data = encode_element(0x00080060, "CS", b"MR", syntax) * 2
    for _ in range(3):
        ends = (pack(order + "HHL", 0xFFFE, 0xE00D, 0), pack(order + "HHL", 0xFFFE, 0xE0DD, 0)) if undefined else (b"", b"")
        content = pack(order + "HHL", 0xFFFE, 0xE000, 0xFFFFFFFF if undefined else len(data)) + data + ends[0] + ends[1]
        head = encode_element(0x00400275, "SQ", b"", syntax)[:-4] + pack(order + "L", 0xFFFFFFFF if undefined else len(content))
        data = head + content
    check_size(data, syntax, most=5, deepest=3)
    with pytest.raises(DataError, match="more than 4 elements"):
        check_size(data, syntax, most=4, deepest=3)
    with pytest.raises(DataError, match="more than 2 sequences"):
        check_size(data, syntax, most=5, deepest=2)


def test_check_size_is_quick_and_says_nothing_of_what_cannot_be_read() -> None:
    deep = b""
    for _ in range(3000):
        deep = implicit(0x0040A730, item(deep))
    with pytest.raises(DataError, match="more than 8 sequences"):
        check_size(deep, ImplicitVRLittleEndian, most=1000, deepest=8)
    for data in (nested(20_000), b"\1", implicit(0x00080060, b"\xfe\xff\0\xe0"), implicit(0x00080060, b"\xfe\xff\0\xe0\xff\0\0\0")):
        check_size(data, ImplicitVRLittleEndian, most=10, deepest=8)


# Deflated


def test_deflated_data_sets() -> None:
    data = explicit(0x00080018, "UI", b"1.2\0") + explicit(0x7FE00010, "OW", bytes(range(256)) * 4)
    packed = deflate(data)
    for stream in (packed, packed + b"\0"):
        assert inflate(stream) == data
        assert [e.tag for e in walk(b"head" + stream, DeflatedExplicitVRLittleEndian, start=4)] == [0x00080018, 0x7FE00010]
        for whole in (False, True):
            assert pick(b"head" + stream, DeflatedExplicitVRLittleEndian, [0x00080018], start=4, whole=whole) == {0x00080018: b"1.2\0"}
            assert len(pick(stream, DeflatedExplicitVRLittleEndian, [0x7FE00010], whole=whole)[0x7FE00010]) == 1024
    with pytest.raises(DataError, match="inflates to more than 100 bytes"):
        inflate(packed, 100)


@pytest.mark.parametrize("size", [0, 1, 7, 100, 8192, 70_000, 262_144, 262_145, 300_000, 3_000_000])
def test_inflating_gives_everything_whatever_the_size(size: int) -> None:
    data = bytes(n * n % 251 for n in range(min(size, 5000)))
    data = (data * (size // 5000 + 1))[:size]
    assert inflate(deflate(data)) == data
    assert inflate(deflate(data) + b"12345678\0") == data
    with pytest.raises(DataError, match="10 bytes follow the end"):
        inflate(deflate(data) + b"123456789\0")


def test_pick_of_a_long_deflated_data_set() -> None:
    """The wanted tag stands behind more than one piece, so that what is there must be read again when more of it is."""
    noise = bytes(n * n * 7919 >> 5 & 0xFF for n in range(600_000))
    data = explicit(0x00090010, "OB", noise) + explicit(0x00100020, "LO", b"ID") + explicit(0x7FE00010, "OB", noise * 4)
    packed = deflate(data)
    assert pick(packed, DeflatedExplicitVRLittleEndian, [0x00100020]) == {0x00100020: b"ID"}
    assert pick(packed, DeflatedExplicitVRLittleEndian, [0x00100020], whole=True) == {0x00100020: b"ID"}
    assert pick(packed[: len(packed) - 1], DeflatedExplicitVRLittleEndian, [0x00100020]) == {0x00100020: b"ID"}
    with pytest.raises(DataError, match="in the middle of its stream"):
        pick(packed[: len(packed) - 1], DeflatedExplicitVRLittleEndian, [0x00100020], whole=True)
    with pytest.raises(DataError, match="more than 1000000 bytes"):
        pick(packed, DeflatedExplicitVRLittleEndian, [0x00100020], whole=True, limit=1_000_000)


def test_pick_holds_a_limited_head_of_a_deflated_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_INFLATED_HEAD", 1000)
    packed = deflate(
        explicit(0x00090010, "OB", bytes(range(250)) * 8) + explicit(0x00100020, "LO", b"ID") + explicit(0x00100030, "DA", b"")
    )
    assert pick(packed, DeflatedExplicitVRLittleEndian, [0x00100020]) == {0x00100020: b"ID"}
    with pytest.raises(DataError, match=r"\(0010,0030\) is not within the first 1000"):
        pick(packed, DeflatedExplicitVRLittleEndian, [0x00100030])


def test_deflated_bombs_stop_early() -> None:
    bomb = deflate(explicit(0x00080018, "UI", b"1.2\0") + explicit(0x7FE00010, "OW", bytes(64_000_000)))
    for read in (
        lambda: inflate(bomb),
        lambda: list(walk(bomb, DeflatedExplicitVRLittleEndian)),
        lambda: pick(bomb, DeflatedExplicitVRLittleEndian, [0x00080018], whole=True),
        lambda: pick(bomb, DeflatedExplicitVRLittleEndian, [0x7FE00010]),
    ):
        with pytest.raises(DataError, match=r"1000 times|first 16777216"):
            read()
    assert pick(bomb, DeflatedExplicitVRLittleEndian, [0x00080018]) == {0x00080018: b"1.2\0"}


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff" * 50, b"\x03", b"\x01\x05\x00\xfa"])
def test_what_is_no_deflate_stream(data: bytes) -> None:
    with pytest.raises(DataError, match="deflated data set"):
        inflate(data)


# Hostile


def nested(depth: int, closed: bool = True) -> bytes:
    """Sequences of undefined length inside each other, scenario D-01."""
    opening = explicit(0x0040A730, "SQ", b"", True) + implicit(0xFFFEE000, b"", True)
    return opening * depth + (ITEM_END + SEQUENCE_END) * (depth * closed)


def test_depth_has_a_limit_and_needs_no_recursion() -> None:
    assert len(list(walk(nested(64)))) == 1
    assert pick(nested(64), ExplicitVRLittleEndian, [0x0040A730], whole=True).keys() == {0x0040A730}
    for depth in (65, 20_000):
        for closed in (True, False):
            data = nested(depth, closed)
            with pytest.raises(DataError, match="more than 64 sequences inside each other at offset"):
                list(walk(data))
            with pytest.raises(DataError, match="more than 64"):
                pick(data, ExplicitVRLittleEndian, [0x00500000])
    bomb = (b"\x40\x00\x30\xa7" + UNDEFINED + b"\xfe\xff\x00\xe0" + UNDEFINED) * 20_000
    with pytest.raises(DataError, match="more than 64"):
        list(walk(bomb, ImplicitVRLittleEndian))


def test_items_are_limited_in_depth_too() -> None:
    (element,) = walk(nested(64))
    assert len(list(items(element))) == 1
    with pytest.raises(DataError, match="more than 64"):
        list(items(Element(0x0040A730, "SQ", memoryview(nested(66)[12:]), 0, True)))


def test_many_tiny_elements() -> None:
    data = implicit(0x00090000, b"") * 100_000 + implicit(0x0020000D, b"1.2\0")
    assert pick(data, ImplicitVRLittleEndian, [0x0020000D]) == {0x0020000D: b"1.2\0"}
    assert sum(1 for _ in walk(data, ImplicitVRLittleEndian)) == 100_001
    inside = implicit(0x00400275, item(data, True) * 2 + SEQUENCE_END, True)
    assert len(list(walk(inside, ImplicitVRLittleEndian))) == 1


WRONG = {
    "half a header": (explicit(0x00080060, "CS", b"MR")[:7], "an element header is cut off: 7 bytes are left at offset 0"),
    "half a long header": (explicit(0x00080060, "OB", b"MR")[:11], "cut off: 11 bytes are left at offset 0"),
    "a value beyond the end": (explicit(0x00080060, "CS", b"MR")[:9], r"\(0008,0060\) announces 2 bytes and 1 are left at offset 0"),
    "no VR": (b"\x08\0\x60\0\2\0\0\0MR  ", r"\(0008,0060\) has no VR but .* at offset 0"),
    "a stray sequence delimiter": (SEQUENCE_END, r"\(FFFE,E0DD\) stands outside of a sequence at offset 0"),
    "a stray item delimiter": (explicit(0x00080060, "CS", b"MR") + ITEM_END, r"\(FFFE,E00D\) stands outside of a sequence at offset 10"),
    "a stray item": (item(b""), r"\(FFFE,E000\) stands outside of a sequence"),
    "an item that looks like an element": (b"\xfe\xff\x00\xe0CS\0\0", r"\(FFFE,E000\) stands outside of a sequence"),
    "undefined length of text": (explicit(0x00080119, "UC", SEQUENCE_END, True), "of VR UC has an undefined length at offset 0"),
    "no delimiter": (explicit(0x00081140, "SQ", item(b""), True), "cut off: 0 bytes are left at offset 20"),
    "no item delimiter": (explicit(0x00081140, "SQ", implicit(0xFFFEE000, b"", True) + SEQUENCE_END, True), "stands in an item"),
    "an item delimiter in a sequence": (explicit(0x00081140, "SQ", ITEM_END + SEQUENCE_END, True), "stands in a sequence"),
    "an element in a sequence": (
        explicit(0x00081140, "SQ", explicit(0x00080060, "CS", b"MR"), True),
        r"\(0008,0060\) stands in a sequence",
    ),
    "an item in an item": (explicit(0x00081140, "SQ", implicit(0xFFFEE000, item(b""), True), True), r"\(FFFE,E000\) stands in an item"),
    "an item beyond the end": (explicit(0x00081140, "SQ", item(b"1234")[:-1], True), "announces 4 bytes and 3 are left at offset 12"),
    "a delimiter with a length": (explicit(0x00081140, "SQ", implicit(0xFFFEE0DD, b"12"), True), r"FFFE,E0DD\) has the length 2"),
}


@pytest.mark.parametrize(("data", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_bytes(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        list(walk(data))
    with pytest.raises(DataError, match=words):
        pick(data, ExplicitVRLittleEndian, [0x00080060], whole=True)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (explicit(0x00080060, "CS", b"MR"), r"\(0008,0060\) stands where an item must begin at offset 0"),
        (item(b"") + SEQUENCE_END, r"\(FFFE,E0DD\) stands where an item must begin at offset 8"),
        (item(b"1234")[:-1], "announces 4 bytes and 3 are left at offset 0"),
        (item(b"")[:-1], "cut off"),
        (implicit(0xFFFEE000, b"", True), "cut off: 0 bytes are left at offset 8"),
    ],
)
def test_wrong_items(value: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        list(items(Element(0x00081140, "SQ", memoryview(value), 0, False)))


SEEDS = [data for data, _ in WRONG.values()] + [nested(3), explicit(0x00091010, "UN", item(implicit(0x00090000, b"")) + SEQUENCE_END, True)]


@example(b"\x13\x18\0\0\0")  # inflates to what is no element, and begins with a tag behind all that are wanted
@given(st.one_of(st.binary(max_size=64), st.lists(st.one_of(st.sampled_from(SEEDS), st.binary(max_size=9)), max_size=4).map(b"".join)))
def test_any_bytes_are_elements_or_a_data_error(data: bytes) -> None:
    for encoded, syntax in [*((data, syntax) for syntax in SYNTAXES), (deflate(data), DeflatedExplicitVRLittleEndian)]:
        try:
            walked = list(walk(encoded, syntax))
        except DataError:
            walked = None
        try:
            picked = pick(encoded, syntax, [0x00080060, 0x00081140, 0x00091010], whole=True)
        except DataError:
            picked = None
        assert (walked is None) == (picked is None)
        for element in walked or ():
            try:
                contents = list(items(element, syntax))
            except DataError:
                assert not element.undefined
            else:
                assert sum(map(len, contents)) <= len(element.value)
