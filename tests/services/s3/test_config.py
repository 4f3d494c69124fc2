import pickle
import re
from typing import Any

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.raw import Context
from entrepot.services import S3
from entrepot.testing.transport import MockTransport, reply

KEYS = {"access_key_id": "AKIDSECRET", "secret_access_key": "the-secret"}


def s3(**values: Any) -> S3:
    return S3(**({"bucket": "bucket", "region": "eu-west-1", **KEYS} | values))


async def url_asked(config: S3) -> str:
    transport = MockTransport(lambda request: reply(200, b"x"))
    await Operator(config, context=Context(http=transport)).read("k")
    [request] = transport.requests
    assert dict(request.headers)["Host"] == request.url.split("/")[2]
    return request.url


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "https://bucket.s3.eu-west-1.amazonaws.com/k"),
        ({"region": "cn-north-1"}, "https://bucket.s3.cn-north-1.amazonaws.com.cn/k"),
        ({"enable_virtual_host_style": True}, "https://bucket.s3.eu-west-1.amazonaws.com/k"),
        ({"enable_virtual_host_style": False}, "https://s3.eu-west-1.amazonaws.com/bucket/k"),
        ({"root": "a b//c"}, "https://bucket.s3.eu-west-1.amazonaws.com/a%20b/c/k"),
        ({"use_dualstack_endpoint": True}, "https://bucket.s3.dualstack.eu-west-1.amazonaws.com/k"),
        ({"use_fips_endpoint": True, "region": "us-east-2"}, "https://bucket.s3-fips.us-east-2.amazonaws.com/k"),
        ({"use_accelerate_endpoint": True}, "https://bucket.s3-accelerate.amazonaws.com/k"),
        (
            {"bucket": "arn:aws:s3:us-west-2:123456789012:accesspoint/point"},
            "https://point-123456789012.s3-accesspoint.us-west-2.amazonaws.com/k",
        ),
        ({"endpoint": "localhost:9000"}, "https://localhost:9000/bucket/k"),
        ({"endpoint": "minio"}, "https://minio/bucket/k"),
        ({"endpoint": "http://LOCALHOST:9000/"}, "http://localhost:9000/bucket/k"),
        ({"endpoint": "http://host:80"}, "http://host/bucket/k"),
        ({"endpoint": "https://host:443/"}, "https://host/bucket/k"),
        ({"endpoint": "http://host:443"}, "http://host:443/bucket/k"),
        ({"endpoint": "http://[::1]:9000"}, "http://[::1]:9000/bucket/k"),
        ({"endpoint": "[2001:DB8:0::1]"}, "https://[2001:db8::1]/bucket/k"),
        ({"endpoint": "http://host/storage/v1/s3/"}, "http://host/storage/v1/s3/bucket/k"),
        (
            {"endpoint": "http://host:1/v1", "enable_virtual_host_style": True},
            "http://bucket.host:1/v1/k",
        ),
        ({"endpoint": "https://bucket.s3.eu-west-1.amazonaws.com"}, "https://s3.eu-west-1.amazonaws.com/bucket/k"),
        (
            {"endpoint": "https://bucket.s3.eu-west-1.amazonaws.com", "enable_virtual_host_style": True},
            "https://bucket.s3.eu-west-1.amazonaws.com/k",
        ),
        ({"endpoint": "https://bucket.s3.example.com"}, "https://bucket.s3.example.com/bucket/k"),
        ({"bucket": "with.dots_and-More"}, "https://s3.eu-west-1.amazonaws.com/with.dots_and-More/k"),
        ({"endpoint": "http://h/bucket", "enable_virtual_host_style": False}, "http://h/bucket/bucket/k"),
        ({"endpoint": ""}, "https://bucket.s3.eu-west-1.amazonaws.com/k"),
        (
            {"endpoint": "https://bucket.host:9000", "enable_virtual_host_style": True},
            "https://bucket.host:9000/k",
        ),
    ],
)
async def test_requests_go_to_the_endpoint_in_the_chosen_style(values: dict[str, Any], url: str) -> None:
    assert await url_asked(s3(**values)) == url


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"bucket": ""}, "bucket"),
        ({"bucket": "a/b"}, "bucket"),
        ({"bucket": ".."}, "bucket"),
        ({"bucket": "a..b"}, "bucket"),
        ({"bucket": "a b"}, "bucket"),
        ({"bucket": "192.168.5.4"}, "bucket"),
        ({"bucket": "a?b"}, "bucket"),
        ({"bucket": "käse"}, "bucket"),
        ({"bucket": "a" * 256}, "bucket"),
        ({"bucket": "a.b", "enable_virtual_host_style": True}, "enable_virtual_host_style"),
        ({"bucket": "A", "enable_virtual_host_style": True}, "enable_virtual_host_style"),
        ({"endpoint": "http://127.0.0.1:1", "enable_virtual_host_style": True}, "enable_virtual_host_style"),
        ({"endpoint": "http://[::1]", "enable_virtual_host_style": True}, "enable_virtual_host_style"),
        ({"use_fips_endpoint": True, "endpoint": "http://h"}, "use_fips_endpoint"),
        ({"use_accelerate_endpoint": True, "bucket": "a.b"}, "use_accelerate_endpoint"),
        ({"bucket": "arn:aws:s3::123456789012:accesspoint/a.mrap"}, "bucket"),
        ({"region": "evil.example.com/"}, "region"),
        ({"access_key_id": None}, "access_key_id"),
        ({"secret_access_key": ""}, "secret_access_key"),
        ({"access_key_id": None, "secret_access_key": None, "disable_config_load": True}, "skip_signature"),
        ({"access_key_id": None, "secret_access_key": None, "session_token": "t"}, "access_key_id"),
        ({"skip_signature": True}, "skip_signature"),
        ({"secret_access_key": "blank inside"}, "secret_access_key"),
        ({"secret_access_key": "no-ascii-é"}, "secret_access_key"),
        ({"endpoint": "ftp://host"}, "endpoint"),
        ({"endpoint": "http://"}, "endpoint"),
        ({"endpoint": "http://host?x=1"}, "endpoint"),
        ({"endpoint": "http://host/#part"}, "endpoint"),
        ({"endpoint": "http://host?"}, "endpoint"),
        ({"endpoint": "http://ho st"}, "endpoint"),
        ({"endpoint": "http://höst"}, "endpoint"),
        ({"endpoint": "http://host:port"}, "endpoint"),
        ({"endpoint": "http://host:0"}, "endpoint"),
        ({"endpoint": "http://host:99999"}, "endpoint"),
        ({"endpoint": "http://[::1"}, "endpoint"),
        ({"endpoint": "http://[::g]"}, "endpoint"),
        ({"endpoint": "http://[fe80::1%25eth0]"}, "endpoint"),
        ({"endpoint": "http://a..b"}, "endpoint"),
        ({"endpoint": "http://host/a b"}, "endpoint"),
        ({"endpoint": "http://AK:1/2@host"}, "endpoint"),
    ],
)
def test_what_cannot_work_is_refused_and_named(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        s3(**values)
    assert named in caught.value.message
    assert (caught.value.kind, caught.value.scheme, caught.value.operation) == ("ConfigInvalid", "s3", "configure")
    assert "the-secret" not in str(caught.value)
    assert "AKIDSECRET" not in str(caught.value)


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\t", "\ud800"])
@pytest.mark.parametrize(
    "name", ["bucket", "root", "endpoint", "region", "profile", "access_key_id", "secret_access_key", "session_token"]
)
def test_control_characters_are_refused_everywhere(name: str, character: str) -> None:
    with pytest.raises(ConfigInvalid, match=name):
        s3(**{name: f"http{character}s"})


def test_a_missing_bucket_is_refused_in_every_form() -> None:
    with pytest.raises(ConfigInvalid, match="bucket is missing"):
        S3(region="r", **KEYS)
    with pytest.raises(ConfigInvalid, match="bucket is missing"):
        Operator.from_config("s3", region="r", **KEYS)
    with pytest.raises(ConfigInvalid, match="bucket is missing"):
        Operator.from_uri("s3:///root?region=r")


def test_a_public_bucket_needs_neither_keys_nor_a_region() -> None:
    assert S3("bucket", skip_signature=True).region is None
    assert S3("bucket", skip_signature=True, region="r").access_key_id is None


@pytest.mark.parametrize("endpoint", ["http://AKIDSECRET:the%2Fsecret@host:1", "AKIDSECRET:the%2Fsecret@host:1"])
def test_userinfo_of_the_endpoint_becomes_the_keys_and_is_not_shown(endpoint: str) -> None:
    config = S3("bucket", region="r", endpoint=endpoint)
    assert (config.access_key_id, config.secret_access_key) == ("AKIDSECRET", "the/secret")
    assert config.endpoint is not None
    assert config.endpoint.endswith("://host:1")
    assert "AKIDSECRET" not in repr(config)
    assert "the/secret" not in repr(config)


@pytest.mark.parametrize(
    ("endpoint", "values", "named"),
    [
        ("http://AKIDSECRET:the-secret@host", KEYS, "twice"),
        ("http://AKIDSECRET@host", {}, "secret_access_key is missing"),
        ("http://@host", {"disable_config_load": True}, "access_key_id and secret_access_key is missing"),
        ("http://AKIDSECRET:the-secret%0D%0A@host", {}, "control character"),
        ("http://AKIDSECRET:the-secret@host", {"skip_signature": True}, "skip_signature"),
    ],
)
def test_userinfo_that_cannot_work_is_refused(endpoint: str, values: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigInvalid, match=named) as caught:
        S3("bucket", region="r", endpoint=endpoint, **values)
    assert "the-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("alias", "name", "value"),
    [
        ("aws_bucket", "bucket", "other"),
        ("aws_bucket_name", "bucket", "other"),
        ("bucket_name", "bucket", "other"),
        ("aws_endpoint", "endpoint", "https://h"),
        ("aws_endpoint_url", "endpoint", "https://h"),
        ("endpoint_url", "endpoint", "https://h"),
        ("AWS_REGION", "region", "r"),
        ("aws_default_region", "region", "r"),
        ("default_region", "region", "r"),
        ("AWS_ENDPOINT_URL_S3", "endpoint", "https://h"),
        ("AWS_PROFILE", "profile", "dev"),
        ("aws_use_fips_endpoint", "use_fips_endpoint", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", "true"),
        ("aws_use_accelerate_endpoint", "use_accelerate_endpoint", "true"),
        ("AWS_S3_USE_ARN_REGION", "use_arn_region", "false"),
        ("AWS_ACCESS_KEY_ID", "access_key_id", "AK2"),
        ("aws_secret_access_key", "secret_access_key", "s2"),
        ("aws_session_token", "session_token", "t"),
        ("aws_token", "session_token", "t"),
        ("token", "session_token", "t"),
        ("virtual_hosted_style_request", "enable_virtual_host_style", "true"),
        ("aws_virtual_hosted_style_request", "enable_virtual_host_style", "true"),
    ],
)
def test_aliases_mean_the_same_key(alias: str, name: str, value: str) -> None:
    base = {key: one for key, one in {"bucket": "bucket", "region": "eu-west-1", **KEYS}.items() if key != name}
    assert S3.from_mapping({**base, alias: value}) == S3.from_mapping({**base, name: value})


@pytest.mark.parametrize("name", ["checksum_algorithm", "aws_checksum_algorithm", "AWS_CHECKSUM_ALGORITHM"])
@pytest.mark.parametrize("value", ["md5", "MD5"])
def test_a_checksum_can_be_asked_for_under_each_name(name: str, value: str) -> None:
    config = s3(checksum_algorithm="md5", root="/")
    assert S3.from_mapping({"bucket": "bucket", "region": "eu-west-1", **KEYS, name: value}) == config
    assert S3.from_uri(f"s3://AKIDSECRET:the-secret@bucket/?region=eu-west-1&{name}={value}") == config
    assert s3().checksum_algorithm is None
    assert s3(checksum_algorithm="").checksum_algorithm is None
    assert config.is_same_store(s3(root="other"))


def test_a_checksum_that_is_not_known_is_refused_without_repeating_it() -> None:
    with pytest.raises(ConfigInvalid, match="checksum_algorithm") as caught:
        s3(checksum_algorithm="se-cret")
    assert "se-cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["unsigned_payload", "aws_unsigned_payload", "AWS_UNSIGNED_PAYLOAD"])
def test_content_may_be_left_unsigned_by_mapping_and_by_uri(name: str) -> None:
    config = s3(unsigned_payload=True, root="/")
    assert S3.from_mapping({"bucket": "bucket", "region": "eu-west-1", **KEYS, name: "true"}) == config
    assert S3.from_uri(f"s3://AKIDSECRET:the-secret@bucket/?region=eu-west-1&{name}=true") == config
    assert not s3().unsigned_payload


def test_what_is_signed_does_not_make_it_another_store() -> None:
    assert s3(unsigned_payload=True).is_same_store(s3(root="other"))
    assert not s3(unsigned_payload=True).is_same_store(s3(unsigned_payload=True, bucket="other"))


@pytest.mark.parametrize("alias", ["skip_signature", "aws_skip_signature", "allow_anonymous", "anon"])
def test_anonymous_access_has_many_names(alias: str) -> None:
    assert S3.from_mapping({"bucket": "b", "region": "r", alias: "yes"}) == S3("b", region="r", skip_signature=True)


@pytest.mark.parametrize(
    "values",
    [
        {"aws_region": "eu-west-1", "AWS_DEFAULT_REGION": "other"},
        {"region": "eu-west-1", "default_region": "other"},
        {"region": "eu-west-1", "enable_versioning": "true", "batch_max_operations": 7, "delete_max_size": "7"},
        {"region": "eu-west-1", "aws_disable_tagging": "true", "aws_s3_express": "false"},
        {"region": "eu-west-1", "AWS_S3_ALLOW_UNSAFE_RENAME": "true", "aws_s3_locking_provider": "dynamodb"},
        {
            "region": "eu-west-1",
            "randomize_addresses": "true",
            "AWS_COPY_IF_NOT_EXISTS": "multipart",
            "conditional_put": "etag",
        },
    ],
)
def test_keys_of_other_libraries_that_change_nothing_are_accepted(values: dict[str, Any]) -> None:
    assert S3.from_mapping({"bucket": "bucket", **KEYS, **values}) == s3()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"aws_metadata_endpoint": "http://h"}, "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
        ({"endpoint_url_sts": "http://h"}, "AWS_ENDPOINT_URL_STS"),
        ({"copy_if_not_exists": "header: x: se-cret"}, "must be 'multipart'"),
        ({"aws_conditional_put": "dynamo:se-cret"}, "must be 'etag'"),
        ({"region": "a", "aws_region": "b"}, "region is given twice"),
        ({"use_ssl": False}, "scheme of endpoint"),
        ({"aws_verify": "se-cret"}, "set ca_file"),
        ({"client_kwargs": {"region_name": "se-cret"}}, "keys of this service"),
    ],
)
def test_keys_of_other_libraries_that_cannot_be_kept_say_what_to_do(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigInvalid, match=named) as caught:
        S3.from_mapping({"bucket": "bucket", **KEYS, **values})
    assert "se-cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("regoin", "region"), ("access_key", "access_key_id"), ("secret_key", "secret"), ("prefix", "root")],
)
def test_an_unknown_key_names_the_nearest(key: str, nearest: str) -> None:
    with pytest.raises(ConfigInvalid, match=f"did you mean '{nearest}'"):
        S3.from_mapping({"bucket": "b", key: "r"})


