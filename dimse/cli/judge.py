"""`dimse judge`: what a provider does when things go wrong, and what the standard thinks of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dimse.cli.arguments import Parser, ae_title, port, seconds, unfit
from dimse.cli.failures import DONE, FAILED, NO_ASSOCIATION, USAGE, Failure
from dimse.cli.output import Output, clean, place, plural
from dimse.cli.parsing import Arguments
from dimse.cli.progress import Progress
from dimse.judge import CASES, Case, Finding, Judge, NotServing, Target, Timing, Verdict, chosen, summary

EPILOG = """\
Only judge a provider that is yours, and none that works for patients: some cases end providers that are not built well.
Where it offers to store CT images it may be left with a few made-up ones, all of the patient JUDGE-1.

The verdicts: conforms; tolerated (not by the book, and harmless); violates; no answer (nothing came by the deadline where
the standard wants something); untested (the provider does not offer what the case needs). Findings come in the order of the
table, those of rough cases last; -v tells what would have been allowed.

A run takes as long as the provider makes it wait, for ARTIM most of all: set a short one there, and say so with --artim. With
30 s it takes two to four minutes, and up to ten times that where one connection holds up all others. The exit code is 1 if
anything violates or is not answered, 3 if the provider is not there.
"""
WIDE = max(len(verdict.value) for verdict in Verdict)
LONGEST_OUTCOME = 120


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("judge", "Sends a provider what goes wrong in networks, and judges its answers.", EPILOG)
    command.add_argument("host", metavar="HOST", nargs="?", help="the provider's host name or address")
    command.add_argument("port", metavar="PORT", nargs="?", type=port, help="the provider's TCP port")
    command.add_json()
    who = command.add_argument_group("association")
    who.add_argument("-aet", "--aetitle", metavar="AET", type=ae_title, default="DIMSE", help="this side's AE title (DIMSE)")
    who.add_argument("-aec", "--call", metavar="AET", type=ae_title, default="ANY-SCP", help="the provider's AE title (ANY-SCP)")
    what = command.add_argument_group("cases")
    what.add_argument("--list", action="store_true", help="list the cases, and try none")
    what.add_argument(
        "--only", metavar="ID", action="append", default=[], help="these cases (F-07/0), scenarios (F-07), groups (F); may be repeated"
    )
    what.add_argument("--rough", action="store_true", help="also those that flood, exhaust or transfer much")
    command.add_trace()
    waits = command.add_argument_group("waits")
    waits.add_argument("--artim", metavar="SECONDS", type=wait, default=30.0, help="the provider's ARTIM: how long it is waited for (30)")
    waits.add_argument("--idle", metavar="SECONDS", type=wait, default=60.0, help="how long it bears silence in an association (60)")
    return command


def run(args: Arguments, out: Output) -> int:
    """Judges, a line a case, and sums up."""
    cases = _cases(args)
    if args.list:
        _list(cases, out)
        return DONE
    if args.host is None or args.port is None:
        raise Failure(USAGE, "the following arguments are required: HOST, PORT; 'dimse judge --help' tells more")
    timing = Timing(artim=args.artim, idle=args.idle)
    target = Target(args.host, args.port, args.call.encode(), args.aetitle.encode(), timing, trace=args.tracer)
    findings = []
    try:
        with Progress(out, f"judging {args.call}", len(cases)) as progress:
            for finding in Judge(target, cases, done=lambda: progress.advance(1)).run():
                _tell(finding, out)
                findings.append(finding)
    except NotServing as reason:
        raise Failure(NO_ASSOCIATION, _not_serving(target, str(reason))) from reason
    _sum_up(findings, out)
    return FAILED if any(finding.verdict.failed for finding in findings) else DONE


def wait(text: str) -> float:
    """How long the provider waits. For one that waits for ever there is nothing to wait for."""
    if not (value := seconds(text)):
        raise unfit(f"{text!r} is no wait: give the seconds after which the provider gives up")
    return value


def _cases(args: Arguments) -> Sequence[Case]:
    names = [name for each in args.only for name in each.split(",")]
    try:
        cases = chosen(names, rough=args.rough)
    except ValueError as error:
        raise Failure(USAGE, f"{clean(error)}; 'dimse judge --list' shows all") from error
    if not cases:
        raise Failure(USAGE, "all of these cases are rough ones: they need --rough")
    return cases


def _list(cases: Sequence[Case], out: Output) -> None:
    for case in cases:
        out.line(f"{case.id:15} {case.title} ({case.clause})")
        out.result(
            {
                "id": case.id,
                "title": case.title,
                "clause": case.clause,
                "rough": case.rough,
                "allowed": case.allowed,
                "tolerated": case.tolerated,
            }
        )
    out.detail(f"{plural(len(cases), 'case')} of {len(CASES)}")


def _tell(finding: Finding, out: Output) -> None:
    case = finding.case
    came = clean(finding.outcome)
    shown = came if len(came) <= LONGEST_OUTCOME else came[:LONGEST_OUTCOME] + "..."
    remark = f" ({clean(finding.remark)})" if finding.remark else ""
    out.line(f"{finding.verdict.value:{WIDE}}  {case.id:15} {case.title}: {shown}{remark} [{case.clause}]", flush=True)
    if finding.verdict not in (Verdict.CONFORMS, Verdict.UNTESTED):
        out.detail(f"{'':{WIDE}}  {'':15} allowed: {' or '.join(case.allowed)}")
    fields = {"id": case.id, "title": case.title, "clause": case.clause, "verdict": finding.verdict.value}
    out.result({**fields, "came": finding.came, "allowed": case.allowed, "tolerated": case.tolerated, "remark": finding.remark}, flush=True)


def _sum_up(findings: Sequence[Finding], out: Output) -> None:
    clauses = summary(findings)
    wide = max(map(len, clauses))
    out.line("")
    for clause, counts in clauses.items():
        out.line(f"{clause:{wide}}  {_counts(counts)}")
    total = Counter(finding.verdict for finding in findings)
    out.line(f"{'all':{wide}}  {_counts(total)}")


def _counts(counts: Counter[Verdict]) -> str:
    return ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])


def _not_serving(target: Target, reason: str) -> str:
    where = f"{target.called.decode()} at {place(target.host, target.port)}"
    return f"{where} does not answer a plain C-ECHO: {reason}; check host, port, -aec and -aet, and that the provider is running"
