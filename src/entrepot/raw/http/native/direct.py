"""Content that is sent to the socket of a connection, past the transport of the event loop.

Theory of operation. The transports of asyncio copy what the system does not take at once (with Python 3.11, and once
more with each piece that it takes later). A large upload is mostly that, since a socket takes a few MiB. So the
content goes to the system in views of the caller's memory, as much at a time as the system takes.

The event loop lets nobody else wait for a descriptor that it watches, so a duplicate of the socket is sent to and
waited for. It is closed when the sender ends, in whatever way; until then the connection stays open, even if the event
loop closes its own descriptor. `Connection.connection_lost` wakes the sender.

uvloop's transports copy nothing, but a turn of the loop for each small piece costs more than few large ones.

Only a connection whose transport has nothing left to send is used in this way, and only on a loop that can wait for
descriptors: the usual one of Windows cannot. A connection with TLS sends by its own channel (`tls_channel`), and has no
second descriptor; with the TLS of an event loop there is no such way.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, Protocol, Self

MOST: Final = 4 * 1024 * 1024
"""The most bytes of one call of the system. A socket rarely takes more, and the event loop waits for the call."""

_MOST_VIEWS: Final = 1024
"""The most views of one call: the limit of Linux."""


def is_possible(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether content can be sent in this way: not on Windows, nor on a loop that cannot wait for descriptors."""
    return hasattr(socket.socket, "sendmsg") and type(loop).add_writer is not asyncio.AbstractEventLoop.add_writer


def batches(content: Sequence[bytes | memoryview]) -> Iterator[list[memoryview]]:
    """Cuts content into the views of each call, without a copy."""
    batch: list[memoryview] = []
    size = 0
    for view in _views(content):
        if batch and (size + len(view) > MOST or len(batch) == _MOST_VIEWS):
            yield batch
            batch, size = [], 0
        batch.append(view)
        size += len(view)
    if batch:
        yield batch


def _views(content: Sequence[bytes | memoryview]) -> Iterator[memoryview]:
    for part in content:
        view = memoryview(part).cast("B")
        for start in range(0, len(view), MOST):
            yield view[start : start + MOST]


def divided(content: Sequence[bytes | memoryview], size: int) -> tuple[bytes, list[memoryview]]:
    """A copy of the first `size` bytes of content, and views of the rest."""
    views = [memoryview(part).cast("B") for part in content]
    first = bytearray()
    for view in views:
        first += view[: size - len(first)]
    return bytes(first), without_first(views, len(first))


def without_first(batch: Sequence[memoryview], size: int) -> list[memoryview]:
    """The views without their first `size` bytes."""
    for index, view in enumerate(batch):
        if size < len(view):
            return [view[size:], *batch[index + 1 :]]
        size -= len(view)
    return []


class Direct(Protocol):
    """What content is sent to, as far as the system takes it. Use it in a `with` block."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def send(self, batch: Sequence[memoryview]) -> int:
        """Sends as many bytes as the system takes now. Returns their number. The next call must start with the others.

        Raises:
            OSError: the connection broke.
        """

    def call_when_writable(self, callback: Callable[[], object]) -> None:
        """Calls back whenever the system takes more, or the connection broke, until `stop_calling`."""

    def stop_calling(self) -> None:
        """Ends `call_when_writable`."""


class DirectSocket:
    """A second descriptor of a connected socket. Use it in a `with` block.

    Arguments:
        loop: the event loop.
        connected: the socket.

    Raises:
        OSError: the socket is closed, or there are too many open files.
    """

    __slots__ = ("_loop", "_socket")

    def __init__(self, loop: asyncio.AbstractEventLoop, connected: socket.socket) -> None:
        self._loop = loop
        self._socket = connected.dup()
        self._socket.setblocking(False)  # the one of uvloop has `socket.setdefaulttimeout` on some systems

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()

    def send(self, batch: Sequence[memoryview]) -> int:
        """Sends as many bytes as the system takes now. Returns their number.

        Raises:
            OSError: the connection broke.
        """
        with suppress(BlockingIOError, InterruptedError):
            return self._socket.send(batch[0]) if len(batch) == 1 else self._socket.sendmsg(batch)
        return 0

    def call_when_writable(self, callback: Callable[[], object]) -> None:
        """Calls back whenever the system takes more, or the connection broke, until `stop_calling`."""
        self._loop.add_writer(self._socket.fileno(), callback)

    def stop_calling(self) -> None:
        """Ends `call_when_writable`."""
        self._loop.remove_writer(self._socket.fileno())
