"""Options, under the names that DCMTK's tools gave them, with values checked and put into the library's words."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import NoReturn

from dimse.association.config import Limits, Timeouts
from dimse.cli.failures import USAGE, Failure

SMALLEST_PDU, LARGEST_PDU = 4096, 131_072
"""What DCMTK's tools take for -pdu."""
LONGEST_WAIT = 1_000_000.0
"""Seconds; anybody who means longer means 0, no limit."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and which takes "+r" as an option as DCMTK does."""

    def __init__(self, command: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=f"dimse {command}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            prefix_chars="-+",
        )
        said = self.add_argument_group("what is said")
        said.add_argument("-v", "--verbose", action="store_true", help="more words: what was negotiated, each response")
        said.add_argument("-d", "--debug", action="store_true", help="show each PDU on standard error (no values of data elements)")

    def error(self, message: str) -> NoReturn:
        raise Failure(USAGE, f"{message}; '{self.prog} --help' tells more")

    def add_json(self) -> None:
        """The option for programs that read the results."""
        self.add_argument("--json", action="store_true", help="print one JSON object a line for every result")

    def add_peer(self, *, response: float = 60) -> None:
        """What a client needs: who calls whom and where, and for how long. `response`: the default of -td."""
        self.add_argument("host", metavar="HOST", help="the peer's host name or address")
        self.add_argument("port", metavar="PORT", type=port, help="the peer's TCP port")
        group = self.add_argument_group("association")
        group.add_argument("-aet", "--aetitle", metavar="AET", type=ae_title, default="DIMSE", help="this side's AE title (DIMSE)")
        group.add_argument("-aec", "--call", metavar="AET", type=ae_title, default="ANY-SCP", help="the peer's AE title (ANY-SCP)")
        group.add_argument(
            "-to", "--timeout", metavar="SECONDS", type=seconds, default=15.0, help="wait for the connection (15; 0: no limit)"
        )
        self._add_common(group, response)

    def add_node(self, *, aet: str | None, shown: str) -> None:
        """What a server needs: its AE title, and the address it listens at. `shown` is the default's name in the help."""
        group = self.add_argument_group("node")
        group.add_argument("-aet", "--aetitle", metavar="AET", type=ae_title, default=aet, help=f"this side's AE title ({shown})")
        group.add_argument("--host", metavar="ADDRESS", help="address to listen at (127.0.0.1: this machine only; 0.0.0.0: everybody)")
        self._add_common(group, 60)

    def add_query(self) -> None:
        """What C-FIND and C-MOVE ask with: information model, keys, query files."""
        self.add_argument("queries", metavar="QUERY", nargs="*", help="query files: DICOM, or text as dump2dcm reads it").required = False
        group = self.add_argument_group("query")
        model = group.add_mutually_exclusive_group()
        model.add_argument("-P", "--patient", action="store_true", help="Patient Root model (default for the level PATIENT)")
        model.add_argument("-S", "--study", action="store_true", help="Study Root model (default for all other levels)")
        group.add_argument(
            "-k",
            "--key",
            metavar="KEY[=VALUE]",
            dest="keys",
            action="append",
            default=[],
            help="key by keyword or as gggg,eeee; overrides the query file. QueryRetrieveLevel is STUDY if nothing names it",
        )

    def add_trace(self) -> None:
        """What every command has that opens or accepts associations."""
        group = self.add_argument_group("trace")
        group.add_argument("--trace", metavar="FILE", help="write each PDU and event to a file of JSON lines; 'dimse trace FILE' prints it")
        group.add_argument(
            "--trace-data", action="store_true", help="with the bytes of each PDU, hence values of patients' data, in the trace"
        )

    def _add_common(self, group: argparse._ArgumentGroup, response: float) -> None:
        self.add_trace()
        group.add_argument(
            "-ta", "--acse-timeout", metavar="SECONDS", type=seconds, default=30.0, help="wait in association and release (30)"
        )
        group.add_argument(
            "-td", "--dimse-timeout", metavar="SECONDS", type=seconds, default=response, help=f"longest silence of the peer ({response:g})"
        )
        group.add_argument(
            "-pdu", "--max-pdu", metavar="BYTES", type=pdu_length, default=LARGEST_PDU, help=f"longest PDU to be sent to us ({LARGEST_PDU})"
        )


def client_timeouts(args: argparse.Namespace) -> Timeouts:
    """The waits of a client: -to the connection, -ta association and release, -td responses."""
    return replace(
        Timeouts(), connect=args.timeout or None, associate=args.acse_timeout or None, release=args.acse_timeout or None,
        response=args.dimse_timeout or None,
    )  # fmt: skip


def server_timeouts(args: argparse.Namespace) -> Timeouts:
    """The waits of a server: -ta the association request, -td the next message and the rest of one."""
    return replace(Timeouts(), artim=args.acse_timeout or None, idle=args.dimse_timeout or None, response=args.dimse_timeout or None)


def limits(args: argparse.Namespace) -> Limits:
    """The limits, with -pdu."""
    return replace(Limits(), max_pdu=args.max_pdu)


def ae_title(text: str) -> str:
    """An AE title (PS3.5 6.2: 1 to 16 characters of the default repertoire, no control characters, no backslash)."""
    title = text.strip(" ")
    if not 1 <= len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise argparse.ArgumentTypeError(f"{text!r} is no AE title: 1 to 16 ASCII characters without backslash")
    return title


def port(text: str) -> int:
    """A TCP port to connect to."""
    return _number(text, 1, 65_535, "a TCP port")


def own_port(text: str) -> int:
    """A TCP port to listen at; 0 takes a free one."""
    return _number(text, 0, 65_535, "a TCP port")


def pdu_length(text: str) -> int:
    """A maximum PDU length (PS3.8 D.1)."""
    return _number(text, SMALLEST_PDU, LARGEST_PDU, "a maximum PDU length")


def count(text: str) -> int:
    """How many times, how many things."""
    return _number(text, 1, 1_000_000_000, "a count")


def seconds(text: str) -> float:
    """How long to wait; 0 for ever."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= LONGEST_WAIT:  # also false for nan
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds (0: no limit)")
    return value


def _number(text: str, low: int, high: int, what: str) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text[:12]) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}: {low} to {high}")
    return int(text)
