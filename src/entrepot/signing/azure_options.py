"""`AzureOptions`: the base of configurations for Azure Storage, with the options of the account and its credentials.

Nothing here does I/O. The environment counts where the configuration states neither credentials nor an account of its
own, as for the Azure CLI.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from entrepot.errors import ConfigInvalid
from entrepot.raw.config import ServiceUri, parse_uri
from entrepot.raw.http.endpoint import DOUBLED_PLACE
from entrepot.raw.http.settings import HttpServiceConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from dataclasses import dataclass

    from .azure import AzureCredentials
    from .azure_account import ConnectionString
    from .azure_identity import TokenCredential
    from .provider import Provider

    Source = (
        AzureCredentials
        | Provider[AzureCredentials]
        | TokenCredential
        | Callable[[], AzureCredentials | Awaitable[AzureCredentials]]
    )
else:
    from entrepot.types.records import dataclass

    Source = object  # checked by `check_credentials`

_ENTRA: Final = ("tenant_id", "client_id", "client_secret", "authority_host", "federated_token_file")
_SECRETS: Final = ("account_key", "sas_token", "credentials")


def _keys(*names: str) -> Any:
    return {"aliases": names}


@dataclass(frozen=True, repr=False)
class AzureOptions(HttpServiceConfig):
    """The account and its credentials. The options are described at the service."""

    SERVICE: ClassVar[str] = "blob"
    """The name of the service in host names."""

    CONTAINER: ClassVar[str] = "container"
    """The key of the container."""

    OWN_HEADERS: ClassVar[frozenset[str]] = frozenset({"authorization", "x-ms-date", "x-ms-version"})

    _: KW_ONLY
    endpoint: str | None = field(
        default=None, metadata=_keys("azure_storage_endpoint", "azure_endpoint", "account_url", "account_host")
    )
    account_name: str | None = field(default=None, metadata=_keys("azure_storage_account_name", "azure_account_name"))
    account_key: str | None = field(
        default=None,
        repr=False,
        metadata=_keys(
            *("azure_storage_account_key", "azure_storage_access_key", "azure_storage_master_key"),
            *("access_key", "master_key"),
        ),
    )
    sas_token: str | None = field(
        default=None, repr=False, metadata=_keys("azure_storage_sas_token", "azure_storage_sas_key", "sas_key")
    )
    connection_string: str | None = field(
        default=None, repr=False, metadata=_keys("azure_storage_connection_string", "azure_connection_string")
    )
    bearer_token: str | None = field(default=None, repr=False, metadata=_keys("azure_storage_token", "token"))
    credentials: Source | None = field(default=None, repr=False, metadata=_keys("credential"))
    tenant_id: str | None = field(
        default=None,
        metadata=_keys(
            *("azure_tenant_id", "azure_storage_tenant_id", "authority_id", "azure_authority_id"),
            "azure_storage_authority_id",
        ),
    )
    client_id: str | None = field(default=None, metadata=_keys("azure_client_id", "azure_storage_client_id"))
    client_secret: str | None = field(
        default=None, repr=False, metadata=_keys("azure_client_secret", "azure_storage_client_secret")
    )
    authority_host: str | None = field(
        default=None, metadata=_keys("azure_authority_host", "azure_storage_authority_host")
    )
    federated_token_file: str | None = field(default=None, repr=False, metadata=_keys("azure_federated_token_file"))
    use_emulator: bool = field(default=False, metadata=_keys("azure_storage_use_emulator"))
    skip_signature: bool = field(default=False, metadata=_keys("azure_skip_signature", "allow_anonymous", "anon"))
    disable_config_load: bool = False

    def validate(self) -> None:
        self._check_text()
        self._check_exclusions()
        try:
            self._check_account()
            self._check_secrets()
        except ConfigInvalid as error:
            problem = error.message
        else:
            return
        raise self.invalid(problem)  # raised here: the other error is of no service

    @property
    def reads_environment(self) -> bool:
        return not self.disable_config_load

    @property
    def is_plain(self) -> bool:
        return self.use_emulator or super().is_plain

    @property
    def works_without_loop(self) -> bool:
        """A function of the user that returns credentials may be a coroutine function."""
        from .azure import AzureCredentials

        are_known = self.credentials is None or isinstance(self.credentials, AzureCredentials)
        return are_known and self.fits_blocking_sockets

    def stated(self) -> ConnectionString:
        """The account, its endpoint and its secrets as the configuration states them.

        Raises:
            ConfigInvalid: the connection string is malformed.
        """
        from .azure_account import EMULATOR_ACCOUNT, EMULATOR_ENDPOINT, EMULATOR_KEY, ConnectionString
        from .azure_account import parse_connection_string as parsed

        if self.use_emulator:
            key = None if self.sas_token or self.credentials or self.bearer_token else EMULATOR_KEY
            return ConnectionString(
                self.account_name or EMULATOR_ACCOUNT,
                self.account_key or key,
                self.sas_token or None,
                self.endpoint or EMULATOR_ENDPOINT,
            )
        if self.connection_string:
            return parsed(self.connection_string, self.SERVICE)
        return ConnectionString(
            self.account_name or None, self.account_key or None, self.sas_token or None, self.endpoint or None
        )

    @classmethod
    def from_uri(cls, uri: str, options: Mapping[str, Any] | None = None) -> Self:
        parts = parse_uri(uri)
        given = dict(parts.options)
        if "password" in given:
            raise cls.invalid("a URI of Azure has no password: set account_key, sas_token or credentials")
        authority = parts.authority
        if (container := given.pop("username", None)) is not None:
            authority = f"{container}@{authority}"
        stated = ServiceUri(parts.scheme, authority, parts.path, given)
        return cls.from_mapping({**cls.uri_options(stated), **given, **(options or {})})

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        """Of `azblob://container/root`, and of `wasbs://container@account.blob.core.windows.net/root`."""
        container, at, host = uri.authority.rpartition("@")
        if at:
            return {cls.CONTAINER: container, "root": uri.path, "endpoint": f"https://{cls.host_of_service(host)}"}
        if uri.scheme in ("http", "https"):
            name, _, root = uri.path.lstrip("/").partition("/")
            return {"endpoint": f"{uri.scheme}://{uri.authority}", cls.CONTAINER: name, "root": f"/{root}"}
        return {"root": uri.path} | ({cls.CONTAINER: uri.authority} if uri.authority else {})

    @classmethod
    def host_of_service(cls, host: str) -> str:
        """The host of this service, where a URI names the one of the other: `account.dfs...` and `account.blob...`."""
        other = "dfs" if cls.SERVICE == "blob" else "blob"
        return host.replace(f".{other}.", f".{cls.SERVICE}.", 1)

    def _check_text(self) -> None:
        for name in ("account_name", "account_key", "sas_token", "bearer_token", *_ENTRA):
            value = getattr(self, name) or ""
            if not value.isprintable():
                raise self.invalid(f"{name} has line breaks or other control characters")

    def _check_exclusions(self) -> None:
        given = [name for name in (*_SECRETS, "bearer_token", "connection_string") if getattr(self, name)]
        if self.client_secret and given:
            given.append("client_secret")
        if self.skip_signature and given:
            raise self.invalid(f"skip_signature is set beside {', '.join(given)}: leave out one or the other")
        if len(given) > 1:
            raise self.invalid(f"{' and '.join(given)} are set, and each has credentials: leave out all but one")
        if self.connection_string and (self.account_name or self.endpoint or self.use_emulator):
            raise self.invalid(
                "connection_string is set beside account_name, endpoint or use_emulator, which it states itself"
            )
        if self.client_secret and not (self.client_id and self.tenant_id) and self.disable_config_load:
            raise self.invalid("client_secret is set without client_id and tenant_id: set all three")

    def _check_account(self) -> None:
        from .azure_account import account_of, check_account, parsed

        stated = self.stated()
        if self.account_name and not self.use_emulator and not self.endpoint:
            check_account(self.account_name)
        if stated.endpoint is not None:
            endpoint, container = parsed(stated.endpoint), getattr(self, self.CONTAINER)
            self.check_scheme(endpoint.url)
            if endpoint.path == f"/{container}" and container != (self.account_name or account_of(endpoint)):
                raise self.invalid(DOUBLED_PLACE)
        if stated.account is None and stated.endpoint is None and self.disable_config_load:
            raise self.invalid("account_name is missing: set it, or endpoint or connection_string")

    def _check_secrets(self) -> None:
        from .azure import AzureAccessToken, AzureAccountKey, AzureSasToken

        stated = self.stated()
        if stated.key is not None:
            AzureAccountKey(stated.account or "account", stated.key)
        if stated.sas_token is not None:
            AzureSasToken(stated.sas_token)
        if self.bearer_token:
            AzureAccessToken(self.bearer_token)
        if self.credentials is not None:
            from .azure_identity import check_credentials

            check_credentials(self.credentials)


def environment_of(options: AzureOptions) -> Mapping[str, str]:
    """The environment variables that count for a configuration."""
    return os.environ if options.reads_environment else {}
