"""Where the behaviour suite runs on the memory service."""

from __future__ import annotations

from typing import Final

from entrepot.raw.suite import Place, Store, SuiteTarget

from .config import Memory


def _open(config: Memory) -> Store:
    return Store(config, config.table.put)


def _plain(place: Place) -> Store:
    return _open(Memory())


def _versioned(place: Place) -> Store:
    return _open(Memory(versioned=True))


TARGETS: Final = (
    SuiteTarget("memory", Memory(), _plain),
    SuiteTarget("memory_versioned", Memory(versioned=True), _versioned),
)
