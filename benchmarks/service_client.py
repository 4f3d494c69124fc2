"""The process that measures one library at one service, once, and writes the figures as JSON to a file.

    python -m benchmarks.service_client '{"library": ..., "settings": {...}, "into": ..., ...}'

Each library has the same four verbs on a key, which `LIBRARIES` names. A library is imported on use, so that its
absence stops nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from typing import Any, Final, Protocol

from benchmarks.child import Clock

SMALL: Final = 4096
Results = dict[str, float] | dict[str, str]
"""Figures; or `lacks` or `failure` with a sentence."""

PAGE: Final = 200
"""The number of keys in the listed folder."""

FILLING: Final = 8
"""How many of these are written at the same time, before anything is measured."""


class Lacks(Exception):
    """A library has no such verb. The message says so."""


class Store(Protocol):
    """What is measured: each verb returns what proves that it worked."""

    async def put(self, key: str, content: bytes) -> object: ...
    async def get(self, key: str) -> int: ...
    async def size(self, key: str) -> int: ...
    async def count(self, folder: str) -> int: ...


class Entrepot:
    def __init__(self, scheme: str, settings: dict[str, Any]) -> None:
        from entrepot import Operator

        self._op = Operator.from_config(scheme, **settings)

    async def put(self, key: str, content: bytes) -> object:
        return await self._op.write(key, content)

    async def get(self, key: str) -> int:
        return len(await self._op.read(key))

    async def size(self, key: str) -> int:
        return (await self._op.stat(key)).content_length or 0

    async def count(self, folder: str) -> int:
        return len([entry async for entry in self._op.lister(folder) if entry.path != folder])


class Opendal:
    def __init__(self, scheme: str, settings: dict[str, Any]) -> None:
        from opendal import AsyncOperator

        self._op = AsyncOperator(scheme, **settings)

    async def put(self, key: str, content: bytes) -> object:
        return await self._op.write(key, content)

    async def get(self, key: str) -> int:
        return len(await self._op.read(key))

    async def size(self, key: str) -> int:
        return (await self._op.stat(key)).content_length

    async def count(self, folder: str) -> int:
        if not self._op.capability().list:
            raise Lacks("it has no listing of this service")
        return len([entry async for entry in await self._op.list(folder) if entry.path != folder])


class Obstore:
    def __init__(self, scheme: str, settings: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        from obstore import store

        kinds: dict[str, Callable[..., Any]] = {"azblob": store.AzureStore, "webdav": store.HTTPStore.from_url}
        options = {"allow_http": True, "default_headers": headers or {}}
        self._store = kinds[scheme](client_options=options, **settings)
        self._parts = None if scheme == "azblob" else False  # it has no parts over WebDAV, and fails if it may use them

    async def put(self, key: str, content: bytes) -> object:
        return await self._store.put_async(key, content, use_multipart=self._parts)

    async def get(self, key: str) -> int:
        return len(await (await self._store.get_async(key)).bytes_async())

    async def size(self, key: str) -> int:
        return (await self._store.head_async(key))["size"]

    async def count(self, folder: str) -> int:
        return len((await self._store.list_with_delimiter_async(folder))["objects"])


class RedisPy:
    """Plain keys and values, and a scan for the listing."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis

        self._redis: Any = Redis.from_url(url)

    async def put(self, key: str, content: bytes) -> object:
        return await self._redis.set(key, content)

    async def get(self, key: str) -> int:
        return len(await self._redis.get(key))

    async def size(self, key: str) -> int:
        return await self._redis.strlen(key)

    async def count(self, folder: str) -> int:
        return len([key async for key in self._redis.scan_iter(match=f"{folder}*", count=1000)])


class Asyncpg:
    """A table of keys and values, as the services of entrepot and opendal have."""

    def __init__(self, url: str, table: str) -> None:
        self._url, self._table = url, table
        self._pool: Any = None

    async def start(self, _: AsyncExitStack) -> None:
        import asyncpg

        self._pool = await asyncpg.create_pool(self._url, min_size=1)

    async def put(self, key: str, content: bytes) -> object:
        statement = f"INSERT INTO {self._table} VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2"  # noqa: S608
        return await self._pool.execute(statement, key, content)

    async def get(self, key: str) -> int:
        return len(await self._pool.fetchval(f"SELECT value FROM {self._table} WHERE key = $1", key))  # noqa: S608

    async def size(self, key: str) -> int:
        return await self._pool.fetchval(f"SELECT length(value) FROM {self._table} WHERE key = $1", key)  # noqa: S608

    async def count(self, folder: str) -> int:
        statement = f"SELECT key, length(value) FROM {self._table} WHERE key >= $1 AND key < $2"  # noqa: S608
        return len(await self._pool.fetch(statement, folder, folder[:-1] + "0"))


