"""The transport without I/O, and the plans that need none."""

from __future__ import annotations

import pytest

from dimse.association.config import Timeouts
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import Context, propose
from dimse.data.uids import (
    UID,
    USUAL_COMPRESSIONS,
    USUAL_STORAGE,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
    PatientRootGet,
    StudyRootGet,
    Verification,
)
from dimse.errors import TimedOut, Unreachable, UsageError
from dimse.services import scu
from dimse.services.handlers import Services
from dimse.services.memory import MemoryWire, Network
from dimse.services.plan import batches, contexts_for, contexts_for_get
from dimse.services.scp import Provider
from dimse.services.session import Session

from .samples import instance

FOREVER = Timeouts(*[None] * len(Timeouts.__slots__))


def _dial(network: Network, timeouts: Timeouts = Timeouts()) -> Session:
    return Session(network.dial("pacs", 104, UpperLayer.requestor(propose("PACS", "ME", [Verification]), timeouts=timeouts)))


def test_the_example_of_the_module() -> None:
    network = Network()
    network.listen("pacs", 104, lambda wire: Provider(Session(wire), Services(), aet="PACS").serve())
    session = _dial(network)
    network.run(session.associate())
    assert network.run(scu.echo(session)).ok
    network.run(session.release())
    with pytest.raises(Unreachable):
        network.dial("pacs", 105, UpperLayer.requestor(propose("PACS", "ME", [Verification])))


async def _deaf(wire: MemoryWire) -> None:
    while not wire.layer.closed:
        await wire.pump()


def test_the_clock_jumps() -> None:
    network = Network()
    network.listen("pacs", 104, _deaf)
    with pytest.raises(TimedOut):
        network.run(_dial(network, Timeouts(associate=1000.0, artim=None)).associate())
    assert network.now == 1000.0


def test_all_wait_for_ever() -> None:
    network = Network()
    network.listen("pacs", 104, _deaf)
    session = _dial(network, FOREVER)
    with pytest.raises(UsageError, match="no association yet"):
        session.context(Verification)
    with pytest.raises(RuntimeError, match="none has a deadline"):
        network.run(session.associate())


def test_closed_wires() -> None:
    network = Network()
    network.listen("pacs", 104, _deaf)
    session = _dial(network)
    network.run(session.abort())
    network.settle()
    assert isinstance(session.wire, MemoryWire)
    assert network.run(session.wire.other.pump()) == []
    assert network.run(session.wire.pump()) in ([], [])


def test_contexts_for_instances() -> None:
    contexts = contexts_for(
        [instance(1), instance(2), instance(3, transfer_syntax=ImplicitVRLittleEndian), instance(4, transfer_syntax=JPEGBaseline8Bit)]
    )
    assert [(c.abstract_syntax, c.transfer_syntaxes) for c in contexts] == [
        (CTImageStorage, (ExplicitVRLittleEndian,)),
        (CTImageStorage, (ImplicitVRLittleEndian,)),
        (CTImageStorage, (JPEGBaseline8Bit,)),
    ]
    assert contexts_for([]) == []
    alone = contexts_for([instance(4, transfer_syntax=JPEGBaseline8Bit)])
    assert [c.transfer_syntaxes[0] for c in alone] == [JPEGBaseline8Bit, ExplicitVRLittleEndian, ImplicitVRLittleEndian]


def test_contexts_for_a_get() -> None:
    usual, stored = contexts_for_get(), contexts_for_get(as_stored=True, models=[PatientRootGet, StudyRootGet])
    for contexts in (usual, stored):
        assert len(propose("PACS", "ME", contexts).encode()) > 0  # as many as one association takes
        assert set(USUAL_STORAGE) < {c.abstract_syntax for c in contexts}
        assert all((c.scu, c.scp) == (False, True) for c in contexts if UID(c.abstract_syntax).is_storage)
    assert usual[0] == Context(StudyRootGet)
    assert len(usual) == len(stored) == 128
    assert [c.abstract_syntax for c in stored[:2]] == [PatientRootGet, StudyRootGet]
    assert [c.transfer_syntaxes for c in stored if c.abstract_syntax == CTImageStorage] == [
        (syntax,) for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, *USUAL_COMPRESSIONS)
    ]
    assert contexts_for_get([MRImageStorage]) == [
        Context(StudyRootGet), Context(MRImageStorage, (ExplicitVRLittleEndian, ImplicitVRLittleEndian), scu=False, scp=True),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="129 presentation contexts"):
        contexts_for_get([f"1.2.{n}" for n in range(128)])
    for one_text in ({"classes": MRImageStorage}, {"models": StudyRootGet}):
        with pytest.raises(UsageError, match="is one UID"):
            contexts_for_get(**one_text)  # type: ignore[arg-type]  # a text is a sequence of texts, which is the trap


def test_codecs_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each of many thousands of instances."""
    looked: list[UID] = []

    def targets(stored: UID) -> tuple[UID, ...]:
        looked.append(stored)
        return ()

    monkeypatch.setattr("dimse.services.plan.targets", targets)
    sources = [instance(n, transfer_syntax=JPEGBaseline8Bit) for n in range(100)]
    assert len(contexts_for(sources)) == len(next(batches(sources)).contexts) == 1
    assert looked == [JPEGBaseline8Bit] * 4  # two transfer syntaxes, twice


def test_batches() -> None:
    sources = [instance(n, sop_class=f"1.2.{n}") for n in range(5)] + [
        instance(9, sop_class="1.2.0"),
        instance(10, sop_class=MRImageStorage),
    ]
    found = list(batches(sources, 4))
    assert [len(b.contexts) for b in found] == [4, 4, 4, 2]
    assert [s for b in found for s in b.sources] == sources
    assert list(batches([])) == []
