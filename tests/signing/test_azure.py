"""Signatures of Azure Storage, compared with those that azure-storage-blob 12.31 makes of the same requests."""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from entrepot import ConfigInvalid
from entrepot.raw.http.headers import http_date
from entrepot.raw.http.transport import Header, HttpRequest
from entrepot.signing import AzureAccessToken, AzureAccountKey, AzureSasToken
from entrepot.signing.azure import (
    Permit,
    UserDelegationKey,
    authorized,
    service_sas,
    user_delegation_sas,
)
from entrepot.signing.azure_shared_key import SharedKey, string_to_sign

KEY = AzureAccountKey("account", "a2V5IG9mIHRoZSBhY2NvdW50")
NOW = datetime(2026, 11, 30, 2, 43, 28, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
URL = "https://account.blob.core.windows.net/c/a%20b/%C3%A9?comp=list&restype=container&prefix=a%2Fb&maxResults=5"


def test_the_signed_text() -> None:
    headers = [("If-Match", '"e"'), ("x-ms-version", "2022-11-02"), ("Range", "bytes=0-1"), ("Host", "h")]
    lines = string_to_sign(HttpRequest("PUT", URL, headers, b"abc"), "account").split("\n")
    assert lines[:12] == ["PUT", "", "", "3", "", "", "", "", '"e"', "", "", "bytes=0-1"]
    assert lines[12:14] == ["x-ms-version:2022-11-02", "/account/c/a%20b/%C3%A9"]
    assert lines[14:] == ["comp:list", "maxresults:5", "prefix:a/b", "restype:container"]
    assert string_to_sign(HttpRequest("PUT", URL, [], b""), "account").split("\n")[3] == ""


@pytest.mark.parametrize(
    "url", [URL, "https://account.blob.core.windows.net", "http://127.0.0.1:10000/account/c/a%20b"]
)
@pytest.mark.parametrize("content", [None, b"", b"abc"])
@pytest.mark.parametrize(
    "headers",
    [
        (("Host", "h"), ("x-ms-version", "1")),
        [("Host", "h"), ("x-ms-version", "1")],
        [("Host", "h"), ("Range", "bytes=0-1"), ("If-Match", ' "100%s" ')],
        [("x-ms-meta-a_b", "1"), ("x-ms-meta-a", " 100% "), ("x-ms-meta-100%", "2"), ("Content-Type", "text/x")],
        [("content-encoding", "gzip"), ("Content-Language", "de"), ("Content-Length", "9"), ("Date", "today")],
        [("x-ms-meta-a", "1"), ("X-Ms-Meta-A", "2")],
        [("x-ms-meta-a", "1"), ("x-ms-meta-a", "2")],
        [("x-ms-date", "yesterday"), ("Authorization", "other"), ("x-ms-version", "1")],
        [("If-Match", '"\udcff"')],
        [],
    ],
)
def test_what_is_kept_of_requests_signs_the_whole_text(
    headers: Sequence[Header], content: bytes | None, url: str
) -> None:
    signs = SharedKey(KEY.account, KEY.secret)
    for time in (NOW, NOW + timedelta(microseconds=1), NOW + timedelta(seconds=1), NOW):
        signed = signs.sign(HttpRequest("PUT", url, headers, content), time)
        *unsigned, (name, authorization) = signed.headers
        text = string_to_sign(HttpRequest("PUT", url, unsigned, content), KEY.account)
        expected = hmac.digest(KEY.secret, text.encode("utf-8", "surrogateescape"), "sha256")
        assert (name, authorization) == ("Authorization", f"SharedKey account:{b64encode(expected).decode()}")
        assert [value for name, value in unsigned if name == "x-ms-date"] == [http_date(time)]
        assert signed.body is content


def test_a_key_longer_than_a_block_is_hashed_first() -> None:
    secret = bytes(range(100))
    signed = SharedKey("account", secret).sign(HttpRequest("GET", URL), NOW)
    text = string_to_sign(HttpRequest("GET", URL, signed.headers[:-1]), "account")
    assert (
        signed.headers[-1][1] == f"SharedKey account:{b64encode(hmac.digest(secret, text.encode(), 'sha256')).decode()}"
    )


def test_headers_are_sorted_as_azure_sorts_them() -> None:
    names = ["x-ms-meta-a1", "x-ms-meta-a_b", "x-ms-meta-a", "x-ms-meta-ab"]
    text = string_to_sign(HttpRequest("GET", URL, [(name, "v") for name in names]), "account")
    found = [line.partition(":")[0] for line in text.split("\n") if line.startswith("x-ms-meta")]
    assert found == ["x-ms-meta-a", "x-ms-meta-a_b", "x-ms-meta-a1", "x-ms-meta-ab"]


@pytest.mark.parametrize(
    ("resource", "permit", "signature"),
    [
        ("/c/a b/é", Permit("r", END, overrides={"rsct": "text/x"}), "hJGGqB+fLyfOuro4WGQI52cxnPWtCdxkyk6YS2SCa4M="),
        (
            "/c/a b",
            Permit("x", END, "bv", "2026-01-01T00:00:00.0000000Z", is_https_only=False),
            "kZ6MueKkKLZq7RYL5Exd47MiaEiYU6kEvqwK1byb410=",
        ),
    ],
)
def test_a_service_sas_is_the_one_of_the_sdk(resource: str, permit: Permit, signature: str) -> None:
    assert parse_qs(service_sas(KEY, resource, permit))["sig"] == [signature]


def test_a_user_delegation_sas_names_its_key_and_not_its_secret() -> None:
    key = UserDelegationKey("oid", "tid", "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z", "b", "2022-11-02", b"secret")
    query = parse_qs(user_delegation_sas(key, "account", "/c/a", Permit("r", END)))
    assert (query["skoid"], query["sktid"], query["ske"]) == (["oid"], ["tid"], ["2026-12-07T00:00:00Z"])
    assert ("secret" in repr(key), key.expires_at) == (False, datetime(2026, 12, 7, tzinfo=UTC))


def test_a_request_that_gets_more_headers_is_signed_again() -> None:
    signed = authorized(HttpRequest("GET", URL, [("x-ms-version", "1")]), KEY, NOW)
    more = signed.with_headers([*signed.headers, ("x-ms-client-request-id", "1")])
    authorizations = [dict(request.headers)["Authorization"] for request in (signed, more)]
    assert authorizations[0] != authorizations[1]
    again = authorized(HttpRequest("GET", URL, [("x-ms-version", "1"), ("x-ms-client-request-id", "1")]), KEY, NOW)
    assert dict(again.headers)["Authorization"] == authorizations[1]
    assert [name for name, _ in more.headers].count("Authorization") == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: AzureAccountKey("account", "SECRET!"),
        lambda: AzureAccountKey("account", ""),
        lambda: AzureSasToken("sv=SECRET"),
        lambda: AzureSasToken("sig=SECRET with blanks"),
        lambda: AzureAccessToken("SECRET\r\nHost: other"),
        lambda: AzureAccessToken(""),
    ],
)
def test_what_cannot_be_a_credential_is_refused_and_not_shown(make: object) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        make()  # type: ignore[operator]
    assert "SECRET" not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"


def test_credentials_show_no_secret_and_know_when_they_expire() -> None:
    sas = AzureSasToken("?sv=1&se=2026-12-01T00%3A00%3A00Z&sig=SECRET")
    token = AzureAccessToken("SECRET", END)
    assert (sas.expires_at, token.expires_at, KEY.expires_at) == (END, END, None)
    assert "SECRET" not in f"{sas!r}{token!r}"
    assert KEY.key not in repr(KEY)
