"""TLS and user identities with the real programs: DCMTK's clients and servers, and Orthanc, over loopback with certificates of one CA."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dimse.services.passcodes import Cost, set_passcode
from tests.certificates import Holder, Site
from tests.test_readme import blocks

from .peers import ENVIRONMENT, Address, Lab, Server, contents, dimse, new_address, peer_program, run, to
from .queries import PATIENT_KEYS, ask_dimse, ask_findscu, named
from .samples import Samples, assert_keeps
from .test_tour import play

PATIENTS = ["-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientName", "-k", "PatientID", "-k", "PatientBirthDate"]


@dataclass(frozen=True)
class Papers:
    """A site's CA, certificates of a server and a client from it, and a stranger's."""

    site: Site
    server: Holder
    client: Holder
    stranger: Holder
    expired: Holder

    def ours(self, holder: Holder, ca: Path | None = None) -> list[str]:
        """The words with which a program of ours uses them."""
        return ["--tls-key", str(holder.key), "--tls-cert", str(holder.certificate), "--tls-ca", str(ca or self.site.ca)]

    def dcmtk(self, holder: Holder, ca: Path | None = None) -> list[str]:
        """The same for DCMTK's."""
        return ["+tls", str(holder.key), str(holder.certificate), "+cf", str(ca or self.site.ca)]


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    site, other = Site(folder), Site(folder, "other")
    return Papers(site, site.issue("server"), site.issue("client"), other.issue("stranger"), site.issue("expired", expired=True))


@pytest.fixture(params=["node", "receiver"])
def server(request: pytest.FixtureRequest, lab: Lab, papers: Papers) -> Server:
    """Each of our two providers, for TLS only."""
    return _node(lab, papers) if request.param == "node" else lab.receiver(new_address("OURS"), *papers.ours(papers.server))


def _said(server: Server, words: str) -> str:
    """What a server of ours has said, once these words are among it: it tells of an association when the client may have gone."""
    server.process.wait_until(lambda: words in server.process.said(), words)
    return server.process.said()


def _node(lab: Lab, papers: Papers, *options: str) -> Server:
    return lab.node(new_address("OURS"), (), *papers.ours(papers.server), *options)


# DCMTK's clients


@pytest.mark.parametrize(("profile", "version"), [("+py", "TLSv1.3"), ("+px", "TLSv1.3"), ("+pz", "TLSv1.2")])
def test_echoscu_in_the_profiles_of_today(profile: str, version: str, lab: Lab, papers: Papers) -> None:
    """Non-downgrading BCP 195, BCP 195, and Extended BCP 195, which DCMTK speaks over TLS 1.2."""
    node = _node(lab, papers, "-v")
    run("echoscu", profile, *papers.dcmtk(papers.client), *to(node.address))
    assert f"{version} with " in _said(node, f"certificate of client, 127.0.0.1, localhost, SHA-256 {papers.client.fingerprint}")


@pytest.mark.parametrize("profile", ["+pa", "+pn"])
def test_echoscu_in_a_retired_profile_is_refused(profile: str, lab: Lab, papers: Papers) -> None:
    """AES without ECDHE, and no encryption at all."""
    node = _node(lab, papers)
    assert "handshake failure" in run("echoscu", profile, *papers.dcmtk(papers.client), *to(node.address), code=None).output
    _said(node, "the peer takes no cipher suite that this side takes")


def test_storescu(server: Server, papers: Papers, samples: Samples) -> None:
    run("storescu", "-R", "-xy", "+sd", "+r", *papers.dcmtk(papers.client), *to(server.address), samples.folder)
    assert_keeps(server.contents(), samples.files)


