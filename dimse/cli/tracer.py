"""The traces that the options ask for: a file of JSON lines (--trace), lines on standard error (-d), or both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dimse.association.events import Trace, TraceRecord
from dimse.cli.failures import USAGE, Failure, os_words
from dimse.cli.output import Output
from dimse.cli.parsing import Arguments


@contextmanager
def tracing(args: Arguments, out: Output) -> Iterator[Trace | None]:
    """The trace for the time of a command; None, which costs nothing, if none is asked for. Raises `Failure`."""
    path, data = getattr(args, "trace", None), getattr(args, "trace_data", False)
    shown = _lines(out) if args.debug else None
    if path is None:
        if data:
            raise Failure(USAGE, "--trace-data says what goes into a trace: give --trace FILE as well")
        yield shown
        return
    from dimse.tracing import TraceFile

    def failed(error: OSError) -> None:
        out.error(f"the trace {path} ends here, and what it is about goes on: {os_words(error)}")

    try:
        file = TraceFile(path, data=data, failed=failed)
    except (OSError, ValueError) as error:
        why = os_words(error) if isinstance(error, OSError) else f"{path}: {error}"
        raise Failure(USAGE, f"cannot write the trace {why}") from error
    with file:
        yield file if shown is None else _both(file, shown)


def _lines(out: Output) -> Trace:
    from dimse.cli.timeline import Timeline
    from dimse.tracing import Lines

    return Lines(Timeline(out.note).show)


def _both(one: Trace, other: Trace) -> Callable[[TraceRecord], None]:
    def tell(record: TraceRecord) -> None:
        one(record)
        other(record)

    return tell
