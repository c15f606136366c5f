"""The state machine of the DICOM upper layer: PS3.8 Table 9-10 as one grid, and its actions (Tables 9-6 to 9-9) as rows.

`python -m dimse.association` prints the picture that stands in the README.
"""

from __future__ import annotations

from enum import Enum, IntEnum

from pdu.values import dataclass


class State(IntEnum):
    """PS3.8 Tables 9-1 to 9-5. The value is the number that the standard gives the state."""

    STA1 = 1
    STA2 = 2
    STA3 = 3
    STA4 = 4
    STA5 = 5
    STA6 = 6
    STA7 = 7
    STA8 = 8
    STA9 = 9
    STA10 = 10
    STA11 = 11
    STA12 = 12
    STA13 = 13

    @property
    def words(self) -> str:
        """What the state waits for, in few words."""
        return STATE_WORDS[self]


STATE_WORDS = {
    State.STA1: "idle",
    State.STA2: "connection open, awaiting A-ASSOCIATE-RQ",
    State.STA3: "awaiting our user's answer to the A-ASSOCIATE-RQ",
    State.STA4: "awaiting the transport connection to open",
    State.STA5: "awaiting A-ASSOCIATE-AC or -RJ",
    State.STA6: "association established, ready for data",
    State.STA7: "awaiting A-RELEASE-RP",
    State.STA8: "awaiting our user's A-RELEASE response",
    State.STA9: "collision, requestor: awaiting our user's A-RELEASE response",
    State.STA10: "collision, acceptor: awaiting A-RELEASE-RP",
    State.STA11: "collision, requestor: awaiting A-RELEASE-RP",
    State.STA12: "collision, acceptor: awaiting our user's A-RELEASE response",
    State.STA13: "awaiting the transport connection to close",
}


class Evt(IntEnum):
    """PS3.8 Table 9-10, first column. The value is the number that the standard gives the event."""

    A_ASSOCIATE_REQUEST = 1
    TRANSPORT_CONFIRMATION = 2
    ASSOCIATE_AC = 3
    ASSOCIATE_RJ = 4
    TRANSPORT_INDICATION = 5
    ASSOCIATE_RQ = 6
    A_ASSOCIATE_ACCEPT = 7
    A_ASSOCIATE_REJECT = 8
    P_DATA_REQUEST = 9
    P_DATA_TF = 10
    A_RELEASE_REQUEST = 11
    RELEASE_RQ = 12
    RELEASE_RP = 13
    A_RELEASE_RESPONSE = 14
    A_ABORT_REQUEST = 15
    ABORT = 16
    TRANSPORT_CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19

    @property
    def words(self) -> str:
        """Whose event it is and what, in few words."""
        return EVENT_WORDS[self]


EVENT_WORDS = {
    Evt.A_ASSOCIATE_REQUEST: "user: A-ASSOCIATE request",
    Evt.TRANSPORT_CONFIRMATION: "transport: connection opened",
    Evt.ASSOCIATE_AC: "peer: A-ASSOCIATE-AC",
    Evt.ASSOCIATE_RJ: "peer: A-ASSOCIATE-RJ",
    Evt.TRANSPORT_INDICATION: "transport: connection accepted",
    Evt.ASSOCIATE_RQ: "peer: A-ASSOCIATE-RQ",
    Evt.A_ASSOCIATE_ACCEPT: "user: A-ASSOCIATE response, accept",
    Evt.A_ASSOCIATE_REJECT: "user: A-ASSOCIATE response, reject",
    Evt.P_DATA_REQUEST: "user: P-DATA request",
    Evt.P_DATA_TF: "peer: P-DATA-TF",
    Evt.A_RELEASE_REQUEST: "user: A-RELEASE request",
    Evt.RELEASE_RQ: "peer: A-RELEASE-RQ",
    Evt.RELEASE_RP: "peer: A-RELEASE-RP",
    Evt.A_RELEASE_RESPONSE: "user: A-RELEASE response",
    Evt.A_ABORT_REQUEST: "user: A-ABORT request",
    Evt.ABORT: "peer: A-ABORT",
    Evt.TRANSPORT_CLOSED: "transport: connection closed",
    Evt.ARTIM_EXPIRED: "ARTIM timer expired",
    Evt.INVALID_PDU: "peer: unrecognized or invalid PDU",
}

