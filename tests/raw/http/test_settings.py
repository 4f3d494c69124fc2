"""The options of connections: how they are written, checked, and what the transport makes of them."""

import asyncio
import inspect
import pickle
import ssl
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from entrepot import ConfigInvalid, Operator, Unexpected
from entrepot.raw import Context
from entrepot.raw.http.settings import TRANSPORTS, HttpServiceConfig, TransportSettings, parse_headers, parse_seconds
from entrepot.services import S3, Http
from entrepot.testing import STALL, OneObject, ScriptedServer, whole_response
from entrepot.testing.transport import MockTransport, reply
from tests.transports import Transport

SECRET = "the-secret"
PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def http(**options: Any) -> Http:
    return Http(options.pop("endpoint", "http://127.0.0.1:1"), **options)


def s3(**options: Any) -> S3:
    options = {"endpoint": "http://127.0.0.1:1", **options}
    return S3("bucket", region="r", access_key_id="a", secret_access_key="s", **options)


@pytest.fixture
def hello() -> Iterator[ScriptedServer]:
    with ScriptedServer(OneObject(b"hello")) as server:
        yield server


@pytest.mark.parametrize(
    ("mapping", "name", "value"),
    [
        ({"connect_timeout": "5s"}, "connect_timeout", 5.0),
        ({"connect_timeout": 5}, "connect_timeout", 5),
        ({"aws_connect_timeout": "500ms"}, "connect_timeout", 0.5),
        ({"timeout": "2 minutes"}, "idle_timeout", 120.0),
        ({"read_timeout": "30"}, "idle_timeout", 30.0),
        ({"pool_idle_timeout": "1m"}, "keepalive_timeout", 60.0),
        ({"pool_max_idle_per_host": "0"}, "max_idle_connections", 0),
        ({"max_pool_connections": "10"}, "max_connections", 10),
        ({"aws_allow_http": "true"}, "allow_http", True),
        ({"allow_invalid_certificates": "1"}, "allow_invalid_certificates", True),
        ({"proxy_url": "http://p:1"}, "proxy", "http://p:1"),
        ({"aws_user_agent": "mine/1"}, "user_agent", "mine/1"),
        ({"default_headers": {"X-Team": "a"}}, "headers", {"X-Team": "a"}),
        ({"headers": "X-Team: a\nX-Cost: b, c\n"}, "headers", {"X-Team": "a", "X-Cost": "b, c"}),
    ],
)
def test_the_keys_of_other_libraries_are_known(mapping: dict[str, Any], name: str, value: object) -> None:
    keys = {"bucket": "b", "region": "r", "skip_signature": True, "endpoint": "http://h"}
    assert getattr(S3.from_mapping({**keys, **mapping}), name) == value


def test_options_can_stand_in_a_uri() -> None:
    config = Http.from_uri("https://h/root?idle_timeout=5s&ca_file=%2Fca.pem&headers=X-Team%3A%20a%0AX-B%3A%20b")
    assert (config.idle_timeout, config.ca_file) == (5.0, "/ca.pem")
    assert config.headers == {"X-Team": "a", "X-B": "b"}


@pytest.mark.parametrize(
    "options",
    [
        {"connect_timeout": 0},
        {"idle_timeout": float("nan")},
        {"idle_timeout": "5s"},
        {"keepalive_timeout": -1},
        {"max_connections": 0},
        {"max_connections": True},
        {"max_idle_connections": -1},
        {"ca_file": ""},
        {"ca_file": "a\0b"},
        {"ca_file": 1},
        {"client_key": "key.pem"},
        {"client_key_password": SECRET},
        {"allow_invalid_certificates": True, "ca_file": "ca.pem"},
        {"proxy": f"socks5://user:{SECRET}@h"},
        {"proxy": f"http://user:{SECRET}@"},
        {"proxy": f"http://us%3Aer:{SECRET}@h"},
        {"proxy_excludes": "h"},
        {"proxy": "", "proxy_excludes": "h"},
        {"user_agent": ""},
        {"user_agent": "a\nb"},
        {"headers": {"X Y": SECRET}},
        {"headers": {"X": f"{SECRET}\r\nY: 1"}},
        {"headers": {"X": 1}},
        {"headers": {"Host": SECRET}},
        {"headers": {"range": SECRET}},
        {"headers": SECRET},
        {"allow_http": False},
    ],
    ids=",".join,
)
@pytest.mark.parametrize("make", [http, s3])
def test_a_value_that_cannot_work_is_refused_at_once(make: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        make(**options)
    error = caught.value
    assert error.operation == "configure"
    assert SECRET not in f"{error} {error!r} {error.__cause__} {error.__context__}"


@pytest.mark.parametrize("text", ["", "five", "5 parsecs", "-1", "1m 30s", "nan"])
def test_a_text_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="duration"):
        Http.from_mapping({"endpoint": "http://h", "timeout": text})


