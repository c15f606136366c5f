"""`TraceFile`: a trace as JSON lines in a file."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO
from weakref import WeakKeyDictionary

from dimse.association.events import Traced, TraceRecord

if TYPE_CHECKING:
    from dimse.tracing.describe import Description


class Lines:
    """Records of any number of associations as JSON objects, each with its time and the number of its association.

    `now` is the clock. May be called from any thread.
    """

    def __init__(
        self, write: Callable[[dict[str, object]], object], *, data: bool = False, now: Callable[[], datetime] | None = None
    ) -> None:
        self._write = write
        self._now = now or _utc
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._described = _describer(data)
        self._known: WeakKeyDictionary[Traced, tuple[int, Description]] = WeakKeyDictionary()

    def __call__(self, record: TraceRecord) -> None:
        with self._lock:
            known = self._known.get(record.association)
            if known is None:
                known = self._known[record.association] = next(self._numbers), self._described()
            number, description = known
            role = "requestor" if record.association.is_requestor else "acceptor"
            time = self._now().astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
            head = {"time": time, "association": number, "role": role, "peer": record.association.peer}
            self._write({**head, **description.of(record)})


class TraceFile:
    """A trace that goes to a file, one JSON object a line: give it to `connect` or a `Server` as `trace`. A context manager.

    Of data sets it has no values, of command sets the UIDs and the codes of the protocol, unless `data` is set: then it has the
    bytes of each PDU. Secrets of user identities never. One file may serve any number of associations and threads.

    An existing file is replaced; only its owner may read the new one. Raises `OSError` if it cannot be made. If it cannot be
    written later on, `error` says why and `failed` is called with it, once; the trace ends there, and the associations go on.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        data: bool = False,
        now: Callable[[], datetime] | None = None,
        failed: Callable[[OSError], object] | None = None,
    ) -> None:
        self.path = Path(path)
        self.error: OSError | None = None
        self._failed = failed
        self._as_text = _as_text()
        self._lines = Lines(self._line, data=data, now=now)
        self._lock = threading.RLock()
        self._file: TextIO | None = open(self.path, "w", encoding="ascii", opener=_private)  # noqa: SIM115 - closed by `close`; needs an opener

    def __call__(self, record: TraceRecord) -> None:
        if self._file is not None:
            self._lines(record)

    def close(self) -> None:
        """Ends the trace. What comes later is not written. May be called again, and from any thread."""
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                with contextlib.suppress(OSError):  # each line is flushed: what could not be written is known
                    file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _line(self, described: dict[str, object]) -> None:
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(self._as_text(described) + "\n")
                self._file.flush()
            except OSError as error:
                self.error = error
                self.close()
        if self.error is not None and self._failed is not None:
            self._failed(self.error)


def _describer(data: bool) -> Callable[[], Description]:
    """Imported when it is used: most programs import this and write no trace."""
    from dimse.tracing.describe import Description

    return lambda: Description(data=data)


def _as_text() -> Callable[[object], str]:
    from json import dumps

    return dumps


def _utc() -> datetime:
    return datetime.now(UTC)


def _private(path: str, flags: int) -> int:
    """Opens the file for its owner alone. One that is there goes, for others may have it open, or may read it.

    Only regular files: a pipe or a terminal (/dev/stderr) stays what it is.
    """
    with contextlib.suppress(OSError):  # what is not there or cannot go; opening it tells
        if stat.S_ISREG(os.lstat(path).st_mode):
            Path(path).unlink()
    opened = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(opened).st_mode):  # what could not go, or what a link leads to
        with contextlib.suppress(OSError):
            os.fchmod(opened, 0o600)
    return opened
