"""Random access over HTTP costs what it reads: requests, connections and bytes, counted by the server."""

import asyncio
import io
import mmap
import random
import zipfile

import pytest

from entrepot import Operator
from entrepot.services import S3
from tests.integration.counting_server import counting
from tests.integration.random_access import BLOB, CASES, archive, read_pieces, seek_storm

MARGIN = 1.2


def operator_on(server):
    config = S3(bucket="b", endpoint=server.url, region="r", access_key_id="a", secret_access_key="s")
    return Operator(config, resilient=False)


class Demand(io.BytesIO):
    """A file in memory that counts the bytes that are read: what a client without any buffer would request."""

    read_bytes = 0

    def read(self, size=-1, /):
        data = super().read(size)
        self.read_bytes += len(data)
        return data

    def readinto(self, buffer, /):
        size = super().readinto(buffer)
        self.read_bytes += size
        return size


@pytest.mark.parametrize(("make", "use", "requests"), CASES.values(), ids=CASES.keys())
def test_a_file_costs_what_is_read_of_it_on_one_connection(make, use, requests):
    content = make()
    use(demand := Demand(content))
    with counting(content) as server, operator_on(server).blocking() as op, op.open("k", "rb") as file:
        use(file)
        assert server.sent <= MARGIN * demand.read_bytes
        assert len(server.requests) <= requests
        assert server.connections == 1


@pytest.mark.parametrize("use", [seek_storm, read_pieces])
def test_a_reader_does_as_well(use):
    with counting(BLOB) as server, operator_on(server).blocking() as op, op.reader("k") as reader:
        use(reader)
        assert server.sent <= (200_000 if use is seek_storm else len(BLOB))
        assert server.connections == 1


async def test_concurrent_readers_take_a_connection_each_and_no_more():
    with counting(BLOB) as server:
        async with operator_on(server) as op:

            async def storm(seed):
                order = random.Random(seed)
                async with op.open("k", "rb") as file:
                    for _ in range(20):
                        position = order.randrange(len(BLOB) - 1000)
                        await file.seek(position)
                        assert await file.read(1000) == BLOB[position : position + 1000]

            await asyncio.gather(*map(storm, range(4)))
        assert server.connections <= 4


@pytest.mark.parametrize("members", [10, 3000])
def test_the_directory_of_a_large_zip_takes_three_requests(members, tmp_path):
    size = 1 << 30
    with (tmp_path / "zip").open("wb+") as file:
        file.seek(size)
        file.write(archive(members, 10))
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content, counting(content) as server:
            with operator_on(server).blocking() as op, op.open("k", "rb") as remote, zipfile.ZipFile(remote) as opened:
                assert len(opened.namelist()) == members
                assert len(server.requests) <= 3
                assert opened.read(opened.namelist()[5]) == bytes([5]) * 10
            server.content = b""  # the map cannot be closed while a handler has a part of it


def test_the_limit_that_a_user_sets_holds():
    with counting(BLOB) as server, operator_on(server).blocking() as op:
        with op.open("k", "rb", read_ahead=0, buffering=0) as file:
            for _ in range(10):
                file.read(1000)
        ranges = [range_ for _, range_ in server.requests]
        assert ranges == ["bytes=0-999", *(f"bytes={n}000-{n}999" for n in range(1, 10))]
