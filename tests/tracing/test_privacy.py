"""No log, no line of a server and no trace has a value of a patient's data, unless it is asked for: in both fronts."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dimse
import dimse.aio
from dimse.archive import Archive
from tests.cli.conftest import HOST, During, Run, during, run, serving, write_instance

__all__ = ["during", "run", "serving"]  # fixtures of the command line's tests

NAME, ID, COMMENT = "PHI^TEST", "PHI-4711", "PHI comment"
QUERY = dimse.query("PATIENT", PatientName="PHI^*", PatientID=ID)
Act = Callable[[int], None]


def instance(folder: Path, uid: str = "1.2.1") -> Path:
    """A file about the patient."""
    return write_instance(folder / uid, uid, PatientName=NAME, PatientID=ID)


def contexts(source: dimse.FileSource) -> list[dimse.Context | str]:
    """What all operations need."""
    return [*dimse.contexts_for([source]), dimse.PatientRootFind, dimse.PatientRootMove]


def work(port: int, source: dimse.FileSource, trace: dimse.TraceFile | None = None) -> list[str]:
    """Stores, finds and moves; gives what was found."""
    with dimse.connect(HOST, port, contexts=contexts(source), trace=trace) as association:
        association.store(source)
        found = [str(match["PatientName"]) for match in association.find(QUERY)]
        association.move(QUERY, to="OTHER")
        association.move(QUERY, to="NOBODY")
    return found


async def work_in_asyncio(port: int, source: dimse.FileSource, trace: dimse.TraceFile | None = None) -> list[str]:
    """The same."""
    async with dimse.aio.connect(HOST, port, contexts=contexts(source), trace=trace) as association:
        await association.store(source)
        found = [str(match["PatientName"]) async for match in association.find(QUERY)]
        await association.move(QUERY, to="OTHER")
        await association.move(QUERY, to="NOBODY")
    return found


def clean(text: str) -> bool:
    """Whether a text has nothing of the patient, also not as the hex of its bytes."""
    return not [value for value in (NAME, ID, COMMENT, "PHI") if value in text or value.encode().hex() in text]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The log of all modules at the finest level."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="dimse"):
        yield caplog


def told(log: pytest.LogCaptureFixture) -> str:
    """All of it as a handler with a traceback would write it."""
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return "\n".join(formatter.format(record) + repr(record.args) for record in log.records)


@pytest.mark.parametrize("front", ["blocking", "asyncio"])
def test_a_node_and_its_users(front: str, tmp_path: Path, serving: Callable[..., int], log: pytest.LogCaptureFixture) -> None:
    source = dimse.FileSource(instance(tmp_path))
    to = serving(dimse.Services(store=lambda request, data: None))
    peers = {"OTHER": dimse.Address("OTHER", HOST, to)}
    with Archive(tmp_path / "archive") as archive, dimse.TraceFile(tmp_path / "x") as trace:
        services = archive.services(peers, aet="NODE")
        if front == "blocking":
            found = work(serving(services, aet="NODE", trace=trace), source, trace)
        else:
            found = asyncio.run(_served(services, source, trace))
    assert found == [NAME]
    text = (tmp_path / "x").read_text()
    assert '"C-MOVE-RSP"' in text
    assert '"affected_sop_instance_uid": "1.2.1"' in text
    assert clean(text)
    assert clean(told(log))


async def _served(services: dimse.Services, source: dimse.FileSource, trace: dimse.TraceFile) -> list[str]:
    server = dimse.aio.Server("NODE", services, trace=trace)
    _, port = await server.listen(HOST, 0)
    async with server:
        return await work_in_asyncio(port, source, trace)


def failing(request: dimse.Request, *more: object) -> None:
    """A handler that fails in the middle of the patient's data, with them in its words."""
    try:
        raise ValueError(f"cannot store {NAME}")
    except ValueError as error:
        raise RuntimeError(f"{ID} is wrong") from error


def refusing(request: dimse.Request, *more: object) -> None:
    """A handler that names the patient in its comment."""
    raise dimse.Refused(0xA700, COMMENT)


