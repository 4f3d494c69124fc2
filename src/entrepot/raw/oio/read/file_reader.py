"""A reader over a window of a local file.

The first verb opens the file and reads, in one thread call. A later verb reads at a position, without a thread call
where the bytes are in memory (`cached_part`), else by one with `os.pread`. So the position is only in `FileReader`, and
an abandoned call of a cancelled caller cannot move it. Three contents need no file after that first call, and live in
memory (`_Content.snapshot`): a small file that was read whole, a file without a size (`/proc`), and bytes from the page
cache (`cached`).

Reads that follow each other as those of a stream are made ahead of the caller (`StreamAhead`).

With `chunk`, a call reads at least so many bytes. What the caller did not want of them is `_block`, which starts at
`_block_start`; the next reads come out of it. Each call then compares the time of the file's last change with the one
at its opening, as its etag would: so all chunks are of one content.
"""

import io
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from entrepot.errors import ConditionNotMatch, ContentIncomplete, InvalidInput, Unsupported
from entrepot.raw.os_errors import translate_os_errors
from entrepot.types import BytesRange, Metadata
from entrepot.types.records import replace

from .api import Read
from .seek import seek_target
from .stream_ahead import StreamAhead

if TYPE_CHECKING:
    from entrepot.raw.rps import RpRead
    from entrepot.raw.runtime import File, Runtime

PREAD_LIMIT: Final = 0x7FFFF000
"""The most bytes that Linux returns from one call (read(2)). A request for more would only allocate memory."""

SNAPSHOT_STEP: Final = 256 * 1024
SNAPSHOT_LIMIT: Final = 64 * 1024 * 1024
"""The most bytes of a file without a size, which must be held in memory. `/proc/self/pagemap` has 256 GiB."""

PIECE: Final = 2 * 1024 * 1024
"""The bytes of a piece of a stream: large enough that a thread call costs little beside reading them. Three of them, as
a stream has for a moment, need less memory than two of twice the size."""

SMALL: Final = 64 * 1024
"""A window of at most this many bytes that the first read takes whole is kept, and its file closed in that call."""

Opener = Callable[[], tuple[io.FileIO, Metadata]]
Cached = Callable[[int], tuple[Metadata, bytes] | None]
CachedPart = Callable[[int, int, int], bytes | None]


def into_read_from_file(
    runtime: "Runtime",
    opener: Opener,
    window: BytesRange,
    response: "RpRead",
    cached: Cached | None = None,
    cached_part: CachedPart | None = None,
    chunk: int | None = None,
) -> "FileReader":
    """Returns a body over a window of a file, with native `read`, `next`, `seek` and suffixes.

    The window's end is clamped to the file's size when it is opened: bytes appended later are not read,
    and a file that shrinks is `ContentIncomplete`. With `chunk`, any change of the file is `ConditionNotMatch`.

    Arguments:
        runtime: makes the blocking calls.
        opener: opens the file. The first verb calls it, in one thread call together with the first read.
            If the metadata has no `content_length`, as for files of `/proc`, the whole file is read
            when it is opened, and this body serves those bytes.
        window: the bytes to read; position 0 is its start.
        response: receives the opener's metadata.
        cached: called with a size, returns the metadata and the whole window, if it has at most that many bytes and
            they can be read without blocking; else None, and the file is opened. By default nothing is tried.
        cached_part: called with the descriptor of the open file, a start and an end, returns these bytes if they can be
            read without blocking; else None. By default nothing is tried.
        chunk: the fewest bytes of a call; by default a call reads no more than the caller wants.
    """
    return FileReader(runtime, opener, window, response, cached, cached_part, chunk)


def read_window_of_file(descriptor: int, metadata: Metadata, window: BytesRange) -> tuple[Metadata, bytes] | None:
    """Reads a window of an open file by one call. Blocks.

    Arguments:
        descriptor: the file.
        metadata: its metadata. Without `content_length`, as for files of `/proc`, the whole file is read.
        window: the bytes to read.

    Returns:
        The metadata with the length, and the bytes; None if one call cannot return all of them, or did not.
    """
    metadata, content = _locate(descriptor, metadata, window)
    if content.size > PREAD_LIMIT:
        return None
    if content.snapshot is not None:
        return metadata, content.snapshot[content.start : content.end]
    with translate_os_errors():
        data = os.pread(descriptor, content.size, content.start)
    return (metadata, data) if len(data) == content.size else None


