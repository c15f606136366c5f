"""What really went over the loopback: recorded by tshark, judged by Wireshark's DICOM dissector."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from .peers import HOST, Lab, Process, free_port, run, unavailable

ERROR = 0x00800000  # PI_ERROR, the highest severity of Wireshark's expert information


@dataclass(frozen=True)
class Packet:
    """A frame with DICOM in it: its number, and the types of the PDUs that end there."""

    number: int
    pdu_types: tuple[int, ...]


class Capture:
    """Records the TCP traffic of some loopback ports into a file while the `with` lasts.

    Datagrams to a port of our own mark begin and end: when the first is in the file tshark is capturing, when the last is,
    everything before it is as well.
    """

    def __init__(self, lab: Lab, ports: Sequence[int]) -> None:
        self.ports = ports
        self.file = lab.folder / f"capture-{ports[0]}.pcapng"
        self._lab = lab
        self._marks = free_port()
        self._process: Process | None = None

    def __enter__(self) -> Capture:
        wanted = " or ".join([f"udp port {self._marks}", *(f"tcp port {port}" for port in self.ports)])
        self._process = self._lab.start("tshark", "-q", "-i", "lo", "-B", "16", "-f", wanted, "-w", str(self.file))
        self._process.stop_signal = signal.SIGINT
        self._process.wait_until(lambda: self._marked(b"capture begins") or self._refused(), "capturing")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is None:
            return
        if kind is None:
            self._process.wait_until(lambda: self._marked(b"capture ends"), "the end of the capture")
        self._process.stop()

    def packets(self) -> list[Packet]:
        """The frames in which whole DICOM PDUs end."""
        lines = self._read("dicom", "-T", "fields", "-e", "frame.number", "-e", "dicom.pdu.type").splitlines()
        split = (line.split("\t") for line in lines)
        return [Packet(int(number), tuple(int(kind, 0) for kind in kinds.split(",") if kind)) for number, kinds in split]

    def complaints(self) -> str:
        """One line for every frame that the dissectors call malformed or an error; empty when all is well."""
        # TCP only: our own marks come from any port, and Wireshark takes some for protocols that it knows.
        wanted = f"tcp && (_ws.malformed || _ws.unreassembled || _ws.expert.severity >= {ERROR})"
        return self._read(wanted, "-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info", "-e", "_ws.expert.message")

    def _read(self, display_filter: str, *options: str) -> str:
        decode = [word for port in self.ports for word in ("-d", f"tcp.port=={port},dicom")]
        return run("tshark", "-r", self.file, "-n", *decode, "-Y", display_filter, *options).stdout

    def _marked(self, mark: bytes) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(mark, (HOST, self._marks))
        return self.file.exists() and mark in Path(self.file).read_bytes()

    def _refused(self) -> bool:
        """Whether this user may not capture here: then the test cannot run, through no fault of the code."""
        said = self._process.said() if self._process else ""
        if "permission" in said.lower() or "not permitted" in said.lower():
            unavailable(said.strip().splitlines()[-1], "tshark may not capture on the loopback here; run as root to check with Wireshark")
        return False
