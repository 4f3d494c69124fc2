"""The dialect of Azure Data Lake Storage (Gen2), pure: requests to the dfs endpoint, and how responses are read.

The source is the Azure Data Lake Storage REST API Reference: Path Create, Update, Read, Get Properties and Delete.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from entrepot.errors import Error, InvalidInput, IsADirectory
from entrepot.raw import DEFAULT_READ, DEFAULT_STAT, OpDelete, OpRead, OpStat, OpWrite
from entrepot.raw.file_paths import check_may_be_made
from entrepot.raw.http.dialect import Dialect, ObjectArgs
from entrepot.raw.http.headers import conditional_headers, parse_metadata
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.stored_headers import StoredHeaders, write_conditions
from entrepot.raw.http.transport import Content, Header, HttpHeaders, HttpRequest
from entrepot.raw.http.url import Query, encode_key, encode_query
from entrepot.signing.azure import VERSION_HEADER
from entrepot.signing.azure_errors import check_origin
from entrepot.signing.azure_names import check_key, check_user_metadata
from entrepot.types import EntryMode, Metadata

from .errors import response_error

RESOURCE_TYPE: Final = "x-ms-resource-type"
PROPERTIES: Final = "x-ms-properties"

_STORED: Final = StoredHeaders("x-ms-meta-")
_CONTENT_HEADERS: Final = {
    "Content-Type": "x-ms-content-type",
    "Content-Disposition": "x-ms-content-disposition",
    "Content-Encoding": "x-ms-content-encoding",
    "Content-Language": "x-ms-content-language",
    "Cache-Control": "x-ms-cache-control",
}


@dataclass(frozen=True, slots=True)
class AzdlsCore(Dialect):
    """Builds the requests to one file system and reads its responses.

    Arguments:
        url: the URL of the file system, without a slash at its end.
        host: the value of the Host header.
        filesystem: the name of the file system.

    Attributes:
        every: the headers of every request, and all of one without options.
    """

    url: str
    host: str
    filesystem: str
    every: tuple[Header, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", (("Host", self.host), VERSION_HEADER))

    def get(self, key: str, args: OpRead) -> HttpRequest:
        """Path Read."""
        if args is DEFAULT_READ:  # most reads: nothing to look for
            return self.on_path("GET", key)
        stated = range_header(args.range)
        ranged = [] if stated is None else [("Range", stated)]
        return self.on_path("GET", key, (), [*conditional_headers(args), *ranged])

    def head(self, key: str, args: OpStat) -> HttpRequest:
        """Path Get Properties."""
        if args is DEFAULT_STAT:
            return self.on_path("HEAD", key)
        return self.on_path("HEAD", key, (), conditional_headers(args))

    def delete(self, key: str, args: OpDelete, continuation: str | None = None) -> HttpRequest:
        """Path Delete. The slash at the end of a key says that it is a directory."""
        query = [("recursive", "true" if args.recursive else "false")] if key.endswith("/") else []
        if continuation is not None:
            query.append(("continuation", continuation))
        return self.on_path("DELETE", key, query, write_conditions(args))

    def make_file(self, key: str, args: OpWrite) -> HttpRequest:
        """Path Create, of an empty file with the metadata of a write. Missing directories above it are made."""
        stored = _STORED.to_store(args)
        headers = [(_CONTENT_HEADERS[name], value) for name, value in stored if name in _CONTENT_HEADERS]
        if args.user_metadata:
            headers.append(properties_header(args.user_metadata))
        return self.on_path("PUT", key, [("resource", "file")], headers, b"")

    def make_directory(self, key: str) -> HttpRequest:
        """Path Create, of a directory that does not exist. Missing directories above it are made."""
        return self.on_path("PUT", key, [("resource", "directory")], [("If-None-Match", "*")], b"")

    def append(self, key: str, position: int, content: Content) -> HttpRequest:
        """Path Update, of content that is not seen before a flush."""
        return self.on_path("PATCH", key, [("action", "append"), ("position", str(position))], (), content)

    def flush(self, key: str, length: int) -> HttpRequest:
        """Path Update, which gives a file all content that was appended."""
        query = [("action", "flush"), ("position", str(length)), ("close", "true")]
        return self.on_path("PATCH", key, query, (), b"")

    def rename(self, source: str, target: str, conditions: Sequence[Header] = ()) -> HttpRequest:
        """Path Create, by a rename. It replaces a file, in one step."""
        headers = [("x-ms-rename-source", f"/{self.filesystem}/{encode_key(source)}"), *conditions]
        return self.on_path("PUT", target, (), headers, b"")

    def list(self, key: str, query: Query) -> HttpRequest:
        """Path List.

        Arguments:
            key: the directory, with a slash at its end; empty for the file system itself.
            query: the options.
        """
        named = [("directory", key.rstrip("/"))] if key else []
        return self._request("GET", "", [("resource", "filesystem"), *named, *query])

    def on_path(
        self, method: str, key: str, query: Query = (), headers: Sequence[Header] = (), body: Content | None = None
    ) -> HttpRequest:
        """A request about a file or directory. The slash at the end of a key is not part of its name.

        Raises:
            InvalidInput: nothing can have this name.
        """
        check_name(key)
        return self._request(method, f"/{encode_key(key.removesuffix('/'))}", query, headers, body)

    def describe(self, headers: HttpHeaders, **overrides: Any) -> Metadata:
        overrides.pop("mode", None)
        if is_directory(headers):
            user_metadata = {name: value for name, value in properties(headers).items() if name != "hdi_isfolder"}
            return Metadata(mode=EntryMode.DIR, user_metadata=user_metadata)
        if stated := properties(headers):
            overrides["user_metadata"] = stated
        return parse_metadata(headers, **overrides)

    def describe_requested(self, headers: HttpHeaders, args: OpRead | OpStat, **overrides: Any) -> Metadata:
        """The metadata in the response to a read or stat.

        Raises:
            ConditionNotMatch: as in every store.
            IsADirectory: it is a read, and the path names a directory.
            Unexpected: no storage of Azure sent the response.
        """
        check_origin(headers)
        if args is DEFAULT_STAT:  # nothing was requested
            return self.describe(headers, **overrides)
        if isinstance(args, OpRead):
            self.content_check(headers)
        return Dialect.describe_requested(self, headers, args, **overrides)

    def content_check(self, headers: HttpHeaders) -> None:
        """Compares nothing, but no content of another server is handed out, and none of a directory.

        Raises:
            IsADirectory: the path names a directory.
            Unexpected: no storage of Azure sent the response.
        """
        check_origin(headers)
        if is_directory(headers):
            raise IsADirectory("the path names a directory")

    def check_done(self, headers: HttpHeaders, content: bytes) -> None:
        check_origin(headers)

    def error(self, status: int, headers: HttpHeaders, content: bytes, args: ObjectArgs | None = None) -> Error:
        return response_error(self.filesystem, status, headers)

    def _request(
        self, method: str, path: str, query: Query, headers: Sequence[Header] = (), body: Content | None = None
    ) -> HttpRequest:
        url = f"{self.url}{path}{encode_query(query) if query else ''}"
        return HttpRequest(method, url, [*self.every, *headers] if headers else self.every, body)


def is_directory(headers: HttpHeaders) -> bool:
    """Whether a response is about a directory."""
    return headers.get(RESOURCE_TYPE) == "directory"


def properties_header(user_metadata: Mapping[str, str]) -> Header:
    """The header that stores user metadata: values in base64.

    Raises:
        InvalidInput: a name or a value cannot be stored.
    """
    check_user_metadata(user_metadata)
    _STORED.to_store(OpWrite(user_metadata=user_metadata))  # refuses the values that no header could have
    pairs = [f"{name.lower()}={b64encode(value.encode()).decode()}" for name, value in user_metadata.items()]
    return PROPERTIES, ",".join(pairs)


def properties(headers: HttpHeaders) -> dict[str, str]:
    """The user metadata in a response. A value that is not base64 is left out."""
    found: dict[str, str] = {}
    for pair in filter(None, headers.get(PROPERTIES, "").split(",")):
        name, _, value = pair.strip().partition("=")
        try:
            found[name.lower()] = b64decode(value, validate=True).decode("utf-8", "replace")
        except ValueError:
            continue
    return found


def check_name(key: str) -> None:
    """Passes if a file or directory can have this key.

    Raises:
        InvalidInput: it is empty, a name in it is, or Azure would change it.
    """
    if "//" in key:
        raise InvalidInput("a name in a file system cannot be empty: the path has two slashes in a row")
    check_key(key)


def check_target(key: str) -> None:
    """Passes if a file or directory can be made with this key.

    Raises:
        InvalidInput: as `check_name`, or a name in it is one of a temporary file.
    """
    check_name(key)
    check_may_be_made(key)
