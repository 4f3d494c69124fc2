"""Objects on their way through faults, and what must hold of them afterwards."""

import asyncio
import hashlib
import os
import random
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from entrepot import Operator
from entrepot.layers import RetryLayer
from entrepot.raw import Context
from entrepot.testing import Fault
from entrepot.testing.servers.s3 import ask_signed
from tests.reliability.helpers import census, other_tasks, until
from tests.transports import Transport

QUICK = (
    *(Fault(kind, way=way, rate=16 << 20) for kind in ("reset", "close", "drip") for way in ("up", "down")),
    Fault("truncate"),
    Fault("refuse"),
)
"""Those that a client notices at once."""

SLOW = (Fault("stall", way="up"), Fault("stall"), Fault("silent"))
"""Those that only patience notices."""

PART = 5 << 20


@dataclass(frozen=True)
class Load:
    """How much is sent.

    Arguments:
        count: how many objects.
        largest: the most bytes of one; small ones are as likely as large ones.
        in_flight: how many at a time.
        multiparts: how many of them have more than one part, whatever `largest` is.
        idle_timeout: how many seconds without a byte are too many.
        seed: where chance begins.
    """

    count: int
    largest: int
    in_flight: int = 16
    multiparts: int = 0
    idle_timeout: float = 0.7
    seed: int = 1

    @property
    def sizes(self):
        chance = random.Random(self.seed)
        drawn = [int(self.largest ** chance.random()) for _ in range(self.count - self.multiparts)]
        return [*drawn, *(PART + chance.randrange(1, PART) for _ in range(self.multiparts))]

    @property
    def most_in_flight(self):
        """The bytes of the largest objects, as many as are in flight at a time."""
        return sum(sorted(self.sizes)[-self.in_flight :])


SHORT = Load(count=60, largest=2 << 20, multiparts=3)
LONG = Load(count=1000, largest=32 << 20, in_flight=64, idle_timeout=5.0)


def content_of(number, size):
    return random.Random(number).randbytes(size)


def digest(content):
    return hashlib.sha256(content).digest()


def patient(**options):
    """Tries again often enough that what still fails was lost for another reason than chance."""
    return RetryLayer(max_times=30, min_delay=0.005, max_delay=0.5, budget=None, **options)


def connections(idle_timeout):
    """A context whose transport has little patience. Its connections close with their loop."""
    return Context(http=Transport(idle_timeout=idle_timeout, connect_timeout=idle_timeout))


async def all_of(calls, in_flight):
    """Makes the calls, so many at a time. The first error ends it, when all that runs has ended."""
    places = asyncio.Semaphore(in_flight)

    async def one(call):
        async with places:
            await call()

    done = await asyncio.gather(*(one(call) for call in calls), return_exceptions=True)
    failed = [outcome for outcome in done if outcome is not None]
    assert not failed, f"{len(failed)} of {len(done)} failed, such as {failed[0]!r}"


async def write(op: Operator, path, content, number):
    """Writes in one of three ways."""
    if number % 3 == 0:
        metadata = await op.write(path, content)
    elif number % 3 == 1:
        metadata = await op.write(path, pieces(content, 70_000), chunk=PART, concurrent=3)
    else:
        async with op.writer(path, chunk=PART) as writer:
            for piece in pieces(content, 1 << 20):
                await writer.write(piece)
        metadata = await writer.close()
    assert metadata.content_length == len(content)


def pieces(content, size):
    return [content[start : start + size] for start in range(0, len(content), size)]


async def read_back(op: Operator, path, expected: bytes, number):
    """Reads whole, in chunks, as a stream, and here and there."""
    size, wanted = len(expected), digest(expected)
    assert digest(await op.read(path)) == wanted
    read = await op.read(path, chunk=max(1, size // 5), concurrent=3)
    assert digest(read) == wanted
    joined = hashlib.sha256()
    async for chunk in op.reader(path):
        joined.update(chunk)
    assert joined.digest() == wanted
    await read_here_and_there(op, path, expected, random.Random(number))


async def read_here_and_there(op, path, expected, chance):
    async with op.reader(path) as reader:
        for _ in range(4):
            start, length = chance.randrange(len(expected) + 1), chance.randrange(1, 100_000)
            assert await reader.seek(start) == start
            assert await reader.read(length) == expected[start : start + length]
        assert await reader.seek(-1, os.SEEK_END) == len(expected) - 1
        assert await reader.read() == expected[-1:]
        await reader.seek(0)
        starts = sorted(chance.randrange(len(expected)) for _ in range(3))
        ranges = [(start, min(len(expected), start + 10_000)) for start in starts]
        assert await reader.fetch(ranges) == [expected[start:end] for start, end in ranges]


async def transfer(op: Operator, load: Load):
    """Writes, reads back, lists and deletes objects. All must be there and right, and then be gone."""
    sizes = load.sizes
    names = [f"at/{number % 7}/object-{number}" for number in range(len(sizes))]

    def writing(number):
        return lambda: write(op, names[number], content_of(number, sizes[number]), number)

    def reading(number):
        return lambda: read_back(op, names[number], content_of(number, sizes[number]), number)

    await all_of(map(writing, range(len(sizes))), load.in_flight)
    await all_of(map(reading, range(len(sizes))), load.in_flight)
    assert await listed(op) == dict(zip(names, sizes, strict=True))
    await op.delete_many(names[: len(names) // 2])
    await all_of((lambda name=name: op.delete(name) for name in names[len(names) // 2 :]), load.in_flight)
    assert await listed(op) == {}


async def listed(op: Operator):
    """The files and their sizes; none is named twice."""
    found = [entry async for entry in op.lister("", recursive=True) if not entry.path.endswith("/")]
    sizes = {entry.path: entry.metadata.content_length for entry in found}
    assert len(sizes) == len(found)
    return sizes


@contextmanager
def leaving_nothing():
    """After the block, this process has as many descriptors, sockets and threads as before."""
    before = census()
    yield
    assert census() == before


async def calmed(op: Operator):
    """Once the operator is closed, no task runs on."""
    await op.close()
    await until(lambda: not other_tasks())


@contextmanager
def memory_within(limit):
    """In the block this process never has more than `limit` bytes more than at its start."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = resident("VmRSS")
    yield
    assert resident("VmHWM") - before <= limit


def resident(name):
    return int(re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) << 10


def assert_no_part_is_left(config, server):
    """An upload whose beginning was lost with its reply may be left, without parts (raw/oio/write/multipart.py)."""
    for upload in asyncio.run(Operator(config).list_uploads()):
        key = quote(f"{config.root.strip('/')}/{upload.path}")
        reply = ask_signed(server, "GET", f"/{server.bucket}/{key}?uploadId={quote(upload.id)}")
        assert (reply.status, re.findall(b"<Part>", reply.content)) == (200, [])
