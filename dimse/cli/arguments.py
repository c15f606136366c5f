"""Options, under the names that DCMTK's tools gave them, with values checked and put into the library's words."""

from __future__ import annotations

from dimse.association.config import Limits, Timeouts
from dimse.cli.parsing import Arguments, Group, read
from dimse.errors import UsageError
from pdu.typed import TYPE_CHECKING
from pdu.values import replace

if TYPE_CHECKING:
    from argparse import ArgumentTypeError
    from collections.abc import Sequence
    from pathlib import Path

    from dimse.services.rights import Right

SMALLEST_PDU, LARGEST_PDU = 4096, 131_072
"""What DCMTK's tools take for -pdu."""
LONGEST_WAIT = 1_000_000.0
"""Seconds; anybody who means longer means 0, no limit."""
SECURITY = (
    "tls", "tls_key", "tls_cert", "tls_ca", "tls_no_verify", "tls_pins", "tls_name", "user", "no_passcode", "passcode_file", "jwt", "saml",
    "kerberos",
)  # fmt: skip
"""The options of a client that are about TLS and user identities: without any of them nothing of that is imported."""


class Parser(Group):
    """The options of a command; all have some in common."""

    def __init__(self, command: str, description: str, epilog: str = "") -> None:
        super().__init__(description=description)
        self._command = command
        self._epilog = epilog
        said = self.add_argument_group("what is said")
        said.add_argument("-v", "--verbose", action="store_true", help="more words: what was negotiated, each response")
        said.add_argument("-d", "--debug", action="store_true", help="show each PDU on standard error (no values of data elements)")

    def parse(self, words: Sequence[str]) -> Arguments:
        """What the words say; options may stand before, between and behind the rest.

        Raises `Failure` for words that are wrong, and `SystemExit` when the help that they ask for has been printed.
        """
        arguments = read(self, words)
        if arguments is not None:
            return arguments
        from dimse.cli.usage import parse

        return parse(self, words, command=self._command, epilog=self._epilog)

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
            "-to", "--timeout", metavar="SECONDS", type=seconds, default=15.0, help="wait for the connection, and for TLS (15; 0: no limit)"
        )
        self._add_common(group, response)
        tls = self._add_tls("who may have signed the peer's certificate (PEM; if not given: whom this system trusts)", "the peer")
        words = "take the peer with the certificate of this SHA-256 fingerprint, whatever its name; may be repeated"
        tls.add_argument("--tls-pin", metavar="FINGERPRINT", dest="tls_pins", type=sha256, action="append", default=[], help=words)
        tls.add_argument("--tls-name", metavar="NAME", type=name, help="the name in the peer's certificate (HOST)")
        self._add_identity()

    def add_node(self, *, aet: str | None, shown: str) -> None:
        """What a server needs: its AE title, and the address it listens at. `shown` is the default's name in the help."""
        group = self.add_argument_group("node")
        group.add_argument("-aet", "--aetitle", metavar="AET", type=ae_title, default=aet, help=f"this side's AE title ({shown})")
        group.add_argument("--host", metavar="ADDRESS", help="address to listen at (127.0.0.1: this machine only; 0.0.0.0: everybody)")
        self._add_common(group, 60)
        tls = self._add_tls("who must have signed the peers' certificates (PEM: the site's CA and no other)", "any peer")
        words = (
            "the calling AE titles that a certificate may use, by its name or SHA-256 fingerprint; then no other may call; may be repeated"
        )
        tls.add_argument("--tls-caller", metavar="WHO=AET[,AET]", dest="tls_callers", type=caller, action="append", default=[], help=words)
        users = self.add_argument_group("users")
        users.add_argument(
            "--users", metavar="FILE", type=path, help="take those users only, with their passcodes; 'dimse passwd' writes it"
        )
        users.add_argument(
            "--unsafe-plain-identity", action="store_true", help="UNSAFE: take passcodes without TLS, where others can read them"
        )

    def add_query(self) -> None:
        """What C-FIND, C-MOVE and C-GET ask with: information model, keys, query files."""
        self.add_argument("queries", metavar="QUERY", nargs="*", help="query files: DICOM, or text as dump2dcm reads it")
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
        words = "ask for relational queries and retrievals: without the unique keys of the levels above"
        group.add_argument("--relational", action="store_true", help=words)

    def add_matching(self) -> None:
        """What a C-FIND can ask for besides (PS3.4 C.5.1.1)."""
        group = self.add_argument_group("matching", "A peer may grant these or not, and is asked for them before the query.")
        words = "match a range of dates and one of times together, as one of moments"
        group.add_argument("--combined-datetime", action="store_true", help=words)
        group.add_argument("--fuzzy", action="store_true", help="match person names by more than their letters")
        words = "dates and times are in the time zone that the query names (-k TimezoneOffsetFromUTC=+0100)"
        group.add_argument("--timezone", action="store_true", help=words)

    def add_trace(self) -> None:
        """What every command has that opens or accepts associations."""
        group = self.add_argument_group("trace")
        words = "write each PDU and event to a file of JSON lines; 'dimse trace FILE' prints it"
        group.add_argument("--trace", metavar="FILE", type=path, help=words)
        group.add_argument(
            "--trace-data", action="store_true", help="with the bytes of each PDU, hence values of patients' data, in the trace"
        )

    def _add_tls(self, ca: str, whom: str) -> Group:
        """What both sides have for TLS. `ca` is the help for the CA, `whom` they take unverified."""
        group = self.add_argument_group("TLS", "Any of these options means TLS, 1.2 or 1.3.")
        group.add_argument("--tls", action="store_true", help="use TLS")
        group.add_argument("--tls-key", metavar="FILE", type=path, help="this side's private key (PEM)")
        group.add_argument("--tls-cert", metavar="FILE", type=path, help="this side's certificate, and those between it and the CA (PEM)")
        group.add_argument("--tls-ca", metavar="FILE", type=path, help=ca)
        words = f"UNSAFE: take {whom} unverified: what passes is encrypted, but nobody knows with whom"
        group.add_argument("--tls-no-verify", action="store_true", help=words)
        return group

    def _add_identity(self) -> None:
        """Who uses this side (PS3.7 D.3.3.7). A passcode is no argument: everybody on this machine could see it."""
        group = self.add_argument_group(
            "user identity", "A passcode is asked for, unless a file or DIMSE_PASSCODE in the environment has it."
        )
        who = group.add_mutually_exclusive_group()
        who.add_argument("--user", metavar="NAME", type=name, help="the user's name, with a passcode")
        for option, what in (("--jwt", "JSON Web Token"), ("--saml", "SAML assertion"), ("--kerberos", "Kerberos service ticket")):
            who.add_argument(option, metavar="FILE", type=path, help=f"file with a {what}")
        how = group.add_mutually_exclusive_group()
        how.add_argument("--passcode-file", metavar="FILE", type=path, help="file with the passcode, in its first line")
        how.add_argument("--no-passcode", action="store_true", help="give the name only, which proves nothing")
        group.add_argument("--unsafe-plain-identity", action="store_true", help="UNSAFE: send it without TLS, or to anybody")

    def _add_common(self, group: Group, response: float) -> None:
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


