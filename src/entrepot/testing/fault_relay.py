"""The process of a `FaultProxy`: passes bytes on, and breaks connections by plan.

It takes commands as lines of JSON on its standard input and answers each by a line. It ends when its input ends.

Theory of operation. Each connection of a client has a `Link`, with a second connection to the server. Two tasks pump
the bytes, one in each direction. The link counts the bytes of the current exchange; a new exchange, with the next fault
of the plan, starts when the client sends after the server has answered. The pump that reaches the byte of the fault
makes it: it resets, closes, ends one direction, slows down, or waits until the client has left. A link ends when both
pumps have ended or one raises `Broken`; then the other is cancelled, and both connections are closed.
"""

import asyncio
import json
import pickle
import socket
import struct
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from .faults import Fault, FaultPlan, Way

_PIECE: Final = 1 << 16
_DRIPS_A_SECOND: Final = 20
_GONE: Final = frozenset({7, 8})  # TCP_CLOSE and TCP_CLOSE_WAIT, as Linux numbers them
_LOOK_SECONDS: Final = 0.05
_RESET: Final = struct.pack("ii", 1, 0)


class Broken(Exception):
    """A fault has ended the connection."""


class Relay:
    """Listens, and has one `Link` for each connection.

    Arguments:
        host: the host of the server.
        port: its port.
        plan: decides about the faults.
    """

    def __init__(self, host: str, port: int, plan: FaultPlan) -> None:
        self.counts: Counter[str] = Counter()
        self._server = (host, port)
        self._links: set[Link] = set()
        self.set_plan(plan)

    def set_plan(self, plan: FaultPlan) -> None:
        """Sets a plan and counts from 0."""
        self._plan = plan
        self._exchanges, self._connections = count(), count()

    def next_fault(self, connection: int) -> Fault | None:
        """The fault of the exchange that starts."""
        self.counts["exchanges"] += 1
        return self._plan.fault(next(self._exchanges), connection)

    async def listen(self) -> int:
        """Starts to listen, and returns the port."""
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        port: int = self._listening.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """Resets every connection."""
        for link in list(self._links):
            link.reset()

    def report(self) -> dict[str, int]:
        """A record of the connections and faults."""
        return {**self.counts, "open": len(self._links)}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        link = Link(self, Side(reader, writer), next(self._connections))
        self._links.add(link)
        try:
            with suppress(OSError, Broken):
                await link.run(self._server)
        finally:
            link.abort()
            self._links.discard(link)


@dataclass(frozen=True)
class Side:
    """One of the two connections of a link."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Sends, as fast as the other end takes it."""
        self.writer.write(data)
        await self.writer.drain()

    def end(self) -> None:
        """Ends the direction to the other end."""
        with suppress(OSError):
            self.writer.write_eof()

    def reset(self) -> None:
        """Breaks the connection, so that the other end sees a reset."""
        connection = self.writer.get_extra_info("socket")
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.writer.transport.abort()

    def has_left(self) -> bool:
        """Whether the other end has closed, found out without reading. Works on Linux; elsewhere it is False."""
        if not hasattr(socket, "TCP_INFO"):
            return False
        connection = self.writer.get_extra_info("socket")
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _GONE


