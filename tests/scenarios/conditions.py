"""The common conditions of the scenarios (G1 to G7), for those that are not rows of the judge's table."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dimse.cli.output import clean

from .providers import Inside, Provider

SERVED_WITHIN = 1.0 if sys.gettrace() is None else 3.0  # a tracer (coverage) makes everything slower
MEMORY = 16 << 20
"""Bytes that a scenario may cost."""


@contextmanager
def conditions(
    provider: Provider, folder: Path, caplog: pytest.LogCaptureFixture, why_not_served: Callable[[], str]
) -> Iterator[Callable[[], None]]:
    """What has to hold about a block, which calls what it is given when others are to be served.

    The process lives and serves others meanwhile and behind it, memory is bounded, threads, tasks and descriptors are back, no
    traceback was logged, and every connection has a report of one line that names peer and cause.
    """
    assert why_not_served() == ""  # whatever is loaded with the first association is loaded
    provider.settle()
    before, trouble = Inside(folder), list[str]()
    yield lambda: trouble.append(why_not_served())
    trouble.append(why_not_served())
    assert [reason for reason in trouble if reason] == []
    assert before.growth() <= MEMORY
    assert provider.settle() == 0
    left = before.left_behind()
    assert not left, left
    assert [record.getMessage() for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []
    for report in provider.reports:
        assert report.errors == []
        assert report.ended.isprintable()
        assert clean(f"{report.peer.calling} {report.peer.address} {report.ended}").isprintable()
        assert report.peer.address.startswith("127.0.0.")


def others(provider: Provider) -> list[str]:
    """How the connections ended that were not released in good order, and why."""
    return [report.ended for report in provider.reports if report.ended != "released"]
