"""Inputs in files: a corpus, one raw input a file, and findings, which are text."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterable
from pathlib import Path

from fuzz.search import Finding

FOLDER = Path(".fuzz")
"""Where findings go; git does not see it."""
_BYTES = "bytes:\n"


def load(folder: Path) -> list[bytes]:
    """The inputs in a folder, in the order of their names; none if there is no folder."""
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()] if folder.is_dir() else []


def save(folder: Path, inputs: Iterable[bytes]) -> None:
    """Makes these the inputs in the folder. What has not been named by this function or by libFuzzer stays."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {hashlib.sha1(data, usedforsecurity=False).hexdigest(): data for data in inputs}
    for path in folder.iterdir():
        if len(path.name) == 40 and path.name not in named and path.is_file():
            path.unlink()
    for name, data in named.items():
        Path(folder, name).write_bytes(data)


def write_finding(name: str, seed: int, finding: Finding, folder: Path = FOLDER) -> Path:
    """Writes a finding as text, with the seed of the search, the traceback and the bytes in hex; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    Path(folder, ".gitignore").write_text("*\n")
    digest = hashlib.sha1(finding.data, usedforsecurity=False).hexdigest()[:12]
    path = Path(folder, f"{name}-{digest}.txt")
    path.write_text(f"target: {name}\nseed: {seed}\n\n{''.join(traceback.format_exception(finding.error))}\n{_BYTES}{_hex(finding.data)}")
    return path


def read_finding(path: Path) -> bytes:
    """The bytes of a finding that was written as text; any other file is the input itself."""
    data = path.read_bytes()
    _, mark, digits = data.rpartition(_BYTES.encode())
    return bytes.fromhex(digits.decode("ascii")) if mark else data


def _hex(data: bytes) -> str:
    return "".join(f"{data[at : at + 32].hex()}\n" for at in range(0, len(data), 32))
