"""Where tokens of Microsoft Entra ID come from on a machine: the sources of `DefaultAzureCredential`, in its order.

They are the environment (a client secret), workload identity (a token in a file), managed identity (App Service, and
the instance metadata service), and the Azure CLI. The sources are "Microsoft identity platform and the OAuth 2.0 client
credentials flow", "How managed identities for Azure resources work with Azure virtual machines" and "az account" in the
documentation of Microsoft. The tools of developers with a window of their own are left out.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote, urlencode, urlsplit

from entrepot.errors import ConfigInvalid, Error, PermissionDenied, Timeout, Unexpected
from entrepot.raw.few_files import is_of_too_many_files, with_file_limit
from entrepot.raw.http.endpoint import is_loopback, parse_endpoint
from entrepot.raw.http.error_table import plain_name
from entrepot.raw.http.transport import Header, HttpRequest, HttpTransport
from entrepot.raw.log import INFO, log
from entrepot.raw.os_errors import meaning_of
from entrepot.raw.runtime import Runtime

from .azure import AzureAccessToken, AzureCredentials
from .call import Response, failure, fetch, json_object, text_of
from .clock import utc_now

RESOURCE: Final = "https://storage.azure.com/"
"""The audience of tokens for Azure Storage, in every cloud."""

SCOPE: Final = f"{RESOURCE}.default"
DEFAULT_AUTHORITY: Final = "https://login.microsoftonline.com"
METADATA_ENDPOINT: Final = "http://169.254.169.254"

METADATA_SECONDS: Final = 2.0
"""The time limit of a request to the metadata service. Where there is none, the connection usually has no answer."""

PROCESS_SECONDS: Final = 60.0
"""After how many seconds the Azure CLI is killed."""

_NARROWED: Final = {
    "dev": ("Azure CLI",),
    "prod": ("environment", "workload identity", "managed identity"),
    "environmentcredential": ("environment",),
    "workloadidentitycredential": ("workload identity",),
    "managedidentitycredential": ("managed identity",),
    "azureclicredential": ("Azure CLI",),
}
"""The sources that a value of `AZURE_TOKEN_CREDENTIALS` leaves."""


class Absent(NamedTuple):
    """A source that is not configured, or has no token.

    Attributes:
        reason: why, for the error that lists all sources.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class EntraOptions:
    """The options of the caller, which take precedence over the environment.

    Arguments:
        tenant_id: the tenant of the application.
        client_id: the id of the application, or of a user-assigned managed identity.
        client_secret: a secret of the application.
        authority_host: the URL of Entra ID, for other clouds.
        federated_token_file: a file with the token of another identity provider, for workload identity.
    """

    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    authority_host: str | None = None
    federated_token_file: str | None = None


@dataclass(frozen=True, slots=True)
class AzureMachine:
    """The machine that tokens are looked up on.

    Arguments:
        options: the options of the caller.
        environ: the environment variables; empty if they must not be read.
        http: sends requests to Entra ID and the metadata services.
        runtime: reads files and starts programs in its threads.
        now: returns the time.
    """

    options: EntraOptions
    environ: Mapping[str, str] = field(repr=False)
    http: HttpTransport
    runtime: Runtime
    now: Callable[[], datetime] = utc_now

    def setting(self, option: str, variable: str) -> str | None:
        """An option of the caller, or else a variable of the environment; None if both are empty."""
        return getattr(self.options, option) or self.environ.get(variable) or None

    def authority(self) -> str:
        """The URL of Entra ID, without a slash at its end.

        Raises:
            ConfigInvalid: it is not one, or secrets would be sent to it without TLS.
        """
        stated = self.setting("authority_host", "AZURE_AUTHORITY_HOST") or DEFAULT_AUTHORITY
        return _checked_url("authority_host, or AZURE_AUTHORITY_HOST,", stated)


