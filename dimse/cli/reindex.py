"""`dimse reindex`: makes the index of an archive anew from its files."""

from __future__ import annotations

from dataclasses import asdict

from dimse.archive.repair import reindex
from dimse.cli.arguments import Parser, path
from dimse.cli.failures import DONE
from dimse.cli.keeping import data_folder
from dimse.cli.output import Output
from dimse.cli.parsing import Arguments
from dimse.cli.process import guarded
from dimse.cli.progress import Progress

EPILOG = """\
An archive whose index is missing or damaged does this by itself when it starts. The old index stays until the new one is whole, and one
that is no good is kept as index.db.bad-1. Files that are not whole are set aside in 'quarantine'. The archive must not be running.
"""


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("reindex", "Makes the index of an archive anew from its files.", EPILOG)
    command.add_argument("data", metavar="DIR", type=path, help="the data folder of the archive")
    command.add_json()
    return command


@guarded()
def run(args: Arguments, out: Output) -> int:
    """Makes the index anew, and says of how many files."""
    with data_folder(args.data), Progress(out, "looking through the files", None) as bar:
        repair = reindex(args.data, progress=bar.update)
    out.line(str(repair))
    out.result(asdict(repair))
    return DONE
