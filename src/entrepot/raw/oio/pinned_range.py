"""One range of one object, over as many requests as it takes.

Readers that ask more than once share this: it turns positions in the range into requests, learns the
size from the first reply, and keeps every later request on the object that the first reply showed,
so that an object that is overwritten meanwhile gives its old bytes or an error, never a splice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from entrepot.errors import ConditionNotMatch, ContentIncomplete, ContentTruncated, Unsupported
from entrepot.raw.rps import RpRead
from entrepot.types import BytesRange, Metadata

from .bytes_reader import BytesReader
from .read import Gathered, Read, pass_on

if TYPE_CHECKING:
    from entrepot.raw.accessor import Accessor
    from entrepot.raw.ops import OpRead, OpStat


class PinnedRange:
    """Positions here count from the start of the range.

    Arguments:
        accessor: opens bodies, and answers `stat` when only that can tell the size.
        path: the object.
        args: what to read; `args.range` is the range.
        reply: receives the metadata of the first reply; by default one of its own.

    Attributes:
        path: the object.
        reply: what the first reply told.
        size: how many bytes the range has in this object; None until a reply told.
    """

    __slots__ = ("_accessor", "_args", "_start", "path", "reply", "size")

    def __init__(self, accessor: Accessor, path: str, args: OpRead, reply: RpRead | None = None) -> None:
        self._accessor = accessor
        self.path = path
        self._args = args
        self.reply = reply or RpRead()
        self._start = args.range.start
        self.size: int | None = 0 if args.range.is_empty else None  # wherever an empty range lies

    @property
    def limit(self) -> int | None:
        """The most bytes that the range can have, as far as is known."""
        return self._args.range.length if self.size is None else self.size

    @property
    def is_kept(self) -> bool:
        """Whether later requests can name the object that the first reply showed, so that no other can come."""
        return bool(self._mark())

    @property
    def is_snapshot(self) -> bool:
        """Whether one body gives the range as it was when it began, so that chunks need none of their own."""
        return self._accessor.info.gives_snapshots

    @property
    def scheme(self) -> str:
        """The scheme of the service that has the object."""
        return self._accessor.info.scheme

    async def open_as_asked(self) -> tuple[RpRead, Read]:
        """A body for the whole range, as the caller asked for it."""
        return await self._accessor.read(self.path, self._args)

    async def open(self, begin: int, end: int | None = None) -> tuple[RpRead, Read]:
        """A body for the bytes from `begin` up to `end`, or to the end of the range."""
        if begin == 0 and end is None and self.reply.metadata is None and self._is_native_range():
            return await self.open_as_asked()
        await self.settle()
        part = self._absolute(begin, end)
        if part.is_empty:
            return RpRead(), BytesReader(bytes)
        return await self._accessor.read(self.path, self._pinned(part))

    async def settle(self) -> None:
        """Asks what every later request needs and none can do without: where a suffix begins."""
        if self._args.range.suffix is not None:
            await self.learn_size()

    async def fetch(self, begin: int, end: int) -> bytes:
        """The bytes from `begin` up to `end`, fewer only where the object ends."""
        gathered = Gathered()
        await self.fetch_pieces(begin, end, gathered.add)
        return gathered.whole()

    async def fetch_pieces(self, begin: int, end: int, take: Callable[[bytes], object]) -> None:
        """Gives the same to a function, in the pieces that it comes in. An error can come after the last of them."""
        reply, body = await self.open(begin, end)
        try:
            length = await pass_on(body, take)
        finally:
            await body.close()
        self.note(reply)
        expected = length if self.size is None else max(0, min(end, self.size) - begin)
        if length < expected:
            raise ContentIncomplete(f"{length} of {expected} bytes came")
        if length > end - begin:
            raise ContentTruncated(f"{length} bytes came where {end - begin} were asked for")

    def note(self, reply: RpRead) -> None:
        """Learns from a reply, or refuses it because it is of another object.

        Raises:
            ConditionNotMatch: the object changed since the first reply.
        """
        self.reply.is_whole = self.reply.is_whole or reply.is_whole
        if reply.metadata is not None:
            self._note(reply.metadata)
        elif reply.size is not None:
            self.reply.size = reply.size
            self._locate(reply.size)

    async def describe(self) -> Metadata:
        """What is known of the whole object, asked for by `stat` if no reply has told it yet."""
        if self.reply.metadata is not None:
            return self.reply.metadata
        reply = await self._accessor.stat(self.path, self._stat_args())
        self._note(reply.metadata)
        return reply.metadata

    async def learn_size(self) -> int:
        """The size of the range, asked for by `stat` if no reply has told it yet.

        Raises:
            Unsupported: the service does not tell how large the object is.
        """
        if self.size is None:
            self._locate((await self.describe()).content_length)
        if self.size is None:
            raise Unsupported("the storage does not tell the size of this object")
        return self.size

    def _is_native_range(self) -> bool:
        return self._args.range.suffix is None or self._accessor.info.capability.read_with_suffix

    def _absolute(self, begin: int, end: int | None) -> BytesRange:
        limit = self.limit
        if end is None or (limit is not None and end > limit):
            end = limit
        return BytesRange(self._start + begin, None if end is None else self._start + max(begin, end))

    def _note(self, metadata: Metadata) -> None:
        first = self.reply.metadata
        if first is None:
            self.reply.metadata = metadata
        elif first is not metadata and not first.is_same_content(metadata):
            raise ConditionNotMatch("the object changed while it was being read")
        self._locate(metadata.content_length)

    def _locate(self, object_size: int | None) -> None:
        if self.size is None and object_size is not None:
            self._start, end = self._args.range.resolve(object_size)
            self.size = end - self._start

    def _pinned(self, part: BytesRange) -> OpRead:
        """What asks for a part of the object that the first reply showed, and of no other."""
        return replace(self._args, range=part, **self._mark())

    def _mark(self) -> dict[str, Any]:
        """The option that finds that object and no other; none where there is no such."""
        seen, capability = self.reply.metadata, self._accessor.info.capability
        if seen is None:
            return {}
        if seen.version is not None and capability.read_with_version:
            return {"version": seen.version}
        if seen.etag is not None and not seen.etag.startswith("W/") and capability.read_with_if_match:
            return {"if_match": seen.etag}
        return {}

    def _stat_args(self) -> OpStat:
        """What asks about the same object. A condition that only `read` can check stays with `read`."""
        args, capability = self._args.to_stat(), self._accessor.info.capability
        beyond = [one.name for one in fields(args) if not getattr(capability, f"stat_with_{one.name}")]
        return replace(args, **dict.fromkeys(beyond))
