"""C-GET and C-MOVE with real programs: what comes is what was stored, or its pixels; and destinations that die."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom import dcmread

from dimse.data.sources import FileSource
from dimse.data.uids import ExplicitVRLittleEndian
from dimse.services.recoding import converted

from .peers import Address, Lab, Orthanc, Server, contents, dimse, new_address, run, to
from .samples import Samples, assert_keeps, write_many

COMPRESSED = Path(pydicom.__file__).parent / "data" / "test_files"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


def _filled(lab: Lab, samples: Samples, *peers: Address, kind: str = "node") -> Server:
    """An archive of that kind with all samples in it."""
    address = new_address("ARCHIVE")
    starts: dict[str, Callable[..., Server]] = {"node": lab.node, "dcmqrscp": lab.dcmqrscp, "orthanc": lab.orthanc}
    server = starts[kind](address, peers)
    dimse("send", *to(address), samples.folder)
    return server


def _made(folder: Path) -> Path:
    """A folder for what is fetched, beside those of the lab."""
    (folder / "fetched").mkdir(exist_ok=True)
    return folder / "fetched"


def _of(patient: str) -> list[str]:
    return ["-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", f"PatientID={patient}"]


def _study(uid: str) -> list[str]:
    return ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}"]


@pytest.mark.parametrize(("option", "syntax"), [("+xe", EXPLICIT), ("+xi", EXPLICIT)])
def test_getscu(option: str, syntax: str, lab: Lab, samples: Samples, tmp_path: Path) -> None:
    """Every byte of what is stored as it is asked for, and the same data of what is not.

    Of a context with several uncompressed transfer syntaxes the node takes the first; with +xi getscu 3.6.7 proposes explicit VR only.
    """
    node, study = _filled(lab, samples), samples.files[0].study  # explicit and implicit
    run("getscu", "-v", "+B", option, "-od", _made(tmp_path), *_study(study), *to(node.address))
    kept = contents(_made(tmp_path))
    assert_keeps(kept, samples.of_study(study))
    assert {instance.transfer_syntax for instance in kept.values()} == {syntax}


def test_getscu_of_what_is_compressed(lab: Lab, tmp_path: Path) -> None:
    """With +xy getscu proposes JPEG and what is uncompressed in one context; nothing uncompressed could come in JPEG."""
    node = lab.node(new_address("ARCHIVE"))
    file = COMPRESSED / "SC_rgb_jpeg_dcmtk.dcm"
    dimse("send", *to(node.address), file)
    run("getscu", "-v", "+B", "+xy", "-od", _made(tmp_path), *_study(dcmread(file).StudyInstanceUID), *to(node.address))
    (kept,) = contents(_made(tmp_path)).values()
    assert (kept.transfer_syntax, kept.data) == (EXPLICIT, converted(FileSource(file), ExplicitVRLittleEndian).encoded)


@pytest.mark.parametrize("option", ["+xy", "+xs", "+xr"])
def test_getscu_that_would_rather_have_it_compressed(option: str, lab: Lab, samples: Samples, tmp_path: Path) -> None:
    node, study = _filled(lab, samples), samples.files[0].study  # explicit and implicit
    run("getscu", "-v", "+B", option, "-od", _made(tmp_path), *_study(study), *to(node.address))
    assert_keeps(contents(_made(tmp_path)), samples.of_study(study))


@pytest.mark.parametrize("kind", ["dcmqrscp", "orthanc", "node"])
@pytest.mark.parametrize("as_stored", [False, True])
def test_our_get(kind: str, as_stored: bool, lab: Lab, samples: Samples, tmp_path: Path) -> None:
    server = _filled(lab, samples, kind=kind)
    options = ["--as-stored"] if as_stored else []
    for patient in ("HG-2", "NZ-7"):
        dimse("get", *options, "-od", _made(tmp_path), *_of(patient), *to(server.address))
    wanted = [*samples.named("Hartgardt"), *samples.named("Nezu")]
    kept = contents(_made(tmp_path))
    assert_keeps(kept, wanted)
    assert {uid: instance.data for uid, instance in kept.items()} == {file.sop_instance: file.data for file in wanted}


@pytest.mark.parametrize("kind", ["orthanc", "node"])
def test_our_get_of_what_is_compressed(kind: str, lab: Lab, samples: Samples, tmp_path: Path) -> None:
    server = _filled(lab, samples, kind=kind)
    dimse("get", "--as-stored", "-od", _made(tmp_path), *_of("HG-1"), *to(server.address))
    kept = contents(_made(tmp_path))
    wanted = {file.sop_instance: (file.transfer_syntax, file.data) for file in samples.named("Hartgard^")}
    assert {uid: (instance.transfer_syntax, instance.data) for uid, instance in kept.items()} == wanted


def test_compressed_for_a_destination_that_takes_implicit_only(lab: Lab, tmp_path: Path) -> None:
    """Each of the transfer syntaxes that the codecs know: the pixels that pydicom finds in the file itself."""
    target = lab.storescp(new_address("TARGET"), "+xi")
    node = lab.node(new_address("OURS"), [target.address])
    files = [COMPRESSED / f"{name}.dcm" for name in ("MR_small_RLE", "SC_rgb_jpeg_gdcm", "SC_rgb_jpeg_dcmtk", "JPEG2000")]
    dimse("send", *to(node.address), *files)
    for study in {dcmread(file).StudyInstanceUID for file in files}:
        run("movescu", "-v", "-aem", "TARGET", *_study(study), *to(node.address))
    kept = target.contents()
    assert {instance.transfer_syntax for instance in kept.values()} == {IMPLICIT}
    for file in files:
        stored = dcmread(file)
        came = dcmread(_whole(target, stored.SOPInstanceUID))
        assert (came.pixel_array == stored.pixel_array).all()


def _whole(server: Server, uid: str) -> io.BytesIO:
    found = (path.read_bytes() for path in server.folder.rglob("*") if path.is_file())
    return io.BytesIO(next(file for file in found if dcmread(io.BytesIO(file), stop_before_pixels=True).SOPInstanceUID == uid))


def _orthanc_and_node(lab: Lab, samples: Samples) -> tuple[Orthanc, Server]:
    orthanc_at = new_address("ORTHANC")
    node = lab.node(new_address("OURS"), [orthanc_at])
    run("dcmsend", "+sd", "+r", *to(node.address), samples.folder)
    return lab.orthanc(orthanc_at, [node.address]), node


def test_orthanc_queries_and_retrieves(lab: Lab, samples: Samples) -> None:
    """Over its REST interface: C-FIND, then C-MOVE of an answer, to itself."""
    orthanc, node = _orthanc_and_node(lab, samples)
    query = {"Level": "Study", "Query": {"PatientName": "Hartgard*", "StudyDescription": ""}}
    made = orthanc.json("/modalities/OURS/query", query)
    assert isinstance(made, dict)
    answers = orthanc.json(f"/queries/{made['ID']}/answers")
    studies = {
        str(orthanc.json(f"/queries/{made['ID']}/answers/{answer}/content?simplify")["StudyInstanceUID"])  # type: ignore[index]  # JSON
        for answer in answers  # type: ignore[attr-defined]  # JSON
    }
    assert studies == {file.study for file in samples.named("Hartgard")}
    orthanc.rest(f"/queries/{made['ID']}/retrieve", b"ORTHANC")
    assert orthanc.contents() == {file.sop_instance: node.contents()[file.sop_instance] for file in samples.named("Hartgard")}


@pytest.mark.parametrize("level", ["Study", "Series", "Instance"])
def test_orthanc_moves(level: str, lab: Lab, samples: Samples) -> None:
    orthanc, _ = _orthanc_and_node(lab, samples)
    one = samples.files[0]
    keys = {"StudyInstanceUID": one.study, "SeriesInstanceUID": one.series, "SOPInstanceUID": one.sop_instance}
    count = {"Study": 1, "Series": 2, "Instance": 3}[level]
    resource = {key: keys[key] for key in list(keys)[:count]}
    orthanc.json("/modalities/OURS/move", {"Level": level, "Resources": [resource], "TargetAet": "ORTHANC"})
    wanted = {
        file.sop_instance
        for file in samples.files
        if (file.study, file.series, file.sop_instance)[:count] == (one.study, one.series, one.sop_instance)[:count]
    }
    assert set(orthanc.contents()) == wanted


def test_orthanc_asks_for_patients_where_there_are_none(lab: Lab, samples: Samples) -> None:
    """It asks for the level PATIENT in the Study Root model, which has none: A900H (PS3.4 C.6.2.1, Table C.4-2)."""
    orthanc, node = _orthanc_and_node(lab, samples)
    with pytest.raises(OSError, match="500"):
        orthanc.json("/modalities/OURS/move", {"Level": "Patient", "Resources": [{"PatientID": "HG-1"}], "TargetAet": "ORTHANC"})
    node.process.wait_until(lambda: "A900H" in node.process.said(), "its line about the C-MOVE")
    assert orthanc.instances() == []


def test_orthanc_fetches_from_nobody_it_may_not(lab: Lab, samples: Samples) -> None:
    """A destination that our node does not know: Orthanc's job fails, and nothing is sent."""
    node = _filled(lab, samples)
    orthanc = lab.orthanc(new_address("ORTHANC"), [node.address])
    made = orthanc.json("/modalities/ARCHIVE/query", {"Level": "Study", "Query": {"PatientID": "HG-1"}})
    assert isinstance(made, dict)
    with pytest.raises(OSError, match="500"):
        orthanc.rest(f"/queries/{made['ID']}/retrieve", b"ORTHANC")
    assert orthanc.instances() == []


def test_a_destination_that_is_killed_half_way(lab: Lab, tmp_path: Path) -> None:
    """D-26: what it took is counted as completed, all others failed, and the node serves on."""
    many = write_many(tmp_path / "many", 30)
    target = lab.storescp(new_address("TARGET"), "--sleep-after", "1")
    node = lab.node(new_address("OURS"), [target.address])
    dimse("send", *to(node.address), many.folder)
    killer = threading.Thread(target=_kill_when_it_has_some, args=(target,))
    killer.start()
    said = dimse("move", "--json", "-aem", "TARGET", *_study(many.files[0].study), *to(node.address), code=1)
    killer.join()
    (result,) = said.json_lines()
    completed, failed = result["completed"], result["failed"]
    assert isinstance(completed, int)
    assert isinstance(failed, int)
    assert completed + failed == 30
    assert 0 < completed < 30
    assert result["status"] == "B000H"
    assert set(result["failed_uids"]).isdisjoint(uid for uid, _ in list(target.contents().items())[:completed])  # type: ignore[call-overload]  # JSON
    dimse("echo", *to(node.address))


def _kill_when_it_has_some(target: Server) -> None:
    while len(list(target.folder.iterdir())) < 3:
        time.sleep(0.02)
    target.process.popen.kill()
