"""D-28: whoever may do one thing asks for another, at negotiation and behind it; A-05 to A-07 and T-11 by a file of `dimse serve`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

import dimse
from dimse.archive import Archive
from dimse.blocking import drive
from dimse.data.commands import NO_DATA_SET, CommandField, CommandSet
from dimse.data.uids import (
    CTImageStorage,
    ImplicitVRLittleEndian,
    StorageCommitment,
    StorageCommitmentInstance,
    StudyRootFind,
    StudyRootGet,
    StudyRootMove,
    Verification,
)
from dimse.judge import Target
from dimse.judge.line import Line
from dimse.judge.wire import Request, data_set, instance_uid

from .nodes import node
from .providers import BYSTANDER, FRONTS, HOST, SETTLED, providing

NOT_AUTHORIZED, UNRECOGNIZED = 0x0124, 0x0211
KEPT, SENT = 9999, 9998
"""The numbers of the made-up instance that is stored before, and of the one that is sent."""
CONTEXTS = {
    "echo": dimse.Context(Verification),
    "store": dimse.Context(CTImageStorage, (ImplicitVRLittleEndian,)),
    "find": dimse.Context(StudyRootFind, (ImplicitVRLittleEndian,)),
    "get": dimse.Context(StudyRootGet, (ImplicitVRLittleEndian,)),
    "move": dimse.Context(StudyRootMove, (ImplicitVRLittleEndian,)),
    "action": dimse.Context(StorageCommitment, (ImplicitVRLittleEndian,)),
}
OPERATIONS = {
    "echo": (CommandField.C_ECHO_RQ, "C-ECHO"),
    "store": (CommandField.C_STORE_RQ, "C-STORE"),
    "find": (CommandField.C_FIND_RQ, "C-FIND"),
    "get": (CommandField.C_GET_RQ, "C-GET"),
    "move": (CommandField.C_MOVE_RQ, "C-MOVE"),
    "action": (CommandField.N_ACTION_RQ, "N-ACTION"),
}
RIGHTS = [right.value for right in dimse.Right]
CHECKS = [(may, asks) for may in RIGHTS for asks in CONTEXTS if asks != may]
TITLES = {right: f"{right.upper()}-ONLY" for right in RIGHTS}
ODD = {"NOTHING": dimse.Caller([]), "ELSEWHERE": dimse.Caller(hosts=["10.0.0.0/8"]), "NEIGHBOUR": dimse.Caller(hosts=[BYSTANDER])}
CALLERS = dimse.Callers({title: dimse.Caller([right]) for right, title in TITLES.items()} | ODD | {"ME": dimse.Caller()})
CONFIG = "\n".join(
    [
        '[node]\naet = "PEER"\nhost = "0.0.0.0"\ncheck_called_aet = true\nlimits = { associations_per_host = 8 }',
        *(f'[peers.{title}]\nallow = ["{right}"]' for right, title in TITLES.items()),
        "[peers.NOTHING]\nallow = []",
        '[peers.ELSEWHERE]\nhosts = ["10.0.0.0/8"]',
        f'[peers.NEIGHBOUR]\nhosts = ["{BYSTANDER}"]',
        "[peers.ME]",
    ]
)

TALKATIVE = "import sys, dimse.cli.rate; dimse.cli.rate.LINES = 1_000_000; from dimse.cli import main; sys.exit(main(sys.argv[1:]))"
"""The command, which tells of however many associations of one host in a second."""


class Asked(Protocol):
    """A provider, and what became of the association that ended last."""

    port: int

    def told(self) -> str:
        """What it did, what it lacked the rights for, and how it ended, in a line."""

    def counts(self) -> int:
        """How many instances are there."""


class Library:
    """`dimse.Server` or `dimse.aio.Server`."""

    def __init__(self, front: str, folder: Path, stack: ExitStack) -> None:
        self._archive = stack.enter_context(Archive(folder / "data"))
        self._provider = stack.enter_context(providing(front, self._archive.services(), dimse.Limits(), callers=CALLERS))
        self.port = self._provider.port

    def told(self) -> str:
        assert self._provider.settle() == 0
        report = self._provider.reports[-1]
        counts = ", ".join(f"{count} {name}" for name, count in report.counts.items()) or "nothing asked"
        failed = f" ({report.failed} failed: {', '.join(report.failures)})" if report.failed else ""
        denied = f", may not {', '.join(sorted(report.denied))}" if report.denied else ""
        return f"{report.peer.calling}: {counts}{failed}{denied}: {report.ended}"

    def counts(self) -> int:
        return self._archive.counts()[-1]


class Command:
    """`dimse serve` with a file."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        config = folder / "node.toml"
        config.write_text(CONFIG)
        self._folder = folder
        self._node = stack.enter_context(node(folder, "--config", config, program=("-c", TALKATIVE)))
        assert self._node.announced.endswith("; peers that are not configured are rejected\n")
        self.port = self._node.port

    def told(self) -> str:
        return self._node.line().strip()

    def counts(self) -> int:
        return len(list((self._folder / "data" / "objects").rglob("*.dcm")))


