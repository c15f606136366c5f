"""The README is the only manual: its library examples run, its pictures are what the code prints, its tables are complete."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import dimse
from dimse.archive import Archive
from dimse.association.table import diagram, picture
from dimse.cli import COMMANDS
from dimse.cli.config import read_config
from tests.interop.samples import Samples, write_samples

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def title(code: str) -> str:
    """A name for a block: its first line that does more than import."""
    return next(line for line in code.splitlines() if line and not line.startswith(("import ", "from ")))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, Samples]]:
    """A folder with a `study` in it, and an archive that holds it and knows the receiver STORE; gives the archive's port."""
    monkeypatch.chdir(tmp_path)
    samples = write_samples(tmp_path / "study")
    store = dimse.Server("STORE", dimse.Services(sink=dimse.FolderSink(tmp_path / "moved").open))
    host, port = store.listen()
    with Archive(tmp_path / "archive") as archive, store:
        node = dimse.Server("ARCHIVE", archive.services({"STORE": dimse.Address("STORE", host, port)}, aet="ARCHIVE"))
        _, port = node.listen()
        with node:
            files = [dimse.FileSource(file.path) for file in samples.files]
            with dimse.connect(host, port, contexts=dimse.contexts_for(files)) as association:
                assert all(status.ok for _, status in association.store_all(files))
            yield port, samples


EXPECTED = {
    "Path": ["0000H Success"],
    "StudyRootFind": ["Hartgard^Ilse", "Hartgardt^Boris"],
    "PatientRootMove": ["Progress(remaining=", "0000H Success: sub-operations complete, no failures or warnings 7 ()"],
    "PatientRootGet": ["0000H Success: sub-operations complete, no failures or warnings 7 ()"],
    "keep": ["DIMSE sent HG-1", "0000H Success"],
    "asyncio": ["['HG-1', 'HG-2', 'NZ-7']"],
    "layer": ["AssociateConfirmation in state 6", "ReleaseConfirmation in state 1"],
}
"""What each example prints, among other things: a word of its code -> texts."""


def test_there_are_seven_examples_and_each_is_expected_to_print_something() -> None:
    assert len(blocks("python")) == len(EXPECTED) == 7


@pytest.mark.parametrize(("code", "printed"), list(zip(blocks("python"), EXPECTED.values(), strict=False)), ids=list(EXPECTED))
def test_example(code: str, printed: list[str], site: tuple[int, Samples], capsys: pytest.CaptureFixture[str]) -> None:
    code = code.replace("4242", str(site[0]))
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    out = capsys.readouterr().out
    assert [text for text in printed if text not in out] == []


def test_the_picture_is_the_grid() -> None:
    assert picture() + "\n" in blocks("text")


def test_the_diagram_is_the_grid() -> None:
    assert blocks("mermaid") == [diagram() + "\n"]


@pytest.mark.parametrize(("arguments", "text"), [([], picture()), (["diagram"], diagram())], ids=["picture", "diagram"])
def test_the_module_prints_them(arguments: list[str], text: str) -> None:
    done = subprocess.run([sys.executable, "-m", "dimse.association", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == text + "\n"


@pytest.mark.parametrize("folder", ["pdu", "dimse"])
def test_the_map_shows_every_room(folder: str) -> None:
    rooms = {path.name for path in (ROOT / folder).iterdir() if path.name[0] not in "_." and path.suffix in ("", ".py")}
    shown = README[README.index("## Map of the house") :]
    assert [room for room in rooms if folder == "dimse" and f"dimse/{room}" not in shown] == []
    assert f"`{folder}/" in shown


def test_the_configuration_is_one(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(blocks("toml")[0], encoding="utf-8")
    settings = read_config(tmp_path / "node.toml")
    assert (settings.aet, settings.port, settings.data) == ("ARCHIVE", 4242, tmp_path / "archive")
    assert settings.peers == {"ORTHANC": dimse.Address("ORTHANC", "127.0.0.1", 4243)}


def test_the_configuration_with_rights_is_one(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(blocks("toml")[1], encoding="utf-8")
    settings = read_config(tmp_path / "node.toml")
    assert settings.callers == {"CT1": dimse.Caller(["echo", "store"], ["10.1.0.0/16"]), "WS": dimse.Caller()}
    assert settings.peers == {"WS": dimse.Address("WS", "10.0.0.7", 104)}
    assert (settings.unknown, settings.check_called) == (frozenset({dimse.Right.ECHO}), True)
    assert settings.limits == dimse.Limits(associations=32, associations_per_host=8, data_set=2_000_000_000)


def test_the_configuration_with_tls_is_one(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(blocks("toml")[2], encoding="utf-8")
    settings = read_config(tmp_path / "node.toml")
    own = dimse.TLS(key=tmp_path / "archive.key", certificate=tmp_path / "archive.crt", ca=tmp_path / "ca.pem")
    assert settings.tls == replace(own, callers={"ct1": ("CT1",)})
    assert settings.users == tmp_path / "users"
    assert settings.peers == {"STORE": dimse.Address("STORE", "localhost", 2763, own)}


def test_every_command_is_shown() -> None:
    assert [command for command in COMMANDS if f"| `dimse {command}" not in README] == []


def test_the_two_commands_are_what_they_were() -> None:
    """They are run from a clean clone, the second by CI itself; here only that nobody changes them unawares."""
    install, check, *_ = blocks("sh")
    assert install == "python3 -m venv .venv && .venv/bin/pip install '.[cli]' && .venv/bin/dimse demo\n"
    assert check == "sh tests/run.sh\n"
