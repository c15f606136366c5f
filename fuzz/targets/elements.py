"""Whatever the bytes of a data set or command set, reading them ends, raises only DataError, and all ways of reading agree."""

from __future__ import annotations

import importlib
import warnings
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise

from dimse.data.commands import CommandSet
from dimse.data.datasets import DataSet
from dimse.data.deflate import inflate
from dimse.data.elements import HELD, Element, elements, encode_element, items, pick, scan, syntax_inside
from dimse.data.uids import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)
from dimse.errors import DataError, UsageError
from fuzz import seeds
from fuzz.choices import Choices
from fuzz.target import Features, Target, require

SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGBaseline8Bit, DeflatedExplicitVRLittleEndian)
INFLATED = 1 << 20
DEEPEST = 64
WANTED = (0x00080005, 0x00080016, 0x00080018, 0x00100010, 0x0020000D, 0x7FE00010)


def check(data: bytes) -> Features:
    """The first byte chooses the reader, the second the transfer syntax."""
    choices = Choices(data)
    read, syntax = READERS[choices.below(len(READERS))], SYNTAXES[choices.below(len(SYNTAXES))]
    return read(choices.rest(), syntax)


def _check_elements(data: bytes, syntax: UID) -> Features:
    """`elements` and `pick` tell the same; of a long deflated data set `pick` reads no elements behind the last one that is wanted."""
    found, fault = _walk(data, syntax)
    firsts: dict[int, bytes] = {}
    for element in found:
        firsts.setdefault(element.tag, bytes(element.value))
    try:
        require(scan(data, syntax, list(firsts)) == firsts, "scan tells other values than elements")
    except DataError:
        require(fault is not None, "scan finds a fault where elements finds none")
    try:
        picked = pick(data, syntax, list(firsts), whole=True)
    except DataError:
        require(fault is not None, "pick finds a fault where elements finds none")
        return ("fault", fault and fault.clause)
    require(fault is None or (syntax.is_deflated and len(inflate(data)) > HELD), "elements finds a fault where pick finds none")
    require(picked == firsts, "pick tells other values than elements")
    if fault is None and _ascends(found):
        require(pick(data, syntax, WANTED) == {tag: firsts[tag] for tag in WANTED if tag in firsts}, "pick stops early")
    return ("sound", min(len(found), 9), any(element.undefined for element in found))


def _words(error: DataError) -> str:
    """The error without its tags and numbers: what is wrong, not where."""
    return " ".join([word for word in error.what.split() if word.isalpha() and word.islower()][:5])


def _walk(data: bytes, syntax: UID) -> tuple[list[Element], DataError | None]:
    """The elements in front of the fault, if there is one."""
    found: list[Element] = []
    try:
        for element in elements(data, syntax):
            require(not found or found[-1].offset < element.offset, "offsets do not ascend")
            found.append(element)
    except DataError as error:
        return found, error
    return found, None


def _ascends(found: list[Element]) -> bool:
    return all(one.tag < other.tag for one, other in pairwise(found))


def _check_items(data: bytes, syntax: UID) -> Features:
    """Sequences inside each other are walked to the ground; what is inside lies inside."""
    deepest, below = 0, [(memoryview(data), str(syntax), 0)]
    while below:
        view, inside, depth = below.pop()
        deepest = max(deepest, depth)
        try:
            for element in elements(view, inside):
                require(len(element.value) <= len(view) or inside == DeflatedExplicitVRLittleEndian, "a value is larger than what it is in")
                if element.vr in ("SQ", "UN", "") and depth < DEEPEST:
                    nested = syntax_inside(element, inside)
                    below += [(item, nested, depth + 1) for item in items(element, inside)]
        except DataError as error:
            require(error.offset is None or error.offset <= max(len(view), INFLATED), "an offset outside")
    return (("depth", deepest),)


def _check_inflate(data: bytes, syntax: UID) -> Features:
    """`inflate` gives what zlib gives, or refuses; what was deflated comes back."""
    try:
        plain = inflate(data, INFLATED)
    except DataError as error:
        return (_words(error),)
    require(plain == zlib.decompressobj(-zlib.MAX_WBITS).decompress(data), "inflated to something else")
    return ()