class Asyncssh:
    """Files over one connection; a file is written under its name, not beside it and renamed."""

    def __init__(self, root: str, **login: Any) -> None:
        self._root, self._login = root, login
        self._sftp: Any = None

    async def start(self, stack: AsyncExitStack) -> None:
        import asyncssh

        connection = await stack.enter_async_context(asyncssh.connect(**self._login, config=None))
        self._sftp = await stack.enter_async_context(connection.start_sftp_client())

    async def put(self, key: str, content: bytes) -> object:
        path = f"{self._root}/{key}"
        try:
            return await self._write(path, content)
        except FileNotFoundError:
            await self._sftp.makedirs(path.rpartition("/")[0], exist_ok=True)
            return await self._write(path, content)

    async def _write(self, path: str, content: bytes) -> object:
        from asyncssh import SFTPNoSuchFile

        try:
            async with self._sftp.open(path, "wb") as file:
                return await file.write(content)
        except SFTPNoSuchFile as error:
            raise FileNotFoundError(path) from error

    async def get(self, key: str) -> int:
        async with self._sftp.open(f"{self._root}/{key}", "rb") as file:
            return len(await file.read())

    async def size(self, key: str) -> int:
        return (await self._sftp.stat(f"{self._root}/{key}")).size

    async def count(self, folder: str) -> int:
        names = await self._sftp.readdir(f"{self._root}/{folder}")
        return len([name for name in names if name.filename not in {".", ".."}])


LIBRARIES: Final[dict[str, Callable[..., Any]]] = {
    "entrepot": Entrepot,
    "opendal": Opendal,
    "obstore": Obstore,
    "redis-py": RedisPy,
    "asyncpg": Asyncpg,
    "asyncssh": Asyncssh,
}


class Measured:
    """The workloads of one library at one service.

    Arguments:
        store: the library.
        prefix: a folder that only it uses, in this round.
        seconds: how long each rate is measured, after a third of that to warm up; a large object goes twice.
        large: the size of the large object, in bytes.
    """

    def __init__(self, store: Store, prefix: str, seconds: float, large: int) -> None:
        self._store, self._seconds = store, seconds
        self._small, self._page, self._large = f"{prefix}/small", f"{prefix}/page/", f"{prefix}/large"
        self._size = large

    async def run(self) -> dict[str, Results]:
        """The figures of each workload, or how it failed."""
        small, content = _contents(SMALL), _contents(self._size)
        workloads: dict[str, Callable[[], Awaitable[dict[str, float]]]] = {
            "write 4 KiB": lambda: self._rate(lambda: self._store.put(self._small, next(small)), None),
            "read 4 KiB": lambda: self._rate(lambda: self._store.get(self._small), SMALL),
            "stat": lambda: self._rate(lambda: self._store.size(self._small), SMALL),
            "list 200": self._listed,
            "large up": lambda: self._once(lambda: self._store.put(self._large, next(content)), None),
            "large down": lambda: self._once(lambda: self._store.get(self._large), self._size),
        }
        results: dict[str, Results] = {}
        for name, workload in workloads.items():
            try:
                results[name] = await workload()
            except Lacks as error:
                results[name] = {"lacks": str(error)}
            except Exception as error:  # noqa: BLE001 - every library has its own; the parent prints it and fails
                results[name] = {"failure": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        return results

    async def _listed(self) -> dict[str, float]:
        gate, content = asyncio.Semaphore(FILLING), os.urandom(SMALL)

        async def fill(number: int) -> None:
            async with gate:
                await self._store.put(f"{self._page}{number:03}", content)

        await fill(0)  # two that make the folder at the same time are too much for some
        await asyncio.gather(*(fill(number) for number in range(1, PAGE)))
        return await self._rate(lambda: self._store.count(self._page), PAGE)

    async def _rate(self, call: Callable[[], Awaitable[object]], expected: int | None) -> dict[str, float]:
        await _repeated(call, expected, self._seconds / 3)
        clock = Clock()
        calls = await _repeated(call, expected, self._seconds)
        return clock.figures(calls, calls)

    async def _once(self, call: Callable[[], Awaitable[object]], expected: int | None) -> dict[str, float]:
        await _repeated(call, expected, 0)
        clock = Clock()
        calls = await _repeated(call, expected, 0)
        return clock.figures(calls, self._size)


def _contents(size: int) -> Iterator[bytes]:
    """Contents that differ from the one before: SQLite writes nothing where nothing changes."""
    return cycle([os.urandom(size), os.urandom(size)])


async def _repeated(call: Callable[[], Awaitable[object]], expected: int | None, seconds: float) -> int:
    """Calls one after the other, at least once. Returns how often."""
    calls, until = 0, time.perf_counter() + seconds
    while True:
        result = await call()
        if expected is not None and result != expected:
            raise AssertionError(f"{result} instead of {expected}")
        calls += 1
        if time.perf_counter() > until:
            return calls


async def measured(order: dict[str, Any]) -> dict[str, Results]:
    """Makes the library and measures it."""
    async with AsyncExitStack() as stack:
        store = LIBRARIES[order["library"]](**order["settings"])
        if hasattr(store, "start"):
            await store.start(stack)
        return await Measured(store, order["prefix"], order["seconds"], order["large"]).run()


def main() -> None:
    order = json.loads(sys.argv[1])
    Path(order["into"]).write_text(json.dumps(asyncio.run(measured(order))))
    os._exit(0)  # the runtimes of some libraries abort on shutdown; the figures are complete by now


if __name__ == "__main__":
    main()
