"""A hub of our own: the HTTP API of the Hugging Face Hub over repositories in memory.

    with hub(folder) as server:
        op = Operator(Hf(server.new_repository("model"), token=server.token, endpoint=server.endpoint))

`hub` runs it in a process of its own. `HubInProcess` runs it in threads of this one, for tests that interrupt it.

The real hub cannot be started anywhere else, so that this server is made after its API as the library `huggingface_hub`
uses it. What works here may still differ there.

Two servers run: the hub, and the storage of large files on another origin, which refuses requests that have
credentials. Every request to the hub must have the token. Files are in git or in the storage (Git LFS) by their name
and size; pages have three entries; a path cannot be a file and a directory; a commit may state its parent.
"""

from __future__ import annotations

import http.client
import json
import re
import signal
import sys
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from entrepot.testing.scripted_server import (
    ReceivedRequest,
    ScriptedServer,
    Step,
    raw_response,
    whole_response,
)

from .process import ServerFailed, running
from .request import ask, connection_to

PAGE: Final = 3
"""The entries of a page of a listing."""

LARGE: Final = 64 * 1024
"""The bytes from which a file is stored by Git LFS whatever its name is."""

PART: Final = 256 * 1024
"""The bytes of a part of an upload. Content that is not larger is sent as a whole."""

TOKEN: Final = "hf_token_of_the_tests"  # noqa: S105
"""The token of a hub that has just started."""

