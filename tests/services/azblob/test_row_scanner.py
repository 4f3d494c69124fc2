"""The scanner of rows: whatever a page holds, the result is the XML parser's."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from entrepot.errors import Error
from entrepot.raw.http.xml import Document, parse
from entrepot.services.azblob.row_scanner import ROW_DEPTH, ROWS, scan

HEAD = (
    '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="c">'
    "<MaxResults>9</MaxResults><Blobs>"
)
TAIL = "</Blobs><NextMarker>m</NextMarker></EnumerationResults>"
USER = "<Metadata><Hdi_isfolder>true</Hdi_isfolder><color>red</color></Metadata>"
PREFIX = "<BlobPrefix><Name>a/</Name></BlobPrefix>"


def row(name: str = "a/b", properties: str = "", more: str = "") -> str:
    return (
        f"<Blob><Name>{name}</Name><Properties><Etag>0x8D</Etag><Content-Length>3</Content-Length>"
        f"<Content-Encoding /><Content-Language></Content-Language>{properties}</Properties>{more}</Blob>"
    )


PLAIN = [
    row(),
    row("b c\td\n"),
    row(more=USER),
    row(more="<OrMetadata />"),
    row(properties="<Content-Type>text/plain</Content-Type>"),
    row(more="<Tags><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tags>"),
    row(""),
    row(properties="text", more="text"),
    row(more="<Name>again</Name>"),
    PREFIX,
    "<BlobPrefix/>",
    "<Blob></Blob>",
]
UNUSUAL = [
    row("a&amp;b"),
    row("a&#10;b"),
    row("é"),
    row("a\rb"),
    row("a>b"),
    row("a]]>b"),
    row("a\x00b"),
    row("<![CDATA[x]]>"),
    row("a<!-- no -->b"),
    row("a<b/>c"),
    row("<Blob>a</Blob>"),
    row(more="<x y='1'/>"),
    row(more="<x y='>'/>"),
    row(more="<a:x>1</a:x>"),
    row(more="<a>" * 16),
    "<Blob/>",
    "<Other><Name>a</Name></Other>",
    "\n  ",
    "text",
    "<",
    ">",
    "&undefined;",
    "<!-- a comment -->",
    f"<!-- {row()} -->",
    f"<?pi {row()}?>",
    "</Blobs><NextMarker>other</NextMarker><Blobs>",
    "</Blobs>",
    "<Blobs>",
    "</Blobs ><Blobs >",
    "</Blob>",
    "<!DOCTYPE a>",
]
MARKER = "<Blob><rows-of-this-page/></Blob>"
HEADS = [HEAD, HEAD + "\n", "<EnumerationResults><!--<Blobs>", "<EnumerationResults><a><Blobs>", "<Blobs>", ""]
HEADS += [f"<EnumerationResults><a>{marker}</a><!--<Blobs>" for marker in ("<Blob/>", MARKER)]
TAILS = [TAIL, "\n" + TAIL, "</Blobs>--></EnumerationResults>", "</Blobs></a></EnumerationResults>", "</Blobs>", ""]


def parsed(content: bytes) -> Document:
    return parse(content, ROWS, ROW_DEPTH)


def outcome(content: bytes, *, is_scanned: bool) -> object:
    """The document, or the kind of its error."""
    try:
        return (scan(content, parsed) if is_scanned else None) or parsed(content)
    except Error as error:
        return type(error), error.is_temporary


@settings(deadline=None, max_examples=150)
@given(
    head=st.sampled_from(HEADS) | st.just(HEAD),
    rows=st.lists(st.sampled_from(PLAIN) | st.sampled_from(UNUSUAL) | st.builds(row, st.text(max_size=5)), max_size=4),
    tail=st.sampled_from(TAILS) | st.just(TAIL),
)
@example(head=HEADS[2], rows=[row()], tail=TAILS[2])
@example(head=HEADS[3], rows=[row()], tail=TAILS[3])
@example(head=HEADS[-2], rows=[row()], tail=TAILS[2])
@example(head=HEADS[-1], rows=[row()], tail=TAILS[2])
def test_the_scanner_gives_what_the_parser_gives(head: str, rows: list[str], tail: str) -> None:
    content = f"{head}{''.join(rows)}{tail}".encode("utf-8", "surrogatepass")
    assert outcome(content, is_scanned=True) == outcome(content, is_scanned=False)


@pytest.mark.parametrize("piece", UNUSUAL)
def test_each_unusual_piece_is_parsed_beside_plain_rows(piece: str) -> None:
    content = f"{HEAD}{row()}{piece}{PREFIX}{TAIL}".encode("utf-8", "surrogatepass")
    assert outcome(content, is_scanned=True) == outcome(content, is_scanned=False)


@pytest.mark.parametrize("rows", [PLAIN[:10], [PREFIX] * 3, [row(str(number)) for number in range(50)]])
def test_plain_pages_are_scanned(rows: list[str]) -> None:
    content = f"{HEAD}{''.join(rows)}{TAIL}".encode()
    scanned = scan(content, parsed)
    assert scanned is not None
    assert scanned == parsed(content)
    assert len(scanned.rows) == len(rows)


def test_a_page_of_many_shapes_is_left_to_the_parser() -> None:
    rows = [row(properties=f"<P{number}/>") for number in range(40)]
    assert scan(f"{HEAD}{''.join(rows)}{TAIL}".encode(), parsed) is None
