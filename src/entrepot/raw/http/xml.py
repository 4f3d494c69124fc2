"""XML as object stores use it: responses are read without a tree, and requests are a few tags around escaped text.

A response is one element that holds values and, in listings, rows of values and of groups of values. Nothing else in it
is read. Namespaces are ignored. A document type declaration is refused, and with it every entity that it could
declare: nothing expands. The depth of elements is bounded here, and the size of the response by the client that reads
it.
"""

import re
from collections.abc import Container
from dataclasses import field
from typing import TYPE_CHECKING, Final, NoReturn
from xml.parsers import expat

from entrepot.errors import ContentIncomplete, Unexpected
from entrepot.types.patterns import pattern

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

MAX_DEPTH: Final = 16
"""How deep elements may nest. No response of S3 needs more than five."""

Row = tuple[str, dict[str, str]]

_CUT_SHORT: Final = frozenset(
    {
        expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
        expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
        expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
        expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
    }
)
_NOT_IN_XML: Final = "[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_ERROR_ROOT: Final = pattern(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:[\w.-]{1,40}:)?Error[\s>/]")


@dataclass(slots=True)
class Document:
    """The content of a response.

    Arguments:
        root: the name of the outermost element.
        fields: the text of the elements in it, by name.
        rows: the elements in it that were requested as rows, in order: the name, and the texts in it. The name of a
            text in a group of texts begins with the name of the group: `"Properties/Etag"`.
    """

    root: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


def parse(content: bytes, rows: Container[str] = (), row_depth: int = 2) -> Document:
    """Parses the content of a response.

    Arguments:
        content: the whole content, in UTF-8.
        rows: the names of the elements that are rows.
        row_depth: the depth of these elements; the outermost element has the depth 1.

    Raises:
        ContentIncomplete: it is truncated. Temporary.
        Unexpected: it is not XML (temporary), declares a document type, or nests too deep.
    """
    document, parser = Document(), new_parser()
    _fill(document, parser, rows, row_depth)
    try:
        parser.Parse(content.lstrip(), True)  # servers send blanks to keep the connection alive
    except expat.ExpatError as error:
        raise malformed(error.code) from None
    return document


def new_parser(namespace_separator: str | None = None) -> expat.XMLParserType:
    """Returns a parser that raises `Unexpected` for a document type declaration, so that no entity expands.

    Arguments:
        namespace_separator: what is between the namespace and the name of an element; None leaves namespaces alone.
    """
    parser = expat.ParserCreate("utf-8", namespace_separator)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def malformed(code: int) -> ContentIncomplete | Unexpected:
    """The error that a code of `ExpatError` means."""
    if code in _CUT_SHORT:
        return ContentIncomplete("the response of the storage is truncated")
    return Unexpected("the response of the storage is not XML", is_temporary=True)


def escaped(text: str) -> str:
    """Text escaped for use between tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def can_carry(text: str) -> bool:
    """Whether XML 1.0 can write all characters of the text (section 2.2). It has three control characters."""
    return re.search(_NOT_IN_XML, text) is None  # compiled on first use: that takes two milliseconds


def is_error(content: bytes) -> bool:
    """Whether the outermost element of the content is `Error`. Nothing is parsed."""
    return _ERROR_ROOT.match(content) is not None


def find_text(content: bytes, tag: bytes) -> str | None:
    """The text of the first element of that name, if it has no blanks and at most 100 bytes.

    It works without an XML parser, so it also works on truncated or hostile content. Bytes that are not ASCII are
    replaced.
    """
    match = re.search(rb"<%b>\s{0,20}([^<\s]{1,100})\s{0,20}</%b>" % (tag, tag), content)
    return None if match is None else match[1].decode("ascii", "replace")


def _fill(document: Document, parser: expat.XMLParserType, rows: Container[str], row_depth: int) -> None:
    """Connects a parser to a document. Text counts inside a value, not between values.

    The handlers run several times for each row. They share local variables, which are faster than attributes.
    """
    depth, text, names = 0, list[str](), list[str]()
    row: dict[str, str] | None = None
    inner = (row_depth, row_depth + 1)

    def start(name: str, _: object) -> None:
        nonlocal depth, row
        depth += 1
        names.append(name)
        if text:
            text.clear()
        if depth == 1:
            document.root = _local(name)
        elif depth == row_depth:
            row = {} if _local(name) in rows else None
        elif depth > MAX_DEPTH:
            raise Unexpected(f"the response of the storage nests elements deeper than {MAX_DEPTH}")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        names.pop()
        if row is not None and depth in inner:
            row[_local(name) if depth == row_depth else f"{_local(names[-1])}/{_local(name)}"] = "".join(text)
        elif depth == row_depth - 1 and row is not None:
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
    raise Unexpected("the response of the storage declares a document type, which is refused")
