"""Real programs as peers: DCMTK's and Orthanc's servers and clients, tshark, and our own command line as processes.

A `Lab` starts servers on free loopback ports, waits until they accept, and stops exactly what it started.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, NoReturn

import pytest
from pydicom import dcmread

HOST = "127.0.0.1"
INSTALL = "apt-get install dcmtk orthanc tshark strace"
READY_SECONDS = 30.0
POLL_SECONDS = 0.02
CLIENT_SECONDS = 60.0
STOP_SECONDS = 10.0
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}  # so that our programs are these, whatever is installed
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


@dataclass(frozen=True)
class Address:
    """Where an application entity listens."""

    aet: str
    port: int
    host: str = HOST


class Kept(NamedTuple):
    """An instance in somebody's archive: the data set as the very bytes in its file."""

    transfer_syntax: str
    data: bytes


@dataclass(frozen=True)
class Done:
    """A client program that has ended: its exit code and all it said (standard error behind standard output)."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    def json_lines(self) -> list[dict[str, object]]:
        """The objects of `dimse ... --json`."""
        return [json.loads(line) for line in self.stdout.splitlines()]


@dataclass
class Process:
    """A server that was started here, in a process group of its own, with all its output in `log`."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    stop_signal: int = signal.SIGTERM

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Poll until `ready()`; fails with the log when the program ends or READY_SECONDS pass."""
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if self.popen.poll() is not None:
                pytest.fail(f"{self.name} ended with {self.popen.returncode} before {what}:\n{self.said()}")
            if time.monotonic() > deadline:
                pytest.fail(f"{self.name}: {what} did not come in {READY_SECONDS:g} s:\n{self.said()}")
            time.sleep(POLL_SECONDS)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def peak_memory(self) -> int:
        """The most memory, in bytes, that it has had resident so far (Linux)."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) << 10

    def stop(self) -> int:
        """Ask it to end, insist after STOP_SECONDS; the exit code (negative for a signal)."""
        if self.popen.poll() is None:
            self.popen.send_signal(self.stop_signal)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
        finally:
            with contextlib.suppress(ProcessLookupError):  # children that it forked and did not end
                os.killpg(self.popen.pid, signal.SIGKILL)
        return self.popen.wait(STOP_SECONDS)


@dataclass
class Server:
    """A running DICOM server and the folder below which it keeps what it got."""

    process: Process
    address: Address
    folder: Path

    def contents(self) -> dict[str, Kept]:
        return contents(self.folder)


@dataclass
class Orthanc(Server):
    """An Orthanc, with its REST interface on loopback."""

    http_port: int

    def rest(self, path: str, body: object = None) -> bytes:
        """GET, or POST when there is a body (bytes as they are, anything else as JSON)."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"http://{HOST}:{self.http_port}{path}", data, timeout=CLIENT_SECONDS) as answer:
            read: bytes = answer.read()
        return read

    def json(self, path: str, body: object = None) -> object:
        return json.loads(self.rest(path, body))

    def instances(self) -> list[str]:
        """Orthanc's own identifiers of all instances."""
        found: list[str] = json.loads(self.rest("/instances"))
        return found

    def contents(self) -> dict[str, Kept]:
        files = (self.rest(f"/instances/{key}/file") for key in self.instances())
        return dict(map(_uid_and_kept, files))

    def clear(self) -> None:
        for study in json.loads(self.rest("/studies")):
            request = urllib.request.Request(f"http://{HOST}:{self.http_port}/studies/{study}", method="DELETE")
            urllib.request.urlopen(request, timeout=CLIENT_SECONDS).close()


