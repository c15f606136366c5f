"""A file of user names and what scrypt (RFC 7914) makes of their passcodes, for user identities of type 2.

One user a line: `name:scrypt:N:r:p:salt:digest`, salt and digest in Base64. Written by `dimse passwd`.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path

from dimse.errors import UsageError
from dimse.services.security import File
from pdu.values import dataclass

N, R, P = 2**14, 8, 5
"""16 MiB and about a fifth of a second: what OWASP's password storage cheat sheet recommends where memory is shared."""
SALT_LENGTH, DIGEST_LENGTH = 16, 32
MOST_MEMORY = 256 << 20
"""Bytes that a line of the file may ask for."""
OTHERS = 0o077
"""Permissions of group and others."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one try costs."""

    n: int = N
    r: int = R
    p: int = P

    @property
    def is_sound(self) -> bool:
        """Whether scrypt can do it (RFC 7914 2: `n` is a power of two), with no more memory than there may be."""
        return self.n > 1 and not self.n & (self.n - 1) and self.r > 0 and self.p > 0 and self.memory <= MOST_MEMORY

    @property
    def memory(self) -> int:
        """Bytes that it takes."""
        return 128 * self.r * (self.n + self.p + 2)


class Passcodes:
    """The file, read anew for every question, so that a change counts at once. Raises `UsageError` if it cannot be used."""

    def __init__(self, file: File) -> None:
        self._path = Path(file)
        self._read()

    def check(self, name: str, passcode: bytes) -> bool:
        """Whether the passcode is that user's. An unknown user takes as long as a wrong passcode."""
        from hmac import compare_digest

        records = self._read()
        record = records.get(name) or _Record.nobody(next(iter(records.values()), None))
        return compare_digest(record.digest_of(passcode), record.digest) and name in records

    def _read(self) -> dict[str, _Record]:
        try:
            with self._path.open(encoding="utf-8") as file:
                mode, text = os.fstat(file.fileno()).st_mode, file.read()
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UsageError(f"cannot read the users {self._path}: {why}", advice="'dimse passwd FILE USER' makes one") from None
        if mode & OTHERS:
            raise UsageError(f"others may read or write the users {self._path}", advice=f"chmod 600 {self._path}")
        return dict(self._record(number, line) for number, line in enumerate(text.splitlines(), 1) if line)

    def _record(self, number: int, line: str) -> tuple[str, _Record]:
        try:
            return _Record.parse(line)
        except ValueError:
            raise UsageError(f"line {number} of {self._path} is no user", advice="'dimse passwd FILE USER' writes them") from None


def set_passcode(file: File, name: str, passcode: str, cost: Cost = Cost()) -> bool:
    """Writes a user's passcode into the file, which is made if there is none; whether the user is new. Raises `UsageError`."""
    if not name or ":" in name or not name.isprintable():
        raise UsageError(f"{name!r} is no user name", advice="give printable characters, and no colon")
    if not passcode:
        raise UsageError("an empty passcode is none")
    path = Path(file)
    records = Passcodes(path)._read() if path.exists() else {}
    is_new = name not in records
    records[name] = _Record.make(passcode.encode(), cost)
    _write(path, records)
    return is_new


def remove_user(file: File, name: str) -> bool:
    """Takes a user out of the file; whether there was one of that name. Raises `UsageError`."""
    path = Path(file)
    records = Passcodes(path)._read()
    found = records.pop(name, None) is not None
    if found:
        _write(path, records)
    return found


def _write(path: Path, records: Mapping[str, _Record]) -> None:
    _replace(path, "".join(f"{user}:{record}\n" for user, record in records.items()))


def _replace(path: Path, text: str) -> None:
    """Writes the whole file beside it, readable to nobody else, and puts that in its place: there is never half a file."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise UsageError(f"cannot write the users {path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True, repr=False)
class _Record:
    cost: Cost
    salt: bytes
    digest: bytes

    @classmethod
    def make(cls, passcode: bytes, cost: Cost) -> _Record:
        blank = cls(cost, os.urandom(SALT_LENGTH), b"")
        return cls(cost, blank.salt, blank.digest_of(passcode))

    @classmethod
    def nobody(cls, like: _Record | None) -> _Record:
        """A record that no passcode fits, and that costs what others cost."""
        return cls(like.cost if like else Cost(), bytes(SALT_LENGTH), bytes(DIGEST_LENGTH))

    @classmethod
    def parse(cls, line: str) -> tuple[str, _Record]:
        name, kind, n, r, p, salt, digest = line.split(":")
        cost = Cost(int(n), int(r), int(p))
        record = cls(cost, b64decode(salt, validate=True), b64decode(digest, validate=True))
        if not (name and kind == "scrypt" and cost.is_sound and record.salt and len(record.digest) == DIGEST_LENGTH):
            raise ValueError
        return name, record

    def digest_of(self, passcode: bytes) -> bytes:
        from hashlib import scrypt

        cost = self.cost
        return scrypt(passcode, salt=self.salt, n=cost.n, r=cost.r, p=cost.p, dklen=DIGEST_LENGTH, maxmem=cost.memory)

    def __str__(self) -> str:
        return f"scrypt:{self.cost.n}:{self.cost.r}:{self.cost.p}:{b64encode(self.salt).decode()}:{b64encode(self.digest).decode()}"
