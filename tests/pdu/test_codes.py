"""The words for codes: those of the standard, and any other number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdu import AbortReason, ContextResult, abort_words, context_words, rejection_words


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ((1, 1, 2), "rejected for good by the service user: application context name not supported"),
        ((1, 2, 2), "rejected for good by the service provider (ACSE): protocol version not supported"),
        ((2, 3, 2), "rejected for now by the service provider (presentation): local limit exceeded"),
        ((1, 1, 9), "rejected for good by the service user: reserved or unknown reason (9)"),
        ((3, 4, 1), "reserved or unknown result (3) by the reserved or unknown source (4): reserved or unknown reason (1)"),
    ],
)
def test_rejection(codes: tuple[int, int, int], words: str) -> None:
    assert rejection_words(*codes) == words


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ((0, 0), "aborted by the service user"),
        ((0, 5), "aborted by the service user"),
        ((2, 1), "aborted by the service provider: unrecognized PDU"),
        ((2, 3), "aborted by the service provider: reserved or unknown reason (3)"),
        ((1, 2), "aborted by the reserved or unknown source (1): unexpected PDU"),
    ],
)
def test_abort(codes: tuple[int, int], words: str) -> None:
    assert abort_words(*codes) == words


def test_context() -> None:
    assert context_words(3) == "abstract syntax not supported"
    assert context_words(5) == "reserved or unknown result (5)"


def test_every_member_has_words() -> None:
    assert not any("unknown" in context_words(result) for result in ContextResult)
    assert not any("unknown" in abort_words(2, reason) for reason in AbortReason)


@given(st.integers(), st.integers(), st.integers())
def test_any_number_has_words(result: int, source: int, reason: int) -> None:
    assert all((rejection_words(result, source, reason), abort_words(source, reason), context_words(result)))
