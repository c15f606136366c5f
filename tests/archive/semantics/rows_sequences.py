"""Sequences (PS3.4 C.2.2.2.6) and private attributes (PS3.5 7.8) as keys."""

from __future__ import annotations

from typing import Final

from tests.archive.semantics.row import REFUSED, Row
from tests.archive.semantics.stored import DEEP

_IN_STUDY: Final = {"StudyInstanceUID": "{1}"}
_IN_SERIES: Final = {**_IN_STUDY, "SeriesInstanceUID": "{1.1}"}
_PRIVATE: Final = "a private attribute is a key by its creator"
_ITEMS: Final = "no key of the item has a value: as an item without any"


def _requests(*items: dict[str, str]) -> dict[str, object]:
    return {"RequestAttributesSequence": list(items)}


_STEP_1: Final = {"ScheduledProcedureStepID": "STEP1"}
SEQUENCES: Final = (
    Row("sequence-empty", "C.2.2.2.6", DEEP, "SERIES", {**_IN_STUDY, "RequestAttributesSequence": []}, "1.1 1.2 1.3 1.4"),
    Row("sequence-empty-item", "C.2.2.2.6", DEEP, "SERIES", {**_IN_STUDY, "RequestAttributesSequence": [{}]}, "1.1 1.2 1.3 1.4"),
    Row(
        "sequence-whole-comes-back",
        "C.2.2.2.6",
        DEEP,
        "SERIES",
        {**_IN_STUDY, "SeriesInstanceUID": "{1.2}", "RequestAttributesSequence": [{}]},
        {"1.2": _requests({"RequestedProcedureID": "RP1", "ScheduledProcedureStepID": "STEP2"})},
    ),
    Row(
        "sequence-one-key", "C.2.2.2.6", DEEP, "SERIES", {**_IN_STUDY, "RequestAttributesSequence": [_STEP_1]}, {"1.1": _requests(_STEP_1)}
    ),
    Row(
        "sequence-item-by-item",
        "C.2.2.2.6",
        DEEP,
        "SERIES",
        {**_IN_STUDY, "RequestAttributesSequence": [{"RequestedProcedureID": "RP1", "ScheduledProcedureStepID": "STEP2"}]},
        "1.2 1.4",
    ),
    Row(
        "sequence-several-found",
        "C.2.2.2.6",
        DEEP,
        "SERIES",
        {**_IN_STUDY, "RequestAttributesSequence": [{"RequestedProcedureID": "RP1"}]},
        "1.1 1.2 1.4",
    ),
    Row("sequence-none-found", "C.2.2.2.6", DEEP, "SERIES", {**_IN_STUDY, "RequestAttributesSequence": [{"RequestedProcedureID": "RP9"}]}),
    Row(
        "sequence-wild",
        "C.2.2.2.6",
        DEEP,
        "SERIES",
        {**_IN_STUDY, "SeriesInstanceUID": "{1.1}", "RequestAttributesSequence": [{"ScheduledProcedureStepID": "STEP*"}]},
        {"1.1": _requests(_STEP_1, {"ScheduledProcedureStepID": "STEP2"})},
    ),
    Row(
        "sequence-matched-and-returned",
        "C.2.2.2.6",
        DEEP,
        "SERIES",
        {**_IN_STUDY, "RequestAttributesSequence": [{"ScheduledProcedureStepID": "STEP1", "RequestedProcedureDescription": ""}]},
        {"1.1": _requests({"ScheduledProcedureStepID": "STEP1", "RequestedProcedureDescription": "Head"})},
    ),
    Row(
        "sequence-case",
        "C.2.2.2.6",
        DEEP,
        "SERIES",
        {**_IN_STUDY, "RequestAttributesSequence": [{"RequestedProcedureDescription": "head"}]},
    ),
    Row(
        "sequence-universal-keys",
        "C.2.2.2.6",
        DEEP,
        "SERIES",
        {**_IN_STUDY, "RequestAttributesSequence": [{"RequestedProcedureID": ""}]},
        "1.1 1.2 1.3 1.4",
        choice=_ITEMS,
    ),
    Row(
        "sequence-in-a-sequence",
        "C.2.2.2.6",
        DEEP,
        "SERIES",
        {**_IN_STUDY, "RequestAttributesSequence": [{"ScheduledProtocolCodeSequence": [{"CodeValue": "CTHEAD"}]}]},
        "1.4",
    ),
    Row(
        "sequence-in-a-sequence-none",
        "C.2.2.2.6",
        DEEP,
        "SERIES",
        {**_IN_STUDY, "RequestAttributesSequence": [{"ScheduledProtocolCodeSequence": [{"CodeValue": "CTNECK"}]}]},
    ),
    Row("sequence-of-a-study", "C.2.2.2.6", DEEP, "STUDY", {"ProcedureCodeSequence": [{"CodeValue": "CTNECK"}]}, "1 2"),
    Row(
        "sequence-of-a-study-two-keys",
        "C.2.2.2.6",
        DEEP,
        "STUDY",
        {"ProcedureCodeSequence": [{"CodeValue": "CTHEAD", "CodingSchemeDesignator": "99MADE"}]},
        "1",
    ),
    Row(
        "sequence-of-a-study-crossed",
        "C.2.2.2.6",
        DEEP,
        "STUDY",
        {"ProcedureCodeSequence": [{"CodeValue": "CTHEAD", "CodeMeaning": "CT of the neck"}]},
    ),
    Row("sequence-of-a-study-wild", "C.2.2.2.6", DEEP, "STUDY", {"ProcedureCodeSequence": [{"CodeMeaning": "*neck"}]}, "1 2"),
    Row(
        "sequence-and-another-key",
        "C.2.2.2.6",
        DEEP,
        "STUDY",
        {"ProcedureCodeSequence": [{"CodeValue": "CTNECK"}], "NameOfPhysiciansReadingStudy": "stone*"},
        "1",
    ),
    Row(
        "sequence-of-two-items",
        "C.2.2.2.6",
        DEEP,
        "STUDY",
        {"ProcedureCodeSequence": [{"CodeValue": "CTNECK"}, {"CodeValue": "CTHEAD"}]},
        status=REFUSED,
        choice="a key has one item",
    ),
)

_CREATOR: Final = {"00090010:LO": "MADE UP"}
PRIVATE: Final = (
    Row("private", "PS3.5 7.8", DEEP, "IMAGE", {**_IN_SERIES, **_CREATOR, "00091001:LO": "Blue"}, "1.1.1", choice=_PRIVATE),
    Row("private-none", "PS3.5 7.8", DEEP, "IMAGE", {**_IN_SERIES, **_CREATOR, "00091001:LO": "Red"}, choice=_PRIVATE),
    Row(
        "private-in-another-block",
        "PS3.5 7.8",
        DEEP,
        "IMAGE",
        {**_IN_SERIES, "00090020:LO": "MADE UP", "00092001:LO": "Blue"},
        "1.1.1",
        choice=_PRIVATE,
    ),
)

ROWS: Final = (*SEQUENCES, *PRIVATE)
