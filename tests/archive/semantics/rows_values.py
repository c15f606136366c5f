"""Texts, numbers, UIDs and what is special in them: PS3.4 C.2.2.2.1 to C.2.2.2.4, C.2.2.2.7 and C.2.2.2.8."""

from __future__ import annotations

from typing import Final

from dimse.data.uids import CTImageStorage, MRImageStorage
from tests.archive.semantics.row import EMPTY, MULTIPLE, PATIENT_ROOT, REFUSED, Row
from tests.archive.semantics.stored import BASIC, DEEP, TEXTS

EVERY: Final = "1 2 3 4 5"
_IN_SERIES: Final = {"StudyInstanceUID": "{1}", "SeriesInstanceUID": "{1.1}"}
_ALTERNATIVES: Final = "several values are alternatives; without negotiation the standard leaves their meaning open"
_BY_VALUE: Final = "numbers match by value, however they are written"
_UNKNOWN: Final = "an empty value fails to match, as in a worklist (K.2.2.1.1.1); C.2.2.1.2 would have it match any key"
_STAR: Final = "`*` alone is universal for every VR"

SINGLE: Final = (
    Row("single-patient-id", "C.2.2.2.1", BASIC, "STUDY", {"PatientID": "B-1"}, "1 2"),
    Row("single-is-case-sensitive-lo", "C.2.2.2.1", BASIC, "STUDY", {"PatientID": "b-1"}),
    Row("single-is-case-sensitive-sh", "C.2.2.2.1", BASIC, "STUDY", {"AccessionNumber": "A100"}, "1"),
    Row("single-is-case-sensitive-sh-lower", "C.2.2.2.1", BASIC, "STUDY", {"AccessionNumber": "a100"}, "5"),
    Row("single-is-no-substring", "C.2.2.2.1", BASIC, "STUDY", {"StudyDescription": "Head"}),
    Row("single-whole-text", "C.2.2.2.1", BASIC, "STUDY", {"StudyDescription": "Head CT"}, "1"),
    Row("single-cs", "C.2.2.2.1", BASIC, "STUDY", {"PatientSex": "F"}, "3"),
    Row("single-sh", "C.2.2.2.1", BASIC, "STUDY", {"StudyID": "S1"}, "1"),
    Row("single-none", "C.2.2.2.1", BASIC, "STUDY", {"StudyID": "S9"}),
    Row("single-keys-are-all-to-match", "C.4.1.3.1", BASIC, "STUDY", {"PatientSex": "M", "StudyDate": "20200215"}, "2"),
    Row("single-keys-that-exclude-each-other", "C.4.1.3.1", BASIC, "STUDY", {"PatientSex": "F", "PatientID": "B-1"}),
    Row("single-uid", "C.2.2.2.1", BASIC, "STUDY", {"StudyInstanceUID": "{2}"}, "2"),
    Row("single-uid-is-no-prefix", "C.2.2.2.1", BASIC, "STUDY", {"StudyInstanceUID": "1.2.999.1"}),
    Row("single-modality", "C.2.2.2.1", BASIC, "SERIES", {"StudyInstanceUID": "{1}", "Modality": "SR"}, "1.2"),
    Row("single-body-part", "C.2.2.2.1", BASIC, "SERIES", {"StudyInstanceUID": "{2}", "BodyPartExamined": "KNEE"}, "2.1"),
    Row("single-sop-class", "C.2.2.2.1", BASIC, "IMAGE", {**_IN_SERIES, "SOPClassUID": CTImageStorage}, "1.1.1 1.1.2 1.1.3"),
    Row("single-sop-class-other", "C.2.2.2.1", BASIC, "IMAGE", {**_IN_SERIES, "SOPClassUID": MRImageStorage}),
    Row("single-value-comes-back", "C.2.2.1", BASIC, "STUDY", {"AccessionNumber": "A101"}, {"2": {"AccessionNumber": "A101"}}),
)

