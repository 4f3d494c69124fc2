"""Lazy names of packages: a name is imported on first use, so that `import entrepot` stays cheap."""

from collections.abc import Callable, Collection
from importlib import import_module
from sys import modules


def lazy_names(package: str, homes: dict[str, str], packages: Collection[str] = ()) -> Callable[[str], object]:
    """Returns the `__getattr__` of a package (PEP 562) whose names are defined in its modules.

    Arguments:
        package: the `__name__` of the package.
        homes: the module of each name, relative to the package: `{"Reader": "reader"}`.
        packages: packages in it that are attributes of it as well, without an import of their own.
    """

    def load(name: str) -> object:
        if name in packages:
            return import_module(f"{package}.{name}")  # which makes it an attribute
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(modules[package], name, value)
        return value

    return load


def lazy_dir(package: str) -> Callable[[], list[str]]:
    """Returns the `__dir__` of a package with lazy names, so that interactive shells complete them.

    Arguments:
        package: the `__name__` of the package.
    """

    def names() -> list[str]:
        module = modules[package]
        return sorted({*vars(module), *module.__all__})

    return names
