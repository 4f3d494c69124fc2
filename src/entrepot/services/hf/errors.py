"""The errors of the hub, pure. The header X-Error-Code decides; without a known code, the status does.

Only plain names are copied from a response. Its message is not: it may repeat parts of the request.
"""

from __future__ import annotations

from typing import Final

from entrepot.errors import (
    ConfigInvalid,
    Error,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RateLimited,
    StorageFull,
    Unexpected,
)
from entrepot.raw.http.error_table import ErrorTable, plain_id, plain_name, with_facts
from entrepot.raw.http.errors import Meaning, refused_credentials
from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.transport import HttpHeaders

REPO_NOT_FOUND: Final = "RepoNotFound"
ENTRY_NOT_FOUND: Final = "EntryNotFound"

_BAD_TOKEN: Final = refused_credentials("the hub does not accept the token")
_UNKNOWN: Final = "Invalid credentials in Authorization header"
"""The message of the hub for a token that it does not know. It has no code."""

_MISSING_REPO: Final = "there is no such repository, or it is private and the token cannot see it"

_ERRORS: Final = ErrorTable(
    codes={
        REPO_NOT_FOUND: Meaning(ConfigInvalid, _MISSING_REPO),
        "RevisionNotFound": Meaning(ConfigInvalid, "the repository has no such revision"),
        ENTRY_NOT_FOUND: Meaning(NotFound, "there is no such file"),
        "GatedRepo": Meaning(
            PermissionDenied, "the repository is gated: accept its terms on its page, with this account"
        ),
        "DisabledRepo": Meaning(PermissionDenied, "the repository is disabled"),
    },
    statuses={
        400: Meaning(Unexpected, "the hub refuses the request"),
        413: Meaning(InvalidInput, "the hub refuses content of this size"),
        429: Meaning(RateLimited, "the hub asks for fewer requests", True),
        507: Meaning(StorageFull, "the storage of the account is full"),
    },
)


def response_error(status: int, headers: HttpHeaders, *, is_of_api: bool = False) -> Error:
    """The error that a response means.

    Arguments:
        status: its status.
        headers: its headers.
        is_of_api: whether it is the response of the API, which states the code of each 404. Without one the server is
            not a hub, and nothing follows about the file.
    """
    code = plain_name(headers.get("x-error-code"))
    if status == 404 and code is None and is_of_api:
        return Unexpected("there is no such call: the endpoint may not be a hub").add_context(status=status)
    if status == 401 and headers.get("x-error-message") == _UNKNOWN:
        return _BAD_TOKEN.error().add_context(status=status)
    error = _ERRORS.by_code(code) or _ERRORS.by_status(status, headers)
    facts = {"status": status, "code": code, "request_id": plain_id(headers.get("x-request-id"))}
    stated = {name: value for name, value in facts.items() if value is not None}
    return _with_reset(with_facts(error, headers, **stated), headers)


def lfs_error(code: object) -> Error:
    """The error of one object in the response to a batch call, which has a status but no headers."""
    if isinstance(code, int) and 400 <= code < 600:
        return response_error(code, HttpHeaders())
    return Unexpected("the hub refuses to take the content")


def _with_reset(error: Error, headers: HttpHeaders) -> Error:
    """Adds when to retry: the hub states it as the parameter `t` of RateLimit, in seconds."""
    if not isinstance(error, RateLimited) or "retry_after" in error.context:
        return error
    parameters = headers.get("ratelimit", "").split(";")
    seconds = next((parse_length(text.strip()[2:]) for text in parameters if text.strip().startswith("t=")), None)
    return error if seconds is None else error.add_context(retry_after=float(seconds))
