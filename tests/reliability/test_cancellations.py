"""Operations that are cancelled at whatever they wait for: nothing is left behind, and nothing is half."""

import asyncio
import random
from collections import Counter

import pytest

from entrepot import NotFound
from entrepot.layers import ChaosLayer
from tests.reliability.helpers import census, other_tasks, until
from tests.reliability.transfers import PART, assert_no_part_is_left, leaving_nothing, pieces

WORKERS = 4
COUNTS = [
    pytest.param(300, id="300"),
    pytest.param(10_000, id="10000", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
]


class Worker:
    """Makes calls on paths of its own and cancels them, and knows what each path may hold.

    Of a change that was cancelled nobody knows whether it was made. A request that is on its way may even be carried
    out later, behind the back of the next one, so on a network such a path is not used for changes any more.

    Arguments:
        op: the operator.
        folder: where its paths are.
        is_remote: whether requests go over a network.
        chance: what is done, and when it is cancelled.
    """

    def __init__(self, op, folder, chance, *, is_remote):
        self.op, self.folder, self.chance, self.is_remote = op, folder, chance, is_remote
        self.held = {}
        self.names = [self.new_name(number) for number in range(6)]
        self.outcomes = Counter()
        self.serial = 0

    def new_name(self, number):
        name = f"{self.folder}/{number}-{len(self.held)}"
        self.held[name] = {None}
        return name

    def content(self):
        self.serial += 1
        size = PART + 1000 if self.chance.random() < 0.04 else self.chance.choice([0, 1, 5000, 300_000])
        return f"{self.serial:010}".encode() * (size // 10)

    async def one(self):
        """One call, which is cancelled somewhere, unless it ends before."""
        change, place, maybe = self.drawn()
        name = None if place is None else self.names[place]
        task = asyncio.ensure_future(change)
        await self.wait_a_little()
        task.cancel()
        [outcome] = await asyncio.gather(task, return_exceptions=True)
        is_cancelled = isinstance(outcome, asyncio.CancelledError)
        assert is_cancelled or isinstance(outcome, NotFound) or not isinstance(outcome, BaseException), outcome
        self.outcomes[is_cancelled] += 1
        if name is not None and not isinstance(outcome, NotFound):
            self.held[name] = {*self.held[name], *maybe} if is_cancelled else set(maybe)
            if is_cancelled and self.is_remote:
                self.names[place] = self.new_name(place)

    async def wait_a_little(self):
        if self.chance.random() < 0.5:
            await asyncio.sleep(self.chance.random() ** 2 * 0.02)
            return
        for _ in range(self.chance.randrange(30)):
            await asyncio.sleep(0)

    def drawn(self):
        """A call, which path it changes, and what that may hold when it has been made."""
        place = self.chance.randrange(len(self.names))
        name, content = self.names[place], self.content()
        kind = self.chance.choice([*CHANGES, *LOOKS])
        if kind in LOOKS:
            return LOOKS[kind](self, name), None, ()
        return CHANGES[kind](self, name, content), place, {None if kind.startswith("delete") else content}

    async def written(self, name, content):
        async with self.op.writer(name, chunk=PART) as writer:
            for piece in pieces(content, 1 << 20):
                await writer.write(piece)

    async def copied(self, name, content):
        await self.op.write(f"{name}-source", content)
        await self.op.copy(f"{name}-source", name)

    async def checked(self, name, **options):
        may_be = self.held[name]
        assert await self.op.read(name, **options) in may_be

    async def streamed(self, name):
        may_be = self.held[name]
        read = b"".join([chunk async for chunk in self.op.reader(name)])
        assert read in may_be

    async def check_all(self):
        """Every path holds what it may hold, and can be written, read and deleted."""
        for name, may_be in self.held.items():
            try:
                found = await self.op.read(name)
            except NotFound:
                found = None
            assert found in may_be
        for name in self.names:
            await self.op.write(name, b"anew")
            assert await self.op.read(name) == b"anew"
        await self.op.delete(f"{self.folder}/", recursive=True)
        assert await self.op.list(f"{self.folder}/", recursive=True) == []


CHANGES = {
    "write": lambda self, name, content: self.op.write(name, content),
    "write in parts": lambda self, name, content: self.op.write(name, pieces(content, 70_000), chunk=PART),
    "writer": Worker.written,
    "copy": Worker.copied,
    "delete": lambda self, name, content: self.op.delete(name),
    "delete many": lambda self, name, content: self.op.delete_many([name]),
}
LOOKS = {
    "read": Worker.checked,
    "read in chunks": lambda self, name: self.checked(name, chunk=60_000, concurrent=3),
    "stream": Worker.streamed,
    "stat": lambda self, name: self.op.stat(name),
    "list": lambda self, name: self.op.list(f"{self.folder}/", recursive=True),
}


def operator_of(storage):
    """Memory waits for nothing, so nothing could be cancelled there; so it is given something to wait for."""
    waiting = ChaosLayer(1, error_ratio=0.0, latency=0.003)
    return storage.operator.layer(waiting) if storage.scheme == "memory" else storage.operator


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("storage", ["memory", "fs", "s3"], indirect=True)
def test_calls_that_are_cancelled(storage, count, tmp_path, request):
    op = operator_of(storage)
    workers = [Worker(op, f"worker-{n}", random.Random(n), is_remote=storage.scheme == "s3") for n in range(WORKERS)]

    async def work(worker):
        for _ in range(count // WORKERS):
            await worker.one()

    async def main():
        before = census()
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(work(worker))
        for worker in workers:
            await worker.check_all()
        await op.close()
        await until(lambda: not other_tasks() and census().sockets <= before.sockets)

    with leaving_nothing():
        asyncio.run(main())
    cancelled = sum(worker.outcomes[True] for worker in workers)
    assert cancelled > count // 4
    assert [file for file in tmp_path.rglob("*") if not file.is_dir()] == []
    if storage.scheme == "s3":
        assert_no_part_is_left(storage.config, request.getfixturevalue("seaweedfs_server"))
