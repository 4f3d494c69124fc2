"""The headers of encryption, storage class, ACL, tags, locks, owner and payer, and which requests have them."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import md5
from typing import Any

import pytest

from entrepot import Operator
from entrepot.errors import ConfigInvalid
from entrepot.raw import DEFAULT_WRITE, Context, OpCopy, OpDelete, OpRead, OpStat, OpWrite
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.services import S3
from entrepot.services.s3 import multipart
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.headers.header_options import fixed_headers
from entrepot.testing.transport import MockTransport, reply

KEY = b64encode(bytes(range(32))).decode()
KEY_MD5 = b64encode(md5(bytes(range(32))).digest()).decode()
GIVEN = {"bucket": "b", "region": "r", "access_key_id": "key", "secret_access_key": "secret"}
SSE = "x-amz-server-side-encryption"
CUSTOMER = {f"{SSE}-customer-algorithm": "AES256", f"{SSE}-customer-key": KEY, f"{SSE}-customer-key-MD5": KEY_MD5}
SOURCE = {name.replace("x-amz-", "x-amz-copy-source-"): value for name, value in CUSTOMER.items()}


def core(**values: Any) -> S3Core:
    return S3Core("https://h/b", "h", "b", "r", fixed=fixed_headers(S3(**GIVEN, **values)))


def requests(core: S3Core, args: OpWrite = DEFAULT_WRITE) -> dict[str, HttpRequest]:
    """Each request about an object, by what it does."""
    source = [core.copy_source("s", None)]
    return {
        "get": core.get("k", OpRead()),
        "head": core.head("k", OpStat()),
        "put": core.put("k", b"", args),
        "delete": core.delete("k", OpDelete()),
        "initiate": multipart.initiate(core, "k", args),
        "part": multipart.upload_part(core, "k", "u", 1, [b"x"]),
        "complete": multipart.complete(core, "k", "u", [], args),
        "abort": multipart.abort(core, "k", "u"),
        "copy": core.copy(core.copy_source("s", None), "k", OpCopy()),
        "copied part": multipart.copy_part(core, "k", "u", 1, source, range(2)),
        "bucket": core.on_bucket("GET", [("uploads", None)]),
    }


def having(core: S3Core, name: str, args: OpWrite = DEFAULT_WRITE) -> dict[str, str]:
    """The value of a header, by what the requests with it do."""
    found = {what: dict(request.headers).get(name) for what, request in requests(core, args).items()}
    return {what: value for what, value in found.items() if value is not None}


def test_without_settings_and_options_no_request_has_more_headers() -> None:
    for what, request in requests(core()).items():
        names = {name for name, _ in request.headers}
        assert names <= {"Host", "x-amz-copy-source", "x-amz-copy-source-range", "x-amz-mp-object-size"}, what


def test_payer_and_owner_are_in_every_request() -> None:
    both = core(enable_request_payer=True, expected_bucket_owner="123456789012")
    everything = set(requests(both))
    assert having(both, "x-amz-request-payer") == dict.fromkeys(everything, "requester")
    assert having(both, "x-amz-expected-bucket-owner") == dict.fromkeys(everything, "123456789012")


def test_encryption_is_in_the_requests_that_create_objects() -> None:
    context = {"a": "b", "ü": "c"}
    kms = core(
        server_side_encryption="AWS:kms",
        server_side_encryption_aws_kms_key_id="arn:aws:kms:r:1:key/2",
        server_side_encryption_context=json.dumps(context),
        server_side_encryption_bucket_key_enabled=False,
    )
    creating = {"put", "initiate", "copy"}
    assert having(kms, SSE) == dict.fromkeys(creating, "aws:kms")
    assert having(kms, f"{SSE}-aws-kms-key-id") == dict.fromkeys(creating, "arn:aws:kms:r:1:key/2")
    assert having(kms, f"{SSE}-bucket-key-enabled") == dict.fromkeys(creating, "false")
    sent = having(kms, f"{SSE}-context")
    assert set(sent) == creating
    assert {str(json.loads(b64decode(value))) for value in sent.values()} == {str(context)}


@pytest.mark.parametrize("mode", ["AES256", "aws:kms", "aws:kms:dsse"])
def test_each_encryption_of_the_storage_is_a_header(mode: str) -> None:
    assert having(core(server_side_encryption=mode), SSE)["put"] == mode


@pytest.mark.parametrize("mode", [None, "sse-c"])
def test_a_customers_key_is_in_each_request_about_content_or_metadata(mode: str | None) -> None:
    own = core(server_side_encryption=mode, server_side_encryption_customer_key=KEY)
    with_key = {"get", "head", "put", "initiate", "part", "complete", "copy", "copied part"}
    for name, value in CUSTOMER.items():
        assert having(own, name) == dict.fromkeys(with_key, value)
    for name, value in SOURCE.items():
        assert having(own, name) == dict.fromkeys({"copy", "copied part"}, value)
    assert having(own, SSE) == {}


def test_storage_class_and_acl_are_those_of_the_call_or_else_the_configured_ones() -> None:
    usual = core(default_storage_class="STANDARD_IA", default_acl="private")
    creating = {"put", "initiate", "copy"}
    assert having(usual, "x-amz-storage-class") == dict.fromkeys(creating, "STANDARD_IA")
    assert having(usual, "x-amz-acl") == dict.fromkeys(creating, "private")
    called = OpWrite(storage_class="GLACIER", acl="public-read")
    assert having(usual, "x-amz-storage-class", called)["put"] == "GLACIER"
    assert having(usual, "x-amz-acl", called)["initiate"] == "public-read"


def test_the_options_of_a_write_are_headers_of_the_request_that_creates_the_object() -> None:
    args = OpWrite(
        content_language="de, en",
        tags={"Colour": "röd & blå", "a b": ""},
        retain_until=datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        legal_hold=True,
    )
    expected = {
        "Content-Language": "de, en",
        "x-amz-tagging": "Colour=r%C3%B6d%20%26%20bl%C3%A5&a%20b=",
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2030-01-02T03:04:05Z",
        "x-amz-object-lock-legal-hold": "ON",
    }
    for name, value in expected.items():
        assert having(core(), name, args) == {"put": value, "initiate": value}
    compliance = core(object_lock_mode="compliance")
    assert having(compliance, "x-amz-object-lock-mode", args)["put"] == "COMPLIANCE"


def test_a_deletion_under_a_condition_has_it() -> None:
    request = core().delete("k", OpDelete(if_match='"e"', version="v"))
    assert (dict(request.headers)["If-Match"], request.url) == ('"e"', "https://h/b/k?versionId=v")


def test_metadata_has_language_and_storage_class() -> None:
    metadata = core().describe(HttpHeaders([("Content-Language", "de"), ("x-amz-storage-class", "GLACIER")]))
    assert (metadata.content_language, metadata.storage_class) == ("de", "GLACIER")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"server_side_encryption": "rot13"}, "must be one of 'AES256'"),
        ({"server_side_encryption": "sse-c"}, "needs server_side_encryption_customer_key"),
        ({"server_side_encryption_aws_kms_key_id": "k"}, "needs server_side_encryption 'aws:kms'"),
        ({"server_side_encryption": "AES256", "server_side_encryption_context": "{}"}, "needs server_side_encryption"),
        ({"server_side_encryption": "aws:kms", "server_side_encryption_context": "[1]"}, "must be a JSON object"),
        ({"server_side_encryption": "aws:kms", "server_side_encryption_context": "{"}, "must be a JSON object"),
        ({"server_side_encryption": "aws:kms", "server_side_encryption_aws_kms_key_id": "a\nb"}, "printable ASCII"),
        ({"server_side_encryption_customer_key": "c2VjcmV0"}, "base64 of 32 bytes"),
        ({"server_side_encryption_customer_key": "secret!"}, "base64 of 32 bytes"),
        (
            {"server_side_encryption_customer_key": KEY, "server_side_encryption_customer_key_md5": "secret"},
            "not the MD5 of the key",
        ),
        (
            {"server_side_encryption_customer_key": KEY, "server_side_encryption_customer_algorithm": "AES128"},
            "must be 'AES256'",
        ),
        ({"server_side_encryption_customer_key": KEY, "server_side_encryption": "AES256"}, "excludes the other"),
        ({"server_side_encryption_customer_key": KEY, "endpoint": "http://example.org"}, "needs an https endpoint"),
        ({"default_storage_class": "A B"}, "printable ASCII"),
        ({"object_lock_mode": "weak"}, "must be one of 'GOVERNANCE'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigInvalid, match=reason) as caught:
        S3(**GIVEN, **values)
    assert (caught.value.scheme, caught.value.operation) == ("s3", "configure")
    shown = f"{caught.value!r} {caught.value.__context__} {caught.value.__cause__}"
    assert KEY not in shown
    assert "secret" not in shown
    assert "c2VjcmV0" not in shown


@pytest.mark.parametrize("host", ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:1", "https://example.org"])
def test_a_customers_key_may_go_to_this_machine_or_over_tls(host: str) -> None:
    config = S3(**GIVEN, endpoint=host, server_side_encryption_customer_key=KEY)
    assert KEY not in repr(config)
    assert KEY not in repr(fixed_headers(config))
    assert KEY not in repr(S3Core("https://h/b", "h", "b", "r", fixed=fixed_headers(config)))


def test_names_of_object_store_are_taken_as_text() -> None:
    mapping = {
        "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
        "aws_sse_kms_key_id": "k",
        "aws_sse_bucket_key_enabled": "true",
        "aws_request_payer": "true",
    }
    fixed = fixed_headers(S3.from_mapping({**GIVEN, **mapping}))
    assert dict(fixed.encryption.new) == {
        SSE: "aws:kms",
        f"{SSE}-aws-kms-key-id": "k",
        f"{SSE}-bucket-key-enabled": "true",
    }
    assert fixed.every == (("x-amz-request-payer", "requester"),)


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
async def test_a_customers_key_does_not_follow_an_endpoint_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://example.org")
    transport = MockTransport(lambda _: reply(200, b"content"))
    op = Operator(S3(**GIVEN, server_side_encryption_customer_key=KEY), context=Context(http=transport))
    for call in (op.read("k"), op.write("k", b""), op.presign_read("k", 60)):
        with pytest.raises(ConfigInvalid, match="https endpoint") as caught:
            await call
        assert KEY not in str(caught.value)
    assert transport.requests == []
