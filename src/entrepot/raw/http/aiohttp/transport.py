"""The transport itself."""

import asyncio
from collections.abc import Callable
from functools import partial

from entrepot.raw.http import failures
from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.raw.http.origin import Origin
from entrepot.raw.http.origins import Origins
from entrepot.raw.http.pools import Pools
from entrepot.raw.http.transport import HttpRequest, HttpResponse
from entrepot.raw.runtime.loop_local import LoopLocal
from entrepot.raw.runtime.running import is_cancelled, require_task

from .errors import FOREIGN_ERRORS, translated
from .origin import Destination
from .pool import Pool


class AiohttpTransport(ConfiguredTransport):
    """Sends requests with aiohttp, with one pool of connections for each event loop.

    A pool is made on first use, closes by itself when its loop shuts down, and is not shared with a forked child. A GET
    or HEAD is sent once more, immediately, if the server turns out to have closed the kept connection (RFC 9112,
    9.3.1); other requests are never repeated. Content is sent piece by piece, as fast as the server accepts it. If the
    server refuses it before it has all of it, the rest is not sent, and the connection is not used again.

    The caller that makes a transport closes it, or leaves that to the end of the loop: an operator closes only the
    transport that its context made. A layer that needs other timeouts therefore sets those of `HttpRequest` on the
    requests that pass, and does not replace the transport of the context by one that `op.close()` does not know.

    The arguments are those of `ConfiguredTransport`.
    """

    def _start(self) -> None:
        origins = Origins(partial(_destination, self._new_origin))
        make = partial(Pool, self._tls, self._timeouts, self._limits, origins)
        self._pools = LoopLocal[Pools[Pool]](partial(Pools, make), Pools.close)

    async def send(self, request: HttpRequest) -> HttpResponse:
        require_task()
        if not self._tls.is_ready:
            await self._tls.prepare()
        pools = await self._pools.get()
        try:
            return await pools.current().send(request)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            raise failures.CONNECTIONS_CLOSED.error() from None
        except FOREIGN_ERRORS as error:
            raise translated(error) from None

    async def close(self) -> None:
        """Closes the idle connections of the running loop, and each of the others as soon as its request is done."""
        await (await self._pools.get()).retire()


def _destination(new_origin: Callable[[str, bool], Origin], text: str, is_direct: bool) -> Destination:
    return Destination(new_origin(text, is_direct))
