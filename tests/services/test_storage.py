"""C-STORE on both sides: the bytes, the transfer syntaxes, the sinks, several operations at once."""

from __future__ import annotations

import os
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimse.association.config import Limits
from dimse.association.negotiation import AcceptedContext, Context
from dimse.data.commands import CommandField
from dimse.data.datasets import DataSet
from dimse.data.elements import elements
from dimse.data.part10 import read_meta
from dimse.data.protocols import Reading, Source
from dimse.data.sources import BytesReading, BytesSource, FileSource
from dimse.data.status import Status
from dimse.data.uids import (
    MPEG4HP41,
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
    RLELossless,
    StudyRootGet,
    Verification,
)
from dimse.errors import Aborted, ContextRefused, DataError, Refused, UsageError, without_values
from dimse.services.handlers import Answer, Peer, Request, Services, Sink
from dimse.services.memory import MemoryWire
from dimse.services.messages import Message
from dimse.services.plan import contexts_for
from dimse.services.receiving import Collector
from dimse.services.reception import Reception
from dimse.services.scp import MAX_ERRORS
from dimse.services.session import Session
from dimse.services.sinks import MAX_HEADS, FolderSink

from .drivers import Front, Memory
from .samples import QUERY, Account, Mover, instance, real_instance, request, respond

R = TypeVar("R")
EDGES = [0, 2, 16370, 16378, 16380, 16384, 16386]


@pytest.mark.parametrize("size", EDGES)
def test_bytes_arrive_as_they_are(front: Front, size: int) -> None:
    account = Account()
    served = front.serve(Services(sink=account.sink), limits=Limits(max_pdu=16384))
    source = instance(1, size)
    with front.connect(served, [CTImageStorage], calling="SENDER") as link:
        assert link.store(source) == 0
    ((request, data),) = account.kept
    assert data == source.encoded
    assert (request.command.affected_sop_instance_uid, request.context.transfer_syntax) == ("1.2.826.0.1.1", ExplicitVRLittleEndian)
    assert request.peer.calling == "SENDER"
    assert account.calls == ["open", "write", "finish"]


def test_small_instances_under_way_leave_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window's worth of requests, and of answers, in few pieces; and one of the instances large, one not to be read."""
    sent: list[int] = []
    write = MemoryWire._write

    def counted(self: MemoryWire, buffer: bytes) -> None:
        sent.extend([len(buffer)] if buffer else [])
        write(self, buffer)

    monkeypatch.setattr(MemoryWire, "_write", counted)
    front, account = Memory(), Account()
    served = front.serve(Services(sink=account.sink))
    sources: list[Source] = [instance(n, 100) for n in range(60)]
    sources[20], sources[30] = instance(20, 40_000), Unreadable(OSError(5, "gone bad"))
    sources[40], sources[50] = Unreadable(ValueError("whatever")), Unreadable(None)
    with front.connect(served, [CTImageStorage], operations=16) as link:
        answers = dict(link.store_all(sources))
        assert link.session.bytes_sent == sum(s.size for s, status in answers.items() if status.ok)
    assert len(answers) == 60
    failed = {sources.index(source): (status.local, status.comment) for source, status in answers.items() if not status.ok}
    assert failed == {
        30: (True, "not sent: [Errno 5] gone bad"),
        40: (True, "not sent: a data set could not be read to its end: ValueError: whatever"),
        50: (
            True,
            f"not sent: a data set could not be read to its end: EOFError: {TOO_SHORT}",
        ),
    }
    assert account.stored == {s.sop_instance_uid: s.encoded for s in sources if isinstance(s, BytesSource)}
    assert len(sent) < 40


@pytest.mark.parametrize("what", ["a/path.dcm", Path("a/path.dcm"), DataSet(b"", ImplicitVRLittleEndian)])
def test_what_is_no_source(front: Front, what: Source) -> None:
    served = front.serve(Services(sink=Account().sink))
    with front.connect(served, [CTImageStorage]) as link:
        with pytest.raises(UsageError, match=r"is no instance .*FileSource"):
            link.store(what)
        assert link.store(instance(1, 2)) == 0


