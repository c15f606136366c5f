"""The association floor: PS3.8 without any I/O.

table.py        Table 9-10 as one grid, the actions as rows; prints the picture
negotiation.py  propose, answer, agree: from values to values
layer.py        UpperLayer: bytes and time in, events, buffers and a deadline out
events.py       what an UpperLayer tells its user, and its trace
config.py       Timeouts and Limits, each by name
"""

from dimse.association.config import Limits, Timeouts
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import Accept, AcceptedContext, Agreement, Context, RefusedContext, agree, answer, propose

__all__ = [
    "Accept",
    "AcceptedContext",
    "Agreement",
    "Context",
    "Limits",
    "RefusedContext",
    "Timeouts",
    "UpperLayer",
    "agree",
    "answer",
    "propose",
]
