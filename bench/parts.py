"""The parts of the stack by themselves, and whether one has become slower since the figures beside this file were stored.

    python -m bench.parts                compare with the stored figures
    python -m bench.parts --store        store the figures of this machine
    pytest bench/test_parts.py --benchmark-enable    the same parts, by pytest-benchmark

Each part is timed in turns with a loop that always does the same, by the processor's time; what is stored and compared is how many
times as long as that loop it takes, the median of all turns. So it needs neither a quiet machine nor quite the same one. The exit code
never depends on a time.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

import dimse
import pdu
from bench.index import QUERIES, data_set, fill, first_match, uid
from dimse.archive import Archive
from dimse.archive.index import Index
from dimse.association.events import AssociateIndication
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import Accept, answer
from dimse.data.commands import CommandField, CommandSet
from dimse.data.elements import scan
from dimse.data.part10 import FileMeta, read_meta
from dimse.data.uids import UID, CTImageStorage, ExplicitVRLittleEndian, storage_classes

STORED = Path(__file__).with_suffix(".json")
PDU_SIZE, CHUNK = 16_384, 131_072
PDUS = 64
P_DATA_HEADER = 6
"""Bytes before the variable field (PS3.8 9.3.5)."""
ROUNDS = 31
LEAST = 0.005
"""Seconds that one timing takes at least: it is repeated until it does."""
NOTEWORTHY = 1.25
"""How many times the stored figure is said to be slower."""
TURN = 1000

Once = Callable[[], object]


class Room(NamedTuple):
    """Where parts keep files, and what is closed at the end."""

    folder: Path
    closing: ExitStack


class Part(NamedTuple):
    """A part to be timed: what it is, how many of that one call does, and how to set it up."""

    what: str
    times: int
    ready: Callable[[Room], Once]


def calibration() -> int:
    """The loop that stands for the machine: calls, numbers, bytes and a dictionary, as the stack uses them."""
    found: dict[int, int] = {}
    data = bytes(range(256))
    for at in range(TURN):
        length = struct.unpack_from("<I", data, at % 250)[0]
        found[at % 50] = len(data[at % 100 : at % 200]) + length % 3
    return len(found)


def _request() -> pdu.AssociateRQ:
    return dimse.propose("ARCHIVE", "MODALITY", [*storage_classes()[:20], dimse.Verification])


def _p_data(pieces: int) -> bytes:
    """PDUs of one data set."""
    return pdu.frames(1, False, bytes(pieces * pdu.pdv_capacity(PDU_SIZE)), PDU_SIZE)


def _command() -> CommandSet:
    return CommandSet(
        CommandField.C_STORE_RQ,
        message_id=1,
        priority=0,
        command_data_set_type=0,
        affected_sop_class_uid=CTImageStorage,
        affected_sop_instance_uid=uid("instance", 1),
    )


def _decode(_: Room) -> Once:
    encoded = _request().encode()
    return lambda: pdu.decode(encoded)


def _encode(_: Room) -> Once:
    return _request().encode


def _read(_: Room) -> Once:
    stream = _p_data(PDUS)
    chunks = [stream[at : at + CHUNK] for at in range(0, len(stream), CHUNK)]
    reader = pdu.Reader()

    def once() -> None:
        for chunk in chunks:
            for _ in reader.feed(chunk):
                pass

    return once


def _frame(_: Room) -> Once:
    size = PDUS * pdu.pdv_capacity(PDU_SIZE)

    def once() -> None:
        for _buffer in pdu.stream(1, PDU_SIZE, size, lambda holes: sum(map(len, holes))):
            pass

    return once


def _associated() -> tuple[UpperLayer, UpperLayer]:
    """A requestor and an acceptor that have agreed, without a network."""
    asking, answering = UpperLayer.requestor(dimse.propose("ARCHIVE", "MODALITY", [CTImageStorage])), UpperLayer.acceptor()
    for layer in (asking, answering):
        layer.connected()
    (asked,) = answering.receive(b"".join(asking.data_to_send()))
    assert isinstance(asked, AssociateIndication)
    made = answer(asked.request, lambda proposed: Accept(proposed.transfer_syntaxes[0]))
    assert isinstance(made, pdu.AssociateAC)
    answering.accept(made)
    asking.receive(b"".join(answering.data_to_send()))
    return asking, answering


def _associate(_: Room) -> Once:
    return _associated


def _receive(_: Room) -> Once:
    """The layer in the middle of a data set that does not end."""
    layer = _associated()[1]
    layer.receive(pdu.frames(1, True, _command().encode(), PDU_SIZE))
    stream = _p_data(PDUS + 1)[: PDUS * (PDU_SIZE + P_DATA_HEADER)]
    chunks = [stream[at : at + CHUNK] for at in range(0, len(stream), CHUNK)]

    def once() -> None:
        for chunk in chunks:
            layer.receive(chunk)

    return once


def _command_encode(_: Room) -> Once:
    return _command().encode


def _command_decode(_: Room) -> Once:
    encoded = _command().encode()
    return lambda: CommandSet.decode(encoded)


def _head(_: Room) -> Once:
    encoded = FileMeta(CTImageStorage, UID(uid("instance", 1)), ExplicitVRLittleEndian).encode() + bytes(3000)
    return lambda: read_meta(encoded)


def _scan(_: Room) -> Once:
    encoded = data_set(1)
    wanted = frozenset({0x0008_0018, 0x0008_0020, 0x0010_0010, 0x0010_0020, 0x0020_000D, 0x0020_000E, 0x0020_0013})
    return lambda: scan(encoded, ExplicitVRLittleEndian, wanted)


BATCH = 32


def _insert(room: Room) -> Once:
    index, start = Index(room.folder / "insert.db", durable=False), count(0, BATCH)
    room.closing.callback(index.close)

    def once() -> None:
        begin = next(start)
        fill(index, range(begin, begin + BATCH))

    return once


def _find(room: Room) -> Once:
    folder = room.folder / "archive"
    folder.mkdir()
    index = Index(folder / "index.db", durable=False)
    fill(index, range(2000))
    index.close()
    archive, chance = room.closing.enter_context(Archive(folder, reserve=0)), random.Random(1)
    services = archive.services()
    return lambda: first_match(services, QUERIES[0], chance.randrange(2000))


PARTS: Mapping[str, Part] = {
    "decode": Part("an A-ASSOCIATE-RQ of 21 contexts decoded", 1, _decode),
    "encode": Part("the same encoded", 1, _encode),
    "reader": Part("a PDU of 16 KiB read", PDUS, _read),
    "frames": Part("a PDU of 16 KiB framed", PDUS, _frame),
    "association": Part("an association agreed, both sides", 1, _associate),
    "layer": Part("a PDU of 16 KiB through the upper layer", PDUS, _receive),
    "command encode": Part("the command set of a C-STORE-RQ encoded", 1, _command_encode),
    "command decode": Part("the same decoded", 1, _command_decode),
    "head": Part("the head of a file read", 1, _head),
    "scan": Part("a data set's header scanned for what is indexed", 1, _scan),
    "insert": Part(f"an instance added to the index, {BATCH} in a transaction", BATCH, _insert),
    "query": Part("a patient found by Patient ID", 1, _find),
}


def seconds(once: Once) -> float:
    """Of one call, told by as many as take `LEAST`."""
    calls = 1
    while True:
        start = time.process_time()
        for _ in range(calls):
            once()
        spent = time.process_time() - start
        if spent >= LEAST:
            return spent / calls
        calls = max(2 * calls, math.ceil(calls * LEAST / max(spent, 1e-9)))


@contextmanager
def room() -> Iterator[Room]:
    with tempfile.TemporaryDirectory(prefix="dimse-parts-") as folder, ExitStack() as closing:
        yield Room(Path(folder), closing)


def ratios(parts: Mapping[str, Part], rounds: int) -> dict[str, tuple[float, float]]:
    """Of each part, the seconds of one in the best of the rounds, and how many times as long as the loop it takes, as a median."""
    found = {}
    with room() as where:
        for name, part in parts.items():
            once = part.ready(where)
            pairs = [(seconds(once) / part.times, seconds(calibration)) for _ in range(rounds)]
            found[name] = (min(own for own, _ in pairs), statistics.median(own / loop for own, loop in pairs))
    return found


def table(found: Mapping[str, tuple[float, float]], stored: Mapping[str, float]) -> str:
    lines = ["| part | | µs | times the loop | stored | now / stored |", "|---|---|---|---|---|---|"]
    for name, (own, ratio) in found.items():
        before = stored.get(name)
        cells = ["", ""] if before is None else [f"{before:.3g}", _compared(ratio / before)]
        lines.append(f"| {name} | {PARTS[name].what} | {own * 1e6:.3g} | {ratio:.3g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _compared(times: float) -> str:
    return f"**{times:.2f}**" if times > NOTEWORTHY else f"{times:.2f}"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.parts", description="Times the parts of the stack against a loop.")
    parser.add_argument("--compare", action="store_true", help="compare with the stored figures (also without this word)")
    parser.add_argument("--store", action="store_true", help="store the figures")
    parser.add_argument("--file", type=Path, default=STORED, metavar="FILE", help="where they are stored (beside this program)")
    parser.add_argument("--only", metavar="PART", action="append", choices=PARTS, help="these parts; may be repeated")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"times that each is timed ({ROUNDS})")
    args = parser.parse_args(words)
    if args.rounds < 1:
        parser.error("--rounds is 1 or more")
    try:
        stored = json.loads(args.file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        stored = {}
    except (OSError, ValueError) as error:
        parser.error(f"{args.file}: {error}")
    found = ratios({name: part for name, part in PARTS.items() if not args.only or name in args.only}, args.rounds)
    print(table(found, stored))
    if args.store:
        made = stored | {name: float(f"{ratio:.4g}") for name, (_, ratio) in found.items()}
        args.file.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
