"""D-18 to D-25, as far as they ask for an archive: what names and queries come to that are none, or are meant to be more."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from struct import pack

import pytest

import dimse
import pdu
from dimse.archive import Archive
from dimse.data.uids import CTImageStorage, MRImageStorage, StudyRootFind
from dimse.judge import Target
from dimse.judge.line import Line, why_not_served
from dimse.judge.wire import ECHO_MESSAGE, ITEMS, ROOT, Fields, Request, command, data_set, element, message, short, store_fields, uid_value
from tests.archive.samples import sample
from tests.interop.peers import peer_program

from .conditions import SERVED_WITHIN, conditions
from .providers import FRONTS, HOST, providing, target_of
from .sites import site

STORE, FIND = 3, 5
"""Presentation contexts of `ITEMS`."""
KEPT = sample("1.2.3")
PWN = "PWN"


def data_of(
    uid: bytes, sop_class: str = CTImageStorage, study: bytes = b"1.2.3.1\0", series: bytes = b"1.2.3.2\0", patient: bytes = b"P1"
) -> bytes:
    """A data set in Implicit VR Little Endian whose identification is just that."""
    values = ((0x0008, 0x0016, uid_value(sop_class)), (0x0008, 0x0018, uid), (0x0010, 0x0020, patient), (0x0020, 0x000D, study))
    return b"".join(element(*value) for value in (*values, (0x0020, 0x000E, series)))


def ask(line: Line, fields: Fields, encoded: bytes, on: int) -> str:
    """Sends a request with a data set: the first answer."""
    longest = line.scene.max_length
    line.send(pdu.frames(on, True, command(fields), longest) + pdu.frames(on, False, encoded, longest))
    return line.next(time.monotonic() + 10) or "nothing"


def opened(target: Target) -> Line:
    """An association with everything that an archive offers."""
    line = Line(target)
    line.send(Request(ITEMS))
    assert (line.next(time.monotonic() + 10) or "").startswith("A-ASSOCIATE-AC")
    return line


def stored(line: Line, uid: bytes, encoded: bytes, sop_class: str = CTImageStorage) -> str:
    """Stores a data set under that name: the status."""
    fields = {**store_fields("1.2"), 0x0002: uid_value(sop_class), 0x1000: uid}
    return ask(line, fields, encoded, STORE).removeprefix("C-STORE-RSP ")


# D-18


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(
    ("encoded", "sop_class", "status"),
    [
        pytest.param(data_of(uid_value("1.2.5")), CTImageStorage, "A900H", id="D-18/instance"),
        pytest.param(data_of(uid_value("1.2.4"), MRImageStorage), CTImageStorage, "A900H", id="D-18/class"),
        pytest.param(data_of(uid_value("1.2.4"), MRImageStorage), MRImageStorage, "0122H", id="D-18/context"),
    ],
)
def test_command_and_data_set_that_do_not_agree(
    front: str, encoded: bytes, sop_class: str, status: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        assert user.store(KEPT) == 0
        with opened(target_of(user.provider)) as line:
            assert stored(line, uid_value("1.2.4"), encoded, sop_class) == status
            line.send(ECHO_MESSAGE)
            assert line.next(time.monotonic() + 10) == "C-ECHO-RSP 0000H"
        user.has(KEPT)


# D-19, D-20

NAMES = {
    "up": b"../../../tmp/PWN",
    "absolute": b"/tmp/PWN",
    "above": b"..",
    "empty": b"",
    "shell": b"1.2;$(id)",
    "long": b"1." * 32 + b"1",
    "nul": b"1.2\0PWN",
    "bytes": b"\xff\xfe/PWN",
}
REFUSED = {True: "0117H", False: "0212H"}
"""What a name that is none is answered with, and what none at all is (PS3.7 C.5)."""


def even(value: bytes) -> bytes:
    """A value of an even length."""
    return value + b"\0" * (len(value) % 2)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", [pytest.param(name, id=f"D-19/{word}") for word, name in NAMES.items()])
def test_names_that_are_no_uids(front: str, name: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        assert user.store(KEPT) == 0
        with opened(target_of(user.provider)) as line:
            assert stored(line, even(name), data_of(even(name))) == REFUSED[bool(name)]
        user.has(KEPT)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", [pytest.param(b"1.02.3", id="D-19/zero")])
def test_a_component_that_begins_with_a_zero_is_let_pass(front: str, name: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user, opened(target_of(user.provider)) as line:
        assert stored(line, name, data_of(name)) == "0000H"
        assert [path.name for path in user.files()] == [archive.path_of(name.decode()).name]


OPENED = re.compile(r'"((?:[^"\\]|\\.)*)"')
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|^\d+ +(?:mkdir|rename|link|unlink|symlink|rmdir|chmod|truncate)")


@pytest.mark.interop
@pytest.mark.parametrize("names", [pytest.param(NAMES, id="D-19/strace")])
def test_no_path_outside_the_folder_is_opened(names: dict[str, bytes], tmp_path: Path) -> None:
    """As the kernel sees it: what is written lies in the folder, and no name from the wire is part of any path."""
    strace, log = peer_program("strace"), tmp_path / "strace.log"
    serve = [sys.executable, "-m", "dimse", "serve", "--host", HOST, "--port", "0", "--data", str(tmp_path / "archive")]
    words = [strace, "-D", "-f", "-qq", "-e", "trace=%file", "-o", str(log), *serve]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split(",")[0].rsplit(":", 1)[1])
        before = log.stat().st_size
        try:
            with opened(Target(HOST, port, b"ARCHIVE", b"ME")) as line:
                assert {stored(line, even(name), data_of(even(name))) for name in names.values()} == set(REFUSED.values())
                hostile = data_of(b"1.2.3\0", study=b"..", series=b"/PWN", patient=b"../../../tmp/PWN")
                assert stored(line, b"1.2.3\0", hostile) == "0000H"
            calls = log.read_bytes()[before:].decode("latin-1").splitlines()
        finally:
            process.kill()
    assert any("objects" in call for call in calls)
    assert [call for call in calls if PWN in call or "$(id)" in call] == []
    paths = [path for call in calls if WRITES.search(call) for path in OPENED.findall(call)]
    assert [path for path in paths if not path.startswith(str(tmp_path / "archive"))] == []
    assert not Path("/tmp/PWN").exists()


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(
    ("study", "series", "patient"),
    [
        pytest.param(b"..", b"/\0", b"../../x ", id="D-20"),
        pytest.param(b"/tmp/PWN", b"../../../tmp/PWN", b"/tmp/PWN", id="D-20/absolute"),
        pytest.param(b"1.2\0/../PWN", b"C:\\PWN", b"`id`\n\x1b[31m ", id="D-20/odd"),
    ],
)
def test_names_in_the_data_set_that_are_no_uids(
    front: str, study: bytes, series: bytes, patient: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Stored as it came, under a name that none of them has a part in; or refused."""
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        with opened(target_of(user.provider)) as line:
            encoded = data_of(b"1.2.3\0", study=even(study), series=even(series), patient=patient)
            assert stored(line, b"1.2.3\0", encoded) == "0000H"
        assert user.files() == [archive.path_of("1.2.3")]
        assert archive.path_of("1.2.3").read_bytes().endswith(encoded)
        assert len(user.find("STUDY", StudyInstanceUID="")) == 1
        assert [path for path in tmp_path.rglob("*") if "PWN" in path.name] == []


