"""The operations of the postgresql service: statements of its table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from entrepot.errors import ConfigInvalid, Error, ObjectExists
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
)
from entrepot.raw.pool import shared_pool
from entrepot.types import BytesRange, Scheme
from entrepot.types.records import replace

from .core import Table
from .errors import NO_SCHEMA, NO_TABLE, NOT_UNIQUE
from .session import PostgresqlSession, new_pool

if TYPE_CHECKING:
    from entrepot.raw.pool import Lease, Pool
    from entrepot.raw.runtime import Local

    from .config import Postgresql

MAX_VALUE: Final = 1_000_000_000
"""Less than PostgreSQL's limit of a message and of a bytea, 1 GiB, by what surrounds the value in them."""

MAX_KEY: Final = 2_600
"""Less than the limit of an entry of an index, a third of a page."""

MAX_DELETIONS: Final = 1000

CREATION_LOCK: Final = 0x656E7472
"""The advisory lock of those who make the table."""

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


def build(config: Postgresql, context: Context, root: str) -> KeyedAccessor:
    """Builds the service. Stacks of one context and database share its connections."""
    make = partial(new_pool, context.runtime, config)
    sessions = shared_pool(context, dataclasses.replace(config, root="/"), make)
    table = Table(config.table, config.key_field, config.value_field)
    name = urlsplit(config.connection_string).path.strip("/")
    info = AccessorInfo(Scheme.POSTGRESQL, root, name, FLAGS, is_remote=True)
    return KeyedAccessor(info, PostgresqlStore(table, sessions, creates_table=config.create_table), MAX_KEY)


class PostgresqlStore(KeyValueStore):
    """The table of a database.

    Arguments:
        table: its statements.
        sessions: the sessions with the server, of each event loop.
        creates_table: whether a write makes the table.
    """

    def __init__(self, table: Table, sessions: Local[Pool[PostgresqlSession]], *, creates_table: bool) -> None:
        self._table = table
        self._sessions = sessions
        self._creates_table = creates_table

    async def get(self, key: str, part: BytesRange, version: str | None) -> Found | None:
        statement, arguments = self._table.range(part)
        rows = await self._read(statement, key, *arguments)
        return Found(rows[0][1], Stored(rows[0][0])) if rows else None

    async def find(self, key: str, version: str | None) -> Stored | None:
        return _stored(await self._read(self._table.find, key))

    async def put(self, key: str, content: bytes, *, if_not_exists: bool, if_match: str | None) -> Stored | None:
        return _stored(await self._write(self._table.put_new if if_not_exists else self._table.put, key, content))

    async def append(self, key: str, content: bytes) -> Stored:
        [row] = await self._write(self._table.append, key, content)
        return Stored(row[0])

    async def delete(self, keys: Sequence[str]) -> None:
        await self._read(self._table.delete, keys)

    async def copy(self, source: str, target: str, *, if_not_exists: bool) -> Stored | None:
        rows = await self._read(self._table.copy_new if if_not_exists else self._table.copy, source, target)
        if not rows and if_not_exists and await self.find(source, None) is not None:
            raise _exists()
        return _stored(rows)

    async def rename(self, source: str, target: str, *, if_not_exists: bool) -> bool:
        async with await self._session() as session:
            try:
                return await session.transaction(self._move, source, target, if_not_exists)
            except Error as error:
                if if_not_exists and error.context.get("sqlstate") == NOT_UNIQUE:
                    raise _exists() from None
                self._check_lacks_table(error)
                return False

    async def scan(self, prefix: str, after: str, limit: int) -> Scanned:
        end = end_of_prefix(prefix)
        arguments = (prefix, after, limit) if end is None else (prefix, after, limit, end)
        rows = await self._read(self._table.scan(end), *arguments)
        return [(key, Stored(size)) for key, size in rows], rows[-1][0] if len(rows) == limit else None

    async def _session(self) -> Lease[PostgresqlSession]:
        return await (await self._sessions.get()).take()

    async def _move(self, connection: Any, source: str, target: str, if_not_exists: bool) -> bool:
        if not await connection.fetch(self._table.lock, source):
            return False
        if not if_not_exists:
            await connection.execute(self._table.delete, [target])
        await connection.execute(self._table.move, source, target)
        return True

    async def _read(self, statement: str, *arguments: object) -> Sequence[Any]:
        """The rows of a statement that stores nothing without a row: none if there is no table, and it may be made."""
        async with await self._session() as session:
            try:
                return await session.fetch(statement, *arguments)
            except Error as error:
                self._check_lacks_table(error)
                return ()

    async def _write(self, statement: str, *arguments: object) -> Sequence[Any]:
        """The rows of a statement, for which the table is made if it is missing and may be made."""
        async with await self._session() as session:
            try:
                return await session.fetch(statement, *arguments)
            except Error as error:
                self._check_lacks_table(error)
            await session.transaction(self._create)
            return await session.fetch(statement, *arguments)

    async def _create(self, connection: Any) -> None:
        """Makes the table. Calls that do so at the same time wait for each other: PostgreSQL fails some of them."""
        await connection.execute("SELECT pg_advisory_xact_lock($1)", CREATION_LOCK)
        await connection.execute(self._table.create)
        await connection.execute(self._table.store_plainly)

    def _check_lacks_table(self, error: Error) -> None:
        """Raises the error, unless it says that there is no table and the table may be made.

        Raises:
            ConfigInvalid: there is no table, and it must not be made.
        """
        state = error.context.get("sqlstate")
        if state not in {NO_TABLE, NO_SCHEMA}:
            raise error
        if state == NO_SCHEMA or not self._creates_table:
            raise ConfigInvalid(f"the database has no such table: set create_table, or run: {self._table.create}")


def _stored(rows: Sequence[Any]) -> Stored | None:
    return Stored(rows[0][0]) if rows else None


def _exists() -> ObjectExists:
    return ObjectExists("if_not_exists does not hold: the key exists")
