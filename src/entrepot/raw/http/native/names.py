"""The addresses of names, remembered for some seconds.

Theory of operation. Many connections to one server are often made at the same time. The first looks the name up, and
the others wait for its result, or its failure; if the first is cancelled, the next one looks it up. Each connection
starts with the next address of the result, so that they are spread over the addresses of a server.
"""

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from entrepot.raw.http.host_name import encoded_host

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

KEPT: Final = 10.0
"""Seconds for which the addresses of a name are remembered."""

MOST: Final = 1024
"""The most names that are remembered."""


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An address to connect to.

    Arguments:
        family: `AF_INET` or `AF_INET6`.
        target: the address and port, as `socket.connect` takes them.
    """

    family: int
    target: tuple[Any, ...]


class _LookUp:
    """The look-up of one name: its result or error, once it is done. A cancelled one has neither."""

    __slots__ = ("addresses", "done", "due", "error", "turn")

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.addresses: list[SocketAddress] = []
        self.error: OSError | UnicodeError | None = None
        self.due = 0.0
        self.turn = 0

    def next_addresses(self) -> list[SocketAddress]:
        """The addresses, each time from the next one on."""
        start = self.turn % len(self.addresses)
        self.turn += 1
        return self.addresses[start:] + self.addresses[:start]


class Names:
    """The addresses of names on one event loop.

    Arguments:
        loop: the event loop.
    """

    __slots__ = ("_look_ups", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._look_ups: dict[tuple[str, int], _LookUp] = {}

    async def addresses(self, host: str, port: int) -> list[SocketAddress]:
        """The addresses of a host, in the order in which to try them.

        Raises:
            OSError: the name cannot be resolved.
            UnicodeError: it cannot be a name.
        """
        literal = _literal(host, port)
        if literal is not None:
            return [literal]
        while (look_up := self._look_ups.get((host, port))) is not None:
            await look_up.done.wait()
            if look_up.error is not None:
                raise type(look_up.error)(*look_up.error.args)
            if look_up.addresses and self._loop.time() < look_up.due:
                return look_up.next_addresses()
            if self._look_ups.get((host, port)) is look_up:
                del self._look_ups[host, port]
        return await self._looked_up(host, port)

    async def _looked_up(self, host: str, port: int) -> list[SocketAddress]:
        look_up = self._look_ups[host, port] = _LookUp()
        try:
            look_up.addresses = await self._resolve(host, port)
            look_up.due = self._loop.time() + KEPT
        except (OSError, UnicodeError) as error:
            look_up.error = error
            raise
        finally:
            look_up.done.set()
            if not look_up.addresses or len(self._look_ups) > MOST:
                self._look_ups.pop((host, port), None)
        return look_up.next_addresses()

    async def _resolve(self, host: str, port: int) -> list[SocketAddress]:
        found = await self._loop.getaddrinfo(
            encoded_host(host),
            port,
            type=socket.SOCK_STREAM,
            proto=socket.IPPROTO_TCP,
            flags=socket.AI_ADDRCONFIG,
        )
        addresses = [SocketAddress(family, target) for family, _, _, _, target in found]
        if not addresses:
            raise OSError("the name has no address")
        return addresses


def _literal(host: str, port: int) -> SocketAddress | None:
    """The address that the host is; None if it is a name."""
    with suppress(OSError, UnicodeError, ValueError):
        socket.inet_pton(socket.AF_INET, host)
        return SocketAddress(socket.AF_INET, (host, port))
    with suppress(OSError, UnicodeError, ValueError):
        socket.inet_pton(socket.AF_INET6, host)
        return SocketAddress(socket.AF_INET6, (host, port, 0, 0))
    return None
