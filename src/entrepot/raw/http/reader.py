"""The body of a read over HTTP: one request, sent by the first verb, whose response is checked.

Theory of operation. The Content-Range decides (RFC 9110, 14.4), whatever the status is. A 200 without one is the whole
object: the range is cut out of it, and it is never returned as if it were the range. A response that has only the start
of the range is read, and then ends with `ContentIncomplete`, not with the end. A 416 states the size of the object: a
range that starts exactly at its end is empty, a range that starts past it is an error.

`place` computes where the range is in the content (`Placed`): the bytes to skip, the length, and whether more bytes may
follow. From then on the reader only counts down: too few bytes are `ContentIncomplete`, too many `ContentTruncated`.
The position moves only after bytes were returned, so a verb that failed or was cancelled can be called again.

If the response has the whole object and states its checksum, the content is compared with it as it is read. The last
bytes are handed out only if it is equal. A reader that continues at an offset after an error cannot compare.

The metadata of a response is read before the range is looked for in it, and also if the range is not in it, so that
a reader that needs several responses sees first whether they are of the same object.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from entrepot.errors import ContentIncomplete, ContentTruncated, RangeNotSatisfied, Unexpected, Unsupported
from entrepot.raw.oio.read.api import WHOLE, Read
from entrepot.raw.rps import RpRead
from entrepot.types import BytesRange, Metadata

from .dialect import ContentCheck
from .headers import parse_length
from .ranges import ContentRange, parse_content_range
from .transport import HttpBody, HttpHeaders, HttpResponse

Describe = Callable[[HttpHeaders, int | None], Metadata]

CONTENT_STATUSES: Final = frozenset({200, 203, 204, 206})
"""The statuses of responses with the content of an object: 203 is from a proxy that changed it, 204 is empty."""

RANGE_STATUSES: Final = CONTENT_STATUSES | {416}
"""The statuses of responses to a request for a range, which may be refused."""


def unchecked(headers: HttpHeaders) -> ContentCheck | None:
    """No check of content, for servers that state no checksums."""
    return None


class HttpReader(Read):
    """Reads a range. It has `read` and `next`, and cannot seek. Every byte it returns is in the range.

    Arguments:
        send: sends the request. It returns a response with one of `RANGE_STATUSES` and raises for any other.
        requested: the range of the request, not empty.
        describe: returns the metadata in the headers of a response, given the size of the object if it is known.
        result: receives the metadata.
        checked: returns the check of the content of a whole object from the headers of its response, or None.
        received: a response that `send` has returned already, which the first verb uses.
    """

    __slots__ = (
        "_body",
        "_check",
        "_checked",
        "_describe",
        "_left",
        "_placed",
        "_received",
        "_requested",
        "_result",
        "_send",
        "_skip",
    )

    def __init__(
        self,
        send: Callable[[], Awaitable[HttpResponse]],
        requested: BytesRange,
        describe: Describe,
        result: RpRead,
        checked: Callable[[HttpHeaders], ContentCheck | None] = unchecked,
        received: HttpResponse | None = None,
    ) -> None:
        self._checked = checked
        self._received = received
        self._check: ContentCheck | None = None
        self._send = send
        self._requested = requested
        self._describe = describe
        self._result = result
        self._body: HttpBody | None = None
        self._placed = Placed(0, None, None, is_cut=False)
        self._skip = 0
        self._left: int | None = None

    @property
    def is_at_end(self) -> bool:
        if self._left != 0 or self._body is None or self._placed.is_part:
            return False
        return self._placed.is_cut or self._body.is_at_end

    @property
    def remaining(self) -> int | None:
        return self._left if self._placed.is_exact else None

    async def read(self, n: int) -> bytes:
        if n == 0:
            return b""
        body = self._body or await self._open()
        if self._skip:
            await self._skip_start(body)
        if self._left == 0:
            return await self._end(body)
        return self._take(await body.read(n))

    async def readinto(self, buffer: memoryview) -> int:
        if not buffer:
            return 0
        body = self._body or await self._open()
        if self._skip:
            await self._skip_start(body)
        if self._left == 0:
            return len(await self._end(body))
        part = buffer if self._left is None else buffer[: self._left]
        size = await body.readinto(part)
        self._count(size)
        if self._check is not None:
            self._verify(self._check, part[:size])
        return size

    async def next(self) -> bytes | None:
        return await self.read(WHOLE) or None

    async def close(self) -> None:
        received, body = self._received, self._body
        self._received = self._body = None
        for unread in (body, None if received is None else received.body):
            if unread is not None:
                await unread.close()

    async def _open(self) -> HttpBody:
        response, self._received = self._received or await self._send(), None
        try:
            placed = self._placed_refused(response) if response.status == 416 else self._placed_content(response)
        except BaseException:
            await response.body.close()
            raise
        self._placed, self._skip, self._left = placed, placed.skip, placed.length
        self._body = response.body
        return response.body

    def _placed_content(self, response: HttpResponse) -> "Placed":
        content = stated_content(response)
        self._result.metadata = self._describe(response.headers, content.size)
        placed = place(content, self._requested)
        self._result.is_whole = placed.is_cut
        if self._requested.is_full and content.part is None:
            self._check = self._checked(response.headers)
        return placed

    def _placed_refused(self, response: HttpResponse) -> "Placed":
        """Places the range in a 416, which states only the size of the object."""
        self._result.size = refused_size(response)
        return place_refused(self._result.size, self._requested)

    async def _skip_start(self, body: HttpBody) -> None:
        while self._skip:
            dropped = await body.read(self._skip)
            if not dropped and self._placed.size is not None:
                raise ContentIncomplete(f"the content ends {self._skip} bytes before the range starts")
            if not dropped:
                self._result.size = self._placed.skip - self._skip
                raise RangeNotSatisfied(f"the object ends {self._skip} bytes before the range starts")
            self._skip -= len(dropped)

    def _take(self, data: bytes) -> bytes:
        if self._left is not None and len(data) > self._left:
            if not self._placed.is_cut:
                raise ContentTruncated("the content is longer than the response states")
            data = data[: self._left]
        self._count(len(data))
        if self._check is not None:
            self._verify(self._check, data)
        return data

    def _count(self, size: int) -> None:
        """Counts bytes of the range down; none are the end."""
        if self._left is None:
            return
        if not size and self._placed.is_exact:
            raise ContentIncomplete(f"the content ends {self._left} bytes early")
        self._left -= size

    def _verify(self, check: ContentCheck, data: bytes | memoryview) -> None:
        check.update(data)
        if self._left == 0 or not data:
            check.finish()

    async def _end(self, body: HttpBody) -> bytes:
        """Checks the end of the range. It must be the end of the content, unless the range is cut out of it."""
        if self._check is not None:
            self._check.finish()
        if not self._placed.is_cut and await body.read(1):
            raise ContentTruncated("the content is longer than the response states")
        if self._placed.is_part:
            raise ContentIncomplete("the response has only the start of the range")
        return b""


class Placed(NamedTuple):
    """The place of a range in the content of a response.

    Attributes:
        skip: how many bytes of content come before the range.
        length: the number of bytes in the range; an upper bound if they are cut out of an object of unknown size; None
            if only the end of the content shows it.
        size: the size of the whole object, if it is known.
        is_cut: whether more content may follow the range.
        is_part: whether the content is, or may be, only the start of the range.
    """

    skip: int
    length: int | None
    size: int | None
    is_cut: bool
    is_part: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether `length` is exact, and not only an upper bound."""
        return self.size is not None or not self.is_cut


