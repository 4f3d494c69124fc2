"""The operations of the redis service: commands of Redis (https://redis.io/docs/latest/commands)."""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ResponseError

from entrepot.errors import ObjectExists, Unsupported
from entrepot.raw import AccessorInfo, Context
from entrepot.raw.keyed import CAPABILITY, LISTING, Found, KeyedAccessor, KeyValueStore, Scan, Scanned, Stored, part_of
from entrepot.raw.pool import shared_pool
from entrepot.types import BytesRange, Scheme
from entrepot.types.records import replace

from .errors import meaning_of
from .session import Command, RedisSession, new_pool

if TYPE_CHECKING:
    from entrepot.raw.pool import Lease, Pool
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
    make = partial(new_pool, context.runtime, config)
    sessions = shared_pool(context, dataclasses.replace(config, root="/"), make)
    info = AccessorInfo(Scheme.REDIS, root, config.address.name, FLAGS, is_remote=True)
    return KeyedAccessor(info, RedisStore(sessions, config.default_ttl, config.max_listed_keys))


class RedisStore(KeyValueStore):
    """The strings of a server.

    Arguments:
        sessions: the sessions with the server, of each event loop.
        ttl: seconds until a written value expires; None is never.
        max_listed: the most keys of a listing.
    """

    def __init__(self, sessions: Local[Pool[RedisSession]], ttl: float | None, max_listed: int) -> None:
        self._sessions = sessions
        self._ttl = None if ttl is None else max(1, round(ttl * 1000))
        self._max_listed = max_listed

    async def get(self, key: str, part: BytesRange, version: str | None) -> Found | None:
        if part.is_full:
            async with await self._session() as session:
                [value] = await session.call(("GET", key))
            return None if value is None else part_of(value, part)
        start, last = (-part.suffix, -1) if part.suffix is not None else (part.start, (part.end or 0) - 1)
        async with await self._session() as session:
            size, exists, content = await session.transaction(
                ("STRLEN", key), ("EXISTS", key), ("GETRANGE", key, start, last)
            )
        return Found(content, Stored(size)) if exists else None

    async def find(self, key: str, version: str | None) -> Stored | None:
        calls = ("EXISTS", key), ("STRLEN", key)
        async with await self._session() as session:
            exists, size = await session.call(*calls)
            if exists and not size:  # it is empty, or was deleted between the two
                exists, size = await session.transaction(*calls)
        return Stored(size) if exists or size else None

    async def put(self, key: str, content: bytes, *, if_not_exists: bool, if_match: str | None) -> Stored | None:
        condition = ("NX",) if if_not_exists else ()
        expiry = () if self._ttl is None else ("PX", self._ttl)
        async with await self._session() as session:
            [stored] = await session.call(("SET", key, content, *expiry, *condition))
        return Stored(len(content)) if stored else None

    async def append(self, key: str, content: bytes) -> Stored:
        async with await self._session() as session:
            size, *_ = await session.transaction(("APPEND", key, content), *self._expiry(key))
        return Stored(size)

    async def delete(self, keys: Sequence[str]) -> None:
        async with await self._session() as session:
            await session.call(("UNLINK", *keys))

    async def copy(self, source: str, target: str, *, if_not_exists: bool) -> Stored | None:
        command = ("COPY", source, target, *(() if if_not_exists else ("REPLACE",)))
        async with await self._session() as session:
            copied, exists, size = await session.transaction(command, ("EXISTS", source), ("STRLEN", target))
            if exists and not copied:
                raise _exists()
            if copied and (expiry := self._expiry(target)):
                await session.call(*expiry)
        return Stored(size) if copied else None

    async def rename(self, source: str, target: str, *, if_not_exists: bool) -> bool:
        async with await self._session() as session:
            [renamed] = await session.exchange([("RENAMENX" if if_not_exists else "RENAME", source, target)])
        if isinstance(renamed, ResponseError):
            if "no such key" not in str(renamed):
                raise meaning_of(renamed) from renamed
            return False
        if not renamed:
            raise _exists()
        return True

    def scanner(self, prefix: str) -> Scan:
        return _SortedScan(self._session, prefix, self._max_listed)

    async def _session(self) -> Lease[RedisSession]:
        return await (await self._sessions.get()).take()

    def _expiry(self, key: str) -> tuple[Command, ...]:
        return () if self._ttl is None else (("PEXPIRE", key, self._ttl),)


class _SortedScan:
    """One listing: SCAN returns the keys without order, and some twice, so all are collected and sorted first.

    Arguments:
        take: takes a session.
        prefix: the start of the keys.
        most: the most keys.
    """

    def __init__(self, take: Callable[[], Awaitable[Lease[RedisSession]]], prefix: str, most: int) -> None:
        self._take = take
        self._prefix = prefix
        self._most = most
        self._keys: list[str] | None = None

    async def __call__(self, after: str, limit: int) -> Scanned:
        if self._keys is None:
            self._keys = sorted(await self._collected())
        start = bisect_right(self._keys, after)
        page = self._keys[start : start + limit]
        last = page[-1] if start + limit < len(self._keys) else None
        async with await self._take() as session:
            return await _sizes(session, page), last

    async def _collected(self) -> set[str]:
        pattern, keys, cursor = _SPECIAL.sub(r"\\\1", self._prefix) + "*", set[str](), b"0"
        while True:
            async with await self._take() as session:
                [(cursor, found)] = await session.call(
                    ("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT, "TYPE", "STRING")
                )
            keys.update(key.decode("utf-8", "surrogateescape") for key in found)  # no path leads to one not in UTF-8
            if len(keys) > self._most:
                raise Unsupported(f"there are more than {self._most} keys: list less, or set max_listed_keys")
            if cursor == b"0":
                return keys


async def _sizes(session: RedisSession, keys: Sequence[str]) -> Sequence[tuple[str, Stored]]:
    """The sizes of values. Keys that were deleted, or hold another type by now, are left out.

    A key that does not exist has the length 0 (STRLEN), so only for these it is asked whether they exist.
    """
    names = [key.encode("utf-8", "surrogateescape") for key in keys]
    sizes = await _each(session, "STRLEN", names)
    empty = [key for key, size in zip(names, sizes, strict=True) if size == 0]
    exists = dict(zip(empty, await _each(session, "EXISTS", empty), strict=True))
    rows = zip(keys, names, sizes, strict=True)
    return [(key, Stored(size)) for key, name, size in rows if isinstance(size, int) and exists.get(name, 1) == 1]


async def _each(session: RedisSession, command: str, keys: Sequence[bytes]) -> list[Any]:
    """The responses to a command for each key, by one request."""
    return await session.exchange([(command, key) for key in keys]) if keys else []


def _exists() -> ObjectExists:
    return ObjectExists("if_not_exists does not hold: the key exists")
