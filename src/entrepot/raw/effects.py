"""What the error of a call says about its effect."""

from __future__ import annotations

from typing import Final

from entrepot.errors import Error, RateLimited

_UNAVAILABLE: Final = 503
_CLIENT_GONE: Final = 499
_FAILURES: Final = frozenset({"backenderror", "internalerror", "internalfailure"})
"""Codes, in lower case, of a storage that failed during the call, whatever the status. Google states one with 503."""


def leaves_doubt(error: Exception) -> bool:
    """Whether a call with this error may have had an effect, so that the same call later may find it."""
    return isinstance(error, Error) and error.is_temporary and not is_refusal(error)


def note_doubt(error: Error) -> Error:
    """Has the error of a change that cannot be made twice say whether it may have been made. Returns the error."""
    return error.add_context(may_have_taken_effect=True) if leaves_doubt(error) else error


def is_refusal(error: Error) -> bool:
    """Whether the response says that the call had no effect. After no response, and most of 5xx, it may have had one.

    The source is RFC 9110, 15.5 and 15.6.4; some proxies answer 499 when the client closed the connection. A proxy also
    answers 503 when the storage closed the connection after it got the request, so a 503 counts only with a Retry-After
    or a code of the storage, such as `ServiceUnavailable`, and not with one that says that the storage failed.
    `RateLimited` counts without its status: services raise it for a 429, or for a code such as `SlowDown`.
    """
    if isinstance(error, RateLimited):
        return True
    status = error.context.get("status")
    if status == _UNAVAILABLE:
        code = error.context.get("code")
        return "retry_after" in error.context if code is None else str(code).lower() not in _FAILURES
    return isinstance(status, int) and 400 <= status < 500 and status != _CLIENT_GONE
