"""Tables that programs make for the README: what they replace there, and the line that says when and on what they were made."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def marks(name: str) -> tuple[str, str]:
    """The lines of the README that a table of this name stands between."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def replaced(text: str, name: str, content: str) -> str:
    """The text with other content between the marks of that name. Raises `ValueError` where it does not have both, once."""
    begin, end = marks(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"wanted {begin} and, behind it, {end}")
    return f"{text[: text.index(begin)]}{begin}\n{content}\n{text[text.index(end) :]}"


def machine() -> str:
    release = ".".join(platform.release().split(".")[:2])
    system = f"{platform.system()} {release} {platform.machine()}"
    return f"{os.cpu_count()} cores{_processor()}, {system}, Python {platform.python_version()}"


def _processor() -> str:
    """What the cores are, where that is told (Linux)."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ""
    return next((f" of {line.partition(':')[2].strip()}" for line in lines if line.startswith("model name")), "")


def today() -> str:
    return time.strftime("%Y-%m-%d")


def made_by(command: str, date: str = "", where: str = "") -> str:
    """How a table came to be: today and here, unless it is told otherwise."""
    return f"Made by `{command}` on {date or today()}, {where or machine()}"
