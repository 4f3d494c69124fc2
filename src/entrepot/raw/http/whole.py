"""Reads small content at once, without a body, from a response that has exactly the requested range.

Theory of operation. Of most reads, the response is plain: its head states that its content is the whole range, and how
long it is. Then nothing has to be placed, cut or described, and the content only has to come as stated. `plain_length`
recognizes such a response by its head. Any other is given to an `HttpReader`, which knows what it means, and which
also refuses it. So both ways have the same results and errors, and each makes one request.
"""

from typing import Final

from entrepot.errors import ContentIncomplete, ContentTruncated
from entrepot.raw.oio.read.api import DIRECT, WHOLE
from entrepot.raw.oio.read.final_buffer import FinalBuffer
from entrepot.raw.ops import FULL_RANGE
from entrepot.types import BytesRange

from .dialect import ContentCheck
from .headers import parse_length
from .transport import HttpBody, HttpResponse

LIMIT: Final = 1024 * 1024
"""The most bytes that are read at once. A longer read should not start again if its response breaks off."""


def plain_length(response: HttpResponse, requested: BytesRange) -> int | None:
    """The number of bytes in the range if the response has exactly that range, and it is short; None for any other.

    Arguments:
        response: the response, unread.
        requested: the range of the request, not empty.
    """
    length = parse_length(response.headers.get("content-length"))
    if length is None or length > LIMIT:
        return None
    stated = response.headers.get("content-range")
    if response.status == 200:
        return length if stated is None and (requested is FULL_RANGE or requested.is_full) else None
    is_exact = response.status == 206 and stated is not None and _is_exactly(requested, stated, length)
    return length if is_exact else None


def checked_content(content: bytes, length: int, check: ContentCheck | None) -> bytes:
    """The content of a plain response that has arrived. The other arguments and errors are those of `plain_content`."""
    if len(content) != length:
        _check_length(length - len(content))
    return content if check is None else _checked(content, check)


async def plain_content(body: HttpBody, length: int, check: ContentCheck | None) -> bytes:
    """Reads the content of a plain response to its end. The caller closes the body.

    Arguments:
        body: the body.
        length: the result of `plain_length`.
        check: compares the content with its checksum.

    Raises:
        ContentIncomplete: the content is shorter.
        ContentTruncated: it is longer.
        ChecksumMismatch: it has another checksum.
    """
    first = await body.read(WHOLE) if length else b""
    if length >= DIRECT and 0 < len(first) < length:
        content = await _received_in_place(body, first, length)
    else:
        content = await _joined(body, first, length)
    _check_length(length - len(content))
    if check is not None:
        _checked(content, check)
    if not body.is_at_end:
        _check_length(-len(await body.read(1)))
    return content


async def _joined(body: HttpBody, first: bytes, length: int) -> bytes:
    """The content, of which the first piece was read; less than `length` bytes only at the end."""
    pieces, left = [first], length - len(first)
    while left > 0 and (piece := await body.read(WHOLE)):
        pieces.append(piece)
        left -= len(piece)
    return first if len(pieces) == 1 else b"".join(pieces)


async def _received_in_place(body: HttpBody, first: bytes, length: int) -> bytes:
    """The same, up to `length` bytes. Of much content, pieces and then their copy would be new memory in each read."""
    memory, size = FinalBuffer(length), len(first)
    with memory.view() as view:
        view[:size] = first
        while size < length and (received := await body.readinto(view[size:])):
            size += received
    return memory.taken() if size == length else memory.taken(size)


def _check_length(left: int) -> None:
    """Passes if nothing is left to come.

    Arguments:
        left: how many bytes of the stated length did not come; below 0 if there are more than stated.
    """
    if left > 0:
        raise ContentIncomplete(f"the content ends {left} bytes early")
    if left < 0:
        raise ContentTruncated("the content is longer than the response states")


def _checked(content: bytes, check: ContentCheck) -> bytes:
    check.update(content)
    check.finish()
    return content


def _is_exactly(requested: BytesRange, stated: str, length: int) -> bool:
    """Whether a Content-Range is a range that has an end, in the usual form."""
    if requested.end is None or length != requested.end - requested.start:
        return False
    part, _, size = stated.partition("/")
    is_part = part == f"bytes {requested.start}-{requested.end - 1}"
    return is_part and (size == "*" or (parse_length(size) or 0) >= requested.end)
