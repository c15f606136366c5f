"""What a case is, and how what came back is judged.

An outcome is what came back, in order and in the protocol's words, joined by "; ":

    A-ASSOCIATE-AC 1=0 3=0        with the result of each context (PS3.8 Table 9-18)
    A-ASSOCIATE-RJ(1,1,7)         result, source, reason; A-ABORT(2,6): source, reason
    C-ECHO-RSP 0000H              a response and its status
    closed                        the provider closed the connection ("reset" where TCP said so with a reset)
    open                          it did nothing more until the deadline
    malformed ...                 it sent what is no PDU
    served                        meanwhile a C-ECHO on a connection of its own was answered; or "not served"

A pattern is an outcome with the wildcards of `fnmatch` inside its words; `closed` also stands for a reset.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from fnmatch import fnmatchcase
from typing import Literal

from dimse.judge.wire import CONTEXTS, MAX_LENGTH, Stimulus
from pdu.values import dataclass

Wait = Literal["artim", "idle", "answer", "work"]
"""What ends the provider's patience: ARTIM, or its own limits on silence in an association.

Or nothing does, for it has to answer, to something small or to something that makes work.
"""
SEPARATOR = "; "


@dataclass(frozen=True, slots=True)
class Connect:
    """Opens the connection. The other steps open it too where it is not open yet."""


@dataclass(frozen=True, slots=True)
class Send:
    """Sends bytes, until they are out, or something comes back, or nobody takes them.

    `piece`: so many bytes a TCP segment. `times`: again and again. `trickle`: a byte at a time, slower than ARTIM allows.
    """

    data: Stimulus
    piece: int = 0
    times: int = 1
    trickle: bool = False


@dataclass(frozen=True, slots=True)
class Associate:
    """Asks for an association as everybody does. The case cannot be tried unless the contexts in `needs` are accepted.

    `limited`: nor unless the provider says how long a P-DATA-TF it takes.
    """

    contexts: tuple[bytes, ...] = CONTEXTS
    max_length: int = MAX_LENGTH
    needs: tuple[int, ...] = (1,)
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Await:
    """Waits for the next thing that comes back."""


@dataclass(frozen=True, slots=True)
class AwaitEnd:
    """Waits for everything that comes back, up to the end of the connection."""


@dataclass(frozen=True, slots=True)
class Echo:
    """Somebody else, on a connection of their own, asks for a C-ECHO and is to be answered in time."""

    within: float = 1.0


@dataclass(frozen=True, slots=True)
class Shut:
    """Closes our direction of the connection (FIN)."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Closes the connection with a TCP reset, or without one (`orderly`)."""

    orderly: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    """Does the same on `count` connections, one after the other. Left open unless `leave`; counts what came back."""

    count: int
    steps: tuple[Connect | Send | Associate | Await, ...]
    leave: bool = False


@dataclass(frozen=True, slots=True)
class AwaitAll:
    """Waits for the end of all connections that a `Repeat` left open."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Closes all connections that a `Repeat` left open."""


Step = Connect | Send | Associate | Await | AwaitEnd | Echo | Shut | Reset | Repeat | AwaitAll | Leave


@dataclass(frozen=True)
class Case:
    """One row of the table: what is done, and which outcomes the standard allows.

    `tolerated` outcomes break it, or what prudence asks for, without harm. `deadline` names the wait after which nothing more
    is to be expected. `rough` cases flood, exhaust or transfer much: they run only when asked for.
    """

    id: str
    title: str
    clause: str
    steps: tuple[Step, ...]
    allowed: tuple[str, ...]
    tolerated: tuple[str, ...] = ()
    deadline: Wait = "artim"
    rough: bool = False

    @property
    def group(self) -> str:
        """The letter of its group."""
        return self.id[0]

    @property
    def scenario(self) -> str:
        """Its id without the variant."""
        return self.id.partition("/")[0]


class Verdict(Enum):
    """What is thought of an outcome."""

    CONFORMS = "conforms"
    TOLERATED = "tolerated"
    VIOLATES = "violates"
    NO_ANSWER = "no answer"
    """The provider did nothing by the deadline where the standard has it do something."""
    UNTESTED = "untested"
    """The provider does not offer what the case needs, or is not there any more."""

    @property
    def failed(self) -> bool:
        """Whether the provider broke the standard."""
        return self in (Verdict.VIOLATES, Verdict.NO_ANSWER)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one case. `remark` is why it was untested, or what else was seen."""

    case: Case
    verdict: Verdict
    came: tuple[str, ...]
    remark: str = ""

    @property
    def outcome(self) -> str:
        """What came back, in one line."""
        return SEPARATOR.join(self.came) or "nothing"


def judge(case: Case, came: Sequence[str]) -> Verdict:
    """The verdict on what came back."""
    if any(matches(pattern, came) for pattern in case.allowed):
        return Verdict.CONFORMS
    if any(matches(pattern, came) for pattern in case.tolerated):
        return Verdict.TOLERATED
    return Verdict.NO_ANSWER if came and set(came) <= {"served", "open"} else Verdict.VIOLATES


def matches(pattern: str, came: Sequence[str]) -> bool:
    """Whether an outcome is as the pattern has it."""
    words = pattern.split(SEPARATOR)
    return len(words) == len(came) and all(fnmatchcase(plain(token), word) for word, token in zip(words, came, strict=True))


def plain(came: str) -> str:
    """A connection that is closed with unread bytes in it is reset: to the peer that is the same."""
    return "closed" if came == "reset" else came
