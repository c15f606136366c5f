"""`dimse get`: instances come into a folder, and what did not come is told with the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import dimse
from dimse.data.commands import CommandField, CommandSet
from dimse.data.uids import MPEG4HP41, CTImageStorage, JPEGBaseline8Bit, MRImageStorage

from .conftest import HOST, Run, write_instance
from .peers import RELEASED, accepting, message, response

Start = Callable[..., int]


class Holding:
    """A provider of C-GET that has these files, and remembers what it was asked."""

    def __init__(self, *files: Path) -> None:
        self.sources: list[dimse.Source] = [dimse.FileSource(file) for file in files]
        self.asked: list[str] = []

    def get(self, request: dimse.Request) -> Sequence[dimse.Source]:
        self.asked.append(request.context.abstract_syntax)
        return self.sources

    @property
    def services(self) -> dimse.Services:
        return dimse.Services(get=self.get)


@pytest.fixture
def holding(tmp_path: Path) -> Holding:
    return Holding(*(write_instance(tmp_path / "there" / f"{n}", f"1.2.{n}") for n in range(1, 4)))


def test_a_folder_is_filled(run: Run, serving: Start, holding: Holding, tmp_path: Path) -> None:
    port, folder = serving(holding.services), tmp_path / "here" / "study"
    said = run("get", "-od", folder, "-k", "StudyInstanceUID=1.2.3", HOST, port)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"C-GET from ANY-SCP at {HOST}:{port} into {folder}: 0000H Success")
    assert "; 3 kept, 3 completed, 0 failed, 0 with warnings, " in said.out
    assert sorted(path.name for path in folder.iterdir()) == ["1.2.1.dcm", "1.2.2.dcm", "1.2.3.dcm"]
    assert [dimse.FileSource(path).transfer_syntax for path in folder.iterdir()] == [dimse.ExplicitVRLittleEndian] * 3


def test_json_models_and_words(run: Run, serving: Start, holding: Holding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    port = serving(holding.services)
    said = run("get", "-v", "--json", "-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID=1", HOST, port)
    (result,) = said.results
    assert said.code == 0
    counts = {"kept": 3, "completed": 3, "failed": 0, "warning": 0, "failed_uids": [], "refused": []}
    wanted = {"folder": ".", "status": "0000H", "ok": True, **counts}
    assert {key: result[key] for key in wanted} == wanted
    assert "kept: 1.2.1.dcm" in said.err
    assert "pending: 2 remaining, 1 completed, 0 failed, 0 with warnings" in said.err
    assert run("get", "-k", "StudyInstanceUID=1", HOST, port).code == 0
    assert holding.asked == [dimse.PatientRootGet, dimse.StudyRootGet]


def test_what_did_not_come_is_told(run: Run, serving: Start, tmp_path: Path) -> None:
    """A compressed one that cannot be sent otherwise, and one that cannot be written here."""
    video = write_instance(tmp_path / "there" / "1", "1.2.1", syntax=MPEG4HP41)
    plain = write_instance(tmp_path / "there" / "2", "1.2.2")
    folder = tmp_path / "here"
    (folder / "1.2.2.dcm").mkdir(parents=True)
    said = run("get", "--json", "-od", folder, "-k", "StudyInstanceUID=1", HOST, serving(Holding(video, plain).services))
    assert said.code == 1
    assert "not kept: 1.2.2: A700H" in said.err
    assert "not sent: 1.2.1\n" in said.err
    assert "with --as-stored" in said.err
    (result,) = said.results
    assert (result["ok"], result["failed_uids"], result["status"]) == (False, ["1.2.1", "1.2.2"], "A702H")
    assert [refused["status"] for refused in result["refused"]] == ["A700H"]  # type: ignore[attr-defined]  # JSON


def test_as_stored(run: Run, serving: Start, tmp_path: Path) -> None:
    files = [
        write_instance(tmp_path / "there" / "1", "1.2.1", syntax=JPEGBaseline8Bit),
        write_instance(tmp_path / "there" / "2", "1.2.2", syntax=dimse.ImplicitVRLittleEndian),
        write_instance(tmp_path / "there" / "3", "1.2.3"),
    ]
    folder, port = tmp_path / "here", serving(Holding(*files).services)
    for words in ([], ["--sop-class", CTImageStorage], ["--sop-class", "MRImageStorage", "--sop-class", "CTImageStorage"]):
        assert run("get", "--as-stored", *words, "-od", folder, "-k", "StudyInstanceUID=1", HOST, port).code == 0
        assert [dimse.FileSource(folder / f"1.2.{n}.dcm").transfer_syntax for n in (1, 2, 3)] == [
            JPEGBaseline8Bit, dimse.ImplicitVRLittleEndian, dimse.ExplicitVRLittleEndian,
        ]  # fmt: skip


def test_other_storage_classes(run: Run, serving: Start, holding: Holding, tmp_path: Path) -> None:
    said = run("get", "-od", tmp_path, "--sop-class", MRImageStorage, "-k", "StudyInstanceUID=1", HOST, serving(holding.services))
    assert said.code == 1
    assert "A702H" in said.err
    assert "not sent: 1.2.3" in said.err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], "say what to get"),
        (["-k", "PatientNam=1"], "cannot read the query"),
        (["-k", "PatientID=1", "--sop-class", "CTStorage"], "'CTStorage' is neither a UID nor the keyword of one"),
        (["-k", "PatientID=1", *(word for n in range(128) for word in ("--sop-class", f"1.2.{n}"))], "129 presentation contexts"),
        (["-k", "PatientID=1", "--sop-class", ""], "'' is neither a UID nor the keyword of one"),
        (["-k", "PatientID=1", "--sop-class", "ExplicitVRLittleEndian"], "'ExplicitVRLittleEndian' is no storage class"),
        (["-k", "PatientID=1", "--sop-class", "1.2.840.10008.5.1.4.1.2.2.3"], "'1.2.840.10008.5.1.4.1.2.2.3' is no storage class"),
        (["-k", "PatientID=1", "-od", "file/x"], "cannot make the folder"),
    ],
)
def test_what_cannot_be_asked(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], wanted: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    said = run("get", HOST, 1, *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("dimse get: ")
    assert wanted in said.err
    assert said.err.count("\n") == 1


def test_ends(run: Run, serving: Start, scripted: Start, holding: Holding, tmp_path: Path) -> None:
    words = ["-od", tmp_path / "here", "-k", "StudyInstanceUID=1", HOST]
    assert run("get", *words, 1).code == 3
    assert run("get", *words, scripted(accepting(1), b"")).code == 4
    said = run("get", *words, serving(dimse.Services()))
    assert said.code == 1
    assert "no presentation context for Study Root Query/Retrieve Information Model - GET" in said.err


def test_counters_that_say_more_than_came(run: Run, scripted: Start, tmp_path: Path) -> None:
    counted = replace(response(CommandField.C_GET_RSP, 0), number_of_completed_suboperations=3, number_of_warning_suboperations=2)
    port = scripted(accepting(1), message(counted), RELEASED)
    said = run("get", "-od", tmp_path, "-k", "StudyInstanceUID=1", HOST, port)
    assert said.code == 1
    assert "the archive says that it has sent 5 more than came\n" in said.err
    assert "; 0 kept, 3 completed, 0 failed, 2 with warnings, " in said.out


def test_a_name_that_is_none(run: Run, scripted: Start, tmp_path: Path) -> None:
    """U-06: the provider names the instance so that its file would be elsewhere."""
    store = CommandSet(
        CommandField.C_STORE_RQ,
        affected_sop_class_uid=CTImageStorage,
        message_id=7,
        priority=0,
        command_data_set_type=0,
        affected_sop_instance_uid="../../x",
    )
    final = message(response(CommandField.C_GET_RSP, 0xA702))
    port = scripted(accepting(1, 3, returning=[CTImageStorage]), message(store, b"ab", context=3), final, RELEASED)
    said = run("get", "-od", tmp_path / "a" / "b", "--sop-class", CTImageStorage, "-k", "StudyInstanceUID=1", HOST, port)
    assert said.code == 1
    assert "not kept: ../../x: 0117H" in said.err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
