"""What the system knows of a connection that asyncio does not tell."""

import os
import select
import sys
from asyncio import BaseTransport
from collections.abc import Iterator

if sys.platform == "linux":
    import fcntl
    import termios


def has_news(transport: BaseTransport) -> bool:
    """Whether there is something to read, such as the end, that the event loop has not seen yet.

    False on a system that cannot tell (Windows).
    """
    if not hasattr(select, "poll"):
        return False
    asked = select.poll()
    asked.register(_descriptor(transport), select.POLLIN)
    return bool(asked.poll(0))


def unsent(transport: BaseTransport) -> int:
    """How many bytes the system holds that the peer has not acknowledged; 0 on a system that does not tell.

    These can be megabytes, which take minutes on a slow line.
    """
    if sys.platform != "linux":
        return 0
    answer = fcntl.ioctl(_descriptor(transport), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(answer, sys.byteorder)


def rest(transport: BaseTransport) -> Iterator[bytes]:
    """What was received on a plain connection that broke while it was sent on, and asyncio no longer reads.

    Raises:
        OSError: there is nothing more.
    """
    while data := os.read(_descriptor(transport), 65536):
        yield data


def _descriptor(transport: BaseTransport) -> int:
    descriptor: int = transport.get_extra_info("socket").fileno()
    return descriptor