def client_timeouts(args: Arguments) -> Timeouts:
    """The waits of a client: -to the connection and TLS, -ta association and release, -td responses."""
    opening, association = args.timeout or None, args.acse_timeout or None
    return replace(
        Timeouts(), connect=opening, tls_handshake=opening, associate=association, release=association, response=args.dimse_timeout or None
    )


def server_timeouts(args: Arguments) -> Timeouts:
    """The waits of a server: -ta the association request, -td the next message and the rest of one."""
    return replace(Timeouts(), artim=args.acse_timeout or None, idle=args.dimse_timeout or None, response=args.dimse_timeout or None)


def limits(args: Arguments, base: Limits = Limits()) -> Limits:
    """The limits, with -pdu."""
    return replace(base, max_pdu=args.max_pdu)


def unfit(words: str) -> ArgumentTypeError:
    """What is raised for a word that is no value of its option."""
    from argparse import ArgumentTypeError

    return ArgumentTypeError(words)


def ae_title(text: str) -> str:
    """An AE title (PS3.5 6.2: 1 to 16 characters of the default repertoire, no control characters, no backslash)."""
    title = text.strip(" ")
    if not 1 <= len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise unfit(f"{text!r} is no AE title: 1 to 16 ASCII characters without backslash")
    return title


def name(text: str) -> str:
    """The name of a user, or in a certificate."""
    if not text or not text.isprintable():
        raise unfit(f"{text!r} is no name: give printable characters")
    return text