def test_what_a_signature_needs_is_no_header_of_the_configuration() -> None:
    for name in ("Authorization", "x-amz-date"):
        with pytest.raises(ConfigInvalid, match=name):
            s3(headers={name: "today"})
    assert http(headers={"x-amz-date": "today"}).headers == {"x-amz-date": "today"}


@pytest.mark.parametrize("text", ["no colon", "A: 1\nA: 2"])
def test_headers_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="headers"):
        Http.from_mapping({"endpoint": "http://h", "headers": text})


def test_helpers_read_what_they_document() -> None:
    assert parse_headers(" A : 1 \n\n B:2") == {"A": "1", "B": "2"}
    assert [parse_seconds(text) for text in ("1", "1.5s", "2h", "250 ms")] == [1.0, 1.5, 7200.0, 0.25]


@pytest.mark.parametrize("make", [http, s3])
def test_secrets_are_in_no_repr_and_options_are(make: Any) -> None:
    config = make(
        proxy=f"http://u:{SECRET}@h:1",
        headers={"X-Key": SECRET},
        client_certificate="c.pem",
        client_key_password=SECRET,
        idle_timeout=5,
    )
    shown = f"{config!r} {Operator(config)!r} {config.http_settings!r} {Transport.of(config.http_settings)!r}"
    assert SECRET not in shown
    assert "idle_timeout=5" in repr(config)
    assert "connect_timeout" not in repr(config)
    assert pickle.loads(pickle.dumps(config)) == config
    assert replace(config, idle_timeout=6).headers == {"X-Key": SECRET}


def test_defaults_need_no_transport_of_their_own() -> None:
    assert http().http_settings is None
    assert s3(headers={"X-Team": "a"}, allow_http=True).http_settings is None
    assert http(idle_timeout=5).http_settings == TransportSettings(idle_timeout=5)
    context = Context()
    alike = [context.for_service(http().TELEMETRY, TransportSettings(idle_timeout=n)).http for n in (5, 5, 6)]
    assert alike[0] is alike[1]
    assert len({id(transport) for transport in (*alike, context.http)}) == 3


def test_each_option_reaches_the_transport() -> None:
    options = {option.name for option in fields(HttpServiceConfig)}
    settings = {setting.name for setting in fields(TransportSettings)}
    assert options - {"headers", "allow_http"} == settings - {"ca_name"}
    assert settings - {"http"} < {*inspect.signature(Transport).parameters}


@pytest.mark.parametrize("name", TRANSPORTS)
async def test_the_transport_is_chosen_by_an_option(hello: ScriptedServer, name: str) -> None:
    config = Http.from_uri(f"{hello.endpoint}/?http={name}&idle_timeout=5")
    assert config.http == name
    transport = Context().for_service(config.TELEMETRY, config.http_settings).http
    assert type(transport).__name__.lower() == f"{name}transport"
    async with Operator(config) as op:
        assert await op.read("x") == b"hello"


def test_an_unknown_transport_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="native or aiohttp"):
        http(http="curl")


@pytest.mark.parametrize(
    "options",
    [{"ca_file": "ca.pem"}, {"idle_timeout": 5}, {"proxy": ""}, {"user_agent": "mine"}, {"http": "native"}],
    ids=str,
)
def test_a_transport_that_is_passed_in_excludes_options_of_connections(options: dict[str, Any]) -> None:
    context = Context(http=MockTransport(lambda _: reply(200)))
    with pytest.raises(ConfigInvalid, match=next(iter(options))):
        Operator(http(**options), context=context)


def test_a_variable_does_not_disturb_a_transport_that_is_passed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere.pem")
    context = Context(http=MockTransport(lambda _: reply(200)))
    assert Operator(s3(endpoint="https://h"), context=context).info.name == "bucket"


async def test_the_headers_and_the_user_agent_are_sent(hello: ScriptedServer) -> None:
    async with Operator(http(endpoint=hello.endpoint, headers={"X-Team": "a"}, user_agent="mine/1")) as op:
        assert await op.read("x") == b"hello"
        await op.stat("x")
        presigned = await op.presign_read("x", 60)
    for request in hello.requests:
        assert (request.headers["x-team"], request.headers["user-agent"]) == ("a", "mine/1")
    assert "X-Team" not in presigned.headers


