"""A set-up that works with `aws` or boto3 works without any key in the configuration."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot import ConfigInvalid, Operator, PermissionDenied
from entrepot.raw import Context
from entrepot.services import S3
from entrepot.testing import S3Server
from entrepot.testing.scripted_server import whole_response
from tests.signing.cloud import ROLE_PATH, Cloud, key_of

NOTHING = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
OBJECT = "GET /bucket/a"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The services of AWS, with a bucket."""
    with Cloud() as cloud:
        cloud.answers["/bucket"] = lambda _: whole_response(b"content", 'ETag: "1"')
        for name, value in (cloud.environ | NOTHING).items():
            monkeypatch.setenv(name, value)
        yield cloud


def signer_of(cloud: Cloud) -> str:
    """The key that signed the last request."""
    return cloud.requests[-1].headers["authorization"].partition("Credential=")[2].partition("/2")[0]


def s3(cloud: Cloud, **options: Any) -> S3:
    return S3(bucket="bucket", region="eu-west-1", endpoint=cloud.endpoint, **options)


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    yield tmp_path


async def test_a_profile_is_all_that_a_bucket_needs(
    profiles: Path, seaweedfs_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = seaweedfs_server
    (profiles / "config").write_text(f"[profile dev]\nregion = {server.region}\nendpoint_url = {server.endpoint}\n")
    (profiles / "credentials").write_text(
        f"[dev]\naws_access_key_id = {server.access_key_id}\naws_secret_access_key = {server.secret_access_key}\n"
    )
    await Operator(S3(server.bucket, root="of/a/profile", profile="dev")).write("a", b"content")
    monkeypatch.setenv("AWS_PROFILE", "dev")
    assert await Operator(S3(server.bucket, root="of/a/profile")).read("a") == b"content"


async def test_operators_of_one_context_share_what_is_loaded(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    context = Context()
    for root in ("/", "other"):
        assert await Operator(s3(cloud, root=root), context=context).read("a") == b"content"
    assert len(cloud.requests) == 5
    assert await Operator(s3(cloud, role_session_name="me", role_arn="arn/r"), context=context).read("a") == b"content"
    assert len(cloud.requests) == 10  # STS too


async def test_each_configuration_loads_them_over_its_own_connections(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    context = Context()
    for name in ("one", "two"):
        seen = len(cloud.requests)
        assert await Operator(s3(cloud, user_agent=name), context=context).read("a") == b"content"
        assert {request.headers["user-agent"] for request in cloud.requests[seen:]} == {name}
        assert len(cloud.requests) == seen + 4  # three of them to the metadata service


async def test_keys_in_the_environment_take_one_request(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    assert await Operator(s3(cloud)).read("a") == b"content"
    assert cloud.targets == [OBJECT]
    assert signer_of(cloud) == "ENV"


async def test_instance_metadata_takes_four_requests_and_then_one(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    op = Operator(s3(cloud))
    assert await op.read("a") == b"content"
    assert cloud.targets == ["PUT /latest/api/token", f"GET {ROLE_PATH}", f"GET {ROLE_PATH}my-role", OBJECT]
    await op.read("a")
    assert cloud.targets[4:] == [OBJECT]
    assert cloud.requests[-1].headers["x-amz-security-token"] == "TOKEN-INSTANCE"


@pytest.mark.parametrize("is_given", [True, False])
async def test_a_role_is_assumed_with_given_or_found_keys(
    cloud: Cloud, is_given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"access_key_id": "GIVEN", "secret_access_key": "SECRET"} if is_given else {}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    role = {"role_arn": "arn/r", "role_session_name": "me", "external_id": "e"}
    assert await Operator(s3(cloud, **role, **keys)).read("a") == b"content"
    form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": "arn/r", "RoleSessionName": "me"}
    form |= {"ExternalId": "e", "signed by": "GIVEN" if is_given else "ENV", "region": "eu-west-1", "with": ""}
    assert signer_of(cloud) == key_of(form)
    assert cloud.targets == ["POST /", OBJECT]


async def test_no_credentials_say_what_was_looked_at_and_what_to_do(cloud: Cloud) -> None:
    with pytest.raises(PermissionDenied) as caught:
        await Operator(s3(cloud, disable_ec2_metadata=True)).read("a")
    message = str(caught.value)
    assert message.startswith("no AWS credentials were found (environment: AWS_ACCESS_KEY_ID is not set; ")
    assert (
        "instance metadata: disabled by the configuration): set access_key_id and secret_access_key, or cred" in message
    )
    assert "attempts" not in caught.value.context
    assert caught.value.refuses_credentials
    assert cloud.requests == []


def test_nothing_is_looked_up_if_the_configuration_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    with pytest.raises(ConfigInvalid, match="access_key_id and secret_access_key is missing"):
        S3(bucket="bucket", region="eu-west-1", disable_config_load=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"external_id": "e"}, "external_id is set, and role_arn is missing"),
        ({"role_arn": "arn", "skip_signature": True}, "skip_signature is set beside role_arn"),
        ({"role_arn": "arn", "assume_role_duration_seconds": 60}, "must be 900 to 43200 seconds, not 60"),
        ({"role_arn": "arn", "assume_role_session_tags": "no tags"}, "must be in the form 'team=storage&stage=test'"),
        ({"access_key_id": "a"}, "secret_access_key is missing"),
        ({"session_token": "a"}, "access_key_id and secret_access_key is missing"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        S3.from_mapping({"bucket": "bucket", "region": "r", **settings})
