"""A multipart writer, for storage that takes an object in numbered parts, such as S3.

Theory of operation of the writer. Written bytes wait in a queue (`_content`). When they exceed the first part's size,
the upload is initiated; from then on each full part becomes a call in `PartsInFlight`, which limits their number and
bytes and repeats failed calls. `close` sends the rest as the last part, waits until every part is stored, and
completes the upload. Content that never exceeds the first part is stored by one plain call on `close`.

- `_id` is None until the upload is initiated. That call runs in the window too: a cancelled verb leaves it running,
  so that `abort` still learns the id.
- A part's number and size are fixed when its call is made (`_spawned`), its result is put into `_parts` when it is
  stored.
- A verb that failed or was cancelled leaves the other parts in flight; the next verb repeats the failed parts first.
- `abort` waits for an initiation in flight, cancels the other calls, waits for them, and aborts the upload.

Theory of operation of the sizes (`PartSizes`). Sizes must be known before the object's length is, and 10,000 equal
parts of 8 MiB would end at 78 GiB. So the first parts are equal (some stores require equal parts, and most objects
end there), and then each is larger than the one before by a constant step, a whole number of KiB. The step is the
smallest with which all parts hold 5 TiB, or the largest object of the service if that is less: `first * n + step *
(1 + 2 + ... + growing)`, with each part clamped to the largest part of the service, which is why the step is then found
by bisection.

With a hint of the length, the equal parts are large enough that nine tenths of them hold it. So all parts are equal if
the hint is right, and if it is too low, the last tenth grows. A store that requires equal parts has no step: its
parts end at 10,000 of the first size.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from entrepot.errors import Error, InvalidInput, Unsupported
from entrepot.types import Metadata
from entrepot.types.upload import Part

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
_ROUND: Final = 1024 * 1024
GROW_TO: Final = 5 * 1024**4


class MultipartUpload:
    """The calls that a service implements for `MultipartWriter`.

    A failed call is repeated with the same arguments, also when it had in fact succeeded and only
    its response was lost.
    """

    async def store(self, content: bytes) -> Metadata:
        """Stores the whole object by one call. Used when it fits in the first part, or is empty."""
        raise Unsupported("this upload cannot store an object by one call")

    async def initiate(self) -> str:
        """Starts an upload and returns its id."""
        raise Unsupported("this upload cannot be started")

    async def upload_part(self, upload: str, number: int, content: Sequence[bytes | memoryview]) -> Part:
        """Sends one part. Several calls run at the same time, in any order; a repeated number replaces the part.

        Arguments:
            upload: the id of the upload.
            number: the part's number in the object, from 1.
            content: the bytes of the part, at least one, in any number of pieces, none of them empty.
        """
        raise Unsupported("this upload cannot send parts")

    async def complete(self, upload: str, parts: Sequence[Part]) -> Metadata:
        """Makes the object of its parts, which are in order."""
        raise Unsupported("this upload cannot be completed")

    async def abort(self, upload: str) -> None:
        """Drops the upload and its parts. An upload that no longer exists is not an error."""
        raise Unsupported("this upload cannot be aborted")


class PartSizes:
    """The size of each part, by its number, before the size of the object is known.

    The first parts are equal: with `args.chunk`, half of all parts have that size, as far as the service allows it;
    without it, a tenth of them have 8 MiB; and with `args.content_length_hint`, as many as hold that length, larger
    ones if there would be too many. After them each part is larger than the one before, by a step of whole KiB, so that
    the parts can hold `grow_to` bytes, or the largest object of the service if that is less. If the largest part of the
    service is too small for that, fewer parts are equal. The last part has the rest.

    Arguments:
        capability: `write_multi_min_size`, `write_multi_max_size` and `write_total_max_size` of the service.
        args: `chunk` and `content_length_hint`, in bytes, or None.
        max_parts: the most parts of an object.
        is_equal: whether all parts but the last must be equal.
        grow_to: how many bytes the parts can hold without a hint. By default 5 TiB. It must leave room for small parts:
            where only parts of the largest size hold it, all have that size.

    Attributes:
        capacity: the most bytes of an object.
    """

    __slots__ = ("_equal", "_first", "_is_limited", "_max", "_max_parts", "_step", "capacity")

    def __init__(
        self,
        capability: Capability,
        args: OpWrite,
        *,
        max_parts: int = MAX_PARTS,
        is_equal: bool = False,
        grow_to: int = GROW_TO,
    ) -> None:
        self._max_parts = max_parts
        self._max = capability.write_multi_max_size
        hint = args.content_length_hint or 0
        hinted_parts = max_parts if is_equal else max(1, max_parts - max_parts // 10)
        least = max(capability.write_multi_min_size or 1, _rounded_up(-(-hint // hinted_parts)))
        self._first = self._clamp(max(args.chunk or _FIRST_SIZE, least))
        total = capability.write_total_max_size
        needed = self._holdable(min(total or grow_to, grow_to))
        share = max(max_parts // (10 if args.chunk is None else 2), min(-(-hint // self._first), hinted_parts))
        self._equal = max_parts if is_equal else self._equal_within(needed, share)
        self._step = 0 if is_equal else self._step_to_hold(needed)
        held = self._held_bytes(self._step)
        self._is_limited = total is not None and total <= held
        self.capacity = min(held, total or held)

    def size(self, number: int) -> int:
        """Returns the size in bytes of the part with this number, from 1, unless it is the last part."""
        return self._clamp(self._first + self._step * max(0, number - self._equal))

    def offset(self, number: int) -> int:
        """Returns where the part with this number, from 1, starts in the object: the bytes of all parts before it."""
        before = number - 1
        return self._first * before + self._added_bytes(self._step, max(0, before - self._equal))

    def check_fits(self, size: int) -> None:
        """Checks that an object can have `size` bytes.

        Raises:
            InvalidInput: the size is more than `capacity`.
        """
        if size > self.capacity:
            limit = "the service takes" if self._is_limited else f"{self._max_parts} parts hold"
            hint = "" if self._is_limited else ": set content_length_hint or chunk, for larger parts"
            raise InvalidInput(f"the object would have more than {self.capacity} bytes, the most that {limit}{hint}")

    def _clamp(self, size: int) -> int:
        return size if self._max is None else min(size, self._max)

    def _holdable(self, total: int) -> int:
        return total if self._max is None else min(total, self._max * self._max_parts)

    def _equal_within(self, needed: int, share: int) -> int:
        """Returns the number of equal parts: `share`, or fewer if the other parts could not hold the rest."""
        if self._max is None or self._max == self._first:
            return share
        return min(share, (self._max * self._max_parts - needed) // (self._max - self._first))

    def _step_to_hold(self, needed: int) -> int:
        """Returns the smallest step with which the parts hold `needed` bytes."""
        growing = self._max_parts - self._equal
        missing = max(0, needed - self._first * self._max_parts)
        step = -(-missing // (growing * (growing + 1) // 2 * _STEP_UNIT)) * _STEP_UNIT
        if self._max is None or self._held_bytes(step) >= needed:
            return step
        most = -(
            -(self._max - self._first) // _STEP_UNIT
        )  # some parts are clamped to the largest size, so that the others need a larger step
        return _STEP_UNIT * bisect_left(range(most), needed, key=lambda units: self._held_bytes(units * _STEP_UNIT))

    def _held_bytes(self, step: int) -> int:
        """Returns the bytes that all parts hold if they grow by `step`, with parts above the largest size clamped."""
        return self._first * self._max_parts + self._added_bytes(step, self._max_parts - self._equal)

    def _added_bytes(self, step: int, growing: int) -> int:
        """Returns how many bytes the first `growing` parts that grow have more than equal ones."""
        below_max = growing
        if step and self._max is not None:
            below_max = min(growing, (self._max - self._first) // step)
        more = step * (below_max * (below_max + 1) // 2)
        return more + (growing - below_max) * (self._clamp(self._first + step * growing) - self._first)


def _rounded_up(size: int) -> int:
    """Returns the next whole number of MiB, for sizes that a reader of a listing of parts recognizes; 0 stays 0."""
    return -(-size // _ROUND) * _ROUND


class MultipartWriter(StagedWriter):
    """Sends parts, several at a time, and completes the object on `close`.

    Each verb first sends the bytes of earlier writes and waits for room; its own bytes are queued and sent without a
    copy. So the memory holds the parts in flight (`MAX_IN_FLIGHT` bytes, or one larger part), less than one part in the
    queue, and the last write.

    The error of a failed part is raised by the verb that waited for it. The next verb sends that part again;
    the parts in flight continue. If the response to the start of the upload is lost, its id stays unknown: the
    storage then has an upload without parts, which its own rules for stale uploads must remove.

    Arguments:
        upload: the calls of the service.
        sizes: the sizes of the parts.
        window: runs the calls.
    """

    __slots__ = ("_content", "_id", "_in_flight", "_parts", "_sent", "_sizes", "_spawned", "_upload")

    def __init__(self, upload: MultipartUpload, sizes: PartSizes, window: Window[Any]) -> None:
        super().__init__()
        self._upload = upload
        self._sizes = sizes
        self._in_flight = PartsInFlight(window)
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
            with suppress(Error):  # an upload that was not started needs no abort
                await self._in_flight.settle()
        await self._in_flight.close()
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
            await self._in_flight.make_room(self._content.size)
            self._send(upload, self._content.size)
        await self._in_flight.drain()
        return await self._upload.complete(upload, [self._parts[number] for number in sorted(self._parts)])

    async def _send_full_parts(self) -> None:
        """Sends parts until less than a part is left, or content that may fit in the only part."""
        while not self._fits_in_first_part() and self._content.size >= self._next_size():
            upload = await self._begin()
            await self._in_flight.make_room(self._next_size())
            self._send(upload, self._next_size())

    def _send_while_there_is_room(self) -> None:
        if self._id is not None:
            while self._content.size >= self._next_size() and self._in_flight.has_room(self._next_size()):
                self._send(self._id, self._next_size())

    def _send(self, upload: str, size: int) -> None:
        content = self._content.views(size)
        self._in_flight.spawn(partial(self._upload_part, upload, self._spawned + 1, content), size)
        self._content.drop(size)
        self._spawned += 1
        self._sent += size

    async def _upload_part(self, upload: str, number: int, content: Sequence[bytes | memoryview]) -> None:
        self._parts[number] = await self._upload.upload_part(upload, number, content)

    async def _begin(self) -> str:
        """Returns the upload's id. The call that starts it runs in the window: no cancellation loses its response."""
        while self._id is None:
            if not len(self._in_flight):
                self._in_flight.spawn(self._initiate, 0)
            await self._in_flight.drain()
        return self._id

    async def _initiate(self) -> None:
        self._id = await self._upload.initiate()
