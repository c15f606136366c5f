"""Status codes against the tables of PS3.7 Annex C and PS3.4, written out here once more."""

from __future__ import annotations

import copy
import pickle

import pytest

from dimse.data import status as module
from dimse.data.status import Category, Status

SUCCESS, WARNING, FAILURE, CANCEL, PENDING = Category

# PS3.7 Annex C, each status under its own heading.
ANNEX_C = [
    (0x0000, SUCCESS, "Success", "SUCCESS"),
    (0x0105, FAILURE, "no such attribute", "NO_SUCH_ATTRIBUTE"),
    (0x0106, FAILURE, "invalid attribute value", "INVALID_ATTRIBUTE_VALUE"),
    (0x0107, WARNING, "attribute list error", "ATTRIBUTE_LIST_ERROR"),
    (0x0110, FAILURE, "processing failure", "PROCESSING_FAILURE"),
    (0x0111, FAILURE, "duplicate SOP instance", "DUPLICATE_INSTANCE"),
    (0x0112, FAILURE, "no such SOP instance", "NO_SUCH_INSTANCE"),
    (0x0113, FAILURE, "no such event type", "NO_SUCH_EVENT_TYPE"),
    (0x0114, FAILURE, "no such argument", "NO_SUCH_ARGUMENT"),
    (0x0115, FAILURE, "invalid argument value", "INVALID_ARGUMENT_VALUE"),
    (0x0116, WARNING, "attribute value out of range", "ATTRIBUTE_VALUE_OUT_OF_RANGE"),
    (0x0117, FAILURE, "invalid SOP instance", "INVALID_INSTANCE"),
    (0x0118, FAILURE, "no such SOP class", "NO_SUCH_SOP_CLASS"),
    (0x0119, FAILURE, "class-instance conflict", "CLASS_INSTANCE_CONFLICT"),
    (0x0120, FAILURE, "missing attribute", "MISSING_ATTRIBUTE"),
    (0x0121, FAILURE, "missing attribute value", "MISSING_ATTRIBUTE_VALUE"),
    (0x0122, FAILURE, "SOP class not supported", "SOP_CLASS_NOT_SUPPORTED"),
    (0x0123, FAILURE, "no such action", "NO_SUCH_ACTION"),
    (0x0124, FAILURE, "not authorized", "NOT_AUTHORIZED"),
    (0x0210, FAILURE, "duplicate invocation", "DUPLICATE_INVOCATION"),
    (0x0211, FAILURE, "unrecognized operation", "UNRECOGNIZED_OPERATION"),
    (0x0212, FAILURE, "mistyped argument", "MISTYPED_ARGUMENT"),
    (0x0213, FAILURE, "resource limitation", "RESOURCE_LIMITATION"),
    (0xFE00, CANCEL, "Cancel", "CANCEL"),
    (0xFF00, PENDING, "Pending", "PENDING"),
    (0xFF01, PENDING, "Pending", "PENDING_WARNING"),
]