@contextmanager
def _asked(front: str, folder: Path) -> Iterator[Asked]:
    with ExitStack() as stack:
        asked: Asked = Command(folder, stack) if front == "serve" else Library(front, folder, stack)
        with _connect(asked, "ME", CONTEXTS["store"]) as association:
            assert association.store(_instance(KEPT)).ok
        asked.told()
        yield asked


@pytest.fixture(scope="module", params=[*FRONTS, "serve"])
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with _asked(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


def _instance(number: int) -> dimse.BytesSource:
    uids = dimse.UID(CTImageStorage), dimse.UID(instance_uid(number)), dimse.UID(ImplicitVRLittleEndian)
    return dimse.BytesSource(data_set(number), *uids)


def _connect(asked: Asked, calling: str, *contexts: dimse.Context, called: str = "PEER") -> dimse.Association:
    return dimse.connect(HOST, asked.port, called=called, calling=calling, contexts=contexts)


def _ask(association: dimse.Association, what: str) -> CommandSet:
    """Sends an operation on the context that there is, whatever that is for; the answer."""
    (context,) = association.accepted
    is_normalized, has_data = what == "action", what not in ("echo", "action")
    command = CommandSet(
        OPERATIONS[what][0],
        affected_sop_class_uid=None if is_normalized else CONTEXTS[what].abstract_syntax,
        requested_sop_class_uid=StorageCommitment if is_normalized else None,
        message_id=1,
        priority=0 if has_data else None,
        command_data_set_type=1 if has_data else NO_DATA_SET,
        affected_sop_instance_uid=instance_uid(SENT) if what == "store" else None,
        requested_sop_instance_uid=StorageCommitmentInstance if is_normalized else None,
        action_type_id=1 if is_normalized else None,
        move_destination="ME" if what == "move" else None,
    )
    query = dimse.query("STUDY", StudyInstanceUID="").encoded_as(context.transfer_syntax)
    data = dimse.DataSet(data_set(SENT), context.transfer_syntax) if what == "store" else query
    drive(association.session.send(context, command, data if has_data else None))
    return drive(association.session.receive()).command


@pytest.mark.parametrize(("may", "asks"), [pytest.param(may, asks, id=f"D-28/{may}-{asks}") for may, asks in CHECKS])
def test_a_right_to_one_thing_is_none_to_another(may: str, asks: str, asked: Asked) -> None:
    name = OPERATIONS[asks][1]
    with _connect(asked, TITLES[may], CONTEXTS[may], CONTEXTS[asks]) as association:
        assert [context.abstract_syntax for context in association.accepted] == [CONTEXTS[may].abstract_syntax]
        assert [refused.result for refused in association.refused] == [3 if asks == "action" else 1]
        answer = _ask(association, asks)
    assert answer.status == (UNRECOGNIZED if asks == "action" else NOT_AUTHORIZED)
    assert not answer.has_data_set
    told = asked.told()
    assert TITLES[may] in told
    if asks == "action":
        assert f"1 {name} (1 failed: 0211H Failure: unrecognized operation)" in told
        assert "may not" not in told
    else:
        assert f"1 {name} (1 failed: 0124H Refused: not authorized), may not {asks}" in told
    assert told.endswith(": released")
    assert asked.counts() == 1


USES: dict[str, Callable[[dimse.Association], object]] = {
    "echo": lambda association: association.echo() == 0,
    "store": lambda association: association.store(_instance(KEPT)) == 0,  # the same again
    "find": lambda association: len(list(association.find(dimse.query("STUDY", StudyInstanceUID="")))) == 1,
    "move": lambda association: association.move(dimse.query("STUDY", StudyInstanceUID="1.2"), to="ME").status == 0xA801,
}


@pytest.mark.parametrize("may", [pytest.param(may, id=f"D-28/{may}") for may in USES])
def test_a_right_is_one(may: str, asked: Asked) -> None:
    """Who is configured without host and port is no destination of a C-MOVE."""
    with _connect(asked, TITLES[may], CONTEXTS[may]) as association:
        assert USES[may](association)
    assert "may not" not in asked.told()


@pytest.mark.parametrize("role", [pytest.param(None, id="D-28/get"), pytest.param("both", id="D-28/get-both-roles")])
def test_what_a_get_brings_belongs_to_it(role: str | None, asked: Asked, tmp_path: Path) -> None:
    """The peer is SCP of what comes, and no SCU of it: in that context it may send nothing (0124H)."""
    storage = dimse.Context(CTImageStorage, (ImplicitVRLittleEndian,), scu=role == "both", scp=True)
    study = str(dimse.DataSet(data_set(KEPT), ImplicitVRLittleEndian)["StudyInstanceUID"])
    with _connect(asked, TITLES["get"], CONTEXTS["get"], storage) as association:
        assert [(context.scu, context.scp) for context in association.accepted] == [(True, False), (False, True)]
        result = association.get(dimse.query("STUDY", StudyInstanceUID=study), dimse.FolderSink(tmp_path).open)
        assert (result.status, result.completed) == (0, 1)
    (came,) = tmp_path.iterdir()
    assert came.read_bytes().endswith(data_set(KEPT))
    assert ("may not store" in asked.told()) is (role == "both")


@pytest.mark.parametrize(
    ("calling", "called", "answer", "why"),
    [
        pytest.param("ME", "OTHER", (1, 1, 7), "called AE title not recognized", id="A-05/called"),
        pytest.param("STRANGER", "PEER", (1, 1, 3), "the calling AE title is none of those that are let in", id="A-05/calling"),
        pytest.param("me", "PEER", (1, 1, 3), "the calling AE title is none of those that are let in", id="A-05/case"),
        pytest.param("STRANGER", "OTHER", (1, 1, 3), "the calling AE title is none of those that are let in", id="A-05/both"),
        pytest.param("ELSEWHERE", "PEER", (1, 1, 3), "the calling AE title is not let in from this host", id="A-05/network"),
        pytest.param("NEIGHBOUR", "PEER", (1, 1, 3), "the calling AE title is not let in from this host", id="A-05/host"),
        pytest.param("NOTHING", "PEER", (1, 1, 3), "the calling AE title may do nothing here", id="A-05/nothing"),
        pytest.param("../../etc", "PEER", (1, 1, 3), "the calling AE title is none of those that are let in", id="A-06/path"),
    ],
)
def test_who_is_let_in(calling: str, called: str, answer: tuple[int, int, int], why: str, asked: Asked) -> None:
    with pytest.raises(dimse.Rejected) as caught:
        _connect(asked, calling, CONTEXTS["echo"], called=called)
    assert (caught.value.result, caught.value.source, caught.value.reason) == answer
    told = asked.told()
    assert calling in told
    assert ": nothing asked: rejected: " in told
    assert why in told


@pytest.mark.parametrize(
    ("calling", "shown"),
    [
        pytest.param(b" " * 16, "", id="A-06/spaces"),
        pytest.param(bytes(16), "", id="A-06/nul"),
        pytest.param(b"\xff\xfe\x80", "\xff\xfe\\x80", id="A-06/bytes"),
        pytest.param(b"A\r\nINFO: forged", "A\\r\\nINFO: forged", id="A-07"),
    ],
)
def test_titles_that_are_none(calling: bytes, shown: str, tmp_path: Path) -> None:
    """What no user of ours would send; one line is told of each, with nothing in it that steers a terminal."""
    with _asked("serve", tmp_path) as asked:
        with Line(_target(asked)) as line:
            line.send(Request(calling=calling))
            assert (line.next(time.monotonic() + 10) or "").startswith("A-ASSOCIATE-RJ(1,1,3)")
        told = [asked.told()] if shown else []  # a peer without a title is told of with -v only
        with _connect(asked, "ME", CONTEXTS["echo"]) as association:
            assert association.echo().ok
        assert [shown in line and "rejected" in line and line.isprintable() for line in told] == [True] * len(told)
        assert "1 C-ECHO: released" in asked.told()


@pytest.mark.parametrize("most", [pytest.param(8, id="T-11")])
def test_a_host_with_too_many_associations(most: int, tmp_path: Path) -> None:
    with _asked("serve", tmp_path) as asked, ExitStack() as stack:
        lines = [stack.enter_context(Line(_target(asked))) for _ in range(most + 4)]
        answers = []
        for line in lines:
            line.send(Request())
            answers.append((line.next(time.monotonic() + 10) or "nothing").split()[0])
        assert answers == ["A-ASSOCIATE-AC"] * most + ["A-ASSOCIATE-RJ(2,3,2)"] * 4
        other = stack.enter_context(Line(_target(asked), source=BYSTANDER))
        other.send(Request())
        assert (other.next(time.monotonic() + SETTLED) or "").startswith("A-ASSOCIATE-AC")


def _target(asked: Asked) -> Target:
    return Target(HOST, asked.port, b"PEER", b"ME")
