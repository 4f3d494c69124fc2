"""The operations of the redis service: commands of Redis (https://redis.io/docs/latest/commands)."""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ResponseError

from entrepot.errors import ObjectExists, Unsupported
from entrepot.raw import AccessorInfo, Context
from entrepot.raw.keyed import CAPABILITY, LISTING, Found, KeyedAccessor, KeyValueStore, Scan, Scanned, Stored, part_of
from entrepot.types import BytesRange, Scheme
from entrepot.types.records import replace

from .client import Session, close, new_session
from .errors import translated

if TYPE_CHECKING:
    from entrepot.raw.runtime import Local

    from .config import Redis

MAX_VALUE: Final = 512 * 1024 * 1024
MAX_DELETIONS: Final = 1000
SCAN_COUNT: Final = 1000
"""The keys that the server looks at in one step of a scan."""

_SPECIAL: Final = re.compile(r"([*?\[\\])")
"""The characters that mean something in a pattern of SCAN."""

FLAGS: Final = replace(
    CAPABILITY,
    **LISTING,
    write_with_append=True,
    write_with_if_not_exists=True,
    write_total_max_size=MAX_VALUE,
    delete_max_size=MAX_DELETIONS,
    copy=True,
    copy_with_if_not_exists=True,
    rename=True,
    rename_with_if_not_exists=True,
)


def build(config: Redis, context: Context, root: str) -> KeyedAccessor:
    """Builds the service. Stacks of one context and server share its connections."""
    make = partial(new_session, config, context.runtime)
    clients = context.shared_local(dataclasses.replace(config, root="/"), make, close)
    info = AccessorInfo(Scheme.REDIS, root, config.address.name, FLAGS, is_remote=True)
    return KeyedAccessor(info, RedisStore(clients, config.default_ttl, config.max_listed_keys))


class RedisStore(KeyValueStore):
    """The strings of a server.

    Arguments:
        clients: the client of each event loop.
        ttl: seconds until a written value expires; None is never.
        max_listed: the most keys of a listing.
    """

    def __init__(self, clients: Local[Session], ttl: float | None, max_listed: int) -> None:
        self._clients = clients
        self._ttl = None if ttl is None else max(1, round(ttl * 1000))
        self._max_listed = max_listed

    async def get(self, key: str, part: BytesRange, version: str | None) -> Found | None:
        if part.is_full:
            async with _calling(self._clients) as client:
                value: bytes | None = await client.execute_command("GET", key)
            return None if value is None else part_of(value, part)
        start, last = (-part.suffix, -1) if part.suffix is not None else (part.start, (part.end or 0) - 1)
        size, exists, content = await self._together(("STRLEN", key), ("EXISTS", key), ("GETRANGE", key, start, last))
        return Found(content, Stored(size)) if exists else None

    async def find(self, key: str, version: str | None) -> Stored | None:
        size, exists = await self._together(("STRLEN", key), ("EXISTS", key))
        return Stored(size) if exists else None

    async def put(self, key: str, content: bytes, *, if_not_exists: bool, if_match: str | None) -> Stored | None:
        async with _calling(self._clients) as client:
            stored = await client.set(key, content, nx=if_not_exists, px=self._ttl)
        return Stored(len(content)) if stored else None

    async def append(self, key: str, content: bytes) -> Stored:
        size, *_ = await self._together(("APPEND", key, content), *self._expiry(key))
        return Stored(size)

    async def delete(self, keys: Sequence[str]) -> None:
        async with _calling(self._clients) as client:
            await client.unlink(*keys)

    async def copy(self, source: str, target: str, *, if_not_exists: bool) -> Stored | None:
        command = ("COPY", source, target, *(() if if_not_exists else ("REPLACE",)))
        copied, exists, size = await self._together(command, ("EXISTS", source), ("STRLEN", target))
        if exists and not copied:
            raise ObjectExists("if_not_exists does not hold: the key exists")
        if copied and (expiry := self._expiry(target)):
            await self._together(*expiry)
        return Stored(size) if copied else None

    async def rename(self, source: str, target: str, *, if_not_exists: bool) -> bool:
        command = "RENAMENX" if if_not_exists else "RENAME"
        async with _calling(self._clients) as client:
            try:
                renamed = await client.execute_command(command, source, target)
            except ResponseError as error:
                if "no such key" not in str(error):
                    raise
                return False
        if not renamed:
            raise ObjectExists("if_not_exists does not hold: the key exists")
        return True

    def scanner(self, prefix: str) -> Scan:
        return _SortedScan(self._clients, prefix, self._max_listed)

    async def _together(self, *calls: tuple[Any, ...]) -> list[Any]:
        """The results of calls that are made as one."""
        return await _pipelined(self._clients, calls, is_atomic=True)

    def _expiry(self, key: str) -> tuple[tuple[Any, ...], ...]:
        return () if self._ttl is None else (("PEXPIRE", key, self._ttl),)


