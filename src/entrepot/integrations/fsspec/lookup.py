"""`LookupFileSystem`: which files and directories there are, and the cache of their listings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, Final

from fsspec.asyn import AsyncFileSystem, _run_coros_in_chunks, get_loop
from fsspec.utils import stringify_path

from entrepot import Entry, InvalidInput, IsADirectory, NotADirectory, NotFound
from entrepot.integrations.directories import with_directories

from .addresses import Addresses, Located
from .info import Info, directory_info, info_of
from .options import version_of

_OPTIONS: Final = {"asynchronous", "loop", "batch_size", "listings_expiry_time", "max_paths"}
"""Those of fsspec, which ignores others."""


class LookupFileSystem(AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Translates paths, and looks up what is there. The arguments are those of `OperatorsFileSystem`."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        use_listings_cache: bool = False,
        default_block_size: int | None = None,
        default_cache_type: str | None = None,
        **options: Any,
    ) -> None:
        for name in options.keys() - _OPTIONS:
            known = ", ".join(sorted({*_OPTIONS, "default_block_size", "default_cache_type", "use_listings_cache"}))
            raise InvalidInput(f"there is no option {name!r} of a file system; the options are {known}")
        super().__init__(use_listings_cache=use_listings_cache, **options)
        self._pid = os.getpid()
        self._addresses = addresses
        self._block_size = default_block_size
        self._cache_type = default_cache_type

    @property
    def loop(self) -> Any:
        """The event loop of the sync calls: in a forked process a new one."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._loop = None if self.asynchronous else get_loop()
        return self._loop

    def located(self, path: str) -> Located:
        """Returns the operator and the key that a path leads to. No I/O."""
        return self._addresses.locate(self._strip_protocol(path))

    @property
    def fsid(self) -> str:
        """Not implemented: no storage has a name that is the same for all of its addresses."""
        raise NotImplementedError("storages have no identifier: compare file systems with ==")

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forgets the listings of a path, of what is below it, and of the directories above it; by default all."""
        self.forget_above(path or self.root_marker)
        name = self._strip_protocol(path or self.root_marker)
        if name == self.root_marker:
            self.dircache.clear()
            return
        for below in [listed for listed in self.dircache if listed.startswith(f"{name}/")]:
            self.dircache.pop(below, None)

    def forget_above(self, path: str) -> None:
        """Forgets the listings of a path and of the directories above it, without a look at all that are cached.

        Of a file that was written or deleted, and of a new directory, nothing below it is cached.
        """
        super().invalidate_cache(path)
        name = self._strip_protocol(path)
        while name:
            self.dircache.pop(name, None)
            name = name.rpartition("/")[0]
        self.dircache.pop(self.root_marker, None)

    async def _info(self, path: str, refresh: bool = False, **kwargs: Any) -> Info:
        """Returns what the storage reports of a file or directory.

        Arguments:
            path: the file or directory.
            refresh: do not take it from a cached listing. By default False.
            kwargs: `version` of a file, also by the names of other file systems. Others are not used.
        """
        located = self.located(path)
        operator = located.operator
        if (version := version_of(kwargs)) is not None:
            return info_of(located.name, await operator.stat(located.key, version=version))
        if not located.key:
            return info_of(located.name, await operator.stat("/"))
        # The cache is empty unless listings are cached.
        for listed in () if refresh else self.dircache.get(self._parent(located.name), ()):
            if listed["name"] == located.name:
                return dict(listed)
        try:
            return info_of(located.name, await operator.stat(located.key))
        except (NotFound, NotADirectory):
            if not operator.info.capability.list or not await operator.exists(located.directory):
                raise
        return directory_info(located.name)

    async def _exists(self, path: str, **kwargs: Any) -> bool:
        return await self._type_of(path, **kwargs) is not None

    async def _isfile(self, path: str) -> bool:
        return await self._type_of(path) == "file"

    async def _isdir(self, path: str) -> bool:
        return await self._type_of(path) == "directory"

    async def _type_of(self, path: str, **kwargs: Any) -> str | None:
        """The type of a path; None if it does not exist. Other errors, such as refused access, are raised."""
        try:
            return str((await self._info(path, **kwargs))["type"])
        except (NotFound, NotADirectory):
            return None

    async def _ls(self, path: str, detail: bool = True, refresh: bool = False, **kwargs: Any) -> list[Any]:
        name = self._strip_protocol(path)
        infos = None if refresh else self._cached_listing(name)
        if infos is None:
            infos = await self._listed(name)
            self.dircache[name] = infos
        return list(infos) if detail else sorted(info["name"] for info in infos)

    def _cached_listing(self, name: str) -> list[Info] | None:
        """The listing of a directory or file, if it is cached, or that of the directory above a file."""
        if (infos := self.dircache.get(name)) is not None:
            return list(infos)
        # fsspec's own `_ls_from_cache` would answer with the directory itself, without its content.
        above = self.dircache.get(self._parent(name), ())
        return [info for info in above if info["name"] == name and info["type"] != "directory"] or None

    async def _listed(self, path: str) -> list[Info]:
        located = self.located(path)
        entries = await located.operator.list(located.directory)
        if not entries:
            info = await self._info(path)
            return [] if info["type"] == "directory" else [info]
        return [_info_of_entry(located, entry) for entry in entries if entry.path != located.directory]

    async def _find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        prefix: str = "",
        **kwargs: Any,
    ) -> Any:
        """All files below a path: one recursive listing, or one listing for each directory if `maxdepth` is set."""
        if maxdepth is not None:
            return await super()._find(path, maxdepth=maxdepth, withdirs=withdirs, detail=detail, **kwargs)
        located = self.located(path)
        below = located.directory if located.key else ""
        entries: Iterable[Entry] = await located.operator.list(f"{below}{prefix}" or "/", recursive=True)
        if withdirs:
            entries = with_directories(entries, located.directory)
        infos = {
            info["name"]: info
            for info in (_info_of_entry(located, entry) for entry in entries)
            if withdirs or info["type"] != "directory"
        }
        if not infos and not prefix and await self._isfile(path):
            infos[located.name] = await self._info(path)
        return dict(sorted(infos.items())) if detail else sorted(infos)

    async def _expand_path(self, path: Any, *args: Any, **kwargs: Any) -> list[str]:
        return list(await super()._expand_path(stringify_path(path), *args, **kwargs))

    async def _glob(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        return await super()._glob(stringify_path(path), *args, **kwargs)

    async def _du(self, path: str, total: bool = True, maxdepth: int | None = None, **kwargs: Any) -> Any:
        infos = await self._find(path, maxdepth=maxdepth, detail=True, **kwargs)
        sizes = {name: info["size"] or 0 for name, info in infos.items()}
        return sum(sizes.values()) if total else sizes

    async def _size_of_file(self, path: str, version: str | None = None) -> int | None:
        info = await self._info(path, version=version)
        if info["type"] == "directory":
            raise IsADirectory("the path names a directory", path=path)
        return info["size"]  # type: ignore[no-any-return]

    async def _without_directories(self, paths: list[str]) -> list[str]:
        are_dirs = await self._each(self._isdir, paths)
        return [path for path, is_dir in zip(paths, are_dirs, strict=True) if not is_dir]

    async def _each(self, call: Callable[[str], Any], paths: Iterable[str], batch_size: int | None = None) -> list[Any]:
        batch_size = batch_size or self.batch_size
        coroutines = [call(path) for path in paths]
        return list(await _run_coros_in_chunks(coroutines, batch_size=batch_size, nofiles=True))


def _info_of_entry(located: Located, entry: Entry) -> Info:
    return info_of(located.name_of(entry.path.strip("/")), entry.metadata)
