"""`Wire`: all that a service needs of a transport. Each front has one; `dimse.services.memory` has one without any I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dimse.errors import TimedOut
from pdu.typed import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dimse.association.events import Event
    from dimse.association.layer import UpperLayer
    from dimse.services.handlers import Address
    from dimse.services.security import Security

BACKLOG = 1024
"""Connections that the system keeps until they are taken. It drops one more: its peer tries again after a second, and after two."""
NEAR = 131_072
"""What a requestor whose peer is on the same host sets SO_SNDBUF to. Little on its way stays in the processor's caches, while the system
would let megabytes pile up, which are copied from and to memory. To any other host the system itself finds out how much a line takes."""


class Wire(Protocol):
    """One transport connection and the `UpperLayer` that speaks on it.

    The methods are `async` so that both fronts can run the same service: in `dimse.blocking` they never suspend. A broken
    transport raises nothing here: it comes out of `pump` as the event that Table 9-10 makes of it.
    """

    layer: UpperLayer
    address: str
    """The peer's transport address, `host:port`."""
    security: Security | None
    """How the connection is secured; None if it is not."""
    clock: Callable[[], float]
    """Seconds, on the clock that the layer's deadlines are on."""

    async def secure(self) -> None:
        """Secures the connection if it is to be secured, before anything else is done with it.

        Raises `TLSFailed`, `TimedOut` or `ConnectionLost`; then nothing more can be done with it but closing it.
        """

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


def handshake_deadline(layer: UpperLayer, now: float) -> tuple[float | None, TimedOut]:
    """When a TLS handshake that begins now has to be over, and what to raise if it is not.

    ARTIM runs from the transport connection, TLS or not; a requestor's first wait begins with its A-ASSOCIATE-RQ.
    """
    seconds, artim = layer.timeouts.tls_handshake, None if layer.is_requestor else layer.deadline(now)
    due = None if seconds is None else now + seconds
    if artim is not None and (due is None or artim < due):
        return artim, TimedOut("artim", layer.timeouts.artim or 0.0)
    return due, TimedOut("tls_handshake", seconds or 0.0)


def tcp_port(port: int) -> int:
    """The port itself. Raises `OverflowError` for one that is none: resolvers take it modulo 65536, and so reach somebody else."""
    if not 0 <= port <= 65_535:
        raise OverflowError(f"a TCP port is 0 to 65535, not {port}")
    return port
