"""A scanner for the rows of a listing, by their shapes (`raw/http/row_shapes.py`).

The XML parser reads the rest of the page, in which one row, the marker, has the place of all. Only the parser decides
where the rows are: if they are in a comment or at another depth, it finds no marker. The rest has no marker of its own.
"""

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Final

from entrepot.errors import Error
from entrepot.raw.http.row_shapes import NO_TEXT, RowShapes, plain_text
from entrepot.raw.http.xml import Document, Row

ROWS: Final = frozenset({"Blob", "BlobPrefix"})
ROW_DEPTH: Final = 3

_MARKED: Final = b"rows-of-this-page"
_MARKER: Final[Row] = ("Blob", {_MARKED.decode(): ""})
_START, _END = b"<Blobs>", b"</Blobs>"

_Shape = tuple[str, tuple[str, ...], Callable[[list[str]], tuple[str, ...]]]
"""The name of a row, the names of its values, and what gets their texts out of the pieces of a row."""


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
    if not len(_START) <= start < end or b"Blobs>" in block:
        return None
    before, after = content[:start], content[end:]
    if _MARKED in before or _MARKED in after:
        return None
    text = plain_text(block)
    rows = None if text is None else _scanned(text, parse)
    if rows is None:
        return None
    document = _parsed(b"%b<Blob><%b/></Blob>%b" % (before, _MARKED, after), parse)
    if document is None or document.rows != [_MARKER]:
        return None
    document.rows[:] = rows
    return document


def _scanned(block: str, parse: Callable[[bytes], Document]) -> list[Row] | None:
    *parts, after = block.replace("</Blob>", "</Blob>\0").replace("</BlobPrefix>", "</BlobPrefix>\0").split("\0")
    if after:
        return None
    rows, shapes = list[Row](), RowShapes(partial(_shape_of, parse))
    for part in parts:
        read = shapes.read(part)
        if read is None:
            return None
        (name, keys, texts_of), pieces = read
        rows.append((name, dict(zip(keys, texts_of(pieces), strict=False))))
    return rows


def _shape_of(parse: Callable[[bytes], Document], row: str) -> _Shape | None:
    """The shape of a row with numbers as its texts; None if it is not one row."""
    document = _parsed(f"<EnumerationResults><Blobs>{row}</Blobs></EnumerationResults>".encode(), parse)
    if document is None or len(document.rows) != 1:
        return None
    ((name, values),) = document.rows
    places = [int(value or NO_TEXT) for value in values.values()]
    texts_of = itemgetter(*places, NO_TEXT, NO_TEXT)  # two more than the names: of one it would get no tuple
    return name, tuple(values), texts_of


def _parsed(content: bytes, parse: Callable[[bytes], Document]) -> Document | None:
    """The document; None if it cannot be understood. The parser then reads the whole page, and raises the error."""
    try:
        return parse(content)
    except Error:
        return None
