"""Options of services, agreed by SOP class extended negotiation: how they are encoded, granted, and told to handlers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

import pdu
from dimse.data.datasets import DataSet
from dimse.data.uids import UID, PatientRootFind, StudyRootFind, StudyRootGet, StudyRootMove, Verification
from dimse.errors import UsageError
from dimse.services.handlers import Request, Services
from dimse.services.options import QueryOption, options_of

from .drivers import Front
from .samples import QUERY

RELATIONAL, COMBINED, FUZZY, ZONE, FRAMES, EMPTY, SEVERAL = QueryOption


@pytest.mark.parametrize(
    ("options", "information"),
    [
        ([], b"\0"),
        ([RELATIONAL], b"\1"),
        ([COMBINED], b"\0\1\0"),
        ([FUZZY, RELATIONAL], b"\1\0\1"),
        ([ZONE], b"\0\0\0\1"),
        ([RELATIONAL, FRAMES], b"\1\0\0\0\1"),
        (list(QueryOption), b"\1" * 7),
    ],
)
def test_application_information(options: Sequence[QueryOption], information: bytes) -> None:
    assert QueryOption.encode(*options) == information
    assert QueryOption.decode(information) == set(options)


@pytest.mark.parametrize(
    ("information", "options"), [(b"", []), (b"\0\0\0", []), (b"\2\1", [COMBINED]), (b"\1" * 9, list(QueryOption)), (b"\xff" * 3, [])]
)
def test_application_information_of_others(information: bytes, options: Sequence[QueryOption]) -> None:
    assert QueryOption.decode(information) == set(options)


def test_each_option_has_its_words() -> None:
    assert len({option.words for option in QueryOption}) == len(QueryOption)
    assert options_of(PatientRootFind) == set(QueryOption)
    assert options_of(StudyRootMove) == options_of(StudyRootGet) == {RELATIONAL}


class Granting:
    """A provider of C-FIND that grants the first byte, and remembers what its handlers were told."""

    def __init__(self) -> None:
        self.proposed: list[tuple[UID, bytes]] = []
        self.told: list[bytes] = []

    def grant(self, sop_class: UID, proposed: bytes) -> bytes | None:
        self.proposed.append((sop_class, proposed))
        return None if sop_class == PatientRootFind else proposed[:1]

    def find(self, request: Request) -> Iterator[DataSet]:
        self.told.append(request.extended)
        yield from ()

    def echo(self, request: Request) -> None:
        self.told.append(request.extended)

    @property
    def services(self) -> Services:
        return Services(echo=self.echo, find=self.find, extended=self.grant)


def test_handlers_are_told_what_was_agreed(front: Front) -> None:
    granting = Granting()
    served = front.serve(granting.services)
    proposed = {StudyRootFind: b"\1\0\1", PatientRootFind: b"\1", StudyRootMove: b"\1"}
    with front.connect(served, [StudyRootFind, PatientRootFind, Verification], extended=proposed) as link:
        assert link.extended == {StudyRootFind: b"\1"}
        assert list(link.find(QUERY, StudyRootFind)) == list(link.find(QUERY, PatientRootFind)) == []
        link.echo()
    assert granting.proposed == [(StudyRootFind, b"\1\0\1"), (PatientRootFind, b"\1")]
    assert granting.told == [b"\1", b"", b""]


def test_what_is_not_proposed_is_not_agreed(front: Front) -> None:
    granting = Granting()
    served = front.serve(granting.services)
    with front.connect(served, [StudyRootFind]) as link:
        assert link.extended == {}
        assert list(link.find(QUERY)) == []
    assert (granting.proposed, granting.told) == ([], [b""])


def test_items_are_proposed_as_they_are(front: Front) -> None:
    granting = Granting()
    served = front.serve(granting.services)
    find, echo = pdu.ExtendedNegotiation(StudyRootFind, b"\1"), pdu.CommonExtendedNegotiation(Verification, "1.2.840.10008.4.2")
    with front.connect(served, [StudyRootFind, Verification], extended=[find, echo]) as link:
        assert link.extended == {StudyRootFind: b"\1"}


@pytest.mark.parametrize("granted", [None, "\1", bytes(70_000)])
def test_a_handler_that_fails_to_say_grants_nothing(front: Front, granted: object) -> None:
    def fail(sop_class: UID, proposed: bytes) -> bytes:
        if granted is None:
            raise UsageError("not today")
        return granted  # type: ignore[return-value]  # not what it must return

    served = front.serve(Services(find=lambda request: (), extended=fail))
    with front.connect(served, [StudyRootFind], extended={StudyRootFind: b"\1"}) as link:
        assert link.extended == {}
        assert list(link.find(QUERY)) == []
    report = served.report()
    assert len(report.errors) == 1
    assert report.ended == "released"
