"""What a trace says of each kind of record, as plain values for JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pdu
from dimse.association.events import Trace, Traced, TraceRecord
from dimse.association.layer import UpperLayer
from dimse.association.table import State
from dimse.data.commands import CommandField, CommandSet
from dimse.data.datasets import query
from dimse.data.uids import StudyRootFind, Verification
from dimse.tracing.describe import LONGEST_IDENTIFIER, MOST_PDVS, MOST_VIOLATIONS, Description, Json
from tests.association import scenes
from tests.association.scenes import bring, raw_abort, raw_result
from tests.pdu.strategies import chunked, pdus
from tests.vectors import (
    APPLICATION,
    CT,
    IMPLICIT,
    LITTLE_USER,
    MALFORMED,
    VECTORS,
    VERIFICATION,
    raw_associate,
    raw_context,
    raw_field,
    raw_item,
    raw_pdu,
    raw_pdv,
)

ONE = Traced(is_requestor=False)
CONTEXT = raw_context(1, VERIFICATION, IMPLICIT)
STATES = {"before": "Sta6", "after": "Sta6"}


def came(encoded: bytes, before: State = State.STA6, after: State = State.STA6) -> TraceRecord:
    """A record of a whole PDU from the peer."""
    return TraceRecord("in", pdu.decode(encoded), before, after, ONE, encoded)


def went(encoded: bytes) -> TraceRecord:
    """A record of a whole PDU to the peer."""
    return TraceRecord("out", pdu.decode(encoded), State.STA6, State.STA6, ONE, encoded)


def said(encoded: bytes, **states: State) -> Json:
    """What is said of a PDU that came, by a description that knows of nothing before it."""
    return Description().of(came(encoded, **states))


def violations_of(described: Json) -> list[str]:
    """What a description names, with the clauses."""
    found = described.get("violations", [])
    assert isinstance(found, list)
    return [f"{violation['what']} ({violation['clause']})" for violation in found]


def message(command: CommandSet) -> bytes:
    """A command set in one PDU."""
    return raw_pdu(4, raw_pdv(1, 3, command.encode()))


ECHO = CommandSet(CommandField.C_ECHO_RQ, affected_sop_class_uid=Verification, message_id=7, command_data_set_type=0x0101)
FAILED = CommandSet(
    CommandField.C_STORE_RSP,
    message_id_being_responded_to=3,
    command_data_set_type=0x0101,
    status=0xA900,
    error_comment="PHI^TEST",
    offending_element=(0x00100010,),
)


def test_a_request() -> None:
    items = [APPLICATION, CONTEXT, raw_item(0x50, *USER), raw_item(0x77, b"abc")]
    assert said(raw_associate(1, *items), before=State.STA2, after=State.STA3) == {
        "direction": "in",
        "pdu": "A-ASSOCIATE-RQ",
        "length": len(raw_associate(1, *items)) - 6,
        "protocol_version": 1,
        "called": "PACS",
        "calling": "MODALITY",
        "application_context": "1.2.840.10008.3.1.1.1",
        "user": [
            {"item": "maximum length", "value": 16384},
            {"item": "implementation class UID", "uid": "1.2.3.4"},
            {"item": "asynchronous operations window", "invoked": 3, "performed": 1},
            {"item": "role selection", "sop_class": CT, "scu": True, "scp": False},
            {"item": "implementation version name", "name": "ODD_1"},
            {"item": "extended negotiation", "sop_class": CT, "information": "0102"},
            {
                "item": "common extended negotiation",
                "sop_class": CT,
                "service_class": "1.2",
                "related": ("1.3",),
                "version": 0,
                "additional": "",
            },
            {
                "item": "user identity",
                "type": 2,
                "primary_length": 2,
                "secondary_length": 6,
                "positive_response_requested": True,
            },
            {"item": "unknown 5FH", "length": 2},
        ],
        "unknown": [{"item": "unknown 77H", "length": 3}],
        "contexts": [{"id": 1, "abstract_syntax": VERIFICATION, "transfer_syntaxes": [IMPLICIT]}],
        "before": "Sta2",
        "after": "Sta3",
        "violations": [
            {"what": "item 5FH is of no known type: ignored", "clause": "PS3.8 9.3.1"},
            {"what": "item 77H is of no known type: ignored", "clause": "PS3.8 9.3.1"},
        ],
    }


USER = [
    raw_item(0x51, b"\0\0\x40\0"),
    raw_item(0x52, b"1.2.3.4"),
    raw_item(0x53, b"\0\3\0\1"),
    raw_item(0x54, raw_field(CT), b"\1\0"),
    raw_item(0x55, b"ODD_1"),
    raw_item(0x56, raw_field(CT), b"\1\2"),
    raw_item(0x57, raw_field(CT), raw_field("1.2"), raw_field(raw_field("1.3"))),
    raw_item(0x58, b"\2\1", raw_field("me"), raw_field("secret")),
    raw_item(0x5F, b"??"),
]


def test_an_answer_names_the_abstract_syntaxes_of_its_request() -> None:
    description = Description()
    description.of(went(scenes.RQ))
    answer = description.of(came(scenes.AC, State.STA5))
    assert answer["pdu"] == "A-ASSOCIATE-AC"
    assert answer["contexts"] == [
        {"id": 1, "abstract_syntax": VERIFICATION, "result": 0, "words": "accepted", "transfer_syntax": IMPLICIT},
        {"id": 3, "abstract_syntax": CT, "result": 3, "words": "abstract syntax not supported", "transfer_syntax": "1.2.840.10008.1.2.1"},
    ]
    assert "violations" not in answer


def test_an_answer_is_judged_beside_its_request() -> None:
    description = Description()
    description.of(went(scenes.RQ))
    answer = raw_associate(2, APPLICATION, raw_result(1, 0, IMPLICIT), LITTLE_USER, called=b"OTHER")
    assert violations_of(description.of(came(answer, State.STA5))) == [
        "the Called-AE-title field of the request does not come back (PS3.8 9.3.3)",
        "no answer to presentation context 3 (PS3.8 9.3.3.2)",
    ]
    assert violations_of(said(answer, before=State.STA5)) == []  # of an answer to nobody knows what
    response = Description().of(came(raw_associate(2, raw_item(0x50, raw_item(0x59, raw_field("secret")))), State.STA5))
    assert response["user"] == [{"item": "user identity response", "response_length": 6}]


@pytest.mark.parametrize(
    ("encoded", "wanted"),
    [
        (scenes.RJ, {"pdu": "A-ASSOCIATE-RJ", "result": 1, "source": 1, "reason": 1, "words": pdu.rejection_words(1, 1, 1)}),
        (raw_abort(2, 6), {"pdu": "A-ABORT", "source": 2, "reason": 6, "words": pdu.abort_words(2, 6)}),
        (scenes.RELEASE_RQ, {"pdu": "A-RELEASE-RQ"}),
        (scenes.RELEASE_RP, {"pdu": "A-RELEASE-RP"}),
    ],
)
def test_the_short_pdus(encoded: bytes, wanted: Json) -> None:
    assert Description().of(went(encoded)) == {"direction": "out", "length": 4, **wanted, **STATES}


def test_a_command_and_the_fragments_of_a_data_set() -> None:
    command = ECHO.encode()
    described = said(raw_pdu(4, raw_pdv(1, 3, command), raw_pdv(1, 0, b"PHI^"), raw_pdv(1, 2, b"TEST")))
    assert described["pdvs"] == [
        {
            "context": 1,
            "part": "command",
            "length": len(command),
            "last": True,
            "command": {
                "name": "C-ECHO-RQ",
                "affected_sop_class_uid": VERIFICATION,
                "message_id": 7,
                "command_data_set_type": 0x0101,
            },
        },
        {"context": 1, "part": "data set", "length": 4, "last": False},
        {"context": 1, "part": "data set", "length": 4, "last": True},
    ]
    assert "PHI" not in json.dumps(described)


def test_a_command_in_fragments_is_told_with_its_last() -> None:
    description, command = Description(), ECHO.encode()
    first = description.of(came(raw_pdu(4, raw_pdv(1, 1, command[:10]))))
    assert first["pdvs"] == [{"context": 1, "part": "command", "length": 10, "last": False}]
    description.of(went(message(FAILED)))  # the other direction has its own
    assert "C-ECHO-RQ" in json.dumps(description.of(came(raw_pdu(4, raw_pdv(1, 3, command[10:])))))
    assert "C-ECHO-RQ" in json.dumps(description.of(came(message(ECHO))))


def test_a_failure_in_words_without_its_comment() -> None:
    described = Description().of(went(message(FAILED)))
    assert isinstance(described["pdvs"], list)
    assert described["pdvs"][0]["command"] == {
        "name": "C-STORE-RSP",
        "message_id_being_responded_to": 3,
        "command_data_set_type": 0x0101,
        "status": 0xA900,
        "status_words": "A900H Error: data set does not match SOP class",
        "offending_element": ["(0010,0010)"],
        "error_comment_length": 8,
    }
    assert "PHI^TEST" in json.dumps(Description(data=True).of(went(message(FAILED))))


def test_a_uid_that_is_none_is_not_told() -> None:
    command = CommandSet(CommandField.C_STORE_RQ, message_id=1, affected_sop_instance_uid="PHI^TEST")
    described = json.dumps(Description().of(went(message(command))))
    assert "PHI" not in described
    assert '"affected_sop_instance_uid_length": 8' in described


def test_elements_that_no_command_has_are_named_and_not_told() -> None:
    encoded = ECHO.encode() + bytes.fromhex("0000 0050 08000000") + b"PHI^TEST"
    described = said(raw_pdu(4, raw_pdv(1, 3, encoded)))
    assert "(0000,5000)" in json.dumps(described["pdvs"])
    assert "PHI" not in json.dumps(described)
    assert "(0000,5000) is in no command dictionary (PS3.7 E.1)" in violations_of(described)


def test_a_command_that_cannot_be_read() -> None:
    described = said(raw_pdu(4, raw_pdv(1, 3, b"\0\0\1")))
    assert described["pdvs"] == [{"context": 1, "part": "command", "length": 3, "last": True}]
    assert any("the command set cannot be read" in violation for violation in violations_of(described))


def test_a_command_without_an_end_is_not_kept_without_one() -> None:
    description, piece = Description(), raw_pdu(4, raw_pdv(1, 1, bytes(100_000)))
    for _ in range(30):
        description.of(came(piece))
    assert sum(map(len, description._commands.values())) < 1_300_000


@pytest.mark.parametrize(
    ("encoded", "before", "wanted"),
    [
        (
            raw_associate(1, APPLICATION, CONTEXT, LITTLE_USER, calling=b"ME".ljust(16, b"\0")),
            State.STA2,
            "Calling-AE-title is padded with NUL instead of spaces (PS3.8 9.3.2)",
        ),
        (
            raw_associate(1, APPLICATION, raw_context(1, VERIFICATION + "\0", IMPLICIT), LITTLE_USER),
            State.STA2,
            "Abstract-syntax-name of presentation context 1 is padded with NUL (PS3.8 F.1)",
        ),
        (raw_associate(1, APPLICATION, CONTEXT, raw_item(0x50)), State.STA2, "the maximum length is missing (PS3.8 D.1)"),
        (b"\x05\x01" + scenes.RELEASE_RQ[2:], State.STA6, "reserved: byte 2 of the PDU is 01H, not zero (PS3.8 9.3.6)"),
        (raw_pdu(4, raw_pdv(1, 2, b"abc")), State.STA6, "a fragment of 3 bytes, which is odd (PS3.8 E.1)"),
        (
            raw_pdu(4, raw_pdv(1, 3, ECHO.encode()[12:])),
            State.STA6,
            "Command Group Length (0000,0000) is missing in front (PS3.7 6.3.1)",
        ),
        (scenes.RELEASE_RP, State.STA6, "A-RELEASE-RP is not expected in Sta6 (PS3.8 Table 9-10)"),
        (scenes.RQ, State.STA6, "A-ASSOCIATE-RQ is not expected in Sta6 (PS3.8 Table 9-10)"),
        (scenes.DATA, State.STA2, "P-DATA-TF is not expected in Sta2 (PS3.8 Table 9-10)"),
    ],
)
def test_violations_are_named_with_their_clauses(encoded: bytes, before: State, wanted: str) -> None:
    assert wanted in violations_of(said(encoded, before=before))
    assert "violations" not in Description().of(went(encoded))  # they are the peer's


FIND = CommandSet(CommandField.C_FIND_RQ, affected_sop_class_uid=StudyRootFind, message_id=7, command_data_set_type=0, priority=0)
WILD = query("STUDY", StudyDate="*").encoded
WILD_DATE = "the key (0008,0020) is a wild card, which a DA has none of (PS3.4 C.2.2.2.4)"


@pytest.mark.parametrize(
    ("command", "fragments", "wanted"),
    [
        (FIND, [WILD], [WILD_DATE]),
        (FIND, [WILD[:10], WILD[10:]], [WILD_DATE]),
        (FIND, [query("STUDY", StudyDate="").encoded], []),
        (FIND, [bytes(LONGEST_IDENTIFIER), WILD, WILD], []),
        (FAILED, [WILD], []),
    ],
)
def test_a_wild_card_in_the_date_of_a_query_is_named(command: CommandSet, fragments: Sequence[bytes], wanted: list[str]) -> None:
    description, found = Description(), []
    description.of(came(scenes.RQ))
    description.of(went(raw_associate(2, APPLICATION, raw_result(1, 0, IMPLICIT), LITTLE_USER)))
    description.of(came(message(command)))
    for number, fragment in enumerate(fragments, 1):
        found += violations_of(description.of(came(raw_pdu(4, raw_pdv(1, 2 * (number == len(fragments)), fragment)))))
    assert found == wanted
    assert violations_of(description.of(came(raw_pdu(4, raw_pdv(1, 2, WILD))))) == []  # of no query
    alone = Description()
    alone.of(came(message(FIND)))
    assert violations_of(alone.of(came(raw_pdu(4, raw_pdv(1, 2, WILD))))) == []  # in no known transfer syntax


def test_what_comes_while_the_end_is_awaited_is_no_violation() -> None:
    assert violations_of(said(scenes.RELEASE_RQ, before=State.STA13)) == []


def test_what_is_no_pdu() -> None:
    error = pdu.PDUError("48H is no PDU type", 0, pdu.AbortReason.UNRECOGNIZED_PDU, "PS3.8 9.3.1")
    assert Description().of(TraceRecord("in", error, State.STA6, State.STA13, ONE, b"HTTP/1.1")) == {
        "direction": "in",
        "pdu": "PDU of unknown type 48H",
        "error": "48H is no PDU type",
        "clause": "PS3.8 9.3.1",
        "offset": 0,
        "abort_reason": 1,
        "before": "Sta6",
        "after": "Sta13",
        "violations": [{"what": "48H is no PDU type", "clause": "PS3.8 9.3.1"}],
    }
    assert Description().of(TraceRecord("in", error, State.STA6, State.STA13, ONE))["pdu"] == "PDU"


def test_events_and_parts_of_pdus_are_words() -> None:
    part = TraceRecord("in", "P-DATA-TF, not complete: 3 bytes of its header came", State.STA6, State.STA6, ONE, b"\4\0\0")
    assert Description().of(part) == {"direction": "in", "event": "P-DATA-TF, not complete: 3 bytes of its header came", **STATES}
    assert Description(data=True).of(part)["bytes"] == "040000"
    event = TraceRecord("event", "user: A-RELEASE request", State.STA6, State.STA7, ONE)
    assert Description(data=True).of(event) == {
        "direction": "event",
        "event": "user: A-RELEASE request",
        "before": "Sta6",
        "after": "Sta7",
    }


def test_with_data_it_has_the_bytes() -> None:
    encoded = raw_pdu(4, raw_pdv(1, 2, b"PHI^TEST"))
    assert Description(data=True).of(came(encoded))["bytes"] == encoded.hex()
    assert "bytes" not in said(encoded)


def test_a_pdu_of_thousands_of_wrong_values_has_a_short_record() -> None:
    described = said(raw_pdu(4, *(raw_pdv(n % 256, 0xF0 | n % 16, b"x") for n in range(20_000))))
    assert isinstance(described["pdvs"], list)
    assert (len(described["pdvs"]), described["more_pdvs"]) == (MOST_PDVS, 20_000 - MOST_PDVS)
    assert len(violations_of(described)) == MOST_VIOLATIONS
    assert len(json.dumps(described)) < 65_536


def test_the_same_violation_is_named_once() -> None:
    assert violations_of(said(raw_pdu(4, *[raw_pdv(1, 0, b"abc")] * 5))) == ["a fragment of 3 bytes, which is odd (PS3.8 E.1)"]


# Nothing that a peer sends breaks a trace


def plain(records: Sequence[TraceRecord]) -> str:
    """The descriptions of an association as JSON, with and without data."""
    described = [[description.of(record) for record in records] for description in (Description(), Description(data=True))]
    return json.dumps(described, allow_nan=False)


@pytest.mark.parametrize("vector", [*VECTORS, *MALFORMED], ids=lambda vector: vector.name)
def test_every_vector_in_every_state_has_a_description(vector: object) -> None:
    encoded: bytes = vector.data  # type: ignore[attr-defined]  # two kinds of rows, which both have bytes
    for is_requestor, states in ((True, (5, 6, 7, 13)), (False, (2, 3, 6, 8, 13))):
        for state in states:
            trace: list[TraceRecord] = []
            bring(state, is_requestor=is_requestor, trace=trace.append).receive(encoded)
            assert plain(trace).isascii()


@settings(deadline=None)
@given(pdus)
def test_any_pdu_has_a_description(value: pdu.PDU) -> None:
    assert plain([came(value.encode()), went(value.encode())])


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=200), st.sampled_from([scenes.RQ, scenes.DATA, scenes.ABORT, message(ECHO)])), max_size=5),
    st.data(),
)
def test_any_bytes_have_a_description(parts: list[bytes], data: st.DataObject) -> None:
    trace: list[TraceRecord] = []
    layer = _acceptor(trace.append)
    for chunk in data.draw(chunked(b"".join(parts))):
        layer.receive(chunk)
    layer.receive_eof("reset")
    assert plain(trace)


def _acceptor(trace: Trace) -> UpperLayer:
    return bring(6, is_requestor=False, trace=trace)
