"""The peers of an Orthanc configuration: `DicomModalities`, and which of its checks belong to them."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path

from dimse.cli.arguments import ae_title
from dimse.cli.failures import USAGE, Failure, os_words
from dimse.errors import UsageError
from dimse.services.handlers import Address
from dimse.services.rights import Caller, Right
from pdu.values import dataclass

RIGHTS = {
    "AllowEcho": Right.ECHO,
    "AllowStore": Right.STORE,
    "AllowFind": Right.FIND,
    "AllowGet": Right.GET,
    "AllowMove": Right.MOVE,
}
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])')


@dataclass(frozen=True, slots=True)
class Modality:
    """A peer of Orthanc: where it listens, what it may ask for, and whether it is to be reached with TLS."""

    name: str
    address: Address
    caller: Caller
    is_secured: bool = False


@dataclass(frozen=True, slots=True)
class Modalities:
    """The peers of a configuration by AE title, and whether the called AE title is checked."""

    peers: Mapping[str, Modality]
    check_called: bool = False


def read_modalities(path: Path) -> Modalities:
    """The peers of a configuration file of Orthanc, which is JSON with comments. Raises `Failure` (usage)."""
    try:
        content = json.loads(_plain(path.read_bytes().decode("utf-8-sig")))
    except OSError as error:
        raise Failure(USAGE, f"cannot read the configuration of Orthanc {os_words(error)}") from error
    except (ValueError, RecursionError) as error:  # neither UTF-8 nor JSON
        raise Failure(USAGE, f"{path} is no configuration of Orthanc: {error}") from error
    try:
        return _modalities(content)
    except ValueError as error:
        raise Failure(USAGE, f"{path}: {error}") from error


def _plain(text: str) -> str:
    """JSON without what Orthanc takes besides: comments, and a comma behind the last of a list."""
    return _LAST_COMMA.sub(r"\1", _COMMENT.sub(lambda found: found[1] or " ", text))


def _modalities(content: object) -> Modalities:
    if not isinstance(content, dict) or not isinstance(content.get("DicomModalities"), dict):
        raise ValueError("there are no DicomModalities in it")
    check_host = _flag(content, "DicomCheckModalityHost", default=False)
    peers: dict[str, Modality] = {}
    for name, value in content["DicomModalities"].items():
        try:
            modality = _modality(name, value, check_host)
        except (ValueError, UsageError, argparse.ArgumentTypeError) as error:
            raise ValueError(f"DicomModalities.{name}: {error}") from None
        if modality.address.aet in peers:
            raise ValueError(f"two of the DicomModalities have the AE title {modality.address.aet}")
        peers[modality.address.aet] = modality
    return Modalities(peers, _flag(content, "DicomCheckCalledAet", default=False))


def _modality(name: str, value: object, check_host: bool) -> Modality:
    """One peer, as `[AET, host, port, manufacturer]` or as a table of these and more."""
    if isinstance(value, list) and 3 <= len(value) <= 4:
        value = dict(zip(("AET", "Host", "Port"), value, strict=False))
    if not isinstance(value, dict):
        raise ValueError("it must be a list of AE title, host and port, or a table with AET, Host and Port")
    title, host = value.get("AET"), value.get("Host")
    if not isinstance(title, str) or not isinstance(host, str) or not host or "\0" in host:
        raise ValueError("the AE title and the host must be texts")
    address = Address(ae_title(title), host, _port(value.get("Port")))
    allow = [right for key, right in RIGHTS.items() if _flag(value, key, default=True)]
    return Modality(name, address, Caller(allow, [host] if check_host else []), _flag(value, "UseDicomTls", default=False))


def _port(value: object) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6 else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 65_535:
        raise ValueError(f"{value!r} is no TCP port, 1 to 65535")
    return number


def _flag(table: Mapping[str, object], key: str, *, default: bool) -> bool:
    value = table.get(key, default)
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false, not {value!r}")
    return value
