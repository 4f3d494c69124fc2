"""What the tests of connections share: the sockets of this process, and servers that a script cannot be."""

import asyncio
import gc
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OPEN = Path("/proc/self/fd")

TURNS = 5
"""The turns of an event loop that accepting a connection takes, and one more."""


def stream_sockets() -> list[str]:
    """Describes the open stream sockets of this process, garbage and those of `accepted_sockets` excepted.

    Other descriptors are left out: what runs beside a test, such as the measurement of coverage, opens files.
    """
    gc.collect()
    accepted = accepted_sockets()
    return sorted(filter(None, (_described(link) for link in OPEN.iterdir() if link.name not in accepted)))


def accepted_sockets() -> set[str]:
    """The descriptors of the connections that servers in this process accepted.

    A server notices a moment later that its client closed a connection.
    """
    addresses: dict[str, tuple[bool, object]] = {}
    for link in OPEN.iterdir():
        with _copied(link) as copy:
            if copy is not None:
                is_listening = bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
                addresses[link.name] = is_listening, copy.getsockname()
    served = {address for is_listening, address in addresses.values() if is_listening}
    return {name for name, (is_listening, address) in addresses.items() if address in served and not is_listening}


@contextmanager
def _copied(link: Path) -> Iterator[socket.socket | None]:
    """A copy of a stream socket of the Internet; None for any other descriptor."""
    try:
        copied = os.dup(int(link.name)) if link.is_socket() else None
    except OSError:  # it was closed meanwhile
        copied = None
    if copied is None:
        yield None
        return
    with socket.socket(fileno=copied) as copy:
        yield copy if copy.family != socket.AF_UNIX and copy.type == socket.SOCK_STREAM else None


def _described(link: Path) -> str:
    """The ends of a stream socket; empty for any other descriptor."""
    with _copied(link) as copy:
        return "" if copy is None else f"{link.name}: {copy.getsockname()} to {_peer(copy)}"


def _peer(connected: socket.socket) -> str:
    try:
        return str(connected.getpeername())
    except OSError as error:
        return f"nobody ({error.strerror})"


async def stop_accepting(server: asyncio.Server) -> None:
    """Closes a server, after the connections that it is accepting, which CPython 3.11 leaves open otherwise.

    A client may be connected, and have gone on, before the server has accepted it.
    """
    loop = asyncio.get_running_loop()
    if isinstance(loop, asyncio.SelectorEventLoop):
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())
        for _ in range(TURNS):
            await asyncio.sleep(0)
    server.close()


def respond_early(
    server: socket.socket, status: str, tls: ssl.SSLContext | None, may_go_on: threading.Event
) -> OSError | None:
    """Responds to a request before its content has arrived, and takes the rest. Returns its error; None is an end."""
    connection = server.accept()[0]
    connection.settimeout(10)
    if tls is not None:
        connection = tls.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
    with connection:
        connection.recv(1000)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        may_go_on.wait(10)
        try:
            while connection.recv(1 << 20):
                pass
        except OSError as error:
            # OpenSSL calls a FIN without a close notification so, and a reset by another name.
            return None if getattr(error, "reason", None) == "UNEXPECTED_EOF_WHILE_READING" else error
    return None
