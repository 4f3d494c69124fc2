"""FTP servers: pyftpdlib, plain and over TLS, and vsftpd, which has no MLSD."""

from __future__ import annotations

import os
import pwd
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .process import NotInstalled, free_ports, own_folder, program, running

USER = "alice"
PASSWORD = "correct horse battery"  # noqa: S105 - of a server on loopback


@dataclass(frozen=True)
class FtpServer:
    """A running server.

    Arguments:
        endpoint: its address, such as `"ftp://127.0.0.1:2121"`.
        folder: the local directory that it serves.
        root: the path under which it serves the directory; empty for its root.
        user: the user to log in as.
        password: the password of the user.
        ca_file: the certificate to trust; None without TLS.
        pid: its process.
    """

    endpoint: str
    folder: Path
    root: str = ""
    user: str = USER
    password: str = PASSWORD
    ca_file: str | None = None
    pid: int = 0


@contextmanager
def pyftpd(folder: Path) -> Iterator[FtpServer]:
    """Starts pyftpdlib, which has the commands that FTP got since 2007 (MLSD, MLST, UTF8).

    Arguments:
        folder: where it keeps its files and its log (`pyftpd.log`).

    Raises:
        ServerFailed: it is not installed (`pip install pyftpdlib`) or did not start.
    """
    [port] = free_ports(1)
    with _pyftpd(folder, port, FtpServer(f"ftp://127.0.0.1:{port}", folder / "data"), ()) as server:
        yield server


@contextmanager
def pyftpds(folder: Path) -> Iterator[FtpServer]:
    """Starts pyftpdlib with TLS, which it requires for commands and for data.

    Arguments:
        folder: where it keeps its files, its certificate and its log (`pyftpd.log`).

    Raises:
        ServerFailed: it is not installed (`pip install 'pyftpdlib[ssl]' trustme`) or did not start.
    """
    try:
        import trustme
    except ImportError:
        raise NotInstalled("trustme is not installed; it comes with `pip install trustme`") from None
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    [port] = free_ports(1)
    server = FtpServer(f"ftps://127.0.0.1:{port}", folder / "data", ca_file=str(folder / "ca.pem"))
    with _pyftpd(folder, port, server, (str(folder / "server.pem"),)) as running_server:
        yield running_server


@contextmanager
def vsftpd(folder: Path) -> Iterator[FtpServer]:
    """Starts vsftpd, with anonymous users who may write.

    Arguments:
        folder: where it keeps its log (`vsftpd.log`). Its files are where the user that it runs as can reach them.

    Raises:
        ServerFailed: it is not installed (`apt-get install vsftpd`) or did not start.
    """
    binary = program("vsftpd", "apt-get install vsftpd", "/usr/sbin")
    if os.geteuid() != 0:
        raise NotInstalled("vsftpd cannot be started by an ordinary user: it changes its root")
    folder.mkdir(parents=True, exist_ok=True)
    [port] = free_ports(1)
    with own_folder() as served:
        data = served / "data"
        data.mkdir()
        served.chmod(0o755)
        data.chmod(0o777)
        settings = folder / "vsftpd.conf"
        settings.write_text(
            f"listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nseccomp_sandbox=NO\n"
            "run_as_launching_user=NO\nanonymous_enable=YES\nno_anon_password=YES\nlocal_enable=NO\nwrite_enable=YES\n"
            "anon_upload_enable=YES\nanon_mkdir_write_enable=YES\nanon_other_write_enable=YES\nanon_umask=022\n"
            f"anon_world_readable_only=NO\nanon_root={served}\nftp_username={_user()}\npasv_address=127.0.0.1\n"
            f"secure_chroot_dir={_empty_folder(folder)}\nxferlog_enable=NO\n"
        )
        server = FtpServer(f"ftp://127.0.0.1:{port}", data, "/data", "anonymous", "anonymous")
        with running([binary, settings], folder / "vsftpd.log", lambda: _greets(port)) as process:
            yield replace(server, pid=process.pid)


@contextmanager
def _pyftpd(folder: Path, port: int, server: FtpServer, certificate: tuple[str, ...]) -> Iterator[FtpServer]:
    try:
        import pyftpdlib  # noqa: F401
    except ImportError:
        raise NotInstalled("pyftpdlib is not installed; it comes with `pip install 'pyftpdlib[ssl]'`") from None
    server.folder.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        *(sys.executable, "-m", "entrepot.testing.servers.ftp_program"),
        *(str(port), str(server.folder), USER, PASSWORD, *certificate),
    ]
    with running(command, folder / "pyftpd.log", lambda: _greets(port)) as process:
        yield replace(server, pid=process.pid)


def _user() -> str:
    """A user whose home exists, as vsftpd requires of the one that it runs as."""
    names = ("ftp", "nobody", "daemon", "www-data")
    homes = {entry.pw_name: entry.pw_dir for entry in pwd.getpwall()}
    return next((name for name in names if Path(homes.get(name, "/nowhere")).is_dir()), "root")


def _empty_folder(folder: Path) -> Path:
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    return empty


def _greets(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        return connection.recv(3) == b"220"
