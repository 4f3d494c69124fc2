"""The sources of AWS credentials, each against a loopback server, and the chain of them."""

import hashlib
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrepot.errors import ConfigInvalid, Error, PermissionDenied, RateLimited, Unexpected
from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.raw.http.transport import HttpBody, HttpHeaders, HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.signing.aws import Credentials
from entrepot.signing.aws_sources import AwsOptions, Machine, default_provider
from entrepot.signing.provider import Provider
from entrepot.testing import S3Server
from entrepot.testing.scripted_server import ReceivedRequest, whole_response
from tests.transports import Transport

from .cloud import ROLE_PATH, Cloud, key_of, metadata

DEFAULTS = AwsOptions()
SECRETS = ("SECRET", "TOKEN-", "imds-token", "hunter2")


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
async def http() -> AsyncIterator[ConfiguredTransport]:
    transport = Transport()
    yield transport
    await transport.close()


class Host:
    """One machine: its files, its environment, and the chain on it."""

    def __init__(self, home: Path, http: HttpTransport, cloud: Cloud) -> None:
        self.home = home
        self.http = http
        self.environ = {
            "AWS_CONFIG_FILE": str(home / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            **cloud.environ,
        }

    def write(self, name: str, text: str) -> str:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def provider(self, options: AwsOptions = DEFAULTS, **environ: str) -> Provider[Credentials]:
        self.environ |= environ
        return default_provider(Machine(options, self.environ, self.http, AsyncioRuntime()))

    async def load(self, options: AwsOptions = DEFAULTS, **environ: str) -> Credentials:
        return await self.provider(options, **environ).load()

    async def fail(self, kind: type[Error], options: AwsOptions = DEFAULTS, **environ: str) -> str:
        """The message of the error that a load ends in, which shows no secret."""
        with pytest.raises(kind) as caught:
            await self.load(options, **environ)
        assert type(caught.value) is kind
        cause: BaseException | None = caught.value
        while cause is not None:
            assert not any(secret in repr(cause) for secret in SECRETS)
            cause = cause.__cause__ or cause.__context__
        return str(caught.value)


@pytest.fixture
def machine(tmp_path: Path, http: ConfiguredTransport, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Host(tmp_path, http, cloud)


def keys(credentials: Credentials) -> tuple[str, str, str | None]:
    return credentials.access_key_id, credentials.secret_access_key, credentials.session_token


def of(key: str) -> tuple[str, str, str]:
    return key, f"SECRET-{key}", f"TOKEN-{key}"


def in_minutes(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


STATIC = "aws_access_key_id = {0}\naws_secret_access_key = SECRET-{0}\naws_session_token = TOKEN-{0}\n"


# environment and files


async def test_the_environment_comes_first_and_sends_nothing(machine: Host, cloud: Cloud) -> None:
    machine.write("credentials", f"[default]\n{STATIC.format('FILE')}")
    found = await machine.load(
        AWS_ACCESS_KEY_ID="ENV", AWS_SECRET_ACCESS_KEY="SECRET-ENV", AWS_SESSION_TOKEN="TOKEN-ENV"
    )
    assert keys(found) == of("ENV")
    assert (found.source, found.expires_at, cloud.targets) == ("environment", None, [])


async def test_a_profile_that_the_caller_names_comes_before_the_environment(machine: Host) -> None:
    machine.write("credentials", f"[dev]\n{STATIC.format('FILE')}")
    env = {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "SECRET-ENV"}
    assert keys(await machine.load(AwsOptions(profile="dev"), **env)) == of("FILE")
    assert (await machine.load(AWS_PROFILE="dev", **env)).access_key_id == "ENV"


async def test_keys_in_the_environment_may_expire(machine: Host) -> None:
    found = await machine.load(
        AWS_ACCESS_KEY_ID="ENV", AWS_SECRET_ACCESS_KEY="s", AWS_CREDENTIAL_EXPIRATION="2030-01-02T03:04:05Z"
    )
    assert found.expires_at == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_half_of_a_key_is_an_error_of_its_source(machine: Host) -> None:
    message = await machine.fail(ConfigInvalid, AWS_ACCESS_KEY_ID="ENV")
    assert message.startswith("the AWS credentials of the environment are not valid: secret_access_key of the cred")


async def test_the_credentials_file_comes_before_the_config_file(machine: Host) -> None:
    config = machine.write("config", f"[profile dev]\n{STATIC.format('CONFIG')}")
    assert (await machine.load(AWS_PROFILE="dev")).source == f"profile 'dev' in {config}"
    machine.write("credentials", f"[dev]\n{STATIC.format('FILE')}")
    assert keys(await machine.load()) == of("FILE")


async def test_a_file_is_read_again_for_each_load(machine: Host) -> None:
    machine.write("credentials", f"[default]\n{STATIC.format('OLD')}")
    provider = machine.provider()
    assert keys(await provider.load()) == of("OLD")
    machine.write("credentials", f"[default]\n{STATIC.format('NEW')}")
    assert keys(await provider.load()) == of("NEW")


async def test_no_credentials_at_all_names_each_source(machine: Host) -> None:
    message = await machine.fail(PermissionDenied)
    for part in (
        "no AWS credentials were found (environment: AWS_ACCESS_KEY_ID is not set; ",
        "role of the profile: profile 'default' has no role_arn; ",
        f"credentials file: {machine.home}/credentials does not exist; ",
        "login: profile 'default' has no login_session; ",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI are not set; ",
        "instance metadata: disabled by AWS_EC2_METADATA_DISABLED)",
    ):
        assert part in message


async def test_a_missing_profile_lists_those_there_are(machine: Host) -> None:
    machine.write("config", "[profile b]\n[profile a]\n")
    message = await machine.fail(ConfigInvalid, AWS_PROFILE="c", AWS_ACCESS_KEY_ID="E", AWS_SECRET_ACCESS_KEY="S")
    assert message.startswith("the AWS profile 'c' does not exist: ")
    assert " have 'a', 'b' [" in message


# roles


def sts_key(arn: str, signed_by: str, **parameters: str) -> tuple[str, str, str]:
    form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": arn, "signed by": signed_by}
    return of(key_of(form | {"with": f"TOKEN-{signed_by}", "region": "us-east-1"} | parameters))


async def test_a_role_is_assumed_with_its_source_profile(machine: Host, cloud: Cloud) -> None:
    machine.write(
        "config",
        "[profile dev]\nrole_arn = arn:x/r\nsource_profile = base\nexternal_id = e\nduration_seconds = 1800\n"
        "role_session_name = me\nregion = eu-west-1\n[profile base]\nregion = us-east-2\n",
    )
    machine.write("credentials", f"[base]\n{STATIC.format('BASE')}")
    found = await machine.load(AWS_PROFILE="dev")
    more = {"ExternalId": "e", "DurationSeconds": "1800", "RoleSessionName": "me", "region": "eu-west-1"}
    assert keys(found) == sts_key("arn:x/r", "BASE", **more)
    assert found.source == f"role 'arn:x/r' by the profile 'base' in {machine.home}/credentials"
    assert found.expires_at is not None and found.expires_at > datetime.now(UTC) + timedelta(minutes=55)
    assert cloud.requests[0].headers["authorization"].count("/sts/aws4_request") == 1


async def test_roles_are_assumed_one_by_the_other(machine: Host, cloud: Cloud) -> None:
    machine.write(
        "config",
        "[default]\nrole_arn = arn:x/top\nsource_profile = middle\n"
        "[profile middle]\nrole_arn = arn:x/middle\ncredential_source = Ec2InstanceMetadata\n",
    )
    found = await machine.load(AWS_EC2_METADATA_DISABLED="")
    middle = sts_key("arn:x/middle", "INSTANCE")[0]
    assert keys(found) == sts_key("arn:x/top", middle)
    assert len(cloud.requests) == 5  # three of the metadata service


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("source_profile = b\n[profile b]\nrole_arn = y\nsource_profile = a", "a loop of source profiles: a -> b -> a"),
        ("source_profile = a", "profile 'a' closes a loop of source profiles: a -> a"),
        ("source_profile = gone", "profile 'a' names source_profile 'gone', which does not exist"),
        ("source_profile = b\n[profile b]", "profile 'b' is a source profile and has no credentials (web identity: "),
        ("", "profile 'a' has a role_arn and needs source_profile or credential_source"),
        ("source_profile = b\ncredential_source = Environment", "must not have both source_profile and credential_sou"),
        ("credential_source = Moon", "'Moon', which is not one of Environment, EcsContainer, Ec2InstanceMetadata"),
        ("credential_source = Environment", "which has no credentials: AWS_ACCESS_KEY_ID is not set"),
        (
            "source_profile = b\nmfa_serial = arn:aws:iam::1:mfa/me",
            "needs a code of the MFA device 'arn:aws:iam::1:mfa/me",
        ),
        ("source_profile = b\nduration_seconds = 1h", "duration_seconds of profile 'a' is not a number"),
        ("source_profile = b\nduration_seconds = 60", "the duration of role 'x' must be 900 to 43200 seconds, not 60"),
    ],
)
async def test_a_role_that_cannot_be_is_an_error(machine: Host, cloud: Cloud, config: str, message: str) -> None:
    machine.write("config", f"[profile a]\nrole_arn = x\n{config}\n")
    assert message in await machine.fail(ConfigInvalid, AWS_PROFILE="a")
    assert cloud.requests == []


async def test_a_profile_may_use_its_own_keys_for_its_role(machine: Host) -> None:
    machine.write("config", f"[profile a]\nrole_arn = arn:x/r\nsource_profile = a\n{STATIC.format('OWN')}")
    assert keys(await machine.load(AWS_PROFILE="a")) == sts_key("arn:x/r", "OWN")


async def test_the_caller_may_have_a_role_assumed_with_what_the_chain_finds(machine: Host) -> None:
    machine.write("credentials", f"[default]\n{STATIC.format('FILE')}")
    options = AwsOptions(
        region="ap-south-1", role_arn="arn:x/r", role_session_name="me", external_id="e", duration_seconds=900,
        session_tags={"team": "a&b"},
    )  # fmt: skip
    more = {"ExternalId": "e", "DurationSeconds": "900", "RoleSessionName": "me", "region": "ap-south-1"}
    tags = {"Tags.member.1.Key": "team", "Tags.member.1.Value": "a&b"}
    assert keys(await machine.load(options)) == sts_key("arn:x/r", "FILE", **more, **tags)
    with pytest.raises(ConfigInvalid, match="role_arn is missing"):
        machine.provider(AwsOptions(external_id="e"))


async def test_sts_accepts_the_signature(machine: Host, moto_server: S3Server) -> None:
    found = await machine.load(
        AwsOptions(role_arn="arn:aws:iam::123456789012:role/reader", role_session_name="me"),
        AWS_ACCESS_KEY_ID=moto_server.access_key_id,
        AWS_SECRET_ACCESS_KEY=moto_server.secret_access_key,
        AWS_ENDPOINT_URL_STS=moto_server.endpoint,
    )
    assert found.access_key_id.startswith("ASIA")
    message = await machine.fail(
        PermissionDenied, AwsOptions(role_arn="arn:aws:iam::123456789012:role/reader"), AWS_SECRET_ACCESS_KEY="wrong"
    )
    assert "role 'arn:aws:iam::123456789012:role/reader' by the environment: the call of STS failed: " in message


async def test_the_address_of_sts(machine: Host, cloud: Cloud) -> None:
    machine.http = recorded = Recorded(b"")
    del machine.environ["AWS_ENDPOINT_URL_STS"]
    env = {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "SECRET-E"}
    for region in ("eu-west-1", "auto"):
        message = await machine.fail(Unexpected, AwsOptions(role_arn="arn", region=region), **env)
        assert "credentials=\"role 'arn'\"" in message
    await machine.fail(Unexpected, AwsOptions(role_arn="arn", use_fips_endpoint=True), AWS_REGION="us-west-2")
    message = await machine.fail(ConfigInvalid, AwsOptions(role_arn="arn"), AWS_ENDPOINT_URL_STS="http://hunter2@:1")
    assert message.startswith("the endpoint that is configured for sts is not valid: ")
    hosts = ["sts.eu-west-1.amazonaws.com", "sts.amazonaws.com", "sts-fips.us-west-2.amazonaws.com"]
    assert [request.url for request in recorded.requests] == [f"https://{host}/" for host in hosts]


STS_ERROR = "<ErrorResponse><Error><Code>{}</Code><Message>no TOKEN-1 here</Message></Error></ErrorResponse>"


@pytest.mark.parametrize(
    ("status", "content", "kind", "message"),
    [
        ("403 Forbidden", STS_ERROR.format("SignatureDoesNotMatch"), PermissionDenied, "failed: SignatureDoesNotMatch"),
        ("400 Bad Request", STS_ERROR.format("IDPCommunicationError"), Unexpected, "failed: IDPCommunicationError"),
        ("400 Bad Request", STS_ERROR.format("Throttling"), RateLimited, "failed: Throttling"),
        ("503 Service Unavailable", "<html>", Unexpected, "failed: status 503"),
        ("200 OK", "<html/>", Unexpected, "the response of STS to role 'arn' by the environment has no credentials"),
        ("200 OK", "<Credentials>&TOKEN-", Unexpected, "has no credentials"),
    ],
)
async def test_an_error_of_sts_has_its_kind_and_no_secret(
    machine: Host, cloud: Cloud, status: str, content: str, kind: type[Error], message: str
) -> None:
    cloud.answers["/"] = lambda _: whole_response(content.encode(), status=status)
    env = {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "SECRET-E"}
    assert message in await machine.fail(kind, AwsOptions(role_arn="arn"), **env)


# web identity


async def test_the_token_of_an_identity_provider_is_read_again_for_each_load(machine: Host, cloud: Cloud) -> None:
    path = machine.write("token", "one\n")
    provider = machine.provider(AWS_WEB_IDENTITY_TOKEN_FILE=path, AWS_ROLE_ARN="arn:x/r", AWS_ROLE_SESSION_NAME="me")
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": "arn:x/r"}
    form["RoleSessionName"] = "me"
    assert keys(await provider.load()) == of(key_of(form | {"WebIdentityToken": "one"}))
    machine.write("token", "two")
    assert keys(await provider.load()) == of(key_of(form | {"WebIdentityToken": "two"}))
    assert "authorization" not in cloud.requests[0].headers


async def test_a_token_file_without_a_role_or_without_a_file_is_an_error(machine: Host) -> None:
    missing = str(machine.home / "none")
    message = await machine.fail(ConfigInvalid, AWS_WEB_IDENTITY_TOKEN_FILE=missing)
    assert message.startswith("there is a web identity token file and no role: set AWS_ROLE_ARN")
    message = await machine.fail(PermissionDenied, AWS_ROLE_ARN="arn:x/r")
    assert message.startswith(f"the token file {missing} cannot be read: No such file or directory")


# SSO

SSO = "[profile dev]\nsso_session = corp\nsso_role_name = Reader\nsso_account_id = 42\n"
SESSION = "[sso-session corp]\nsso_region = eu-central-1\nsso_start_url = https://corp.awsapps.com/start\n"
LEGACY = "[profile dev]\nsso_role_name = Reader\nsso_account_id = 42\nsso_region = eu-central-1\nsso_start_url = u\n"


def write_token(machine: Host, name: str, **values: str) -> Path:
    digest = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    path = f".aws/sso/cache/{digest}.json"
    machine.write(path, json.dumps({"accessToken": "token", "expiresAt": in_minutes(60)} | values))
    return machine.home / path


@pytest.mark.parametrize(("config", "name"), [(SSO + SESSION, "corp"), (LEGACY, "u")])
async def test_the_token_of_sso_gets_the_credentials_of_a_role(
    machine: Host, cloud: Cloud, config: str, name: str
) -> None:
    machine.write("config", config)
    write_token(machine, name, expiresAt=in_minutes(60).replace("Z", "UTC"))
    found = await machine.load(AWS_PROFILE="dev")
    assert keys(found) == of("SSO/Reader/42/token")
    assert found.source == "SSO role 'Reader' of account 42 by profile 'dev'"
    assert cloud.targets == ["GET /federation/credentials?role_name=Reader&account_id=42"]


REGISTERED = {"clientId": "id", "clientSecret": "hunter2", "refreshToken": "hunter2-refresh"}


async def test_a_token_of_a_session_is_renewed_and_written_back(machine: Host, cloud: Cloud) -> None:
    machine.write("config", SSO + SESSION)
    path = write_token(machine, "corp", expiresAt=in_minutes(-5), registrationExpiresAt=in_minutes(60), **REGISTERED)
    assert keys(await machine.load(AWS_PROFILE="dev")) == of("SSO/Reader/42/renewed")
    sent = {"grantType": "refresh_token", **REGISTERED}
    assert json.loads(cloud.requests[0].content) == sent
    written = json.loads(path.read_text())
    assert (written["accessToken"], written["refreshToken"], written["clientId"]) == ("renewed", "next", "id")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("status", ["400 Bad Request", "503 Service Unavailable"])
async def test_a_token_that_cannot_be_renewed_is_used_while_it_lasts(machine: Host, cloud: Cloud, status: str) -> None:
    machine.write("config", SSO + SESSION)
    write_token(machine, "corp", expiresAt=in_minutes(5), registrationExpiresAt=in_minutes(60), **REGISTERED)
    cloud.answers["/token"] = lambda _: whole_response(b'{"error":"invalid_grant"}', status=status)
    assert keys(await machine.load(AWS_PROFILE="dev")) == of("SSO/Reader/42/token")


@pytest.mark.parametrize(
    ("config", "token", "message"),
    [
        (SSO + SESSION, None, "profile 'dev' has no SSO token: run 'aws sso login --profile dev'"),
        (SSO + SESSION, {"expiresAt": in_minutes(-1)}, "has expired: run 'aws sso login --profile dev'"),
        (
            SSO + SESSION,
            {"expiresAt": in_minutes(-1), "registrationExpiresAt": in_minutes(60), **REGISTERED},
            "the renewal of the SSO token of profile 'dev' was refused: run 'aws sso login --profile dev'",
        ),
        (SSO + SESSION, {"accessToken": "revoked"}, "the token is not valid any more: run 'aws sso login --prof"),
    ],
)
async def test_an_sso_session_that_has_ended_says_what_to_run(
    machine: Host, cloud: Cloud, config: str, token: dict[str, str] | None, message: str
) -> None:
    machine.write("config", config)
    if token is not None:
        write_token(machine, "corp", **token)
    cloud.answers["/token"] = lambda _: whole_response(b"{}", status="400 Bad Request")
    cloud.answers["/federation"] = lambda _: whole_response(b"{}", status="401 Unauthorized")
    assert message in await machine.fail(PermissionDenied, AWS_PROFILE="dev")


@pytest.mark.parametrize("number", [10**30, -(10**30), 10**17, "soon"])
async def test_times_that_cannot_be_are_refused_as_other_wrong_answers_are(
    machine: Host, cloud: Cloud, number: object
) -> None:
    machine.write("config", SSO + SESSION)
    write_token(machine, "corp")
    answer = {"accessKeyId": "A", "secretAccessKey": "hunter2", "sessionToken": "hunter2", "expiration": number}
    cloud.answers["/federation"] = lambda _: whole_response(json.dumps({"roleCredentials": answer}).encode())
    assert "has no credentials" in await machine.fail(Unexpected, AWS_PROFILE="dev")
    write_token(machine, "corp", expiresAt=in_minutes(-5), registrationExpiresAt=in_minutes(60), **REGISTERED)
    renewed = json.dumps({"accessToken": "a", "expiresIn": number}).encode()
    cloud.answers["/token"] = lambda _: whole_response(renewed)
    assert "gave none" in await machine.fail(PermissionDenied, AWS_PROFILE="dev")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SSO, "profile 'dev' names the section [sso-session corp], which "),
        ("[profile dev]\nsso_role_name = r\n", "for SSO, and sso_account_id and sso_start_url and sso_region is miss"),
        (SSO + "sso_region = x\n" + SESSION, "and its section [sso-session corp] have different values of sso_region"),
    ],
)
async def test_an_sso_profile_that_is_not_complete_is_an_error(machine: Host, config: str, message: str) -> None:
    machine.write("config", config)
    assert message in await machine.fail(ConfigInvalid, AWS_PROFILE="dev")


