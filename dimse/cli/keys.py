"""What C-FIND, C-MOVE and C-GET ask with: identifiers made of query files and of the keys after -k."""

from __future__ import annotations

from pathlib import Path

from dimse.cli.failures import USAGE, Failure, os_words
from dimse.cli.parsing import Arguments
from dimse.data.datasets import DataSet
from dimse.data.querytext import MatchingKey, parse_key, read_query
from dimse.data.uids import UID
from dimse.errors import DataError
from pdu.values import dataclass

QUERY_RETRIEVE_LEVEL = 0x0008_0052
SPECIFIC_CHARACTER_SET = 0x0008_0005
USUAL_KEYS = {
    "PATIENT": ("PatientName", "PatientID", "PatientBirthDate"),
    "STUDY": ("PatientName", "PatientID", "StudyDate", "StudyDescription", "StudyInstanceUID"),
    "SERIES": ("Modality", "SeriesNumber", "SeriesDescription", "SeriesInstanceUID"),
    "IMAGE": ("InstanceNumber", "SOPInstanceUID"),
}
"""What a query that names nothing but its level asks for."""


@dataclass(frozen=True, slots=True)
class Query:
    """One identifier, and what it names: for the table of the matches, and to choose the information model."""

    identifier: DataSet
    level: str
    tags: tuple[int, ...]
    """The attributes of the top level in the order of asking, without the level and the character set."""


def queries(args: Arguments) -> list[Query]:
    """The identifiers that the arguments ask for: one for each query file, or one of the keys alone.

    Raises `Failure` (usage) for what cannot be read.
    """
    try:
        keys = [parse_key(text) for text in args.keys]
        paths: list[Path | None] = [Path(query) for query in args.queries]
        return [_query(path, keys) for path in paths or [None]]
    except OSError as error:
        raise Failure(USAGE, f"cannot read the query: {os_words(error)}") from error
    except DataError as error:
        raise Failure(USAGE, f"cannot read the query: {error}") from error


def model(args: Arguments, query: Query, patient_root: UID, study_root: UID) -> UID:
    """The information model: as -P or -S say, else the one that has the level."""
    if args.patient or args.study:
        return patient_root if args.patient else study_root
    return patient_root if query.level == "PATIENT" else study_root


def _query(path: Path | None, keys: list[MatchingKey]) -> Query:
    from pydicom.dataset import Dataset

    ds = Dataset() if path is None else read_query(path)
    tags = [int(tag) for tag in ds.keys()]  # noqa: SIM118 - iterating a Dataset itself would decode it
    for key in keys:
        key.apply(ds)
        tags.append(key.path[0][0] if key.path else key.tag)
    if not str(ds.get("QueryRetrieveLevel") or ""):
        ds.QueryRetrieveLevel = "STUDY"
    level = str(ds.QueryRetrieveLevel)
    asked = [tag for tag in dict.fromkeys(tags) if tag not in (QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET)]
    if not asked:
        usual = [parse_key(keyword) for keyword in USUAL_KEYS.get(level, ())]
        for key in usual:
            key.apply(ds)
        asked = [key.tag for key in usual]
    return Query(DataSet.from_pydicom(ds), level, tuple(asked))
