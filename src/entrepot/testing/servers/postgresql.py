"""PostgreSQL, with a database of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .process import free_ports, own_folder, program, run, running, started

FOLDERS: Final = "/usr/lib/postgresql/*/bin"
HOW: Final = "apt-get install postgresql"
USER: Final = "postgres"


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A running server. Every role may log in from this machine, without a password.

    Arguments:
        port: its port on 127.0.0.1.
        folder: where its data and settings are.
        pid: its process.
    """

    port: int
    folder: Path
    pid: int

    @property
    def connection_string(self) -> str:
        """The database `postgres`, as its owner."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def run(self, *statements: str) -> str:
        """Runs statements as the owner, each in a transaction of its own, and returns what they print.

        Raises:
            ServerFailed: one failed.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:  # arguments of a command have a limit
            script.writelines(f"{statement};\n" for statement in statements)
            script.flush()
            client = program("psql", HOW, FOLDERS)
            return run([client, self.connection_string, "-qXAt", "-v", "ON_ERROR_STOP=1", "-f", script.name])


@contextmanager
def postgresql(folder: Path, *options: str) -> Iterator[PostgresqlServer]:
    """Starts PostgreSQL over an empty cluster, without syncing to the disk. Root starts it as the user `postgres`.

    Arguments:
        folder: where it keeps its log (`postgresql.log`).
        options: further options of its command, such as `"-c", "max_connections=5"`.

    Raises:
        ServerFailed: it is not installed (`apt-get install postgresql`) or did not start.
    """
    with started(lambda: _postgresql(folder, options)) as server:
        yield server


@contextmanager
def _postgresql(folder: Path, options: Sequence[str]) -> Iterator[PostgresqlServer]:
    [port] = free_ports(1)
    initdb, server, ready = (program(name, HOW, FOLDERS) for name in ("initdb", "postgres", "pg_isready"))
    with own_folder() as own:  # of its user, and the paths of its sockets must be short
        if _is_root():
            shutil.chown(own, USER, USER)
        data = own / "data"
        run([*_as_user(), initdb, "-D", data, "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "-N"])
        command: list[str | Path] = [
            *_as_user(),
            *(server, "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", own),
            *("-c", "fsync=off", "-c", "full_page_writes=off", *options),
        ]
        folder.mkdir(parents=True, exist_ok=True)

        def is_ready() -> bool:
            return bool(run([ready, "-h", "127.0.0.1", "-p", str(port)]))

        with running(command, folder / "postgresql.log", is_ready) as process:
            yield PostgresqlServer(port, data, process.pid)


def _as_user() -> list[str]:
    """What a command must start with, since the server refuses to run as root."""
    if not _is_root():
        return []
    return [program("setpriv", "apt-get install util-linux"), f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]


def _is_root() -> bool:
    return os.geteuid() == 0 and getpass.getuser() != USER
