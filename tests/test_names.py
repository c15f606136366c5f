"""The public names of `dimse`: one table says where they come from, and what reads the table has to agree."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import dimse
import dimse.data.protocols
import dimse.data.sources

ROOT = Path(__file__).parents[1]
TABLE = [(module, name) for module, names in dimse.PLACES.items() for name in names.split()]


def test_the_table_the_list_and_what_type_checkers_see_are_the_same() -> None:
    """Where they differ, a name is missing at run time, or to type checkers, or in `import *`."""
    tree = ast.parse(Path(dimse.__file__).read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [(node.module, alias.name) for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(TABLE) == sorted((module, name) for module, name in imports if module != "dimse")
    assert sorted(dimse.MODULES) == sorted(name for module, name in imports if module == "dimse")
    assert sorted(dimse.__all__) == sorted(name for _, name in TABLE)
    assert set(dimse.__all__) | set(dimse.MODULES) | {"__version__"} <= set(dir(dimse))


@pytest.mark.parametrize(("module", "name"), TABLE)
def test_names_are_those_of_their_modules(module: str, name: str) -> None:
    vars(dimse).pop(name, None)
    assert getattr(dimse, name) is getattr(import_module(module), name)
    assert vars(dimse)[name] is getattr(dimse, name)  # it is looked up once


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        getattr(dimse, "nonsense")  # noqa: B009
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        getattr(dimse.blocking, "nonsense")  # noqa: B009
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        getattr(dimse.data.sources, "nonsense")  # noqa: B009


def test_what_is_elsewhere_now_may_be_named_as_before() -> None:
    assert dimse.blocking.Server is dimse.Server
    assert dimse.data.sources.Source is dimse.Source
    assert dimse.data.sources.Reading is dimse.data.protocols.Reading


@pytest.mark.parametrize("module", dimse.MODULES)
def test_modules_are_attributes_without_having_been_imported(module: str) -> None:
    program = f"import sys; sys.path[:0] = {sys.path!r}; import dimse; print(dimse.{module}.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == f"dimse.{module}\n", done.stderr


def test_importing_the_package_imports_no_floor() -> None:
    program = f"import sys; sys.path[:0] = {sys.path!r}; import dimse; print([name for name in sys.modules if name.startswith('dimse.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