@pytest.mark.parametrize("max_pdu", [0, 131_072, 4096])
def test_three_megabytes(wide_front: Front, max_pdu: int) -> None:
    account, source = Account(), instance(1, 3_000_002)
    served = wide_front.serve(Services(sink=account.sink), limits=Limits(max_pdu=max_pdu))
    with wide_front.connect(served, [CTImageStorage]) as link:
        assert link.store(source) == 0
        assert link.store(instance(2, 10)) == 0
    assert account.stored == {"1.2.826.0.1.1": source.encoded, "1.2.826.0.1.2": instance(2, 10).encoded}


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400).map(lambda n: 2 * n), min_size=1, max_size=4), chunk=st.integers(1, 400), max_pdu=st.integers(8, 600)
)
def test_any_chunks_and_fragments(sizes: list[int], chunk: int, max_pdu: int) -> None:
    front, account = Memory(chunk), Account()
    served = front.serve(Services(sink=account.sink), limits=Limits(max_pdu=max_pdu))
    sources = [instance(n, size) for n, size in enumerate(sizes)]
    with front.connect(served, [CTImageStorage], limits=Limits(max_pdu=max_pdu)) as link:
        assert [status for _, status in link.store_all(sources)] == [0] * len(sizes)
    assert [data for _, data in account.kept] == [s.encoded for s in sources]


def test_whole_in_memory(front: Front) -> None:
    seen: list[tuple[Request, DataSet]] = []

    def store(request: Request, data: DataSet) -> Answer:
        seen.append((request, data))
        return Status(0xB000, "coerced")

    served = front.serve(Services(store=store))
    source = real_instance(7)
    with front.connect(served, contexts_for([source])) as link:
        status = link.store(source)
    assert (status, status.comment, status.service, status.ok) == (0xB000, "coerced", "C-STORE", True)
    ((request, data),) = seen
    assert data == DataSet(source.encoded, ExplicitVRLittleEndian)
    assert data["PatientID"] == "7"
    assert request.identifier is None
    assert served.report().failed == 0


def test_transfer_syntaxes(front: Front) -> None:
    account = Account()
    syntaxes = [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        JPEGBaseline8Bit,
        RLELossless,
        ExplicitVRBigEndian,
    ]
    sources = [instance(n, 10, transfer_syntax=syntax) for n, syntax in enumerate(syntaxes)]
    served = front.serve(Services(sink=account.sink))
    with front.connect(served, contexts_for(sources)) as link:
        assert [(s, int(status)) for s, status in link.store_all(sources)] == [(s, 0) for s in sources]
    assert [(r.context.transfer_syntax, data) for r, data in account.kept] == [(s.transfer_syntax, s.encoded) for s in sources]