def _check_command(data: bytes, syntax: UID) -> Features:
    """A command set that is read can be written, read again and answered."""
    try:
        command = CommandSet.decode(data)
    except DataError as error:
        return (error.clause,)
    again = CommandSet.decode(command.encode())
    require(_present(again) == _present(command), "a command set does not survive")
    require(bool(repr(command)) and bool(command.name), "a command set says nothing")
    missing = command.missing()
    try:
        answer = command.response(0x0110)
        answer.encode()
    except UsageError:
        return (command.is_response, "no response")
    return (command.service and command.name, missing)


def _present(command: CommandSet) -> dict[str, object]:
    """The fields that have a value: one of nothing but padding is written as none, and then counts as absent."""
    return {name: value for name, value in vars(command).items() if value != ""}


def _check_data_set(data: bytes, syntax: UID) -> Features:
    """A `DataSet` gives values, its text and its bytes in another transfer syntax, or raises DataError."""
    given = DataSet(data, syntax)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text, value = str(given), given.get("PatientName")
            other = given.encoded_as(ImplicitVRLittleEndian)
    except DataError as error:
        return (_words(error),)
    require(other.transfer_syntax == ImplicitVRLittleEndian, "encoded in something else")
    return (bool(text), type(value).__name__)


def _check_encode(data: bytes, syntax: UID) -> Features:
    """An element that is written is read."""
    choices = Choices(data)
    tag, vr, value = choices.number(4), VRS[choices.below(len(VRS))], choices.rest()
    if tag >> 16 == 0xFFFE:
        return ()
    encoded = encode_element(tag, vr, value, syntax)
    plain = ExplicitVRLittleEndian if syntax.is_deflated else syntax
    (element,) = elements(encoded, plain)
    require(element.tag == tag and element.value[: len(value)] == value, "an element does not survive")
    require(len(element.value) % 2 == 0 and element.vr in (vr, ""), "an element is of odd length")
    return (vr,)


VRS = ("UI", "LO", "OB", "OW", "UN", "UC", "SH", "US", "SQ")
Reader = Callable[[bytes, UID], Features]
READERS: tuple[Reader, ...] = (
    _check_elements, _check_elements, _check_items, _check_inflate, _check_command, _check_command, _check_data_set, _check_encode,
)  # fmt: skip


def _seeds() -> Iterator[bytes]:
    for part in seeds.parts().values():
        for reader in (0, 2, 4, 6):
            yield from (bytes((reader, syntax)) + part for syntax in (0, 1))
    for syntax, name in enumerate(SYNTAXES[:3]):
        nested = _nested(name, 3)
        for data in (encode_element(0x00080018, "UI", b"1.2.3", name) + nested, nested, _nested(name, 70)):
            yield from (bytes((reader, syntax)) + data for reader in (0, 2, 6))
            yield from (bytes((reader, 4)) + _deflated(data) for reader in (0, 2, 3, 6))
    yield from (bytes((reader, 4)) + _deflated(bytes(size)) for reader in (0, 3) for size in (200_000, 2_000_000))
    unknown = encode_element(0x00091010, "UN", _nested(ImplicitVRLittleEndian, 2))
    yield from (bytes((2, 1)) + data for data in (unknown, unknown + encode_element(0x7FE00010, "OW", bytes(8))))
    yield from (bytes((7, syntax, 0, 0x10, 0, 0x10, vr)) + b"value" for syntax in range(5) for vr in range(len(VRS)))
    yield from seeds.findings("elements")


def _nested(syntax: UID, depth: int) -> bytes:
    """Sequences of undefined length inside each other."""
    big = syntax == ExplicitVRBigEndian
    tag, item = (0x0040A730).to_bytes(4, "big"), (0xFFFEE000).to_bytes(4, "big")
    end_item, end = (0xFFFEE00D).to_bytes(4, "big"), (0xFFFEE0DD).to_bytes(4, "big")
    order = (lambda tag: tag) if big else (lambda tag: bytes((tag[1], tag[0], tag[3], tag[2])))
    vr = b"" if syntax.is_implicit_vr else b"SQ\0\0"
    head = order(tag) + vr + b"\xff" * 4 + order(item) + b"\xff" * 4
    return head * depth + (order(end_item) + bytes(4) + order(end) + bytes(4)) * depth


def _deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


for _name in ("datadict", "filereader", "filewriter", "charset"):  # here, and not while the first input has its seconds
    importlib.import_module(f"pydicom.{_name}")
TARGET = Target(
    check, _seeds, ("dimse.data.elements", "dimse.data.headers", "dimse.data.deflate", "dimse.data.commands", "dimse.data.datasets")
)
