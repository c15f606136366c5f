"""What a `Reader` makes of chunks, in a form that does not depend on where they were cut."""

from __future__ import annotations

from collections.abc import Iterable

from pdu import PDU, PDV, Fragment, PDataTF, PDUError, Reader


def read(chunks: Iterable[bytes], reader: Reader | None = None) -> list[PDU | Fragment]:
    """All that comes out of the chunks."""
    reader = reader or Reader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


def read_or_fault(chunks: Iterable[bytes], reader: Reader | None = None) -> tuple[list[PDU | Fragment], PDUError | None]:
    """All that comes out of the chunks before the fault, and the fault."""
    reader, events = reader or Reader(), []
    try:
        for chunk in chunks:
            for event in reader.feed(chunk):
                events.append(event)  # noqa: PERF402 - list() would lose what came before the fault
    except PDUError as fault:
        return events, fault
    return events, None


def joined(events: Iterable[PDU | Fragment]) -> list[PDU | tuple[int, bool, bool, bytes]]:
    """The events, with fragments of one kind that follow each other joined as far as one that is last."""
    result: list[PDU | tuple[int, bool, bool, bytes]] = []
    for event in events:
        if not isinstance(event, Fragment):
            result.append(event)
            continue
        piece = (event.context_id, event.is_command, event.is_last, bytes(event.data))
        before = result[-1] if result else None
        if isinstance(before, tuple) and before[:3] == (event.context_id, event.is_command, False):
            result[-1] = (*piece[:3], before[3] + piece[3])
        else:
            result.append(piece)
    return result


def as_read(pdus: Iterable[PDU]) -> list[PDU | tuple[int, bool, bool, bytes]]:
    """What `joined` gives for a reader that was fed these PDUs."""
    events: list[PDU | Fragment] = []
    for pdu in pdus:
        if isinstance(pdu, PDataTF):
            events += [as_fragment(pdv) for pdv in pdu.pdvs]
        else:
            events.append(pdu)
    return joined(events)


def as_fragment(pdv: PDV) -> Fragment:
    """The PDV in one piece."""
    return Fragment(pdv.context_id, pdv.is_command, pdv.is_last, memoryview(pdv.data))


def byte_by_byte(data: bytes) -> list[bytes]:
    """Chunks of one byte."""
    return [data[at : at + 1] for at in range(len(data))]
