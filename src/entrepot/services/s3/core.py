"""The s3 service, pure: requests are built and replies are read here. Nothing is sent.

The source is the Amazon S3 API Reference: GetObject, HeadObject and "Error responses".
"""

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from entrepot.errors import (
    ConditionNotMatch,
    ConfigInvalid,
    Error,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RangeNotSatisfied,
    RateLimited,
    Unexpected,
    Unsupported,
)
from entrepot.raw import OpRead, OpStat
from entrepot.raw.http.conditions import check_honoured, check_version
from entrepot.raw.http.errors import retry_context, status_error
from entrepot.raw.http.headers import conditional_headers, parse_metadata
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.transport import Header, HttpHeaders, HttpRequest
from entrepot.types import Metadata

USER_METADATA: Final = "x-amz-meta-"
NULL_VERSION: Final = "null"
VERSION: Final = "x-amz-version-id"


@dataclass(frozen=True, slots=True)
class S3Core:
    """What a bucket is asked and what it answers.

    Arguments:
        url: the URL of the bucket, without a slash at its end.
        host: the value of the Host header.
        bucket: the name of the bucket.
        region: the region that requests are signed for, if they are.
    """

    url: str
    host: str
    bucket: str
    region: str | None

    def get(self, key: str, args: OpRead) -> HttpRequest:
        """GetObject. The range must not be empty: no header says so, and everything would come."""
        asked = range_header(args.range)
        headers = [("Host", self.host), *conditional_headers(args)]
        if asked is not None:
            headers.append(("Range", asked))
        return HttpRequest("GET", self._url_of(key, args.version), headers)

    def head(self, key: str, args: OpStat) -> HttpRequest:
        """HeadObject."""
        headers: list[Header] = [("Host", self.host), *conditional_headers(args)]
        return HttpRequest("HEAD", self._url_of(key, args.version), headers)

    def describe(self, headers: HttpHeaders, **overrides: Any) -> Metadata:
        """What the headers of a reply say of the object; `overrides` are what the caller knows better."""
        version = headers.get(VERSION)
        own = {
            # "null" is no version of its own: it names whatever was written last without one
            "version": None if version == NULL_VERSION else version,
            "user_metadata": {
                name.removeprefix(USER_METADATA): value
                for name, value in headers.items()
                if name.startswith(USER_METADATA)
            },
        }
        return parse_metadata(headers, **(own | overrides))

    def describe_asked(self, headers: HttpHeaders, args: OpRead | OpStat, **overrides: Any) -> Metadata:
        """The same of a reply to a request, which must be of what was asked for.

        Raises:
            ConditionNotMatch: it is of another version, or a condition does not hold.
        """
        check_version(headers.get(VERSION), args)
        metadata = self.describe(headers, **overrides)
        check_honoured(metadata, args)
        return metadata

    def error(self, status: int, headers: HttpHeaders, content: bytes) -> Error:
        """The error that a reply means.

        Arguments:
            status: its status.
            headers: its headers.
            content: its body, or the first part of it; empty in the reply to a HEAD.
        """
        code = _found(content, b"Code")
        region = self._other_region(headers, content)
        error = self._misdirected(status, code, region) or _by_code(code) or _by_status(status, headers)
        facts: dict[str, Any] = {"code": code, "status": status, "request_id": _request_id(headers, content)}
        return error.add_context(**facts, **retry_context(headers))

    def _url_of(self, key: str, version: str | None) -> str:
        url = f"{self.url}/{quote(key, safe='/')}"
        return url if version is None else f"{url}?versionId={quote(version, safe='')}"

    def _other_region(self, headers: HttpHeaders, content: bytes) -> str | None:
        """The region that the bucket is in, if the reply names one and it is not ours."""
        region = _plain(headers.get("x-amz-bucket-region")) or _found(content, b"Region")
        return None if region == self.region else region

    def _misdirected(self, status: int, code: str | None, region: str | None) -> Error | None:
        """The error of a request that went to the wrong place, which is for the configuration to put right."""
        is_redirect = 300 <= status < 400 and status != 304
        if region is not None and (is_redirect or code in _REGION_CODES or (status == 400 and code is None)):
            return ConfigInvalid(f"the bucket {self.bucket} is in another region: set region to {region!r}")
        if code in _REGION_CODES:
            return ConfigInvalid(
                f"the bucket {self.bucket} is in another region or at another endpoint: set region and endpoint"
            )
        if code in _BUCKET_CODES:
            return ConfigInvalid(f"there is no bucket {self.bucket} at this endpoint")
        if is_redirect:
            return ConfigInvalid(f"the endpoint sends requests for the bucket {self.bucket} elsewhere: set endpoint")
        return None


def actual_size(content: bytes) -> int | None:
    """The size of the object, which Amazon tells in the body of a 416 instead of in Content-Range."""
    found = _found(content, b"ActualObjectSize")
    return int(found) if found is not None and found.isdigit() and len(found) < 20 else None


_REGION_CODES: Final = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "InvalidRegion"}
)
_BUCKET_CODES: Final = frozenset({"NoSuchBucket", "InvalidBucketName"})

_NOT_FOUND: Final = (NotFound, "there is no such object", False)
_THROTTLED: Final = (RateLimited, "the storage asks for fewer requests", True)
_FAILED: Final = (Unexpected, "the storage cannot answer at the moment", True)
_BAD_KEYS: Final = (PermissionDenied, "the storage does not accept these credentials", False)
_EXPIRED: Final = (PermissionDenied, "the credentials have expired", False)
_FORBIDDEN: Final = (PermissionDenied, "the storage refuses access", False)
_BAD_VALUE: Final = (InvalidInput, "the storage cannot make sense of the path or an option, such as the version", False)
_NO_MATCH: Final = (ConditionNotMatch, "a condition does not hold", False)
_CONFLICT: Final = (ConditionNotMatch, "another request was changing the object", True)
_BEYOND: Final = (RangeNotSatisfied, "the range starts behind the end of the object", False)
_NOT_THERE: Final = (Unsupported, "the storage does not have this operation", False)
_REFUSED: Final = (
    Unexpected,
    "the storage refuses the request; if it gives no code, look at the token's age, the region and the version",
    False,
)

_Meaning = tuple[type[Error], str, bool]

_CODES: Final[dict[str, _Meaning]] = {
    "NoSuchKey": _NOT_FOUND,
    "NoSuchVersion": (NotFound, "there is no such version of the object", False),
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
    "ConditionalRequestConflict": _CONFLICT,
    "InvalidRange": _BEYOND,
    "InvalidArgument": _BAD_VALUE,
    "InvalidURI": _BAD_VALUE,
    "KeyTooLongError": _BAD_VALUE,
    "NotImplemented": _NOT_THERE,
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
    409: _CONFLICT,
    499: _FAILED,
    501: _NOT_THERE,
}


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
