"""A server that is killed in the middle of transfers and started again on the same ports and data."""

import asyncio
from functools import partial

import pytest

from entrepot import Operator
from entrepot.layers import RetryLayer
from entrepot.raw import AroundAccessor, Layer
from entrepot.services import Http
from entrepot.testing import nginx, seaweedfs
from entrepot.testing.servers.request import ask, connection_to
from entrepot.testing.servers.s3 import is_serving
from tests.conftest import s3_config
from tests.reliability.restartable import Restartable
from tests.reliability.transfers import (
    Load,
    all_of,
    assert_no_part_is_left,
    calmed,
    connections,
    content_of,
    leaving_nothing,
    read_back,
    transfer,
)

KILLS = [
    pytest.param(1, id="once"),
    pytest.param(5, id="again and again", marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
]


class Progress(Layer):
    """Counts the calls that have succeeded."""

    def __init__(self):
        self.calls = 0

    def wrap(self, accessor, context):
        return _ProgressAccessor(accessor, self)


class _ProgressAccessor(AroundAccessor):
    def __init__(self, inner, progress):
        super().__init__(inner)
        self._progress = progress

    async def around(self, operation, path, call, *args):
        result = await call(*args)
        self._progress.calls += 1
        return result


def waiting(told):
    """Tries for half a minute, which no restart takes."""

    def tell(event):
        told.append(event.operation)

    return RetryLayer(max_times=1000, min_delay=0.05, max_delay=0.5, max_elapsed=30, budget=None, notify=tell)


async def used_while_killed(server, progress, kills, use):
    """Runs the use, and meanwhile kills the server whenever a share of it is done."""

    async def kill():
        for _ in range(kills):
            seen = progress.calls
            while progress.calls < seen + 100:
                await asyncio.sleep(0.001)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(server.start)

    killing = asyncio.ensure_future(kill())
    try:
        await use
        assert killing.done(), "all was over before the server was killed as often as it should be"
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
    await killing


@pytest.mark.parametrize("kills", KILLS)
def test_what_an_s3_server_stored_outlives_it_and_the_rest_is_sent_again(kills, tmp_path):
    load, progress, told = Load(count=40 + 60 * kills, largest=1 << 20, multiparts=2), Progress(), []
    with seaweedfs(tmp_path) as server:
        config = s3_config(server)
        op = Operator(config, context=connections(2.0)).layer(progress).layer(waiting(told))

        async def main():
            await used_while_killed(running, progress, kills, transfer(op, load))
            await calmed(op)

        with Restartable(server.pid, lambda: is_serving(server)) as running, leaving_nothing():
            asyncio.run(main())
            assert_no_part_is_left(config, server)
    assert len(told) >= kills


@pytest.mark.parametrize("kills", KILLS)
def test_reads_go_on_when_a_web_server_comes_back(kills, tmp_path):
    load, progress, told = Load(count=60 + 100 * kills, largest=1 << 20), Progress(), []
    for number, size in enumerate(load.sizes):
        (tmp_path / str(number)).write_bytes(content_of(number, size))
    with nginx(tmp_path) as server:
        op = Operator(Http(server.url), context=connections(2.0)).layer(progress).layer(waiting(told))
        reads = [partial(read_back, op, str(n), content_of(n, size), n) for n, size in enumerate(load.sizes)]

        async def main():
            await used_while_killed(running, progress, kills, all_of(reads, load.in_flight))
            await calmed(op)

        def is_ready():
            return ask(connection_to(server.url.removeprefix("http://")), "GET", "/").status < 500

        with Restartable(server.pid, is_ready) as running, leaving_nothing():
            asyncio.run(main())
    assert len(told) >= kills
