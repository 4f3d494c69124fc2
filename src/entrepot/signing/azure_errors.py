"""The errors that all services of Azure Storage have in common: credentials, throttling, names, and wrong endpoints."""

from collections.abc import Mapping
from typing import Final

from entrepot.errors import ConfigInvalid, Error, InvalidInput, PermissionDenied, RateLimited, Unexpected, Unsupported
from entrepot.raw.http.errors import Meaning, refused_credentials
from entrepot.raw.http.transport import HttpHeaders

LEASED: Final = Meaning(
    PermissionDenied, "it is leased by another program, which only the holder of the lease may change"
)
TOO_LARGE: Final = Meaning(InvalidInput, "the content, or a part of it, is larger than the storage accepts")
NOT_THERE: Final = Meaning(Unsupported, "the storage does not have this operation, or not for this kind of object")

_FORBIDDEN: Final = Meaning(PermissionDenied, "the storage refuses access")
_BAD_KEYS: Final = refused_credentials("the storage does not accept these credentials")
_BUSY: Final = Meaning(RateLimited, "the storage asks for fewer requests", True)
_FAILED: Final = Meaning(Unexpected, "the storage cannot respond now", True)
_BAD_NAME: Final = Meaning(InvalidInput, "the storage cannot read the name or an option")
_BAD_METADATA: Final = Meaning(InvalidInput, "the storage refuses the user metadata or its size")
_DAMAGED: Final = Meaning(Unexpected, "the storage received other content than was sent", True)

COMMON_CODES: Final[Mapping[str, Meaning]] = {
    **dict.fromkeys(
        (
            *("LeaseIdMissing", "LeaseAlreadyPresent", "LeaseIdMismatchWithBlobOperation"),
            *("LeaseNotPresentWithBlobOperation", "LeaseIdMismatchWithContainerOperation", "LeaseLost"),
        ),
        LEASED,
    ),
    "AuthenticationFailed": _BAD_KEYS,
    "InvalidAuthenticationInfo": _BAD_KEYS,
    "NoAuthenticationInformation": refused_credentials("the storage wants credentials"),
    "PublicAccessNotPermitted": Meaning(PermissionDenied, "the account permits no access without credentials"),
    "KeyBasedAuthenticationNotPermitted": Meaning(
        PermissionDenied, "the account permits no account keys: use credentials of Entra ID"
    ),
    **dict.fromkeys(
        (
            *("AuthorizationFailure", "AuthorizationPermissionMismatch", "AuthorizationProtocolMismatch"),
            *("AuthorizationResourceTypeMismatch", "AuthorizationServiceMismatch", "AuthorizationSourceIPMismatch"),
            *("InsufficientAccountPermissions", "AccountIsDisabled", "UnauthorizedBlobOverwrite"),
        ),
        _FORBIDDEN,
    ),
    **dict.fromkeys(("ServerBusy", "TooManyRequests"), _BUSY),
    **dict.fromkeys(("InternalError", "OperationTimedOut", "AccountBeingCreated"), _FAILED),
    **dict.fromkeys(("InvalidUri", "InvalidResourceName", "InvalidInput", "InvalidQueryParameterValue"), _BAD_NAME),
    "InvalidHeaderValue": Meaning(InvalidInput, "the storage refuses an option, such as the storage class"),
    **dict.fromkeys(
        ("InvalidMetadata", "EmptyMetadataKey", "MetadataTooLarge", "RequestHeadersTooLarge"), _BAD_METADATA
    ),
    "RequestBodyTooLarge": TOO_LARGE,
    **dict.fromkeys(("Md5Mismatch", "Crc64Mismatch"), _DAMAGED),
    **dict.fromkeys(("FeatureVersionMismatch", "UnsupportedHttpVerb", "APINotImplemented"), NOT_THERE),
    **dict.fromkeys(("UnsupportedHeader", "UnsupportedQueryParameter", "FeatureNotSupported"), NOT_THERE),
}
"""The meanings of the codes that the services share."""


def is_of_azure(headers: HttpHeaders) -> bool:
    """Whether a response has the headers that every response of Azure Storage has."""
    return "x-ms-request-id" in headers or "x-ms-version" in headers


def check_origin(headers: HttpHeaders) -> None:
    """Passes if a response is one of Azure Storage. A proxy or a web server may answer everything with 200.

    Raises:
        Unexpected: it is not.
    """
    if not is_of_azure(headers):
        raise Unexpected("the response is not one of Azure Storage: check endpoint", is_temporary=True)


def misdirected(status: int, headers: HttpHeaders) -> Error | None:
    """The error of a request that no storage of Azure answered; None if one did."""
    if 300 <= status < 400 and status != 304:
        return ConfigInvalid("the endpoint sends requests elsewhere: set endpoint")
    if status == 404 and not is_of_azure(headers):
        return Unexpected("the response is not one of Azure Storage: check endpoint")
    return None