NUMBERS: Final = (
    Row("number-is", "C.2.2.2.1", BASIC, "SERIES", {"StudyInstanceUID": "{1}", "SeriesNumber": "2"}, "1.2"),
    Row("number-is-no-prefix", "C.2.2.2.1", DEEP, "SERIES", {"StudyInstanceUID": "{1}", "SeriesNumber": "1"}, "1.1"),
    Row("number-is-zeros", "PS3.5 6.2", DEEP, "IMAGE", {**_IN_SERIES, "InstanceNumber": "7"}, "1.1.2", choice=_BY_VALUE),
    Row("number-is-zeros-in-the-key", "PS3.5 6.2", BASIC, "IMAGE", {**_IN_SERIES, "InstanceNumber": "0002"}, "1.1.2", choice=_BY_VALUE),
    Row("number-is-plus", "PS3.5 6.2", DEEP, "SERIES", {"StudyInstanceUID": "{1}", "SeriesNumber": "2"}, "1.2", choice=_BY_VALUE),
    Row("number-is-minus", "C.2.2.2.1", DEEP, "SERIES", {"StudyInstanceUID": "{1}", "SeriesNumber": "-4"}, "1.4"),
    Row("number-is-minus-is-no-range", "C.2.2.2.5", DEEP, "SERIES", {"StudyInstanceUID": "{1}", "SeriesNumber": "1-10"}),
    Row("number-is-padded", "PS3.5 6.2", BASIC, "IMAGE", {**_IN_SERIES, "InstanceNumber": b" 3 "}, "1.1.3"),
    Row("number-ds", "PS3.5 6.2", DEEP, "STUDY", {"PatientWeight": "72.5"}, "1 2 3", choice=_BY_VALUE),
    Row("number-ds-exponent", "PS3.5 6.2", DEEP, "STUDY", {"PatientWeight": "0.725E+2"}, "1 2 3", choice=_BY_VALUE),
    Row(
        "number-ds-comes-back-as-it-is",
        "C.2.2.1",
        DEEP,
        "STUDY",
        {"PatientWeight": "80.0"},
        {"4": {"PatientWeight": "80"}},
        choice=_BY_VALUE,
    ),
    Row("number-ds-of-no-index", "PS3.5 6.2", DEEP, "IMAGE", {**_IN_SERIES, "KVP": "120"}, "1.1.1 1.1.2", choice=_BY_VALUE),
    Row("number-ds-of-no-index-minus", "PS3.5 6.2", DEEP, "IMAGE", {**_IN_SERIES, "SliceLocation": "-12.5"}, "1.1.1", choice=_BY_VALUE),
    Row("number-ds-of-no-index-none", "C.2.2.2.1", DEEP, "IMAGE", {**_IN_SERIES, "KVP": "12"}),
    Row("number-us", "C.2.2.2.1", DEEP, "IMAGE", {**_IN_SERIES, "Rows": "512"}, {"1.1.1": {"Rows": "512"}}),
    Row("number-us-none", "C.2.2.2.1", DEEP, "IMAGE", {**_IN_SERIES, "Rows": "511"}),
)

UIDS: Final = (
    Row("uids-two", "C.2.2.2.2", BASIC, "STUDY", {"StudyInstanceUID": "{1}\\{3}"}, "1 3"),
    Row("uids-one-unknown", "C.2.2.2.2", BASIC, "STUDY", {"StudyInstanceUID": "{1}\\1.2.3"}, "1"),
    Row("uids-all-unknown", "C.2.2.2.2", BASIC, "STUDY", {"StudyInstanceUID": "1.2.3\\1.2.4"}),
    Row("uids-twice", "C.2.2.2.2", BASIC, "STUDY", {"StudyInstanceUID": "{1}\\{1}"}, "1"),
    Row("uids-many", "C.2.2.2.2", BASIC, "STUDY", {"StudyInstanceUID": "\\".join(f"1.2.{n}" for n in range(800)) + "\\{3}"}, "3"),
    Row("uids-of-series", "C.2.2.2.2", BASIC, "SERIES", {"StudyInstanceUID": "{1}", "SeriesInstanceUID": "{1.1}\\{1.2}"}, "1.1 1.2"),
    Row("uids-of-instances", "C.2.2.2.2", BASIC, "IMAGE", {**_IN_SERIES, "SOPInstanceUID": "{1.1.1}\\{1.1.3}"}, "1.1.1 1.1.3"),
    Row("uids-of-another-series", "C.4.1.3.1.1", BASIC, "IMAGE", {**_IN_SERIES, "SOPInstanceUID": "{1.1.1}\\{1.2.1}"}, "1.1.1"),
    Row("uids-of-sop-classes", "C.2.2.2.2", BASIC, "IMAGE", {**_IN_SERIES, "SOPClassUID": f"{CTImageStorage}\\1.2"}, "1.1.1 1.1.2 1.1.3"),
    Row("uids-with-another-key", "C.2.2.2.2", BASIC, "STUDY", {"StudyInstanceUID": "{1}\\{3}", "PatientSex": "M"}, "1"),
    Row(
        "uids-an-empty-one",
        "C.2.2.2.2",
        BASIC,
        "STUDY",
        {"StudyInstanceUID": "{1}\\"},
        "1",
        choice="an empty value in a list asks for nothing",
    ),
)

