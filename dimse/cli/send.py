"""`dimse send`: C-STORE of files and folders (PS3.4 Annex B)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from dimse.cli.arguments import Parser, associations, window
from dimse.cli.failures import BROKEN, DONE, FAILED, INTERRUPTED, USAGE, Failure, os_words
from dimse.cli.output import Output, plural
from dimse.cli.parsing import Arguments
from dimse.cli.peer import Target
from dimse.cli.progress import Progress
from dimse.cli.sending import Tally, send_all
from dimse.data.sources import FileSource, file_names
from dimse.errors import DataError
from pdu.values import replace

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
"""A DICOMDIR: a table of contents and no instance (PS3.10 8.6)."""
OPERATIONS = 64
"""Files under way at once that a peer is asked for. Most grant one."""


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("send", "Sends files, and all files below folders (C-STORE). What is not DICOM is named and skipped.")
    command.add_peer()
    command.add_argument("paths", metavar="PATH", nargs="+", help="files and folders")
    command.add_argument(
        "--operations",
        metavar="N",
        type=window,
        default=OPERATIONS,
        help=f"files under way at once, as far as the peer grants it (asynchronous operations window; {OPERATIONS}; 0: no limit)",
    )
    command.add_argument(
        "-j",
        "--associations",
        metavar="N",
        type=associations,
        default=1,
        help="associations with the peer at once, which share the files (1)",
    )
    command.add_json()
    for option, words in (("+sd", "--scan-directories"), ("+r", "--recurse")):
        command.add_argument(option, words, action="store_true", help="as with dcmsend; folders are always searched, with all below them")
    return command


def run(args: Arguments, out: Output) -> int:
    """Reads all heads, then sends, over as many associations as the presentation contexts need."""
    if "" in args.paths:
        raise Failure(USAGE, "a PATH is empty: write . if this folder is meant")
    tally = Tally(out)
    sources = _sources(args.paths, tally, out)
    if not sources:
        raise Failure(USAGE, f"nothing to send: {plural(tally.skipped + tally.failed, 'file')} looked at, none that can be sent")
    tally.waiting = len(sources)
    target = replace(Target.of(args, out), operations=args.operations)
    start = time.perf_counter()
    try:
        with Progress(out, f"sending to {target.called}", sum(s.size for s in sources), is_bytes=True) as progress:
            send_all(target, sources, args.associations, tally, progress.advance)
    except KeyboardInterrupt:
        raise Failure(INTERRUPTED, f"interrupted: {tally.words(time.perf_counter() - start)}") from None
    except Failure as failure:
        if tally.associations == 0:
            raise
        tally.summary(time.perf_counter() - start)
        raise Failure(BROKEN, str(failure)) from failure
    tally.summary(time.perf_counter() - start)
    if tally.lost:
        return BROKEN
    return FAILED if tally.failed else DONE


def _sources(paths: Sequence[str], tally: Tally, out: Output) -> list[FileSource]:
    """The heads of all DICOM files. Raises `Failure` for a path that does not exist, before anything is sent."""
    asked_for = frozenset(paths)
    sources = []
    try:
        with Progress(out, "reading heads", None) as progress:
            for path in file_names(paths, unreadable=tally.unreadable):
                progress.advance(1)
                if (source := _source(path, tally, asked_for=path in asked_for)) is not None:
                    sources.append(source)
    except OSError as error:
        raise Failure(USAGE, f"cannot read {os_words(error)}") from error
    return sources


def _source(path: str, tally: Tally, *, asked_for: bool) -> FileSource | None:
    try:
        source = FileSource(path)
    except DataError as error:
        tally.skip(path, error.what.removeprefix(f"{path}: "), asked_for=asked_for)
    except OSError as error:
        tally.skip(path, error.strerror or str(error), asked_for=True)
    else:
        if source.sop_class_uid != MEDIA_STORAGE_DIRECTORY:
            return source
        tally.skip(path, "a DICOMDIR, which is no instance", asked_for=False)
    return None
