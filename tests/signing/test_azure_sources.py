"""The sources of tokens of Entra ID, each against a loopback server, and the chain of them."""

import json
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from entrepot.errors import ConfigInvalid, Error, PermissionDenied, RateLimited, Unexpected
from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.signing.azure_identity import azure_provider
from entrepot.signing.azure_sources import AzureMachine, EntraChain, EntraOptions
from entrepot.testing.scripted_server import Answer, ReceivedRequest, ScriptedServer, whole_response
from tests.transports import Transport

DEFAULTS = EntraOptions()
NOWHERE = "http://127.0.0.1:9"
APPLICATION = {"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "client"}
SECRET = {**APPLICATION, "AZURE_CLIENT_SECRET": "SECRET"}


class Entra:
    """Entra ID, App Service and the metadata service. The tokens that it gives out say how they were got."""

    def __init__(self) -> None:
        self.failure: bytes | None = None
        self.server = ScriptedServer(self.answer)

    def answer(self, request: ReceivedRequest) -> Answer:
        if self.failure is not None:
            return [self.failure]
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        query = {name: values[0] for name, values in parse_qs(request.target.partition("?")[2]).items()}
        path = request.target.partition("?")[0]
        if path.endswith("/oauth2/v2.0/token"):
            assert (form["grant_type"], form["scope"]) == ("client_credentials", "https://storage.azure.com/.default")
            proof = form.get("client_secret") or form["client_assertion"]
            return [whole_response(json.dumps({"access_token": f"{path}:{proof}", "expires_in": 3600}).encode())]
        assert query["resource"] == "https://storage.azure.com/"
        headers = request.headers
        proof = headers.get("x-identity-header") or f"metadata-{headers['metadata']}"
        at = str(int((datetime.now(UTC) + timedelta(hours=2)).timestamp()))
        token = f"{path}:{proof}:{query.get('client_id', '')}"
        return [whole_response(json.dumps({"access_token": token, "expires_on": at}).encode())]


@pytest.fixture
def entra() -> Iterator[Entra]:
    entra = Entra()
    with entra.server:
        yield entra


@pytest.fixture
async def http() -> AsyncIterator[ConfiguredTransport]:
    transport = Transport()
    yield transport
    await transport.close()


def chain(
    http: ConfiguredTransport, environ: Mapping[str, str], options: EntraOptions = DEFAULTS, entra: Entra | None = None
) -> EntraChain:
    where = NOWHERE if entra is None else entra.server.endpoint
    hosts = {"AZURE_AUTHORITY_HOST": where, "AZURE_POD_IDENTITY_AUTHORITY_HOST": where, "PATH": "/nowhere"}
    return EntraChain(AzureMachine(options, hosts | environ, http, AsyncioRuntime()))


async def test_the_secret_of_an_application(http: ConfiguredTransport, entra: Entra) -> None:
    found = await chain(http, SECRET, entra=entra).load()
    assert found.expires_at is not None
    assert (found.token, found.source) == ("/tenant/oauth2/v2.0/token:SECRET", "client secret of the environment")  # type: ignore[attr-defined]
    assert timedelta(minutes=59) < found.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    options = EntraOptions("t", "c", "given", entra.server.endpoint)
    assert (await chain(http, SECRET, options).load()).token == "/t/oauth2/v2.0/token:given"  # type: ignore[attr-defined]


async def test_the_file_of_a_workload_identity_is_read_each_time(
    http: ConfiguredTransport, entra: Entra, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    source = chain(http, {**APPLICATION, "AZURE_FEDERATED_TOKEN_FILE": str(file)}, entra=entra)
    with pytest.raises(PermissionDenied, match="cannot be read"):
        await source.load()
    for content in ("first\n", "second"):
        file.write_text(content)
        assert (await source.load()).token.endswith(content.strip())  # type: ignore[attr-defined]


async def test_the_identity_of_the_machine(http: ConfiguredTransport, entra: Entra) -> None:
    found = await chain(http, {"AZURE_CLIENT_ID": "mine"}, entra=entra).load()
    assert found.token == "/metadata/identity/oauth2/token:metadata-true:mine"  # type: ignore[attr-defined]
    environ = {"IDENTITY_ENDPOINT": f"{entra.server.endpoint}/msi/token", "IDENTITY_HEADER": "SECRET"}
    found = await chain(http, environ, entra=entra).load()
    assert (found.token, found.source) == ("/msi/token:SECRET:", "managed identity of App Service")  # type: ignore[attr-defined]


@pytest.mark.parametrize("expiry", [{"expires_on": 1790000000}, {"expiresOn": "2026-09-21 14:13:20.000000"}, {}])
async def test_the_azure_cli(http: ConfiguredTransport, tmp_path: Path, expiry: dict[str, object]) -> None:
    program = tmp_path / "az"
    printed = json.dumps({"accessToken": "of-az", **expiry})
    program.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/arguments\necho '{printed}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    found = await chain(http, {"PATH": f"{tmp_path}:/bin:/usr/bin"}, EntraOptions(tenant_id="t")).load()
    assert (found.token, found.source) == ("of-az", "Azure CLI")  # type: ignore[attr-defined]
    assert (found.expires_at is None) == (not expiry)
    arguments = "account get-access-token --resource https://storage.azure.com/ --output json --tenant t"
    assert (tmp_path / "arguments").read_text().strip() == arguments


async def test_an_azure_cli_that_fails_shows_nothing_of_its_output(http: ConfiguredTransport, tmp_path: Path) -> None:
    program = tmp_path / "az"
    program.write_text("#!/bin/sh\necho hunter2 >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(PermissionDenied, match="run `az login`") as caught:
        await chain(http, {"PATH": f"{tmp_path}:/bin"}).load()
    assert "hunter2" not in str(caught.value)


async def test_without_any_source_the_error_names_each(http: ConfiguredTransport) -> None:
    with pytest.raises(PermissionDenied) as caught:
        await chain(http, {}).load()
    for name in ("environment", "workload identity", "managed identity", "Azure CLI", "set account_key"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (
            whole_response(b'{"error": "invalid_client", "error_description": "SECRET"}', status="401 -"),
            PermissionDenied,
        ),
        (whole_response(b"", status="429 -"), RateLimited),
        (whole_response(b"busy", status="503 -"), Unexpected),
        (whole_response(b"<html>SECRET</html>"), Unexpected),
        (whole_response(b'{"access_token": ""}'), Unexpected),
    ],
)
async def test_a_source_that_fails_ends_the_chain(
    http: ConfiguredTransport, entra: Entra, failure: bytes, kind: type[Error]
) -> None:
    entra.failure = failure
    with pytest.raises(kind) as caught:
        await chain(http, SECRET, entra=entra).load()
    assert ("SECRET" in str(caught.value), caught.value.context["credentials"]) == (False, "environment")
    assert len(entra.server.requests) == 1


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"AZURE_CLIENT_SECRET": "SECRET"}, "needs tenant_id and client_id"),
        ({**SECRET, "AZURE_AUTHORITY_HOST": "http://example.org"}, "show secrets to others"),
        ({**SECRET, "AZURE_AUTHORITY_HOST": "https://user:SECRET@host?x"}, "query"),
        ({"AZURE_TOKEN_CREDENTIALS": "carrier pigeon"}, "names no source"),
    ],
)
async def test_what_is_not_configured_right_is_said(
    http: ConfiguredTransport, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigInvalid, match=message) as caught:
        await chain(http, environ).load()
    assert "SECRET" not in str(caught.value)


