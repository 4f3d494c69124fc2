"""What stores: the configuration class of each built-in service, imported on use."""

from typing import TYPE_CHECKING

from entrepot._lazy import lazy_names

if TYPE_CHECKING:
    from .fs import Fs
    from .http import Http
    from .memory import Memory
    from .s3 import S3

__all__ = ["S3", "Fs", "Http", "Memory"]

__getattr__ = lazy_names(__name__, {"Fs": "fs", "Http": "http", "Memory": "memory", "S3": "s3"})
