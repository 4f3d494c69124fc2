"""Where a bucket is: regions that are found out or corrected, the environment, and the files of the AWS tools."""

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.session import Session

from entrepot import ConfigInvalid, Operator, Unexpected
from entrepot.layers import PrefixLayer
from entrepot.raw import Context
from entrepot.raw.http.transport import HttpRequest, HttpResponse
from entrepot.services import S3
from entrepot.testing import S3Server
from entrepot.testing.transport import MockTransport, reply
from tests.transports import Transport

KEYS = {"access_key_id": "AKIDSECRET", "secret_access_key": "the-secret"}
REGION = "eu-west-3"
OF_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")


def region_signed_for(request: HttpRequest) -> str | None:
    """The region in the scope of a signature; None of a request without credentials."""
    proof = dict(request.headers).get("Authorization")
    return None if proof is None else proof.split("/")[2]


def host_of(request: HttpRequest) -> str:
    host = request.url.split("/")[2]
    assert dict(request.headers)["Host"] == host
    return host


class Amazon:
    """A bucket at Amazon, in one region. It answers in every region as Amazon does, and nowhere else.

    Arguments:
        refuse: the answer to a request in another region.
        locate: the answer to an unsigned HEAD of the bucket.
        together: how many requests in another region are answered only together.
    """

    def __init__(
        self,
        refuse: Callable[[HttpRequest], HttpResponse] | None = None,
        locate: Callable[[HttpRequest], HttpResponse] | None = None,
        together: int = 1,
    ) -> None:
        self._gate = asyncio.Barrier(together)
        self.transport = MockTransport(self._answer)
        self._refuse = refuse or error(301, "PermanentRedirect", x_amz_bucket_region=REGION)
        self._locate = locate or (lambda _: reply(301, headers=[("x-amz-bucket-region", REGION)]))

    @property
    def sent(self) -> list[tuple[str, str, str | None]]:
        """Method, host and region of each request."""
        return [(one.method, host_of(one), region_signed_for(one)) for one in self.transport.requests]

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0)
        host = host_of(request)
        assert host.endswith(OF_AMAZON)
        if request.method == "HEAD" and request.url == f"https://{host}/bucket":
            return self._locate(request)
        if REGION not in host:
            await self._gate.wait()
            return self._refuse(request)
        if region_signed_for(request) not in (REGION, None):
            return malformed(request)
        return reply(200, b"content", [("etag", '"e"'), ("content-length", "7")])


def error(status: int, code: str, more: str = "", **headers: str) -> Callable[[HttpRequest], HttpResponse]:
    content = f"<Error><Code>{code}</Code><Message>m</Message>{more}</Error>".encode()
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda request: reply(status, b"" if request.method == "HEAD" else content, named)


permanent_redirect = error(301, "PermanentRedirect", x_amz_bucket_region=REGION)
malformed = error(400, "AuthorizationHeaderMalformed", f"<Region>{REGION}</Region>")
REFUSALS = {
    "301": permanent_redirect,
    "301 without a header": error(301, "PermanentRedirect", f"<Region>{REGION}</Region>"),
    "301 to a host": error(301, "PermanentRedirect", f"<Endpoint>bucket.s3-{REGION}.amazonaws.com</Endpoint>"),
    "307 to a host": error(307, "TemporaryRedirect", location=f"https://bucket.s3-{REGION}.amazonaws.com/k?x=1"),
    "307 with a header": error(307, "TemporaryRedirect", x_amz_bucket_region=REGION, location="https://evil.example/"),
    "400": error(400, "AuthorizationHeaderMalformed", f"<Region>{REGION}</Region>"),
    "400 of a location": error(400, "IllegalLocationConstraintException", x_amz_bucket_region=REGION),
}


def operator(amazon: Amazon | MockTransport, **values: Any) -> Operator:
    transport = amazon if isinstance(amazon, MockTransport) else amazon.transport
    config = S3(**({"bucket": "bucket", **KEYS} | values))
    return Operator(config, context=Context(http=transport), resilient=False)


# Regions that are found out


