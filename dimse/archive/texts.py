"""Character sets: the texts of the index are Unicode, and become bytes again in a character set that the asker can read.

The tables are pydicom's, which is imported for the first text that is not plain ASCII (PS3.3 C.12.1.1.2, PS3.5 6.1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

UTF_8: Final = "ISO_IR 192"
_ESCAPE: Final = 0x1B
_RUNS: Final = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
_WITH_ESCAPES: Final = frozenset({"iso2022_jp", "iso2022_jp_2", "euc_kr", "iso_ir_58"})  # never the first set (PS3.3 C.12.1.1.2)
_BETWEEN: Final = re.compile(r"([\^=\\\r\n\t\f])")
_DELIMITERS: Final = frozenset(b"^=\\\r\n\t\f")  # behind each of them the first character set holds again (PS3.5 6.1.2.5.3)


def decode(raw: bytes, character_set: str = "") -> str:
    """The text of a value in the character set that (0008,0005) names; never fails.

    Bytes outside of ASCII that no character set explains are taken as UTF-8 if they can be that, else as Latin-1: senders that
    leave (0008,0005) out mean one of the two.
    """
    if raw.isascii() and _ESCAPE not in raw:
        return raw.decode("ascii")
    terms = [term.strip(" \0") for term in character_set.split("\\")]
    if any(terms):
        return _decode_by(raw, terms)
    return _decode_unnamed(raw)


def encoder_for(texts: str, wanted: str = "") -> tuple[str, Callable[[str], bytes]]:
    """Which character set to answer these texts in: its defined term for (0008,0005), "" for none, and what encodes a text.

    The asker's own where it holds all the texts, with its code extensions if it has any (PS3.5 6.1.2.5), else UTF-8.
    """
    if texts.isascii():
        return "", partial(str.encode, encoding="ascii")
    terms = [term.strip(" \0") for term in wanted.split("\\")]
    codecs = [_codec(term) if term else "ascii" for term in terms]
    known = [codec for codec in codecs if codec is not None]
    extended = len(terms) > 1 or terms[0].startswith("ISO 2022")
    encode = partial(_encode_extended, codecs=known) if extended else partial(_encode_by, codec=known[0] if known else "ascii")
    try:
        if len(known) == len(terms) and known[0] not in _WITH_ESCAPES and decode(encode(texts), wanted) == texts:
            return wanted, encode
    except UnicodeError:
        pass
    return UTF_8, partial(str.encode, encoding="utf-8")


def _encode_by(text: str, codec: str) -> bytes:
    """By one character set. Of Shift JIS only JIS X 0201 is meant, which has one byte a character."""
    encoded = text.encode("ascii" if codec == "iso8859" else codec)
    if codec == "shift_jis" and len(encoded) != len(text):
        raise UnicodeError
    return encoded


def _encode_extended(text: str, codecs: Sequence[str]) -> bytes:
    """With code extensions: between two delimiters by the first that holds it all, behind its escape sequence if it is not the first."""
    return b"".join([_encode_run(run, codecs) for run in _BETWEEN.split(text)])


def _encode_run(run: str, codecs: Sequence[str]) -> bytes:
    from pydicom.charset import ENCODINGS_TO_CODES

    if run.isascii():
        return run.encode("ascii")
    for number, codec in enumerate(codecs):
        with suppress(UnicodeError):
            encoded = _encode_by(run, codec)
            return encoded if not number or codec.startswith("iso2022") else ENCODINGS_TO_CODES[codec] + encoded
    raise UnicodeError


def _codec(term: str) -> str | None:
    from pydicom.charset import python_encoding

    codec = python_encoding.get(term)
    return codec if term and isinstance(codec, str) else None


def _decode_by(raw: bytes, terms: list[str]) -> str:
    """By the first term; with code extensions, each run behind an escape sequence by the character set that the sequence names."""
    first = _codec(terms[0]) or "latin-1"
    if _ESCAPE not in raw or not any(term.startswith("ISO 2022") for term in terms):
        return _decode_as(raw, first)
    return "".join([_decode_run(run, first) for run in _RUNS.findall(raw)])


def _decode_run(run: bytes, first: str) -> str:
    """One escape sequence and what follows it. Not pydicom's function, which writes to the log about every odd byte that comes along."""
    from pydicom.charset import CODES_TO_ENCODINGS

    length = 4 if run[:3] in (b"\x1b$(", b"\x1b$)") else 3
    codec = CODES_TO_ENCODINGS.get(run[:length])
    if codec is None:
        return _decode_as(run, first)
    if codec.startswith("iso2022"):
        return _decode_as(run, codec)  # Python knows these with their escape sequences
    body = run[length:]
    end = next((at for at, byte in enumerate(body) if byte in _DELIMITERS), len(body))
    return _decode_as(body[:end], codec) + _decode_as(body[end:], first)


def _decode_as(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec)
    except (UnicodeError, LookupError):
        return _decode_unnamed(raw)


def _decode_unnamed(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeError:
        return raw.decode("latin-1")