GRID_TEXT = """
        Sta1  Sta2  Sta3  Sta4  Sta5  Sta6  Sta7  Sta8  Sta9 Sta10 Sta11 Sta12 Sta13
Evt1    AE-1     -     -     -     -     -     -     -     -     -     -     -     -
Evt2       -     -     -  AE-2     -     -     -     -     -     -     -     -     -
Evt3       -  AA-1  AA-8     -  AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt4       -  AA-1  AA-8     -  AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt5    AE-5     -     -     -     -     -     -     -     -     -     -     -     -
Evt6       -  AE-6  AA-8     -  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
Evt7       -     -  AE-7     -     -     -     -     -     -     -     -     -     -
Evt8       -     -  AE-8     -     -     -     -     -     -     -     -     -     -
Evt9       -     -     -     -     -  DT-1     -  AR-7     -     -     -     -     -
Evt10      -  AA-1  AA-8     -  AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt11      -     -     -     -     -  AR-1     -     -     -     -     -     -     -
Evt12      -  AA-1  AA-8     -  AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt13      -  AA-1  AA-8     -  AA-8  AA-8  AR-3  AA-8  AA-8 AR-10  AR-3  AA-8  AA-6
Evt14      -     -     -     -     -     -     -  AR-4  AR-9     -     -  AR-4     -
Evt15      -     -  AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1     -
Evt16      -  AA-2  AA-3     -  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
Evt17      -  AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
Evt18      -  AA-2     -     -     -     -     -     -     -     -     -     -  AA-2
Evt19      -  AA-1  AA-8     -  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
"""
"""PS3.8 Table 9-10, as on the page. A dash is a cell that the standard leaves empty: the event cannot occur there."""


class Send(Enum):
    """The PDU that an action sends."""

    ASSOCIATE_RQ = "A-ASSOCIATE-RQ"
    ASSOCIATE_AC = "A-ASSOCIATE-AC"
    ASSOCIATE_RJ = "A-ASSOCIATE-RJ"
    P_DATA_TF = "P-DATA-TF"
    RELEASE_RQ = "A-RELEASE-RQ"
    RELEASE_RP = "A-RELEASE-RP"
    USER_ABORT = "A-ABORT (source 0)"
    PROVIDER_ABORT = "A-ABORT (source 2)"


class Indicate(Enum):
    """The primitive that an action issues to our user."""

    ASSOCIATE = "A-ASSOCIATE indication"
    ACCEPTED = "A-ASSOCIATE confirmation (accept)"
    REJECTED = "A-ASSOCIATE confirmation (reject)"
    P_DATA = "P-DATA indication"
    RELEASE = "A-RELEASE indication"
    RELEASED = "A-RELEASE confirmation"
    ABORT = "A-ABORT or A-P-ABORT indication"
    P_ABORT = "A-P-ABORT indication"


class Artim(Enum):
    """What an action does to the ARTIM timer (PS3.8 9.1.5)."""

    START = "start"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Action:
    """One row of PS3.8 Tables 9-6 to 9-9: what to send, what to indicate, ARTIM, whether to close, and the next state.

    `otherwise` is the second next state of the two actions that have one: AE-6 when the request is refused by the
    provider (with an A-ASSOCIATE-RJ), AR-8 when this side is the association's acceptor.
    """

    next_state: State
    send: Send | None = None
    indicate: Indicate | None = None
    artim: Artim | None = None
    close: bool = False
    otherwise: State | None = None


