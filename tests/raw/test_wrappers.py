"""Every wrapper of a body, a transport or a runtime has all public names of the interface that it wraps.

Attributes of an interface have defaults, such as `is_at_end`. A wrapper that does not forward such an attribute works,
and is slow or wrong only where the attribute matters.

Wrappers are discovered, not listed: all modules of entrepot are imported, and all classes in them and all subclasses
of the interfaces are looked at. A class is a wrapper of an interface if a parameter of its `__init__` has the
interface's type, and the class is a subclass of it or the parameter is called `inner`.
"""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import entrepot
from entrepot.raw import Accessor, LayeredAccessor, oio
from entrepot.raw.http import HttpBody, HttpTransport
from entrepot.raw.http.signer import RequestSigner
from entrepot.raw.runtime import Runtime

INTERFACES: tuple[type, ...] = (
    oio.Read,
    oio.Write,
    oio.List,
    oio.Delete,
    oio.Copy,
    HttpBody,
    HttpTransport,
    RequestSigner,
    Runtime,
)


def _classes() -> set[type]:
    """All classes of entrepot: those that a module names, and nested ones that derive from an interface."""
    found = set[type]()
    for module in walk_packages([str(Path(entrepot.__file__).parent)], "entrepot."):
        if not module.name.endswith(("__main__", "_program")):  # which run as processes of their own
            found.update(filter(inspect.isclass, vars(import_module(module.name)).values()))
    for interface in INTERFACES:
        found.update(_subclasses(interface))
    return {cls for cls in found if cls.__module__.startswith("entrepot.")}


def _subclasses(cls: type) -> Iterator[type]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _wraps(cls: type, interface: type) -> bool:
    annotations: dict[str, Any] = getattr(cls.__init__, "__annotations__", {})
    parameters = {name for name, annotation in annotations.items() if interface.__name__ in _union(annotation)}
    return bool(parameters) if interface in cls.__mro__ else "inner" in parameters


def _union(annotation: Any) -> set[str]:
    """The names of the types in a union, without their packages: `oio.Read | None` is `{"Read", "None"}`."""
    text = annotation.__qualname__ if inspect.isclass(annotation) else str(annotation)
    return {re.sub(r"^.*\.", "", member.strip()) for member in text.split("|")}


def _public(interface: type) -> set[str]:
    return {name for name in dir(interface) if not name.startswith("_")}


def _forgotten(wrapper: type, interface: type) -> set[str]:
    bases = [base for base in wrapper.__mro__ if base not in interface.__mro__]
    own = {name for base in bases for name, value in vars(base).items() if value is not getattr(interface, name, None)}
    return _public(interface) - own


CLASSES = sorted(_classes(), key=lambda cls: (cls.__module__, cls.__qualname__))
WRAPPERS = [(cls, interface) for cls in CLASSES for interface in INTERFACES if _wraps(cls, interface)]


def test_wrappers_are_found_in_every_room_and_of_every_interface_that_has_one() -> None:
    assert {wrapper.__module__.split(".")[1] for wrapper, _ in WRAPPERS} >= {"raw", "layers", "testing"}
    assert {interface for _, interface in WRAPPERS} == set(INTERFACES)


def test_a_class_that_holds_an_inner_body_is_found() -> None:
    """A class that derives from an interface and stores `self._inner` is a wrapper, whatever its annotations say."""
    found = {wrapper for wrapper, _ in WRAPPERS}
    for cls in CLASSES:
        if set(INTERFACES) & set(cls.__mro__) and "self._inner = " in inspect.getsource(cls):
            assert cls in found, cls


def test_a_wrapper_that_forgets_an_attribute_is_found_and_fails() -> None:
    class Forgetful(oio.Read):
        def __init__(self, body: "oio.Read | None") -> None:
            self._body = body

        async def read(self, n: int) -> bytes:
            return b""

    class Unrelated:
        def __init__(self, inner: HttpBody) -> None:
            self._inner = inner

    assert Forgetful in set(_subclasses(oio.Read))
    assert _wraps(Forgetful, oio.Read)
    assert _forgotten(Forgetful, oio.Read) == {"is_at_end", "remaining", "readinto", "seek", "next", "close"}
    assert _wraps(Unrelated, HttpBody)
    assert _forgotten(Unrelated, HttpBody) == {"is_at_end", "read", "readinto", "take_rest", "close"}


@pytest.mark.parametrize(("wrapper", "interface"), WRAPPERS, ids=lambda cls: cls.__name__)
def test_a_wrapper_has_all_of_its_interface(wrapper: type, interface: type) -> None:
    forgotten = _forgotten(wrapper, interface)
    assert not forgotten, f"{wrapper.__name__} leaves {forgotten} at the defaults of {interface.__name__}"


def test_a_layered_accessor_has_all_of_an_accessor() -> None:
    forgotten = _public(Accessor) - set(vars(LayeredAccessor))
    assert not forgotten


def test_no_class_takes_a_slot_of_its_base_for_itself() -> None:
    """One attribute of two meanings: gcs had a slot of that kind, and lost uploads."""
    taken = {
        f"{cls.__module__}.{cls.__qualname__}.{slot}"
        for cls in CLASSES
        for base in cls.__mro__[1:]
        for slot in _slots(cls) & _slots(base)
    }
    assert taken == set()


def _slots(cls: type) -> set[str]:
    slots = vars(cls).get("__slots__", ())
    return {slots} if isinstance(slots, str) else set(slots)
