"""Real servers, started once per test process, and one storage of each service to test against."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from entrepot import Operator
from entrepot.raw import ServiceConfig
from entrepot.services import S3, Fs, Http, Memory
from entrepot.testing import Nginx, S3Server, SeaweedFS, juicefs, moto, nginx, seaweedfs
from tests.slow import is_slow

SERVICES = ("fs", "memory", "http", "s3")
_serial = count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_slow(item.nodeid):
            item.add_marker("slow")


@dataclass(frozen=True)
class Storage:
    """One service over a root of its own, and a way to put an object there without our own code."""

    config: ServiceConfig
    put: Callable[[str, bytes], object]

    @property
    def scheme(self) -> str:
        return self.config.SCHEME

    @property
    def operator(self) -> Operator:
        return Operator(self.config)


@pytest.fixture(scope="session")
def seaweedfs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def juicefs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with juicefs(tmp_path_factory.mktemp("juicefs")) as server:
        yield server


@pytest.fixture(scope="session")
def nginx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginx(tmp_path_factory.mktemp("nginx")) as server:
        yield server


@pytest.fixture(params=SERVICES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A storage of each service, empty."""
    if request.param == "memory":
        return memory_storage()
    if request.param == "fs":
        return fs_storage(tmp_path)
    if request.param == "http":
        return http_storage(request.getfixturevalue("nginx_server"))
    return s3_storage(request.getfixturevalue("seaweedfs_server"))


def memory_storage() -> Storage:
    config = Memory()
    return Storage(config, config.table.put)


def fs_storage(folder: Path) -> Storage:
    return Storage(Fs(folder), lambda path, content: _put_file(folder / path, content))


def http_storage(server: Nginx) -> Storage:
    root = f"root-{next(_serial)}"
    return Storage(Http(server.url, root=root), lambda path, content: _put_file(server.folder / root / path, content))


def s3_storage(server: SeaweedFS) -> Storage:
    config = s3_config(server)
    return Storage(config, lambda path, content: server.put(f"{config.root}/{path}", content))


def s3_config(server: S3Server, bucket: str | None = None) -> S3:
    """A root of its own in a bucket of the server."""
    return S3(
        bucket=bucket or server.bucket,
        root=f"root-{os.getpid()}-{next(_serial)}",
        endpoint=server.endpoint,
        region=server.region,
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
    )


def _put_file(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
