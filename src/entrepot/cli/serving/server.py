"""Runs a site until it is ended."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from resource import RLIMIT_NOFILE, getrlimit
from typing import Any, Final

from aiohttp import web

from .pages import ICON, SCRIPT, STYLE
from .site import Handler, Site

_TYPES: Final = {
    STYLE: "text/css; charset=utf-8",
    SCRIPT: "text/javascript; charset=utf-8",
    ICON: "image/svg+xml",
}
_LOG: Final = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())  # requests that are not HTTP are logged for -v only

_GRACE: Final = 1.0
"""Seconds that responses may take to end when the server ends."""

_PATIENCE: Final = 30.0
"""Seconds in which the head of a connection's first request must arrive."""

_IDLE: Final = 75.0
"""Seconds that a connection stays open for its next request, whose head must arrive in them."""

_MOST: Final = 1000
"""The most connections. Each holds a descriptor, and another one for the file that it reads."""


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
    application, silent = site.application(), dict[web.RequestHandler, asyncio.TimerHandle]()

    @web.middleware
    async def noted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (timer := silent.pop(request.protocol, None)) is not None:
            timer.cancel()
        return await handler(request)

    application.middlewares.insert(0, noted)
    runner = web.AppRunner(
        application,
        access_log=None,
        logger=_LOG,
        handler_cancellation=True,
        keepalive_timeout=_IDLE,
        shutdown_timeout=_GRACE,
    )
    await runner.setup()
    assert runner.server is not None
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_fault)
    try:
        listener = await loop.create_server(_Acceptor(runner.server, silent, loop), host, port)
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
            for timer in silent.values():
                timer.cancel()
    finally:
        await runner.cleanup()
        loop.set_exception_handler(None)


def _log_fault(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Logs what no request has to do with, such as that there are no descriptors for more connections."""
    _LOG.warning("%s", context["message"], exc_info=context.get("exception"))


class _Acceptor:
    """Makes the protocol of each connection, up to a number, and closes one that sends no first request.

    Otherwise clients that connect and wait would use up the descriptors of the process, and nobody else could connect.

    Arguments:
        server: makes the protocols.
        silent: receives those that had no request yet, each with its timer.
        loop: has the timers.
    """

    def __init__(
        self,
        server: web.Server,
        silent: dict[web.RequestHandler, asyncio.TimerHandle],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._server = server
        self._silent = silent
        self._loop = loop
        self._new = 0
        self._most = min(_MOST, getrlimit(RLIMIT_NOFILE)[0] // 3)

    def __call__(self) -> asyncio.Protocol:
        if len(self._server.connections) + self._new >= self._most:
            return _Refusing()
        self._new += 1
        self._loop.call_soon(self._loop.call_soon, self._forget_new)  # the server counts it one turn of the loop later
        protocol = self._server()
        self._silent[protocol] = self._loop.call_later(_PATIENCE, self._close_if_silent, protocol)
        return protocol

    def _forget_new(self) -> None:
        self._new -= 1

    def _close_if_silent(self, protocol: web.RequestHandler) -> None:
        if self._silent.pop(protocol, None) is not None:
            protocol.force_close()


class _Refusing(asyncio.Protocol):
    """Closes its connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def end_of_serving() -> asyncio.Event:
    """An event that Ctrl-C or a request to terminate sets. Both are how a server ends, and not a failure."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    return ended
