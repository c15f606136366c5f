"""The walk-through of the README: Orthanc and our node side by side, with DCMTK's tools and with ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from .peers import Address, Lab, Orthanc, Server, dimse, make_query, new_address, run, to
from .queries import PATIENT_KEYS, PATIENT_QUERY, ask_dimse, ask_findscu, named
from .samples import Samples, assert_keeps


@dataclass(frozen=True)
class Site:
    """The three archives of the walk-through, each of which knows the other two."""

    orthanc: Orthanc
    node: Server
    second: Server


@pytest.fixture
def site(lab: Lab) -> Site:
    orthanc, node, second = map(new_address, ("ORTHANC", "ARCHIVE", "SECOND"))
    known: list[Address] = [orthanc, node, second]
    return Site(lab.orthanc(orthanc, known), lab.node(node, known), lab.node(second, known))


@pytest.mark.parametrize("sender", ["dcmsend", "dimse send"])
def test_step_1_a_folder_goes_to_both(sender: str, site: Site, samples: Samples) -> None:
    for server in (site.orthanc, site.node):
        _upload(sender, server, samples)
        assert_keeps(server.contents(), samples.files)
    assert site.orthanc.contents() == site.node.contents()


def test_step_2_both_give_the_same_answers(site: Site, samples: Samples, tmp_path: Path) -> None:
    query = make_query(tmp_path, "query", PATIENT_QUERY)
    wanted = named(samples, "Hartgard", *PATIENT_KEYS)
    for server in (site.orthanc, site.node):
        _upload("dcmsend", server, samples)
        folder = tmp_path / server.address.aet
        assert ask_findscu(folder, server.address, "-P", "-k", "PatientName=Hartgard*", keys=PATIENT_KEYS, query=query) == wanted
        assert ask_dimse(server.address, "-P", "-k", "PatientName=Hartgard*", keys=PATIENT_KEYS, query=query) == wanted


@pytest.mark.parametrize("mover", ["movescu", "dimse move"])
def test_step_3_a_study_moves_from_each_to_the_next(mover: str, site: Site, samples: Samples) -> None:
    study = samples.files[4].study
    _upload("dimse send", site.orthanc, samples)
    _move(mover, study, site.orthanc, site.node)
    assert_keeps(site.node.contents(), samples.of_study(study))
    _move(mover, study, site.node, site.second)
    assert site.second.contents() == site.node.contents()
    site.orthanc.clear()
    _move(mover, study, site.node, site.orthanc)
    assert site.orthanc.contents() == site.node.contents()


def _upload(sender: str, server: Server, samples: Samples) -> None:
    if sender == "dcmsend":
        run("dcmsend", "-v", "+sd", "+r", *to(server.address), samples.folder)
    else:
        dimse("send", *to(server.address), samples.folder)


def _move(mover: str, study: str, source: Server, target: Server) -> None:
    words = ["-S", "-aem", target.address.aet, "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
    run("movescu", *words, *to(source.address)) if mover == "movescu" else dimse("move", *words, *to(source.address))
