"""The trace: what passed, in which direction, between which states."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

import pdu
from dimse.association import UpperLayer
from dimse.association.events import TraceRecord
from dimse.association.witness import pdu_name
from tests.association import scenes
from tests.association.scenes import (
    AC,
    DATA,
    RELEASE_RP,
    RELEASE_RQ,
    RQ,
    STREAM,
    UNKNOWN,
    bring,
    feed,
)
from tests.pdu.strategies import chunked
from tests.vectors import raw_pdu, raw_pdv

# Trace


def test_trace_of_an_association() -> None:
    trace: list[TraceRecord] = []
    layer = UpperLayer.acceptor(trace=trace.append)
    layer.connected()
    layer.receive(RQ)
    scenes.accept(layer)
    layer.receive(DATA)
    assert list(layer.send_message(1, b"answer"))
    layer.receive(RELEASE_RQ)
    layer.respond_release()
    layer.receive_eof()
    data = pdu.PDataTF((pdu.PDV(1, True, True, b"abcd"),))
    given = pdu.PDataTF((pdu.PDV(1, True, True, b"answer"),))
    assert [(record.direction, record.what, int(record.before), int(record.after)) for record in trace] == [
        ("event", "transport: connection accepted", 1, 2),
        ("in", scenes.REQUEST, 2, 3),
        ("event", "user: A-ASSOCIATE response, accept", 3, 6),
        ("out", scenes.ACCEPTANCE, 3, 6),
        ("in", data, 6, 6),
        ("out", given, 6, 6),
        ("in", pdu.ReleaseRQ(), 6, 8),
        ("event", "user: A-RELEASE response", 8, 13),
        ("out", pdu.ReleaseRP(), 8, 13),
        ("event", "transport: connection closed", 13, 1),
    ]


def test_trace_of_a_requestor() -> None:
    trace: list[TraceRecord] = []
    layer = UpperLayer.requestor(scenes.REQUEST, trace=trace.append)
    layer.connected()
    layer.receive(AC)
    layer.release()
    layer.receive(RELEASE_RP)
    assert [(record.direction, record.what, int(record.before), int(record.after)) for record in trace] == [
        ("event", "user: A-ASSOCIATE request", 1, 4),
        ("event", "transport: connection opened", 4, 5),
        ("out", scenes.REQUEST, 4, 5),
        ("in", scenes.ACCEPTANCE, 5, 6),
        ("event", "user: A-RELEASE request", 6, 7),
        ("out", pdu.ReleaseRQ(), 6, 7),
        ("in", pdu.ReleaseRP(), 7, 1),
    ]


def test_trace_names_the_violation() -> None:
    trace: list[TraceRecord] = []
    layer = bring(6, is_requestor=True, trace=trace.append)
    trace.clear()
    layer.receive(UNKNOWN)
    wrong, abort = trace
    assert wrong.direction == "in"
    assert "09H is no PDU type" in str(wrong.what)
    assert (abort.direction, abort.what) == ("out", pdu.Abort(2, 1))


@settings(deadline=None)
@given(st.data())
def test_trace_changes_nothing(data: st.DataObject) -> None:
    chunks = data.draw(chunked(STREAM))
    traced = bring(5, is_requestor=True, trace=lambda record: None)
    assert feed(traced, chunks) == feed(bring(5, is_requestor=True), chunks)


def records(trace: list[TraceRecord]) -> list[tuple[str, str, int, int]]:
    """The records, each PDU by the name of its class."""
    return [(r.direction, r.what if isinstance(r.what, str) else type(r.what).__name__, int(r.before), int(r.after)) for r in trace]


@given(st.data())
@settings(deadline=None)
def test_the_trace_is_of_whole_pdus_however_they_come(data: st.DataObject) -> None:
    whole: list[TraceRecord] = []
    feed(bring(5, is_requestor=True, trace=whole.append), [STREAM])
    cut: list[TraceRecord] = []
    feed(bring(5, is_requestor=True, trace=cut.append), data.draw(chunked(STREAM)))
    assert [(r.what, r.encoded) for r in cut] == [(r.what, r.encoded) for r in whole]
    assert b"".join(r.encoded for r in whole if r.direction == "in") == STREAM


def test_the_bytes_that_were_received_and_sent_are_in_the_trace() -> None:
    trace: list[TraceRecord] = []
    layer = bring(6, is_requestor=True, trace=trace.append)
    trace.clear()
    data = bytes(range(256)) * 500
    sent = b"".join(map(bytes, layer.send_message(1, b"command!", len(data), scenes.source_of(data))))
    assert b"".join(record.encoded for record in trace) == sent
    assert {record.direction for record in trace} == {"out"}
    pdvs = [pdv for record in trace if isinstance(record.what, pdu.PDataTF) for pdv in record.what.pdvs]
    assert [pdv.data for pdv in pdvs if pdv.is_command] == [b"command!"]
    assert b"".join(pdv.data for pdv in pdvs if not pdv.is_command) == data
    assert len(pdvs) > 3
    assert [pdv.is_last for pdv in pdvs[1:]] == [False] * (len(pdvs) - 2) + [True]


def test_all_records_of_one_end_name_the_same_association() -> None:
    trace: list[TraceRecord] = []
    ends = [UpperLayer.requestor(scenes.REQUEST, trace=trace.append), UpperLayer.acceptor(trace=trace.append)]
    for number, end in enumerate(ends):
        end.connected(f"host:{number}")
    of = {id(record.association): record.association for record in trace}
    assert [(traced.is_requestor, traced.peer) for traced in of.values()] == [(True, "host:0"), (False, "host:1")]


def test_a_request_that_stops_half_way() -> None:
    trace: list[TraceRecord] = []
    layer = bring(2, is_requestor=False, trace=trace.append)
    trace.clear()
    layer.receive(scenes.RQ[:4])
    layer.receive(scenes.RQ[4:40])
    assert trace == []
    due = layer.deadline(0.0)
    assert due is not None
    layer.timeout(due)
    part = f"A-ASSOCIATE-RQ, not complete: 40 bytes of {len(scenes.RQ)} bytes came"
    assert records(trace) == [("in", part, 2, 2), ("event", "ARTIM timer expired: the wait 'artim' passed after 30 s", 2, 1)]
    assert trace[0].encoded == scenes.RQ[:40]


def test_a_header_that_stops_half_way() -> None:
    trace: list[TraceRecord] = []
    layer = bring(6, is_requestor=True, trace=trace.append)
    trace.clear()
    layer.receive(DATA[:3])
    layer.abort("enough")
    layer.receive_eof()
    assert records(trace) == [
        ("in", "P-DATA-TF, not complete: 3 bytes of its header came", 6, 6),
        ("event", "user: A-ABORT request: enough", 6, 13),
        ("out", "Abort", 6, 13),
        ("event", "transport: connection closed", 13, 1),
    ]


def test_data_where_none_may_come_stand_before_what_comes_of_them() -> None:
    trace: list[TraceRecord] = []
    layer = bring(5, is_requestor=True, trace=trace.append)
    trace.clear()
    layer.receive(DATA[:-1])
    assert records(trace) == [
        ("in", f"P-DATA-TF, not complete: {len(DATA) - 1} bytes of {len(DATA)} bytes came", 5, 13),
        ("out", "Abort", 5, 13),
    ]
    layer.receive(DATA[-1:] + DATA)
    assert records(trace)[2:] == [("in", "PDataTF", 13, 13)] * 2


def test_a_context_that_was_not_accepted() -> None:
    trace: list[TraceRecord] = []
    layer = bring(6, is_requestor=True, trace=trace.append)
    trace.clear()
    layer.receive(raw_pdu(4, raw_pdv(1, 3, b"ab"), raw_pdv(9, 3, b"ab")) + DATA)
    assert records(trace) == [("in", "PDUError", 6, 13), ("out", "Abort", 6, 13)]
    assert layer.receive(DATA) == []


def test_names_of_pdus() -> None:
    assert [pdu_name(bytes((kind,))) for kind in (1, 4, 7, 0x47)] == ["A-ASSOCIATE-RQ", "P-DATA-TF", "A-ABORT", "PDU of unknown type 47H"]


def test_why_a_connection_ended_is_told() -> None:
    trace: list[TraceRecord] = []
    layer = bring(4, is_requestor=True, trace=trace.append)
    trace.clear()
    layer.receive_eof("Connection refused")
    assert records(trace) == [("event", "transport: connection closed: Connection refused", 4, 1)]
