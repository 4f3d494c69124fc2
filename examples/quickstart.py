"""Reads one file through four services with the same code, and prints the time, requests and bytes of each read.

The file is a zip that the demo makes. It is on a local disk, in memory, behind a web server (nginx) and
in an S3 server that checks signatures (SeaweedFS); both servers are started on 127.0.0.1 and stopped
at the end. Each service is read in four ways: the whole file, a range, the record at its end, and the
whole file as a stream of chunks. The demo fails (exit status 1) if the bytes differ anywhere, or if a
service sends an unnecessary request.

    python examples/quickstart.py
    python examples/quickstart.py --size 256
    python examples/quickstart.py --uri "s3://bucket/folder?region=eu-west-1&skip_signature=true" --path a.zip
"""

import argparse
import asyncio
import hashlib
import os
import random
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from entrepot import Error, Operator
from entrepot.raw import Context, Layer
from entrepot.raw.http import HttpBody, HttpRequest, HttpResponse, HttpTransport
from entrepot.services import S3, Fs, Http, Memory
from entrepot.testing.servers import nginx, seaweedfs

MIB = 1024 * 1024
CHUNK = 4 * MIB
CONCURRENT = 4
RANGE = (1_000_000, 3_000_000)
NAME = "quickstart.zip"
END_RECORD = struct.Struct("<4s4HLLH")  # "end of central directory record" of the zip format, without a comment

# The reads. Each takes an operator of any service, and yields bytes.


async def read_whole(op: Operator, path: str) -> AsyncIterator[bytes]:
    """The whole file, in one call."""
    yield await op.read(path)


async def read_range(op: Operator, path: str) -> AsyncIterator[bytes]:
    """A range of the file."""
    yield await op.read_with(path).range(*RANGE)


async def read_tail(op: Operator, path: str) -> AsyncIterator[bytes]:
    """The record at the end of a zip of unknown length."""
    async with op.reader(path) as reader:
        await reader.seek(-END_RECORD.size, os.SEEK_END)
        yield await reader.read(END_RECORD.size)


async def read_stream(op: Operator, path: str) -> AsyncIterator[bytes]:
    """The whole file in chunks, a few of them in flight."""
    async for chunk in op.reader_with(path).chunk(CHUNK).concurrent(CONCURRENT):
        yield chunk


READS = {"read": read_whole, "range": read_range, "tail": read_tail, "stream": read_stream}