class FileReader(Read):
    """Reads a file by position (`os.pread`). This object alone holds the position."""

    __slots__ = (
        "_ahead",
        "_block",
        "_block_start",
        "_cached",
        "_cached_part",
        "_chunk",
        "_content",
        "_file",
        "_is_closed",
        "_opener",
        "_position",
        "_response",
        "_runtime",
        "_window",
    )

    def __init__(
        self,
        runtime: "Runtime",
        opener: Opener,
        window: BytesRange,
        response: "RpRead",
        cached: Cached | None = None,
        cached_part: CachedPart | None = None,
        chunk: int | None = None,
    ) -> None:
        self._runtime = runtime
        self._opener = opener
        self._window = window
        self._response = response
        self._cached = cached
        self._cached_part = cached_part
        self._chunk = chunk or 0
        self._block = b""
        self._block_start = 0
        self._file: File | None = None
        self._content: _Content | None = None
        self._ahead = StreamAhead()
        self._position = 0
        self._is_closed = False

    @property
    def is_at_end(self) -> bool:
        return self._content is not None and self._position >= self._content.size

    async def read(self, n: int) -> bytes:
        self._check_open()
        content = self._content
        if content is None:
            data = await self._open(n)
        elif n == 0 or self._position >= content.size:
            return b""
        elif content.snapshot is not None:
            data = _read_snapshot(content.snapshot, content, self._position, n)
        else:
            data = self._rest_of_block(n) or await self._read_file(content, n)
        self._position += len(data)
        return data

    async def readinto(self, buffer: memoryview) -> int:
        self._check_open()
        if self._content is None:
            await self._open(0)
        content = self._content
        assert content is not None
        if content.snapshot is not None or len(buffer) < SMALL or self._position >= content.size:
            return await super().readinto(buffer)  # copying costs less than a task
        assert self._file is not None
        self._ahead.drop()
        # The thread writes to the caller's memory, so the call is over only when the thread has ended.
        call = partial(self._file.run, _read_into, content, self._position, buffer)
        size = await self._runtime.shield(call)
        self._position += size
        return size

    async def next(self) -> bytes | None:
        return await self.read(PIECE) or None

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check_open()
        if whence == os.SEEK_END and self._content is None:
            await self._open(0)
        position = seek_target(offset, whence, self._position, self._content.size if self._content else None)
        if position != self._position:
            self._ahead.drop()
            self._position = position
        return self._position

    async def close(self) -> None:
        self._is_closed = True
        self._block = b""
        self._ahead.drop()
        if self._file is not None:
            await self._file.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise InvalidInput("the reader is closed")

    def _rest_of_block(self, n: int) -> bytes:
        begin = self._position - self._block_start
        return self._block[begin : begin + n] if begin >= 0 else b""

    async def _read_file(self, content: "_Content", n: int) -> bytes:
        assert self._file is not None
        wanted = max(n, self._chunk)
        continues = self._ahead.continues(self._position, wanted)
        data = await self._ahead.take()
        if data is None:
            data = await self._read_now(self._file, content, wanted)
        end = self._position + len(data)
        self._ahead.expect(end, wanted)
        if continues and end < content.size:
            self._ahead.start(self._file, partial(_read_at, content, wanted), content.size)
        return self._cut(data, n)

    async def _read_now(self, file: "File", content: "_Content", n: int) -> bytes:
        if self._cached_part is not None:
            data = await self._runtime.try_nonblocking(self._read_cached, content, n)
            if data is not None:
                return data
        return await file.run(_read, content, self._position, n)

    def _read_cached(self, content: "_Content", n: int) -> bytes | None:
        """The bytes at the position, all that are wanted, or None. The file is open: no other task closes it."""
        assert self._cached_part is not None
        begin = content.start + self._position
        data = self._cached_part(content.descriptor, begin, min(begin + n, content.end))
        return None if data is None or content.has_changed() else data

    def _cut(self, data: bytes, n: int) -> bytes:
        """The bytes that the caller wanted. If there are more, all are kept for the next reads."""
        if len(data) <= n:
            return data
        self._block, self._block_start = data, self._position
        return data[:n]

    async def _open(self, n: int) -> bytes:
        wanted = n and max(n, self._chunk)
        hit = await self._runtime.try_nonblocking(self._cached, wanted) if n and self._cached is not None else None
        if hit is None:
            opened = self._runtime.open_file(partial(self._open_and_read, self._position, wanted))
            self._file, (self._response.metadata, self._content, data) = await opened
            self._ahead.expect(self._position + len(data), wanted)
            return self._cut(data, n)
        self._response.metadata, whole = hit
        self._content = _Content(0, len(whole), whole)
        return _read_snapshot(whole, self._content, self._position, n)

    def _open_and_read(self, position: int, n: int) -> tuple[io.FileIO, tuple[Metadata, "_Content", bytes]]:
        """Opens the file, reads, and closes it again if all of the window is in memory now. Blocks."""
        with translate_os_errors():
            raw, metadata = self._opener()
        try:
            metadata, content = _locate(raw.fileno(), metadata, self._window)
            content = content._replace(descriptor=raw.fileno())
            if self._chunk:
                content = content._replace(changed=content.last_change())
            data = _read(raw, content, position, n)
            if len(data) == content.size <= SMALL:
                content = _Content(0, len(data), data)
            if content.snapshot is not None:
                raw.close()
        except BaseException:
            raw.close()
            raise
        return raw, (metadata, content, data)


