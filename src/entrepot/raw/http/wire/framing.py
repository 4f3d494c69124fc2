"""The framing of the content of a response (RFC 9112, 6 and 7).

A framing takes the bytes that a connection receives after the head and returns the content in them. The content ends at
a known length, with the last chunk of the chunked coding, or with the connection. Bytes past the end are dropped, and
`is_exact` becomes False: such a connection must not serve another request, since those bytes would be read as its
response.
"""

import sys
from enum import Enum, auto
from typing import Final

from entrepot.types.patterns import pattern

from .text_cache import MAX_TEXT, TextCache

FIELD_NAME: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
"""The name of a header (RFC 9110, 5.6.2)."""

MIN_DIRECT: Final = 16 * 1024
"""The least of a chunk, in bytes, that is received into a buffer by itself: less arrives with the chunks after it."""

_MAX_LINE: Final = 8 * 1024
"""The longest line of a chunk's size with its extensions, or of a trailer, in bytes."""

_MAX_TRAILERS: Final = 64 * 1024
"""The most bytes of trailers after the last chunk."""

_CRLF: Final = b"\r\n"
_SIZE: Final = pattern(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n\0]*)?")
_TRAILER: Final = pattern(FIELD_NAME.encode() + rb":[^\r\n\0]*")


class MalformedResponse(Exception):
    """The response breaks the rules of HTTP. The message repeats no part of it."""


class Framing:
    """Finds the end of the content. This base class is for content that ends with the connection.

    Attributes:
        is_at_end: whether all of the content was received.
        is_exact: whether the content ends at the last byte received, and every recipient would find the same end.
    """

    __slots__ = ("is_at_end", "is_exact")

    def __init__(self) -> None:
        self.is_at_end = False
        self.is_exact = False

    def take(self, data: bytes) -> bytes:
        """Takes bytes from the connection and returns the content in them.

        Raises:
            MalformedResponse: the content is not framed as the head says.
        """
        return data

    @property
    def receivable(self) -> int:
        """How many bytes may be received into a buffer now without `take`; 0 if the next bytes are to be taken.

        `note_received` must follow. Bytes past the end stay in the connection, so they do not make the end inexact.
        """
        return sys.maxsize

    def note_received(self, size: int) -> None:
        """Records that `size` bytes of content, at most `receivable`, were received without `take`."""


class ByLength(Framing):
    """Content of a known length.

    Arguments:
        length: in bytes.
    """

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length
        self.is_at_end = not length
        self.is_exact = True

    def take(self, data: bytes) -> bytes:
        size = len(data)
        if size < self._left:
            self._left -= size
            return data
        content, self._left = data[: self._left], 0
        self.is_at_end = True
        self.is_exact = self.is_exact and len(content) == size
        return content

    @property
    def receivable(self) -> int:
        return self._left

    def note_received(self, size: int) -> None:
        self._left -= size
        self.is_at_end = not self._left


class _Line(Enum):
    """The kind of the next line of the chunked coding."""

    SIZE = auto()
    CHUNK_END = auto()
    TRAILER = auto()


_SIZE_LINE: Final = _Line.SIZE  # a member of an enumeration takes long to look up


class Chunked(Framing):
    """Content in the chunked coding. Chunk extensions and trailers are dropped.

    A line that ends with a bare LF is accepted, but other recipients may not accept it, so it makes the end inexact.
    """

    __slots__ = ("_chunk_left", "_line", "_pending", "_trailers")

    def __init__(self) -> None:
        self.is_at_end = False
        self.is_exact = True
        self._line = _Line.SIZE
        self._pending = b""
        self._chunk_left = 0
        self._trailers = 0

    def take(self, data: bytes) -> bytes:
        if len(data) <= self._chunk_left:
            self._chunk_left -= len(data)
            return data
        if self._pending:
            data, self._pending = self._pending + data, b""
        content: list[bytes] = []
        position, size = 0, len(data)
        while position < size and not self.is_at_end:
            if self._chunk_left:
                content.append(data[position : position + self._chunk_left])
                position += len(content[-1])
                self._chunk_left -= len(content[-1])
            else:
                position = self._take_whole_chunks(data, position, content)
                if position < size:
                    position = self._take_line(data, position)
        if position < size:
            self.is_exact = False
        return content[0] if len(content) == 1 else b"".join(content)

    def _take_whole_chunks(self, data: bytes, position: int, content: list[bytes]) -> int:
        """Takes chunks that are complete, as most are. Returns the start of the line that the others start with.

        Whatever is unusual about a line is left to `_take_line`.
        """
        while self._line is _SIZE_LINE:
            line_end = data.find(_CRLF, position, position + MAX_TEXT)
            if line_end < 0:
                return position
            try:
                size = _sizes[data[position:line_end]]
            except ValueError:
                return position
            start = line_end + 2
            end = start + size
            if not size or data[end : end + 2] != _CRLF:
                return position
            content.append(data[start:end])
            position = end + 2
        return position

    @property
    def receivable(self) -> int:
        return self._chunk_left if self._chunk_left >= MIN_DIRECT else 0

    def note_received(self, size: int) -> None:
        self._chunk_left -= size

    def _take_line(self, data: bytes, start: int) -> int:
        """Takes the line that starts there, or keeps its start. Returns the start of the next line."""
        end = data.find(b"\n", start) + 1
        line = data[start : end or len(data)]
        if len(line) > _MAX_LINE:
            raise MalformedResponse("a line of the chunked coding is too long")
        if not end:
            self._keep(line)
            return len(data)
        if not line.endswith(b"\r\n"):
            self.is_exact = False
        self._interpret(line[:-2] if line.endswith(b"\r\n") else line[:-1])
        return end

    def _keep(self, start: bytes) -> None:
        if self._line is _Line.CHUNK_END and start != b"\r":
            raise MalformedResponse("a chunk is longer than its size")
        self._pending = start

    def _interpret(self, line: bytes) -> None:
        if self._line is _Line.SIZE:
            try:
                self._chunk_left = _sizes[line]
            except ValueError:
                raise MalformedResponse("the size of a chunk is not a number") from None
            self._line = _Line.CHUNK_END if self._chunk_left else _Line.TRAILER
        elif self._line is _Line.TRAILER:
            self._interpret_trailer(line)
        elif line:
            raise MalformedResponse("a chunk is longer than its size")
        else:
            self._line = _Line.SIZE

    def _interpret_trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if self._trailers > _MAX_TRAILERS:
            raise MalformedResponse("the trailers are too long")
        if line and not _TRAILER.fullmatch(line):
            raise MalformedResponse("a trailer is not a header")
        self.is_at_end = not line


def _chunk_size(line: bytes) -> int:
    """The size in the line before a chunk.

    Raises:
        ValueError: it is not a number.
    """
    found = _SIZE.fullmatch(line)
    if found is None:
        raise ValueError("not the size of a chunk")
    return int(found[1], 16)


_sizes: Final = TextCache(_chunk_size)
