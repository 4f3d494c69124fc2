"""Every public name says what it is."""

import dataclasses
import inspect
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest

PACKAGES = [
    "entrepot",
    "entrepot.blocking",
    "entrepot.errors",
    "entrepot.types",
    "entrepot.services",
    "entrepot.integrations.fsspec",
    "entrepot.integrations.obspec",
    "entrepot.integrations.pyarrow",
    "entrepot.integrations.upath",
    "entrepot.integrations.zarr",
    "entrepot.layers",
    "entrepot.testing",
    "entrepot.raw",
    "entrepot.raw.http",
    "entrepot.raw.oio",
    "entrepot.raw.runtime",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_a_docstring(package: str) -> None:
    module = import_module(package)
    assert inspect.getdoc(module), f"{package} says nothing of itself"
    names = dict(_public(module))
    silent = [name for name, value in names.items() if not _own_docstring(value)]
    assert not silent, f"{package} has public names without a docstring: {', '.join(silent)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_method_has_a_docstring(package: str) -> None:
    silent = [
        f"{name}.{method}"
        for name, value in _public(import_module(package))
        if isinstance(value, type)
        for method, function in _methods(value)
        if not inspect.getdoc(function)
    ]
    assert not silent, f"{package} has public methods without a docstring: {', '.join(silent)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_sorted_and_true(package: str) -> None:
    module = import_module(package)
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert not missing, f"{package}.__all__ promises what is not there: {missing}"
    assert len(set(module.__all__)) == len(module.__all__)


def _public(module: ModuleType) -> Iterator[tuple[str, object]]:
    """The classes and functions of `__all__`; a constant is described where it stands."""
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            yield name, value


def _own_docstring(value: object) -> str | None:
    """The docstring, unless it is inherited or was made up by `dataclass` out of the fields."""
    text = vars(value).get("__doc__") if isinstance(value, type) else inspect.getdoc(value)
    is_made_up = dataclasses.is_dataclass(value) and str(text).startswith(f"{getattr(value, '__name__', '')}(")
    return None if is_made_up else text


def _methods(cls: type) -> Iterator[tuple[str, object]]:
    for name, value in inspect.getmembers(cls, lambda one: inspect.isroutine(one) or isinstance(one, property)):
        if not name.startswith("_") and str(_module_of(value)).startswith("entrepot"):
            yield name, getattr(cls, name)


def _module_of(value: object) -> object:
    return getattr(value.fget, "__module__", "") if isinstance(value, property) else getattr(value, "__module__", "")
