"""Where tokens of Google Cloud come from, and signed URLs, against a token server of our own."""

import asyncio
import json
import sys
from base64 import b64encode, encodebytes
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote

import pytest

from entrepot import ConfigInvalid, PermissionDenied, Timeout, Unexpected
from entrepot.raw import Context
from entrepot.raw.http.transport import HttpRequest
from entrepot.signing.aws import Credentials
from entrepot.signing.clock import Clock
from entrepot.signing.google import Machine, default_source, file_source, given_source
from entrepot.signing.google.aws_identity import signed_headers
from entrepot.signing.google.external_account import ALLOWED
from entrepot.signing.google.impersonation import remote_signer
from entrepot.signing.google.token import GoogleToken
from entrepot.signing.google.urls import unsigned_url
from entrepot.testing import StrictGcs, strict_gcs
from entrepot.testing.scripted_server import ScriptedServer, whole_response
from entrepot.testing.servers.strict_gcs.access import EMAIL, REFRESH_TOKEN, SUBJECT_TOKEN
from entrepot.testing.servers.strict_gcs.json_api import Answer
from entrepot.testing.servers.strict_gcs.server import Fault

ACCOUNT = "/iam/v1/projects/-/serviceAccounts/"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with strict_gcs(tmp_path_factory.mktemp("gcs")) as server:
        yield server


@pytest.fixture
async def context():
    context = Context()
    yield context
    await context.close()


@pytest.fixture
def machine(context):
    def machine(**options):
        return Machine(context.http, context.runtime, **options)

    return machine


def user(server):
    return {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": "SECRET",
        "refresh_token": REFRESH_TOKEN,
        "token_uri": f"{server.endpoint}/token",
    }


def external(server, source):
    return {
        "type": "external_account",
        "audience": "//iam.example/pools/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{server.endpoint}/token",
        "credential_source": source,
    }


def impersonation(server, account=EMAIL):
    return {"service_account_impersonation_url": f"{server.endpoint}{ACCOUNT}{account}:generateAccessToken"}


async def is_accepted(server: StrictGcs, token):
    server.access.check(f"Bearer {token.value}")
    return True


async def signs(server, source):
    """Whether the signature of a source is that of the service account."""
    signer = await source.signer(source.load)
    return signer.email == EMAIL and server.access._is_signed(await signer.sign(b"content"), b"content")


async def test_a_service_account_exchanges_a_claim_and_signs_with_its_key(server, machine):
    content = server.credential.encode()
    for text in (server.credential, b64encode(content).decode(), encodebytes(content).decode()):
        source = given_source(text, machine())
        token = await source.load()
        assert await is_accepted(server, token)
        assert 3500 < (token.expires_at - datetime.now(UTC)).total_seconds() < 3600
        assert await signs(server, source)
    assert server.access.exchanged[-1] == "jwt-bearer"


async def test_a_user_refreshes_and_cannot_sign(server, machine):
    source = given_source(json.dumps(user(server)), machine())
    assert await is_accepted(server, await source.load())
    assert await source.signer(source.load) is None


@pytest.mark.parametrize("form", ["text", "json"])
async def test_an_external_account_takes_the_token_of_a_file(server, machine, tmp_path, form):
    is_json = form == "json"
    file = tmp_path / "subject"
    file.write_text(json.dumps({"t": SUBJECT_TOKEN}) if is_json else f"{SUBJECT_TOKEN}\n")
    stated = {"format": {"type": "json", "subject_token_field_name": "t"}} if is_json else {}
    source = given_source(json.dumps(external(server, {"file": str(file), **stated})), machine())
    assert await is_accepted(server, await source.load())
    file.unlink()
    with pytest.raises(PermissionDenied, match="cannot be read"):
        await source.load()


async def test_an_external_account_may_act_as_a_service_account(server, machine, tmp_path):
    file = tmp_path / "subject"
    file.write_text(SUBJECT_TOKEN)
    values = external(server, {"file": str(file)}) | impersonation(server)
    source = given_source(json.dumps(values), machine())
    assert await is_accepted(server, await source.load())
    assert await signs(server, source)


def aws(server, url="https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"):
    return external(server, {"environment_id": "aws1", "regional_cred_verification_url": url})


