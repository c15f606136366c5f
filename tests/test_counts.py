"""How many Python functions the hot paths call: no clock, no network, no thread, the same number each time.

The peer is a socket that has been told everything beforehand: it gives what is read from it in portions that are always the same,
and takes whatever is sent. Each figure but those of whole associations is the difference between much and little, divided by how
much more that was, so that what happens once in an association is not in it.
"""

from __future__ import annotations

import gc
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import pytest

import dimse
import pdu
from dimse.association.negotiation import Accept, answer, propose
from dimse.data.commands import CommandField
from dimse.data.part10 import FileMeta
from dimse.data.uids import UID, CTImageStorage, ExplicitVRLittleEndian, Verification
from dimse.services.scp import Report
from pdu.values import FEW
from tests.services.samples import frames, request

LIMITS = {
    "16 KiB PDU received into a file": 1.7,
    "16 KiB PDU sent from a file": 0.32,
    "3 KB instance received, one at a time": 82,
    "3 KB instance received, eight at a time": 67.5,
    "3 KB instance sent from a file, one at a time": 95,
    "3 KB instance sent from a file, eight at a time": 79.5,
    "association served": 470,
    "association requested": 430,
}
"""The most calls of Python functions for each. They are what has been reached, rounded up: lower them when it is less."""

PDU_SIZE = 16_384
SMALL = 3_000
TOGETHER = 8
"""Small messages that leave, and arrive, together (`session.MAX_HELD`)."""
WINDOW = 16
"""Operations under way where they do (`Limits.operations`)."""


def uid_of(number: int) -> UID:
    """A SOP Instance UID, all of one length: one of odd length is padded, which may take a call more."""
    return UID(f"1.2.3.{1_000_000 + number}")


class Line(socket.socket):
    """A connected socket whose peer has said everything already: each `recv` gives the next portion, or what fits of it."""

    def __init__(self, portions: Sequence[bytes]) -> None:
        super().__init__()
        self._portions = [memoryview(portion) for portion in portions]

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if flags:  # nothing comes before it is waited for
            raise BlockingIOError
        portion = self._portions.pop(0) if self._portions else memoryview(b"")
        if len(portion) > size:
            self._portions.insert(0, portion[size:])
        return bytes(portion[:size])

    def send(self, data: object, flags: int = 0, /) -> int:
        return len(memoryview(data))  # type: ignore[arg-type]  # what a socket takes is a buffer


def calls(task: Callable[[], object]) -> int:
    """How many Python functions a task calls in this thread; a generator or coroutine counts each time it goes on.

    Those of this file do not count. There is no collection of garbage meanwhile, which would come when it likes and may call functions
    of others. A tracer, as coverage is one, neither counts nor is kept from its work.
    """
    counted, here = 0, calls.__code__.co_filename

    def note(frame: FrameType, event: str, arg: object) -> None:
        nonlocal counted
        counted += event == "call" and frame.f_code.co_filename != here

    gc.disable()
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        task()
    finally:
        sys.setprofile(before)
        gc.enable()
    return counted


def more(run: Callable[[int], int], little: int, much: int) -> float:
    """The calls for each of what is more in `much` than in `little`; the first run, which may import and remember, is for nothing."""
    run(little)
    few = run(little)
    return (run(much) - few) / (much - little)


# The side that receives


def served(portions: Sequence[bytes], services: dimse.Services) -> tuple[int, Report]:
    """The calls of a server for an association whose peer says this, and then releases it."""
    reports = list[Report]()
    server = dimse.Server("SCP", services, report=reports.append)
    thread = threading.current_thread()
    name = thread.name

    def serve() -> None:
        wire = server._wire(Line([*portions, pdu.ReleaseRQ().encode()]), "127.0.0.1:1")
        assert wire is not None
        server._serve(wire)

    try:
        counted = calls(serve)
    finally:
        thread.name = name  # a server gives it one of its own
    (report,) = reports
    assert (report.ended, report.failed, report.errors) == ("released", 0, [])
    return counted, report


def stores(sizes: Sequence[int]) -> Iterator[bytes]:
    """C-STORE requests for data sets of these sizes, in PDUs of 16 KiB."""
    for number, size in enumerate(sizes, 1):
        command = request(CommandField.C_STORE_RQ, number, affected_sop_instance_uid=uid_of(number))
        yield pdu.frames(1, True, command.encode(), PDU_SIZE) + pdu.frames(1, False, bytes(size), PDU_SIZE)