@pytest.mark.parametrize("front", ["blocking", "asyncio"])
@pytest.mark.parametrize("handler", [failing, refusing])
def test_a_handler_that_fails(
    front: str, handler: Callable[..., None], tmp_path: Path, serving: Callable[..., int], log: pytest.LogCaptureFixture
) -> None:
    source = dimse.FileSource(instance(tmp_path))
    services = dimse.Services(store=handler, find=handler, move=handler, where=lambda request, title: dimse.Address(title, HOST, 1))  # type: ignore[arg-type]  # they only raise
    statuses: list[dimse.Status] = []
    ended = threading.Event()  # what failed is logged before the report

    def use(port: int, trace: dimse.TraceFile) -> None:
        with dimse.connect(HOST, port, contexts=contexts(source), trace=trace) as association:
            statuses.append(association.store(source))
            with pytest.raises(dimse.OperationFailed):
                list(association.find(QUERY))

    async def use_in_asyncio(trace: dimse.TraceFile) -> None:
        server = dimse.aio.Server("NODE", services, trace=trace)
        _, port = await server.listen(HOST, 0)
        async with server, dimse.aio.connect(HOST, port, contexts=contexts(source), trace=trace) as association:
            statuses.append(await association.store(source))
            with pytest.raises(dimse.OperationFailed):
                [match async for match in association.find(QUERY)]

    with dimse.TraceFile(tmp_path / "x") as trace:
        if front == "blocking":
            use(serving(services, trace=trace, report=lambda report: ended.set()), trace)
            assert ended.wait(10)
        else:
            asyncio.run(use_in_asyncio(trace))
    assert not statuses[0].ok
    assert clean((tmp_path / "x").read_text())
    assert clean(told(log))
    assert ("answered 0110H" in told(log)) == (handler is failing)  # a refusal is an answer, and nothing to log


@pytest.mark.parametrize("command", ["serve", "receive"])
def test_the_commands_with_all_words(
    command: str, run: Run, during: During, serving: Callable[..., int], tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    path = instance(tmp_path)
    source = dimse.FileSource(path)
    to = serving(dimse.Services(store=lambda request, data: None))

    def act(port: int) -> None:
        if command == "serve":
            assert work(port, source) == [NAME]
        broken = dimse.BytesSource(b"PHI^TEST" * 3, source.sop_class_uid, dimse.UID("1.2.9"), source.transfer_syntax)
        with dimse.connect(HOST, port, contexts=dimse.contexts_for([source, broken])) as association:
            association.store(source)
            association.store(broken)

    words = {
        "serve": ["serve", "--port", 0, "--data", tmp_path / "data", "--peer", f"OTHER={HOST}:{to}"],
        "receive": ["receive", "-od", tmp_path / "data", 0],
    }[command]
    during(act)
    said = run(*words, "-v", "-d", "--trace", tmp_path / "x")
    assert said.code == 0
    assert "C-STORE 1.2.1" in said.err
    assert "P-DATA-TF" in said.err
    assert clean(said.out)
    assert clean(said.err)
    assert clean((tmp_path / "x").read_text())
    assert clean(told(log))


@pytest.mark.parametrize(
    "words",
    [
        ["send", "-v", "-d", HOST, "PORT", "FILE"],
        ["find", "-d", "-P", "-k", "PatientID=PHI-4711", HOST, "PORT"],
        ["move", "-v", "-d", "-P", "-aem", "OTHER", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID=PHI-4711", HOST, "PORT"],
    ],
    ids=lambda words: words[0],
)
def test_the_clients_on_standard_error_and_in_their_traces(
    words: list[str], run: Run, serving: Callable[..., int], tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    path = instance(tmp_path)
    to = serving(dimse.Services(store=lambda request, data: None))
    with Archive(tmp_path / "archive") as archive:
        port = serving(archive.services({"OTHER": dimse.Address("OTHER", HOST, to)}, aet="NODE"))
        work(port, dimse.FileSource(path))
        log.clear()
        told_words = [{"PORT": str(port), "FILE": str(path)}.get(word, word) for word in words]
        said = run(*told_words, "--trace", tmp_path / "x")
    assert said.code == 0
    assert clean(said.err)
    assert clean((tmp_path / "x").read_text())
    assert clean(told(log))


def test_asked_for_it_is_there(run: Run, serving: Callable[..., int], tmp_path: Path) -> None:
    """What shows that the others would have found it."""
    port = serving(dimse.Services(store=lambda request, data: None))
    run("send", "--trace", tmp_path / "x", "--trace-data", HOST, port, instance(tmp_path))
    assert NAME.encode().hex() in (tmp_path / "x").read_text()