def test_findscu(lab: Lab, papers: Papers, samples: Samples, tmp_path: Path) -> None:
    node = _node(lab, papers)
    dimse("send", *papers.ours(papers.client), *to(node.address), samples.folder)
    words = [*papers.dcmtk(papers.client), *PATIENTS]
    assert ask_findscu(tmp_path / "found", node.address, *words, keys=PATIENT_KEYS) == named(samples, "", *PATIENT_KEYS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (lambda p: [], "the peer speaks DICOM without TLS"),
        (lambda p: p.dcmtk(p.stranger), "the peer's certificate is signed by a CA that is not trusted here"),
        (lambda p: p.dcmtk(p.client, p.stranger.certificate), "the peer does not trust the CA of this side's certificate"),
        (lambda p: ["+tla", "-ic"], "the peer has shown no certificate, and this side demands one"),
    ],
    ids=["plain", "stranger", "other CA", "no certificate"],
)
def test_echoscu_with_the_wrong_papers(words: Callable[[Papers], list[str]], said: str, lab: Lab, papers: Papers) -> None:
    node = _node(lab, papers)
    assert run("echoscu", *words(papers), *to(node.address), code=None).code != 0
    _said(node, said)
    run("echoscu", *papers.dcmtk(papers.client), *to(node.address))


def test_echoscu_with_tls_at_a_plain_port(lab: Lab, papers: Papers) -> None:
    node = lab.node(new_address("OURS"))
    assert run("echoscu", *papers.dcmtk(papers.client), *to(node.address), code=None).code != 0
    assert "TLS" in _said(node, "(no association) from 127.0.0.1:").splitlines()[1]


def test_an_ae_title_belongs_to_a_certificate(lab: Lab, papers: Papers) -> None:
    node = _node(lab, papers, "--tls-caller", "client=CT1,CT2", "--tls-caller", f"{papers.server.fingerprint}=ARCHIVE2")
    for calling, holder, code in (
        ("CT2", papers.client, 0),
        ("ARCHIVE2", papers.server, 0),
        ("CT1", papers.server, 1),
        ("CT3", papers.client, 1),
    ):
        run("echoscu", *papers.dcmtk(holder), *to(node.address, calling), code=code)


def test_storescu_with_a_user(lab: Lab, papers: Papers, samples: Samples, tmp_path: Path) -> None:
    set_passcode(tmp_path / "users", "doe", "secret", Cost(n=2**4, r=1, p=1))
    node = _node(lab, papers, "--users", str(tmp_path / "users"))
    file, tls = samples.files[0], papers.dcmtk(papers.client)
    for words in ([], ["-usr", "doe"], ["-usr", "doe", "-pwd", "wrong"], ["-usr", "roe", "-pwd", "secret"]):
        assert "Association Rejected" in run("storescu", *words, *tls, *to(node.address), file.path, code=None).output
    run("storescu", "-usr", "doe", "-pwd", "secret", "-rsp", *tls, *to(node.address), file.path)
    assert_keeps(node.contents(), [file])
    assert "secret" not in _said(node, "TESTER (user doe) from")


# DCMTK's servers and Orthanc


def test_our_clients_and_storescp(lab: Lab, papers: Papers, samples: Samples) -> None:
    target = lab.storescp(new_address("STORE"), *papers.dcmtk(papers.server))
    said = dimse("echo", "-v", *papers.ours(papers.client), *to(target.address)).output
    assert "TLSv1.3 with TLS_" in said
    assert f"certificate of server, 127.0.0.1, localhost, SHA-256 {papers.server.fingerprint}" in said
    dimse("send", *papers.ours(papers.client), *to(target.address), samples.folder)
    assert_keeps(target.contents(), samples.files)
    pin = ["--tls-pin", papers.server.fingerprint, *papers.ours(papers.client)[:4]]
    dimse("echo", *pin, *to(target.address))


