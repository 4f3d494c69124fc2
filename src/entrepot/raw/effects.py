"""What the error of a call says about its effect."""

from __future__ import annotations

from typing import Final

from entrepot.errors import Error, RateLimited

_UNAVAILABLE: Final = 503
_CLIENT_GONE: Final = 499


def leaves_doubt(error: Exception) -> bool:
    """Whether a call with this error may have had an effect, so that the same call later may find it."""
    return isinstance(error, Error) and error.is_temporary and not is_refusal(error)


def is_refusal(error: Error) -> bool:
    """Whether the response says that the call had no effect. After no response, and most of 5xx, it may have had one.

    The source is RFC 9110, 15.5 and 15.6.4; some proxies answer 499 when the client closed the connection. A proxy also
    answers 503 when the storage closed the connection after it got the request, so a 503 counts only with a code of the
    storage or a Retry-After.
    """
    if isinstance(error, RateLimited):
        return True
    status = error.context.get("status")
    if status == _UNAVAILABLE:
        return error.context.get("code") is not None or "retry_after" in error.context
    return isinstance(status, int) and 400 <= status < 500 and status != _CLIENT_GONE
