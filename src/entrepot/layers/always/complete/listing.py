"""Listings of a service, completed: the directory itself, recursion, prefixes, and the lengths of files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from entrepot.errors import NotADirectory, NotFound, Unsupported
from entrepot.raw import DEFAULT_LIST, Accessor, OpList, OpStat, RpList, get_parent, is_dir_path, oio
from entrepot.types import Entry
from entrepot.types.records import replace

from .capability import is_flat

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window


class Listing:
    """The listings of a service, completed. Opening one does no I/O.

    Arguments:
        inner: the service.
        open_window: returns a window for the stat calls of one page.
    """

    def __init__(self, inner: Accessor, open_window: Callable[[], Window[Entry | None]]) -> None:
        self._inner = inner
        self._native = inner.info.native_capability
        self._open_window = open_window

    async def open(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        """The entries at a path, the directory itself first, with the lengths of files.

        Raises:
            Unsupported: `start_after` with a recursive listing by walking; a walk has no order.
        """
        response, body = await self._entries(path, args)
        if is_dir_path(path) and args.start_after is None:
            body = oio.SelfEntryLister(body, path, keeps_versions=args.versions or args.deleted)
        if self._native.stat:
            body = oio.LengthLister(body, partial(self._with_length, args.versions), self._open_window)
        return response, body

    async def walk(self, directory: str) -> oio.List:
        """Everything below a directory; where directories are native, each one after its contents, to be deleted."""
        if is_flat(self._native) and self._native.list_with_recursive:
            _, body = await self._inner.list(directory, OpList(recursive=True))
            return body
        return self._walk(directory, directory, DEFAULT_LIST)

    async def _entries(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        is_native = is_dir_path(path) or self._native.list_can_prefix
        if args.recursive and not (is_native and self._native.list_with_recursive):
            if args.start_after is not None:
                raise Unsupported("the service has no start_after of a recursive listing")
            return RpList(), self._walk(path, path if is_native else get_parent(path), replace(args, recursive=False))
        if is_native:
            return await self._inner.list(path, args)
        response, body = await self._inner.list(get_parent(path), args)
        return response, oio.PrefixLister(body, path)

    def _walk(self, path: str, start: str, args: OpList) -> oio.List:
        """Lists one directory after another; in the first one only entries that begin with the path."""

        async def list_directory(directory: str) -> oio.List:
            _, body = await self._inner.list(directory, args)
            return oio.PrefixLister(body, path) if directory == start != path else body

        return oio.FlatLister(list_directory, start)

    async def _with_length(self, is_of_versions: bool, entry: Entry) -> Entry | None:
        """The entry with its length; None if the file is gone. A version is kept if the service cannot stat it."""
        version = entry.metadata.version if is_of_versions else None
        if version is not None and not self._native.stat_with_version:
            return entry
        try:
            response = await self._inner.stat(entry.path, OpStat(version=version))
        except (NotFound, NotADirectory):
            return None
        if not response.metadata.is_file:
            return None
        return Entry(entry.path, replace(entry.metadata, content_length=response.metadata.content_length))