async def test_a_region_that_is_not_configured_is_found_out_once() -> None:
    amazon = Amazon()
    op = operator(amazon)
    await asyncio.gather(*(op.read("k") for _ in range(8)))
    await op.write("k", b"x")
    located, *rest = amazon.sent
    assert located == ("HEAD", "s3.us-east-1.amazonaws.com", None)
    assert {sent[1:] for sent in rest} == {(f"bucket.s3.{REGION}.amazonaws.com", REGION)}
    assert len(rest) == 9


def test_event_loops_share_what_was_found_out() -> None:
    amazon = Amazon()
    op = operator(amazon)
    for _ in range(2):
        asyncio.run(op.read("k"))
    op.blocking().read("k")
    assert [sent[0] for sent in amazon.sent] == ["HEAD", "GET", "GET", "GET"]


@pytest.mark.parametrize(
    ("status", "headers", "region"),
    [
        (200, [("x-amz-bucket-region", REGION)], REGION),
        (403, [("x-amz-bucket-region", REGION)], REGION),
        (400, [("x-amz-bucket-region", REGION)], REGION),
        (200, [], "us-east-1"),
        (403, [], "us-east-1"),
        (403, [("x-amz-bucket-region", "evil.example/")], "us-east-1"),
    ],
)
async def test_every_answer_but_an_error_states_the_region(
    status: int, headers: list[tuple[str, str]], region: str
) -> None:
    amazon = Amazon(locate=lambda _: reply(status, headers=headers), refuse=lambda _: reply(200, b"content"))
    await operator(amazon).read("k")
    assert amazon.sent[1] == ("GET", f"bucket.s3.{region}.amazonaws.com", region)
    assert amazon.transport.replies[0].body.is_closed  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "kind", "text", "is_temporary"),
    [
        (404, ConfigInvalid, "there is no bucket bucket", False),
        (301, ConfigInvalid, "set region", False),
        (503, Unexpected, "the server failed", True),
        (200, ConfigInvalid, "set region", False),
    ],
)
async def test_an_answer_without_a_region_of_the_partition_is_an_error_and_is_not_kept(
    status: int, kind: type[Exception], text: str, is_temporary: bool
) -> None:
    elsewhere = [("x-amz-bucket-region", "cn-north-1")] if status == 200 else []
    answers = [reply(status, headers=elsewhere), reply(200, headers=[("x-amz-bucket-region", REGION)])]
    amazon = Amazon(locate=lambda _: answers.pop(0))
    op = operator(amazon)
    with pytest.raises(kind, match=text) as caught:
        await op.read("k")
    assert caught.value.is_temporary is is_temporary  # type: ignore[attr-defined]
    assert await op.read("k") == b"content"


async def test_a_public_bucket_is_found_without_keys() -> None:
    amazon = Amazon()
    op = operator(amazon, access_key_id=None, secret_access_key=None, skip_signature=True)
    assert await op.read("k") == b"content"
    assert amazon.sent[1] == ("GET", f"bucket.s3.{REGION}.amazonaws.com", None)


async def test_a_presigned_request_is_for_the_region_that_was_found_out() -> None:
    amazon = Amazon()
    request = await operator(amazon).presign_read("k", timedelta(minutes=1))
    assert request.url.startswith(f"https://bucket.s3.{REGION}.amazonaws.com/k?")
    assert f"%2F{REGION}%2Fs3%2F" in request.url


# Regions that are wrong


@pytest.mark.parametrize("refuse", REFUSALS.values(), ids=REFUSALS)
async def test_a_wrong_region_is_corrected_once(refuse: Callable[[HttpRequest], HttpResponse]) -> None:
    amazon = Amazon(refuse)
    op = operator(amazon, region="us-west-2")
    assert await op.read("k") == b"content"
    await op.write("k", b"x" * 10)
    assert amazon.sent == [
        ("GET", "bucket.s3.us-west-2.amazonaws.com", "us-west-2"),
        ("GET", f"bucket.s3.{REGION}.amazonaws.com", REGION),
        ("PUT", f"bucket.s3.{REGION}.amazonaws.com", REGION),
    ]


