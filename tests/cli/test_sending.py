"""`dimse send -j N`: several associations at once that share the files, and what becomes of all when one of them ends."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from queue import SimpleQueue

import pytest

import dimse
from dimse.association.config import Limits
from dimse.association.negotiation import Context
from dimse.cli.failures import NO_ASSOCIATION, Failure, OutputClosed
from dimse.cli.output import Output
from dimse.cli.peer import Target
from dimse.cli.sending import _Work
from dimse.data.sources import FileReading
from dimse.data.uids import CTImageStorage

from .conftest import HOST, Run, Said, write_instance
from .test_send import Aborting

Start = Callable[..., int]
PATIENCE = 30
"""Seconds after which what does not come will not."""


class Together:
    """A provider that answers nothing before so many associations have sent something; counts the SOP Instance UIDs."""

    def __init__(self, count: int, action: Callable[[], None] | None = None) -> None:
        self.kept: list[str] = []
        self._meeting = threading.Barrier(count, action, PATIENCE)
        self._met = threading.local()

    def __call__(self, request: dimse.Request, data: dimse.DataSet) -> None:
        if not hasattr(self._met, "yet"):  # the blocking server has a thread for each association
            self._met.yet = True
            self._meeting.wait()
        self.kept.append(request.command.affected_sop_instance_uid or "")


def write(folder: Path, count: int) -> list[str]:
    """So many small instances; their UIDs in the order in which they are sent."""
    uids = [f"1.2.{100 + number}" for number in range(count)]
    for uid in uids:
        write_instance(folder / uid, uid)
    return uids


def outcomes(said: Said) -> Counter[tuple[object, object]]:
    """How often was told what of which instance."""
    return Counter((result["sop_instance_uid"], result["result"]) for result in said.results[:-1])


@pytest.mark.parametrize("operations", ["1", "0", "64"])
def test_every_file_arrives_once(operations: str, run: Run, serving: Start, tmp_path: Path) -> None:
    uids = write(tmp_path, 60)  # the window that is granted is 16: three associations cannot have taken all
    provider = Together(4)
    said = run("send", "-j", "4", "-v", "--json", "--operations", operations, HOST, serving(dimse.Services(store=provider)), tmp_path)
    assert said.code == 0
    assert sorted(provider.kept) == uids
    assert outcomes(said) == Counter((uid, "sent") for uid in uids)
    assert (said.results[-1]["sent"], said.results[-1]["left"]) == (60, 0)
    lines = said.err.splitlines()
    assert sum(line.startswith("associated with ") for line in lines) == 4
    assert sorted(line for line in lines if line.startswith("sent: ")) == [f"sent: {tmp_path / uid}: 0000H Success" for uid in uids]


def test_more_associations_than_files(run: Run, serving: Start, tmp_path: Path) -> None:
    uids = write(tmp_path, 3)
    provider = Together(1)
    said = run("send", "--associations", "64", "-v", "--operations", "1", HOST, serving(dimse.Services(store=provider)), tmp_path)
    assert (said.code, sorted(provider.kept)) == (0, uids)
    assert said.err.count("associated with ") == 3


def test_refused_contexts_are_told_once(run: Run, serving: Start, tmp_path: Path) -> None:
    uids = write(tmp_path, 8)
    for number in (1, 2):
        write_instance(tmp_path / f"private{number}", f"1.2.{number}", sop_class="1.2.3.4")
    provider = Together(2)
    said = run("send", "-j", "2", "--json", "--operations", "1", HOST, serving(dimse.Services(store=provider)), tmp_path)
    assert said.code == 1
    assert sorted(provider.kept) == uids
    assert said.err.count("refused: 1.2.3.4 in Explicit VR Little Endian: ") == 1
    assert outcomes(said) == Counter([*((uid, "sent") for uid in uids), ("1.2.1", "failed"), ("1.2.2", "failed")])


def test_more_contexts_than_one_association_carries(run: Run, serving: Start, tmp_path: Path) -> None:
    provider = Together(1)
    port = serving(dimse.Services(store=provider), any_storage=True)
    for number in range(70):  # two contexts each
        write_instance(tmp_path / f"{number:02}", f"1.2.{100 + number}", sop_class=f"{CTImageStorage}.{number + 900}")
    said = run("send", "-j", "3", "--json", HOST, port, tmp_path)
    assert said.code == 0
    assert len(provider.kept) == len(outcomes(said)) == 70


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("operations", ["1", "64"])
def test_an_association_that_ends_early_loses_one_file(operations: str, run: Run, serving: Start, tmp_path: Path) -> None:
    uids = write(tmp_path, 60)
    provider = Aborting(uids[1], uids[33])
    said = run("send", "-j", "4", "--json", "--operations", operations, HOST, serving(dimse.Services(store=provider)), tmp_path)
    provider.join()
    assert said.code == 4
    failed = {uids[1], uids[33]}
    assert set(provider.kept) == set(uids) - failed
    assert outcomes(said) == Counter((uid, "failed" if uid in failed else "sent") for uid in uids)
    assert (said.results[-1]["sent"], said.results[-1]["failed"], said.results[-1]["left"]) == (58, 2, 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_association_that_ends_early_when_the_others_have_gone(
    run: Run, serving: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uids = write(tmp_path, 4)
    has_gone, numbers = threading.Event(), count()
    provider = Aborting(*uids)
    finish = _Work.finish

    def finishing(work: _Work) -> None:
        finish(work)
        has_gone.set()

    def store(request: dimse.Request, data: dimse.DataSet) -> None:
        if next(numbers) == 3:
            assert has_gone.wait(PATIENCE)
            provider(request, data)

    monkeypatch.setattr(_Work, "finish", finishing)
    port = serving(dimse.Services(store=store))
    said = run("send", "-j", "2", "--json", "--operations", "1", HOST, port, tmp_path)
    provider.join()
    assert said.code == 4
    assert (said.results[-1]["sent"], said.results[-1]["failed"], said.results[-1]["left"]) == (3, 1, 0)
    (ended, *_) = [line for line in said.err.splitlines() if line.startswith("dimse send: ")]
    assert ended.startswith("dimse send: the association with ")
    assert "go on" not in said.err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_peer_that_answers_nothing_is_given_up(run: Run, serving: Start, tmp_path: Path) -> None:
    uids = write(tmp_path, 20)
    provider = Aborting(*uids)
    said = run("send", "-j", "2", "--json", "--operations", "1", HOST, serving(dimse.Services(store=provider)), tmp_path)
    provider.join()
    assert said.code == 4
    summary = said.results[-1]
    assert summary["sent"] == 0
    assert summary["failed"] in (3, 4)  # three ends in a row, and what the other has under way by then
    assert sum(outcomes(said).values()) == summary["failed"]
    assert said.err.splitlines()[-1].startswith("dimse send: the association with ")


def test_a_peer_that_takes_one_association(run: Run, serving: Start, tmp_path: Path) -> None:
    uids = write(tmp_path, 5)
    rejected = threading.Semaphore(0)
    kept: list[str] = []

    def store(request: dimse.Request, data: dimse.DataSet) -> None:
        if not kept:
            assert rejected.acquire(timeout=PATIENCE)
            assert rejected.acquire(timeout=PATIENCE)
        kept.append(request.command.affected_sop_instance_uid or "")

    def report(report: dimse.Report) -> None:
        if "local limit exceeded" in report.ended:
            rejected.release()

    port = serving(dimse.Services(store=store), limits=Limits(associations=1), report=report)
    said = run("send", "-j", "3", "--operations", "1", HOST, port, tmp_path)
    assert (said.code, sorted(kept)) == (0, uids)
    assert said.out.startswith("5 sent, 0 failed, 0 skipped: ")
    (note,) = said.err.splitlines()
    assert note.startswith(f"dimse send: no association with ANY-SCP at {HOST}:{port}: ")
    assert "local limit exceeded" in note
    assert note.endswith("; the other associations go on")


def test_no_association_at_all(run: Run, tmp_path: Path) -> None:
    write(tmp_path, 5)
    said = run("send", "-j", "4", HOST, 1, tmp_path)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith(f"dimse send: no association with ANY-SCP at {HOST}:1: ")
    assert said.err.count("\n") == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_is_given_back_when_the_others_have_gone(run: Run, serving: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first association has the second file open when it ends with the first, and the peer takes it no more."""
    uids = write(tmp_path, 5)
    is_open, has_gone, connections = threading.Event(), threading.Event(), list[int]()
    provider = Aborting(uids[0])
    connect, reading = Target.connect, FileReading.__init__

    def connecting(target: Target, contexts: Sequence[Context | str], out: Output) -> dimse.Association:
        connections.append(0)
        if len(connections) == 2:
            assert is_open.wait(PATIENCE)
        if len(connections) == 3:
            raise Failure(NO_ASSOCIATION, "not again")
        return connect(target, contexts, out)

    def opening(self: FileReading, source: dimse.FileSource) -> None:
        reading(self, source)
        if source.sop_instance_uid == uids[1]:
            is_open.set()

    def store(request: dimse.Request, data: dimse.DataSet) -> None:
        if request.command.affected_sop_instance_uid == uids[0]:
            assert has_gone.wait(PATIENCE)
        provider(request, data)

    monkeypatch.setattr(Target, "connect", connecting)
    monkeypatch.setattr(FileReading, "__init__", opening)
    port = serving(dimse.Services(store=store), report=lambda report: has_gone.set())
    said = run("send", "-j", "2", "--json", "--operations", "1", HOST, port, tmp_path)
    provider.join()
    assert said.code == 4
    assert provider.kept == [*uids[2:], uids[1]]
    assert outcomes(said) == Counter((uid, "sent" if uid in provider.kept else "failed") for uid in uids)
    assert "\ndimse send: not again" in said.err
    assert len(connections) == 4


