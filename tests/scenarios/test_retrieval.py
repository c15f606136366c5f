"""D-26 and D-27, and S-11 and S-12 as the user of a C-GET sees them: retrievals that cannot do all that they are asked for."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

import dimse
from dimse.archive import Archive
from dimse.data.uids import CTImageStorage, ImplicitVRLittleEndian
from dimse.judge.line import why_not_served
from dimse.judge.wire import ROOT, data_set, element, instance_uid

from .conditions import MEMORY, SERVED_WITHIN, conditions
from .providers import FRONTS, HOST, TIMEOUTS, Inside, Provider, providing, target_of

QUERY = dimse.query("STUDY", StudyInstanceUID=f"{ROOT}.11.1")


def _source(number: int, *more: bytes) -> dimse.BytesSource:
    uids = dimse.UID(CTImageStorage), dimse.UID(instance_uid(number)), dimse.UID(ImplicitVRLittleEndian)
    return dimse.BytesSource(data_set(number, *more), *uids)


SOURCES = [_source(number) for number in range(3)]


class Holding:
    """The handlers of something that holds three instances, and knows one destination."""

    def __init__(self, place: dimse.Address | None) -> None:
        self._place = place

    def all(self, request: dimse.Request) -> Sequence[dimse.Source]:
        return SOURCES

    def where(self, request: dimse.Request, aet: str) -> dimse.Address:
        if self._place is None:
            raise dimse.Refused(0xA801, "nobody knows that one")
        return self._place

    @property
    def services(self) -> dimse.Services:
        return dimse.Services(move=self.all, get=self.all, where=self.where)


@contextmanager
def _nobody() -> Iterator[dimse.Address | None]:
    yield None


@contextmanager
def _refusing() -> Iterator[dimse.Address]:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    yield dimse.Address("DEST", HOST, port)


@contextmanager
def _silent() -> Iterator[dimse.Address]:
    with socket.create_server((HOST, 0)) as listener:  # the system accepts, and nobody answers
        yield dimse.Address("DEST", HOST, listener.getsockname()[1])


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(
    ("destination", "status", "failed", "why"),
    [
        pytest.param(_nobody, 0xA801, 0, "nobody knows that one", id="D-26/unknown"),
        pytest.param(_refusing, 0xA702, 3, "cannot open a connection", id="D-26/refuses"),
        pytest.param(_silent, 0xA702, 3, "gave up after 0.4 s", id="D-26/silent"),
    ],
)
def test_destinations(
    front: str,
    destination: Callable[[], AbstractContextManager[dimse.Address | None]],
    status: int,
    failed: int,
    why: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The counters say what failed, the association goes on, and others are served meanwhile."""
    with (
        destination() as place,
        providing(front, Holding(place).services, timeouts=replace(TIMEOUTS, associate=0.4, idle=5.0)) as provider,
        conditions(provider, tmp_path, caplog, lambda: _why_not_served(provider)) as look,
    ):
        results: list[dimse.MoveResult] = []
        asking = Thread(target=lambda: results.append(_move(provider)))
        asking.start()
        look()
        asking.join(10)
        (result,) = results
    assert (int(result.status), result.completed, result.failed, result.warning) == (status, 0, failed, 0)
    assert result.failed_uids == tuple(s.sop_instance_uid for s in SOURCES[:failed])
    assert why in result.status.comment


def _why_not_served(provider: Provider) -> str:
    return why_not_served(target_of(provider), SERVED_WITHIN)


def _move(provider: Provider) -> dimse.MoveResult:
    contexts = [dimse.StudyRootMove, dimse.Verification]
    with dimse.connect(HOST, provider.port, called="PEER", contexts=contexts) as association:
        result = association.move(QUERY, to="DEST")
        assert association.echo().ok
    return result


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(
    "contexts",
    [
        pytest.param([], id="D-27/no storage"),
        pytest.param([dimse.Context(CTImageStorage)], id="D-27/no role"),
        pytest.param([dimse.Context(dimse.MRImageStorage, scu=False, scp=True)], id="D-27/another class"),
    ],
)
def test_a_get_that_nothing_can_come_back_of(
    front: str, contexts: list[dimse.Context], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        providing(front, Holding(None).services) as provider,
        conditions(provider, tmp_path, caplog, lambda: _why_not_served(provider)),
        dimse.connect(HOST, provider.port, called="PEER", contexts=[dimse.StudyRootGet, dimse.Verification, *contexts]) as association,
    ):
        result = association.get(QUERY, dimse.FolderSink(tmp_path / "archive").open)
        assert association.echo().ok
    assert (int(result.status), result.completed, result.failed, result.kept) == (0xA702, 0, 3, 0)
    assert result.failed_uids == tuple(s.sop_instance_uid for s in SOURCES)


def _flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-3] ^= 1
    path.chmod(0o644)
    path.write_bytes(whole)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("damage", [pytest.param(_flip, id="S-11"), pytest.param(Path.unlink, id="S-12")])
def test_what_is_not_whole_is_not_fetched(
    front: str, damage: Callable[[Path], object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Archive(tmp_path / "archive") as archive, providing(front, archive.services()) as provider:
        _store(provider)
        assert _get(provider, tmp_path / "first").kept == 3
        with conditions(provider, tmp_path / "lab", caplog, lambda: _why_not_served(provider)):
            damage(archive.path_of(SOURCES[1].sop_instance_uid))
            result = _get(provider, tmp_path / "fetched")
    assert (int(result.status), result.completed, result.failed, result.kept) == (0xB000, 2, 1, 2)
    assert result.failed_uids == (SOURCES[1].sop_instance_uid,)
    assert sorted(path.name for path in (tmp_path / "fetched").iterdir()) == [f"{instance_uid(number)}.dcm" for number in (0, 2)]


def _store(provider: Provider) -> None:
    with dimse.connect(HOST, provider.port, called="PEER", contexts=dimse.contexts_for(SOURCES)) as association:
        assert all(status.ok for _, status in association.store_all(SOURCES))


def _get(provider: Provider, folder: Path) -> dimse.GetResult:
    contexts = dimse.contexts_for_get([CTImageStorage], models=[dimse.PatientRootGet], as_stored=True)
    with dimse.connect(HOST, provider.port, called="PEER", contexts=contexts) as association:
        return association.get(dimse.query("PATIENT", PatientID="JUDGE-1"), dimse.FolderSink(folder).open)


@pytest.mark.parametrize("front", FRONTS)
def test_much_is_fetched_into_a_file(front: str, tmp_path: Path) -> None:
    """What comes goes to the disk as it comes."""
    long = _source(7, element(0x7FE0, 0x0010, bytes(64 << 20)))
    with providing(front, dimse.Services(get=lambda request: [long])) as provider:
        _get(provider, tmp_path / "first")
        before = Inside(tmp_path / "lab")
        assert _get(provider, tmp_path / "second").kept == 1
        assert before.growth() <= MEMORY
        assert provider.settle() == 0
        assert before.left_behind() == []
    assert (tmp_path / "second" / f"{long.sop_instance_uid}.dcm").read_bytes().endswith(long.encoded)
