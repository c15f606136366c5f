"""Passcodes, tokens and tickets as a person or a program gives them: from a file, the environment, standard input or the terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dimse.cli.failures import USAGE, Failure, os_words

VARIABLE = "DIMSE_PASSCODE"
"""The environment variable that may have a user's passcode."""
LONGEST = 0xFFFF
"""Bytes of a field of a user identity (PS3.7 D.3.3.7)."""


def passcode_of(user: str, file: Path | None) -> str:
    """A user's passcode: from the file, else from the environment, else asked for on the terminal. Raises `Failure` (usage)."""
    if file is not None:
        return first_line(content(file, "passcode"), f"the passcode in {file}")
    if VARIABLE in os.environ:
        return first_line(os.fsencode(os.environ[VARIABLE]), f"the passcode in {VARIABLE}")
    if not is_terminal():
        raise Failure(USAGE, f"no passcode of {user}: give --passcode-file FILE or {VARIABLE} in the environment, or --no-passcode")
    return ask(f"passcode of {user}: ")


def content(file: Path, what: str) -> bytes:
    """What a file has; something, and no more than fits into a user identity."""
    try:
        with file.open("rb") as opened:  # which may be a pipe, or a device that has no end
            found = opened.read(LONGEST + 1)
    except OSError as error:
        raise Failure(USAGE, f"cannot read the {what} {os_words(error)}") from error
    if not found:
        raise Failure(USAGE, f"there is no {what} in {file}: it is empty")
    if len(found) > LONGEST:
        raise Failure(USAGE, f"{file} has more than the {LONGEST} bytes that a user identity can have (PS3.7 D.3.3.7)")
    return found


def standard_input() -> str:
    """The passcode in the first line of standard input."""
    given = b"" if sys.stdin is None else sys.stdin.buffer.readline(LONGEST)
    return first_line(given, "the passcode on standard input")


def first_line(text: bytes, what: str) -> str:
    """The first line of a text, which has to be there and UTF-8."""
    line = text.partition(b"\n")[0].removesuffix(b"\r")
    if not line:
        raise Failure(USAGE, f"{what} is empty, and an empty passcode is none")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise Failure(USAGE, f"{what} is not UTF-8") from None


def is_terminal() -> bool:
    """Whether there is anybody to ask."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask(prompt: str) -> str:
    """Asks on the terminal, which does not show what is typed."""
    from getpass import getpass

    try:
        typed = getpass(prompt)
    except (EOFError, UnicodeError):
        raise Failure(USAGE, "no passcode was typed, or none in UTF-8") from None
    return first_line(os.fsencode(typed), "what was typed")
