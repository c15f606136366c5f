from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dimse.archive import Archive
from dimse.services.handlers import Address, Services


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive(tmp_path / "data") as archive:
        yield archive


@pytest.fixture
def services(archive: Archive) -> Services:
    return archive.services({"DEST": Address("DEST", "127.0.0.1", 104)})
