"""`dimse demo`: the first thing that a new user runs."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

import dimse
from dimse.archive import Archive
from dimse.cli import demo

from .conftest import Run


def test_it_works_and_says_what_it_did(run: Run) -> None:
    said = run("demo")
    assert (said.code, said.err) == (0, "")
    steps = re.findall(r"^  (\w+) +\S", said.out, re.MULTILINE)
    assert steps[:6] == ["start", "echo", "send", "find", "move", "compare"]
    assert "byte for byte" in said.out
    assert "All of it worked, in " in said.out


def test_json(run: Run) -> None:
    results = run("demo", "--json").results
    assert [result["step"] for result in results] == ["start", "echo", "send", "find", "move", "compare", "demo"]
    assert all(result["ok"] for result in results)


def test_the_samples_are_instances_of_several_kinds() -> None:
    samples = demo.sample_files()
    assert len(samples) > 50
    assert len({source.sop_instance_uid for source in samples}) == len(samples)
    assert len({source.transfer_syntax for source in samples}) > 5


@pytest.mark.parametrize("broken", ["_echo", "_send", "_move"])
def test_a_step_that_fails_fails_it(run: Run, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    monkeypatch.setattr(demo._Demo, broken, lambda self, *rest: False)
    said = run("demo")
    assert said.code == 1
    assert "Something went wrong" in said.out


def test_what_arrives_changed_is_seen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    same: Callable[[dimse.FileSource, Archive], bool] = demo._same
    monkeypatch.setattr(demo, "_same", lambda source, archive: archive.folder.name == demo.FIRST and same(source, archive))
    said = run("demo")
    assert said.code == 1
    assert "DO NOT equal what was sent" in said.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(demo._Demo, "_find", lambda self, *rest: os.kill(os.getpid(), number))
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        said = run("demo")
    finally:
        assert signal.signal(signal.SIGTERM, before) is signal.SIG_IGN
    assert (said.code, said.err) == (130, "dimse demo: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_refused_files_and_lost_associations_are_said(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    twice = demo.sample_files()[:1]
    other = tmp_path / "other"
    content = twice[0].path.read_bytes()
    other.write_bytes(content + b"\x10\x00\x00\x40LT\x02\x00xx")
    monkeypatch.setattr(demo, "sample_files", lambda: [*twice, dimse.FileSource(other)])
    said = run("demo")
    assert said.code == 1
    assert "dimse demo: other: 0111H" in said.err

    def lost(self: object) -> None:
        raise dimse.ConnectionLost

    monkeypatch.setattr(demo._Demo, "_echo", lost)
    said = run("demo")
    assert said.code == 1
    assert "the demonstration failed: the connection closed" in said.err


def test_without_pydicom(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = run("demo")
    assert said.code == 1
    assert "pydicom is not installed" in said.err
