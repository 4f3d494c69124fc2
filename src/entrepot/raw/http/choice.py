"""The transport of a configuration. The transports are imported when one is made, so that only one is loaded."""

from typing import Final

from .configured import ConfiguredTransport
from .settings import TRANSPORTS, TransportSettings

DEFAULT: Final = TRANSPORTS[0]


def new_transport(settings: TransportSettings | None = None) -> ConfiguredTransport:
    """A transport on an event loop, with the settings of a configuration; by default the default one.

    Raises:
        Unsupported: it is that over aiohttp, and the installed release of aiohttp lacks something.
    """
    settings = settings or TransportSettings()
    if (settings.http or DEFAULT) == "aiohttp":
        from .aiohttp import AiohttpTransport

        return AiohttpTransport.of(settings)
    from .native import NativeTransport

    return NativeTransport.of(settings)
