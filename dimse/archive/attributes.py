"""Which attributes the index keeps, and at which level: one table from which the schema, the header scan and C-FIND follow.

The columns of the index bear the keywords of the standard. What is not in this table is stored in the file all the same; a query
that asks for it is answered from there, more slowly (see `heads`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from pdu.values import dataclass


class Level(IntEnum):
    """The levels of the Query/Retrieve information models, from the top (PS3.4 C.6)."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    IMAGE = 3

    @property
    def table(self) -> str:
        """The table of the index that has one row for each entity of this level."""
        return ("patient", "study", "series", "instance")[self]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute that the index keeps.

    `several`: more than one value may stand in it, and a key that matches any of them matches (PS3.4 C.2.2.2).
    """

    tag: int
    keyword: str
    vr: str
    level: Level
    several: bool = False

    @property
    def has_words(self) -> bool:
        """Whether one stored text is matched through more than one word: several values, or the component groups of a name."""
        return self.several or self.vr == "PN"

    @property
    def longest(self) -> int:
        """Characters of a value that are kept: all that an LT may have, and of others more than any sound value has (PS3.5 6.2)."""
        return 10_240 if self.vr == "LT" else 1024

    @property
    def has_key(self) -> bool:
        """Whether it is matched through a canonical form, kept in a column of its own, since equal values are written in several ways."""
        return self.vr in CANONICAL and not self.has_words


CANONICAL: Final = frozenset({"DA", "TM", "DT", "IS", "DS"})
P, ST, SE, I = Level  # noqa: E741 - the four columns of letters below read better than four names

ATTRIBUTES: Final = (
    Attribute(0x0008_0012, "InstanceCreationDate", "DA", I),
    Attribute(0x0008_0013, "InstanceCreationTime", "TM", I),
    Attribute(0x0008_0016, "SOPClassUID", "UI", I),
    Attribute(0x0008_0018, "SOPInstanceUID", "UI", I),
    Attribute(0x0008_0020, "StudyDate", "DA", ST),
    Attribute(0x0008_0021, "SeriesDate", "DA", SE),
    Attribute(0x0008_0022, "AcquisitionDate", "DA", I),
    Attribute(0x0008_0023, "ContentDate", "DA", I),
    Attribute(0x0008_002A, "AcquisitionDateTime", "DT", I),
    Attribute(0x0008_0030, "StudyTime", "TM", ST),
    Attribute(0x0008_0031, "SeriesTime", "TM", SE),
    Attribute(0x0008_0032, "AcquisitionTime", "TM", I),
    Attribute(0x0008_0033, "ContentTime", "TM", I),
    Attribute(0x0008_0050, "AccessionNumber", "SH", ST),
    Attribute(0x0008_0060, "Modality", "CS", SE),
    Attribute(0x0008_0070, "Manufacturer", "LO", SE),
    Attribute(0x0008_0080, "InstitutionName", "LO", SE),
    Attribute(0x0008_0090, "ReferringPhysicianName", "PN", ST),
    Attribute(0x0008_1010, "StationName", "SH", SE),
    Attribute(0x0008_1030, "StudyDescription", "LO", ST),
    Attribute(0x0008_103E, "SeriesDescription", "LO", SE),
    Attribute(0x0008_1040, "InstitutionalDepartmentName", "LO", SE),
    Attribute(0x0008_1050, "PerformingPhysicianName", "PN", SE, several=True),
    Attribute(0x0008_1060, "NameOfPhysiciansReadingStudy", "PN", ST, several=True),
    Attribute(0x0008_1070, "OperatorsName", "PN", SE, several=True),
    Attribute(0x0008_1080, "AdmittingDiagnosesDescription", "LO", ST, several=True),
    Attribute(0x0008_1090, "ManufacturerModelName", "LO", SE),
    Attribute(0x0010_0010, "PatientName", "PN", P),
    Attribute(0x0010_0020, "PatientID", "LO", P),
    Attribute(0x0010_0021, "IssuerOfPatientID", "LO", P),
    Attribute(0x0010_0030, "PatientBirthDate", "DA", P),
    Attribute(0x0010_0032, "PatientBirthTime", "TM", P),
    Attribute(0x0010_0040, "PatientSex", "CS", P),
    Attribute(0x0010_1000, "OtherPatientIDs", "LO", P, several=True),
    Attribute(0x0010_1010, "PatientAge", "AS", ST),
    Attribute(0x0010_1020, "PatientSize", "DS", ST),
    Attribute(0x0010_1030, "PatientWeight", "DS", ST),
    Attribute(0x0010_2160, "EthnicGroup", "SH", P),
    Attribute(0x0010_4000, "PatientComments", "LT", P),
    Attribute(0x0018_0015, "BodyPartExamined", "CS", SE),
    Attribute(0x0018_1030, "ProtocolName", "LO", SE),
    Attribute(0x0020_000D, "StudyInstanceUID", "UI", ST),
    Attribute(0x0020_000E, "SeriesInstanceUID", "UI", SE),
    Attribute(0x0020_0010, "StudyID", "SH", ST),
    Attribute(0x0020_0011, "SeriesNumber", "IS", SE),
    Attribute(0x0020_0012, "AcquisitionNumber", "IS", I),
    Attribute(0x0020_0013, "InstanceNumber", "IS", I),
    Attribute(0x0020_0060, "Laterality", "CS", SE),
    Attribute(0x0028_0008, "NumberOfFrames", "IS", I),
    Attribute(0x0028_0010, "Rows", "US", I),
    Attribute(0x0028_0011, "Columns", "US", I),
    Attribute(0x0040_0244, "PerformedProcedureStepStartDate", "DA", SE),
    Attribute(0x0040_0245, "PerformedProcedureStepStartTime", "TM", SE),
)

TIMEZONE_OFFSET: Final = Attribute(0x0008_0201, "TimezoneOffsetFromUTC", "SH", I)
"""Of a data set: kept with each entity, because the times in it are to be read with it (PS3.3 C.12.1.1.8)."""

BY_TAG: Final = {attribute.tag: attribute for attribute in ATTRIBUTES}
BY_LEVEL: Final = {level: tuple(attribute for attribute in ATTRIBUTES if attribute.level == level) for level in Level}

SPECIFIC_CHARACTER_SET: Final = 0x0008_0005
TIMEZONE: Final = TIMEZONE_OFFSET.tag
SOP_CLASS_UID: Final = 0x0008_0016
SOP_INSTANCE_UID: Final = 0x0008_0018
PATIENT_ID: Final = 0x0010_0020
STUDY_INSTANCE_UID: Final = 0x0020_000D
SERIES_INSTANCE_UID: Final = 0x0020_000E

UNIQUE_KEYS: Final = {
    Level.PATIENT: BY_TAG[PATIENT_ID],
    Level.STUDY: BY_TAG[STUDY_INSTANCE_UID],
    Level.SERIES: BY_TAG[SERIES_INSTANCE_UID],
    Level.IMAGE: BY_TAG[SOP_INSTANCE_UID],
}
"""The unique key attribute of each level (PS3.4 C.6.1.1, C.6.2.1)."""

SCANNED: Final = frozenset(BY_TAG) | {SPECIFIC_CHARACTER_SET, TIMEZONE}
"""The tags that the header scan of an arriving data set looks for."""


def stored_at(table: Level) -> tuple[Attribute, ...]:
    """The attributes that are columns of the table of this level.

    A study repeats those of its patient: a query below the patient level then needs no join with the patient, and answers what
    came with the study itself when two studies tell different things of one Patient ID.
    """
    own = BY_LEVEL[Level.PATIENT] + BY_LEVEL[Level.STUDY] if table is Level.STUDY else BY_LEVEL[table]
    return (*own, TIMEZONE_OFFSET)
