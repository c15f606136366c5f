"""Ours and its peers, side by side: each work with our programs and with those of others that are installed, in turns, as one table.

    python -m bench.peers --runs 5 --json bench/peers.json --readme --chart bench/peers.svg
    python -m bench.peers --from bench/peers.json --readme --chart bench/peers.svg

Whole processes from start to exit, over loopback; files in memory, except where durability is measured. Medians of all runs but a first
one, half the range from the least to the most, and how many times as good as the best of the others ours is. Every run checks that
everything has arrived. A peer that is not installed is one line on standard error. The second command measures nothing: it makes the
table and the chart anew. The exit code says whether everything could be measured, never whether it was fast.

It takes about twenty minutes, and 5 GB of memory for files.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from bench.measuring import Failed, Run, in_turns
from bench.providers import Missing, version_of_orthanc, version_of_ours, version_of_pynetdicom, version_of_storescp
from bench.readme import README, replaced
from bench.report import Report, Result, draw, line, markdown, report, saved, table
from bench.rows import QUICK, USUAL, Row, Side, rows
from bench.samples import Lost, Place, place

MEMORY = Path("/dev/shm")
RUNS = 5
VERSIONS = {"dimse": version_of_ours, "DCMTK": version_of_storescp, "Orthanc": version_of_orthanc, "pynetdicom": version_of_pynetdicom}


def measured(row: Row, where: Place, times: int) -> Result:
    """One row; what is missing or fails is left out of it, with a word."""
    words: list[str] = []
    with ExitStack() as stack:
        runs: dict[str, Run] = {}
        for side in (row.ours, *row.others):
            run = _open(side, where, stack, words)
            if run is not None:
                runs[side.name] = run
            elif side is row.ours:
                return Result(row, {}, words)
        try:
            return Result(row, in_turns(runs, times), words)
        except (Failed, Lost, Missing, RuntimeError) as error:
            return Result(row, {}, [*words, _words(error)])


def _open(side: Side, where: Place, stack: ExitStack, words: list[str]) -> Run | None:
    try:
        side.check()
        return stack.enter_context(side.opened(where))
    except (Failed, Missing, RuntimeError) as error:
        words.append(f"{side.name}: {_words(error)}")
        return None


def _words(error: Exception) -> str:
    return str(error).replace("\n", " ").replace("|", "/")


def measure(chosen: Iterable[Row], where: Place, times: int, results: list[Result], say: Callable[[str], object]) -> None:
    """Adds a result for each row, and says it."""
    for row in chosen:
        results.append(measured(row, where, times))
        say("\n".join([line(saved(results[-1])), *results[-1].words]))


def versions(say: Callable[[str], object]) -> dict[str, str]:
    """Those that are installed."""
    found = {}
    for name, find in VERSIONS.items():
        try:
            found[name] = find()
        except Missing as reason:
            say(f"{name}: {reason}; rows are without it")
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description="Measures ours and its peers, side by side.")
    parser.add_argument("--only", metavar="ROW", action="append", default=[], help="these rows, or those that begin so; may be repeated")
    parser.add_argument("--runs", metavar="N", type=int, default=RUNS, help=f"runs of each ({RUNS})")
    parser.add_argument("--quick", action="store_true", help="next to nothing is moved: to see that everything runs")
    parser.add_argument("--list", action="store_true", help="only say which rows there are")
    parser.add_argument("--folder", metavar="DIR", type=Path, help="where files are that are not to wait for a disk (/dev/shm)")
    parser.add_argument(
        "--disk", metavar="DIR", type=Path, default=Path(tempfile.gettempdir()), help="a folder on a disk, to be durable on"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write everything that was measured into this file")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the table into this file")
    parser.add_argument("--readme", nargs="?", const=README, metavar="FILE", type=Path, help="replace the table in the README")
    parser.add_argument("--chart", metavar="FILE", type=Path, help="draw the chart (SVG; needs matplotlib)")
    parser.add_argument("--from", dest="saved", metavar="FILE", type=Path, help="measure nothing: take what that JSON file has")
    return parser


def _checked(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Wrong arguments are told before anything is measured."""
    if args.runs < 1:
        parser.error("--runs is 1 or more")
    if args.chart and importlib.util.find_spec("matplotlib") is None:
        parser.error("--chart needs matplotlib: pip install '.[bench]'")
    for path in filter(None, (args.json, args.markdown, args.chart)):
        if not path.absolute().parent.is_dir():
            parser.error(f"there is no folder {path.parent}")
    if args.readme:
        try:
            replaced(args.readme.read_text(encoding="utf-8"), "peers", "")
        except (OSError, ValueError) as error:
            parser.error(str(error))


def _chosen(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[Row]:
    everything = list(rows(QUICK if args.quick else USUAL))
    for name in args.only:
        if not any(row.id.startswith(name) for row in everything):
            parser.error(f"there is no row {name!r}: {', '.join(row.id for row in everything)}")
    return [row for row in everything if not args.only or row.id.startswith(tuple(args.only))]


def _read(parser: argparse.ArgumentParser, path: Path) -> Report:
    try:
        found: Report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        parser.error(f"{path}: {error}")
    return found


def main(words: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if words is None else words
    parser = _parser()
    args = parser.parse_args(words)
    _checked(parser, args)
    if args.saved:
        _write(args, _read(parser, args.saved))
        return 0
    chosen = _chosen(parser, args)
    if args.list:
        print("\n".join(f"{row.id:<22} {row.work}" for row in chosen))
        return 0
    installed = versions(_say)
    with place(args.folder or (MEMORY if MEMORY.is_dir() else Path(tempfile.gettempdir())), args.disk) as where:
        results: list[Result] = []
        with suppress(KeyboardInterrupt):  # what has been measured by then is written
            measure(chosen, where, args.runs, results, _say)
    _write(args, report(results, shlex.join(["python", "-m", "bench.peers", *words]), args.runs, installed))
    return 0 if len(results) == len(chosen) and any(result.ours for result in results) else 1


def _write(args: argparse.Namespace, found: Report) -> None:
    print(table(found["rows"]))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if args.chart:
        draw(found, args.chart)
    if args.markdown:
        args.markdown.write_text(markdown(found) + "\n", encoding="utf-8")
    if args.readme:
        text = args.readme.read_text(encoding="utf-8")
        args.readme.write_text(replaced(text, "peers", markdown(found)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
