"""A server that answers by script, byte for byte, however wrong, and writes down what it was asked.

It runs in a thread with a loop of its own, so that a client that blocks cannot stop it.

    def script(asked):
        return [b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhel", PAUSE, RESET]

    with MisbehavingServer(script) as server:
        op = Operator(Http(server.endpoint))
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Self


class Fault(Enum):
    """What a server does besides sending bytes."""

    PAUSE = auto()
    CLOSE = auto()
    RESET = auto()
    STALL = auto()
    HOLD = auto()
    END = auto()


PAUSE = Fault.PAUSE
"""Waits a moment, so that what follows arrives by itself."""

CLOSE = Fault.CLOSE
"""Closes the connection."""

RESET = Fault.RESET
"""Breaks the connection (RST)."""

STALL = Fault.STALL
"""Says no more, takes whatever comes, and waits until the client goes."""

HOLD = Fault.HOLD
"""Says no more and takes nothing, until the server is told to stop or to `let_go`."""

END = Fault.END
"""Says that nothing more comes, and leaves the connection open."""


@dataclass(frozen=True)
class Take:
    """A step that takes so many bytes of content from the client."""

    size: int


@dataclass(frozen=True)
class Asked:
    """One request.

    Arguments:
        number: how many came before it.
        connection: on which connection it came, counted from 0.
        head: its bytes, up to and with the empty line.
        content: what came after the head; empty where the server leaves that to the script.
    """

    number: int
    connection: int
    head: bytes
    content: bytes = b""

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


Answer = Iterable[bytes | Fault | Take]


class MisbehavingServer:
    """A server on a free port of 127.0.0.1, up while it is entered.

    Arguments:
        script: gives the answer to each request. After it the connection stays open, unless the script closes it.
        tls: how to speak TLS; None is plain HTTP.
        takes_content: whether the content of a request is taken before the script is asked; otherwise only what
            steps take is.
        receive_buffer: how many bytes, about, the system takes for the server before that does; None is as it likes.
    """

    def __init__(
        self,
        script: Callable[[Asked], Answer],
        tls: ssl.SSLContext | None = None,
        *,
        takes_content: bool = True,
        receive_buffer: int | None = None,
    ) -> None:
        self.script = script
        self.taken = 0
        self.asked: list[Asked] = []
        self.connections = 0
        self.open_connections = 0
        self.sent = 0
        self._takes_content = takes_content
        self._receive_buffer = receive_buffer
        self._may_go_on = asyncio.Event()
        self._tls = tls
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="misbehaving server")

    @property
    def endpoint(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self._port}"

    def let_go(self) -> None:
        """Ends every `HOLD`, and its connection."""
        self._loop.call_soon_threadsafe(self._may_go_on.set)

    def wait_until_left(self, seconds: float = 10.0) -> None:
        """Waits until the client has closed every connection."""
        deadline = time.monotonic() + seconds
        while self.open_connections:
            assert time.monotonic() < deadline, f"{self.open_connections} connections are still open"
            time.sleep(0.005)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_up.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.let_go()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        listening = socket.create_server(("127.0.0.1", 0))
        if self._receive_buffer is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        server = await asyncio.start_server(self._converse, sock=listening, ssl=self._tls)
        self._port = server.sockets[0].getsockname()[1]
        self._is_up.set()
        await self._stop.wait()
        server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection, self.connections = self.connections, self.connections + 1
        self.open_connections += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                while await self._answer(reader, writer, connection):
                    pass
        except asyncio.CancelledError:
            # The server stops, which is no error of this conversation.
            pass
        finally:
            writer.transport.abort()
            self.open_connections -= 1

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        asked = Asked(len(self.asked), connection, head)
        if self._takes_content:
            content = await self._take(reader, int(asked.headers.get("content-length", 0)))
            asked = replace(asked, content=content)
        self.asked.append(asked)
        for step in self.script(asked):
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
                self.sent += len(step)
            elif isinstance(step, Take):
                await self._take(reader, step.size)
            elif not await self._misbehave(step, reader, writer):
                return False
        return True

    async def _take(self, reader: asyncio.StreamReader, size: int) -> bytes:
        content = await reader.readexactly(size) if size else b""
        self.taken += size
        return content

    async def _misbehave(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if fault is PAUSE:
            await asyncio.sleep(0.03)
            return True
        if fault is END:
            writer.write_eof()
            return True
        if fault is STALL:
            while await reader.read(65536):
                pass
        elif fault is HOLD:
            await self._may_go_on.wait()
        elif fault is RESET:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            writer.close()
            await writer.wait_closed()
        return False


def reply(status: str, *headers: str, content: bytes = b"") -> bytes:
    """A reply: `reply("200 OK", "Content-Length: 5", content=b"hello")`."""
    return "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers, "")).encode("latin-1") + content


def whole(content: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A reply that keeps its word."""
    return reply(status, *headers, f"Content-Length: {len(content)}", content=content)


def chunked(*chunks: bytes) -> bytes:
    """Content in the chunked transfer coding, without its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


class GoodScript:
    """Answers as a web server should, for tests that count.

    Arguments:
        content: what every path holds.
        etag: its etag.
    """

    def __init__(self, content: bytes, etag: str = '"1"') -> None:
        self._content = content
        self._etag = etag

    def __call__(self, asked: Asked) -> list[bytes]:
        if asked.method == "HEAD":
            return [reply("200 OK", f"ETag: {self._etag}", f"Content-Length: {len(self._content)}")]
        if asked.range is None:
            return [whole(self._content, f"ETag: {self._etag}")]
        return [self._part(asked.range)]

    def _part(self, stated: str) -> bytes:
        first, _, last = stated.removeprefix("bytes=").partition("-")
        size = len(self._content)
        begin = int(first) if first else max(0, size - int(last))
        end = min(size, int(last) + 1) if first and last else size
        if begin >= size:
            return whole(b"", f"Content-Range: bytes */{size}", status="416 Range Not Satisfiable")
        described = f"Content-Range: bytes {begin}-{end - 1}/{size}"
        return whole(self._content[begin:end], f"ETag: {self._etag}", described, status="206 Partial Content")