# login and process


async def test_a_login_session_is_used_while_it_lasts(machine: Host) -> None:
    machine.write("config", "[default]\nlogin_session = arn:me\n")
    path = f".aws/login/cache/{hashlib.sha256(b'arn:me').hexdigest()}.json"
    token = {"accessKeyId": "LOGIN", "secretAccessKey": "SECRET-LOGIN", "sessionToken": "TOKEN-LOGIN"}
    assert "the login session of profile 'default' does not exist: run 'aws login" in await machine.fail(
        PermissionDenied
    )
    machine.write(path, json.dumps({"accessToken": token | {"expiresAt": in_minutes(15)}}))
    assert keys(await machine.load()) == of("LOGIN")
    machine.write(path, json.dumps({"accessToken": token | {"expiresAt": in_minutes(-1)}}))
    assert "have expired, and this library cannot renew them: run 'aws login --profile default'" in await machine.fail(
        PermissionDenied
    )


def process(machine: Host, code: str) -> None:
    script = machine.write("print credentials.py", code)
    machine.write("config", f"[default]\ncredential_process = {sys.executable} '{script}' --password hunter2\n")


async def test_a_process_prints_credentials(machine: Host) -> None:
    values = {"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "SECRET-P", "SessionToken": "TOKEN-P"}
    process(machine, f"print({json.dumps(json.dumps(values | {'Expiration': '2030-01-02T03:04:05+01:00'}))})")
    found = await machine.load()
    assert keys(found) == of("P")
    assert found.expires_at == datetime(2030, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert found.source == "credential process of profile 'default'"


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("raise SystemExit(3)", PermissionDenied, "failed with exit status 3"),
        ("print('SECRET')", Unexpected, "the output of the credential process of profile 'default' is not a JSON obj"),
        ("print('{}')", ConfigInvalid, "is not of version 1"),
        ('print(\'{"Version": 1, "AccessKeyId": "A"}\')', ConfigInvalid, "secret_access_key of the credentials must"),
    ],
)
async def test_a_process_that_fails_shows_neither_output_nor_arguments(
    machine: Host, code: str, kind: type[Error], message: str
) -> None:
    process(machine, code)
    assert message in await machine.fail(kind)


