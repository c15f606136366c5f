"""Made-up data sets, encoded by hand so that every byte is known, and requests for the handlers of an archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dimse.archive import Archive
from dimse.association.negotiation import AcceptedContext
from dimse.data.commands import CommandField, CommandSet
from dimse.data.datasets import DataSet, encode_tree, query, tag_and_vr
from dimse.data.status import Status
from dimse.data.uids import UID, CTImageStorage, ExplicitVRLittleEndian, StudyRootFind, StudyRootMove
from dimse.services.handlers import Peer, Request, Services

PEER = Peer("SENDER", "ARCHIVE", "127.0.0.1:40000")
PIXELS = bytes(range(256)) * 4


@dataclass(frozen=True)
class Sample:
    """A data set, and what its C-STORE command says of it."""

    encoded: bytes
    sop_instance_uid: str
    sop_class_uid: str = CTImageStorage
    transfer_syntax: UID = ExplicitVRLittleEndian


def encode(values: Mapping[str, str | bytes], pixels: bytes = PIXELS, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """The values by keyword as a data set; texts are encoded as UTF-8, bytes stand as they are."""
    tree = {}
    for keyword, value in values.items():
        tag, vr = tag_and_vr(keyword)
        tree[tag] = (vr, value if isinstance(value, bytes) else value.encode())
    if pixels:
        tree[0x7FE00010] = ("OW", pixels)
    return encode_tree(tree, syntax)  # type: ignore[arg-type]  # the tree has bytes only, which the recursive type does not see


def sample(uid: str, pixels: bytes = PIXELS, syntax: UID = ExplicitVRLittleEndian, /, **values: str | bytes) -> Sample:
    """A CT image of its own study and series unless the values say otherwise."""
    every: dict[str, str | bytes] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": uid,
        "StudyInstanceUID": f"{uid}.1",
        "SeriesInstanceUID": f"{uid}.2",
        "Modality": "CT",
        "PatientID": "P1",
        "PatientName": "Nobody^Ann",
    }
    every |= values
    return Sample(encode(every, pixels, syntax), uid, transfer_syntax=syntax)


def store_request(what: Sample) -> Request:
    command = CommandSet(
        CommandField.C_STORE_RQ,
        message_id=1,
        priority=0,
        command_data_set_type=0,
        affected_sop_class_uid=what.sop_class_uid,
        affected_sop_instance_uid=what.sop_instance_uid,
    )
    return Request(PEER, command, AcceptedContext(1, UID(what.sop_class_uid), what.transfer_syntax))


def store(services: Services, what: Sample, chunk: int = 16_000) -> int:
    """Stores a sample the way a provider does, some bytes at a time; returns the status."""
    assert services.sink is not None
    sink = services.sink(store_request(what))
    view = memoryview(what.encoded)
    for start in range(0, len(view), chunk):
        sink.write([view[start : start + chunk]])
    status = sink.finish()
    assert status is not None
    return int(status)


def request(model: UID, identifier: DataSet | None) -> Request:
    command = CommandSet(CommandField.C_FIND_RQ, message_id=1, priority=0, command_data_set_type=0, affected_sop_class_uid=model)
    syntax = identifier.transfer_syntax if identifier is not None else ExplicitVRLittleEndian
    return Request(PEER, command, AcceptedContext(1, model, syntax), identifier)


def find(services: Services, level: str, model: UID = StudyRootFind, /, **keys: str | Sequence[str] | None) -> list[DataSet]:
    return [match for _, match in find_with_status(services, level, model, **keys)]


def find_with_status(
    services: Services, level: str, model: UID = StudyRootFind, /, **keys: str | Sequence[str] | None
) -> list[tuple[Status, DataSet]]:
    return matches_of(services, request(model, query(level, **keys)))


def matches_of(services: Services, asked: Request) -> list[tuple[Status, DataSet]]:
    """All that an archive finds."""
    assert services.find is not None
    return [match for found in services.find(asked) if isinstance(found, list) for match in found if isinstance(match, tuple)]


def move(services: Services, level: str, model: UID = StudyRootMove, /, **keys: str | Sequence[str] | None) -> list[str]:
    """The SOP Instance UIDs that a C-MOVE would send."""
    assert services.move is not None
    return [str(source.sop_instance_uid) for source in services.move(request(model, query(level, **keys)))]


def files_below(archive: Archive) -> list[str]:
    """All files of an archive but its index, and the one that says that it is open."""
    names = (path.relative_to(archive.folder) for path in archive.folder.rglob("*") if path.is_file())
    return sorted(str(name) for name in names if not name.name.startswith("index.db") and str(name) != "running")
