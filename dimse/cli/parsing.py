"""The options of a command as data, and the reading of words that are right.

What is wrong with words that are not, and what `--help` prints, says argparse of the same options (`dimse.cli.usage`): to load it
takes longer than a short command's work, and only who has to be told something waits for it.
"""

from __future__ import annotations

from types import SimpleNamespace

from pdu.typed import TYPE_CHECKING
from pdu.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

PREFIXES = "-+"
"""What options begin with: DCMTK has some with "+"."""


class Arguments(SimpleNamespace):
    """What the words of a command came to, an attribute an option."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...  # each command knows the types of its own options


@dataclass(frozen=True, slots=True)
class Option:
    """An option, or a positional argument: what argparse calls so, with its words for it."""

    names: tuple[str, ...]
    dest: str
    help: str
    metavar: str | None
    type: Callable[[str], object] | None
    default: object
    action: str
    nargs: str | None
    choices: Sequence[str] | None
    required: bool

    @property
    def is_positional(self) -> bool:
        return self.names[0][0] not in PREFIXES

    @property
    def initial(self) -> object:
        """The default, which may be a word as somebody would write it."""
        return self.value(self.default) if isinstance(self.default, str) else self.default

    def value(self, word: str) -> object:
        """What a word says. Raises whatever `type` does, or `ValueError` for none of the choices."""
        if self.choices is not None and word not in self.choices:
            raise ValueError(word)
        return word if self.type is None else self.type(word)


class Group:
    """Options that belong together, or of which only one may be given; as `argparse` has them."""

    def __init__(self, title: str = "", description: str = "", *, is_exclusive: bool = False) -> None:
        self.title = title
        self.description = description
        self.is_exclusive = is_exclusive
        self.members: list[Option | Group] = []

    def add_argument(
        self,
        *names: str,
        help: str,
        dest: str = "",
        metavar: str | None = None,
        type: Callable[[str], object] | None = None,
        default: object = None,
        action: str = "store",
        nargs: str | None = None,
        choices: Sequence[str] | None = None,
        required: bool = False,
    ) -> None:
        """An option ("-aet", "--aetitle"), or a positional argument ("host")."""
        default = False if action == "store_true" else default
        dest = dest or _dest(names)
        self.members.append(Option(names, dest, help, metavar, type, default, action, nargs, choices, required))

    def add_argument_group(self, title: str, description: str = "") -> Group:
        """Options that have a title in the help."""
        return self._add(Group(title, description))

    def add_mutually_exclusive_group(self) -> Group:
        """Options that exclude each other."""
        return self._add(Group(is_exclusive=True))

    def options(self) -> Iterable[tuple[Option, Group]]:
        """All options, each with the group it stands in."""
        for member in self.members:
            if isinstance(member, Group):
                yield from member.options()
            else:
                yield member, self

    def _add(self, group: Group) -> Group:
        self.members.append(group)
        return group


def read(options: Group, words: Iterable[str]) -> Arguments | None:
    """What the words say; None where that takes more than a look at each: they are wrong, or unusual, or ask for help.

    Options may stand before, between and behind the positional arguments.
    """
    try:
        reading = _Reading(options)
        return Arguments(**reading.values) if reading.all(iter(words)) else None
    except Exception:  # whatever a type raises about a word; argparse will ask it again, and say so
        return None


class _Reading:
    """One reading of words."""

    def __init__(self, options: Group) -> None:
        found = list(options.options())
        self._named = {name: (option, group) for option, group in found if not option.is_positional for name in option.names}
        self._positional = [option for option, _ in found if option.is_positional]
        self._missing = {option.dest for option, _ in found if option.required}
        self._chosen: set[int] = set()
        self.values = {option.dest: option.initial for option, _ in found}

    def all(self, words: Iterable[str]) -> bool:
        """Whether all words could be read."""
        rest = []
        for word in words:
            if word[:1] not in PREFIXES or word in ("", *PREFIXES):
                rest.append(word)
            elif not self._option(word, words):
                return False
        return self._positionals(rest) and not self._missing

    def _option(self, word: str, words: Iterable[str]) -> bool:
        name, equals, text = (word, "", "") if word in self._named else word.partition("=")
        option, group = self._named[name]
        if group.is_exclusive and id(group) in self._chosen:
            return False
        self._chosen.add(id(group))
        self._missing.discard(option.dest)
        if option.action == "store_true":
            self.values[option.dest] = True
            return not equals
        if not equals:
            text = next(iter(words))
        if text == "--" or (text[:1] in PREFIXES and not equals):  # an option, or a negative number, or nothing
            return False
        value = option.value(text)
        if option.action == "append":
            before = self.values[option.dest]
            value = [*(before if isinstance(before, list) else ()), value]
        self.values[option.dest] = value
        return option.action in ("store", "append")

    def _positionals(self, words: list[str]) -> bool:
        """Shares the words out: each argument takes what it can, and leaves those behind it what they need."""
        at = 0
        for number, option in enumerate(self._positional):
            needed = sum(other.nargs in (None, "+") for other in self._positional[number + 1 :])
            most = max(len(words) - at - needed, 0)
            taken = words[at : at + (most if option.nargs in ("*", "+") else min(most, 1))]
            if not taken and option.nargs in (None, "+"):
                return False
            values = [option.value(word) for word in taken]
            if option.nargs in ("*", "+"):
                self.values[option.dest] = values
            elif values:
                (self.values[option.dest],) = values
            at += len(taken)
        return at == len(words)


def _dest(names: Sequence[str]) -> str:
    """The attribute that an option becomes: its first long name, or its first."""
    name = next((name for name in names if name[1:2] and name[1] in PREFIXES), names[0])
    return name.lstrip(PREFIXES).replace("-", "_")
