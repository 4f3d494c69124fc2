"""Where the behaviour suite runs on the etcd service."""

from __future__ import annotations

from typing import Final

from entrepot.raw.suite import Place, Store, SuiteTarget

from .config import Etcd


def _open(place: Place) -> Store:
    config = Etcd(place.server.endpoint, root=place.root)
    return Store(config, lambda path, content: place.server.put(f"{place.root}/{path}", content))


TARGETS: Final = (SuiteTarget("etcd", Etcd(), _open, server="etcd"),)
