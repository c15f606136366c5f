"""Providers to measure against: ours, DCMTK's storescp, Orthanc, pynetdicom's storescp, each in a process of its own.

They run as they come, with two exceptions: the documented options for their waits, so that a run stays short, and what it
takes to be asked at all (Orthanc's permissions). `options` says which.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from bench.measuring import environment
from dimse.judge import Target, Timing
from dimse.judge.line import why_not_served

HOST = "127.0.0.1"
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
WAIT = 4
"""Seconds for every wait that an option sets."""
SHORT = Timing(artim=WAIT, idle=WAIT)
START = 30.0
"""Seconds in which a provider has to answer a first C-ECHO."""
ATTEMPTS = 3
STOP = 5.0
MOMENT = 2.0


class Missing(Exception):
    """A peer is not installed; the text says how to get it."""


@dataclass(frozen=True)
class Peer:
    """A provider that can be started. `command` gives its words for a folder and a port; `find` its version, or raises `Missing`.

    `timing` has its waits as it was told them or, where no option sets them, as it has them built in. `end` is how it is stopped.
    """

    name: str
    aet: str
    options: str
    find: Callable[[], str]
    command: Callable[[Path, int], list[str]]
    timing: Timing = SHORT
    environment: Mapping[str, str] = field(default_factory=dict)
    end: signal.Signals = signal.SIGTERM


@dataclass
class Provider:
    """A provider that is running."""

    peer: Peer
    port: int
    process: subprocess.Popen[bytes]
    peak: int = field(default=0, init=False)
    """The most memory, in bytes, that it has had resident by the last time it was looked at (Linux)."""

    @property
    def target(self) -> Target:
        """It as the judge sees it."""
        return Target(HOST, self.port, self.peer.aet.encode(), b"REFEREE", self.peer.timing)

    @property
    def death(self) -> str:
        """How it ended, in words; empty while it runs."""
        code = self.process.poll()
        if code is None:
            return ""
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def last_words(self) -> str:
        """How it ended, if it does in a moment: the connection goes before the process has gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(MOMENT)
        return self.death

    def look(self) -> None:
        """Measures its memory."""
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
            self.peak = max([self.peak, *(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))])

    def stop(self) -> None:
        """Ends it, and what it has started."""
        self.look()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(self.peer.end)
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running(peer: Peer, folder: Path) -> Iterator[Provider]:
    """A peer on a free port for the time of a block, its files and its log in `folder`. Raises `RuntimeError` if it does not start."""
    provider = _started(peer, folder, ATTEMPTS)
    try:
        yield provider
    finally:
        provider.stop()


def _started(peer: Peer, folder: Path, attempts: int) -> Provider:
    """A provider that answers; on another port if it ends at once, for somebody may have taken the first one meanwhile."""
    port = free_port()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            peer.command(folder, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment(peer.environment),
            start_new_session=True,
        )
    provider = Provider(peer, port, process)
    try:
        reason = _why_not_served(provider)
    except BaseException:
        provider.stop()
        raise
    if not reason:
        return provider
    death = provider.death
    provider.stop()
    if death and attempts > 1:
        return _started(peer, folder, attempts - 1)
    raise RuntimeError(f"{peer.name} does not start: {death or reason}")


def _why_not_served(provider: Provider) -> str:
    """Empty as soon as it answers a C-ECHO; else, at its end or after `START`, what came instead."""
    end = time.monotonic() + START
    while reason := why_not_served(provider.target, 2.0):
        if provider.death or time.monotonic() > end:
            return reason
        time.sleep(0.1)
    return ""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
    return port


def program(name: str) -> str:
    """The path of a peer's program: none of pynetdicom's, which have the names of DCMTK's and are scripts. Raises `Missing`."""
    for folder in SEARCH_PATH.split(os.pathsep):
        path = shutil.which(name, path=folder)
        if path is not None and not _is_script(Path(path)):
            return path
    raise Missing(f"{name} is not installed: apt-get install {'orthanc' if name == 'Orthanc' else 'dcmtk'}")


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=START, check=False).stdout


def version_of_storescp() -> str:
    words = _said(program("storescp"), "--version").split()
    return next((word.removeprefix("v") for word in words if word.startswith("v") and word[1:2].isdigit()), "?")


def version_of_orthanc() -> str:
    return _said(program("Orthanc"), "--version").split()[1]


def version_of_pynetdicom() -> str:
    if importlib.util.find_spec("pynetdicom") is None:
        raise Missing("pynetdicom is not installed: pip install pynetdicom, or the extra 'bench'")
    return version("pynetdicom")


def version_of_ours() -> str:
    import dimse

    return dimse.__version__


def _ours(folder: Path, port: int) -> list[str]:
    options = ["-aet", "OURS", "--host", HOST, "-ta", str(WAIT), "-td", str(WAIT)]
    return [sys.executable, "-m", "dimse", "serve", *options, "--port", str(port), "--data", str(folder / "archive")]


def _storescp(folder: Path, port: int) -> list[str]:
    return [program("storescp"), "-aet", "STORESCP", "-ta", str(WAIT), "-td", str(WAIT), "-ts", str(WAIT), "-od", str(folder), str(port)]


def _orthanc(folder: Path, port: int) -> list[str]:
    config = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "DicomScpTimeout": WAIT,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowGet": True,
        "HttpPort": free_port(),
        "RemoteAccessAllowed": False,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return [program("Orthanc"), str(path)]


def _pynetdicom(folder: Path, port: int) -> list[str]:
    options = ["-aet", "PYNETDICOM", "-ba", HOST, "-ta", str(WAIT), "-td", str(WAIT), "-tn", str(WAIT), "-od", str(folder)]
    return [sys.executable, "-m", "pynetdicom", "storescp", *options, str(port)]


PEERS = (
    Peer("ours", "OURS", f"`dimse serve -ta {WAIT} -td {WAIT}`", version_of_ours, _ours, Timing(artim=WAIT, idle=30.0)),
    Peer("storescp", "STORESCP", f"`storescp -ta {WAIT} -td {WAIT} -ts {WAIT}`", version_of_storescp, _storescp),
    Peer(
        "Orthanc",
        "ORTHANC",
        f'`"DicomScpTimeout": {WAIT}`, and C-FIND, C-MOVE and C-GET allowed to all; its ARTIM is built in, 30 s',
        version_of_orthanc,
        _orthanc,
        Timing(artim=30.0, idle=WAIT),
    ),
    Peer(
        "pynetdicom",
        "PYNETDICOM",
        f"`python -m pynetdicom storescp -ta {WAIT} -td {WAIT} -tn {WAIT}`",
        version_of_pynetdicom,
        _pynetdicom,
    ),
)
