"""--trace, --trace-data and -d: on which commands, what they are told, and a trace that cannot be written."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

import dimse
from dimse.cli import COMMANDS

from .conftest import HOST, During, Run, write_instance

Start = Callable[..., int]
ALONE = {"trace", "check", "reindex", "passwd"}
"""Commands that neither open nor accept associations."""
SENT = ["A-ASSOCIATE-RQ", "A-ASSOCIATE-AC", "P-DATA-TF", "P-DATA-TF", "A-RELEASE-RQ", "A-RELEASE-RP"]


def records(path: Path) -> list[dict[str, object]]:
    """The lines of a trace."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def pdus(path: Path) -> list[object]:
    """The names of the PDUs in a trace."""
    return [record["pdu"] for record in records(path) if "pdu" in record]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_with_associations_has_the_options(name: str) -> None:
    options = {name for option, _ in import_module(f"dimse.cli.{name}").parser().options() for name in option.names}
    assert ("--trace" in options, "--trace-data" in options) == (name not in ALONE, name not in ALONE)


def test_a_file(run: Run, serving: Start, tmp_path: Path) -> None:
    said = run("echo", "--trace", tmp_path / "x", HOST, serving())
    assert (said.code, said.err) == (0, "")
    assert pdus(tmp_path / "x") == SENT
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    first = records(tmp_path / "x")[0]
    assert (first["direction"], first["event"], first["before"], first["after"]) == ("event", "user: A-ASSOCIATE request", "Sta1", "Sta4")
    assert "bytes" not in (tmp_path / "x").read_text()


def test_lines_on_standard_error(run: Run, serving: Start) -> None:
    said = run("echo", "-d", HOST, serving())
    assert [line for line in said.err.splitlines() if "#1 " in line and "A-RELEASE-RP" in line]


def test_both(run: Run, serving: Start, tmp_path: Path) -> None:
    said = run("echo", "-d", "--trace", tmp_path / "x", HOST, serving())
    assert pdus(tmp_path / "x") == SENT
    assert [name for name in set(SENT) if f"{name}" not in said.err] == []


def test_with_data_it_has_the_bytes(run: Run, serving: Start, tmp_path: Path) -> None:
    run("echo", "--trace", tmp_path / "x", "--trace-data", HOST, serving())
    first = next(record for record in records(tmp_path / "x") if record.get("pdu") == "A-ASSOCIATE-RQ")
    assert str(first["bytes"]).startswith("0100")


def test_data_alone_is_wrong_usage(run: Run) -> None:
    said = run("echo", "--trace-data", HOST, 1)
    assert (said.code, said.out) == (2, "")
    assert said.err == "dimse echo: --trace-data says what goes into a trace: give --trace FILE as well\n"


@pytest.mark.parametrize("name", ["missing/x", ".", "a\0b"])
def test_a_file_that_cannot_be_made_is_one_line_before_anything_is_done(run: Run, tmp_path: Path, name: str) -> None:
    said = run("echo", "--trace", f"{tmp_path}/{name}", HOST, 1)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("dimse echo: cannot write the trace ")
    assert said.err.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_the_association_goes_on(run: Run, serving: Start) -> None:
    said = run("echo", "--repeat", 3, "--trace", "/dev/full", HOST, serving())
    assert said.code == 0
    assert said.out.count("0000H Success") == 3
    assert said.err == "dimse echo: the trace /dev/full ends here, and what it is about goes on: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_server_says_at_once_that_its_trace_ends(run: Run, during: During, tmp_path: Path) -> None:
    during(lambda port: dimse.connect(HOST, port, contexts=[dimse.Verification]).release())
    said = run("receive", "--trace", "/dev/full", "-od", tmp_path, 0)
    assert said.code == 0
    assert said.err.index("the trace /dev/full ends here") < said.err.index("stopping when what runs has ended")


def test_a_pipe_that_nobody_reads(run: Run, serving: Start) -> None:
    read, write = os.pipe()
    os.close(read)
    said = run("echo", "--trace", f"/dev/fd/{write}", HOST, serving())
    os.close(write)
    assert said.code == 0
    assert said.err.count("\n") == 1
    assert "Broken pipe" in said.err


def test_a_connection_that_does_not_open_is_in_it(run: Run, tmp_path: Path) -> None:
    assert run("echo", "--trace", tmp_path / "x", HOST, 1).code == 3
    assert records(tmp_path / "x")[-1]["event"] == "transport: connection closed: Connection refused"


def test_all_associations_of_a_command(run: Run, serving: Start, tmp_path: Path) -> None:
    """The associations of one sending, one after the other because one does not carry all contexts."""
    for n in range(70):
        write_instance(tmp_path / "in" / str(n), f"1.2.{n}", sop_class=f"1.2.840.10008.5.1.4.1.1.2.{n + 10}")
    port = serving(dimse.Services(store=lambda request, data: None), any_storage=True)
    run("send", "--trace", tmp_path / "x", HOST, port, tmp_path / "in")
    assert {record["association"] for record in records(tmp_path / "x")} == {1, 2}


def test_demo(run: Run, tmp_path: Path) -> None:
    assert run("demo", "--trace", tmp_path / "x").code == 0
    told = records(tmp_path / "x")
    assert {record["role"] for record in told} == {"requestor", "acceptor"}
    assert not [record for record in told if "violations" in record]


def test_an_archive_traces_what_it_sends_on(run: Run, during: During, serving: Start, tmp_path: Path) -> None:
    to = serving(dimse.Services(store=lambda request, data: None))
    sent = dimse.FileSource(write_instance(tmp_path / "1", "1.2.1"))

    def act(port: int) -> None:
        with dimse.connect(HOST, port, contexts=[*dimse.contexts_for([sent]), dimse.StudyRootMove]) as association:
            association.store(sent)
            assert association.move(dimse.query("STUDY", StudyInstanceUID="1.2.3"), to="OTHER").completed == 1

    during(act)
    run("serve", "--trace", tmp_path / "x", "--port", 0, "--data", tmp_path / "data", "--peer", f"OTHER={HOST}:{to}")
    roles = {record["association"]: record["role"] for record in records(tmp_path / "x")}
    assert sorted(roles.values()) == ["acceptor", "requestor"]  # type: ignore[type-var]  # texts
