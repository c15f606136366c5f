"""`pdu.values` beside `dataclasses`: the same class bodies, decorated by both, have to behave alike."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

import pytest

import dimse
import pdu
from pdu import values


def plain(by: Any) -> type:
    @by.dataclass(frozen=True, slots=True)
    class Point:
        """A point."""

        x: int
        y: int = 2
        names: tuple[str, ...] = ()

    return Point


def unslotted(by: Any) -> type:
    @by.dataclass(frozen=True)
    class Open:
        kind: ClassVar[str] = "open"
        encoded: bytes = by.field(repr=False)
        given: int = by.field(default=3, repr=False)
        made: list[int] = by.field(default_factory=list)

    return Open


def factories(by: Any) -> type:
    @by.dataclass(frozen=True, slots=True)
    class Collected:
        seen: dict[str, int] = by.field(default_factory=dict)
        hidden: frozenset[int] = by.field(default_factory=frozenset, repr=False, compare=False)

    return Collected


def computed(by: Any) -> type:
    @by.dataclass(frozen=True, slots=True)
    class Computed:
        x: int
        twice: int = by.field(init=False)
        three: int = by.field(init=False, default=3)
        fresh: list[int] = by.field(init=False, default_factory=list)
        never: int = by.field(init=False, repr=False, compare=False, default=0)

        def __post_init__(self) -> None:
            object.__setattr__(self, "twice", 2 * self.x)

    return Computed


def named(by: Any) -> type:
    @by.dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        x: int = 1
        y: int

    return Named


def derived(by: Any) -> type:
    class Root:
        __slots__ = ()

        clause: ClassVar[str]

    @by.dataclass(frozen=True, slots=True)
    class Base(Root):
        clause = "9.3"
        longest: ClassVar[int] = 4

        x: int
        y: int = 5

        def total(self) -> int:
            return self.x + self.y

    @by.dataclass(frozen=True, slots=True)
    class Derived(Base):
        y: int = 6
        z: str = "z"

    return Derived


def mixed(by: Any) -> type:
    @by.dataclass(frozen=True, slots=True, kw_only=True)
    class Base:
        x: int = 1

    @by.dataclass(frozen=True, slots=True)
    class Mixed(Base):
        y: int

    return Mixed


def inherited(by: Any) -> type:
    class Heir(plain(by)):  # type: ignore[misc]  # a class made at run time
        """Not decorated."""

    return Heir


def empty(by: Any) -> type:
    @by.dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    return Nothing


def own_methods(by: Any) -> type:
    @by.dataclass(frozen=True, slots=True, repr=False)
    class Own:
        x: int
        y: int = 0

        def __repr__(self) -> str:
            return f"<{self.x}>"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own) and self.x == other.x

        def __hash__(self) -> int:
            return 7

    return Own


def own_equality(by: Any) -> type:
    @by.dataclass(frozen=True, slots=True)
    class Alike:  # noqa: PLW1641
        x: int
        y: int = 0

        def __eq__(self, other: object) -> bool:
            return repr(self) == repr(other)

    return Alike


def mutable(by: Any) -> type:
    @by.dataclass(slots=True)
    class Mutable:
        x: int
        y: list[int] = by.field(default_factory=list)

    return Mutable


def bare(by: Any) -> type:
    @by.dataclass
    class Bare:
        x: int
        y: int = 0

    return Bare


BODIES = (plain, unslotted, factories, computed, named, derived, mixed, inherited, empty, own_methods, own_equality, mutable, bare)
CALLS: tuple[tuple[tuple[object, ...], dict[str, object]], ...] = (
    ((), {}),
    ((1,), {}),
    ((1, 2), {}),
    ((1, 3), {}),
    ((1, 2, 3, 4), {}),
    ((), {"x": 1}),
    ((), {"y": 2}),
    ((), {"x": 1, "y": 2}),
    ((1,), {"y": 4}),
    ((1,), {"x": 1}),
    ((), {"encoded": b"1", "made": [1]}),
    ((), {"seen": {"a": 1}}),
    ((1,), {"nonsense": 1}),
)


def outcome(call: Callable[..., object], *args: object, **kwargs: object) -> object:
    """What a call comes to, with an exception as its type and text."""
    try:
        return call(*args, **kwargs)
    except Exception as error:
        return type(error), str(error)


def instances(body: Callable[[Any], type]) -> list[tuple[Any, Any]]:
    """The instances that the calls make of both classes, where they make any."""
    ours, standard = body(values), body(dataclasses)
    made = [(outcome(ours, *args, **kwargs), outcome(standard, *args, **kwargs)) for args, kwargs in CALLS]
    return [(own, other) for own, other in made if isinstance(own, ours)]


both = pytest.mark.parametrize("body", BODIES)


@both
def test_the_same_calls_make_the_same_instances(body: Callable[[Any], type]) -> None:
    ours, standard = body(values), body(dataclasses)
    made = [(outcome(ours, *args, **kwargs), outcome(standard, *args, **kwargs)) for args, kwargs in CALLS]
    assert [repr(own) for own, _ in made] == [repr(other) for _, other in made]
    assert any(isinstance(own, ours) for own, _ in made)


@both
def test_classes_look_the_same(body: Callable[[Any], type]) -> None:
    ours, standard = body(values), body(dataclasses)
    assert inspect.signature(ours) == inspect.signature(standard) or "factory" in str(inspect.signature(standard))
    for name in ("__match_args__", "__slots__", "__qualname__", "__module__", "__annotations__"):
        assert outcome(getattr, ours, name) == outcome(getattr, standard, name)
    initializers = [getattr(cls, "__init__") for cls in (ours, standard)]  # noqa: B009
    assert inspect.getfullargspec(initializers[0]).args == inspect.getfullargspec(initializers[1]).args
    assert initializers[0].__annotations__ == initializers[1].__annotations__


@both
def test_equality_and_hashes(body: Callable[[Any], type]) -> None:
    pairs = instances(body)
    for own, other in pairs:
        assert [own == peer for peer, _ in pairs] == [other == peer for _, peer in pairs]
        assert (own == (1, 2)) == (other == (1, 2))
        assert (own == other) == (other == own)
        mine, theirs = outcome(hash, own), outcome(hash, other)
        assert isinstance(mine, int) == isinstance(theirs, int)
        assert isinstance(mine, int) or mine == theirs
        assert all(hash(own) == hash(peer) for peer, _ in pairs if isinstance(mine, int) and own == peer)


@both
def test_attributes_are_set_and_deleted_where_they_may_be(body: Callable[[Any], type]) -> None:
    for own, other in instances(body):
        for name in [f.name for f in dataclasses.fields(other)]:
            assert outcome(setattr, own, name, 9) == outcome(setattr, other, name, 9)
            assert outcome(delattr, own, name) == outcome(delattr, other, name)
            assert repr(outcome(getattr, own, name)) == repr(outcome(getattr, other, name))


@both
def test_dataclasses_takes_them_for_its_own(body: Callable[[Any], type]) -> None:
    ours, standard = body(values), body(dataclasses)
    said = ("name", "type", "default", "default_factory", "init", "repr", "compare", "hash", "kw_only")
    assert dataclasses.is_dataclass(ours)
    seen = [[getattr(f, name) for name in said] for f in dataclasses.fields(ours)]
    assert seen == [[getattr(f, name) for name in said] for f in dataclasses.fields(standard)]
    assert dataclasses.fields(ours) is not None
    assert getattr(ours, "__dataclass_params__").frozen == getattr(standard, "__dataclass_params__").frozen  # noqa: B009
    for own, other in instances(body):
        assert dataclasses.asdict(own) == dataclasses.asdict(other)
        assert dataclasses.astuple(own) == dataclasses.astuple(other)


@both
@pytest.mark.parametrize("changes", [{}, {"x": 8}, {"y": 9}, {"twice": 1}, {"nonsense": 1}, {"made": [4]}])
def test_replace(body: Callable[[Any], type], changes: dict[str, object]) -> None:
    for own, other in instances(body):
        expected = outcome(dataclasses.replace, other, **changes)
        for replace in (values.replace, dataclasses.replace, type(own).__replace__):
            found = outcome(replace, own, **changes)
            assert repr(found) == repr(expected) or found == (ValueError, "twice is not given to __init__, and so cannot be replaced")
            assert isinstance(found, tuple) == isinstance(expected, tuple)


@both
def test_copies(body: Callable[[Any], type]) -> None:
    for own, _ in instances(body):
        for copied in (copy.copy(own), copy.deepcopy(own)):
            assert copied == own
            assert copied is not own
            assert repr(copied) == repr(own)


def test_pickles() -> None:
    for value in (pdu.PDV(1, True, False, b"1"), pdu.ReleaseRQ(), pdu.UserIdentityRQ(2, b"a", b"b")):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(value, protocol)) == value


def test_match_by_position_and_name() -> None:
    match pdu.PDV(1, True, False, b"1"):
        case pdu.PDV(id, True, is_last=last, data=data):
            assert (id, last, data) == (1, False, b"1")
        case _:
            raise AssertionError("not matched")


def test_a_standard_dataclass_may_derive_from_one() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Dated(pdu.PDV):
        date: str = ""

    dated = Dated(1, True, False, b"1", "2026")
    assert dataclasses.replace(dated, date="2027", data=b"2") == Dated(1, True, False, b"2", "2027")
    assert [f.name for f in dataclasses.fields(Dated)] == ["context_id", "is_command", "is_last", "data", "date"]


def test_a_mutable_default_of_a_factory_is_made_for_each() -> None:
    ours = mutable(values)
    one, other = ours(1), ours(1)
    one.y.append(1)
    assert other.y == []


def test_defaults_are_read_on_the_class_without_slots_only() -> None:
    assert unslotted(values).given == 3  # type: ignore[attr-defined]  # as dataclasses leaves it
    assert not hasattr(unslotted(values), "made")
    assert plain(values).y.__class__.__name__ == "member_descriptor"  # type: ignore[attr-defined]  # a slot


@both
def test_the_first_instances_and_later_ones_are_made_alike(body: Callable[[Any], type]) -> None:
    for args, kwargs in CALLS:
        ours = body(values)
        first = outcome(ours, *args, **kwargs)
        for _ in range(values.FEW):
            outcome(ours, *args, **kwargs)
        assert inspect.isfunction(inspect.getattr_static(ours, "__init__"))
        assert repr(first) == repr(outcome(ours, *args, **kwargs)) == repr(outcome(body(dataclasses), *args, **kwargs))


def test_init_is_compiled_once_and_only_when_asked_for() -> None:
    ours = plain(values)
    for number in range(values.FEW):
        ours(number)
    assert type(vars(ours)["__init__"]).__name__ == "_Initializer"
    ours(1)
    compiled = vars(ours)["__init__"]
    assert inspect.isfunction(compiled)
    ours(2)
    assert vars(ours)["__init__"] is compiled
    wrong = plain(values)
    assert "missing 1 required positional argument" in str(outcome(wrong))
    assert inspect.isfunction(vars(wrong)["__init__"])
    heir = inherited(values)
    assert heir(1).x == 1
    assert "__init__" not in vars(heir)


def test_a_class_below_that_is_not_decorated_may_have_attributes_besides() -> None:
    for by in (values, dataclasses):
        heir = type("Heir", (unslotted(by),), {})(b"1")
        heir.extra = 1
        assert vars(heir)["extra"] == 1
        del heir.extra
        assert "extra" not in vars(heir)
        assert outcome(setattr, heir, "given", 4) == (dataclasses.FrozenInstanceError, "cannot assign to field 'given'")
        assert outcome(delattr, heir, "given") == (dataclasses.FrozenInstanceError, "cannot delete field 'given'")


def test_a_class_below_that_is_not_decorated_has_no_post_init() -> None:
    def post_init(self: object) -> None:
        raise AssertionError

    for by in (values, dataclasses):
        heir = type("Heir", (plain(by),), {"__post_init__": post_init})
        assert [heir(number).x for number in range(values.FEW + 2)] == list(range(values.FEW + 2))


def test_the_classes_of_the_house_are_as_dataclasses_wants_them() -> None:
    """No mutable defaults, no field without a default behind one with it: what nothing looks for when the classes are made."""
    packages = [pkgutil.walk_packages(package.__path__, f"{package.__name__}.") for package in (pdu, dimse)]
    modules = [import_module(found.name) for package in packages for found in package if not found.name.endswith("__main__")]
    classes = {found for module in modules for found in vars(module).values() if isinstance(found, type) and hasattr(found, values.FIELDS)}
    assert len(classes) > 80
    for cls in classes:
        assert [f.name for f in dataclasses.fields(cls)] == [f.name for f in getattr(cls, values.FIELDS)]
        assert inspect.signature(cls).parameters or not any(f.init for f in dataclasses.fields(cls))


def test_standard_fields_are_made_once() -> None:
    ours = plain(values)
    assert getattr(ours, "__dataclass_fields__") is getattr(ours, "__dataclass_fields__")  # noqa: B009


def test_importing_it_and_making_values_needs_neither_dataclasses_nor_inspect() -> None:
    program = """
from __future__ import annotations
import sys
before = set(sys.modules)  # measuring coverage loads some
from pdu.values import dataclass, field, replace

@dataclass(frozen=True, slots=True)
class Value:
    x: int
    y: int = 2

assert repr(replace(Value(1), y=3)) == "Value(x=1, y=3)" and hash(Value(1)) == hash(Value(1))
print(sorted({"dataclasses", "inspect"} & (set(sys.modules) - before)))
"""
    path = f"import sys; sys.path[:0] = {sys.path!r}; exec({program!r})"
    done = subprocess.run([sys.executable, "-I", "-c", path], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
