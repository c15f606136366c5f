"""The list of callers: who may call from where."""

from __future__ import annotations

import pytest

from dimse.errors import UsageError
from dimse.services.admission import Callers
from dimse.services.handlers import Services
from dimse.services.reception import Reception

UNKNOWN = "the calling AE title is none of those that are let in"
ELSEWHERE = "the calling AE title is not let in from this host"
CALLERS = Callers({"CT1": ["10.1.2.3"], " MR1 ": ["10.2.0.0/16", "fd00::/8"], "ANYWHERE": [], "LINK": ["fe80::/10"]})


@pytest.mark.parametrize(
    ("calling", "host", "why"),
    [
        ("CT1", "10.1.2.3", ""),
        ("CT1", "10.1.2.4", ELSEWHERE),
        ("CT1", "::1", ELSEWHERE),
        ("CT1", "::ffff:10.1.2.3", ""),
        ("CT1", "::ffff:10.1.2.4", ELSEWHERE),
        ("CT1", "memory", ELSEWHERE),
        ("CT1", "", ELSEWHERE),
        ("MR1", "10.2.255.255", ""),
        ("MR1", "fd12::7", ""),
        ("MR1", "10.3.0.0", ELSEWHERE),
        ("ANYWHERE", "192.0.2.1", ""),
        ("ANYWHERE", "memory", ""),
        ("LINK", "fe80::1%eth0", ""),
        ("ct1", "10.1.2.3", UNKNOWN),
        ("CT", "10.1.2.3", UNKNOWN),
        ("CT11", "10.1.2.3", UNKNOWN),
        ("", "10.1.2.3", UNKNOWN),
        ("A\r\nB", "10.1.2.3", UNKNOWN),
    ],
)
def test_who_is_let_in(calling: str, host: str, why: str) -> None:
    assert CALLERS.refusal(calling, host) == why


def test_an_empty_list_lets_nobody_in() -> None:
    assert Callers({}).refusal("CT1", "10.1.2.3") == UNKNOWN


@pytest.mark.parametrize("place", ["", "10.1.2.3/33", "10.1.2.3/16", "10.1.2", "pacs.example", "::g", "10.1.2.3:104", "10.1.2.3 "])
def test_places_that_are_none(place: str) -> None:
    with pytest.raises(UsageError, match="cannot come from") as caught:
        Reception("PEER", Services(), callers={"CT1": [place]})
    assert "'CT1'" in str(caught.value)


@pytest.mark.parametrize("title", ["", "   ", "A" * 17, "A\\B", "A\nB", "Ä"])
def test_titles_that_are_none(title: str) -> None:
    with pytest.raises(UsageError, match="is no AE title"):
        Callers({title: []})


def test_one_text_is_no_collection_of_places() -> None:
    with pytest.raises(UsageError, match="are one text"):
        Callers({"CT1": "10.1.2.3"})
