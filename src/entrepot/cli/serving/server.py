"""Runs a site until it is ended."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final

from aiohttp import web

from .pages import ICON, SCRIPT, STYLE
from .site import Site

_TYPES: Final = {
    STYLE: "text/css; charset=utf-8",
    SCRIPT: "text/javascript; charset=utf-8",
    ICON: "image/svg+xml",
}
_LOG: Final = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())  # requests that are not HTTP are logged for -v only

_GRACE: Final = 1.0
"""Seconds that responses may take to end when the server ends."""


async def load_assets() -> Mapping[str, tuple[str, bytes]]:
    """The files of the pages by their URLs, read in a thread."""
    folder = files(__package__) / "assets"
    return {
        url: (kind, await asyncio.to_thread((folder / url.rpartition("/")[2]).read_bytes))
        for url, kind in _TYPES.items()
    }


@asynccontextmanager
async def running(site: Site, host: str, port: int) -> AsyncGenerator[int, None]:
    """Runs a site in a context, which has the port. At its end uploads that are not complete are given up.

    Arguments:
        site: the site.
        host: the address to listen on.
        port: the port; 0 is a free one.

    Raises:
        OSError: the address cannot be used.
    """
    runner = web.AppRunner(
        site.application(), access_log=None, logger=_LOG, handler_cancellation=True, shutdown_timeout=_GRACE
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def until_ended() -> None:
    """Waits for Ctrl-C or a request to terminate. Both are how a server ends, and not a failure."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
