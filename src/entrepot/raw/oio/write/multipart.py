"""A writer for storage that takes an object in numbered parts, such as S3."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from entrepot.errors import Error, InvalidInput, Unsupported
from entrepot.types import Metadata

from .byte_queue import ByteQueue
from .parts_in_flight import PartsInFlight
from .staged import StagedWriter, with_length

if TYPE_CHECKING:
    from entrepot.raw.ops import OpWrite
    from entrepot.raw.runtime import Window
    from entrepot.types import Capability

MAX_PARTS: Final = 10_000
_FIRST_SIZE: Final = 8 * 1024 * 1024
_STEP_UNIT: Final = 1024
_DEFAULT_TOTAL: Final = 5 * 1024**4


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was stored.

    Arguments:
        number: its place in the object, from 1.
        etag: what the storage calls it.
        size: its bytes.
        checksum: the checksum that the storage wants to be told again, if any.
    """

    number: int
    etag: str
    size: int
    checksum: str | None = None


class MultipartUpload:
    """What a service implements for objects that are sent in parts.

    A call that failed is made again with the same arguments, also when it had in fact succeeded and only
    its response was lost.
    """

    async def store(self, content: bytes) -> Metadata:
        """Stores the whole object at once: all of it fitted in the first part, or there is nothing of it."""
        raise Unsupported("this upload cannot store at once")

    async def initiate(self) -> str:
        """Begins an upload in parts and returns its id."""
        raise Unsupported("this upload cannot be begun")

    async def upload_part(self, upload: str, number: int, content: Sequence[bytes | memoryview]) -> Part:
        """Sends one part. Several calls run at a time, in any order; the same number again replaces the part.

        Arguments:
            upload: the id of the upload.
            number: the place of the part in the object, from 1.
            content: the bytes of the part, at least one, in any number of pieces, none of them empty.
        """
        raise Unsupported("this upload cannot send parts")

    async def complete(self, upload: str, parts: Sequence[Part]) -> Metadata:
        """Makes the object of its parts, which are given in order."""
        raise Unsupported("this upload cannot be completed")

    async def abort(self, upload: str) -> None:
        """Drops the upload and its parts. One that is not there any more is no error."""
        raise Unsupported("this upload cannot be aborted")


