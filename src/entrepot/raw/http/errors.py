"""The errors that statuses of responses mean, and how much of the content of an error response is read."""

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

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

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

ERROR_BODY_LIMIT: Final = 64 * 1024
"""The most bytes that are read of the content of an error response."""

ERROR_BODY_SECONDS: Final = 5.0
"""For how many seconds the content of an error response is read."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The error that a status or a code of a response means.

    Attributes:
        kind: its class.
        message: its message.
        is_temporary: whether the same request may succeed later.
        refuses_credentials: whether every other request with the same credentials is refused too.
    """

    kind: type[Error]
    message: str
    is_temporary: bool = False
    refuses_credentials: bool = False

    def error(self) -> Error:
        """A new error."""
        error = self.kind(self.message, is_temporary=self.is_temporary)
        if self.refuses_credentials and isinstance(error, PermissionDenied):
            error.refuses_credentials = True
        return error


def refused_credentials(message: str) -> Meaning:
    """The meaning of a response by which the server refuses the credentials, and not only access to one object."""
    return Meaning(PermissionDenied, message, refuses_credentials=True)


_READS: Final = frozenset({"GET", "HEAD"})
"""The methods that read one object. A PROPFIND comes before writes too."""
_PROXY_STATUS: Final = 407

_MEANINGS: Final = {
    304: Meaning(ConditionNotMatch, "the condition does not hold"),
    401: refused_credentials("the server wants other credentials"),
    403: Meaning(PermissionDenied, "the server refuses"),
    404: Meaning(NotFound, "there is no such object"),
    _PROXY_STATUS: refused_credentials(
        "the proxy requires other credentials: set them in the URL of the proxy variable"
    ),
    408: Meaning(Unexpected, "the server waited too long for the request", True),
    410: Meaning(NotFound, "there is no such object any more"),
    412: Meaning(ConditionNotMatch, "the condition does not hold"),
    416: Meaning(RangeNotSatisfied, "the server refuses the range"),
    429: Meaning(RateLimited, "the server asks for fewer requests", True),
    501: Meaning(Unexpected, "the server does not know the method"),
    505: Meaning(Unexpected, "the server does not know the version of HTTP"),
}


def status_error(status: int, headers: HttpHeaders) -> Error:
    """The error for a status that is not a success (RFC 9110, section 15).

    Its context has the `status`, and `retry_after` in seconds where the response states it.
    """
    meaning = _MEANINGS.get(status)
    if meaning is None and status >= 500:
        meaning = Meaning(Unexpected, "the server failed", True)
    if meaning is None:
        meaning = Meaning(Unexpected, "the server sent a response that was not expected")
    return meaning.error().add_context(status=status, **retry_context(headers))


def spare_credentials(error: Error, method: str, status: int) -> Error:
    """Notes that a request was sent without credentials. Returns the error.

    A refused read is then of one object, since others may be public. A refused write is not: it is the storage that
    wants credentials of writers. A proxy refuses its own credentials, which every request has.
    """
    if isinstance(error, PermissionDenied) and method in _READS and status != _PROXY_STATUS:
        error.refuses_credentials = False
    return error


def retry_context(headers: HttpHeaders) -> dict[str, Any]:
    """The entries of an error's context that say when to retry, where the response states it."""
    seconds = parse_retry_after(headers)
    return {} if seconds is None else {"retry_after": seconds}


async def read_error_body(
    response: HttpResponse, limit: int = ERROR_BODY_LIMIT, now: Callable[[], float] = monotonic
) -> bytes:
    """Reads the start of the content of an error response, and closes it.

    The status matters more than the content. Content that cannot be read, or arrives too slowly, is left out.

    Arguments:
        response: the response.
        limit: the most bytes that are read.
        now: returns the time in seconds. No read starts `ERROR_BODY_SECONDS` or more after the first; the idle
            timeout of the transport bounds each of them.
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
