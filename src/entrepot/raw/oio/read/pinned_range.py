"""One range of one object, over as many requests as it takes.

Readers that ask more than once share this: it turns positions in the range into requests, learns the
size from the first response, and keeps every later request on the object that the first response showed,
so that an object that is overwritten in the meantime gives its old bytes or an error, not a splice.

Theory of operation. Every response is compared with the first one before its bytes count (`note`), also
one that ends in an error. What is known of the object only grows, with one exception: a size that came
with a refused range (416) and without metadata is replaced by the next size that comes, since no byte
was read of that object. Three rules hold for all readers:

- The end is where the size says. Fewer bytes are `ContentIncomplete`.
- A refused range is not the end. `judge_refusal` looks for the size, and compares: another size is another
  object (`ConditionNotMatch`), and a range inside the object is `ContentIncomplete`.
- Where no size can be had, an object is at least as large as what was read of it (`reached`).

What cannot be known: RFC 9110, 15.3.7.3, allows bytes of two responses to be combined only if both have
the same strong validator. Many servers have none. Then two contents of the same size are told apart by a
weak etag or by Last-Modified, which count seconds: an object that is replaced within that second by one of
the same size is read as one object. With neither, only the size tells, and without the size nothing does. A
single request, which is what a read without `chunk` and without seeks makes, gives one object on any server.
"""

from __future__ import annotations

from collections.abc import Callable
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

from .api import Joiner, Read, pass_on
from .bytes_reader import BytesReader

if TYPE_CHECKING:
    from entrepot.raw.accessor import Accessor
    from entrepot.raw.ops import OpRead, OpStat


