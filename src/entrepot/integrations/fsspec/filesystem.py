"""The file systems: the operations of an `AsyncFileSystem` of fsspec, over operators.

Three classes build on each other: `LookupFileSystem` finds files and directories, `TransferFileSystem` reads, writes
and copies content, and `OperatorsFileSystem` moves and deletes files, and opens them. `by_service` has the file system
of each service, `addresses` translates paths, and `options` the options that other file systems have.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from glob import has_magic
from typing import Any

from fsspec.asyn import sync
from fsspec.core import get_compression
from fsspec.utils import stringify_path

from entrepot import InvalidInput, IsADirectory, NotFound, Operator, Unsupported
from entrepot.integrations.identity import token

from .addresses import Relative
from .files import EntrepotCompressedFile, EntrepotFile, EntrepotStreamedFile, EntrepotTextFile
from .moves import Move
from .options import given
from .transfers import TransferFileSystem


class OperatorsFileSystem(TransferFileSystem):
    """The base of the file systems: all of fsspec's operations over the operators that `addresses` finds.

    Paths have no trailing slash. Directories exist where the storage has them, and where an object is below them.
    Nothing is cached, neither listings nor connections of another event loop, so an instance may be used from several
    event loops and threads, and after a fork.

    Arguments:
        addresses: translates paths.
        use_listings_cache: keep listings until this instance changes them, and take `info` from them. By default
            False: another process may change them at any time.
        default_block_size: the `block_size` of files that are opened without one. By default 8 MiB.
        default_cache_type: the `cache_type` of files that are opened without one. By default `"growing"`.
        options: `asynchronous`, `loop`, `batch_size` and the options of the cache of listings, as in fsspec.

    Raises:
        InvalidInput: there is no such option.
    """

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
        return (await located.operator.presign_read(located.key, expiration, **given(options))).url

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
        options["cache_type"] = options.get("cache_type") or self._cache_type
        return EntrepotFile(self, path, mode, block_size or self._block_size, autocommit, **options)

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
            size = await self._size_of_file(path, given(options).get("version"))
        file = EntrepotStreamedFile(self, self._strip_protocol(path), mode, size, options)
        if mode == "ab" and await self._isfile(path):
            file.loc = await self._size(path) or 0
        return file


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
