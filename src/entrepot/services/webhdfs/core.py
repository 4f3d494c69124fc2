"""The requests to HDFS by HTTP and the meaning of its responses, pure.

The source is "WebHDFS REST API" of Apache Hadoop. A namenode responds with JSON. A request that has content, or whose
response has, is made in two steps: the namenode names the URL of a datanode, and the content goes there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

from entrepot.errors import (
    ContentIncomplete,
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    ObjectExists,
    PermissionDenied,
    StorageFull,
    Unexpected,
    Unsupported,
)
from entrepot.raw.http.dialect import Dialect, ObjectArgs
from entrepot.raw.http.endpoint import parse_endpoint
from entrepot.raw.http.error_table import ErrorTable, plain_name, with_facts
from entrepot.raw.http.errors import Meaning, refused_credentials
from entrepot.raw.http.redirects import origin_of
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.http.url import Query, encode_key, encode_query
from entrepot.raw.oio.delete.api import NOT_EMPTY
from entrepot.types import EntryMode, Metadata

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

OCTETS: Final = ("Content-Type", "application/octet-stream")
"""The type of content that is stored. HttpFS refuses any other."""

REDIRECT: Final = 307
PATH: Final = "/webhdfs/v1"

_FORBIDDEN: Final = 403
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SEPARATORS: Final = re.compile(r"/+")

_DENIED: Final = Meaning(PermissionDenied, "HDFS refuses the user, or the user's access")
_TOKEN: Final = refused_credentials("HDFS refuses the delegation token: it is not valid, or has expired")
_STANDBY: Final = Meaning(Unexpected, "the namenode is a standby: set endpoint to the active one", is_temporary=True)
_BUSY: Final = Meaning(Unexpected, "another client writes the file", is_temporary=True)
_QUOTA: Final = Meaning(StorageFull, "a quota of HDFS is exhausted")
_FAILED: Final = Meaning(Unexpected, "HDFS could not do it")

ERRORS: Final = ErrorTable(
    codes={
        "AccessControlException": _DENIED,
        "AlreadyBeingCreatedException": _BUSY,
        "AuthenticationException": _DENIED,
        "AuthorizationException": _DENIED,
        "ClusterStorageCapacityExceededException": Meaning(StorageFull, "HDFS has no space left"),
        "DSQuotaExceededException": _QUOTA,
        "DirectoryListingStartAfterNotFoundException": Meaning(
            Unexpected, "the directory changed while it was listed", is_temporary=True
        ),
        "FSLimitException.MaxDirectoryItemsExceededException": Meaning(StorageFull, "the directory is full"),
        "FSLimitException.PathComponentTooLongException": Meaning(InvalidInput, "a name in the path is too long"),
        "FileAlreadyExistsException": Meaning(ObjectExists, "a file or directory has this name"),
        "FileNotFoundException": Meaning(NotFound, "there is no such file"),
        "IOException": _FAILED,
        "IllegalArgumentException": Meaning(Unsupported, "HDFS does not know the operation, or one of its parameters"),
        "InvalidPathException": Meaning(InvalidInput, "HDFS cannot have such a path"),
        "InvalidToken": _TOKEN,
        "LeaseExpiredException": _BUSY,
        "MaxDirectoryItemsExceededException": Meaning(StorageFull, "the directory is full"),
        "NSQuotaExceededException": _QUOTA,
        "ParentNotDirectoryException": Meaning(NotADirectory, "a name above it is a file"),
        "PathComponentTooLongException": Meaning(InvalidInput, "a name in the path is too long"),
        "PathIsNotEmptyDirectoryException": Meaning(IsADirectory, NOT_EMPTY),
        "QuotaByStorageTypeExceededException": _QUOTA,
        "QuotaExceededException": _QUOTA,
        "RecoveryInProgressException": _BUSY,
        "RetriableException": Meaning(Unexpected, "the namenode is not ready", is_temporary=True),
        "SafeModeException": Meaning(Unexpected, "the namenode is in safe mode, read-only", is_temporary=True),
        "SecurityException": _DENIED,
        "SnapshotAccessControlException": _DENIED,
        "StandbyException": _STANDBY,
        "UnsupportedOperationException": Meaning(Unsupported, "the server does not have the operation"),
    },
)


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What HDFS says of a file or directory.

    Arguments:
        name: its name in a listing; empty in a response about it alone.
        is_directory: whether it is a directory.
        is_link: whether it is a symbolic link, as listings show it.
        length: its length in bytes; 0 for a directory.
        modified: when it was modified last.
        number: identifies the file: another one of the same name has another number. None if it is not stated.
    """

    name: str
    is_directory: bool
    is_link: bool
    length: int
    modified: datetime | None
    number: int | None = None

    @property
    def metadata(self) -> Metadata:
        """Its metadata. A link has another length than the file."""
        if self.is_directory:
            return Metadata(mode=EntryMode.DIR, last_modified=self.modified)
        return Metadata(content_length=None if self.is_link else self.length, last_modified=self.modified)