def needed_requests(size: int) -> dict[str, int]:
    """The most requests that each read may send for a file of `size` bytes."""
    return {"read": 1, "range": 1, "tail": 2, "stream": -(-size // CHUNK)}


# A layer that counts requests and bytes. Any program can have such a layer.


@dataclass(slots=True)
class Traffic:
    """Requests and bytes that went over the network."""

    requests: int = 0
    received: int = 0


class CountTraffic(Layer):
    """Counts requests and the bytes of their responses, by wrapping the transport of the services."""

    def __init__(self) -> None:
        self.traffic = Traffic()

    def wrap_context(self, context: Context) -> Context:
        """Wraps the transport of the context in the counting one."""
        return context.replace(http=_CountingTransport(context.http, self))


class _CountingTransport(HttpTransport):
    def __init__(self, inner: HttpTransport, layer: CountTraffic) -> None:
        self._inner = inner
        self._layer = layer

    async def send(self, request: HttpRequest) -> HttpResponse:
        self._layer.traffic.requests += 1
        response = await self._inner.send(request)
        response.body = _CountingBody(response.body, self._layer)
        return response


class _CountingBody(HttpBody):
    def __init__(self, inner: HttpBody, layer: CountTraffic) -> None:
        self._inner = inner
        self._layer = layer

    async def read(self, n: int) -> bytes:
        data = await self._inner.read(n)
        self._layer.traffic.received += len(data)
        return data

    async def close(self) -> None:
        await self._inner.close()


# Measurements and checks.


@dataclass(frozen=True, slots=True)
class Result:
    """The result and the cost of one read of one service."""

    service: str
    read: str
    checksum: str
    size: int
    seconds: float
    traffic: Traffic
    last_bytes: bytes


async def measure(name: str, op: Operator, path: str) -> list[Result]:
    """Makes every read of one service, and closes its connections at the end."""
    counter = CountTraffic()
    async with op.layer(counter) as counted:
        return [await _measure_one(name, read, counted, counter, path) for read in READS]


async def _measure_one(service: str, read: str, op: Operator, counter: CountTraffic, path: str) -> Result:
    counter.traffic = Traffic()
    digest, size, last = hashlib.blake2b(digest_size=8), 0, b""
    started = time.perf_counter()
    async for piece in READS[read](op, path):
        digest.update(piece)
        size += len(piece)
        last = piece
    seconds = time.perf_counter() - started
    return Result(service, read, digest.hexdigest(), size, seconds, counter.traffic, last[-END_RECORD.size :])


def faults(results: list[Result]) -> Iterator[str]:
    """The faults of the results, each as a sentence."""
    size = results[0].size
    expected = {result.read: result.checksum for result in results if result.service == results[0].service}
    expected["stream"] = expected["read"]
    for result in results:
        who = f"{result.read} of {result.service}"
        if result.checksum != expected[result.read]:
            yield f"{who} returned other bytes than {results[0].service}"
        if result.traffic.requests > needed_requests(size)[result.read]:
            yield f"{who} sent {result.traffic.requests} requests instead of {needed_requests(size)[result.read]}"
        if result.traffic.received > result.size:
            yield f"{who} received {result.traffic.received} bytes to return {result.size}"


# The file, and the four services that have it.


def make_zip(path: Path, mebibytes: int) -> bytes:
    """Writes a zip with members of one mebibyte each, and returns its bytes."""
    noise = random.Random(mebibytes)  # noqa: S311 - the same bytes for the same size, and no secret
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(mebibytes):
            archive.writestr(f"member-{number:04}.bin", noise.randbytes(MIB))
    return path.read_bytes()


@contextmanager
def four_services(mebibytes: int) -> Iterator[dict[str, Operator]]:
    """Operators of four services with the same file, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="entrepot-demo-") as folder:
        files, objects = Path(folder, "files"), Path(folder, "objects")
        files.mkdir()
        objects.mkdir()
        content = make_zip(files / NAME, mebibytes)
        with nginx(files) as web, seaweedfs(objects) as s3:
            s3.put(NAME, files / NAME)
            memory = Operator(Memory())
            asyncio.run(memory.write(NAME, content))
            yield {
                "fs": Operator(Fs(str(files))),
                "memory": memory,
                "http": Operator(Http(web.url)),
                "s3": Operator(
                    S3(
                        bucket=s3.bucket,
                        endpoint=s3.endpoint,
                        region=s3.region,
                        access_key_id=s3.access_key_id,
                        secret_access_key=s3.secret_access_key,
                    )
                ),
            }


@contextmanager
def own_service(uri: str) -> Iterator[dict[str, Operator]]:
    """An operator of the user's own storage."""
    op = Operator.from_uri(uri)
    yield {str(op.info.scheme): op}


async def measure_all(operators: dict[str, Operator], path: str) -> list[Result]:
    """Makes every read of every service, one after the other."""
    return [result for name, op in operators.items() for result in await measure(name, op, path)]


def print_table(results: list[Result]) -> None:
    """Prints a line for each read, and a total for each service."""
    line = "{:<8} {:<8} {:>16} {:>10} {:>9} {:>14}".format
    print(line("service", "what", "checksum", "time", "requests", "received"))
    for service in dict.fromkeys(result.service for result in results):
        of_service = [result for result in results if result.service == service]
        for result in of_service:
            time_taken, traffic = f"{result.seconds * 1000:,.1f} ms", result.traffic
            print(line(service, result.read, result.checksum, time_taken, traffic.requests, f"{traffic.received:,}"))
        seconds = sum(result.seconds for result in of_service)
        requests = sum(result.traffic.requests for result in of_service)
        received = sum(result.traffic.received for result in of_service)
        print(line(service, "total", "", f"{seconds * 1000:,.1f} ms", requests, f"{received:,}"), end="\n\n")


def describe_tail(results: list[Result]) -> str:
    """The record at the end of the zip, as text."""
    record = next(result.last_bytes for result in results if result.read == "tail")
    signature, *_, members, _, _, _ = END_RECORD.unpack(record)
    return f"{members} members by its tail" if signature == b"PK\x05\x06" else "not a zip by its tail"


def parse_arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="Reads one file through four services with the same code.")
    parser.add_argument("--size", type=int, default=64, metavar="MIB", help="size of the file in MiB (default: 64)")
    parser.add_argument(
        "--uri",
        default=os.environ.get("ENTREPOT_URI"),
        help="read from your own storage instead; the variable ENTREPOT_URI does the same and keeps its "
        "secrets out of the list of processes",
    )
    parser.add_argument("--path", default=NAME, help="the object to read there, of 3 MB or more")
    arguments = parser.parse_args()
    if arguments.size < 1:
        parser.error("--size must be at least 1")
    return arguments


def main() -> int:
    """Runs the demo and returns its exit status."""
    arguments = parse_arguments()
    services = own_service(arguments.uri) if arguments.uri else four_services(arguments.size)
    try:
        with services as operators:
            results = asyncio.run(measure_all(operators, arguments.path))
    except Error as error:
        print(f"The demo failed: {error.kind}: {error}", file=sys.stderr)
        return 1
    print_table(results)
    print(f"The file: {results[0].size:,} bytes, {describe_tail(results)}.")
    problems = list(faults(results))
    print(*problems, sep="\n", file=sys.stderr, end="\n" if problems else "")
    if not problems:
        print("All checksums agree, and no service sent an unnecessary request.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
