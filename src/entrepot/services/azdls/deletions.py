"""Deletions of files and directories. A directory is deleted with its contents by one request, in one step."""

from __future__ import annotations

from entrepot.errors import (
    ConditionNotMatch,
    DeletionsFailed,
    Error,
    IsADirectory,
    NotFound,
    Unexpected,
    Unsupported,
)
from entrepot.raw import DEFAULT_LIST, OpDelete, build_abs_path, is_dir_path
from entrepot.raw.file_paths import is_reserved
from entrepot.raw.http.deletions import HttpDeletions
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.oio.delete.api import NOT_EMPTY
from entrepot.raw.oio.list.page import Page, PageLister

from .core import AzdlsCore, is_directory
from .listing import Listing
from .writer import look


class AzdlsDeletions(HttpDeletions[AzdlsCore]):
    """Deletes paths below a root.

    Each path is looked at first: a directory must be named with a slash at its end, and be empty unless the deletion is
    recursive.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
    """

    __slots__ = ()

    async def delete_one(self, path: str, args: OpDelete) -> None:
        """Deletes a file, or a directory. The root itself stays.

        Raises:
            IsADirectory: the path has no slash at its end and is a directory, or the directory is not empty.
            ConditionNotMatch: `if_match` does not hold, or there is no file.
        """
        key = build_abs_path(self._root, path)
        if path == "/":
            await self._delete_in_root(args)
            return
        found = None if is_reserved(key) else await look(self._client, key)
        if found is None:
            if args.if_match is not None:
                raise ConditionNotMatch("if_match does not hold: there is no object")
        elif is_directory(found):
            await self._delete_directory(path, f"{key.removesuffix('/')}/", args)
        elif not is_dir_path(path):
            await self._send(self._client.dialect.delete(key, OpDelete(if_match=args.if_match)), args)

    async def _delete_directory(self, path: str, key: str, args: OpDelete) -> None:
        if args.if_match is not None:
            raise Unsupported("if_match is of files only: leave it out for a directory")
        if not args.recursive and not is_dir_path(path):
            raise IsADirectory("the path leads to a directory: name it with a slash at its end")
        continuation: str | None = None
        while True:
            request = self._client.dialect.delete(key, OpDelete(recursive=args.recursive), continuation)
            try:
                headers = await self._client.do(request)
            except NotFound:
                return
            continuation = headers.get("x-ms-continuation") or None
            if continuation is None:
                return

    async def _send(self, request: HttpRequest, args: OpDelete) -> None:
        try:
            await self._client.do(request, args)
        except NotFound as error:
            if args.if_match is not None:
                raise ConditionNotMatch("if_match does not hold: there is no object", context=error.context) from None
        except Error as error:
            if args.if_match is not None and error.is_temporary:  # once more could not tell that the first succeeded
                error.add_context(may_have_taken_effect=True)
            raise

    async def _delete_in_root(self, args: OpDelete) -> None:
        before = list[str]()
        while True:
            paths = await self._first_children()
            if not paths:
                return
            if not args.recursive:
                raise IsADirectory(NOT_EMPTY)
            if paths == before:
                raise Unexpected("the directory still has the entries that were deleted", is_temporary=True)
            before = paths
            if failures := await self.delete_many([(path, args) for path in paths]):
                raise DeletionsFailed.of(failures)

    async def _first_children(self) -> list[str]:
        """The paths in the root, as far as one page has them."""
        listing = Listing(self._client.dialect, self._root, "/", DEFAULT_LIST)

        async def fetch(token: str | None) -> Page:
            return listing.page(*await self._client.call(listing.request(token)))

        try:
            entries = await PageLister(fetch).next()
        except NotFound:
            return []
        return [entry.path for entry in entries or ()]
