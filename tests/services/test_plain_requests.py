"""Requests without options, which services make by a shorter way: they are the same as those of equal options."""

from base64 import b64encode

import pytest

from entrepot.errors import ConditionNotMatch, RateLimited, Unexpected
from entrepot.raw import DEFAULT_READ, DEFAULT_STAT, DEFAULT_WRITE, Context, OpRead, OpStat, OpWrite
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.dialect import Dialect
from entrepot.raw.http.store import HttpStore
from entrepot.raw.http.transport import HttpHeaders
from entrepot.services import S3, Azblob, Azdls, Gcs
from entrepot.services.gcs import core as gcs_core
from entrepot.testing.transport import MockTransport, reply

Config = S3 | Gcs | Azblob | Azdls

KEY = "a2V5"
S3_KEYS = {"endpoint": "http://127.0.0.1:9", "region": "r", "access_key_id": "AK", "secret_access_key": "SK"}

CONFIGS: dict[str, Config] = {
    "s3": S3(bucket="b", **S3_KEYS),
    "s3, with headers": S3(bucket="b", **S3_KEYS, server_side_encryption="AES256", default_storage_class="STANDARD_IA"),
    "gcs": Gcs("bucket", token="t"),
    "gcs, with a class": Gcs("bucket", token="t", default_storage_class="NEARLINE", predefined_acl="publicRead"),
    "azblob": Azblob("container", account_name="account", account_key=KEY),
    "azblob, with headers": Azblob(
        "container",
        account_name="account",
        account_key=KEY,
        default_storage_class="Cool",
        encryption_key=b64encode(bytes(32)).decode(),
    ),
    "azdls": Azdls("filesystem", account_name="account", account_key=KEY),
}


def dialect_of(config: Config) -> Dialect:
    accessor = config.build(Context(http=MockTransport(lambda _: reply(200))))
    assert isinstance(accessor, HttpStore)
    return accessor._dialect


def stated(request: HttpRequest) -> object:
    return request.method, request.url, list(request.headers), request.body


@pytest.mark.parametrize("name", CONFIGS)
def test_a_request_without_options_is_that_of_equal_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs_core, "token_hex", lambda _: "boundary")
    dialect = dialect_of(CONFIGS[name])
    for key in ("a", "a b/c"):
        assert stated(dialect.get(key, DEFAULT_READ)) == stated(dialect.get(key, OpRead()))
        assert stated(dialect.head(key, DEFAULT_STAT)) == stated(dialect.head(key, OpStat()))
        if name != "azdls":  # stores in several steps
            assert stated(dialect.put(key, b"content", DEFAULT_WRITE)) == stated(
                dialect.put(key, b"content", OpWrite())
            )


@pytest.mark.parametrize("name", CONFIGS)
def test_a_response_without_options_means_the_same_as_to_equal_options(name: str) -> None:
    dialect = dialect_of(CONFIGS[name])
    headers = HttpHeaders(
        [
            *[("ETag", '"1"'), ("Content-Length", "7"), ("Content-Type", "text/plain"), ("x-ms-version", "v")],
            *[
                ("x-goog-generation", "5"),
                ("x-amz-version-id", "v"),
                ("x-ms-version-id", "v"),
                ("x-ms-request-id", "r"),
            ],
        ]
    )
    read = dialect.describe_requested(headers, DEFAULT_READ)
    assert read == dialect.describe_requested(headers, OpRead())
    assert read.content_length == 7
    assert dialect.describe_requested(headers, DEFAULT_STAT) == dialect.describe_requested(headers, OpStat())


@pytest.mark.parametrize("name", ["s3", "gcs", "azblob"])
@pytest.mark.parametrize(("status", "is_unsure"), [(500, True), (429, False)])
async def test_a_write_without_options_is_in_doubt_after_an_attempt_that_may_have_stored_the_object(
    name: str, status: int, *, is_unsure: bool
) -> None:
    """A proxy, or a header of the configuration, may make a condition of its own."""
    answers = iter([reply(status), reply(412)])
    accessor = CONFIGS[name].build(Context(http=MockTransport(lambda _: next(answers))))
    stored = await accessor.write_whole("a", b"content", DEFAULT_WRITE)
    assert isinstance(stored, tuple)
    _, body = stored
    with pytest.raises((Unexpected, RateLimited)):
        await body.close()
    await body.write(b"content")
    with pytest.raises(ConditionNotMatch) as raised:
        await body.close()
    assert ("an earlier attempt" in str(raised.value)) is is_unsure
