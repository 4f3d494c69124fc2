"""A scanner for the resources of a long response, by their shapes (`raw/http/row_shapes.py`).

Theory of operation. The XML parser reads the start of the response, up to its first resource, and what the scanner
leaves. The resources are siblings, so the parser does not miss those that were taken out before them. The result must
equal that of the parser alone, in the same order. Therefore:

- The start is a declaration and the outermost tag, and nothing else that could hide where the resources begin.
- The first resource that is not plain, or what is not a resource, ends the scanning: the parser reads all of the rest.
- The status of a resource or of its properties belongs to its shape, since it decides what counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from entrepot.errors import Error
from entrepot.raw.http.row_shapes import NO_TEXT, RowShapes, plain_text

from .resource import Name, Resource, path_of

_HEAD: Final = re.compile(
    rb"\s*(?:<\?xml [^?<>]*\?>\s*)?"
    rb"<(?P<prefix>(?:[A-Za-z_][A-Za-z0-9_.-]*:)?)multistatus(?:\s+[A-Za-z0-9_:.-]+=\"[^\"<>&]*\")*\s*>\s*"
)
_STATUS: Final = "HTTP/"
_OF_ONE: Final = len(("<href>", "</href>"))
_FEW: Final = 8
"""With fewer resources, learning a shape takes longer than parsing them."""

_MOST_KEPT: Final = 1 << 20
"""The most bytes without the end of a resource that the scanner waits for."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """Resources of one shape.

    Arguments:
        pattern: the resource whose texts are numbers.
        href: the index of the text with its URL.
        names: the names of the properties.
        texts_of: gets their texts out of the pieces of a row.
    """

    pattern: Resource
    href: int
    names: tuple[Name, ...]
    texts_of: Callable[[list[str]], tuple[str, ...]]

    def resource(self, pieces: list[str]) -> Resource:
        """The resource that a row describes."""
        pattern = self.pattern
        properties = dict(zip(self.names, self.texts_of(pieces), strict=False))
        return Resource(path_of(pieces[self.href]), pattern.status, pattern.is_directory, properties, pattern.refused)


class RowScanner:
    """Takes the plain resources out of a response that comes piece by piece.

    Arguments:
        parse: parses a whole response.
    """

    __slots__ = ("_end", "_head", "_is_done", "_kept", "_parse", "_shapes")

    def __init__(self, parse: Callable[[bytes], list[Resource]]) -> None:
        self._parse = parse
        self._shapes = RowShapes(self._shape_of, _STATUS)
        self._head, self._end = b"", b""
        self._kept = b""
        self._is_done = False

    def take(self, content: bytes, *, is_end: bool) -> tuple[bytes, list[Resource], bytes]:
        """Takes the next piece of a response.

        Returns:
            The start of the response, which the parser must read first; the resources that were taken out after it; and
            what the parser must read after them. Content that ends within a resource is kept for the next piece.
        """
        if self._is_done:
            return b"", [], content
        content = self._kept + content
        start = b"" if self._head else self._begin(content)
        if self._is_done:
            return b"", [], content
        resources, left = self._scanned(content[len(start) :])
        self._is_done = self._is_done or is_end or len(left) > _MOST_KEPT
        self._kept, rest = (b"", left) if self._is_done else (left, b"")
        return start, resources, rest

    def _begin(self, content: bytes) -> bytes:
        """The start of a response. There is nothing to take out if it is unusual, or has few resources."""
        match = _HEAD.match(content)
        if match is not None:
            self._head, self._end = match[0], b"</%bresponse>" % match["prefix"]
        self._is_done = match is None or content.count(self._end) < _FEW
        return self._head

    def _scanned(self, content: bytes) -> tuple[list[Resource], bytes]:
        """The resources that are complete, and the content after them."""
        size = content.rfind(self._end) + len(self._end)
        if size < len(self._end):
            return [], content
        text = plain_text(content[:size])
        if text is None:
            self._is_done = True
            return [], content
        end = self._end.decode()
        rows = text.replace(end, f"{end}\0").split("\0")[:-1]
        resources: list[Resource] = []
        for row in rows:
            read = self._shapes.read(row)
            if read is None:
                self._is_done = True
                return resources, "".join(rows[len(resources) :]).encode() + content[size:]
            shape, pieces = read
            resources.append(shape.resource(pieces))
        return resources, content[size:]

    def _shape_of(self, row: str) -> _Shape | None:
        """The shape of a row with numbers as its texts; None if it is not one resource with a URL."""
        end = self._end.replace(b"response", b"multistatus")
        try:
            (pattern,) = self._parse(b"%b%b%b" % (self._head, row.encode(), end))
            href = int(pattern.path)
            places = [int(text or NO_TEXT) for text in pattern.properties.values()]
        except (Error, ValueError):
            return None
        if row.count("href>") != _OF_ONE or 0 in (pattern.status, *pattern.refused):
            return None  # its URL or a status would be found in another way
        texts_of = itemgetter(*places, NO_TEXT, NO_TEXT)  # more than the names: of one it would get no tuple
        return _Shape(pattern, href, tuple(pattern.properties), texts_of)
