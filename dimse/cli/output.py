"""What a command says: results on standard output, as lines or as JSON, and everything else on standard error.

Whatever comes from the wire or from a file name goes through `clean` before a terminal sees it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from _thread import RLock  # threading has the same one, and half a millisecond of other things
from collections.abc import Callable, Mapping

from dimse.cli.failures import FAILED, Failure, OutputClosed
from dimse.errors import printable
from pdu.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


UNITS = ("B", "kB", "MB", "GB", "TB")


class Output:
    """The terminal, or whatever stands in its place. May be used from any thread."""

    def __init__(self, program: str, *, json: bool = False, verbose: bool = False, debug: bool = False) -> None:
        self.program = program
        self.above: Callable[[str], object] | None = None
        """While a progress bar is on the terminal: prints a line above it."""
        self._lock = RLock()
        self.set_up(json=json, verbose=verbose, debug=debug)

    def set_up(self, *, json: bool, verbose: bool, debug: bool) -> None:
        """What the options say."""
        self.json = json
        self.verbose = verbose
        self.debug = debug

    def line(self, text: str, *, flush: bool = False) -> None:
        """A result for a person; says nothing where JSON was asked for."""
        if not self.json:
            self._print(text, flush)

    def result(self, value: Mapping[str, object], *, flush: bool = False) -> None:
        """A result for a program: one JSON object on a line of its own; nothing unless JSON was asked for."""
        if self.json:
            from json import dumps

            self._print(dumps(value, allow_nan=False), flush)

    def note(self, text: str) -> None:
        """A remark for a person, on standard error."""
        self._write(sys.stderr, text)

    def detail(self, text: str) -> None:
        """A remark for a person who asked for more words (-v)."""
        if self.verbose:
            self.note(text)

    def error(self, text: str) -> None:
        """Why something did not work, in one line."""
        self.note(f"{self.program}: {clean(text)}")

    def flush(self) -> None:
        """Raises `OutputClosed` if nobody reads any more, `Failure` if the output cannot be written."""
        with self._lock, _closing():
            if sys.stdout is not None:
                sys.stdout.flush()

    def abandon(self) -> None:
        """Nobody reads standard output any more: what is left in its buffer goes nowhere, quietly, also when Python ends."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)

    def _print(self, text: str, flush: bool) -> None:
        with self._lock, _closing():
            self._write(sys.stdout, text)
            if flush and sys.stdout is not None:
                sys.stdout.flush()

    def _write(self, stream: TextIO | None, text: str) -> None:
        if stream is None:  # closed before Python began
            return
        with self._lock:
            if self.above is not None and stream.isatty():
                self.above(text)
            elif stream is sys.stderr:
                with contextlib.suppress(OSError, ValueError):  # there is nobody left to tell
                    stream.write(_encodable(text, stream) + "\n")
            else:
                stream.write(_encodable(text, stream) + "\n")


class _closing:  # noqa: N801 - used like a function
    """Tells apart the two ways in which standard output cannot be written."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BrokenPipeError):
            raise OutputClosed from error
        if isinstance(error, OSError):
            raise Failure(FAILED, f"cannot write to standard output: {os.strerror(error.errno or errno.EIO)}") from error


def clean(text: object) -> str:
    """Text in which no character steers a terminal, nor ends a line (see `dimse.errors.printable`)."""
    return printable(text)


def place(host: str, port: int) -> str:
    """A transport address as text."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def plural(count: int, noun: str) -> str:
    """A count of things: "1 file", "2 files", "2 matches", "2 studies"."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}{'es' if noun.endswith('ch') else 's'}"


def in_bytes(count: float) -> str:
    """A count of bytes in three figures or so: "999 B", "1.23 MB"."""
    if count < 1000:
        return f"{count:.0f} B"
    power = 0
    while count >= 999.5 and power < len(UNITS) - 1:
        count /= 1000
        power += 1
    return f"{count:.3g} {UNITS[power]}"


def in_seconds(seconds: float) -> str:
    """A duration as somebody would say it: "0.8 ms", "2.41 s", "3 min 20 s"."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 99.5:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _encodable(text: str, stream: TextIO) -> str:
    """The text without characters that the stream's encoding lacks."""
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text
