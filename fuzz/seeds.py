"""Inputs to start from: the vectors of the tests, what real programs sent, and findings of the past."""

from __future__ import annotations

import re
from pathlib import Path

import pdu
from tests.fuzz.findings import FINDINGS
from tests.vectors import MALFORMED, ODD, VECTORS

CAPTURED = Path(__file__).parents[1] / "tests" / "vectors_captured.txt"


def captured() -> dict[str, bytes]:
    """What real programs sent, by name: one PDU each."""
    blocks = re.findall(r"^(\S+) \(.*\)\n((?:  [0-9a-f]+\n)+)", CAPTURED.read_text(encoding="ascii"), re.MULTILINE)
    return {name: bytes.fromhex(digits) for name, digits in blocks}


def pdus() -> list[bytes]:
    """One PDU each, sound and unsound."""
    return [*(v.data for v in (*VECTORS, *ODD)), *(v.data for v in MALFORMED), *captured().values()]


def parts() -> dict[str, bytes]:
    """The data of each captured P-DATA-TF that has a single PDV: command sets and data sets."""
    decoded = {name: pdu.decode(data) for name, data in captured().items()}
    return {name: value.pdvs[0].data for name, value in decoded.items() if isinstance(value, pdu.PDataTF) and len(value.pdvs) == 1}


def findings(target: str) -> list[bytes]:
    """What was found before by this target."""
    return [bytes.fromhex(row.digits) for row in FINDINGS if row.target == target]
