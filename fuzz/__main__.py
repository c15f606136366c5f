"""The command line: `python -m fuzz TARGET --seconds N`."""

from __future__ import annotations

import argparse
import resource
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from fuzz import libfuzzer, store
from fuzz.search import Finding, Search, attempt, minimal, shrink
from fuzz.target import NAMES, Target, load

GIGABYTES = 4
"""Address space of this process: what asks for more is a finding (MemoryError)."""


@dataclass(frozen=True)
class Result:
    """What a search has done; str() is its closing line."""

    name: str
    engine: str
    executions: int
    seconds: float
    lines: str
    kept: int
    finding: Finding | None

    def __str__(self) -> str:
        rate = self.executions / max(self.seconds, 0.001)
        found = "1 finding" if self.finding else "0 findings"
        done = f"{self.executions} executions, {rate:.0f} a second, {self.lines}, {self.kept} inputs kept, {found}"
        return f"{self.name} ({self.engine}): {done}"


def main(arguments: list[str] | None = None) -> int:
    """Searches, or replays one input: 0 if nothing was found, else 1."""
    parser = _parser()
    options = parser.parse_args(arguments)
    target = load(options.target)
    if options.replay:
        return _replay(target, _input(parser, options.replay))
    engine = options.engine or ("atheris" if libfuzzer.is_there() else "own")
    _check(parser, engine, options.corpus)
    result = _search(options.target, target, engine, options)
    if result.finding:
        path = store.write_finding(options.target, options.seed, result.finding)
        traceback.print_exception(result.finding.error)
        print(f"bytes: {result.finding.data.hex()}\nseed: {options.seed}\nwritten to {path}")
    print(result)
    return 1 if result.finding else 0


def _search(name: str, target: Target, engine: str, options: argparse.Namespace) -> Result:
    seeds = [*target.seeds(), *(store.load(options.corpus) if options.corpus else [])]
    if engine == "own":
        _limit_memory()
        search = Search(target, options.seed)
        begin = time.monotonic()
        search.run(seeds, options.seconds, options.runs)
        executions, inputs, finding = search.executions, search.kept, search.finding
    else:
        begin = time.monotonic()
        executions, inputs, finding = libfuzzer.search(name, options.seed, seeds, options.seconds, options.runs)
    seconds = time.monotonic() - begin
    kept, lines = minimal(target, inputs)
    if options.corpus:
        store.save(options.corpus, kept)
    covered = f"{lines.fresh} of {lines.total} lines ({lines.fresh / max(lines.total, 1):.0%})"
    return Result(name, engine, executions, seconds, covered, len(kept), finding and shrink(target, finding))


def _check(parser: argparse.ArgumentParser, engine: str, corpus: Path | None) -> None:
    """Tells at once, and not after the search, what it could not do."""
    if engine == "atheris" and not libfuzzer.is_there():
        parser.error("atheris is not installed: pip install '.[fuzz]', or --engine own")
    if corpus is not None:
        try:
            corpus.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"cannot keep a corpus in {corpus}: {error.strerror}")


def _input(parser: argparse.ArgumentParser, path: Path) -> bytes:
    try:
        return store.read_finding(path)
    except OSError as error:
        parser.error(f"cannot read {path}: {error.strerror}")
    except ValueError:
        parser.error(f"what stands behind 'bytes:' in {path} is not hexadecimal")


def _replay(target: Target, data: bytes) -> int:
    finding = attempt(target, data)
    if finding:
        traceback.print_exception(finding.error)
    print("still there" if finding else "not there any more")
    return 1 if finding else 0


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:  # also false for nan
        raise ValueError
    return value


def _limit_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = GIGABYTES << 30
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Look for inputs that break an invariant.")
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=_seconds, default=60.0, help="how long to search (default 60)")
    parser.add_argument("--runs", type=int, help="stop after so many executions")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices (default 1)")
    parser.add_argument("--corpus", type=Path, help="folder of inputs to start from; what was worth keeping is written there")
    parser.add_argument("--engine", choices=("atheris", "own"), help="default: atheris if it is installed")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one finding (or raw input) and nothing else")
    return parser


if __name__ == "__main__":
    sys.exit(main())
