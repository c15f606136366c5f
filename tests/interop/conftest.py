"""Fixtures of the tests with real programs; a failed test shows what the programs said."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from .peers import Lab
from .samples import Samples, write_samples

HERE = Path(__file__).parent
_failed = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_failed] = True
    if report.failed and isinstance(item, pytest.Function):
        labs = [value for value in item.funcargs.values() if isinstance(value, Lab)]
        report.sections.extend(log for lab in labs for log in lab.logs())
    return report


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A place to start servers in; all of them are gone after the test, and ours ended well and without a traceback."""
    folder = tmp_path / "lab"
    folder.mkdir()
    with Lab(folder) as running:
        yield running
    if _failed in request.node.stash:
        return
    assert [code for name, code in running.ended if name == "dimse" and code != 0] == []
    assert [text for name, text in running.logs() if "dimse" in name and "Traceback" in text] == []


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """The folder of made-up instances; tests only read it."""
    return write_samples(tmp_path_factory.mktemp("samples"))
