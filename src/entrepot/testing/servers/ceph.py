"""Ceph's object gateway, over a cluster of one monitor and one store in memory."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from .process import free_ports, own_folder, program, run, running
from .s3 import S3Server, is_serving

PROGRAMS: Final = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")

GATEWAY: Final = "client.rgw.a"

IDENTITIES: Final = ("mon.", "client.admin", "osd.0", GATEWAY)

CAPABILITIES: Final = [part for service in ("mon", "osd", "mgr") for part in ("--cap", service, "allow *")]


@contextmanager
def radosgw(folder: Path) -> Iterator[S3Server]:
    """Starts Ceph's object gateway over a cluster of one: three processes, ready after some 15 seconds.

    It creates atomically and lists in the order of bytes. Objects are kept in memory, and no trailers
    are taken (aws-chunked), at least up to version 16.

    Arguments:
        folder: where it keeps its logs (`radosgw.log`, `osd.log`, `mon.log`).

    Raises:
        ServerFailed: it is not installed (`apt-get install radosgw ceph-mon ceph-osd ceph-common`) or did not start.
    """
    programs = _programs()
    monitor, port = free_ports(2)
    server = S3Server(endpoint=f"http://127.0.0.1:{port}")
    folder.mkdir(parents=True, exist_ok=True)
    with own_folder() as own, ExitStack() as stack:  # the paths of its sockets must be short
        ceph = _Cluster(programs, own, f"v2:127.0.0.1:{monitor}")
        ceph.prepare(server)
        stack.enter_context(running(ceph.monitor(), folder / "mon.log", lambda: _is_open(monitor)))
        ceph.add_store()
        stack.enter_context(running(ceph.store(), folder / "osd.log", ceph.is_store_up))
        ceph.add_user(server)
        gateway = stack.enter_context(running(ceph.gateway(), folder / "radosgw.log", lambda: is_serving(server)))
        yield replace(server, pid=gateway.pid)


class _Cluster:
    """How the programs of one cluster are called. All of its files are in one folder."""

    def __init__(self, programs: dict[str, str], folder: Path, monitor_address: str) -> None:
        self._programs = programs
        self._folder = folder
        self._monitor_address = monitor_address
        self._id = str(uuid.uuid4())

    def prepare(self, server: S3Server) -> None:
        """Writes the configuration, the keys and the empty store of the monitor."""
        (self._folder / "ceph.conf").write_text(_config(self._id, self._folder, self._monitor_address, server))
        keyring, monitors = self._folder / "keyring", self._folder / "monmap"
        for name in IDENTITIES:
            create = () if keyring.exists() else ("--create-keyring",)
            run([self._programs["ceph-authtool"], keyring, *create, "--name", name, "--gen-key", *CAPABILITIES])
        address = f"[{self._monitor_address}]"
        run([self._programs["monmaptool"], "--create", "--fsid", self._id, "--addv", "a", address, monitors])
        self._run("ceph-mon", "--id", "a", "--mkfs", "--monmap", monitors, "--keyring", keyring)

    def monitor(self) -> list[str | Path]:
        """The command of the monitor."""
        return self._command("ceph-mon", "--id", "a", "--foreground")

    def add_store(self) -> None:
        """Tells the monitor of a store, and makes that."""
        store = str(uuid.uuid4())
        self._administer("osd", "new", store, "0")
        (self._folder / "osd").mkdir()
        self._run("ceph-osd", "--id", "0", "--mkfs", "--osd-uuid", store, "--no-mon-config")

    def store(self) -> list[str | Path]:
        """The command of the store."""
        return self._command("ceph-osd", "--id", "0", "--foreground")

    def is_store_up(self) -> bool:
        """Whether the monitor reports the store."""
        return bool(json.loads(self._administer("osd", "stat", "--format", "json"))["num_up_osds"] == 1)

    def add_user(self, server: S3Server) -> None:
        """Gives the keys of the server to a user. The pools of the gateway are made on the way."""
        keys = ("--access-key", server.access_key_id, "--secret-key", server.secret_access_key)
        self._run("radosgw-admin", "user", "create", "--uid", "tester", "--display-name", "tester", *keys)

    def gateway(self) -> list[str | Path]:
        """The command of the gateway."""
        return self._command("radosgw", "--name", GATEWAY, "--foreground")

    def _administer(self, *arguments: str) -> str:
        return self._run("ceph", "--connect-timeout", "20", *arguments)

    def _run(self, name: str, *arguments: str | Path) -> str:
        return run(self._command(name, *arguments))

    def _command(self, name: str, *arguments: str | Path) -> list[str | Path]:
        return [self._programs[name], "--conf", self._folder / "ceph.conf", *arguments]


def _programs() -> dict[str, str]:
    how = "apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common"
    return {name: program(name, how) for name in PROGRAMS}


def _is_open(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def _config(cluster: str, folder: Path, monitor_address: str, server: S3Server) -> str:
    """One copy of everything, on loopback. Without `tcp_nodelay`, each small reply would take 40 ms more."""
    return f"""
[global]
fsid = {cluster}
mon host = [{monitor_address}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.asok
pid file =
log file =
log to file = false
log to stderr = true
mon cluster log to file = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 1

[mon.a]
host = localhost
mon data = {folder}/mon

[osd.0]
osd objectstore = memstore
memstore device bytes = 6442450944
osd data = {folder}/osd
osd class load list = *
osd class default list = *
crush location = host=localhost root=default

[{GATEWAY}]
rgw frontends = beast endpoint={server.endpoint.removeprefix("http://")} tcp_nodelay=1
rgw dns name = s3.localhost
rgw enable usage log = false
rgw enable ops log = false
"""
