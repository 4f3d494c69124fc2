"""The file systems: the operations of an `AsyncFileSystem` of fsspec, over operators."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from glob import has_magic
from typing import Any, Final

from fsspec.asyn import AsyncFileSystem, _run_coros_in_chunks, get_loop, sync
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.core import get_compression
from fsspec.implementations.local import make_path_posix
from fsspec.utils import isfilelike, stringify_path

from entrepot import (
    Entry,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    Operator,
    RangeNotSatisfied,
    Unsupported,
    Writer,
)
from entrepot.integrations.directories import with_directories
from entrepot.integrations.identity import token
from entrepot.services import Fs

from .addresses import Addresses, Located, Relative
from .files import EntrepotCompressedFile, EntrepotFile, EntrepotStreamedFile, EntrepotTextFile
from .info import Info, directory_info, info_of
from .moves import Move
from .options import given
from .pairs import check_pairs, check_stays_below, one_or_list, targets_of
from .ranges import Bound, needs_size, requested_range
from .transactions import DeferredWriter

TRANSFER_CHUNK: Final = 4 * 1024 * 1024
_WRITE_MODES: Final = {"overwrite": False, "create": True}
_OPTIONS: Final = {"asynchronous", "loop", "batch_size", "listings_expiry_time", "max_paths"}
"""Those of fsspec, which ignores others."""


class OperatorsFileSystem(AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The base of the file systems: all of fsspec's operations over the operators that `addresses` finds.

    Paths have no trailing slash. Directories exist where the storage has them, and where an object is below them.
    Nothing is cached, neither listings nor connections of another event loop, so an instance may be used from several
    event loops and threads, and after a fork.

    Arguments:
        addresses: translates paths.
        use_listings_cache: keep listings until this instance changes them, and take `info` from them. By default
            False: another process may change them at any time.
        options: `asynchronous`, `loop`, `batch_size` and the options of the cache of listings, as in fsspec.

    Raises:
        InvalidInput: there is no such option.
    """

    def __init__(self, addresses: Addresses, *, use_listings_cache: bool = False, **options: Any) -> None:
        for name in options.keys() - _OPTIONS:
            known = ", ".join(sorted({*_OPTIONS, "use_listings_cache"}))
            raise InvalidInput(f"there is no option {name!r} of a file system; the options are {known}")
        super().__init__(use_listings_cache=use_listings_cache, **options)
        self._pid = os.getpid()
        self._addresses = addresses

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

    async def _info(self, path: str, **kwargs: Any) -> Info:
        located = self.located(path)
        operator = located.operator
        if not located.key:
            return info_of(located.name, await operator.stat("/"))
        for listed in self.dircache.get(self._parent(located.name), ()):  # empty unless listings are cached
            if listed["name"] == located.name:
                return dict(listed)
        try:
            return info_of(located.name, await operator.stat(located.key))
        except (NotFound, NotADirectory):
            if not operator.info.capability.list or not await operator.exists(located.directory):
                raise
        return directory_info(located.name)

    async def _exists(self, path: str, **kwargs: Any) -> bool:
        return await self._type_of(path) is not None

    async def _isfile(self, path: str) -> bool:
        return await self._type_of(path) == "file"

    async def _isdir(self, path: str) -> bool:
        return await self._type_of(path) == "directory"

    async def _type_of(self, path: str) -> str | None:
        """The type of a path; None if it does not exist. Other errors, such as refused access, are raised."""
        try:
            return str((await self._info(path))["type"])
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

    async def _cat_file(self, path: str, start: Bound = None, end: Bound = None, **options: Any) -> bytes:
        """Reads a file or a range of it.

        Arguments:
            path: the file.
            start: the first byte; a negative one counts from the end.
            end: the byte after the last; a negative one counts from the end.
            options: the options of `Operator.read`, such as `if_match`.
        """
        located = self.located(path)
        size = await self._size_of_file(path) if needs_size(start, end) else None
        wanted = requested_range(start, end, size)
        if wanted.is_empty:
            return b""
        try:
            return await located.operator.read(located.key, range=wanted, **given(options))
        except RangeNotSatisfied:  # as a file behaves that is read past its end
            return b""

    async def _size_of_file(self, path: str) -> int | None:
        info = await self._info(path)
        if info["type"] == "directory":
            raise IsADirectory("the path names a directory", path=path)
        return info["size"]  # type: ignore[no-any-return]

    async def _cat(self, path: Any, recursive: bool = False, **kwargs: Any) -> Any:
        path = stringify_path(path)
        if recursive and isinstance(path, str) and not has_magic(path):
            files = await self._find(path)  # the base class would read the directories too
            path = path if files in ([], [self._strip_protocol(path)]) else files
        return await super()._cat(path, **kwargs)

    async def _cat_ranges(
        self,
        paths: list[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,
        batch_size: int | None = None,
        on_error: str = "return",
        **options: Any,
    ) -> list[Any]:
        """Reads ranges of files; those of one file that are near each other share a request.

        Arguments:
            paths: the file of each range.
            starts: the first byte of each, or one number for all.
            ends: the byte after the last of each, or one number for all.
            max_gap: bytes between two ranges that share a request. By default 1 MiB.
            batch_size: files that are read at the same time.
            on_error: `"return"` puts an error in the place of the bytes, `"raise"` raises it.
            options: the options of `Operator.reader`, such as `if_match`.
        """
        starts, ends = _for_each(paths, starts), _for_each(paths, ends)
        by_path: dict[str, list[int]] = {}
        for index, path in enumerate(paths):
            by_path.setdefault(path, []).append(index)
        results: list[Any] = [b""] * len(paths)
        options = given({"gap": max_gap} | options)

        async def read(path: str) -> None:
            indices = by_path[path]
            bounds = [(starts[index], ends[index]) for index in indices]
            for index, result in zip(indices, await self._ranges_of(path, bounds, options), strict=True):
                results[index] = result

        await self._each(read, by_path, batch_size)
        if on_error == "raise":
            for error in (result for result in results if isinstance(result, Exception)):
                raise error
        return results

    async def _ranges_of(self, path: str, bounds: Sequence[tuple[Bound, Bound]], options: dict[str, Any]) -> list[Any]:
        """The bytes of the ranges of one file, or the error of each."""
        located = self.located(path)
        try:
            size = await self._size_of_file(path) if any(needs_size(*one) for one in bounds) else None
            wanted = [requested_range(start, end, size) for start, end in bounds]
            async with located.operator.reader(located.key, **options) as reader:
                return [*await reader.fetch(wanted)]
        except RangeNotSatisfied:  # one range starts past the end, and the others do not
            return [await self._cat_file(path, start, end, **options) for start, end in bounds]
        except Exception as error:  # noqa: BLE001 - the contract of `cat_ranges`: the caller gets it as a result
            return [error] * len(bounds)

    async def _pipe(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        return await super()._pipe(stringify_path(path), *args, **kwargs)

    async def _pipe_file(self, path: str, value: Any, mode: str = "overwrite", **options: Any) -> None:
        async with self._writing(path, mode, options) as writer:
            await writer.write(value)

    async def _put_file(
        self, lpath: Any, rpath: str, mode: str = "overwrite", callback: Any = DEFAULT_CALLBACK, **options: Any
    ) -> None:
        source = os.path.abspath(lpath)  # noqa: PTH100, ASYNC240 - no I/O
        local = _local_files()
        if (await local.stat(source)).is_dir:
            await self._makedirs(rpath, exist_ok=True)
            return
        async with local.reader(source, chunk=TRANSFER_CHUNK) as reader, self._writing(rpath, mode, options) as writer:
            callback.set_size(await reader.size())
            async for chunk in reader:
                await writer.write(chunk)
                callback.relative_update(len(chunk))

    async def _get_file(
        self, rpath: str, lpath: Any = None, callback: Any = DEFAULT_CALLBACK, outfile: Any = None, **options: Any
    ) -> None:
        """Copies a file to a local one, or makes a local directory for one.

        Arguments:
            rpath: the file or directory.
            lpath: the local path, or an open binary file.
            callback: is told the progress.
            outfile: an open binary file, which is written instead of `lpath`.
            options: the options of `Operator.reader`.
        """
        located = self.located(rpath)
        options = {"chunk": TRANSFER_CHUNK, "concurrent": 4} | given(options)
        file = lpath if outfile is None else outfile
        if file is None:
            raise InvalidInput("get_file copies to lpath, a path or an open file, or to outfile, an open file")
        if isfilelike(file):
            await _copy_to_file(located, file, callback, options)
            return
        target, local = os.path.abspath(lpath), _local_files()  # noqa: PTH100, ASYNC240 - no I/O
        if await self._isdir(rpath):
            await local.create_dir(f"{target}/")
            return
        async with located.operator.reader(located.key, **options) as reader:
            callback.set_size(await reader.size())
            async with local.writer(target) as writer:
                async for chunk in reader:
                    await writer.write(chunk)
                    callback.relative_update(len(chunk))

    async def _copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        on_error: str | None = None,
        maxdepth: int | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        paths1, paths2 = await self._pairs(path1, path2, self._isdir, recursive=recursive, maxdepth=maxdepth)
        on_error = on_error or ("ignore" if recursive else "raise")
        await super()._copy(paths1, paths2, on_error=on_error, batch_size=batch_size, **kwargs)

    async def _get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> Any:
        target = make_path_posix(lpath)
        rpaths, lpaths = await self._pairs(rpath, target, _is_local_dir, recursive=recursive, maxdepth=maxdepth)
        if isinstance(target, str):
            check_stays_below(target, lpaths)
        return await super()._get(rpaths, lpaths, callback=callback, **kwargs)

    async def _put(self, lpath: Any, rpath: Any, *args: Any, **kwargs: Any) -> Any:
        sources, targets = one_or_list(lpath), one_or_list(rpath)
        if isinstance(sources, list) and isinstance(targets, list):
            check_pairs(sources, targets)
        return await super()._put(sources, targets, *args, **kwargs)

    async def _pairs(
        self,
        source: Any,
        target: Any,
        is_dir: Callable[[str], Awaitable[bool]],
        *,
        recursive: bool,
        maxdepth: int | None,
    ) -> tuple[list[str], list[str]]:
        """The files and directories that the source of a copy means, and the path of each copy."""
        source, target = one_or_list(source), one_or_list(target)
        if isinstance(source, list) and isinstance(target, list):
            check_pairs(source, target)
            return source, target
        paths: list[str] = await self._expand_path(source, recursive=recursive, maxdepth=maxdepth)
        if isinstance(source, str) and (not recursive or maxdepth is not None):
            paths = await self._without_directories(paths)
        if isinstance(target, list):
            check_pairs(paths, target)
            return paths, target
        if isinstance(source, list):
            return paths, targets_of(paths, target, in_one_directory=True)
        if has_magic(source):
            return paths, targets_of(paths, target, keeps_name=len(paths) == 1)
        keeps_name = not source.endswith("/") and (target.endswith("/") or await is_dir(target))
        _, *targets = targets_of([self._strip_protocol(source), *paths], target, keeps_name=keeps_name)
        return paths, targets

    async def _without_directories(self, paths: list[str]) -> list[str]:
        are_dirs = await self._each(self._isdir, paths)
        return [path for path, is_dir in zip(paths, are_dirs, strict=True) if not is_dir]

    async def _cp_file(self, path1: str, path2: str, **options: Any) -> None:
        source, target = self.located(path1), self.located(path2)
        try:
            await source.copy_to(target, **given(options))
        except (NotFound, IsADirectory):
            if not await self._isdir(path1):
                raise
            await target.operator.create_dir(target.directory)  # also where it exists because of a file below it
        self.forget_above(path2)

    async def _mv_file(self, path1: str, path2: str) -> None:
        await Move(self).file(path1, path2)

    def mv(self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **kwargs: Any) -> None:
        """Moves files. One file is renamed where the storage can; others are copied, then deleted.

        Only what was copied is deleted. What another program adds to a directory meanwhile stays, and so does a file
        that it changes.

        Arguments:
            path1: the file, directory, pattern or list of files.
            path2: its new path, the directory to move it into, or a list of as many paths.
            recursive: move a directory with its content. By default False.
            maxdepth: move only files up to this depth. By default all.
            kwargs: `batch_size`, and the options of `Operator.copy`.

        Raises:
            FileNotFoundError: the path does not exist, or nothing matches the pattern.
            IsADirectoryError: the path names a directory, and `recursive` is not set, or `path2` is a list.
            InvalidInput: a directory would be moved into itself, or a file be lost, because it has the new path of
                another one.
            ConditionNotMatch: a file was changed after it was copied. All others are moved.
            Error: the listing of a directory lacks something, as `Lister.left_out` says. Nothing is moved.
        """
        sync(self.loop, self._mv, path1, path2, recursive, maxdepth, **kwargs)

    async def _mv(
        self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **kwargs: Any
    ) -> None:
        await Move(self)(path1, path2, recursive=recursive, maxdepth=maxdepth, **kwargs)

    async def _rm_file(self, path: str, **kwargs: Any) -> None:
        located = self.located(path)
        await located.operator.delete(located.key)
        self.forget_above(path)

    async def _rm(
        self,
        path: Any,
        recursive: bool = False,
        batch_size: int | None = None,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Deletes files, or with `recursive` directories: each with one request as large as the service allows.

        Arguments:
            path: a file, a directory, a pattern, or a list of files and directories.
            recursive: delete directories with their content. By default False.
            batch_size: paths that are deleted at the same time.
            maxdepth: with `recursive`, delete only files up to this depth. By default all.
            kwargs: not used.

        Raises:
            FileNotFoundError: the path does not exist, or nothing matches the pattern.
            IsADirectoryError: the path names a directory, and `recursive` is not set.
        """
        if not isinstance(path, str | os.PathLike):
            await self._rm_list(list(path), recursive, batch_size)
            return
        path = stringify_path(path)
        if recursive and maxdepth is not None:
            paths = await self._expand_path(path, recursive=True, maxdepth=maxdepth)
            await self._rm_all(await self._without_directories(paths))
        elif has_magic(path):
            found = await self._glob(path, detail=True)
            if not found:
                raise NotFound("nothing matches the pattern", path=path)
            await self._each(lambda name: self._rm_one(name, found[name]["type"], recursive), found, batch_size)
        else:
            await self._rm_one(path, (await self._info(path))["type"], recursive)

    async def _rm_list(self, paths: list[Any], recursive: bool, batch_size: int | None) -> None:
        if recursive:
            await self._each(lambda path: self._rm(path, recursive=True), paths, batch_size)
        else:
            await self._rm_all(paths)

    async def _rm_one(self, path: str, kind: str, recursive: bool) -> None:
        located = self.located(path)
        if kind != "directory":
            await located.operator.delete(located.key)
            self.forget_above(path)
        elif not recursive:
            raise IsADirectory("the path names a directory: recursive=True deletes it with its content", path=path)
        else:
            await located.operator.delete(located.directory, recursive=True)
            self.invalidate_cache(path)

    async def _rm_all(self, paths: Iterable[str], *, as_directories: bool = False) -> None:
        """Deletes files, or empty directories, in batches for each storage."""
        keys: dict[Operator, list[str]] = {}
        for path in paths:
            located = self.located(path)
            keys.setdefault(located.operator, []).append(located.directory if as_directories else located.key)
            self.forget_above(path)
        for operator, some in keys.items():
            await operator.delete_many(some)

    async def _mkdir(self, path: str, create_parents: bool = True, exist_ok: bool = False, **kwargs: Any) -> None:
        kind = await self._type_of(path)
        if kind is not None:
            if exist_ok and kind == "directory":
                return
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        located = self.located(path)
        if not create_parents and "/" in located.key and not await self._isdir(self._parent(path)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._parent(path))
        await located.operator.create_dir(located.directory)
        self.forget_above(path)

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        await self._mkdir(path, exist_ok=exist_ok)

    async def _rmdir(self, path: str) -> None:
        located = self.located(path)
        entries = await located.operator.list(located.directory)
        if not entries:
            kind = await self._type_of(path)
            code = errno.ENOENT if kind is None else errno.ENOTDIR
            raise OSError(code, os.strerror(code), path)
        if len(entries) > 1:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        await located.operator.delete(located.directory)
        self.invalidate_cache(path)

    def rmdir(self, path: str) -> None:
        """Deletes an empty directory.

        Arguments:
            path: the directory.

        Raises:
            OSError: the directory does not exist, or is not empty.
        """
        sync(self.loop, self._rmdir, path)

    async def _sign(self, path: str, expiration: int = 100, **options: Any) -> str:
        located = self.located(path)
        return (await located.operator.presign_read(located.key, expiration, **options)).url

    def sign(self, path: str, expiration: int = 100, **options: Any) -> str:
        """Returns a URL that reads a file without further credentials. Requires `presign_read`.

        Arguments:
            path: the file.
            expiration: seconds until the URL expires. By default 100.
            options: the options of `Operator.presign_read`.
        """
        return str(sync(self.loop, self._sign, path, expiration, **options))

    async def _modified(self, path: str) -> Any:
        info = await self._info(path)
        if "mtime" in info:
            return info["mtime"]
        if info["type"] == "directory":
            raise IsADirectory("the storage keeps no time of the last change for the directory", path=path)
        raise Unsupported("the storage does not report the time of the last change", path=path)

    def modified(self, path: str) -> Any:
        """Returns the time of the last change, with a time zone.

        Arguments:
            path: the file, or a directory of a storage that keeps such times for directories.

        Raises:
            FileNotFoundError: the path does not exist.
            IsADirectoryError: the path names a directory, for which the storage keeps no time.
            Unsupported: the storage does not report the time.
        """
        return sync(self.loop, self._modified, path)

    async def _created(self, path: str) -> Any:
        await self._info(path)
        raise Unsupported("storages report no time of creation: modified() returns that of the last change", path=path)

    def created(self, path: str) -> Any:
        """Raises an error: storages report the time of the last change only, which `modified` returns.

        Arguments:
            path: the file or directory.

        Raises:
            FileNotFoundError: the path does not exist.
            Unsupported: the path exists.
        """
        return sync(self.loop, self._created, path)

    def touch(self, path: Any, truncate: bool = True, **options: Any) -> None:
        """Writes an empty file.

        Arguments:
            path: the file.
            truncate: replace an existing file. By default True; False never does.
            options: the options of `Operator.writer`.

        Raises:
            IsADirectoryError: the path names a directory, and `truncate` is set.
            FileExistsError: another program made the file meanwhile, and `truncate` is not set.
            Unsupported: the path exists, and `truncate` is not set: no storage changes a time alone.
        """
        mode = "wb"
        if not truncate:
            self._check_may_be_made(path)
            if self.located(path).operator.info.capability.write_with_if_not_exists:
                mode = "xb"
        with self.open(path, mode, **options):
            pass

    def _check_may_be_made(self, path: Any) -> None:
        if self.isdir(path):
            raise Unsupported("the time of a directory cannot be changed", path=str(path))
        if self.exists(path):
            message = "the time of an existing file cannot be changed alone: truncate=True replaces it by an empty one"
            raise Unsupported(message, path=str(path))

    def open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **options: Any,
    ) -> Any:
        """Opens a file. See `EntrepotFile`; in text mode it is an `io.TextIOWrapper` around one.

        Arguments:
            path: the file.
            mode: `"rb"`, `"wb"`, `"ab"` or `"xb"`; the same without `b` for text.
            block_size: bytes to fetch ahead at most, or to write at once. By default 8 MiB.
            cache_options: arguments of the cache of a file to read.
            compression: a name of `fsspec.compression`, or `"infer"` by the suffix of the path. By default none.
            options: `encoding`, `errors` and `newline` of text, which binary files ignore as in fsspec; and those of
                `EntrepotFile`.

        Raises:
            FileNotFoundError: the file to read does not exist.
            FileExistsError: the mode is `"xb"`, and the file exists.
            IsADirectoryError: the path names a directory.
            ValueError: the mode or the compression is unknown.
        """
        text = {name: options.pop(name) for name in ("encoding", "errors", "newline") if name in options}
        if "b" not in mode:
            binary = f"{mode.replace('t', '')}b"
            file = self.open(path, binary, block_size, cache_options, compression, **options)
            return EntrepotTextFile(file, mode, **text)
        codec = get_compression(stringify_path(path), compression)
        if codec is None or "r" in mode:
            return super().open(path, mode, block_size, cache_options, codec, **options)
        return EntrepotCompressedFile(super().open(path, mode, block_size, cache_options, **options), codec)

    def _open(
        self, path: str, mode: str = "rb", block_size: int | None = None, autocommit: bool = True, **options: Any
    ) -> EntrepotFile:
        return EntrepotFile(self, path, mode, block_size, autocommit, **options)

    async def open_async(self, path: str, mode: str = "rb", **options: Any) -> EntrepotStreamedFile:
        """Opens a file for `async with`. See `EntrepotStreamedFile`.

        Arguments:
            path: the file.
            mode: `"rb"`, `"wb"`, `"ab"` or `"xb"`.
            options: `size` of a file to read, if it is known; the options of `Operator.reader` or `Operator.writer`.

        Raises:
            FileNotFoundError: the file to read does not exist.
            ValueError: the mode is another, or a compression is given.
        """
        if mode not in {"rb", "wb", "ab", "xb"} or options.pop("compression", None):
            raise InvalidInput("open_async has the modes rb, wb, ab and xb, and no compression")
        size = options.pop("size", None)
        if mode == "rb" and size is None:
            size = await self._size(path)
        file = EntrepotStreamedFile(self, self._strip_protocol(path), mode, size, options)
        if mode == "ab" and await self._isfile(path):
            file.loc = await self._size(path) or 0
        return file

    @asynccontextmanager
    async def _writing(self, path: str, mode: str, options: dict[str, Any]) -> AsyncIterator[Writer]:
        """Opens a writer, and publishes at the end of the block: in a transaction at its end."""
        if mode not in _WRITE_MODES:
            raise InvalidInput(f"mode must be one of {', '.join(_WRITE_MODES)}")
        located = self.located(path)
        if _WRITE_MODES[mode]:
            options["if_not_exists"] = True
        writer = await located.operator.writer(located.key, **options)
        if not self._intrans:
            async with writer:
                yield writer
            self.forget_above(path)
            return
        try:
            yield writer
        except BaseException:
            await writer.abort()
            raise
        self.transaction.files.append(DeferredWriter(self, path, writer))

    async def _each(self, call: Callable[[str], Any], paths: Iterable[str], batch_size: int | None = None) -> list[Any]:
        batch_size = batch_size or self.batch_size
        coroutines = [call(path) for path in paths]
        return list(await _run_coros_in_chunks(coroutines, batch_size=batch_size, nofiles=True))


class EntrepotFileSystem(OperatorsFileSystem):
    """A file system of fsspec over one operator, with its layers. Paths are relative to the operator's root.

    Two are equal, and have the same token for Dask, if their operators pickle to the same bytes; over an operator that
    cannot be pickled, such as one of memory, if it is the same object. Instances are not cached by fsspec.

    Arguments:
        operator: the operator.
        options: `asynchronous`, `loop`, `batch_size`, `use_listings_cache` and the like, as in fsspec.

    Raises:
        InvalidInput: `operator` is not an `Operator`.
    """

    protocol = "entrepot"
    cachable = False

    def __init__(self, operator: Operator, **options: Any) -> None:
        if not isinstance(operator, Operator):
            raise InvalidInput(f"a file system is made from an Operator, not {type(operator).__name__}")
        super().__init__(Relative(operator), **options)
        self._operator = operator

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """Raises an error: an operator, with its layers, is not JSON.

        Arguments:
            include_password: has no effect.

        Raises:
            Unsupported: always.
        """
        raise Unsupported("a file system over an operator is not JSON: pickle it, or open it by protocol and options")

    @property
    def _fs_token(self) -> str:
        return token(self._operator)


@cache
def _local_files() -> Operator:
    """The local side of transfers."""
    return Operator(Fs("/"))


async def _is_local_dir(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112, ASYNC240 - fsspec makes the directories in the same way


async def _copy_to_file(located: Located, file: Any, callback: Any, options: dict[str, Any]) -> None:
    """Writes an object to an open file of the caller."""
    async with located.operator.reader(located.key, **options) as reader:
        callback.set_size(await reader.size())
        async for chunk in reader:
            file.write(chunk)
            callback.relative_update(len(chunk))


def _for_each(paths: Any, values: Any) -> Sequence[Bound]:
    """One number for each path."""
    if not isinstance(paths, list):
        raise InvalidInput(f"the paths of ranges are a list, not {type(paths).__name__}")
    each = list(values) if isinstance(values, Iterable) else [values] * len(paths)
    if len(each) != len(paths):
        raise InvalidInput(f"there are {len(paths)} paths, and {len(each)} starts or ends")
    return each


def _info_of_entry(located: Located, entry: Entry) -> Info:
    return info_of(located.name_of(entry.path.strip("/")), entry.metadata)
