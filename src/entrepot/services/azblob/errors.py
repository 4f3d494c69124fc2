"""The errors of Azure Blob Storage, pure. The code of a response decides; without a known code, the status does.

The source is "Blob Storage error codes" in the Azure Storage REST API Reference. The code is a header of every
response, so that also the response to a HEAD has it. 409 has many meanings: only codes tell them apart.
"""

from typing import Final

from entrepot.errors import (
    ConditionNotMatch,
    ConfigInvalid,
    Error,
    InvalidInput,
    IsADirectory,
    NotFound,
    PermissionDenied,
    RangeNotSatisfied,
    RateLimited,
    Unexpected,
    Unsupported,
)
from entrepot.raw.http.error_table import ErrorTable, plain_name, with_facts
from entrepot.raw.http.errors import Meaning
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.xml import find_text
from entrepot.signing.azure_errors import COMMON_CODES, LEASED, NOT_THERE, TOO_LARGE, misdirected

ALREADY_EXISTS: Final = "BlobAlreadyExists"
INVALID_BLOCKS: Final = "InvalidBlockList"


def response_error(
    container: str, status: int, headers: HttpHeaders, content: bytes, version: str | None = None
) -> Error:
    """The error that a response means.

    Arguments:
        container: the container of the request.
        status: the status of the response.
        headers: its headers.
        content: its body, or the first part of it; empty in the response to a HEAD.
        version: the requested version of a blob, if any.
    """
    code = plain_name(headers.get("x-ms-error-code")) or plain_name(find_text(content, b"Code"))
    error = (
        _misdirected(container, status, code, headers) or _ERRORS.by_code(code) or _ERRORS.by_status(status, headers)
    )
    if version is not None and status == 400 and not isinstance(error, InvalidInput):
        error = InvalidInput("the storage cannot read the version")
    request_id = plain_name(headers.get("x-ms-request-id"))
    return with_facts(error, headers, code=code, status=status, request_id=request_id)


def code_error(status: int, code: str | None) -> Error:
    """The error of one blob among many, of which the response has only the status and the code."""
    error = _ERRORS.by_code(code) or _ERRORS.by_status(status, HttpHeaders())
    return error.add_context(code=code, status=status)


_NOT_FOUND: Final = Meaning(NotFound, "there is no such blob")
_NO_MATCH: Final = Meaning(ConditionNotMatch, "the condition does not hold")
_CHANGING: Final = Meaning(ConditionNotMatch, "another request was changing the blob", True)

_CODES: Final[dict[str, Meaning]] = {
    **COMMON_CODES,
    "BlobNotFound": _NOT_FOUND,
    "ResourceNotFound": _NOT_FOUND,
    "CannotVerifyCopySource": Meaning(NotFound, "the source of the copy does not exist, or must not be read"),
    ALREADY_EXISTS: _NO_MATCH,
    "BlobImmutableDueToPolicy": Meaning(PermissionDenied, "a policy of the container protects the blob"),
    "ConditionNotMet": _NO_MATCH,
    "TargetConditionNotMet": _NO_MATCH,
    "SourceConditionNotMet": Meaning(ConditionNotMatch, "the source changed while it was copied"),
    "AppendPositionConditionNotMet": Meaning(ConditionNotMatch, "another program appended to the blob"),
    "PendingCopyOperation": _CHANGING,
    "BlobBeingRehydrated": _CHANGING,
    "SnapshotsPresent": Meaning(
        Unsupported, "the blob has snapshots, which would be deleted with it: set delete_snapshots=True to allow that"
    ),
    "SnapshotOperationRateExceeded": Meaning(RateLimited, "the storage asks for fewer requests", True),
    "BlobArchived": Meaning(PermissionDenied, "the blob is archived: move it to another tier, and then read it"),
    "InvalidBlobType": Meaning(
        Unsupported, "the blob is of another kind: only a blob that was made by an append can be appended to"
    ),
    INVALID_BLOCKS: Meaning(ConditionNotMatch, "another program was writing the blob: write the whole blob again"),
    "InvalidRange": Meaning(RangeNotSatisfied, "the range starts past the end of the blob"),
    "OperationNotAllowedOnRootBlob": Meaning(PermissionDenied, "the storage does not delete the current version"),
    **dict.fromkeys(("InvalidTag", "InvalidTags", "TagsTooLarge"), Meaning(InvalidInput, "the storage refuses a tag")),
    **dict.fromkeys(("BlockCountExceedsLimit", "BlockListTooLong"), TOO_LARGE),
    "ResourceTypeMismatch": Meaning(IsADirectory, "the path names a directory"),
    "DirectoryIsNotEmpty": Meaning(IsADirectory, "the directory is not empty"),
}

_STATUSES: Final[dict[int, Meaning]] = {
    400: Meaning(Unexpected, "the storage refuses the request"),
    405: NOT_THERE,
    409: Meaning(Unexpected, "the state of the blob does not allow this"),
    413: TOO_LARGE,
    423: LEASED,
    501: NOT_THERE,
}

_ERRORS: Final = ErrorTable(_CODES, _STATUSES)
_CONTAINER_CODES: Final = frozenset({"ContainerNotFound", "OutOfRangeInput"})
_CONTAINER_ENDING: Final = frozenset({"ContainerBeingDeleted", "ContainerDisabled"})


def _misdirected(container: str, status: int, code: str | None, headers: HttpHeaders) -> Error | None:
    """The error of a request that went to the wrong place, which the user corrects in the configuration."""
    if code in _CONTAINER_CODES:
        return ConfigInvalid(f"there is no container {container} in this account")
    if code in _CONTAINER_ENDING:
        return ConfigInvalid(f"the container {container} is being deleted, or is disabled")
    return misdirected(status, headers)
