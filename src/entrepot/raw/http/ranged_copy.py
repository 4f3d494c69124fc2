"""Copies within a store: by one request, or as ranges where the object is too large for that.

Theory of operation. The size of the source is usually unknown, so the copy by one request is tried first. If the store
refuses the size, the source is looked up, and its ranges are copied as the parts of an upload, several at a time. A
hint that the source is large skips the first attempt.

Each range must name the version or etag that the source had at the lookup, and the upload compares the source with it
once more before the copy becomes visible. A source that changes during the copy is therefore an error, and no copy has
the content of two versions.

The upload is started in a shielded call, since a cancellation would lose its id, and with it the upload. Whatever ends
the copy early, a cancellation included, waits for the ranges in flight to be cancelled and then aborts the upload, also
shielded. If the abort fails, the first error has a note that says so. No layer sees the requests of a copy, so the
abort is retried here, once, where its error is temporary.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Final

from entrepot.errors import Error, InvalidInput, Unexpected
from entrepot.raw.oio.windowed import gather
from entrepot.raw.oio.write.multipart import Part
from entrepot.raw.runtime import Runtime
from entrepot.types import Metadata

from .headers import parse_length
from .transport import HttpHeaders

DEFAULT_CONCURRENT: Final = 4
"""How many ranges are copied at a time, unless `concurrent` says otherwise."""


class RangedUpload(ABC):
    """The upload of a copy. Its parts are ranges of one version of the source."""

    __slots__ = ()

    @abstractmethod
    def ranges(self) -> Iterator[range]:
        """The ranges of the source, in order."""

    @abstractmethod
    async def start(self) -> None:
        """Starts the upload."""

    @abstractmethod
    async def copy_part(self, number: int, part: range) -> Part:
        """Copies one range as the part of this number, from 1. Several calls run at a time.

        Raises:
            ConditionNotMatch: the source changed.
        """

    @abstractmethod
    async def finish(self, parts: Sequence[Part]) -> Metadata:
        """Makes the copy visible.

        Raises:
            ConditionNotMatch: the source changed.
        """

    @abstractmethod
    async def drop(self) -> None:
        """Aborts the upload, if it was started."""


class RangedCopy(ABC):
    """Copies one object.

    Arguments:
        runtime: runs the requests for ranges.
        max_size: how many bytes one request copies, at most.
        size_hint: the size of the source, if the caller knows it.
        concurrent: how many ranges are copied at a time; None is `DEFAULT_CONCURRENT`.
    """

    __slots__ = ("_concurrent", "_max_size", "_runtime", "_size_hint")

    def __init__(self, runtime: Runtime, max_size: int, size_hint: int | None, concurrent: int | None) -> None:
        self._runtime = runtime
        self._max_size = max_size
        self._size_hint = size_hint or 0
        self._concurrent = concurrent or DEFAULT_CONCURRENT

    async def copy(self) -> Metadata:
        """Makes the copy and returns its metadata."""
        if self._size_hint > self._max_size:
            headers = await self._look_up()
            return await (self._copy_whole() if self._fits(headers) else self._copy_in_ranges(headers))
        try:
            return await self._copy_whole()
        except (InvalidInput, Unexpected) as error:
            if not self._may_be_too_large(error) or self._fits(headers := await self._look_up()):
                raise
            return await self._copy_in_ranges(headers)

    @abstractmethod
    async def _copy_whole(self) -> Metadata:
        """Copies by one request."""

    @abstractmethod
    async def _look_up(self) -> HttpHeaders:
        """The headers of the source."""

    @abstractmethod
    def _may_be_too_large(self, error: Error) -> bool:
        """Whether a copy by one request may have been refused because of the size."""

    @abstractmethod
    def _upload(self, headers: HttpHeaders) -> RangedUpload:
        """The upload that copies the source, as its headers describe it."""

    def _fits(self, headers: HttpHeaders) -> bool:
        return (parse_length(headers.get("content-length")) or 0) <= self._max_size

    async def _copy_in_ranges(self, headers: HttpHeaders) -> Metadata:
        upload = self._upload(headers)
        try:
            await self._runtime.shield(upload.start)
            parts = list[Part]()
            calls = (partial(upload.copy_part, *numbered) for numbered in enumerate(upload.ranges(), 1))
            await gather(calls, self._runtime.window(self._concurrent), parts)
            return await upload.finish(parts)
        except BaseException as cause:
            await self._drop(upload.drop, cause)
            raise

    async def _drop(self, drop: Callable[[], Awaitable[None]], cause: BaseException) -> None:
        try:
            await self._runtime.shield(partial(_twice, drop))
        except Error as error:
            cause.add_note(f"and the upload could not be aborted: {error.kind}: {error}")


async def _twice(call: Callable[[], Awaitable[None]]) -> None:
    """Makes a call, and again if its error is temporary."""
    try:
        await call()
    except Error as error:
        if not error.is_temporary:
            raise
        await call()