@dataclass(frozen=True, slots=True)
class WebhdfsDialect(Dialect):
    """The requests to one namenode, or to HttpFS. Paths are absolute, without a slash at their end.

    Arguments:
        endpoint: the URL of the server, without a slash at its end.
        identity: the parameters that say who asks.
    """

    endpoint: str
    identity: Query = field(default=(), repr=False)

    def request(self, method: str, operation: str, path: str, query: Query = ()) -> HttpRequest:  # type: ignore[override]
        """The request of an operation about a path."""
        parameters = encode_query([("op", operation), *query, *self.identity])
        return HttpRequest(method, f"{self.endpoint}{PATH}{encode_key(path)}{parameters}")

    def status(self, path: str) -> HttpRequest:
        """GETFILESTATUS."""
        return self.request("GET", "GETFILESTATUS", path)

    def open(self, path: str, start: int, end: int | None) -> HttpRequest:
        """OPEN of a range; None is the end of the file."""
        length = [] if end is None else [("length", str(end - start))]
        return self.request("GET", "OPEN", path, [("offset", str(start)), *length])

    def create(self, path: str) -> HttpRequest:
        """The first step of CREATE, which replaces a file and makes the directories above it."""
        return self.request("PUT", "CREATE", path, [("overwrite", "true"), ("noredirect", "true")])

    def create_new(self, path: str) -> HttpRequest:
        """The first step of CREATE of a file that does not exist."""
        return self.request("PUT", "CREATE", path, [("overwrite", "false"), ("noredirect", "true")])

    def append(self, path: str) -> HttpRequest:
        """The first step of APPEND."""
        return self.request("POST", "APPEND", path, [("noredirect", "true")])

    def concat(self, path: str, sources: Sequence[str]) -> HttpRequest:
        """CONCAT, which moves the content of other files of the directory to the end of a file."""
        return self.request("POST", "CONCAT", path, [("sources", ",".join(sources))])

    def make_directory(self, path: str) -> HttpRequest:
        """MKDIRS, which makes the directories above it too."""
        return self.request("PUT", "MKDIRS", path)

    def rename(self, source: str, target: str, *, replaces: bool) -> HttpRequest:
        """RENAME. HttpFS ignores the option, and then replaces nothing."""
        option = "OVERWRITE" if replaces else "NONE"
        return self.request("PUT", "RENAME", source, [("destination", target), ("renameoptions", option)])

    def remove(self, path: str, *, recursive: bool) -> HttpRequest:
        """DELETE."""
        return self.request("DELETE", "DELETE", path, [("recursive", "true" if recursive else "false")])

    def list_all(self, path: str) -> HttpRequest:
        """LISTSTATUS, the whole directory."""
        return self.request("GET", "LISTSTATUS", path)

    def list_batch(self, path: str, after: str | None) -> HttpRequest:
        """LISTSTATUS_BATCH, the names after another one."""
        query = [] if after is None else [("startAfter", after)]
        return self.request("GET", "LISTSTATUS_BATCH", path, query)

    def error(self, status: int, headers: HttpHeaders, content: bytes, args: ObjectArgs | None = None) -> Error:
        """The error of a response. The name of the exception decides; its message may repeat the request."""
        name = exception_name(content)
        error = ERRORS.by_code(name)
        if error is None and name is not None and status == _FORBIDDEN:
            error = _FAILED.error()  # the namenode has this status for every failure that it does not know
        if error is None:
            error = ERRORS.by_status(status, headers)
        return with_facts(error, headers, status=status, exception=plain_name(name))


