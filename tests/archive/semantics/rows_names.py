"""Person names and character sets: PS3.4 C.2.2.2.1 and C.2.2.2.4 for PN, PS3.5 6.1 and 6.2.1, PS3.3 C.12.1.1.2."""

from __future__ import annotations

from typing import Final

from tests.archive.semantics.row import FUZZY, PATIENT_ROOT, Row
from tests.archive.semantics.stored import BASIC, DEEP, NAMES

_UTF_8: Final = "ISO_IR 192"
_LATIN: Final = "ISO_IR 100"
_JAPANESE: Final = "\\ISO 2022 IR 87"
_KOREAN: Final = "\\ISO 2022 IR 149"
_CASE: Final = "names match without regard to case"
_GROUPS: Final = "a name of one group is looked for in every group; of several, each in its own"
_DELIMITERS: Final = "trailing delimiters say nothing (PS3.5 6.2.1.1)"
_SOUND: Final = "fuzzy: words match by their sound"
_ACCENTS: Final = "fuzzy: without regard to accents and to the order of words"

NAMES_OF_ONE_GROUP: Final = (
    Row("name-case", "C.2.2.2.1", BASIC, "STUDY", {"PatientName": "doe^john"}, "1 2", choice=_CASE),
    Row("name-case-upper", "C.2.2.2.1", BASIC, "STUDY", {"PatientName": "DOE^JANE"}, "3", choice=_CASE),
    Row("name-as-stored", "C.2.2.2.1", BASIC, "STUDY", {"PatientName": "Doe^Jane"}, "3"),
    Row("name-single-is-the-whole", "C.2.2.2.1", BASIC, "STUDY", {"PatientName": "Doe"}),
    Row("name-trailing-delimiters-stored", "PS3.5 6.2.1", BASIC, "STUDY", {"PatientName": "DOE^JIM"}, "5", choice=_DELIMITERS),
    Row("name-trailing-delimiters-asked", "PS3.5 6.2.1", BASIC, "STUDY", {"PatientName": "Doe^John^^^"}, "1 2", choice=_DELIMITERS),
    Row("name-no-family-name", "C.2.2.2.1", BASIC, "STUDY", {"PatientName": "^John"}),
    Row("name-wild-end", "C.2.2.2.4", BASIC, "STUDY", {"PatientName": "Doe^*"}, "1 2 3 5", choice=_CASE),
    Row("name-wild-prefix", "C.2.2.2.4", BASIC, "STUDY", {"PatientName": "DO*"}, "1 2 3 5", choice=_CASE),
    Row("name-wild-given", "C.2.2.2.4", BASIC, "STUDY", {"PatientName": "*^John"}, "1 2"),
    Row("name-wild-one", "C.2.2.2.4", BASIC, "STUDY", {"PatientName": "Doe^J?n?"}, "3"),
    Row("name-wild-both", "C.2.2.2.4", BASIC, "STUDY", {"PatientName": "*o*"}, "1 2 3 4 5", choice=_CASE),
    Row("name-wild-trailing-delimiters", "C.2.2.2.4", BASIC, "STUDY", {"PatientName": "*jim"}, "5", choice=_DELIMITERS),
    Row("name-comma-is-no-delimiter", "C.2.2.2.1", BASIC, "STUDY", {"PatientName": "Roe, Richard"}),
    Row("name-of-a-patient", "C.2.2.2.4", BASIC, "PATIENT", {"PatientName": "doe*"}, "B-1 B-2 B-4", model=PATIENT_ROOT, choice=_CASE),
    Row("name-of-a-physician", "C.2.2.2.4", BASIC, "STUDY", {"ReferringPhysicianName": "STONE*"}, "1", choice=_CASE),
    Row("name-of-an-operator", "C.2.2.3", DEEP, "SERIES", {"StudyInstanceUID": "{1}", "OperatorsName": "elk^tom"}, "1.2", choice=_CASE),
    Row("name-of-no-index", "C.2.2.2.4", DEEP, "STUDY", {"PatientMotherBirthName": "MOORE*"}, "1", choice=_CASE),
    Row("name-of-no-index-single", "C.2.2.2.1", DEEP, "STUDY", {"PatientMotherBirthName": "Marsh^Eve"}, "2"),
    Row("name-five-components", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Smith^John^Paul^Dr.^Jr."}, "10"),
    Row("name-two-of-five-components", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Smith^John"}),
    Row("name-wild-over-components", "C.2.2.2.4", NAMES, "STUDY", {"PatientName": "Smith^*^Dr.*"}, "10"),
    Row(
        "name-comes-back-as-it-is", "C.2.2.1", BASIC, "STUDY", {"PatientName": "doe^ja*"}, {"3": {"PatientName": "Doe^Jane"}}, choice=_CASE
    ),
)

GROUPS: Final = (
    Row("group-alphabetic", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "Yamada^Tarou"}, "1", choice=_GROUPS),
    Row("group-alphabetic-wild", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "yamada*"}, "1 7 8", choice=_GROUPS),
    Row("group-ideographic", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "=山田^太郎"}, "1", character_set=_UTF_8, choice=_GROUPS),
    Row("group-ideographic-wild", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "=山田*"}, "1 7", character_set=_UTF_8, choice=_GROUPS),
    Row("group-ideographic-alone", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "山田*"}, "1 7", character_set=_UTF_8, choice=_GROUPS),
    Row("group-phonetic", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "==やまだ*"}, "1", character_set=_UTF_8, choice=_GROUPS),
    Row("group-phonetic-alone", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "やまだ^たろう"}, "1", character_set=_UTF_8, choice=_GROUPS),
    Row("group-two", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "Yamada*=山田*"}, "1 7", character_set=_UTF_8, choice=_GROUPS),
    Row(
        "group-two-of-three",
        "PS3.5 6.2.1",
        NAMES,
        "STUDY",
        {"PatientName": "Yamada^Tarou=山田^太郎"},
        "1",
        character_set=_UTF_8,
        choice=_GROUPS,
    ),
    Row("group-two-that-differ", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "Yamada*=王*"}, character_set=_UTF_8, choice=_GROUPS),
    Row("group-three", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう"}, "1", character_set=_UTF_8),
    Row("group-no-alphabetic", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "=山本^三郎"}, "9", character_set=_UTF_8),
    Row("group-no-alphabetic-wild", "PS3.5 6.2.1", NAMES, "STUDY", {"PatientName": "*山本*"}, "9", character_set=_UTF_8, choice=_GROUPS),
    Row("group-one-character", "C.2.2.2.4", NAMES, "STUDY", {"PatientName": "山田^?郎"}, "1 7", character_set=_UTF_8, choice=_GROUPS),
    Row("group-one-character-not-two", "C.2.2.2.4", NAMES, "STUDY", {"PatientName": "山??^太郎"}, character_set=_UTF_8, choice=_GROUPS),
    Row("group-family-name-of-the-other", "C.2.2.2.4", NAMES, "STUDY", {"PatientName": "王^*"}, "2", character_set=_UTF_8, choice=_GROUPS),
)