@pytest.mark.parametrize("status", [301, 400])
async def test_a_head_is_corrected_by_its_header(status: int) -> None:
    amazon = Amazon(error(status, "", x_amz_bucket_region=REGION))
    assert (await operator(amazon, region="us-west-2").stat("k")).content_length == 7
    assert [sent[2] for sent in amazon.sent] == ["us-west-2", REGION]


async def test_content_is_sent_again_and_concurrent_requests_correct_the_region_together() -> None:
    amazon = Amazon(together=8)
    op = operator(amazon, region="us-west-2", enable_virtual_host_style=False)
    await asyncio.gather(*(op.write(f"k{n}", b"content") for n in range(8)))
    assert amazon.transport.bodies == [b"content"] * 16
    assert {one.url.rpartition("/")[0] for one in amazon.transport.requests[8:]} == {
        f"https://s3.{REGION}.amazonaws.com/bucket"
    }


@pytest.mark.parametrize(
    ("refuse", "named"),
    [
        (error(301, "PermanentRedirect", "<Endpoint>evil.example</Endpoint>"), "set region and endpoint"),
        (error(307, "TemporaryRedirect", location="https://evil.example/k"), "set endpoint"),
        (error(307, "Redirect", location="https://bucket.s3-eu-west-3.amazonaws.com.evil.example/"), "set endpoint"),
        (error(301, "PermanentRedirect", x_amz_bucket_region="evil.example/"), "set region and endpoint"),
        (error(301, "PermanentRedirect", x_amz_bucket_region="cn-north-1"), "set region to 'cn-north-1'"),
    ],
)
async def test_keys_are_sent_to_no_host_that_does_not_follow_from_a_region_of_the_partition(
    refuse: Callable[[HttpRequest], HttpResponse], named: str
) -> None:
    amazon = Amazon(refuse)
    with pytest.raises(ConfigInvalid, match=named):
        await operator(amazon, region="us-west-2").read("k")
    assert [sent[1] for sent in amazon.sent] == ["bucket.s3.us-west-2.amazonaws.com"]


async def test_a_store_that_names_another_region_each_time_comes_to_an_end() -> None:
    regions = iter(range(100))
    amazon = Amazon(lambda _: reply(301, headers=[("x-amz-bucket-region", f"eu-north-{next(regions)}")]))
    with pytest.raises(ConfigInvalid, match="another region"):
        await operator(amazon, region="us-west-2").read("k")
    assert len(amazon.sent) == 2


async def test_requests_to_an_endpoint_are_signed_for_the_region_it_names_and_stay_there() -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        if region_signed_for(request) != "garage":
            return error(400, "AuthorizationHeaderMalformed", "<Region>garage</Region>")(request)
        return reply(200, b"content")

    transport = MockTransport(answer)
    op = operator(transport, endpoint="http://host:3900")
    assert await op.read("k") == await op.read("k") == b"content"
    assert [one.url for one in transport.requests] == ["http://host:3900/bucket/k"] * 3
    assert [region_signed_for(one) for one in transport.requests] == ["us-east-1", "garage", "garage"]


async def test_a_redirect_of_an_endpoint_is_not_followed() -> None:
    transport = MockTransport(permanent_redirect)
    with pytest.raises(ConfigInvalid, match=f"set region to '{REGION}'"):
        await operator(transport, endpoint="http://host:9000").read("k")
    assert len(transport.requests) == 1


async def test_a_refusal_that_is_not_about_the_region_is_not_repeated() -> None:
    transport = MockTransport(error(403, "AccessDenied", x_amz_bucket_region=REGION))
    with pytest.raises(Exception, match="refuses"):
        await operator(transport, region="us-west-2").read("k")
    assert len(transport.requests) == 1


# The environment and the files


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Writes the config file and the credentials file, and sets variables."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    def write(config: str = "", credentials: str = "", **variables: str) -> None:
        (tmp_path / "config").write_text(config)
        (tmp_path / "credentials").write_text(credentials)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    yield write