class StatedContent(NamedTuple):
    """The content of a response according to its headers.

    Attributes:
        part: the part of the object that it is; None for the whole object.
        length: its number of bytes, if it is stated.
        size: the size of the object, if it is stated.
        unplaced: the content type of a partial response that does not state its part; None for all others.
    """

    part: ContentRange | None
    length: int | None
    size: int | None
    unplaced: str | None = None


def stated_content(response: HttpResponse) -> StatedContent:
    """The content of a response according to its headers.

    Raises:
        ContentTruncated: the Content-Range is malformed.
    """
    if response.status == 204:
        return StatedContent(None, 0, 0)
    length = parse_length(response.headers.get("content-length"))
    stated = response.headers.get("content-range")
    if stated is not None:
        part = parse_content_range(stated)
        return StatedContent(part, length, part.size)
    if response.status == 206:
        return StatedContent(None, length, None, response.headers.get("content-type", ""))
    return StatedContent(None, length, length)


def place(content: StatedContent, requested: BytesRange) -> Placed:
    """The place of the range in the content of a response.

    Raises:
        ContentTruncated: the response has another range or several, or contradicts itself.
        RangeNotSatisfied: the range starts past the end of the object.
        Unsupported: the range is a suffix, and the server does not state the size of the object.
    """
    if content.part is not None:
        return _place_partial(content.part, content.length, requested)
    if content.unplaced is not None:
        several = " and has several" if content.unplaced.lower().startswith("multipart/") else ""
        raise ContentTruncated(f"the partial response does not state its part{several}")
    return _place_whole(content.length, requested)


