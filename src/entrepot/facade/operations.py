"""How the operations of an `Operator` are carried out, each as one private method over the stack."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from functools import partial
from sys import modules
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

from entrepot.errors import Error, InvalidInput, NotADirectory, NotFound, Unexpected
from entrepot.raw import (
    DEFAULT_COPY,
    DEFAULT_CREATE_DIR,
    DEFAULT_DELETE,
    DEFAULT_LIST,
    DEFAULT_READ,
    DEFAULT_RENAME,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    OpAbortUpload,
    OpList,
    OpWrite,
    RpRead,
    normalize_path,
    oio,
)
from entrepot.raw.layered import Coro
from entrepot.raw.log import DEBUG, logger
from entrepot.raw.oio.copy.api import copy_to_end
from entrepot.raw.oio.read.api import read_to_end
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.raw.storage import Storage
from entrepot.types import BytesRange, Entry, Metadata, PresignedRequest
from entrepot.types.numbers import as_integer

from .buffers import bytes_of
from .deleting import Targets, check_targets, delete_many, delete_one
from .lister import Lister
from .opening import Opening
from .options import (
    Path,
    Presigned,
    checked,
    checked_complete_upload,
    checked_flag,
    checked_get_tags,
    checked_part,
    checked_post,
    checked_presign,
    checked_set_tags,
    checked_start_upload,
    checked_upload,
    checked_upload_part,
    shown_path,
)
from .reader import Reader, open_body
from .sources import Source, as_source, expected_length, longest_whole, may_be_stored_whole, with_length_of
from .stack import Stack
from .writer import Output, Writer, store_whole, write_source

if TYPE_CHECKING:
    from entrepot.types import Copied, Part, TreeReport, Upload, Usage

T = TypeVar("T")
Args = TypeVarTuple("Args")
Entries = list[Entry]
Found = list[Metadata | None]
Uploads = list["Upload"]

_PROBE: Final = ".entrepot-check"
_PRESIGNED: Final[dict[str, Presigned]] = {
    "read": DEFAULT_READ,
    "stat": DEFAULT_STAT,
    "write": DEFAULT_WRITE,
    "delete": DEFAULT_DELETE,
}


class Operations(Opening, Storage):
    """The base of `Operator`: a stack, and the calls that the public methods make on it.

    `_call` makes a call now, `_caller` one that is awaited later. Both normalize the path, and name the operation,
    the scheme and the path in each error. The methods named after an operation receive the normalized path and the
    options as the caller passed them; they check the options before any I/O.
    """

    def _use(self, stack: Stack) -> None:
        """Sets the stack. Its accessor and context are kept beside it, because every call needs them.

        So is the most bytes that a write may store by one call.
        """
        self._stack = stack
        self._accessor = stack.accessor
        self._context = stack.context
        self._longest_whole = longest_whole(stack.accessor.info.capability)

    async def _call(self, operation: str, call: Callable[[str, *Args], Awaitable[T]], path: Path, *args: *Args) -> T:
        """Makes a call on a path whose errors name the call, the scheme and the path."""
        try:
            return await call(self._begin(operation, path), *args)
        except Error as error:
            self._name(error, operation, path)
            raise

    def _begin(self, operation: str, path: Path) -> str:
        """Returns the normalized path of a call, and logs that it starts."""
        normalized = normalize_path(path)
        if "logging" in modules and logger().isEnabledFor(DEBUG):  # `log`, without a call of it in each operation
            logger().debug("%s %s %r", self._accessor.info.scheme, operation, normalized)
        return normalized

    def _name(self, error: Error, operation: str, path: Path) -> None:
        error.of_call(operation, scheme=self._accessor.info.scheme, path=shown_path(path))

    def _caller(self, operation: str, call: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        """The same, to be made later."""
        return partial(self._call, operation, call)

    async def _read(self, path: str, options: Mapping[str, Any]) -> bytes:
        args = checked(DEFAULT_READ, options)
        if args.chunk is None:
            content = await self._accessor.read_whole(path, args)
        else:
            content = await open_body(self._context, PinnedRange(self._accessor, path, args), args)
        return content if isinstance(content, bytes) else await gathered(content[1])

    async def _read_with_metadata(self, path: str, options: Mapping[str, Any]) -> tuple[bytes, Metadata]:
        args = checked(DEFAULT_READ, options)
        pinned, response = PinnedRange(self._accessor, path, args), RpRead()
        if args.chunk is None:
            content = await self._accessor.read_whole(path, args, response)
        else:
            content = await open_body(self._context, pinned, args)
        if not isinstance(content, bytes):
            response, body = content
            content = await gathered(body)
        pinned.note(response)
        return content, await pinned.describe()

    async def _reader(self, path: str, options: Mapping[str, Any]) -> Reader:
        args = checked(DEFAULT_READ, options)
        pinned = PinnedRange(self._accessor, path, args)
        opened = await open_body(self._context, pinned, args)
        return Reader(self._context, pinned, args, opened)

    async def _stat(self, path: str, options: Mapping[str, Any]) -> Metadata:
        return (await self._accessor.stat(path, checked(DEFAULT_STAT, options))).metadata

    async def _stat_many(self, path: str, paths: Targets, concurrent: int) -> Found:
        from .stating import stat_many

        check_targets(paths)
        return await stat_many(self._accessor, self._context, paths, as_integer("concurrent", concurrent, 1))

    async def _exists(self, path: Path) -> bool:
        try:
            await self._call("exists", self._stat, path, {})
        except (NotFound, NotADirectory):
            return False
        return True

    async def _check(self, path: str) -> None:
        if self._accessor.info.capability.list:
            await self._peek(path)
        else:
            await self._probe(path)

    async def _peek(self, path: str) -> None:
        _, body = await self._accessor.list(path, OpList(limit=1))
        try:
            await body.next()
        finally:
            await body.close()

    async def _probe(self, path: str) -> None:
        try:
            await self._read(_PROBE, {"range": BytesRange(0, 1)})
        except NotFound:
            return
        except Error as error:
            error.path = path
            raise

    def _write(self, path: str, data: Source, options: Mapping[str, Any]) -> Coro[Metadata]:
        args = checked(DEFAULT_WRITE, options)
        source = as_source(data)
        if not args.append and may_be_stored_whole(source, self._longest_whole):
            return store_whole(self._context, self._accessor, path, source, args)
        return self._write_by_body(path, source, args)

    async def _write_by_body(self, path: str, source: Any, args: OpWrite) -> Metadata:
        if self._accessor.info.capability.write_multi_max_size is not None and args.content_length_hint is None:
            args = with_length_of(args, await expected_length(source, self._context.runtime))
        _, body = await self._accessor.write(path, args)
        return await write_source(self._context, Output(self._accessor.info, args, body), source)

    async def _writer(self, path: str, options: Mapping[str, Any]) -> Writer:
        args = checked(DEFAULT_WRITE, options)
        _, body = await self._accessor.write(path, args)
        return Writer(self._context, self._accessor.info, path, args, body)

    async def _delete(self, path: str, options: Mapping[str, Any]) -> None:
        await delete_one(self._accessor, path, checked(DEFAULT_DELETE, options))

    async def _delete_many(self, path: str, paths: Targets, concurrent: int) -> None:
        check_targets(paths)
        await delete_many(self._accessor, self._context, paths, as_integer("concurrent", concurrent, 1))

    async def _list(self, path: str, options: Mapping[str, Any]) -> Entries:
        _, body = await self._accessor.list(path, checked(DEFAULT_LIST, options))
        entries: Entries = []
        try:
            while page := await body.next():
                entries += page
        finally:
            await body.close()
        return entries

    async def _lister(self, path: str, options: Mapping[str, Any]) -> Lister:
        _, body = await self._accessor.list(path, checked(DEFAULT_LIST, options))
        return Lister(self._context, self._accessor.info.scheme, path, body)

    async def _copy(self, source: str, target: Path, options: Mapping[str, Any]) -> Metadata:
        args = checked(DEFAULT_COPY, options)
        with _about_target(target):
            _, body = await self._accessor.copy(source, normalize_path(target), args)
            return await copy_to_end(body, self._context.runtime)

    async def _copy_to(
        self, source: str, other: Operations, target: Path, options: Mapping[str, Any], progress: Any = None
    ) -> Copied:
        from .copying import Side, copy_between
        from .trees import Meter

        _check_operator(other)
        args = checked(DEFAULT_COPY, options)
        meter = Meter(progress).of(source, args.source_content_length_hint)
        there = Side(other._stack, normalize_path(target))
        copied = await copy_between(Side(self._stack, source), there, args, meter.add)
        meter.complete(copied.metadata.content_length if copied.is_server_side else None)
        return copied

    async def _has_same_content(self, path: str, other: Operations, other_path: Path | None) -> bool:
        from .comparing import have_same_content
        from .copying import Side

        _check_operator(other)
        there = Side(other._stack, path if other_path is None else normalize_path(other_path))
        return await have_same_content(Side(self._stack, path), there)

    async def _copy_to_later(self, other: Operations, source: Path, target: Path, options: Mapping[str, Any]) -> Copied:
        """The same, with the arguments in the order of the public method."""
        return await self._call("copy_to", self._copy_to, source, other, target, options)

    async def _download(
        self, path: str, local: Path, options: Mapping[str, Any], resume: Any, progress: Any
    ) -> Metadata:
        from .copying import Side
        from .local_files import download, local_file
        from .trees import Meter

        args, target = checked(DEFAULT_COPY, options), local_file(local, self._context)
        is_resumable = checked_flag("resume", resume)
        meter = Meter(progress).of(path, args.source_content_length_hint)
        with _about_target(local):
            metadata = await download(Side(self._stack, path), target, args, meter.add, is_resumable=is_resumable)
        meter.complete(metadata.content_length)
        return metadata

    async def _upload(self, path: str, local: Path, options: Mapping[str, Any], progress: Any) -> Metadata:
        from .local_files import counted
        from .trees import Meter

        meter = Meter(progress).of(path, None)
        async with aclosing(counted(local, self._context, meter.add)) as blocks:
            metadata = await self._write(path, blocks, options)
        meter.complete(None)
        return metadata

    async def _copy_tree(
        self, source: str, other: Operations, target: Path | None, options: Mapping[str, Any]
    ) -> TreeReport:
        from .copying import Side
        from .trees import Rules, transfer_tree, tree_path

        _check_operator(other)
        path = tree_path(source if target is None else target)
        return await transfer_tree(Side(self._stack, tree_path(source)), Side(other._stack, path), Rules(**options))

    async def _download_tree(self, source: str, local: Path, options: Mapping[str, Any]) -> TreeReport:
        from .copying import Side
        from .local_files import local_directory
        from .trees import Rules, transfer_tree, tree_path

        target = local_directory(local, self._context)
        return await transfer_tree(Side(self._stack, tree_path(source)), target, Rules(**options))

    async def _upload_tree(self, target: str, local: Path, options: Mapping[str, Any]) -> TreeReport:
        from .copying import Side
        from .local_files import check_directory, local_directory
        from .trees import Rules, transfer_tree, tree_path

        rules = Rules(**options)
        await check_directory(local, self._context)
        source = local_directory(local, self._context)
        return await transfer_tree(source, Side(self._stack, tree_path(target)), rules)

    async def _walk(self, path: Path) -> AsyncGenerator[tuple[str, Entries, Entries], None]:
        directory, entries = await self._call("walk", self._list_tree, path)
        pending = list[str]()
        while True:
            inner = [entry for entry in entries if entry.path != directory]
            directories = [entry for entry in inner if entry.is_dir]
            yield directory, directories, [entry for entry in inner if not entry.is_dir]
            pending += [entry.path for entry in reversed(directories)]
            if not pending:
                break
            directory = pending.pop()
            entries = await self._call("walk", self._list, directory, {})

    async def _list_tree(self, path: str) -> tuple[str, Entries]:
        """The direct children of a directory, which must exist."""
        from .trees import tree_path

        directory = tree_path(path)
        entries = await self._list(directory, {})
        if not entries:
            await self._accessor.stat(directory, DEFAULT_STAT)  # a missing directory is not an empty one
        return directory, entries

    async def _remove_tree(self, path: str) -> None:
        from .trees import tree_path

        directory = tree_path(path)
        await self._accessor.stat(directory, DEFAULT_STAT)
        await self._delete(directory, {"recursive": True})

    async def _glob(self, pattern: str, options: Mapping[str, Any]) -> Lister:
        from .globs import GlobLister, check_pattern

        return Lister(
            self._context, self._accessor.info.scheme, pattern, GlobLister(self._accessor, check_pattern(pattern))
        )

    async def _usage(self, path: str) -> Usage:
        from entrepot.types.transfers import Usage

        from .trees import tree_path

        directory = tree_path(path)
        size = files = entries = 0
        async with await self._lister(directory, {"recursive": True}) as lister:
            while page := await lister.next_page():
                sizes = [entry.size or 0 for entry in page if entry.is_file]
                size, files, entries = size + sum(sizes), files + len(sizes), entries + len(page)
        if not entries:
            await self._accessor.stat(directory, DEFAULT_STAT)  # a missing directory is not an empty one
        return Usage(size, files)

    async def _get_tags(self, path: str, version: Any) -> Mapping[str, str]:
        return (await self._accessor.get_tags(path, checked_get_tags(version))).tags

    async def _set_tags(self, path: str, tags: Any, version: Any) -> None:
        await self._accessor.set_tags(path, checked_set_tags(tags, version))

    async def _list_uploads(self, path: str, older_than: Any) -> Uploads:
        from .uploads import checked_age, list_uploads

        return await list_uploads(self._accessor, path, None if older_than is None else checked_age(older_than))

    async def _abort_uploads(self, path: str, older_than: Any, concurrent: int) -> Uploads:
        from .uploads import abort_uploads, checked_age

        age, window = checked_age(older_than), as_integer("concurrent", concurrent, 1)
        return await abort_uploads(self._accessor, self._context, path, age, window)

    async def _start_upload(self, path: str, options: Mapping[str, Any]) -> str:
        started = (await self._accessor.shared_upload(path, checked_start_upload(options), b"")).upload
        if started is None:
            raise Unexpected("the service started an upload without an id")
        return started

    async def _upload_part(self, path: str, upload: Any, number: Any, data: Any) -> Part:
        args, content = checked_upload_part(upload, number), bytes_of(data)
        if not content:
            raise InvalidInput("a part has at least one byte")
        stored = (await self._accessor.shared_upload(path, args, content)).part
        if stored is None:
            raise Unexpected("the service stored a part without describing it")
        return stored

    async def _complete_upload(self, path: str, upload: Any, parts: Any) -> Metadata:
        args = checked_complete_upload(upload, parts)
        return (await self._accessor.shared_upload(path, args, b"")).metadata or Metadata()

    async def _abort_upload(self, path: str, upload: Any) -> None:
        await self._accessor.abort_upload(path, OpAbortUpload(id=checked_upload(upload)))

    async def _rename(self, source: str, target: Path, options: Mapping[str, Any]) -> None:
        args = checked(DEFAULT_RENAME, options)
        with _about_target(target):
            await self._accessor.rename(source, normalize_path(target), args)

    def _presigner(self, operation: str) -> Callable[..., Awaitable[PresignedRequest]]:
        return self._caller(f"presign_{operation}", partial(self._presign, _PRESIGNED[operation]))

    async def _presign(
        self, default: Presigned, path: str, expires: Any, options: Mapping[str, Any]
    ) -> PresignedRequest:
        return (await self._accessor.presign(path, checked_presign(default, expires, options))).request

    async def _presign_post(self, path: str, *args: Any) -> PresignedRequest:
        return (await self._accessor.presign(path, checked_post(*args))).request

    async def _presign_part(self, path: str, *args: Any) -> PresignedRequest:
        return (await self._accessor.presign(path, checked_part(*args))).request

    async def _create_dir(self, path: str) -> None:
        await self._accessor.create_dir(path, DEFAULT_CREATE_DIR)


async def gathered(body: oio.Read) -> bytes:
    """The content of an opened body, which is closed."""
    try:
        return await read_to_end(body)
    finally:
        await body.close()


def _check_operator(other: object) -> None:
    if not isinstance(other, Operations):
        raise InvalidInput(f"the other operator is an Operator, not {type(other).__name__}")


@contextmanager
def _about_target(target: Path) -> Iterator[None]:
    """Says in an error, whose path is the source, which target it is about."""
    try:
        yield
    except Error as error:
        error.add_context(target=shown_path(target))
        raise