PROFILES = """
[default]
region = eu-central-1
[profile minio]
region = us-east-2
endpoint_url = http://minio:9000
[profile both]
region = us-east-2
endpoint_url = http://all:9000
services = local
[profile styled]
region = us-east-2
s3 =
    addressing_style = path
    use_dualstack_endpoint = true
[profile fast]
region = us-east-2
s3 =
    use_accelerate_endpoint = true
[profile virtual]
region = us-east-2
endpoint_url = http://host.example:9000
s3 =
    addressing_style = virtual
[profile fips]
region = us-gov-west-1
use_fips_endpoint = true
use_dualstack_endpoint = true
[profile ignoring]
region = us-east-2
endpoint_url = http://all:9000
ignore_configured_endpoint_urls = true
[services local]
s3 =
    endpoint_url = http://only-s3:9000/prefix
"""
LOADER = Loader()  # keeps what it parsed
ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"AWS_REGION": "ap-south-1", "AWS_DEFAULT_REGION": "ap-south-1"},
    {"AWS_DEFAULT_REGION": "ap-south-1"},
    {"AWS_PROFILE": "minio"},
    {"AWS_PROFILE": "minio", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    {"AWS_PROFILE": "minio", "AWS_ENDPOINT_URL": "http://variable:9000"},
    {"AWS_PROFILE": "both"},
    {"AWS_PROFILE": "both", "AWS_ENDPOINT_URL": "http://variable:9000"},
    {"AWS_ENDPOINT_URL_S3": "http://s3:9000", "AWS_ENDPOINT_URL": "http://variable:9000"},
    {"AWS_ENDPOINT_URL_S3": "http://s3:9000", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"},
    {"AWS_PROFILE": "styled"},
    {"AWS_PROFILE": "styled", "AWS_USE_DUALSTACK_ENDPOINT": "false"},
    {"AWS_PROFILE": "fast"},
    {"AWS_PROFILE": "fast", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
    {"AWS_PROFILE": "virtual"},
    {"AWS_PROFILE": "fips"},
    {"AWS_PROFILE": "fips", "AWS_USE_FIPS_ENDPOINT": "false"},
    {"AWS_PROFILE": "ignoring"},
    {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"},
]


def url_of_botocore() -> str:
    """The URL of an object, from a session that finds everything in the environment."""
    session = Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials("key", "secret")
    client = session.create_client("s3")
    client.meta.events.register("before-send.s3", stopped)
    with pytest.raises(StoppedError) as caught:
        client.get_object(Bucket="bucket", Key="k")
    return str(caught.value)


class StoppedError(Exception):
    """Ends a request of botocore before it is sent. The text is its URL."""


def stopped(request: Any, **_: object) -> None:
    raise StoppedError(request.url)


async def url_of_ours(**values: Any) -> str:
    transport = MockTransport(lambda _: reply(200, b"x"))
    await operator(transport, **values).read("k")
    return transport.requests[-1].url


@pytest.mark.parametrize("variables", ENVIRONMENTS, ids=lambda variables: " ".join(map("=".join, variables.items())))
async def test_the_environment_and_the_files_lead_where_they_lead_botocore(
    variables: dict[str, str], files: Callable[..., None]
) -> None:
    files(PROFILES, AWS_S3_US_EAST_1_REGIONAL_ENDPOINT="regional", **variables)
    assert await url_of_ours() == url_of_botocore()


@pytest.mark.parametrize(
    ("variables", "values", "url"),
    [
        ({"AWS_REGION": "eu-west-1"}, {"region": "eu-north-1"}, "https://bucket.s3.eu-north-1.amazonaws.com/k"),
        ({"AWS_PROFILE": "minio"}, {"profile": "styled"}, "https://s3.dualstack.us-east-2.amazonaws.com/bucket/k"),
        ({"AWS_PROFILE": "styled"}, {"enable_virtual_host_style": True, "use_dualstack_endpoint": False},
         "https://bucket.s3.us-east-2.amazonaws.com/k"),
        ({"AWS_ENDPOINT_URL": "http://variable"}, {"endpoint": "http://given:1"}, "http://given:1/bucket/k"),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, {"endpoint": "http://given:1"}, "http://given:1/bucket/k"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, {"endpoint": "http://given:1"}, "http://given:1/bucket/k"),
        ({"AWS_PROFILE": "virtual"}, {"endpoint": "http://given:1"}, "http://given:1/bucket/k"),
        ({"AWS_S3_ENDPOINT": "http://model:1"}, {}, "http://model:1/bucket/k"),
        ({"AWS_ENDPOINT": "other:1"}, {}, "https://other:1/bucket/k"),
        ({"AWS_REGION": "eu-west-1"}, {"disable_config_load": True}, f"https://bucket.s3.{REGION}.amazonaws.com/k"),
    ],
)  # fmt: skip
async def test_the_configuration_wins_over_the_environment(
    variables: dict[str, str], values: dict[str, Any], url: str, files: Callable[..., None]
) -> None:
    files(PROFILES, **variables)
    transport = MockTransport(lambda _: reply(200, b"x", [("x-amz-bucket-region", REGION)]))
    await operator(transport, **values).read("k")
    assert transport.requests[-1].url == url


@pytest.mark.parametrize(
    ("values", "region"),
    [
        ({"endpoint": "http://host:1"}, "eu-central-1"),
        ({"endpoint": "https://0123.r2.cloudflarestorage.com"}, "auto"),
        ({"endpoint": "https://s3.eu-west-1.amazonaws.com"}, "eu-west-1"),
        ({"endpoint": "http://host:1", "region": "given"}, "given"),
        ({"endpoint": "http://host:1", "disable_config_load": True}, "us-east-1"),
    ],
)
async def test_the_region_at_an_endpoint(values: dict[str, Any], region: str, files: Callable[..., None]) -> None:
    files(PROFILES)
    transport = MockTransport(lambda _: reply(200, b"x"))
    await operator(transport, **values).read("k")
    assert [region_signed_for(one) for one in transport.requests] == [region]


@pytest.mark.parametrize(
    "values",
    [{"disable_config_load": True, "region": REGION}, {"endpoint": "http://h", "region": REGION}],
)
async def test_files_that_are_not_needed_are_not_read(values: dict[str, Any], files: Callable[..., None]) -> None:
    files("malformed", AWS_PROFILE="missing")
    await url_of_ours(**values)


@pytest.mark.parametrize(
    ("config", "variables", "named"),
    [
        ("[default]\nregion\n  = x", {}, r"config, line 2"),
        (PROFILES, {"AWS_PROFILE": "missing"}, "'default', 'fast', 'fips'"),
        ("[default]\nregion = se/cret", {}, "region must consist"),
        ("[default]\nendpoint_url = ftp://se-cret", {}, "endpoint_url"),
        ("[default]\ns3 =\n  addressing_style = se-cret", {}, "addressing_style"),
        ("[default]\ns3 =\n  use_dualstack_endpoint = se-cret", {}, "use_dualstack_endpoint"),
        (
            "[default]\ns3 =\n  use_accelerate_endpoint = true\n  addressing_style = path",
            {"AWS_REGION": "r"},
            "accelerate",
        ),
    ],
)
async def test_files_that_cannot_be_used_are_named(
    config: str, variables: dict[str, str], named: str, files: Callable[..., None]
) -> None:
    files(config, **variables)
    transport = MockTransport(lambda _: reply(200, b"x"))
    with pytest.raises(ConfigInvalid, match=named) as caught:
        await operator(transport).read("k")
    assert "cret" not in str(caught.value)
    assert transport.requests == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "http://AKIA:se-cret@host"),
        ("AWS_ENDPOINT_URL", "http://host?se-cret"),
        ("AWS_REGION", "se/cret"),
        ("AWS_USE_FIPS_ENDPOINT", "se-cret"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "se-cret"),
        ("AWS_S3_USE_ARN_REGION", "se-cret"),
    ],
)
def test_variables_that_cannot_be_used_are_named_before_anything_is_sent(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigInvalid, match="region" if name == "AWS_REGION" else name) as caught:
        operator(MockTransport(lambda _: reply(200)))
    assert "cret" not in str(caught.value)
    operator(MockTransport(lambda _: reply(200)), disable_config_load=True)


