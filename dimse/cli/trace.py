"""`dimse trace`: a trace file as a timeline."""

from __future__ import annotations

import json
from pathlib import Path

from dimse.cli.arguments import Parser, count, path
from dimse.cli.failures import DONE, FAILED, USAGE, Failure, os_words
from dimse.cli.output import Output, clean, plural
from dimse.cli.parsing import Arguments
from dimse.cli.timeline import WRONG, Entry, Timeline

EPILOG = """\
A line for each record: the seconds since the first, the association's number, this side and the peer with an arrow from
whom to whom, the state before and after (PS3.8 Table 9-10), and what it was. What the peer did against the standard
stands below, marked "!!", with the clause. Every command that opens or accepts associations writes such files: --trace FILE.
"""

NAMED = 20
"""Lines that are no records and are named one by one: a file of something else has nothing but such lines."""


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("trace", "Prints a trace file as a timeline.", EPILOG)
    command.add_argument("file", metavar="FILE", type=path, help="what --trace or dimse.TraceFile wrote")
    command.add_argument(
        "--only", metavar="N", type=count, action="append", help="only the association of that number; may be repeated (all, interleaved)"
    )
    return command


def run(args: Arguments, out: Output) -> int:
    """Prints the timeline; fails if there are lines that are no records, and names them."""
    entries, broken = _read(args.file)
    timeline = Timeline(out.line)
    chosen = [(number, entry) for number, entry in entries if not args.only or entry.get("association") in args.only]
    for number, entry in chosen:
        try:
            timeline.learn(entry)
        except WRONG:
            broken[number] = "no record of a trace"
    shown = [entry for number, entry in chosen if number not in broken and _show(timeline, number, entry, broken)]
    associations = len({entry["association"] for entry in shown})
    violations = sum(len(entry.get("violations", ())) for entry in shown)
    out.line(f"{plural(associations, 'association')}, {plural(len(shown), 'record')}, {plural(violations, 'violation')} of the standard")
    for number, why in sorted(broken.items())[:NAMED]:
        out.error(f"{clean(args.file)}, line {number}: {why}")
    if len(broken) > NAMED:
        out.error(f"{clean(args.file)}: {plural(len(broken) - NAMED, 'more line')} like these; is it a trace?")
    return FAILED if broken else DONE


def _show(timeline: Timeline, number: int, entry: Entry, broken: dict[int, str]) -> bool:
    try:
        timeline.show(entry)
    except WRONG:
        broken[number] = "no record of a trace"
        return False
    return True


def _read(path: Path) -> tuple[list[tuple[int, Entry]], dict[int, str]]:
    """The JSON objects with the numbers of their lines, and what is wrong with the other lines."""
    entries: list[tuple[int, Entry]] = []
    broken: dict[int, str] = {}
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    entry = json.loads(line)
                except json.JSONDecodeError as error:
                    broken[number] = f"no JSON: {error.msg} (character {error.pos + 1})"
                    continue
                except (ValueError, RecursionError):  # a number of thousands of digits, arrays in arrays in arrays
                    broken[number] = "no record of a trace"
                    continue
                if isinstance(entry, dict):
                    entries.append((number, entry))
                else:
                    broken[number] = "no JSON object"
    except (OSError, ValueError) as error:
        why = os_words(error) if isinstance(error, OSError) else f"{path}: {error}"
        raise Failure(USAGE, f"cannot read the trace {why}") from error
    return entries, broken
