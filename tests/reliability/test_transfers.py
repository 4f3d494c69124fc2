"""Real transfers through faults at 30 %: nothing lost, nothing wrong, nothing left behind, memory bounded."""

import asyncio
from dataclasses import replace

import pytest

from entrepot import Operator
from entrepot.layers import ChaosLayer
from entrepot.services import Fs, Http
from entrepot.testing import Fault, FaultMix, FaultProxy, FaultScript
from tests.conftest import s3_config
from tests.reliability.transfers import (
    LONG,
    QUICK,
    SHORT,
    SLOW,
    all_of,
    assert_no_part_is_left,
    calmed,
    connections,
    content_of,
    leaving_nothing,
    memory_within,
    patient,
    read_back,
    transfer,
)

SHARE = 0.3
LOADS = [
    pytest.param(SHORT, id="60 objects"),
    pytest.param(LONG, id="1000 objects", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
]


def mix(load):
    """Faults of every kind; those that cost patience are rare, so that the test does not last for ever."""
    return FaultMix(load.seed, SHARE, [*QUICK * 5, *SLOW], most=1 << 18)


def allowance(load):
    """What the contents in flight may take: the content, what was read of it, pieces and parts on their way."""
    return 4 * load.most_in_flight + (96 << 20)


def run_through(proxy, use, load, op):
    async def main():
        await use
        await calmed(op)

    with memory_within(allowance(load)), leaving_nothing():
        asyncio.run(main())
    return proxy.counts()


@pytest.mark.parametrize("after", [1500, 40_000, 299_000])
def test_half_a_request_stores_no_half_object(after, seaweedfs_server):
    config, content = s3_config(seaweedfs_server), content_of(1, 300_000)
    plan = FaultScript([Fault("truncate", after=after, way="up")])
    with FaultProxy(seaweedfs_server.endpoint, plan) as proxy:
        op = Operator(replace(config, endpoint=proxy.endpoint), context=connections(5.0)).layer(patient())

        async def main():
            await op.write("object", content)
            return await op.read("object")

        assert asyncio.run(main()) == content
        assert proxy.counts()["truncate"] == 1


def assert_did_its_worst(done, load):
    """The proxy has done every kind of harm, and enough of it."""
    harm = {fault.kind: done[fault.kind] for fault in (*QUICK, *SLOW)}
    assert all(harm.values()), harm
    assert sum(harm.values()) > load.count


@pytest.mark.parametrize("load", LOADS)
def test_fs_under_chaos(load, tmp_path):
    told = []
    retry = patient(notify=lambda event: told.append(event.operation))  # an error would hold what failed
    op = Operator(Fs(tmp_path)).layer(ChaosLayer(load.seed, SHARE, truncate_ratio=0.1)).layer(retry)

    async def use():
        await transfer(op, load)
        await calmed(op)

    asyncio.run(op.write("warm-up", b""))
    asyncio.run(op.delete("warm-up"))
    with memory_within(allowance(load)), leaving_nothing():
        asyncio.run(use())
    assert [file for file in tmp_path.rglob("*") if not file.is_dir()] == []
    assert len(told) > load.count


@pytest.mark.parametrize("load", LOADS)
def test_http_reads_through_a_bad_network(load, nginx_server):
    folder = nginx_server.folder / f"transfers-{load.count}"
    folder.mkdir()
    sizes = load.sizes
    for number, size in enumerate(sizes):
        (folder / str(number)).write_bytes(content_of(number, size))
    with FaultProxy(nginx_server.url, mix(load)) as proxy:
        op = Operator(Http(proxy.endpoint, root=folder.name), context=connections(load.idle_timeout)).layer(patient())

        def reading(number):
            return lambda: read_back(op, str(number), content_of(number, sizes[number]), number)

        done = run_through(proxy, all_of(map(reading, range(load.count)), load.in_flight), load, op)
    assert_did_its_worst(done, load)


@pytest.mark.parametrize("load", LOADS)
def test_s3_through_a_bad_network(load, seaweedfs_server):
    config = s3_config(seaweedfs_server)
    with FaultProxy(seaweedfs_server.endpoint, mix(load)) as proxy:
        op = Operator(replace(config, endpoint=proxy.endpoint), context=connections(load.idle_timeout)).layer(patient())
        done = run_through(proxy, transfer(op, load), load, op)
    assert_did_its_worst(done, load)
    assert_no_part_is_left(config, seaweedfs_server)