def sha256(text: str) -> str:
    """The fingerprint of a certificate."""
    from dimse.services.security import fingerprint

    try:
        return fingerprint(text)
    except UsageError as error:
        raise unfit(str(error)) from None


def caller(text: str) -> tuple[str, tuple[str, ...]]:
    """A certificate, by name or fingerprint, and the calling AE titles that it may use."""
    certificate, equals, titles = text.rpartition("=")
    if not equals:
        raise unfit(f"{text!r} binds no certificate: give NAME=AET or FINGERPRINT=AET, several AE titles with commas")
    return certificate_name(certificate), tuple(ae_title(title) for title in titles.split(","))


def certificate_name(text: str) -> str:
    """A name in a certificate, or its fingerprint. One with more colons than an IPv6 address has is meant as a fingerprint."""
    return sha256(text) if text.count(":") > IPV6_COLONS else name(text)


IPV6_COLONS = 7


def rights(text: str) -> frozenset[Right]:
    """Rights of peers, with commas between them; `all` and `none` are short for what they say."""
    from dimse.services.rights import ALL_RIGHTS, rights_of

    if text in ("all", "none"):
        return ALL_RIGHTS if text == "all" else frozenset()
    try:
        return rights_of(text.split(","))
    except UsageError as error:
        raise unfit(f"{error}, or all, or none") from None


def port(text: str) -> int:
    """A TCP port to connect to."""
    return _number(text, 1, 65_535, "a TCP port")


def own_port(text: str) -> int:
    """A TCP port to listen at; 0 takes a free one."""
    return _number(text, 0, 65_535, "a TCP port")


def pdu_length(text: str) -> int:
    """A maximum PDU length (PS3.8 D.1)."""
    return _number(text, SMALLEST_PDU, LARGEST_PDU, "a maximum PDU length")


def path(text: str) -> Path:
    """A file or folder. An empty one, of a variable in a script that is not set, would be the current folder."""
    if not text:
        raise unfit("an empty path is none; the current folder is '.'")
    from pathlib import Path

    return Path(text)


def count(text: str) -> int:
    """How many times, how many things."""
    return _number(text, 1, 1_000_000_000, "a count")


def window(text: str) -> int:
    """An asynchronous operations window, whose field has 16 bits (PS3.7 D.3.3.3)."""
    return _number(text, 0, 0xFFFF, "a count of operations")


def associations(text: str) -> int:
    """How many associations at once. Each is a thread and a connection, and few peers take as many."""
    return _number(text, 1, 64, "a count of associations")


def size(text: str) -> int:
    """A number of bytes, with a unit perhaps: 500 GB, 2TiB, 4096."""
    number, unit = text.strip(), ""
    while number and not number[-1].isdigit():
        number, unit = number[:-1], number[-1] + unit
    power = _UNITS.get(unit.strip().lower())
    whole, _, fraction = number.partition(".")
    digits = whole + fraction
    if power is None or not (whole and digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_SIZE):
        raise unfit(f"{text!r} is no size: give bytes, or 500 GB, or 2 TiB")
    divisor: int = 10 ** len(fraction)
    return int(digits) * power // divisor


LONGEST_SIZE = 20
_UNITS: dict[str, int] = {"": 1, "b": 1} | {
    f"{letter}{ending}": base**power for power, letter in enumerate("kmgtp", 1) for ending, base in (("", 1000), ("b", 1000), ("ib", 1024))
}


def seconds(text: str) -> float:
    """How long to wait; 0 for ever."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= LONGEST_WAIT:  # also false for nan
        raise unfit(f"{text!r} is no number of seconds (0: no limit)")
    return value


def _number(text: str, low: int, high: int, what: str) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text[:12]) <= high:
        raise unfit(f"{text!r} is not {what}: {low} to {high}")
    return int(text)
