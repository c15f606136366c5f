"""`dimse passwd`: the file of users, and how a passcode is given."""

from __future__ import annotations

import io
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dimse import Passcodes
from dimse.cli import main
from dimse.services import passcodes

from .conftest import Run

Given = Callable[[bytes], None]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checking a passcode costs next to nothing."""
    quick = passcodes.Cost(n=2**4, r=1, p=1)
    monkeypatch.setattr(passcodes.set_passcode, "__defaults__", (quick,))


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Puts something on standard input, which is no terminal."""
    return lambda content: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


def types(monkeypatch: pytest.MonkeyPatch, *answers: str | BaseException) -> list[str]:
    """Somebody at a terminal, who types these; gives what they were asked."""
    asked, left = [], list(answers)

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr("dimse.cli.passwd.is_terminal", lambda: True)
    monkeypatch.setattr("getpass.getpass", getpass)
    return asked


def test_a_user_comes_changes_and_goes(run: Run, given: Given, tmp_path: Path) -> None:
    file = tmp_path / "users"
    given(b"first\nsecond line\n")
    said = run("passwd", file, "doe")
    assert (said.code, said.out, said.err) == (0, f"doe: added to {file}\n", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"first" not in file.read_bytes()
    assert Passcodes(file).check("doe", b"first")
    given("zweiter é".encode())
    assert run("passwd", "--json", file, "doe").results == [{"file": str(file), "user": "doe", "result": "changed"}]
    assert Passcodes(file).check("doe", "zweiter é".encode())
    said = run("passwd", file, "doe", "--remove")
    assert (said.code, said.out) == (0, f"doe: removed from {file}\n")
    assert not Passcodes(file).check("doe", "zweiter é".encode())


def test_others_stay(run: Run, given: Given, tmp_path: Path) -> None:
    file = tmp_path / "users"
    for name in ("one", "two", "three"):
        given(f"{name}'s\r\n".encode())
        assert run("passwd", file, name).code == 0
    assert run("passwd", "--remove", file, "two").code == 0
    assert [Passcodes(file).check(name, f"{name}'s".encode()) for name in ("one", "two", "three")] == [True, False, True]


def test_at_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = types(monkeypatch, "secret", "secret")
    assert run("passwd", tmp_path / "users", "doe").code == 0
    assert asked == ["passcode of doe: ", "the same once more: "]
    assert Passcodes(tmp_path / "users").check("doe", b"secret")


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        (["secret", "Secret"], 2, "the two are different; nothing has been changed"),
        ([""], 2, "what was typed is empty, and an empty passcode is none"),
        ([EOFError()], 2, "no passcode was typed"),
        ([KeyboardInterrupt()], 130, "interrupted"),
        (["\udcff"], 2, "what was typed is not UTF-8"),
    ],
)
def test_wrong_answers(
    answers: Sequence[str | BaseException], code: int, words: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    types(monkeypatch, *answers)
    said = run("passwd", tmp_path / "users", "doe")
    assert (said.code, said.out) == (code, "")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "users").exists()


@pytest.mark.parametrize(
    ("words", "content", "wanted"),
    [
        (["users", "doe"], b"", "the passcode on standard input is empty, and an empty passcode is none"),
        (["users", "doe"], b"\nsecret\n", "the passcode on standard input is empty"),
        (["users", "doe"], b"\xff\n", "the passcode on standard input is not UTF-8"),
        (["users", "a:b"], b"secret\n", "'a:b' is no user name"),
        (["users", ""], b"secret\n", "'' is no user name"),
        (["users", "a\nb"], b"secret\n", "is no user name"),
        (["none/users", "doe"], b"secret\n", "cannot write the users none/users: No such file or directory"),
        (["folder", "doe"], b"secret\n", "cannot read the users folder: Is a directory"),
        (["other", "doe"], b"secret\n", "line 1 of other is no user"),
        (["readable", "doe"], b"secret\n", "others may read or write the users readable; chmod 600 readable"),
        (["--remove", "none", "doe"], b"", "cannot read the users none: No such file or directory"),
        (["users", "doe", "secret"], b"", "unrecognized arguments: secret"),
    ],
)
def test_mistakes(
    words: list[str], content: bytes, wanted: str, run: Run, given: Given, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for name, mode in (("other", 0o600), ("readable", 0o644)):
        Path(name).write_text("anything\n" if name == "other" else "")
        Path(name).chmod(mode)
    given(content)
    said = run("passwd", *words)
    assert (said.code, said.out) == (2, "")
    assert wanted in said.err
    assert said.err.count("\n") == 1
    assert not Path("users").exists()


def test_nobody_to_remove(run: Run, given: Given, tmp_path: Path) -> None:
    given(b"secret\n")
    run("passwd", tmp_path / "users", "doe")
    said = run("passwd", "--remove", tmp_path / "users", "roe")
    assert (said.code, said.err) == (1, f"dimse passwd: there is no user 'roe' in {tmp_path}/users\n")


def test_no_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["passwd", str(tmp_path / "users"), "doe"]) == 2
    assert "standard input is empty" in capsys.readouterr().err
