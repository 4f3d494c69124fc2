"""The statements of one table, each made on a connection. They block.

Keys are compared in the order of their bytes (`COLLATE BINARY`), whatever collation the column has; with another one
the statements work, and use no index. Values that another program stored as text count as their UTF-8 bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from entrepot.errors import ObjectExists
from entrepot.raw.keyed import Found, Scanned, Stored, end_of_prefix
from entrepot.types import BytesRange

SMALL: Final = 64 * 1024
"""Up to this many bytes, a value is read whole to return a part of it, which costs less than a handle on it."""


def quoted(name: str) -> str:
    """An identifier in backticks. In double quotes, SQLite takes the name of a missing column for a text."""
    return "`" + name.replace("`", "``") + "`"


def encoded(key: str) -> bytes:
    """The bytes of a key, also of one that is not valid UTF-8 and was read with `surrogateescape`."""
    return key.encode("utf-8", "surrogateescape")


class Table:
    """The statements of a table.

    Arguments:
        table: its name.
        key: the name of the column of keys.
        value: the name of the column of values.
    """

    def __init__(self, table: str, key: str, value: str) -> None:
        self._names = table, value
        table, key, value = quoted(table), quoted(key), quoted(value)
        blob = f"CAST({value} AS BLOB)"
        size = f"CASE typeof({value}) WHEN 'blob' THEN length({value}) ELSE coalesce(length({blob}), 0) END"
        is_key = f"{key} COLLATE BINARY = ?"
        new = f"INSERT INTO {table} ({key}, {value})"
        replace = f"ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}"
        self._create = f"CREATE TABLE IF NOT EXISTS {table} ({key} TEXT PRIMARY KEY NOT NULL, {value} BLOB NOT NULL)"
        self._get = f"SELECT coalesce({blob}, x'') FROM {table} WHERE {is_key}"
        self._part = f"SELECT substr({blob}, ?, ?) FROM {table} WHERE {is_key}"
        self._find = f"SELECT {size} FROM {table} WHERE {is_key}"
        self._row = f"SELECT rowid FROM {table} WHERE {is_key} AND typeof({value}) = 'blob'"
        self._put = f"{new} VALUES (?, ?) {replace}"
        self._put_new = f"{new} VALUES (?, ?) ON CONFLICT ({key}) DO NOTHING"
        joined = f"CAST({blob} || excluded.{value} AS BLOB)"
        self._append = f"{new} VALUES (?, ?) ON CONFLICT ({key}) DO UPDATE SET {value} = {joined}"
        self._delete = f"DELETE FROM {table} WHERE {is_key}"
        self._copy = f"{new} SELECT ?, {blob} FROM {table} WHERE {is_key}"
        self._replace = f" {replace}"
        self._move = f"UPDATE {table} SET {key} = ? WHERE {is_key}"
        text = f"typeof({key}) = 'text' AND {key} COLLATE BINARY"
        rows = f"SELECT {key}, {size} FROM {table} WHERE {text} >= CAST(? AS TEXT)"
        self._scan = f"{rows} AND {key} COLLATE BINARY > CAST(? AS TEXT)"
        self._until = f" AND {key} COLLATE BINARY < CAST(? AS TEXT)"
        self._in_order = f" ORDER BY {key} COLLATE BINARY LIMIT ?"

    def create(self, connection: sqlite3.Connection) -> None:
        """Makes the table unless it exists."""
        connection.execute(self._create)

    def get(self, connection: sqlite3.Connection, key: str, part: BytesRange) -> Found | None:
        """The range of a value; None without such a key."""
        if part.is_full:
            row = connection.execute(self._get, (key,)).fetchone()
            return None if row is None else Found(row[0], Stored(len(row[0])))
        with transaction(connection, "BEGIN"):
            stored = self.find(connection, key)
            if stored is None:
                return None
            size = stored.size or 0
            return Found(self._range(connection, key, *part.resolve(size), size), stored)

    def _range(self, connection: sqlite3.Connection, key: str, start: int, end: int, size: int) -> bytes:
        """The bytes of a value. Of a large one, only the pages that have them are read."""
        if start == end:
            return b""
        row = self._rowid(connection, key) if size > SMALL else None
        if row is None:
            content: bytes = connection.execute(self._part, (start + 1, end - start, key)).fetchone()[0]
            return content
        table, value = self._names
        with connection.blobopen(table, value, row, readonly=True) as blob:
            blob.seek(start)
            return blob.read(end - start)

    def _rowid(self, connection: sqlite3.Connection, key: str) -> int | None:
        """The row of a value that can be read in parts; None if the table has no such rows."""
        try:
            row = connection.execute(self._row, (key,)).fetchone()
        except sqlite3.OperationalError:  # a table WITHOUT ROWID, or a view
            return None
        return None if row is None or not isinstance(row[0], int) else row[0]

    def find(self, connection: sqlite3.Connection, key: str) -> Stored | None:
        """The size of a value; None without such a key."""
        row = connection.execute(self._find, (key,)).fetchone()
        return None if row is None else Stored(row[0])

    def put(self, connection: sqlite3.Connection, key: str, content: bytes, if_not_exists: bool) -> Stored | None:
        """Stores a value; None if the key exists and must not."""
        cursor = connection.execute(self._put_new if if_not_exists else self._put, (key, content))
        return Stored(len(content)) if cursor.rowcount else None

    def append(self, connection: sqlite3.Connection, key: str, content: bytes) -> Stored:
        """Adds bytes to a value or creates it, and returns its size."""
        with transaction(connection):
            connection.execute(self._append, (key, content))
            stored = self.find(connection, key)
        assert stored is not None
        return stored

    def delete(self, connection: sqlite3.Connection, keys: Sequence[str]) -> None:
        """Deletes keys in one transaction."""
        with transaction(connection):
            connection.executemany(self._delete, [(key,) for key in keys])

    def copy(self, connection: sqlite3.Connection, source: str, target: str, if_not_exists: bool) -> Stored | None:
        """Stores a value under another key; None without a source."""
        with transaction(connection):
            self._check_target(connection, target, if_not_exists)
            # "true" parts the SELECT from ON CONFLICT, which the parser takes for the ON of a join.
            connection.execute(f"{self._copy} AND true{self._replace}", (target, source))
            return self.find(connection, source) and self.find(connection, target)

    def rename(self, connection: sqlite3.Connection, source: str, target: str, if_not_exists: bool) -> bool:
        """Moves a value; False without a source."""
        with transaction(connection):
            self._check_target(connection, target, if_not_exists)
            if self.find(connection, source) is None:
                return False
            connection.execute(self._delete, (target,))
            connection.execute(self._move, (target, source))
            return True

    def scan(self, connection: sqlite3.Connection, prefix: str, after: str, limit: int) -> Scanned:
        """The first keys that start with the prefix and follow `after`, and the key to go on after."""
        end = end_of_prefix(prefix)
        until, values = ("", ()) if end is None else (self._until, (encoded(end),))
        arguments = (encoded(prefix), encoded(after), *values, limit)
        rows = connection.execute(f"{self._scan}{until}{self._in_order}", arguments).fetchall()
        return [(key, Stored(size)) for key, size in rows], rows[-1][0] if len(rows) == limit else None

    def _check_target(self, connection: sqlite3.Connection, target: str, if_not_exists: bool) -> None:
        if if_not_exists and self.find(connection, target) is not None:
            raise ObjectExists("if_not_exists does not hold: the key exists")


@contextmanager
def transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """A transaction. By default it takes the lock of the writer at its start."""
    connection.execute(begin)
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # some errors have ended it
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
