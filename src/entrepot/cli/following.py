"""`--follow-symlinks`: local places whose symbolic links are followed wherever they lead.

The file system service follows links that stay in its root. A command that asks for more gets a service over the root
of the file system, where each path is resolved first. Listings enter links to directories. They end: a link to a
directory that it is in itself is not entered, nor is the target of the copies, which grows meanwhile. Both fail as
files that cannot be read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from entrepot import Entry, EntryMode, Error, InvalidInput, Metadata
from entrepot.raw import (
    DEFAULT_LIST,
    DEFAULT_STAT,
    Accessor,
    Context,
    Layer,
    LayeredAccessor,
    OpList,
    OpRead,
    OpStat,
    RpList,
    RpRead,
    RpStat,
    oio,
)


@dataclass(frozen=True)
class FollowLinksLayer(Layer):
    """Makes a directory the root of a service over the whole file system, to read by way of any link.

    Arguments:
        root: the absolute path of the directory.
        target: the absolute path without links of a directory that receives the copies; None if it is elsewhere.
    """

    root: str
    target: str | None = None

    def __post_init__(self) -> None:
        if self.target is not None:
            object.__setattr__(self, "target", self.target.rstrip("/"))

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _FollowingAccessor(accessor, context, self.root, self.target)


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory to list.

    Arguments:
        path: its path as the user sees it, below the root; empty for the root.
        real: its absolute path without links.
        around: the real paths of the directories that it was reached through, itself included.
    """

    path: str
    real: str
    around: frozenset[str]


class _FollowingAccessor(LayeredAccessor):
    def __init__(self, inner: Accessor, context: Context, root: str, target: str | None) -> None:
        super().__init__(inner)
        self.info = replace(inner.info, root=root)
        self._context = context
        self._root = root
        self._target = target
        self._refused: dict[str, str] = {}

    async def stat(self, path: str, args: OpStat) -> RpStat:
        return await self.inner.stat(await self._inner_path(path), args)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        if path in self._refused:
            raise InvalidInput(self._refused[path])
        return await self.inner.read(await self._inner_path(path), args)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        return RpList(), _FollowingLister(self, "" if path == "/" else path, is_recursive=args.recursive)

    async def resolved(self, path: str) -> str:
        """The absolute path without links of a path below the root."""
        joined = os.path.join(self._root, path.lstrip("/"))  # noqa: PTH118
        return await self._context.runtime.blocking(os.path.realpath, joined)

    async def _inner_path(self, path: str) -> str:
        real = await self.resolved(path)
        return f"{real.lstrip('/')}/" if path.endswith("/") else real.lstrip("/")

    async def list_directory(self, real: str) -> oio.List:
        """Lists a directory by its real path, without the directories in it."""
        _, body = await self.inner.list(f"{real.strip('/')}/", DEFAULT_LIST)
        return body

    async def describe(self, path: str) -> Metadata | None:
        """The metadata of what a link leads to; None if it leads to nothing."""
        try:
            return (await self.stat(path, DEFAULT_STAT)).metadata
        except Error:
            return None

    def may_enter(self, directory: _Directory, around: frozenset[str]) -> bool:
        """Whether a directory is listed. If not, a read of it will say why.

        Arguments:
            directory: the directory.
            around: the real paths of the directories that it was reached through.
        """
        path = directory.path.rstrip("/")
        if directory.real in around:
            self._refused[path] = "a symbolic link leads back to a directory that it is in"
        elif self._target is not None and f"{directory.real}/".startswith(f"{self._target}/"):
            self._refused[path] = "a symbolic link leads to the target of the copies"
        return path not in self._refused


class _FollowingLister(oio.List):
    """Lists a directory, and if it is asked for all below it.

    Arguments:
        accessor: resolves the links.
        path: the directory, with a slash at its end; empty for the root.
        is_recursive: whether directories are entered.
    """

    __slots__ = ("_accessor", "_body", "_directory", "_is_recursive", "_left_out", "_pending")

    def __init__(self, accessor: _FollowingAccessor, path: str, *, is_recursive: bool) -> None:
        self._accessor = accessor
        self._is_recursive = is_recursive
        self._pending: list[_Directory] = []
        self._directory = _Directory(path, "", frozenset())
        self._body: oio.List | None = None
        self._left_out: list[oio.LeftOut] = []

    async def next(self) -> Sequence[Entry] | None:
        if not self._directory.real:
            self._pending.append(await self._entered(self._directory.path, frozenset()))
            self._directory = self._pending[0]
        while self._body is not None or self._pending:
            if self._body is None:
                self._directory = self._pending.pop()
                self._body = await self._accessor.list_directory(self._directory.real)
            page = await self._body.next()
            if page is None:
                await self.close()
                continue
            own = f"{self._directory.real.strip('/')}/"
            entries = [await self._followed(entry) for entry in page if entry.path not in {own, "/"}]
            if entries:
                return entries
        return None

    def left_out(self) -> Sequence[oio.LeftOut]:
        return self._left_out

    async def close(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            path = self._directory.path or "/"
            self._left_out += [oio.LeftOut(path, each.error) for each in body.left_out()]
            await body.close()

    async def _followed(self, found: Entry) -> Entry:
        """An entry of the open directory by the path that the user sees, with what it leads to."""
        path, metadata = f"{self._directory.path}{found.name.rstrip('/')}", found.metadata
        if not (metadata.is_file or metadata.is_dir):
            metadata = await self._accessor.describe(path) or metadata
        if not metadata.is_dir:
            return Entry(path, metadata)
        if self._is_recursive:
            inner = await self._entered(f"{path}/", self._directory.around)
            if not self._accessor.may_enter(inner, self._directory.around):
                return Entry(path, Metadata(EntryMode.UNKNOWN))
            self._pending.append(inner)
        return Entry(f"{path}/", metadata)

    async def _entered(self, path: str, around: frozenset[str]) -> _Directory:
        real = await self._accessor.resolved(path)
        return _Directory(path, real, around | {real})