async def test_a_program_that_cannot_be_started_is_named(machine: Host) -> None:
    machine.write("config", "[default]\ncredential_process = /nowhere/helper --password hunter2\n")
    assert "(helper) cannot be started: No such file or directory" in await machine.fail(ConfigInvalid)


# container


async def test_a_container_gets_credentials_with_its_token(machine: Host, cloud: Cloud) -> None:
    path = machine.write("token", "-one")
    provider = machine.provider(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{cloud.endpoint}/container", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=path
    )
    assert keys(await provider.load()) == of("CONTAINER-one")
    machine.write("token", "-two\n")
    assert keys(await provider.load()) == of("CONTAINER-two")
    del machine.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
    assert keys(await machine.load(AWS_CONTAINER_AUTHORIZATION_TOKEN="-three")) == of("CONTAINER-three")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FULL_URI", "http://example.com/"),
        ("FULL_URI", "http://169.254.170.2@example.com/"),
        ("FULL_URI", "http://169.254.169.254/"),
        ("FULL_URI", "http://10.0.0.1/"),
        ("FULL_URI", "ftp://localhost/"),
        ("FULL_URI", "localhost:80"),
        ("FULL_URI", "http://[::1/"),
        ("FULL_URI", "http://localhost/a b"),
        ("RELATIVE_URI", "@example.com/"),
        ("RELATIVE_URI", ".example.com/"),
    ],
)
async def test_a_container_address_that_may_not_have_the_token_is_refused(
    machine: Host, cloud: Cloud, variable: str, value: str
) -> None:
    name = f"AWS_CONTAINER_CREDENTIALS_{variable}"
    message = await machine.fail(ConfigInvalid, **{name: value, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "hunter2"})
    assert message.startswith(f"{name} must ")
    assert cloud.requests == []


