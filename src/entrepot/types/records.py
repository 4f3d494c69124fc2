"""A cheaper `dataclass` for the classes that `import entrepot` makes.

The standard decorator compiles up to six methods for each class and imports `inspect`. This one compiles `__init__`
alone, and not before many instances are made; all classes share the other methods. To other code the result is a
dataclass: `dataclasses.fields`, `replace`, `asdict` and `is_dataclass`, `copy.replace`, `match`, pickling, comparing,
hashing and `repr` work as with the standard decorator. Type checkers see the standard decorator:

    if TYPE_CHECKING:
        from dataclasses import dataclass
    else:
        from entrepot.types.records import dataclass

Theory of operation: like the standard decorator, this one makes a class with slots a second time. The class has a
`_Record`, which the shared methods read. `__init__`, and the attributes that the functions of `dataclasses` read,
`__dataclass_fields__` and `__dataclass_params__`, are descriptors. On first use the standard decorator describes a
class with the same fields, and the descriptor is replaced by the result. So is that of `__init__` (`_Init`), by the
compiled function, once `_FEW` instances are made, or earlier where a program looks at it. The instances before are made
by one function that all classes share (`_make`), since compiling takes as long as that takes for tens of instances, and
most programs make few of most classes. Threads may replace a descriptor at the same time: the results are equal.

A class without slots may inherit fields from bases that are made here, as configurations of services do. Its
annotations are text (`from __future__ import annotations`); those that are `ClassVar` are no fields, and the fields
after one that is `KW_ONLY` are keywords.

Refused, since nothing here needs it: bases that the standard decorator makes, bases of classes with slots, the option
`hash` of `field`, and mutable defaults.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from operator import attrgetter
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from dataclasses import Field

T = TypeVar("T")


def dataclass(
    *,
    slots: bool = False,
    frozen: bool = False,
    init: bool = True,
    eq: bool = True,
    repr: bool = True,  # noqa: A002 - the name that the standard decorator has for it
    match_args: bool = True,
    kw_only: bool = False,
) -> Callable[[type], type]:
    """Makes a dataclass. The arguments mean the same as in the standard decorator.

    Raises:
        TypeError: the class needs the standard decorator.
    """

    def decorate(cls: type) -> type:
        record = (_slotted if slots else _inheriting)(cls, kw_only=kw_only)
        record.frozen = frozen
        attributes: dict[str, Any] = {
            "__record__": record,
            "__dataclass_fields__": _Described("__dataclass_fields__", record),
            "__dataclass_params__": _Described("__dataclass_params__", record),
            "__replace__": replace,
        }
        if frozen:
            attributes |= _FROZEN
        if eq:
            attributes |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
        if init:
            attributes["__init__"] = _Init(record)
        if match_args:
            attributes["__match_args__"] = record.by_position
        if repr:
            attributes["__repr__"] = _repr
        record.cls = _with_slots(cls, record, attributes) if slots else _extended(cls, record, attributes)
        return record.cls

    return decorate


def _slotted(cls: type, *, kw_only: bool) -> _Record:
    """The fields of a class with slots: its own."""
    annotations = cls.__annotations__  # of this class: those of a base are not inherited
    has_base = any("__dataclass_fields__" in vars(base) for base in cls.__mro__)
    return _checked(cls, has_base, _Record(annotations, _stated(cls, annotations), annotations if kw_only else ()))


def _inheriting(cls: type, *, kw_only: bool) -> _Record:
    """The fields of a class without slots: those of its bases, and its own."""
    annotations, stated, by_keyword = dict[str, Any](), dict[str, Any](), set[str]()
    is_special = not all(isinstance(annotation, str) for annotation in cls.__annotations__.values())
    for base in reversed(cls.__mro__[1:]):
        record: _Record | None = vars(base).get("__record__")
        if record is not None:
            annotations |= record.annotations
            stated |= record.stated
            by_keyword |= record.by_keyword
        is_special |= "__slots__" in vars(base) if record else "__dataclass_fields__" in vars(base)
    own = dict[str, Any]()
    for name, annotation in cls.__annotations__.items():
        if annotation == "KW_ONLY":
            kw_only = True
        elif not str(annotation).startswith("ClassVar["):
            own[name] = annotation
            (by_keyword.add if kw_only else by_keyword.discard)(name)
    return _checked(cls, is_special, _Record(annotations | own, stated | _stated(cls, own), by_keyword))


def _stated(cls: type, names: Iterable[str]) -> dict[str, Any]:
    """What a class states of its fields: a default, or a `dataclasses.Field`."""
    return {name: cls.__dict__[name] for name in names if name in cls.__dict__}


def _checked(cls: type, is_special: bool, record: _Record) -> _Record:
    if is_special or record.is_special:
        raise TypeError(f"{cls.__qualname__} needs the standard decorator: see {__name__}")
    return record


def _with_slots(cls: type, record: _Record, attributes: dict[str, Any]) -> type:
    """The class once more, with slots in place of the defaults."""
    left_out = {"__dict__", "__weakref__", *record.stated}
    kept = {name: value for name, value in cls.__dict__.items() if name not in left_out}
    special = {"__slots__": record.names, "__qualname__": cls.__qualname__}
    state = _STATE if record.frozen else {}
    made: type = type(cls)(cls.__name__, cls.__bases__, kept | attributes | state | special)
    return made


def _extended(cls: type, record: _Record, attributes: dict[str, Any]) -> type:
    """The class with the attributes, and with a default in place of each `dataclasses.Field`."""
    for name in _described_fields(_stated(cls, cls.__annotations__)):
        if name in record.defaults and name not in record.factories:
            setattr(cls, name, record.defaults[name])
        else:
            delattr(cls, name)
    for name, value in attributes.items():
        setattr(cls, name, value)
    return cls


def _no_values(_: object) -> tuple[()]:
    return ()


_FEW: Final = 50
"""The instances of a class that are made before its `__init__` is compiled."""


class _MadeByFactory:
    """The default of an argument whose value a `default_factory` makes."""

    def __repr__(self) -> str:
        return "<factory>"


_MADE: Final = _MadeByFactory()
_MISSING: Final = object()


class _Record:
    """The fields of one class by their use, and their defaults. The methods that all classes share read it.

    Arguments:
        annotations: the annotation of each field.
        stated: what the class states of them: a default, or a `dataclasses.Field`.
        by_keyword: the names of the fields that are keywords.

    Attributes:
        cls: the class that is made.
        frozen: as in `dataclass`.
        by_position: the names of the arguments of `__init__` that may be positional.
        accepted: the names of all arguments of `__init__`.
        required: those without a default.
        is_special: whether a field needs the standard decorator.
        values: returns the values of an instance that are compared.
    """

    __slots__ = (
        "accepted",
        "annotations",
        "by_keyword",
        "by_position",
        "cls",
        "compared",
        "defaults",
        "factories",
        "frozen",
        "is_special",
        "names",
        "of_init",
        "required",
        "shown",
        "stated",
        "values",
    )

    cls: type
    frozen: bool

    def __init__(self, annotations: dict[str, Any], stated: dict[str, Any], by_keyword: Iterable[str]) -> None:
        self.annotations = annotations
        self.stated = stated
        self.by_keyword = frozenset(by_keyword)
        self.names = self.of_init = self.shown = self.compared = tuple(annotations)
        self.defaults = stated
        self.factories: dict[str, Callable[[], Any]] = {}
        described = _described_fields(stated)
        if described:
            self._use(described)
        self.values: Callable[[object], Any] = attrgetter(*self.compared) if self.compared else _no_values
        self.is_special = any(value.__hash__ is None for value in self.defaults.values()) or any(
            field.hash is not None for field in described.values()
        )
        self.by_keyword |= {name for name, field in described.items() if field.kw_only is True}
        self.by_position = tuple([name for name in self.of_init if name not in self.by_keyword])
        self.accepted = frozenset(self.of_init)
        self.required = self.accepted - self.defaults.keys()

    def _use(self, described: dict[str, Field[Any]]) -> None:
        from dataclasses import MISSING

        def without(attribute: str) -> tuple[str, ...]:
            left_out = {name for name, field in described.items() if not getattr(field, attribute)}
            return tuple([name for name in self.of_init if name not in left_out])

        self.shown, self.compared, self.of_init = without("repr"), without("compare"), without("init")
        self.factories = {
            name: field.default_factory for name, field in described.items() if field.default_factory is not MISSING
        }
        values = {name: field.default for name, field in described.items()} | dict.fromkeys(self.factories, _MADE)
        self.defaults = {name: value for name, value in (self.defaults | values).items() if value is not MISSING}


def _described_fields(stated: dict[str, Any]) -> dict[str, Field[Any]]:
    """The fields that are stated by `field(...)`. Where there are any, the standard module is imported already."""
    if "dataclasses" not in sys.modules:
        return {}
    from dataclasses import Field

    return {name: value for name, value in stated.items() if isinstance(value, Field)}


class _Described:
    """`__dataclass_fields__` or `__dataclass_params__` of a class, made by the standard decorator on first use."""

    __slots__ = ("_name", "_record")

    def __init__(self, name: str, record: _Record) -> None:
        self._name = name
        self._record = record

    def __get__(self, instance: object, owner: type) -> Any:
        import dataclasses

        record = self._record
        attributes = {
            **record.stated,
            "__annotations__": record.annotations,
            "__module__": record.cls.__module__,
            "__doc__": "",
        }
        for name in record.by_keyword:
            value = record.stated.get(name, dataclasses.MISSING)
            is_field = isinstance(value, dataclasses.Field)
            attributes[name] = field = value if is_field else dataclasses.field(default=value)
            field.kw_only = True
        described: type = dataclasses.dataclass(frozen=record.frozen)(type(record.cls.__name__, (), attributes))
        value = getattr(described, self._name)
        setattr(record.cls, self._name, value)
        return value


class _Init:
    """`__init__` of a class, compiled when several instances are made. Most programs make few of most classes."""

    __slots__ = ("_made", "_record")

    def __init__(self, record: _Record) -> None:
        self._record = record
        self._made = 0

    def __get__(self, instance: object, owner: type) -> Callable[..., None]:
        return self.__wrapped__ if instance is None else MethodType(self, instance)

    def __call__(self, instance: object, /, *args: Any, **named: Any) -> None:
        self._made += 1
        values = dict(zip(self._record.by_position, args, strict=False)) | named
        is_valid = len(values) == len(args) + len(named) and _suffice(self._record, values)
        if is_valid and self._made <= _FEW:
            _make(self._record, instance, values)
        else:  # the compiled function also raises the errors of wrong arguments
            self.__wrapped__(instance, *args, **named)

    @property
    def __wrapped__(self) -> Callable[..., None]:
        """The compiled function, which takes the place of this object. `inspect` looks for it by this name."""
        init: Callable[..., None] = _init(self._record)
        self._record.cls.__init__ = init  # type: ignore[misc]
        return init


def _make(record: _Record, instance: Any, values: dict[str, Any]) -> None:
    """Does what the compiled `__init__` of a class does.

    Arguments:
        values: the arguments, by the names of their fields.
    """
    assign = object.__setattr__ if record.frozen else setattr
    for name in record.names:
        value = values.get(name, record.defaults.get(name, _MISSING))
        if value is _MADE:
            value = record.factories[name]()
        if value is not _MISSING:
            assign(instance, name, value)
    if hasattr(record.cls, "__post_init__"):
        instance.__post_init__()


def _suffice(record: _Record, values: dict[str, Any]) -> bool:
    """Whether the arguments are fields, and no field without a default is missing."""
    return record.required <= values.keys() <= record.accepted


def _init(record: _Record) -> Any:
    """The `__init__` of a class whose arguments are the fields."""
    cls, defaults = record.cls, record.defaults
    by_keyword = [name for name in record.of_init if name in record.by_keyword]
    arguments = ["self", *record.by_position, *(["*", *by_keyword] if by_keyword else [])]
    values = _values(record)
    body, setters = _assignments(record, values)
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    namespace = _names_of_annotations(cls) | setters
    namespace |= {f"_make_{name}": factory for name, factory in record.factories.items()}
    namespace |= {f"_default_{name}": value for name, value in defaults.items() if values[name] != name}
    namespace["_MADE"] = _MADE
    listed = ", ".join([f"{name}=None" if name in defaults else name for name in arguments])
    exec(f"def __init__({listed}): {'; '.join(body) or 'pass'}", namespace)  # noqa: S102 - see above
    init: Any = namespace["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    annotations = {**{name: record.annotations[name] for name in record.of_init}, "return": None}
    init.__annotations__ = annotations
    if sys.version_info >= (3, 14):  # where `functools.wraps` copies this function in place of the annotations
        init.__annotate__ = lambda _: dict(annotations)
    init.__defaults__ = tuple([defaults[name] for name in record.by_position if name in defaults])
    init.__kwdefaults__ = {name: defaults[name] for name in by_keyword if name in defaults}
    return init


def _names_of_annotations(cls: type) -> dict[str, Any]:
    """The names in annotations of the fields, for `inspect` and `typing`, which look in `__init__.__globals__`.

    They are copied, since `__init__` has names of its own there: as a closure it would take more time.
    """
    names = dict[str, Any]()
    for base in reversed(cls.__mro__):
        if "__record__" in vars(base):
            names |= vars(sys.modules[base.__module__])
    return names


def _assignments(record: _Record, values: dict[str, str]) -> tuple[list[str], dict[str, Any]]:
    """The statements that set the fields, and the names that they use."""
    if not record.frozen:
        return [f"self.{name} = {value}" for name, value in values.items()], {}
    if "__slots__" not in vars(record.cls):
        return [f"_set(self, {name!r}, {value})" for name, value in values.items()], {"_set": object.__setattr__}
    # The setter of a slot takes half of the time of `object.__setattr__`, which the standard decorator uses.
    setters = {f"_set_{name}": getattr(record.cls, name).__set__ for name in values}
    return [f"_set_{name}(self, {value})" for name, value in values.items()], setters


def _values(record: _Record) -> dict[str, str]:
    """The expression of the value that `__init__` gives to each field."""
    values = {name: name for name in record.of_init}
    values |= {name: f"_default_{name}" for name in record.defaults if name not in values}
    for name in record.factories:
        is_argument = values[name] == name
        values[name] = f"_make_{name}() if {name} is _MADE else {name}" if is_argument else f"_make_{name}()"
    return values


def _eq(self: Any, other: object) -> bool:
    values = self.__record__.values
    return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(self.__record__.values(self))


def _repr(self: Any) -> str:
    shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__record__.shown])
    return f"{type(self).__qualname__}({shown})"


def _setattr(self: Any, name: str, value: Any) -> None:
    _check_change(self, "assign to", name)
    object.__setattr__(self, name, value)


def _delattr(self: Any, name: str) -> None:
    _check_change(self, "delete", name)
    object.__delattr__(self, name)


def _check_change(self: Any, verb: str, name: str) -> None:
    """Refuses to change a field. A subclass may have attributes of its own."""
    record = self.__record__
    if type(self) is record.cls or name in record.names:
        raise _frozen(verb, name)


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__record__.names]


def _setstate(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__record__.names, state, strict=True):
        object.__setattr__(self, name, value)


def _frozen(verb: str, name: str) -> AttributeError:
    from dataclasses import FrozenInstanceError

    return FrozenInstanceError(f"cannot {verb} field {name!r}")


def replace(value: T, /, **changes: Any) -> T:
    """`dataclasses.replace`, in less time for instances of the classes that are made here."""
    record = type(value).__dict__.get("__record__")
    if record is None:  # of the standard decorator, also a subclass with more fields
        import dataclasses

        return dataclasses.replace(value, **changes)  # type: ignore[type-var]
    return type(value)(**({name: getattr(value, name) for name in record.of_init} | changes))


def field_names(cls: type) -> tuple[str, ...]:
    """The names of the fields of a class that is made here, in their order."""
    return cls.__slots__  # type: ignore[attr-defined, no-any-return]


def init_names(cls: type) -> tuple[str, ...]:
    """The names of the fields of any dataclass that are arguments of it."""
    record: _Record | None = vars(cls).get("__record__")
    if record is not None:
        return record.of_init
    from dataclasses import fields

    return tuple([field.name for field in fields(cls) if field.init])


_FROZEN: Final = {"__setattr__": _setattr, "__delattr__": _delattr}
_STATE: Final = {"__getstate__": _getstate, "__setstate__": _setstate}
