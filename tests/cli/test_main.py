"""The program as a whole: usage, exit codes that belong to no command, and what it imports."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dimse
from dimse.cli import COMMANDS, echo, main
from dimse.cli.failures import Failure

from .conftest import Run

ROOT = Path(__file__).parents[2]


def test_no_command_shows_all_of_them(run: Run) -> None:
    said = run()
    assert said.code == 2
    assert all(f"  {name} " in said.err for name in COMMANDS)
    assert not said.out


@pytest.mark.parametrize("word", ["-h", "--help", "help"])
def test_help(run: Run, word: str) -> None:
    said = run(word)
    assert (said.code, said.err) == (0, "")
    assert all(name in said.out for name in COMMANDS)


def test_version(run: Run) -> None:
    said = run("--version")
    assert (said.code, said.out) == (0, f"dimse {dimse.__version__}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run: Run, name: str) -> None:
    said = run(name, "--help")
    assert said.code == 0
    assert said.out.startswith(f"usage: dimse {name}")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["ecoh"], "there is no command 'ecoh'; is it 'echo'?"),
        (["\x1b[2J"], "there is no command"),
        (["echo"], "the following arguments are required: HOST, PORT"),
        (["echo", "h"], "the following arguments are required: PORT"),
        (["find", "h"], "the following arguments are required: PORT;"),
        (["echo", "h", "x"], "argument PORT: 'x' is not a TCP port: 1 to 65535"),
        (["echo", "h", "0"], "argument PORT: '0' is not a TCP port"),
        (["echo", "h", "65536"], "argument PORT: '65536' is not a TCP port"),
        (["echo", "h", "٣"], "is not a TCP port"),
        (["echo", "h", "1", "2"], "unrecognized arguments: 2"),
        (["echo", "h", "1", "-z"], "unrecognized arguments: -z"),
        (["echo", "-pdu", "4095", "h", "1"], "'4095' is not a maximum PDU length: 4096 to 131072"),
        (["echo", "-pdu", "0", "h", "1"], "'0' is not a maximum PDU length"),
        (["echo", "-ta", "-1", "h", "1"], "'-1' is no number of seconds"),
        (["echo", "-td", "nan", "h", "1"], "'nan' is no number of seconds"),
        (["echo", "-to", "soon", "h", "1"], "'soon' is no number of seconds"),
        (["echo", "-aet", "A" * 17, "h", "1"], "is no AE title: 1 to 16 ASCII characters"),
        (["echo", "-aec", " ", "h", "1"], "is no AE title"),
        (["echo", "-aec", "Ä", "h", "1"], "is no AE title"),
        (["echo", "--repeat", "0", "h", "1"], "'0' is not a count"),
        (["send", "h", "1"], "the following arguments are required: PATH"),
        (["move", "h", "1"], "the following arguments are required: -aem/--move"),
        (["move", "-aem", "D", "h", "1"], "say what to move"),
        (["find", "-P", "-S", "h", "1"], "not allowed with argument"),
        (["receive"], "the following arguments are required: PORT"),
        (["serve", "--peer", "A=b"], "'A=b' is no peer: give AET=HOST:PORT"),
        (["serve", "--peer", "A=b:0"], "is no peer"),
        (["serve", "--peer", "\\=b:1"], "is no AE title"),
        (["serve", "--data", ""], "argument --data: an empty path is none; the current folder is '.'"),
        (["echo", "--trace", "", "h", "1"], "argument --trace: an empty path is none"),
        (["receive", "-od", "", "0"], "argument -od/--output-directory: an empty path is none"),
    ],
)
def test_usage_errors_are_one_line(run: Run, words: list[str], wanted: str) -> None:
    said = run(*words)
    assert (said.code, said.out) == (2, "")
    assert wanted in said.err
    assert said.err.startswith("dimse")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (dimse.ConnectionLost(), 4, "the connection closed before the association was released"),
        (dimse.DataError("no good"), 2, "no good"),
        (dimse.UsageError("not now"), 1, "not now"),
        (Failure(3, "no\x07body"), 3, r"no\x07body"),
        (FileNotFoundError(2, "No such file or directory", "x"), 2, "x: No such file or directory"),
        (ZeroDivisionError("oops"), 1, "a mistake in this program: ZeroDivisionError: oops; please report it"),
    ],
)
def test_whatever_ends_a_command_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str) -> None:
    def fail(args: object, out: object) -> int:
        raise error

    monkeypatch.setattr(echo, "run", fail)
    said = run("echo", "h", "1")
    assert said.code == code
    assert said.err.startswith(f"dimse echo: {line}")
    assert said.err.count("\n") == 1


def test_a_mistake_shows_its_place_with_d(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(args: object, out: object) -> int:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(echo, "run", fail)
    assert main(["echo", "-d", "h", "1"]) == 1
    assert "Traceback" in capsys.readouterr().err


class Stream(io.StringIO):
    """A standard output that cannot be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise self._error


def test_a_reader_that_goes_away_is_quiet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(BrokenPipeError()))
    assert main(["--version"]) == 141


def test_output_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(OSError(28, "")))
    assert main(["--version"]) == 1
    assert capsys.readouterr().err == "dimse: cannot write to standard output: No space left on device\n"


def test_closed_streams_are_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["--version"]) == 0
    assert main(["nothing"]) == 2


def test_the_pipe_of_a_real_reader() -> None:
    """`head` has gone when the help comes; nothing may be said about it, also not when Python ends."""
    command = [sys.executable, "-m", "dimse", "--help"]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=60, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_command_imports_no_other() -> None:
    program = "import sys; from dimse.cli import main; main(['echo', '127.0.0.1', '1'])\n"
    program += "print(sorted(m for m in sys.modules if m.startswith('dimse.cli.')))\n"
    program += "print({'rich', 'pydicom', 'sqlite3', 'asyncio', 'json'} & set(sys.modules))"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT, env=bare)
    wanted = [f"dimse.cli.{name}" for name in ("arguments", "echo", "failures", "output", "parsing", "peer", "tracer")]
    assert done.stdout == f"{wanted}\nset()\n"
