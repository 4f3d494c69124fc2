"""What the errors of S3 mean, pure. The code in the content decides, and the status where there is none.

The source is "Error responses" in the Amazon S3 API Reference, and what other servers say beyond it. What
is taken out of a reply is only what is known to be a name, so that nothing it repeats gets into an error.
"""

import re
from typing import Any, Final

from entrepot.errors import (
    ConditionNotMatch,
    ConfigInvalid,
    Error,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RangeNotSatisfied,
    RateLimited,
    StorageFull,
    Unexpected,
    Unsupported,
)
from entrepot.raw.http.errors import retry_context, status_error
from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.transport import HttpHeaders

NO_SUCH_UPLOAD: Final = "NoSuchUpload"
CONFLICT: Final = "ConditionalRequestConflict"


def reply_error(bucket: str, region: str | None, status: int, headers: HttpHeaders, content: bytes) -> Error:
    """The error that a reply means.

    Arguments:
        bucket: the bucket that was asked.
        region: the region that the request was signed for.
        status: the status of the reply; 200 where only the content says that it is an error.
        headers: its headers.
        content: its body, or the first part of it; empty in the reply to a HEAD.
    """
    code = _found(content, b"Code")
    stated = _other_region(region, headers, content)
    error = _misdirected(bucket, status, code, stated) or _by_code(code) or _by_status(status, headers)
    facts: dict[str, Any] = {"code": code, "status": status, "request_id": _request_id(headers, content)}
    return error.add_context(**facts, **retry_context(headers))


def code_error(code: str) -> Error:
    """The error of one object among many, of which the reply has only the code."""
    error = _by_code(code) or Unexpected("the storage refuses")
    return error.add_context(code=_plain(code))


def error_of_version(error: Error, version: str | None) -> Error:
    """The error of a request about a version, which may be malformed: some servers call that an InvalidRequest."""
    if version is None or error.context.get("code") != "InvalidRequest":
        return error
    return InvalidInput("the storage cannot make sense of the version", context=error.context)


def is_error(content: bytes) -> bool:
    """Whether the content of a response is that of an error."""
    return _ERROR_ROOT.match(content) is not None


def is_missing_operation(error: Error) -> bool:
    """Whether the storage does not have what it was asked for (405, 501)."""
    return error.context.get("status") in _MISSING_STATUSES or error.context.get("code") == _NOT_IMPLEMENTED


def may_be_of_a_header(error: Error) -> bool:
    """Whether a request is refused for good, and perhaps for a header that the storage does not know."""
    is_refusal = isinstance(error, Unexpected | InvalidInput | Unsupported) and not error.is_temporary
    is_header = error.context.get("status") in _HEADER_STATUSES or error.context.get("code") == _NOT_IMPLEMENTED
    return is_refusal and is_header


def actual_size(content: bytes) -> int | None:
    """The size of the object, which Amazon tells in the body of a 416 instead of in Content-Range."""
    return parse_length(_found(content, b"ActualObjectSize"))


_NOT_IMPLEMENTED: Final = "NotImplemented"
_MISSING_STATUSES: Final = frozenset({405, 501})
_HEADER_STATUSES: Final = frozenset({400, 501})

_ERROR_ROOT: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:[\w.-]{1,40}:)?Error[\s>/]")

_REGION_CODES: Final = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "InvalidRegion"}
)
_BUCKET_CODES: Final = frozenset({"NoSuchBucket", "InvalidBucketName"})

_Meaning = tuple[type[Error], str, bool]

_NOT_FOUND: Final = (NotFound, "there is no such object", False)
_THROTTLED: Final = (RateLimited, "the storage asks for fewer requests", True)
_FAILED: Final = (Unexpected, "the storage cannot answer at the moment", True)
_BAD_KEYS: Final = (PermissionDenied, "the storage does not accept these credentials", False)
_EXPIRED: Final = (PermissionDenied, "the credentials have expired", False)
_FORBIDDEN: Final = (PermissionDenied, "the storage refuses access", False)
_BAD_VALUE: Final = (InvalidInput, "the storage cannot make sense of the path or an option, such as the version", False)
_NO_MATCH: Final = (ConditionNotMatch, "a condition does not hold", False)
_CHANGING: Final = (ConditionNotMatch, "another request was changing the object", True)
_BEYOND: Final = (RangeNotSatisfied, "the range starts behind the end of the object", False)
_NOT_THERE: Final = (Unsupported, "the storage does not have this operation", False)
_FULL: Final = (StorageFull, "there is no room left in the storage, or in what is allotted", False)
_TOO_LARGE: Final = (InvalidInput, "the object, or a part of it, is larger than the storage takes", False)
_DAMAGED: Final = (Unexpected, "what the storage received is not what was sent", True)
_LOST_PARTS: Final = (Unexpected, "the storage does not have the parts of the object as they were sent", False)
_REFUSED: Final = (
    Unexpected,
    "the storage refuses the request; if it gives no code, look at the token's age, the region and the version",
    False,
)

