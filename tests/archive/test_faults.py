"""Faults at random calls under several senders: what was acknowledged stays, what was refused leaves nothing, a restart mends the rest."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench.ledger import DUPLICATE, Made, Records, mixed, store_request
from bench.oracle import judge, look, see_inside
from dimse.archive import Archive
from dimse.archive.files import Files
from dimse.archive.layout import REPLACED
from dimse.archive.storage import Duplicates
from dimse.errors import Refused
from dimse.judge.wire import ROOT
from dimse.services.handlers import Services

SENDERS = {"refuse": 6, "replace": 1}
CODES = (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EROFS, errno.EDQUOT)
CALLS = ("create", "write", "write_at", "flush", "close", "link", "replace", "unlink", "flush_folder")


class Unreliable(Files):
    """Each call fails now and then, once `share` is set. But nothing fails twice at a time: a replacement can be taken back."""

    def __init__(self, seed: int) -> None:
        self.share = 0.0
        self.faults = 0
        self._chance = Random(seed)

    def fail(self, *arguments: object) -> None:
        if self._chance.random() < self.share and not str(arguments[0]).endswith(REPLACED):
            self.faults += 1
            raise OSError(code := self._chance.choice(CODES), os.strerror(code))


def _failing(name: str) -> Callable[..., Any]:
    def call(self: Unreliable, *arguments: Any) -> Any:  # whatever the method takes and gives
        self.fail(*arguments)
        return getattr(Files, name)(self, *arguments)

    return call


for name in CALLS:
    setattr(Unreliable, name, _failing(name))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.02, 0.1])
@pytest.mark.parametrize("duplicates", SENDERS)
def test_faults_at_random(duplicates: Duplicates, share: float, seed: int, tmp_path: Path) -> None:
    files, records, lock = Unreliable(seed), Records(replaces=duplicates == "replace"), threading.Lock()

    def note(what: str, made: Made) -> None:
        with lock:
            records.note(what, made.uid, made.digest)

    senders = SENDERS[duplicates]
    work = mixed(0, seed, senders, each=25) if duplicates == "refuse" else _again
    with Archive(tmp_path / "archive", durability="full", duplicates=duplicates, reserve=0, files=files) as archive:
        files.share = share
        threads = [threading.Thread(target=_send, args=(archive.services(), work(number), note)) for number in range(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        files.share = 0.0
        assert files.faults
        assert records.acknowledgements
        assert judge(records, see_inside(archive.services())) == []
    assert look(tmp_path / "archive", records) == []


def _again(number: int) -> Iterable[Made]:
    """Other bytes under the same few names, and the same once more."""
    return (Made(f"{ROOT}.0.{step % 4}", step // 6) for step in range(60))


def _send(services: Services, work: Iterable[Made], note: Callable[[str, Made], None]) -> None:
    """A sender, without a network. Anything but A700H for a fault is noted, and is wrong."""
    assert services.sink is not None
    for made in work:
        note("sent", made)
        view, sink = memoryview(made.encoded), services.sink(store_request(made))
        try:
            for at in range(0, len(view), 200_000):
                sink.write([view[at : at + 200_000]])
            status = sink.finish()
        except Refused as error:
            sink.discard()
            if error.status != 0xA700:
                note(f"{error.status:04X}H", made)
        except Exception as error:
            note(repr(error), made)
        else:
            note({0: "kept", DUPLICATE: "other"}.get(int(status or 0), str(status)), made)
