"""`dataclass` as the standard library has it, for programs whose work takes less time than importing that.

`dataclasses` imports inspect, ast and tokenize, and compiles six functions for each class. Here the methods are plain functions
and closures, and the one that has to be fast, `__init__`, is compiled when there are more than a few instances. To everybody else it
is the same: type checkers see the standard decorator, and `dataclasses.fields`, `asdict` and `replace`, pickle, copy, help() and
`match` take these classes for what they look like. Left out are ordering, InitVar, KW_ONLY, and
metadata of fields. Annotations are text (`from __future__ import annotations`).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from types import FunctionType, MemberDescriptorType, MethodType

from .typed import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["dataclass", "field", "replace"]

MISSING = object()
FIELDS = "__value_fields__"
"""Where a class keeps its fields, those of its bases first."""
FEW = 30
"""Instances that are filled in the time that it takes to compile an `__init__` (0.1 ms)."""


class Field:
    """One field: what `field` says of it, what its class says of all its fields, and its annotation."""

    __slots__ = ("annotation", "compare", "default", "default_factory", "init", "kw_only", "name", "repr")

    def __init__(
        self,
        *,
        default: object = MISSING,
        default_factory: Callable[[], object] | None = None,
        init: bool = True,
        repr: bool = True,
        compare: bool = True,
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.name, self.annotation, self.kw_only = "", "", False

    @property
    def parameter(self) -> str:
        """The field in the parameter list of `__init__`."""
        if self.default is not MISSING:
            return f"{self.name}=default_{self.name}"
        return f"{self.name}=MISSING" if self.default_factory else self.name

    @property
    def value(self) -> str:
        """The expression in `__init__` that is the field's value; empty if it gets none there."""
        if self.default_factory:
            return f"{self.name} if {self.name} is not MISSING else make_{self.name}()" if self.init else f"make_{self.name}()"
        if self.init:
            return self.name
        return "" if self.default is MISSING else f"default_{self.name}"