@dataclass
class Lab:
    """Starts servers below one folder and stops them, last first, when it is left."""

    folder: Path
    ended: list[tuple[str, int]] = field(default_factory=list)  # name and exit code of those that were stopped at the end
    _running: list[Process] = field(default_factory=list)
    _count: int = 0

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        while self._running:
            process = self._running.pop()
            self.ended.append((process.name, process.stop()))

    def storescp(self, address: Address, *options: str) -> Server:
        """DCMTK's receiver; it writes what it gets bit by bit as it came, and accepts every transfer syntax it knows."""
        folder = self._new_folder("storescp")
        arguments = ["-v", "+xa", "+B", "-aet", address.aet, "-od", str(folder), *options, str(address.port)]
        return Server(self._listening(address, "storescp", *arguments), address, folder)

    def dcmqrscp(self, address: Address, peers: Iterable[Address] = (), *options: str) -> Server:
        """DCMTK's archive, with one storage area for its AE title, open to any caller; it takes our JPEG as well."""
        folder = self._new_folder("dcmqrscp")
        config = folder.with_suffix(".cfg")
        config.write_text(_dcmqrscp_config(address, folder, list(peers)), encoding="ascii")
        return Server(self._listening(address, "dcmqrscp", "-v", "-c", str(config), "+xy", *options), address, folder)

    def orthanc(self, address: Address, peers: Iterable[Address] = (), **settings: object) -> Orthanc:
        """Orthanc without plugins and without passwords, reachable from loopback only."""
        folder = self._new_folder("orthanc")
        http_port = free_port()
        config = folder.with_suffix(".json")
        config.write_text(json.dumps(_orthanc_config(address, folder, http_port, list(peers)) | settings, indent=1), encoding="utf-8")
        process = self._listening(address, "Orthanc", str(config))
        process.stop_signal = signal.SIGKILL  # an orderly end takes it three seconds, and nobody reads its files again
        process.wait_until(lambda: accepts(HOST, http_port), "its REST interface")
        return Orthanc(process, address, folder, http_port)

    def node(self, address: Address, peers: Iterable[Address] = (), *options: str) -> Server:
        """Our archive: `dimse serve`."""
        folder = self._new_folder("node")
        known = [text for peer in peers for text in ("--peer", f"{peer.aet}={peer.host}:{peer.port}")]
        where = ["--host", address.host, "--port", str(address.port), "--data", str(folder)]
        return Server(self._announced(address, "serve", "-aet", address.aet, *where, *known, *options), address, folder)

    def receiver(self, address: Address, *options: str) -> Server:
        """Our receiver: `dimse receive`."""
        folder = self._new_folder("receiver")
        where = ["-aet", address.aet, "--host", address.host, "-od", str(folder)]
        return Server(self._announced(address, "receive", *where, *options, str(address.port)), address, folder)

    def start(self, name: str, *arguments: str) -> Process:
        """Start a program that stays; whoever calls waits until it is ready."""
        self._count += 1
        log = self.folder / f"{self._count}-{name}.log"
        command = [*command_of(name), *arguments]
        with log.open("wb") as output:
            popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        process = Process(name, popen, log)
        self._running.append(process)
        return process

    def logs(self) -> Iterator[tuple[str, str]]:
        """Name and last words of every program that was started, for the report of a failed test."""
        for path in sorted(self.folder.glob("*.log")):
            yield path.name, path.read_text(encoding="utf-8", errors="replace")[-8000:]

    def _listening(self, address: Address, name: str, *arguments: str) -> Process:
        process = self.start(name, *arguments)
        process.wait_until(lambda: accepts(address.host, address.port), f"port {address.port} accepted")
        return process

    def _announced(self, address: Address, *arguments: str) -> Process:
        """Ours say where they listen, so that nobody has to knock (which they would report as an association that failed)."""
        process = self.start("dimse", *arguments)
        process.wait_until(lambda: str(address.port) in process.said(), f"the line that it listens on port {address.port}")
        return process

    def _new_folder(self, name: str) -> Path:
        folder = self.folder / f"{name}-{self._count + 1}"
        folder.mkdir()
        return folder


def new_address(aet: str) -> Address:
    """An address with a port that was free a moment ago."""
    return Address(aet, free_port())


def free_port() -> int:
    """A port that is free, below those that the kernel gives to clients: none of ours can take it before the server does."""
    while True:
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind((HOST, port := random.randrange(10_000, 32_000)))
            return port


def accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def command_of(name: str) -> list[str]:
    """The words that start a program: ours with this Python, a peer from the system; a peer that is missing skips or fails the test."""
    return [sys.executable, "-m", "dimse"] if name == "dimse" else [peer_program(name)]


def peer_program(name: str) -> str:
    """The path of a peer program; without it the test is skipped, or fails where CI is set."""
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        unavailable(f"{name} is missing", f"peer programs are missing; to run the interop tests: {INSTALL}")
    return path


