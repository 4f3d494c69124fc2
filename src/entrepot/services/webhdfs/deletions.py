"""Deletes files and directories in HDFS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from entrepot.errors import IsADirectory, Unexpected
from entrepot.raw.file_paths import is_reserved, names_directory
from entrepot.raw.oio.delete.api import NOT_EMPTY, Delete
from entrepot.raw.oio.list.page import PageLister
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.raw.ops import OpDelete

from .cluster import Cluster
from .lister import Listings


class WebhdfsDeleter(Delete):
    """Deletes each path when it is named.

    Arguments:
        delete_one: deletes one path.
    """

    __slots__ = ("_delete_one", "_is_closed")

    def __init__(self, delete_one: Callable[[str, OpDelete], Awaitable[None]]) -> None:
        self._delete_one = delete_one
        self._is_closed = False

    async def delete(self, path: str, args: OpDelete) -> None:
        check_not_closed(self._is_closed)
        await self._delete_one(path, args)

    async def close(self) -> None:
        self._is_closed = True


async def delete_path(cluster: Cluster, listings: Listings, path: str, there: str, args: OpDelete) -> None:
    """Deletes a file or a directory. What does not exist is not an error.

    HDFS deletes an empty directory as if it were a file, so the path is looked at first.

    Arguments:
        cluster: makes the calls.
        listings: lists what is in a directory.
        path: the path of the call; with a slash at its end it names a directory only.
        there: the path in HDFS.
        args: whether a directory is deleted with its contents.

    Raises:
        IsADirectory: the path has no slash at its end and leads to a directory, or the directory is not empty.
    """
    if is_reserved(path):
        return
    status = await cluster.look(there)
    if status is None or (names_directory(path) and not status.is_directory):
        return
    if args.recursive or not status.is_directory:
        await cluster.ask(cluster.dialect.remove(there, recursive=args.recursive))
        return
    if not names_directory(path):
        raise IsADirectory("the path leads to a directory: name it with a slash at its end")
    await _delete_empty(cluster, listings, there)


async def _delete_empty(cluster: Cluster, listings: Listings, directory: str) -> None:
    """Deletes a directory without contents. What writers that died have left in it does not count, and goes with it.

    Raises:
        IsADirectory: there are contents.
    """
    before = list[str]()
    while True:
        try:
            await cluster.ask(cluster.dialect.remove(directory, recursive=False))
        except IsADirectory:
            await _check_is_empty(listings, directory)
            # Another writer may have stored a file since then.
            abandoned = [status.name for status in await listings.first(directory) if is_reserved(status.name)]
            if abandoned in ([], before):
                raise
            before = abandoned
            for name in abandoned:
                await cluster.ask(cluster.dialect.remove(f"{directory}/{name}", recursive=True))
        else:
            return


async def delete_in_root(cluster: Cluster, listings: Listings, root: str, args: OpDelete) -> None:
    """Deletes the contents of the root, which itself stays.

    Raises:
        IsADirectory: there are contents, and the deletion is not recursive.
        Unexpected: deleted entries are still there. Temporary.
    """
    if not args.recursive:
        await _check_is_empty(listings, root)
        return
    before = list[str]()
    while names := [status.name for status in await listings.first(root)]:  # abandoned temporary files too
        if names == before:
            raise Unexpected("the directory still has the entries that were deleted", is_temporary=True)
        before = names
        for name in names:
            await cluster.ask(cluster.dialect.remove(f"{root.rstrip('/')}/{name}", recursive=True))


async def _check_is_empty(listings: Listings, root: str) -> None:
    lister = PageLister(partial(listings.page, root, ""))
    while (entries := await lister.next()) is not None:
        if any(entry.path != "/" for entry in entries):
            raise IsADirectory(NOT_EMPTY)
