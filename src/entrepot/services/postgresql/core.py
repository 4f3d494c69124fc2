"""The statements of one table, pure. Keys are in the order of their bytes, whatever collation the column has."""

from __future__ import annotations

from typing import Final

from entrepot.types import BytesRange

LARGEST: Final = 1 << 30
"""More than the bytes of any bytea, and small enough for PostgreSQL's arithmetic."""


def quoted(name: str) -> str:
    """An identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


class Table:
    """The statements of a table.

    Arguments:
        table: its name, possibly with a schema before a dot.
        key: the name of the column of keys.
        value: the name of the column of values.
    """

    def __init__(self, table: str, key: str, value: str) -> None:
        table, key, value = ".".join(map(quoted, table.split("."))), quoted(key), quoted(value)
        size = f"octet_length({value})"
        row = f"FROM {table} WHERE {key} = $1"
        new = f"INSERT INTO {table} AS old ({key}, {value})"
        replace = f"ON CONFLICT ({key}) DO UPDATE SET {value} = EXCLUDED.{value}"
        stored = f"RETURNING {size}"
        ordered = f'{key} COLLATE "C"'
        self.create = f'CREATE TABLE IF NOT EXISTS {table} ({key} text COLLATE "C" PRIMARY KEY, {value} bytea NOT NULL)'
        self.store_plainly = f"ALTER TABLE {table} ALTER COLUMN {value} SET STORAGE EXTERNAL"
        self.get = f"SELECT {size}, {value} {row}"
        self.find = f"SELECT {size} {row}"
        self._part = f"SELECT {size}, substring({value} FROM $2::int FOR $3::int) {row}"
        self._suffix = f"SELECT {size}, substring({value} FROM greatest({size} - $2::int, 0) + 1) {row}"
        self.put = f"{new} VALUES ($1, $2) {replace} {stored}"
        self.put_new = f"{new} VALUES ($1, $2) ON CONFLICT ({key}) DO NOTHING {stored}"
        joined = f"old.{value} || EXCLUDED.{value}"
        self.append = f"{new} VALUES ($1, $2) ON CONFLICT ({key}) DO UPDATE SET {value} = {joined} {stored}"
        self.delete = f"DELETE FROM {table} WHERE {key} = ANY($1::text[])"
        self.copy = f"{new} SELECT $2, {value} {row} {replace} {stored}"
        self.copy_new = f"{new} SELECT $2, {value} {row} ON CONFLICT ({key}) DO NOTHING {stored}"
        self.lock = f"SELECT 1 {row} FOR UPDATE"
        self.move = f"UPDATE {table} SET {key} = $2 WHERE {key} = $1"
        rows = f"SELECT {key}, {size} FROM {table} WHERE {ordered} >= $1 AND {ordered} > $2"
        self._rows = rows
        self._until = f" AND {ordered} < $4"
        self._in_order = f" ORDER BY {ordered} LIMIT $3"

    def range(self, part: BytesRange) -> tuple[str, tuple[int, ...]]:
        """The statement for a range of a value, and its arguments after the key."""
        if part.is_full:
            return self.get, ()
        if part.suffix is not None:
            return self._suffix, (min(part.suffix, LARGEST),)
        length = LARGEST if part.length is None else min(part.length, LARGEST)
        return self._part, (min(part.start, LARGEST) + 1, length)

    def scan(self, end: str | None) -> str:
        """The statement for a page of keys, with or without an end."""
        return f"{self._rows}{'' if end is None else self._until}{self._in_order}"
