"""The few things of `typing` that do something at run time, for programs whose work takes less time than importing that (2 ms).

To type checkers they are those of `typing`; what else a module needs of it for its annotations, it imports for type checkers only.
The hints of classes can be read as ever: `typing.get_type_hints` comes to the real `ClassVar` and `Literal`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable

__all__ = ["TYPE_CHECKING", "ClassVar", "Generic", "Literal", "NamedTuple", "Protocol", "TypeVar"]


class Form:
    """A name of `typing` that stands in annotations, with something in brackets."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getitem__(self, inside: object) -> object:
        import typing

        form: object = getattr(typing, self._name)[inside]
        return form


class Base:
    """The base of a protocol or generic class, which is the same class for all parameters."""

    __slots__ = ()

    def __class_getitem__(cls, parameters: object) -> type[Base]:
        return cls


class Variable:
    """What stands in the brackets of a generic class."""

    def __init__(self, name: str, *, bound: object = None) -> None:
        self.__name__, self.__bound__ = name, bound


class Named(type):
    """Makes a named tuple, of the module `collections`, of a class that announces fields, without default values."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, object]) -> type:
        if not bases:
            return super().__new__(cls, name, bases, namespace)
        make: Callable[..., type] = namedtuple
        fields = make(name, namespace["__annotations__"], module=namespace["__module__"])
        if any(field in namespace for field in fields.__dict__["_fields"]):
            raise TypeError(f"a default value of {name} would hide its field")
        return type(name, (fields,), {"__slots__": (), **namespace})


TYPE_CHECKING = False
"""What type checkers take for true."""
if TYPE_CHECKING:
    from typing import ClassVar, Generic, Literal, NamedTuple, Protocol, TypeVar
else:
    ClassVar, Literal = Form("ClassVar"), Form("Literal")
    Generic, Protocol, TypeVar = Base, Base, Variable
    NamedTuple = Named("NamedTuple", (), {})