async def test_a_workload_of_aws_signs_a_request_for_google(server, machine):
    keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET", "AWS_REGION": "eu-west-1"}
    source = given_source(json.dumps(aws(server)), machine(environ=keys))
    assert await is_accepted(server, await source.load())
    [form] = [parse_qs(call.content.decode()) for call in server.calls if b"AKID" in call.content]
    stated = json.loads(unquote(form["subject_token"][0]))
    headers = {header["key"].lower(): header["value"] for header in stated["headers"]}
    assert stated["url"] == "https://sts.eu-west-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    assert headers["x-goog-cloud-target-resource"] == form["audience"][0]
    assert "host;x-amz-date;x-goog-cloud-target-resource" in headers["authorization"]
    assert "/eu-west-1/sts/aws4_request" in headers["authorization"]
    assert "SECRET" not in form["subject_token"][0]


def test_the_request_of_aws_is_signed_as_botocore_signs_it():
    query, keys = "Action=GetCallerIdentity&Version=2011-06-15", Credentials("AK", "SK", "TOK")
    host, now = "sts.eu-west-1.amazonaws.com", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    *_, last = signed_headers(host, query, "//iam.x/p", keys, "eu-west-1", now)
    assert last["value"].endswith("Signature=e5105a80ae66cc7d09a32b70510dbeb89004599c42c4191f998fcd7a69441df4")


async def test_a_workload_of_aws_that_cannot_be_one_is_refused(server, machine):
    keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET"}
    for values, environ, message in (
        (aws(server), keys, "set AWS_REGION"),
        (aws(server, "https://elsewhere.example/"), keys | {"AWS_REGION": "eu-west-1"}, "not one of AWS"),
    ):
        with pytest.raises(ConfigInvalid, match=message):
            await given_source(json.dumps(values), machine(environ=environ)).load()


async def test_a_clock_that_is_off_is_corrected_once(server, machine):
    clock = Clock(lambda: datetime.now(UTC) + timedelta(hours=2))
    source = given_source(server.credential, machine(clock=clock))
    answer = Answer.of_json({"error": "invalid_grant"}, 400)
    answer.headers["Date"] = format_datetime(datetime.now(UTC), usegmt=True)
    server.faults.append(Fault(lambda call: call.path == "/token", answer=answer))
    assert await is_accepted(server, await source.load())
    assert abs(clock() - datetime.now(UTC)) < timedelta(minutes=1)
    server.faults += [Fault(lambda call: call.path == "/token", answer=answer)]
    with pytest.raises(PermissionDenied):
        await source.load()


async def test_a_program_runs_only_where_that_is_allowed(server, machine, tmp_path):
    said = {"version": 1, "success": True, "id_token": SUBJECT_TOKEN}
    program = tmp_path / "program.py"
    program.write_text(f"import os\nassert os.environ['GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE']\nprint({json.dumps(said)!r})")
    values = external(server, {"executable": {"command": f"{sys.executable} {program}", "timeout_millis": 30000}})
    with pytest.raises(ConfigInvalid, match=ALLOWED):
        await given_source(json.dumps(values), machine(environ={})).load()
    source = given_source(json.dumps(values), machine(environ={ALLOWED: "1"}))
    assert await is_accepted(server, await source.load())
    program.write_text("print('SECRET'); raise SystemExit(3)")
    with pytest.raises(PermissionDenied, match="exit status 3"):
        await source.load()


async def test_an_account_is_impersonated_by_a_user(server, machine):
    values = {"type": "impersonated_service_account", "source_credentials": user(server), **impersonation(server)}
    source = given_source(json.dumps(values), machine())
    assert await is_accepted(server, await source.load())
    assert await signs(server, source)


