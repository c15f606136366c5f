"""`dimse serve`: an archive node - stores, answers queries, sends on to its peers (PS3.4 Annexes B and C)."""

from __future__ import annotations

from dimse.cli import serving
from dimse.cli.arguments import Parser, ae_title, own_port, path, rights, unfit
from dimse.cli.config import Node, read_config
from dimse.cli.keeping import add_keeping, open_archive, with_keeping
from dimse.cli.known import told_of_peers, with_orthanc, with_peers
from dimse.cli.output import Output
from dimse.cli.parsing import Arguments
from dimse.cli.process import guarded
from dimse.cli.security import check_destinations, with_options
from dimse.services.handlers import Address
from pdu.values import replace

EXAMPLES = """\
The configuration file is TOML; what the command line says comes first:

  [node]
  aet = "ARCHIVE"
  host = "0.0.0.0"
  port = 4242
  data = "images"            # beside the file, unless the path is absolute
  durability = "full"        # "relaxed", UNSAFE: a power cut may lose what was answered 0000H
  duplicates = "refuse"      # or "replace": other bytes under a SOP Instance UID that is here
  quota = "500 GB"           # most bytes to keep: any number if left out
  reserve = "1 GiB"          # bytes of the disk that stay free
  tls = { key = "archive.key", cert = "archive.crt", ca = "site-ca.pem" }
  users = "users"            # 'dimse passwd users NAME' writes it
  unknown_peers = ["echo"]   # what peers may do that are not named here: on a loopback address everything, else nothing
  check_called_aet = true    # take those only that call this node by its AE title

  [peers.ct1]
  aet = "CT1"                # the name itself if left out
  allow = ["echo", "store"]  # of echo, store, find, get, move: all if left out
  hosts = ["10.1.0.0/16"]    # where it must come from: anywhere if left out

  [peers.workstation]
  host = "10.0.0.7"          # a host and a port make it a destination of C-MOVE
  port = 104
  tls = { key = "archive.key", cert = "archive.crt", ca = "site-ca.pem" }
"""


def parser() -> Parser:
    """The arguments of the command."""
    command = Parser("serve", "Runs an archive, until SIGINT (Ctrl-C) or SIGTERM: stores, answers queries, sends to its peers.", EXAMPLES)
    command.add_node(aet=None, shown="ARCHIVE")
    command.add_json()
    command.add_argument("--config", metavar="FILE", type=path, help="configuration file")
    command.add_argument("--port", metavar="PORT", type=own_port, help="TCP port to listen at (4242; 0: a free one)")
    command.add_argument("--data", metavar="DIR", type=path, help="folder for the archive, made if missing (dimse-data)")
    add_keeping(command)
    command.add_argument("--any-storage", action="store_true", help="also take storage classes outside the standard")
    words = "a peer, as a destination of C-MOVE; may be repeated"
    command.add_argument("--peer", metavar="AET=HOST:PORT", dest="peers", type=peer, action="append", default=[], help=words)
    words = "a configuration file of Orthanc, for its DicomModalities"
    command.add_argument("--peers", metavar="FILE", dest="orthanc", type=path, help=words)
    words = "what peers may do that are not configured, of echo, store, find, get, move, or all, or none"
    command.add_argument("--unknown-peers", metavar="LIST", type=rights, help=words)
    command.add_argument("--check-called", action="store_true", help="take those only that call this node by its AE title")
    return command


@guarded()
def run(args: Arguments, out: Output) -> int:
    """Serves until a signal comes."""
    node = node_of(args)
    with open_archive(node.data, node.keeping, out) as archive:
        if out.verbose:
            patients, studies, series, instances = archive.counts()
            out.note(f"the archive holds {patients} patients, {studies} studies, {series} series, {instances} instances")
            for line in told_of_peers(node):
                out.note(line)
        services = archive.services(node.peers, aet=node.aet)
        return serving.serve(args, services, node, out)


def node_of(args: Arguments) -> Node:
    """The node that the configuration file and, above it, the command line describe."""
    node = read_config(args.config) if args.config is not None else Node()
    if args.orthanc is not None:
        node = with_orthanc(node, args.orthanc)
    node = with_peers(node, args.peers)
    check_destinations(node.peers)
    given = {"aet": args.aetitle, "host": args.host, "port": args.port, "data": args.data, "unknown": args.unknown_peers}
    node = replace(node, check_called=node.check_called or args.check_called, keeping=with_keeping(node.keeping, args))
    return with_options(replace(node, **{name: value for name, value in given.items() if value is not None}), args)


def peer(text: str) -> Address:
    """A peer as AET=HOST:PORT; an IPv6 address stands in brackets."""
    title, equals, where = text.partition("=")
    host, colon, number = where.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (equals and colon and host and number.isascii() and number.isdigit() and 1 <= int(number[:6]) <= 65_535):
        raise unfit(f"{text!r} is no peer: give AET=HOST:PORT")
    return Address(ae_title(title), host, int(number))
