"""The table of what is measured: each row a work, our side, those that it is measured against, and the goal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench import contests
from bench.contestants import (
    ORTHANC,
    PYNETDICOM_STORESCP,
    RECEIVE,
    STORESCP,
    STORESCP_BEST,
    dcmqrscp,
    dcmsend_best,
    needed,
    pynetdicom_storescu,
    qrscp,
    send,
    send_in_four,
    serve,
    storescu,
    storescu_best,
)
from bench.contests import Opened
from bench.providers import Peer
from bench.samples import GB, KB, MB, Work


@dataclass(frozen=True)
class Side:
    """One of those that are measured: its name in the table, how to open it, and what it needs of ours: a command and its option."""

    name: str
    opened: Opened
    option: tuple[str, str] | None = None

    def check(self) -> None:
        """Raises `Missing` where ours does not have what the side needs."""
        if self.option:
            needed(*self.option)


@dataclass(frozen=True)
class Goal:
    """What is to be reached: that ours is so many times as good as the best of the others, costs at most so many times as
    much, or stays below a limit."""

    times: float | None = None
    at_most: float | None = None
    limit: float | None = None

    def __str__(self) -> str:
        words = []
        if self.times is not None:
            words.append(f"at least {self.times:g}")
        if self.at_most is not None:
            words.append(f"at most {self.at_most:g}")
        return ", ".join(words)


@dataclass(frozen=True)
class Row:
    """A line of the table. What is counted in a unit other than a rate is the better the less it is."""

    id: str
    work: str
    ours: Side
    others: tuple[Side, ...]
    goal: Goal
    unit: str = "s"
    is_rate: bool = False
    note: str = ""


@dataclass(frozen=True)
class Sizes:
    """How much is moved."""

    small: Work
    slices: Work
    large: Work
    durable_small: int
    durable_slices: int
    """Instances of each of the four senders."""
    few: int
    more: int
    """Instances by which the slow are told, where all would take minutes."""
    taken: Work
    moved: tuple[Work, Work]
    """What pynetdicom's archive takes, and what it sends: with more it takes minutes, or breaks off a C-MOVE now and then."""
    associations: int
    idle: int
    counts: tuple[Work, Work, Work]
    bytes: tuple[Work, Work, Work]
    far: Work
    memory: tuple[Work, Work]

    @property
    def works(self) -> tuple[tuple[str, Work], ...]:
        return ("small", self.small), ("slices", self.slices), ("large", self.large)


