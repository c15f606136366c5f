"""How an archive of the command line keeps what it has: options and keys of `dimse serve`, and opening the folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dimse.cli.arguments import Parser, size
from dimse.cli.failures import USAGE, Failure, os_words
from dimse.cli.output import Output, in_bytes
from dimse.cli.parsing import Arguments
from dimse.cli.progress import Progress
from dimse.errors import UsageError
from pdu.values import dataclass, replace

if TYPE_CHECKING:
    from dimse.archive import Archive

KEYS = ("durability", "duplicates", "quota", "reserve")
CHOICES = {"durability": ("full", "relaxed"), "duplicates": ("refuse", "replace")}


@dataclass(frozen=True, slots=True)
class Keeping:
    """See `dimse.archive.Archive`. The sizes are bytes."""

    durability: Literal["full", "relaxed"] = "full"
    duplicates: Literal["refuse", "replace"] = "refuse"
    quota: int | None = None
    reserve: int | None = None

    @property
    def words(self) -> str:
        """What is unsafe about it, and how much it keeps; "" if it is as usual."""
        unsafe = "UNSAFE durability: a power cut may lose what was answered 0000H" if self.durability == "relaxed" else ""
        quota = "" if self.quota is None else f"at most {in_bytes(self.quota)}"
        return ", ".join(filter(None, (quota, unsafe)))


def add_keeping(command: Parser) -> None:
    """The options of a command that runs an archive."""
    group = command.add_argument_group("archive")
    words = "full: answer a C-STORE when the instance would survive a power cut; relaxed, UNSAFE: when it is written (full)"
    group.add_argument("--durability", choices=CHOICES["durability"], help=words)
    words = "other bytes under a SOP Instance UID that is here: refuse them, or replace the first (refuse)"
    group.add_argument("--duplicates", choices=CHOICES["duplicates"], help=words)
    words = "most bytes to keep, as 500GB or 2TiB; beyond them a C-STORE is answered A700H (no limit)"
    group.add_argument("--quota", metavar="SIZE", type=size, help=words)


def with_keeping(keeping: Keeping, args: Arguments) -> Keeping:
    """What the file says, with what the command line says above it."""
    given = {name: getattr(args, name) for name in ("durability", "duplicates", "quota")}
    return replace(keeping, **{name: value for name, value in given.items() if value is not None})


def open_archive(folder: Path, keeping: Keeping, out: Output) -> Archive:
    """Opens an archive, with a bar on a long repair, and says what was mended."""
    from dimse.archive import Archive

    options = {name: getattr(keeping, name) for name in KEYS}
    with data_folder(folder), Progress(out, "looking through the files", None) as bar:
        archive = Archive(folder, progress=bar.update, **options)
    if archive.repair:
        out.note(f"{out.program}: {archive.repair}")
    return archive


@contextmanager
def data_folder(folder: Path) -> Iterator[None]:
    """What is wrong with the data folder of an archive becomes a `Failure` (usage)."""
    import sqlite3  # `dimse receive` has no archive

    try:
        yield
    except OSError as error:
        raise Failure(USAGE, f"cannot use the data folder {os_words(error)}") from error
    except UsageError as error:
        raise Failure(USAGE, f"cannot use the data folder: {error}") from error
    except sqlite3.Error as error:
        raise Failure(USAGE, f"cannot use the data folder {folder}: its index cannot be read: {error}") from error
