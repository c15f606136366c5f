"""Imports point down only: each floor may import what stands below it, and some modules nowhere but where they belong."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

import dimse

ROOT = Path(__file__).parents[1]
IO = frozenset(
    {"socket", "socketserver", "select", "selectors", "ssl", "asyncio", "threading", "multiprocessing", "concurrent", "subprocess"}
)
CLOCKS = frozenset({"time", "sched", "signal"})
LOGS = frozenset({"logging", "syslog", "warnings"})
LAZY = frozenset({"pydicom"})


@dataclass(frozen=True)
class Floor:
    """One room of the house: its modules (a prefix), the rooms it may import, and foreign modules it must not.

    `only` lists the foreign modules it may import at all; None allows every one that is not forbidden.
    """

    prefix: str
    below: tuple[str, ...]
    forbidden: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    exempt: frozenset[str] = field(default_factory=frozenset)


FLOORS = (
    Floor("pdu", (), only=frozenset({"__future__", "struct", "enum", "operator", "types", "typing", "collections", "dataclasses"})),
    Floor("dimse.errors", ("pdu", "dimse.data"), forbidden=IO | CLOCKS | LOGS | {"sqlite3"}),
    Floor("dimse.data", ("pdu", "dimse.errors"), forbidden=IO | CLOCKS | LOGS | {"sqlite3"}),
    Floor(
        "dimse.association",
        ("pdu", "dimse.errors", "dimse.data"),
        forbidden=IO | CLOCKS | LOGS | {"os", "io", "pathlib", "sqlite3", "pydicom"},
    ),
    Floor(
        "dimse.services",
        ("pdu", "dimse.errors", "dimse.data", "dimse.association"),
        forbidden=IO | CLOCKS | LOGS | {"sqlite3"},
    ),
    # TLS without I/O, and the one module that imports ssl.
    Floor(
        "dimse.tls",
        ("dimse.errors", "dimse.services"),
        forbidden=(IO - {"ssl"}) | CLOCKS | LOGS | {"sqlite3", "pydicom"},
    ),
    Floor(
        "dimse.sockets",
        ("pdu", "dimse.errors", "dimse.association", "dimse.services", "dimse.tls"),
        forbidden=frozenset({"ssl", "asyncio", "threading", "sqlite3", "pydicom"}),
    ),
    Floor(
        "dimse.blocking",
        ("pdu", "dimse.errors", "dimse.data", "dimse.association", "dimse.services", "dimse.sockets", "dimse.server"),
        forbidden=frozenset({"ssl", "asyncio", "sqlite3", "pydicom"}),
    ),
    # The same front as provider.
    Floor(
        "dimse.server",
        ("dimse.errors", "dimse.services", "dimse.sockets"),
        forbidden=frozenset({"ssl", "asyncio", "sqlite3", "pydicom"}),
    ),
    Floor(
        "dimse.streams",
        ("dimse.errors", "dimse.association", "dimse.services", "dimse.tls"),
        forbidden=frozenset({"ssl", "threading", "sqlite3", "pydicom"}),
    ),
    Floor(
        "dimse.aio",
        ("pdu", "dimse.errors", "dimse.data", "dimse.association", "dimse.services", "dimse.streams"),
        forbidden=frozenset({"ssl", "sqlite3", "pydicom"}),
    ),
    Floor(
        "dimse.archive",
        ("pdu", "dimse.errors", "dimse.data", "dimse.association", "dimse.services"),
        forbidden=frozenset({"socket", "ssl", "asyncio", "select", "selectors"}),
    ),
    # Its clock is the wall's: the lines of a trace have times.
    Floor(
        "dimse.tracing",
        ("pdu", "dimse.errors", "dimse.data", "dimse.association"),
        forbidden=(IO - {"threading"}) | CLOCKS | LOGS | {"sqlite3", "pydicom"},
    ),
    # A client of its own that trusts nobody: bytes over plain sockets, and none of the fronts' manners.
    Floor(
        "dimse.judge",
        ("pdu", "dimse.errors", "dimse.data", "dimse.association", "dimse.services"),
        forbidden=frozenset({"ssl", "asyncio", "sqlite3", "pydicom"}) | LOGS,
    ),
    Floor(
        "dimse.cli",
        (
            "pdu",
            "dimse",
            "dimse.errors",
            "dimse.data",
            "dimse.association",
            "dimse.services",
            "dimse.tls",
            "dimse.blocking",
            "dimse.server",
            "dimse.aio",
            "dimse.archive",
            "dimse.judge",
            "dimse.tracing",
        ),
    ),
    Floor("dimse.__main__", ("dimse.cli",)),
    # The package itself hands out the public names of all but the command line (asyncio and sqlite3 only when asked for).
    Floor(
        "dimse",
        (
            "pdu",
            "dimse.errors",
            "dimse.data",
            "dimse.association",
            "dimse.services",
            "dimse.tls",
            "dimse.sockets",
            "dimse.streams",
            "dimse.blocking",
            "dimse.server",
            "dimse.aio",
            "dimse.archive",
            "dimse.tracing",
        ),
        forbidden=frozenset({"asyncio", "sqlite3"}),
    ),
)


@dataclass(frozen=True)
class Import:
    """One imported module: its full name, where, and whether the import runs when the importing module is loaded."""

    name: str
    line: int
    at_load: bool


def test_every_module_belongs_to_a_floor() -> None:
    assert [name for name in _modules() if _floor_of(name) is None] == []


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: floor.prefix)
def test_floor_imports_only_what_is_below(floor: Floor) -> None:
    wrong = [
        f"{_modules()[module]}:{found.line}: {module} imports {found.name}"
        for module in _modules()
        if _floor_of(module) is floor
        for found in _imports(module)
        if not _allowed(floor, found)
    ]
    assert wrong == []


@pytest.mark.parametrize("lazy", sorted(LAZY | {"rich"}))
def test_heavy_modules_are_imported_inside_functions_only(lazy: str) -> None:
    wrong = [
        f"{path}:{found.line}: {module} imports {found.name} when it is loaded"
        for module, path in _modules().items()
        for found in _imports(module)
        if found.at_load and found.name.split(".")[0] == lazy
    ]
    assert wrong == []


def test_dataclasses_are_those_of_pdu_values() -> None:
    """`dataclasses` loads inspect and compiles whatever it makes; only what a client command does not load may import it at once."""
    at_once = {module for module in _modules() for found in _imports(module) if found.at_load and found.name == "dataclasses"}
    assert at_once == {"dimse.archive.options", "dimse.archive.repair", "dimse.cli.reindex", "dimse.tracing.describe"}


def test_the_reader_of_imports_sees_every_form() -> None:
    source = """
