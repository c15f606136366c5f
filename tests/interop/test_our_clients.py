"""`dimse echo`, `send`, `find` and `move` against DCMTK's servers and Orthanc."""

from __future__ import annotations

from pathlib import Path

import pytest

from .peers import Address, Lab, Server, dimse, make_query, new_address, run, run_measured, to
from .queries import PATIENT_KEYS, PATIENT_QUERY, ask_dimse, named
from .samples import Samples, assert_keeps, write_large

STUDY_KEYS = ("StudyInstanceUID", "StudyDescription", "PatientID")


def start(kind: str, lab: Lab, *peers: Address) -> Server:
    """One of the servers that are not ours; the archives know where the peers are."""
    address = new_address(kind.upper())
    if kind == "storescp":
        return lab.storescp(address)
    return lab.dcmqrscp(address, peers) if kind == "dcmqrscp" else lab.orthanc(address, peers)


@pytest.mark.parametrize("kind", ["storescp", "dcmqrscp", "orthanc"])
def test_echo(kind: str, lab: Lab) -> None:
    dimse("echo", *to(start(kind, lab).address))


@pytest.mark.parametrize("kind", ["storescp", "dcmqrscp", "orthanc"])
def test_send_a_folder(kind: str, lab: Lab, samples: Samples) -> None:
    server = start(kind, lab)
    dimse("send", *to(server.address), samples.folder)
    kept = server.contents()
    assert_keeps(kept, samples.files)
    assert {uid: instance.transfer_syntax for uid, instance in kept.items()} == {f.sop_instance: f.transfer_syntax for f in samples.files}


def test_send_converts_what_it_can_and_names_what_is_refused(lab: Lab, samples: Samples) -> None:
    server = lab.storescp(new_address("STORE"), "+xi")  # implicit VR little endian only
    said = dimse("send", *to(server.address), samples.folder, code=1).output
    assert "JPEG Baseline" in said
    assert "photo-001.dcm" in said
    kept = server.contents()
    assert_keeps(kept, [file for file in samples.files if "photo" not in file.path.name])
    assert {instance.transfer_syntax for instance in kept.values()} == {"1.2.840.10008.1.2"}


def test_send_skips_what_is_not_dicom(lab: Lab, samples: Samples, tmp_path: Path) -> None:
    server = lab.storescp(new_address("STORE"))
    (tmp_path / "notes.txt").write_text("no DICOM in here")
    said = dimse("send", *to(server.address), tmp_path / "notes.txt", samples.files[0].path, code=None).output
    assert "notes.txt" in said
    assert_keeps(server.contents(), samples.files[:1])


def test_half_a_gigabyte_takes_little_memory(lab: Lab, tmp_path: Path) -> None:
    server = lab.storescp(new_address("STORE"))
    large = write_large(tmp_path / "large.dcm", 512 << 20)
    _, peak = run_measured("dimse", "send", *to(server.address), large, timeout=300)
    (kept,) = (path for path in server.folder.rglob("*") if path.is_file())
    assert kept.stat().st_size > 512 << 20
    assert peak < 80 << 20


@pytest.mark.parametrize("kind", ["dcmqrscp", "orthanc"])
def test_find(kind: str, lab: Lab, samples: Samples, tmp_path: Path) -> None:
    server = start(kind, lab)
    run("dcmsend", "+sd", "+r", *to(server.address), samples.folder)
    words = ["-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientName=Hartgard*", "-k", "PatientID", "-k", "(0010,0030)"]
    assert ask_dimse(server.address, *words, keys=PATIENT_KEYS) == named(samples, "Hartgard", *PATIENT_KEYS)
    words = ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=HG-1", "-k", "StudyInstanceUID", "-k", "StudyDescription"]
    assert ask_dimse(server.address, *words, keys=STUDY_KEYS) == named(samples, "Hartgard^Ilse", *STUDY_KEYS)


@pytest.mark.parametrize("form", ["text", "file"])
def test_find_with_a_query_file(form: str, lab: Lab, samples: Samples, tmp_path: Path) -> None:
    server = lab.dcmqrscp(new_address("QR"))
    run("dcmsend", "+sd", "+r", *to(server.address), samples.folder)
    query = make_query(tmp_path, "patients", PATIENT_QUERY).with_suffix(".txt" if form == "text" else ".dcm")
    found = ask_dimse(server.address, "-P", "-k", "PatientName=Hartgard*", keys=PATIENT_KEYS, query=query)
    assert found == named(samples, "Hartgard", *PATIENT_KEYS)


@pytest.mark.parametrize("target_kind", ["storescp", "receiver"])
@pytest.mark.parametrize("kind", ["dcmqrscp", "orthanc"])
def test_move(kind: str, target_kind: str, lab: Lab, samples: Samples) -> None:
    target = (lab.storescp if target_kind == "storescp" else lab.receiver)(new_address("TARGET"))
    server = start(kind, lab, target.address)
    dimse("send", *to(server.address), samples.folder)
    study = samples.files[0 if kind == "dcmqrscp" else 4].study  # dcmqrscp proposes no JPEG; the other has implicit VR and JPEG
    dimse("move", "-S", "-aem", "TARGET", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}", *to(server.address))
    assert_keeps(target.contents(), samples.of_study(study))


def test_move_to_an_unknown_destination_fails_with_its_words(lab: Lab, samples: Samples) -> None:
    server = lab.dcmqrscp(new_address("QR"))
    dimse("send", *to(server.address), samples.files[0].path)
    words = ["-S", "-aem", "NOBODY", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={samples.files[0].study}"]
    said = dimse("move", *words, *to(server.address), code=1)
    assert "A801" in said.output


@pytest.mark.parametrize("command", ["echo", "send", "find"])
def test_no_association_is_exit_code_3_and_one_clear_line(command: str, lab: Lab, samples: Samples) -> None:
    refusing = lab.storescp(new_address("STORE"), "--refuse")
    rest = {"echo": [], "send": [str(samples.files[0].path)], "find": []}[command]
    for address in (refusing.address, new_address("NOBODY")):
        said = dimse(command, *to(address), *rest, code=3)
        assert str(address.port) in said.stderr
        assert "Traceback" not in said.output


def test_abort_on_the_way_is_exit_code_4(lab: Lab, samples: Samples) -> None:
    server = lab.storescp(new_address("STORE"), "--abort-after")
    said = dimse("send", *to(server.address), samples.files[0].path, code=4)
    assert "abort" in said.stderr.lower()
    assert "Traceback" not in said.output