# PS3.4 Tables B.2-1, C.4-1, C.4-2, C.4-3: service, code, category, a part of the words, constant.
SERVICES = [
    ("C-STORE", 0xA700, FAILURE, "out of resources", "OUT_OF_RESOURCES"),
    ("C-STORE", 0xA7FE, FAILURE, "out of resources", None),
    ("C-STORE", 0xA900, FAILURE, "Error: data set does not match SOP class", "DATASET_MISMATCH"),
    ("C-STORE", 0xA9AB, FAILURE, "data set does not match SOP class", None),
    ("C-STORE", 0xC000, FAILURE, "cannot understand", "CANNOT_UNDERSTAND"),
    ("C-STORE", 0xCFFF, FAILURE, "cannot understand", None),
    ("C-STORE", 0xB000, WARNING, "coercion of data elements", "COERCION"),
    ("C-STORE", 0xB006, WARNING, "elements discarded", "ELEMENTS_DISCARDED"),
    ("C-STORE", 0xB007, WARNING, "Warning: data set does not match SOP class", "DATASET_MISMATCH_WARNING"),
    ("C-FIND", 0xA700, FAILURE, "out of resources", "OUT_OF_RESOURCES"),
    ("C-FIND", 0xA900, FAILURE, "identifier does not match SOP class", "DATASET_MISMATCH"),
    ("C-FIND", 0xC123, FAILURE, "unable to process", None),
    ("C-FIND", 0xFE00, CANCEL, "matching terminated due to cancel", "CANCEL"),
    ("C-FIND", 0xFF00, PENDING, "current match is supplied", "PENDING"),
    ("C-FIND", 0xFF01, PENDING, "optional keys were not supported", "PENDING_WARNING"),
    *(
        (service, *row)
        for service in ("C-MOVE", "C-GET")
        for row in (
            (0x0000, SUCCESS, "sub-operations complete", "SUCCESS"),
            (0xA701, FAILURE, "unable to calculate number of matches", "UNABLE_TO_CALCULATE"),
            (0xA702, FAILURE, "unable to perform sub-operations", "UNABLE_TO_PERFORM_SUBOPERATIONS"),
            (0xA900, FAILURE, "identifier does not match SOP class", "DATASET_MISMATCH"),
            (0xAA00, FAILURE, "none of the frames", None),
            (0xAA01, FAILURE, "unable to create new object", None),
            (0xAA02, FAILURE, "unable to extract frames", None),
            (0xAA03, FAILURE, "time-based request", None),
            (0xAA04, FAILURE, "invalid request", None),
            (0xC001, FAILURE, "unable to process", None),
            (0xB000, WARNING, "one or more failures or warnings", "SUBOPERATIONS_WARNING"),
            (0xFE00, CANCEL, "sub-operations terminated", "CANCEL"),
            (0xFF00, PENDING, "sub-operations are continuing", "PENDING"),
        )
    ),
    ("C-MOVE", 0xA801, FAILURE, "move destination unknown", "MOVE_DESTINATION_UNKNOWN"),
]


@pytest.mark.parametrize(("code", "category", "words", "constant"), ANNEX_C)
def test_annex_c(code: int, category: Category, words: str, constant: str) -> None:
    assert getattr(module, constant) == code
    for service in ("", "N-SET"):
        status = Status(code, service=service)
        assert status.category is category
        assert words in status.words
        assert status.words.split(":")[0] in (category.value, "Refused")


@pytest.mark.parametrize(("service", "code", "category", "words", "constant"), SERVICES)
def test_services(service: str, code: int, category: Category, words: str, constant: str | None) -> None:
    status = Status(code, service=service)
    assert status.category is category
    assert words in status.words
    assert constant is None or getattr(module, constant) == code


def by_the_page(code: int) -> Category:
    """PS3.7 C.1, plainly; what it does not name is a failure."""
    if code == 0:
        return SUCCESS
    if code in (0x0001, 0x0107, 0x0116) or code & 0xF000 == 0xB000:
        return WARNING
    if code == 0xFE00:
        return CANCEL
    return PENDING if code in (0xFF00, 0xFF01) else FAILURE


def test_every_code_has_a_category_and_words() -> None:
    for code in range(0x10000):
        status = Status(code)
        assert status.category is by_the_page(code)
        assert status.ok is (by_the_page(code) in (SUCCESS, WARNING))
        assert status.pending is (by_the_page(code) is PENDING)
        assert status.words


def test_unknown_codes_and_services() -> None:
    assert str(Status(0x1234)) == "1234H Failure: unknown status"
    assert str(Status(0xB123, service="C-STORE")) == "B123H Warning: unknown status"
    assert Status(0xA7FF).words == "Refused: out of resources"
    assert Status(0xA7FF, service="C-FIND").words == "Refused: out of resources"
    assert Status(0xC000).words == "Error: cannot understand or unable to process"


def test_text() -> None:
    assert str(Status(0xA700, "disk full", service="C-STORE")) == "A700H Refused: out of resources (disk full)"
    assert f"{Status(0)}" == "0000H Success"
    assert f"{Status(0xA7):04X}" == "00A7"
    assert repr(Status(0)) == "<Status 0000H Success>"
    tags = Status(0x0120, offending=(0x00100010, 0x0020000D))
    assert str(tags) == "0120H Failure: missing attribute, offending element (0010,0010), (0020,000D)"
    assert str(Status(0x0122, local=True)) == "0122H Refused: SOP class not supported [given by this side]"


def test_a_status_is_its_number() -> None:
    status = Status(0xA700, "x", service="C-STORE", offending=(1,), local=True)
    assert status == 0xA700
    assert {0xA700: 1}[status] == 1
    assert not Status(0)
    for twin in (copy.copy(status), pickle.loads(pickle.dumps(status))):
        assert vars(twin) == {"comment": "x", "service": "C-STORE", "offending": (1,), "local": True}
        assert twin == status
