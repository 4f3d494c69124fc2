"""What the suite runs on: each service as a configuration that says what it can, and a way to get one of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from entrepot import Operator
from entrepot import testing as entrepot_testing
from entrepot.raw import AccessorInfo, ServiceConfig
from entrepot.services import S3, Fs, Http, Memory
from entrepot.testing import Case, S3Server
from entrepot.testing.behavior import Put
from entrepot.testing.servers.s3 import ask_signed
from tests.conftest import http_storage, s3_config

VERSIONED_BUCKET = "entrepot-versions"
VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


@dataclass(frozen=True)
class Storage:
    """A storage to run a case on, and how to put objects there if not by its operator."""

    operator: Operator
    put: Put | None = None


@dataclass(frozen=True)
class Target:
    """A service, with the server it is on.

    Arguments:
        sample: a configuration of it, for what it says of itself.
        make: a storage of it, empty.
        can_put: whether its storage has a way of its own to put objects there.
        needs_servers: whether it needs what only `make behavior-all` installs.
    """

    sample: ServiceConfig
    make: Callable[[pytest.FixtureRequest, Case], Storage]
    can_put: bool = False
    needs_servers: bool = False

    @property
    def info(self) -> AccessorInfo:
        return Operator(self.sample).info


def _memory(request: pytest.FixtureRequest, case: Case) -> Storage:
    return Storage(Operator(Memory()))


def _versioned_memory(request: pytest.FixtureRequest, case: Case) -> Storage:
    return Storage(Operator(Memory(versioned=True)))


def _fs(request: pytest.FixtureRequest, case: Case) -> Storage:
    return Storage(Operator(Fs(request.getfixturevalue("tmp_path"))))


def _http(request: pytest.FixtureRequest, case: Case) -> Storage:
    storage = http_storage(request.getfixturevalue("nginx_server"))

    async def put(path: str, content: bytes) -> None:
        await asyncio.to_thread(storage.put, path, content)

    return Storage(storage.operator, put)


def _s3(server_fixture: str) -> Callable[[pytest.FixtureRequest, Case], Storage]:
    def make(request: pytest.FixtureRequest, case: Case) -> Storage:
        server = request.getfixturevalue(server_fixture)
        bucket = versioned_bucket(server) if case.name.startswith("versions.") else None
        return Storage(Operator(s3_config(server, bucket)))

    return make


@cache
def versioned_bucket(server: S3Server) -> str:
    """A bucket of the server that keeps versions, made when it is first asked for."""
    for target, body in ((f"/{VERSIONED_BUCKET}", b""), (f"/{VERSIONED_BUCKET}?versioning=", VERSIONING)):
        reply = ask_signed(server, "PUT", target, body)
        if reply.status not in {200, 409}:
            raise OSError(f"{server.endpoint} answered {reply.status} to PUT {target}: {reply.content!r:.300}")
    return VERSIONED_BUCKET


@contextmanager
def started(name: str, folder: Path) -> Iterator[S3Server]:
    """One of the servers that `entrepot.testing` can start, by its name."""
    with getattr(entrepot_testing, name)(folder) as server:
        yield server


_S3 = S3(bucket="sample", region="us-east-1", access_key_id="key", secret_access_key="secret")
SERVERS = ("rclone", "juicefs", "swift", "radosgw")
TARGETS = {
    "memory": Target(Memory(), _memory),
    "memory_versioned": Target(Memory(versioned=True), _versioned_memory),
    "fs": Target(Fs("/tmp"), _fs),
    "http": Target(Http("http://127.0.0.1"), _http, can_put=True),
    "seaweedfs": Target(_S3, _s3("seaweedfs_server")),
    "moto": Target(_S3, _s3("moto_server")),
    **{name: Target(_S3, _s3(f"{name}_server"), needs_servers=True) for name in SERVERS},
}
