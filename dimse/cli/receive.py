"""`dimse receive`: a store-only provider (PS3.4 Annex B), which keeps what comes as files in a folder."""

from __future__ import annotations

from pathlib import Path

from dimse.cli.arguments import Parser, own_port, path
from dimse.cli.config import Node
from dimse.cli.failures import USAGE, Failure, os_words
from dimse.cli.output import Output
from dimse.cli.parsing import Arguments
from dimse.cli.process import guarded
from dimse.cli.security import with_options
from dimse.cli.serving import serve
from dimse.services.handlers import Services
from dimse.services.sinks import FolderSink


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser(
        "receive",
        "Keeps what is sent in a folder, each instance as <SOP Instance UID>.dcm, until SIGINT (Ctrl-C) or SIGTERM.",
    )
    command.add_argument("port", metavar="PORT", type=own_port, help="TCP port to listen at (0: a free one)")
    command.add_node(aet="RECEIVER", shown="RECEIVER")
    command.add_json()
    command.add_argument(
        "-od", "--output-directory", metavar="DIR", type=path, default=Path(), help="folder for the files, made if missing (here)"
    )
    command.add_argument("--any-storage", action="store_true", help="also take storage classes outside the standard")
    return command


@guarded()
def run(args: Arguments, out: Output) -> int:
    """Receives until a signal comes."""
    node = with_options(Node(args.aetitle, args.host or "127.0.0.1", args.port, args.output_directory, callers=None), args)
    try:
        sink = FolderSink(args.output_directory)
    except OSError as error:
        raise Failure(USAGE, f"cannot make the folder {os_words(error)}") from error
    return serve(args, Services(sink=sink.open), node, out)
