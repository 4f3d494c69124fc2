"""The operations of the etcd service: ranges and transactions of its key-value API, version 3.

The version of a value is the revision of the store that made it (`mod_revision`), and its etag is the same in quotes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from entrepot.errors import NotFound, ObjectExists, Unexpected
from entrepot.raw import AccessorInfo, Context
from entrepot.raw.keyed import (
    CAPABILITY,
    LISTING,
    Found,
    KeyedAccessor,
    KeyValueStore,
    Scanned,
    Stored,
    end_of_prefix,
    part_of,
)
from entrepot.types import BytesRange, Scheme
from entrepot.types.records import replace

from .config import Etcd
from .gateway import Gateway, decoded, encoded

MAX_VALUE: Final = 1_500_000
"""Less than the limit of a request by default, 1.5 MiB, by what surrounds the value in it."""

MAX_DELETIONS: Final = 100
"""Less than the operations of a transaction by default, 128."""

ATTEMPTS: Final = 10
"""How often a transaction is made whose keys others change at the same time."""

LARGEST_REVISION: Final = 2**63 - 1

FLAGS: Final = replace(
    CAPABILITY,
    **LISTING,
    stat_with_version=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    read_can_seek=True,
    read_can_next=True,
    read_with_version=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    write_with_append=True,
    write_with_if_not_exists=True,
    write_with_if_match=True,
    write_total_max_size=MAX_VALUE,
    delete_with_if_match=True,
    delete_max_size=MAX_DELETIONS,
    copy=True,
    copy_with_if_not_exists=True,
    rename=True,
    rename_with_if_not_exists=True,
)

Message = dict[str, Any]


def build(config: Etcd, context: Context, root: str) -> KeyedAccessor:
    """Builds the service."""
    info = AccessorInfo(Scheme.ETCD, root, config.endpoint.partition("://")[2], FLAGS)
    ttl = None if config.default_ttl is None else round(config.default_ttl)
    return KeyedAccessor(info, EtcdStore(Gateway(config, context.http), ttl))


class EtcdStore(KeyValueStore):
    """The keys of a cluster.

    Arguments:
        gateway: makes the calls.
        ttl: seconds until a written value expires; None is never.
    """

    def __init__(self, gateway: Gateway, ttl: int | None) -> None:
        self._gateway = gateway
        self._ttl = ttl

    async def get(self, key: str, part: BytesRange, version: str | None) -> Found | None:
        found = await self._value(key, version)
        return None if found is None else part_of(found[0], part, found[1])

    async def find(self, key: str, version: str | None) -> Stored | None:
        found = await self._value(key, version)
        return None if found is None else Stored(len(found[0]), found[1])

    async def put(self, key: str, content: bytes, *, if_not_exists: bool, if_match: str | None) -> Stored | None:
        conditions = [_is_missing(key)] if if_not_exists else []
        if if_match is not None:
            condition = _matches(key, if_match)
            if condition is None:
                return None
            conditions.append(condition)
        revision = await self._transact(conditions, [await self._put(key, content)])
        return None if revision is None else Stored(len(content), revision)

    async def append(self, key: str, content: bytes) -> Stored:
        for _ in range(ATTEMPTS):
            found = await self._value(key, None)
            condition = _is_missing(key) if found is None else _is_at(key, found[1])
            whole = content if found is None else found[0] + content
            if (revision := await self._transact([condition], [await self._put(key, whole)])) is not None:
                return Stored(len(whole), revision)
        raise _contended()

    async def delete(self, keys: Sequence[str]) -> None:
        await self._transact([], [_delete(key) for key in dict.fromkeys(keys)])

    async def delete_matching(self, key: str, if_match: str) -> bool:
        condition = _matches(key, if_match)
        return condition is not None and await self._transact([condition], [_delete(key)]) is not None

    async def copy(self, source: str, target: str, *, if_not_exists: bool) -> Stored | None:
        return await self._move(source, target, [], if_not_exists=if_not_exists)

    async def rename(self, source: str, target: str, *, if_not_exists: bool) -> bool:
        return await self._move(source, target, [_delete(source)], if_not_exists=if_not_exists) is not None

    async def scan(self, prefix: str, after: str, limit: int) -> Scanned:
        start, end = max(prefix, after + "\0" if after else "") or "\0", end_of_prefix(prefix)
        message = {"key": encoded(start), "range_end": encoded(end or "\0"), "limit": limit, "keys_only": True}
        answer = await self._gateway.call("/v3/kv/range", message)
        rows = [(_text_of(decoded(row["key"])), row["mod_revision"]) for row in answer.get("kvs", ())]
        last = rows[-1][0] if answer.get("more") else None
        return [(key, Stored(None, revision)) for key, revision in rows], last

    async def _move(self, source: str, target: str, more: Sequence[Message], *, if_not_exists: bool) -> Stored | None:
        """Stores the value of the source under the target, as long as neither changes in between."""
        for _ in range(ATTEMPTS):
            found = await self._value(source, None)
            if found is None:
                return None
            conditions = [_is_at(source, found[1]), *([_is_missing(target)] if if_not_exists else [])]
            revision = await self._transact(conditions, [await self._put(target, found[0]), *more])
            if revision is not None:
                return Stored(len(found[0]), revision)
            if if_not_exists and await self._value(target, None) is not None:
                raise ObjectExists("if_not_exists does not hold: the key exists")
        raise _contended()

    async def _value(self, key: str, version: str | None) -> tuple[bytes, str] | None:
        """The content and the version of a value; None without such a key or version."""
        message: Message = {"key": encoded(key)}
        if version is not None:
            if not _is_revision(version):
                return None
            message["revision"] = version
        try:
            rows = (await self._gateway.call("/v3/kv/range", message)).get("kvs")
        except NotFound:  # the version has been compacted, or is yet to come
            return None
        if not rows or version not in {None, rows[0]["mod_revision"]}:
            return None
        return decoded(rows[0].get("value", "")), rows[0]["mod_revision"]

    async def _transact(self, conditions: Sequence[Message], changes: Sequence[Message]) -> str | None:
        """Makes changes at once, and returns the revision that has them; None if a condition does not hold."""
        answer = await self._gateway.call("/v3/kv/txn", {"compare": conditions, "success": changes})
        return str(answer["header"]["revision"]) if answer.get("succeeded") else None

    async def _put(self, key: str, content: bytes) -> Message:
        message: Message = {"key": encoded(key), "value": encoded(content)}
        if self._ttl is not None:
            lease = await self._gateway.call("/v3/lease/grant", {"TTL": self._ttl})
            message["lease"] = lease["ID"]
        return {"requestPut": message}


def _text_of(key: bytes) -> str:
    """A key as text. One that is not UTF-8 keeps its bytes, as surrogates, so that the next page can go on there."""
    return key.decode("utf-8", "surrogateescape")


def _delete(key: str) -> Message:
    return {"requestDeleteRange": {"key": encoded(key)}}


def _is_missing(key: str) -> Message:
    return {"key": encoded(key), "target": "CREATE", "createRevision": "0"}


def _is_at(key: str, version: str) -> Message:
    return {"key": encoded(key), "target": "MOD", "modRevision": version}


def _matches(key: str, etag: str) -> Message | None:
    """The condition that a key has an etag, or any for `*`; None if no key can have it."""
    if etag == "*":
        return {"key": encoded(key), "target": "CREATE", "result": "GREATER", "createRevision": "0"}
    version = etag[1:-1]
    return _is_at(key, version) if etag == f'"{version}"' and _is_revision(version) else None


def _is_revision(version: str) -> bool:
    return version.isascii() and version.isdigit() and len(version) < 20 and 0 < int(version) <= LARGEST_REVISION


def _contended() -> Unexpected:
    return Unexpected("other calls change the same key at the same time", is_temporary=True)
