"""Programs that are measured against each other: receivers and archives as `bench.providers` starts them, and the clients that call them.

"At its best" means of DCMTK: no waiting for small segments to be put together (TCP_NODELAY), PDUs as long as it can, and files
written as they come (+B).
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

from bench.measuring import Command, Failed, dimse, python, said
from bench.providers import (
    HOST,
    Missing,
    Peer,
    Provider,
    free_port,
    program,
    version_of_orthanc,
    version_of_ours,
    version_of_pynetdicom,
    version_of_storescp,
)
from bench.samples import Work, series, study
from dimse.judge import Timing

NODELAY = {"TCP_NODELAY": "1"}
LONG_PDUS = ("-pdu", "131072")
BEST = (*LONG_PDUS, "--max-send-pdu", "131072")
BEST_WORDS = "`TCP_NODELAY=1`, `-pdu 131072 --max-send-pdu 131072`, `+B`"
STORE = "STORE"
"""AE title of the receiver that archives send to."""
MANY = 1000
"""Associations of which a provider is told that it may have them at once."""

Sender = Callable[[Provider, Path], Command]


@cache
def takes(command: str, option: str) -> bool:
    """Whether a command of ours has an option. False too where the command does not even start."""
    try:
        return option in said(dimse(command, "--help")).replace(",", " ").split()
    except Failed:
        return False


def needed(command: str, option: str) -> None:
    """Raises `Missing` where a command of ours does not have the option."""
    if not takes(command, option):
        raise Missing(f"`dimse {command}` has no {option}")


# Receivers


def _receive(folder: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "dimse", "receive", "-aet", STORE, "--host", HOST, "-od", str(folder), str(port)]


def _storescp(*options: str) -> Callable[[Path, int], list[str]]:
    return lambda folder, port: [program("storescp"), "-aet", STORE, "-od", str(folder), *options, str(port)]


def _pynetdicom_storescp(folder: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "pynetdicom", "storescp", "-q", "-aet", STORE, "-ba", HOST, "-od", str(folder), str(port)]


RECEIVE = Peer("dimse receive", STORE, "", version_of_ours, _receive)
STORESCP = Peer("storescp", STORE, "", version_of_storescp, _storescp())
STORESCP_BEST = Peer("storescp", STORE, BEST_WORDS, version_of_storescp, _storescp("+B", *LONG_PDUS), environment=NODELAY)
PYNETDICOM_STORESCP = Peer("pynetdicom storescp", STORE, "", version_of_pynetdicom, _pynetdicom_storescp)


# Archives; `destination` is the port of the receiver that they may send to.


def _serve(folder: Path, port: int, *, options: tuple[str, ...], destination: int) -> list[str]:
    config = folder / "dimse.toml"
    config.write_text(
        f'[node]\naet = "SERVE"\nport = {port}\ndata = "archive"\n[node.limits]\nassociations = {MANY}\nassociations_per_host = {MANY}\n'
        f'[peers.{STORE}]\nhost = "{HOST}"\nport = {destination or 1}\n',
        encoding="utf-8",
    )
    return [sys.executable, "-m", "dimse", "serve", "--config", str(config), *options]


def _orthanc(folder: Path, port: int) -> list[str]:
    config = {"StorageDirectory": ".", "IndexDirectory": ".", "DicomPort": port, "HttpPort": free_port(), "RemoteAccessAllowed": False}
    (folder / "orthanc.json").write_text(json.dumps(config), encoding="utf-8")
    return [program("Orthanc"), str(folder / "orthanc.json")]


def _dcmqrscp(folder: Path, port: int, *, destination: int) -> list[str]:
    (folder / "area").mkdir(exist_ok=True)
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nstore = ({STORE}, {HOST}, {destination or 1})\nHostTable END\n"
        f"VendorTable BEGIN\nVendorTable END\nAETable BEGIN\nDCMQRSCP {folder / 'area'} RW (1000, 4096mb) ANY\nAETable END\n",
        encoding="ascii",
    )
    return [program("dcmqrscp"), "-c", str(folder / "dcmqrscp.cfg")]


def _qrscp(folder: Path, port: int, *, destination: int) -> list[str]:
    if find_spec("sqlalchemy") is None:
        raise Missing("pynetdicom's qrscp needs SQLAlchemy: pip install sqlalchemy, or the extra 'bench'")
    (folder / "qrscp.ini").write_text(
        f"[DEFAULT]\nae_title: QRSCP\nport: {port}\nmax_pdu: 16382\nacse_timeout: 30\ndimse_timeout: 30\nnetwork_timeout: 30\n"
        f"bind_address: {HOST}\ninstance_location: {folder / 'instances'}\ndatabase_location: {folder / 'instances.sqlite'}\n"
        f"log_identifier: False\n[{STORE}]\naddress: {HOST}\nport: {destination or 1}\n",
        encoding="ascii",
    )
    return [sys.executable, "-m", "pynetdicom", "qrscp", "-q", "-c", str(folder / "qrscp.ini")]


def serve(*options: str, destination: int = 0) -> Peer:
    return Peer(
        f"dimse serve {' '.join(options)}".strip(), "SERVE", "", version_of_ours, partial(_serve, options=options, destination=destination)
    )


def dcmqrscp(destination: int = 0) -> Peer:
    command = partial(_dcmqrscp, destination=destination)
    return Peer("dcmqrscp", "DCMQRSCP", "", version_of_storescp, command, environment=NODELAY, end=signal.SIGKILL)


def qrscp(destination: int = 0) -> Peer:
    return Peer("pynetdicom qrscp", "QRSCP", "", version_of_pynetdicom, partial(_qrscp, destination=destination), end=signal.SIGKILL)


ORTHANC = Peer("Orthanc", "ORTHANC", "", version_of_orthanc, _orthanc, Timing(), end=signal.SIGKILL)
"""An orderly end takes it three seconds, and nobody reads its files again."""


# Clients


def address(provider: Provider) -> tuple[str, str, str, str]:
    """The words that all clients share."""
    return "-aec", provider.peer.aet, HOST, str(provider.port)


def storescu(provider: Provider, folder: Path) -> Command:
    """As it comes."""
    return Command([program("storescu"), "+sd", *address(provider), str(folder)])


def storescu_best(provider: Provider, folder: Path) -> Command:
    return Command([program("storescu"), "+sd", *BEST, *address(provider), str(folder)], NODELAY)


def dcmsend_best(provider: Provider, folder: Path) -> Command:
    return Command([program("dcmsend"), "+sd", *BEST, *address(provider), str(folder)], NODELAY)


def send(provider: Provider, folder: Path, *options: str) -> Command:
    return dimse("send", *options, *address(provider), folder)


def send_in_four(provider: Provider, folder: Path) -> Command:
    needed("send", "-j")
    return send(provider, folder, "-j", "4")


def pynetdicom_storescu(provider: Provider, folder: Path) -> Command:
    return python("-m", "pynetdicom", "storescu", "-q", *address(provider), folder, "-r")


def _keys(work: Work, level: str) -> list[str]:
    keys = {"QueryRetrieveLevel": level, "StudyInstanceUID": study(work), "SeriesInstanceUID": series(work)}
    if level == "IMAGE":
        keys |= {"SOPInstanceUID": "", "InstanceNumber": ""}
    return [word for name, value in keys.items() for word in ("-k", f"{name}={value}")]


def findscu(provider: Provider, work: Work, *options: str) -> Command:
    return Command([program("findscu"), "-S", *LONG_PDUS, *options, *_keys(work, "IMAGE"), *address(provider)], NODELAY)


def movescu(provider: Provider, work: Work) -> Command:
    return Command([program("movescu"), "-S", *LONG_PDUS, "-aem", STORE, *_keys(work, "SERIES"), *address(provider)], NODELAY)