async def test_an_empty_variable_of_a_container_is_the_same_as_none(machine: Host, cloud: Cloud) -> None:
    names = ("CREDENTIALS_RELATIVE_URI", "AUTHORIZATION_TOKEN_FILE", "AUTHORIZATION_TOKEN")
    machine.environ |= {f"AWS_CONTAINER_{name}": "" for name in names}
    uri = f"{cloud.endpoint}/container"
    assert keys(await machine.load(AWS_CONTAINER_CREDENTIALS_FULL_URI=uri)) == of("CONTAINER")
    message = await machine.fail(PermissionDenied, AWS_CONTAINER_CREDENTIALS_FULL_URI="")
    assert "container: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and " in message


class Recorded(HttpTransport):
    """Answers every request the same, and keeps them."""

    def __init__(self, content: bytes) -> None:
        self.requests: list[HttpRequest] = []
        self._content = content

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        return HttpResponse(200, HttpHeaders(), Content(self._content))


class Content(HttpBody):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self, n: int) -> bytes:
        content, self._content = self._content, b""
        return content


@pytest.mark.parametrize(
    ("environ", "url", "is_direct"),
    [
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x?id=1"}, "http://169.254.170.2/v2/x?id=1", True),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/x"}, "http://[fd00:ec2::23]/x", True),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.8.8.8/x"}, "http://127.8.8.8/x", True),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://example.com/x"}, "https://example.com/x", False),
    ],
)
async def test_a_container_address_is_asked_past_the_proxy_if_it_is_local(
    machine: Host, environ: Mapping[str, str], url: str, is_direct: bool
) -> None:
    machine.http = recorded = Recorded(metadata("C"))
    assert keys(await machine.load(**environ)) == of("C")
    [request] = recorded.requests
    assert (request.url, request.is_direct, request.connect_timeout) == (url, is_direct, 2.0)


