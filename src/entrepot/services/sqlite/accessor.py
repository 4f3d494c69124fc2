"""The operations of the sqlite service: statements of the table, made in threads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from entrepot.raw import AccessorInfo, Context
from entrepot.raw.keyed import CAPABILITY, LISTING, Found, KeyedAccessor, KeyValueStore, Scanned, Stored
from entrepot.types import BytesRange, Scheme
from entrepot.types.records import replace

from .connections import Connections, Settings
from .core import Table

if TYPE_CHECKING:
    from entrepot.raw.runtime import Local, Runtime

    from .config import Sqlite

MAX_VALUE: Final = 1_000_000_000 - 64 * 1024
"""SQLite's limit of a row by default, without what the key and the header may take."""

MAX_DELETIONS: Final = 1000

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


def build(config: Sqlite, context: Context, root: str) -> KeyedAccessor:
    """Builds the service. Stacks of one context share its connections."""
    table = Table(config.table, config.key_field, config.value_field)
    settings = Settings(
        path=config.connection_string,
        busy_timeout=config.busy_timeout,
        creates_table=config.create_table,
        fsync=config.fsync,
        is_read_only=context.is_read_only,
    )
    runtime = context.runtime
    make, close = partial(Connections, table, settings), partial(_close, runtime)
    connections = context.shared_local((config.place, settings), make, close)
    info = AccessorInfo(Scheme.SQLITE, root, config.table, FLAGS)
    return KeyedAccessor(info, SqliteStore(table, connections, runtime))


async def _close(runtime: Runtime, connections: Connections) -> None:
    await runtime.blocking(connections.close)


class SqliteStore(KeyValueStore):
    """The table of a database."""

    def __init__(self, table: Table, connections: Local[Connections], runtime: Runtime) -> None:
        self._table = table
        self._connections = connections
        self._runtime = runtime

    async def get(self, key: str, part: BytesRange, version: str | None) -> Found | None:
        connections = await self._connections.get()
        return await self._runtime.blocking(connections.read, None, self._table.get, key, part)

    async def find(self, key: str, version: str | None) -> Stored | None:
        connections = await self._connections.get()
        return await self._runtime.blocking(connections.read, None, self._table.find, key)

    async def scan(self, prefix: str, after: str, limit: int) -> Scanned:
        connections = await self._connections.get()
        nothing = list[tuple[str, Stored]](), None
        return await self._runtime.blocking(connections.read, nothing, self._table.scan, prefix, after, limit)

    async def put(self, key: str, content: bytes, *, if_not_exists: bool, if_match: str | None) -> Stored | None:
        connections = await self._connections.get()
        return await self._runtime.blocking(connections.write, self._table.put, key, content, if_not_exists)

    async def append(self, key: str, content: bytes) -> Stored:
        connections = await self._connections.get()
        return await self._runtime.blocking(connections.write, self._table.append, key, content)

    async def delete(self, keys: Sequence[str]) -> None:
        connections = await self._connections.get()
        await self._runtime.blocking(connections.read, None, self._table.delete, keys)

    async def copy(self, source: str, target: str, *, if_not_exists: bool) -> Stored | None:
        connections = await self._connections.get()
        return await self._runtime.blocking(connections.read, None, self._table.copy, source, target, if_not_exists)

    async def rename(self, source: str, target: str, *, if_not_exists: bool) -> bool:
        connections = await self._connections.get()
        return await self._runtime.blocking(connections.read, False, self._table.rename, source, target, if_not_exists)