def test_our_node_sends_to_storescp(lab: Lab, papers: Papers, samples: Samples, tmp_path: Path) -> None:
    """The destination's TLS stands in the configuration file. (movescu itself has no TLS.)"""
    target = lab.storescp(new_address("TARGET"), *papers.dcmtk(papers.server))
    config = tmp_path / "node.toml"
    config.write_text(
        f'[peers.TARGET]\nhost = "{target.address.host}"\nport = {target.address.port}\n'
        f'tls = {{ key = "{papers.client.key}", cert = "{papers.client.certificate}", ca = "{papers.site.ca}" }}\n'
    )
    node = _node(lab, papers, "--config", str(config))
    dimse("send", *papers.ours(papers.client), *to(node.address), samples.folder)
    study = samples.files[0].study
    words = ["-S", "-aem", "TARGET", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
    dimse("move", *papers.ours(papers.client), *words, *to(node.address))
    assert target.contents() == {uid: kept for uid, kept in node.contents().items() if uid in samples.uids(study)}


def test_orthanc_both_ways(lab: Lab, papers: Papers, samples: Samples) -> None:
    """We send to Orthanc over TLS, and Orthanc sends to our node over TLS."""
    node = _node(lab, papers)
    settings: dict[str, object] = {
        "DicomTlsEnabled": True,
        "DicomTlsPrivateKey": str(papers.server.key),
        "DicomTlsCertificate": str(papers.server.certificate),
        "DicomTlsTrustedCertificates": str(papers.site.ca),
        "DicomModalities": {"node": {"AET": "OURS", "Host": node.address.host, "Port": node.address.port, "UseDicomTls": True}},
    }
    orthanc = lab.orthanc(new_address("ORTHANC"), (), **settings)
    tls = papers.ours(papers.client)
    dimse("echo", *tls, *to(orthanc.address))
    dimse("send", *tls, *to(orthanc.address), samples.folder)
    assert ask_dimse(orthanc.address, *tls, *PATIENTS, keys=PATIENT_KEYS) == named(samples, "", *PATIENT_KEYS)
    orthanc.rest("/modalities/node/store", orthanc.instances())
    assert node.contents() == orthanc.contents()
    assert_keeps(node.contents(), samples.files)


WRONG: list[tuple[Callable[[Papers], list[str]], str]] = [
    (lambda p: p.ours(p.client, p.stranger.certificate), "the peer's certificate is signed by a CA that is not trusted here"),
    (lambda p: ["--tls"], "the peer's certificate is signed by a CA that is not trusted here"),
    (lambda p: p.ours(p.stranger), "the peer does not trust the CA of this side's certificate"),
    (lambda p: p.ours(p.expired), "certificate"),
    (lambda p: ["--tls-ca", str(p.site.ca)], "the peer demands a certificate of this side, which has shown none"),
    (lambda p: [*p.ours(p.client), "--tls-name", "elsewhere.example"], "the peer's certificate is for another name"),
    (lambda p: [*p.ours(p.client), "--tls-pin", p.client.fingerprint], "the peer's certificate is another than the pinned one"),
    (lambda p: [], "with TLS on both sides or none?"),
]


@pytest.mark.parametrize("command", ["echo", "send"])
def test_wrong_papers_are_one_clear_line(command: str, lab: Lab, papers: Papers, samples: Samples) -> None:
    target = lab.storescp(new_address("STORE"), *papers.dcmtk(papers.server))
    rest = [samples.files[0].path] if command == "send" else []
    for words, wanted in WRONG:
        _assert_one_line(dimse(command, *words(papers), *to(target.address), *rest, code=3).stderr, wanted, target.address)
    assert target.contents() == {}


def test_tls_at_plain_ports(lab: Lab, papers: Papers) -> None:
    for server in (lab.storescp(new_address("STORE")), lab.node(new_address("OURS"))):
        said = dimse("echo", *papers.ours(papers.client), *to(server.address), code=3).stderr
        _assert_one_line(said, "without --tls", server.address)


def test_the_sections_of_the_readme(lab: Lab, samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS and Users, as they are printed there; what would be typed comes from elsewhere."""
    for program in ("openssl", "findscu"):
        peer_program(program)
    scenes = [block.replace("dimse passwd", "echo secret | dimse passwd") for block in blocks("sh") if SCENES.search(block)]
    monkeypatch.setitem(ENVIRONMENT, "DIMSE_PASSCODE", "secret")
    (tmp_path / "study").symlink_to(samples.folder)
    said = play(scenes, ("2762", "2763"), lab, tmp_path)
    assert len(scenes) == 6
    assert said.count("0000H Success") == 2
    assert "doe: added to users" in said
    assert "the peer confirmed the user identity" in said
    for folder in ("images", "archive"):
        assert_keeps(contents(tmp_path / folder), samples.files)


SCENES = re.compile(r"276\d|openssl|dimse passwd")


def _assert_one_line(said: str, wanted: str, address: Address) -> None:
    assert wanted in said
    assert str(address.port) in said
    assert said.count("\n") == 1
