"""What the tests of the command line share: made-up files, providers on free loopback ports, and commands run in this process."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

import dimse
from dimse.cli import main
from dimse.cli.serving import Signals
from dimse.data.part10 import FileMeta
from dimse.data.uids import CTImageStorage, ExplicitVRLittleEndian
from tests.cli.peers import ScriptedPeer

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Said:
    """A command that has ended: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, object]]:
        """What it said with --json."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Said]
During = Callable[[Callable[[int], object]], None]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process. Nothing that it says may be a traceback or steer a terminal."""

    def run(*words: object) -> Said:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        assert all(c == "\n" or c.isprintable() for c in said.out + said.err)
        return Said(code, said.out, said.err)

    return run


@pytest.fixture
def serving() -> Iterator[Callable[..., int]]:
    """Starts providers with the services and options of a `dimse.Server`; gives the port."""
    with ExitStack() as stack:

        def start(services: dimse.Services | None = None, *, aet: str = "PEER", **options: object) -> int:
            server = dimse.Server(aet, services or dimse.Services(), **options)  # type: ignore[arg-type]  # options of several types
            _, port = server.listen(HOST, 0)
            server.start()
            stack.callback(server.stop, 0.0)
            return port

        yield start


@pytest.fixture
def scripted() -> Iterator[Callable[..., int]]:
    """Starts peers that answer by a script of bytes (see `ScriptedPeer`); gives the port."""
    with ExitStack() as stack:

        def start(*answers: bytes | None) -> int:
            return stack.enter_context(ScriptedPeer(answers)).port

        yield start


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> During:
    """Has a server that is run in this process do something when it listens, given its port, and then sends it a SIGTERM."""

    def prepare(action: Callable[[int], object]) -> None:
        wait = Signals.wait

        def act(signals: Signals) -> None:
            monkeypatch.setattr(Signals, "wait", wait)
            said = capsys.readouterr()
            sys.stdout.write(said.out)  # for whoever reads it next
            sys.stderr.write(said.err)
            found = re.search(r" at (?:[\d.]+|\[::1\]):(\d+), data in |\"port\": (\d+)", said.out)
            assert found
            action(int(found[1] or found[2]))
            os.kill(os.getpid(), signal.SIGTERM)
            wait(signals)

        monkeypatch.setattr(Signals, "wait", act)

    return prepare


def write_instance(
    path: Path, uid: str, *, sop_class: str = CTImageStorage, syntax: str = ExplicitVRLittleEndian, study: str = "1.2.3", **keys: str
) -> Path:
    """A small instance as a Part 10 file."""
    given = {"PatientName": "Hartgard^Ilse", "PatientID": "HG-1", **keys}
    series = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1"}
    data = dimse.query(None, SOPClassUID=sop_class, SOPInstanceUID=uid, **series, **given)
    head = FileMeta(dimse.UID(sop_class), dimse.UID(uid), dimse.UID(syntax)).encode()
    native = syntax if syntax in (ExplicitVRLittleEndian, dimse.ImplicitVRLittleEndian) else ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + data.encoded_as(native).encoded)
    return path