class _Content(NamedTuple):
    """The place of a window in a file, or in the bytes that were read when it was opened."""

    start: int
    end: int
    snapshot: bytes | None
    descriptor: int = -1
    changed: int | None = None
    """The time of the file's last change, where a read must check it."""

    @property
    def size(self) -> int:
        return self.end - self.start

    def last_change(self) -> int:
        with translate_os_errors():
            return os.fstat(self.descriptor).st_ctime_ns

    def has_changed(self) -> bool:
        return self.changed is not None and self.changed != self.last_change()

    def check_unchanged(self) -> None:
        if self.has_changed():
            raise ConditionNotMatch("the object changed during the read")


def _locate(descriptor: int, metadata: Metadata, window: BytesRange) -> tuple[Metadata, _Content]:
    if metadata.content_length is not None:
        return metadata, _Content(*window.resolve(metadata.content_length), None)
    snapshot = _read_whole(descriptor)
    start, end = window.resolve(len(snapshot))
    return replace(metadata, content_length=len(snapshot)), _Content(start, end, snapshot)


def _read_whole(descriptor: int) -> bytes:
    parts, size = list[bytes](), 0
    with translate_os_errors():
        while part := os.pread(descriptor, SNAPSHOT_STEP, size):
            parts.append(part)
            size += len(part)
            if size > SNAPSHOT_LIMIT:
                raise Unsupported(f"the file reports no size and has more than {SNAPSHOT_LIMIT} bytes")
    return b"".join(parts)


def _read_snapshot(snapshot: bytes, content: _Content, position: int, n: int) -> bytes:
    begin = content.start + position
    return snapshot[begin : min(begin + n, content.end)]


def _read(raw: io.FileIO, content: _Content, position: int, n: int) -> bytes:
    wanted = min(n, content.size - position, PREAD_LIMIT)
    begin = content.start + position
    if wanted <= 0:
        return b""
    if content.snapshot is not None:
        return _read_snapshot(content.snapshot, content, position, n)
    with translate_os_errors():
        data = os.pread(raw.fileno(), wanted, begin)
        content.check_unchanged()
    if not data:
        raise _shrank(content, position)
    return data


def _read_at(content: _Content, n: int, raw: io.FileIO, position: int) -> bytes:
    return _read(raw, content, position, n)


def _read_into(raw: io.FileIO, content: _Content, position: int, buffer: memoryview) -> int:
    wanted = min(len(buffer), content.size - position, PREAD_LIMIT)
    with translate_os_errors():
        size = os.preadv(raw.fileno(), [buffer[:wanted]], content.start + position)
        content.check_unchanged()
    if not size:
        raise _shrank(content, position)
    return size


def _shrank(content: _Content, position: int) -> ContentIncomplete:
    return ContentIncomplete(
        f"the file shrank during the read: it had {content.size} bytes, {position} came",
        is_temporary=False,
    )
