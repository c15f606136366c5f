"""What is said and how: escapes, units, streams that lack characters, progress."""

from __future__ import annotations

import io
import sys

import pytest

from dimse.cli.output import Output, clean, in_bytes, in_seconds, place, plural
from dimse.cli.progress import PLAIN_EVERY, SHORT, Progress


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hartgard^Ilse", "Hartgard^Ilse"),
        ("Öl 山田", "Öl 山田"),
        ("\x1b[31m\r\n\t\0", r"\x1b[31m\r\n\t\x00"),
        ("a\u202eb\u2028\x9b", r"a\u202eb\u2028\x9b"),
        ("\udcff", r"\udcff"),
        (5, "5"),
    ],
)
def test_nothing_steers_a_terminal(text: object, shown: str) -> None:
    assert clean(text) == shown


def test_quantities() -> None:
    assert [in_bytes(n) for n in (0, 999, 1000, 38_870, 999_400, 999_600, 3.18e8, 5e15)] == [
        "0 B", "999 B", "1 kB", "38.9 kB", "999 kB", "1 MB", "318 MB", "5e+03 TB",
    ]  # fmt: skip
    assert [in_seconds(s) for s in (0.0008, 0.0994, 0.1, 2.414, 99.4, 200)] == [
        "0.8 ms", "99.4 ms", "0.10 s", "2.41 s", "99.40 s", "3 min 20 s",
    ]  # fmt: skip
    assert [plural(n, noun) for n, noun in ((1, "file"), (2000, "file"), (0, "match"), (2, "study"))] == [
        "1 file", "2,000 files", "0 matches", "2 studies",
    ]  # fmt: skip
    assert place("::1", 104) == "[::1]:104"


def test_characters_that_the_terminal_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    out = Output("dimse")
    out.line("Öl 山", flush=True)
    assert raw.getvalue() == b"\xd6l \\u5c71\n"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Makes standard error a terminal that can move its cursor."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return stream


def test_long_work_has_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    now = [0.0]
    out = Output("dimse", verbose=True)
    with Progress(out, "sending [red]", 1000, is_bytes=True, clock=lambda: now[0]) as progress:
        progress.advance(100)
        assert terminal.getvalue() == ""
        now[0] = SHORT
        progress.advance(100)
        out.note("failed: [bold]a\\b")
        progress.update(900, 1000)
    said = terminal.getvalue()
    assert "sending [red]" in said
    assert "failed: [bold]a\\b" in said
    assert out.above is None


def test_short_work_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    with Progress(Output("dimse"), "sending", 1000, clock=lambda: 0.0) as progress:
        progress.advance(1000)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("why", ["no rich", "dumb"])
def test_plain_lines_where_no_bar_can_be(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    terminal = use_terminal(monkeypatch)
    if why == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    else:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    now = [0.0]
    with Progress(Output("dimse"), "sending", 2000, is_bytes=True, clock=lambda: now[0]) as progress:
        for second in range(2 * int(PLAIN_EVERY) + 1):
            now[0] = second
            progress.advance(100)
    assert terminal.getvalue() == "sending: 600 B of 2 kB (30 %)\nsending: 1.1 kB of 2 kB (55 %)\n"


def test_plain_lines_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    with Progress(Output("dimse"), "moving", None, clock=lambda: now[0]) as progress:
        progress.update(1, None)
        now[0] = PLAIN_EVERY
        progress.update(5000, None)
        progress.update(5001, 10000)
        assert str(progress) == "moving: 5,001 of 10,000 (50 %)"
    assert capsys.readouterr().err == "moving: 5,000\n"
