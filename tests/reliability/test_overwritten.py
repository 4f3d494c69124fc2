"""An object that is overwritten while it is read with retries: old bytes, new bytes or an error, never a splice."""

import asyncio
import os
from dataclasses import replace

import pytest

from entrepot import ConditionNotMatch, NotFound, Operator
from entrepot.layers import ChaosLayer
from entrepot.services import Fs, Http
from entrepot.testing import Fault, FaultMix, FaultProxy
from entrepot.testing.scripted_server import RESET, OneObject, ScriptedServer, raw_response, whole_response
from tests.conftest import s3_config
from tests.reliability.transfers import calmed, connections, leaving_nothing, patient

SIZE = 400_000
OLD, NEW = b"o" * SIZE, b"n" * SIZE
PIECE = 100_000
OLD_TIME = 1_000_000_000


async def whole_read(op, change):
    await change(0)
    return await op.read("object")


async def in_chunks(op, change):
    await change(0)
    return await op.read("object", chunk=PIECE, concurrent=3)


async def as_a_stream(op, change):
    read = bytearray()
    async for chunk in op.reader("object"):
        read += chunk
        await change(len(read))
    return bytes(read)


async def with_a_position(op, change):
    read = bytearray()
    async with op.reader("object") as reader:
        while piece := await reader.read(PIECE):
            read += piece
            await change(len(read))
            await reader.seek(0)
            await reader.seek(len(read))
    return bytes(read)


async def backwards(op, change):
    read = b""
    async with op.reader("object") as reader:
        for end in range(SIZE, 0, -PIECE):
            await reader.seek(end - PIECE)
            read = await reader.read(PIECE) + read
            await change(len(read))
    return read


async def fetched(op, change):
    read = b""
    async with op.reader("object", gap=0) as reader:
        for start in range(0, SIZE, 2 * PIECE):
            ranges = [(at, at + PIECE) for at in range(start, start + 2 * PIECE, PIECE)]
            read += b"".join(await reader.fetch(ranges))
            await change(len(read))
    return read


WAYS = [whole_read, in_chunks, as_a_stream, with_a_position, backwards, fetched]


async def outcome_of(way, op, change):
    """Which bytes came, or that an error did: the object has changed, or was not there for a moment."""
    try:
        read = await way(op, change)
    except (ConditionNotMatch, NotFound) as error:
        assert not error.is_temporary
        return "error"
    assert read in (OLD, NEW), f"a splice: {len(read)} bytes, {read.count(b'o')} old and {read.count(b'n')} new"
    return "old" if read == OLD else "new"


def once_behind(size, overwrite):
    """Overwrites as soon as so many bytes were read."""
    is_done = False

    async def change(position):
        nonlocal is_done
        if position >= size and not is_done:
            is_done = True
            await overwrite()

    return change


def outcomes(way, op, put):
    """What comes of it, wherever in the reading the object is overwritten."""

    async def main():
        found = []
        for size in range(0, SIZE + 1, PIECE):
            await put(OLD)
            found.append(await outcome_of(way, op, once_behind(size, lambda: put(NEW))))
        await calmed(op)
        return found

    with leaving_nothing():
        return asyncio.run(main())


def bad_network(server):
    """Half of all replies break off early, so that much is asked for again."""
    faults = [Fault("reset", after=20_000), Fault("close", after=60_000), Fault("reset", after=150_000)]
    return FaultProxy(server, FaultMix(3, 0.5, faults))


@pytest.mark.parametrize("way", WAYS)
def test_on_fs(way, tmp_path):
    told = []
    chaos, retry = ChaosLayer(1, 0.3, truncate_ratio=0.3), patient(notify=told.append)
    op = Operator(Fs(tmp_path)).layer(chaos).layer(retry)
    found = outcomes(way, op, lambda content: op.write("object", content))
    assert found[-1] == "old"
    assert told


@pytest.mark.parametrize("way", WAYS)
def test_on_s3(way, seaweedfs_server):
    config = s3_config(seaweedfs_server)
    key = f"{config.root.strip('/')}/object"
    with bad_network(seaweedfs_server.endpoint) as proxy:
        op = Operator(replace(config, endpoint=proxy.endpoint), context=connections(2.0)).layer(patient())
        found = outcomes(way, op, lambda content: asyncio.to_thread(seaweedfs_server.put, key, content))
        assert proxy.counts()["reset"] > 0
    assert found[-1] == "old"


@pytest.mark.parametrize("way", WAYS)
def test_on_a_web_server(way, nginx_server):
    """Its etag is made of size and seconds, so that what changes has another time."""
    file = nginx_server.folder / f"overwritten-{way.__name__}" / "object"
    file.parent.mkdir()

    async def put(content):
        (new := file.with_suffix(".new")).write_bytes(content)
        os.utime(new, (OLD_TIME, OLD_TIME) if content is OLD else None)
        new.replace(file)

    with bad_network(nginx_server.url) as proxy:
        op = Operator(Http(proxy.endpoint, root=file.parent.name), context=connections(2.0)).layer(patient())
        found = outcomes(way, op, put)
        assert proxy.counts()["reset"] > 0
    assert found[-1] == "old"


class Careless(OneObject):
    """Ignores If-Match, and breaks off every other reply.

    Arguments:
        knows_etags: whether the object has an etag, or only a time.
        knows_ranges: whether a range is given, or the whole object.
    """

    def __init__(self, *, knows_etags, knows_ranges):
        super().__init__(OLD)
        self._knows_etags = knows_etags
        self._knows_ranges = knows_ranges

    async def put(self, content):
        self._content = content

    def __call__(self, asked):
        second = 1 if self._content is OLD else 2
        mark = f'ETag: "{second}"' if self._knows_etags else f"Last-Modified: Mon, 02 Jan 2006 15:04:0{second} GMT"
        if asked.method == "HEAD":
            return [raw_response("200 OK", mark, f"Content-Length: {SIZE}")]
        sent = self._sent(asked.range if self._knows_ranges else None, mark)
        return [sent[: len(sent) * 2 // 3], RESET] if asked.number % 2 else [sent]

    def _sent(self, stated, mark):
        if stated is None:
            return whole_response(self._content, mark)
        first, _, last = stated.removeprefix("bytes=").partition("-")
        begin, end = int(first), min(SIZE, int(last or SIZE) + 1)
        placed = f"Content-Range: bytes {begin}-{end - 1}/{SIZE}"
        return whole_response(self._content[begin:end], mark, placed, status="206 Partial Content")


@pytest.mark.parametrize("knows_ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("knows_etags", [True, False], ids=["etags", "times"])
@pytest.mark.parametrize("way", WAYS)
def test_on_a_server_that_ignores_if_match(way, knows_etags, knows_ranges):
    script = Careless(knows_etags=knows_etags, knows_ranges=knows_ranges)
    with ScriptedServer(script) as server:
        op = Operator(Http(server.endpoint), context=connections(2.0)).layer(patient())
        found = outcomes(way, op, script.put)
    assert found[-1] == "old"
