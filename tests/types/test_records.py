"""The cheaper decorator makes what the standard decorator makes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys
from dataclasses import KW_ONLY
from typing import ClassVar

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


@pytest.fixture(params=[records._FEW, 0], ids=["shared init", "compiled init"], autouse=True)
def few(request, monkeypatch):
    """How many instances are made before `__init__` is compiled."""
    monkeypatch.setattr(records, "_FEW", request.param)
    return request.param


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


def with_fields() -> type:
    class WithFields:
        a: int
        secret: str = dataclasses.field(default="s", repr=False)
        source: str = dataclasses.field(default="here", compare=False)
        found: list[int] = dataclasses.field(default_factory=list)
        made: list[int] = dataclasses.field(default_factory=list, init=False)
        fixed: int = dataclasses.field(default=5, init=False)
        later: int = dataclasses.field(init=False)

        def __post_init__(self):
            object.__setattr__(self, "later", self.a + 1)

    return WithFields


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_fields_are_made_as_the_standard_decorator_makes_them(options):
    ours, theirs = records.dataclass(**options)(with_fields()), dataclasses.dataclass(**options)(with_fields())
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
    assert ours.__init__.__annotations__ == theirs.__init__.__annotations__
    assert ours.__slots__ == theirs.__slots__
    assert getattr(ours, "__match_args__", None) == getattr(theirs, "__match_args__", None)
    for arguments in ({"a": 1}, {"a": 1, "secret": "t", "source": "there", "found": [2]}):
        assert repr(ours(**arguments)) == repr(theirs(**arguments))
        for name in ours.__slots__:
            assert getattr(ours(**arguments), name) == getattr(theirs(**arguments), name)
    one = ours(a=1)
    assert one.found is not ours(a=1).found
    assert one == ours(a=1, source="there") != ours(a=1, secret="t")
    assert records.replace(one, a=2) == dataclasses.replace(one, a=2) == ours(a=2)
    described = [(field.name, field.init, field.repr, field.compare) for field in dataclasses.fields(ours)]
    assert described == [(field.name, field.init, field.repr, field.compare) for field in dataclasses.fields(theirs)]


@pytest.mark.parametrize("decorator", [records.dataclass, dataclasses.dataclass])
def test_replace_keeps_all_fields_of_other_dataclasses(decorator):
    base = decorator(slots=True, frozen=True)(plain())

    @dataclasses.dataclass(frozen=True)
    class More(base):
        c: int = 0

    assert records.replace(More(1, c=2), b="x") == More(1, "x", c=2)
    assert records.replace(base(1), b="x") == base(1, "x")


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
    class Derived(BytesRange):
        c: int = 0

    return Derived


def _with_list():
    class WithList:
        a: list[int] = []

    return WithList


def _with(**options):
    def make():
        class With:
            a: int = dataclasses.field(**options)

        return With

    return make


@pytest.mark.parametrize(
    "made",
    [_with_base, _with_list, _with(default=0, hash=False)],
    ids=["base", "mutable default", "hash"],
)
def test_what_needs_the_standard_decorator_is_refused(made):
    with pytest.raises(TypeError, match="needs the standard decorator"):
        records.dataclass(slots=True)(made())


def test_a_base_that_is_no_dataclass_is_kept():
    class Base:
        __slots__ = ()

        def doubled(self):
            return 2 * self.a

    @records.dataclass(slots=True, frozen=True)
    class Derived(Base):
        a: int

    assert Derived(2).doubled() == 4
    assert Derived.__mro__[1:] == (Base, object)
    assert not hasattr(Derived(2), "__dict__")


def test_a_class_may_be_compared_by_identity():
    made = records.dataclass(slots=True, frozen=True, eq=False)(plain())
    assert made(1) != made(1)
    assert made.__hash__ is object.__hash__


def family(decorator):
    """A class that inherits fields from two bases, as configurations of services do."""

    class Root:
        KIND: ClassVar[str] = "root"

        def __post_init__(self):
            object.__setattr__(self, "checked", True)

    @decorator(frozen=True, init=False, repr=False, eq=False)
    class Connected(Root):
        endpoint: str
        root: str = "/"
        _: KW_ONLY
        secret: str | None = dataclasses.field(default=None, repr=False, metadata={"aliases": ("key",)})
        limit: int = 3

        def __repr__(self):
            return "connected"

    @decorator(frozen=True, init=False, repr=False, eq=False)
    class Signed(Root):
        headers: list[str] = dataclasses.field(default_factory=list)
        region: str = dataclasses.field(default="here", kw_only=True)

    @decorator(frozen=True, repr=False)
    class Store(Signed, Connected):
        SCHEME: ClassVar[str] = "store"
        root: str = "/root"
        made: int = dataclasses.field(default=7, init=False)
        extra: bool | None = None

    return Connected, Store


@pytest.mark.parametrize("is_described_first", [False, True])
def test_fields_are_inherited_as_the_standard_decorator_inherits_them(is_described_first):
    (our_base, ours), (_, theirs) = family(records.dataclass), family(dataclasses.dataclass)
    if is_described_first:
        dataclasses.fields(our_base)
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
    assert ours.__match_args__ == theirs.__match_args__
    shape = [
        [(field.name, field.type, field.init, field.kw_only, dict(field.metadata)) for field in dataclasses.fields(cls)]
        for cls in (ours, theirs)
    ]
    assert shape[0] == shape[1]
    assert records.init_names(ours) == tuple(field.name for field in dataclasses.fields(theirs) if field.init)
    made = ours("http://h", secret="s", limit=4)
    assert vars(made) == {**vars(theirs("http://h", secret="s", limit=4)), "made": 7}
    assert repr(made) == "connected"
    assert made == copy.copy(made) == pickle_free(made) != ours("http://h")
    assert records.replace(made, limit=5) == dataclasses.replace(made, limit=5) == ours("http://h", secret="s", limit=5)
    assert (ours.root, ours.limit, ours.secret, hasattr(ours, "endpoint")) == ("/root", 3, None, False)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'limit'"):
        made.limit = 6
    with pytest.raises(TypeError):
        ours()


def pickle_free(value):
    """The value with a new state, as pickling makes it."""
    again = object.__new__(type(value))
    again.__dict__.update(value.__dict__)
    return again


def test_the_standard_decorator_extends_a_class_that_inherits():
    _, ours = family(records.dataclass)

    @dataclasses.dataclass(frozen=True)
    class More(ours):
        more: int = 0

    assert More("e", more=3).more == 3
    assert [field.name for field in dataclasses.fields(More)][-1] == "more"
    assert records.init_names(More)[-1] == "more"
    assert records.replace(More("e", more=3), limit=9) == More("e", more=3, limit=9)


def test_an_init_of_its_own_may_call_that_of_the_base():
    @records.dataclass()
    class Base:
        a: int = 1

    @records.dataclass(init=False)
    class Derived(Base):
        b: int = 2

        def __init__(self, b):
            super().__init__(5)
            self.b = b

    made = [Derived(7), Derived(8), Base(9)]
    assert [vars(one) for one in made] == [{"a": 5, "b": 7}, {"a": 5, "b": 8}, {"a": 9}]


def test_an_init_is_described_before_the_first_instance():
    """As `inspect.signature` does it since Python 3.13: it calls the descriptor with the class as the instance."""
    _, store = family(records.dataclass)
    init = vars(store)["__init__"].__get__(store, type(store))
    assert inspect.signature(init) == inspect.signature(store)


def test_a_base_of_the_standard_decorator_is_refused():
    base, _ = family(dataclasses.dataclass)
    with pytest.raises(TypeError, match="needs the standard decorator"):
        records.dataclass(frozen=True)(type("Derived", (base,), {"__annotations__": {"b": "int"}}))


WRONG = {
    "none": ((), {}),
    "too many": ((1, "b", 3), {}),
    "twice": ((1,), {"a": 2}),
    "unknown": ((1,), {"c": 2}),
    "missing": ((), {"b": "b"}),
}


@pytest.mark.parametrize(("args", "named"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_raise_what_the_standard_decorator_raises(args, named):
    messages = []
    for decorator in (dataclasses.dataclass, records.dataclass):
        made = decorator(slots=True)(plain())
        for _ in range(2):
            with pytest.raises(TypeError) as raised:
                made(*args, **named)
            messages.append(str(raised.value).replace("test_wrong_arguments", ""))
    assert len(set(messages)) == 1


def test_an_init_is_compiled_after_some_instances(few):
    made = records.dataclass(slots=True, frozen=True)(plain())
    values = [made(number) for number in range(few + 1)]
    assert [value.a for value in values] == list(range(few + 1))
    assert inspect.isfunction(vars(made)["__init__"])
    assert made(3, b="c") == made(3, "c") != values[0]


def test_an_instance_is_set_as_its_class_says():
    """A class that is not frozen may have subclasses that see each field."""
    base = records.dataclass(slots=True)(plain())
    seen = []

    class Seen(base):
        def __setattr__(self, name, value):
            seen.append(name)
            super().__setattr__(name, value)

    Seen(1)
    assert seen == ["a", "b"]


def test_the_init_of_an_instance_has_the_signature_of_its_class():
    made = records.dataclass(slots=True)(plain())
    of_method = inspect.signature(made(1).__init__)
    assert of_method == inspect.signature(made) == inspect.signature(made(1).__init__)


def test_the_default_that_a_signature_shows_for_a_factory_may_be_passed():
    def made() -> type:
        return records.dataclass()(type("Made", (), {"__annotations__": {"a": "list"}, "a": field}))

    field = dataclasses.field(default_factory=list)
    shown = inspect.signature(made()).parameters["a"].default
    assert made()(shown).a == []
