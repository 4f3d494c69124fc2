"""Requests that are cancelled at any point: no response gets the bytes of another, no connection or turn is lost."""

import asyncio
import random
import ssl
from typing import Any, Final

import pytest
import uvloop

from entrepot.raw.http import HttpRequest
from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.testing.scripted_server import PAUSE, Answer, ReceivedRequest, ScriptedServer, chunked, raw_response
from tests.transports import Transport, is_any_in_use

LOOPS: Final = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
WORKERS: Final = 12
CONNECTIONS: Final = 5
"""Fewer than workers, so that requests wait for their turn."""

COUNTS: Final = [
    pytest.param(400, id="400"),
    pytest.param(10_000, id="10000", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
]


def content_of(target: str) -> bytes:
    """The content of a target, which no other target has: its own name, again and again."""
    _, size, name = target.strip("/").split("-")
    return (name.encode() + b".") * int(size)


def script(asked: ReceivedRequest) -> Answer:
    """Answers with the content of the target, at once or in pieces, with its length or in chunks."""
    content = content_of(asked.target)
    half = len(content) // 2
    if asked.target.startswith("/chunks"):
        head = raw_response("200 OK", "Transfer-Encoding: chunked")
        if asked.method == "HEAD":
            return [head]
        first, second = (chunked(part) if part else b"" for part in (content[:half], content[half:]))
        return [head + first, PAUSE, second + b"0\r\n\r\n"]
    head = raw_response("200 OK", f"Content-Length: {len(content)}")
    if asked.method == "HEAD":
        return [head]
    return [head + content] if asked.target.startswith("/whole") else [head, content[:half], PAUSE, content[half:]]


class Storm:
    """Sends requests and cancels many of them.

    Arguments:
        transport: what sends them.
        endpoint: the server.
        seed: of everything that happens by chance.
    """

    def __init__(self, transport: ConfiguredTransport, endpoint: str, seed: int) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._chance = random.Random(seed)
        self._seed = seed
        self._number = 0
        self.cancelled = 0

    async def run(self, count: int) -> None:
        for _ in range(count):
            task = asyncio.ensure_future(self._one())
            if self._chance.random() < 0.6:
                await self._wait()
                task.cancel()
            await asyncio.wait([task])
            self.cancelled += task.cancelled()
            if not task.cancelled():
                task.result()

    async def _wait(self) -> None:
        """Waits some turns of the loop, or some time."""
        if self._chance.random() < 0.5:
            await asyncio.sleep(self._chance.random() * 0.012)
        else:
            for _ in range(self._chance.randrange(40)):
                await asyncio.sleep(0)

    async def _one(self) -> None:
        chance, self._number = self._chance, self._number + 1
        size = chance.choice([0, 1, 100, 40_000])
        target = f"/{chance.choice(['whole', 'halves', 'chunks'])}-{size}-{self._seed}x{self._number}"
        method = chance.choice(["GET", "GET", "GET", "PUT", "HEAD"])
        body = bytes(chance.choice([1, 700_000])) if method == "PUT" else None
        response = await self._transport.send(HttpRequest(method, self._endpoint + target, (), body))
        expected = b"" if method == "HEAD" else content_of(target)
        try:
            received = await self._received(response.body, len(expected))
            assert received == expected[: len(received)], target
        finally:
            await response.body.close()

    async def _received(self, body: Any, size: int) -> bytes:
        """All of the content, or its start, by one of the ways to read it."""
        if self._chance.random() < 0.2:
            return bytes(await body.read(size // 3))
        received, buffer = b"", memoryview(bytearray(50_000))
        into = self._chance.random() < 0.5
        while part := bytes(buffer[: await body.readinto(buffer)]) if into else await body.read(50_000):
            received += part
        assert len(received) == size
        return received


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("loop", LOOPS)
def test_requests_that_are_cancelled_at_any_point(
    tls: ssl.SSLContext | None, ca_file: str, loop: str, count: int
) -> None:
    async def main(server: ScriptedServer) -> int:
        transport = Transport(ca_file=ca_file, max_connections=CONNECTIONS, idle_timeout=30)
        storms = [Storm(transport, server.endpoint, seed) for seed in range(WORKERS)]
        await asyncio.gather(*(storm.run(count // WORKERS) for storm in storms))
        await asyncio.gather(*(Storm(transport, server.endpoint, WORKERS + n)._one() for n in range(2 * CONNECTIONS)))
        assert not await is_any_in_use(transport)
        await transport.close()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        return sum(storm.cancelled for storm in storms)

    with ScriptedServer(script, tls) as server, asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        cancelled = runner.run(main(server))
        server.wait_until_left()
    assert cancelled > count // 5
