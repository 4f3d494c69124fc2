"""A store of obspec over an operator: every protocol of obspec, with and without `async`.

    from entrepot import Operator
    from entrepot.integrations.obspec import ObspecStore

    store = ObspecStore(Operator.from_uri("s3://bucket?region=eu-west-1"))
    head = store.get_range("a.tif", start=0, length=1024)

Programs written for obspec or obstore find the errors of `obspec.exceptions`. Needs the extra `obspec`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from entrepot import (
    AlreadyExists,
    BytesRange,
    ConditionNotMatch,
    Entry,
    Error,
    InvalidInput,
    IsADirectory,
    Metadata,
    NotADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    Reader,
    Unsupported,
)
from entrepot.blocking import BlockingReader

from .directories import check_unchanged
from .extras import not_installed
from .identity import token

try:
    from obspec import exceptions
except ImportError as error:
    raise not_installed("obspec", error) from error

if TYPE_CHECKING:
    from obspec import Attributes, GetOptions, ListResult, ObjectMeta, PutMode, PutResult

__all__ = ["GetResult", "GetResultAsync", "ObspecStore"]

UNKNOWN_TIME: Final = datetime.fromtimestamp(0, UTC)
"""The time of an object of which the storage reports none: obspec has no None for it."""

_ERRORS: Final[tuple[tuple[type[Error], type[Exception]], ...]] = (
    (NotFound, exceptions.NotFoundError),
    (IsADirectory, exceptions.NotFoundError),
    (NotADirectory, exceptions.NotFoundError),
    (AlreadyExists, exceptions.AlreadyExistsError),
    (ConditionNotMatch, exceptions.PreconditionError),
    (PermissionDenied, exceptions.PermissionDeniedError),
    (Unsupported, exceptions.NotSupportedError),
)
_ATTRIBUTES: Final = {
    "Content-Disposition": "content_disposition",
    "Content-Encoding": "content_encoding",
    "Content-Type": "content_type",
    "Cache-Control": "cache_control",
}
_CONDITIONS: Final = ("if_match", "if_none_match", "if_modified_since", "if_unmodified_since", "version")
_GET_OPTIONS: Final = (*_CONDITIONS, "range", "head")
_UPDATE_OPTIONS: Final = ("e_tag", "version")
"""Those of an update: what `put` returned. The `e_tag` alone is the condition."""


class ObspecStore:
    """A store over an operator, with its layers. Paths are relative to the operator's root.

    A prefix is whole names: `a/b` and `a/b/` both list what is below `a/b/`. Listings have files only. A method and its
    twin with `_async` do the same; a call without `async` that needs an event loop uses the one of the process.

    Every method raises the errors of `obspec.exceptions` for what they name, each with the error of entrepot as its
    cause; and other errors of entrepot as they are.

    Arguments:
        operator: the operator.

    Raises:
        InvalidInput: `operator` is not an `Operator`.
    """

    def __init__(self, operator: Operator) -> None:
        if not isinstance(operator, Operator):
            raise InvalidInput(f"a store is made from an Operator, not {type(operator).__name__}")
        self._operator = operator
        self._blocking = operator.blocking()

    def get(self, path: str, *, options: GetOptions | None = None) -> GetResult:
        """Requests an object or a range of it.

        Arguments:
            path: the object.
            options: conditions, `range`, `version`, and `head` for no content. By default the whole object. An unknown
                key is InvalidInput, before any I/O.
        """
        with _translated(options):
            conditions, wanted = _conditions(options), _range_of(options)
            if (options or {}).get("head"):
                return GetResult(path, BytesRange(), self._blocking.stat(path, **conditions), None, b"")
            reader = self._blocking.reader(path, range=wanted, **conditions)
            first = reader.next() or b""
            return GetResult(path, wanted, reader.metadata(), reader, first)

    async def get_async(self, path: str, *, options: GetOptions | None = None) -> GetResultAsync:
        """Requests an object or a range of it. See `get`."""
        with _translated(options):
            conditions, wanted = _conditions(options), _range_of(options)
            if (options or {}).get("head"):
                metadata = await self._operator.stat(path, **conditions)
                return GetResultAsync(path, BytesRange(), metadata, None, b"")
            reader = await self._operator.reader(path, range=wanted, **conditions)
            first = await reader.next() or b""
            return GetResultAsync(path, wanted, await reader.metadata(), reader, first)

    def get_range(self, path: str, *, start: int, end: int | None = None, length: int | None = None) -> bytes:
        """Reads a range of an object.

        Arguments:
            path: the object.
            start: the first byte.
            end: the byte after the last. Either this or `length`.
            length: the number of bytes.
        """
        with _translated():
            return self._blocking.read(path, range=_range(start, end, length))

    async def get_range_async(
        self, path: str, *, start: int, end: int | None = None, length: int | None = None
    ) -> bytes:
        """Reads a range of an object. See `get_range`."""
        with _translated():
            return await self._operator.read(path, range=_range(start, end, length))

    def get_ranges(
        self,
        path: str,
        *,
        starts: Sequence[int],
        ends: Sequence[int] | None = None,
        lengths: Sequence[int] | None = None,
    ) -> list[memoryview]:
        """Reads ranges of an object. Those that are near each other share a request, and the memory of its content.

        Arguments:
            path: the object.
            starts: the first byte of each range.
            ends: the byte after the last of each. Either these or `lengths`.
            lengths: the number of bytes of each.
        """
        with _translated(), self._blocking.reader(path) as reader:
            return reader.fetch_views(_ranges(starts, ends, lengths))

    async def get_ranges_async(
        self,
        path: str,
        *,
        starts: Sequence[int],
        ends: Sequence[int] | None = None,
        lengths: Sequence[int] | None = None,
    ) -> list[memoryview]:
        """Reads ranges of an object. See `get_ranges`."""
        with _translated():
            async with self._operator.reader(path) as reader:
                return await reader.fetch_views(_ranges(starts, ends, lengths))

    def head(self, path: str) -> ObjectMeta:
        """Returns the metadata of an object."""
        with _translated():
            return _meta(path, _of_file(path, self._blocking.stat(path)))

    async def head_async(self, path: str) -> ObjectMeta:
        """Returns the metadata of an object."""
        with _translated():
            return _meta(path, _of_file(path, await self._operator.stat(path)))

    def list(self, prefix: str | None = None, *, offset: str | None = None) -> Iterator[Sequence[ObjectMeta]]:
        """Yields the objects below a prefix, page by page.

        Arguments:
            prefix: whole names of a path. By default all objects.
            offset: only objects whose path is after this one. By default all.
        """
        with _translated(), self._blocking.lister(_directory(prefix), **self._listing(offset)) as lister:
            while page := lister.next_page():
                if objects := _objects(page, offset):
                    yield objects

    async def list_async(
        self, prefix: str | None = None, *, offset: str | None = None
    ) -> AsyncIterator[Sequence[ObjectMeta]]:
        """Yields the objects below a prefix, page by page. See `list`."""
        with _translated():
            async with self._operator.lister(_directory(prefix), **self._listing(offset)) as lister:
                while page := await lister.next_page():
                    if objects := _objects(page, offset):
                        yield objects

    def list_with_delimiter(self, prefix: str | None = None) -> ListResult[Sequence[ObjectMeta]]:
        """Returns the objects and directories directly below a prefix.

        Arguments:
            prefix: whole names of a path. By default the root.
        """
        with _translated():
            return _level(_directory(prefix), self._blocking.list(_directory(prefix)))

    async def list_with_delimiter_async(self, prefix: str | None = None) -> ListResult[Sequence[ObjectMeta]]:
        """Returns the objects and directories directly below a prefix. See `list_with_delimiter`."""
        with _translated():
            return _level(_directory(prefix), await self._operator.list(_directory(prefix)))

    def put(
        self,
        path: str,
        file: Any,
        *,
        attributes: Attributes | None = None,
        tags: dict[str, str] | None = None,
        mode: PutMode | None = None,
        use_multipart: bool | None = None,
        chunk_size: int | None = None,
        max_concurrency: int | None = None,
    ) -> PutResult:
        """Replaces an object, all or nothing.

        Arguments:
            path: the object.
            file: the content: bytes or another buffer, a `pathlib.Path`, an open binary file, or an iterable of bytes.
            attributes: headers to store (Content-Type, Content-Encoding, Content-Disposition, Cache-Control), in any
                case; other names become user metadata.
            tags: not supported.
            mode: `"overwrite"`; `"create"`, which fails if the object exists; or a dictionary with the `e_tag` that the
                object must have. By default `"overwrite"`.
            use_multipart: has no effect: the service chooses by the size.
            chunk_size: bytes of a part. By default the service chooses.
            max_concurrency: parts in flight. By default the service chooses.
        """
        with _translated():
            options = _put_options(attributes, tags, mode, chunk_size, max_concurrency)
            return _put_result(self._blocking.write(path, file, **options))

    async def put_async(
        self,
        path: str,
        file: Any,
        *,
        attributes: Attributes | None = None,
        tags: dict[str, str] | None = None,
        mode: PutMode | None = None,
        use_multipart: bool | None = None,
        chunk_size: int | None = None,
        max_concurrency: int | None = None,
    ) -> PutResult:
        """Replaces an object, all or nothing. See `put`; `file` may be an async iterable too."""
        with _translated():
            options = _put_options(attributes, tags, mode, chunk_size, max_concurrency)
            return _put_result(await self._operator.write(path, file, **options))

    def delete(self, paths: str | Sequence[str]) -> None:
        """Deletes objects, in batches as large as the service allows. A missing one is no error."""
        with _translated():
            if isinstance(paths, str):
                self._blocking.delete(paths)
            else:
                self._blocking.delete_many(paths)

    async def delete_async(self, paths: str | Sequence[str]) -> None:
        """Deletes objects. See `delete`."""
        with _translated():
            if isinstance(paths, str):
                await self._operator.delete(paths)
            else:
                await self._operator.delete_many(paths)

    def copy(self, from_: str, to: str, *, overwrite: bool = True) -> None:
        """Copies an object within the storage.

        Arguments:
            from_: the object.
            to: the path of the copy.
            overwrite: replace an existing object. By default True.
        """
        with _translated():
            self._blocking.copy(from_, to, **_unless(overwrite))

    async def copy_async(self, from_: str, to: str, *, overwrite: bool = True) -> None:
        """Copies an object within the storage. See `copy`."""
        with _translated():
            await self._operator.copy(from_, to, **_unless(overwrite))

    def rename(self, from_: str, to: str, *, overwrite: bool = True) -> None:
        """Moves an object within the storage: a copy and a deletion where the storage has no rename.

        Arguments:
            from_: the object.
            to: its new path.
            overwrite: replace an existing object. By default True.

        Raises:
            PreconditionError: the object was changed after it was copied, and stays.
        """
        with _translated():
            if self._operator.info.capability.rename:
                self._blocking.rename(from_, to, **_unless(overwrite))
            else:
                before = self._blocking.stat(from_)
                self._blocking.copy(from_, to, **_unless(overwrite))
                with suppress(NotFound):  # another program has deleted it
                    check_unchanged(from_, before, self._blocking.stat(from_))
                    self._blocking.delete(from_)

    async def rename_async(self, from_: str, to: str, *, overwrite: bool = True) -> None:
        """Moves an object within the storage. See `rename`."""
        with _translated():
            if self._operator.info.capability.rename:
                await self._operator.rename(from_, to, **_unless(overwrite))
            else:
                before = await self._operator.stat(from_)
                await self._operator.copy(from_, to, **_unless(overwrite))
                with suppress(NotFound):  # another program has deleted it
                    check_unchanged(from_, before, await self._operator.stat(from_))
                    await self._operator.delete(from_)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObspecStore):
            return NotImplemented
        return token(self._operator) == token(other._operator)

    def __hash__(self) -> int:
        return hash(token(self._operator))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._operator,)

    def __repr__(self) -> str:
        return f"ObspecStore({self._operator!r})"

    def _listing(self, offset: str | None) -> dict[str, Any]:
        can_start = self._operator.info.capability.list_with_start_after
        return {"recursive": True} | ({"start_after": offset} if offset and can_start else {})


class _Result:
    """A response: the metadata, and the first part of the content."""

    def __init__(self, path: str, wanted: BytesRange, metadata: Metadata, first: bytes) -> None:
        self._wanted = wanted
        self._first = first
        self._metadata = metadata
        self._meta = _meta(path, metadata)

    @property
    def attributes(self) -> Attributes:
        """The stored headers and the user metadata."""
        headers = {name: getattr(self._metadata, field) for name, field in _ATTRIBUTES.items()}
        return {name: value for name, value in headers.items() if value is not None} | {**self._metadata.user_metadata}

    @property
    def meta(self) -> ObjectMeta:
        """The metadata of the whole object."""
        return self._meta

    @property
    def range(self) -> tuple[int, int]:
        """The first byte of the content, and the byte after its last."""
        return self._wanted.resolve(self._meta["size"])

    def _take_first(self) -> bytes:
        first, self._first = self._first, b""
        return first


class GetResult(_Result):
    """An object that was requested. Iterate it, or call `buffer`, once. Close it if you do not read it to its end.

    Arguments:
        path: the object.
        wanted: the range that was requested.
        metadata: the metadata of the whole object.
        reader: reads the rest of the content, or None.
        first: the first part.
    """

    def __init__(
        self, path: str, wanted: BytesRange, metadata: Metadata, reader: BlockingReader | None, first: bytes
    ) -> None:
        super().__init__(path, wanted, metadata, first)
        self._reader = reader

    def buffer(self) -> bytes:
        """Returns the rest of the content."""
        return b"".join(self)

    def close(self) -> None:
        """Releases the connection."""
        if self._reader is not None:
            self._reader.close()

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            if first := self._take_first():
                yield first
            if self._reader is not None:
                yield from self._reader
                self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class GetResultAsync(_Result):
    """An object that was requested. Iterate it, or await `buffer_async`, once. Close it if you do not read it all.

    Arguments:
        path: the object.
        wanted: the range that was requested.
        metadata: the metadata of the whole object.
        reader: reads the rest of the content, or None.
        first: the first part.
    """

    def __init__(self, path: str, wanted: BytesRange, metadata: Metadata, reader: Reader | None, first: bytes) -> None:
        super().__init__(path, wanted, metadata, first)
        self._reader = reader

    async def buffer_async(self) -> bytes:
        """Returns the rest of the content."""
        return b"".join([piece async for piece in self])

    async def aclose(self) -> None:
        """Releases the connection."""
        if self._reader is not None:
            await self._reader.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            if first := self._take_first():
                yield first
            if self._reader is not None:
                async for piece in self._reader:
                    yield piece
                await self.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


@contextmanager
def _translated(options: GetOptions | None = None) -> Iterator[None]:
    """Raises the error of obspec for an error of entrepot, where obspec has one."""
    try:
        yield
    except Error as error:
        if isinstance(error, ConditionNotMatch) and not isinstance(error, AlreadyExists) and _asks_for_news(options):
            raise exceptions.NotModifiedError(str(error)) from error
        for kind, translated in _ERRORS:
            if isinstance(error, kind):
                raise translated(str(error)) from error
        raise


def _asks_for_news(options: GetOptions | None) -> bool:
    """Whether a condition fails because the object is still the same, as 304 says."""
    given = options or {}
    return bool(given.get("if_none_match") or given.get("if_modified_since")) and not (
        given.get("if_match") or given.get("if_unmodified_since")
    )


def _conditions(options: GetOptions | None) -> dict[str, Any]:
    given: Mapping[str, Any] = options or {}
    _check_names("options", given, _GET_OPTIONS)
    return {name: given[name] for name in _CONDITIONS if given.get(name) is not None}


def _check_names(what: str, given: Any, known: Sequence[str]) -> None:
    """Checks the keys of a dictionary: a condition whose name is mistyped would be none.

    Raises:
        InvalidInput: there is no such key, or it is not a dictionary.
    """
    if not isinstance(given, Mapping):
        raise InvalidInput(f"{what} is a dictionary, not {type(given).__name__}")
    for name in given:
        if name not in known:
            raise InvalidInput(f"{what} has no key {name!r}; the keys are {', '.join(known)}")


def _range_of(options: GetOptions | None) -> BytesRange:
    wanted: Any = (options or {}).get("range")
    if wanted is None:
        return BytesRange()
    if isinstance(wanted, Mapping):
        _check_names("range", wanted, ("offset", "suffix"))
        if len(wanted) == 1:
            return BytesRange(wanted["offset"]) if "offset" in wanted else BytesRange(suffix=wanted["suffix"])
    elif isinstance(wanted, Sequence) and len(wanted) == 2:
        start, end = wanted
        return _range(start, end, None)
    raise InvalidInput("a range is (start, end), or a dictionary with either the offset or the suffix")


def _range(start: int, end: int | None, length: int | None) -> BytesRange:
    if (end is None) == (length is None):
        raise InvalidInput("a range has either an end or a length")
    wanted = BytesRange(start, end if length is None else start + length)
    if wanted.is_empty:
        raise InvalidInput("a range has at least one byte")
    return wanted


def _ranges(starts: Sequence[int], ends: Sequence[int] | None, lengths: Sequence[int] | None) -> list[BytesRange]:
    if (ends is None) == (lengths is None):
        raise InvalidInput("ranges have either ends or lengths")
    last = ends if lengths is None else [start + length for start, length in zip(starts, lengths, strict=True)]
    assert last is not None
    if len(starts) != len(last):
        raise InvalidInput(f"there are {len(starts)} starts and {len(last)} ends")
    return [BytesRange(start, end) for start, end in zip(starts, last, strict=True)]


def _of_file(path: str, metadata: Metadata) -> Metadata:
    if metadata.is_dir:
        raise IsADirectory("the path names a directory", path=path)
    return metadata


def _meta(path: str, metadata: Metadata) -> ObjectMeta:
    if metadata.content_length is None:
        raise Unsupported("the storage does not report the size of the object", path=path)
    return {
        "path": path,
        "last_modified": metadata.last_modified or UNKNOWN_TIME,
        "size": metadata.content_length,
        "e_tag": metadata.etag,
        "version": metadata.version,
    }


def _objects(entries: Sequence[Entry], offset: str | None = None) -> list[ObjectMeta]:
    return [
        _meta(entry.path, entry.metadata)
        for entry in entries
        if entry.metadata.is_file and (offset is None or entry.path > offset)
    ]


def _level(directory: str, entries: Sequence[Entry]) -> ListResult[Sequence[ObjectMeta]]:
    prefixes = [entry.path.rstrip("/") for entry in entries if entry.metadata.is_dir and entry.path != directory]
    return {"common_prefixes": prefixes, "objects": _objects(entries)}


def _directory(prefix: str | None) -> str:
    return f"{(prefix or '').strip('/')}/"


def _unless(overwrite: bool) -> dict[str, Any]:
    return {} if overwrite else {"if_not_exists": True}


def _put_options(
    attributes: Attributes | None,
    tags: dict[str, str] | None,
    mode: PutMode | None,
    chunk_size: int | None,
    max_concurrency: int | None,
) -> dict[str, Any]:
    if tags:
        raise Unsupported("tags cannot be stored")
    options = {"chunk": chunk_size, "concurrent": max_concurrency}
    return {name: value for name, value in options.items() if value} | _attribute_options(attributes) | _mode(mode)


def _attribute_options(attributes: Attributes | None) -> dict[str, Any]:
    user, headers = dict[str, str](), dict[str, str]()
    for name, value in (attributes or {}).items():
        header = name.title().replace("_", "-")  # names of headers have no case
        if header == "Content-Language":
            raise Unsupported("Content-Language cannot be stored")
        if header in _ATTRIBUTES:
            headers[_ATTRIBUTES[header]] = value
        else:
            user[name] = value
    return headers | ({"user_metadata": user} if user else {})


def _mode(mode: PutMode | None) -> dict[str, Any]:
    if mode is None or mode == "overwrite":
        return {}
    if mode == "create":
        return {"if_not_exists": True}
    if isinstance(mode, Mapping):
        _check_names("mode", mode, _UPDATE_OPTIONS)
        if mode.get("e_tag"):
            return {"if_match": mode["e_tag"]}
    raise InvalidInput('mode is "overwrite", "create" or a dictionary with the e_tag that the object must have')


def _put_result(metadata: Metadata) -> PutResult:
    return {"e_tag": metadata.etag, "version": metadata.version}
