"""SSH servers for SFTP: OpenSSH, and the server of asyncssh, which has no extension to copy and no `/dev/full`."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .process import NotInstalled, free_ports, program, running


@dataclass(frozen=True)
class SshServer:
    """A running server.

    Arguments:
        port: its port on 127.0.0.1.
        folder: a directory of this machine that it serves under its own path.
        user: the user to log in as.
        key: the file of the user's private key.
        known_hosts: a file with the server's own key.
        pid: its process.
    """

    port: int
    folder: Path
    user: str
    key: str
    known_hosts: str
    pid: int = 0

    @property
    def endpoint(self) -> str:
        """The endpoint for the service."""
        return f"ssh://127.0.0.1:{self.port}"


@contextmanager
def sshd(folder: Path) -> Iterator[SshServer]:
    """Starts OpenSSH: the server that most machines have.

    Arguments:
        folder: where it keeps its files, its keys and its log (`sshd.log`).

    Raises:
        ServerFailed: it is not installed (`apt-get install openssh-server`) or did not start.
    """
    binary = program("sshd", "apt-get install openssh-server", "/usr/sbin")
    [port] = free_ports(1)
    server = _prepared(folder, port)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # for its unprivileged part, which only root has
    settings = folder / "sshd_config"
    settings.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host_key'}\nPidFile none\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nPasswordAuthentication no\nUsePAM no\nStrictModes no\n"
        "PermitRootLogin yes\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
    )
    with running([binary, "-D", "-e", "-f", settings], folder / "sshd.log", lambda: _greets(port)) as process:
        yield SshServer(**{**vars(server), "pid": process.pid})


@contextmanager
def asyncssh_server(folder: Path) -> Iterator[SshServer]:
    """Starts the SFTP server of asyncssh in a process of its own.

    Arguments:
        folder: where it keeps its files, its keys and its log (`asyncssh.log`).

    Raises:
        ServerFailed: it is not installed (`pip install asyncssh`) or did not start.
    """
    [port] = free_ports(1)
    server = _prepared(folder, port)
    command: list[str | Path] = [
        *(sys.executable, "-m", "entrepot.testing.servers.ssh_program"),
        *(str(port), folder / "host_key", folder / "authorized_keys"),
    ]
    with running(command, folder / "asyncssh.log", lambda: _greets(port)) as process:
        yield SshServer(**{**vars(server), "pid": process.pid})


def _prepared(folder: Path, port: int) -> SshServer:
    """Makes the keys of the server and of its user."""
    try:
        import asyncssh
    except ImportError:
        raise NotInstalled("asyncssh is not installed; it comes with `pip install asyncssh`") from None
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    for name in ("host_key", "user_key"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        (folder / name).touch(mode=0o600)
        key.write_private_key(folder / name)
        key.write_public_key(folder / f"{name}.pub")
    (folder / "authorized_keys").write_bytes((folder / "user_key.pub").read_bytes())
    host_key = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    return SshServer(port, data, getpass.getuser(), str(folder / "user_key"), str(folder / "known_hosts"))


def _greets(port: int) -> bool:
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        return connection.recv(4) == b"SSH-"
