"""`TraceFile`: lines with times and numbers, a file that is its owner's alone, and a disk that is full."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import dimse
from dimse.association.events import Traced, TraceRecord
from dimse.association.table import State
from dimse.tracing import Lines, TraceFile
from tests.association import scenes
from tests.association.scenes import bring

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    """A clock that goes on by a millisecond when it is read."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now


def event(words: str = "something", association: Traced | None = None) -> TraceRecord:
    """A record of something."""
    return TraceRecord("event", words, State.STA6, State.STA6, association or Traced(True))


def records(path: Path) -> list[dict[str, object]]:
    """The lines of a trace."""
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def test_each_line_has_time_association_role_and_peer(tmp_path: Path) -> None:
    one, other = Traced(is_requestor=True), Traced(is_requestor=False)
    one.peer = "pacs:104"
    with TraceFile(tmp_path / "x", now=Clock()) as trace:
        for association in (one, other, one):
            trace(event("something", association))
    rest = {"direction": "event", "event": "something", "before": "Sta6", "after": "Sta6"}
    assert records(tmp_path / "x") == [
        {"time": "2026-01-02T03:04:05.001000Z", "association": 1, "role": "requestor", "peer": "pacs:104", **rest},
        {"time": "2026-01-02T03:04:05.002000Z", "association": 2, "role": "acceptor", "peer": "", **rest},
        {"time": "2026-01-02T03:04:05.003000Z", "association": 1, "role": "requestor", "peer": "pacs:104", **rest},
    ]


def test_times_are_universal_whatever_the_clock_shows(tmp_path: Path) -> None:
    with TraceFile(tmp_path / "x", now=Clock(START.astimezone(timezone(timedelta(hours=9))))) as trace:
        trace(event())
    assert records(tmp_path / "x")[0]["time"] == "2026-01-02T03:04:05.001000Z"


def test_the_clock_of_the_wall_unless_given(tmp_path: Path) -> None:
    with TraceFile(tmp_path / "x") as trace:
        trace(event())
    assert datetime.fromisoformat(str(records(tmp_path / "x")[0]["time"])).tzinfo is not None


def test_an_association_from_end_to_end(tmp_path: Path) -> None:
    with dimse.TraceFile(tmp_path / "x", now=Clock()) as trace:
        layer = bring(6, is_requestor=False, trace=trace)
        layer.receive(scenes.DATA)
        layer.receive(scenes.RELEASE_RQ)
        layer.respond_release()
    told = [(line["direction"], line.get("pdu", line.get("event")), line["before"], line["after"]) for line in records(tmp_path / "x")]
    assert told == [
        ("event", "transport: connection accepted", "Sta1", "Sta2"),
        ("in", "A-ASSOCIATE-RQ", "Sta2", "Sta3"),
        ("event", "user: A-ASSOCIATE response, accept", "Sta3", "Sta6"),
        ("out", "A-ASSOCIATE-AC", "Sta3", "Sta6"),
        ("in", "P-DATA-TF", "Sta6", "Sta6"),
        ("in", "A-RELEASE-RQ", "Sta6", "Sta8"),
        ("event", "user: A-RELEASE response", "Sta8", "Sta13"),
        ("out", "A-RELEASE-RP", "Sta8", "Sta13"),
    ]


def test_each_line_is_there_as_soon_as_it_is_told(tmp_path: Path) -> None:
    """What ends a program is what one wants to read of."""
    with TraceFile(tmp_path / "x") as trace:
        trace(event())
        assert len(records(tmp_path / "x")) == 1


def test_lines_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    with TraceFile(tmp_path / "x") as trace:

        def tell() -> None:
            association = Traced(True)
            together.wait(10)
            for number in range(100):
                trace(event(f"{number} {'x' * 500}", association))

        threads = [threading.Thread(target=tell) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    told = records(tmp_path / "x")
    for association in range(1, 9):
        numbers = [str(line["event"]).split()[0] for line in told if line["association"] == association]
        assert numbers == [str(n) for n in range(100)]


def test_it_may_be_closed_while_others_write(tmp_path: Path) -> None:
    trace, begun = TraceFile(tmp_path / "x"), threading.Event()
    failed: list[BaseException] = []

    def tell() -> None:
        try:
            for _ in range(2000):
                trace(event())
                begun.set()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=tell)
    thread.start()
    assert begun.wait(10)
    trace.close()
    thread.join(10)
    assert (failed, trace.error) == ([], None)
    assert len(records(tmp_path / "x")) > 0


def test_what_comes_behind_the_end_is_not_written(tmp_path: Path) -> None:
    trace = TraceFile(tmp_path / "x")
    trace.close()
    trace(event())
    trace._line({})  # of a thread that was on its way
    trace.close()
    assert (tmp_path / "x").read_bytes() == b""


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777], ids=oct)
def test_only_its_owner_may_read_it(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        TraceFile(tmp_path / "x").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) & 0o077 == 0


def test_a_file_that_is_there_is_replaced_and_nobody_reads_on_in_it(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    (tmp_path / "x").chmod(0o666)
    with (tmp_path / "x").open() as reader:
        with TraceFile(tmp_path / "x") as trace:
            trace(event())
        assert reader.read() == "old"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    assert len(records(tmp_path / "x")) == 1


def test_a_link_leads_to_a_file_that_is_private_too(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "target").chmod(0o666)
    (tmp_path / "x").symlink_to("target")
    with TraceFile(tmp_path / "x") as trace:
        trace(event())
    assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o600
    assert len(records(tmp_path / "target")) == 1


def test_a_pipe_stays_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x", 0o644)
    reader = os.open(tmp_path / "x", os.O_RDONLY | os.O_NONBLOCK)
    with TraceFile(tmp_path / "x") as trace:
        trace(event())
        assert json.loads(os.read(reader, 4096))["event"] == "something"
    os.close(reader)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o644


@pytest.mark.parametrize("name", ["missing/x", "."])
def test_a_file_that_cannot_be_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=r"No such file|Is a directory"):
        TraceFile(tmp_path / name)


class Full(io.StringIO):
    """A file on a disk without room for more than so many lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.lines = lines

    def flush(self) -> None:
        self.lines -= 1
        if self.lines < 0:
            raise OSError(errno.ENOSPC, "No space left on device")


def fill(trace: TraceFile, lines: int) -> Full:
    """The trace's disk has room for so many lines."""
    assert trace._file is not None
    trace._file.close()
    trace._file = full = Full(lines)
    return full


def test_a_full_disk_ends_the_trace_and_not_the_association(tmp_path: Path) -> None:
    said: list[OSError] = []
    trace = TraceFile(tmp_path / "x", failed=said.append)
    full = fill(trace, 2)
    layer = bring(6, is_requestor=False, trace=trace)
    assert layer.receive(scenes.RELEASE_RQ)
    assert [error.errno for error in said] == [errno.ENOSPC]
    assert trace.error is said[0]
    assert full.closed
    trace.close()


def test_a_full_disk_is_in_the_attribute_for_whoever_asks(tmp_path: Path) -> None:
    with TraceFile(tmp_path / "x") as trace:
        fill(trace, 0)
        trace(event())
        trace(event())
    assert trace.error is not None


def test_lines_go_to_any_function() -> None:
    lines: list[dict[str, object]] = []
    tell = Lines(lines.append, now=Clock())
    tell(event("one"))
    assert lines[0]["event"] == "one"


def test_associations_that_are_gone_are_not_remembered() -> None:
    tell = Lines(lambda line: None)
    for _ in range(100):
        tell(event())
    assert len(tell._known) <= 1
