"""Providers for the judge that know little more than C-ECHO, and react to everything else as they are told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pdu
from dimse.data.commands import CommandField, CommandSet
from dimse.judge import Target, Timing

HOST = "127.0.0.1"
TIMING = Timing(artim=0.1, idle=0.1, grace=0.1, quick=0.02, answer=0.5, work=0.5, healthy=0.3, connect=1.0)
Reaction = Callable[["Odd", socket.socket], object]
"""What is done about anything but A-ASSOCIATE-RQ, C-ECHO-RQ and A-RELEASE-RQ; then the connection is closed."""


class Odd:
    """Serves C-ECHO on any number of connections, or (`alone`) on one at a time, or (`places`) on some.

    While `goes_on` is not set, nobody new is served.
    """

    def __init__(self, react: Reaction, *, alone: bool = False, places: int = 99, port: int = 0) -> None:
        self.react = react
        self.goes_on = threading.Event()
        self.goes_on.set()
        self._places = threading.BoundedSemaphore(places)
        self.over = threading.Event()
        self._alone = alone
        self._listener = socket.create_server((HOST, port))
        self._threads = [threading.Thread(target=self._accept, name="odd provider")]
        self.target = Target(HOST, self._listener.getsockname()[1], b"ODD", b"ME", TIMING)
        self._threads[0].start()

    def close(self) -> None:
        """Ends it: whoever reacts by waiting for `over` goes on, and nobody is accepted any more."""
        self.die()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def die(self) -> None:
        """From now on nobody listens."""
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                if self._alone:
                    self._serve(connection)
                else:
                    thread = threading.Thread(target=self._serve, args=(connection,), name="odd association")
                    self._threads.append(thread)
                    thread.start()

    def _serve(self, connection: socket.socket) -> None:
        self.goes_on.wait(10)
        with connection, suppress(OSError):
            connection.settimeout(2.0)
            if not self._places.acquire(blocking=False):
                connection.recv(65_536)
                connection.sendall(pdu.AssociateRJ(2, 3, 2).encode())
                return
            try:
                self._talk(connection)
            finally:
                self._places.release()

    def _talk(self, connection: socket.socket) -> None:
        try:
            while (chunk := connection.recv(65_536)) and (answer := _answer(chunk)):
                connection.sendall(answer)
        except (pdu.PDUError, ValueError, TimeoutError):
            chunk = b"?"
        if chunk:
            self.react(self, connection)


def _answer(chunk: bytes) -> bytes:
    """The answer to a PDU that came whole; empty for one that is none of the three. Raises `PDUError`."""
    match pdu.decode(chunk):
        case pdu.AssociateRQ() as rq:
            contexts = [pdu.PresentationContextAC(p.id, 0 if p.id == 1 else 3, p.transfer_syntaxes[0]) for p in rq.presentation_contexts]
            user = pdu.UserInformation((pdu.MaximumLength(16_384), pdu.ImplementationClassUID("1.2.3")))
            return pdu.AssociateAC(rq.called, rq.calling, (pdu.ApplicationContext(), *contexts, user)).encode()
        case pdu.PDataTF(pdvs=(pdu.PDV(context_id=1) as pdv,)) if CommandSet.decode(pdv.data).command_field == CommandField.C_ECHO_RQ:
            response = CommandSet.decode(pdv.data).response(0).encode()
            return pdu.frames(1, True, response, 16_384)
        case pdu.ReleaseRQ():
            return pdu.ReleaseRP().encode()
        case _:
            return b""


@contextmanager
def odd(react: Reaction, *, alone: bool = False, places: int = 99) -> Iterator[Odd]:
    """Such a provider for the time of a block."""
    provider = Odd(react, alone=alone, places=places)
    try:
        yield provider
    finally:
        provider.close()


def sends(data: bytes) -> Reaction:
    """Answers with these bytes."""
    return lambda _, connection: connection.sendall(data)


def closes(_: Odd, connection: socket.socket) -> None:
    """Closes the connection."""
    connection.shutdown(socket.SHUT_RDWR)


def hangs(provider: Odd, _: socket.socket) -> None:
    """Does nothing at all."""
    provider.over.wait(10)


def rests(provider: Odd, _: socket.socket) -> None:
    """Serves nobody new for a while."""
    provider.goes_on.clear()
    threading.Timer(0.9, provider.goes_on.set).start()


def dies(provider: Odd, _: socket.socket) -> None:
    """Takes everybody else with it."""
    provider.die()


def floods(_: Odd, connection: socket.socket) -> None:
    """Sends P-DATA-TF without end."""
    while True:
        connection.sendall(pdu.frames(1, False, bytes(16_000), 16_384) * 8)
