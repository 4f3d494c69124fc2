"""The minimum: raw system calls, or an asyncio protocol that only counts bytes."""

import os
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

from . import CONTENT, PIECE, pieces_of


def _head(method: str, bucket: str, key: str, length: int | None = None) -> bytes:
    stated = "" if length is None else f"Content-Length: {length}\r\n"
    return f"{method} /{bucket}/{key} HTTP/1.1\r\nHost: 127.0.0.1\r\n{stated}\r\n".encode()


def _lengths(head: bytes | bytearray) -> tuple[int, int]:
    """Lengths of a head and of the content after it, when the head is complete; else (0, 0)."""
    end = head.find(b"\r\n\r\n") + 4
    if end < 4:
        return 0, 0
    return end, int(head[:end].lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)


def _protocol() -> type:
    import asyncio

    class Counting(asyncio.BufferedProtocol):
        """Counts the bytes of one response at a time, and reads only its length."""

        def __init__(self) -> None:
            self.buffer = bytearray(256 * 1024)
            self.view = memoryview(self.buffer)

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def ask(self, request: bytes) -> "asyncio.Future[int]":
            self.left, self.length = -1, 0
            self.done = asyncio.get_running_loop().create_future()
            self.transport.write(request)
            return self.done

        def get_buffer(self, _sizehint: int) -> memoryview:
            return self.view

        def buffer_updated(self, nbytes: int) -> None:
            if self.left < 0:
                end, self.length = _lengths(self.buffer[:nbytes])
                self.left = self.length + end
            self.left -= nbytes
            if not self.left:
                self.done.set_result(self.length)

    return Counting


def _tls(url: str) -> Any:
    """What checks the certificate of an https server; None for http."""
    if url.startswith("http:"):
        return None
    import ssl

    return ssl.create_default_context()


class S3:
    def __init__(self, url: str, bucket: str) -> None:
        self._address = urlsplit(url).hostname, urlsplit(url).port
        self._tls = _tls(url)
        self._bucket = bucket
        self._protocol = _protocol()
        self._free: list[Any] = []

    async def _ask(self, request: bytes) -> int:
        connection = self._free.pop() if self._free else await self._connection()
        length = await connection.ask(request)
        self._free.append(connection)
        return length

    async def _connection(self) -> Any:
        import asyncio

        return (await asyncio.get_running_loop().create_connection(self._protocol, *self._address, ssl=self._tls))[1]

    async def get(self, key: str) -> int:
        return await self._ask(_head("GET", self._bucket, key))

    async def put(self, key: str) -> int:
        await self._ask(_head("PUT", self._bucket, key, len(CONTENT)) + CONTENT)
        return len(CONTENT)

    stream = get


class BlockingS3:
    def __init__(self, url: str, bucket: str) -> None:
        self._address = urlsplit(url).hostname, urlsplit(url).port
        self._tls = _tls(url)
        self._bucket = bucket
        self._own = threading.local()

    def get(self, key: str) -> int:
        connection = getattr(self._own, "socket", None) or self._connect()
        connection.sendall(_head("GET", self._bucket, key))
        received = connection.recv(65536)
        end, length = _lengths(received)
        while len(received) < end + length:
            received += connection.recv(65536)
        return length

    def _connect(self) -> socket.socket:
        """A connection of this thread."""
        connection = socket.create_connection(self._address)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_hostname=self._address[0])
        self._own.socket = connection
        return connection


class BlockingLocal:
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read(self, path: str) -> int:
        descriptor = os.open(f"{self._folder}/{path}", os.O_RDONLY)
        content = os.read(descriptor, 65536)
        os.close(descriptor)
        return len(content)

    def stat(self, path: str) -> int:
        return os.stat(f"{self._folder}/{path}").st_size  # noqa: PTH116 - the measured call


class Local:
    """Runs in the thread of the loop: the cost of a thread call is not a limit of the system."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._blocking = BlockingLocal(folder)

    async def read(self, path: str) -> int:
        return self._blocking.read(path)

    async def stat(self, path: str) -> int:
        return self._blocking.stat(path)

    async def list(self, path: str) -> int:
        with os.scandir(f"{self._folder}/{path}") as entries:
            return sum(entry.is_file() for entry in entries)

    async def walk(self, path: str) -> int:
        return sum(len(files) for _, _, files in os.walk(f"{self._folder}/{path}"))

    async def stream(self, path: str) -> int:
        return await self.chunks(path, PIECE)

    async def chunks(self, path: str, chunk_size: int) -> int:
        descriptor, buffer, size = os.open(f"{self._folder}/{path}", os.O_RDONLY), bytearray(chunk_size), 0
        while count := os.readv(descriptor, [buffer]):
            size += count
        os.close(descriptor)
        return size

    async def write(self, path: str, size: int) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        descriptor = os.open(f"{self._folder}/{path}", flags, 0o600)
        written = sum(os.write(descriptor, piece) for piece in pieces_of(size))
        os.close(descriptor)
        return written
