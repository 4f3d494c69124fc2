"""A file system of Azure Data Lake Storage in memory, since Azurite has none.

It is made from the Azure Data Lake Storage REST API Reference: directories are real, content is seen after a flush,
and a rename is one step. It checks each signature by itself.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote

from entrepot.signing.azure_account import EMULATOR_ACCOUNT, EMULATOR_KEY
from entrepot.testing.scripted_server import Answer, ReceivedRequest, ScriptedServer, raw_response

PAGE: Final = 3
"""The entries of a page, unless the request states their number."""

_SIGNED: Final = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)
_STORED: Final = {
    "x-ms-content-type": "Content-Type",
    "x-ms-content-disposition": "Content-Disposition",
    "x-ms-content-encoding": "Content-Encoding",
    "x-ms-content-language": "Content-Language",
    "x-ms-cache-control": "Cache-Control",
}


@dataclass
class _Node:
    """A file or directory."""

    is_directory: bool
    etag: str
    modified: datetime
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    staged: dict[int, bytes] = field(default_factory=dict)


class _Refused(Exception):
    """A response that is not a success."""

    def __init__(self, status: int, code: str, *headers: str) -> None:
        super().__init__(code)
        self.status, self.code, self.headers = status, code, headers


class DatalakeServer:
    """A running server with one file system.

    Attributes:
        server: the HTTP server, whose `script` a test may replace, to break some responses.
        account_name: the name of the account.
        account_key: its key, in base64.
        filesystem: the name of the file system, which is empty at the start.
    """

    def __init__(self) -> None:
        self.server = ScriptedServer(self.answer)
        self.account_name = EMULATOR_ACCOUNT
        self.account_key = EMULATOR_KEY
        self.filesystem = "entrepot"
        self._nodes: dict[str, _Node] = {}
        self._serial = count(1)

    @property
    def endpoint(self) -> str:
        """The URL of the service of the account, without a slash at its end."""
        return f"{self.server.endpoint}/{self.account_name}"

    def put(self, key: str, content: bytes) -> None:
        """Stores a file without a request."""
        self._make_parents(key)
        self._nodes[key] = self._new(is_directory=False)
        self._nodes[key].content = content

    def answer(self, request: ReceivedRequest) -> Answer:
        """The answer to a request."""
        try:
            return [self._response(request)]
        except _Refused as refused:
            body = json.dumps({"error": {"code": refused.code, "message": refused.code}}).encode()
            return [self._reply(request, refused.status, body, f"x-ms-error-code: {refused.code}", *refused.headers)]

    @staticmethod
    def _reply(request: ReceivedRequest, status: int, content: bytes, *headers: str) -> bytes:
        has_length = any(line.startswith("Content-Length:") for line in headers)
        shown = b"" if request.method == "HEAD" or status == 304 else content
        date = f"Date: {format_datetime(datetime.now(UTC), usegmt=True)}"
        length = [] if has_length else [f"Content-Length: {len(shown)}"]
        own = "x-ms-request-id: 1-2-3", "x-ms-version: 2022-11-02", date
        return raw_response(f"{status} -", *own, *headers, *length, content=shown)

    def _response(self, request: ReceivedRequest) -> bytes:
        path, _, text = request.target.partition("?")
        query = dict(parse_qsl(text, keep_blank_values=True))
        if "sig" in query:
            self._check_sas(unquote(path), query)
        else:
            self._check_signature(request, path, query)
        filesystem, _, key = unquote(path).removeprefix(f"/{self.account_name}/").partition("/")
        if filesystem != self.filesystem:
            raise _Refused(404, "FilesystemNotFound")
        if not key:
            return self._list(request, query)
        return {
            "GET": self._read,
            "HEAD": self._read,
            "PUT": self._create,
            "PATCH": self._update,
            "DELETE": self._delete,
        }[request.method](request, key, query)

    def _check_signature(self, request: ReceivedRequest, path: str, query: dict[str, str]) -> None:
        headers = request.headers
        values = {**headers, "date": "", "content-length": str(len(request.content) or "")}
        lines = [request.method, *(values.get(name, "") for name in _SIGNED)]
        lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-ms-")]
        lines += [f"/{self.account_name}{path}", *(f"{name.lower()}:{query[name]}" for name in sorted(query))]
        if headers.get("authorization") != f"SharedKey {self.account_name}:{self._sign(lines)}":
            raise _Refused(403, "AuthenticationFailed")

    def _check_sas(self, path: str, query: dict[str, str]) -> None:
        resource = f"/blob/{self.account_name}{path.removeprefix('/' + self.account_name)}"
        names = ("si", "sip", "spr", "sv", "sr", "snapshot", "ses", "rscc", "rscd", "rsce", "rscl", "rsct")
        lines = [*(query.get(name, "") for name in ("sp", "st", "se")), resource]
        if self._sign([*lines, *(query.get(name, "") for name in names)]) != query["sig"]:
            raise _Refused(403, "AuthenticationFailed")

    def _sign(self, lines: list[str]) -> str:
        digest = hmac.digest(b64decode(self.account_key), "\n".join(lines).encode(), "sha256")
        return b64encode(digest).decode()

    def _new(self, *, is_directory: bool) -> _Node:
        return _Node(is_directory, f"0x{next(self._serial):X}", datetime.now(UTC).replace(microsecond=0))

    def _found(self, key: str) -> _Node:
        if key not in self._nodes:
            raise _Refused(404, "PathNotFound")
        return self._nodes[key]

    @staticmethod
    def _check_conditions(request: ReceivedRequest, node: _Node | None) -> None:
        headers, is_reading = request.headers, request.method in {"GET", "HEAD"}
        wanted, unwanted = headers.get("if-match"), headers.get("if-none-match")
        if wanted and (node is None or wanted not in {"*", f'"{node.etag}"'}):
            raise _Refused(412, "ConditionNotMet")
        if node is None:
            return
        if unwanted == "*" and not is_reading:
            raise _Refused(409, "PathAlreadyExists")
        since, until = headers.get("if-modified-since"), headers.get("if-unmodified-since")
        if unwanted in {"*", f'"{node.etag}"'} or (since and node.modified <= parsedate_to_datetime(since)):
            raise _Refused(304 if is_reading else 412, "ConditionNotMet")
        if until and node.modified > parsedate_to_datetime(until):
            raise _Refused(412, "ConditionNotMet")

    def _make_parents(self, key: str) -> None:
        names = key.split("/")[:-1]
        for depth in range(1, len(names) + 1):
            above = self._nodes.setdefault("/".join(names[:depth]), self._new(is_directory=True))
            if not above.is_directory:
                raise _Refused(409, "PathConflict")

    def _read(self, request: ReceivedRequest, key: str, query: dict[str, str]) -> bytes:
        node = self._found(key)
        self._check_conditions(request, node)
        kind = "directory" if node.is_directory else "file"
        modified = f"Last-Modified: {format_datetime(node.modified, usegmt=True)}"
        own = f"x-ms-resource-type: {kind}", f'ETag: "{node.etag}"', modified
        headers = [*own, *(f"{name}: {value}" for name, value in node.headers.items())]
        if request.method == "HEAD":
            return self._reply(request, 200, b"", *headers, f"Content-Length: {len(node.content)}")
        if (stated := request.range) is None:
            return self._reply(request, 200, node.content, *headers)
        first, _, last = stated.removeprefix("bytes=").partition("-")
        size = len(node.content)
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if start >= size and not node.is_directory:
            raise _Refused(416, "InvalidRange", f"Content-Range: bytes */{size}")
        ranged = [] if node.is_directory else [f"Content-Range: bytes {start}-{end - 1}/{size}"]
        return self._reply(request, 206 if ranged else 200, node.content[start:end], *headers, *ranged)

    def _create(self, request: ReceivedRequest, key: str, query: dict[str, str]) -> bytes:
        old = self._nodes.get(key)
        self._check_conditions(request, old)
        if (source := request.headers.get("x-ms-rename-source")) is not None:
            return self._rename(request, unquote(source.partition("?")[0]).removeprefix(f"/{self.filesystem}/"), key)
        self._make_parents(key)
        if old is not None and old.is_directory:
            raise _Refused(409, "PathAlreadyExists")
        node = self._nodes[key] = self._new(is_directory=query["resource"] == "directory")
        node.headers = {_STORED[name]: value for name, value in request.headers.items() if name in _STORED}
        if (stated := request.headers.get("x-ms-properties")) is not None:
            node.headers["x-ms-properties"] = stated
        return self._reply(request, 201, b"", f'ETag: "{node.etag}"')

    def _rename(self, request: ReceivedRequest, source: str, key: str) -> bytes:
        if source not in self._nodes:
            raise _Refused(404, "SourcePathNotFound")
        above = key.rpartition("/")[0]
        if above and (above not in self._nodes or not self._nodes[above].is_directory):
            raise _Refused(404, "RenameDestinationParentPathNotFound")
        old = self._nodes.get(key)
        if old is not None and old.is_directory:
            raise _Refused(409, "InvalidSourceOrDestinationResourceType")
        self._nodes[key] = self._nodes.pop(source)
        return self._reply(request, 201, b"")

    def _update(self, request: ReceivedRequest, key: str, query: dict[str, str]) -> bytes:
        node, position = self._found(key), int(query["position"])
        if query["action"] == "append":
            node.staged[position] = request.content
            return self._reply(request, 202, b"")
        content = node.content
        for start in sorted(node.staged):
            if start != len(content):
                raise _Refused(400, "InvalidFlushPosition")
            content += node.staged[start]
        if position != len(content):
            raise _Refused(400, "InvalidFlushPosition")
        fresh = self._new(is_directory=False)
        node.content, node.staged, node.etag, node.modified = content, {}, fresh.etag, fresh.modified
        return self._reply(request, 200, b"", f'ETag: "{node.etag}"')

    def _delete(self, request: ReceivedRequest, key: str, query: dict[str, str]) -> bytes:
        node = self._found(key)
        self._check_conditions(request, node)
        below = [name for name in self._nodes if name.startswith(f"{key}/")]
        if node.is_directory and "recursive" not in query:
            raise _Refused(400, "MissingRequiredQueryParameter")
        if below and query["recursive"] != "true":
            raise _Refused(409, "DirectoryNotEmpty")
        part = below[:PAGE] if query.get("recursive") == "true" else []
        if len(below) > len(part):  # as for a large directory: the next request goes on
            for name in part:
                del self._nodes[name]
            return self._reply(request, 200, b"", "x-ms-continuation: next")
        for name in (*below, key):
            del self._nodes[name]
        return self._reply(request, 200, b"")

    def _list(self, request: ReceivedRequest, query: dict[str, str]) -> bytes:
        if query.get("resource") != "filesystem" or request.method != "GET":
            raise _Refused(400, "InvalidQueryParameterValue")
        directory = query.get("directory", "")
        if directory and directory not in self._nodes:
            raise _Refused(404, "PathNotFound")
        start = f"{directory}/" if directory else ""
        names = [name for name in sorted(self._nodes) if name.startswith(start)]
        if query["recursive"] != "true":
            names = [name for name in names if "/" not in name[len(start) :]]
        last = b64decode(query.get("continuation", "")).decode()
        after = [name for name in names if name > last]
        size = int(query.get("maxResults", PAGE))
        following = [f"x-ms-continuation: {_encoded(after[size - 1])}"] if len(after) > size else []
        listed = json.dumps({"paths": [self._listed(name) for name in after[:size]]})
        return self._reply(request, 200, listed.encode(), *following)

    def _listed(self, name: str) -> dict[str, str]:
        node = self._nodes[name]
        if node.is_directory:
            return {"name": name, "isDirectory": "true"}
        modified = format_datetime(node.modified, usegmt=True)
        return {"name": name, "contentLength": str(len(node.content)), "etag": node.etag, "lastModified": modified}


def _encoded(name: str) -> str:
    """A name as the token of the page after it: as text of a header, it would lose its blanks."""
    return b64encode(name.encode()).decode()


@contextmanager
def azure_datalake(folder: Path) -> Iterator[DatalakeServer]:
    """Starts the server. It keeps nothing.

    Arguments:
        folder: not used: all is in memory.
    """
    datalake = DatalakeServer()
    with datalake.server:
        yield datalake
