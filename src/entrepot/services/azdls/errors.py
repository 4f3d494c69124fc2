"""The errors of Azure Data Lake Storage, pure. The code of a response decides; without a known code, the status does.

The source is "Azure Data Lake Storage error codes" in the Azure Storage REST API Reference.
"""

from typing import Final

from entrepot.errors import (
    ConditionNotMatch,
    ConfigInvalid,
    Error,
    IsADirectory,
    NotFound,
    RangeNotSatisfied,
    Unexpected,
    Unsupported,
)
from entrepot.raw.http.error_table import ErrorTable, plain_name, with_facts
from entrepot.raw.http.errors import Meaning
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.oio.delete.api import NOT_EMPTY
from entrepot.signing.azure_errors import COMMON_CODES, LEASED, NOT_THERE, TOO_LARGE, misdirected

NO_PARENT: Final = "RenameDestinationParentPathNotFound"
ALREADY_EXISTS: Final = "PathAlreadyExists"


def response_error(filesystem: str, status: int, headers: HttpHeaders) -> Error:
    """The error that a response means.

    Arguments:
        filesystem: the file system of the request.
        status: the status of the response.
        headers: its headers, which have the code.
    """
    code = plain_name(headers.get("x-ms-error-code"))
    if code == "FilesystemNotFound":
        error: Error = ConfigInvalid(f"there is no file system {filesystem} in this account")
    else:
        error = misdirected(status, headers) or _ERRORS.by_code(code) or _ERRORS.by_status(status, headers)
    return with_facts(error, headers, code=code, status=status, request_id=plain_name(headers.get("x-ms-request-id")))


_NOT_FOUND: Final = Meaning(NotFound, "there is no such file or directory")
_NO_MATCH: Final = Meaning(ConditionNotMatch, "the condition does not hold")

_CODES: Final[dict[str, Meaning]] = {
    **COMMON_CODES,
    "PathNotFound": _NOT_FOUND,
    "SourcePathNotFound": _NOT_FOUND,
    "ResourceNotFound": _NOT_FOUND,
    "BlobNotFound": _NOT_FOUND,
    NO_PARENT: Meaning(NotFound, "the directory above the target does not exist"),
    ALREADY_EXISTS: _NO_MATCH,
    "ConditionNotMet": _NO_MATCH,
    "TargetConditionNotMet": _NO_MATCH,
    "SourceConditionNotMet": _NO_MATCH,
    "DirectoryNotEmpty": Meaning(IsADirectory, NOT_EMPTY),
    "PathIsDirectory": Meaning(IsADirectory, "the path names a directory"),
    **dict.fromkeys(
        ("HierarchicalNamespaceNotEnabled", "EndpointUnsupportedAccountFeatures"),
        Meaning(Unsupported, "the account has no hierarchical namespace, or not with all of its features: use azblob"),
    ),
    "InvalidRange": Meaning(RangeNotSatisfied, "the range starts past the end of the file"),
}

_STATUSES: Final[dict[int, Meaning]] = {
    400: Meaning(Unexpected, "the storage refuses the request"),
    405: NOT_THERE,
    409: Meaning(Unexpected, "the state of the file or directory does not allow this"),
    413: TOO_LARGE,
    423: LEASED,
    501: NOT_THERE,
}

_ERRORS: Final = ErrorTable(_CODES, _STATUSES)