# instance metadata


async def test_an_instance_takes_three_requests_and_then_two(machine: Host, cloud: Cloud) -> None:
    provider = machine.provider(AWS_EC2_METADATA_DISABLED="false")
    found = await provider.load()
    assert keys(found) == of("INSTANCE")
    assert found.source == "instance metadata, role 'my-role'"
    asked = ["PUT /latest/api/token", f"GET {ROLE_PATH}", f"GET {ROLE_PATH}my-role"]
    assert cloud.targets == asked
    await provider.load()
    assert cloud.targets == asked + asked[1:]
    cloud.tokens += 1  # the service does not accept the token any more
    assert keys(await provider.load()) == of("INSTANCE")
    assert cloud.targets[5:] == [asked[1], *asked]


async def test_an_instance_is_asked_past_the_proxy(machine: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    machine.http = transport = Transport()
    assert keys(await machine.load(AWS_EC2_METADATA_DISABLED="")) == of("INSTANCE")
    await transport.close()


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://169.254.169.254/latest/api/token"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, "http://[fd00:ec2::254]/latest/api/token"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:99/x/"}, "http://127.0.0.1:99/x/latest/api/token"),
    ],
)
async def test_the_address_of_instance_metadata(machine: Host, environ: Mapping[str, str], url: str) -> None:
    machine.http = recorded = Recorded(metadata("I"))
    del machine.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    await machine.load(AWS_EC2_METADATA_DISABLED="", **environ)
    assert (recorded.requests[0].url, recorded.requests[0].is_direct) == (url, True)


