"""Dates, times and datetimes: PS3.4 C.2.2.2.5, and what may be negotiated about them (C.5.1.1)."""

from __future__ import annotations

from typing import Final

from tests.archive.semantics.row import COMBINED, REFUSED, ZONED, Row
from tests.archive.semantics.stored import BASIC, MOMENTS, ZONES

_IN_SERIES: Final = {"StudyInstanceUID": "{1}", "SeriesInstanceUID": "{1.2}"}
_SPAN: Final = "a key takes in the whole span that it denotes, a stored value stands for its first moment"
_OLD: Final = "the forms with dots and colons are read, as PS3.5 6.2 advises"
_UNKNOWN: Final = "an empty value fails to match, as in a worklist (K.2.2.1.1.1); C.2.2.1.2 would have it match any key"
_NO_ZONE: Final = "a moment without a zone is taken as it stands"
_NO_DATE: Final = "what is no date or time of its VR is refused"

DATES: Final = (
    Row("date-single", "C.2.2.2.1", MOMENTS, "STUDY", {"StudyDate": "20200101"}, "1 2"),
    Row("date-leap-day", "C.2.2.2.1", MOMENTS, "STUDY", {"StudyDate": "20240229"}, "8"),
    Row("date-range", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200101-20200102"}, "1 2 3 4"),
    Row("date-range-of-one-day", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200101-20200101"}, "1 2"),
    Row("date-from", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200102-"}, "3 4 5 8"),
    Row("date-until", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "-20200101"}, "1 2 6"),
    Row("date-range-none", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20210101-20211231"}),
    Row("date-range-over-years", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20191231-20200101"}, "1 2 6"),
    Row("date-range-backwards", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200102-20200101"}, choice="nothing lies in it"),
    Row("date-range-padded", "PS3.5 6.2", MOMENTS, "STUDY", {"StudyDate": b"20200102- "}, "3 4 5 8"),
    Row(
        "date-range-with-spaces",
        "C.2.2.2.5",
        MOMENTS,
        "STUDY",
        {"StudyDate": "20200101 - 20200102"},
        "1 2 3 4",
        choice="as the standard writes it",
    ),
    Row("date-old", "PS3.5 6.2", MOMENTS, "STUDY", {"StudyDate": "2020.01.01"}, "1 2", choice=_OLD),
    Row("date-old-range", "PS3.5 6.2", MOMENTS, "STUDY", {"StudyDate": "2020.01.01-2020.01.02"}, "1 2 3 4", choice=_OLD),
    Row("date-unknown-is-in-no-range", "C.2.2.1.2", MOMENTS, "STUDY", {"StudyDate": "19000101-"}, "1 2 3 4 5 6 8", choice=_UNKNOWN),
    Row("date-no-date", "C.4.1.1.4", MOMENTS, "STUDY", {"StudyDate": "yesterday"}, status=REFUSED, choice=_NO_DATE),
    Row("date-no-end", "C.4.1.1.4", MOMENTS, "STUDY", {"StudyDate": "20200101-later"}, status=REFUSED, choice=_NO_DATE),
    Row("date-dash", "C.4.1.1.4", MOMENTS, "STUDY", {"StudyDate": "-"}, status=REFUSED, choice=_NO_DATE),
    Row("date-year", "C.4.1.1.4", MOMENTS, "STUDY", {"StudyDate": "2020"}, status=REFUSED, choice=_NO_DATE),
    Row("date-wild", "C.2.2.2.4", MOMENTS, "STUDY", {"StudyDate": "202001*"}, status=REFUSED, choice=_NO_DATE),
    Row("date-of-birth", "C.2.2.2.5", BASIC, "STUDY", {"PatientBirthDate": "19600101-19791231"}, "1 2"),
    Row(
        "date-that-never-was",
        "C.2.2.2.1",
        BASIC,
        "STUDY",
        {"PatientBirthDate": "19000229"},
        "5",
        choice="stored as it came, found as it is",
    ),
    Row("date-comes-back", "C.2.2.1", BASIC, "STUDY", {"StudyDate": "20200101-20200131"}, {"1": {"StudyDate": "20200101"}}),
)

TIMES: Final = (
    Row("time-single", "C.2.2.2.1", MOMENTS, "STUDY", {"StudyTime": "003000"}, "3"),
    Row("time-midnight", "C.2.2.2.1", MOMENTS, "STUDY", {"StudyTime": "000000"}, "1"),
    Row("time-hour-stored", "PS3.5 6.2", MOMENTS, "STUDY", {"StudyTime": "120000"}, "2 5", choice=_SPAN),
    Row("time-hour-asked", "PS3.5 6.2", MOMENTS, "STUDY", {"StudyTime": "12"}, "2 5", choice=_SPAN),
    Row("time-minute-asked", "PS3.5 6.2", MOMENTS, "STUDY", {"StudyTime": "1030"}, "8", choice=_SPAN),
    Row("time-second-asked", "PS3.5 6.2", MOMENTS, "STUDY", {"StudyTime": "103000"}, "8", choice=_SPAN),
    Row("time-fraction", "C.2.2.2.1", MOMENTS, "STUDY", {"StudyTime": "103000.5"}, "8"),
    Row("time-fraction-with-zeros", "PS3.5 6.2", MOMENTS, "STUDY", {"StudyTime": "103000.500000"}, "8"),
    Row("time-fraction-other", "C.2.2.2.1", MOMENTS, "STUDY", {"StudyTime": "103000.4"}),
    Row("time-range", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyTime": "000000-003000"}, "1 3"),
    Row("time-range-of-hours", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyTime": "10-11"}, "8", choice=_SPAN),
    Row("time-range-end-is-inside", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyTime": "0030-1200"}, "2 3 5 8", choice=_SPAN),
    Row("time-from", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyTime": "2359-"}, "4 6"),
    Row("time-until", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyTime": "-003000"}, "1 3"),
    Row("time-until-the-last", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyTime": "235959.999999-"}, "4"),
    Row("time-range-over-midnight", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyTime": "230000-010000"}),
    Row("time-old", "PS3.5 6.2", MOMENTS, "STUDY", {"StudyTime": "00:30:00"}, "3", choice=_OLD),
    Row("time-no-time", "C.4.1.1.4", MOMENTS, "STUDY", {"StudyTime": "noon"}, status=REFUSED, choice=_NO_DATE),
    Row("time-and-date-apart", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200101-20200102", "StudyTime": "120000-"}, "2 4"),
    Row("time-of-a-basic-study", "C.2.2.2.5", BASIC, "STUDY", {"StudyTime": "101500-101501"}, "3", choice=_SPAN),
)

TOGETHER: Final = (
    Row(
        "together-range",
        "C.2.2.2.5",
        MOMENTS,
        "STUDY",
        {"StudyDate": "20200101-20200102", "StudyTime": "120000-003000"},
        "2 3",
        options=COMBINED,
    ),
    Row("together-from", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200102-", "StudyTime": "130000-"}, "4 5 8", options=COMBINED),
    Row("together-until", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "-20200102", "StudyTime": "-000000"}, "1 2 6", options=COMBINED),
    Row("together-one-day", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200101", "StudyTime": "1000-1300"}, "2", options=COMBINED),
    Row("together-date-alone", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200101-20200102"}, "1 2 3 4", options=COMBINED),
    Row("together-time-alone", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyTime": "2359-"}, "4 6", options=COMBINED),
    Row("together-universal-time", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200103-", "StudyTime": ""}, "5 8", options=COMBINED),
    Row("apart-range", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200101-20200102", "StudyTime": "120000-003000"}),
    Row("apart-from", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "20200102-", "StudyTime": "130000-"}, "4"),
    Row("apart-until", "C.2.2.2.5", MOMENTS, "STUDY", {"StudyDate": "-20200102", "StudyTime": "-000000"}, "1"),
    Row(
        "apart-when-answered-zero", "C.5.1.1.2", MOMENTS, "STUDY", {"StudyDate": "20200102-", "StudyTime": "130000-"}, "4", options=b"\1\0"
    ),
)

DATETIMES: Final = (
    Row("datetime-offset", "C.2.2.2.5", MOMENTS, "IMAGE", {**_IN_SERIES, "AcquisitionDateTime": "20200101110000+0000"}, "1.2.1 1.2.2"),
    Row("datetime-west", "C.2.2.2.5", MOMENTS, "IMAGE", {**_IN_SERIES, "AcquisitionDateTime": "20200101120000-0500"}, "1.2.3"),
    Row(
        "datetime-other-offset", "C.2.2.2.5", MOMENTS, "IMAGE", {**_IN_SERIES, "AcquisitionDateTime": "20200101200000+0900"}, "1.2.1 1.2.2"
    ),
    Row("datetime-from", "C.2.2.2.5", MOMENTS, "IMAGE", {**_IN_SERIES, "AcquisitionDateTime": "20200101170000+0000-"}, "1.2.3"),
    Row(
        "datetime-range-west",
        "C.2.2.2.5",
        MOMENTS,
        "IMAGE",
        {**_IN_SERIES, "AcquisitionDateTime": "20200101120000-0500-20200101130000-0500"},
        "1.2.3",
    ),
    Row(
        "datetime-range",
        "C.2.2.2.5",
        MOMENTS,
        "IMAGE",
        {**_IN_SERIES, "AcquisitionDateTime": "20200101110000+0000-20200101130000+0000"},
        "1.2.1 1.2.2 1.2.4 1.2.5",
        choice=_NO_ZONE,
    ),
    Row(
        "datetime-until",
        "C.2.2.2.5",
        MOMENTS,
        "IMAGE",
        {**_IN_SERIES, "AcquisitionDateTime": "-20200101110000+0000"},
        "1.2.1 1.2.2 1.2.6",
        choice=_SPAN,
    ),
    Row(
        "datetime-no-offset",
        "PS3.5 6.2",
        MOMENTS,
        "IMAGE",
        {**_IN_SERIES, "AcquisitionDateTime": "20200101120000"},
        "1.2.4 1.2.5",
        choice=_NO_ZONE,
    ),
    Row("datetime-fraction", "C.2.2.2.1", MOMENTS, "IMAGE", {**_IN_SERIES, "AcquisitionDateTime": "20200101120000.5+0000"}, "1.2.5"),
    Row(
        "datetime-month",
        "PS3.5 6.2",
        MOMENTS,
        "IMAGE",
        {**_IN_SERIES, "AcquisitionDateTime": "202001"},
        "1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.2.6",
        choice=_SPAN,
    ),
    Row("datetime-other-year", "C.2.2.2.5", MOMENTS, "IMAGE", {**_IN_SERIES, "AcquisitionDateTime": "2019"}),
    Row(
        "datetime-universal",
        "C.2.2.2.3",
        MOMENTS,
        "IMAGE",
        {**_IN_SERIES, "AcquisitionDateTime": ""},
        "1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.2.6 1.2.7",
    ),
    Row("datetime-none", "C.4.1.1.4", MOMENTS, "IMAGE", {**_IN_SERIES, "AcquisitionDateTime": "soon"}, status=REFUSED, choice=_NO_DATE),
    Row(
        "datetime-zone-of-the-instance",
        "PS3.5 6.2",
        ZONES,
        "IMAGE",
        {"StudyInstanceUID": "{5}", "SeriesInstanceUID": "{5.1}", "AcquisitionDateTime": "20200101110000+0000"},
        "5.1.1",
    ),
)

_UTC, _TOKYO = {"TimezoneOffsetFromUTC": "+0000"}, {"TimezoneOffsetFromUTC": "+0900"}
IN_ZONES: Final = (
    Row("zone-date", "C.5.1.1", ZONES, "STUDY", {"StudyDate": "20200101", **_UTC}, "1 2 4", options=ZONED, choice=_NO_ZONE),
    Row("zone-date-next-day", "C.5.1.1", ZONES, "STUDY", {"StudyDate": "20200102", **_UTC}, "3", options=ZONED),
    Row("zone-date-tokyo", "C.5.1.1", ZONES, "STUDY", {"StudyDate": "20200102", **_TOKYO}, "1 2 3", options=ZONED, choice=_NO_ZONE),
    Row("zone-time", "C.5.1.1", ZONES, "STUDY", {"StudyTime": "220000", **_UTC}, "2", options=ZONED),
    Row("zone-time-range", "C.5.1.1", ZONES, "STUDY", {"StudyTime": "0000-0200", **_UTC}, "3", options=ZONED),
    Row("zone-both", "C.5.1.1", ZONES, "STUDY", {"StudyDate": "20200102", "StudyTime": "07-08", **_TOKYO}, "1 2", options=ZONED),
    Row(
        "zone-together",
        "C.5.1.1",
        ZONES,
        "STUDY",
        {"StudyDate": "20200101-20200102", "StudyTime": "223000-013000", **_UTC},
        "1 3 4",
        options=b"\0\1\0\1",
        choice=_NO_ZONE,
    ),
    Row(
        "zone-answer",
        "C.4.1.1.3.2",
        ZONES,
        "STUDY",
        {"StudyInstanceUID": "{2}", "StudyDate": "", "StudyTime": "", **_UTC},
        {"2": {"StudyDate": "20200101", "StudyTime": "220000", "TimezoneOffsetFromUTC": "+0000"}},
        options=ZONED,
    ),
    Row(
        "zone-answer-of-no-zone",
        "C.4.1.1.3.2",
        ZONES,
        "STUDY",
        {"StudyInstanceUID": "{4}", "StudyDate": "", "StudyTime": "", **_UTC},
        {"4": {"StudyDate": "20200101", "StudyTime": "230000"}},
        options=ZONED,
        choice=_NO_ZONE,
    ),
    Row(
        "zone-datetime",
        "PS3.5 6.2",
        MOMENTS,
        "IMAGE",
        {**_IN_SERIES, "AcquisitionDateTime": "20200101120000", "TimezoneOffsetFromUTC": "+0100"},
        "1.2.1 1.2.2",
        options=ZONED,
        choice="without an offset a key is in the asker's zone, and a stored datetime as it stands",
    ),
    Row("zone-date-range", "C.5.1.1", ZONES, "STUDY", {"StudyDate": "20200102-", **_TOKYO}, "1 2 3", options=ZONED, choice=_NO_ZONE),
    Row(
        "zone-date-alone-answer",
        "C.4.1.1.3.2",
        ZONES,
        "STUDY",
        {"StudyInstanceUID": "{3}", "StudyDate": "", **_UTC},
        {"3": {"StudyDate": "20200102"}},
        options=ZONED,
    ),
    Row("zone-not-negotiated", "C.5.1.1", ZONES, "STUDY", {"StudyDate": "20200101"}, "1 3 4"),
    Row(
        "zone-no-offset-in-the-query",
        "C.5.1.1",
        ZONES,
        "STUDY",
        {"StudyDate": "20200101"},
        "1 3 4",
        options=ZONED,
        choice="nothing to adjust to",
    ),
    Row(
        "zone-not-negotiated-answer",
        "C.5.1.1",
        ZONES,
        "STUDY",
        {"StudyInstanceUID": "{2}", "StudyDate": "", "StudyTime": ""},
        {"2": {"StudyDate": "20200102", "StudyTime": "070000"}},
    ),
)

ROWS: Final = (*DATES, *TIMES, *TOGETHER, *DATETIMES, *IN_ZONES)
