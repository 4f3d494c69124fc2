"""Which services there are, by scheme. It holds strings: a service is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid
from entrepot.raw import ServiceConfig

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP: Final = "entrepot.services"

_BUILT_IN: Final = {
    "file": "entrepot.services.fs:Fs",
    "fs": "entrepot.services.fs:Fs",
    "http": "entrepot.services.http:Http",
    "https": "entrepot.services.http:Http",
    "memory": "entrepot.services.memory:Memory",
    "s3": "entrepot.services.s3:S3",
}


def service_class(scheme: str) -> type[ServiceConfig]:
    """The configuration class of a scheme, from entrepot itself or an installed package.

    Packages add theirs as an entry point of the group `entrepot.services`, named after the scheme.

    Raises:
        ConfigInvalid: there is no such scheme (the known ones are listed), or the package that has it cannot be
            imported or gives something else.
    """
    if not isinstance(scheme, str):
        raise _invalid(f"a scheme is str, not {type(scheme).__name__}")
    lowered = scheme.lower()
    if (target := _BUILT_IN.get(lowered)) is not None:
        module, _, name = target.partition(":")
        built_in: type[ServiceConfig] = getattr(import_module(module), name)
        return built_in
    if (entry := _installed().get(lowered)) is not None:
        return _loaded(entry)
    raise _invalid(f"there is no such scheme; the known ones are {', '.join(schemes())}")


def schemes() -> list[str]:
    """The schemes that can be used, sorted."""
    return sorted({*_BUILT_IN, *_installed()})


def _installed() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {one.name.lower(): one for one in entry_points(group=ENTRY_POINT_GROUP)}


def _loaded(entry: EntryPoint) -> type[ServiceConfig]:
    try:
        found = entry.load()
    except Exception as error:  # whatever the import of somebody else's package raises
        raise _invalid(f"{_named(entry)} cannot be loaded") from error
    if not (isinstance(found, type) and issubclass(found, ServiceConfig)):
        raise _invalid(f"{_named(entry)} is no subclass of ServiceConfig")
    return found


def _named(entry: EntryPoint) -> str:
    package = "an installed package" if entry.dist is None else f"the package {entry.dist.name}"
    return f"the scheme {entry.name!r} of {package} ({entry.value})"


def _invalid(message: str) -> ConfigInvalid:
    return ConfigInvalid(message, operation="configure")