SETS: Final = (
    Row("set-latin-asks-latin", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "Müller^Änne"}, "4", character_set=_LATIN),
    Row("set-utf-8-asks-latin", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "Müller^Änne"}, "4", character_set=_UTF_8),
    Row("set-case-beyond-ascii", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "MÜLLER^äNNE"}, "4", character_set=_UTF_8, choice=_CASE),
    Row("set-accents-count", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Muller*"}, "5"),
    Row("set-latin-wild", "C.2.2.2.4", NAMES, "STUDY", {"PatientName": "M?ller*"}, "4 5", character_set=_LATIN),
    Row("set-ascii-wild", "C.2.2.2.4", NAMES, "STUDY", {"PatientName": "M?ller*"}, "4 5"),
    Row("set-cyrillic-asks-cyrillic", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "Иванов^*"}, "6", character_set="ISO_IR 144"),
    Row("set-utf-8-asks-cyrillic", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "ИВАНОВ^ИВАН"}, "6", character_set=_UTF_8, choice=_CASE),
    Row("set-gb18030-asks-gb18030", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "王^*"}, "2", character_set="GB18030", choice=_GROUPS),
    Row("set-gb18030-asks-japanese", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "山田*"}, "1 7", character_set="GB18030", choice=_GROUPS),
    Row(
        "set-japanese-asks-japanese", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "山田*"}, "1 7", character_set=_JAPANESE, choice=_GROUPS
    ),
    Row(
        "set-japanese-second-group",
        "PS3.5 H.3",
        NAMES,
        "STUDY",
        {"PatientName": "Yamada*=山田^太郎"},
        "1",
        character_set=_JAPANESE,
        choice=_GROUPS,
    ),
    Row("set-japanese-asks-chinese", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "王*"}, "2", character_set=_JAPANESE, choice=_GROUPS),
    Row("set-korean-asks-korean", "PS3.5 I.2", NAMES, "STUDY", {"PatientName": "洪^吉洞"}, "3", character_set=_KOREAN, choice=_GROUPS),
    Row("set-korean-hangul", "PS3.5 I.2", NAMES, "STUDY", {"PatientName": "==홍^길동"}, "3", character_set=_KOREAN, choice=_GROUPS),
    Row("set-utf-8-asks-korean", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "홍*"}, "3", character_set=_UTF_8, choice=_GROUPS),
    Row("set-ascii-asks-korean", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "HONG*"}, "3", choice=_GROUPS),
    Row("set-ascii-asks-chinese", "PS3.5 6.1", NAMES, "STUDY", {"PatientName": "Wang^XiaoDong"}, "2", choice=_GROUPS),
    Row("set-is-no-key", "C.2.2.2", NAMES, "STUDY", {"PatientName": ""}, " ".join(map(str, range(1, 13))), character_set=_UTF_8),
    Row("set-text-japanese", "PS3.5 6.1", NAMES, "STUDY", {"StudyDescription": "東京*"}, "11", character_set=_UTF_8),
    Row("set-text-japanese-in-japanese", "PS3.5 6.1", NAMES, "STUDY", {"StudyDescription": "東京 knee"}, "11", character_set=_JAPANESE),
    Row("set-text-latin-one-character", "C.2.2.2.4", NAMES, "STUDY", {"StudyDescription": "Sch?del"}, "12"),
    Row("set-text-latin-not-two-bytes", "C.2.2.2.4", NAMES, "STUDY", {"StudyDescription": "Sch??del"}, character_set=_UTF_8),
    Row("set-text-has-case", "C.2.2.2.1", NAMES, "STUDY", {"StudyDescription": "schÄdel"}, character_set=_UTF_8),
    Row(
        "set-unknown",
        "C.2.2.2",
        NAMES,
        "STUDY",
        {"SpecificCharacterSet": "ISO_IR 999", "PatientName": "Sato*"},
        "11",
        choice="plain ASCII is read",
    ),
)

