"""Presigned forms and parts: what they contain with a fixed clock. Nothing is ever sent."""

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import S3SigV4PostAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from entrepot import InvalidInput, Operator, Unsupported
from entrepot.layers import CapabilityOverrideLayer, ReadOnlyLayer
from entrepot.raw import Context
from entrepot.services import S3, Memory
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.headers.encryption import Encryption
from entrepot.services.s3.headers.fixed_headers import FixedHeaders
from entrepot.testing.transport import MockTransport, reply
from tests.services.s3.test_presign import CORE, CREDENTIALS, NOW, Fixed


@pytest.fixture
def transport() -> Any:
    transport = MockTransport(lambda request: reply(500))
    yield transport
    assert transport.requests == []


@pytest.fixture
def op(transport: MockTransport) -> Operator:
    return Operator(Fixed(CORE, CREDENTIALS, NOW), context=Context(http=transport))


def policy(fields: Any) -> dict[str, Any]:
    return json.loads(b64decode(fields["policy"]))


async def test_a_form_has_its_fields_and_a_policy_with_a_condition_for_each(op: Operator) -> None:
    form = await op.presign_post(
        "a b/ü", 60, content_length=(1, 10), content_type="text/plain", user_metadata={"Colour": "red"}
    )
    assert (form.method, form.url, dict(form.headers)) == ("POST", "http://h:9000/bucket", {})
    assert form.expires_at == datetime(2024, 3, 1, 0, 0, 58, tzinfo=UTC)
    fields = dict(form.fields)
    signed = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "AKIDSECRET/20240229/eu-west-1/s3/aws4_request",
        "x-amz-date": "20240229T235958Z",
        "x-amz-security-token": "the/token+==",
    }
    stored = {"Content-Type": "text/plain", "x-amz-meta-colour": "red"}
    assert list(fields) == ["key", *stored, *signed, "policy", "x-amz-signature"]
    assert fields.items() >= (signed | stored | {"key": "root/a b/ü"}).items()
    document = policy(fields)
    assert document["expiration"] == "2024-03-01T00:00:58.000Z"
    conditions = document["conditions"]
    expected = [{name: value} for name, value in (signed | stored | {"key": "root/a b/ü", "bucket": "bucket"}).items()]
    for condition in [*expected, ["content-length-range", 1, 10]]:
        assert condition in conditions
    assert len(conditions) == len(expected) + 1


async def test_the_signature_is_the_one_of_botocore(op: Operator) -> None:
    form = await op.presign_post("k", 60)
    theirs = AWSRequest("POST", form.url)
    theirs.context.update(
        timestamp="20240229T235958Z",
        **{"s3-presign-post-fields": {}, "s3-presign-post-policy": {}},
    )
    auth = S3SigV4PostAuth(
        BotocoreCredentials(CREDENTIALS.access_key_id, CREDENTIALS.secret_access_key), "s3", "eu-west-1"
    )
    theirs.context["timestamp"] = "20240229T235958Z"
    assert auth.signature(form.fields["policy"], theirs) == form.fields["x-amz-signature"]


async def test_a_form_for_a_directory_lets_the_sender_choose_the_name(op: Operator) -> None:
    form = await op.presign_post("uploads/", timedelta(minutes=1), content_type_prefix="image/")
    assert form.fields["key"] == "root/uploads/${filename}"
    conditions = policy(form.fields)["conditions"]
    assert ["starts-with", "$key", "root/uploads/"] in conditions
    assert ["starts-with", "$Content-Type", "image/"] in conditions
    assert not [each for each in conditions if isinstance(each, dict) and "key" in each]


async def test_a_form_has_the_access_control_and_the_storage_class(op: Operator) -> None:
    form = await op.presign_post("k", 60, acl="public-read", storage_class="STANDARD_IA")
    assert (form.fields["acl"], form.fields["x-amz-storage-class"]) == ("public-read", "STANDARD_IA")
    assert {"acl": "public-read"} in policy(form.fields)["conditions"]


async def test_a_form_shows_no_key_of_the_customer(transport: MockTransport) -> None:
    encryption = Encryption(customer_key=(("x-amz-server-side-encryption-customer-key", "secret"),))
    core = replace(CORE, fixed=FixedHeaders(encryption=encryption))
    op = Operator(Fixed(core, CREDENTIALS, NOW), context=Context(http=transport))
    with pytest.raises(InvalidInput, match="customer's key") as caught:
        await op.presign_post("k", 60)
    assert "secret" not in str(caught.value)


async def test_a_form_in_virtual_host_style_is_sent_to_the_host(transport: MockTransport) -> None:
    core = S3Core("https://b.example.org", "b.example.org", "b", "eu-west-1")
    op = Operator(Fixed(core, CREDENTIALS, NOW), context=Context(http=transport))
    assert (await op.presign_post("k", 60)).url == "https://b.example.org/"


async def test_the_secrets_of_a_form_are_in_no_text(op: Operator) -> None:
    form = await op.presign_post("k", 60)
    for secret in (form.fields["policy"], form.fields["x-amz-signature"], "the/token"):
        assert secret not in repr(form)
    assert "policy" in repr(form)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("k", {"content_length": (2, 1)}),
        ("k", {"content_length": (-1, 1)}),
        ("k", {"content_length": 5}),
        ("k", {"content_length": (1, None)}),
        ("k", {"content_type_prefix": ""}),
        ("k", {"content_type_prefix": "image/", "content_type": "image/png"}),
        ("k", {"if_not_exists": True}),
        ("k", {"tags": {"a": "b"}}),
        ("k", {"legal_hold": True}),
        ("k", {"user_metadata": {"a": "${filename}"}}),
        ("a${filename}", {}),
        ("k" * 1025, {}),
    ],
)
async def test_what_a_form_cannot_be_is_refused(op: Operator, path: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        await op.presign_post(path, 60, **options)
    assert (caught.value.operation, caught.value.path) == ("presign_post", path)


async def test_a_part_is_signed_for_its_upload(op: Operator) -> None:
    request = await op.presign_part("k", 60, "the/id", 7)
    assert request.method == "PUT"
    assert request.url.startswith("http://h:9000/bucket/root/k?partNumber=7&uploadId=the%2Fid&X-Amz-Algorithm=")
    assert dict(request.headers) == {}


@pytest.mark.parametrize("part", [("", 1), (None, 1), ("id", 0), ("id", 10_001), ("id", True), ("id\n", 1)])
async def test_a_part_that_no_upload_has_is_refused(op: Operator, part: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        await op.presign_part("k", 60, *part)
    assert (caught.value.operation, caught.value.path) == ("presign_part", "k")


@pytest.mark.parametrize(
    "other",
    [
        Operator(Memory()),
        Operator(S3(bucket="b", region="r", skip_signature=True)),
        Operator(S3(bucket="b", region="r", access_key_id="a", secret_access_key="s"), layers=(ReadOnlyLayer(),)),
        Operator(S3(bucket="b", region="r", access_key_id="a", secret_access_key="s")).layer(
            CapabilityOverrideLayer(presign_post=False, presign_part=False)
        ),
    ],
    ids=["memory", "anonymous", "read only", "switched off"],
)
async def test_a_service_that_cannot_refuses(other: Operator) -> None:
    with pytest.raises(Unsupported):
        await other.presign_post("k", 60)
    with pytest.raises(Unsupported):
        await other.presign_part("k", 60, "id", 1)
    assert not other.info.capability.presign_post
    assert not other.info.capability.presign_part