@pytest.mark.parametrize("stored", [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_converted_for_a_peer_that_takes_implicit_only(front: Front, stored: str) -> None:
    account, source = Account(), real_instance(1, stored)
    served = front.serve(Services(sink=account.sink))
    with front.connect(served, [Context(CTImageStorage, (ImplicitVRLittleEndian,))]) as link:
        assert link.store(source).ok
    ((request, data),) = account.kept
    assert request.context.transfer_syntax == ImplicitVRLittleEndian
    assert data == real_instance(1, ImplicitVRLittleEndian).encoded
    assert [e.tag for e in elements(data, ImplicitVRLittleEndian)] == [0x00080018, 0x00100010, 0x00100020]


def test_who_has_one_say_when_does_the_conversion(front: Front) -> None:
    account, tasks = Account(), list[object]()

    async def heavy(task: Callable[[], R], /) -> R:
        tasks.append(task)
        return task()

    with front.connect(front.serve(Services(sink=account.sink)), [Context(CTImageStorage, (ImplicitVRLittleEndian,))]) as link:
        link.session.heavy = heavy
        assert link.store(real_instance(1, ImplicitVRLittleEndian)).ok
        assert tasks == []
        assert link.store(real_instance(2, ExplicitVRLittleEndian)).ok
    assert len(tasks) == 1


def test_a_server_has_its_say_in_each_conversion(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, convert = list[object](), Reception._convert

    async def noted(self: Reception, task: Callable[[], R]) -> R:
        tasks.append(task)
        return await convert(self, task)

    monkeypatch.setattr(Reception, "_convert", noted)
    get = Mover([real_instance(1, ExplicitVRLittleEndian), real_instance(2, ImplicitVRLittleEndian)]).move
    contexts: list[Context | str] = [StudyRootGet, Context(CTImageStorage, (ImplicitVRLittleEndian,), scu=False, scp=True)]
    with front.connect(front.serve(Services(get=get)), contexts) as link:
        assert link.get(QUERY, Account().sink).completed == 2
    assert len(tasks) == 1


def test_deflated_of_odd_length(front: Front) -> None:
    """PS3.5 A.5 has it padded."""
    account, source = Account(), instance(1, 7, transfer_syntax=DeflatedExplicitVRLittleEndian)
    served = front.serve(Services(sink=account.sink))
    with front.connect(served, contexts_for([source])) as link:
        assert link.store(source).ok
    assert [data for _, data in account.kept] == [source.encoded + b"\0"]


def test_what_cannot_be_sent(front: Front) -> None:
    account = Account()
    served = front.serve(Services(sink=account.sink))
    compressed = instance(1, transfer_syntax=MPEG4HP41)
    with front.connect(served, [Context(CTImageStorage, (ImplicitVRLittleEndian,)), "1.2.3.4"]) as link:
        with pytest.raises(DataError, match="odd number of bytes"):
            link.store(instance(1, 3))
        with pytest.raises(ContextRefused, match=r"Implicit VR Little Endian.* only"):
            link.store(compressed)
        with pytest.raises(ContextRefused, match="was not proposed"):
            link.store(instance(1, sop_class=MRImageStorage))
        with pytest.raises(ContextRefused, match="the peer answered"):
            link.store(instance(1, sop_class="1.2.3.4"))
        with pytest.raises(DataError):
            link.store(instance(1, 11 * 2))  # no data set, cannot be converted
        assert link.store(real_instance(1)).ok
    assert served.report().counts == {"C-STORE": 1}


TOO_SHORT = "the source of the data set ended before the length that was given for it"


class Broken:
    """A source that fails when it is opened, or when it is read: it gives fewer bytes than it has announced, or raises."""

    sop_class_uid = CTImageStorage
    sop_instance_uid = UID("1.2.3")
    transfer_syntax = ExplicitVRLittleEndian
    size = 1_000_000

    def __init__(self, opening: Exception | None = None, reading: BaseException | None = None) -> None:
        self._opening = opening
        self._reading = reading

    def open(self) -> Reading:
        if self._opening:
            raise self._opening
        return _Cut(self._reading)


class Unreadable(Broken):
    """A small one."""

    size = 600

    def __init__(self, reading: Exception | None) -> None:
        super().__init__(reading=reading)

    def open(self) -> Reading:
        return _Cut(self._reading) if self._reading else BytesReading(b"x")


class _Cut:
    def __init__(self, error: BaseException | None) -> None:
        self._reading = BytesSource(b"x" * 500_000, CTImageStorage, UID("1"), ExplicitVRLittleEndian).open()
        self._error = error

    def readv(self, holes: list[memoryview]) -> int:
        if self._error:
            raise self._error
        return self._reading.readv(holes)

    def __enter__(self) -> _Cut:
        return self

    def __exit__(self, *args: object) -> None: ...


def test_store_all_goes_on(front: Front, tmp_path: Path) -> None:
    account = Account()
    served = front.serve(Services(sink=account.sink))
    file = tmp_path / "a.dcm"
    FolderSink(tmp_path)
    from dimse.data.part10 import FileMeta

    meta = FileMeta(CTImageStorage, UID("1.2.9"), ExplicitVRLittleEndian)
    file.write_bytes(meta.encode() + b"data set")
    vanished = FileSource(file)
    kept = tmp_path / "b.dcm"
    kept.write_bytes(meta.encode() + b"data sets!")
    file.unlink()
    sources: list[Source] = [
        instance(1),
        instance(2, sop_class=MRImageStorage),
        Broken(PermissionError("no")),
        vanished,
        instance(3, 5),
        FileSource(kept),
    ]
    with front.connect(served, [CTImageStorage]) as link:
        results = list(link.store_all(sources))
        assert list(link.store_all([])) == []
    assert [source for source, _ in results] == sources
    assert [int(status) for _, status in results] == [0, 0x0122, 0xC000, 0xC000, 0xC000, 0]
    assert [status.local for _, status in results] == [False, True, True, True, True, False]
    assert "not sent" in results[1][1].comment
    assert [data for _, data in account.kept] == [instance(1).encoded, b"data sets!"]


@pytest.mark.parametrize("reading", [None, OSError("disk"), ValueError("a bug in the source")])
def test_a_source_that_fails_half_way(wide_front: Front, reading: Exception | None) -> None:
    """Half a data set is out: the message cannot be ended, so the association is."""
    account = Account()
    served = wide_front.serve(Services(sink=account.sink))
    link = wide_front.connect(served, [CTImageStorage])
    with pytest.raises(Aborted, match="could not be read to its end"):
        link.store(Broken(reading=reading))
    assert not link.session.alive
    link.abort()
    served.report()
    assert account.calls in ([], ["open", "write", "discard"])
    assert account.kept == []


@pytest.mark.parametrize("error", [Refused(0xA900, "no"), ZeroDivisionError("bug")], ids=["refused", "bug"])
@pytest.mark.parametrize("place", ["open", "write", "finish"])
def test_a_sink_that_fails(front: Front, place: str, error: Exception) -> None:
    account = Account(**{f"fail_{place}": error})  # type: ignore[arg-type]  # one of three names
    status = 0xA900 if isinstance(error, Refused) else 0x0110
    served = front.serve(Services(sink=account.sink))
    with front.connect(served, [CTImageStorage, Verification]) as link:
        answer = link.store(instance(1, 3000))
        assert (answer, answer.local) == (status, False)
        assert account.calls == {"open": ["open"], "write": ["open", "write", "discard"], "finish": ["open", "write", "finish"]}[place]
        account.fail_open = account.fail_write = account.fail_finish = None
        assert link.echo().ok
        assert link.store(instance(2)).ok
    report = served.report()
    assert (report.counts, report.failed, report.ended) == ({"C-STORE": 2, "C-ECHO": 1}, 1, "released")
    assert report.errors == ([] if status == 0xA900 else [error])


@pytest.mark.parametrize("status", [0, 0x0107, 0xB000, 0xFF00, 0x10000])
@pytest.mark.parametrize("place", ["open", "write", "finish"])
def test_a_refusal_that_is_none(front: Front, place: str, status: int) -> None:
    """Nothing was kept, and so the peer is not told of a success."""
    served = front.serve(Services(sink=Account(**{f"fail_{place}": Refused(status)}).sink))  # type: ignore[arg-type]  # as above
    with front.connect(served, [CTImageStorage]) as link:
        assert link.store(instance(1, 3000)) == 0x0110
    report = served.report()
    assert (report.ended, report.failed, len(report.errors)) == ("released", 1, 1)


@pytest.mark.parametrize("status", [0xFF00, 0xFF01, 0x10000, Status(0xA700, offending=(-1,))])
def test_an_answer_that_ends_nothing(front: Front, status: int) -> None:
    served = front.serve(Services(sink=Account(status=status).sink))
    with front.connect(served, [CTImageStorage]) as link:
        assert link.store(instance(1)) == 0x0110
    assert len(served.report().errors) == 1


def test_what_fails_is_let_go(front: Front) -> None:
    """An exception that is kept for the report keeps no data set, and there are not any number of them."""
    seen: list[weakref.ref[DataSet]] = []

    def store(request: Request, data_set: DataSet) -> None:
        seen.append(weakref.ref(data_set))
        try:
            raise LookupError
        except LookupError as error:
            raise ZeroDivisionError from error

    served = front.serve(Services(store=store))
    with front.connect(served, [CTImageStorage]) as link:
        assert {int(status) for _, status in link.store_all([instance(n) for n in range(MAX_ERRORS + 5)])} == {0x0110}
        assert link.session.alive
        assert {reference() for reference in seen} == {None}
    report = served.report()
    assert (report.failed, len(report.errors)) == (MAX_ERRORS + 5, MAX_ERRORS)
    assert "in store (test_storage.py" in without_values(report.errors[0])


def test_pieces_of_no_length_and_little() -> None:
    """What is collected in memory takes what it is long, in however small pieces it comes."""
    kept: list[DataSet] = []
    sink = Collector(lambda request, data_set: kept.append(data_set), _request(instance(1)))
    tracemalloc.start()
    try:
        for _ in range(100):
            sink.write([memoryview(b""), memoryview(b"ab"), memoryview(b"")] * 1000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    sink.finish()
    assert [data_set.encoded for data_set in kept] == [b"ab" * 100_000]


@pytest.mark.parametrize("write", [Refused(0xA700), ZeroDivisionError()], ids=["refused", "bug"])
def test_a_sink_that_cannot_even_discard(front: Front, write: Exception) -> None:
    account = Account(fail_write=write, fail_discard=OSError("stuck"))
    served = front.serve(Services(sink=account.sink))
    with front.connect(served, [CTImageStorage]) as link:
        assert link.store(instance(1, 3000)) == (0xA700 if isinstance(write, Refused) else 0x0110)
        account.fail_write = account.fail_discard = None
        assert link.store(instance(2)).ok
    report = served.report()
    assert account.fail_discard not in report.errors
    assert [type(e) for e in report.errors if isinstance(e, OSError)] == [OSError]
    assert report.ended == "released"


def test_data_set_limit(wide_front: Front) -> None:
    """D-05."""
    account = Account()
    served = wide_front.serve(Services(sink=account.sink), limits=Limits(data_set=100_000))
    with wide_front.connect(served, [CTImageStorage]) as link:
        status = link.store(instance(1, 8_000_000))
        assert (status, status.category.value) == (0xA700, "Failure")
        assert account.calls in (["open", "write", "discard"], ["open", "discard"])
        assert link.store(instance(2, 100_000)).ok
        assert link.store(instance(3, 100_002)) == 0xA700
    assert list(account.stored) == ["1.2.826.0.1.2"]


def test_folder_sink(front: Front, tmp_path: Path) -> None:
    kept: list[Path] = []
    folder = FolderSink(tmp_path / "in" / "here", kept=kept.append)
    served = front.serve(Services(sink=folder.open))
    with front.connect(served, [CTImageStorage], calling="CT_1") as link:
        assert link.store(instance(1, 100)).ok
        assert link.store(instance(1, 5000)).ok  # again: replaces
        for uid in ("..", "../x", "/tmp/x", "", "1" * 65, "1.2;$(id)"):
            assert link.store(BytesSource(b"ab", CTImageStorage, UID(uid), ExplicitVRLittleEndian)) in (0x0117, 0x0212)
    assert [p.name for p in folder.folder.iterdir()] == ["1.2.826.0.1.1.dcm"]
    file = FileSource(kept[0])
    assert kept == [file.path] * 2
    assert (file.sop_class_uid, file.sop_instance_uid, file.transfer_syntax) == (CTImageStorage, "1.2.826.0.1.1", ExplicitVRLittleEndian)
    assert file.path.read_bytes()[file.offset :] == instance(1, 5000).encoded
    assert b"CT_1" in file.path.read_bytes()


def _request(what: BytesSource) -> Request:
    command = request(CommandField.C_STORE_RQ, affected_sop_instance_uid=what.sop_instance_uid)
    return Request(Peer("ME", "YOU", "host:1"), command, AcceptedContext(1, what.sop_class_uid, what.transfer_syntax))


def _stored(folder: FolderSink, what: BytesSource) -> None:
    sink = folder.open(_request(what))
    sink.write([memoryview(what.encoded)])
    sink.finish()


def test_folder_sink_and_links(tmp_path: Path) -> None:
    """A link in the folder is replaced as a name; what it leads to stays as it is."""
    outside, what = tmp_path / "outside", instance(1)
    outside.write_bytes(b"mine")
    folder = FolderSink(tmp_path / "in")
    place = folder.folder / f"{what.sop_instance_uid}.dcm"
    place.symlink_to(outside)
    _stored(folder, what)
    assert outside.read_bytes() == b"mine"
    assert not place.is_symlink()
    assert FileSource(place).size == what.size
    place.unlink()
    place.mkdir()
    with pytest.raises(Refused, match="A700"):
        _stored(folder, what)
    assert list(folder.folder.iterdir()) == [place]


def test_folder_sink_sweeps_what_nobody_writes_any_more(tmp_path: Path) -> None:
    """A run that was killed leaves its unfinished file; another receiver of the folder may be writing, and other files are not ours."""
    left, others = tmp_path / f".{'0' * 32}.part", [tmp_path / ".mine.part", tmp_path / f"{'0' * 32}.part"]
    for path in (left, *others):
        path.touch()
    link = tmp_path / f".{'1' * 32}.part"
    link.symlink_to(others[0])
    running = FolderSink(tmp_path)
    assert not left.exists()
    writing = running.open(
        Request(Peer("", "", "host:1"), request(CommandField.C_STORE_RQ), AcceptedContext(1, CTImageStorage, ExplicitVRLittleEndian))
    )
    FolderSink(tmp_path)
    assert writing.finish() is None
    assert sorted(tmp_path.iterdir()) == sorted([link, *others, tmp_path / "1.2.3.dcm"])


def test_folder_sink_of_many_kinds(tmp_path: Path) -> None:
    """Peers choose what they call themselves: the heads of no more kinds than some are remembered, and all are right."""
    folder = FolderSink(tmp_path)
    for number in range(2 * MAX_HEADS + 1):
        command = request(CommandField.C_STORE_RQ, affected_sop_instance_uid=f"1.2.{number}")
        writing = folder.open(
            Request(Peer(f"AE{number}", "", "host:1"), command, AcceptedContext(1, CTImageStorage, ExplicitVRLittleEndian))
        )
        assert writing.finish() is None
        meta, _ = read_meta((tmp_path / f"1.2.{number}.dcm").read_bytes())
        assert (meta.media_storage_sop_instance_uid, meta.source_application_entity_title) == (f"1.2.{number}", f"AE{number}")
        assert len(folder._heads) <= MAX_HEADS


def test_folder_sink_without_data_that_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set without a byte has a head, and that may not fit."""
    from dimse.services import sinks

    folder = FolderSink(tmp_path)
    writing = folder.open(
        Request(Peer("", "", "host:1"), request(CommandField.C_STORE_RQ), AcceptedContext(1, CTImageStorage, ExplicitVRLittleEndian))
    )
    full = _Os(os)
    full.fails = "writev"
    monkeypatch.setattr(sinks, "os", full)
    with pytest.raises(Refused, match="No space left"):
        writing.finish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("free", "total", "reserve", "fits"), [
    (99, 2000, None, False), (100, 2000, None, True),  # 5 %
    ((1 << 30) - 1, 1 << 50, None, False), (1 << 30, 1 << 50, None, True),
    (0, 2000, 0, True), (49, 2000, 50, False), (50, 2000, 50, True), (0, 0, None, True),
])  # fmt: skip
def test_space_that_stays_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, total: int, reserve: int | None, fits: bool
) -> None:
    """S-14: decided before the first byte."""
    from dimse.services import sinks

    folder = FolderSink(tmp_path, reserve=reserve)
    disk = SimpleNamespace(f_bavail=free, f_blocks=total, f_frsize=1)
    monkeypatch.setattr(sinks, "os", _Os(os, statvfs=lambda path: disk))
    if fits:
        _stored(folder, instance(1))
    else:
        with pytest.raises(Refused) as caught:
            _stored(folder, instance(1))
        assert (caught.value.status, caught.value.comment) == (0xA700, "the disk has no more space than is kept free")
        assert list(tmp_path.iterdir()) == []


def test_folder_sink_that_cannot_write(front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dimse.services import sinks

    folder = FolderSink(tmp_path / "in")
    served = front.serve(Services(sink=folder.open))
    failing = _Os(os)
    monkeypatch.setattr(sinks, "os", failing)
    with front.connect(served, [CTImageStorage]) as link:
        for name in ("statvfs", "open", "writev", "close"):
            failing.fails = name
            status = link.store(instance(1, 100))
            assert (status, status.comment) == (0xA700, "cannot write: No space left on device"), name
            failing.fails = ""
            assert list(folder.folder.iterdir()) == []
        assert link.store(instance(1, 100)).ok
    assert served.report().errors == []


class _Os:
    """The module `os` with functions replaced, or with one that finds the disk full."""

    def __init__(self, real: object, **replaced: object) -> None:
        self.fails = ""
        self._real = real
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> object:
        if name != self.fails:
            return getattr(self._real, name)

        def full(*args: object) -> None:
            if name == "close":
                os.close(args[0])  # type: ignore[arg-type]  # a descriptor
            raise OSError(28, "No space left on device")

        return full


def test_short_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes a few bytes at a time gets all of them, in order."""
    from dimse.services import sinks

    taken: list[bytes] = []

    def writev(file: int, pieces: list[memoryview]) -> int:
        taken.append(b"".join(pieces)[:5])
        return len(taken[-1])

    def write(file: int, piece: memoryview) -> int:
        taken.append(bytes(piece[:3]))
        return len(taken[-1])

    monkeypatch.setattr(sinks, "os", _Os(os, write=write, writev=writev))
    pieces = [memoryview(bytes([n % 256])) for n in range(3000)]
    sinks.write_all(0, pieces)
    assert b"".join(taken) == b"".join(pieces)


@pytest.mark.parametrize("operations", [4, 0])
def test_several_under_way(front: Front, operations: int) -> None:
    """The peer granted a window: it gets that many before it answers, and answers in its own order."""
    window = operations or 16
    rounds = 3

    async def script(session: Session) -> None:
        for _ in range(rounds):
            messages: list[Message] = []
            for _ in range(window):
                messages.append(await session.receive(expecting=False))
                await session.skip()
            for message in reversed(messages):
                await respond(session, message.context, message.command, 0xB000 + (message.command.message_id or 0) % 16)
        await session.receive(expecting=False)

    served = front.serve(Services(sink=Account().sink), script=script)
    sources = [instance(n) for n in range(window * rounds)]
    with front.connect(served, [CTImageStorage], operations=operations) as link:
        assert link.session.agreement.operations == (operations or 16)
        if operations:
            results = list(link.store_all(sources))
            assert [s for s, _ in results] != sources
            assert {s.sop_instance_uid: status & 15 for s, status in results} == {s.sop_instance_uid: n + 1 for n, s in enumerate(sources)}
        else:
            link.abort()


def test_window_with_what_cannot_be_sent(front: Front) -> None:
    served = front.serve(Services(sink=Account().sink))
    sources = [instance(n, 64 if n % 3 else 5) for n in range(20)]
    with front.connect(served, [CTImageStorage, Verification], operations=4) as link:
        results = {s.sop_instance_uid: int(status) for s, status in link.store_all(sources)}
        assert results == {s.sop_instance_uid: 0 if n % 3 else 0xC000 for n, s in enumerate(sources)}
        assert link.echo().ok


@pytest.mark.parametrize("operations", [1, 4])
def test_leaving_store_all_early(front: Front, operations: int) -> None:
    """What is under way is waited for; the association can be used on."""
    account = Account()
    served = front.serve(Services(sink=account.sink))
    with front.connect(served, [CTImageStorage, Verification], operations=operations) as link:
        for _ in link.store_all(instance(n) for n in range(50)):
            break
        assert link.echo().ok
        assert len(account.kept) == operations
        assert link.store(instance(99)).ok


def test_sources_that_raise(front: Front) -> None:
    def sources() -> object:
        yield instance(1)
        yield instance(2)
        raise LookupError

    served = front.serve(Services(sink=Account().sink))
    with front.connect(served, [CTImageStorage, Verification], operations=4) as link:
        with pytest.raises(LookupError):
            list(link.store_all(sources()))  # type: ignore[arg-type]
        assert link.echo().ok


class _Watched:
    """A source of which a log is kept: when it is opened, and closed."""

    def __init__(self, number: int, log: list[str], error: Exception | None = None) -> None:
        self._instance, self._number, self._log, self._error = instance(number), number, log, error
        self.sop_class_uid, self.sop_instance_uid = self._instance.sop_class_uid, self._instance.sop_instance_uid
        self.transfer_syntax, self.size = self._instance.transfer_syntax, self._instance.size

    def open(self) -> Reading:
        self._log.append(f"open {self._number}")
        if self._error is not None:
            raise self._error
        return _Watching(self._instance.encoded, self._number, self._log) if self._number == 9 else self._instance.open()


class _Watching(BytesReading):
    """A pass over the data set of a source that cannot even be closed."""

    def __init__(self, encoded: bytes, number: int, log: list[str]) -> None:
        super().__init__(encoded)
        self._number, self._log = number, log

    def __exit__(self, *args: object) -> None:
        self._log.append(f"close {self._number}")
        raise LookupError


def _logged(log: list[str]) -> Services:
    def store(request: Request, data: DataSet) -> None:
        log.append(f"stored {(request.command.affected_sop_instance_uid or '').rpartition('.')[2]}")

    return Services(store=store)


@pytest.mark.parametrize("operations", [1, 4])
def test_the_next_instance_is_opened_while_the_peer_is_at_work(operations: int) -> None:
    """Only the next, and none where several are under way anyway; what cannot be opened is told in its turn."""
    front, log = Memory(), list[str]()
    served = front.serve(_logged(log))
    sources = [_Watched(0, log), _Watched(1, log), _Watched(2, log, OSError("gone")), _Watched(3, log)]
    with front.connect(served, [CTImageStorage], operations=operations) as link:
        results = [(source._number, int(status)) for source, status in link.store_all(sources)]
    if operations == 1:
        assert log == ["open 0", "open 1", "stored 0", "open 2", "stored 1", "open 3", "stored 3"]
        assert results == [(0, 0), (1, 0), (2, 0xC000), (3, 0)]
    else:
        assert log == ["open 0", "open 1", "open 2", "open 3", "stored 0", "stored 1", "stored 3"]
        assert sorted(results) == [(0, 0), (1, 0), (2, 0xC000), (3, 0)]


@pytest.mark.parametrize("operations", [1, 4])
def test_an_iterator_may_wait_for_the_result_of_the_one_before(front: Front, operations: int) -> None:
    """With a window it has to have others to give; without one it may be a queue that is fed by what comes out."""
    told = list[Status]()

    def sources() -> Iterator[Source]:
        for number in range(3):
            assert operations > 1 or len(told) == number
            yield instance(number)

    served = front.serve(Services(sink=Account().sink))
    with front.connect(served, [CTImageStorage], operations=operations) as link:
        for _, status in link.store_all(sources()):
            told.append(status)
    assert told == [0, 0, 0]


def test_who_takes_time_over_an_instance_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages wait for others to leave with only where these come at once: requests of a slow iterator, answers of a slow handler."""
    front, log = Memory(), list[str]()
    write = MemoryWire._write

    def written(self: MemoryWire, buffer: bytes) -> None:
        log.extend(["leaves"] if buffer else [])
        write(self, buffer)

    def slow() -> Iterator[Source]:
        for number in range(4):
            log.append(f"next {number}")
            yield instance(number)
            front.network.now += 1

    def store(request: Request, data: DataSet) -> None:
        log.append("store")
        front.network.now += 1

    monkeypatch.setattr(MemoryWire, "_write", written)
    served = front.serve(Services(store=store))
    with front.connect(served, [CTImageStorage], operations=4) as link:
        log.clear()
        assert [status for _, status in link.store_all(slow())] == [0] * 4
        assert log == [*[word for n in range(4) for word in (f"next {n}", "leaves")], *["store", "leaves"] * 4]


@pytest.mark.parametrize("operations", [1, 4])
@pytest.mark.parametrize("size", [64, 40_000])
def test_what_is_open_when_the_association_has_ended_is_closed(operations: int, size: int) -> None:
    front, open_ones = Memory(), set[object]()

    class Held(BytesReading):
        def __init__(self, encoded: bytes) -> None:
            super().__init__(encoded)
            open_ones.add(self)

        def __exit__(self, *args: object) -> None:
            open_ones.remove(self)

    class Holding(BytesSource):
        def open(self) -> Held:
            return Held(self.encoded)

    source = instance(1, size)
    sources = [Holding(source.encoded, source.sop_class_uid, UID(f"1.2.{n}"), source.transfer_syntax) for n in range(20)]
    served = front.serve(Services(sink=Account().sink))
    link = front.connect(served, [CTImageStorage], operations=operations)
    results = link.store_all(sources)
    next(results)
    link.abort()
    with pytest.raises(UsageError, match="has ended"):
        list(results)
    assert not open_ones


def test_what_was_opened_in_vain_is_closed() -> None:
    front, log = Memory(), list[str]()
    served = front.serve(_logged(log))
    with front.connect(served, [CTImageStorage, Verification]) as link:
        for _ in link.store_all([_Watched(8, log), _Watched(9, log)]):
            break
        assert link.echo().ok
    assert log == ["open 8", "open 9", "stored 8", "close 9"]


def test_provider_serves_a_window_one_after_the_other(front: Front) -> None:
    account = Account()
    served = front.serve(Services(sink=account.sink))
    sources = [instance(n, 300) for n in range(40)]
    with front.connect(served, [CTImageStorage], operations=8) as link:
        assert [(s, int(status)) for s, status in link.store_all(sources)] == [(s, 0) for s in sources]
    assert [data for _, data in account.kept] == [s.encoded for s in sources]
    assert account.calls == ["open", "write", "finish"] * 40


def test_sink_is_opened_before_the_data_come(front: Front) -> None:
    """A handler may refuse an instance by its command alone."""
    opened: list[int] = []

    def sink(request: Request) -> Sink:
        opened.append(request.command.message_id or 0)
        raise Refused(0x0124, "not this one", offending=(0x00080018,))

    served = front.serve(Services(sink=sink))
    with front.connect(served, [CTImageStorage]) as link:
        status = link.store(instance(1, 3000))
        assert (status, status.offending) == (0x0124, (0x00080018,))
    assert opened == [1]
