"""How each kind of work is done once and measured: sides of the rows of `bench.rows`.

Each function gives what opens a side: a context manager that starts what has to run all the time and gives the run. A run returns
seconds (or what its row is counted in) and raises if not everything arrived.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from typing import ParamSpec

import dimse as stack
from bench.contestants import RECEIVE, STORESCP_BEST, Sender, address, findscu, movescu, send, serve, storescu_best
from bench.measuring import Command, Failed, Run, dimse, peak, python, said, wall
from bench.providers import HOST, Peer, Provider, running
from bench.samples import MB, Objects, Place, Work, arrived

P = ParamSpec("P")
Opened = Callable[[Place], AbstractContextManager[Run]]


def _side(function: Callable[P, Callable[[Place], Iterator[Run]]]) -> Callable[P, Opened]:
    """Makes what a function returns, a generator of a place, a context manager."""

    @wraps(function)
    def made(*args: P.args, **kwargs: P.kwargs) -> Opened:
        return contextmanager(function(*args, **kwargs))

    return made


def _store(place: Place, senders: Sequence[tuple[Sender, Work]], peer: Peer, *, on_disk: bool = False) -> float:
    """Seconds in which all senders have sent their work to a provider that was started for it."""
    sent = [place.objects(work) for _, work in senders]
    with place.room(on_disk) as folder, running(peer, folder) as provider:
        seconds = wall(*(sender(provider, objects.folder) for (sender, _), objects in zip(senders, sent, strict=True)))
        arrived(folder, sent)
    return seconds


@_side
def storing(sender: Sender, peer: Peer, *works: Work, on_disk: bool = False) -> Callable[[Place], Iterator[Run]]:
    """Works sent to one provider, each by a sender of its own, all at once."""

    def opened(place: Place) -> Iterator[Run]:
        peer.find()
        yield lambda: _store(place, [(sender, work) for work in works], peer, on_disk=on_disk)

    return opened


@_side
def storing_scaled(sender: Sender, peer: Peer, work: Work, few: int, more: int) -> Callable[[Place], Iterator[Run]]:
    """What `work` would take, of the slow: from the times of a few instances and of some more."""

    def opened(place: Place) -> Iterator[Run]:
        peer.find()

        yield lambda: _told_by(work.count, few, more, lambda count: _store(place, [(sender, Work(count, work.size))], peer))

    return opened


def _told_by(count: int, few: int, more: int, seconds: Callable[[int], float]) -> float:
    """What so many would take."""
    least, most = seconds(few), seconds(more)
    return least + (most - least) / (more - few) * (count - few)


@_side
def growing(sender: Sender, peer: Peer, one: Work, other: Work) -> Callable[[Place], Iterator[Run]]:
    """Microseconds that each instance, or where those are as many each MB, takes more of `other` than of `one`."""

    def opened(place: Place) -> Iterator[Run]:
        more = other.count - one.count or (other.size - one.size) / MB

        def run() -> float:
            least, most = (_store(place, [(sender, work)], peer) for work in (one, other))
            return (most - least) / more * 1e6

        yield run

    return opened


@contextmanager
def _printing_its_port(command: Command) -> Iterator[int]:
    process = command.start(subprocess.PIPE, subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Failed(f"{' '.join(command.words[:4])} does not start")
        yield int(line)
        if process.poll():
            raise Failed(f"{' '.join(command.words[:4])} ended with {process.returncode}")
    finally:
        process.kill()
        process.communicate()


@_side
def raw(work: Work) -> Callable[[Place], Iterator[Run]]:
    """One file through a socket and nothing else."""

    def opened(place: Place) -> Iterator[Run]:
        objects = place.objects(work)

        def run() -> float:
            with place.room() as folder, _printing_its_port(python("-m", "bench.loops", "raw-receive", folder / "kept")) as port:
                seconds = wall(python("-m", "bench.loops", "raw-send", port, objects.path(0)))
                arrived(folder, [objects])
            return seconds

        yield run

    return opened


@contextmanager
def _filled(place: Place, archive: Peer, objects: Objects) -> Iterator[Provider]:
    """An archive that has these."""
    archive.find()
    with place.room() as folder, running(archive, folder) as provider:
        wall(storescu_best(provider, objects.folder))
        yield provider


@_side
def finding(archive: Peer, work: Work) -> Callable[[Place], Iterator[Run]]:
    """All instances of a series asked for by findscu."""

    def opened(place: Place) -> Iterator[Run]:
        with _filled(place, archive, place.objects(work)) as provider:
            with place.room() as folder:
                found = said(findscu(provider, work, "-X", "-od", str(folder)))
                answers = sum(1 for path in folder.iterdir())
            if answers != work.count:
                raise Failed(f"{answers} answers instead of {work.count}: {found[-200:]}")
            yield lambda: wall(findscu(provider, work, "-q"))

    return opened


@_side
def moving(archive: Callable[[int], Peer], work: Work) -> Callable[[Place], Iterator[Run]]:
    """A series moved to storescp at its best by request of movescu; the archive is made for the port of that."""

    def opened(place: Place) -> Iterator[Run]:
        objects = place.objects(work)
        with ExitStack() as stack_:
            kept = stack_.enter_context(place.room())
            receiver = stack_.enter_context(running(STORESCP_BEST, kept))
            provider = stack_.enter_context(_filled(place, archive(receiver.port), objects))

            def run() -> float:
                for path in kept.glob("CT*"):
                    path.unlink()
                seconds = wall(movescu(provider, work))
                arrived(kept, [objects])
                return seconds

            yield run

    return opened


@_side
def associating(peer: Peer, count: int) -> Callable[[Place], Iterator[Run]]:
    """Associations a second of one client."""

    def opened(place: Place) -> Iterator[Run]:
        peer.find()
        with place.room() as folder, running(peer, folder) as provider:
            yield lambda: float(said(python("-m", "bench.loops", "associate", peer.aet, provider.port, count)))

    return opened


@_side
def memory_of_receiver(work: Work) -> Callable[[Place], Iterator[Run]]:
    """MB that `dimse receive` has had resident at most."""

    def opened(place: Place) -> Iterator[Run]:
        objects = place.objects(work)

        def run() -> float:
            with place.room() as folder, running(RECEIVE, folder) as provider:
                wall(send(provider, objects.folder))
                arrived(folder, [objects])
                provider.look()
                return provider.peak / 1e6

        yield run

    return opened


@_side
def memory_of_sender(work: Work) -> Callable[[Place], Iterator[Run]]:
    """MB that `dimse send` has had resident at most."""

    def opened(place: Place) -> Iterator[Run]:
        objects = place.objects(work)

        def run() -> float:
            with place.room() as folder, running(RECEIVE, folder) as provider:
                return peak(send(provider, objects.folder))

        yield run

    return opened


@_side
def memory_of_archive(work: Work) -> Callable[[Place], Iterator[Run]]:
    """MB that `dimse serve` has had resident at most, after it has taken the work and moved it to another."""

    def opened(place: Place) -> Iterator[Run]:
        objects = place.objects(work)

        def run() -> float:
            with ExitStack() as stack_:
                kept = stack_.enter_context(place.room())
                receiver = stack_.enter_context(running(RECEIVE, kept))
                provider = stack_.enter_context(_filled(place, serve(destination=receiver.port), objects))
                wall(movescu(provider, work))
                arrived(kept, [objects])
                provider.look()
                return provider.peak / 1e6

        yield run

    return opened


@_side
def beside_idle(work: Work, idle: int) -> Callable[[Place], Iterator[Run]]:
    """A sender to `dimse serve`, beside so many associations that say nothing."""

    def opened(place: Place) -> Iterator[Run]:
        objects = place.objects(work)

        def run() -> float:
            with place.room() as folder, running(serve(), folder) as provider, ExitStack() as associations:
                beside = [
                    associations.enter_context(stack.connect(HOST, provider.port, called="SERVE", contexts=[stack.Verification]))
                    for _ in range(idle)
                ]
                seconds = wall(send(provider, objects.folder))
                arrived(folder, [objects])
                if not all(association.echo().ok for association in beside):
                    raise Failed("not all idle associations were still there at the end")
                return seconds

        yield run

    return opened


@_side
def echoing() -> Callable[[Place], Iterator[Run]]:
    """`dimse echo`, from start to exit."""

    def opened(place: Place) -> Iterator[Run]:
        with place.room() as folder, running(RECEIVE, folder) as provider:
            yield lambda: wall(dimse("echo", *address(provider)))

    return opened


@_side
def doing_nothing() -> Callable[[Place], Iterator[Run]]:
    """This Python, from start to exit."""

    def opened(place: Place) -> Iterator[Run]:
        yield lambda: wall(python("-c", "pass"))

    return opened


@_side
def over_a_long_line(work: Work, operations: int, delay: float, told_by: tuple[int, int] | None = None) -> Callable[[Place], Iterator[Run]]:
    """`dimse send` to `dimse receive`, with so many operations under way, over a relay that delays each way; or what it would take."""

    def opened(place: Place) -> Iterator[Run]:
        def seconds(count: int) -> float:
            objects = place.objects(Work(count, work.size))
            with (
                place.room() as folder,
                running(RECEIVE, folder) as provider,
                _printing_its_port(python("-m", "bench.loops", "relay", provider.port, delay)) as port,
            ):
                spent = wall(send(replace(provider, port=port), objects.folder, "--operations", str(operations)))
                arrived(folder, [objects])
                return spent

        yield lambda: _told_by(work.count, *told_by, seconds) if told_by else seconds(work.count)

    return opened
