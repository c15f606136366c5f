"""What a server of the command line asks of its process: private files, no core dumps, descriptors enough."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DESCRIPTORS = 4096
"""Open files that a server may need: its limits let in 320 connections, each with a file or two; systems begin with 1,024 or 256."""
PRIVATE = 0o077
"""What comes are patients' data: nobody but the owner may read them."""


@contextmanager
def guarded() -> Iterator[None]:
    """For the time of a block: files are their owner's alone, memory is never dumped into one, descriptors do not run out early."""
    before = os.umask(PRIVATE)
    with _limit(resource.RLIMIT_CORE, at_most=0), _limit(resource.RLIMIT_NOFILE, at_least=DESCRIPTORS):
        try:
            yield
        finally:
            os.umask(before)


@contextmanager
def _limit(kind: int, *, at_least: int = 0, at_most: int | None = None) -> Iterator[None]:
    """Moves a soft limit as far as the hard one lets it; what the system does not allow is left as it is."""
    soft, hard = resource.getrlimit(kind)
    wanted = soft if soft == resource.RLIM_INFINITY else max(soft, at_least)
    if at_most is not None:
        wanted = at_most
    elif hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (wanted, hard))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (soft, hard))
