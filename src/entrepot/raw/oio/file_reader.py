"""A reader over a window of a local file."""

import io
import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from entrepot.errors import ContentIncomplete, InvalidInput, Unsupported
from entrepot.raw.os_errors import os_errors_as_ours
from entrepot.types import BytesRange, Metadata

from .read import Read
from .seek import seek_target

if TYPE_CHECKING:
    from entrepot.raw.rps import RpRead
    from entrepot.raw.runtime import File, Runtime

PREAD_LIMIT: Final = 0x7FFFF000
"""The most bytes that Linux gives in one call (read(2)). More is not asked for: room for it would be taken."""

SNAPSHOT_STEP: Final = 256 * 1024
SNAPSHOT_LIMIT: Final = 64 * 1024 * 1024
"""The most bytes of a file without a size, which has to be held in memory. `/proc/self/pagemap` has 256 GiB."""


def into_read_from_file(
    runtime: "Runtime", opener: Callable[[], tuple[io.FileIO, Metadata]], window: BytesRange, reply: "RpRead"
) -> "FileReader":
    """A body over a window of a file, with `read`, `seek` and suffixes native.

    The window's end is clamped to the size that the file has when it is opened: what is appended
    later is not read, and a file that shrinks is `ContentIncomplete`.

    Arguments:
        runtime: where the calls that block are made.
        opener: opens the file; called by the first verb, in one hop together with the first read.
            Where the metadata has no `content_length`, as for files of `/proc`, the file is read
            when it is opened, whole, and what came then is what this body gives.
        window: which bytes; position 0 is its start.
        reply: receives the metadata that the opener found.
    """
    return FileReader(runtime, opener, window, reply)


class FileReader(Read):
    """Reads by position, so that nothing but this object says where the reader is."""

    __slots__ = ("_content", "_file", "_is_closed", "_opener", "_position", "_reply", "_runtime", "_window")

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
        self._content = _Content(0, 0, None)
        self._position = 0
        self._is_closed = False

    async def read(self, n: int) -> bytes:
        self._check_open()
        if self._file is None:
            data = await self._open(n)
        elif n == 0 or self._position >= self._content.size:
            return b""
        else:
            data = await self._file.run(_read, self._content, self._position, n)
        self._position += len(data)
        return data

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check_open()
        if whence == os.SEEK_END and self._file is None:
            await self._open(0)
        self._position = seek_target(offset, whence, self._position, self._content.size)
        return self._position

    async def close(self) -> None:
        self._is_closed = True
        if self._file is not None:
            await self._file.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise InvalidInput("the reader is closed")

    async def _open(self, n: int) -> bytes:
        position = self._position

        def open_and_read() -> tuple[io.FileIO, tuple[Metadata, _Content, bytes]]:
            with os_errors_as_ours():
                raw, metadata = self._opener()
            try:
                metadata, content = _locate(raw, metadata, self._window)
                return raw, (metadata, content, _read(raw, content, position, n))
            except BaseException:
                raw.close()
                raise

        self._file, (self._reply.metadata, self._content, data) = await self._runtime.open_file(open_and_read)
        return data


class _Content(NamedTuple):
    """Where a window lies in a file, or in what was read of it when it was opened."""

    start: int
    end: int
    snapshot: bytes | None

    @property
    def size(self) -> int:
        return self.end - self.start


def _locate(raw: io.FileIO, metadata: Metadata, window: BytesRange) -> tuple[Metadata, _Content]:
    if metadata.content_length is not None:
        return metadata, _Content(*window.resolve(metadata.content_length), None)
    snapshot = _read_whole(raw)
    start, end = window.resolve(len(snapshot))
    return replace(metadata, content_length=len(snapshot)), _Content(start, end, snapshot)


def _read_whole(raw: io.FileIO) -> bytes:
    parts, size = list[bytes](), 0
    with os_errors_as_ours():
        while part := os.pread(raw.fileno(), SNAPSHOT_STEP, size):
            parts.append(part)
            size += len(part)
            if size > SNAPSHOT_LIMIT:
                raise Unsupported(f"the file tells no size and does not end within {SNAPSHOT_LIMIT} bytes")
    return b"".join(parts)


def _read(raw: io.FileIO, content: _Content, position: int, n: int) -> bytes:
    wanted = min(n, content.size - position, PREAD_LIMIT)
    begin = content.start + position
    if wanted <= 0:
        return b""
    if content.snapshot is not None:
        return content.snapshot[begin : begin + wanted]
    with os_errors_as_ours():
        data = os.pread(raw.fileno(), wanted, begin)
    if not data:
        raise ContentIncomplete(
            f"the file shrank while it was read: {content.size} bytes were there, {position} came",
            is_temporary=False,
        )
    return data