def unavailable(what: str, remedy: str) -> NoReturn:
    """Give up this test; the remedy is the same for every test, so that pytest reports all of them in one line."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: {remedy}", pytrace=False)
    pytest.skip(remedy)


def run(name: str, *arguments: str | Path | int, code: int | None = 0, timeout: float = CLIENT_SECONDS, cwd: Path | None = None) -> Done:
    """Run a client to its end; fails with its output when it exits with another code (None: any)."""
    command = [*command_of(name), *map(str, arguments)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, cwd=cwd, env=ENVIRONMENT, check=False)
    done = Done(ended.returncode, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace"))
    if code is not None and done.code != code:
        pytest.fail(f"{' '.join(command)}\nexited with {done.code}, wanted {code}:\n{done.output[-8000:]}")
    return done


def run_measured(name: str, *arguments: str | Path | int, timeout: float = CLIENT_SECONDS) -> tuple[Done, int]:
    """Run a client as `run` does; also the most memory, in bytes, that it had resident."""
    report = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
    report += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    command = [sys.executable, "-c", report, *command_of(name), *map(str, arguments)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, env=ENVIRONMENT, check=False)
    if ended.returncode != 0:
        pytest.fail(f"{' '.join(command[3:])}\nexited with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    *said, kilobytes = ended.stdout.splitlines()
    return Done(0, "\n".join(said), ended.stderr), int(kilobytes) << 10


def dimse(command: str, *arguments: str | Path | int, code: int | None = 0, timeout: float = CLIENT_SECONDS) -> Done:
    """Run one of our own commands."""
    return run("dimse", command, *arguments, code=code, timeout=timeout)


def to(address: Address, calling: str = "TESTER") -> list[str]:
    """The words that DCMTK's clients and ours share: who calls whom, and where."""
    return ["-aet", calling, "-aec", address.aet, address.host, str(address.port)]


def make_query(folder: Path, name: str, text: str) -> Path:
    """A DICOM query file made by dump2dcm from its text."""
    source, made = folder / f"{name}.txt", folder / f"{name}.dcm"
    source.write_text(text, encoding="utf-8")
    run("dump2dcm", source, made)
    return made


def contents(folder: Path) -> dict[str, Kept]:
    """What the DICOM files below a folder keep, by SOP Instance UID."""
    files = (path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    found = [_uid_and_kept(file) for file in files if file[128:132] == b"DICM"]
    assert len(dict(found)) == len(found), "an instance was kept twice"
    return dict(found)


def _uid_and_kept(file: bytes) -> tuple[str, Kept]:
    """SOP Instance UID, transfer syntax and data set of a Part 10 file, found without the code under test."""
    (length,) = struct.unpack_from("<I", file, 140)  # the value of (0002,0000), the first element behind "DICM"
    head = dcmread(io.BytesIO(file), specific_tags=[0x00080018], stop_before_pixels=True)
    return str(head.SOPInstanceUID), Kept(str(head.file_meta.TransferSyntaxUID), file[144 + length :])


def _dcmqrscp_config(address: Address, folder: Path, peers: Sequence[Address]) -> str:
    hosts = "".join(f"peer{n} = ({peer.aet}, {peer.host}, {peer.port})\n" for n, peer in enumerate(peers))
    return (
        f"NetworkTCPPort = {address.port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\n{hosts}HostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{address.aet} {folder} RW (200, 1024mb) ANY\nAETable END\n"
    )


def _orthanc_config(address: Address, folder: Path, http_port: int, peers: Sequence[Address]) -> dict[str, object]:
    return {
        "Name": address.aet,
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomAet": address.aet,
        "DicomPort": address.port,
        "DicomModalities": {peer.aet: [peer.aet, peer.host, peer.port] for peer in peers},
        "DefaultEncoding": "Utf8",
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowGet": True,
        "DicomCheckCalledAet": False,
        "DicomAssociationCloseDelay": 0,
        "UnknownSopClassAccepted": True,
        "HttpPort": http_port,
        "HttpServerEnabled": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "SslEnabled": False,
        "Plugins": [],
        "StableAge": 1,
        "ConcurrentJobs": 2,
        "SynchronousCMove": True,
        "HttpDescribeErrors": True,
        "ExecuteLuaEnabled": False,
    }
