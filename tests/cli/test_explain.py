"""`dimse echo --explain`: what was proposed, what was answered, and the judgement of each presentation context."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

import dimse
import pdu
from dimse.cli.explain import probes
from dimse.data.commands import CommandField
from dimse.data.uids import DEFAULT_TRANSFER_SYNTAXES, ImplicitVRLittleEndian, StudyRootGet
from dimse.errors import ABORT_ADVICE, CONTEXT_ADVICE, REJECTION_ADVICE

from .conftest import HOST, Run
from .peers import ABORT, RELEASED, SILENT, message, rejecting, response

Start = Callable[..., int]
COUNT = len(probes())
CHOSEN = "Explicit VR Little Endian"
ECHOED = message(response(CommandField.C_ECHO_RSP, 0))


def answering(results: dict[int, int], *user: pdu.UserItem, leave_out: int = 0) -> bytes:
    """An A-ASSOCIATE-AC of all contexts that are proposed: these results, all others accepted."""
    items = [
        pdu.PresentationContextAC(id, results.get(id, 0), context.transfer_syntaxes[-1])
        for id, context in zip(range(1, 256, 2), probes(), strict=False)
        if id != leave_out
    ]
    mandatory = (pdu.MaximumLength(16384), pdu.ImplementationClassUID("1.2"))
    return pdu.AssociateAC("ANY-SCP", "DIMSE", (pdu.ApplicationContext(), *items, pdu.UserInformation((*mandatory, *user)))).encode()


def contexts(out: str) -> dict[int, str]:
    """The lines of the contexts by id."""
    lines = [line.split(maxsplit=2) for line in out.splitlines() if line.startswith("  context ")]
    return {int(number): rest for _, number, rest in lines}


def everything() -> dimse.Services:
    """A provider that takes whatever is proposed, but for the worklist."""
    return dimse.Services(
        store=lambda request, data: None,
        find=lambda request: iter(()),
        move=lambda request: (),
        where=lambda request, title: dimse.Address(title, HOST, 1),
        get=lambda request: (),
        extended=lambda sop_class, proposed: None if sop_class == StudyRootGet else proposed[:3],
    )


def test_an_answer_of_our_own_provider(run: Run, serving: Start) -> None:
    port = serving(everything())
    said = run("echo", "--explain", "-aec", "PEER", HOST, port)
    assert (said.code, said.err) == (0, "")
    first, *_, last, echoed = said.out.splitlines()
    assert first == f"to PEER at {HOST}:{port} from DIMSE: {COUNT} presentation contexts proposed"
    assert last == f"{COUNT - 1} of {COUNT} presentation contexts accepted"
    assert echoed.startswith(f"C-ECHO to PEER at {HOST}:{port}: 0000H Success")
    for line in (
        "  this side  maximum length 131072",
        "  this side  asynchronous operations window invoked 16, performed 1",
        "  the peer   asynchronous operations window invoked 1, performed 1",  # since a C-GET can be asked for
        "  the peer   role selection Secondary Capture Image Storage, scu: yes, scp: yes",
        "  this side  extended negotiation Study Root Query/Retrieve Information Model - FIND, information 01010101010101",
        "  the peer   extended negotiation Study Root Query/Retrieve Information Model - FIND, information 010101",
        "  agreed     PDUs of at most 131072 bytes to the peer, 131072 to this side; 1 operation at once",
        "  options    Study Root Query/Retrieve Information Model - FIND: relational queries and retrievals, combined date and time "
        "matching, fuzzy matching of person names granted, not time zone adjustment, conversion of enhanced multi-frame images, "
        "empty value matching, multiple value matching",
        "  options    Patient Root Query/Retrieve Information Model - MOVE: relational queries and retrievals granted",
        "  options    Study Root Query/Retrieve Information Model - GET: nothing granted, not relational queries and retrievals",
        f"  context 1   accepted  Verification SOP Class in {CHOSEN} (rather than Implicit VR Little Endian), this side as SCU",
        "  context 43  accepted  CT Image Storage in RLE Lossless, this side as SCU",
    ):
        assert line in said.out.splitlines()
    judged = contexts(said.out)
    assert len(judged) == COUNT
    assert "this side as SCU and SCP" in judged[27]
    assert judged[15].startswith("refused   Modality Worklist Information Model - FIND in Explicit VR Little Endian or Implicit VR Little")
    assert "abstract syntax not supported (PS3.8 Table 9-18, result 3); the peer does not offer the service" in judged[15]


@pytest.mark.parametrize("result", [1, 2, 3, 4, 9])
def test_each_result_of_a_context_has_its_sentence(run: Run, scripted: Start, result: int) -> None:
    said = run("echo", "--explain", HOST, scripted(answering({3: result}), ECHOED, RELEASED))
    judged = contexts(said.out)
    assert said.code == 0
    assert judged[3].startswith("refused   Patient Root Query/Retrieve Information Model - FIND in Explicit VR")
    words = (
        f"{pdu.context_words(result)} (PS3.8 Table 9-18, result {result}); {CONTEXT_ADVICE.get(result, 'the standard has no such code')}"
    )
    assert words in judged[3]
    assert [id for id, line in judged.items() if not line.startswith("accepted")] == [3]
    assert f"{COUNT - 1} of {COUNT} presentation contexts accepted" in said.out


def test_an_accepted_context_names_what_was_chosen_instead_of_what(run: Run, scripted: Start) -> None:
    said = run("echo", "--explain", HOST, scripted(answering({}), ECHOED, RELEASED))
    chosen, other = (dimse.UID(uid).name for uid in reversed(DEFAULT_TRANSFER_SYNTAXES))
    assert f"accepted  CT Image Storage in {chosen} (rather than {other}), this side as SCU" in said.out


def test_what_a_peer_does_against_the_standard_is_named(run: Run, scripted: Start) -> None:
    window = pdu.UnknownItem(0x5F, b"\x1b[2J")
    said = run("echo", "--explain", HOST, scripted(answering({}, window, leave_out=5), ECHOED, RELEASED))
    assert "  !!         the peer's answer: no answer to presentation context 5 (PS3.8 9.3.3.2)\n" in said.out
    assert "  !!         the peer's answer: item 5FH is of no known type: ignored (PS3.8 9.3.1)\n" in said.out
    assert "refused" in contexts(said.out)[5]
    assert "any number of operations" not in said.out


def test_a_window_and_a_length_without_limits(run: Run, scripted: Start) -> None:
    answer = answering({}, pdu.AsynchronousOperations(0, 1))
    no_limit = answer.replace(pdu.MaximumLength(16384).encode(), pdu.MaximumLength(0).encode())
    said = run("echo", "--explain", HOST, scripted(no_limit, ECHOED, RELEASED))
    assert "agreed     PDUs of at most any bytes to the peer, 131072 to this side; 16 operations at once" in said.out


def test_a_refused_verification_is_explained_too(run: Run, scripted: Start) -> None:
    said = run("echo", "--explain", HOST, scripted(answering({1: 3}), RELEASED))
    assert said.code == 1
    assert contexts(said.out)[1].startswith("refused   Verification SOP Class in ")
    assert "no presentation context for Verification SOP Class: the peer answered abstract syntax not supported" in said.err


@pytest.mark.parametrize(("source", "reason"), REJECTION_ADVICE)
@pytest.mark.parametrize("result", [1, 2])
def test_each_rejection_has_its_sentence(run: Run, scripted: Start, result: int, source: int, reason: int) -> None:
    port = scripted(rejecting(result, source, reason))
    said = run("echo", "--explain", "-aec", "PACS", HOST, port)
    words = pdu.rejection_words(result, source, reason)
    assert said.code == 3
    assert f"  the peer   A-ASSOCIATE-RJ {words} (result {result}, source {source}, reason {reason})\n" in said.out
    proposed = contexts(said.out)
    assert len(proposed) == COUNT
    assert proposed[1] == "proposed  Verification SOP Class in Explicit VR Little Endian or Implicit VR Little Endian"
    assert said.out.endswith("no presentation context accepted, for there is no association\n")
    assert said.err.startswith(f"dimse echo: no association with PACS at {HOST}:{port}: the peer rejected the association: {words} (result")
    assert "(PS3.8 9.3.4); " in said.err
    assert REJECTION_ADVICE[source, reason] in said.err
    assert ("try again later" in said.err) >= (result == 2)
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(("source", "reason"), [(0, 0), *(codes for codes in ABORT_ADVICE if codes[1] is not None)])
def test_each_abort_has_its_sentence(run: Run, scripted: Start, source: int, reason: int) -> None:
    said = run("echo", "--explain", HOST, scripted(pdu.Abort(source, reason).encode()))
    words = pdu.abort_words(source, reason)
    assert said.code == 3
    assert f"  the peer   A-ABORT {words} (source {source}, reason {reason})\n" in said.out
    assert f"the peer aborted the association: {words} (source {source}, reason {reason}) (PS3.8 9.3.8); " in said.err
    assert ABORT_ADVICE[source, reason if source else None] in said.err


def test_an_abort_behind_the_answer_is_explained_up_to_there(run: Run, scripted: Start) -> None:
    said = run("echo", "--explain", HOST, scripted(answering({}), ABORT))
    assert said.code == 4
    assert f"{COUNT} of {COUNT} presentation contexts accepted" in said.out
    assert "ended early: the peer aborted the association" in said.err


def test_no_answer_in_time(run: Run, scripted: Start) -> None:
    said = run("echo", "--explain", "-ta", "0.05", HOST, scripted(SILENT))
    assert said.code == 3
    assert "  the peer   answered nothing\n" in said.out
    assert len(contexts(said.out)) == COUNT
    assert "the wait 'associate' passed and no A-ASSOCIATE-AC or -RJ came (PS3.8 7.1.2); check" in said.err
    assert said.err.endswith("a slow peer needs a longer -ta\n")


def test_what_is_no_dicom(run: Run, scripted: Start) -> None:
    said = run("echo", "--explain", HOST, scripted(b"HTTP/1.1 400 Bad\x1b[2J Request\r\n\r\n"))
    assert said.code == 3
    assert "  the peer   PDU of unknown type 48H that is none: 48H is no PDU type, at byte 0\n" in said.out
    assert "  !!         the peer's answer: 48H is no PDU type (PS3.8 9.3.1)\n" in said.out
    assert "this side aborted the association because 48H is no PDU type" in said.err
    assert "is it a DICOM port" in said.err


def test_an_answer_that_does_not_fit(run: Run, scripted: Start) -> None:
    answer = answering({}).replace(ImplicitVRLittleEndian.encode(), b"1.2.840.10008.1.3", 1)
    said = run("echo", "--explain", HOST, scripted(answer))
    assert said.code == 3
    assert "that its maker has to mend it; --trace FILE keeps the PDUs" in said.err
    assert "was not proposed (PS3.8 9.3.3.2)" in said.out


def test_nobody_there(run: Run) -> None:
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        port = unused.getsockname()[1]
        said = run("echo", "--explain", HOST, port)
    assert said.code == 3
    assert said.out == f"to ANY-SCP at {HOST}:{port} from DIMSE: nothing was asked, for nobody was there\n"
    assert "Connection refused (PS3.8 9.1.2); check host and port" in said.err


def test_json(run: Run, scripted: Start) -> None:
    port = scripted(answering({3: 4}), ECHOED, RELEASED)
    explained, echoed = (result for result in run("echo", "--json", "--explain", HOST, port).results)
    told = explained["explain"]
    assert isinstance(told, dict)
    assert (told["called"], told["host"], told["port"], told["failure"]) == ("ANY-SCP", HOST, port, None)
    assert (told["request"]["pdu"], told["answer"]["pdu"]) == ("A-ASSOCIATE-RQ", "A-ASSOCIATE-AC")
    judged = {context["id"]: context for context in told["contexts"]}
    assert judged[1] == {
        "id": 1,
        "abstract_syntax": dimse.Verification,
        "name": "Verification SOP Class",
        "transfer_syntax": ImplicitVRLittleEndian,
        "scu": True,
        "scp": False,
        "accepted": True,
        "result": 0,
        "explained": "accepted (PS3.8 Table 9-18, result 0)",
    }
    assert (judged[3]["accepted"], judged[3]["result"]) == (False, 4)
    assert judged[3]["explained"].startswith("transfer syntaxes not supported (PS3.8 Table 9-18, result 4); propose")
    assert echoed["ok"] is True


def test_json_of_a_rejection(run: Run, scripted: Start) -> None:
    (explained,) = run("echo", "--json", "--explain", HOST, scripted(rejecting(1, 1, 7))).results
    told = explained["explain"]
    assert isinstance(told, dict)
    assert told["answer"]["reason"] == 7
    assert told["contexts"] == []
    assert "give the AE title that the peer calls itself as called (-aec)" in told["failure"]
    assert len(told["request"]["contexts"]) == COUNT


def test_json_of_nobody(run: Run) -> None:
    (explained,) = run("echo", "--json", "--explain", HOST, 1).results
    told = explained["explain"]
    assert isinstance(told, dict)
    assert (told["request"], told["answer"], told["contexts"]) == (None, None, [])
    assert "Connection refused" in told["failure"]


def test_it_goes_with_a_trace(run: Run, scripted: Start, tmp_path: object) -> None:
    said = run("echo", "--explain", "-d", "--trace", f"{tmp_path}/x", HOST, scripted(answering({}), ECHOED, RELEASED))
    assert said.code == 0
    assert "A-ASSOCIATE-AC" in said.err
