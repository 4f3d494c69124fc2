"""The API of the hub: repositories, their trees, commits, and the content of files."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from hashlib import sha256
from itertools import count
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from entrepot.testing.scripted_server import ReceivedRequest, raw_response

from .answers import Refused, as_json, not_found, ranged
from .large_files import SIGNED, LargeFiles
from .repositories import Repository, StoredFile, apply, below, check_tree, described, is_lfs

PAGE: Final = 3
"""The entries of a page of a listing."""

_KINDS: Final = r"(?P<kind>models|datasets|spaces)"

Route = Callable[[ReceivedRequest, dict[str, str], dict[str, str]], bytes]
"""Takes a request, the names in its path and its query."""


class Api:
    """The repositories of a hub.

    Arguments:
        large: the content of large files.

    Attributes:
        endpoint: the URL of the hub, once it runs.
        commits: the messages of all commits, in order.
    """

    def __init__(self, large: LargeFiles) -> None:
        self.endpoint = ""
        self.commits: list[str] = []
        self._large = large
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._serial = count()

    def new_repository(self, repo_type: str) -> str:
        """Makes an empty repository and returns its id."""
        repo_id = f"owner/name-{next(self._serial)}"
        self._repositories[repo_type, repo_id] = Repository()
        return repo_id

    def put(self, repo_type: str, repo_id: str, path: str, content: bytes, branch: str = "main") -> str:
        """Commits one file, and returns the id of the commit."""
        repository = self._repositories[repo_type, repo_id]
        files = dict(repository.commits[repository.branches.get(branch, repository.branches["main"])])
        files[path] = StoredFile(content, is_lfs(path, len(content)), len(repository.commits))
        self._large.objects[sha256(content).hexdigest()] = content
        return repository.add(branch, files)

    def files(self, repo_type: str, repo_id: str) -> dict[str, StoredFile]:
        """The files of the branch `main`, by path."""
        repository = self._repositories[repo_type, repo_id]
        return repository.commits[repository.branches["main"]]

    def answer(self, request: ReceivedRequest) -> bytes:
        """Answers a request that has the token."""
        parts = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        for pattern, method in self._routes():
            if (match := re.fullmatch(pattern, parts.path)) is not None:
                return method(request, {name: unquote(text or "") for name, text in match.groupdict().items()}, query)
        raise Refused("404 Not Found")

    def _routes(self) -> list[tuple[str, Route]]:
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

    def _found(self, names: Mapping[str, str]) -> Repository:
        repo_type = (names["kind"] or "models").removesuffix("s")
        repository = self._repositories.get((repo_type, names["repo"]))
        if repository is None:  # the hub does not tell a missing repository from a private one
            raise Refused("401 Unauthorized", "RepoNotFound", "Repository not found")
        return repository

    def _commit_and_files(self, names: Mapping[str, str]) -> tuple[str, dict[str, StoredFile]]:
        repository = self._found(names)
        commit = repository.commit_of(names["rev"])
        if commit is None:
            raise not_found("RevisionNotFound")
        return commit, repository.commits[commit]

    def _revision(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        commit, _ = self._commit_and_files({"rev": "main", **names})
        return as_json({"sha": commit, "id": names["repo"], "private": True})

    def _paths_info(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        _, files = self._commit_and_files(names)
        form = parse_qs(request.content.decode(), keep_blank_values=True)
        is_expanded = form.get("expand") in (["true"], ["True"])
        known = [described(files, path, is_expanded=is_expanded) for path in form.get("paths", [])]
        return as_json([value for value in known if value is not None])

    def _tree(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        _, files = self._commit_and_files(names)
        paths = below(files, names["path"], recursive=query.get("recursive") == "true")
        if not paths and names["path"]:
            raise not_found("EntryNotFound")
        paths = [path for path in paths if path > query.get("cursor", "")]
        end = min(PAGE, int(query.get("limit", PAGE)))
        link = []
        if end < len(paths):
            target = urlsplit(request.target).path
            others = "".join(f"&{name}={value}" for name, value in query.items() if name != "cursor")
            link = [f'Link: <{self.endpoint}{target}?cursor={quote(paths[end - 1])}{others}>; rel="next"']
        return as_json([described(files, path, is_expanded=False) for path in paths[:end]], *link)

    def _resolve(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        commit, files = self._commit_and_files(names)
        file = files.get(names["path"])
        if file is None:
            raise not_found("EntryNotFound")
        if not file.is_lfs:
            return ranged(request, file.content, f'ETag: "{file.oid}"', f"X-Repo-Commit: {commit}")
        return raw_response(
            "302 Found",
            f"Location: {self._large.endpoint}/{file.oid}?{SIGNED}",
            f'X-Linked-Etag: "{file.oid}"',
            f"X-Linked-Size: {len(file.content)}",
            f"X-Repo-Commit: {commit}",
            "Content-Length: 0",
        )

    def _preupload(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        _, files = self._commit_and_files(names)
        stated = json.loads(request.content)["files"]
        if len(stated) > 256:
            raise Refused("400 Bad Request")
        return as_json({"files": [_upload_mode(files, file) for file in stated]})

    def _lfs_batch(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        self._found(names)
        return self._large.batch(request, self.endpoint)

    def _lfs_complete(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        self._found(names)
        return self._large.complete(request)

    def _lfs_verify(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        self._found(names)
        return self._large.verify(request)

    def _commit(self, request: ReceivedRequest, names: dict[str, str], query: dict[str, str]) -> bytes:
        repository = self._found(names)
        parent, files = self._commit_and_files(names)
        if names["rev"] not in repository.branches:
            raise not_found("RevisionNotFound")
        lines = [json.loads(line) for line in request.content.splitlines()]
        header = lines[0]["value"]
        if lines[0]["key"] != "header" or not header.get("summary"):
            raise Refused("400 Bad Request", message="no header")
        if header.get("parentCommit", parent) != parent:
            raise Refused("412 Precondition Failed", message="A commit has happened since.")
        changed = dict(files)
        for line in lines[1:]:
            apply(self._large, changed, line["key"], line["value"], len(repository.commits))
        check_tree(changed)
        oid = repository.add(names["rev"], changed)
        self.commits.append(header["summary"])
        return as_json(
            {"success": True, "commitOid": oid, "commitUrl": f"{self.endpoint}/{names['repo']}/commit/{oid}"}
        )


def _upload_mode(files: Mapping[str, StoredFile], stated: Mapping[str, Any]) -> dict[str, Any]:
    path, sample = stated["path"], b64decode(stated["sample"], validate=True)
    if len(sample) != min(512, stated["size"]):
        raise Refused("400 Bad Request", message="the sample has another size")
    mode = "lfs" if is_lfs(path, stated["size"]) else "regular"
    known = {"oid": files[path].oid} if path in files else {}
    return {"path": path, "uploadMode": mode, "shouldIgnore": path.endswith(".ignored"), **known}
