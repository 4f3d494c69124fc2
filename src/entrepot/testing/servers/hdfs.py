"""A fake of HDFS behind WebHDFS: no server of HDFS can be installed by a package manager."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from .process import free_ports, running, started
from .request import Reply, ask, connection_to


@dataclass(frozen=True, slots=True)
class FakeHdfs:
    """A running fake.

    Arguments:
        url: the URL of the namenode, or of HttpFS.
        token: the delegation token that it accepts.
        pid: the process id of the fake.
    """

    url: str
    token: str = field(default="KAAKU0VDUkVUAAA", repr=False)
    pid: int = 0

    def put(self, path: str, content: bytes) -> None:
        """Stores a file and makes the directories above it."""
        self._ask("PUT", f"/fake{quote(path)}", content)

    def paths(self, folder: str) -> list[str]:
        """The paths of all files below a directory."""
        below = folder.rstrip("/") + "/"
        return [path for path in json.loads(self._ask("GET", "/fake/files").content) if path.startswith(below)]

    def operations(self) -> list[str]:
        """The operations of the requests since the last call, such as `"CREATE"`, at both servers, in order."""
        operations: list[str] = json.loads(self._ask("GET", "/fake/operations").content)
        return operations

    def _ask(self, method: str, target: str, content: bytes | None = None) -> Reply:
        return ask(connection_to(self.url.removeprefix("http://")), method, target, content)


@contextmanager
def fake_hdfs(folder: Path, *, is_httpfs: bool = False) -> Iterator[FakeHdfs]:
    """Starts a fake of HDFS, made from the description of WebHDFS. It keeps files in memory.

    Arguments:
        folder: where it keeps its log (`hdfs.log`).
        is_httpfs: whether it behaves as HttpFS: one server, no batches, and a RENAME that ignores its options.
    """
    with started(lambda: _fake_hdfs(folder, is_httpfs=is_httpfs)) as server:
        yield server


def fake_httpfs(folder: Path) -> AbstractContextManager[FakeHdfs]:
    """Starts a fake that behaves as HttpFS.

    Arguments:
        folder: as of `fake_hdfs`.
    """
    return fake_hdfs(folder, is_httpfs=True)


@contextmanager
def _fake_hdfs(folder: Path, *, is_httpfs: bool) -> Iterator[FakeHdfs]:
    namenode, datanode = free_ports(2)
    server = FakeHdfs(f"http://127.0.0.1:{namenode}")
    command = [
        *(sys.executable, "-m", "entrepot.testing.servers.hdfs_program"),
        *(str(namenode), str(datanode), server.token, "httpfs" if is_httpfs else "hdfs"),
    ]
    with running(command, folder / "hdfs.log", lambda: server.paths("/") == []) as process:
        yield replace(server, pid=process.pid)
