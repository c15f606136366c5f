"""Two layers back to back: what one has to send is what the other receives, in chunks."""

from __future__ import annotations

from collections.abc import Callable

import pdu
from dimse.association.events import AssociateConfirmation, AssociateIndication, Event
from dimse.association.layer import UpperLayer
from tests.association import scenes


class Pair:
    """A connection in memory; `events` is what came out of `shuttle` on either side."""

    def __init__(self, request: pdu.AssociateRQ, *, chunk: int = 1 << 20) -> None:
        self.requestor = UpperLayer.requestor(request)
        self.acceptor = UpperLayer.acceptor()
        self.events: list[Event] = []
        self._chunk = chunk
        self.acceptor.connected()
        self.requestor.connected()

    def associate(self, reply: Callable[[pdu.AssociateRQ], pdu.AssociateAC | pdu.AssociateRJ]) -> None:
        """The request is accepted with that answer."""
        self.shuttle()
        (asked,) = self.events
        assert isinstance(asked, AssociateIndication)
        ac = reply(asked.request)
        assert isinstance(ac, pdu.AssociateAC)
        self.acceptor.accept(ac)
        self.shuttle()
        assert isinstance(self.events[1], AssociateConfirmation)
        self.events.clear()

    def message(self, context_id: int, command: bytes, data: bytes | None, from_requestor: bool) -> list[Event]:
        """Sends one message: what the other side makes of it."""
        here, there = (self.requestor, self.acceptor) if from_requestor else (self.acceptor, self.requestor)
        readv = None if data is None else scenes.source_of(data)
        buffers = here.send_message(context_id, command, None if data is None else len(data), readv)
        return self._deliver(b"".join(map(bytes, buffers)), there)

    def shuttle(self) -> None:
        """Takes to the other side what there is to send, once each way and both at the same time."""
        to_acceptor, to_requestor = scenes.sent(self.requestor), scenes.sent(self.acceptor)
        self.events += self._deliver(to_acceptor, self.acceptor)
        self.events += self._deliver(to_requestor, self.requestor)

    def _deliver(self, data: bytes, layer: UpperLayer) -> list[Event]:
        return [event for at in range(0, len(data), self._chunk) for event in layer.receive(data[at : at + self._chunk])]
