"""X-02: what a node says of what it does has nothing of any patient in it, whatever goes wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dimse
from dimse.blocking import drive
from dimse.data.commands import CommandField, CommandSet
from dimse.data.uids import CTImageStorage, StudyRootFind, StudyRootGet, StudyRootMove

from .nodes import Node, node
from .providers import HOST

KEYS = {"PatientName": "PHI^TEST", "PatientID": "PHI-ID", "InstitutionName": "PHI WARD", "StudyInstanceUID": "1.2.3"}
SECRETS = ("PHI", "TEST", "WARD")
HOW = [pytest.param((), id="X-02/quiet"), pytest.param(("-v",), id="X-02/text"), pytest.param(("-v", "-d", "--json"), id="X-02/json")]
FAILING = """
import sys
import dimse, dimse.archive
from dimse.cli import main

def fail(request):
    raise ValueError(f"what is to be done with {request.identifier.dataset}?")

def refuse(request):
    raise dimse.Refused(0xC001, f"not for {request.identifier['PatientName']}")

def answer(request):
    yield request.identifier
    fail(request)

class Sink:
    def __init__(self, request): self.held = b""
    def write(self, pieces): self.held += b"".join(pieces)
    def finish(self): raise OSError(28, "No space left on device", f"/data/{self.held!r}")
    def discard(self): raise RuntimeError(repr(self.held))

find = {"fail": fail, "refuse": refuse, "answer": answer}[sys.argv.pop(1)]
services = dimse.Services(sink=Sink, find=find, get=fail, move=fail, where=lambda request, title: dimse.Address(title, "127.0.0.1", 1))
dimse.archive.Archive.services = lambda *args, **options: services
sys.exit(main(sys.argv[1:]))
"""
"""The command with handlers that fail, and have the patient in what they raise."""


def _instance(uid: str, **keys: str) -> dimse.BytesSource:
    data = dimse.query(None, SOPClassUID=CTImageStorage, SOPInstanceUID=uid, SeriesInstanceUID="1.2.3.1", **KEYS, **keys)
    return dimse.BytesSource(data.encoded, CTImageStorage, dimse.UID(uid), data.transfer_syntax)


def _store(port: int, *sources: dimse.BytesSource) -> list[int]:
    with dimse.connect(HOST, port, contexts=dimse.contexts_for(sources)) as association:
        return [int(status) for _, status in association.store_all(sources)]


def _find(port: int, **keys: str) -> int:
    """How many matches there are, or the status that came instead of the last."""
    with dimse.connect(HOST, port, contexts=[StudyRootFind]) as association:
        try:
            return len(list(association.find(dimse.query("STUDY", **{**KEYS, **keys}))))
        except dimse.OperationFailed as error:
            return int(error.status)


def _move(port: int, to: str) -> int:
    with dimse.connect(HOST, port, contexts=[StudyRootMove]) as association:
        return int(association.move(dimse.query("STUDY", **KEYS), to=to).status)


def _get(port: int, folder: Path) -> int:
    contexts = dimse.contexts_for_get([CTImageStorage], models=[StudyRootGet])
    with dimse.connect(HOST, port, contexts=contexts) as association:
        return int(association.get(dimse.query("STUDY", **KEYS), dimse.FolderSink(folder).open).status)


def _abandon(port: int, source: dimse.BytesSource) -> None:
    """A C-STORE whose data set does not come."""
    association = dimse.connect(HOST, port, contexts=dimse.contexts_for([source]))
    command = CommandSet(
        CommandField.C_STORE_RQ,
        affected_sop_class_uid=source.sop_class_uid,
        message_id=1,
        priority=0,
        command_data_set_type=1,
        affected_sop_instance_uid=source.sop_instance_uid,
    )
    drive(association.session.send(association.accepted[0], command))
    association.abort()


def _check(running: Node, trace: Path) -> tuple[list[str], str]:
    """Ends the node; its lines, and what it said on standard error. None of it, nor of its trace, has anything of the patient."""
    said, errors = running.stop()
    traced = trace.read_text(encoding="utf-8")
    for text in (running.announced, said, errors, traced):
        assert [secret for secret in SECRETS if secret in text] == []
    assert "Traceback" not in said + errors
    assert {json.loads(line).get("pdu") for line in traced.splitlines()} >= {"A-ASSOCIATE-RQ", "P-DATA-TF"}
    return said.splitlines(), errors


@pytest.mark.parametrize("how", HOW)
def test_a_node_tells_nothing_of_patients(how: tuple[str, ...], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with node(tmp_path, *how, "--trace", trace, "--peer", f"NOWHERE={HOST}:1") as running:
        port = running.port
        assert _store(port, _instance("1.2.3.1.1"), _instance("1.2.3.1.1", PatientComments="PHI")) == [0, 0x0111]
        assert _find(port) == 1
        assert _find(port, PatientName="PHI^*", StudyInstanceUID="") == 1
        assert _find(port, PatientName="TEST^PHI") == 0
        assert _get(port, tmp_path / "got") == 0
        assert _move(port, "NOWHERE") == 0xA702
        assert _move(port, "UNKNOWN") == 0xA801
        (tmp_path / "data" / "objects").rename(tmp_path / "elsewhere")
        (tmp_path / "data" / "objects").touch()  # in which nothing can be kept now
        assert [dimse.Status(status).category for status in _store(port, _instance("1.2.3.1.2"))] == [dimse.Category.FAILURE]
        assert dimse.Status(_get(port, tmp_path / "got")).category is not dimse.Category.SUCCESS
        lines, errors = _check(running, trace)
    assert len(lines) >= 9
    assert any("A702H" in line for line in lines)
    assert ("C-FIND at level STUDY" in errors) is ("-v" in how)
    assert ("Sta6" in errors) is ("-d" in how)
    assert [json.loads(line)["ended"] for line in lines if "--json" in how] == ["released"] * (len(lines) if "--json" in how else 0)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(("find", "status"), [("fail", 0x0110), ("refuse", 0xC001), ("answer", 0x0110)])
def test_a_node_tells_nothing_of_patients_where_handlers_fail(find: str, status: int, how: tuple[str, ...], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with node(tmp_path, *how, "--trace", trace, program=("-c", FAILING, find)) as running:
        port = running.port
        assert _store(port, _instance("1.2.3.1.1")) == [0x0110]
        _abandon(port, _instance("1.2.3.1.2"))
        assert _find(port) == status
        assert _move(port, "NOWHERE") == 0x0110
        assert _get(port, tmp_path / "got") == 0x0110
        lines, errors = _check(running, trace)
    assert len(lines) == 5
    failed = {"OSError": 1, "RuntimeError": 1, "ValueError": 2 if find == "refuse" else 3}
    assert {error: errors.count(f"answered 0110H: {error}") for error in failed} == failed
