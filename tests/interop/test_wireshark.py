"""What we send, seen by Wireshark: not one packet that its DICOM dissector calls malformed or an error."""

from __future__ import annotations

import socket
from pathlib import Path

from .capture import Capture
from .peers import HOST, Lab, dimse, free_port, new_address, run, to
from .samples import Samples

KEYS = ["-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientName=*", "-k", "PatientID"]
MOVE = ["-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID=HG-2", "-aem", "TARGET"]
WHOLE_LIFE = {1, 2, 4, 5, 6}


def test_our_clients_look_right(lab: Lab, samples: Samples, tmp_path: Path) -> None:
    target, orthanc = new_address("TARGET"), new_address("ORTHANC")
    lab.storescp(target)
    lab.orthanc(orthanc, [target])
    with Capture(lab, [target.port, orthanc.port]) as capture:
        dimse("echo", *to(orthanc))
        dimse("send", *to(orthanc), *_readable(samples))
        dimse("find", *KEYS, *to(orthanc))
        dimse("move", *MOVE, *to(orthanc))
        dimse("get", *MOVE[:-2], "-od", tmp_path / "fetched", *to(orthanc))
    _assert_clean(capture)


def test_our_servers_look_right(lab: Lab, samples: Samples, tmp_path: Path) -> None:
    target, node = new_address("TARGET"), new_address("NODE")
    lab.receiver(target)
    lab.node(node, [target])
    with Capture(lab, [target.port, node.port]) as capture:
        run("echoscu", *to(node))
        run("echoscu", "--abort", *to(node))
        run("dcmsend", *to(node), *_readable(samples))
        run("findscu", *KEYS, *to(node))
        run("movescu", *MOVE, *to(node))
        run("getscu", *MOVE[:-2], "-od", tmp_path, *to(node))
    _assert_clean(capture)


def test_the_judge_sees_what_is_wrong(lab: Lab) -> None:
    port = free_port()
    with Capture(lab, [port]) as capture, socket.create_server((HOST, port)) as server, socket.create_connection((HOST, port)) as client:
        accepted, _ = server.accept()
        with accepted:
            client.sendall(bytes.fromhex("0400 0000 000a 0000ffff 0103 00000000"))  # a PDV longer than its PDU
            accepted.recv(65536)
    assert capture.complaints() != ""


def _readable(samples: Samples) -> list[Path]:
    """All files but the compressed one: Wireshark 4.0 takes a compressed frame for elements, and the next command for their rest."""
    return [file.path for file in samples.files if not file.transfer_syntax.startswith("1.2.840.10008.1.2.4")]


def _assert_clean(capture: Capture) -> None:
    packets = capture.packets()
    assert {kind for packet in packets for kind in packet.pdu_types} >= WHOLE_LIFE
    assert capture.complaints() == ""