UNIVERSAL: Final = (
    Row("universal-empty", "C.2.2.2.3", BASIC, "STUDY", {"StudyDescription": ""}, EVERY),
    Row("universal-no-key", "C.2.2.2.3", BASIC, "STUDY", {}, EVERY),
    Row("universal-star", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "*"}, EVERY),
    Row("universal-star-of-an-empty-value", "C.2.2.2.4", BASIC, "STUDY", {"AccessionNumber": "*"}, EVERY),
    Row("universal-stars", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "**"}, EVERY, choice="as `*`"),
    Row("universal-name", "C.2.2.2.4", BASIC, "STUDY", {"PatientName": "*"}, EVERY),
    Row("universal-date-empty", "C.2.2.2.3", BASIC, "STUDY", {"StudyDate": ""}, EVERY),
    Row("universal-date-star", "C.2.2.2.4", BASIC, "STUDY", {"StudyDate": "*"}, EVERY, choice=_STAR),
    Row("universal-time-star", "C.2.2.2.4", BASIC, "STUDY", {"StudyTime": "*"}, EVERY, choice=_STAR),
    Row("universal-uid-star", "C.2.2.2.4", BASIC, "STUDY", {"StudyInstanceUID": "*"}, EVERY, choice=_STAR),
    Row("universal-number-star", "C.2.2.2.4", BASIC, "SERIES", {"StudyInstanceUID": "{1}", "SeriesNumber": "*"}, "1.1 1.2", choice=_STAR),
    Row("universal-spaces", "PS3.5 6.2", BASIC, "STUDY", {"StudyDescription": "  "}, EVERY, choice="spaces are padding of no value"),
    Row("universal-comes-back", "C.2.2.2.3", BASIC, "STUDY", {"StudyInstanceUID": "{3}", "PatientSex": ""}, {"3": {"PatientSex": "F"}}),
    Row(
        "universal-comes-back-empty",
        "C.2.2.1.2",
        BASIC,
        "STUDY",
        {"StudyInstanceUID": "{4}", "PatientSex": "", "StudyDate": "", "StudyDescription": ""},
        {"4": {"PatientSex": "", "StudyDate": "", "StudyDescription": ""}},
    ),
    Row("universal-of-no-index-star", "C.2.2.2.4", DEEP, "STUDY", {"ReasonForStudy": "*"}, "1 2 3 4"),
)

WILD: Final = (
    Row("wild-end", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "Head*"}, "1"),
    Row("wild-end-case", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "head*"}, "5"),
    Row("wild-start", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "*CT"}, "1"),
    Row("wild-both", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "*e*"}, "1 2 3 5"),
    Row("wild-middle", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "W*y"}, "3"),
    Row("wild-star-is-nothing-too", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "Head CT*"}, "1"),
    Row("wild-one", "C.2.2.2.4", BASIC, "STUDY", {"AccessionNumber": "A10?"}, "1 2"),
    Row("wild-one-in-the-middle", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "Head?CT"}, "1"),
    Row("wild-one-is-not-none", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "Head CT?"}),
    Row("wild-one-is-not-two", "C.2.2.2.4", BASIC, "STUDY", {"AccessionNumber": "A?0"}),
    Row("wild-spaces-between", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "*d *"}, "8"),
    Row("wild-spaces-alone", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "* *"}, "1 2 3 5"),
    Row("wild-several", "C.2.2.2.4", BASIC, "STUDY", {"StudyDescription": "?ead*C?"}, "1"),
    Row("wild-at-least-one", "C.2.2.2.4", BASIC, "STUDY", {"AccessionNumber": "?*"}, "1 2 3 5", choice=_UNKNOWN),
    Row("wild-cs", "C.2.2.2.4", BASIC, "SERIES", {"StudyInstanceUID": "{1}", "Modality": "C?"}, "1.1"),
    Row("wild-cs-body-part", "C.2.2.2.4", BASIC, "SERIES", {"StudyInstanceUID": "{3}", "BodyPartExamined": "*BODY"}, "3.1 3.2"),
    Row("wild-lo-patient-id", "C.2.2.2.4", BASIC, "PATIENT", {"PatientID": "B-?"}, "B-1 B-2 B-3 B-4", model=PATIENT_ROOT),
    Row("wild-ui-is-literal", "C.2.2.2.4", BASIC, "STUDY", {"StudyInstanceUID": "1.2.999.1.*"}),
    Row("wild-is-is-literal", "C.2.2.2.4", DEEP, "SERIES", {"StudyInstanceUID": "{1}", "SeriesNumber": "1*"}),
    Row("wild-literal-question-mark", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "who?"}, "13"),
    Row("wild-literal-star", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "a*b"}, "2 3 7"),
    Row("wild-one-for-a-star", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "a?b"}, "2 3 7"),
    Row("wild-of-no-index", "C.2.2.2.4", DEEP, "STUDY", {"ReasonForStudy": "Fell*"}, "1"),
    Row("wild-hostile", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "*Q" * 30 + "R"}),
    Row("wild-hostile-that-matches", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "*Q" * 30}, "19"),
)

