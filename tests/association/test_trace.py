"""The trace: what passed, in which direction, between which states."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

import pdu
from dimse.association import UpperLayer
from dimse.association.events import (
    TraceRecord,
)
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

# Trace


def test_trace_of_an_association() -> None:
    trace: list[TraceRecord] = []
    layer = UpperLayer.acceptor(trace=trace.append)
    layer.connected()
    layer.receive(RQ)
    scenes.accept(layer)
    layer.receive(DATA)
    layer.send_message(1, b"answer")
    layer.receive(RELEASE_RQ)
    layer.respond_release()
    layer.receive_eof()
    data = pdu.Fragment(1, True, True, memoryview(b"abcd"))
    given = pdu.Fragment(1, True, True, memoryview(b"answer"))
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
