"""The words of a command: what is read without argparse is what argparse reads."""

from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.cli import COMMANDS
from dimse.cli.arguments import Parser
from dimse.cli.parsing import Arguments, read
from dimse.cli.usage import parse

PARSERS: dict[str, Parser] = {name: import_module(f"dimse.cli.{name}").parser() for name in COMMANDS}
VALUES = (
    *("", "-", "--", "+", "-1", "1", "104", "99999", "AET", "h", "a=b", "full", "2 GB", "echo,store", "-x", "--tls=1", "a b", "1.2.3"),
    *("ab" * 32, "x=A"),
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A command, and words that may be some for it."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    names = [name for option, _ in PARSERS[command].options() for name in option.names if not option.is_positional]
    one = st.one_of(
        st.sampled_from(names).map(lambda name: [name]),
        st.sampled_from(VALUES).map(lambda value: [value]),
        st.tuples(st.sampled_from(names), st.sampled_from(VALUES)).map(list),
        st.tuples(st.sampled_from(names), st.sampled_from(VALUES)).map(lambda pair: ["=".join(pair)]),
    )
    parts = draw(st.permutations([*draw(st.lists(one, max_size=6)), *draw(st.sampled_from(([], [["h"], ["104"]])))]))
    return command, [word for part in parts for word in part]


def by_argparse(command: str, words: list[str]) -> Arguments:
    """What argparse makes of the words; raises what it raises."""
    return parse(PARSERS[command], words, command=command, epilog="")


@given(calls())
def test_what_is_read_is_what_argparse_reads(call: tuple[str, list[str]]) -> None:
    command, words = call
    found = read(PARSERS[command], words)
    assert found is None or found == by_argparse(command, words)


USUAL = {
    "echo": ("h", "104", "--json", "-aec", "PEER", "--repeat", "3"),
    "send": ("-v", "-aet", "ME", "h", "+sd", "104", "a", "b", "--operations=1", "c"),
    "find": ("-P", "h", "104", "-k", "PatientName=A^*", "-k", "0010,0020"),
    "move": ("h", "104", "-aem", "DEST", "query.txt"),
    "get": ("h", "104", "-od", "x", "--sop-class", "1.2.3", "--sop-class", "1.2.4"),
    "receive": ("-aet", "STORE", "--host", "127.0.0.1", "11112"),
    "serve": ("--peer", "A=h:1", "--peer", "B=h:2", "--durability", "full", "--tls-caller", "x=A,B"),
    "judge": ("--list",),
    "passwd": ("file", "user", "--remove"),
}


@pytest.mark.parametrize("command", USUAL)
def test_usual_words_are_read_without_argparse(command: str) -> None:
    assert read(PARSERS[command], USUAL[command]) == by_argparse(command, list(USUAL[command]))


UNUSUAL = {
    "help": ("h", "104", "--help"),
    "nothing": (),
    "too few": ("h",),
    "too many": ("h", "104", "x"),
    "no value": ("h", "104", "-aec"),
    "a bad value": ("h", "port"),
    "unknown": ("h", "104", "--colour"),
    "a value for a flag": ("h", "104", "--json=1"),
    "both of two that exclude each other": ("h", "104", "--user", "A", "--jwt", "x"),
    "options are over": ("--", "h", "104"),
}


@pytest.mark.parametrize("words", UNUSUAL.values(), ids=UNUSUAL)
def test_anything_else_is_left_to_argparse(words: tuple[str, ...]) -> None:
    assert read(PARSERS["echo"], words) is None


def test_an_option_that_is_required() -> None:
    assert read(PARSERS["move"], ("h", "104")) is None
