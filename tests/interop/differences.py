"""Where Orthanc 1.10.1 and dcmqrscp of DCMTK 3.6.7 answer otherwise than the table of query semantics says: what, and why.

For each reason the answers, in the words of `answered` in `tests.archive.semantics.row`, with the ids of the rows that get them. Where
the table holds a choice of ours (its rows say so) a difference is no fault of anybody.
"""

from __future__ import annotations

from typing import Final, TypeAlias

Groups: TypeAlias = dict[str, dict[str, str]]

ORTHANC: Final[Groups] = {
    "Numbers are compared as texts.": {
        "nothing": (
            "number-is-zeros number-is-zeros-in-the-key number-is-plus number-is-padded number-ds-exponent "
            "number-ds-comes-back-as-it-is number-ds-of-no-index-minus supported-of-no-index-and-of-the-index"
        ),
        "2": "number-ds",
        "1.1.1": "number-ds-of-no-index",
    },
    "Spaces before a value are text.": {
        "nothing": "padding-of-the-stored padding-before-the-key padding-and-wild-card padding-in-a-list",
    },
    "`*` in a wild card has to stand for a value: an entity without one is not found.": {
        "1 2 3 5": "universal-star universal-stars",
        "1 3": "universal-of-no-index-star",
    },
    "A wild card in a VR that has none is refused, whatever it asks for, with C000H.": {
        "C000": (
            "universal-date-star universal-time-star universal-uid-star universal-number-star wild-ui-is-literal wild-is-is-literal "
            "date-wild study-series-wild-study"
        ),
    },
    "A backslash separates values in every VR.": {
        "nothing": "D_22-backslash-of-lt",
    },
    "NUL ends a value; what is behind it is lost.": {
        "nothing": "D_22-nul-inside",
    },
    "Sequences are no keys (but in worklists): they are ignored, and come back whole.": {
        "1 10 11 12 13 14 15 16 17 18 19 2 3 4 5 6 7 8 9": "D_22-sequence-for-a-name",
        "1.1 (RequestAttributesSequence otherwise) 1.2 1.3 1.4": "sequence-one-key sequence-matched-and-returned",
        "1.1 1.2 1.3 1.4": (
            "sequence-item-by-item sequence-several-found sequence-none-found sequence-case sequence-in-a-sequence "
            "sequence-in-a-sequence-none"
        ),
        "1.1 (RequestAttributesSequence otherwise)": "sequence-wild",
        "1 2 3 4": (
            "sequence-of-a-study sequence-of-a-study-two-keys sequence-of-a-study-crossed sequence-of-a-study-wild sequence-of-two-items"
        ),
    },
    "Several stored values are one text.": {
        "nothing": "several-stored-first several-stored-all-come-back several-stored-of-no-index name-of-an-operator",
        "2": "several-stored-names",
        "3": "several-stored-texts",
        "1": "several-stored-are-not-one",
        "4": "several-stored-groups-of-two",
    },
    "In a list every value is a text: there are no wild cards and no ranges in it.": {
        "nothing": "several-asked-wild",
        "3": "several-asked-names several-asked-of-several",
        "1": "several-asked-ranges",
    },
    "A name is one text: its groups are not told apart, and trailing delimiters count.": {
        "nothing": (
            "name-trailing-delimiters-stored name-trailing-delimiters-asked name-wild-trailing-delimiters group-alphabetic "
            "group-ideographic group-ideographic-wild group-ideographic-alone group-phonetic group-phonetic-alone "
            "group-two-of-three group-one-character group-family-name-of-the-other set-gb18030-asks-gb18030 "
            "set-gb18030-asks-japanese set-japanese-asks-japanese set-japanese-second-group set-japanese-asks-chinese "
            "set-korean-asks-korean set-korean-hangul set-utf-8-asks-korean set-ascii-asks-chinese"
        ),
    },
    "Its index keeps the ASCII characters only, and `?` has to stand for one of those.": {
        "5": "set-latin-wild set-ascii-wild",
        "nothing": "set-text-latin-one-character",
    },
    "Every answer names a Specific Character Set.": {
        "5 (SpecificCharacterSet 'ISO_IR 192')": "answer-plain-has-no-set",
    },
    "What is no date or time is looked for as a text, and is an open end behind a dash.": {
        "nothing": "empty-not-negotiated-date date-no-date date-year time-no-time datetime-none",
        "1 2 3 4 5 8": "date-no-end",
        "1 2 3 4 5 6 7 8": "date-dash",
    },
    "Dates and times are compared as texts: less precision is no span, no value is less than any, zones are not looked at.": {
        "1 2 6 7": "date-until",
        "nothing": (
            "date-range-with-spaces date-old date-old-range time-minute-asked time-second-asked time-fraction-with-zeros time-old "
            "datetime-west datetime-other-offset datetime-from datetime-range-west datetime-fraction datetime-month "
            "datetime-zone-of-the-instance"
        ),
        "2": "time-hour-stored",
        "5": "time-hour-asked",
        "3 5 8": "time-range-end-is-inside",
        "1 3 7": "time-until",
        "1 7": "apart-until",
        "1.2.2": "datetime-offset",
        "1.2.1 1.2.2 1.2.3 1.2.4 1.2.5": "datetime-range",
        "1.2.2 1.2.6 1.2.7": "datetime-until",
        "1.2.4": "datetime-no-offset",
    },
    "Keys of the levels above may be missing, or anything: all queries are relational, without negotiation.": {
        "1 2 3 4 5": "patient-studies-without-id patient-studies-empty-id patient-studies-wild-id",
        "1 2 3": "patient-studies-of-two",
        "1.1 1.2 2.1": "patient-series-without-study study-series-of-two",
        "1.1 1.2": "patient-series-without-id",
        "1.1.1 1.1.2 1.1.3 1.2.1": "patient-images-without-series study-images-without-series study-images-of-two-series",
        "B-1 B-2 B-3 B-4": "study-no-patient-level",
        "1.1 1.2 2.1 3.1 3.2 4.1 5.1": "study-series-without-study study-series-empty-study",
        "1.1.1 1.1.2 1.1.3": "study-images-without-study",
    },
    "The retired Patient/Study Only model is not offered.": {
        "not offered": "only-patients only-studies only-studies-without-id only-no-series only-no-images",
    },
    "The level is told apart without regard to case, and a wrong one answered C000H.": {
        "C000": "level-missing level-empty level-of-no-model",
        "1 2 3 4 5": "level-in-small-letters",
    },
    "SOP Classes in Study and the numbers are returned, but a value of theirs matches nothing.": {
        "nothing": "computed-sop-classes-one computed-sop-classes-list computed-sop-classes-most computed-number-as-a-key",
    },
    "It is not worked out at this level, or at all, unless configured.": {
        "1 (NumberOfPatientRelatedStudies empty)": "computed-numbers-of-the-patient-of-a-study",
        "1 (InstanceAvailability empty)": "computed-availability",
        "1 (RetrieveAETitle empty)": "computed-retrieve-title",
    },
    "A key that is not supported comes back empty, and one with a value matches nothing.": {
        "1 (Modality empty)": "unsupported-below",
        "nothing": "unsupported-below-is-not-matched",
        "B-1 (StudyDate empty, NumberOfStudyRelatedSeries empty)": "unsupported-below-the-patient",
    },
    "A private attribute is known by its tag alone, whoever created it.": {
        "1.1.1 (00091001:LO \"b'Blue'\")": "unsupported-private-without-creator",
        "nothing": "private-in-another-block",
    },
}

