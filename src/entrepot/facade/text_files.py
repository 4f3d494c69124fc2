"""The text files of `Operator.open`, around binary ones.

Theory of operation. `TextReader` decodes blocks of bytes into segments. A segment has the state of the decoder at its
start, so `tell` can count from there. `tell` returns a plain position in bytes where the decoder has no state at that
position. Otherwise the number also says which state the decoder had and how many characters to skip (as in
`io.TextIOWrapper`).
"""

from __future__ import annotations

import codecs
import io
import os
from collections import deque
from types import TracebackType
from typing import Final, cast

from entrepot.errors import Unsupported
from entrepot.raw.oio.read.api import WHOLE
from entrepot.raw.oio.read.read_ahead import START
from entrepot.types.shown import shown_type

from .file_mode import FileMode
from .files import AsyncFile, BinaryReader, BinaryWriter

_STATE_SHIFT: Final = 64
_SKIP_SHIFT: Final = 128


class _Text(AsyncFile[str]):
    """A text file around a binary one."""

    def __init__(self, buffer: BinaryReader | BinaryWriter, mode: FileMode) -> None:
        super().__init__(buffer.name, mode.name)
        self.buffer = buffer
        self.encoding = mode.encoding
        self.errors = mode.errors

    @property
    def closed(self) -> bool:
        return self.buffer.closed

    async def close(self) -> None:
        await self.buffer.close()


class _Segment:
    """Decoded text, and where it came from.

    Arguments:
        start: the position of its first byte.
        state: the flags of the decoder there.
        data: the bytes that it was decoded from.
        is_last: whether the decoder was told that the data ends there.
        text: the text.
    """

    __slots__ = ("data", "is_last", "start", "state", "text")

    def __init__(self, start: int, state: int, data: bytes, text: str, *, is_last: bool) -> None:
        self.start = start
        self.state = state
        self.data = data
        self.text = text
        self.is_last = is_last


class TextReader(_Text):
    """A text file that reads.

    Attributes:
        buffer: the binary file.
        encoding: the encoding.
        errors: how it handles bytes that it cannot decode.
    """

    buffer: BinaryReader

    def __init__(self, buffer: BinaryReader, mode: FileMode) -> None:
        super().__init__(buffer, mode)
        self._newline = mode.newline
        self._decoder = self._new_decoder()
        self._segments: deque[_Segment] = deque()
        self._used = 0
        self._has_ended = False

    @property
    def newlines(self) -> str | tuple[str, ...] | None:
        """The ends of lines that were translated so far."""
        return getattr(self._decoder, "newlines", None)

    def readable(self) -> bool:
        return True

    async def read(self, n: int | None = -1) -> str:
        self._check_open()
        if n is None or n < 0:
            while await self._fill(WHOLE):
                pass
            return self._take(self._left)
        while self._left < n and await self._fill(n - self._left):
            pass
        return self._take(n)

    async def readline(self, size: int | None = -1) -> str:
        self._check_open()
        limit = -1 if size is None else size
        while True:
            length = self._line_length()
            if length or 0 <= limit <= self._left or not await self._fill(max(START, self._left)):
                break
        length = length or self._left
        return self._take(min(length, limit) if limit >= 0 else length)

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check_open()
        if whence not in {os.SEEK_SET, os.SEEK_CUR, os.SEEK_END}:
            raise ValueError(f"invalid whence: {whence}")
        if whence != os.SEEK_SET and offset:
            raise Unsupported("a text file can only move to a position that `tell` returned, its start or its end")
        if whence == os.SEEK_CUR:
            return await self.tell()
        if whence == os.SEEK_END:
            position = await self.buffer.seek(0, os.SEEK_END)
            self._restart(0, 0)
            return position
        return await self._return_to(offset)

    async def tell(self) -> int:
        self._check_open()
        if not self._segments:
            pending, state = self._decoder.getstate()
            return _cookie(await self.buffer.tell() - len(pending), state)
        segment = self._segments[0]
        if not self._used:
            return _cookie(segment.start, segment.state)
        if (size := self._encoded_size(segment)) is not None:
            return segment.start + size
        return _cookie(segment.start, segment.state, self._used)

    def _new_decoder(self) -> codecs.IncrementalDecoder:
        decoder = codecs.getincrementaldecoder(self.encoding)(self.errors)
        if self._newline:
            return decoder
        return cast("codecs.IncrementalDecoder", io.IncrementalNewlineDecoder(decoder, translate=self._newline is None))

    @property
    def _left(self) -> int:
        return sum(len(segment.text) for segment in self._segments) - self._used

    async def _fill(self, n: int) -> bool:
        """Decodes another block, of at least `n` bytes if the file has them. False at the end."""
        if self._has_ended:
            return False
        pending, state = self._decoder.getstate()
        data = await self.buffer.read1() if n <= START else await self.buffer.read(-1 if n == WHOLE else n)
        self._has_ended = not data or n == WHOLE
        text = self._decoder.decode(data, self._has_ended)
        if text:
            start = await self.buffer.tell() - len(data) - len(pending)
            segment = _Segment(start, state, pending + data, text, is_last=self._has_ended)
            self._segments.append(segment)
        return not self._has_ended

    def _take(self, n: int) -> str:
        parts = []
        while n > 0 and self._segments:
            text = self._segments[0].text
            part = text[self._used : self._used + n]
            parts.append(part)
            n -= len(part)
            self._used += len(part)
            if self._used == len(text):
                self._segments.popleft()
                self._used = 0
        return parts[0] if len(parts) == 1 else "".join(parts)

    def _line_length(self) -> int:
        """The length of the next line, with its end; 0 if its end is not here yet."""
        if not self._segments:
            return 0
        text = self._segments[0].text
        if (end := _end_of_line(text, self._used, self._newline)) or len(self._segments) == 1:
            return end - self._used if end else 0
        rest = "".join(segment.text for segment in self._segments)
        return (_end_of_line(rest, self._used, self._newline) or self._used) - self._used

    def _encoded_size(self, segment: _Segment) -> int | None:
        """How many bytes the used characters took, if the decoder has no state after them."""
        decoder = self._new_decoder()
        decoder.setstate((b"", segment.state))
        guess = len(segment.text[: self._used].encode(self.encoding, "replace"))  # right unless ends are translated
        if decoder.decode(segment.data[:guess]) == segment.text[: self._used] and decoder.getstate() == (b"", 0):
            return guess
        decoder.setstate((b"", segment.state))
        count = 0
        for end in range(1, len(segment.data) + 1):
            count += len(decoder.decode(segment.data[end - 1 : end]))
            if count == self._used and decoder.getstate() == (b"", 0):
                return end
            if count > self._used:
                break
        return None

    def _restart(self, position: int, state: int) -> None:
        self._segments.clear()
        self._used = 0
        self._has_ended = False
        self._decoder.reset()
        if position:  # at the start the decoder expects a byte order mark, which is its own state
            self._decoder.setstate((b"", state))

    async def _return_to(self, cookie: int) -> int:
        if cookie < 0:
            raise ValueError(f"negative position: {cookie}")
        mask = (1 << _STATE_SHIFT) - 1
        position, state, skip = cookie & mask, cookie >> _STATE_SHIFT & mask, cookie >> _SKIP_SHIFT
        await self.buffer.seek(position)
        self._restart(position, state)
        if len(await self.read(skip)) < skip:
            raise OSError("the text ends before the position")
        return cookie


