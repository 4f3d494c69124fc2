"""A cheaper `dataclass` for the classes that `import entrepot` makes.

The standard decorator compiles up to six methods for each class and imports `inspect`. This one compiles `__init__`
alone; the other methods are shared, or closures over the names of the fields. To other code the result is a dataclass:
`dataclasses.fields`, `replace`, `asdict` and `is_dataclass`, `copy.replace`, `match`, pickling, comparing, hashing and
`repr` work as with the standard decorator. Type checkers see the standard decorator:

    if TYPE_CHECKING:
        from dataclasses import dataclass
    else:
        from entrepot.types.records import dataclass

Theory of operation: like the standard decorator, this one makes the class a second time, with `__slots__`. The
attributes that the functions of `dataclasses` read, `__dataclass_fields__` and `__dataclass_params__`, are descriptors.
On first use they let the standard decorator describe a class with the same fields, and replace themselves by the
result. Threads may do so at the same time: the results are equal.

`field(...)` of the standard module may state `default`, `default_factory`, `init`, `repr` and `compare`.

Refused, since nothing here needs it: bases that are dataclasses, other options of `field`, mutable defaults, and
classes without slots.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from dataclasses import Field

T = TypeVar("T")


def dataclass(
    *,
    slots: bool,
    frozen: bool = False,
    init: bool = True,
    repr: bool = True,  # noqa: A002 - the name that the standard decorator has for it
    match_args: bool = True,
    kw_only: bool = False,
) -> Callable[[type], type]:
    """Makes a dataclass with slots. The arguments mean the same as in the standard decorator.

    Raises:
        TypeError: the class needs the standard decorator.
    """

    def decorate(cls: type) -> type:
        annotations = cls.__annotations__  # of this class: those of a base are not inherited
        names = tuple(annotations)
        stated = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
        fields = _Fields(names, stated)
        if not slots or hasattr(cls, "__dataclass_fields__") or fields.are_special:
            raise TypeError(f"{cls.__qualname__} needs the standard decorator: see {__name__}")
        left_out = {*stated, "__dict__", "__weakref__"}
        attributes = {name: value for name, value in cls.__dict__.items() if name not in left_out}
        for special in ("fields", "params"):
            attributes[f"__dataclass_{special}__"] = _Described(annotations, stated, frozen=frozen, kw_only=kw_only)
        if match_args:
            attributes["__match_args__"] = () if kw_only else fields.of_init
        if repr:
            attributes["__repr__"] = _repr(fields.shown)
        attributes |= {
            "__replace__": replace,
            "__slots__": names,
            "__qualname__": cls.__qualname__,
            "__of_init__": fields.of_init,
            **_comparison(fields.compared, is_hashable=frozen),
        }
        made: type = type(cls)(cls.__name__, cls.__bases__, attributes)
        if init:
            made.__init__ = _init(made, annotations, fields, frozen=frozen, kw_only=kw_only)  # type: ignore[misc]
        if frozen:
            _freeze(made)
        return made

    return decorate


class _MadeByFactory:
    """The default of an argument whose value a `default_factory` makes."""

    def __repr__(self) -> str:
        return "<factory>"


_MADE: Final = _MadeByFactory()


class _Fields:
    """The names of the fields by their use, and their defaults.

    Arguments:
        names: the names of all fields.
        stated: what the class states of them: a default, or a `dataclasses.Field`.
    """

    __slots__ = ("are_special", "compared", "defaults", "factories", "of_init", "shown")

    def __init__(self, names: tuple[str, ...], stated: dict[str, Any]) -> None:
        self.of_init = self.shown = self.compared = names
        self.defaults = stated
        self.factories: dict[str, Callable[[], Any]] = {}
        described = _described_fields(stated)
        if described:
            self._use(described)
        self.are_special = any(value.__hash__ is None for value in self.defaults.values()) or any(
            field.hash is not None or field.metadata for field in described.values()
        )

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

    def __init__(self, annotations: dict[str, Any], stated: dict[str, Any], *, frozen: bool, kw_only: bool) -> None:
        self._annotations = annotations
        self._stated = stated
        self._options = {"frozen": frozen, "kw_only": kw_only}

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        import dataclasses

        attributes = {
            **self._stated,
            "__annotations__": self._annotations,
            "__module__": self._owner.__module__,
            "__doc__": "",
        }
        described: type = dataclasses.dataclass(**self._options)(type(self._owner.__name__, (), attributes))
        value = getattr(described, self._name)
        setattr(self._owner, self._name, value)
        return value


def _init(
    cls: type, annotations: dict[str, Any], fields: _Fields, *, frozen: bool, kw_only: bool
) -> Callable[..., None]:
    """The `__init__` of a class whose arguments are the fields."""
    names, defaults = fields.of_init, fields.defaults
    arguments = "".join(f", {name}=None" if name in defaults else f", {name}" for name in names)
    star = ", *" if kw_only and names else ""
    values = _values(fields)
    # The setter of a slot takes half of the time of `object.__setattr__`, which the standard decorator uses.
    body = [f"_set_{name}(self, {value})" if frozen else f"self.{name} = {value}" for name, value in values.items()]
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    namespace: dict[str, Any] = {f"_set_{name}": getattr(cls, name).__set__ for name in values} if frozen else {}
    namespace |= {f"_make_{name}": factory for name, factory in fields.factories.items()}
    namespace |= {f"_default_{name}": value for name, value in defaults.items() if values[name] != name}
    namespace["_MADE"] = _MADE
    exec(f"def __init__(self{star}{arguments}): {'; '.join(body) or 'pass'}", namespace)  # noqa: S102 - see above
    init: Any = namespace["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    init.__annotations__ = {**{name: annotations[name] for name in names}, "return": None}
    if kw_only:
        init.__kwdefaults__ = {name: defaults[name] for name in names if name in defaults}
    else:
        init.__defaults__ = tuple([defaults[name] for name in names if name in defaults])
    return init  # type: ignore[no-any-return]


def _values(fields: _Fields) -> dict[str, str]:
    """The expression of the value that `__init__` gives to each field."""
    values = {name: name for name in fields.of_init}
    values |= {name: f"_default_{name}" for name in fields.defaults if name not in values}
    for name in fields.factories:
        is_argument = values[name] == name
        values[name] = f"_make_{name}() if {name} is _MADE else {name}" if is_argument else f"_make_{name}()"
    return values


def _comparison(names: tuple[str, ...], *, is_hashable: bool) -> dict[str, Any]:
    """`__eq__` and `__hash__` by the values of all fields."""
    values = attrgetter(*names) if names else lambda _: ()

    def __eq__(self: object, other: object) -> bool:  # noqa: N807 - becomes a method
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:  # noqa: N807 - becomes a method
        return hash(values(self))

    return {"__eq__": __eq__, "__hash__": __hash__ if is_hashable else None}


def _freeze(cls: type) -> None:
    """Refuses to set and delete fields, and pickles them as the standard decorator does."""
    names = field_names(cls)
    setters = [getattr(cls, name).__set__ for name in names]

    def __setattr__(self: object, name: str, value: Any) -> None:  # noqa: N807 - becomes a method
        if type(self) is cls or name in names:
            raise _frozen("assign to", name)
        object.__setattr__(self, name, value)

    def __delattr__(self: object, name: str) -> None:  # noqa: N807 - becomes a method
        if type(self) is cls or name in names:
            raise _frozen("delete", name)
        object.__delattr__(self, name)

    def __getstate__(self: object) -> list[Any]:  # noqa: N807 - becomes a method
        return [getattr(self, name) for name in names]

    def __setstate__(self: object, state: list[Any]) -> None:  # noqa: N807 - becomes a method
        for setter, value in zip(setters, state, strict=True):
            setter(self, value)

    for method in (__setattr__, __delattr__, __getstate__, __setstate__):
        setattr(cls, method.__name__, method)


def _frozen(verb: str, name: str) -> AttributeError:
    from dataclasses import FrozenInstanceError

    return FrozenInstanceError(f"cannot {verb} field {name!r}")


def _repr(names: tuple[str, ...]) -> Callable[[object], str]:
    def __repr__(self: object) -> str:  # noqa: N807 - becomes a method
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def replace(value: T, /, **changes: Any) -> T:
    """`dataclasses.replace`, in less time for instances of the classes that are made here."""
    names = type(value).__dict__.get("__of_init__")
    if names is None:  # of the standard decorator, also a subclass with more fields
        import dataclasses

        return dataclasses.replace(value, **changes)  # type: ignore[type-var]
    return type(value)(**({name: getattr(value, name) for name in names} | changes))


def field_names(cls: type) -> tuple[str, ...]:
    """The names of the fields of a class that is made here, in their order."""
    return cls.__slots__  # type: ignore[attr-defined, no-any-return]
