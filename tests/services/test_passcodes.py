"""The file of users: what it looks like, who may read it, and that looking for nobody costs what looking for somebody does."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from pathlib import Path

import pytest

from dimse.errors import UsageError
from dimse.services.passcodes import Cost, Passcodes, set_passcode

CHEAP = Cost(n=2, r=1, p=1)
SECRET = "correct horse"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "users"
    set_passcode(file, "doe", SECRET, CHEAP)
    set_passcode(file, "röe", "battery", CHEAP)
    return file


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What scrypt was asked for: salt and passcode left out."""
    made: list[tuple[object, ...]] = []
    real = hashlib.scrypt

    def scrypt(password: bytes, *, salt: bytes, n: int, r: int, p: int, maxmem: int = 0, dklen: int = 64) -> bytes:
        made.append((len(salt), n, r, p, maxmem, dklen))
        return real(password, salt=salt, n=n, r=r, p=p, maxmem=maxmem, dklen=dklen)

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    return made


def test_who_is_who(file: Path) -> None:
    passcodes = Passcodes(file)
    assert passcodes.check("doe", SECRET.encode())
    assert passcodes.check("röe", b"battery")
    for name, passcode in (("doe", b"battery"), ("röe", SECRET.encode()), ("Doe", SECRET.encode()), ("doe", b""), ("", b""), ("no", b"no")):
        assert not passcodes.check(name, passcode)


def test_an_unknown_user_costs_what_a_known_one_does(file: Path, calls: list[tuple[object, ...]]) -> None:
    passcodes = Passcodes(file)
    passcodes.check("doe", SECRET.encode())
    passcodes.check("doe", b"wrong")
    passcodes.check("nobody", b"wrong")
    assert len(calls) == 3
    assert len(set(calls)) == 1


def test_in_an_empty_file_nobody_is_known(tmp_path: Path, calls: list[tuple[object, ...]]) -> None:
    file = tmp_path / "users"
    file.touch(0o600)
    assert not Passcodes(file).check("", b"")
    assert [call[1:4] for call in calls] == [(Cost().n, Cost().r, Cost().p)]


def test_the_file_has_no_passcode_and_is_nobody_elses(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text(encoding="utf-8")
    assert SECRET not in text
    assert [line.split(":")[:5] for line in text.splitlines()] == [["doe", "scrypt", "2", "1", "1"], ["röe", "scrypt", "2", "1", "1"]]


def test_each_user_has_a_salt_of_its_own(file: Path) -> None:
    set_passcode(file, "moe", SECRET, CHEAP)
    salts = [line.split(":")[5] for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(set(salts)) == 3


def test_the_digest_is_that_of_scrypt(tmp_path: Path) -> None:
    """A file that others could have written: the third vector of RFC 7914 12, as far as 32 bytes go."""
    salt, digest = (
        b64encode(b"SodiumChloride"),
        b64encode(bytes.fromhex("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2")),
    )
    file = tmp_path / "users"
    file.write_text(f"doe:scrypt:16384:8:1:{salt.decode()}:{digest.decode()}\n", encoding="ascii")
    file.chmod(0o600)
    assert Passcodes(file).check("doe", b"pleaseletmein")
    assert not Passcodes(file).check("doe", b"pleaseletmeIn")


def test_a_passcode_is_changed(file: Path) -> None:
    passcodes = Passcodes(file)
    assert not set_passcode(file, "doe", "another", CHEAP)
    assert set_passcode(file, "new", "fresh", CHEAP)
    assert not passcodes.check("doe", SECRET.encode())  # which counts at once
    assert passcodes.check("doe", b"another")
    assert passcodes.check("new", b"fresh")
    assert passcodes.check("röe", b"battery")
    assert [path.name for path in file.parent.iterdir()] == ["users"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601, 0o777])
def test_a_file_that_others_may_read_or_write(mode: int, file: Path) -> None:
    passcodes = Passcodes(file)
    file.chmod(mode)
    with pytest.raises(UsageError, match="others may read or write") as caught:
        passcodes.check("doe", SECRET.encode())
    assert "chmod 600" in str(caught.value)
    with pytest.raises(UsageError, match="others may read or write"):
        Passcodes(file)
    with pytest.raises(UsageError, match="others may read or write"):
        set_passcode(file, "doe", SECRET, CHEAP)


SALT, DIGEST = "c2FsdA==", "A" * 43 + "="


@pytest.mark.parametrize(
    "line",
    [
        "doe",
        f"doe:scrypt:2:1:1:{SALT}",
        f"doe:scrypt:2:1:1:{SALT}:{DIGEST}:more",
        f":scrypt:2:1:1:{SALT}:{DIGEST}",
        f"doe:argon2:2:1:1:{SALT}:{DIGEST}",
        f"doe:scrypt:two:1:1:{SALT}:{DIGEST}",
        f"doe:scrypt:3:1:1:{SALT}:{DIGEST}",
        f"doe:scrypt:1:1:1:{SALT}:{DIGEST}",
        f"doe:scrypt:0:1:1:{SALT}:{DIGEST}",
        f"doe:scrypt:-2:-1:1:{SALT}:{DIGEST}",
        f"doe:scrypt:2:0:1:{SALT}:{DIGEST}",
        f"doe:scrypt:2:1:0:{SALT}:{DIGEST}",
        f"doe:scrypt:2097152:8:1:{SALT}:{DIGEST}",
        f"doe:scrypt:2:1:1000000000:{SALT}:{DIGEST}",
        f"doe:scrypt:2:1:1::{DIGEST}",
        f"doe:scrypt:2:1:1:{SALT}:AAAA",
        f"doe:scrypt:2:1:1:{SALT}:{DIGEST}!",
        f"doe:scrypt:2:1:1:s alt:{DIGEST}",
    ],
)
def test_lines_that_are_no_users(line: str, file: Path) -> None:
    file.write_text(f"roe:scrypt:2:1:1:{SALT}:{DIGEST}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 3 of") as caught:
        Passcodes(file)
    assert DIGEST not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        Passcodes(tmp_path / "missing")
    with pytest.raises(UsageError, match="Is a directory"):
        Passcodes(tmp_path)
    file = tmp_path / "latin-1"
    file.write_bytes(b"\xff")
    file.chmod(0o600)
    with pytest.raises(UsageError, match="is not UTF-8"):
        Passcodes(file)


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", "a\x1bb", "a\u202eb", "\udcff"])
def test_names_that_are_none(name: str, file: Path) -> None:
    with pytest.raises(UsageError, match="is no user name"):
        set_passcode(file, name, SECRET, CHEAP)


def test_an_empty_passcode_is_none(file: Path) -> None:
    with pytest.raises(UsageError, match="empty passcode"):
        set_passcode(file, "doe", "", CHEAP)


def test_a_file_that_cannot_be_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one stays, and nothing is left beside it."""
    before = file.read_bytes()

    def fsync(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UsageError, match="No space left on device"):
        set_passcode(file, "doe", "another", CHEAP)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["users"]


def test_the_usual_cost_is_sound_and_takes_16_mib() -> None:
    assert Cost().is_sound
    assert 16 << 20 <= Cost().memory < 17 << 20
