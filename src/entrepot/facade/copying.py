"""Copies an object from one operator to another.

Theory of operation. There are two ways:

- Within one storage: if the layers are equal, the storage can copy from the configuration of the source to the one of
  the target, and has `copy` with the requested options, the storage makes the copy. Within one root the stack of the
  target makes it (`ServiceConfig.is_same_store`), and from another root or container a third stack
  (`ServiceConfig.builder_of_copies`), in which both paths pass through the same layers.
- As a stream: the first chunk of the source is fetched, which shows its size, version and etag. If the other chunks can
  be pinned to that version or etag, they are fetched concurrently, so that all are of one content. If they cannot, or
  if the service sends whole objects, the source is read again as one stream, with the headers of that response.

The target is published only after the last byte, whose position is compared with the size of the source. If anything
fails or is cancelled before that, the write is aborted. In memory are the chunks in flight and the parts of the writer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from entrepot.errors import ContentIncomplete, ContentTruncated, Error, InvalidInput, IsSameFile, NotFound
from entrepot.raw import (
    DEFAULT_COPY,
    DEFAULT_READ,
    DEFAULT_WRITE,
    HINTS,
    Accessor,
    Context,
    OpCopy,
    OpRead,
    OpWrite,
    RpRead,
    build_rooted_abs_path,
    oio,
)
from entrepot.raw.oio.copy.api import copy_to_end
from entrepot.raw.oio.read.api import read_up_to
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.types import Copied, Metadata
from entrepot.types.records import field_names, replace

from .options import checked
from .sources import longest_whole, may_be_stored_whole
from .stack import Stack
from .writer import Output, store_whole, write_source

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

CHUNK: Final = 8 * 1024 * 1024
"""Bytes of the source per request, by default."""

SMALL: Final = 64 * 1024
"""The most bytes of an object of a listing that is read by one call without chunks."""

CONCURRENT: Final = 4
"""Requests to the source in flight, by default."""

_HEADER_OPTIONS: Final = (
    "content_type",
    "content_disposition",
    "content_encoding",
    "content_language",
    "cache_control",
)
_content_headers_of: Final = attrgetter(*_HEADER_OPTIONS)
_NO_HEADERS: Final = (None,) * len(_HEADER_OPTIONS)
_USER: Final = "user_metadata."

_OF_TARGET: Final = frozenset({"write", "writer", "create_dir"})
"""The calls of a copy that go to its target, with their verbs."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a copy: an object of an operator.

    Arguments:
        stack: the stack of the operator.
        path: the object, relative to the root of the operator.
    """

    stack: Stack
    path: str

    @property
    def accessor(self) -> Accessor:
        """The outermost accessor of the stack."""
        return self.stack.accessor

    @property
    def context(self) -> Context:
        """The runtime and the transport of the stack."""
        return self.stack.context

    @property
    def root(self) -> str:
        """The root of the operator in its store."""
        return self.accessor.info.root

    @property
    def key(self) -> str:
        """The path of the object in its store."""
        return build_rooted_abs_path(self.root, self.path)


def _ignore(_: int) -> None:
    """Notes nothing."""


async def copy_between(source: Side, target: Side, args: OpCopy, note: Callable[[int], object] = _ignore) -> Copied:
    """Copies an object.

    Arguments:
        source: the object to copy.
        target: the path of the copy.
        args: the options of `copy`.
        note: called with the bytes of each piece that is streamed, or of each step that the store makes.

    Raises:
        IsSameFile: source and target are the same object, and neither a version nor other metadata is given.
    """
    return await Copier(source.stack, target.stack, args).copy(source.path, target.path, note)


class Copier:
    """Copies objects from one operator to another. What is the same for all of them is decided once.

    Arguments:
        source: the stack that has the objects.
        target: the stack that receives the copies.
        args: the options of each copy.
    """

    def __init__(self, source: Stack, target: Stack, args: OpCopy) -> None:
        self._source = source
        self._target = target
        self._args = args
        self._is_same_store = target.config.is_same_store(source.config)
        self._store = self._copying_store()

    async def copy(self, source: str, target: str, note: Callable[[int], object] = _ignore) -> Copied:
        """Copies one object.

        Arguments:
            source: the object, relative to the root of its operator.
            target: the path of the copy, relative to the root of its operator.
            note: called with the bytes of each piece that is streamed, or of each step that the store makes.

        Raises:
            IsSameFile: source and target are the same object, and neither a version nor other metadata is given.
        """
        self._check_apart(source, target)
        if self._store is not None:
            return await self._copy_in_store(self._store, source, target, self._args, note)
        try:
            return await self._stream(source, target, note).copy()
        except Error as error:
            _add_side(error)
            raise

    async def copy_listed(self, source: str, target: str, size: int | None, note: Callable[[int], object]) -> Copied:
        """Copies one object of a listing, whose options the target has accepted before. Otherwise as `copy`.

        Arguments:
            source: the object.
            target: the path of the copy.
            size: its size in the listing; None if it has none.
            note: called as in `copy`.
        """
        self._check_apart(source, target)
        if self._store is not None:
            return await self._copy_in_store(self._store, source, target, self._args_for(size), note)
        stream = self._stream(source, target, note)
        is_small = size is not None and 0 < size <= SMALL and self._target.accessor.info.capability.write
        try:
            copied = await stream.copy_small() if is_small else None
            return copied or await stream.copy()
        except Error as error:
            _add_side(error)
            raise

    async def _copy_in_store(
        self, store: Accessor, source: str, target: str, args: OpCopy, note: Callable[[int], object]
    ) -> Copied:
        try:
            _, body = await store.copy(source, target, args)
            metadata = await copy_to_end(body, self._target.context.runtime, note)
            return Copied(metadata, is_server_side=True)
        except Error as error:
            error.add_context(side="source" if isinstance(error, NotFound) else "source or target")
            if error.context["side"] == "target":
                error.path = target  # the layers took the one of the source for it
            raise

    def _args_for(self, size: int | None) -> OpCopy:
        """The arguments of a copy of an object of a listing, whose size tells a large one from others."""
        if size is None:
            return self._args
        return self._args_of_small if size <= SMALL else replace(self._args, source_content_length_hint=size)

    @cached_property
    def _args_of_small(self) -> OpCopy:
        """The arguments for a small object, without hints: no service copies it in ranges.

        They are the default ones where possible, for which no layer looks for options.
        """
        plain = replace(
            self._args, **{name: getattr(DEFAULT_COPY, name) for name in HINTS if hasattr(self._args, name)}
        )
        return DEFAULT_COPY if plain == DEFAULT_COPY else plain

    def _copying_store(self) -> Accessor | None:
        """The stack by which the storage makes the copies; None if they are streamed."""
        if self._source.layers != self._target.layers:
            return None
        is_same_root = self._is_same_store and _root_of(self._source) == _root_of(self._target)
        store = self._target.accessor if is_same_root else self._target.copying_from(self._source.config)
        return store if store is not None and _can_copy(store, self._args) else None

    def _check_apart(self, source: str, target: str) -> None:
        if not self._is_same_store or self._args.may_be_in_place:
            return
        keys = [build_rooted_abs_path(_root_of(stack), path)
                for stack, path in ((self._source, source), (self._target, target))]  # fmt: skip
        if keys[0] == keys[1]:
            raise IsSameFile("source and target are the same")

    def _stream(self, source: str, target: str, note: Callable[[int], object]) -> _Stream:
        return _Stream(Side(self._source, source), Side(self._target, target), self._streaming, note)

    @cached_property
    def _streaming(self) -> _Streaming:
        return _Streaming(self._args)


def _add_side(error: Error) -> None:
    """Adds to an error which side of the copy has failed, which the caller could not know otherwise."""
    is_of_target = error.operation is not None and error.operation.partition(".")[0] in _OF_TARGET
    error.add_context(side="target" if is_of_target else "source")


def _root_of(stack: Stack) -> str:
    return stack.accessor.info.root


def _can_copy(store: Accessor, args: OpCopy) -> bool:
    capability = store.info.capability
    options = [option for option in field_names(type(args)) if option not in HINTS]
    requested = [name for name in options if getattr(args, name) != getattr(DEFAULT_COPY, name)]
    return capability.copy and all(getattr(capability, f"copy_with_{name}") for name in requested)


class _Streaming:
    """The options of a copy as those of its reads and writes.

    Arguments:
        args: the options of `copy`.

    Attributes:
        chunk: bytes of each request to the source.
        whole: the arguments of a read of the whole source by one request.
        reading: the arguments of a read in chunks.
        given: what is stored with the target instead of what the source has.
        writing: the arguments of the write.
        storing: the arguments of the write of a small object, whose parts in flight do not matter. They are the default
            ones where possible, for which no layer looks for options.
    """

    def __init__(self, args: OpCopy) -> None:
        self.chunk = args.chunk or CHUNK
        self.whole = DEFAULT_READ if args.source_version is None else OpRead(version=args.source_version)
        self.reading = replace(self.whole, chunk=self.chunk, concurrent=args.concurrent or CONCURRENT)
        self.given = args.to_write()
        self.writing = replace(
            self.given,
            if_not_exists=args.if_not_exists,
            if_match=args.if_match,
            chunk=args.chunk,
            concurrent=args.concurrent,
        )
        is_default = replace(self.writing, concurrent=None) == DEFAULT_WRITE
        self.storing = DEFAULT_WRITE if is_default else self.writing


class _Stream:
    """A copy that is streamed through this process.

    Arguments:
        source: the object to read.
        target: the object to write.
        options: the options of the copy.
        note: called with the length of each piece.
    """

    def __init__(self, source: Side, target: Side, options: _Streaming, note: Callable[[int], object]) -> None:
        self._note = note
        self._source = source
        self._target = target
        self._chunk = options.chunk
        self._options = options
        self._given = options.given
        self._writing = options.writing

    @cached_property
    def _pinned(self) -> PinnedRange:
        return PinnedRange(self._source.accessor, self._source.path, self._options.reading)

    async def copy(self) -> Copied:
        """Makes the copy."""
        await self._open(self._writing)  # refuses options that the target lacks, before any request to the source
        first = await self._pinned.fetch(0, self._chunk)
        self._check_fits(self._pinned.size)
        if self._is_all(first):
            return await self._put_all(self._pinned.response, first, self._pinned.size)
        if self._is_read_in_chunks():
            return await self._put(self._pinned.response, self._checked(self._chunks(first)))
        return await self._copy_one_stream()

    async def copy_small(self) -> Copied | None:
        """Makes the copy of an object that is small enough for one read; None if it is larger than that now."""
        response, content = await self._read_small()
        if content is None:
            return None
        self._writing = self._options.storing
        size = self._noted_size(response)
        self._check_fits(size)
        return await self._put_all(response, content, size)

    async def _read_small(self) -> tuple[RpRead, bytes | None]:
        """The response, with the metadata, and the content; None if that comes by a body and is more than `SMALL`."""
        response = RpRead()
        content = await self._source.accessor.read_whole(self._source.path, self._options.whole, response)
        if isinstance(content, bytes):
            return response, content
        response, body = content
        return response, await _small_content(body)

    def _noted_size(self, response: RpRead) -> int | None:
        """The size of an object that was read at once. Where the response does not describe it, facts are collected."""
        if (stated := self._stated(response)) is not None and not response.is_from_stat:
            return stated.content_length
        self._pinned.note(response)
        return self._pinned.size

    async def _copy_one_stream(self) -> Copied:
        """Copies by one more response, whose headers belong to the content that is written.

        Without an etag, the first response may have been about another content.
        """
        whole = PinnedRange(self._source.accessor, self._source.path, self._options.whole)
        response, body = await whole.open_unpinned()
        try:
            first = await body.next()
            self._pinned.note(response)
            return await self._put(response, self._checked(self._rest(response, body, first)))
        finally:
            await body.close()

    async def _put_all(self, response: RpRead, content: bytes, size: int | None) -> Copied:
        """Writes the content of the whole source by one call, if the target takes it so."""
        _check_size(len(content), size)
        self._note(len(content))
        if may_be_stored_whole(content, longest_whole(self._target.accessor.info.capability)):
            headers = await self._headers_of(response)
            kept = self._that_fit(headers) if headers else headers
            args = self._writing_with(kept)
            with suppress(InvalidInput):  # it refuses a header, which is found out below, or the call fails there too
                metadata = await store_whole(
                    self._target.context, self._target.accessor, self._target.path, content, args
                )
                return Copied(metadata, tuple(name for name in headers if name not in kept))
        return await self._put(response, _only(content))

    async def _put(self, response: RpRead, pieces: AsyncGenerator[bytes, None]) -> Copied:
        """Writes the pieces, with the headers and user metadata of the response that they come from."""
        headers = await self._headers_of(response)
        self._writing = replace(self._writing, content_length_hint=self._pinned.size)
        kept, output = await self._open_with_headers(headers)
        metadata = await write_source(self._target.context, output, pieces)
        return Copied(metadata, tuple(name for name in headers if name not in kept))

    async def _headers_of(self, response: RpRead) -> dict[str, str]:
        """The headers and user metadata of the source that no option of the copy replaces."""
        found = _headers(self._stated(response) or await self._describe())
        return {name: value for name, value in found.items() if getattr(self._given, _option(name)) is None}

    def _stated(self, response: RpRead) -> Metadata | None:
        """The metadata in a response to a read, if it has all that the source has."""
        return response.metadata if self._source.accessor.info.reads_describe_all else None

    def _that_fit(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers that the target's service can store."""
        capability = self._target.accessor.info.capability
        return {name: value for name, value in headers.items() if getattr(capability, f"write_with_{_option(name)}")}

    async def _open(self, args: OpWrite) -> oio.Write:
        """Opens the raw writer of the target, without I/O."""
        _, body = await self._target.accessor.write(self._target.path, args)
        return body

    async def _describe(self) -> Metadata:
        if self._pinned.response.metadata is None and not self._source.accessor.info.capability.stat:
            return Metadata()
        return await self._pinned.describe()

    def _check_fits(self, size: int | None) -> None:
        limit = self._target.accessor.info.capability.write_total_max_size
        if size is not None and limit is not None and size > limit:
            raise InvalidInput(f"the object has {size} bytes, and the target's service takes {limit} at most")

    async def _open_with_headers(self, headers: Mapping[str, str]) -> tuple[Mapping[str, str], Output]:
        """Opens the target with the headers that it can store. If it refuses them together, each is tried alone."""
        kept = self._that_fit(headers)
        output = await self._output(kept)
        if output is None:
            await self._open(self._writing)  # raises what it refuses beside the headers, such as the path
            kept = {name: value for name, value in kept.items() if await self._output({name: value}) is not None}
            output = await self._output(kept)
        if output is None:
            raise InvalidInput("the target's service takes each header of the source alone, but not all together")
        return kept, output

    async def _output(self, headers: Mapping[str, str]) -> Output | None:
        """Opens the target with these headers; None if its service refuses a value.

        It refuses values when it is opened. The other arguments were accepted before, by the first `_open`.
        """
        try:
            args = self._writing_with(headers)
            return Output(self._target.accessor.info, args, await self._open(args))
        except InvalidInput:
            return None

    def _writing_with(self, headers: Mapping[str, str]) -> OpWrite:
        if not headers:
            return self._writing
        options: dict[str, Any] = {name: value for name, value in headers.items() if not name.startswith(_USER)}
        user = {name.removeprefix(_USER): value for name, value in headers.items() if name.startswith(_USER)}
        if user:
            options["user_metadata"] = user
        stored = checked(DEFAULT_WRITE, options)
        return replace(self._writing, **{name: getattr(stored, name) for name in options})

    async def _checked(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Yields the source, and raises if it is shorter or longer than its size, before the target is published."""
        size = 0
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
                size += len(piece)
                self._note(len(piece))
        _check_size(size, self._pinned.size)

    async def _chunks(self, first: bytes) -> AsyncGenerator[bytes, None]:
        """Yields the source, whose first chunk has been fetched and is not all."""
        yield first
        body = oio.ChunkedReader(self._pinned, self._options.reading, self._source.context.runtime.window)
        try:
            await body.seek(len(first))
            async with aclosing(self._rest(self._pinned.response, body, await body.next())) as rest:
                async for piece in rest:
                    yield piece
        finally:
            await body.close()

    async def _rest(self, response: RpRead, body: oio.Read, piece: bytes | None) -> AsyncGenerator[bytes, None]:
        """Yields the rest of an open body, whose next piece has been read."""
        while piece:
            self._pinned.note(response)
            yield piece
            piece = await body.next()

    def _is_all(self, first: bytes) -> bool:
        size = self._pinned.size
        return len(first) < self._chunk if size is None else len(first) >= size

    def _is_read_in_chunks(self) -> bool:
        """Whether the source is read in chunks that are pinned to one content."""
        return self._pinned.is_pinnable and self._pinned.size is not None and not self._pinned.response.is_whole


def _check_size(size: int, expected: int | None) -> None:
    if expected is not None and size != expected:
        kind = ContentIncomplete if size < expected else ContentTruncated
        raise kind(f"{size} bytes were read of an object of {expected} bytes")


def _headers(metadata: Metadata) -> dict[str, str]:
    """The content headers and user metadata of an object, by their names in `Copied.not_carried`."""
    headers = _content_headers_of(metadata)
    found = {}
    if headers != _NO_HEADERS:
        found = {name: value for name, value in zip(_HEADER_OPTIONS, headers, strict=True) if value is not None}
    if metadata.user_metadata:
        found |= {f"{_USER}{name}": value for name, value in metadata.user_metadata.items()}
    return found


async def _small_content(body: oio.Read) -> bytes | None:
    """The content of an opened body, which is closed; None if it is more than `SMALL`."""
    try:
        content = await read_up_to(body, SMALL)
        return None if not body.is_at_end and await body.read(1) else content
    finally:
        await body.close()


async def _only(content: bytes) -> AsyncGenerator[bytes, None]:
    """One piece."""
    yield content


def _option(name: str) -> str:
    return name.partition(".")[0]