async def test_the_first_version_is_used_only_if_it_is_allowed(machine: Host, cloud: Cloud) -> None:
    cloud.answers["/latest/api/token"] = lambda _: whole_response(b"", status="403 Forbidden")
    cloud.answers[f"{ROLE_PATH}my-role"] = lambda _: whole_response(metadata("V1"))
    cloud.answers[ROLE_PATH] = lambda _: whole_response(b"my-role")
    message = await machine.fail(PermissionDenied, AWS_EC2_METADATA_DISABLED="")
    assert "the service gives no token (status 403), and its version 1 is not allowed" in message
    assert len(cloud.requests) == 1
    assert keys(await machine.load(AwsOptions(is_imds_v1_allowed=True))) == of("V1")
    assert keys(await machine.load(AWS_EC2_METADATA_V1_DISABLED="false")) == of("V1")


@pytest.mark.parametrize(
    ("target", "status", "content", "kind", "message"),
    [
        (ROLE_PATH, "404 Not Found", b"", PermissionDenied, "instance metadata: the instance has no role)"),
        (f"{ROLE_PATH}my-role", "404 Not Found", b"", PermissionDenied, "has no credentials for role 'my-role')"),
        (f"{ROLE_PATH}my-role", "200 OK", b'{"Code": "Denied"}', PermissionDenied, "for role 'my-role': Denied)"),
        (f"{ROLE_PATH}my-role", "200 OK", b"SECRET", Unexpected, "is not a JSON object (temporary"),
        (f"{ROLE_PATH}my-role", "200 OK", b"[" * 100_000, Unexpected, "is not a JSON object (temporary"),
        (ROLE_PATH, "503 Slow", b"", Unexpected, "the credentials of the instance failed: status 503 (temporary"),
        (ROLE_PATH, "302 Found", b"", PermissionDenied, "the credentials of the instance failed: status 302"),
        ("/latest/api/token", "429 Slow", b"", RateLimited, "a token of the instance metadata service failed"),
    ],
)
async def test_an_instance_without_credentials_says_why(
    machine: Host, cloud: Cloud, target: str, status: str, content: bytes, kind: type[Error], message: str
) -> None:
    def answer(request: ReceivedRequest) -> bytes:
        return whole_response(content, status=status) if request.target == target else cloud.usual(request)

    cloud.answers[target] = answer
    assert message in await machine.fail(kind, AWS_EC2_METADATA_DISABLED="")


