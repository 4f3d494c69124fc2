"""Deletes files and directories on a WebDAV server."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from entrepot.errors import ConditionNotMatch, DeletionsFailed, Error, IsADirectory, NotFound, Unsupported
from entrepot.raw.conditions import check_conditions
from entrepot.raw.effects import note_doubt
from entrepot.raw.file_paths import is_reserved
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.deletions import HttpDeletions
from entrepot.raw.oio.delete.api import NOT_EMPTY
from entrepot.raw.ops import DEFAULT_DELETE, OpDelete, OpStat
from entrepot.raw.path import build_abs_path, is_dir_path

from .core import WebdavDialect, refused_deletion
from .lister import Children
from .multistatus import MULTI_STATUS, read_multistatus
from .names import check_may_exist
from .tree import Tree


class WebdavDeletions(HttpDeletions[WebdavDialect]):
    """Deletes paths below a root.

    A DELETE of a directory deletes its contents too, so each path is looked at first: a directory must be named with a
    slash at its end, and be empty unless the deletion is recursive.

    Arguments:
        client: sends the requests.
        tree: finds files and directories.
        root: the prefix of every key, normalized.
    """

    __slots__ = ("_tree",)

    def __init__(self, client: HttpClient[WebdavDialect], tree: Tree, root: str) -> None:
        super().__init__(client, root)
        self._tree = tree

    async def delete_one(self, path: str, args: OpDelete) -> None:
        """Deletes a file, or a directory. The root itself stays.

        Raises:
            IsADirectory: the path has no slash at its end and is a directory, or the directory is not empty.
            ConditionNotMatch: `if_match` does not hold, or there is no file.
            DeletionsFailed: some of the contents of the directory were not deleted.
        """
        try:
            check_may_exist(build_abs_path(self._root, path))
            if path == "/":
                await self._delete_in_root(args)
            else:
                await self._delete_below(path, args)
        except NotFound as error:
            if args.if_match is not None:
                raise ConditionNotMatch("if_match does not hold: there is no object", context=error.context) from None

    async def _delete_in_root(self, args: OpDelete) -> None:
        children = Children(self._client.dialect, self._tree, self._root, "/", with_temporary=args.recursive)
        try:
            while (entries := await children.next()) is not None:
                paths = [entry.path for entry in entries if entry.path != "/"]
                if paths and not args.recursive:
                    raise IsADirectory(NOT_EMPTY)
                for path in filter(is_reserved, paths):  # which no other call reaches: a writer that died has left it
                    with suppress(NotFound):
                        await self._send(build_abs_path(self._root, path), DEFAULT_DELETE)
                failures = await self.delete_many([(path, args) for path in paths if not is_reserved(path)])
                if failures:
                    raise DeletionsFailed.of([each for failure in failures for each in _each(failure)])
        finally:
            await children.close()

    async def _delete_below(self, path: str, args: OpDelete) -> None:
        key = build_abs_path(self._root, path)
        found = await self._tree.find(key)
        if not found.is_directory:
            if not is_dir_path(path):
                check_conditions(found.metadata(), OpStat(if_match=args.if_match))
                await self._send(key, args)
            return
        if args.if_match is not None:
            raise Unsupported("a directory has no etag: leave out if_match")
        if not args.recursive:
            if not is_dir_path(path):
                raise IsADirectory("the path leads to a directory: name it with a slash at its end")
            await self._check_is_empty(path)
        await self._send(key if is_dir_path(key) else f"{key}/", DEFAULT_DELETE)

    async def _check_is_empty(self, path: str) -> None:
        children = Children(self._client.dialect, self._tree, self._root, path)
        try:
            while (entries := await children.next()) is not None:
                if any(entry.path != path for entry in entries):
                    raise IsADirectory(NOT_EMPTY)
        finally:
            await children.close()

    async def _send(self, key: str, args: OpDelete) -> None:
        try:
            response = await self._client.respond(self._client.dialect.delete(key, args))
        except Error as error:
            if args.if_match is not None:
                note_doubt(error)
            raise
        try:
            if response.status == MULTI_STATUS:
                failed = [resource for resource in await read_multistatus(response.body) if resource.status >= 400]
                if failures := [self._failure(resource.decoded_path, resource.status) for resource in failed]:
                    raise failures[0] if len(failures) == 1 else DeletionsFailed.of(failures)
        finally:
            await response.body.close()

    def _failure(self, decoded_path: str, status: int) -> Error:
        """The error of one resource that was not deleted, with its path."""
        root = self._client.dialect.path_of(self._root[1:])
        error = refused_deletion(status)
        error.path = decoded_path.removeprefix(root).lstrip("/") or "/"
        if isinstance(error, OSError):
            error.filename = error.path
        return error


def _each(failure: Error) -> Sequence[Error]:
    """The errors of the resources that an error is about."""
    return failure.failures if isinstance(failure, DeletionsFailed) else (failure,)
