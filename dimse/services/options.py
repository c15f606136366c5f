"""The options of queries and retrievals that are agreed by SOP class extended negotiation (PS3.4 C.5.1.1 and C.5.2.1)."""

from __future__ import annotations

from enum import IntEnum

from dimse.data.uids import UID, PatientRootFind, PatientStudyOnlyFind, StudyRootFind

FIND_MODELS = frozenset({PatientRootFind, StudyRootFind, PatientStudyOnlyFind})


class QueryOption(IntEnum):
    """An option of C-FIND, by the place of its byte in the application information; C-MOVE and C-GET have `RELATIONAL` alone.

        dimse.connect(..., extended={dimse.StudyRootFind: QueryOption.encode(QueryOption.RELATIONAL, QueryOption.FUZZY)})

    Those of C-MOVE and C-GET have another second byte, which nothing here proposes.
    """

    RELATIONAL = 0
    """Keys of any level, without the unique keys above it (PS3.4 C.4.1.2.2, C.4.2.2.2)."""
    COMBINED_DATE_TIME = 1
    """A date and the time that goes with it match as one moment (PS3.4 C.2.2.2.5)."""
    FUZZY = 2
    """Person names match by more than their letters (PS3.4 C.2.2.2.1)."""
    TIMEZONE = 3
    """Dates and times are in the time zone of the query (PS3.4 C.4.1.1.3)."""
    MULTIFRAME = 4
    """Enhanced multi-frame images are found as the single frames that they would be (PS3.4 C.3.5)."""
    EMPTY_VALUES = 5
    """Two quotation marks match what has no value (PS3.4 C.2.2.2.7)."""
    MULTIPLE_VALUES = 6
    """A key with several values matches what has each of them (PS3.4 C.2.2.2.8)."""

    @property
    def words(self) -> str:
        """Its name in words."""
        return WORDS[self]

    @staticmethod
    def encode(*options: QueryOption) -> bytes:
        """The application information that has these options: one byte, or three and more, as peers before the newer options know it."""
        length = max(options, default=0) + 1
        return bytes(place in options for place in range(1 if length == 1 else max(length, 3)))

    @staticmethod
    def decode(information: bytes) -> frozenset[QueryOption]:
        """The options that an application information has. What is left out, or neither 0 nor 1, is not agreed upon."""
        return frozenset(option for option in QueryOption if information[option : option + 1] == b"\1")


WORDS = {
    QueryOption.RELATIONAL: "relational queries and retrievals",
    QueryOption.COMBINED_DATE_TIME: "combined date and time matching",
    QueryOption.FUZZY: "fuzzy matching of person names",
    QueryOption.TIMEZONE: "time zone adjustment",
    QueryOption.MULTIFRAME: "conversion of enhanced multi-frame images",
    QueryOption.EMPTY_VALUES: "empty value matching",
    QueryOption.MULTIPLE_VALUES: "multiple value matching",
}


def options_of(sop_class: UID) -> frozenset[QueryOption]:
    """The options that there are for a SOP class of queries or retrievals."""
    return frozenset(QueryOption) if sop_class in FIND_MODELS else frozenset({QueryOption.RELATIONAL})