USUAL = Sizes(
    Work(3000, 3 * KB),
    Work(500, MB // 2),
    Work(1, 512 * MB),
    durable_small=125,
    durable_slices=50,
    few=3,
    more=33,
    taken=Work(1000, 3 * KB),
    moved=(Work(50, MB // 2), Work(300, 3 * KB)),
    associations=1000,
    idle=500,
    counts=(Work(1, 4 * KB), Work(10_000, 4 * KB), Work(100_000, 4 * KB)),
    bytes=(Work(1, 4 * KB), Work(1, 512 * MB), Work(1, 2 * GB)),
    far=Work(1000, 3 * KB),
    memory=(Work(1, 4 * MB), Work(1, 2 * GB)),
)
QUICK = Sizes(
    Work(12, 3 * KB),
    Work(3, MB // 8),
    Work(1, 2 * MB),
    durable_small=3,
    durable_slices=2,
    few=1,
    more=2,
    taken=Work(6, 3 * KB),
    moved=(Work(2, MB // 8), Work(4, 3 * KB)),
    associations=5,
    idle=20,
    counts=(Work(1, 4 * KB), Work(100, 4 * KB), Work(1000, 4 * KB)),
    bytes=(Work(1, 4 * KB), Work(1, 16 * MB), Work(1, 64 * MB)),
    far=Work(4, 3 * KB),
    memory=(Work(1, MB), Work(1, 4 * MB)),
)
DELAY = 0.02
"""Seconds, each way, of the long line."""
WINDOW = 64
FACTORS = {"small": 2.0, "slices": 1.1, "large": 1.1}


def rows(sizes: Sizes) -> Iterator[Row]:
    """All of them, in the order of the table."""
    yield from _unmodified(sizes)
    yield from _stores(sizes)
    yield from _archives(sizes)
    yield from _pynetdicom(sizes)
    yield from _others(sizes)


def _unmodified(s: Sizes) -> Iterator[Row]:
    theirs = contests.storing_scaled(storescu, STORESCP, s.small, s.few, s.more)
    yield Row(
        "unmodified",
        f"storescu as it comes to `dimse receive`, {s.small}",
        Side("storescu to `dimse receive`", contests.storing(storescu, RECEIVE, s.small)),
        (Side("storescu to storescp", theirs),),
        Goal(times=300),
        note=f"storescu to storescp is measured with {s.few} and with {s.more} instances, from which follows what all would take",
    )


def _stores(s: Sizes) -> Iterator[Row]:
    for name, work in s.works:
        pair = Side("storescu to storescp", contests.storing(storescu_best, STORESCP_BEST, work))
        ours = Side("storescu to `dimse receive`", contests.storing(storescu_best, RECEIVE, work))
        yield Row(f"receive/{name}", f"storescu at its best to `dimse receive`, {work}", ours, (pair,), Goal(times=1))
    for name, work in s.works:
        ours = Side("`dimse send` to storescp", contests.storing(send, STORESCP_BEST, work))
        yield Row(f"send/{name}", f"`dimse send` to storescp at its best, {work}", ours, tuple(_dcmtk_pairs(work)), Goal(times=1))
    for name, work in s.works:
        ours = Side("`dimse send` to `dimse receive`", contests.storing(send, RECEIVE, work))
        yield Row(f"both/{name}", f"`dimse send` to `dimse receive`, {work}", ours, tuple(_dcmtk_pairs(work)), Goal(times=FACTORS[name]))
    ours = Side("`dimse send` to `dimse receive`", contests.storing(send, RECEIVE, s.large))
    sockets = Side("sendfile to recv and write, in Python", contests.raw(s.large))
    yield Row("raw", f"`dimse send` to `dimse receive`, {s.large}", ours, (sockets,), Goal(times=0.85))
    yield Row(
        "parallel",
        f"`dimse send -j 4` to `dimse receive`, {s.small}",
        Side("`dimse send -j 4`", contests.storing(send_in_four, RECEIVE, s.small), ("send", "-j")),
        (Side("`dimse send` alone", contests.storing(send, RECEIVE, s.small)),),
        Goal(times=1.5),
    )


def _dcmtk_pairs(work: Work) -> Iterator[Side]:
    yield Side("storescu to storescp", contests.storing(storescu_best, STORESCP_BEST, work))
    yield Side("dcmsend to storescp", contests.storing(dcmsend_best, STORESCP_BEST, work))


def _archives(s: Sizes) -> Iterator[Row]:
    for name, work, count in (("small", s.small, s.durable_small), ("slices", s.slices, s.durable_slices)):
        works = [Work(count, work.size, number) for number in range(4)]
        yield Row(
            f"durable/{name}",
            f"4 storescu to `dimse serve`, durable, on a disk, {works[0]} each",
            Side("`dimse serve`", contests.storing(storescu_best, serve(), *works, on_disk=True)),
            (Side("Orthanc", contests.storing(storescu_best, ORTHANC, *works, on_disk=True)),),
            Goal(times=3),
        )
    yield Row(
        "relaxed",
        f"storescu to `dimse serve`, relaxed, {s.small}",
        Side("`dimse serve --durability relaxed`", contests.storing(storescu_best, _relaxed(), s.small)),
        (Side("dcmqrscp", contests.storing(storescu_best, dcmqrscp(), s.small)),),
        Goal(times=10),
    )
    ours, theirs = Side("`dimse serve`", contests.finding(serve(), s.small)), Side("dcmqrscp", contests.finding(dcmqrscp(), s.small))
    yield Row("find", f"C-FIND by findscu, {s.small.count:,} answers", ours, (theirs,), Goal(times=1))
    for name, work in (("slices", s.slices), ("small", s.small)):
        ours, theirs = Side("`dimse serve`", contests.moving(_serve_to, work)), Side("dcmqrscp", contests.moving(dcmqrscp, work))
        yield Row(f"move/{name}", f"C-MOVE by movescu to storescp, {work}", ours, (theirs,), Goal(times=1))


def _relaxed() -> Peer:
    return serve("--durability", "relaxed")


def _serve_to(port: int) -> Peer:
    return serve(destination=port)


def _pynetdicom(s: Sizes) -> Iterator[Row]:
    few, more = 3 * s.few, 3 * s.more
    for name, work in s.works:
        scaled = name == "small"
        theirs = (
            contests.storing_scaled(pynetdicom_storescu, PYNETDICOM_STORESCP, work, few, more)
            if scaled
            else contests.storing(pynetdicom_storescu, PYNETDICOM_STORESCP, work)
        )
        yield Row(
            f"pynetdicom/{name}",
            f"`dimse send` to `dimse receive`, {work}",
            Side("`dimse send` to `dimse receive`", contests.storing(send, RECEIVE, work)),
            (Side("pynetdicom's storescu to storescp", theirs),),
            Goal(times=20),
            note=f"pynetdicom is measured with {few} and with {more} instances, from which follows what all would take" if scaled else "",
        )
    yield Row(
        "pynetdicom/find",
        f"C-FIND by findscu, {s.small.count:,} answers",
        Side("`dimse serve`", contests.finding(serve(), s.small)),
        (Side("pynetdicom's qrscp", contests.finding(qrscp(), s.small)),),
        Goal(times=20),
    )
    note = "fewer instances than with dcmqrscp, because with more pynetdicom's qrscp takes minutes, or breaks off a C-MOVE now and then"
    yield Row(
        "pynetdicom/relaxed",
        f"storescu to `dimse serve`, relaxed, {s.taken}",
        Side("`dimse serve --durability relaxed`", contests.storing(storescu_best, _relaxed(), s.taken)),
        (Side("pynetdicom's qrscp", contests.storing(storescu_best, qrscp(), s.taken)),),
        Goal(times=20),
        note=note,
    )
    for name, work in zip(("slices", "small"), s.moved, strict=True):
        yield Row(
            f"pynetdicom/move/{name}",
            f"C-MOVE by movescu to storescp, {work}",
            Side("`dimse serve`", contests.moving(_serve_to, work)),
            (Side("pynetdicom's qrscp", contests.moving(qrscp, work)),),
            Goal(times=20),
            note=note,
        )


def _others(s: Sizes) -> Iterator[Row]:
    yield Row(
        "associations",
        "associations one after another: set-up, echo, release",
        Side("`dimse receive`", contests.associating(RECEIVE, s.associations)),
        (Side("storescp", contests.associating(STORESCP_BEST, s.associations)),),
        Goal(times=1),
        unit="a second",
        is_rate=True,
    )
    little, much = s.memory
    for name, words, measured in (
        ("receiving", "`dimse receive`", contests.memory_of_receiver),
        ("sending", "`dimse send`", contests.memory_of_sender),
        ("moving", "`dimse serve`, received and moved", contests.memory_of_archive),
    ):
        other = Side(f"the same, {little}", measured(little))
        goal = Goal(at_most=1.2, limit=80)
        yield Row(f"memory/{name}", f"most memory, {words}, {much}", Side(words, measured(much)), (other,), goal, unit="MB")
    ours, alone = (Side(name, contests.beside_idle(s.small, idle)) for name, idle in (("beside them", s.idle), ("alone", 0)))
    yield Row("idle", f"`dimse send` to `dimse serve` beside {s.idle} idle associations, {s.small}", ours, (alone,), Goal(at_most=1.1))
    nothing = Side("`python -c pass`", contests.doing_nothing())
    yield Row("echo", "`dimse echo`, whole process", Side("`dimse echo`", contests.echoing()), (nothing,), Goal(at_most=1.7))
    yield from _proportion(s)
    few, more = s.few, s.more
    one = contests.over_a_long_line(s.far, 1, DELAY, (few, more))
    many = contests.over_a_long_line(s.far, WINDOW, DELAY)
    yield Row(
        "window",
        f"`dimse send` to `dimse receive` over a line with {DELAY * 1000:g} ms each way, {s.far}",
        Side(f"`--operations {WINDOW}`", many),
        (Side("`--operations 1`", one),),
        Goal(times=10),
        note=f"one at a time is measured with {few} and with {more} instances, from which follows what all would take",
    )


def _proportion(s: Sizes) -> Iterator[Row]:
    for name, what, (least, middle, most) in (("instances", "each instance", s.counts), ("bytes", "each MB", s.bytes)):
        yield Row(
            f"proportion/{name}",
            f"{what} more by `dimse send`, {middle} to {most}",
            Side("the many", contests.growing(send, RECEIVE, middle, most)),
            (Side(f"{least} to {middle}", contests.growing(send, RECEIVE, least, middle)),),
            Goal(at_most=1.2),
            unit="µs",
        )