def refused_size(response: HttpResponse) -> int | None:
    """The size of the object that a 416 states.

    Raises:
        ContentTruncated: the statement is malformed.
    """
    stated = response.headers.get("content-range")
    return None if stated is None else parse_content_range(stated).size


def place_refused(size: int | None, requested: BytesRange) -> Placed:
    """The place of a refused range. It is empty only if the server states a size that proves it.

    Raises:
        RangeNotSatisfied: the range starts, or may start, past the end of the object.
        Unexpected: the server refuses a range that is in the object.
    """
    if size is None or (requested.suffix is None and requested.start > size):
        raise RangeNotSatisfied(
            f"the server refuses the range {requested} of an object of {'unknown' if size is None else size} bytes"
        )
    if size > 0 and (requested.suffix is not None or requested.start < size):
        raise Unexpected(f"the server refuses the range {requested}, which is in the object of {size} bytes")
    return Placed(0, 0, size, is_cut=True)


def _place_partial(part: ContentRange, length: int | None, requested: BytesRange) -> Placed:
    if part.start is None or part.end is None:
        raise ContentTruncated("the partial response states that its content is not a part")
    if length is not None and length != part.end - part.start:
        raise ContentTruncated(f"{length} bytes of content cannot be the bytes {part.start} to {part.end}")
    start, end = _expected(part, requested)
    if part.start != start or (end is not None and part.end > end):
        raise ContentTruncated(f"the response has the bytes {part.start} to {part.end}, not the range {requested}")
    return Placed(0, part.end - start, part.size, is_cut=False, is_part=end is None or part.end < end)


def _expected(part: ContentRange, requested: BytesRange) -> tuple[int, int | None]:
    """The start and end of the range in the object.

    If the size of the object is unknown, no response shows that the range reaches its end: then the end is None.
    """
    if part.size is not None:
        return requested.resolve(part.size)
    if requested.suffix is not None:
        raise ContentTruncated("the response does not state the size, so its bytes may not be the last ones")
    return requested.start, requested.end


def _place_whole(size: int | None, requested: BytesRange) -> Placed:
    if requested.is_full:
        return Placed(0, size, size, is_cut=False)
    if size is not None:
        start, end = requested.resolve(size)
        return Placed(start, end - start, size, is_cut=True)
    if requested.suffix is not None:
        raise Unsupported(
            "the server ignores ranges and does not state the size, so the end of the object cannot be found"
        )
    return Placed(requested.start, requested.length, None, is_cut=True)
