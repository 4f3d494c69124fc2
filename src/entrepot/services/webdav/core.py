"""The requests to a WebDAV server (RFC 4918) and the meaning of its responses, pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from entrepot.errors import Error, InvalidInput, NotFound, PermissionDenied, StorageFull, Unexpected, Unsupported
from entrepot.raw.http.dialect import Dialect, ObjectArgs
from entrepot.raw.http.error_table import ErrorTable, with_facts
from entrepot.raw.http.errors import Meaning
from entrepot.raw.http.headers import conditional_headers, etag_header
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.redirects import REDIRECTS
from entrepot.raw.http.transport import Header, HttpHeaders, HttpRequest
from entrepot.raw.http.url import encode_key
from entrepot.raw.http.xml import can_carry, escaped
from entrepot.raw.ops import OpDelete, OpRead, OpWrite

SAFE_METHODS: Final = frozenset({"GET", "PROPFIND"})
"""The methods whose redirects are followed."""

DEFAULT_PREFIX: Final = "opendal"
DEFAULT_NAMESPACE: Final = "https://opendal.apache.org/ns"
"""The namespace of user metadata. Apache OpenDAL uses the same, so that each reads the metadata of the other."""

_DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>'
_NAMED: Final = (
    f'{_DECLARATION}<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getcontentlength/><D:getlastmodified/>'
    "<D:getetag/><D:getcontenttype/></D:prop></D:propfind>"
).encode()
_ALL: Final = f'{_DECLARATION}<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'.encode()
_XML: Final[Header] = ("Content-Type", 'application/xml; charset="utf-8"')
_NAME: Final = re.compile(r"(?!xml)[a-z_][a-z0-9._-]*")

_REDIRECTED: Final = Meaning(Unexpected, "the server redirects to another URL: set endpoint to that one")
ERRORS: Final = ErrorTable(
    codes={},
    statuses={
        **dict.fromkeys(REDIRECTS, _REDIRECTED),
        409: Meaning(NotFound, "the directory above it does not exist"),
        413: Meaning(StorageFull, "the server takes no content of this size"),
        423: Meaning(Unexpected, "the file or its directory is locked by another client", is_temporary=True),
        424: Meaning(Unexpected, "the server could not do what this depends on"),
        502: Meaning(
            Unexpected,
            "the server, or a proxy in front of it, failed; of a COPY or MOVE it may mean that the proxy changes the"
            " address of the server, and not that in the header Destination",
            is_temporary=True,
        ),
        507: Meaning(StorageFull, "the server has no space left"),
    },
)


@dataclass(frozen=True, slots=True)
class WebdavDialect(Dialect):
    """The requests to one endpoint.

    Arguments:
        url: the URL of the endpoint, without a slash at its end.
        namespace: the XML namespace of user metadata.
        prefix: its prefix in requests.
    """

    url: str
    namespace: str = DEFAULT_NAMESPACE
    prefix: str = DEFAULT_PREFIX

    def url_of(self, key: str) -> str:
        """The URL of a key; the empty one is the endpoint itself."""
        return f"{self.url}/{encode_key(key)}"

    def key_of(self, url: str) -> str:
        """The key of a URL that `url_of` returned."""
        return unquote(url[len(self.url) + 1 :])

    def path_of(self, key: str) -> str:
        """The decoded path of a key's URL, without a slash at its end."""
        return unquote(urlsplit(self.url_of(key)).path).rstrip("/")

    def get(self, key: str, args: OpRead) -> HttpRequest:
        """GET."""
        stated = range_header(args.range)
        ranged: list[Header] = [] if stated is None else [("Range", stated)]
        return HttpRequest("GET", self.url_of(key), [*ranged, *conditional_headers(args)])

    def put(self, key: str, content: bytes, args: OpWrite) -> HttpRequest:
        """PUT, under the conditions of a write. A server may ignore them."""
        headers: list[Header] = []
        if args.if_not_exists:
            headers.append(("If-None-Match", "*"))
        if args.if_match is not None:
            headers.append(("If-Match", etag_header(args.if_match)))
        return HttpRequest("PUT", self.url_of(key), headers, content)

    def delete(self, key: str, args: OpDelete) -> HttpRequest:
        """DELETE. The condition is of RFC 4918 (10.4), since that compares weak etags too."""
        headers: list[Header] = []
        if args.if_match is not None:
            headers.append(("If", f"([{etag_header(args.if_match)}])"))
        return HttpRequest("DELETE", self.url_of(key), headers)

    def find(self, key: str, *, depth: int = 0, has_user_metadata: bool = False) -> HttpRequest:
        """PROPFIND of a resource, or with `depth` 1 of a directory and its contents.

        The URL has no slash at its end, whatever the key has: with one, Apache may describe the index file of a
        directory instead, and refuses a file (400). Servers that want one for a directory redirect.
        """
        content = _ALL if has_user_metadata else _NAMED
        url = self.url_of(key.rstrip("/"))
        return HttpRequest("PROPFIND", url, [("Depth", str(depth)), _XML], content)

    def make_directory(self, key: str) -> HttpRequest:
        """MKCOL. The key has a slash at its end, which some servers require."""
        return HttpRequest("MKCOL", self.url_of(key))

    def move(self, source: str, target: str, *, replaces: bool, if_match: str | None = None) -> HttpRequest:
        """MOVE of a file.

        Arguments:
            source: the key of the file.
            target: the new key.
            replaces: whether a file with that key is replaced. Without it the server refuses with 412.
            if_match: the etag that the file at the target must have.
        """
        return HttpRequest("MOVE", self.url_of(source), self._destination(target, replaces, if_match))

    def copy(self, source: str, target: str, *, replaces: bool) -> HttpRequest:
        """COPY of a file."""
        return HttpRequest("COPY", self.url_of(source), self._destination(target, replaces, None))

    def _destination(self, target: str, replaces: bool, if_match: str | None) -> Sequence[Header]:
        url = self.url_of(target)
        headers = [("Destination", url), ("Overwrite", "T" if replaces else "F")]
        if if_match is not None:  # by its path, since not every server recognizes its own URL
            headers.append(("If", f"<{urlsplit(url).path}> ([{etag_header(if_match)}])"))
        return headers

    def set_user_metadata(self, key: str, user_metadata: Mapping[str, str]) -> HttpRequest:
        """PROPPATCH that sets properties."""
        prefix = self.prefix
        stored = "".join(
            f"<{prefix}:{name}>{escaped(value)}</{prefix}:{name}>" for name, value in user_metadata.items()
        )
        content = (
            f'{_DECLARATION}<D:propertyupdate xmlns:D="DAV:" xmlns:{prefix}="{escaped(self.namespace)}">'
            f"<D:set><D:prop>{stored}</D:prop></D:set></D:propertyupdate>"
        )
        return HttpRequest("PROPPATCH", self.url_of(key), [_XML], content.encode())

    def error(self, status: int, headers: HttpHeaders, content: bytes, args: ObjectArgs | None = None) -> Error:
        """The error of a status. The content is written for people, and is not shown."""
        return with_facts(ERRORS.by_status(status, headers), headers, status=status)