DCMQRSCP: Final[Groups] = {
    "Only what its index keeps is a key; all others are ignored, and left out.": {
        "1.1.1 1.1.2 1.1.3": "single-sop-class-other",
        "1.1.1 1.1.2": (
            "number-ds-of-no-index-minus number-ds-of-no-index-none number-us-none several-stored-of-no-index private private-none "
            "private-in-another-block"
        ),
        "1.1.1 (Rows left out) 1.1.2": "number-us",
        "1 2 3 4": (
            "wild-of-no-index name-of-no-index name-of-no-index-single sequence-of-a-study sequence-of-a-study-two-keys "
            "sequence-of-a-study-crossed sequence-of-a-study-wild sequence-of-two-items"
        ),
        "18.1": "padding-inside-counts",
        "1 2 3 4 5": (
            "several-not-negotiated-modalities computed-modalities-one computed-modalities-none computed-modalities-wild "
            "computed-sop-classes-one computed-sop-classes-list computed-sop-classes-most "
            "computed-number-as-a-key computed-number-of-none"
        ),
        "1.1 1.2 1.3 1.4": (
            "name-of-an-operator sequence-item-by-item sequence-several-found sequence-none-found sequence-case "
            "sequence-in-a-sequence sequence-in-a-sequence-none"
        ),
        "1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.2.6 1.2.7": (
            "datetime-offset datetime-west datetime-other-offset datetime-from datetime-range-west datetime-range datetime-until "
            "datetime-no-offset datetime-fraction datetime-month datetime-other-year datetime-none"
        ),
        "3 (ModalitiesInStudy left out)": "computed-modalities",
        "1 (ModalitiesInStudy left out) 2 3 4 5": "computed-modalities-all-come-back",
        "2 (SOPClassesInStudy left out)": "computed-sop-classes",
        "B-1 (NumberOfPatientRelatedStudies left out, NumberOfPatientRelatedSeries left out, NumberOfPatientRelatedInstances left out)": (
            "computed-numbers-of-a-patient"
        ),
        "1 (NumberOfStudyRelatedSeries left out, NumberOfStudyRelatedInstances left out)": "computed-numbers-of-a-study",
        "1 (NumberOfPatientRelatedStudies left out)": "computed-numbers-of-the-patient-of-a-study",
        "1.1 (NumberOfSeriesRelatedInstances left out) 1.2 (NumberOfSeriesRelatedInstances left out)": "computed-number-of-a-series",
        "1 (InstanceAvailability left out)": "computed-availability",
        "D-1 (PatientMotherBirthName left out) D-2 D-3 D-4": "supported-of-no-index-patient",
        "1 2 3 (ReasonForStudy left out) 4": "supported-of-no-index-study",
        "1.1.1 (KVP left out)": "supported-of-no-index-image",
        "1.2 (RequestAttributesSequence left out)": "sequence-whole-comes-back",
        "1.1 (RequestAttributesSequence left out) 1.2 1.3 1.4": "sequence-one-key sequence-matched-and-returned",
        "1.1 (RequestAttributesSequence left out)": "sequence-wild",
        "nothing": "sequence-and-another-key",
    },
    "Several stored values are one text.": {
        "nothing": "several-stored-first several-stored-all-come-back several-stored-names",
        "3": "several-stored-texts",
        "1": "several-stored-are-not-one",
        "4": "several-stored-groups-of-two",
    },
    "Numbers are compared as texts.": {
        "nothing": "number-is-zeros number-is-zeros-in-the-key number-is-plus number-ds-exponent number-ds-comes-back-as-it-is",
        "2": "number-ds supported-of-no-index-and-of-the-index",
    },
    "`*` is no wild card in a VR that has none, and matches nothing.": {
        "nothing": "universal-date-star universal-time-star universal-uid-star universal-number-star study-series-wild-study",
    },
    "A backslash is text in a key, but in lists of UIDs.": {
        "nothing": (
            "D_22-backslash-separates padding-in-a-list several-asked-sh several-asked-lo several-asked-wild several-asked-names "
            "several-asked-dates several-asked-ranges patient-studies-of-two"
        ),
        "1": "several-asked-of-several",
    },
    "Patient Comments is a key, but what it has of them is empty.": {
        "nothing": "D_22-backslash-of-lt",
    },
    "NUL is text.": {
        "nothing": "D_22-nul-inside padding-nul-for-space",
    },
    "A sequence where a name is due matches nothing.": {
        "nothing": "D_22-sequence-for-a-name",
    },
    "Names have case.": {
        "nothing": (
            "name-case name-case-upper name-of-a-patient name-of-a-physician name-comes-back-as-it-is group-alphabetic-wild "
            "set-case-beyond-ascii set-utf-8-asks-cyrillic set-ascii-asks-korean fuzzy-not-negotiated-accents"
        ),
        "1 2 3": "name-wild-end",
        "5": "name-wild-prefix",
        "1 2 3 4": "name-wild-both",
        "1 2": "study-patient-keys",
    },
    "A name is one text: its groups are not told apart, and trailing delimiters count.": {
        "nothing": (
            "name-trailing-delimiters-stored name-trailing-delimiters-asked name-wild-trailing-delimiters group-alphabetic "
            "group-ideographic group-ideographic-wild group-ideographic-alone group-phonetic group-phonetic-alone "
            "group-two-of-three group-one-character group-family-name-of-the-other set-gb18030-asks-gb18030 "
            "set-gb18030-asks-japanese set-japanese-asks-japanese set-japanese-second-group set-japanese-asks-chinese "
            "set-korean-asks-korean set-korean-hangul set-utf-8-asks-korean set-ascii-asks-chinese"
        ),
    },
    "Japanese text with escape sequences is not converted: it is compared byte by byte.": {
        "7": "group-two",
        "nothing": "group-three set-text-japanese",
    },
    "`?` stands for a byte, of the text in UTF-8 unless the asker uses the set that it is stored in.": {
        "5": "set-ascii-wild",
        "nothing": "set-text-latin-one-character",
        "12": "set-text-latin-not-two-bytes",
    },
    "What is no date or time matches nothing; a dash alone, whatever there is.": {
        "nothing": "empty-not-negotiated-date date-range-with-spaces date-no-date date-no-end date-year date-wild time-no-time",
        "1 2 3 4 5 6 8": "date-dash",
    },
    "A time of less precision stands for its first moment in a key, too.": {
        "nothing": "time-minute-asked time-second-asked",
    },
    "A missing unique key of a level above is answered C000H.": {
        "C000": (
            "patient-studies-without-id patient-series-without-study patient-series-without-id patient-images-without-series "
            "study-no-patient-level study-series-without-study study-images-without-series study-images-without-study "
            "only-studies-without-id"
        ),
    },
    "A unique key of a level above may be empty, a wild card or a list.": {
        "1 2 3 4 5": "patient-studies-empty-id patient-studies-wild-id",
        "1.1 1.2 2.1": "study-series-of-two",
        "1.1 1.2 2.1 3.1 3.2 4.1 5.1": "study-series-empty-study",
        "1.1.1 1.1.2 1.1.3 1.2.1": "study-images-of-two-series",
    },
    "Of the levels above, no other keys than the unique ones are matched.": {
        "1.1 1.2": "study-series-patient-key",
    },
    "Patient/Study Only goes down to the images.": {
        "1.1 1.2": "only-no-series",
        "1.1.1 1.1.2 1.1.3": "only-no-images",
    },
    "The level is told apart without regard to case, and a wrong one answered C000H.": {
        "C000": "level-of-no-model",
        "1 2 3 4 5": "level-in-small-letters",
    },
    "Attributes of the levels below are in the same record of its index, and come back.": {
        "1 (Modality 'CT')": "unsupported-below",
        "B-1 (StudyDate '20200101')": "unsupported-below-the-patient",
    },
}

DIFFERENCES: Final = {"orthanc": ORTHANC, "dcmqrscp": DCMQRSCP}

NOT_ASKED: Final[dict[str, dict[str, str]]] = {
    "orthanc": {"It cannot send the answer that it makes, and aborts the association after 30 seconds.": "unsupported-pixels"},
    "dcmqrscp": {
        "Its time to match grows exponentially with the wild cards; for hours it would hold the lock of its index.": (
            "wild-hostile wild-hostile-that-matches"
        )
    },
}
"""Rows that are not asked at all, with the reason."""


def differences(kind: str) -> dict[str, str]:
    """What a peer answers otherwise, by the ids of the rows."""
    return {row: answer for answers in DIFFERENCES[kind].values() for answer, rows in answers.items() for row in rows.split()}


def not_asked(kind: str) -> frozenset[str]:
    """The rows that a peer is not asked."""
    return frozenset(row for rows in NOT_ASKED[kind].values() for row in rows.split())
