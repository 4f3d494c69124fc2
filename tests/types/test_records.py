"""The cheaper decorator makes what the standard decorator makes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys

import pytest

from entrepot import BytesRange, Capability, Entry, Metadata, PresignedRequest
from entrepot.raw import OpRead, OpStat, RpRead, RpStat, RpWrite
from entrepot.types import Copied, Upload, records

METADATA = Metadata(content_length=3, etag='"a"')
VALUES = [
    BytesRange(1, 2),
    Capability(stat=True),
    Copied(METADATA, ("content_type",)),
    Entry("a", METADATA),
    METADATA,
    PresignedRequest("GET", "http://h/p", {"a": "b"}),
    Upload("a", "id"),
]
RECORDS = [OpRead(chunk=3), OpStat(), RpStat(metadata=METADATA), RpWrite(), RpRead(metadata=METADATA)]
each_value = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
each = pytest.mark.parametrize("value", [*VALUES, *RECORDS], ids=lambda value: type(value).__name__)


def plain() -> type:
    """A new class, since the standard decorator changes the class that it decorates."""

    class Plain:
        a: int
        b: str = "b"

        def __post_init__(self):
            if self.a < 0:
                raise ValueError

    return Plain


OPTIONS = [
    {"slots": True, "frozen": frozen, "kw_only": kw_only, "match_args": match_args}
    for frozen in (False, True)
    for kw_only in (False, True)
    for match_args in (False, True)
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_class_is_made_as_the_standard_decorator_makes_it(options):
    ours, theirs = records.dataclass(**options)(plain()), dataclasses.dataclass(**options)(plain())
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__slots__ == theirs.__slots__
    assert ours.__init__.__annotations__ == theirs.__init__.__annotations__
    assert getattr(ours, "__match_args__", None) == getattr(theirs, "__match_args__", None)
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)
    assert repr(ours(a=1)) == repr(theirs(a=1))
    assert ours(a=1) == ours(a=1, b="b") != ours(a=2)
    assert ours(a=1) != theirs(a=1)
    assert not hasattr(ours, "b") or inspect.ismemberdescriptor(ours.b)
    described = [
        (field.name, field.type, field.default, field.init, field.kw_only) for field in dataclasses.fields(ours)
    ]
    assert described == [
        (field.name, field.type, field.default, field.init, field.kw_only) for field in dataclasses.fields(theirs)
    ]
    assert ours.__dataclass_params__.frozen == theirs.__dataclass_params__.frozen
    with pytest.raises(ValueError):
        ours(a=-1)
    with pytest.raises(TypeError):
        ours()


@each
def test_the_functions_of_dataclasses_take_it(value):
    names = [field.name for field in dataclasses.fields(value)]
    assert dataclasses.is_dataclass(value)
    assert names == list(type(value).__slots__)
    assert dataclasses.replace(value) == value
    assert list(dataclasses.asdict(value)) == names
    if sys.version_info >= (3, 13):
        assert copy.replace(value) == value


@each
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_it_can_be_copied_and_pickled(value, protocol):
    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value, protocol))):
        assert again == value
        assert type(again) is type(value)
        assert repr(again) == repr(value)


@each_value
def test_a_value_is_frozen_and_can_be_hashed(value):
    name = type(value).__slots__[0]
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'"):
        setattr(value, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot delete field '{name}'"):
        delattr(value, name)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'other'"):
        value.other = 1
    assert hash(value) == hash(copy.copy(value))


def test_it_can_be_matched_by_position():
    match BytesRange(1, 2):
        case BytesRange(start, end):
            assert (start, end) == (1, 2)


def test_a_dataclass_can_be_derived_from_it():
    @dataclasses.dataclass(frozen=True, slots=True)
    class Named(Upload):
        name: str = ""

    assert [field.name for field in dataclasses.fields(Named)] == ["path", "id", "initiated", "name"]
    named = Named("a", "b", None, "c")
    assert (named.path, named.name) == ("a", "c")
    assert pickle.loads(pickle.dumps(Upload("a", "b"))) == Upload("a", "b")


def _with_base():
    class Derived(plain()):
        c: int = 0

    return Derived


def _with_list():
    class WithList:
        a: list[int] = []

    return WithList


@pytest.mark.parametrize("made", [_with_base, _with_list], ids=["base", "mutable default"])
def test_what_needs_the_standard_decorator_is_refused(made):
    with pytest.raises(TypeError, match="needs the standard decorator"):
        records.dataclass(slots=True)(made())


def test_a_class_without_slots_is_refused():
    with pytest.raises(TypeError, match="needs the standard decorator"):
        records.dataclass(slots=False)(plain())