_TAROU: Final = {"PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう"}
_ANNE: Final = {"PatientName": "Müller^Änne"}
ANSWERS: Final = (
    Row(
        "answer-utf-8-of-japanese", "C.4.1.1.3.2", NAMES, "STUDY", {"StudyID": "1", "PatientName": ""}, {"1": _TAROU}, character_set=_UTF_8
    ),
    Row(
        "answer-japanese-of-japanese",
        "C.4.1.1.3.2",
        NAMES,
        "STUDY",
        {"StudyID": "1", "PatientName": ""},
        {"1": _TAROU},
        character_set=_JAPANESE,
    ),
    Row(
        "answer-latin-of-japanese", "C.4.1.1.3.2", NAMES, "STUDY", {"StudyID": "1", "PatientName": ""}, {"1": _TAROU}, character_set=_LATIN
    ),
    Row("answer-ascii-of-japanese", "C.4.1.1.3.2", NAMES, "STUDY", {"StudyID": "1", "PatientName": ""}, {"1": _TAROU}),
    Row("answer-latin-of-latin", "C.4.1.1.3.2", NAMES, "STUDY", {"StudyID": "4", "PatientName": ""}, {"4": _ANNE}, character_set=_LATIN),
    Row(
        "answer-gb18030-of-latin",
        "C.4.1.1.3.2",
        NAMES,
        "STUDY",
        {"StudyID": "4", "PatientName": ""},
        {"4": _ANNE},
        character_set="GB18030",
    ),
    Row("answer-korean-of-latin", "C.4.1.1.3.2", NAMES, "STUDY", {"StudyID": "4", "PatientName": ""}, {"4": _ANNE}, character_set=_KOREAN),
    Row(
        "answer-utf-8-of-korean",
        "C.4.1.1.3.2",
        NAMES,
        "STUDY",
        {"StudyID": "3", "PatientName": ""},
        {"3": {"PatientName": "Hong^Gildong=洪^吉洞=홍^길동"}},
        character_set=_UTF_8,
    ),
    Row(
        "answer-plain-has-no-set",
        "C.4.1.1.3.2",
        NAMES,
        "STUDY",
        {"StudyID": "5", "PatientName": ""},
        {"5": {"PatientName": "Muller^Anne", "SpecificCharacterSet": None}},
        choice="what is all ASCII needs no Specific Character Set",
    ),
)