LITERAL: Final = (
    Row("D_22-percent", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "%"}),
    Row("D_22-percent-in-a-value", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "100% sure"}, "1"),
    Row("D_22-percent-with-wild-card", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "100%*"}, "1"),
    Row("D_22-percent-is-no-wild-card", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "a%b*"}),
    Row("D_22-underscore", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "_"}),
    Row("D_22-underscore-in-a-value", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "a_b"}, "2"),
    Row("D_22-underscore-with-wild-card", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "a_*"}, "2"),
    Row("D_22-brackets", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "[abc]"}, "4"),
    Row("D_22-brackets-with-wild-card", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "[abc]*"}, "4"),
    Row("D_22-brackets-are-no-class", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "[a-z]*"}),
    Row("D_22-caret-is-no-class", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "[^x]*"}),
    Row("D_22-quote", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "O'Brien"}, "6"),
    Row("D_22-quote-with-wild-card", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "O'B*"}, "6"),
    Row("D_22-injection", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "' OR 1=1 --"}),
    Row("D_22-injection-with-wild-card", "C.2.2.2.4", TEXTS, "STUDY", {"StudyDescription": "*' OR 1=1 --"}),
    Row("D_22-injection-that-is-stored", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "x' OR '1'='1"}, "12"),
    Row("D_22-injection-in-a-list", "C.2.2.2.2", TEXTS, "STUDY", {"StudyInstanceUID": "1') OR 1=1 --\\{1}"}, "1"),
    Row("D_22-backslash-separates", "PS3.5 6.4", TEXTS, "STUDY", {"StudyDescription": "abc\\b"}, "5", choice=_ALTERNATIVES),
    Row("D_22-backslash-of-lt", "PS3.5 6.2", TEXTS, "STUDY", {"PatientComments": "one\\two"}, "16"),
    Row("D_22-backslash-of-lt-does-not-separate", "PS3.5 6.2", TEXTS, "STUDY", {"PatientComments": "two"}),
    Row("D_22-64-kilobytes", "C.2.2.2", TEXTS, "STUDY", {"StudyDescription": "Q" * 65_000}),
    Row("D_22-zero-length", "C.2.2.2.3", TEXTS, "STUDY", {"PatientName": b"", "StudyDescription": "abc"}, "5"),
    Row("D_22-control-characters", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": b"abc\r\n"}),
    Row("D_22-nul-inside", "C.2.2.2.1", TEXTS, "STUDY", {"AccessionNumber": b"0\x0007"}, "18", choice="NUL stands for nothing but padding"),
    Row("D_22-sequence-for-a-name", "PS3.5 7.5", TEXTS, "STUDY", {"00100010:SQ": [{"StudyID": "1"}]}, status=REFUSED),
    Row("text-case", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "Head"}, "9"),
    Row("text-case-upper", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "HEAD"}, "10"),
    Row("text-case-neither", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "head"}),
    Row("text-minus-is-no-range", "C.2.2.2.5", TEXTS, "STUDY", {"StudyDescription": "-"}, "14"),
    Row("text-range-is-literal", "C.2.2.2.5", TEXTS, "STUDY", {"StudyDescription": "2019-2021"}),
    Row("text-of-digits-is-no-number", "C.2.2.2.1", TEXTS, "STUDY", {"AccessionNumber": "7"}, "19"),
    Row("text-of-digits-with-zeros", "C.2.2.2.1", TEXTS, "STUDY", {"AccessionNumber": "007"}, "18"),
    Row("text-as-long-as-may-be", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "Q" * 64}, "19"),
    Row("text-one-character-short", "C.2.2.2.1", TEXTS, "STUDY", {"StudyDescription": "Q" * 63}),
)

