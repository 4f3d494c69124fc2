"""A scanner for the rows of a listing, three times as fast as an XML parser with callbacks.

Theory of operation. Nearly all of a page is one block of `<Contents>` rows in the shape that Amazon S3 writes: the same
elements in the same order, with no whitespace between them, and keys percent-encoded. `scan` splits such a block by one
regular expression. The XML parser reads the rest of the page, in which an empty `<Contents/>` marks the place of the
block, and the rows take the place of the row that the parser found there.

The result must equal the parser's result for the whole page. Therefore:

- The block must consist of matches alone: the texts between them are compared with nothing.
- A value may hold printable ASCII except `&`, `<` and `>`. Such a text is its own value, it is always valid XML, and a
  value cannot reach into the next element. The quotes of an etag may be written as references.
- Only the parser decides where the block is. If the block is in a CDATA section or at another depth, the parser finds
  no row for the marker. No other row can be taken for the marker, because the rest must not have the word `Contents`.
- A page with anything else, such as a comment before the block, is left to the parser.

The expression is linear: no value can match the start of a tag, so there is one way to match a row.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from entrepot.raw.http.xml import Document, Row

_NAME: Final = "Contents"
_START, _END, _MARKER = b"<Contents>", b"</Contents>", b"<Contents/>"
_MARKED: Final[Row] = (_NAME, {})
_TEXT: Final = "[ -%'-;=?-~]*"
_QUOTE: Final = '(?:&quot;|&#34;|")'
_OWNER: Final = f"(?:<Owner>(?:<ID>{_TEXT}</ID>)?(?:<DisplayName>{_TEXT}</DisplayName>)?</Owner>())?"
_ROW: Final = re.compile(
    f"<Contents><Key>({_TEXT})</Key><LastModified>({_TEXT})</LastModified>"
    f"<ETag>{_QUOTE}([ !#-%'-;=?-~]*){_QUOTE}</ETag>"
    f"(?:<ChecksumAlgorithm>({_TEXT})</ChecksumAlgorithm>)?(?:<ChecksumType>({_TEXT})</ChecksumType>)?"
    f"<Size>({_TEXT})</Size>{_OWNER}<StorageClass>({_TEXT})</StorageClass>{_OWNER}</Contents>"
)
"""A row. The text of an owner is empty, as the XML parser reads it: it holds elements."""
_COLUMNS: Final = _ROW.groups + 1
_OPTIONAL: Final = {4: "ChecksumAlgorithm", 5: "ChecksumType", 7: "Owner", 9: "Owner"}


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """A page whose rows were scanned.

    Arguments:
        rest: the page without its rows, which the XML parser has to read.
        rows: the rows.
    """

    rest: bytes
    rows: Sequence[Row]

    def insert_rows(self, document: Document) -> bool:
        """Puts the rows in their place in the document of the rest.

        Returns False if they are not rows there: the XML parser has to read the whole page.
        """
        if _MARKED not in document.rows:
            return False
        position = document.rows.index(_MARKED)
        document.rows[position : position + 1] = self.rows
        return True


def scan(content: bytes) -> ScannedPage | None:
    """Scans the rows of a page; None if they are not in the shape that Amazon writes."""
    start, end = content.find(_START), content.rfind(_END) + len(_END)
    if start < 0 or end <= start:
        return None
    before, block, after = content[:start], content[start:end], content[end:]
    if b"Contents" in before or b"Contents" in after or b"<!" in before or not block.isascii():
        return None
    columns = _ROW.split(block.decode("ascii"))
    if any(columns[::_COLUMNS]):
        return None
    return ScannedPage(before + _MARKER + after, _rows(columns))


def _rows(columns: list[str | Any]) -> list[Row]:
    key, modified, etag, size, storage_class = (columns[number::_COLUMNS] for number in (1, 2, 3, 6, 8))
    rows = [
        (_NAME, {"Key": k, "LastModified": m, "ETag": f'"{e}"', "Size": s, "StorageClass": c})
        for k, m, e, s, c in zip(key, modified, etag, size, storage_class, strict=True)
    ]
    for number, name in _OPTIONAL.items():
        texts = columns[number::_COLUMNS]
        if texts.count(None) == len(rows):
            continue
        for (_, values), text in zip(rows, texts, strict=True):
            if text is not None:
                values[name] = text
    return rows