_LFS_NAMES: Final = (".bin", ".safetensors", ".parquet")
_DATE: Final = "2026-01-01T00:00:{:02}.000Z"
_SIGNED: Final = "signature=of-the-hub"
_ADMIN: Final = "/-/"
_KINDS: Final = r"(?P<kind>models|datasets|spaces)"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a commit.

    Arguments:
        content: its content.
        is_lfs: whether it is stored by Git LFS.
        number: the number of the commit that stored it.
    """

    content: bytes
    is_lfs: bool
    number: int

    @property
    def blob(self) -> str:
        """The id of the content in git, or of the pointer to it."""
        content = self.content
        if self.is_lfs:
            content = (
                f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.oid}\nsize {len(content)}\n".encode()
            )
        return sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()

    @property
    def oid(self) -> str:
        """The id that the hub states as the etag."""
        return sha256(self.content).hexdigest() if self.is_lfs else self.blob


@dataclass(slots=True)
class _Repository:
    """The commits of a repository, by id, and its branches."""

    commits: dict[str, dict[str, StoredFile]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add("main", {})

    def add(self, branch: str, files: dict[str, StoredFile]) -> str:
        number = len(self.commits)
        oid = sha1(f"{id(self)} {number}".encode(), usedforsecurity=False).hexdigest()
        self.commits[oid] = files
        self.branches[branch] = oid
        return oid

    def commit_of(self, revision: str) -> str | None:
        return self.branches.get(revision, revision if revision in self.commits else None)


class _Refused(Exception):
    """A request is refused."""

    def __init__(self, status: str, code: str = "", message: str = "") -> None:
        super().__init__(status)
        headers = [f"X-Error-Code: {code}"] if code else []
        headers += [f"X-Error-Message: {message}"] if message else []
        self.answer = whole_response(b"<html><p>refused</p></html>", "Content-Type: text/html", *headers, status=status)


def _not_found(code: str) -> _Refused:
    return _Refused("404 Not Found", code, "not found")


Kind = Callable[[ReceivedRequest], bool]
Interruption = Sequence[Step]


@dataclass(slots=True)
class _Planned:
    """What happens to a request of a kind."""

    kind: Kind
    steps: Interruption
    takes_effect: bool


class HubInProcess:
    """A hub in threads of this process. `interrupt` makes requests of a kind fail, before or after they took effect.

    Arguments:
        stack: its `with` block ends the servers.

    Attributes:
        token: the token that every request must have. It may be replaced.
        commits: the messages of all commits, in order.
        hub: the server of the hub.
        storage: the server of large files.
    """

    def __init__(self, stack: ExitStack) -> None:
        self.token = TOKEN
        self.commits: list[str] = []
        self._repositories: dict[tuple[str, str], _Repository] = {}
        self._objects: dict[str, bytes] = {}
        self._parts: dict[str, dict[int, bytes]] = {}
        self._planned: list[_Planned] = []
        self._serial = count()
        self.hub = stack.enter_context(ScriptedServer(self._scripted(self._answer_hub)))
        self.storage = stack.enter_context(ScriptedServer(self._scripted(self._answer_storage)))

    @property
    def endpoint(self) -> str:
        """The URL of the hub."""
        return self.hub.endpoint

    @property
    def requests(self) -> list[ReceivedRequest]:
        """All requests to the hub, in order."""
        return self.hub.requests

    def new_repository(self, repo_type: str) -> str:
        """Makes an empty repository and returns its id."""
        repo_id = f"owner/name-{next(self._serial)}"
        self._repositories[repo_type, repo_id] = _Repository()
        return repo_id

    def put(self, repo_type: str, repo_id: str, path: str, content: bytes, branch: str = "main") -> str:
        """Commits one file, and returns the id of the commit."""
        repository = self._repositories[repo_type, repo_id]
        files = dict(repository.commits[repository.branches.get(branch, repository.branches["main"])])
        is_lfs = _is_lfs(path, len(content))
        files[path] = StoredFile(content, is_lfs, len(repository.commits))
        self._objects[sha256(content).hexdigest()] = content
        return repository.add(branch, files)

    def files(self, repo_type: str, repo_id: str) -> dict[str, StoredFile]:
        """The files of the branch `main`, by path."""
        repository = self._repositories[repo_type, repo_id]
        return repository.commits[repository.branches["main"]]

    def interrupt(self, kind: Kind, steps: Interruption, *, takes_effect: bool = False, times: int = 1) -> None:
        """Answers the next request of a kind by other steps.

        Arguments:
            kind: tells whether a request is of the kind.
            steps: the answer, as of a `ScriptedServer`.
            takes_effect: whether the request is executed first, so that only its answer is another.
            times: how many requests.
        """
        self._planned += [_Planned(kind, steps, takes_effect) for _ in range(times)]

    def _scripted(self, answer: Callable[[ReceivedRequest], bytes]) -> Callable[[ReceivedRequest], Iterable[Step]]:
        def script(request: ReceivedRequest) -> Iterable[Step]:
            planned = next((planned for planned in self._planned if planned.kind(request)), None)
            if planned is not None:
                self._planned.remove(planned)
                if planned.takes_effect:
                    self._answered(answer, request)
                return planned.steps
            return [self._answered(answer, request)]

        return script

    def _answered(self, answer: Callable[[ReceivedRequest], bytes], request: ReceivedRequest) -> bytes:
        try:
            answered = answer(request)
        except _Refused as refused:
            answered = refused.answer
        return answered.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else answered

    def _answer_hub(self, request: ReceivedRequest) -> bytes:
        parts = urlsplit(request.target)
        if parts.path.startswith(_ADMIN):
            return self._administer(request, unquote(parts.path.removeprefix(_ADMIN)))
        stated = request.headers.get("authorization")
        if stated is None and _SIGNED in parts.query:
            stated = f"Bearer {self.token}"  # the URL has credentials of its own
        if stated is None:
            raise _Refused("401 Unauthorized", "RepoNotFound", "Repository not found")
        if stated != f"Bearer {self.token}":
            raise _Refused("401 Unauthorized", message="Invalid credentials in Authorization header")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        for pattern, method in self._routes():
            if (match := re.fullmatch(pattern, parts.path)) is not None:
                return method(request, {name: unquote(text or "") for name, text in match.groupdict().items()}, query)
        raise _Refused("404 Not Found")

    def _administer(self, request: ReceivedRequest, what: str) -> bytes:
        """Answers a request of `HubServer`: a new repository, or a file of one."""
        if request.method == "POST":
            return whole_response(self.new_repository(what).encode())
        repo_type, owner, name, path = what.split("/", 3)
        return whole_response(self.put(repo_type, f"{owner}/{name}", path, request.content).encode())

    def _routes(self) -> list[tuple[str, Callable[[ReceivedRequest, dict[str, str], dict[str, str]], bytes]]]:
        repo, rev, path = r"(?P<repo>[^/]+/[^/]+)", "(?P<rev>[^/]+)", "(?P<path>.*)"
        web = r"/(?:(?P<kind>datasets|spaces)/)?" + repo
        return [
            (rf"/api/{_KINDS}/{repo}", self._revision),
            (rf"/api/{_KINDS}/{repo}/revision/{rev}", self._revision),
            (rf"/api/{_KINDS}/{repo}/paths-info/{rev}", self._paths_info),
            (rf"/api/{_KINDS}/{repo}/tree/{rev}(?:/{path})?", self._tree),
            (rf"/api/{_KINDS}/{repo}/preupload/{rev}", self._preupload),
            (rf"/api/{_KINDS}/{repo}/commit/{rev}", self._commit),
            (rf"{web}/resolve/{rev}/{path}", self._resolve),
            (rf"{web}\.git/info/lfs/objects/batch", self._lfs_batch),
            (rf"{web}\.git/info/lfs/complete", self._lfs_complete),
            (rf"{web}\.git/info/lfs/verify", self._lfs_verify),
        ]

    def _found(self, names: Mapping[str, str]) -> _Repository:
        repo_type = (names["kind"] or "models").removesuffix("s")
        repository = self._repositories.get((repo_type, names["repo"]))
        if repository is None:  # the hub does not tell a missing repository from a private one
            raise _Refused("401 Unauthorized", "RepoNotFound", "Repository not found")
        return repository

    def _commit_and_files(self, names: Mapping[str, str]) -> tuple[str, dict[str, StoredFile]]:
        repository = self._found(names)
        commit = repository.commit_of(names["rev"])
        if commit is None:
            raise _not_found("RevisionNotFound")
        return commit, repository.commits[commit]

    def _revision(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        commit, _ = self._commit_and_files({"rev": "main", **names})
        return _json({"sha": commit, "id": names["repo"], "private": True})

    def _paths_info(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        _, files = self._commit_and_files(names)
        form = parse_qs(request.content.decode(), keep_blank_values=True)
        is_expanded = form.get("expand") in (["true"], ["True"])
        known = [_described(files, path, is_expanded) for path in form.get("paths", [])]
        return _json([value for value in known if value is not None])

    def _tree(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        _, files = self._commit_and_files(names)
        paths = _below(files, names["path"], recursive=query.get("recursive") == "true")
        if not paths and names["path"]:
            raise _not_found("EntryNotFound")
        paths = [path for path in paths if path > query.get("cursor", "")]
        end = min(PAGE, int(query.get("limit", PAGE)))
        link = []
        if end < len(paths):
            target = urlsplit(request.target).path
            others = "".join(f"&{name}={value}" for name, value in query.items() if name != "cursor")
            link = [f'Link: <{self.endpoint}{target}?cursor={quote(paths[end - 1])}{others}>; rel="next"']
        return _json([_described(files, path, is_expanded=False) for path in paths[:end]], *link)

    def _resolve(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        commit, files = self._commit_and_files(names)
        file = files.get(names["path"])
        if file is None:
            raise _not_found("EntryNotFound")
        if not file.is_lfs:
            return _ranged(request, file.content, f'ETag: "{file.oid}"', f"X-Repo-Commit: {commit}")
        return raw_response(
            "302 Found",
            f"Location: {self.storage.endpoint}/{file.oid}?{_SIGNED}",
            f'X-Linked-Etag: "{file.oid}"',
            f"X-Linked-Size: {len(file.content)}",
            f"X-Repo-Commit: {commit}",
            "Content-Length: 0",
        )

    def _preupload(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        _, files = self._commit_and_files(names)
        stated = json.loads(request.content)["files"]
        if len(stated) > 256:
            raise _Refused("400 Bad Request")
        return _json({"files": [_upload_mode(files, file) for file in stated]})

    def _lfs_batch(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        self._found(names)
        asked = json.loads(request.content)
        base = f"{self.endpoint}{request.target.removesuffix('/objects/batch')}"
        return _json({"transfer": "basic", "objects": [self._upload_actions(base, one) for one in asked["objects"]]})

    def _upload_actions(self, base: str, asked: dict[str, Any]) -> dict[str, Any]:
        oid, size = asked["oid"], asked["size"]
        if not re.fullmatch("[0-9a-f]{64}", oid) or size < 1:
            return {**asked, "error": {"code": 422, "message": "invalid object"}}
        if oid in self._objects:
            return asked
        header: dict[str, str] = {}
        upload = f"{self.storage.endpoint}/{oid}?{_SIGNED}"
        if size > PART:
            numbers = range(1, -(-size // PART) + 1)
            header = {f"{number:05}": f"{upload}&part={number}" for number in numbers} | {"chunk_size": str(PART)}
            self._parts[oid] = {}
            upload = f"{base}/complete?{_SIGNED}"
        return {
            **asked,
            "actions": {"upload": {"href": upload, "header": header}, "verify": {"href": f"{base}/verify"}},
        }

    def _lfs_complete(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        self._found(names)
        stated = json.loads(request.content)
        parts = self._parts.get(stated["oid"], {})
        etags = [{"partNumber": number, "etag": _etag(part)} for number, part in sorted(parts.items())]
        if stated["parts"] != etags:
            raise _Refused("400 Bad Request", message="parts differ")
        self._objects[stated["oid"]] = b"".join(part for _, part in sorted(parts.items()))
        return _json({"success": True})

    def _lfs_verify(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        self._found(names)
        stated = json.loads(request.content)
        content = self._objects.get(stated["oid"])
        if content is None or len(content) != stated["size"] or sha256(content).hexdigest() != stated["oid"]:
            raise _Refused("404 Not Found", message="the object is missing or damaged")
        return _json({})

    def _commit(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        repository = self._found(names)
        parent, files = self._commit_and_files(names)
        if names["rev"] not in repository.branches:
            raise _not_found("RevisionNotFound")
        lines = [json.loads(line) for line in request.content.splitlines()]
        header = lines[0]["value"]
        if lines[0]["key"] != "header" or not header.get("summary"):
            raise _Refused("400 Bad Request", message="no header")
        if header.get("parentCommit", parent) != parent:
            raise _Refused("412 Precondition Failed", message="A commit has happened since.")
        changed = dict(files)
        for line in lines[1:]:
            self._apply(changed, line["key"], line["value"], len(repository.commits))
        _check_tree(changed)
        oid = repository.add(names["rev"], changed)
        self.commits.append(header["summary"])
        return _json({"success": True, "commitOid": oid, "commitUrl": f"{self.endpoint}/{names['repo']}/commit/{oid}"})

    def _apply(self, files: dict[str, StoredFile], key: str, value: dict[str, Any], number: int) -> None:
        path = value["path"]
        match key:
            case "file":
                files[path] = StoredFile(b64decode(value["content"], validate=True), is_lfs=False, number=number)
            case "lfsFile":
                content = self._objects.get(value["oid"])
                if content is None or len(content) != value.get("size", len(content)):
                    raise _Refused("400 Bad Request", message="LFS pointer pointed to a file that does not exist")
                files[path] = StoredFile(content, is_lfs=True, number=number)
            case "deletedFile" if path in files:
                del files[path]
            case "deletedFolder" if gone := [name for name in files if name.startswith(f"{path.rstrip('/')}/")]:
                for name in gone:
                    del files[name]
            case _:
                raise _not_found("EntryNotFound")

    def _answer_storage(self, request: ReceivedRequest) -> bytes:
        parts = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if "authorization" in request.headers or query.get("signature") != _SIGNED.partition("=")[2]:
            raise _Refused("400 Bad Request")
        oid = parts.path.removeprefix("/")
        if request.method == "PUT":
            if "part" in query:
                self._parts[oid][int(query["part"])] = request.content
            elif sha256(request.content).hexdigest() != oid:
                raise _Refused("400 Bad Request")
            else:
                self._objects[oid] = request.content
            return whole_response(b"", f"ETag: {_etag(request.content)}")
        if oid not in self._objects:
            raise _Refused("404 Not Found")
        return _ranged(
            request, self._objects[oid], 'ETag: "of-the-storage"', "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT"
        )


@dataclass(frozen=True, slots=True)
class HubServer:
    """A running hub.

    Arguments:
        endpoint: its URL.
        pid: its process id.
        token: the token that every request must have.
    """

    endpoint: str
    pid: int
    token: str = field(default=TOKEN, repr=False)

    def new_repository(self, repo_type: str) -> str:
        """Makes an empty repository and returns its id.

        Arguments:
            repo_type: `"model"`, `"dataset"` or `"space"`.
        """
        return self._ask("POST", repo_type, b"").decode()

    def put(self, repo_type: str, repo_id: str, path: str, content: bytes) -> str:
        """Commits one file to the branch `main`, and returns the id of the commit."""
        return self._ask("PUT", f"{repo_type}/{repo_id}/{path}", content).decode()

    def _ask(self, method: str, what: str, content: bytes) -> bytes:
        host = self.endpoint.partition("://")[2]
        reply = ask(connection_to(host), method, f"{_ADMIN}{quote(what)}", content)
        if reply.status != http.client.OK:
            raise ServerFailed(f"the hub answers {reply.status} to {method} {what}")
        return reply.content


@contextmanager
def hub(folder: Path) -> Iterator[HubServer]:
    """Starts a hub of our own, for tests of the service hf. It keeps everything in memory.

    Arguments:
        folder: where its log is (`hub.log`).

    Raises:
        ServerFailed: it did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    address = folder / "endpoint"
    address.unlink(missing_ok=True)
    command: list[str | Path] = [sys.executable, "-c", f"from {__name__} import serve; serve()", address]
    with running(command, folder / "hub.log", address.exists) as process:
        yield HubServer(address.read_text(), process.pid)