@pytest.mark.parametrize("seconds", ["9" * 400, "9" * 5000, "-1", ""])
async def test_a_life_of_a_token_that_cannot_be_is_the_usual_one(machine: Host, cloud: Cloud, seconds: str) -> None:
    life = f"X-Aws-Ec2-Metadata-Token-Ttl-Seconds: {seconds}"
    cloud.tokens = 1
    cloud.answers["/latest/api/token"] = lambda _: whole_response(b"imds-token-1", life)
    assert keys(await machine.load(AWS_EC2_METADATA_DISABLED="")) == of("INSTANCE")


async def test_a_machine_without_the_service_has_no_credentials(machine: Host, cloud: Cloud) -> None:
    message = await machine.fail(
        PermissionDenied, AWS_EC2_METADATA_DISABLED="", AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:1"
    )
    assert "instance metadata: 127.0.0.1:1 cannot be reached (" in message
    message = await machine.fail(PermissionDenied, AwsOptions(is_metadata_disabled=True))
    assert "instance metadata: disabled by the configuration" in message
    assert cloud.requests == []


async def test_a_source_that_had_credentials_is_asked_again_and_no_other(machine: Host, cloud: Cloud) -> None:
    provider = machine.provider(AWS_EC2_METADATA_DISABLED="")
    await provider.load()
    machine.write("credentials", f"[default]\n{STATIC.format('OTHER')}")
    assert keys(await provider.load()) == of("INSTANCE")
    cloud.answers[ROLE_PATH] = lambda _: whole_response(b"", status="404 Not Found")
    with pytest.raises(Unexpected, match="the instance metadata had AWS credentials before and has none now: the inst"):
        await provider.load()
