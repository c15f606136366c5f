"""Who may call, from where, and what each may ask for."""

from __future__ import annotations

import pytest

from dimse.errors import UsageError
from dimse.services.rights import ALL_RIGHTS, Caller, Callers, Right, is_loopback, rights_of

UNKNOWN = "the calling AE title is none of those that are let in"
ELSEWHERE = "the calling AE title is not let in from this host"
PLACES = {"CT1": ["10.1.2.3"], " MR1 ": ["10.2.0.0/16", "fd00::/8"], "ANYWHERE": [], "LINK": ["fe80::/10"]}
CALLERS = Callers({title: Caller(hosts=places) for title, places in PLACES.items()})


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
    with pytest.raises(UsageError, match="no peer can come from") as caught:
        Caller(hosts=[place])
    assert repr(place) in str(caught.value)


@pytest.mark.parametrize("title", ["", "   ", "A" * 17, "A\\B", "A\nB", "Ä"])
def test_titles_that_are_none(title: str) -> None:
    with pytest.raises(UsageError, match="is no AE title"):
        Callers({title: Caller()})


def test_one_text_is_no_collection() -> None:
    with pytest.raises(UsageError, match="the hosts of a peer are one text"):
        Caller(hosts="10.1.2.3")
    with pytest.raises(UsageError, match="the rights of a peer are one text"):
        Caller(allow="echo")


def test_rights() -> None:
    callers = Callers({"CT1": Caller(allow=["store", "echo"]), "ALL": Caller(), "NOTHING": Caller(allow=[])}, unknown=["echo"])
    assert callers.rights("CT1") == {Right.STORE, Right.ECHO}
    assert callers.rights("ALL") == ALL_RIGHTS == {"echo", "store", "find", "get", "move"}
    assert callers.rights("ANYBODY") == {"echo"}
    assert callers.refusal("ANYBODY", "192.0.2.1") == ""
    assert callers.refusal("NOTHING", "192.0.2.1") == "the calling AE title may do nothing here"
    assert Callers({}).rights("ANYBODY") == frozenset()


def test_a_known_peer_from_elsewhere_is_no_unknown_one() -> None:
    callers = Callers({"CT1": Caller(hosts=["10.1.2.3"])}, unknown=list(Right))
    assert callers.refusal("CT1", "10.1.2.4") == ELSEWHERE
    assert callers.refusal("CT2", "10.1.2.4") == ""


@pytest.mark.parametrize("names", [["Echo"], ["echo", "delete"], [""], ["all"]])
def test_rights_that_are_none(names: list[str]) -> None:
    with pytest.raises(UsageError, match="is no right of a peer; the rights are echo, store, find, get, move"):
        rights_of(names)


@pytest.mark.parametrize(
    ("host", "only_this_machine"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("::ffff:0.0.0.0", False),
        ("10.0.0.1", False),
        ("fe80::1%lo", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_addresses_that_only_this_machine_can_reach(host: str, only_this_machine: bool) -> None:
    assert is_loopback(host) is only_this_machine
