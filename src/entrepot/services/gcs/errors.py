"""The errors of Cloud Storage, pure: of the JSON API by their reason, of the XML API by their code.

The source is "HTTP status and error codes" in the references of both APIs. Only plain names are copied out of a
response, so that nothing it repeats gets into an error.
"""

import json
from typing import Any, Final

from entrepot.errors import (
    ConditionNotMatch,
    ConfigInvalid,
    Error,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RateLimited,
    StorageFull,
    Unexpected,
)
from entrepot.raw.http.error_table import ErrorTable, plain_name, with_facts
from entrepot.raw.http.errors import Meaning, refused_credentials
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.xml import find_text

NO_SUCH_UPLOAD: Final = "NoSuchUpload"

_THROTTLED: Final = Meaning(RateLimited, "the storage asks for fewer requests", True)
_FAILED: Final = Meaning(Unexpected, "the storage cannot respond now", True)
_NO_MATCH: Final = Meaning(ConditionNotMatch, "a condition does not hold")
_FORBIDDEN: Final = Meaning(PermissionDenied, "the storage refuses access")
_BAD_TOKEN: Final = refused_credentials("the storage does not accept these credentials")
_ANONYMOUS: Final = Meaning(PermissionDenied, "the storage wants credentials")
"""Not of every call: other objects of the bucket may be public."""
_BAD_VALUE: Final = Meaning(InvalidInput, "the storage cannot read the path or an option")
_FULL: Final = Meaning(StorageFull, "the storage, or the quota, is full")
_PAYER: Final = Meaning(
    PermissionDenied, "the bucket bills its requesters: name a project in headers, as 'x-goog-user-project'"
)

_ERRORS: Final = ErrorTable(
    {
        "authError": _BAD_TOKEN,
        "backendError": _FAILED,
        "conditionNotMet": _NO_MATCH,
        "forbidden": _FORBIDDEN,
        "insufficientPermissions": _FORBIDDEN,
        "internalError": _FAILED,
        "quotaExceeded": _FULL,
        "rateLimitExceeded": _THROTTLED,
        "required": _ANONYMOUS,
        "uploadTooLarge": Meaning(InvalidInput, "the object is larger than the storage accepts"),
        "userProjectMissing": _PAYER,
        "userRateLimitExceeded": _THROTTLED,
        "AccessDenied": _FORBIDDEN,
        "EntityTooLarge": Meaning(InvalidInput, "the object, or a part of it, is larger than the storage accepts"),
        "InternalError": _FAILED,
        "InvalidArgument": _BAD_VALUE,
        NO_SUCH_UPLOAD: Meaning(NotFound, "there is no such upload"),
        "PreconditionFailed": _NO_MATCH,
        "ServiceUnavailable": _FAILED,
        "SlowDown": _THROTTLED,
        "UserProjectMissing": _PAYER,
    },
    {401: _BAD_TOKEN, 413: Meaning(InvalidInput, "the object is larger than the storage accepts")},
)
_MISSING_BUCKET: Final = "The specified bucket does not exist"
_MISSING_OPERATION: Final = frozenset({404, 405, 501})


def response_error(bucket: str, status: int, headers: HttpHeaders, content: bytes) -> Error:
    """The error that a response means.

    Arguments:
        bucket: the bucket of the request.
        status: the status of the response.
        headers: its headers.
        content: its body, or the first part of it.
    """
    code, message = _stated(content)
    if status == 404 and (code == "NoSuchBucket" or message.startswith(_MISSING_BUCKET)):
        error: Error = ConfigInvalid(f"there is no bucket {bucket!r}")
    else:
        error = _ERRORS.by_code(code) or _ERRORS.by_status(status, headers)
    return with_facts(error, headers, code=plain_name(code), status=status)


def is_missing_operation(error: Error) -> bool:
    """Whether the server may not have the operation, as an emulator may not."""
    return error.context.get("status") in _MISSING_OPERATION and not isinstance(error, ConfigInvalid)


def _stated(content: bytes) -> tuple[str | None, str]:
    """The reason or code of an error, and its message, which is not to be shown."""
    if content.lstrip().startswith(b"<"):
        return plain_name(find_text(content, b"Code")), ""
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, ""
    if not isinstance(error, dict):
        return None, ""
    return _reason(error.get("errors")), str(error.get("message", ""))


def _reason(errors: Any) -> str | None:
    first = errors[0] if isinstance(errors, list) and errors else None
    reason = first.get("reason") if isinstance(first, dict) else None
    return reason if isinstance(reason, str) else None
