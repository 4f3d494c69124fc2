"""The errors of S3, pure. The code in the content of a response decides; without a code, the status does.

The source is "Error responses" in the Amazon S3 API Reference, and the codes of other servers. Only plain names are
copied out of a response, so that nothing it repeats gets into an error.
"""

from typing import Final

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
from entrepot.raw.http.error_table import ErrorTable, plain_id, plain_name, with_facts
from entrepot.raw.http.errors import Meaning, refused_credentials
from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.xml import find_text

NO_SUCH_UPLOAD: Final = "NoSuchUpload"
CONFLICT: Final = "ConditionalRequestConflict"


def response_error(
    bucket: str, region: str | None, status: int, headers: HttpHeaders, content: bytes, version: str | None = None
) -> Error:
    """The error that a response means.

    Arguments:
        bucket: the bucket of the request.
        region: the region that the request was signed for.
        status: the status of the response; 200 where only the content says that it is an error.
        headers: its headers.
        content: its body, or the first part of it; empty in the response to a HEAD.
        version: the requested version of an object, if any.
    """
    code = stated_code(content)
    stated = _other_region(region, headers, content)
    error = _misdirected(bucket, status, code, stated) or _ERRORS.by_code(code) or _by_status(status, headers)
    facts = {"code": code, "status": status, **_request_ids(headers, content)}
    return error_of_version(with_facts(error, headers, **facts), version)


def stated_code(content: bytes) -> str | None:
    """The code in the content of a response."""
    return _plain_text(content, b"Code")


def code_error(code: str) -> Error:
    """The error of one object among many, of which the response has only the code."""
    error = _ERRORS.by_code(code) or Unexpected("the storage refuses the request")
    return error.add_context(code=plain_name(code))


def error_of_version(error: Error, version: str | None) -> Error:
    """The error of a request about a version, which may be malformed: some servers call that an InvalidRequest."""
    is_refusal = isinstance(error, Unexpected) and error.context.get("code") == "InvalidRequest"
    if version is None or not is_refusal:
        return error
    return InvalidInput("the storage cannot read the version", context=error.context)


def is_missing_operation(error: Error) -> bool:
    """Whether the storage does not have the requested operation (405, 501)."""
    return error.context.get("status") in _MISSING_STATUSES or error.context.get("code") == _NOT_IMPLEMENTED


def may_be_of_a_header(error: Error) -> bool:
    """Whether a request is refused permanently, possibly because of a header that the storage does not know."""
    is_refusal = isinstance(error, Unexpected | InvalidInput | Unsupported) and not error.is_temporary
    is_header = error.context.get("status") in _HEADER_STATUSES or error.context.get("code") == _NOT_IMPLEMENTED
    return is_refusal and is_header


def actual_size(content: bytes) -> int | None:
    """The size of the object, which Amazon states in the body of a 416 instead of in Content-Range."""
    return parse_length(_plain_text(content, b"ActualObjectSize"))


_NOT_IMPLEMENTED: Final = "NotImplemented"
_MISSING_STATUSES: Final = frozenset({405, 501})
_HEADER_STATUSES: Final = frozenset({400, 501})

BUCKET_MISSING: Final = "NoSuchBucket"

REGION_CODES: Final = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "InvalidRegion"}
)
"""The codes of requests that were sent to another region than that of the bucket, or signed for another."""

_BUCKET_CODES: Final = frozenset({BUCKET_MISSING, "InvalidBucketName"})

_NOT_FOUND: Final = Meaning(NotFound, "there is no such object")
_THROTTLED: Final = Meaning(RateLimited, "the storage asks for fewer requests", True)
_FAILED: Final = Meaning(Unexpected, "the storage cannot respond now", True)
_BAD_KEYS: Final = refused_credentials("the storage does not accept these credentials")
_EXPIRED: Final = refused_credentials("the credentials have expired")
_FORBIDDEN: Final = Meaning(PermissionDenied, "the storage refuses access")
_BAD_VALUE: Final = Meaning(InvalidInput, "the storage cannot read the path or an option, such as the version")
_LONG_KEY: Final = Meaning(InvalidInput, "the key, which is the root and the path, is longer than the storage accepts")
_BAD_OPTION: Final = Meaning(InvalidInput, "the storage does not have this storage class, tag, encryption or ACL")
_NO_MATCH: Final = Meaning(ConditionNotMatch, "a condition does not hold")
_CHANGING: Final = Meaning(ConditionNotMatch, "another request was changing the object", True)
_BEYOND: Final = Meaning(RangeNotSatisfied, "the range starts past the end of the object")
_NOT_THERE: Final = Meaning(Unsupported, "the storage does not have this operation")
_FULL: Final = Meaning(StorageFull, "the storage, or the quota, is full")
_TOO_LARGE: Final = Meaning(InvalidInput, "the object, or a part of it, is larger than the storage accepts")
_DAMAGED: Final = Meaning(Unexpected, "the storage received other content than was sent", True)
_LOST_PARTS: Final = Meaning(Unexpected, "the storage does not have the parts of the object as they were sent")
_REFUSED: Final = Meaning(
    Unexpected,
    "the storage refuses the request; if it states no code, check the token's age, the region and the version",
)

EXPIRED_CODES: Final = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
"""The codes of credentials that have expired. New ones may be accepted."""

THROTTLING_CODES: Final = (
    # AWS, as its clients list them
    *("SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled"),
    *("RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded"),
    *("LimitExceededException", "ProvisionedThroughputExceededException", "TransactionInProgressException"),
    *("PriorRequestNotComplete", "EC2ThrottledException"),
    # Other stores: R2, MinIO, OSS, Tencent and Volcano Engine
    *("TooManyRequests", "SlowDownRead", "SlowDownWrite", "QpsLimitExceeded"),
    *("DownloadTrafficRateLimitExceeded", "UploadTrafficRateLimitExceeded", "RequestRateLimitExceeded"),
    *("ExceedAccountQPSLimit", "ExceedAccountRateLimit", "ExceedBucketQPSLimit", "ExceedBucketRateLimit"),
)
"""The codes that ask for fewer requests. The request had no effect."""

