"""An archive behind a provider of ours, its users, and somebody it sends to: what the scenarios of storing are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Unpack

import pytest

import dimse
from bench.oracle import ORACLE, Destination
from dimse.archive import Archive
from dimse.data.uids import CTImageStorage, ExplicitVRLittleEndian, StudyRootFind, StudyRootGet, StudyRootMove
from dimse.judge.line import why_not_served
from tests.archive.samples import PIXELS, Sample

from .conditions import SERVED_WITHIN, conditions
from .providers import HOST, Options, Provider, providing, target_of

OUT_OF_RESOURCES = 0xA700
LONG = PIXELS * 1500
"""More than is kept in memory: such a data set goes to the disk as it comes."""
CONTEXT = dimse.Context(CTImageStorage, (ExplicitVRLittleEndian,))
RETURNED = dimse.Context(CTImageStorage, (ExplicitVRLittleEndian,), scu=False, scp=True)


def source(what: Sample) -> dimse.BytesSource:
    """A sample as something to send."""
    return dimse.BytesSource(what.encoded, dimse.UID(what.sop_class_uid), dimse.UID(what.sop_instance_uid), what.transfer_syntax)


def study_of(what: Sample) -> str:
    """The Study Instance UID of a sample."""
    return str(dimse.DataSet(what.encoded, what.transfer_syntax)["StudyInstanceUID"])


@dataclass
class Site:
    """What a user sees of an archive, each time in an association of its own."""

    archive: Archive
    provider: Provider
    oracle: Destination
    look: Callable[[], None] = lambda: None
    """Makes sure that others are served meanwhile."""

    def connect(self, *contexts: str | dimse.Context) -> dimse.Association:
        """An association."""
        return dimse.connect(HOST, self.provider.port, called="PEER", contexts=[*contexts, dimse.Verification])

    def store(self, what: Sample) -> int:
        """Stores a sample; the association is of use behind it."""
        with self.connect(CONTEXT) as association:
            status = association.store(source(what))
            assert association.echo().ok
        return int(status)

    def find(self, level: str, **keys: str) -> list[dimse.DataSet]:
        """The matches of a query (Study Root)."""
        with self.connect(StudyRootFind) as association:
            return list(association.find(dimse.query(level, **keys)))

    def move(self, study: str) -> dimse.MoveResult:
        """Has a study sent to the oracle, which notes what came."""
        self.oracle.came.clear()
        with self.connect(StudyRootMove) as association:
            return association.move(dimse.query("STUDY", StudyInstanceUID=study), to=ORACLE)

    def get(self, study: str) -> dimse.GetResult:
        """Retrieves a study by C-GET; the oracle notes what came."""
        self.oracle.came.clear()
        with self.connect(StudyRootGet, RETURNED) as association:
            return association.get(dimse.query("STUDY", StudyInstanceUID=study), self.oracle.sink)

    def has(self, *samples: Sample) -> None:
        """The archive holds these and no others: each is found, lies in its file, and is sent, byte for byte."""
        for what in samples:
            uid, study = what.sop_instance_uid, study_of(what)
            with self.connect(StudyRootFind) as association:
                keys = {"StudyInstanceUID": study, "SeriesInstanceUID": ""}
                series = [str(match["SeriesInstanceUID"]) for match in association.find(dimse.query("SERIES", **keys))]
                queries = [dimse.query("IMAGE", StudyInstanceUID=study, SeriesInstanceUID=one, SOPInstanceUID=uid) for one in series]
                assert [match["SOPInstanceUID"] for query in queries for match in association.find(query)] == [uid]
            assert self.archive.path_of(uid).read_bytes().endswith(what.encoded)
            for retrieve in (self.move, self.get):
                assert retrieve(study).status == 0
                assert (uid, sha256(what.encoded).digest()) in self.oracle.came
        assert self.archive.counts()[-1] == len(samples) == len(self.files())

    def files(self) -> list[Path]:
        """Files of instances."""
        return list((self.archive.folder / "objects").rglob("*.dcm"))

    def unfinished(self) -> list[Path]:
        """Files that are being written."""
        return list((self.archive.folder / "tmp").iterdir())


@contextmanager
def site(front: str, archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture, **options: Unpack[Options]) -> Iterator[Site]:
    """A site in `tmp_path`, which has to keep the common conditions (`conditions`)."""
    with ExitStack() as stack:
        oracle = stack.enter_context(Destination())
        services = archive.services({ORACLE: dimse.Address(ORACLE, HOST, oracle.port)})
        provider = stack.enter_context(providing(front, services, **options))
        made = Site(archive, provider, oracle)
        made.find("STUDY", StudyInstanceUID="")  # whatever is loaded with the first query is loaded
        target = target_of(provider)
        made.look = stack.enter_context(conditions(provider, tmp_path, caplog, lambda: why_not_served(target, SERVED_WITHIN)))
        yield made
