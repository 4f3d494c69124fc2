"""A reader over a window of a local file."""

import io
import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from entrepot.errors import ContentIncomplete
from entrepot.types import BytesRange, Metadata

from .read import Read
from .seek import seek_target

if TYPE_CHECKING:
    from entrepot.raw.rps import RpRead
    from entrepot.raw.runtime import File, Runtime

MEASURING_READ: Final = 256 * 1024


def into_read_from_file(
    runtime: "Runtime", opener: Callable[[], tuple[io.FileIO, Metadata]], window: BytesRange, reply: "RpRead"
) -> "FileReader":
    """A body over a window of a file, with `read` and `seek` native.

    Arguments:
        runtime: where the calls that block are made.
        opener: opens the file; called by the first verb, in one hop together with the first read.
        window: which bytes; position 0 is its start.
        reply: receives the metadata that the opener found.
    """
    return FileReader(runtime, opener, window, reply)


class FileReader(Read):
    """Reads by position, so that nothing but this object says where the reader is."""

    __slots__ = ("_file", "_opener", "_place", "_position", "_reply", "_runtime", "_window")

    def __init__(
        self,
        runtime: "Runtime",
        opener: Callable[[], tuple[io.FileIO, Metadata]],
        window: BytesRange,
        reply: "RpRead",
    ) -> None:
        self._runtime = runtime
        self._opener = opener
        self._window = window
        self._reply = reply
        self._file: File | None = None
        self._place = _Place(0, 0, 0)
        self._position = 0

    async def read(self, n: int) -> bytes:
        if self._file is None:
            data = await self._open(n)
        elif n == 0 or self._position >= self._place.size:
            return b""
        else:
            data = await self._file.run(_read, self._place, self._position, n)
        self._position += len(data)
        return data

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END and self._file is None:
            await self._open(0)
        self._position = seek_target(offset, whence, self._position, self._place.size)
        return self._position

    async def close(self) -> None:
        if self._file is not None:
            await self._file.close()

    async def _open(self, n: int) -> bytes:
        position = self._position

        def open_and_read() -> tuple[io.FileIO, tuple[Metadata, _Place, bytes]]:
            raw, metadata = self._opener()
            try:
                metadata, place = _measure(raw, metadata, self._window)
                return raw, (metadata, place, _read(raw, place, position, n))
            except BaseException:
                raw.close()
                raise

        self._file, (self._reply.metadata, self._place, data) = await self._runtime.open_file(open_and_read)
        return data


class _Place(NamedTuple):
    """Where a window lies in a file, and the size that the file claimed when that was settled."""

    start: int
    end: int
    claimed_size: int

    @property
    def size(self) -> int:
        return self.end - self.start


def _measure(raw: io.FileIO, metadata: Metadata, window: BytesRange) -> tuple[Metadata, _Place]:
    claimed = metadata.content_length or 0
    size = claimed or _find_end(raw)
    if size != claimed:
        metadata = replace(metadata, content_length=size)
    return metadata, _Place(*window.resolve(size), claimed)


def _find_end(raw: io.FileIO) -> int:
    """The size of a file that claims to have none, by reading it: `/proc` has such files."""
    size = 0
    while data := os.pread(raw.fileno(), MEASURING_READ, size):
        size += len(data)
    return size


def _read(raw: io.FileIO, place: _Place, position: int, n: int) -> bytes:
    wanted = min(n, place.size - position)
    if wanted <= 0:
        return b""
    data = os.pread(raw.fileno(), wanted, place.start + position)
    if not data:
        _check_not_shrunk(raw, place, position)
    return data


def _check_not_shrunk(raw: io.FileIO, place: _Place, position: int) -> None:
    """Tells a file that lost its tail from one that never had the size it claims: `/sys` has such files."""
    if os.fstat(raw.fileno()).st_size != place.claimed_size:
        raise ContentIncomplete(
            f"the file shrank while it was read: {place.size} bytes were there, {position} came",
            is_temporary=False,
        )