class Source(Protocol):
    """One source of the chain.

    Attributes:
        name: its name in error messages.
    """

    name: str

    async def load(self, machine: AzureMachine) -> AzureAccessToken | Absent:
        """Gets a token, or the reason why the source has none.

        Raises:
            ConfigInvalid: the source is configured, and its configuration is not valid.
            Error: the source is configured, and failed. Temporary if the same call may succeed later.
        """
        ...


class ClientSecretSource:
    """An application and its secret: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`."""

    name = "environment"

    async def load(self, machine: AzureMachine) -> AzureAccessToken | Absent:
        secret = machine.setting("client_secret", "AZURE_CLIENT_SECRET")
        if secret is None:
            return Absent("client_secret, or AZURE_CLIENT_SECRET, is not set")
        return await _client_token(machine, f"client secret of the {self.name}", {"client_secret": secret})


class WorkloadIdentitySource:
    """A token of another identity provider, as in a pod of Kubernetes: `AZURE_FEDERATED_TOKEN_FILE`.

    The file is read again for each token, since its token expires.
    """

    name = "workload identity"

    async def load(self, machine: AzureMachine) -> AzureAccessToken | Absent:
        path = machine.setting("federated_token_file", "AZURE_FEDERATED_TOKEN_FILE")
        if path is None:
            return Absent("federated_token_file, or AZURE_FEDERATED_TOKEN_FILE, is not set")
        assertion = await machine.runtime.blocking(_read_assertion, path)
        grant = {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        return await _client_token(machine, self.name, grant)


class ManagedIdentitySource:
    """The identity of the machine: from App Service if it offers one, else from the instance metadata service.

    Requests go past any proxy.
    """

    name = "managed identity"

    async def load(self, machine: AzureMachine) -> AzureAccessToken | Absent:
        endpoint, header = machine.environ.get("IDENTITY_ENDPOINT"), machine.environ.get("IDENTITY_HEADER")
        client = machine.setting("client_id", "AZURE_CLIENT_ID")
        if endpoint and header:
            return await self._of_app_service(machine, endpoint, header, client)
        return await self._of_instance(machine, client)

    async def _of_app_service(
        self, machine: AzureMachine, endpoint: str, header: str, client: str | None
    ) -> AzureAccessToken:
        url = _checked_url("IDENTITY_ENDPOINT", endpoint, may_be_plain=True)
        query = _resource_query("2019-08-01", client)
        response = await fetch(machine.http, _direct(f"{url}?{query}", [("X-IDENTITY-HEADER", header)]))
        return _token_of(machine, f"{self.name} of App Service", response)

    async def _of_instance(self, machine: AzureMachine, client: str | None) -> AzureAccessToken | Absent:
        stated = machine.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or METADATA_ENDPOINT
        url = _checked_url("AZURE_POD_IDENTITY_AUTHORITY_HOST", stated, may_be_plain=True)
        query = _resource_query("2018-02-01", client)
        request = _direct(f"{url}/metadata/identity/oauth2/token?{query}", [("Metadata", "true")])
        host = urlsplit(url).netloc
        try:
            response = await machine.runtime.with_timeout(METADATA_SECONDS, fetch, machine.http, request)
        except (Timeout, TimeoutError):
            return Absent(f"{host} does not answer within {METADATA_SECONDS:g} seconds")
        except Unexpected as error:
            if is_of_too_many_files(error):
                raise
            return Absent(f"{host} cannot be reached ({error.message})")
        if response.status in (400, 404):  # the machine has no identity, or this is another service
            return Absent(f"{host} has no identity for this machine")
        return _token_of(machine, f"{self.name} of the instance", response)


class CliSource:
    """The user that signed in with `az login`. The Azure CLI is started for each token."""

    name = "Azure CLI"

    async def load(self, machine: AzureMachine) -> AzureAccessToken | Absent:
        program = await machine.runtime.blocking(shutil.which, "az", 0x1, machine.environ.get("PATH", ""))
        if program is None:
            return Absent("the program az is not installed")
        tenant = machine.setting("tenant_id", "AZURE_TENANT_ID")
        return await machine.runtime.blocking_long(_run_cli, program, tenant, dict(machine.environ))


class EntraChain:
    """Loads a token from the first source that has one, and from then on from that source alone.

    Arguments:
        machine: the machine.
    """

    __slots__ = ("_chosen", "_machine", "_sources")

    def __init__(self, machine: AzureMachine) -> None:
        self._machine = machine
        self._sources = _sources_of(machine)
        self._chosen: Source | None = None

    async def load(self) -> AzureCredentials:
        """Gets a token.

        Raises:
            PermissionDenied: no source has one, or the one that has refuses. The message names each source.
            ConfigInvalid: a source is not configured right.
            Error: a source that is configured failed. Temporary if the same call may succeed later.
        """
        if self._chosen is not None:
            found = await _loaded(self._chosen, self._machine)
            if isinstance(found, Absent):
                message = f"the {self._chosen.name} had a token before and has none now: {found.reason}"
                raise Unexpected(message, is_temporary=True)
            return found
        reasons = []
        for source in self._sources:
            found = await _loaded(source, self._machine)
            if not isinstance(found, Absent):
                self._chosen = source
                log(INFO, "tokens of Azure come from the %s", found.source)
                return found
            reasons.append(f"{source.name}: {found.reason}")
        advice = "set account_key, sas_token or credentials, or skip_signature=True for a public container"
        raise PermissionDenied(f"no credentials of Azure were found ({'; '.join(reasons)}): {advice}")


def _sources_of(machine: AzureMachine) -> list[Source]:
    """The sources in order.

    Raises:
        ConfigInvalid: `AZURE_TOKEN_CREDENTIALS` names none of them.
    """
    sources: list[Source] = [ClientSecretSource(), WorkloadIdentitySource(), ManagedIdentitySource(), CliSource()]
    narrowed = machine.environ.get("AZURE_TOKEN_CREDENTIALS", "").strip().lower()
    if not narrowed:
        return sources
    names = _NARROWED.get(narrowed)
    if names is None:
        raise ConfigInvalid("AZURE_TOKEN_CREDENTIALS names no source that is known here", operation="configure")
    return [source for source in sources if source.name in names]


async def _loaded(source: Source, machine: AzureMachine) -> AzureAccessToken | Absent:
    try:
        return await source.load(machine)
    except Error as error:  # an error of a connection does not name its purpose
        error.add_context(credentials=source.name)
        raise


async def _client_token(machine: AzureMachine, what: str, grant: Mapping[str, str]) -> AzureAccessToken:
    """A token of an application (the client credentials flow)."""
    tenant = machine.setting("tenant_id", "AZURE_TENANT_ID")
    client = machine.setting("client_id", "AZURE_CLIENT_ID")
    if tenant is None or client is None:
        raise ConfigInvalid(
            f"the {what} needs tenant_id and client_id, or AZURE_TENANT_ID and AZURE_CLIENT_ID", operation="configure"
        )
    url = f"{machine.authority()}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    form = {"grant_type": "client_credentials", "client_id": client, "scope": SCOPE, **grant}
    headers = [("Host", urlsplit(url).netloc), ("Content-Type", "application/x-www-form-urlencoded")]
    response = await fetch(machine.http, HttpRequest("POST", url, headers, urlencode(form).encode()))
    return _token_of(machine, what, response)


def _token_of(machine: AzureMachine, what: str, response: Response) -> AzureAccessToken:
    """The token in a response."""
    if response.status != 200:
        raise failure(f"the {what}: the request for a token", response.status, _code_of(response.content))
    values = json_object(f"the response to the {what}", response.content)
    return _made(what, text_of(values, "access_token"), _expiry(values, machine.now()))


def _made(what: str, token: str | None, expiry: datetime | None) -> AzureAccessToken:
    try:
        return AzureAccessToken(token or "", expiry, what)
    except ConfigInvalid as error:
        problem = error.message
    raise Unexpected(f"the {what} returned no token that can be used: {problem}")


def _code_of(content: bytes) -> str:
    """The code in an error of OAuth, such as `"invalid_client"`. Its description may repeat parts of the request."""
    try:
        values = json_object("the error", content)
    except Unexpected:  # a proxy sent it, and the status says enough
        return ""
    return plain_name(text_of(values, "error")) or ""


def _expiry(values: Mapping[str, Any], now: datetime) -> datetime | None:
    """When a token expires: `expires_on` is a time in seconds since 1970, `expires_in` a number of seconds."""
    after = _number(values.get("expires_in"))
    try:
        return time_of(values.get("expires_on")) or (None if after is None else now + timedelta(seconds=after))
    except (OverflowError, ValueError):
        return None


def time_of(value: object) -> datetime | None:
    """The time that is a number of seconds since 1970, also as text; None if it is not one."""
    seconds = _number(value)
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None


def _resource_query(version: str, client: str | None) -> str:
    query = {"api-version": version, "resource": RESOURCE} | ({"client_id": client} if client else {})
    return urlencode(query)


def _direct(url: str, headers: list[Header]) -> HttpRequest:
    return HttpRequest("GET", url, [("Host", urlsplit(url).netloc), *headers], is_direct=True)


def _checked_url(name: str, text: str, *, may_be_plain: bool = False) -> str:
    """A URL without userinfo, and without a slash at its end. Secrets go over TLS, or stay on this machine."""
    try:
        endpoint = parse_endpoint(text if "://" in text else f"https://{text}")
    except ConfigInvalid as error:
        problem = error.message
    else:
        if may_be_plain or endpoint.scheme == "https" or is_loopback(endpoint.host):
            return endpoint.url
        problem = "it is http://, which would show secrets to others"
    raise ConfigInvalid(f"{name} is not valid: {problem}", operation="configure")


def _read_assertion(path: str) -> str:
    """The token in a file."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        unreadable = PermissionDenied(f"the token file {path} cannot be read: {error.strerror}")
        raise with_file_limit(unreadable, error) from None
    token = content.decode("ascii", "replace").strip()
    if not token or not token.isascii() or not token.isprintable():
        raise PermissionDenied(f"the token file {path} does not hold one line of ASCII text")
    return token


def _run_cli(program: str, tenant: str | None, environ: dict[str, str]) -> AzureAccessToken | Absent:
    """The token that the Azure CLI prints. Its error output may repeat parts of tokens, so it is not shown."""
    command = [program, "account", "get-access-token", "--resource", RESOURCE, "--output", "json"]
    problem: Error
    try:
        done = subprocess.run(  # noqa: S603 - the user's own program
            [*command, *(("--tenant", tenant) if tenant else ())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROCESS_SECONDS,
            check=False,
            env={**environ, "AZURE_CORE_NO_COLOR": "true"},
        )
    except subprocess.TimeoutExpired:
        problem = Timeout(f"the Azure CLI did not end within {PROCESS_SECONDS:g} seconds")
    except OSError as error:
        if is_of_too_many_files(error):
            raise meaning_of(error) from None
        return Absent(f"the Azure CLI cannot be started: {error.strerror}")
    else:
        if done.returncode != 0:
            return Absent("the Azure CLI has no token: run `az login`")
        values = json_object("the output of the Azure CLI", done.stdout)
        return _made("Azure CLI", text_of(values, "accessToken"), _cli_expiry(values))
    raise problem  # raised here, since the other error holds the command


def _cli_expiry(values: Mapping[str, Any]) -> datetime | None:
    """`expires_on` in seconds since 1970; older versions print only `expiresOn`, in the local time zone."""
    if values.get("expires_on") is not None:
        return _expiry(values, utc_now())
    try:
        return datetime.fromisoformat(text_of(values, "expiresOn") or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
