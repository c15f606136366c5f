"""The README's tour, as it is printed there: the servers in the background, every other command one after the other."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from tests.test_readme import blocks

from .peers import HOST, SEARCH_PATH, Lab, accepts, contents, free_port, peer_program, run
from .samples import Samples

PORTS = ("4242", "4243", "11112", "8043")
TOUR = [block for block in blocks("sh") if any(port in block for port in PORTS)]


def test_the_tour(lab: Lab, samples: Samples, tmp_path: Path) -> None:
    for program in ("dcmsend", "findscu", "movescu", "getscu", "dump2dcm", "Orthanc"):
        peer_program(program)
    (tmp_path / "study").symlink_to(samples.folder)
    said = play(TOUR, PORTS, lab, tmp_path)
    assert set(contents(tmp_path / "incoming")) == {file.sop_instance for file in samples.named("Hartgard^Ilse")}
    fetched = {file.sop_instance for name in ("Nezu", "Hartgardt^Boris") for file in samples.named(name)}
    assert set(contents(tmp_path / "fetched")) == fetched
    assert "Hartgardt^Boris" in said


def test_the_judge(lab: Lab, tmp_path: Path) -> None:
    said = play([block for block in blocks("sh") if "4244" in block], ["4244"], lab, tmp_path)
    (total,) = re.findall(r"^all +(.*)$", said, re.MULTILINE)
    assert re.fullmatch(r"\d+ conforms, 1 tolerated", total)


def play(scenes: Iterable[str], names: Iterable[str], lab: Lab, tmp_path: Path) -> str:
    """Runs blocks of the README in a folder, the servers to stay, with free ports for those named; gives what the others said."""
    path = f"{_folder_with_dimse(tmp_path)}{os.pathsep}{SEARCH_PATH}"
    ports = {port: free_port() for port in names}
    said = ""
    for block in scenes:
        script = f"cd {shlex.quote(str(tmp_path))}; PATH={shlex.quote(path)}; export PATH\n" + with_ports(block, ports)
        listening = re.search(r"^# Terminal \d: .* on port (\d+)", script, re.MULTILINE)
        if listening is None:
            said += run("sh", "-eu", "-c", script).output
        else:
            server = lab.start("sh", "-c", _in_place(script))
            server.wait_until(partial(accepts, HOST, int(listening[1])), listening[0])
    return said


def with_ports(block: str, ports: Mapping[str, int]) -> str:
    """The block with free ports in the place of those that the README names."""
    return re.sub("|".join(ports), lambda found: str(ports[found[0]]), block)


def _folder_with_dimse(tmp_path: Path) -> Path:
    """A folder in which `dimse` is the program under test, whatever else is installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "dimse"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dimse "$@"\n')
    program.chmod(0o755)
    return folder


def _in_place(script: str) -> str:
    """The script with its last command, the server, in the place of the shell: what stops the shell then stops the server."""
    *before, last = script.rstrip().splitlines()
    return "\n".join([*before, f"exec {last}"])
