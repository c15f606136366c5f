"""`dimse send`: what is found, what is sent, what is said about the rest."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import dimse
from dimse.data.commands import CommandField
from dimse.data.part10 import FileMeta
from dimse.data.uids import CTImageStorage, JPEGBaseline8Bit, MRImageStorage
from dimse.services.handlers import Sink

from .conftest import HOST, Run, write_instance
from .peers import ABORT, RELEASED, SILENT, accepting, message, response

Start = Callable[..., int]


class Kept:
    """A provider's handler that keeps data sets by SOP Instance UID."""

    def __init__(self) -> None:
        self.instances: dict[str, dimse.DataSet] = {}

    def __call__(self, request: dimse.Request, data: dimse.DataSet) -> int:
        uid = request.command.affected_sop_instance_uid or ""
        if uid.endswith(".13"):
            raise dimse.Refused(0xA700, "disk full")
        self.instances[uid] = data
        return 0xB000 if uid.endswith(".14") else 0


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def port(serving: Start, kept: Kept) -> int:
    return serving(dimse.Services(store=kept))


def test_a_folder_with_all_kinds_of_files(run: Run, port: int, kept: Kept, tmp_path: Path) -> None:
    one = write_instance(tmp_path / "a" / "1.dcm", "1.2.1")
    write_instance(tmp_path / "a" / "b" / "2", "1.2.2", sop_class=MRImageStorage, syntax=dimse.ImplicitVRLittleEndian)
    write_instance(tmp_path / "3", "1.2.3", syntax=JPEGBaseline8Bit)
    (tmp_path / "notes\n.txt").write_text("no DICOM in here")
    directory = FileMeta(dimse.UID("1.2.840.10008.1.3.10"), dimse.UID("1.2.9"), dimse.ExplicitVRLittleEndian)
    (tmp_path / "DICOMDIR").write_bytes(directory.encode() + bytes(10))
    said = run("send", "-v", HOST, port, tmp_path)
    assert said.code == 0
    assert sorted(kept.instances) == ["1.2.1", "1.2.2", "1.2.3"]
    assert kept.instances["1.2.1"].encoded == one.read_bytes()[dimse.FileSource(one).offset :]
    assert f"skipped: {tmp_path}/notes\\n.txt: not a DICOM file" in said.err
    assert f"skipped: {tmp_path}/DICOMDIR: a DICOMDIR, which is no instance" in said.err
    assert f"sent: {one}: 0000H Success" in said.err
    assert said.out.startswith("3 sent, 0 failed, 2 skipped: ")
    assert said.out.count("\n") == 1


def test_dcmsend_options_are_taken(run: Run, port: int, kept: Kept, tmp_path: Path) -> None:
    write_instance(tmp_path / "1", "1.2.1")
    assert run("send", "+sd", HOST, "+r", port, tmp_path).code == 0
    assert list(kept.instances) == ["1.2.1"]


def test_a_failed_file_does_not_stop_the_rest(run: Run, port: int, kept: Kept, tmp_path: Path) -> None:
    for number in (12, 13, 14, 15):
        write_instance(tmp_path / str(number), f"1.2.{number}")
    said = run("send", HOST, port, tmp_path)
    assert said.code == 1
    assert sorted(kept.instances) == ["1.2.12", "1.2.14", "1.2.15"]
    assert f"failed: {tmp_path}/13: A700H Refused: out of resources (disk full)" in said.err
    assert f"warning: {tmp_path}/14: B000H" in said.err
    assert said.out.startswith("3 sent, 1 failed, 0 skipped: ")


def test_json(run: Run, port: int, tmp_path: Path) -> None:
    write_instance(tmp_path / "13", "1.2.13")
    size = dimse.FileSource(write_instance(tmp_path / "12", "1.2.12")).size
    (tmp_path / "x").touch()
    said = run("send", "--json", HOST, port, tmp_path)
    skipped, sent, failed, summary = said.results
    assert skipped["result"] == "skipped"
    assert (sent["result"], sent["file"], sent["status"], sent["bytes"]) == ("sent", str(tmp_path / "12"), "0000H", size)
    assert (failed["result"], failed["sop_instance_uid"], failed["status"], failed["comment"]) == ("failed", "1.2.13", "A700H", "disk full")
    summary.pop("seconds")
    assert summary == {"result": "summary", "sent": 1, "failed": 1, "skipped": 1, "left": 0, "bytes": size}
    assert said.code == 1


def test_a_named_file_that_is_not_dicom_is_a_failure(run: Run, port: int, kept: Kept, tmp_path: Path) -> None:
    write_instance(tmp_path / "1", "1.2.1")
    (tmp_path / "x").write_text("x")
    said = run("send", HOST, port, tmp_path / "x", tmp_path / "1")
    assert said.code == 1
    assert f"failed: {tmp_path}/x: not a DICOM file" in said.err
    assert list(kept.instances) == ["1.2.1"]