@pytest.mark.parametrize("config", ["", "[default]\nendpoint_url = http://minio:9000"])
async def test_an_endpoint_without_tls_is_refused_wherever_it_comes_from(
    config: str, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    files(config)
    if not config:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio:9000")
    with pytest.raises(ConfigInvalid, match="allow_http=False"):
        await url_of_ours(region=REGION, allow_http=False)


def test_no_certificates_of_the_environment_are_used_where_it_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/ca.pem")
    assert S3("b", **KEYS).http_settings is not None
    assert S3("b", **KEYS, disable_config_load=True).http_settings is None


@pytest.mark.parametrize("name", ["proxy", "user_agent"])
async def test_each_configuration_finds_the_region_over_its_own_connections(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_amazon = {value: Amazon() for value in ("http://one", "http://two")}
    monkeypatch.setattr(Transport, "of", lambda settings: at_amazon[getattr(settings, name)].transport)
    context = Context()
    for value, amazon in at_amazon.items():
        op = Operator(S3("bucket", **KEYS, **{name: value}), context=context, resilient=False)
        await op.read("k")
        assert [sent[0] for sent in amazon.sent] == ["HEAD", "GET"]


async def test_copies_leave_the_source_its_own_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    at_amazon = {value: Amazon() for value in ("http://source", "http://target")}
    monkeypatch.setattr(Transport, "of", lambda settings: at_amazon[settings.proxy].transport)
    source, target = (S3("bucket", **KEYS, proxy=value) for value in at_amazon)
    build, context = target.builder_of_copies(source), Context()
    assert build is not None
    build(context.for_service(target.TELEMETRY, target.http_settings))
    await Operator(source, context=context, resilient=False).read("k")
    assert [len(amazon.sent) for amazon in at_amazon.values()] == [2, 0]


async def test_operators_that_are_derived_from_one_share_the_region_that_was_found_out() -> None:
    amazon = Amazon()
    op = operator(amazon)
    await op.read("k")
    await op.layer(PrefixLayer("other/")).read("k")
    assert [sent[0] for sent in amazon.sent] == ["HEAD", "GET", "GET"]


async def test_an_access_point_needs_no_region_and_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    point = f"arn:aws:s3:{REGION}:123456789012:accesspoint/point"
    host = f"point-123456789012.s3-accesspoint.{REGION}.amazonaws.com"
    assert await url_of_ours(bucket=point) == f"https://{host}/k"
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert await url_of_ours(bucket=point) == f"https://{host}/k"
    monkeypatch.setenv("AWS_S3_USE_ARN_REGION", "false")
    with pytest.raises(ConfigInvalid, match="use_arn_region"):
        await url_of_ours(bucket=point)


async def test_a_copy_within_an_access_point_names_the_source_by_its_arn() -> None:
    point = f"arn:aws:s3:{REGION}:123456789012:accesspoint/point"
    transport = MockTransport(lambda _: reply(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"))
    await operator(transport, bucket=point).copy("a b", "target")
    [request] = transport.requests
    assert dict(request.headers)["x-amz-copy-source"] == f"{point}/object/a%20b"


def test_nothing_of_this_machine_is_read_by_the_tests() -> None:
    assert os.environ["AWS_CONFIG_FILE"] == os.devnull


async def test_a_real_server_is_found_in_the_environment_and_in_a_profile(
    seaweedfs_server: S3Server, files: Callable[..., None]
) -> None:
    server = seaweedfs_server
    files(f"[profile local]\nendpoint_url = {server.endpoint}\nregion = {server.region}", AWS_PROFILE="local")
    config = S3(
        server.bucket,
        root="/found-in-a-profile",
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
    )
    async with Operator(config) as op:
        await op.write("k", b"content")
    files("", AWS_PROFILE="", AWS_ENDPOINT_URL_S3=server.endpoint)
    async with Operator(config) as op:
        assert await op.read("k") == b"content"
        assert "k" in [entry.path for entry in await op.list("/")]
