"""U: our user, in both fronts, with servers that do what they must not."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import dimse
import dimse.aio
import pdu
from dimse.data.commands import CommandField, CommandSet
from dimse.data.uids import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from dimse.judge.wire import raw_pdu
from dimse.services import scu

from .conditions import MEMORY
from .hostile import HOST, Endless, Hostile, Trickle, accepted, accepting, hostile, response
from .providers import Inside

TIMEOUTS = dimse.Timeouts(associate=0.3, response=0.5, release=0.5, linger=0.2)
IN_TIME = 5.0
"""Seconds: more than all of these waits, also where a tracer makes everything slower."""
MATCH = dimse.query("STUDY", PatientID="MADE-UP").encoded
PENDING = response(CommandField.C_FIND_RSP, 0xFF00, data=MATCH)
ECHOED = response(CommandField.C_ECHO_RSP, 0)
CT = dimse.CTImageStorage
GET_CONTEXTS = [
    dimse.Context(dimse.StudyRootGet, (ImplicitVRLittleEndian,)),
    dimse.Context(CT, (ImplicitVRLittleEndian,), scu=False, scp=True),
]
RELEASED = raw_pdu(0x06, bytes(4))


@dataclass(frozen=True)
class Front:
    """What a user does with a server, in one of the fronts."""

    echo: Callable[[int], dimse.Status]
    find: Callable[[int, int], int]
    """Takes so many matches of a query, at most, and leaves; how many there were."""
    get: Callable[[int, Path], dimse.GetResult]
    """Fetches whatever comes into a folder, and leaves by an abort."""


def _options(context: str) -> dict[str, object]:
    return {"contexts": [dimse.Context(context, (ImplicitVRLittleEndian,))], "timeouts": TIMEOUTS}


def _echo(port: int) -> dimse.Status:
    with dimse.connect(HOST, port, **_options(dimse.Verification)) as association:  # type: ignore[arg-type]  # options of several types
        return association.echo()


def _find(port: int, most: int) -> int:
    with dimse.connect(HOST, port, **_options(dimse.StudyRootFind)) as association:  # type: ignore[arg-type]  # options of several types
        matches = association.find(dimse.query("STUDY"))
        try:
            return sum(1 for _ in itertools.islice(matches, most))
        finally:
            matches.close()  # type: ignore[attr-defined]  # an iterator that is a generator


async def _aio_echo(port: int) -> dimse.Status:
    async with dimse.aio.connect(HOST, port, **_options(dimse.Verification)) as association:  # type: ignore[arg-type]  # options of several types
        return await association.echo()


async def _aio_find(port: int, most: int) -> int:
    async with dimse.aio.connect(HOST, port, **_options(dimse.StudyRootFind)) as association:  # type: ignore[arg-type]  # options of several types
        count = 0
        async for _ in association.find(dimse.query("STUDY")):
            count += 1
            if count == most:
                break
        return count


def _get(port: int, folder: Path) -> dimse.GetResult:
    association = dimse.connect(HOST, port, contexts=GET_CONTEXTS, timeouts=TIMEOUTS)
    try:
        return association.get(dimse.query("STUDY"), dimse.FolderSink(folder).open)
    finally:
        association.abort()


async def _aio_get(port: int, folder: Path) -> dimse.GetResult:
    association = await dimse.aio.connect(HOST, port, contexts=GET_CONTEXTS, timeouts=TIMEOUTS)
    try:
        return await association.get(dimse.query("STUDY"), dimse.FolderSink(folder).open)
    finally:
        await association.abort()


FRONTS = {
    "blocking": Front(_echo, _find, _get),
    "aio": Front(
        lambda port: asyncio.run(_aio_echo(port)),
        lambda port, most: asyncio.run(_aio_find(port, most)),
        lambda port, folder: asyncio.run(_aio_get(port, folder)),
    ),
}


@pytest.fixture(params=list(FRONTS))
def front(request: pytest.FixtureRequest) -> Front:
    return FRONTS[request.param]


@pytest.fixture(autouse=True)
def _conditions(front: Front, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The common conditions, as far as they are about a user: memory, nothing left of it, nothing logged, and the end in time."""
    before, start = Inside(tmp_path), time.monotonic()
    yield
    assert time.monotonic() - start < IN_TIME
    assert before.growth() <= MEMORY
    assert before.left_behind() == []
    assert [record.getMessage() for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING] == []


def _aborted(server: Hostile) -> bool:
    """Whether the last thing that came was an A-ABORT."""
    server.thread.join(10)
    return server.heard[-10:-4] == b"\x07\0\0\0\0\4"


@pytest.mark.parametrize("answer", [b"", Trickle(accepting(accepted(1)), gap=0.05)], ids=["U-01/silence", "U-01/trickle"])
def test_an_answer_that_does_not_come(front: Front, answer: bytes | Trickle) -> None:
    with hostile(answer) as server:
        with pytest.raises(dimse.TimedOut) as caught:
            front.echo(server.port)
        assert _aborted(server)
    assert (caught.value.wait, caught.value.seconds) == ("associate", 0.3)


