"""The command line: `dimse COMMAND ...`, also as `python -m dimse COMMAND ...`.

One module a command, each with `parser()` and `run(args, out)`; only the chosen one is imported, because most of a short
command's time is the time of its imports.

    arguments.py   options, under the names that DCMTK gave them
    parsing.py     the options of a command as data, and the reading of words that are right
    usage.py       argparse on them: the help, and what is wrong with words
    output.py      lines and JSON objects: what a terminal or a program is told
    failures.py    exit codes, and errors as one clear line
    peer.py        an association as the client commands ask for it
    explain.py     what a negotiation came to, context by context
    security.py    TLS and user identities, of clients and servers
    secrets.py     passcodes as they are typed or read
    keys.py        identifiers made of -k and query files
    options.py     what is asked for by extended negotiation
    tables.py      matches as rows and as JSON
    sending.py     files on their way, over one association or several
    progress.py    a bar on long work
    tracer.py      --trace and -d: what they are told of
    timeline.py    records of a trace as readable lines
    serving.py     servers that end by a signal
    process.py     what they ask of their process
    rate.py        how much they say of one host
    config.py      the configuration file of `dimse serve`
    orthanc.py     the peers of a configuration of Orthanc
    known.py       all peers that a server knows, and the rule for others
    keeping.py     how its archive keeps what it has
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from dimse.cli.failures import FAILED, INTERRUPTED, OUTPUT_CLOSED, USAGE, Failure, OutputClosed, failure_of
from dimse.cli.output import Output
from dimse.cli.tracer import tracing

COMMANDS = {
    "demo": "show in a second or two what this can do: two nodes, files sent, found, moved and compared",
    "echo": "ask a peer whether it is there (C-ECHO), like echoscu",
    "send": "send files and folders (C-STORE), like dcmsend",
    "find": "query an archive (C-FIND), like findscu",
    "move": "have an archive send something to a third party (C-MOVE), like movescu",
    "get": "fetch something from an archive (C-GET), like getscu",
    "receive": "keep what is sent in a folder, like storescp",
    "serve": "run an archive: stores, answers queries, sends on",
    "check": "verify the files of an archive against its index",
    "reindex": "make the index of an archive anew from its files",
    "passwd": "write a user's passcode into the file that 'dimse serve --users' reads",
    "judge": "try what a provider does when things go wrong, and what the standard thinks of it",
    "trace": "print a trace file (--trace) as a timeline",
}


def main(argv: Sequence[str] | None = None, *, loaded: Callable[[], object] = lambda: None) -> int:
    """Runs one command and returns its exit code. `loaded` is called when it has been imported, and knows what to do.

    0 done; 1 some of it failed or the peer answered a failure; 2 usage, or input that cannot be read; 3 no association;
    4 aborted or lost on the way; 130 interrupted; 141 the reader of the output went away.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    name = words[0] if words else ""
    out = Output(f"dimse {name}" if name in COMMANDS else "dimse")
    try:
        code = _run(name, words[1:], out, loaded)
        out.flush()
    except OutputClosed:
        out.abandon()
        return OUTPUT_CLOSED
    except (Exception, KeyboardInterrupt) as error:
        return _end(error, out)
    return code


def _run(name: str, words: list[str], out: Output, loaded: Callable[[], object]) -> int:
    if name in COMMANDS:
        return _run_command(name, words, out, loaded)
    if name in ("-h", "--help", "help"):
        out.line(_overview())
        return 0
    if name == "--version":
        from dimse import __version__

        out.line(f"dimse {__version__}")
        return 0
    if not name:
        out.note(_overview())
        return USAGE
    raise Failure(USAGE, f"there is no command {name!r}{_similar(name)}; 'dimse --help' lists them")


def _run_command(name: str, words: list[str], out: Output, loaded: Callable[[], object]) -> int:
    from importlib import import_module

    command = import_module(f"dimse.cli.{name}")
    try:
        args = command.parser().parse(words)
    except SystemExit as asked:  # --help has been printed
        return int(asked.code or 0)
    loaded()
    out.set_up(json=getattr(args, "json", False), verbose=args.verbose, debug=args.debug)
    with _without_pydicoms_remarks(), tracing(args, out) as args.tracer:
        code: int = command.run(args, out)
    return code


@contextmanager
def _without_pydicoms_remarks() -> Iterator[None]:
    """Pydicom warns about values that a peer chose; those are shown as they are, and nothing more is to be said.

    It logs them as well, which nobody sees: its logger has a handler that does nothing.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _end(error: BaseException, out: Output) -> int:
    """Says in one line why the command ended, and gives its exit code."""
    if isinstance(error, KeyboardInterrupt):
        out.error("interrupted")
        return INTERRUPTED
    failure = failure_of(error)
    if failure is not None:
        out.error(str(failure))
        return failure.code
    out.error(f"a mistake in this program: {type(error).__name__}: {error}; please report it, with what -d prints")
    if out.debug:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    return FAILED


def _overview() -> str:
    commands = "\n".join(f"  {name:8} {words}" for name, words in COMMANDS.items())
    return (
        f"usage: dimse COMMAND ...\n\n{commands}\n\n'dimse COMMAND --help' tells the options of a command, 'dimse --version' the version."
    )


def _similar(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, 1)
    return f"; is it {close[0]!r}?" if close else ""
