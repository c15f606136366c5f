"""What a server asks of its process, and gives back."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

import dimse
from dimse.cli.process import DESCRIPTORS, guarded

from .conftest import HOST, During, Run, write_instance

LIMITS = (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)


def test_limits_for_a_time() -> None:
    before = [resource.getrlimit(kind) for kind in LIMITS]
    with guarded():
        assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == resource.RLIM_INFINITY or soft >= min(DESCRIPTORS, hard if hard != resource.RLIM_INFINITY else DESCRIPTORS)
        assert os.umask(0o077) == 0o077
    assert [resource.getrlimit(kind) for kind in LIMITS] == before
    assert [hard for _, hard in before] == [resource.getrlimit(kind)[1] for kind in LIMITS]


def test_what_the_system_does_not_allow_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(kind: int, limits: tuple[int, int]) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    with guarded():
        assert os.umask(0o077) == 0o077


INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [(100, 200, 200), (100, 1_000_000, DESCRIPTORS), (100, INFINITE, DESCRIPTORS), (9999, INFINITE, 9999), (INFINITE, INFINITE, INFINITE)],
)
def test_descriptors_are_raised_as_far_as_they_may_be(soft: int, hard: int, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: asked.append((kind, limits)))
    with guarded():
        pass
    assert asked[:2] == [(resource.RLIMIT_CORE, (0, hard)), (resource.RLIMIT_NOFILE, (wanted, hard))]


def test_what_servers_write_is_their_owners_alone(run: Run, during: During, tmp_path: Path) -> None:
    sent = write_instance(tmp_path / "1", "1.2.1")
    before = os.umask(0o022)
    try:
        for command in (["receive", "-od", tmp_path / "in", 0], ["serve", "--data", tmp_path / "data", "--port", 0]):

            def act(port: int) -> None:
                source = dimse.FileSource(sent)
                with dimse.connect(HOST, port, contexts=dimse.contexts_for([source])) as association:
                    assert association.store(source).ok

            during(act)
            assert run(*command).code == 0
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    files = [path for folder in ("in", "data") for path in (tmp_path / folder, *(tmp_path / folder).rglob("*"))]
    assert any(path.suffix == ".dcm" for path in files)
    assert [path for path in files if path.stat().st_mode & 0o077] == []
