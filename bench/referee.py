"""Referee: the judge's table of cases on our provider and on those of others, as one table.

    python -m bench.referee --rough --readme

One provider after the other is started on a free loopback port (see `bench.providers`) and tried with every case; whoever dies is
started again and goes on with the next case. Prints a Markdown table with a row for each scenario in which anybody differs
from the others (all rows: --all). A peer that is not installed is one line on standard error, and has no column.
Exit code 1 if ours violates anything.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from bench.providers import PEERS, Missing, Peer, running
from bench.readme import README, machine, made_by, replaced
from dimse.judge import Case, Finding, Judge, NotServing, Verdict, chosen
from dimse.judge.runner import GONE

RECOVERY = 10.0
"""Seconds that a provider has to come back before it is started again."""
SEVERAL = 3
"""Cases of a scenario that are named one by one; more are counted."""


@dataclass
class Column:
    """One provider and everything that was found."""

    name: str
    version: str
    options: str
    findings: dict[str, Finding] = field(default_factory=dict)
    deaths: dict[str, str] = field(default_factory=dict)
    """How it ended, by the case that it did not survive; "stopped answering" where it lived on."""
    growth: int = 0
    """Bytes by which the most memory it has had resident exceeds what it had when it had started."""

    def cell(self, case: Case) -> str:
        """The verdict on a case."""
        finding = self.findings.get(case.id)
        words = Verdict.UNTESTED.value if finding is None else finding.verdict.value
        return f"{words}, {self.deaths[case.id].split()[0]}" if case.id in self.deaths else words

    def total(self, verdict: Verdict) -> int:
        """How many cases have that verdict."""
        return sum(finding.verdict is verdict for finding in self.findings.values())


@dataclass(frozen=True)
class Row:
    """Cases of one scenario on which all providers got the same verdicts."""

    cases: tuple[Case, ...]
    cells: tuple[str, ...]

    @property
    def is_unanimous(self) -> bool:
        """Whether all conform."""
        return set(self.cells) == {Verdict.CONFORMS.value}

    @property
    def label(self) -> str:
        """The scenario, and which of its cases, if not all."""
        scenario = self.cases[0].scenario
        names = [case.id.partition("/")[2] for case in self.cases if "/" in case.id]
        if not names:
            return scenario
        return f"{scenario}/{', '.join(names)}" if len(names) <= SEVERAL else f"{scenario} ({len(names)} cases)"

    @property
    def title(self) -> str:
        """What goes wrong in the first of them."""
        return self.cases[0].title + (" and the like" if len(self.cases) > 1 else "")


def judged(peer: Peer, cases: Sequence[Case], version: str, say: Callable[[str], object]) -> Column:
    """All cases on one provider, which is started as often as it takes."""
    column = Column(peer.name, version, peer.options)
    left = list(cases)
    while left:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            _judge_until_gone(peer, left, Path(folder), column, say)
        left = [case for case in left if case.id not in column.findings]
    return column


def _judge_until_gone(peer: Peer, cases: Sequence[Case], folder: Path, column: Column, say: Callable[[str], object]) -> None:
    """One life of a provider: what it has not survived is the last that is found."""
    with running(peer, folder) as provider:
        provider.look()
        before = provider.peak
        for finding in Judge(provider.target, cases, recovery=RECOVERY).run():
            provider.look()
            if finding.remark == GONE:
                continue
            column.findings[finding.case.id] = finding
            if finding.remark.startswith(GONE):
                column.deaths[finding.case.id] = provider.last_words() or "stopped answering"
                say(f"{peer.name} {column.deaths[finding.case.id]} at {finding.case.id}; it is started again")
        column.growth = max(column.growth, provider.peak - before)


def rows(columns: Sequence[Column], cases: Iterable[Case]) -> Iterator[Row]:
    """The cases in order, put together where a scenario's cases got the same."""
    for _, scenario in groupby(cases, key=lambda case: case.scenario):
        by_cells: dict[tuple[str, ...], list[Case]] = {}
        for case in scenario:
            by_cells.setdefault(tuple(column.cell(case) for column in columns), []).append(case)
        for cells, same in by_cells.items():
            yield Row(tuple(same), cells)


