"""Copies from one operator to another: by the storage itself where it can, else as a stream through here.

The source is read in chunks, several at a time, and each is asked for by the version or the etag that the first
one showed. What cannot be asked for like that, or comes whole whatever is asked for, is read as one stream. What
is written appears only when all of it is there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from entrepot.errors import ContentIncomplete, ContentTruncated, Error, InvalidInput, IsSameFile
from entrepot.raw import (
    DEFAULT_COPY,
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
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.types import Copied, Metadata

from .options import checked
from .stack import Stack
from .writer import Output, write_source

CHUNK: Final = 8 * 1024 * 1024
"""How many bytes of the source one request asks for, unless `chunk` says otherwise."""

CONCURRENT: Final = 4
"""How many such requests are in flight, unless `concurrent` says otherwise."""

_HEADERS: Final = ("content_type", "content_disposition", "content_encoding", "cache_control")
_USER: Final = "user_metadata."


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


async def copy_between(source: Side, target: Side, args: OpCopy) -> Copied:
    """Makes a copy.

    Arguments:
        source: what is copied.
        target: where to.
        args: the options of `copy`.

    Raises:
        IsSameFile: both are one object.
    """
    is_same_store = target.stack.config.is_same_store(source.stack.config)
    if is_same_store and source.key == target.key and args.source_version is None:
        raise IsSameFile("source and target are the same")
    if is_same_store and source.stack.layers == target.stack.layers:
        store = _common_store(source, target)
        if store is not None and _can_copy(store, args):
            return Copied(await _copy_within(store, source, target, args), is_server_side=True)
    return await _Stream(source, target, args).copy()


def _common_store(source: Side, target: Side) -> Accessor | None:
    """The stack that reaches both objects, by `_copy_within`."""
    if source.root == target.root:
        return target.accessor
    config = target.stack.config.at_root()
    store = None if config is None else target.stack.accessor_over(config)
    return store if store is not None and store.info.root == "/" else None  # a layer may have moved the root


def _can_copy(store: Accessor, args: OpCopy) -> bool:
    capability = store.info.capability
    options = [one.name for one in fields(args) if one.name not in HINTS]
    asked = [name for name in options if getattr(args, name) != getattr(DEFAULT_COPY, name)]
    return capability.copy and all(getattr(capability, f"copy_with_{name}") for name in asked)


async def _copy_within(store: Accessor, source: Side, target: Side, args: OpCopy) -> Metadata:
    if store is target.accessor:
        return (await store.copy(source.path, target.path, args)).metadata
    try:
        return (await store.copy(source.key[1:], target.key[1:], args)).metadata
    except Error as error:
        error.path = source.path  # and not what it is called from the root of the store
        raise


class _Stream:
    """A copy that comes through here. In memory are the chunks in flight, and what the writer holds.

    Arguments:
        source: what is read.
        target: what is written.
        args: the options of `copy`.
    """

    def __init__(self, source: Side, target: Side, args: OpCopy) -> None:
        self._source = source
        self._target = target
        self._chunk = args.chunk or CHUNK
        self._reading = OpRead(version=args.source_version, chunk=self._chunk, concurrent=args.concurrent or CONCURRENT)
        self._writing = OpWrite(
            if_not_exists=args.if_not_exists, if_match=args.if_match, chunk=args.chunk, concurrent=args.concurrent
        )
        self._pinned = PinnedRange(source.accessor, source.path, self._reading)

    async def copy(self) -> Copied:
        """Makes the copy."""
        await self._open(self._writing)  # refuses what the target cannot do, before anything is asked of the source
        first = await self._pinned.fetch(0, self._chunk)
        self._check_fits()
        if self._is_all(first) or self._is_read_in_chunks():
            return await self._put(self._pinned.response, self._chunks(first))
        return await self._copy_one_stream()

    async def _copy_one_stream(self) -> Copied:
        """By one more reply, which gives the content from its beginning, and says what is beside that content.

        What the first reply said may be of another object, where no etag tells them apart.
        """
        whole = PinnedRange(
            self._source.accessor, self._source.path, replace(self._reading, chunk=None, concurrent=None)
        )
        reply, body = await whole.open_unpinned()
        try:
            begun = await body.next()
            self._pinned.note(reply)
            return await self._put(reply, self._rest(reply, body, begun))
        finally:
            await body.close()

    async def _put(self, reply: RpRead, pieces: AsyncGenerator[bytes, None]) -> Copied:
        """Writes the pieces, and beside them what the reply says that is, from which they come."""
        told = dict(_told(reply.metadata or await self._describe()))
        kept, output = await self._open_with_what_is_kept(told)
        metadata = await write_source(self._target.context, output, self._checked(pieces))
        return Copied(metadata, tuple(name for name in told if name not in kept))

    async def _open(self, args: OpWrite) -> oio.Write:
        """A body of the target. Opening it does no I/O."""
        _, body = await self._target.accessor.write(self._target.path, args)
        return body

    async def _describe(self) -> Metadata:
        if self._pinned.response.metadata is None and not self._source.accessor.info.capability.stat:
            return Metadata()
        return await self._pinned.describe()

    def _check_fits(self) -> None:
        size, limit = self._pinned.size, self._target.accessor.info.capability.write_total_max_size
        if size is not None and limit is not None and size > limit:
            raise InvalidInput(f"the object has {size} bytes, and the target's service takes {limit} at most")

    async def _open_with_what_is_kept(self, told: Mapping[str, str]) -> tuple[Mapping[str, str], Output]:
        """What of all that is beside the source the target can keep, and what is written to."""
        capability = self._target.accessor.info.capability
        kept = {name: value for name, value in told.items() if getattr(capability, f"write_with_{_option(name)}")}
        output = await self._output(kept)
        if output is None:
            kept = {name: value for name, value in kept.items() if await self._output({name: value}) is not None}
            output = await self._output(kept)
        if output is None:
            raise InvalidInput("the target's service takes what is beside the source one by one, and not together")
        return kept, output

    async def _output(self, told: Mapping[str, str]) -> Output | None:
        """What is written to, with that beside the object; None where the target's service refuses one of the values.

        It does so when it is opened. That it refuses nothing else is known by then.
        """
        try:
            args = self._writing_with(told)
            return Output(self._target.accessor.info, args, await self._open(args))
        except InvalidInput:
            return None

    def _writing_with(self, told: Mapping[str, str]) -> OpWrite:
        options: dict[str, Any] = {name: value for name, value in told.items() if not name.startswith(_USER)}
        user = {name.removeprefix(_USER): value for name, value in told.items() if name.startswith(_USER)}
        if user:
            options["user_metadata"] = user
        beside = checked(DEFAULT_WRITE, options)
        return replace(self._writing, **{name: getattr(beside, name) for name in options})

    async def _checked(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """All of the source. When it ends at another place than it should, that is raised before anything appears."""
        size = 0
        async with aclosing(pieces) as drawn:
            async for piece in drawn:
                yield piece
                size += len(piece)
        expected = self._pinned.size
        if expected is not None and size != expected:
            kind = ContentIncomplete if size < expected else ContentTruncated
            raise kind(f"{size} bytes were read of an object of {expected}")

    async def _chunks(self, first: bytes) -> AsyncGenerator[bytes, None]:
        """The source, of which the first chunk is here already."""
        yield first
        if self._is_all(first):
            return
        body = oio.ChunkedReader(self._pinned, self._reading, self._source.context.runtime.window)
        try:
            await body.seek(len(first))
            async with aclosing(self._rest(self._pinned.response, body, await body.next())) as rest:
                async for piece in rest:
                    yield piece
        finally:
            await body.close()

    async def _rest(self, reply: RpRead, body: oio.Read, piece: bytes | None) -> AsyncGenerator[bytes, None]:
        """What an open body gives, of which the next piece is here already."""
        while piece:
            self._pinned.note(reply)
            yield piece
            piece = await body.next()

    def _is_all(self, first: bytes) -> bool:
        size = self._pinned.size
        return len(first) < self._chunk if size is None else len(first) >= size

    def _is_read_in_chunks(self) -> bool:
        """Whether chunks are asked for, and cannot be of another object."""
        return self._pinned.is_pinnable and self._pinned.size is not None and not self._pinned.response.is_whole


def _told(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """What is stored beside an object, by the names that `Copied.not_carried` has for it."""
    named: Iterable[tuple[str, str | None]] = ((name, getattr(metadata, name)) for name in _HEADERS)
    yield from ((name, value) for name, value in named if value is not None)
    yield from ((f"{_USER}{name}", value) for name, value in metadata.user_metadata.items())


def _option(name: str) -> str:
    return name.partition(".")[0]
