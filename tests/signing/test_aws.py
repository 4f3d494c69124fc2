"""Signing agrees with botocore, whose S3 signer is the one that the world uses."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from entrepot.errors import ConfigInvalid
from entrepot.raw.http import HttpRequest
from entrepot.signing.aws import (
    EMPTY_SHA256,
    Credentials,
    Signer,
    SigningKey,
    canonical_headers,
    canonical_query,
    canonical_request,
    is_signed_with,
)

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
NOW = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)
DAY = timedelta(days=1)
KEYS = Credentials("AK", "secret")
HOST = "bucket.example.com:9000"

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
odd_parts = st.sampled_from(["//", ".", "..", "%2F", "+", "~", " ", "é", "鴨", "🦆", "%", "&=?#", "a/b", "*'()!"])
keys = st.lists(st.one_of(odd_parts, texts), min_size=1, max_size=6).map("".join)
visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
header_names = st.sampled_from(["Range", "If-Match", "If-None-Match", "x-amz-meta-a", "X-Amz-Meta-B", "Content-MD5"])
headers = st.dictionaries(header_names, st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
queries = st.lists(st.tuples(texts.filter(bool), texts), max_size=4)
regions = st.sampled_from(["us-east-1", "eu-central-2", "cn-north-1", "auto"])
tokens = st.none() | visible
bodies = st.none() | st.binary(min_size=1, max_size=50)


def url_of(key: str, query: list[tuple[str, str]]) -> str:
    encoded = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    return f"http://{HOST}/prefix/{quote(key, safe='/')}" + (f"?{encoded}" if encoded else "")


def botocore_headers(request: HttpRequest, keys: BotocoreCredentials, region: str) -> dict[str, str]:
    theirs = AWSRequest(request.method, request.url, headers=dict(request.headers), data=request.body)
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW):
        S3SigV4Auth(keys, "s3", region).add_auth(theirs)
    return {name.lower(): value for name, value in theirs.headers.items()}


@given(st.sampled_from(["GET", "HEAD", "PUT"]), keys, queries, headers, regions, visible, visible, tokens, bodies)
@example(
    "GET", "a//b/./../c%2Fd+~ é🦆", [("versionId", "a/b+c=")], {"Range": "bytes=0-1"}, "auto", "AK", "s/+", "t", None
)
def test_signs_as_botocore_does(
    method: str,
    key: str,
    query: list[tuple[str, str]],
    extra: dict[str, str],
    region: str,
    access_key_id: str,
    secret: str,
    token: str | None,
    body: bytes | None,
) -> None:
    request = HttpRequest(method, url_of(key, query), [("Host", HOST), *extra.items()], body)
    expected = botocore_headers(request, BotocoreCredentials(access_key_id, secret, token), region)

    signed = Signer("s3").sign(request, Credentials(access_key_id, secret, token), region, NOW)

    assert {name.lower(): value for name, value in signed.headers} == expected
    assert (signed.method, signed.url, signed.body) == (request.method, request.url, request.body)


bytes_of_etags = st.characters(categories=["Cs"], min_codepoint=0xDC80, max_codepoint=0xDCFF)  # that are not UTF-8
any_value = st.text(st.characters(codec="utf-8") | bytes_of_etags, max_size=20) | st.sampled_from(
    ["", " a", "a ", "a\tb  c", "%s"]
)
any_header = st.tuples(header_names | st.sampled_from(["range", "X-%-A", "%s", "Expect", "a%(b)s"]), any_value)


@given(st.lists(st.lists(any_header, max_size=5), min_size=1, max_size=3), keys, queries, tokens, bodies)
@example(
    [[("Range", "a")], [("range", "a")], [("Range", "a  b"), ("Range", "c"), ("range", " d")]], "k", [], None, None
)
def test_known_names_are_signed_as_any_others_are(
    requests: list[list[tuple[str, str]]], key: str, query: list[tuple[str, str]], token: str | None, body: bytes | None
) -> None:
    signer, credentials = Signer("s3"), Credentials("AK", "secret", token)
    kinds = [list, list, tuple, tuple]
    for kind, headers in zip(kinds * len(requests), [one for one in requests for _ in kinds], strict=True):
        request = HttpRequest("PUT", url_of(key, query), kind([("Host", HOST), *headers]), body)

        signed = signer.sign(request, credentials, "auto", NOW)

        covered = replace(signed, headers=signed.headers[:-1])
        payload_hash = dict(signed.headers)["x-amz-content-sha256"]
        canonical = canonical_request(covered, payload_hash)
        signature = SigningKey(credentials, "auto", "s3", "20240229").signature("20240229T235958Z", canonical)
        names = canonical_headers(covered.headers)[1]
        expected = f"AWS4-HMAC-SHA256 Credential=AK/20240229/auto/s3/aws4_request, SignedHeaders={names}"
        assert signed.headers[-1] == ("Authorization", f"{expected}, Signature={signature}")


def test_other_keys_region_or_day_have_forms_of_their_own() -> None:
    signer = Signer("s3")
    temporary, other = Credentials("AK2", "other", "token"), Credentials("AK2", "other", "new-token")
    changes = [(KEYS, "a", NOW), (temporary, "a", NOW), (other, "a", NOW), (KEYS, "b", NOW), (KEYS, "b", NOW + DAY)]
    for headers in ((("Host", HOST),), [("Host", HOST), ("Range", "bytes=0-1")]):
        request = HttpRequest("GET", url_of("k", []), headers)
        for keys, region, time in changes * 2:
            expected = Signer("s3").sign(request, keys, region, time)
            assert signer.sign(request, keys, region, time).headers == expected.headers


def test_forms_of_many_names_are_not_kept() -> None:
    signer = Signer("s3")
    for number in range(200):
        request = HttpRequest("PUT", url_of("k", []), (("Host", HOST), (f"x-amz-meta-{number}", "v")))
        assert is_signed_with(signer.sign(request, KEYS, "auto", NOW), KEYS)
    assert signer._moment is not None
    assert max(len(signer._moment.key._forms), len(signer._moment._constants)) <= 64


@given(keys, queries, regions, visible, tokens, st.integers(1, 604800))
def test_presigns_as_botocore_does(
    key: str, query: list[tuple[str, str]], region: str, secret: str, token: str | None, expires: int
) -> None:
    request = HttpRequest("GET", url_of(key, list(dict(query).items())), [("Host", HOST)])
    theirs = AWSRequest("GET", request.url)
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW):
        S3SigV4QueryAuth(BotocoreCredentials("AK", secret, token), "s3", region, expires).add_auth(theirs)

    credentials = Credentials("AK", secret, token)
    signed = Signer("s3").presign(request, credentials, region, NOW, expires, UNSIGNED_PAYLOAD)

    assert signed.url.partition("&X-Amz-Signature=")[2] == theirs.url.partition("&X-Amz-Signature=")[2] != ""
    assert canonical_query(signed.url.partition("?")[2]) == canonical_query(theirs.url.partition("?")[2])


def signature_on(signer: Signer, moment: datetime) -> str:
    return dict(signer.sign(HttpRequest("GET", "http://h/k", [("Host", "h")]), KEYS, "r", moment).headers)[
        "Authorization"
    ]


def test_the_key_of_a_day_is_not_used_on_another() -> None:
    kept = Signer("s3")
    moments = [NOW, NOW + timedelta(seconds=2), NOW, NOW + timedelta(days=1)]
    assert [signature_on(kept, moment) for moment in moments] == [
        signature_on(Signer("s3"), moment) for moment in moments
    ]


def test_a_second_ends_where_the_next_begins() -> None:
    start = NOW.replace(microsecond=0)
    moments = [start, start + timedelta(microseconds=999_999), start + timedelta(seconds=1), start - timedelta(0, 0, 1)]
    signer = Signer("s3")
    stamps = [
        dict(signer.sign(HttpRequest("GET", "http://h/k", [("Host", "h")]), KEYS, "r", one).headers) for one in moments
    ]
    assert [one["x-amz-date"] for one in stamps] == [one.strftime("%Y%m%dT%H%M%SZ") for one in moments]


def test_the_time_is_signed_in_utc_whatever_zone_it_comes_in() -> None:
    signer = Signer("s3")
    assert signature_on(signer, NOW.astimezone(timezone(timedelta(hours=9)))) == signature_on(signer, NOW)


def test_the_hash_of_the_content_is_signed() -> None:
    signer = Signer("s3")
    without = dict(signer.sign(HttpRequest("PUT", "http://h/k", [("Host", "h")]), KEYS, "r", NOW).headers)
    with_body = dict(signer.sign(HttpRequest("PUT", "http://h/k", [("Host", "h")], b"abc"), KEYS, "r", NOW).headers)
    assert without["x-amz-content-sha256"] == EMPTY_SHA256
    assert with_body["x-amz-content-sha256"] == hashlib.sha256(b"abc").hexdigest()
    assert without["Authorization"] != with_body["Authorization"]


@given(keys, queries, headers, regions, visible, tokens, bodies)
def test_leaves_content_unsigned_as_botocore_does(
    key: str,
    query: list[tuple[str, str]],
    extra: dict[str, str],
    region: str,
    secret: str,
    token: str | None,
    body: bytes | None,
) -> None:
    request = HttpRequest("PUT", url_of(key, query), [("Host", HOST), *extra.items()], body)
    theirs = AWSRequest("PUT", request.url, headers=dict(request.headers), data=body)
    theirs.context["client_config"] = Config(s3={"payload_signing_enabled": False})
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW):
        S3SigV4Auth(BotocoreCredentials("AK", secret, token), "s3", region).add_auth(theirs)

    signed = Signer("s3").sign(request, Credentials("AK", secret, token), region, NOW, UNSIGNED_PAYLOAD)

    assert {name.lower(): value for name, value in signed.headers} == {
        name.lower(): value for name, value in theirs.headers.items()
    }
    assert dict(signed.headers)["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"


def test_content_in_pieces_is_signed_as_the_whole_of_it() -> None:
    signer = Signer("s3")
    request = HttpRequest("PUT", "http://h/k", [("Host", "h")], b"abcdef")
    pieces = request.with_content((b"ab", memoryview(b"cde"), b"f"))
    assert signer.sign(pieces, KEYS, "r", NOW).headers == signer.sign(request, KEYS, "r", NOW).headers
    assert pieces.size == request.size == 6


def signed_get(headers: list[tuple[str, str]], time: datetime = NOW) -> HttpRequest:
    credentials = Credentials("AK", "secret", "token")
    return Signer("s3").sign(HttpRequest("GET", "http://h/k", headers), credentials, "r", time)


def test_a_header_that_is_added_later_is_signed_too() -> None:
    host, payer, trace = ("Host", "h"), ("x-amz-request-payer", "requester"), ("traceparent", "00-1-2-00")
    signed = signed_get([host])
    added = signed.with_headers([*signed.headers, payer])
    assert added.headers == signed_get([host, payer]).headers
    again = added.with_timeouts(1.0, 2.0).with_headers([header for header in added.headers if header != payer])
    assert (again.headers, again.connect_timeout) == (signed.headers, 1.0)
    traced = signed.with_headers([*signed.headers, trace])
    assert traced.headers == [*signed.headers, trace]  # as it was: proxies may change this one
    assert dict(signed_get([host, trace]).headers)["Authorization"] == dict(signed.headers)["Authorization"]
    assert traced.with_headers([*traced.headers, payer]).headers == signed_get([host, trace, payer]).headers


def test_a_key_is_used_for_its_credentials_and_its_region_only() -> None:
    kept, other = Signer("s3"), Credentials("AK", "other")
    request = HttpRequest("GET", "http://h/k", [("Host", "h")])
    for credentials, region in [(KEYS, "a"), (KEYS, "b"), (other, "b"), (KEYS, "b")]:
        expected = Signer("s3").sign(request, credentials, region, NOW)
        assert kept.sign(request, credentials, region, NOW).headers == expected.headers
        assert is_signed_with(expected, credentials)
    assert not is_signed_with(expected, Credentials("AK", "secret", "token"))
    assert not is_signed_with(request, KEYS)


def test_nothing_of_the_credentials_is_shown() -> None:
    credentials = Credentials("AKIDSECRET", "the-secret", "the-token")
    signer = Signer("s3")
    signed = signer.sign(HttpRequest("GET", "http://h/k"), credentials, "r", NOW)
    assert signed.sign_again is not None
    shown = f"{credentials!r} {signer!r} {credentials} {signer}"
    assert not any(secret in shown for secret in ("AKIDSECRET", "the-secret", "the-token"))


def test_credentials_show_no_secret_and_compare_without_their_source() -> None:
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "secret", "token", source="environment")
    assert repr(credentials) == "Credentials(expires_at=None, source='environment')"
    assert credentials.hint == "MPLE"
    assert Credentials("ab", "secret").hint == ""
    assert credentials == Credentials("AKIAIOSFODNN7EXAMPLE", "secret", "token")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"access_key_id": ""}, "access_key_id .* is not empty"),
        ({"secret_access_key": None}, "secret_access_key .* is not empty"),
        ({"secret_access_key": "s3cr3t\n"}, "secret_access_key .* without blanks and line feeds"),
        ({"session_token": "tökén"}, "session_token .* ASCII"),
        ({"expires_at": datetime(2024, 1, 1)}, "time zone"),
        ({"expires_at": "2024-01-01T00:00:00Z"}, "a datetime, not str"),
        ({"expires_at": 1e9}, "a datetime, not float"),
    ],
)
def test_malformed_credentials(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message) as caught:
        Credentials(**{"access_key_id": "a", "secret_access_key": "b", **values})
    assert "s3cr3t" not in str(caught.value)