class PinnedRange:
    """Positions here count from the start of the range.

    Arguments:
        accessor: opens bodies, and answers `stat` when only that can tell the size.
        path: the object.
        args: what to read; `args.range` is the range.
        response: receives the metadata of the first response; by default one of its own.

    Attributes:
        path: the object.
        response: what the first response told.
        size: how many bytes the range has in this object; None until a response told.
        reached: the position after the last byte that was read.
    """

    __slots__ = ("_accessor", "_args", "_content", "_start", "path", "reached", "response", "size")

    def __init__(self, accessor: Accessor, path: str, args: OpRead, response: RpRead | None = None) -> None:
        self._accessor = accessor
        self.path = path
        self._args = args
        self.response = response or RpRead()
        self._start = args.range.start
        self._content: Metadata | None = None  # what came with the first content; `response` may have that of a `stat`
        self.reached = 0
        self.size: int | None = 0 if args.range.is_empty else None  # wherever an empty range lies

    @property
    def limit(self) -> int | None:
        """The most bytes that the range can have, as far as is known."""
        return self._args.range.length if self.size is None or self._is_size_loose else self.size

    @property
    def _is_size_loose(self) -> bool:
        """Whether the size came with a refusal before anything else was known, and so is not pinned."""
        return self.response.metadata is None and self.response.size is not None

    @property
    def is_kept(self) -> bool:
        """Whether later requests can name the object that the first response showed, so that no other can come."""
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
        if begin == 0 and end is None and self.response.metadata is None and self._is_native_range():
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
        """The bytes from `begin` up to `end`, fewer only where the object ends.

        Raises:
            RangeNotSatisfied: the range was refused. `judge_refusal` says what that means.
        """
        gathered = Joiner()
        await self.fetch_pieces(begin, end, gathered.add)
        return gathered.whole()

    async def fetch_pieces(self, begin: int, end: int, take: Callable[[bytes], object]) -> None:
        """Gives the same to a function, in the pieces that it comes in. An error can come after the last of them."""
        response, body = await self.open(begin, end)
        try:
            length = await pass_on(body, take)
        except Error:
            self.note(response)  # that it is of another object says more than the error
            raise
        finally:
            await body.close()
        self.note(response)
        expected = length if self.size is None else max(0, min(end, self.size) - begin)
        if length < expected:
            raise ContentIncomplete(f"{length} of {expected} bytes came")
        if length > end - begin:
            raise ContentTruncated(f"{length} bytes came where {end - begin} were asked for")
        if length:
            self.reach(begin + length)

    def note(self, response: RpRead) -> None:
        """Learns from a response, or refuses it because it is of another object.

        Raises:
            ConditionNotMatch: the object changed since the first response.
        """
        self.response.is_whole = self.response.is_whole or response.is_whole
        if response.metadata is not None and response.is_from_stat:
            self._note_stat(response.metadata)
        elif response.metadata is not None:
            self._note_content(response.metadata)
        if response.size is not None:
            self._note_size(response.size)

    def reach(self, position: int) -> None:
        """Notes that bytes were read up to the position."""
        self.reached = max(self.reached, position)

    def check_end(self, position: int) -> None:
        """Refuses an end that comes too early.

        Raises:
            ContentIncomplete: the range is known to go on at the position.
        """
        if self.size is not None and position < self.size:
            raise ContentIncomplete(f"{position} of {self.size} bytes came")

    async def judge_refusal(self, position: int, refusal: RangeNotSatisfied) -> None:
        """Decides what the refusal of a range means whose response was noted. It returns if the object ends before it.

        Arguments:
            position: where the range starts that was refused.
            refusal: the error; it is raised where nothing tells the size.

        Raises:
            ConditionNotMatch: the object changed since the first response.
            ContentIncomplete: the position lies in the object.
            RangeNotSatisfied: the whole window starts past the end, or the size cannot be learned.
        """
        if self.size is None:
            await self._learn_size_after(refusal)
        elif position < self.size and self._accessor.info.capability.stat:
            await self._look()
        self.check_end(position)

    async def end_before(self, position: int, refusal: RangeNotSatisfied) -> int:
        """The same between requests that came complete. Right behind their bytes a refusal shows the end by itself."""
        try:
            await self.judge_refusal(position, refusal)
        except RangeNotSatisfied:
            if not 0 < position == self.reached:
                raise
        return self.reached if self.size is None else self.size

    async def describe(self) -> Metadata:
        """What is known of the whole object, asked for by `stat` if no response has told it yet."""
        return self.response.metadata or await self._look()

    async def learn_size(self) -> int:
        """The size of the range, asked for if no response has told it yet: by `stat`, or else by a read of one byte.

        Raises:
            Unsupported: the service does not tell how large the object is.
        """
        if self.size is None or self._is_size_loose:
            self._locate((await self.describe()).content_length)
        if self.size is None:
            await self._probe()
        if self.size is None:
            raise Unsupported("the storage does not tell the size of this object")
        return self.size

    async def _learn_size_after(self, refusal: RangeNotSatisfied) -> None:
        try:
            await self.learn_size()
        except Unsupported:
            raise refusal from None

    async def _look(self) -> Metadata:
        """Asks about the object."""
        metadata = (await self._accessor.stat(self.path, self._stat_args())).metadata
        self._note_stat(metadata)
        return metadata

    async def _probe(self) -> None:
        """Reads a byte for the size beside it: there are servers that tell it with a range, and not to a HEAD."""
        response, body = await self._accessor.read(self.path, self._pinned(BytesRange(0, 1)))
        try:
            await body.read(1)
        except RangeNotSatisfied:
            pass  # nothing is in the object; whether its size came with that shows below
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
        """The same of metadata that came with content, which must be fit to be combined with the first."""
        if self._content is metadata:
            return
        if self._content is not None and not _is_combinable(self._content, metadata):
            raise _changed()
        self._note(metadata)
        if self._content is None:
            self._content = metadata
            self._prefer(metadata)

    def _prefer(self, metadata: Metadata) -> None:
        """Puts what came with content in the place of what `stat` said, but for a size that only that told."""
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
        """A size that came without content: of the object of the first response, if there was content before."""
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
        """What asks for a part of the object that the first response showed, and of no other."""
        return replace(self._args, range=part, **self._mark())

    def _mark(self) -> dict[str, Any]:
        """The option that finds that object and no other; none where there is no such."""
        seen, capability = self._content or self.response.metadata, self._accessor.info.capability
        if seen is None:
            return {}
        if seen.version is not None and capability.read_with_version:
            return {"version": seen.version}
        if seen.etag is not None and not seen.has_weak_etag and capability.read_with_if_match:
            return {"if_match": seen.etag}
        return {}

    def _stat_args(self) -> OpStat:
        """What asks about the same object. A condition that only `read` can check stays with `read`."""
        args, capability = self._args.to_stat(), self._accessor.info.capability
        beyond = [name for name in field_names(type(args)) if not getattr(capability, f"stat_with_{name}")]
        return replace(args, **dict.fromkeys(beyond))


def _is_combinable(first: Metadata, later: Metadata) -> bool:
    """Whether bytes of two responses may be put together, as far as it can be known (RFC 9110, 15.3.7.3).

    Responses with content of one object have the same validators. One that has a validator that the other lacks is
    of another object, or of another server that cannot show that it is not, unless an etag that is strong is the same.
    Bytes that were encoded otherwise do not fit together, even if the server forgot to give them another etag.
    """
    if first.content_encoding != later.content_encoding or not first.is_same_content(later):
        return False
    if first.etag is not None and first.etag == later.etag and not first.has_weak_etag:
        return True
    return _has_validators(first) == _has_validators(later)


def _has_validators(metadata: Metadata) -> tuple[bool, bool]:
    return metadata.etag is not None, metadata.last_modified is not None


def _changed() -> ConditionNotMatch:
    return ConditionNotMatch("the object changed while it was being read")
