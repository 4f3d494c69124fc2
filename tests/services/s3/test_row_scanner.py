"""The scanner of rows: whatever a page holds, the result is the XML parser's."""

from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from entrepot.errors import Error
from entrepot.raw import OpList
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.xml import parse
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.listing import Listing
from entrepot.services.s3.row_scanner import MARKER, scan

ROWS = frozenset({"Contents", "CommonPrefixes", "Version", "DeleteMarker"})
URL = "<EncodingType>url</EncodingType>"
MORE = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="urn:s3"><Name>b</Name>'
TAIL = "<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListBucketResult>"
OWNER = "<Owner><ID>1</ID><DisplayName>me</DisplayName></Owner>"
CHECKSUM = "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"


def row(key: str = "k", etag: str = "&quot;e-1&quot;", extra: str = "", owner: str = "", last: str = "") -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>2026-11-29T01:02:03.000Z</LastModified><ETag>{etag}</ETag>{extra}"
        f"<Size>12</Size>{owner}<StorageClass>STANDARD</StorageClass>{last}</Contents>"
    )


AMAZON = [
    row("a/b%20c+d"),
    row(""),
    row("Contents"),
    row(etag="&#34;e&#34;"),
    row(etag='"e"'),
    row(extra=CHECKSUM),
    row(extra="<ChecksumType>COMPOSITE</ChecksumType>"),
    row(owner=OWNER),
    row(last="<Owner></Owner>"),
    row(owner=OWNER, last="<Owner><ID>2</ID></Owner>"),
]
UNUSUAL = [
    row("a&amp;b"),
    row("a&#10;b"),
    row("é"),
    row("a\rb"),
    row("a\tb"),
    row("a]]>b"),
    row("<![CDATA[<x>]]>"),
    row("a<!-- no -->b"),
    row("a<b/>c"),
    row("\x7f"),
    row("\x00"),
    row(etag="e"),
    row(etag=""),
    row(etag='""'),
    row(etag='a"b'),
    row(extra="<Restored/>"),
    row(extra="<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA1</ChecksumAlgorithm>"),
    row(extra="<Size>1</Size>"),
    row(last="<Key>again</Key>"),
    row().replace("<Size>12<", "<Size><"),
    row().replace("<Size>12<", "<Size>-1<"),
    row().replace("<Size>12<", "<Size>9999999999999999999<"),
    "<Contents><Size>12</Size><Key>k</Key></Contents>",
    "<Contents><Key>k</Key></Contents>",
    "<Contents/>",
    "<Contents></Contents>",
    "<Contents />",
    "<Contents x='1'><Key>k</Key></Contents>",
    f"<s:Contents xmlns:s='urn:x'>{row()}</s:Contents>",
    "<s:Contents><s:Key>k</s:Key></s:Contents>",
    "<CommonPrefixes><Prefix>e/</Prefix></CommonPrefixes>",
    f"<Version>{row()}</Version>",
    f"<Name>a{row()}b</Name>",
    f"<![CDATA[{row()}]]>",
    f"<!--{row()}-->",
    f"<!-- {row('a--b')} -->",
    f"<?pi {row()}?>",
    f"<a x='{row()}'/>",
    "\n  ",
    "text",
    "]]>",
    "&amp;",
    "&undefined;",
    "<",
    "<!-- a comment -->",
    "<!DOCTYPE a>",
    "</ListBucketResult>",
    "<a>" * 16,
]
HEADS = [
    HEAD,
    f"\ufeff{HEAD}",
    f" \n{HEAD}",
    "<s:ListBucketResult xmlns:s='urn:x'>",
    "<!DOCTYPE a>" + HEAD,
    "<L a='",
    "",
]
TAILS = [TAIL, URL + MORE + TAIL, "</s:ListBucketResult>", "</ListBucketResult>", f"{TAIL}<a/>", "-->", ""]
PIECES = (
    st.sampled_from([*AMAZON, row("spaces  stay ")]) | st.sampled_from(UNUSUAL) | st.builds(row, st.text(max_size=5))
)
MOSTLY_AMAZON = st.lists(st.sampled_from(AMAZON), max_size=4)


def listing(*, is_v1: bool = False) -> Listing:
    return Listing(S3Core("https://h/b", "h", "b", "eu-west-1", is_list_v1=is_v1), "/", "/", OpList(recursive=True))