TRANSIENT_CODES: Final = (
    *("InternalError", "InternalFailure", "OperationAborted", "RequestTimeout", "RequestTimeoutException"),
    *("ServiceUnavailable", "ServiceUnavailableException", "XMinioServerNotInitialized"),
)
"""The codes of failures that may go away when the same request is sent again."""

_CODES: Final[dict[str, Meaning]] = {
    "NoSuchKey": _NOT_FOUND,
    "NoSuchVersion": Meaning(NotFound, "there is no such version of the object"),
    NO_SUCH_UPLOAD: Meaning(Unexpected, "the upload no longer exists: it was completed or aborted"),
    "AccessDenied": _FORBIDDEN,
    "AllAccessDisabled": _FORBIDDEN,
    "AccountProblem": _FORBIDDEN,
    "InvalidObjectState": Meaning(
        PermissionDenied,
        "the object is archived: restore it (RestoreObject, `aws s3api restore-object`), and then read it",
    ),
    "InvalidAccessKeyId": _BAD_KEYS,
    "SignatureDoesNotMatch": _BAD_KEYS,
    "InvalidToken": _BAD_KEYS,
    **dict.fromkeys(EXPIRED_CODES, _EXPIRED),
    "RequestTimeTooSkewed": refused_credentials("the clocks of this machine and of the storage differ"),
    "PreconditionFailed": _NO_MATCH,
    "NotModified": _NO_MATCH,
    CONFLICT: _CHANGING,
    "InvalidRange": _BEYOND,
    "InvalidArgument": _BAD_VALUE,
    "InvalidURI": _BAD_VALUE,
    "KeyTooLongError": _LONG_KEY,
    "KeyTooLong": _LONG_KEY,
    **dict.fromkeys(
        ("InvalidStorageClass", "InvalidTag", "InvalidEncryptionAlgorithmError", "MalformedACLError"), _BAD_OPTION
    ),
    "MetadataTooLarge": Meaning(InvalidInput, "the user metadata is larger than the storage accepts"),
    "EntityTooLarge": _TOO_LARGE,
    "EntityTooSmall": Meaning(InvalidInput, "a part is smaller than the storage accepts"),
    "InvalidPart": _LOST_PARTS,
    "InvalidPartOrder": _LOST_PARTS,
    "InvalidDigest": Meaning(Unexpected, "the storage cannot read the digest of the content"),
    "BadDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "XAmzContentChecksumMismatch": _DAMAGED,
    "IncompleteBody": _DAMAGED,
    "InvalidRequest": Meaning(
        Unexpected,
        "the storage refuses the request, such as a key with a component '.' or '..' (some servers), a copy of over"
        " 5 GiB, or to lock objects without checksum_algorithm",
    ),
    "QuotaExceeded": _FULL,
    "InsufficientStorage": _FULL,
    "StorageFull": _FULL,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    _NOT_IMPLEMENTED: _NOT_THERE,
    **dict.fromkeys(THROTTLING_CODES, _THROTTLED),
    **dict.fromkeys(TRANSIENT_CODES, _FAILED),
}

_STATUSES: Final[dict[int, Meaning]] = {
    400: _REFUSED,
    409: _CHANGING,
    413: _TOO_LARGE,
    499: _FAILED,
    501: _NOT_THERE,
    507: _FULL,
    509: _THROTTLED,
}

_ERRORS: Final = ErrorTable(_CODES, _STATUSES)


def _misdirected(bucket: str, status: int, code: str | None, region: str | None) -> Error | None:
    """The error of a request that went to the wrong place, which the user corrects in the configuration."""
    is_redirect = 300 <= status < 400 and status != 304
    if region is not None and (is_redirect or code in REGION_CODES):
        return ConfigInvalid(f"the bucket {bucket} is in another region: set region to {region!r}")
    if code in REGION_CODES:
        return ConfigInvalid(
            f"the bucket {bucket} is in another region or at another endpoint: set region and endpoint"
        )
    if code in _BUCKET_CODES:
        return ConfigInvalid(f"there is no bucket {bucket} at this endpoint")
    if is_redirect:
        return ConfigInvalid(f"the endpoint sends requests for the bucket {bucket} elsewhere: set endpoint")
    return None


def _other_region(ours: str | None, headers: HttpHeaders, content: bytes) -> str | None:
    """The region of the bucket, if the response names one and it is not the configured one."""
    region = plain_name(headers.get("x-amz-bucket-region")) or _plain_text(content, b"Region")
    return None if region == ours else region


def _by_status(status: int, headers: HttpHeaders) -> Error:
    """The error of a status, for responses without a known code, such as every response to a HEAD."""
    if headers.get("x-amz-delete-marker") == "true":
        return NotFound("the object was deleted")
    return _ERRORS.by_status(status, headers)


def _request_ids(headers: HttpHeaders, content: bytes) -> dict[str, str | None]:
    """The ids by which the provider finds a request. The extended one only where it is stated: few stores have it."""
    request_id = plain_name(headers.get("x-amz-request-id")) or _plain_text(content, b"RequestId")
    extended = plain_id(headers.get("x-amz-id-2")) or plain_id(find_text(content, b"HostId"))
    return (
        {"request_id": request_id} if extended is None else {"request_id": request_id, "extended_request_id": extended}
    )


def _plain_text(content: bytes, tag: bytes) -> str | None:
    return plain_name(find_text(content, tag))
