"""`dimse echo`, and with it what all client commands say of an association that fails."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

import dimse
from dimse.data.commands import CommandField

from .conftest import HOST, Run
from .peers import ABORT, RELEASED, SILENT, accepting, message, rejecting, response

Start = Callable[..., int]
ECHOED = message(response(CommandField.C_ECHO_RSP, 0))


def test_success(run: Run, serving: Start) -> None:
    port = serving()
    said = run("echo", "-aec", "PEER", HOST, port)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"C-ECHO to PEER at {HOST}:{port}: 0000H Success, ")


def test_json(run: Run, serving: Start) -> None:
    port = serving()
    said = run("echo", "--json", "--repeat", 2, HOST, port)
    for result in said.results:
        assert result.pop("seconds") > 0  # type: ignore[operator]  # a number
        wanted = {"called": "ANY-SCP", "host": HOST, "port": port, "status": "0000H", "words": "Success", "comment": "", "ok": True}
        assert result == wanted
    assert len(said.results) == 2


def test_titles_and_limits_go_out(run: Run, serving: Start) -> None:
    reports: list[dimse.Report] = []
    seen = []
    port = serving(report=reports.append, trace=lambda record: seen.append(str(record.what)))
    assert run("echo", "-aet", "ME", "-aec", "YOU", "-pdu", "4096", "-ta", "5", "-td", "0", "-to", "3.5", HOST, port).code == 0
    assert any("MaximumLength(value=4096)" in what and "calling='ME'" in what and "called='YOU'" in what for what in seen)


def test_more_words(run: Run, serving: Start) -> None:
    said = run("echo", "-v", HOST, serving())
    assert "associated with ANY-SCP" in said.err
    assert "context 1: Verification SOP Class in Explicit VR Little Endian: accepted" in said.err


def test_the_trace_has_each_pdu(run: Run, serving: Start) -> None:
    said = run("echo", "-d", HOST, serving())
    wanted = ["A-ASSOCIATE-RQ", "A-ASSOCIATE-AC", "C-ECHO-RQ", "C-ECHO-RSP", "A-RELEASE-RQ", "A-RELEASE-RP"]
    found = [line for line in said.err.splitlines() if "->" in line or "<-" in line]
    assert [word for word, line in zip(wanted, found, strict=True) if word in line] == wanted
    assert "context 1: Verification SOP Class in Explicit VR Little Endian or Implicit VR Little Endian" in said.err


def test_what_a_peer_calls_itself_steers_no_terminal(run: Run, scripted: Start) -> None:
    said = run("echo", "-v", "-d", HOST, scripted(accepting(1), ECHOED, RELEASED))
    assert said.code == 0
    assert r"\x1b[31mRED" in said.err


def test_a_failure_status_is_1(run: Run, serving: Start) -> None:
    def refuse(request: dimse.Request) -> None:
        raise dimse.Refused(0x0122, "not you")

    said = run("echo", HOST, serving(dimse.Services(echo=refuse)))
    assert said.code == 1
    assert "0122H Refused: SOP class not supported (not you)" in said.out


def test_a_refused_context_is_1(run: Run, serving: Start) -> None:
    said = run("echo", HOST, serving(dimse.Services(echo=None)))
    assert (said.code, said.out) == (1, "")
    assert "no presentation context for Verification SOP Class: the peer answered abstract syntax not supported" in said.err
    assert said.err.count("\n") == 1


def test_nobody_there(run: Run) -> None:
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        port = unused.getsockname()[1]
        said = run("echo", "-aec", "PACS", HOST, port)
    wanted = f"dimse echo: no association with PACS at {HOST}:{port}: cannot open a connection to {HOST}:{port}: Connection refused "
    wanted += "(PS3.8 9.1.2); check host and port, that the peer is running, and that no firewall is in between\n"
    assert (said.code, said.out, said.err) == (3, "", wanted)


def test_no_such_host(run: Run) -> None:
    said = run("echo", "no.such.host.invalid", 104)
    assert said.code == 3
    assert "no association with ANY-SCP at no.such.host.invalid:104: cannot open a connection" in said.err
    assert run("echo", "x" * 70, 104).code == 3


def test_no_answer_to_the_connection(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(address: tuple[str, int], timeout: float) -> socket.socket:
        assert timeout == 0.5
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", silent)
    said = run("echo", "-to", "0.5", "::1", 104)
    assert said.code == 3
    assert "no association with ANY-SCP at [::1]:104: cannot open a connection to ::1:104: no answer in time (PS3.8 9.1.2)" in said.err
    assert "-to" in said.err


@pytest.mark.parametrize(
    ("codes", "words", "advice"),
    [
        ((1, 1, 7), "called AE title not recognized", "give the AE title that the peer calls itself as called (-aec)"),
        ((1, 1, 3), "calling AE title not recognized", "give one that it knows as calling (-aet)"),
        ((2, 3, 2), "local limit exceeded", "try again later; the peer has as many associations as it takes"),
        ((1, 2, 9), "(result 1, source 2, reason 9)", "the standard has no such code"),
    ],
)
def test_rejected(run: Run, scripted: Start, codes: tuple[int, int, int], words: str, advice: str) -> None:
    port = scripted(rejecting(*codes))
    said = run("echo", "-aec", "PACS", HOST, port)
    assert said.code == 3
    assert said.err.startswith(f"dimse echo: no association with PACS at {HOST}:{port}: the peer rejected the association: ")
    assert words in said.err
    assert advice in said.err
    assert said.err.count("\n") == 1


def test_our_own_rejection(run: Run, serving: Start) -> None:
    said = run("echo", "-aec", "WRONG", HOST, serving(check_called=True))
    assert said.code == 3
    assert "(-aec)" in said.err


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            [ABORT],
            "the peer aborted the association: aborted by the service user (source 0, reason 0) (PS3.8 9.3.8); the peer's application",
        ),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "this side aborted the association because 48H is no PDU type"),
        ([b""], "the connection closed before the association was released (PS3.8 9.2.3, AA-4); is it a DICOM port, and with TLS"),
        ([accepting(3)], "because presentation context 3 is answered but was never proposed"),
    ],
)
def test_no_proper_answer_to_the_request(run: Run, scripted: Start, answers: list[bytes], words: str) -> None:
    said = run("echo", HOST, scripted(*answers))
    assert said.code == 3
    assert words in said.err
    assert said.err.count("\n") == 1


def test_no_answer_to_the_request(run: Run, scripted: Start) -> None:
    said = run("echo", "-ta", "0.05", HOST, scripted(SILENT))
    assert said.code == 3
    assert "gave up after 0.05 s: the wait 'associate' passed and no A-ASSOCIATE-AC or -RJ came (PS3.8 7.1.2); check" in said.err


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([accepting(1), ABORT], "aborted the association: aborted by the service user"),
        ([accepting(1), b""], "ended early: the connection closed before the association was released"),
        ([accepting(1), b"\x09\x00\x00\x00\x00\x00"], "this side aborted the association because 09H is no PDU type"),
        ([accepting(1), message(response(CommandField.C_ECHO_RSP, 0, to=2))], "the peer broke the protocol"),
    ],
)
def test_an_end_on_the_way_is_4(run: Run, scripted: Start, answers: list[bytes], words: str) -> None:
    said = run("echo", HOST, scripted(*answers))
    assert said.code == 4
    assert words in said.err
    assert said.err.count("\n") == 1


def test_silence_is_4(run: Run, scripted: Start) -> None:
    said = run("echo", "-td", "0.05", HOST, scripted(accepting(1), SILENT))
    assert said.code == 4
    assert (
        "gave up after 0.05 s: the wait 'response' passed and the peer was silent in the middle of an operation (PS3.7 9.1); " in said.err
    )


@pytest.mark.parametrize("wait", ["pdu", "send"])
def test_a_transfer_that_stops_is_4(run: Run, serving: Start, monkeypatch: pytest.MonkeyPatch, wait: str) -> None:
    def stuck(association: dimse.Association) -> None:
        raise dimse.TimedOut(wait, 30.0)

    monkeypatch.setattr(dimse.Association, "echo", stuck)
    said = run("echo", HOST, serving())
    assert said.code == 4
    assert f"gave up after 30 s: the wait '{wait}' passed" in said.err


def test_a_release_without_an_answer_spoils_nothing(run: Run, scripted: Start) -> None:
    said = run("echo", "-v", HOST, scripted(accepting(1), ECHOED, b""))
    assert said.code == 0
    assert "the release did not go in good order" in said.err