class _SortedScan:
    """One listing: SCAN returns the keys without order, and some twice, so all are collected and sorted first."""

    def __init__(self, clients: Local[Session], prefix: str, most: int) -> None:
        self._clients = clients
        self._prefix = prefix
        self._most = most
        self._keys: list[str] | None = None

    async def __call__(self, after: str, limit: int) -> Scanned:
        if self._keys is None:
            self._keys = sorted(await self._collected())
        start = bisect_right(self._keys, after)
        page = self._keys[start : start + limit]
        last = page[-1] if start + limit < len(self._keys) else None
        return await _sizes(self._clients, page), last

    async def _collected(self) -> set[str]:
        pattern, keys = _SPECIAL.sub(r"\\\1", self._prefix) + "*", set[str]()
        async with _calling(self._clients) as client:
            async for key in client.scan_iter(match=pattern, count=SCAN_COUNT, _type="STRING"):
                keys.add(key.decode("utf-8", "surrogateescape"))  # which no path leads to, if it is not UTF-8
                if len(keys) > self._most:
                    raise Unsupported(f"there are more than {self._most} keys: list less, or set max_listed_keys")
        return keys


async def _sizes(clients: Local[Session], keys: Sequence[str]) -> Sequence[tuple[str, Stored]]:
    """The sizes of values. Keys that were deleted, or hold another type by now, are left out.

    A key that does not exist has the length 0 (STRLEN), so only for these it is asked whether they exist.
    """
    names = [key.encode("utf-8", "surrogateescape") for key in keys]
    sizes = await _each(clients, "STRLEN", names)
    empty = [key for key, size in zip(names, sizes, strict=True) if size == 0]
    exists = dict(zip(empty, await _each(clients, "EXISTS", empty), strict=True))
    rows = zip(keys, names, sizes, strict=True)
    return [(key, Stored(size)) for key, name, size in rows if isinstance(size, int) and exists.get(name, 1) == 1]


async def _each(clients: Local[Session], command: str, keys: Sequence[bytes]) -> list[Any]:
    """The results of a command for each key, by one request."""
    return await _pipelined(clients, [(command, key) for key in keys], is_atomic=False) if keys else []


async def _pipelined(clients: Local[Session], calls: Sequence[tuple[Any, ...]], *, is_atomic: bool) -> list[Any]:
    async with _calling(clients) as client, client.pipeline(transaction=is_atomic) as pipeline:
        for call in calls:
            pipeline.execute_command(*call)
        results: list[Any] = await pipeline.execute(raise_on_error=is_atomic)
    return results


@asynccontextmanager
async def _calling(clients: Local[Session]) -> AsyncIterator[Any]:
    """The client of the running loop. Its errors become ours."""
    session = await clients.get()
    session.runtime.timeout(None)  # refuses a call outside of a task, which redis-py cannot make
    if not session.tls.is_ready:
        await session.tls.prepare()
    with translated():
        yield session.client
