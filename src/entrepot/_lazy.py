"""Packages whose names are imported when they are first used, so that nobody pays for what they do not use."""

from collections.abc import Callable
from importlib import import_module
from sys import modules


def lazy_names(package: str, rooms: dict[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package (PEP 562) whose names live in its modules.

    Arguments:
        package: the `__name__` of the package.
        rooms: the module of each name, relative to the package: `{"Reader": "reader"}`.
    """

    def load(name: str) -> object:
        if name not in rooms:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{rooms[name]}"), name)
        setattr(modules[package], name, value)
        return value

    return load