def test_the_keys_of_boto3_and_s3fs_are_known() -> None:
    of_boto3 = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    of_s3fs = {"region": "eu-west-1", "key": "a", "secret": "b"}
    ours = S3("b", region="eu-west-1", profile="p", access_key_id="a", secret_access_key="b")
    assert S3.from_mapping({"bucket": "b", "profile_name": "p", **of_boto3}) == ours
    assert S3.from_mapping({"bucket": "b", "profile": "p", **of_s3fs}) == ours


@pytest.mark.parametrize("endpoint", ["https://host.example/reports", "http://127.0.0.1:9000/reports/"])
def test_an_endpoint_that_ends_with_the_bucket_is_refused_since_keys_would_begin_with_it(endpoint: str) -> None:
    for style in (None, True):
        with pytest.raises(ConfigInvalid, match=r"ends with the name of the bucket.*enable_virtual_host_style=False"):
            S3("reports", endpoint=endpoint, region="r", enable_virtual_host_style=style)
    assert S3("reports", endpoint=f"{endpoint.rstrip('/')}/gateway", region="r")


@pytest.mark.parametrize(
    ("bucket", "hint"),
    [("s3://reports", "from_uri"), ("reports/2026", "the root"), ("re ports", "one of the first two$")],
)
def test_more_than_the_name_of_a_bucket_says_where_the_rest_belongs(bucket: str, hint: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        S3(bucket, region="r")
    assert re.search(hint, caught.value.message)


def test_a_uri_has_bucket_root_keys_and_options() -> None:
    uri = "s3://AKIDSECRET:the%2Fsecret@bucket/some/root?region=r&endpoint=http%3A%2F%2Fh%3A9000"
    assert S3.from_uri(uri) == S3(
        "bucket",
        root="/some/root",
        region="r",
        endpoint="http://h:9000",
        access_key_id="AKIDSECRET",
        secret_access_key="the/secret",
    )
    assert S3.from_uri("s3://?bucket=b&region=r&anon=true").bucket == "b"
    with pytest.raises(ConfigInvalid, match="bucket"):
        S3.from_uri("s3://bucket:80/?region=r&anon=1")


@pytest.mark.parametrize(
    ("uri", "config"),
    [
        ("s3a://bucket/root", S3("bucket", root="/root", skip_signature=True)),
        (
            "https://bucket.s3.eu-west-1.amazonaws.com/a/root",
            S3("bucket", root="/a/root", region="eu-west-1", skip_signature=True),
        ),
        ("https://with.dots.s3.amazonaws.com", S3("with.dots", root="", skip_signature=True)),
        (
            "https://s3.cn-north-1.amazonaws.com.cn/bucket/root",
            S3("bucket", root="/root", region="cn-north-1", skip_signature=True),
        ),
        (
            "https://bucket.s3-fips.dualstack.us-east-1.amazonaws.com/",
            S3("bucket", region="us-east-1", use_fips_endpoint=True, use_dualstack_endpoint=True, skip_signature=True),
        ),
        (
            "https://0123.r2.cloudflarestorage.com/bucket/root",
            S3("bucket", root="/root", endpoint="https://0123.r2.cloudflarestorage.com", skip_signature=True),
        ),
        (
            "http://localhost:9000/bucket",
            S3("bucket", root="/", endpoint="http://localhost:9000", skip_signature=True),
        ),
        (
            "https://bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com/bucket/root",
            S3(
                "bucket",
                root="/root",
                endpoint="https://bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com",
                skip_signature=True,
            ),
        ),
        (
            "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/point/some/root",
            S3("arn:aws:s3:eu-west-1:123456789012:accesspoint/point", root="/some/root", skip_signature=True),
        ),
        (
            "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint:point/root",
            S3("arn:aws:s3:eu-west-1:123456789012:accesspoint:point", root="/root", skip_signature=True),
        ),
    ],
)
def test_a_bucket_has_many_uris(uri: str, config: S3) -> None:
    assert S3.from_uri(uri, {"skip_signature": True}) == config


def test_a_url_of_amazon_that_is_not_one_of_a_bucket_is_refused() -> None:
    for uri in ("https://bucket.s3-accelerate.amazonaws.com/k", "https://sqs.eu-west-1.amazonaws.com/b"):
        with pytest.raises(ConfigInvalid, match="not one of a bucket"):
            S3.from_uri(uri)
    with pytest.raises(ConfigInvalid, match="bucket is missing"):
        S3.from_uri("https://s3.eu-west-1.amazonaws.com")


def test_a_secret_that_is_not_encoded_in_a_uri_is_not_repeated() -> None:
    with pytest.raises(ConfigInvalid, match="the password before") as caught:
        S3.from_uri("s3://AKIDSECRET:the-secret/more@bucket?region=r")
    assert "the-secret" not in str(caught.value)
    assert "AKIDSECRET" not in str(caught.value)


def test_secrets_are_in_no_repr() -> None:
    config = s3(session_token="the-token")
    shown = f"{config!r} {Operator(config, context=Context(http=MockTransport(lambda _: reply(200))))!r}"
    assert not any(secret in shown for secret in ("AKIDSECRET", "the-secret", "the-token"))
    assert "bucket='bucket'" in shown


def test_an_operator_comes_out_of_a_pickle_as_it_went_in() -> None:
    config = S3("bucket", region="r", endpoint="http://AKIDSECRET:the-secret@host", session_token="the-token")
    operator = pickle.loads(pickle.dumps(Operator(config)))
    assert pickle.loads(pickle.dumps(config)) == config
    assert repr(operator) == repr(Operator(config))
    assert (operator.info.scheme, operator.info.name, operator.info.root) == ("s3", "bucket", "/")


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "https://bucket.s3.eu-west-1.amazonaws.com/?list-type=2&"),
        ({"disable_list_objects_v2": True}, "https://bucket.s3.eu-west-1.amazonaws.com/?encoding-type=url&"),
        ({"enable_virtual_host_style": False}, "https://s3.eu-west-1.amazonaws.com/bucket?list-type=2&"),
    ],
)
async def test_the_bucket_is_listed_by_the_chosen_version(values: dict[str, Any], url: str) -> None:
    transport = MockTransport(lambda request: reply(200, b"<ListBucketResult/>"))
    assert [one.path for one in await Operator(s3(**values), context=Context(http=transport)).list("/")] == ["/"]
    [request] = transport.requests
    assert request.url.startswith(url)


def test_the_version_of_the_listing_can_stand_in_a_uri() -> None:
    op = Operator.from_uri("s3://bucket?region=r&skip_signature=true&disable_list_objects_v2=true")
    assert "disable_list_objects_v2=True" in repr(op)