async def test_a_web_server_may_want_another_authorization(hello: ScriptedServer) -> None:
    with pytest.raises(ConfigInvalid, match="Authorization"):
        http(headers={"authorization": f"ApiKey {SECRET}"}, token="t")
    async with Operator(http(endpoint=hello.endpoint, headers={"Authorization": f"ApiKey {SECRET}"})) as op:
        assert await op.read("x") == b"hello"
        assert not op.info.capability.presign  # the request would lack it
    assert hello.requests[0].headers["authorization"] == f"ApiKey {SECRET}"


async def test_the_headers_are_signed_and_a_headers_own_value_stays(hello: ScriptedServer) -> None:
    config = s3(endpoint=hello.endpoint, headers={"X-Team": "a", "Cache-Control": "no-store"})
    async with Operator(config) as op:
        await op.read("x")
        await op.write("x", b"1", cache_control="max-age=1")
        presigned = await op.presign_read("x", 60)
    read, write = hello.requests
    signed = read.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"x-team", "cache-control"} < {*signed}
    assert (read.headers["cache-control"], write.headers["cache-control"]) == ("no-store", "max-age=1")
    assert "x-team" not in presigned.url.lower()


async def test_the_headers_do_not_follow_to_another_origin(hello: ScriptedServer) -> None:
    moved = [whole_response(b"", f"Location: {hello.endpoint}/b", status="307 Temporary Redirect")]
    with ScriptedServer([moved]) as server:
        async with Operator(http(endpoint=server.endpoint, headers={"X-Key": SECRET})) as op:
            assert await op.read("x") == b"hello"
        assert server.requests[0].headers["x-key"] == SECRET
    assert "x-key" not in hello.requests[0].headers


