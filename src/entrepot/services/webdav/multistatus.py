"""The content of a 207 Multi-Status response (RFC 4918, section 13), read as it arrives.

A response has one `response` element for each resource, with its URL and its properties in groups by status
(`propstat`). Only properties with the status 200 count. A resource may have a status instead of properties. Nothing
expands: see `raw/http/xml.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

from entrepot.errors import ContentIncomplete, Unexpected
from entrepot.raw.http.client import RESPONSE_LIMIT
from entrepot.raw.http.headers import parse_http_date, parse_length, quoted_etag
from entrepot.raw.http.transport import HttpBody
from entrepot.raw.http.xml import MAX_DEPTH, malformed, new_parser
from entrepot.types import EntryMode, Metadata

MULTI_STATUS: Final = 207
_OK: Final = 200
_DAV: Final = "DAV:"
_ROOT: Final = (_DAV, "multistatus")
_RESPONSE: Final = (_DAV, "response")
_STATUS: Final = re.compile(r"\s*HTTP/\d+(?:\.\d+)?\s+(\d{3})\b")
_PIECE: Final = 256 * 1024

Name = tuple[str, str]
"""The namespace and the local name of an element."""


@dataclass(slots=True)
class Resource:
    """One resource of a response.

    Arguments:
        path: the path of its URL, percent-encoded as the server states it.
        status: the status of the resource as a whole; 200 if it is stated for properties only.
        is_directory: whether it is a collection.
        properties: the text of its properties with the status 200, by name.
        refused: the statuses of the other groups of properties.
    """

    path: str = ""
    status: int = _OK
    is_directory: bool = False
    properties: dict[Name, str] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)

    @property
    def decoded_path(self) -> str:
        """Its path without percent-encoding and without a slash at its end."""
        return unquote(self.path).rstrip("/")

    @property
    def name(self) -> str:
        """The last name of its path, without a slash."""
        return unquote(self.path.rstrip("/").rpartition("/")[2])

    @property
    def etag(self) -> str | None:
        """Its etag, with quotes."""
        return quoted_etag(self._text("getetag"))

    @property
    def length(self) -> int | None:
        """Its length in bytes, if it is stated."""
        return parse_length((self._text("getcontentlength") or "").strip())

    def metadata(self, user_namespace: str = "") -> Metadata:
        """Its metadata; the user's are the properties of their namespace."""
        modified = self._text("getlastmodified")
        last_modified = None if modified is None else parse_http_date(modified.strip())
        if self.is_directory:
            return Metadata(mode=EntryMode.DIR, last_modified=last_modified)
        return Metadata(
            content_length=self.length,
            etag=self.etag,
            last_modified=last_modified,
            content_type=self._text("getcontenttype") or None,
            content_language=self._text("getcontentlanguage") or None,
            user_metadata=self._user_metadata(user_namespace),
        )

    def _user_metadata(self, namespace: str) -> Mapping[str, str]:
        return {name[1]: text for name, text in self.properties.items() if namespace and name[0] == namespace}

    def _text(self, name: str) -> str | None:
        return self.properties.get((_DAV, name))


class MultiStatus:
    """Parses a response piece by piece."""

    __slots__ = ("_depth", "_group", "_parser", "_path", "_resource", "_status", "_text", "_unfinished", "resources")

    def __init__(self) -> None:
        self.resources: list[Resource] = []
        self._resource: Resource | None = None
        self._group = Resource()
        self._status: int | None = None
        self._path: list[Name] = []
        self._text: list[str] = []
        self._unfinished = 0
        self._parser = new_parser(" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append

    def feed(self, content: bytes, *, is_end: bool = False) -> None:
        """Parses the next piece of content.

        Raises:
            ContentIncomplete: the content is truncated. Temporary.
            Unexpected: it is not a multi-status, or one resource has more than 16 MiB.
        """
        known = len(self.resources)
        try:
            self._parser.Parse(content, is_end)
        except expat.ExpatError as error:
            raise malformed(error.code) from None
        self._unfinished = 0 if len(self.resources) > known else self._unfinished + len(content)
        if self._unfinished > RESPONSE_LIMIT:
            raise Unexpected(f"one resource of the response has more than {RESPONSE_LIMIT} bytes")

    def _start(self, element: str, _: object) -> None:
        namespace, _blank, local = element.rpartition(" ")
        self._path.append((namespace, local))
        self._text.clear()
        path = self._path
        if len(path) > MAX_DEPTH:
            raise Unexpected(f"the response of the storage nests elements deeper than {MAX_DEPTH}")
        if len(path) == 1 and path[0] != _ROOT:
            raise Unexpected("the response is not a multi-status of WebDAV")
        if len(path) == 2 and path[1] == _RESPONSE:
            self._resource = Resource()
        elif len(path) == 3 and local == "propstat":
            self._group, self._status = Resource(), None

    def _end(self, _: str) -> None:
        depth, name = len(self._path), self._path[-1]
        text = "".join(self._text) if self._text else ""
        resource = self._resource
        if resource is not None:
            match depth:
                case 2:
                    self.resources.append(resource)
                    self._resource = None
                case 3:
                    self._end_of_part(resource, name, text)
                case 4 if name == (_DAV, "status"):
                    self._status = _status_of(text)
                case 5:
                    self._group.properties[name] = text
                case 6 if name == (_DAV, "collection") and self._path[4] == (_DAV, "resourcetype"):
                    self._group.is_directory = True
        self._path.pop()
        self._text.clear()

    def _end_of_part(self, resource: Resource, name: Name, text: str) -> None:
        if name == (_DAV, "href") and not resource.path:
            resource.path = _path_of(text)
        elif name == (_DAV, "status"):
            resource.status = _status_of(text)
        elif name == (_DAV, "propstat"):
            if self._status in (None, _OK):
                resource.properties |= self._group.properties
                resource.is_directory = resource.is_directory or self._group.is_directory
            else:
                resource.refused.append(self._status or 0)


async def read_multistatus(body: HttpBody) -> list[Resource]:
    """Reads a response to its end. The caller closes the body."""
    document = MultiStatus()
    while await read_piece(document, body):
        pass
    return document.resources


async def read_piece(document: MultiStatus, body: HttpBody) -> bool:
    """Reads the next piece of a response into a document. Returns whether there was one."""
    piece = await body.read(_PIECE)
    document.feed(piece, is_end=not piece)
    return bool(piece)


def _status_of(text: str) -> int:
    match = _STATUS.match(text)
    return int(match[1]) if match else 0


def _path_of(href: str) -> str:
    """The path of a URL, or of an absolute path, percent-encoded as it is stated."""
    try:
        return urlsplit(href.strip()).path
    except ValueError:
        raise ContentIncomplete("the response names a resource by a malformed URL") from None