def test_an_interruption_aborts_all_associations(run: Run, serving: Start, tmp_path: Path) -> None:
    write(tmp_path, 20)
    main = threading.main_thread().ident
    assert main is not None
    ended = SimpleQueue[str]()
    is_over = threading.Event()
    provider = Together(3, lambda: signal.pthread_kill(main, signal.SIGINT))

    def store(request: dimse.Request, data: dimse.DataSet) -> None:
        provider(request, data)
        assert is_over.wait(PATIENCE)

    port = serving(dimse.Services(store=store), report=lambda report: ended.put(report.ended))
    said = run("send", "-j", "3", "--operations", "1", HOST, port, tmp_path)
    is_over.set()
    assert said.code == 130
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("dimse send: interrupted: 0 sent, 0 failed, 0 skipped, 20 left: 0 B in ")
    for _ in range(3):
        assert "abort" in ended.get(timeout=PATIENCE)


def test_output_that_nobody_reads_ends_all(run: Run, serving: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 20)

    def closed(out: Output, value: object) -> None:
        raise OutputClosed

    monkeypatch.setattr(Output, "result", closed)
    monkeypatch.setattr(Output, "abandon", lambda out: None)  # pytest reads on
    said = run("send", "-j", "2", "--json", "--operations", "1", HOST, serving(dimse.Services(store=Together(2))), tmp_path)
    assert (said.code, said.out, said.err) == (141, "", "")


