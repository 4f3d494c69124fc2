"""An HTTP server on loopback that answers by script, byte for byte, and records the requests.

    def script(request):
        return [raw_response("200 OK", "Content-Length: 5", content=b"hel"), PAUSE, RESET]

    with ScriptedServer(script) as server:
        op = Operator(Http(server.endpoint))

It shows how a client behaves where no real server can be made to do wrong: half an answer, an answer that is wrong, a
connection that breaks at a chosen byte. With an `upstream`, a real server answers the requests that the script does
not: `PASS` relays its answer, and `FORWARD` lets it execute a request and drops the answer. The answers of S3 and of
the services around it are in `entrepot.testing.aws_answers`.

Theory of operation. The server runs an event loop in a thread of its own, so that a client that blocks cannot stop it.
Each connection is served by one task, one request after the other: the head is read, then the content if the server
takes contents, then the script is called and its steps are done in order. A step ends the answer, the connection, or
neither. Scripts run in the thread of the server, one at a time. The first exception of a script closes its connection,
and is raised again at the end of the `with` block.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, Self
from urllib.parse import urlsplit

from entrepot.errors import InvalidInput

START_SECONDS: Final = 10.0
"""Seconds that the thread may take to start or to end."""

_PAUSE_SECONDS: Final = 0.03
_TURNS: Final = 5
_PIECE: Final = 1 << 16
_RESET: Final = struct.pack("ii", 1, 0)
_CONNECTION_HEADER: Final = re.compile(rb"\r\nconnection:[^\r\n]*", re.IGNORECASE)


class Action(Enum):
    """A step of an answer that sends no bytes of the script."""

    PAUSE = auto()
    CLOSE = auto()
    RESET = auto()
    STALL = auto()
    HOLD = auto()
    END = auto()
    PASS = auto()
    FORWARD = auto()


_GO_ON: Final = (Action.PAUSE, Action.END, Action.FORWARD)
"""The steps after which the answer goes on. Others end the connection."""

PAUSE: Final = Action.PAUSE
"""Waits 30 ms, so that the bytes that follow arrive by themselves."""

CLOSE: Final = Action.CLOSE
"""Closes the connection (FIN)."""

RESET: Final = Action.RESET
"""Breaks the connection (RST)."""

STALL: Final = Action.STALL
"""Sends nothing more, takes what arrives, and waits until the client leaves."""

HOLD: Final = Action.HOLD
"""Sends nothing more and takes nothing, until the server stops or `let_go` is called."""

END: Final = Action.END
"""Ends the direction to the client, and leaves the connection open."""

PASS: Final = Action.PASS
"""Sends the request to the upstream server, relays its answer, and closes the connection."""

FORWARD: Final = Action.FORWARD
"""Sends the request to the upstream server, waits for the end of its answer, and drops that."""


@dataclass(frozen=True, slots=True)
class Take:
    """A step that takes bytes of content from the client.

    Arguments:
        size: the number of bytes.
    """

    size: int


@dataclass(frozen=True, slots=True)
class Drip:
    """A step that sends the same bytes again and again, slowly.

    Arguments:
        content: the bytes.
        times: how often they are sent.
        seconds: the time before each.
    """

    content: bytes
    times: int
    seconds: float = 0.01


@dataclass(frozen=True, slots=True)
class Together:
    """A step that waits until the server has so many requests, which are then in flight at the same time.

    Arguments:
        requests: the number of requests, from the first one on.
    """

    requests: int


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request.

    Arguments:
        number: the number of requests before it.
        connection: the number of connections before its own.
        head: its bytes, up to and with the empty line.
        content: its content; empty if the server leaves that to the script.
    """

    number: int
    connection: int
    head: bytes
    content: bytes = b""

    @property
    def method(self) -> str:
        """The method, such as `"GET"`."""
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        """The path and the query, as sent."""
        return self.head.split(b" ", 2)[1].decode()

    @property
    def headers(self) -> dict[str, str]:
        """The headers, by name in lower case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def range(self) -> str | None:
        """The Range header; None without one."""
        return self.headers.get("range")


Step = bytes | Action | Take | Drip | Together
Answer = Iterable[Step]
Script = Callable[[ReceivedRequest], Answer]


class ScriptedServer:
    """A server on a free port of 127.0.0.1, running while its `with` block does.

    Arguments:
        script: returns the answer to a request: its steps, in order. After them the connection stays open, unless a
            step closes it. A sequence of answers gives one to each request in turn, and the last one to all further
            requests.
        tls: the TLS configuration; None is plain HTTP.
        takes_content: whether the content of a request is taken before the script is called; otherwise only `Take`
            steps take it.
        receive_buffer: about how many bytes the system takes for the server before the server does; None leaves that
            to the system.
        upstream: the URL of the server, over plain HTTP, that answers what the script does not (`PASS`, `FORWARD`).

    Attributes:
        requests: the requests, in order.
        connections: the number of connections so far.
        open_connections: the number of connections that are open.
        sent: the number of bytes that answers have sent.
        taken: the number of bytes of content that were taken.
    """

    def __init__(
        self,
        script: Script | Sequence[Answer],
        tls: ssl.SSLContext | None = None,
        *,
        takes_content: bool = True,
        receive_buffer: int | None = None,
        upstream: str = "",
    ) -> None:
        self.script: Script = script if callable(script) else InTurn(script)
        self.taken = 0
        self.requests: list[ReceivedRequest] = []
        self.connections = 0
        self.open_connections = 0
        self.sent = 0
        self._takes_content = takes_content
        self._receive_buffer = receive_buffer
        self._upstream = urlsplit(upstream)
        self._failure: Exception | None = None
        self._conversations = set[asyncio.Task[None]]()
        self._may_go_on = asyncio.Event()
        self._has_come = asyncio.Condition()
        self._tls = tls
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scripted server", daemon=True)

    @property
    def endpoint(self) -> str:
        """The URL of the server, without a slash at its end."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self._port}"

    def let_go(self) -> None:
        """Ends every `HOLD`, and its connection."""
        self._loop.call_soon_threadsafe(self._may_go_on.set)

    def wait_until_left(self, seconds: float = 10.0) -> None:
        """Waits until the client has closed every connection.

        Raises:
            TimeoutError: some are still open after that many seconds.
        """
        deadline = time.monotonic() + seconds
        while self.open_connections:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{self.open_connections} connections are still open")
            time.sleep(0.005)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._is_up.wait(START_SECONDS):
            raise TimeoutError("the server did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        self.let_go()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError("the server did not stop")
        if self._failure is not None and kind is None:
            raise self._failure

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
        # A connection that is being accepted when its server is closed is left open by CPython 3.11.
        self._loop.remove_reader(listening)
        await _turns()
        server.close()
        await self._end_conversations()

    async def _end_conversations(self) -> None:
        """Ends all connections, those included that are being accepted, and lets the loop close their sockets."""
        await _turns()
        while self._conversations:
            for task in self._conversations:
                task.cancel()
            await asyncio.wait(self._conversations)
            await _turns()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection, self.connections = self.connections, self.connections + 1
        self.open_connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                while await self._answer(reader, writer, connection):
                    pass
        except asyncio.CancelledError:
            # The server stops, which is not an error of this conversation.
            pass
        except Exception as error:  # noqa: BLE001 - raised again by `__exit__`
            self._failure = self._failure or error
        finally:
            with contextlib.suppress(AttributeError):  # of a transport of CPython 3.11 that has sent all and closed
                writer.transport.abort()
            self._conversations.discard(task)
            self.open_connections -= 1

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> bool:
        """Receives a request and answers it. Returns whether the connection stays open."""
        head = await reader.readuntil(b"\r\n\r\n")
        request = ReceivedRequest(len(self.requests), connection, head)
        if self._takes_content:
            content = await self._take(reader, int(request.headers.get("content-length", 0)))
            request = replace(request, content=content)
        await self._note(request)
        for step in self.script(request):
            if isinstance(step, Action):
                if not await self._do(step, request, reader, writer):
                    return False
            elif isinstance(step, Take):
                await self._take(reader, step.size)
            elif isinstance(step, Together):
                await self._wait_for(step.requests)
            else:
                await self._send(writer, step)
        return True

    async def _send(self, writer: asyncio.StreamWriter, step: bytes | Drip) -> None:
        drip = step if isinstance(step, Drip) else Drip(step, 1, 0)
        for _ in range(drip.times):
            if drip.seconds:
                await asyncio.sleep(drip.seconds)
            writer.write(drip.content)
            await writer.drain()
            self.sent += len(drip.content)

    async def _note(self, request: ReceivedRequest) -> None:
        self.requests.append(request)
        async with self._has_come:
            self._has_come.notify_all()

    async def _wait_for(self, requests: int) -> None:
        async with self._has_come:
            await self._has_come.wait_for(lambda: len(self.requests) >= requests)

    async def _take(self, reader: asyncio.StreamReader, size: int) -> bytes:
        content = await reader.readexactly(size) if size else b""
        self.taken += size
        return content

    async def _do(
        self, action: Action, request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Does a step without bytes. Returns whether the answer goes on."""
        match action:
            case Action.PAUSE:
                await asyncio.sleep(_PAUSE_SECONDS)
            case Action.END:
                writer.write_eof()
            case Action.FORWARD:
                await self._forward(request, None)
            case _:
                await self._finish(action, request, reader, writer)
                return False
        return True

    async def _finish(
        self, action: Action, request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Does the last step of a connection, which is aborted afterwards."""
        match action:
            case Action.STALL:
                while await reader.read(_PIECE):
                    pass
            case Action.HOLD:
                await self._may_go_on.wait()
            case Action.RESET:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            case _:
                if action is PASS:
                    await self._forward(request, writer)
                writer.close()
                await writer.wait_closed()

    async def _forward(self, request: ReceivedRequest, writer: asyncio.StreamWriter | None) -> None:
        """Sends a request to the upstream server unchanged, and its answer to the client if there is a writer.

        The upstream server is asked to close the connection: the end of that is the end of the answer.
        """
        if not self._upstream.hostname:
            raise InvalidInput("the script forwards a request, but the server has no upstream")
        upstream, sending = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        try:
            head = _CONNECTION_HEADER.sub(b"", request.head[:-4]) + b"\r\nConnection: close\r\n\r\n"
            sending.write(head + request.content)
            await sending.drain()
            while data := await upstream.read(_PIECE):
                if writer is not None:
                    await self._send(writer, data)
        finally:
            sending.transport.abort()


async def _turns() -> None:
    """Gives the event loop the turns that accepting or closing a connection takes."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class InTurn:
    """A script that gives one answer to each request in turn, and the last one to all further requests.

    Arguments:
        answers: the answers, at least one. Each is a sequence of steps.

    Raises:
        InvalidInput: there is none.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        if not answers:
            raise InvalidInput("a script needs at least one answer")
        self._answers = [tuple(answer) for answer in answers]
        self._next = 0

    def __call__(self, request: ReceivedRequest) -> Answer:
        answer = self._answers[min(self._next, len(self._answers) - 1)]
        self._next += 1
        return answer


class EveryNth:
    """A script that gives an answer to every n-th request of a kind, and those of another script to the rest.

    `EveryNth(100, slow_down(), lambda request: "x-amz-copy-source" in request.headers)` refuses 1 % of all copies.

    Arguments:
        n: the first request of the kind that it answers, and the distance to the next.
        answer: the answer.
        is_of_kind: tells whether a request is of the kind.
        others: the script for other requests; by default the upstream server answers them.
    """

    def __init__(
        self,
        n: int,
        answer: Answer,
        is_of_kind: Callable[[ReceivedRequest], bool] = lambda _: True,
        others: Script = lambda _: [PASS],
    ) -> None:
        self._n = n
        self._answer = tuple(answer)
        self._is_of_kind = is_of_kind
        self._others = others
        self._count = 0

    def __call__(self, request: ReceivedRequest) -> Answer:
        if self._is_of_kind(request):
            self._count += 1
            if self._count % self._n == 0:
                return self._answer
        return self._others(request)


class DeadConnections:
    """A script whose first connections die silently after one request each, while the client keeps them.

    The client learns so by its next request on one of them, which is reset. A firewall or load balancer that forgets
    idle connections behaves like this.

    Arguments:
        count: the number of connections that die.
        others: the script for all requests that are answered.
    """

    def __init__(self, count: int, others: Script) -> None:
        self._count = count
        self._others = others
        self._used = set[int]()

    def __call__(self, request: ReceivedRequest) -> Answer:
        is_dead = request.connection < self._count and request.connection in self._used
        self._used.add(request.connection)
        return [RESET] if is_dead else self._others(request)


def raw_response(status: str, *headers: str, content: bytes = b"") -> bytes:
    """The bytes of a response, with exactly these headers.

    `raw_response("200 OK", "Content-Length: 5", content=b"hello")`
    """
    return "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers, "")).encode("latin-1") + content


def whole_response(content: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """The bytes of a response that states the length of its content."""
    return raw_response(status, *headers, f"Content-Length: {len(content)}", content=content)


def chunked(*chunks: bytes) -> bytes:
    """Content in the chunked transfer coding, without its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


class OneObject:
    """A script that answers as a web server should: every path holds the same object.

    Arguments:
        content: its content.
        etag: its etag.
    """

    def __init__(self, content: bytes, etag: str = '"1"') -> None:
        self._content = content
        self._etag = etag

    def __call__(self, request: ReceivedRequest) -> list[bytes]:
        if request.method == "HEAD":
            return [raw_response("200 OK", f"ETag: {self._etag}", f"Content-Length: {len(self._content)}")]
        if request.range is None:
            return [whole_response(self._content, f"ETag: {self._etag}")]
        return [self._part(request.range)]

    def _part(self, stated: str) -> bytes:
        first, _, last = stated.removeprefix("bytes=").partition("-")
        size = len(self._content)
        begin = int(first) if first else max(0, size - int(last))
        end = min(size, int(last) + 1) if first and last else size
        if begin >= size:
            return whole_response(b"", f"Content-Range: bytes */{size}", status="416 Range Not Satisfiable")
        described = f"Content-Range: bytes {begin}-{end - 1}/{size}"
        part = self._content[begin:end]
        return whole_response(part, f"ETag: {self._etag}", described, status="206 Partial Content")
