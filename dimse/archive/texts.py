"""Character sets: the texts of the index are Unicode, and become bytes again in a character set that the asker can read.

The tables are pydicom's, which is imported for the first text that is not plain ASCII (PS3.3 C.12.1.1.2, PS3.5 6.1).
"""

from __future__ import annotations

import re
from typing import Final

UTF_8: Final = "ISO_IR 192"
_ESCAPE: Final = 0x1B
_RUNS: Final = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
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


def encoding_for(texts: str, wanted: str = "") -> tuple[str, str]:
    """Which character set to answer these texts in: its defined term for (0008,0005), "" for none, and the Python codec.

    The asker's own where it holds all the texts and has no escape sequences, else UTF-8.
    """
    if texts.isascii():
        return "", "ascii"
    codec = _codec(wanted) if "\\" not in wanted and not wanted.startswith("ISO 2022") else None
    if codec is not None:
        try:
            texts.encode(codec)
        except UnicodeError:
            codec = None
    return (wanted, codec) if codec is not None else (UTF_8, "utf-8")


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
