"""What a trace is told of the judge's connections."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dimse
from dimse.association.events import TraceRecord
from dimse.cli import main
from dimse.judge.spectator import MOST_KEPT, Spectator
from tests.association import scenes
from tests.vectors import raw_pdu

from .odd import HOST, closes, odd


class Watched:
    """A spectator and what it has told."""

    def __init__(self) -> None:
        self.records: list[TraceRecord] = []
        self.spectator = Spectator(self.records.append, "host:1")

    @property
    def told(self) -> list[tuple[str, str, int, int]]:
        """Direction, PDU or words, the states."""
        return [
            (r.direction, r.what if isinstance(r.what, str) else type(r.what).__name__, int(r.before), int(r.after)) for r in self.records
        ]


OPENED = ("event", "transport: connection opened", 1, 4)


def test_an_association() -> None:
    watched = Watched()
    spectator = watched.spectator
    for sent, came in ((scenes.RQ, scenes.AC), (scenes.DATA, scenes.DATA), (scenes.RELEASE_RQ, scenes.RELEASE_RP)):
        spectator.sent(sent)
        spectator.received(came)
    spectator.ended("connection closed by the peer")
    spectator.ended("connection closed by this side")
    assert watched.told == [
        OPENED,
        ("out", "AssociateRQ", 4, 5),
        ("in", "AssociateAC", 5, 6),
        ("out", "PDataTF", 6, 6),
        ("in", "PDataTF", 6, 6),
        ("out", "ReleaseRQ", 6, 7),
        ("in", "ReleaseRP", 7, 13),
        ("event", "transport: connection closed by the peer", 13, 1),
    ]
    assert watched.records[1].encoded == scenes.RQ
    assert {record.association.peer for record in watched.records} == {"host:1"}


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (scenes.AC, ("out", "AssociateAC", 4, 4)),
        (scenes.RELEASE_RQ, ("out", "ReleaseRQ", 4, 4)),
        (scenes.ABORT, ("out", "Abort", 4, 13)),
        (scenes.UNKNOWN, ("out", "PDUError", 4, 4)),
        (scenes.RQ[:9], ("out", f"A-ASSOCIATE-RQ, not complete: 9 bytes of {len(scenes.RQ)} bytes went out", 4, 4)),
        (scenes.RQ[:3], ("out", "A-ASSOCIATE-RQ, not complete: 3 bytes of its header went out", 4, 4)),
    ],
    ids=["answer", "release", "abort", "unknown", "part", "part of a header"],
)
def test_what_breaks_the_rules(sent: bytes, told: tuple[str, str, int, int]) -> None:
    watched = Watched()
    watched.spectator.sent(sent)
    watched.spectator.received(scenes.ABORT)
    watched.spectator.ended("connection closed by the peer")
    assert watched.told[1] == told
    assert watched.told[-1][:2] == ("event", "transport: connection closed by the peer")


def test_a_part_is_told_before_its_answer_and_once() -> None:
    watched = Watched()
    watched.spectator.sent(scenes.RQ[:9])
    watched.spectator.received(scenes.ABORT[:5])
    watched.spectator.received(scenes.ABORT[5:])
    watched.spectator.sent(scenes.RQ[9:])
    watched.spectator.sent(scenes.DATA[:7])
    watched.spectator.ended("gone")
    assert [what.split(",")[0] for _, what, _, _ in watched.told[1:]] == [
        "A-ASSOCIATE-RQ",
        "Abort",
        "AssociateRQ",
        "P-DATA-TF",
        "transport: gone",
    ]


def test_what_the_peer_began_to_say_is_told_at_the_end() -> None:
    watched = Watched()
    watched.spectator.received(scenes.ABORT[:8])
    watched.spectator.ended("connection reset by the peer")
    assert watched.told[1] == ("in", "A-ABORT, not complete: 8 bytes of 10 bytes came", 4, 4)


def test_a_pdu_without_an_end_is_kept_up_to_a_limit() -> None:
    watched = Watched()
    watched.spectator.sent(raw_pdu(4, bytes(100), length=1 << 31))
    for _ in range(64):
        watched.spectator.sent(bytes(MOST_KEPT // 16))
    watched.spectator.ended("gone")
    assert len(watched.records[1].encoded) < 2 * MOST_KEPT


def test_the_command_writes_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = dimse.Server("PEER", dimse.Services(), timeouts=dimse.Timeouts(artim=0.3))
    _, port = server.listen(HOST, 0)
    with server:
        words = ["--only", "F-05/01", "--artim", "0.1", "--idle", "0.1", "--trace", str(tmp_path / "x"), "-d"]
        assert main(["judge", HOST, str(port), *words]) == 0
    told = [json.loads(line) for line in (tmp_path / "x").read_text().splitlines()]
    pdus = [(line["association"], line["direction"], line["pdu"]) for line in told if "pdu" in line]
    number = next(line["association"] for line in told if line.get("pdu") == "A-ABORT")
    assert [entry[1:] for entry in pdus if entry[0] == number] == [
        ("out", "A-ASSOCIATE-RQ"),
        ("in", "A-ASSOCIATE-AC"),
        ("out", "A-ASSOCIATE-RQ"),
        ("in", "A-ABORT"),
    ]
    assert "A-ASSOCIATE-RQ DIMSE calls ANY-SCP" in capsys.readouterr().err


def test_connections_that_the_peer_closes_or_resets_are_told(tmp_path: Path) -> None:
    with odd(closes) as provider:
        main(
            [
                "judge",
                HOST,
                str(provider.target.port),
                "--only",
                "F-04/09",
                "--artim",
                "0.1",
                "--idle",
                "0.1",
                "--trace",
                str(tmp_path / "x"),
            ]
        )
    assert '"event": "transport: connection closed by the peer"' in (tmp_path / "x").read_text()
