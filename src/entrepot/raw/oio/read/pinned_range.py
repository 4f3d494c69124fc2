"""`PinnedRange`: one range of one object, read by several requests.

Readers that make more than one request share this. It turns positions in the range into requests, learns the
size from the first response, and pins later requests to the object of the first response: a read of an object
that is overwritten in between returns the old bytes or an error, and never a mix.

Theory of operation. Every response, also one that ends in an error, is compared with the first one before its
bytes count (`note`). The known facts of the object only grow, with one exception: a size that came
with a refused range (416) and without metadata is replaced by the next size that comes, since no byte
of that object was read. Three rules hold for all readers:

- The size defines the end. Fewer bytes are `ContentIncomplete`.
- A refused range does not prove the end. `judge_refusal` requests the size and compares: another size is another
  object (`ConditionNotMatch`), and a refused range inside the object is `ContentIncomplete`. Only where the size cannot
  be learned does a refusal directly after the bytes read mark the end (`end_before`).
- If no size is available, an object is at least as large as the bytes read of it (`reached`).

Limits. RFC 9110, 15.3.7.3, allows to combine bytes of two responses only if both have the same strong
validator. Many servers have none. Then only a weak etag or Last-Modified, both with a resolution of a second,
distinguishes two contents of the same size: an object that is replaced within that second by one of
the same size is read as one object. Without either, only the size distinguishes them, and without a size nothing
does. A read without `chunk`, `read_ahead` and seeks makes a single request, which returns one object on any server.

Several tasks may call `fetch` at the same time. Responses are noted synchronously, so no two comparisons interleave;
a cancelled request leaves the known facts as they were.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import copy
from typing import TYPE_CHECKING, Any

from entrepot.errors import (
    ConditionNotMatch,
    ContentIncomplete,
    ContentTruncated,
    Error,
    RangeNotSatisfied,
    Unsupported,
)
from entrepot.raw.rps import RpRead
from entrepot.types import BytesRange, Metadata
from entrepot.types.records import field_names, replace

from .api import Read, fill, pass_on, read_up_to
from .bytes_reader import BytesReader

if TYPE_CHECKING:
    from entrepot.raw.accessor import Accessor
    from entrepot.raw.ops import OpRead, OpStat


class PinnedRange:
    """One range of one object, and the known facts of that object. Positions count from the start of the range.

    Arguments:
        accessor: opens bodies, and serves `stat` when nothing else has the size.
        path: the object.
        args: the arguments of the read; `args.range` is the range.
        response: receives the metadata of the first response; by default a new record.

    Attributes:
        path: the object.
        response: the facts of the first response.
        size: the number of bytes that the range has in this object; None until a response has the size.
        reached: the position after the last byte that was read.
    """

    __slots__ = ("_accessor", "_args", "_content", "_is_described", "_start", "path", "reached", "response", "size")

    def __init__(self, accessor: Accessor, path: str, args: OpRead, response: RpRead | None = None) -> None:
        self._accessor = accessor
        self.path = path
        self._args = args
        self.response = response or RpRead()
        self._start = args.range.start
        self._content: Metadata | None = None  # of the first response with content; `response` may be from a `stat`
        self._is_described = False  # whether a `stat` has completed the metadata that came with content
        self.reached = 0
        self.size: int | None = 0 if args.range.is_empty else None  # an empty range needs no response

    @property
    def limit(self) -> int | None:
        """The most bytes that the range can have, by the known facts; None if unbounded."""
        return self._args.range.length if self.size is None or self._is_size_loose else self.size

    @property
    def _is_size_loose(self) -> bool:
        """Whether the size came with a refused range before any metadata, so that a later size may replace it."""
        return self.response.metadata is None and self.response.size is not None

    @property
    def is_pinnable(self) -> bool:
        """Whether later requests can name the object of the first response, by version or strong etag."""
        return bool(self._pin())

    @property
    def chunks_from_one_body(self) -> bool:
        """Whether chunks that are read in turn need no body each."""
        return self._accessor.info.chunks_from_one_body

    @property
    def scheme(self) -> str:
        """The scheme of the service that has the object."""
        return self._accessor.info.scheme

    def through(self, accessor: Accessor) -> PinnedRange:
        """The same range and facts with another accessor, which opens bodies on another runtime.

        `learn_from` returns the facts that it learns.
        """
        other = copy(self)
        other._accessor = accessor  # noqa: SLF001 - of this class
        return other

    def learn_from(self, other: PinnedRange) -> None:
        """Takes the facts that a range of `through` has learned. Both share the facts of the first response.

        What this range has learned meanwhile stays: its reader may be used while the other one fetches.
        """
        if other.size is not None:
            self._start, self.size = other._start, other.size
        self._content = self._content or other._content
        self.reach(other.reached)

    async def open_unpinned(self) -> tuple[RpRead, Read]:
        """Opens a body for the whole range, with the caller's arguments and without a pin."""
        return await self._accessor.read(self.path, self._args)

    async def open(self, begin: int, end: int | None = None) -> tuple[RpRead, Read]:
        """Opens a body for the bytes from `begin` up to `end`, or to the end of the range."""
        if begin == 0 and end is None and self.response.metadata is None and self._is_native_range():
            return await self.open_unpinned()
        await self.resolve_suffix()
        part = self._absolute(begin, end)
        if part.is_empty:
            return RpRead(), BytesReader(bytes)  # `bytes()` is empty
        return await self._accessor.read(self.path, self._pinned(part))

    async def resolve_suffix(self) -> None:
        """Learns the start of a suffix range, which every later request needs."""
        if self._args.range.suffix is not None:
            await self.learn_size()

    async def fetch(self, begin: int, end: int) -> bytes:
        """Returns the bytes from `begin` up to `end`, fewer only at the end of the object.

        Raises:
            RangeNotSatisfied: the range was refused. `judge_refusal` finds out why.
        """
        data = b""

        async def take(body: Read) -> int:
            nonlocal data
            data = await read_up_to(body, end - begin)
            return len(data)

        await self.receive(begin, end, take)
        return data

    async def fetch_into(self, begin: int, buffer: memoryview) -> int:
        """Receives the bytes from `begin` on into a buffer, as `fetch` does. Returns their number."""
        return await self.receive(begin, begin + len(buffer), lambda body: fill(body, buffer))

    async def receive(self, begin: int, end: int, take: Callable[[Read], Awaitable[int]]) -> int:
        """Opens a body for the bytes from `begin` up to `end`, and checks what came of them. Returns their number.

        Arguments:
            begin: the first byte.
            end: the end; fewer bytes come only at the end of the object.
            take: reads the bytes and returns their number. An error may follow the last one.

        Raises:
            RangeNotSatisfied: the range was refused. `judge_refusal` finds out why.
        """
        response, body = await self.open(begin, end)
        try:
            length = await take(body)
            if not body.is_at_end:
                length += await pass_on(body, len)  # there must be no more
        except Error:
            self.note(response)  # a response of another object is the better error
            raise
        finally:
            await body.close()
        self.note(response)
        expected = length if self.size is None else max(0, min(end, self.size) - begin)
        if length < expected:
            raise ContentIncomplete(f"the storage sent {length} of {expected} bytes")
        if length > end - begin:
            raise ContentTruncated(f"the storage sent {length} bytes, {end - begin} were requested")
        if length:
            self.reach(begin + length)
        return length

    def note(self, response: RpRead) -> None:
        """Takes the facts of a response, or refuses it because it is of another object.

        Raises:
            ConditionNotMatch: the object changed since the first response.
        """
        self.response.is_whole = self.response.is_whole or response.is_whole
        if response.metadata is not None and response.is_from_stat:
            self._note_stat(response.metadata)
        elif response.metadata is not None and response.metadata is not self._content:
            self._note_content(response.metadata)
        if response.size is not None:
            self._note_size(response.size)

    def reach(self, position: int) -> None:
        """Notes that bytes were read up to the position."""
        self.reached = max(self.reached, position)

    def check_end(self, position: int) -> None:
        """Refuses an end before the size.

        Raises:
            ContentIncomplete: the range is known to continue at the position.
        """
        if self.size is not None and position < self.size:
            raise ContentIncomplete(f"the storage sent {position} of {self.size} bytes")

    async def judge_refusal(self, position: int, refusal: RangeNotSatisfied) -> None:
        """Decides why a range was refused, after its response was noted. Returns if the object ends before it.

        Arguments:
            position: the start of the refused range.
            refusal: the error; it is raised if the size is unknown.

        Raises:
            ConditionNotMatch: the object changed since the first response.
            ContentIncomplete: the position is in the object.
            RangeNotSatisfied: the range of the reader starts past the end, or the size cannot be learned.
        """
        if self.size is None:
            await self._learn_size_after(refusal)
        elif position < self.size and self._accessor.info.capability.stat:
            await self._stat()  # the size may have changed since it was learned
        self.check_end(position)

    async def end_before(self, position: int, refusal: RangeNotSatisfied) -> int:
        """Returns the end before a refused range: the size, or else the end of the bytes read, if it starts there.

        Raises:
            RangeNotSatisfied: the size cannot be learned, and the range does not start at the end of the bytes read.
        """
        try:
            await self.judge_refusal(position, refusal)
        except RangeNotSatisfied:
            if not 0 < position == self.reached:
                raise
        return self.reached if self.size is None else self.size

    async def describe(self) -> Metadata:
        """Returns the metadata of the whole object, by `stat` if no response has had all of it yet."""
        known = self.response.metadata
        if known is None:
            return await self._stat()
        if not (self._is_described or self._accessor.info.reads_describe_all or self.response.is_from_stat):
            can_pin = known.version is not None and self._accessor.info.capability.stat_with_version
            found = await self._stat(known.version if can_pin else None)
            known = self.response.metadata = replace(known, user_metadata=found.user_metadata)
            self._is_described = True
        return known

    async def learn_size(self) -> int:
        """Returns the size of the range. If it is unknown, requests it by `stat`, or else by a read of one byte.

        Raises:
            Unsupported: the service does not report the size of the object.
        """
        if self.size is None or self._is_size_loose:
            self._locate((self.response.metadata or await self._stat()).content_length)
        if self.size is None:
            await self._probe()
        if self.size is None:
            raise Unsupported("the storage does not report the size of this object")
        return self.size

    async def _learn_size_after(self, refusal: RangeNotSatisfied) -> None:
        try:
            await self.learn_size()
        except Unsupported:
            raise refusal from None

    async def _stat(self, version: str | None = None) -> Metadata:
        """Requests the object's metadata, that of a version if one is given."""
        args = self._stat_args()
        args = args if version is None else replace(args, version=version)
        metadata = (await self._accessor.stat(self.path, args)).metadata
        self._note_stat(metadata)
        return metadata

    async def _probe(self) -> None:
        """Reads a byte for the size in its response: some servers report it with a range and not to a HEAD request."""
        response, body = await self._accessor.read(self.path, self._pinned(BytesRange(0, 1)))
        try:
            await body.read(1)
        except RangeNotSatisfied:
            pass  # the object is empty; the response may have the size
        finally:
            await body.close()
        self.note(response)

    def _is_native_range(self) -> bool:
        return self._args.range.suffix is None or self._accessor.info.capability.read_with_suffix

    def _absolute(self, begin: int, end: int | None) -> BytesRange:
        limit = self.limit
        if end is None or (limit is not None and end > limit):
            end = limit
        return BytesRange(self._start + begin, None if end is None else self._start + max(begin, end))

    def _note_stat(self, metadata: Metadata) -> None:
        if self.response.metadata is None:
            self.response.is_from_stat = True
        self._note(metadata)

    def _note_content(self, metadata: Metadata) -> None:
        """Takes metadata that came with content, whose bytes must be combinable with the first content."""
        if self._content is not None and not _is_combinable(self._content, metadata):
            raise _changed()
        self._note(metadata)
        if self._content is None:
            self._content = metadata
            self._prefer(metadata)

    def _prefer(self, metadata: Metadata) -> None:
        """Replaces metadata from `stat` by metadata that came with content; a size that only `stat` had stays."""
        first = self.response.metadata
        if self.response.is_from_stat and first is not None:
            size = first.content_length if metadata.content_length is None else metadata.content_length
            self.response.metadata = replace(metadata, content_length=size)
        self.response.is_from_stat = False

    def _note(self, metadata: Metadata) -> None:
        first = self.response.metadata
        if first is None:
            self.response.metadata, self.response.size = metadata, None
            if not self._args.range.is_empty:
                self.size = None
        elif first is not metadata and not first.is_same_content(metadata):
            raise _changed()
        self._locate(metadata.content_length)

    def _note_size(self, object_size: int) -> None:
        """Takes a size without other metadata, and compares it with the object of the first response."""
        first = self.response.metadata
        if first is None and not self._args.range.is_empty:
            self.size = None
        known = None if first is None else first.content_length
        if known not in {None, object_size} or (self.reached and object_size < self._start + self.reached):
            raise _changed()
        self.response.size = object_size
        self._locate(object_size)

    def _locate(self, object_size: int | None) -> None:
        if self.size is None and object_size is not None:
            self._start, end = self._args.range.resolve(object_size)
            self.size = end - self._start

    def _pinned(self, part: BytesRange) -> OpRead:
        """Returns the arguments that read a part of the object of the first response, and of no other."""
        return replace(self._args, range=part, **self._pin())

    def _pin(self) -> dict[str, Any]:
        """Returns the option that pins requests to that object; empty if there is none."""
        metadata, capability = self._content or self.response.metadata, self._accessor.info.capability
        if metadata is None:
            return {}
        if metadata.version is not None and capability.read_with_version:
            return {"version": metadata.version}
        if metadata.etag is not None and not metadata.has_weak_etag and capability.read_with_if_match:
            return {"if_match": metadata.etag}
        return {}

    def _stat_args(self) -> OpStat:
        """Returns the arguments of a `stat` of the same object, without the conditions that only `read` can check."""
        args, capability = self._args.to_stat(), self._accessor.info.capability
        unsupported = [name for name in field_names(type(args)) if not getattr(capability, f"stat_with_{name}")]
        return replace(args, **dict.fromkeys(unsupported))


def _is_combinable(first: Metadata, later: Metadata) -> bool:
    """Whether bytes of two responses may be combined (RFC 9110, 15.3.7.3).

    Responses with content of one object have the same validators. If one response has a validator that the other
    lacks, the object changed or another server responded, unless both have the same strong etag.
    Bytes with different encodings are never combined, even if the server gave both the same etag.
    """
    if first.content_encoding != later.content_encoding or not first.is_same_content(later):
        return False
    if first.etag is not None and first.etag == later.etag and not first.has_weak_etag:
        return True
    return _has_validators(first) == _has_validators(later)


def _has_validators(metadata: Metadata) -> tuple[bool, bool]:
    return metadata.etag is not None, metadata.last_modified is not None


def _changed() -> ConditionNotMatch:
    return ConditionNotMatch("the object changed during the read")