async def test_the_metadata_server_is_asked_last(server, machine, tmp_path):
    environ = {"GCE_METADATA_HOST": server.endpoint.removeprefix("http://"), "HOME": str(tmp_path)}
    source = default_source(machine(environ=environ))
    assert await is_accepted(server, await source.load())
    assert (await source.signer(source.load)).email == EMAIL
    folder = tmp_path / ".config" / "gcloud"
    folder.mkdir(parents=True)
    (folder / "application_default_credentials.json").write_text(json.dumps(user(server)))
    exchanged = len(server.access.exchanged)
    await source.load()
    assert server.access.exchanged[exchanged:] == ["refresh_token"]
    file = tmp_path / "named.json"
    file.write_text(server.credential)
    await default_source(machine(environ=environ | {"GOOGLE_APPLICATION_CREDENTIALS": str(file)})).load()
    assert server.access.exchanged[exchanged:] == ["refresh_token", "jwt-bearer"]


@pytest.mark.parametrize(
    ("environ", "options", "message"),
    [
        ({"GCE_METADATA_HOST": "127.0.0.1:1"}, {}, "metadata server cannot be reached"),
        ({"NO_GCE_CHECK": "true"}, {}, "metadata server is disabled"),
        ({}, {"is_metadata_disabled": True}, "gcloud's file is missing"),
        (None, {"is_metadata_disabled": True}, "nothing is read from the environment"),
    ],
)
async def test_what_was_looked_for_is_named(machine, environ, options, message):
    source = default_source(machine(environ=environ, advice="Set something.", **options))
    with pytest.raises(PermissionDenied, match=message) as caught:
        await source.load()
    assert caught.value.message.endswith("Set something.")


async def test_a_named_file_that_is_missing_is_an_error(machine):
    source = default_source(machine(environ={"GOOGLE_APPLICATION_CREDENTIALS": "/missing.json"}))
    with pytest.raises(ConfigInvalid, match=r"no credential file /missing\.json"):
        await source.load()


async def test_a_file_in_the_home_of_nobody_is_missing(machine):
    with pytest.raises(ConfigInvalid, match="no credential file ~nobody_of_this_name/"):
        await file_source("~nobody_of_this_name/key.json", machine()).load()


async def test_an_unreadable_file_is_named(machine, tmp_path):
    for text in ("SECRET", "[1]", '{"type": "SECRET"}', '{"type": "authorized_user", "client_id": "SECRET"}'):
        file = tmp_path / "key.json"
        file.write_text(text)
        with pytest.raises(ConfigInvalid) as caught:
            await file_source(str(file), machine()).load()
        assert "SECRET" not in repr(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)


@pytest.mark.parametrize(
    "change",
    [
        {"token_uri": "http://elsewhere.example/token"},
        {"token_uri": "file:///etc/passwd"},
        {"token_uri": 7},
        {"client_email": None},
        {"private_key": ""},
    ],
)
def test_a_key_that_would_be_sent_in_the_open_or_lacks_something_is_refused(server, machine, change):
    with pytest.raises(ConfigInvalid) as caught:
        given_source(json.dumps(json.loads(server.credential) | change), machine())
    assert "PRIVATE" not in repr(caught.value)


async def test_a_key_that_is_none_is_refused_when_it_signs(server, machine):
    source = given_source(json.dumps(json.loads(server.credential) | {"private_key": "SECRET"}), machine())
    with pytest.raises(ConfigInvalid, match="not an RSA key in PEM") as caught:
        await source.load()
    assert "SECRET" not in repr(caught.value) + repr(caught.value.__context__)


async def test_a_refused_grant_is_an_error_without_secrets(server, machine):
    source = given_source(json.dumps(user(server) | {"refresh_token": "SECRET"}), machine())
    with pytest.raises(PermissionDenied) as caught:
        await source.load()
    assert "SECRET" not in repr(caught.value)


def test_what_cannot_be_is_refused_at_once(server, machine):
    nested = {"type": "impersonated_service_account", "source_credentials": {}, **impersonation(server)}
    for values in (
        nested,
        nested | {"source_credentials": nested},
        external(server, {"environment_id": "other1"}),
        external(server, {}),
        external(server, None),
        external(server, {"executable": {"timeout_millis": 5}}),
        external(server, {"file": "x", "format": "json"}),
        external(server, {"url": f"{server.endpoint}/x", "headers": ["a"]}),
        {**external(server, {"file": "x"}), "service_account_impersonation_url": f"{server.endpoint}/other"},
    ):
        with pytest.raises(ConfigInvalid):
            given_source(json.dumps(values), machine())


