"""Configuration of the azblob service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.raw.telemetry import Telemetry
from entrepot.signing.azure_options import AzureOptions
from entrepot.types.records import replace

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_WITHOUT_EFFECT: Final = frozenset({"batch_max_operations", "use_azure_cli", "azure_use_azure_cli"})
"""Keys of OpenDAL and object_store that change nothing here: the Azure CLI is among the sources in any case."""


@dataclass(frozen=True, repr=False)
class Azblob(AzureOptions):
    """Blobs in a container of Azure Blob Storage.

    Requests are signed with the key of the account, or have a shared access signature (SAS) or a token of Microsoft
    Entra ID. The account and the credentials may be left to the environment, as the Azure CLI and the SDKs read it.
    Secrets are kept out of repr, but a pickle holds them.

    Arguments:
        container: the name of the container.
        root: the prefix that paths are relative to.
        endpoint: the URL of the blob service of the account, such as `"https://acc.blob.core.windows.net"`. By default
            account's in the public cloud.
        account_name: the name of the account. By default the one in the endpoint, or `AZURE_STORAGE_ACCOUNT_NAME` or
            `AZURE_STORAGE_ACCOUNT`.
        account_key: one of the two keys of the account, in base64.
        sas_token: a shared access signature, with or without its question mark.
        connection_string: the account and its credentials in the form `"AccountName=...;AccountKey=..."`, as the portal
            of Azure shows it.
        bearer_token: a token of Entra ID for Azure Storage. It is not renewed: `credentials` are.
        credentials: in place of these, for credentials that expire: a credential object of azure-identity, a function
            that returns `AzureAccessToken`, `AzureSasToken` or `AzureAccountKey` of `entrepot.signing`, plain (called
            in a thread) or async, or a `Provider`. They are loaded on first use and renewed before they expire, or when
            the server refuses them. It has no form as text.
        tenant_id: the tenant of the application that signs in. By default `AZURE_TENANT_ID`.
        client_id: the id of the application, or of a user-assigned managed identity. By default `AZURE_CLIENT_ID`.
        client_secret: a secret of the application. By default `AZURE_CLIENT_SECRET`.
        authority_host: the URL of Entra ID. By default `AZURE_AUTHORITY_HOST`, or the URL of the public cloud.
        federated_token_file: a file with the token of another identity provider (workload identity). By default
            `AZURE_FEDERATED_TOKEN_FILE`.
        use_emulator: use the emulator (Azurite) at 127.0.0.1:10000, with its account and key. Other keys may say more.
        skip_signature: send requests without credentials, for public containers. By default they have some.
        disable_config_load: read nothing from the environment.
        delete_snapshots: let the deletion of a blob delete its snapshots too. By default it is refused for a blob that
            has some.
        default_storage_class: the access tier of new blobs: `"Hot"`, `"Cool"`, `"Cold"` or `"Archive"`. By default the
            account's.
        encryption_key: a key of your own that blobs are encrypted with: 32 bytes in base64. The server forgets it after
            each request.
        encryption_key_sha256: base64 of the SHA-256 of that key. It is computed if left out.
        encryption_algorithm: its algorithm, `"AES256"`, the only one that there is.

    The other options concern connections: see `HttpServiceConfig`.

    Raises:
        ConfigInvalid: a value is missing or not valid, or values exclude each other. Nothing is sent.
    """

    SCHEME: ClassVar[str] = "azblob"
    ALIASES: ClassVar[tuple[str, ...]] = ("az", "wasb", "wasbs")
    URI: ClassVar[str] = "azblob://container/some/root?account_name=a"
    KEY_PREFIX: ClassVar[str] = "azure_"
    TELEMETRY: ClassVar[Telemetry] = Telemetry()

    container: str = field(metadata={"aliases": ("azure_container_name", "container_name")})
    root: str = "/"
    _: KW_ONLY
    delete_snapshots: bool = False
    default_storage_class: str | None = field(default=None, metadata={"aliases": ("access_tier",)})
    encryption_key: str | None = field(default=None, repr=False, metadata={"aliases": ("azure_encryption_key",)})
    encryption_key_sha256: str | None = field(default=None, repr=False)
    encryption_algorithm: str | None = None

    def validate(self) -> None:
        super().validate()
        self.check_root(self.root)
        from entrepot.signing.azure_names import check_container, check_key

        try:
            check_container(self.container)
            if (prefix := normalize_root(self.root)[1:]) != "":
                check_key(prefix)
            self.customer_key()
        except (ConfigInvalid, InvalidInput) as error:
            problem = error.message
        else:
            return
        raise self.invalid(problem)  # raised here: the other error is of no service

    def customer_key(self) -> tuple[tuple[str, str], ...]:
        """The headers of the key that blobs are encrypted with; none without one.

        Raises:
            ConfigInvalid: the key is not one, its hash is of another, or it would be sent without TLS.
        """
        from .customer_key import customer_key

        return customer_key(self.encryption_key, self.encryption_key_sha256, self.encryption_algorithm)

    def build(self, context: Context) -> Accessor:
        from .build import build

        return build(self, context)

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both are one container of one account, and have the same credentials."""
        if not isinstance(other, Azblob):
            return False
        unlike = ("root", "delete_snapshots", "default_storage_class")
        alike = replace(other.with_connections_of(self), **{name: getattr(self, name) for name in unlike})
        return alike == self

    def builder_of_copies(self, source: ServiceConfig) -> Callable[[Context], Accessor] | None:
        """Copies from each container of the account that the same credentials reach."""
        if not isinstance(source, Azblob) or not self.is_same_store(replace(source, container=self.container)):
            return None
        return partial(self._build_for_copies, source)

    def _build_for_copies(self, source: Self, context: Context) -> Accessor:
        from .build import build

        return build(self, context).copying_from(build(source.with_connections_of(self), context))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        if not isinstance(mapping, Mapping):
            return super().from_mapping(mapping)
        return super().from_mapping({key: mapping[key] for key in mapping if str(key).lower() not in _WITHOUT_EFFECT})
