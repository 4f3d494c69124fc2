"""Addresses of buckets, compared with the endpoint rules of botocore."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import Loader

from entrepot import ConfigInvalid
from entrepot.raw.http.transport import HttpRequest
from entrepot.services.s3.location.address import Address, Settings, address_of, region_of_host
from entrepot.services.s3.location.buckets import check_bucket
from entrepot.services.s3.location.hosts import AmazonHost, amazon_host

POINT = "arn:{partition}:s3:{region}:123456789012:accesspoint/point"
POINT_WITH_COLON = "arn:aws:s3:eu-west-1:123456789012:accesspoint:p1a"
PLAIN = Settings(region="eu-west-1")


@pytest.fixture(scope="module")
def rules() -> EndpointProvider:
    loader = Loader()
    rules = loader.load_service_model("s3", "endpoint-rule-set-1")
    return EndpointProvider(rules, loader.load_data("partitions"))


def botocore_regions() -> Iterator[tuple[str, str]]:
    """The partition and the name of each region that botocore knows, and of one that it does not know yet."""
    for partition in Loader().load_data("partitions")["partitions"]:
        regions = [region for region in partition["regions"] if not region.endswith("-global")]
        for region in (*regions, f"{regions[0][:-1]}9"):
            yield partition["id"], region


def of_botocore(rules: EndpointProvider, bucket: str, settings: Settings) -> Address | None:
    """The address according to botocore; None if it refuses the settings."""
    try:
        endpoint = rules.resolve_endpoint(
            Bucket=bucket,
            Region=settings.region,
            UseFIPS=bool(settings.fips),
            UseDualStack=bool(settings.dualstack),
            Accelerate=bool(settings.accelerate),
            ForcePathStyle=settings.virtual_host is False,
            UseArnRegion=settings.arn_region is not False,
            **({} if settings.endpoint is None else {"Endpoint": settings.endpoint}),
        )
    except EndpointProviderError:
        return None
    [scheme] = endpoint.properties["authSchemes"]
    assert scheme["name"] == "sigv4"
    host = endpoint.url.partition("://")[2].partition("/")[0]
    return Address(endpoint.url, host, scheme["signingRegion"])


def of_ours(bucket: str, settings: Settings) -> Address | None:
    try:
        check_bucket(bucket)
        address = address_of(bucket, settings)
    except ConfigInvalid:
        return None
    return Address(address.url, address.host, address.region)


def cases_at_amazon() -> Iterator[tuple[str, Settings]]:
    """Each region, and in the first one of each partition each combination of the switches."""
    combined = set[str]()
    for partition, region in botocore_regions():
        switches = product((None, True), (None, True), (None, True), (None, False))
        for dualstack, fips, accelerate, style in switches if partition not in combined else [(None,) * 4]:
            yield partition, Settings(region, None, style, dualstack, fips, accelerate)
        combined.add(partition)


def test_addresses_at_amazon_are_those_of_botocore(rules: EndpointProvider) -> None:
    compared = 0
    for partition, settings in cases_at_amazon():
        arn = POINT.format(partition=partition, region=settings.region)
        for bucket in ("bucket", "with.dots", "Legacy_Name", "ab", "point-alias-s3alias", arn):
            assert of_ours(bucket, settings) == of_botocore(rules, bucket, settings), (bucket, settings)
            compared += 1
    assert compared > 1000


@pytest.mark.parametrize("arn_region", [None, True, False])
@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "cn-north-1"])
@pytest.mark.parametrize("endpoint", [None, "https://host.example.com:9000"])
def test_regions_of_access_points_are_those_of_botocore(
    rules: EndpointProvider, endpoint: str | None, region: str, arn_region: bool | None
) -> None:
    settings = Settings(region, endpoint, arn_region=arn_region)
    for point in (
        POINT.format(partition="aws", region="eu-west-1"),
        "arn:aws:s3:eu-west-1:123456789012:accesspoint:p1a",
    ):
        assert of_ours(point, settings) == of_botocore(rules, point, settings)


@pytest.mark.parametrize("endpoint", ["http://localhost:9000", "https://host.example.com/v1", "https://127.0.0.1:1"])
@pytest.mark.parametrize("switch", ["dualstack", "fips", "accelerate", "virtual_host"])
@pytest.mark.parametrize("value", [None, False, True])
def test_addresses_at_an_endpoint_are_those_of_botocore(
    rules: EndpointProvider, endpoint: str, switch: str, value: bool | None
) -> None:
    """botocore as its client calls the rules: in the path, unless the style is `virtual`."""
    values: dict[str, Any] = {"virtual_host": False} | {switch: value or False}
    ours = of_ours("bucket", Settings("eu-west-1", endpoint, **{switch: value}))
    if switch == "virtual_host" and value and "127" in endpoint:
        assert ours is None  # botocore uses the path then, in spite of the style
    else:
        assert ours == of_botocore(rules, "bucket", Settings("eu-west-1", endpoint, **values))


@pytest.mark.parametrize(
    ("bucket", "named"),
    [
        ("arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap", "Signature Version 4A"),
        ("arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01/accesspoint/point", "Outposts"),
        ("arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/point", "Object Lambda"),
        ("point-o01000000000000000000000000000000000000000000000000--op-s3", "Outposts"),
        ("arn:aws:s3:::bucket", "the name of the bucket"),
        ("arn:aws:s3:eu-west-1:12:accesspoint/point", "arn:aws:s3:<region>"),
        ("arn:aws:s3:eu-west-1:123456789012:accesspoint/point/object", "arn:aws:s3:<region>"),
        ("arn:aws:s3:eu-west-1:123456789012:bucket/point", "arn:aws:s3:<region>"),
        ("arn:aws:s3:evil.example.com#:123456789012:accesspoint/point", "arn:aws:s3:<region>"),
        ("arn:aws:sqs:eu-west-1:123456789012:accesspoint/point", "arn:aws:s3:<region>"),
        ("arn:aws", "arn:aws:s3:<region>"),
        ("arn:aws-cn:s3:eu-west-1:123456789012:accesspoint/point", "partition"),
    ],
)
def test_arns_that_cannot_be_reached_are_refused(bucket: str, named: str) -> None:
    with pytest.raises(ConfigInvalid, match=named):
        check_bucket(bucket)
        address_of(bucket, PLAIN)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3-us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("s3.dualstack.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("bucket.vpce-1a2b-5e6f.s3.us-west-2.vpce.amazonaws.com", "us-west-2"),
        ("s3.amazonaws.com", "us-east-1"),
        ("0123abc.r2.cloudflarestorage.com", "auto"),
        ("0123abc.eu.r2.cloudflarestorage.com", "auto"),
        ("storage.googleapis.com", "auto"),
        ("oss-cn-hangzhou.aliyuncs.com", "oss-cn-hangzhou"),
        ("oss-cn-hangzhou-internal.aliyuncs.com", "oss-cn-hangzhou"),
        ("cos.ap-guangzhou.myqcloud.com", "ap-guangzhou"),
        ("s3.us-west-004.backblazeb2.com", "us-west-004"),
        ("s3.eu-central-1.wasabisys.com", "eu-central-1"),
        ("localhost", "us-east-1"),
        ("s3.eu-west-1.amazonaws.com.example.com", "us-east-1"),
    ],
)
def test_an_endpoint_states_its_region(host: str, region: str) -> None:
    endpoint = f"https://{host}:9000/v1"
    assert (region_of_host(endpoint) or "us-east-1") == region
    assert address_of("bucket", Settings(endpoint=endpoint)).region == region


def test_the_bucket_in_front_of_an_endpoint_is_recognised() -> None:
    assert amazon_host("with.dots.s3.eu-west-1.amazonaws.com") == AmazonHost("with.dots", "eu-west-1")
    assert amazon_host("example.com") is None


@pytest.mark.parametrize(
    ("origin", "target", "url", "moved"),
    [
        ("https://b.old", "https://b.new", "https://b.old/k?x=1", "https://b.new/k?x=1"),
        ("https://b.old", "https://b.new", "https://b.old/?list", "https://b.new/?list"),
        ("https://b.old", "https://new/b", "https://b.old/?list", "https://new/b?list"),
        ("https://old/b", "https://b.new", "https://old/b?list", "https://b.new/?list"),
        ("https://old/b", "https://b.new", "https://old/b//?x", "https://b.new//?x"),
        ("https://old/b", "https://new/v1/b", "https://old/b/k/", "https://new/v1/b/k/"),
    ],
)
def test_a_request_is_moved_with_its_host(origin: str, target: str, url: str, moved: str) -> None:
    request = HttpRequest("GET", url, [("Host", "old"), ("Range", "bytes=0-1")], b"content", idle_timeout=1.0)
    result = Address(target, "new", "r").moved(request, Address(origin, "old", "r"))
    assert result == HttpRequest("GET", moved, [("Host", "new"), ("Range", "bytes=0-1")], b"content", idle_timeout=1.0)


def test_settings_of_a_source_are_completed_by_the_next() -> None:
    first, second = Settings(region="a", fips=False), Settings(region="b", fips=True, dualstack=True)
    assert first.over(second) == Settings(region="a", fips=False, dualstack=True)
