"""The transport itself."""

from functools import partial

from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.raw.http.origins import Origins
from entrepot.raw.http.pools import Pools
from entrepot.raw.http.transport import HttpRequest, HttpResponse
from entrepot.raw.runtime.loop_local import LoopLocal
from entrepot.raw.runtime.running import require_task, running_loop

from .pool import Pool


class NativeTransport(ConfiguredTransport):
    """Sends requests over our own connections, with one pool of them for each event loop.

    A pool is made on first use, closes by itself when its loop shuts down, and is not shared with a forked child. A GET
    or HEAD is sent once more, immediately, if the server turns out to have closed the kept connection (RFC 9112,
    9.3.1). Another request is sent on a new connection only if nothing of it was sent. Content is sent piece by piece,
    as fast as the server accepts it. If the server refuses it before it has all of it, the rest is not sent, and the
    connection is not used again.

    The caller that makes a transport closes it, or leaves that to the end of the loop: an operator closes only the
    transport that its context made. A layer that needs other timeouts therefore sets those of `HttpRequest` on the
    requests that pass, and does not replace the transport of the context by one that `op.close()` does not know.

    The arguments are those of `ConfiguredTransport`. A timeout is never early, and up to a tenth late.
    """

    def _start(self) -> None:
        make = partial(Pool, self._tls, self._timeouts, self._limits, Origins(self._new_origin))
        self._pools = LoopLocal[Pools[Pool]](partial(Pools, make), Pools.close)

    async def send(self, request: HttpRequest) -> HttpResponse:
        pools = self._pools.find(require_task())
        if pools is None:  # they are made once the files of TLS have been read
            if not self._tls.is_ready:
                await self._tls.prepare()
            pools = await self._pools.get()
        return await pools.current().send(request)

    async def close(self) -> None:
        """Closes the idle connections of the running loop, and each of the others as soon as its request is done."""
        if (pools := self._pools.find(running_loop())) is not None:
            await pools.retire()
