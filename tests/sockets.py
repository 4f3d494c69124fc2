"""What the tests of connections count: the stream sockets of this process, by what they are connected to."""

import gc
import os
import socket
from pathlib import Path


def stream_sockets() -> list[str]:
    """Describes the open stream sockets of this process, garbage excepted.

    Other descriptors are left out: what runs beside a test, such as the measurement of coverage, opens files.
    """
    gc.collect()
    return sorted(filter(None, map(_described, Path("/proc/self/fd").iterdir())))


def _described(link: Path) -> str:
    """The ends of a stream socket; empty for any other descriptor."""
    try:
        if not link.is_socket():
            return ""
        copied = os.dup(int(link.name))
    except OSError:  # it was closed meanwhile
        return ""
    with socket.socket(fileno=copied) as copy:
        if copy.family == socket.AF_UNIX or copy.type != socket.SOCK_STREAM:
            return ""
        return f"{link.name}: {copy.getsockname()} to {_peer(copy)}"


def _peer(connected: socket.socket) -> str:
    try:
        return str(connected.getpeername())
    except OSError as error:
        return f"nobody ({error.strerror})"
