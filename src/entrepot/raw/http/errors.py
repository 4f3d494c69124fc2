"""What the status of a reply means, and how much is read of what a server says beside it."""

from typing import Final, NamedTuple

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

from .transport import HttpResponse

ERROR_BODY_LIMIT: Final = 64 * 1024
"""The most bytes that are read of the content of an error."""


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
    408: _Meaning(Unexpected, "the server waited too long for the request", True),
    410: _Meaning(NotFound, "there is no such object any more"),
    412: _Meaning(ConditionNotMatch, "the condition does not hold"),
    416: _Meaning(RangeNotSatisfied, "the server refuses the range"),
    429: _Meaning(RateLimited, "the server asks for fewer requests", True),
    501: _Meaning(Unexpected, "the server does not know the method"),
    505: _Meaning(Unexpected, "the server does not know the version of HTTP"),
}


def status_error(status: int) -> Error:
    """The error for a status that is no success (RFC 9110, section 15), with the status in its context."""
    meaning = _MEANINGS.get(status)
    if meaning is None and status >= 500:
        meaning = _Meaning(Unexpected, "the server failed", True)
    if meaning is None:
        meaning = _Meaning(Unexpected, "the server answered what was not expected")
    return meaning.kind(meaning.message, context={"status": status}, is_temporary=meaning.is_temporary)


async def read_error_body(response: HttpResponse, limit: int = ERROR_BODY_LIMIT) -> bytes:
    """The start of the content of an error, and closes it.

    The status is the news, so that what cannot be read of the content is left out.

    Arguments:
        response: the reply.
        limit: the most bytes that are read.
    """
    parts, left = list[bytes](), limit
    try:
        while left and (part := await response.body.read(left)):
            parts.append(part)
            left -= len(part)
    except (ContentIncomplete, Timeout):
        return b"".join(parts)
    finally:
        await response.body.close()
    return b"".join(parts)
