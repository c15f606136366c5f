"""Every input that fuzzing has found something with. They are run by each test run, and seed the next search."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """An input, the target that found it, and what it did."""

    target: str
    what: str
    digits: str
    """The input in hex."""


FINDINGS = (
    Row("machine", "a rejection in Sta13 was told to our user as one of this side", "01000e0105"),
    Row("machine", "a command that was not yet sent went out behind the A-RELEASE-RQ", "0100010110010000 0c11"),
    Row("machine", "bytes that came before the transport was there were refused and half read all the same", "01010700060102"),
    Row("machine", "there were more A-ABORTs than the target allowed for", "01000101010103090c010300030000"),
    Row("part10", "an empty Transfer Syntax UID was taken for one", "010200100000000000312e320700000000"),
    Row("message", "a C-CANCEL-RQ that announces a data set ended the provider with a UsageError", "0400000216"),
)
