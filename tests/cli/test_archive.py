"""`dimse check` and `dimse reindex`, and how `dimse serve` is told to keep what it has."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

import dimse
from dimse.archive import Archive
from dimse.cli.arguments import size
from dimse.cli.config import read_config
from dimse.cli.failures import Failure
from dimse.cli.keeping import Keeping
from dimse.cli.serve import node_of, parser
from tests.archive.samples import sample, store

from .conftest import HOST, During, Run, Said, write_instance

UIDS = ("1.2.1", "1.2.2", "1.2.3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data folder of an archive that has three instances, and is closed."""
    with Archive(tmp_path / "data", durability="relaxed") as archive:
        for uid in UIDS:
            store(archive.services(), sample(uid))
    return tmp_path / "data"


def place(folder: Path, uid: str) -> Path:
    with Archive(folder) as archive:
        return archive.path_of(uid)


def test_check_finds_nothing_wrong(run: Run, folder: Path) -> None:
    assert run("check", folder) == Said(0, "3 instances checked, nothing wrong\n", "")
    said = run("check", "--json", folder)
    assert json.loads(said.out) == {"checked": 3, "wrong": 0, "quarantined": 0}


def test_check_names_what_is_wrong(run: Run, folder: Path) -> None:
    missing, changed = place(folder, "1.2.1"), place(folder, "1.2.2")
    missing.unlink()
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    (folder / "quarantine" / "other.dcm").write_bytes(b"of somebody")
    (folder / "objects" / "ab" / "note.txt").write_text("not an instance")
    said = run("check", folder)
    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[0] == f"1.2.1: its file is missing: {missing}"
    assert lines[1] == f"1.2.2: the file is no longer what was stored: its SHA-256 is another: {changed}"
    assert lines[2].startswith("unknown UID: its head cannot be read: not a DICOM file")
    assert lines[3:] == ["3 instances checked, 3 wrong, 1 file in quarantine"]
    said = run("check", "--json", folder)
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [(each.get("finding"), each.get("uid")) for each in found[:-1]] == [
        ("missing", "1.2.1"),
        ("changed", "1.2.2"),
        ("unreadable", None),
    ]
    assert found[-1] == {"checked": 3, "wrong": 3, "quarantined": 1}


@pytest.mark.parametrize("command", ["check", "reindex"])
def test_only_of_an_archive_that_is_there_and_not_running(run: Run, folder: Path, tmp_path: Path, command: str) -> None:
    said = run(command, tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "is no data folder of an archive" in said.err
    with Archive(folder):
        said = run(command, folder)
    assert (said.code, said.out) == (2, "")
    assert "in use by another running archive" in said.err
    assert not (tmp_path / "objects").exists()


def test_check_of_an_archive_without_an_index_and_reindex(run: Run, folder: Path) -> None:
    (folder / "index.db").unlink()
    said = run("check", folder)
    assert said.code == 1
    assert "it was missing; 'dimse reindex' makes it anew" in said.out
    assert run("reindex", folder) == Said(0, "the index was made anew from 3 files (it was missing)\n", "")
    assert run("check", folder).code == 0
    assert json.loads(run("reindex", "--json", folder).out)["adopted"] == 3


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("4096", 4096), ("500 GB", 500_000_000_000), ("2TiB", 2 << 40), ("1.5 kB", 1500), ("0", 0), ("3 m", 3_000_000), ("7B", 7)],
)
def test_sizes(text: str, bytes_: int) -> None:
    assert size(text) == bytes_


@pytest.mark.parametrize("text", ["", "GB", "-1", "1.2.3", "5 parsecs", "1e9", "٣ GB", "9" * 30, ".5 GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no size"):
        size(text)


def test_how_serve_is_told(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text('[node]\ndurability = "relaxed"\nduplicates = "replace"\nquota = "500 GB"\nreserve = 4096\n')
    assert read_config(config).keeping == Keeping("relaxed", "replace", 500_000_000_000, 4096)
    node = node_of(parser().parse(["--config", str(config), "--durability", "full", "--quota", "1GiB"]))
    assert node.keeping == Keeping("full", "replace", 1 << 30, 4096)
    assert node_of(parser().parse(["--duplicates", "replace"])).keeping == Keeping(duplicates="replace")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('durability = "fast"', "node.durability must be 'full' or 'relaxed', not 'fast'"),
        ("duplicates = 1", "node.duplicates must be a text"),
        ('quota = "much"', "node.quota: 'much' is no size"),
        ("quota = true", "node.quota must be a size, not True"),
        ("reserve = 0.5", "node.reserve must be a size, not 0.5"),
        ("reserve = -1", "node.reserve: '-1' is no size"),
    ],
)
def test_what_serve_cannot_be_told(tmp_path: Path, line: str, error: str) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f"[node]\n{line}\n")
    with pytest.raises(Failure, match=error):
        read_config(config)


def test_serve_says_what_is_unsafe(run: Run, during: During, tmp_path: Path) -> None:
    statuses = []

    def act(port: int) -> None:
        source = dimse.FileSource(write_instance(tmp_path / "1", "1.2.1"))
        with dimse.connect(HOST, port, contexts=dimse.contexts_for([source])) as association:
            statuses.append(association.store(source))

    during(act)
    said = run("serve", "--data", tmp_path / "data", "--durability", "relaxed", "--quota", "1 kB", "--port", 0)
    assert said.code == 0
    assert f"data in {tmp_path / 'data'} (at most 1 kB, UNSAFE durability: a power cut may lose what was answered 0000H)" in said.out
    assert [int(status) for status in statuses] in ([0], [0xA700])
