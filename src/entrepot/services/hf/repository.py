"""The addresses of a repository, and the names that a file in it can have, pure.

Source: the HTTP API of the Hugging Face Hub as the library `huggingface_hub` uses it, and git's rules for names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from entrepot.errors import InvalidInput
from entrepot.raw.http.url import encode_key

REPO_TYPES: Final = ("model", "dataset", "space")

MAX_NAME: Final = 255
"""The most bytes of one name, which is the limit of the file systems that git checks files out to."""

_RESERVED: Final = frozenset({"", ".", "..", ".git"})


@dataclass(frozen=True, slots=True)
class Repository:
    """One revision of one repository.

    Arguments:
        endpoint: the URL of the hub, without a slash at its end.
        repo_type: one of `REPO_TYPES`.
        repo_id: the owner and the name, or a name alone.
        revision: a branch, a tag, a commit or a pull request.
    """

    endpoint: str
    repo_type: str
    repo_id: str
    revision: str

    def api(self, what: str, *, revision: str | None = None) -> str:
        """The URL of a call of the API about a revision; by default the one of this object."""
        return f"{self.endpoint}/api/{self.repo_type}s/{self.repo_id}/{what}/{_segment(revision or self.revision)}"

    def tree(self, key: str) -> str:
        """The URL of the listing of a directory; an empty key is the top."""
        return self.api("tree") + (f"/{encode_key(key)}" if key else "")

    def content(self, key: str, *, revision: str | None = None) -> str:
        """The URL of the content of a file."""
        return f"{self._web}/resolve/{_segment(revision or self.revision)}/{encode_key(key)}"

    @property
    def lfs_batch(self) -> str:
        """The URL of the batch call of Git LFS."""
        return f"{self._web}.git/info/lfs/objects/batch"

    @property
    def _web(self) -> str:
        prefix = "" if self.repo_type == "model" else f"{self.repo_type}s/"
        return f"{self.endpoint}/{prefix}{self.repo_id}"


def check_names(key: str) -> None:
    """Refuses the names that git cannot hold. An empty key is the top of the repository.

    Raises:
        InvalidInput: a name is empty, `.`, `..` or `.git`, or longer than `MAX_NAME` bytes.
    """
    if not key:
        return
    for name in key.removesuffix("/").split("/"):
        if name.lower() in _RESERVED:
            raise InvalidInput("a name in a git repository cannot be empty, '.', '..' or '.git'")
        if len(name) * 4 > MAX_NAME and len(name.encode()) > MAX_NAME:
            raise InvalidInput(f"a name in a git repository has at most {MAX_NAME} bytes of UTF-8")


def _segment(revision: str) -> str:
    return quote(revision, safe="")
