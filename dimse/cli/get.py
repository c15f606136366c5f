"""`dimse get`: C-GET (PS3.4 C.4.3)."""

from __future__ import annotations

import time
from pathlib import Path

from dimse.association.negotiation import Context
from dimse.blocking import Association
from dimse.cli.arguments import Parser, path, unfit
from dimse.cli.failures import DONE, FAILED, USAGE, Failure, os_words
from dimse.cli.keys import Query, model, queries
from dimse.cli.move import counts_words
from dimse.cli.output import Output, clean, in_seconds
from dimse.cli.parsing import Arguments
from dimse.cli.peer import Target, associated
from dimse.cli.progress import Progress
from dimse.data.uids import UID, PatientRootGet, StudyRootGet
from dimse.errors import UsageError
from dimse.services.getting import GetResult
from dimse.services.plan import contexts_for_get
from dimse.services.scu import Progress as Counters
from dimse.services.sinks import FolderSink

EXAMPLES = """\
Each instance becomes <SOP Instance UID>.dcm. The archive can send only storage classes that were proposed to it beforehand: the
usual ones and as many others as fit, or those of --sop-class; uncompressed, or with --as-stored the usual images compressed too.

examples:
  dimse get -od study -k StudyInstanceUID=1.2.3 HOST 104
  dimse get -P -od patient -k QueryRetrieveLevel=PATIENT -k PatientID=42 HOST 104
  dimse get --as-stored --sop-class CTImageStorage -k StudyInstanceUID=1.2.3 HOST 104
"""
STANDARDS = "1.2.840.10008."
"""What the standard's own UIDs begin with (PS3.5 9.2)."""
RESPONSE = 600
"""Seconds of silence: the first instance may have to come from a tape."""
ADVICE = "an archive sends what it has compressed with --as-stored, and what is of an unusual storage class with --sop-class"


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("get", "Fetches what matches from an archive, over the association on which it asks (C-GET).", EXAMPLES)
    command.add_peer(response=RESPONSE)
    command.add_query()
    command.add_json()
    folder = "folder for the instances, made if missing (here)"
    command.add_argument("-od", "--output-directory", metavar="DIR", type=path, default=Path(), help=folder)
    command.add_argument(
        "--as-stored", action="store_true", help="take each transfer syntax in its own right, the usual compressed ones too"
    )
    words = "a storage class to take, by UID or keyword, rather than the usual ones; may be repeated"
    command.add_argument("--sop-class", metavar="CLASS", dest="classes", type=storage_class, action="append", help=words)
    return command


def run(args: Arguments, out: Output) -> int:
    """Performs all retrievals on one association, and prints how each ended."""
    if not args.keys and not args.queries:
        raise Failure(USAGE, "say what to get: -k StudyInstanceUID=..., or a query file; 'dimse get --help' tells more")
    asked = queries(args)
    models = [model(args, query, PatientRootGet, StudyRootGet) for query in asked]
    contexts = _contexts(args, list(dict.fromkeys(models)))
    sink = _sink(args.output_directory, out)
    target, good = Target.of(args, out).asking(args, models), True
    with associated(target, contexts, out) as association:
        target.tell_options(association, out)
        for query, root in zip(asked, models, strict=True):
            start = time.perf_counter()
            result = _get(association, query, root, sink, out)
            _tell(target, args, result, time.perf_counter() - start, out)
            good = good and _is_good(result)
    return DONE if good else FAILED


def storage_class(text: str) -> UID:
    """A SOP class by its UID or its keyword in PS3.6: one of storage, or one that is none of the standard's."""
    uid = UID(text) if UID(text).is_valid else _uid_of(text)
    if uid.startswith(STANDARDS) and not uid.is_storage:
        raise unfit(f"{text!r} is no storage class")
    return uid


def _uid_of(keyword: str) -> UID:
    from pydicom._uid_dict import UID_dictionary

    found = [uid for uid, row in UID_dictionary.items() if keyword and row[4] == keyword]
    if not found:
        raise unfit(f"{keyword!r} is neither a UID nor the keyword of one")
    return UID(found[0])


def _contexts(args: Arguments, models: list[UID]) -> list[Context]:
    try:
        return contexts_for_get(args.classes, models=models, as_stored=args.as_stored)
    except UsageError as error:
        raise Failure(USAGE, str(error)) from error


def _sink(folder: Path, out: Output) -> FolderSink:
    try:
        return FolderSink(folder, kept=lambda kept: out.detail(f"kept: {clean(kept)}"))
    except OSError as error:
        raise Failure(USAGE, f"cannot make the folder {os_words(error)}") from error


def _get(association: Association, query: Query, root: UID, sink: FolderSink, out: Output) -> GetResult:
    with Progress(out, f"fetching into {sink.folder}", None) as progress:

        def tell(counters: Counters) -> None:
            done = (counters.completed or 0) + (counters.failed or 0) + (counters.warning or 0)
            progress.update(done, None if counters.remaining is None else done + counters.remaining)
            out.detail(f"pending: {counts_words(counters)}")

        return association.get(query.identifier, sink.open, model=root, progress=tell)


def _is_good(result: GetResult) -> bool:
    return result.status.ok and not result.failed and not result.refused and not _missing(result)


def _missing(result: GetResult) -> int:
    """How many instances of those that the archive says it has sent did not come."""
    return max(0, result.completed + result.warning - result.kept)


def _tell(target: Target, args: Arguments, result: GetResult, seconds: float, out: Output) -> None:
    for uid, status in result.refused:
        out.note(f"not kept: {clean(uid)}: {clean(status)}")
    for uid in result.failed_uids:
        out.note(f"not sent: {clean(uid)}")
    if missing := _missing(result):
        out.note(f"the archive says that it has sent {missing} more than came")
    if result.failed > len(result.refused) and not (args.as_stored and args.classes):
        out.note(ADVICE)
    counts = f"{result.kept} kept, {result.completed} completed, {result.failed} failed, {result.warning} with warnings"
    line = f"C-GET from {target} into {clean(args.output_directory)}: {clean(result.status)}; {counts}, {in_seconds(seconds)}"
    if not result.status.ok:
        out.error(line)
    else:
        out.line(line)
    out.result(
        {
            **target.fields,
            "folder": str(args.output_directory),
            "status": f"{result.status:04X}H",
            "words": result.status.words,
            "comment": result.status.comment,
            "ok": _is_good(result),
            "kept": result.kept,
            "completed": result.completed,
            "failed": result.failed,
            "warning": result.warning,
            "failed_uids": list(result.failed_uids),
            "refused": [
                {"sop_instance_uid": str(uid), "status": f"{status:04X}H", "words": status.words} for uid, status in result.refused
            ],
            "seconds": round(seconds, 6),
        }
    )
