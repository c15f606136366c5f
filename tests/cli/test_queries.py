"""`dimse find` and `dimse move`: identifiers from keys and files, answers as lines and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

import dimse
from dimse.cli.tables import AHEAD, Table
from dimse.data.commands import CommandField
from dimse.data.part10 import FileMeta
from dimse.services.handlers import Match

from .conftest import HOST, Run, write_instance
from .peers import ABORT, RELEASED, accepting, message, response

Start = Callable[..., int]


class Asked:
    """A provider of C-FIND and C-MOVE that remembers what it was asked, and answers what it is told."""

    def __init__(self, *answers: dimse.DataSet) -> None:
        self.answers: Iterable[dimse.DataSet] = answers
        self.queries: list[tuple[str, dict[str, str]]] = []

    def find(self, request: dimse.Request) -> Iterator[Match]:
        self._remember(request)
        yield from self.answers

    def move(self, request: dimse.Request) -> Sequence[dimse.Source]:
        self._remember(request)
        return [dimse.BytesSource(b"", dimse.CTImageStorage, dimse.UID(f"1.2.{n}"), dimse.ImplicitVRLittleEndian) for n in range(2)]

    def where(self, request: dimse.Request, aet: str) -> dimse.Address:
        if aet == "NOBODY":
            raise dimse.Refused(0xA801, "who?")
        return dimse.Address(aet, HOST, int(aet[1:]))

    def _remember(self, request: dimse.Request) -> None:
        assert request.identifier is not None
        self.queries.append((request.context.abstract_syntax, {e.keyword: str(e.value) for e in request.identifier.dataset}))

    @property
    def services(self) -> dimse.Services:
        return dimse.Services(find=self.find, move=self.move, where=self.where)


def study(**keys: object) -> dimse.DataSet:
    return dimse.query("STUDY", **keys)  # type: ignore[arg-type]  # keys of several types


@pytest.fixture
def asked() -> Asked:
    return Asked(study(PatientName="Hartgard^Ilse", PatientID="HG-1"), study(PatientName="Öl^Ä", PatientID="2"))


@pytest.fixture
def port(serving: Start, asked: Asked) -> int:
    return serving(asked.services)


def test_rows_are_aligned_under_the_keys_in_the_order_of_asking(run: Run, port: int) -> None:
    said = run("find", HOST, "-k", "PatientID", port, "-k", "(0010,0010)")
    assert (said.code, said.err) == (0, "")
    *rows, count = said.out.splitlines()
    assert rows == ["PatientID  PatientName", "HG-1       Hartgard^Ilse", "2          Öl^Ä"]
    assert count.startswith("2 matches, ")


def test_json(run: Run, port: int) -> None:
    said = run("find", "--json", "-k", "PatientName", HOST, port)
    assert said.results == [
        {"QueryRetrieveLevel": "STUDY", "PatientName": "Hartgard^Ilse", "PatientID": "HG-1"},
        {"SpecificCharacterSet": "ISO_IR 192", "QueryRetrieveLevel": "STUDY", "PatientName": "Öl^Ä", "PatientID": "2"},
    ]
    assert said.out.isascii()


def test_json_of_every_kind_of_value(run: Run, port: int, asked: Asked) -> None:
    ds = Dataset()
    ds.QueryRetrieveLevel = "STUDY"
    ds.ModalitiesInStudy = ["CT", "MR"]
    ds.NumberOfStudyRelatedInstances = "5"
    ds.PatientWeight = "70.5"
    ds.PatientAge = ""
    ds.Rows = 512
    ds.StudyDescription = "one\x1b[2J\ttwo"
    ds.add_new(0x0009_0010, "LO", "PRIVATE")
    ds.add_new(0x0009_1001, "OB", b"\0\1")
    ds.add_new(0x0028_0106, "US", None)
    ds.FrameIncrementPointer = 0x0018_1063
    ds.add_new(0x6000_3000, "OW", b"\0\0")
    ds.add_new(0x6002_3000, "OW", b"\1\0")
    item = Dataset()
    item.Modality = "CT"
    ds.RequestAttributesSequence = [item]
    asked.answers = [dimse.DataSet.from_pydicom(ds, dimse.ExplicitVRLittleEndian)]
    assert run("find", "--json", HOST, port).results == [
        {
            "QueryRetrieveLevel": "STUDY",
            "ModalitiesInStudy": ["CT", "MR"],
            "StudyDescription": "one\x1b[2J\ttwo",
            "00090010": "PRIVATE",
            "00091001": "AAE=",
            "PatientAge": "",
            "PatientWeight": 70.5,
            "NumberOfStudyRelatedInstances": 5,
            "FrameIncrementPointer": "00181063",
            "Rows": 512,
            "SmallestImagePixelValue": None,
            "RequestAttributesSequence": [{"Modality": "CT"}],
            "60003000": "AAA=",
            "60023000": "AQA=",
        }
    ]
    words = ["ModalitiesInStudy", "StudyDescription", "RequestAttributesSequence", "6000,3000", "PatientSex", "0009,0010"]
    said = run("find", *(word for key in words for word in ("-k", key)), HOST, port)
    _, row, _ = said.out.splitlines()
    assert row.split("  ")[:1] == ["CT\\MR"]
    assert r"one\x1b[2J\ttwo" in row
    assert "[1 item]" in row
    assert "[2 bytes]" in row
    said = run("find", "-v", HOST, port)
    assert "match 1" in said.out
    assert "Study Description" in said.out


def test_the_query_that_goes_out(run: Run, port: int, asked: Asked, tmp_path: Path) -> None:
    text = tmp_path / "query.txt"
    text.write_text("(0008,0052) CS [PATIENT]  # QueryRetrieveLevel\n(0010,0010) PN [Nobody*]\n(0010,0020) LO\n")
    binary = tmp_path / "query.dcm"
    head = FileMeta(dimse.UID(""), dimse.UID(""), dimse.ImplicitVRLittleEndian)
    binary.write_bytes(head.encode() + dimse.query("SERIES", StudyInstanceUID="1.2").encoded)
    assert run("find", HOST, port).code == 0
    assert run("find", "-S", "-k", "PatientName=Hartgard*", HOST, port, text, binary).code == 0
    assert run("find", "-k", "PatientID=1", HOST, port, text).code == 0
    assert run("find", "-P", "-k", "QueryRetrieveLevel=IMAGE", HOST, port).code == 0
    usual, first, second, patient, image = asked.queries
    assert usual[0] == first[0] == second[0] == dimse.StudyRootFind
    assert patient[0] == image[0] == dimse.PatientRootFind
    assert {"PatientName", "StudyInstanceUID"} < usual[1].keys()
    assert usual[1]["QueryRetrieveLevel"] == "STUDY"
    assert first[1] == {"QueryRetrieveLevel": "PATIENT", "PatientName": "Hartgard*", "PatientID": ""}
    assert second[1] == {"QueryRetrieveLevel": "SERIES", "PatientName": "Hartgard*", "StudyInstanceUID": "1.2"}
    assert patient[1]["PatientID"] == "1"
    assert image[1].keys() == {"QueryRetrieveLevel", "InstanceNumber", "SOPInstanceUID"}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["-k", "PatientNam"], "no attribute has the keyword 'PatientNam'; is it PatientName"),
        (["-k", "0010,00"], "is neither a keyword nor a tag"),
        (["-k", "Rows=many"], "Rows=many"),
        (["none.dcm"], "none.dcm: No such file or directory"),
        (["broken.txt"], "broken.txt: line 2: no tag at the beginning"),
        (["."], "Is a directory"),
    ],
)
def test_what_cannot_be_asked(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], wanted: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.txt").write_text("(0010,0010) PN\nPatientID\n")
    for command in (["find"], ["move", "-aem", "D"]):
        said = run(*command, HOST, 1, *words)
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith(f"dimse {command[0]}: cannot read the query: ")
        assert wanted in said.err
        assert said.err.count("\n") == 1


def test_matches_are_kept_as_files(run: Run, port: int, asked: Asked, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert run("find", "-od", folder, "-k", "PatientName", HOST, port).code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["rsp0001.dcm", "rsp0002.dcm"]
    said = run("find", "--json", "-k", "PatientID", HOST, port, folder / "rsp0002.dcm")
    assert said.code == 0
    assert asked.queries[-1][1]["PatientName"] == "Öl^Ä"
    (tmp_path / "file").touch()
    said = run("find", "-od", tmp_path / "file" / "x", HOST, port)
    assert (said.code, said.out) == (2, "")
    assert "cannot make the folder" in said.err


def test_a_file_that_cannot_be_written(run: Run, port: int, tmp_path: Path) -> None:
    (tmp_path / "rsp0001.dcm").mkdir()
    said = run("find", "-od", tmp_path, HOST, port)
    assert said.code == 1
    assert "cannot write" in said.err


def test_cancel(run: Run, port: int, asked: Asked) -> None:
    asked.answers = repeat(study(PatientID="1"))
    said = run("find", "--cancel", 3, "-k", "PatientID", HOST, port)
    assert said.code == 0
    assert "\n3 matches, " in said.out


QUERY_OPTIONS = ("--relational", "--combined-datetime", "--fuzzy", "--timezone")


@pytest.mark.parametrize(
    ("options", "proposed", "granted", "told"),
    [
        ([], [], b"", ""),
        (["--relational"], [b"\1"], b"\1", ""),
        (["--fuzzy"], [b"\0\0\1"], b"\0\0\1", ""),
        (["--combined-datetime"], [b"\0\1\0"], b"\0\1\0", ""),
        (QUERY_OPTIONS, [b"\1\1\1\1"], b"\1\1\1\1", ""),
        (["--relational"], [b"\1"], None, "relational queries and retrievals"),
        (["--relational"], [b"\1"], b"\0", "relational queries and retrievals"),
        (QUERY_OPTIONS, [b"\1\1\1\1"], b"\1\1\0", "fuzzy matching of person names, time zone adjustment"),
    ],
)
def test_options_of_a_query(
    run: Run, serving: Start, asked: Asked, options: Sequence[str], proposed: list[bytes], granted: bytes | None, told: str
) -> None:
    heard: list[tuple[str, bytes]] = []

    def grant(sop_class: dimse.UID, information: bytes) -> bytes | None:
        heard.append((sop_class, information))
        return granted

    port = serving(replace(asked.services, extended=grant))
    said = run("find", *options, "-k", "PatientName", "-aec", "PEER", HOST, port)
    assert said.code == 0
    assert heard == [(dimse.StudyRootFind, information) for information in proposed]
    name = "Study Root Query/Retrieve Information Model - FIND"
    wanted = f"dimse find: PEER at {HOST}:{port} does not grant {told} in {name} (PS3.7 D.3.3.5): it answers as without\n"
    assert said.err == (wanted if told else "")
    verbose = run("find", "-v", *options, "-k", "PatientName", "-aec", "PEER", HOST, port).err
    assert (f"  granted in {name}: " in verbose) is (b"\1" in (granted or b""))


def test_no_match(run: Run, port: int, asked: Asked) -> None:
    asked.answers = []
    said = run("find", "-k", "PatientID", HOST, port)
    assert said.code == 0
    assert said.out.startswith("0 matches, ")
    assert run("find", "--json", HOST, port).out == ""


def test_a_failure_status(run: Run, serving: Start) -> None:
    def find(request: dimse.Request) -> Iterator[Match]:
        yield study(PatientID="1")
        raise dimse.Refused(0xA700, "too much")

    port = serving(dimse.Services(find=find))
    said = run("find", "-k", "PatientID", HOST, port)
    assert said.code == 1
    assert "\n1\n" in said.out
    assert f"dimse find: ANY-SCP at {HOST}:{port}: C-FIND failed: A700H Refused: out of resources (too much)\n" == said.err


def test_a_model_that_the_peer_does_not_have(run: Run, serving: Start) -> None:
    said = run("find", "-P", "-v", HOST, serving())
    assert said.code == 1
    assert "context 1: Patient Root Query/Retrieve Information Model - FIND in " in said.err
    assert "no presentation context for Patient Root Query/Retrieve Information Model - FIND: the peer answered" in said.err


def test_numbers_that_are_none_are_text(run: Run, scripted: Start) -> None:
    wrong = b"\x10\0\x20\x10\4\0\0\0NaN \x10\0\x30\x10\4\0\0\0abc "
    answer = message(response(CommandField.C_FIND_RSP, 0xFF00, has_data=True), wrong) + message(response(CommandField.C_FIND_RSP, 0))
    (match,) = run("find", "--json", HOST, scripted(accepting(1), answer, RELEASED)).results
    assert {key: str(value).strip().lower() for key, value in match.items()} == {"PatientSize": "nan", "PatientWeight": "abc"}


def test_a_match_that_cannot_be_read(run: Run, scripted: Start) -> None:
    pending = message(response(CommandField.C_FIND_RSP, 0xFF00, has_data=True), b"\x10\x00\x20\x00\xff\x00\x00\x00x")
    final = message(response(CommandField.C_FIND_RSP, 0))
    for words in ([], ["--json"], ["-v"]):
        said = run("find", *words, "-k", "PatientID", "-k", "PatientWeight", HOST, scripted(accepting(1), pending + final, RELEASED))
        assert said.code == 1
        assert "dimse find: match 1 cannot be read: " in said.err


@pytest.mark.parametrize("end", [ABORT, b""])
def test_an_end_on_the_way(run: Run, scripted: Start, end: bytes) -> None:
    pending = message(response(CommandField.C_FIND_RSP, 0xFF00, has_data=True), study(PatientID="1").encoded)
    said = run("find", "-k", "PatientID", HOST, scripted(accepting(1), pending + end))
    assert said.code == 4
    assert said.out == "PatientID\n1\n"
    assert run("move", "-aem", "D", "-k", "PatientID=1", HOST, scripted(accepting(1), end)).code == 4


def test_no_association(run: Run) -> None:
    assert run("find", HOST, 1).code == 3
    assert run("move", "-aem", "D", "-k", "PatientID=1", HOST, 1).code == 3


def test_move(run: Run, port: int, asked: Asked, serving: Start) -> None:
    stored: list[str] = []

    def store(request: dimse.Request, data: dimse.DataSet) -> None:
        uid = request.command.affected_sop_instance_uid or ""
        if uid == "1.2.1" and len(stored) == 3:
            raise dimse.Refused(0xA700)
        stored.append(uid)

    to = f"D{serving(dimse.Services(store=store))}"
    said = run("move", "-v", "-aem", to, "-k", "StudyInstanceUID=1.2", HOST, port)
    assert said.code == 0
    assert "2 completed, 0 failed, 0 with warnings" in said.out
    assert "pending: 1 remaining, 1 completed, 0 failed, 0 with warnings" in said.err
    said = run("move", "-P", "-aem", to, "-k", "PatientID=1", "-k", "QueryRetrieveLevel=PATIENT", "--json", HOST, port)
    (result,) = said.results
    assert said.code == 1
    assert (result["destination"], result["status"], result["completed"], result["failed"]) == (to, "B000H", 1, 1)
    assert (result["ok"], result["failed_uids"]) == (False, ["1.2.1"])
    assert "not moved: 1.2.1" in said.err
    assert [model for model, _ in asked.queries] == [dimse.StudyRootMove, "1.2.840.10008.5.1.4.1.2.1.2"]


def test_a_relational_move(run: Run, serving: Start, asked: Asked) -> None:
    heard: list[tuple[str, bytes]] = []

    def grant(sop_class: dimse.UID, information: bytes) -> None:
        heard.append((sop_class, information))

    port = serving(replace(asked.services, extended=grant))
    said = run("move", "--relational", "-aem", "NOBODY", "-k", "StudyInstanceUID=1.2", HOST, port)
    assert heard == [(dimse.StudyRootMove, b"\1")]
    assert "does not grant relational queries and retrievals in Study Root Query/Retrieve Information Model - MOVE" in said.err


def test_a_move_to_nobody(run: Run, port: int) -> None:
    said = run("move", "-aem", "NOBODY", "-k", "StudyInstanceUID=1.2", HOST, port)
    assert (said.code, said.out) == (1, "")
    assert "to NOBODY: A801H Refused: move destination unknown (who?); 0 completed" in said.err


def test_the_table_learns_its_widths_from_the_first_rows() -> None:
    shown: list[str] = []
    now = [0.0]
    table = Table(("A", "B"), shown.append, lambda: now[0])
    table.flush()
    assert shown == []
    for _ in range(AHEAD - 1):
        table.row(("xxx", "y"))
    assert shown == []
    table.row(("x" * 100, "y"))
    assert shown[0] == f"{'A':64}  B"
    assert shown[-1] == f"{'x' * 61}...  y"
    table.row(("z", "y"))
    assert shown[-1] == f"{'z':64}  y"
    late = Table(("A",), shown.append, lambda: now[0])
    late.row(("1",))
    now[0] = 1.0
    late.row(("2",))
    assert shown[-2:] == ["1", "2"]


def test_the_table_knows_wide_characters_and_marks() -> None:
    shown: list[str] = []
    table = Table(("Name", "ID"), shown.append)
    for name in ("山田^太郎", "Je\u0301ro\u0302me", "Doe^Jane^X"):
        table.row((name, "1"))
    table.row(("山" * 40, "2"))
    table.flush()
    assert shown == [
        f"Name{' ' * 62}ID",
        f"山田^太郎{' ' * 57}1",
        f"Je\u0301ro\u0302me{' ' * 60}1",
        f"Doe^Jane^X{' ' * 56}1",
        f"{'山' * 30}...   2",
    ]


def test_a_file_as_query_is_read_whatever_it_is(run: Run, port: int, asked: Asked, tmp_path: Path) -> None:
    path = write_instance(tmp_path / "1", "1.2.1")
    assert run("find", HOST, port, path).code == 0
    assert asked.queries[-1][1]["SOPInstanceUID"] == "1.2.1"
