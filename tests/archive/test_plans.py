"""How SQLite goes about the searches that must be quick in an index of a million instances: which index finds the rows, read of its plan.

SQLite has no statistics of the index (nobody runs ANALYZE), so its plan is the same for an empty one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dimse.archive.identifier import Identifier
from dimse.archive.index import Search
from dimse.archive.query import Find, retrieve
from dimse.archive.schema import make_tables
from dimse.data.datasets import query
from dimse.data.uids import UID, PatientRootFind, PatientRootMove, StudyRootFind, StudyRootMove

STUDY, SERIES, IMAGE = {"StudyInstanceUID": "1.1"}, {"SeriesInstanceUID": "1.2"}, {"SOPInstanceUID": "1.3"}
BY_ROW = {"PATIENT": "patient", "STUDY": "study", "SERIES": "series", "IMAGE": "instance"}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("plans") / "index.db"
    connection = sqlite3.connect(path, isolation_level=None)
    make_tables(connection, Path(path))
    yield connection
    connection.close()


def plan_of(connection: sqlite3.Connection, search: Search) -> list[str]:
    statement, values = search.page(search.start, 32)
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


def find(level: str, model: UID = StudyRootFind, agreed: bytes = b"", /, **keys: str) -> Search:
    return Find.read(Identifier.read(model, query(level, **keys), agreed), "ARCHIVE").search


@pytest.mark.parametrize(
    ("model", "level", "keys", "way"),
    [
        (PatientRootFind, "PATIENT", {"PatientID": "P1"}, "SEARCH patient USING INDEX patient_by_id (PatientID=?"),
        (PatientRootFind, "PATIENT", {"PatientName": "DOE^J*"}, "SEARCH patient_word USING PRIMARY KEY (tag=? AND word>? AND word<?)"),
        (PatientRootFind, "PATIENT", {"PatientBirthDate": "19400101-19451231"}, "SEARCH patient USING INDEX patient_by_birth_date"),
        (StudyRootFind, "STUDY", {"PatientID": "P1"}, "SEARCH study USING INDEX study_by_patient_id (PatientID=?"),
        (StudyRootFind, "STUDY", {"PatientName": "DOE^J*"}, "SEARCH study_word USING PRIMARY KEY (tag=? AND word>? AND word<?)"),
        (StudyRootFind, "STUDY", {"AccessionNumber": "A1"}, "SEARCH study USING INDEX study_by_accession_number (AccessionNumber=?"),
        (StudyRootFind, "STUDY", {"StudyDate": "20200101-20201231"}, "SEARCH study USING INDEX study_by_date (StudyDate_key>?"),
        (StudyRootFind, "STUDY", {"StudyDate": "20200101"}, "SEARCH study USING INDEX study_by_date (StudyDate_key>?"),
        (StudyRootFind, "STUDY", {"StudyDate": "20200101-", "AccessionNumber": "A1"}, "SEARCH study USING INDEX study_by_accession_number"),
        (StudyRootFind, "STUDY", {"StudyDate": "20200101-", "PatientID": "P1"}, "SEARCH study USING INDEX study_by_patient_id"),
        (StudyRootFind, "STUDY", {"StudyDate": "20200101\\20200201"}, "SEARCH study USING COVERING INDEX study_by_date"),
        (StudyRootFind, "STUDY", STUDY, "SEARCH study USING INDEX study_by_uid (StudyInstanceUID=?"),
        (StudyRootFind, "STUDY", {"StudyInstanceUID": "1.1\\1.2"}, "SEARCH study USING INDEX study_by_uid (StudyInstanceUID=?"),
        (StudyRootFind, "SERIES", STUDY, "SEARCH study USING INDEX study_by_uid (StudyInstanceUID=?"),
        (StudyRootFind, "SERIES", {**STUDY, **SERIES}, "SEARCH series USING INDEX series_by_uid (SeriesInstanceUID=?"),
        (StudyRootFind, "IMAGE", {**STUDY, **SERIES}, "SEARCH series USING INDEX series_by_uid (SeriesInstanceUID=?"),
        (StudyRootFind, "IMAGE", {**STUDY, **SERIES, **IMAGE}, "SEARCH instance USING INDEX instance_by_uid (SOPInstanceUID=?"),
        (PatientRootFind, "IMAGE", {"PatientID": "P1", **STUDY, **SERIES}, "SEARCH series USING INDEX series_by_uid (SeriesInstanceUID=?"),
    ],
)  # fmt: skip
def test_the_first_match_is_found_by_an_index(empty: sqlite3.Connection, model: UID, level: str, keys: dict[str, str], way: str) -> None:
    plan = plan_of(empty, find(level, model, **{"PatientName": "", "StudyInstanceUID": "", **keys}))
    assert any(step.startswith(way) for step in plan), plan
    assert not [step for step in plan if step.startswith("SCAN") and "json_each" not in step], plan
    by_row = f"SEARCH {BY_ROW[level]} USING INTEGER PRIMARY KEY (rowid>?)"
    assert by_row not in plan, plan  # a walk through all rows


def test_a_range_of_days_needs_no_sorting(empty: sqlite3.Connection) -> None:
    """Nor is the whole range collected first: what a page costs does not hang on how long the range is."""
    for keys in ({"StudyDate": "20200101-"}, {"StudyDate": "20200101-20200131", "StudyTime": "10-11"}):
        assert len(plan_of(empty, find("STUDY", StudyRootFind, b"\0\1", **keys))) == 1


@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
@pytest.mark.parametrize(
    "keys",
    [{"PatientID": "P1"}, {"PatientName": "DOE^J*"}, {"AccessionNumber": "A1"}, {"StudyDate": "20200101-20200107"}, STUDY, SERIES, IMAGE],
    ids=lambda keys: next(iter(keys)),
)
def test_relational_queries_start_from_the_key(empty: sqlite3.Connection, level: str, keys: dict[str, str]) -> None:
    plan = plan_of(empty, find(level, StudyRootFind, b"\1", **keys))
    assert f"SEARCH {BY_ROW[level]} USING INTEGER PRIMARY KEY (rowid>?)" not in plan, plan
    assert not [step for step in plan if step.startswith("SCAN")], plan


@pytest.mark.parametrize(
    ("model", "level", "keys"),
    [
        (PatientRootMove, "PATIENT", {"PatientID": "P1"}),
        (StudyRootMove, "STUDY", STUDY),
        (StudyRootMove, "SERIES", {**STUDY, **SERIES}),
        (StudyRootMove, "IMAGE", {**STUDY, **SERIES, "SOPInstanceUID": "1.3\\1.4"}),
    ],
)
def test_a_retrieve_starts_from_its_unique_key(empty: sqlite3.Connection, model: UID, level: str, keys: dict[str, str]) -> None:
    plan = plan_of(empty, retrieve(Identifier.read(model, query(level, **keys))))
    assert "SEARCH instance USING INTEGER PRIMARY KEY (rowid>?)" not in plan, plan
    assert not [step for step in plan if step.startswith("SCAN") and "json_each" not in step], plan


@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES"])
def test_the_head_of_a_row_is_found_by_its_first_instance(empty: sqlite3.Connection, level: str) -> None:
    plan = plan_of(empty, find(level, PatientRootFind, b"\1", PatientMotherBirthName=""))
    assert "SEARCH head USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN" in plan, plan
    assert not [step for step in plan if step.startswith("SCAN")], plan
