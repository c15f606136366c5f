"""The table of cases, the bytes it sends, and how outcomes are compared."""

from __future__ import annotations

import re
import zlib

import pytest

import pdu
from dimse.data.commands import CommandField, CommandSet
from dimse.data.elements import elements
from dimse.data.uids import UID, ImplicitVRLittleEndian
from dimse.judge import CASES, Case, Verdict, chosen
from dimse.judge.case import Send, judge, matches
from dimse.judge.cases.machine import ECHO_IN_FIVE, too_long
from dimse.judge.cases.messages import _bomb, _nested, _tiny
from dimse.judge.wire import CONTEXTS, ECHO_MESSAGE, Request, Scene, Store, data_set, instance_uid, raw_pdu

TOKEN = re.compile(
    r"""(\*|\d+)\ x\ [^;]+ | (\*|not\ )?served | closed | open | \*\ [0-9A-F?]{4}H | \*\ [0-9A-F]{3}\[\d+\]H | \*\ [0-9A-F?]+H
    | A-ABORT\(([*02]|\*),?[^)]*\) | A-ASSOCIATE-RJ\([^)]*\) | A-ASSOCIATE-AC(\*|\ with\ \d+\ results|(\ \d+=(\?|\d|\[\d-\d\]))*)
    | A-RELEASE-RP | C-[A-Z]+-RSP\ [^;]+""",
    re.VERBOSE,
)
SCENE = Scene(b"PACS", b"ME", 16_384)


def test_every_case_says_what_it_is() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    for case in CASES:
        assert re.fullmatch(r"[TFADR]-\d\d(/[A-Za-z0-9-]+)?", case.id)
        assert case.clause.startswith("PS3.")
        assert case.title
        assert case.allowed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_patterns_are_in_the_words_of_outcomes(case: Case) -> None:
    for pattern in (*case.allowed, *case.tolerated):
        assert all(TOKEN.fullmatch(word) for word in pattern.split("; ")), pattern


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_everything_that_is_sent_can_be_built(case: Case) -> None:
    for step in case.steps:
        if isinstance(step, Send):
            assert step.data if isinstance(step.data, bytes) else step.data(SCENE)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["F-07/0"], ["F-07/0"]),
        (["f-07"], ["F-07/0", "F-07/1", "F-07/FFFFFFFF", "F-07/80000000", "F-07/9999"]),
        (["R"], ["R-01", "R-02/reset", "R-02/fin", "R-02/abort", "R-03"]),
        (["D-01"], []),
    ],
)
def test_cases_are_chosen_by_id_scenario_and_group(names: list[str], wanted: list[str]) -> None:
    assert [case.id for case in chosen(names)] == wanted


def test_rough_cases_are_chosen_when_asked_for() -> None:
    assert [case.id for case in chosen(["D-01"], rough=True)] == ["D-01"]
    assert len(chosen(rough=True)) == len(CASES)
    with pytest.raises(ValueError, match="no case 'X'"):
        chosen(["X"])


@pytest.mark.parametrize(
    ("pattern", "came", "wanted"),
    [
        ("A-ABORT(2,6)", ["A-ABORT(2,6)"], True),
        ("A-ABORT(2,[456])", ["A-ABORT(2,3)"], False),
        ("A-ABORT(*); closed", ["A-ABORT(0,0)", "reset"], True),
        ("A-ABORT(*)", ["A-ABORT(0,0)", "closed"], False),
        ("A-ASSOCIATE-AC 1=0 3=[1-4]", ["A-ASSOCIATE-AC 1=0 3=3"], True),
        ("A-ASSOCIATE-AC 1=0 3=[1-4]", ["A-ASSOCIATE-AC 1=0 3=0"], False),
        ("served", [], False),
    ],
)
def test_patterns(pattern: str, came: list[str], wanted: bool) -> None:
    assert matches(pattern, came) is wanted


@pytest.mark.parametrize(
    ("came", "verdict"),
    [
        (["closed"], Verdict.CONFORMS),
        (["A-ABORT(0,0)"], Verdict.TOLERATED),
        (["served", "open"], Verdict.NO_ANSWER),
        (["not served", "open"], Verdict.VIOLATES),
        (["A-ABORT(0,0)", "open"], Verdict.VIOLATES),
        ([], Verdict.VIOLATES),
    ],
)
def test_verdicts(came: list[str], verdict: Verdict) -> None:
    case = Case("X-01", "made up", "PS3.8", (), ("closed",), ("A-ABORT(*)",))
    assert judge(case, came) is verdict
    assert verdict.failed is (verdict in (Verdict.VIOLATES, Verdict.NO_ANSWER))


def test_the_request_is_a_right_one() -> None:
    rq = pdu.decode(Request()(SCENE))
    assert isinstance(rq, pdu.AssociateRQ)
    assert (rq.called, rq.calling, rq.application_context) == ("PACS", "ME", pdu.DICOM_APPLICATION_CONTEXT)
    assert [p.id for p in rq.presentation_contexts] == [1, 3, 5, 7, 9]
    assert [p.encode() for p in rq.presentation_contexts] == list(CONTEXTS)
    assert rq.user_item(pdu.MaximumLength) == pdu.MaximumLength(16_384)


def test_a_wrong_request_is_wrong_where_it_is_to_be() -> None:
    assert Request(length=300, first=100)(SCENE) == raw_pdu(0x01, Request()(SCENE)[6:], 300)[:100]
    assert Request(called=b"X", version=2, behind=b"!")(SCENE)[6:26] == b"\0\2\0\0X" + b" " * 15


@pytest.mark.parametrize("encoded", [ECHO_MESSAGE, ECHO_IN_FIVE])
def test_the_echo_is_a_right_one(encoded: bytes) -> None:
    fragments = [f for f in pdu.Reader().feed(encoded) if isinstance(f, pdu.Fragment)]
    command = CommandSet.decode(b"".join(f.data for f in fragments))
    assert command.command_field == CommandField.C_ECHO_RQ
    assert command.missing() == ()
    assert [f.is_last for f in fragments] == [False] * (len(fragments) - 1) + [True]


def test_the_store_is_a_right_one() -> None:
    encoded = Store(9, data_set(9))(SCENE)
    pdvs = [f for f in pdu.Reader().feed(encoded) if isinstance(f, pdu.Fragment)]
    command = CommandSet.decode(pdvs[0].data)
    assert (command.affected_sop_instance_uid, command.missing()) == (instance_uid(9), ())
    assert UID(instance_uid(9)).is_valid
    found = {element.tag: bytes(element.value) for element in elements(bytes(pdvs[1].data), ImplicitVRLittleEndian)}
    assert found[0x00080018].rstrip(b"\0").decode() == instance_uid(9)
    assert list(found) == sorted(found)


def test_large_stimuli_are_what_they_are_said_to_be() -> None:
    assert len(_bomb()) < 250_000
    assert _inflated(_bomb()) > 200 << 20
    assert _nested().count(b"\x40\x00\x30\xa7") == 20_000
    assert sum(1 for _ in elements(_tiny(), ImplicitVRLittleEndian)) == 100_007
    assert too_long(SCENE)[2:6] == (16_385).to_bytes(4, "big")


def _inflated(data: bytes) -> int:
    """How many bytes a deflated stream has, which are not kept; it must end."""
    inflate, size = zlib.decompressobj(wbits=-zlib.MAX_WBITS), 0
    while not inflate.eof:
        size += len(inflate.decompress(data, 1 << 20))
        data = inflate.unconsumed_tail
    return size