def serve() -> None:
    """The program of `hub`. It writes its endpoint to the file that its argument names, and runs until it is ended."""
    address = Path(sys.argv[1])
    with ExitStack() as stack:
        server = HubInProcess(stack)
        written = address.with_suffix(".new")
        written.write_text(server.endpoint)
        written.rename(address)
        signal.pause()


def _is_lfs(path: str, size: int) -> bool:
    return size > 0 and (size >= LARGE or path.endswith(_LFS_NAMES))


def _upload_mode(files: Mapping[str, StoredFile], stated: Mapping[str, Any]) -> dict[str, Any]:
    path, sample = stated["path"], b64decode(stated["sample"], validate=True)
    if len(sample) != min(512, stated["size"]):
        raise _Refused("400 Bad Request", message="the sample has another size")
    mode = "lfs" if _is_lfs(path, stated["size"]) else "regular"
    known = {"oid": files[path].oid} if path in files else {}
    return {"path": path, "uploadMode": mode, "shouldIgnore": path.endswith(".ignored"), **known}


def _check_tree(files: Mapping[str, StoredFile]) -> None:
    """Refuses names that git cannot hold, and a path that is a file and a directory."""
    for path in files:
        names = path.split("/")
        above = {"/".join(names[:end]) for end in range(1, len(names))}
        if {"", ".", "..", ".git"} & set(names) or not above.isdisjoint(files):
            raise _Refused("400 Bad Request", message="a path cannot be in a tree of git")


