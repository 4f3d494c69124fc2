"""A scanner for the rows of a listing, several times as fast as an XML parser with callbacks.

Theory of operation. A page has many rows with the same elements in the same order: one *shape*. `scan` splits each row
at its texts: what is between them is its shape. The XML parser parses each shape only once, with the numbers of the
texts in their place. The result says which text is which value, for all rows of this shape. The parser also reads the
rest of the page, in which an empty `<Blob/>` marks the place of the rows.

The result must equal the parser's result for the whole page. Therefore:

- The rows consist of plain tags, without attributes, and of texts without `&`, `<` and `>`, of printable ASCII, tabs
  and line feeds. Such a text is its own value, wherever it is. (The tags have as many `<` as `>`. So if the numbers of
  both are equal, no text has a `>`.)
- Only the parser decides what a shape means: a row that is not well-formed, or has no name, has no other result here.
- Only the parser decides where the rows are. If they are in a comment or at another depth, it finds no row for the
  marker.
- Anything else, and a page with many shapes, is left to the parser.
"""

import re
from collections.abc import Callable
from typing import Final

from entrepot.errors import Error
from entrepot.raw.http.xml import Document, Row

ROWS: Final = frozenset({"Blob", "BlobPrefix"})
ROW_DEPTH: Final = 3

_MARKER: Final[Row] = ("Blob", {})
_START, _END = b"<Blobs>", b"</Blobs>"
_PLAIN: Final = bytes({*range(0x20, 0x7F), 0x09, 0x0A} - {ord("&")})
_TEXT: Final = re.compile(">([^<]+)<")
_TAGS: Final = re.compile("(?:</?[A-Za-z][A-Za-z0-9_-]*(?: ?/)?>)*")
_EMPTY: Final = -1
"""The index of an empty text, which is added to those of each row: it is not between the tags."""
_MOST_SHAPES: Final = 32

_Shape = tuple[str, list[tuple[str, int]]]
"""The name of a row, and of each value its name and the index of its text."""


def scan(content: bytes, parse: Callable[[bytes], Document]) -> Document | None:
    """Parses a page, if its rows can be scanned.

    Arguments:
        content: the page.
        parse: parses XML to the rows `ROWS` at the depth `ROW_DEPTH`.

    Returns:
        The document; None for a page that the parser must read, or refuse.
    """
    start, end = content.find(_START) + len(_START), content.rfind(_END)
    block = content[start:end]
    if not len(_START) <= start < end or block.translate(None, _PLAIN) or b"Blobs>" in block:
        return None
    rows = _scanned(block.decode("ascii"), parse)
    if rows is None:
        return None
    document = _parsed(b"%b<Blob/>%b" % (content[:start], content[end:]), parse)
    if document is None or document.rows != [_MARKER]:
        return None
    document.rows[:] = rows
    return document


def _scanned(block: str, parse: Callable[[bytes], Document]) -> list[Row] | None:
    if block.count("<") != block.count(">"):
        return None
    *parts, after = block.replace("</Blob>", "</Blob>\0").replace("</BlobPrefix>", "</BlobPrefix>\0").split("\0")
    if after:
        return None
    rows, shapes = list[Row](), dict[str, _Shape]()
    for part in parts:
        pieces = _TEXT.split(part)  # tags and texts in turn
        tags = "\0".join(pieces[::2])
        shape = shapes.get(tags)
        if shape is None:
            shape = _shape_of(pieces[::2], parse)
            if shape is None or len(shapes) == _MOST_SHAPES:
                return None
            shapes[tags] = shape
        pieces.append("")
        name, values = shape
        rows.append((name, {key: pieces[index] for key, index in values}))
    return rows


def _shape_of(tags: list[str], parse: Callable[[bytes], Document]) -> _Shape | None:
    """The shape of a row with these tags, which have texts between them; None if they are not one row."""
    if not _TAGS.fullmatch("><".join(tags)):
        return None
    numbered = "".join(f"{tag}>{2 * number + 1}<" for number, tag in enumerate(tags[:-1])) + tags[-1]
    document = _parsed(f"<EnumerationResults><Blobs>{numbered}</Blobs></EnumerationResults>".encode(), parse)
    if document is None or len(document.rows) != 1:
        return None
    ((name, values),) = document.rows
    return name, [(key, int(value or _EMPTY)) for key, value in values.items()]


def _parsed(content: bytes, parse: Callable[[bytes], Document]) -> Document | None:
    """The document; None if it cannot be understood. The parser then reads the whole page, and raises the error."""
    try:
        return parse(content)
    except Error:
        return None
