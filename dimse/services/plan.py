"""Which presentation contexts a list of instances needs, and how to share them out over associations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from dimse.association.negotiation import MAX_CONTEXTS, Context
from dimse.data.sources import Source
from dimse.data.uids import ImplicitVRLittleEndian

S = TypeVar("S", bound=Source)


@dataclass(frozen=True, slots=True)
class Batch(Generic[S]):
    """The instances of one association, and the contexts it proposes for them."""

    contexts: tuple[Context, ...]
    sources: tuple[S, ...]


def contexts_for(sources: Iterable[Source]) -> list[Context]:
    """The contexts that these instances need: each SOP class in each transfer syntax as stored, in order of appearance.

    One transfer syntax a context, so that the answer says exactly what the peer takes. An uncompressed instance may also go
    in implicit little endian, which every AE has to know (PS3.5 10.1); it is converted on the way.
    """
    return list(dict.fromkeys(context for source in sources for context in _contexts_of(source)))


def batches(sources: Sequence[S], limit: int = MAX_CONTEXTS) -> Iterator[Batch[S]]:
    """Shares instances out over as many associations as their contexts need, `limit` contexts each; the order is kept."""
    contexts: dict[Context, None] = {}
    taken: list[S] = []
    for source in sources:
        wanted = _contexts_of(source)
        if taken and len(contexts.keys() | set(wanted)) > limit:
            yield Batch(tuple(contexts), tuple(taken))
            contexts, taken = {}, []
        contexts.update(dict.fromkeys(wanted))
        taken.append(source)
    if taken:
        yield Batch(tuple(contexts), tuple(taken))


def _contexts_of(source: Source) -> list[Context]:
    as_stored = Context(source.sop_class_uid, (source.transfer_syntax,))
    if source.transfer_syntax.is_encapsulated or source.transfer_syntax == ImplicitVRLittleEndian:
        return [as_stored]
    return [as_stored, Context(source.sop_class_uid, (ImplicitVRLittleEndian,))]
