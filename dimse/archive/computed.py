"""Attributes that no data set has and a query may ask for: worked out in SQL when they are asked for (PS3.4 C.3.4)."""

from __future__ import annotations

from typing import Final

from dimse.archive.attributes import Level
from dimse.archive.matching import Place
from pdu.values import dataclass


@dataclass(frozen=True, slots=True)
class Computed:
    """How an attribute of the entities of a level, and of those below, is worked out. `{patient}` is the row of the patient."""

    vr: str
    level: Level
    column: str
    place: Place
    several: bool = False

    def at(self, level: Level) -> tuple[str, Place, Level]:
        """The column, and the place to match it, in a search at this level; and the uppermost table that they need."""
        if self.level is not Level.PATIENT:
            return self.column, self.place, self.level
        patient = "patient.id" if level is Level.PATIENT else "study.patient"
        column = self.column.replace("{patient}", patient)
        return column, _of_count(column), Level.PATIENT if level is Level.PATIENT else Level.STUDY


def _of_count(column: str) -> Place:
    return Place(f"CAST({column} AS TEXT)", "0")


def _count(level: Level, what: str, tables: str) -> Computed:
    column = f"(SELECT COUNT(*) FROM {tables} WHERE {what})"
    return Computed("IS", level, column, _of_count(column))


def _in_study(vr: str, column: str, tables: str) -> Computed:
    """The different values in a study; neither a CS nor a UI holds the comma that group_concat puts between them."""
    rows = f"FROM {tables} WHERE s.study = study.id"
    all_values = f"(SELECT replace(group_concat(DISTINCT {column}), ',', '\\') {rows})"
    place = Place(column, f"NOT EXISTS (SELECT 1 {rows} AND {column} IS NOT NULL)", ((f"EXISTS (SELECT 1 {rows} AND ", ")"),))
    return Computed(vr, Level.STUDY, all_values, place, several=True)


_OF_PATIENT: Final = "study t JOIN series s ON s.study = t.id"
_OF_STUDY: Final = "series s JOIN instance i ON i.series = s.id"
_TRANSFER_SYNTAX: Final = "instance.transfer_syntax"
COMPUTED: Final = {
    0x0008_0061: _in_study("CS", "s.Modality", "series s"),
    0x0008_0062: _in_study("UI", "i.SOPClassUID", _OF_STUDY),
    0x0008_3002: Computed("UI", Level.IMAGE, _TRANSFER_SYNTAX, Place(_TRANSFER_SYNTAX, "0"), several=True),
    0x0020_1200: _count(Level.PATIENT, "t.patient = {patient}", "study t"),
    0x0020_1202: _count(Level.PATIENT, "t.patient = {patient}", _OF_PATIENT),
    0x0020_1204: _count(Level.PATIENT, "t.patient = {patient}", f"{_OF_PATIENT} JOIN instance i ON i.series = s.id"),
    0x0020_1206: _count(Level.STUDY, "s.study = study.id", "series s"),
    0x0020_1208: _count(Level.STUDY, "s.study = study.id", _OF_STUDY),
    0x0020_1209: _count(Level.SERIES, "i.series = series.id", "instance i"),
}
"""By tag: Modalities in Study, SOP Classes in Study, Available Transfer Syntax UID, Number of Patient Related Studies, Series and
Instances, Number of Study Related Series and Instances, Number of Series Related Instances."""
