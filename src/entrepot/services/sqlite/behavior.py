"""Where the behaviour suite runs on the sqlite service."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Final

from entrepot.raw.suite import Place, Store, SuiteTarget

from .config import Sqlite


def _open(place: Place) -> Store:
    config = Sqlite(str(place.folder / "objects.db"), root=place.root)

    def put(path: str, content: bytes) -> None:
        with closing(sqlite3.connect(config.connection_string)) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL)")
            database.execute("REPLACE INTO objects VALUES (?, ?)", (f"{place.root}/{path}", content))

    return Store(config, put)


TARGETS: Final = (SuiteTarget("sqlite", Sqlite("/tmp/sample.db"), _open),)  # noqa: S108 - it is never opened
