"""TLS as values: fingerprints, and which certificate may use which calling AE title."""

from __future__ import annotations

import pytest

from dimse.errors import UsageError
from dimse.services.security import TLS, Certificate, Security, fingerprint

PRINT = "ab" * 32
COLONS = ":".join(["AB"] * 32)


def secured(print: str = PRINT, *names: str) -> Security:
    return Security("TLSv1.3", "TLS_AES_256_GCM_SHA384", Certificate(print, names))


@pytest.mark.parametrize("text", [PRINT, PRINT.upper(), COLONS, f" {COLONS}\n"])
def test_fingerprints_as_people_write_them(text: str) -> None:
    assert fingerprint(text) == PRINT
    assert TLS(pins=(text,)).pins == (PRINT,)


@pytest.mark.parametrize("text", ["", "ab" * 20, PRINT + "ab", "zz" * 32, "sha256:" + PRINT])
def test_what_is_no_fingerprint(text: str) -> None:
    with pytest.raises(UsageError, match="is no SHA-256 fingerprint"):
        TLS(pins=(text,))


def test_a_key_and_its_certificate_belong_together() -> None:
    for files in ({"key": "a"}, {"certificate": "b"}):
        with pytest.raises(UsageError, match="belong together"):
            TLS(**files)  # type: ignore[arg-type]  # either of two files
    assert "secret.key" not in repr(TLS(key="secret.key", certificate="site.crt"))


def test_who_may_call_as_whom() -> None:
    tls = TLS(callers={"ct.example": ["CT1", "CT2 "], COLONS: ("MR1",), "other": {"XR"}})
    assert tls.admits(secured("0" * 64, "CT", "ct.example"), "CT1")
    assert tls.admits(secured("0" * 64, "CT", "ct.example"), "CT2")
    assert tls.admits(secured(PRINT, "ct.example"), "MR1")
    for calling in ("MR1", "XR", "ct1", "CT", "", "CT3"):
        assert not tls.admits(secured("0" * 64, "CT", "ct.example"), calling)


def test_without_a_list_a_certificate_may_call_as_anybody() -> None:
    assert TLS().admits(secured(), "ANY")
    assert not TLS(callers={}).admits(secured(), "ANY")


def test_no_certificate_is_nobodys() -> None:
    """Of a peer that nobody verifies there is neither fingerprint nor name."""
    unknown = Security("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    for name in ("", PRINT, "ct.example", "0" * 64):
        assert not unknown.certificate.is_known_as(name)
        assert not TLS(callers={name: ["CT1"]}).admits(unknown, "CT1")


def test_a_name_that_looks_like_a_fingerprint_is_no_name() -> None:
    """A common name has room for one."""
    forged = secured("0" * 64, PRINT, COLONS)
    assert not TLS(callers={PRINT: ["CT1"]}).admits(forged, "CT1")
    assert not TLS(callers={COLONS: ["CT1"]}).admits(forged, "CT1")


def test_one_text_is_no_collection_of_titles() -> None:
    with pytest.raises(UsageError, match="are one text"):
        TLS(callers={"ct.example": "STORESCU"})
