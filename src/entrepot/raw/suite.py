"""Where the behaviour suite runs on a service: the types of the `TARGETS` in its `behavior.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .config import ServiceConfig


@dataclass(frozen=True)
class Place:
    """An empty place for one test.

    Arguments:
        folder: an empty local directory.
        root: the name of a directory that no other test uses.
        server: the running server of the target, as its function in `entrepot.testing` yields it; None without one.
        is_versioned: whether the storage must keep versions of objects.
    """

    folder: Path
    root: str
    server: Any = None
    is_versioned: bool = False


@dataclass(frozen=True)
class Store:
    """A storage in a place.

    Arguments:
        config: its configuration.
        put: stores an object by its path without the service, for services that cannot write and for tests of reading.
    """

    config: ServiceConfig
    put: Callable[[str, bytes], object]


@dataclass(frozen=True)
class SuiteTarget:
    """One storage that the behaviour suite runs on: a service, and the server that it speaks to.

    Arguments:
        name: unique among the targets of all services, such as `"seaweedfs"`.
        sample: a configuration whose capability selects the cases. It is never used for I/O.
        open: makes the storage of a place.
        server: the function of `entrepot.testing` that starts the server; empty where there is none.
        needs_extra: whether the server comes with the extra `servers`, so that only `make behavior-all` starts it.
        is_ours: whether the server is one of ours, made after the protocol because the real one cannot be started. It
            proves only how we read the protocol.
        lacks: a reason for each case that must fail because of the server, by the name of the case.
    """

    name: str
    sample: ServiceConfig
    open: Callable[[Place], Store]
    server: str = ""
    needs_extra: bool = False
    is_ours: bool = False
    lacks: Mapping[str, str] = field(default_factory=dict)


class Sometimes(str):
    """The reason of a case that a race decides, so that it may pass."""

    __slots__ = ()


def all_of(room: str, reason: str, *names: str) -> dict[str, str]:
    """Several cases of one room that a server lacks for one reason."""
    return {f"{room}.{name}": reason for name in names}


def put_file(file: Path, content: bytes) -> None:
    """Writes a file and makes the directories above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
