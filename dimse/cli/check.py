"""`dimse check`: whether an archive still has what it was given - every file against the index, and the index against the files."""

from __future__ import annotations

from dimse.archive.checking import Finding, check, quarantined
from dimse.cli.arguments import Parser, path
from dimse.cli.failures import DONE, FAILED
from dimse.cli.keeping import data_folder
from dimse.cli.output import Output, clean, plural
from dimse.cli.parsing import Arguments
from dimse.cli.process import guarded
from dimse.cli.progress import Progress

EPILOG = """\
Each file is read to its end and compared with the SHA-256 that was kept when it came. Nothing is changed. What is wrong is named, one
line each, and the exit code is 1. The archive must not be running.
"""


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("check", "Verifies the files of an archive against its index: presence, size, checksum.", EPILOG)
    command.add_argument("data", metavar="DIR", type=path, help="the data folder of the archive")
    command.add_json()
    return command


@guarded()
def run(args: Arguments, out: Output) -> int:
    """Checks the archive, and says what is wrong and how much there is."""
    wrong = 0
    with data_folder(args.data), Progress(out, "checking", None) as bar:
        for finding in check(args.data, progress=bar.update):
            wrong += 1
            _tell(finding, out)
        checked, aside = bar.done, quarantined(args.data)
    words = f", {plural(aside, 'file')} in quarantine" if aside else ""
    out.line(f"{plural(checked, 'instance')} checked, {wrong or 'nothing'} wrong{words}")
    out.result({"checked": checked, "wrong": wrong, "quarantined": aside})
    return FAILED if wrong else DONE


def _tell(finding: Finding, out: Output) -> None:
    out.line(clean(str(finding)))
    where = {"finding": finding.kind, "uid": finding.sop_instance_uid or None, "path": clean(str(finding.path))}
    out.result({**where, "what": finding.what})