def decorator(
    cls: type[T] | None = None, /, *, frozen: bool = False, slots: bool = False, repr: bool = True, kw_only: bool = False
) -> type[T] | Callable[[type[T]], type[T]]:
    """`dataclass`, bare or with options. What the body of the class defines itself stays as it is."""

    def decorate(cls: type[T]) -> type[T]:
        fields = _fields(cls, kw_only)
        positional = tuple([f.name for f in fields.values() if f.init and not f.kw_only])
        initializer = _Initializer(positional)
        methods = {
            FIELDS: tuple(fields.values()),
            "__match_args__": positional,
            "__init__": initializer,
            "__replace__": changed,
            "__dataclass_fields__": _Standard("__dataclass_fields__"),
            "__dataclass_params__": _Standard("__dataclass_params__"),
            **_equality([f.name for f in fields.values() if f.compare], frozen),
            **({"__repr__": _shown} if repr else {}),
            **({"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete} if frozen else {}),
            **({"__getstate__": _state, "__setstate__": _set_state} if slots else {}),
        }
        # Python itself writes None for the __hash__ of a class that has an __eq__.
        methods = {name: method for name, method in methods.items() if vars(cls).get(name) is None}
        initializer.owner = made = _with_slots(cls, fields, methods) if slots else _with_attributes(cls, fields, methods)
        return made

    return decorate if cls is None else decorate(cls)


def changed(value: T, /, **changes: object) -> T:
    """`replace`: a copy of a value with other values in some fields."""
    for f in _of(value):
        if f.init:
            changes.setdefault(f.name, getattr(value, f.name))
        elif f.name in changes:
            raise ValueError(f"{f.name} is not given to __init__, and so cannot be replaced")
    make: Callable[..., T] = type(value)
    return make(**changes)


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = decorator, Field, changed


class _Initializer:
    """The `__init__` of a class while it has few instances; then, and for whoever looks at it, it puts a compiled one in its place."""

    owner: type

    def __init__(self, positional: tuple[str, ...]) -> None:
        self._positional = positional
        self._filled = 0

    def __get__(self, instance: object, owner: type) -> object:
        if instance is not None and self._filled < FEW:
            self._filled += 1
            return MethodType(self._fill, instance)
        return self._compile().__get__(instance, owner)

    def _fill(self, instance: object, /, *values: object, **named: object) -> None:
        """What the compiled one does, which is left to say what is wrong with its arguments."""
        given = dict(zip(self._positional, values, strict=False))
        wrong = len(given) < len(values) or not given.keys().isdisjoint(named)
        given |= named
        for f in _of(self.owner):
            if f.init and f.name in given:
                object.__setattr__(instance, f.name, given.pop(f.name))
            elif f.default is not MISSING:
                object.__setattr__(instance, f.name, f.default)
            elif f.default_factory:
                object.__setattr__(instance, f.name, f.default_factory())
            else:
                wrong = wrong or f.init
        if wrong or given:
            self._compile()(instance, *values, **named)
        elif hasattr(self.owner, "__post_init__"):  # one of a class below, which is not decorated, is none of this
            getattr(instance, "__post_init__")()  # noqa: B009

    def _compile(self) -> FunctionType:
        compiled = _compiled(self.owner)
        type.__setattr__(self.owner, "__init__", compiled)
        return compiled


class _Standard:
    """What `dataclasses` keeps on a class, made by `dataclasses` itself: only who has imported it asks for that."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> object:
        import dataclasses

        cls = next(cls for cls in owner.__mro__ if FIELDS in vars(cls))
        fields = []
        for f in _of(cls):
            said = dataclasses.field(init=f.init, repr=f.repr, compare=f.compare, kw_only=f.kw_only)
            said.default = dataclasses.MISSING if f.default is MISSING else f.default
            said.default_factory = f.default_factory or dataclasses.MISSING
            fields.append((f.name, f.annotation, said))
        twin = dataclasses.make_dataclass(cls.__name__, fields, frozen="__setattr__" in vars(cls))
        found: object = getattr(twin, self._name)
        type.__setattr__(cls, self._name, found)
        return found


def _fields(cls: type, kw_only: bool) -> dict[str, Field]:
    """The fields of the bases and those that the body of the class announces, in order."""
    fields: dict[str, Field] = {f.name: f for base in reversed(cls.__mro__[1:]) for f in vars(base).get(FIELDS, ())}
    for name, annotation in cls.__annotations__.items():
        if not annotation.startswith("ClassVar"):
            default = vars(cls).get(name, MISSING)
            fields[name] = own = default if isinstance(default, Field) else Field(default=default)
            own.name, own.annotation, own.kw_only = name, annotation, kw_only
    return fields


def _of(value: object) -> tuple[Field, ...]:
    """The fields of a value, or of a class."""
    fields: tuple[Field, ...] = getattr(value, FIELDS)
    return fields


def _with_attributes(cls: type[T], fields: dict[str, Field], methods: dict[str, object]) -> type[T]:
    """The class itself, with the methods and the defaults as attributes."""
    for name in [name for name, value in vars(cls).items() if isinstance(value, Field)]:
        if fields[name].default is MISSING:
            type.__delattr__(cls, name)
        else:
            type.__setattr__(cls, name, fields[name].default)
    for name, method in methods.items():
        type.__setattr__(cls, name, method)
    return cls


def _with_slots(cls: type[T], fields: dict[str, Field], methods: dict[str, object]) -> type[T]:
    """The class made anew, with slots: a class cannot be given them later, and the methods as well."""
    own = [name for name in cls.__annotations__ if name in fields]
    inherited = {f.name for base in cls.__mro__[1:] for f in vars(base).get(FIELDS, ())}
    namespace = {name: value for name, value in vars(cls).items() if name not in (*own, "__dict__", "__weakref__")}
    namespace |= {"__slots__": tuple([name for name in own if name not in inherited]), **methods}
    meta: Callable[..., type[T]] = type(cls)
    made = meta(cls.__name__, cls.__bases__, namespace)
    made.__qualname__ = cls.__qualname__
    return made


def _compiled(cls: type) -> FunctionType:
    """The `__init__` that the fields ask for. A slot is set by its own descriptor, which takes half the time of any other way."""
    fields = sorted(_of(cls), key=attrgetter("kw_only"))
    names: dict[str, object] = {"set_attribute": object.__setattr__, "MISSING": MISSING}
    lines = []
    for f in fields:
        slot = getattr(cls, f.name, None)
        names |= {f"default_{f.name}": f.default, f"make_{f.name}": f.default_factory}
        if isinstance(slot, MemberDescriptorType):
            names[f"set_{f.name}"] = slot.__set__
            lines += [f"set_{f.name}(self, {f.value})"] if f.value else []
        else:
            lines += [f"set_attribute(self, {f.name!r}, {f.value})"] if f.value else []
    lines += ["self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    plain = [f.parameter for f in fields if f.init and not f.kw_only]
    named = [f.parameter for f in fields if f.init and f.kw_only]
    head = ", ".join(["self", *plain, *(["*", *named] if named else [])])
    exec(f"def __init__({head}):\n  " + "\n  ".join(lines or ["pass"]), names)
    function = names["__init__"]
    assert isinstance(function, FunctionType)
    function.__qualname__, function.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    function.__annotations__ = {f.name: f.annotation for f in fields if f.init} | {"return": None}
    return function


def _equality(names: list[str], frozen: bool) -> dict[str, object]:
    """`__eq__` by the values of these fields, among instances of the very same class, and `__hash__` with it."""
    values: Callable[[object], object] = attrgetter(*names) if names else lambda value: ()

    def equal(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: object) -> int:
        return hash(values(self))

    return {"__eq__": equal, "__hash__": hashed if frozen else None}


def _shown(self: object) -> str:
    """`__repr__`."""
    return f"{type(self).__qualname__}({', '.join([f'{f.name}={getattr(self, f.name)!r}' for f in _of(self) if f.repr])})"


def _refuse_to_set(self: object, name: str, value: object) -> None:
    """`__setattr__` of a frozen class."""
    _refuse(self, name, "assign to")
    object.__setattr__(self, name, value)


def _refuse_to_delete(self: object, name: str) -> None:
    """`__delattr__` of a frozen class."""
    _refuse(self, name, "delete")
    object.__delattr__(self, name)


def _refuse(self: object, name: str, what: str) -> None:
    """Raises `FrozenInstanceError`; not for what a class below, which is not decorated, has besides the fields."""
    if FIELDS in vars(type(self)) or name in [f.name for f in _of(self)]:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot {what} field {name!r}")


def _state(self: object) -> list[object]:
    """What pickle and copy keep of an instance with slots."""
    return [getattr(self, f.name) for f in _of(self)]


def _set_state(self: object, state: list[object]) -> None:
    for f, value in zip(_of(self), state, strict=True):
        object.__setattr__(self, f.name, value)
