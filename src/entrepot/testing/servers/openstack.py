"""OpenStack Swift with its S3 API: an account, a container and an object server, and the proxy in front of them."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from .process import free_ports, program, run, running
from .request import ask, connection_to
from .s3 import S3Server, is_serving

INSTALL: Final = "pip install swift keystonemiddleware"

STORES: Final = ("account", "container", "object")

PROXY_FILTERS: Final = (
    *("catch_errors", "gatekeeper", "listing_formats", "s3api", "tempauth", "bulk"),
    *("copy", "slo", "dlo", "versioned_writes", "symlink"),
)

RINGS: Final = """
import json, sys
from swift.common.ring import RingBuilder
for store, port in json.loads(sys.argv[1]).items():
    builder = RingBuilder(4, 1, 1)
    builder.add_dev(dict(id=0, region=1, zone=1, ip="127.0.0.1", port=port, device="disk", weight=1))
    builder.rebalance()
    builder.get_ring().save(f"{store}.ring.gz")
"""
"""A program that writes the rings of Swift. A ring maps names to servers: here each kind of server has one."""


@contextmanager
def swift(folder: Path) -> Iterator[S3Server]:
    """Starts Swift with its S3 API: four processes, ready after some seconds.

    It lists in the order of bytes and keeps keys as they are, empty and dotted parts included. Of two who
    write the same key at once on condition that there is none, both may win. The key id has a colon in it.

    Arguments:
        folder: where it keeps its objects, its configuration and its logs (`proxy.log`, `object.log` ...).
            Its file system must have extended attributes.

    Raises:
        ServerFailed: it is not installed (`pip install swift keystonemiddleware`) or did not start.
    """
    *store_ports, proxy = free_ports(4)
    ports = dict(zip(STORES, store_ports, strict=True))
    server = S3Server(
        endpoint=f"http://127.0.0.1:{proxy}",
        access_key_id="test:tester",
        secret_access_key="testing",  # noqa: S106
    )
    programs = {role: program(f"swift-{role}-server", INSTALL) for role in (*STORES, "proxy")}
    _prepare(folder, ports, proxy, server)
    with ExitStack() as stack:
        for role, port in ports.items():
            stack.enter_context(running(*_start(folder, programs, role), partial(_is_healthy, port)))
        process = stack.enter_context(running(*_start(folder, programs, "proxy"), lambda: is_serving(server)))
        yield replace(server, pid=process.pid)


def _start(folder: Path, programs: Mapping[str, str], role: str) -> tuple[list[str | Path], Path]:
    """How one of its servers is started, and where it logs."""
    return [programs[role], folder / f"{role}.conf", "-v"], folder / f"{role}.log"


def _is_healthy(port: int) -> bool:
    return ask(connection_to(f"127.0.0.1:{port}"), "GET", "/healthcheck").status == 200


def _prepare(folder: Path, ports: Mapping[str, int], proxy: int, server: S3Server) -> None:
    """Writes the configuration, and the rings beside it."""
    for name in ("devices/disk", "cache"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = entrepot\n")
    for role, port in ports.items():
        (folder / f"{role}.conf").write_text(_store_config(folder, role, port))
    (folder / "proxy.conf").write_text(_proxy_config(folder, proxy, server))
    run([sys.executable, "-c", RINGS, json.dumps(ports)], folder=folder)


def _common_config(folder: Path, port: int) -> str:
    """No workers means that nothing is forked; the user is who runs it, since there need be none called swift."""
    return f"""
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {pwd.getpwuid(os.getuid()).pw_name}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
"""


def _store_config(folder: Path, role: str, port: int) -> str:
    return f"""{_common_config(folder, port)}
[pipeline:main]
pipeline = healthcheck {role}-server

[filter:healthcheck]
use = egg:swift#healthcheck

[app:{role}-server]
use = egg:swift#{role}
recon_cache_path = {folder}/cache
"""


def _proxy_config(folder: Path, port: int, server: S3Server) -> str:
    """Keys for S3 are the accounts and users of tempauth: `account:user`."""
    account, _, user = server.access_key_id.partition(":")
    options = {
        "s3api": f"location = {server.region}\nstorage_domain = s3.localhost",
        "tempauth": f"user_{account}_{user} = {server.secret_access_key} .admin",
        "versioned_writes": "allow_object_versioning = true",
    }
    filters = "\n".join(f"[filter:{name}]\nuse = egg:swift#{name}\n{options.get(name, '')}\n" for name in PROXY_FILTERS)
    return f"""{_common_config(folder, port)}
[pipeline:main]
pipeline = {" ".join(PROXY_FILTERS)} proxy-server

{filters}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""
