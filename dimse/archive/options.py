"""The options of a query or a retrieve that are negotiated (PS3.4 C.5.1.1, C.5.2.1, C.5.3.1): which there are, and what is granted."""

from __future__ import annotations

from dataclasses import fields
from typing import Final, Self

from dimse.data.uids import UID
from dimse.services.offer import GET_MODELS, MOVE_MODELS
from dimse.services.options import FIND_MODELS
from pdu.values import dataclass

_OFFERED: Final = {
    **dict.fromkeys(FIND_MODELS, bytes((1, 1, 1, 1, 0, 1, 1))),
    **dict.fromkeys(GET_MODELS | MOVE_MODELS, bytes((1, 0))),
}
"""What this archive does of the bytes of the application information (Tables C.5-2 and C.5-5); it converts no enhanced images."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was agreed for a SOP class, in the order of the bytes of the application information; nothing unless it says so."""

    relational: bool = False
    """Keys of any level, and no unique keys above the level (C.4.1.2.2.2, C.4.2.2.2)."""
    combined: bool = False
    """A date and a time of one name are matched as one moment (C.2.2.2.5)."""
    fuzzy: bool = False
    """Person names that sound alike match (C.2.2.2.1; see `names`)."""
    timezone: bool = False
    """Dates and times are matched and told in the asker's zone (C.2.2.2.5)."""
    enhanced: bool = False
    """Enhanced multi-frame images are converted (C.4.1.2.2.4); never granted."""
    empty: bool = False
    """Two quotation marks match what has no value (C.2.2.2.7)."""
    multiple: bool = False
    """Each of several values must match (C.2.2.2.8)."""

    @classmethod
    def of(cls, sop_class: UID, agreed: bytes) -> Self:
        """The options that the application information agreed on for a SOP class has; a byte that is not there counts as 0."""
        offered = _OFFERED.get(sop_class, b"")
        return cls(**{each.name: both == (1, 1) for each, both in zip(fields(cls), zip(offered, agreed, strict=False), strict=False)})


def granted(sop_class: UID, proposed: bytes) -> bytes | None:
    """The application information to answer a proposal with; None for no answer, to what is no query or retrieve.

    As many bytes as were proposed, as far as there are any: somebody who offers one byte may not expect more (PS3.4 C.5.1.1).
    """
    offered = _OFFERED.get(sop_class)
    if offered is None or not proposed:
        return None
    return bytes(int(mine == asked == 1) for mine, asked in zip(offered, proposed, strict=False))
