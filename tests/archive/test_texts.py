"""Character sets: what bytes mean, and which set an answer is written in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.archive.texts import decode, encoder_for


@pytest.mark.parametrize(
    ("raw", "character_set", "text"),
    [
        (b"plain", "", "plain"),
        (b"plain", "ISO_IR 100", "plain"),
        (b"\xe4", "ISO_IR 100", "ä"),
        (b"\xe4", "ISO_IR 144", "ф"),
        ("ä".encode(), "ISO_IR 192", "ä"),
        ("ä".encode(), "", "ä"),
        (b"\xe4", "", "ä"),
        (b"\xe4", "ISO_IR 192", "ä"),
        (b"\xe4", "unheard of", "ä"),
        (b"\x1b$B;3ED\x1b(B", "\\ISO 2022 IR 87", "山田"),
        (b"Kim=\x1b$)C\xb1\xe8^\x1b$)C\xc8\xf1", "\\ISO 2022 IR 149", "Kim=김^희"),
        (b"\x1b-Fa\xe1^\xe4", "ISO 2022 IR 100\\ISO 2022 IR 126", "aα^ä"),
        (b"a\x1b%Gb", "\\ISO 2022 IR 87", "a\x1b%Gb"),
        (b"\x1b$B;3ED\x1b(B", "unheard of", "\x1b$B;3ED\x1b(B"),
        (b"\x1b$B;3ED\x1b(B", "", "\x1b$B;3ED\x1b(B"),
    ],
)
def test_decode(raw: bytes, character_set: str, text: str) -> None:
    assert decode(raw, character_set) == text


@pytest.mark.parametrize(
    ("text", "wanted", "term"),
    [
        ("plain", "ISO_IR 100", ""),
        ("ä", "ISO_IR 100", "ISO_IR 100"),
        ("ä", "", "ISO_IR 192"),
        ("ф", "ISO_IR 100", "ISO_IR 192"),
        ("山", "GB18030", "GB18030"),
        ("山", "\\ISO 2022 IR 87", "\\ISO 2022 IR 87"),
        ("Yamada^Tarou=山田^太郎", "\\ISO 2022 IR 87", "\\ISO 2022 IR 87"),
        ("山ä", "\\ISO 2022 IR 87", "ISO_IR 192"),
        ("丂", "\\ISO 2022 IR 87\\ISO 2022 IR 159", "\\ISO 2022 IR 87\\ISO 2022 IR 159"),
        ("ﾔﾏﾀﾞ=山", "ISO 2022 IR 13\\ISO 2022 IR 87", "ISO 2022 IR 13\\ISO 2022 IR 87"),
        ("Kim=김^희", "\\ISO 2022 IR 149", "\\ISO 2022 IR 149"),
        ("王\\小", "\\ISO 2022 IR 58", "\\ISO 2022 IR 58"),
        ("aα^ä", "ISO 2022 IR 100\\ISO 2022 IR 126", "ISO 2022 IR 100\\ISO 2022 IR 126"),
        ("ﾔﾏﾀﾞ", "ISO_IR 13", "ISO_IR 13"),
        ("山", "ISO_IR 13", "ISO_IR 192"),
        ("ä", "ISO_IR 6", "ISO_IR 192"),
        ("山", "\\x", "ISO_IR 192"),
        ("山", "ISO 2022 IR 87", "ISO_IR 192"),
        ("山", "unheard of", "ISO_IR 192"),
    ],
)
def test_encoder_for(text: str, wanted: str, term: str) -> None:
    found, encode = encoder_for(text, wanted)
    assert found == term
    assert decode(encode(text), term) == text


PIECES = st.sampled_from([b"\x1b", b"$B", b"$)C", b"-F", b"(B", b"^", b"=", b"\xb1\xe8", b"a", b"\xff"])


@given(
    raw=st.binary(max_size=20) | st.lists(PIECES, max_size=6).map(b"".join),
    character_set=st.sampled_from(
        ["", "ISO_IR 100", "ISO_IR 192", "GB18030", "ISO_IR 13", "x", "\\x", "\\ISO 2022 IR 87\\ISO 2022 IR 149"]
    ),
)
def test_any_bytes_are_some_text_that_can_be_answered(raw: bytes, character_set: str) -> None:
    text = decode(raw, character_set)
    term, encode = encoder_for(text, character_set)
    assert decode(encode(text), term) == text
