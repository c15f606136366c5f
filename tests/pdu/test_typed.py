"""What stands in for `typing` at run time."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import typing

import pytest

import dimse
import pdu
from dimse.services.plan import Batch
from pdu import typed

PUBLIC = [
    found
    for package in (pdu, dimse)
    for name in package.__all__
    if name != "Services"  # of functions, whose types are imported for type checkers only
    and inspect.isclass(found := getattr(package, name))
]


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__qualname__)
def test_the_hints_of_public_classes_can_be_read(cls: type) -> None:
    assert all(hint is not None for hint in typing.get_type_hints(cls).values())


def test_forms_are_those_of_typing() -> None:
    assert typing.get_type_hints(dimse.TraceRecord)["direction"] == typing.Literal["in", "out", "event"]
    assert typing.get_type_hints(pdu.Abort)["pdu_type"] == typing.ClassVar[pdu.PDUType]


def test_a_named_tuple_is_one() -> None:
    fragment = pdu.Fragment(1, True, False, memoryview(b"data"))
    assert isinstance(fragment, tuple)
    assert (fragment.context_id, fragment.is_command, fragment.is_last, fragment.data) == fragment
    assert fragment._fields == ("context_id", "is_command", "is_last", "data")
    assert fragment._replace(context_id=3) == (3, *fragment[1:])
    assert repr(fragment).startswith("Fragment(context_id=1, is_command=True, is_last=False, data=<memory")
    assert pdu.Fragment.__doc__ is not None
    assert pdu.Fragment.__doc__.startswith("A piece of one PDV")
    assert not hasattr(fragment, "__dict__")
    plain = fragment._replace(data=None)  # type: ignore[arg-type]  # a memoryview is not pickled
    assert pickle.loads(pickle.dumps(plain)) == plain
    match fragment:
        case pdu.Fragment(id, True, data=data):
            assert (id, bytes(data)) == (1, b"data")
        case _:
            raise AssertionError("not matched")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'data'"):
        pdu.Fragment(1, True, False)  # type: ignore[call-arg]


def test_a_named_tuple_has_no_default_values() -> None:
    with pytest.raises(TypeError, match="a default value of Wrong would hide its field"):

        class Wrong(typed.NamedTuple):
            one: int
            two: int = 2


def test_a_generic_class_is_itself_for_all_parameters() -> None:
    assert Batch[dimse.FileSource] is Batch
    assert typed.TypeVar("S", bound=int).__name__ == "S"


def test_a_protocol_of_the_public_ones_is_a_real_one() -> None:
    class Named(dimse.Source, typing.Protocol):
        name: str

    assert getattr(Named, "_is_protocol")  # noqa: B009


def test_importing_it_needs_no_typing() -> None:
    program = "import sys; import pdu.typed, pdu.values; print('typing' in sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