def _below(files: Mapping[str, StoredFile], directory: str, *, recursive: bool) -> list[str]:
    prefix = f"{directory}/" if directory else ""
    paths = set[str]()
    for path in files:
        if path.startswith(prefix):
            names = path[len(prefix) :].split("/")
            ends = range(1, len(names) + 1) if recursive else (1,)
            paths |= {prefix + "/".join(names[:end]) for end in ends}
    return sorted(paths)


def _described(files: Mapping[str, StoredFile], path: str, is_expanded: bool) -> dict[str, Any] | None:
    file = files.get(path)
    if file is None:
        is_dir = any(name.startswith(f"{path}/") for name in files)
        oid = sha1(path.encode(), usedforsecurity=False).hexdigest()
        return {"type": "directory", "path": path, "size": 0, "oid": oid} if is_dir else None
    described: dict[str, Any] = {"type": "file", "path": path, "size": len(file.content), "oid": file.blob}
    if file.is_lfs:
        described["lfs"] = {"oid": file.oid, "size": len(file.content), "pointerSize": 134}
    if is_expanded:
        described["lastCommit"] = {"id": "0" * 40, "title": "", "date": _DATE.format(file.number % 60)}
    return described


def _ranged(request: ReceivedRequest, content: bytes, *headers: str) -> bytes:
    stated = request.range
    if stated is None:
        return whole_response(content, *headers)
    first, _, last = stated.removeprefix("bytes=").partition("-")
    size = len(content)
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= size:
        return whole_response(b"", f"Content-Range: bytes */{size}", status="416 Range Not Satisfiable")
    placed = f"Content-Range: bytes {start}-{end - 1}/{size}"
    return whole_response(content[start:end], placed, *headers, status="206 Partial Content")


def _etag(content: bytes) -> str:
    return f'"{sha1(content, usedforsecurity=False).hexdigest()}"'


def _json(value: object, *headers: str) -> bytes:
    return whole_response(json.dumps(value).encode(), "Content-Type: application/json", *headers)
