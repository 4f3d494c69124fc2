"""The content of a 207 Multi-Status response (RFC 4918, section 13), read as it arrives.

A response has one `response` element for each resource, with its URL and its properties in groups by status
(`propstat`). Only properties with the status 200 count. A resource may have a status instead of properties. Nothing
expands: see `raw/http/xml.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

from entrepot.errors import ContentIncomplete, Unexpected
from entrepot.raw.http.client import RESPONSE_LIMIT
from entrepot.raw.http.headers import parse_http_date, parse_length, quoted_etag
from entrepot.raw.http.transport import HttpBody
from entrepot.raw.http.xml import MAX_DEPTH, malformed, new_parser
from entrepot.types import EntryMode, Metadata
from entrepot.types.frozen_mapping import EMPTY

MULTI_STATUS: Final = 207
_OK: Final = 200
_DAV: Final = "DAV:"
_ROOT: Final = (_DAV, "multistatus")
_RESPONSE: Final = (_DAV, "response")
_HREF: Final = (_DAV, "href")
_PROPSTAT: Final = (_DAV, "propstat")
_STATUS_NAME: Final = (_DAV, "status")
_RESOURCE_TYPE: Final = (_DAV, "resourcetype")
_COLLECTION: Final = (_DAV, "collection")
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
        if not namespace:
            return EMPTY
        return {name[1]: text for name, text in self.properties.items() if name[0] == namespace}

    def _text(self, name: str) -> str | None:
        return self.properties.get((_DAV, name))


class MultiStatus:
    """Parses a response piece by piece.

    Attributes:
        resources: the resources that are complete. The reader may replace the list.
    """

    __slots__ = ("_parser", "_unfinished", "resources")

    def __init__(self) -> None:
        self.resources: list[Resource] = []
        self._unfinished = 0
        self._parser = new_parser(" ")
        _connect(self._parser, self)

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


class _Open:
    """What is known of the open elements.

    Attributes:
        path: their names, from the outermost one.
        text: the text since the last tag.
        resource: the open resource.
        properties: those of the last group of properties.
        is_directory: whether they say that the resource is a collection.
        status: the status of the group.
    """

    __slots__ = ("is_directory", "path", "properties", "resource", "status", "text")

    def __init__(self) -> None:
        self.path: list[Name] = []
        self.text: list[str] = []
        self.resource: Resource | None = None
        self.begin_group()

    def begin_group(self) -> None:
        self.properties: dict[Name, str] = {}
        self.is_directory = False
        self.status: int | None = None

    def end_of_part(self, resource: Resource, name: Name) -> None:
        if name == _HREF and not resource.path:
            resource.path = _path_of("".join(self.text))
        elif name == _STATUS_NAME:
            resource.status = _status_of("".join(self.text))
        elif name == _PROPSTAT:
            if self.status in (None, _OK):
                resource.properties |= self.properties
                resource.is_directory = resource.is_directory or self.is_directory
            else:
                resource.refused.append(self.status or 0)


def _connect(parser: expat.XMLParserType, document: MultiStatus) -> None:
    """Connects a parser to a document."""
    state = _Open()
    parser.StartElementHandler = _starter(state)
    parser.EndElementHandler = _ender(state, document)
    parser.CharacterDataHandler = state.text.append


def _starter(state: _Open) -> Callable[[str, object], None]:
    """The handler of a start tag. It runs many times for each resource: local variables are faster than attributes."""
    path, text = state.path, state.text

    def start(element: str, _: object) -> None:
        name = _name_of(element)
        path.append(name)
        text.clear()
        depth = len(path)
        if depth > MAX_DEPTH:
            raise Unexpected(f"the response of the storage nests elements deeper than {MAX_DEPTH}")
        if depth == 1 and name != _ROOT:
            raise Unexpected("the response is not a multi-status of WebDAV")
        if depth == 2 and name == _RESPONSE:
            state.resource = Resource()
        elif depth == 3 and name[1] == "propstat":
            state.begin_group()

    return start


def _ender(state: _Open, document: MultiStatus) -> Callable[[str], None]:
    """The handler of an end tag."""
    path, text = state.path, state.text

    def end(_: str) -> None:
        depth, name, resource = len(path), path.pop(), state.resource
        if resource is not None:
            if depth == 5:
                state.properties[name] = "".join(text)
            elif depth == 6:
                state.is_directory = state.is_directory or (name == _COLLECTION and path[4] == _RESOURCE_TYPE)
            elif depth == 4 and name == _STATUS_NAME:
                state.status = _status_of("".join(text))
            elif depth == 3:
                state.end_of_part(resource, name)
            elif depth == 2:
                document.resources.append(resource)
                state.resource = None
        text.clear()

    return end


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


@lru_cache(maxsize=256)
def _name_of(element: str) -> Name:
    """The name of an element, which the parser writes as its namespace, a blank and its local name."""
    namespace, _blank, local = element.rpartition(" ")
    return namespace, local


@lru_cache(maxsize=64)
def _status_of(text: str) -> int:
    match = _STATUS.match(text)
    return int(match[1]) if match else 0


def _path_of(href: str) -> str:
    """The path of a URL, or of an absolute path, percent-encoded as it is stated."""
    try:
        return urlsplit(href.strip()).path
    except ValueError:
        raise ContentIncomplete("the response names a resource by a malformed URL") from None
