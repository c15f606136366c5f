"""The made-up data sets that the rows of the table are asked about, in small collections.

Every instance has a place: `2.1.3` is the third instance of the first series of the second study. Its UIDs are made of its
collection's number and its place, so that one archive can hold all collections, and a row can say what it finds by places. Patient IDs
begin with the collection's letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from dimse.data.uids import CTImageStorage, MRImageStorage
from tests.archive.samples import Sample
from tests.archive.semantics.writing import Value, Values, encode

KEYS_BY_LEVEL: Final = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@dataclass
class Collection:
    """Data sets that are asked about together."""

    number: int
    letter: str
    samples: list[Sample] = field(default_factory=list)

    def uid(self, place: str) -> str:
        """The UID of a study, a series or an instance; a Patient ID stands for itself."""
        return place if place.startswith(self.letter) else f"1.2.999.{self.number}.{place}"

    def place(self, unique: str) -> str:
        """The place that a UID stands for."""
        return unique.removeprefix(f"1.2.999.{self.number}.")

    def owns(self, unique: str) -> bool:
        """Whether a Patient ID or a UID is of this collection."""
        return unique.startswith((f"{self.letter}-", f"1.2.999.{self.number}."))

    def add(self, place: str, patient: str, character_set: str = "", /, **values: Value) -> None:
        """An instance at a place, of the patient with that number; a CT image unless the values say otherwise."""
        study, series, _ = place.split(".")
        every: dict[str, Value] = {
            "SOPClassUID": CTImageStorage,
            "SOPInstanceUID": self.uid(place),
            "StudyInstanceUID": self.uid(study),
            "SeriesInstanceUID": self.uid(f"{study}.{series}"),
            "PatientID": f"{self.letter}-{patient}",
            "PatientName": f"Nobody^{self.letter}",
            "Modality": "CT",
            "SeriesNumber": series,
            "InstanceNumber": place.rpartition(".")[2],
        }
        every |= values
        uid_class = every["SOPClassUID"]
        assert isinstance(uid_class, str)
        self.samples.append(Sample(encode(every, character_set), self.uid(place), uid_class))


def _basic() -> Collection:
    """Patients, studies, series and instances of all sorts, with nothing odd about them."""
    made = Collection(1, "B")
    john: Values = {"PatientName": "Doe^John", "PatientSex": "M", "PatientBirthDate": "19700101", "OtherPatientIDs": "X1\\X2"}
    head: Values = {
        **john,
        "StudyDate": "20200101",
        "StudyTime": "080000",
        "AccessionNumber": "A100",
        "StudyDescription": "Head CT",
        "StudyID": "S1",
        "ReferringPhysicianName": "Stone^Mary",
    }
    for number in (1, 2, 3):
        more: Values = {"SeriesDescription": "AXIAL", "BodyPartExamined": "HEAD", "StationName": "ROOM1"}
        made.add(f"1.1.{number}", "1", **head, **more)
    made.add("1.2.1", "1", **head, Modality="SR", SeriesDescription="REPORT")
    knee: Values = {"StudyDate": "20200215", "StudyTime": "120000", "AccessionNumber": "A101", "StudyDescription": "Knee MR"}
    made.add("2.1.1", "1", **john, **knee, Modality="MR", SOPClassUID=MRImageStorage, BodyPartExamined="KNEE")
    jane: Values = {"PatientName": "Doe^Jane", "PatientSex": "F", "PatientBirthDate": "19800630"}
    both: Values = {"StudyDate": "20210301", "StudyTime": "101500.123", "AccessionNumber": "B200", "StudyDescription": "Whole body"}
    made.add("3.1.1", "2", **jane, **both, BodyPartExamined="WHOLEBODY")
    made.add("3.2.1", "2", **jane, **both, Modality="PT", BodyPartExamined="WHOLEBODY")
    # All that a Type 2 attribute may leave empty is empty here, or absent.
    empty: Values = {"PatientBirthDate": "", "PatientSex": "", "StudyDate": "", "StudyTime": "", "AccessionNumber": ""}
    made.add("4.1.1", "3", PatientName="Roe^Richard", **empty, Modality="US")
    jim: Values = {"PatientName": "DOE^JIM^^^", "PatientSex": "M", "PatientBirthDate": "19000229"}
    made.add(
        "5.1.1", "4", **jim, StudyDate="19991231", StudyTime="235959", AccessionNumber="a100", StudyDescription="head ct", Modality="CR"
    )
    return made


def _names() -> Collection:
    """Names in many character sets, with one to three component groups."""
    made = Collection(2, "N")
    names = {
        1: ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        2: ("GB18030", "Wang^XiaoDong=王^小东"),
        3: ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
        4: ("ISO_IR 100", "Müller^Änne"),
        5: ("", "Muller^Anne"),
        6: ("ISO_IR 144", "Иванов^Иван"),
        7: ("ISO_IR 192", "Yamada^Jirou=山田^次郎"),
        8: ("", "Yamada^Hanako"),
        9: ("ISO_IR 192", "=山本^三郎"),
        10: ("", "Smith^John^Paul^Dr.^Jr."),
    }
    for number, (character_set, name) in names.items():
        made.add(f"{number}.1.1", str(number), character_set, PatientName=name, StudyID=str(number))
    text: Values = {"StudyDescription": "東京 knee", "PatientName": "Sato^Ken"}
    made.add("11.1.1", "11", "\\ISO 2022 IR 87", **text)
    made.add("12.1.1", "12", "ISO_IR 100", StudyDescription="Schädel", PatientName="Öz^Ümit")
    return made


def _texts() -> Collection:
    """Texts with what is special to SQL, to GLOB, to wild cards and to padding."""
    made = Collection(3, "T")
    descriptions = {
        1: "100% sure",
        2: "a_b",
        3: "axb",
        4: "[abc]",
        5: "abc",
        6: "O'Brien",
        7: "a*b",
        8: "  padded both  ",
        9: "Head",
        10: "HEAD",
        11: '""',
        12: "x' OR '1'='1",
        13: "who?",
        14: "-",
        15: "2020",
    }
    for number, text in descriptions.items():
        made.add(f"{number}.1.1", str(number), StudyDescription=text, StudyID=str(number))
    made.add("16.1.1", "16", PatientComments="one\\two", StudyID="16")
    made.add("17.1.1", "17", StudyID="17")
    made.add("18.1.1", "18", StudyID="18", StudyDescription="", InstitutionName="North  Wing", AccessionNumber="007")
    made.add("19.1.1", "19", StudyID="19", StudyDescription="Q" * 64, AccessionNumber="7", StationName="A%")
    return made


def _moments() -> Collection:
    """Dates and times of studies, and datetimes of the instances of the first of them."""
    made = Collection(4, "M")
    moments = {
        1: ("20200101", "000000"),
        2: ("20200101", "120000"),
        3: ("20200102", "003000"),
        4: ("20200102", "235959.999999"),
        5: ("20200103", "12"),
        6: ("20191231", "2359"),
        7: ("", ""),
        8: ("20240229", "103000.5"),
    }
    for number, (date, time) in moments.items():
        made.add(f"{number}.1.1", str(number), StudyDate=date, StudyTime=time)
    datetimes = (
        "20200101120000+0100",
        "20200101110000+0000",
        "20200101120000-0500",
        "20200101120000",
        "20200101120000.500000+0000",
        "2020",
        "",
    )
    for number, text in enumerate(datetimes, 1):
        made.add(f"1.2.{number}", "1", StudyDate="20200101", StudyTime="000000", AcquisitionDateTime=text)
    return made


def _zones() -> Collection:
    """Studies that say in which time zone their dates and times are (0008,0201), and one that does not."""
    made = Collection(5, "Z")
    moments = {
        1: ("20200101", "230000", "+0000"),
        2: ("20200102", "070000", "+0900"),  # 22:00 of 1 January, UTC
        3: ("20200101", "200000", "-0500"),  # 01:00 of 2 January, UTC
        4: ("20200101", "230000", ""),
    }
    for number, (date, time, zone) in moments.items():
        values: Values = {"TimezoneOffsetFromUTC": zone} if zone else {}
        made.add(f"{number}.1.1", str(number), StudyDate=date, StudyTime=time, **values)
    made.add("5.1.1", "5", TimezoneOffsetFromUTC="+0100", AcquisitionDateTime="20200101120000")
    return made


def _deep() -> Collection:
    """Sequences, several values, numbers, attributes that few ask for, and a private one."""
    made = Collection(6, "D")
    head: Values = {"CodeValue": "CTHEAD", "CodingSchemeDesignator": "99MADE", "CodeMeaning": "CT of the head"}
    neck: Values = {"CodeValue": "CTNECK", "CodingSchemeDesignator": "99MADE", "CodeMeaning": "CT of the neck"}
    first: Values = {
        "ProcedureCodeSequence": [head, neck],
        "NameOfPhysiciansReadingStudy": "Stone^Mary\\Reed^Paul",
        "AdmittingDiagnosesDescription": "Fall\\Headache",
        "PatientWeight": "72.50",
        "PatientMotherBirthName": "Moore^Ann",
        "ReasonForStudy": "Fell off a horse",
    }
    request_1: Values = {"RequestedProcedureID": "RP1", "ScheduledProcedureStepID": "STEP1", "RequestedProcedureDescription": "Head"}
    request_2: Values = {"RequestedProcedureID": "RP2", "ScheduledProcedureStepID": "STEP2", "RequestedProcedureDescription": "Neck"}
    crossed: Values = {"RequestedProcedureID": "RP1", "ScheduledProcedureStepID": "STEP2"}
    nested: Values = {**crossed, "ScheduledProtocolCodeSequence": [head]}
    image: Values = {"KVP": "120", "ImageType": "ORIGINAL\\PRIMARY\\AXIAL", "Rows": "512", "SliceLocation": "-12.50"}
    private: Values = {"00090010:LO": "MADE UP", "00091001:LO": "Blue"}
    made.add("1.1.1", "1", **first, RequestAttributesSequence=[request_1, request_2], **image, **private)
    made.add("1.1.2", "1", **first, RequestAttributesSequence=[request_1, request_2], KVP="120.0", InstanceNumber="007", Rows="256")
    made.add("1.2.1", "1", **first, RequestAttributesSequence=[crossed], OperatorsName="Ox^Ida\\Elk^Tom", SeriesNumber="+2")
    made.add("1.3.1", "1", **first, RequestAttributesSequence=[], SeriesNumber="10")
    made.add("1.4.1", "1", **first, RequestAttributesSequence=[nested], SeriesNumber="-4")
    second: Values = {"ProcedureCodeSequence": [neck], "NameOfPhysiciansReadingStudy": "Reed^Paul", "PatientWeight": "72.5"}
    made.add("2.1.1", "2", **second, PatientMotherBirthName="Marsh^Eve")
    made.add("3.1.1", "3", PatientWeight="7.25e1", AdmittingDiagnosesDescription="Headache", ReasonForStudy="fell")
    made.add("4.1.1", "4", PatientWeight="80", NameOfPhysiciansReadingStudy="Kim^Lee=XX^YY\\Ono^Mio=VV^WW")
    return made


BASIC, NAMES, TEXTS, MOMENTS, ZONES, DEEP = _basic(), _names(), _texts(), _moments(), _zones(), _deep()


def collections() -> Iterator[Collection]:
    """All of them."""
    yield from (BASIC, NAMES, TEXTS, MOMENTS, ZONES, DEEP)