FUZZIES: Final = (
    Row("fuzzy-accents", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "muller^anne"}, "4 5", options=FUZZY, choice=_ACCENTS),
    Row(
        "fuzzy-accents-asked",
        "C.2.2.2.1",
        NAMES,
        "STUDY",
        {"PatientName": "Öz"},
        "12",
        options=FUZZY,
        character_set=_UTF_8,
        choice=_ACCENTS,
    ),
    Row("fuzzy-one-word", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Smith"}, "10", options=FUZZY, choice=_ACCENTS),
    Row("fuzzy-order", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "John Smith"}, "10", options=FUZZY, choice=_ACCENTS),
    Row("fuzzy-sound", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Smyth^Jon"}, "10", options=FUZZY, choice=_SOUND),
    Row("fuzzy-sound-of-an-umlaut", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Mueller"}, "4 5", options=FUZZY, choice=_SOUND),
    Row("fuzzy-not-negotiated-sound", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Smyth*"}),
    Row("fuzzy-every-word", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Smith^Peter"}, options=FUZZY, choice=_ACCENTS),
    Row("fuzzy-wild", "C.2.2.2.4", NAMES, "STUDY", {"PatientName": "mul*"}, "4 5", options=FUZZY, choice=_ACCENTS),
    Row(
        "fuzzy-ideographic",
        "C.2.2.2.1",
        NAMES,
        "STUDY",
        {"PatientName": "山田"},
        "1 7",
        options=FUZZY,
        character_set=_UTF_8,
        choice=_ACCENTS,
    ),
    Row("fuzzy-none", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Jones"}, options=FUZZY),
    Row("fuzzy-names-only", "C.2.2.2.1", BASIC, "STUDY", {"StudyDescription": "head"}, options=FUZZY),
    Row("fuzzy-not-negotiated-one-word", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "Smith"}),
    Row("fuzzy-not-negotiated-accents", "C.2.2.2.1", NAMES, "STUDY", {"PatientName": "muller^anne"}, "5", choice=_CASE),
    Row("fuzzy-not-granted", "C.5.1.1.2", NAMES, "STUDY", {"PatientName": "Smith"}, options=b"\1\1\0\1"),
)

ROWS: Final = (*NAMES_OF_ONE_GROUP, *GROUPS, *SETS, *ANSWERS, *FUZZIES)