async def test_two_loops_and_a_thread_load_by_one_source(server):
    async def load():
        context = Context()
        source = given_source(server.credential, Machine(context.http, context.runtime))
        token = await source.load()
        await context.close()
        return token

    tokens = await asyncio.gather(load(), asyncio.to_thread(asyncio.run, load()))
    assert len({token.value for token in tokens}) == 2


VECTORS = [
    # the URLs of googleapis/conformance-tests (storage/v1/v4_signatures.json), up to their signatures
    ("GET", "test-object", {}, "", "host"),
    ("GET", "path/with/slashes/under_score/amper%26sand/file.ext", {}, "", "host"),
    ("POST", "test-object", {"X-goog-resumable": "start"}, "", "host%3Bx-goog-resumable"),
    ("GET", "test-object", {"BAR": "BAR-value", "foo": "foo-value"}, "", "bar%3Bfoo%3Bhost"),
    ("GET", "test-object", {}, "souffl%C3%A9=%3D%25-_.~", "host"),
]


@pytest.mark.parametrize(("method", "name", "headers", "query", "signed"), VECTORS)
def test_a_signed_url_is_in_the_form_of_google(method, name, headers, query, signed):
    base = f"https://storage.googleapis.com/test-bucket/{name}"
    given = [("Host", "storage.googleapis.com"), *headers.items()]
    request = HttpRequest(method, f"{base}?{query}" if query else base, given)
    email = "test-iam-credentials@dummy-project-id.iam.gserviceaccount.com"
    unsigned = unsigned_url(request, email, datetime(2019, 2, 1, 9, tzinfo=UTC), 10)
    assert unsigned.url == (
        f"{base}?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=test-iam-credentials%40dummy-project-id.iam."
        "gserviceaccount.com%2F20190201%2Fauto%2Fstorage%2Fgoog4_request&X-Goog-Date=20190201T090000Z&X-Goog-Expires=10"
        f"&X-Goog-SignedHeaders={signed}{'&' + query if query else ''}"
    )
    assert unsigned.signed(b"\x01\xff").endswith("&X-Goog-Signature=01ff")


