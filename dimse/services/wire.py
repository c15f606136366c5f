"""`Wire`: all that a service needs of a transport. Each front has one; `dimse.services.memory` has one without any I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from dimse.association.events import Event
from dimse.association.layer import UpperLayer
from dimse.services.handlers import Address


class Wire(Protocol):
    """One transport connection and the `UpperLayer` that speaks on it.

    The methods are `async` so that both fronts can run the same service: in `dimse.blocking` they never suspend. A broken
    transport raises nothing here: it comes out of `pump` as the event that Table 9-10 makes of it.
    """

    layer: UpperLayer
    address: str
    """The peer's transport address, `host:port`."""

    async def pump(self, *, wait: bool = True) -> list[Event]:
        """Sends what the layer has to send, reads once and returns what the layer makes of it.

        Waits for bytes, for the end of the stream or for the layer's deadline; `wait=False` takes what is there already.
        """

    async def send(self, buffers: Iterable[bytes | memoryview]) -> None:
        """Sends what the layer has to send and then the buffers; pulls each when the one before it has left.

        Aborts and raises `TimedOut` when the peer takes nothing for `Timeouts.send`.
        """

    async def dial(self, address: Address, layer: UpperLayer) -> Wire:
        """Opens a further connection, from this side to another AE. Raises `Unreachable`."""

    def drop(self) -> None:
        """Closes the connection at once, from anywhere: for whoever waits in `pump` the peer has closed it."""

    async def close(self) -> None:
        """Sends what the layer still has to send and closes the connection. May be called again."""
