"""What wraps a body, a transport or a runtime has all that the wrapped interface has.

Attributes of an interface have defaults, such as `is_at_end`. A wrapper that forgets one works, and is slow or
wrong only where that attribute matters. A class is a wrapper if a parameter has the type that it is itself, or is
called `inner` and has the type of an interface.
"""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import entrepot
from entrepot.raw import Accessor, LayeredAccessor, oio
from entrepot.raw.http import HttpBody, HttpTransport
from entrepot.raw.runtime import Runtime

INTERFACES: tuple[type, ...] = (oio.Read, oio.Write, oio.List, oio.Delete, HttpBody, HttpTransport, Runtime)
KNOWN = {
    "_LimitedBody", "_LimitedTransport", "_IdleTransport", "_Propagating", "_ChaosReader", "_RecordedBody",
    "_RecordedRuntime", "_RelativeLister", "_CheckedDeleter", "_AroundWriter", "StreamableReader",
}  # fmt: skip


def _classes() -> Iterator[type]:
    for module in walk_packages([str(Path(entrepot.__file__).parent)], "entrepot."):
        if not module.name.endswith("__main__"):
            members = vars(import_module(module.name)).values()
            yield from (one for one in members if inspect.isclass(one) and one.__module__ == module.name)


def _wraps(one: type, interface: type) -> bool:
    annotations: dict[str, Any] = getattr(one.__init__, "__annotations__", {})
    kinds = {name: str(kind).rpartition(".")[2].removesuffix("'>") for name, kind in annotations.items()}
    return (
        interface.__name__ in kinds.values() if interface in one.__mro__ else kinds.get("inner") == interface.__name__
    )


def _pairs() -> Iterator[tuple[type, type]]:
    for one in _classes():
        yield from ((one, interface) for interface in INTERFACES if one is not interface and _wraps(one, interface))


WRAPPERS = sorted(set(_pairs()), key=lambda pair: pair[0].__qualname__)


def _public(interface: type) -> set[str]:
    return {name for name in dir(interface) if not name.startswith("_")}


def test_the_wrappers_are_found() -> None:
    assert {wrapper.__name__ for wrapper, _ in WRAPPERS} >= KNOWN


@pytest.mark.parametrize(("wrapper", "interface"), WRAPPERS, ids=lambda one: one.__name__)
def test_a_wrapper_has_all_of_its_interface(wrapper: type, interface: type) -> None:
    own = {name for base in wrapper.__mro__ if base not in interface.__mro__ for name in vars(base)}
    forgotten = _public(interface) - own
    assert not forgotten, f"{wrapper.__name__} leaves {forgotten} at the defaults of {interface.__name__}"


def test_a_layered_accessor_has_all_of_an_accessor() -> None:
    forgotten = _public(Accessor) - set(vars(LayeredAccessor))
    assert not forgotten
