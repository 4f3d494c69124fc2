"""Listings: what is asked, to the byte, and what replies hold, hostile ones included."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot import ContentIncomplete, EntryMode, RateLimited, Unexpected
from entrepot.raw import OpList
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.oio import Page
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.listing import Listing
from entrepot.types import Entry, Metadata

CORE = S3Core("https://h/bucket", "h", "bucket", "eu-west-1")
MOMENT = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)
STAMP = "2024-02-29T12:00:00.000Z"
URL = "<EncodingType>url</EncodingType>"


def listing(path: str = "/", root: str = "/root/", *, is_v1: bool = False, **options: Any) -> Listing:
    return Listing(replace(CORE, is_list_v1=is_v1), root, path, OpList(**options))


def query(asked: Listing, token: str | None = None) -> str:
    request = asked.request(token)
    assert (request.method, request.headers, request.body) == ("GET", [("Host", "h")], None)
    url, _, found = request.url.partition("?")
    assert url == "https://h/bucket"
    return found


def page(inside: str, asked: Listing | None = None, root: str = "ListBucketResult") -> Page:
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="urn:s3">{inside}</{root}>'
    return (asked or listing(recursive=True)).page(HttpHeaders(), content.encode())


def item(key: str, more: str = "<Size>3</Size>") -> str:
    return f"<Contents><Key>{key}</Key>{more}<Owner><ID>me</ID></Owner><StorageClass>GLACIER</StorageClass></Contents>"


def version(key: str, name: str, tag: str = "Version", *, latest: bool = False) -> str:
    size = "" if tag == "DeleteMarker" else "<Size>3</Size><ETag>&quot;e&quot;</ETag>"
    return (
        f"<{tag}><Key>{key}</Key><VersionId>{name}</VersionId><IsLatest>{str(latest).lower()}</IsLatest>"
        f"<LastModified>{STAMP}</LastModified>{size}</{tag}>"
    )


def paths(found: Page) -> list[str]:
    return [entry.path for entry in found.entries]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (listing(root="/"), "list-type=2&encoding-type=url&delimiter=%2F"),
        (listing(), "list-type=2&encoding-type=url&prefix=root%2F&delimiter=%2F"),
        (listing("a b+/é", recursive=True), "list-type=2&encoding-type=url&prefix=root%2Fa%20b%2B%2F%C3%A9"),
        (
            listing("d/", limit=5, start_after="d/k&1"),
            "list-type=2&encoding-type=url&prefix=root%2Fd%2F&delimiter=%2F&max-keys=5&start-after=root%2Fd%2Fk%261",
        ),
        (listing(root="/", recursive=True, limit=5000), "list-type=2&encoding-type=url&max-keys=1000"),
        (listing(root="/", recursive=True, limit=0), "list-type=2&encoding-type=url&max-keys=1"),
        (listing(is_v1=True), "encoding-type=url&prefix=root%2F&delimiter=%2F"),
        (
            listing(is_v1=True, start_after="k", recursive=True),
            "encoding-type=url&prefix=root%2F&marker=root%2Fk",
        ),
        (listing(start_after="/"), "list-type=2&encoding-type=url&prefix=root%2F&delimiter=%2F&start-after=root%2F"),
        (listing(root="/", versions=True), "versions&encoding-type=url&delimiter=%2F"),
        (listing(root="/", deleted=True, is_v1=True), "versions&encoding-type=url&delimiter=%2F"),
        (
            listing(versions=True, start_after="k", recursive=True),
            "versions&encoding-type=url&prefix=root%2F&key-marker=root%2Fk",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_page_is_asked_for(asked: Listing, expected: str) -> None:
    assert query(asked) == expected


@pytest.mark.parametrize(
    ("asked", "token", "expected"),
    [
        (
            listing(root="/", recursive=True, start_after="a"),
            "x/+=&",
            "list-type=2&encoding-type=url&continuation-token=x%2F%2B%3D%26",
        ),
        (listing(root="/", recursive=True, is_v1=True, start_after="a"), "k &", "encoding-type=url&marker=k%20%26"),
        (
            listing(root="/", recursive=True, versions=True, start_after="a"),
            "k\n \nv/1",
            "versions&encoding-type=url&key-marker=k%0A%20&version-id-marker=v%2F1",
        ),
        (listing(root="/", recursive=True, versions=True), "k\n", "versions&encoding-type=url&key-marker=k"),
    ],
    ids=["V2", "V1", "versions", "no version"],
)
def test_a_later_page_is_asked_for_by_its_token_alone(asked: Listing, token: str, expected: str) -> None:
    assert query(asked, token) == expected


def test_an_entry_has_what_the_listing_tells() -> None:
    more = f"<Size>12</Size><LastModified>{STAMP}</LastModified><ETag>&quot;e&quot;</ETag>"
    assert page(item("root/a/b", more)).entries == [
        Entry("a/b", Metadata(content_length=12, etag='"e"', last_modified=MOMENT, storage_class="GLACIER"))
    ]


def test_prefixes_and_markers_are_directories_and_the_root_is_a_slash() -> None:
    inside = item("root/") + item("root/d/") + "<CommonPrefixes><Prefix>root/e/</Prefix></CommonPrefixes>"
    found = page(inside + item("root/f"), listing())
    assert [(entry.path, entry.metadata.mode) for entry in found.entries] == [
        ("/", EntryMode.DIR),
        ("d/", EntryMode.DIR),
        ("e/", EntryMode.DIR),
        ("f", EntryMode.FILE),
    ]


def test_the_marker_of_the_listed_directory_is_the_directory() -> None:
    assert paths(page(item("root/d/") + item("root/d/k"), listing("d/"))) == ["d/", "d/k"]


@pytest.mark.parametrize("is_v1", [True, False])
def test_a_page_is_in_the_order_of_its_keys(is_v1: bool) -> None:
    """So a listing that was left goes on with `start_after`. Servers state the common prefixes after the objects."""
    inside = "".join(item(f"root/{name}") for name in ("a", "b.txt", "c"))
    inside += "".join(f"<CommonPrefixes><Prefix>root/{name}/</Prefix></CommonPrefixes>" for name in ("b", "bb", "d"))
    assert paths(page(inside, listing(is_v1=is_v1))) == ["a", "b.txt", "b/", "bb/", "c", "d/"]
    of_root = item("root/") + item("root/!a") + "<CommonPrefixes><Prefix>root/a/</Prefix></CommonPrefixes>"
    assert paths(page(of_root, listing(is_v1=is_v1))) == ["/", "!a", "a/"]


def test_keys_that_no_path_leads_to_are_left_out() -> None:
    inside = "".join(item(key) for key in ("other", "roo", "root", "root//x", "root/a//x", "root/.", "root/../k"))
    inside += "<CommonPrefixes><Prefix>root//</Prefix></CommonPrefixes>"
    assert (paths(page(inside)), page(inside).unnamed) == ([".", "../k", "a//x"], ("/x", "/"))
    whole = page(item("/x") + item("") + item("x"), listing(root="/"))
    assert (paths(whole), whole.unnamed) == (["x"], ("/x",))
    assert paths(page(item("root/e/k") + item("root/d/k"), listing("d/"))) == ["d/k"]


def test_what_comes_after_is_without_the_path_itself() -> None:
    inside = "<CommonPrefixes><Prefix>root/d/</Prefix></CommonPrefixes>" + item("root/e")
    assert paths(page(inside, listing(start_after="d/"))) == ["e"]
    assert paths(page(inside, listing(start_after="d/k"))) == ["e"]  # as SeaweedFS names the directory of `d/k`
    assert paths(page(inside, listing(start_after="c"))) == ["d/", "e"]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("a+b", "a b"),
        ("a%20b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("%C3%A9%F0%9F%A6%86", "é🦆"),
        ("e%CC%81", "e\u0301"),
        ("%01%1F%09", "\x01\x1f\t"),
        ("a%26%3C%3E", "a&<>"),
        ("%", "%"),
        ("%zz", "%zz"),
        ("é", "é"),
    ],
)
def test_keys_are_decoded_where_the_reply_says_that_it_encodes(written: str, path: str) -> None:
    assert paths(page(URL + item(f"root/{written}"))) == [path]
    assert paths(page(item(f"root/{written}") + URL)) == [path]
    assert paths(page(item(f"root/{written}"))) == [written]
    prefix = f"<CommonPrefixes><Prefix>root/{written}/</Prefix></CommonPrefixes>"
    assert paths(page(prefix + URL, listing())) == [f"{path}/"]


def test_a_line_feed_in_a_key_does_not_shift_the_others() -> None:
    keys = "".join(item(f"root/{key}") for key in ("a%0Ab", "c+d", "e%0A%0A", "f"))
    assert paths(page(URL + keys)) == ["a\nb", "c d", "e\n\n", "f"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_every_key_survives_both_ways_of_writing_a_blank(key: str) -> None:
    from urllib.parse import quote, quote_plus

    for encode in (quote, quote_plus):
        found = page(URL + item(f"root/x{encode(key)}"))
        assert paths(found) == [f"x{key}"]


def test_a_key_that_is_not_utf_8_is_unexpected() -> None:
    with pytest.raises(Unexpected, match="UTF-8"):
        page(URL + item("root/%FF%FE"))


@pytest.mark.parametrize(
    ("more", "size", "modified"),
    [
        ("", None, None),
        ("<Size/>", None, None),
        ("<Size>many</Size>", None, None),
        ("<Size>-1</Size>", None, None),
        ("<Size>99999999999999999999999999</Size>", None, None),
        ("<Size>5497558138880</Size>", 5 * 1024**4, None),
        ("<Size>0</Size><LastModified>yesterday</LastModified>", 0, None),
    ],
)
def test_what_makes_no_sense_is_not_told(more: str, size: int | None, modified: datetime | None) -> None:
    [entry] = page(item("root/k", more)).entries
    assert (entry.metadata.content_length, entry.metadata.last_modified) == (size, modified)


@pytest.mark.parametrize("inside", ["<Contents><Size>1</Size></Contents>", "<CommonPrefixes/>"])
def test_an_entry_without_a_key_is_unexpected(inside: str) -> None:
    with pytest.raises(Unexpected, match="key"):
        page(inside)


TRUNCATED = "<IsTruncated>true</IsTruncated>"


def test_the_next_page_is_named_only_where_there_is_more() -> None:
    token = "<NextContinuationToken>t/+=</NextContinuationToken>"
    assert page(item("root/k") + token + TRUNCATED).next_token == "t/+="
    assert page(token + TRUNCATED) == Page([], "t/+=")
    assert page(token + "<IsTruncated>false</IsTruncated>").next_token is None
    assert page(token).next_token is None


def test_more_without_a_token_is_unexpected() -> None:
    with pytest.raises(Unexpected, match="more"):
        page(item("root/k") + TRUNCATED)
    with pytest.raises(Unexpected, match="more"):
        page(TRUNCATED, listing(is_v1=True))
    with pytest.raises(Unexpected, match="more"):
        page(TRUNCATED, listing(versions=True), "ListVersionsResult")


def test_the_first_version_goes_on_behind_the_marker_or_the_last_key() -> None:
    keys = item("root/a%2B") + "<CommonPrefixes><Prefix>root/b+/</Prefix></CommonPrefixes>" + URL + TRUNCATED
    asked = listing(is_v1=True)
    assert page(keys, asked).next_token == "root/b /"
    assert page(keys + "<NextMarker>root/c%20</NextMarker>", asked).next_token == "root/c "
    assert page(item("root/\U0001f986") + item("root/\uffee") + TRUNCATED, asked).next_token == "root/\U0001f986"
    assert page(item("other") + TRUNCATED, asked) == Page([], "other")


@pytest.mark.parametrize(
    ("stated", "marker"),
    [("root/a+b", "root/a+b"), ("root/a%2Bb", "root/a+b"), ("root/d%20e/", "root/d e/"), ("root/d e/", "root/d e/")],
)
def test_a_marker_may_be_encoded_or_not(stated: str, marker: str) -> None:
    keys = "".join(item(f"root/{key}") for key in ("a+b", "a%252Bb", "a%2Bb"))
    keys += "<CommonPrefixes><Prefix>root/d+e/</Prefix></CommonPrefixes>"
    found = page(f"{keys}{URL}{TRUNCATED}<NextMarker>{stated}</NextMarker>", listing(is_v1=True))
    assert found.next_token == marker


def test_versions_go_on_behind_a_key_and_a_version() -> None:
    asked = listing(versions=True)
    inside = version("root/k+", "v1") + URL + TRUNCATED
    token = page(inside, asked, "ListVersionsResult").next_token
    assert token is not None
    assert query(asked, token).endswith("&key-marker=root%2Fk%20&version-id-marker=v1")
    stated = "<NextKeyMarker>root/z%2B</NextKeyMarker><NextVersionIdMarker>v/9</NextVersionIdMarker>"
    token = page(inside + stated, asked, "ListVersionsResult").next_token
    assert token is not None
    assert query(asked, token).endswith("&key-marker=root%2Fz%2B&version-id-marker=v%2F9")


HISTORY = (
    version("root/a", "v3", "DeleteMarker", latest=True)
    + version("root/a", "v2")
    + version("root/a", "v1", "DeleteMarker")
    + version("root/b", "null", latest=True)
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"versions": True}, [("a", "v2", False, False), ("b", "null", True, False)]),
        (
            {"versions": True, "deleted": True},
            [("a", "v3", True, True), ("a", "v2", False, False), ("a", "v1", False, True), ("b", "null", True, False)],
        ),
        ({"deleted": True}, [("a", "v3", True, True), ("b", None, True, False)]),
    ],
)
def test_versions_and_marks_of_deletions_are_entries(options: dict[str, Any], expected: list[object]) -> None:
    found = page(HISTORY, listing(**options), "ListVersionsResult")
    told = [(one.path, one.metadata) for one in found.entries]
    assert [(path, one.version, one.is_current, one.is_deleted) for path, one in told] == expected
    assert {one.content_length for _, one in told if one.is_deleted} <= {0}
    assert {(one.content_length, one.etag) for _, one in told if not one.is_deleted} == {(3, '"e"')}
    assert {one.last_modified for _, one in told} == {MOMENT}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<Error><Code>SlowDown</Code></Error>", RateLimited),
        (b"<ListBucketResult><Contents><Key>root/k</Key>", ContentIncomplete),
        (b"", ContentIncomplete),
        (b"<html><body>Sign in</body></html>", Unexpected),
        (b"<!DOCTYPE l [<!ENTITY a 'x'>]><ListBucketResult>&a;</ListBucketResult>", Unexpected),
    ],
)
def test_what_is_no_listing_is_an_error(content: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        listing().page(HttpHeaders(), content)
    assert type(caught.value) is kind


def prefixes(*texts: str) -> str:
    return (
        URL
        + "<Delimiter>/</Delimiter>"
        + "".join(f"<CommonPrefixes><Prefix>root/{text}</Prefix></CommonPrefixes>" for text in texts)
    )


@pytest.mark.parametrize("is_v1", [True, False])
@pytest.mark.parametrize(
    "names",
    [
        ["a b+c/", "x+y/"],
        ["\u00fc+\u00e9/", "x+y/"],
        ["100%/", "x+y/", "p%2Bq/"],
        ["p%41q/", "x+y/"],
        ["m%2Fn/", "x+y/"],
        ["%zz/"],
    ],
)
def test_common_prefixes_that_are_not_encoded_are_kept_as_they_are(names: list[str], is_v1: bool) -> None:
    found = page(prefixes(*names) + item("root/k%2Bl+m"), listing("/", is_v1=is_v1))
    assert paths(found) == sorted([*names, "k+l m"])


@pytest.mark.parametrize("is_v1", [True, False])
@pytest.mark.parametrize("directory", ["a b+c/", "x+y/", "p%41q/", "p%2Bq/", "\u00fc/"])
def test_directories_in_one_whose_name_would_be_encoded_are_not_lost(directory: str, is_v1: bool) -> None:
    found = page(prefixes(f"{directory}d/", f"{directory}e+f/"), listing(directory, is_v1=is_v1))
    assert paths(found) == [f"{directory}d/", f"{directory}e+f/"]


def test_common_prefixes_that_are_encoded_are_decoded() -> None:
    found = page(prefixes("a+b%2Bc/", "m%252Fn/", "%C3%BC%20%25/"), listing("/"))
    assert paths(found) == ["a b+c/", "m%2Fn/", "\u00fc %/"]


def test_keys_that_are_not_encoded_in_spite_of_what_the_page_says_are_not_lost() -> None:
    assert paths(page(URL + item("root/a+b/k"), listing("a+b/"))) == ["a+b/k"]
    assert paths(page(URL + item("root/a%2Bb/k+l"), listing("a+b/"))) == ["a+b/k l"]


@pytest.mark.parametrize("stated", ["maybe", "tru", "2"])
def test_what_cannot_be_read_is_not_taken_for_the_end(stated: str) -> None:
    with pytest.raises(Unexpected) as caught:
        page(item("root/k") + f"<IsTruncated>{stated}</IsTruncated>")
    assert caught.value.is_temporary


def test_true_can_be_written_as_a_figure() -> None:
    token = "<NextContinuationToken>t</NextContinuationToken>"
    assert page(item("root/k") + token + "<IsTruncated> 1 </IsTruncated>").next_token == "t"
    assert page(item("root/k") + token + "<IsTruncated>0</IsTruncated>").next_token is None
