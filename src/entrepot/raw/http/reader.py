"""The body of a read over HTTP: one request, sent by the first verb, and its reply held to its word.

What counts is the Content-Range (RFC 9110, 14.4), with whichever status it comes. A 200 without one is
the whole object, out of which the range is cut; it is never passed off as the range. A reply that holds
only the start of the range is read, and then ends with `ContentIncomplete`, not with the end. A 416 says
how large the object is: a range that starts right at its end is empty, one that starts behind it is an error.

A response is described before the range is looked for in it, and also if the range is not there, so that
a reader that needs several responses sees first whether they are of the same object.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from entrepot.errors import ContentIncomplete, ContentTruncated, RangeNotSatisfied, Unexpected, Unsupported
from entrepot.raw.oio.read.api import WHOLE, Read
from entrepot.raw.rps import RpRead
from entrepot.types import BytesRange, Metadata

from .headers import parse_length
from .ranges import ContentRange, parse_content_range
from .transport import HttpBody, HttpHeaders, HttpResponse

Describe = Callable[[HttpHeaders, int | None], Metadata]

CONTENT_STATUSES: Final = frozenset({200, 203, 204, 206})
"""The statuses of responses with the content of an object: 203 comes from a proxy that changed something, 204 is
empty."""

RANGE_STATUSES: Final = CONTENT_STATUSES | {416}
"""The same of responses to a request for a range, which may be refused."""


class HttpReader(Read):
    """Has `read` and `next`; it cannot seek. Every byte it gives belongs to the range that was asked for.

    Arguments:
        send: sends the request. It returns a reply with one of `RANGE_STATUSES` and raises for any other.
        asked: the range that the request asks for, not empty.
        describe: what the headers of a reply say of the object, given its size in bytes if that is known.
        reply: receives that.
    """

    __slots__ = ("_asked", "_body", "_describe", "_left", "_placed", "_reply", "_send", "_skip")

    def __init__(
        self, send: Callable[[], Awaitable[HttpResponse]], asked: BytesRange, describe: Describe, reply: RpRead
    ) -> None:
        self._send = send
        self._asked = asked
        self._describe = describe
        self._reply = reply
        self._body: HttpBody | None = None
        self._placed = Placed(0, None, None, is_cut=False)
        self._skip = 0
        self._left: int | None = None

    @property
    def is_at_end(self) -> bool:
        if self._left != 0 or self._body is None or self._placed.is_part:
            return False
        return self._placed.is_cut or self._body.is_at_end

    async def read(self, n: int) -> bytes:
        if n == 0:
            return b""
        body = self._body or await self._open()
        if self._skip:
            await self._skip_start(body)
        if self._left == 0:
            return await self._end(body)
        return self._take(await body.read(n))

    async def next(self) -> bytes | None:
        return await self.read(WHOLE) or None

    async def close(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            await body.close()

    async def _open(self) -> HttpBody:
        response = await self._send()
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
        self._reply.metadata = self._describe(response.headers, content.size)
        placed = place(content, self._asked)
        self._reply.is_whole = placed.is_cut
        return placed

    def _placed_refused(self, response: HttpResponse) -> "Placed":
        """A 416 is no reply of the object: it tells its size, and nothing else of it."""
        self._reply.size = refused_size(response)
        return place_refused(self._reply.size, self._asked)

    async def _skip_start(self, body: HttpBody) -> None:
        while self._skip:
            dropped = await body.read(self._skip)
            if not dropped and self._placed.size is not None:
                raise ContentIncomplete(f"the content ends {self._skip} bytes before the range starts")
            if not dropped:
                self._reply.size = self._placed.skip - self._skip
                raise RangeNotSatisfied(f"the object ends {self._skip} bytes before the range starts")
            self._skip -= len(dropped)

    def _take(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        if not data and self._placed.is_exact:
            raise ContentIncomplete(f"the content ends {self._left} bytes early")
        if len(data) > self._left:
            if not self._placed.is_cut:
                raise ContentTruncated("the content is longer than was promised")
            data = data[: self._left]
        self._left -= len(data)
        return data

    async def _end(self, body: HttpBody) -> bytes:
        """The end of what was promised, which must be the end of the content unless the range is cut out of it."""
        if not self._placed.is_cut and await body.read(1):
            raise ContentTruncated("the content is longer than was promised")
        if self._placed.is_part:
            raise ContentIncomplete("the reply held only the start of the range")
        return b""


class Placed(NamedTuple):
    """Where the bytes of a range lie in the content of a reply.

    Attributes:
        skip: how many bytes come before them.
        length: how many they are, at most if they are cut out of an object of unknown size; None if
            only the end of the content shows it.
        size: the size of the whole object, if known.
        is_cut: whether more may come after them.
        is_part: whether they are, or may be, only the start of the range.
    """

    skip: int
    length: int | None
    size: int | None
    is_cut: bool
    is_part: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether `length` is how many bytes there are, not only how many there may be."""
        return self.size is not None or not self.is_cut


