"""Traces: what passed on associations, as JSON lines that people and programs read, and that tests assert on.

    with dimse.TraceFile("x.jsonl") as trace:
        with dimse.connect("pacs", 104, called="PACS", contexts=[dimse.Verification], trace=trace) as association:
            association.echo()

describe.py   records as plain values for JSON: every field of a PDU by name, violations of the standard
secrets.py    bytes without what proves who a user is
file.py       TraceFile: the lines, each with its time
"""

from dimse.tracing.file import Lines, TraceFile

__all__ = ["Lines", "TraceFile"]