def table(columns: Sequence[Column], cases: Sequence[Case], *, everything: bool = False) -> str:
    """The Markdown table: rows in which anybody differs, or `everything`, and the totals."""
    lines = [["case", "what goes wrong", *(column.name for column in columns)], ["---"] * (2 + len(columns))]
    found = [row for row in rows(columns, cases) if everything or not row.is_unanimous]
    lines += [[row.label, row.title, *map(_emphasized, row.cells)] for row in found]
    for verdict in Verdict:
        totals = [column.total(verdict) for column in columns]
        if any(totals):
            lines.append([f"**{verdict.value}**", f"of {len(cases)} cases", *map(str, totals)])
    lines.append(["**started again**", "it died, or no longer answered", *(str(len(column.deaths)) for column in columns)])
    lines.append(["**memory**", "the most it grew by, MiB", *(f"{column.growth / (1 << 20):.0f}" for column in columns)])
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)


def _emphasized(cell: str) -> str:
    return f"**{cell}**" if cell.startswith((Verdict.VIOLATES.value, Verdict.NO_ANSWER.value)) else cell


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def caption(columns: Sequence[Column], command: str) -> str:
    """When, where and with what the table was made."""
    lines = [f"{made_by(command)}:", ""]
    lines += [f"- {column.name} {column.version}: {column.options}" for column in columns]
    for column in columns:
        lines += [f"- {column.name} {how} at {case}" for case, how in column.deaths.items()]
    return "\n".join(lines)


def as_json(columns: Sequence[Column], cases: Sequence[Case]) -> dict[str, object]:
    """Everything that was found, for programs."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "providers": [
            {"name": c.name, "version": c.version, "options": c.options, "deaths": c.deaths, "memory_growth": c.growth} for c in columns
        ],
        "cases": [
            {
                "id": case.id,
                "title": case.title,
                "clause": case.clause,
                "rough": case.rough,
                "allowed": case.allowed,
                "tolerated": case.tolerated,
                "findings": {
                    column.name: {"verdict": finding.verdict.value, "came": finding.came, "remark": finding.remark}
                    for column in columns
                    if (finding := column.findings.get(case.id)) is not None
                },
            }
            for case in cases
        ],
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _columns(peers: Iterable[Peer], cases: Sequence[Case]) -> Iterator[Column]:
    for peer in peers:
        try:
            version = peer.find()
        except Missing as reason:
            _say(f"{peer.name}: {reason}; it is left out")
            continue
        start = time.monotonic()
        _say(f"{peer.name} {version}: {len(cases)} cases")
        try:
            yield judged(peer, cases, version, _say)
        except (NotServing, RuntimeError) as reason:
            _say(f"{peer.name}: {reason}; it is left out")
        _say(f"{peer.name}: {time.monotonic() - start:.0f} s")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.referee", description="Judges our provider and those of others: one table.")
    parser.add_argument("--rough", action="store_true", help="also the cases that flood, exhaust or transfer much")
    parser.add_argument("--only", metavar="ID", action="append", default=[], help="these cases, scenarios or groups; may be repeated")
    parser.add_argument("--peer", action="append", choices=[peer.name for peer in PEERS], help="these providers; may be repeated")
    parser.add_argument("--all", action="store_true", help="a row for every scenario, also where all conform")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write everything that was found into this file")
    parser.add_argument("--readme", nargs="?", const=README, metavar="FILE", type=Path, help="replace the table in the README")
    return parser


def _command(args: argparse.Namespace) -> str:
    """The command that makes this table again, wherever it is written to."""
    chosen_ones = [*(f"--only {name}" for name in args.only), *(f"--peer {name}" for name in args.peer or [])]
    return " ".join(["python -m bench.referee", *(["--rough"] * args.rough), *(["--all"] * args.all), *chosen_ones, "--readme"])


def main(argv: Sequence[str] | None = None) -> int:
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        cases = chosen([name for each in args.only for name in each.split(",")], rough=args.rough)
        if args.readme:
            replaced(args.readme.read_text(encoding="utf-8"), "referee", "")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    columns = list(_columns([peer for peer in PEERS if not args.peer or peer.name in args.peer], cases))
    made = table(columns, cases, everything=args.all)
    print(made)
    if args.json:
        args.json.write_text(json.dumps(as_json(columns, cases), indent=1) + "\n", encoding="utf-8")
    if args.readme:
        text = args.readme.read_text(encoding="utf-8")
        args.readme.write_text(replaced(text, "referee", f"{caption(columns, _command(args))}\n\n{made}"), encoding="utf-8")
    counts = Counter(finding.verdict for column in columns if column.name == "ours" for finding in column.findings.values())
    return 1 if any(count for verdict, count in counts.items() if verdict.failed) else 0


if __name__ == "__main__":
    sys.exit(main())
