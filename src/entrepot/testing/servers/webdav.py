"""WebDAV servers over a folder: WsgiDAV, and Apache with mod_dav."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from .process import NotInstalled, free_ports, own_folder, program, running, started
from .request import ask, connection_to

_REALM: Final = "entrepot"
_MULTI_STATUS: Final = 207


@dataclass(frozen=True, slots=True)
class WebdavServer:
    """A running WebDAV server.

    Arguments:
        url: the URL of the folder, without a slash at its end.
        folder: the folder that is served. A new file can be read immediately.
        username: the user name that it asks for.
        password: the password.
        pid: the process id of the server.
    """

    url: str
    folder: Path
    username: str = "user"
    password: str = field(default="secret of the tests", repr=False)
    pid: int = 0


@contextmanager
def wsgidav(folder: Path, *, is_digest: bool = False) -> Iterator[WebdavServer]:
    """Starts WsgiDAV: conditions, locks and properties; it overwrites files in place.

    Arguments:
        folder: where it keeps the served folder (`data`) and its log (`wsgidav.log`).
        is_digest: whether it accepts digest authentication only; by default basic only.

    Raises:
        ServerFailed: it is not installed (`pip install wsgidav cheroot`) or did not start.
    """
    for module in ("wsgidav", "cheroot"):
        if find_spec(module) is None:
            raise NotInstalled(f"{module} is not installed; it comes with `pip install wsgidav cheroot`")
    with started(lambda: _wsgidav(folder, is_digest=is_digest)) as server:
        yield server


@contextmanager
def _wsgidav(folder: Path, *, is_digest: bool) -> Iterator[WebdavServer]:
    [port] = free_ports(1)
    server = WebdavServer(f"http://127.0.0.1:{port}/dav", folder / "data")
    server.folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "host": "127.0.0.1",
        "port": port,
        "server": "cheroot",
        "provider_mapping": {"/dav": str(server.folder.absolute())},
        "http_authenticator": {
            "accept_basic": not is_digest,
            "accept_digest": is_digest,
            "default_to_digest": is_digest,
        },
        "simple_dc": {"user_mapping": {"*": {server.username: {"password": server.password}}}},
        "property_manager": True,
        "lock_storage": True,
        "logging": {"enable": False},
        "verbose": 1,
    }
    configuration = folder / "wsgidav.yaml"
    configuration.write_text(json.dumps(settings))  # which is YAML too
    command: list[str | Path] = [sys.executable, "-m", "wsgidav.server.server_cli", "-c", configuration]
    with running(command, folder / "wsgidav.log", lambda: _is_serving(server, is_digest=is_digest)) as process:
        yield replace(server, pid=process.pid)


@contextmanager
def apache(folder: Path) -> Iterator[WebdavServer]:
    """Starts Apache with mod_dav: conditions, locks and properties; a file appears when its content is complete.

    Arguments:
        folder: where it keeps the served folder (`data`) and its log (`apache.log`).

    Raises:
        ServerFailed: it is not installed (`apt-get install apache2-bin`) or did not start.
    """
    binary = program("apache2", "apt-get install apache2-bin", "/usr/sbin")
    with started(lambda: _apache(binary, folder)) as server:
        yield server


@contextmanager
def _apache(binary: str, folder: Path) -> Iterator[WebdavServer]:
    [port] = free_ports(1)
    server = WebdavServer(f"http://127.0.0.1:{port}/dav", folder / "data")
    server.folder.mkdir(parents=True, exist_ok=True)
    with own_folder() as own:
        own.chmod(0o755)
        hashed = base64.b64encode(hashlib.sha1(server.password.encode()).digest()).decode()  # noqa: S324 - its format
        (own / "passwords").write_text(f"{server.username}:{{SHA}}{hashed}\n")
        (own / "apache.conf").write_text(_apache_config(port, own, server.folder.absolute()))
        command: list[str | Path] = [binary, "-X", "-d", own, "-f", own / "apache.conf"]
        with running(command, folder / "apache.log", lambda: _is_serving(server)) as process:
            yield replace(server, pid=process.pid)


def _apache_config(port: int, own: Path, served: Path) -> str:
    modules = (
        *("mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic"),
        *("alias", "dav", "dav_fs", "dir", "mime"),
    )
    loaded = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules)
    return f"""
        {loaded}
        ServerName 127.0.0.1
        Listen 127.0.0.1:{port}
        PidFile {own}/apache.pid
        DefaultRuntimeDir {own}
        ErrorLog /dev/stderr
        TypesConfig /dev/null
        DavLockDB {own}/locks
        DocumentRoot {own}
        AllowEncodedSlashes NoDecode
        Alias /dav "{served}"
        <Directory "{served}">
            Dav On
            DirectorySlash Off
            AuthType Basic
            AuthName {_REALM}
            AuthUserFile {own}/passwords
            Require valid-user
        </Directory>
    """


def _is_serving(server: WebdavServer, *, is_digest: bool = False) -> bool:
    host, _, path = server.url.removeprefix("http://").partition("/")
    pair = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
    reply = ask(connection_to(host), "PROPFIND", f"/{path}/", Depth="0", Authorization=f"Basic {pair}")
    return reply.status == (401 if is_digest else _MULTI_STATUS)
