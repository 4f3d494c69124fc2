"""A scanner for the rows of a listing, several times as fast as an XML parser with callbacks.

Theory of operation. Nearly all of a page is one block of `<Contents>` rows in the shape that Amazon S3 writes: the same
elements in the same order, with no whitespace between them, and keys percent-encoded. `scan` splits such a block by one
regular expression. The XML parser reads the rest of the page, in which an empty `<Contents/>` marks the place of the
block.

The result must equal the parser's result for the whole page. Therefore:

- The block must consist of matches alone: the texts between them must all be empty.
- A value may hold printable ASCII except `&`, `<` and `>`. Such a text is its own value, it is always valid XML, and a
  value cannot reach into the next element. The quotes of an etag may be written as references.
- Only the parser decides where the block is. If the block is in a CDATA section or at another depth, the parser finds
  no row for the marker. No other row can be taken for the marker, because the rest must not have the word `Contents`.
- The block must be in another element, since the parser takes one outermost row and refuses a second one.
- A page with anything else, such as a comment before the block, is left to the parser.

The expression is linear: no value can match the start of a tag, so there is one way to match a row.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from entrepot.raw.http.xml import Row
from entrepot.types.patterns import pattern

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

MARKER: Final[Row] = ("Contents", {})
"""The row that the XML parser finds in place of the scanned rows."""

_WORD, _MARKER = "Contents", "<Contents/>"
_ROOT: Final = pattern(r"\s*(?:<\?xml [^?]*\?>\s*)?<[A-Za-z]")
_TEXT: Final = "[ -%'-;=?-~]*"
_QUOTE: Final = '(?:&quot;|&#34;|")'
_OWNER: Final = f"(?:<Owner>(?:<ID>{_TEXT}</ID>)?(?:<DisplayName>{_TEXT}</DisplayName>)?</Owner>)?"
_ROW: Final = pattern(
    f"<Contents><Key>({_TEXT})</Key><LastModified>({_TEXT})</LastModified>"
    f"<ETag>{_QUOTE}([ !#-%'-;=?-~]+){_QUOTE}</ETag>"
    f"(?:<ChecksumAlgorithm>{_TEXT}</ChecksumAlgorithm>)?(?:<ChecksumType>{_TEXT}</ChecksumType>)?"
    f"<Size>([0-9]{{1,18}})</Size>{_OWNER}<StorageClass>({_TEXT})</StorageClass>{_OWNER}</Contents>"
)
_STEP: Final = 6
"""What a split makes of each row: its five groups, and what is between it and the next row."""


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """A page whose rows were scanned. They are kept in columns: a tuple or dict for each row would take longer to make.

    Arguments:
        rest: the page with `MARKER` in place of its rows, for the XML parser.
        keys: the texts of `Key`.
        modified: the texts of `LastModified`.
        etags: the texts of `ETag` without their quotes, never empty.
        sizes: the texts of `Size`: 1 to 18 digits.
        storage_classes: the texts of `StorageClass`.
    """

    rest: bytes
    keys: Sequence[str]
    modified: Sequence[str]
    etags: Sequence[str]
    sizes: Sequence[str]
    storage_classes: Sequence[str]


def scan(content: bytes) -> ScannedPage | None:
    """Scans the rows of a page; None if they are not in the shape that Amazon writes.

    The rows are valid only if the XML parser finds `MARKER` in the rest.
    """
    try:
        parts = _ROW.split(content.decode("ascii"))
    except UnicodeDecodeError:
        return None
    before, after = parts[0], parts[-1]
    if len(parts) == 1 or any(parts[_STEP:-1:_STEP]) or _WORD in before or _WORD in after or "<!" in before:
        return None
    if _ROOT.match(before) is None:
        return None
    rest = f"{before}{_MARKER}{after}".encode()
    return ScannedPage(rest, *(parts[column::_STEP] for column in range(1, _STEP)))