def test_the_key_of_a_service_account_needs_the_extra(server, machine, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.padding", None)
    with pytest.raises(ConfigInvalid, match=r"install entrepot\[gcs\]"):
        from entrepot.signing.google.rsa import sign

        sign(server.access.private_key, b"content")


def replying(content: bytes, *headers: str, status: str = "200 OK"):
    """A server that gives one response to each request."""
    return ScriptedServer(lambda _: [whole_response(content, *headers, status=status)])


async def test_an_external_account_takes_the_token_of_a_url(server, machine):
    with replying(json.dumps({"t": SUBJECT_TOKEN}).encode()) as provider:
        form = {"type": "json", "subject_token_field_name": "t"}
        source = {"url": f"{provider.endpoint}/token?a=b", "headers": {"X-Key": "k"}, "format": form}
        assert await is_accepted(server, await given_source(json.dumps(external(server, source)), machine()).load())
        [request] = provider.requests
        assert (request.target, request.headers["x-key"]) == ("/token?a=b", "k")


@pytest.mark.parametrize(
    ("content", "status", "form", "error", "is_temporary"),
    [
        (b"SECRET", "403 Forbidden", {}, PermissionDenied, False),
        (b"SECRET", "503 Busy", {}, Unexpected, True),
        (b" \n", "200 OK", {}, Unexpected, True),
        (b"SECRET", "200 OK", {"type": "json", "subject_token_field_name": "t"}, Unexpected, True),
        (b'{"other": "SECRET"}', "200 OK", {"type": "json", "subject_token_field_name": "t"}, Unexpected, True),
    ],
)
async def test_an_identity_provider_that_gives_no_token(server, machine, content, status, form, error, *, is_temporary):
    with replying(content, status=status) as provider:
        source = given_source(json.dumps(external(server, {"url": f"{provider.endpoint}/", "format": form})), machine())
        with pytest.raises(error) as caught:
            await source.load()
    assert caught.value.is_temporary == is_temporary
    assert "SECRET" not in repr(caught.value) + repr(caught.value.__context__)


@pytest.mark.parametrize(
    ("code", "options", "error", "message"),
    [
        ("print({'SECRET'})", {}, Unexpected, "not a JSON object"),
        ('print(\'{"success": false, "message": "SECRET"}\')', {}, PermissionDenied, "gives no token"),
        ('print(\'{"success": true, "id_token": ""}\')', {}, PermissionDenied, "gives no token"),
        ("import time; print('SECRET', flush=True); time.sleep(60)", {"timeout_millis": 300}, Timeout, "within 0.3 s"),
        (None, {"command": "/missing/SECRET"}, ConfigInvalid, "cannot be started"),
        (None, {"command": "'SECRET"}, ConfigInvalid, "cannot be started"),
    ],
)
async def test_a_program_that_gives_no_token(server, machine, tmp_path, code, options, error, message):
    program = tmp_path / "program.py"
    program.write_text(code or "")
    executable = {"command": f"{sys.executable} -S {program}", **options}
    values = json.dumps(external(server, {"executable": executable}))
    with pytest.raises(error, match=message) as caught:
        await given_source(values, machine(environ={ALLOWED: "1"})).load()
    assert "SECRET" not in repr(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)


@pytest.mark.parametrize(
    ("response", "error", "is_temporary"),
    [
        (whole_response(b"{}"), PermissionDenied, False),  # a captive portal
        (whole_response(b"", "Metadata-Flavor: Google", status="404 Not Found"), ConfigInvalid, False),
        (whole_response(b"", "Metadata-Flavor: Google", status="503 Busy"), Unexpected, True),
        (whole_response(b"{}", "Metadata-Flavor: Google"), Unexpected, True),
        (whole_response(b'{"access_token": "a\\nb"}', "Metadata-Flavor: Google"), Unexpected, True),
    ],
)
async def test_a_metadata_server_that_gives_no_token(machine, tmp_path, response, error, *, is_temporary):
    with ScriptedServer(lambda _: [response]) as metadata:
        environ = {"GCE_METADATA_HOST": metadata.endpoint.removeprefix("http://"), "HOME": str(tmp_path)}
        with pytest.raises(error) as caught:
            await default_source(machine(environ=environ)).load()
    assert caught.value.is_temporary == is_temporary


async def test_a_signer_without_a_metadata_server_is_refused_as_a_token_is(machine, tmp_path):
    source = default_source(machine(environ={"GCE_METADATA_HOST": "127.0.0.1:1", "HOME": str(tmp_path)}))
    with pytest.raises(PermissionDenied, match="metadata server cannot be reached"):
        await source.signer(source.load)
    refusing = whole_response(b"", "Metadata-Flavor: Google", status="403 Forbidden")
    with ScriptedServer(lambda _: [refusing]) as metadata:
        environ = {"GCE_METADATA_HOST": metadata.endpoint.removeprefix("http://"), "HOME": str(tmp_path)}
        source = default_source(machine(environ=environ))
        with pytest.raises(PermissionDenied, match="email address"):
            await source.signer(source.load)


@pytest.mark.parametrize("content", [b"{}", b'{"signedBlob": "not base64!"}', b'{"signedBlob": 7}'])
async def test_a_remote_signature_that_is_none_is_an_error(machine, content):
    async def load():
        return GoogleToken("token")

    with replying(content) as iam:
        sign = remote_signer(machine(), EMAIL, load, f"{iam.endpoint}/accounts/").sign
        with pytest.raises(Unexpected, match="has no signature") as caught:
            await sign(b"content")
    assert caught.value.is_temporary


@pytest.mark.parametrize(
    "values",
    [{"value": ""}, {"value": "a b"}, {"value": "a\r\nX: y"}, {"value": None}, {"expires_at": datetime(2030, 1, 1)}],
)
def test_what_cannot_be_a_token_is_refused(values):
    with pytest.raises(ConfigInvalid):
        GoogleToken(**{"value": "token", **values})


def test_delegates_must_be_names(server, machine):
    values = {"type": "impersonated_service_account", "source_credentials": user(server), **impersonation(server)}
    for delegates in ("name", [7], {"a": 1}):
        with pytest.raises(ConfigInvalid, match="delegates"):
            given_source(json.dumps(values | {"delegates": delegates}), machine())
