"""The content of a 207 Multi-Status response (RFC 4918, section 13), read as it arrives.

A response has one `response` element for each resource, with its URL and its properties in groups by status
(`propstat`). Only properties with the status 200 count. A resource may have a status instead of properties. Nothing
expands: see `raw/http/xml.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from xml.parsers import expat

from entrepot.errors import Unexpected
from entrepot.raw.http.client import RESPONSE_LIMIT
from entrepot.raw.http.transport import HttpBody
from entrepot.raw.http.xml import MAX_DEPTH, malformed, new_parser

from .resource import OK, Name, Resource, path_of
from .row_scanner import RowScanner

MULTI_STATUS: Final = 207
_ROOT: Final = "DAV: multistatus"
_RESPONSE: Final = "DAV: response"
_HREF: Final = "DAV: href"
_PROPSTAT: Final = "DAV: propstat"
_STATUS_NAME: Final = "DAV: status"
_RESOURCE_TYPE: Final = "DAV: resourcetype"
_COLLECTION: Final = "DAV: collection"
_STATUS: Final = re.compile(r"\s*HTTP/\d+(?:\.\d+)?\s+(\d{3})\b")
_PIECE: Final = 256 * 1024

_RESPONSE_DEPTH: Final = 2
_PROPERTY_DEPTH: Final = 5


class MultiStatus:
    """Parses a response piece by piece.

    Attributes:
        resources: the resources that are complete. The reader may replace the list.
    """

    __slots__ = ("_parser", "_scanner", "_unfinished", "resources")

    def __init__(self) -> None:
        self.resources: list[Resource] = []
        self._unfinished = 0
        self._parser = new_parser(" ")
        self._scanner: RowScanner | None = None
        _connect(self._parser, self)

    def feed(self, content: bytes, *, is_end: bool = False) -> None:
        """Parses the next piece of content.

        Raises:
            ContentIncomplete: the content is truncated. Temporary.
            Unexpected: it is not a multi-status, or one resource has more than 16 MiB.
        """
        if self._scanner is None:
            self._scanner = RowScanner(_parsed)
        start, resources, rest = self._scanner.take(content, is_end=is_end)
        if start:
            self.parse(start)
        self.resources += resources
        if rest or is_end:
            self.parse(rest, is_end=is_end)

    def parse(self, content: bytes, *, is_end: bool = False) -> None:
        """Does the same without a scanner for many resources."""
        known = len(self.resources)
        try:
            self._parser.Parse(content, is_end)
        except expat.ExpatError as error:
            raise malformed(error.code) from None
        self._unfinished = 0 if len(self.resources) > known else self._unfinished + len(content)
        if self._unfinished > RESPONSE_LIMIT:
            raise Unexpected(f"one resource of the response has more than {RESPONSE_LIMIT} bytes")


def _parsed(content: bytes) -> list[Resource]:
    document = MultiStatus()
    document.parse(content, is_end=True)
    return document.resources


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
            resource.path = path_of("".join(self.text))
        elif name == _STATUS_NAME:
            resource.status = _status_of("".join(self.text))
        elif name == _PROPSTAT:
            if self.status in (None, OK):
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
    add, forget, depth_of = path.append, text.clear, path.__len__

    def start(name: str, _: object) -> None:
        add(name)
        forget()
        depth = depth_of()
        if depth == _PROPERTY_DEPTH:  # most elements
            return
        if depth > MAX_DEPTH:
            raise Unexpected(f"the response of the storage nests elements deeper than {MAX_DEPTH}")
        if depth == 1 and name != _ROOT:
            raise Unexpected("the response is not a multi-status of WebDAV")
        if depth == _RESPONSE_DEPTH and name == _RESPONSE:
            state.resource = Resource()
        elif depth == 3 and name == _PROPSTAT:
            state.begin_group()

    return start


def _ender(state: _Open, document: MultiStatus) -> Callable[[str], None]:
    """The handler of an end tag."""
    path, text = state.path, state.text
    leave, forget = path.pop, text.clear

    def end(name: str) -> None:
        depth, resource = len(path), state.resource
        leave()
        if depth == _PROPERTY_DEPTH:
            state.properties[name] = "".join(text)
        elif resource is None:
            pass
        elif depth == 6:
            state.is_directory = state.is_directory or (name == _COLLECTION and path[4] == _RESOURCE_TYPE)
        elif depth == 4 and name == _STATUS_NAME:
            state.status = _status_of("".join(text))
        elif depth == 3:
            state.end_of_part(resource, name)
        elif depth == _RESPONSE_DEPTH:
            document.resources.append(resource)
            state.resource = None
        forget()

    return end


async def read_multistatus(body: HttpBody) -> list[Resource]:
    """Reads a response with few resources to its end. The caller closes the body."""
    document = MultiStatus()
    while piece := await body.read(_PIECE):
        document.parse(piece)
    document.parse(b"", is_end=True)
    return document.resources


async def read_piece(document: MultiStatus, body: HttpBody) -> bool:
    """Reads the next piece of a response into a document. Returns whether there was one."""
    piece = await body.read(_PIECE)
    document.feed(piece, is_end=not piece)
    return bool(piece)


@lru_cache(maxsize=64)
def _status_of(text: str) -> int:
    match = _STATUS.match(text)
    return int(match[1]) if match else 0
