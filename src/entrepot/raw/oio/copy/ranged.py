"""A copy for storage that copies an object by one request, or as ranges where it is too large for that.

Theory of operation. The size of the source is usually unknown, so the copy by one request is tried first. If the store
refuses the size (`copy_whole` returns None), an upload is started, and the ranges of the source become its parts, each
by one call in `PartsInFlight`, which limits their number and repeats failed calls. A hint that the source is large
skips the first attempt. `close` completes the upload.

- Each verb keeps what succeeded: a repeated `next` copies only the ranges that failed, and those that were not copied
  yet.
- The upload is started in the window too: a cancelled verb leaves that call running, so that `abort` still learns the
  id of the upload.
- `abort` waits for a start in flight, cancels the ranges in flight, waits for them, and aborts the upload.

Each range names the version or etag that the source had at the start, so that a source that changes during the copy is
an error, and no copy has the content of two versions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from entrepot.errors import Error
from entrepot.raw.oio.write.parts_in_flight import PartsInFlight
from entrepot.types import Metadata

from .staged import StagedCopier

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window
    from entrepot.types import Part


class RangedUpload(ABC):
    """The calls that a service implements for `RangedCopier`.

    A failed call is repeated with the same arguments, also when it had in fact succeeded and only its response was
    lost. `start` then starts another upload.
    """

    __slots__ = ()

    @abstractmethod
    async def copy_whole(self) -> Metadata | None:
        """Copies by one request. None if the source may be too large for that."""

    @abstractmethod
    async def start(self) -> Iterator[range] | Metadata:
        """Starts an upload, and returns the ranges of the source in order.

        A source that turns out to be small enough is copied by one request instead, and the target's metadata returned.
        """

    @abstractmethod
    async def copy_part(self, number: int, part: range) -> Part:
        """Copies one range as the part of this number, from 1. Several calls run at a time.

        Raises:
            ConditionNotMatch: the source changed.
        """

    @abstractmethod
    async def complete(self, parts: Sequence[Part]) -> Metadata:
        """Makes the object of its parts, which are in order.

        Raises:
            ConditionNotMatch: the source changed.
        """

    @abstractmethod
    async def abort(self) -> None:
        """Drops the upload and its parts, if it was started. An upload that no longer exists is not an error."""


class RangedCopier(StagedCopier):
    """Copies one object by one request, or range by range.

    Arguments:
        upload: the calls of the service.
        window: runs the calls; its size is the number of ranges in flight.
        is_large: whether the source is known to be too large for one request.
    """

    __slots__ = (
        "_copied",
        "_in_flight",
        "_is_tried",
        "_parts",
        "_ranges",
        "_reported",
        "_spawned",
        "_upload",
        "_whole",
    )

    def __init__(self, upload: RangedUpload, window: Window[Any], *, is_large: bool = False) -> None:
        super().__init__()
        self._upload = upload
        self._in_flight = PartsInFlight(window)
        self._is_tried = is_large
        self._whole: Metadata | None = None
        self._ranges: Iterator[range] | None = None
        self._parts: dict[int, Part] = {}
        self._spawned = 0
        self._copied = self._reported = 0

    async def _advance(self) -> int | None:
        if not self._is_tried:
            self._whole = await self._upload.copy_whole()
            self._is_tried = True
            return 0
        if self._whole is not None:
            return None
        return await self._begin() if self._ranges is None else await self._copy_ranges(self._ranges)

    async def _publish(self) -> Metadata:
        if self._whole is not None:
            return self._whole
        metadata = await self._upload.complete([self._parts[number] for number in sorted(self._parts)])
        self._parts.clear()
        return metadata

    async def _discard(self) -> None:
        if self._ranges is None:
            with suppress(Error):  # an upload that was not started needs no abort
                await self._in_flight.settle()
        await self._in_flight.close()
        await self._upload.abort()

    async def _begin(self) -> int:
        """Starts the upload, in the window: no cancellation loses its response."""
        if not len(self._in_flight):
            self._in_flight.spawn(self._start, 0)
        await self._in_flight.drain()
        return 0

    async def _start(self) -> None:
        started = await self._upload.start()
        if isinstance(started, Metadata):
            self._whole = started
        else:
            self._ranges = started

    async def _copy_ranges(self, ranges: Iterator[range]) -> int | None:
        """Copies ranges until one of them has succeeded. None if all have."""
        await self._in_flight.make_room(0)
        while self._in_flight.has_room(0):
            part = next(ranges, None)
            if part is None:
                is_done = not len(self._in_flight)
                await self._in_flight.drain()
                return None if is_done else self._newly_copied()
            self._spawned += 1
            self._in_flight.spawn(partial(self._copy_part, self._spawned, part), 0)
        return self._newly_copied()

    def _newly_copied(self) -> int:
        """The bytes that were copied since the last step that returned, also between the steps."""
        reported, self._reported = self._reported, self._copied
        return self._copied - reported

    async def _copy_part(self, number: int, part: range) -> None:
        self._parts[number] = await self._upload.copy_part(number, part)
        self._copied += len(part)
