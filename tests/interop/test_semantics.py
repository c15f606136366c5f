"""The table of query semantics, asked of Orthanc and dcmqrscp over the network.

Both hold all collections of the table; of what they answer, what belongs to the row's collection counts. A row that they answer
otherwise than PS3.4 says (or than we chose, where it leaves a choice) stands in `differences` with what they answer and why. A difference
that does not stand there fails, and so does an entry that is none. Rows with extended negotiation are not asked: neither peer knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

import pytest

import dimse
from tests.archive.semantics.row import MODELS, Row, answered, expected_answer
from tests.archive.semantics.stored import collections
from tests.archive.semantics.table import ROWS

from .differences import DIFFERENCES, differences, not_asked
from .peers import Address, Lab, new_address

ASKED = [row for row in ROWS if not any(row.options)]
CASES = [pytest.param(kind, row, id=f"{kind}-{row.id}") for kind in DIFFERENCES for row in ASKED if row.id not in not_asked(kind)]


@dataclass
class Archive:
    """A peer that holds all collections, and an association with it; a new one when the peer has ended it."""

    address: Address
    association: dimse.Association | None = None

    def fill(self) -> None:
        samples = [sample for collection in collections() for sample in collection.samples]
        sources = [
            dimse.BytesSource(sample.encoded, dimse.UID(sample.sop_class_uid), dimse.UID(sample.sop_instance_uid), sample.transfer_syntax)
            for sample in samples
        ]
        with self._connect(dimse.CTImageStorage, dimse.MRImageStorage) as association:
            assert {int(status) for _, status in association.store_all(sources)} == {0}

    def answer(self, row: Row) -> str:
        """What it answers to a row, in the words of `answered`."""
        if self.association is None:
            self.association = self._connect(*MODELS)
        try:
            return answered(row, list(self.association.find(row.identifier(), row.model)))
        except dimse.OperationFailed as failed:
            return f"{int(failed.status):04X}"
        except dimse.ContextRefused:
            return "not offered"
        except dimse.AssociationError as error:
            self.association = None
            return type(error).__name__

    def close(self) -> None:
        if self.association is not None:
            self.association.release()

    def _connect(self, *abstract_syntaxes: str) -> dimse.Association:
        contexts = [dimse.Context(uid, (dimse.ExplicitVRLittleEndian,)) for uid in abstract_syntaxes]
        return dimse.connect(self.address.host, self.address.port, called=self.address.aet, contexts=contexts)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Archive]]:
    """The peers by kind, each started and filled when the first test asks for it."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab, ExitStack() as stack:

        @cache
        def archive(kind: str) -> Archive:
            address = new_address("ARCHIVE")
            start = lab.orthanc if kind == "orthanc" else lab.dcmqrscp
            started = Archive(start(address).address)
            stack.callback(started.close)
            started.fill()
            return started

        yield archive


@pytest.mark.parametrize(("kind", "row"), CASES)
def test_row(archives: Callable[[str], Archive], kind: str, row: Row) -> None:
    expected, known = expected_answer(row), differences(kind).get(row.id)
    answer = archives(kind).answer(row)
    if known is None:
        assert answer == expected, "a difference that is not explained"
    else:
        assert answer == known, "it differs otherwise than explained"
        assert answer != expected, "it differs no more"


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_differences_are_of_rows_that_are_asked(kind: str) -> None:
    told = [row for answers in DIFFERENCES[kind].values() for rows in answers.values() for row in rows.split()]
    assert len(told) == len(set(told)), "a row stands in two places"
    assert set(told) | not_asked(kind) <= {row.id for row in ASKED}
    assert not set(told) & not_asked(kind)