@pytest.mark.parametrize(
    ("contexts", "clause"),
    [
        pytest.param([accepted(1), accepted(5)], "never proposed", id="U-02/unproposed"),
        pytest.param([accepted(1, ImplicitVRLittleEndian, ExplicitVRLittleEndian)], "2 transfer syntaxes", id="U-02/two"),
    ],
)
def test_an_acceptance_that_cannot_be(front: Front, contexts: list[bytes], clause: str) -> None:
    with hostile(accepting(*contexts)) as server:
        with pytest.raises(dimse.Aborted, match=clause) as caught:
            front.echo(server.port)
        assert _aborted(server)
    assert not caught.value.by_peer


@pytest.mark.parametrize("titles", [("OTHER", "SOMEBODY"), ("", "")], ids=["U-02/titles", "U-02/no-titles"])
def test_ae_titles_of_an_acceptance_are_not_tested(front: Front, titles: tuple[str, str]) -> None:
    with hostile(accepting(accepted(1), called=titles[0], calling=titles[1]), ECHOED, RELEASED) as server:
        assert front.echo(server.port).ok


@pytest.mark.parametrize("codes", [pytest.param((0, 9, 99), id="U-04/codes")])
def test_a_rejection_with_unknown_codes(front: Front, codes: tuple[int, int, int]) -> None:
    with hostile(raw_pdu(0x03, bytes([0, *codes]))) as server, pytest.raises(dimse.Rejected) as caught:
        front.echo(server.port)
    assert (caught.value.result, caught.value.source, caught.value.reason) == codes
    assert "99" in str(caught.value)


@pytest.mark.parametrize("answer", [pytest.param(raw_pdu(0x03), id="U-04/empty")])
def test_a_rejection_without_codes(front: Front, answer: bytes) -> None:
    with hostile(answer) as server, pytest.raises(dimse.Aborted, match="RJ announces 0 bytes") as caught:
        front.echo(server.port)
    assert not caught.value.by_peer


@pytest.mark.parametrize("most", [pytest.param(1000, id="U-05/endless")])
def test_matches_without_end(front: Front, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who leaves the loop cancels, and a server that goes on all the same is aborted."""
    monkeypatch.setattr(scu, "MAX_RESPONSES_BEHIND_CANCEL", 500)
    with hostile(accepting(accepted(1)), Endless(PENDING * 100)) as server, pytest.raises(dimse.ProtocolError, match="without end"):
        front.find(server.port, most)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        pytest.param(response(CommandField.C_FIND_RSP, 0xFF00, to=77, data=MATCH), "message 77", id="U-05/other"),
        pytest.param(response(CommandField.C_FIND_RSP, None, data=MATCH), "Status", id="U-05/status"),
    ],
)
def test_a_response_that_answers_nothing(front: Front, answer: bytes, what: str) -> None:
    with hostile(accepting(accepted(1)), answer) as server:
        with pytest.raises(dimse.ProtocolError, match=what):
            front.find(server.port, 1)
        assert _aborted(server)


def _store(uid: str) -> bytes:
    """A C-STORE-RQ, in one PDU."""
    command = CommandSet(
        CommandField.C_STORE_RQ,
        affected_sop_class_uid=CT,
        message_id=9,
        priority=0,
        command_data_set_type=1,
        affected_sop_instance_uid=uid,
    )
    return pdu.PDataTF((pdu.PDV(3, True, True, command.encode()), pdu.PDV(3, False, True, MATCH))).encode()


@pytest.mark.parametrize(
    ("uid", "role", "status"),
    [
        pytest.param("../../x", CT, 0x0117, id="U-06/relative"),
        pytest.param("/etc/cron.d/x", CT, 0x0117, id="U-06/absolute"),
        pytest.param("1.2.3", "", 0x0122, id="U-06/no-role"),
    ],
)
def test_instances_that_must_not_come(front: Front, uid: str, role: str, status: int, tmp_path: Path) -> None:
    final = response(CommandField.C_GET_RSP, 0xA702)
    with hostile(accepting(accepted(1), accepted(3), returning=role), _store(uid) + final) as server:
        result = front.get(server.port, tmp_path / "archive" / "fetched")
        server.thread.join(10)
        assert b"\0\0\0\x09\2\0\0\0" + status.to_bytes(2, "little") in server.heard
    assert (result.status, result.kept) == (0xA702, 0)
    assert [(refused, int(why)) for refused, why in result.refused] == [(uid, status)]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_instance_that_comes(front: Front, tmp_path: Path) -> None:
    """What the others would be if nothing were wrong with them."""
    with hostile(accepting(accepted(1), accepted(3), returning=CT), _store("1.2.3") + response(CommandField.C_GET_RSP, 0)) as server:
        assert front.get(server.port, tmp_path / "fetched").kept == 1
    (kept,) = (tmp_path / "fetched").iterdir()
    assert (kept.name, kept.read_bytes()[-len(MATCH) :]) == ("1.2.3.dcm", MATCH)
    kept.unlink()
