"""PS3.8 Table 9-10 and Tables 9-6 to 9-9 once more, transcribed for the tests alone and in another form than the code's.

Per event: which action in which states. Per action: what it does. What is not named here is an empty cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

STATES = range(1, 14)
EVENTS = range(1, 20)


class Effect(NamedTuple):
    """What an action does. `leads_to` is the state for the association's requestor and for its acceptor.

    `sends` is a PDU by name, `issues` a primitive, `artim` one of start, stop and empty (a timer that runs goes on).
    `ends` says that the transport is closed, by the peer already or by this side now.
    """

    leads_to: tuple[int, int]
    sends: str = ""
    issues: str = ""
    artim: str = ""
    ends: bool = False


def _to(state: int) -> tuple[int, int]:
    return state, state


ACTIONS: Mapping[str, Effect] = {
    "AE-1": Effect(_to(4)),  # issues TRANSPORT CONNECT request, which is the caller's affair
    "AE-2": Effect(_to(5), sends="A-ASSOCIATE-RQ"),
    "AE-3": Effect(_to(6), issues="A-ASSOCIATE confirmation (accept)"),
    "AE-4": Effect(_to(1), issues="A-ASSOCIATE confirmation (reject)", ends=True),
    "AE-5": Effect(_to(2), artim="start"),
    "AE-6": Effect(_to(3), issues="A-ASSOCIATE indication", artim="stop"),
    "AE-7": Effect(_to(6), sends="A-ASSOCIATE-AC"),
    "AE-8": Effect(_to(13), sends="A-ASSOCIATE-RJ", artim="start"),
    "DT-1": Effect(_to(6), sends="P-DATA-TF"),
    "DT-2": Effect(_to(6), issues="P-DATA indication"),
    "AR-1": Effect(_to(7), sends="A-RELEASE-RQ"),
    "AR-2": Effect(_to(8), issues="A-RELEASE indication"),
    "AR-3": Effect(_to(1), issues="A-RELEASE confirmation", ends=True),
    "AR-4": Effect(_to(13), sends="A-RELEASE-RP", artim="start"),
    "AR-5": Effect(_to(1), artim="stop", ends=True),
    "AR-6": Effect(_to(7), issues="P-DATA indication"),
    "AR-7": Effect(_to(8), sends="P-DATA-TF"),
    "AR-8": Effect((9, 10), issues="A-RELEASE indication"),
    "AR-9": Effect(_to(11), sends="A-RELEASE-RP"),
    "AR-10": Effect(_to(12), issues="A-RELEASE confirmation"),
    "AA-1": Effect(_to(13), sends="A-ABORT by user", artim="start"),
    "AA-2": Effect(_to(1), artim="stop", ends=True),
    "AA-3": Effect(_to(1), issues="A-ABORT indication", ends=True),
    "AA-4": Effect(_to(1), issues="A-P-ABORT indication: transport closed", ends=True),
    "AA-5": Effect(_to(1), artim="stop", ends=True),
    "AA-6": Effect(_to(13)),
    "AA-7": Effect(_to(13), sends="A-ABORT by provider"),
    "AA-8": Effect(_to(13), sends="A-ABORT by provider", issues="A-P-ABORT indication", artim="start"),
}

REFUSED = Effect(_to(13), sends="A-ASSOCIATE-RJ", artim="start")
"""AE-6 when the A-ASSOCIATE-RQ is not acceptable by the service provider: "stop; start again", A-ASSOCIATE-RJ, Sta13."""

_BUSY = (3, *range(6, 13))
"""Sta3 and Sta6 to Sta12: an answer to an association request comes out of turn."""
_BEFORE_DATA_OR_AFTER = (3, 5, *range(8, 13))

_ROWS: Mapping[int, Mapping[str, Sequence[int]]] = {
    1: {"AE-1": [1]},
    2: {"AE-2": [4]},
    3: {"AA-1": [2], "AE-3": [5], "AA-8": _BUSY, "AA-6": [13]},
    4: {"AA-1": [2], "AE-4": [5], "AA-8": _BUSY, "AA-6": [13]},
    5: {"AE-5": [1]},
    6: {"AE-6": [2], "AA-8": [3, *range(5, 13)], "AA-7": [13]},
    7: {"AE-7": [3]},
    8: {"AE-8": [3]},
    9: {"DT-1": [6], "AR-7": [8]},
    10: {"AA-1": [2], "AA-8": _BEFORE_DATA_OR_AFTER, "DT-2": [6], "AR-6": [7], "AA-6": [13]},
    11: {"AR-1": [6]},
    12: {"AA-1": [2], "AA-8": _BEFORE_DATA_OR_AFTER, "AR-2": [6], "AR-8": [7], "AA-6": [13]},
    13: {"AA-1": [2], "AA-8": [3, 5, 6, 8, 9, 12], "AR-3": [7, 11], "AR-10": [10], "AA-6": [13]},
    14: {"AR-4": [8, 12], "AR-9": [9]},
    15: {"AA-1": [3, *range(5, 13)], "AA-2": [4]},
    16: {"AA-2": [2, 13], "AA-3": [3, *range(5, 13)]},
    17: {"AA-5": [2], "AA-4": range(3, 13), "AR-5": [13]},
    18: {"AA-2": [2, 13]},
    19: {"AA-1": [2], "AA-8": [3, *range(5, 13)], "AA-7": [13]},
}

CELLS: Mapping[tuple[int, int], str] = {
    (event, state): action for event, row in _ROWS.items() for action, states in row.items() for state in states
}
"""(event, state) -> action."""

ABORT_REASONS = {19: 1}
"""What a provider's A-ABORT gives as reason: 1, unrecognized PDU, for the one that Evt19 brings here, else 2, unexpected PDU."""

FROM_PEER = frozenset({3, 4, 6, 10, 12, 13, 16, 19})
FROM_TRANSPORT = frozenset({2, 5, 17})
BY_TIME = frozenset({18})
FROM_USER = frozenset({1, 7, 8, 9, 11, 14, 15})

REQUESTOR_ONLY = frozenset({4, 5, 9, 11})
ACCEPTOR_ONLY = frozenset({2, 3, 10, 12})
"""The states that only one of the two sides can be in; the others are everybody's."""
