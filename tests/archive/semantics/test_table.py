"""Every row of the table, asked of an archive in process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dimse.archive import Archive
from dimse.association.negotiation import AcceptedContext
from dimse.data.commands import CommandField, CommandSet
from dimse.data.datasets import DataSet
from dimse.errors import Refused
from dimse.services.handlers import Request, Services
from tests.archive.samples import PEER, matches_of, store
from tests.archive.semantics.row import Row, answered, expected_answer
from tests.archive.semantics.stored import collections
from tests.archive.semantics.table import ROWS

Archives = dict[int, Services]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archives]:
    """An archive for each collection."""
    opened: dict[int, Archive] = {}
    for collection in collections():
        opened[collection.number] = Archive(tmp_path_factory.mktemp(collection.letter), durability="relaxed")
        services = opened[collection.number].services()
        assert {store(services, sample) for sample in collection.samples} == {0}
    yield {number: archive.services() for number, archive in opened.items()}
    for archive in opened.values():
        archive.close()


def ask(services: Services, row: Row) -> list[tuple[int, DataSet]]:
    """The matches of a row's question, each with its status."""
    command = CommandSet(CommandField.C_FIND_RQ, message_id=1, priority=0, command_data_set_type=0, affected_sop_class_uid=row.model)
    identifier = row.identifier()
    context = AcceptedContext(1, row.model, identifier.transfer_syntax)
    return [(int(status), match) for status, match in matches_of(services, Request(PEER, command, context, identifier, row.options))]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in ROWS])
def test_row(archives: Archives, row: Row) -> None:
    if row.status < 0xFF00:
        with pytest.raises(Refused) as refused:
            ask(archives[row.of.number], row)
        assert refused.value.status == row.status
        return
    found = ask(archives[row.of.number], row)
    assert answered(row, [answer for _, answer in found]) == expected_answer(row), row.clause
    assert {status for status, _ in found} <= {row.status}


def test_the_ids_are_different_and_the_rows_are_many() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS) > 450