_CODES: Final[dict[str, _Meaning]] = {
    "NoSuchKey": _NOT_FOUND,
    "NoSuchVersion": (NotFound, "there is no such version of the object", False),
    NO_SUCH_UPLOAD: (Unexpected, "the upload is not there any more: it was completed or aborted", False),
    "AccessDenied": _FORBIDDEN,
    "AllAccessDisabled": _FORBIDDEN,
    "AccountProblem": _FORBIDDEN,
    "InvalidObjectState": (PermissionDenied, "the object is archived and must be restored before it is read", False),
    "InvalidAccessKeyId": _BAD_KEYS,
    "SignatureDoesNotMatch": _BAD_KEYS,
    "InvalidToken": _BAD_KEYS,
    "ExpiredToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": (PermissionDenied, "the clock of this machine and that of the storage differ", False),
    "PreconditionFailed": _NO_MATCH,
    "NotModified": _NO_MATCH,
    CONFLICT: _CHANGING,
    "InvalidRange": _BEYOND,
    "InvalidArgument": _BAD_VALUE,
    "InvalidURI": _BAD_VALUE,
    "KeyTooLongError": _BAD_VALUE,
    "KeyTooLong": _BAD_VALUE,
    "MetadataTooLarge": (InvalidInput, "the user metadata is larger than the storage takes", False),
    "EntityTooLarge": _TOO_LARGE,
    "EntityTooSmall": (InvalidInput, "a part is smaller than the storage takes", False),
    "InvalidPart": _LOST_PARTS,
    "InvalidPartOrder": _LOST_PARTS,
    "InvalidDigest": (Unexpected, "the storage cannot read the digest of the content", False),
    "BadDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "XAmzContentChecksumMismatch": _DAMAGED,
    "IncompleteBody": _DAMAGED,
    "InvalidRequest": (
        Unexpected,
        "the storage refuses the request, such as a copy of over 5 GiB, or to lock objects without checksum_algorithm",
        False,
    ),
    "QuotaExceeded": _FULL,
    "InsufficientStorage": _FULL,
    "StorageFull": _FULL,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    _NOT_IMPLEMENTED: _NOT_THERE,
    "SlowDown": _THROTTLED,
    "TooManyRequests": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "BandwidthLimitExceeded": _THROTTLED,
    "ExceedAccountQPSLimit": _THROTTLED,
    "ExceedAccountRateLimit": _THROTTLED,
    "ExceedBucketQPSLimit": _THROTTLED,
    "ExceedBucketRateLimit": _THROTTLED,
    "RequestTimeout": _FAILED,
    "InternalError": _FAILED,
    "OperationAborted": _FAILED,
    "ServiceUnavailable": _FAILED,
}

_STATUSES: Final[dict[int, _Meaning]] = {
    400: _REFUSED,
    409: _CHANGING,
    413: _TOO_LARGE,
    499: _FAILED,
    501: _NOT_THERE,
    507: _FULL,
}


def _misdirected(bucket: str, status: int, code: str | None, region: str | None) -> Error | None:
    """The error of a request that went to the wrong place, which is for the configuration to put right."""
    is_redirect = 300 <= status < 400 and status != 304
    if region is not None and (is_redirect or code in _REGION_CODES or (status == 400 and code is None)):
        return ConfigInvalid(f"the bucket {bucket} is in another region: set region to {region!r}")
    if code in _REGION_CODES:
        return ConfigInvalid(
            f"the bucket {bucket} is in another region or at another endpoint: set region and endpoint"
        )
    if code in _BUCKET_CODES:
        return ConfigInvalid(f"there is no bucket {bucket} at this endpoint")
    if is_redirect:
        return ConfigInvalid(f"the endpoint sends requests for the bucket {bucket} elsewhere: set endpoint")
    return None


def _other_region(ours: str | None, headers: HttpHeaders, content: bytes) -> str | None:
    """The region that the bucket is in, if the reply names one and it is not ours."""
    region = _plain(headers.get("x-amz-bucket-region")) or _found(content, b"Region")
    return None if region == ours else region


def _by_code(code: str | None) -> Error | None:
    meaning = _CODES.get(code or "")
    return None if meaning is None else _error(meaning)


def _by_status(status: int, headers: HttpHeaders) -> Error:
    """By what is left where no code is known: the reply to a HEAD has none."""
    if headers.get("x-amz-delete-marker") == "true":
        return NotFound("the object was deleted")
    return _error(_STATUSES[status]) if status in _STATUSES else status_error(status, headers)


def _error(meaning: _Meaning) -> Error:
    kind, message, is_temporary = meaning
    return kind(message, is_temporary=is_temporary)


def _found(content: bytes, tag: bytes) -> str | None:
    """The text of an element, taken out of the reply without an XML parser: what is hostile in one stays text."""
    match = re.search(rb"<%b>\s{0,20}([^<\s]{1,100})\s{0,20}</%b>" % (tag, tag), content)
    return None if match is None else _plain(match[1].decode("ascii", "replace"))


def _plain(text: str | None) -> str | None:
    """Text of a reply that may be shown: a name, or the like. None for all else."""
    return text if text is not None and re.fullmatch(r"[A-Za-z0-9._-]{1,60}", text) else None


def _request_id(headers: HttpHeaders, content: bytes) -> str | None:
    return _plain(headers.get("x-amz-request-id")) or _found(content, b"RequestId")
