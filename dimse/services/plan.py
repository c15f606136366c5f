"""Which presentation contexts a list of instances needs, and how to share them out over associations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dimse.association.negotiation import MAX_CONTEXTS, Context
from dimse.data.uids import (
    DEFAULT_TRANSFER_SYNTAXES,
    UID,
    USUAL_COMPRESSIONS,
    USUAL_IMAGES,
    USUAL_STORAGE,
    StudyRootGet,
    storage_classes,
)
from dimse.errors import UsageError
from dimse.services.conversion import targets
from pdu.typed import TYPE_CHECKING, Generic, TypeVar
from pdu.values import dataclass

if TYPE_CHECKING:
    from dimse.data.protocols import Source

S = TypeVar("S", bound="Source")


@dataclass(frozen=True, slots=True)
class Batch(Generic[S]):
    """The instances of one association, and the contexts it proposes for them."""

    contexts: tuple[Context, ...]
    sources: tuple[S, ...]


def contexts_for(sources: Iterable[Source]) -> list[Context]:
    """The contexts that these instances need: each SOP class in each transfer syntax as stored, in order of appearance.

    One transfer syntax a context, so that the answer says exactly what the peer takes. What can be converted (see
    `dimse.services.conversion`) may also go in explicit and implicit little endian, the last of which every AE has to know
    (PS3.5 10.1).
    """
    wanted = _Wanted()
    return list(dict.fromkeys(context for source in sources for context in wanted[source.sop_class_uid, source.transfer_syntax]))


def contexts_for_get(
    classes: Iterable[str] | None = None, *, models: Sequence[str] = (StudyRootGet,), as_stored: bool = False
) -> list[Context]:
    """The contexts of a C-GET: the information models, and storage classes in which this side is the SCP (PS3.7 D.3.3.4).

    The provider can send back only what is proposed here, before it is known what that will be. Without `classes` these are the
    usual ones (`dimse.data.uids.USUAL_STORAGE`) and then as many of the standard's others as one association has room for, the
    retired ones last; each in explicit or implicit little endian, as the provider prefers.

    With `as_stored` the usual images, or all classes that are given, also come compressed (`USUAL_COMPRESSIONS`), and each transfer
    syntax has a context of its own, so that the provider can send what it has without a conversion; then there is room for the usual
    classes and few others. Raises `UsageError` for given classes that do not fit, or a text in place of several.
    """
    for given in (classes, models):
        if isinstance(given, str):  # which has every part of itself in it
            raise UsageError(f"{given!r} is one UID", advice=f"give a sequence of UIDs: classes=[...], models=[{given!r}]")
    contexts = [Context(model) for model in models]
    compressed = USUAL_COMPRESSIONS if as_stored else ()
    if classes is not None:
        contexts += [context for uid in classes for context in _returned(uid, as_stored, compressed)]
        if len(contexts) > MAX_CONTEXTS:
            raise UsageError(
                f"{len(contexts)} presentation contexts do not fit into one association, which has {MAX_CONTEXTS}",
                "PS3.8 9.3.2.2",
                "name fewer storage classes, or retrieve in several associations",
            )
        return contexts
    for uid in dict.fromkeys((*USUAL_STORAGE, *storage_classes())):
        contexts += _returned(uid, as_stored and uid in USUAL_IMAGES, compressed if uid in USUAL_IMAGES else ())
    return contexts[:MAX_CONTEXTS]


def batches(sources: Sequence[S], limit: int = MAX_CONTEXTS) -> Iterator[Batch[S]]:
    """Shares instances out over as many associations as their contexts need, `limit` contexts each; the order is kept."""
    wanted, contexts = _Wanted(), dict[Context, None]()
    taken: list[S] = []
    kinds = set[tuple[UID, UID]]()
    for source in sources:
        kind = source.sop_class_uid, source.transfer_syntax
        if kind not in kinds:
            if taken and len(contexts.keys() | set(wanted[kind])) > limit:
                yield Batch(tuple(contexts), tuple(taken))
                contexts, taken, kinds = {}, [], set()
            contexts.update(dict.fromkeys(wanted[kind]))
            kinds.add(kind)
        taken.append(source)
    if taken:
        yield Batch(tuple(contexts), tuple(taken))


def _returned(uid: str, separately: bool, compressed: Sequence[UID]) -> list[Context]:
    """The contexts in which instances of a class may come back."""
    uncompressed = [(syntax,) for syntax in DEFAULT_TRANSFER_SYNTAXES] if separately else [DEFAULT_TRANSFER_SYNTAXES]
    return [Context(uid, syntaxes, scu=False, scp=True) for syntaxes in (*uncompressed, *((syntax,) for syntax in compressed))]


class _Wanted(dict[tuple[UID, UID], list[Context]]):
    """The contexts for instances of a SOP class in a transfer syntax; worked out once, for it is looked for codecs."""

    def __missing__(self, kind: tuple[UID, UID]) -> list[Context]:
        sop_class, stored = kind
        others = [syntax for syntax in DEFAULT_TRANSFER_SYNTAXES if syntax in targets(stored)]
        self[kind] = [Context(sop_class, (syntax,)) for syntax in (stored, *others)]
        return self[kind]
