"""How a configuration reaches its account: the address, the credentials, and the client that sends requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.dialect import Dialect
from entrepot.raw.http.endpoint import is_loopback

from .azure import AzureAccessToken, AzureAccountKey, AzureCredentials, AzureSasToken
from .azure_account import (
    ConnectionString,
    account_endpoint,
    account_of,
    parse_connection_string,
    parsed,
)
from .azure_options import AzureOptions, environment_of
from .azure_signer import AzureSigner, CorrectedClock, DelegationKeys, RenewedTokens
from .clock import Clock
from .provider import CredentialCache

if TYPE_CHECKING:
    from entrepot.raw import Context
    from entrepot.raw.http.correction import Correction

    from .provider import Provider

D = TypeVar("D", bound=Dialect)

_SHARED_BY: Final = (
    *("tenant_id", "client_id", "client_secret", "authority_host", "federated_token_file", "disable_config_load"),
    "http_settings",
)
"""The options that tokens depend on. Operators of one context that agree in them share what is loaded."""


@dataclass(frozen=True, slots=True)
class Access:
    """How requests reach an account.

    Arguments:
        url: the URL of the service of the account, without a slash at its end.
        host: the value of the Host header.
        account: the name of the account.
        base_path: the path of the URL: empty, or the name of the account as at the emulator.
        known: the credentials, where they are known without I/O.
        credentials: the credentials; None sends requests without any.
        clock: the time that requests are signed with.
    """

    url: str
    host: str
    account: str
    base_path: str
    known: AzureCredentials | None
    credentials: CredentialCache[AzureCredentials] | None
    clock: Clock

    @property
    def is_private(self) -> bool:
        """Whether others can neither read nor change requests: they have TLS, or stay on this machine."""
        return self.url.startswith("https:") or is_loopback(urlsplit(self.url).hostname or "")

    def client(self, dialect: D, options: AzureOptions, context: Context) -> HttpClient[D]:
        """The client that sends the requests of a dialect."""
        corrections: list[Correction] = []
        delegation = None
        if self.credentials is not None:
            corrections = [RenewedTokens(self.credentials), CorrectedClock(self.clock)]
            # The keys are of the blob service, also for paths that are reached by the other one
            blob_url, blob_host = self.url.replace(".dfs.", ".blob.", 1), self.host.replace(".dfs.", ".blob.", 1)
            keys = DelegationKeys(blob_url, blob_host, self.credentials, context.http, self.clock)
            delegation = CredentialCache(keys, context.runtime, now=self.clock.timestamp)
        signer = AzureSigner(self.credentials, delegation, self.account, self.base_path, self.clock)
        return HttpClient(dialect, signer, context.http, context.runtime, corrections, options.request_headers)


def access_of(options: AzureOptions, context: Context) -> Access:
    """How a configuration reaches its account. No I/O.

    Raises:
        ConfigInvalid: nothing names the account.
    """
    stated = _completed(options)
    if stated.account is None and stated.endpoint is None:
        raise options.invalid("account_name is missing: set it, or endpoint or connection_string")
    url = stated.endpoint or account_endpoint(stated.account or "", options.SERVICE)
    endpoint = parsed(options.host_of_service(url))
    account = stated.account or account_of(endpoint)
    if account is None:
        raise options.invalid("account_name is missing, and endpoint does not name the account: set it")
    known, clock = _known(options, stated, account), Clock()
    credentials = None if options.skip_signature else _cache(options, known, context, clock)
    return Access(endpoint.url, endpoint.authority, account, endpoint.path, known, credentials, clock)


def _completed(options: AzureOptions) -> ConnectionString:
    """The settings of the configuration, completed by the environment.

    Secrets of the environment count only if the configuration has no credentials, and for the account that the
    environment names, if it names one.
    """
    stated, environ = options.stated(), environment_of(options)
    has_credentials = options.skip_signature or bool(
        stated.key or stated.sas_token or options.bearer_token or options.credentials or options.client_secret
    )
    is_silent = stated.account is None and stated.endpoint is None
    if is_silent and not has_credentials and (text := environ.get("AZURE_STORAGE_CONNECTION_STRING")):
        return parse_connection_string(text, options.SERVICE)
    named = environ.get("AZURE_STORAGE_ACCOUNT_NAME") or environ.get("AZURE_STORAGE_ACCOUNT") or None
    account = stated.account if stated.account or stated.endpoint else named
    if has_credentials or (named is not None and account is not None and named != account):
        return replace(stated, account=account)
    key = environ.get("AZURE_STORAGE_ACCOUNT_KEY") or environ.get("AZURE_STORAGE_KEY") or None
    sas_token = None if key else environ.get("AZURE_STORAGE_SAS_TOKEN") or None
    return replace(stated, account=account, key=key, sas_token=sas_token)


def _known(options: AzureOptions, stated: ConnectionString, account: str) -> AzureCredentials | None:
    """The credentials, where they are known without I/O."""
    source = "configuration" if options.stated() == stated or options.connection_string else "environment"
    if stated.key is not None:
        return AzureAccountKey(account, stated.key, source)
    if stated.sas_token is not None:
        return AzureSasToken(stated.sas_token, source)
    if options.bearer_token:
        return AzureAccessToken(options.bearer_token, source=source)
    return options.credentials if isinstance(options.credentials, AzureCredentials) else None


def _cache(
    options: AzureOptions, known: AzureCredentials | None, context: Context, clock: Clock
) -> CredentialCache[AzureCredentials]:
    runtime = context.runtime
    if known is not None:
        return CredentialCache.fixed(known, runtime)
    provider = _provider(options, context, clock)
    # The provider holds a function of the user, so that its id stays its own
    key = "credentials of Azure", id(options.credentials), *(getattr(options, name) for name in _SHARED_BY)
    return context.shared(key, lambda: CredentialCache(provider, runtime, now=clock.timestamp))


def _provider(options: AzureOptions, context: Context, clock: Clock) -> Provider[AzureCredentials]:
    if options.credentials is not None:
        from .azure_identity import azure_provider

        return azure_provider(options.credentials, context.runtime)
    from .azure_sources import AzureMachine, EntraChain, EntraOptions

    entra = EntraOptions(
        options.tenant_id or None,
        options.client_id or None,
        options.client_secret or None,
        options.authority_host or None,
        options.federated_token_file or None,
    )
    return EntraChain(AzureMachine(entra, environment_of(options), context.http, context.runtime, clock))
