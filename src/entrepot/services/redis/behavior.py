"""Where the behaviour suite runs on the redis service."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from entrepot.raw.suite import Place, Store, SuiteTarget

from .config import Redis


def _open(place: Place) -> Store:
    config = Redis(place.server.endpoint, root=place.root)

    def put(path: str, content: bytes) -> None:
        import redis

        with closing(redis.Redis(port=place.server.port)) as client:
            client.set(f"{place.root}/{path}", content)

    return Store(config, put)


TARGETS: Final = (SuiteTarget("redis", Redis(), _open, server="valkey"),)
