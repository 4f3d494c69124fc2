"""The object that holds an archive, pinned to one version, and the bodies of its parts."""

from __future__ import annotations

import os
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from entrepot.errors import ChecksumMismatch, ContentIncomplete, Error, RangeNotSatisfied, Unexpected
from entrepot.raw.oio.read.api import Read, check_not_closed, read_up_to
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.raw.oio.read.seek import seek_target
from entrepot.raw.ops import DEFAULT_STAT, OpRead
from entrepot.types import BytesRange

if TYPE_CHECKING:
    from entrepot.raw.accessor import Accessor
    from entrepot.raw.rps import RpRead
    from entrepot.types import Metadata

T = TypeVar("T")

_DRAINED: Final = 64 * 1024
"""The most bytes after a part that are read to keep the connection."""


class StoredArchive:
    """The object that holds an archive. Each response must be of the version that the first one showed.

    Arguments:
        accessor: the stack of the storage that has it.
        path: the object.
    """

    __slots__ = ("_accessor", "_path", "_pinned")

    def __init__(self, accessor: Accessor, path: str) -> None:
        self._accessor = accessor
        self._path = path
        self._pinned = PinnedRange(accessor, path, OpRead())

    @property
    def metadata(self) -> Metadata:
        """The metadata of the first response.

        Raises:
            Unexpected: there was none, or it had no metadata.
        """
        if self._pinned.response.metadata is None:
            raise Unexpected("the storage of the archive reports no metadata")
        return self._pinned.response.metadata

    def through(self, accessor: Accessor) -> StoredArchive:
        """The same version of the object, through another stack."""
        other = StoredArchive(accessor, self._path)
        other._pinned.note(self._pinned.response)
        return other

    async def read_tail(self, length: int) -> bytes:
        """Returns the last bytes. Their response has the size, unless the storage reports it by `stat` only."""
        tail = OpRead(range=BytesRange(suffix=length))
        response, body = await self._accessor.read(self._path, tail)
        try:
            content = await read_up_to(body, length)
        finally:
            await body.close()
        self._pinned.note(response)
        return content

    async def size(self) -> int:
        """The size of the object in bytes, without a request where a response had it."""
        return await self._pinned.learn_size()

    async def fetch(self, begin: int, end: int) -> bytes:
        """Returns the bytes from `begin` up to `end`, fewer only at the end of the object."""
        try:
            return await self._pinned.fetch(begin, end)
        except RangeNotSatisfied as refusal:
            await self._pinned.judge_refusal(begin, refusal)
            return b""

    async def open(self, begin: int, end: int | None = None, read_ahead: int | None = None) -> Part:
        """Opens a body for the bytes from `begin` up to `end`, or to the end of the object. No I/O."""
        pinned = PinnedRange(self._accessor, self._path, OpRead(read_ahead=read_ahead))
        pinned.note(self._pinned.response)
        size = await pinned.learn_size()
        end = size if end is None else min(end, size)
        return Part(pinned, *await pinned.open(begin, end), max(0, end - begin))

    async def has_changed(self) -> bool:
        """Whether the object is no longer the one of the first response, by a `stat`."""
        response = await self._accessor.stat(self._path, DEFAULT_STAT)
        return not self.metadata.is_same_content(response.metadata)