def test_nothing_to_send(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    said = run("send", HOST, 1, tmp_path)
    assert said.code == 2
    assert said.err.endswith("dimse send: nothing to send: 1 file looked at, none that can be sent\n")
    said = run("send", HOST, 1, "")
    assert (said.code, said.err) == (2, "dimse send: a PATH is empty: write . if this folder is meant\n")
    said = run("send", HOST, 1, tmp_path / "none")
    assert (said.code, said.err) == (2, f"dimse send: cannot read {tmp_path}/none: No such file or directory\n")


def test_what_cannot_be_read_is_named(run: Run, port: int, kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("1", "locked", "closed/2"):
        write_instance(tmp_path / name, "1.2.1")
    real_open, scandir = os.open, os.scandir

    def refuse_file(path: str, flags: int, *rest: int) -> int:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, flags, *rest)

    def refuse_folder(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("dimse.data.sources.os.open", refuse_file)
    monkeypatch.setattr("dimse.data.sources.os.scandir", refuse_folder)
    said = run("send", HOST, port, tmp_path)
    assert said.code == 1
    assert f"failed: {tmp_path}/closed: Permission denied" in said.err
    assert f"failed: {tmp_path}/locked: Permission denied" in said.err
    assert list(kept.instances) == ["1.2.1"]


def test_refused_contexts_are_told_with_what_they_mean(run: Run, scripted: Start, tmp_path: Path) -> None:
    write_instance(tmp_path / "1", "1.2.1")  # contexts 1 and 3
    write_instance(tmp_path / "2", "1.2.2", sop_class=MRImageStorage, syntax=JPEGBaseline8Bit)  # context 5
    said = run("send", HOST, scripted(accepting(3), message(response(CommandField.C_STORE_RSP, 0), context=3), b""), tmp_path)
    assert said.code == 1
    assert "refused: CT Image Storage in Explicit VR Little Endian: " in said.err
    assert "(1 file will be converted to Implicit VR Little Endian)" in said.err
    assert "refused: MR Image Storage in JPEG Baseline (Process 1): " in said.err
    assert "(1 file cannot be sent)" in said.err
    assert f"failed: {tmp_path}/2: not sent: no presentation context for MR Image Storage" in said.err
    assert said.out.startswith("1 sent, 1 failed")


def test_a_compressed_file_for_a_peer_that_takes_none(run: Run, scripted: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_instance(tmp_path / "1", "1.2.1", syntax=JPEGBaseline8Bit)  # contexts 1, and 3 and 5 for what it is decompressed to
    stored = message(response(CommandField.C_STORE_RSP, 0), context=5)
    said = run("send", HOST, scripted(accepting(5), stored, b""), tmp_path)
    assert said.code == 0
    assert "(1 file will be decompressed to Implicit VR Little Endian)" in said.err
    monkeypatch.setattr("dimse.services.conversion.CODECS", ("no_such_codec",))
    said = run("send", HOST, scripted(accepting(), RELEASED), tmp_path)
    assert said.code == 1
    assert "(1 file cannot be sent: install the extra codecs (pip install 'dimse[codecs]') to have it decompressed)" in said.err
    assert "not sent: compressed in JPEG Baseline (Process 1): no presentation context for CT Image Storage" in said.err


def test_a_context_that_nothing_needs(run: Run, scripted: Start, tmp_path: Path) -> None:
    write_instance(tmp_path / "1", "1.2.1")
    accept = accepting(1, syntax=dimse.ExplicitVRLittleEndian)
    said = run("send", HOST, scripted(accept, message(response(CommandField.C_STORE_RSP, 0)), b""), tmp_path)
    assert said.code == 0
    assert "refused: CT Image Storage in Implicit VR Little Endian: " in said.err
    assert "(no file needs it)" in said.err


def test_more_contexts_than_one_association_carries(run: Run, serving: Start, kept: Kept, tmp_path: Path) -> None:
    reports: list[dimse.Report] = []
    port = serving(dimse.Services(store=kept), any_storage=True, report=reports.append)
    for number in range(70):  # two contexts each
        write_instance(tmp_path / f"{number:02}", f"1.2.{100 + number}", sop_class=f"{CTImageStorage}.{number + 900}")
    said = run("send", HOST, port, tmp_path)
    assert said.code == 0
    assert said.out.startswith("70 sent, 0 failed")
    assert len(kept.instances) == 70


def test_no_association(run: Run, tmp_path: Path) -> None:
    write_instance(tmp_path / "1", "1.2.1")
    said = run("send", HOST, 1, tmp_path)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith(f"dimse send: no association with ANY-SCP at {HOST}:1: cannot open a connection to {HOST}:1: Conn")


@pytest.mark.parametrize("end", [ABORT, b"", SILENT])
def test_an_end_on_the_way_counts_what_is_left(run: Run, scripted: Start, tmp_path: Path, end: bytes | None) -> None:
    for number in range(4):
        write_instance(tmp_path / str(number), f"1.2.{number}")
    accept = accepting(1, syntax=dimse.ExplicitVRLittleEndian)
    said = run("send", "-td", "0.1", HOST, scripted(accept, message(response(CommandField.C_STORE_RSP, 0)), end), tmp_path)
    assert said.code == 4
    assert said.out.startswith("1 sent, 1 failed, 0 skipped, 2 left: ")
    lost, ended, last = said.err.splitlines()[-3:]
    assert lost == f"failed: {tmp_path}/1: the association ended before an answer came"
    assert ended.endswith("; going on with the next file")
    assert last.startswith("dimse send: no association with ")  # that peer accepts a single one


class Aborting:
    """A provider that ends the association when it is sent certain instances, and keeps the others."""

    def __init__(self, *hated: str) -> None:
        self.kept: list[str] = []
        self._hated = hated
        self._ended: list[threading.Thread] = []

    def __call__(self, request: dimse.Request, data: dimse.DataSet) -> None:
        uid = request.command.affected_sop_instance_uid or ""
        if uid in self._hated:
            self._ended.append(threading.current_thread())
            raise KeyboardInterrupt  # no answer, and the end of the association
        self.kept.append(uid)

    def join(self) -> None:
        """Waits for the threads that ended so: pytest notes their exceptions, and is to do that during this test."""
        for thread in self._ended:
            thread.join(10)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_file_that_ends_the_association_does_not_stop_the_rest(run: Run, serving: Start, tmp_path: Path) -> None:
    for number in range(1, 6):
        write_instance(tmp_path / str(number), f"1.2.{number}")
    provider = Aborting("1.2.2", "1.2.3", "1.2.5")
    said = run("send", "--json", HOST, serving(dimse.Services(store=provider)), tmp_path)
    provider.join()
    assert said.code == 4
    assert provider.kept == ["1.2.1", "1.2.4"]
    failed = [result for result in said.results if result["result"] == "failed"]
    assert [result["sop_instance_uid"] for result in failed] == ["1.2.2", "1.2.3", "1.2.5"]
    assert {result["why"] for result in failed} == {"the association ended before an answer came"}
    assert (said.results[-1]["sent"], said.results[-1]["failed"], said.results[-1]["left"]) == (2, 3, 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("operations", ["1", "0", "64"])
def test_what_was_under_way_together_goes_again_alone(operations: str, run: Run, serving: Start, tmp_path: Path) -> None:
    for number in range(1, 6):
        write_instance(tmp_path / str(number), f"1.2.{number}")
    provider = Aborting("1.2.4")
    said = run("send", "--json", "--operations", operations, HOST, serving(dimse.Services(store=provider)), tmp_path)
    provider.join()
    assert said.code == 4
    assert sorted(set(provider.kept)) == ["1.2.1", "1.2.2", "1.2.3", "1.2.5"]
    assert [r["sop_instance_uid"] for r in said.results if r["result"] == "failed"] == ["1.2.4"]
    assert (said.results[-1]["sent"], said.results[-1]["failed"], said.results[-1]["left"]) == (4, 1, 0)
    assert ("going on, one file after the other" in said.err) is (operations != "1")


@pytest.mark.parametrize("window", ["-1", "65536", "many"])
def test_a_window_is_a_count(window: str, run: Run, tmp_path: Path) -> None:
    said = run("send", "--operations", window, HOST, 104, tmp_path)
    assert said.code == 2
    assert "a count of operations" in said.err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_peer_that_answers_nothing_is_given_up(run: Run, serving: Start, tmp_path: Path) -> None:
    for number in range(1, 6):
        write_instance(tmp_path / str(number), f"1.2.{number}")
    provider = Aborting(*(f"1.2.{number}" for number in range(1, 6)))
    said = run("send", HOST, serving(dimse.Services(store=provider)), tmp_path)
    provider.join()
    assert said.code == 4
    assert said.out.startswith("0 sent, 3 failed, 0 skipped, 2 left: ")
    assert said.err.splitlines()[-1].startswith("dimse send: the association with ")


def test_no_second_association_is_an_end_on_the_way(run: Run, scripted: Start, tmp_path: Path) -> None:
    for number in range(65):
        write_instance(tmp_path / f"{number:02}", f"1.2.{100 + number}", sop_class=f"{CTImageStorage}.{number + 900}")
    said = run("send", "--json", HOST, scripted(accepting(), b""), tmp_path)
    assert said.code == 4
    assert said.results[-1]["failed"] == 64
    assert said.results[-1]["left"] == 1


def test_an_interruption_says_how_far_it_came(run: Run, serving: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_instance(tmp_path / "1", "1.2.1")

    def interrupted(association: dimse.Association, sources: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(dimse.Association, "store_all", interrupted)

    def sink(request: dimse.Request) -> Sink:
        raise AssertionError

    said = run("send", HOST, serving(dimse.Services(sink=sink)), tmp_path)
    assert said.code == 130
    assert said.err.splitlines()[-1].startswith("dimse send: interrupted: 0 sent, 0 failed, 0 skipped, 1 left: 0 B in ")