class Link:
    """A connection of a client, and the connection to the server for it.

    Arguments:
        relay: has the faults and the counts.
        client: the connection of the client.
        number: the number of connections before it.
    """

    def __init__(self, relay: Relay, client: Side, number: int) -> None:
        self._relay = relay
        self._client = client
        self._server: Side | None = None
        self._number = number
        self._has_stalled = asyncio.Event()
        self._begin()

    async def run(self, server: tuple[str, int]) -> None:
        """Passes bytes on until both ends have ended, or a fault has ended it."""
        await self._start_faults()
        self._server = Side(*await self._connect(server))
        up = asyncio.ensure_future(self._pump("up", self._client, self._server))
        down = asyncio.ensure_future(self._pump("down", self._server, self._client))
        try:
            await asyncio.wait([up, down], return_when=asyncio.FIRST_EXCEPTION)
            for task in (up, down):
                if task.done():
                    task.result()
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    def reset(self) -> None:
        """Breaks both connections."""
        self._client.reset()
        if self._server is not None:
            self._server.reset()

    def abort(self) -> None:
        """Closes both connections."""
        self._client.writer.close()
        if self._server is not None:
            self._server.writer.transport.abort()

    def _begin(self) -> None:
        """Starts an exchange."""
        self._fault = self._relay.next_fault(self._number)
        self._passed: Counter[Way] = Counter()
        self._has_answered = False
        self._has_fired = False

    async def _connect(self, server: tuple[str, int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_connection(*server)
        except OSError:
            self._client.reset()
            raise

    async def _start_faults(self) -> None:
        """Makes the faults that come before the first byte of an exchange."""
        if self._fault is None or self._fault.kind not in {"refuse", "silent"}:
            return
        self._relay.counts[self._fault.kind] += 1
        if self._fault.kind == "refuse":
            self.reset()
            raise Broken
        while await self._client.reader.read(_PIECE):
            pass
        raise Broken

    async def _pump(self, way: Way, source: Side, target: Side) -> None:
        while data := await source.reader.read(_PIECE):
            await self._note_turn(way, data)
            await self._pass(way, data, target)
        target.end()

    async def _note_turn(self, way: Way, data: bytes) -> None:
        if way == "up" and self._has_answered:
            self._begin()
            await self._start_faults()
        elif way == "down" and not data.startswith(b"HTTP/1.1 100 "):
            self._has_answered = True

    async def _pass(self, way: Way, data: bytes, target: Side) -> None:
        """Passes bytes of an exchange, as far as its fault lets them."""
        if self._has_stalled.is_set():
            await self._stay()
        fault = self._fault
        if fault is None or fault.way != way or self._passed[way] + len(data) <= fault.after:
            await self._send(way, data, target)
            return
        left = max(0, fault.after - self._passed[way])
        await self._send(way, data[:left], target)
        if not self._has_fired:
            self._has_fired = True
            self._relay.counts[fault.kind] += 1
        await self._happen(fault, data[left:], target)

    async def _send(self, way: Way, data: bytes, target: Side) -> None:
        self._passed[way] += len(data)
        self._relay.counts[way] += len(data)
        if data:
            await target.send(data)

    async def _happen(self, fault: Fault, rest: bytes, target: Side) -> None:
        if fault.kind == "drip":
            await self._drip(fault, rest, target)
        elif fault.kind == "truncate":
            await self._swallow(fault.way, target)
        elif fault.kind == "stall":
            self._has_stalled.set()
            await self._stay()
        else:
            if fault.kind == "reset":
                self.reset()
            raise Broken

    async def _drip(self, fault: Fault, rest: bytes, target: Side) -> None:
        size = max(1, fault.rate // _DRIPS_A_SECOND)
        for start in range(0, len(rest), size):
            await asyncio.sleep(size / fault.rate)
            await self._send(fault.way, rest[start : start + size], target)

    async def _swallow(self, way: Way, target: Side) -> None:
        """Ends one direction, and drops the bytes that follow until their source ends."""
        target.end()
        source = self._client if way == "up" else self._server
        assert source is not None
        while await source.reader.read(_PIECE):
            pass
        raise Broken

    async def _stay(self) -> None:
        """Reads nothing more, until the client has left."""
        while not self._client.has_left():  # noqa: ASYNC110 - there is no event for it, since nothing is read
            await asyncio.sleep(_LOOK_SECONDS)
        raise Broken


async def _answer(relay: Relay | None, command: str, argument: Any) -> tuple[Relay | None, object]:
    """Obeys one command."""
    if command == "start":
        host, port, plan = argument
        relay = Relay(host, port, pickle.loads(bytes.fromhex(plan)))  # noqa: S301 - it comes from our parent
        return relay, await relay.listen()
    assert relay is not None
    if command == "plan":
        relay.set_plan(pickle.loads(bytes.fromhex(argument)))  # noqa: S301 - the same
    elif command == "cut":
        relay.cut()
    return relay, relay.report()


async def main() -> None:
    """Obeys until the input ends."""
    commands = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    relay: Relay | None = None
    while line := await commands.readline():
        relay, answer = await _answer(relay, *json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
