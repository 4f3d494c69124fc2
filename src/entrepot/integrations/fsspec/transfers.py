"""`TransferFileSystem`: reads, writes and copies content, also to and from local files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from glob import has_magic
from typing import Any, Final

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.implementations.local import make_path_posix
from fsspec.utils import isfilelike, stringify_path

from entrepot import InvalidInput, IsADirectory, NotFound, Operator, RangeNotSatisfied, Writer
from entrepot.services import Fs

from .addresses import Located
from .lookup import LookupFileSystem
from .options import given
from .pairs import check_pairs, check_stays_below, one_or_list, targets_of
from .ranges import Bound, needs_size, requested_range
from .transactions import DeferredWriter

TRANSFER_CHUNK: Final = 4 * 1024 * 1024
_WRITE_MODES: Final = {"overwrite": False, "create": True}


class TransferFileSystem(LookupFileSystem):
    """Reads, writes and copies the content of files."""

    async def _cat_file(self, path: str, start: Bound = None, end: Bound = None, **options: Any) -> bytes:
        """Reads a file or a range of it.

        Arguments:
            path: the file.
            start: the first byte; a negative one counts from the end.
            end: the byte after the last; a negative one counts from the end.
            options: the options of `Operator.read`, such as `if_match`.
        """
        located = self.located(path)
        options = given(options)
        size = await self._size_of_file(path, options.get("version")) if needs_size(start, end) else None
        wanted = requested_range(start, end, size)
        if wanted.is_empty:
            return b""
        try:
            return await located.operator.read(located.key, range=wanted, **options)
        except RangeNotSatisfied:  # as a file behaves that is read past its end
            return b""

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
            is_needed = any(needs_size(*one) for one in bounds)
            size = await self._size_of_file(path, options.get("version")) if is_needed else None
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

    async def _cp_file(self, path1: str, path2: str, **options: Any) -> None:
        source, target = self.located(path1), self.located(path2)
        try:
            await source.copy_to(target, **given(options))
        except (NotFound, IsADirectory):
            if not await self._isdir(path1):
                raise
            await target.operator.create_dir(target.directory)  # also where it exists because of a file below it
        self.forget_above(path2)

    @asynccontextmanager
    async def _writing(self, path: str, mode: str, options: dict[str, Any]) -> AsyncIterator[Writer]:
        """Opens a writer, and publishes at the end of the block: in a transaction at its end."""
        if mode not in _WRITE_MODES:
            raise InvalidInput(f"mode must be one of {', '.join(_WRITE_MODES)}")
        located = self.located(path)
        options = given(options)
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