def test_threads_that_run_out(run: Run, serving: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 5)
    start = threading.Thread.start
    started: list[str] = []

    def starting(thread: threading.Thread) -> None:
        if thread.name == "dimse send" and len(started) == 1:
            raise RuntimeError("can't start new thread")
        started.extend([thread.name] if thread.name == "dimse send" else [])
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", starting)
    said = run("send", "-j", "4", HOST, serving(dimse.Services(store=Together(1))), tmp_path)
    assert said.code == 0
    assert said.out.startswith("5 sent, ")
    assert said.err == "dimse send: no thread for an association: can't start new thread; the other associations go on\n"
    said = run("send", "-j", "4", HOST, serving(dimse.Services(store=Together(1))), tmp_path)
    assert said.code == 4
    assert said.out.startswith("0 sent, 0 failed, 0 skipped, 5 left: ")
    assert said.err.splitlines()[-1] == "dimse send: no thread for an association: can't start new thread"


@pytest.mark.parametrize("count", ["0", "-1", "two", "65", "1000000000000", ""])
def test_a_count_of_associations(count: str, run: Run, tmp_path: Path) -> None:
    said = run("send", "-j", count, HOST, 104, tmp_path)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert f"-j/--associations: {count!r} is not a count of associations: 1 to 64" in said.err
