"""What comes over the network is data: never a path, SQL, a pattern, a template, or a character that steers a log."""

from __future__ import annotations

import ast
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dimse.archive import Archive
from dimse.archive.attributes import ATTRIBUTES, BY_LEVEL, Level
from dimse.data.uids import StudyRootFind, StudyRootMove
from dimse.errors import Refused
from dimse.services.handlers import Services
from dimse.services.sinks import FolderSink
from tests.archive.samples import find, move, sample, store

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for folder in ("dimse", "pdu") for path in (ROOT / folder).rglob("*.py"))
PATTERNS = frozenset({"compile", "match", "fullmatch", "search", "split", "sub", "subn", "findall", "finditer"})
LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
HOSTILE = {
    "sql": "'; DROP TABLE instance; --",
    "quote": '" OR ""="',
    "path": "../../../../tmp/PWN",
    "absolute": "/tmp/PWN",
    "glob": "[a-z]%_[",
    "pattern": "(a+)+$.^{",
    "format": "%s%n%(x)s{0.__class__}{",
    "control": "a\r\nINFO: forged\x1b[2J\0",
    "bidi": "\u202eabc\u2028",
    "parameter": "?1 :a @b $c",
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_patterns_and_templates_are_written_out(path: Path) -> None:
    """The first argument of a function of `re` and of a log, and what `format` and `%` work on, is no value."""
    found = [ast.unparse(node) for node in ast.walk(ast.parse(path.read_text("utf-8"))) if _makes_code_of_data(node)]
    assert found == []


def _makes_code_of_data(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return isinstance(node.left, ast.JoinedStr)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    owner, name = node.func.value, node.func.attr
    if name in ("format", "format_map"):
        return not isinstance(owner, ast.Constant)
    is_pattern = isinstance(owner, ast.Name) and owner.id == "re" and name in PATTERNS
    is_log = isinstance(owner, ast.Name) and owner.id in ("log", "logger", "logging") and name in LEVELS
    return (is_pattern or is_log) and not (node.args and isinstance(node.args[0], ast.Constant))


WRITES = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.link", "os.symlink", "os.rmdir", "sqlite3.connect", "os.truncate"})
_watched: list[tuple[str, str]] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watched is not None and event in WRITES:
        _watched.extend((event, str(argument)) for argument in arguments[:2] if isinstance(argument, str | bytes | Path))


@contextmanager
def watched() -> Iterator[list[tuple[str, str]]]:
    """The paths that Python opens, renames and so on during a block."""
    global _watched  # noqa: PLW0603 - an audit hook stays for ever, so that it looks here whether it is wanted
    if not hasattr(sys, "_wire_data_watch"):
        sys.addaudithook(_watch)
        sys._wire_data_watch = True  # type: ignore[attr-defined]  # one hook for all tests of this process
    seen: list[tuple[str, str]] = []
    _watched = seen
    try:
        yield seen
    finally:
        _watched = None


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_an_archive_of_hostile_values(text: str, tmp_path: Path) -> None:
    """In every attribute of the index, and as every key: found again as what they are, and no path is made of any."""
    given = {a.keyword: text for a in ATTRIBUTES if a.keyword not in ("SOPClassUID", "SOPInstanceUID", "Rows", "Columns")}
    with Archive(tmp_path / "data") as archive:
        services = archive.services()
        store(services, sample("1.2.4"))  # whatever is loaded with the first one is loaded, and the folders are there
        _ask(services, "")
        with watched() as seen:
            assert store(services, sample("1.2.3", **given)) == 0
            _ask(services, text)
        assert archive.counts() == (2, 2, 2, 2)
    assert seen
    for event, path in seen:
        assert path == "r" or Path(path).resolve().is_relative_to(tmp_path), event
        assert "PWN" not in path
    with sqlite3.connect(tmp_path / "data" / "index.db") as index:
        assert index.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = {name for (name,) in index.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    index.close()
    assert tables == {"total", *(level.table for level in Level), *(f"{level.table}_word" for level in Level if level is not Level.IMAGE)}


def _ask(services: Services, text: str) -> None:
    """Every attribute as a key by itself; a key that is no value of its VR is refused."""
    for level, names in ((Level.STUDY, "STUDY"), (Level.SERIES, "SERIES"), (Level.IMAGE, "IMAGE")):
        above = {"StudyInstanceUID": text} if level > Level.STUDY else {}
        above |= {"SeriesInstanceUID": text} if level > Level.SERIES else {}
        for attribute in BY_LEVEL[level] + (BY_LEVEL[Level.PATIENT] if level is Level.STUDY else ()):
            if attribute.vr == "US":
                continue
            try:
                found = find(services, names, StudyRootFind, **{**above, attribute.keyword: text})
            except (Refused, ValueError):
                continue
            assert len(found) <= 2
    with suppress(Refused, ValueError):
        assert len(move(services, "STUDY", StudyRootMove, StudyInstanceUID=text)) <= 1


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_names_that_become_files(text: str, tmp_path: Path) -> None:
    """A SOP Instance UID is checked before it names a file; nothing else ever does."""
    with Archive(tmp_path / "data") as archive, watched() as seen:
        for services in (archive.services(), Services(sink=FolderSink(tmp_path / "in").open)):
            seen.clear()
            for uid in (text, f"1.2.3{text}", f"1.2.3\n{text}", "1.2.3\n", "\uff11.\u0662", "1.2.3/"):
                with pytest.raises(Refused) as caught:
                    store(services, sample(uid))
                assert caught.value.status == 0x0117
            assert seen == []
    assert list((tmp_path / "in").iterdir()) == []
