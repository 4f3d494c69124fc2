"""What the hub keeps of a repository: its commits, and the files in each."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import Any, Final

from .answers import Refused, not_found
from .large_files import LargeFiles

LARGE: Final = 64 * 1024
"""The bytes from which a file is stored by Git LFS whatever its name is."""

_LFS_NAMES: Final = (".bin", ".safetensors", ".parquet")
_DATE: Final = "2026-01-01T00:00:{:02}.000Z"


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
class Repository:
    """The commits of a repository, by id, and its branches."""

    commits: dict[str, dict[str, StoredFile]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add("main", {})

    def add(self, branch: str, files: dict[str, StoredFile]) -> str:
        """Adds a commit to a branch, and returns its id."""
        number = len(self.commits)
        oid = sha1(f"{id(self)} {number}".encode(), usedforsecurity=False).hexdigest()
        self.commits[oid] = files
        self.branches[branch] = oid
        return oid

    def commit_of(self, revision: str) -> str | None:
        """The id of the commit that a branch or an id names."""
        return self.branches.get(revision, revision if revision in self.commits else None)


def apply(large: LargeFiles, files: dict[str, StoredFile], key: str, value: dict[str, Any], number: int) -> None:
    """Makes one operation of a commit.

    Arguments:
        large: has the content of large files.
        files: the files, which are changed.
        key: the kind of the operation.
        value: its arguments.
        number: the number of the commit.
    """
    path = value["path"]
    match key:
        case "file":
            files[path] = StoredFile(b64decode(value["content"], validate=True), is_lfs=False, number=number)
        case "lfsFile":
            content = large.objects.get(value["oid"])
            if content is None or len(content) != value.get("size", len(content)):
                raise Refused("400 Bad Request", message="LFS pointer pointed to a file that does not exist")
            files[path] = StoredFile(content, is_lfs=True, number=number)
        case "deletedFile" if path in files:
            del files[path]
        case "deletedFolder" if gone := [name for name in files if name.startswith(f"{path.rstrip('/')}/")]:
            for name in gone:
                del files[name]
        case _:
            raise not_found("EntryNotFound")


def is_lfs(path: str, size: int) -> bool:
    """Whether a file is stored by Git LFS."""
    return size > 0 and (size >= LARGE or path.endswith(_LFS_NAMES))


def check_tree(files: Mapping[str, StoredFile]) -> None:
    """Refuses names that git cannot hold, and a path that is a file and a directory."""
    for path in files:
        names = path.split("/")
        above = {"/".join(names[:end]) for end in range(1, len(names))}
        if {"", ".", "..", ".git"} & set(names) or not above.isdisjoint(files):
            raise Refused("400 Bad Request", message="a path cannot be in a tree of git")


def below(files: Mapping[str, StoredFile], directory: str, *, recursive: bool) -> list[str]:
    """The paths in a directory, of its directories too."""
    prefix = f"{directory}/" if directory else ""
    paths = set[str]()
    for path in files:
        if path.startswith(prefix):
            names = path[len(prefix) :].split("/")
            ends = range(1, len(names) + 1) if recursive else (1,)
            paths |= {prefix + "/".join(names[:end]) for end in ends}
    return sorted(paths)


def described(files: Mapping[str, StoredFile], path: str, *, is_expanded: bool) -> dict[str, Any] | None:
    """What the hub says of a path; None if there is nothing."""
    file = files.get(path)
    if file is None:
        is_dir = any(name.startswith(f"{path}/") for name in files)
        oid = sha1(path.encode(), usedforsecurity=False).hexdigest()
        return {"type": "directory", "path": path, "size": 0, "oid": oid} if is_dir else None
    facts: dict[str, Any] = {"type": "file", "path": path, "size": len(file.content), "oid": file.blob}
    if file.is_lfs:
        facts["lfs"] = {"oid": file.oid, "size": len(file.content), "pointerSize": 134}
    if is_expanded:
        facts["lastCommit"] = {"id": "0" * 40, "title": "", "date": _DATE.format(file.number % 60)}
    return facts
