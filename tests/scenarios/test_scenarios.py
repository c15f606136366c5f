"""Every case of the judge's table on our own provider, in both fronts: it conforms, and nothing is left of it inside.

What is measured besides the verdict are the common conditions: the process lives (G1), others are served within a second
meanwhile and afterwards (G2), memory (G3), threads, tasks and descriptors are back (G4), nothing outside the archive, no
temporary file, what was acknowledged before is there byte for byte, and besides it what the case was told is stored and no
more (G5), no traceback and a report that names peer and cause (G6), and the answer came in time (G7, the verdict).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dimse
from dimse.archive import Archive
from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian
from dimse.judge import CASES, Case, Finding, Trial, Verdict
from dimse.judge.line import why_not_served
from dimse.judge.wire import data_set, instance_uid

from .providers import FRONTS, HOST, Inside, Provider, providing, target_of

SERVED_WITHIN = 1.0 if sys.gettrace() is None else 3.0  # a tracer (coverage) makes everything slower
MEMORY = 16 << 20
MEMORY_OF = {"T-04": 4 << 20, "A-18": 4 << 20, "D-04": 4 << 20}
"""Bytes that a scenario may cost; those decided from a header cost next to nothing (the judge's own buffers count here too)."""
TOO_LONG = {"T-09/10000"}
"""Left to `dimse judge --rough`; the same with fewer connections is here."""


KEPT = 9999
"""The number of the made-up instance that is stored before."""
STORED = ("C-STORE-RSP 0000H", "C-STORE-RSP B00")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive(tmp_path / "archive") as opened:
        yield opened


@pytest.fixture
def provider(front: str, archive: Archive) -> Iterator[Provider]:
    with providing(front, archive.services()) as running:
        yield running


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES if case.id not in TOO_LONG])
def test_scenario(case: Case, provider: Provider, archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = target_of(provider)
    kept = _store(provider, archive)
    assert why_not_served(target, SERVED_WITHIN) == ""  # whatever is loaded with the first association is loaded
    provider.settle()
    before = Inside(tmp_path)
    trouble: list[str] = []

    finding = Trial(target, case, lambda: trouble.append(why_not_served(target, SERVED_WITHIN))).run()
    trouble.append(why_not_served(target, SERVED_WITHIN))

    assert finding.verdict is Verdict.CONFORMS, f"{finding.outcome} {finding.remark}"
    assert "not served" not in finding.came
    assert [reason for reason in trouble if reason] == []
    assert before.growth() <= MEMORY_OF.get(case.scenario, MEMORY)
    assert provider.settle() == 0
    assert before.left_behind() == []
    assert archive.path_of(instance_uid(KEPT)).read_bytes() == kept
    stored = 1 + sum(word.startswith(STORED) for word in finding.came)
    assert len(list((tmp_path / "archive" / "objects").rglob("*.dcm"))) == archive.counts()[-1] == stored
    _check_said(finding, provider, caplog)


def _store(provider: Provider, archive: Archive) -> bytes:
    """Stores an instance and has that acknowledged: its file."""
    uids = dimse.UID(CTImageStorage), dimse.UID(instance_uid(KEPT)), dimse.UID(ImplicitVRLittleEndian)
    source = dimse.BytesSource(data_set(KEPT), *uids)
    with dimse.connect(HOST, provider.port, called="PEER", contexts=dimse.contexts_for([source])) as association:
        assert association.store(source).ok
    whole = archive.path_of(instance_uid(KEPT)).read_bytes()
    assert whole.endswith(data_set(KEPT))
    return whole


def _check_said(finding: Finding, provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    """No traceback, and every connection has a report of one line, in which whoever asks finds the peer and the cause."""
    assert [record.getMessage() for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []
    for report in provider.reports:
        assert report.errors == []
        assert report.ended
        assert f"{report.peer.calling} {report.peer.address} {report.ended}".isprintable()
        assert report.peer.address.startswith((f"{HOST}:", "127.0.0.2:"))
    if finding.came[:1] and finding.came[0].startswith("A-ABORT(2"):
        assert any("PS3." in report.ended for report in provider.reports), "no report names the clause"


def test_every_scenario_of_the_groups_is_there() -> None:
    """The numbering has gaps of its own; T-07 and A-24 are in modules of theirs, and T-12, F-10 and the like do not exist."""
    numbers = {
        "T": [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14],
        "D": [1, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17],
        "F": [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16],
        "A": [1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 26],
        "R": [1, 2, 3],
    }
    assert {case.scenario for case in CASES} == {f"{group}-{number:02}" for group, found in numbers.items() for number in found}
