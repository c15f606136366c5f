"""`dimse move`: C-MOVE (PS3.4 C.4.2)."""

from __future__ import annotations

import time

from dimse.blocking import Association
from dimse.cli.arguments import Parser, ae_title
from dimse.cli.failures import DONE, FAILED, USAGE, Failure
from dimse.cli.keys import Query, model, queries
from dimse.cli.output import Output, clean, in_seconds
from dimse.cli.parsing import Arguments
from dimse.cli.peer import Target, associated
from dimse.cli.progress import Progress
from dimse.data.uids import UID, PatientRootFind, PatientRootMove, StudyRootFind, StudyRootMove
from dimse.services.scu import MoveResult
from dimse.services.scu import Progress as Counters

EXAMPLES = """\
The peer has to know the destination: its configuration gives the AE title a host and a port.

examples:
  dimse move -aem WORKSTATION -k StudyInstanceUID=1.2.3 HOST 104
  dimse move -P -aem WORKSTATION -k QueryRetrieveLevel=PATIENT -k PatientID=42 HOST 104
"""
FIND_OF = {PatientRootMove: PatientRootFind, StudyRootMove: StudyRootFind}
"""C-MOVE builds on C-FIND (PS3.4 C.3), and some archives take it only when both are proposed."""
RESPONSE = 600
"""Seconds of silence: a peer need not send pending responses, and the first instances may have to come from a tape."""


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("move", "Has an archive send what matches to a destination that it knows (C-MOVE).", EXAMPLES)
    command.add_peer(response=RESPONSE)
    command.add_query()
    command.add_json()
    command.add_argument("-aem", "--move", metavar="DEST", type=ae_title, required=True, help="AE title of the destination")
    return command


def run(args: Arguments, out: Output) -> int:
    """Performs all moves on one association, and prints how each ended."""
    if not args.keys and not args.queries:
        raise Failure(USAGE, "say what to move: -k StudyInstanceUID=..., or a query file; 'dimse move --help' tells more")
    asked = queries(args)
    models = [model(args, query, PatientRootMove, StudyRootMove) for query in asked]
    target, good = Target.of(args, out).asking(args, models), True
    contexts = [context for root in dict.fromkeys(models) for context in (root, FIND_OF[root])]
    with associated(target, contexts, out) as association:
        target.tell_options(association, out)
        for query, root in zip(asked, models, strict=True):
            start = time.perf_counter()
            result = _move(association, query, root, args.move, out)
            _tell(target, args.move, result, time.perf_counter() - start, out)
            good = good and result.status.ok and not result.failed
    return DONE if good else FAILED


def _move(association: Association, query: Query, root: UID, to: str, out: Output) -> MoveResult:
    with Progress(out, f"moving to {to}", None) as progress:

        def tell(counters: Counters) -> None:
            done = (counters.completed or 0) + (counters.failed or 0) + (counters.warning or 0)
            progress.update(done, None if counters.remaining is None else done + counters.remaining)
            out.detail(f"pending: {counts_words(counters)}")

        return association.move(query.identifier, to, model=root, progress=tell)


def _tell(target: Target, to: str, result: MoveResult, seconds: float, out: Output) -> None:
    for uid in result.failed_uids:
        out.note(f"not moved: {clean(uid)}")
    counts = f"{result.completed} completed, {result.failed} failed, {result.warning} with warnings"
    line = f"C-MOVE from {target} to {to}: {clean(result.status)}; {counts}, {in_seconds(seconds)}"
    if not result.status.ok:
        out.error(line)
    else:
        out.line(line)
    out.result(
        {
            **target.fields,
            "destination": to,
            "status": f"{result.status:04X}H",
            "words": result.status.words,
            "comment": result.status.comment,
            "ok": result.status.ok and not result.failed,
            "completed": result.completed,
            "failed": result.failed,
            "warning": result.warning,
            "failed_uids": list(result.failed_uids),
            "seconds": round(seconds, 6),
        }
    )


def counts_words(counters: Counters) -> str:
    """The counters of a response in words."""
    named = {"remaining": counters.remaining, "completed": counters.completed, "failed": counters.failed, "with warnings": counters.warning}
    return ", ".join(f"{count} {name}" for name, count in named.items() if count is not None) or "no counters"
