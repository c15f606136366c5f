"""argparse on the options of a command: it prints the help, and says what is wrong with words."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from dimse.cli.failures import USAGE, Failure
from dimse.cli.parsing import PREFIXES, Arguments, Group, Option


def parse(options: Group, words: Sequence[str], *, command: str, epilog: str) -> Arguments:
    """What the words say. Raises `Failure` with what is wrong with them, and `SystemExit` when it has printed the help."""
    parser = _Parser(
        prog=f"dimse {command}",
        description=options.description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        prefix_chars=PREFIXES,
    )
    _add(parser, options)
    return parser.parse_intermixed_args(words, Arguments())


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise Failure(USAGE, f"{message}; '{self.prog} --help' tells more")


def _add(container: argparse._ActionsContainer, group: Group) -> None:
    for member in group.members:
        if isinstance(member, Option):
            _add_option(container, member)
        elif member.is_exclusive:
            _add(container.add_mutually_exclusive_group(), member)
        else:
            _add(container.add_argument_group(member.title, member.description or None), member)


def _add_option(container: argparse._ActionsContainer, option: Option) -> None:
    said = {name: value for name in ("metavar", "type", "nargs", "choices") if (value := getattr(option, name)) is not None}
    if option.action != "store_true":
        said["default"] = option.default
    if option.action != "store":
        said["action"] = option.action
    if not option.is_positional:
        said |= {"dest": option.dest, "required": option.required}
    action = container.add_argument(*option.names, help=option.help, **said)
    if option.nargs == "*":
        action.required = False  # which it is without a default
