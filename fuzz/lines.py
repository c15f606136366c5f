"""Which lines of some modules have run: the signal that guides the search, and the coverage figure."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import TraceFunction


class Lines:
    """The lines inside the functions of these modules, as far as they have not run yet.

    A function is traced until all its lines have run. That makes an execution two to three times as long, where tracing
    every line for ever would make it six times as long.
    """

    def __init__(self, modules: tuple[str, ...]) -> None:
        self.fresh = 0
        """How many lines have run."""
        codes = {id(code): code for name in modules for code in _functions(importlib.import_module(name))}
        lines = {key: {line for _, _, line in code.co_lines() if line and line != code.co_firstlineno} for key, code in codes.items()}
        self.total = sum(map(len, lines.values()))
        self._codes = codes  # an id is one as long as its object lives
        # By id, because a code object is hashed by all that is in it, at each call of a function.
        self._tracers = {key: self._tracer(key, left) for key, left in lines.items() if left}

    def __enter__(self) -> None:
        """From here on lines of this thread count, and another tool that traces them has to wait."""
        self._outer = sys.gettrace()
        sys.settrace(self._enter)

    def __exit__(self, *exception: object) -> None:
        sys.settrace(self._outer)

    def _enter(self, frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        return self._tracers.get(id(frame.f_code))

    def _tracer(self, key: int, left: set[int]) -> TraceFunction:
        def trace(frame: FrameType, event: str, argument: object) -> TraceFunction | None:
            if frame.f_lineno in left:
                left.remove(frame.f_lineno)
                self.fresh += 1
                if not left:
                    self._tracers.pop(key, None)
            return trace

        return trace


def _functions(module: ModuleType) -> Iterator[CodeType]:
    """The code of all functions that are written in the module, those inside others too."""
    for found in _members(module, module.__name__):
        if found.co_filename == module.__file__:  # and not made by a dataclass
            yield from _inside(found)


def _members(holder: object, module: str) -> Iterator[CodeType]:
    for value in vars(holder).values():
        value = inspect.unwrap(value) if callable(value) else value
        for function in (value, *(getattr(value, name, None) for name in ("__func__", "fget", "func"))):
            if inspect.isfunction(function) and function.__module__ == module:
                yield function.__code__
        if inspect.isclass(value) and value.__module__ == module:
            yield from _members(value, module)


def _inside(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _inside(constant)