class TextWriter(_Text):
    """A text file that writes.

    Attributes:
        buffer: the binary file.
        encoding: the encoding.
        errors: how it handles characters that it cannot encode.
    """

    buffer: BinaryWriter

    def __init__(self, buffer: BinaryWriter, mode: FileMode) -> None:
        super().__init__(buffer, mode)
        self._encoder = codecs.getincrementalencoder(mode.encoding_written)(mode.errors)
        self._end_of_line = os.linesep if mode.newline is None else mode.newline or "\n"
        self.line_buffering = mode.buffering == 1

    async def writable(self) -> bool:
        return True

    async def write(self, data: str) -> int:
        self._check_open()
        if not isinstance(data, str):
            raise TypeError(f"a text file takes str, not {shown_type(data)}")
        text = data if self._end_of_line == "\n" else data.replace("\n", self._end_of_line)
        state = self._encoder.getstate()
        encoded = self._encoder.encode(text)
        try:
            await self.buffer.write(encoded)
        except BaseException:
            self._encoder.setstate(state)
            raise
        if self.line_buffering and "\n" in data:
            await self.flush()
        return len(data)

    async def tell(self) -> int:
        return await self.buffer.tell()

    async def flush(self) -> None:
        await self.buffer.flush()

    async def abort(self) -> None:
        """Discards the written data and closes the file. No effect on a closed file."""
        await self.buffer.abort()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.buffer.__aexit__(exc_type, exc, traceback)


def _cookie(position: int, state: int, skip: int = 0) -> int:
    """A position in a text file as `tell` returns it."""
    return position | (state if position else 0) << _STATE_SHIFT | skip << _SKIP_SHIFT


def _end_of_line(text: str, start: int, newline: str | None) -> int:
    """The position after the end of the line that begins at `start`; 0 if it is not in the text."""
    if newline != "":
        end = newline or "\n"
        found = text.find(end, start)
        return found + len(end) if found >= 0 else 0
    ends = [text.find(mark, start) for mark in ("\r", "\n")]
    found = min((end for end in ends if end >= 0), default=-1)
    return found + (2 if text.startswith("\r\n", found) else 1) if found >= 0 else 0
