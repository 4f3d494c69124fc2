"""What the status of a reply means, and how much is read of what a server says beside it."""

from collections.abc import Callable
from time import monotonic
from typing import Any, Final, NamedTuple

from entrepot.errors import (
    ConditionNotMatch,
    ContentIncomplete,
    Error,
    NotFound,
    PermissionDenied,
    RangeNotSatisfied,
    RateLimited,
    Timeout,
    Unexpected,
)

from .headers import parse_retry_after
from .transport import HttpHeaders, HttpResponse

ERROR_BODY_LIMIT: Final = 64 * 1024
"""The most bytes that are read of the content of an error."""

ERROR_BODY_SECONDS: Final = 5.0
"""How long the content of an error is read."""


class _Meaning(NamedTuple):
    """What a status means to us."""

    kind: type[Error]
    message: str
    is_temporary: bool = False


_MEANINGS: Final = {
    304: _Meaning(ConditionNotMatch, "the condition does not hold"),
    401: _Meaning(PermissionDenied, "the server wants other credentials"),
    403: _Meaning(PermissionDenied, "the server refuses"),
    404: _Meaning(NotFound, "there is no such object"),
    407: _Meaning(PermissionDenied, "the proxy requires other credentials: set them in the URL of the proxy variable"),
    408: _Meaning(Unexpected, "the server waited too long for the request", True),
    410: _Meaning(NotFound, "there is no such object any more"),
    412: _Meaning(ConditionNotMatch, "the condition does not hold"),
    416: _Meaning(RangeNotSatisfied, "the server refuses the range"),
    429: _Meaning(RateLimited, "the server asks for fewer requests", True),
    501: _Meaning(Unexpected, "the server does not know the method"),
    505: _Meaning(Unexpected, "the server does not know the version of HTTP"),
}


def status_error(status: int, headers: HttpHeaders) -> Error:
    """The error for a status that is no success (RFC 9110, section 15).

    Its context has the `status`, and `retry_after` in seconds where the reply says that.
    """
    meaning = _MEANINGS.get(status)
    if meaning is None and status >= 500:
        meaning = _Meaning(Unexpected, "the server failed", True)
    if meaning is None:
        meaning = _Meaning(Unexpected, "the server answered what was not expected")
    context = {"status": status} | retry_context(headers)
    return meaning.kind(meaning.message, context=context, is_temporary=meaning.is_temporary)


def retry_context(headers: HttpHeaders) -> dict[str, Any]:
    """What goes into the context of an error where the reply says when to try again."""
    seconds = parse_retry_after(headers)
    return {} if seconds is None else {"retry_after": seconds}


async def read_error_body(
    response: HttpResponse, limit: int = ERROR_BODY_LIMIT, now: Callable[[], float] = monotonic
) -> bytes:
    """The start of the content of an error, and closes it.

    The status is the news, so that what cannot be read of the content, or comes too slowly, is left out.

    Arguments:
        response: the reply.
        limit: the most bytes that are read.
        now: tells the time. No read begins `ERROR_BODY_SECONDS` after the first; how long one can take is the
            idle timeout of the transport.
    """
    parts, left, deadline = list[bytes](), limit, now() + ERROR_BODY_SECONDS
    try:
        while left and now() < deadline and (part := await response.body.read(left)):
            parts.append(part)
            left -= len(part)
    except (ContentIncomplete, Timeout):
        return b"".join(parts)
    finally:
        await response.body.close()
    return b"".join(parts)
