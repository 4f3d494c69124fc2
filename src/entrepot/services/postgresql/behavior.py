"""Where the behaviour suite runs on the postgresql service."""

from __future__ import annotations

from typing import Final

from entrepot.raw.suite import Place, Store, SuiteTarget

from .config import Postgresql


def _open(place: Place) -> Store:
    config = Postgresql(place.server.connection_string, root=place.root, create_table=True)

    def put(path: str, content: bytes) -> None:
        key, value = f"{place.root}/{path}".encode().hex(), content.hex()
        place.server.run(
            'CREATE TABLE IF NOT EXISTS objects (key text COLLATE "C" PRIMARY KEY, value bytea NOT NULL)',
            rf"INSERT INTO objects VALUES (convert_from('\x{key}', 'UTF8'), '\x{value}')",  # noqa: S608 - hexadecimal digits
        )

    return Store(config, put)


TARGETS: Final = (SuiteTarget("postgresql", Postgresql("postgresql://127.0.0.1/sample"), _open, server="postgresql"),)