def check_path(path: str) -> None:
    """Refuses names that HDFS cannot have.

    Raises:
        InvalidInput: a name has a colon, or is `..`.
    """
    if ":" in path:
        raise InvalidInput("a name in HDFS cannot have a colon")
    if ".." in _SEPARATORS.split(path):
        raise InvalidInput("a path in HDFS must not have a component '..'")


def exception_name(content: bytes) -> str | None:
    """The name of the exception in an error response; None if it has none."""
    try:
        return str(json.loads(content)["RemoteException"]["exception"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def parse_status(content: bytes) -> FileStatus:
    """The status in the response to GETFILESTATUS."""
    return _status(_object(_document(content), "FileStatus"))


def parse_statuses(content: bytes) -> list[FileStatus]:
    """The statuses in the response to LISTSTATUS."""
    return _statuses(_document(content))


def parse_batch(content: bytes) -> tuple[list[FileStatus], int]:
    """The statuses in the response to LISTSTATUS_BATCH, and how many entries are left."""
    listing = _object(_document(content), "DirectoryListing")
    left = listing.get("remainingEntries")
    if not isinstance(left, int):
        raise _malformed()
    return _statuses(_object(listing, "partialListing")), left


def parse_boolean(content: bytes) -> bool:
    """What an operation responds; True without content, as RENAME with options does."""
    if not content.strip():
        return True
    value = _document(content).get("boolean")
    if not isinstance(value, bool):
        raise _malformed()
    return value


def parse_location(base: str, status: int, headers: HttpHeaders, content: bytes) -> str:
    """The URL for the second step, from a redirect or from the response to a request with `noredirect`.

    Raises:
        PermissionDenied: it leads from https to http.
        Unexpected: it is not an HTTP URL.
    """
    stated = headers.get("location") if status == REDIRECT else _document(content).get("Location")
    if not isinstance(stated, str) or not stated.strip():
        raise Unexpected("the namenode names no datanode")
    url = urljoin(base, stated.strip())
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise Unexpected("the namenode names a datanode by a malformed URL")
    if (origin_of(base)[0], origin_of(url)[0]) == ("https", "http"):
        raise PermissionDenied("the namenode leads from https to http, which is not followed")
    return url.partition("#")[0]


def host_of(endpoint: str) -> str:
    """The host of an endpoint."""
    return parse_endpoint(endpoint).host


def _document(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except RecursionError:
        raise _malformed() from None
    except ValueError:
        if content.lstrip()[:1] == b"{":
            raise ContentIncomplete("the response of the namenode is truncated") from None
        raise Unexpected("the server has no WebHDFS at this URL: its response is not JSON") from None
    if not isinstance(document, dict):
        raise _malformed()
    return document


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    if not isinstance(found, dict):
        raise _malformed()
    return found


def _statuses(document: Mapping[str, Any]) -> list[FileStatus]:
    listed = _object(document, "FileStatuses").get("FileStatus")
    if not isinstance(listed, list):
        raise _malformed()
    return [_status(status) for status in listed]


def _status(stated: Any) -> FileStatus:
    if not isinstance(stated, dict):
        raise _malformed()
    name, kind = stated.get("pathSuffix", ""), stated.get("type")
    length = stated.get("length") if kind == "FILE" else stated.get("length", 0)
    if not isinstance(name, str) or not isinstance(length, int) or length < 0:
        raise _malformed()
    number = stated.get("fileId")
    return FileStatus(
        name,
        is_directory=kind == "DIRECTORY",
        is_link=kind == "SYMLINK",
        length=length,
        modified=_time(stated.get("modificationTime")),
        number=number if isinstance(number, int) and number > 0 else None,
    )


def _time(milliseconds: Any) -> datetime | None:
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _malformed() -> Unexpected:
    return Unexpected("the response of the namenode does not have the form of WebHDFS", is_temporary=True)
