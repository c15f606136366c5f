"""Whom a server lets in when too many come: `Visitors`, which knows only wires and where they come from."""

from __future__ import annotations

from dimse.association.config import Limits
from dimse.association.layer import UpperLayer
from dimse.services.memory import MemoryWire, Network
from dimse.services.reception import Visitors

LIMITS = Limits(associations=3, associations_per_host=2, connections=4, connections_per_host=3)


def wire(host: str, port: int = 1) -> MemoryWire:
    return MemoryWire(Network(), UpperLayer.acceptor(), f"{host}:{port}")


def test_the_oldest_stranger_of_a_host_makes_room() -> None:
    visitors = Visitors(LIMITS)
    other, *ours = wire("other"), *[wire("host", port) for port in range(5)]
    assert [visitors.arrive(each) for each in (other, *ours)] == [None, None, None, None, ours[0], ours[1]]


def test_the_oldest_stranger_of_all_makes_room() -> None:
    visitors = Visitors(LIMITS)
    wires = [wire(f"host{n}") for n in range(6)]
    assert [visitors.arrive(each) for each in wires] == [None, None, None, None, wires[0], wires[1]]


def test_whoever_has_an_association_is_no_stranger() -> None:
    visitors = Visitors(LIMITS)
    wires = [wire("host", port) for port in range(5)]
    for each in wires[:2]:
        visitors.arrive(each)
        assert visitors.admit(each)
    assert [visitors.arrive(each) for each in wires[2:]] == [None, None, None]


def test_associations_in_all_and_by_host() -> None:
    visitors = Visitors(LIMITS)
    one, two, three = (wire("host", port) for port in range(3))
    assert [visitors.admit(each) for each in (one, two, three)] == [True, True, False]
    assert visitors.admit(wire("other"))
    assert not visitors.admit(wire("another"))
    visitors.dismiss(one)
    assert visitors.admit(wire("another"))


def test_an_association_that_has_ended_leaves_a_stranger() -> None:
    visitors = Visitors(LIMITS)
    first, *rest = (wire("host", port) for port in range(4))
    visitors.arrive(first)
    assert visitors.admit(first)
    visitors.dismiss(first)
    assert [visitors.arrive(each) for each in rest] == [None, None, first]
    visitors.dismiss(first)
    visitors.leave(first)
    visitors.leave(rest[0])
    assert visitors.arrive(wire("host", 9)) is None


def test_an_ipv6_address_is_a_host() -> None:
    visitors = Visitors(Limits(connections_per_host=1))
    one, two = wire("::1", 7), wire("::1", 8)
    assert [visitors.arrive(one), visitors.arrive(wire("::2", 7)), visitors.arrive(two)] == [None, None, one]
