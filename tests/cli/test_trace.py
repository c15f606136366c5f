"""`dimse trace`: a trace file as a timeline, and what is no trace."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dimse
import pdu
from dimse.association.layer import UpperLayer
from dimse.cli.timeline import WRONG, Timeline
from dimse.data.commands import CommandField, CommandSet
from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian, Verification

from .conftest import Run

TIMELINE = Path(__file__).with_name("timeline.txt").read_text(encoding="ascii")
"""What is printed of the trace that `written` makes."""


class Clock:
    """A clock that goes on by a millisecond when it is read."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now


REQUEST = pdu.AssociateRQ(
    "PACS",
    "ME",
    (
        pdu.ApplicationContext(),
        pdu.PresentationContextRQ(1, Verification, (dimse.ExplicitVRLittleEndian, ImplicitVRLittleEndian)),
        pdu.PresentationContextRQ(3, CTImageStorage, (ImplicitVRLittleEndian,)),
        pdu.UserInformation(
            (
                pdu.MaximumLength(131072),
                pdu.ImplementationClassUID("1.2.3"),
                pdu.RoleSelection(CTImageStorage, True, True),
                pdu.ImplementationVersionName("ODD"),
            )
        ),
    ),
)
ANSWER = pdu.AssociateAC(
    "PACS",
    "ME",
    (
        pdu.ApplicationContext(),
        pdu.PresentationContextAC(1, 0, ImplicitVRLittleEndian),
        pdu.PresentationContextAC(3, 3, ImplicitVRLittleEndian),
        pdu.UserInformation((pdu.MaximumLength(16384), pdu.ImplementationClassUID("1.2.4"), pdu.ImplementationVersionName("\x1b[2J"))),
    ),
)
ECHO = CommandSet(CommandField.C_ECHO_RQ, affected_sop_class_uid=Verification, message_id=1, command_data_set_type=0x0101)
REFUSED = CommandSet(
    CommandField.C_ECHO_RSP,
    message_id_being_responded_to=1,
    command_data_set_type=0x0101,
    status=0x0122,
    error_comment="not you",
    offending_element=(0x00000002,),
)


def data(*pdvs: pdu.PDV) -> bytes:
    """A P-DATA-TF."""
    return pdu.PDataTF(pdvs).encode()


def associate(trace: dimse.TraceFile, peer: str = "10.0.0.1:104") -> UpperLayer:
    """A requestor's end that is associated."""
    layer = UpperLayer.requestor(REQUEST, trace=trace)
    layer.connected(peer)
    layer.receive(ANSWER.encode())
    return layer


def written(path: Path) -> Path:
    """A trace of two associations: one goes its way, of the other only a part of a PDU comes."""
    with dimse.TraceFile(path, now=Clock()) as trace:
        layer = associate(trace)
        assert list(layer.send_message(1, ECHO.encode()))
        layer.receive(data(pdu.PDV(1, True, True, REFUSED.encode())))
        other = UpperLayer.acceptor(trace=trace)
        other.connected("10.0.0.2:999")
        other.receive(REQUEST.encode()[:100])
        layer.receive(data(pdu.PDV(1, False, False, b"PHI"), pdu.PDV(1, False, True, b"")))
        layer.receive(pdu.Abort(2, 6).encode())
        other.receive(b"")
        other.receive_eof("Connection reset by peer")
    return path


def test_the_timeline(run: Run, tmp_path: Path) -> None:
    said = run("trace", written(tmp_path / "x"))
    assert (said.code, said.err) == (0, "")
    assert said.out == TIMELINE


def test_only_one_association(run: Run, tmp_path: Path) -> None:
    said = run("trace", "--only", 2, written(tmp_path / "x"))
    assert said.code == 0
    assert [line.split()[1] for line in said.out.splitlines()[:-1]] == ["#2"] * 3
    assert said.out.endswith("1 association, 3 records, 0 violations of the standard\n")
    both = run("trace", "--only", 2, "--only", 1, tmp_path / "x")
    assert both.out == run("trace", tmp_path / "x").out
    assert run("trace", "--only", 9, tmp_path / "x").out == "0 associations, 0 records, 0 violations of the standard\n"
    assert run("trace", "--only", "x", tmp_path / "x").code == 2


BROKEN = {
    "no JSON: Expecting value (character 1)": "once upon a time",
    "no JSON: Expecting ',' delimiter (character 9)": '{"a": 1 2}',
    "no JSON object": "[1]",
    "no record of a trace": '{"a": 1}',
}


