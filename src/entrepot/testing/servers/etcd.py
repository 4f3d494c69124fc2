"""etcd, as a cluster of one."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .process import ServerFailed, free_ports, program, running, started
from .request import ask, connection_to


@dataclass(frozen=True, slots=True)
class EtcdServer:
    """A running server without authentication.

    Arguments:
        port: its port on 127.0.0.1.
        pid: its process.
    """

    port: int
    pid: int

    @property
    def endpoint(self) -> str:
        """The endpoint for the service."""
        return f"http://127.0.0.1:{self.port}"

    def put(self, key: str, content: bytes) -> None:
        """Stores a value.

        Raises:
            ServerFailed: the server refused.
        """
        self.call("/v3/kv/put", {"key": b64encode(key.encode()).decode(), "value": b64encode(content).decode()})

    def call(self, path: str, message: object) -> None:
        """Makes any call of its gateway.

        Raises:
            ServerFailed: the server refused.
        """
        status = ask(connection_to(f"127.0.0.1:{self.port}"), "POST", path, json.dumps(message).encode()).status
        if status != 200:
            raise ServerFailed(f"etcd answered {status} to {path}")


@contextmanager
def etcd(folder: Path, *options: str) -> Iterator[EtcdServer]:
    """Starts etcd, without syncing to the disk where its version can.

    Arguments:
        folder: where it keeps its data and its log (`etcd.log`).
        options: further options of its command, such as `"--max-request-bytes", "10000"`.

    Raises:
        ServerFailed: it is not installed (`apt-get install etcd-server`) or did not start.
    """
    with started(lambda: _etcd(folder, options)) as server:
        yield server


@contextmanager
def _etcd(folder: Path, options: Sequence[str]) -> Iterator[EtcdServer]:
    port, peers = free_ports(2)
    folder.mkdir(parents=True, exist_ok=True)
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    command: list[str | Path] = [
        *(program("etcd", "apt-get install etcd-server"), "--data-dir", folder / f"data-{port}"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"default={peer}", "--logger", "zap", "--log-level", "error", *options),
    ]

    def is_ready() -> bool:
        return ask(connection_to(f"127.0.0.1:{port}"), "GET", "/health").status == 200

    with running(command, folder / "etcd.log", is_ready) as process:
        yield EtcdServer(port, process.pid)
