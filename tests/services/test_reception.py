"""Identities and callers without a transport: whom a server lets in as its clock goes on."""

from __future__ import annotations

import pytest

from dimse.data.uids import Verification
from dimse.errors import Rejected
from dimse.services.handlers import User
from dimse.services.rights import Caller, Callers
from dimse.services.users import Identity, Users

from .drivers import Memory, Served

RIGHT = Identity.passcode("doe", "correct horse", unsafe_over_plain=True)
WRONG = Identity.passcode("doe", "wrong battery", unsafe_over_plain=True)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def _is_let_in(memory: Memory, served: Served, identity: Identity | None, calling: str = "ME") -> bool:
    try:
        memory.connect(served, [Verification], identity=identity, calling=calling).release()
    except Rejected as rejected:
        if (rejected.result, rejected.source, rejected.reason) != (1, 1, 1):
            raise
        return False
    return True


def test_the_back_off_follows_the_clock(memory: Memory) -> None:
    asked: list[bytes] = []

    def check(name: str, passcode: bytes) -> bool:
        asked.append(passcode)
        return passcode == b"correct horse"

    served = memory.serve(users=Users(passcodes=check, unsafe_over_plain=True, failures=2, pause=10.0, longest_pause=15.0))
    for pause in (None, 10.0, 15.0, 15.0):
        assert not _is_let_in(memory, served, WRONG)
        if pause is None:
            continue
        for _ in range(3):
            assert not _is_let_in(memory, served, RIGHT)  # in the pause, unseen
        memory.network.now += pause
    assert _is_let_in(memory, served, RIGHT)
    assert asked == [b"wrong battery"] * 4 + [b"correct horse"]


def test_a_peer_without_an_identity_waits_for_nobody(memory: Memory) -> None:
    served = memory.serve(users=Users(passcodes=lambda name, passcode: False, unsafe_over_plain=True, required=False, failures=1))
    assert not _is_let_in(memory, served, WRONG)
    assert not _is_let_in(memory, served, WRONG)
    assert _is_let_in(memory, served, None)


def test_the_report_has_the_user(memory: Memory) -> None:
    served = memory.serve(users=Users(passcodes=lambda name, passcode: True, unsafe_over_plain=True))
    with memory.connect(served, [Verification], identity=RIGHT) as link:
        assert link.identity_response == b""
    assert served.report().peer.user == User("doe", 2)


def test_places_mean_nothing_without_addresses(memory: Memory) -> None:
    served = memory.serve(callers=Callers({"ME": Caller(), "CT1": Caller(hosts=["10.0.0.0/8"])}))
    assert _is_let_in(memory, served, None)
    with pytest.raises(Rejected) as caught:
        memory.connect(served, [Verification], calling="CT1")
    assert caught.value.reason == 3