@pytest.mark.parametrize(("why", "line"), BROKEN.items())
def test_lines_that_are_none_are_named_and_the_others_shown(run: Run, tmp_path: Path, why: str, line: str) -> None:
    first, *others = written(tmp_path / "x").read_text().splitlines()
    (tmp_path / "x").write_text("\n".join([first, line, "", *others]))
    said = run("trace", tmp_path / "x")
    assert said.code == 1
    assert said.out == TIMELINE
    assert said.err == f"dimse trace: {tmp_path}/x, line 2: {why}\n"


def test_a_file_of_something_else_is_not_told_line_by_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("once\nupon\n" * 500)
    said = run("trace", tmp_path / "x")
    assert said.code == 1
    lines = said.err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == f"dimse trace: {tmp_path}/x: 980 more lines like these; is it a trace?"


@pytest.mark.parametrize("line", ["[" * 100_000, '{"association": ' + "9" * 10_000 + "}", "\0", "\x1b[2J", '{"x": "\udcff"}'])
def test_lines_that_are_monsters(run: Run, tmp_path: Path, line: str) -> None:
    (tmp_path / "x").write_bytes(line.encode("utf-8", "surrogateescape"))
    said = run("trace", tmp_path / "x")
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert len(said.err) < 300


FIELDS = ["time", "association", "role", "peer", "direction", "pdu", "before", "after", "contexts", "user", "pdvs", "violations", "event"]
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3), number=st.integers(0, 12))
def test_whatever_a_file_has_is_shown_or_is_no_record(tmp_path: Path, changes: dict[str, object], number: int) -> None:
    if not (tmp_path / "x").exists():
        written(tmp_path / "x")
    lines = (tmp_path / "x").read_text().splitlines()
    entry = json.loads(lines[number % len(lines)]) | changes
    said: list[str] = []
    timeline = Timeline(said.append)
    try:
        timeline.show(entry)
    except WRONG:
        assert said == []
    assert all(line.isprintable() for line in said)


def test_a_file_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    for name, why in (("missing", "No such file or directory"), (".", "Is a directory")):
        said = run("trace", tmp_path / name)
        assert (said.code, said.out) == (2, "")
        assert said.err == f"dimse trace: cannot read the trace {tmp_path / name}: {why}\n"
    assert run("trace", "a\0b").code == 2
    assert run("trace").code == 2


def test_an_empty_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert run("trace", tmp_path / "x").out == "0 associations, 0 records, 0 violations of the standard\n"


def test_a_pdu_that_is_none_and_violations(run: Run, tmp_path: Path) -> None:
    with dimse.TraceFile(tmp_path / "x", now=Clock()) as trace:
        layer = associate(trace)
        layer.receive(data(pdu.PDV(1, False, False, b"abc")))
        layer.receive(b"HTTP/1.1 400\r\n")
    said = run("trace", tmp_path / "x")
    assert "P-DATA-TF context 1: data set, 3 bytes\n" in said.out
    assert " !! a fragment of 3 bytes, which is odd (PS3.8 E.1)\n" in said.out
    assert "PDU of unknown type 48H that is none: 48H is no PDU type, at byte 0\n" in said.out
    assert said.out.splitlines()[-1].startswith("1 association, ")


def test_what_has_too_many_values_says_how_many(run: Run, tmp_path: Path) -> None:
    with dimse.TraceFile(tmp_path / "x", now=Clock()) as trace:
        associate(trace).receive(data(*[pdu.PDV(1, False, False, b"ab")] * 300))
    assert "and 44 more\n" in run("trace", tmp_path / "x").out


def test_with_data_the_bytes_are_in_the_file_only(run: Run, tmp_path: Path) -> None:
    with dimse.TraceFile(tmp_path / "x", data=True, now=Clock()) as trace:
        associate(trace).receive(data(pdu.PDV(1, True, True, REFUSED.encode())))
    assert "error comment not you" in run("trace", tmp_path / "x").out
    assert REFUSED.encode().hex() in (tmp_path / "x").read_text()


def test_a_timeline_without_an_end_forgets_what_has_ended() -> None:
    lines: list[str] = []
    timeline = Timeline(lines.append)
    head = {"time": "2026-01-01T00:00:00Z", "role": "acceptor", "peer": "h:1", "direction": "event", "event": "x", "before": "Sta2"}
    for number in range(100):
        timeline.show({**head, "association": number, "after": "Sta2"})
        timeline.show({**head, "association": number, "after": "Sta1"})
    assert timeline._names == {}
    assert len(lines) == 200
