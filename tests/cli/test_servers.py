"""`dimse receive` and `dimse serve`: listening, lines about associations, signals, and the configuration file."""

from __future__ import annotations

import logging
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

import dimse
from dimse.blocking import drive
from dimse.cli.config import Node, read_config
from dimse.cli.failures import Failure
from dimse.cli.serve import node_of, parser
from dimse.data.commands import CommandField, CommandSet

from .conftest import HOST, During, Run, Said, write_instance

ROOT = Path(__file__).parents[2]


def send(port: int, *paths: Path, contexts: Sequence[dimse.Context] = ()) -> list[dimse.Status]:
    sources = [dimse.FileSource(path) for path in paths]
    with dimse.connect(HOST, port, calling="SENDER", contexts=contexts or dimse.contexts_for(sources)) as association:
        return [status for _, status in association.store_all(sources)]


def echo(port: int) -> None:
    with dimse.connect(HOST, port, calling="SENDER", contexts=[dimse.Verification]) as association:
        association.echo()


def test_receive(run: Run, during: During, tmp_path: Path) -> None:
    sent = write_instance(tmp_path / "1", "1.2.1")

    def act(port: int) -> None:
        send(port, sent)
        echo(port)

    during(act)
    said = run("receive", "-od", tmp_path / "new" / "folder", "-aet", "KEEPER", "--host", HOST, 0)
    assert said.code == 0
    listening, *told = said.out.splitlines()
    stored, echoed = sorted(told, key=lambda line: "C-ECHO" in line)  # each is told by its own thread
    assert re.fullmatch(rf"KEEPER listens at {HOST}:\d+, data in {tmp_path}/new/folder", listening)
    assert re.fullmatch(rf"\d\d:\d\d:\d\d SENDER from {HOST}:\d+: 1 C-STORE, \d+ B in: released", stored)
    assert echoed.endswith(": 1 C-ECHO: released")
    assert said.err == "dimse receive: stopping when what runs has ended; once more stops at once\n"
    assert dimse.FileSource(tmp_path / "new" / "folder" / "1.2.1.dcm").size == dimse.FileSource(sent).size


def test_receive_json(run: Run, during: During, tmp_path: Path) -> None:
    during(echo)
    listening, echoed = run("receive", "--json", "-od", tmp_path, 0).results
    assert listening == {"aet": "RECEIVER", "host": HOST, "port": listening["port"], "data": str(tmp_path), "tls": False, "users": None}
    assert str(echoed.pop("address")).startswith(HOST)
    assert echoed == {
        "calling": "SENDER",
        "called": "ANY-SCP",
        "tls": None,
        "certificate": None,
        "user": None,
        "counts": {"C-ECHO": 1},
        "failed": 0,
        "failures": {},
        "denied": [],
        "bytes_received": 0,
        "bytes_sent": 0,
        "ended": "released",
    }


def test_more_words_and_the_trace(run: Run, during: During, tmp_path: Path) -> None:
    sent = write_instance(tmp_path / "1", "1.2.1")

    def act(port: int) -> None:
        send(port, sent)
        socket.create_connection((HOST, port)).close()
        _send_half(dimse.connect(HOST, port, contexts=[dimse.CTImageStorage]), sent).abort()

    during(act)
    said = run("receive", "-v", "-d", "-od", tmp_path / "in", 0)
    assert re.search(rf"  SENDER from {HOST}:\d+: C-STORE 1.2.1: 0000H Success\n", said.err)
    assert "C-STORE 1.2.1: not kept" in said.err
    assert re.search(r"#1 +ANY-SCP <- SENDER +Sta2 > Sta3 +A-ASSOCIATE-RQ SENDER calls ANY-SCP", said.err)
    assert f"#2   this side -- {HOST}:" in said.err
    assert "(no association) from" in said.out


def test_a_knock_at_the_door_is_not_told(run: Run, during: During, tmp_path: Path) -> None:
    during(lambda port: socket.create_connection((HOST, port)).close())
    assert run("receive", "-od", tmp_path, 0).out.count("\n") == 1


def test_what_failed_is_told(run: Run, during: During, tmp_path: Path) -> None:
    """The status is named, so that nobody needs -v to see that the disk is full."""
    sent = write_instance(tmp_path / "1", "1.2.1")
    (tmp_path / "data" / "objects").mkdir(parents=True)

    def act(port: int) -> None:
        (tmp_path / "data" / "tmp").rmdir()  # nothing can be written any more
        assert not send(port, sent, sent)[-1].ok

    during(act)
    said = run("serve", "--data", tmp_path / "data", "--port", 0)
    assert ": 2 C-STORE (2 failed: A700H Refused: out of resources), " in said.out