import os.path, pydicom
from . import sibling
from .. import blocking as b
from ..data.uids import UID
if TYPE_CHECKING:
    import rich
def f():
    from pydicom.uid import UID
    return lambda: __import__("socket")
"""
    found = {
        (i.name, i.at_load)
        for i in _read_imports(ast.parse(source), "dimse.services", is_package=True, known=frozenset({"dimse.blocking"}))
    }
    assert found == {
        ("os.path", True),
        ("pydicom", True),
        ("dimse.services", True),
        ("dimse.blocking", True),
        ("dimse.data.uids", True),
        ("rich", False),
        ("pydicom.uid", False),
        ("socket", False),
    }


SLOW = frozenset(
    {"ast", "asyncio", "dataclasses", "hashlib", "inspect", "logging", "pydicom", "rich", "sqlite3", "ssl", "subprocess", "threading"}
    | {"tokenize", "traceback", "dimse.archive", "dimse.server", "dimse.services.reception", "dimse.services.scp", "dimse.tracing"}
)
"""What no client needs, at its start at least."""
ELSEWHERE = SLOW | frozenset(
    {"argparse", "ipaddress", "locale", "mmap", "pathlib", "re", "shutil", "typing", "urllib", "zlib"}
    | {"dimse.data.datasets", "dimse.data.protocols", "dimse.services.handlers", "dimse.services.recoding", "dimse.services.rights"}
    | {"dimse.services.security", "dimse.services.users"}
)
"""What sending files as they are needs nothing of."""
UNNEEDED = ELSEWHERE | frozenset({"dimse.data.sources", "dimse.services.conversion"})
"""What asking whether a peer is there needs nothing of."""
SAMPLE = get_testdata_file("CT_small.dcm")
STARTS = {
    # program: what it does not load, and how many of our modules it does
    "import dimse": (UNNEEDED, 1),
    "import pdu": (UNNEEDED, 10),
    "import dimse; dimse.connect": (UNNEEDED, 31),
    "from dimse.cli import main; main(['echo', '127.0.0.1', 'PORT'])": (UNNEEDED, 39),
    "import dimse.cli.find": (SLOW, 50),
    "import dimse.cli.move": (SLOW, 50),
    "import dimse.cli.get": (SLOW, 60),
    f"from dimse.cli import main; main(['send', '127.0.0.1', 'PORT', {SAMPLE!r}])": (ELSEWHERE, 48),
    "import dimse.cli.receive": (frozenset({"asyncio", "dataclasses", "inspect", "pydicom", "sqlite3", "ssl", "dimse.archive"}), 80),
}
"""At PORT there is a provider."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = dimse.Server("ANY-SCP", dimse.Services(store=lambda request, data: 0))
    _, port = server.listen()
    with server:
        yield port


