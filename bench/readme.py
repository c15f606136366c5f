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
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def made_by(command: str) -> str:
    """How a table came to be."""
    return f"Made by `{command}` on {time.strftime('%Y-%m-%d')}, {machine()}"
