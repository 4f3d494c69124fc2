"""4 KiB reads a second, side by side with the Rust-backed peers, in one run.

    python benchmarks/small_reads.py [--seconds 2] [--rounds 3] [--concurrency 32]

Needs `pip install -e '.[bench]'`. Every contender runs in a process of its own, in turn, over several
rounds; the medians and their ratio to entrepot are printed, with CPU time per read. The machine's noise
is in every figure alike: read the ratios. nginx stands for S3 and checks no signature, so that the server
is not what is measured; the requests are signed all the same.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from entrepot.testing import nginx

SIZE = 4096
KEYS = {"access_key_id": "AKIATEST0001", "secret_access_key": "secretsecret01", "region": "us-east-1"}

Read = Callable[[], Awaitable[Any]]


def entrepot_s3(place: str) -> Read:
    from entrepot import Operator
    from entrepot.services import S3

    op = Operator(S3(bucket="bucket", endpoint=place, **KEYS))
    return lambda: op.read("object")


def obstore_s3(place: str) -> Read:
    from obstore.store import S3Store

    options: dict[str, Any] = {"client_options": {"allow_http": True}, "virtual_hosted_style_request": False}
    store = S3Store("bucket", endpoint=place, **KEYS, **options)

    async def read() -> bytes:
        return (await (await store.get_async("object")).bytes_async()).to_bytes()

    return read


def opendal_s3(place: str) -> Read:
    import opendal

    op = opendal.AsyncOperator("s3", bucket="bucket", endpoint=place, root="/", disable_config_load="true", **KEYS)
    return lambda: op.read("object")


def entrepot_fs(place: str) -> Read:
    from entrepot import Operator
    from entrepot.services import Fs

    op = Operator(Fs(place))
    return lambda: op.read("bucket/object")


def obstore_fs(place: str) -> Read:
    from obstore.store import LocalStore

    store = LocalStore(place)

    async def read() -> bytes:
        return (await (await store.get_async("bucket/object")).bytes_async()).to_bytes()

    return read


def opendal_fs(place: str) -> Read:
    import opendal

    op = opendal.AsyncOperator("fs", root=place)
    return lambda: op.read("bucket/object")


CONTENDERS = {
    "s3": {"entrepot": entrepot_s3, "obstore": obstore_s3, "opendal": opendal_s3},
    "fs": {"entrepot": entrepot_fs, "obstore": obstore_fs, "opendal": opendal_fs},
}


async def measure(read: Read, seconds: float, concurrency: int) -> tuple[float, float]:
    """Reads a second, and microseconds of CPU a read."""
    assert len(await read()) == SIZE
    count, until = 0, time.perf_counter() + seconds

    async def reader() -> None:
        nonlocal count
        while time.perf_counter() < until:
            await read()
            count += 1

    await asyncio.gather(*(reader() for _ in range(concurrency)))  # warm-up, of the same length
    count, until = 0, time.perf_counter() + seconds
    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(reader() for _ in range(concurrency)))
    return count / (time.perf_counter() - start), (time.process_time() - cpu) / count * 1e6


def run_child(service: str, name: str, place: str, seconds: float, concurrency: int) -> tuple[float, float]:
    arguments = [service, name, place, str(seconds), str(concurrency)]
    command = [sys.executable, __file__, "--child", *arguments]
    # one peer aborts at interpreter exit, after its figures are out: what counts is that they came
    rate, cpu = json.loads(subprocess.run(command, check=False, capture_output=True, text=True).stdout)
    return rate, cpu


def compare(service: str, place: str, arguments: argparse.Namespace) -> None:
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS[service]}
    for _ in range(arguments.rounds):
        for name, rounds in figures.items():
            rounds.append(run_child(service, name, place, arguments.seconds, arguments.concurrency))
    base = statistics.median(rate for rate, _ in figures["entrepot"])
    for name, rounds in figures.items():
        rate, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        low, high = min(rate for rate, _ in rounds), max(rate for rate, _ in rounds)
        spread = f"({low:,.0f} to {high:,.0f})"
        print(f"{service:3} {name:9} {rate:9,.0f}/s {spread:20} {cpu:6.0f} us CPU   entrepot is {base / rate:.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        service, name, place, seconds, concurrency = arguments.child

        async def child() -> tuple[float, float]:
            return await measure(CONTENDERS[service][name](place), float(seconds), int(concurrency))

        print(json.dumps(asyncio.run(child())), flush=True)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bucket").mkdir()
        (folder / "bucket" / "object").write_bytes(bytes(SIZE))
        with nginx(folder) as server:
            compare("s3", server.url, arguments)
        compare("fs", name, arguments)


if __name__ == "__main__":
    main()