class Part(Read):
    """A part of the archive.

    Theory of operation. The inner body has the part, and before and after it what `narrow` has left out, such as a
    header. Two positions: the reader's, which counts from the start of the part, and the inner body's. They differ
    after a seek, which does no I/O: the next verb moves the inner body. The few bytes after the part, if the range of
    the inner body has any, are read with its last bytes, so that the connection can be kept.

    Arguments:
        pinned: compares each response with the version of the archive.
        response: the response of the inner body.
        body: the inner body.
        length: the number of bytes of the inner body.
    """

    __slots__ = (
        *("_body", "_body_position", "_is_closed", "_length", "_pinned", "_position", "_response", "_start"),
        "size",
    )

    def __init__(self, pinned: PinnedRange, response: RpRead, body: Read, length: int) -> None:
        self._pinned = pinned
        self._response = response
        self._body = body
        self._body_position = 0
        self._length = length
        self._start = 0
        self._position = 0
        self._is_closed = False
        self.size = length

    def narrow(self, start: int, size: int) -> None:
        """Makes the part begin at a byte of the inner body, and end `size` bytes later. The position is its start.

        Raises:
            Unexpected: the inner body ends before.
        """
        if start + size > self._length:
            raise Unexpected("the archive is damaged: it ends inside of a member")
        self._start, self._position, self.size = start, 0, size

    @property
    def is_at_end(self) -> bool:
        return self._position >= self.size

    @property
    def remaining(self) -> int | None:
        return max(0, self.size - self._position)

    async def read(self, n: int) -> bytes:
        check_not_closed(self._is_closed)
        n = min(n, self.size - self._position)
        if n <= 0:
            return b""
        data = await self._noted(partial(self._body.read, n))
        await self._move(len(data))
        return data

    async def readinto(self, buffer: memoryview) -> int:
        check_not_closed(self._is_closed)
        n = min(len(buffer), self.size - self._position)
        if n <= 0:
            return 0
        size = await self._noted(partial(self._body.readinto, buffer[:n]))
        await self._move(size)
        return size

    async def next(self) -> bytes | None:
        check_not_closed(self._is_closed)
        left = self.size - self._position
        if left <= 0:
            return None
        data = await self._noted(self._body.next) or b""
        self._body_position += max(0, len(data) - left)
        await self._move(min(len(data), left))
        return data[:left]

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        check_not_closed(self._is_closed)
        self._position = seek_target(offset, whence, self._position, self.size)
        return self._position

    def go_back(self, n: int) -> None:
        """Moves the position back by the bytes that were read last, because the caller cannot use them."""
        self._position -= n

    async def close(self) -> None:
        self._is_closed = True
        await self._body.close()

    async def _noted(self, verb: Callable[[], Awaitable[T]]) -> T:
        """Calls a verb of the inner body at the position, and compares the response before its bytes count."""
        try:
            if self._body_position != self._start + self._position:
                self._body_position = await self._body.seek(self._start + self._position)
            result = await verb()
        except Error:
            self._pinned.note(self._response)  # a response of another object is the better error
            raise
        self._pinned.note(self._response)
        return result

    async def _move(self, size: int) -> None:
        if not size:
            raise ContentIncomplete("the storage sent fewer bytes of the archive than it has")
        self._body_position += size
        rest = self._length - self._body_position
        if self._position + size == self.size and 0 < rest <= _DRAINED:
            with suppress(Error):  # of bytes that are not needed
                self._body_position += len(await read_up_to(self._body, rest))
        self._position += size


class Checked(Read):
    """A part whose bytes must have a CRC-32, if they are read in turn from the first to the last.

    Arguments:
        part: the part.
        crc: the CRC-32.
    """

    __slots__ = ("_checked", "_crc", "_expected", "_part", "_position", "close")

    def __init__(self, part: Part, crc: int) -> None:
        self._part = part
        self._expected = crc
        self._crc = 0
        self._checked = 0
        self._position = 0
        self.close = part.close  # type: ignore[method-assign]

    @property
    def is_at_end(self) -> bool:
        return self._part.is_at_end

    @property
    def remaining(self) -> int | None:
        return self._part.remaining

    async def read(self, n: int) -> bytes:
        data = await self._part.read(n)
        self._check(data)
        return data

    async def readinto(self, buffer: memoryview) -> int:
        size = await self._part.readinto(buffer)
        self._check(buffer[:size])
        return size

    async def next(self) -> bytes | None:
        data = await self._part.next()
        self._check(data or b"")
        return data

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = await self._part.seek(offset, whence)
        return self._position

    def _check(self, data: bytes | memoryview) -> None:
        """Takes the bytes that were read at the position.

        Raises:
            ChecksumMismatch: they are the last ones, and all bytes have another CRC-32. The position has not moved.
        """
        if self._position == self._checked:
            crc, checked = zlib.crc32(data, self._crc), self._checked + len(data)
            if checked == self._part.size and crc != self._expected:
                self._part.go_back(len(data))
                raise checksum_mismatch()
            self._crc, self._checked = crc, checked
        self._position += len(data)


def checksum_mismatch() -> ChecksumMismatch:
    """The error for content that does not have its CRC-32."""
    return ChecksumMismatch("the member does not have the CRC-32 that the archive states: the archive is damaged")