def check_user_metadata(user_metadata: Mapping[str, str]) -> None:
    """Refuses user metadata that properties cannot have.

    Raises:
        InvalidInput: a name is not one of XML, or a value has characters that XML cannot write.
    """
    for name, value in user_metadata.items():
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                "a name of user metadata on a WebDAV server has letters, digits, '.', '-' and '_', starts with a letter"
                " or '_', and not with 'xml'"
            )
        if not can_carry(value):
            raise InvalidInput(f"the value of the user metadata {name!r} has characters that XML cannot write")


def properties_refused(status: int) -> Error:
    """The error for a server that stores no user metadata."""
    if status in (401, 403, 404, 405, 409, 422, 501):
        return Unsupported("the server stores no properties, so it keeps no user metadata")
    if status == 507:
        return StorageFull("the server has no space left for user metadata")
    return Unexpected("the server did not store the user metadata").add_context(status=status)


def not_webdav(status: int) -> Error:
    """The error for a response to PROPFIND that is a success, and not a multi-status."""
    return Unexpected(f"the server is not a WebDAV server at this URL: PROPFIND has the status {status}, not 207")


def refused_deletion(status: int) -> Error:
    """The error for one resource that was not deleted."""
    if status in (401, 403):
        return PermissionDenied("the server refuses to delete this")
    return ERRORS.by_status(status, HttpHeaders())