PADDING: Final = (
    Row("padding-of-the-stored", "PS3.5 6.2", TEXTS, "STUDY", {"StudyDescription": "padded both"}, "8"),
    Row("padding-of-the-key", "PS3.5 6.2", TEXTS, "STUDY", {"StudyDescription": b"abc   "}, "5"),
    Row("padding-before-the-key", "PS3.5 6.2", TEXTS, "STUDY", {"StudyDescription": b"   abc"}, "5"),
    Row("padding-and-wild-card", "PS3.5 6.2", TEXTS, "STUDY", {"StudyDescription": "padded*"}, "8"),
    Row("padding-and-wild-card-before", "PS3.5 6.2", TEXTS, "STUDY", {"StudyDescription": "*both"}, "8"),
    Row("padding-inside-counts", "PS3.5 6.2", TEXTS, "SERIES", {"StudyInstanceUID": "{18}", "InstitutionName": "North Wing"}),
    Row("padding-inside", "PS3.5 6.2", TEXTS, "SERIES", {"StudyInstanceUID": "{18}", "InstitutionName": "North  Wing"}, "18.1"),
    Row("padding-of-a-uid-nul", "PS3.5 9.1", BASIC, "STUDY", {"StudyInstanceUID": b"1.2.999.1.2\0"}, "2"),
    Row("padding-of-a-uid-space", "PS3.5 9.1", BASIC, "STUDY", {"StudyInstanceUID": b"1.2.999.1.2 "}, "2", choice="tolerated: many do it"),
    Row("padding-of-cs", "PS3.5 6.2", BASIC, "STUDY", {"PatientSex": b"F "}, "3"),
    Row("padding-nul-for-space", "PS3.5 6.2", BASIC, "STUDY", {"AccessionNumber": b"A100\0\0"}, "1", choice="tolerated: some do it"),
    Row("padding-in-a-list", "PS3.5 6.4", BASIC, "STUDY", {"AccessionNumber": b"A100 \\ A101"}, "1 2", choice=_ALTERNATIVES),
)

SEVERAL: Final = (
    Row("several-stored-first", "C.2.2.3", BASIC, "STUDY", {"OtherPatientIDs": "X1"}, "1 2"),
    Row(
        "several-stored-all-come-back",
        "C.2.2.3",
        BASIC,
        "STUDY",
        {"OtherPatientIDs": "X2"},
        {"1": {"OtherPatientIDs": "X1\\X2"}, "2": {"OtherPatientIDs": "X1\\X2"}},
    ),
    Row("several-stored-names", "C.2.2.3", DEEP, "STUDY", {"NameOfPhysiciansReadingStudy": "reed*"}, "1 2"),
    Row("several-stored-texts", "C.2.2.3", DEEP, "STUDY", {"AdmittingDiagnosesDescription": "Headache"}, "1 3"),
    Row("several-stored-are-not-one", "C.2.2.3", DEEP, "STUDY", {"AdmittingDiagnosesDescription": "Fall*ache"}),
    Row("several-stored-of-no-index", "C.2.2.3", DEEP, "IMAGE", {**_IN_SERIES, "ImageType": "AXIAL"}, "1.1.1"),
    Row("several-asked-sh", "C.2.2.2.8", BASIC, "STUDY", {"AccessionNumber": "A100\\B200"}, "1 3", choice=_ALTERNATIVES),
    Row("several-asked-lo", "C.2.2.2.8", BASIC, "STUDY", {"PatientID": "B-1\\B-2"}, "1 2 3", choice=_ALTERNATIVES),
    Row("several-asked-wild", "C.2.2.2.8", BASIC, "STUDY", {"AccessionNumber": "A10?\\B*"}, "1 2 3", choice=_ALTERNATIVES),
    Row("several-asked-names", "C.2.2.2.8", BASIC, "STUDY", {"PatientName": "ROE*\\doe^jane"}, "3 4", choice=_ALTERNATIVES),
    Row("several-asked-dates", "C.2.2.2.8", BASIC, "STUDY", {"StudyDate": "20200101\\20210301"}, "1 3", choice=_ALTERNATIVES),
    Row("several-asked-ranges", "C.2.2.2.8", BASIC, "STUDY", {"StudyDate": "20200101-20200131\\-19991231"}, "1 5", choice=_ALTERNATIVES),
    Row(
        "several-asked-of-several",
        "C.2.2.2.8",
        DEEP,
        "STUDY",
        {"AdmittingDiagnosesDescription": "Fall\\Headache"},
        "1 3",
        choice=_ALTERNATIVES,
    ),
    Row("several-negotiated", "C.2.2.2.8", DEEP, "STUDY", {"AdmittingDiagnosesDescription": "Fall\\Headache"}, "1", options=MULTIPLE),
    Row("several-negotiated-any-order", "C.2.2.2.8", BASIC, "STUDY", {"OtherPatientIDs": "X2\\X1"}, "1 2", options=MULTIPLE),
    Row("several-negotiated-one-missing", "C.2.2.2.8", BASIC, "STUDY", {"OtherPatientIDs": "X1\\X3"}, options=MULTIPLE),
    Row("several-negotiated-a-part", "C.2.2.2.8", DEEP, "STUDY", {"NameOfPhysiciansReadingStudy": "Stone^Mary"}, "1", options=MULTIPLE),
    Row("several-negotiated-modalities", "C.2.2.2.8", BASIC, "STUDY", {"ModalitiesInStudy": "CT\\PT"}, "3", options=MULTIPLE),
    Row("several-negotiated-modalities-and-sr", "C.2.2.2.8", BASIC, "STUDY", {"ModalitiesInStudy": "SR\\CT"}, "1", options=MULTIPLE),
    Row("several-negotiated-list-of-uids", "C.2.2.2.2", BASIC, "STUDY", {"StudyInstanceUID": "{1}\\{3}"}, "1 3", options=MULTIPLE),
    Row("several-not-negotiated-modalities", "C.2.2.2.8", BASIC, "STUDY", {"ModalitiesInStudy": "CT\\PT"}, "1 3", choice=_ALTERNATIVES),
)