# D-22

PATIENT_ID, PATIENT_NAME, LEVEL, STUDY = (0x0010, 0x0020), (0x0010, 0x0010), (0x0008, 0x0052), (0x0020, 0x000D)
SEQUENCE = pack("<HHL", 0xFFFE, 0xE000, 16) + element(0x0010, 0x0020, b"P1      ")
PATIENTS = ("P1", "P2", "%", "_", "a_b", "[a-z]1", "' OR 1=1 --", "x" * 64)
ALL = len(PATIENTS)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(
    ("tag", "value", "matches"),
    [
        pytest.param(PATIENT_ID, b"' OR 1=1 --", 1, id="D-22/sql"),
        pytest.param(PATIENT_ID, b"' OR '1'='1", 0, id="D-22/sql-none"),
        pytest.param(PATIENT_ID, b"P1'; DROP TABLE instance; --", 0, id="D-22/drop"),
        pytest.param(PATIENT_ID, b"%", 1, id="D-22/percent"),
        pytest.param(PATIENT_ID, b"_", 1, id="D-22/underline"),
        pytest.param(PATIENT_ID, b"P_", 0, id="D-22/underline-none"),
        pytest.param(PATIENT_ID, b"%*", 1, id="D-22/percent-wildcard"),
        pytest.param(PATIENT_ID, b"?_?", 1, id="D-22/underline-wildcard"),
        pytest.param(PATIENT_ID, b"[a-z]*", 1, id="D-22/class"),
        pytest.param(PATIENT_ID, b"[!x]*", 0, id="D-22/class-none"),
        pytest.param(PATIENT_ID, b"a\\\\b", None, id="D-22/backslash"),
        pytest.param(PATIENT_ID, b"P*\0", None, id="D-22/nul"),
        pytest.param(PATIENT_ID, b"x" * 65_536, 0, id="D-22/64KB"),
        pytest.param(PATIENT_ID, b"*" * 65_536, None, id="D-22/64KB-stars"),
        pytest.param(PATIENT_ID, b"*x" * 32_768, None, id="D-22/64KB-pattern"),
        pytest.param(PATIENT_ID, b"", ALL, id="D-22/empty"),
        pytest.param(PATIENT_NAME, SEQUENCE, None, id="D-22/sequence"),
        pytest.param(STUDY, SEQUENCE, None, id="D-22/sequence-uid"),
    ],
)
def test_keys_that_are_meant_to_be_more(
    front: str, tag: tuple[int, int], value: bytes, matches: int | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are values like others; None: any answer will do that comes soon."""
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        for number, patient in enumerate(PATIENTS):
            assert user.store(sample(f"1.2.{number}", b"", PatientID=patient, PatientName="Nobody^Ann")) == 0
        keys = {LEVEL: b"STUDY ", STUDY: b"", tag: even(value)}
        with opened(target_of(user.provider)) as line:
            found, final = _found(line, keys)
            if matches is not None:
                assert (found, final) == (matches, "0000H")
            line.send(ECHO_MESSAGE)
            assert line.next(time.monotonic() + 10) == "C-ECHO-RSP 0000H"
        assert archive.counts() == (ALL, ALL, ALL, ALL)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(
    "level",
    [
        pytest.param(None, id="D-22/no-level"),
        pytest.param(b"", id="D-22/empty-level"),
        pytest.param(b"TABLE ", id="D-22/other-level"),
    ],
)
def test_a_query_without_a_level(front: str, level: bytes | None, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = {STUDY: b""} if level is None else {LEVEL: level, STUDY: b""}
    with Archive(tmp_path / "archive") as archive, site(front, archive, tmp_path, caplog) as user:
        assert user.store(KEPT) == 0
        with opened(target_of(user.provider)) as line:
            assert _found(line, keys) == (0, "A900H")
        user.has(KEPT)


def _found(line: Line, keys: dict[tuple[int, int], bytes]) -> tuple[int, str]:
    """How many matches came, and the final status."""
    encoded = b"".join(element(*tag, value) for tag, value in sorted(keys.items()))
    answer, count = ask(line, FIND_FIELDS, encoded, FIND), 0
    until = time.monotonic() + 5
    while answer.startswith("C-FIND-RSP FF"):
        count += 1
        answer = line.next(until) or "nothing"
    return count, answer.removeprefix("C-FIND-RSP ")


FIND_FIELDS: Fields = {0x0002: uid_value(StudyRootFind), 0x0100: short(0x0020), 0x0110: short(1), 0x0700: short(0), 0x0800: short(1)}


# D-25


def cancel(number: int) -> bytes:
    """A C-CANCEL-RQ (PS3.7 9.3.2.3)."""
    return message({0x0100: short(0x0FFF), 0x0120: short(number), 0x0800: short(0x0101)}, on=FIND)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("count", [pytest.param(1000, id="D-25")])
def test_cancels(front: str, count: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand of them for what does not run are passed over; one for a C-FIND that runs ends it within a second."""
    with Archive(tmp_path / "archive") as archive:
        services = archive.services()
        find = services.find
        assert find is not None

        def endless(request: dimse.Request) -> Iterator[object]:
            return cycle(list(find(request)))

        with providing(front, replace(services, find=endless)) as provider:  # type: ignore[arg-type]  # of the archive's own matches
            target = target_of(provider)
            with dimse.connect(HOST, provider.port, called="PEER", contexts=dimse.contexts_for([_source()])) as association:
                assert association.store(_source()).ok
            with dimse.connect(HOST, provider.port, called="PEER", contexts=[StudyRootFind]) as association:
                association.find(dimse.query("STUDY", StudyInstanceUID="")).__next__()  # whatever is loaded with the first is loaded
            with conditions(provider, tmp_path, caplog, lambda: why_not_served(target, SERVED_WITHIN)), opened(target) as line:
                line.send(b"".join(cancel(number) for number in range(2, count + 2)))
                line.send(ECHO_MESSAGE)
                assert line.next(time.monotonic() + 5) == "C-ECHO-RSP 0000H"
                assert ask(line, FIND_FIELDS, element(*LEVEL, b"STUDY ") + element(*STUDY), FIND) == "C-FIND-RSP FF00H"
                line.send(cancel(1))
                until = time.monotonic() + SERVED_WITHIN  # a second
                while (answer := line.next(until)) == "C-FIND-RSP FF00H":
                    pass
                assert answer == "C-FIND-RSP FE00H"
                line.send(ECHO_MESSAGE)
                assert line.next(time.monotonic() + 5) == "C-ECHO-RSP 0000H"


def _source() -> dimse.BytesSource:
    return dimse.BytesSource(data_set(1), dimse.UID(CTImageStorage), dimse.UID(f"{ROOT}.1"), dimse.ImplicitVRLittleEndian)
