"""A fake of HDFS as a program: a namenode and a datanode on two ports, made from the description of WebHDFS.

No server of HDFS can be had by a package manager. The fake keeps files in memory and does what "WebHDFS REST API" of
Apache Hadoop says: it checks who asks, sends content through the datanode, has the statuses and exceptions of the
namenode, and lists in small batches. It proves our reading of that page, and not HDFS. Paths below `/fake` are for the
tests.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

BATCH: Final = 3
"""The entries of a batch of a listing, so that small directories have several."""

_PREFIX: Final = "/webhdfs/v1"
_FAKE: Final = "/fake"
_STATUSES: Final = {"FileNotFoundException": 404, "IllegalArgumentException": 400, "AuthenticationException": 401}


class _Refused(Exception):
    """An exception of the namenode.

    Arguments:
        exception: its name.
    """

    def __init__(self, exception: str) -> None:
        super().__init__(exception)
        self.exception = exception


@dataclass(slots=True)
class _Node:
    """A file, or a directory where the content is None."""

    content: bytes | None
    number: int
    modified: int = field(default_factory=lambda: time.time_ns() // 1_000_000)


@dataclass(slots=True)
class Hdfs:
    """The files, and the responses of both servers.

    Arguments:
        token: the delegation token that they accept.
        url: the URL of the namenode.
        datanode: the URL of the datanode.
        is_httpfs: whether to behave as HttpFS: one server, no batches, and a RENAME that ignores its options.
    """

    token: str
    url: str
    datanode: str
    is_httpfs: bool = False
    _operations: list[str] = field(default_factory=list)
    _nodes: dict[str, _Node] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(16386))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._nodes["/"] = _Node(None, next(self._numbers))

    def _for_tests(self, method: str, target: str, content: bytes) -> tuple[int, dict[str, str], bytes]:
        """Stores a file (PUT), or states the paths of all files or the operations since the last time (GET)."""
        path = unquote(target.removeprefix(_FAKE))
        with self._lock:
            if method == "PUT":
                self._create(_normal(path), content, overwrites=True)
                return 201, {}, b""
            if path == "/operations":
                operations, self._operations = self._operations, []
                return _json(operations)
            return _json(sorted(path for path, node in self._nodes.items() if node.content is not None))

    def handle(self, server: str, method: str, target: str, content: bytes) -> tuple[int, dict[str, str], bytes]:
        """The status, the headers and the content of the response to a request."""
        if target.startswith(_FAKE):
            return self._for_tests(method, target, content)
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        operation = query.get("op", "").upper()
        self._operations.append(operation)
        path = _normal(unquote(parts.path.removeprefix(_PREFIX)))
        try:
            if query.get("delegation") != self.token:
                raise _Refused("AuthenticationException" if "delegation" not in query else "InvalidToken")
            with self._lock:
                if server == "datanode" or query.get("data") == "true":
                    return self._transfer(method, operation, path, query, content)
                return self._answer(method, operation, path, query)
        except _Refused as refused:
            exception = {"exception": refused.exception, "javaClassName": f"x.{refused.exception}", "message": target}
            return _json({"RemoteException": exception}, _STATUSES.get(refused.exception, 403))

    def _answer(
        self, method: str, operation: str, path: str, query: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        known: dict[tuple[str, str], Callable[[str, dict[str, str]], Any]] = {
            ("GET", "GETFILESTATUS"): lambda path, _: {"FileStatus": self._status(path)},
            ("GET", "LISTSTATUS"): lambda path, _: {"FileStatuses": {"FileStatus": self._listed(path)}},
            ("GET", "LISTSTATUS_BATCH"): self._batch,
            ("PUT", "MKDIRS"): lambda path, _: {"boolean": self._make_directory(path)},
            ("PUT", "RENAME"): self._rename,
            ("DELETE", "DELETE"): lambda path, query: {"boolean": self._delete(path, query.get("recursive") == "true")},
            ("POST", "CONCAT"): self._concat,
        }
        if (method, operation) in {("GET", "OPEN"), ("PUT", "CREATE"), ("POST", "APPEND")}:
            return self._redirect(operation, path, query)
        if (method, operation) not in known or (self.is_httpfs and operation == "LISTSTATUS_BATCH"):
            raise _Refused("IllegalArgumentException")
        answer = known[method, operation](path, query)
        return (200, {}, b"") if answer is None else _json(answer)

    def _redirect(self, operation: str, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        self._check(operation, path, query)
        if self.is_httpfs and operation == "OPEN":
            return self._transfer("GET", operation, path, query, b"")
        passed = {name: value for name, value in query.items() if name != "noredirect"} | {
            "namenoderpcaddress": "nn:8020"
        }
        if self.is_httpfs:
            passed["data"] = "true"
        encoded = "&".join(f"{name}={quote(value, safe='')}" for name, value in passed.items())
        location = f"{self.url if self.is_httpfs else self.datanode}{_PREFIX}{quote(path)}?{encoded}"
        if query.get("noredirect") == "true" and not self.is_httpfs:
            return _json({"Location": location})
        return 307, {"Location": location}, b""

    def _check(self, operation: str, path: str, query: dict[str, str]) -> None:
        if operation == "CREATE":
            self._check_new(path, overwrites=query.get("overwrite") != "false")
            return
        node = self._file(path)
        if operation == "OPEN" and node.content and int(query.get("offset", "0")) >= len(node.content):
            raise _Refused("IOException")

    def _transfer(
        self, method: str, operation: str, path: str, query: dict[str, str], content: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if operation == "CREATE" and method == "PUT":
            self._create(path, content, overwrites=query.get("overwrite") != "false")
            return 201, {"Location": f"hdfs://nn:8020{quote(path)}"}, b""
        node = self._file(path)
        if operation == "APPEND" and method == "POST":
            self._nodes[path] = _Node((node.content or b"") + content, node.number)
            return 200, {}, b""
        start = int(query.get("offset", "0"))
        end = start + int(query["length"]) if "length" in query else None
        return 200, {"Content-Type": "application/octet-stream"}, (node.content or b"")[start:end]

    def _file(self, path: str) -> _Node:
        node = self._node(path)
        if node.content is None:
            raise _Refused("FileNotFoundException")  # "Path is not a file"
        return node

    def _node(self, path: str) -> _Node:
        for above in _above(path):
            if above in self._nodes and self._nodes[above].content is not None:
                raise _Refused("ParentNotDirectoryException")
        if path not in self._nodes:
            raise _Refused("FileNotFoundException")
        return self._nodes[path]

    def _check_new(self, path: str, *, overwrites: bool) -> None:
        if ":" in path:
            raise _Refused("InvalidPathException")
        for above in _above(path):
            if above in self._nodes and self._nodes[above].content is not None:
                raise _Refused("ParentNotDirectoryException")
        node = self._nodes.get(path)
        if node is not None and (node.content is None or not overwrites):
            raise _Refused("FileAlreadyExistsException")

    def _create(self, path: str, content: bytes, *, overwrites: bool) -> None:
        self._check_new(path, overwrites=overwrites)
        self._make_directory(_parent(path))
        self._nodes[path] = _Node(content, next(self._numbers))

    def _make_directory(self, path: str) -> bool:
        for directory in (*_above(path), path):
            node = self._nodes.setdefault(directory, _Node(None, next(self._numbers)))
            if node.content is not None:
                raise _Refused("FileAlreadyExistsException" if directory == path else "ParentNotDirectoryException")
        return True

    def _status(self, path: str, name: str = "") -> dict[str, Any]:
        node = self._node(path)
        kind, length = ("DIRECTORY", 0) if node.content is None else ("FILE", len(node.content))
        return {
            "pathSuffix": name,
            "type": kind,
            "length": length,
            "modificationTime": node.modified,
            "fileId": node.number,
            "accessTime": 0,
            "blockSize": 134217728,
            "replication": 3,
            "owner": "user",
            "group": "supergroup",
            "permission": "644",
        }

    def _names(self, path: str) -> list[str]:
        below = path.rstrip("/") + "/"
        children = (other[len(below) :] for other in self._nodes if other.startswith(below))
        return sorted((name for name in children if name and "/" not in name), key=str.encode)

    def _listed(self, path: str) -> list[dict[str, Any]]:
        if self._node(path).content is not None:
            return [self._status(path)]
        return [self._status(f"{path.rstrip('/')}/{name}", name) for name in self._names(path)]

    def _batch(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        after = query.get("startAfter", "")
        left = [status for status in self._listed(path) if not after or status["pathSuffix"].encode() > after.encode()]
        listing = {"FileStatuses": {"FileStatus": left[:BATCH]}}
        return {"DirectoryListing": {"partialListing": listing, "remainingEntries": max(0, len(left) - BATCH)}}

    def _rename(self, source: str, query: dict[str, str]) -> dict[str, Any] | None:
        target, options = _normal(query["destination"]), query.get("renameoptions", "")
        if self.is_httpfs or not options:
            return {"boolean": self._rename_plainly(source, target)}
        self._node(source)
        if _parent(target) not in self._nodes:
            raise _Refused("FileNotFoundException")
        self._check_new(target, overwrites="OVERWRITE" in options)
        self._move(source, target)
        return None

    def _rename_plainly(self, source: str, target: str) -> bool:
        """The first kind of rename: false if it cannot be made; into a directory that exists."""
        node = self._nodes.get(target)
        if node is not None and node.content is None:
            target = f"{target.rstrip('/')}/{source.rpartition('/')[2]}"
        if source not in self._nodes or target in self._nodes or _parent(target) not in self._nodes:
            return False
        self._move(source, target)
        return True

    def _move(self, source: str, target: str) -> None:
        for path in [path for path in self._nodes if path == source or path.startswith(f"{source}/")]:
            self._nodes[target + path[len(source) :]] = self._nodes.pop(path)

    def _delete(self, path: str, recursive: bool) -> bool:
        if path not in self._nodes:
            return False
        below = [other for other in self._nodes if other.startswith(f"{path.rstrip('/')}/") and other != path]
        if below and not recursive:
            raise _Refused("PathIsNotEmptyDirectoryException")
        for other in (*below, path):
            self._nodes.pop(other, None)
        self._nodes.setdefault("/", _Node(None, next(self._numbers)))
        return True

    def _concat(self, path: str, query: dict[str, str]) -> None:
        sources = [_normal(source) for source in query["sources"].split(",")]
        if any(_parent(source) != _parent(path) for source in sources):
            raise _Refused("HadoopIllegalArgumentException")
        content = (self._file(path).content or b"") + b"".join(self._file(source).content or b"" for source in sources)
        for source in sources:
            del self._nodes[source]
        self._nodes[path] = _Node(content, self._nodes[path].number)


def _handler(fake: Hdfs, name: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def handle_any(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            content = self.rfile.read(size)
            status, headers, answer = fake.handle(name, self.command, self.path, content)
            if len(content) < size:  # the client has left: HDFS keeps what has come
                self.close_connection = True
                return
            self.send_response(status)
            for header, value in headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Connection", "close" if self.close_connection else "keep-alive")
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Prints nothing."""

    return Handler


def _json(document: object, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


def _normal(path: str) -> str:
    return path.rstrip("/") or "/"


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _above(path: str) -> list[str]:
    """The directories above a path, the root first."""
    names = path.strip("/").split("/")[:-1]
    return ["/", *("/" + "/".join(names[: end + 1]) for end in range(len(names)))]


def main(arguments: Sequence[str]) -> None:
    """Serves until the process is stopped.

    Arguments:
        arguments: the ports of the namenode and of the datanode, the token, and `httpfs` to behave as HttpFS.
    """
    namenode, datanode, token, *more = arguments
    ports = {"namenode": int(namenode), "datanode": int(datanode)}
    fake = Hdfs(token, f"http://127.0.0.1:{namenode}", f"http://127.0.0.1:{datanode}", is_httpfs="httpfs" in more)
    servers = [ThreadingHTTPServer(("127.0.0.1", port), _handler(fake, name)) for name, port in ports.items()]
    threading.Thread(target=servers[1].serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
