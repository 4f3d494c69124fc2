"""One repository: what its operations share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from entrepot.errors import IsADirectory, NotFound, Unexpected
from entrepot.raw import OpRead
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.dialect import Dialect
from entrepot.raw.http.url import Query
from entrepot.raw.oio.list.tokens import SeenTokens

from .answers import TreeEntry, blob_id, next_cursor, read_entries
from .commits import Commits, file_operation, lfs_operation
from .core import MAX_PAGE, HfDialect
from .lfs import LfsStorage

_MAX_PATHS: Final = 100
"""The most paths of one request for their entries."""


class Hub:
    """One repository at one revision.

    Arguments:
        client: sends requests to the hub.
        storage: sends content to the hosts that the hub names.

    Attributes:
        client: sends requests to the hub.
        commits: makes changes.
        lfs: stores the content of large files.
    """

    __slots__ = ("client", "commits", "lfs")

    def __init__(self, client: HttpClient[HfDialect], storage: HttpClient[Dialect]) -> None:
        self.client = client
        self.commits = Commits(client)
        self.lfs = LfsStorage(client, storage)

    async def entry(self, key: str, *, revision: str | None = None) -> TreeEntry | None:
        """The file or directory at a path; None if there is none.

        Arguments:
            key: the path in the repository, without a slash at its end.
            revision: another revision than the configured one.
        """
        return (await self.entries([key], revision=revision)).get(key)

    async def file(self, key: str, *, revision: str | None = None) -> TreeEntry:
        """The file at a path.

        Raises:
            NotFound: nothing is there.
            IsADirectory: a directory is there.
        """
        entry = await self.entry(key, revision=revision)
        if entry is None:
            raise NotFound("there is no such file")
        if entry.is_dir:
            raise IsADirectory("the path names a directory")
        return entry

    async def entries(self, keys: Sequence[str], *, revision: str | None = None) -> dict[str, TreeEntry]:
        """The files and directories at some paths, by path."""
        found = dict[str, TreeEntry]()
        for start in range(0, len(keys), _MAX_PATHS):
            request = self.client.dialect.paths_info(keys[start : start + _MAX_PATHS], revision=revision)
            _, content = await self.client.call(request)
            found |= {entry.path: entry for entry in read_entries(content)}
        return found

    async def below(self, key: str, *, recursive: bool) -> AsyncIterator[TreeEntry]:
        """The entries of a directory; none if it does not exist. An empty key is the top of the repository."""
        query: Query = [("recursive", str(recursive).lower()), ("limit", str(MAX_PAGE))]
        cursors = SeenTokens()
        while True:
            page: Query = [] if cursors.last is None else [("cursor", cursors.last)]
            try:
                headers, content = await self.client.call(self.client.dialect.tree(key, [*query, *page]))
            except NotFound:
                return
            for entry in read_entries(content):
                if not key or entry.path.startswith(f"{key}/"):
                    yield entry
            cursor = next_cursor(headers)
            if cursor is None:
                return
            if cursor in cursors:
                raise Unexpected("the hub names an earlier page of a listing as the next page")
            cursors.add(cursor)

    async def copy_operation(self, source: TreeEntry, key: str, *, revision: str | None = None) -> bytes:
        """The operation that stores the content of a file under another path.

        Content in Git LFS is named by its id, so that it is neither received nor sent. Other content is.

        Raises:
            Unexpected: the file was changed meanwhile. Temporary.
        """
        if source.is_lfs:
            return lfs_operation(key, source.oid, source.size)
        _, content = await self.client.call(self.client.dialect.get(source.path, OpRead(), revision=revision))
        if blob_id(content) != source.oid:
            raise Unexpected("the source was changed while it was copied", is_temporary=True)
        return file_operation(key, content)
