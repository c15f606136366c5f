"""`dimse passwd`: the file of users and their passcodes that `dimse serve` and `dimse receive` read (--users)."""

from __future__ import annotations

from pathlib import Path

from dimse.cli.arguments import Parser, path
from dimse.cli.failures import DONE, FAILED, USAGE, Failure
from dimse.cli.output import Output, clean
from dimse.cli.parsing import Arguments
from dimse.cli.secrets import ask, is_terminal, standard_input
from dimse.errors import UsageError
from dimse.services.passcodes import remove_user, set_passcode

EPILOG = """\
The passcode is asked for twice on a terminal; otherwise it is the first line of standard input. It is never an argument, which
everybody on this machine could see. The file has what scrypt makes of it, and is readable to nobody else. A running server
reads it anew for every association.
"""
PREPOSITIONS = {"added": "to", "changed": "in", "removed": "from"}


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("passwd", "Writes a user's passcode into a file, which is made if there is none.", EPILOG)
    command.add_argument("file", metavar="FILE", type=path, help="the file")
    command.add_argument("user", metavar="USER", help="the user's name")
    command.add_argument("--remove", action="store_true", help="take the user out")
    command.add_json()
    return command


def run(args: Arguments, out: Output) -> int:
    """Changes the file, and says what has changed."""
    try:
        done = _remove(args.file, args.user) if args.remove else _set(args.file, args.user)
    except UsageError as error:
        raise Failure(USAGE, str(error)) from error
    out.line(f"{clean(args.user)}: {done} {PREPOSITIONS[done]} {clean(args.file)}")
    out.result({"file": str(args.file), "user": args.user, "result": done})
    return DONE


def _set(file: Path, user: str) -> str:
    passcode = _typed(user) if is_terminal() else standard_input()
    return "added" if set_passcode(file, user, passcode) else "changed"


def _typed(user: str) -> str:
    passcode = ask(f"passcode of {clean(user)}: ")
    if ask("the same once more: ") != passcode:
        raise Failure(USAGE, "the two are different; nothing has been changed")
    return passcode


def _remove(file: Path, user: str) -> str:
    if not remove_user(file, user):
        raise Failure(FAILED, f"there is no user {user!r} in {file}")
    return "removed"
