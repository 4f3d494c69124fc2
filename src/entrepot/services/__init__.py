"""What stores: the configuration class of each built-in service, imported on use."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fs import Fs
    from .http import Http
    from .memory import Memory
    from .s3 import S3

__all__ = ["S3", "Fs", "Http", "Memory"]

_ROOMS = {"Fs": "fs", "Http": "http", "Memory": "memory", "S3": "s3"}


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