def test_private_storage_on_demand(run: Run, during: During, tmp_path: Path) -> None:
    sent = write_instance(tmp_path / "1", "1.2.1", sop_class="1.2.999.1")
    answers: list[dimse.Status] = []
    for options in ([], ["--any-storage"]):
        during(lambda port: answers.extend(send(port, sent)))
        assert run("receive", *options, "-od", tmp_path / "in", 0).code == 0
    assert [status.ok for status in answers] == [False, True]


def test_the_address_is_taken(run: Run, tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        for command in (["receive", "-od", tmp_path, port], ["serve", "--data", tmp_path, "--port", port]):
            said = run(*command)
            assert (said.code, said.out) == (2, "")
            assert f"cannot listen at {HOST}:{port}: Address already in use; choose another address or port\n" in said.err
    assert "cannot listen at 192.0.2.1:" in run("receive", "--host", "192.0.2.1", "-od", tmp_path, 0).err
    assert run("receive", "--host", "no.such.host.invalid", "-od", tmp_path, 0).code == 2


def test_the_folder_cannot_be_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for command in (["receive", "-od", tmp_path / "file", 0], ["serve", "--data", tmp_path / "file" / "x", "--port", 0]):
        said = run(*command)
        assert (said.code, said.out) == (2, "")
        assert str(tmp_path / "file") in said.err
        assert said.err.count("\n") == 1


def test_serve_stores_finds_and_moves(run: Run, during: During, serving: Callable[..., int], tmp_path: Path) -> None:
    moved: list[str] = []
    to = serving(dimse.Services(store=lambda request, data: moved.append(request.command.affected_sop_instance_uid or "")))
    sent = [write_instance(tmp_path / str(n), f"1.2.{n}") for n in range(3)]

    def act(port: int) -> None:
        assert all(status.ok for status in send(port, *sent))
        with dimse.connect(HOST, port, contexts=[dimse.StudyRootFind, dimse.StudyRootMove]) as association:
            (match,) = association.find(dimse.query("STUDY", StudyInstanceUID="", RetrieveAETitle=""))
            assert match["RetrieveAETitle"] == "MINE"
            assert association.move(dimse.query("STUDY", StudyInstanceUID="1.2.3"), to="OTHER").completed == 3
        with dimse.connect(HOST, port, contexts=dimse.contexts_for_get([dimse.CTImageStorage])) as association:
            fetched = association.get(dimse.query("STUDY", StudyInstanceUID="1.2.3"), dimse.FolderSink(tmp_path / "fetched").open)
            assert fetched.kept == 3

    during(act)
    said = run("serve", "-v", "-aet", "MINE", "--port", 0, "--data", tmp_path / "data", "--peer", f"OTHER={HOST}:{to}")
    assert said.code == 0
    assert said.out.startswith(f"MINE listens at {HOST}:")
    assert "3 C-STORE" in said.out
    assert "1 C-FIND, 1 C-MOVE" in said.out
    assert "the archive holds 0 patients" in said.err
    assert f"peer OTHER is at {HOST}:{to}" in said.err
    assert "C-FIND at level STUDY" in said.err
    assert "C-GET at level STUDY" in said.err
    assert sorted(moved) == ["1.2.0", "1.2.1", "1.2.2"]


def test_serve_refuses_a_folder_in_use_or_of_a_later_version(run: Run, tmp_path: Path) -> None:
    from dimse.archive import Archive

    with Archive(tmp_path):
        said = run("serve", "--data", tmp_path, "--port", 0)
    assert (said.code, said.out) == (2, "")
    assert "cannot use the data folder" in said.err
    with closing(sqlite3.connect(tmp_path / "index.db")) as connection:
        connection.execute("PRAGMA user_version=1000")
    said = run("serve", "--data", tmp_path, "--port", 0)
    assert (said.code, said.out) == (2, "")
    assert "an index of version 1000" in said.err
    assert said.err.count("\n") == 1


def test_serve_says_what_it_mended(run: Run, during: During, tmp_path: Path) -> None:
    (tmp_path / "index.db").write_bytes(b"no index at all" * 1000)
    during(echo)
    said = run("serve", "--data", tmp_path, "--port", 0)
    assert said.code == 0
    assert "the index was made anew from 0 files (it was damaged)" in said.err


def test_the_librarys_log_comes_as_lines(run: Run, during: During, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(port: int) -> None:
        try:
            raise ValueError("bad\x1b")
        except ValueError:
            logging.getLogger("dimse").exception("a handler failed")

    during(act)
    said = run("receive", "-od", tmp_path, 0)
    assert "dimse receive: a handler failed: ValueError in act (test_servers.py:" in said.err
    assert "bad" not in said.err


def test_nobody_reads_what_a_server_says(during: During, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(port: int) -> None:
        def broken(text: str) -> int:
            raise BrokenPipeError

        monkeypatch.setattr(sys.stdout, "write", broken)
        echo(port)

    during(act)
    assert run("receive", "-od", tmp_path, 0).code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_a_real_server(number: signal.Signals, tmp_path: Path) -> None:
    """The first signal lets what runs come to its end, a second one does not."""
    server = _start("serve" if number == signal.SIGTERM else "receive", tmp_path)
    assert server.stdout is not None
    port = int(server.stdout.readline().split(":")[1].split(",")[0])
    association = dimse.connect(HOST, port, contexts=[dimse.Context(dimse.CTImageStorage)])
    _send_half(association, write_instance(tmp_path / "1", "1.2.1"))
    server.send_signal(number)
    assert server.stderr is not None
    assert "stopping when what runs has ended" in server.stderr.readline()
    server.send_signal(number)
    said, errors = server.communicate(timeout=30)
    association.abort()
    assert server.returncode == 0
    assert "Traceback" not in said + errors


def _start(command: str, folder: Path) -> subprocess.Popen[str]:
    words = ["serve", "--port", "0", "--data"] if command == "serve" else ["receive", "0", "-od"]
    line = [sys.executable, "-m", "dimse", *words, str(folder / "data")]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def _send_half(association: dimse.Association, path: Path) -> dimse.Association:
    """Sends a C-STORE-RQ without its data set."""
    source, (context,) = dimse.FileSource(path), association.accepted
    command = CommandSet(
        CommandField.C_STORE_RQ,
        affected_sop_class_uid=source.sop_class_uid,
        message_id=1,
        priority=0,
        command_data_set_type=0,
        affected_sop_instance_uid=source.sop_instance_uid,
    )
    drive(association.session.send(context, command))
    return association


# The configuration file

CONFIG = """
[node]
aet = "FILE"
host = "0.0.0.0"
port = 11112
data = "images"
[peers.one]
aet = "ONE"
host = "10.0.0.1"
port = 104
[peers.TWO]
host = "::1"
port = 105
"""


def test_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(CONFIG)
    peers = {"ONE": dimse.Address("ONE", "10.0.0.1", 104), "TWO": dimse.Address("TWO", "::1", 105)}
    assert read_config(path) == Node("FILE", "0.0.0.0", 11112, tmp_path / "images", peers, callers=dict.fromkeys(peers, dimse.Caller()))
    path.write_text("")
    assert read_config(path) == Node(data=tmp_path / "dimse-data")


def test_a_configuration_with_tls_and_users(tmp_path: Path) -> None:
    """Files lie beside the file, unless their paths are absolute."""
    path = tmp_path / "node.toml"
    path.write_text("""
[node]
tls = { key = "own.key", cert = "/etc/own.crt", ca = "site/ca.pem", callers = { ct1 = ["CT1", "CT2"], ct2 = [] } }
users = "users"
users_over_plain = true
[peers.A]
host = "h"
port = 1
tls = { ca = "ca.pem", name = "archive.example" }
[peers.B]
host = "h"
port = 1
tls = {}
[peers.C]
host = "h"
port = 1
""")
    node = read_config(path)
    assert node.tls == dimse.TLS(
        key=tmp_path / "own.key",
        certificate=Path("/etc/own.crt"),
        ca=tmp_path / "site" / "ca.pem",
        callers={"ct1": ("CT1", "CT2"), "ct2": ()},
    )
    assert (node.users, node.users_over_plain) == (tmp_path / "users", True)
    wanted = [dimse.TLS(ca=tmp_path / "ca.pem", server_name="archive.example"), dimse.TLS(), None]
    assert [peer.tls for peer in node.peers.values()] == wanted
    path.write_text("[node.tls]\nno_verify = true")
    assert read_config(path).tls == dimse.TLS(unsafe_no_verify=True)


def test_another_host_of_a_destination_is_no_reason_to_go_without_tls(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('[peers.A]\nhost = "h"\nport = 1\ntls = {}')
    node = node_of(parser().parse(["--config", str(path), "--peer", "A=i:2", "--peer", "B=i:3"]))
    assert node.peers == {"A": dimse.Address("A", "i", 2, dimse.TLS()), "B": dimse.Address("B", "i", 3)}


def test_the_command_line_comes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(CONFIG)
    args = parser().parse(["--config", str(path), "-aet", "LINE", "--port", "0", "--peer", "ONE=h:1", "--peer", "SIX=[::1]:2"])
    node = node_of(args)
    assert (node.aet, node.host, node.port, node.data) == ("LINE", "0.0.0.0", 0, tmp_path / "images")
    assert node.peers["ONE"] == dimse.Address("ONE", "h", 1)
    assert node.peers["SIX"] == dimse.Address("SIX", "::1", 2)
    assert set(node.peers) == {"ONE", "TWO", "SIX"}
    assert node_of(parser().parse([])) == Node()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[node]\nname = 'x'", "unknown key node.name; known are aet, host, port, data, tls, users, users_over_plain, unknown_peers"),
        ("[nodes]", "unknown key nodes; known are node, peers"),
        ("[peers.A]\nhost = 'h'\nport = 1\nae = 'x'", "unknown key peers.A.ae; known are aet, host, port, tls, allow, hosts"),
        ("[peers.A]\nhost = 'h'", "peers.A.port is missing"),
        ("[peers.A]\nport = 1", "peers.A.host is missing"),
        ("[peers.a_name_that_is_too_long]\nhost = 'h'\nport = 1", "peers.a_name_that_is_too_long.aet: "),
        ("[peers.A]\nhost = 'h'\nport = 1\n[peers.B]\naet = 'A'\nhost = 'h'\nport = 1", "two peers have the AE title A"),
        ("[peers]\nA = 'h:1'", "peers.A must be a table"),
        ("node = 1", "node must be a table"),
        ("[node]\nport = '104'", "node.port must be a TCP port, 0 to 65535, not '104'"),
        ("[node]\nport = true", "node.port must be a TCP port, 0 to 65535, not True"),
        ("[node]\nport = 70000", "node.port must be a TCP port"),
        ("[node]\nhost = ''", "node.host must be a text, not ''"),
        ("[node]\naet = 5", "node.aet must be a text, not 5"),
        ("[node]\ntls = true", "node.tls must be a table"),
        ("[node.tls]\nkeys = 'x'", "unknown key node.tls.keys; known are key, cert, ca, no_verify, callers"),
        ("[node.tls]\nkey = 'x'", "node.tls.key and node.tls.cert belong together: give both, or neither"),
        ("[node.tls]\nkey = 5\ncert = 'x'", "node.tls.key must be a text, not 5"),
        ("[node.tls]\nkey = 'x'\ncert = 'x'\nca = ''", "node.tls.ca must be a text, not ''"),
        ("[node.tls]\nno_verify = 'no'", "node.tls.no_verify must be true or false, not 'no'"),
        ("[node.tls]\npins = []", "unknown key node.tls.pins"),
        ("[node.tls]\ncallers = ['ct1']", "node.tls.callers must be a table"),
        ("[node.tls.callers]\nct1 = 'CT1'", "node.tls.callers.ct1 must be a list of texts, not 'CT1'"),
        ("[node.tls.callers]\nct1 = ['a_name_that_is_too_long']", "node.tls.callers.ct1: 'a_name_that_is_too_long' is no AE title"),
        ("[node.tls.callers]\n'a:b:c:d:e:f:a:b:c:d' = ['CT1']", "is no SHA-256 fingerprint"),
        ("[node]\nusers = 1", "node.users must be a text, not 1"),
        ("[node]\nusers_over_plain = 1", "node.users_over_plain must be true or false, not 1"),
        (
            "[peers.A]\nhost = 'h'\nport = 1\ntls = { callers = {} }",
            "unknown key peers.A.tls.callers; known are key, cert, ca, no_verify, pins",
        ),
        (
            "[peers.A]\nhost = 'h'\nport = 1\ntls = { pins = ['ab'] }",
            "peers.A.tls: 'ab' is no SHA-256 fingerprint of 64 hexadecimal digits",
        ),
        ("[peers.A]\nhost = 'h'\nport = 1\ntls = { pins = 'ab' }", "peers.A.tls.pins must be a list of texts, not 'ab'"),
        ("[peers.A]\nhost = 'h'\nport = 1\ntls = { name = '' }", "peers.A.tls.name must be a text, not ''"),
        ("[peers.A]\nhost = 'h'\nport = 1\ntls = { no_verify = true, ca = 'x' }", "peers.A.tls.no_verify takes anybody, so that ca would"),
        ("[node", "is no TOML: "),
        ("\xff", "is no TOML: "),
    ],
)
def test_a_configuration_with_mistakes(run: Run, tmp_path: Path, text: str, wanted: str) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Failure):
        read_config(path)
    said: Said = run("serve", "--config", path)
    assert (said.code, said.out) == (2, "")
    assert wanted in said.err
    assert str(path) in said.err
    assert said.err.count("\n") == 1


def test_no_configuration(run: Run, tmp_path: Path) -> None:
    said = run("serve", "--config", tmp_path / "none.toml")
    assert (said.code, said.err) == (2, f"dimse serve: cannot read the configuration {tmp_path}/none.toml: No such file or directory\n")


def test_an_index_of_another_kind(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path, **options: object) -> None:
        raise sqlite3.DatabaseError("file is not a database")

    monkeypatch.setattr("dimse.archive.Archive", broken)
    said = run("serve", "--data", tmp_path)
    assert said.code == 2
    assert "its index cannot be read: file is not a database" in said.err
