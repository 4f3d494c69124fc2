"""XML as S3 speaks it: replies are read without a tree, and requests are a few tags around escaped text.

A reply is one element that holds values and, in listings, rows of values. That is all that is looked at.
Namespaces say nothing here and are ignored. A document type declaration is refused, and with it every
entity that could be declared: nothing expands. Elements nest to a bound, and the size of the whole is
bounded by whoever fetched it.
"""

import re
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final, NoReturn
from xml.parsers import expat

from entrepot.errors import ContentIncomplete, Unexpected

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
MAX_DEPTH: Final = 16
"""How deep elements may nest. No reply of S3 needs more than five."""

Row = tuple[str, dict[str, str]]

_CUT_SHORT: Final = frozenset(
    {
        expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
        expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
        expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
        expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
    }
)
_NOT_IN_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True)
class Document:
    """What a reply says.

    Arguments:
        root: the name of the outermost element.
        fields: the text of the elements in it, by name.
        rows: those of its elements that were asked for as rows, in order: the name, and the texts in it.
    """

    root: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


def parse(content: bytes, rows: Container[str] = ()) -> Document:
    """Reads a reply.

    Arguments:
        content: all of it, in UTF-8.
        rows: the names of the elements that are rows.

    Raises:
        ContentIncomplete: it ends before its time. Temporary.
        Unexpected: it is no XML (temporary), declares a document type, or nests too deep.
    """
    document, parser = Document(), expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    _fill(document, parser, rows)
    try:
        parser.Parse(content.lstrip(), True)  # blanks keep a connection alive until the answer is known
    except expat.ExpatError as error:
        raise _malformed(error.code) from None
    return document


def escaped(text: str) -> str:
    """Text as it stands between tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def can_carry(text: str) -> bool:
    """Whether XML 1.0 can write all characters of the text (section 2.2). Of control characters it knows three."""
    return _NOT_IN_XML.search(text) is None


def _fill(document: Document, parser: expat.XMLParserType, rows: Container[str]) -> None:
    """Lets a parser put what it finds into a document. Texts count where they stand in a value, not between values.

    The handlers are called several times for each row: what they share is in variables, which are reached quicker
    than attributes.
    """
    depth, text = 0, list[str]()
    row: dict[str, str] | None = None

    def start(name: str, _: object) -> None:
        nonlocal depth, row
        depth += 1
        if text:
            text.clear()
        if depth == 1:
            document.root = _local(name)
        elif depth == 2:
            row = {} if _local(name) in rows else None
        elif depth > MAX_DEPTH:
            raise Unexpected(f"the reply of the storage nests more than {MAX_DEPTH} elements")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        if depth == 2 and row is not None:
            row[name if ":" not in name else _local(name)] = "".join(text)
        elif depth == 1 and row is not None:
            document.rows.append((_local(name), row))
        elif depth == 1:
            document.fields[_local(name)] = "".join(text)
        text.clear()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append


def _local(name: str) -> str:
    return name.rpartition(":")[2] if ":" in name else name


def _refuse_doctype(*_: object) -> NoReturn:
    raise Unexpected("the reply of the storage declares a document type, which is refused")


def _malformed(code: int) -> ContentIncomplete | Unexpected:
    if code in _CUT_SHORT:
        return ContentIncomplete("the reply of the storage ends before its time")
    return Unexpected("the reply of the storage is no XML", is_temporary=True)