def outcome(content: bytes, *, is_v1: bool) -> object:
    """The page, or the kind of its error."""
    try:
        return listing(is_v1=is_v1).page(HttpHeaders(), content)
    except Error as error:
        return type(error), error.is_temporary


def check(content: bytes) -> None:
    """A page is the same with the scanner and without it."""
    for is_v1 in (True, False):
        found = outcome(content, is_v1=is_v1)
        with patch("entrepot.services.s3.listing.scan", return_value=None):
            assert found == outcome(content, is_v1=is_v1)


@pytest.mark.parametrize("before", [[], ["<Prefix/>"], ["<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>", "\n"]])
def test_the_rows_of_amazon_are_scanned(before: list[str]) -> None:
    content = "".join([HEAD, *before, *AMAZON, TAIL]).encode()
    page = scan(content)
    assert page is not None
    assert b"<Key>" not in page.rest
    check(content)


@pytest.mark.parametrize("unusual", UNUSUAL)
def test_anything_unusual_between_the_rows_is_left_to_the_parser(unusual: str) -> None:
    content = f"{HEAD}{AMAZON[0]}{unusual}{AMAZON[1]}{TAIL}".encode()
    assert scan(content) is None
    check(content)


@pytest.mark.parametrize("unusual", UNUSUAL)
def test_anything_unusual_beside_the_rows_changes_nothing(unusual: str) -> None:
    for content in (f"{HEAD}{unusual}{AMAZON[0]}{TAIL}", f"{HEAD}{AMAZON[0]}{unusual}{TAIL}", HEAD + unusual + TAIL):
        check(content.encode())


@pytest.mark.parametrize(
    "content",
    [
        f"{HEAD}<Contents /><?pi {row()}?>{TAIL}",
        f"{HEAD}<?pi {row()}?><Contents />{TAIL}",
        f"{HEAD}<Contents /><![CDATA[{row()}]]>{TAIL}",
        f"{HEAD}<!-- {row('a--b')}",
        f"{row()}{row()}<",
        f"<?xml version='1.0'?>{row()}{row()}<",
    ],
)
def test_rows_that_are_no_rows_are_not_taken_for_another_one(content: str) -> None:
    check(content.encode())


@given(st.sampled_from(HEADS), MOSTLY_AMAZON, st.lists(PIECES, max_size=3), MOSTLY_AMAZON, st.sampled_from(TAILS))
@settings(max_examples=100)
def test_a_page_is_what_the_parser_makes_of_it(
    head: str, before: list[str], pieces: list[str], after: list[str], tail: str
) -> None:
    content = "".join([head, *before, *pieces, *after, tail]).encode()
    check(content)


@given(
    st.lists(PIECES, max_size=3),
    st.integers(0, 2000),
    st.integers(0, 40),
    st.binary(max_size=4) | st.sampled_from([b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<Contents>", b"</Contents>"]),
)
@example([AMAZON[0]], len(HEAD), 0, b"<!--")
@settings(max_examples=100)
def test_a_damaged_page_is_what_the_parser_makes_of_it(pieces: list[str], at: int, gone: int, new: bytes) -> None:
    whole = "".join([HEAD, AMAZON[0], *pieces, AMAZON[5], TAIL]).encode()
    position = at % len(whole)
    damaged = whole[:position] + new + whole[position + gone :]
    check(damaged)
    check(whole[:position])


@given(st.lists(st.sampled_from(AMAZON), min_size=1, max_size=5))
@settings(max_examples=50)
def test_the_columns_are_the_texts_of_the_rows(rows: list[str]) -> None:
    content = "".join([HEAD, *rows, TAIL]).encode()
    page = scan(content)
    assert page is not None
    etags = [f'"{etag}"' for etag in page.etags]
    columns = zip(page.keys, page.modified, etags, page.sizes, page.storage_classes, strict=True)
    names = ("Key", "LastModified", "ETag", "Size", "StorageClass")
    parsed = [tuple(values[name] for name in names) for _, values in parse(content, {"Contents"}).rows]
    assert list(columns) == parsed


def test_the_parser_finds_the_marker_in_the_rest() -> None:
    page = scan("".join([HEAD, *AMAZON, TAIL]).encode())
    assert page is not None
    assert parse(page.rest, ROWS).rows == [MARKER, ("CommonPrefixes", {"Prefix": "d/"})]