ACTIONS = {
    "AE-1": Action(State.STA4),
    "AE-2": Action(State.STA5, send=Send.ASSOCIATE_RQ),
    "AE-3": Action(State.STA6, indicate=Indicate.ACCEPTED),
    "AE-4": Action(State.STA1, indicate=Indicate.REJECTED, close=True),
    "AE-5": Action(State.STA2, artim=Artim.START),
    "AE-6": Action(State.STA3, indicate=Indicate.ASSOCIATE, artim=Artim.STOP, otherwise=State.STA13),
    "AE-7": Action(State.STA6, send=Send.ASSOCIATE_AC),
    "AE-8": Action(State.STA13, send=Send.ASSOCIATE_RJ, artim=Artim.START),
    "DT-1": Action(State.STA6, send=Send.P_DATA_TF),
    "DT-2": Action(State.STA6, indicate=Indicate.P_DATA),
    "AR-1": Action(State.STA7, send=Send.RELEASE_RQ),
    "AR-2": Action(State.STA8, indicate=Indicate.RELEASE),
    "AR-3": Action(State.STA1, indicate=Indicate.RELEASED, close=True),
    "AR-4": Action(State.STA13, send=Send.RELEASE_RP, artim=Artim.START),
    "AR-5": Action(State.STA1, artim=Artim.STOP, close=True),
    "AR-6": Action(State.STA7, indicate=Indicate.P_DATA),
    "AR-7": Action(State.STA8, send=Send.P_DATA_TF),
    "AR-8": Action(State.STA9, indicate=Indicate.RELEASE, otherwise=State.STA10),
    "AR-9": Action(State.STA11, send=Send.RELEASE_RP),
    "AR-10": Action(State.STA12, indicate=Indicate.RELEASED),
    "AA-1": Action(State.STA13, send=Send.USER_ABORT, artim=Artim.START),
    "AA-2": Action(State.STA1, artim=Artim.STOP, close=True),
    "AA-3": Action(State.STA1, indicate=Indicate.ABORT, close=True),
    "AA-4": Action(State.STA1, indicate=Indicate.P_ABORT, close=True),
    "AA-5": Action(State.STA1, artim=Artim.STOP, close=True),
    "AA-6": Action(State.STA13),
    "AA-7": Action(State.STA13, send=Send.PROVIDER_ABORT),
    "AA-8": Action(State.STA13, send=Send.PROVIDER_ABORT, indicate=Indicate.P_ABORT, artim=Artim.START),
}


def _read_grid(text: str) -> dict[tuple[Evt, State], str]:
    """The non-empty cells of the grid: (event, state) -> name of the action."""
    rows = [line.split() for line in text.strip().splitlines()[1:]]
    return {
        (event, state): name
        for event, row in zip(Evt, rows, strict=True)
        for state, name in zip(State, row[1:], strict=True)
        if name != "-"
    }


GRID = _read_grid(GRID_TEXT)


def picture() -> str:
    """The state machine as text: states, events, the grid of Table 9-10, and what each action does."""
    states = [f"{f'Sta{state}':6} {state.words}" for state in State]
    events = [f"{f'Evt{event}':6} {event.words}" for event in Evt]
    head = " " * 6 + "".join(f"{f'Sta{state}':>6}" for state in State)
    grid = [f"{f'Evt{event}':6}" + "".join(f"{GRID.get((event, state), '.'):>6}" for state in State) for event in Evt]
    actions = [f"{name:6} {_row(action)}" for name, action in ACTIONS.items()]
    return "\n\n".join("\n".join(part) for part in (states, events, [head, *grid], actions))


def diagram() -> str:
    """The life of an association without accidents, as a Mermaid state diagram: all actions but those that abort (AA)."""
    edges: dict[tuple[State, State], list[str]] = {}
    for (event, state), name in GRID.items():
        for target in (ACTIONS[name].next_state, ACTIONS[name].otherwise):
            if target is not None and target is not state and not name.startswith("AA"):
                edges.setdefault((state, target), []).append(f"{event.words.replace(':', '')} ({name})")
    nodes = [f"    Sta{state}: Sta{state} {state.words.replace(':', ',')}" for state in State]
    lines = [f"    Sta{start} --> Sta{target}: {', '.join(labels)}" for (start, target), labels in edges.items()]
    return "\n".join(["stateDiagram-v2", *nodes, *lines])


def _row(action: Action) -> str:
    """What an action does, in words: `send A-ABORT (source 2); indicate A-P-ABORT indication; start ARTIM; Sta13`."""
    target = f"Sta{action.next_state}" + (f" or Sta{action.otherwise}" if action.otherwise else "")
    parts = (
        action.send and f"send {action.send.value}",
        action.indicate and f"issue {action.indicate.value}",
        action.artim and f"{action.artim.value} ARTIM",
        "close" if action.close else None,
        target,
    )
    return "; ".join(part for part in parts if part)
