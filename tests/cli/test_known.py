"""The peers that `dimse serve` knows: from its file, from a configuration of Orthanc, from options; and what others may do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dimse
from dimse.cli.config import Node, read_config
from dimse.cli.failures import Failure
from dimse.cli.known import callers_of, rule, told_of_peers
from dimse.cli.orthanc import read_modalities
from dimse.cli.serve import node_of, parser

from .conftest import HOST, During, Run

ALL = frozenset(dimse.Right)
ECHO_STORE = frozenset({dimse.Right.ECHO, dimse.Right.STORE})
STRANGER, KNOWN = "STRANGER", "CT1"
ADDRESSES = [
    ("127.0.0.1", ALL, "peers that are not configured may do everything (loopback)"),
    ("::1", ALL, "peers that are not configured may do everything (loopback)"),
    ("::ffff:127.0.0.1", ALL, "peers that are not configured may do everything (loopback)"),
    ("0.0.0.0", frozenset(), "peers that are not configured are rejected"),
    ("::", frozenset(), "peers that are not configured are rejected"),
    ("10.0.0.1", frozenset(), "peers that are not configured are rejected"),
]


@pytest.mark.parametrize(("host", "rights", "words"), ADDRESSES)
def test_the_address_rules_unless_the_configuration_does(host: str, rights: frozenset[dimse.Right], words: str) -> None:
    callers = callers_of(Node(), host)
    assert callers is not None
    assert callers.rights(STRANGER) == rights
    assert rule(Node(), host) == words


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize(
    ("unknown", "words"),
    [
        (frozenset(), "peers that are not configured are rejected"),
        (frozenset({dimse.Right.ECHO}), "peers that are not configured may echo"),
        (ECHO_STORE, "peers that are not configured may echo and store"),
        (ALL - {dimse.Right.MOVE}, "peers that are not configured may echo, store, find and get"),
        (ALL, "peers that are not configured may do everything"),
    ],
)
def test_the_configuration_rules_at_any_address(host: str, unknown: frozenset[dimse.Right], words: str) -> None:
    node = Node(unknown=unknown)
    callers = callers_of(node, host)
    assert callers is not None
    assert callers.rights(STRANGER) == unknown
    assert rule(node, host) == words


def test_who_is_bound_to_a_certificate_is_known() -> None:
    tls = dimse.TLS(key=Path("k"), certificate=Path("c"), ca=Path("ca"), callers={"ct": ["CT1", "CT2"], "mr": ["MR1"]})
    callers = callers_of(Node(tls=tls, callers={"CT2": dimse.Caller(["store"])}), "0.0.0.0")
    assert callers is not None
    assert [callers.rights(title) for title in ("CT1", "CT2", "MR1", "WS")] == [ALL, {"store"}, ALL, frozenset()]
    nobody_bound = callers_of(Node(tls=dimse.TLS(key=Path("k"), certificate=Path("c"), ca=Path("ca"))), "0.0.0.0")
    assert nobody_bound is not None
    assert nobody_bound.known == {}


def test_what_is_known_of_each_peer() -> None:
    peers = {"WS": dimse.Address("WS", "::1", 104), "PACS": dimse.Address("PACS", "pacs\x1b", 105, dimse.TLS())}
    callers = {
        "CT1": dimse.Caller(["store", "echo"], ["10.1.0.0/16", "10.2.0.1"]),
        "WS": dimse.Caller(),
        "PACS": dimse.Caller([]),
    }
    assert list(told_of_peers(Node(peers=peers, callers=callers))) == [
        "peer CT1 may echo and store, from 10.1.0.0/16 or 10.2.0.1",
        "peer WS is at [::1]:104 and may do everything",
        "peer PACS is at pacs\\x1b:105, with TLS, and may do nothing",
    ]
    assert list(told_of_peers(Node(callers=None))) == []


def test_without_callers_everybody_may_call() -> None:
    assert callers_of(Node(callers=None), "0.0.0.0") is None


# The configuration file


def test_a_configuration_with_rights(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text("""
[node]
unknown_peers = ["echo"]
check_called_aet = true
[node.limits]
associations = 8
associations_per_host = 4
data_set = '1 MB'
[peers.ct1]
aet = "CT1"
allow = ["store", "echo"]
hosts = ["10.1.0.0/16", "10.2.3.4"]
[peers.NOTHING]
allow = []
[peers.WS]
host = "10.0.0.7"
port = 104
allow = ["find", "move"]
""")
    node = read_config(path)
    assert node.callers == {
        "CT1": dimse.Caller(ECHO_STORE, ["10.1.0.0/16", "10.2.3.4"]),
        "NOTHING": dimse.Caller([]),
        "WS": dimse.Caller(["find", "move"]),
    }
    assert node.peers == {"WS": dimse.Address("WS", "10.0.0.7", 104)}
    assert (node.unknown, node.check_called) == (frozenset({dimse.Right.ECHO}), True)
    assert node.limits == dimse.Limits(associations=8, associations_per_host=4, data_set=1_000_000)
    path.write_text("[node]\nunknown_peers = []")
    assert (read_config(path).unknown, read_config(path).callers) == (frozenset(), {})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[node]\nunknown_peers = 'echo'", "node.unknown_peers must be a list of texts, not 'echo'"),
        ("[node]\nunknown_peers = ['ping']", "node.unknown_peers: 'ping' is no right of a peer; the rights are echo,"),
        ("[node]\ncheck_called_aet = 1", "node.check_called_aet must be true or false, not 1"),
        ("[node]\nlimits = 5", "node.limits must be a table"),
        ("[node.limits]\nmax_pdu = 5", "unknown key node.limits.max_pdu; known are associations, associations_per_host, data_set"),
        ("[node.limits]\nassociations = 0", "node.limits.associations must be a count, at least 1, not 0"),
        ("[node.limits]\nassociations = true", "node.limits.associations must be a count, at least 1, not True"),
        ("[node.limits]\ndata_set = '1 GByte'", "node.limits.data_set: '1 GByte' is no size: give bytes, or 500 GB, or 2 TiB"),
        ("[peers.A]\nallow = ['all']", "peers.A.allow: 'all' is no right of a peer"),
        ("[peers.A]\nallow = 'echo'", "peers.A.allow must be a list of texts, not 'echo'"),
        ("[peers.A]\nhosts = ['pacs.example']", "peers.A.hosts: no peer can come from 'pacs.example'"),
        ("[peers.A]\nhosts = '10.0.0.1'", "peers.A.hosts must be a list of texts, not '10.0.0.1'"),
        ("[peers.A]\ntls = {}", "peers.A.host is missing"),
        ('[peers.A]\nhost = "h\\u0000"\nport = 1', r"peers.A.host must be a text without the character 0, not 'h\x00'"),
        ("[peers.A]\n[peers.B]\naet = 'A'", "two peers have the AE title A"),
    ],
)
def test_a_configuration_with_mistakes(run: Run, tmp_path: Path, text: str, wanted: str) -> None:
    path = tmp_path / "node.toml"
    path.write_text(text)
    said = run("serve", "--config", path)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"dimse serve: {path}: ")
    assert wanted in said.err
    assert said.err.count("\n") == 1


def test_what_is_no_toml(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text("a = " + "[" * 100_000)
    said = run("serve", "--config", path)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(f"dimse serve: {path} is no TOML: ")


# Options


def _node(*words: object) -> Node:
    return node_of(parser().parse([str(word) for word in words]))


def test_options() -> None:
    node = _node("--peer", f"WS={HOST}:104", "--unknown-peers", "echo,store", "--check-called")
    assert node.callers == {"WS": dimse.Caller()}
    assert (node.unknown, node.check_called) == (ECHO_STORE, True)
    assert _node("--unknown-peers", "all").unknown == ALL
    assert _node("--unknown-peers", "none").unknown == frozenset()
    assert (_node().unknown, _node().check_called, _node().callers) == (None, False, {})


def test_options_come_before_the_file_but_give_no_rights_that_it_denies(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text("[node]\nunknown_peers = ['move']\ncheck_called_aet = true\n[peers.WS]\nallow = ['echo']\nhost = 'h'\nport = 1")
    node = _node("--config", path, "--peer", "WS=i:2", "--unknown-peers", "none")
    assert node.peers == {"WS": dimse.Address("WS", "i", 2)}
    assert node.callers == {"WS": dimse.Caller(["echo"])}
    assert (node.unknown, node.check_called) == (frozenset(), True)


def test_rights_that_are_none(run: Run) -> None:
    said = run("serve", "--unknown-peers", "echo,ping")
    assert said.code == 2
    assert "'ping' is no right of a peer; the rights are echo, store, find, get, move, or all, or none" in said.err


# Orthanc

ORTHANC = r"""
/* of a site that has grown */
{
  "Name" : "MyOrthanc // no comment",  // a comment with a "
  "Other" : "\\", // the end of a text
  "DicomModalities" : {
    // "sample" : [ "STORESCP", "127.0.0.1", 2000 ]
    "sample" : [ "SAMPLE", "192.168.1.1", 104 ],
    "vitrea" : [ "VITREA", "pacs.example", 1104, "Vitrea" ],
    "text" : [ "TEXT", "::1", "4242" ],
    /* the one ** that / nobody trusts */
    "untrusted" : {
      "AET" : "UNTRUSTED", "Port" : 105, "Host" : "127.0.0.1", "Manufacturer" : "Generic",
      "AllowEcho" : false, "AllowFind" : false, "AllowFindWorklist" : false, "AllowGet" : false, "AllowMove" : false,
      "AllowStore" : true, "AllowStorageCommitment" : false, "AllowTranscoding" : true, "UseDicomTls" : false,
    }
  },
}
"""


def test_the_modalities_of_orthanc(tmp_path: Path) -> None:
    path = tmp_path / "orthanc.json"
    path.write_text(ORTHANC)
    node = _node("--peers", path, "--peer", f"WS={HOST}:104")
    assert node.peers == {
        "SAMPLE": dimse.Address("SAMPLE", "192.168.1.1", 104),
        "VITREA": dimse.Address("VITREA", "pacs.example", 1104),
        "TEXT": dimse.Address("TEXT", "::1", 4242),
        "UNTRUSTED": dimse.Address("UNTRUSTED", "127.0.0.1", 105),
        "WS": dimse.Address("WS", HOST, 104),
    }
    everything = dimse.Caller()
    assert node.callers == {
        **dict.fromkeys(("SAMPLE", "VITREA", "TEXT", "WS"), everything),
        "UNTRUSTED": dimse.Caller(["store"]),
    }
    assert not node.check_called


def test_orthancs_own_file_is_read() -> None:
    path = Path("/etc/orthanc/orthanc.json")
    if not path.exists():
        pytest.skip("Orthanc is not installed")
    assert read_modalities(path).peers == {}


def _write(path: Path, modalities: object, **options: object) -> Path:
    path.write_text(json.dumps({"DicomModalities": modalities, **options}))
    return path


def test_the_checks_of_orthanc(tmp_path: Path) -> None:
    path = _write(tmp_path / "o", {"a": ["A", "10.0.0.1", 104]}, DicomCheckModalityHost=True, DicomCheckCalledAet=True)
    node = _node("--peers", path)
    assert node.callers == {"A": dimse.Caller(hosts=["10.0.0.1"])}
    assert node.check_called


def test_orthanc_and_a_file_of_ones_own(tmp_path: Path) -> None:
    """Where Orthanc says that a peer is counts, and neither file gives a right that the other denies; the TLS and the hosts stay."""
    own = tmp_path / "node.toml"
    own.write_text("[peers.A]\nallow = ['echo', 'get']\nhosts = ['10.0.0.1']\nhost = 'h'\nport = 1\ntls = {}\n[peers.B]\nallow = ['find']")
    path = _write(tmp_path / "o", {"a": {"AET": "A", "Host": "i", "Port": 2, "UseDicomTls": True, "AllowGet": False}, "c": ["C", "j", 3]})
    node = _node("--config", own, "--peers", path)
    assert node.peers == {"A": dimse.Address("A", "i", 2, dimse.TLS()), "C": dimse.Address("C", "j", 3)}
    assert node.callers == {"A": dimse.Caller(["echo"], ["10.0.0.1"]), "B": dimse.Caller(["find"]), "C": dimse.Caller()}


@pytest.mark.parametrize(
    ("modalities", "wanted"),
    [
        (None, "there are no DicomModalities in it"),
        ([], "there are no DicomModalities in it"),
        ({"x": ["A", "h"]}, "DicomModalities.x: it must be a list of AE title, host and port, or a table"),
        ({"x": "A"}, "DicomModalities.x: it must be a list of AE title, host and port, or a table"),
        ({"x": [5, "h", 1]}, "DicomModalities.x: the AE title and the host must be texts"),
        ({"x": ["A", "h\0", 1]}, "DicomModalities.x: the AE title and the host must be texts"),
        ({"x": ["A", "", 1]}, "DicomModalities.x: the AE title and the host must be texts"),
        ({"x": {"AET": "A", "Port": 1}}, "DicomModalities.x: the AE title and the host must be texts"),
        ({"x": ["A_TITLE_THAT_IS_TOO_LONG", "h", 1]}, "DicomModalities.x: 'A_TITLE_THAT_IS_TOO_LONG' is no AE title"),
        ({"x": ["A", "h", 0]}, "DicomModalities.x: 0 is no TCP port, 1 to 65535"),
        ({"x": ["A", "h", "x"]}, "DicomModalities.x: 'x' is no TCP port"),
        ({"x": ["A", "h", "999999"]}, "DicomModalities.x: '999999' is no TCP port"),
        ({"x": ["A", "h", True]}, "DicomModalities.x: True is no TCP port"),
        ({"x": {"AET": "A", "Host": "h"}}, "DicomModalities.x: None is no TCP port"),
        ({"x": {"AET": "A", "Host": "h", "Port": 1, "AllowGet": 1}}, "DicomModalities.x: AllowGet must be true or false, not 1"),
        ({"x": ["A", "h", 1], "y": ["A", "i", 1]}, "two of the DicomModalities have the AE title A"),
        (
            {"x": {"AET": "A", "Host": "h", "Port": 1, "UseDicomTls": True}},
            "DicomModalities.x is to be reached with TLS (UseDicomTls), and nothing says with what: give a peer with aet = 'A', host,",
        ),
    ],
)
def test_modalities_with_mistakes(run: Run, tmp_path: Path, modalities: object, wanted: str) -> None:
    path = _write(tmp_path / "o", modalities)
    said = run("serve", "--peers", path)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"dimse serve: {path}: ")
    assert wanted in said.err
    assert said.err.count("\n") == 1


def test_a_host_that_cannot_be_checked(tmp_path: Path) -> None:
    path = _write(tmp_path / "o", {"x": ["A", "pacs.example", 1]}, DicomCheckModalityHost=True)
    with pytest.raises(Failure, match=r"DicomModalities\.x: no peer can come from 'pacs\.example'"):
        read_modalities(path)


@pytest.mark.parametrize("text", [b"{", b"\xff", b"[" * 100_000, b"5", b'{"DicomModalities": {}, "DicomCheckCalledAet": "yes"}'])
def test_what_is_no_configuration_of_orthanc(run: Run, tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "o"
    path.write_bytes(text)
    said = run("serve", "--peers", path)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert str(path) in said.err
    assert run("serve", "--peers", tmp_path / "none").err.startswith("dimse serve: cannot read the configuration of Orthanc ")


# A node that runs


def test_the_start_up_line_says_which_rule_holds(run: Run, during: During, tmp_path: Path) -> None:
    during(lambda port: None)
    said = run("serve", "--port", 0, "--data", tmp_path / "data")
    assert said.out.splitlines()[0].endswith(f", data in {tmp_path}/data; peers that are not configured may do everything (loopback)")
    during(lambda port: None)
    said = run("serve", "--port", 0, "--data", tmp_path / "data", "--json", "--unknown-peers", "store,echo")
    assert said.results[0]["unknown_peers"] == ["echo", "store"]


def test_a_name_counts_as_the_address_that_it_has(run: Run, during: During, tmp_path: Path) -> None:
    during(lambda port: None)
    said = run("serve", "--host", "localhost", "--port", 0, "--data", tmp_path / "data")
    assert said.out.splitlines()[0].endswith("; peers that are not configured may do everything (loopback)")


def test_an_address_that_others_can_reach_lets_nobody_in(run: Run, during: During, tmp_path: Path) -> None:
    def act(port: int) -> None:
        with pytest.raises(dimse.Rejected) as caught:
            dimse.connect(HOST, port, contexts=[dimse.Verification])
        assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 3)

    during(act)
    said = run("serve", "--host", "0.0.0.0", "--port", 0, "--data", tmp_path / "data")
    assert "; peers that are not configured are rejected\n" in said.out
    assert "the calling AE title is none of those that are let in" in said.out
    assert said.err.startswith("dimse serve: no peer is configured, so nobody may call: give [peers.NAME] in a file, or --unknown-peers ")


def test_a_peer_does_what_it_may_and_the_report_says_what_it_may_not(run: Run, during: During, tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f"[node]\nhost = '0.0.0.0'\nport = 0\ncheck_called_aet = true\n[peers.{KNOWN}]\nallow = ['echo']")

    def act(port: int) -> None:
        with dimse.connect(HOST, port, calling=KNOWN, called="ARCHIVE", contexts=[dimse.Verification, dimse.StudyRootFind]) as association:
            assert association.echo().ok
            assert [(refused.context.abstract_syntax, refused.result) for refused in association.refused] == [(dimse.StudyRootFind, 1)]
        with pytest.raises(dimse.Rejected, match="called AE title not recognized"):
            dimse.connect(HOST, port, calling=KNOWN, called="OTHER", contexts=[dimse.Verification])

    during(act)
    said = run("serve", "--config", config, "--data", tmp_path / "data")
    assert "1 C-ECHO, may not find: released\n" in said.out
    assert "no peer is configured" not in said.err
    during(act)
    listens, *reports = run("serve", "--json", "--config", config, "--data", tmp_path / "data").results
    assert "denied" not in listens
    assert sorted((report["denied"] for report in reports), key=str) == [["find"], []]  # told by a thread each, in any order