EMPTIES: Final = (
    Row("empty-lo", "C.2.2.2.7", TEXTS, "STUDY", {"StudyDescription": '""'}, "16 17 18", options=EMPTY),
    Row("empty-sh", "C.2.2.2.7", BASIC, "STUDY", {"AccessionNumber": '""'}, "4", options=EMPTY),
    Row("empty-date", "C.2.2.2.7", BASIC, "STUDY", {"StudyDate": '""'}, "4", options=EMPTY),
    Row("empty-time", "C.2.2.2.7", BASIC, "STUDY", {"StudyTime": '""'}, "4", options=EMPTY),
    Row("empty-cs", "C.2.2.2.7", BASIC, "PATIENT", {"PatientSex": '""'}, "B-3", model=PATIENT_ROOT, options=EMPTY),
    Row("empty-name", "C.2.2.2.7", BASIC, "STUDY", {"ReferringPhysicianName": '""'}, "2 3 4 5", options=EMPTY),
    Row("empty-name-none", "C.2.2.2.7", BASIC, "STUDY", {"PatientName": '""'}, options=EMPTY),
    Row("empty-several", "C.2.2.2.7", BASIC, "STUDY", {"OtherPatientIDs": '""'}, "3 4 5", options=EMPTY),
    Row("empty-of-no-index", "C.2.2.2.7", DEEP, "STUDY", {"ReasonForStudy": '""'}, "2 4", options=EMPTY),
    Row("empty-with-another-key", "C.2.2.2.7", BASIC, "STUDY", {"StudyDate": '""', "PatientSex": "M"}, options=EMPTY),
    Row("empty-other-keys-as-ever", "C.2.2.2.7", BASIC, "STUDY", {"StudyDescription": "Head*"}, "1", options=EMPTY),
    Row("empty-not-negotiated", "C.2.2.2.7", TEXTS, "STUDY", {"StudyDescription": '""'}, "11", choice="two quotation marks are text then"),
    Row("empty-not-negotiated-date", "C.2.2.2.7", BASIC, "STUDY", {"StudyDate": '""'}, status=REFUSED, choice="no date"),
    Row("empty-fails-to-match-a-value", "C.2.2.1.2", BASIC, "STUDY", {"AccessionNumber": "A*"}, "1 2", choice=_UNKNOWN),
    Row("empty-fails-to-match-a-sex", "C.2.2.1.2", BASIC, "STUDY", {"PatientSex": "M"}, "1 2 5", choice=_UNKNOWN),
)

ROWS: Final = (*SINGLE, *NUMBERS, *UIDS, *UNIVERSAL, *WILD, *LITERAL, *PADDING, *SEVERAL, *EMPTIES)
