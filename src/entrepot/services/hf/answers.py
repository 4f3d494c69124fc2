"""Reads the responses of the hub, pure: entries of a repository, and JSON in general."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from entrepot.errors import Unexpected
from entrepot.raw.http.headers import MAX_LENGTH, parse_iso_time
from entrepot.raw.http.transport import HttpHeaders
from entrepot.types import Checksum, EntryMode, Metadata

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

EMPTY_BLOB: Final = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
"""git's id of a file without content."""

KEEP: Final = ".gitkeep"
"""The name of the empty file that keeps a directory in git, which knows only files."""

_FILE: Final = EntryMode.FILE  # on Python 3.11 to look one up takes as long as a call
_HEX: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NEXT: Final = re.compile(r'<([^<>]*)>\s*;\s*rel="?next"?')


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One file or directory of a repository.

    Arguments:
        path: its path in the repository, without a slash at its end.
        is_dir: whether it is a directory.
        size: the number of bytes of its content.
        oid: the id of the content: of git, or of Git LFS (SHA-256) if `is_lfs`.
        is_lfs: whether the content is stored by Git LFS, outside of git.
        modified: the time of the last commit, as the hub writes it; None if the response does not have it.
    """

    path: str
    is_dir: bool
    size: int = 0
    oid: str = ""
    is_lfs: bool = False
    modified: str | None = None

    @property
    def keeps_directory(self) -> bool:
        """Whether it is an empty file whose only purpose is its directory."""
        return not self.is_dir and self.oid == EMPTY_BLOB and self.path.rpartition("/")[2] == KEEP

    @property
    def etag(self) -> str:
        """The etag of the file, as `resolve` states it."""
        return f'"{self.oid}"'

    def metadata(self) -> Metadata:
        """What is known of the object."""
        if self.is_dir:
            return Metadata(mode=EntryMode.DIR)
        return stored_metadata(self.oid, self.size, is_lfs=self.is_lfs, modified=self.modified)


def stored_metadata(oid: str, size: int, *, is_lfs: bool, modified: str | None = None) -> Metadata:
    """The metadata of a file by the id of its content."""
    checksums = (Checksum("sha256", b64encode(bytes.fromhex(oid)).decode()),) if is_lfs else ()
    last_modified = None if modified is None else parse_iso_time(modified)
    return Metadata(_FILE, size, f'"{oid}"', last_modified, checksums=checksums)


def blob_id(content: bytes) -> str:
    """The id of git of a file with this content."""
    return sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


def read_json(content: bytes) -> Any:
    """The value in a JSON document.

    Raises:
        Unexpected: it is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # the error has the document
        pass
    raise Unexpected("the response is not JSON: the endpoint may not be a hub")


def read_object(content: bytes) -> Mapping[str, Any]:
    """The object in a JSON document.

    Raises:
        Unexpected: it is not a JSON object.
    """
    value = read_json(content)
    if not isinstance(value, dict):
        raise malformed()
    return value


def read_entries(content: bytes) -> list[TreeEntry]:
    """The files and directories in the response to `tree` or `paths-info`.

    Raises:
        Unexpected: it is malformed.
    """
    values = read_json(content)
    if not isinstance(values, list):
        raise malformed()
    entries = [_entry(value) for value in values]
    return [entry for entry in entries if entry is not None]


def next_cursor(headers: HttpHeaders) -> str | None:
    """The cursor of the next page, from the Link header; None on the last page."""
    match = _NEXT.search(headers.get("link", ""))
    if match is None:
        return None
    link: str = match[1]
    cursors = parse_qs(link.partition("?")[2]).get("cursor")
    if not cursors:
        raise Unexpected("the link to the next page has no cursor")
    return cursors[0]


def malformed() -> Unexpected:
    """The error of a response that is JSON, but not what the API describes."""
    return Unexpected("the response of the hub is malformed")


def _entry(value: Any) -> TreeEntry | None:
    """An entry; None for one that is neither file nor directory, such as a submodule."""
    if not isinstance(value, dict) or not isinstance(path := value.get("path"), str):
        raise malformed()
    if value.get("type") == "directory":
        return TreeEntry(path, is_dir=True)
    if value.get("type") != "file":
        return None
    lfs = value.get("lfs")
    source = lfs if isinstance(lfs, dict) else value
    size, oid = source.get("size"), source.get("oid")
    if not isinstance(size, int) or not 0 <= size <= MAX_LENGTH:
        raise malformed()
    if not isinstance(oid, str) or not _HEX.fullmatch(oid):
        raise malformed()
    commit = value.get("lastCommit")
    date = commit.get("date") if isinstance(commit, dict) else None
    return TreeEntry(path, False, size, oid, source is lfs, date if isinstance(date, str) else None)