class PartSizes:
    """The size of each part of an object, known before the object is.

    They are equal at first: of `args.chunk` bytes half of them, as far as the service allows that size, and
    without it of 8 MiB a tenth of them, because some stores want equal parts and most objects end there. Then
    each has a little more than the one before, a whole number of KiB, so that the object can have as many
    bytes as the service takes, or 5 TiB where it names no limit. Where parts may not be that large, fewer of
    them are equal. The last part has what is left.

    Arguments:
        capability: `write_multi_min_size`, `write_multi_max_size` and `write_total_max_size` of the service.
        args: `chunk`, in bytes, or None.
        max_parts: how many parts an object may have.

    Attributes:
        capacity: how many bytes an object can have at most.
    """

    __slots__ = ("_equal", "_first", "_is_limited", "_max", "_max_parts", "_step", "capacity")

    def __init__(self, capability: Capability, args: OpWrite, *, max_parts: int = MAX_PARTS) -> None:
        self._max_parts = max_parts
        self._max = capability.write_multi_max_size
        self._first = self._clamp(max(args.chunk or _FIRST_SIZE, capability.write_multi_min_size or 1))
        total = capability.write_total_max_size
        needed = self._holdable(total or _DEFAULT_TOTAL)
        self._equal = self._equal_within(needed, max_parts // (10 if args.chunk is None else 2))
        self._step = self._step_to_hold(needed)
        held = self._held(self._step)
        self._is_limited = total is not None and total <= held
        self.capacity = min(held, total or held)

    def size(self, number: int) -> int:
        """How many bytes the part of this number has, from 1, if it is not the last one."""
        return self._clamp(self._first + self._step * max(0, number - self._equal))

    def check_fits(self, size: int) -> None:
        """Passes if an object can have so many bytes.

        Raises:
            InvalidInput: it cannot.
        """
        if size > self.capacity:
            limit = "the service takes" if self._is_limited else f"{self._max_parts} parts hold"
            raise InvalidInput(f"the object would have more than {self.capacity} bytes, the most that {limit}")

    def _clamp(self, size: int) -> int:
        return size if self._max is None else min(size, self._max)

    def _holdable(self, total: int) -> int:
        return total if self._max is None else min(total, self._max * self._max_parts)

    def _equal_within(self, needed: int, share: int) -> int:
        """How many parts can be equal: so many, or fewer if the others could not hold the rest."""
        if self._max is None or self._max == self._first:
            return share
        return min(share, (self._max * self._max_parts - needed) // (self._max - self._first))

    def _step_to_hold(self, needed: int) -> int:
        """The least step with which the parts hold so many bytes."""
        growing = self._max_parts - self._equal
        missing = max(0, needed - self._first * self._max_parts)
        step = -(-missing // (growing * (growing + 1) // 2 * _STEP_UNIT)) * _STEP_UNIT
        if self._max is None or self._held(step) >= needed:
            return step
        most = -(-(self._max - self._first) // _STEP_UNIT)  # some parts are the largest, so that others need more
        return _STEP_UNIT * bisect_left(range(most), needed, key=lambda units: self._held(units * _STEP_UNIT))

    def _held(self, step: int) -> int:
        """How many bytes all parts hold if they grow by such a step: of those that grow, some are the largest."""
        growing = self._max_parts - self._equal
        below_max = growing
        if step and self._max is not None:
            below_max = min(growing, (self._max - self._first) // step)
        more = step * (below_max * (below_max + 1) // 2)
        more += (growing - below_max) * (self._clamp(self._first + step * growing) - self._first)
        return self._first * self._max_parts + more


class MultipartWriter(StagedWriter):
    """Sends what is written in parts, several at a time, and makes the object of them on close.

    What fits in the first part is stored by one plain call on close. Each verb first sends what was
    taken before and finds room; what it takes itself is kept and sent as it is, without a copy. So in
    memory are the parts in flight (`MAX_IN_FLIGHT` bytes, or one part), less than one part that is being
    collected, and the last write.

    A part that failed raises its error in the verb that waited for it. The next verb sends it again,
    it alone; the parts in flight stay there. A verb that was cancelled leaves all in flight too, and also the
    beginning of the upload, so that `abort` knows its id. Only when the response to that was lost
    is the id not known: then the storage has an upload without parts, which its own rules for stale
    uploads must remove.

    Arguments:
        upload: what the service can do.
        sizes: how large the parts are.
        window: where the calls run.
    """

    __slots__ = ("_content", "_id", "_parts", "_sending", "_sent", "_sizes", "_spawned", "_upload")

    def __init__(self, upload: MultipartUpload, sizes: PartSizes, window: Window[Any]) -> None:
        super().__init__()
        self._upload = upload
        self._sizes = sizes
        self._sending = PartsInFlight(window)
        self._content = ByteQueue()
        self._id: str | None = None
        self._parts: dict[int, Part] = {}
        self._spawned = 0
        self._sent = 0

    async def _take(self, content: bytes | memoryview) -> None:
        self._sizes.check_fits(self._sent + self._content.size + len(content))
        await self._send_full_parts()
        self._content.append(content)
        self._send_while_there_is_room()

    async def _publish(self) -> Metadata:
        length = self._sent + self._content.size
        if self._fits_in_first_part():
            metadata = await self._upload.store(self._content.join())
        else:
            metadata = await self._complete()
        self._content.clear()
        self._parts.clear()
        return with_length(metadata, length)

    async def _discard(self) -> None:
        self._content.clear()
        if self._id is None:
            with suppress(Error):  # an upload that did not begin is not there to be aborted
                await self._sending.settle()
        await self._sending.close()
        if self._id is not None:
            await self._upload.abort(self._id)

    def _fits_in_first_part(self) -> bool:
        return not self._spawned and self._content.size <= self._sizes.size(1)

    def _next_size(self) -> int:
        return self._sizes.size(self._spawned + 1)

    async def _complete(self) -> Metadata:
        upload = await self._begin()
        await self._send_full_parts()
        if self._content.size:
            await self._sending.make_room(self._content.size)
            self._send(upload, self._content.size)
        await self._sending.drain()
        return await self._upload.complete(upload, [self._parts[number] for number in sorted(self._parts)])

    async def _send_full_parts(self) -> None:
        """Sends until less than a part is left, or what may be the only one."""
        while not self._fits_in_first_part() and self._content.size >= self._next_size():
            upload = await self._begin()
            await self._sending.make_room(self._next_size())
            self._send(upload, self._next_size())

    def _send_while_there_is_room(self) -> None:
        if self._id is not None:
            while self._content.size >= self._next_size() and self._sending.has_room(self._next_size()):
                self._send(self._id, self._next_size())

    def _send(self, upload: str, size: int) -> None:
        content = self._content.views(size)
        self._sending.spawn(partial(self._upload_part, upload, self._spawned + 1, content), size)
        self._content.drop(size)
        self._spawned += 1
        self._sent += size

    async def _upload_part(self, upload: str, number: int, content: Sequence[bytes | memoryview]) -> None:
        self._parts[number] = await self._upload.upload_part(upload, number, content)

    async def _begin(self) -> str:
        """Returns the upload's id. The call that starts it runs in the window: no cancellation loses its response."""
        while self._id is None:
            if not len(self._sending):
                self._sending.spawn(self._initiate, 0)
            await self._sending.drain()
        return self._id

    async def _initiate(self) -> None:
        self._id = await self._upload.initiate()
