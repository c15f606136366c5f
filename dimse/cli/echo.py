"""`dimse echo`: C-ECHO (PS3.7 9.1.5)."""

from __future__ import annotations

import time

from dimse.blocking import Association
from dimse.cli.arguments import Parser, count
from dimse.cli.failures import DONE, FAILED, NO_ASSOCIATION, Failure
from dimse.cli.output import Output, clean, in_seconds
from dimse.cli.parsing import Arguments
from dimse.cli.peer import Target, associated
from dimse.data.status import Status
from dimse.data.uids import Verification


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("echo", "Asks a peer whether it is there (C-ECHO).")
    command.add_peer()
    command.add_json()
    command.add_argument(
        "--explain", action="store_true", help="propose the common services too; print what was answered, why not, and what to do"
    )
    command.add_argument("--repeat", metavar="N", type=count, default=1, help="ask so many times on one association (1)")
    return command


def run(args: Arguments, out: Output) -> int:
    """Asks, and prints what the peer answered and how long it took."""
    target = Target.of(args, out)
    if args.explain:
        return _explain(target, args.repeat, out)
    with associated(target, [Verification], out) as association:
        return _echo(association, target, args.repeat, out)


def _explain(target: Target, count: int, out: Output) -> int:
    """The same on an association that is explained, also if it does not come to be."""
    from dimse.cli.explain import Negotiation, probes

    negotiation = Negotiation()
    try:
        with associated(negotiation.watched(target), probes(), out) as association:
            negotiation.tell(target, association, out)
            return _echo(association, target, count, out)
    except Failure as failure:
        if failure.code == NO_ASSOCIATION:
            negotiation.tell_failed(target, str(failure), out)
        raise


def _echo(association: Association, target: Target, count: int, out: Output) -> int:
    good = True
    for _ in range(count):
        start = time.perf_counter()
        status = association.echo()
        _tell(target, status, time.perf_counter() - start, out)
        good = good and status.ok
    return DONE if good else FAILED


def _tell(target: Target, status: Status, seconds: float, out: Output) -> None:
    out.line(f"C-ECHO to {target}: {clean(status)}, {in_seconds(seconds)}")
    answer = {"status": f"{status:04X}H", "words": status.words, "comment": status.comment, "ok": status.ok}
    out.result({**target.fields, **answer, "seconds": round(seconds, 6)})
