"""The server of the benchmarks answers as S3 does, so that what is measured is what happens with S3."""

import socket
from urllib.parse import urlsplit

import pytest

from benchmarks.contenders import KEYS
from benchmarks.grounds import grounds
from benchmarks.workloads import FOOTER, KIB, MIB, SMALL, Scale
from entrepot import Operator
from entrepot.services import S3

TINY = Scale(
    rounds=1,
    seconds=0.01,
    loops=("asyncio",),
    concurrencies=(1,),
    tls_workloads=(1,),
    object_size=MIB,
    file_size=MIB,
    long_stream=2 * MIB,
    requests=10,
    key_counts=(2_500,),
    files=3,
    tables=1,
    columns=2,
    connections=(1,),
    sizes=(4 * KIB,),
    counts=(10,),
    at_once=(1,),
)


@pytest.fixture(scope="module")
def place():
    with grounds(TINY) as made:
        yield made


def operator(place, bucket="bench"):
    return Operator(S3(bucket=bucket, endpoint=place.server.url, **KEYS), resilient=False)


async def test_objects_are_there_in_their_sizes(place):
    op = operator(place)
    assert (await op.stat("small")).content_length == SMALL
    assert len(await op.read("large")) == TINY.object_size
    assert len(await op.read("table0", range=(0, FOOTER))) == FOOTER


async def test_a_slow_bucket_has_the_same_objects(place):
    assert await operator(place, "slow").read("small") == await operator(place).read("small")


async def test_pages_follow_each_other_to_the_last_key(place):
    op = operator(place, "list2500")
    keys = [entry.path async for entry in op.lister("", recursive=True) if entry.metadata.is_file]
    assert len(keys) == 2_500
    assert keys == sorted(set(keys))


async def test_what_is_written_is_taken(place):
    op = operator(place)
    assert (await op.write("new", b"content")).content_length == 7
    async with op.writer("new", chunk=5 * MIB) as writer:
        await writer.write(bytes(11 * MIB))
    assert (await writer.close()).content_length == 11 * MIB
    await op.delete("new")


@pytest.mark.parametrize(("size", "query"), [(MIB, ""), (20 * MIB, "?partNumber=1&uploadId=u1")])
def test_large_content_is_received_before_the_response(place, size, query):
    head = f"PUT /bench/new{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n".encode()
    assert response_to(place, head + bytes(size)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert response_to(place, head + bytes(size // 2)) == b""


def response_to(place, request):
    """All that the server sends to a client that sends no more than this."""
    url = urlsplit(place.server.url)
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as response:
            return response.read()


async def test_requests_are_noted_where_they_shall_be(place):
    place.server.requests.write_text("")
    counted = Operator(S3(bucket="bench", endpoint=place.server.counting_url, **KEYS), resilient=False)
    for _ in range(3):
        await counted.read("small")
    await operator(place).read("small")
    assert place.server.requests.read_text().splitlines() == ["GET /bench/small HTTP/1.1"] * 3