class StatedContent(NamedTuple):
    """What a reply says of its content.

    Attributes:
        part: which part of the object it is; None for all of it.
        length: how many bytes it has, if that is told.
        size: how many bytes the object has, if that is told.
        unplaced: the content type of a partial reply that does not say which part it is; None for all others.
    """

    part: ContentRange | None
    length: int | None
    size: int | None
    unplaced: str | None = None


def stated_content(response: HttpResponse) -> StatedContent:
    """What a reply says of its content.

    Raises:
        ContentTruncated: its Content-Range cannot be read.
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


def place(content: StatedContent, asked: BytesRange) -> Placed:
    """Where the range is in the content of a reply.

    Raises:
        ContentTruncated: the reply holds another range, several, or contradicts itself.
        RangeNotSatisfied: the range starts behind the end of the object.
        Unsupported: a suffix of an object whose size the server does not tell.
    """
    if content.part is not None:
        return _place_partial(content.part, content.length, asked)
    if content.unplaced is not None:
        kind = content.unplaced
        raise ContentTruncated(f"the partial reply does not say which part it is (it is {kind[:80]!r})")
    return _place_whole(content.length, asked)


def refused_size(response: HttpResponse) -> int | None:
    """The size of the object that a refusal of a range (416) names.

    Raises:
        ContentTruncated: it cannot be read.
    """
    stated = response.headers.get("content-range")
    return None if stated is None else parse_content_range(stated).size


def place_refused(size: int | None, asked: BytesRange) -> Placed:
    """A refused range. Only a size that the server names proves that there is nothing in it.

    Raises:
        RangeNotSatisfied: the range starts behind the end of the object, or may do so.
        Unexpected: the server refuses a range that lies in the object.
    """
    if size is None or (asked.suffix is None and asked.start > size):
        raise RangeNotSatisfied(
            f"the server refuses the range {asked} of an object of {'unknown' if size is None else size} bytes"
        )
    if size > 0 and (asked.suffix is not None or asked.start < size):
        raise Unexpected(f"the server refuses the range {asked}, which lies in the object of {size} bytes")
    return Placed(0, 0, size, is_cut=True)


def _place_partial(found: ContentRange, length: int | None, asked: BytesRange) -> Placed:
    if found.start is None or found.end is None:
        raise ContentTruncated("the partial reply says of its content that it is no part")
    if length is not None and length != found.end - found.start:
        raise ContentTruncated(f"{length} bytes of content cannot be the bytes {found.start} to {found.end}")
    start, end = _expected(found, asked)
    if found.start != start or (end is not None and found.end > end):
        raise ContentTruncated(f"the reply holds {found.start} to {found.end}, not the range {asked}")
    return Placed(0, found.end - start, found.size, is_cut=False, is_part=end is None or found.end < end)


def _expected(found: ContentRange, asked: BytesRange) -> tuple[int, int | None]:
    """Where the range starts and ends in the object that the reply is of.

    Of an object of unknown size no reply shows that it reaches the end: then that is None.
    """
    if found.size is not None:
        return asked.resolve(found.size)
    if asked.suffix is not None:
        raise ContentTruncated("the reply does not tell the size, so its bytes need not be the last ones")
    return asked.start, asked.end


def _place_whole(size: int | None, asked: BytesRange) -> Placed:
    if asked.is_full:
        return Placed(0, size, size, is_cut=False)
    if size is not None:
        start, end = asked.resolve(size)
        return Placed(start, end - start, size, is_cut=True)
    if asked.suffix is not None:
        raise Unsupported("the server ignores ranges and does not tell the size, so the end cannot be found")
    return Placed(asked.start, asked.length, None, is_cut=True)
