"""Which services there are, by scheme. It holds strings: a service is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from entrepot.errors import ConfigInvalid
from entrepot.raw import ServiceConfig

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
        ConfigInvalid: there is no such scheme; the known ones are listed.
    """
    target = _BUILT_IN.get(scheme.lower()) or _installed().get(scheme.lower())
    if target is None:
        known = ", ".join(schemes())
        raise ConfigInvalid(f"there is no scheme {scheme!r}; the known ones are {known}", operation="configure")
    module, _, name = target.partition(":")
    loaded: type[ServiceConfig] = getattr(import_module(module), name)
    return loaded


def schemes() -> list[str]:
    """The schemes that can be used, sorted."""
    return sorted(_BUILT_IN | _installed())


def _installed() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {one.name.lower(): one.value for one in entry_points(group=ENTRY_POINT_GROUP)}
