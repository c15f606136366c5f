"""DCMTK's clients, unmodified, against our node and our receiver."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .peers import Lab, Server, contents, make_query, new_address, run, to
from .queries import PATIENT_KEYS, PATIENT_QUERY, ask_findscu, named
from .samples import Samples, assert_keeps, write_large, write_many

STUDY_KEYS = ("StudyInstanceUID", "StudyDescription", "PatientID")
SERIES_KEYS = ("SeriesInstanceUID", "SeriesDescription", "Modality")
STALLED_SECONDS = 44  # 500 instances, each held up twice for the 40 ms of a delayed acknowledgement


@pytest.fixture(params=["node", "receiver"])
def server(request: pytest.FixtureRequest, lab: Lab) -> Server:
    """Each of our two storage providers."""
    address = new_address("OURS")
    return lab.node(address) if request.param == "node" else lab.receiver(address)


@pytest.fixture
def node(lab: Lab, samples: Samples) -> Server:
    """Our node with all samples in it."""
    node = lab.node(new_address("OURS"))
    run("dcmsend", "+sd", "+r", *to(node.address), samples.folder)
    return node


def test_echoscu(server: Server) -> None:
    run("echoscu", *to(server.address))
    run("echoscu", "-pts", "38", "-ppc", "128", "--repeat", "3", *to(server.address))


def test_echoscu_that_aborts_leaves_the_server_whole(server: Server) -> None:
    run("echoscu", "--abort", *to(server.address))
    run("echoscu", *to(server.address))


def test_storescu(server: Server, samples: Samples) -> None:
    run("storescu", "-R", "-xy", "+sd", "+r", *to(server.address), samples.folder)
    assert_keeps(server.contents(), samples.files)


def test_storescu_with_all_its_128_contexts(server: Server, samples: Samples) -> None:
    plain = [file for file in samples.files if "photo" not in file.path.name]
    run("storescu", *to(server.address), *(file.path for file in plain))
    assert_keeps(server.contents(), plain)


@pytest.mark.parametrize("size", ["4096", "131072"])
def test_storescu_with_other_pdu_sizes(server: Server, samples: Samples, size: str) -> None:
    large = [file for file in samples.files if "thin" in file.path.name]
    run("storescu", "-R", "-pdu", size, "--max-send-pdu", size, *to(server.address), large[0].path)
    assert_keeps(server.contents(), large)


def test_dcmsend(server: Server, samples: Samples) -> None:
    said = run("dcmsend", "-v", "+sd", "+r", *to(server.address), samples.folder).output
    assert f"with status SUCCESS  : {len(samples.files)}" in said
    assert_keeps(server.contents(), samples.files)


@pytest.mark.parametrize("client", [("storescu", "-R"), ("dcmsend",)], ids=lambda words: words[0])
def test_many_small_instances_are_not_held_up_by_delayed_acknowledgements(server: Server, tmp_path: Path, client: tuple[str, ...]) -> None:
    many = write_many(tmp_path / "many", 500)
    start = time.monotonic()
    run(*client, "+sd", "+r", *to(server.address), many.folder)
    assert time.monotonic() - start < STALLED_SECONDS / 4
    assert_keeps(server.contents(), many.files)


def test_half_a_gigabyte_takes_little_memory(lab: Lab, tmp_path: Path) -> None:
    receiver = lab.receiver(new_address("OURS"))
    large = write_large(tmp_path / "large.dcm", 512 << 20)
    run("storescu", "-R", *to(receiver.address), large, timeout=300)
    (kept,) = (path for path in receiver.folder.rglob("*") if path.is_file())
    assert kept.stat().st_size > 512 << 20
    assert receiver.process.peak_memory() < 80 << 20


def test_findscu_with_keys(node: Server, samples: Samples, tmp_path: Path) -> None:
    words = ["-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientName=Hartgard*", "-k", "PatientID", "-k", "0010,0030"]
    found = ask_findscu(tmp_path / "found", node.address, *words, keys=PATIENT_KEYS)
    assert found == named(samples, "Hartgard", *PATIENT_KEYS)


def test_findscu_with_a_query_file(node: Server, samples: Samples, tmp_path: Path) -> None:
    query = make_query(tmp_path, "patients", PATIENT_QUERY)
    found = ask_findscu(tmp_path / "all", node.address, "-P", keys=PATIENT_KEYS, query=query)
    assert found == named(samples, "", *PATIENT_KEYS)
    found = ask_findscu(tmp_path / "one", node.address, "-P", "-k", "PatientName=Nezu*", keys=PATIENT_KEYS, query=query)
    assert found == named(samples, "Nezu", *PATIENT_KEYS)


def test_findscu_at_study_and_series_level(node: Server, samples: Samples, tmp_path: Path) -> None:
    words = ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=Hartgard^*", *_asked(STUDY_KEYS)]
    assert ask_findscu(tmp_path / "studies", node.address, *words, keys=STUDY_KEYS) == named(samples, "Hartgard^", *STUDY_KEYS)
    study = samples.files[-1].study
    words = ["-S", "-k", "QueryRetrieveLevel=SERIES", "-k", f"StudyInstanceUID={study}", *_asked(SERIES_KEYS)]
    assert ask_findscu(tmp_path / "series", node.address, *words, keys=SERIES_KEYS) == named(samples, "Nezu", *SERIES_KEYS)


def test_findscu_that_cancels(node: Server, samples: Samples) -> None:
    said = run(
        "findscu", "-v", "-P", "--cancel", "1", "-k", "QueryRetrieveLevel=PATIENT", *_asked(("PatientID",)), *to(node.address)
    ).output
    assert "Find Response: 1" in said
    run("echoscu", *to(node.address))


def test_movescu_to_a_third_party(lab: Lab, samples: Samples) -> None:
    target = lab.storescp(new_address("TARGET"))
    node = lab.node(new_address("OURS"), [target.address])
    run("dcmsend", "+sd", "+r", *to(node.address), samples.folder)
    study = samples.files[0].study
    words = ["-S", "-aem", "TARGET", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
    run("movescu", "-v", *words, *to(node.address))
    assert target.contents() == {uid: kept for uid, kept in node.contents().items() if uid in samples.uids(study)}


def test_movescu_that_receives_itself(lab: Lab, samples: Samples, tmp_path: Path) -> None:
    home, folder = new_address("TESTER"), tmp_path / "home"
    folder.mkdir()
    node = lab.node(new_address("OURS"), [home])
    run("dcmsend", "+sd", "+r", *to(node.address), samples.folder)
    words = ["-P", "+xa", "+P", str(home.port), "-od", str(folder), "-aem", "TESTER"]
    run("movescu", *words, "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID=HG-1", *to(node.address))
    assert_keeps(contents(folder), samples.named("Hartgard^Ilse"))


def test_movescu_to_an_unknown_destination_is_told_so(node: Server, samples: Samples) -> None:
    words = ["-S", "-aem", "NOBODY", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={samples.files[0].study}"]
    ended = run("movescu", "-v", *words, *to(node.address), code=None)
    assert ended.code != 0
    assert "MoveDestinationUnknown" in ended.output


def _asked(keys: tuple[str, ...]) -> list[str]:
    return [word for key in keys for word in ("-k", key)]
