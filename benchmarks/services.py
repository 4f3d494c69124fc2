"""Every service beside opendal, obstore or the client library of its store, over one real server each.

    python -m benchmarks.services [--quick] [--rounds 2] [--services redis,gcs]

One call after the other: write, read and stat of 4 KiB, a listing of a page of 200 keys, and one large object up and
down. The libraries take turns, each in a process and a folder of its own, and the least of the rounds counts. The
processor time is that of the client process, not of the server, which shares the machine. A ratio above 1 means that
entrepot is faster, or needs less processor time, than the best of the others.

Most servers are small programs for tests: where one is slower than its clients, the rates are the server's, and only
the processor time tells the libraries apart. A server or a library that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from entrepot import testing

OURS: Final = "entrepot"
MODULES: Final = {"redis-py": "redis"}
"""The modules of libraries that are not named as theirs."""

LEFT_OUT: Final = {
    "etcd": "no peer: the wheel of opendal has no etcd",
    "azdls, hf, webhdfs": "the server is a program of ours, whose speed would be measured",
    "obstore at gcs": "it uploads by the XML API, which fake-gcs-server has not",
    "http, zip, tar": "read only: no peer has the archives, and benchmarks/random_access.py reads over http",
}
PATIENCE: Final = 300
"""Seconds that a process may take."""

Settings = dict[str, dict[str, Any]]
Results = dict[str, dict[str, Any]]
"""Of each workload the figures; or `lacks` or `failure` with a sentence."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Arguments:
        rounds: how often.
        seconds: the time of each rate.
        large: the size of the large object, in bytes.
    """

    rounds: int
    seconds: float
    large: int


FULL: Final = Scale(2, 0.5, 32 << 20)
QUICK: Final = Scale(1, 0.05, 4 << 20)


def _gcs(server: Any) -> Settings:
    shared = {"bucket": server.bucket, "endpoint": server.endpoint}
    return {
        OURS: {"scheme": "gcs", "settings": {**shared, "skip_signature": True}},
        "opendal": {
            "scheme": "gcs",
            "settings": {**shared, "allow_anonymous": "true", "disable_vm_metadata": "true"},
        },
    }


def _azblob(server: Any) -> Settings:
    account = {"account_name": server.account_name, "account_key": server.account_key}
    shared = {"container": server.container, "endpoint": server.endpoint, **account}
    return {
        OURS: {"scheme": "azblob", "settings": shared},
        "opendal": {"scheme": "azblob", "settings": shared},
        "obstore": {
            "scheme": "azblob",
            "settings": {"container_name": server.container, "endpoint": server.endpoint, **account},
        },
    }


def _webdav(server: Any) -> Settings:
    settings = {"endpoint": server.url, "username": server.username, "password": server.password}
    pair = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}"}
    return {
        OURS: {"scheme": "webdav", "settings": settings},
        "opendal": {"scheme": "webdav", "settings": settings},
        "obstore": {"scheme": "webdav", "settings": {"url": server.url}, "headers": headers},
    }


def _ftp(server: Any) -> Settings:
    settings = {"endpoint": server.endpoint, "user": server.user, "password": server.password}
    return {
        OURS: {"scheme": "ftp", "settings": settings},
        "opendal": {"scheme": "ftp", "settings": settings},
    }


def _redis(server: Any) -> Settings:
    stores = {name: {"scheme": "redis", "settings": {"endpoint": server.endpoint}} for name in (OURS, "opendal")}
    return {**stores, "redis-py": {"url": server.endpoint}}


def _postgresql(server: Any) -> Settings:
    server.run('CREATE TABLE objects (key text COLLATE "C" PRIMARY KEY, value bytea NOT NULL)')
    url = server.connection_string
    fields = {"table": "objects", "key_field": "key", "value_field": "value"}
    stores = {
        name: {"scheme": "postgresql", "settings": {"connection_string": url, **fields}} for name in (OURS, "opendal")
    }
    return {**stores, "asyncpg": {"url": url, "table": "objects"}}


def _sqlite(server: Path) -> Settings:
    import sqlite3

    database = server / "objects.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE objects (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL)")
    fields = {"table": "objects", "key_field": "key", "value_field": "value"}
    # opendal syncs each write to the disk, so that ours does too.
    return {
        OURS: {"scheme": "sqlite", "settings": {"connection_string": str(database), "fsync": True, **fields}},
        "opendal": {"scheme": "sqlite", "settings": {"connection_string": f"sqlite://{database}", **fields}},
    }


def _sftp(server: Any) -> Settings:
    login = {"user": server.user, "key": server.key, "known_hosts": server.known_hosts}
    ours = {"endpoint": server.endpoint, "root": str(server.folder), **login, "config_file": "/dev/null"}
    theirs = {"host": "127.0.0.1", "port": server.port, "username": server.user, "client_keys": [server.key]}
    return {
        OURS: {"scheme": "sftp", "settings": ours},
        "asyncssh": {"root": str(server.folder), **theirs, "known_hosts": server.known_hosts},
    }


@contextmanager
def _folder(folder: Path) -> Iterator[Path]:
    """The place of a store that needs no server."""
    folder.mkdir()
    yield folder


@dataclass(frozen=True, slots=True)
class Service:
    """A service and its server.

    Arguments:
        server: starts the server, in a folder.
        settings: the arguments of each library, from the server.
    """

    server: Callable[[Path], AbstractContextManager[Any]]
    settings: Callable[[Any], Settings]


SERVICES: Final = {
    "gcs": Service(testing.fake_gcs, _gcs),
    "azblob": Service(testing.azurite, _azblob),
    "webdav": Service(testing.wsgidav, _webdav),
    "ftp": Service(testing.pyftpd, _ftp),
    "sftp": Service(testing.sshd, _sftp),
    "redis": Service(testing.valkey, _redis),
    "postgresql": Service(testing.postgresql, _postgresql),
    "sqlite": Service(_folder, _sqlite),
}


@dataclass(slots=True)
class Table:
    """The figures of a service: the least wall and processor seconds of a call, by workload and library."""

    wall: dict[str, dict[str, float]] = field(default_factory=dict)
    cpu: dict[str, dict[str, float]] = field(default_factory=dict)
    lacks: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def add(self, library: str, results: Results) -> None:
        """Takes the results of a process."""
        for workload, figures in results.items():
            if "failure" in figures:
                self.failures.append(f"{library}, {workload}: {figures['failure']}")
            if "lacks" in figures:
                self.lacks.add(f"{library}, {workload}: {figures['lacks']}")
            if "calls" not in figures:
                continue
            for table, figure in ((self.wall, "wall"), (self.cpu, "cpu")):
                each, row = figures[figure] / figures["calls"], table.setdefault(workload, {})
                row[library] = min(row.get(library, each), each)


def measure(service: Service, folder: Path, scale: Scale) -> Table:
    """Starts the server and measures the libraries in turn, each round starting with a different one."""
    table = Table()
    with service.server(folder / "server") as server:
        settings = service.settings(server)
        names = [name for name in settings if find_spec(MODULES.get(name, name)) is not None]
        for name in settings.keys() - set(names):
            _tell(f"  {name} is not installed, and takes no part")
        for number in range(scale.rounds):
            begin = number % len(names)
            for name in names[begin:] + names[:begin]:
                order = {"library": name, "settings": settings[name], "prefix": f"{name}-{number}"}
                table.add(name, _results(order, folder, scale))
    return table


def _results(order: dict[str, Any], folder: Path, scale: Scale) -> Results:
    into = folder / "figures.json"
    into.unlink(missing_ok=True)
    full = {**order, "seconds": scale.seconds, "large": scale.large, "into": str(into)}
    command = [sys.executable, "-m", "benchmarks.service_client", json.dumps(full)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    if not into.exists():
        reason = ended.stderr.strip().splitlines() or [f"it ended with {ended.returncode}"]
        return {"start": {"failure": reason[-1]}}
    results: Results = json.loads(into.read_text())
    return results


def lines(name: str, table: Table, scale: Scale) -> Iterator[str]:
    """The figures of a service as rows of a Markdown table."""
    for workload, walls in table.wall.items():
        is_large = workload.startswith("large")
        peers = {library: wall for library, wall in walls.items() if library != OURS}
        amount = scale.large / 1e6 if is_large else 1
        shown = [
            f"{library} {amount / wall:,.0f} ({table.cpu[workload][library] * 1e6:,.0f})"
            for library, wall in walls.items()
        ]
        ratios = [_ratio(row[workload]) for row in (table.wall, table.cpu)] if OURS in walls and peers else ["", ""]
        yield f"| {name} | {workload} | {', '.join(shown)} | {ratios[0]} | {ratios[1]} |"


def _ratio(row: dict[str, float]) -> str:
    best = min(value for library, value in row.items() if library != OURS)
    return f"{best / row[OURS]:.2f}" if row[OURS] else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round and a small large object")
    parser.add_argument("--rounds", type=int, help=f"how often each is measured ({FULL.rounds})")
    parser.add_argument("--services", type=_chosen, default=list(SERVICES), help="their names, with commas")
    arguments = parser.parse_args()
    chosen = QUICK if arguments.quick else FULL
    scale = Scale(arguments.rounds or chosen.rounds, chosen.seconds, chosen.large)
    _tell("".join(f"left out: {names}: {reason}\n" for names, reason in LEFT_OUT.items()).rstrip())
    print(f"Calls/s, and MB/s of {scale.large >> 20} MiB; in brackets us of CPU a call; ratios to the best peer\n")
    print("| Service | Work | Libraries | Speed | CPU |\n|---|---|---|---|---|")
    if failures := list(compared(arguments.services, scale)):
        raise SystemExit("\n".join(["Failed:", *failures]))


def compared(names: list[str], scale: Scale) -> Iterator[str]:
    """Measures services and prints the figures. Yields what failed."""
    for name in names:
        with tempfile.TemporaryDirectory(prefix="entrepot-") as folder:
            try:
                table = measure(SERVICES[name], Path(folder), scale)
            except testing.NotInstalled as error:
                _tell(f"left out: {name}: {error}")
                continue
        for line in lines(name, table, scale):
            print(line, flush=True)
        for lack in sorted(table.lacks):
            _tell(f"left out: {name}: {lack}")
        yield from (f"{name}: {failure}" for failure in table.failures)


def _chosen(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SERVICES):
        raise argparse.ArgumentTypeError(f"there is no service {unknown.pop()}; there are {', '.join(SERVICES)}")
    return names


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