@pytest.mark.parametrize("program", STARTS)
def test_a_start_loads_what_it_needs(program: str, port: int) -> None:
    done = _alone(f"before = set(sys.modules); {program.replace('PORT', str(port))}; print(*(set(sys.modules) - before))")
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    ours = sorted(name for name in loaded if name.split(".")[0] in ("pdu", "dimse"))
    unneeded, most = STARTS[program]
    assert loaded & unneeded == set()
    assert 0 < len(ours) <= most, (ours, done.stderr)


def test_a_start_and_an_end_collect_no_cycles(port: int) -> None:
    """The program is not looked through for garbage while it is loaded, and of what it left at its end nothing is."""
    text = """
import gc
sys.argv = ["dimse", "echo", "127.0.0.1", "PORT"]
collections = lambda: sum(generation["collections"] for generation in gc.get_stats())
from dimse.__main__ import main
before = collections()
main()
print(gc.isenabled(), collections() - before, len(gc.get_objects()) < gc.get_freeze_count() / 100)
"""
    assert _alone(text.replace("PORT", str(port))).stdout.splitlines()[-1] == "True 0 True"


def _alone(program: str) -> subprocess.CompletedProcess[str]:
    """Runs a program without what an environment's .pth files load, and without coverage, whose measuring itself loads sqlite3."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    text = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"
    return subprocess.run([sys.executable, "-I", "-S", "-c", text], capture_output=True, text=True, timeout=60, check=False, env=bare)


def _allowed(floor: Floor, found: Import) -> bool:
    top = found.name.split(".")[0]
    if top in ("pdu", "dimse"):
        target = _floor_of(found.name)
        return target is not None and (target is floor or target.prefix in floor.below)
    if top in floor.forbidden:
        return False
    return floor.only is None or top in floor.only


def _floor_of(module: str) -> Floor | None:
    """The floor with the longest prefix that the module lies in; plain `dimse` is the package file alone."""
    fits = [f for f in FLOORS if module == f.prefix or (f.prefix != "dimse" and module.startswith(f.prefix + "."))]
    return max(fits, key=lambda f: len(f.prefix), default=None)


def _modules() -> dict[str, Path]:
    """All modules of the house by full name."""
    found = {}
    for top in ("pdu", "dimse"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.relative_to(ROOT)
    return found


def _imports(module: str) -> list[Import]:
    path = ROOT / _modules()[module]
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return list(_read_imports(tree, module, is_package=path.name == "__init__.py", known=frozenset(_modules())))


def _read_imports(tree: ast.AST, module: str, *, is_package: bool, known: frozenset[str], at_load: bool = True) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield Import(full if full in known else base, node.lineno, at_load)
        elif isinstance(node, ast.Call) and _is_import_call(node):
            argument = node.args[0] if node.args else None
            name = argument.value if isinstance(argument, ast.Constant) else "a computed name"
            yield Import(str(name), node.lineno, False)
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_type_checking(node)
        yield from _read_imports(node, module, is_package=is_package, known=known, at_load=at_load and not later)


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if node.level == 0:
        return node.module or ""
    parts = module.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def _is_import_call(node: ast.Call) -> bool:
    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
    return name in ("__import__", "import_module")


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