def received(folder: Path, sizes: Sequence[int], together: int) -> int:
    """The calls for receiving data sets of these sizes into files, so many of which arrive together."""
    messages = list(stores(sizes))
    portions = [b"".join(messages[at : at + together]) for at in range(0, len(messages), together)]
    asked = propose("SCP", "SCU", [CTImageStorage], operations=WINDOW if together > 1 else 1)
    sink = dimse.FolderSink(folder, reserve=0)
    counted, report = served([asked.encode(), *portions], dimse.Services(sink=sink.open))
    assert report.counts == {"C-STORE": len(sizes)}
    assert report.bytes_received == sum(sizes)
    return counted


def association_served() -> int:
    asked, echo = propose("SCP", "SCU", [Verification]).encode(), frames(1, request(CommandField.C_ECHO_RQ))
    counted, report = served([asked, echo], dimse.Services())
    assert report.counts == {"C-ECHO": 1}
    return counted


# The side that sends


def asking(context: str, answers: Sequence[bytes], operations: int, use: Callable[[dimse.Association], object]) -> int:
    """The calls for an association that is used so, whose peer accepts it and gives these answers."""
    wanted = propose("SCP", "SCU", [context], operations=operations)
    accepted = answer(wanted, lambda proposed: Accept(ExplicitVRLittleEndian), max_pdu=PDU_SIZE, operations=operations)
    portions = [accepted.encode(), *answers, pdu.ReleaseRP().encode()]

    def ask() -> None:
        with dimse.connect("127.0.0.1", 1, contexts=[context], operations=operations) as association:
            use(association)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket, "create_connection", lambda address, timeout: Line(portions))
        return calls(ask)


def sent(folder: Path, sizes: Sequence[int], together: int) -> int:
    """The calls for sending data sets of these sizes from files, so many of which are answered together."""
    sources = [dimse.FileSource(path) for path in files(folder, sizes)]
    answers = [frames(1, request(CommandField.C_STORE_RQ, n).response(0)) for n in range(1, len(sizes) + 1)]
    portions = [b"".join(answers[at : at + together]) for at in range(0, len(answers), together)]
    statuses = list[dimse.Status]()

    def store(association: dimse.Association) -> None:
        statuses.extend(status for _, status in association.store_all(sources))

    counted = asking(CTImageStorage, portions, WINDOW if together > 1 else 1, store)
    assert statuses == [0] * len(sizes)
    return counted


def files(folder: Path, sizes: Sequence[int]) -> Iterator[Path]:
    """Part 10 files with data sets of these sizes."""
    for number, size in enumerate(sizes, 1):
        uid = uid_of(number)
        path = folder / f"{uid}.dcm"
        path.write_bytes(FileMeta(CTImageStorage, uid, ExplicitVRLittleEndian).encode() + bytes(size))
        yield path


def association_requested() -> int:
    response = frames(1, request(CommandField.C_ECHO_RQ).response(0))
    return asking(Verification, [response], 1, dimse.Association.echo)


# The figures


Move = Callable[[Path, Sequence[int], int], int]


def each_pdu(move: Move, folder: Path) -> float:
    capacity = pdu.pdv_capacity(PDU_SIZE)
    return more(lambda pdus: move(folder, [pdus * capacity], 1), 64, 64 + 1024)


def each_instance(move: Move, folder: Path, together: int) -> float:
    return more(lambda instances: move(folder, [SMALL] * instances, together), 64, 64 + 256)


def later(run: Callable[[], int]) -> int:
    """The first times are for nothing: they may import, remember, and compile what has come to be used often (`pdu.values`)."""
    for _ in range(FEW + 2):
        run()
    return run()


FIGURES: dict[str, Callable[[Path], float]] = {
    "16 KiB PDU received into a file": lambda folder: each_pdu(received, folder),
    "16 KiB PDU sent from a file": lambda folder: each_pdu(sent, folder),
    "3 KB instance received, one at a time": lambda folder: each_instance(received, folder, 1),
    "3 KB instance received, eight at a time": lambda folder: each_instance(received, folder, TOGETHER),
    "3 KB instance sent from a file, one at a time": lambda folder: each_instance(sent, folder, 1),
    "3 KB instance sent from a file, eight at a time": lambda folder: each_instance(sent, folder, TOGETHER),
    "association served": lambda folder: later(association_served),
    "association requested": lambda folder: later(association_requested),
}


@pytest.mark.parametrize("what", LIMITS)
def test_calls(what: str, tmp_path: Path) -> None:
    figure = FIGURES[what](tmp_path)
    print(f"{figure:.2f} Python calls for each {what}")
    assert figure <= LIMITS[what], f"{figure:.2f} Python calls for each {what}: the limit is {LIMITS[what]}, which had been reached"
