"""Metadata is stored as it was given, or refused."""

import pytest

from entrepot import InvalidInput
from entrepot.raw import OpCopy, OpWrite
from entrepot.raw.http.stored_headers import StoredHeaders, write_conditions
from entrepot.raw.http.transport import HttpHeaders

STORED = StoredHeaders("x-amz-meta-")


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    assert STORED.to_store(OpWrite()) == []
    assert write_conditions(OpWrite()) == write_conditions(OpCopy()) == []


def test_names_of_user_metadata_are_lower_case() -> None:
    args = OpWrite(user_metadata={"Owner-Name": "Me", "x_y.z": "1"})
    assert STORED.to_store(args) == [("x-amz-meta-owner-name", "Me"), ("x-amz-meta-x_y.z", "1")]


@pytest.mark.parametrize("value", ["", "a", "a  b", "a\tb", '~!"#', "x" * 2000])
def test_a_value_of_printable_ascii_is_sent_as_it_is(value: str) -> None:
    assert STORED.to_store(OpWrite(user_metadata={"k": value})) == [("x-amz-meta-k", value)]
    assert STORED.to_store(OpWrite(content_type=value)) == [("Content-Type", value)]


@pytest.mark.parametrize("value", ["é", " a", "a ", "\t", "a\r\nx-amz-acl: public-read", "a\n", "a\0", "\x7f", "鴨"])
@pytest.mark.parametrize("option", ["content_type", "content_disposition", "content_encoding", "cache_control"])
def test_any_other_value_is_refused(option: str, value: str) -> None:
    with pytest.raises(InvalidInput, match="printable ASCII"):
        STORED.to_store(OpWrite(**{option: value}))
    with pytest.raises(InvalidInput, match="printable ASCII"):
        STORED.to_store(OpWrite(user_metadata={"k": value}))


@pytest.mark.parametrize("name", ["", "a b", "é", "a:b", "a\r\nb", "a/b"])
def test_a_name_that_is_no_header_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        STORED.to_store(OpWrite(user_metadata={name: "v"}))


def test_names_that_differ_by_case_are_refused() -> None:
    with pytest.raises(InvalidInput, match="twice"):
        STORED.to_store(OpWrite(user_metadata={"a": "1", "A": "2"}))


def test_an_etag_cannot_smuggle_a_header() -> None:
    with pytest.raises(InvalidInput, match="if_match"):
        write_conditions(OpWrite(if_match='"e"\r\nx: y'))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?UTF-8?B?w7xiZXI=?=", "über"),
        ("=?utf-8?q?=C3=BCber_b=C3=BCcher?=", "über bücher"),
        ("=?UTF-8?B?w7xi?= =?UTF-8?Q?er?=", "über"),
        ("=?UTF-8?B?w7xiZXI=?= plain", None),
        ("=?UTF-8?B?w7xiZXI?=", None),
        ("=?UTF-8?B?/w==?=", None),
        ("=?UTF-8?B?AA==?=", None),
        ("=?ISO-8859-1?Q?=FC?=", None),
        ("=?", None),
        ("plain", None),
    ],
)
def test_user_metadata_in_encoded_words_is_decoded_where_the_store_sends_them(value: str, text: str | None) -> None:
    headers = HttpHeaders([("x-amz-meta-name", value)])
    assert StoredHeaders("x-amz-meta-", has_encoded_words=True).user_metadata(headers) == {"name": text or value}
    assert StoredHeaders("x-amz-meta-").user_metadata(headers) == {"name": value}