async def test_the_chain_can_be_narrowed(http: ConfiguredTransport) -> None:
    with pytest.raises(PermissionDenied) as caught:
        await chain(http, {"AZURE_TOKEN_CREDENTIALS": "dev"}).load()
    assert ("Azure CLI" in str(caught.value), "managed identity" in str(caught.value)) == (True, False)


class Token:
    def __init__(self, token: object, expires_on: float = 1790000000) -> None:
        self.token, self.expires_on = token, expires_on


class Plain:
    def get_token(self, *scopes: str) -> Token:
        return Token(f"plain {scopes}".replace(" ", "-"))


class Endless:
    def get_token(self, *scopes: str) -> Token:
        return Token("endless", float("inf"))


class Async:
    async def get_token(self, *scopes: str) -> Token:
        return Token("async")


class Broken:
    def get_token(self, *scopes: str) -> Token:
        raise RuntimeError("SECRET")


class Odd:
    def get_token(self, *scopes: str) -> object:
        return 5


async def test_objects_of_azure_identity() -> None:
    runtime = AsyncioRuntime()
    found = await azure_provider(Plain(), runtime).load()
    assert (found.token, found.source) == ("plain-('https://storage.azure.com/.default',)", "Plain")  # type: ignore[attr-defined]
    assert found.expires_at == datetime.fromtimestamp(1790000000, UTC)
    assert (await azure_provider(Async(), runtime).load()).token == "async"  # type: ignore[attr-defined]
    assert (await azure_provider(Endless(), runtime).load()).expires_at is None
    with pytest.raises(PermissionDenied, match="Broken failed with RuntimeError") as caught:
        await azure_provider(Broken(), runtime).load()
    assert "SECRET" not in str(caught.value)
    with pytest.raises(ConfigInvalid, match="returned int"):
        await azure_provider(Odd(), runtime).load()
    with pytest.raises(ConfigInvalid, match="credentials must be"):
        azure_provider(5, runtime)