@pytest.mark.parametrize("excludes", [None, "127.0.0.1"])
async def test_a_proxy_of_the_configuration_takes_the_place_of_the_environments(
    hello: ScriptedServer, monkeypatch: pytest.MonkeyPatch, excludes: str | None
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    proxy = hello.endpoint.replace("http://", f"http://user:{SECRET}@")
    with ScriptedServer(OneObject(b"direct")) as server:
        async with Operator(http(endpoint=server.endpoint, proxy=proxy, proxy_excludes=excludes)) as op:
            assert await op.read("x") == (b"direct" if excludes else b"hello")
    if not excludes:
        assert hello.requests[0].target == f"{server.endpoint}/x"
        assert "proxy-authorization" in hello.requests[0].headers


async def test_an_empty_proxy_is_none(hello: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with Operator(Http.from_uri(f"{hello.endpoint}/?proxy=")) as op:
        assert await op.read("x") == b"hello"


class Files:
    """The certificates of a test, in a folder."""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        client = authority.issue_cert("client")
        self.ca = str(folder / "ca.pem")
        self.both = str(folder / "both.pem")
        self.certificate = str(folder / "certificate.pem")
        self.key = str(folder / "key.pem")
        authority.cert_pem.write_to_path(self.ca)
        client.private_key_and_cert_chain_pem.write_to_path(self.both)
        client.cert_chain_pems[0].write_to_path(self.certificate)
        client.private_key_pem.write_to_path(self.key)


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Files:
    return Files(tmp_path, authority)


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[ScriptedServer]:
    """A server that wants a certificate of the client."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 the client learns too late that it is refused
    with ScriptedServer(OneObject(b"hello"), context) as server:
        yield server


async def test_a_client_shows_its_certificate(secure: ScriptedServer, files: Files) -> None:
    for options in (
        {"client_certificate": files.certificate, "client_key": files.key},
        {"client_certificate": files.both},
    ):
        async with Operator(http(endpoint=secure.endpoint, ca_file=files.ca, **options)) as op:
            assert await op.read("x") == b"hello"
    async with Operator(http(endpoint=secure.endpoint, ca_file=files.ca), resilient=False) as op:
        with pytest.raises(Unexpected):
            await op.read("x")


async def test_only_a_known_authority_is_trusted_unless_any_is(
    authority: trustme.CA, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer(OneObject(b"hello"), context) as server:
        async with Operator(http(endpoint=server.endpoint), resilient=False) as op:
            with pytest.raises(Unexpected, match="not trusted"):
                await op.read("x")
        async with Operator(http(endpoint=server.endpoint, allow_invalid_certificates=True)) as op:
            assert await op.read("x") == b"hello"
        monkeypatch.setenv("AWS_CA_BUNDLE", files.ca)
        async with Operator(s3(endpoint=server.endpoint)) as op:
            assert await op.read("x") == b"hello"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ca_file": "/nowhere/ca.pem"}, "ca_file cannot be read: No such file"),
        ({"ca_file": __file__}, "ca_file cannot be read: NO_CERTIFICATE_OR_CRL_FOUND"),
        ({"ca_file": str(Path(__file__).parent)}, "ca_file cannot be read"),
        ({"client_certificate": "/nowhere/c.pem"}, "client_certificate and client_key cannot be read: No such file"),
        ({"client_certificate": __file__}, "client_certificate and client_key cannot be read"),
    ],
)
async def test_a_file_that_cannot_be_used_is_an_error_of_the_first_call(options: dict[str, Any], reason: str) -> None:
    config = http(endpoint="https://127.0.0.1:1", **options)
    async with Operator(config, resilient=False) as op:  # building does no I/O
        with pytest.raises(ConfigInvalid) as caught:
            await op.read("x")
    assert reason in caught.value.message


async def test_a_variable_that_leads_nowhere_is_named_and_ignored_without_tls(
    hello: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere/ca.pem")
    async with Operator(s3(endpoint="https://127.0.0.1:1"), resilient=False) as op:
        with pytest.raises(ConfigInvalid, match="AWS_CA_BUNDLE cannot be read"):
            await op.read("x")
    async with Operator(s3(endpoint=hello.endpoint)) as op:
        assert await op.read("x") == b"hello"


def test_a_variable_is_not_read_where_none_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere/ca.pem")
    assert s3(endpoint="https://h").http_settings == TransportSettings(
        ca_file="/nowhere/ca.pem", ca_name="AWS_CA_BUNDLE"
    )
    assert s3(endpoint="https://h", ca_file="/ca.pem").http_settings == TransportSettings(ca_file="/ca.pem")
    for options in ({"disable_config_load": True}, {"allow_invalid_certificates": True}):
        assert "ca_file" not in (s3(endpoint="https://h", **options).http_settings or TransportSettings()).arguments
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://h")
    assert s3(endpoint=None).http_settings is None


async def test_a_file_that_was_corrected_is_read_again(authority: trustme.CA, tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer(OneObject(b"hello"), context) as server:
        async with Operator(http(endpoint=server.endpoint, ca_file=str(tmp_path / "late.pem")), resilient=False) as op:
            with pytest.raises(ConfigInvalid):
                await op.read("x")
            authority.cert_pem.write_to_path(str(tmp_path / "late.pem"))
            assert await op.read("x") == b"hello"


async def test_an_encrypted_key_needs_its_password_and_nobody_is_asked(
    secure: ScriptedServer, files: Files, tmp_path: Path
) -> None:
    key = serialization.load_pem_private_key(Path(files.key).read_bytes(), None)
    locked = tmp_path / "locked.pem"
    encryption = serialization.BestAvailableEncryption(SECRET.encode())
    form = serialization.PrivateFormat.PKCS8
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    options = {"ca_file": files.ca, "client_certificate": files.certificate, "client_key": str(locked)}
    async with Operator(http(endpoint=secure.endpoint, client_key_password=SECRET, **options)) as op:
        assert await op.read("x") == b"hello"
    for password in (None, "another"):
        async with Operator(http(endpoint=secure.endpoint, client_key_password=password, **options)) as op:
            with pytest.raises(ConfigInvalid, match="client_key cannot be read"):
                await op.read("x")


async def test_the_idle_timeout_is_that_of_the_configuration() -> None:
    with ScriptedServer(lambda _: [STALL]) as server:
        async with Operator(http(endpoint=server.endpoint, idle_timeout=0.05), resilient=False) as op:
            with pytest.raises(TimeoutError):
                await op.read("x")


@pytest.mark.parametrize(("most", "connections"), [(None, 3), (1, 5), (0, 6)])
async def test_only_so_many_unused_connections_are_kept(most: int | None, connections: int) -> None:
    async def three(op: Operator) -> None:
        assert await asyncio.gather(*(op.read(f"{n}") for n in range(3))) == [b"hello"] * 3

    with ScriptedServer(OneObject(b"hello")) as server:
        async with Operator(http(endpoint=server.endpoint, max_idle_connections=most)) as op:
            await three(op)
            await three(op)
        assert server.connections == connections


async def test_the_operator_closes_the_connections_of_its_options(hello: ScriptedServer) -> None:
    async with Operator(http(endpoint=hello.endpoint, user_agent="mine")) as op:
        assert await op.at("sub/").read("x") == b"hello"
        assert await op.read("x") == b"hello"
        assert hello.connections == 1  # an operator that is derived shares them
    hello.wait_until_left()


def test_a_plain_endpoint_can_be_excluded() -> None:
    with pytest.raises(ConfigInvalid, match="allow_http=False"):
        http(allow_http=False)
    assert http(endpoint="https://h", allow_http=False).allow_http is False
