"""Deletions of files and directories. A directory is deleted with its contents by one request, in one step."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

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
from entrepot.raw.effects import note_doubt
from entrepot.raw.file_paths import is_reserved
from entrepot.raw.http.deletions import HttpDeletions
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.oio.delete.api import NOT_EMPTY
from entrepot.raw.oio.list.page import Page, PageLister
from entrepot.raw.oio.list.tokens import SeenTokens

from .core import AzdlsCore, is_directory
from .listing import Listing
from .writer import look

MAX_REPEATED: Final = 1_000
"""The most tokens of one deletion that came before. The storage does not say whether an equal one means progress."""


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
        before: Sequence[str] = []
        while True:
            try:
                await self._delete_tree(key, args)
            except IsADirectory:
                abandoned = [] if args.recursive else await self._abandoned(path)
                if abandoned in ([], before):
                    raise
                before = abandoned
                await self._delete_abandoned(abandoned)
            else:
                return

    async def _delete_tree(self, key: str, args: OpDelete) -> None:
        tokens, repeated = SeenTokens(), 0
        while repeated <= MAX_REPEATED:
            request = self._client.dialect.delete(key, OpDelete(recursive=args.recursive), tokens.last)
            try:
                headers = await self._client.do(request)
            except NotFound:
                return
            token = headers.get("x-ms-continuation")
            if not token:
                return
            repeated += token in tokens
            tokens.add(token)
        raise Unexpected("the storage continues the deletion of the directory without end", is_temporary=True)

    async def _abandoned(self, path: str) -> Sequence[str]:
        """The files that writers that died have left in a directory, if it has nothing else."""
        if await self._children(path):
            return []
        # Another writer may have stored a file since then.
        return [child for child in await self._children(path, with_temporary=True) if is_reserved(child)]

    async def _delete_abandoned(self, paths: Sequence[str]) -> None:
        """Deletes what no other call reaches, since its name is one of a temporary file."""
        for path in paths:
            request = self._client.dialect.delete(build_abs_path(self._root, path), OpDelete(recursive=True))
            with suppress(NotFound):
                await self._client.do(request)

    async def _send(self, request: HttpRequest, args: OpDelete) -> None:
        try:
            await self._client.do(request, args)
        except NotFound as error:
            if args.if_match is not None:
                raise ConditionNotMatch("if_match does not hold: there is no object", context=error.context) from None
        except Error as error:
            if args.if_match is not None:  # once more could not tell that the first succeeded
                note_doubt(error)
            raise

    async def _delete_in_root(self, args: OpDelete) -> None:
        if not args.recursive:
            if await self._children("/"):
                raise IsADirectory(NOT_EMPTY)
            return
        before = list[str]()
        while paths := await self._children("/", with_temporary=True):
            if paths == before:
                raise Unexpected("the directory still has the entries that were deleted", is_temporary=True)
            before = paths
            await self._delete_abandoned([path for path in paths if is_reserved(path)])
            if failures := await self.delete_many([(path, args) for path in paths]):
                raise DeletionsFailed.of(failures)

    async def _children(self, path: str, *, with_temporary: bool = False) -> list[str]:
        """The paths in a directory, as far as one page has them."""
        listing = Listing(self._client.dialect, self._root, path, DEFAULT_LIST, with_temporary=with_temporary)

        async def fetch(token: str | None) -> Page:
            return listing.page(*await self._client.call(listing.request(token)))

        try:
            entries = await PageLister(fetch).next()
        except NotFound:
            return []
        return [entry.path for entry in entries or ()]
